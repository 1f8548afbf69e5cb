"""A training step of the chapter batch_averaging's LeNet, by the size of the batch; float32, one thread.

    python benchmarks/batch_size.py                                        # prints
    python benchmarks/batch_size.py --json cnnlib/data/batch_times.json    # and stores what the chapter draws

The network is the chapter's own, read out of book/batch_averaging.ipynb; a batch is cut out of 4,000 digits, as in training.
The sizes take turns, and each number is of so many steps: the least, the quartiles, the median. The clock is the processor time of the
process, which other programs disturb less. Execute the chapter after a run.
"""

import threads  # noqa: F401, I001  (before NumPy)
import argparse
import ast
import json
import time
from pathlib import Path

import numpy as np
import timing

import cnnlib
from cnnlib import SGD, SoftmaxCrossEntropy, datasets, training

CHAPTER = Path(__file__).resolve().parents[1] / "book" / "batch_averaging.ipynb"
SIZES = 4, 16, 64, 256, 1000


def lenet():
    """The chapter's function of that name."""
    cells = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
    codes = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    (found,) = [node for code in codes for node in code.body if getattr(node, "name", None) == "lenet"]
    world = dict(vars(cnnlib))
    exec(compile(ast.Module([found], []), CHAPTER, "exec"), world)
    return world["lenet"]


def stepper(network, x, t):
    """A function that does one step, as short as can be, so that the network stays what it is."""
    loss, optimizer = SoftmaxCrossEntropy(), SGD(network, 1e-6)
    return lambda: training.step(network, loss, optimizer, x, t)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="store the results in this file")
    parser.add_argument("--rounds", type=int, default=200, help="timed steps of each size")
    options = parser.parse_args(arguments)

    x, t, _, _ = datasets.digits()
    x, t, make = x[..., :4000].astype(np.float32), t[:4000], lenet()
    networks = {size: make(np.random.default_rng(0)).astype(np.float32) for size in SIZES}
    compared = {size: stepper(networks[size], x[..., :size], t[:size]) for size in SIZES}
    times = timing.race(compared, options.rounds, time.process_time)
    picks = {"min": 0, "lower quartile": 25, "median": 50, "upper quartile": 75}
    ms = {
        str(size): {name: round(float(np.percentile(each, at)), 4) for name, at in picks.items()}
        for size, each in times.items()
    }
    for size, each in ms.items():
        print(f"{size:>5} images a step: {each} ms")
    if options.json:
        how = {"dtype": "float32", "clock": "process_time", "rounds": options.rounds}
        found = {"machine": timing.machine()} | how | {"ms": ms}
        timing.store(options.json, found)


if __name__ == "__main__":
    main()
