"""The gate lets no corrupted notebook pass: the stored outputs of every chapter are corrupted in every way
that corruptions.py names, one at a time, and compared with the sound ones."""

import base64
import copy
import io
import json
import os
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rules
import notebooks
import numpy as np
import pytest
from corruptions import (
    ERROR,
    NOTEBOOK,
    SHOWN,
    STDERR,
    STDOUT,
    VIEW,
    changed,
    corruptions,
    encoded,
    fewest,
    shown,
)
from nbformat import from_dict, v4
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = [path for path in rules.page_sources(ROOT) if path.suffix == ".ipynb"]
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def test_there_are_chapters():
    assert CHAPTERS


@each_chapter
def test_its_bytes_are_those_that_the_tool_writes(path):
    assert path.read_bytes() == notebooks.serialise(notebooks.normalise(rules.read(path)))


def first(cell):
    """A code cell as it would be alone in its notebook, which is judged sooner than among the others."""
    cell = copy.deepcopy(cell)
    for counted in (cell, *(output for output in cell.outputs if "execution_count" in output)):
        counted.execution_count = 1
    (cell.id,) = rules.ids({"cells": [cell]})
    return cell


def corrupt_everything(stored, fresh):
    """Corrupts the notebook `stored` in every way; returns in how many. Fails where the gate lets one
    pass."""
    assert rules.structure(stored) == []
    for name, change in NOTEBOOK.items():
        assert rules.structure(changed(stored, change)), name
    tried = 0
    for label, cell, again in zip(rules.labels(stored), stored.cells, fresh.cells):
        if cell.cell_type != "code":
            continue
        assert rules.compare(cell.outputs, again.outputs) == []
        cell, again = first(cell), first(again)
        assert rules.structure(whole := stored | {"cells": [cell]}) == []
        before = tried
        for name, always, corrupted in corruptions(cell):
            if corrupted == cell:
                assert not always, f"{label}, {name}: changes nothing"
                continue
            tried += 1
            whole["cells"] = [corrupted]
            problems = rules.compare(corrupted["outputs"], again.outputs) or rules.structure(whole)
            assert problems, f"{label}, {name}: passes the gate"
        assert tried - before >= fewest(cell), label
    return tried


@each_chapter
def test_no_corruption_of_a_chapter_passes(path):
    """That a run gives what is stored is nbval's to say, of the chapter itself."""
    tried = corrupt_everything(rules.read(path), rules.read(path))
    print(f"{path.stem}: {tried} corruptions, all caught")


EVERY_MIME = """
print('loss', 0.25)
print('accuracy', -0.9)
# %%
from IPython.display import display

print('before')
display({'text/plain': '2', 'text/html': '<b>2</b>'}, raw=True)
print('after')
{'text/plain': 1}
# %%
display({'image/svg+xml': '<svg><path d="M 1 2 L 3.5 4"/></svg>', 'text/plain': '1'}, raw=True)
# %%
import io

import matplotlib.pyplot as plt
import numpy as np

file = io.BytesIO()
plt.imsave(file, np.linspace(0, 1, 256).repeat(256).reshape(256, 256), format='png')
display({'image/png': file.getvalue(), 'text/plain': 'png'}, raw=True, metadata={'width': 9})
# %%
import matplotlib.pyplot as plt

plt.plot([1, 3, 2])
plt.show()
# %%
x = 1
""".split("# %%")


