"""What does to the worker that runs it what a test wants to see survived; the workers find it in PYTHONPATH."""

import os
import time
from pathlib import Path

import numpy as np

from cnnlib import Dense, Layer, Sequential

batches = 0  # that layers of this file have met, in this process


class Slow(Layer):
    """Passes everything on, and takes its time while there is a file."""

    def __init__(self, path):
        super().__init__()
        self.path = str(path)

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        time.sleep(0.05 * Path(self.path).is_file())
        return self.keep(x)

    def backward(self, delta):
        self.recall(delta)
        return delta


class Faulty(Slow):
    """Passes everything on. Who comes to the third batch of its process, or another, and takes a file from the folder has
    ``act`` done."""

    def __init__(self, folder, act, at=3):
        super().__init__(folder)
        self.folder, self.act, self.at = str(folder), act, at

    def forward(self, x):
        global batches
        batches += x.shape[-1] > 2  # not when the shard is looked at
        if batches >= self.at and x.shape[-1] > 2:
            for path in Path(self.folder).glob("token*"):
                try:
                    path.unlink()
                except FileNotFoundError:  # another worker was faster
                    continue
                self.act()
                break
        return self.keep(x)


class Signalled:
    """Sends a signal to the process, which ends or stops it."""

    def __init__(self, number):
        self.number = int(number)

    def __call__(self):
        os.kill(os.getpid(), self.number)
        time.sleep(0.2)


def sleeps():
    """Hangs for longer than anybody waits, and stays alive."""
    time.sleep(3600)


class Large:
    """A shard of 20 examples, of so many bytes."""

    D = 100_000

    def __init__(self, k):
        self.k = k

    def __call__(self):
        rng = np.random.default_rng(self.k)
        return rng.random((self.D, 20)), rng.integers(0, 2, 20)

    @classmethod
    def network(cls):
        return Sequential(Dense(cls.D, 2, init=1e-3, rng=0))
