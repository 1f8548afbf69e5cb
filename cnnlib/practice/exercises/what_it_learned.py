"""Exercises of the chapter on what a network has learned."""

import numpy as np

from ...layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU
from ...network import Sequential
from ..exercise import array, choice, function, number


@number(
    "what_it_learned.1",
    why="So Sobel's 8/9 is four times what chance gives.",
    hints=(
        "A random kernel of 3 × 3 is a sum of nine orthonormal forms. Is any of them special?",
        "The nine shares have the same mean and add up to 1. A ramp can rise along two directions: rows and columns.",
    ),
    tolerance=5e-3,
)
def chance():
    """The mean share of two of nine orthonormal forms in a random kernel, by drawing 20,000."""
    rng = np.random.default_rng(6)
    Q, _ = np.linalg.qr(rng.standard_normal((9, 9)))
    kernels = rng.standard_normal((20_000, 9))
    shares = (kernels @ Q) ** 2 / (kernels**2).sum(axis=1, keepdims=True)
    assert np.abs(shares.mean(axis=0) - 1 / 9).max() < 2e-3
    return round(2 * float(shares.mean()), 6), {
        "that is for 5 × 5; a kernel of 3 × 3 has nine numbers": 0.08,
        "that is one ramp; there are two, along the rows and along the columns": round(1 / 9, 6),
        "that is Sobel's, which is made to rise; a random kernel has no direction": round(8 / 9, 6),
        "in percent; write it as a fraction of 1": 22.0,
    }


@array(
    "what_it_learned.2",
    why="The integral of a derivative is a difference: the two shares add up to z(x) − z(0). This is called integrated gradients.",
    hints=(
        "On the way the point is (s, 2s). What are the two derivatives of z = x₁ x₂² there?",
        "∂z/∂x₁ = x₂² = 4s², and ∂z/∂x₂ = 2 x₁ x₂ = 4s². The integral of 4s² from 0 to 1 is 4/3. Multiply by x₁ and by x₂.",
    ),
    labels=("share of x₁", "share of x₂"),
    tolerance=5e-3,
)
def path():
    """Integrated gradients of z = x1 x2^2 from (0, 0) to (1, 2), with 4,000 points."""
    x = np.array([1.0, 2.0])
    s = (np.arange(4000) + 0.5) / 4000
    along = np.stack([(s * x[1]) ** 2, 2 * s * x[0] * s * x[1]]).mean(axis=1)
    at_end = np.array([x[1] ** 2, 2 * x[0] * x[1]])
    right = (along * x).round(6)
    assert abs(right.sum() - x[0] * x[1] ** 2) < 1e-5
    return right, {
        "that is gradient times input at the end of the way; the gradient is to be averaged along it": at_end
        * x,
        "these are the averaged gradients; multiply each by its input": along.round(6),
        "these are the gradients at the end of the way": at_end,
        "z is not shared equally: x₂ moves twice as far": np.array([2.0, 2.0]),
    }


ZERO = ("those of the probabilities", "those of the scores", "both", "neither")


@choice(
    "what_it_learned.3",
    why="The probabilities add up to 1 whatever the image is, so their gradients add up to 0. Nothing binds the scores.",
    hints=(
        "The sum of the gradients is the gradient of the sum. What is the sum of all probabilities?",
        "It is 1 for each image, so it does not move with any pixel. And the sum of the scores?",
    ),
    options=ZERO,
)
def all_classes():
    """Of which the gradients for all classes add up to zero at each pixel, for a random network."""
    net = Sequential(Flatten(), Dense(16, 8, rng=1), ReLU(), Dense(8, 4, rng=2))
    x = np.random.default_rng(3).standard_normal((1, 4, 4, 1))
    scores = net.forward(np.repeat(x, 4, axis=3))
    p = np.exp(scores[:, 0]) / np.exp(scores[:, 0]).sum()
    of_scores = np.abs(net.backward(np.eye(4)).sum(axis=-1)).max() < 1e-12
    net.forward(np.repeat(x, 4, axis=3))
    of_p = np.abs(net.backward(np.diag(p) - np.outer(p, p)).sum(axis=-1)).max() < 1e-12
    right = ZERO[
        {(True, False): 0, (False, True): 1, (True, True): 2, (False, False): 3}[bool(of_p), bool(of_scores)]
    ]
    return right, {
        "all scores can rise together, and the softmax does not notice": ZERO[1],
        "the scores have no fixed sum": ZERO[2],
        "one of the two has a sum that never changes": ZERO[3],
    }


def saliency(net, x, k):
    """d score_k / dx for one image x (C, H, W, 1)."""
    scores = net.forward(x)
    delta = np.zeros(scores.shape)
    delta[k] = 1
    return net.backward(delta)


def _of_probability(net, x, k):
    scores = net.forward(x)[:, 0]
    p = np.exp(scores) / np.exp(scores).sum()
    return net.backward((p[k] * (np.eye(len(p))[k] - p))[:, None])


def _of_all(net, x, k):
    return net.backward(np.ones(net.forward(x).shape))


def _nets():
    rng = np.random.default_rng(5)
    small = Sequential(Conv2d(1, 2, 3, rng=1), ReLU(), MaxPool2d(2), Flatten(), Dense(8, 3, rng=2))
    for k in (0, 2):
        yield small, rng.standard_normal((1, 6, 6, 1)), k
    yield Sequential(Flatten(), Dense(12, 4, rng=3)), rng.standard_normal((3, 2, 2, 1)), 1


@function(
    "what_it_learned.4",
    why="One backward pass from a delta that is 1 at the class: that is the picture which pixels would change a score.",
    hints=(
        "After `net.forward(x)` the network can go back from any delta. Which delta asks for score k alone?",
        "A column of zeros with 1 in row k: `net.backward(delta)` is ∂(score k)/∂x.",
    ),
    tries=lambda: list(_nets()),
)
def write_it():
    """saliency(net, x, k): the gradient of score k with respect to the image."""
    return saliency, {
        "that is the gradient of the probability; the score's is asked for, one softmax before": _of_probability,
        "that is the gradient of the sum of all scores: only row k of delta is 1": _of_all,
        "the sign is gone: a pixel can lower a score, too": lambda *given: np.abs(saliency(*given)),
    }
