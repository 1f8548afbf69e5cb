"""Training over many machines: the gradient of a batch is a sum over its examples, wherever they lie (S31, S32).

The workers are those of Dask distributed, which is installed with ``pip install distributed``: threads or processes of this
machine, or a scheduler's address elsewhere. Scheduler and workers have cnnlib, the same version as here.
"""

import json
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from logging import ERROR, getLogger
from math import ceil
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING

import numpy as np

from . import _tasks as tasks
from ._cluster import Alone, Cluster
from ._tasks import Source
from .layers.base import Array, Seed, is_number, whole
from .losses import Loss
from .network import Sequential, read_npz, write_npz
from .optim import SGD

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from distributed import Client


def fit(network: Sequential, loss: Loss, optimizer: SGD, shards: Sequence[Source], *, client: "Client | None",
        epochs: int, batch_size: int, rng: Seed, progress: bool = False, timeout: float = 60.0,
        checkpoint: str | os.PathLike | None = None, save_every: int = 100, resume: bool = False) -> dict[str, list[float]]:  # fmt: skip
    """``training.fit`` with the examples on the workers of a Dask ``client``: the same history, the same network (S29, S32).
    Where ``client`` is None, this process computes the same sums in the same order: the same bits without Dask.

    The gradient of a batch is a sum over its examples, so that each shard's part is computed where the shard lies:
    ``dJ/dtheta = 1/N sum_shards sum_n dJ_n/dtheta``, divided once by the N of the batch, or by 1 where ``loss`` sums (K22).
    Orders are drawn from ``rng`` over all examples of all shards as ``training.fit`` does over those of one array, so a shard
    may have any part of a batch, or none. Sums are added in the order of the shards, whichever worker is done first, so
    that two runs give the same bits on processors of one kind. A step costs some ten milliseconds, and about one more a shard.

    shards: a list of pairs (x (..., N_k), t (..., N_k)), which are sent to the workers; of paths of .npz files with the arrays x
    and t, and of functions without arguments that return such a pair, both of which the workers read or call, again
    where another worker has to step in. Uneven and empty shards are right; their examples have one shape and dtype. Workers
    keep shards in memory, and Dask moves to disk what exceeds it. Layers and losses of your own treat each example for itself,
    for which two of each shard are looked at, and keep nothing from one batch to the next.

    ``timeout``: seconds within which a step is done, and a shard read. After them, workers that have been silent for half as
    long are given up. What a lost worker had to do, others do. ``checkpoint`` names a file that is written at the start, every ``save_every`` steps and at the
    end; with ``resume`` a run goes on from it, if it is there, to the same bits: network, generator, velocity, and the numbers
    and lists like the velocity that a subclass of SGD keeps. ``progress`` shows a bar (needs tqdm) and prints where Dask's
    dashboard is.

    Whatever is raised, network and optimizer are as they were before the step; after it, where a checkpoint cannot be written.
    ValueError: what does not fit, by shard; a checkpoint of another run. FloatingPointError: a loss or gradient that is not
    finite. RuntimeError: a shard that cannot be read; another version of cnnlib on a worker. TimeoutError: no workers, or none
    that gets ready. ConnectionError: no scheduler. OSError: the checkpoint. ModuleNotFoundError: Dask is missing here.
    An unprotected scheduler runs whatever anybody sends it: across machines give the client ``security=`` (TLS).

    >>> from cnnlib import parallel
    >>> net = Sequential(Dense(1, 2, init=0.0))
    >>> shards = [(np.array([[-1.0]]), np.array([0])), (np.array([[1.0]]), np.array([1]))]
    >>> with parallel.local_client(2) as client:
    ...     history = parallel.fit(net, SoftmaxCrossEntropy(), SGD(net, lr=1.0), shards, client=client,
    ...                            epochs=2, batch_size=2, rng=0)
    >>> [round(J, 4) for J in history["loss"]]
    [0.6931, 0.3133]
    """
    epochs, batch_size = whole("fit", "epochs", epochs, 0), whole("fit", "batch_size", batch_size, 1)
    save_every = whole("fit", "save_every", save_every, 1)
    if not is_number(timeout) or not 0 < timeout <= TIMEOUT_MAX:
        raise ValueError(f"fit: timeout is {timeout!r}, want seconds, above 0, at most {TIMEOUT_MAX:.0f}")
    if not isinstance(shards, (list, tuple)) or not shards:
        raise ValueError(
            f"fit: shards is {shards!r:.50}, want a list of pairs, paths or functions, at least one"
        )
    if optimizer.network is not network:
        raise ValueError("fit: got an optimizer of another network, want one of this network")
    if not optimizer.velocity:
        raise ValueError("fit: got a network without parameters, want one that learns")
    if resume and checkpoint is None:
        raise ValueError("fit: resume is true, but checkpoint is None, want the file to go on from")
    if checkpoint is not None:
        checkpoint = os.path.expanduser(os.fsdecode(checkpoint))
    rng = np.random.default_rng(rng)
    cluster = Alone(shards) if client is None else Cluster(client, shards, timeout)
    try:
        if progress and client is not None and client.dashboard_link:
            print(f"Dask's dashboard: {client.dashboard_link}")
        program = tasks.program(network, loss)
        counts = cluster.examine(program, tasks.pack(tasks.values(network)))
        N, ends = sum(counts), np.cumsum(counts)
        steps = ceil(N / batch_size)
        run = {"batch_size": batch_size, "shards": counts, "network": repr(network), "loss": repr(loss)}
        history: dict[str, list[float]] = {"loss": [], "batch_loss": []}
        if checkpoint is not None and not os.path.isfile(checkpoint):  # say now if it cannot be written
            _save(checkpoint, run | {"rng": rng.bit_generator.state}, history, network, optimizer)
        elif checkpoint is not None and resume:
            history = _restore(checkpoint, run | {"steps": epochs * steps}, network, optimizer, rng)
        done, order = len(history["batch_loss"]), None
        for step in _bar(done, epochs * steps) if progress else range(done, epochs * steps):
            at = step % steps
            if order is None or not at:
                drawn, order = rng.bit_generator.state, rng.permutation(N)
            batch = order[at * batch_size : (at + 1) * batch_size]
            owner = np.searchsorted(ends, batch, side="right")
            rows = {int(k): (batch[owner == k] - ends[k] + counts[k], counts[k]) for k in np.unique(owner)}
            gradient, J = cluster.step(program, tasks.pack(tasks.values(network)), rows)
            if not np.isfinite(gradient).all():
                raise FloatingPointError("fit: the sum of the shards' gradients is not finite, want numbers")
            _update(network, optimizer, gradient / loss.divisor(len(batch)))
            history["batch_loss"].append(J / loss.divisor(len(batch)))
            if at == steps - 1:
                sizes = [min(batch_size, N - start) for start in range(0, N, batch_size)]
                total = sum(J * loss.divisor(n) for J, n in zip(history["batch_loss"][-steps:], sizes))
                history["loss"].append(total / loss.divisor(N))
            if checkpoint is not None and ((step + 1) % save_every == 0 or step + 1 == epochs * steps):
                state = rng.bit_generator.state if at == steps - 1 else drawn
                _save(checkpoint, run | {"rng": state}, history, network, optimizer)
        return history
    finally:
        cluster.release()


