"""The oracle itself: against the lectures' printed numbers, hand-made examples and finite differences.

Nothing here uses ``layers``: what judges them is judged first.
"""

import inspect
from math import tanh

import numpy as np
import pytest
from helpers import numbers, refused, slopes, whole_numbers

from cnnlib import formulas

FIVE = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]], float)
FOUR = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 2, 3, 5], [6, 5, 1, 1]], float)
DELTA = np.array([[1, 2], [3, 4]], float)
TWO, NONE = (2, 2), (0, 0)


def image(array):
    """(H, W) -> (1, H, W, 1)."""
    return np.asarray(array, float)[None, :, :, None]


def same(got, wanted):
    np.testing.assert_array_equal(np.squeeze(got), np.squeeze(wanted))


# ---- the lectures' numbers --------------------------------------------------------------------------


def test_correlation_gives_the_map_of_q15():
    cross = image([[1, 0, 1], [0, 1, 0], [1, 0, 1]]).transpose(0, 3, 1, 2)
    y = formulas.correlate2d(image(FIVE), cross, np.zeros(1))
    same(y, [[4, 3, 4], [2, 4, 3], [2, 3, 4]])


def test_max_pooling_gives_the_maps_of_q18_and_q19():
    same(formulas.max_pool2d(image(FOUR), TWO, TWO), [[6, 8], [9, 5]])
    dx = formulas.max_pool2d_backward(image(FOUR), image(DELTA), TWO, TWO)
    same(dx, [[0, 0, 0, 0], [0, 1, 0, 2], [3, 0, 0, 4], [0, 0, 0, 0]])


def test_average_pooling_gives_half_of_what_q20_prints_and_the_map_of_q21():
    same(formulas.avg_pool2d(image(FOUR), TWO, TWO), np.array([[7, 11], [11, 5]]) / 2)
    dx = formulas.avg_pool2d_backward(image(FOUR), image(DELTA), TWO, TWO)
    same(dx, [[0.25, 0.25, 0.5, 0.5]] * 2 + [[0.75, 0.75, 1, 1]] * 2)


def test_softmax_minus_one_hot_is_the_gradient_of_k07():
    dz = formulas.cross_entropy_backward(np.log([[0.3], [0.7]]), [1])
    np.testing.assert_allclose(dz, [[0.3], [-0.3]], atol=1e-15)


@pytest.mark.parametrize(
    "size, kernel, stride, padding, out", [(5, 3, 1, 2, 7), (227, 11, 4, 0, 55), (6, 3, 2, 0, 2)]
)
def test_output_size_rounds_down(size, kernel, stride, padding, out):
    assert formulas.output_size(size, kernel, stride, padding) == out
    assert formulas.output_size(5, 3) == 3


# ---- by hand ----------------------------------------------------------------------------------------


def test_correlation_by_hand_with_stride_padding_channels_and_bias():
    x = np.arange(1.0, 13).reshape(2, 2, 3, 1)  # 1..6 and 7..12, two rows of three
    W = np.array([[[[1, 10]], [[100, 1000]]]], float)  # one output, two channels, one row of two
    y = formulas.correlate2d(x, W, np.array([0.5]), stride=(1, 2), padding=(0, 1))
    same(y, [[0.5 + 10 + 7000, 0.5 + 2 + 30 + 800 + 9000], [0.5 + 40 + 10000, 0.5 + 5 + 60 + 1100 + 12000]])


def test_correlation_does_not_turn_the_kernel_and_convolution_does():
    impulse = np.zeros((3, 3))
    impulse[1, 1] = 1
    kernel = np.arange(1.0, 5).reshape(2, 2)
    turned = formulas.correlate2d(image(impulse), kernel[None, None], np.zeros(1))
    same(turned, kernel[::-1, ::-1])
    same(formulas.convolve2d(impulse, kernel)[1:3, 1:3], kernel)


def test_convolution_is_numpys_on_a_row_and_commutes():
    f, g = whole_numbers((1, 5), 1), whole_numbers((1, 3), 2)
    same(formulas.convolve2d(f, g), np.convolve(f[0], g[0]))
    f, g = whole_numbers((3, 4), 3), whole_numbers((2, 5), 4)
    same(formulas.convolve2d(f, g), formulas.convolve2d(g, f))
    assert formulas.convolve2d(f, g).shape == (4, 8)


