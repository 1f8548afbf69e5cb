"""Losses: where backpropagation starts."""

from collections.abc import Callable

import numpy as np

from .layers.base import Array, Shape, floating


class Loss:
    """One number from a batch of outputs (D, N); ``reduction`` is "mean" over the N examples, or "sum".

    The mean is K's, Q's and S's loss, the sum is Z's; the gradients differ by the factor 1/N (K22). ValueError for another
    reduction. A loss of your own defines ``check``, ``forward`` and ``backward`` as the two below do.
    """

    check: Callable[..., Array]
    forward: Callable[..., float]
    backward: Callable[[], Array]
    saved: tuple | None

    def __init__(self, reduction: str = "mean"):
        if reduction not in ("mean", "sum"):
            raise ValueError(f'{type(self).__name__}: reduction is {reduction!r}, want "mean" or "sum"')
        self.reduction, self.saved = reduction, None

    def __getstate__(self) -> dict:
        """Copies and pickles hold the settings, not the last batch."""
        return self.__dict__ | {"saved": None}

    def divisor(self, N: int) -> int:
        """What the sum over N examples is divided by."""
        return N if self.reduction == "mean" else 1

    def recall(self) -> tuple:
        """What ``forward`` kept; RuntimeError before any."""
        if self.saved is None:
            raise RuntimeError(f"{self}: backward was called before any forward")
        return self.saved

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reduction!r})"


class SoftmaxCrossEntropy(Loss):
    """``L = -log softmax(scores)[label]``, averaged over the batch (K04, S13).

    scores (K, N), labels (N,) integers in 0..K-1. ``probabilities`` (K, N): the softmax of the last scores,
    None before any. ``reduction``: "mean" or "sum".

    >>> loss = SoftmaxCrossEntropy()
    >>> round(loss.forward(np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([0, 1])), 6)
    0.410038
    >>> loss.backward().round(6)
    array([[-0.059601,  0.25    ],
           [ 0.059601, -0.25    ]])
    """

    probabilities: Array | None = None

    def check(self, shape: Shape, labels: Array) -> Array:
        """``labels`` as an array; ValueError unless N integers in 0..K-1, for scores of shape (K, N)."""
        shape = tuple(shape)
        if len(shape) != 2 or min(shape) < 1:
            raise ValueError(f"{self}: got scores of shape {shape}, want (K, N), both at least 1")
        labels = np.asarray(labels)
        if labels.shape != shape[1:] or labels.dtype.kind not in "iu":
            came = f"labels {labels.shape} of {labels.dtype}"
            raise ValueError(f"{self}: got {came}, want {shape[1:]} of integers")
        if labels.min() < 0 or labels.max() >= shape[0]:
            raise ValueError(f"{self}: got labels {labels.min()} to {labels.max()}, want 0 to {shape[0] - 1}")
        return labels

    def forward(self, scores: Array, labels: Array) -> float:
        """``-z_label + log sum_j exp z_j``, the largest score taken off all first so that nothing overflows.

        scores (K, N), labels (N,). ValueError for scores that are not finite, and for what does not fit.
        """
        labels = self.check(floating(self, scores, "scores").shape, labels)
        if not np.isfinite(scores).all():
            raise ValueError(f"{self}: got scores that are not finite, want numbers")
        N = len(labels)
        shifted = scores - scores.max(axis=0)
        e = np.exp(shifted)
        total = e.sum(axis=0)
        p = e / total
        self.probabilities, self.saved = p.copy(), (p, labels.copy())
        return float((np.log(total) - shifted[labels, np.arange(N)]).sum() / self.divisor(N))

    def backward(self) -> Array:
        """``dJ/dscores = p - y``, y one-hot, divided by N for the mean (K05, K06, S15): (K, N). RuntimeError before any
        ``forward``.
        """
        p, labels = self.recall()
        N = len(labels)
        delta = p / self.divisor(N)
        delta[labels, np.arange(N)] -= 1 / self.divisor(N)
        return delta


class SquaredError(Loss):
    """``J = 1/2 ||output - target||^2``, averaged over the batch (Q06, Q07).

    outputs and targets (D, N), or any one shape with the examples last. ``reduction``: "mean" or "sum".

    >>> loss = SquaredError()
    >>> loss.forward(np.array([[1.0, 4.0]]), np.array([[0.0, 2.0]]))
    1.25
    >>> loss.backward()
    array([[0.5, 1. ]])
    """

    def check(self, shape: Shape, targets: Array) -> Array:
        """ValueError unless ``targets`` are real numbers of the same ``shape`` as the outputs."""
        targets = np.asarray(targets)
        if min(shape, default=0) < 1:
            raise ValueError(f"{self}: got outputs of shape {tuple(shape)}, want (D, N), both at least 1")
        if targets.shape != tuple(shape) or targets.dtype.kind not in "fiu":
            came = f"targets {targets.shape} of {targets.dtype}"
            raise ValueError(f"{self}: got {came}, want {tuple(shape)} of numbers")
        return targets

    def forward(self, outputs: Array, targets: Array) -> float:
        """Half the sum of squares, over N for the mean. ValueError for what does not fit."""
        targets = self.check(floating(self, outputs, "outputs").shape, targets)
        difference = outputs - targets.astype(outputs.dtype)
        self.saved = (difference,)
        return float((difference * difference).sum() / 2 / self.divisor(outputs.shape[-1]))

    def backward(self) -> Array:
        """``dJ/doutputs = outputs - targets``, over N for the mean (Q11 before f'). RuntimeError before any ``forward``."""
        (difference,) = self.recall()
        return difference / self.divisor(difference.shape[-1])
