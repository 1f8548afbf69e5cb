"""A step of parallel.fit by the number of workers, beside PyTorch's DistributedDataParallel; float32, one thread each.

    python benchmarks/parallel.py                                     # prints
    python benchmarks/parallel.py --json cnnlib/data/parallel.json    # and stores what the chapter draws

The workers are processes of this machine: what is measured is its loopback, never a network. All engines take turns, and
each worker has the same number of the batch's examples, which it takes out of its shard anew in each step:

- one: training.step in this process, on rows that are taken out as training.fit does it
- dask: a step of parallel.fit with so many workers, and as many shards
- ddp: the same network and step in PyTorch, with so many processes, on gloo

Their losses must agree. Of all rounds the quietest quarter is kept, by the processor time that other programs took meanwhile. Then: the bytes that a step moves; a step of a network that computes next to nothing, by the number of its tasks;
and a model of what a step costs above its sums, fitted to all of these by least squares.
"""

import threads  # noqa: F401, I001  (before NumPy)
import argparse
import os
import time
from contextlib import ExitStack
from math import ceil
from pathlib import Path

import ddp
import loops
import numpy as np
import others
import step
import timing

from cnnlib import SGD, Dense, Sequential, SoftmaxCrossEntropy, parallel, training
from cnnlib import _tasks as tasks
from cnnlib._cluster import FAN_IN, SMALL, Cluster

NETS = {"net2": lambda: step.network("net2"), "lenet": loops.lenet}
IMAGES = {"net2": "net2", "lenet": "net1"}
WORKERS = 1, 2
SHARDS = 1, 2, 4, 8  # of the network that computes nothing
ASSUMED = {"bandwidth_MB_s": 125.0, "latency_ms": 0.1}  # 1 Gbit/s: nothing here measures it
LR = 0.01


def cut(x, t, shards):
    """The examples in equal shards, each with an order of its rows: (x, t, rows)."""
    size, rng = len(t) // shards, np.random.default_rng(0)
    parts = [slice(k * size, (k + 1) * size) for k in range(shards)]
    return [(x[..., part].copy(), t[part], rng.permutation(size)) for part in parts]


def one(net, shards, lr):
    """Steps in this process."""
    ((x, t, rows),) = shards
    loss, optimizer = SoftmaxCrossEntropy(), SGD(net, lr)
    return lambda: training.step(net, loss, optimizer, np.take(x, rows, -1), t[rows])


def dask(client, net, shards, lr):
    """Steps of parallel.fit, as its loop does them."""
    loss, optimizer = SoftmaxCrossEntropy(), SGD(net, lr)
    cluster = Cluster(client, [shard[:2] for shard in shards], timeout=60.0)
    program, rows = tasks.program(net, loss), {k: (shard[2], len(shard[1])) for k, shard in enumerate(shards)}
    N = sum(cluster.examine(program, packed(net)))

    def one_step():
        gradient, J = cluster.step(program, packed(net), rows)
        parallel._update(net, optimizer, gradient / N)
        return J / N

    return one_step


def packed(net):
    return tasks.pack(tasks.values(net))


def agree(compared):
    """Stops unless all lose the same in three steps, up to rounding."""
    for _ in range(3):
        losses = {name: do() for name, do in compared.items()}
        np.testing.assert_allclose([*losses.values()], losses["one 1"], rtol=1e-4, err_msg=str(losses))


def spread(ms):
    """What is stored of times."""
    low, median, high = np.percentile(ms, [25, 50, 75])
    names = {"median": float(median), "min": float(min(ms)), "quartiles": [float(low), float(high)]}
    return {name: np.round(value, 3).tolist() for name, value in names.items()}


def scaling(times):
    """How many times as fast two workers are as one: of the medians, of the minima, and the median of the rounds' ratios."""
    a, b = (np.array(ms) for ms in times)
    found = {
        "medians": np.median(a) / np.median(b),
        "minima": a.min() / b.min(),
        "rounds": np.median(a / b),
    }
    return {name: round(float(ratio), 3) for name, ratio in found.items()}


