"""A network is its layers one after the other, forward and in reverse."""

import numpy as np
import pytest
import train_many
from helpers import FLOATS, agree_with_slopes, identical, numbers, refused, slopes, small_lenet, whole_numbers

from cnnlib import (
    SGD,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Dense,
    Flatten,
    MaxPool1d,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    formulas,
)

LABELS = np.array([3, 0, 1])


def images(seed=1, N=3, dtype=float):
    return numbers((2, 9, 10, N), seed, dtype)


def gradients(net):
    return [layer.grads[key] for layer, key in net.parameters()]


def one_step_back(net, loss, x, t, **options):
    """dx, and the gradients of all parameters."""
    loss.forward(net.forward(x), t)
    return net.backward(loss.backward(), **options), gradients(net)


# ---- forward and backward ---------------------------------------------------------------------------


def test_network_applies_its_layers_in_order_and_their_backwards_in_reverse():
    net, twin = small_lenet(), small_lenet()
    x = images()
    y, delta = net.forward(x), numbers((4, 3), 2)
    dx = net.backward(delta)
    for layer in twin.layers:
        x = layer.forward(x)
    for layer in reversed(twin.layers):
        delta = layer.backward(delta)
    identical(y, x)
    identical(dx, delta)
    for got, wanted in zip(gradients(net), gradients(twin), strict=True):
        identical(got, wanted)


def test_whole_network_with_its_loss_equals_the_lectures_sums():
    net = Sequential(Conv2d(2, 3, (2, 3), rng=0), Sigmoid(), MaxPool2d(2), Flatten(), Dense(12, 4, rng=1))
    conv, dense = net.layers[0], net.layers[4]
    conv.params["b"][:], dense.params["b"][:] = numbers(3, 3), numbers(4, 4)
    (K, k), (W, w) = conv.params.values(), dense.params.values()
    x, loss = numbers((2, 5, 6, 3), 1), SoftmaxCrossEntropy()

    z1 = formulas.correlate2d(x, K, k)
    a1 = formulas.activation(formulas.sigmoid, z1)
    p1 = formulas.max_pool2d(a1, (2, 2), (2, 2))
    v = p1.reshape(12, 3)
    z2 = formulas.dense(v, W, w)
    dz2 = formulas.cross_entropy_backward(z2, LABELS)
    dv, dW, dw = formulas.dense_backward(v, W, dz2)
    da1 = formulas.max_pool2d_backward(a1, dv.reshape(p1.shape), (2, 2), (2, 2))
    dz1 = formulas.activation_backward(formulas.sigmoid, z1, da1)
    dx, dK, dk = formulas.correlate2d_backward(x, K, dz1)

    close = {"rtol": 1e-11, "atol": 1e-14}
    assert loss.forward(net.forward(x), LABELS) == pytest.approx(
        formulas.cross_entropy(z2, LABELS), rel=1e-13
    )
    np.testing.assert_allclose(net.backward(loss.backward()), dx, **close)
    for got, wanted in zip(gradients(net), (dK, dk, dW, dw), strict=True):
        np.testing.assert_allclose(got, wanted, **close)


@pytest.mark.parametrize("activation, pool", [(Sigmoid, AvgPool2d), (ReLU, MaxPool2d), (Tanh, MaxPool2d)])
def test_whole_network_agrees_with_finite_differences(activation, pool):
    agree_with_slopes(small_lenet(activation, pool), images(N=2))


def test_network_on_signals_agrees_with_finite_differences():
    layers = (
        Conv1d(2, 3, 3, padding=1, rng=0),
        Tanh(),
        MaxPool1d(2),
        Flatten(),
        Dense(12, 3, bias=False, rng=1),
    )
    agree_with_slopes(Sequential(*layers), numbers((2, 9, 3), 1))


