"""The workers of ``parallel.fit``: where each shard is, what they are asked, and what happens when one is lost."""

import time
from asyncio import CancelledError
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError as Cancelled
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from . import _tasks as tasks
from .layers.base import Array

if TYPE_CHECKING:
    from distributed import Client, Future

FAN_IN = 8  # sums that one task adds
ATTEMPTS = 10  # how often a step is begun before it is given up
SMALL = 2**23  # bytes of parameters that the scheduler hands out with the tasks, which saves it one
LOOK = 1.0  # seconds after which the workers are counted again


def alike(answers: list[tuple[int, str]]) -> list[int]:
    """How many examples each shard has; ValueError where shards have another form than the first, or are all empty."""
    counts, forms = zip(*answers)
    for i, form in enumerate(forms):
        if form != forms[0]:
            raise ValueError(f"fit: shard {i} has {form}, want {forms[0]} as shard 0 has")
    if not sum(counts):
        raise ValueError("fit: all shards are empty, want at least one example")
    return list(counts)


def added(sums: list, add: Callable[..., Any]) -> list:
    """The lists of sums of a tree from its leaves to its root, in an order that depends on their number alone."""
    levels = [sums]
    while len(sums) > 1:
        levels.append(sums := [add(*sums[j : j + FAN_IN]) for j in range(0, len(sums), FAN_IN)])
    return levels


def forget(futures: Iterable["Future"]) -> None:
    """Tell the scheduler that nobody waits for these any more. (To cancel them would end the connection to the client,
    where one that nobody waits for any more is computed from another.)
    """
    with suppress(RuntimeError):  # of a loop that has ended
        for future in futures:
            future.release()


class Alone:
    """This process in the place of the workers: the same sums in the same order, so the same bits."""

    def __init__(self, sources: Sequence[tasks.Source]):
        self.data = [tasks.load(i, s) if tasks.is_read(s) else s for i, s in enumerate(sources)]

    def examine(self, program: bytes, parameters: Array) -> list[int]:
        """As ``Cluster.examine``."""
        return alike([tasks.examine(i, program, parameters, data) for i, data in enumerate(self.data)])

    def step(self, program: bytes, parameters: Array, rows: dict[int, tuple[Array, int]]) -> tasks.Sum:
        """As ``Cluster.step``."""
        sums = [tasks.summand(i, program, parameters, self.data[i], *rows[i]) for i in rows]
        return added(sums, tasks.add)[-1][0]

    def release(self) -> None:
        """Forget the shards."""
        self.data.clear()


