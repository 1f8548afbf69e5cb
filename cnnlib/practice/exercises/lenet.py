"""Exercises of the chapter on LeNet."""

from math import log10

import numpy as np

from ...layers import Conv2d, Dense, Flatten, MaxPool2d
from ...losses import SoftmaxCrossEntropy
from ...network import Sequential
from ...optim import SGD
from ..exercise import array, function, number
from ..mistaken import program

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
    why="A first loss far above ln 10 says that the start is too large: the softmax is certain before it has learned anything.",
    hints=(
        "A network that knows nothing gives all ten classes the same probability. What is the cross-entropy of that?",
        "It is −ln(1/10), the natural logarithm.",
    ),
    tolerance=5e-3,
)
def first_loss():
    """The loss of ten equal scores."""
    right = round(SoftmaxCrossEntropy().forward(np.zeros((10, 4)), np.arange(4)), 6)
    return right, {
        "that is the logarithm to base 10; the loss has the natural one": log10(10),
        "that is the probability; the loss is minus its logarithm": 0.1,
        "that is the logarithm of the probability: the loss has a minus sign": -right,
        "that is the logarithm to base 2, in bits": round(right / np.log(2), 6),
    }


@number(
    "lenet.4",
    why="A sum over N is N times the mean, so the learning rate must be N times smaller.",
    hints=(
        "By what factor is the gradient of the sum larger than that of the mean, for a batch of 50?",
        "50 times. The step α · gradient is to stay.",
    ),
    tolerance=5e-6,
)
def sums():
    """The rate at which training on sums makes the steps that 0.1 makes on means, batches of 50, by doing one step."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((4, 50)), rng.integers(3, size=50)

    def moved(reduction, rate):
        net, loss = Sequential(Dense(4, 3, rng=1)), SoftmaxCrossEntropy(reduction)
        before = net.layers[0].params["W"].copy()
        loss.forward(net.forward(x), t)
        net.backward(loss.backward())
        SGD(net, rate).step()
        return net.layers[0].params["W"] - before

    right = round(0.1 * float(np.abs(moved("mean", 1.0)).sum() / np.abs(moved("sum", 1.0)).sum()), 9)
    return right, {
        "the gradient is larger now, so the rate must be smaller": 0.1 * 50,
        "with the same rate the steps are 50 times as long": 0.1,
        "that is for ten classes; what counts is the size of the batch": 0.01,
        "divided by N twice": 0.1 / 50**2,
    }


@function(
    "lenet.5",
    why="(p − y)/N, and the largest score is taken off before the exponential, or it overflows.",
    hints=(
        "p = exp(scores)/Σ exp(scores), column by column. What happens for a score of 900?",
        "Take the largest score of each column off first: that changes no p. Then subtract 1 at the right class and divide by N.",
    ),
    of="softmax_cross_entropy",
)
def write_it():
    """dscores(scores, labels) of the mean loss."""
    of = "softmax_cross_entropy"
    names = (
        "not averaged: sum for mean",
        "dL/dp in place of dL/dz",
        "softmax applied twice",
        "softmax overflows",
    )
    return program(of), {name: program(of, name) for name in names}
