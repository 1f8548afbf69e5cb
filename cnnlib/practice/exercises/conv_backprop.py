"""Exercises of the chapter on the backward pass of a convolution."""

import numpy as np

from ...layers import Conv1d, Conv2d
from ..compare import signed
from ..exercise import array, choice, function, number
from ..mistaken import gradient, one_map, program, with_texts
from ..mistakes import catalogue


@array(
    "conv_backprop.1",
    why="A weight meets every input that it has read, an input every weight that has read it.",
    hints=(
        "The layer computes z₁ = w₁x₁ + w₂x₂ and z₂ = w₁x₂ + w₂x₃. Which of the two lines hold w₁, and which hold x₂?",
        "∂J/∂w₁ = δ₁x₁ + δ₂x₂, and ∂J/∂x₂ = δ₁w₂ + δ₂w₁: the deltas count up where the weights count down.",
    ),
    labels=("∂J/∂w₁", "∂J/∂w₂", "∂J/∂x₁", "∂J/∂x₂", "∂J/∂x₃"),
)
def by_hand():
    """Both gradients of a line of three inputs."""
    x, w, delta = np.array([1.0, 2, 3]), np.array([1.0, -1]), np.array([2.0, 1])

    def both(w_back, d_back):
        layer = Conv1d(1, 1, 2, bias=False)
        layer.params["W"][...] = w
        layer.forward(x[None, :, None])
        layer.backward(d_back[None, :, None])
        weights = layer.grads["W"].ravel().copy()
        layer.params["W"][...] = w_back
        return np.concatenate([weights, layer.backward(delta[None, :, None]).ravel()])

    right = both(w, delta)
    return right, {
        "∂J/∂x has the weights the wrong way round: x₂ is read by z₁ with w₂ and by z₂ with w₁": both(
            w[::-1], delta
        ),
        "∂J/∂w has the deltas the wrong way round: w₁ meets x₁ in z₁, so δ₁ goes with x₁": both(
            w, delta[::-1]
        ),
        "a gradient of a weight is a sum over both places, not their mean": right * [0.5, 0.5, 1, 1, 1],
    }


STRIDE = one_map("conv2d", np.ones((4, 4)), [[1, 2, -1], [3, 1, 2], [-2, 1, 4]], [[1, 2], [-1, 3]], 2, 1)


@array(
    "conv_backprop.2",
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


@number(
    "conv_backprop.3",
    why="K − 1 zeros are those of the full correlation; the p that the crop would cut off again are not even computed.",
    hints=(
        "Without padding, how many zeros must stand beside the deltas so that a corner pixel meets the corner weight? The crop then takes p of them off again.",
        "It is K − 1 − p. For which p is that p itself?",
    ),
)
def border():
    """The padding of the backward pass of a layer with K = 5 and p = 1."""
    K, p, size = 5, 1, 8
    layer = Conv2d(1, 1, K, padding=p, bias=False, rng=0)
    y = layer.forward(np.zeros((1, size, size, 1)))
    delta = np.random.default_rng(0).standard_normal(y.shape)
    dx, back = layer.backward(delta), layer.params["W"][:, :, ::-1, ::-1].copy()
    for q in range(K):
        turned = Conv2d(1, 1, K, padding=q, bias=False)
        turned.params["W"][...] = back
        if turned.output_shape(delta.shape) == dx.shape and np.abs(turned.forward(delta) - dx).max() < 1e-12:
            right = q
    return right, {
        "K − 1 is the border of the full correlation, whose result is still to be cropped by p": K - 1,
        "that is the padding of the way forward; it serves backward only if K = 2p + 1": p,
        "(K − 1)/2 keeps the size, but this layer's output is smaller than its input": (K - 1) // 2,
    }


BUG = one_map("conv2d", np.ones((4, 5)), [[1, 2], [-3, 4]], [[1, 2, -2, -1], [2, -2, 1, 3], [-1, 1, 2, 1]])
SUSPECTS = (
    "kernel not rotated",
    "kernel's rows and columns exchanged",
    "kernel flipped along one axis only",
    "kernel rotated by 90 degrees",
)


def bug():
    """(W, delta, the right dx, a wrong dx): which mistake gave it?"""
    return BUG.W[0, 0], BUG.delta[0, :, :, 0], gradient(BUG), gradient(BUG, "dx", SUSPECTS[1])


@choice(
    "conv_backprop.4",
    why="The corners tell: a corner of dx has met one weight only, so it names the weight that stands there.",
    hints=(
        "Look at the corners of dx: each corner pixel was read by one window only, with one weight.",
        "In the top left corner stands δ₀₀W₀₀ in both, in the top right corner δ₀₃W₀₁ in the right one. Which weight is it in the wrong one?",
    ),
    options=SUSPECTS,
)
def find_the_bug():
    """The one of four mistakes that gives the wrong gradient of `bug`."""
    *_, wrong = bug()
    giving = {name: gradient(BUG, "dx", name) for name in SUSPECTS}
    (right,) = [name for name, dx in giving.items() if np.abs(dx - wrong).max() < 1e-12]
    return right, {
        f"“{name}” would put {signed(dx[0, 0])} into the top left corner and {signed(dx[0, -1])} into the top right one": name
        for name, dx in giving.items()
        if name != right
    }


@function(
    "conv_backprop.5",
    why="This is the backward pass of every convolution: it is right for each stride, padding, kernel and number of channels that was tried.",
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
