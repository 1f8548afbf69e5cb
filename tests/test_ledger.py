"""Claims compare what they say they compare; the notebooks' stored claims add up to the ledger's verdicts."""

import copy
import hashlib
import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import page_kinds
import pytest
from cnnlib.show.ledger import VERDICTS, claim, claims, ledger, verdicts

ROOT = Path(__file__).resolve().parents[1]
CLAIM_LINE = re.compile(rf"^([A-Z]\d\d(?:\.[\w-]+)?) (?:{'|'.join(VERDICTS)}): ", re.MULTILINE)


def said(capsys, *args, **kwargs):
    claim(*args, **kwargs)
    return capsys.readouterr().out.rstrip("\n")


# ---- claim


def test_a_claim_prints_one_stable_line(capsys):
    assert (
        said(capsys, "K18", -0.1 * (-0.49 * 0.49 + 0.1 * 0.1), printed=0.023, digits=3)
        == "K18 confirmed: 0.023"
    )
    assert said(capsys, "Q12", np.ones((3, 4)), np.ones((3, 4))) == "Q12 confirmed: 3 x 4 values agree"
    assert said(capsys, "Q12", [2.0], [2.0]) == "Q12 confirmed: 1 value agrees"
    assert said(capsys, "S03", illustrated="the pipeline") == "S03 illustrated: the pipeline"
    assert said(capsys, "K01", 0.0, 0, convention="ReLU'(0) = 0") == "K01 convention: 0 (ReLU'(0) = 0)"
    assert (
        said(capsys, "K20", 1 / 3, 1 / 3, reconstructed="weights") == "K20 reconstructed: 0.333333 (weights)"
    )


ON_A_SLIDE = {"where": "Average pooling", "whose": "slide"}


def test_an_erratum_prints_both_numbers_why_and_where(capsys):
    total = np.array([0.5, 0, 0.1, 0.2, 0.1]).sum()
    five = {"where": "Five classes", "whose": "undecided"}
    line = said(
        capsys, "S12.sum", total, printed=1.0, digits=6, erratum="a softmax output sums to one", **five
    )
    assert line == (
        "S12.sum erratum: printed 1.0, computed 0.9 (a softmax output sums to one) [undecided: Five classes]"
    )
    printed = np.array([[7, 5.5]])
    line = said(capsys, "Q20", np.array([[3.5, 5.5]]), printed=printed, erratum="a sum", **ON_A_SLIDE)
    assert line == (
        "Q20 erratum: printed 7 5.5, computed 3.5 5.5; 1 of 2 numbers differ (a sum) [slide: Average pooling]"
    )


def test_of_many_numbers_the_first_that_differs_is_printed_and_truths_are_words(capsys):
    many = np.arange(8.0)
    line = said(capsys, "Q20", many, np.where(many > 5, -many / 3, many), erratum="a sum", **ON_A_SLIDE)
    assert line.startswith(
        "Q20 erratum: printed -2, computed 6; 2 of 8 numbers differ, the first is shown (a sum)"
    )
    line = said(capsys, "Q20", [False, True], printed=[True, True], erratum="a sum", **ON_A_SLIDE)
    assert line.startswith("Q20 erratum: printed yes yes, computed no yes; 1 of 2 numbers differ (a sum)")
    line = said(capsys, "Q20", [1 / 3, -1e-9], printed=[0.0, 0.0], erratum="a sum", **ON_A_SLIDE)
    assert line.startswith("Q20 erratum: printed 0 0, computed 0.3333 0; 2 of 2")


def test_a_printed_line_is_read_back_part_by_part(capsys):
    claim("Q20", [3.5, 5.5], printed=[7, 5.5], erratum="a sum (of four)", **ON_A_SLIDE)
    claim("Z11.prime", 2.0, printed=1.0, unreadable="a prime is lost", where="The pattern [2]")
    claim("K01.code", 0.0, 0, convention="ReLU'(0) = 0", tol=1e-8)
    claim("S03", illustrated="the pipeline: a picture (lost)")
    claim("Q12", np.ones(3), np.ones(3))
    read = claims("not a claim\n" + capsys.readouterr().out)
    assert [list(line.values()) for line in read] == [
        [
            *("Q20", "Q20", "erratum", "printed 7 5.5, computed 3.5 5.5; 1 of 2 numbers differ"),
            *("a sum (of four)", "slide", "Average pooling"),
        ],
        [
            "Z11",
            "Z11.prime",
            "unreadable",
            "printed 1.0, computed 2",
            "a prime is lost",
            "text",
            "The pattern [2]",
        ],
        ["K01", "K01.code", "convention", "0, to 1e-08", "ReLU'(0) = 0", "", ""],
        ["Q12", "Q12", "confirmed", "3 values agree", "", "", ""],
    ]


