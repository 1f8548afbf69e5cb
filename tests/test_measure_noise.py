"""The noise that the chapter `batch_averaging` draws is what the script measures."""

import json

import measure_noise
import numpy as np
import train_many

from cnnlib import SoftmaxCrossEntropy

RESULTS = json.loads(measure_noise.RESULTS.read_text(encoding="utf-8"))
SETTINGS = train_many.EXPERIMENTS[measure_noise.EXPERIMENT]


def test_the_file_holds_every_start():
    assert RESULTS["experiment"] == measure_noise.EXPERIMENT and RESULTS["seen"] == list(measure_noise.SEEN)
    assert len(RESULTS["runs"]) == SETTINGS["starts"] >= 20
    assert measure_noise.SEEN[-1] == SETTINGS["epochs"] * 4000
    for run in RESULTS["runs"]:
        for name in ("sigma2", "g2"):
            assert len(run[name]) == len(measure_noise.SEEN) and min(run[name]) > 0


def test_lengths_and_noise_are_those_of_gradients_taken_one_by_one():
    network, loss = train_many.build(SETTINGS | {"dtype": "float64"}, 0), SoftmaxCrossEntropy()
    x, t, _, _ = train_many.load("digits", "float64", 1000)
    x, t, rows = x[..., :4], t[:4], []
    for n in range(4):
        loss.forward(network.forward(x[..., n : n + 1]), t[n : n + 1])
        network.backward(loss.backward())
        rows.append(np.concatenate([layer.grads[key].ravel() for layer, key in network.parameters()]))
    rows, mean = np.array(rows), np.mean(rows, axis=0)
    np.testing.assert_allclose(
        measure_noise.squared_lengths(network, x, t), np.sum(rows**2, axis=1), rtol=1e-10
    )
    wanted = np.mean(np.sum((rows - mean) ** 2, axis=1)), np.sum(mean**2)
    np.testing.assert_allclose(measure_noise.noise(network, x, t), wanted, rtol=1e-10)


def test_the_first_values_are_those_of_the_file():
    again = measure_noise.run(0, measure_noise.SEEN[:2])
    for name in ("sigma2", "g2"):
        np.testing.assert_allclose(again[name][0], RESULTS["runs"][0][name][0], rtol=1e-3)
        np.testing.assert_allclose(
            again[name][1], RESULTS["runs"][0][name][1], rtol=2e-2
        )  # after 16 steps in float32