def test_input_gradient_is_the_full_convolution_of_q22_and_s26():
    W, delta = whole_numbers((1, 1, 3, 2), 1), whole_numbers((1, 3, 4, 1), 2)
    x = whole_numbers((1, 5, 5, 1), 3)
    dx, _, _ = formulas.correlate2d_backward(x, W, delta)
    same(dx, formulas.convolve2d(delta[0, :, :, 0], W[0, 0]))
    turned = W[:, :, ::-1, ::-1]
    same(dx, formulas.correlate2d(delta, turned, np.zeros(1), padding=(2, 1)))


def test_dense_by_hand():
    x, W, b = np.array([[1.0], [10], [100]]), np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([0.5, -0.5])
    same(formulas.dense(x, W, b), [321.5, 653.5])
    dx, dW, db = formulas.dense_backward(x, W, np.array([[1.0], [2]]))
    same(dx, [9, 12, 15])
    same(dW, [[1, 10, 100], [2, 20, 200]])
    same(db, [1, 2])


def test_max_pool_tie_goes_to_the_first_in_row_major_order():
    x = image([[0, 7, 0], [7, 7, 0]])
    same(formulas.max_pool2d_backward(x, image([[1, 10]]), TWO, (1, 1)), [[0, 11, 0], [0, 0, 0]])


def test_pools_take_padding_as_minus_infinity_and_as_zero():
    x = image([[-4, -8]])
    same(formulas.max_pool2d(x, (1, 2), (1, 2), (0, 1)), [-4, -8])
    same(formulas.avg_pool2d(x, (1, 2), (1, 2), (0, 1)), [-2, -4])
    same(formulas.max_pool2d(x, (2, 2), (1, 2), (1, 1)), [[-4, -8], [-4, -8]])
    same(formulas.avg_pool2d(x, (2, 2), (1, 2), (1, 1)), [[-1, -2], [-1, -2]])


def test_activations_by_hand():
    z = np.array([[-2.0, 0.0, 2.0]])
    same(formulas.activation(formulas.relu, z), [0, 0, 2])
    same(formulas.activation_backward(formulas.relu, z, np.array([[3.0, 5, 7]])), [0, 0, 7])
    assert formulas.sigmoid(0) == 0.5 and formulas.sigmoid(-1000) == 0 and formulas.sigmoid(1000) == 1
    assert formulas.sigmoid(2) == pytest.approx(0.8807970779778823, rel=1e-15)
    assert formulas.sigmoid(-2) == pytest.approx(0.11920292202211755, rel=1e-15)


def test_losses_by_hand():
    scores = np.log([[0.5, 0.1], [0.2, 0.6], [0.3, 0.3]])
    np.testing.assert_allclose(formulas.softmax(scores[:, 1]), [0.1, 0.6, 0.3])
    assert formulas.cross_entropy(scores, [0, 2]) == pytest.approx(-(np.log(0.5) + np.log(0.3)) / 2)
    a, y = np.array([[1.0, 2], [3, 4]]), np.array([[0.0, 2], [1, 7]])
    assert formulas.squared_error(a, y) == ((1 + 4) + (0 + 9)) / 2 / 2
    same(formulas.squared_error_backward(a, y), [[0.5, 0], [1, -1.5]])


# ---- each backward sum is the derivative of its forward sum -----------------------------------------


def derivative(forward, backward, array, *, delta=None):
    """backward is the slope of the sum of delta times forward in ``array``."""
    delta = 1.0 if delta is None else delta
    slope = slopes(lambda: float(np.sum(delta * forward())), array)
    np.testing.assert_allclose(backward, slope, atol=1e-8)


@pytest.mark.parametrize("f", [formulas.sigmoid, tanh, formulas.relu])
def test_activation_backward_is_the_derivative(f):
    x, delta = numbers((3, 4), 1), numbers((3, 4), 2)
    dx = formulas.activation_backward(f, x, delta)
    derivative(lambda: formulas.activation(f, x), dx, x, delta=delta)


