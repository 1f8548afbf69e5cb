"""Exercises of the chapter on pooling."""

import numpy as np

from ...layers import AvgPool2d, MaxPool2d
from ..compare import signed
from ..exercise import array, choice, function
from ..mistaken import gradient, one_map, program, with_texts

OVERLAP = one_map(
    "max_pool2d", [[3, 1, 2, 2], [5, 4, 6, 1], [0, 2, 3, 7], [1, 5, 4, 2]], (3, 3), [[1, 2], [-3, 4]]
)


@array(
    "pooling.1",
    why="A number that is the maximum of several windows gets the delta of each, and they add.",
    hints=(
        "For each of the four windows of 3 × 3 look for the argmax first, the place of the largest number. Two windows may have the same one.",
        "The windows begin at (0, 0), (0, 1), (1, 0) and (1, 1). The two on the left have the same maximum; δ₀₀ and δ₁₀ add there.",
    ),
)
def overlapping():
    """Backward through overlapping windows, cell by cell."""
    names = (
        "pooling: overlap overwritten instead of added",
        "max pooling shared as average pooling",
        "no mask: every place gets the delta",
    )
    pool = MaxPool2d(3, stride=1)
    pool.forward(OVERLAP.x)
    return pool.backward(OVERLAP.delta)[0, :, :, 0], with_texts(OVERLAP, names)


@array(
    "pooling.2",
    why="The mean lets every pixel hear a little, the maximum one pixel all: the sum of what comes back is δ both times.",
    hints=(
        "How many pixels has a window of 7 × 7, and what is the derivative of their mean with respect to one of them?",
        "The mean is the sum over 49, so each pixel gets δ/49. The maximum moves with one of its pixels only.",
    ),
    labels=("mean: the gradient of each pixel", "maximum: how many gradients are not 0"),
    tolerance=5e-5,
)
def whole_map():
    """Global pooling of maps of 7 x 7."""
    x, one = np.random.default_rng(10).standard_normal((1, 7, 7, 1)), np.ones((1, 1, 1, 1))
    mean, top = AvgPool2d(7), MaxPool2d(7)
    mean.forward(x), top.forward(x)
    share, count = mean.backward(one)[0, 0, 0, 0], np.count_nonzero(top.backward(one))
    return np.array([share, count]), {
        "the mean divides by the number of pixels, 7 · 7, not by the length of one side": np.array(
            [7 * share, count]
        ),
        "without 1/n that is the gradient of a sum, not of a mean": np.array([49 * share, count]),
        "the maximum has one argmax; that all pixels get a gradient is so for the mean": np.array(
            [share, 49]
        ),
    }


TIED = one_map(
    "max_pool2d", [[2, 7, 7, 1], [7, 3, 0, 4], [1, 5, 6, 6], [5, 5, 2, 3]], (2, 2), [[1, 2], [3, 4]], 2
)
SUSPECTS = (
    "ties: every maximum gets the whole delta",
    "ties: the last maximum gets it",
    "no mask: every place gets the delta",
    "max pooling shared as average pooling",
)


def bug():
    """(x, delta, the right dx, a wrong dx): which mistake gave it?"""
    return TIED.x[0, :, :, 0], TIED.delta[0, :, :, 0], gradient(TIED), gradient(TIED, "dx", SUSPECTS[0])


@choice(
    "pooling.3",
    why="With ties the sum of the gradient grows beyond that of the deltas, and the mask x == max is how it happens.",
    hints=(
        "Look at the upper left window, whose largest number stands there twice. And at the upper right one, which has one largest number.",
        "The wrong gradient is right in every window with a single maximum. What does it do where there are several, and is each window's sum still its delta?",
    ),
    options=SUSPECTS,
)
def find_the_bug():
    """The one of four mistakes that gives the wrong gradient of ``bug``."""
    *_, wrong = bug()
    giving = {name: gradient(TIED, "dx", name) for name in SUSPECTS}
    (right,) = [name for name, dx in giving.items() if np.abs(dx - wrong).max() < 1e-12]
    return right, {
        f"“{name}” would write {', '.join(map(signed, dx[:2, :2].ravel()))} into the upper left window": name
        for name, dx in giving.items()
        if name != right
    }


@function(
    "pooling.4",
    why="Ties go to the first maximum, overlapping windows add, and rows that no window reaches get zero: all of it was tried.",
    hints=(
        "Pad x with −∞, so that the padding is never the maximum, and make zeros of that shape for the gradient. One window after the other: where is its argmax?",
        "`argmax` of a window, made flat to (C, KH·KW, N) along axis 1, is the place of the first maximum. Add delta at its row `at // KW` and column `at % KW`.",
    ),
    of="max_pool2d",
)
def write_it():
    """backward(x, kernel, delta, stride, padding) -> dx of max pooling."""
    names = (
        "pooling: overlap overwritten instead of added",
        "ties: every maximum gets the whole delta",
        "no mask: every place gets the delta",
    )
    return program("max_pool2d"), {name: program("max_pool2d", name) for name in names}
