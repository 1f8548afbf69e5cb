"""Bad input: an error that names the layer, what came and what was wanted, and nothing has changed."""

import numpy as np
import pytest
from helpers import LAYERS, every_layer, numbers, refused, small_lenet, untouched

from cnnlib import (
    SGD,
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Dense,
    Flatten,
    Layer,
    MaxPool1d,
    MaxPool2d,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    check_gradients,
    numerical_gradient,
    training,
)


def used(make, shape):
    """A layer or network with a forward and a backward behind it: all it keeps is there to be damaged."""
    model = make()
    model.backward(numbers(model.forward(numbers(shape, 1)).shape, 2))
    return model


# ---- arrays that are no floating arrays --------------------------------------------------------------

ODD = {
    "int64": lambda shape: np.ones(shape, int),
    "uint8": lambda shape: np.ones(shape, np.uint8),
    "bool": lambda shape: np.ones(shape, bool),
    "complex128": lambda shape: np.ones(shape, complex),
    "object": lambda shape: np.full(shape, 1.0, object),
    "<U1": lambda shape: np.full(shape, "1"),
    "list": lambda shape: np.ones(shape).tolist(),
    "float": lambda shape: 1.0,
    "NoneType": lambda shape: None,
}
odd = pytest.mark.parametrize("name, make_odd", ODD.items(), ids=ODD)


@odd
@every_layer
def test_forward_takes_floating_arrays_only(make, shape, name, make_odd):
    layer, x = used(make, shape), make_odd(shape)
    with refused(repr(layer), "x is", name, "want a NumPy array of floats", unchanged=[layer, x]):
        layer.forward(x)


@odd
@every_layer
def test_backward_takes_floating_arrays_only(make, shape, name, make_odd):
    layer = used(make, shape)
    delta = make_odd(layer.output_shape(shape))
    with refused(repr(layer), "delta is", name, "want a NumPy array of floats", unchanged=[layer, delta]):
        layer.backward(delta)


@odd
@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), SquaredError()])
def test_losses_take_floating_arrays_only(loss, name, make_odd):
    t = np.array([0, 1, 1]) if isinstance(loss, SoftmaxCrossEntropy) else np.ones((2, 3))
    loss.forward(numbers((2, 3)), t)
    outputs = make_odd((2, 3))
    with refused(repr(loss), "is", name, "want a NumPy array of floats", unchanged=[loss, outputs, t]):
        loss.forward(outputs, t)


# ---- shapes -----------------------------------------------------------------------------------------

WRONG_SHAPES = [
    ("Dense", [(4,), (3, 5), (5, 4), (4, 0), (4, 1, 5), ()]),
    ("Conv1d", [(2, 6), (3, 6, 5), (1, 6, 5), (2, 0, 5), (2, 6, 0), (2, 6, 5, 1)]),
    (
        "Conv2d",
        [(2, 5, 6), (3, 5, 6, 5), (2, 2, 6, 5), (2, 5, 1, 5), (2, 5, 6, 0), (2, 5, 6, 5, 1), (2, 0, 0, 5)],
    ),
    ("Conv2d, padded", [(5, 5, 6, 2), (2, 0, 6, 5)]),
    ("MaxPool1d", [(2, 1, 5), (2, 6), (2, 6, 5, 1), (0, 6, 5)]),
    ("MaxPool2d", [(2, 2, 6, 5), (2, 5, 1, 5), (2, 5, 6), (0, 5, 6, 5), (2, 5, 6, 0)]),
    ("AvgPool1d", [(2, 0, 5), (6, 5), (2, 6, 5, 1)]),
    ("AvgPool2d", [(2, 2, 6, 5), (2, 5, 1, 5), (5, 6, 5), (2, 5, 6, 0)]),
    ("Flatten", [(), (5,), (2, 3, 4, 5, 6), (2, 0, 4, 5), (2, 3, 4, 0)]),
    ("Sigmoid", [(), (0,), (3, 0), (0, 5)]),
    ("Tanh", [(), (3, 0)]),
    ("ReLU", [(), (3, 0)]),
]


