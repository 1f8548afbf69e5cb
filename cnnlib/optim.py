"""Gradient descent (Q26, S07, S29)."""

import numpy as np

from .layers.base import is_number
from .network import Sequential


class SGD:
    """``theta = theta - lr v``, with ``v = momentum v + dJ/dtheta + weight_decay theta`` (PyTorch's momentum; Q26, S07).

    Weights decay, biases do not (Q07, K03): only "W" gets the last term. Updates are in place. Build it after
    ``astype`` and ``load``. ValueError for rates out of range, and for what is no network.

    >>> net = Sequential(Dense(1, 1, init=0.0))
    >>> optimizer = SGD(net, lr=0.5)
    >>> net.layers[0].grads["W"] = np.array([[2.0]])
    >>> optimizer.step()
    >>> net.layers[0].params["W"]
    array([[-1.]])
    """

    def __init__(self, network: Sequential, lr: float, *, momentum: float = 0.0, weight_decay: float = 0.0):
        rates = ("lr", lr, np.inf), ("momentum", momentum, 1), ("weight_decay", weight_decay, np.inf)
        for name, value, below in rates:
            if not is_number(value) or not 0 <= value < below:
                raise ValueError(f"SGD: {name} is {value!r}, want a number from 0, below {below}")
        if not hasattr(network, "parameters"):
            raise ValueError(f"SGD: network is {type(network).__name__}, want a Sequential")
        self.network, self.lr, self.momentum, self.weight_decay = network, lr, momentum, weight_decay
        self.velocity = [np.zeros_like(layer.params[key]) for layer, key in network.parameters()]

    def step(self) -> None:
        """One update of every parameter from the gradients that the last backward left.

        ValueError where the network has got other parameters since.
        """
        parameters = list(self.network.parameters())
        if len(parameters) != len(self.velocity):
            came = f"the network has {len(parameters)} parameters"
            raise ValueError(f"SGD: {came}, had {len(self.velocity)} at the start")
        for i, (layer, key) in enumerate(parameters):
            change = layer.grads[key]
            if key == "W" and self.weight_decay:
                change = change + self.weight_decay * layer.params[key]
            if self.momentum:
                change = self.velocity[i] = self.momentum * self.velocity[i] + change
            layer.params[key] -= self.lr * change
