"""The symbols and terms that pages explain: their source, what is marked in formulas and text, and the cards in a browser."""

import copy
import json
import os
import re
from html import unescape

import browsing
import chapter_in_jupyter
import page_kinds
import pytest
import symbols
import typeset
from building import ROOT, tree
from bs4 import BeautifulSoup

from cnnlib.show.symbols import indices, rows, source

LISTED = page_kinds.listed(ROOT)
ROW = re.compile(r"<tr>(.*?)</tr>")
CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>")


# The source.


def shown(caption):
    """The rows of a table of the notation, as its notebook stores them: (symbol, name, shape, ...)."""
    outputs = chapter_in_jupyter.displayed(chapter_in_jupyter.stored("book/notation"))
    (table,) = [text for text in outputs if caption in text]
    _, *found = [CELL.findall(row) for row in ROW.findall(table)]
    return [
        tuple(unescape(cell).replace("\xa0", " ").replace("\u2011", "-") for cell in row) for row in found
    ]


def wrong(source, places):
    """What is missing in the source, a sentence each. places: {page: the ids in it}."""
    for key, entry in [*source["symbols"].items(), *source["terms"].items()]:
        wanted = ("name", "says") if key in source["terms"] else ("name", "tex", "code")
        yield from (f"{key}: no {name}" for name in wanted if not entry.get(name))
        page, _, place = entry.get("place", "").partition("#")
        if place not in places.get(page, ()):
            yield f"{key}: no place {entry.get('place')}"
        named = [*entry.get("only", ()), *entry.get("but", ())]
        yield from (f"{key}: no place {name}" for name in named if not is_there(name, places))
        if key in source["symbols"]:
            shapes = f"{entry.get('shape', 'no shape')}, {entry.get('image', '')}"
            sizes = set(filter(None, re.split(r",\s*", shapes)))
            yield from (f"{key}: no size {size}" for size in sizes - {*source["sizes"]})
    for key, entry in source["indices"].items():
        yield from (f"{key}: no {name}" for name in ("tex", "name", "code", "size") if not entry.get(name))
        sizes = re.findall(r"\w+", entry.get("size", ""))
        yield from (f"{key}: no size {size}" for size in dict.fromkeys(sizes) if size not in source["sizes"])
    yield from (f"elsewhere: no place {name}" for name in source["elsewhere"] if not is_there(name, places))


def is_there(name, places):
    page, at, place = name.partition("#")
    return page in places and (not at or place in places[page])


@pytest.fixture(scope="module")
def places(site):
    """{page: the ids of its sections}."""
    pages = {name.removeprefix("book/"): (site / f"{name}.html").read_text("utf-8") for name in LISTED}
    return {name: set(re.findall(r'<section[^>]* id="([^"]+)"', html)) for name, html in pages.items()}


def test_the_notation_shows_what_the_source_says():
    expected, first = [], {}
    for tex, code, shape, image, name in rows():
        like = first.setdefault(image, tex)
        images = "" if image == shape else f"({image})" if like == tex else f"as {like}"
        expected.append((tex, name, f"({shape})" if shape else "one number", code, images))
    assert shown("One symbol, one array, one name") == expected and len(expected) > 15
    expected = [(tex, name, size) for tex, _, size, name in indices()]
    assert shown("Indices, and the sizes that a layer is made with") == expected


def test_the_source_is_complete(places):
    assert list(wrong(source(), places)) == []


@pytest.mark.parametrize(
    ("table", "key", "field", "value", "said"),
    [
        ("symbols", "z", "name", "", "z: no name"),
        ("symbols", "z", "code", "", "z: no code"),
        ("symbols", "z", "shape", "D7, N", "z: no size D7"),
        ("symbols", "z", "image", "D8, N", "z: no size D8"),
        ("symbols", "z", "place", "notation#gone", "z: no place notation#gone"),
        ("indices", "o", "code", "", "o: no code"),
        ("indices", "s", "size", "(s, q)", "s: no size q"),
        ("symbols", "z", "but", ["gone"], "z: no place gone"),
        ("terms", "stride", "says", "", "stride: no says"),
        ("terms", "stride", "place", "gone#here", "stride: no place gone#here"),
    ],
)
def test_what_the_source_lacks_is_named(places, table, key, field, value, said):
    broken = copy.deepcopy(source())
    broken[table][key][field] = value
    assert list(wrong(broken, places)) == [said]


