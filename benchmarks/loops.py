"""The steps of the chapter loops_to_gemm, timed: forward, backward, and the machine's limits; float32, one thread.

    python benchmarks/loops.py                                   # prints
    python benchmarks/loops.py --json cnnlib/data/loops.json     # and stores what the chapter draws

Timed are the functions of the chapter itself, read out of book/loops_to_gemm.ipynb; the digest of their source is
stored, and a test fails once they have changed. Execute the chapter after a run.
"""

import one_thread  # noqa: F401, I001  (before NumPy)
import argparse
import ast
import hashlib
import json
from pathlib import Path

import numpy as np
import step

from cnnlib import Conv2d, Sequential

CHAPTER = Path(__file__).resolve().parents[1] / "book" / "loops_to_gemm.ipynb"
STEPS = "seven_loops", "window_by_window", "weight_by_weight", "tap_by_tap", "one_product"
HELPERS = "im2col", "col2im", "im2col_first"
SLOW = STEPS[:2]  # timed on one image only
IMAGES, KERNELS = (6, 12, 12), (16, 6, 5, 5)  # the second convolution of net1


def source(chapter=CHAPTER):
    """The chapter's functions, as text. ValueError where one is missing or defined twice."""
    cells = json.loads(Path(chapter).read_text(encoding="utf-8"))["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    wanted = [*STEPS, *(f"{name}_backward" for name in STEPS), *HELPERS]
    found = [
        (node.name, ast.get_source_segment(code, node))
        for code in codes
        for node in ast.parse(code).body
        if isinstance(node, ast.FunctionDef) and node.name in wanted
    ]
    if sorted(name for name, _ in found) != sorted(wanted):
        raise ValueError(f"{chapter} defines {[name for name, _ in found]}, want each once of {wanted}")
    return "\n\n\n".join(text for _, text in found)


def steppers(functions, N, names, images=IMAGES, kernels=KERNELS):
    """{way: {name: a function that does it once}}, on N images; AssertionError unless all results are equal."""
    rng = np.random.default_rng(0)
    layer = Conv2d(*kernels[1::-1], kernels[2:], bias=False, rng=0)
    Sequential(layer).astype(np.float32)
    W, x = layer.params["W"], rng.random((*images, N), dtype=np.float32)
    y = layer.forward(x)
    d = rng.standard_normal(y.shape, dtype=np.float32)
    dx = layer.backward(d)
    X = functions["im2col"](x, *kernels[2:])
    compared = {"forward": {}, "backward": {}}
    for name in names:
        forth, back = functions[name], functions[f"{name}_backward"]
        kept = {"X": X} if name == "one_product" else {}
        compared["forward"][name] = lambda forth=forth: forth(x, W)
        compared["backward"][name] = lambda back=back, kept=kept: back(x, W, d, **kept)
        results = forth(x, W), *back(x, W, d, **kept)
        for mine, wanted in zip(results, (y, dx, layer.grads["W"]), strict=True):
            np.testing.assert_allclose(mine, wanted, atol=1e-4 * np.abs(wanted).max(), rtol=0, err_msg=name)
    compared["forward"]["cnnlib"] = lambda: layer.forward(x)
    compared["backward"]["cnnlib"] = lambda: layer.backward(d)
    return compared


def medians(compared, rounds, digits=4):
    """Median milliseconds of each, run in turn."""
    return {name: round(float(np.median(ms)), digits) for name, ms in step.race(compared, rounds).items()}


def limits(rounds, square, memory_mb, images=IMAGES):
    """Rates of products (billions of multiplications in a second) and of copies (GB/s, read and written)."""
    rng = np.random.default_rng(0)
    (C, H, W), (M, _, KH, KW) = images, KERNELS
    row = (W - KW + 1) * step.BATCH
    sizes = {
        "square": (square,) * 3,
        "layer": (M, C * KH * KW, (H - KH + 1) * row),
        "strip": (M, KH * C * KW, row),
    }
    pairs = {
        name: (rng.random((m, k), np.float32), rng.random((k, n), np.float32))
        for name, (m, k, n) in sizes.items()
    }
    ms = medians({name: lambda A=A, B=B: A @ B for name, (A, B) in pairs.items()}, rounds, 5)
    gemm = {
        name: {"sizes": list(s), "rate": round(np.prod(s) / ms[name] / 1e6, 3)} for name, s in sizes.items()
    }
    arrays = {
        name: (np.ones(int(mb * 1e6) // 4, np.float32), np.zeros(int(mb * 1e6) // 4, np.float32))
        for name, mb in (("in cache", 0.25), ("in memory", memory_mb))
    }
    ms = medians({name: lambda a=a, b=b: np.copyto(b, a) for name, (a, b) in arrays.items()}, rounds, 5)
    copy = {
        name: {"mb": round(a.nbytes / 1e6, 2), "gb_s": round(2 * a.nbytes / ms[name] / 1e6, 2)}
        for name, (a, _) in arrays.items()
    }
    return gemm, copy


def gathering(functions, N, rounds, images=IMAGES):
    """Median milliseconds of im2col with examples last and with examples first; the numbers are the same."""
    x = np.random.default_rng(0).random((*images, N), dtype=np.float32)
    first = step.batch_first(x)
    compared = {
        "last": lambda: functions["im2col"](x, *KERNELS[2:]),
        "first": lambda: functions["im2col_first"](first, *KERNELS[2:]),
    }
    a, b = (function() for function in compared.values())
    np.testing.assert_array_equal(np.moveaxis(b.reshape(len(b), N, -1), 1, -1).reshape(a.shape), a)
    return medians(compared, rounds)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="store the results in this file")
    parser.add_argument("--rounds", type=int, default=100, help="timed runs of each")
    parser.add_argument("--slow-rounds", type=int, default=15, help="timed runs on one image")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64, 256, 1024])
    parser.add_argument("--memory-mb", type=int, default=128, help="an array that no cache holds")
    parser.add_argument("--square", type=int, default=1024, help="side of the matrices that show the peak")
    parser.add_argument("--side", type=int, default=IMAGES[1], help="of the images; the chapter wants 12")
    options = parser.parse_args(arguments)

    code, images = source(), (IMAGES[0], options.side, options.side)
    functions = {"np": np}
    exec(code, functions)
    results = {
        "code": hashlib.sha256(code.encode()).hexdigest(),
        "machine": step.machine(),
        "dtype": "float32",
    }
    results |= {"rounds": options.rounds, "slow_rounds": options.slow_rounds}
    results |= {"images": images, "kernels": KERNELS, "ms": {}, "step": {}}
    for N, names, rounds in (
        (1, STEPS, options.slow_rounds),
        (step.BATCH, [name for name in STEPS if name not in SLOW], options.rounds),
    ):
        compared = steppers(functions, N, names, images)
        results["ms"][str(N)] = {way: medians(run, rounds) for way, run in compared.items()}
        for way, ms in results["ms"][str(N)].items():
            print(f"{way}, N = {N}, ms:", "  ".join(f"{name}: {value}" for name, value in ms.items()))
    results["gemm"], results["copy"] = limits(options.rounds, options.square, options.memory_mb, images)
    results["im2col_ms"] = gathering(functions, step.BATCH, options.rounds, images)
    for name in step.NETS:
        result = step.summary(step.race(step.steppers(name), options.rounds))
        growth = step.growth(name, max(1, options.rounds // 8), options.batches, [])
        results["step"][name] = result | {"batch_ms": growth["batch_ms"]}
    for key in ("gemm", "copy", "im2col_ms", "step"):
        print(f"{key}: {json.dumps(results[key])}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