def test_dense_backward_is_the_derivative():
    x, W, b, delta = numbers((3, 4), 1), numbers((2, 3), 2), numbers(2, 3), numbers((2, 4), 4)
    gradients = formulas.dense_backward(x, W, delta)
    for array, gradient in zip((x, W, b), gradients):
        derivative(lambda: formulas.dense(x, W, b), gradient, array, delta=delta)


@pytest.mark.parametrize(
    "stride, padding", [((1, 1), (0, 0)), ((2, 1), (1, 0)), ((1, 3), (0, 2)), ((1, 1), (2, 1))]
)
def test_correlation_backward_is_the_derivative(stride, padding):
    x, W, b = numbers((2, 4, 3, 2), 1), numbers((2, 2, 3, 2), 2), numbers(2, 3)
    delta = numbers(formulas.correlate2d(x, W, b, stride, padding).shape, 4)
    gradients = formulas.correlate2d_backward(x, W, delta, stride, padding)
    for array, gradient in zip((x, W, b), gradients):
        derivative(lambda: formulas.correlate2d(x, W, b, stride, padding), gradient, array, delta=delta)


@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(
    "sizes", [((2, 2), (2, 2), (0, 0)), ((3, 2), (1, 2), (1, 1)), ((2, 3), (3, 1), (0, 1))]
)
def test_pooling_backward_is_the_derivative(kind, sizes):
    pool, backward = getattr(formulas, kind), getattr(formulas, f"{kind}_backward")
    x = numbers((1, 5, 4, 2), 1)
    delta = numbers(pool(x, *sizes).shape, 2)
    derivative(lambda: pool(x, *sizes), backward(x, delta, *sizes), x, delta=delta)


def test_softmax_jacobian_is_the_derivative():
    z = numbers(4, 1)
    J = np.stack([slopes(lambda i=i: formulas.softmax(z)[i], z) for i in range(4)])
    np.testing.assert_allclose(formulas.softmax_jacobian(z), J, atol=1e-9)


def test_loss_backwards_are_the_derivatives():
    scores, labels, targets = numbers((4, 3), 1), [2, 0, 3], numbers((4, 3), 2)
    dz = formulas.cross_entropy_backward(scores, labels)
    derivative(lambda: formulas.cross_entropy(scores, labels), dz, scores)
    da = formulas.squared_error_backward(scores, targets)
    derivative(lambda: formulas.squared_error(scores, targets), da, scores)


# ---- what does not fit ------------------------------------------------------------------------------

IMAGES, KERNELS, BIAS, MAPS = numbers((2, 5, 6, 3)), numbers((4, 2, 3, 2)), numbers(4), numbers((4, 3, 5, 3))
CORRELATE = dict(x=IMAGES, W=KERNELS, b=BIAS)
BACK = dict(x=IMAGES, W=KERNELS, delta=MAPS)
POOLED = dict(x=IMAGES, kernel=(2, 2), stride=(2, 2))
DENSE = dict(x=numbers((3, 2)), W=numbers((4, 3)), b=numbers(4))
DENSE_BACK = dict(x=numbers((3, 2)), W=numbers((4, 3)), delta=numbers((4, 2)))
SCORES = dict(scores=numbers((3, 2)), labels=[0, 2])