def test_what_is_unreadable_differs_too_and_is_the_text_s(capsys):
    line = said(capsys, "Z11.prime", 2.0, printed=1.0, unreadable="a prime is lost", where="The pattern")
    assert line == "Z11.prime unreadable: printed 1.0, computed 2 (a prime is lost) [text: The pattern]"
    with pytest.raises(AssertionError, match="no difference"):
        claim("Z11.prime", 2.0, printed=2.0, unreadable="a prime is lost", where="The pattern")


@pytest.mark.parametrize(
    "kwargs",
    [
        {"erratum": "a sum"},
        {"erratum": "a sum", "where": "Average pooling"},
        {"erratum": "a sum", "whose": "slide"},
        {"erratum": "a sum", "where": "", "whose": "slide"},
        {"erratum": "a sum", "where": "two\nlines", "whose": "slide"},
        {"erratum": "a sum", "where": "Average pooling", "whose": "text"},
        {"erratum": "a sum", "where": "Average pooling, line 53", "whose": "slide"},
        {"erratum": "a sum", "where": "Average pooling, 532", "whose": "slide"},
        {"unreadable": "a sum"},
        {"unreadable": "a sum", "where": "Average pooling", "whose": "slide"},
        {"convention": "a sum", "where": "Average pooling"},
        {"where": "Average pooling"},
        {"whose": "slide"},
    ],
)
def test_a_doubted_formula_has_a_place_and_nothing_else_has(kwargs, capsys):
    with pytest.raises(ValueError, match="claim Q20: "):
        claim("Q20", 3.5, printed=7.0, **kwargs)
    assert capsys.readouterr().out == ""


def test_an_erratum_may_be_confirmed_otherwise_and_without_print(capsys):
    assert (
        said(capsys, "Q20", 3.5, 3.5, printed=7, erratum="a sum", **ON_A_SLIDE)
        == "Q20 erratum: printed 7, computed 3.5 (a sum) [slide: Average pooling]"
    )
    assert said(capsys, "Q20", 3.5, 7.0, erratum="a sum", **ON_A_SLIDE).startswith("Q20 erratum: printed 7, ")
    with pytest.raises(AssertionError, match="expected 4, computed 3.5"):
        claim("Q20", 3.5, 4, printed=7, erratum="a sum", **ON_A_SLIDE)


def test_no_minus_zero_and_no_rounding_noise_is_printed(capsys):
    assert said(capsys, "Q12", -0.0, 0.0) == "Q12 confirmed: 0"
    assert said(capsys, "Q12", 1e-17, -1e-17) == "Q12 confirmed: 0"
    assert said(capsys, "Q12", 1e-17, printed=-0.0, digits=6) == "Q12 confirmed: 0.0"


def test_another_tolerance_is_said(capsys):
    assert said(capsys, "K21", 1.0001, 1.0, tol=1e-3) == "K21 confirmed: 1, to 0.001"


def test_large_integers_and_fractions_are_numbers(capsys):
    assert said(capsys, "S01", 256**54, printed=1.1e130, digits=-129) == "S01 confirmed: 1.1e+130"
    assert said(capsys, "Q21", Fraction(1, 4), printed=0.25) == "Q21 confirmed: 0.25"


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (1.0, 1.0 + 3e-12),
        (1e6, 1e6 + 3e-6),
        (0.0, 2e-12),
        (np.nan, np.nan),
        (np.nan, 1.0),
        (np.inf, 1.0),
        ([1.0, 2.0], [1.0, np.nan]),
        ([1.0, 2.0], [1.0, 2.1]),
        (np.ones(3), 1.0),
        (np.ones((1, 3)), np.ones(3)),
        (np.ones((3, 1)), np.ones((3, 3))),
    ],
)
def test_what_differs_is_refused_and_prints_nothing(value, other, capsys):
    for kwargs in ({}, {"convention": "c"}, {"reconstructed": "r"}):
        with pytest.raises(AssertionError, match="claim Q12: "):
            claim("Q12", value, other, **kwargs)
        with pytest.raises(AssertionError, match="claim Q12: "):
            claim("Q12", value, printed=other, **kwargs)
    assert capsys.readouterr().out == ""


def test_the_difference_of_arrays_is_located():
    with pytest.raises(
        AssertionError, match=re.escape("2 of 6 numbers differ, first at [1, 0]: expected 4.0, computed 3.0")
    ):
        claim("Q12", [[0, 1, 2], [3.0, 4, 6]], [[0, 1, 2], [4.0, 4, 5]])


