"""Every layer against the lectures' sums, against its own transpose, and against finite differences."""

from itertools import pairwise
from math import prod, tanh

import numpy as np
import pytest
from helpers import (
    CONVS,
    FLOATS,
    SEEDS,
    Sliding,
    agree_with_slopes,
    by_layer,
    identical,
    numbers,
    repeatable,
    sliding,
    whole_numbers,
)
from hypothesis import given
from hypothesis import strategies as st

import cnnlib
from cnnlib import (
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Dense,
    Flatten,
    MaxPool1d,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Tanh,
    formulas,
)

ACTIVATIONS = {Sigmoid: formulas.sigmoid, Tanh: tanh, ReLU: formulas.relu}

# name, size, kernel, stride, padding, (C_in, C_out), N
WINDOWS = {
    "plain": Sliding("Conv2d", (5, 7), (3, 3), (1, 1), (0, 0)),
    "kernel not square": Sliding("Conv2d", (6, 5), (2, 4), (1, 1), (0, 0), (3, 2)),
    "last row and columns not reached": Sliding("Conv2d", (6, 8), (3, 3), (2, 3), (0, 0), (1, 4)),
    "stride above the kernel": Sliding("Conv2d", (8, 7), (2, 1), (3, 2), (0, 0)),
    "padded differently": Sliding("Conv2d", (4, 5), (3, 2), (1, 2), (2, 1), (2, 2), 3),
    "padded beyond the kernel": Sliding("Conv2d", (2, 3), (2, 2), (1, 1), (3, 2), (1, 2)),
    "1x1": Sliding("Conv2d", (3, 4), (1, 1), (1, 1), (0, 0), (3, 2)),
    "one window": Sliding("Conv2d", (4, 3), (4, 3), (1, 1), (0, 0), (2, 3)),
    "one example": Sliding("Conv2d", (5, 4), (2, 3), (2, 1), (1, 0), (2, 3), 1),
    "1-D": Sliding("Conv1d", (7,), (3,), (1,), (0,), (2, 3)),
    "1-D strided and padded": Sliding("Conv1d", (8,), (4,), (3,), (2,), (3, 2), 1),
    "max": Sliding("MaxPool2d", (4, 6), (2, 2), (2, 2), (0, 0)),
    "max, overlapping": Sliding("MaxPool2d", (5, 6), (3, 2), (1, 1), (0, 0)),
    "max, last row and columns not reached": Sliding("MaxPool2d", (5, 8), (2, 3), (2, 3), (0, 0)),
    "max, padded": Sliding("MaxPool2d", (5, 4), (3, 2), (2, 1), (1, 1), (3, 3), 1),
    "max, stride above the kernel": Sliding("MaxPool2d", (7, 5), (2, 1), (3, 2), (0, 0)),
    "max 1x1": Sliding("MaxPool2d", (3, 4), (1, 1), (2, 1), (0, 0)),
    "max 1-D": Sliding("MaxPool1d", (7,), (3,), (2,), (1,)),
    "mean": Sliding("AvgPool2d", (4, 6), (2, 2), (2, 2), (0, 0)),
    "mean, overlapping": Sliding("AvgPool2d", (5, 6), (3, 2), (1, 1), (0, 0)),
    "mean, last row and columns not reached": Sliding("AvgPool2d", (5, 8), (2, 3), (2, 3), (0, 0)),
    "mean, padded": Sliding("AvgPool2d", (5, 4), (3, 2), (2, 1), (1, 1), (3, 3), 1),
    "mean, stride above the kernel": Sliding("AvgPool2d", (7, 5), (2, 1), (3, 2), (0, 0)),
    "mean 1-D": Sliding("AvgPool1d", (7,), (3,), (2,), (1,)),
}
windows = pytest.mark.parametrize("case", WINDOWS.values(), ids=WINDOWS)


# ---- the sums, element by element -------------------------------------------------------------------


def equal_the_sums(case, dtype, seed=0, largest=4, **options):
    """The layer on whole numbers gives what the sums give, exactly, in this dtype."""
    layer, (x, delta) = case.layer(dtype, largest, **options), case.whole(dtype, seed, largest)
    for got, wanted in zip(by_layer(layer, x, delta), case.by_formulas(x, delta, layer.params)):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, wanted)


@windows
@pytest.mark.parametrize("dtype", FLOATS)
def test_windows_equal_the_sums_exactly_on_whole_numbers(case, dtype):
    equal_the_sums(case, dtype)


