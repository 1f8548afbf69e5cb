"""What a layer does at its edges: ties, zeros, NaN, infinities; and what it leaves alone from one call to the next."""

import platform
import subprocess
import sys
import warnings

import numpy as np
import pytest
from helpers import (
    FLOATS,
    LAYERS,
    SEEDS,
    every_layer,
    identical,
    numbers,
    repeatable,
    sliding,
    untouched,
    whole_numbers,
)
from hypothesis import given

from cnnlib import (
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Dense,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Tanh,
)
from cnnlib.layers import convolution

NAN, INF = np.nan, np.inf


def image(rows):
    """(H, W) -> (1, H, W, 1)."""
    return np.asarray(rows, float)[None, :, :, None]


def pooled(layer, rows, delta=None):
    """The output map, or the gradient map for this delta."""
    y = layer.forward(image(rows))
    return (y if delta is None else layer.backward(image(delta)))[0, :, :, 0]


@every_layer
def test_what_learns_has_weights_and_biases_with_gradients_that_start_at_zero(make, shape):
    layer = make()
    keys = ["W", "b"] if isinstance(layer, (Dense, Conv1d, Conv2d)) else []
    assert list(layer.params) == list(layer.grads) == keys
    for key in keys:
        assert layer.grads[key].shape == layer.params[key].shape and not layer.grads[key].any()


# ---- ties -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows, first",
    [
        ([[5, 5], [5, 5]], (0, 0)),
        ([[1, 5], [5, 5]], (0, 1)),
        ([[1, 2], [5, 5]], (1, 0)),
        ([[0.0, -0.0], [-0.0, 0.0]], (0, 0)),
        ([[-0.0, 0.0], [-1, -1]], (0, 0)),
        ([[-INF, -INF], [-INF, -INF]], (0, 0)),
        ([[1, INF], [INF, 0]], (0, 1)),
    ],
)
def test_max_pool_tie_goes_to_the_first_maximum_row_by_row(rows, first):
    wanted = np.zeros((2, 2))
    wanted[first] = 3
    np.testing.assert_array_equal(pooled(MaxPool2d(2), rows, [[3]]), wanted)


