"""Exercises of the chapter on the seesaw."""

import numpy as np

from ...layers import Conv1d, MaxPool1d, ReLU
from ...network import Sequential
from ..exercise import array, choice

ARM = np.arange(-2, 3)
PATTERNS = ("11000", "01100", "00110", "00011")


def boxes(word):
    """A pattern such as 01100 as the input (1, 5, 1)."""
    return np.array([float(box) for box in word])[None, :, None]


def front(v):
    """Filter, ReLU and pooling: from the board to A and B."""
    net = Sequential(Conv1d(1, 1, 2, bias=False), ReLU(), MaxPool1d(2))
    net.layers[0].params["W"][...] = v
    return net


@array(
    "seesaw.1",
    why="The ReLU comes before the pooling, so a pool of negative numbers is zero.",
    hints=(
        "z₁ = v₁ In₁ + v₂ In₂, z₂ = v₁ In₂ + v₂ In₃, and so on: the two weights slide over 0, 1, 1, 0, 0.",
        "Put zero in the place of each negative z. A is the larger of the first two, B of the last two.",
    ),
    labels=("z₁", "z₂", "z₃", "z₄", "A", "B"),
)
def forward():
    """All numbers from the board to the pools for 01100 and the filter (0.5, -1)."""

    def numbers(v, relu=True):
        net = front(v)
        z = net.layers[0].forward(boxes("01100"))
        pooled = net.forward(boxes("01100")) if relu else MaxPool1d(2).forward(z)
        return np.concatenate([z.ravel(), pooled.ravel()])

    return numbers([0.5, -1]), {
        "the filter lies the wrong way round: v₁ meets the left box": numbers([-1, 0.5]),
        "the ReLU is missing: a negative number does not reach the pools": numbers([0.5, -1], relu=False),
    }


@array(
    "seesaw.2",
    why="A pool hands its gradient to one neuron, the ReLU lets it pass where z is positive, and the filter adds what the neurons send.",
    hints=(
        "First forward: z = (−0.5, 0.5, 1, 0). Which neuron gave A its number, and which gave B?",
        "Only z₂ and z₃ get a gradient, 2 and −3. Then ∂L/∂v₁ is the sum of ∂L/∂z_k · In_k, and ∂L/∂v₂ that of ∂L/∂z_k · In_{k+1}.",
    ),
    labels=("∂L/∂z₁", "∂L/∂z₂", "∂L/∂z₃", "∂L/∂z₄", "∂L/∂v₁", "∂L/∂v₂"),
)
def backward():
    """From the pools back to the filter (1, -0.5), for 01100 and the gradients 2 and -3 of A and B."""
    net, given = front([1, -0.5]), np.array([[[2.0], [-3.0]]])
    conv, relu, pool = net.layers
    net.forward(boxes("01100"))
    dz = relu.backward(pool.backward(given)) + 0.0
    conv.backward(dz)
    right = np.concatenate([dz.ravel(), conv.grads["W"].ravel()])

    def to_filter(dz):
        conv.forward(boxes("01100"))
        conv.backward(dz[None, :, None])
        return np.concatenate([dz, conv.grads["W"].ravel()])

    return right, {
        "a pool has one winner; the other neuron has not moved the pool's number": to_filter(
            np.array([2.0, 2, -3, -3])
        ),
        "each pool's gradient goes to its winner, z₂ of the first two and z₃ of the last two": to_filter(
            np.array([2.0, 0, 0, -3])
        ),
        "the two gradients of the filter are exchanged: v₁ meets In_k, v₂ meets In_{k+1}": right[
            [0, 1, 2, 3, 5, 4]
        ],
    }


SIGNS = ("v₁ < 0 and v₂ < 0", "v₁ > 0 and v₂ < 0", "v₁ < 0 and v₂ > 0", "v₁ + v₂ < 0")


@choice(
    "seesaw.3",
    why="Both signs are a coin, so one start in four is dead: no pattern gets through the ReLU, and no gradient back.",
    hints=(
        "A network is dead if z is not positive in any of the four neurons, for any of the four patterns.",
        "At the edges of a pair of boxes a neuron sees one box alone: then z is v₁ or v₂.",
    ),
    options=SIGNS,
)
def dead():
    """For which signs of the filter nothing passes the ReLU, by trying filters on all patterns."""
    values = [-1.5, -1, -0.4, 0.4, 1, 1.5]
    rules = {
        SIGNS[0]: lambda v, w: v < 0 and w < 0,
        SIGNS[1]: lambda v, w: v > 0 > w,
        SIGNS[2]: lambda v, w: v < 0 < w,
        SIGNS[3]: lambda v, w: v + w < 0,
    }
    x = np.concatenate([boxes(word) for word in PATTERNS], axis=2)
    killed = {(v, w): not front([v, w]).forward(x).any() for v in values for w in values}
    (right,) = [
        name
        for name, rule in rules.items()
        if all(rule(*pair) == is_dead for pair, is_dead in killed.items())
    ]
    return right, {
        "where a neuron sees the right one of two boxes at its left place, z = v₁ is positive": SIGNS[1],
        "where a neuron sees the left one of two boxes at its right place, z = v₂ is positive": SIGNS[2],
        "that is z where a neuron sees both boxes; at the edges it sees one alone": SIGNS[3],
    }


PAIRS = ("11000 and 00011", "10010 and 01001", "01100 and 00110", "11000 and 01001")


@choice(
    "seesaw.4",
    why="What fills the pools alike gets the same answer, whatever the outer weights are: this network cannot know torque.",
    hints=(
        "With v₁ = v₂ = 1 each z is the number of boxes that a neuron sees. A is the larger of z₁ and z₂, B of z₃ and z₄.",
        "Work out (A, B) for each of the placements; 10010 gives z = (1, 0, 1, 1).",
    ),
    options=PAIRS,
)
def alike():
    """Which two placements that tilt apart have the same pools under equal filter weights."""
    pools = {
        word: front([1, 1]).forward(boxes(word)).ravel().tolist()
        for pair in PAIRS
        for word in pair.split(" and ")
    }
    pairs = {pair: pair.split(" and ") for pair in PAIRS}
    assert all(ARM @ boxes(one).ravel() < 0 < ARM @ boxes(other).ravel() for one, other in pairs.values())
    (right,) = [pair for pair, (one, other) in pairs.items() if pools[one] == pools[other]]
    return right, {
        f"{one} gives ({pools[one][0]:g}, {pools[one][1]:g}), {other} gives ({pools[other][0]:g}, {pools[other][1]:g})": pair
        for pair, (one, other) in pairs.items()
        if pair != right
    }
