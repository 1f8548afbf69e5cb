"""Makes the virtual environment `.venv` in the current folder where there is none, or where it was left half made.

The commands in README.md run this with whatever Python the machine has, before anything is installed.
"""

import os
import subprocess
import sys

OLDEST = (3, 11)
PROBE = "import sys, pip; print(*sys.version_info[:2])"


def version_in(folder):
    """(major, minor) of the Python in the environment `folder`; None where it is missing, or lacks pip or activate."""
    scripts, python = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    if not os.path.isfile(os.path.join(folder, scripts, "activate")):
        return None
    command = [os.path.join(folder, scripts, python), "-c", PROBE]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
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
        return subprocess.run([sys.executable, "-m", "venv", folder]).returncode
    if present < OLDEST:
        return f"This book needs {wanted}, and {folder} has {present[0]}.{present[1]}: delete {folder} and try again."
    return 0


if __name__ == "__main__":
    sys.exit(main())
