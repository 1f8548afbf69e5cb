"""Each choice of cnnlib/layers beside the other way, alone: processor time, interleaved, float32, one thread.

    python benchmarks/choices.py                                           # prints
    python benchmarks/choices.py products ReLU                             # only what has one of these words in its name
    python benchmarks/choices.py --json benchmarks/results/choices.json    # and stores

Of each choice the library's way stands first; a ratio below 1 means that it is faster. Results must be equal. The
processor time of the thread, which other programs disturb less than the clock on the wall. `OPENBLAS_CORETYPE=Haswell`
(or SkylakeX, Zen) before the command takes the kernels for another processor.

"product in pieces" is what the limits of cnnlib/layers/convolution.py stand on: MULTIPLICATIONS on the one with the second
convolution's sizes, by columns of a piece, RESULTS on that of dW, by results. "page faults" are those of a training
step in a process that has not freed a large block, as cnnlib does when it is imported, and after it has.
"""

import threads  # noqa: F401, I001  (before NumPy)
import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import step
import timing

from cnnlib import Conv2d, MaxPool2d, ReLU, Sigmoid
from cnnlib.layers import convolution

# A process without the block that cnnlib frees when it is imported; then with one.
FAULTS = """
import json, resource, sys, time
from unittest import mock
sys.path.insert(0, {folder!r})
import numpy as np
with mock.patch("numpy.empty"):
    import cnnlib
import step
run, found = step.stepper(step.network({name!r}), *step.images({name!r}, {batch})), {{}}
for when in ("as the system does it", "after a block was freed"):
    if found:
        np.empty(31 * 2**20, np.uint8)
    for _ in range(5):
        run()
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.thread_time()
    for _ in range({rounds}):
        run()
    taken = time.thread_time() - start
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    found[when] = {{"faults": faults / {rounds}, "ms": round(1000 * taken / {rounds}, 3)}}
print(json.dumps(found))
"""


def numbers(*shape):
    """Normal float32 numbers of this shape, the same in each call."""
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def convolutions():
    """(name, layer, shape of its input) of the four convolutions of net 1 and net 2."""
    for net in ("net1", "net2"):
        shape, network = step.images(net, step.BATCH)[0].shape, step.network(net)
        for layer in network.layers:
            if isinstance(layer, Conv2d):
                yield f"{net} {layer.in_channels}->{layer.out_channels}", layer, shape
            shape = layer.output_shape(shape)


def whole(A, B, out):
    """The product that ``convolution.product`` cuts into pieces."""
    np.matmul(A, B, out=out)


def by_columns(A, B, n):
    """A @ B, n columns at a time, as ``convolution.product`` does it with its own n."""
    out = np.empty((len(A), B.shape[1]), A.dtype)
    np.matmul(A, convolution.cut(B, n), out=convolution.cut(out, n))
    return out


def stacked(strip, d, n):
    """strip @ d.T as a stack of products that are yet to be added, each of n columns of both."""
    return convolution.cut(strip, n) @ convolution.cut(d, n).swapaxes(1, 2)


def products(name, layer, shape):
    """The products of a convolution, in pieces as in the library and whole: forward, dW, dx (of inner rows)."""
    rows, W = layer.unroll(numbers(*shape)), layer.matrix()
    strips, KH, columns = layer.strips(rows), layer.kernel[0], rows.shape[-1]
    delta = numbers(len(strips), len(W), columns)
    turned = np.ascontiguousarray(W.reshape(len(W), KH, -1).T[:, ::-1]).reshape(-1, KH * len(W))
    seen = [delta[i : i + KH].reshape(-1, columns) for i in range(len(delta) - KH + 1)]

    def through(multiply, A, parts):
        out = np.empty((len(parts), len(A), columns), np.float32)
        for B, row in zip(parts, out):
            multiply(A, B, out=row)
        return out

    def weights(multiply):
        return sum(multiply(strip, d) for strip, d in zip(strips, delta))

    n = convolution.width(W.size, columns) if W.size <= convolution.RESULTS else columns
    for what, A, parts in (("forward", W, strips), ("dx", turned, seen)):
        yield (
            f"products, {name}, {what}",
            {
                "in pieces": lambda A=A, parts=parts: through(convolution.product, A, parts),
                "whole": lambda A=A, parts=parts: through(whole, A, parts),
            },
        )

    def library():
        return weights(convolution.product_transposed)

    def narrow(A, B):
        return stacked(A, B, convolution.width(W.size, columns)).sum(axis=0)

    if n < columns:
        yield f"products, {name}, dW", {"in pieces": library, "whole": lambda: weights(lambda A, B: A @ B.T)}
    else:  # not cut: what cutting would give
        yield f"products, {name}, dW", {"whole": library, "in pieces": lambda: weights(narrow)}


