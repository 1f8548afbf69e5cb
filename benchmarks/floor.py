"""The floor of a training step: the time of its products at this machine's peak, and of its bytes at its bandwidth.

The products: every multiplication of a convolution or a dense layer, forward, for dW and for dx, at the rate of the fastest
product of large square matrices. The bytes: each layer's input, its output and their deltas once, the parameters
and their gradients once, at the rate of a copy of an array that no cache holds. Flatten moves nothing, and nothing
is computed for the first layer's input.

No step that takes its layers one after the other through memory can be faster than the sum of the two, unless it moves its
bytes while it multiplies. What stays in a cache costs less than such a byte; the two parts are stored apart.
"""

from math import prod

import numpy as np
import timing

from cnnlib import Conv2d, Dense, Flatten

BYTES = 4  # of a float32


def work(net, shape):
    """(multiplications, bytes) of one step of the network on images of this shape (C, H, W, N)."""
    multiplications = numbers = 0
    for i, layer in enumerate(net.layers):
        into, shape = shape, layer.output_shape(shape)
        if isinstance(layer, (Conv2d, Dense)):
            W = layer.params["W"]
            outputs = prod(shape) // len(W)  # of one row of W: positions and examples
            multiplications += W.size * outputs * (3 if i else 2)
        if not isinstance(layer, Flatten):
            numbers += 2 * prod(shape) + prod(into) * (2 if i else 1)
        numbers += 2 * sum(value.size for value in layer.params.values())
    return multiplications, BYTES * numbers


def peak(squares, rounds):
    """10^9 multiplications, each with an addition, a second: the best of products of square matrices of these sides."""
    rng, rates = np.random.default_rng(0), []
    for n in squares:
        A, B, out = rng.random((3, n, n), dtype=np.float32)
        (times,) = timing.race({n: lambda A=A, B=B, out=out: np.matmul(A, B, out=out)}, rounds).values()
        rates.append(n**3 / min(times) / 1e6)
    return max(rates)


def bandwidth(megabytes, rounds, pick=np.min):
    """10^9 bytes a second of a copy of an array so large, read and written: of the shortest time, or what is picked."""
    a = np.ones(int(megabytes * 1e6) // BYTES, np.float32)
    b = np.zeros_like(a)
    (times,) = timing.race({"copy": lambda: np.copyto(b, a)}, rounds).values()
    return 2 * a.nbytes / float(pick(times)) / 1e6


def limits(squares, megabytes, rounds):
    """What this machine can do, measured now."""
    return {
        "peak_gmul_s": round(peak(squares, rounds), 2),
        "bandwidth_gb_s": round(bandwidth(megabytes, rounds), 2),
        "squares": list(squares),
        "copied_mb": megabytes,
    }


def floor(net, shape, limits, result):
    """The floor of one step under these limits, and how many times as long each of a race's ``result`` takes."""
    multiplications, moved = work(net, shape)
    parts = multiplications / limits["peak_gmul_s"] / 1e6, moved / limits["bandwidth_gb_s"] / 1e6
    return {
        "multiplications": multiplications,
        "bytes": moved,
        "products_ms": round(parts[0], 3),
        "bytes_ms": round(parts[1], 3),
        "ms": round(sum(parts), 3),
        "times": {name: round(ms / sum(parts), 2) for name, ms in result["median_ms"].items()},
        "times_of_minima": {name: round(ms / sum(parts), 2) for name, ms in result["min_ms"].items()},
    }
