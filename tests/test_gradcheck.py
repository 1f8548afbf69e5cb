"""The judge is judged: it passes what is right, finds what is wrong and where, and puts everything back."""

import numpy as np
import pytest
from helpers import LAYERS, SEEDS, every_layer, identical, numbers, refused, repeatable, small_lenet, state
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib import (
    AvgPool2d,
    Conv2d,
    Dense,
    Flatten,
    Layer,
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


class UndividedAvgPool2d(AvgPool2d):
    def backward(self, delta):
        return super().backward(delta) * self.kernel[0] * self.kernel[1]


class EveryMaximumPool2d(MaxPool2d):
    """To all maxima, not to the first."""

    def forward(self, x):
        self.images = self.pad(x, -np.inf)
        return super().forward(x)

    def backward(self, delta):
        shape, _, y, _ = self.recall(delta)
        images, dx = self.images, np.zeros_like(self.images)
        for seen, out in zip(self.taps(images), self.taps(dx)):
            out += (seen == y) * delta.reshape(y.shape)
        return self.unpad(dx).reshape(shape)


class LastWindowPool2d(MaxPool2d):
    """Overlapping windows overwrite where they should add."""

    def forward(self, x):
        self.images = self.pad(x, -np.inf)
        return super().forward(x)

    def backward(self, delta):
        shape, _, y, _ = self.recall(delta)
        images, dx = self.images, np.zeros_like(self.images)
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


@pytest.mark.parametrize("size", [1, 0.1, -3])
def test_delta_is_not_x_though_both_are_of_one_seed(size):
    x = size * numbers((3, 4), 0)  # with delta = x, dW = x x^T is symmetric
    report = check_gradients(TransposedGradientDense(3, 3, rng=1), x)
    assert str(report).splitlines()[1].startswith("W  WRONG")


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


@pytest.mark.parametrize(
    "value, came",
    [
        (None, "NoneType"),
        (np.ones(1), "an array of shape (1,)"),
        (np.ones((2, 3)), "an array of shape (2, 3)"),
        ([1.0], "list"),
        ("1", "str"),
        (True, "bool"),
        (1j, "complex"),
        (np.float32(1), "float32"),
        (np.float16(1), "float16"),
        (np.array(1, np.float32), "float32"),
    ],
)
def test_f_that_gives_no_double_is_told_what_it_gave(value, came):
    x = numbers(3)
    with refused("numerical_gradient: f gives", came, "want one real number", unchanged=[x]):
        numerical_gradient(lambda x: value, x)


@pytest.mark.parametrize("kind", [float, np.float64, np.array, lambda v: np.longdouble(v)])
def test_f_may_give_any_double(kind):
    slope = numerical_gradient(lambda x: kind(x[0] ** 2), np.array([1.5]))
    np.testing.assert_allclose(slope, 3, atol=1e-8)
    assert numerical_gradient(lambda x: 7, np.ones(2)).tolist() == [0, 0]


@given(SEEDS, st.integers(1, 20))
@repeatable
def test_float32_inside_f_is_found(seed, size):
    x, w = numbers(size, seed), numbers(size, seed + 1)
    with refused("f has float32 inside", unchanged=[x]):
        numerical_gradient(lambda x: float(np.float32(3 + (w * x + x**2).sum())), x)
    numerical_gradient(lambda x: 3 + float((w * x + x**2).sum()), x)


@pytest.mark.parametrize("eps", [1e-6, 2.0**-20, 0.5])
def test_short_numbers_are_not_taken_for_float32(eps):
    for f in (lambda x: float(x.sum()), lambda x: float((x > 0).sum()), lambda x: float((x**2).sum())):
        numerical_gradient(f, np.array([0.0, 3, -2, 100]), eps)


def test_f_that_changes_x_is_told_and_x_comes_back():
    x = numbers((2, 3))

    def normalise(x):
        x /= np.abs(x).max()
        return float(x.sum())

    with refused("f has changed x", unchanged=[x]):
        numerical_gradient(normalise, x)


def test_f_that_locks_x_changes_nothing():
    x = numbers(3)
    with refused("read-only", unchanged=[x]):
        numerical_gradient(lambda x: x.setflags(write=False) or 0.0, x)
    assert x.flags.writeable


def test_read_only_x_is_refused_where_it_must_be_stepped_and_copied_where_not():
    x = numbers((4, 3))
    x.flags.writeable = False
    with refused("numerical_gradient: x is read-only", unchanged=[x]):
        numerical_gradient(lambda x: float(x.sum()), x)
    assert check_gradients(Dense(4, 2, rng=0), x).ok and not x.flags.writeable
    layer = Dense(4, 2, rng=0)
    layer.params["W"].flags.writeable = False
    with refused("Dense(4, 2): W is read-only", unchanged=[layer.params]):
        check_gradients(layer, x)


# ---- what the judged code does to what it is given --------------------------------------------------


def wrong_in_place(divide):
    class InPlace(Dense):
        """Wrong, and it changes delta so that a judge who looks at delta afterwards sees nothing."""

        def backward(self, delta):
            divide(delta)
            return super().backward(delta)

    return InPlace(3, 2, rng=0)


def halve(delta):
    delta /= delta.shape[-1]


def clip(delta):
    np.clip(delta, -0.1, 0.1, out=delta)


def through_a_view(delta):
    delta.reshape(-1)[::2] = 0


def flip(delta):
    delta *= -1


@pytest.mark.parametrize("change", [halve, clip, through_a_view, flip, lambda d: d.fill(0)])
def test_backward_that_changes_delta_is_named_and_judged_by_the_delta_it_was_given(change):
    layer, x, delta = wrong_in_place(change), numbers((3, 4), 1), numbers((2, 4), 2)
    before = state([x, delta, layer.params])
    report = check_gradients(layer, x, delta)
    assert state([x, delta, layer.params]) == before
    assert not report.ok and min(report.errors.values()) > 0.1
    (remark,) = report.remarks
    assert "InPlace: backward changes what it is given" in remark
    assert str(report).endswith(remark)


class RectifyInPlace(Layer):
    """Right, for those who do not need its input any more."""

    def output_shape(self, shape):
        return tuple(shape)

    def forward(self, x):
        np.maximum(x, 0, out=x)
        return self.keep(x, x)

    def backward(self, delta):
        (y,) = self.recall(delta)
        delta *= y > 0
        return delta


class LateChange(RectifyInPlace):
    """Changes the input of forward in backward."""

    def forward(self, x):
        return self.keep(np.maximum(x, 0), x)

    def backward(self, delta):
        (x,) = self.recall(delta)
        dx = delta * (x > 0)
        x[...] = 0
        return dx


class NextTime(RectifyInPlace):
    """Changes the input of the call before."""

    last = None

    def forward(self, x):
        if self.last is not None:
            self.last[...] = 0
        self.last = x
        return self.keep(np.maximum(x, 0), x > 0)

    def backward(self, delta):
        return delta * self.recall(delta)[0]


@pytest.mark.parametrize(
    "cls, methods",
    [(RectifyInPlace, ["forward", "backward"]), (LateChange, ["forward"]), (NextTime, ["forward"])],
)
def test_layer_that_changes_its_input_is_named_though_its_gradients_are_right(cls, methods):
    x = numbers((3, 4), 1)
    before = state(x)
    alone = check_gradients(cls(), x)
    assert state(x) == before
    assert not alone.ok and alone.errors["x"] <= alone.tol
    inside = check_gradients(Sequential(Dense(3, 3, rng=0), cls(), Dense(3, 2, rng=1)), x)
    for report in (alone, inside):
        assert [remark.split(" changes")[0] for remark in report.remarks] == [
            f"{cls.__name__}(): {method}" for method in methods
        ]


class Same(RectifyInPlace):
    """Hands on the very array, both ways."""

    def forward(self, x):
        return self.keep(x)

    def backward(self, delta):
        self.recall(delta)
        return delta


class OneBuffer(Dense):
    """Writes each output and each gradient into the same arrays as before."""

    buffers = {}

    def reused(self, name, values):
        kept = self.buffers.setdefault((id(self), name, values.shape), np.empty(values.shape))
        kept[...] = values
        return kept

    def forward(self, x):
        return self.reused("y", super().forward(x))

    def backward(self, delta):
        dx = super().backward(delta)
        self.grads = {key: self.reused(key, value) for key, value in self.grads.items()}
        return self.reused("dx", dx)


class SpoilsItsOutput(Tanh):
    """Works in the array that it gave, after that was used."""

    def backward(self, delta):
        (y,) = self.recall(delta)
        y *= -y
        y += 1
        y *= delta
        return y


class Recomputes(Tanh):
    """Keeps x only, and calls forward again on the way back."""

    def forward(self, x):
        self.x = x
        return super().forward(x)

    def backward(self, delta):
        self.forward(self.x)
        return super().backward(delta)


@pytest.mark.parametrize("make", [Same, lambda: OneBuffer(3, 2, rng=0), SpoilsItsOutput, Recomputes, Flatten])
def test_layers_may_share_memory_with_what_they_get_and_give(make):
    x = numbers((3, 4), 1)
    report = check_gradients(make(), x)
    assert report.ok, str(report)


class GradientsThatAreDelta(Layer):
    """y = x + b, whose gradients are delta itself, in several places."""

    def __init__(self, shape):
        super().__init__()
        self.params["b"], self.grads["b"] = numbers(shape, 5), None

    def output_shape(self, shape):
        return tuple(shape)

    def forward(self, x):
        return self.keep(x + self.params["b"])

    def backward(self, delta):
        self.recall(delta)
        self.grads["b"] = delta
        return delta


def test_gradients_may_be_delta_itself():
    report = check_gradients(GradientsThatAreDelta((3, 4)), numbers((3, 4)))
    assert report.ok, str(report)


def test_x_delta_and_parameters_may_share_memory():
    layer = Dense(3, 3, rng=0)
    W = layer.params["W"]
    before = state([layer.params])
    for x, delta in ((W, None), (W.T, W), (numbers((3, 3)), W[:, ::-1])):
        report = check_gradients(layer, x, delta)
        assert report.ok, str(report)
    assert state([layer.params]) == before


class ClipsWeights(Dense):
    def forward(self, x):
        np.clip(self.params["W"], -0.1, 0.1, out=self.params["W"])
        return super().forward(x)


class Learns(Dense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.params["W"] -= 0.1 * self.grads["W"]
        return dx


class Rebinds(Dense):
    def forward(self, x):
        self.params = {key: 0.5 * value for key, value in self.params.items()}
        return super().forward(x)


@pytest.mark.parametrize("cls", [ClipsWeights, Learns, Rebinds])
@pytest.mark.parametrize("network", [False, True])
def test_changed_parameters_are_named_and_put_back(cls, network):
    layer, x = cls(3, 2, rng=0), numbers((3, 4), 1)
    model = Sequential(Tanh(), layer) if network else layer
    with refused(f"{cls.__name__} changes its parameters", "left as they are", unchanged=[x, layer.params]):
        check_gradients(model, x)


@pytest.mark.parametrize(
    "method, call", [*(("forward", n) for n in (1, 2, 3, 4, 7, 20)), *(("backward", n) for n in (1, 2, 3, 4))]
)
def test_all_comes_back_when_the_judged_code_raises(method, call):
    calls = []

    class Breaks(Dense):
        def break_down(self, array):
            calls.append(1)
            if len(calls) == call:
                array.fill(7)
                self.params["W"].fill(7)
                self.params, self.grads = {}, {}
                raise KeyError("broken")

        def forward(self, x):
            if method == "forward":
                self.break_down(x)
            return super().forward(x)

        def backward(self, delta):
            if method == "backward":
                self.break_down(delta)
            return super().backward(delta)

    layer, x, delta = Breaks(3, 2, rng=0), numbers((3, 4), 1), numbers((2, 4), 2)
    with refused("broken", error=KeyError, unchanged=[x, delta, layer.params, layer.grads]):
        check_gradients(layer, x, delta)
    assert list(layer.params) == list(layer.grads) == ["W", "b"]


@every_layer
@pytest.mark.parametrize("order", ["fortran", "strided", "reversed", "read-only"])
def test_any_layout_of_x_and_delta_is_judged_alike(make, shape, order):
    def laid_out(array):
        if order == "fortran":
            return np.asfortranarray(array)
        if order == "strided":
            wide = np.repeat(array, 2, axis=-1)
            return wide[..., ::2]
        if order == "reversed":
            return np.ascontiguousarray(array[::-1])[::-1]
        array.flags.writeable = False
        return array

    x, delta = numbers(shape, 1), numbers(make().output_shape(shape), 2)
    here, there = laid_out(x.copy()), laid_out(delta.copy())
    report = check_gradients(make(), here, there)
    assert report.ok, str(report)
    np.testing.assert_array_equal(here, x)
    np.testing.assert_array_equal(there, delta)


# ---- two calls, two answers -------------------------------------------------------------------------


class Dropout(Layer):
    """Seeded once, so every call draws another mask."""

    def __init__(self, seed=None):
        super().__init__()
        self.seed, self.rng = seed, np.random.default_rng(0)

    def output_shape(self, shape):
        return tuple(shape)

    def forward(self, x):
        rng = self.rng if self.seed is None else np.random.default_rng(self.seed)
        mask = rng.random(x.shape) < 0.5
        return self.keep(x * mask, mask)

    def backward(self, delta):
        return delta * self.recall(delta)[0]


class NoisyBackward(Tanh):
    rng = np.random.default_rng(0)

    def backward(self, delta):
        return super().backward(delta) + self.rng.standard_normal(delta.shape)


class Accumulates(Dense):
    """Adds to the gradient of the call before."""

    def backward(self, delta):
        before = self.grads["W"]
        dx = super().backward(delta)
        self.grads["W"] = self.grads["W"] + before
        return dx


class AccumulatesInPlace(Dense):
    def backward(self, delta):
        before = self.grads["W"]
        dx = super().backward(delta)
        before += self.grads["W"]
        self.grads["W"] = before
        return dx


@pytest.mark.parametrize(
    "make, method, unjudged",
    [
        (Dropout, "forward", ["x"]),
        (NoisyBackward, "backward", ["x"]),
        (lambda: Accumulates(3, 3, rng=0), "backward", ["W"]),
        (lambda: AccumulatesInPlace(3, 3, rng=0), "backward", ["W"]),
    ],
)
def test_random_numbers_and_state_are_told_from_mistakes(make, method, unjudged):
    x = numbers((3, 4), 1)
    report = check_gradients(make(), x)
    assert not report.ok and list(report.notes) == unjudged and "WRONG" not in str(report)
    assert all("two calls differ" in note for note in report.notes.values())
    inside = check_gradients(Sequential(Dense(3, 3, rng=1), make(), Tanh()), x)
    for remarks in (report.remarks, inside.remarks):
        (remark,) = remarks
        assert (
            f"{type(make()).__name__}" in remark
            and f": {method} gives something else when called again" in remark
        )
    assert not inside.ok and "WRONG" not in str(inside)


def test_mask_that_is_drawn_anew_from_its_seed_is_a_function_like_any_other():
    assert check_gradients(Dropout(seed=1), numbers((3, 4), 1)).ok


# ---- kinks ------------------------------------------------------------------------------------------


class Modulus(RectifyInPlace):
    def forward(self, x):
        return self.keep(np.abs(x), x)

    def backward(self, delta):
        return delta * np.where(self.recall(delta)[0] > 0, 1, -1)


class Negated(ReLU):
    def backward(self, delta):
        return -super().backward(delta)


def deep_relus(width, seed):
    layers = [
        make(seed, i)
        for i in range(8)
        for make in (lambda s, i: Dense(width, width, rng=100 * s + i), lambda *_: ReLU())
    ]
    return Sequential(*layers)


@given(st.integers(2, 6), st.integers(0, 1000))
@settings(repeatable, max_examples=30)
def test_eight_layers_of_relus_are_never_called_wrong(width, seed):
    report = check_gradients(deep_relus(width, seed), numbers((width, 2), seed))
    assert "WRONG" not in str(report) and "judged" not in str(report)
    for name, note in report.notes.items():
        assert name.endswith(".b") and "no derivative at [" in note and "move" in note


def test_dead_layer_makes_kinks_of_the_biases_above_it():
    net = deep_relus(3, 0)
    net.layers[0].params["b"][...] = -100
    report = check_gradients(net, numbers((3, 2), 1))
    assert "14.b" in report.notes and not report.ok
    for layer in net.layers[2::2]:
        layer.params["b"] += 0.01
    assert check_gradients(net, numbers((3, 2), 1)).ok  # moved off, as the note says


@pytest.mark.parametrize(
    "layer, x, where",
    [
        (ReLU(), [[0.0, 1, -1]], "[0, 0]"),
        (ReLU(), [[1, 3e-7, -1]], "[0, 1]"),
        (ReLU(), [[1, 1, -9e-7]], "[0, 2]"),
        (ReLU(), [[0, 0, 0.0]], "[0, 0] and 2 more"),
        (Modulus(), [[0, 1, -2e-7]], "[0, 0] and 1 more"),
        (Modulus(), [[1, 1, -2e-7]], "[0, 2]"),
        (MaxPool2d(2), [[[[5.0], [5]], [[1], [2]]]], "[0, 0, 0, 0] and 1 more"),
        (MaxPool2d(2), [[[[5.0], [5 + 5e-7]], [[1], [2]]]], "[0, 0, 0, 0] and 1 more"),
    ],
)
def test_kink_is_said_with_its_place_and_the_way_off(layer, x, where):
    x = np.array(x, float)
    report = check_gradients(layer, x, rng=3)
    assert not report.ok and "WRONG" not in str(report)
    assert str(report).startswith(f"x  no derivative at {where}, ") and "more than 1e-06" in str(report)
    moved = x + 1e-3 * numbers(x.shape, 7)
    assert check_gradients(layer, moved, rng=3).ok


def test_kink_excuses_its_own_element_only():
    x = np.array([[0.0, 1, -1]])
    report = check_gradients(Negated(), x)
    assert str(report).startswith("x  WRONG by") and not report.notes
    wrong = Sequential(UntransposedDense(3, 3, rng=0), ReLU())
    wrong.layers[0].params["b"][...] = [5, 5, 0]
    x = np.zeros((3, 1))  # the last unit is at its kink, in every direction
    assert "0.b" in check_gradients(Sequential(Dense(3, 3, rng=0), ReLU()), x).notes
    assert str(check_gradients(wrong, numbers((3, 2), 1))).startswith("x    WRONG by")


class Steep(Layer):
    """tanh(k x)."""

    def __init__(self, k, wrong=1):
        super().__init__()
        self.k, self.wrong = k, wrong

    def output_shape(self, shape):
        return tuple(shape)

    def forward(self, x):
        y = np.tanh(self.k * x)
        return self.keep(y, y)

    def backward(self, delta):
        (y,) = self.recall(delta)
        return self.wrong * self.k * delta * (1 - y * y)


@pytest.mark.parametrize("k", [1, 10, 100, 1e3, 1e4, 1e5])
def test_curve_is_no_kink(k):
    x = numbers((3, 4), 1) / k
    right = check_gradients(Steep(k), x)
    assert right.ok, str(right)
    wrong = check_gradients(Steep(k, wrong=1.001), x)
    assert "WRONG" in str(wrong) and 1e-4 < wrong.errors["x"] < 2e-3


def test_far_too_steep_a_curve_cannot_be_judged_and_is_no_kink():
    report = check_gradients(Steep(1e6), numbers((3, 4), 1) / 1e6)
    assert not report.ok and "cannot be judged" in report.notes["x"]
    assert check_gradients(Steep(1e6), numbers((3, 4), 1) / 1e6, eps=1e-9).ok


# ---- what round-off hides ---------------------------------------------------------------------------


class WrongSignSigmoid(Sigmoid):
    def backward(self, delta):
        return -super().backward(delta)


class NothingBack(Sigmoid):
    def backward(self, delta):
        return 0 * super().backward(delta)


def sigmoids(first, depth, width=4, seed=0):
    rng = np.random.default_rng(seed)
    layers = [Dense(width, width, rng=rng), first()]
    for _ in range(depth - 1):
        layers += [Dense(width, width, rng=rng), Sigmoid()]
    return Sequential(*layers)


@pytest.mark.parametrize("depth", [12, 16, 24])
@pytest.mark.parametrize("first", [Sigmoid, WrongSignSigmoid, NothingBack])
def test_gradient_below_many_sigmoids_is_never_called_ok(first, depth):
    report = check_gradients(sigmoids(first, depth, 3), numbers((3, 2), 1))
    assert not report.ok and "x" in report.notes or report.errors["x"] > 0.5
    if first is Sigmoid:
        assert "WRONG" not in str(report)
        assert "cannot be judged" in report.notes["x"] and "layer by layer" in report.notes["x"]


@pytest.mark.parametrize("first", [WrongSignSigmoid, NothingBack])
def test_wrong_sign_is_seen_sixteen_sigmoids_down(first):
    report = check_gradients(sigmoids(first, 16), numbers((4, 2), 1))
    assert str(report).startswith("x     WRONG by")


@given(SEEDS, st.integers(10, 18), st.integers(2, 4))
@settings(repeatable, max_examples=6)
def test_right_deep_network_is_never_called_wrong(seed, depth, width):
    report = check_gradients(sigmoids(Sigmoid, depth, width, seed), numbers((width, 1), seed))
    assert "WRONG" not in str(report)


class Faint(RectifyInPlace):
    """1 + 1e-25 x: no step moves a bit of the output."""

    def forward(self, x):
        return self.keep(1 + 1e-25 * x)

    def backward(self, delta):
        return 1e-25 * delta


def test_gradient_that_moves_no_bit_of_the_output_cannot_be_judged():
    report = check_gradients(Faint(), numbers((3, 4)))
    assert not report.ok and "cannot be judged" in report.notes["x"]


def test_gradient_whose_terms_cancel_is_judged_by_its_terms():
    x = np.array([[0.1, 0.2, 0.3], [-0.3, 0.1, 0.2]])
    delta = np.array([[0.1, 0.2, -0.3]])  # adds up to 3e-17
    for cls, ok in ((Dense, True), (BiasOfTheFirst, False)):
        layer = cls(2, 1, rng=0)
        assert delta.sum() != 0 and check_gradients(layer, x, delta).ok is ok


class BiasOfTheFirst(Dense):
    """Off by 1e-9 of the terms, where their sum should be zero."""

    def backward(self, delta):
        dx = super().backward(delta)
        self.grads["b"] = self.grads["b"] + 1e-9 * np.abs(delta).sum()
        return dx


class Logarithm(RectifyInPlace):
    """Refuses what is not positive."""

    def forward(self, x):
        if not (x > 0).all():
            raise ValueError("log of a negative number")
        return self.keep(np.log(x), x)

    def backward(self, delta):
        return 1.001 * delta / self.recall(delta)[0]


def test_large_steps_may_leave_the_domain():
    report = check_gradients(Logarithm(), np.abs(numbers((3, 4), 1)) + 0.1)
    assert "WRONG" in str(report) and 1e-4 < report.errors["x"] < 2e-3


def test_right_gradient_cannot_be_told_to_sixteen_digits():
    x = numbers((3, 4), 1)
    assert check_gradients(Tanh(), x, tol=1e-9).ok
    assert "cannot be judged" in str(check_gradients(Tanh(), x, tol=1e-15))


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1, 1e3, 1e6])
@every_layer
def test_right_layers_pass_at_any_size_of_delta_and_one_example(make, shape, size):
    layer, x = make(), numbers((*shape[:-1], 1), 1)
    report = check_gradients(layer, x, size * numbers(layer.output_shape(x.shape), 2))
    assert report.ok, str(report)