def test_no_corruption_of_any_mime_type_passes(tmp_path):
    path = tmp_path / "every_mime.ipynb"
    cells = [v4.new_markdown_cell("# Every mime type"), *map(v4.new_code_cell, EVERY_MIME)]
    path.write_text(v4.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    notebooks.run(path)
    stored = rules.read(path)
    mimes = {m for cell in stored.cells for output in cell.get("outputs", []) for m in output.get("data", {})}
    assert mimes == rules.SHOWN
    assert corrupt_everything(stored, notebooks.execute(path)) > 300


# compare, where the tables above cannot lead.


def test_fresh_outputs_are_normalised_and_stored_ones_are_not():
    pieces = [STDOUT | {"text": "\x1b[31m1"}, STDOUT | {"text": "\x1b[0m\r\n2\n"}]
    assert rules.compare([STDOUT | {"text": "1\n2\n"}], pieces) == []
    assert rules.compare(pieces, pieces)
    view = shown(text_html="1", **{rules.WIDGET_VIEW: VIEW})
    assert rules.compare(shown(text_html="1"), view) == []
    assert rules.compare(view, view)


def test_the_order_of_streams_and_displays_counts():
    error = from_dict({"output_type": "stream", "name": "stderr", "text": "1\n"})
    assert rules.compare([STDOUT, error], [error, STDOUT])
    assert rules.compare([STDOUT | {"text": "1\n"}], [error])
    assert rules.compare([STDOUT, *shown(text_plain="1")], [*shown(text_plain="1"), STDOUT])


@pytest.mark.parametrize("field", ["ename", "evalue", "traceback"])
def test_errors_are_compared(field):
    fresh = changed(ERROR, lambda error: error.update(traceback=["\x1b[31m1"]))
    assert rules.compare([ERROR], [fresh]) == []
    assert rules.compare([ERROR | {field: ["2"] if field == "traceback" else "2"}], [fresh])


def test_json_values_that_python_takes_for_equal_differ():
    for old, new in [(1, True), (1, 1.0), ([1], [True]), ({"a": 0}, {"a": False})]:
        assert rules.compare(shown(application_json=old), shown(application_json=new))


def test_a_picture_may_differ_by_the_tolerance_and_no_more():
    pixels = np.full((40, 60, 3), 100, np.uint8)
    near, far = pixels + np.uint8(rules.PNG_TOLERANCE), pixels.copy()
    far[20, 30, 1] += rules.PNG_TOLERANCE + 1
    stored = shown(image_png=encoded(pixels))
    assert rules.compare(stored, shown(image_png=encoded(near))) == []
    assert "1 pixels differ, by up to 3 of 255" in rules.compare(stored, shown(image_png=encoded(far)))[0]
    assert rules.compare(stored, shown(image_png=encoded(pixels) + "\n")) == []


def test_a_picture_too_large_to_look_at_is_named():
    data = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(data, "PNG")
    huge = shown(image_png=base64.b64encode(data.getvalue()).decode())
    (problem,) = rules.compare(huge, huge)
    assert problem == "output 1, image/png: not a readable PNG (10000 x 10000 pixels, more than 50,000,000)"


def test_of_an_animated_picture_nothing_is_compared():
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("white", "black")]
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    animated = shown(image_png=base64.b64encode(file.getvalue()).decode())
    (problem,) = rules.compare(animated, animated)
    assert (
        problem
        == "output 1, image/png: not a readable PNG (2 pictures in one, of which one would be compared)"
    )


# structure and sources: each rule by the words of its message.

