"""Exercises of the chapter on data-parallel training."""

import numpy as np

from ..exercise import array, function, number


@array(
    "beyond_one_machine.1",
    why="A sum and a count say all; a mean alone has forgotten how many examples it is of.",
    hints=(
        "The answers are sums. Add them, and add the numbers of examples.",
        "12 / 8 is the gradient. For the other, divide each answer by its own count first: 5, 1 and −3.",
    ),
    labels=("gradient", "mean of means"),
)
def by_hand():
    """The gradient from three sums and counts, and the mean of the means."""
    sums, counts = np.array([10.0, 5, -3]), np.array([2, 5, 1])
    right = np.array([sums.sum() / counts.sum(), np.mean(sums / counts)])
    return right, {
        "divide by the number of examples, 8, not by that of the workers": np.array(
            [sums.sum() / len(sums), right[1]]
        ),
        "the answers are sums already: no count multiplies them": np.array(
            [counts @ sums / counts.sum(), right[1]]
        ),
        "the two are the other way round": right[::-1],
        "the means are added, not averaged": np.array([right[0], np.sum(sums / counts)]),
    }


@array(
    "beyond_one_machine.2",
    why="A worker of the ring sends less than 2B, however many there are; the client's traffic grows with their number.",
    hints=(
        "A float32 has four bytes. In the ring a worker sends 2(R − 1) pieces of B/R.",
        "B = 138,488. The ring: 2 · 3/4 · B. The client of the star: B to each of four, and B from each of four.",
    ),
    labels=("bytes of a worker in the ring", "bytes of the client"),
)
def traffic():
    """Bytes of a step with four workers and LeNet's parameters in float32: ring, star."""
    parameters, R = 34_622, 4
    B = 4 * parameters
    right = np.array([2 * (R - 1) / R * B, 2.0 * R * B])
    return right, {
        "these are numbers, not bytes: a float32 has four": right / 4,
        "float64 has eight bytes; float32 has four": 2 * right,
        "the pieces go round twice: once to be added, once to be handed on": np.array(
            [right[0] / 2, right[1]]
        ),
        "what the client receives counts as well": np.array([right[0], right[1] / 2]),
        "the client of this star receives a sum from each worker, not their total": np.array(
            [right[0], (R + 1.0) * B]
        ),
        "in the ring a worker never sends its own sum to all others": np.array([2.0 * (R - 1) * B, right[1]]),
    }


@number(
    "beyond_one_machine.3",
    why="At the best number the star costs as much as the computing, and twice the work allows only 1.4 times the workers.",
    hints=(
        "Which of the two parts of 400/R + 4R falls with R, and which grows? Where is the slope zero?",
        "The slope is −400/R² + 4, which is zero where R² = 400/4.",
    ),
)
def how_many():
    """The number of workers at which 400/R + 4R is least."""
    R = np.arange(1, 401)
    right = int(R[np.argmin(400 / R + 4 * R)])
    return right, {
        "that is R², where the slope is zero": right**2,
        "that is the time of the step, in ms": 400 / right + 4 * right,
        "that many halve the time of one worker; more of them are faster still": 2,
        "there the workers cost more than they save": 400,
    }


def combined(answers):
    """The mean gradient over all examples, from (mean, count) of each shard, where a shard may have none."""
    some = [(g, n) for g, n in answers if n]
    return sum(n * g for g, n in some) / sum(n for _, n in some)


def _answers():
    rng = np.random.default_rng(3)
    for counts in ((4, 4), (5, 0, 3), (0, 1, 8, 0, 2)):
        yield ([(rng.standard_normal((2, 3)) if n else np.full((2, 3), np.nan), n) for n in counts],)
    broken = np.array([[1.0, np.nan, -2.0]])  # of a worker whose examples give no number
    yield ([(np.array([[3.0, 1.0, 4.0]]), 2), (broken, 3), (np.full((1, 3), np.nan), 0)],)


@function(
    "beyond_one_machine.4",
    why="Sums of nothing are 0, means of nothing are nan: one more reason to send sums.",
    hints=(
        "A mean over n examples times n is a sum over them. What is 0 times nan?",
        "Leave out the pairs whose count is 0, then add n · g and divide by the sum of the counts.",
    ),
    tries=lambda: list(_answers()),
)
def write_it():
    """combined(answers) -> the gradient of the batch."""
    return combined, {
        "a worker that has examples, and nan, has gone wrong: its nan must not become 0": lambda answers: (
            sum(n * np.nan_to_num(g) for g, n in answers) / sum(n for _, n in answers)
        ),
        "0 times nan is nan: leave out who had no example": lambda answers: (
            sum(n * g for g, n in answers) / sum(n for _, n in answers)
        ),
        "that is the mean of the means": lambda answers: (
            sum(g for g, n in answers if n) / sum(n > 0 for _, n in answers)
        ),
        "that is a sum over all examples; divide by their number": lambda answers: (
            combined(answers) * sum(n for _, n in answers)
        ),
        "divided by the number of workers, not of examples": lambda answers: (
            sum(n * g for g, n in answers if n) / len(answers)
        ),
    }
