"""What the build writes for the search: the sections of all pages, their text, and words that stand for each other.
What the search finds with it is tested in a browser, in test_browser.py."""

import json
import re

import lunr
import page_kinds
import pytest
import search
from building import ROOT
from docutils import nodes
from sphinx import addnodes

LISTED = page_kinds.listed(ROOT)


@pytest.fixture(scope="module")
def shown(site):
    """[(address, headings, paragraphs)] of the built index."""
    script = (site / "_static" / search.INDEX).read_text(encoding="utf-8")
    assert len(script.encode()) < 1_000_000
    found = json.loads(script.removeprefix("bookSearch.ready(").removesuffix(");\n"))["sections"]
    return [tuple(section[:3]) for section in found]


def test_a_formula_in_bold_is_text_too():
    bold = nodes.strong("", "", nodes.Text("near "), nodes.math("", r"\varepsilon = 10^{-5}"))
    top = nodes.section("", nodes.title("", "Top"), nodes.paragraph("", "", bold), ids=["top"])
    (section,) = search.sections(nodes.Element("", top), "book/page", {})
    assert section["fields"]["marked"] == "near ε= 10^−5"


def test_each_section_of_each_page_can_be_found_in_the_order_of_the_book(site, shown):
    wanted = []
    for page in LISTED:
        html = (site / f"{page}.html").read_text(encoding="utf-8")
        title, *below = re.findall(r'<section [^>]*?\bid="([^"]+)"', html)
        if page in {"book/for_lecturers", "book/references"}:  # what chapters have too is left out
            below = [place for place in below if not place.startswith(("plan-", "read-"))]
        below += re.findall(r'<dt id="(term-[^"]+)"', html)  # of the glossary
        wanted += [f"{page}.html", *(f"{page}.html#{place}" for place in below)]
    for page, title in {
        "cite": "How to cite, and editions",
        "genindex": "Index",
    }.items():  # in no table of contents
        assert f"<title>{title}" in (site / f"{page}.html").read_text(encoding="utf-8")
        assert [where for address, where, _ in shown if address == f"{page}.html"] == [[title]]
        wanted.append(f"{page}.html")
    assert len(wanted) > 10 * len(page_kinds.chapters(ROOT)) and [address for address, *_ in shown] == wanted


def test_what_stands_in_the_chapters_too_does_not_come_before_them(shown):
    """The plans for lectures, and what to read next."""
    assert len(search.without()) == 2
    for heading in search.without():
        (where,) = [where for _, where, _ in shown if heading in where]
        assert where[1:] == [heading]


def test_a_term_of_a_glossary_is_found_by_itself_and_not_in_the_section():
    def entry(term, says, **more):
        text = nodes.definition("", nodes.paragraph("", says))
        return nodes.definition_list_item("", nodes.term(term, term, ids=[f"term-{term}"], **more), text)

    listed = nodes.definition_list(
        "", entry("stride", "A step.", synonyms=["hop"]), entry("hop", "See stride.")
    )
    top = nodes.section(
        "",
        nodes.title("", "Glossary"),
        nodes.paragraph("", "Words."),
        addnodes.glossary("", listed),
        ids=["top"],
    )
    page, found = search.sections(nodes.Element("", top), "book/glossary", {})
    assert (page["text"], "names" in page) == (["Words."], False)
    assert (found["url"], found["where"]) == ("book/glossary.html#term-stride", ["Glossary", "stride"])
    assert (found["text"], found["names"]) == (["A step."], ["stride", "hop"])
    index = search.index_of([{key: found[key] for key in found if key != "names"}, found], *search.table())
    query = index.create_query()
    query.term("stride", use_pipeline=False)
    section, term = index.query(query)
    assert (section["ref"], term["score"]) == ("0", pytest.approx(search.ENTRY * section["score"], 1e-2))


def test_a_result_shows_text_and_no_markup(shown):
    lines = [line for _, where, text in shown for line in [*where, *text]]
    assert len(lines) > 100 and not [
        line for line in lines if re.search(r"\\|\$|</|^\s*$|\s\s|-\w+-\w+-\w*\(", line)
    ]
    assert any("∂J/∂W" in line for line in lines)


def test_a_page_loads_neither_an_index_nor_what_sphinx_would_search_with(site):
    for page in [*LISTED, "search"]:
        html = (site / f"{page}.html").read_text(encoding="utf-8")
        scripts = set(re.findall(r'<script[^>]* src="(?:\.\./)?([^"?]+)', html))
        assert "_static/search.js" in scripts
        assert not [
            name
            for name in scripts
            if re.search("searchindex|search_index|searchtools|lunr|language_data|highlight", name)
        ]
    assert not [name for name in search.OF_SPHINX if (site / "_static" / name).exists()]
    assert not (site / "searchindex.js").exists()