@pytest.mark.parametrize(
    "loss, t", [(SoftmaxCrossEntropy(), LABELS), (SquaredError("sum"), numbers((4, 3), 5))]
)
def test_network_and_loss_agree_with_finite_differences(loss, t):
    net, x = small_lenet(Sigmoid, AvgPool2d), images()
    dx, grads = one_step_back(net, loss, x, t)
    arrays = [x] + [layer.params[key] for layer, key in net.parameters()]
    for array, gradient in zip(arrays, [dx, *grads], strict=True):
        slope = slopes(lambda: loss.forward(net.forward(x), t), array)
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-9)


# ---- batches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls, t", [(SoftmaxCrossEntropy, LABELS), (SquaredError, numbers((4, 3), 5))])
def test_gradient_of_the_batch_is_the_mean_of_its_examples_gradients_and_of_the_sum_their_sum(cls, t):
    net, x = small_lenet(), images()
    examples = [np.s_[..., n : n + 1] for n in range(3)]
    each = [one_step_back(net, cls(), x[one], t[one]) for one in examples]
    for reduction, share in (("mean", 1 / 3), ("sum", 1)):
        dx, grads = one_step_back(net, cls(reduction), x, t)
        for n, one in enumerate(examples):
            np.testing.assert_allclose(dx[one], share * each[n][0], rtol=1e-12, atol=1e-13)
        for i, gradient in enumerate(grads):
            np.testing.assert_allclose(gradient, share * sum(g[i] for _, g in each), rtol=1e-12, atol=1e-13)


def test_step_on_the_sum_is_the_step_on_the_mean_with_a_rate_larger_by_the_batch():
    nets, x = (small_lenet(), small_lenet()), images()
    for net, reduction, lr in zip(nets, ("sum", "mean"), (0.1, 0.3)):
        one_step_back(net, SoftmaxCrossEntropy(reduction), x, LABELS)
        SGD(net, lr).step()
    for (layer, key), (other, _) in zip(nets[0].parameters(), nets[1].parameters()):
        np.testing.assert_allclose(layer.params[key], other.params[key], rtol=1e-12, atol=1e-13)


def test_step_does_not_change_what_the_caller_holds_from_before_it():
    net, loss, x = small_lenet(), SoftmaxCrossEntropy(), images()
    y = net.forward(x)
    loss.forward(y, LABELS)
    held = [y, loss.probabilities, net.backward(loss.backward()), *gradients(net)]
    copies = [array.copy() for array in held]
    optimizer = SGD(net, 0.1, momentum=0.9, weight_decay=0.1)
    for seed in (2, 3):
        optimizer.step()
        one_step_back(net, loss, images(seed), LABELS)
    for array, copy in zip(held, copies):
        identical(array, copy)


# ---- no gradient of the input -----------------------------------------------------------------------


class Unasked(ReLU):
    """A layer whose backward must not be called."""

    def backward(self, delta):
        raise AssertionError("nobody asked for this gradient")


class Recording(Dense):
    """Remembers what it was asked."""

    def backward(self, delta, input_gradient=True):
        self.asked = input_gradient
        return super().backward(delta, input_gradient)


def test_without_input_gradient_the_parameters_get_the_same_and_none_comes_back():
    net, x, delta = small_lenet(), images(), numbers((4, 3), 2)
    net.forward(x)
    assert net.backward(delta).shape == x.shape
    whole = gradients(net)
    assert net.backward(delta, input_gradient=False) is None
    for got, wanted in zip(gradients(net), whole, strict=True):
        assert got is not wanted
        identical(got, wanted)


def test_without_input_gradient_nothing_is_computed_below_the_first_layer_that_learns():
    first, second = Recording(4, 3, rng=0), Recording(3, 2, rng=1)
    net = Sequential(Unasked(), Unasked(), first, ReLU(), second)
    net.forward(numbers((4, 5), 1))
    assert net.backward(numbers((2, 5), 2), input_gradient=False) is None
    assert (first.asked, second.asked) == (False, True)
    assert first.grads["W"].any() and second.grads["W"].any()
    with pytest.raises(AssertionError, match="nobody asked"):
        net.backward(numbers((2, 5), 2))