def test_overlapping_windows_each_choose_their_own_first_maximum_and_add():
    rows = [[0, 7, 0, 0], [7, 7, 7, 0], [0, 0, 0, 7]]
    delta = [[1, 10, 100], [1000, 10000, 100000]]
    wanted = [[0, 11, 0, 0], [1000, 10000, 100100, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(pooled(MaxPool2d(2, stride=1), rows, delta), wanted)


def test_max_pool_sends_on_each_delta_once_whatever_the_ties():
    layer, x = MaxPool2d((3, 2), stride=(1, 2), padding=(1, 1)), np.zeros((2, 5, 6, 3))
    delta = whole_numbers(layer.forward(x).shape, 1)
    np.testing.assert_array_equal(layer.backward(delta).sum(axis=(1, 2)), delta.sum(axis=(1, 2)))


def test_max_pool_prefers_any_number_to_its_padding():
    rows = [[-7, -8], [-9, -9]]
    np.testing.assert_array_equal(pooled(MaxPool2d(2, padding=1), rows), rows)
    np.testing.assert_array_equal(pooled(MaxPool2d(2, padding=1), rows, [[1, 2], [3, 4]]), [[1, 2], [3, 4]])


def test_places_that_no_window_reaches_get_no_gradient():
    x = numbers((1, 5, 7, 2), 1)
    for layer in (Conv2d(1, 1, 2, stride=3, rng=0), MaxPool2d(2, stride=3), AvgPool2d(2, stride=3)):
        layer.forward(x)
        dx = layer.backward(np.ones(layer.output_shape(x.shape)))
        reached = np.zeros((5, 7), bool)
        for i, j in [(0, 0), (0, 3), (3, 0), (3, 3)]:
            reached[i : i + 2, j : j + 2] = True
        assert not dx[:, ~reached].any() and dx[:, reached].any()
        assert layer.output_shape(x.shape) == (1, 2, 2, 2)


# ---- zeros, NaN, infinities -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
def test_relu_derivative_at_both_zeros_is_zero(dtype):
    layer, x = ReLU(), np.array([[-1, -0.0, 0.0, np.finfo(dtype).tiny, 1]], dtype)
    np.testing.assert_array_equal(layer.forward(x), [[0, 0, 0, np.finfo(dtype).tiny, 1]])
    np.testing.assert_array_equal(layer.backward(np.full((1, 5), 3, dtype)), [[0, 0, 0, 3, 3]])


@pytest.mark.parametrize("dtype", FLOATS)
def test_activations_of_huge_numbers_and_infinities_are_their_limits_without_a_warning(dtype):
    x = np.array([[-INF, -1e30, -1000, 0, 1000, 1e30, INF]], dtype)
    limits = {
        Sigmoid: [0, 0, 0, 0.5, 1, 1, 1],
        Tanh: [-1, -1, -1, 0, 1, 1, 1],
        ReLU: [0, 0, 0, 0, *x[0, 4:]],
    }
    slopes = {
        Sigmoid: [0, 0, 0, 0.25, 0, 0, 0],
        Tanh: [0, 0, 0, 1, 0, 0, 0],
        ReLU: [0, 0, 0, 0, 1, 1, 1],
    }
    with warnings.catch_warnings(), np.errstate(over="raise", divide="raise", invalid="raise"):
        warnings.simplefilter("error")
        for cls, limit in limits.items():
            layer = cls()
            np.testing.assert_array_equal(layer.forward(x), [limit])
            np.testing.assert_array_equal(layer.backward(np.ones_like(x)), [slopes[cls]])


def test_sigmoid_keeps_its_small_values_and_its_symmetry():
    x = np.array([[-700.0, -40, -1, 0, 1, 40]])
    y = Sigmoid().forward(x)
    np.testing.assert_allclose(y[0, :2], np.exp([-700.0, -40]), rtol=1e-15)
    np.testing.assert_allclose(y + Sigmoid().forward(-x), 1, rtol=0, atol=1e-15)


@every_layer
def test_nan_reaches_exactly_the_outputs_that_read_it(make, shape):
    layer, x, marked = make(), numbers(shape, 1), np.zeros(shape)
    place = (0, *(size // 2 for size in shape[1:-1]), 2)
    x[place], marked[place] = NAN, 1
    lost = np.isnan(layer.forward(x))
    for value in layer.params.values():
        value[...] = 1
    reads = layer.forward(marked) != layer.forward(np.zeros(shape))
    assert lost.any()
    np.testing.assert_array_equal(lost, reads)


@pytest.mark.parametrize("places", [[(0, 0)], [(1, 1)], [(0, 1), (1, 0)]])
def test_pools_of_nan_are_nan_wherever_it_stands_in_the_window(places):
    for cls in (MaxPool2d, AvgPool2d):
        rows = np.array([[1.0, 2, 5, 6], [3, 4, 7, 8]])
        for place in places:
            rows[place] = NAN
        y = pooled(cls(2), rows)
        assert np.isnan(y[0, 0]) and np.isfinite(y[0, 1])


@pytest.mark.filterwarnings("ignore:invalid value")  # inf - inf is NaN, and NumPy says so
def test_infinities_pass_through_pools_and_convolution():
    rows = [[1, INF], [2, 3]]
    assert pooled(MaxPool2d(2), rows) == INF and pooled(AvgPool2d(2), rows) == INF
    assert pooled(MaxPool2d(2), np.negative(rows)) == -1 and pooled(AvgPool2d(2), np.negative(rows)) == -INF
    assert np.isnan(pooled(AvgPool2d(2), [[INF, -INF], [0, 0]]))
    conv = Conv2d(1, 1, 2, rng=0)
    conv.params["W"] = np.array([[[[1.0, -1], [1, 1]]]])
    assert pooled(conv, rows) == -INF


# ---- one example and many ---------------------------------------------------------------------------


@every_layer
def test_batch_gives_each_example_what_it_gets_alone_and_sums_their_gradients(make, shape):
    layer, x = make(), whole_numbers(shape, 1)
    exact = not isinstance(layer, (Sigmoid, Tanh, AvgPool1d, AvgPool2d))
    for key, value in layer.params.items():
        layer.params[key] = whole_numbers(value.shape, 2)
    y, delta = layer.forward(x), whole_numbers(layer.output_shape(shape), 3)
    dx, grads = layer.backward(delta), dict(layer.grads)
    totals = {key: np.zeros_like(value) for key, value in grads.items()}
    for n in range(shape[-1]):
        one = np.s_[..., n : n + 1]
        for got, wanted in [(layer.forward(x[one]), y[one]), (layer.backward(delta[one]), dx[one])]:
            np.testing.assert_allclose(got, wanted, rtol=0, atol=0 if exact else 1e-14)
        for key in totals:
            totals[key] += layer.grads[key]
    for key, total in totals.items():
        np.testing.assert_array_equal(total, grads[key])


# ---- what is left alone -----------------------------------------------------------------------------


@every_layer
@pytest.mark.parametrize("dtype", FLOATS)
def test_forward_and_backward_leave_their_arguments_and_the_parameters_alone(make, shape, dtype):
    layer, x, delta = make(), numbers(shape, 1, dtype), numbers(make().output_shape(shape), 2, dtype)
    for array in (x, delta):
        array.flags.writeable = False
    with untouched(x, delta, layer.params):
        layer.forward(x)
        layer.backward(delta)


@every_layer
def test_backward_twice_gives_the_same_and_does_not_accumulate(make, shape):
    layer, x = make(), numbers(shape, 1)
    delta = numbers(layer.forward(x).shape, 2)
    dx, grads = layer.backward(delta), {key: value.copy() for key, value in layer.grads.items()}
    again = layer.backward(delta)
    identical(dx, again)
    for key, value in grads.items():
        identical(layer.grads[key], value)


@every_layer
def test_calls_on_other_data_do_not_disturb_each_other(make, shape):
    one, two = numbers(shape, 1), numbers((*shape[:-1], shape[-1] + 2), 2)
    layer = make()
    delta = numbers(layer.output_shape(one.shape), 3)
    other = numbers(layer.output_shape(two.shape), 4)

    def results(model, x, d):
        return [model.forward(x), model.backward(d), *model.grads.values()]

    before = results(layer, one, delta)
    kept = [array.copy() for array in before]
    between = results(layer, two, other)
    for array, fresh in zip(between, results(make(), two, other), strict=True):
        identical(array, fresh)
    for array, copy in zip(before, kept):  # what the caller holds is not written to by later calls
        identical(array, copy)
    for array, copy in zip(results(layer, one, delta), kept):
        identical(array, copy)


@every_layer
def test_backward_belongs_to_the_last_forward(make, shape):
    layer, x, last = make(), numbers(shape, 1), numbers(shape, 2)
    delta = numbers(layer.output_shape(shape), 3)
    layer.forward(x)
    layer.forward(last)
    fresh = make()
    fresh.forward(last)
    identical(layer.backward(delta), fresh.backward(delta))
    for key, value in fresh.grads.items():
        identical(layer.grads[key], value)


@pytest.mark.parametrize("name", [name for name, (make, _) in LAYERS.items() if make().params])
def test_without_input_gradient_the_parameters_gradients_are_the_same_and_none_comes_back(name):
    make, shape = LAYERS[name]
    layer, x = make(), numbers(shape, 1)
    delta = numbers(layer.forward(x).shape, 2)
    layer.backward(delta)
    whole = dict(layer.grads)
    assert layer.backward(delta, input_gradient=False) is None
    for key, value in whole.items():
        identical(layer.grads[key], value)


@every_layer
def test_arrays_need_not_be_contiguous(make, shape):
    layer, x = make(), numbers(shape, 1)
    delta = numbers(layer.output_shape(shape), 2)

    def spread(array):
        """The same numbers, every other one of a larger array, axes stored in reverse."""
        larger = np.full([2 * size for size in array.shape[::-1]], NAN).T
        larger[tuple([slice(None, None, 2)] * array.ndim)] = array
        return larger[tuple([slice(None, None, 2)] * array.ndim)]

    wanted = [layer.forward(x), layer.backward(delta), *layer.grads.values()]
    got = [layer.forward(spread(x)), layer.backward(spread(delta)), *layer.grads.values()]
    for g, w in zip(got, wanted):
        np.testing.assert_allclose(g, w, rtol=0, atol=1e-14)


@given(sliding(), SEEDS)
@repeatable
def test_any_windows_keep_float32(case, seed):
    layer = case.layer(np.float32)
    y = layer.forward(numbers(case.x_shape, seed, np.float32))
    dx = layer.backward(numbers(case.y_shape, seed, np.float32))
    assert {array.dtype for array in (y, dx, *layer.grads.values())} == {np.dtype(np.float32)}


@every_layer
def test_single_precision_is_close_to_double(make, shape):
    layer, x = make(), numbers(shape, 1)
    delta = numbers(layer.forward(x).shape, 2)
    layer.forward(x)
    double = [layer.forward(x), layer.backward(delta), *layer.grads.values()]
    for key, value in layer.params.items():
        layer.params[key] = value.astype(np.float32)
    x, delta = x.astype(np.float32), delta.astype(np.float32)
    single = [layer.forward(x), layer.backward(delta), *layer.grads.values()]
    for one, two in zip(single, double):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)


def test_the_shapes_between_images_and_products_are_those_of_the_diagram():
    C, H, width, N, KH, KW = 2, 7, 9, 3, 3, 4
    layer = Conv2d(C, 5, (KH, KW), stride=(2, 1), padding=(1, 2), rng=0)
    x = numbers((C, H, width, N))
    C_out, OH, OW, _ = layer.output_shape(x.shape)
    images = layer.pad(x)
    assert images.shape == (C, H + 2, width + 4, N)
    places = layer.places(images)
    assert len(places) == KW and {place.shape for place in places} == {(H + 2, C, OW, N)}
    assert all(np.shares_memory(place, images) for place in places)
    rows = layer.unroll(x)
    assert rows.shape == (H + 2, C * KW, OW * N) and layer.roll(rows, x.shape).shape == x.shape
    strips = layer.strips(rows)
    assert len(strips) == OH and {strip.shape for strip in strips} == {(KH * C * KW, OW * N)}
    assert np.shares_memory(strips[0], strips[1])
    assert layer.matrix().shape == (C_out, KH * C * KW)
    product = layer.matrix() @ strips[1]
    np.testing.assert_allclose(product, layer.forward(x)[:, 1].reshape(C_out, -1))


# ---- how products are cut ---------------------------------------------------------------------------


def test_a_product_takes_the_most_columns_that_fit_and_divide_all():
    assert convolution.width(25 * 6, 1536) == 1536  # 230,400 multiplications
    assert convolution.width(400 * 32, 640) == 64  # of at most 78, the one that divides 640
    assert convolution.width(400 * 32, 10 * 61) == 61
    assert convolution.width(400 * 32, 10 * 7) == 70
    assert convolution.width(400 * 32, 641) == 641  # a prime number: all, rather than one at a time
    assert convolution.width(10**6, 640) == 640  # where fewer than 32 would fit: all
    for each in (1, 7, 150, 1200, 31_250):
        for columns in (1, 31, 32, 37, 640, 1792):
            n = convolution.width(each, columns)
            assert columns % n == 0 and (n == columns or n >= 32 and each * n <= convolution.MULTIPLICATIONS)


@pytest.mark.parametrize(
    "rows, inner, columns", [(3, 5, 64), (4, 1, 96), (1, 1, 37), (2, 0, 64), (6, 25, 320)]
)
def test_a_product_in_pieces_is_the_product(monkeypatch, rows, inner, columns):
    monkeypatch.setattr(convolution, "width", lambda each, all: 32 if all % 32 == 0 else all)
    A, B = whole_numbers((rows, inner)), whole_numbers((2, inner, columns), 1)[0]
    out = np.full((rows, 3, columns), NAN)
    convolution.product(A, B, out[:, 1])
    assert np.array_equal(out[:, 1], A @ B) and np.isnan(out[:, [0, 2]]).all()


@pytest.mark.parametrize(
    "make", [lambda: Conv2d(3, 4, (3, 2), stride=(1, 2), padding=1), lambda: Conv2d(2, 5, 2, stride=3)]
)
def test_a_convolution_in_pieces_is_the_convolution(monkeypatch, make):
    layer = make()
    layer.params["W"] = whole_numbers(layer.params["W"].shape, 2)
    x = whole_numbers((layer.in_channels, 9, 8, 24), 3)
    whole = layer.forward(x)
    delta = whole_numbers(whole.shape, 4)
    dx, grads = layer.backward(delta), dict(layer.grads)
    monkeypatch.setattr(convolution, "width", lambda each, all: 12)
    assert np.array_equal(layer.forward(x), whole) and np.array_equal(layer.backward(delta), dx)
    assert all(np.array_equal(layer.grads[key], grads[key]) for key in grads)


FAULTS = """
import resource
import numpy as np
from cnnlib import SGD, Conv2d, Dense, Flatten, MaxPool2d, ReLU, Sequential, SoftmaxCrossEntropy, training
net = Sequential(Conv2d(1, 6, 5, rng=0), ReLU(), MaxPool2d(2), Flatten(), Dense(864, 10, rng=1))
x, t = np.ones((1, 28, 28, 64)), np.arange(64) % 10
loss, optimizer = SoftmaxCrossEntropy(), SGD(net, 0.01)
def faults(steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(steps):
        training.step(net, loss, optimizer, x, t)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(5)
print(faults(20) / 20)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another C library manages memory in another way"
)
def test_a_step_gets_the_memory_that_the_last_one_freed():
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 50  # hundreds where the system clears each page anew
