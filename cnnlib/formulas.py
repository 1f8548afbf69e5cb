"""The lectures' sums, index by index, in plain loops: slow on purpose, the oracle for ``layers``.

Nothing here is vectorised and nothing is shared with ``layers``. Arrays are those of the library, with
examples last. ``kernel``, ``stride`` and ``padding`` are pairs (vertical, horizontal). Numbers are finite,
whole ones are taken as float64, and softmax overflows above 709, as the sum does that it is. What does not fit
is a ValueError: see ``AXES``.
"""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from math import exp, log, tanh

import numpy as np
from numpy import ndarray as Array
from numpy import ndindex as indices

Pair = tuple[int, int]


# ---- neurons and their derivatives ------------------------------------------------------------------


def sigmoid(z: float) -> float:
    """``1 / (1 + e^-z)`` for one number (S06). ValueError for an array.

    >>> formulas.sigmoid(0.0)
    0.5
    """
    return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def relu(z: float) -> float:
    """``max(0, z)`` for one number (K01). ValueError for an array.

    >>> formulas.relu(-2.0), formulas.relu(2.0)
    (0.0, 2.0)
    """
    return max(0.0, z)


def activation(f: Callable[[float], float], x: Array) -> Array:
    """f of every element of x (Q04), an array of any shape -> the same shape.

    >>> formulas.activation(formulas.relu, np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    a = np.zeros(x.shape)
    for index in indices(*x.shape):
        a[index] = f(float(x[index]))
    return a


def activation_backward(f: Callable[[float], float], x: Array, delta: Array) -> Array:
    """``dx = delta f'(x)``, with f' from the output ``z = f(x)`` by Z02: ``z (1 - z)``, ``1 - z^2``, the step ``u(z)``.

    x and delta have one shape, dx too. ValueError where f is none of ``sigmoid``, ``math.tanh`` and ``relu``.

    >>> formulas.activation_backward(formulas.relu, np.array([-1.0, 2.0]), np.array([5.0, 5.0]))
    array([0., 5.])
    """
    rules = {sigmoid: lambda z: z * (1 - z), tanh: lambda z: 1 - z * z, relu: lambda z: 1.0 if z > 0 else 0.0}
    dx = np.zeros(x.shape)
    for index in indices(*x.shape):
        dx[index] = delta[index] * rules[f](f(float(x[index])))
    return dx


def dense(x: Array, W: Array, b: Array) -> Array:
    """``z_i = sum_j W_ij x_j + b_i`` for every example (Q03, S05). x (D_in, N), W (D_out, D_in), b (D_out,) -> (D_out, N).

    >>> formulas.dense(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0]]), [5.0])
    array([[16.]])
    """
    (D_out, D_in), N = W.shape, x.shape[1]
    z = np.zeros((D_out, N))
    for i, n in indices(D_out, N):
        z[i, n] = b[i]
        for j in range(D_in):
            z[i, n] += W[i, j] * x[j, n]
    return z


def dense_backward(x: Array, W: Array, delta: Array) -> tuple[Array, Array, Array]:
    """``dx_j = sum_i W_ij delta_i`` (Q12); ``dW_ij = sum_n delta_i x_j`` (Q13, S37); ``db_i = sum_n delta_i``.

    x (D_in, N), W (D_out, D_in), delta (D_out, N). Returns dx, dW, db.

    >>> dx, dW, db = formulas.dense_backward(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0]]), np.array([[10.0]]))
    >>> dx.ravel(), dW, db
    (array([30., 40.]), array([[10., 20.]]), array([10.]))
    """
    (D_out, D_in), N = W.shape, x.shape[1]
    dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros(D_out)
    for i, n in indices(D_out, N):
        db[i] += delta[i, n]
        for j in range(D_in):
            dx[j, n] += W[i, j] * delta[i, n]
            dW[i, j] += delta[i, n] * x[j, n]
    return dx, dW, db


# ---- losses -----------------------------------------------------------------------------------------


def softmax(z: Array) -> Array:
    """``p_i = e^{z_i} / sum_j e^{z_j}`` for the scores (K,) of one example (K04, S13).

    >>> formulas.softmax(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """
    return np.array([exp(z_i) for z_i in z]) / sum(exp(z_j) for z_j in z)


def softmax_jacobian(z: Array) -> Array:
    """``dp_i / dz_j``: ``p_i (1 - p_i)`` where i = j, else ``-p_i p_j`` (S14). (K,) -> (K, K), row i, column j.

    >>> formulas.softmax_jacobian(np.array([0.0, 0.0]))
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    p, K = softmax(z), len(z)
    D = np.zeros((K, K))
    for i, j in indices(K, K):
        D[i, j] = p[i] * (1 - p[i]) if i == j else -p[i] * p[j]
    return D


def cross_entropy(scores: Array, labels: Array) -> float:
    """``1/N sum_n -log p_label`` (K04): scores (K, N), labels (N,) integers in 0..K-1.

    >>> round(formulas.cross_entropy(np.array([[2.0], [0.0]]), [0]), 6)
    0.126928
    """
    N = len(labels)
    return sum(-log(softmax(scores[:, n])[labels[n]]) for n in range(N)) / N


def cross_entropy_backward(scores: Array, labels: Array) -> Array:
    """``dL/dz_i = sum_j dL/dp_j dp_j/dz_i`` with ``dL/dp_j = -y_j / p_j`` (S13 to S15), over N.

    scores (K, N), labels (N,) -> (K, N). ValueError where a probability is 0 in float64.

    >>> formulas.cross_entropy_backward(np.array([[2.0], [0.0]]), [0]).round(6)
    array([[-0.119203],
           [ 0.119203]])
    """
    K, N = scores.shape
    dz = np.zeros((K, N))
    for n in range(N):
        p, D = softmax(scores[:, n]), softmax_jacobian(scores[:, n])
        for i, j in indices(K, K):
            y_j = 1 if j == labels[n] else 0
            dz[i, n] += -y_j / p[j] * D[j, i] / N
    return dz


def squared_error(outputs: Array, targets: Array) -> float:
    """``1/N sum_n 1/2 sum_i (a_i - y_i)^2`` (Q06, Q07): outputs and targets (D, N).

    >>> formulas.squared_error(np.array([[1.0, 4.0]]), np.array([[0.0, 2.0]]))
    np.float64(1.25)
    """
    D, N = outputs.shape
    return sum((outputs[i, n] - targets[i, n]) ** 2 / 2 for i, n in indices(D, N)) / N


def squared_error_backward(outputs: Array, targets: Array) -> Array:
    """``dJ/da_i = -(y_i - a_i)``, over N (Q11 before f'): outputs and targets (D, N) -> (D, N).

    >>> formulas.squared_error_backward(np.array([[1.0, 4.0]]), np.array([[0.0, 2.0]]))
    array([[0.5, 1. ]])
    """
    D, N = outputs.shape
    da = np.zeros((D, N))
    for i, n in indices(D, N):
        da[i, n] = -(targets[i, n] - outputs[i, n]) / N
    return da


# ---- convolution ------------------------------------------------------------------------------------


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """``(size + 2 padding - kernel) / stride + 1``, rounded down (Q16).

    >>> formulas.output_size(28, 5, stride=2)
    12
    """
    return (size + 2 * padding - kernel) // stride + 1


def pixel(x: Array, c: int, i: int, j: int, n: int, outside: float = 0.0) -> float:
    """``x[c, i, j, n]``, or ``outside`` where (i, j) is off the image. x (C, H, W, N) -> one number.

    >>> formulas.pixel(np.ones((1, 2, 2, 1)), 0, -1, 0, 0)
    0.0
    """
    inside = 0 <= i < x.shape[1] and 0 <= j < x.shape[2]
    return x[c, i, j, n] if inside else outside


def correlate2d(x: Array, W: Array, b: Array, stride: Pair = (1, 1), padding: Pair = (0, 0)) -> Array:
    """A convolutional layer as the frameworks compute it, a cross-correlation (Q15; compare Z14)::

        z[o,i,j] = b[o] + sum_c sum_u sum_v W[o,c,u,v] x[c, s i + u - p, s j + v - p]

    x (C_in, H, W, N), W (C_out, C_in, KH, KW), b (C_out,) -> (C_out, OH, OW, N).

    >>> x, W = np.arange(9.0).reshape(1, 3, 3, 1), np.array([[[[1.0, 0.0], [0.0, 2.0]]]])
    >>> formulas.correlate2d(x, W, [0.0])[0, :, :, 0]
    array([[ 8., 11.],
           [17., 20.]])
    """
    (_, H, width, N), (C_out, C_in, KH, KW) = x.shape, W.shape
    (sh, sw), (ph, pw) = stride, padding
    OH, OW = output_size(H, KH, sh, ph), output_size(width, KW, sw, pw)
    z = np.zeros((C_out, OH, OW, N))
    for o, i, j, n in indices(C_out, OH, OW, N):
        z[o, i, j, n] = b[o]
        for c, u, v in indices(C_in, KH, KW):
            h, w = sh * i + u - ph, sw * j + v - pw
            z[o, i, j, n] += W[o, c, u, v] * pixel(x, c, h, w, n)
    return z


def correlate2d_backward(
    x: Array, W: Array, delta: Array, stride: Pair = (1, 1), padding: Pair = (0, 0)
) -> tuple[Array, Array, Array]:
    """Every product of the forward sum, sent back to its two factors and to its bias (K12, Q14, S22, S25)::

        dx[c,h,w] = sum of W[o,c,u,v] delta[o,i,j] over all (o,i,j,u,v) with s i + u - p = h and s j + v - p = w
        dW[o,c,u,v] = sum_n sum_i sum_j delta[o,i,j] x[c, s i + u - p, s j + v - p]
        db[o] = sum_n sum_i sum_j delta[o,i,j]

    x (C_in, H, W, N), W (C_out, C_in, KH, KW), delta (C_out, OH, OW, N). Returns dx, dW, db.

    >>> x, W = np.arange(9.0).reshape(1, 3, 3, 1), np.array([[[[1.0, 0.0], [0.0, 2.0]]]])
    >>> dx, dW, db = formulas.correlate2d_backward(x, W, np.ones((1, 2, 2, 1)))
    >>> dx[0, :, :, 0]
    array([[1., 1., 0.],
           [1., 3., 2.],
           [0., 2., 2.]])
    >>> dW[0, 0], db
    (array([[ 8., 12.],
           [20., 24.]]), array([4.]))
    """
    (sh, sw), (ph, pw) = stride, padding
    dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros(len(W))
    for o, i, j, n in indices(*delta.shape):
        db[o] += delta[o, i, j, n]
        for c, u, v in indices(*W.shape[1:]):
            h, w = sh * i + u - ph, sw * j + v - pw
            dW[o, c, u, v] += delta[o, i, j, n] * pixel(x, c, h, w, n)
            if 0 <= h < x.shape[1] and 0 <= w < x.shape[2]:
                dx[c, h, w, n] += W[o, c, u, v] * delta[o, i, j, n]
    return dx, dW, db


def convolve2d(f: Array, g: Array) -> Array:
    """``h_ij = sum_m sum_n f(i-m, j-n) g(m,n)``, f zero off its grid (S17): a true convolution.

    f (H, W), g (M, N) -> every (i, j) that any f reaches, (H + M - 1, W + N - 1).

    >>> formulas.convolve2d(np.array([[1.0, 2.0]]), np.array([[1.0, 10.0]]))
    array([[ 1., 12., 20.]])
    """
    (H, W), (M, N) = f.shape, g.shape
    h = np.zeros((H + M - 1, W + N - 1))
    for i, j, m, n in indices(*h.shape, M, N):
        if 0 <= i - m < H and 0 <= j - n < W:
            h[i, j] += f[i - m, j - n] * g[m, n]
    return h


# ---- pooling ----------------------------------------------------------------------------------------


def window(x, c, i, j, n, kernel, stride, padding, outside):
    """The places (h, w) of window (i, j), row-major, each with its value."""
    for u, v in indices(*kernel):
        h, w = stride[0] * i + u - padding[0], stride[1] * j + v - padding[1]
        yield (h, w), pixel(x, c, h, w, n, outside)


def pooled_shape(x: Array, kernel: Pair, stride: Pair, padding: Pair) -> tuple[int, ...]:
    """(C, OH, OW, N) for windows over x (C, H, W, N).

    >>> formulas.pooled_shape(np.zeros((3, 5, 7, 2)), (2, 2), (2, 2), (0, 0))
    (3, 2, 3, 2)
    """
    OH, OW = (output_size(*sizes) for sizes in zip(x.shape[1:3], kernel, stride, padding))
    return x.shape[0], OH, OW, x.shape[3]


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0)) -> Array:
    """The largest value of each window (S20, Q18). x (C, H, W, N) -> (C, OH, OW, N).

    >>> x = np.array([[1.0, 7, 2, 2], [3, 5, 2, 2]]).reshape(1, 2, 4, 1)
    >>> formulas.max_pool2d(x, (2, 2), (2, 2)).ravel()
    array([7., 2.])
    """
    z = np.zeros(pooled_shape(x, kernel, stride, padding))
    for c, i, j, n in indices(*z.shape):
        z[c, i, j, n] = max(value for _, value in window(x, c, i, j, n, kernel, stride, padding, -np.inf))
    return z


