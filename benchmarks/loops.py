"""The steps of the chapter loops_to_gemm, timed: forward, backward, and the machine's limits; float32, one thread.

    python benchmarks/loops.py                                   # prints
    python benchmarks/loops.py --json cnnlib/data/loops.json     # and stores what the chapter draws

Timed are the functions of the chapter itself, read out of book/loops_to_gemm.ipynb; digests of their source and of
cnnlib's convolution are stored, and a test fails once one has changed. Execute the chapter after a run.
"""

import threads  # noqa: F401, I001  (before NumPy)
import argparse
import ast
import hashlib
import io
import json
import tokenize
from pathlib import Path

import floor
import numpy as np
import step
import timing
from others import batch_first

from cnnlib import Conv2d, Sequential

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "book" / "loops_to_gemm.ipynb"
LIBRARY = ROOT / "cnnlib" / "layers" / "convolution.py"
STEPS = "seven_loops", "window_by_window", "weight_by_weight", "tap_by_tap", "one_product"
HELPERS = "im2col", "col2im", "im2col_first"
SLOW = STEPS[:2]  # timed on one image only
WAYS, MANY = ("forward", "backward"), 1024  # images, for weight_by_weight
NETS, CONTENDERS = ("net1", "net2"), ("batch_first", *step.GROWTH)  # of step.py, those that the chapter shows
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


def bare(text):
    """Python code without docstrings, comments and blank lines."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = token.line[: token.start[1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def digests(library=LIBRARY):
    """Of the two codes that are timed: the chapter's functions and the library's convolution."""
    codes = {"code": source(), "cnnlib": bare(Path(library).read_text(encoding="utf-8"))}
    return {name: hashlib.sha256(code.encode()).hexdigest() for name, code in codes.items()}


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


def parts(functions, square, images=IMAGES, N=step.BATCH):
    """{name: a function}, {product: its sizes}: two im2col; the products of the layer, a strip, two squares."""
    rng, (M, _, KH, KW) = np.random.default_rng(0), KERNELS
    x = rng.random((*images, N), dtype=np.float32)
    first = batch_first(x)
    copies = {
        "im2col": lambda: functions["im2col"](x, KH, KW),
        "im2col_first": lambda: functions["im2col_first"](first, KH, KW),
    }
    X, other = (copy() for copy in copies.values())
    np.testing.assert_array_equal(np.moveaxis(other.reshape(len(X), N, -1), 1, -1).reshape(X.shape), X)
    W, S = rng.random((M, len(X)), np.float32), rng.random((square, square), np.float32)
    strip = X[:, : (images[2] - KW + 1) * N].copy()
    pairs = {"layer": (W, X), "strip": (W, strip), "square": (S, S.copy())}
    products = {name: lambda A=A, B=B: A @ B for name, (A, B) in pairs.items()}
    return copies | products, {name: [*A.shape, B.shape[1]] for name, (A, B) in pairs.items()}


def bandwidths(rounds, memory_mb):
    """GB/s of a copy, read and written, of arrays of two sizes."""
    sizes = {"in cache": 0.25, "in memory": memory_mb}
    return {
        name: {"mb": mb, "gb_s": round(floor.bandwidth(mb, rounds, np.median), 2)}
        for name, mb in sizes.items()
    }


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

    images, functions = (IMAGES[0], options.side, options.side), {"np": np}
    exec(source(), functions)
    results = digests() | {
        "machine": timing.machine(),
        "dtype": "float32",
        "images": images,
        "kernels": KERNELS,
    }
    results |= {"rounds": options.rounds, "slow_rounds": options.slow_rounds, "ms": {}, "min_ms": {}}
    others, results["sizes"] = parts(functions, options.square, images)
    for N, names, ways, rounds in (
        (1, STEPS, WAYS, options.slow_rounds),
        (step.BATCH, STEPS[len(SLOW) :], WAYS, options.rounds),
        (MANY, ["weight_by_weight"], WAYS[:1], options.slow_rounds),
    ):
        compared = steppers(functions, N, names, images)
        if N == step.BATCH:
            compared["forward"] |= others  # one race, so that parts and whole have met the same machine
        for way in ways:
            times = timing.race(compared[way], rounds)
            for kind, pick in (("ms", np.median), ("min_ms", np.min)):
                row = {name: round(float(pick(ms)), 4) for name, ms in times.items()}
                results[kind].setdefault(str(N), {})[way] = row
                print(
                    f"{way}, N = {N}, {kind}:", "  ".join(f"{name}: {value}" for name, value in row.items())
                )
    results["copy"], results["step"] = bandwidths(options.rounds, options.memory_mb), {}
    for name in NETS:
        result = timing.summary(timing.race(step.steppers(name, only=CONTENDERS), options.rounds))
        growth = step.growth(name, max(1, options.rounds // 8), options.batches, [], only=["cnnlib"])
        by_batch = {n: found["median_ms"]["cnnlib"] for n, found in growth["by_batch"].items()}
        results["step"][name] = result | {"batch_ms": by_batch}
    print(json.dumps({key: results[key] for key in ("copy", "step")}))
    if options.json:
        timing.store(options.json, results)


if __name__ == "__main__":
    main()