@pytest.mark.parametrize("name, wrong", [(name, shape) for name, shapes in WRONG_SHAPES for shape in shapes])
def test_input_of_the_wrong_shape_is_refused_by_name(name, wrong):
    make, shape = LAYERS[name]
    layer, x = used(make, shape), np.ones(wrong)
    for call in (lambda: layer.forward(x), lambda: layer.output_shape(wrong)):
        with refused(repr(layer), f"got shape {wrong}", unchanged=[layer, x]):
            call()


@pytest.mark.parametrize(
    "layer, wrong, wanted",
    [
        (Dense(4, 3), (3, 5), "want (4, N)"),
        (Conv1d(2, 3, 4), (3, 5, 6), "want (2, L, N)"),
        (Conv2d(2, 3, 4), (3, 5, 6, 7), "want (2, H, W, N)"),
        (Conv2d(2, 3, (4, 5), padding=(0, 1)), (2, 6, 2, 7), "padded to [6, 4], smaller than the kernel"),
        (MaxPool1d(4), (2, 3, 7), "padded to [3], smaller than the kernel"),
        (MaxPool2d(4), (2, 3), "want (C, H, W, N)"),
        (AvgPool1d(4), (2, 3), "want (C, L, N)"),
        (Flatten(), (5,), "want (C, N)"),
        (ReLU(), (2, 0), "want (D, N)"),
    ],
)
def test_error_says_which_shape_was_wanted(layer, wrong, wanted):
    with refused(repr(layer), str(wrong), wanted, unchanged=[layer]):
        layer.output_shape(wrong)


@every_layer
def test_delta_of_the_wrong_shape_is_refused(make, shape):
    layer = used(make, shape)
    right = layer.output_shape(shape)
    for wrong in [
        (*right[:-1], right[-1] + 1),
        right[:-1],
        (right[0] + 1, *right[1:]),
        (*right, 1),
        (),
        right[::-1],
    ]:
        delta = np.ones(wrong)
        with refused(repr(layer), f"delta of shape {wrong}", f"want {right}", unchanged=[layer, delta]):
            layer.backward(delta)


@every_layer
def test_backward_before_forward_is_refused(make, shape):
    layer = make()
    delta = np.ones(layer.output_shape(shape))
    with refused(repr(layer), "before any forward", error=RuntimeError, unchanged=[layer, delta]):
        layer.backward(delta)


@every_layer
def test_refused_input_leaves_the_forward_pass_before_it_in_force(make, shape):
    layer = used(make, shape)
    delta = numbers(layer.output_shape(shape), 2)
    dx = layer.backward(delta)
    with refused():
        layer.forward(np.ones((1, 1, 1, 1, 1, 1)) if shape != (3, 5) else np.ones((3, 0)))
    np.testing.assert_array_equal(layer.backward(delta), dx)


def test_layer_that_defines_nothing_says_so():
    for call, name in [
        (Layer().forward, "forward"),
        (Layer().backward, "backward"),
        (Layer().output_shape, "output_shape"),
    ]:
        with refused("Layer", name, error=NotImplementedError):
            call(np.ones(1))


# ---- how a layer is made ----------------------------------------------------------------------------

NOT_WHOLE = [0, -1, 1.0, 2.5, True, np.True_, "2", None, [2], np.array([2]), np.float64(2), 1j]


@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
@pytest.mark.parametrize(
    "make, name",
    [
        (lambda v: Dense(v, 2), "in_features"),
        (lambda v: Dense(2, v), "out_features"),
        (lambda v: Conv1d(v, 2, 3), "in_channels"),
        (lambda v: Conv2d(v, 2, 3), "in_channels"),
        (lambda v: Conv2d(2, v, 3), "out_channels"),
        (lambda v: Conv2d(2, 2, (3, v)), "kernel_size"),
        (lambda v: Conv1d(2, 2, (v,)), "kernel_size"),
        (lambda v: Conv2d(2, 2, 3, stride=(v, 1)), "stride"),
        (lambda v: MaxPool2d((2, v)), "kernel_size"),
        (lambda v: MaxPool1d(2, stride=(v,)), "stride"),
        (lambda v: AvgPool2d(2, stride=(1, v)), "stride"),
        (lambda v: AvgPool1d((v,)), "kernel_size"),
    ],
)
def test_sizes_are_whole_numbers_of_at_least_one(make, name, value):
    with refused(name, repr(value), "want a whole number, at least 1"):
        make(value)


