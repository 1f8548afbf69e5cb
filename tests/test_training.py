"""fit and accuracy: every example once an epoch with its own label, the loss weighted right, all of it repeatable."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import identical, numbers, small_lenet, untouched

from cnnlib import SGD, Dense, Layer, Sequential, SoftmaxCrossEntropy, SquaredError, Tanh, training

N = 10
RARE = {"batch_size": 4, "rng": 3}  # batches of 4, 4 and 2


def examples():
    """Ten points in the plane, in three classes that two lines tell apart."""
    t = np.arange(N) % 3
    return np.array([[0.0, 3, -3], [3, -2, -2]])[:, t] + 0.3 * numbers((2, N), 1), t


def network(rng=0):
    rng = np.random.default_rng(rng)
    return Sequential(Dense(2, 5, rng=rng), Tanh(), Dense(5, 3, rng=rng))


def trained(epochs=2, net=None, x=None, t=None, loss=None, lr=0.1, **options):
    net = net or network()
    x, t = examples() if x is None else (x, t)
    loss = loss or SoftmaxCrossEntropy()
    history = training.fit(net, loss, SGD(net, lr), x, t, epochs=epochs, **RARE | options)
    return net, history


def values(net):
    return [layer.params[key] for layer, key in net.parameters()]


class Watching(Layer):
    """Passes everything on, and remembers the batches."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        self.batches.append(x)
        return self.keep(x)

    def backward(self, delta):
        raise AssertionError("fit asks for no gradient of the input")


class WatchingLoss(SoftmaxCrossEntropy):
    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, scores, labels):
        self.batches.append(labels)
        return super().forward(scores, labels)


# ---- learning ---------------------------------------------------------------------------------------


def test_fit_learns_a_separable_problem():
    x, t = examples()
    net, history = trained(epochs=40)
    assert history["loss"][0] > 0.5 > 0.1 > history["loss"][-1]
    assert training.accuracy(net, x, t) == 1
    assert np.all(np.diff(history["loss"][::10]) < 0)


def test_fit_learns_with_squared_error_and_momentum():
    x = numbers((2, N), 1)
    targets = np.array([[1.0, -2], [0.5, 3]]) @ x + np.array([[1.0], [-1]])
    net, loss = Sequential(Dense(2, 2, rng=0)), SquaredError()
    fit = training.fit(net, loss, SGD(net, 0.05, momentum=0.9), x, targets, epochs=150, batch_size=5, rng=0)
    assert fit["loss"][-1] < 1e-6
    np.testing.assert_allclose(net.layers[0].params["W"], [[1, -2], [0.5, 3]], atol=1e-2)


def test_convolutional_network_learns_by_heart():
    x, t, net, loss = numbers((2, 9, 10, 6), 1), np.arange(6) % 4, small_lenet(Tanh), SoftmaxCrossEntropy()
    optimizer = SGD(net, 0.05, momentum=0.9)
    history = training.fit(net, loss, optimizer, x, t, epochs=40, batch_size=3, rng=0)
    assert history["loss"][-1] < 0.1 < 1 < history["loss"][0]
    assert training.accuracy(net, x, t) == 1


def test_one_batch_of_everything_is_a_step_of_gradient_descent():
    x, t = examples()
    net, twin, loss = network(), network(), SoftmaxCrossEntropy()
    trained(epochs=1, net=net, batch_size=N)
    loss.forward(twin.forward(x), t)
    twin.backward(loss.backward())
    SGD(twin, 0.1).step()
    for got, wanted in zip(values(net), values(twin)):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-14)


def test_step_returns_the_loss_before_it():
    x, t = examples()
    net, loss = network(), SoftmaxCrossEntropy()
    before = loss.forward(net.forward(x), t)
    assert training.step(net, loss, SGD(net, 0.1), x, t) == before
    assert loss.forward(net.forward(x), t) < before


# ---- what is visited --------------------------------------------------------------------------------


def test_every_epoch_visits_each_example_once_with_its_own_label_in_a_new_order():
    watching, loss = Watching(), WatchingLoss()
    net = Sequential(watching, Dense(1, 3, rng=0))
    t = np.arange(N) % 3
    trained(epochs=3, net=net, x=np.arange(N, dtype=float)[None], t=t, loss=loss)
    assert [batch.shape for batch in watching.batches] == [(1, 4), (1, 4), (1, 2)] * 3
    orders = np.concatenate(watching.batches, axis=1).reshape(3, N).astype(int)
    labels = np.concatenate(loss.batches).reshape(3, N)
    for order, seen in zip(orders, labels):
        assert sorted(order) == list(range(N))
        np.testing.assert_array_equal(seen, t[order])
    assert len({tuple(order) for order in orders} | {tuple(range(N))}) == 4


