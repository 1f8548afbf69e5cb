"""What the workers of ``parallel.fit`` run: pure functions of what they are given, so that any worker may do them again."""

import ctypes
import pickle
import sys
import threading
from asyncio import sleep
from collections.abc import Callable
from contextlib import suppress
from copy import copy, deepcopy
from functools import cache, wraps
from hashlib import sha256
from os import PathLike
from pathlib import Path
from time import time
from typing import Any

import numpy as np

from .layers.base import Array, floating
from .losses import Loss
from .network import Sequential, read_npz

Examples = tuple[Array, Array]
Source = Examples | str | PathLike | Callable[[], Examples]
Sum = tuple[Array, float]  # of the gradients, packed, and of the losses
last = threading.local()  # a thread's network keeps its memory from one batch to the next, as on one machine


@cache
def keep_memory() -> None:
    """Have freed memory given out again, as ``layers/base.py`` does: glibc returns that of threads, and Dask asks it to."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(-3, 32 * 2**20)  # M_MMAP_THRESHOLD, the largest
            mallopt(-1, 64 * 2**20)  # M_TRIM_THRESHOLD


async def return_memory(dask_worker: Any) -> None:
    """As long as the worker lives, have what is freed returned whenever the process is half full: what has been moved to disk
    would fill it for ever, as Dask sees it.
    """
    limit, first = dask_worker.memory_manager.memory_limit, not hasattr(dask_worker, "returns_memory")
    dask_worker.returns_memory = True
    with suppress(AttributeError, OSError):  # another C library
        while first and limit and dask_worker.status.name in ("running", "paused"):
            if dask_worker.monitor.get_process_memory() > limit / 2:
                ctypes.CDLL(None).malloc_trim(0)
            await sleep(0.2)


@cache
def version() -> str:
    """The version of cnnlib with a digest of the files that compute: what client and workers must share."""
    from . import __version__

    folder, digest = Path(__file__).parent, sha256()
    for path in sorted([*folder.glob("*.py"), *folder.glob("layers/*.py")]):
        digest.update(path.read_text(encoding="utf-8").encode())
    return f"cnnlib {__version__} ({digest.hexdigest()[:12]})"


def naming(task: Callable[..., Any]) -> Callable[..., Any]:
    """The task of a shard, with errors that say to which shard they belong, and on which worker they arose."""

    @wraps(task)
    def named(shard: int, *arguments: Any) -> Any:
        try:
            return task(shard, *arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit would end the worker
            kept = type(error) if type(error) in (ValueError, FloatingPointError) else RuntimeError
            said = str(error) if kept is type(error) else f"{type(error).__name__}: {error}"
            where = ""
            with suppress(ImportError, ValueError):  # ValueError: this is no worker
                from distributed import get_worker

                where = f" on {get_worker().address}"
            problem = kept(f"shard {shard}{where}: {said}").with_traceback(error.__traceback__)
        raise problem  # here, so that the error itself does not come along, which may be none that can travel

    return named


def values(network: Sequential) -> list[Array]:
    """The parameters of a network."""
    return [layer.params[key] for layer, key in network.parameters()]


def pack(arrays: list[Array]) -> Array:
    """All numbers of the arrays in one vector (P,)."""
    return np.concatenate([array.ravel() for array in arrays])


def unpack(vector: Array, like: list[Array]) -> list[Array]:
    """The vector (P,) cut into arrays with the shapes and dtypes of ``like``."""
    ends = np.cumsum([array.size for array in like])
    parts = np.split(vector, ends[:-1])
    return [part.reshape(a.shape).astype(a.dtype, copy=False) for part, a in zip(parts, like)]


class Blank(tuple):
    """(shape, dtype) of an array for which it stands: it is one of zeros once it is unpickled, under all of its names."""

    def __reduce__(self) -> tuple:
        return np.zeros, (*self,)


def program(network: Sequential, loss: Loss) -> bytes:
    """The version, the network without its numbers, and the loss as a sum: what a worker needs beside the parameters."""
    try:
        from cloudpickle import dumps  # as Dask, which brings it: layers of your own go with their source
    except ImportError:
        from pickle import dumps

    arrays = [a for layer in network.layers for kept in (layer.params, layer.grads) for a in kept.values()]
    blank = {id(a): Blank((a.shape, a.dtype)) for a in arrays if isinstance(a, np.ndarray)}
    bare, given, summed = deepcopy((network, loss, copy(loss)), blank)
    summed.reduction = "sum"
    return version().encode() + b"\n" + dumps((bare, given, summed))


def network_with(program: bytes, parameters: Array) -> tuple[Sequential, Loss, Loss]:
    """The network of a ``program`` with its parameters, the vector (P,), the loss, and the loss as a sum. RuntimeError
    where it comes from another cnnlib than this one.
    """
    if getattr(last, "made", (None,))[0] != program:
        wanted, _, pickled = program.partition(b"\n")
        if version() != wanted.decode():
            raise RuntimeError(f"this worker has {version()}, want {wanted.decode()} as the client has")
        last.made = program, pickle.loads(pickled)
    network, given, summed = last.made[1]
    # Into arrays of its own: those in a message may begin at any byte, and BLAS then gives other bits.
    for value, part in zip(values(network), unpack(parameters, values(network))):
        value[...] = part
    return network, given, summed


def is_read(source: Source) -> bool:
    """Whether a shard is what ``load`` reads, and not the examples themselves."""
    return callable(source) or isinstance(source, (str, PathLike))


@naming
def load(shard: int, source: Any, pickled: bool = False) -> Examples:
    """The examples x (..., N) and t (..., N) of a shard: the arrays of a file, or what a function returns."""
    if pickled:
        source = pickle.loads(source)
    if callable(source):
        return source()
    arrays = read_npz(source)
    if arrays.keys() != {"x", "t"}:
        raise ValueError(f"{source}: got {sorted(arrays)}, want the arrays x and t")
    return arrays["x"], arrays["t"]


@naming
def examine(shard: int, program: bytes, parameters: Array, examples: Examples) -> tuple[int, str]:
    """How many examples a shard has, and of what form; ValueError for what does not fit the network or the loss."""
    if not isinstance(examples, (tuple, list)) or len(examples) != 2:
        raise ValueError(f"got {type(examples).__name__}, want a pair of arrays (x, t)")
    network, given, summed = network_with(program, parameters)
    x, t = floating("fit", examples[0]), np.asarray(examples[1])
    N = x.shape[-1] if x.ndim else 0
    if N or t.shape[-1:] != (0,):
        summed.check(network.output_shape(x.shape), t)
        check_sums(network, given, summed, x, t)
    return N, f"x {(*x.shape[:-1], 'N')} of {x.dtype}, t {(*t.shape[:-1], 'N')} of kind {t.dtype.kind!r}"


def check_sums(network: Sequential, given: Loss, summed: Loss, x: Array, t: Array) -> None:
    """ValueError unless loss and gradient of two examples are the sums of those of each, which all of this rests on."""
    before, ends = pack(values(network)), [0, x.shape[-1] - 1]
    close = np.sqrt(max(np.finfo(a.dtype).eps for a in (x, np.zeros(0, np.float32), *values(network))))
    (G, J), (H, K) = (sums(network, summed, x, t, [n]) for n in ends)
    for loss, by in ((summed, 1), (given, given.divisor(2))):
        both, L = sums(network, loss, x, t, ends)
        off = abs(by * L - J - K) > close * (1 + abs(J) + abs(K))
        for f, g, h in zip(*(unpack(vector, values(network)) for vector in (by * both, G, H))):
            # much, for rounding may put an example on the other side of a ReLU's kink
            off |= length(f - g - h) > 0.05 * (length(g) + length(h)) + close * (length(G) + length(H))
        if off:
            want = "layers and a loss that treat each example for itself, without chance"
            raise ValueError(f"the gradient of two examples is not the sum of those of each, want {want}")
    if not np.array_equal(before, pack(values(network)), equal_nan=True):
        raise ValueError("a layer has changed its parameters, want them left to the optimizer")


def length(array: Array) -> float:
    """The root of the sum of squares, which overflows in float16."""
    return float(np.sqrt(np.square(array, dtype=float).sum()))


def sums(network: Sequential, loss: Loss, x: Array, t: Array, rows: Array | list[int]) -> Sum:
    """Gradient and loss of some examples, by their places ``rows``."""
    x, t = (np.take(array, rows, axis=-1) for array in (x, t))  # in C's order, which x[..., rows] is not
    J = float(loss.forward(network.forward(x), t))
    network.backward(loss.backward(), input_gradient=False)
    for name, layer, key in network.named():
        if (got := np.shape(layer.grads[key])) != (want := layer.params[key].shape):
            raise ValueError(f"{name}: got a gradient of shape {got}, want {want}")
    return pack([layer.grads[key] for layer, key in network.parameters()]), J


@naming
def summand(shard: int, program: bytes, parameters: Array, examples: Examples, rows: Array, N: int) -> Sum:
    """``sum_n dJ_n/dtheta`` and ``sum_n J_n`` over some of N examples of a shard, by their places ``rows`` (S31, S32)."""
    if (got := np.shape(examples[0])[-1]) != N:
        raise ValueError(f"got {got} examples when it was read again, want {N} as before")
    keep_memory()
    network, _, summed = network_with(program, parameters)
    gradient, J = sums(network, summed, *examples, rows)
    if not np.isfinite(J) or not np.isfinite(gradient).all():
        raise FloatingPointError("got a loss or a gradient that is not finite, want numbers")
    return gradient, J


def add(first: Sum, *others: Sum) -> Sum:
    """The sums added in the order in which they stand, whenever each came."""
    gradient, J = first[0].copy(), first[1]
    for other, more in others:
        gradient += other
        J += more
    return gradient, J


async def remove_stuck(keys: list[str], patience: float, dask_scheduler: Any) -> tuple[list[str], bool]:
    """On the scheduler: which workers stay, and whether to ask again. Out go those that have been silent for some seconds
    and three heartbeats, or else those at work on one of the keys while others have nothing left to do. To ask again
    helps, too, where nobody is at work on what is not done: Dask waits for a worker that is gone, or has lost the keys.
    """
    from distributed.scheduler import heartbeat_interval

    workers = dask_scheduler.workers
    patience = max(patience, 3 * heartbeat_interval(len(workers)))
    silent = {address for address, worker in workers.items() if time() - worker.last_seen > patience}
    tasks = [dask_scheduler.tasks[key] for key in keys if key in dask_scheduler.tasks]
    busy = {task.processing_on.address for task in tasks if task.processing_on}
    stuck = silent or (busy if busy != workers.keys() else set())
    for address in sorted(stuck):
        await dask_scheduler.remove_worker(address, stimulus_id="cnnlib-stuck")
    waits = not busy and [task.state for task in tasks].count("memory") < len(keys)
    left = [f"{address} ({worker.status.name})" for address, worker in sorted(workers.items())]
    return left, bool(stuck) or waits and bool(dask_scheduler.running)


version()  # now, for the files may be others when it is first asked for
