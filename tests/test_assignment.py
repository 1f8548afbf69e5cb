"""The assignment: the grader gives the points of the rubric to right and to wrong hand-ins, and survives what students hand in."""

import csv
import io
import json
import os
import queue
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import hand_ins
import numpy as np
import pytest
from building import ROOT

FOLDER = ROOT / "assignment"
sys.path.insert(0, str(FOLDER))
import grade  # noqa: E402
import inside  # noqa: E402
import judge  # noqa: E402
import process  # noqa: E402

SECONDS = 5
RUBRIC = grade.rubric()
STORED = (FOLDER / "examples.csv").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """{name: result} of all hand-ins, graded together."""
    folder = tmp_path_factory.mktemp("hand_ins")
    hand_ins.write(folder, hand_ins.ALL | hand_ins.ATTACKS)
    (folder / "pries.py").write_text(hand_ins.PRYING.format(other=str(folder / "right.py")), encoding="utf-8")
    (folder / "__MACOSX").mkdir()
    for hidden in ("._right.py", "__MACOSX/._right.py"):
        (folder / hidden).write_bytes(b"what macOS puts beside a file")
    return graded(folder, SECONDS)


def graded(folder, seconds):
    """{name: result} of the hand-ins in a folder."""
    options = SimpleNamespace(seconds=seconds, jobs=3, hidden=grade.hiding(folder)[0])
    return {r["name"]: r | {"hidden": options.hidden} for r in grade.grade(folder, options)}


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
    assert grade.as_csv(results[name] for name in sorted(hand_ins.ALL)) == STORED


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
        ("begins_with_empty", {("conv2d_backward", "dx"): 10, ("conv2d_backward", "dW"): 6, ("conv2d_backward", "db"): 4}, ["np.empty or random numbers in place of zeros"]),
        ("adds_to_the_call_before", {("dense_backward", "dx"): 2, ("dense_backward", "dW"): 2, ("dense_backward", "db"): 1}, ["gradient accumulated over calls"]),
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
    assert flags["reads_a_file"] == "uses open; the file cannot be run: FileNotFoundError"
    assert flags["cannot_import"] == "uses tensorflow_of_mine; the file cannot be run: ModuleNotFoundError"
    assert flags["syntax_error"] == "the file cannot be run: SyntaxError"
    reached = b"vars(np)['__buil' 'tins__']['__imp' 'ort__']('cnnlib')"
    assert grade.flagged(reached) == ["uses vars"]
    assert not flags.keys() & {"right", "skeleton", *hand_ins.MISTAKEN}
    assert flags["spoils_cnnlib"] == "uses cnnlib, sys, types"


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


RELU = "def relu_backward(x, delta):\n    return delta * (x > 0)\n"


def test_no_hand_in_is_lost_and_none_takes_the_place_of_another(tmp_path):
    folder = tmp_path / "class"
    (folder / "anna").mkdir(parents=True)
    for name in ("anna/a.py", "anna.py", "Bob.PY", "l" * 240 + ".py", "bob.ipynb", "=1+1`.py"):
        (folder / name).write_text(RELU, encoding="utf-8")
    (folder / "huge.py").write_text(RELU + "#" * grade.LARGEST, encoding="utf-8")
    (folder / "folder.py").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.py")
        for name, target in {
            "up": tmp_path,
            "other.py": folder / "anna.py",
            "loop.py": folder / "loop.py",
        }.items():
            (folder / name).symlink_to(target)
    assert grade.main([str(folder), "--jobs", "1", "--seconds", "9"]) == 0
    out = tmp_path / "class-graded"
    rows = list(csv.DictReader(io.StringIO((out / "grades.csv").read_text(encoding="utf-8"))))
    found = {row["name"]: (row["points"], row["look at"]) for row in rows}
    right, none = ("5", ""), ("0", "no Python file")
    assert found.items() >= {
        "anna": right, "anna.py": right, "Bob": right, "bob.ipynb": none, "l" * grade.LONG: right, "1+1_": right,
        "huge": ("0", "it is longer than 1,000,000 bytes"), "folder.py": ("0", "0 programs in the folder"),
    }.items()  # fmt: skip
    if hasattr(os, "mkfifo"):
        assert found["pipe"] == none
        assert {found[name][1] for name in ("up", "other", "loop")} == {"a link, which is not followed"}
    assert len(found) == len(rows) == len([*folder.iterdir()])
    assert {path.stem for path in (out / "feedback").iterdir()} == found.keys()


