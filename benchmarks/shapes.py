"""Forward and backward of single layers of forty shapes, this checkout against another: ratios, interleaved.

    git worktree add /tmp/before main~1
    python benchmarks/shapes.py --against /tmp/before

A ratio below 1 means that this checkout is faster. Processor time of one thread, which other programs disturb less than
the clock on the wall: medians and, behind them, minima. `OPENBLAS_CORETYPE=Haswell` (or SkylakeX, Zen) before the
command takes another processor's kernels.
"""

import one_thread  # noqa: F401, I001  (before NumPy)
import argparse
import importlib
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
# (layer, its arguments, shape of x). The dtype is float32 but for the ones marked.
CONVOLUTIONS = [
    ((1, 6, 5), {}, (1, 28, 28, 64)),
    ((6, 16, 5), {}, (6, 12, 12, 64)),
    ((3, 16, 5), {}, (3, 32, 32, 64)),
    ((16, 32, 5), {}, (16, 14, 14, 64)),
    ((6, 16, 5), {}, (6, 12, 12, 16)),
    ((6, 16, 5), {}, (6, 12, 12, 256)),
    ((16, 32, 5), {}, (16, 14, 14, 16)),
    ((16, 32, 5), {}, (16, 14, 14, 256)),
    ((16, 16, 3), {"padding": 1}, (16, 16, 16, 64)),
    ((64, 64, 3), {"padding": 1}, (64, 8, 8, 64)),
    ((128, 128, 3), {"padding": 1}, (128, 8, 8, 16)),
    ((8, 8, 1), {}, (8, 16, 16, 64)),
    ((64, 32, 1), {}, (64, 8, 8, 64)),
    ((1, 1, 3), {}, (1, 28, 28, 64)),
    ((1, 1, 1), {}, (1, 28, 28, 64)),
    ((1, 8, 3), {"stride": 2}, (1, 29, 29, 64)),
    ((8, 16, 3), {"stride": 2, "padding": 1}, (8, 28, 28, 64)),
    ((8, 16, 5), {"stride": (3, 2), "padding": (0, 2)}, (8, 23, 29, 64)),
    ((3, 8, 7), {"stride": 2, "padding": 3}, (3, 32, 32, 64)),
    ((4, 5, (3, 2)), {"stride": (1, 2)}, (4, 19, 17, 37)),
    ((2, 3, (1, 7)), {}, (2, 13, 31, 50)),
    ((2, 3, (7, 1)), {}, (2, 31, 13, 50)),
    ((3, 4, 3), {}, (3, 9, 9, 7)),
    ((3, 4, 3), {}, (3, 9, 9, 1)),
    ((16, 32, 5), {}, (16, 14, 14, 1)),
    ((6, 16, 5), {}, (6, 12, 12, 1)),
    ((8, 8, 8), {}, (8, 8, 8, 64)),
    ((3, 16, 11), {"stride": 4}, (3, 64, 64, 16)),
]
POOLS = [
    ((2,), {}, (6, 24, 24, 64)),
    ((2,), {}, (16, 28, 28, 64)),
    ((2,), {}, (16, 28, 28, 1)),
    ((3,), {"stride": 2}, (8, 27, 27, 64)),
    ((3,), {"stride": 2, "padding": 1}, (8, 28, 28, 64)),
    ((3,), {}, (8, 28, 28, 64)),
    ((2,), {"stride": 3}, (8, 28, 28, 64)),
]
CASES = [
    *(("Conv2d", *case, "float32") for case in CONVOLUTIONS),
    *(("Conv2d", *case, "float64") for case in CONVOLUTIONS[:4]),
    *(("MaxPool2d", *case, "float32") for case in POOLS),
    ("MaxPool2d", *POOLS[0], "float64"),
    *(("ReLU", (), {}, shape, dtype) for shape in [(16, 28, 28, 64), (84, 64)] for dtype in ("float32", "float64")),
    *(("Sigmoid", (), {}, shape, dtype) for shape in [(16, 28, 28, 64), (84, 64)] for dtype in ("float32", "float64")),
]  # fmt: skip


def library(folder):
    """cnnlib as it is in this checkout."""
    for name in [name for name in sys.modules if name.split(".")[0] == "cnnlib"]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        found = importlib.import_module("cnnlib")
    finally:
        del sys.path[0]
    if Path(found.__file__).resolve().parents[1] != Path(folder).resolve():
        raise SystemExit(f"{folder} has no cnnlib, found {found.__file__}")
    return found


def passes(cnnlib, kind, arguments, options, shape, dtype):
    """A function that does forward and backward of one layer."""
    rng = np.random.default_rng(0)
    layer = getattr(cnnlib, kind)(*arguments, **options, **({"rng": 0} if kind == "Conv2d" else {}))
    layer.params.update({key: value.astype(dtype) for key, value in layer.params.items()})
    x = rng.standard_normal(shape).astype(dtype)
    delta = rng.standard_normal(layer.output_shape(shape)).astype(dtype)

    def both():
        layer.forward(x)
        return layer.backward(delta)

    return both


def race(pair, seconds):
    """Milliseconds of both, in turn, for about so long."""
    times = [[], []]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for function, taken in zip(pair, times):
            function()  # brings its own arrays back into the cache
            start = time.thread_time()
            function()
            taken.append(1000 * (time.thread_time() - start))
    return times


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, required=True, help="the folder of another checkout")
    parser.add_argument("--seconds", type=float, default=1, help="how long each shape is timed")
    options = parser.parse_args(arguments)
    there, here = library(options.against), library(ROOT)
    ratios = []
    for case in CASES:
        before, now = pair = [passes(cnnlib, *case) for cnnlib in (there, here)]
        np.testing.assert_allclose(now(), before(), rtol=1e-4, atol=1e-4)
        old, new = race(pair, options.seconds)
        ratios.append((np.median(new) / np.median(old), min(new) / min(old)))
        kind, sizes, more, shape, dtype = case
        called = f"{kind}{(*sizes, *(f'{key}={value}' for key, value in more.items()))} {shape} {dtype}"
        print(
            f"{called:78} {np.median(old):8.3f} {np.median(new):8.3f} ms  {ratios[-1][0]:.2f} ({ratios[-1][1]:.2f})"
        )
    slower = sum(median > 1.05 and least > 1.05 for median, least in ratios)
    print(
        f"{len(CASES)} shapes, geometric mean {np.exp(np.log(ratios).mean(axis=0)).round(3).tolist()}; slower by more than 5 %: {slower}"
    )


if __name__ == "__main__":
    main()
