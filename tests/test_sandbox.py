"""A notebook under validation is shut in, and none can hold up the others: `pytest` itself, with this
project's settings, on small projects whose notebooks try to get out, to hang and to eat memory."""

import os
import re
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import guard
import execution
import notebooks
import pytest
from building import copy_from_checkout
import sandbox
from sandbox_attempts import ATTEMPTS, LINUX
from nbformat import v4
from test_pytest_plugin import run_pytest

ROOT = Path(__file__).resolve().parents[1]


def make_project(root, chapters, **edits):
    """Makes a project in `root` with this one's settings and tools, a library of one empty file, and the
    chapters {name: sources of its cells}, whose cells are stored as giving no output. An edit
    {tool: {old: new}} changes a line of a tool."""
    copy_from_checkout("pyproject.toml", root)
    copy_from_checkout("tools", root)
    for folder in ("tests", "book", "cnnlib"):
        (root / folder).mkdir()
    (root / "cnnlib/__init__.py").touch()
    for tool, lines in edits.items():
        path = root / f"tools/gate/{tool}.py"
        text = path.read_text(encoding="utf-8")
        for old, new in lines.items():
            assert text.count(old) == 1, (tool, old)
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    for name, sources in chapters.items():
        notebook = notebooks.normalise(v4.new_notebook(cells=[v4.new_code_cell(text) for text in sources]))
        (root / f"book/{name}.ipynb").write_bytes(notebooks.serialise(notebook))
    listed = "".join(f"- file: book/{name}\n" for name in chapters)
    (root / "_toc.yml").write_text(f"format: jb-book\nroot: book/intro\nchapters:\n{listed}")
    (root / "book/intro.md").touch()


NO_NAMESPACES = "import sys\n\nsys.exit('unshare: Operation not permitted')\n"
NO_GUARD = "\n\ndef install(**limits):\n    pass\n"


def files(root):
    """The bytes of every file of a project but for the caches of Python and pytest."""
    kept = (path for path in root.rglob("*") if not {"__pycache__", ".pytest_cache"} & {*path.parts})
    return {path.relative_to(root): path.read_bytes() for path in kept if path.is_file()}


@pytest.mark.parametrize("way", ["Python and Linux", "Python alone", "nothing"])
def test_what_a_notebook_may_not_do(way, tmp_path):
    """Each attempt fails with its reason, and passes where what refuses it is taken away."""
    if way == "Python and Linux" and sandbox.refused():
        pytest.skip(f"the system gives no namespaces: {sandbox.refused()}")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        tempfile.TemporaryDirectory() as short,
        ExitStack() as end,
    ):
        other = f"{short}/socket"
        if LINUX:
            listening = end.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(other)
            listening.listen()
        setup = (
            f"import os\nimport socket\nimport sys\nfrom pathlib import Path\n\n"
            f"TREE, PORT = Path({str(tmp_path)!r}), {server.getsockname()[1]}\n"
            f"PYTEST, OTHER = {os.getpid()}, {other!r}"
        )
        make_project(tmp_path, {"attempts": [setup, *(source for source, *_ in ATTEMPTS.values())]})
        (tmp_path / "removable").touch()
        if way != "Python and Linux":
            (tmp_path / "tools/gate/confine.py").write_text(NO_NAMESPACES)
        if way == "nothing":
            guard_file = tmp_path / "tools/gate/guard.py"
            guard_file.write_text(guard_file.read_text(encoding="utf-8") + NO_GUARD, encoding="utf-8")
        before = files(tmp_path)
        code, text, outcomes = run_pytest(tmp_path, "-n0")
    column = ["Python and Linux", "Python alone", "nothing"].index(way) + 1
    expected = {"structure": "PASSED", "Cell 0": "PASSED"}
    for number, attempt in enumerate(ATTEMPTS.values(), 1):
        expected[f"Cell {number}"] = "FAILED" if attempt[column] else "PASSED"
    assert outcomes == {"attempts": expected | {"frames": "PASSED"}}, text
    told = text.split("\nNotebook cell execution failed\n")[1:]
    reasons = [attempt[column] for attempt in ATTEMPTS.values() if attempt[column]]
    for part, reason in zip(told, reasons, strict=True):
        assert reason in part, part
    changed = {path.as_posix() for path, _ in files(tmp_path).items() ^ before.items()}
    if way == "Python and Linux":
        assert changed == set() and not (tmp_path / "made").exists()
        assert "notebooks: shut in by Python and Linux\n" in text
    elif way == "Python alone":
        assert changed == set()
        why = "unshare: Operation not permitted" if LINUX else f"{sys.platform} has none"
        assert f"notebooks: shut in by Python alone ({why})\n" in text
    else:
        assert changed == {"written", "removable"}


# What may hold up the others: a cell, what is said of it, and whether the kernel may live on.

