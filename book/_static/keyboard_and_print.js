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
  // What is folded waits until it opens: to ask for its style would lay it out.
  const boxes = new Set();
  const judge = box => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ?
    box.tabIndex = 0 : box.removeAttribute("tabindex");
  // A table may grow, for its style, in a box that does not.
  const sizes = new ResizeObserver(changes =>
    changes.forEach(({ target }) => target.isConnected && judge(boxes.has(target) ? target : target.parentNode)));
  const watch = part => [...part.querySelectorAll(":is(div, figure, mjx-container[display], ol, p, pre, table, ul):not(details:not([open]) *)")]
    .filter(box => !boxes.has(box) && /auto|scroll/.test(getComputedStyle(box).overflow))
    .forEach(box => [boxes.add(box) && box, ...box.children].forEach(part => sizes.observe(part)));
  for (const article of document.querySelectorAll("article")) {
    watch(article);
    article.addEventListener("toggle", event => event.target.open && watch(event.target), true);
  }
  matchMedia("print").addEventListener("change", () => boxes.forEach(judge));
});
