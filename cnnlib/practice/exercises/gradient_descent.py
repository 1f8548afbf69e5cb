"""Exercises of the chapter on loss and gradient descent."""

import numpy as np

from ...layers import Dense
from ...losses import SquaredError
from ...network import Sequential
from ...optim import SGD
from ...training import step
from ..exercise import array, function, number
from ..mistaken import program


@number(
    "gradient_descent.1",
    why="The mean of the gradients, then the decay of the weight, then the learning rate: each once.",
    hints=(
        "The gradient is the mean of the two slopes, plus λ times w.",
        "The mean of 3 and −1 is 1, the decay adds 0.1 · 2. Take 0.5 times that off w.",
    ),
)
def one_step():
    """w after one step from 2 with the slopes 3 and -1, λ = 0.1, α = 0.5, by the library."""
    net = Sequential(Dense(1, 1))
    (layer,) = net.layers
    layer.params["W"][...] = 2.0
    # The slope of example n is (w x + b - y) x: with x = 1 and b = 0 the targets 2 - 3 and 2 + 1 give 3 and -1.
    step(net, SquaredError(), SGD(net, lr=0.5, weight_decay=0.1), np.ones((1, 2)), np.array([[-1.0, 3.0]]))
    right = round(float(layer.params["W"][0, 0]), 9)
    return right, {
        "that is with the sum of the two slopes: the cost is their mean": round(
            2 - 0.5 * (3 - 1 + 0.1 * 2), 9
        ),
        "the decay is not divided by N: only the losses of the examples are averaged": 2
        - 0.5 * (3 - 1 + 0.1 * 2) / 2,
        "that is without weight decay": 2 - 0.5 * 1,
        "that is uphill: the step is taken off": 2 + 0.5 * (1 + 0.2),
        "that is the step; take it off w": 0.5 * (1 + 0.2),
    }


@array(
    "gradient_descent.2",
    why="The best step makes the steepest and the flattest direction equally slow; from there on only their ratio counts.",
    hints=(
        "The larger α is, the smaller 1 − 0.4α becomes, and the larger |1 − 2α|. Where are the two equally large?",
        "They are equally large where 1 − 0.4 α = 2 α − 1.",
    ),
    labels=("best α", "the factor of both"),
    tolerance=5e-4,
)
def best_step():
    """The step that makes the worse of two factors smallest, by trying 200,001 of them."""
    low, high = 0.4, 2.0
    alpha = np.linspace(0, 1, 200_001)
    worse = np.maximum(abs(1 - alpha * low), abs(1 - alpha * high))
    best = alpha[worse.argmin()]
    right = np.array([best, worse.min()]).round(4)
    return right, {
        "1/μ_max makes the steep direction perfect and leaves the flat one slow": np.array(
            [1 / high, 1 - low / high]
        ),
        "at 2/μ_max the steep direction does not come nearer at all": np.array([2 / high, 1.0]),
        "1/μ_min is best for the flat direction, but the steep one flies off": np.array(
            [1 / low, abs(1 - high / low)]
        ),
    }


@number(
    "gradient_descent.3",
    why="Centred inputs make H diagonal: weight and bias no longer disturb each other, and descent needs fewer steps.",
    hints=(
        "The new inputs are −1, 0 and 1. Their mean is 0, so the two corners of H are 0.",
        "H is diagonal now, with the mean of the squares, 2/3, and 1. These are its eigenvalues.",
    ),
    tolerance=5e-3,
)
def centred():
    """The ratio of the eigenvalues of H for the inputs 1, 2, 3, less their mean."""

    def ratio(x):
        mu = np.linalg.eigvalsh([[np.mean(x**2), np.mean(x)], [np.mean(x), 1]])
        return mu[1] / mu[0]

    x = np.array([1.0, 2, 3])
    right = round(ratio(x - x.mean()), 6)
    return right, {
        "that is the ratio before the mean is taken off": round(ratio(x), 6),
        "that is the smaller eigenvalue over the larger one": round(1 / right, 6),
        "the mean of the squares is 2/3, over three inputs, not their sum": 2.0,
    }


@function(
    "gradient_descent.4",
    why="These slopes are what backward begins with, and the 1/N stands in them for the whole network.",
    hints=(
        "The derivative of 1/2 (z − y)² is z − y. What does the mean over the examples do to it?",
        "The examples are the columns: divide by outputs.shape[1], and by nothing else.",
    ),
    of="squared_error",
)
def write_it():
    """doutputs(outputs, targets) of the squared error."""
    names = (
        "not averaged: sum for mean",
        "averaged over examples and outputs",
        "the sign of the difference",
        "twice too large",
    )
    return program("squared_error"), {name: program("squared_error", name) for name in names}
