"""A pipeline draws what the layers give and the deltas that come back to them, moves, can be stopped, and says what
does not fit."""

import re

import numpy as np
import pytest
from bs4 import BeautifulSoup
from cnnlib import (
    Conv2d,
    Dense,
    Flatten,
    MaxPool2d,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    SquaredError,
    show,
)
from cnnlib.show import ACCENT, BACKWARD, FORWARD, NEGATIVE, figures, svg
from helpers import refused

ALT = "A small image runs through a network and its deltas come back"
GIVEN = {"layers": [1, 2, 4], "names": ["image", "conv", "pool", "softmax"], "alt": ALT}


def example(seed=0):
    """A network of 5 feature maps and 4 classes, its loss, an image of 7 x 6 and its label."""
    rng = np.random.default_rng(seed)
    network = Sequential(
        Conv2d(1, 5, (2, 3), rng=rng), ReLU(), MaxPool2d(2), Flatten(), Dense(30, 4, rng=rng)
    )
    return network, SoftmaxCrossEntropy(), rng.random((1, 7, 6, 1)), np.array([2])


@pytest.fixture
def shown(monkeypatch):
    """The HTML that is displayed, as a list."""
    found = []
    monkeypatch.setattr(figures, "display", lambda bundle, raw: found.append(bundle["text/html"]))
    return found


def columns(html):
    """[(name and shape, forward half, backward half), ...]"""
    (picture,) = BeautifulSoup(html, "html.parser").select("[role=img]")
    return [
        tuple(column.find_all("div", recursive=False))
        for column in picture.div.find_all("div", recursive=False)
    ]


def art(half):
    """The images of a half, each as svg.image writes it."""
    return [str(tag) for tag in half.select("svg > g[transform] > svg")]


def drawn(array, signed=None):
    """What svg.image writes for one image or vector, as the parser has it."""
    text = svg.image(array, scale=1, signed=bool(array.min() < 0) if signed is None else signed)
    return str(BeautifulSoup(text, "html.parser"))


def test_each_column_shows_the_output_of_its_layer_and_the_delta_that_comes_back_to_it(shown):
    network, loss, x, t = example()
    show.pipeline(network, loss, x, t, **GIVEN)
    first, rest = Sequential(*network.layers[:2]), Sequential(*network.layers[2:])
    convolved = first.forward(x)
    scores = rest.forward(convolved)
    loss.forward(scores, t)
    delta = rest.backward(loss.backward())
    strong = sorted(np.argsort(-convolved.sum(axis=(1, 2, 3)))[:4])
    assert len(strong) == 4 < len(convolved) and delta[strong].min() < 0
    image, conv, pool, softmax = columns(shown[0])
    assert [head.get_text(" ") for head, _, _ in (image, conv, pool, softmax)] == [
        "image 7×6",
        "conv 5×6×4",
        "pool 5×3×2",
        "softmax 4",
    ]
    assert art(image[1]) == [drawn(x[0, ..., 0])]
    assert art(image[2]) == [drawn(first.backward(delta)[0, ..., 0])]
    assert art(conv[1]) == [drawn(convolved[k, ..., 0]) for k in strong]
    assert art(conv[2]) == [drawn(delta[k, ..., 0], signed=True) for k in strong]
    assert art(softmax[1]) == [drawn(loss.probabilities)]
    assert art(softmax[2]) == [drawn(loss.backward())]
    assert softmax[1].select_one("text").get_text() == str(scores.argmax())
    assert [half.select("text") for column in (image, conv, pool) for half in column[1:]] == [[]] * 6


def test_forward_is_blue_and_backward_orange_and_only_signed_numbers_are_green_and_violet(shown):
    show.pipeline(*example(), **GIVEN)
    for k, (_, forth, back) in enumerate(columns(shown[0])):
        assert f"color:{FORWARD}" in forth["style"] and f"color:{BACKWARD}" in back["style"]
        assert BACKWARD not in str(forth) and FORWARD not in str(back)
        assert ACCENT not in str(forth) and NEGATIVE not in str(forth)  # after ReLU, and probabilities
        assert ACCENT in str(back) and NEGATIVE in str(back)
        arrows = [half.svg.find_all("path") for half in (forth, back)]
        assert [bool(found) for found in arrows] == [k > 0, k > 0]  # nothing leads to the first


