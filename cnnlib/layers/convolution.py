"""Convolutional layers: a window that slides, the same weights at every position."""

from math import prod

import numpy as np

from .base import Layer, whole


class Window(Layer):
    """What convolution and pooling share: a window's kernel, stride and padding, on one axis or on two.

    The computation is that of two axes; a 1-D layer is the 2-D one with H = 1. ``kernel``, ``stride`` and
    ``padding`` are the pairs (vertical, horizontal).
    """

    axes = "HW"

    def __init__(self, kernel_size, stride, padding):
        super().__init__()
        self.kernel = self.pair("kernel_size", kernel_size, 1)
        self.stride = self.pair("stride", stride, 1)
        self.padding = self.pair("padding", padding, 0)

    def pair(self, name, value, least):
        """An int or a sequence with one int per axis, as (vertical, horizontal)."""
        sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,) * len(self.axes)
        if len(sizes) != len(self.axes):
            raise ValueError(
                f"{type(self).__name__}: {name} is {value!r}, want {len(self.axes)} of them, or one int"
            )
        sizes = tuple(whole(type(self).__name__, name, size, least) for size in sizes)
        return sizes if len(sizes) == 2 else (1 if least else 0, *sizes)

    def window_shape(self, input_shape, channels):
        """(C, H, W, N) -> (OH, OW), (C, L, N) -> (OL,): (size + 2 padding - kernel) // stride + 1 (Q16)."""
        _, *sizes, _ = self.expect(input_shape, channels, *self.axes, "N")
        n = len(sizes)
        padded = [size + 2 * pad for size, pad in zip(sizes, self.padding[-n:])]
        if any(size < kernel for size, kernel in zip(padded, self.kernel[-n:])):
            raise ValueError(
                f"{self}: got shape {tuple(input_shape)}, padded to {padded}, smaller than the kernel"
            )
        return tuple(
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(padded, self.kernel[-n:], self.stride[-n:])
        )

    def sizes(self, default_stride):
        """Kernel, stride and padding as in the call; stride and padding only where they are not the default."""
        shown = {"stride": (self.stride, default_stride), "padding": (self.padding, (0, 0))}
        rest = "".join(
            f", {name}={self.short(got)}" for name, (got, default) in shown.items() if got != default
        )
        return self.short(self.kernel) + rest

    def short(self, pair):
        """A pair as an int where one int says the same."""
        pair = pair[-len(self.axes) :]
        return str(pair[0] if len(set(pair)) == 1 else pair)

    def pad(self, x, value=0.0):
        """x as images (C, H, W, N), with a border of ``value``."""
        x = x.reshape(len(x), -1, *x.shape[-2:])
        if not any(self.padding):
            return x
        (ph, pw), (C, H, W, N) = self.padding, x.shape
        padded = np.full((C, H + 2 * ph, W + 2 * pw, N), value, x.dtype)
        padded[:, ph : ph + H, pw : pw + W] = x
        return padded

    def unpad(self, padded):
        """What ``pad`` framed."""
        ph, pw = self.padding
        return padded[:, ph : padded.shape[1] - ph, pw : padded.shape[2] - pw]

    def grid(self, images):
        """(OH, OW): how many windows fit into padded ``images``."""
        sizes = zip(images.shape[1:3], self.kernel, self.stride)
        return [(size - kernel) // stride + 1 for size, kernel, stride in sizes]


class Conv2d(Window):
    """Cross-correlation with learned kernels, as Q and every framework compute it (Q15, Q16).

    y[o, i, j, n] = b[o] + sum over c, u, v of W[o, c, u, v] x[c, s i + u - p, s j + v - p, n]

    x (C_in, H, W, N) -> y (C_out, OH, OW, N); W (C_out, C_in, KH, KW), b (C_out,); stride s, zero padding p.
    ``kernel_size``, ``stride`` and ``padding`` are an int or a pair; sizes floor.
    """

    def __init__(
        self, in_channels, out_channels, kernel_size, *, stride=1, padding=0, bias=True, init="he", rng=None
    ):
        super().__init__(kernel_size, stride, padding)
        self.in_channels = whole(type(self).__name__, "in_channels", in_channels, 1)
        self.out_channels = whole(type(self).__name__, "out_channels", out_channels, 1)
        kernel = self.kernel[-len(self.axes) :]
        shape = self.out_channels, self.in_channels, *kernel
        self.learn(shape, self.in_channels * prod(kernel), self.out_channels * prod(kernel), bias, init, rng)

    def output_shape(self, input_shape):
        """(C_in, H, W, N) -> (C_out, OH, OW, N); (C_in, L, N) -> (C_out, OL, N) in 1-D."""
        return self.out_channels, *self.window_shape(input_shape, self.in_channels), input_shape[-1]

    def forward(self, x):
        """A row of outputs at a time: W as (C_out, C_in KH KW) times the windows of that row as columns."""
        shape = self.check(x)
        images, W = self.pad(x), self.params["W"].reshape(self.out_channels, -1)
        OH, OW = self.grid(images)
        y = np.empty((len(W), OH, OW * x.shape[-1]), np.result_type(W, x))
        for i, strip in enumerate(self.strips(images)):
            y[:, i] = W @ columns(strip)
        if "b" in self.params:
            y += self.params["b"][:, None, None]
        return self.keep(y.reshape(shape), x.shape, images)

    def backward(self, delta, input_gradient=True):
        """Row by row, dW += delta columns^T and dcolumns = W^T delta, added where the columns were read; db = sum delta.

        delta (C_out, OH, OW, N) -> dx (C_in, H, W, N); None where ``input_gradient`` is false. The weight gradient
        sums over the positions that share it (K12, S22), the bias gradient over positions and examples. dx is the full
        convolution with the turned kernel (Q22, S23), each delta scattered over its window instead of gathered.
        """
        shape, images = self.recall(delta)
        W = self.params["W"].reshape(self.out_channels, -1)
        OH, OW = self.grid(images)
        delta = delta.reshape(len(W), OH, -1)
        dW, dx = np.zeros(W.T.shape, delta.dtype), np.zeros_like(images, delta.dtype)
        for i, (strip, dstrip) in enumerate(zip(self.strips(images), self.strips(dx))):
            dW += columns(strip) @ delta[:, i].T
            if input_gradient:
                dcolumns = (W.T @ delta[:, i]).reshape(len(images), *self.kernel, OW, -1)
                for v, place in enumerate(dstrip):
                    place += dcolumns[:, :, v]
        self.grads["W"] = dW.T.reshape(self.params["W"].shape)
        if "b" in self.params:
            self.grads["b"] = delta.sum(axis=(1, 2))
        return self.unpad(dx).reshape(shape) if input_gradient else None

    def strips(self, images):
        """A row of outputs sees a strip of KH rows: for each, the KW views (C, KH, OW, N), one for each column v of W."""
        (KH, KW), (sh, sw) = self.kernel, self.stride
        OH, OW = self.grid(images)
        for i in range(OH):
            strip = images[:, sh * i : sh * i + KH]
            yield [strip[:, :, v : v + sw * OW : sw] for v in range(KW)]

    def __repr__(self):
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, {self.sizes((1, 1))})"


def columns(strip):
    """The windows of one row of outputs as columns (C KH KW, OW N), rows in the order of W: im2col, while it fits the cache."""
    C, KH, OW, N = strip[0].shape
    return np.stack(strip, axis=2).reshape(C * KH * len(strip), OW * N)


class Conv1d(Conv2d):
    """Cross-correlation along one axis (K09): the 2-D layer with H = 1.

    x (C_in, L, N) -> y (C_out, OL, N); W (C_out, C_in, K), b (C_out,).
    """

    axes = "L"
