"""parallel.fit with workers in processes of their own that are killed, hang, come late or compute nonsense."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import faulty
import numpy as np
import pytest
from distributed import Client, LocalCluster
from helpers import numbers

from cnnlib import SGD, Dense, Sequential, SoftmaxCrossEntropy, Tanh, parallel, training

HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="signals that stop and kill are those of Linux and macOS"
)
N, ENDS = 90, (0, 25, 60, 90)


def examples(k=None):
    """All examples, or those of shard k."""
    x, t = numbers((6, N), 1), np.arange(N) % 3
    part = slice(None) if k is None else slice(*ENDS[k : k + 2])
    return x[..., part], t[part]


def network(*first):
    return Sequential(*first, Dense(6, 5, rng=0), Tanh(), Dense(5, 3, rng=1))


SHARDS = {
    "arrays": lambda: [examples(k) for k in range(3)],
    "functions": lambda: [Examples(k) for k in range(3)],
}


class Examples:
    """A function that a worker calls for its shard."""

    def __init__(self, k):
        self.k = k

    def __call__(self):
        return examples(self.k)


def trained(how, *first, net=None, **options):
    """The network after some epochs, by ``how``, and the history."""
    net = net or network(*first)
    optimizer = SGD(net, 0.1, momentum=0.9, weight_decay=1e-3)
    return net, how(
        net, SoftmaxCrossEntropy(), optimizer, **{"epochs": 3, "batch_size": 30, "rng": 4} | options
    )


def alone():
    """The same on one machine."""
    return trained(
        lambda net, loss, optimizer, **options: training.fit(net, loss, optimizer, *examples(), **options)
    )


def values(net):
    return [layer.params[key] for layer, key in net.parameters()]


def same(one, other):
    for a, b in zip(values(one[0]), values(other[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    for name in ("loss", "batch_loss"):
        np.testing.assert_allclose(one[1][name], other[1][name], rtol=0, atol=1e-12)


ENVIRONMENT = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}", "OPENBLAS_NUM_THREADS": "1"}


class Workers:
    """A scheduler here, and processes that work for it."""

    def __init__(self):
        self.cluster = LocalCluster(n_workers=0, dashboard_address=None)
        self.client = Client(self.cluster)
        self.processes = []

    def start(self, n, **environment):
        options = ["--no-nanny", "--nthreads", "1", "--no-dashboard", "--preload", "faulty"]
        command = [
            sys.executable,
            "-m",
            "distributed.cli.dask_worker",
            self.cluster.scheduler_address,
            *options,
        ]
        for _ in range(n):
            process = subprocess.Popen(
                command, env=ENVIRONMENT | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self.processes.append(process)
        return self

    def wait(self, n):
        self.client.wait_for_workers(n, timeout=30)
        return self.client

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.client.close()
        self.cluster.close()


@pytest.fixture(scope="module")
def workers():
    """As many as a test wants are there; those that it loses are replaced for the next."""
    workers = Workers()
    yield workers
    workers.close()


def ready(workers, n):
    gone = [p for p in workers.processes if p.poll() is not None]
    workers.processes = [p for p in workers.processes if p not in gone]
    have = len(workers.client.nthreads())
    workers.start(max(0, n - have))
    return workers.wait(n)


def token(tmp_path):
    path = tmp_path / "token"
    path.touch()
    return path


@pytest.mark.parametrize("kind", SHARDS)
def test_worker_killed_in_the_middle_of_a_step(workers, tmp_path, kind):
    client = ready(workers, 3)
    fault = faulty.Faulty(token(tmp_path), faulty.Signalled(signal.SIGKILL))
    got = trained(parallel.fit, fault, shards=SHARDS[kind](), client=client, timeout=20)
    assert not Path(fault.token).exists() and len(client.nthreads()) == 2
    same(got, alone())


def test_worker_that_hangs(workers, tmp_path):
    client = ready(workers, 3)
    fault = faulty.Faulty(token(tmp_path), faulty.Signalled(signal.SIGSTOP))
    got = trained(parallel.fit, fault, shards=SHARDS["arrays"](), client=client, timeout=3)
    assert not Path(fault.token).exists() and len(client.nthreads()) == 2
    same(got, alone())
