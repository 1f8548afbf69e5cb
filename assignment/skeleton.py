"""Six functions of a convolutional network, to be written with NumPy. README.md says what each of them gets and returns.

Keep the names and the arguments. Functions of your own may stand beside them. Change none of the arrays that you get.
Run `python tests_for_students.py` as often as you like.
"""

import numpy as np


def conv2d_forward(x, W, b, stride, padding):
    """x (N, C, H, width), W (O, C, KH, KW), b (O,) -> z (N, O, OH, OW). The kernel is not rotated; windows that do not fit are left out."""
    raise NotImplementedError


def conv2d_backward(x, W, b, delta, stride, padding):
    """delta = dJ/dz (N, O, OH, OW) -> dx, dW, db, of the shapes of x, W and b."""
    raise NotImplementedError


def max_pool2d_backward(x, kernel, delta, stride, padding):
    """x (N, C, H, width), delta = dJ/dz (N, C, OH, OW) -> dx, of the shape of x. kernel is a number, or a pair where its sides
    differ. The first of equal numbers, row by row, is the maximum; the border is never one."""
    raise NotImplementedError


def relu_backward(x, delta):
    """x and delta = dJ/da of one shape -> dx, of the same. The slope at 0 is 0."""
    raise NotImplementedError


def dense_backward(x, W, b, delta):
    """x (N, I), W (I, O), b (O,), z = x @ W + b, delta = dJ/dz (N, O) -> dx, dW, db, of the shapes of x, W and b."""
    raise NotImplementedError


def softmax_cross_entropy_backward(scores, labels):
    """scores (N, K), labels (N,) whole numbers -> dJ/dscores (N, K), where J is the mean over the examples. No score is too large."""
    raise NotImplementedError