@contextmanager
def local_client(workers: int) -> Iterator["Client | None"]:
    """A Dask client of ``workers`` threads in this process, which need no network: for a ``with``, to try ``fit``.

    In a browser, where Python has no threads, it is None. ValueError: no whole number of workers. ModuleNotFoundError:
    Dask is missing here. What differs from a cluster of machines is how numbers travel, not what is computed.

    >>> from cnnlib import parallel
    >>> with parallel.local_client(2) as client:
    ...     print(len(client.nthreads()), "workers")
    2 workers
    """
    workers = whole("local_client", "workers", workers, 1)
    if sys.platform == "emscripten":
        yield None
        return
    try:
        from distributed import Client
    except ImportError as problem:
        raise ModuleNotFoundError("local_client: its workers need Dask: pip install distributed") from problem
    getLogger("distributed").setLevel(ERROR)  # what threads say that end, or that a busy machine lets wait
    threads = {"processes": False, "n_workers": workers, "threads_per_worker": 1, "memory_limit": None}
    quiet = {"silence_logs": False, "dashboard_address": None}
    port = {"dashboard_address": "localhost:0"}  # not 8787, which another may have
    with warnings.catch_warnings():  # of an address that nothing here uses, and of slow disks
        for said in ("Couldn't detect a suitable IP", "Creating scratch directories"):
            warnings.filterwarnings("ignore", said)
        client = Client(**threads, **quiet, scheduler_kwargs=port)
    with client:
        client.loop.asyncio_loop.set_exception_handler(_unless_late)
        yield client


