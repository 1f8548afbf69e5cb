"""What the tests of parallel.fit share: examples in uneven shards, a network, training with and without workers."""

import time

import numpy as np
from helpers import numbers

from cnnlib import SGD, Conv2d, Dense, Flatten, Sequential, SoftmaxCrossEntropy, Tanh, parallel, training

N = 90
ENDS = 0, 8, 8, 25, 26, 60, 71, 90  # seven shards, one of them empty
RUN = {"epochs": 2, "batch_size": 30, "rng": 4}


def examples(k=None, dtype=float):
    """All examples, or those of shard k."""
    x, t = numbers((1, 4, 5, N), 1, dtype), np.arange(N) % 3
    part = slice(None) if k is None else slice(*ENDS[k : k + 2])
    return x[..., part], t[part]


class Shard:
    """A function that a worker calls for its examples."""

    def __init__(self, k):
        self.k = k

    def __call__(self):
        return examples(self.k)


def arrays(dtype=float):
    return [examples(k, dtype) for k in range(7)]


def functions():
    return [Shard(k) for k in range(7)]


def files(folder):
    """Paths, every second one a text."""
    paths = [folder / f"{k}.npz" for k in range(7)]
    for path, (x, t) in zip(paths, arrays()):
        np.savez(path, x=x, t=t)
    return [str(path) if k % 2 else path for k, path in enumerate(paths)]


def network(*first, dtype=float):
    layers = Conv2d(1, 2, (3, 2), rng=0), Tanh(), Flatten(), Dense(2 * 2 * 4, 3, rng=1)
    return Sequential(*first, *layers).astype(dtype)


def optimizer(net):
    return SGD(net, 0.1, momentum=0.9, weight_decay=1e-3)


def alone(*first, net=None, loss=None, dtype=float, **options):
    """(network, history) after training on one machine."""
    net = net or network(*first, dtype=dtype)
    history = training.fit(
        net, loss or SoftmaxCrossEntropy(), optimizer(net), *examples(None, dtype), **RUN | options
    )
    return net, history


def together(client, shards, *first, net=None, loss=None, dtype=float, **options):
    """The same with workers."""
    net = net or network(*first, dtype=dtype)
    loss = loss or SoftmaxCrossEntropy()
    return net, parallel.fit(net, loss, optimizer(net), shards, client=client, **RUN | options)


def values(net):
    return [layer.params[key] for layer, key in net.parameters()]


def same(one, other, tolerance=1e-12):
    """Networks and histories agree, to the last bit where the tolerance is 0."""
    for a, b in zip(values(one[0]), values(other[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)
    assert one[1].keys() == other[1].keys()
    for name in one[1]:
        np.testing.assert_allclose(one[1][name], other[1][name], rtol=0, atol=tolerance)


def until(true, seconds=20):
    """Waits for it."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
