"""The histories that the chapter `lenet` draws are those of the script: each run starts again here, and is compared."""

import json
import os

import numpy as np
import pytest
import train_lenet

from cnnlib import training

RESULTS = json.loads(train_lenet.RESULTS.read_text(encoding="utf-8"))


def test_the_file_holds_every_run_with_its_settings():
    assert {name: run["settings"] for name, run in RESULTS.items()} == train_lenet.RUNS
    for run in RESULTS.values():
        assert len(run["history"]["loss"]) == len(run["history"]["accuracy"]) == run["settings"]["epochs"]


def test_the_networks_are_built_by_the_chapter():
    net = train_lenet.build("S", "ReLU", None, np.float32, pool="ToAll")
    assert [type(layer).__name__ for layer in net.layers].count("ToAll") == 2
    assert {layer.params[key].dtype for layer, key in net.parameters()} == {np.dtype(np.float32)}
    assert train_lenet.build("Z", "ReLU", None, float).output_shape((3, 32, 32, 2)) == (10, 2)
    for settings in ({"activation": "Sigmoid", "gain": None}, {"activation": "ReLU", "gain": 1.0}):
        with pytest.raises(ValueError, match="Z's network: got"):
            train_lenet.build("Z", **settings, dtype=float)


def test_a_function_that_the_chapter_lacks_or_has_twice_is_named(tmp_path, monkeypatch):
    for cells in ([], ["def f(): pass"] * 2):
        path = tmp_path / "chapter.ipynb"
        cells = [{"cell_type": "code", "source": [code]} for code in cells]
        path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
        monkeypatch.setattr(train_lenet, "CHAPTER", path)
        with pytest.raises(ValueError, match=r"want each once of \['f'\]"):
            train_lenet.from_chapter(["f"], {})


@pytest.mark.parametrize("name", train_lenet.RUNS)
def test_the_first_steps_are_those_of_the_file(name):
    settings, stored = train_lenet.RUNS[name], RESULTS[name]["history"]["first_steps"]
    if settings["data"] == "mnist" and not os.environ.get("CNNLIB_MNIST_DIR"):
        pytest.skip("CNNLIB_MNIST_DIR does not name a folder with the full MNIST")
    x, t, _, _ = train_lenet.load(settings["data"], settings["dtype"])
    network, loss, optimizer, rng = train_lenet.start(settings)
    order, size = rng.permutation(len(t)), settings["batch_size"]
    # In float32 another order of additions shows in the third digit after ten steps of this learning rate.
    steps = train_lenet.FIRST_STEPS if settings["dtype"] == "float64" else 5
    batches = order[: steps * size].reshape(steps, size)
    again = [training.step(network, loss, optimizer, x[..., batch], t[batch]) for batch in batches]
    np.testing.assert_allclose(again, stored[:steps], rtol=1e-7 if settings["dtype"] == "float64" else 1e-3)


@pytest.mark.parametrize("name", ["relu", "sigmoid_usual", "wrong_pool"])
def test_the_first_epoch_is_that_of_the_file(name):
    history = train_lenet.run(train_lenet.RUNS[name] | {"epochs": 1})
    np.testing.assert_allclose(history["loss"], RESULTS[name]["history"]["loss"][:1], atol=1e-5)
    assert history["accuracy"] == RESULTS[name]["history"]["accuracy"][:1]


def test_the_results_reach_what_the_book_says():
    last = {name: run["history"]["accuracy"][-1] for name, run in RESULTS.items()}
    assert last["relu_full"] >= 0.985 and last["sigmoid_full"] >= 0.97
    assert last["relu"] >= 0.95
