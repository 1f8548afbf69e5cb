"""Peak memory of a process that trains at batch 64, above that of an interpreter with NumPy loaded.

    python benchmarks/memory.py                                          # prints
    python benchmarks/memory.py --json benchmarks/results/memory.json    # and stores

Each figure is `resource.getrusage(RUSAGE_SELF).ru_maxrss`, the largest resident size that the system
has seen, of a process of its own: one that only imports NumPy, and one for each network. Unix only: Windows
has no `resource`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

# On Linux a child's ru_maxrss starts at the size of its parent, so this script itself does not import NumPy.
PEAK = """
import resource, sys
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak if sys.platform == "darwin" else 1024 * peak)  # bytes on macOS, kilobytes elsewhere
"""
BASE = "import numpy" + PEAK
NET = """
import sys
sys.path.insert(0, {folder!r})
import step
run = step.stepper(step.network({name!r}), *step.images({name!r}, step.BATCH))
for _ in range({steps}):
    run()
"""


def peak(code):
    """Peak bytes of a process that runs this code."""
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="store the results in this file")
    parser.add_argument("--steps", type=int, default=5, help="training steps in each process")
    options = parser.parse_args(arguments)
    base = peak(BASE)
    print(f"interpreter with NumPy: {base / 1e6:.1f} MB")
    results = {"interpreter_with_numpy_mb": round(base / 1e6, 1), "steps": options.steps, "above_mb": {}}
    for name in ("net1", "net2"):
        code = NET.format(folder=str(Path(__file__).resolve().parent), name=name, steps=options.steps)
        results["above_mb"][name] = round((peak(code + PEAK) - base) / 1e6, 1)
        print(f"{name}: {results['above_mb'][name]:.1f} MB above it")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
