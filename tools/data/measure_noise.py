"""Measure the noise of a gradient while LeNet trains, from 20 starts; writes cnnlib/data/noise.json.

    OPENBLAS_NUM_THREADS=1 python tools/data/measure_noise.py     (a few minutes on two cores)

The runs are those of one experiment of train_many.py: the same weights, the same order. At some numbers of examples seen, the
gradient of every one of the 4,000 digits to train on is measured over all parameters: the mean squared length of a gradient's
distance from their mean, sigma2, and the squared length of that mean, g2. A batch is drawn from these digits, so neither is an
estimate. A test measures the first start's first values again.
"""

import json
import os
from multiprocessing import Pool

import train_many as many

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnlib import Conv2d, SoftmaxCrossEntropy

RESULTS = many.ROOT / "cnnlib" / "data" / "noise.json"
EXPERIMENT = "batch_64_0.1"
SEEN = 0, 1000, 2000, 4000, 8000, 16000, 24000
PIECE = 250


def squared_lengths(network, x, t):
    """The squared length of each example's gradient, over all weights and biases: (N,)."""
    loss, total = SoftmaxCrossEntropy("sum"), np.zeros(len(t))
    inputs, z = [], x
    for layer in network.layers:
        inputs.append(z)
        z = layer.forward(z)
    loss.forward(z, t)
    delta = loss.backward()
    for layer, a in zip(network.layers[::-1], inputs[::-1]):
        if isinstance(layer, Conv2d):
            windows = sliding_window_view(a, layer.params["W"].shape[2:], axis=(1, 2))  # C OH OW N KH KW
            columns = windows.transpose(3, 1, 2, 0, 4, 5).reshape(len(t), delta[0, ..., 0].size, -1)
            d = delta.reshape(len(delta), -1, len(t)).transpose(2, 0, 1)
            total += np.sum((d @ columns).astype(float) ** 2, axis=(1, 2))
            total += np.sum(d.sum(axis=2).astype(float) ** 2, axis=1)
        elif layer.params:
            total += np.sum(delta.astype(float) ** 2, axis=0) * (1 + np.sum(a.astype(float) ** 2, axis=0))
        delta = layer.backward(delta)
    return total


def noise(network, x, t):
    """(sigma2, g2) of the examples x, t."""
    gradient, lengths = 0.0, []
    for k in range(0, len(t), PIECE):
        part = slice(k, k + PIECE)
        lengths.append(squared_lengths(network, x[..., part], t[part]))
        gradient += np.concatenate(
            [layer.grads[key].ravel().astype(float) for layer, key in network.parameters()]
        )
    g2 = float(np.sum((gradient / len(t)) ** 2))
    return float(np.mean(np.concatenate(lengths)) - g2), g2


def run(start, seen_at=SEEN):
    """sigma2 and g2 of a start, at each of these numbers of examples seen."""
    settings = many.EXPERIMENTS[EXPERIMENT]
    x, t, _, _ = many.load(settings["data"], settings["dtype"], settings["held_out"])
    network, rng = many.build(settings, start), np.random.default_rng([1, start])
    found, due = [noise(network, x, t)], list(seen_at[1:])
    for seen, _ in many.steps(settings, network, x, t, rng) if due else ():
        if seen >= due[0]:
            found.append(noise(network, x, t))
            due.pop(0)
            if not due:
                break
    return {"sigma2": [float(f"{s:.5g}") for s, _ in found], "g2": [float(f"{g:.5g}") for _, g in found]}


def main():
    """Measure every start and write the results."""
    with Pool(int(os.environ.get("CNNLIB_PROCESSES", os.cpu_count()))) as pool:
        runs = pool.map(run, range(many.EXPERIMENTS[EXPERIMENT]["starts"]), chunksize=1)
    lines = ",\n  ".join(json.dumps(found) for found in runs)
    head = json.dumps({"experiment": EXPERIMENT, "seen": SEEN})[1:-1]
    RESULTS.write_text(f'{{{head}, "runs": [\n  {lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
