"""parallel.fit with workers in processes of their own that are killed, hang, come late, run full or are not what they should be."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster, Scheduler
from distributed.security import Security
from faulty import Faulty, Large, Signalled, Slow, sleeps
from helpers import refused, untouched
from sharded import RUN, alone, arrays, functions, network, optimizer, same, together

from cnnlib import SoftmaxCrossEntropy, parallel

HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals that stop and kill are those of Linux and macOS")


class Workers:
    """A scheduler in this process, and others that work for it."""

    def __init__(self):
        self.cluster = LocalCluster(n_workers=0, dashboard_address="localhost:0")
        self.address = self.cluster.scheduler_address
        self.client = Client(self.cluster)
        self.processes = []

    def start(self, n=1, *options, path=HERE):
        """Processes that will be workers: without one that starts them again, and with the layers of the tests."""
        options = ["--no-nanny", "--nthreads", "1", "--no-dashboard", *map(str, options)]
        environment = os.environ | {"PYTHONPATH": f"{path}{os.pathsep}{HERE.parent}", "OPENBLAS_NUM_THREADS": "1"}
        for _ in range(n):
            command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, *options]
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.processes.append(process)

    def ready(self, n):
        """The client, once as many workers are there."""
        self.start(n - len(self.client.nthreads()))
        self.client.wait_for_workers(n, timeout=60)
        return self.client

    def end(self):
        """None is left."""
        while self.processes:
            process = self.processes.pop()
            process.kill()
            process.wait()
        until(lambda: not self.client.nthreads())

    def close(self):
        self.end()
        self.client.close()
        self.cluster.close()


def until(true, seconds=20):
    """Waits for it."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def workers():
    """They stay from test to test; what one has lost is started again for the next."""
    workers = Workers()
    yield workers
    workers.close()


@pytest.fixture
def other_workers():
    """Those of one test."""
    workers = Workers()
    yield workers
    workers.close()


@pytest.fixture(scope="module")
def wanted():
    return alone()


def fault(tmp_path, act, times=1):
    """A layer that does this in the first so many processes that come to their third batch."""
    for n in range(times):
        (tmp_path / f"token{n}").touch()
    return Faulty(tmp_path, act)


def fails(client, *words, error, shards=None, first=(), **options):
    """fit raises this, and network and optimizer are what they were."""
    net = network(*first)
    sgd = optimizer(net)
    with refused(*words, error=error, unchanged=[sgd]):
        parallel.fit(net, SoftmaxCrossEntropy(), sgd, shards or functions(), client=client, **RUN | options)


# ---- workers that are lost, and found ---------------------------------------------------------------


@pytest.mark.parametrize("shards", [arrays, functions])
def test_worker_killed_in_the_middle_of_a_step(workers, tmp_path, wanted, shards):
    client = workers.ready(3)
    got = together(client, shards(), fault(tmp_path, Signalled(signal.SIGKILL)), timeout=20)
    assert len(client.nthreads()) == 2 and not [*tmp_path.iterdir()]
    same(got, wanted)


def test_worker_that_is_stopped(workers, tmp_path, wanted):
    client = workers.ready(3)
    got = together(client, arrays(), fault(tmp_path, Signalled(signal.SIGSTOP)), timeout=3)
    assert len(client.nthreads()) == 2 and not [*tmp_path.iterdir()]
    same(got, wanted)


def test_task_that_hangs_on_one_worker(workers, tmp_path, wanted):
    client = workers.ready(3)
    got = together(client, functions(), fault(tmp_path, sleeps), timeout=3)
    assert len(client.nthreads()) == 2 and not [*tmp_path.iterdir()]
    same(got, wanted)


def test_all_workers_but_one_are_killed(workers, tmp_path, wanted):
    client = workers.ready(3)
    got = together(client, arrays(), fault(tmp_path, Signalled(signal.SIGKILL), times=2), timeout=20)
    assert len(client.nthreads()) == 1 and not [*tmp_path.iterdir()]
    same(got, wanted)


