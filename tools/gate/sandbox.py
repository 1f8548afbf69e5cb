"""Where the cells of a notebook run: a kernel of this interpreter in a folder of its own, which goes with it.

The kernel starts in an empty folder and imports a copy of cnnlib, so that a chapter needs no file of the
book, as in a reader's browser, and changes none; nor can it change the copy. tools/gate/guard.py refuses the rest of
the world in a sentence, on every system. Where Linux allows it, tools/gate/confine.py takes that world away.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import rules
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from traitlets import Unicode

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
MEGABYTES = 2048  # the largest chapter takes 700, and a browser has little more to give
LONGEST = 75  # bytes: of 103, which every system lets a socket's name have, this folder's own part takes 26
SHOWN = 15_000_000  # characters: the gate would run out of memory over a loop that prints
# What the user's environment passes on: what no program starts without, and two ways to play another CPU.
PASSED = """
    COMSPEC DYLD_LIBRARY_PATH LD_LIBRARY_PATH PATH PATHEXT SYSTEMDRIVE SYSTEMROOT WINDIR
    NPY_DISABLE_CPU_FEATURES OPENBLAS_CORETYPE
""".split()
NUMBERS_OF_THREADS = "MKL_NUM_THREADS OMP_NUM_THREADS OPENBLAS_NUM_THREADS VECLIB_MAXIMUM_THREADS".split()
HOMES = "HOME IPYTHONDIR JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR MPLCONFIGDIR TEMP TMP TMPDIR USERPROFILE".split()
# Python imports this before anything else; after an error here it would go on, unguarded. IPython loads it as
# an extension before the first cell, and then no cell can import what a reader has not.
STARTUP = """
import sys


def load_ipython_extension(shell):
    del sys.modules["guard"], sys.modules["sitecustomize"]
    guard.prepare(shell, {shown}, {importable}, {days})


try:
    import guard

    guard.install(tree={tree!r}, box={box!r}, own={own!r}, megabytes={megabytes})
    sys.path.remove({start!r})
except BaseException as error:
    import os

    sys.stderr.write(f"no guard, so no kernel: {{error!r}}")
    sys.stderr.flush()
    os._exit(1)
"""


@functools.cache
def refused():
    """Why this system gives a kernel no namespaces of its own; empty where it does."""
    if sys.platform != "linux":
        return f"{sys.platform} has none"
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        command = [*confined(folder), sys.executable, "-S", "-c", ""]
        tried = subprocess.run(command, capture_output=True, text=True)
    return "".join(tried.stderr.splitlines()[-1:]) or "no reason given" if tried.returncode else ""


def confined(folder):
    """The command that starts the one after it in namespaces, where it can write in `folder` only."""
    return [sys.executable, "-I", "-S", str(HERE / "confine.py"), str(folder), str(ROOT / "book")]


@functools.cache
def font_cache():
    """matplotlib's list of fonts, as the name and the bytes of its file. A kernel that makes one says so."""
    from matplotlib import font_manager

    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        path = Path(folder, f"fontlist-v{font_manager.FontManager.__version__}.json")
        font_manager.json_dump(font_manager.fontManager, path)
        return path.name, path.read_bytes()


# Readers' computers differ in these, so no output may depend on them. The first are those of the run that is stored; it is
# compared with a run in the second; pytest, which runs what is stored once more, has the third.
FOLDERS = "{parent}", "elsewhere/lecture", "in/another/folder"
WIDTHS = "80", "133", "61"
THREADS = "2", "1", "1"  # one is quicker for pytest, which runs several notebooks at a time
ZONES = "UTC", "XYZ-13:45", "XYZ+9:30"
DAYS = 0, 401, 802  # ahead: another year, month and day of the week
PLAIN = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
LOCALES = {"LC_ALL": "C.UTF-8"}, PLAIN, PLAIN
STORED, OTHER, PYTEST = range(3)