def longest(client, since):
    """Milliseconds of the longest sum of each step since then, in their order."""
    found = {}
    for task in client.get_task_stream(start=since):
        name, _, run = task["key"].rpartition("-")
        spans = [s for s in task["startstops"] if s["action"] == "compute"]
        if name.startswith("summand"):
            start, ms = found.get(run, (np.inf, 0.0))
            found[run] = min(start, spans[0]["start"]), max(ms, 1000 * (spans[0]["stop"] - spans[0]["start"]))
    return [ms for _, ms in sorted(found.values())]


def of_others():
    """Seconds of processor time that programs other than this one and those that it has started have taken on this machine."""
    from psutil import Process, cpu_times

    whole, ours = cpu_times(), [Process(), *Process().children(recursive=True)]
    own = sum(process.cpu_times().user + process.cpu_times().system for process in ours)
    return whole.user + whole.nice + whole.system - own


def measured(compared, clients, rounds):
    """Times by name and round, of steps on workers the longest sums, and what others took of the machine meanwhile.

    Of the rounds only the quietest quarter is kept: those in which other programs took least processor time.
    """
    since, times, shares, order = time.time(), {name: [] for name in compared}, [], [*compared]
    for _ in range(rounds):
        start, before = time.perf_counter(), of_others()
        for name, ms in timing.race({name: compared[name] for name in order}, 1).items():
            times[name] += ms
        shares.append((of_others() - before) / (time.perf_counter() - start) / os.cpu_count())
        order = order[1:] + order[:1]
    kept = np.sort(np.argsort(shares, kind="stable")[: ceil(rounds / 4)])
    sums = {
        f"dask {n}": longest(client, since)[1::2] for n, client in clients.items()
    }  # each second is timed
    times, sums = ({name: np.array(ms)[kept] for name, ms in some.items()} for some in (times, sums))
    how = {
        "rounds": len(kept),
        "of_rounds": rounds,
        "others_share": round(float(np.median(np.array(shares)[kept])), 3),
    }
    return times, sums, how


def bytes_of(client, do, steps=10):
    """Bytes that a step moves: what the scheduler sends to a worker, and the data that a worker sends to others."""

    def sent(dask_scheduler):
        return sum(stream.byte_count for stream in dask_scheduler.stream_comms.values())

    def served(dask_worker):
        return dask_worker.transfer_outgoing_bytes_total

    def count():
        down, up = client.run_on_scheduler(sent), client.run(served)
        return np.array([down, sum(up.values())]) / len(up)

    before = count()
    for _ in range(steps):
        do()
    down, up = (count() - before) / steps
    return round(down), round(up)


def tasks_of(shards, size=0):
    """How many tasks a step has: a sum for each shard, those that add sums, and one that hands out parameters of so many bytes
    where they are large."""
    left, count = shards, shards + (shards * size >= SMALL)
    while left > 1:
        left = ceil(left / FAN_IN)
        count += left
    return count


def path_of(shards):
    """How often a step's numbers travel one after the other: to the scheduler, to each worker, between workers, and back by the scheduler."""
    hops, left = 1 + shards + 2, shards
    while left > 1:
        hops += min(left, FAN_IN) - 1
        left = ceil(left / FAN_IN)
    return hops


def fitted(above):
    """The model of what a step costs above its longest sum, by least squares: latency + tasks and bytes at their costs.

    ``above``: {name: (shards, bytes of the parameters, ms)}.
    """
    rows = [[1.0, tasks_of(n, size), path_of(n) * size / 1e6] for n, size, _ in above.values()]
    ms = np.array([ms for *_, ms in above.values()])
    (fixed, task, per_mb), *_ = np.linalg.lstsq(np.array(rows), ms)
    off = ms - rows @ np.array([fixed, task, per_mb])
    return {
        "latency_ms": round(float(fixed), 3),
        "per_task_ms": round(float(task), 3),
        "bandwidth_MB_s": round(1000 / float(per_mb), 1),
        "above_ms": {name: round(ms, 3) for name, (*_, ms) in above.items()},
        "residuals": {name: round(float(x), 3) for name, x in zip(above, off)},
    }


