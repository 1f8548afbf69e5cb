"""The steps of the chapter loops_to_gemm, timed: forward, backward, and the machine's limits; float32, one thread.

    python benchmarks/loops.py                                   # prints
    python benchmarks/loops.py --json cnnlib/data/loops.json     # and stores what the chapter draws
    python benchmarks/loops.py --processor-time                  # on a machine that other programs keep busy

Timed are the functions of the chapter itself, read out of book/loops_to_gemm.ipynb; digests of their source and of
cnnlib's convolution are stored, and a test fails once one has changed. Of each the shortest time, the median and the
time below which nine of ten lie are stored. Then a step of the book's LeNet, by contender and by batch, and what bounds
it: the peak, computed and measured, the caches, and the bandwidths. Execute the chapter after a run.
"""

import threads  # noqa: F401, I001  (before NumPy)
import argparse
import ast
import hashlib
import json
import time
from pathlib import Path

import floor
import numpy as np
import step
import timing
from others import batch_first

from cnnlib import Conv2d, Dense, Flatten, MaxPool2d, Sequential, Sigmoid
from cnnlib.layers import convolution

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = ROOT / "book" / "loops_to_gemm.ipynb"
LIBRARY = ROOT / "cnnlib" / "layers" / "convolution.py"
STEPS = "seven_loops", "window_by_window", "weight_by_weight", "tap_by_tap", "one_product"
HELPERS = "im2col", "col2im", "im2col_first"
SLOW = STEPS[:2]  # timed on one image only
WAYS = "forward", "backward"
CONTENDERS = "batch_first", *step.GROWTH  # of step.py, those that the chapter shows
IMAGES, KERNELS = (6, 12, 12), (16, 6, 5, 5)  # the second convolution of the book's LeNet
CACHE_MB = 0.25  # an array that the second cache holds, with its copy, on most machines


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


class Bare(ast.NodeTransformer):
    """Takes away what does not run: docstrings and type hints."""

    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) else node

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node):
        return node.value and ast.copy_location(ast.Assign([node.target], node.value), node)


def bare(text):
    """Python code without docstrings, comments, blank lines and type hints, nor the imports that only hints use."""
    tree = Bare().visit(ast.parse(text))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name) in used]
    tree.body = [node for node in tree.body if getattr(node, "names", True)]
    return ast.unparse(tree)


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
    """{name: a function}, {product: its sizes}: three ways to copy; the products of the layer, whole and as the library
    makes them, of one strip, and of two squares."""
    rng, (M, _, KH, KW) = np.random.default_rng(0), KERNELS
    x = rng.random((*images, N), dtype=np.float32)
    first = batch_first(x)
    layer = Conv2d(*KERNELS[1::-1], KERNELS[2:], bias=False, rng=0)
    Sequential(layer).astype(np.float32)
    copies = {
        "im2col": lambda: functions["im2col"](x, KH, KW),
        "im2col_first": lambda: functions["im2col_first"](first, KH, KW),
        "unroll": lambda: layer.unroll(x),
    }
    X, other, rows = (copy() for copy in copies.values())
    np.testing.assert_array_equal(np.moveaxis(other.reshape(len(X), N, -1), 1, -1).reshape(X.shape), X)
    strips, W, S = layer.strips(rows), layer.matrix(), rng.random((square, square), np.float32)
    y = np.empty((M, len(strips), rows.shape[-1]), np.float32)

    def pieces():
        for i, strip in enumerate(strips):
            convolution.product(W, strip, out=y[:, i])

    pieces()
    np.testing.assert_allclose(y.reshape(M, -1), layer.params["W"].reshape(M, -1) @ X, rtol=1e-4, atol=1e-4)
    pairs = {"layer": (W, X), "strip": (W, strips[0].copy()), "square": (S, S.copy())}
    sizes = {name: [*A.shape, B.shape[1]] for name, (A, B) in pairs.items()}
    outs = {name: np.empty((m, n), np.float32) for name, (m, _, n) in sizes.items()}
    products = {name: lambda A=A, B=B, z=outs[name]: np.matmul(A, B, out=z) for name, (A, B) in pairs.items()}
    return copies | {"strips": pieces} | products, sizes


def spread(ms, digits=4):
    """[the shortest, the median, the one below which nine of ten lie] of the times."""
    return [round(float(value), digits) for value in (np.min(ms), np.median(ms), np.quantile(ms, 0.9))]


def chain(rounds, clock, lengths=(1000, 8000), repeats=50):
    """Nanoseconds of one multiplication in a row of which each waits for the one before: a known number of the clock's
    cycles. The difference of two lengths, so that a call by itself does not count."""
    arrays = {n: np.ones(n) for n in lengths}
    calls = {
        n: lambda a=a: [np.multiply.reduce(a) for _ in range(repeats)] and None for n, a in arrays.items()
    }
    times = timing.race(calls, rounds, clock)
    short, long = (min(times[n]) / repeats for n in lengths)
    return round(1e6 * (long - short) / (lengths[1] - lengths[0]), 4)


