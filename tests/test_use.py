"""What people do with a library beyond its formulas: copy, thread, mix, extend."""

import copy
import pickle

import numpy as np
import pytest

from cnnlib import SGD, Conv2d, Dense, Flatten, Layer, ReLU, Sequential, SoftmaxCrossEntropy, Tanh, training


class Scale(Layer):
    """A layer written as the docstring of Layer says: one learned factor for each feature."""

    def __init__(self, features):
        super().__init__()
        self.learn((features, 1), 1, 1, bias=False, init=1.0, rng=0)

    def output_shape(self, input_shape):
        return self.expect(input_shape, len(self.params["W"]), "N")

    def forward(self, x):
        self.check(x)
        return self.keep(self.params["W"] * x, x)

    def backward(self, delta, input_gradient=True):
        (x,) = self.recall(delta)
        self.grads["W"] = (delta * x).sum(axis=1, keepdims=True)
        return self.params["W"] * delta if input_gradient else None


def blobs(N=12):
    rng = np.random.default_rng(0)
    t = np.arange(N) % 3
    return rng.standard_normal((3, N)) + 3 * np.eye(3)[:, t], t


def test_layer_written_from_the_docstring_can_be_trained():
    x, t = blobs()
    net = Sequential(Scale(3), Dense(3, 3, rng=0))
    before = net.layers[0].params["W"].copy()
    history = training.fit(net, SoftmaxCrossEntropy(), SGD(net, 0.1), x, t, epochs=20, batch_size=4, rng=0)
    assert history["loss"][-1] < history["loss"][0] / 2
    assert not np.array_equal(net.layers[0].params["W"], before)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_hold_the_parameters_and_not_the_last_batch(duplicate):
    net = Sequential(Conv2d(1, 2, 3, rng=0), ReLU(), Flatten(), Dense(8, 3, rng=1))
    x = np.random.default_rng(2).standard_normal((1, 4, 4, 50))
    y = net.forward(x)
    other = duplicate(net)
    with pytest.raises(RuntimeError):
        other.backward(y)
    assert np.array_equal(other.forward(x), y)
    other.layers[0].params["W"][:] = 0
    assert net.layers[0].params["W"].any()
    assert len(pickle.dumps(net)) < 5000


def test_copies_of_a_loss_hold_no_batch():
    loss = SoftmaxCrossEntropy()
    loss.forward(*blobs())
    with pytest.raises(RuntimeError):
        copy.deepcopy(loss).backward()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_loss_of_an_epoch_is_that_of_the_whole_set_where_nothing_moves(reduction):
    x, t = blobs(10)
    net, loss = Sequential(Dense(3, 3, rng=0)), SoftmaxCrossEntropy(reduction)
    history = training.fit(net, loss, SGD(net, 0.0), x, t, epochs=1, batch_size=4, rng=0)
    assert history["loss"][0] == pytest.approx(loss.forward(net.forward(x), t), rel=1e-12)


def test_optimizer_of_another_network_is_refused():
    x, t = blobs()
    net, other = Sequential(Dense(3, 3, rng=0)), Sequential(Dense(3, 3, rng=0))
    before = net.layers[0].params["W"].copy()
    with pytest.raises(ValueError, match="another network"):
        training.fit(net, SoftmaxCrossEntropy(), SGD(other, 0.1), x, t, epochs=1, batch_size=4, rng=0)
    assert np.array_equal(net.layers[0].params["W"], before)


def test_accuracy_of_a_broken_network_is_refused():
    x, t = blobs()
    net = Sequential(Dense(3, 3, rng=0))
    net.layers[0].params["W"][:] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        training.accuracy(net, x, t)


def test_optimizer_wants_a_network_and_not_its_parameters():
    with pytest.raises(ValueError, match="generator.*Sequential"):
        SGD(Sequential(Dense(2, 2)).parameters(), 0.1)


def test_network_that_grew_is_refused_before_any_update():
    net = Sequential(Dense(2, 2, rng=0))
    optimizer = SGD(net, 0.1)
    net.layers.append(Dense(2, 2, rng=1))
    net.forward(np.ones((2, 1)))
    net.backward(np.ones((2, 1)))
    before = [layer.params[key].copy() for layer, key in net.parameters()]
    with pytest.raises(ValueError, match="4 parameters, had 2"):
        optimizer.step()
    after = [layer.params[key] for layer, key in net.parameters()]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_momentum_follows_a_wider_dtype():
    x, t = blobs()
    narrow, wide = (Sequential(Dense(3, 3, rng=0)).astype(dtype) for dtype in ("float32", "float64"))
    wide.layers[0].params["W"][:] = narrow.layers[0].params["W"]
    nets = [(narrow, SGD(narrow, 0.1, momentum=0.9)), (wide, SGD(wide, 0.1, momentum=0.9))]
    narrow.astype("float64")
    for net, optimizer in nets:
        for _ in range(20):
            training.step(net, SoftmaxCrossEntropy(), optimizer, x, t)
    np.testing.assert_allclose(narrow.layers[0].params["W"], wide.layers[0].params["W"], rtol=1e-12)


def test_backward_after_load_wants_a_new_forward(tmp_path):
    net = Sequential(Dense(2, 2, rng=0))
    net.save(tmp_path / "net")
    net.forward(np.ones((2, 1)))
    net.load(tmp_path / "net")
    with pytest.raises(RuntimeError):
        net.backward(np.ones((2, 1)))


def test_number_too_large_for_the_dtype_is_refused_and_nothing_changes(tmp_path):
    wide, narrow = Sequential(Dense(2, 2, rng=0)), Sequential(Dense(2, 2, rng=1)).astype("float32")
    wide.layers[0].params["W"][0, 0] = 1e300
    wide.save(tmp_path / "net")
    before = narrow.layers[0].params["W"].copy()
    with pytest.raises(ValueError, match="too large for float32"):
        narrow.load(tmp_path / "net")
    assert np.array_equal(narrow.layers[0].params["W"], before)


def test_kernel_may_be_an_array_and_the_error_shows_what_came():
    assert Conv2d(1, 1, np.array([3, 2])).kernel == (3, 2)
    with pytest.raises(ValueError, match=r"kernel_size=\(3.0, 2\)"):
        Conv2d(1, 1, (3.0, 2))


def test_nothing_is_computed_below_the_first_layer_that_learns():
    class Loud(Tanh):
        def backward(self, delta):
            raise AssertionError("not asked for")

    net = Sequential(Loud(), Dense(2, 2, rng=0))
    net.forward(np.ones((2, 1)))
    assert net.backward(np.ones((2, 1)), input_gradient=False) is None
    assert net.layers[1].grads["W"].any()


def test_probabilities_are_none_before_any_forward_and_the_readers_own_after():
    loss = SoftmaxCrossEntropy()
    assert loss.probabilities is None
    loss.forward(*blobs())
    before = loss.backward()
    loss.probabilities[:] = 0
    assert np.array_equal(loss.backward(), before)
