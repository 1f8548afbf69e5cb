"""parallel.fit gives what training.fit gives, however many workers there are; what it refuses, and how a run goes on."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from distributed import Client, Future, LocalCluster
from helpers import FLOATS, identical, numbers, refused, untouched
from sharded import (
    ENDS,
    N,
    RUN,
    alone,
    arrays,
    examples,
    files,
    functions,
    network,
    optimizer,
    same,
    together,
    until,
    values,
)

from cnnlib import (
    SGD,
    Dense,
    Flatten,
    Layer,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    SquaredError,
    parallel,
    training,
)
from cnnlib import _tasks as tasks
from cnnlib._cluster import Cluster

pytestmark = pytest.mark.usefixtures("dask")


def cluster(n):
    """A client with so many workers, threads of this process."""
    workers = {"n_workers": n, "threads_per_worker": 1, "processes": False}
    return Client(LocalCluster(**workers, dashboard_address="localhost:0"))


@pytest.fixture(scope="module")
def three():
    with cluster(3) as client, client.cluster:
        yield client


@pytest.fixture(scope="module", params=[0, 1, 2, 3, 7])
def client(request):
    """So many workers, or none: this process alone."""
    if not request.param:
        yield None
        return
    with cluster(request.param) as client, client.cluster:
        yield client


@pytest.fixture(scope="module")
def wanted():
    return alone()


@pytest.fixture(params=["three", "alone"])
def whoever(request):
    """Three workers, or this process alone."""
    return request.getfixturevalue("three") if request.param == "three" else None


class Passes(Layer):
    """Hands everything on."""

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        return self.keep(x)

    def backward(self, delta):
        self.recall(delta)
        return delta


class Dawdles(Passes):
    """Each batch takes another time, so that the workers answer in another order."""

    def forward(self, x):
        time.sleep(np.random.default_rng().uniform(0, 0.002))
        return self.keep(x)


# ---- the same as on one machine ---------------------------------------------------------------------


def test_gradient_over_uneven_shards_is_that_of_one_machine(client):
    (x, t), net, twin, loss = examples(), network(), network(), SoftmaxCrossEntropy()
    loss.forward(twin.forward(x), t)
    twin.backward(loss.backward())
    parallel.fit(net, loss, SGD(net, 0.1), arrays(), client=client, epochs=1, batch_size=N, rng=0)
    for (layer, key), (other, _) in zip(net.parameters(), twin.parameters()):
        np.testing.assert_allclose(layer.grads[key], other.grads[key], rtol=0, atol=1e-12)


def test_steps_with_momentum_and_decay_end_with_the_same_weights_whoever_answers_first(client):
    options = {"epochs": 5, "batch_size": 23}  # 20 steps
    runs = [together(client, arrays(), Dawdles(), **options) for _ in range(2)]
    same(runs[0], alone(Dawdles(), **options), 1e-10)
    same(*runs, 0)


def at_byte(k, vector):
    """A copy of a vector that begins so many bytes after where a number may begin."""
    room = np.zeros(vector.nbytes + 8, np.uint8)
    copy = room[k : k + vector.nbytes].view(vector.dtype)
    copy[...] = vector
    return copy


def test_bits_do_not_depend_on_where_in_a_message_the_parameters_lie():
    net, shards, rng = network(), arrays(), np.random.default_rng(0)
    program = tasks.program(net, SoftmaxCrossEntropy())
    for k in 40 * [2, 4, 5, 6]:
        vector = rng.standard_normal(sum(value.size for value in values(net)))
        size = len(shards[k][1])
        batch = rng.permutation(size)[:1], size
        sums = [tasks.summand(k, program, at_byte(byte, vector), shards[k], *batch) for byte in (0, 1)]
        np.testing.assert_array_equal(*(gradient for gradient, _ in sums))


@pytest.fixture(scope="module")
def bits():
    return {}


def test_any_number_of_workers_gives_the_same_bits(client, bits):
    got = together(client, functions())
    same(got, bits.setdefault("first", got), 0)


@pytest.mark.parametrize("batch_size", [1, 7, N, 1000])
def test_history_and_network_are_those_of_training_fit(three, batch_size):
    options = {"epochs": 2, "batch_size": batch_size} | ({"epochs": 0} if batch_size == 1 else {})
    same(together(three, functions(), **options), alone(**options))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_mean_and_sum_in_both_precisions(three, reduction, dtype):
    loss = SoftmaxCrossEntropy(reduction)
    lr = {"epochs": 1} if reduction == "sum" else {}
    net, history = together(three, arrays(dtype), loss=loss, dtype=dtype, **lr)
    same((net, history), alone(loss=loss, dtype=dtype, **lr), 1e-12 if dtype is np.float64 else 2e-4)
    assert loss.reduction == reduction and {value.dtype for value in values(net)} == {np.dtype(dtype)}


def test_targets_of_a_squared_error(three):
    x, _ = examples()
    targets = np.array([[1.0, -2, 0.5]]).T * x[0, 1, 1] + 1
    shards = [(x[..., :50], targets[:, :50]), (x[..., 50:], targets[:, 50:])]
    net, twin = network(), network()
    history = parallel.fit(net, SquaredError(), optimizer(net), shards, client=three, **RUN)
    same((net, history), (twin, training.fit(twin, SquaredError(), optimizer(twin), x, targets, **RUN)))


def test_generator_is_left_where_training_fit_leaves_it(three):
    rngs = [np.random.default_rng(9), np.random.default_rng(9)]
    together(three, arrays(), rng=rngs[0])
    alone(rng=rngs[1])
    assert rngs[0].bit_generator.state == rngs[1].bit_generator.state


def test_shards_from_files_and_functions(three, tmp_path, wanted):
    mixed = [f if k % 3 else g for k, (f, g) in enumerate(zip(files(tmp_path), arrays()))]
    for shards in (files(tmp_path), functions(), mixed):
        same(together(three, shards), wanted)


def test_one_shard_is_enough_and_a_shard_may_have_no_part_of_a_batch(three, wanted):
    same(together(three, [examples()]), wanted)
    same(together(three, arrays(), epochs=1, batch_size=2), alone(epochs=1, batch_size=2))


def test_layer_of_your_own_that_the_workers_do_not_have(three, wanted):
    class Own(Passes):
        pass

    same(together(three, arrays(), Own()), wanted)
    scales = LAYERS["a second name"]
    same(together(three, arrays(), net=scales()), alone(net=scales()))


class Scales(Passes):
    """Learns one factor, which has a second name."""

    def __init__(self):
        super().__init__()
        self.factor = self.params["W"] = np.full((1, 1, 1, 1), 1.5)
        self.grads["W"] = np.zeros_like(self.factor)

    def forward(self, x):
        return self.keep(self.factor * x, x)

    def backward(self, delta, input_gradient=True):
        (x,) = self.recall(delta)
        self.grads["W"] = (delta * x).sum().reshape(1, 1, 1, 1)
        return self.factor * delta


class Frozen(Dense):
    """Learns nothing."""

    def backward(self, delta, input_gradient=True):
        return self.params["W"].T @ delta if input_gradient else None


class InPlace(Dense):
    """Writes its gradients into the arrays that are there."""

    def backward(self, delta, input_gradient=True):
        kept = dict(self.grads)
        below = super().backward(delta, input_gradient)
        for key, array in kept.items():
            array[...] = self.grads[key]
        self.grads.update(kept)
        return below


class Bare(Dense):
    """Has no gradients before its first backward."""

    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.grads.clear()


LAYERS = {
    "a second name": lambda: Sequential(Scales(), *network().layers),
    "frozen": lambda: Sequential(Flatten(), Frozen(20, 4, rng=0), Dense(4, 3, rng=1)),
    "in place": lambda: Sequential(Flatten(), InPlace(20, 3, rng=0)),
    "no gradients yet": lambda: Sequential(Flatten(), Bare(20, 3, rng=0)),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_layers_that_treat_their_parameters_in_their_own_way(make):
    same(together(None, arrays(), net=make()), alone(net=make()))


def test_more_sums_than_one_task_adds(three):
    x, t = examples()
    shards = [(x[..., n : n + 1], t[n : n + 1]) for n in range(N)]
    same(together(three, shards, epochs=1, batch_size=80), alone(epochs=1, batch_size=80))


def test_shard_for_a_worker_that_the_scheduler_has_just_lost(three, monkeypatch, wanted):
    scatter, gone = Client.scatter, ["tcp://127.0.0.1:1"]

    def once_in_vain(*args, **options):
        if gone:
            raise KeyError(gone.pop())
        return scatter(*args, **options)

    monkeypatch.setattr(Client, "scatter", once_in_vain)
    same(together(three, arrays()), wanted)
    assert not gone


class Copies(SGD):
    """After each step, every worker has every shard."""

    client = None

    def step(self):
        super().step()
        shards = [Future(key, self.client) for key in self.client.futures if key.startswith("load-of-shard")]
        self.client.replicate(shards)


def test_shard_of_which_other_workers_have_copies_stays_and_is_not_read_again(three, monkeypatch):
    read, send = [], Cluster.send
    monkeypatch.setattr("cnnlib._cluster.LOOK", 0)
    monkeypatch.setattr(Copies, "client", three)
    monkeypatch.setattr(Cluster, "send", lambda self, k, *args: read.append(k) or send(self, k, *args))
    net = network()
    parallel.fit(net, SoftmaxCrossEntropy(), Copies(net, 0.1), functions(), client=three, **RUN)
    assert read == [*range(7)]


def test_large_parameters_go_out_as_a_task(three, monkeypatch, wanted):
    monkeypatch.setattr("cnnlib._cluster.SMALL", 0)
    same(together(three, arrays()), wanted)


def test_parameters_of_more_than_ten_megabytes_are_no_warning(three):
    net, twin = (
        Sequential(Flatten(), Dense(20, 70_000, rng=0), Dense(70_000, 3, init=1e-3, rng=1)) for _ in range(2)
    )
    options = {"epochs": 1, "batch_size": N, "rng": 0}
    history = parallel.fit(net, SoftmaxCrossEntropy(), SGD(net, 0.1), [examples()], client=three, **options)
    same(
        (net, history),
        (twin, training.fit(twin, SoftmaxCrossEntropy(), SGD(twin, 0.1), *examples(), **options)),
    )


# ---- what is refused --------------------------------------------------------------------------------


def fails(client, shards, *words, error=ValueError, first=(), net=None, loss=None, in_a_step=False, **options):  # fmt: skip
    """fit raises this, and network and optimizer are what they were, and the generator but in a step."""
    net, loss, rng = net or network(*first), loss or SoftmaxCrossEntropy(), np.random.default_rng(0)
    sgd = optimizer(net)
    with refused(*words, error=error, unchanged=[sgd] if in_a_step else [sgd, rng]):
        parallel.fit(net, loss, sgd, shards, client=client, **RUN | {"rng": rng} | options)


def with_shard(k, x=None, t=None):
    """The shards, the k-th another."""
    shards = arrays()
    shards[k] = (shards[k][0] if x is None else x, shards[k][1] if t is None else t)
    return shards


SPOILT = {
    "another shape": (
        lambda: with_shard(3, x=np.ones((1, 5, 4, 1))),
        ["shard 3", "layer 3", "(18, 1)"],
    ),
    "another dtype": (
        lambda: with_shard(3, x=np.ones((1, 4, 5, 1), np.float32)),
        ["shard 3", "float32", "float64"],
    ),
    "an empty one of another shape": (
        lambda: with_shard(1, x=np.ones((1, 4, 4, 0))),
        ["shard 1", "(1, 4, 4, 'N')"],
    ),
    "integers": (lambda: with_shard(3, x=np.ones((1, 4, 5, 1), int)), ["shard 3", "int64", "floats"]),
    "no array": (lambda: with_shard(3, x=[1.0]), ["shard 3", "list"]),
    "a label too many": (lambda: with_shard(2, t=np.zeros(18, int)), ["shard 2", "(18,)", "(17,)"]),
    "a label out of range": (lambda: with_shard(6, t=np.full(19, 3)), ["shard 6", "labels 3 to 3"]),
    "labels for nothing": (lambda: with_shard(1, t=np.zeros(2, int)), ["shard 1"]),
    "three arrays": (lambda: [lambda: (1, 2, 3)], ["shard 0", "a pair"]),
    "what the network does not take": (
        lambda: [(np.ones((2, 4, 5, 3)), np.zeros(3, int))],
        ["shard 0", "layer 0"],
    ),
    "nothing but empty ones": (lambda: [arrays()[1]] * 2, ["all shards are empty"]),
    "no shards": (lambda: [], ["[]", "at least one"]),
    "a dict": (lambda: {"a": examples()}, ["{'a'", "a list"]),
    "a generator": (lambda: (shard for shard in arrays()), ["generator", "a list"]),
    "one path": (lambda: "shard.npz", ["'shard.npz'", "a list"]),
    "None": (lambda: None, ["None", "a list"]),
    "one pair": (examples, ["shard 0", "ndarray", "a pair"]),
    "bytes": (lambda: [b"shard.npz"], ["shard 0", "bytes", "a pair"]),
}


@pytest.mark.parametrize("shards, words", SPOILT.values(), ids=SPOILT)
def test_shards_that_do_not_fit_are_named(whoever, shards, words):
    fails(whoever, shards(), *words)


def raises_what_cannot_travel():
    class Stuck(Exception):
        lock = property(lambda self: threading.Lock())

        def __reduce__(self):
            return Stuck, (self.lock,)

    raise Stuck("a lock")


def test_shard_that_cannot_be_read_is_named(whoever, tmp_path):
    shards = files(tmp_path)
    np.savez(shards[5], x=np.ones(3), y=np.ones(3))
    fails(whoever, shards, "shard 5", "['x', 'y']", "x and t")
    os.remove(shards[5])
    fails(whoever, shards, "shard 5", "FileNotFoundError", "5.npz", error=RuntimeError)
    where = "shard 0 on inproc://" if whoever else "shard 0: "
    fails(whoever, [lambda: 1 / 0], where, "ZeroDivisionError", error=RuntimeError)
    fails(whoever, [lambda: sys.exit("no file")], where, "SystemExit: no file", error=RuntimeError)
    fails(whoever, [raises_what_cannot_travel], where, "Stuck: a lock", error=RuntimeError)


def test_shard_that_is_another_when_it_is_read_again_is_refused():
    program, vector = tasks.program(network(), SoftmaxCrossEntropy()), tasks.pack(values(network()))
    with pytest.raises(
        ValueError, match="shard 5: got 11 examples when it was read again, want 12 as before"
    ):
        tasks.summand(5, program, vector, arrays()[5], np.arange(3), 12)


class Spoils(Dense):
    """Learns, until an example is the largest of all: then its gradient is no number."""

    def forward(self, x):
        self.spoilt = x.shape[-1] > 2 and x.max() == examples()[0].max()
        return super().forward(x)

    def backward(self, delta, input_gradient=True):
        super().backward(delta, input_gradient)
        if self.spoilt:
            self.grads["W"] = self.grads["W"] * np.nan


def test_gradient_that_is_no_number_is_refused_before_the_step_and_names_the_shard(three):
    largest = int(examples()[0].max(axis=(0, 1, 2)).argmax())
    (k,) = [k for k in range(7) if ENDS[k] <= largest < ENDS[k + 1]]
    net = Sequential(Flatten(), Spoils(20, 3, rng=0))
    sgd = optimizer(net)
    with refused(f"shard {k} on inproc://", "not finite", error=FloatingPointError, unchanged=[sgd]):
        parallel.fit(net, SoftmaxCrossEntropy(), sgd, arrays(), client=three, epochs=1, batch_size=N, rng=0)


def test_sum_that_is_no_number_is_refused(three, monkeypatch):
    monkeypatch.setattr("cnnlib._tasks.add", lambda *sums: (sums[0][0] * np.inf, 1.0))
    fails(three, arrays(), "sum", "not finite", error=FloatingPointError, in_a_step=True)


class Whitens(Passes):
    """Subtracts the mean of the batch, as batch normalization does."""

    def forward(self, x):
        return self.keep(x - x.mean(axis=-1, keepdims=True))


class Drops(Passes):
    """Dropout."""

    def forward(self, x):
        return self.keep(x * (np.random.default_rng().random(x.shape) < 0.5))


class Averages(Dense):
    """Divides by the number of examples itself."""

    def backward(self, delta, input_gradient=True):
        below = super().backward(delta, input_gradient)
        self.grads["W"] = self.grads["W"] / delta.shape[-1]
        return below


class Accumulates(Dense):
    """Adds to the gradients of the batch before."""

    def backward(self, delta, input_gradient=True):
        before = dict(self.grads)
        below = super().backward(delta, input_gradient)
        for key, gradient in before.items():
            self.grads[key] = gradient + self.grads[key]
        return below


class Clips(Dense):
    """Keeps its weights small by itself."""

    def forward(self, x):
        np.clip(self.params["W"], -0.1, 0.1, out=self.params["W"])
        return super().forward(x)


class Turned(Dense):
    """Has the gradient of W^T."""

    def backward(self, delta, input_gradient=True):
        below = super().backward(delta, input_gradient)
        self.grads["W"] = self.grads["W"].T
        return below


class AlwaysMean(SquaredError):
    """Is a mean over examples, whatever it is asked for."""

    def divisor(self, N):
        return N


class MeanOfNumbers(SquaredError):
    """Is a mean over all numbers, and a sum over them."""

    def forward(self, outputs, targets):
        return super().forward(outputs, targets) / self.divisor(len(outputs))

    def backward(self):
        delta = super().backward()
        return delta / self.divisor(len(delta))


class Centred(SquaredError):
    """Compares with the mean output of the batch."""

    def forward(self, outputs, targets):
        return super().forward(outputs - outputs.mean(axis=-1, keepdims=True), targets)


class Penalty(SquaredError):
    """Has a term that no example is to blame for."""

    def forward(self, outputs, targets):
        return super().forward(outputs, targets) + 1


def dense(kind=Dense):
    return Sequential(Flatten(), kind(20, 3, rng=0))


REFUSED = {
    "mixes examples": (lambda: network(Whitens()), SquaredError, ["each example for itself"]),
    "throws dice": (lambda: network(Drops()), SquaredError, ["without chance"]),
    "averages itself": (lambda: dense(Averages), SquaredError, ["each example for itself"]),
    "accumulates": (lambda: dense(Accumulates), SquaredError, ["each example for itself"]),
    "changes itself": (lambda: dense(Clips), SquaredError, ["changed its parameters"]),
    "another shape": (lambda: dense(Turned), SquaredError, ["1.W: got", "(20, 3)", "(3, 20)"]),
    "always a mean": (dense, AlwaysMean, ["a loss that treat each example"]),
    "a mean of numbers": (dense, MeanOfNumbers, ["a loss that treat each example"]),
    "a centred loss": (dense, Centred, ["a loss that treat each example"]),
    "a penalty": (dense, Penalty, ["a loss that treat each example"]),
}


@pytest.mark.parametrize("make, loss, words", REFUSED.values(), ids=REFUSED)
def test_layers_and_losses_whose_gradient_is_no_sum_over_examples_are_refused(whoever, make, loss, words):
    net = make()
    sgd = optimizer(net)
    shards = [(x, numbers((3, x.shape[-1]), k)) for k, (x, _) in enumerate(arrays())]
    with refused("shard 0", *words, unchanged=[sgd]):
        parallel.fit(net, loss(), sgd, shards, client=whoever, **RUN)


@pytest.mark.parametrize("dtype", [np.float16, *FLOATS])
def test_rounding_at_a_kink_is_no_reason_to_refuse(dtype):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        layers = Dense(20, 50, rng=rng), ReLU(), Dense(50, 20, init=0.0), ReLU(), Dense(20, 3, rng=rng)
        net = Sequential(Flatten(), *layers).astype(dtype)
        program = tasks.program(net, SoftmaxCrossEntropy())
        counts = [tasks.examine(k, program, tasks.pack(values(net)), arrays(dtype)[k])[0] for k in range(7)]
        assert sum(counts) == N


class Waits(Passes):
    """Says that it is at work, and is until it is told to stop."""

    at_work, over = threading.Event(), threading.Event()

    def forward(self, x):
        if x.shape[-1] > 2:
            Waits.at_work.set()
            Waits.over.wait(20)
        return self.keep(x)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"epochs": -1}, ["epochs"]),
        ({"batch_size": 0}, ["batch_size"]),
        ({"save_every": 0}, ["save_every"]),
        ({"timeout": 0}, ["timeout"]),
        ({"timeout": "1 s"}, ["timeout"]),
        ({"timeout": np.nan}, ["timeout"]),
        ({"timeout": np.inf}, ["timeout", "inf"]),
        ({"timeout": 1e300}, ["timeout"]),
        ({"resume": True}, ["resume", "checkpoint"]),
        ({"client": "tcp://127.0.0.1:8786"}, ["tcp://127.0.0.1:8786", "distributed.Client"]),
    ],
)
def test_bad_options_are_refused(three, options, words):
    fails(options.pop("client", three), arrays(), *words, **options)


def test_optimizer_of_another_network_and_a_network_that_learns_nothing_are_refused(three):
    net = network()
    for other, words in ((network(), "optimizer of another"), (Sequential(Passes()), "without parameters")):
        sgd = optimizer(other)
        with refused(words, unchanged=[net, sgd]):
            mine = net if words.startswith("optimizer") else other
            parallel.fit(mine, SoftmaxCrossEntropy(), sgd, arrays(), client=three, **RUN)


def test_network_that_cannot_be_written_to_is_refused(three):
    net, twin = network(), network()
    sgd = optimizer(net)
    net.layers[3].params["W"].flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        parallel.fit(net, SoftmaxCrossEntropy(), sgd, arrays(), client=three, **RUN)
    same((net, {}), (twin, {}), 0)
    assert not any(v.any() for v in sgd.velocity)


def test_workers_of_local_client_are_threads_here_and_end_with_it():
    before = threading.active_count()
    with parallel.local_client(2) as client:
        assert len(client.nthreads()) == 2 and all(
            address.startswith("inproc://") for address in client.nthreads()
        )
        same(together(client, arrays()), together(None, arrays()), 0)
    assert (
        client.status == "closed" and threading.active_count() <= before + 2
    )  # which Dask keeps for the next


def test_local_client_warns_of_no_port_and_opens_none_to_others():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with parallel.local_client(1) as first, parallel.local_client(1) as second:
            servers = [client.cluster.scheduler.http_server for client in (first, second)]
            assert {server.address for server in servers} <= {"127.0.0.1", "::1"}
            assert servers[0].port != servers[1].port


def test_local_client_is_silent_about_what_was_still_waited_for_and_about_nothing_else(caplog):
    with parallel.local_client(1) as client:
        loop = client.loop.asyncio_loop
    for error in (TimeoutError("late"), ValueError("a fault")):
        future = loop.create_future()
        future.set_exception(error)
        del future
    assert [record.exc_info[1].args for record in caplog.records if record.name == "asyncio"] == [
        ("a fault",)
    ]


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "two"])
def test_local_client_wants_a_number_of_workers(workers):
    with pytest.raises(ValueError, match=f"local_client: workers.*{workers}"), parallel.local_client(workers):
        pass


def test_in_a_browser_there_are_no_workers(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    with parallel.local_client(3) as client:
        assert client is None


def test_closed_client_is_refused():
    client = cluster(1)
    client.cluster.close()
    client.close()
    fails(client, arrays(), "closed", error=ConnectionError)


def test_no_workers_is_an_error_with_the_command_that_starts_one():
    with cluster(0) as client, client.cluster:
        fails(
            client,
            arrays(),
            "no workers for 0.3 s",
            f"dask worker {client.scheduler.address}",
            error=TimeoutError,
            timeout=0.3,
        )


def with_the_only_worker_lost(client, act):
    """A layer, and the thread that waits for its first batch, ends the only worker of a cluster, and acts."""

    def end():
        Waits.at_work.wait(20)
        client.loop.add_callback(worker.close)
        until(lambda: not client.nthreads())
        Waits.over.set()
        act()

    Waits.at_work.clear()
    Waits.over.clear()
    (worker,) = client.cluster.workers.values()
    thread = threading.Thread(target=end)
    thread.start()
    return Waits(), thread


def test_client_whose_workers_were_lost_in_a_step_stays_with_its_scheduler():
    with cluster(1) as client, client.cluster:
        comm = client.scheduler_comm
        layer, thread = with_the_only_worker_lost(client, lambda: None)
        words = "no workers for 0.5 s"
        fails(client, functions(), words, error=TimeoutError, first=[layer], timeout=0.5, in_a_step=True)
        thread.join()
        until(lambda: not client.futures and not client.cluster.scheduler.tasks)
        assert client.scheduler_comm is comm


def test_workers_that_come_when_all_were_lost_go_on(wanted):
    with cluster(1) as client, client.cluster:
        layer, thread = with_the_only_worker_lost(client, lambda: client.cluster.scale(2))
        same(together(client, functions(), layer, timeout=1), wanted)
        thread.join()


def hangs_once():
    """A shard that its first reader never gets."""
    if not Waits.at_work.is_set():
        Waits.at_work.set()
        Waits.over.wait(20)
    return examples()


def test_shard_that_one_worker_never_gets_is_read_by_another(wanted):
    Waits.at_work.clear()
    Waits.over.clear()
    with cluster(2) as client, client.cluster:
        try:
            same(together(client, [hangs_once], timeout=1), wanted)
            assert len(client.nthreads()) == 1
        finally:
            Waits.over.set()


STUCK = {
    "at work on both": (["a", "b"], {}, True, ([], False)),
    "one is at work, the other idle": (["a", None], {}, True, (["a"], True)),
    "one is silent": (["a", "b"], {"b": 9}, True, (["b"], True)),
    "waiting for who is gone": (["waiting", "memory"], {}, True, ([], True)),
    "waiting for who has paused": (["waiting", "memory"], {}, False, ([], False)),
    "done": (["memory", "memory"], {}, True, ([], False)),
    "unknown": ([None, "memory"], {}, True, ([], True)),
}


@pytest.mark.parametrize("where, silent, running, wanted", STUCK.values(), ids=STUCK)
def test_who_is_taken_out_and_whether_it_helps_to_ask_again(where, silent, running, wanted):
    """Two keys, each at work on a worker, in another state, or unknown; two workers."""

    async def remove_worker(address, stimulus_id):
        out.append(address)

    def worker(address):
        seen = time.time() - silent.get(address, 0)
        return SimpleNamespace(address=address, last_seen=seen, status=SimpleNamespace(name="running"))

    workers, out = {address: worker(address) for address in "ab"}, []
    known = {key: state for key, state in zip("xy", where) if state}
    found = {
        key: SimpleNamespace(
            processing_on=workers.get(state), state="processing" if state in workers else state
        )
        for key, state in known.items()
    }
    scheduler = SimpleNamespace(workers=workers, tasks=found, running=running, remove_worker=remove_worker)
    _, again = asyncio.run(tasks.remove_stuck(["x", "y"], 0.1, dask_scheduler=scheduler))
    assert (out, again) == wanted


def test_scheduler_that_does_not_answer_is_an_error(three):
    fails(three, arrays(), "has not answered within 1e-09 s", error=TimeoutError, timeout=1e-9)


def test_cluster_that_grows_where_there_is_work_grows():
    with cluster(0) as client, client.cluster:
        client.cluster.adapt(minimum=0, maximum=1, interval="50ms")
        same(together(client, arrays(), timeout=5), together(None, arrays()), 0)


def test_task_that_hangs_everywhere_is_an_error_after_the_timeout(three):
    Waits.over.clear()
    try:
        words = "not finished within 0.5 s", "larger timeout"
        fails(three, arrays(), *words, error=TimeoutError, first=[Waits()], timeout=0.5, in_a_step=True)
    finally:
        Waits.over.set()


def test_without_dask_cnnlib_says_what_to_install(tmp_path):
    code = """