def test_what_is_negative_is_signed_on_the_way_forward_too(shown):
    network, loss, x, t = example()
    show.pipeline(network, loss, x, t, **GIVEN | {"layers": [0, 2, 4]})
    assert Sequential(network.layers[0]).forward(x).min() < 0
    assert NEGATIVE in str(columns(shown[0])[1][1])


def test_a_loss_without_probabilities_and_a_network_of_vectors(shown):
    rng = np.random.default_rng(0)
    network, x = Sequential(Dense(3, 2, rng=rng)), rng.random((3, 1))
    show.pipeline(network, SquaredError(), x, np.ones((2, 1)), layers=[0], names=["in", "out"], alt=ALT)
    first, last = columns(shown[0])
    assert art(first[1]) == [drawn(x)] and art(last[1]) == [drawn(network.forward(x))]
    assert last[1].select("text") == []


def test_the_pictures_come_one_after_the_other_forward_and_then_back(shown):
    show.pipeline(*example(), **GIVEN)
    steps = [
        [int(re.search(r"cnn-step-(\d+)", half["class"][0])[1]) for half in column[1:]]
        for column in columns(shown[0])
    ]
    assert steps == [[0, 7], [1, 6], [2, 5], [3, 4]]
    begins = [
        float(re.search(rf"cnn-{k}-of-8{{0%,(?:[\d.]+%{{[^}}]*}})?([\d.]+)%", shown[0])[1]) for k in range(8)
    ]
    assert begins == sorted({*begins}) and begins[0] == 0 and begins[-1] < 70


def test_the_output_is_the_same_at_each_run_and_light(shown):
    for _ in range(2):
        show.pipeline(*example(), **GIVEN)
    show.pipeline(*example(seed=1), **GIVEN)
    assert shown[0] == shown[1] != shown[2] and len(shown[0]) < 30_000
    ids = [BeautifulSoup(html, "html.parser").div["id"] for html in shown]
    assert ids[0] == ids[1] != ids[2]


def test_without_style_sheets_it_is_its_alternative_text(shown):
    show.pipeline(*example(), **GIVEN | {"alt": ALT + ", 3 < 4"})
    root = BeautifulSoup(shown[0], "html.parser").div
    assert root.p.get_text() == root.select_one("[role=img]")["aria-label"] == ALT + ", 3 < 4"
    assert root.select_one("[role=img]")["style"] == "display:none" and root.button.has_attr("hidden")
    assert "cnn-on" not in root["class"]  # nothing moves before the script runs


def test_what_does_not_fit_is_named():
    network, loss, x, t = example()
    wrong = [
        ({"layers": [1, 2]}, "pipeline wants rising layers of 0 to 4, and the last, got [1, 2]"),
        ({"layers": []}, "got []"),
        ({"layers": [2, 1, 4]}, "got [2, 1, 4]"),
        ({"layers": [-1, 1, 4]}, "got [-1, 1, 4]"),
        ({"layers": [1, 1, 4]}, "got [1, 1, 4]"),
        ({"names": ["image", "conv"]}, "wants 4 names, for x and each layer, got 2"),
        ({"maps": 0}, "wants to draw 1 map or more, got 0"),
        ({"alt": "figure"}, "alt must say what the picture shows"),
    ]
    for change, said in wrong:
        with refused(said):
            show.pipeline(network, loss, x, t, **GIVEN | change)
    for shape in ((1, 7, 6, 2), (7, 6, 1)):
        with refused(f"wants one example, (C, H, W, 1) or (D, 1), got shape {shape}"):
            show.pipeline(network, loss, np.zeros(shape), t, **GIVEN)