@pytest.mark.parametrize(
    "weights, size", [(1e-3, 1e-3), (1e-3, 1e6), (1, 1e-3), (1, 1), (1, 1e6), (1e3, 1e-3), (1e3, 1e3)]
)
@pytest.mark.parametrize("cls, ok", [(Dense, True), (SlightlyWrongDense, False)])
def test_weights_and_inputs_of_any_size_are_judged(cls, ok, weights, size):
    report = check_gradients(cls(4, 3, init=weights, rng=0), size * numbers((4, 2), 1))
    assert report.ok is ok, str(report)
    assert ok or "WRONG" in str(report)


# ---- what cannot be compared ------------------------------------------------------------------------


class Square:
    """A layer that is no Layer."""

    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, delta):
        return 2 * delta * self.x


class WholeSquare(Square):
    def __init__(self, **gives):
        self.params, self.grads, self.gives = {}, {}, gives

    def forward(self, x):
        return self.gives.get("forward", lambda y: y)(super().forward(x))

    def backward(self, delta):
        return self.gives.get("backward", lambda dx: dx)(super().backward(delta))


class Renamed(Dense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.grads = {f"d{key}": value for key, value in self.grads.items()}
        return dx


class CalledX(Dense):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        for held in (self.params, self.grads):
            held["x"] = held.pop("b")


def test_class_of_ones_own_needs_four_names_only():
    assert check_gradients(WholeSquare(), numbers((2, 3))).ok


@pytest.mark.parametrize(
    "model, words",
    [
        (Square(), ["Square: params is NoneType", "want a dict"]),
        (3, ["got 3", "forward and backward"]),
        (Dense, ["got Dense", "want an object"]),
        (np.tanh, ["forward and backward"]),
        (CalledX(2, 2, rng=0), ["CalledX", "a parameter is called x"]),
        (Renamed(2, 2, rng=0), ["Renamed", "['dW', 'db']", "['W', 'b']"]),
        *(
            (WholeSquare(**{method: give}), [f"WholeSquare: what {method} gives is", came, "want"])
            for method in ("forward", "backward")
            for give, came in [
                (lambda _: None, "NoneType"),
                (list, "list"),
                (lambda y: y * 1j, "complex128"),
                (lambda y: y.astype(np.float32), "float32"),
                (lambda y: y.astype(int), "int64"),
                (lambda y: float(y.sum()), "float"),
            ]
        ),
        (WholeSquare(forward=lambda y: y * np.nan), ["WholeSquare: forward", "nan"]),
        (WholeSquare(forward=lambda y: y + np.inf), ["WholeSquare: forward", "inf"]),
        (
            WholeSquare(forward=lambda y: y.astype(np.float32).astype(float)),
            ["WholeSquare: forward", "float32"],
        ),
        (WholeSquare(backward=lambda dx: dx.T), ["WholeSquare", "gradient x", "(3, 2)", "(2, 3)"]),
        (WholeSquare(backward=lambda dx: dx[:1]), ["WholeSquare", "gradient x", "(1, 3)", "(2, 3)"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else type(value).__name__,
)
def test_what_cannot_be_compared_is_said_in_one_sentence(model, words):
    x = numbers((2, 3), 1)
    with refused(*words, unchanged=[x]):
        check_gradients(model, x)


@pytest.mark.parametrize(
    "x, words",
    [
        ([[1.0]], ["x is list"]),
        (np.ones((2, 3), int), ["x is an array of int64"]),
        (np.ones((2, 3)) * 1j, ["complex128"]),
        (np.ones((2, 0)), ["x", "empty"]),
        (np.full((2, 3), 1e12), ["x", "too large"]),
        (np.array([[np.nan, 1, 2]]), ["nan"]),
    ],
)
def test_input_that_cannot_be_stepped_is_refused(x, words):
    with refused(*words):
        check_gradients(WholeSquare(), x)


@pytest.mark.parametrize("delta", [np.ones((2, 3), int), [[1.0] * 3] * 2, 1.0, np.ones((2, 3)) * 1j], ids=str)
def test_delta_that_is_no_array_of_floats_is_refused(delta):
    with refused("WholeSquare", "delta", "want a NumPy array of floats"):
        check_gradients(WholeSquare(), numbers((2, 3)), delta)


def test_report_names_and_text_of_what_is_plain_are_as_ever():
    report = check_gradients(Sequential(UntransposedDense(3, 3, rng=0), Tanh()), numbers((3, 4), 1))
    assert str(report).splitlines()[1:] == ["0.W  ok, within 1e-07", "0.b  ok, within 1e-07"]
    assert str(report).startswith("x    WRONG by ") and report.notes == {} and report.remarks == []


# ---- what users bring -------------------------------------------------------------------------------


class Net(Sequential):
    """A network of one's own, layer by layer."""


class Residual(Sequential):
    """A network with its own way through its layers."""

    def forward(self, x):
        return x + super().forward(x)

    def backward(self, delta, input_gradient=True):
        return delta + super().backward(delta, input_gradient)


class ForgetsTheSkip(Residual):
    def backward(self, delta, input_gradient=True):
        return Sequential.backward(self, delta, input_gradient)


def test_subclass_of_sequential_is_judged_as_a_network():
    x = numbers((3, 4), 1)
    report = check_gradients(Net(Dense(3, 3, rng=0), Tanh()), x)
    assert report.ok and list(report.errors) == ["x", "0.W", "0.b"]
    inside = check_gradients(Net(Dense(3, 3, rng=0), RectifyInPlace(), Dense(3, 2, rng=1)), x)
    assert [remark.partition(":")[0] for remark in inside.remarks] == 2 * ["RectifyInPlace()"]
    assert check_gradients(Residual(Dense(3, 3, rng=0), Tanh()), x).ok
    assert check_gradients(ForgetsTheSkip(Dense(3, 3, rng=0), Tanh()), x).errors["x"] > 0.1
    named = Tanh()
    named.named = named.layers = "mine"
    assert check_gradients(named, x).ok
    empty = Sequential(Tanh())
    empty.layers = []
    with refused("Sequential(): got no layers"):
        check_gradients(empty, x)


def tied(change):
    one, other = Dense(3, 3, rng=0), Dense(3, 3, rng=1)
    change(one, other)
    return Sequential(one, Tanh(), other)


def overlapping(v, shape, strides):
    return np.lib.stride_tricks.as_strided(v, shape, strides, writeable=True)


@pytest.mark.parametrize(
    "change, names",
    [
        (lambda one, other: other.params.update(W=one.params["W"]), ["0.W", "2.W"]),
        (lambda one, other: other.params.update(W=one.params["W"].T), ["0.W", "2.W"]),
        (lambda one, other: other.params.update(b=one.params["W"][1]), ["0.W", "2.b"]),
        (lambda one, other: vars(other).update(params=one.params), ["0.W", "0.b", "2.W", "2.b"]),
        (lambda one, _: one.params.update(b=overlapping(np.ones(1), (3,), (0,))), ["0.b"]),
        (lambda one, _: one.params.update(W=overlapping(np.arange(5.0), (3, 3), (8, 8))), ["0.W"]),
    ],
)
def test_parameters_that_share_memory_are_named(change, names):
    net, x = tied(change), numbers((3, 4), 1)
    with refused(f"{names} share memory", unchanged=[x, *(layer.params for layer in net.layers)]):
        check_gradients(net, x)


def test_parameters_may_lie_side_by_side_in_one_array():
    whole, layer = numbers((4, 8)), Dense(3, 4, rng=0)
    layer.params.update(W=whole[:, 1:7:2], b=whole[:, 2])
    assert check_gradients(layer, numbers((3, 4), 1)).ok


class Single(Tanh):
    """float32 in some rows, or in all."""

    def __init__(self, rows=slice(None), bias=0.0):
        super().__init__()
        self.rows, self.bias = rows, bias

    def forward(self, x):
        y = np.tanh(x)
        y[self.rows] = np.tanh(x[self.rows].astype(np.float32))
        return self.keep(y + self.bias, y)


class SingleWeights(Dense):
    def forward(self, x):
        y = self.params["W"].astype(np.float32) @ x + self.params["b"][:, None]
        return self.keep(y, x)


class Rounds(RectifyInPlace):
    def forward(self, x):
        return self.keep(np.round(x, 6))

    def backward(self, delta):
        return delta


@pytest.mark.parametrize(
    "make",
    [Single, lambda: Single([1]), lambda: Single(bias=0.1), lambda: SingleWeights(3, 3, rng=2), Rounds],
)
@pytest.mark.parametrize("place", [0, 1, 2, None])
def test_float32_inside_any_layer_is_named(make, place):
    layers = [Dense(3, 3, rng=0), Tanh(), Dense(3, 3, rng=1)]
    model = make() if place is None else Sequential(*layers[:place], make(), *layers[place:])
    with refused(f"{type(make()).__name__}", ": forward has float32 inside, or rounds"):
        check_gradients(model, numbers((3, 4), 1))


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1, 1e3, 1e6])
@every_layer
def test_no_layer_is_taken_for_float32(make, shape, size):
    rng = np.random.default_rng(3)
    for x in (size * rng.standard_normal(shape), size * rng.integers(-2, 3, shape)):
        check_gradients(make(), x[..., :1].astype(float))


class Elementwise(RectifyInPlace):
    def __init__(self, f, slope):
        super().__init__()
        self.f, self.slope = f, slope

    def forward(self, x):
        return self.keep(self.f(x), x)

    def backward(self, delta):
        return delta * self.slope(self.recall(delta)[0])


def at(number):
    x = numbers((3, 4), 1)
    x[1, 2] = number
    return x


@pytest.mark.parametrize(
    "f, slope, x",
    [
        (np.sqrt, lambda x: 0.5 / np.sqrt(x), np.full((2, 3), 5e-7)),
        (np.log, lambda x: 1 / x, np.full((2, 3), 5e-7)),
        (np.arcsin, lambda x: 1 / np.sqrt(1 - x * x), np.full((2, 3), 1 - 1e-7)),
        (np.exp, np.exp, np.full((2, 3), 709.7827128)),
    ],
    ids=["sqrt", "log", "arcsin", "exp"],
)
def test_step_out_of_the_domain_is_said(f, slope, x):
    report = check_gradients(Elementwise(f, slope), x)
    assert not report.ok and "WRONG" not in str(report)
    assert "cannot be judged at [0, 0], where a step of 1e-06 leaves the domain: smaller eps" in str(report)
    x[1:] = 0.5
    if f is not np.exp:  # beside which all others drown
        assert "WRONG by 9.9e-03" in str(check_gradients(Elementwise(f, lambda x: 1.01 * slope(x)), x))


@pytest.mark.parametrize(
    "f, slope, x",
    [
        (lambda x: 1e18 + x, np.zeros_like, numbers((3, 4))),
        (lambda x: (1e18 + x) * 1e-18, np.zeros_like, numbers((3, 4))),
        (lambda x: 1 + 1e-25 * x, np.zeros_like, numbers((3, 4))),
        (lambda x: np.tanh(1e9 * x), lambda x: 1e9 / np.cosh(1e9 * x) ** 2, np.zeros((3, 4))),
        (np.cbrt, lambda x: 1e12 + x, np.zeros((3, 4))),
    ],
    ids=["1e18 + x", "scaled", "1 + 1e-25 x", "tanh(1e9 x)", "cbrt"],
)
def test_what_no_step_shows_cannot_be_judged(f, slope, x):
    report = check_gradients(Elementwise(f, slope), x)
    assert report.notes["x"].startswith("cannot be judged, round-off or curvature hides gradients of")


@pytest.mark.parametrize(
    "f, slope",
    [
        (np.abs, np.sign),
        (lambda x: np.maximum(x, 0), lambda x: np.heaviside(x, 0.5)),
        (lambda x: np.sqrt(np.abs(x)), lambda x: np.sign(x) / (2 * np.sqrt(np.abs(x) + 1e-30))),
        (lambda x: np.where(x > 0, x, 0.98 * x), lambda x: np.where(x > 0, 1, 0.98) - (x == 0) * -0.01),
    ],
    ids=["abs", "ReLU", "sqrt abs", "leaky"],
)
def test_kink_is_said_also_where_backward_gives_the_mean_of_its_slopes(f, slope):
    with np.errstate(divide="ignore", invalid="ignore"):
        report = check_gradients(Elementwise(f, slope), at(0.0))
        assert report.notes["x"].startswith("no derivative at [1, 2], slopes left and right differ")
        alone = check_gradients(
            Elementwise(f, slope), np.zeros((1, 1))
        )  # where nothing else is to be compared with
        assert alone.notes["x"].startswith("no derivative at [0, 0], slopes left and right differ")
        assert check_gradients(Elementwise(f, slope), at(0.3)).ok


@pytest.mark.parametrize(
    "f, slope",
    [
        (lambda x: np.maximum(x, 0) ** 2, lambda x: 2 * np.maximum(x, 0)),
        (lambda x: np.abs(x) ** 1.5, lambda x: 1.5 * np.sign(x) * np.sqrt(np.abs(x))),
        (lambda x: np.where(x > 0, x, np.expm1(x)), lambda x: np.exp(np.minimum(x, 0))),
        (lambda x: np.sqrt(x * x + 1e-12), lambda x: x / np.sqrt(x * x + 1e-12)),
        (lambda x: (x > 1) * 1.0, np.zeros_like),
    ],
    ids=["relu^2", "x^1.5", "ELU", "rounded abs", "step"],
)
def test_bend_with_a_derivative_is_no_kink(f, slope):
    report = check_gradients(Elementwise(f, slope), at(0.0))
    assert report.ok, str(report)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.finfo(np.longdouble).max])