@pytest.mark.parametrize("value", [-1, 1.0, True, np.False_, "0", None, np.float64(0)], ids=repr)
@pytest.mark.parametrize("cls", [Conv1d, Conv2d, MaxPool1d, MaxPool2d, AvgPool1d, AvgPool2d])
def test_padding_is_a_whole_number_of_at_least_zero(cls, value):
    channels = (2, 2) if "Conv" in cls.__name__ else ()
    with refused(cls.__name__, "padding", repr(value), "want a whole number, at least 0"):
        cls(*channels, 3, padding=value)


@pytest.mark.parametrize("name", ["kernel_size", "stride", "padding"])
def test_sizes_have_one_number_for_each_axis(name):
    for cls, wrong in [(Conv2d, (1,)), (Conv2d, (1, 1, 1)), (Conv2d, ()), (Conv1d, (1, 1)), (Conv1d, [])]:
        with refused(cls.__name__, name, repr(wrong)):
            cls(2, 2, **{"kernel_size": 3, name: wrong})
    for cls, wrong in [(MaxPool2d, (1,)), (AvgPool2d, [1, 1, 1]), (MaxPool1d, (1, 1)), (AvgPool1d, ())]:
        with refused(cls.__name__, name, repr(wrong)):
            cls(**{"kernel_size": 3, name: wrong})


@pytest.mark.parametrize("cls", [MaxPool1d, MaxPool2d, AvgPool1d, AvgPool2d])
@pytest.mark.parametrize("kernel, padding", [(2, 2), (3, 2), (1, 1), (5, 3)])
def test_padding_of_a_pool_is_at_most_half_its_kernel(cls, kernel, padding):
    with refused(cls.__name__, f"padding={padding}", "at most half the kernel"):
        cls(kernel, padding=padding)
    assert cls(2 * padding, padding=padding).padding[-1] == padding


def test_padding_of_a_pool_is_compared_axis_by_axis():
    for cls in (MaxPool2d, AvgPool2d):
        cls((2, 4), padding=(1, 2))
        for wrong in [(2, 1), (0, 3)]:
            with refused(cls.__name__, "at most half the kernel"):
                cls((2, 4), padding=wrong)


@pytest.mark.parametrize(
    "init", ["He", "", "uniform", -0.1, np.nan, np.inf, True, np.True_, None, [0.1], 1j, b"he"], ids=repr
)
@pytest.mark.parametrize("make", [lambda i: Dense(2, 3, init=i), lambda i: Conv2d(2, 3, 2, init=i)])
def test_initialisation_is_a_known_name_or_a_standard_deviation(make, init):
    with refused("init is", repr(init), '"he", "xavier" or a standard deviation'):
        make(init)


def test_refused_layer_takes_nothing_from_the_generator():
    rng = np.random.default_rng(0)
    for make in (
        lambda: Dense(2, 0, rng=rng),
        lambda: Dense(2, 3, init="uniform", rng=rng),
        lambda: Conv2d(2, 3, 2, stride=0, rng=rng),
        lambda: Conv1d(2, 3, 2, init=-1, rng=rng),
    ):
        with refused(unchanged=[rng]):
            make()


# ---- losses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [SoftmaxCrossEntropy, SquaredError])
@pytest.mark.parametrize("reduction", ["none", "Mean", "", None, 1, True, ["mean"]])
def test_reduction_is_mean_or_sum(cls, reduction):
    with refused(cls.__name__, repr(reduction), '"mean" or "sum"'):
        cls(reduction)


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), SquaredError()])
def test_backward_of_a_loss_before_forward_is_refused(loss):
    with refused(repr(loss), "before any forward", error=RuntimeError, unchanged=[loss]):
        loss.backward()


