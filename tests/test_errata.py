"""The pages of errata and of coverage: every claim that needs a card has one, every card a claim; the numbers are the claims'."""

import copy
import re
import subprocess
import tomllib
from collections import Counter

import browsing
import built_pages
import claimed
import errata
import page_kinds
import pytest
from building import ROOT
from test_book import source

from cnnlib.show.ledger import ledger, readings, verdicts

PAGE, COVERAGE = "book/errata", "book/coverage"
FOUND, PRINTED, _ = claimed.read(ROOT)
ROWS = claimed.rows(FOUND, readings())
NEEDED = {"title", "printed", "book", "section"}
ALLOWED = NEEDED | {"parts", "fair", "another", "where", "otherwise", "also"}
NUMBER = re.compile(r"(?<!frac)\b\d+\.\d+|(?<!frac)\b\d{2,}")
OWN = tomllib.loads(errata.OWN.read_text(encoding="utf-8"))["errata"]


# What the cards are made of.


def test_every_doubted_claim_has_one_card_and_every_card_its_claims():
    on_cards = [claim["part"] for row in ROWS for claim in (*row["claims"], *row["fair"])]
    wanted = [claim["part"] for claim in FOUND if claim["verdict"] not in ("confirmed", "illustrated")]
    assert sorted(on_cards) == sorted(wanted) and len(wanted) > 100
    assert {row["kind"] for row in ROWS} == {*claimed.KINDS}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda claims, table: table.pop("K14.printed"), "differ in K14, K14.printed"),
        (lambda claims, table: table["K14.printed"].pop("fair"), "differ in K14"),
        (lambda claims, table: table.update({"K99.x": {}}), "no chapter claims K99.x"),
        (lambda claims, table: table["K02"].update(parts=["K04.log"]), "K04.log twice"),
        (
            lambda claims, table: table["K14.printed"].update(fair=["K14", "Q20"]),
            "K14.printed: fair is for conventions",
        ),
        (
            lambda claims, table: claims.remove(next(c for c in claims if c["part"] == "Q20")),
            "no chapter claims Q20",
        ),
        (
            lambda claims, table: next(c for c in claims if c["part"] == "Q18").update(verdict="erratum"),
            "differ in Q18",
        ),
    ],
)
def test_a_claim_without_a_reading_and_a_reading_without_a_claim_are_refused(spoil, said):
    claims, table = copy.deepcopy(FOUND), copy.deepcopy(readings())
    spoil(claims, table)
    with pytest.raises(ValueError, match=re.escape(said)):
        claimed.rows(claims, table)


def incomplete(row):
    """What a reading of readings.toml lacks, or has without need."""
    reading, kind = row["reading"], row["kind"]
    wanted = NEEDED | ({"where"} if kind == "convention" else {"another"})
    yield from sorted(wanted - reading.keys())
    yield from sorted(reading.keys() - ALLOWED - wanted)
    yield from (key for key in NEEDED if not reading.get(key, "").strip())
    if kind == "convention" and "another" in reading or kind != "convention" and {"where"} & reading.keys():
        yield "a field of another kind"


def untied(row):
    """The numbers that a reading types and neither the ledger nor a claim of the entry has."""
    mine = {claim["entry"] for claim in row["claims"]}
    entries = [ledger()["entries"][entry] for entry in mine]
    known = [entry["printed"] + " " + entry["what"] for entry in entries]
    known += [f"{claim['said']} {claim['why']}" for claim in FOUND if claim["entry"] in mine]
    typed = " ".join(row["reading"].get(key, "") for key in ("title", "printed", "book", "otherwise", "also"))
    return sorted({*NUMBER.findall(typed)} - {"180"} - {*NUMBER.findall(" ".join(known))})


READ = [row for row in ROWS if row["reading"]]


@pytest.mark.parametrize("row", READ, ids=lambda row: row["claims"][0]["part"])
def test_a_reading_is_complete_and_types_no_number_of_its_own(row):
    assert list(incomplete(row)) == [] and untied(row) == []


def test_a_reading_that_is_incomplete_or_types_a_number_is_noticed():
    row = copy.deepcopy(READ[0])
    row["reading"] = dict(
        row["reading"], printed="", section="", extra="x", where="here", also="0.123 for 17"
    )
    del row["reading"]["another"]
    assert {*incomplete(row)} == {"another", "extra", "printed", "section", "a field of another kind"}
    assert untied(row) == ["0.123", "17"]


def test_no_reason_names_a_line_that_no_reader_has():
    for claim in FOUND:
        assert not re.search(r"\blines? \d", claim["why"] + claim["where"]), claim["part"]


# The pages as they are built.


@pytest.fixture(scope="module")
def page(site):
    return built_pages.parsed(site / f"{PAGE}.html")