def test_without_input_gradient_a_network_that_learns_nothing_returns_none():
    alone, net = Sequential(ReLU()), Sequential(Tanh(), ReLU())
    alone.forward(numbers((3, 2)))
    assert alone.backward(numbers((3, 2)), input_gradient=False) is None
    net.forward(numbers((3, 2)))
    assert net.backward(numbers((3, 2)), input_gradient=False) is None
    assert net.backward(numbers((3, 2)), input_gradient=True).shape == (3, 2)


# ---- shapes, parameters, dtypes ---------------------------------------------------------------------


def test_output_shape_of_a_network_is_the_shape_of_its_output():
    net = small_lenet()
    assert net.output_shape((2, 9, 10, 7)) == (4, 7)
    assert net.forward(images(N=7)).shape == (4, 7)
    assert Sequential(*net.layers[:6]).output_shape([2, 9, 10, 1]) == (4, 1, 2, 1)


def test_shapes_of_the_digit_network_of_s27():
    net = train_many.build(train_many.EXPERIMENTS["plateau_usual"], 0)
    shape, shapes = (1, 28, 28, 64), []
    for layer in net.layers:
        shape = layer.output_shape(shape)
        shapes.append(shape[:-1])
    assert shapes == [
        *((6, 24, 24), (6, 24, 24), (6, 12, 12), (16, 8, 8), (16, 8, 8), (16, 4, 4)),
        *((256,), (120,), (120,), (10,)),
    ]


def test_parameters_come_layer_by_layer_weights_first():
    net = Sequential(ReLU(), Dense(3, 2), Dense(2, 2, bias=False), Dense(2, 1))
    _, a, b, c = net.layers
    assert list(net.parameters()) == [(a, "W"), (a, "b"), (b, "W"), (c, "W"), (c, "b")]


@pytest.mark.parametrize("dtype", [*FLOATS, "float32", np.float16])
def test_astype_converts_everything_in_place_and_returns_the_network(dtype):
    net, x = small_lenet(), images()
    net.backward(net.forward(x))
    dicts = [(layer.params, layer.grads) for layer in net.layers]
    before = [(layer.params[key].copy(), layer.grads[key].copy()) for layer, key in net.parameters()]
    assert net.astype(dtype) is net
    assert all(layer.params is p and layer.grads is g for layer, (p, g) in zip(net.layers, dicts))
    for (layer, key), (value, gradient) in zip(net.parameters(), before):
        identical(layer.params[key], value.astype(dtype))
        identical(layer.grads[key], gradient.astype(dtype))


def test_network_of_float32_stays_float32_through_a_step():
    net, x = small_lenet().astype(np.float32), images(dtype=np.float32)
    optimizer, loss = SGD(net, 0.1, momentum=0.9, weight_decay=0.1), SoftmaxCrossEntropy()
    dx, grads = one_step_back(net, loss, x, LABELS)
    optimizer.step()
    values = [layer.params[key] for layer, key in net.parameters()]
    kept = [array for layer in net.layers for array in layer.saved[1] if isinstance(array, np.ndarray)]
    for array in (dx, *grads, *values, *kept, *optimizer.velocity, loss.probabilities, net.forward(x)):
        assert array.dtype == np.float32


def test_astype_forgets_the_forward_pass_of_the_other_dtype():
    net = small_lenet()
    net.forward(images())
    net.astype(np.float32)
    with refused("Dense(5, 4)", "before any forward", error=RuntimeError, unchanged=[net]):
        net.backward(numbers((4, 3), 2, np.float32))


def test_network_is_the_identity_when_its_layers_are():
    identity = Conv2d(2, 2, 1)
    identity.params["W"] = np.eye(2)[:, :, None, None]
    x = whole_numbers((2, 3, 4, 5), 1)
    net = Sequential(identity, MaxPool2d(1), AvgPool2d(1))
    identical(net.forward(x), x)
    identical(net.backward(x), x)
