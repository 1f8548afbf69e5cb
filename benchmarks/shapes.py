"""Forward and backward of single layers of some fifty shapes, this checkout against another: ratios, interleaved.

    git worktree add ../before main~1
    python benchmarks/shapes.py --against ../before
    python benchmarks/shapes.py --against ../before --only Pool     # what has these letters in its line

A ratio below 1 means that this checkout is faster. Processor time of one thread, which other programs disturb less than
the clock on the wall: medians and, behind them, minima. `OPENBLAS_CORETYPE=Haswell` (or SkylakeX, Zen) before the
command takes another processor's kernels. Results must be equal to rounding. Both share a process and what its memory has been
told; `choices.py` has what that is worth.
"""

import threads  # noqa: F401, I001  (before NumPy)
import argparse
import importlib
import sys
import time
from pathlib import Path

import numpy as np
import timing

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
    *(
        (activation, (), {}, shape, dtype)
        for activation in ("ReLU", "Sigmoid")
        for shape in [(16, 28, 28, 64), (84, 64)]
        for dtype in ("float32", "float64")
    ),
]


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
    """A function that does forward and backward of one layer: (y, dx, its gradients by name)."""
    rng = np.random.default_rng(0)
    layer = getattr(cnnlib, kind)(*arguments, **options, **({"rng": 0} if kind == "Conv2d" else {}))
    layer.params.update({key: value.astype(dtype) for key, value in layer.params.items()})
    x = rng.standard_normal(shape).astype(dtype)
    delta = rng.standard_normal(layer.output_shape(shape)).astype(dtype)

    def both():
        y = layer.forward(x)
        return y, layer.backward(delta), dict(layer.grads)

    return both


def agree(case, results, wanted):
    """AssertionError unless both checkouts give the same y, dx and gradients, to rounding, in the same dtype."""
    y, dx, grads = results
    y_wanted, dx_wanted, grads_wanted = wanted
    assert grads.keys() == grads_wanted.keys(), case
    pairs = [(y, y_wanted), (dx, dx_wanted), *((grads[key], grads_wanted[key]) for key in grads)]
    digits = 1e-5 if case[-1] == "float32" else 1e-12
    for mine, other in pairs:
        assert mine.dtype == other.dtype == case[-1], case
        np.testing.assert_allclose(mine, other, rtol=0, atol=digits * np.abs(other).max(), err_msg=str(case))


def race(pair, seconds):
    """A summary of both, in turn, for about so long and five rounds at least."""
    start = time.perf_counter()
    times = timing.race(pair, 5, time.thread_time)
    while time.perf_counter() < start + seconds:
        for key, more in timing.race(pair, 2, time.thread_time).items():
            times[key] += more
    return timing.summary(times, "now", digits=4)


def line(kind, sizes, more, shape, dtype):
    """How a case is called."""
    arguments = [*map(str, sizes), *(f"{key}={value}" for key, value in more.items())]
    return f"{kind}({', '.join(arguments)}) of {shape}, {dtype}"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, required=True, help="the folder of another checkout")
    parser.add_argument("--seconds", type=float, default=1, help="how long each shape is timed")
    parser.add_argument("--only", default="", help="only shapes with this in their line")
    parser.add_argument("--json", type=Path, help="store the results in this file")
    options = parser.parse_args(arguments)
    results = {"machine": timing.print_machine(), "shapes": {}}
    there, here = library(options.against), library(ROOT)
    for case in CASES:
        called = line(*case)
        if options.only not in called:
            continue
        pair = {"now": passes(here, *case), "before": passes(there, *case)}
        agree(case, pair["now"](), pair["before"]())
        results["shapes"][called] = found = race(pair, options.seconds)
        ratio, least = found["ratio"]["before"], found["ratio_of_minima"]["before"]
        median = found["median_ms"]
        print(
            f"{called:72} {median['before']:9.4f} -> {median['now']:9.4f} ms  {ratio:.2f} ({least:.2f})",
            flush=True,
        )
    if not results["shapes"]:
        raise SystemExit(f"no shape has {options.only!r} in its line")
    ratios = np.array(
        [
            [found[key]["before"] for key in ("ratio", "ratio_of_minima")]
            for found in results["shapes"].values()
        ]
    )
    median, least = np.exp(np.log(ratios).mean(axis=0))
    slower = int((ratios > 1.05).all(axis=1).sum())
    print(
        f"{len(ratios)} shapes, geometric mean {median:.3f} ({least:.3f}); slower by more than 5 %: {slower}"
    )
    if options.json:
        timing.store(options.json, results)


if __name__ == "__main__":
    main()
