"""The inputs on which a backward pass is tried: the smallest first, chosen so that mistakes differ on them."""

from itertools import product
from math import prod

import numpy as np

from .mistakes import simulate

WINDOWS = "conv2d", "conv1d", "dense"
POOLS = "max_pool2d", "avg_pool2d"
ARGUMENTS = {
    **dict.fromkeys(("conv2d", "conv1d"), "x W b delta stride padding"),
    "dense": "x W b delta",
    **dict.fromkeys(POOLS, "x kernel delta stride padding"),
    **dict.fromkeys(("relu", "sigmoid", "tanh"), "x delta"),
    "softmax_cross_entropy": "scores labels",
    "squared_error": "outputs targets",
    "sgd": "W b dW db lr momentum weight_decay state",
}
RETURNS = {of: "dx" for of in ARGUMENTS} | dict.fromkeys(WINDOWS, "dx dW db")
RETURNS |= {"softmax_cross_entropy": "dscores", "squared_error": "doutputs", "sgd": "W b"}
LIKE = {"dx": "x", "delta": "x", "dW": "W", "db": "b", "labels": "n"}
LIKE |= dict.fromkeys(("scores", "dscores", "outputs", "doutputs", "targets"), "x")

# C, O, (H, W), N, kernel, stride, padding, and what is special about it.
CONV2D = [
    (1, 1, (4, 5), 1, (2, 2), 1, 0, ""),
    (2, 3, (5, 6), 1, (3, 3), 1, 0, ""),
    (2, 3, (5, 7), 4, (3, 3), 1, 0, ""),
    (2, 3, (6, 5), 4, (3, 2), 1, 0, "a kernel that is not square"),
    (2, 3, (4, 6), 4, (3, 3), 1, 1, ""),
    (3, 2, (4, 5), 4, (3, 3), 1, 2, ""),
    (2, 2, (6, 4), 3, (2, 2), 1, 1, ""),
    (2, 3, (7, 5), 4, (3, 3), 2, 0, ""),
    (3, 2, (8, 5), 4, (2, 2), 3, 0, ""),
    (2, 3, (5, 7), 4, (3, 3), 2, 1, "whole numbers"),
    (3, 3, (5, 5), 3, (3, 3), 1, 0, ""),
    (2, 3, (6, 8), 4, (3, 3), 2, 0, "rows left over"),
    (2, 3, (7, 9), 4, (3, 3), 3, 1, "rows left over"),
    (2, 3, (5, 4), 3, (2, 2), 1, 2, "padding above K - 1"),
    (2, 3, (3, 4), 2, (1, 1), 1, 0, "a kernel of one number"),
    (2, 3, (8, 7), 4, (3, 2), (2, 3), (1, 2), "stride and padding in pairs"),
]
CONV1D = [
    (1, 1, (1, 5), 1, (1, 2), 1, 0, ""),
    (2, 3, (1, 6), 1, (1, 3), 1, 0, ""),
    (2, 3, (1, 7), 4, (1, 3), 1, 0, ""),
    (2, 3, (1, 6), 4, (1, 3), 1, 1, ""),
    (3, 2, (1, 5), 4, (1, 3), 1, 2, ""),
    (2, 2, (1, 8), 3, (1, 2), 1, 1, ""),
    (2, 3, (1, 9), 4, (1, 3), 2, 0, ""),
    (3, 2, (1, 8), 4, (1, 2), 3, 0, ""),
    (2, 3, (1, 7), 4, (1, 3), 2, 1, "whole numbers"),
    (3, 3, (1, 5), 3, (1, 3), 1, 0, ""),
    (2, 3, (1, 10), 4, (1, 3), 2, 0, "rows left over"),
    (2, 3, (1, 8), 4, (1, 3), 2, 1, "rows left over"),
]
DENSE = [
    (C, D, (1, 1), N, (1, 1), 1, 0, special)
    for C, D, N, special in (
        *((1, 1, 1, ""), (2, 3, 1, ""), (2, 3, 4, ""), (3, 2, 4, "")),
        *((3, 3, 2, ""), (3, 3, 3, ""), (4, 3, 5, "whole numbers")),
    )
]
POOL = [
    (1, 1, (4, 6), 1, (2, 2), 2, 0, ""),
    (2, 2, (4, 6), 3, (2, 2), 2, 0, ""),
    (2, 2, (5, 7), 3, (3, 3), 2, 0, ""),
    (2, 2, (5, 6), 3, (3, 3), 1, 0, ""),
    (2, 2, (8, 5), 3, (2, 2), 3, 0, ""),
    (2, 2, (6, 8), 3, (2, 2), 2, 0, "ties"),
    (2, 2, (5, 7), 3, (3, 3), 2, 0, "ties"),
    (2, 2, (6, 6), 3, (2, 2), 2, 0, ""),
    (2, 2, (5, 6), 3, (3, 2), 1, 0, "a kernel that is not square"),
    (2, 2, (5, 7), 3, (2, 2), 2, 0, "rows left over"),
    (2, 2, (5, 6), 3, (3, 3), 1, 1, ""),
    (2, 2, (5, 7), 3, (3, 3), 2, 1, "only negative numbers"),
    (2, 2, (6, 7), 3, (3, 3), 2, 1, "rows left over"),
    (2, 2, (5, 9), 3, (3, 2), (1, 2), (1, 0), "stride and padding in pairs"),
]


