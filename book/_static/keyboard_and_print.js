// What the theme leaves out, for those who print and for those who use a keyboard.

// Paper is white, whatever the screen is.
{
  const page = document.documentElement.dataset;
  let screen;
  const turn = paper => {
    if (paper) {
      screen ??= page.theme;
      page.theme = "light";
    } else if (screen) {
      page.theme = screen;
      screen = undefined;
    }
  };
  addEventListener("beforeprint", () => turn(true));
  addEventListener("afterprint", () => turn(false));
  matchMedia("print").addEventListener("change", change => turn(change.matches));
}

addEventListener("load", () => {
  // The button that has opened a sidebar gets the focus back.
  for (const side of ["primary", "secondary"])
    document.getElementById(`pst-${side}-sidebar-modal`)?.addEventListener("close", () =>
      document.querySelector(`.${side}-toggle`).focus());

  // What is larger than its box scrolls in it, and can be reached by the Tab key while it does: formulas, and what the
  // theme looks at, though only when the window changes and some time later, when it may be on paper, folded, or neither.
  const boxes = [...document.querySelectorAll("article :not(svg, svg *)")]
    .filter(box => /auto|scroll/.test(getComputedStyle(box).overflow));
  const judge = box => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ?
    box.tabIndex = 0 : box.removeAttribute("tabindex");
  // A table may grow, for its style, in a box that does not.
  const sizes = new ResizeObserver(changes =>
    changes.forEach(({ target }) => target.isConnected && judge(boxes.includes(target) ? target : target.parentNode)));
  boxes.forEach(box => [box, ...box.children].forEach(part => sizes.observe(part)));
  matchMedia("print").addEventListener("change", () => boxes.forEach(judge));
});