def test_the_two_halves_of_lunr_go_together():
    script = (ROOT / "book" / "_static" / "lunr.min.js").read_text(encoding="utf-8")
    assert f" - {lunr.__TARGET_JS_VERSION__}\n" in script and "@license MIT" in script


FORMULAS = {
    r"\hat y_i - y_i": "ŷ_i − y_i",
    r"\hat{y}": "ŷ",
    r"\tfrac12 \lVert y - a\rVert^2": "1/2 ‖y − a‖^2",
    r"\frac{\partial J}{\partial z^{(l)}}": "∂J/∂z(l)",
    r"a \le b": "a ≤ b",
    r"4^{-10}": "4^−10",
    r"\operatorname{diag}(\hat y)": "diag(ŷ)",
    r"W^{\mathsf T}\delta": "W^Tδ",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}": "1 2 3 4",
}


@pytest.mark.parametrize("tex", FORMULAS)
def test_a_formula_is_a_line_of_text(tex):
    assert " ".join(search.plain(tex).split()) == FORMULAS[tex]


def test_words_are_small_letters_without_their_endings():
    assert (
        search.words("Softmax’s δ of np.rot90(x) is 2.78 and ‘all’")
        == "softmax delta of np rot90 x is 2.78 and all".split()
    )
    assert search.stems("rotated kernels, a rotation") == search.stems("rotate kernel a rotational")


def test_words_that_mean_the_same_have_one_name():
    groups, background = search.table()
    for one, other in [
        ("rot180", "the kernel turned by 180 degrees"),
        ("deconvolution", "a transposed convolution"),
        ("xavier", "the initialisation of Glorot"),
        ("logits", "its score"),
        ("flip", "rotated"),
    ]:
        names = [
            {token for token in search.tokens(text, groups) if token.startswith("same")}
            for text in (one, other)
        ]
        assert names[0] & names[1], (one, other)
    assert not [
        token for token in search.tokens("transposed matrix of a layer", groups) if token.startswith("same")
    ]
    assert all(len(group) > 1 and all(group) for group in groups) and "Exercises" in background


def test_a_heading_weighs_more_than_bold_than_text_and_exercises_half():
    def section(name, **fields):
        return {"where": [name], "fields": dict.fromkeys(search.FIELDS, "other words") | fields}

    found = [
        section("text", text="a kink here"),
        section("Exercises", heading="kink here"),
        section("marked", marked="a kink here"),
        section("heading", heading="a kink here"),
        section("none"),
    ]
    index = search.index_of(found, *search.table())
    query = index.create_query()
    query.term("kink", use_pipeline=False)
    results = [(found[int(result["ref"])]["where"][0], result["score"]) for result in index.query(query)]
    assert [name for name, _ in results] == ["heading", "Exercises", "marked", "text"]


def test_a_section_has_its_own_text_its_rows_and_open_programs_and_no_labels():
    link = addnodes.pending_xref(
        "", nodes.literal("", "some-label", classes=["eq"]), reftarget="some-label", refexplicit=False
    )
    open_cell, folded = nodes.container(classes=["cell"]), nodes.container(classes=["cell", "tag_hide-input"])
    for cell, program in ((open_cell, "MaxPool2d(2)"), (folded, "drawn(by_this)")):
        cell += nodes.container("", nodes.literal_block(program, program))
    row = nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in "ab"))
    below = nodes.section("", nodes.title("", "Below"), nodes.paragraph("", "deeper"), ids=["below"])
    text = nodes.paragraph(
        "", "", nodes.Text("By "), link, nodes.strong("", "bold"), nodes.math("", r"\delta")
    )
    top = nodes.section("", nodes.title("", "Top"), text, open_cell, folded, row, below, ids=["top"])
    document = nodes.Element("", top)
    first, second = search.sections(document, "book/page", {"some-label": "(3)"})
    assert (first["url"], first["where"], first["text"]) == (
        "book/page.html",
        ["Top"],
        ["By (3)boldδ", "a | b"],
    )
    assert first["fields"]["marked"] == "bold" and first["fields"]["code"].split() == [
        "Max",
        "Pool2d",
        "MaxPool2d",
    ]
    assert (second["url"], second["where"], second["text"]) == (
        "book/page.html#below",
        ["Top", "Below"],
        ["deeper"],
    )
