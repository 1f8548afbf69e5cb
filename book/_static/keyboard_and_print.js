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

addEventListener("load", async () => {
  // The button that has opened a sidebar gets the focus back.
  for (const side of ["primary", "secondary"])
    document.getElementById(`pst-${side}-sidebar-modal`)?.addEventListener("close", () =>
      document.querySelector(`.${side}-toggle`).focus());

  // A formula that is wider than the page scrolls in its own box, as tables and programs do, and can be reached.
  await window.MathJax?.startup.promise;
  const sizes = new ResizeObserver(changes => changes.forEach(({ target }) =>
    target.scrollWidth > target.clientWidth ? target.tabIndex = 0 : target.removeAttribute("tabindex")));
  document.querySelectorAll("mjx-container[display]").forEach(box => sizes.observe(box));
});