def test_delta_that_is_not_finite_is_refused(value):
    delta = numbers((2, 4)).astype(np.longdouble)
    delta[1, 2] = value
    if not value == np.finfo(float).max:  # longdouble is no longer than double on some systems
        with refused("Dense(3, 2): delta has nan, inf or more than float64 holds"):
            check_gradients(Dense(3, 2, rng=0), numbers((3, 4)), delta)


@pytest.mark.parametrize("size", [1e-305, 1e-310, 1e-315, 1e-320, 1e300, 1e308])
def test_right_layer_is_not_wrong_at_the_ends_of_the_numbers(size):
    assert "WRONG" not in str(check_gradients(Dense(3, 2, rng=0), numbers((3, 4)), size * numbers((2, 4), 1)))


class Normalises(Dense):
    """Divides its weights by their norm, which changes them only where they are stepped."""

    def forward(self, x):
        norm = np.linalg.norm(self.params["W"])
        if abs(norm - 1) > 1e-12:
            self.params["W"] /= norm
        return super().forward(x)


class Reshapes(Dense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.params["W"].shape = (3, 2)
        return dx


class Locks(Dense):
    def forward(self, x):
        self.params["W"].flags.writeable = False
        return super().forward(x)


class AddsOne(Dense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.params["V"] = numbers(3)
        return dx


@pytest.mark.filterwarnings("ignore:Setting the shape")
@pytest.mark.parametrize("cls", [Normalises, Reshapes, Locks, AddsOne])
def test_parameters_that_are_changed_in_odd_ways_are_named_and_put_back(cls):
    layer, x = cls(3, 2, rng=0), numbers((3, 4), 1)
    W = layer.params["W"]
    W /= np.linalg.norm(W)
    with refused(f"{cls.__name__} changes its parameters", unchanged=[x, layer.params]):
        check_gradients(Sequential(Tanh(), layer), x)
    assert layer.params["W"] is W and W.shape == (2, 3) and W.flags.writeable and len(layer.params) == 2


class Properties:
    """params and grads are made anew at each access."""

    def __init__(self):
        self.W, self.dW = numbers((3, 3)), None

    params = property(lambda self: {"W": self.W})
    grads = property(lambda self: {"W": self.dW})

    def forward(self, x):
        self.x = x
        return self.W @ x

    def backward(self, delta):
        self.dW = delta @ self.x.T
        return self.W.T @ delta


class Gain(RectifyInPlace):
    """The parameter's key is a number, and its gradient one, too."""

    def __init__(self, gradient):
        super().__init__()
        self.params[0], self.grads[0], self.gradient = np.array(2.0), np.array(0.0), gradient

    def forward(self, x):
        return self.keep(x * self.params[0], x)

    def backward(self, delta):
        self.grads[0] = self.gradient((delta * self.recall(delta)[0]).sum())
        return delta * self.params[0]


def test_params_may_be_properties_and_their_keys_numbers():
    x = numbers((3, 4), 1)
    assert check_gradients(Properties(), x).ok
    assert list(check_gradients(Gain(np.array), x).errors) == ["x", "0"]
    with refused("gradient 0 is a scalar of float64, want a NumPy array"):
        check_gradients(Gain(lambda sum: sum), x)


def test_byte_order_does_not_matter():
    layer, x, delta = Dense(3, 2, rng=0), numbers((3, 4), 1).astype(">f8"), numbers((2, 4)).astype(">f8")
    layer.params["W"] = layer.params["W"].astype(">f8")
    assert check_gradients(layer, x, delta).ok
    np.testing.assert_allclose(numerical_gradient(lambda x: float((x**2).sum()), x), 2 * x, atol=1e-8)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_arrays_with_other_rules_are_refused():
    for x, came in (
        (np.matrix(numbers((3, 4))), "matrix"),
        (np.ma.masked_less(numbers((3, 4)), 0), "MaskedArray"),
    ):
        with refused(f"x is {came}, want a NumPy array of floats"):
            check_gradients(Dense(3, 2, rng=0), x)
        with refused(f"x is {came}, want a NumPy array of floats"):
            Dense(3, 2, rng=0).forward(x)


class Positives(RectifyInPlace):
    """As many outputs as there are positive inputs."""

    def forward(self, x):
        return self.keep(x[x > 0], x > 0)

    def backward(self, delta):
        (where,) = self.recall(delta)
        dx = np.zeros(where.shape)
        dx[where] = delta
        return dx


def test_output_that_changes_its_shape_is_said():
    assert check_gradients(Positives(), numbers((3, 4), 1)).ok
    with refused("Positives(): forward gives (", "want one shape"):
        check_gradients(Positives(), at(1e-7))


@pytest.mark.parametrize("rng", ["abc", -1, 0.5, [1, "a"]])
def test_seed_that_is_none_is_refused(rng):
    with refused("check_gradients: rng is", repr(rng), "want a Generator or a seed"):
        check_gradients(Dense(3, 2, rng=0), numbers((3, 4)), rng=rng)
