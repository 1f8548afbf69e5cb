"""The first page: what stands above the fold, that it moves and can be stopped, and that map and numbers are the book's."""

import re
from functools import cache

import browsing
import built_pages
import front_page
import nbformat
import nbformat.v4 as v4
import page_kinds
import pytest
import yaml
from building import ROOT
from nbformat import from_dict
from sphinx_external_toc.parsing import parse_toc_yaml

from cnnlib import practice
from cnnlib.show.ledger import ledger, verdicts

FRONT, *CHAPTERS = page_kinds.chapters(ROOT)
stored = cache(lambda listed: nbformat.read(ROOT / f"{listed}.ipynb", as_version=4))
SIZES = [{"width": 1280, "height": 800}, {"width": 390, "height": 844}]
BUTTONS = ["See it move", "Start reading", "Run it"]

# What a reader sees without scrolling: whether the sentence, the picture with all of its parts, and each button lie on the
# screen whole, and their sizes. A part that is transparent counts: it will come.
ABOVE = """() => {
  const whole = e => {
    const { left, top, right, bottom, width, height } = e.getBoundingClientRect();
    return width > 5 && height > 5 && left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight &&
           e.checkVisibility();
  };
  const all = text => [...document.querySelectorAll(text)].map(whole);
  return {
    sentence: all("article h1 + p"),
    picture: all("article .cnn-pipeline > [role=img]"),
    parts: all("article .cnn-pipeline [class^=cnn-step]"),
    buttons: [...document.querySelectorAll(".front-buttons a")].filter(whole).map(e => e.textContent.trim()),
  };
}"""
# The moments at which the pictures are, in milliseconds, and how many of them are transparent now.
NOW = """async () => {
  const pictures = [...document.querySelectorAll(".cnn-pipeline [class^=cnn-step]")];
  await Promise.all(pictures.flatMap(e => e.getAnimations()).map(a => a.ready));  // a pause takes a moment
  const times = pictures.flatMap(e => e.getAnimations()).map(a => a.currentTime);
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const later = pictures.flatMap(e => e.getAnimations()).map(a => a.currentTime);
  return {
    pictures: pictures.length,
    moving: times.length && times.every((time, k) => later[k] > time),
    still: times.every((time, k) => later[k] === time),
    faint: pictures.filter(e => +getComputedStyle(e).opacity < 1).length,
    button: document.querySelector(".cnn-pipeline button").checkVisibility() &&
            document.querySelector(".cnn-pipeline button").textContent,
  };
}"""
# The same where no script runs, and so no time passes for one: the pictures, those that move, those that are transparent.
STILL = """() => {
  const pictures = [...document.querySelectorAll(".cnn-pipeline [class^=cnn-step]")];
  return [pictures.length, pictures.filter(e => e.getAnimations().length).length,
          pictures.filter(e => +getComputedStyle(e).opacity < 1).length,
          document.querySelector(".cnn-pipeline button").checkVisibility()];
}"""
RUNS = "() => document.querySelector('.cnn-step-13').getAnimations()[0]?.currentTime > 0"
# Of each arrow of the map the chapters in whose rows it begins and ends, and the one that it is for.
ARROWS = """() => {
  const rows = [...document.querySelectorAll(".front-map li li")].map(e => [e.dataset.chapter, e.getBoundingClientRect()]);
  const row = y => rows.find(([, box]) => box.top <= y && y <= box.bottom)?.[0];
  return [...document.querySelectorAll(".front-map path")].map(path => {
    const box = path.getBoundingClientRect();
    return [row(box.top), row(box.bottom), path.dataset.to];
  });
}"""
# The names in the map that do not lie within their rows.
CRAMPED = """() => [...document.querySelectorAll(".front-map li li > a")].filter(a => {
  const [name, row] = [a, a.parentElement].map(e => e.getBoundingClientRect());
  return name.top < row.top - 2 || name.bottom > row.bottom + 2;
}).map(a => a.textContent)"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


# What is counted, from the chapters themselves.


def test_the_needs_are_those_of_the_chapters_of_the_contents_and_come_before_them():
    needs = front_page.needs(ROOT)
    assert list(needs) == CHAPTERS
    for page, found in needs.items():
        assert {*found} <= {*CHAPTERS[: CHAPTERS.index(page)]} and len(found) == len({*found}), page


def test_a_chapter_links_to_what_it_needs():
    """Where the table says that a chapter is needed, a reader of the text must meet it as well."""
    for page, found in front_page.needs(ROOT).items():
        cells = stored(page).cells
        linked = {
            *re.findall(r"\]\((\w+)\.ipynb", " ".join(c.source for c in cells if c.cell_type == "markdown"))
        }
        assert {front_page._name(need) for need in found} <= linked, page


def test_a_chapter_is_called_in_the_map_by_its_title_or_by_a_name_that_is_shorter():
    titles = {page: re.match(r"# (.+)", stored(page).cells[0].source)[1] for page in CHAPTERS}
    short = front_page.short_titles(ROOT, titles)
    assert len({*short.values()}) == len(CHAPTERS)
    for page, title in titles.items():
        until = title.partition(":")[0]
        assert short[page] == until or len(short[page]) < len(until), page


def test_what_the_first_page_types_about_the_book_is_so():
    """Its heading counts lines, and its last section says what most chapters do."""
    cells = stored(FRONT).cells
    text = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert any("most chapters close with what these say" in source for source in text)
    closes = re.compile(rf"^## {front_page.folds.LECTURES}\s*$", re.MULTILINE)
    closing = [page for page in CHAPTERS if any(closes.search(cell.source) for cell in stored(page).cells)]
    assert len(closing) > len(CHAPTERS) / 2
    (at,) = [k for k, cell in enumerate(cells) if cell.source.startswith("## Backpropagation in ten lines")]
    assert len(cells[at + 1].source.splitlines()) == 10


def test_what_is_no_chapter_is_not_in_the_map(tmp_path):
    (tmp_path / "book").mkdir()
    for name in ("intro.ipynb", "a.ipynb", "b.md", "c.md"):
        (tmp_path / "book" / name).touch()
    parts = [("One", ["book/a", "book/b"]), ("Two", ["book/c"])]
    toc = {
        "format": "jb-book",
        "root": "book/intro",
        "parts": [{"caption": said, "chapters": [{"file": page} for page in found]} for said, found in parts],
    }
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    assert front_page.parts(tmp_path) == [("One", ["book/a"])]
    assert page_kinds.texts(tmp_path) == ["book/b", "book/c"]
    assert page_kinds.listed(tmp_path) == ["book/intro", "book/a", "book/b", "book/c"]


def chapter(words, visible, folded=0):
    cells = [v4.new_markdown_cell("word " * words), v4.new_code_cell("x = 1\n\n" * visible)]
    folds = [
        v4.new_code_cell("x = 1\n" * folded, metadata={"tags": [tag]}) for tag in ("hide-cell", "hide-input")
    ]
    return v4.new_notebook(cells=[*cells, *folds])


def test_minutes_follow_from_words_and_from_lines_that_are_not_folded():
    assert front_page.minutes(chapter(2000, 0)) == 20
    assert front_page.minutes(chapter(2000, 150)) == 35
    assert front_page.minutes(chapter(2000, 150, folded=900)) == 35
    assert front_page.minutes(chapter(0, 0)) == 5


def test_all_text_is_counted_but_what_the_lectures_say_and_programs_that_are_open():
    book = chapter(20, 3, folded=50)
    book.cells.append(v4.new_markdown_cell("Solution\n\nfolded words", metadata={"tags": ["hide-cell"]}))
    book.cells.append(v4.new_markdown_cell("## Next\n\n[three words here](a.ipynb#b-c) $x + y$\n$$\nz\n$$"))
    assert front_page.extent(book) == (20 + 3 + 11, 3)
    book.cells.append(v4.new_markdown_cell("## What the lectures say\n\nmany more words"))
    book.cells.append(v4.new_code_cell("x = 1"))
    assert front_page.extent(book) == (20 + 3 + 11, 3)


def test_what_is_counted():
    entries = {
        f"K{n:02d}": {"verdict": verdict}
        for n, verdict in enumerate(
            [
                "erratum",
                "erratum",
                "confirmed",
                "convention",
                "unreadable",
                "reconstructed",
                "illustrated",
                "open",
            ]
        )
    }
    printed = "K01.a confirmed: 1\nK02 erratum: printed 1, computed 2\nK05 illustrated: words\nas K01 confirmed: 1\n"
    code = v4.new_code_cell("assert 1\nfor x in y:\n    assert x, 'assert'\n# assert")
    cards = '<details class="cnn-card" id="a"></details>' * 2 + "<details></details>"
    code.outputs = [
        v4.new_output("stream", name="stdout", text=printed),
        v4.new_output("display_data", {"text/html": cards}),
    ]
    notebooks = [v4.new_notebook(cells=[v4.new_markdown_cell("assert 1\n\nK01 confirmed: 1"), code])]
    counted = front_page.counted({"entries": entries}, notebooks)
    assert counted == {"executed": 6, "errata": 2, "checks": 4, "wrong": 2}
    assert "0" not in front_page.counts_html(counted | {"wrong": 0}, 1, {})
    html = front_page.counts_html(counted, 1, {"errata": "a&b.html"})
    assert html.count("<a ") == 1 and '<b>2</b> <a href="a&amp;b.html">errata found in them</a>' in html


# The page as it is built.


@pytest.fixture(scope="module")
def page(site):
    return built_pages.parsed(site / f"{FRONT}.html")


def counts_problems(page):
    """Where the numbers on the page differ from those that claims and assertions give, counted here in another way."""
    notebooks = [stored(listed) for listed in [FRONT, *CHAPTERS]]
    code = [cell for notebook in notebooks for cell in notebook.cells if cell.cell_type == "code"]
    said = "\n".join(out["text"] for cell in code for out in cell.outputs if out.get("name") == "stdout")
    found = [verdict for verdict in verdicts(said).values() if verdict != "illustrated"]
    lines = [line for line in said.splitlines() if re.match(r"[A-Z]\d\d\S* (?!illustrated)[a-z]+: ", line)]
    asserted = sum(len(re.findall(r"^\s*assert\b", cell.source, re.MULTILINE)) for cell in code)
    wanted = [len(found), found.count("erratum"), asserted + len(lines), len(practice.catalogue())]
    shown = [int(tag.get_text().replace(",", "")) for tag in page.select(".front-counts b")]
    return [] if shown == wanted else [f"wanted {wanted}, got {shown}"]


def map_problems(page, site):
    """What the map lacks: a chapter under its title, its address, its minutes, or in words what it needs."""
    items = {tag["href"]: tag.parent for tag in page.select(".front-map li li > a")}
    pages = {listed: site / f"{listed}.html" for listed in CHAPTERS}
    problems = [f"no {listed}" for listed in pages if f"{front_page._name(listed)}.html" not in items]
    if problems or len(items) != len(CHAPTERS):
        return [*problems, f"{len(items)} links for {len(CHAPTERS)} chapters"]
    h1 = {
        listed: re.search(r"<h1>([^<]+)<", path.read_text(encoding="utf-8"))[1]
        for listed, path in pages.items()
    }
    needs, short = front_page.needs(ROOT), front_page.short_titles(ROOT, h1)
    for listed in CHAPTERS:
        item = items[f"{front_page._name(listed)}.html"].get_text()
        minutes = front_page.minutes(stored(listed))
        said = ", needs " + ", ".join(short[need] for need in needs[listed]) if needs[listed] else ""
        if item != f"{short[listed]}{minutes}\xa0min{said}":
            problems.append(f"{listed} stands there as {item!r}")
    captions = [tag.get_text() for tag in page.select(".front-map > ul > li > span")]
    wanted = [
        tree.caption
        for tree in parse_toc_yaml(ROOT / "_toc.yml").root.subtrees
        if {*map(str, tree.items)} & {*CHAPTERS}
    ]
    return problems + ([] if captions == wanted else ["parts"])


def test_the_numbers_on_the_page_are_those_of_the_claims_and_of_the_ledger(page):
    assert counts_problems(page) == []
    settled = [entry["verdict"] for entry in ledger()["entries"].values()]
    shown = [tag.get_text() for tag in page.select(".front-counts b")]
    assert shown[:2] == [
        str(len([v for v in settled if v not in ("open", "illustrated")])),
        str(settled.count("erratum")),
    ]


def test_what_is_counted_leads_to_the_page_that_has_it(page):
    links = [(tag.get_text(), tag["href"]) for tag in page.select(".front-counts a")]
    assert [href for _, href in links] == ["coverage.html", "errata.html", "wrong_answers.html"]
    assert links[1][0] == "errata found in them"


def test_the_map_has_every_chapter(page, site):
    assert map_problems(page, site) == []


def test_nothing_is_left_to_be_filled_in_and_each_button_leads_somewhere(page, site):
    html = (site / f"{FRONT}.html").read_text(encoding="utf-8")
    assert not re.search(r"<!-- (buttons|chapters|counts|downloads) -->", html)
    see, read, run = page.select(".front-buttons a")
    assert [tag.get_text().strip() for tag in (see, read, run)] == BUTTONS
    assert see["href"].partition("#")[0] == "conv_backprop.html"
    assert read["href"] in [f"{front_page._name(listed)}.html" for listed in CHAPTERS]
    assert run["href"].startswith("../lite/notebooks/index.html?path=book/intro.ipynb") and run["data-python"]
    assert (
        len(page.select(".front-buttons [role=status]"))
        == len(page.select(".run-chapter [role=status]"))
        == 1
    )
    assert [tag["class"] for tag in page.select(".front-downloads a")] == [
        ["run-chapter-notebook"],
        ["run-chapter-zip"],
    ]


def test_the_picture_is_light(page):
    (picture,) = page.select(".cnn-pipeline")
    assert 20_000 < len(str(picture).encode()) < 120_000


@pytest.mark.parametrize(
    ("find", "judge"),
    [
        (".front-counts b", counts_problems),
        (".front-counts li:last-child b", counts_problems),
        (".front-map li li", map_problems),
        (".front-map li li > a", map_problems),
        (".front-map li li .visually-hidden", map_problems),
        (".front-map > ul > li > span", map_problems),
    ],
)
def test_a_number_or_a_name_that_is_not_the_books_is_noticed(site, page, find, judge):
    spoilt = built_pages.BeautifulSoup((site / f"{FRONT}.html").read_text(encoding="utf-8"), "html.parser")
    spoilt.select_one(find).string = "17"
    assert judge(*((spoilt,) if judge is counts_problems else (spoilt, site)))


def test_a_first_page_without_the_comments_stays_as_it_is():
    app = from_dict({"config": {"root_doc": "book/intro"}})
    context = {"body": "<h1>A</h1><!-- counts -->"}
    front_page.fill(app, "book/intro", "page.html", context, None)
    front_page.fill(app, "book/part", "page.html", context, None)
    assert context == {"body": "<h1>A</h1><!-- counts -->"}


# In a browser.


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: str(size["width"]))
def tab(request, chromium, site):
    """The page as a reader finds it, as a file, at one width."""
    with browsing.Tab(chromium, f"{site.as_uri()}/", viewport=request.param) as tab:
        tab.open(f"{FRONT}.html")
        yield tab


def test_above_the_fold_stand_the_sentence_the_picture_and_three_buttons(tab):
    found = tab.page.evaluate(ABOVE)
    assert found == {"sentence": [True], "picture": [True], "parts": [True] * 14, "buttons": BUTTONS}


def test_it_moves_until_it_is_paused_and_goes_on(tab):
    tab.page.wait_for_function(RUNS)
    assert (
        (found := tab.page.evaluate(NOW))["pictures"] == 14 and found["button"] == "Pause" and found["moving"]
    )
    tab.page.click(".cnn-pipeline button")
    assert (found := tab.page.evaluate(NOW))["still"] and not found["moving"] and found["button"] == "Play"
    tab.page.focus(".cnn-pipeline button")
    tab.page.keyboard.press("Enter")
    assert (found := tab.page.evaluate(NOW))["moving"] and found["button"] == "Pause"


@pytest.mark.parametrize(
    "look", [{"reduced_motion": "reduce"}, {"media": "print"}], ids=lambda look: [*look][0]
)
def test_it_is_still_and_whole_where_motion_is_unwanted_and_on_paper(tab, look):
    tab.page.emulate_media(**look)
    found = tab.page.evaluate(NOW)
    tab.page.emulate_media(reduced_motion="no-preference", media="screen")
    assert found == {"pictures": 14, "moving": 0, "still": True, "faint": 0, "button": False}
    tab.page.wait_for_function(RUNS)


def test_each_arrow_leads_from_what_is_needed_to_what_needs_it(tab):
    arrows = tab.page.evaluate(ARROWS)
    pairs = [(n, page) for page, needs in front_page.needs(ROOT).items() for n in needs]
    wanted = {(front_page._name(need), front_page._name(page)) for need, page in pairs}
    assert {(start, end) for start, end, _ in arrows} == wanted and len(arrows) == len(pairs)
    assert all(end == said for _, end, said in arrows)


def test_each_name_in_the_map_has_room_in_its_row(tab):
    assert tab.page.evaluate(CRAMPED) == []


def test_pointing_at_a_chapter_lights_what_leads_to_it(tab):
    thick = (
        "name => getComputedStyle(document.querySelector(`.front-map path[data-to='${name}']`)).strokeWidth"
    )
    before = tab.page.evaluate(thick, "seesaw")
    tab.page.focus(".front-map [data-chapter=seesaw] a")
    assert tab.page.evaluate(thick, "seesaw") != before == tab.page.evaluate(thick, "lenet")


def test_the_page_fits_and_is_short(tab):
    assert tab.page.evaluate(SIDEWAYS) <= 0
    limit = 3700 if tab.page.viewport_size["width"] > 1000 else 5400
    assert tab.page.evaluate("document.documentElement.scrollHeight") <= limit
    assert tab.troubles == []


def test_without_scripts_the_picture_stands_whole(chromium, site):
    look = {"viewport": SIZES[1], "java_script_enabled": False}
    with browsing.Tab(chromium, f"{site.as_uri()}/", **look) as tab:
        tab.page.goto(f"{tab.home}{FRONT}.html")
        assert tab.page.evaluate(STILL) == [14, 0, 0, False]
        assert tab.page.evaluate(ABOVE)["picture"] == [True]


# Each of these tests fails where it should: what is done to a sound page, what undoes it, and the test that must notice.

CLONE = "document.querySelector('.cnn-pipeline button').replaceWith(document.querySelector('.cnn-pipeline button').cloneNode(true))"
SPOILT = {
    "a button below": (
        test_above_the_fold_stand_the_sentence_the_picture_and_three_buttons,
        "document.querySelector('.front-buttons').style = 'position: relative; top: 900px'",
        "document.querySelector('.front-buttons').style = ''",
    ),
    "a picture below": (
        test_above_the_fold_stand_the_sentence_the_picture_and_three_buttons,
        "document.querySelector('.cnn-pipeline').style = 'margin-top: 500px'",
        "document.querySelector('.cnn-pipeline').style = ''",
    ),
    "motion in spite of all": (
        test_it_is_still_and_whole_where_motion_is_unwanted_and_on_paper,
        "window.one = document.querySelector('.cnn-step-3').animate([{opacity: 0}, {opacity: 0.5}], 90000)",
        "window.one.cancel()",
    ),
    "an arrow elsewhere": (
        test_each_arrow_leads_from_what_is_needed_to_what_needs_it,
        "document.querySelector('.front-map li li').style = 'height: 90px'",
        "document.querySelector('.front-map li li').style = ''",
    ),
    "a name too long": (
        test_each_name_in_the_map_has_room_in_its_row,
        "document.querySelector('.front-map li li > a').style = 'padding: 20px 0'",
        "document.querySelector('.front-map li li > a').style = ''",
    ),
    "a wide map": (
        test_the_page_fits_and_is_short,
        "document.querySelector('.front-map').style = 'width: 1300px'",
        "document.querySelector('.front-map').style = ''",
    ),
    "no light": (
        test_pointing_at_a_chapter_lights_what_leads_to_it,
        "document.querySelector('.front-map style').remove()",
        "",
    ),
    "a button that does nothing": (test_it_moves_until_it_is_paused_and_goes_on, CLONE, ""),
}


def test_a_spoilt_page_fails_its_test(chromium, site):
    with browsing.Tab(chromium, f"{site.as_uri()}/", viewport=SIZES[0]) as tab:
        tab.open(f"{FRONT}.html")
        for fault, (test, spoil, undo) in SPOILT.items():
            more = [{"reduced_motion": "reduce"}] if fault == "motion in spite of all" else []
            test(tab, *more)
            tab.page.evaluate(f"() => {{ {spoil} }}")
            with pytest.raises(AssertionError):
                test(tab, *more)
            tab.page.emulate_media(reduced_motion="no-preference")  # a test that fails leaves it as it was
            tab.page.evaluate(f"() => {{ {undo} }}")