def test_worker_that_comes_late_gets_its_part_and_may_be_the_last(workers, tmp_path, wanted):
    """One begins; another comes, and gets half of the shards; the first is killed; the other ends the run."""
    workers.end()
    client, shares = workers.ready(1), []
    (first,) = workers.processes

    def later():
        workers.start()
        client.wait_for_workers(2, timeout=30)
        until(lambda: len([keys for keys in client.has_what().values() if len(keys) > 2]) == 2)
        shares.append(client.nthreads())
        first.kill()

    thread = threading.Thread(target=later)
    thread.start()
    got = together(client, arrays(), Slow(), epochs=25, timeout=20)
    thread.join()
    assert len(shares[0]) == 2 and len(client.nthreads()) == 1
    same(got, alone(Slow(), epochs=25), 1e-10)


def test_all_workers_are_killed(workers, tmp_path):
    client = workers.ready(2)
    words = f"{workers.address} has had no workers for 1.0 s", f"dask worker {workers.address}"
    fails(client, *words, error=TimeoutError, first=[fault(tmp_path, Signalled(signal.SIGKILL), times=2)], timeout=1.0)


def test_task_that_kills_every_worker_is_named(workers, tmp_path):
    client = workers.ready(3)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        workers.cluster.scheduler.allowed_failures = 0
        layer = fault(tmp_path, Signalled(signal.SIGKILL), times=9)
        fails(client, "summand-of-shard-", "killed", error=RuntimeError, first=[layer], timeout=10)
    workers.cluster.scheduler.allowed_failures = 3


def test_scheduler_that_is_lost(tmp_path):
    path = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    command += ["--no-dashboard", "--scheduler-file", str(path)]
    scheduler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(path.exists)
    time.sleep(0.1)
    with Client(scheduler_file=str(path)) as client:
        timer = threading.Timer(0.5, scheduler.kill)
        timer.start()
        fails(client, client.scheduler.address, "cannot be reached", error=ConnectionError, timeout=5)
    scheduler.wait()


# ---- workers that are not what they should be --------------------------------------------------------


def test_worker_without_cnnlib_and_worker_with_another_version(other_workers, tmp_path):
    for name in ("none", "other"):
        shutil.copytree(HERE.parent / "cnnlib", tmp_path / name / "cnnlib", ignore=shutil.ignore_patterns("__pycache__"))
    missing = tmp_path / "none" / "cnnlib" / "__init__.py"
    missing.write_text("raise ModuleNotFoundError(\"No module named 'cnnlib'\", name='cnnlib')\n")
    (tmp_path / "other" / "cnnlib" / "optim.py").open("a").write("\n")
    other_workers.start(path=f"{tmp_path / 'other'}{os.pathsep}{HERE}")
    other_workers.client.wait_for_workers(1, timeout=30)
    fails(other_workers.client, "shard 0 on tcp://", "this worker has cnnlib 2", "as the client has", error=RuntimeError)
    other_workers.end()
    other_workers.start(path=tmp_path / "none")
    other_workers.client.wait_for_workers(1, timeout=30)
    fails(other_workers.client, "No module named 'cnnlib'", "install cnnlib", error=RuntimeError)


# ---- more data than memory --------------------------------------------------------------------------

LIMIT, SHARDS, SIZE = 300_000_000, 10, 50_000_000  # bytes


def memory(workers, tmp_path):
    """A worker with a limit, and as many shards as together exceed it."""
    workers.start(1, "--memory-limit", LIMIT, "--local-directory", tmp_path)
    workers.client.wait_for_workers(1, timeout=30)
    return [Large(k, SIZE) for k in range(SHARDS)]


def test_shards_that_together_exceed_the_memory_of_the_worker(other_workers, tmp_path):
    shards = memory(other_workers, tmp_path)
    assert SHARDS * SIZE > 1.5 * LIMIT
    net, history = together(other_workers.client, shards, net=Large.network(), epochs=1, batch_size=16)
    (peak,) = other_workers.client.run(peak_memory).values()
    assert peak < SHARDS * SIZE
    twin = Large.network()
    x, t = (np.concatenate(arrays, axis=-1) for arrays in zip(*(shard() for shard in shards)))
    same((net, history), alone_on(twin, x, t, epochs=1, batch_size=16))
    

def peak_memory():
    """The largest memory that this process has had, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