# Marks.

FORMULAS = {
    "z": ["z"],
    "z_{in}^{(l)}": ["z"],
    "W^T": ["W"],
    r"\hat y_{kn}": ["prediction"],
    "f'(z)": ["slope", "z"],
    r"\partial J/\partial W_{ij}": ["dW"],
    r"\frac{\partial J}{\partial b_i}": ["db"],
    r"\frac{\partial J}{\partial z_i}": ["J", "z"],
    r"\delta^{(L)} = (\hat y - y)/N": ["delta", "prediction", "y", "N"],
    "x(t)": ["t"],
    "x'_{ij}": [],
    r"\bar x": [],
    r"\mathbf{W}": [],
    "N^*": [],
    r"\alpha_{nm}": [],
    r"N \times H \times W": ["N"],
    r"\langle a, b \rangle": [],
    "f(w)": [],
    "f_{target}": [],
    "e^{z_k}": ["z"],
    r"\sum_n \delta_n": ["delta"],
}


def drawings(formulas):
    asked = [[tex, False] for tex in formulas]
    return json.loads(typeset.engine(os.getpid()).call("draw", asked, list(symbols.sought())))[1]


def test_symbols_are_found_by_their_form_and_by_what_stands_beside():
    found = [symbols.MARK.findall(drawing["html"]) for drawing in drawings(FORMULAS)]
    assert dict(zip(FORMULAS, found, strict=True)) == FORMULAS


def test_a_mark_moves_no_stroke():
    (marked,) = drawings([r"\partial J/\partial W_{ij} + f'(z) \hat y"])
    plain = json.loads(
        typeset.engine(os.getpid()).call("draw", [[r"\partial J/\partial W_{ij} + f'(z) \hat y", False]])
    )[1][0]

    def places(html):  # of each letter, where it stands: the sums of the moves around it
        at, found = [0.0], []
        for tag in re.findall(r"<(?:g|use)\b[^>]*>|</g>", html.split("</svg>")[0]):
            moves = sum(float(x) for x in re.findall(r"translate\((-?[\d.]+)", tag))
            if tag == "</g>":
                at.pop()
            elif tag.startswith("<g"):
                at.append(at[-1] + moves)
            else:
                found.append((re.search(r'href="(.*?)"', tag)[1], round(at[-1] + moves, 3)))
        return found

    assert places(marked["html"]) == places(plain["html"]) != []
    assert "data-s" in marked["html"] and "data-s" not in plain["html"]


def page_of(*sections):
    """A page, drawn: (id, text) of each section."""
    parts = (f'<section id="{name}">\n<h2>{name}</h2>{text}</section>' for name, text in sections)
    return typeset.drawn(f"<body><article>{''.join(parts)}</article></body>", pytest.fail, symbols.sought())


def explained(html, name="book/neuron", pages=frozenset(LISTED)):
    made = symbols.explained(html, name, lambda page: f"../{page}.html", pages)
    return BeautifulSoup(made, "html.parser")


Z = r'<span class="math notranslate nohighlight">\(z\)</span>'


def test_the_first_of_each_section_can_be_reached_and_a_lectures_section_means_other_things():
    lecture = "what-the-lectures-say"
    page = explained(page_of(("one", Z + Z), (lecture, Z), ("two", Z)))
    count = {
        tag["id"]: (len(tag.select("[data-s=z]:not(a)")), len(tag.select("a"))) for tag in page("section")
    }
    assert count == {"one": (2, 1), lecture: (0, 0), "two": (1, 1)}
    assert page.a["href"] == "../book/notation.html#a-network-layer-by-layer"
    assert [card["id"] for card in page.select(".symbol-card")] == [page.a["aria-describedby"]] == ["card-z"]
    said = page.select_one(".symbol-card").get_text()
    assert (
        "first.forward(x)" in said
        and "in a convolution: shape (C_out, height_out, width_out, N): output" in said
    )


