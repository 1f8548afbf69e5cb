"""Makes the virtual environment `.venv` in the current folder where there is none, or where it was left half made.

The commands in README.md run this with whatever Python the machine has, before anything is installed.
"""

import os
import subprocess
import sys

OLDEST = (3, 11)
PROBE = "import sys, pip; print(*sys.version_info[:2])"
PIP = "pip>=25"  # the one that comes with Python 3.11 takes twice the time over requirements.txt


def python_in(folder):
    """The path of the Python in the environment `folder`."""
    return os.path.join(folder, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def version_in(folder):
    """(major, minor) of the Python in the environment `folder`; None where it is missing, or lacks pip or activate."""
    python = python_in(folder)
    if not os.path.isfile(os.path.join(os.path.dirname(python), "activate")):
        return None
    try:
        done = subprocess.run([python, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    return None if done.returncode else tuple(int(part) for part in done.stdout.split())


def main(folder=".venv", version=sys.version_info[:2]):
    """The exit status: that of `python -m venv`, 0 where nothing is to do, or a sentence on which Python is too old."""
    present = version_in(folder)
    wanted = "Python {}.{} or later".format(*OLDEST)
    if present is None and version < OLDEST:
        return f"This book needs {wanted}, and {sys.executable} is Python {version[0]}.{version[1]}."
    if present is None:
        made = subprocess.run([sys.executable, "-m", "venv", folder]).returncode
        if made == 0:  # any pip will do, so it is no error where a newer one cannot be had
            command = [python_in(folder), "-m", "pip", "install", "--quiet", PIP]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return made
    if present < OLDEST:
        return f"This book needs {wanted}, and {folder} has {present[0]}.{present[1]}: delete {folder} and try again."
    return 0


if __name__ == "__main__":
    sys.exit(main())
