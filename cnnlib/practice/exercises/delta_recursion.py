"""Exercises of the chapter on the delta recursion."""

import numpy as np

from ...gradcheck import numerical_gradient
from ...layers import Dense, Sigmoid
from ...losses import SoftmaxCrossEntropy, SquaredError
from ...network import Sequential
from ..exercise import array, choice, function, number


@array(
    "delta_recursion.1",
    why="Forward, compare, back through the transposed weights, and at each wire the product of what arrives from both sides.",
    hints=(
        "Forward first: z₀ and z₁, then a. The delta of the output is a − y, because the loss is half the squared error.",
        "A hidden delta is its weight to the output times the output's delta. A weight's gradient is its input times the delta at its end.",
    ),
    labels=(
        "δ of the output",
        "δ of z₀",
        "δ of z₁",
        "gradient of weight 0.5",
        "gradient of weight −1",
        "gradient of weight 3",
        "gradient of weight 1",
    ),
)
def by_hand():
    """Deltas and gradients of a chain with two hidden units."""
    net, loss = Sequential(Dense(1, 2, bias=False), Dense(2, 1, bias=False)), SquaredError()
    first, last = net.layers
    first.params["W"][...], last.params["W"][...] = [[0.5], [-1]], [[3, 1]]
    x, y = np.array([[2.0]]), np.array([[2.0]])
    a = net.forward(x)
    loss.forward(a, y)
    delta = loss.backward()
    hidden = last.backward(delta)
    first.backward(hidden)
    z = first.forward(x).ravel()
    right = np.concatenate([delta.ravel(), hidden.ravel(), first.grads["W"].ravel(), last.grads["W"].ravel()])
    doubled = right * 2
    summed = right.copy()
    summed[1:3] = last.params["W"].sum() * delta.ravel()
    summed[3:5] = summed[1:3] * x.ravel()
    swapped = right.copy()
    swapped[5:7] = hidden.ravel() * z
    return right, {
        "the loss has ½ before its square, so its derivative is a − y without a 2": doubled,
        "each hidden unit has one wire to the output: its delta is that wire's weight times δ, not the sum of both": summed,
        "a gradient of the last layer is its input z times the delta at its end, the output's, not the hidden unit's": swapped,
    }


USES = ("the sum of both uses' gradients", "their mean", "that of the second use only", "their product")


@choice(
    "delta_recursion.2",
    why="W reaches J on two sets of paths. This is the total derivative, and the reason why convolution sums over positions.",
    hints=(
        "Pretend that the layers have two matrices, and take both gradients. Then tie the two together: what happens to J when the one W moves?",
        "When W moves by ε, both copies move by ε. The change of J is the sum of the two changes.",
    ),
    options=USES,
)
def shared():
    """The gradient of a matrix that is used twice, by finite differences."""
    rng = np.random.default_rng(12)
    x, t = rng.standard_normal((4, 5)), rng.integers(3, size=5)
    W, last = rng.standard_normal((4, 4)), rng.standard_normal((3, 4))
    f, g, loss = Sigmoid(), Sigmoid(), SoftmaxCrossEntropy()

    def J(W):
        return loss.forward(last @ g.forward(W @ f.forward(W @ x)), t)

    numeric = numerical_gradient(J, W)
    J(W)
    a = f.forward(W @ x)
    second = g.backward(last.T @ loss.backward())
    uses = f.backward(W.T @ second) @ x.T, second @ a.T
    values = uses[0] + uses[1], (uses[0] + uses[1]) / 2, uses[1], uses[0] * uses[1]
    (right,) = [name for name, value in zip(USES, values) if np.abs(value - numeric).max() < 1e-7]
    return right, {
        "both copies move by as much as W does, not by half of it": USES[1],
        "the first use is a path to J as well": USES[2],
        "products stand along a path; these are two paths": USES[3],
    }


