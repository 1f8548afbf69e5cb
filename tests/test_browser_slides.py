"""The slides of a chapter in a real browser: which there are, that they fit the screen, that pictures move, and that the page is as
it was without them."""

import browsing
import lecturers
import page_kinds
import pytest
from bs4 import BeautifulSoup
from building import ROOT

SCREEN = {"width": 1280, "height": 720}
TRIED = "pooling"  # it has each kind of slide: Frames, an explorer, a long box, formulas, pictures, tables, and a source that is none
LAST = "what-comes-next what-the-lectures-say exercises".split()
# Goes through all slides: where each is from, what is on it, how far its content reaches, and whether something is cut at the side.
LOOK = """async () => {
  const seen = [], deck = document.querySelector(".reveal"), total = +deck.dataset.ready;
  for (let n = 0; n < total; n++) {
    const slide = document.querySelector(".slides > section.present"), box = slide.querySelector(".slides-fit");
    await new Promise(requestAnimationFrame);
    const wide = [...box.querySelectorAll("*")].filter(e => e instanceof HTMLElement && e.clientWidth > 60 && e.scrollWidth > e.clientWidth + 1);
    seen.push({of: slide.dataset.of ?? "", zoom: +box.style.zoom, low: box.getBoundingClientRect().bottom, wide: wide.length,
      drawn: box.querySelectorAll("svg, table").length,
      kinds: [".admonition", ".cnn-frames", ".cnn-explorer", ".cnn-figure", "table", "div.math"].filter(kind => box.querySelector(kind))});
    document.dispatchEvent(new KeyboardEvent("keydown", {keyCode: 39, bubbles: true}));
  }
  return seen;
}"""


@pytest.fixture(scope="module")
def tab(chromium, site):
    """A tab on the files of the book."""
    with browsing.Tab(chromium, f"{site.resolve().as_uri()}/", viewport=SCREEN) as tab:
        yield tab


def show(tab, name, slide=0):
    """Open the slides of a chapter."""
    tab.page.goto("about:blank")
    tab.open(f"book/{name}.html?slides#/{slide}")
    tab.page.wait_for_selector(".reveal[data-ready]")


def test_each_picture_table_and_box_has_a_slide_on_which_it_fits(tab, site):
    name = TRIED
    page = BeautifulSoup((site / "book" / f"{name}.html").read_text(encoding="utf-8"), "html.parser").article
    for section in page.select(", ".join(f"#{name}" for name in LAST)):
        section.decompose()
    shown = page.select(".cnn-frames, .cnn-explorer, .cnn-figure, .tip.admonition")
    show(tab, name)
    slides = tab.page.evaluate(LOOK)
    assert len(shown) > 5 and len(slides) == int(tab.page.get_attribute(".reveal", "data-ready"))
    kinds = [kind for slide in slides for kind in slide["kinds"] if kind.startswith((".cnn", ".adm"))]
    assert len(kinds) == len(shown), "each on a slide of its own"
    assert not {slide["of"] for slide in slides} & {*LAST}
    assert [slide for slide in slides[1:] if not slide["drawn"]] == [], "a heading with nothing below it"
    assert [slide for slide in slides if slide["low"] > SCREEN["height"] or slide["wide"]] == []
    assert len({slide["zoom"] for slide in slides}) > 2, "small ones grow"
    assert tab.errors() == []


def test_what_cannot_fit_is_seen_to_be_cut(tab):
    show(tab, "pooling")
    tab.page.evaluate("document.querySelector('.slides-fit').style.paddingTop = '3000px'")
    assert tab.page.evaluate(LOOK)[0]["low"] > SCREEN["height"]


def test_frames_move_on_a_slide_and_arrow_keys_turn_the_slides_elsewhere(tab):
    show(tab, "pooling", 1)
    page, present = tab.page, ".slides > section.present"
    before = page.inner_text(f"{present} .cnn-view")
    slider = page.locator(f"{present} input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert page.inner_text(f"{present} .cnn-view") != before, "the slider has the key"
    assert page.inner_text(f"{present} h2") == "Pooling"
    slider.evaluate("slider => slider.blur()")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(f"{present} h2") == "The backward pass of pooling"


def test_an_explorer_draws_its_wires_to_its_cells_on_a_slide(tab):
    show(tab, "pooling")
    slides = tab.page.evaluate(LOOK)
    (at,) = [n for n, slide in enumerate(slides) if ".cnn-explorer" in slide["kinds"]]
    assert slides[at]["zoom"] == 1
    show(tab, "pooling", at)
    stage = tab.page.locator(".slides > section.present .cnn-live .cnn-stage")
    wire = stage.locator("path.bw").first.bounding_box()
    cells = stage.evaluate(
        "stage => [...stage.querySelectorAll('td')].map(e => e.getBoundingClientRect()).map(e => [e.left, e.right])"
    )
    for end in (wire["x"], wire["x"] + wire["width"]):
        assert min(abs(end - side) for cell in cells for side in cell) < 8


@pytest.mark.parametrize(
    ("place", "title"),
    [
        ("ties-in-max-pooling-which-maximum-gets-the-gradient", "A tie of two"),
        ("moves", "Nine wrong gradients"),
        ("no-such-place", ""),
    ],
)
def test_an_address_can_name_the_slide_to_begin_with(tab, place, title):
    if place == "moves":
        place = lecturers.chapter(ROOT, TRIED).moves[title]
    tab.page.goto("about:blank")
    tab.open(f"book/{TRIED}.html?slides={place}")
    tab.page.wait_for_selector(".reveal[data-ready]")
    assert title in tab.page.inner_text(".slides > section.present")
    assert tab.page.locator(".slides > .slides-title.present").count() == (not title)


def test_without_slides_in_its_address_a_page_loads_none_of_it(tab):
    tab.open("book/pooling.html")
    tab.page.wait_for_load_state("load")
    assert tab.page.evaluate("[!!window.Reveal, document.querySelectorAll('.reveal').length]") == [False, 0]
    assert page_kinds.is_chapter(ROOT, "book/pooling")
