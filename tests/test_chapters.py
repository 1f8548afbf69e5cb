"""The form of a chapter of the second edition: the question, the answer and a picture first, the lectures last, and no longer
than what one reads at a sitting."""

import re
from copy import deepcopy
from functools import cache

import chapter_in_jupyter
import front_page
import page_kinds
import pytest
from building import ROOT
from folds import LECTURES
from nbformat import v4
from tables import FOLDED, PRINTED, is_prose

WORDS, LINES, FIRST = 2200, 150, 60
OTHERS = {"intro", "check_yours", "wrong_answers"}  # a first page, a workbench and a gallery
CHAPTERS = [page.removeprefix("book/") for page in page_kinds.chapters(ROOT)]
WRITTEN = [name for name in CHAPTERS if name not in OTHERS]
# A ledger's entry, and a lecture called by its letter; the same letters name arrays and sizes, so only "S's" and "in S" count.
LETTERS = re.compile(r"\b[KSQZE]\d\d\b|\b[KSQZE]['’]s\b|\b(?:[Ii]n|by|By|of) [SQZ]\b(?! ?[×=])")


@cache
def stored(name):
    return chapter_in_jupyter.stored(f"book/{name}")


def problems(notebook):
    """What is not as a chapter should be, as sentences."""
    found, (words, lines) = [], front_page.extent(notebook)
    if words > WORDS or lines > LINES:
        found.append(f"{words} words of {WORDS}, {lines} open lines of code of {LINES}")
    first, second = notebook.cells[:2]
    opening = len(first.source.split())
    if first.cell_type != "markdown" or not first.source.startswith("# ") or opening > FIRST:
        found.append(f"begins with {opening} words of {FIRST}: a title, the question and the answer")
    if (
        second.cell_type != "code"
        or "<svg" not in shown(second)
        or "hide-input" not in second.metadata.get("tags", [])
    ):
        found.append("its second cell is no picture whose program is folded")
    sections = [
        (count, name)
        for count, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown"
        for name in re.findall(r"^## +(.*?)\s*$", cell.source, re.MULTILINE)
    ]
    names = [name for _, name in sections]
    if LECTURES in names[:-1]:
        found.append(f"{names[-1]} comes after what the lectures say")
    end = next((count for count, name in sections if name == LECTURES), len(notebook.cells))
    for count, cell in enumerate(notebook.cells[:end]):
        text = cell.source if cell.cell_type == "markdown" else printed(cell)
        found += [f"cell {count} needs a lecture: {said}" for said in LETTERS.findall(text)]
    return found


def shown(cell):
    return "".join(out.get("data", {}).get("text/html", "") for out in cell.get("outputs", []))


def printed(cell):
    return "".join(out["text"] for out in cell.outputs if out.get("name") == "stdout")


def too_wide(notebook):
    """[(cell, line)] of what is printed for readers and a phone does not show whole: in open cells, below folded programs and in
    solutions. What folded checks and claims print is for those who check, and may scroll."""
    found, section = [], ""
    for count, cell in enumerate(notebook.cells):
        folded = "hide-cell" in cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            section = ([section] + re.findall(r"^## +(.*?)\s*$", cell.source, re.MULTILINE))[-1]
        elif not folded or section == "Exercises":
            room = FOLDED if folded or section == LECTURES else PRINTED
            for out in cell.get("outputs", []):
                stream, data = out.output_type == "stream", out.get("data", {})
                text = out["text"] if stream else data.get("text/plain", "")
                if len(data) < 2 and not (stream and is_prose(text)):
                    found += [(count, line) for line in text.splitlines() if len(line) > room]
    return found


@pytest.mark.parametrize("name", CHAPTERS)
def test_what_a_chapter_prints_fits_a_phone(name):
    assert too_wide(stored(name)) == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_wider_line_in_any_printed_text_of_a_chapter_is_found(name):
    notebook, line = deepcopy(stored(name)), "column   " * 5
    cells = [n for n, cell in enumerate(notebook.cells) if "hide-cell" not in cell.metadata.get("tags", [])]
    spoilt = [n for n in cells if notebook.cells[n].cell_type == "code" and printed(notebook.cells[n])]
    for n in spoilt:
        next(out for out in notebook.cells[n].outputs if out.get("name") == "stdout").text += line
    assert {n for n, _ in too_wide(notebook)} == set(spoilt)