def words(tag):
    """The text of a tag, with the quotes that are typed."""
    text = " ".join(tag.get_text().split())
    return (
        text.replace("’", "'")
        .replace("‘", "'")
        .replace("“", '"')
        .replace("”", '"')
        .replace("…", "...")
        .replace("–", "--")
    )


def lacking(page, site):
    """What the page lacks of the cards: one of them, its lecture, kind, entry, numbers, reason, slide, or its section."""
    cards = {tag["id"]: tag for tag in page.select("details.cnn-card")}
    if len(cards) != len(ROWS):
        yield f"{len(cards)} cards for {len(ROWS)} rows"
    for row in ROWS:
        part = row["claims"][0]["part"]
        if (card := cards.get(claimed.anchor(part))) is None:
            yield f"no card for {part}"
            continue
        if (card["data-of"], card["data-g"], card.has_attr("open")) != (
            part[0],
            row["kind"],
            row["kind"] == "erratum",
        ):
            yield f"{part} has the marks of another"
        text, whys = words(card), set()
        for claim in (*row["claims"], *row["fair"]):
            both = errata.NUMBERS.fullmatch(claim["said"])
            said = [f"as printed {both[1]}, comes out {both[2]}"] if both else [claim["said"]]
            if row["kind"] == "reconstructed" or claim["why"] in whys:
                said = []  # of several with one reason the first
            whys.add(claim["why"])
            for wanted in (*said, claim["why"], claim["where"]):
                if " ".join(wanted.split()) not in text:
                    yield f"{part} does not say {wanted!r}"
            if claim["whose"] and errata.WHOSE[claim["whose"]] not in text:
                yield f"{part} does not say whose it is"
        if row["kind"] in ("erratum", "unreadable") and "Another slide has it right:" not in text:
            yield f"{part} does not say whether another slide has it right"
        link = card.select("a")[-1]["href"]
        target, _, place = link.partition("#")
        html = (site / "book" / target).read_text(encoding="utf-8")
        if f'id="{place}"' not in html:
            yield f"{part} leads nowhere: {link}"


def test_the_page_has_every_card_with_what_its_claims_say(page, site):
    assert list(lacking(page, site)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda card: card.decompose(),
        lambda card: card.attrs.update({"data-g": "convention"}),
        lambda card: card.attrs.update({"data-of": "S"}),
        lambda card: [tag.string.replace_with("9.9") for tag in card.select("p strong")[1:2]],
        lambda card: card.find(string=re.compile("surely on the slide")).replace_with("elsewhere"),
        lambda card: card.find(string=re.compile("Another slide")).replace_with("Else"),
        lambda card: card.select("a")[-1].attrs.update(href="seesaw.html#gone"),
    ],
)
def test_a_card_that_says_something_else_is_noticed(site, spoil):
    page = built_pages.BeautifulSoup((site / f"{PAGE}.html").read_text(encoding="utf-8"), "html.parser")
    spoil(page.select_one("#k14-printed"))
    assert [problem for problem in lacking(page, site)]


def test_each_lecture_has_a_section_whose_first_sentence_counts_its_cards(page):
    for letter in ledger()["lectures"]:
        mine = page.select(f'details[data-of="{letter}"]')
        (section,) = {id(tag.find_parent("section")): tag.find_parent("section") for tag in mine}.values()
        kinds = [tag["data-g"] for tag in mine]
        said = words(section.p)
        many = kinds.count("erratum")
        assert f"{many} errat{'um' if many == 1 else 'a'}, " in said
        assert (
            f"{kinds.count('convention')} right under a reading, {kinds.count('reconstructed')} reconstructed."
            in said
        )
        assert (f"{kinds.count('unreadable')} unreadable" in said) == ("unreadable" in kinds)


def unlisted(page):
    """The errata whose titles do not stand above the cards of their lecture, each a link to its card."""
    for letter in ledger()["lectures"]:
        box = page.select_one(f'details[data-of="{letter}"]').parent
        listed = box.find_previous_sibling("ul")
        found = [(words(link), link["href"]) for link in listed.select("a")] if listed else []
        errata_of = [row for row in claimed.rows(FOUND, readings(), letter) if row["kind"] == "erratum"]
        wanted = [(row["claims"][0]["part"], row["reading"]["title"]) for row in errata_of]
        if found != [(title, f"#{claimed.anchor(part)}") for part, title in wanted]:
            yield f"{letter}: {found}"