REFUSED_SOURCES = {
    "from ipywidgets import interact": "interact needs a kernel",
    "widgets.Output()": "Output needs",
    "IPython.display.clear_output()": "clear_output changes an output",
    "display(1, display_id=True)": "display_id changes",
    "animation.to_jshtml()": "to_jshtml differs",
    "from tqdm.auto import trange": "tqdm changes",
    "get_ipython().system('ls')": "get_ipython gives",
    "%pip install x": "not plain Python",
    "x = !ls": "not plain Python",
    "%%time\nx = 1": "not plain Python",
    "x?": "not plain Python",
    "# NBVAL_SKIP\nx": "NBVAL_SKIP turns validation off",
    "x  # PYTEST_VALIDATE_IGNORE_OUTPUT": "turns validation off",
    "  ": "nothing to execute",
    "x = '$\\sigma$'": r"line 1, x = '$\sigma$': invalid escape sequence '\s': write r before the quotes",
    "x = 1\ny = b'\\d'": r"line 2, y = b'\d': invalid escape sequence '\d'",
    "x = f'\\d{1}'": r"invalid escape sequence '\d'",
    "x = 1\nx is 1": 'line 2, x is 1: "is" with',
    "assert (x, 'never false')": "assertion is always true",
    "x = = 1": "not Python: line 1, x = = 1: invalid syntax",
    "x = 1\nreturn x": "'return' outside function",
    "x = '\0'": "not Python: ",
    "(" * 999 + ")" * 999: "not Python: ",
    "import numpy, nbformat": "imports nbformat, which the browser's Python does not have",
    "from pytest.x import y": "imports pytest, which",
    "def f():\n    import scipy.signal": "imports scipy, which",
    "from . import x": "imports ., which",
    "import resource": "imports resource, which",
    "from distutils import core": "imports distutils, which",
    "os.cpu_count()": "cpu_count differs from machine to machine",
    "import platform": "platform differs from machine to machine",
    "sys.version.split()": "version differs from machine to machine",
    "from os import uname": "uname differs from machine to machine",
    "np.__version__": "__version__ differs from machine to machine",
    "datetime.now().year": "now differs from day to day",
    "faulthandler.dump_traceback_later(1)": "dump_traceback_later may end the kernel",
    "x = 1\n'''\n<<<<<<< HEAD\n'''": "a merge conflict stands in it",
    "datetime.date.today()": "today differs from day to day",
    "from cnnlib import Conv2d as C\nC.forward = f": "changes C.forward of cnnlib",
    "import cnnlib.losses\ncnnlib.losses.x.y += 1": "changes cnnlib.losses.x.y of cnnlib",
    "from cnnlib.show import svg\ndel svg.grid": "changes svg.grid of cnnlib",
    "import cnnlib as c\nc.show.figures.STYLE['x'] = 1": "changes c.show.figures.STYLE['x'] of cnnlib",
}


@pytest.mark.parametrize(("source", "message"), REFUSED_SOURCES.items())
def test_refused_sources(source, message):
    assert message in "\n".join(rules.sources(v4.new_notebook(cells=[v4.new_code_cell(source)])))


def test_objects_of_the_library_may_be_changed_and_its_code_in_no_cell():
    cells = [
        "from cnnlib import SGD, Dense",
        "net = Dense(1, 2)\noptimizer = SGD(net, lr=1)",
        "optimizer.lr = 2",
    ]
    cells = [v4.new_code_cell(source) for source in cells]
    assert rules.sources(v4.new_notebook(cells=cells)) == []
    cells.append(v4.new_code_cell("Dense.forward = len"))
    assert rules.sources(v4.new_notebook(cells=cells)) == ["code cell 4: changes Dense.forward of cnnlib"]


@pytest.mark.parametrize(
    "text",
    ["![x](x.png)", "<IMG src=x>", "<svg>", "```{figure} x.png", "[x](data:image/png)", "<object data=x>"]
    + ["```{eval-rst}\n.. image:: x.png\n```", "`.. figure:: x.png`"],
)
def test_a_picture_that_nothing_computed_is_refused(text):
    cells = [v4.new_code_cell("1"), v4.new_markdown_cell(text)]
    assert rules.sources(v4.new_notebook(cells=cells)) == ["markdown cell 1: a picture that nothing computed"]


@pytest.mark.parametrize(
    "source",
    [
        "x = 1  # weights interact, Output(1)\nprint('clear_output', x != 1)",
        "print(r'$\\sigma$', '\\\\s', '\\n')",
        "import importlib.resources, json as j\nfrom matplotlib import pyplot\nfrom mpl_toolkits import mplot3d",
        "from __future__ import annotations\nimport cnnlib.show\nfrom IPython.display import HTML\nimport ipywidgets",
        "import asyncio\nawait asyncio.sleep(0)",
    ],
)
def test_what_chapters_may_say(source):
    assert rules.sources(v4.new_notebook(cells=[v4.new_code_cell(source)])) == []


def timed(source, *others, tags=("not-validated",), kind=v4.new_code_cell):
    """A notebook with a cell that is not validated behind others."""
    cell = kind(source, metadata={"tags": list(tags)})
    return v4.new_notebook(cells=[*map(v4.new_code_cell, others), cell])


