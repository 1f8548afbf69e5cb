"""Fully connected layer, and the step from maps to vectors."""

from math import prod

from .base import Array, Init, Layer, Seed, Shape, whole


class Dense(Layer):
    """``z = W a + b`` for a batch of columns (Q04, S05).

    x (D_in, N) -> y (D_out, N); W (D_out, D_in), b (D_out,). ``W_ij`` joins unit j to unit i.
    ``init``: "he", "xavier" or a standard deviation; ``rng``: a Generator, a seed, or None. ValueError for sizes that are
    no whole numbers of at least one.

    >>> layer = Dense(3, 2, rng=0)
    >>> y = layer.forward(np.ones((3, 5)))
    >>> y.shape, layer.backward(np.ones((2, 5))).shape
    ((2, 5), (3, 5))
    >>> layer.grads["b"]
    array([5., 5.])
    """

    def __init__(
        self, in_features: int, out_features: int, *, bias: bool = True, init: Init = "he", rng: Seed = None
    ):
        super().__init__()
        self.in_features = whole("Dense", "in_features", in_features, 1)
        self.out_features = whole("Dense", "out_features", out_features, 1)
        shape = self.out_features, self.in_features
        self.learn(shape, self.in_features, self.out_features, bias, init, rng)

    def output_shape(self, input_shape: Shape) -> Shape:
        """(D_in, N) -> (D_out, N)."""
        _, N = self.expect(input_shape, self.in_features, "N")
        return self.out_features, N

    def forward(self, x: Array) -> Array:
        """``y = W x + b``."""
        self.check(x)
        y = self.params["W"] @ x
        if "b" in self.params:
            y += self.params["b"][:, None]
        return self.keep(y, x)

    def backward(self, delta: Array, input_gradient: bool = True) -> Array | None:
        """``dW = delta x^T``, ``db`` the sum of delta over the examples, ``dx = W^T delta`` (Q12, Q13, S10).

        delta (D_out, N) -> dx (D_in, N); None where ``input_gradient`` is false.
        """
        (x,) = self.recall(delta)
        self.grads["W"] = delta @ x.T
        if "b" in self.params:
            self.grads["b"] = delta.sum(axis=1)
        return self.params["W"].T @ delta if input_gradient else None

    def __repr__(self) -> str:
        return f"Dense({self.in_features}, {self.out_features})"


class Flatten(Layer):
    """Stack all features of an example in one column, row-major (K25): (C, H, W, N) -> (C H W, N).

    >>> layer = Flatten()
    >>> layer.forward(np.zeros((2, 3, 4, 5))).shape
    (24, 5)
    >>> layer.backward(np.zeros((24, 5))).shape
    (2, 3, 4, 5)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        """(C, N), (C, L, N) or (C, H, W, N) -> (product of all but N, N)."""
        *features, N = self.expect(input_shape, *"CHW"[: max(len(input_shape) - 1, 1)], "N")
        return prod(features), N

    def forward(self, x: Array) -> Array:
        """The same numbers in one column an example."""
        shape = self.check(x)
        return self.keep(x.reshape(shape), x.shape)

    def backward(self, delta: Array) -> Array:
        """The same numbers back in the input's shape."""
        (shape,) = self.recall(delta)
        return delta.reshape(shape)