def max_pool2d_backward(x: Array, delta: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0)) -> Array:
    """Each delta to the first place that holds its window's maximum (K10, Q19, S21).

    x (C, H, W, N), delta (C, OH, OW, N) -> dx (C, H, W, N).

    >>> x = np.array([[1.0, 7, 2, 2], [3, 5, 2, 2]]).reshape(1, 2, 4, 1)
    >>> formulas.max_pool2d_backward(x, np.ones((1, 1, 2, 1)), (2, 2), (2, 2))[0, :, :, 0]
    array([[0., 1., 1., 0.],
           [0., 0., 0., 0.]])
    """
    dx = np.zeros(x.shape)
    for c, i, j, n in indices(*delta.shape):
        places = window(x, c, i, j, n, kernel, stride, padding, -np.inf)
        (h, w), _ = max(places, key=lambda place: place[1])
        dx[c, h, w, n] += delta[c, i, j, n]
    return dx


def avg_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0)) -> Array:
    """The mean of each window, zeros of the padding counted (Q20). x (C, H, W, N) -> (C, OH, OW, N).

    >>> x = np.array([[1.0, 7, 2, 2], [3, 5, 2, 2]]).reshape(1, 2, 4, 1)
    >>> formulas.avg_pool2d(x, (2, 2), (2, 2)).ravel()
    array([4., 2.])
    """
    z = np.zeros(pooled_shape(x, kernel, stride, padding))
    for c, i, j, n in indices(*z.shape):
        values = [value for _, value in window(x, c, i, j, n, kernel, stride, padding, 0.0)]
        z[c, i, j, n] = sum(values) / len(values)
    return z


