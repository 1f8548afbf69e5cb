"""The gallery of wrong answers: a card for each mistake, on which pictures differ and what is said of checks is true."""

import re
from functools import cache

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from building import ROOT

from cnnlib import formulas, practice
from cnnlib.practice import examples, weak
from cnnlib.practice.cases import RETURNS
from cnnlib.practice.mistakes import Form, simulate
from cnnlib.show import gallery

CATALOGUE = practice.catalogue()
WITHOUT_ONE_ANSWER = "along", "accumulated", "changed", "begun"


@pytest.fixture(scope="module")
def html():
    """All outputs of the page."""
    cells = nbformat.read(ROOT / "book" / "wrong_answers.ipynb", as_version=4).cells
    outputs = [out for cell in cells if cell.cell_type == "code" for out in cell.outputs]
    return "\n".join(out.get("data", {}).get("text/html", "") for out in outputs)


@cache
def cards_of(html):
    """{id: card} of a page; no id may stand there twice."""
    cards = BeautifulSoup(html, "html.parser").select(".cnn-card")
    ids = [card["id"] for card in cards]
    assert len(ids) == len(set(ids)), "an id stands there twice"
    return dict(zip(ids, cards))


def numbers(table):
    """The rows of a picture, as they are read."""
    return [[cell.get_text() for cell in row("td")] for row in table("tr")]


def missing(html):
    """The mistakes that have no card of their own, and cards that are no mistake's."""
    names = {card.b.get_text() for card in cards_of(html).values()}
    return sorted(names ^ set(CATALOGUE))


def alike(html):
    """The cards whose two pictures show the same, or do not say how they differ: by their numbers, not by shades."""
    found = []
    for card in cards_of(html).values():
        right, wrong = map(numbers, card.select(".cnn-pair table"))
        said = card.select_one(".cnn-case").get_text()
        if match := re.search(r"(\d+) of \d+ numbers differ", said):
            pairs = [(a, b) for one, other in zip(right, wrong) for a, b in zip(one, other)]
            framed = len(card.select(".cnn-pair td.d"))
            sound = framed == int(match[1]) >= sum(a != b for a, b in pairs) > 0
        else:
            sound = "the shape is" in said and [len(r) for r in right] != [len(r) for r in wrong]
        found += [] if sound else [card["id"]]
    return found


def told(text):
    """The names in a sentence, none of which has a comma."""
    return set(text.removesuffix(".").partition(": ")[2].split(", "))


def untrue(html):
    """The cards that say of inputs what running the lines does not say: here every input is run again, and compared by
    NumPy."""
    found = []
    for card in cards_of(html).values():
        mistake = CATALOGUE[card.b.get_text()]
        step, function, layers, spoilt = mistake.forms[0]
        if step in WITHOUT_ONE_ANSWER:
            continue
        of, form = mistake.layers[0], Form(mistake, step, function)
        tried = weak.inputs(of)
        seen = []
        for case in tried:
            pairs = [(simulate(case, g, (form,)), case.right(g)) for g in RETURNS[of].split() if g in spoilt]
            seen.append(
                not all(
                    a is not None
                    and a.shape == b.shape
                    and np.allclose(a, b, rtol=0, atol=1e-9 * max(np.abs(b).max(), 1e-6))
                    for a, b in pairs
                )
            )
        missed, sees = (card.find("p", string=re.compile(start)) for start in ("^No", "^Seen by"))
        named = told(missed.get_text()) & set(weak.INPUTS)
        for name, holds in weak.INPUTS.items():
            try:
                chosen = [s for case, s in zip(tried, seen) if holds(case)]
            except (AttributeError, ValueError):
                chosen = []
            hides = 0 < len(chosen) < len(tried) and not any(chosen)
            found += [f"{card['id']}: {name}"] * ((name in named) != hides)
        count = f"on {sum(seen)} of {len(seen)} inputs"
        found += [f"{card['id']}: not {count}"] * (count not in sees.get_text())
    return found


def test_every_mistake_has_its_card_where_a_report_says(html):
    assert missing(html) == []
    assert set(cards_of(html)) == {m.card.removeprefix("wrong_answers#") for m in CATALOGUE.values()}
    for card in cards_of(html).values():
        mistake = CATALOGUE[card.b.get_text()]
        assert card["id"] == gallery.anchor(mistake)
        assert card["data-of"].split() == list(mistake.layers) and mistake.text in card.get_text()
        assert card["data-g"].split() == list(mistake.gradients) and mistake.convention in card.get_text()
        assert card.select("a")[-1]["href"] == mistake.section.replace("#", ".html#")
        assert card.pre.get_text().startswith("def ") and mistake.lines.__name__ in card.pre.get_text()


def test_right_and_wrong_pictures_differ_and_a_sentence_says_how(html):
    assert alike(html) == []


def test_what_the_page_says_of_weak_checks_is_what_running_them_says(html):
    assert untrue(html) == []


def with_the_right_picture_twice(card):
    tables = re.findall(r"<table>.*?</table>", card)
    return card.replace(tables[1], tables[0])


@pytest.mark.parametrize(
    "judge, spoil",
    [
        (alike, with_the_right_picture_twice),
        (alike, lambda card: re.sub(r"\d+ of (\d+) numbers", r"1 of \1 numbers", card)),
        (untrue, lambda card: card.replace("stride 1, same padding.", "same padding.")),
        (untrue, lambda card: card.replace("stride 1, same padding.", "stride 1, same padding, no padding.")),
        (untrue, lambda card: card.replace("on 72 of", "on 71 of")),
        (untrue, lambda card: re.sub("Not seen by a test with.*?</p>", "No weak check misses it.</p>", card)),
    ],
)
def test_a_card_that_is_not_true_is_noticed(html, judge, spoil):
    card = str(cards_of(html)["stride-ignored-in-dx"])
    assert judge(card) == [] and len(judge(spoil(card))) in (1, 2)


