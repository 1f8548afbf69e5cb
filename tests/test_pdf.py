"""The book as a PDF: what of a page goes on paper, how the pages are bound to one document, and what is asked of the print."""

import datetime
import json
import shutil

import bound
import editions
import page_kinds
import paper
import pdf
import pypdf
import pytest
import yaml
from bs4 import BeautifulSoup
from building import ROOT
from pypdf.generic import DictionaryObject, NameObject

import cnnlib.show as show

PAGE = '<html><body><svg aria-hidden="true"><defs><path id="A" d="M0 0H900V900H0Z"/></defs></svg><main><article class="bd-article">{}</article></main></body></html>'
SOLVED = """<div class="cell tag_hide-cell fold-solution"><details class="admonition hide"><summary><p>Solution</p></summary>
<div class="exercise-solution"><p>It is {}.</p></div></details></div>"""
QUESTION = '<p><strong>{}. Title {}.</strong> Why?</p><div class="cell"><div class="cnn-exercise"><p>x.1: no answer yet</p><ul><li>a: this</li></ul></div></div>'


def on_paper(body, name="one", names=("one", "two"), **more):
    return paper.chapter(PAGE.format(body), name, names, **more)


def frames(values=range(9), **more):
    return show.Frames(
        lambda *at: f"<b>{at}</b>", values, name="step", alt=lambda *at: f"What is drawn at {at}.", **more
    ).html()


# The rules for a page.


@pytest.mark.parametrize(
    "sizes, printed, states",
    [
        ([9], [0, 8], [0, 4, 8]),
        ([15], [6, 14], [0, 6, 14]),
        ([9], [8], [0, 4, 8]),
        ([2], [0], [0, 1]),
        ([1], [0], [0]),
        ([9], [1, 2, 3, 7], [1, 2, 3, 7]),
        ([3, 5], [0, 14], [0, 7, 14]),
        ([2, 3], [0, 5], [0, 3, 5]),
    ],
)
def test_key_states_are_the_printed_ones_and_those_that_are_farthest_from_them(sizes, printed, states):
    assert paper.key_states(sizes, printed) == states


def test_frames_become_their_key_states_with_their_values_and_descriptions():
    page, *_ = on_paper(frames(title="All steps", watch=lambda at: f"watch {at}"))
    states = page.select(".state")
    assert [state.select_one(".state-value").get_text() for state in states] == [
        "step = 0",
        "step = 4",
        "step = 8",
    ]
    assert [state.select_one(".cnn-pic").decode_contents() for state in states] == [
        "<b>(0,)</b>",
        "<b>(4,)</b>",
        "<b>(8,)</b>",
    ]
    assert [state.select_one("[role=img]")["aria-label"] for state in states] == [
        f"What is drawn at {at}." for at in [(0,), (4,), (8,)]
    ]
    assert (
        "Watch: watch 4" in states[1].get_text()
        and page.select_one(".states-title").get_text() == "All steps"
    )
    assert not page.select(f"{paper.PRESSED}, .cnn-frames, [style*='display:none']")


def test_frames_with_states_that_are_asked_for_print_these():
    page, *_ = on_paper(
        frames({"row": [1, 2], "column": ["a", "b", "c"]}, start=(0, 1), print_values=[(2, "a"), (2, "c")])
    )
    values = [value.get_text() for value in page.select(".state-value")]
    assert values == ["row = 1, column = b", "row = 2, column = a", "row = 2, column = c"]


def test_folded_programs_go_and_what_they_show_stays():
    drawing = (
        '<div class="cell_output"><div class="cnn-figure"><p>words</p><div role="img"></div></div></div>'
    )
    fold = '<div class="cell fold-quiet"><details class="hide"><summary>Code</summary><pre>x = 1</pre>{}</details>{}</div>'
    shown = "<p>printed</p>"
    page, *_ = on_paper(
        fold.format(drawing, "") + fold.format("", shown) + fold.format(shown, "") + "<pre>open</pre>"
    )
    assert (
        "x = 1" not in page.get_text() and page.get_text().count("printed") == 1 and "open" in page.get_text()
    )
    assert len(page.select(".cnn-figure [role=img]")) == 1 and len(page.select(".cell")) == 2, (
        "none is left empty"
    )