def pieces():
    """One product in pieces of several widths, by what a piece multiplies; dW in pieces, by how many results it has."""
    columns = 640
    for M, K in ((16, 150), (32, 400)):  # the second convolutions
        A, B, ways = numbers(M, K), numbers(K, columns), {}
        library = convolution.width(A.size, columns)
        for n in (library, *(n for n in (32, 40, 64, 80, 128, 160, 320, 640) if n != library)):
            ways[f"{n} columns, {M * K * n / 1e6:.2f} million"] = lambda A=A, B=B, n=n: by_columns(A, B, n)
        yield f"product in pieces, ({M}, {K}) @ ({K}, {columns})", ways
    columns = 1792  # of the first convolution of net 2, whose dW is cut
    for C_out, inner in ((16, 40), (16, 75), (16, 100), (16, 150), (32, 150), (32, 400)):
        strip, d, results = numbers(inner, columns), numbers(C_out, columns), C_out * inner
        n = convolution.width(results, columns)
        ways = {
            f"{columns // n} of {n} columns": lambda s=strip, d=d, n=n: stacked(s, d, n).sum(axis=0),
            "whole": lambda s=strip, d=d: s @ d.T,
        }
        yield f"product in pieces, dW of {results} results", ways


def elements():
    """Element-wise passes and sums, on what the first convolutions give."""
    for net, C, side in (("net1", 6, 24), ("net2", 16, 28)):
        x, delta = numbers(C, side, side, step.BATCH), numbers(C, side, side, step.BATCH)[::-1]
        yield (
            f"ReLU, {net}",
            {"np.clip": lambda x=x: np.clip(x, 0, np.inf), "np.maximum": lambda x=x: np.maximum(x, 0)},
        )
        yield f"ReLU's mask, {net}", masks(x, np.ascontiguousarray(delta))
        rows = delta.reshape(C, side, -1).swapaxes(0, 1)
        yield (
            f"sum for the bias, {net}",
            {
                "np.einsum": lambda rows=rows: np.einsum("ion->o", rows),
                "sum": lambda rows=rows: rows.sum(axis=(0, 2)),
            },
        )
        yield (
            f"sigmoid, {net}",
            {"1 / (1 + e^-x)": lambda x=x: Sigmoid().forward(x), "by sign": lambda x=x: two_sided(x)},
        )
        yield f"max pooling, {net}", pooling(x)


def masks(x, delta, layers=6):
    """Several ReLUs forward, then backward, so that the first y has left the cache: the mask found again, or kept."""
    xs = [x + np.float32(i) for i in range(layers)]

    def found_again():
        relus = [ReLU() for _ in xs]
        for relu, z in zip(relus, xs):
            relu.forward(z)
        return [relu.backward(delta) for relu in relus[::-1]][-1]

    def kept():
        ys = [np.clip(z, 0, np.inf) for z in xs]
        return [delta * mask for mask in [y > 0 for y in ys][::-1]][-1]

    return {"found again": found_again, "kept": kept}


def two_sided(x):
    """The sigmoid as e^x / (1 + e^x) where x < 0, so that no exponential overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def pooling(x):
    """The forward pass of MaxPool2d(2), as it is and with views of the taps in the place of copies."""
    layer = MaxPool2d(2)

    def with_views():
        first, *others = layer.taps(layer.pad(x, -np.inf))
        y, wins = first.copy(), []
        for seen in others:
            wins.append(seen > y)
            np.maximum(y, seen, out=y)
        return layer.keep(y, x.shape, x.shape, y, wins)

    return {"copies of the taps": lambda: layer.forward(x), "views of the taps": with_views}


def choices():
    """(name, {way: a function}) of every choice; the library's way is the first."""
    for case in convolutions():
        yield from products(*case)
    yield from pieces()
    yield from elements()


def decide(name, ways, rounds):
    """The summary of a race, the library's way first; AssertionError unless all ways give the same."""
    results = {way: np.asarray(function()) for way, function in ways.items()}
    first, *others = results
    for other in others:
        wanted = results[first]
        np.testing.assert_allclose(
            results[other], wanted, atol=1e-5 * np.abs(wanted).max(), rtol=1e-4, err_msg=f"{name}: {other}"
        )
    return timing.summary(timing.race(ways, rounds, time.thread_time), first, digits=4)


def page_faults(name, batch, rounds):
    """Page faults and milliseconds of a step, before and after a large block was freed, in a process of its own."""
    code = FAULTS.format(folder=str(Path(__file__).parent), name=name, batch=batch, rounds=rounds)
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only choices with one of these in their names")
    parser.add_argument("--json", type=Path, help="store the results in this file")
    parser.add_argument("--rounds", type=int, default=200, help="timed runs of each way")
    options = parser.parse_args(arguments)

    def wanted(name):
        return not options.words or any(word in name for word in options.words)

    results = {"machine": timing.print_machine(), "rounds": options.rounds, "choices": {}, "page faults": {}}
    for name, ways in choices():
        if wanted(name):
            results["choices"][name] = found = decide(name, ways, options.rounds)
            print(name)
            for way, ms in found["median_ms"].items():
                line = f"    {way:30} {ms:9.4f} ms ({found['min_ms'][way]:.4f})"
                if way in found["ratio"]:
                    line += f"   {found['ratio'][way]:.2f} ({found['ratio_of_minima'][way]:.2f})"
                print(line, flush=True)
    for name, batch in (("net1", 16), ("net1", 64), ("net2", 64)):
        called = f"page faults, {name}, batch {batch}"
        if wanted(called) and sys.platform != "win32":  # where there is no resource.getrusage
            results["page faults"][called] = found = page_faults(name, batch, options.rounds)
            print(called)
            for when, what in found.items():
                print(f"    {when:30} {what['ms']:9.4f} ms, {what['faults']:.1f} faults a step", flush=True)
    if options.json:
        timing.store(options.json, results)


if __name__ == "__main__":
    main()