def test_each_lecture_lists_its_errata_above_the_cards(page):
    assert list(unlisted(page)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda link: link.find_parent("ul").decompose(),
        lambda link: link.find_parent("li").decompose(),
        lambda link: link.attrs.update(href="#k02"),
    ],
)
def test_a_list_of_errata_that_lacks_one_is_noticed(site, spoil):
    page = built_pages.BeautifulSoup((site / f"{PAGE}.html").read_text(encoding="utf-8"), "html.parser")
    spoil(page.select_one(".errata-list a"))
    assert [problem for problem in unlisted(page)]


def uncovered(page):
    """The entries whose row does not stand on the page of coverage, with the verdict of the claims and links to all their cards, and
    counts that are others."""
    settled, entries = verdicts(PRINTED), ledger()["entries"]
    tables = page.select("table.coverage")
    found = {}
    for row in (row for table in tables[1:] for row in table.select("tbody tr")):
        cells = row.select("td")
        links = sorted(link["href"] for link in cells[1].select("a"))
        found[words(cells[0]).partition(" ")[0]] = (
            re.match(r"\w*", words(cells[1]))[0],
            links,
            cells[2].a["href"],
        )
    for name, entry in entries.items():
        cards = [
            row["claims"][0]["part"]
            for row in ROWS
            if name in {claim["entry"] for claim in (*row["claims"], *row["fair"])}
        ]
        links = sorted(f"errata.html#{claimed.anchor(part)}" for part in cards)
        wanted = settled.get(name, "open"), links, f"{entry['chapter']}.html#what-the-lectures-say"
        if found.get(name) != wanted:
            yield f"{name}: {found.get(name)}, want {wanted}"
    if {*found} - {*entries}:
        yield f"no entries: {sorted({*found} - {*entries})}"
    counts = {words(row.td): words(row.select("td")[1]) for row in tables[0].select("tbody tr")}
    kinds, of = [*settled.values()], [row["kind"] for row in ROWS]
    wanted = {
        verdict: f"{kinds.count(verdict)} statement" + "s" * (kinds.count(verdict) != 1)
        for verdict in {*kinds, *of}
    }
    wanted |= {"in all": f"{len(entries)} statements"}
    for kind, number in [*Counter(of).items(), ("in all", len(of))]:
        wanted[kind] += f", {number} cards"
    if counts != wanted:
        yield f"counted {counts}, want {wanted}"


def test_every_statement_is_covered_with_its_verdict(site):
    page = built_pages.parsed(site / f"{COVERAGE}.html")
    assert list(uncovered(page)) == [] and len(page.select("table.coverage tbody tr")) > 127


@pytest.mark.parametrize(
    "place",
    [
        "table.entries td",
        "table.entries td:nth-child(2)",
        "table.entries td:nth-child(2) p:nth-child(2)",
        "table.counts td:nth-child(2)",
    ],
)
def test_an_entry_that_is_not_covered_is_noticed(site, place):
    page = built_pages.BeautifulSoup((site / f"{COVERAGE}.html").read_text(encoding="utf-8"), "html.parser")
    page.select_one(place).string = "7"
    assert [problem for problem in uncovered(page)]


# Errata of this book.


def historic(*arguments):
    """What git prints of the history; the test is skipped where there is no whole one."""
    git = ["git", "-C", str(ROOT)]
    shallow = subprocess.run([*git, "rev-parse", "--is-shallow-repository"], capture_output=True, text=True)
    if shallow.stdout.strip() != "false":
        pytest.skip("no whole history here")
    return subprocess.run([*git, *arguments], capture_output=True, text=True, encoding="utf-8").stdout


@pytest.mark.parametrize("one", OWN, ids=lambda one: f"{one.get('chapter')}-{one['commit']}")
def test_an_erratum_of_this_book_was_mended_where_it_says(one):
    assert (
        {"said", "now", "found", "commit"}
        <= {*one}
        <= {"said", "now", "found", "commit", "chapter", "claims"}
    )
    for part in one.get("claims", ()):
        assert re.search(rf"^{re.escape(part)} illustrated: ", PRINTED, re.MULTILINE), part
    name = {"seesaw_race": "seesaw"}.get(one.get("chapter"), one.get("chapter"))  # of which it was a part
    assert name is None or page_kinds.is_chapter(ROOT, f"book/{one['chapter']}")
    changed = historic("show", "--name-only", "--format=", one["commit"]).split()
    assert (f"book/{name}.ipynb" if name else "cnnlib/data/ledger.toml") in changed


def test_the_verdicts_that_changed_are_those_of_the_ledger():
    (one,) = [one for one in OWN if "chapter" not in one]
    before = tomllib.loads(historic("show", f"{one['commit']}^:cnnlib/data/ledger.toml"))["entries"]
    now = ledger()["entries"]
    old, new = (
        {name for name, e in entries.items() if e["verdict"] == "erratum"} for entries in (before, now)
    )
    wrong, missed, absent = (
        {*re.findall(r"[KSQZE]\d\d", part)} for part in re.split(r"Five errata|And eight", one["said"])
    )
    assert (wrong, missed, absent) == (old - new, (new - old) & {*before}, {*now} - {*before})
    assert (len(wrong), len(missed), len(absent)) == (5, 5, 8)