def absent(letters, others):
    """The places of the letters that the others have not."""
    return tuple(i for i, letter in enumerate(letters) if letter not in others)


class Raw(np.ndarray):
    """An array in the user's axes already, which may be no gradient's."""


class Case:
    """One input. Arrays have the book's axes: x (C, H, W, N), W (O, I, KH, KW), scores (K, N); ``axes`` has the user's."""

    def __init__(self, of, axes, special="", **values):
        self.of, self.axes, self.special = of, axes, special
        self.__dict__.update(values)
        self.known = {}

    @property
    def N(self):
        """The number of examples."""
        return getattr(
            self, {"softmax_cross_entropy": "scores", "squared_error": "outputs"}.get(self.of, "x")
        ).shape[-1]

    @property
    def taps(self):
        """The places (u, v) of the window, row by row."""
        return list(product(range(self.kernel[0]), range(self.kernel[1])))

    @property
    def padded(self):
        """The shape of x with its padding."""
        C, H, W, N = self.x.shape
        return C, H + 2 * self.padding[0], W + 2 * self.padding[1], N

    @property
    def left(self):
        """The rows and columns that no window reaches."""
        return [(n - k) % s for n, k, s in zip(self.padded[1:3], self.kernel, self.stride)]

    @property
    def positions(self):
        """The number of outputs of a channel."""
        return prod(self.delta.shape[1:3])

    @property
    def unit(self):
        """One step along each axis that there is."""
        return (0, 1) if self.of == "conv1d" else (1, 1)

    def letters(self, name):
        """(the axes of this array in the book's order, in the user's)."""
        kind = LIKE.get(name, name)
        images = "CHWN" if self.of in WINDOWS + POOLS else "CN"
        book = {"x": images, "W": "OIHW", "b": "O", "n": "N"}[kind]
        return book, self.axes.get(kind, "N").replace("L", "W").replace("K", "W")

    def to_user(self, name, array):
        """In the user's axes. Axes of size 1 that the user has not are dropped, those he has more are put in."""
        if isinstance(array, Raw):
            return self.as_bias(name, np.array(array))
        book, theirs = self.letters(name)
        if array.ndim != len(book):
            book = "".join(letter for letter in book if letter in theirs)
        array = array.squeeze(tuple(i for i, letter in enumerate(book) if letter not in theirs))
        book = [letter for letter in book if letter in theirs]
        array = array.transpose([book.index(letter) for letter in theirs if letter in book])
        return np.ascontiguousarray(np.expand_dims(array, absent(theirs, book)))

    def from_user(self, name, array):
        """The way back."""
        book, theirs = self.letters(name)
        array = array.squeeze(tuple(i for i, letter in enumerate(theirs) if letter not in book))
        theirs = [letter for letter in theirs if letter in book]
        array = array.transpose([theirs.index(letter) for letter in book if letter in theirs])
        return np.expand_dims(array, absent(book, theirs))

    def as_bias(self, name, value):
        """A db of another shape, (1, O) or (O, 1), as b's own; everything else as it is."""
        shape = (
            tuple(len(self.b) if letter == "O" else 1 for letter in self.axes["b"]) if name == "db" else ()
        )
        alike = [n for n in value.shape if n > 1] == [n for n in shape if n > 1]
        return value.reshape(shape) if name == "db" and alike else value

    def user(self, name):
        """An array of the case in the user's axes."""
        return self.to_user(name, getattr(self, name))

    def summed(self, delta, kept_not):
        """delta in the user's axes, summed over these."""
        _, theirs = self.letters("x")
        axes = tuple(i for i, letter in enumerate(theirs) if letter in kept_not)
        return self.to_user("x", delta).sum(axis=axes).view(Raw)

    def arguments(self):
        """{name: what the user's function gets}: new arrays each time."""
        given = {}
        for name in ARGUMENTS[self.of].split():
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                value = value.copy() if name in ("labels",) else self.to_user(name, value).copy()
            elif isinstance(value, tuple):
                value = value[-1:] * 2 if self.of == "conv1d" else value
                value = int(value[0]) if value[0] == value[1] else tuple(map(int, value))
            given[name] = value
        return given

    def right(self, name):
        """The right gradient, in the user's axes."""
        if name not in self.known:
            self.known[name] = simulate(self, name)
        return self.known[name]

    def with_values(self, **values):
        """The same case with other arrays."""
        return Case(self.of, self.axes, self.special, **{**self.values(), **values})

    def values(self):
        """The arrays and sizes of the case."""
        return {k: v for k, v in self.__dict__.items() if k not in ("of", "axes", "special", "known")}

    def __str__(self):
        given = self.arguments() if self.of != "sgd" else {}
        shown = [f"{name} {value.shape}" for name, value in given.items() if isinstance(value, np.ndarray)]
        shown += [f"{name} {value}" for name, value in given.items() if not isinstance(value, np.ndarray)]
        if self.of == "sgd":
            shown = [f"{len(self.rates)} steps, momentum {self.momentum}, weight_decay {self.weight_decay}"]
        return ", ".join(shown) + (f" ({self.special})" if self.special else "")


