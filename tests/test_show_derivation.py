"""A derivation shows what it evaluates: a wrong index, sign or factor changes a number, and the table refuses it."""

import re

import numpy as np
import pytest
from cnnlib.show import derivation as dv

RNG = np.random.default_rng(0)
W, DELTA, SLOPE = RNG.standard_normal((2, 3)), RNG.standard_normal(2), RNG.standard_normal(3)
IMAGE, KERNEL = RNG.standard_normal((4, 5)), RNG.standard_normal((2, 3))
OUT = RNG.standard_normal((3, 3))
j, k, h, w, i, u, v = dv.indices("j k h w i u v")
WEIGHTS, DELTAS, SLOPES = dv.array("W^{(2)}", W), dv.array(r"\delta", DELTA), dv.array("f'(z_{#})", SLOPE)


def shown(capsys, *args, **kwargs):
    """The HTML that a table displays."""
    import cnnlib.show.figures as figures

    kept = []
    figures_display, figures._display = figures._display, lambda html, text: kept.append(html)
    try:
        dv.table(*args, **kwargs)
    finally:
        figures._display = figures_display
    return kept[0]


def test_formula_and_number_are_one():
    line = dv.sum(k, WEIGHTS[k, j] * DELTAS[k]) * SLOPES[j]
    assert line.tex() == r"\Bigl(\sum_{k} W^{(2)}_{kj}\,\delta_{k}\Bigr)\,f'(z_{j})"
    for unit in range(3):
        assert np.isclose(line.value({"j": unit}), (W.T @ DELTA)[unit] * SLOPE[unit])


def test_the_numbers_put_in_give_the_value():
    line = (
        dv.sum(k, WEIGHTS[k, j] * DELTAS[k]) * SLOPES[j] - 2 * SLOPES[j] + dv.apply("f", np.tanh, SLOPES[j])
    )
    text = line.numbers({"j": 1}, 12).replace("\u00a0·\u00a0", " * ").replace("−", "-")
    assert np.isclose(eval(text), line.value({"j": 1}))
    assert re.fullmatch(r"[-\d. *+()]+", text)
    difference = (DELTAS[k] - 2) * SLOPES[j]  # a factor that is a difference needs brackets, too
    text = difference.numbers({"j": 1, "k": 0}, 12).replace("\u00a0·\u00a0", " * ").replace("−", "-")
    assert np.isclose(eval(text), difference.value({"j": 1, "k": 0}))


def test_a_difference_as_a_factor_has_brackets_in_numbers_too():
    line = SLOPES[j] * (1 - SLOPES[j]) * dv.sum(k, WEIGHTS[k, j] * (DELTAS[k] - SLOPES[j]))
    text = line.numbers({"j": 1}, 12).replace("\u00a0·\u00a0", " * ").replace("−", "-")
    assert np.isclose(eval(text), line.value({"j": 1})) and text.count("- ") == 3


