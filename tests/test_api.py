"""The pages of the API: an entry for everything public, and links between entries, chapters and the ledger that are built."""

import importlib
import inspect
import io
import re
from pathlib import Path

import api
import cnnlib
import pytest
from bs4 import BeautifulSoup
from cnnlib import show
from sphinx.application import Sphinx

PAGES = "api", "api_practice", "api_show"
# What is public: the names of cnnlib, and those that these modules offer.
MODULES = ["cnnlib", "cnnlib.layers", "cnnlib.losses", "cnnlib.optim", "cnnlib.training", "cnnlib.datasets"]
MODULES += ["cnnlib.parallel"]
MODULES += ["cnnlib.formulas", "cnnlib.practice", "cnnlib.show", "cnnlib.show.svg", "cnnlib.show.graph"]
MODULES += ["cnnlib.show.derivation", "cnnlib.show.symbols"]
ARRAY = re.compile(r"\bArray\b|np\.ndarray")
SHAPE = re.compile(r"\((?=[^)]*,)(?![KQSZE]\d\d)(?:\.\.\.|\d+|[A-Z]\w*)(?:, [\w. ]+)*,?\)|\bshape\b")


@pytest.fixture(scope="module")
def pages(site):
    """{page: its article}."""
    html = {page: (site / "book" / f"{page}.html").read_text(encoding="utf-8") for page in PAGES}
    return {page: BeautifulSoup(text, "html.parser").find("article") for page, text in html.items()}


@pytest.fixture(scope="module")
def entries(pages):
    """{name: its section} of all entries."""
    found = {}
    for article in pages.values():
        for line in article.select(".api-places"):
            section = line.find_parent("section")
            name = next(section.find(re.compile("h[34]")).strings)
            assert name not in found
            found[name] = section
    return found


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_an_entry(entries, name):
    module = importlib.import_module(name)
    wanted = [api.public(module, n) for n in api.offered(module)]
    assert wanted and [n for n in wanted if n not in entries] == []


def test_the_modules_that_cnnlib_offers_have_a_section(pages):
    modules = [name for name in cnnlib.__all__ if inspect.ismodule(getattr(cnnlib, name))]
    links = pages["api"].get_text()
    assert modules and all(f"{module}." in links for module in modules)


def test_constants_have_a_line_with_their_value(pages):
    text = pages["api_show"].find(id="colours-and-names").get_text()
    assert (
        "show.FORWARD: '#1f6fd0'" in text
        and [n for n in api.constants(show) if f"show.{n}:" not in text] == []
    )


def takes_arrays(thing):
    """Whether a function, or a method of a class that a reader calls, takes or gives an array."""
    called = (
        [getattr(thing, n) for n in api.methods(thing)] if inspect.isclass(thing) else [inspect.unwrap(thing)]
    )
    return any(
        ARRAY.search(inspect.getsource(f).partition('"""')[0]) for f in called if inspect.isfunction(f)
    )


CORE = [name for name in MODULES if not name.startswith(("cnnlib.show", "cnnlib.practice"))]
WITH_ARRAYS = {
    api.public(module, n): getattr(module, n)
    for module in map(importlib.import_module, [*CORE, "cnnlib.gradcheck", "cnnlib.network"])
    for n in api.offered(module)
    if n in ("numerical_gradient", "check_gradients", "Sequential") or module.__name__ in CORE
    if takes_arrays(getattr(module, n))
}


def test_most_of_the_core_takes_arrays():
    assert len(WITH_ARRAYS) > 30 and not takes_arrays(cnnlib.formulas.output_size)


@pytest.mark.parametrize("name", WITH_ARRAYS)
def test_what_takes_arrays_says_their_shapes(entries, name):
    thing = WITH_ARRAYS[name]
    wide = name in ("Layer", "Loss", "Sigmoid", "Tanh", "ReLU")  # any shape, which they say in words
    assert (
        SHAPE.search(inspect.getdoc(thing)) or wide and re.search("shape|axis|batch", inspect.getdoc(thing))
    )
    assert name in entries


