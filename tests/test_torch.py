"""Against PyTorch: an engine that others wrote, with the same conventions. Examples go first there."""

import json

import numpy as np
import pytest
from helpers import CONVS, Sliding, numbers, repeatable, sliding, small_lenet, whole_numbers
from hypothesis import given

from cnnlib import (
    SGD,
    AvgPool2d,
    Conv2d,
    Dense,
    Flatten,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    convert,
)


@pytest.fixture(scope="module", autouse=True)
def pytorch():
    """`torch` and `F`, imported here: each process of the tests reads this file, and one runs it."""
    global torch, F
    torch = pytest.importorskip("torch", reason="PyTorch, which judges here, is not installed")
    torch.set_num_threads(1)
    F = torch.nn.functional


LABELS = np.array([3, 0, 1])


def to_torch(array, examples_last=True):
    """A leaf tensor of its own, examples first."""
    array = np.moveaxis(array, -1, 0) if examples_last else array
    return torch.tensor(np.ascontiguousarray(array), requires_grad=array.dtype.kind == "f")


def from_torch(tensor, examples_first=True):
    array = tensor.detach().numpy()
    return np.moveaxis(array, 0, -1) if examples_first else array


def agree(got, wanted, tolerance=1e-12):
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def layer_agrees(layer, function, x, tolerance=1e-12):
    """forward, dx and every gradient of a layer against function(x, *parameters) and torch's own backward."""
    delta = numbers(layer.output_shape(x.shape), 9, x.dtype)
    tensors = [to_torch(x), *(to_torch(value, False) for value in layer.params.values())]
    y = function(*tensors)
    y.backward(to_torch(delta).detach())
    agree(layer.forward(x), from_torch(y), tolerance)
    agree(layer.backward(delta), from_torch(tensors[0].grad), tolerance)
    for key, tensor in zip(layer.params, tensors[1:], strict=True):
        agree(layer.grads[key], from_torch(tensor.grad, False), tolerance)


# ---- layers -----------------------------------------------------------------------------------------


def function_of(case):
    """torch's function for a layer with windows."""
    axes, sizes = len(case.kernel), {"stride": case.stride, "padding": case.padding}
    if case.learns:
        conv = getattr(F, f"conv{axes}d")
        return lambda x, W, b=None: conv(x, W, b, **sizes)
    pool = getattr(F, f"{'max' if case.name.startswith('Max') else 'avg'}_pool{axes}d")
    return lambda x: pool(x, case.kernel, **sizes)


@given(sliding())
@repeatable
def test_any_windows_agree_with_torch(case):
    layer = case.layer()
    layer_agrees(layer, function_of(case), numbers(case.x_shape, 1))


@given(sliding(CONVS))
@repeatable
def test_torchs_transposed_convolution_of_delta_is_our_dx(case):
    layer, x = case.layer(), numbers(case.x_shape, 1)
    layer.forward(x)
    delta = numbers(layer.output_shape(x.shape), 9)
    rows_left = zip(case.size, case.kernel, case.stride, case.padding)
    left = [(size + 2 * pad - kernel) % stride for size, kernel, stride, pad in rows_left]
    transposed = getattr(F, f"conv_transpose{len(case.kernel)}d")
    sizes = {"stride": case.stride, "padding": case.padding, "output_padding": left}
    found = transposed(to_torch(delta), to_torch(layer.params["W"], False), **sizes)
    agree(layer.backward(delta), from_torch(found))


@pytest.mark.parametrize("name", ["Conv2d", "MaxPool2d", "AvgPool2d"])
def test_windows_in_single_precision_agree_with_torch(name):
    case = Sliding(name, (9, 8), (3, 2), (2, 1), (1, 1), (3, 4), 5)
    layer_agrees(case.layer(np.float32), function_of(case), numbers(case.x_shape, 1, np.float32), 1e-5)


def test_layers_without_bias_agree_with_torch():
    layer_agrees(Conv2d(2, 3, (3, 2), bias=False, rng=0), F.conv2d, numbers((2, 6, 5, 4), 1))
    layer_agrees(Dense(4, 3, bias=False, rng=0), F.linear, numbers((4, 5), 1))


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_dense_agrees_with_torch(dtype, tolerance):
    layer = Sequential(Dense(4, 3, rng=0)).astype(dtype).layers[0]
    layer.params["b"][:] = [1, -2, 3]
    layer_agrees(layer, F.linear, numbers((4, 5), 1, dtype), tolerance)


