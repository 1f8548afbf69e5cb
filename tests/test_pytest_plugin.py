"""The gate, end to end: `pytest` itself, with this project's settings, on a small project of corrupted
notebooks."""

import base64
import copy
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import rules
import pytest_plugin
import notebooks
import pytest
from building import copy_from_checkout
from nbformat import v4
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
TEXT = "print('loss', 0.25)"
PICTURE = (
    "import io\n\nimport matplotlib.pyplot as plt\nimport numpy as np\nfrom IPython.display import Image\n\n"
    "file = io.BytesIO()\nplt.imsave(file, np.ones((40, 60, 3)))\nImage(file.getvalue(), format='png')"
)
HTML = "from IPython.display import HTML, display\n\ndisplay(HTML('<b>0.25</b>'))"
SEVERAL = "print('first')\ndisplay(1)\nprint('last')"


def repaint(cell):
    """Makes one pixel of the white picture slightly grey."""
    picture = Image.new("RGB", (60, 40), "white")
    picture.putpixel((30, 20), (240, 240, 240))
    file = io.BytesIO()
    picture.save(file, "PNG")
    cell.outputs[0].data["image/png"] = base64.b64encode(file.getvalue()).decode()


def mistake(cell):
    cell.outputs[0].text = "loss 0.26\n"


def mistake_with_tag(tag):
    def change(cell):
        mistake(cell)
        cell.metadata["tags"] = [tag]

    return change


def mistake_with_comment(cell):
    mistake(cell)
    cell.source = f"# NBVAL_IGNORE_OUTPUT\n{cell.source}"


# The cells of one notebook, each with what is done to its stored form. Those fail to which something is done.
CELLS = [
    (TEXT, None),
    (PICTURE, None),
    (HTML, None),
    (SEVERAL, None),
    (TEXT, mistake),
    (TEXT, mistake_with_tag("nbval-skip")),
    (TEXT, mistake_with_tag("raises-exception")),
    (TEXT, mistake_with_comment),
    (TEXT, lambda cell: cell.update(outputs=[], execution_count=None)),
    (PICTURE, repaint),
    (PICTURE, lambda cell: cell.outputs[0].data.pop("image/png")),
    (HTML, lambda cell: cell.outputs[0].data.update({"text/html": "<b>0.26</b>"})),
    (HTML, lambda cell: cell.outputs[0].update(metadata={"isolated": True})),
    (HTML, lambda cell: cell.outputs[0].update(output_type="execute_result", execution_count=1)),
    (SEVERAL, lambda cell: cell.outputs.reverse()),
]
NAMES = [f"Cell {i}" for i in range(len(CELLS))]
MOVED = """
Frames = type("Frames", (), {"name": "steps", "frames": {(1,): "<b>2</b>"}, "draw": lambda self, i: "<b>3</b>"})
Frames.texts, Frames.said = {(1,): ""}, lambda self, i: ""
Frames.__module__ = "cnnlib.show.frames"
kept = Frames()"""
# Notebooks of the first cell alone, all of whose outputs are right; their structure fails, and once the frames.
MISSHAPEN = {
    "one_id_twice": lambda notebook: notebook.cells[1].update(id=notebook.cells[0].id),
    "moved": lambda notebook: notebook.cells[1].update(source=TEXT + MOVED),
    "out_of_order": lambda notebook: notebook.cells[1].update(execution_count=2),
    "widget_state": lambda notebook: notebook.metadata.update(widgets={}),
    "unlisted": lambda notebook: None,
}