def main(arguments=None):
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="store the results in this file")
    parser.add_argument(
        "--rounds",
        type=int,
        default=60,
        help="timed steps of the largest batch; of the others four times as many",
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 1024])
    parser.add_argument(
        "--light", action="store_true", help="workers that are threads, no PyTorch: for a test"
    )
    options = parser.parse_args(arguments)

    results = {"machine": timing.print_machine(), "dtype": "float32", "steps": [], "scaling": {}, "bytes": {}}
    above, sums_ms = {}, {}
    with ExitStack() as stack:
        clients, groups = {}, {}
        for n in WORKERS:
            cluster = LocalCluster(
                n_workers=n,
                threads_per_worker=1,
                processes=not options.light,
                protocol="tcp",
                dashboard_address="localhost:0",
                silence_logs=50,
            )
            stack.enter_context(cluster)
            clients[n] = stack.enter_context(Client(cluster))
            clients[n].get_task_stream()  # from now on the scheduler takes notes
            if not options.light and others.usable("torch"):
                groups[n] = stack.enter_context(ddp.ranks(n))
        for name, make in NETS.items():
            for batch in options.batches:
                x, t = step.images(IMAGES[name], batch)
                compared = {"one 1": one(make(), cut(x, t, 1), LR)}
                compared |= {f"dask {n}": dask(clients[n], make(), cut(x, t, n), LR) for n in WORKERS}
                compared |= {f"ddp {n}": group(make(), cut(x, t, n), LR) for n, group in groups.items()}
                agree(compared)
                rounds = options.rounds if batch == max(options.batches) else 4 * options.rounds
                times, sums, how = measured(compared, clients, rounds)
                for engine, ms in times.items():
                    kind, n = engine.split()
                    found = {"network": name, "batch": batch, "engine": kind, "workers": int(n)}
                    results["steps"].append(found | {"ms": spread(ms)} | how)
                    print(f"{name} batch {batch:4} {engine:6} {results['steps'][-1]['ms']} ms", flush=True)
                kinds = ("dask", "ddp") if groups else ("dask",)
                ratios = {kind: scaling([times[f"{kind} {n}"] for n in WORKERS]) for kind in kinds}
                results["scaling"].setdefault(name, {})[str(batch)] = ratios
                print(f"{name} batch {batch:4} two workers against one: {ratios}  {how}", flush=True)
                size = packed(make()).nbytes
                for n in WORKERS:
                    case = f"{name} {batch} {n}"
                    sums_ms[case] = float(np.median(sums[f"dask {n}"]))
                    above[case] = (
                        n,
                        size,
                        float(np.median(np.subtract(times[f"dask {n}"], sums[f"dask {n}"]))),
                    )
            down, up = bytes_of(clients[2], compared["dask 2"])
            found = {"parameters": size // 4, "dtype": "float32", "packed": size}
            results["bytes"][name] = found | {"down_per_worker": down, "up_per_worker": up}
            print(f"{name}: {results['bytes'][name]}")
        tiny = {}
        for n in SHARDS:
            x, t = np.ones((1, n), np.float32), np.zeros(n, int)
            net = Sequential(Dense(1, 2, rng=0)).astype(np.float32)
            tiny[n] = dask(clients[min(n, 2)], net, cut(x, t, n), LR)
        times, *_ = measured(tiny, {}, 4 * options.rounds)
        for n, ms in times.items():
            above[f"nothing {n}"] = n, 16, float(np.median(ms))
    tasks_ms = {str(tasks_of(n)): round(float(np.median(ms)), 3) for n, ms in times.items()}
    per_task, per_step = np.polyfit([*map(int, tasks_ms)], [*tasks_ms.values()], 1)
    results["scheduler_ms"] = {
        "per_step": round(float(per_step), 3),
        "per_task": round(float(per_task), 3),
        "by_tasks": tasks_ms,
    }
    print(f"a step that computes nothing: {results['scheduler_ms']} ms")
    batch = max(options.batches)
    each = {name: {n: sums_ms[f"{name} {batch} {n}"] * n / batch for n in WORKERS} for name in NETS}
    results["model"] = {"compute_ms_per_example": {name: round(ms[1], 5) for name, ms in each.items()}}
    results["model"] |= fitted(above) | {"assumed": ASSUMED}
    # two sums at once on one machine share its caches and memory: how much longer each takes
    results["model"]["side_by_side"] = {name: round(ms[2] / ms[1], 3) for name, ms in each.items()}
    print(f"model: {results['model']}")
    if options.json:
        timing.store(options.json, results)


if __name__ == "__main__":
    main()
