"""Where the cells of a notebook run, under pytest and under tools/notebooks.py alike: a kernel of this
interpreter in a folder of its own, which goes with it.

The kernel starts in an empty folder and imports a copy of cnnlib, so that a chapter needs no file of the
book, as in a reader's browser, and changes none. tools/guard.py refuses the rest of the world in a
sentence, on every system. Where Linux allows it, tools/confine.py takes that world away.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from traitlets import Unicode

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(__file__).resolve().parent
FIRST_LINES = ["__import__('guard').report_memory_errors(get_ipython())"]
MEGABYTES = 2048  # the largest chapter takes 700, and a browser has little more to give
SHOWN = 15_000_000  # characters: the gate would run out of memory over a loop that prints
# What the user's environment passes on: what no program starts without, and two ways to play another CPU.
PASSED = """
    COMSPEC DYLD_LIBRARY_PATH LD_LIBRARY_PATH PATH PATHEXT SYSTEMDRIVE SYSTEMROOT WINDIR
    NPY_DISABLE_CPU_FEATURES OPENBLAS_CORETYPE
""".split()
HOMES = "HOME IPYTHONDIR JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR MPLCONFIGDIR TEMP TMP TMPDIR USERPROFILE".split()
# Python imports this before anything else; after an error here it would go on, unguarded.
STARTUP = """
try:
    import guard

    guard.install(tree={tree!r}, own={own!r}, megabytes={megabytes})
except BaseException as error:
    import os, sys

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
    return [sys.executable, "-I", "-S", str(TOOLS / "confine.py"), str(folder), str(ROOT / "book")]


@functools.cache
def font_cache():
    """matplotlib's list of fonts, as the name and the bytes of its file. A kernel that makes one says so."""
    from matplotlib import font_manager

    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        path = Path(folder, f"fontlist-v{font_manager.FontManager.__version__}.json")
        font_manager.json_dump(font_manager.fontManager, path)
        return path.name, path.read_bytes()


def environment(home, library):
    """The environment variables of a kernel: no setting of the user can change an output, and no chapter can
    tell pytest from tools/notebooks.py."""
    import matplotlib

    passed = {name: os.environ[name] for name in PASSED if name in os.environ}
    return passed | {
        **dict.fromkeys(HOMES, str(home)),
        "MATPLOTLIBRC": os.path.join(matplotlib.get_data_path(), "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(library),
        "TZ": "UTC",
        "VECLIB_MAXIMUM_THREADS": "1",
    }


class ThisPython(KernelSpecManager):
    """The one kernel there is, whatever others are installed: this interpreter."""

    folder = Unicode()

    def get_kernel_spec(self, kernel_name):
        """Its spec, under any name."""
        # At a lower level it would warn that its ports, which are this machine's own, are not encrypted.
        kernel = ["-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        kernel += ["--HistoryManager.enabled=False", f"--InteractiveShellApp.exec_lines={FIRST_LINES}"]
        return KernelSpec(
            argv=[*([] if refused() else confined(self.folder)), sys.executable, *kernel],
            display_name="Python 3 (ipykernel)",
            language="python",
        )


@contextmanager
def sandbox(notebook):
    """A Sandbox for the notebook in the path `notebook`; its folder goes at the end."""
    with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as folder:
        folder = Path(folder).resolve()
        with open(folder / "stderr", "wb") as stderr:
            yield Sandbox(folder, Path(notebook).resolve().parent.name, stderr)


class Sandbox:
    """The folder of one kernel: `manager` makes what starts it, with the keywords `start`."""

    def __init__(self, folder, name, stderr):
        self.folder = folder
        work, home, library = folder / "work" / name, folder / "home", folder / "library"
        work.mkdir(parents=True)
        home.mkdir()
        font_file, fonts = font_cache()
        (home / font_file).write_bytes(fonts)
        half_written = shutil.ignore_patterns("*.pyc.*")
        shutil.copytree(ROOT / "cnnlib", library / "cnnlib", ignore=half_written)
        shutil.copy(TOOLS / "guard.py", library)
        (library / "sitecustomize.py").write_text(
            STARTUP.format(tree=str(ROOT), own=str(folder), megabytes=MEGABYTES), encoding="utf-8"
        )
        self.start = {"cwd": str(work), "env": environment(home, library), "stderr": stderr}

    def manager(self, kind):
        """A manager of the class `kind`."""
        # Messages go through files where they can: nothing else reaches a kernel without a network.
        files = {} if sys.platform == "win32" else {"transport": "ipc", "ip": str(self.folder / "k")}
        return kind(
            kernel_name="python3",
            kernel_spec_manager=ThisPython(folder=str(self.folder)),
            connection_file=str(self.folder / "connection.json"),
            **files,
        )

    def last_words(self):
        """What may tell why the kernel ended: its limits, and the end of what it wrote on stderr."""
        words = (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")[-2000:]
        return f"Its limits: {MEGABYTES} MB, and {SHOWN:,} characters of output. {words}".strip()
