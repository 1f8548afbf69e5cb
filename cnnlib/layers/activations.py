"""Activations, each with its derivative written in terms of its own output (Z02)."""

import numpy as np

from .base import Array, Layer, Shape


class Activation(Layer):
    """A function of one number, applied to every element: any shape -> the same shape."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """Any shape of at least one example -> the same."""
        return self.expect(input_shape, *["D"] * (len(input_shape) - 1), "N")


class Sigmoid(Activation):
    """``a = 1 / (1 + exp(-z))`` (S06), applied to every element of an array of any shape.

    >>> layer = Sigmoid()
    >>> layer.forward(np.array([[0.0, 100.0]]))
    array([[0.5, 1. ]])
    >>> layer.backward(np.ones((1, 2)))
    array([[0.25, 0.  ]])
    """

    def forward(self, x: Array) -> Array:
        """``1 / (1 + exp(-x))``; 0 where ``exp(-x)`` overflows: there the value is below the smallest normal number."""
        self.check(x)
        with np.errstate(over="ignore"):
            y = 1 / (1 + np.exp(-x))
        return self.keep(y, y)

    def backward(self, delta: Array) -> Array:
        """``dx = delta y (1 - y)`` (Z02)."""
        (y,) = self.recall(delta)
        return delta * y * (1 - y)


class Tanh(Activation):
    """``a = tanh(z)`` (Q05), applied to every element of an array of any shape.

    >>> layer = Tanh()
    >>> layer.forward(np.array([[0.0, 100.0]]))
    array([[0., 1.]])
    >>> layer.backward(np.ones((1, 2)))
    array([[1., 0.]])
    """

    def forward(self, x: Array) -> Array:
        """``tanh(x)``."""
        self.check(x)
        y = np.tanh(x)
        return self.keep(y, y)

    def backward(self, delta: Array) -> Array:
        """``dx = delta (1 - y^2)`` (Z02)."""
        (y,) = self.recall(delta)
        return delta * (1 - y * y)


class ReLU(Activation):
    """``a = max(0, z)`` (K01), applied to every element of an array of any shape.

    At ``z = 0``, where there is no derivative, the code takes 0, as PyTorch does. The mask is multiplied, so an infinite
    delta becomes NaN where it is shut.

    >>> layer = ReLU()
    >>> layer.forward(np.array([[-2.0, 0.0, 3.0]]))
    array([[0., 0., 3.]])
    >>> layer.backward(np.ones((1, 3)))
    array([[0., 0., 1.]])
    """

    def forward(self, x: Array) -> Array:
        """``max(x, 0)``; NaN stays NaN."""
        self.check(x)
        y = np.clip(x, 0, np.inf)  # three times as fast as np.maximum(x, 0): benchmarks/choices.py
        return self.keep(y, y)

    def backward(self, delta: Array) -> Array:
        """``dx = delta`` where ``y > 0``, else 0 (a product with the mask: ten times faster than indexing by it)."""
        (y,) = self.recall(delta)
        return delta * (y > 0)
