"""Exercises of the chapter on averaging over a batch."""

import numpy as np

from ..exercise import array, function, number


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


@number(
    "batch_averaging.3",
    why="At the noise scale half of the largest rate is left: three times the batch is not three times the rate any more.",
    hints=(
        "First the largest rate: what is α · (1 + N*/N) for batches of 32?",
        "The largest rate is 0.16. At N = 96 it is divided by 1 + 96/96.",
    ),
    tolerance=0.0005,
)
def larger_batch():
    """The rate for batches of 96, where 0.04 is best for 32 and the noise scale is 96."""
    star, small, large, rate = 96, 32, 96, 0.04
    most = rate * (1 + star / small)
    return most / (1 + star / large), {
        "that is the linear scaling rule: it holds far below the noise scale only": rate * large / small,
        "that is the largest rate, for batches without noise": most,
        "that goes with the square root of the batch; the formula does not": rate * np.sqrt(large / small),
        "a larger batch allows a longer step": rate * (1 + star / large) / (1 + star / small),
    }


def combined(gradients, sizes):
    """The mean gradient of all images, from the workers' means and the numbers of their images."""
    return sum(n * g for n, g in zip(sizes, gradients)) / sum(sizes)


def _workers():
    rng = np.random.default_rng(2)
    for sizes in ((4, 4), (5, 5, 3), (1, 8, 2, 5)):
        yield [rng.standard_normal((2, 3)) for _ in sizes], list(sizes)


@function(
    "batch_averaging.4",
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