# In a browser.


@pytest.fixture
def tab(chromium, site):
    with browsing.Tab(chromium, f"{site.as_uri()}/", viewport={"width": 390, "height": 844}) as tab:
        tab.open(f"{PAGE}.html")
        yield tab


SHOWN = (
    "[...document.querySelectorAll('.cnn-card:not([hidden])')].map(card => [card.dataset.of, card.dataset.g])"
)
HEADINGS = "[...document.querySelectorAll('article section section')].filter(s => s.checkVisibility()).map(s => s.id)"


def test_choices_leave_the_cards_of_a_lecture_and_of_a_kind(tab):
    assert len(tab.page.evaluate(SHOWN)) == len(ROWS)
    tab.page.select_option("select[name=lecture]", label="Shi")
    tab.page.select_option("select[name=kind]", "erratum")
    wanted = [row for row in claimed.rows(FOUND, readings(), "S") if row["kind"] == "erratum"]
    assert tab.page.evaluate(SHOWN) == [["S", "erratum"]] * len(wanted) and len(wanted) > 5
    assert tab.page.inner_text(".cnn-filter [role=status]") == f"{len(wanted)} of {len(ROWS)} entries"
    assert tab.page.evaluate(HEADINGS) == ["errata-in-shi-s-lecture", "what-this-book-had-wrong"]
    tab.page.get_by_label("words").fill("pooling")
    assert 0 < len(tab.page.evaluate(SHOWN)) < len(wanted)
    tab.page.get_by_role("button", name="Show all").click()
    tab.page.wait_for_function(f"({SHOWN}).length === {len(ROWS)}")
    assert tab.errors() == []


def test_an_address_opens_its_card_and_keys_open_others(tab):
    tab.open(f"{PAGE}.html#k02")
    tab.page.wait_for_selector("#k02[open]")
    assert tab.page.evaluate("document.querySelector('#k02').getBoundingClientRect().top") < 844
    tab.page.focus("#k04-log summary")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector("#k04-log[open]")


def test_the_errata_of_a_lecture_fit_one_screen_of_a_phone_and_lead_to_their_cards(tab):
    tab.page.click("#errata-in-shi-s-lecture >> nth=0 >> .errata-list li:last-child a")
    section = tab.page.locator("#errata-in-shi-s-lecture")
    last = section.locator(".errata-list li").last.bounding_box()
    assert last["y"] + last["height"] - section.bounding_box()["y"] < 844 - 60
    card = section.locator("details[data-g=erratum]").last
    assert 0 <= card.bounding_box()["y"] < 200
    tab.page.select_option("select[name=kind]", "convention")
    assert not section.locator(".errata-list").is_visible()


def test_without_scripts_all_cards_are_there_and_no_form(chromium, site):
    look = {"viewport": {"width": 390, "height": 844}, "java_script_enabled": False}
    with browsing.Tab(chromium, f"{site.as_uri()}/", **look) as tab:
        tab.page.goto(f"{tab.home}{PAGE}.html")
        assert len(tab.page.evaluate(SHOWN)) == len(ROWS)
        assert not tab.page.is_visible(".cnn-filter")
        tab.page.click("#k02 summary")
        assert tab.page.is_visible("#k02 p:nth-of-type(2)")


def test_on_paper_every_card_is_whole(tab):
    hidden = "[...document.querySelectorAll('.cnn-card p')].filter(p => !p.checkVisibility()).length"
    assert tab.page.evaluate(hidden) > 100
    tab.page.emulate_media(media="print")
    assert tab.page.evaluate(hidden) == 0 and not tab.page.is_visible(".cnn-filter")


def test_somebody_who_asks_what_is_wrong_in_a_lecture_comes_to_its_errata(tab):
    tab.open("search.html?q=" + "what is wrong in Shi's lecture?".replace(" ", "%20"))
    first = tab.page.wait_for_selector("#search-results li a")
    first.click()
    tab.page.wait_for_url("**/errata.html*#errata-in-shi-s-lecture")
    shown = tab.page.locator("#errata-in-shi-s-lecture details[open] summary").first
    shown.wait_for()
    box = shown.bounding_box()
    assert 0 <= box["y"] < 844


def test_the_source_of_the_page_types_no_card():
    text = source(ROOT, PAGE).cells[0].source
    assert not re.search(r"\b[KSQZE]\d\d\b", text) and not re.search(r"\d", text.replace("0", ""))