def test_a_docstring_without_shapes_is_seen():
    assert not SHAPE.search("Each delta shared equally (Q21) by the places (h, w), (Q03, S05).")
    for text in ("x (C, H, W, N) -> dx", "t (N,)", "x (..., N)", "scores (K, N)", "x (1, 5, 4)"):
        assert SHAPE.search(text)


def test_what_a_reader_calls_has_an_example():
    modules = map(
        importlib.import_module,
        ["cnnlib", "cnnlib.formulas", "cnnlib.training", "cnnlib.parallel", "cnnlib.datasets"],
    )
    things = {api.public(m, n): getattr(m, n) for m in modules for n in api.offered(m)}
    without = {name for name, thing in things.items() if ">>>" not in inspect.getdoc(thing)}
    assert len(things) > 40 and without == {"datasets.mnist", "datasets.cifar10"}  # their files are not here


def test_entries_name_sections_that_are_there(site, entries):
    links = {n: section.select(".api-places a") for n, section in entries.items()}
    for name, found in links.items():
        assert len(found) <= api.MOST, name
        for link in found:
            page, _, place = link["href"].partition("#")
            assert f'id="{place}"' in (site / "book" / page).read_text(encoding="utf-8"), (name, link)
    assert "pooling.html" in str(links["MaxPool2d"]) and "gradient_check.html" in str(
        links["check_gradients"]
    )
    assert sum(bool(found) for found in links.values()) > 50
    files = {section.select_one(".api-places code").get_text() for section in entries.values()}
    assert "cnnlib/layers/pooling.py" in files and all((api.ROOT / file).is_file() for file in files)


def test_numbers_of_the_ledger_lead_to_what_the_lectures_say(site, entries):
    links = {
        a.get_text(): a["href"] for a in entries["formulas.correlate2d_backward"].find_all("a", title=True)
    }
    assert {"K12", "Q14", "S22", "S25"} <= links.keys()
    for name, section in entries.items():
        text = " ".join(
            p.get_text(" ") for p in section.find_all("p") if not p.find_parent("section", class_="api")
        )
        linked = {a.get_text() for a in section.find_all("a")}
        assert set(api.ENTRY.findall(text)) - linked == set(), name
    page, _, place = links["K12"].partition("#")
    assert place == "what-the-lectures-say" and f'id="{place}"' in (site / "book" / page).read_text("utf-8")


def test_hints_lead_to_their_meaning_and_to_entries(entries):
    sign = entries["training.fit"].find("dt")
    targets = {a.get_text(): a["href"] for a in sign.find_all("a") if a.get_text().isidentifier()}
    assert targets.keys() == {"Sequential", "Loss", "SGD", "Array", "Seed"}
    assert targets["SGD"] == "#cnnlib.SGD" and targets["Array"].endswith("#types")


def test_names_in_chapters_lead_to_their_entries(site, entries):
    found = set()
    for path in (site / "book").glob("*.html"):
        html = path.read_text(encoding="utf-8")
        for page, place, name in re.findall(
            r'<a class="api reference internal" href="(api\w*)\.html#([\w-]+)"><code[^>]*>(.*?)</code>', html
        ):
            name = re.sub("<.*?>", "", name)
            shown = next(n for n, section in entries.items() if section["id"] == place)
            assert shown.rpartition(".")[2] in name and page in PAGES
            found.add(shown)
    assert {"check_gradients", "Conv2d", "SGD", "practice.diagnose"} <= found


CHAPTER = """
Chapter
=======

One
---

``Conv2d``, again ``Conv2d``, ``cnnlib.Conv2d(1, 8, 3)``, ``Conv2d.backward``, ``Conv3d``, ``layer.Conv2d``, ``sum``.

Two
---

``Conv2d`` and ``svg.grid``, :ref:`a link <search>`

.. code::

   y = Conv2d(1, 1, 3)

What the lectures say
---------------------

``Conv2d``
"""
REFERENCE = """
API
===

Types
-----

Layers
------

.. public:: cnnlib.layers Conv2d

.. public:: cnnlib.show.svg grid
"""


