"""Exercises of the chapter on averaging over a batch."""

import numpy as np

from ...layers import Dense
from ...losses import SoftmaxCrossEntropy
from ...network import Sequential
from ...optim import SGD
from ..exercise import array, choice, function, number


def _trained(reduction, rate, x, t, steps=5, momentum=0.9):
    net, loss = Sequential(Dense(4, 3, rng=1)), SoftmaxCrossEntropy(reduction)
    descent = SGD(net, rate, momentum=momentum)
    for _ in range(steps):
        loss.forward(net.forward(x), t)
        net.backward(loss.backward())
        descent.step()
    return net.layers[0].params["W"].copy()


def _batch():
    rng = np.random.default_rng(0)
    return rng.standard_normal((4, 8)), rng.integers(3, size=8)


@array(
    "batch_averaging.1",
    why="Mean with α and sum with α/N are the same step; whoever divides twice goes a third of the way.",
    hints=(
        "The mean of 3, −1 and 4 is 2, their sum is 6.",
        "w − 0.3 · 2. The sum is three times the mean, so its α is a third. Divided twice: w − 0.3 · 2/3.",
    ),
    labels=("w after the step with the mean", "α for the sum", "w if divided twice"),
)
def by_hand():
    """One step from three gradients."""
    g, w, alpha = np.array([3.0, -1, 4]), 2.0, 0.3
    right = np.array([w - alpha * g.mean(), alpha * g.mean() / g.sum(), w - alpha * g.mean() / len(g)])
    return right, {
        "the step goes against the gradient: w falls": np.array(
            [w + alpha * g.mean(), right[1], w + alpha * g.mean() / 3]
        ),
        "the sum is larger than the mean, so its α is smaller": np.array([right[0], 3 * alpha, right[2]]),
        "that is the step with the sum and α = 0.3": np.array([w - alpha * g.sum(), right[1], right[2]]),
    }


@number(
    "batch_averaging.2",
    why="The noise falls with the square root only: five times less noise costs twenty-five times as many images.",
    hints=(
        "One image's noise is σ, a mean's of N independent images σ/√N. What must √N be?",
        "3/√N = 1/5, so √N = 15.",
    ),
)
def how_many():
    """The size of a batch whose noise is a fifth of the gradient, where one image's is three times the gradient."""
    sizes = np.arange(1, 2000)
    right = int(sizes[3 / np.sqrt(sizes) <= 0.2 + 1e-12][0])
    return right, {
        "that is √N: the noise falls with the square root of N": 15,
        "that is for a noise as large as the gradient": 9,
        "3 · 5 · 5: the 3 is squared, too": 75,
        "that is for five times less noise than one image's": 25,
    }


RATES = ("α/N", "α/N²", "α/√N", "α (1 − μ)/N")


@choice(
    "batch_averaging.3",
    why="The momentum collects gradients, so it is N times as long as well, and α/N takes that back.",
    hints=(
        "v is a sum of gradients with weights that depend on μ only. What becomes of v when each gradient is N times as long?",
        "v is N times as long, the step is α v.",
    ),
    options=RATES,
)
def momentum():
    """The rate for the sum that repeats what α does for the mean, with momentum 0.9, by training both."""
    x, t = _batch()
    N, alpha = len(t), 0.05
    wanted = _trained("mean", alpha, x, t)
    tried = alpha / N, alpha / N**2, alpha / np.sqrt(N), alpha * 0.1 / N
    (right,) = [
        name for name, rate in zip(RATES, tried) if np.abs(_trained("sum", rate, x, t) - wanted).max() < 1e-12
    ]
    return right, {
        "v is linear in the gradients: N comes in once": RATES[1],
        "that is how noise falls; the gradient itself is a sum": RATES[2],
        "μ is the same in both trainings, and so is what it does": RATES[3],
    }


TWINS = ("the mean stays, the sum doubles", "both stay", "both double", "the mean is halved, the sum stays")


@choice(
    "batch_averaging.4",
    why="No new image, no new knowledge: the mean and its noise are those of the batch without twins.",
    hints=(
        "Each gradient now stands in the sum twice. By what is the sum divided for the mean?",
        "The sum is twice as large, and so is the number of images.",
    ),
    options=TWINS,
)
def twins():
    """What a batch in which each image stands twice does to mean and sum."""
    x, t = _batch()

    def gradient(reduction, x, t):
        net, loss = Sequential(Dense(4, 3, rng=1)), SoftmaxCrossEntropy(reduction)
        loss.forward(net.forward(x), t)
        net.backward(loss.backward())
        return net.layers[0].grads["W"]

    ratio = []
    for reduction in ("mean", "sum"):
        once = gradient(reduction, x, t)
        ratio.append(round(float((gradient(reduction, np.tile(x, 2), np.tile(t, 2)) / once).mean()), 6))
    right = TWINS[[(1, 2), (1, 1), (2, 2), (0.5, 1)].index(tuple(ratio))]
    return right, {
        "each image's gradient is added twice": TWINS[1],
        "the mean is divided by twice as many images": TWINS[2],
        "the mean of 1, 1, 3, 3 is that of 1, 3": TWINS[3],
    }


def combined(gradients, sizes):
    """The mean gradient of all images, from the workers' means and the numbers of their images."""
    return sum(n * g for n, g in zip(sizes, gradients)) / sum(sizes)


def _workers():
    rng = np.random.default_rng(2)
    for sizes in ((4, 4), (5, 5, 3), (1, 8, 2, 5)):
        yield [rng.standard_normal((2, 3)) for _ in sizes], list(sizes)


@function(
    "batch_averaging.5",
    why="Divide once, by the number of images that are really there; the last batch of an epoch is seldom full.",
    hints=(
        "A mean over n images times n is a sum over n images. Sums may be added.",
        "Σ n_k g_k / Σ n_k: that is the plain mean of means only where all workers have equally many images.",
    ),
    tries=lambda: list(_workers()),
)
def write_it():
    """combined(gradients, sizes) -> the mean gradient over all images."""
    return combined, {
        "that is the mean of the means: it is right for equally many images only": lambda g, n: (
            sum(g) / len(g)
        ),
        "that is a sum over all images; divide by their number": lambda g, n: combined(g, n) * sum(n),
        "that is the sum of the means": lambda g, n: sum(g),
        "divided twice: the workers' gradients are means already": lambda g, n: sum(g) / sum(n),
    }