def test_rounding_to_digits_is_exact():
    claim("K18", 0.0234999, printed=0.023, digits=3)
    claim("K18", [0.5, 2.4], printed=[0, 2], digits=0)
    with pytest.raises(AssertionError):
        claim("K18", 0.0235001, printed=0.023, digits=3)
    with pytest.raises(AssertionError):
        claim("K18", 0.023, printed=0.0230001, digits=3)
    with pytest.raises(AssertionError):
        claim("K18", np.nan, printed=np.nan, digits=3)


@pytest.mark.parametrize(
    ("value", "printed"), [(1.0, 1.0), (np.nan, 1.0), ([1.0, np.nan], [1.0, 2.0]), (0.9996, 1.0)]
)
def test_an_erratum_needs_finite_numbers_that_differ(value, printed):
    with pytest.raises(AssertionError, match="no erratum"):
        claim("S12", value, printed=printed, digits=3, erratum="because", **ON_A_SLIDE)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1.0,), {}),
        ((None, 1.0), {}),
        ((), {"printed": 1.0}),
        ((1.0,), {"digits": 2}),
        ((1.0, 1.0), {"digits": 2}),
        (([], []), {}),
        ((np.empty((0, 3)), np.empty((0, 3))), {}),
        (("a", "a"), {}),
        ((1j, 1j), {}),
        (([[1], [1, 2]], [[1], [1, 2]]), {}),
        ((1.0, 1.0), {"illustrated": "drawn"}),
        ((), {"illustrated": ""}),
        ((), {"illustrated": "two\nlines"}),
        ((), {"illustrated": True}),
        ((1.0, 1.0), {"convention": " "}),
        ((1.0, 1.0), {"convention": "c", "reconstructed": "r"}),
        ((1.0, 2.0), {"erratum": ""}),
        ((1.0, 1.0), {"tol": 0}),
        ((1.0, 1.0), {"tol": np.nan}),
        ((1.0, 2.0), {"tol": np.inf}),
    ],
)
def test_a_claim_that_compares_nothing_or_says_nothing_is_refused(args, kwargs, capsys):
    with pytest.raises(ValueError, match="claim Q12: "):
        claim("Q12", *args, **kwargs)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("entry", ["K99", "k18", "K18.", "K18 sum", "K18.a.b", "", "intro"])
def test_unknown_entries_are_refused(entry):
    with pytest.raises(ValueError, match="no entry"):
        claim(entry, 1.0, 1.0)


def test_a_number_beyond_all_floats_is_refused_by_name():
    with pytest.raises(ValueError, match="claim S01: wants numbers"):
        claim("S01", 256**784, printed=1.0)


def test_a_near_miss_names_close_entries():
    with pytest.raises(ValueError, match="close to it: .*K1"):
        claim("K19x", 1.0, 1.0)


def test_the_strongest_claim_gives_the_verdict():
    lines = "\n".join(f"Q12.{v} {v}: x" for v in reversed(VERDICTS))
    assert verdicts(lines) == {"Q12": "erratum"}
    assert verdicts("Q15.aside reconstructed: 1 (ours)\nQ15 confirmed: 4") == {"Q15": "confirmed"}
    assert verdicts("Q12 illustrated: a\nQ12.b confirmed: 1\nK01 convention: 0 (c)") == {
        "Q12": "confirmed",
        "K01": "convention",
    }
    assert verdicts("as Q12 confirmed: 1\nQ12  confirmed: 1\nQ12 agreed: 1\n") == {}


# ---- ledger.toml


def test_nobody_changes_what_the_lectures_state_by_the_way():
    """To settle an entry changes its verdict alone. Who mends a wrong copy of a lecture changes this digest, too."""
    stated = {
        name: {key: value for key, value in entry.items() if key != "verdict"}
        for name, entry in ledger()["entries"].items()
    }
    digest = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
    assert digest[:16] == "1ffe66b8fbd38232"


def test_the_ledger_holds_every_entry():
    entries = ledger()["entries"]
    counts = {
        letter: sum(e["lecture"] == letter for e in entries.values()) for letter in ledger()["lectures"]
    }
    assert counts == {"K": 28, "S": 41, "Q": 29, "Z": 24, "E": 5}
    for letter, count in counts.items():
        assert {e for e in entries if e[0] == letter} == {f"{letter}{n:02d}" for n in range(1, count + 1)}
    for name, entry in entries.items():
        assert set(entry) == {"lecture", "chapter", "what", "printed", "verdict"}, name
        assert entry["lecture"] == name[0] and entry["what"].strip(), name
        assert re.fullmatch(r"[a-z_]+", entry["chapter"]), name
        assert entry["verdict"] in (*VERDICTS, "open"), name
    for lecture in ledger()["lectures"].values():
        assert set(lecture) == {"author", "title"} and all(lecture.values())


