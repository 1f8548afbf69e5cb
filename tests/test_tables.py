"""What a page does with printed text: sentences are wrapped where they are too long for a phone, columns are not, and what
`practice` says of an answer is as wide as the page."""

import re

import chapter_in_jupyter
import pytest
import tables

from cnnlib import practice
from cnnlib.practice import exercise, report

SOFT = re.compile(r'<span class="soft">\n *</span>')
BOX = '<div class="output stream sentences highlight-myst-ansi notranslate"><div class="highlight"><pre><span></span>'
LONG = "a sentence of as many letters as no phone has room for"


def flowed(text):
    """A printed text as a page has it, with spaces for the ends of lines that it takes away."""
    page = tables.STREAM.sub(tables.flowing, f"{BOX}{text}</pre></div>")
    assert page.startswith(BOX) and page.endswith("</pre></div>")
    inside = page[len(BOX) : -len("</pre></div>")]
    assert re.sub("<[^>]*>", "", inside) == text  # the stored text is there, letter by letter
    return SOFT.sub(" ", inside)


@pytest.mark.parametrize("text", [LONG, f"0.1  0.2\n{LONG}", f"{LONG}: 3 of 4, at [0, 0], in (3, 5, 5, 2)"])
def test_long_sentences_are_prose(text):
    assert tables.is_prose(text)


@pytest.mark.parametrize(
    "text",
    [
        "short",
        "name     1.0  2.0\nother    3.0  4.0",
        f"dx        {LONG}",
        f"dx\t{LONG}",
        f"{LONG}\n[0.0625 0.125 0.1875 0.25 0.0625 0.125]",
        "squared error: 71 86 141 497 3081 22134",
        "squared error and its steps: [71, 86, 141, 497, 3081]",
        "two rows of two numbers: [[-0.0934, 0.1494], [0.0431, -0.085]]",
        "a table of the truth: {'000': 0.047, '001': 0.269}",
    ],
)
def test_short_lines_and_columns_and_rows_of_numbers_are_not(text):
    assert not tables.is_prose(text)


def solved():
    """(id, the printed text) of each solution in the book."""
    for chapter in exercise.chapters():
        for cell in chapter_in_jupyter.stored(f"book/{chapter}").cells:
            for out in cell.get("outputs", []):
                if out.output_type == "stream" and (
                    found := re.search(r"^([\w.]+): right\.", out.text, re.M)
                ):
                    yield found[1], out.text


def test_what_is_said_of_an_answer_is_one_line_on_a_page():
    texts = dict(solved())
    assert set(texts) == {id for chapter in exercise.chapters() for id in exercise.of_chapter(chapter)}
    for id, text in texts.items():
        before = text[: text.index(f"{id}: right")]
        assert flowed(text) == f"{before}{id}: right. {exercise.find(id).why}\n"


def test_a_table_of_which_a_directive_says_so_is_stacked_and_names_short_columns():
    rows = "<tr><th>hand-in</th><th>points</th><th>what is said of it</th></tr><tr><td>right</td><td>100</td><td>no more</td></tr>"
    for classes, wanted in (
        ("graded stacks table", True),
        ("graded table", False),
        ("haystacks table", False),
    ):
        box = f'<div class="pst-scrollable-table-container"><table class="{classes}">{rows}</table>'
        made = tables.TABLE.sub(tables.marked, box)
        assert (made != box) == wanted == ('stacks words"' in made)
        assert ("--name-2:&#x27;points: &#x27;" in made) == wanted and "--name-3" not in made


def test_a_report_keeps_its_lines_and_loses_those_that_are_there_for_width(monkeypatch):
    def wrong(x, W, b, delta, stride, padding):
        given = dict(x=x, W=W, b=b, delta=delta, stride=stride, padding=padding)
        return tuple(
            practice.wrong("stride ignored in dx", "conv2d", **given)[name] for name in ("dx", "dW", "db")
        )

    printed = str(practice.diagnose(wrong, of="conv2d"))
    monkeypatch.setattr(report, "wrapped", lambda line: [f"  {line}"])
    whole = str(practice.diagnose(wrong, of="conv2d"))
    assert whole.count("\n") < printed.count("\n") and flowed(printed) == whole


def test_lines_of_other_printed_texts_stay():
    other = "\n".join([f"{LONG}, and so on and on"] * 3)
    assert flowed(other) == other
