"""Makes the virtual environment `.venv` in the current folder where there is none, and makes it anew where it does not work:
where it was left half made, was moved or copied with its folder, or has lost the Python that it was made of.

The commands in README.md run this with whatever Python the machine has, before anything is installed.
"""

import ast
import os
import re
import subprocess
import sys
import sysconfig

OLDEST, NEWEST = (3, 11), (3, 14)  # all of tools/constraints.txt has wheels for these; see ci.yml
# As sysconfig.get_platform() begins.
SYSTEMS = "linux-x86_64", "linux-aarch64", "macosx-", "win-amd64", "win-arm64"
GLIBC = (2, 28)  # of manylinux_2_28, which NumPy's wheels ask for
# What environments hold, of venv, uv or virtualenv and of what is installed in them; all else is somebody's own.
MADE = "pyvenv.cfg .gitignore bin lib lib64 include scripts etc share man src libs .lock cachedir.tag .ds_store".split()
HIDDEN = "PYTHONPATH is {0}, where something hides the packages of {1}: unset PYTHONPATH and try again."
MARK = "what make_venv asks: "  # a site's own files may print as well
PIP = "pip>=25"  # the one that comes with Python 3.11 takes twice the time over requirements.txt


def kind():
    """All that it depends on in this Python whether there are wheels for it."""
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, OSError, ValueError):
        libc = None
    return {
        "name": sys.implementation.name,
        "version": tuple(sys.version_info[:2]),
        "level": sys.version_info[3],
        "free": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "system": sysconfig.get_platform(),
        "libc": libc,
    }


def modern(libc):
    """Whether "glibc 2.36", say, is a C library that the wheels can use."""
    name, _, version = (libc or "").partition(" ")
    return name == "glibc" and tuple(int(part) for part in version.split(".")[:2]) >= GLIBC


def lack(python):
    """(what is wanted, what a Python of this kind is instead), as the words of a sentence; None where it is right."""
    version, system = python["version"], python["system"]
    said = "Python {}.{}".format(*version)
    if python["name"] != "cpython":
        return "CPython", python["name"]
    if not OLDEST <= version <= NEWEST:
        return "Python {}.{} to {}.{}".format(*OLDEST + NEWEST), said
    if python["level"] in ("alpha", "beta"):
        return "a Python that is released", "{} {}".format(python["level"], said)
    if python["free"]:
        return "a Python with its global lock", "a free-threaded " + said
    if python["bits"] != 64:
        return "a Python of 64 bits", "one of {} bits".format(python["bits"])
    if not system.startswith(SYSTEMS):
        return "Linux on x86_64 or aarch64, macOS or Windows", "for " + system
    if system.startswith("linux") and not modern(python["libc"]):
        return "a Linux with glibc {}.{} or later".format(*GLIBC), "for " + (
            python["libc"] or "another C library"
        )
    if system == "win-arm64" and version < (3, 12):
        return "Python 3.12 or later on Windows for ARM", said
    return None


def program(folder, name):
    """The path of a program in the environment `folder`."""
    return os.path.join(folder, *(("Scripts", name + ".exe") if os.name == "nt" else ("bin", name)))


def said_by(*command):
    """What a command prints; "" where it fails or cannot be run."""
    settings = dict(os.environ, PYTHONUTF8="1")  # or Windows cannot print every path
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=settings)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.decode("utf-8", "surrogateescape")


def kind_in(folder):
    """The kind of the Python in the environment `folder`. None where it is missing, where it lacks pip, where NumPy is
    there but was built for another machine, or where the `pip` that README.md's commands find installs elsewhere."""
    told = said_by(program(folder, "python"), "-I", os.path.abspath(__file__), "probe")
    told = re.search("^" + MARK + "(.*)$", told, re.MULTILINE)
    if not told:
        return None
    python, pip = ast.literal_eval(told.group(1))
    if os.name == "nt":
        answer = said_by(program(folder, "pip"), "--version")
    else:
        answer = said_by("sh", "-c", '. "$0" && pip --version', os.path.abspath(program(folder, "activate")))
    place = re.search(r"pip [0-9]\S* from (.*) \(python ", answer, re.DOTALL)
    works = place and os.path.exists(place.group(1)) and os.path.samefile(place.group(1), pip)
    return python if works else None


def hidden(folder):
    """The PYTHONPATH without which the environment `folder` works; "" where that is not to blame."""
    path = os.environ.pop("PYTHONPATH", "")
    try:
        return path if path and kind_in(folder) is not None else ""
    finally:
        if path:
            os.environ["PYTHONPATH"] = path


def probe():
    """What `kind_in` asks of an environment's own Python: its kind, and the folder of its pip."""
    import importlib.util

    import pip

    if importlib.util.find_spec("numpy"):
        importlib.import_module("numpy")
    return kind(), os.path.dirname(pip.__file__)


def main(folder=".venv", here=None):
    """The exit status: that of `python -m venv`, 0 where nothing is to do, or a sentence on what is in the way."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        return f"{folder} is in the way, and no folder: delete it and try again."
    there = kind_in(folder)
    if there is not None:
        wrong = lack(there)
        if wrong is None:
            return 0
        return "This book needs {0}, and {2} has {1}: delete {2} and try again.".format(*wrong, folder)
    if hidden(folder):
        return HIDDEN.format(os.environ["PYTHONPATH"], folder)
    wrong = lack(here or kind())
    if wrong is not None:
        return "This book needs {0}, and {2} is {1}.".format(*wrong, sys.executable)
    clear = os.path.isfile(os.path.join(folder, "pyvenv.cfg"))  # else it may hold what nobody can make again
    strange = sorted(name for name in os.listdir(folder) if name.lower() not in MADE) if clear else []
    if strange:
        return "{0} does not work here, but to make it anew deletes {1}: move that out of {0} and try again.".format(
            folder, ", ".join(strange[:5])
        )
    if clear:
        print(f"{folder} does not work here: it is made anew.", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", *["--clear"] * clear, folder]).returncode
    if made != 0:
        return made
    # Any pip will do, so it is no error where a newer one cannot be had.
    newer = [program(folder, "python"), "-m", "pip", "install", "--quiet", PIP]
    subprocess.run(newer, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if kind_in(folder) is None:
        if hidden(folder):
            return HIDDEN.format(os.environ["PYTHONPATH"], folder)
        return f"{folder} does not work where it is: has {os.path.abspath(folder)} a character that a shell minds?"
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["probe"]:
        print("\n" + MARK + repr(probe()))
    else:
        sys.exit(main())