def test_a_cell_may_be_not_validated_where_it_says_so_and_nothing_depends_on_it():
    source = f"{rules.SAYS_SO}\nimport time\n\nbegun = time.perf_counter()\nx @ x\nprint(time.perf_counter() - begun)"
    notebook = timed(source, "import numpy as np\n\nx = np.ones((2, 2))")
    assert rules.sources(notebook) == []
    fresh = notebooks.normalise(notebook)
    assert rules.structure(fresh) == [] and fresh.cells[1].execution_count == 2
    fresh.cells[1].outputs = [v4.new_output("stream", text="0.1")]
    assert rules.structure(fresh) == ["code cell 2: is not validated and stores outputs"]
    fresh.cells[1].update(outputs=[], execution_count=None)
    assert rules.structure(fresh) == ["code cell 2: execution count None, not 2: not a run from the top"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("print(1)", "does not begin with '# Not validated"),
        (f"print(1)\n{rules.SAYS_SO}", "does not begin with '# Not validated"),
        ("assert x", "assert in a cell that is not validated would prove nothing"),
        ("claim('K01', 1, 1)", "claim in a cell"),
        ("show.table([], [])", "show in a cell"),
        ("from cnnlib import practice", "practice in a cell"),
        ("f = plt.figure", "plt in a cell"),
        ("x = 2", "binds x, which another cell uses"),
        ("for x in range(2):\n    pass", "binds x,"),
        ("def x():\n    pass", "binds x,"),
        ("import x", "binds x,"),
        ("import numpy as x", "binds x,"),
        ("del x", "binds x,"),
        ("(x := 1)", "binds x,"),
        ("class y:\n    pass", "binds y,"),
        ("x[0] = 2", "is not validated and changes x[0]"),
        ("x[0].T[1] += 2", "is not validated and changes x[0].T[1]"),
        ("del x.y", "is not validated and changes x.y"),
        ("x = = 1", "not Python"),
    ],
)
def test_a_cell_that_is_not_validated_is_refused(source, said):
    source = source if "print" in source else f"{rules.SAYS_SO}\n{source}"
    (problem,) = [
        problem for problem in rules.sources(timed(source, "x = [1]", "print(x, y)")) if said in problem
    ]
    assert problem.startswith("code cell 3: ")


def test_a_cell_that_is_not_validated_is_an_open_program_and_the_only_one():
    only = "only an open code cell may be not validated, and has no other tag"
    folded = timed(rules.SAYS_SO, tags=["not-validated", "hide-input"])
    assert rules.sources(folded) == [f"code cell 1: {only}"]
    text = timed(rules.SAYS_SO, "1", kind=v4.new_markdown_cell)
    assert rules.sources(text) == [f"markdown cell 1: {only}"]
    two = timed(f"{rules.SAYS_SO}\nprint(1)")
    two.cells *= 2
    assert rules.sources(two) == ["code cell 2: a second cell that is not validated"]


def test_a_cell_that_is_not_validated_only_prints():
    printed = v4.new_output("stream", name="stdout", text="1")
    assert rules.only_prints([printed]) == []
    for other in (
        v4.new_output("stream", name="stderr", text="1"),
        v4.new_output("display_data", {"text/plain": "1"}),
    ):
        assert rules.only_prints([printed, other]) == [
            "output 2 is no text that print() writes; the cell is not validated"
        ]


def test_sources_are_judged_by_several_threads_at_once():
    """Python 3.11 parses in one at a time."""
    cells = [v4.new_code_cell(f"x = [{'[1, ' * 50}{']' * 50}, {number}, '\\s']") for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda cell: rules.sources(v4.new_notebook(cells=[cell])), cells))
    assert all(len(problems) == 1 and "invalid escape" in problems[0] for problems in found)


@pytest.mark.skipif(
    "CNNLIB_PYODIDE_DIR" not in os.environ, reason="CNNLIB_PYODIDE_DIR names no folder with Pyodide"
)
def test_of_pythons_own_modules_the_browser_has_those_that_chapters_may_import():
    """But for what is in no file of its own there: modules in C, and those that are packages of Pyodide."""
    names = zipfile.ZipFile(Path(os.environ["CNNLIB_PYODIDE_DIR"], "python_stdlib.zip")).namelist()
    there = {name.partition("/")[0].removesuffix(".py") for name in names}
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert public & rules.NOT_IN_PYODIDE & there == set()
    in_c = set(sys.builtin_module_names) | {
        "array",
        "audioop",
        "binascii",
        "cmath",
        "math",
        "mmap",
        "pyexpat",
        "select",
    }
    packages = {"lzma", "sqlite3", "ssl", "unicodedata", "zlib"}
    assert public & rules.IMPORTABLE - there <= in_c | packages


