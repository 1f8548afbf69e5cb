"""Frames: every frame in the HTML, labelled controls, readable without a script; a widget for the kernel."""

import builtins
import html
import json
import re
from html.parser import HTMLParser

import IPython
import numpy as np
import pytest
from cnnlib.show import Frames, cells, svg

VIEW = "application/vnd.jupyter.widget-view+json"


def draw(i):
    return svg.grid(np.arange(6).reshape(2, 3), marks=[svg.mark(i // 3, i % 3)])


def draw2(row, column):
    return svg.grid(np.zeros((2, 3)), f"{row} & {column}", marks=[svg.mark(row, column)])


def one(**changes):
    given = {
        "draw": draw,
        "values": range(6),
        "name": "place",
        "alt": lambda i: f"Cell number {i} of the grid is marked",
    }
    return Frames(**(given | changes))


def two(**changes):
    values = {"row": range(2), "column": [0, 1, 2]}
    alt = lambda r, c: f"The cell at row {r}, column {c} is marked"  # noqa: E731
    return Frames(**({"draw": draw2, "values": values, "name": "cell", "alt": alt} | changes))


class Page(HTMLParser):
    """Elements with their attributes, in order, and the text that a reader without style and script sees."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.seen, self.inside = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.inside = tag

    def handle_data(self, data):
        if self.inside not in ("style", "script") and data.strip():
            self.seen.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def frames_of(text):
    """The frames in an HTML's view, in the order of the script: (picture, alternative text)."""
    view = text[text.index('<div class="cnn-view"') : text.index("<style>")].split("\n", 1)[1]
    found = re.findall(r"^<(script|div) ([^>]*)>(.*)</\1>$", view.rsplit("\n</div>", 1)[0], re.MULTILINE)
    return [(picture, html.unescape(re.search('data-alt="([^"]*)"', a)[1])) for _, a, picture in found]


def whole(frames, *at):
    """A picture with all that belongs to it, as it stands in the HTML and in the kernel's widget."""
    return frames.whole(frames.draw(*at), frames.said(*at))


def parts(frames):
    """Of the kernel's widget: its controls, and functions that give the HTML of the text and of the picture."""
    _, first, *others, text, picture, _ = frames.widget.children

    def inside():
        return re.fullmatch('<div class="cnn-view"[^>]*><div>(.*)</div></div>', picture.value, re.DOTALL)[1]

    return [first.children[0], *others], lambda: text.value, inside


def test_html_holds_every_frame_once_with_its_alternative_text():
    text = one().html()
    assert frames_of(text) == [(whole(one(), i), f"Cell number {i} of the grid is marked") for i in range(6)]
    for i in range(6):
        assert text.count(whole(one(), i)) == 1
        assert re.sub(' data-[a-z]+="[^"]*"', "", whole(one(), i)).count(cells.plain(draw(i))) == 1


def test_html_begins_with_the_alternative_text_of_the_start_frame():
    assert Page(one(start=4).html()).seen[0] == "Cell number 4 of the grid is marked"
    shown = [a for a in Page(one(start=4).html()).all("div") if "data-print" in a]
    assert [(a["data-print"], a.get("style")) for a in shown] == [
        ("place = 4", None),
        ("place = 5", "display:none"),
    ]


def test_without_style_sheets_frames_are_their_alternative_text():
    page = Page(one().html())
    (view,) = [a for a in page.all("div") if a.get("class") == "cnn-view"]
    assert view["style"] == "display:none" and ".cnn-view{display:block!important;" in one().html()


def test_without_scripts_the_controls_are_hidden_and_the_other_frames_inert():
    page = Page(one(print_values=[5]).html())
    (controls,) = [a for a in page.all("div") if a.get("class") == "cnn-controls"]
    assert controls["style"] == "display:none"
    assert [a.get("type") for a in page.all("script")] == ["text/html"] * 4 + [None]
    assert [a.get("style") for a in page.all("div") if "data-print" in a] == [None, "display:none"]


def test_controls_are_labelled():
    for frames, names in ((one(), ["place"]), (two(), ["row", "column"])):
        page = Page(frames.html())
        sliders, labels, outputs = page.all("input"), page.all("label"), page.all("output")
        assert [s["type"] for s in sliders] == ["range"] * len(names)
        assert [a["for"] for a in labels] == [s["id"] for s in sliders] == [o["for"] for o in outputs]
        assert all(b["aria-label"] and b["type"] == "button" for b in page.all("button"))
        assert [b["aria-label"] for b in page.all("button") if "cnn-play" in b.get("class", "")] == [
            f"Play {names[0]}"
        ]
        ids = [a["id"] for _, a in page.elements if "id" in a]
        assert len(ids) == len(set(ids))
        assert page.all("div")[0]["role"] == "group" and page.all("div")[0]["aria-labelledby"] in ids


def test_two_axes_run_the_second_fastest():
    frames = two(start=(1, 2))
    assert [picture for picture, _ in frames_of(frames.html())] == [
        whole(frames, r, c) for r in range(2) for c in range(3)
    ]
    page = Page(frames.html())
    assert [(s["max"], s["value"]) for s in page.all("input")] == [("1", "1"), ("2", "2")]
    assert json.loads(page.all("div")[0]["data-labels"]) == [["0", "1"], ["0", "1", "2"]]
    assert frames.frame(1, 0) == draw2(1, 0)


def printed(frames):
    return [a["data-print"] for a in Page(frames.html()).all("div") if "data-print" in a]


def test_printed_frames_carry_their_captions():
    assert printed(two(print_values=[(1, 2), (0, 1)])) == [
        "row = 0, column = 0",
        "row = 0, column = 1",
        "row = 1, column = 2",
    ]
    assert "@media print" in two().html() and "prefers-reduced-motion" not in two().html()


def test_the_first_and_the_last_frame_are_printed_where_nothing_else_is_asked_for():
    assert printed(one(start=2)) == ["place = 2", "place = 5"] and printed(one(start=5)) == ["place = 5"]
    assert printed(two()) == ["row = 0, column = 0", "row = 1, column = 2"]
    assert printed(one(print_values=[3])) == ["place = 0", "place = 3"]


def test_html_is_the_same_at_each_run_and_ids_tell_contents_apart():
    assert one().html() == one().html() and two().html() == two().html()
    ids = {
        Page(f.html()).all("div")[0]["id"]
        for f in (one(), one(start=1), one(values=range(5)), one(name="place 2"))
    }
    assert len(ids) == 4
    assert all(re.fullmatch(r"[\w-]+", name) for name in ids)


def test_html_asks_no_one_else():
    assert not re.search(r"https?:|src=|@import|url\(", two().html())


def test_forty_frames_of_a_grid_stay_small():
    grids = [np.random.default_rng(k).normal(size=(5, 5)) for k in range(40)]
    frames = Frames(
        lambda k: svg.row(svg.grid(grids[k], "x", marks=[svg.mark(0, 0, 3, 3)]), svg.grid(grids[k][:3], "W")),
        range(40), name="step", alt=lambda k: f"The grid of step {k} with a window"
    )  # fmt: skip
    assert len(frames.html().encode()) < 120_000


def test_one_alternative_text_for_all_is_stored_once():
    text = one(alt="A mark goes from cell to cell").html()
    assert text.count("A mark goes from cell to cell") == 1 and "data-alt=" not in text


def test_names_and_values_are_escaped():
    page = Page(Frames(draw, {'a "<b>"': [0, 1]}, name="<i>", alt="A mark on <one> of the cells").html())
    assert page.seen[:3] == ["A mark on <one> of the cells", "<i>", 'a "<b>"']
    assert not page.all("b") and not page.all("i") and not page.all("one")


def test_values_are_labelled_as_read():
    frames = Frames(
        lambda v: f"<b>{v}</b>",
        [0.1, "left", (1, 2), np.float64(0.25), 3],
        name="v",
        alt="The value that was chosen",
    )
    assert json.loads(Page(frames.html()).all("div")[0]["data-labels"]) == [
        ["0.1", "left", "1, 2", "0.25", "3"]
    ]


def test_a_title_is_made_of_the_name_unless_one_is_given():
    title = lambda **given: re.search('cnn-title"[^>]*>([^<]*)<', one(**given).html())[1]  # noqa: E731
    assert (title(), title(title="Where it lies"), title(name="z of ε")) == (
        "Place",
        "Where it lies",
        "z of ε",
    )


def test_formula_and_what_to_watch_stand_under_their_frame():
    frames = one(
        formula=lambda i: f"1 < {cells.term(i + 0.5)}", watch="the mark & its neighbours", values=range(2)
    )
    for i, (picture, _) in enumerate(frames_of(frames.html())):
        assert f'<div class="cnn-formula">1 &lt; <b>{i}.50</b></div>' in picture
        assert '<div class="cnn-watch"><b>Watch:</b> the mark &amp; its neighbours</div>' in picture
        assert picture == whole(frames, i)
    assert "cnn-formula" not in whole(one(), 0) and "cnn-watch" not in whole(one(), 0)


def test_names_are_buttons_and_quantities_and_many_names_a_slider():
    page = Page(one(values=list("abcdefg"), draw=str, alt="One of the letters from a to g", start=2).html())
    assert [(a["type"], a["value"], "checked" in a) for a in page.all("input")] == [
        ("radio", str(k), k == 2) for k in range(7)
    ]
    (group,) = [a for a in page.all("div") if a.get("role") == "radiogroup"]
    assert group["aria-labelledby"] in [a.get("id") for a in page.all("span")]
    for values in (list("abcdefgh"), [1, 2], ["a", 1]):
        page = Page(one(values=values, draw=str, alt="One of the letters from a to h").html())
        assert [a["type"] for a in page.all("input")] == ["range"]
    kinds = {"kernel": ["2 by 2", "3 by 3"], "step": [1, 2]}
    (choice, slider), _, inside = parts(
        two(values=kinds, draw=lambda kernel, step: f"<i>{kernel}</i> {step}")
    )
    assert (type(choice).__name__, type(slider).__name__) == ("ToggleButtons", "SelectionSlider")
    choice.value = "3 by 3"
    assert "<i>3 by 3</i> 1" in inside()


def test_the_page_is_told_which_frames_can_be_the_tallest():
    tall = lambda **given: json.loads(Page(one(**given).html()).all("div")[0]["data-tall"])  # noqa: E731
    assert tall() == []  # all alike
    assert tall(draw=lambda i: svg.grid(np.zeros((1 + i % 3, 2)))) == [2]
    assert tall(draw=lambda i: svg.stack(draw(i), "long " * (6 - i))) == [0]
    assert tall(draw=lambda i: svg.stack(*[draw(i)] * (1 + (i == 4)))) == [0, 4]
    assert tall(watch=lambda i: "x" * (10 + abs(i - 3))) == [0]


# ---- the kernel's side


def test_draw_keeps_the_meaning_of_names_that_later_cells_give_away():
    cell = {}
    code = "shift, caption = 1, lambda i, *, of='x': f'{i + shift} of {of}'\ndraw = lambda i: f'<b>{caption(i)}</b>'"
    exec(code, cell)
    frames = Frames(cell["draw"], range(3), name="i", alt=lambda i: f"The number {i} and a shift of one")
    cell |= {"shift": "gone", "caption": None}
    (control,), _, inside = parts(frames)
    control.value = 2
    assert inside() == whole(frames, 2) and "<b>3 of x</b>" in inside() and frames.frame(2) == "<b>3 of x</b>"


def test_moving_the_slider_calls_draw_in_the_kernel():
    calls = []
    frames = one(draw=lambda i: calls.append(i) or draw(i))
    del calls[:]
    (slider,), text, inside = parts(frames)
    assert calls == [0] and inside() == whole(frames, 0)
    del calls[:]
    slider.value = 4
    assert calls == [4] and inside() == whole(frames, 4) and frames.frame(4) == draw(4)
    assert "Cell number 4 of the grid is marked" in text()
    slider.index = 5
    assert inside() == whole(frames, 5)


def test_what_later_cells_do_to_names_does_not_reach_draw():
    cells = {"svg": svg, "step": 3}
    exec(
        "def number(value, *, by=10):\n    return step + by * value\n"
        "def draw(value):\n    return svg.grid([[number(value)]])\n",
        cells,
    )
    frames = Frames(cells["draw"], range(3), name="step", alt="A number that grows with the step.")
    cells |= {"step": None, "number": None}
    (control,), _, inside = parts(frames)
    control.value = 2
    assert inside() == whole(frames, 2) and frames.frame(2) == svg.grid([[23]])


def test_two_sliders_move_two_axes():
    frames = two(start=(1, 0))
    (rows, columns), _, inside = parts(frames)
    assert inside() == whole(frames, 1, 0)
    columns.value = 2
    rows.value = 0
    assert inside() == whole(frames, 0, 2)
    assert (rows.description, columns.description) == ("row", "column")


def test_a_click_in_the_kernel_moves_the_sliders():
    frames = two()
    (rows, columns), _, inside = parts(frames)
    clicked = frames.widget.children[-1]
    assert clicked.layout.display == "none"
    clicked.value = "1 2"  # as touch.js writes it
    assert (rows.index, columns.index, clicked.value) == (1, 2, "") and inside() == whole(frames, 1, 2)
    assert 'data-at="1 2"' in frames.widget.children[-2].value and frames.links.json()[:9] == "[[[0],[1]"


def test_a_kernel_gets_the_view_and_the_html_and_a_page_the_html_alone(monkeypatch):
    frames = one()
    assert set(frames._repr_mimebundle_()) == {"text/plain", "text/html"}
    monkeypatch.setattr(IPython, "get_ipython", object)
    bundle = frames._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", VIEW}
    assert bundle[VIEW]["model_id"] == frames.widget.model_id
    assert bundle["text/html"] == frames.html() and bundle["text/plain"] == "<Frames 'place': 6 frames>"


def test_without_ipywidgets_the_html_is_there(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == "ipywidgets":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(IPython, "get_ipython", object)
    monkeypatch.setattr(builtins, "__import__", without)
    assert set(one()._repr_mimebundle_()) == {"text/plain", "text/html"}


# ---- what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "wants a name, got ''"),
        ({"name": 3}, "wants a name, got 3"),
        ({"values": []}, "different values"),
        ({"values": 5}, "different values.*got 5"),
        ({"values": {}}, "different values"),
        ({"values": [0, 1, 1]}, "different values"),
        ({"values": [np.zeros(2)]}, "different values"),
        ({"values": dict.fromkeys("abc", [0])}, "different values"),
        ({"values": {"a": []}}, "different values"),
        ({"start": 6}, r"start as an index below each of \[6\], got 6"),
        ({"start": -1}, "start as an index"),
        ({"start": (0, 0)}, "start as an index"),
        ({"period_ms": 0}, "period_ms"),
        ({"period_ms": 0.5}, "period_ms"),
        ({"print_values": [7]}, "print_values"),
        ({"alt": "short"}, "alt must say"),
        ({"alt": lambda i: "place.png"}, "alt must say"),
        ({"alt": lambda i: "The same text for each of them"}, "different alt"),
        ({"draw": lambda i: None}, r"from draw at \(0,\), got None"),
        ({"draw": lambda i: "  " if i == 3 else draw(i)}, r"from draw at \(3,\), got '  '"),
        ({"draw": lambda i: "<script>1</script>"}, "without scripts"),
        ({"draw": lambda i: "<b>the end</b></script>"}, "without scripts"),
        ({"draw": lambda i: "<!-- -->"}, "without scripts"),
        ({"title": 3}, "texts as title, formula and watch"),
        ({"formula": lambda i: i}, r"texts as title, formula and watch at \(0,\)"),
        ({"watch": lambda i: None}, "texts as title, formula and watch"),
    ],
)
def test_frames_refuse_what_does_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        one(**changes)


def test_two_axes_refuse_points_that_do_not_fit():
    for changes in ({"start": (0, 3)}, {"start": (0,)}, {"print_values": [(2, 0)]}, {"print_values": [1]}):
        with pytest.raises(ValueError, match="Frames 'cell' wants"):
            two(**changes)


def test_a_frame_that_is_not_there_is_refused():
    for frames, value in ((one(), (9,)), (one(), (0, 1)), (two(), (1,)), (two(), (2, 0))):
        with pytest.raises(ValueError, match="wants a value of its axes"):
            frames.frame(*value)
