"""Exercises that answer: what is right passes, what is often answered gets its hint, junk a sentence; and chapters, entries and
pages have the same exercises with the same answers."""

import contextlib
import io
import json
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import nbformat
import numpy as np
import pytest
from building import ROOT, tree

import cnnlib
from cnnlib import practice
from cnnlib.practice import card, compare, exercise
from cnnlib.practice.checking import judge

CHAPTERS = exercise.chapters()
ENTRIES = {id: entry for chapter in CHAPTERS for id, entry in exercise.of_chapter(chapter).items()}
PROGRAMS = "function", "class"
CHECK = re.compile(r'^practice\.check\("([\w.]+)"', re.MULTILINE)


def told(id, answer):
    """What `check` prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert practice.check(id, answer) is None
    return out.getvalue()


def cells(chapter):
    """The cells of a chapter's section of exercises."""
    found, inside = [], False
    for cell in nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4).cells:
        if cell.cell_type == "markdown" and (headings := re.findall("^## (.*)", cell.source, re.MULTILINE)):
            inside = headings[-1] == "Exercises"
        found += [cell] * inside
    return found


# ---- the chapters


def test_each_chapter_with_exercises_has_entries_and_the_reverse():
    books = {path.stem for path in (ROOT / "book").glob("*.ipynb") if cells(path.stem)}
    assert books == set(CHAPTERS)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_exercise_is_asked_answered_and_solved(chapter):
    """Question, cell for the answer, and a folded solution of prose and a program that ends in the check."""
    entries = list(exercise.of_chapter(chapter))
    assert entries == [f"{chapter}.{n}" for n in range(1, len(entries) + 1)] and 4 <= len(entries) <= 5
    found = cells(chapter)
    asked = [
        n
        for cell in found
        if cell.cell_type == "markdown"
        for n in re.findall(r"^\*\*(\d)\. ", cell.source, re.M)
    ]
    assert [f"{chapter}.{n}" for n in asked] == entries
    checks = [(CHECK.findall(cell.source), k) for k, cell in enumerate(found) if CHECK.search(cell.source)]
    assert [ids for ids, _ in checks] == [[id] for id in entries for _ in "as"]
    for ([id], at), (_, end) in zip(checks[::2], checks[1::2]):
        answer, prose, solution = found[at], found[at + 1], found[end]
        assert end == at + 2 and answer.metadata == {}
        (stored,) = answer.outputs
        assert stored.data["text/html"] == card.html(ENTRIES[id]) and stored.data["text/plain"].startswith(
            f"{id}: no answer yet"
        )
        assert (
            prose.metadata == {"jupyter": {"source_hidden": True}, "tags": ["hide-cell"]}
            and len(prose.source) > 100
        )
        assert prose.source.startswith("Solution\n\n"), "the line that Jupyter shows of a folded text"
        assert solution.metadata["tags"] == ["hide-cell"] and "outputs_hidden" in solution.metadata["jupyter"]
        assert CHECK.search(solution.source.splitlines()[-1])
        assert f"\n{id}: right. " in "\n" + solution.outputs[-1].text
        assert not re.search(r"#.{90}", solution.source), "an essay in a comment"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_page_has_the_computed_answers_and_one_fold_for_each_solution(site, chapter):
    section = tree(site / "book" / f"{chapter}.html").find(id="exercises")
    boxes = section.select(".cell_output .cnn-exercise")
    entries = exercise.of_chapter(chapter)
    assert [json.loads(box["data-exercise"])["id"] for box in boxes] == list(entries)
    for box, entry in zip(boxes, entries.values()):
        assert json.loads(box["data-exercise"]) == json.loads(json.dumps(card.data(entry)))
        given = box.find_parent(class_="cell").select_one(".cell_input")
        assert (given is not None) == (entry.kind in PROGRAMS), "only a program's skeleton is shown"
        assert [item.get_text() for item in box.select("li")] == [": ".join(o) for o in card.lettered(entry)]
    solutions = section.select(".fold-solution > details")
    assert len(solutions) == len(entries)
    for fold in solutions:
        assert fold.find(class_="exercise-solution") and fold.find(class_="cell_input")
    assert len(section.select(".exercise-solution")) == len(entries), "prose outside of a fold"
    assert "Solution" not in [p.get_text() for p in section.select("p:not(.admonition-title)")]


