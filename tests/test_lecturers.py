"""The page for lecturers: its plans name what is there, and it counts what the ledger says."""

import copy
import csv
import io
import tomllib
from collections import Counter

import lecturers
import pytest
from building import ROOT, tree
from sphinx.errors import ExtensionError

PLANS = lecturers.plans(ROOT)
CHAPTER = lecturers.chapter(ROOT, "conv_backprop")


@pytest.fixture(scope="module")
def page(site):
    """The article of the page."""
    return tree(site / f"{lecturers.PAGE}.html").article


def test_each_plan_has_words_of_its_own():
    words = [step["words"] for plan in PLANS.values() for step in plan["steps"]]
    assert len(words) > 6 * len(PLANS) and len({*words}) == len(words)


def changed(verb, **what):
    """The plan of a chapter with its first step of this verb changed."""
    plan = copy.deepcopy(PLANS["conv_backprop"])
    step = next(step for step in plan["steps"] if verb in step)
    step |= what
    return plan


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (changed("say", minutes=4), "its steps take 46 minutes, not 45"),
        (changed("say", say="no-such-section"), "step 1: the chapter has no 'no-such-section' to say"),
        (changed("show", show="No such Frames"), "step 3: the chapter has no 'No such Frames' to show"),
        (changed("set", set=9), "step 7: the chapter has no 9 to set"),
        (changed("ask", mistake="no such"), "step 4: the catalogue has no mistake 'no such'"),
        (changed("ask", words="It is right."), "step 4: what is asked ends in a question mark"),
        (changed("say", words="It is 98.765."), "step 1: the number 98.765 is not in the chapter"),
        (changed("say", words="No stop"), "step 1: wants two to ten minutes and words in whole sentences"),
        (changed("say", draw="a picture"), "step 1: wants minutes, words and one of say, show, ask, set"),
        (
            {"aim": "One.", "steps": [{"minutes": 45, "say": "wrong-answers", "words": "."}]},
            "no step says ask, set, show",
        ),
        (PLANS["conv_backprop"] | {"aim": ""}, "wants an aim, a sentence"),
    ],
)
def test_a_plan_that_does_not_fit_its_chapter_is_refused(plan, said):
    assert not [*lecturers.problems(CHAPTER, PLANS["conv_backprop"])]
    assert any(problem.startswith(said) for problem in lecturers.problems(CHAPTER, plan))


def test_a_chapter_without_a_plan_stops_the_build(tmp_path, monkeypatch):
    (tmp_path / "plans.toml").write_text('[neuron]\naim = "One."\n', encoding="utf-8")
    monkeypatch.setattr(lecturers, "PLANS", tmp_path / "plans.toml")
    with pytest.raises(ExtensionError, match="wants the chapters why_convolution, neuron, "):
        lecturers.plans.__wrapped__(ROOT)


def test_the_page_shows_each_plan_to_its_last_minute(page):
    for name, plan in PLANS.items():
        section = page.find(id=f"plan-{name.replace('_', '-')}")
        rows = section.select("tbody tr")
        assert section.h3.a["href"].startswith(f"{name}.html") and plan["aim"][:20] in section.p.text
        assert len(rows) == len(plan["steps"]) and rows[-1].th.text.strip().endswith(f"–{lecturers.MINUTES}")
        assert all(row.td.a["href"].partition("#")[2] for row in rows)
        given = {step.get("set") for step in plan["steps"]}
        left = [n for n in lecturers.chapter(ROOT, name).exercises if n not in given]
        assert all(f"{n} ({lecturers.chapter(ROOT, name).exercises[n][0]}" in section.text for n in left)


def test_what_is_shown_has_a_slide_that_begins_at_its_place(page, site):
    links = [
        link["href"].partition(f"{lecturers.SLIDES}=")
        for link in page.select(f'a[href*="{lecturers.SLIDES}="]')
    ]
    assert len(links) == sum("show" in step for plan in PLANS.values() for step in plan["steps"])
    for file in {file for file, _, _ in links}:
        html = (site / "book" / file).read_text(encoding="utf-8")
        assert [place for there, _, place in links if there == file and f'id="{place}"' not in html] == []


def test_the_page_shows_each_hand_in_with_its_points(page):
    stored = csv.DictReader(io.StringIO((ROOT / lecturers.EXAMPLES).read_text(encoding="utf-8")))
    wanted = {row["name"].replace("_", " "): row["points"] for row in stored}
    rows = page.select("table.graded tbody tr")
    assert {row.th.text.strip(): row.td.text.strip() for row in rows} == wanted and rows[
        0
    ].th.text.strip() == "right"


def test_the_page_counts_the_statements_of_the_ledger(page):
    ledger = tomllib.loads((ROOT / "cnnlib" / "data" / "ledger.toml").read_text(encoding="utf-8"))
    wanted = Counter(entry["lecture"] for entry in ledger["entries"].values())
    *rows, last = page.select_one("table.counts tbody").select("tr")
    columns = [[int(td.text.replace("–", "0")) for td in row.select("td")] for row in (*rows, last)]
    assert [sum(column) for column in zip(*columns[:-1], strict=True)] == columns[-1]
    assert columns[-1] == [wanted[letter] for letter in lecturers.NAMES] and list(lecturers.NAMES) == list(
        ledger["lectures"]
    )
