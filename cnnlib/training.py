"""Training: shuffle, take a batch, forward, backward, step."""

from collections.abc import Iterable

import numpy as np

from .layers.base import Array, Seed, floating, whole
from .losses import Loss, SoftmaxCrossEntropy
from .network import Sequential
from .optim import SGD


def fit(network: Sequential, loss: Loss, optimizer: SGD, x: Array, t: Array,
        *, epochs: int, batch_size: int, rng: Seed, progress: bool = False) -> dict[str, list[float]]:  # fmt: skip
    """Train for some epochs; returns {"loss": one number an epoch, "batch_loss": one number a step}.

    The loss of an epoch is that of all N examples, each as its batch met it, mean or sum as ``loss`` reduces.
    x (..., N), t (..., N): labels or targets for ``loss``. Each epoch visits all examples once, in an order
    drawn from ``rng`` (a Generator or a seed); the last batch may be smaller. Everything is checked before
    the first step. ``progress`` shows a bar (needs tqdm).
    """
    epochs, batch_size = whole("fit", "epochs", epochs, 0), whole("fit", "batch_size", batch_size, 1)
    t = loss.check(network.output_shape(floating("fit", x).shape), t)
    if optimizer.network is not network:
        raise ValueError("fit: got an optimizer of another network, want one of this network")
    rng, N = np.random.default_rng(rng), x.shape[-1]
    history: dict[str, list[float]] = {"loss": [], "batch_loss": []}
    for _ in bar(range(epochs)) if progress else range(epochs):
        order = rng.permutation(N)
        batches = [order[start : start + batch_size] for start in range(0, N, batch_size)]
        losses = [step(network, loss, optimizer, x[..., batch], t[..., batch]) for batch in batches]
        history["batch_loss"] += losses
        total = sum(J * loss.divisor(len(batch)) for J, batch in zip(losses, batches))
        history["loss"].append(total / loss.divisor(N))
    return history


def step(network: Sequential, loss: Loss, optimizer: SGD, x: Array, t: Array) -> float:
    """One step of gradient descent on one batch; returns the loss before it."""
    J = loss.forward(network.forward(x), t)
    network.backward(loss.backward(), input_gradient=False)
    optimizer.step()
    return J


def accuracy(network: Sequential, x: Array, t: Array, *, batch_size: int = 500) -> float:
    """The share of examples whose largest score is the label's; x (..., N), t (N,) integers.

    x goes through in pieces of ``batch_size``, which bounds the memory. ValueError for scores that are not
    finite.
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


def bar(steps: Iterable[int]) -> Iterable[int]:
    """``steps`` with a progress bar."""
    from tqdm import tqdm

    return tqdm(steps, unit="epoch")