# ---- the answers


@pytest.mark.parametrize("id", ENTRIES)
def test_the_right_answer_passes_and_known_mistakes_get_their_hints(id):
    entry = ENTRIES[id]
    right = card.forms(entry.right)[0] if entry.kind == "text" else entry.right
    assert judge(id, right) == (verdict := judge(id, right)) and verdict.ok is True
    assert verdict.text == f"right. {entry.why}"
    assert len(entry.wrong) >= 2 and len(entry.hints) == 2 and all(len(h) > 20 for h in entry.hints)
    wrongs = [
        (hint, w)
        for hint, wrong in entry.wrong.items()
        for w in (card.forms(wrong) if entry.kind == "text" else [wrong])
    ]
    for hint, wrong in wrongs:
        verdict = judge(id, wrong)
        assert verdict.ok is False and hint in verdict.text
        assert entry.of or verdict.hint == hint
        if entry.of:
            assert hint in cnnlib.practice.catalogue(entry.of)


@pytest.mark.parametrize("id", [id for id, entry in ENTRIES.items() if entry.kind in ("number", "array")])
def test_each_wrong_number_is_told(id):
    """One number changed at a time, the sign, a factor; and what is right in another form is right."""
    entry = ENTRIES[id]
    right = np.asarray(entry.right, float)
    for at in np.ndindex(right.shape):
        other = right.copy()
        other[at] += 5 * entry.off + 0.37
        verdict = judge(id, other)
        assert verdict.ok is False
    if right.any():
        assert judge(id, -right).ok is False and (right.size == 1 or judge(id, 3 * right).ok is False)
    if right.ndim:
        assert judge(id, right.tolist()).ok and judge(id, np.asfortranarray(right)).ok
        assert judge(id, right[..., :-1]).ok is judge(id, right[None]).ok is False
    else:
        assert (
            judge(id, np.array([right])).ok
            and judge(id, float(right)).ok
            and judge(id, Fraction(float(right))).ok
        )


@pytest.mark.parametrize("id", [id for id, entry in ENTRIES.items() if entry.kind == "choice"])
def test_a_choice_is_a_letter_or_its_text(id):
    entry = ENTRIES[id]
    for letter, text in card.lettered(entry):
        for answer in (letter, letter.upper(), f" {text} "):
            assert judge(id, answer).ok is (text == entry.right)
    assert set(entry.wrong.values()) == {*entry.options} - {entry.right}, "a hint for each other option"


@pytest.mark.parametrize("id", [id for id, entry in ENTRIES.items() if entry.kind == "text"])
def test_a_few_words_are_read_without_capitals_and_signs(id):
    entry = ENTRIES[id]
    for text in card.forms(entry.right):
        assert judge(id, text).ok and judge(id, f" {text.upper()}. ").ok
    assert judge(id, "something else").text == "not right: it is another word."
    assert judge(id, "").ok is judge(id, "?!").ok is False