@pytest.mark.parametrize("layer, function", [(Sigmoid(), "sigmoid"), (Tanh(), "tanh"), (ReLU(), "relu")])
@pytest.mark.parametrize("shape", [(6, 4), (2, 5, 3), (2, 3, 4, 5)])
def test_activations_agree_with_torch(layer, function, shape):
    x = 4 * numbers(shape, 1)
    x.flat[:2] = 0.0, -0.0
    layer_agrees(layer, getattr(torch, function), x)


def test_torch_takes_slope_0_at_zero_in_relu_and_1_in_clamp():
    """What the chapter on the gradient check says of the same function by two names."""
    for function, slope in [(F.relu, 0.0), (lambda x: x.clamp(min=0), 1.0)]:
        x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        function(x).sum().backward()
        assert x.grad.tolist() == [slope] * 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_at_the_extremes_agree_with_torch(dtype):
    x = np.array([[-np.inf, -1e4, -50, -0.0, 0.0, 50, 1e4, np.inf]], dtype)
    for layer, function in [(Sigmoid(), torch.sigmoid), (Tanh(), torch.tanh), (ReLU(), F.relu)]:
        layer_agrees(layer, function, x, np.finfo(dtype).eps * 8)
        assert np.isnan(layer.forward(x * np.nan)).all() and function(to_torch(x * np.nan)).isnan().all()


def test_flatten_agrees_with_torch():
    layer_agrees(Flatten(), lambda x: x.flatten(1), numbers((2, 3, 4, 5), 1))


@pytest.mark.parametrize("sizes", [{}, {"stride": 1}, {"stride": (1, 2), "padding": 1}])
def test_max_pool_ties_go_where_torch_sends_them(sizes):
    x = whole_numbers((3, 7, 8, 4), 1, largest=1)
    layer_agrees(MaxPool2d((3, 2), **sizes), lambda x: F.max_pool2d(x, (3, 2), **sizes), x)
    zeros = np.zeros((1, 4, 5, 2))
    layer_agrees(MaxPool2d((3, 2), **sizes), lambda x: F.max_pool2d(x, (3, 2), **sizes), zeros)


def test_max_pool_passes_nan_on_as_torch_does():
    x = numbers((2, 6, 6, 3), 1)
    x[0, 2, 3, 0] = x[1, 0, 0, 2] = np.nan
    for sizes in ({}, {"stride": 1, "padding": 1}):
        agree(MaxPool2d(3, **sizes).forward(x), from_torch(F.max_pool2d(to_torch(x), 3, **sizes)))


# ---- losses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("size", [1, 100, 1e4])
def test_cross_entropy_agrees_with_torch(reduction, size):
    loss, scores = SoftmaxCrossEntropy(reduction), size * numbers((4, 3), 1)
    tensor = to_torch(scores)
    wanted = F.cross_entropy(tensor, torch.tensor(LABELS), reduction=reduction)
    wanted.backward()
    assert loss.forward(scores, LABELS) == pytest.approx(wanted.item(), rel=1e-14)
    agree(loss.backward(), from_torch(tensor.grad), 1e-15)
    agree(loss.probabilities, from_torch(tensor.softmax(dim=1)), 1e-14)


@pytest.mark.parametrize("reduction, share", [("mean", 1 / 2 / 3), ("sum", 1 / 2)])
def test_squared_error_is_half_of_torchs_sum_over_the_examples(reduction, share):
    loss, outputs, targets = SquaredError(reduction), numbers((4, 3), 1), numbers((4, 3), 2)
    tensor = to_torch(outputs)
    wanted = F.mse_loss(tensor, to_torch(targets).detach(), reduction="sum") * share
    wanted.backward()
    assert loss.forward(outputs, targets) == pytest.approx(wanted.item(), rel=1e-14)
    agree(loss.backward(), from_torch(tensor.grad), 1e-15)


# ---- whole networks ---------------------------------------------------------------------------------


def twin(net):
    """The same network in torch, with the same numbers."""
    modules = []
    for layer in net.layers:
        if isinstance(layer, Conv2d):
            modules.append(torch.nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel))
        elif isinstance(layer, Dense):
            modules.append(torch.nn.Linear(layer.in_features, layer.out_features))
        elif isinstance(layer, MaxPool2d | AvgPool2d):
            modules.append(getattr(torch.nn, type(layer).__name__)(layer.kernel))
        else:
            modules.append(getattr(torch.nn, type(layer).__name__)())
    model = torch.nn.Sequential(*modules).to(torch.float64)
    with torch.no_grad():
        for tensor, (layer, key) in zip(model.parameters(), net.parameters(), strict=True):
            tensor.copy_(torch.tensor(layer.params[key]))
    return model