def avg_pool2d_backward(x: Array, delta: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0)) -> Array:
    """Each delta shared equally by the places of its window (Q21).

    x (C, H, W, N), delta (C, OH, OW, N) -> dx (C, H, W, N).

    >>> formulas.avg_pool2d_backward(np.zeros((1, 2, 2, 1)), np.ones((1, 1, 1, 1)), (2, 2), (2, 2))[0, :, :, 0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    dx = np.zeros(x.shape)
    for c, i, j, n in indices(*delta.shape):
        for (h, w), _ in window(x, c, i, j, n, kernel, stride, padding, 0.0):
            if 0 <= h < x.shape[1] and 0 <= w < x.shape[2]:
                dx[c, h, w, n] += delta[c, i, j, n] / (kernel[0] * kernel[1])
    return dx


# ---- what fits --------------------------------------------------------------------------------------


def of_a_number(function):
    """The function of one number behind a check: ValueError where it gets an array."""

    @wraps(function)
    def checked(z):
        if np.ndim(z):
            raise ValueError(f"{function.__name__}: z has shape {np.shape(z)}, want a number: see activation")
        return function(z)

    return checked


globals().update(sigmoid=of_a_number(sigmoid), relu=of_a_number(relu))
IMAGES, KERNELS, WHOLE = "C H W N", "C_out C KH KW", (int, np.integer)
POOL = {"x": IMAGES, "kernel": 1, "stride": 1, "padding": 0}
CONV = {"x": IMAGES, "W": KERNELS, "stride": 1, "padding": 0}
AXES: dict = {  # of each array, the same size where the name is the same; of each pair, the least number
    activation: {"x": "..."},
    activation_backward: {"f": (sigmoid, tanh, relu), "x": "...", "delta": "..."},
    dense: {"x": "D_in N", "W": "D_out D_in", "b": "D_out"},
    dense_backward: {"x": "D_in N", "W": "D_out D_in", "delta": "D_out N"},
    **dict.fromkeys((softmax, softmax_jacobian), {"z": "K"}),
    **dict.fromkeys((cross_entropy, cross_entropy_backward), {"scores": "K N", "labels": "N"}),
    **dict.fromkeys((squared_error, squared_error_backward), {"outputs": "D N", "targets": "D N"}),
    correlate2d: CONV | {"b": "C_out"},
    correlate2d_backward: CONV | {"delta": "C_out OH OW N"},
    convolve2d: {"f": "H W", "g": "M N"},
    **dict.fromkeys((max_pool2d, avg_pool2d), POOL),
    **dict.fromkeys((max_pool2d_backward, avg_pool2d_backward), POOL | {"delta": "C OH OW N"}),
}


def fitting(function, axes):
    """The function behind a check of its arguments: ValueError, naming what came and what was wanted."""

    call = signature(function)

    @wraps(function)
    def checked(*args, **kwargs):
        given = call.bind(*args, **kwargs)
        given.apply_defaults()
        check(function.__name__, given.arguments, axes)
        return function(*given.args, **given.kwargs)

    return checked


def check(who, given, axes):
    """Make arrays float64, labels and pairs ints; ValueError, naming what came and what was wanted, unless all fits."""
    sizes = {}
    for name, want in axes.items():
        value = np.asarray(given[name]) if name in ("b", "z", "labels") else given[name]
        kinds, what, kind = ("iu", "whole", int) if name == "labels" else ("biuf", "real", float)
        if isinstance(want, tuple):
            fits, came, wanted = value in want, repr(value), f"one of {[f.__name__ for f in want]}"
        elif isinstance(want, int):
            came, wanted = repr(value), f"a pair (vertical, horizontal) of ints >= {want}"
            fits = isinstance(value, (tuple, list)) and len(value) == 2
            fits = fits and all(isinstance(n, WHOLE) and type(n) is not bool and n >= want for n in value)
            value = sizes[name] = tuple(map(int, value)) if fits else value
        elif not isinstance(value, np.ndarray) or value.dtype.kind not in kinds or np.ma.isMaskedArray(value):
            fits, wanted = False, f"a NumPy array of {what} numbers"
            came = f"{value.dtype}" if type(value) is np.ndarray else type(value).__name__
        else:
            shape, names = [value.shape] if want == "..." else value.shape, want.split()
            fits = value.size > 0 and len(shape) == len(names)
            fits = fits and all(sizes.setdefault(*pair) == pair[1] for pair in zip(names, shape))
            whole = tuple(sizes.get(axis, axis) for axis in names)
            wanted = f"{whole[0] if want == '...' else whole}, every size at least 1".replace("'", "")
            value, came = np.asarray(value, kind), f"of shape {value.shape}"
        if not fits:
            raise ValueError(f"{who}: {name} is {came}, want {wanted}")
        given[name] = value
        if name == "padding":
            kernel = sizes.setdefault("kernel", (sizes.get("KH"), sizes.get("KW")))
            rest = kernel, sizes["stride"], value
            sizes["OH"], sizes["OW"] = map(output_size, (sizes["H"], sizes["W"]), *rest)
            if min(sizes["OH"], sizes["OW"]) < 1 or "kernel" in given and any(map(int.__ge__, value, kernel)):
                raise ValueError(f"{who}: got kernel {kernel} and padding {value}, want what fits into x")
        if name == "labels":
            if not (0 <= value.min() and value.max() < sizes["K"]):
                raise ValueError(f"{who}: labels {value.min()} to {value.max()}, want 0 to {sizes['K'] - 1}")
            z = given["scores"]
            lowest = z.min(axis=0) if who.endswith("backward") else z[value, range(len(value))]
            if not (np.minimum(lowest, lowest - z.max(axis=0)) > -700).all():
                raise ValueError(f"{who}: a probability is 0 in float64, want closer scores")


__all__ = ["sigmoid", "relu", "output_size", "pixel", *(function.__name__ for function in AXES)]
globals().update({function.__name__: fitting(function, axes) for function, axes in AXES.items()})
