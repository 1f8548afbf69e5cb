"""Exercises of the chapter on loops and products of matrices."""

import numpy as np

from ...layers import Conv2d
from ..exercise import array, function, number


def columns(x, KH, KW, s=1):
    """x (C, H, W, N) to its windows as columns, (C KH KW, OH OW N), at stride s."""
    C, H, L, N = x.shape
    OH, OW = (H - KH) // s + 1, (L - KW) // s + 1
    X = np.empty((C, KH, KW, OH, OW, N), x.dtype)
    for u, v in np.ndindex(KH, KW):
        X[:, u, v] = x[:, u : u + s * OH : s, v : v + s * OW : s]
    return X.reshape(C * KH * KW, -1)


@array(
    "loops_to_gemm.1",
    why="Each number that im2col has copied is used once for each map, six times here: copying pays where there are many maps.",
    hints=(
        "Each of the 24 · 24 windows is a column of 25 numbers. Each column meets each of the six kernels.",
        "im2col: 25 · 576 numbers. Multiplications: 6 times as many.",
    ),
    labels=("multiplications", "numbers in im2col", "rows of W"),
)
def by_hand():
    """LeNet's first convolution as one product."""
    layer = Conv2d(1, 6, 5, rng=0)
    X, maps = columns(np.zeros((1, 28, 28, 1)), 5, 5), len(layer.params["W"])
    right = np.array([maps * X.size, X.size, maps], float)
    return right, {
        "there are 24 × 24 windows in an image of 28 × 28, not 28 × 28": np.array(
            [6 * 25 * 784, 25 * 784, 6.0]
        ),
        "im2col repeats a pixel in every window that sees it": np.array([right[0], 784, 6]),
        "W has one row for each map": np.array([right[0], right[1], 25]),
    }


@number(
    "loops_to_gemm.2",
    why="Little more than one multiplication for each byte: such a layer waits for the memory, not for the multiplier.",
    hints=(
        "For each pixel and channel: how many multiplications, how many numbers read and written once, and how many bytes has a float32?",
        "K² = 9 multiplications, one number in and one out, 8 bytes.",
    ),
)
def depthwise():
    """Multiplications per byte of a depthwise 3 x 3 convolution in float32, for a large image."""
    K, H, L = 3, 1000, 1000
    bytes_moved = sum(np.zeros(shape, np.float32).nbytes for shape in ((H, L), (H, L)))
    right = H * L * K * K / bytes_moved
    return right, {
        "the output is written, too": 2 * right,
        "a float32 has four bytes": 4 * right,
        "that is multiplications for each pixel": 9.0,
    }


def _images():
    rng = np.random.default_rng(1)
    for C, H, L, N, KH, KW, s in ((1, 3, 4, 1, 2, 2, 1), (2, 7, 5, 2, 3, 2, 2), (3, 8, 7, 2, 2, 3, 3)):
        yield rng.standard_normal((C, H, L, N)), KH, KW, s


def _rearranged(order):
    def other(x, KH, KW, s):
        C, H, L, N = x.shape
        OH, OW = (H - KH) // s + 1, (L - KW) // s + 1
        return columns(x, KH, KW, s).reshape(C, KH, KW, OH, OW, N).transpose(order).reshape(C * KH * KW, -1)

    return other


def _not_strided(x, KH, KW, s):
    OH, OW = (x.shape[1] - KH) // s + 1, (x.shape[2] - KW) // s + 1
    return columns(x[:, : OH + KH - 1, : OW + KW - 1], KH, KW)


@function(
    "loops_to_gemm.3",
    why="Only the slices know the stride; the product and the shapes around it stay as they are.",
    hints=(
        "How many windows are there along each axis? At which rows do they begin? For each place (u, v) of the window one slice takes them all.",
        "X[:, u, v] = x[:, u : u + s·OH : s, v : v + s·OW : s] in an array (C, KH, KW, OH, OW, N), which is reshaped at the end.",
    ),
    tries=lambda: list(_images()),
)
def write_it():
    """im2col(x, KH, KW, s) -> (C KH KW, OH OW N)."""
    return columns, {
        "the windows begin at every row and column: the slices do not know the stride": _not_strided,
        "rows and columns of the windows are exchanged within a column": _rearranged((0, 2, 1, 3, 4, 5)),
        "the place in the window comes before the channel; the rows of W have the channel first": _rearranged(
            (1, 2, 0, 3, 4, 5)
        ),
    }


@number(
    "loops_to_gemm.4",
    why="The product takes 144/64 = 2.25 times the multiplications, so adding with col2im is the lighter way back.",
    hints=(
        "By the rotated kernels, X has 16 · 25 rows and a column for each pixel of x. By col2im it has 6 · 25 rows and a column for each output.",
        "400 · 144 against 150 · 64.",
    ),
)
def no_col2im():
    """How much larger X is for LeNet's second layer where dx is computed with rotated kernels, by making both."""
    layer = Conv2d(6, 16, 5, rng=0)
    x = np.zeros((6, 12, 12, 1))
    delta = np.zeros(layer.output_shape(x.shape))
    padded = np.pad(delta, ((0, 0), (4, 4), (4, 4), (0, 0)))
    right = columns(padded, 5, 5).size / columns(x, 5, 5).size
    return right, {
        "that is the ratio of the rows alone, 16 to 6; the columns differ, too": round(16 / 6, 9),
        "that is the ratio of the columns alone, 144 to 64; the rows differ, too": 144 / 64,
        "that is the other way round": 1 / right,
    }
