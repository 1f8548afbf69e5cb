"""What every layer is: a forward formula, its backward formula, parameters and their gradients."""

import sys

import numpy as np

# What hints say: docstrings have the shapes. Size is one int, or one for each axis.
Array = np.ndarray
Shape = tuple[int, ...]
Size = int | Shape
Init = str | float
Seed = np.random.Generator | int | None

# Each page of a fresh array costs a fault, up to a third of a small step. Once a block of nearly 32 MB has been freed,
# glibc keeps what is freed and gives it out again; this one is never written to. (benchmarks/choices.py)
if sys.platform == "linux":
    np.empty(31 * 2**20, np.uint8)


class Layer:
    """A function ``y = f(x)`` that can carry a gradient back: ``dx = backward(dJ/dy)``.

    Examples are the last axis of every array. A subclass defines ``output_shape``, ``forward``, which ends in
    ``self.keep(y, ...)``, and ``backward``, which begins with ``self.recall(delta)``. One that learns also
    calls ``learn``, and its ``backward(delta, input_gradient=True)`` returns None where that is false.

    ``params`` and ``grads`` are dicts with the same keys ("W", "b") and shapes, empty where nothing is learned.
    ``backward`` puts new arrays into ``grads``; nothing accumulates from one call to the next.

    >>> class Double(Layer):
    ...     def output_shape(self, input_shape):
    ...         return input_shape
    ...     def forward(self, x):
    ...         return self.keep(2 * x)
    ...     def backward(self, delta):
    ...         self.recall(delta)
    ...         return 2 * delta
    >>> print(check_gradients(Double(), np.ones((3, 2))))
    x  ok, within 1e-07
    """

    def __init__(self) -> None:
        self.params: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}
        self.saved: tuple | None = None

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of what ``forward`` gives for an input of this shape; ValueError where it does not fit."""
        raise NotImplementedError(f"{type(self).__name__} does not define output_shape")

    def forward(self, x: Array) -> Array:
        """``y = f(x)``, keeping what ``backward`` needs: x and y themselves, so change neither before it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def backward(self, delta: Array) -> Array:
        """``dx = dJ/dx`` from ``delta = dJ/dy``, which has the shape of y; RuntimeError before any ``forward``."""
        raise NotImplementedError(f"{type(self).__name__} does not define backward")

    def learn(self, shape: Shape, fan_in: int, fan_out: int, bias: bool, init: Init, rng: Seed) -> None:
        """Draw "W" of this shape, normal with the variance that ``init`` names; "b" starts at zero.

        "he": ``2 / fan_in``. "xavier": ``2 / (fan_in + fan_out)``. A number: the standard deviation itself. ValueError
        for any other.
        """
        named = {"he": np.sqrt(2 / fan_in), "xavier": np.sqrt(2 / (fan_in + fan_out))}
        std = named.get(init, np.nan) if isinstance(init, str) else init
        if not is_number(std) or not 0 <= std < np.inf:
            wanted = '"he", "xavier" or a standard deviation'
            raise ValueError(f"{type(self).__name__}: init is {init!r}, want {wanted}")
        self.params["W"] = std * np.random.default_rng(rng).standard_normal(shape)
        if bias:
            self.params["b"] = np.zeros(shape[0])
        self.grads.update({key: np.zeros_like(value) for key, value in self.params.items()})

    def expect(self, shape: Shape, *wanted: int | str) -> Shape:
        """``shape`` as a tuple, if it has the ``wanted`` axes; a name stands for any size of at least one.

        ValueError, naming the layer, what came and what was wanted, where it has not.
        """
        shape = tuple(shape)
        fits = [size >= 1 if isinstance(want, str) else size == want for size, want in zip(shape, wanted)]
        if len(shape) != len(wanted) or not all(fits):
            axes = ", ".join(map(str, wanted)) + "," * (len(wanted) == 1)
            raise ValueError(f"{self}: got shape {shape}, want ({axes}), every size at least 1")
        return shape

    def check(self, x: Array) -> Shape:
        """The output's shape for the array x; ValueError unless x is floating and its shape fits."""
        return self.output_shape(floating(self, x).shape)

    def recall(self, delta: Array) -> tuple:
        """What ``forward`` kept. RuntimeError before any; ValueError unless ``delta`` has the shape of the output that went
        with it.
        """
        if self.saved is None:
            raise RuntimeError(f"{self}: backward was called before any forward")
        shape, kept = self.saved
        if floating(self, delta, "delta").shape != shape:
            came = f"{self}: got delta of shape {delta.shape}"
            raise ValueError(f"{came}, want {shape}, the shape of the last output")
        return kept

    def keep(self, y: Array, *kept: object) -> Array:
        """Keep what ``backward`` will ask for, and hand y on."""
        self.saved = y.shape, kept
        return y

    def __getstate__(self) -> dict:
        """Copies and pickles hold the parameters, not the last batch."""
        return self.__dict__ | {"saved": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def floating(who: object, x: Array, name: str = "x") -> Array:
    """x itself, if it is a floating NumPy array, no matrix, none masked; else ValueError, naming who asked."""
    plain = isinstance(x, np.ndarray) and not isinstance(x, (np.matrix, np.ma.MaskedArray))
    if not plain or x.dtype.kind != "f":
        kind = "an array of" if plain else "a scalar of" if isinstance(x, np.generic) else ""
        came = f"{kind} {x.dtype}" if kind else type(x).__name__
        raise ValueError(f"{who}: {name} is {came}, want a NumPy array of floats")
    return x


def whole(who: object, name: str, value: int, least: int) -> int:
    """value as an int, if it is a whole number of at least ``least``; ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{who}: {name} is {value!r}, want a whole number, at least {least}")
    return int(value)


def is_number(value: object) -> bool:
    """Whether value is one real number."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
