"""tools/gate/notebooks.py: the same bytes from every run, and nothing stored that the gate refuses."""

import os
import subprocess
import sys

import rules
import notebooks
import pytest
import sandbox
from nbformat import v4

SPLIT_STREAM = (
    "import sys, time\n\nfor i in range(3):\n    print('\\x1b[32m', i, '\\x1b[0m', sep='')\n"
    "    sys.stdout.flush()\n    time.sleep(0.05)"
)
FRAMES = "Frames(lambda i: f'<b>{i * k[0]}</b>', [1, 2], name='steps', alt='the multiples of a number')"


@pytest.fixture
def write(tmp_path):
    """A function that writes a notebook, of code cells or of given cells, and returns its path."""

    def write(*cells, name="chapter.ipynb", **metadata):
        cells = [v4.new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
        path = tmp_path / name
        path.write_text(v4.writes(v4.new_notebook(cells=cells, metadata=metadata)), encoding="utf-8")
        return path

    return write


def test_a_second_run_changes_no_byte(write):
    path = write(
        v4.new_markdown_cell("# Title"),
        SPLIT_STREAM,
        "from cnnlib.show import Frames\n\nFrames(str, [1, 2], name='steps', alt=lambda i: f'the number {i} and nothing else')",
        "import matplotlib.pyplot as plt\n\nplt.plot([1, 3, 2])\nplt.show()",
        "{'b': 1, 'a': 2}",
    )
    assert notebooks.run(path) == "written"
    first = path.read_bytes()
    assert notebooks.run(path) == notebooks.check(path) == "unchanged"
    assert path.read_bytes() == first
    assert first.endswith(b"}\n") and not first.endswith(b"\n\n")
    cells = rules.read(path).cells
    assert [output.text for output in cells[1].outputs] == ["0\n1\n2\n"]
    assert cells[2].outputs[0].data.keys() == {"text/html", "text/plain"}
    assert [cell.execution_count for cell in cells[1:]] == [1, 2, 3, 4]


def test_metadata_is_fixed_and_what_editors_add_is_dropped():
    cell = v4.new_code_cell(
        "1",
        metadata={
            "tags": ["hide-input"],
            "jupyter": {"outputs_hidden": True},
            "collapsed": True,
            "execution": {"a": "b"},
        },
    )
    other = {"widgets": {"state": {}}, "kernelspec": {"name": "other", "display_name": "Other"}}
    notebook = notebooks.normalise(v4.new_notebook(cells=[cell], metadata=other))
    assert notebook.metadata == rules.METADATA
    assert notebook.cells[0].metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}


def test_ids_are_unique_and_an_inserted_cell_changes_no_other():
    def ids(*sources):
        notebook = notebooks.normalise(
            v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])
        )
        return [cell.id for cell in notebook.cells]

    assert len(set(ids("x = 1", "x = 1", "x = 2"))) == 3
    assert ids("x = 1", "y = 3", "x = 1", "x = 2")[2:] == ids("x = 1", "x = 1", "x = 2")[1:]


def test_cells_run_in_an_empty_folder_of_the_same_name_with_a_copy_of_cnnlib(write, tmp_path):
    path = write(
        "import os\nfrom pathlib import Path\n\nimport cnnlib\n\nlibrary = Path(cnnlib.__file__)\n"
        f"print(Path.cwd().name, os.listdir(), library.name, library.is_relative_to({str(sandbox.ROOT)!r}))"
    )
    assert notebooks.execute(path).cells[0].outputs[0].text == f"{tmp_path.name} [] __init__.py False\n"


def test_workers_that_are_threads_of_the_kernel_may_run(write):
    """Which watch its memory in files of the machine that no cell may read, and end before the cell does."""
    train = (
        "import numpy as np\n\nfrom cnnlib import SGD, Dense, Sequential, SquaredError, parallel\n\n"
        "shards = [(np.ones((2, n)), np.ones((1, n))) for n in (1, 3)]\n"
        "net = Sequential(Dense(2, 1, init=0.0))\nsgd = SGD(net, lr=0.1)\n"
        "with parallel.local_client(2) as client:\n"
        "    history = parallel.fit(net, SquaredError(), sgd, shards, client=client, epochs=1, batch_size=4, rng=0)\n"
        "print(history['loss'], len(client.nthreads() if client.status == 'running' else []))"
    )
    path = write(train, "1")
    assert notebooks.execute(path).cells[0].outputs[0].text == "[0.5] 0\n"


