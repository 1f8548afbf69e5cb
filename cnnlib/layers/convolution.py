"""Convolutional layers: a window that slides, the same weights at every position.

How ``Conv2d`` goes from images to products of matrices, with the function that takes each step::

    x       (C, H, W, N)
      | pad
    images  (C, H + 2 ph, W + 2 pw, N)
      | places: a view for each column v of the kernel, of all that this column meets
    KW of   (H + 2 ph, C, OW, N)
      | unroll: copied beside one another
    rows    (H + 2 ph, C KW, OW N)
      | strips: a view for each row i of outputs, of the KH rows that its windows see
    OH of   (KH C KW, OW N)
      | matrix() @ strip, (C_out, KH C KW) @ (KH C KW, OW N), some columns at a time
    y[:, i] (C_out, OW N)

and back, for each row h of the images::

    seen    (m C_out, OW N)   delta, in the m rows of outputs whose windows saw row h
      | taps @ seen, (C KW, m C_out) @ (m C_out, OW N), the taps with the kernel's rows in reverse
    drows   (H + 2 ph, C KW, OW N), of which this is drows[h]
      | roll: each number added where unroll read it
    dx      (C, H, W, N)

Where the stride is smaller than KH, neighbouring strips share rows: as views. An im2col along both axes would copy them.
"""

from functools import cache
from math import prod

import numpy as np

from .base import Array, Init, Layer, Seed, Shape, Size, whole

# OpenBLAS copies the factors of a product first; its kernels for AVX-512 do not where the product has at most so many
# multiplications, and, if it is one of A @ B.T, at most so many results. (benchmarks/choices.py)
MULTIPLICATIONS, RESULTS = 100**3, 1200