def cases(of, axes, pairs=False):
    """Those of a layer, the smallest first."""
    tables = {"conv2d": CONV2D, "conv1d": CONV1D, "dense": DENSE} | dict.fromkeys(POOLS, POOL)
    if of in tables:
        rows = [row for row in tables[of] if pairs or "pairs" not in row[-1]]
        return [sliding(of, axes, *row, seed=seed) for seed, row in enumerate(rows)]
    return {"sgd": steps, "softmax_cross_entropy": scored, "squared_error": targeted}.get(of, pointwise)(
        of, axes
    )


def numbers(rng, shape, special=""):
    """Normal numbers; whole ones, or many ties, or negative ones, where that is what is special."""
    if special in ("whole numbers", "ties"):
        return rng.integers(0, 3, shape) * 2.0 - 1 if special == "ties" else rng.integers(-4, 5, shape) * 1.0
    values = rng.standard_normal(shape)
    return -abs(values) if special == "only negative numbers" else values


def sliding(of, axes, C, D, size, N, kernel, stride, padding, special="", seed=0):
    """A case of a layer with windows, or of a dense one."""
    stride, padding = ((v if isinstance(v, tuple) else (v, v)) for v in (stride, padding))
    if of == "conv1d":
        stride, padding = (1, stride[1]), (0, padding[1])
    rng = np.random.default_rng([seed, C, D, N])
    out = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(size, padding, kernel, stride)]
    x, delta = (
        numbers(rng, (C, *size, N), special),
        numbers(rng, (D, *out, N), special.replace("only neg", "")),
    )
    values = dict(x=x, delta=delta, kernel=kernel, stride=stride, padding=padding)
    if of in WINDOWS:
        values |= dict(W=numbers(rng, (D, C, *kernel), special), b=numbers(rng, D, special))
    return Case(of, axes, special, **values)


def pointwise(of, axes):
    """Cases of an activation function."""
    rng = np.random.default_rng(5)
    sizes = [(2, 1), (3, 4), (4, 3)]  # examples last
    made = [Case(of, axes, x=2 * rng.standard_normal(s), delta=rng.standard_normal(s)) for s in sizes]
    if of == "relu":
        for shape in ((4, 1), (4, 5)):
            x = rng.integers(-1, 2, shape) * 1.0
            x[:2, :1] = [[1], [0]]
            made.append(Case(of, axes, "zeros in x", x=x, delta=rng.standard_normal(shape)))
    return made


def scored(of, axes):
    """Cases of softmax with cross-entropy."""
    rng, made = np.random.default_rng(6), []
    for K, N, size, special in (
        *((2, 1, 1, ""), (4, 3, 2, ""), (3, 5, 2, ""), (4, 4, 1, "")),
        *((4, 1, 900, "scores of almost a thousand"), (3, 4, 900, "scores of almost a thousand")),
    ):
        scores, labels = size * rng.uniform(0.2 if special else -1, 1, (K, N)), rng.integers(0, K, N)
        made.append(Case(of, axes, special, scores=scores, labels=labels))
    return made


def targeted(of, axes):
    """Cases of the squared error."""
    rng = np.random.default_rng(7)
    sizes = [(2, 1), (3, 4), (4, 3), (5, 5)]
    return [Case(of, axes, outputs=rng.standard_normal(s), targets=rng.standard_normal(s)) for s in sizes]


def steps(of, axes):
    """Cases of SGD: several steps each."""
    rng, made = np.random.default_rng(8), []
    for rates, momentum, weight_decay in (
        *(([0.1], 0.0, 0.0), ([0.1, 0.05], 0.0, 0.0), ([0.1, 0.1, 0.1], 0.9, 0.0), ([0.1], 0.0, 0.2)),
        *(([0.1, 0.1, 0.1], 0.9, 0.2), ([0.1, 0.1, 0.05, 0.05], 0.8, 0.0)),
        ([0.1, 0.1, 0.05, 0.05], 0.8, 0.3),
    ):
        start = {"W": rng.standard_normal((3, 2)), "b": rng.standard_normal(3)}
        grads = {k: [rng.standard_normal(v.shape) for _ in rates] for k, v in start.items()}
        made.append(
            Case(
                of, axes, start=start, grads=grads, rates=rates, momentum=momentum, weight_decay=weight_decay
            )
        )
    return made