def test_what_the_lectures_say_is_open():
    page, *_ = on_paper(
        '<details class="admonition hide lectures"><summary><p>8 statements</p></summary><p>all of it</p></details>'
    )
    assert page.get_text().strip() == "all of it" and not page.select("details")


def test_solutions_leave_a_link_and_take_one():
    page, answers, *_ = on_paper(
        QUESTION.format(1, "A") + SOLVED.format(4) + QUESTION.format(2, "B") + SOLVED.format(5)
    )
    assert [(number, title) for number, title, _ in answers] == [("1", "1. Title A"), ("2", "2. Title B")]
    assert (
        "It is" not in page.get_text()
        and "no answer yet" not in page.get_text()
        and "a: this" in page.get_text()
    )
    assert [link["href"] for link in page.select(".to-solution a")] == [
        "#one--solution-1",
        "#one--solution-2",
    ]
    new = paper.maker()
    back = bound.answered([("one", new("h2", {}, "One"), answers)], new)
    assert [link["href"] for link in back.select(".to-exercise a")] == [
        "#one--exercise-1",
        "#one--exercise-2",
    ]
    assert [one["id"] for one in back.select("h3")] == ["one--solution-1", "one--solution-2"]
    assert "It is 4." in back.get_text() and not paper.faults([page, back])
    assert page.find(id="one--exercise-2").find_next("strong").get_text() == "2. Title B."


def test_a_solution_without_a_question_has_a_name_all_the_same():
    page, answers, *_ = on_paper("<p>Nothing in bold.</p>" + SOLVED.format(4))
    assert answers[0][:2] == ("1", "Exercise 1") and page.find(id="one--exercise-1")


def test_explorers_and_cards_of_mistakes_keep_what_can_be_read():
    explorer = '<div class="cnn-explorer"><p class="cnn-legend">Choose any cell: tap. <i>Blue</i> is read.</p><div class="cnn-still">1</div><script>x</script></div>'
    card = '<details class="cnn-card" id="k"><summary><b>not rotated</b><span>dx</span></summary><p>It must turn.</p><pre>lines</pre></details>'
    page, *_ = on_paper(explorer + card)
    assert page.get_text(" ", strip=True) == "Blue is read. 1 not rotated dx It must turn."
    assert not paper.faults([page])


def test_the_book_is_where_it_is_published(monkeypatch):
    monkeypatch.setenv("CNNLIB_URL", "https://example.org/b")
    assert pdf.about(ROOT)["address"] == "https://example.org/b/"
    monkeypatch.delenv("CNNLIB_URL")
    assert pdf.about(ROOT)["address"] == ""


def test_ids_and_what_refers_to_them_get_the_name_of_the_page():
    body = """<h2 id="a b"><svg><use href="#A"></use><g clip-path="url(#c)" style="fill: url('#c')"></g><clipPath id="c"></clipPath></svg></h2>
    <p aria-labelledby="a c"><label for="a"></label><a href="#c">x</a></p>"""
    page, _, letters, _ = on_paper(body)
    assert letters.path["id"] == "one--A" and page.find("use")["href"] == "#one--A"
    assert page.find("g").attrs == {"clip-path": "url(#one--c)", "style": "fill: url('#one--c')"}
    assert page.find("p")["aria-labelledby"] == "one--a one--c" and page.find("label")["for"] == "one--a"
    assert page.find("a")["href"] == "#one--c"


@pytest.mark.parametrize(
    "there, address, here",
    [
        ("two.html", "", "#two"),
        ("two.html#a%20b", "", "#two--a b"),
        ("../book/two.html#c", "", "#two--c"),
        ("#c", "", "#one--c"),
        ("https://example.org/two.html", "", "https://example.org/two.html"),
        ("../search.html", "", None),
        ("../search.html", "https://example.org/b/", "https://example.org/b/search.html"),
    ],
)
def test_links_lead_to_places_in_the_document(there, address, here):
    page, *_ = on_paper(f'<p>See <a href="{there}">this</a>.</p>', address=address)
    link = page.find("a")
    assert (link and link["href"]) == here and page.get_text() == "See this."


