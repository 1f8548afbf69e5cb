"""Exercises of the chapter on PyTorch."""

import numpy as np

from ...losses import SoftmaxCrossEntropy
from ..exercise import array, function, number


def _place(sizes, order):
    """Where example 1, channel 2, row 1, column 3 lies in memory, in an order of axes such as "NCHW"."""
    at = {"N": 1, "C": 2, "H": 1, "W": 3}
    return float(np.ravel_multi_index([at[axis] for axis in order], [sizes[axis] for axis in order]))


@array(
    "to_pytorch.1",
    why="The same number lies at another place: that is why the axes must be moved, and a reshape mixes the images.",
    hints=(
        "The last axis runs fastest. How many numbers lie between one example and the next, in each order?",
        "In NCHW an example is 3 · 4 · 5 = 60 numbers further, a channel 20, a row 5, a column 1.",
    ),
    labels=("NCHW", "CHWN"),
)
def places():
    """The place of one pixel of a batch in two layouts."""
    sizes = {"N": 2, "C": 3, "H": 4, "W": 5}
    right = np.array([_place(sizes, "NCHW"), _place(sizes, "CHWN")])
    return right, {
        "the two layouts are exchanged: in PyTorch the example's axis comes first and counts most": right[
            ::-1
        ],
        "counted from 1; in memory the first number has place 0": right + 1,
        "the first axis runs fastest here, as in Fortran; in NumPy and PyTorch the last one does": np.array(
            [_place(sizes, "WHCN"), _place(sizes, "NWHC")]
        ),
        "NHWC and HWCN are TensorFlow's order of the image's axes; here the channel comes before row and column": np.array(
            [_place(sizes, "NHWC"), _place(sizes, "HWCN")]
        ),
    }


def _moved(change):
    """from_tensorflow, with one step put through change."""

    def from_tensorflow(W, height, width, C):
        return change(np.asarray(W), height, width, C)

    return from_tensorflow


def _right(W, height, width, C):
    return W.reshape(height, width, C, -1).transpose(3, 2, 0, 1).reshape(W.shape[1], -1)


def _arguments():
    """Weights behind maps whose three sizes differ, and behind a map of one channel."""
    rng = np.random.default_rng(23)
    for height, width, C, out in ((2, 3, 4, 5), (3, 2, 1, 4), (2, 2, 3, 2)):
        yield rng.standard_normal((height * width * C, out)), height, width, C


@function(
    "to_pytorch.2",
    why="Two orders must change: (in, out), and inside of it the order in which Flatten took the map.",
    hints=(
        "A transpose of W gives (out, in), with the inputs still in the order rows, columns, channels.",
        "Reshape to (height, width, C, out), transpose all four axes at once, reshape to (out, C · height · width).",
    ),
    tries=lambda: list(_arguments()),
)
def weights():
    """from_tensorflow(W, height, width, C): weights behind a Flatten, in PyTorch's order."""
    return _moved(_right), {
        "only transposed: the inputs are still in the order rows, columns, channels": _moved(
            lambda W, *_: W.T
        ),
        "the inputs are in order, the weights still (in, out)": _moved(lambda *a: _right(*a).T),
        "a reshape where a transpose belongs: the numbers are in the order in which they lay": _moved(
            lambda W, *_: W.reshape(W.shape[::-1])
        ),
        "rows and columns of the map are exchanged": _moved(
            lambda W, height, width, C: (
                W.reshape(height, width, C, -1).transpose(3, 2, 1, 0).reshape(W.shape[1], -1)
            )
        ),
        "the other way: W was read as if its inputs were in the order channels, rows, columns": _moved(
            lambda W, height, width, C: (
                W.reshape(C, height, width, -1).transpose(3, 1, 2, 0).reshape(W.shape[1], -1)
            )
        ),
    }


@array(
    "to_pytorch.3",
    why="Each column of the Jacobian times δ: backward never needs more of the matrix than this product.",
    hints=(
        "The Jacobian has a row for each y, (∂y/∂x₁, ∂y/∂x₂, ∂y/∂x₃). Multiply its columns by δ.",
        "The rows are (3, 2, 0) and (0, 1, −2).",
    ),
    labels=("x₁", "x₂", "x₃"),
)
def product():
    """Mᵀδ of two functions of three numbers."""
    x1, x2, x3 = 2.0, 3.0, -1.0
    M, delta = np.array([[x2, x1, 0], [0, 1, 2 * x3]]), np.array([5.0, -2])
    return M.T @ delta, {
        "that is Mᵀ times (1, 1): the deltas are missing": M.sum(axis=0),
        "only the first row came back: x₂ stands in y₂ too, and over paths you add": M[0] * delta[0],
        "the deltas stand in the wrong order": M.T @ delta[::-1],
        "x₂ gets the sum of both paths; the second one has δ₂ = −2": M.T @ np.abs(delta),
        "the derivative of x₁x₂ by x₁ is x₂, and by x₂ it is x₁": np.array([[x1, x2, 0], [0, 1, 2 * x3]]).T
        @ delta,
    }


@number(
    "to_pytorch.4",
    why="A loss that stops far above 0, though all answers are right, says that a softmax stands before the loss.",
    hints=(
        "The loss takes the probabilities for logits. Between which two numbers can they lie?",
        "The right class has 1, the 99 others 0: log(e + 99) − 1.",
    ),
    tolerance=6e-3,
)
def lowest():
    """The lowest cross-entropy of probabilities that are taken for logits, of 100 classes."""

    def loss(right, classes=100):
        scores = np.zeros((classes, 1))
        scores[0] = right
        return round(SoftmaxCrossEntropy().forward(scores, np.array([0])), 6)

    return loss(1.0), {
        "that is the loss of equal scores; the right class may have 1 and the others 0": loss(0.0),
        "with logits the loss could come near 0; a probability is at most 1": 0.0,
        "that is for ten classes; here there are 100": loss(1.0, 10),
        "the loss is log(e + 99) minus the right logit, which is 1": loss(1.0) + 1,
    }