REFUSED_TEXTS = {
    "<A object at 0x7f01509a7390>": "a memory address",
    "0x7f01509a7390": "a memory address",
    "0.30000000000000004": "a float in full precision",
    "1.2246467991473532e-16": "a float in full precision",
    "10%\r20%": "a control character",
    "1\b2": "a control character",
    "/home/me/x.py": "a path of one machine",
    r"C:\Users\me": "a path of one machine",
    "": "empty",
    "[<matplotlib.lines.Line2D>]": "the name of a plot object",
    "<Figure size 640x480 with 1 Axes>": "the name of a plot object",
    "Text(0.5, 1.0, 'title')": "the name of a plot object",
}


REFUSED_OUTPUTS = {
    "a stored error stops Run All: ValueError: 1": [ERROR],
    "a warning or other text on stderr: 'Warning: 1\\n'": [STDERR],
    "a stored widget view": shown(**{rules.WIDGET_VIEW: VIEW}),
    "outputs are not as tools/gate/notebooks.py writes them": [STDOUT, STDOUT],
    "application/json, which a page does not show": shown(text_plain="1", application_json=[1]),
    "application/javascript, which a page": shown(text_plain="1", application_javascript="f()"),
    "the name of a widget instead of a picture": shown(text_plain=f"(1, IntSlider(value=3), {rules.WIDGET})"),
    "text/markdown, which a page does not show": shown(text_plain="1", text_markdown="*1*"),
    "image/jpeg, which a page does not show": shown(text_plain="1", image_jpeg="1"),
    f"holds a path of one machine: '{sys.prefix}'": [STDOUT | {"text": f"{sys.prefix}/bin/python\n"}],
    "execution count 2 in cell [1]": [SHOWN | {"output_type": "execute_result", "execution_count": 2}],
}


def structure_of(outputs, **metadata):
    cell = v4.new_code_cell("x", execution_count=1, outputs=from_dict(outputs), metadata=metadata)
    (cell.id,) = rules.ids({"cells": [cell]})
    return rules.structure(v4.new_notebook(cells=[cell], metadata=rules.METADATA))


@pytest.mark.parametrize(("message", "outputs"), REFUSED_OUTPUTS.items())
def test_refused_outputs(message, outputs):
    assert structure_of([STDOUT]) == structure_of([SHOWN]) == []
    assert message in "\n".join(structure_of(outputs))


REFUSED_METADATA = [
    *({"tags": [tag]} for tag in ("remove-output", "remove-input", "remove-cell", "hide-output", "margin")),
    *({"mystnb": {name: True}} for name in ("remove_code_outputs", "remove_code_source")),
    {"mystnb": {"figure": {"caption": "Another picture"}}},
    {"mystnb": {"image": {"alt": "A line", "width": "1px"}}},
    {"mystnb": {"image": {"alt": "A line"}, "figure": {"caption": "Another picture"}}},
    {"mystnb": {"image": {"alt": 1}}},
    {"mystnb": {}},
    {"jupyter": {"outputs_hidden": True}},
    {"tags": ["hide-cell"]},  # open in Jupyter, folded on its page
    {"tags": ["hide-input"], "jupyter": {"outputs_hidden": True, "source_hidden": True}},
]


@pytest.mark.parametrize("metadata", REFUSED_METADATA, ids=str)
def test_metadata_that_changes_what_a_page_shows_is_refused(metadata):
    allowed = {"tags": ["hide-cell", "hide-input"], "mystnb": {"image": {"alt": "A line"}}}
    allowed["jupyter"] = {"outputs_hidden": True, "source_hidden": True}
    assert structure_of([SHOWN], **allowed) == []
    assert len(structure_of([SHOWN], **metadata)) == 1


