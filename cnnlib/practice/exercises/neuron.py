"""Exercises of the chapter on the neuron."""

from itertools import product

import numpy as np

from ...layers import ReLU, Sigmoid
from ..exercise import array, choice, layer, number


@number(
    "neuron.1",
    why="Equal weights count the ones, and the bias puts the border between one and two of them.",
    hints=(
        "The output is above one half exactly where z = 2x₁ + 2x₂ + 2x₃ + b is above zero. What is z for one 1, and for two?",
        "For one 1 it is 2 + b and must be negative, for two it is 4 + b and must be positive.",
    ),
    tolerance=0.999,
)
def vote():
    """The middle of the biases with which a neuron with weights 2 answers like the majority of three."""
    votes = np.array(list(product((0.0, 1), repeat=3)))
    ones = votes.sum(axis=1)
    sides = np.where(ones >= 2, 1, -1)
    fitting = [b for b in np.linspace(-8, 8, 1601).round(2) if np.array_equal(np.sign(2 * ones + b), sides)]
    return round((fitting[0] + fitting[-1]) / 2, 6), {
        "with that bias a single 1 is enough, or lies on the border": -1,
        "with that bias all three must be 1": -5,
        "the sign: with a positive bias the output is above one half without any 1": 3,
    }


@array(
    "neuron.2",
    why="One hidden unit counts the ones, the other is 1 only for two of them, and twice that is taken away again.",
    hints=(
        "Write down h₁ and h₂ for the four corners. For (0, 1) and for (1, 1) you get two equations for v₁ and v₂.",
        "For one 1, h = (1, 0), and the output must be 1. For two, h = (2, 1), and it must be 0.",
    ),
    labels=("v₁", "v₂"),
)
def xor():
    """The output weights of a 2-2-1 network with ReLU that computes XOR."""
    corners = np.array(list(product((0.0, 1), repeat=2))).T
    h = ReLU().forward(np.array([[1.0, 1], [1, 1]]) @ corners + np.array([[0.0], [-1]]))
    v = np.linalg.lstsq(h.T, np.array([0.0, 1, 1, 0]), rcond=None)[0]
    return v.round(9), {
        "with these the corner (1, 1) gives 1: v₂ must take away the 2 that h₁ is there": np.array([1.0, -1]),
        "with these the corner (1, 1) gives 2: that is no XOR but a sum": np.array([1.0, 0]),
        "v₂ must take away, so it is negative": np.array([1.0, 2]),
    }


class Softplus(ReLU):
    """log(1 + exp z), whose slope is known from its own output."""

    def forward(self, x):
        """(...) to (...)."""
        self.check(x)
        y = np.logaddexp(0, x)
        return self.keep(y, y)

    def backward(self, delta):
        """delta times 1 - exp(-y)."""
        (y,) = self.recall(delta)
        return delta * -np.expm1(-y)


def _other(slope):
    """Softplus with another slope, of its output y."""

    class Other(Softplus):
        """As it is often written."""

        def backward(self, delta):
            """delta times the slope."""
            (y,) = self.recall(delta)
            return delta * slope(y)

    return Other


def _run(cls, x, delta):
    made = cls()
    y = made.forward(x)
    return y, made.backward(delta)


@layer(
    "neuron.3",
    why="f′ = σ(z) = 1 − e⁻ᵃ, so the layer needs to keep its output only, as the sigmoid and tanh do.",
    hints=(
        "Differentiate log(1 + eᶻ). Then express the result by a = log(1 + eᶻ): what is e⁻ᵃ?",
        "f′ = eᶻ/(1 + eᶻ) and e⁻ᵃ = 1/(1 + eᶻ), so f′ = 1 − e⁻ᵃ. `forward` keeps a, `backward(delta)` returns delta times 1 − exp(−a).",
    ),
    tries=lambda: [
        tuple(np.random.default_rng(k).standard_normal((2, 4, 3)) * (1, 3, 8)[k]) for k in range(3)
    ],
    use=_run,
    labels=("forward", "backward"),
)
def softplus():
    """A layer that computes the softplus and keeps its output only."""
    return Softplus, {
        "backward: that is σ of the output a; the slope is σ(z) = 1 − e⁻ᵃ": _other(
            lambda a: 1 / (1 + np.exp(-a))
        ),
        "backward: that is the sigmoid's a(1 − a), the slope of another function": _other(
            lambda a: a * (1 - a)
        ),
        "backward: e⁻ᵃ is 1 − σ(z), the other part of one": _other(lambda a: np.exp(-a)),
        "backward: the slope is missing": _other(lambda a: 1),
    }


ENDS = ("right at both", "right at −40, zero at 40", "right at 40, zero at −40", "zero at both")


@choice(
    "neuron.4",
    why="Close to one the distance to one is lost, close to zero nothing is: at 40 a itself has been rounded to 1.",
    hints=(
        "σ(40) = 1 − 4 · 10⁻¹⁸. Which double is the nearest to it?",
        "At 40 the output rounds to 1, so that 1 − a is 0. At −40 the output is 4 · 10⁻¹⁸, and 1 − a rounds to 1.",
    ),
    options=ENDS,
)
def flat_ends():
    """What a(1 - a) gives at 40 and at -40."""
    f = Sigmoid()
    f.forward(np.array([[40.0, -40.0]]))
    good = f.backward(np.ones((1, 2)))[0] > 0
    right = ENDS[
        {(True, True): 0, (False, True): 1, (True, False): 2, (False, False): 3}[tuple(good.tolist())]
    ]
    return right, {
        "in exact arithmetic; but σ(40) is nearer to 1 than doubles can tell": ENDS[0],
        "it is the other way round: small numbers lose nothing, numbers close to one do": ENDS[2],
        "at −40 the output is 4 · 10⁻¹⁸, which a double holds well": ENDS[3],
    }


@array(
    "neuron.5",
    why="At the kink any slope from 0 to 1 is a subgradient; the library, like PyTorch, takes 0.",
    hints=(
        "Which of the three numbers z are positive? Only there does a gradient pass.",
        "At zero the library takes the slope 0, so that no gradient passes there.",
    ),
    labels=("z = −1", "z = 0", "z = 2"),
)
def kink():
    """Deltas 3, 5 and 7 through ReLU at -1, 0 and 2."""
    z, delta, f = np.array([[-1.0, 0, 2]]), np.array([[3.0, 5, 7]]), ReLU()
    f.forward(z)
    right = f.backward(delta)[0]
    return right, {
        "at zero you took the slope 1, a convention too; this library takes 0": delta[0] * (z[0] >= 0),
        "at zero you took the slope 1/2, a convention too; this library takes 0": delta[0]
        * np.heaviside(z[0], 0.5),
        "that is the output of ReLU for the deltas: it is z that decides what passes": np.maximum(
            delta[0], 0
        ),
        "the slope is 1 where z is positive, not z itself": delta[0] * np.maximum(z[0], 0),
    }
