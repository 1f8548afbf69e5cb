"""Labels keep clear of one another and of strokes, or have a halo."""

import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
from cnnlib.show import graph, svg
from cnnlib.show.labels import box, crossings, overlap, place, strokes


def boxes(picture):
    """The box of each text of a network or graph, where it stands on the page."""
    found = []

    def walk(e, turn):
        if at := re.fullmatch(r"translate\((\S+) (\S+)\) rotate\((\S+)\)", e.get("transform") or ""):
            turn = tuple(map(float, at.groups()))
        if e.tag == "text":
            x, y = float(e.get("x")), float(e.get("y")) - 6
            wide = {"start": 5 * len(e.text), "end": -5 * len(e.text)}.get(e.get("text-anchor"), 0)
            dx, dy, slope = turn
            c, s = np.cos(np.radians(slope)), np.sin(np.radians(slope))
            x += wide
            found.append(
                (e.text, box((dx + c * x - s * y, dy + s * x + c * y), e.text, slope), "style" in e.attrib)
            )
        for child in e:
            walk(child, turn)

    walk(ElementTree.fromstring(picture), (0, 0, 0))
    return found


def collisions(picture):
    return [
        (a, b)
        for (a, p, _), (b, q, _) in combinations(boxes(picture), 2)
        if overlap(0.9 * p + 0.1 * p.mean(0), q)
    ]


def test_boxes_overlap_where_they_share_more_than_an_edge():
    assert overlap(box((0, 0), "ab"), box((20, 0), "ab")) and not overlap(
        box((0, 0), "ab"), box((22, 0), "ab")
    )
    assert not overlap(box((0, 0), "abcd", 45), box((30, 0), "abcd", 45))
    assert crossings(box((0, 0), "ab"), np.array([[[-50.0, -50], [50, 50]], [[-50, 9], [50, 9]]])) == 1
    assert strokes('<path fill="none" d="M0 0L3 4L6 0"/><path d="M0 0h5"/>').tolist() == [
        [[0, 0], [3, 4]],
        [[3, 4], [6, 0]],
    ]


def test_the_first_place_that_is_free_is_taken():
    spots = [box((x, 0), "ab") for x in (0, 10, 40)]
    assert place(spots, [spots[0]], np.zeros((0, 2, 2))) == (2, False)
    line = np.array([[[0.0, -20], [0, 20]]])
    assert place(spots, [], line) == (2, False) and place(spots[:2], [], line)[1]


def test_numbers_on_wires_that_meet_stand_apart():
    rng = np.random.default_rng(0)
    for wide, tall, gap in ((3, 2, 140), (2, 3, 140), (4, 1, 140), (3, 3, 220)):
        picture = svg.network(
            ["abcd"[:wide], "efgh"[:tall]],
            forward=[rng.normal(size=wide), rng.normal(size=tall)],
            backward=[rng.normal(size=wide), rng.normal(size=tall)],
            weights=[rng.normal(size=(tall, wide))],
            gradients=[rng.normal(size=(tall, wide))],
            gap=gap,
        )
        assert collisions(picture) == []


def test_numbers_that_a_wire_runs_through_have_a_halo_and_are_drawn_after_it():
    picture = svg.network(["abc", "def"], forward=[[1, 2, 3], [4, 5, 6]], gap=100)
    root = ElementTree.fromstring(picture)
    wires = strokes(picture)
    for text, shape, halo in boxes(picture):
        if len(text) > 1:
            assert halo == (crossings(shape, wires) > 0)
    assert any(halo for *_, halo in boxes(picture))
    assert [e.tag for e in root][:9] == ["path"] * 9 and "path" not in [e.tag for e in root][9:]


def test_labels_of_dots_go_where_no_line_is():
    view = {"x": (-0.5, 1.5), "y": (-0.5, 1.5)}
    dots = graph.dots([0, 0, 1, 1], [0, 1, 0, 1], labels=["0.21", "0.22", "0.23", "0.24"])
    for slope in (-1.2, -0.7, 0.4):
        line = graph.line([-1, 2], [0.8 - slope, 0.8 + 2 * slope])
        picture = graph.axes([line, dots], **view)
        lines = strokes(picture)
        for text, shape, halo in boxes(picture):
            assert not text.startswith("0.2") or not crossings(shape, lines) or halo
        assert collisions(picture) == []


def test_labels_of_dots_close_together_stand_apart():
    picture = graph.axes(
        [graph.dots([4, 4.4, 4.8], [1, 1, 1], labels=["one", "two", "three"])], x=(0, 10), y=(0, 2)
    )
    assert collisions(picture) == []


def test_numbers_at_the_ends_of_axes_meet_nothing_and_are_not_cut_off():
    for x, y in (((-2.4, 2.4), (-2, 2)), ((-10, 10), (-35, 35)), ((0, 460), (0, 2.2))):
        picture = graph.axes([], x=x, y=y, xlabel="epoch", ylabel="loss", caption="falls", width=310)
        assert collisions(picture) == []
        assert all(shape[:, 0].max() <= 310 for _, shape, _ in boxes(picture))
    crowded = graph.axes([], x=(0, 100), y=(0, 1), xticks=[0, 1, 2, 50, 99, 100], yticks=[0, 0.01, 1])
    assert [text for text, *_ in boxes(crowded)] == ["0", "50", "100", "0", "1"]
