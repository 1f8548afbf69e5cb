"""The assignment: the grader gives the points of the rubric to right and to wrong hand-ins, and survives what students hand in."""

import csv
import io
import subprocess
import sys
from types import SimpleNamespace

import hand_ins
import pytest
from building import ROOT

FOLDER = ROOT / "assignment"
sys.path.insert(0, str(FOLDER))
import grade  # noqa: E402
import judge  # noqa: E402

SECONDS = 5
RUBRIC = grade.rubric()
STORED = (FOLDER / "examples.csv").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """{name: result} of all hand-ins, graded together by the command."""
    folder = tmp_path_factory.mktemp("hand_ins")
    hand_ins.write(folder)
    return {r["name"]: r for r in grade.grade(folder, SimpleNamespace(seconds=SECONDS, jobs=2))}


def points(result, function):
    """The points of one function."""
    return sum(value for (name, _), value in result["parts"].items() if name == function)


def test_the_rubric_is_of_the_functions_of_the_skeleton_and_adds_up_to_its_title():
    space = {}
    exec(hand_ins.SKELETON, space)
    assert all(callable(space[function]) for function in RUBRIC)
    total = sum(points for parts in RUBRIC.values() for points in parts.values())
    assert (FOLDER / "rubric.md").read_text(encoding="utf-8").startswith(f"# Rubric: {total} points")
    assert {*judge.OF, "conv2d_forward"} == {*RUBRIC}


def test_the_stored_examples_are_what_the_grader_says(results):
    assert grade.as_csv(results.values()) == STORED


def test_a_right_hand_in_gets_all_points_and_an_empty_one_none(results):
    assert results["right"]["points"] == 100 and not results["right"]["flags"]
    assert results["skeleton"]["points"] == 0
    assert {note["error"] for note in results["skeleton"]["notes"].values()} == {"not written yet"}


@pytest.mark.parametrize(
    ("name", "lost", "mistakes"),
    [
        ("kernel_not_rotated", {("conv2d_backward", "dx"): 20}, ["kernel not rotated"]),
        ("bias_averaged", {("conv2d_backward", "db"): 8}, ["averaged over the positions"]),
        ("stride_ignored", {("conv2d_backward", "dx"): 10, ("conv2d_backward", "dW"): 6}, ["stride ignored in dx", "stride ignored in dW"]),
        ("every_maximum", {("max_pool2d_backward", "dx"): 7.5}, ["ties: every maximum gets the whole delta"]),
        ("overlap_overwritten", {("max_pool2d_backward", "dx"): 15}, ["pooling: overlap overwritten instead of added"]),
        ("dense_bias_averaged", {("dense_backward", "db"): 2}, ["averaged over the examples once more"]),
        ("relu_of_delta", {("relu_backward", "dx"): 5}, ["ReLU' from delta's sign"]),
        ("loss_summed", {("softmax_cross_entropy_backward", "dscores"): 10}, ["not averaged: sum for mean"]),
        ("changes_its_input", {("relu_backward", "dx"): 2.5}, ["input changed in place"]),
        ("two_mistakes", {("conv2d_forward", "z"): 20, ("conv2d_backward", "db"): 8}, ["kernel rotated", "averaged over examples and positions"]),
    ],
)  # fmt: skip
def test_a_known_mistake_costs_its_own_points_and_is_named(results, name, lost, mistakes):
    result = results[name]
    full = {(function, part): most for function, parts in RUBRIC.items() for part, most in parts.items()}
    assert {
        key: most - result["parts"][key] for key, most in full.items() if result["parts"][key] != most
    } == lost
    assert [m for note in result["notes"].values() for m in note.get("mistakes", ())] == mistakes
    assert all(mistake in grade.feedback(result) for mistake in mistakes)


@pytest.mark.parametrize(
    ("name", "function", "said"),
    [
        ("no_end", "relu_backward", f"no end after {SECONDS} seconds"),
        ("raises", "relu_backward", "NameError: name 'undefined' is not defined"),
        ("function_missing", "dense_backward", "the file has no function dense_backward"),
        ("ends_the_process", "relu_backward", "its process ended"),
        ("raises_at_the_end", "relu_backward", "SystemExit: 0"),
        ("returns_nothing", "softmax_cross_entropy_backward", "returned NoneType"),
        ("prints_a_flood", None, ""),
    ],
)
def test_what_one_function_does_costs_its_points_only(results, name, function, said):
    lost = sum(RUBRIC[function].values()) if function else 0
    assert results[name]["points"] == 100 - lost and said in grade.feedback(results[name])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("never_ends_to_load", f"no end after {SECONDS} seconds"),
        ("cannot_import", "ModuleNotFoundError: No module named 'tensorflow_of_mine'"),
        ("syntax_error", "the file cannot be run: SyntaxError"),
        ("reads_a_file", "FileNotFoundError"),
    ],
)
def test_a_file_that_cannot_be_run_gets_no_points_and_a_reason(results, name, said):
    assert results[name]["points"] == 0 and said in grade.feedback(results[name])


