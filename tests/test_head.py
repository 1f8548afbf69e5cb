"""What others read of the book: the descriptions of its pages, and the picture of a link."""

import re
from html import unescape
from types import SimpleNamespace

import docutils.frontend
import docutils.utils
import head
import page_kinds
import pytest
from building import ROOT
from docutils import nodes
from docutils.parsers.rst import Parser
from PIL import Image
from sphinx.errors import ConfigError
from test_book import source

LISTED = page_kinds.listed(ROOT)
META = re.compile(r'<meta (?:name|property)="([^"]+)" content="([^"]*)"')


def said(site, page):
    """{name: content} of the meta tags of a page."""
    html = (site / f"{page}.html").read_text(encoding="utf-8")
    return {name: unescape(content) for name, content in META.findall(html[: html.index("</head>")])}


@pytest.mark.parametrize("page", LISTED)
def test_a_page_is_described_by_its_own_first_sentences(site, page):
    tags = said(site, page)
    text = tags["description"]
    assert text == tags["og:description"] and 40 < len(text) <= head.MOST
    assert re.search(r"[.!?…]$", text) and "\\" not in text and "\0" not in text
    prose = source(ROOT, page).cells[0].source

    def squeezed(text):  # without marks and the forms of quotes
        return re.sub(r"\W|_", "", re.sub(r"\]\([^)]*\)", "", text))

    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", text)
    assert all(squeezed(sentence) in squeezed(prose) for sentence in sentences)
    assert tags["og:title"] in (site / f"{page}.html").read_text(encoding="utf-8")
    assert "og:image" not in tags and "og:url" not in tags  # which want an address that nobody knows yet


def test_no_two_pages_are_described_alike(site):
    assert len({said(site, page)["description"] for page in LISTED}) == len(LISTED)


def doctree(*paragraphs):
    """A page of these paragraphs, in which `a` is a formula, as Sphinx has it."""
    page = docutils.utils.new_document("page", docutils.frontend.get_default_settings(Parser))
    for text in paragraphs:
        parts = [nodes.math(t, t) if k % 2 else nodes.Text(t) for k, t in enumerate(text.split("$"))]
        page += nodes.paragraph("", "", *parts)
    return page


def test_a_description_has_whole_sentences_without_formulas():
    assert (
        head.description(doctree("You can", "See $a_1$ here. Then $N$ falls. It rises."))
        == "Then N falls. It rises."
    )
    assert (
        head.description(
            doctree("One is " + "very " * 30 + "long. " + "Two is " + "very " * 30 + "long.")
        ).count(".")
        == 1
    )
    assert head.description(doctree("One is " + "very " * 60 + "long.")).endswith("very …")
    assert head.description(doctree("No sentence")) == ""


@pytest.fixture
def app(tmp_path):
    """As much of Sphinx as the extension asks for, of this book."""
    config = SimpleNamespace(html_title="Backpropagation, Executed", html_baseurl="")
    return SimpleNamespace(srcdir=str(ROOT), outdir=str(tmp_path), config=config)


def test_with_an_address_a_link_has_a_picture_that_the_build_draws(app, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLIB_URL", "https://example.org/book")
    head.read(app, app.config)
    context = {"title": "On <em>deltas</em>"}
    head.add_to_head(app, "book/part", "page.html", context, doctree("It is “so”."))
    tags = {name: unescape(content) for name, content in META.findall(context["metatags"])}
    assert tags["og:url"] == "https://example.org/book/book/part.html"
    assert tags["og:image"] == f"https://example.org/book/_static/{head.CARD}"
    assert (tags["og:title"], tags["og:description"]) == ("On deltas", "It is “so”.")
    (tmp_path / "_static").mkdir()
    head.add_card(app, None)
    picture = Image.open(tmp_path / "_static" / head.CARD)
    assert picture.size == head.SIZE == (1200, 630) and len(picture.getcolors(1 << 20)) > 100


def test_an_address_that_is_none_is_refused(app, monkeypatch):
    monkeypatch.setenv("CNNLIB_URL", "example")
    with pytest.raises(ConfigError, match="wants the address of the published book, got 'example'"):
        head.read(app, app.config)