def generation():
    """{"cpu family": ..., "model": ...}, which tell the generation of an x86 processor, where Linux says so."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    known = {key.strip(): value.strip() for key, value in pairs}
    return {key: int(known[key]) for key in ("cpu family", "model") if known.get(key, "").isdigit()}


def caches():
    """{"L1": kilobytes, ...} of the data caches of the first core, where Linux says so."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found[f"L{level}"] = int(size.removesuffix("K"))
    return found


def bandwidths(rounds, memory_mb, clock):
    """GB/s of a copy, read and written, of arrays that a cache holds and that none holds: of the shortest time."""
    found = {}
    for name, mb in (("cache", CACHE_MB), ("memory", memory_mb)):
        a, repeats = np.ones(int(mb * 1e6) // floor.BYTES, np.float32), max(1, int(8 / mb))
        b = np.zeros_like(a)
        copies = {name: lambda a=a, b=b, n=repeats: [np.copyto(b, a) for _ in range(n)] and None}
        (times,) = timing.race(copies, rounds, clock).values()
        found[name] = {"mb": mb, "gb_s": round(2 * a.nbytes * repeats / min(times) / 1e6, 2)}
    return found


def lenet():
    """The book's LeNet, of the chapter ``lenet``, in float32."""
    return Sequential(
        *(Conv2d(1, 6, 5, rng=0), Sigmoid(), MaxPool2d(2)),
        *(Conv2d(6, 16, 5, rng=1), Sigmoid(), MaxPool2d(2), Flatten()),
        *(Dense(256, 120, rng=2), Sigmoid(), Dense(120, 10, rng=3)),
    ).astype(np.float32)


def steps(options, clock, limits):
    """A training step of the book's LeNet: against others, its floor, and by batch."""
    net, (x, t) = lenet(), step.images("net1", step.BATCH)
    times = timing.race(step.contenders(net, x, t, CONTENDERS), options.rounds, clock)
    found = timing.summary(times, digits=3)
    found |= {"ms": {name: spread(ms) for name, ms in times.items()}, "batch_ms": {}}
    found["floor"] = floor.floor(net, x.shape, limits, found)
    for n in options.batches:
        compared = step.contenders(lenet(), *step.images("net1", n), ["cnnlib"])
        rounds = options.rounds if n <= step.BATCH else max(1, options.rounds // 4)
        found["batch_ms"][str(n)] = spread(timing.race(compared, rounds, clock)["cnnlib"])
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="store the results in this file")
    parser.add_argument("--rounds", type=int, default=100, help="timed runs of each")
    parser.add_argument("--slow-rounds", type=int, default=15, help="timed runs on one image")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64, 256, 1000])
    parser.add_argument("--memory-mb", type=int, default=128, help="an array that no cache holds")
    parser.add_argument("--square", type=int, default=1024, help="side of the matrices that show the peak")
    parser.add_argument("--side", type=int, default=IMAGES[1], help="of the images; the chapter wants 12")
    parser.add_argument(
        "--lanes", type=int, default=16, help="float32 numbers that one instruction multiplies"
    )
    parser.add_argument("--per-cycle", type=int, default=1, help="such instructions a cycle")
    parser.add_argument(
        "--latency", type=int, default=3, help="cycles until a product can be multiplied again"
    )
    parser.add_argument(
        "--processor-time", action="store_true", help="of the process, not of the clock on the wall"
    )
    options = parser.parse_args(arguments)

    images, functions = (IMAGES[0], options.side, options.side), {"np": np}
    exec(source(), functions)
    clock = time.process_time if options.processor_time else time.perf_counter
    results = digests() | {
        "machine": timing.machine(),
        "clock": clock.__name__,
        "dtype": "float32",
        "images": images,
        "kernels": KERNELS,
    }
    results |= {"rounds": options.rounds, "slow_rounds": options.slow_rounds, "ms": {}}
    others, results["sizes"] = parts(functions, options.square, images)
    for N, names, rounds in (
        (1, STEPS, options.slow_rounds),
        (step.BATCH, STEPS[len(SLOW) :], options.rounds),
    ):
        compared = steppers(functions, N, names, images)
        if N == step.BATCH:
            compared["forward"] |= others  # one race, so that parts and whole have met the same machine
        for way in WAYS:
            times = timing.race(compared[way], rounds, clock)
            row = {name: spread(ms) for name, ms in times.items()}
            results["ms"].setdefault(str(N), {})[way] = row
            print(f"{way}, N = {N}, ms:", "  ".join(f"{name}: {value}" for name, value in row.items()))
    square = results["ms"][str(step.BATCH)]["forward"]["square"][0]
    results["hardware"] = generation() | {
        "caches_kb": caches(),
        "lanes": options.lanes,
        "per_cycle": options.per_cycle,
        "latency": options.latency,
        "chain_ns": chain(options.rounds, clock),
    }
    results["copy"] = bandwidths(max(1, options.rounds // 4), options.memory_mb, clock)
    limits = {
        "peak_gmul_s": options.square**3 / square / 1e6,
        "bandwidth_gb_s": results["copy"]["memory"]["gb_s"],
    }
    results["step"] = steps(options, clock, limits)
    print(json.dumps({key: results[key] for key in ("hardware", "copy", "step")}))
    if options.json:
        timing.store(options.json, results)


if __name__ == "__main__":
    main()
