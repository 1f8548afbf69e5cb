"""Exercises of the chapter on gradient descent and the gradient check."""

import numpy as np

from ...gradcheck import check_gradients, numerical_gradient
from ...layers import Dense
from ...network import Sequential
from ...optim import SGD
from ..exercise import array, choice, function, number


@array(
    "gradient_descent.1",
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
    "gradient_descent.2",
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


@number(
    "gradient_descent.3",
    why="A step with weight decay shrinks the weights first: W − α(∂J/∂W + λW) = (1 − αλ) W − α ∂J/∂W.",
    hints=(
        "Write down the step W − α (∂J/∂W + λ W) for ∂J/∂W = 0.",
        "Put W outside of the brackets: it is (1 − α λ) W.",
    ),
)
def shrinking():
    """By what factor a step with decay multiplies the weights where the gradient is zero, by doing it."""
    net = Sequential(Dense(4, 3, rng=0))
    (layer,) = net.layers
    layer.forward(np.ones((4, 1)))
    layer.backward(np.zeros((3, 1)))
    old = layer.params["W"].copy()
    SGD(net, lr=0.5, weight_decay=0.2).step()
    right = round(float((layer.params["W"] / old).mean()), 9)
    return right, {
        "the decay is multiplied by the learning rate, like the gradient": 0.8,
        "that is 1 − α; the decay λ is a factor too": 0.5,
        "that is how much is taken off; the weights keep the rest": 0.1,
        "decay pulls towards zero, so the factor is below 1": 1.1,
    }


def central(f, x):
    """The gradient of f at x by central differences; x stays as it is."""
    return numerical_gradient(f, x.copy())


def _differences(step, restore=True, both=True):
    def gradient(f, x):
        x, found = np.array(x, float), np.zeros(np.shape(x))
        for at in np.ndindex(x.shape):
            old = x[at]
            x[at] = old + 1e-6
            high = f(x)
            x[at] = old - 1e-6 * both
            found[at] = (high - f(x)) / step
            if restore:
                x[at] = old
        return found

    return gradient


def _bowl(x):
    return float((x**2 * np.arange(1, x.size + 1).reshape(x.shape)).sum())


def _waves(x):
    return float(np.sin(3 * x).sum() + x.ravel()[0] * x.ravel()[-1])


@function(
    "gradient_descent.4",
    why="This is the judge of the whole book: it knows no formula of any layer.",
    hints=(
        "For each element: add ε, compute f, take off 2ε, compute f, divide the difference by 2ε, and put the element back.",
        "`for at in np.ndindex(x.shape)` visits the elements. ε = 1e-6 serves for numbers of size one.",
    ),
    tries=lambda: [
        (f, np.random.default_rng(9).standard_normal(shape)) for f, shape in ((_bowl, (3,)), (_waves, (2, 3)))
    ],
    tolerance=1e-5,
)
def write_it():
    """gradient(f, x) by central differences."""
    return central, {
        "every number is twice too large: from x − ε to x + ε it is 2ε": _differences(1e-6),
        "every number is half of the right one: with f(x) itself the difference spans one ε, not two": _differences(
            2e-6, both=False
        ),
    }


class _Reversed(Dense):
    """Takes the inputs' gradients in the wrong order."""

    def backward(self, delta, input_gradient=True):
        """As in Dense, but for the order of dW's columns."""
        dx = super().backward(delta, input_gradient)
        self.grads["W"] = self.grads["W"][:, ::-1]
        return dx


INPUTS = ("random numbers", "all inputs 1", "a single example of random numbers", "inputs of size 1000")


@choice(
    "gradient_descent.5",
    why="Symmetric data hide mistakes: where all inputs are equal, all columns of ∂J/∂W are, and their order cannot matter.",
    hints=(
        "The mistake exchanges columns of ∂J/∂W. When does nobody see that?",
        "Column j of ∂J/∂W is the sum of δ times input j. Which inputs make all columns equal?",
    ),
    options=INPUTS,
)
def deceived():
    """The input for which check_gradients finds nothing wrong with reversed columns."""
    rng = np.random.default_rng(3)
    tried = (
        rng.standard_normal((3, 4)),
        np.ones((3, 4)),
        rng.standard_normal((3, 1)),
        1e3 * rng.standard_normal((3, 4)),
    )
    (right,) = [name for name, x in zip(INPUTS, tried) if check_gradients(_Reversed(3, 2, rng=0), x).ok]
    return right, {
        "random inputs differ, so the columns do, and the check sees the exchange": INPUTS[0],
        "one example is enough, as long as its inputs differ": INPUTS[2],
        "the error is relative: the size of the inputs does not hide anything": INPUTS[3],
    }
