"""Exercises of the chapter on softmax."""

import numpy as np

from ...formulas import softmax
from ...gradcheck import numerical_gradient
from ...layers import Sigmoid
from ...losses import SoftmaxCrossEntropy
from ..exercise import array, choice, function

SCORES = np.log([[26.0], [1], [6], [11], [6]])


@array(
    "softmax.1",
    why="ŷ − y: the right class is pulled up by what it lacks to 1, each other one is pushed down by its own share.",
    hints=(
        "The exponentials of the logits are 26, 1, 6, 11 and 6. What are the probabilities?",
        "The probabilities are those numbers over their sum, 50. From that of the right class take 1.",
    ),
    tolerance=5e-4,
)
def by_hand():
    """The gradient of the cross-entropy with respect to five scores."""
    loss = SoftmaxCrossEntropy()
    loss.forward(SCORES, np.array([0]))
    right, p = loss.backward().ravel(), loss.probabilities.ravel()
    return right, {
        "these are the probabilities ŷ; y is still to be taken off": p,
        "that is y − ŷ: gradient descent subtracts the gradient, so the right class must be negative": -right,
        "that is the derivative with respect to ŷ, −y/ŷ; the logits are one step further back": -np.eye(5)[0]
        / p,
        "that is softmax's own slope ŷ(1 − ŷ); the loss is missing": p * (1 - p),
    }


FORMULAS = ("ŷ − y", "ŷ · Σy − y", "ŷ − y · Σy", "Σy · (ŷ − y)")


@choice(
    "softmax.2",
    why="The derivation needs Σy = 1 in its last step only. For y that sum to one, one-hot or not, ŷ · Σy is ŷ.",
    hints=(
        "J = −Σ yᵢ log ŷᵢ, and log ŷᵢ = zᵢ − log Σ exp z. Differentiate that with respect to one score.",
        "∂J/∂z_k = −y_k + ŷ_k Σ yᵢ: the second term comes from the logarithm of the sum, which each of the yᵢ multiplies.",
    ),
    options=FORMULAS,
)
def soft_answers():
    """The gradient for a column y that sums to 0.9, by finite differences."""
    y = np.array([0.5, 0.2, 0.1, 0.1, 0.0])
    z, total = SCORES[:, 0], y.sum()
    numeric = numerical_gradient(lambda z: float(-(y * np.log(softmax(z))).sum()), z.copy())
    p = softmax(z)
    values = p - y, p * total - y, p - y * total, total * (p - y)
    (right,) = [formula for formula, value in zip(FORMULAS, values) if np.abs(value - numeric).max() < 1e-7]
    return right, {
        "this is so where y sums to one; here it need not": FORMULAS[0],
        "−y is the derivative of −Σ yᵢ zᵢ, whatever y sums to": FORMULAS[2],
        "Σy multiplies the log of the sum only, not the scores": FORMULAS[3],
    }


@array(
    "softmax.3",
    why="The gradient is a − y again, but each class stands for itself: nothing makes it add up to zero.",
    hints=(
        "∂J/∂a = −y/a + (1 − y)/(1 − a), and the sigmoid's slope is a(1 − a). Multiply the two for y = 1 and for y = 0.",
        "It is a − y, with a = σ(z). Use a computer for σ.",
    ),
    labels=("∂J/∂z₀", "∂J/∂z₁", "∂J/∂z₂"),
    tolerance=5e-4,
)
def yes_or_no():
    """Three yes-or-no questions, with a sigmoid each."""
    z, y = np.array([0.2, -0.7, 1.0]), np.array([1.0, 0, 1])
    f = Sigmoid()
    a = f.forward(z[:, None])
    right = f.backward((a - y[:, None]) / (a * (1 - a))).ravel()
    p, a = softmax(z), a.ravel()
    return right, {
        "that is softmax's ŷ − y: here each class has a sigmoid of its own": p - y,
        "the slope a(1 − a) cancels against the loss's 1/(a(1 − a))": (a - y) * a * (1 - a),
        "that is ∂J/∂a; the sigmoid's slope is still to come": (a - y) / (a * (1 - a)),
        "that is y − a: the sign is wrong": y - a,
    }


def with_temperature(scores, labels, T):
    """(K, N), (N,) and T > 0 to dJ/dscores of the mean loss of softmax(scores / T)."""
    loss = SoftmaxCrossEntropy()
    loss.forward(scores / T, labels)
    return loss.backward() / T


def _warm():
    rng = np.random.default_rng(4)
    for K, N, T in ((3, 1, 2.0), (4, 3, 0.5), (5, 2, 10.0)):
        yield rng.standard_normal((K, N)), rng.integers(K, size=N), T
    yield 1000 + rng.standard_normal((4, 2)), rng.integers(4, size=2), 1.0  # exp is infinite here


@function(
    "softmax.4",
    why="The chain rule adds a factor 1/T; ŷ itself is that of the scaled logits.",
    hints=(
        "Let s = z/T. You know ∂J/∂s. What is ∂s/∂z?",
        "(softmax(z/T) − y)/T, and over the number of examples for the mean. y is one-hot: `np.eye(K)[:, labels]`.",
    ),
    tries=lambda: list(_warm()),
    sizes={"N": 3},
)
def temperature():
    """dJ/dscores(scores, labels, T) of softmax with a temperature."""
    return with_temperature, {
        "the factor 1/T of the chain rule is missing": lambda z, t, T: with_temperature(z, t, T) * T,
        "the factor is T, want 1/T: z/T moves by 1/T when z moves by 1": lambda z, t, T: (
            with_temperature(z, t, T) * T**2
        ),
        "the probabilities are those of z, want those of z/T": lambda z, t, T: with_temperature(z, t, 1) / T,
        "the temperature is without effect": lambda z, t, T: with_temperature(z, t, 1),
        "the sum over the examples is meant for their mean: 1/N is missing": lambda z, t, T: (
            with_temperature(z, t, T) * len(t)
        ),
        "two things: the gradient is ŷ − y, not y − ŷ, and 1/N is missing": lambda z, t, T: (
            -with_temperature(z, t, T) * len(t)
        ),
        "the sign is wrong: the gradient is ŷ − y, not y − ŷ": lambda z, t, T: -with_temperature(z, t, T),
    }
