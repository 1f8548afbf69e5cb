"""Exercises of the chapter on LeNet."""

import numpy as np

from ...layers import Conv2d, Dense, Flatten, MaxPool2d, Sigmoid
from ...losses import SoftmaxCrossEntropy
from ...network import Sequential
from ..exercise import array, function, number

LAYERS = ("first convolution", "second convolution", "first dense layer", "second dense layer")


def _sizes():
    """The layers with weights, and the shapes that they make of one image of 28 x 28."""
    net = Sequential(
        *(Conv2d(1, 6, 5, rng=0), MaxPool2d(2), Conv2d(6, 16, 5, rng=1), MaxPool2d(2)),
        *(Flatten(), Dense(256, 120, rng=2), Dense(120, 10, rng=3)),
    )
    shape = (1, 28, 28, 1)
    for layer in net.layers:
        shape = layer.output_shape(shape)
        if layer.params:
            yield layer, shape


@array(
    "lenet.1",
    why="Nine tenths of the parameters sit in the first dense layer; the convolutions have few.",
    hints=(
        "A kernel of the second convolution reaches through all six maps. And every layer has biases, one for each map or unit.",
        "6 · 25 + 6, then 16 · 6 · 25 + 16, then 120 · 256 + 120, then 10 · 120 + 10.",
    ),
    labels=LAYERS,
)
def parameters():
    """The parameters of the four layers, biases counted."""
    right = np.array([sum(p.size for p in layer.params.values()) for layer, _ in _sizes()], float)
    weights = np.array([layer.params["W"].size for layer, _ in _sizes()], float)
    return right, {
        "the biases are missing: one for each map, one for each unit": weights,
        "a kernel of the second convolution reaches through all six maps": np.array(
            [right[0], 16 * 25 + 16, *right[2:]]
        ),
    }


@array(
    "lenet.2",
    why="Nine tenths of the work are done by the convolutions, with a tenth of the parameters: each weight works at every place.",
    hints=(
        "A weight of a convolution is multiplied once at each place of its map. How large are the maps?",
        "The maps are 24 × 24 and 8 × 8: 150 · 576, then 2400 · 64. In a dense layer each weight multiplies once.",
    ),
    labels=LAYERS,
)
def work():
    """The multiplications of the four layers for one image."""
    right = np.array(
        [layer.params["W"].size * np.prod(shape[1:-1], initial=1.0) for layer, shape in _sizes()]
    )
    weights = np.array([layer.params["W"].size for layer, _ in _sizes()], float)
    return right, {
        "these are the weights; those of a convolution are used at every place of the map": weights,
        "the maps have 24 × 24 and 8 × 8 places, for a kernel of 5 must lie inside": right
        * [784 / 576, 144 / 64, 1, 1],
        "each output of the second convolution sums over all six maps": right * [1, 1 / 6, 1, 1],
    }


@number(
    "lenet.3",
    why="A first loss says how large the last layer is: equal scores cost ln 10, each unit of variance half a unit more.",
    hints=(
        "Ten equal scores cost ln 10. What does the variance of the scores add?",
        "ln 10 + σ²/2, with σ² = 1.",
    ),
    tolerance=6e-3,
)
def first_loss():
    """The expected first loss for scores of variance 1."""
    equal = SoftmaxCrossEntropy().forward(np.zeros((10, 4)), np.arange(4))
    right = round(equal + 0.5, 6)
    return right, {
        "that is the loss of equal scores; their variance adds to it": round(equal, 6),
        "half the variance is added, not all of it": round(equal + 1, 6),
        "the variance makes the loss larger, not smaller": round(equal - 0.5, 6),
        "that is in logarithms to base 10; the loss has the natural one": 1.5,
    }


def _sixth(change):
    """step_6(W3, dz3, z2); change(name, value, others) may spoil one of its values."""

    def step_6(W3, dz3, z2):
        flat, pool, f = Flatten(), MaxPool2d(2), Sigmoid()
        flat.forward(pool.forward(f.forward(z2)))
        column = change("column", W3.T @ dz3, dz3)
        maps = change("maps", flat.backward(column), column)
        back = change("back", pool.backward(maps), maps)
        return change("end", f.backward(back), back)

    return step_6


def _spoilt(name, how):
    """The same with one value put through how(value, what it was made of)."""
    return _sixth(lambda called, value, before: how(value, before) if called == name else value)


def _transposed(maps, column):
    """The column laid out as if Flatten took rows, columns, channels."""
    C, H, W, N = maps.shape
    return column.reshape(H, W, C, N).transpose(2, 0, 1, 3)


def _arguments():
    """W3, dz3 and z2 for several channels, one channel, and one example."""
    rng = np.random.default_rng(17)
    for C, D, N in ((3, 5, 4), (1, 2, 3), (2, 7, 1)):
        yield rng.standard_normal((D, 4 * C)), rng.standard_normal((D, N)), rng.standard_normal((C, 4, 4, N))


@function(
    "lenet.4",
    why="Undo the forward pass from its end: transposed weights, the reshape, the winners, the slope.",
    hints=(
        "Four things in this order: W3ᵀ dz3, reshape to (C, 2, 2, N), to the winners, times f′(z2).",
        "np.repeat along rows and along columns brings a map of 2 × 2 to 4 × 4; the winner is where f(z2) is its window's largest.",
    ),
    tries=lambda: list(_arguments()),
)
def step_six():
    """step_6(W3, dz3, z2) -> dJ/dz2 behind Sigmoid, MaxPool2d(2) and Flatten."""
    return _sixth(lambda name, value, before: value), {
        "the slope f′(z2) = f(1 − f) is missing": _spoilt("end", lambda value, back: back),
        "each number went to all four pixels of its window; only the winner gets it": _spoilt(
            "back", lambda value, maps: maps.repeat(2, axis=1).repeat(2, axis=2)
        ),
        "each number was divided among the four pixels, as average pooling does": _spoilt(
            "back", lambda value, maps: maps.repeat(2, axis=1).repeat(2, axis=2) / 4
        ),
        "the column is laid out in another order: Flatten takes channels, rows, columns": _spoilt(
            "maps", _transposed
        ),
        "divided by N once more: N is in dz3 already": _spoilt(
            "column", lambda value, dz3: value / dz3.shape[1]
        ),
    }
