"""What tests do with a chapter in JupyterLab and in JupyterLite alike: run it from the top, and let its kernel move frames."""

import browsing
import numpy as np
import rules
import nbformat
from building import ROOT
from nbformat import from_dict

CONTENT = "jupyterapp.shell.currentWidget.content"
BOXES = ".jp-OutputArea-output .cnn-kernel"  # Frames in a kernel
VIEW = ".cnn-view > div"  # the picture in it
# For each cell of a grid a click leads to other frames: a point in it and the frames.
LEADS = """box => {
  const view = box.querySelector(".cnn-view"), go = JSON.parse(view.dataset.go || "[]");
  return [...view.querySelectorAll("svg[data-g]")].flatMap(svg => {
    const [grid, left, top, width, rows, columns] = svg.dataset.g.split(" ").map(Number);
    const { x, y } = svg.getBoundingClientRect();
    return (go[grid] ?? []).map((to, k) => ({
      x: x + left + width * (k % columns + 0.5), y: y + top + 36 * (Math.floor(k / columns) + 0.5), to }));
  });
}"""


def stored(name):
    """A chapter as it is stored."""
    return nbformat.read(ROOT / f"{name}.ipynb", as_version=4)


def displayed(notebook):
    """The HTML that a chapter's outputs hold, in order."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]


def wait_for_cells(page, notebook):
    """Wait until the chapter is open, with all of its cells in the page."""
    page.wait_for_function(
        "n => window.jupyterapp?.shell.currentWidget?.content?.widgets?.length === n", arg=len(notebook.cells)
    )
    page.wait_for_function(f"{CONTENT}.widgets.every(cell => cell.isAttached && !cell.isPlaceholder())")


def run_all(page):
    """Run all cells; the notebook that results."""
    page.evaluate(
        """async () => {
          await jupyterapp.shell.currentWidget.sessionContext.ready;
          await jupyterapp.commands.execute("notebook:run-all-cells");
        }"""
    )
    return from_dict(page.evaluate(f"{CONTENT}.model.toJSON()"))


def differences(stored, fresh, looked_at=lambda output: output):
    """Where a run gave other cells or outputs than are stored: {cell: sentences}. looked_at: what to compare of an
    output."""
    found = {}
    for label, old, new in zip(rules.labels(stored), stored.cells, fresh.cells, strict=True):
        problems = [] if new.source == old.source else ["another source"]
        if old.cell_type == "code":
            problems += (
                rules.compare(*([*map(looked_at, rules.normalise(cell.outputs))] for cell in (old, new)))
                if rules.validated(old)
                else rules.only_prints(new.outputs)
            )
            problems += (
                [] if new.execution_count == old.execution_count else [f"executed as {new.execution_count}"]
            )
        if problems:
            found[label] = problems
    return found


def move_frames(page, notebook):
    """Move each Frames to the first and to the second place on its last axis, and wait for what is stored of these; the
    number of Frames. A TimeoutError of Playwright where it never comes."""
    texts = [text for text in displayed(notebook) if text.startswith('<div class="cnn-frames')]
    boxes = page.query_selector_all(BOXES)
    assert len(boxes) == len(texts)
    for box, frames in zip(boxes, browsing.stored_frames(page, texts), strict=True):
        rows = box.query_selector_all(".widget-slider, .widget-toggle-buttons")
        start = next(k for k, frame in enumerate(frames["frames"]) if frame["start"])
        first = start - start % len(frames["labels"][-1])
        for place in (0, 1):
            if buttons := rows[-1].query_selector_all("button"):
                buttons[place].click()
            else:
                rows[-1].query_selector("[role=slider]").focus()
                page.keyboard.press(("Home", "ArrowRight")[place])
            wait_for_frame(page, box, frames, first + place)
    return len(boxes)


def wait_for_frame(page, box, frames, place):
    """Wait until the kernel has drawn this frame of those that are stored."""
    wanted = frames["frames"][place]["picture"]
    page.wait_for_function(
        "([e, html, view]) => e.querySelector(view)?.innerHTML === html", arg=[box, wanted, VIEW]
    )


def click_cells(page, notebook):
    """Click on a cell in each Frames in which one leads to a frame that does not show, and wait for that; their number."""
    texts = [text for text in displayed(notebook) if text.startswith('<div class="cnn-frames')]
    clicked = 0
    for box, frames in zip(page.query_selector_all(BOXES), browsing.stored_frames(page, texts), strict=True):
        box.query_selector(".cnn-view").scroll_into_view_if_needed()
        sizes = [len(names) for names in frames["labels"]]
        at = int(
            np.ravel_multi_index(
                [*map(int, box.query_selector(".cnn-view").get_attribute("data-at").split())], sizes
            )
        )
        leads = [lead for lead in box.evaluate(LEADS) if len(lead["to"]) == 1 and lead["to"] != [at]]
        if leads:
            page.mouse.click(leads[0]["x"], leads[0]["y"])
            wait_for_frame(page, box, frames, leads[0]["to"][0])
            clicked += 1
    return clicked
