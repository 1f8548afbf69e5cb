"""Exercises of the chapter on the gradient check."""

import numpy as np

from ...gradcheck import check_gradients, numerical_gradient
from ...layers import Dense, ReLU
from ..exercise import array, choice, function, number


@number(
    "gradient_check.1",
    why="The central quotient of w³ is 3w² + ε²: the error is ε² J‴/6, and J‴ is 6.",
    hints=(
        "Compute 2.1³ and 1.9³, and divide their difference by the distance between the two places.",
        "(9.261 − 6.859) / 0.2.",
    ),
)
def cube():
    """The central quotient of w³ at 2 with ε = 0.1."""
    right = round(float(numerical_gradient(lambda w: w[0] ** 3, np.array([2.0]), 0.1)[0]), 9)
    return right, {
        "that is the derivative itself; the quotient is a little off": 3 * 2.0**2,
        "that is the quotient to one side": round((2.1**3 - 2**3) / 0.1, 9),
        "that is the quotient to the left side": round((2**3 - 1.9**3) / 0.1, 9),
        "the two places are 2ε apart, not ε": round((2.1**3 - 1.9**3) / 0.1, 9),
    }


@array(
    "gradient_check.2",
    why="Near the kink the quotient mixes both slopes: it says (z + ε)/2ε, whatever is right.",
    hints=(
        "Where are z − ε and z + ε? What does the ReLU give there?",
        "Left of zero it gives 0, so the quotient is (z + ε)/2ε wherever |z| < ε.",
    ),
    labels=("at z = 0", "at z = ε/2", "at z = 2ε"),
)
def near_the_kink():
    """What the central quotient says of a ReLU at 0, ε/2 and 2ε."""
    eps, relu = 1e-3, ReLU()
    at = np.array([[0.0, eps / 2, 2 * eps]])
    right = numerical_gradient(lambda z: relu.forward(z).sum(), at.copy(), eps).ravel()
    relu.forward(at)
    return right.round(9), {
        "these are the slopes that backward takes; the quotient steps over the kink": relu.backward(
            np.ones((1, 3))
        ).ravel(),
        "at ε/2 one end is ε/2 to the left of zero, the other 3ε/2 to the right": np.array([0.5, 0.5, 1.0]),
        "at 2ε both ends are to the right of zero": np.array([0.5, 0.75, 0.75]),
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
    "gradient_check.3",
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


def along(f, x, v):
    """The slope of f at x along v, by central differences."""
    at = numerical_gradient(lambda t: f(x + t[0] * v), np.zeros(1))
    return float(at[0])


def _quotient(width, both=True, unit=False):
    def slope(f, x, v):
        v, eps = v / np.linalg.norm(v) if unit else v, 1e-6
        return (f(x + eps * v) - f(x - eps * v * both)) / (width * eps)

    return slope


def _bowl(x):
    return float((x**2 * np.arange(1, x.size + 1).reshape(x.shape)).sum())


def _waves(x):
    return float(np.sin(3 * x).sum() + x.ravel()[0] * x.ravel()[-1])


def _tries():
    rng = np.random.default_rng(9)
    return [
        (f, rng.standard_normal(shape), rng.standard_normal(shape))
        for f, shape in ((_bowl, (3,)), (_waves, (2, 3)))
    ]


@function(
    "gradient_check.4",
    why="Two evaluations for a whole array: compare with (gradient * v).sum().",
    hints=(
        "Add ε v to all of x, compute f, take ε v off x, compute f, and divide the difference.",
        "(f(x + eps * v) - f(x - eps * v)) / (2 * eps), with eps = 1e-6.",
    ),
    tries=_tries,
    tolerance=1e-5,
)
def write_it():
    """slope_along(f, x, v) by central differences."""
    return along, {
        "twice too large: from x − ε v to x + ε v it is 2ε": _quotient(1),
        "half of the right one: with f(x) itself the difference spans one ε, not two": _quotient(
            2, both=False
        ),
        "leave v as long as it is: the slope along v is the sum of gradient times v": _quotient(2, unit=True),
    }
