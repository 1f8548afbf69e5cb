"""Data and weights on their way to PyTorch and back: each number arrives where PyTorch looks for it. Here without PyTorch;
tests/test_torch.py asks PyTorch itself."""

import numpy as np
import pytest
from helpers import numbers, small_lenet

from cnnlib import Conv1d, Dense, Flatten, Sequential
from cnnlib.convert import batch_first, batch_last, load_state_dict, state_dict


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 5), (4, 5), (5,)])
def test_the_examples_go_to_the_front_and_each_number_with_them(shape):
    x = numbers(shape, 1)
    moved = batch_first(x)
    assert moved.shape == (*shape[-1:], *shape[:-1]) and moved.flags.c_contiguous and moved.dtype == x.dtype
    for at in np.ndindex(shape):
        assert moved[(at[-1], *at[:-1])] == x[at]
    back = batch_last(moved)
    assert np.array_equal(back, x) and back.flags.c_contiguous
    moved[...] = 0
    assert x.any(), "a copy"


@pytest.mark.parametrize("function", [batch_first, batch_last])
def test_a_single_number_has_no_examples(function):
    with pytest.raises(ValueError, match=f"{function.__name__}: got a single number"):
        function(3.0)


def test_flatten_takes_channels_rows_columns_as_a_reshape_of_nchw_does():
    x = numbers((2, 3, 4, 5), 1)
    assert np.array_equal(batch_first(Flatten().forward(x)), batch_first(x).reshape(5, -1))


def test_a_state_dict_has_pytorchs_names_and_copies():
    net = small_lenet()
    state = state_dict(net)
    assert [*state] == [f"{k}.{name}" for k in (0, 3, 7, 9) for name in ("weight", "bias")]
    for value, (layer, key) in zip(state.values(), net.parameters()):
        assert np.array_equal(value, layer.params[key]) and not np.shares_memory(value, layer.params[key])


@pytest.mark.parametrize("other", [Dense(4, 3), [Dense(4, 3)], None, "net"])
def test_only_a_network_has_a_state_dict(other):
    said = f"got {type(other).__name__}, want a Sequential"
    with pytest.raises(ValueError, match=f"^state_dict: {said}$"):
        state_dict(other)
    with pytest.raises(ValueError, match=f"^load_state_dict: {said}$"):
        load_state_dict(other, {})


def test_a_state_dict_that_is_loaded_makes_the_same_network():
    one, other, x = small_lenet(), small_lenet(), numbers((2, 9, 10, 3), 1)
    for layer, key in one.parameters():
        layer.params[key][...] = numbers(layer.params[key].shape, 7)
    kept = [layer.params for layer in other.layers]
    assert load_state_dict(other, state_dict(one)) is other
    assert np.array_equal(other.forward(x), one.forward(x)) and other.forward(x).any()
    assert all(layer.params is params for layer, params in zip(other.layers, kept))


def test_what_is_loaded_takes_the_dtype_of_the_network_and_wants_a_new_forward():
    net, x = Sequential(Dense(4, 3, rng=0)).astype(np.float32), numbers((4, 5), 1, np.float32)
    y = net.forward(x)
    load_state_dict(net, {"0.weight": np.ones((3, 4)), "0.bias": np.ones(3)})
    assert net.layers[0].params["W"].dtype == np.float32
    with pytest.raises(RuntimeError):
        net.backward(y)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"0.weight": None}, r"got no 0\.weight, want \(3, 2, 4\)"),
        ({"0.weight": np.ones((2, 3, 4))}, r"got 0\.weight \(2, 3, 4\), want \(3, 2, 4\)"),
        ({"1.running_mean": np.ones(3)}, r"got 1\.running_mean, want 0\.weight, 0\.bias"),
        (
            {"module.0.weight": np.ones((3, 2, 4)), "0.weight": None},
            r"got module\.0\.weight, want 0\.weight, 0\.bias",
        ),
        ({"0.bias": np.ones(3, int)}, r"0\.bias is int64, want floats"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_changes(change, said):
    net = Sequential(Conv1d(2, 3, 4, rng=0))
    before = state_dict(net)
    state = {name: value for name, value in (before | change).items() if value is not None}
    state["0.bias"] = state["0.bias"] + (1 if state["0.bias"].dtype.kind == "f" else 0)
    with pytest.raises(ValueError, match=f"load_state_dict: {said}"):
        load_state_dict(net, state)
    assert all(np.array_equal(value, before[name]) for name, value in state_dict(net).items())