@number(
    "delta_recursion.3",
    why="Unless the weights make up for it, the first layers of a deep sigmoid network hardly learn.",
    hints=(
        "How large is the sigmoid's derivative at most? How often is a delta multiplied by one on its way from layer 8 to layer 1?",
        "f′ is at most 1/4, and from layer 8 to layer 1 there are seven steps.",
    ),
)
def fading():
    """By what factor the sigmoid's slopes make a delta smaller, at least, from layer 8 to layer 1."""
    f = Sigmoid()
    z = np.linspace(-9, 9, 1801)[None]
    f.forward(z)
    steepest = f.backward(np.ones_like(z)).max()
    return steepest**-7, {
        "that is eight steps: from layer 8 down to layer 1 there are seven": steepest**-8,
        "f′ = a(1 − a) is at most ½ · ½, not ½": 2.0**7,
        "the factors multiply from layer to layer; they do not add": 7 / steepest,
    }


def _passes(change):
    """The backward pass of two layers; change(name, value, x, W2, a1, a2) may spoil one of its values."""

    def gradients(x, y, W1, b1, W2, b2):
        a1 = 1 / (1 + np.exp(-(W1 @ x + b1[:, None])))
        a2 = 1 / (1 + np.exp(-(W2 @ a1 + b2[:, None])))
        seen = x, W2, a1, a2
        top = change("top", (a2 - y) * a2 * (1 - a2) / x.shape[1], *seen)
        sent = change("sent", W2.T @ top, *seen)
        below = change("below", sent * a1 * (1 - a1), *seen)
        found = below @ x.T, below.sum(axis=1), top @ a1.T, top.sum(axis=1)
        return tuple(change(name, one, *seen) for name, one in zip(("dW1", "db1", "dW2", "db2"), found))

    return gradients


def _spoilt(names, how):
    """The same with one value, or several, put through how(value, x, W2, a1, a2)."""
    return _passes(lambda name, value, *seen: how(value, *seen) if name in names else value)


def _networks():
    """Inputs, targets and weights: sizes that all differ, one example, and square matrices."""
    rng = np.random.default_rng(13)
    for D0, D1, D2, N in ((2, 3, 4, 5), (4, 3, 2, 1), (3, 3, 3, 3)):
        x, y = rng.standard_normal((D0, N)), rng.random((D2, N))
        W1, b1 = rng.standard_normal((D1, D0)), rng.standard_normal(D1)
        yield x, y, W1, b1, rng.standard_normal((D2, D1)), rng.standard_normal(D2)


@function(
    "delta_recursion.4",
    why="Four formulas, and every dense network of any depth is these lines in a loop.",
    hints=(
        "Go forward first and keep a1 and a2. Then delta2 at the top, delta1 from it, and from each delta two gradients.",
        "delta2 = (a2 − y) · a2(1 − a2) / N, delta1 = W2ᵀ delta2 · a1(1 − a1); dW = delta · inputᵀ, db = delta summed over the examples.",
    ),
    labels=("dW1", "db1", "dW2", "db2"),
    tries=lambda: list(_networks()),
)
def two_layers():
    """all_gradients(x, y, W1, b1, W2, b2) -> dW1, db1, dW2, db2."""
    every = "dW1", "db1", "dW2", "db2"
    return _passes(lambda name, value, *_: value), {
        "the slope f′ = a2(1 − a2) of the outputs is missing in the delta at the top": _spoilt(
            ["top"], lambda value, x, W2, a1, a2: value / (a2 * (1 - a2))
        ),
        "the slope f′ = a1(1 − a1) is missing in the hidden delta": _spoilt(
            ["below"], lambda value, x, W2, a1, a2: value / (a1 * (1 - a1))
        ),
        "J is a mean: 1/N is missing in the delta at the top": _spoilt(
            ["top"], lambda value, x, *_: value * x.shape[1]
        ),
        "divided by N twice: 1/N stands in the delta at the top, and the products only sum": _spoilt(
            every, lambda value, x, *_: value / x.shape[1]
        ),
        "the sign is wrong: a2 − y, not y − a2": _spoilt(["top"], lambda value, *_: -value),
        "a 2 too much: the ½ of the loss cancels the 2 of the square": _spoilt(
            ["top"], lambda value, *_: 2 * value
        ),
        "a bias gradient sums over the examples, it is no mean": _spoilt(
            ["db1", "db2"], lambda value, x, *_: value / x.shape[1]
        ),
    }
