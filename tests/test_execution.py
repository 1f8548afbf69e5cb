"""The tool and pytest run a notebook in one way and give one verdict: the tool stores nothing of what pytest would refuse,
and both name the cell and the reason. Each case is tried with both."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import execution
import notebooks
import pytest
import rules
import sandbox
from nbformat import v4
from test_pytest_plugin import run_pytest
from test_sandbox import make_project

LATE = "import threading\nimport time\n\n\ndef f():\n    time.sleep({})\n    print('late')\n\n\n"
# {case: (the sources of its cells, {test of pytest that fails: words that both say)}. Of what `structure` refuses there is
# more in test_rules.py.
REFUSED = {
    "an_unknown_escape": (
        ["x = '$\\sigma$'"],
        {"structure": r"line 1, x = '$\sigma$': invalid escape sequence '\s': write r before the quotes"},
    ),
    "a_module_of_the_tests": (
        ["import nbformat"],
        {"structure": "imports nbformat, which the browser's Python does not"},
    ),
    "a_module_unseen": (
        [
            "exec('import zmq')",
            "import importlib",
            "importlib.import_module('pytest')",
            "__import__('tornado.web')",
            "exec('import pytest', {})",
            "importlib.__import__('pytest')",
            "import pkgutil\n\npkgutil.resolve_name('pytest.raises')",
        ],
        {
            "Cell 0": "No module named 'zmq' in the browser's Python",
            "Cell 2": "No module named 'pytest' in the browser's Python",
            "Cell 3": "No module named 'tornado.web' in the browser's Python",
            **{f"Cell {k}": "No module named 'pytest' in the browser's Python" for k in (4, 5, 6)},
        },
    ),
    "a_widget": (
        ["import ipywidgets", "ipywidgets.IntSlider(3)", "display(ipywidgets.HBox([ipywidgets.HTML('3')]))"],
        {
            "Cell 1": "output 1: a widget, which needs a kernel; use show.Frames: IntSlider(value=3)",
            "Cell 2": "output 1: a widget, which needs a kernel; use show.Frames: HBox(children",
        },
    ),
    "exit": (["x = 1", "exit()", "x"], {"Cell 1": "The cell asks for ask_exit, as exit() does."}),
    "hard_exit": (["import os", "os._exit(0)", "x = 1"], {"Cell 1": "The kernel died."}),
    "a_stopped_loop": (
        ["import asyncio", "asyncio.get_running_loop().stop()", "x = 1"],
        {"Cell 1": "The kernel died."},
    ),
    "what_asyncio_does_later": (
        [
            "import asyncio\n\n\nasync def f():\n    await asyncio.sleep(0.2)\n    print('late')",
            "t = asyncio.create_task(f())",
            "_ = asyncio.get_running_loop().call_later(0.3, print, 'later')",
        ],
        {"frames": "code cell 3 shows something after its end: later"},
    ),
    "a_task_without_end": (
        ["import asyncio\n\n\nasync def f():\n    await asyncio.sleep(99)", "t = asyncio.create_task(f())"],
        {"frames": "asyncio has not done after 3 seconds:"},
    ),
    "a_thread_unseen": (
        [LATE.format(99), "import _thread\n\n_ = _thread.start_new_thread(f, ())", "x = 2"],
        {"Cell 1": "leaves running what may show or end something later: the thread Thread-"},
    ),
    "a_thread_without_end": (
        ["x = 1", LATE.format(99) + "threading.Thread(target=f, daemon=True, name='slow').start()", "x = 2"],
        {"Cell 1": "leaves running what may show or end something later: the thread slow."},
    ),
}
if sys.platform != "win32":
    REFUSED |= {
        "an_alarm": (
            ["import signal", "_ = signal.setitimer(signal.ITIMER_VIRTUAL, 99)", "x = 1"],
            {"Cell 1": "leaves running what may show or end something later: an alarm."},
        ),
        "a_signal": (
            ["import os, signal", "os.kill(os.getpid(), signal.SIGKILL)", "x = 1"],
            {"Cell 1": "The kernel died."},
        ),
    }
if sys.platform == "linux":
    REFUSED["the_machine"] = (
        ["_ = open('/proc/cpuinfo').read()", "exec('open(\"/etc/passwd\")', {'__name__': 'psutil'})"],
        {
            "Cell 0": "may not read what differs from machine to machine: /proc/cpuinfo",
            "Cell 1": "may not read what differs from machine to machine: /etc/passwd",
        },
    )
# The cells of one notebook: each shows something that is otherwise where pytest runs it.
SURROUNDINGS = {
    "hash seed": "print({'convolution', 'pooling', 'softmax', 'dense', 'flatten'})",
    "hash": "print(hash('convolution') % 1000)",
    "locale": "import locale\n\nprint(locale.getpreferredencoding(False))",
    "time zone": "import datetime\n\nprint(datetime.datetime.fromtimestamp(0).hour)",
    "threads": "import os\n\nprint(os.environ['OPENBLAS_NUM_THREADS'])",
    "width": "import shutil\n\nprint(shutil.get_terminal_size().columns)",
    "folder": "from pathlib import Path\n\nprint(Path.cwd().name)",
    "day": "import time\n\nprint(int(time.time() // 86_400))",
    "path": "import os\n\nprint(os.environ['PATH'][-1])",
}
PASSED = {
    "sound": [
        "from concurrent.futures import ThreadPoolExecutor",
        "with ThreadPoolExecutor(2) as pool:\n    print(*pool.map(abs, [-1, 2]))",
        LATE.format(0.3) + "threading.Thread(target=f).start()\nprint('early')",
        "print('between')\nthreading.Timer(0.1, display, ['late']).start()",
        "import asyncio",
        "await asyncio.sleep(0.01)\nprint(1)",
        "print(await asyncio.to_thread(abs, -3))",  # in a thread that waits for more
        "pool = ThreadPoolExecutor(2)\nprint(*pool.map(abs, [-1, 2]))",
        "import importlib\n\n_ = importlib.import_module('.display', package='IPython')",
        "from collections import namedtuple\n\nnamedtuple('Box', 'x')(1)",  # also the name of a widget
        "print(r'$\\sigma$', '\\\\s')",
    ],
}


def stored(*cells):
    """The bytes of a notebook of these cells."""
    return notebooks.serialise(notebooks.normalise(v4.new_notebook(cells=list(cells))))


def first_run(sources):
    """Code cells with the outputs of the tool's first run, which the tool itself compares with a second."""
    with execution.Execution("book/x.ipynb", sandbox.STORED) as kernel:
        return [v4.new_code_cell(source, outputs=kernel.run(source)) for source in sources]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a chapter for each case."""
    root = tmp_path_factory.mktemp("project")
    refused = {case: sources for case, (sources, _) in REFUSED.items()}
    make_project(root, refused | PASSED | {"surroundings": ["1"]})
    (root / "book/surroundings.ipynb").write_bytes(stored(*first_run(SURROUNDINGS.values())))
    return root


@pytest.fixture(scope="module")
def told(project):
    """What the tool says of each chapter, which it leaves as it is, or stores where there is nothing to say."""

    def tell(path):
        before = path.read_bytes()
        try:
            (notebooks.execute if path.stem in REFUSED else notebooks.run)(path)
        except notebooks.NotebookError as error:
            assert path.read_bytes() == before
            return str(error)
        return ""

    paths = list((project / "book").glob("*.ipynb"))
    with ThreadPoolExecutor(4) as pool:  # half of the time they wait: for threads, for kernels that have died
        return {path.stem: said for path, said in zip(paths, pool.map(tell, paths), strict=True)}


@pytest.fixture(scope="module")
def judged(project, told):
    """What pytest says of all chapters after that: (text, outcomes)."""
    _, text, outcomes = run_pytest(project, "-n0")
    return text, outcomes


@pytest.mark.parametrize("case", REFUSED)
def test_both_refuse_with_the_same_words(case, told, judged):
    sources, wanted = REFUSED[case]
    (first, words), text, outcomes = next(iter(wanted.items())), judged[0], judged[1][case]
    label = {"structure": "code cell", "frames": "after the last cell"}.get(first)
    assert words in told[case] and (label or f"code cell {int(first[5:]) + 1}") in told[case], told[case]
    failed = {name for name, outcome in outcomes.items() if outcome == "FAILED"}
    assert failed == {*wanted} or first == "structure" in failed, text
    for test, words in wanted.items():
        heading = f"{case}.ipynb::{f'Cell {len(sources)}' if test == 'frames' else test} _"
        part = text.split(heading)[1].split("\n____")[0]
        assert words in part, part


@pytest.mark.parametrize("case", PASSED)
def test_both_take_what_is_sound(case, told, judged):
    assert told[case] == ""
    assert {*judged[1][case].values()} == {"PASSED"}, judged[0]


def test_what_a_thread_shows_late_is_its_cells(project, told):
    """Where it is not too late: the cell is over when its threads are."""
    _, _, printing, displaying, *_ = rules.read(project / "book/sound.ipynb").cells
    assert [output.text for output in printing.outputs] == ["early\nlate\n"]
    assert [output.get("text") for output in displaying.outputs] == ["between\n", None]


def test_no_output_depends_on_the_surroundings(told, judged):
    assert "with another hash seed, locale, time zone" in told["surroundings"]
    outcomes = dict(judged[1]["surroundings"])
    assert outcomes.pop("structure") == outcomes.pop("frames") == "PASSED"
    for number, (what, outcome) in enumerate(zip(SURROUNDINGS, outcomes.values(), strict=True), 1):
        assert f"code cell {number}: output 1, text" in told["surroundings"], what
        assert outcome == "FAILED", what


def test_a_kernel_needs_a_folder_with_a_short_name(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(sandbox.tempfile, "tempdir", str(long))
    if sys.platform == "win32":
        assert sandbox.folder() == str(long)
        return
    with execution.Execution("x.ipynb", sandbox.STORED) as kernel:
        assert [output.text for output in kernel.run("print(1)")] == ["1\n"]
    monkeypatch.setattr(sandbox.os, "access", lambda *_: False)
    path = tmp_path / "x.ipynb"
    path.write_bytes(stored(v4.new_code_cell("1")))
    with pytest.raises(notebooks.NotebookError) as refused:
        notebooks.execute(path)
    assert "x.ipynb, before the first cell: the sockets of a kernel need a folder" in str(refused.value)
    assert f"at most 75 bytes and no {os.pathsep!r}: set TMPDIR to one, instead of {long}" in str(
        refused.value
    )
