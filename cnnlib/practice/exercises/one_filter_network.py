"""Exercises of the chapter on the network with one filter."""

import numpy as np

from ...gradcheck import numerical_gradient
from ...layers import Conv2d, Dense, Flatten, Sigmoid
from ...losses import SquaredError
from ...network import Sequential
from ..exercise import array, choice, function, text


def gradients(x, y, W1, W2, b):
    """x (H, L), a number y, W1 (K, K), W2 of the map's shape, a number b to dJ/dW1, dJ/dW2 and dJ/db."""
    net = Sequential(Conv2d(1, 1, W1.shape, bias=False), Sigmoid(), Flatten(), Dense(W2.size, 1), Sigmoid())
    conv, _, _, dense, _ = net.layers
    conv.params["W"][...], dense.params["W"][...], dense.params["b"][...] = W1, W2.reshape(1, -1), b
    loss = SquaredError()
    loss.forward(net.forward(x[None, :, :, None]), np.array([[y]]))
    net.backward(loss.backward())
    return conv.grads["W"][0, 0], dense.grads["W"].reshape(W2.shape), float(dense.grads["b"][0])


@array(
    "one_filter_network.1",
    why="Every gradient carries the error and the slopes of the sigmoids on its way: a⁽²⁾(1 − a⁽²⁾), and for the filter a⁽¹⁾(1 − a⁽¹⁾) too.",
    hints=(
        "Forward: z⁽¹⁾ = 0, a⁽¹⁾ = σ(0) = ½, z⁽²⁾ = 2 · ½ − 1, a⁽²⁾ = σ(z⁽²⁾). Then δ⁽²⁾ = (a⁽²⁾ − y) a⁽²⁾ (1 − a⁽²⁾).",
        "δ⁽²⁾ = −1/8. ∂J/∂W⁽²⁾ = δ⁽²⁾ a⁽¹⁾, δ⁽¹⁾ = δ⁽²⁾ W⁽²⁾ a⁽¹⁾(1 − a⁽¹⁾), and ∂J/∂W⁽¹⁾ = δ⁽¹⁾ x.",
    ),
    labels=("dJ/dW1, upper left", "upper right", "lower left", "lower right", "dJ/dW2", "dJ/db"),
)
def by_hand():
    """All gradients for an image of 2 x 2 and a filter of zeros."""
    found = gradients(np.array([[1.0, 2], [3, 4]]), 1.0, np.zeros((2, 2)), np.array([[2.0]]), -1.0)
    right = np.concatenate([np.ravel(g) for g in found])
    return right, {
        "the slope of the first sigmoid, a⁽¹⁾(1 − a⁽¹⁾) = ¼, is missing in dJ/dW1": right
        * [4, 4, 4, 4, 1, 1],
        "the slope of the last sigmoid, a⁽²⁾(1 − a⁽²⁾) = ¼, is missing everywhere": right * 4,
        "the sign is wrong: J falls when a⁽²⁾ rises towards y = 1": -right,
        "dJ/dW1 is rotated by 180 degrees: a filter is not rotated in its own gradient": right[
            [3, 2, 1, 0, 4, 5]
        ],
        "δ⁽¹⁾ has the factor W⁽²⁾ = 2": right * [0.5, 0.5, 0.5, 0.5, 1, 1],
    }


SUMS = (
    "the sum of δ⁽¹⁾ over all positions",
    "the mean of δ⁽¹⁾ over all positions",
    "δ⁽¹⁾ of the last position",
    "the sum of pixel · δ⁽¹⁾ over all windows",
)


@choice(
    "one_filter_network.2",
    why="c has one path through each position, and over paths you add.",
    hints=(
        "How does z⁽¹⁾ at one position change when c moves? And at how many positions does c stand?",
        "∂z⁽¹⁾/∂c is 1 at every position. Along a path multiply, over paths add.",
    ),
    options=SUMS,
)
def filter_bias():
    """dJ/dc of a bias of the filter, by finite differences."""
    rng = np.random.default_rng(5)
    x, W1, W2 = rng.standard_normal((3, 4)), rng.standard_normal((2, 2)), rng.standard_normal((2, 3))

    def z1(c):
        return np.array([[(x[i : i + 2, j : j + 2] * W1).sum() + c for j in range(3)] for i in range(2)])

    def loss(c, shift=0.0):
        a1 = 1 / (1 + np.exp(-(z1(c[0]) + shift)))
        return float((1 - 1 / (1 + np.exp(-(W2 * a1).sum()))) ** 2 / 2)

    measured = numerical_gradient(loss, np.zeros(1))[0]
    delta = numerical_gradient(lambda s: loss([0.0], s), np.zeros((2, 3)))
    seen = sum(x[i : i + 2, j : j + 2].sum() * delta[i, j] for i, j in np.ndindex(2, 3))
    values = delta.sum(), delta.mean(), delta[-1, -1], seen
    (right,) = [name for name, value in zip(SUMS, values) if abs(value - measured) < 1e-7]
    return right, {
        "nothing is averaged: c moves all positions at once": SUMS[1],
        "c stands at every position, not at the last alone": SUMS[2],
        "the bias meets a 1 at every position, not the pixels": SUMS[3],
    }


