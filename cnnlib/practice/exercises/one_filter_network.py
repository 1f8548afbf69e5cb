"""Exercises of the chapter on the network with one filter."""

import numpy as np

from ...gradcheck import numerical_gradient
from ...layers import Conv2d, Dense, Flatten, Sigmoid
from ...losses import SquaredError
from ...network import Sequential
from ..exercise import array, choice, function, text
from ..mistaken import one_map, with_texts


def gradients(X, y, f, W, b):
    """X (H, L), a number y, f (K, K), W (positions, 1), b (1, 1) to dE/df, dE/dW and dE/db."""
    net = Sequential(Conv2d(1, 1, f.shape, bias=False), Sigmoid(), Flatten(), Dense(len(W), 1), Sigmoid())
    conv, _, _, dense, _ = net.layers
    conv.params["W"][...], dense.params["W"][...], dense.params["b"][...] = f, W.T, b[0]
    loss = SquaredError()
    loss.forward(net.forward(X[None, :, :, None]), np.array([[y]]))
    net.backward(loss.backward())
    return conv.grads["W"][0, 0], dense.grads["W"].T, dense.grads["b"][None]


@array(
    "one_filter_network.1",
    why="Every gradient carries the error and the two slopes of the sigmoids on its way: O(1 − O), and H₁(1 − H₁).",
    hints=(
        "Forward: Z₁ = 0, H₁ = σ(0) = ½, Z₂ = 2 · ½ − 1, O = σ(Z₂). Then dE/dZ₂ = (O − y) O (1 − O).",
        "dE/dZ₂ = −1/8. dE/dW = H₁ dE/dZ₂, dE/dZ₁ = W dE/dZ₂ · H₁(1 − H₁), and dE/df = X dE/dZ₁.",
    ),
    labels=("dE/df, upper left", "upper right", "lower left", "lower right", "dE/dW", "dE/db"),
)
def by_hand():
    """All gradients for a picture of 2 x 2 and a filter of zeros."""
    given = np.array([[1.0, 2], [3, 4]]), 1.0, np.zeros((2, 2)), np.array([[2.0]]), np.array([[-1.0]])
    right = np.concatenate([g.ravel() for g in gradients(*given)])
    return right, {
        "the slope of the first sigmoid, H₁(1 − H₁) = ¼, is missing in dE/df": right * [4, 4, 4, 4, 1, 1],
        "the slope of the last sigmoid, O(1 − O) = ¼, is missing everywhere": right * 4,
        "the sign is wrong: E falls when O rises towards y = 1": -right,
        "dE/df is rotated by 180 degrees: no kernel turns in a kernel's own gradient": right[
            [3, 2, 1, 0, 4, 5]
        ],
        "dE/dZ₁ has the factor W = 2": right * [0.5, 0.5, 0.5, 0.5, 1, 1],
    }


SUMS = (
    "the sum of dE/dZ₁ over all positions",
    "the mean of dE/dZ₁ over all positions",
    "dE/dZ₁ of the last position",
    "the sum of X · dE/dZ₁",
)


@choice(
    "one_filter_network.2",
    why="c has one path through each position, and over paths you add.",
    hints=(
        "How does Z₁ at one position change when c moves? And at how many positions does c stand?",
        "∂Z₁/∂c is 1 at every position. Along a path multiply, over paths add.",
    ),
    options=SUMS,
)
def filter_bias():
    """dE/dc of a bias of the filter, by finite differences."""
    rng = np.random.default_rng(5)
    X, f, W = rng.standard_normal((4, 5)), rng.standard_normal((3, 3)), rng.standard_normal((6, 1))

    def Z1(c):
        return np.array([[(X[i : i + 3, j : j + 3] * f).sum() + c for j in range(3)] for i in range(2)])

    def E(c, shift=0.0):
        H = 1 / (1 + np.exp(-(Z1(c[0]) + shift)))
        O = 1 / (1 + np.exp(-(W.ravel() @ H.ravel())))  # noqa: E741  The chapter's name.
        return float((1 - O) ** 2 / 2)

    measured = numerical_gradient(E, np.zeros(1))[0]
    dZ = numerical_gradient(lambda s: E([0.0], s), np.zeros((2, 3)))
    seen = sum(X[i : i + 3, j : j + 3].sum() * dZ[i, j] for i, j in np.ndindex(2, 3))
    values = dZ.sum(), dZ.mean(), dZ[-1, -1], seen
    (right,) = [name for name, value in zip(SUMS, values) if abs(value - measured) < 1e-7]
    return right, {
        "nothing is averaged: c moves all positions at once": SUMS[1],
        "c stands at every position, not at the last alone": SUMS[2],
        "the bias meets a 1 at every position, not the pixels": SUMS[3],
    }