GOOD_LABELS = np.array([0, 2, 1, 2])
BAD_LABELS = {
    "too large": (np.array([0, 1, 2, 3]), ("0 to 3", "want 0 to 2")),
    "negative": (np.array([0, 1, 2, -1]), ("-1 to 2", "want 0 to 2")),
    "floats": (np.array([0.0, 1, 2, 0]), ("float64", "integers")),
    "truth values": (np.array([True, False, True, True]), ("bool", "integers")),
    "objects": (np.array([0, 1, 2, 0], object), ("object", "integers")),
    "texts": (np.array(["0", "1", "2", "0"]), ("<U1", "integers")),
    "one too few": (np.array([0, 1, 2]), ("(3,)", "want (4,)")),
    "one too many": (np.array([0, 1, 2, 0, 1]), ("(5,)", "want (4,)")),
    "in a row": (np.array([[0, 1, 2, 0]]), ("(1, 4)", "want (4,)")),
    "one-hot": (np.eye(3, 4, dtype=int), ("(3, 4)", "want (4,)")),
    "a number": (np.array(1), ("()", "want (4,)")),
    "nothing": (np.array([], int), ("(0,)", "want (4,)")),
}
bad_labels = pytest.mark.parametrize("labels, words", BAD_LABELS.values(), ids=BAD_LABELS)


def used_loss(cls=SoftmaxCrossEntropy):
    loss = cls()
    loss.forward(numbers((3, 4)), GOOD_LABELS if cls is SoftmaxCrossEntropy else numbers((3, 4), 1))
    return loss


@bad_labels
def test_labels_are_n_integers_in_range(labels, words):
    loss, scores = used_loss(), numbers((3, 4), 1)
    with refused(repr(loss), *words, unchanged=[loss, scores, labels]):
        loss.forward(scores, labels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_are_finite(value):
    loss, scores = used_loss(), numbers((3, 4), 1)
    scores[2, 3] = value
    with refused(repr(loss), "not finite", unchanged=[loss, scores]):
        loss.forward(scores, GOOD_LABELS)


@pytest.mark.parametrize("shape", [(), (4,), (3, 0), (0, 4), (1, 3, 4)])
def test_scores_are_a_matrix_of_at_least_one_class_and_example(shape):
    loss, scores = used_loss(), np.ones(shape)
    with refused(repr(loss), str(shape), "want (K, N)", unchanged=[loss, scores]):
        loss.forward(scores, np.zeros(shape[-1:], int))


@pytest.mark.parametrize(
    "targets, words",
    [
        (np.ones(4), ("(4,)", "want (3, 4)")),
        (np.ones((4, 3)), ("(4, 3)", "want (3, 4)")),
        (np.ones((3, 1)), ("(3, 1)", "want (3, 4)")),
        (np.array(1.0), ("()", "want (3, 4)")),
        (np.ones((3, 4), bool), ("bool", "numbers")),
        (np.ones((3, 4), complex), ("complex128", "numbers")),
        (np.full((3, 4), 1.0, object), ("object", "numbers")),
        (np.full((3, 4), "1"), ("<U1", "numbers")),
    ],
)
def test_targets_are_real_numbers_in_the_shape_of_the_outputs(targets, words):
    loss, outputs = used_loss(SquaredError), numbers((3, 4), 1)
    with refused(repr(loss), *words, unchanged=[loss, outputs, targets]):
        loss.forward(outputs, targets)


@pytest.mark.parametrize("shape", [(), (3, 0), (0, 4)])
def test_squared_error_wants_at_least_one_number_and_example(shape):
    loss, outputs = used_loss(SquaredError), np.ones(shape)
    with refused(repr(loss), str(shape), unchanged=[loss, outputs]):
        loss.forward(outputs, np.ones(shape))


# ---- networks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [3, None, "ReLU()", ReLU, [ReLU()], SoftmaxCrossEntropy(), Sequential(ReLU())], ids=repr
)
def test_network_is_made_of_layers(bad):
    with refused("Sequential", "layer 1", repr(bad), "want a Layer"):
        Sequential(Dense(2, 2), bad)


