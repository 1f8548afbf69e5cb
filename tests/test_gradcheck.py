"""The judge is judged: it passes what is right, finds what is wrong and where, and puts everything back."""

import numpy as np
import pytest
from helpers import LAYERS, every_layer, identical, numbers, refused, small_lenet, state

from cnnlib import (
    AvgPool2d,
    Conv1d,
    Conv2d,
    Dense,
    Flatten,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    check_gradients,
    numerical_gradient,
)

# ---- backward passes with one mistake each ----------------------------------------------------------


class UntransposedDense(Dense):
    def backward(self, delta):
        super().backward(delta)
        return self.params["W"] @ delta


class TransposedGradientDense(Dense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.grads["W"] = self.grads["W"].T
        return dx


class AveragedDense(Dense):
    """The batch's mean taken here, and again in the loss."""

    def backward(self, delta):
        dx = super().backward(delta)
        self.grads = {key: value / delta.shape[-1] for key, value in self.grads.items()}
        return dx


class SlightlyWrongDense(Dense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.grads["W"] = self.grads["W"] * 1.001
        return dx


class OneWrongElementDense(Dense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.grads["W"][-1, -1] *= 1.001
        return dx


class NanDense(Dense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.grads["b"] = np.full_like(self.grads["b"], np.nan)
        return dx


class NoDerivativeSigmoid(Sigmoid):
    def backward(self, delta):
        return delta


class SlightlyWrongSigmoid(Sigmoid):
    def backward(self, delta):
        return 1.001 * super().backward(delta)


class DerivativeOfTheInputTanh(Tanh):
    def forward(self, x):
        y = super().forward(x)
        self.keep(y, x)
        return y


class LeakyReLUBackward(ReLU):
    def backward(self, delta):
        return delta


class UnturnedConv2d(Conv2d):
    """Turns the kernel where it must not: dx as if the forward pass had been a true convolution."""

    def backward(self, delta):
        W = self.params["W"]
        self.params["W"] = W[:, :, ::-1, ::-1]
        dx = super().backward(delta)
        self.params["W"] = W
        return dx


class TurnedGradientConv2d(Conv2d):
    def backward(self, delta):
        dx = super().backward(delta)
        self.grads["W"] = self.grads["W"][:, :, ::-1, ::-1]
        return dx


class OnePositionBiasConv2d(Conv2d):
    def backward(self, delta):
        dx = super().backward(delta)
        self.grads["b"] = delta[:, 0, 0].sum(axis=-1)
        return dx


class OneExampleBiasConv2d(Conv2d):
    def backward(self, delta):
        dx = super().backward(delta)
        self.grads["b"] = delta[..., 0].sum(axis=(1, 2))
        return dx


class ForgetfulConv1d(Conv1d):
    """Adds to the gradient of the call before."""

    def backward(self, delta):
        before = self.grads["W"]
        dx = super().backward(delta)
        self.grads["W"] = self.grads["W"] + before + 1
        return dx


class UndividedAvgPool2d(AvgPool2d):
    def backward(self, delta):
        return super().backward(delta) * self.kernel[0] * self.kernel[1]


class EveryMaximumPool2d(MaxPool2d):
    """To all maxima, not to the first."""

    def backward(self, delta):
        shape, images, y = self.recall(delta)
        dx = np.zeros_like(images)
        for seen, out in zip(self.taps(images), self.taps(dx)):
            out += (seen == y) * delta.reshape(y.shape)
        return self.unpad(dx).reshape(shape)


class LastWindowPool2d(MaxPool2d):
    """Overlapping windows overwrite where they should add."""

    def backward(self, delta):
        shape, images, y = self.recall(delta)
        dx = np.zeros_like(images)
        for seen, out in zip(self.taps(images), self.taps(dx)):
            hit = seen == y
            out[hit] = delta.reshape(y.shape)[hit]
        return self.unpad(dx).reshape(shape)


WRONG = [
    (UntransposedDense(3, 3, rng=0), (3, 4), {"x"}),
    (TransposedGradientDense(3, 3, rng=0), (3, 4), {"W"}),
    (AveragedDense(3, 2, rng=0), (3, 4), {"W", "b"}),
    (SlightlyWrongDense(3, 2, rng=0), (3, 4), {"W"}),
    (OneWrongElementDense(3, 2, rng=0), (3, 4), {"W"}),
    (NanDense(3, 2, rng=0), (3, 4), {"b"}),
    (NoDerivativeSigmoid(), (3, 4), {"x"}),
    (DerivativeOfTheInputTanh(), (3, 4), {"x"}),
    (LeakyReLUBackward(), (3, 4), {"x"}),
    (UnturnedConv2d(2, 3, 2, rng=0), (2, 4, 5, 2), {"x"}),
    (TurnedGradientConv2d(2, 3, 2, rng=0), (2, 4, 5, 2), {"W"}),
    (OnePositionBiasConv2d(2, 3, 2, rng=0), (2, 4, 5, 2), {"b"}),
    (OneExampleBiasConv2d(2, 3, 2, rng=0), (2, 4, 5, 2), {"b"}),
    (ForgetfulConv1d(2, 3, 2, rng=0), (2, 5, 2), {"W"}),
    (UndividedAvgPool2d(2), (2, 4, 6, 2), {"x"}),
    (LastWindowPool2d(2, stride=1), (2, 4, 5, 2), {"x"}),
]


@pytest.mark.parametrize("layer, shape, names", WRONG, ids=[type(layer).__name__ for layer, _, _ in WRONG])
def test_wrong_backward_is_found_and_named(layer, shape, names):
    report = check_gradients(layer, numbers(shape, 1))
    assert not report.ok
    assert {name for name, error in report.errors.items() if not error <= report.tol} == names
    assert set(report.errors) == {"x", *layer.params}
    for line in str(report).splitlines():
        assert ("WRONG by" in line) == (line.split()[0] in names) != ("ok, within 1e-07" in line)


@every_layer
def test_right_backward_passes(make, shape):
    layer = make()
    report = check_gradients(layer, numbers(shape, 1))
    assert report.ok and list(report.errors) == ["x", *layer.params]
    assert max(report.errors.values()) < 1e-7


@pytest.mark.parametrize("activation, pool", [(Sigmoid, AvgPool2d), (ReLU, MaxPool2d), (Tanh, MaxPool2d)])
def test_right_network_passes_under_the_names_of_its_parameters(activation, pool):
    report = check_gradients(small_lenet(activation, pool), numbers((2, 9, 10, 2), 1), eps=1e-5)
    assert report.ok, str(report)
    assert list(report.errors) == ["x"] + [f"{i}.{key}" for i in (0, 3, 7, 9) for key in "Wb"]


def test_wrong_layer_of_a_network_spoils_what_lies_below_it_and_nothing_above():
    net = Sequential(Dense(4, 3, rng=0), NoDerivativeSigmoid(), Dense(3, 2, rng=1))
    report = check_gradients(net, numbers((4, 5), 1))
    wrong = {name for name, error in report.errors.items() if error > report.tol}
    assert wrong == {"x", "0.W", "0.b"} and not report.ok
    assert str(report).splitlines()[3] == "2.W  ok, within 1e-07"


@pytest.mark.parametrize("pool, ok", [(MaxPool2d, True), (EveryMaximumPool2d, False)])
def test_tie_that_moves_together_tells_the_first_maximum_from_all_of_them(pool, ok):
    copies = Conv2d(1, 1, (1, 2), padding=(0, 1), bias=False)  # a pixel becomes two equal neighbours
    copies.params["W"][...] = 2
    report = check_gradients(Sequential(copies, pool((1, 2))), np.array([1.5, 2.5]).reshape(1, 1, 1, 2))
    assert (report.errors["x"] <= report.tol) is ok
    assert report.errors["0.W"] > 0.1  # the taps move one at a time: for them the tie is a kink


# ---- small and vanishing gradients ------------------------------------------------------------------


@pytest.mark.parametrize("cls, ok", [(Dense, True), (SlightlyWrongDense, False)])
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e6])
def test_gradient_of_any_size_is_judged_by_its_own_size(cls, ok, size):
    report = check_gradients(cls(4, 3, rng=0), numbers((4, 2), 1), size * numbers((3, 2), 2))
    assert report.ok is ok
    assert ok or 5e-4 < report.errors["W"] < 2e-3


@pytest.mark.parametrize("cls, ok", [(Sigmoid, True), (SlightlyWrongSigmoid, False)])
def test_gradient_of_a_saturated_unit_is_judged(cls, ok):
    x = np.array([[13.8]])  # the slope is 1e-6 where the value is 1
    assert check_gradients(cls(), x, np.ones((1, 1))).ok is ok


@pytest.mark.parametrize("cls, ok", [(Dense, True), (SlightlyWrongDense, False)])
def test_small_gradient_below_small_weights_is_judged(cls, ok):
    net = Sequential(cls(4, 3, rng=0), Dense(3, 2, init=1e-6, rng=1))
    report = check_gradients(net, numbers((4, 2), 1))
    assert report.ok is ok and (report.errors["0.W"] <= report.tol) is ok


@pytest.mark.parametrize(
    "layer, x, delta",
    [
        (ReLU(), -np.ones((2, 3)), None),
        (Dense(3, 2, init=0), np.ones((3, 4)), None),
        (Dense(3, 2, rng=0), np.ones((3, 4)), np.zeros((2, 4))),
    ],
    ids=["dead ReLU", "zero weights", "zero delta"],
)
def test_gradient_that_is_zero_and_should_be_is_right(layer, x, delta):
    report = check_gradients(layer, x, delta)
    assert report.ok, str(report)


# ---- what comes back --------------------------------------------------------------------------------


@every_layer
def test_check_puts_back_the_input_and_the_parameters(make, shape):
    layer, x = make(), numbers(shape, 1)
    x.flat[0] = 0.1 + 0.2
    before = state([x, layer.params])
    check_gradients(layer, x)
    assert state([x, layer.params]) == before


@every_layer
def test_backward_after_a_check_belongs_to_the_input_as_it_was(make, shape):
    layer, x = make(), numbers(shape, 1)
    delta = numbers(layer.forward(x).shape, 2)
    dx = layer.backward(delta)
    check_gradients(layer, x)
    identical(layer.backward(delta), dx)


def test_delta_may_be_given_or_drawn_from_a_seed():
    make, shape = LAYERS["Conv2d"]
    x = numbers(shape, 1)
    delta = np.random.default_rng(0).standard_normal(make().output_shape(shape))
    kept = delta.copy()
    reports = [check_gradients(make(), x, **options) for options in ({}, {"delta": delta}, {"rng": 0})]
    assert reports[0] == reports[1] == reports[2]
    identical(delta, kept)
    assert check_gradients(make(), x, rng=np.random.default_rng(0)) == reports[0]
    assert check_gradients(make(), x, rng=1) != reports[0]


def test_gradients_left_are_those_of_backward():
    layer, x, delta = Dense(4, 3, rng=0), numbers((4, 2), 1), numbers((3, 2), 2)
    check_gradients(layer, x, delta)
    identical(layer.grads["W"], delta @ x.T)


def test_report_of_a_right_layer_is_the_same_text_on_every_machine():
    report = check_gradients(Sequential(Flatten(), Dense(4, 2, rng=0)), numbers((2, 2, 3)), tol=1e-6)
    assert str(report) == "x    ok, within 1e-06\n1.W  ok, within 1e-06\n1.b  ok, within 1e-06"


def test_tolerance_decides():
    layer, x = SlightlyWrongDense(3, 2, rng=0), numbers((3, 4), 1)
    assert not check_gradients(layer, x, tol=9e-4).ok and check_gradients(layer, x, tol=2e-3).ok
    report = check_gradients(Dense(3, 2, rng=0), x)
    report.errors["W"] = report.tol
    assert report.ok and "WRONG" not in str(report)


# ---- numerical_gradient -----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 3, 2)])
def test_numerical_gradient_of_a_square_and_a_cube(shape):
    x = numbers(shape, 1)
    for power in (2, 3):
        gradient = numerical_gradient(lambda x, power=power: float((x**power).sum()), x)
        assert gradient.shape == shape and gradient.dtype == float
        np.testing.assert_allclose(gradient, power * x ** (power - 1), rtol=0, atol=1e-8)


def test_difference_is_central():
    assert numerical_gradient(lambda x: abs(float(x[0])), np.zeros(1)) == 0
    cube = numerical_gradient(lambda x: float(x[0] ** 3), np.zeros(1), eps=0.5)
    np.testing.assert_allclose(cube, 0.25)  # eps^2, the truncation error


def test_numerical_gradient_of_a_view_sees_the_whole_array():
    whole = np.arange(12.0).reshape(3, 4)
    view = whole[::2, ::-1]
    gradient = numerical_gradient(lambda _: float((whole * whole).sum()), view)
    np.testing.assert_allclose(gradient, 2 * view, atol=1e-7)


def test_numerical_gradient_at_a_large_number_is_limited_by_the_size_of_f_not_of_x():
    x = np.array([1e6 + 0.1])
    assert numerical_gradient(lambda x: float(x[0] - 1e6), x) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("call", range(1, 9))
def test_input_comes_back_bit_by_bit_even_when_f_raises(call):
    x, calls = np.array([0.1 + 0.2, -0.0, np.nan, 1e300]), []

    def f(x):
        calls.append(x.copy())
        if len(calls) == call:
            raise KeyError("f is broken")
        return 0.0

    with refused("f is broken", error=KeyError, unchanged=[x]):
        numerical_gradient(f, x)
    assert len(calls) == call


def test_input_comes_back_bit_by_bit():
    x = np.array([0.1 + 0.2, -0.0, np.nan, np.inf, 1e300, 5e-324])
    copy = x.copy()
    with np.errstate(invalid="ignore"):  # nothing is asked of the slope at infinity
        numerical_gradient(lambda x: 0.0, x)
    identical(x, copy)