@given(sliding(), st.sampled_from(FLOATS), SEEDS, st.sampled_from([1, 9]))
@repeatable
def test_any_windows_equal_the_sums_exactly_on_whole_numbers(case, dtype, seed, largest):
    equal_the_sums(case, dtype, seed, largest)


@windows
@pytest.mark.parametrize("dtype", FLOATS)
def test_windows_agree_with_the_sums_on_real_numbers(case, dtype):
    layer, x, delta = case.layer(dtype), numbers(case.x_shape, 1, dtype), numbers(case.y_shape, 2, dtype)
    for got, wanted in zip(by_layer(layer, x, delta), case.by_formulas(x, delta, layer.params)):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=200 * np.finfo(dtype).eps)


@pytest.mark.parametrize("case", [WINDOWS["padded differently"], WINDOWS["1-D"]], ids=["2-D", "1-D"])
def test_convolution_without_bias_equals_the_sums_without_bias(case):
    equal_the_sums(case, float, bias=False)
    layer = case.layer(bias=False)
    assert list(layer.params) == list(layer.grads) == ["W"]


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.sampled_from(FLOATS), SEEDS)
@repeatable
def test_dense_equals_the_sums_exactly_on_whole_numbers(D_in, D_out, N, dtype, seed):
    layer = Dense(D_in, D_out)
    for i, key in enumerate(layer.params):
        layer.params[key] = whole_numbers(layer.params[key].shape, seed + i, dtype)
    x, delta = whole_numbers((D_in, N), seed + 2, dtype), whole_numbers((D_out, N), seed + 3, dtype)
    W, b = layer.params["W"], layer.params["b"]
    wanted = [formulas.dense(x, W, b), *formulas.dense_backward(x, W, delta)]
    for got, want in zip(by_layer(layer, x, delta), wanted, strict=True):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, want)


def test_dense_without_bias_equals_the_sums_without_bias():
    layer, x, delta = Dense(3, 2, bias=False, rng=0), whole_numbers((3, 4), 1), whole_numbers((2, 4), 2)
    W = layer.params["W"] = whole_numbers((2, 3), 3)
    wanted = [formulas.dense(x, W, np.zeros(2)), *formulas.dense_backward(x, W, delta)[:2]]
    for got, want in zip(by_layer(layer, x, delta), wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    assert list(layer.params) == list(layer.grads) == ["W"]


@pytest.mark.parametrize("cls, f", ACTIVATIONS.items())
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3), (2, 3, 4, 1), (7,)])
def test_activations_agree_with_the_sums(cls, f, dtype, shape):
    layer, x, delta = cls(), 3 * numbers(shape, 1, dtype), numbers(shape, 2, dtype)
    x.flat[0] = 0
    got = by_layer(layer, x, delta)
    wanted = [formulas.activation(f, x), formulas.activation_backward(f, x, delta)]
    for g, w in zip(got, wanted, strict=True):
        assert g.dtype == dtype
        np.testing.assert_allclose(g, w, rtol=0, atol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", FLOATS)
def test_flatten_stacks_an_example_row_major_in_its_column(dtype):
    layer, x = Flatten(), np.arange(2 * 3 * 4 * 5, dtype=dtype).reshape(2, 3, 4, 5)
    y = layer.forward(x)
    assert y.shape == (24, 5) and y.dtype == dtype
    for c, i, j, n in np.ndindex(x.shape):
        assert y[(c * 3 + i) * 4 + j, n] == x[c, i, j, n]
    identical(layer.backward(y), x)
    for shape in [(3, 4, 2), (6, 2)]:
        x = numbers(shape)
        identical(layer.forward(x), x.reshape(-1, 2))
        identical(layer.backward(x.reshape(-1, 2)), x)


def test_one_axis_is_the_layer_with_two_axes_and_height_one():
    x, x2 = numbers((2, 9, 3)), numbers((2, 9, 3))[:, None]
    for one, two in [
        (
            Conv1d(2, 3, 4, stride=2, padding=1, rng=0),
            Conv2d(2, 3, (1, 4), stride=(1, 2), padding=(0, 1), rng=0),
        ),
        (MaxPool1d(3, stride=2, padding=1), MaxPool2d((1, 3), stride=(1, 2), padding=(0, 1))),
        (AvgPool1d(3, stride=2, padding=1), AvgPool2d((1, 3), stride=(1, 2), padding=(0, 1))),
    ]:
        delta = numbers(one.output_shape(x.shape), 1)
        for a, b in zip(by_layer(one, x, delta), by_layer(two, x2, delta[:, None])):
            np.testing.assert_array_equal(a, b.reshape(a.shape))


def test_a_number_means_the_same_on_both_axes_and_a_pool_strides_by_its_kernel():
    x = numbers((2, 7, 8, 2))
    for one, pair in [
        (
            Conv2d(2, 3, 3, stride=2, padding=1, rng=0),
            Conv2d(2, 3, (3, 3), stride=(2, 2), padding=[1, 1], rng=0),
        ),
        (MaxPool2d(3, padding=1), MaxPool2d((3, 3), stride=(3, 3), padding=(1, 1))),
        (AvgPool2d((2, 3)), AvgPool2d((2, 3), stride=(2, 3), padding=0)),
        (MaxPool2d(np.int64(2), stride=np.int32(1)), MaxPool2d(2, stride=(1, 1))),
    ]:
        identical(one.forward(x), pair.forward(x))


# ---- the adjoint: <A x, y> = <x, A^T y>, exact on whole numbers --------------------------------------


@given(sliding([*CONVS, "AvgPool1d", "AvgPool2d"]), SEEDS)
@repeatable
def test_backward_is_the_transpose_of_every_linear_window(case, seed):
    layer, (x, y) = case.layer(**{"bias": False} if case.learns else {}), case.whole(seed=seed)
    assert (layer.forward(x) * y).sum() == (x * layer.backward(y)).sum()
    for key in layer.params:  # a convolution is linear in its weights too
        assert (layer.forward(x) * y).sum() == (layer.params[key] * layer.grads[key]).sum()


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), SEEDS)
@repeatable
def test_backward_is_the_transpose_of_dense_and_flatten(D_in, D_out, N, seed):
    dense = Dense(D_in, D_out, bias=False)
    dense.params["W"] = whole_numbers((D_out, D_in), seed)
    x, y = whole_numbers((D_in, N), seed + 1), whole_numbers((D_out, N), seed + 2)
    assert (dense.forward(x) * y).sum() == (x * dense.backward(y)).sum()
    assert (dense.forward(x) * y).sum() == (dense.params["W"] * dense.grads["W"]).sum()
    flatten, x, y = (
        Flatten(),
        whole_numbers((D_in, D_out, N), seed),
        whole_numbers((D_in * D_out, N), seed + 1),
    )
    assert (flatten.forward(x) * y).sum() == (x * flatten.backward(y)).sum()