def test_network_has_layers_and_none_of_them_twice():
    layer = Dense(2, 2)
    with refused("Sequential", "at least one"):
        Sequential()
    with refused("Sequential", "stands there twice"):
        Sequential(layer, ReLU(), layer)


def test_misfit_inside_a_network_is_found_before_anything_is_computed():
    net = Sequential(Conv2d(2, 3, 2, rng=0), ReLU(), Flatten(), Dense(4, 2, rng=1))
    x = numbers((2, 3, 4, 5), 1)
    for call in (lambda: net.forward(x), lambda: net.output_shape(x.shape)):
        with refused("layer 3", "Dense(4, 2)", "(18, 5)", "(4, N)", unchanged=[net, x]):
            call()
    assert all(layer.saved is None for layer in net.layers)


def lenet():
    return used(small_lenet, (2, 9, 10, 3))


@pytest.mark.parametrize(
    "shape, words",
    [
        ((2, 9, 10), ("layer 0", "Conv2d(2, 3", "(2, 9, 10)", "(2, H, W, N)")),
        ((3, 9, 10, 3), ("layer 0", "(3, 9, 10, 3)")),
        ((2, 14, 16, 3), ("layer 7", "Dense(8, 5)", "(40, 3)", "(8, N)")),
        ((2, 5, 5, 3), ("layer 3", "Conv2d(3, 4", "(3, 1, 1, 3)", "smaller than the kernel")),
        ((2, 9, 10, 0), ("layer 0", "(2, 9, 10, 0)")),
    ],
)
def test_network_refuses_the_wrong_shape_and_names_the_layer(shape, words):
    net, x = lenet(), np.ones(shape)
    with refused(*words, unchanged=[net, x]):
        net.forward(x)


@odd
def test_network_takes_floating_arrays_only(name, make_odd):
    net, x, delta = lenet(), make_odd((2, 9, 10, 3)), make_odd((4, 3))
    with refused("Sequential", "x is", name, unchanged=[net, x]):
        net.forward(x)
    with refused("Dense(5, 4)", "delta is", name, unchanged=[net, delta]):
        net.backward(delta)


@pytest.mark.parametrize("input_gradient", [True, False])
def test_network_refuses_backward_before_forward_and_the_wrong_delta(input_gradient):
    net, delta = small_lenet(), np.ones((4, 3))
    with refused("Dense(5, 4)", "before any forward", error=RuntimeError, unchanged=[net, delta]):
        net.backward(delta, input_gradient)
    net = lenet()
    for wrong in [(4, 2), (3, 3), (4,)]:
        delta = np.ones(wrong)
        with refused("Dense(5, 4)", str(wrong), "(4, 3)", unchanged=[net, delta]):
            net.backward(delta, input_gradient)


@pytest.mark.parametrize(
    "dtype, error",
    [
        (int, ValueError),
        (bool, ValueError),
        (complex, ValueError),
        (object, ValueError),
        ("letters", TypeError),
    ],
)
def test_network_is_of_floats(dtype, error):
    net = lenet()
    with refused(error=error, unchanged=[net]):
        net.astype(dtype)


# ---- SGD --------------------------------------------------------------------------------------------

BAD_RATES = [-0.1, np.nan, np.inf, -np.inf, True, np.True_, "0.1", None, [0.1], np.array([0.1]), 1j]


@pytest.mark.parametrize("value", BAD_RATES, ids=repr)
@pytest.mark.parametrize("name", ["lr", "momentum", "weight_decay"])
def test_sgd_refuses_what_is_no_rate(name, value):
    net = lenet()
    with refused("SGD", name, repr(value), "want a number from 0", unchanged=[net]):
        SGD(net, **{"lr": 0.1, name: value})


@pytest.mark.parametrize("momentum", [1, 1.0, 1.5])
def test_sgd_refuses_momentum_of_one_or_more(momentum):
    with refused("SGD", "momentum", repr(momentum), "below 1"):
        SGD(lenet(), 0.1, momentum=momentum)