def test_names_are_told_apart_where_capitals_do_not_count():
    taken = set()
    for name in ("Bob.py", "bob.py", "BOB.py"):
        taken.add(grade.named(Path("class", name), taken).casefold())
    assert len(taken) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{folder}/none"], "none holds no hand-ins: want a folder with Python files"),
        (["{folder}/class/one.py"], "one.py holds no hand-ins: want a folder"),
        (["{folder}/empty"], "empty holds no hand-ins: want a folder"),
        (["{folder}/class", "--out", "{folder}/class/one.py"], "the results cannot be written: .*one.py"),
        (["{folder}/class", "--jobs", "0"], "--jobs: invalid whole number above 0 value: '0'"),
        (["{folder}/class", "--seconds", "nan"], "--seconds: invalid number above 0 value: 'nan'"),
    ],
)
def test_a_command_that_cannot_be_done_says_what_it_wants_before_anything_is_graded(
    tmp_path, capsys, monkeypatch, arguments, said
):
    for name in ("class", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "class" / "one.py").write_text(RELU, encoding="utf-8")
    monkeypatch.setattr(grade, "hiding", lambda folder: (None, "not asked"))
    monkeypatch.setattr(grade, "grade", lambda *_: pytest.fail("it grades"))
    with pytest.raises(SystemExit) as ended:
        grade.main([argument.format(folder=tmp_path) for argument in arguments])
    assert re.search(said, f"{ended.value} {capsys.readouterr().err}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("`relu_backward` | dx | 5", "`relu_backward` | dx | 5.5", "points without decimals, got .*5.5"),
        ("`relu_backward` |", "`relu_backwards` |", "of a function of skeleton.py"),
        ("`relu_backward` | dx", "`relu_backward` | dz", "has dz of relu_backward, where dx can be judged"),
    ],
)
def test_a_rubric_that_nobody_could_get_points_by_is_refused(tmp_path, monkeypatch, old, new, said):
    for name in ("rubric.md", "skeleton.py"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(grade, "HERE", tmp_path)
    with pytest.raises(SystemExit, match=said):
        grade.result("one", {"relu_backward": {"shares": {"dx": 1}}}, [])


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


def test_an_attack_gets_no_points(results):
    assert {results[name]["points"] for name in hand_ins.ATTACKS} == {0}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("looks_for_results", "dx is wrong on 4 of 5 inputs"),
        ("spoils_comparisons", "dx is wrong on 4 of 5 inputs"),
        ("spoils_cnnlib", "dx is wrong on 4 of 5 inputs"),
        ("prints_results", "dx is wrong on 4 of 5 inputs"),
        ("writes_results_everywhere", process.GARBAGE),
        ("changes_what_is_sent", process.GARBAGE),
        ("says_that_it_is_right_and_ends", process.GARBAGE),
        ("floods_its_pipe", process.GARBAGE),
        ("returns_a_pickle", "returned Bomb"),
        ("raises_what_is_no_name", "Forged:  ''' right: 100 of 100 points"),
        ("raises_what_is_named_as_a_result", "Forged ''' right: 100 of 100 points"),
        ("closes_its_pipes", "its process ended"),
        ("returns_too_much", "an array of shape (10000000,) came back, want a few numbers"),
        ("changes_its_input_too", "right on 0 of"),
        ("changes_its_input_too", "The input is changed in place."),
    ],
)
def test_what_became_of_an_attack_is_said(results, name, said):
    assert said in grade.feedback(results[name])


def test_a_hand_in_that_is_shut_in_sees_no_other_and_reaches_nothing(results):
    if results["pries"]["hidden"] is None:
        pytest.skip("this system shuts no hand-in in")
    assert "RuntimeError: its own file written\n" in grade.feedback(results["pries"])


