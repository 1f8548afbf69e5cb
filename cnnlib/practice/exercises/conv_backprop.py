"""Exercises of the chapter on the backward pass of a convolution."""

import numpy as np

from ...layers import Conv1d, Conv2d
from ..compare import signed
from ..exercise import array, choice, function
from ..mistaken import gradient, one_map, program, with_texts
from ..mistakes import catalogue


@array(
    "conv_backprop.1",
    why="A weight meets every input that it has read, an input every weight that has read it.",
    hints=(
        "The layer computes z₀ = W₀x₀ + W₁x₁ and z₁ = W₀x₁ + W₁x₂. Which of the two lines hold W₀, and which hold x₁?",
        "∂J/∂W₀ = δ₀x₀ + δ₁x₁, and ∂J/∂x₁ = δ₀W₁ + δ₁W₀: the deltas count up where the weights count down.",
    ),
    labels=("∂J/∂W₀", "∂J/∂W₁", "∂J/∂x₀", "∂J/∂x₁", "∂J/∂x₂"),
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
        "∂J/∂x has the weights the wrong way round: x₁ is read by z₀ with W₁ and by z₁ with W₀": both(
            w[::-1], delta
        ),
        "∂J/∂W has the deltas the wrong way round: W₀ meets x₀ in z₀, so δ₀ goes with x₀": both(
            w, delta[::-1]
        ),
        "a gradient of a weight is a sum over both places, not their mean": right * [0.5, 0.5, 1, 1, 1],
    }


HAND = one_map("conv2d", np.ones((4, 4)), [[1, 2, -1], [3, 1, 2], [-2, 1, 4]], [[1, 2], [-1, 3]])


@array(
    "conv_backprop.2",
    why="Each delta puts its multiple of the kernel, upright, where its window was; where windows overlap, add.",
    hints=(
        "The four windows begin at (0, 0), (0, 1), (1, 0) and (1, 1). A corner of the image lies in one of them only.",
        "Write delta · W into each window of a 4 × 4 array of zeros, adding where windows overlap.",
    ),
)
def cell_by_cell():
    """A 4 x 4 gradient."""
    layer = Conv2d(1, 1, 3, bias=False)
    layer.params["W"][...] = HAND.W
    layer.forward(HAND.x)
    names = (
        *("kernel not rotated", "kernel's rows and columns exchanged", "kernel flipped along one axis only"),
        *("delta rotated in place of the kernel", "overlap overwritten instead of added"),
    )
    return layer.backward(HAND.delta)[0, :, :, 0], with_texts(HAND, names)


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
    "conv_backprop.3",
    why="The corners tell: a corner of dx has met one weight only, so it names the weight that stands there.",
    hints=(
        "Look at the corners of dx: each corner pixel was read by one window only, with one weight.",
        "In the top left corner stands δ₀₀W₀₀ in both, in the top right corner δ₀₃W₀₁ in the right one. Which weight is it in the wrong one?",
    ),
    options=SUSPECTS,
)
def find_the_bug():
    """The one of four mistakes that gives the wrong gradient of ``bug``."""
    *_, wrong = bug()
    giving = {name: gradient(BUG, "dx", name) for name in SUSPECTS}
    (right,) = [name for name, dx in giving.items() if np.abs(dx - wrong).max() < 1e-12]
    return right, {
        f"“{name}” would put {signed(dx[0, 0])} into the top left corner and {signed(dx[0, -1])} into the top right one": name
        for name, dx in giving.items()
        if name != right
    }


def _batch(*names):
    """A program in the axes of the exercise, x (H, W, N) and a kernel (KH, KW), right or with mistakes of the catalogue."""
    whole = program("conv2d", *names)

    def backward(x, W, delta):
        dx, dW, db = whole(x[None], W[None, None], np.zeros(1), delta[None], 1, 0)
        return dx[0], dW[0, 0], db[0]

    return backward


def _inputs():
    """Images, kernels and deltas, square ones and others, with one example and with several."""
    rng = np.random.default_rng(11)
    for H, L, KH, KW, N in ((4, 5, 2, 3, 1), (5, 7, 3, 2, 4), (6, 4, 3, 3, 3), (5, 5, 2, 2, 2)):
        x, delta = rng.standard_normal((H, L, N)), rng.standard_normal((H - KH + 1, L - KW + 1, N))
        yield x, rng.standard_normal((KH, KW)), delta


@function(
    "conv_backprop.4",
    why="Where a pixel met a weight, each gains δ times the other; nothing is rotated, and nothing is divided.",
    hints=(
        "Begin with zeros of the shapes of x and W and with 0. Loop over all i, j, n of delta and all u, v of W: which pixel and which weight met there?",
        "dx[i + u, j + v, n] gains delta[i, j, n] W[u, v], dW[u, v] gains delta[i, j, n] x[i + u, j + v, n], and db gains delta[i, j, n] once.",
    ),
    tries=lambda: list(_inputs()),
    labels=("dx", "dW", "db"),
)
def write_it():
    """backward(x, W, delta) -> dx, dW, db for one channel, stride 1 and a batch."""
    names = (
        *(
            "kernel not rotated",
            "overlap overwritten instead of added",
            "dW rotated",
            "only the last example counts",
        ),
        *(
            "averaged over the examples once more",
            "averaged over the positions",
            "bias gradient keeps the last position only",
        ),
    )

    def with_axis(x, W, delta):
        dx, dW, db = _batch()(x, W, delta)
        return dx, dW, np.array([db])

    known = {f"consistent with “{name}”. {catalogue()[name].text}": _batch(name) for name in names}
    return _batch(), {
        **known,
        "db has an axis, of size 1: here there is one bias, so db is one number": with_axis,
    }