NUMBERS = "0.0625 " * 6
EXERCISES = v4.new_markdown_cell("## Exercises")


def prints(text, *tags, kind="stream"):
    """A cell that prints a text, or, of another kind, ends in it."""
    cell = v4.new_code_cell("print(x)", metadata={"tags": [*tags]})
    given = {"text": text} if kind == "stream" else {"data": {"text/plain": text}}
    cell.outputs = [v4.new_output(kind, **given)]
    return cell


@pytest.mark.parametrize(
    ("cells", "wide"),
    [
        ([prints("short")], 0),
        ([prints("x" * 38)], 0),
        ([prints("name   " + "x" * 32)], 1),
        ([prints("name   " + "x" * 32, "hide-input")], 1),
        ([prints("name   " + "x" * 32, "hide-cell")], 0),
        ([EXERCISES, prints("name   " + "x" * 32, "hide-cell")], 1),
        ([EXERCISES, v4.new_markdown_cell("## Next"), prints("name   " + "x" * 32, "hide-cell")], 0),
        ([EXERCISES, prints("name   " + "x" * 30, "hide-cell")], 1),
        ([v4.new_markdown_cell(f"## {LECTURES}\n\n### Next"), prints("name   " + "x" * 30)], 1),
        ([prints("name   " + "x" * 30)], 0),
        ([prints(f"[{NUMBERS}]\n[{NUMBERS}]")], 2),
        ([prints(f"the gradient: [{NUMBERS}]")], 1),
        ([prints(f"the gradient: {NUMBERS}")], 1),
        ([prints("a sentence of more letters than a phone has room for")], 0),
        ([prints("a text of more letters than a phone has room for", kind="execute_result")], 1),
    ],
)
def test_a_printed_line_that_a_phone_does_not_show_whole_is_found(cells, wide):
    assert len(too_wide(v4.new_notebook(cells=cells))) == wide


@pytest.mark.parametrize("name", WRITTEN)
def test_a_chapter_is_short_and_begins_with_question_answer_and_picture(name):
    assert problems(stored(name)) == []


def a_chapter(*more):
    picture = v4.new_code_cell("draw()", metadata={"tags": ["hide-input"]})
    picture.outputs = [v4.new_output("display_data", {"text/html": "<svg></svg>"})]
    return v4.new_notebook(cells=[v4.new_markdown_cell("# Title\n\nWhy? Because."), picture, *more])


def claim_of(text):
    cell = v4.new_code_cell("claim(...)", metadata={"tags": ["hide-cell"]})
    cell.outputs = [v4.new_output("stream", name="stdout", text=text)]
    return cell


LAST = v4.new_markdown_cell(f"## {LECTURES}\n\nIn S it is K's.")


def test_a_short_chapter_has_no_problems():
    assert (
        problems(
            a_chapter(
                v4.new_markdown_cell("## Next\n\nA size of S × T, in S = 3."), LAST, claim_of("K01 x: 1")
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("notebook", "said"),
    [
        (a_chapter(v4.new_markdown_cell("word " * 2199)), "2203 words of 2200"),
        (a_chapter(v4.new_code_cell("x = 1\n" * 151)), "151 open lines"),
        (
            v4.new_notebook(cells=[v4.new_markdown_cell("# T\n\n" + "word " * 60), a_chapter().cells[1]]),
            "62 words of 60",
        ),
        (v4.new_notebook(cells=[v4.new_markdown_cell("Why?"), a_chapter().cells[1]]), "begins with"),
        (v4.new_notebook(cells=[a_chapter().cells[0], v4.new_markdown_cell("text")]), "no picture"),
        (v4.new_notebook(cells=[a_chapter().cells[0], v4.new_code_cell("x")]), "no picture"),
        (a_chapter(LAST, v4.new_markdown_cell("## Exercises")), "Exercises comes after"),
        (a_chapter(v4.new_markdown_cell("as S23 has it")), "needs a lecture: S23"),
        (a_chapter(v4.new_markdown_cell("Q's image")), "needs a lecture: Q's"),
        (a_chapter(v4.new_markdown_cell("the sums in S.")), "needs a lecture: in S"),
        (a_chapter(claim_of("K01 confirmed: 1")), "needs a lecture: K01"),
    ],
)
def test_what_is_too_long_or_out_of_order_is_named(notebook, said):
    assert any(re.search(said, problem) for problem in problems(notebook)), problems(notebook)
