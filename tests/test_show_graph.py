"""Curves, level lines and bars stand where their numbers say, inside their axes, and are well-formed."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from cnnlib.show import graph, svg

BOX = {"x": (0, 10), "y": (0, 1)}


def texts(picture):
    return ["".join(t.itertext()) for t in ElementTree.fromstring(picture).iter("text")]


def inside(picture):
    """The nested svg that holds what is drawn, and its box: left, top, width, height."""
    (view,) = (e for e in ElementTree.fromstring(picture).iter("svg") if "x" in e.attrib)
    return view, [float(v) for v in view.get("viewBox").split()]


def points(element):
    return np.array([[float(v) for v in p.split()] for p in re.split("[ML]", element.get("d"))[1:]])


def test_a_line_goes_through_its_points():
    view, (left, top, width, height) = inside(graph.axes([graph.line([0, 5, 10], [0, 1, 0.5])], **BOX))
    wanted = [[left, top + height], [left + width / 2, top], [left + width, top + height / 2]]
    assert np.abs(points(view[0]) - wanted).max() <= 0.05


def test_up_is_up_and_right_is_right():
    view, _ = inside(graph.axes([graph.dots([1, 9], [0.1, 0.9])], **BOX))
    low, high = (np.array([float(c.get("cx")), float(c.get("cy"))]) for c in view.iter("circle"))
    assert high[0] > low[0] and high[1] < low[1]


def test_what_leaves_the_axes_is_cut_off_and_stays_finite():
    picture = graph.axes([graph.line([0, 10], [0.5, 1e300])], **BOX)
    view, box = inside(picture)
    assert [float(view.get(k)) for k in ("x", "y", "width", "height")] == box
    assert np.isfinite(points(view[0])).all() and "e+" not in picture and "inf" not in picture


def test_curves_are_not_filled():
    items = [
        graph.line([0, 5, 10], [0, 1, 0]),
        graph.dots([1, 2, 3], [0, 1, 0], joined=True),
        graph.contours(lambda X, Y: X * Y, [2], **BOX),
    ]
    paths = [p for p in ElementTree.fromstring(graph.axes(items, **BOX)).iter("path") if "fill" in p.attrib]
    assert [p.get("fill") for p in paths] == ["none"] * 4  # the three, and the axes


def test_the_way_back_is_dashed_and_the_way_forward_is_not():
    back, _ = inside(graph.axes([graph.line([0, 1], [0, 1], svg.BACKWARD)], **BOX))
    on, _ = inside(graph.axes([graph.line([0, 1], [0, 1], svg.FORWARD)], **BOX))
    assert back[0].get("stroke-dasharray") and on[0].get("stroke-dasharray") is None


def test_numbers_stand_at_the_ends_and_at_zero():
    assert texts(graph.axes([], x=(-2, 3), y=(1, 2))) == ["−2", "0", "3", "1", "2"]
    assert texts(graph.axes([], x=(0, 3), y=(1, 2), xticks=[1, 2.5], yticks=[])) == ["1", "2.5"]


def test_names_stand_at_the_axes_and_labels_at_their_points():
    items = [graph.line([0, 10], [0, 1], label="rise", at=0), graph.dots([5, 6], [0, 1], labels=["a", ""])]
    words = texts(graph.axes(items, **BOX, xlabel="w", ylabel="J", caption="descent"))
    assert {"w", "J", "descent", "rise", "a"} <= set(words) and "" not in words


def test_labels_stay_inside_the_axes():
    picture = graph.axes([graph.line([0, 10], [0, 1], label="a long label", at=-1)], **BOX)
    _, (left, top, width, height) = inside(picture)
    (label,) = [t for t in ElementTree.fromstring(picture).iter("text") if t.text == "a long label"]
    assert left < float(label.get("x")) <= left + width - 40 and top < float(label.get("y")) < top + height


@pytest.mark.parametrize("seed", range(5))
def test_a_last_bit_changes_no_level_line_and_no_coordinate(seed):
    """A line through points of the grid, as x + y = 1 on a grid of tenths, and coordinates midway between two tenths."""
    noise = 1e-14 * np.random.default_rng(seed).standard_normal((11, 11))
    drawn = [
        graph.axes(
            [graph.contours(lambda X, Y, e=e: X + Y + e, [1.0], x=(0, 1), y=(0, 1), n=11)], x=(0, 1), y=(0, 1)
        )
        for e in (0, noise)
    ]
    assert drawn[0] == drawn[1]
    places = np.linspace(0, 1, 41)
    lines = [
        graph.axes([graph.line(places + e, places)], x=(0, 1), y=(0, 1))
        for e in (0, 0.1 * np.resize(noise, 41))
    ]
    assert lines[0] == lines[1]


def test_contours_are_where_the_function_has_the_level():
    item = graph.contours(lambda X, Y: X + 10 * Y, [5, 12], **BOX)
    view, (left, top, width, height) = inside(graph.axes([item], **BOX))
    pixels = points(view[0])
    X, Y = 10 * (pixels[:, 0] - left) / width, 1 - (pixels[:, 1] - top) / height
    values = X + 10 * Y
    assert np.abs(values[:, None] - [5, 12]).min(axis=1).max() < 0.02
    assert {5, 12} == {round(v) for v in values}


def test_bars_are_as_long_as_their_values():
    picture = graph.bars([0.5, 0.25, 0], ["a", "b", "c"], length=100, caption="p")
    widths = [float(r.get("width")) for r in ElementTree.fromstring(picture).iter("rect")]
    assert widths == [50, 25, 0]
    assert texts(picture) == ["p", "a", "0.500", "b", "0.250", "c", "0.000"]


def test_signed_bars_go_left_and_right_of_zero_in_two_hues():
    picture = graph.bars([0.5, -0.5], ["a", "b"], low=-1, length=100)
    plus, minus = ElementTree.fromstring(picture).iter("rect")
    assert float(minus.get("x")) + float(minus.get("width")) == float(plus.get("x"))
    assert (plus.get("fill"), minus.get("fill")) == (svg.ACCENT, svg.NEGATIVE)


def test_names_are_escaped():
    picture = graph.bars([0.5], ["a<b"], caption="p & q")
    assert texts(picture)[:2] == ["p & q", "a<b"]
    assert "x<y" in texts(graph.axes([], **BOX, xlabel="x<y"))


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (0, np.inf), (0, 1, 2), "ab"])
def test_axes_refuse_ends_that_do_not_rise(ends):
    with pytest.raises(ValueError, match="axes wants y as"):
        graph.axes([], x=(0, 1), y=ends)


def test_points_that_do_not_fit_are_refused():
    for xs, ys in (([0, 1], [0]), ([0, 1], [0, np.nan]), ([[0]], [[0]])):
        with pytest.raises(ValueError, match="finite xs and ys of one length"):
            graph.line(xs, ys)
    with pytest.raises(ValueError, match="dots wants 2 labels or none, got 1"):
        graph.dots([0, 1], [0, 1], labels=["a"])


@pytest.mark.parametrize(
    ("values", "names", "scale", "says"),
    [
        ([1, 2], ["a"], {}, "as many names"),
        ([np.nan], ["a"], {}, "finite numbers"),
        ([2], ["a"], {}, "around all values"),
        ([-0.1], ["a"], {}, "around all values"),
        ([0.1], ["a"], {"low": 0.05}, "low <= 0 < high"),
    ],
)
def test_bars_refuse_what_does_not_fit(values, names, scale, says):
    with pytest.raises(ValueError, match=says):
        graph.bars(values, names, **scale)