def test_formulas_are_described_by_their_tex_and_not_twice():
    body = r"""<mjx-container data-tex="\[a  = b\]"><svg aria-hidden="true"><path/></svg><mjx-assistive-mml><math>a</math></mjx-assistive-mml></mjx-container>"""
    page, *_ = on_paper(body)
    assert (
        page.svg["aria-label"] == "a = b"
        and page.svg["role"] == "img"
        and not page.select("math, [data-tex], [aria-hidden]")
    )


@pytest.mark.parametrize(
    "html, said",
    [
        ('<p id="a"></p><p id="a"></p>', "the id a stands twice"),
        ('<a href="#b">x</a>', "#b has no target: x"),
        ('<a href="x.html">x</a>', "x.html leads out of the document"),
        ("<button>x</button>", "button can be pressed"),
        ("<details>x</details>", "details can be pressed"),
        ('<input type="range"/>', "input can be pressed"),
    ],
)
def test_faults_of_a_document_are_named(html, said):
    (fault,) = paper.faults([BeautifulSoup(f"<section>{html}</section>", "html.parser").section])
    assert fault.startswith(said)


# Two chapters of the book, bound.


def test_two_chapters_keep_what_is_on_their_pages(site):
    """The two shortest that have solutions."""
    pages = [page for caption, found in bound.parts(ROOT) if caption for page in found]
    texts = {page: (site / f"{page}.html").read_text(encoding="utf-8") for page in pages}
    solved = sorted(
        (page for page in pages if "fold-solution" in texts[page]), key=lambda page: len(texts[page])
    )[:2]
    html, headings = bound.document(site, [("A part", solved)], pdf.about(ROOT))
    tree = BeautifulSoup(html, "html.parser")
    for page in solved:
        here, there = tree.find(id=page.rpartition("/")[2]), texts[page].partition("<article")[2]
        assert len(here.select(".states")) == there.count('class="cnn-frames"')
        assert len(here.select("mjx-container")) > 5
        assert len(here.select(".to-solution")) == there.count("fold-solution") > 0
        assert len(here.select(".level-1")) == there.partition("</article>")[0].count("<h2>")
        assert (2, paper.words(here.select_one(".level-0"))) in headings
    ids = [part["id"] for part in tree.select("[id]")]
    used = {part["href"].removeprefix("#") for part in tree.select("use[href]")}
    assert len(ids) == len({*ids}) and used and used <= {*ids}, "each letter of a formula is defined, once"


# Two small pages, bound and printed.


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The folder of a site, and its parts."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "_static").mkdir()
    for sheet in bound.SHEETS:
        (folder / "_static" / sheet).write_text("")
    drawing = '<mjx-container data-tex="\\(x^2\\)"><svg viewBox="0 0 1000 1000" width="1em"><use href="#A"></use></svg></mjx-container>'
    first = f'<section id="first"><h1>First {drawing}</h1><p>{drawing}</p>{frames()}<a href="second.html#why">on</a><h2 id="more">More</h2>'
    first += QUESTION.format(1, "A") + SOLVED.format(4) + "</section>"
    second = (
        '<section id="second"><h1>Second</h1><a href="first.html">back</a><h2 id="why">Why</h2></section>'
    )
    for name, body in {"first": first, "second": second}.items():
        (folder / f"{name}.html").write_text(PAGE.format(body), encoding="utf-8")
    return folder, [("", ["first"]), ("A part", ["second"])]


@pytest.fixture(scope="module")
def document(small):
    return bound.document(*small, pdf.about(ROOT))


@pytest.fixture(scope="module")
def print_and_places(document, chromium, tmp_path_factory):
    """(the PDF, {place: page})."""
    folder = tmp_path_factory.mktemp("pdf")
    (folder / "book.html").write_text(document[0], encoding="utf-8")
    places = pdf.printed(folder / "book.html", folder / "book.pdf", chromium)
    pdf.finish(folder / "book.pdf", pdf.about(ROOT), document[1])
    return folder / "book.pdf", places


@pytest.fixture(scope="module")
def made(print_and_places):
    return print_and_places[0]


def said(page):
    return " ".join(page.extract_text().split())