FULL = one_map("conv2d", np.ones((3, 3)), [[1, 2], [-1, 3]], [[2, -1], [1, 4]])


@array(
    "one_filter_network.3",
    why="A pixel lies on paths through all positions that saw it: the full correlation of the deltas with the rotated filter.",
    hints=(
        "Four windows saw the picture. Put delta times the filter where each of them was, and add.",
        "The upper left pixel was seen by one window only, with f₀₀: 2 · 1. The middle one by all four, each with another weight.",
    ),
)
def pixels():
    """dE/dX of a picture of 3 x 3, cell by cell."""
    layer = Conv2d(1, 1, 2, bias=False)
    layer.params["W"][...] = FULL.W
    layer.forward(FULL.x)
    names = (
        "kernel not rotated",
        "kernel's rows and columns exchanged",
        "overlap overwritten instead of added",
    )
    return layer.backward(FULL.delta)[0, :, :, 0], with_texts(FULL, names)


def _pictures():
    rng = np.random.default_rng(7)
    for H, L, K in ((2, 2, 2), (4, 5, 3), (5, 4, 2)):
        positions = (H - K + 1) * (L - K + 1)
        shapes = (H, L), (K, K), (positions, 1), (1, 1)
        X, f, W, b = (rng.standard_normal(shape) for shape in shapes)
        yield X, 1.0, f, W, b


def _changed(change):
    return lambda *given: change(given, *gradients(*given))


@function(
    "one_filter_network.4",
    why="Six lines, and each is one wire of the network: compare, slope, weight, slope, correlate.",
    hints=(
        "Forward: Z₁ is the correlation of X with f, H₁ = σ(Z₁) as a column (row by row), O = σ(Wᵀ H₁ + b). Backward: begin with (O − y) O (1 − O).",
        "dW = H₁ dZ₂, db = dZ₂, dZ₁ = W dZ₂ · H₁ (1 − H₁) in the shape of the map, and df is the correlation of X with dZ₁.",
    ),
    tries=lambda: list(_pictures()),
    labels=("df", "dW", "db"),
)
def write_it():
    """backward(X, y, f, W, b) -> dE/df, dE/dW, dE/db."""

    def with_O(given, power):
        X, y, f, W, b = given
        H = np.array(
            [
                [(X[i : i + len(f), j : j + len(f)] * f).sum() for j in range(X.shape[1] - len(f) + 1)]
                for i in range(len(X) - len(f) + 1)
            ]
        )
        out = 1 / (1 + np.exp(-(W.T @ (1 / (1 + np.exp(-H.reshape(-1, 1)))) + b)))[0, 0]
        return (out * (1 - out)) ** power

    return gradients, {
        "the slope of the last sigmoid, O (1 − O), is missing in all three": _changed(
            lambda given, *found: tuple(g / with_O(given, 1) for g in found)
        ),
        "the sign of all three is wrong: dE/dO is O − y": _changed(
            lambda given, *found: tuple(-g for g in found)
        ),
        "df is rotated by 180 degrees; a kernel's own gradient is not turned": _changed(
            lambda given, df, dW, db: (df[::-1, ::-1], dW, db)
        ),
        "df is averaged over the positions; they are added": _changed(
            lambda given, df, dW, db: (df / len(given[3]), dW, db)
        ),
    }


@text(
    "one_filter_network.5",
    why="dE/df carries the factor W, so the filter waits until W has moved. Two filters would stay equal for ever.",
    hints=(
        "Which of the three gradients has W as a factor? Which has H₁, and what is H₁ where the filter is zero?",
        "H₁ = σ(0) = ½ everywhere, so dE/dW is not zero. dE/dZ₁ = W · …, and W is zero.",
    ),
)
def from_nothing():
    """Which of f, W and b does not move at the first step from zero."""
    X = np.random.default_rng(6).standard_normal((4, 5))
    found = gradients(X, 1.0, np.zeros((3, 3)), np.zeros((6, 1)), np.zeros((1, 1)))
    names = (
        ("f", "filter", "the filter", "the filter f", "dE/df"),
        ("W", "dE/dW", "the weights"),
        ("b", "dE/db", "the bias"),
    )
    (right,) = [name for name, g in zip(names, found) if not g.any()]
    return right, {
        "dE/dW = H₁ · dE/dZ₂, and H₁ is ½ everywhere": names[1],
        "dE/db = dE/dZ₂ = (O − y) O (1 − O), which is −1/8 here": names[2],
        "one of the three gradients carries a factor that is zero": ("none", "none of them"),
    }
