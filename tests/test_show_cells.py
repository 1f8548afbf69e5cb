"""Where a click on a cell leads, and what lights up together, as Python finds it in the pictures of all frames."""

import json
import re

import numpy as np
import pytest
from cnnlib.show import Frames, cells, figure, svg

X = np.arange(12.0).reshape(3, 4) + 0.25


def frames(draw, values, **given):
    return Frames(draw, values, name="step", alt="The cells of a grid that are marked, one by one", **given)


def go(draw, values):
    return frames(draw, values).links.go


def lit(text):
    """For each number that lights up in a frame's HTML the cells, (grid, cell), and terms ("term", order)."""
    found, text = {}, text.split("<style>")[0]
    for grid, tag in enumerate(re.findall("<svg[^>]*>", text)):
        for pair in (re.search('data-k="([^"]*)"', tag) or [0, ""])[1].split():
            cell, number = pair.split(":")
            found.setdefault(number, []).append((grid, int(cell)))
    for order, number in enumerate(re.findall('data-t="([^"]*)"', text)):
        found.setdefault(number, []).append(("term", order))
    return list(found.values())


def test_a_click_leads_to_the_frame_that_marks_the_cell():
    assert go(lambda k: svg.grid(X, marks=[svg.mark(k // 4, k % 4)]), range(12)) == [[[k] for k in range(12)]]


def test_the_smallest_mark_wins_and_ties_are_left_to_the_nearest():
    (leads,) = go(lambda k: svg.grid(X, marks=[svg.mark(0, k, 2, 2), svg.mark(k, 0)]), range(3))
    assert leads == [[0], [0, 1], [1, 2], [2], [1], [0, 1], [1, 2], [2], [2], [], [], []]


def test_a_mark_that_never_moves_leads_nowhere():
    (leads,) = go(lambda k: svg.grid(X, marks=[svg.mark(0, 0), svg.mark(1, k)]), range(2))
    assert leads == [[]] * 4 + [[0], [1], [], []] + [[]] * 4
    still = frames(lambda k: svg.grid(np.arange(4) + k, marks=[svg.mark(0, 0)]), range(2))
    assert still.links.go == [] and "data-g" not in still.html().split("<script>")[0]


def test_a_cell_that_appears_leads_to_where_it_does():
    hidden = lambda k: np.arange(4) > k  # noqa: E731
    assert go(lambda k: svg.grid(X[0], hide=hidden(k)), range(3)) == [[[], [1], [2], []]]
    two = {"step": range(3), "other": range(2)}
    assert go(lambda k, other: svg.grid(X[0], hide=hidden(k)), two) == [[[], [2, 3], [4, 5], []]]
    rowwise = {"row": range(2), "column": range(2)}
    draw = lambda r, c: svg.grid(X[:2, :2], hide=[[False, 2 * r + c < 1], [2 * r + c < 2, 2 * r + c < 3]])  # noqa: E731
    assert go(draw, rowwise) == [[[], [1], [2], [3]]]


def test_grids_are_known_again_by_name_or_place_and_shape():
    other = svg.grid([9])

    def draw(k):
        named = svg.grid(X, marks=[svg.mark(0, k)], name="x")
        return svg.row(named, other) if k else svg.row(other, named)

    assert go(draw, range(3)) == [[[k] for k in range(3)] + [[]] * 9]


def test_cells_and_terms_with_the_same_fraction_light_up_and_whole_numbers_do_not():
    y = np.array([[0.25, 3, 0, 7.5]])

    def draw(k):
        return svg.row(svg.grid(X), svg.grid(y))

    term = lambda k: f"{cells.term(7.5)} and {cells.term(5.25)}, not {cells.term(3)}"  # noqa: E731
    shown = frames(draw, range(2), formula=term)
    text = shown.whole(shown.frame(0), shown.said(0))
    assert lit(text) == [[(0, 0), (1, 0)], [(0, 5), ("term", 1)], [(1, 3), ("term", 0)]]
    assert text.count("tabindex") == 2 and "data-cells" not in text and "data-key" not in text


def test_what_another_machine_rounds_otherwise_is_the_same_number():
    assert lit(frames(lambda k: svg.row(svg.grid([0.1 + 0.2]), svg.grid([0.3])), [0]).html()) != []
    assert lit(frames(lambda k: svg.row(svg.grid([0.3000001]), svg.grid([0.3])), [0]).html()) == []


def test_hidden_cells_and_cells_of_one_grid_alone_do_not_light_up():
    assert lit(frames(lambda k: svg.row(svg.grid([0.5, 0.5]), svg.grid([1.5])), [0]).html()) == []
    both = frames(lambda k: svg.row(svg.grid([0.5, 1.5], hide=[True, False]), svg.grid([0.5, 1.5])), [0])
    assert lit(both.html()) == [[(0, 1), (1, 1)], [(1, 0)]]


def test_keys_join_what_is_the_same_and_nothing_else():
    names = cells.keys("x", (3, 4))

    def draw(k):
        part = svg.grid(np.zeros((2, 2)), keys=names[1:, 2:])
        return svg.row(svg.grid(np.zeros((3, 4)), name="x"), part)

    shown = frames(draw, [0], formula=cells.term(0, key="x[1,2]"))
    assert lit(shown.html()) == lit(shown.whole(shown.frame(0), shown.said(0)))
    assert lit(shown.whole(shown.frame(0), shown.said(0)))[0] == [(0, 6), (1, 0), ("term", 0)]
    assert len(lit(shown.html())) == 4


@pytest.mark.parametrize("given", [{"name": "a;b"}, {"keys": ["a", "b"]}, {"keys": ["a|", "b", "c"]}])
def test_keys_that_do_not_fit_are_refused(given):
    with pytest.raises(ValueError, match="key"):
        svg.grid([1, 2, 3], **given)


def test_a_figure_stands_still_and_says_nothing_of_its_cells(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr("cnnlib.show.figures.display", lambda data, raw: shown.append(data["text/html"]))
    figure(svg.grid(X), alt="A grid of twelve numbers that rise")
    assert "data-" not in shown[0] and "data-cells" in svg.grid(X)


def test_the_map_is_json_that_an_attribute_can_hold():
    one = frames(lambda k: svg.grid(X, marks=[svg.mark(0, k)]), range(2))
    assert json.loads(one.links.json()) == one.links.go and f'data-go="{one.links.json()}"' in one.html()
