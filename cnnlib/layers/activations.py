"""Activations, each with its derivative written in terms of its own output (Z02)."""

import numpy as np

from .base import Array, Layer, Shape


class Activation(Layer):
    """A function of one number, applied to every element: any shape -> the same shape."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """Any shape of at least one example -> the same."""
        return self.expect(input_shape, *["D"] * (len(input_shape) - 1), "N")


class Sigmoid(Activation):
    """a = 1 / (1 + exp(-z)) (S06)."""

    def forward(self, x: Array) -> Array:
        """1 / (1 + e^-x); 0 where e^-x overflows: there the value is below the smallest normal number."""
        self.check(x)
        with np.errstate(over="ignore"):
            y = 1 / (1 + np.exp(-x))
        return self.keep(y, y)

    def backward(self, delta: Array) -> Array:
        """dx = delta y (1 - y)."""
        (y,) = self.recall(delta)
        return delta * y * (1 - y)


class Tanh(Activation):
    """a = tanh(z) (Q05)."""

    def forward(self, x: Array) -> Array:
        """tanh(x)."""
        self.check(x)
        y = np.tanh(x)
        return self.keep(y, y)

    def backward(self, delta: Array) -> Array:
        """dx = delta (1 - y^2)."""
        (y,) = self.recall(delta)
        return delta * (1 - y * y)


class ReLU(Activation):
    """a = max(0, z) (K01). At z = 0, where there is no derivative, the code takes 0, as PyTorch does.

    The mask is multiplied, so an infinite delta becomes NaN where it is shut.
    """

    def forward(self, x: Array) -> Array:
        """max(x, 0); NaN stays NaN."""
        self.check(x)
        y = np.clip(x, 0, np.inf)  # three times as fast as np.maximum(x, 0): benchmarks/choices.py
        return self.keep(y, y)

    def backward(self, delta: Array) -> Array:
        """dx = delta where y > 0, else 0 (a product with the mask: ten times faster than indexing by it)."""
        (y,) = self.recall(delta)
        return delta * (y > 0)
