"""SGD by hand: the step, momentum, weight decay on weights only."""

import numpy as np
import pytest
from helpers import FLOATS, identical, numbers, untouched

from cnnlib import SGD, Conv2d, Dense, ReLU, Sequential


def network(dtype=float):
    return Sequential(
        Conv2d(1, 2, 2, rng=0), ReLU(), Dense(3, 2, rng=1), Dense(2, 2, bias=False, rng=2)
    ).astype(dtype)


def set_gradients(net, seed):
    for i, (layer, key) in enumerate(net.parameters()):
        layer.grads[key] = numbers(layer.params[key].shape, 100 * seed + i, layer.params[key].dtype)


def values(net):
    return [layer.params[key].copy() for layer, key in net.parameters()]


def test_step_goes_down_the_gradient_by_the_learning_rate():
    net = network()
    set_gradients(net, 1)
    before = values(net)
    SGD(net, 0.25).step()
    for (layer, key), old in zip(net.parameters(), before, strict=True):
        np.testing.assert_array_equal(layer.params[key], old - 0.25 * layer.grads[key])


def test_step_with_decay_is_the_update_that_k18_prints():
    net = Sequential(Dense(1, 1))
    layer = net.layers[0]
    layer.params["W"][:], layer.params["b"][:] = 0.1, 0.1
    layer.grads["W"], layer.grads["b"] = np.array([[-0.49 * 0.49]]), np.array([-0.49])
    SGD(net, 0.1, weight_decay=0.1).step()
    assert round(layer.params["W"].item() - 0.1, 3) == 0.023
    assert layer.params["b"].item() == pytest.approx(0.1 + 0.049, rel=1e-15)  # a bias does not decay


@pytest.mark.parametrize("momentum, decay", [(0.0, 0.0), (0.9, 0.0), (0.0, 0.3), (0.9, 0.3)])
def test_steps_follow_momentum_and_decay_parameter_by_parameter(momentum, decay):
    net, lr = network(), 0.1
    optimizer = SGD(net, lr, momentum=momentum, weight_decay=decay)
    theta = values(net)
    v = [np.zeros_like(value) for value in theta]
    for seed in range(4):
        set_gradients(net, seed)
        optimizer.step()
        for i, (layer, key) in enumerate(net.parameters()):
            v[i] = momentum * v[i] + layer.grads[key] + (decay * theta[i] if key == "W" else 0)
            theta[i] = theta[i] - lr * v[i]
            np.testing.assert_allclose(layer.params[key], theta[i], rtol=1e-13)


def test_momentum_goes_on_when_the_gradient_has_gone():
    net = Sequential(Dense(1, 1, init=0))
    layer, optimizer = net.layers[0], SGD(net, 1, momentum=0.5)
    layer.grads = {"W": np.ones((1, 1)), "b": np.zeros(1)}
    optimizer.step()
    layer.grads = {"W": np.zeros((1, 1)), "b": np.zeros(1)}
    path = [layer.params["W"].item()]
    for _ in range(3):
        optimizer.step()
        path.append(layer.params["W"].item())
    assert path == [-1, -1.5, -1.75, -1.875]


@pytest.mark.parametrize("dtype", FLOATS)
def test_updates_are_in_place_and_keep_the_dtype(dtype):
    net = network(dtype)
    optimizer = SGD(net, 0.1, momentum=0.9, weight_decay=0.1)
    held = [(layer.params, layer.params[key]) for layer, key in net.parameters()]
    assert all(v.dtype == dtype for v in optimizer.velocity)
    before = values(net)
    set_gradients(net, 1)
    optimizer.step()
    for (layer, key), (params, array), old in zip(net.parameters(), held, before):
        assert layer.params is params and layer.params[key] is array and array.dtype == dtype
        assert (array != old).all()


def test_step_leaves_the_gradients_alone_and_does_not_keep_them():
    net = network()
    optimizer = SGD(net, 0.1, momentum=0.9, weight_decay=0.1)
    set_gradients(net, 1)
    first = {id(layer): layer.grads for layer in net.layers}
    with untouched(first):
        optimizer.step()
        optimizer.step()
    twin = network()
    other = SGD(twin, 0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        set_gradients(twin, 1)
        other.step()
        for layer, key in twin.parameters():
            layer.grads[key] *= 0  # what the optimizer keeps is its own
    for got, wanted in zip(values(twin), values(net)):
        identical(got, wanted)


def test_velocity_starts_at_zero_for_every_optimizer():
    one, two = network(), network()
    for net in (one, two):
        set_gradients(net, 1)
    SGD(one, 0.1, momentum=0.9).step()
    SGD(two, 0.1).step()
    for got, wanted in zip(values(one), values(two)):
        identical(got, wanted)


def test_learning_rate_zero_changes_nothing():
    net = network()
    set_gradients(net, 1)
    with untouched(net):
        SGD(net, 0, weight_decay=0.5).step()


def test_learning_rate_may_be_changed_between_steps():
    net = network()
    set_gradients(net, 1)
    optimizer, before = SGD(net, 0.5), values(net)
    optimizer.lr = 0.125
    optimizer.step()
    for (layer, key), old in zip(net.parameters(), before):
        np.testing.assert_array_equal(layer.params[key], old - 0.125 * layer.grads[key])


def test_descent_of_a_quadratic_bowl_contracts_by_one_minus_lr():
    net = Sequential(Dense(2, 1, bias=False, rng=0))
    layer, optimizer = net.layers[0], SGD(net, 0.25)
    start = layer.params["W"].copy()
    for _ in range(10):
        layer.grads["W"] = layer.params["W"].copy()  # the gradient of half the squared length
        optimizer.step()
    np.testing.assert_allclose(layer.params["W"], start * 0.75**10, rtol=1e-13)
