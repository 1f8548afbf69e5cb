"""parallel.fit with workers in processes of their own that are killed, hang, come late, run full or are not what they should be."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster
from distributed.security import Security
from faulty import Faulty, Large, Signalled, Slow, sleeps
from helpers import refused
from sharded import RUN, alone, arrays, functions, network, optimizer, same, together, until

from cnnlib import SGD, SoftmaxCrossEntropy, parallel, training
from cnnlib import _tasks as tasks

HERE = Path(__file__).resolve().parent
pytestmark = [
    pytest.mark.usefixtures("dask"),
    pytest.mark.skipif(os.name == "nt", reason="the signals that stop and kill are those of Linux and macOS"),
]


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
        environment = os.environ | {
            "PYTHONPATH": f"{path}{os.pathsep}{HERE.parent}",
            "OPENBLAS_NUM_THREADS": "1",
        }
        for _ in range(n):
            command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, *options]
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=HERE
            )
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


def fault(tmp_path, act, times=1, at=3):
    """A layer that does this in the first so many processes that come to their third batch, or another."""
    for n in range(times):
        (tmp_path / f"token{n}").touch()
    return Faulty(tmp_path, act, at)


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
    got = together(client, arrays(), fault(tmp_path, Signalled(signal.SIGSTOP)), timeout=2)
    assert len(client.nthreads()) == 2 and not [*tmp_path.iterdir()]
    same(got, wanted)


def test_task_that_hangs_on_one_worker(workers, tmp_path, wanted):
    client = workers.ready(3)
    got = together(client, functions(), fault(tmp_path, sleeps), timeout=2)
    assert len(client.nthreads()) == 2 and not [*tmp_path.iterdir()]
    same(got, wanted)


def test_all_workers_but_one_are_killed(workers, tmp_path, wanted):
    client = workers.ready(3)
    got = together(client, arrays(), fault(tmp_path, Signalled(signal.SIGKILL), times=2), timeout=20)
    assert len(client.nthreads()) == 1 and not [*tmp_path.iterdir()]
    same(got, wanted)


def test_worker_that_comes_late_gets_its_part_and_may_be_the_last(workers, tmp_path):
    """One begins; another comes, and gets half of the shards; the first is killed; the other ends the run."""
    workers.end()
    client, shares = workers.ready(1), []
    (first,), slow = workers.processes, tmp_path / "slow"
    slow.touch()

    def later():
        workers.start()
        client.wait_for_workers(2, timeout=30)
        until(lambda: len([keys for keys in client.has_what().values() if len(keys) > 2]) == 2)
        shares.append(client.nthreads())
        first.kill()
        slow.unlink()

    thread = threading.Thread(target=later)
    thread.start()
    got = together(client, arrays(), Slow(slow), epochs=12, timeout=20)
    thread.join()
    assert len(shares[0]) == 2 and len(client.nthreads()) == 1
    same(got, alone(epochs=12), 1e-10)


def test_all_workers_are_killed(workers, tmp_path):
    client = workers.ready(2)
    words = f"{workers.address} has had no workers for 2 s", f"dask worker {workers.address}"
    fails(
        client,
        *words,
        error=TimeoutError,
        first=[fault(tmp_path, Signalled(signal.SIGKILL), times=2, at=1)],
        timeout=2,
    )


def test_task_that_kills_every_worker_is_named(workers, tmp_path):
    client = workers.ready(3)
    workers.cluster.scheduler.allowed_failures = 0
    try:
        layer = fault(tmp_path, Signalled(signal.SIGKILL), times=9, at=1)
        fails(client, "of-shard-", "workers died", error=RuntimeError, first=[layer], timeout=10)
    finally:
        workers.cluster.scheduler.allowed_failures = 3


def test_scheduler_that_is_lost(tmp_path):
    path = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    command += ["--no-dashboard", "--scheduler-file", str(path)]
    scheduler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(path.exists)
    time.sleep(0.1)
    with Client(scheduler_file=str(path)) as client:
        timer = threading.Timer(0.2, scheduler.kill)
        timer.start()
        fails(client, client.scheduler.address, "cannot be reached", error=ConnectionError, timeout=1)
    scheduler.wait()


# ---- workers that are not what they should be --------------------------------------------------------


def other_cnnlib(folder):
    """A path on which Python finds another version."""
    shutil.copytree(HERE.parent / "cnnlib", folder / "cnnlib", ignore=shutil.ignore_patterns("__pycache__"))
    changed = folder / "cnnlib" / "optim.py"
    changed.write_text(changed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    return f"{folder}{os.pathsep}{HERE}"


def no_cnnlib(folder):
    """A path on which Python finds none, wherever else one is."""
    (folder / "cnnlib").mkdir(parents=True)
    error = "raise ModuleNotFoundError(\"No module named 'cnnlib'\", name='cnnlib')\n"
    (folder / "cnnlib" / "__init__.py").write_text(error)
    return f"{folder}{os.pathsep}{HERE}"


def test_worker_without_cnnlib_and_worker_with_another_version(other_workers, tmp_path):
    other_workers.start(path=no_cnnlib(tmp_path / "none"))
    other_workers.start(path=other_cnnlib(tmp_path / "other"))
    other_workers.client.wait_for_workers(2, timeout=30)
    words = "has cnnlib 2", "No module named 'cnnlib'", f"want {tasks.version()}"
    fails(other_workers.client, *words, error=RuntimeError)


def test_worker_of_another_version_that_comes_between_two_looks(other_workers, tmp_path, monkeypatch):
    """It gets tasks when the only other worker is lost, before the client has seen it."""

    async def sees_one(client):
        return {address: 1 for address, version in versions.items() if version == tasks.version()}

    other_workers.start(path=other_cnnlib(tmp_path / "other"))
    other_workers.start()
    client = other_workers.client
    client.wait_for_workers(2, timeout=30)
    versions = client.run(tasks.version)
    monkeypatch.setattr(Client, "nthreads", sees_one)
    words = "this worker has cnnlib 2", f"want {tasks.version()} as the client has"
    layer = fault(tmp_path, Signalled(signal.SIGKILL), at=1)
    fails(client, *words, error=RuntimeError, first=[layer], timeout=20)


def test_version_is_that_of_the_files_that_were_imported(tmp_path):
    environment = os.environ | {"PYTHONPATH": other_cnnlib(tmp_path)}
    changes = "import cnnlib._tasks as t; open('cnnlib/optim.py', 'w').close(); print(t.version())"
    said = []
    for code in (changes.replace("open('cnnlib/optim.py', 'w').close()", "pass"), changes):
        command = [sys.executable, "-c", code]
        said.append(subprocess.check_output(command, env=environment, encoding="utf-8", cwd=tmp_path))
    assert (
        said[0] == said[1] != f"{tasks.version()}\n" and not (tmp_path / "cnnlib" / "optim.py").read_bytes()
    )


# ---- more data than memory --------------------------------------------------------------------------

LIMIT, SHARDS = 250_000_000, 20
RUN_OF_LARGE = {"epochs": 1, "batch_size": 400, "rng": 0}


@pytest.fixture
def small_worker(other_workers, tmp_path):
    """The client of one worker whose memory is smaller than all shards, which is the examples of ``Large``."""
    other_workers.start(1, "--memory-limit", LIMIT, "--local-directory", tmp_path)
    other_workers.client.wait_for_workers(1, timeout=30)
    return other_workers.client


def peak_memory():
    """The largest memory that this process has had, in bytes; Linux' maxrss is also that of the process that started it."""
    import resource
    from pathlib import Path

    if sys.platform == "linux":
        status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_shards_that_together_exceed_the_memory_of_the_worker(small_worker):
    shards = [Large(k) for k in range(SHARDS)]
    x, t = (np.concatenate(arrays, axis=-1) for arrays in zip(*(shard() for shard in shards)))
    net, twin, loss = Large.network(), Large.network(), SoftmaxCrossEntropy()
    history = parallel.fit(net, loss, SGD(net, 1e-3), shards, client=small_worker, timeout=20, **RUN_OF_LARGE)
    (peak,) = small_worker.run(peak_memory).values()
    assert peak < x.nbytes, "or this test shows nothing"
    same((net, history), (twin, training.fit(twin, loss, SGD(twin, 1e-3), x, t, **RUN_OF_LARGE)))


def full_disk():
    """From now on no file of this process can have more than a megabyte."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_full_disk_where_a_worker_spills_is_an_error(small_worker):
    small_worker.run(full_disk)
    net = Large.network()
    sgd = SGD(net, 1e-3)
    with refused("(paused)", "more memory", error=TimeoutError, unchanged=[sgd]):
        shards = [Large(k) for k in range(SHARDS)]
        parallel.fit(net, SoftmaxCrossEntropy(), sgd, shards, client=small_worker, timeout=3, **RUN_OF_LARGE)


# ---- who may send work ------------------------------------------------------------------------------


def test_scheduler_with_tls_and_who_has_no_certificate(wanted):
    security = Security.temporary()
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="localhost:0", security=security
    ) as cluster:
        assert cluster.scheduler_address.startswith("tls://")
        with Client(cluster) as client:
            same(together(client, arrays()), wanted)
        with pytest.raises(OSError, match="(?i)certificate|handshake|timed out|tls"):
            Client(
                cluster.scheduler_address,
                security=Security.temporary(),
                timeout=2,
            )