def test_no_chapter_can_tell_by_what_it_is_run(write, monkeypatch):
    """What pytest and nbval would give away: variables, modules, arguments, the count of cells."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    path = write(
        "import os\nimport sys",
        "[name for name in os.environ if 'PYTEST' in name], len(In), _",
        "[module for module in ('pytest', 'nbval', 'nbclient') if module in sys.modules], sys.argv[3:]",
        "sorted(os.environ)",
    )
    stored, other = (notebooks.execute(path, number) for number in (sandbox.OTHER, sandbox.PYTEST))
    assert stored == other
    assert stored.cells[1].outputs[0].data["text/plain"] == "([], 3, '')"


def tagged(source, tag):
    return v4.new_code_cell(source, metadata={"tags": [tag]})


REFUSED = {
    "an exception": (["x = 1", "1 / 0"], ["code cell 2: ", "ZeroDivisionError: division by zero"]),
    "a dead kernel": (
        ["x = 1", "import os\n\nos._exit(1)"],
        ["code cell 2: The kernel died. Its limits: 2048 MB"],
    ),
    "a file outside": (
        ["import cnnlib", f"open({__file__!r}, 'a')"],
        ["code cell 2: ", "PermissionError: a notebook under validation may not write outside"],
    ),
    "a connection": (
        ["import socket", "socket.create_connection(('host.invalid', 80))"],
        ["code cell 2: ", "PermissionError: a notebook under validation may not reach the network"],
    ),
    "unstable outputs": (
        ["import warnings\n\nwarnings.warn('old')", "object()", "0.1 + 0.2", "print('1%\\r2%')"],
        [
            "code cell 1, output 1: a warning or other text on stderr: ",
            "code cell 2, output 1: text/plain holds a memory address: 'at 0x",
            "code cell 3, output 1: text/plain holds a float in full precision: '0.30000",
            "code cell 4, output 1: text holds a control character: '\\r'",
        ],
    ),
    "frames that change": (
        ["from cnnlib.show import Frames\n\nk = [2]", FRAMES, "k[0] = 3"],
        ['after the last cell: output 1, text: stored ..."1 Frames\\n"', "steps at (1,) is drawn otherwise"],
    ),
    "frames that draw nothing more": (
        ["from cnnlib.show import Frames\n\nk = [2]", FRAMES, "k.clear()"],
        ["after the last cell: ", "IndexError: list index out of range"],
    ),
    "frames that nothing keeps": (
        [
            "from cnnlib.show import Frames\nfrom IPython.display import HTML\n\nk = [2]",
            f"HTML({FRAMES}.html())",
        ],
        ['after the last cell: output 1, text: stored ..."1 Frames\\n"..., a run gives ..."0 Frames'],
    ),
    "an output without its text": (
        ["display({'text/plain': None}, raw=True)"],
        ["text/plain, which no notebook can hold"],
    ),
    "a widget in a list": (
        ["import ipywidgets", "class Mine(ipywidgets.IntSlider):\n    pass", "print([Mine(value=3)])"],
        ["code cell 3, output 1: text holds the name of a widget instead of a picture"],
    ),
    "a shell line": (["!ls"], ["code cell 1: not plain Python"]),
    "a widget that needs a kernel": (
        ["from ipywidgets import interact"],
        ["code cell 1: interact needs a kernel"],
    ),
    "a cell that is not run": (
        [tagged("1", "skip-execution")],
        ["code cell 1: unknown tags ['skip-execution']"],
    ),
    "a cell that is not validated and fails": (
        ["x = 1", tagged(f"{rules.SAYS_SO}\n1 / 0", "not-validated")],
        ["code cell 2: ", "ZeroDivisionError: division by zero"],
    ),
    "a cell that is not validated and shows": (
        [tagged(f"{rules.SAYS_SO}\n1 + 1", "not-validated"), "x = 1"],
        ["code cell 1: output 1 is no text that print() writes"],
    ),
    "a cell that may fail": (
        [tagged("1 / 0", "raises-exception")],
        ["code cell 1: unknown tags ['raises-exc"],
    ),
}


def test_a_cell_that_is_not_validated_runs_after_all_others_and_stores_nothing(write):
    timing = f"{rules.SAYS_SO}\nimport time\n\nprint(time.perf_counter(), later)\nk.append(1)"
    path = write("k = []", tagged(timing, "not-validated"), "later = len(k)\nlater")
    assert notebooks.run(path) == "written" and notebooks.check(path) == "unchanged"
    first, timed, last = rules.read(path).cells
    assert [cell.execution_count for cell in (first, timed, last)] == [1, 2, 3] and timed.outputs == []
    assert last.outputs[0].data["text/plain"] == "0"


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_notebook_is_named_and_left_as_it_was(case, write, capsys):
    cells, messages = REFUSED[case]
    path = write(*cells)
    before = path.read_bytes()
    assert notebooks.main(["run", str(path)]) == 1
    told = capsys.readouterr().err
    assert all(message in told for message in [str(path), *messages]), told
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_what_the_tool_cannot_judge_or_write_does_not_stop_it(write, tmp_path, monkeypatch, capsys):
    first, second = write("1 + 1"), tmp_path / "second.ipynb"
    second.write_bytes(first.read_bytes())
    (tmp_path / f".{first.name}.part").mkdir()
    assert notebooks.main(["run", str(first), str(second)]) == 1
    out, told = capsys.readouterr()
    assert out == f"{second}: written\n"
    assert f"{first}: cannot be written: " in told and "Traceback" not in told
    monkeypatch.setattr(notebooks, "normalise", lambda notebook: [][1])
    assert notebooks.main(["run", str(first), str(second)]) == 1
    assert capsys.readouterr().err.count("IndexError") >= 2


def test_a_link_to_a_notebook_stays_one(write, tmp_path):
    path, link = write("1 + 1"), tmp_path / "link.ipynb"
    path.chmod(0o640)
    mode = path.stat().st_mode
    try:
        link.symlink_to(path)
    except OSError as error:
        pytest.skip(f"no links here: {error}")
    assert notebooks.run(link) == "written" and link.is_symlink()
    assert notebooks.run(path) == "unchanged" and path.stat().st_mode == mode


@pytest.mark.parametrize(
    "text", ["", "{}", '{"nbformat": 4, "nbformat_minor": 5, "cells": 1, "metadata": {}}']
)
def test_a_file_that_is_no_notebook_is_refused(text, tmp_path, capsys):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    assert notebooks.main(["run", str(path)]) == 1
    assert str(path) in capsys.readouterr().err
    assert path.read_text() == text


def test_a_missing_file_is_refused(tmp_path, capsys):
    assert notebooks.main(["check", str(tmp_path / "x.ipynb")]) == 1
    assert "x.ipynb" in capsys.readouterr().err


def test_check_shows_what_differs_and_changes_nothing(write, capsys):
    path = write(v4.new_markdown_cell("# Title"), "x = 1", "print(x)")
    notebooks.run(path)
    stale = path.read_bytes().replace(b'"1\\n"', b'"2\\n"')
    path.write_bytes(stale)
    assert notebooks.main(["check", str(path)]) == 1
    told = capsys.readouterr().err
    assert f'{path}, code cell 2: output 1, text: stored ..."2' in told
    assert changed_lines(told) == ['-      "2\\n"', '+      "1\\n"']
    assert path.read_bytes() == stale
    assert os.listdir(path.parent) == [path.name]


def test_layout_that_changes_no_cell_differs_too(write):
    path = write("x = 1")
    fresh = notebooks.normalise(rules.read(path))
    path.write_bytes(notebooks.serialise(fresh) + b"\n")
    with pytest.raises(notebooks.NotebookError, match="chapter.ipynb: not as a run writes it"):
        notebooks.verify(path, fresh)


def changed_lines(diff):
    return [line for line in diff.splitlines() if line[:1] in "-+" and line[:3] not in ("---", "+++")]


def test_an_interrupted_write_leaves_the_old_notebook(write, monkeypatch):
    path = write("1")
    before = path.read_bytes()

    def fail(*names):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(notebooks.NotebookError, match="cannot be written: disk full"):
        notebooks.run(path)
    assert path.read_bytes() == before


def test_without_names_every_notebook_of_the_book_runs(write, tmp_path, monkeypatch, capsys):
    (tmp_path / "book/part").mkdir(parents=True)
    paths = [
        write("1", name="book/a.ipynb"),
        write("2", name="book/part/b.ipynb"),
        write("1 / 0", name="book/c.ipynb"),
    ]
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    assert notebooks.main(["run", "-j", "2"]) == 1
    told = capsys.readouterr()
    assert told.out == f"{paths[0]}: written\n{paths[1]}: written\n"
    assert f"{paths[2]}, code cell 1" in told.err


def test_names_may_stand_after_the_number_of_jobs(write, capsys):
    path = write("1")
    assert notebooks.main(["run", "-j", "2", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: written\n"


def test_a_book_without_notebooks_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    with pytest.raises(SystemExit):
        notebooks.main(["check"])
    assert "no notebook under" in capsys.readouterr().err


def test_settings_of_the_user_change_no_output(write, tmp_path):
    path = write(
        "import os, sys\n\nsys.flags.optimize, os.getenv('PYTHONSTARTUP')",
        "import matplotlib.pyplot as plt\n\nplt.rcParams['lines.linewidth'], 'inline' in plt.get_backend()",
    )
    startup = tmp_path / "home/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "0.py").write_text("print('from the profile')")
    (tmp_path / "startup.py").write_text("print('from PYTHONSTARTUP')")
    (tmp_path / "home/matplotlibrc").write_text("lines.linewidth: 9")
    kernel = tmp_path / "kernels/python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["false"], "display_name": "x", "language": "python"}')
    settings = {
        "IPYTHONDIR": str(tmp_path / "home"),
        "JUPYTER_PATH": str(tmp_path),
        "MATPLOTLIBRC": str(tmp_path / "home/matplotlibrc"),
        "MPLBACKEND": "agg",
        "OPENBLAS_NUM_THREADS": "2",
        "PYTHONHASHSEED": "7",
        "PYTHONOPTIMIZE": "1",
        "PYTHONSTARTUP": str(tmp_path / "startup.py"),
    }
    command = [sys.executable, notebooks.__file__, "run", str(path)]
    done = subprocess.run(command, env=os.environ | settings, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: written\n", "")
    shown = [cell.outputs[0].data["text/plain"] for cell in rules.read(path).cells]
    assert shown == ["(0, None)", "(1.5, True)"]
