"""Exercises of the chapter on why images need convolution."""

import numpy as np

from ...gradcheck import numerical_gradient
from ...layers import Conv2d
from ..exercise import array, choice, function


@array(
    "why_convolution.1",
    why="Locality saves the factor 144/25, sharing the factor 64, the number of places of a kernel.",
    hints=(
        "The kernel of 5 × 5 fits at 8 × 8 places, so there are 16 · 64 outputs. How many inputs does each of them read, in each kind of layer?",
        "Dense: 6 · 144 inputs an output. Local: 6 · 25 an output. Convolution: 6 · 25 weights for each of 16 kernels, at all places the same.",
    ),
    labels=("dense", "locally connected", "convolution"),
    sizes={"6": 6, "16": 16, "25": 25, "64": 64},
)
def counting():
    """Weights of three layers from 6 maps of 12 x 12 to 16 maps of 8 x 8."""
    layer = Conv2d(6, 16, 5, rng=0)
    C, H, L, _ = shape = (6, 12, 12, 1)
    units = int(np.prod(layer.output_shape(shape)))
    W = layer.params["W"].size
    right = np.array([units * C * H * L, units * W // 16, W], float)
    return right, {
        "each output reads all 6 maps, not one of them": right / 6,
        "there are 16 kernels, one for each map that is made": right / 16,
        "the output has 8 × 8 places, not 12 × 12: a kernel of 5 must lie inside": right
        * [144 / 64, 144 / 64, 1],
    }


MOVES = (
    "it moves by one place as well",
    "it stays the same",
    "it becomes another map, neither moved nor the same",
    "it moves by half a place, blurred",
)


@choice(
    "why_convolution.2",
    why="At stride 2 a layer is equivariant to moves by even numbers of pixels only: between these places no window begins.",
    hints=(
        "At stride 2 the windows begin at every second column. What did one of them see before the move to the right, and what does it see after it?",
        "After a move by one pixel each window sees what one a column further left would have seen before. None begins there.",
    ),
    options=MOVES,
)
def strided():
    """What the output of a layer with stride 2 does when the image moves by one pixel."""
    layer = Conv2d(1, 1, 3, stride=2, padding=1, bias=False, rng=3)
    image = np.zeros((1, 16, 16, 1))
    image[:, 5:10, 4:9] = np.random.default_rng(4).standard_normal((1, 5, 5, 1))
    before, after = (layer.forward(np.roll(image, k, axis=2)) for k in (0, 1))
    moved = np.roll(before, 1, axis=2)
    candidates = moved, before, None, (moved + before) / 2
    right = next(
        (m for m, c in zip(MOVES, candidates) if c is not None and np.abs(c - after).max() < 1e-12), MOVES[2]
    )
    return right, {
        "that is so at stride 1, and at stride 2 for a move by two pixels": MOVES[0],
        "the windows see other pixels now": MOVES[1],
        "half a place would be a mean of two maps; the numbers are others": MOVES[3],
    }


@array(
    "why_convolution.3",
    why="Sharing is adding: the gradient of a shared weight is the sum of what its copies would get.",
    hints=(
        "Where the weights of the windows are tied together, all copies move when the shared weight moves.",
        "Over all places you add: sum each column.",
    ),
    labels=("∂J/∂w₀", "∂J/∂w₁"),
    sizes={"3": 3},
)
def shared():
    """The gradient of shared weights out of those of three windows."""
    own = separate()
    x, delta = np.array([1.0, 2, -1, 3]), np.array([2.0, -1, 1])
    right = numerical_gradient(
        lambda w: float(sum(d * (w @ x[k : k + 2]) for k, d in enumerate(delta))), np.zeros(2)
    )
    right = right.round(6)
    assert np.array_equal(own.sum(axis=0), right)
    return right, {
        "that is their mean; when a shared weight moves, all three copies move by as much as it does": own.mean(
            axis=0
        ),
        "that is what the last window alone gives; the others count too": own[-1],
        "that is what the first window alone gives; the others count too": own[0],
    }


def separate():
    """The gradients of two weights at each of three windows, (3, 2), as if they were not shared."""
    x, delta = np.array([1.0, 2, -1, 3]), np.array([2.0, -1, 1])
    return np.stack([d * x[k : k + 2] for k, d in enumerate(delta)])


def locally_connected(x, W):
    """x (L,), W (OL, K) with a row of weights for each place, to y (OL,)."""
    places, K = W.shape
    return np.array([W[k] @ x[k : k + K] for k in range(places)])


def _lines():
    rng = np.random.default_rng(8)
    for places, K in ((1, 2), (3, 2), (5, 3)):
        yield rng.standard_normal(places + K - 1), rng.standard_normal((places, K))


@function(
    "why_convolution.4",
    why="Give all rows of W the same numbers, and it is a convolution: that is all that sharing changes.",
    hints=(
        "z_i has K inputs, x_i to x_{i+K−1}, and the weights W[i] of its own.",
        "z[i] = W[i] @ x[i : i + K], for each row i of W.",
    ),
    tries=lambda: list(_lines()),
)
def write_it():
    """A locally connected layer in one dimension."""
    return locally_connected, {
        "all places have the weights of the first: that is a convolution, here each place has its own": lambda x, W: (
            locally_connected(x, np.tile(W[0], (len(W), 1)))
        ),
        "the weights meet the inputs in reverse order": lambda x, W: locally_connected(x, W[:, ::-1]),
        "every place sees the first K inputs: the window does not move": lambda x, W: W @ x[: W.shape[1]],
    }
