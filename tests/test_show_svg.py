"""The pictures' strings are well-formed, show the numbers given, and never speak by colour alone."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from cnnlib.show import svg
from PIL import Image

PAGES = {"white": "#ffffff", "dark": "#121212"}
LETTERS = {"white": "#222832", "dark": "#ced6dd"}  # the book theme's own


def texts(picture):
    return [
        "".join(t.itertext())
        for t in ElementTree.fromstring(picture).iter()
        if t.tag in ("text", "span", "td")
    ]


def find(picture, tag):
    return list(ElementTree.fromstring(picture).iter(tag))


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def contrast(a, b):
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (a, b)]
    low, high = sorted(float(c @ [0.2126, 0.7152, 0.0722]) for c in linear)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", svg.COLOURS)
def test_colours_are_seen_on_light_and_dark_pages(colour, page):
    assert contrast(rgb(colour), rgb(PAGES[page])) >= 3.5


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", [svg.ACCENT, svg.NEGATIVE])
def test_numbers_are_readable_on_the_fullest_cell(colour, page):
    fullest = 0.5 * rgb(colour) + 0.5 * rgb(PAGES[page])
    assert contrast(fullest, rgb(LETTERS[page])) >= 4.5


def test_forward_and_backward_differ_for_the_colour_blind():
    blind = {  # Machado, Oliveira and Fernandes 2009, severity 1
        "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    }
    for matrix in blind.values():
        assert np.linalg.norm(np.array(matrix) @ (rgb(svg.FORWARD) - rgb(svg.BACKWARD))) > 0.5


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (-0.004, 2, "0.00"),
        (-0.0, 0, "0"),
        (-1.5, 2, "−1.50"),
        (2, 0, "2"),
        (np.float32(0.1), 3, "0.100"),
        (np.nan, 1, "nan"),
    ],
)
def test_numbers_have_fixed_decimals_and_no_minus_zero(value, digits, text):
    assert svg.number(value, digits) == text


def test_alternative_texts_must_say_something():
    assert svg.check_alt("  The loss falls from 2.3 to 0.1 ") == "The loss falls from 2.3 to 0.1"
    for alt in (
        None,
        3,
        "",
        "The loss falls",
        "Figure 3: a plot image chart",
        "book/figures/the loss curve.png",
        "x" * 40,
        "1 2 3 4 5 6 7 8 9 10 11",
    ):
        with pytest.raises(ValueError, match="alt must say"):
            svg.check_alt(alt)


# ---- grids


def test_a_grid_shows_its_numbers_row_by_row():
    array = np.array([[1.0, -2.5, 0], [3, 4.25, -0.001]])
    assert texts(svg.grid(array)) == ["1.00", "−2.50", "0.00", "3.00", "4.25", "0.00"]
    assert texts(svg.grid(array, digits=1)) == ["1.0", "−2.5", "0.0", "3.0", "4.2", "0.0"]
    assert texts(svg.grid(np.array([[True, False]]))) == ["1", "0"]
    assert texts(svg.grid([7, -8, 9], "δ < 0")) == ["δ < 0", "7", "−8", "9"]


def test_grid_names_stand_at_the_edges():
    picture = svg.grid(np.eye(2, dtype=int), rows=["i=0", "i=1"], cols="ab")
    assert texts(picture) == ["a", "b", "i=0", "i=1", "1", "0", "0", "1"]


def test_cells_grow_with_their_numbers():
    wide = [float(find(svg.grid([[v]]), "svg")[0].get("width")) for v in (1, 123456, -123456.5)]
    assert wide == sorted(wide) and len(set(wide)) == 3


def test_hidden_cells_are_empty():
    assert texts(svg.grid(np.arange(4).reshape(2, 2), hide=[[False, True], [True, False]])) == ["0", "3"]


def test_a_mark_frames_the_cells_it_names():
    (rect,) = find(svg.grid(np.zeros((4, 5), int), marks=[svg.mark(1, 2, 3, 2)]), "rect")
    assert [float(rect.get(k)) for k in ("x", "y", "width", "height")] == [2 + 2 * 36, 2 + 36, 2 * 36, 3 * 36]
    assert rect.get("stroke") == svg.FORWARD and rect.get("stroke-dasharray") is None


def test_backward_marks_are_dashed():
    (rect,) = find(svg.grid(np.zeros((2, 2)), marks=[svg.mark(0, 0, colour=svg.BACKWARD)]), "rect")
    assert rect.get("stroke") == svg.BACKWARD and rect.get("stroke-dasharray")


def test_signed_fill_follows_sign_and_size_and_leaves_zero_to_the_page():
    rects = find(svg.grid(np.array([[2.0, -1.0, 0.0, 1.0, -0.001]]), signed=True), "rect")
    assert [r.get("fill") for r in rects] == [svg.ACCENT, svg.NEGATIVE, svg.ACCENT]
    depth = [float(r.get("fill-opacity")) for r in rects]
    assert depth == [0.38, 0.23, 0.23]
    (rect,) = find(svg.grid([[2.0]], signed=True, scale=4), "rect")
    assert float(rect.get("fill-opacity")) == 0.23


@pytest.mark.parametrize(
    ("array", "kwargs"),
    [
        (np.zeros((2, 2, 2)), {}),
        (np.zeros((0, 2)), {}),
        ([["a"]], {}),
        ([[1j]], {}),
        (np.zeros((2, 3)), {"rows": "abc"}),
        (np.zeros((2, 3)), {"cols": "ab"}),
        (np.zeros((2, 3)), {"marks": [svg.mark(0, 2, 1, 2)]}),
        (np.zeros((2, 3)), {"marks": [svg.mark(-1, 0)]}),
        (np.zeros((2, 3)), {"marks": [svg.mark(0, 0, 0)]}),
        (np.zeros((2, 3)), {"hide": np.zeros((3, 2), bool)}),
    ],
)
def test_grids_refuse_what_does_not_fit(array, kwargs):
    with pytest.raises(ValueError):
        svg.grid(array, **kwargs)


# ---- wires and networks


def test_a_wire_tells_direction_by_arrow_and_place():
    forward, backward = find(svg.wire(0.49, -0.1), "text")
    assert (forward.text, backward.text) == ("0.49 →", "← −0.10")
    assert float(forward.get("y")) < 48 < float(backward.get("y"))
    assert texts(svg.wire(label="w")) == ["w"]


def test_w_ij_joins_unit_j_to_unit_i():
    weights = np.full((3, 2), np.nan)
    weights[2, 0] = 0.7
    wires = find(svg.network(["ab", "cde"], weights=[weights]), "g")
    assert len(wires) == 1 and texts(ElementTree.tostring(wires[0], "unicode")) == ["0.70"]
    circles = {
        t: (float(c.get("cx")), float(c.get("cy")))
        for c, t in zip(find(svg.network(["ab", "cde"]), "circle"), "abcde", strict=True)
    }
    x, y, turn = map(float, re.findall(r"-?[\d.]+", wires[0].get("transform")))
    assert (x, y) == circles["a"]
    slope = np.subtract(circles["e"], circles["a"])
    assert turn == pytest.approx(np.degrees(np.arctan2(slope[1], slope[0])), abs=0.06)


def test_a_network_shows_each_number_once():
    rng = np.random.default_rng(0)
    W, dW = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    picture = svg.network(
        ["abc", "de"], forward=[[1, 2, 3], None], backward=[None, [-4, 5]], weights=[W], gradients=[dW]
    )
    wanted = [svg.number(v) for v in [*W.flat, *dW.flat, 1, 2, 3, -4, 5]] + list("abcde")
    assert sorted(texts(picture)) == sorted(wanted)
    hues = {t.text: t.get("fill") for t in find(picture, "text")}
    assert hues["1.00"] == hues[svg.number(W[1, 2])] == svg.FORWARD
    assert hues["−4.00"] == hues[svg.number(dW[1, 2])] == svg.BACKWARD


def test_what_is_not_known_yet_has_no_number():
    picture = svg.network([["a", "b"], ["c"]], forward=[[1, np.nan], None], backward=[None, [np.nan]])
    assert sorted(texts(picture)) == ["1.00", "a", "b", "c"]
    picture = svg.network([["a", "b"], ["c"]], gradients=[np.array([[2, np.nan]])])
    assert sorted(texts(picture)) == ["2.00", "a", "b", "c"] and len(find(picture, "path")) == 2


def test_labels_stand_on_the_wires_in_place_of_the_weights():
    W = np.array([[0.5, np.nan], [2, 3]])
    names = np.array([["W₁₁", "W₁₂"], ["W₂₁", ""]])
    picture = svg.network([["a", "b"], ["c", "d"]], weights=[W], labels=[names])
    assert sorted(texts(picture)) == sorted(["W₁₁", "W₂₁", "3.00", "a", "b", "c", "d"])
    with pytest.raises(ValueError, match="network wants labels of shapes"):
        svg.network([["a"], ["b"]], labels=[[["u", "v"]]])


def test_every_unit_is_joined_to_every_unit_unless_weights_say_otherwise():
    assert len(find(svg.network(["abc", "de", "f"]), "path")) == 6 + 2
    masked = np.array([[1, np.nan, 1], [np.nan, 1, 1]])
    assert len(find(svg.network(["abc", "de", "f"], weights=[masked, None]), "path")) == 4 + 2


def test_network_marks_name_units_and_wires():
    picture = svg.network(["ab", "cd"], marks={(0, 1): svg.FORWARD, (0, 1, 0): svg.BACKWARD})
    assert [c.get("stroke") for c in find(picture, "circle")] == ["currentColor", svg.FORWARD] + [
        "currentColor"
    ] * 2
    assert (
        sum(
            p.get("stroke") == svg.BACKWARD and bool(p.get("stroke-dasharray")) for p in find(picture, "path")
        )
        == 1
    )


@pytest.mark.parametrize(
    "kwargs",
    [
        {"forward": [[1, 2], [1]]},
        {"forward": [[1, 2, 3]]},
        {"backward": [None, [1, 2, 3]]},
        {"weights": [np.zeros((3, 2))]},
        {"gradients": [np.zeros((2, 3)), None]},
    ],
)
def test_networks_refuse_numbers_that_do_not_fit(kwargs):
    with pytest.raises(ValueError, match="network wants"):
        svg.network(["abc", "de"], **kwargs)


# ---- images


def ink(picture, shape):
    """The levels that an image's strokes leave on the page, and each dot's colour."""
    levels, hues = np.zeros(shape), np.full(shape, None)
    for path in find(picture, "path"):
        for x, y, run in re.findall(r"M(\d+) (\d+)\.5h(\d+)", path.get("d")):
            dots = (int(y), slice(int(x), int(x) + int(run)))
            assert not levels[dots].any()
            levels[dots], hues[dots] = float(path.get("stroke-opacity")), path.get("stroke")
    return levels, hues


def test_ink_is_the_image_in_fifteen_steps():
    image = np.random.default_rng(1).uniform(size=(5, 7)) ** 2
    levels, hues = ink(svg.image(image, top=1), image.shape)
    assert np.abs(levels - np.rint(15 * image) / 15).max() <= 0.005
    assert set(hues[levels > 0]) == {"currentColor"}
    assert ink(svg.image(2 * image), image.shape)[0].max() == 1


def test_signed_ink_has_a_hue_for_each_sign():
    image = np.random.default_rng(2).normal(size=(6, 4))
    levels, hues = ink(svg.image(image, signed=True), image.shape)
    assert np.abs(levels - np.rint(15 * abs(image) / abs(image).max()) / 15).max() <= 0.005
    assert (hues[levels > 0] == np.where(image > 0, svg.ACCENT, svg.NEGATIVE)[levels > 0]).all()


def test_a_blank_image_has_no_ink():
    assert not ink(svg.image(np.zeros((3, 3))), (3, 3))[0].any()


def test_a_digit_takes_about_a_kilobyte():
    from cnnlib import datasets

    x = datasets.digits()[0][..., :20]
    assert len(svg.images(x)) / 20 < 2500


def test_colour_images_are_stored_without_compression():
    image = np.random.default_rng(3).uniform(-0.1, 1.1, size=(3, 6, 5))
    (element,) = find(svg.image(image), "image")
    data = base64.b64decode(element.get("href").removeprefix("data:image/png;base64,"))
    decoded = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(decoded, np.rint(255 * image.clip(0, 1)).transpose(1, 2, 0))
    assert len(data) == 6 * (1 + 3 * 5) + 68


def test_images_takes_a_batch_with_examples_last():
    x = np.arange(2 * 3 * 4.0).reshape(1, 2, 3, 4)
    row = ElementTree.fromstring(svg.images(x, captions=[5, 0, 4, 1]))
    assert [s.text for s in row.iter("span")] == ["5", "0", "4", "1"]
    for n, picture in enumerate(row.iter("svg")):
        levels, _ = ink(ElementTree.tostring(picture, "unicode"), (2, 3))
        assert np.abs(levels - np.rint(15 * x[0, :, :, n] / 23) / 15).max() <= 0.005
    assert svg.images(np.zeros((3, 2, 2, 5))).count("<image") == 5


@pytest.mark.parametrize("shape", [(4,), (2, 4, 4), (1, 3, 4, 4)])
def test_image_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="image wants"):
        svg.image(np.zeros(shape))


def test_image_refuses_what_is_not_finite_and_images_captions_that_do_not_fit():
    with pytest.raises(ValueError, match="finite"):
        svg.image(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="at most"):
        svg.image(np.zeros((3, 200, 200)))
    for x, captions in ((np.zeros((1, 2, 2, 3)), "ab"), (np.zeros((2, 2, 2, 3)), ()), (np.zeros((2, 2)), ())):
        with pytest.raises(ValueError, match="images wants"):
            svg.images(x, captions)


# ---- rows and tables


def test_rows_take_pictures_and_signs():
    row = svg.row(svg.grid([[1]]), "<", svg.stack(svg.grid([[2]]), "two"), "=", svg.row("a & b"))
    assert texts(row) == ["1", "<", "2", "two", "=", "a & b"]
    assert "flex-flow:row wrap" in row and "flex-flow:column" in row


def test_tables_have_a_caption_and_scopes():
    html = svg.table(
        [["Dense", 8, -0.0, (3, "N")], ["a < b", 1, 2.345, "x"]],
        ["layer", "n", "v", "s"],
        'Say "yes"',
        digits=1,
    )
    box = ElementTree.fromstring(html)
    assert box.get("role") == "region" and box.get("tabindex") == "0"
    caption = box.find("table/caption")
    assert caption.text == 'Say "yes"' and caption.get("id") == box.get("aria-labelledby")
    assert [th.get("scope") for th in box.iter("th")] == ["col"] * 4 + ["row"] * 2
    assert [th.text for th in box.iter("th")] == ["layer", "n", "v", "s", "Dense", "a < b"]
    assert [td.text for td in box.iter("td")] == ["8", "0.0", "(3, 'N')", "1", "2.3", "x"]
    with pytest.raises(ValueError, match="2 cells a row"):
        svg.table([["a", 1], ["b"]], ["x", "y"], "Caption")


def test_each_table_is_labelled_by_its_own_caption():
    tables = [svg.table([["a", v]], ["x", "y"], c) for v, c in ((1, "One"), (2, "One"), (1, "Two"))]
    assert len({ElementTree.fromstring(html).get("aria-labelledby") for html in tables}) == 3


def test_a_row_that_goes_on_has_no_empty_name():
    box = ElementTree.fromstring(svg.table([["a", 1], ["", 2]], ["", "n"], "Two of a"))
    assert [th.text for th in box.iter("th")] == ["n", "a"]
    assert [td.text for td in box.iter("td")] == [None, "1", None, "2"]


def test_matrix_shows_its_indices_or_names():
    box = ElementTree.fromstring(svg.matrix([[1.25, -2], [0, 4]], "Numbers", cols="ab", digits=1))
    assert [th.text for th in box.iter("th")] == ["a", "b", "0", "1"]
    assert [td.text for td in box.iter("td")] == [None, "1.2", "−2.0", "0.0", "4.0"]
    with pytest.raises(ValueError, match="two dimensions"):
        svg.matrix(np.zeros((2, 2, 2)), "Numbers")


def test_what_is_wider_than_a_phone_can_be_scrolled_by_keyboard():
    assert svg.tabindex(svg.grid(np.zeros((2, 4)))) == ""
    assert svg.tabindex(svg.row(svg.grid([[1]]), svg.grid(np.zeros((2, 9))))) == ' tabindex="0"'