class Cluster:
    """The workers, and where each shard is."""

    def __init__(self, client: "Client", sources: Sequence[tasks.Source], timeout: float):
        try:
            from distributed import Client, Future
        except ImportError as problem:
            raise ModuleNotFoundError("fit: its workers need Dask: pip install distributed") from problem
        if not isinstance(client, Client) or client.asynchronous:
            raise ValueError(f"fit: client is {client!r}, want a distributed.Client, asynchronous=False")
        if client.status != "running":
            raise ConnectionError(f"fit: the client is {client.status}, want one with a scheduler")
        self.client, self.sources, self.timeout = client, list(sources), timeout
        self.address = client.scheduler.address
        self.data: list[Future | None] = [None] * len(sources)
        self.home, self.looked, self.known = [""] * len(sources), -np.inf, set[str]()
        self.asked: list[Future] = []

    def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """A method of the client, which gives up after the time-out."""
        return self.client.sync(function, *args, callback_timeout=self.timeout, **options)

    def place(self) -> None:
        """Put each shard on a worker: where it is already, unless that worker is gone or has more than its part.

        What a function or a file gives is a task, which Dask does again where its worker is lost; arrays are sent again.
        """
        self.looked, threads = time.monotonic(), self.call(self.client.nthreads)
        if not threads:
            self.asked = [self.client.submit(int, pure=False)]  # a cluster may grow only where there is work
            self.call(self.client.wait_for_workers, 1, self.timeout)
            threads = self.call(self.client.nthreads)
        if new := threads.keys() - self.known:
            self.meet(new)
        there = {f.key: f for f in self.data if f and f.status in ("pending", "finished")}
        found = self.call(self.client.who_has, [*there.values()]) if there else {}
        whole = sum(threads.values())
        part = {worker: ceil(len(self.data) * n / whole) for worker, n in sorted(threads.items())}
        held, homeless = Counter[str](), list[int]()
        for i, future in enumerate(self.data):
            where = found.get(future.key, ()) if future else ()
            if where and self.home[i] not in where:
                self.home[i] = where[0]
            if future and future.key in there and held[self.home[i]] < part.get(self.home[i], 0):
                held[self.home[i]] += 1
            else:
                homeless.append(i)
        for i in homeless:
            self.home[i] = home = min(part, key=lambda worker: held[worker] / threads[worker])
            held[home] += 1
            self.data[i] = self.send(i, self.sources[i])

    def meet(self, new: set[str]) -> None:
        """RuntimeError where a worker has another cnnlib, or none."""
        answers = self.call(self.client.run, tasks.version, workers=[*new], on_error="return")
        self.known |= {worker for worker, answer in answers.items() if answer == tasks.version()}
        there = {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}
        if wrong := [f"{worker} has {there[worker]}" for worker in sorted(there.keys() - self.known)]:
            raise RuntimeError(f"fit: worker {', '.join(wrong)}, want {tasks.version()} as here")
        self.call(self.client.run, tasks.return_memory, workers=[*new & self.known], wait=False)

    def send(self, shard: int, source: tasks.Source) -> "Future":
        """A shard on its way to its worker."""
        import cloudpickle

        if tasks.is_read(source):
            key, pickled = f"load-of-shard-{shard}-{uuid4().hex}", callable(source)
            if pickled:
                source = cloudpickle.dumps(source)  # what a worker cannot load is then an error of its task
            return self.submit({key: (tasks.load, shard, source, pickled)}, {key: shard})[0]
        return self.call(self.client.scatter, [source], workers=[self.home[shard]], hash=False)[0]

    def submit(self, calls: dict[str, tuple[Any, ...]], shards: dict[str, int]) -> list["Future"]:
        """Tasks {key: (function, *arguments)} in one message; keys among the arguments stand for results.

        Each goes to where its shard is, if it can. A message of its own for each would wait ten milliseconds for the last.
        """
        import dask
        from dask.highlevelgraph import HighLevelGraph

        homes = {key: self.home[shard] for key, shard in shards.items()}
        with dask.annotate(workers=homes.__getitem__, allow_other_workers=True):
            graph = HighLevelGraph({"calls": calls}, {"calls": set()})
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 PB"}):  # parameters
            return self.client.get(graph, [*calls], sync=False)

    def ask(self, make: Callable[[], list["Future"]], results: slice) -> list:
        """What the tasks that ``make`` submits give. Where workers or data are lost on the way, they are made anew.

        The tasks are pure functions of what they are given: they give the same bits, wherever and how often they run.
        """
        from distributed import KilledWorker

        problem: BaseException | None = None
        for _ in range(ATTEMPTS):
            try:
                if time.monotonic() > self.looked + LOOK:
                    self.place()
                # only now those of the step before are given up: that is a message, and this one would wait for it
                self.asked = make()
                return [self.call(self.client.gather, future) for future in self.asked[results]]
            except (Exception, CancelledError) as error:
                if self.client.status != "running":
                    raise ConnectionError(f"fit: scheduler {self.address} cannot be reached") from error
                if isinstance(error, KilledWorker):
                    raise RuntimeError(f"fit: {error}") from error
                if not isinstance(error, (CancelledError, Cancelled, OSError, KeyError)):
                    raise  # (a KeyError is of a scheduler that has just lost a worker)
                if isinstance(error, TimeoutError):  # which is an OSError
                    self.remove_stuck()
                forget(self.asked)
                self.looked, problem = -np.inf, error
        raise RuntimeError(f"fit: given up after {ATTEMPTS} attempts, the last: {problem!r}") from problem

    def remove_stuck(self) -> None:
        """Take the workers out that do not answer; TimeoutError where that leaves nothing to hope for."""
        keys = [future.key for future in [*self.asked, *filter(None, self.data)]]
        try:
            left, again = self.call(self.client.run_on_scheduler, tasks.remove_stuck, keys, self.timeout / 2)
        except TimeoutError:
            late = f"the scheduler {self.address} has not answered within {self.timeout} s"
            raise TimeoutError(f"fit: {late}") from None
        if not again:
            none = f"the scheduler {self.address} has had no workers for {self.timeout} s, want at least one"
            hint = "try a larger timeout, and more memory for a worker that has paused"
            late = f"{', '.join(left)} not finished within {self.timeout} s: {hint}"
            raise TimeoutError(f"fit: {late if left else f'{none}: dask worker {self.address}'}")

    def examine(self, program: bytes, parameters: Array) -> list[int]:
        """How many examples each shard has, once it is known that they are alike and fit the network."""

        def make() -> list["Future"]:
            return self.submit(*self.each(tasks.examine, program, parameters, {i: () for i in shards}))

        shards = range(len(self.data))
        return alike(self.ask(make, slice(-len(shards), None)))

    def step(self, program: bytes, parameters: Array, rows: dict[int, tuple[Array, int]]) -> tasks.Sum:
        """The sums of gradients and losses over the examples of a batch: {shard: (their places in it, its size)}."""

        def make() -> list["Future"]:
            calls, shards = self.each(tasks.summand, program, parameters, rows)

            def add(*sums: str) -> str:
                key = f"add-{len(calls)}-{uuid4().hex}"
                calls[key], shards[key] = (tasks.add, *sums), shards[sums[0]]
                return key

            added([*calls][-len(rows) :], add)
            return self.submit(calls, shards)

        return self.ask(make, slice(-1, None))[0]

    def each(self, function: Callable[..., Any], program: bytes, parameters: Array, more: dict[int, tuple]) -> tuple:  # fmt: skip
        """({key: call of the function} for some shards, with ``more`` arguments for each, {key: shard})."""
        run, calls, shards = uuid4().hex, dict[str, tuple](), dict[str, int]()
        vector: Array | str = parameters
        if parameters.nbytes * len(more) >= SMALL:
            vector = key = f"parameters-{run}"
            calls[key], shards[key] = (np.asarray, parameters), min(more)
        for i, arguments in more.items():
            key = f"{function.__name__}-of-shard-{i}-{run}"
            calls[key], shards[key] = (function, i, program, vector, self.data[i], *arguments), i
        return calls, shards

    def release(self) -> None:
        """Let the workers forget the shards."""
        forget([*self.asked, *filter(None, self.data)])
