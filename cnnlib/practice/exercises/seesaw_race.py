"""Exercises of the chapter on the race."""

import numpy as np

from ..exercise import choice, number
from .seesaw import boxes, front

ARM = np.arange(-2, 3)
PATTERNS = ("11000", "01100", "00110", "00011")
SIGNS = ("w₀ < 0 and w₁ < 0", "w₀ > 0 and w₁ < 0", "w₀ < 0 and w₁ > 0", "w₀ + w₁ < 0")


@choice(
    "seesaw_race.1",
    why="Both signs are a coin, so one start in four is dead: no pattern gets through the ReLU, and no gradient back.",
    hints=(
        "A network is dead if z is not positive at any of the four places, for any of the four patterns.",
        "At the edges of a pair of boxes the filter sees one box alone: then z is w₀ or w₁.",
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
        "where the filter sees the right one of two boxes at its left place, z = w₀ is positive": SIGNS[1],
        "where the filter sees the left one of two boxes at its right place, z = w₁ is positive": SIGNS[2],
        "that is z where the filter sees both boxes; at the edges it sees one alone": SIGNS[3],
    }


@number(
    "seesaw_race.2",
    why="A start that never arrives loses every pair; who leaves it out compares other networks.",
    hints=(
        "There are 4 · 3 pairs. In how many does 110 win, in how many 120, 150, and the start that never arrives?",
        "3 + 3 + 1.5 + 0 of 12; a tie counts one half.",
    ),
)
def pairs():
    """The share of pairs that the first network wins."""
    one, two = np.array([110, 120, 150, np.inf])[:, None], np.array([130, 150, 160.0])
    less, same = one < two, one == two
    return float((less + same / 2).mean()), {
        "that leaves out the start that never arrives; it loses its three pairs": float(
            (less + same / 2)[:3].mean()
        ),
        "a tie counts one half, not one": float((less + same).mean()),
        "a tie counts one half, not nothing": float(less.mean()),
        "that is the share that network two wins": float(1 - (less + same / 2).mean()),
    }


@number(
    "seesaw_race.3",
    why="The interval shrinks with the square root: four times the starts for half the width.",
    hints=(
        "A share q of R starts is known to ± 1.96 √(q(1 − q)/R). Put q = 0.5, and solve for R.",
        "R = 1.96² · 0.25 / 0.05².",
    ),
    tolerance=1.0,
)
def how_many():
    """How many starts give a share of one half to 0.05."""

    def n(half, z=1.96, q=0.25):
        return float(np.ceil(z**2 * q / half**2))

    return n(0.05), {
        "the factor 1.96 of a 95 % interval is missing": n(0.05, z=1),
        "the factor 1.96 is squared, too": float(np.ceil(1.96 * 0.25 / 0.05**2)),
        "± 0.05 is a half-width: the interval is 0.1 wide": n(0.1),
        "q(1 − q) is 0.25, not 0.5": n(0.05, q=0.5),
    }


PAIRS = ("11000 and 00011", "10010 and 01001", "01100 and 00110", "11000 and 01001")


@choice(
    "seesaw_race.4",
    why="What fills the pools alike gets the same answer, whatever the outer weights are: this network cannot know torque.",
    hints=(
        "With w₀ = w₁ = 1 each z is the number of boxes that the filter sees. A is the larger of z₀ and z₁, B of z₂ and z₃.",
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