@pytest.mark.parametrize(
    "name, given, changed, words",
    [
        ("correlate2d", CORRELATE, {"x": numbers((3, 5, 6, 3))}, ["W", "(4, 2, 3, 2)", "(4, 3, KH, KW)"]),
        ("correlate2d", CORRELATE, {"b": numbers(3)}, ["b", "(3,)", "(4,)"]),
        ("correlate2d", CORRELATE, {"x": IMAGES[0]}, ["x", "(5, 6, 3)", "(C, H, W, N)"]),
        ("correlate2d", CORRELATE, {"x": IMAGES[..., :0]}, ["x", "(2, 5, 6, 0)", "at least 1"]),
        ("correlate2d", CORRELATE, {"x": IMAGES.tolist()}, ["x", "list", "NumPy array"]),
        ("correlate2d", CORRELATE, {"W": KERNELS * 1j}, ["W", "complex128", "real"]),
        ("correlate2d", CORRELATE, {"b": None}, ["b", "object", "real"]),
        ("correlate2d", CORRELATE, {"W": numbers((4, 2, 6, 2))}, ["kernel (6, 2)", "padding (0, 0)"]),
        *(
            ("correlate2d", CORRELATE, {name: value}, [name, repr(value), "pair"])
            for name, value in [
                *(
                    ("stride", value)
                    for value in (2, 2.0, (2,), (1, 2, 3), (0, 1), (1, 1.5), "11", None, (True, 1))
                ),
                *(("padding", value) for value in (1, (-1, 0), (0.5, 0), [1])),
            ]
        ),
        ("correlate2d_backward", BACK, {"delta": MAPS[:3]}, ["delta", "(3, 3, 5, 3)", "(4, 3, 5, 3)"]),
        ("correlate2d_backward", BACK, {"stride": (2, 1)}, ["delta", "(4, 3, 5, 3)", "(4, 2, 5, 3)"]),
        ("correlate2d_backward", BACK, {"padding": (1, 1)}, ["delta", "(4, 5, 7, 3)"]),
        ("convolve2d", dict(f=FIVE, g=DELTA), {"g": DELTA[0]}, ["g", "(2,)", "(M, N)"]),
        *(
            case
            for name in ("max_pool2d", "avg_pool2d")
            for case in [
                (name, POOLED, {"kernel": 2}, ["kernel", "2", "pair"]),
                (name, POOLED, {"stride": 2}, ["stride", "2", "pair"]),
                (name, POOLED, {"kernel": (6, 2)}, ["kernel (6, 2)"]),
                (name, POOLED, {"padding": (0, 2)}, ["padding (0, 2)"]),
                (
                    f"{name}_backward",
                    POOLED | {"delta": MAPS[:2]},
                    {},
                    ["delta", "(2, 3, 5, 3)", "(2, 2, 3, 3)"],
                ),
            ]
        ),
        ("dense", DENSE, {"x": numbers((4, 2))}, ["W", "(4, 3)", "(4, 4)"]),
        ("dense", DENSE, {"b": numbers((4, 1))}, ["b", "(4, 1)", "(4,)"]),
        ("dense", DENSE, {"x": numbers(3)}, ["x", "(3,)", "(D_in, N)"]),
        (
            "dense",
            DENSE,
            {"x": np.ma.masked_greater(numbers((3, 2)), 0)},
            ["x is MaskedArray", "NumPy array"],
        ),
        ("dense_backward", DENSE_BACK, {"delta": numbers((2, 4))}, ["delta", "(2, 4)", "(4, 2)"]),
        ("activation", dict(f=tanh, x=BIAS), {"x": [1.0]}, ["x", "list"]),
        ("activation_backward", dict(f=tanh, x=BIAS, delta=BIAS), {"f": abs}, ["f", "abs", "tanh"]),
        (
            "activation_backward",
            dict(f=tanh, x=BIAS, delta=BIAS),
            {"delta": BIAS[:1]},
            ["delta", "(1,)", "want (4,)"],
        ),
        ("softmax", dict(z=BIAS), {"z": DENSE["x"]}, ["z", "(3, 2)", "(K,)"]),
        ("softmax_jacobian", dict(z=BIAS), {"z": BIAS[:0]}, ["z", "(0,)"]),
        *(
            case
            for name in ("cross_entropy", "cross_entropy_backward")
            for case in [
                (name, SCORES, {"labels": [0, 3]}, ["labels", "0 to 3", "0 to 2"]),
                (name, SCORES, {"labels": [-1, 2]}, ["labels", "-1 to 2", "0 to 2"]),
                (name, SCORES, {"labels": [0.0, 2.0]}, ["labels", "float64", "whole"]),
                (name, SCORES, {"labels": [0, 1, 2]}, ["labels", "(3,)", "(2,)"]),
                (name, SCORES, {"labels": np.eye(3)[:2]}, ["labels", "float64"]),
                (
                    name,
                    SCORES,
                    {"scores": np.array([[700.0, 0], [0, 0], [-700, -800]])},
                    ["a probability is 0"],
                ),
            ]
        ),
        (
            "squared_error",
            dict(outputs=FIVE, targets=FIVE),
            {"targets": FOUR},
            ["targets", "(4, 4)", "(5, 5)"],
        ),
        ("squared_error_backward", dict(outputs=FIVE, targets=FIVE), {"targets": 1.0}, ["targets", "float"]),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name, given, changed, words):
    function = getattr(formulas, name)
    if changed:
        function(**given)
    with refused(f"{name}: ", *words, "want"):
        function(**given | changed)


def test_the_check_of_the_arguments_hides_nothing_of_the_sums():
    for function in formulas.AXES:
        offered = getattr(formulas, function.__name__)
        assert inspect.getsource(offered) == inspect.getsource(function)
        assert inspect.signature(offered) == inspect.signature(function)
        assert offered.__doc__ == function.__doc__ and offered is not function


def test_every_sum_of_arrays_is_checked():
    unchecked = {
        "sigmoid",
        "relu",
        "output_size",
        "pixel",
        "window",
        "pooled_shape",
        "fitting",
        "check",
        "of_a_number",
    }
    here = {
        name
        for name, f in vars(formulas).items()
        if inspect.isfunction(f) and f.__module__ == formulas.__name__
    }
    assert here - unchecked == {function.__name__ for function in formulas.AXES}


def test_biases_and_labels_may_be_lists():
    np.testing.assert_array_equal(
        formulas.correlate2d(IMAGES, KERNELS, list(BIAS)), formulas.correlate2d(**CORRELATE)
    )
    assert formulas.cross_entropy(**SCORES) == formulas.cross_entropy(SCORES["scores"], np.array([0, 2]))


SMALL = {
    dtype: np.array([[200, 100], [3, 250]]).astype(dtype) for dtype in (np.uint8, np.int8, np.uint64, bool)
}


@pytest.mark.parametrize("dtype", SMALL, ids=lambda dtype: dtype.__name__)
def test_small_integers_give_what_their_values_give(dtype):
    whole, half = SMALL[dtype], SMALL[dtype][:1]
    images, kernel = whole.reshape(1, 2, 2, 1), whole.reshape(1, 1, 2, 2)
    for name, given in {
        "dense": (whole, whole, half[0]),
        "dense_backward": (whole, whole, whole),
        "correlate2d": (images, kernel, half[0, :1]),
        "correlate2d_backward": (images, kernel, images, (2, 2), (1, 1)),
        "convolve2d": (whole, whole),
        "squared_error": (whole, whole.T),
        "squared_error_backward": (whole, whole.T),
        "avg_pool2d": (images, (2, 2), (2, 2)),
        "max_pool2d_backward": (images, images, (2, 2), (2, 2), (1, 1)),
        "activation_backward": (formulas.relu, whole, whole),
    }.items():
        floats = [a.astype(float) if isinstance(a, np.ndarray) else a for a in given]
        got, want = getattr(formulas, name)(*given), getattr(formulas, name)(*floats)
        np.testing.assert_equal(got, want, name)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int8])