def _unless_late(loop: "AbstractEventLoop", context: dict) -> None:
    """What Dask waited for until its loop ended is no news: Python would say so whenever it next collects garbage."""
    if not isinstance(context.get("exception"), TimeoutError):
        loop.default_exception_handler(context)


def _update(network: Sequential, optimizer: SGD, gradient: Array) -> None:
    """One step of the optimizer, or none: an interrupt in the middle leaves the network as it was."""
    values, velocity = tasks.values(network), list(optimizer.velocity)
    before = [(array, array.copy()) for array in [*values, *velocity] if array.flags.writeable]
    try:
        for (layer, key), part in zip(network.parameters(), tasks.unpack(gradient, values)):
            layer.grads[key] = part
        optimizer.step()
    except BaseException:
        optimizer.velocity[:] = velocity
        for array, old in before:
            array[...] = old
        raise


def _lists(optimizer: SGD) -> dict[str, list[Array]]:
    """The velocity, and what a subclass keeps as it is kept: an array for each parameter."""
    shapes, kept = [v.shape for v in optimizer.velocity], vars(optimizer).items()
    return {name: a for name, a in kept if isinstance(a, list) and [*map(np.shape, a)] == shapes}


def _rates(optimizer: SGD) -> dict[str, float]:
    """The numbers of a subclass, which may change them. (Those of SGD itself are what it has been given.)"""
    return {} if type(optimizer) is SGD else {k: v for k, v in vars(optimizer).items() if is_number(v)}


def _state(network: Sequential, optimizer: SGD) -> dict[str, Array]:
    """The arrays that a step changes, by their names in a checkpoint."""
    values = {name: layer.params[key] for name, layer, key in network.named()}
    pairs = [(kept, *pair) for kept, arrays in _lists(optimizer).items() for pair in zip(values, arrays)]
    return values | {f"{kept} of {name}": array for kept, name, array in pairs}


def _save(path: str, run: dict, history: dict, network: Sequential, optimizer: SGD) -> None:
    """Write all that the rest of a run depends on, in one file that is replaced as a whole."""
    run = run | {"rates": _rates(optimizer)}
    said = {"run": np.array(json.dumps(run, default=lambda array: array.tolist()))}
    write_npz(path, _state(network, optimizer) | {name: np.array(J) for name, J in history.items()} | said)


def _restore(path: str, run: dict, network: Sequential, optimizer: SGD, rng: np.random.Generator) -> dict:
    """Put a checkpoint into network, optimizer and rng, if it fits; returns the history until then."""
    arrays, state = read_npz(path), _state(network, optimizer)
    try:
        saved = json.loads(str(arrays.pop("run")))
        history = {name: arrays.pop(name).tolist() for name in ("loss", "batch_loss")}
        rates, done, kind = [*saved["rates"]], len(history["batch_loss"]), saved["rng"]["bit_generator"]
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"{path}: got another file, want a checkpoint that fit wrote") from None
    forms = [{name: f"{a.shape} of {a.dtype}" for name, a in some.items()} for some in (arrays, state)]
    got = saved | forms[0] | {"rng": kind, "rates": rates, "steps": done}
    kind, rates, done = type(rng.bit_generator).__name__, [*_rates(optimizer)], min(done, run["steps"])
    want = run | forms[1] | {"rng": kind, "rates": rates, "steps": done}
    if differ := sorted(name for name in got | want if got.get(name) != want.get(name)):
        came, wanted = ({name: some.get(name) for name in differ} for some in (got, want))
        raise ValueError(f"{path}: got {came}, want {wanted}")
    rng.bit_generator.state = saved["rng"]
    for name, layer, key in network.named():
        layer.params[key][...] = arrays[name]
    for kept, values in _lists(optimizer).items():
        values[:] = [arrays[f"{kept} of {name}"] for name, _, _ in network.named()]
    vars(optimizer).update(saved["rates"])
    network.forget()
    return history


def _bar(done: int, total: int) -> Iterable[int]:
    """The steps from ``done`` on, with a progress bar."""
    from tqdm import tqdm

    return tqdm(range(done, total), initial=done, total=total, unit="step")