# ---- gradient check ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float16, int, bool, object])
def test_numerical_gradient_wants_double_precision(dtype):
    x, calls = np.ones(3, dtype), []
    with refused("numerical_gradient", np.dtype(dtype).name, "float", unchanged=[x]):
        numerical_gradient(lambda x: calls.append(1) or 0.0, x)
    with refused("numerical_gradient", "list"):
        numerical_gradient(lambda x: calls.append(1) or 0.0, [1.0])
    assert calls == []


@pytest.mark.parametrize("eps", [0, -1e-6, np.nan, np.inf, "1e-6", None, [1e-6]], ids=repr)
def test_numerical_gradient_wants_a_positive_step(eps):
    x = np.ones(3)
    with refused("numerical_gradient", "eps", repr(eps), "positive", unchanged=[x]):
        numerical_gradient(lambda x: 0.0, x, eps)


@pytest.mark.parametrize("tol", [0, -1e-7, np.nan, np.inf], ids=repr)
def test_check_wants_a_positive_tolerance(tol):
    layer, x = used(lambda: Dense(3, 2, rng=0), (3, 4)), numbers((3, 4), 1)
    with refused("tol", repr(tol), unchanged=[layer.params, x]):
        check_gradients(layer, x, tol=tol)


def test_check_wants_double_precision_of_input_and_parameters():
    x = numbers((3, 4), 1)
    net = Sequential(Dense(3, 2, rng=0))
    with refused("float32", "float64", unchanged=[net.layers[0].params]):
        check_gradients(net, x.astype(np.float32))
    net.astype(np.float32)
    with refused("float32", "float64", unchanged=[net.layers[0].params, x]):
        check_gradients(net, x)


def test_check_refuses_a_delta_of_the_wrong_shape():
    layer, x, delta = used(lambda: Dense(3, 2, rng=0), (3, 4)), numbers((3, 4), 1), np.ones((2, 3))
    with refused("Dense(3, 2)", "(2, 3)", "(2, 4)", unchanged=[layer.params, layer.grads, x, delta]):
        check_gradients(layer, x, delta)