@pytest.mark.parametrize("batch_size, batches", [(1, 10), (3, 4), (5, 2), (9, 2), (10, 1), (99, 1)])
def test_history_has_a_loss_for_each_epoch_and_each_batch(batch_size, batches):
    _, history = trained(epochs=3, batch_size=batch_size)
    assert set(history) == {"loss", "batch_loss"}
    assert len(history["loss"]) == 3 and len(history["batch_loss"]) == 3 * batches
    assert {type(value) for values in history.values() for value in values} == {float}


def test_loss_of_an_epoch_weighs_the_smaller_last_batch_by_its_size():
    x, t = examples()
    net = network()
    _, history = trained(epochs=1, net=net, lr=0)
    J = history["batch_loss"]
    assert history["loss"] == [pytest.approx((4 * J[0] + 4 * J[1] + 2 * J[2]) / 10, rel=1e-14)]
    assert history["loss"] == [pytest.approx(SoftmaxCrossEntropy().forward(net.forward(x), t), rel=1e-14)]
    assert history["loss"] != [pytest.approx(np.mean(J), rel=1e-3)]


# ---- the same again ---------------------------------------------------------------------------------


def test_same_seed_gives_the_same_history_and_network_and_another_seed_another():
    (one, first), (two, second), (_, third) = (trained(rng=seed) for seed in (7, 7, 8))
    assert first == second != third
    for got, wanted in zip(values(one), values(two)):
        identical(got, wanted)
    assert trained(rng=np.random.default_rng(7))[1] == first


def test_generator_goes_on_from_call_to_call():
    rng, net = np.random.default_rng(7), network()
    parts = [trained(epochs=1, net=net, rng=rng)[1] for _ in range(2)]
    _, whole = trained(epochs=2, rng=7)
    assert {key: parts[0][key] + parts[1][key] for key in whole} == whole


def test_no_epochs_change_nothing():
    net, rng = network(), np.random.default_rng(0)
    with untouched(net, rng):
        assert trained(epochs=0, net=net, rng=rng)[1] == {"loss": [], "batch_loss": []}


def test_batches_lie_in_memory_in_the_order_of_their_axes():
    class Seen(Dense):
        def forward(self, x):
            orders.append(x.flags.c_contiguous)
            return super().forward(x)

    orders = []
    network = Sequential(Seen(2, 3, rng=0))
    x, t = np.random.default_rng(0).normal(size=(2, 10)), np.arange(10) % 3
    training.fit(network, SoftmaxCrossEntropy(), SGD(network, 0.1), x, t, epochs=1, batch_size=4, rng=0)
    assert orders == [True] * 3


def test_fit_leaves_the_examples_alone():
    x, t = examples()
    with untouched(x, t):
        trained(x=x, t=t)


def test_progress_shows_a_bar_of_epochs_and_changes_nothing_else(monkeypatch):
    shown = []

    def tqdm(steps, **options):
        for step in steps:
            shown.append(step)
            yield step

    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=tqdm))
    _, plain = trained(epochs=3)
    assert shown == [] and trained(epochs=3, progress=True)[1] == plain
    assert shown == [0, 1, 2]


# ---- accuracy ---------------------------------------------------------------------------------------


def passing_on():
    net = Sequential(Dense(3, 3))
    net.layers[0].params["W"] = np.eye(3)
    return net


@pytest.mark.parametrize(
    "t, share", [([0, 1, 2, 0], 1), ([0, 1, 2, 1], 0.75), ([0, 0, 0, 0], 0.5), ([2, 2, 1, 1], 0)]
)
@pytest.mark.parametrize("batch_size", [1, 3, 4, 500])
def test_accuracy_is_the_share_of_largest_scores_at_the_label(t, share, batch_size):
    scores = np.array([[5.0, 1, 1, 9], [4, 2, 0, 8], [-6, 0, 3, 0]])
    with untouched(scores):
        assert training.accuracy(passing_on(), scores, np.array(t), batch_size=batch_size) == share


def test_accuracy_of_a_tie_goes_to_the_first_class():
    assert training.accuracy(passing_on(), np.ones((3, 2)), np.array([0, 1])) == 0.5


def test_accuracy_is_a_number_of_python():
    assert type(training.accuracy(passing_on(), np.ones((3, 2)), np.array([0, 1]))) is float
