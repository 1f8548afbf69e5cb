"""The references, what chapters say to read next, the glossary and the index."""

import re
import shutil
from types import SimpleNamespace

import glossary
import nbformat
import pytest
import reading
from building import ROOT, tree
from page_kinds import chapters
from sphinx.errors import ExtensionError

ENTRIES = reading.entries(ROOT)
LISTS = reading.reading(ROOT)
ADDRESS = re.compile(r"\]\((https?://[^)\s]+)\)")
DOI = "https://doi.org/"


def soup(site, page):
    """The article of a page."""
    return tree(site / f"{page}.html").article


def addresses():
    """Every address of the references."""
    return {
        e.fields["url"] if "url" in e.fields else DOI + e.fields["doi"]
        for e in ENTRIES.values()
        if {"url", "doi"} & {*e.fields}
    }


def test_each_reference_can_be_found():
    lectures = {"kietikul", "shi", "qian", "zarezadeh", "squared-error-lecture"}
    assert {key for key, entry in ENTRIES.items() if not {"url", "doi"} & {*entry.fields}} == lectures
    found = [
        entry.fields.get("url") or entry.fields["doi"]
        for key, entry in ENTRIES.items()
        if key not in lectures
    ]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("page", chapters(ROOT))
def test_every_paper_that_a_chapter_links_to_is_a_reference(page):
    text = "\n".join(
        cell.source for cell in nbformat.read(ROOT / f"{page}.ipynb", 4).cells if cell.cell_type == "markdown"
    )
    papers = {
        url for url in ADDRESS.findall(text) if re.search(r"doi\.org|arxiv\.org|hal\.science|agner\.org", url)
    }
    assert papers <= addresses()


def test_each_chapter_says_what_to_read_next():
    taught = {page.removeprefix("book/") for page in chapters(ROOT)} - {"intro", "wrong_answers"}
    assert {name for name, lists in LISTS.items() if lists.get("next")} == taught
    assert all(
        says.endswith(".") for lists in LISTS.values() for items in lists.values() for _, says in items
    )


def test_the_page_has_the_lists_and_each_link_leads_to_its_reference(site):
    page = soup(site, "book/references")
    for name, lists in LISTS.items():
        wanted = [(key, f"{reading.label(ENTRIES[key])}, ") for items in lists.values() for key, _ in items]
        chapter = (site / "book" / f"{name}.html").read_text(encoding="utf-8")
        for html in (str(page.find(id=f"read-{name.replace('_', '-')}")), chapter):
            assert re.findall(r'<a [^>]*#cite-([\w-]+)"[^>]*>([^<]*)', html) == wanted
    shown = {tag["id"].removeprefix("cite-") for tag in page.select("[id^=cite-]")}
    assert shown == ENTRIES.keys()
    assert addresses() <= {link["href"] for link in page.select("a.external")}


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("zhang2019", "Zhang, 2019"),
        ("hubel1962", "Hubel and Wiesel, 1962"),
        ("lecun1998efficient", "LeCun and others, 1998"),
        ("goto2008", "Goto and van de Geijn, 2008"),
        ("harris2020", "Harris and others, 2020"),
        ("shi", "Shi"),
        ("squared-error-lecture", "Backward Propagation in Convolutional Neural Network"),
    ],
)
def test_a_link_names_authors_and_year(key, label):
    assert reading.label(ENTRIES[key]) == label


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[neuron]\nnext = [["nobody1900", "Nothing."]]',
            "neuron: 'nobody1900' is not in book/references.bib",
        ),
        ('[neuron]\nlater = [["d2l", "More."]]', "neuron: wants the lists from and next, got later"),
    ],
)
def test_a_list_that_names_what_is_not_there_is_refused(tmp_path, text, message):
    (tmp_path / "tools" / "site").mkdir(parents=True)
    (tmp_path / "book").mkdir()
    (tmp_path / "tools" / "site" / "reading.toml").write_text(text, encoding="utf-8")
    shutil.copyfile(ROOT / "book" / "references.bib", tmp_path / "book" / "references.bib")
    with pytest.raises(ExtensionError, match=re.escape(message)):
        reading.reading(tmp_path)


def test_a_chapter_without_a_place_for_its_list_is_refused():
    from docutils import nodes

    tree = SimpleNamespace(findall=lambda kind: iter([nodes.section("", nodes.title("", "Summary"))]))
    app = SimpleNamespace(srcdir=ROOT, env=SimpleNamespace(docname="book/neuron", note_dependency=list))
    with pytest.raises(ExtensionError, match="book/neuron has no section"):
        reading.add_to_chapter(app, tree)


# The glossary and the index.


def test_the_glossary_has_each_term_and_each_synonym_leads_to_one(site):
    terms = glossary.source()["terms"]
    page = soup(site, "book/glossary")
    found = {line.text.strip("#\n "): line.find_next_sibling("dd") for line in page.select("dl.glossary dt")}
    words = [word for term in terms.values() for word in [term["name"], *term.get("synonyms", ())]]
    assert sorted(found) == sorted(words) and len(set(words)) == len(words), "a word for two terms"
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(set(ids)) == len(ids)
    for key, term in terms.items():
        said = found[term["name"]]
        assert term["says"].replace("'", "’") in said.text and said.select_one(
            f'a[href$="{term["place"].partition("#")[2]}"]'
        )
        for word in term.get("synonyms", ()):
            assert found[word].select_one("a")["href"] == f"#term-{key}" and page.find(id=f"term-{key}")


def test_the_index_leads_to_the_glossary_and_to_where_a_term_is_explained(site):
    index = tree(site / "genindex.html")
    links = {link["href"] for link in index.select("a[href]")}
    for key, term in glossary.source()["terms"].items():
        assert f"book/glossary.html#term-{key}" in links
        chapter, _, place = term["place"].partition("#")
        assert f"book/{chapter}.html#{place}" in links


def test_what_is_not_linked_in_the_text_is_in_the_glossary_only(site, listed="book/conv_backprop"):
    html = (site / f"{listed}.html").read_text(encoding="utf-8")
    marked = set(re.findall(r'class="term" data-s="([\w-]+)"', html))
    unlinked = {key for key, term in glossary.source()["terms"].items() if not term.get("linked", True)}
    assert marked and unlinked and not marked & unlinked
