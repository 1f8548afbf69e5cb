"""What the chapter `what_it_learned` says of many starts is what the script computes: parts of it are computed here again."""

import json

import measure_kernels as script
import numpy as np
import pytest

RESULTS = json.loads(script.RESULTS.read_text(encoding="utf-8"))
START = 3  # any; the picture of one network in the chapter, start 0, is compared there


def test_the_file_holds_every_part_and_every_start():
    assert list(RESULTS) == list(script.PARTS)
    assert [len(RESULTS[part]) for part in ("kernels", "looks", "colours")] == [40, 40, 20]
    for run in RESULTS["kernels"]:
        assert list(run) == ["untrained", "trained", "shuffled", "shuffled, awake"]
    for kind in script.KINDS:
        assert list(RESULTS["rates"][kind]) == list(RESULTS["worth"][kind]) == list(map(str, script.STEPS))
        for steps, found in RESULTS["worth"][kind].items():
            assert found["lr"] == script.RATES[int(np.argmax(RESULTS["rates"][kind][steps]))]
            assert len(found["accuracy"]) == 20


def test_a_start_is_measured_as_it_is_stored():
    of, ((x, t), _, _) = script.chapter(), script.digits()
    network, stored = of.relu_network(START), RESULTS["kernels"][START]
    for name in ("untrained", "trained"):
        if name == "trained":
            of.train(network, x, t)
        for key, value in script.rounded(script.measured(network)).items():
            np.testing.assert_allclose(value, stored[name][key], atol=1e-5, err_msg=f"{name}, {key}")
    first = RESULTS["looks"][START]["trained"]
    np.testing.assert_allclose(1000 * network.layers[0].params["W"].ravel(), first, atol=0.51)
    x_now, t_now = x[..., :1000], t[:1000]
    probed = of.probe(of.arrays(network, x_now)[2], t_now, of.arrays(network, x_now)[2], 0.1)
    assert (
        np.mean(probed == t_now) > stored["trained"]["probes"][2][1]
    )  # what was fitted is read better than the test


def test_the_climb_is_that_of_the_file():
    of, stored = script.chapter(), RESULTS["looks"][START]["climb, untrained"]
    network = of.relu_network(START)
    images = of.climb(network, of.faint(10), range(10))
    np.testing.assert_allclose(np.diag(network.forward(images)), stored["reached"], atol=1e-4)
    assert of.neighbours(images) == pytest.approx(stored["neighbours"], abs=1e-4)


@pytest.mark.parametrize("kind", ["both random", "no filters"])
def test_a_row_of_what_learning_was_worth(kind):
    stored = RESULTS["worth"][kind]["200"]
    assert script.worth(kind, 200, stored["lr"], START, False) == pytest.approx(
        stored["accuracy"][START], abs=2e-3
    )


def test_colours_begin_as_they_are_stored():
    of = script.chapter()
    for start, stored in enumerate(RESULTS["colours"]):
        before = of.grey(of.colour_network(start).layers[0].params["W"])
        np.testing.assert_allclose(before, stored["untrained"], atol=1e-5)


def test_numbers_for_the_file_are_short_and_what_is_not_finite_is_none():
    assert script.rounded({"a": np.array([1 / 3, np.nan]), "b": (1, 2.0)}) == {
        "a": [0.333333, None],
        "b": [1, 2.0],
    }
