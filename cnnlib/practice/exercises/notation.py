"""Exercises of the chapter on notation."""

from ast import literal_eval

import numpy as np

from ...layers import Dense
from ..exercise import array, choice, function


@array(
    "notation.1",
    why="Units are rows and examples columns, and every gradient has the shape of what it belongs to.",
    hints=(
        "In this book features come first and examples last. W has a row for each unit that it leads to.",
        "W is (units, inputs), x (inputs, examples), z and δ (units, examples). A gradient has the shape of its array.",
    ),
    labels=("rows of W", "columns of W", "rows of δ", "columns of δ", "rows of ∂J/∂x", "columns of ∂J/∂x"),
)
def shapes():
    """Shapes in a dense layer from 7 to 3 with 20 examples."""
    layer, x = Dense(7, 3, rng=0), np.ones((7, 20))
    z = layer.forward(x)
    dx = layer.backward(np.ones_like(z))
    right = np.array([*layer.params["W"].shape, *z.shape, *dx.shape], float)
    return right, {
        "W leads from 7 inputs to 3 units, and has a row for each unit": right[[1, 0, 2, 3, 4, 5]],
        "the examples stand in columns in this book, not in rows": right[[0, 1, 3, 2, 5, 4]],
        "the batch has 20 examples; δ and ∂J/∂x have a column for each": np.array([3.0, 7, 3, 1, 7, 1]),
    }


FORMS = ("V = W", "V = Wᵀ", "V = W⁻¹", "V = −W")


@choice(
    "notation.2",
    why="Rows for columns means that everything is transposed: (W x)ᵀ = xᵀ Wᵀ.",
    hints=(
        "Put the same example into both forms: as a column into W x + b, as a row into X V + b.",
        "The row must come out as the transpose of the column: (W x)ᵀ = xᵀ · what?",
    ),
    options=FORMS,
)
def rows():
    """The matrix V of a program with examples in rows, by trying."""
    rng = np.random.default_rng(1)
    W, x = rng.standard_normal((3, 3)), rng.standard_normal((3, 5))
    candidates = W, W.T, np.linalg.inv(W), -W
    (right,) = [name for name, V in zip(FORMS, candidates) if np.abs(x.T @ V - (W @ x).T).max() < 1e-12]
    return right, {
        "with W itself the two sums run over the other index of W: where W is square nobody sees it, elsewhere NumPy raises": FORMS[
            0
        ],
        "nothing is solved for; both programs multiply": FORMS[2],
        "no sign changes between the two": FORMS[3],
    }


TRAPS = (
    "square: wrong numbers; 4, 3, 2: an error",
    "square: an error; 4, 3, 2: an error",
    "square: wrong numbers; 4, 3, 2: wrong numbers",
    "square: right all the same; 4, 3, 2: an error",
)


@choice(
    "notation.3",
    why="Shapes can only catch a missing transpose where they differ. Check code with sizes that all differ.",
    hints=(
        "What does NumPy compare before it multiplies two matrices, the numbers or the shapes?",
        "A square W and its transpose have the same shape, so NumPy multiplies. With 4, 3 and 2 units it finds that the shapes do not fit.",
    ),
    options=TRAPS,
)
def square_trap():
    """What a forgotten transpose does in a network of square matrices, and in one of sizes 4, 3, 2."""
    seen = []
    for sizes in ((2, 2, 2), (4, 3, 2)):
        rng = np.random.default_rng(2)
        W1, W2 = (rng.standard_normal((m, n)) for n, m in zip(sizes, sizes[1:]))
        x = rng.standard_normal((5, sizes[0]))
        try:
            seen.append("right" if np.allclose(x @ W1 @ W2, x @ W1.T @ W2.T) else "wrong numbers")
        except ValueError:
            seen.append("an error")
    said = f"square: {seen[0]}; 4, 3, 2: {seen[1]}"
    return next(trap for trap in TRAPS if trap == said), {
        "a square matrix and its transpose have one shape: what could NumPy object to?": TRAPS[1],
        "4 · 3 · 2: a row of 4 meets a matrix with 3 rows, and NumPy raises": TRAPS[2],
        "a matrix is its own transpose only where it is symmetric": TRAPS[3],
    }


WAYS = ("(3, 2, 0, 1)", "(2, 3, 1, 0)", "(3, 1, 2, 0)", "(1, 2, 3, 0)")


@choice(
    "notation.4",
    why="Data and kernels have different axes, and need different transposes.",
    hints=(
        "transpose wants, for each axis of the result, the number of the axis that it comes from.",
        "The result is OIHW. Which number has the axis O in HWIO? That is the first entry.",
    ),
    options=WAYS,
)
def kernel_from_tensorflow():
    """The transpose from HWIO to OIHW, by following each number of a kernel."""

    def follows(way):
        theirs = np.arange(120).reshape(5, 2, 3, 4)
        ours = theirs.transpose(literal_eval(way))
        return ours.shape == (4, 3, 5, 2) and all(
            ours[o, i, u, v] == theirs[u, v, i, o] for o, i, u, v in np.ndindex(ours.shape)
        )

    (right,) = filter(follows, WAYS)
    return right, {
        "that leads the other way, from OIHW to HWIO": WAYS[1],
        "that is for data, from NHWC; a kernel has other axes": WAYS[2],
        "that is for data, from NCHW; a kernel has other axes": WAYS[3],
    }


def mean_gradients(x, delta):
    """x (D, N), delta (units, N) of single examples' losses to dW and db of the mean loss."""
    N = x.shape[1]
    return delta @ x.T / N, delta.sum(axis=1) / N


def _batches():
    rng = np.random.default_rng(6)
    for D, K, N in ((3, 2, 1), (3, 2, 4), (2, 5, 7)):
        yield rng.standard_normal((D, N)), rng.standard_normal((K, N))


@function(
    "notation.5",
    why="The product sums over the examples, and one division makes the sum a mean: once, not twice.",
    hints=(
        "delta @ x.T has the shape of W. Over what does this product sum?",
        "It sums over the examples already, so divide by N = x.shape[1]. db is the sum of delta over its columns, divided by N.",
    ),
    tries=lambda: list(_batches()),
    labels=("dW", "db"),
)
def mean():
    """(dW, db) of the mean loss, from the deltas of the single examples."""

    def times(power):
        return lambda x, delta: tuple(
            g * float(x.shape[1]) ** p for g, p in zip(mean_gradients(x, delta), power)
        )

    return mean_gradients, {
        "dW and db: these are sums over the examples, for their mean 1/N is missing": times((1, 1)),
        "dW and db are divided by N twice": times((-1, -1)),
        "db is a sum over the examples, for its mean 1/N is missing": times((0, 1)),
        "dW is a sum over the examples, for its mean 1/N is missing": times((1, 0)),
    }