@pytest.mark.parametrize("activation, pool", [(ReLU, MaxPool2d), (Sigmoid, AvgPool2d), (Tanh, MaxPool2d)])
def test_network_like_lenet_agrees_with_torch(activation, pool):
    net, x, loss = small_lenet(activation, pool), numbers((2, 9, 10, 3), 1), SoftmaxCrossEntropy()
    model, tensor = twin(net), to_torch(x)
    wanted = F.cross_entropy(model(tensor), torch.tensor(LABELS))
    wanted.backward()
    assert loss.forward(net.forward(x), LABELS) == pytest.approx(wanted.item(), rel=1e-13)
    agree(net.backward(loss.backward()), from_torch(tensor.grad))
    for (layer, key), parameter in zip(net.parameters(), model.parameters(), strict=True):
        agree(layer.grads[key], from_torch(parameter.grad, False))


@pytest.mark.parametrize("momentum, decay", [(0.0, 0.0), (0.9, 0.0), (0.0, 0.1), (0.9, 0.1)])
def test_steps_of_sgd_agree_with_torch_when_only_weights_decay(momentum, decay):
    net, loss = small_lenet(), SoftmaxCrossEntropy()
    model = twin(net)
    weights = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]
    ours = SGD(net, 0.05, momentum=momentum, weight_decay=decay)
    theirs = torch.optim.SGD(groups, lr=0.05, momentum=momentum)
    for seed in range(4):
        x = numbers((2, 9, 10, 3), seed)
        J = loss.forward(net.forward(x), LABELS)
        net.backward(loss.backward(), input_gradient=False)
        ours.step()
        theirs.zero_grad()
        wanted = F.cross_entropy(model(to_torch(x).detach()), torch.tensor(LABELS))
        wanted.backward()
        theirs.step()
        assert J == pytest.approx(wanted.item(), rel=1e-11)
        for (layer, key), parameter in zip(net.parameters(), model.parameters(), strict=True):
            agree(layer.params[key], from_torch(parameter, False), 1e-11)


# ---- what the chapter on PyTorch stores -------------------------------------------------------------


def differences(stored, found, at=""):
    """The places where two results of the script differ, numbers by more than 1e-12 of their size or 1e-14."""
    if isinstance(stored, dict) and isinstance(found, dict):
        keys = {*stored, *found}
        return [
            d for key in sorted(keys) for d in differences(stored.get(key), found.get(key), f"{at}/{key}")
        ]
    if isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        return [d for k, pair in enumerate(zip(stored, found)) for d in differences(*pair, f"{at}/{k}")]
    if isinstance(stored, float) and isinstance(found, float):
        return (
            [] if found == pytest.approx(stored, rel=1e-12, abs=1e-14) else [f"{at}: {stored}, now {found}"]
        )
    return [] if stored == found and type(stored) is type(found) else [f"{at}: {stored!r}, now {found!r}"]


def test_what_the_chapter_compares_with_is_what_pytorch_says():
    """The very programs that the chapter prints, run again."""
    import measure_torch

    stored = json.loads(measure_torch.RESULTS.read_text(encoding="utf-8"))
    found = json.loads(json.dumps(measure_torch.measure()))
    stored.pop("torch"), found.pop("torch")  # another version must say the same
    assert differences(stored, found) == []


def test_a_stored_number_that_is_not_pytorchs_is_seen():
    import measure_torch

    stored = json.loads(measure_torch.RESULTS.read_text(encoding="utf-8"))
    spoilt = json.loads(json.dumps(stored))
    spoilt["lenet"]["parameters"]["7.weight"]["grad"][3] += 1e-12
    spoilt["jacobian"]["dx"][1].pop()
    spoilt["function"]["spoilt"]["stride 2"] = True
    del spoilt["mistakes"]["in place"]
    assert [said.partition(":")[0] for said in differences(stored, spoilt)] == [
        "/function/spoilt/stride 2",
        "/jacobian/dx/1",
        "/lenet/parameters/7.weight/grad/3",
        "/mistakes/in place",
    ]


def test_a_program_is_spoilt_in_one_place_or_not_at_all():
    import measure_torch

    for old in ("no such line", "rows"):
        with pytest.raises(ValueError, match="want it once"):
            measure_torch.program("convolution", old, "x")


def test_converted_data_and_weights_make_the_same_network_in_torch():
    net, x = small_lenet(), numbers((2, 9, 10, 3), 1)
    for layer, key in net.parameters():
        layer.params[key][...] = numbers(layer.params[key].shape, 7)
    model = twin(small_lenet())
    model.load_state_dict({name: torch.from_numpy(value) for name, value in convert.state_dict(net).items()})
    y = model(torch.from_numpy(convert.batch_first(x)))
    agree(net.forward(x), convert.batch_last(y.detach()))
    back = convert.load_state_dict(small_lenet(), model.state_dict())
    agree(back.forward(x), net.forward(x))