def test_the_print_is_without_fault_and_says_what_it_is(made, document):
    assert pdf.faults(made, document[1]) == []
    reader, about = pypdf.PdfReader(made), pdf.about(ROOT)
    assert reader.root_object["/PageMode"] == "/UseOutlines" and reader.root_object["/Lang"] == "en"
    assert reader.metadata.title == about["title"] and reader.metadata.author == about["authors"]
    first = said(reader.pages[0])
    assert about["title"] in first and about["edition"] in first and about["date"] in first


def test_the_outline_has_parts_chapters_sections_and_formulas(made):
    found = [(level, str(entry["/Title"])) for level, entry in pdf.outline(pypdf.PdfReader(made))]
    assert found == [
        (1, "About this PDF"),
        (1, "Contents"),
        (1, "First x^2"),
        (2, "More"),
        (1, "A part"),
        (2, "Second"),
        (3, "Why"),
        (1, "Solutions"),
        (2, "First x^2"),
        (3, "1. Title A"),
    ]


def test_contents_and_exercises_have_the_numbers_of_the_pages(print_and_places):
    path, places = print_and_places
    pages = pypdf.PdfReader(path).pages
    assert [places[name] for name in ("first", "first--more", "second", "second--why", "solutions")] == [
        4,
        4,
        5,
        5,
        6,
    ]
    assert len(pages) == 6 and "More 4" in said(pages[2]) and "Second 5" in said(pages[2])
    assert "Solution, page 6" in said(pages[3]) and "Exercise, page 4" in said(pages[5])


def test_pictures_and_formulas_are_figures_with_a_description(made):
    reader = pypdf.PdfReader(made)
    objects = (reader.get_object(k) for k in range(1, reader.trailer["/Size"]))
    figures = [one for one in objects if isinstance(one, DictionaryObject) and one.get("/S") == "/Figure"]
    described = {str(one.get("/Alt")) for one in figures}
    assert {"x^2", "What is drawn at (0,).", "What is drawn at (4,).", "What is drawn at (8,)."} <= described


def spoilt(made, tmp_path, change):
    writer = pypdf.PdfWriter(clone_from=made)
    change(writer)
    writer.write(tmp_path / "spoilt.pdf")
    return tmp_path / "spoilt.pdf"


def without_a_font(writer):
    for page in writer.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            font = font.get_object()
            if font["/Subtype"] == "/Type0":
                descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
                descriptor.pop(NameObject("/FontFile2"), None)
                return


def an_own_target(writer):
    for page in writer.pages:
        for note in page.get("/Annots", ()):
            if "/Dest" in note.get_object():
                note.get_object()[NameObject("/Dest")] = NameObject("/nowhere")
                return


def a_link_to_a_file(writer):
    for page in writer.pages:
        for note in page.get("/Annots", ()):
            if "/Dest" in note.get_object():
                del note.get_object()["/Dest"]
                action = {
                    NameObject("/S"): NameObject("/URI"),
                    NameObject("/URI"): pypdf.generic.TextStringObject("file:///x"),
                }
                note.get_object()[NameObject("/A")] = DictionaryObject(action)
                return


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda writer: writer.root_object.pop(NameObject("/StructTreeRoot")), "it is not tagged"),
        (lambda writer: writer.root_object.pop(NameObject("/Lang")), "it has no language"),
        (lambda writer: writer.root_object.pop(NameObject("/Outlines")), "its outline lacks About this PDF"),
        (an_own_target, "/nowhere has no target"),
        (a_link_to_a_file, "a link to file:///x"),
        (without_a_font, "is not in it"),
    ],
)
def test_faults_of_a_print_are_named(made, document, tmp_path, change, said):
    found = pdf.faults(spoilt(made, tmp_path, change), document[1])
    assert found and said in found[0]


def test_a_print_that_is_too_large_is_a_fault(made, document, monkeypatch):
    monkeypatch.setattr(pdf, "MOST", 1000)
    (fault,) = pdf.faults(made, document[1])
    assert "more than 1,000" in fault


def test_an_outline_without_all_headings_is_refused(made, document, tmp_path):
    shutil.copyfile(made, tmp_path / "book.pdf")
    with pytest.raises(ValueError, match="headings, and"):
        pdf.finish(tmp_path / "book.pdf", pdf.about(ROOT), [*document[1], (1, "One more")])