def test_pairs_may_be_of_numpys_integers(kind):
    x, W = numbers((1, 150, 2, 1)), numbers((1, 1, 2, 2))

    def results(kernel, stride, padding):
        y = formulas.max_pool2d(x, kernel, stride, padding)
        back = formulas.avg_pool2d_backward(x, y, kernel, stride, padding)
        return [y, back, formulas.correlate2d(x, W, [0.5], stride, padding)]

    got = results((kind(2), 2), (kind(100), 1), (kind(1), kind(1)))
    for one, other in zip(got, results((2, 2), (100, 1), (1, 1))):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("f", [formulas.sigmoid, formulas.relu])
def test_function_of_a_number_says_that_it_takes_no_array(f):
    for z in (np.array([1.0, -2]), np.ones((1, 1)), [1.0]):
        with refused(f"{f.__name__}: z has shape {np.shape(z)}", "want a number", "activation"):
            f(z)
    assert f(np.array(-0.5)) == f(-0.5) and inspect.getsource(f).startswith(f"def {f.__name__}(z: float)")


def test_scores_far_apart_pass_where_the_probability_asked_for_is_not_0():
    scores = np.array([[0.0], [-800]])
    assert formulas.cross_entropy(scores, [0]) == 0
    with refused("cross_entropy_backward: a probability is 0", "want closer scores"):
        formulas.cross_entropy_backward(scores, [0])
