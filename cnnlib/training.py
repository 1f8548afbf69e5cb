"""Training: shuffle, take a batch, forward, backward, step."""

from collections.abc import Iterable

import numpy as np

from .layers.base import Array, Seed, floating, whole
from .losses import Loss, SoftmaxCrossEntropy
from .network import Sequential
from .optim import SGD


def fit(network: Sequential, loss: Loss, optimizer: SGD, x: Array, t: Array,
        *, epochs: int, batch_size: int, rng: Seed, progress: bool = False) -> dict[str, list[float]]:  # fmt: skip
    """Train for some epochs; returns {"loss": one number an epoch, "batch_loss": one number a step} (S29).

    The loss of an epoch is that of all N examples, each as its batch met it, mean or sum as ``loss`` reduces.
    x (..., N), t (..., N): labels or targets for ``loss``. Each epoch visits all examples once, in an order
    drawn from ``rng`` (a Generator or a seed); the last batch may be smaller. Everything is checked before
    the first step: ValueError for what does not fit. ``progress`` shows a bar (needs tqdm).

    >>> net = Sequential(Dense(1, 2, init=0.0))
    >>> x, t = np.array([[-1.0, 1.0]]), np.array([0, 1])
    >>> history = training.fit(net, SoftmaxCrossEntropy(), SGD(net, lr=1.0), x, t, epochs=2, batch_size=2, rng=0)
    >>> [round(J, 4) for J in history["loss"]]
    [0.6931, 0.3133]
    """
    epochs, batch_size = whole("fit", "epochs", epochs, 0), whole("fit", "batch_size", batch_size, 1)
    t = loss.check(network.output_shape(floating("fit", x).shape), t)
    if optimizer.network is not network:
        raise ValueError("fit: got an optimizer of another network, want one of this network")
    rng, N = np.random.default_rng(rng), x.shape[-1]
    history: dict[str, list[float]] = {"loss": [], "batch_loss": []}
    for _ in _bar(range(epochs)) if progress else range(epochs):
        order = rng.permutation(N)
        batches = [order[start : start + batch_size] for start in range(0, N, batch_size)]
        # take leaves them in C's order, which x[..., batch] does not: up to a fifth of a step
        losses = [step(network, loss, optimizer, *(a.take(batch, -1) for a in (x, t))) for batch in batches]
        history["batch_loss"] += losses
        total = sum(J * loss.divisor(len(batch)) for J, batch in zip(losses, batches))
        history["loss"].append(total / loss.divisor(N))
    return history


def step(network: Sequential, loss: Loss, optimizer: SGD, x: Array, t: Array) -> float:
    """One step of gradient descent on one batch; returns the loss before it (S29).

    x (..., N), t (..., N) as for ``fit``.

    >>> net = Sequential(Dense(1, 2, init=0.0))
    >>> J = training.step(net, SoftmaxCrossEntropy(), SGD(net, lr=1.0), np.array([[1.0]]), np.array([1]))
    >>> round(J, 4), net.layers[0].params["W"].ravel()
    (0.6931, array([-0.5,  0.5]))
    """
    J = loss.forward(network.forward(x), t)
    network.backward(loss.backward(), input_gradient=False)
    optimizer.step()
    return J


def accuracy(network: Sequential, x: Array, t: Array, *, batch_size: int = 500) -> float:
    """The share of examples whose largest score is the label's; x (..., N), t (N,) integers.

    x goes through in pieces of ``batch_size``, which bounds the memory. ValueError for scores that are not
    finite, and for what does not fit.

    >>> net = Sequential(Dense(2, 2, bias=False))
    >>> net.layers[0].params["W"][...] = np.eye(2)
    >>> training.accuracy(net, np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 2.0]]), np.array([0, 1, 1]))
    0.6666666666666666
    """
    t = SoftmaxCrossEntropy().check(network.output_shape(floating("accuracy", x).shape), t)
    N, batch_size = len(t), whole("accuracy", "batch_size", batch_size, 1)
    hits = 0
    for start in range(0, N, batch_size):
        part = slice(start, start + batch_size)
        scores = network.forward(x[..., part])
        if not np.isfinite(scores).all():
            raise ValueError("accuracy: got scores that are not finite, want numbers")
        hits += int((scores.argmax(axis=0) == t[part]).sum())
    return hits / N


def _bar(steps: Iterable[int]) -> Iterable[int]:
    """``steps`` with a progress bar."""
    from tqdm import tqdm

    return tqdm(steps, unit="epoch")
