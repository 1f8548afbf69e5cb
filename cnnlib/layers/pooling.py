"""Pooling layers: nothing is learned; backward returns each delta to where its value came from (S21)."""

from math import prod

import numpy as np

from .base import Array, Shape, Size
from .convolution import Window


class Pool(Window):
    """A window that slides over every channel by itself. ``stride`` None means the size of the kernel."""

    def __init__(self, kernel_size: Size, *, stride: Size | None = None, padding: Size = 0):
        super().__init__(kernel_size, kernel_size if stride is None else stride, padding)
        if any(2 * pad > kernel for pad, kernel in zip(self.padding, self.kernel)):
            raise ValueError(f"{self}: want padding of at most half the kernel")

    def output_shape(self, input_shape: Shape) -> Shape:
        """(C, H, W, N) -> (C, OH, OW, N); (C, L, N) -> (C, OL, N) in 1-D."""
        sizes = self.window_shape(input_shape, "C")
        return input_shape[0], *sizes, input_shape[-1]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.sizes(self.kernel)})"

    def taps(self, images: Array) -> list[Array]:
        """For each place (u, v) of the window, row-major: the view (C, OH, OW, N) of what stands there."""
        (KH, KW), (sh, sw) = self.kernel, self.stride
        OH, OW = self.grid(images.shape[1:3])
        places = [(u, v) for u in range(KH) for v in range(KW)]
        return [images[:, u : u + sh * OH : sh, v : v + sw * OW : sw] for u, v in places]


class MaxPool2d(Pool):
    """The largest number of each window (S20, Q18). Padding is -inf, so that it never wins.

    x (C, H, W, N) -> y (C, OH, OW, N). ``kernel_size``, ``stride`` (None: the kernel's size) and ``padding`` (at most half
    the kernel, ValueError for more) are an int or a pair; sizes floor. A tie goes to the first maximum in row-major order.
    NaN in a window makes its output NaN; such a window passes no gradient back.

    >>> layer = MaxPool2d(2)
    >>> x = np.array([[1.0, 7, 2, 2], [3, 5, 2, 2]]).reshape(1, 2, 4, 1)
    >>> layer.forward(x).ravel()
    array([7., 2.])
    >>> layer.backward(np.ones((1, 1, 2, 1)))[0, :, :, 0]
    array([[0., 1., 1., 0.],
           [0., 0., 0., 0.]])
    """

    def forward(self, x: Array) -> Array:
        """y is the maximum over the window's places, taken place by place over all windows at once.

        ``wins[k]``: where place k + 1 beats all before it. The last of a window's wins is its first maximum.
        """
        shape = self.check(x)
        images = self.pad(x, -np.inf)
        first, *others = self.taps(images)
        y, wins = first.copy(), []
        for seen in map(np.copy, others):  # a comparison of copies is faster than one of views
            wins.append(seen > y)
            np.maximum(y, seen, out=y)
        return self.keep(y.reshape(shape), x.shape, images.shape, y, wins)

    def backward(self, delta: Array) -> Array:
        """Each delta goes to the first place that held its window's maximum (K10, Q19); overlaps add.

        delta (C, OH, OW, N) -> dx (C, H, W, N).
        """
        shape, padded, y, wins = self.recall(delta)
        dx, left = np.zeros(padded, delta.dtype), delta.reshape(y.shape) * (y == y)  # nothing where y is NaN
        first, *others = self.taps(dx)
        overlap = any(kernel > stride for kernel, stride in zip(self.kernel, self.stride))
        for out, won in zip(others[::-1], wins[::-1]):
            share = left * won
            if overlap:
                out += share
            else:
                out[:] = share
            left -= share
        first += left
        return self.unpad(dx).reshape(shape)


class AvgPool2d(Pool):
    """The mean of each window (Q20), the zeros of the padding counted.

    x (C, H, W, N) -> y (C, OH, OW, N). ``kernel_size``, ``stride`` (None: the kernel's size) and ``padding`` (at most half
    the kernel, ValueError for more) are an int or a pair; sizes floor.

    >>> layer = AvgPool2d(2)
    >>> x = np.array([[1.0, 7, 2, 2], [3, 5, 2, 2]]).reshape(1, 2, 4, 1)
    >>> layer.forward(x).ravel()
    array([4., 2.])
    >>> layer.backward(np.ones((1, 1, 2, 1))).ravel()
    array([0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25])
    """

    def forward(self, x: Array) -> Array:
        """y is the sum over the window's places, divided by ``KH KW``."""
        shape = self.check(x)
        y = sum(self.taps(self.pad(x))) / prod(self.kernel)
        return self.keep(y.reshape(shape), x.shape, y.shape)

    def backward(self, delta: Array) -> Array:
        """Each place of a window gets ``delta / (KH KW)`` (Q21); windows that overlap add.

        delta (C, OH, OW, N) -> dx (C, H, W, N).
        """
        shape, window_shape = self.recall(delta)
        dx = self.pad(np.zeros(shape, delta.dtype))
        share = delta.reshape(window_shape) / prod(self.kernel)
        for out in self.taps(dx):
            out += share
        return self.unpad(dx).reshape(shape)


class MaxPool1d(MaxPool2d):
    """Max pooling along one axis: the 2-D layer with H = 1. x (C, L, N) -> y (C, OL, N). Errors: as MaxPool2d.

    >>> layer = MaxPool1d(2)
    >>> layer.forward(np.array([1.0, 3, 2, 2]).reshape(1, 4, 1)).ravel()
    array([3., 2.])
    >>> layer.backward(np.ones((1, 2, 1))).ravel()
    array([0., 1., 1., 0.])
    """

    axes = "L"


class AvgPool1d(AvgPool2d):
    """Average pooling along one axis: the 2-D layer with H = 1. x (C, L, N) -> y (C, OL, N). Errors: as AvgPool2d.

    >>> AvgPool1d(2).forward(np.array([1.0, 3, 2, 2]).reshape(1, 4, 1)).ravel()
    array([2., 2.])
    """

    axes = "L"
