"""What the book says of training rests on stored runs: one start of each begins again here, and is compared."""

import json
import os

import numpy as np
import pytest
import train_many

RESULTS = json.loads(train_many.RESULTS.read_text(encoding="utf-8"))
SHORT = {"held_out": 1000, "epochs": 1}


def with_data(name):
    """The settings of an experiment, where its data are at hand."""
    if train_many.EXPERIMENTS[name]["data"] == "mnist" and not os.environ.get("CNNLIB_MNIST_DIR"):
        pytest.skip("CNNLIB_MNIST_DIR does not name a folder with the full MNIST")
    return train_many.EXPERIMENTS[name]


def numbers(values):
    """Floats, NaN where a run had no number any more."""
    return np.array([np.nan if value is None else value for value in values], float)


def test_the_file_holds_every_experiment_with_its_settings_and_every_start():
    assert {name: result["settings"] for name, result in RESULTS.items()} == train_many.EXPERIMENTS
    assert list(RESULTS) == list(train_many.EXPERIMENTS)
    for name, result in RESULTS.items():
        settings, runs = result["settings"], result["runs"]
        assert len(runs) == settings["starts"] >= (4 if name.startswith("choose_mnist") else 20)
        assert len({tuple(history["first_steps"]) for history in runs}) == len(runs), "two starts are one"
        whole = [history for history in runs if "diverged" not in history]
        judged = settings["epochs"] if settings["held_out"] else 1
        assert all(len(history["accuracy"]) == judged for history in whole)
        if "every" in settings:
            assert all(history["seen"][0] == 0 and len(history["seen"]) > 2 for history in whole)
        else:
            assert all(len(history["loss"]) == settings["epochs"] for history in whole)


def test_the_file_is_as_the_script_writes_it():
    assert train_many.as_text(RESULTS) == train_many.RESULTS.read_text(encoding="utf-8")


def test_the_networks_are_built_by_the_chapter():
    net = train_many.build(train_many.EXPERIMENTS["plateau_relu"], 3)
    assert net.output_shape((1, 28, 28, 2)) == (10, 2)
    assert {layer.params[key].dtype for layer, key in net.parameters()} == {np.dtype(np.float32)}
    usual, wide = (
        train_many.build(train_many.EXPERIMENTS[f"plateau_{kind}"], 3) for kind in ("usual", "wide")
    )
    np.testing.assert_allclose(wide.layers[0].params["W"], 4 * usual.layers[0].params["W"], rtol=1e-6)
    np.testing.assert_array_equal(wide.layers[9].params["W"], usual.layers[9].params["W"])
    colour = train_many.EXPERIMENTS["colour"]
    assert train_many.build(colour, 0).output_shape((3, 32, 32, 2)) == (10, 2)
    for change in ({"activation": "Sigmoid"}, {"gain": 1}):
        with pytest.raises(ValueError, match="colour_lenet: got"):
            train_many.build(colour | change, 0)


def test_a_function_that_the_chapter_lacks_or_has_twice_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(train_many, "ROOT", tmp_path)
    (tmp_path / "book").mkdir()
    for cells in ([], ["def f(): pass"] * 2):
        cells = [{"cell_type": "code", "source": [code]} for code in cells]
        (tmp_path / "book" / "chapter.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
        with pytest.raises(ValueError, match=r"want each once of \['f'\]"):
            train_many.from_chapter("chapter", ["f"], {})


@pytest.mark.parametrize("name", train_many.EXPERIMENTS)
def test_the_first_steps_of_a_start_are_those_of_the_file(name):
    settings, start = with_data(name), 1
    stored = RESULTS[name]["runs"][start]["first_steps"]
    # In float32 another order of additions shows in the third digit after some steps.
    count = min(5, max(2, 500 // settings["batch_size"]))
    x, t, _, _ = train_many.load(settings["data"], settings["dtype"], settings["held_out"])
    network, rng = train_many.build(settings, start), np.random.default_rng([1, start])
    again = [J for _, (_, J) in zip(range(count), train_many.steps(settings, network, x, t, rng))]
    np.testing.assert_allclose(again, numbers(stored[:count]), rtol=1e-3)


def test_the_first_epoch_of_a_start_is_that_of_the_file():
    history, stored = (
        train_many.run(train_many.EXPERIMENTS["plateau_usual"] | SHORT, 2),
        RESULTS["plateau_usual"]["runs"][2],
    )
    np.testing.assert_allclose(history["loss"], stored["loss"][:1], atol=2e-4)
    assert abs(history["accuracy"][0] - stored["accuracy"][0]) < 0.02


def test_a_run_with_points_of_examples_seen_is_that_of_the_file():
    name = "batch_256_0.1"
    history, stored = train_many.run(train_many.EXPERIMENTS[name] | SHORT, 2), RESULTS[name]["runs"][2]
    assert history["seen"] == stored["seen"][: len(history["seen"])]
    np.testing.assert_allclose(history["held_out_loss"][:3], numbers(stored["held_out_loss"])[:3], rtol=1e-2)
    assert abs(history["accuracy"][0] - stored["accuracy"][0]) < 0.02


def test_a_run_that_diverges_says_so():
    settings = train_many.EXPERIMENTS["batch_4_1.0"] | {"lr": 1e30, "epochs": 1}
    with np.errstate(all="ignore"):
        assert train_many.run(settings, 0)["diverged"]


def test_the_test_set_is_read_where_nothing_is_held_out():
    settings = train_many.EXPERIMENTS["plateau_relu"]
    for held_out, learned, judged in ((1000, 4000, 1000), (0, 5000, 1000)):
        x, t, x_judge, t_judge = train_many.load("digits", settings["dtype"], held_out)
        assert (len(t), x.shape[-1], len(t_judge), x_judge.shape[-1]) == (learned, learned, judged, judged)
    assert [name for name, settings in train_many.EXPERIMENTS.items() if not settings["held_out"]] == [
        "mnist"
    ]