def environment(home, surroundings, *imported):
    """The environment variables of a kernel in the surroundings of this number: no setting of the user can change an
    output."""
    import matplotlib

    passed = {name: os.environ[name] for name in PASSED if name in os.environ}
    return passed | {
        **dict.fromkeys(HOMES, str(home)),
        "MATPLOTLIBRC": os.path.join(matplotlib.get_data_path(), "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        **dict.fromkeys(NUMBERS_OF_THREADS, THREADS[surroundings]),
        **LOCALES[surroundings],
        "COLUMNS": WIDTHS[surroundings],
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PATH": os.pathsep.join([*filter(None, [passed.get("PATH")]), f"/nothing/{surroundings}"]),
        "PYTHONHASHSEED": str(surroundings),
        "PYTHONPATH": os.pathsep.join(map(str, imported)),
        "TZ": ZONES[surroundings],
    }


class ThisPython(KernelSpecManager):
    """The one kernel there is, whatever others are installed: this interpreter."""

    folder = Unicode()

    def get_kernel_spec(self, kernel_name):
        """Its spec, under any name."""
        # At a lower level it would warn that its ports, which are this machine's own, are not encrypted.
        kernel = ["-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        kernel += ["--HistoryManager.enabled=False", "--InteractiveShellApp.extensions=['sitecustomize']"]
        return KernelSpec(
            argv=[*([] if refused() else confined(self.folder)), sys.executable, *kernel],
            display_name="Python 3 (ipykernel)",
            language="python",
        )


def folder():
    """The folder in which that of a kernel is made: the system's for such, or another where the name of that one is too
    long for sockets, or has a colon. NotADirectoryError where there is none."""
    tried = [tempfile.gettempdir(), "/tmp", "/var/tmp"]
    for path in map(os.path.realpath, tried):
        if (
            sys.platform == "win32"
            or len(os.fsencode(path)) <= LONGEST
            and os.pathsep not in path  # which parts the folders of PYTHONPATH
            and os.access(path, os.W_OK | os.X_OK)
        ):
            return path
    raise NotADirectoryError(
        f"the sockets of a kernel need a folder to write in with a name of at most {LONGEST} bytes and no {os.pathsep!r}: set TMPDIR to one, instead "
        f"of {tried[0]}"
    )


@contextmanager
def sandbox(notebook, surroundings=STORED):
    """A Sandbox for the notebook in the path `notebook`, in the surroundings of this number; its folder goes at the end."""
    with tempfile.TemporaryDirectory(prefix="notebook-", dir=folder(), ignore_cleanup_errors=True) as path:
        with open(os.path.join(path, "stderr"), "wb") as stderr:
            yield Sandbox(Path(path), Path(notebook).resolve().parent.name, surroundings, stderr)


class Sandbox:
    """The folder of one kernel: `manager` makes what starts it, with the keywords `start`. The kernel can write
    in its part `own` only, not on the library or on what guards it."""

    def __init__(self, folder, name, surroundings, stderr):
        self.folder, self.own = folder, folder / "own"
        work, home = self.own / "work" / FOLDERS[surroundings].format(parent=name), self.own / "home"
        library, start = folder / "library", folder / "start"
        work.mkdir(parents=True)
        home.mkdir()
        start.mkdir()
        font_file, fonts = font_cache()
        (home / font_file).write_bytes(fonts)
        half_written = shutil.ignore_patterns("*.pyc.*")
        shutil.copytree(ROOT / "cnnlib", library / "cnnlib", ignore=half_written)
        shutil.copy(HERE / "guard.py", start)
        places = {"tree": str(ROOT), "box": str(folder), "own": str(self.own), "start": str(start)}
        limits = {"megabytes": MEGABYTES, "shown": SHOWN, "importable": sorted(rules.IMPORTABLE)}
        limits["days"] = DAYS[surroundings]
        (start / "sitecustomize.py").write_text(STARTUP.format(**places, **limits), encoding="utf-8")
        self.start = {
            "cwd": str(work),
            "env": environment(home, surroundings, library, start),
            "stderr": stderr,
        }

    def manager(self, kind):
        """A manager of the class `kind`."""
        # Messages go through files where they can: nothing else reaches a kernel without a network.
        files = {} if sys.platform == "win32" else {"transport": "ipc", "ip": str(self.own / "k")}
        return kind(
            kernel_name="python3",
            kernel_spec_manager=ThisPython(folder=str(self.own)),
            connection_file=str(self.own / "connection.json"),
            **files,
        )

    def last_words(self):
        """What may tell why the kernel ended: its limits, and the end of what it wrote on stderr."""
        with open(self.folder / "stderr", "rb") as stderr:
            stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - 2000))
            words = stderr.read().decode("utf-8", errors="replace")
        return f"Its limits: {MEGABYTES} MB, and {SHOWN:,} characters of output. {words}".strip()