import sys
import numpy as np
sys.modules["cloudpickle"] = sys.modules["distributed"] = sys.modules["dask"] = None
from cnnlib import SGD, Dense, Sequential, SoftmaxCrossEntropy, parallel
net = Sequential(Dense(1, 2))
shards = [(np.ones((1, 1)), np.zeros(1, int))]
history = parallel.fit(net, SoftmaxCrossEntropy(), SGD(net, 1), shards, client=None, epochs=1, batch_size=1, rng=0)
print(len(history["loss"]))
for use in (lambda: parallel.fit(net, SoftmaxCrossEntropy(), SGD(net, 1), shards, client=1, epochs=1, batch_size=1, rng=0),
            lambda: parallel.local_client(1).__enter__()):
    try:
        use()
    except ModuleNotFoundError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=tmp_path
    )
    assert done.stdout.startswith("1\n") and done.stdout.count("need Dask: pip install distributed\n") == 2


# ---- memory ----------------------------------------------------------------------------------------


@pytest.fixture
def libc(monkeypatch):
    """A C library whose calls are listed, in the place of the system's."""
    calls = []
    called = {
        name: lambda *args, name=name: calls.append((name, *args)) for name in ("mallopt", "malloc_trim")
    }
    monkeypatch.setattr(tasks.ctypes, "CDLL", lambda name: SimpleNamespace(**called))
    return calls


