"""Arrays and weights on their way to PyTorch and back, with NumPy alone.

PyTorch has the examples first, this library has them last. Weights and biases have the same axes in both.
"""

from collections.abc import Mapping

import numpy as np
from numpy import ndarray as Array
from numpy.typing import ArrayLike

from cnnlib.network import Sequential

NAMES = {"W": "weight", "b": "bias"}


def batch_first(x: ArrayLike) -> Array:
    """(C, H, W, N) -> (N, C, H, W), (C, L, N) -> (N, C, L), (D, N) -> (N, D): a contiguous copy in PyTorch's layout.

    Labels (N,) stay as they are. ValueError for a single number.

    >>> batch_first(np.zeros((3, 28, 28, 64))).shape
    (64, 3, 28, 28)
    """
    return np.moveaxis(_with_examples(x, "batch_first"), -1, 0).copy()


def batch_last(x: ArrayLike) -> Array:
    """(N, C, H, W) -> (C, H, W, N), (N, C, L) -> (C, L, N), (N, D) -> (D, N): the way back of ``batch_first``.

    >>> batch_last(np.zeros((64, 3, 28, 28))).shape
    (3, 28, 28, 64)
    """
    return np.moveaxis(_with_examples(x, "batch_last"), 0, -1).copy()


def _with_examples(x: ArrayLike, who: str) -> Array:
    x = np.asarray(x)
    if not x.ndim:
        raise ValueError(f"{who}: got a single number, want an array with an axis of examples")
    return x


def state_dict(network: Sequential) -> dict[str, Array]:
    """{"0.weight": W, "0.bias": b, ...}: copies of a Sequential's parameters, named as in the ``nn.Sequential`` of
    the same layers. ValueError for what is no Sequential.

    Conv2d (C_out, C_in, KH, KW), Conv1d (C_out, C_in, K), Dense (D_out, D_in), biases (C_out,) or (D_out,): the
    shapes that PyTorch has, too. ``Flatten`` takes channels, rows, columns in both, so no weight changes its place.

    >>> {name: value.shape for name, value in state_dict(Sequential(Dense(4, 3))).items()}
    {'0.weight': (3, 4), '0.bias': (3,)}
    """
    return {name: param.copy() for name, param in _named(network, "state_dict").items()}


def load_state_dict(network: Sequential, state: Mapping[str, ArrayLike]) -> Sequential:
    """Copy the arrays of ``state``, as ``state_dict`` or PyTorch's own names them, into a Sequential; returns it.

    Dtypes of the network stay. ValueError for other names, shapes or kinds, and nothing has changed.

    >>> network, other = Sequential(Dense(4, 3, rng=0)), Sequential(Dense(4, 3, rng=1))
    >>> np.array_equal(*(net.layers[0].params["W"] for net in (network, load_state_dict(other, state_dict(network)))))
    True
    """
    places = _named(network, "load_state_dict")
    values = {name: np.asarray(value) for name, value in state.items()}
    for name in values:
        if name not in places:
            raise ValueError(f"load_state_dict: got {name}, want {', '.join(places) or 'no names'}")
    for name, place in places.items():
        if name not in values:
            raise ValueError(f"load_state_dict: got no {name}, want {place.shape}")
        if (got := values[name].shape) != place.shape:
            raise ValueError(f"load_state_dict: got {name} {got}, want {place.shape}")
        if values[name].dtype.kind != "f":
            raise ValueError(f"load_state_dict: {name} is {values[name].dtype}, want floats")
    for name, place in places.items():
        place[...] = values[name]
    network.forget()
    return network


def _named(network: Sequential, who: str) -> dict[str, Array]:
    """The parameters by PyTorch's names: "0.weight" for "0.W"."""
    if not isinstance(network, Sequential):
        raise ValueError(f"{who}: got {type(network).__name__}, want a Sequential")
    return {
        f"{name.rpartition('.')[0]}.{NAMES[key]}": layer.params[key] for name, layer, key in network.named()
    }
