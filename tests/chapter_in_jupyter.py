"""What tests do with a chapter in JupyterLab and in JupyterLite alike: run it from the top, and let its kernel move frames."""

import browsing
import rules
import nbformat
from building import ROOT
from nbformat import from_dict

CONTENT = "jupyterapp.shell.currentWidget.content"
BOXES = ".jp-OutputArea-output .widget-vbox:has(.widget-slider)"  # Frames in a kernel


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
            problems += rules.compare(
                *([*map(looked_at, rules.normalise(cell.outputs))] for cell in (old, new))
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
        picture = box.query_selector_all(".widget-html-content")[-1]
        slider = box.query_selector_all("[role=slider]")[-1]
        start = next(k for k, frame in enumerate(frames["frames"]) if frame["start"])
        first = start - start % len(frames["labels"][-1])
        for key, place in (("Home", first), ("ArrowRight", first + 1)):
            slider.focus()
            page.keyboard.press(key)
            wanted = frames["frames"][place]["picture"]
            page.wait_for_function("([e, html]) => e.innerHTML === html", arg=[picture, wanted])
    return len(boxes)