@pytest.mark.parametrize("other", ["", "a mistake that nobody knows"])
def test_a_mistake_without_a_card_is_noticed(html, other):
    """Of two cards, of which the catalogue has one only."""
    two = [str(cards_of(html)[key]) for key in ("dw-rotated", "stride-ignored-in-dx")]
    spoilt = two[0] + two[1].replace("stride ignored in dx", other) * bool(other)
    assert "stride ignored in dx" in missing(spoilt) and "stride ignored in dx" not in missing("".join(two))
    assert (other in missing(spoilt)) == bool(other) and "dW rotated" not in missing(spoilt)


POOLS, CONVOLUTIONS = {"max_pool2d", "avg_pool2d"}, {"conv2d", "conv1d", "dense"}
OF_KIND = dict.fromkeys(("max pooling", "average pooling", "places"), POOLS) | {"steps": {"sgd"}}
OF_KIND |= dict.fromkeys(("kernel", "stride and padding", "sums", "dW", "db", "axes"), CONVOLUTIONS)
OF_KIND |= {"activations": {"relu", "sigmoid", "tanh"}, "softmax": {"softmax_cross_entropy"}}
OF_KIND |= {"squared error": {"squared_error"}, "averages": {"softmax_cross_entropy", "squared_error"}}


def test_a_mistake_stands_under_a_kind_of_its_layers():
    """What the headings of the page promise; those that begin with "Any layer" promise none."""
    for kind, found in practice.kinds().items():
        for mistake in found:
            assert set(mistake.layers) <= OF_KIND.get(kind, {*mistake.layers}), (kind, mistake.name)
    assert sorted({*practice.kinds()} - {*OF_KIND}) == ["loops", "sign and size", "what outlives a call"]


def test_what_is_no_kind_and_no_layer_of_a_mistake_is_refused():
    with pytest.raises(ValueError, match="kind is 'kernels', want one of .*'kernel'"):
        gallery.cards("kernels")
    with pytest.raises(ValueError, match="'dW rotated' is of conv2d, conv1d, not of 'relu'"):
        practice.example(CATALOGUE["dW rotated"], "relu")


def test_examples_are_small_and_in_every_layer_there_is_one():
    for mistake in CATALOGUE.values():
        for of in mistake.layers:
            shown = practice.example(mistake, of)
            assert shown.of == of and max(shown.right.size, shown.wrong.size) <= 64, (mistake.name, of)
            assert shown.differs is None or shown.differs.any()


def test_wrong_gives_a_chapter_the_lines_of_the_catalogue_on_its_own_arrays():
    """In the book's axes: against loops that know nothing of the catalogue."""
    rng = np.random.default_rng(1)
    x, W, delta = (rng.standard_normal(shape) for shape in ((2, 7, 6, 3), (4, 2, 3, 2), (4, 3, 4, 3)))
    given = dict(x=x, W=W, b=np.zeros(4), delta=delta, stride=(2, 2), padding=(0, 1))
    right = formulas.correlate2d_backward(x, W, delta, (2, 2), (0, 1))
    turned = formulas.correlate2d_backward(x, W[:, :, ::-1, ::-1], delta, (2, 2), (0, 1))
    found = practice.wrong("kernel not rotated", "conv2d", **given)
    for mine, wanted in zip(found.values(), (turned[0], *right[1:]), strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-12)
    assert np.abs(found["dx"] - right[0]).max() > 0.1
    assert practice.wrong("in and out channels not swapped", "conv2d", **given)["dx"] is None  # NumPy refuses
    one = practice.wrong(
        "stride ignored in dx", "conv1d", **given | dict(x=x[:, 0], W=W[:, :, 0], delta=delta[:, 0])
    )
    assert one["dx"].shape == (2, 6, 3) and one["dW"].shape == (4, 2, 2)
    dense = dict(x=x[:, 0, 0], W=W[:, :, 0, 0], b=np.zeros(4), delta=delta[:, 0, 0])
    np.testing.assert_allclose(
        practice.wrong("wrong sign", "dense", **dense)["dx"], -dense["W"].T @ dense["delta"]
    )
    for name, of, arguments in (
        ("kernel turned", "conv2d", given),
        ("kernel not rotated", "relu", dense),
        ("gradient accumulated over calls", "conv2d", given),
        ("kernel not rotated", "conv2d", dense),
    ):
        with pytest.raises(
            ValueError, match="one wrong answer|conv2d wants x, W, b, delta, stride, padding, got x"
        ):
            practice.wrong(name, of, **arguments)


def test_what_begins_with_what_was_in_memory_is_the_same_on_every_machine():
    form = Form(CATALOGUE["wrong sign"], "begun", None)
    one, other = (examples.spoil(form, examples.small("dense")[0], "dx") for _ in range(2))
    assert np.array_equal(one.wrong, other.wrong) and one.differs.sum() > 3 and "memory" in one.note


def test_shades_follow_sign_and_size_and_what_is_no_number_is_said():
    table = gallery.heat(np.array([-4.0, 0, 1, 4, np.nan, np.inf]), "numbers", 0, 4, None)
    cells = BeautifulSoup(table, "html.parser")("td")
    assert [cell.get("class") for cell in cells] == [["n4"], None, ["p1"], ["p4"], None, None]
    assert [cell.get_text() for cell in cells] == ["−4", "0", "1", "4", "NaN", "∞"]
    assert "empty" in gallery.heat(np.zeros((1, 0)), "nothing", 0, 1, None)
