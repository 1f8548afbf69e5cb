"""Explorers: numbers and links of every case against the lectures' sums, the first state, and what is refused."""

import html
import json
import re

import numpy as np
import pytest
from bs4 import BeautifulSoup
from cnnlib import formulas
from cnnlib.show import ConvExplorer, PoolExplorer, explorer, svg

CONV, POOL = ConvExplorer(), PoolExplorer()


def batch(matrix):
    return np.array(matrix, float)[None, :, :, None]


def square(values):
    side = round(len(values) ** 0.5)
    return np.array(values, float).reshape(side, side)


def conv_by_formulas(case, x):
    """z, dx, dW of a case, by the sums."""
    W, stride, padding = square(case["W"])[None, None], (case["stride"],) * 2, (case["padding"],) * 2
    z = formulas.correlate2d(batch(x), W, np.zeros(1), stride, padding)
    dx, dW, _ = formulas.correlate2d_backward(batch(x), W, batch(square(case["delta"])), stride, padding)
    return z[0, :, :, 0], dx[0, :, :, 0], dW[0, 0]


def sums_over_links(case, x):
    """The same, each product added where the links of the case say."""
    padding = case["padding"]
    padded, W = np.pad(x, padding).ravel(), np.array(case["W"], float)
    z, dW, dx = np.zeros(case["out"] ** 2), np.zeros(len(W)), np.zeros(len(padded))
    for k, pixel in enumerate(case["links"]):
        output, weight = divmod(k, len(W))
        z[output] += W[weight] * padded[pixel]
        dW[weight] += case["delta"][output] * padded[pixel]
        dx[pixel] += case["delta"][output] * W[weight]
    inside = slice(padding, padding + len(x))
    return square(z), square(dx)[inside, inside], square(dW)


def shown(case):
    return [square(case[name]) for name in ("z", "dx", "dW")]


def agree(case, x):
    """Whether numbers and links of a case are those of the sums."""
    right = conv_by_formulas(case, x)
    return all(
        np.array_equal(a, b) for got in (shown(case), sums_over_links(case, x)) for a, b in zip(got, right)
    )


def test_there_is_each_case_with_less_padding_than_kernel_and_no_more_outputs_than_pixels():
    sizes = {
        (k, s, p)
        for k in (1, 2, 3, 4)
        for s in (1, 2, 3)
        for p in (0, 1, 2)
        if p < k and formulas.output_size(5, k, s, p) <= 5
    }
    assert set(CONV.cases) == sizes and len(sizes) == 24
    assert set(POOL.cases) == {(k, s) for k in (2, 3) for s in (1, 2, 3)}


@pytest.mark.parametrize("at", CONV.cases)
def test_the_numbers_and_the_sums_over_the_links_are_those_of_the_formulas(at):
    assert agree(CONV.cases[at], CONV.x)


def test_a_wrong_number_and_a_wrong_link_are_noticed():
    for name in ("dx", "links"):
        case = {**CONV.cases[3, 2, 1]}
        case[name] = case[name][::-1]
        assert not agree(case, CONV.x)


@pytest.mark.parametrize("at", CONV.cases)
def test_the_rotated_kernel_over_the_spread_deltas_gives_the_same(at):
    case, kernel = CONV.cases[at], at[0]
    spread = np.zeros((len(CONV.x) + kernel - 1,) * 2)
    spread.flat[case["spread"]] = case["delta"]
    turned = square(case["W"])[None, None, ::-1, ::-1]
    full = formulas.correlate2d(batch(spread), turned, np.zeros(1))
    assert np.array_equal(full[0, :, :, 0], square(case["dx"]))


def test_links_of_which_no_correlation_is_made_are_refused(monkeypatch):
    links = ConvExplorer.links
    monkeypatch.setattr(ConvExplorer, "links", lambda *sizes: links(*sizes)[:, ::-1])
    with pytest.raises(ValueError, match="wants a layer whose backward pass is one correlation"):
        ConvExplorer()


@pytest.mark.parametrize("at", POOL.cases)
def test_max_pooling_is_that_of_the_formulas(at):
    case, (kernel, stride) = POOL.cases[at], at
    sizes = (kernel, kernel), (stride, stride)
    z = formulas.max_pool2d(batch(POOL.x), *sizes)[0, :, :, 0]
    assert np.array_equal(square(case["z"]), z)
    delta = batch(square(case["delta"]))
    dx = formulas.max_pool2d_backward(batch(POOL.x), delta, *sizes)[0, :, :, 0]
    assert np.array_equal(square(case["dx"]), dx)
    windows = np.array(case["links"]).reshape(len(case["kept"]), -1)
    for (i, j), window, kept in zip(np.ndindex(z.shape), windows, case["kept"], strict=True):
        places = formulas.window(batch(POOL.x), 0, i, j, 0, *sizes, (0, 0), -np.inf)
        assert window.tolist() == [h * len(POOL.x) + w for (h, w), _ in places]
        assert kept == next(p for p in window if POOL.x.flat[p] == z[i, j])