@cache
def width(size: int, columns: int) -> int:
    """How many of these columns one product takes, each of ``size`` multiplications: the most that divide all.

    All columns, where the best divisor is below 32.
    """
    sizes = range(min(MULTIPLICATIONS // max(size, 1), columns), 31, -1)
    return next((n for n in sizes if columns % n == 0), columns)


def cut(matrix: Array, n: int) -> Array:
    """A matrix (K, G n) as a stack of G matrices (G, K, n), side by side: a view."""
    return matrix.reshape(len(matrix), matrix.shape[1] // n, n).swapaxes(0, 1)


def product(A: Array, B: Array, out: Array) -> None:
    """out = A @ B, some columns of B at a time where that saves copies."""
    n = width(A.size, B.shape[1])
    if n < B.shape[1]:
        B, out = cut(B, n), cut(out, n)
    np.matmul(A, B, out=out)


def product_transposed(A: Array, B: Array) -> Array:
    """A @ B.T, as a sum over some columns of both at a time where that saves copies."""
    results = len(A) * len(B)
    n = width(results, A.shape[1]) if results <= RESULTS else A.shape[1]
    if n < A.shape[1]:
        return (cut(A, n) @ cut(B, n).swapaxes(1, 2)).sum(axis=0)
    return A @ B.T


class Window(Layer):
    """What convolution and pooling share: a window's kernel, stride and padding, on one axis or on two.

    The computation is that of two axes; a 1-D layer is the 2-D one with H = 1. ``kernel``, ``stride`` and
    ``padding`` are the pairs (vertical, horizontal).
    """

    axes = "HW"

    def __init__(self, kernel_size: Size, stride: Size, padding: Size):
        super().__init__()
        self.kernel = self.pair("kernel_size", kernel_size, 1)
        self.stride = self.pair("stride", stride, 1)
        self.padding = self.pair("padding", padding, 0)

    def pair(self, name: str, value: Size, least: int) -> Shape:
        """An int or a sequence with one int per axis, as (vertical, horizontal)."""
        n = len(self.axes)
        sizes = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value,) * n
        who = f"{type(self).__name__}, {name}={value!r}"
        if len(sizes) != n:
            raise ValueError(f"{who}: want {n} of them, or one int")
        sizes = tuple(whole(who, name, size, least) for size in sizes)
        return sizes if n == 2 else (1 if least else 0, *sizes)

    def window_shape(self, input_shape: Shape, channels: int | str) -> Shape:
        """(C, H, W, N) -> (OH, OW), (C, L, N) -> (OL,): (size + 2 padding - kernel) // stride + 1 (Q16)."""
        _, *sizes, _ = self.expect(input_shape, channels, *self.axes, "N")
        padded = [size + 2 * pad for size, pad in zip([1, *sizes][-2:], self.padding)]
        if any(size < kernel for size, kernel in zip(padded, self.kernel)):
            padded = padded[-len(sizes) :]
            raise ValueError(
                f"{self}: got shape {tuple(input_shape)}, padded to {padded}, smaller than the kernel"
            )
        return self.grid(padded)[-len(sizes) :]

    def sizes(self, default_stride: Shape) -> str:
        """Kernel, stride and padding as in the call, the last two where they are not the default."""
        shown = {"stride": (self.stride, default_stride), "padding": (self.padding, (0, 0))}
        rest = "".join(
            f", {name}={self.short(got)}" for name, (got, default) in shown.items() if got != default
        )
        return self.short(self.kernel) + rest

    def short(self, pair: Shape) -> str:
        """A pair as an int where one int says the same."""
        pair = pair[-len(self.axes) :]
        return str(pair[0] if len(set(pair)) == 1 else pair)

    def pad(self, x: Array, value: float = 0.0) -> Array:
        """x as images (C, H, W, N), with a border of ``value``."""
        x = x.reshape(len(x), -1, *x.shape[-2:])
        if not any(self.padding):
            return x
        (ph, pw), (C, H, W, N) = self.padding, x.shape
        padded = np.full((C, H + 2 * ph, W + 2 * pw, N), value, x.dtype)
        padded[:, ph : ph + H, pw : pw + W] = x
        return padded

    def unpad(self, padded: Array) -> Array:
        """What ``pad`` framed."""
        ph, pw = self.padding
        return padded[:, ph : padded.shape[1] - ph, pw : padded.shape[2] - pw]

    def grid(self, padded: Shape | list[int]) -> Shape:
        """(OH, OW): how many windows fit into images of these padded sizes (H, W) (Q16)."""
        return tuple((size - k) // s + 1 for size, k, s in zip(padded, self.kernel, self.stride))


class Conv2d(Window):
    """Cross-correlation with learned kernels, as Q and PyTorch compute it (Q15, Q16)::

        y[o, i, j, n] = b[o] + sum over c, u, v of W[o, c, u, v] x[c, s i + u - p, s j + v - p, n]

    x (C_in, H, W, N) -> y (C_out, OH, OW, N); W (C_out, C_in, KH, KW), b (C_out,); stride s, zero padding p.
    ``kernel_size``, ``stride`` and ``padding`` are an int or a pair; sizes floor. ``init``: "he", "xavier" or
    a standard deviation; ``rng``: a Generator, a seed, or None. ValueError for sizes that are no whole numbers, or too
    small.

    >>> layer = Conv2d(1, 8, 5, stride=2, rng=0)
    >>> y = layer.forward(np.ones((1, 28, 28, 10)))
    >>> y.shape, layer.params["W"].shape
    ((8, 12, 12, 10), (8, 1, 5, 5))
    >>> layer.backward(np.ones(y.shape)).shape, layer.grads["b"][0]
    ((1, 28, 28, 10), np.float64(1440.0))
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size,
        *, stride: Size = 1, padding: Size = 0, bias: bool = True, init: Init = "he", rng: Seed = None,
    ):  # fmt: skip
        super().__init__(kernel_size, stride, padding)
        self.in_channels = whole(type(self).__name__, "in_channels", in_channels, 1)
        self.out_channels = whole(type(self).__name__, "out_channels", out_channels, 1)
        kernel = self.kernel[-len(self.axes) :]
        shape = self.out_channels, self.in_channels, *kernel
        self.learn(shape, self.in_channels * prod(kernel), self.out_channels * prod(kernel), bias, init, rng)

    def output_shape(self, input_shape: Shape) -> Shape:
        """(C_in, H, W, N) -> (C_out, OH, OW, N); (C_in, L, N) -> (C_out, OL, N) in 1-D."""
        return self.out_channels, *self.window_shape(input_shape, self.in_channels), input_shape[-1]

    def forward(self, x: Array) -> Array:
        """A row of outputs at a time: ``y_i = W strip_i + b``. A strip holds the windows of a row as columns."""
        shape = self.check(x)
        rows, W = self.unroll(x), self.matrix()
        strips = self.strips(rows)
        y = np.empty((len(W), len(strips), rows.shape[-1]), np.result_type(W, x))
        for i, strip in enumerate(strips):
            product(W, strip, out=y[:, i])
        if "b" in self.params:
            y += self.params["b"][:, None, None]
        return self.keep(y.reshape(shape), x.shape, rows)

    def backward(self, delta: Array, input_gradient: bool = True) -> Array | None:
        """dW is the sum over i of ``delta_i strip_i^T``, db the sum of delta; dx gathers down the rows, scatters along them.

        delta (C_out, OH, OW, N) -> dx (C_in, H, W, N); None where ``input_gradient`` is false. The weight
        gradient sums over the positions that share it (K12, S22), the bias gradient over positions and
        examples. dx is the full convolution with the turned kernel (Q22, S23): row h of the padded x was under row
        ``u = h - stride i`` of the kernel when row i of y was computed, for every i that has such a u. So one product
        gathers, with the kernel's rows in reverse; along the width ``roll`` adds, and nothing is reversed.
        """
        shape, rows = self.recall(delta)
        W, KH, sh = self.matrix(), self.kernel[0], self.stride[0]
        delta = delta.reshape(len(W), -1, rows.shape[-1]).swapaxes(0, 1)
        # The transpose of delta strip^T: BLAS is faster with the matrix of more rows first.
        dW = sum(product_transposed(strip, d) for strip, d in zip(self.strips(rows), delta))
        self.grads["W"] = self.kernels(dW.T)
        if "b" in self.params:
            self.grads["b"] = np.einsum("ion->o", delta)
        if input_gradient:
            delta, drows = np.ascontiguousarray(delta), np.empty_like(rows, delta.dtype)
            # (C KW, KH, C_out), the kernel's rows in reverse.
            turned = np.ascontiguousarray(W.reshape(len(W), KH, -1).T[:, ::-1])
            for h, drow in enumerate(drows):
                first = max(0, (h - KH) // sh + 1)
                last = max(first, min(h // sh + 1, len(delta)))
                top = KH - 1 - h + sh * first
                taps = turned[:, top : top + sh * (last - first) : sh]
                seen = delta[first:last].reshape(-1, rows.shape[-1])
                product(taps.reshape(len(turned), -1), seen, out=drow)
            return self.roll(drows, shape)

    def matrix(self) -> Array:
        """W as (C_out, KH C_in KW), its columns in the order in which a strip holds a window."""
        W = self.params["W"].reshape(self.out_channels, self.in_channels, *self.kernel)
        return W.swapaxes(1, 2).reshape(self.out_channels, -1)

    def kernels(self, matrix: Array) -> Array:
        """Back from ``matrix``: (C_out, KH C_in KW) in the shape of W."""
        W = matrix.reshape(self.out_channels, self.kernel[0], self.in_channels, self.kernel[1])
        return W.swapaxes(1, 2).reshape(self.params["W"].shape)

    def unroll(self, x: Array) -> Array:
        """im2col along the width only, x (C, H, W, N) -> rows (H + 2 ph, C KW, OW N), about KW times as large."""
        places = self.places(self.pad(x))
        H, C, OW, N = places[0].shape
        rows = np.empty((H, C, len(places), OW, N), x.dtype)
        for v, place in enumerate(places):
            rows[:, :, v] = place
        return rows.reshape(H, -1, OW * N)

    def roll(self, drows: Array, shape: Shape) -> Array:
        """The way back of ``unroll``: each number is added where it was read. Returns dx of this shape."""
        dx = self.pad(np.zeros(shape, drows.dtype))
        places = self.places(dx)
        H, C, OW, N = places[0].shape
        drows = drows.reshape(H, C, len(places), OW, N)
        for v, place in enumerate(places):
            place += drows[:, :, v]
        return self.unpad(dx).reshape(shape)

    def places(self, images: Array) -> list[Array]:
        """For each column v of the kernel: the view (H, C, OW, N) of what it meets in each row."""
        KW, sw, OW = self.kernel[1], self.stride[1], self.grid(images.shape[1:3])[1]
        return [images[:, :, v : v + sw * OW : sw].swapaxes(0, 1) for v in range(KW)]

    def strips(self, rows: Array) -> list[Array]:
        """For each row of outputs: the view (KH C KW, OW N) of the rows that its windows see."""
        KH, sh = self.kernel[0], self.stride[0]
        return [rows[i : i + KH].reshape(-1, rows.shape[-1]) for i in range(0, len(rows) - KH + 1, sh)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, {self.sizes((1, 1))})"


class Conv1d(Conv2d):
    """Cross-correlation along one axis (K09): the 2-D layer with H = 1.

    x (C_in, L, N) -> y (C_out, OL, N); W (C_out, C_in, K), b (C_out,). Sizes are ints and floor; the other arguments and
    the errors are those of Conv2d.

    >>> layer = Conv1d(1, 2, 3, rng=0)
    >>> layer.forward(np.ones((1, 5, 4))).shape
    (2, 3, 4)
    """

    axes = "L"