TIMED = f"{rules.SAYS_SO}\nimport time\n\nprint(time.perf_counter(), last)"
SHOWS = f"{rules.SAYS_SO}\nlast"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with this one's settings and tools, and a book of a good and some corrupted notebooks."""
    root = tmp_path_factory.mktemp("project")
    copy_from_checkout("pyproject.toml", root)
    copy_from_checkout("tools", root)
    (root / "tests").mkdir()
    (root / "cnnlib").mkdir()
    book = root / "book"
    book.mkdir()
    cells = [v4.new_markdown_cell("# Title"), *(v4.new_code_cell(source) for source, _ in CELLS)]
    path = book / "corrupted.ipynb"
    path.write_text(v4.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    notebooks.run(path)
    corrupted = rules.read(path)
    good = copy.deepcopy(corrupted)
    del good.cells[2:]
    for cell, (_, change) in zip(corrupted.cells[1:], CELLS):
        if change:
            change(cell)
    path.write_bytes(notebooks.serialise(corrupted))
    for name, change in {"good": lambda notebook: None, **MISSHAPEN}.items():
        notebook = copy.deepcopy(good)
        change(notebook)
        (book / f"{name}.ipynb").write_bytes(notebooks.serialise(notebook))
    for name, source in {"timed": TIMED, "timed_shows": SHOWS}.items():
        timed = v4.new_code_cell(source, metadata={"tags": ["not-validated"]})
        cells = [
            v4.new_markdown_cell("# Title"),
            v4.new_code_cell("x = 1"),
            timed,
            v4.new_code_cell("last = 2"),
        ]
        notebook = notebooks.normalise(v4.new_notebook(cells=cells))
        (book / f"{name}.ipynb").write_bytes(notebooks.serialise(notebook))
    listed = ("corrupted", "out_of_order", "widget_state", "timed", "timed_shows")
    listed = "".join(f"- file: book/{name}\n" for name in listed)
    (root / "_toc.yml").write_text(f"format: jb-book\nroot: book/good\nchapters:\n{listed}")
    return root


def run_pytest(folder, *arguments):
    """The exit code and the text of `pytest`, and the outcomes of its tests: {notebook: {test: outcome}}."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    # Without Hypothesis, which takes a second to load and which no notebook needs.
    quick = ["-p", "no:hypothesispytest", "--color=no"]
    command = [sys.executable, "-m", "pytest", "-rA", *quick, *arguments]
    run = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=300)
    outcomes = {}
    for outcome, name, test in re.findall(
        r"^([A-Z]+) (?:book/)?(\w+)\.ipynb::(structure|frames|Cell \d+)", run.stdout, re.M
    ):
        outcomes.setdefault(name, {})[test] = outcome
    return run.returncode, run.stdout + run.stderr, outcomes


def test_each_corruption_fails_and_nothing_else(project):
    code, text, outcomes = run_pytest(project, "-n0")
    assert code == pytest.ExitCode.TESTS_FAILED, text
    expected = {"good": {"structure": "PASSED", "Cell 0": "PASSED", "frames": "PASSED"}}
    expected |= {name: {"structure": "FAILED", "Cell 0": "PASSED", "frames": "PASSED"} for name in MISSHAPEN}
    expected["moved"]["frames"] = "FAILED"
    expected["corrupted"] = {
        name: "FAILED" if change else "PASSED" for name, (_, change) in zip(NAMES, CELLS)
    }
    expected["corrupted"] |= {"structure": "FAILED", "frames": "PASSED"}
    expected["timed"] = dict.fromkeys(("structure", "Cell 0", "Cell 1", "Cell 2", "frames"), "PASSED")
    expected["timed_shows"] = expected["timed"] | {"Cell 1": "FAILED"}
    assert "output 1 is no text that print() writes" in text
    assert outcomes == expected, text
    assert "book/unlisted.ipynb is not in _toc.yml" in text
    assert "1 pixels differ, by up to 15 of 255" in text
    assert "steps at (1,) is drawn otherwise after the last cell" in text


def test_a_good_notebook_alone_passes_from_its_own_folder(project):
    code, text, outcomes = run_pytest(project / "book", "-n0", "good.ipynb")
    assert code == 0, text
    assert outcomes == {"good": {"structure": "PASSED", "Cell 0": "PASSED", "frames": "PASSED"}}


def test_nbval_lax_is_refused(project):
    code, text, outcomes = run_pytest(project, "--nbval-lax", "book/good.ipynb")
    assert code == pytest.ExitCode.USAGE_ERROR, text
    assert "notebooks are validated with --nbval and without --nbval-lax" in text
    assert outcomes == {}


DAMAGED = {
    "empty": b"",
    "half": b"{",
    "null": b"null",
    "a_list": b"[]",
    "a_number": b"1e999",
    "a_byte_order_mark": b"\xef\xbb\xbf{good}",
    "utf_16": "{}".encode("utf-16"),
    "latin_1": b'{"x": "\xe9"}',
    "a_lone_surrogate": b'{"x": "\\ud800"}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "endless": b'{"x":' * 100_000,
    "too_deep": b'{"x": ' + b"[" * 60 + b"]" * 60 + b"}",
    "a_conflict": b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n",
    "older": b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
    "without_cells": b'{"metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "odd_cells": b'{"cells": [1, {"cell_type": []}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
}
SAYS = {
    "a_byte_order_mark": "not JSON (Unexpected UTF-8 BOM",
    "utf_16": "not a text in UTF-8",
    "latin_1": "not a text in UTF-8",
    "a_lone_surrogate": "not a text in UTF-8",
    "deep": "lists and objects in each other",
    "endless": "lists and objects in each other",
    "too_deep": "more than 50 lists and objects in each other",
    "a_conflict": "not JSON: a merge conflict stands in it",
    "null": "wanted a notebook of format 4.5, got none in NoneType",
    "a_number": "wanted a notebook of format 4.5, got none in float",
    "older": "got 4.4 (`python tools/gate/notebooks.py run` brings older ones to it)",
}


def test_a_damaged_notebook_fails_alone_and_the_others_run(project, request, capsys):
    """Under pytest, and under the tool, which says the same of it and leaves it as it is."""
    paths = [project / f"book/{name}.ipynb" for name in DAMAGED]
    good = (project / "book/good.ipynb").read_bytes()
    for path, data in zip(paths, DAMAGED.values(), strict=True):
        request.addfinalizer(path.unlink)
        path.write_bytes(data.replace(b"{good}", good))
    code, text, outcomes = run_pytest(project, "-n0", *map(str, paths), "book/good.ipynb")
    assert code == pytest.ExitCode.TESTS_FAILED, text
    sound = {"good": {"structure": "PASSED", "Cell 0": "PASSED", "frames": "PASSED"}}
    assert outcomes == dict.fromkeys(DAMAGED, {"structure": "FAILED"}) | sound, text
    older = project / "book/older.ipynb"
    assert (
        notebooks.main(
            ["run", *(str(path) for path in paths if path != older), str(project / "book/good.ipynb")]
        )
        == 1
    )
    out, told = capsys.readouterr()
    assert out == f"{project / 'book/good.ipynb'}: unchanged\n"
    for name, words in SAYS.items():
        assert words in text.split(f" {name}.ipynb::structure _")[1].split("\n____")[0], name
        assert name == "older" or words in told.split(f"{name}.ipynb: ")[1].split("\n")[0], name
    for path, data in zip(paths, DAMAGED.values(), strict=True):
        assert path.read_bytes() == data.replace(b"{good}", good)


class Options(dict):
    """Stands for pytest's config: its options."""

    getoption = dict.__getitem__


STRICT = {"nbval": True, **dict.fromkeys(pytest_plugin.LOOSER)}


@pytest.mark.parametrize("option", ["nbval", *pytest_plugin.LOOSER])
def test_less_than_all_of_nbval_is_refused(option):
    pytest_plugin.pytest_configure(Options(STRICT))
    with pytest.raises(pytest.UsageError, match="notebooks are validated with --nbval and without"):
        pytest_plugin.pytest_configure(Options(STRICT | {option: not STRICT[option]}))
