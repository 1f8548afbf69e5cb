"""What one waits for: `import cnnlib`, `datasets.digits()`, and a build of the book with and without JupyterLite.

    python benchmarks/startup.py                                           # prints
    python benchmarks/startup.py --json benchmarks/results/startup.json    # and stores
    python benchmarks/startup.py --builds 0                                # without the builds, which take a minute

Seconds on the clock, each time in a process of its own: medians and, behind them, minima. `import cnnlib` is timed after
NumPy's own import, which is timed beside it. A first run of each is not timed: it compiles, and brings the files into the
system's cache. The book is built into a temporary folder.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from functools import partial
from pathlib import Path

import timing

ROOT = Path(__file__).resolve().parents[1]
# {name: (what runs before, what is timed)}
TIMED = {
    "import numpy": ("", "import numpy"),
    "import cnnlib": ("import numpy", "import cnnlib"),
    "datasets.digits()": ("from cnnlib import datasets", "datasets.digits()"),
}
BUILDS = {"build with JupyterLite": "1", "build without JupyterLite": "0"}  # CNNLIB_LITE


def seconds(before, timed):
    """How long ``timed`` takes after ``before``, in a process of its own."""
    code = f"import time\n{before}\nstart = time.perf_counter()\n{timed}\nprint(time.perf_counter() - start)"
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=env
    )
    return float(done.stdout)


def build(lite):
    """How long `jupyter-book build .` takes, for a folder that has no build yet."""
    program = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
    if not program:
        raise SystemExit("jupyter-book is not installed in this environment; --builds 0 leaves it out")
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "build", "--path-output", folder, str(ROOT)]
        env = os.environ | {"CNNLIB_LITE": lite, "PYTHONUTF8": "1"}
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        taken = time.perf_counter() - start
        if done.returncode or not (Path(folder) / "_build" / "html" / "index.html").exists():
            raise SystemExit(f"jupyter-book could not build the book:\n{done.stdout}")
    return taken


def in_turn(runs, rounds):
    """The seconds of each, in turn, after one round that does not count; nothing for no rounds."""
    taken = [{name: run() for name, run in runs.items()} for _ in range(rounds + 1 if rounds else 0)]
    return {name: [times[name] for times in taken[1:]] for name in runs} if rounds else {}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="store the results in this file")
    parser.add_argument("--rounds", type=int, default=20, help="timed processes of each")
    parser.add_argument("--builds", type=int, default=3, help="timed builds of each kind")
    options = parser.parse_args(arguments)

    results = {"machine": timing.print_machine(), "rounds": options.rounds, "builds": options.builds}
    results |= {"median_s": {}, "min_s": {}}
    pieces = {name: partial(seconds, *codes) for name, codes in TIMED.items()}
    builds = {name: partial(build, lite) for name, lite in BUILDS.items()}
    for runs, rounds in ((pieces, options.rounds), (builds, options.builds)):
        for name, taken in in_turn(runs, rounds).items():
            median, least = (round(pick(taken), 4) for pick in (statistics.median, min))
            results["median_s"][name], results["min_s"][name] = median, least
            print(f"{name:28} {median:.4f} s ({least:.4f})")
    if options.json:
        timing.store(options.json, results)


if __name__ == "__main__":
    main()
