"""What the tests of the core share: numbers to test with, layers with their sums, proof that nothing was changed."""

from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import cnnlib
from cnnlib import (
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Dense,
    Flatten,
    MaxPool1d,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    formulas,
)

FLOATS = [np.float32, np.float64]
SEEDS = st.integers(0, 2**32 - 1)
repeatable = settings(max_examples=100, derandomize=True, deadline=None, database=None)


# ---- numbers ----------------------------------------------------------------------------------------


def whole_numbers(shape, seed=0, dtype=float, largest=4):
    """Small whole numbers, with many ties: sums of their products are exact, in whatever order they are added."""
    return np.random.default_rng(seed).integers(-largest, largest + 1, shape).astype(dtype)


def numbers(shape, seed=0, dtype=float):
    """Normal ones: no ties, and none at zero."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def slopes(f, array, eps=1e-5):
    """df/darray by central differences, apart from the library's own."""
    slope = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        middle = array[index]
        array[index] = middle + eps
        above = f()
        array[index] = middle - eps
        slope[index] = (above - f()) / (2 * eps)
        array[index] = middle
    return slope


def agree_with_slopes(model, x, seed=0):
    """backward of a layer or a network gives the slopes of sum(delta forward(x)), for x and for each parameter."""
    delta = numbers(model.output_shape(x.shape), seed + 1)

    def J():
        return float((delta * model.forward(x)).sum())

    layers = getattr(model, "layers", [model])
    model.forward(x)
    pairs = [(x, model.backward(delta))]
    pairs += [(layer.params[key], layer.grads[key]) for layer in layers for key in layer.params]
    for array, gradient in pairs:
        slope = slopes(J, array)
        assert gradient.shape == array.shape and np.abs(slope).max() > 0
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-7 * max(1, np.abs(slope).max()))


def identical(one, other):
    """Equal in type, shape and every bit."""
    assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


# ---- a layer of each kind, with the shape of an input ------------------------------------------------

LAYERS = {
    "Dense": (lambda: Dense(4, 3, rng=0), (4, 5)),
    "Conv1d": (lambda: Conv1d(2, 3, 3, padding=1, rng=0), (2, 6, 5)),
    "Conv2d": (lambda: Conv2d(2, 3, (3, 2), stride=(1, 2), rng=0), (2, 5, 6, 5)),
    "Conv2d, padded": (lambda: Conv2d(2, 3, (3, 2), stride=2, padding=1, rng=0), (2, 5, 6, 5)),
    "MaxPool1d": (lambda: MaxPool1d(2), (2, 6, 5)),
    "MaxPool2d": (lambda: MaxPool2d((3, 2), stride=1), (2, 5, 6, 5)),
    "MaxPool2d, padded": (lambda: MaxPool2d(3, stride=2, padding=1), (2, 5, 6, 5)),
    "AvgPool1d": (lambda: AvgPool1d(3, stride=1, padding=1), (2, 6, 5)),
    "AvgPool2d": (lambda: AvgPool2d((3, 2), stride=1), (2, 5, 6, 5)),
    "Flatten": (Flatten, (2, 3, 4, 5)),
    "Sigmoid": (Sigmoid, (3, 5)),
    "Tanh": (Tanh, (3, 5)),
    "ReLU": (ReLU, (3, 5)),
}
every_layer = pytest.mark.parametrize("make, shape", LAYERS.values(), ids=LAYERS)


def small_lenet(activation=ReLU, pool=MaxPool2d, rng=0):
    """Two convolutions, two pools and two dense layers for images (2, 9, 10), four classes; nothing is square."""
    rng = np.random.default_rng(rng)
    return Sequential(
        Conv2d(2, 3, (4, 3), rng=rng),
        activation(),
        pool(2),
        Conv2d(3, 4, (2, 3), rng=rng),
        activation(),
        pool((2, 1)),
        Flatten(),
        Dense(4 * 1 * 2, 5, rng=rng),
        activation(),
        Dense(5, 4, rng=rng),
    )


# ---- layers with windows, and the sums they are -----------------------------------------------------