def test_freed_memory_is_kept_on_linux_and_elsewhere_as_the_system_does(libc, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    tasks.keep_memory.__wrapped__()
    assert libc == [("mallopt", -3, 32 * 2**20), ("mallopt", -1, 64 * 2**20)]
    for platform in ("darwin", "win32", "emscripten"):
        monkeypatch.setattr(sys, "platform", platform)
        tasks.keep_memory.__wrapped__()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(tasks.ctypes, "CDLL", lambda name: SimpleNamespace())  # musl has no mallopt
    tasks.keep_memory.__wrapped__()
    assert len(libc) == 2


def test_memory_is_kept_by_every_sum(monkeypatch):
    kept = []
    monkeypatch.setattr(tasks, "keep_memory", lambda: kept.append(1))
    together(None, arrays(), epochs=1, batch_size=N)
    assert len(kept) == 6


def worker_with(limit, used):
    return SimpleNamespace(
        memory_manager=SimpleNamespace(memory_limit=limit),
        monitor=SimpleNamespace(get_process_memory=lambda: used),
        status=SimpleNamespace(name="running"),
    )


@pytest.mark.parametrize("limit, used, times", [(1000, 600, 3), (1000, 400, 0), (0, 600, 0)])
def test_worker_that_is_half_full_returns_freed_memory_until_it_closes(libc, monkeypatch, limit, used, times):
    async def sleeps(seconds):
        worker.status.name = left.pop(0)

    worker, left = worker_with(limit, used), ["paused", "running", "closed"]
    monkeypatch.setattr(tasks, "sleep", sleeps)
    for _ in range(2):  # of which the second has nothing to do
        asyncio.run(tasks.return_memory(worker))
        assert libc == times * [("malloc_trim", 0)]


def test_worker_without_glibc_returns_what_its_system_returns(monkeypatch):
    monkeypatch.setattr(tasks.ctypes, "CDLL", lambda name: SimpleNamespace())
    asyncio.run(tasks.return_memory(worker_with(1, 1)))


# ---- an interrupt ----------------------------------------------------------------------------------


def test_interrupt_in_the_middle_of_a_step_leaves_all_as_it_was(three):
    def interrupt():
        if Waits.at_work.wait(20) and not Waits.over.is_set():  # or else it would hit another test
            os.kill(os.getpid(), signal.SIGINT) if os.name != "nt" else signal.raise_signal(signal.SIGINT)

    Waits.at_work.clear()
    Waits.over.clear()
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        fails(three, arrays(), error=KeyboardInterrupt, first=[Waits()], in_a_step=True)
        until(lambda: not three.futures)
    finally:
        Waits.over.set()
        thread.join()


def test_interrupt_in_the_middle_of_an_update_leaves_all_as_it_was(three, monkeypatch):
    def half(self):
        for layer, key in self.network.parameters():
            layer.params[key] += 1
            self.velocity[0] = None
            self.velocity[1] += 1
        raise KeyboardInterrupt

    net = network()
    sgd = optimizer(net)
    before = [value.copy() for value in values(net)]
    monkeypatch.setattr(SGD, "step", half)
    with pytest.raises(KeyboardInterrupt):
        parallel.fit(net, SoftmaxCrossEntropy(), sgd, arrays(), client=three, **RUN)
    for value, old, v in zip(values(net), before, sgd.velocity):
        identical(value, old)
        assert not v.any()


# ---- a run that goes on -----------------------------------------------------------------------------


class Stopped(Exception):
    """What ends a run in these tests."""


def stopped_after(steps, client, path, monkeypatch, net=None, **options):
    """A run that writes a checkpoint every second step, and is stopped before a step."""
    net = net or network()
    sgd, done = optimizer(net), []

    def step(self):
        if len(done) == steps:
            raise Stopped
        done.append(1)
        original(self)

    with monkeypatch.context() as patch:
        original = SGD.step
        patch.setattr(SGD, "step", step)
        with pytest.raises(Stopped):
            parallel.fit(
                net,
                SoftmaxCrossEntropy(),
                sgd,
                arrays(),
                client=client,
                checkpoint=path,
                save_every=2,
                **RUN | options,
            )


GENERATORS = {
    "seed": lambda: 4,
    "Generator": lambda: np.random.default_rng(4),
    "MT19937": lambda: np.random.Generator(np.random.MT19937(4)),
}


@pytest.mark.parametrize("steps", [0, 3, 4])
def test_run_that_was_stopped_goes_on_to_the_same_bits(three, tmp_path, monkeypatch, steps):
    path = tmp_path / "run"
    stopped_after(steps, three, path, monkeypatch)
    assert path.exists()
    same(together(three, arrays(), checkpoint=path, resume=True), together(three, arrays()), 0)


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_generator_goes_on_where_it_was(three, tmp_path, monkeypatch, make):
    stopped_after(3, three, tmp_path / "run", monkeypatch, rng=make())
    got = together(three, arrays(), checkpoint=tmp_path / "run", resume=True, rng=make())
    same(got, together(three, arrays(), rng=make()), 0)


class Adam(SGD):
    """Keeps a second list, and counts its steps."""

    def __init__(self, network):
        super().__init__(network, 0.01)
        self.steps, self.means = 0, [np.zeros_like(v) for v in self.velocity]

    def step(self):
        self.steps += 1
        for i, (layer, key) in enumerate(self.network.parameters()):
            gradient = layer.grads[key]
            self.means[i] = 0.9 * self.means[i] + 0.1 * gradient
            self.velocity[i] = 0.99 * self.velocity[i] + 0.01 * gradient**2
            mean, variance = self.means[i] / (1 - 0.9**self.steps), self.velocity[i] / (1 - 0.99**self.steps)
            layer.params[key] -= self.lr * mean / (np.sqrt(variance) + 1e-8)


class Slows(SGD):
    """Takes smaller and smaller steps."""

    def __init__(self, network):
        super().__init__(network, 1, momentum=0.5)

    def step(self):
        super().step()
        self.lr = self.lr * 0.9


@pytest.mark.parametrize("Optimizer", [Adam, Slows])
def test_what_an_optimizer_of_your_own_keeps_goes_on(tmp_path, Optimizer):
    def trained(epochs, **options):
        net = network()
        run = RUN | {"epochs": epochs} | options
        history = parallel.fit(net, SoftmaxCrossEntropy(), Optimizer(net), arrays(), client=None, **run)
        return net, history

    trained(1, checkpoint=tmp_path / "run")
    same(trained(2, checkpoint=tmp_path / "run", resume=True), trained(2), 0)


def test_velocity_of_a_single_number_goes_on(tmp_path):
    class Shifts(Passes):
        def __init__(self):
            super().__init__()
            self.params["b"], self.grads["b"] = np.array(0.5), np.array(0.0)

        def forward(self, x):
            return self.keep(x * self.params["b"], x)

        def backward(self, delta, input_gradient=True):
            (x,) = self.recall(delta)
            self.grads["b"] = (delta * x).sum()
            return delta * self.params["b"]

    net, options = network(Shifts()), {"checkpoint": tmp_path / "run", "client": None}
    sgd = optimizer(net)
    for epochs in (1, 2):
        run = RUN | {"epochs": epochs} | options
        history = parallel.fit(net, SoftmaxCrossEntropy(), sgd, arrays(), resume=True, **run)
    same((net, history), together(None, arrays(), net=network(Shifts())), 0)


def test_finished_run_is_read_back_and_can_be_made_longer(three, tmp_path):
    path = tmp_path / "run"
    whole = together(three, arrays(), checkpoint=path)
    same(together(three, arrays(), checkpoint=path, resume=True), whole, 0)
    longer = together(three, arrays(), checkpoint=path, resume=True, epochs=3)
    same(longer, together(three, arrays(), epochs=3), 0)


def test_checkpoint_of_another_run_or_another_file_is_refused(three, tmp_path):
    path = tmp_path / "run"
    together(three, arrays(), checkpoint=path)
    for words, other in {
        ("batch_size", "30", "29"): {"batch_size": 29},
        ("shards", "[90]"): {"shards": [examples()]},
        ("0.W", "velocity of 0.W", "3.b"): {"first": [Passes()]},
        ("rng", "PCG64", "MT19937"): {"rng": np.random.Generator(np.random.MT19937(4))},
        ("steps", "6", "3"): {"epochs": 1},
        ("ReLU()", "Tanh()"): {"net": Sequential(*network().layers[:1], ReLU(), *network().layers[2:])},
        ("'mean'", "'sum'"): {"loss": SoftmaxCrossEntropy("sum")},
    }.items():
        with untouched(path):
            fails(
                three, other.pop("shards", arrays()), str(path), *words, checkpoint=path, resume=True, **other
            )
    for write in (lambda p: p.write_text("hello"), lambda p: network().save(p)):
        write(path)
        fails(three, arrays(), str(path), checkpoint=path, resume=True)


def test_checkpoint_that_cannot_be_written_is_an_error_before_the_first_step(whoever, tmp_path):
    for path in (tmp_path / "nowhere" / "run", tmp_path):
        fails(whoever, arrays(), str(path), error=OSError, checkpoint=path)
    fails(whoever, arrays(), str(tmp_path), error=OSError, checkpoint=tmp_path, resume=True)


def test_checkpoint_that_cannot_be_written_any_more_leaves_the_steps_that_were_done(tmp_path, monkeypatch):
    def write(path, arrays):
        if len(arrays["batch_loss"]) == 4:
            raise OSError("no space left")
        written.append(1)

    written, net = [], network()
    monkeypatch.setattr(parallel, "write_npz", write)
    with pytest.raises(OSError, match="no space left"):
        together(None, arrays(), net=net, checkpoint=tmp_path / "run", save_every=2)
    assert len(written) == 2
    monkeypatch.undo()
    stopped = network()
    stopped_after(4, None, tmp_path / "run", monkeypatch, net=stopped)
    same((net, {}), (stopped, {}), 0)


KILLED = """
import os, signal, sys
from distributed import Client
from sharded import arrays, together
from cnnlib import SGD

if __name__ == "__main__":
    path, steps = sys.argv[1], int(sys.argv[2])
    step = SGD.step

    def kill(self):
        global steps
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        step(self)

    SGD.step = kill
    with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address="localhost:0") as client:
        together(client, arrays(), checkpoint=path, save_every=1)
"""


@pytest.mark.skipif(os.name == "nt", reason="has no SIGKILL")
def test_run_that_was_killed_goes_on_to_the_same_bits(three, tmp_path):
    path = tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, path, "4"], env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == -signal.SIGKILL and path.exists(), done.stderr
    same(together(three, arrays(), checkpoint=path, resume=True), together(three, arrays()), 0)


# ---- what is shown ----------------------------------------------------------------------------------


def test_progress_shows_a_bar_of_steps_and_the_dashboard_and_changes_nothing_else(
    three, monkeypatch, capsys, wanted, tmp_path
):
    shown = []

    def bar(steps, **options):
        shown.append((list(steps), options))
        return steps

    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=bar))
    same(together(three, arrays(), progress=True), wanted)
    assert shown == [([*range(6)], {"initial": 0, "total": 6, "unit": "step"})]
    assert f"dashboard: {three.dashboard_link}" in capsys.readouterr().out