@text(
    "one_filter_network.3",
    why="The filter's gradient carries the factor W2, so the filter waits until W2 has moved. Two filters would stay equal for ever.",
    hints=(
        "Which of the three gradients has W2 as a factor? Which has a⁽¹⁾, and what is a⁽¹⁾ where the filter is zero?",
        "a⁽¹⁾ = σ(0) = ½ everywhere, so dJ/dW2 is not zero. δ⁽¹⁾ = δ⁽²⁾ W⁽²⁾ · …, and W⁽²⁾ is zero.",
    ),
)
def from_nothing():
    """Which of W1, W2 and b does not move at the first step from zero."""
    x = np.random.default_rng(6).standard_normal((3, 4))
    found = gradients(x, 1.0, np.zeros((2, 2)), np.zeros((2, 3)), 0.0)
    names = (
        ("W1", "filter", "the filter", "the filter W1", "dW1", "W(1)", "W⁽¹⁾"),
        ("W2", "dW2", "the weights", "W(2)", "W⁽²⁾"),
        ("b", "db", "the bias"),
    )
    (right,) = [name for name, g in zip(names, found) if not np.any(g)]
    return right, {
        "dJ/dW2 = δ⁽²⁾ a⁽¹⁾, and a⁽¹⁾ is ½ everywhere": names[1],
        "dJ/db = δ⁽²⁾ = (a⁽²⁾ − y) a⁽²⁾ (1 − a⁽²⁾), which is −1/8 here": names[2],
        "one of the three gradients carries a factor that is zero": ("none", "none of them"),
    }


def _images():
    rng = np.random.default_rng(7)
    for H, L, K in ((2, 2, 2), (4, 5, 3), (5, 4, 2)):
        shapes = (H, L), (K, K), (H - K + 1, L - K + 1)
        x, W1, W2 = (rng.standard_normal(shape) for shape in shapes)
        yield x, 1.0, W1, W2, float(rng.standard_normal())


def _changed(change):
    return lambda *given: change(given, *gradients(*given))


@function(
    "one_filter_network.4",
    why="Five lines, and each is one link of the chain: compare, slope, weight, slope, correlate.",
    hints=(
        "Forward: z⁽¹⁾ is the correlation of x with W1, a⁽¹⁾ = σ(z⁽¹⁾), a⁽²⁾ = σ(Σ W2 a⁽¹⁾ + b). Backward: begin with δ⁽²⁾ = (a⁽²⁾ − y) a⁽²⁾ (1 − a⁽²⁾).",
        "dW2 = δ⁽²⁾ a⁽¹⁾, db = δ⁽²⁾, δ⁽¹⁾ = δ⁽²⁾ W2 a⁽¹⁾ (1 − a⁽¹⁾), all in the shape of the map, and dW1 is the correlation of x with δ⁽¹⁾.",
    ),
    tries=lambda: list(_images()),
    labels=("dW1", "dW2", "db"),
)
def write_it():
    """backward(x, y, W1, W2, b) -> dW1, dW2, db."""

    def slope(given):
        x, y, W1, W2, b = given
        z1 = [
            [(x[i : i + len(W1), j : j + len(W1)] * W1).sum() for j in range(W2.shape[1])]
            for i in range(W2.shape[0])
        ]
        a2 = 1 / (1 + np.exp(-((W2 / (1 + np.exp(-np.array(z1)))).sum() + b)))
        return a2 * (1 - a2)

    return gradients, {
        "the slope of the last sigmoid, a⁽²⁾ (1 − a⁽²⁾), is missing in all three": _changed(
            lambda given, *found: tuple(g / slope(given) for g in found)
        ),
        "the sign of all three is wrong: dJ/da⁽²⁾ is a⁽²⁾ − y": _changed(
            lambda given, *found: tuple(-g for g in found)
        ),
        "dW1 is rotated by 180 degrees; a filter is not rotated in its own gradient": _changed(
            lambda given, dW1, dW2, db: (dW1[::-1, ::-1], dW2, db)
        ),
        "dW1 is averaged over the positions; they are added": _changed(
            lambda given, dW1, dW2, db: (dW1 / given[3].size, dW2, db)
        ),
    }
