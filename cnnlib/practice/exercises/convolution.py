"""Exercises of the chapter on convolution, forward."""

import numpy as np

from ...formulas import convolve2d
from ...layers import AvgPool2d, Conv2d, Dense
from ...network import Sequential
from ..exercise import array, choice, function, number


def _apply(kernel, image, **sizes):
    """The layer's output for one image (H, W) and one kernel."""
    layer = Conv2d(1, 1, kernel.shape, bias=False, **sizes)
    layer.params["W"][...] = kernel
    return layer.forward(image[None, :, :, None])[0, :, :, 0]


@array(
    "convolution.1",
    why="This is the correlation that PyTorch and TensorFlow compute: the kernel lies on the window as it is printed.",
    hints=(
        "Lay the kernel on the upper left corner of the image as it is printed, multiply what lies on each other, and add.",
        "The first output is 1·1 + 2·2 + 4·(−1) + 5·3. Then move the window by one column, and by one row.",
    ),
)
def by_hand():
    """The output of a 3 x 3 image and a kernel of 2 x 2."""
    image, kernel = np.array([[1.0, 2, 0], [4, 5, 1], [-2, 3, 2]]), np.array([[1.0, 2], [-1, 3]])
    right = _apply(kernel, image)
    return right, {
        "that is the convolution of mathematics: its kernel is rotated by 180 degrees first; the layers do not rotate": _apply(
            kernel[::-1, ::-1], image
        ),
        "the kernel lies there transposed: its rows must lie on rows": _apply(kernel.T, image),
        "the sum of the products is wanted, not their mean": right / 4,
    }


@number(
    "convolution.2",
    why="A stride makes all that comes after it see in larger steps: the four steps of the last kernel are eight pixels.",
    hints=(
        "Go backwards: one output sees 5 rows of the pooled map. How many rows of the first map are these, and how many of the image?",
        "5 rows of the pooled map are 10 rows of the map before it. And n neighbouring outputs of a kernel of 5 see n + 4 rows.",
    ),
)
def field_of_view():
    """The receptive field of convolution 5, pooling 2, convolution 5: which pixels get a gradient from one output."""
    net = Sequential(Conv2d(1, 1, 5, init=1.0, rng=0), AvgPool2d(2), Conv2d(1, 1, 5, init=1.0, rng=1))
    y = net.forward(np.zeros((1, 28, 28, 1)))
    delta = np.zeros(y.shape)
    delta[0, 2, 2, 0] = 1
    rows = np.abs(net.backward(delta))[0, :, :, 0].sum(axis=1) > 0
    return int(rows.sum()), {
        "the stride of the pooling is forgotten: after it a step of one is two pixels": 5 + 1 + 4,
        "a pooled number sees 6 rows of the image, and its neighbour 6 more that are mostly the same ones": 5
        * 6,
        "that is without the pooling": 9,
    }


def pixelwise(x, W):
    """x (C, H, W, N) and W (O, C) to (O, H, W, N): a dense layer at each pixel, which is a kernel of 1 x 1."""
    mixer = Dense(W.shape[1], W.shape[0], bias=False)
    mixer.params["W"][...] = W
    return mixer.forward(x.reshape(len(x), -1)).reshape(len(W), *x.shape[1:])


def _boxes():
    rng = np.random.default_rng(22)
    for C, D, H, L, N in ((1, 1, 2, 2, 1), (2, 3, 2, 3, 1), (3, 5, 4, 6, 2), (4, 2, 3, 3, 4)):
        yield rng.standard_normal((C, H, L, N)), rng.standard_normal((D, C))


@function(
    "convolution.3",
    why="At each pixel the channels are mixed by the same dense layer: every pixel is an example of its own.",
    hints=(
        "What are the inputs and the examples of the dense layer? A pixel is C numbers, and there are H · W · N pixels.",
        "With features first, x.reshape(C, H·W·N) has the pixels as columns. Multiply by W, and reshape to (O, H, W, N).",
    ),
    tries=lambda: list(_boxes()),
)
def one_pixel():
    """A layer of 1 x 1 kernels by a matrix product."""
    return pixelwise, {
        "the pixels are laid out as rows by a reshape alone: that mixes channels with pixels; transpose, or keep C first": lambda x, W: (
            (x.reshape(-1, len(x)) @ W.T).reshape(len(W), *x.shape[1:])
        ),
        "the reshape at the end takes the pixels for channels: what has shape (pixels, O) must be transposed first": lambda x, W: (
            (W @ x.reshape(len(x), -1)).T.reshape(len(W), *x.shape[1:])
        ),
    }


LEARNED = (
    "the teacher's kernel",
    "the teacher's kernel, rotated by 180 degrees",
    "the teacher's kernel, transposed",
    "none of these",
)


@choice(
    "convolution.4",
    why="Correlation and convolution differ in the order in which the weights are stored, and the least-squares fit finds those that it needs.",
    hints=(
        "Both layers can give exactly the same maps. With which weights does the second one?",
        "A convolution rotates its kernel and then correlates. It gives the teacher's maps if its kernel, rotated, is the teacher's.",
    ),
    options=LEARNED,
)
def student():
    """What a convolution in the sense of mathematics learns from maps that a correlation has made, by least squares."""
    rng = np.random.default_rng(24)
    kernel, image = np.array([[0.0, -1, 0], [0, 1, 2], [3, 0, 1]]), rng.standard_normal((9, 8))
    wanted = _apply(kernel, image)
    places = [np.eye(9)[k].reshape(3, 3) for k in range(9)]
    columns = np.stack([convolve2d(place, image)[2:-2, 2:-2].ravel() for place in places], axis=1)
    learned = np.linalg.lstsq(columns, wanted.ravel(), rcond=None)[0].reshape(3, 3)
    found = kernel, kernel[::-1, ::-1], kernel.T
    right = next((name for name, k in zip(LEARNED, found) if np.abs(learned - k).max() < 1e-9), LEARNED[3])
    return right, {
        "with the teacher's kernel a convolution gives other maps: it rotates first": LEARNED[0],
        "rotating by 180 degrees reverses rows and columns; it does not exchange them": LEARNED[2],
        "it can give the teacher's maps exactly, so it learns to": LEARNED[3],
    }