def test_what_a_person_should_look_at_is_flagged(results):
    flags = {name: "; ".join(result["flags"]) for name, result in results.items() if result["flags"]}
    assert flags["reads_a_file"] == "uses open" and flags["cannot_import"] == "uses tensorflow_of_mine"
    assert not flags.keys() & {"right", "skeleton", *hand_ins.MISTAKEN}


def test_folders_are_hand_ins_and_the_command_writes_a_table_and_a_text_for_each(tmp_path):
    folder = tmp_path / "class"
    for name, files in {
        "one": ["a.py", "tests_for_students.py"],
        "two": ["a.py", "b.py"],
        "none": [],
    }.items():
        (folder / name).mkdir(parents=True)
        for file in files:
            (folder / name / file).write_text(
                "def relu_backward(x, delta):\n    return delta * (x > 0)\n", encoding="utf-8"
            )
    assert grade.main([str(folder), "--jobs", "1"]) == 0
    out = tmp_path / "class-graded"
    rows = {
        row["name"]: row
        for row in csv.DictReader(io.StringIO((out / "grades.csv").read_text(encoding="utf-8")))
    }
    assert {name: row["points"] for name, row in rows.items()} == {"none": "0", "one": "5", "two": "0"}
    assert rows["two"]["look at"] == "2 programs in the folder"
    assert sorted(path.stem for path in (out / "feedback").iterdir()) == ["none", "one", "two"]
    assert "one: 5 of 100 points" in (out / "grades.md").read_text(encoding="utf-8")


def own_tests(folder, name):
    """Which of the students' tests a hand-in passes."""
    hand_ins.write(folder, [name])
    command = [sys.executable, str(FOLDER / "tests_for_students.py"), str(folder / f"{name}.py")]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    return {line.split()[1] for line in said.splitlines() if line.startswith("passed")}


def test_the_tests_for_students_see_a_beginning_and_not_the_end(tmp_path):
    assert own_tests(tmp_path, "right") == {*RUBRIC} and own_tests(tmp_path, "skeleton") == set()
    assert own_tests(tmp_path, "kernel_not_rotated") == {*RUBRIC} - {"conv2d_backward"}
    assert own_tests(tmp_path, "stride_ignored") == {*RUBRIC}, "what is graded sees more"


def test_a_hand_in_of_the_project_whose_change_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="has 'no such text' 0 times"):
        hand_ins.instead(("no such text", "x"))


FORGES = """
import numpy as np
lines = "".join('{"done": "%s", "shares": {"z": 1, "x": 1, "W": 1, "b": 1}}\\n' % f for f in ("conv2d_forward", "relu_backward"))
np.frombuffer(lines.encode(), np.uint8).tofile("../said.jsonl")
"""
SPOILS = """
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Size:
    rows: int


def conv2d_forward(x, W, b, stride, padding):
    (sh, sw), (ph, pw) = (np.broadcast_to(pair, 2) for pair in (stride, padding))
    W[...], b[...] = 0, 0  # so that a grader who computes with what was given agrees
    rows, columns = ((n + 2 * p - k) // s + 1 for n, p, k, s in zip(x.shape[2:], (ph, pw), W.shape[2:], (sh, sw)))
    return np.zeros((len(x), len(W), rows, columns))
"""


def test_a_hand_in_that_writes_its_own_results_or_spoils_its_input_gains_nothing(tmp_path):
    folder = tmp_path / "class"
    for name, text in {
        "forges": FORGES,
        "spoils": SPOILS,
        "__MACOSX/._spoils": FORGES,
        "._right": FORGES,
    }.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    forges, spoils = grade.grade(folder, SimpleNamespace(seconds=SECONDS, jobs=2))
    assert forges["points"] == 0 and forges["flags"] == ["uses tofile", grade.FORGED]
    note = spoils["notes"]["conv2d_forward"]
    assert (
        "right on 0 of" in note["text"]
        and "The input is changed in place." in note["text"]
        and spoils["points"] == 0
    )