# ---- the notebooks' stored claims


def problems(notebooks, entries):
    """What is wrong with the claims of {chapter: notebook}, by the ledger's entries, as sentences."""
    wrong, outputs = [], ""
    for chapter, notebook in notebooks.items():
        claimed = set()
        for cell in notebook["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] != "code":
                wrong += [f"{chapter}: {e} is typed, not claimed" for e in CLAIM_LINE.findall(source)]
                continue
            texts = ["".join(o["text"]) for o in cell["outputs"] if o.get("name") == "stdout"]
            for part in CLAIM_LINE.findall("".join(texts)):
                if "claim(" not in source or part.split(".")[0] not in source:
                    wrong.append(f"{chapter}: {part} is printed, but not by a claim of its cell")
                claimed.add(part.split(".")[0])
            outputs += "".join(texts) + "\n"
        wrong += [f"{chapter}: {e} is claimed, but no entry" for e in sorted(claimed - set(entries))]
        wrong += [
            f"{chapter}: {name} is not claimed in its chapter"
            for name, entry in entries.items()
            if entry["chapter"] == chapter and name not in claimed
        ]
    found = verdicts(outputs)
    for name, entry in entries.items():
        if entry["verdict"] != found.get(name, "open"):
            wrong.append(f"{name}: the ledger says {entry['verdict']}, the claims {found.get(name, 'open')}")
    return wrong


def test_every_entry_of_a_written_chapter_is_claimed_there_and_verdicts_follow():
    paths = [ROOT / f"{name}.ipynb" for name in page_kinds.chapters(ROOT)]
    assert {"intro", "notation", "lenet"} <= {path.stem for path in paths}
    notebooks = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in paths}
    assert problems(notebooks, ledger()["entries"]) == []


def cell(source, *lines):
    outputs = [{"output_type": "stream", "name": "stdout", "text": "\n".join(lines)}] if lines else []
    return {"cell_type": "code", "source": source, "outputs": outputs}


BOOK = {
    "lenet": {
        "cells": [
            cell(
                'claim("S36", 1, 1)\nclaim("S36.b", illustrated="x")',
                "S36 confirmed: 1",
                "S36.b illustrated: x",
            )
        ]
    },
    "notation": {"cells": [{"cell_type": "markdown", "source": "S36 is claimed elsewhere."}, cell("1 + 1")]},
}
ENTRIES = {
    "S36": {"chapter": "lenet", "verdict": "confirmed"},
    "K22": {"chapter": "batch_averaging", "verdict": "open"},
}


def test_a_book_in_order_has_no_problems():
    assert problems(BOOK, ENTRIES) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda b, e: b["lenet"]["cells"].clear(), "lenet: S36 is not claimed in its chapter"),
        (lambda b, e: b["lenet"]["cells"][0].update(outputs=[]), "lenet: S36 is not claimed in its chapter"),
        (
            lambda b, e: b["lenet"]["cells"][0].update(source="print()"),
            "lenet: S36 is printed, but not by a claim",
        ),
        (lambda b, e: b["notation"]["cells"][0].update(source="S36 erratum: x"), "notation: S36 is typed"),
        (
            lambda b, e: e["S36"].update(verdict="illustrated"),
            "S36: the ledger says illustrated, the claims confirmed",
        ),
        (lambda b, e: e["S36"].update(verdict="open"), "S36: the ledger says open, the claims confirmed"),
        (
            lambda b, e: e["K22"].update(verdict="confirmed"),
            "K22: the ledger says confirmed, the claims open",
        ),
        (lambda b, e: e["K22"].update(chapter="notation"), "notation: K22 is not claimed in its chapter"),
        (lambda b, e: e.pop("S36"), "lenet: S36 is claimed, but no entry"),
        (
            lambda b, e: b["notation"]["cells"].append(cell('claim("S36", 1, 2)', "S36 erratum: printed 2")),
            "S36: the ledger says confirmed, the claims erratum",
        ),
        (
            lambda b, e: b["notation"]["cells"].append(cell('claim("K22", 1, 1)', "K22 confirmed: 1")),
            "K22: the ledger says open, the claims confirmed",
        ),
    ],
)
def test_each_disorder_is_found(change, expected):
    book, entries = copy.deepcopy(BOOK), copy.deepcopy(ENTRIES)
    change(book, entries)
    assert any(problem.startswith(expected) for problem in problems(book, entries)), problems(book, entries)