@pytest.mark.parametrize("name", ["padded differently", "1-D strided and padded", "mean, padded"])
def test_matrix_of_backward_is_the_transposed_matrix_of_forward(name):
    case = WINDOWS[name]
    layer = case.layer(bias=False) if case.learns else case.layer()

    def matrix(f, in_shape):
        return np.stack([f(unit.reshape(in_shape)).ravel() for unit in np.eye(prod(in_shape))], axis=1)

    layer.forward(np.zeros(case.x_shape))
    A, backward = matrix(layer.forward, case.x_shape), matrix(layer.backward, case.y_shape)
    np.testing.assert_array_equal(backward, A.T)


# ---- finite differences -----------------------------------------------------------------------------


@windows
def test_windows_agree_with_finite_differences(case):
    agree_with_slopes(case.layer(), numbers(case.x_shape, 1))


@pytest.mark.parametrize(
    "layer", [Dense(4, 3, rng=0), Dense(2, 3, bias=False, rng=0), Sigmoid(), Tanh(), ReLU()]
)
def test_other_layers_agree_with_finite_differences(layer):
    D = layer.params["W"].shape[1] if layer.params else 5
    agree_with_slopes(layer, numbers((D, 3), 1))


# ---- shapes -----------------------------------------------------------------------------------------


@given(sliding())
@repeatable
def test_output_shape_is_the_shape_of_the_output(case):
    layer = case.layer()
    shape = layer.output_shape(case.x_shape)
    assert shape == layer.output_shape(list(case.x_shape)) == case.y_shape
    assert layer.forward(np.zeros(case.x_shape)).shape == shape
    assert layer.backward(np.zeros(shape)).shape == case.x_shape


def test_output_shape_of_layers_without_windows():
    assert Dense(3, 2).output_shape((3, 7)) == (2, 7)
    assert Flatten().output_shape((2, 3, 4, 7)) == (24, 7)
    assert Flatten().output_shape((2, 3, 7)) == Flatten().output_shape((6, 7)) == (6, 7)
    for layer in (Sigmoid(), Tanh(), ReLU()):
        for shape in [(7,), (3, 7), (2, 3, 7), (2, 3, 4, 7)]:
            assert layer.output_shape(shape) == layer.forward(np.zeros(shape)).shape == shape