@pytest.mark.parametrize(
    ("works", "hidden", "why"),
    [((True, True), "the folder", ""), ((False, True), None, "no name spaces"), ((False, False), None, None)],
)
def test_hand_ins_are_shut_in_where_a_right_one_can_be(monkeypatch, tmp_path, works, hidden, why):
    class Judge:
        def ask(self, seconds, program, functions, limit, hidden):
            if not works[hidden is None]:
                raise RuntimeError("no name spaces")
            return {"relu_backward": {"shares": {"dx": 1}}}, []

        def end(self):
            pass

    monkeypatch.setattr(grade, "Judge", Judge)
    if why is None:
        with pytest.raises(
            SystemExit, match="no hand-in is graded, since a right function cannot be: no name spaces"
        ):
            grade.hiding(tmp_path)
    else:
        assert grade.hiding(tmp_path) == (hidden and str(tmp_path.resolve()), why)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_what_ends_its_judge_stops_nobody_even_where_it_is_not_shut_in(tmp_path):
    judges, options = queue.SimpleQueue(), SimpleNamespace(seconds=SECONDS, hidden=None)
    judges.put(grade.Judge())
    found = []
    for text in (hand_ins.ATTACKS["ends_its_parent"].encode(), grade.PROBE):
        (path := tmp_path / "one.py").write_bytes(text)
        found.append(grade.one("one", path, judges, options))
    assert [result["points"] for result in found] == [0, 5] and not found[1]["flags"]
    assert "the process that judges it ended" in grade.feedback(found[0])
    judges.get().end()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_a_process_that_keeps_the_pipe_open_is_not_waited_for():
    program = hand_ins.ATTACKS["leaves_a_process_behind"].encode()
    notes, flags = judge.graded(program, ["relu_backward"], 1.5, None)
    assert flags == ["relu_backward: no end after 1.5 seconds"]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs processes that stop")
def test_a_judge_that_was_stopped_is_ended():
    judge = grade.Judge()
    os.kill(judge.process.pid, signal.SIGSTOP)
    with pytest.raises(RuntimeError, match="ended, or was stopped"):
        judge.ask(0.1, b"", [], 1, None)
    assert not judge.process.is_alive()


def test_nothing_is_graded_where_cnnlib_cannot_be_imported(tmp_path):
    (tmp_path / "other" / "cnnlib").mkdir(parents=True)
    (tmp_path / "other" / "cnnlib" / "__init__.py").write_text(
        "raise ImportError('half installed')\n", encoding="utf-8"
    )
    (tmp_path / "class").mkdir()
    hand_ins.write(tmp_path / "class", ["right"])
    command = [sys.executable, str(FOLDER / "grade.py"), str(tmp_path / "class")]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "other")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "no hand-in is graded" in done.stderr and "half installed" in done.stderr
    assert not (tmp_path / "class-graded").exists()


def test_nothing_is_graded_where_no_program_runs(monkeypatch):
    monkeypatch.setattr(process, "INSIDE", "no_such_file.py")
    with pytest.raises(process.Unable, match="no program can be run here: .*no_such_file.py"):
        process.HandIn(hand_ins.RIGHT.encode(), SECONDS)


@pytest.mark.parametrize(
    "value",
    [None, 3, "text", (1.5, None), {"dx": np.arange(6).reshape(2, 3)}, [[1, 2], [3, 4]], np.float32(2)],
)
def test_what_is_packed_comes_back(value):
    packed = json.loads(json.dumps(inside.packed(value)))
    np.testing.assert_equal(inside.unpacked(packed), value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"dtype": "|O", "shape": [1], "bytes": "00" * 8},
        {"dtype": "<f8", "shape": [10**9, 0], "bytes": ""},
        {"dtype": "<f8", "shape": [3], "bytes": "00" * 8},
        {"dtype": ["<f8"], "shape": 3, "bytes": ""},
        {"tuple": 3},
        {"other": ["no\0name", ""]},
    ],
)
def test_what_nobody_packed_is_refused(value):
    with pytest.raises((KeyError, TypeError, ValueError)):
        inside.unpacked(value)
