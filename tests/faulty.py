"""Layers that do to the worker that runs them what a test wants to see survived; the workers find them in PYTHONPATH."""

import os
import time
from pathlib import Path

import numpy as np

from cnnlib import Layer

calls = 0  # of the layers here, in this process


class Faulty(Layer):
    """Passes everything on. In one process, the first that finds ``token`` at its third batch, ``act`` is done."""

    def __init__(self, token, act):
        super().__init__()
        self.token, self.act = str(token), act

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        global calls
        if x.shape[-1] > 2:  # not when the shard is looked at
            calls += 1
        if calls >= 3 and x.shape[-1] > 2:
            try:
                Path(self.token).unlink()
            except FileNotFoundError:
                return self.keep(x)
            return self.keep(self.act(x))
        return self.keep(x)

    def backward(self, delta):
        self.recall(delta)
        return delta


class Signalled:
    """Sends a signal to the process, which ends or stops it."""

    def __init__(self, number):
        self.number = int(number)

    def __call__(self, x):
        os.kill(os.getpid(), self.number)
        time.sleep(0.2)
        return x


def sleeps(x):
    """Hangs for longer than anybody waits, and stays alive."""
    time.sleep(3600)


def spoils(x):
    """As memory that does not keep what is written into it."""
    return x * np.nan