@dataclass(frozen=True)
class Sliding:
    """A layer with windows, described apart from the library; ``size``, ``kernel``, ... have one number an axis."""

    name: str
    size: tuple
    kernel: tuple
    stride: tuple
    padding: tuple
    channels: tuple = (2, 3)
    N: int = 2

    @property
    def learns(self):
        return self.name.startswith("Conv")

    @property
    def x_shape(self):
        return self.channels[0], *self.size, self.N

    @property
    def y_shape(self):
        places = [
            (size + 2 * pad - kernel) // stride + 1
            for size, kernel, stride, pad in zip(self.size, self.kernel, self.stride, self.padding)
        ]
        return self.channels[self.learns], *places, self.N

    def layer(self, dtype=float, largest=4, **options):
        """The layer; where it learns, W and b are whole numbers."""
        cls, channels = getattr(cnnlib, self.name), self.channels if self.learns else ()
        layer = cls(*channels, self.kernel, stride=self.stride, padding=self.padding, **options)
        for seed, key in enumerate(layer.params):
            layer.params[key] = whole_numbers(layer.params[key].shape, seed, dtype, largest)
        return layer

    def whole(self, dtype=float, seed=0, largest=4):
        """x and delta in whole numbers, for an average such that it comes out whole."""
        unit = prod(self.kernel) if self.name.startswith("Avg") else 1
        shapes = self.x_shape, self.y_shape
        return [unit * whole_numbers(shape, seed + i, dtype, largest) for i, shape in enumerate(shapes)]

    def by_formulas(self, x, delta, params):
        """[y, dx], and [dW, db] where the layer learns, by the lectures' sums."""
        one_axis = len(self.kernel) == 1
        kernel, stride, padding = (
            (least, *sizes)[-2:] for least, sizes in zip((1, 1, 0), (self.kernel, self.stride, self.padding))
        )
        if one_axis:
            x, delta = x[:, None], delta[:, None]
        if self.learns:
            W = params["W"][:, :, None] if one_axis else params["W"]
            b = params.get("b", np.zeros(len(W)))
            y = formulas.correlate2d(x, W, b, stride, padding)
            dx, dW, db = formulas.correlate2d_backward(x, W, delta, stride, padding)
            return [y.reshape(self.y_shape), dx.reshape(self.x_shape), dW.reshape(params["W"].shape), db]
        kind = "max_pool2d" if self.name.startswith("Max") else "avg_pool2d"
        y = getattr(formulas, kind)(x, kernel, stride, padding)
        dx = getattr(formulas, f"{kind}_backward")(x, delta, kernel, stride, padding)
        return [y.reshape(self.y_shape), dx.reshape(self.x_shape)]


def by_layer(layer, x, delta):
    """[y, dx], then the gradients."""
    return [layer.forward(x), layer.backward(delta), *layer.grads.values()]


CONVS, POOLS = ("Conv1d", "Conv2d"), ("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d")


@st.composite
def sliding(draw, names=CONVS + POOLS):
    """Any layer with windows that fits its input."""
    name = draw(st.sampled_from(names))
    axes = range(int(name[-2]))
    kernel = tuple(draw(st.integers(1, 4)) for _ in axes)
    stride = tuple(draw(st.integers(1, 3)) for _ in axes)
    padding = tuple(draw(st.integers(0, 2 if name in CONVS else k // 2)) for k in kernel)
    size = tuple(max(1, k - 2 * p) + draw(st.integers(0, 4)) for k, p in zip(kernel, padding))
    channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return Sliding(name, size, kernel, stride, padding, channels, N=draw(st.integers(1, 3)))


# ---- what must not change ---------------------------------------------------------------------------


def state(thing):
    """All that it holds, down to the bits: arrays with their identity, generators, files and folders, objects."""
    if isinstance(thing, np.ndarray):
        return id(thing), thing.dtype.str, thing.shape, thing.tobytes()
    if isinstance(thing, np.random.Generator):
        return repr(thing.bit_generator.state)
    if isinstance(thing, Path):
        return {path: path.is_dir() or path.read_bytes() for path in [thing, *thing.rglob("*")]}
    if isinstance(thing, dict):
        return id(thing), {key: state(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [state(value) for value in thing]
    if hasattr(thing, "__dict__"):
        return id(thing), state(list(vars(thing).items()))
    return repr(thing)


@contextmanager
def untouched(*things):
    """The block changes none of these, in no bit."""
    before = state(things)
    yield
    assert state(things) == before


@contextmanager
def refused(*words, unchanged=(), error=ValueError):
    """The block raises this error with these words in its message, and none of ``unchanged`` is another."""
    with untouched(*unchanged):
        with pytest.raises(error) as caught:
            yield
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in {str(caught.value)!r}"
