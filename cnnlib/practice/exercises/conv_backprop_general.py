"""Exercises of the chapter on the backward pass of a convolution with channels, stride and padding."""

import numpy as np

from ...layers import Conv2d
from ..exercise import array, function
from ..mistaken import one_map, program, with_texts
from ..mistakes import catalogue

STRIDE = one_map("conv2d", np.ones((4, 4)), [[1, 2, -1], [3, 1, 2], [-2, 1, 4]], [[1, 2], [-1, 3]], 2, 1)


@array(
    "conv_backprop_general.1",
    why="Each delta puts its multiple of the kernel where its window was; where windows overlap, add; what fell on the padding is cut off.",
    hints=(
        "With the padding the image has six rows and columns. The four windows begin at (0, 0), (0, 2), (2, 0) and (2, 2) of it.",
        "Write delta · W into each window of a 6 × 6 array of zeros, adding where windows overlap, and cut off the outer rows and columns.",
    ),
)
def cell_by_cell():
    """A 4 x 4 gradient at stride 2 with padding 1."""
    layer = Conv2d(1, 1, 3, stride=2, padding=1, bias=False)
    layer.params["W"][...] = STRIDE.W
    layer.forward(STRIDE.x)
    names = (
        *("kernel not rotated", "kernel's rows and columns exchanged", "stride ignored in dx"),
        *("dx cut from the corner of the padded one", "overlap overwritten instead of added"),
    )
    return layer.backward(STRIDE.delta)[0, :, :, 0], with_texts(
        STRIDE, [n for n in names if n in catalogue()]
    )


@array(
    "conv_backprop_general.2",
    why="Backward, a pixel adds over the filters, a weight over places and examples, and neither over the input channels.",
    hints=(
        "Which indices of the box are summed? In ∂J/∂x they are o, i, j, u and v, of which u and v follow from i and j; in ∂J/∂W they are i, j and n.",
        "A pixel in the middle is in 5 · 5 windows of each filter. A weight meets one pixel at each place of each image.",
    ),
    labels=("for a pixel", "for a weight", "for a bias"),
)
def how_many_products():
    """The numbers of terms in dx, dW and db of a layer with 16 filters on 3 channels."""
    C, filters, K, N = 3, 16, 5, 4
    layer = Conv2d(C, filters, K, padding=2)
    layer.params["W"][...] = 1
    delta = np.ones(layer.forward(np.ones((C, 20, 24, N))).shape)
    pixel = layer.backward(delta)[0, 10, 12, 0]
    right = np.array([pixel, layer.grads["W"][0, 0, K // 2, K // 2], layer.grads["b"][0]])
    return right, {
        "a pixel of one channel was read by all filters, not by one": right / [filters, 1, 1],
        "each input channel has a gradient of its own: a pixel's is no sum over the channels": right
        * [C, 1, 1],
        "a weight joins one input channel to one output channel: no sum over the input channels": right
        * [1, C, 1],
        "the weights and the biases add over the examples too": right / [1, N, N],
        "one bias serves all examples: its gradient adds over them, as over the places": right / [1, 1, N],
        "one bias serves all places: its gradient adds over them, and over the examples": right
        * [1, 1, N / right[2]],
        "a gradient of a weight adds over the places of the output, not over those of the kernel": np.where(
            [0, 1, 0], pixel, right
        ),
    }


@array(
    "conv_backprop_general.3",
    why="The size formula rounds down, so s input sizes have one output size; output_padding says which of them the way back shall give.",
    hints=(
        "The number of outputs is (size + 2p − K)/s + 1, rounded down. For which sizes is it 4?",
        "Without output_padding the way back gives s · 3 + K − 2p, the smallest of the three; each one above needs one row more.",
    ),
    labels=("smallest", "middle", "largest", "output_padding"),
)
def which_output_padding():
    """The three sizes with four outputs at K = 3, s = 3, p = 1, and the rows that are missing for the largest."""
    s, p, outputs = 3, 1, 4

    def sizes(padding, want=outputs):
        layer = Conv2d(1, 1, 3, stride=(s, 1), padding=(padding, 0))
        found = [n for n in range(3, 40) if layer.output_shape((1, n, 3, 1))[1] == want]
        return np.array([*found, found[-1] - found[0]])

    right = sizes(p)
    return right, {
        "the padding is at both sides: the size grows by 2p before the windows are counted": sizes(0)
        - [p, p, p, 0],
        "the padding is not counted": sizes(0),
        "the padding is counted twice: it is p at each side, 2p in all": sizes(2 * p),
        "without output_padding the way back gives the smallest size, not the largest": right * [1, 1, 1, 0],
        "that gives one output less: do not forget the + 1": sizes(p, outputs - 1),
        "that gives one output more: the + 1 is in the formula already": sizes(p, outputs + 1),
        "without output_padding the way back gives the smallest size, so the largest needs s − 1 rows more": right
        - [0, 0, 0, 1],
        "output_padding is what is missing to the largest size, which is less than the stride": right
        + [0, 0, 0, 1],
    }


@function(
    "conv_backprop_general.4",
    why="This is the whole backward pass: it is right for each stride, padding, kernel and number of channels that was tried.",
    hints=(
        "Pad x, and make an array of zeros of that shape for its gradient. The window of output (i, j) begins at (i s, j s).",
        "For each (i, j): with d = delta[:, i, j] (O, N) and its window (C, KH, KW, N), dW gains the sum over examples of d times the "
        "window, and the window of the gradient gains the sum over O of W times d. At the end crop p from each side.",
    ),
    of="conv2d",
)
def write_it():
    """backward(x, W, b, delta, stride, padding) -> dx, dW, db of a convolution."""
    names = (
        "kernel not rotated",
        "stride ignored in dx",
        "padding not cropped",
        "in and out channels not swapped",
    )
    return program("conv2d"), {name: program("conv2d", name) for name in names}