class Strange:
    """Says no to all that one may ask of it."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __array__(self, *_, **__):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")


class OnlyForward:
    def forward(self, x):
        return x


class NeedsMore:
    def __init__(self, size, other):
        pass


def itself():
    loop = []
    loop.append(loop)
    return loop


JUNK = {
    "None": None,
    "text": "a number, or is it",
    "empty text": "",
    "bytes": b"12",
    "long text": "x" * 10**6,
    "true": True,
    "numpy bool": np.bool_(True),
    "complex": 1 + 2j,
    "complex array": np.ones((2, 2)) * 1j,
    "bools": np.ones((2, 2), bool),
    "texts": np.array(["a", "b"]),
    "nan": float("nan"),
    "infinite": np.inf,
    "huge": np.zeros((3000, 3000), np.int8),
    "huge number": 10**400,
    "empty": np.zeros((0, 3)),
    "ragged": [[1, 2], [3]],
    "mixed": [1, "two", None],
    "nested": itself(),
    "objects": np.array([object(), None]),
    "masked": np.ma.masked_array([1.0, 2], [True, False]),
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "structured": np.zeros(3, [("a", float)]),
    "dict": {"dx": 1},
    "set": {1, 2},
    "generator": (k for k in range(3)),
    "range": range(3),
    "strange": Strange(),
    "decimal": Decimal("NaN"),
    "module": np,
    "builtin": len,
    "class": int,
    "lambda without arguments": lambda: 1,
    "function that raises": lambda *_: 1 / 0,
    "function that returns None": lambda *_: print("hello"),
    "function that returns a text": lambda *_: "dx",
    "function that returns junk": lambda *_: Strange(),
    "function that exits": lambda *_: sys.exit(3),
    "class without backward": OnlyForward,
    "class that wants more": NeedsMore,
    "object": OnlyForward(),
    "Ellipsis in a list": [...],
}


@pytest.mark.parametrize("name", JUNK)
def test_junk_gets_a_sentence_and_no_traceback(name, capsys):
    one_of_each = {}
    for id, entry in ENTRIES.items():
        one_of_each.setdefault(
            (entry.kind, entry.of, np.ndim(entry.right) if entry.kind == "array" else 0), id
        )
    for id in one_of_each.values():
        verdict = judge(id, JUNK[name])
        assert verdict.ok is False, id
        assert len(verdict.text) < 3000 and (ENTRIES[id].of or "\n" not in verdict.text)
        assert verdict.text[-1] in ".?!" and "0x" not in verdict.text
    assert capsys.readouterr() == ("", "")


def test_no_answer_is_one_line_that_names_the_exercise():
    for id, entry in ENTRIES.items():
        line = told(id, ...)
        assert line.startswith(f"{id}: no answer yet") and line.count("\n") == 1
        assert all(f"{letter}: {text}" in line for letter, text in card.lettered(entry))
    assert practice.check.__defaults__ == (...,)


def test_the_skeleton_of_a_program_is_no_answer_and_a_missing_return_is_told():
    def described(x, W, b, delta, stride, padding):
        """Returns dx, dW, db."""
        ...

    class Bare:
        def forward(self, x): ...

        def backward(self, delta): ...

    def forgotten(scores, labels, T):
        scores / T

    functions = [id for id, entry in ENTRIES.items() if entry.kind == "function"]
    assert {judge(id, described).ok for id in functions} == {None}
    assert {judge(id, lambda x: ...).ok for id in functions} == {False}, (
        "it returns Ellipsis, which was written"
    )
    assert {judge(id, Bare).ok for id, entry in ENTRIES.items() if entry.kind == "class"} == {None}
    assert "is the return missing?" in judge("softmax.4", forgotten).text


def test_half_a_program_is_not_right():
    id = next(id for id, entry in ENTRIES.items() if entry.of == "conv2d")
    whole = ENTRIES[id].right

    def without_stride(x, W, b, delta):
        return whole(x, W, b, delta, 1, 0)

    verdict = judge(id, without_stride)
    assert verdict.ok is False and "stride 1 and padding 0 only" in verdict.text
    verdict = judge(id, lambda *arguments: (whole(*arguments)[0], None, None))
    assert verdict.ok is False and "dW, db not returned" in verdict.text


def test_an_unknown_id_lists_those_of_its_chapter():
    with pytest.raises(ValueError, match=r"conv_backprop\.9.*conv_backprop\.1, conv_backprop\.2"):
        practice.check("conv_backprop.9", 1)
    for id in ("conv_backprob.1", "", "os.path", 3, None, "x" * 1000):
        with pytest.raises(ValueError, match="one of .*conv_backprop.*softmax") as raised:
            practice.check(id, 1)
        assert len(str(raised.value)) < 400


def test_answers_are_not_changed():
    given = np.arange(16.0).reshape(4, 4)
    kept = given.copy()
    judge("conv_backprop.2", given)
    assert np.array_equal(given, kept)


RIGHT = np.array([[1.0, 2, 3], [4, 5, -7]])


@pytest.mark.parametrize(
    "mine, sentence",
    [
        (-RIGHT, "the sign is wrong of every number"),
        (RIGHT * 4, "every number is N, 4, times the right one"),
        (RIGHT / 4, "every number is 1/N times the right one"),
        (RIGHT * 9, "every number is K², 9, times the right one"),
        (RIGHT / 9, "every number is 1/K² times the right one"),
        (RIGHT * 2, "every number is 2 times the right one"),
        (RIGHT * -4, "every number is minus N, 4, times the right one"),
        (RIGHT * 1.7, "every number is 1.7 times the right one"),
        (RIGHT.T, "the shape is (3, 2), want (2, 3): it is transposed"),
        (RIGHT[None], "the shape is (1, 2, 3), want (2, 3): axes of size 1 too many or too few"),
        (RIGHT.ravel(), "the shape is (6,), want (2, 3): as many numbers, in another shape"),
        (RIGHT[:, :2], "the shape is (2, 2), want (2, 3)"),
        (RIGHT[::-1, ::-1], "the right numbers, rotated by 180 degrees"),
        (RIGHT[::-1], "the right numbers, with the rows in reverse order"),
        (RIGHT[:, ::-1], "the right numbers, with the columns in reverse order"),
        (RIGHT[:, [1, 0, 2]], "the right numbers, in another order"),
        (RIGHT + 0.5, "every number is 0.5 too large"),
        (RIGHT * 0, "all numbers are zero"),
        (RIGHT * [1, np.nan, 1], "2 of 6 numbers are NaN or infinite, the first at [0, 1]"),
        (RIGHT + [[0, 0, 0], [0, 1, 0]], "1 of 6 numbers differ, the first at [1, 1]: yours is 6"),
        (RIGHT + 1e-12, ""),
    ],
)
def test_what_is_wrong_is_said_exactly(mine, sentence):
    assert compare.fault(mine, RIGHT, 1e-6, {"N": 4, "K²": 9}) == sentence


def test_a_number_with_a_name_is_called_by_it():
    wrong = ENTRIES["lenet.1"].right + [0, 0, 0, 1]
    assert (
        judge("lenet.1", wrong).text
        == "not right: 1 of 4 numbers differ, the first that of “second dense layer”: yours is 1211."
    )


def test_square_arrays_are_found_transposed_and_turned():
    square = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, -9]])
    assert compare.fault(square.T, square, 1e-6) == "the right numbers, transposed"
    assert compare.fault(np.rot90(square), square, 1e-6) == "the right numbers, rotated by 90 degrees"


def test_it_prints_in_a_script_and_needs_numpy_only(tmp_path):
    code = (
        "import sys\n"
        "from cnnlib import practice\n"
        "practice.check('batch_averaging.2', ...)\n"
        "practice.check('batch_averaging.2', 15)\n"
        "practice.check('batch_averaging.2', 225)\n"
        "assert not {'IPython', 'matplotlib', 'cnnlib.show'} & {*sys.modules}\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    )
    first, second, *_ = said.stdout.splitlines()
    assert first == "batch_averaging.2: no answer yet" and second.startswith(
        "batch_averaging.2: not right: that is √N"
    )
    assert "batch_averaging.2: right. " in said.stdout


def test_two_exercises_of_one_id_are_refused():
    with pytest.raises(ValueError, match="two exercises"):
        exercise.number("conv_backprop.1", why="", hints=())(lambda: (1, {}))