TOO_MUCH = "may not show more than 15,000 characters of output|The cell shows too much"
ENDLESS = {
    "hanging": ("import time\n\ntime.sleep(999)", "Timeout of 1 seconds exceeded", False),
    "ignoring an interrupt, and talking on": (
        "import signal\nimport time\n\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n"
        "    print(1, flush=True)\n    time.sleep(0.1)",
        "Timeout of 1 seconds exceeded, and the interrupt was ignored",
        False,
    ),
    "swallowing an interrupt": (
        "import time\n\ntry:\n    time.sleep(999)\nexcept KeyboardInterrupt:\n    pass",
        "Timeout of 1 seconds exceeded",
        False,
    ),
    "flooding": ("import time\n\nwhile True:\n    print('x' * 9999)\n    time.sleep(0.01)", TOO_MUCH, True),
    "flooding at once": ("while True:\n    print('x' * 100_000)", TOO_MUCH, True),
    "displaying": (
        "import time\n\nwhile True:\n    display('x' * 9999)\n    time.sleep(0.01)",
        "The cell shows too much.",
        False,
    ),
    "dying": ("import os\n\nos._exit(1)", "The kernel died.", False),
}
if LINUX:  # a kernel without memory may die of it, or raise MemoryError and live on
    eating = "kept = []\nwhile True:\n    kept.append(bytes(10**7))"
    ENDLESS["eating memory"] = (eating, "400 MB|MemoryError", True)


@pytest.mark.parametrize("case", ENDLESS)
def test_a_cell_without_an_end_is_ended(case, monkeypatch):
    source, message, lives = ENDLESS[case]
    for module, name, value in (
        (sandbox, "MEGABYTES", 400),
        (sandbox, "SHOWN", 15_000),
        (execution, "SECONDS_TO_INTERRUPT", 1),
    ):
        monkeypatch.setattr(module, name, value)
    with execution.Execution("x.ipynb", sandbox.PYTEST, seconds=1 if "Timeout" in message else 60) as kernel:
        with pytest.raises(execution.CellError if lives else execution.KernelEnded) as ended:
            kernel.run(source)
    assert re.search(message, str(ended.value) + ended.value.traceback)


def test_no_notebook_holds_up_the_others(tmp_path):
    """The cell is named, those after it are not run, and the last notebook passes."""
    endless = {
        "hanging": ["x = 1", ENDLESS["hanging"][0], "x = 2"],
        "dying": ["x = 1", ENDLESS["dying"][0], "x = 2"],
    }
    make_project(tmp_path, endless | {"well_behaved": ["x = 1"]})
    code, text, outcomes = run_pytest(tmp_path, "-n0", "--nbval-cell-timeout=1")
    assert code == pytest.ExitCode.TESTS_FAILED, text
    ended = {
        "structure": "PASSED",
        "Cell 0": "PASSED",
        "Cell 1": "FAILED",
        "Cell 2": "XFAIL",
        "frames": "XFAIL",
    }
    sound = {"structure": "PASSED", "Cell 0": "PASSED", "frames": "PASSED"}
    assert outcomes == dict.fromkeys(endless, ended) | {"well_behaved": sound}, text
    for name in endless:
        told = text.split(f" book/{name}.ipynb::Cell 1 __")[1].split("\n____")[0]
        assert re.search(ENDLESS[name][1], told), told
    assert "XFAIL book/hanging.ipynb::Cell 2 - [NOTRUN] the kernel ended in Cell 1" in text


@pytest.mark.parametrize("host", [None, "", b"localhost", "localhost", "127.0.0.1", "127.9.8.7", "::1"])
def test_this_machine_is_local(host):
    assert guard.local(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "0.0.0.0", "127.0.0.1.test", "127.test", "localhost.test", "::2", 16]
)
def test_others_are_not(host):
    assert not guard.local(host)


def test_without_its_guard_no_kernel_starts(tmp_path, monkeypatch):
    copy_from_checkout("tools/gate", tmp_path)
    (tmp_path / "tools/gate/guard.py").write_text("def install(**limits):\n    raise OSError('broken')\n")
    monkeypatch.setattr(sandbox, "HERE", tmp_path / "tools" / "gate")
    with pytest.raises(execution.KernelEnded, match=r"no guard, so no kernel: OSError\('broken'\)"):
        execution.Execution(tmp_path / "x.ipynb", sandbox.STORED)


def test_the_end_of_a_long_stderr_is_told():
    with sandbox.sandbox("x.ipynb") as box:
        (box.folder / "stderr").write_bytes(b"x" * 10_000 + b"\xff the end")
        words = box.last_words()
    assert words.endswith("the end") and len(words) < 2200


@pytest.mark.skipif(bool(sandbox.refused()), reason="the system gives no namespaces")
def test_no_process_outlives_the_one_that_confines_it(tmp_path):
    """Neither what the program started when it ends, nor the program when its parent is killed."""
    pipe, theirs = os.pipe()
    child = "import os, time\n\nif os.fork():\n    os._exit(7)\ntime.sleep(999)"
    confined = [*sandbox.confined(tmp_path), sys.executable, "-c", child]
    assert subprocess.run(confined, pass_fds=[theirs]).returncode == 7
    confined[-1] = "import time\n\nprint('up', flush=True)\ntime.sleep(99)"
    parent = (
        "import os, subprocess\n\n"
        f"subprocess.Popen({confined}, pass_fds=[{theirs}], stdout=subprocess.PIPE).stdout.readline()\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", parent], pass_fds=[theirs], check=True)
    os.close(theirs)
    assert os.read(pipe, 1) == b""  # comes when the last process that could write has ended
    os.close(pipe)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for source in ("1", "1 / 0", "import os\n\nos._exit(1)"):
        path = tmp_path / "x.ipynb"
        path.write_text(v4.writes(v4.new_notebook(cells=[v4.new_code_cell(source)])))
        with suppress(notebooks.NotebookError):
            notebooks.execute(path)
    assert list(tmp_path.iterdir()) == [path]