def test_what_is_stored_or_named_gets_no_link_and_no_card_leads_to_a_page_that_is_not_there():
    stored = r'<div class="tex2jax_process">\(z\)</div>'
    page = explained(page_of(("one", stored), ("two", f"<h3>{Z}</h3><summary>{Z}</summary>")))
    assert len(page.select("[data-s=z]")) == 3 and not page.select("section a") and page.select("#card-z")
    page = explained(page_of(("one", Z)), pages={"book/neuron"})
    assert not page.select("[data-s], .symbol-card")


@pytest.mark.parametrize("listed", LISTED)
def test_terms_are_linked_in_plain_text_once_a_section(site, listed):
    page = tree(site / f"{listed}.html").article
    links = page.select("a.term")
    assert not [
        link for link in links if link.find_parent(["h1", "h2", "h3", "code", "pre", "strong", "summary"])
    ]
    seen = [(link["data-s"], link.find_parents("section")[-2]["id"]) for link in links]
    assert len(seen) == len(set(seen))
    keys = {tag["data-s"] for tag in page.select("[data-s]")}
    assert {f"card-{key}" for key in keys} == {card["id"] for card in page.select(".symbol-card")}


def test_all_terms_of_one_chapter_are_explained(site):
    html = (site / "book" / "convolution.html").read_text("utf-8")
    assert {"stride", "padding", "receptive-field"} <= set(
        re.findall(r'class="term" data-s="([\w-]+)"', html)
    )


# In a browser.

OPEN = """() => {
  const card = document.querySelector(".symbol-card:popover-open"), lit = document.querySelector(".lit");
  if (!card) return null;
  const { left, right, top, bottom } = card.getBoundingClientRect(), symbol = lit.getBoundingClientRect();
  return {
    id: card.id,
    inside: left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight,
    apart: bottom <= symbol.top || top >= symbol.bottom,
    said: document.activeElement.getAttribute("aria-describedby"),
  };
}"""


def opened(page):
    page.wait_for_selector(".symbol-card:popover-open")
    return page.evaluate(OPEN)


def shut(page):
    page.wait_for_selector(".symbol-card:popover-open", state="detached")


def middle_of(page, selector):
    part = page.locator(selector).first
    part.scroll_into_view_if_needed()
    box = part.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_card_opens_under_the_pointer_and_at_the_focus(chromium, site):
    with browsing.Tab(chromium, f"{site.as_uri()}/", viewport={"width": 1280, "height": 900}) as tab:
        tab.open("book/neuron.html")
        page = tab.page
        page.mouse.move(*middle_of(page, "mjx-container [data-s=W]"))
        assert opened(page) == {"id": "card-W", "inside": True, "apart": True, "said": None}
        x, y = middle_of(page, "#card-W a")
        page.mouse.move(x, y)  # the card stays while the pointer is on it, and its link leads there
        page.mouse.move(5, 5)
        shut(page)
        page.keyboard.press("Tab")  # from here on keys move
        page.locator("div.math a.symbol").first.focus()
        now = opened(page)
        assert now["said"] == now["id"] and now["inside"] and now["apart"]
        page.locator("a.term[data-s=gradient]").first.focus()
        page.wait_for_selector("#card-gradient:popover-open")
        page.keyboard.press("Escape")
        shut(page)
        page.keyboard.press("Enter")
        page.wait_for_url("**/gradient_descent.html#the-gradient-of-the-cost")
        assert tab.errors() == []


def test_a_tap_opens_a_card_within_a_phone(chromium, site, axe):
    look = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "color_scheme": "dark"}
    with browsing.Tab(chromium, f"{site.as_uri()}/", **look) as tab:
        tab.open("book/delta_recursion.html")
        page, before = tab.page, f"{tab.home}book/delta_recursion.html"
        for selector in (
            "mjx-container [data-s=delta]",
            "mjx-container [data-s=dW]",
            "a.term[data-s=cross-entropy]",
        ):
            page.touchscreen.tap(*middle_of(page, selector))
            now = opened(page)
            assert now["inside"] and now["apart"] and page.url == before, selector
        browsing.thin_out(page)
        assert opened(page)["id"] == "card-cross-entropy"
        assert browsing.violations(page, axe, browsing.ALL_BUT_COLOURS) == []
        assert browsing.violations(page, axe, ["color-contrast"]) == []
        page.emulate_media(media="print")
        assert not page.locator(".symbol-card:popover-open").is_visible()
        assert tab.errors() == []