def test_the_images_hold_what_there_is_to_see():
    assert 0 not in CONV.x and 0 not in CONV.W and len(set(CONV.W.flat)) == CONV.W.size
    ties = [
        sum(POOL.x.flat[p] == top for p in window) > 1
        for at, case in POOL.cases.items()
        for window, top in zip(np.array(case["links"]).reshape(-1, at[0] ** 2), case["z"], strict=True)
    ]
    assert any(ties) and not all(ties)


# ---- what is displayed


def texts(page):
    """The numbers of each table of the first state, in the order of the page."""
    return {
        table["class"][0].removeprefix("cnn-"): [
            td.get_text() for td in table("td", class_=lambda c: c != "gh")
        ]
        for table in page.select(".cnn-still table")
    }


@pytest.mark.parametrize("one", [CONV, POOL, ConvExplorer(compact=True)], ids=["conv", "pool", "compact"])
def test_the_first_state_stands_in_the_html_and_its_terms_add_up(one):
    page = BeautifulSoup(one.html(), "html.parser")
    case = one.cases[one.start]
    tables = texts(page)
    assert list(tables) == [kind for row in one.rows() for kind in row]
    for kind, seen in tables.items():
        values = one.x.ravel() if kind == "x" else case[kind]
        assert seen == [svg.number(v, 0) for v in values]
    pixel = one.pixel[0] * len(one.x) + one.pixel[1]
    chosen = page.select(".cnn-still td.on")
    assert [td.get_text() for td in chosen] == [svg.number(case["dx"][pixel], 0)]
    terms = [term.get_text().split()[-1].replace("−", "-") for term in page.select(".cnn-still .cnn-term")]
    products = [eval(term.replace("·", "*")) for term in terms]
    assert (
        sum(products) == case["dx"][pixel] and len(terms) == len(page.select(".cnn-still .cnn-delta .bw")) > 1
    )


def test_an_output_is_small_the_same_at_each_run_and_asks_no_one_else():
    for make in (ConvExplorer, PoolExplorer):
        text = make().html()
        assert text == make().html() and len(text.encode()) < 60_000
        assert not re.search(r"https?:(?!//www\.w3\.org/)|src=|@import|url\(", text)
        assert make()._repr_mimebundle_() == {
            "text/plain": f"<{make.__name__}: {len(make().cases)} cases>",
            "text/html": text,
        }


def test_the_data_in_the_html_are_those_of_the_cases():
    (stored,) = re.findall('<script type="application/json">(.*)</script>', CONV.html())
    data = json.loads(stored)
    assert {tuple(map(int, at.split(","))): case for at, case in data["cases"].items()} == CONV.cases
    assert data["x"] == CONV.x.ravel().tolist() and data["start"] == [3, 1, 0]


def test_the_colours_are_those_of_all_pictures():
    css = explorer._css()
    assert f"--fw: {svg.FORWARD}; --bw: {svg.BACKWARD}; --pos: {svg.ACCENT}; --neg: {svg.NEGATIVE};" in css
    assert re.findall("#[0-9a-f]{3,}", css) == [svg.FORWARD, svg.BACKWARD, svg.ACCENT, svg.NEGATIVE]


def test_a_title_is_escaped():
    text = ConvExplorer(title="<i>1 & 2</i>").html()
    assert html.escape("<i>1 & 2</i>") in text and "<i>1" not in text


def test_other_sizes_are_possible():
    one = ConvExplorer(
        np.arange(1, 10).reshape(3, 3), kernels=(2,), strides=(1, 2), start=(2, 2, 1), pixel=(0, 2)
    )
    assert list(one.cases) == [(2, 1, 0), (2, 2, 0), (2, 2, 1)]
    assert all(agree(case, one.x) for case in one.cases.values())


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (ConvExplorer, {"x": [[1, 2]]}, "square image of 2 to 6 rows"),
        (ConvExplorer, {"x": np.ones((7, 7))}, "square image of 2 to 6 rows"),
        (ConvExplorer, {"W": [[1, 2], [3, 4]]}, r"W with 4 rows and columns or more, got \(2, 2\)"),
        (ConvExplorer, {"start": (3, 1, 2)}, r"start among \[\(1, 1, 0\)"),
        (ConvExplorer, {"pixel": (5, 0)}, "pixel as a row and a column below 5"),
        (ConvExplorer, {"pixel": (1,)}, "pixel as a row"),
        (ConvExplorer, {"alt": "short"}, "alt must say"),
        (PoolExplorer, {"start": (4, 1)}, "PoolExplorer wants start among"),
    ],
)
def test_explorers_refuse_what_does_not_fit(make, changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)