@pytest.mark.parametrize("width, refused", [(600, False), (900, True)])
def test_what_is_wider_than_a_page_is_refused(chromium, tmp_path, width, refused):
    (tmp_path / "a.html").write_text(
        f'<body style="margin:0"><section id="a"><div style="width:{width}px">wide</div>'
    )
    if not refused:
        pdf.printed(tmp_path / "a.html", tmp_path / "a.pdf", chromium)
        return
    with pytest.raises(ValueError, match="wider than a page:\na: div wide"):
        pdf.printed(tmp_path / "a.html", tmp_path / "a.pdf", chromium)


def test_a_font_that_cannot_be_read_is_refused(chromium, tmp_path):
    rule = '@font-face { font-family: "Lost"; src: url("lost.ttf") } p { font-family: Lost }'
    (tmp_path / "a.html").write_text(f"<style>{rule}</style><p>text")
    with pytest.raises(ValueError, match="fonts that cannot be read: .*Lost"):
        pdf.printed(tmp_path / "a.html", tmp_path / "a.pdf", chromium)


# Around it.


def test_pages_offer_the_pdf_once_beside_the_zip(tmp_path):
    zipped = f'<a class="run-chapter-zip" href="../{pdf.run_in_browser.NAME}.zip" download>All notebooks (zip)</a></p>'
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "a.html").write_text(zipped)
    (tmp_path / "search.html").write_text("nothing")
    (tmp_path / "made").write_bytes(b"x" * 2_400_000)
    for _ in range(2):
        pdf.offer(tmp_path / "made", tmp_path)
        page = (tmp_path / "book" / "a.html").read_text()
        assert page == zipped.replace(
            "</a>", f'</a> <a class="book-pdf" href="../{pdf.NAME}" download>The whole book (PDF, 2 MB)</a>'
        )
    assert (tmp_path / "search.html").read_text() == "nothing"
    assert (tmp_path / pdf.NAME).stat().st_size == 2_400_000


def test_every_chapter_has_a_place_for_the_link(site):
    for page in page_kinds.chapters(ROOT):
        assert len(pdf.ZIP.findall((site / f"{page}.html").read_text(encoding="utf-8"))) == 1


def test_pages_are_built_where_they_are_missing_or_of_another_edition(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(pdf, "SITE", tmp_path)
    monkeypatch.setattr(pdf.subprocess, "run", lambda command, check: asked.append(command[1:]))
    pdf.build("abc")
    (tmp_path / f"{editions.CITE}.html").write_text("digest abd")
    pdf.build("abc")
    assert asked == [["build", str(ROOT)]] * 2
    pdf.build("abd")
    assert len(asked) == 2


def test_a_released_book_has_the_date_of_its_release_and_another_none(tmp_path):
    shutil.copyfile(ROOT / "_config.yml", tmp_path / "_config.yml")
    citation = yaml.safe_load((ROOT / editions.CITATION).read_text(encoding="utf-8"))
    citation |= {"version": "2.0.0", "date-released": datetime.date(2025, 12, 31)}
    (tmp_path / editions.CITATION).write_text(yaml.safe_dump(citation))
    assert pdf.about(tmp_path)["date"] == "31 December 2025"
    del citation["date-released"]
    citation["version"] += editions.DEVELOPMENT
    (tmp_path / editions.CITATION).write_text(yaml.safe_dump(citation))
    assert pdf.about(tmp_path)["date"] == "Not released"


def test_the_workflow_that_publishes_makes_it_with_the_command_of_the_readme():
    command = "python tools/site/pdf.py"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    pages = yaml.safe_load((ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8"))
    steps = [json.dumps(step) for step in pages["jobs"]["deploy"]["steps"]]
    (made,) = [k for k, step in enumerate(steps) if command in step]
    (built,) = [k for k, step in enumerate(steps) if "commands | head -n 1" in step]
    (kept,) = [k for k, step in enumerate(steps) if "upload-pages-artifact" in step]
    assert built < made < kept and "CNNLIB_URL" in steps[made]