@pytest.mark.parametrize(
    "sizes, layers",
    {
        "LeNet, 28": ((28, 24, 12, 8, 4), [Conv2d(1, 1, 5), MaxPool2d(2)] * 2),
        "Z15, 32": ((32, 28, 14, 10, 5), [Conv2d(1, 1, 5), MaxPool2d(2)] * 2),
        "AlexNet": ((227, 55, 27), [Conv2d(1, 1, 11, stride=4), MaxPool2d(3, stride=2)]),
        "ResNet": ((224, 112, 56), [Conv2d(1, 1, 7, stride=2, padding=3), MaxPool2d(3, stride=2, padding=1)]),
        "VGG": ((224, 224, 112), [Conv2d(1, 1, 3, padding=1), MaxPool2d(2)]),
    }.values(),
)
def test_sizes_of_known_networks_follow_q16(sizes, layers):
    for layer, (before, after) in zip(layers, pairwise(sizes), strict=True):
        assert layer.output_shape((1, before, before + 1, 1))[1] == after
        assert layer.output_shape((1, before + 1, before, 1))[2] == after


def test_large_image_has_the_output_that_its_shape_promises():
    layer = Conv2d(3, 2, 11, stride=4, rng=0)
    assert layer.forward(np.ones((3, 227, 227, 1), np.float32)).shape == (2, 55, 55, 1)


# ---- initialisation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("init, variance", [("he", 2 / 75), ("xavier", 2 / (75 + 100)), (0.3, 0.09)])
def test_weights_are_normal_with_the_variance_of_their_initialisation(init, variance):
    for layer, fan_in, fan_out in [
        (Dense(75, 100, init=init, rng=1), 75, 100),
        (Conv2d(3, 4, 5, init=init, rng=2), 75, 100),
        (Conv1d(5, 20, 15, init=init, rng=3), 75, 300),
    ]:
        W = layer.params["W"]
        want = 2 / (fan_in + fan_out) if init == "xavier" else variance
        assert W.var() == pytest.approx(want, rel=6 * np.sqrt(2 / W.size))
        assert abs(W.mean()) < 4 * np.sqrt(want / W.size)
        fourth = ((W - W.mean()) ** 4).mean() / W.var() ** 2
        assert fourth == pytest.approx(3, abs=4 * np.sqrt(24 / W.size))
        assert W.dtype == float and not layer.params["b"].any() and layer.params["b"].shape == W.shape[:1]


def test_rectangular_kernel_counts_all_its_taps_as_fan():
    few_taps = Conv2d(2, 50, (3, 5), rng=0).params["W"]
    assert few_taps.shape == (50, 2, 3, 5)
    assert few_taps.var() == pytest.approx(2 / 30, rel=0.15)
    xavier = Conv2d(2, 50, (3, 5), init="xavier", rng=0).params["W"]
    assert xavier.var() == pytest.approx(2 / (30 + 750), rel=0.15)


@pytest.mark.parametrize(
    "make", [lambda rng: Dense(3, 2, rng=rng), lambda rng: Conv2d(2, 3, (2, 1), rng=rng)]
)
def test_seed_makes_the_weights_reproducible_and_a_generator_goes_on(make):
    identical(make(7).params["W"], make(7).params["W"])
    assert (make(7).params["W"] != make(8).params["W"]).any()
    assert (make(None).params["W"] != make(None).params["W"]).any()
    generator = np.random.default_rng(7)
    first, second = make(generator).params["W"], make(generator).params["W"]
    identical(first, make(7).params["W"])
    assert (first != second).any()


def test_zero_standard_deviation_gives_zero_weights():
    assert not Dense(3, 2, init=0).params["W"].any()
    assert Dense(3, 2, init=np.float64(0.5), rng=0).params["W"].any()


@pytest.mark.parametrize(
    "text",
    [
        "Dense(3, 2)",
        "Conv2d(1, 6, 5)",
        "Conv2d(1, 6, (5, 3), stride=(2, 1))",
        "Conv2d(2, 3, 4, stride=2, padding=(0, 1))",
        "Conv1d(2, 3, 4, padding=1)",
        "Conv1d(2, 3, 4, stride=4)",
        "MaxPool2d(2)",
        "MaxPool2d((2, 3), stride=2, padding=1)",
        "MaxPool1d(3, stride=2)",
        "AvgPool2d((3, 2))",
        "AvgPool1d(3, stride=1, padding=1)",
        "Flatten()",
        "Sequential(Conv2d(1, 2, 3), ReLU(), Flatten(), Dense(8, 2), Sigmoid(), Tanh())",
    ],
)
def test_text_of_a_layer_is_its_call(text):
    assert repr(eval(text, vars(cnnlib).copy())) == text