def test_a_text_that_its_page_folds_is_folded_in_jupyter_too():
    def of_text(**metadata):
        code = v4.new_code_cell("x", execution_count=1)
        cells = [v4.new_markdown_cell("Solution", metadata=metadata), code]
        cells[0].id, code.id = rules.ids({"cells": cells})
        return rules.structure(v4.new_notebook(cells=cells, metadata=rules.METADATA))

    assert of_text() == of_text(tags=["hide-cell"], jupyter={"source_hidden": True}) == []
    assert len(of_text(tags=["hide-cell"])) == len(of_text(jupyter={"source_hidden": True})) == 1
    assert len(of_text(tags=["hide-cell"], jupyter={"source_hidden": True, "outputs_hidden": True})) == 1


@pytest.mark.parametrize(("text", "message"), REFUSED_TEXTS.items())
def test_refused_texts(text, message):
    assert message in "\n".join(structure_of(shown(text_plain=text)))
    assert structure_of(shown(text_plain="0.123456, 0x1f, 1e-16, Figure")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[]", "got none in list"),
        ('{"nbformat": 3}', "wanted a notebook of format 4.5, got 3.0"),
        ('{"nbformat": "4", "nbformat_minor": 5}', "got none in dict"),
        ('{"nbformat": true, "nbformat_minor": 5}', "got none in dict"),
        ("{}", "got 0.0"),
    ],
)
def test_a_file_that_is_no_notebook_is_named(tmp_path, text, message):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(ValueError, match="x.ipynb") as raised:
        rules.read(path)
    assert message in str(raised.value)


def older(minor, **cell):
    """A notebook of format 4.`minor`, as Colab and VS Code write them: ids before their time, metadata of their own."""
    code = {"cell_type": "code", "source": ["x = 1\n", "print(x)"], "execution_count": 7, "outputs": []}
    code |= {"metadata": {"id": "a1", "colab": {"x": 1}, "vscode": {"languageId": "python"}}, **cell}
    text = {"cell_type": "markdown", "source": "# Title", "metadata": {"collapsed": False}}
    metadata = {"colab": {"provenance": []}, "kernelspec": {"name": "other", "display_name": "Other"}}
    return {"cells": [text, code], "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


OLDER = {
    **{f"4.{minor}": older(minor) for minor in range(5)},
    "with ids": older(2, id="an-id"),
    "with an output of Colab": older(
        0, outputs=[{"output_type": "stream", "name": "stdout", "text": ["1\n"], "x": 1}]
    ),
    "3": {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "level": 1, "source": "Title", "metadata": {}},
                    {
                        "cell_type": "code",
                        "collapsed": False,
                        "input": "x = 1\nprint(x)",
                        "language": "python",
                        "metadata": {},
                        "outputs": [],
                    },
                ],
                "metadata": {},
            }
        ],
    },
}


@pytest.mark.parametrize("form", OLDER)
def test_a_notebook_of_an_older_format_is_brought_to_the_stored_one(tmp_path, form, capsys):
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(OLDER[form]), encoding="utf-8")
    with pytest.raises(ValueError, match="run` brings older ones to it"):
        rules.read(path)
    notebook = notebooks.normalise(rules.read(path, older=True))
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        ("markdown", "# Title"),
        ("code", "x = 1\nprint(x)"),
    ]
    assert rules.structure(notebook) == []


def test_the_tool_stores_a_notebook_of_an_older_format(tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(OLDER["with ids"]), encoding="utf-8")
    assert notebooks.run(path) == "written" and notebooks.run(path) == "unchanged"
    assert [output.text for output in rules.read(path).cells[1].outputs] == ["1\n"]


def test_a_notebook_that_breaks_its_own_older_format_is_named(tmp_path):
    path = tmp_path / "x.ipynb"
    for broken in (
        older(3) | {"cells": 1},
        older(3) | {"cells": [{"cell_type": []}]},
        older(4, outputs=None),
    ):
        path.write_text(json.dumps(broken), encoding="utf-8")
        with pytest.raises(ValueError, match="x.ipynb: (cannot be brought from format 4.[34]|not a valid)"):
            rules.read(path, older=True)