def build(folder, chapter):
    """(warnings, HTML of the chapter, HTML of the reference) of a book of two pages."""
    (folder / "book").mkdir()
    (folder / "index.rst").write_text("Book\n====\n\n.. toctree::\n\n   book/chapter\n   book/api\n")
    (folder / "book" / "chapter.rst").write_text(chapter)
    (folder / "book" / "api.rst").write_text(REFERENCE)
    warnings = io.StringIO()
    settings = {"extensions": ["sphinx.ext.autodoc", "api"], "html_theme": "basic", "nitpicky": True}
    out = folder / "out"
    app = Sphinx(folder, None, out, folder / "trees", "html", settings, status=None, warning=warnings)
    app.build()
    return warnings.getvalue(), *((out / "book" / f"{n}.html").read_text("utf-8") for n in ("chapter", "api"))


def test_a_name_is_linked_once_in_a_section_and_the_entry_names_the_section(tmp_path):
    warnings, chapter, reference = build(tmp_path, CHAPTER.replace(":ref:`a link <search>`", ""))
    assert warnings == ""
    links = re.findall(r'<a class="api reference internal" href="(.*?)"><code.*?>(.*?)</code>', chapter)
    assert [(to, re.sub("<.*?>", "", name)) for to, name in links] == [
        ("api.html#conv2d", "Conv2d"),
        ("api.html#conv2d", "Conv2d"),
        ("api.html#show-svg-grid", "svg.grid"),
        ("api.html#conv2d", "Conv2d"),
    ]
    places = re.findall(r'<p class="api-places">(.*?)</p>', reference, re.DOTALL)
    assert (
        re.sub("<.*?>", "", places[0])
        == "Explained in: Chapter › One; Chapter › Two. Source: cnnlib/layers/convolution.py"
    )
    assert re.sub("<.*?>", "", places[1]) == "Explained in: Chapter › Two. Source: cnnlib/show/svg.py"


@pytest.mark.parametrize(
    "span",
    [
        "cnnlib.Conv3d",
        "formulas.softmax_backward",
        "show.Frame(draw)",
        "practice.chek",
        "cnnlib.layers.nothing",
    ],
)
def test_a_name_that_is_not_there_is_a_warning(tmp_path, span):
    warnings, *_ = build(tmp_path, CHAPTER.replace(":ref:`a link <search>`", f"``{span}``"))
    assert f"cnnlib has no {span.partition('(')[0].removeprefix('cnnlib.')}" in warnings


def test_a_number_that_the_ledger_has_not_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "ledger", lambda: {"Q15": "chapter"})
    warnings, _, reference = build(tmp_path, CHAPTER.replace(":ref:`a link <search>`", ""))
    assert "the ledger has no Q16" in warnings and "the ledger has no Q15" not in warnings
    assert '#what-the-lectures-say" title="Q15, settled in: Chapter">Q15</a>' in reference


def test_a_hint_that_nothing_explains_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "TYPES", ())
    warnings, *_ = build(tmp_path, CHAPTER.replace(":ref:`a link <search>`", ""))
    assert "reference target not found: Array" in warnings


def test_parameters_that_begin_a_sentence_are_code():
    lines = ["Draw: it. rows, cols: names. digits: decimals.", "", ">>> rows: 1", "cols: 2"]
    api.mark_parameters(None, "function", "f", lambda rows, cols, digits: None, None, lines)
    assert lines[0] == "Draw: it. ``rows``, ``cols``: names. ``digits``: decimals." and lines[2:] == [
        ">>> rows: 1",
        "cols: 2",
    ]


def test_the_pages_have_no_name_that_is_typed(entries):
    """What stands in the Markdown is what belongs together: modules, and names where a module has others too."""
    typed = "".join((api.ROOT / "book" / f"{page}.md").read_text("utf-8") for page in PAGES)
    assert len(entries) > 2 * len(re.findall(r"^\.\. public:: .*$", typed, re.MULTILINE))
    assert Path(api.ROOT, "book", "api.md").exists()