def test_indices_add_and_what_lies_outside_is_zero():
    x, z = dv.array("x", IMAGE), dv.array("z", OUT)
    kernel = dv.array("W", KERNEL, outside=0)
    forward = dv.sum((u, v), kernel[u, v] * x[i + u, j + v])
    assert forward.tex() == r"\sum_{u,v} W_{uv}\,x_{i+u,\,j+v}"
    assert np.isclose(forward.value({"i": 1, "j": 2}), np.sum(KERNEL * IMAGE[1:3, 2:5]))
    back = dv.sum((i, j), z[i, j] * kernel[h - i, w - j])
    want = sum(
        OUT[a, b] * KERNEL[1 - a, 2 - b]
        for a in range(3)
        for b in range(3)
        if 0 <= 1 - a < 2 and 0 <= 2 - b < 3
    )
    assert np.isclose(back.value({"h": 1, "w": 2}), want)
    assert back.numbers({"h": 1, "w": 2}, 2).count("·") == 6, "terms outside are left out"
    assert back.numbers({"h": 0, "w": 0}, 2).count("·") == 1
    assert str(2 * i - u + 1) == "2i+1-u" and str(0 * i) == "0"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: dv.sum(k, WEIGHTS[k, j] * DELTAS[k]),
        lambda: dv.sum(k, WEIGHTS[k, j] * DELTAS[k]) * SLOPES[j] * -1,
        lambda: dv.sum(k, WEIGHTS[k, j] * DELTAS[k]) * SLOPES[j] * 0.5,
        lambda: dv.sum(k, WEIGHTS[k, 0] * DELTAS[k]) * SLOPES[j],
        lambda: dv.sum(k, WEIGHTS[k, j] * DELTAS[0]) * SLOPES[j],
    ],
)
def test_a_wrong_line_is_refused_with_its_number(wrong, capsys):
    left = dv.array(r"\partial J/\partial z", (W.T @ DELTA) * SLOPE)[j]
    right = dv.sum(k, WEIGHTS[k, j] * DELTAS[k]) * SLOPES[j]
    with pytest.raises(AssertionError, match="line 2, "):
        dv.table(left, [(right, "chain rule"), (wrong(), "?")], at=[{j: 0}, {j: 1}], caption="c")
    with pytest.raises(AssertionError, match="line 1, "):
        dv.table(left, [(wrong(), "?")], at=[{j: 0}, {j: 1}], caption="c")


def test_the_order_of_two_indices_matters():
    square = dv.array("W", np.arange(4.0).reshape(2, 2))
    d, left = dv.array("d", [1.0, 2.0]), dv.array("s", [4.0, 7.0])[j]
    dv.table(left, [(dv.sum(k, square[k, j] * d[k]), "")], at=[{j: 0}, {j: 1}], caption="c")
    with pytest.raises(AssertionError, match=r"W_\{jk\}"):
        dv.table(left, [(dv.sum(k, square[j, k] * d[k]), "")], at=[{j: 0}, {j: 1}], caption="c")
    with pytest.raises(ValueError, match="lengths"):
        dv.sum(k, WEIGHTS[j, k] * DELTAS[k])


def test_the_table_has_formula_reason_and_numbers(capsys):
    right = dv.sum(k, WEIGHTS[k, j] * DELTAS[k])
    left = dv.array(r"\frac{\partial J}{\partial a_{#}}", W.T @ DELTA)[j]
    html = shown(capsys, left, [(right, "over paths add")], at=[{j: 2}], caption="Back", how="measured")
    a, b = (f"{value:.2f}".replace("-", "−") for value in (W[0, 2], W[1, 2]))
    assert r"\(\frac{\partial J}{\partial a_{j}}\)" in html and "measured" in html
    assert r"\(= \sum_{k} W^{(2)}_{kj}\,\delta_{k}\)" in html and "over paths add" in html
    assert a in html and b in html and f"= {right.value({'j': 2}):.2f}".replace("-", "−") in html
    assert "in numbers, j = 2" in html


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: dv.indices("j j"), "different names"),
        (lambda: dv.indices(""), "different names"),
        (lambda: dv.array("W", W, outside=1), "outside is None or 0"),
        (lambda: dv.array("W", [np.nan]), "finite"),
        (lambda: WEIGHTS[j], "has 2 indices, got 1"),
        (lambda: dv.sum(k, 2 * DELTAS[j]), "no axis of its own"),
        (lambda: dv.sum(k, "x"), "numbers and of arrays"),
        (lambda: WEIGHTS * 2, "unsupported|numbers and of arrays"),
        (lambda: DELTAS[j].value({}), "neither summed nor given"),
        (lambda: dv.table(DELTAS[j], [], at=[{j: 0}], caption="c"), "wants lines"),
        (lambda: dv.table(DELTAS[j], [(DELTAS[j], "")], at=[], caption="c"), "places"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises((ValueError, TypeError), match=said):
        call()


def test_an_index_beyond_the_end_is_an_error_and_no_wrap():
    with pytest.raises(IndexError, match=r"\\delta_\{k\}"):
        DELTAS[k].value({"k": -1})
    with pytest.raises(IndexError):
        DELTAS[k].value({"k": 2})