class Misshapen(Dense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.grads["W"] = self.grads["W"].T
        return dx


def test_check_refuses_a_gradient_that_has_not_the_shape_of_its_array():
    layer, x = Misshapen(3, 2, rng=0), numbers((3, 4), 1)
    with refused("gradient W", "(3, 2)", "(2, 3)", unchanged=[layer.params, x]):
        check_gradients(layer, x)


# ---- training ---------------------------------------------------------------------------------------


def prepared():
    """Everything fit needs, in a state worth keeping: momentum, gradients, a generator that has been used."""
    net = Sequential(Dense(2, 5, rng=0), Tanh(), Dense(5, 3, rng=1))
    loss, rng = SoftmaxCrossEntropy(), np.random.default_rng(0)
    optimizer = SGD(net, 0.1, momentum=0.9)
    x, t = numbers((2, 10), 1), np.arange(10) % 3
    training.fit(net, loss, optimizer, x, t, epochs=1, batch_size=4, rng=rng)
    return dict(network=net, loss=loss, optimizer=optimizer, x=x, t=t, epochs=2, batch_size=4, rng=rng)


def replaced(array, index, value):
    array = array.copy()
    array[index] = value
    return array


BAD_FITS = {
    "batch_size": [0, -1, 2.0, True, None, "4"],
    "epochs": [-1, 1.0, True, None, "2"],
    "t": [
        np.array([0] * 9 + [3]),
        np.array([0] * 9 + [-1]),
        np.zeros(10),
        np.zeros(9, int),
        np.zeros((10, 1), int),
        np.zeros(10, bool),
        np.array(0),
    ],
    "x": [
        np.ones((3, 10)),
        np.ones((2, 2, 10)),
        np.ones((2, 0)),
        np.ones(10),
        np.ones((2, 10), int),
        np.ones((2, 10), object),
        np.ones((2, 10)).tolist(),
        None,
    ],
}


@pytest.mark.parametrize("name, bad", [(name, bad) for name, values in BAD_FITS.items() for bad in values])
def test_fit_refuses_bad_arguments_before_the_first_step(name, bad):
    everything = prepared()
    with refused(unchanged=[everything, bad]):
        training.fit(**everything | {name: bad})


def test_fit_says_what_it_wanted():
    everything = prepared()
    for change, words in [
        ({"batch_size": 0}, ("fit", "batch_size", "0", "at least 1")),
        ({"epochs": -1}, ("fit", "epochs", "-1", "at least 0")),
        ({"t": np.array([0] * 9 + [3])}, ("SoftmaxCrossEntropy", "0 to 3", "want 0 to 2")),
        ({"x": np.ones((3, 10))}, ("layer 0", "Dense(2, 5)", "(3, 10)", "(2, N)")),
    ]:
        with refused(*words, unchanged=[everything]):
            training.fit(**everything | change)


@pytest.mark.parametrize("rng", ["seed", -1, 1.5])
def test_fit_refuses_what_is_no_seed_before_the_first_step(rng):
    everything = prepared()
    with refused(error=(TypeError, ValueError), unchanged=[everything]):
        training.fit(**everything | {"rng": rng})


def test_fit_with_real_targets_refuses_the_wrong_shape_before_the_first_step():
    everything = prepared() | {"loss": SquaredError()}
    for t in (np.ones((2, 10)), np.ones((3, 9)), np.ones(10), np.ones((3, 10), complex)):
        with refused("SquaredError", str(t.shape), "(3, 10)", unchanged=[everything]):
            training.fit(**everything | {"t": t})


def test_fit_stops_at_the_first_scores_that_are_not_finite():
    everything = prepared()
    everything["x"][:, :] = np.nan
    parameters = [layer.params for layer in everything["network"].layers]
    with refused("not finite", unchanged=[parameters, everything["optimizer"].velocity]):
        training.fit(**everything)


@pytest.mark.parametrize(
    "t",
    [
        np.zeros(9, int),
        np.zeros(11, int),
        np.zeros(1, int),
        np.zeros((10, 1), int),
        np.zeros((1, 10), int),
        np.zeros(10),
        np.array(0),
        np.zeros(10, bool),
    ],
    ids=lambda t: f"{t.dtype}{t.shape}",
)
def test_accuracy_refuses_labels_that_are_not_n_integers(t):
    net = prepared()["network"]
    with refused(unchanged=[net.layers[0].params, t]):
        training.accuracy(net, numbers((2, 10)), t)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_accuracy_refuses_a_bad_batch_size(batch_size):
    with refused("batch_size", repr(batch_size)):
        training.accuracy(prepared()["network"], numbers((2, 10)), np.zeros(10, int), batch_size=batch_size)


@pytest.mark.parametrize(
    "x", [np.ones((3, 10)), np.ones((2, 10), int), np.ones((2, 10)).tolist()], ids=lambda x: str(np.shape(x))
)
def test_accuracy_refuses_what_the_network_refuses(x):
    with refused():
        training.accuracy(prepared()["network"], x, np.zeros(10, int))


# ---- the proof itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda e: e["network"].layers[0].params["W"].__setitem__((0, 0), 7),
        lambda e: e["network"].layers[0].params.update(W=e["network"].layers[0].params["W"].copy()),
        lambda e: e["network"].layers[2].grads["b"].__imul__(-1),
        lambda e: e["network"].layers[1].saved[1][0].__imul__(2),
        lambda e: setattr(e["network"].layers[1], "saved", None),
        lambda e: e["optimizer"].velocity[1].__iadd__(1e-300),
        lambda e: e["loss"].probabilities.__imul__(1 + 1e-15),
        lambda e: e["rng"].random(),
        lambda e: e["x"].__imul__(-1),
        lambda e: e["t"].__setitem__(9, 0 if e["t"][9] else 1),
    ],
)
def test_any_change_would_be_noticed(damage):
    everything = prepared()
    everything["optimizer"].velocity[1][...] = 0
    with pytest.raises(AssertionError):
        with untouched(everything):
            damage(everything)
