"""Grade a folder of hand-ins: python assignment/grade.py FOLDER [--out FOLDER] [--seconds 60] [--jobs 2]

A hand-in is a Python file in FOLDER, or a folder in it with one. Written are grades.csv, a line each; grades.md, what was
found in each; and feedback/NAME.txt, which a student may read. The points stand in rubric.md.

Every hand-in runs in a process of its own, in an empty folder, and only its numbers come back: it is judged outside. One that does not
end, ends its process, prints without end, or raises an exception loses the points of the function that does it, and nothing else. On
Linux it is shut in; elsewhere it runs WITH YOUR RIGHTS, and the command says so.
"""

import argparse
import ast
import contextlib
import csv
import io
import itertools
import math
import multiprocessing
import os
import queue
import re
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REACHING = {
    "__import__",
    "open",
    "exec",
    "eval",
    "__builtins__",
    "tofile",
    "fromfile",
    "save",
    "savez",
    "savetxt",
    "memmap",
    "open_memmap",
    "load",
    "ctypeslib",
    "getattr",
    "globals",
    "vars",
    "compile",
    "__dict__",
    "__globals__",
    "__loader__",
    "__spec__",
    "__subclasses__",
}
HARMLESS = {"numpy", "math", "itertools", "functools", "collections", "typing", "dataclasses", "__future__"}
WIDE = 200  # letters of a message
LONG = 60  # letters of a name
LARGEST = 10**6  # bytes of a program
ROW = re.compile(r"\| `(\w+)` \| (\w+) \| (\d+) \|")


def rubric():
    """{function: {gradient: points}}, from rubric.md. SystemExit for a row that is none, or of no function of the skeleton."""
    found, skeleton = {}, (HERE / "skeleton.py").read_text(encoding="utf-8")
    for row in re.findall(r"^\| *`.*", (HERE / "rubric.md").read_text(encoding="utf-8"), re.MULTILINE):
        read = ROW.fullmatch(row.strip())
        if not read or f"\ndef {read[1]}(" not in skeleton:
            raise SystemExit(
                f"rubric.md wants rows of a function of skeleton.py such as '| `relu_backward` | dx | 5 |', points without decimals, got {row!r}"
            )
        found.setdefault(read[1], {})[read[2]] = int(read[3])
    return found


PROBE = b"def relu_backward(x, delta):\n    return delta * (x > 0)\n"
QUIET = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}  # for hand-ins, too
START = 60  # seconds for a process to begin and to judge


class Judge:
    """A process that judges, and runs no hand-in itself: each has a process below it."""

    def __init__(self):
        spawn = multiprocessing.get_context("spawn")
        self.ours, theirs = spawn.Pipe()
        self.process = spawn.Process(target=judging, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, seconds, *asked):
        """What judge.graded says of these arguments. RuntimeError where that fails; where no answer comes so soon, the process is ended."""
        said = "the process that judges it ended, or was stopped"
        try:
            self.ours.send(asked)
            if self.ours.poll(seconds):
                said = self.ours.recv()
        except (EOFError, OSError):
            pass
        if isinstance(said, str):
            self.end()
            raise RuntimeError(said)
        return said

    def end(self):
        """End the process."""
        self.process.kill()
        self.process.join()
        self.ours.close()


def judging(theirs):
    """In that process: what judge.graded says of what comes, or why it says nothing, until no more comes."""
    os.environ.update(QUIET)
    with contextlib.suppress(EOFError, OSError):
        while asked := theirs.recv():
            try:
                from judge import graded  # only here, for it imports NumPy, which reads these variables

                said = graded(*asked)
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
            theirs.send(said)


def hiding(folder):
    """(the folder that hand-ins must not see, or None where they are not shut in; why not), after a right function was judged so.
    SystemExit where it cannot be, either way: every hand-in would lose its points for that."""
    why = []
    for hidden in (str(Path(folder).resolve()), None):
        tried = Judge()
        try:
            notes, _ = tried.ask(2 * START, PROBE, ["relu_backward"], START, hidden)
            if notes["relu_backward"].get("shares") == {"dx": 1}:
                return hidden, "; ".join(why)
            why.append(str(notes))
        except RuntimeError as error:
            why.append(str(error))
        finally:
            tried.end()
    raise SystemExit(f"no hand-in is graded, since a right function cannot be: {why[-1]}")


def result(name, notes, flags):
    """{"name", "points", "parts", "notes", "flags"} of a hand-in. notes: what judge.py says, by function. SystemExit where it judges
    no such part as rubric.md has."""
    for function, points in rubric().items():
        shares = notes.get(function, {}).get("shares") or points
        if missing := points.keys() - shares.keys():
            raise SystemExit(
                f"rubric.md has {', '.join(missing)} of {function}, where {', '.join(shares)} can be judged"
            )
    parts = {
        (function, part): most * notes.get(function, {}).get("shares", {}).get(part, 0)
        for function, points in rubric().items()
        for part, most in points.items()
    }
    return {"name": name, "points": sum(parts.values()), "parts": parts, "notes": notes, "flags": flags}


def grade(folder, options):
    """The results of all hand-ins, in their order. options.hidden: as `hiding` says."""
    judges = queue.SimpleQueue()
    for _ in range(options.jobs):
        judges.put(Judge())
    with ThreadPoolExecutor(options.jobs) as threads:
        results = list(threads.map(lambda item: one(*item, judges, options), hand_ins(folder)))
    for _ in range(options.jobs):
        judges.get().end()
    return results


def one(name, program, judges, options):
    """The result of a hand-in, whatever it does to the process that judges it."""
    if isinstance(program, str):
        return result(name, {}, [program])
    try:
        with open(program, "rb") as file:
            program = file.read(LARGEST + 1)
    except OSError as error:
        return result(name, {}, [f"it cannot be read: {error.strerror}"])
    if len(program) > LARGEST:
        return result(name, {}, [f"it is longer than {LARGEST:,} bytes"])
    flags, why = flagged(program), ""
    asked = program, [*rubric()], options.seconds, options.hidden
    for _ in range(2):  # another hand-in may have ended that process
        judge = judges.get()
        try:
            notes, more = judge.ask((START + 2 * options.seconds) * (len(asked[1]) + 1), *asked)
            return result(name, notes, flags + more)
        except RuntimeError as error:
            why, judge = f"it could not be graded: {error}"[:WIDE], Judge()
        finally:
            judges.put(judge)
    return result(name, {}, [*flags, why])


def flagged(program):
    """What a person should look at: modules that the task does not need, and names that reach for the grader."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
        elif (name := getattr(node, "id", getattr(node, "attr", None))) in REACHING:
            names.add(name)
    strange = sorted(names - HARMLESS)
    return [f"uses {', '.join(strange)}"] if strange else []


def hand_ins(folder):
    """[(name, file or a sentence that says why there is none)], sorted by file."""
    found, taken = [], set()
    for path in sorted(Path(folder).iterdir()):
        if not path.name.startswith((".", "__")):  # what macOS and Jupyter put beside
            found.append((named(path, taken), program_of(path)))
            taken.add(found[-1][0].casefold())
    return found


def named(path, taken):
    """What a hand-in is called in the results: a name that a file and a table can have, and no other has, in capitals or not."""
    stem, whole = map(plain, (path.stem if ending(path) and not path.is_dir() else path.name, path.name))
    names = itertools.chain((stem, whole), (f"{stem} ({number})" for number in itertools.count(2)))
    return next(name for name in names if name.casefold() not in taken)


def plain(text):
    """A name without what ends a line or a fence of Markdown, and what a spreadsheet takes for a formula."""
    return "".join(c if c.isprintable() and c != "`" else "_" for c in text)[:LONG].lstrip("=+-@") or "_"


def program_of(path):
    """The program of a hand-in, or a sentence that says why there is none."""
    if path.is_symlink():
        return "a link, which is not followed"
    if not path.is_dir():
        return path if is_program(path) else "no Python file"
    programs = [p for p in sorted(path.rglob("*")) if is_program(p) and not hidden(p.relative_to(path))]
    programs = [p for p in programs if p.name != "tests_for_students.py"]
    return programs[0] if len(programs) == 1 else f"{len(programs)} programs in the folder"


def is_program(path):
    """Whether a path is that of a Python file, and no link."""
    return ending(path) and path.is_file() and not path.is_symlink()


def ending(path):
    """Whether a path ends as that of a Python file, in capitals or not."""
    return path.suffix.lower() == ".py"


def hidden(path):
    """Whether a part of a path begins as what macOS and Jupyter put into folders."""
    return any(part.startswith((".", "__")) for part in path.parts)


def figure(points):
    """Points without a needless decimal."""
    return f"{points:g}"


def as_csv(results):
    """A line for each hand-in."""
    functions, out = rubric(), io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["name", "points", *functions, "mistakes", "look at"])
    for result in results:
        per = [sum(v for (f, _), v in result["parts"].items() if f == function) for function in functions]
        mistakes = "; ".join(
            f"{f}: {m}" for f, note in result["notes"].items() for m in note.get("mistakes", ())
        )
        table.writerow(
            [result["name"], *map(figure, (result["points"], *per)), mistakes, "; ".join(result["flags"])]
        )
    return out.getvalue()


def feedback(result):
    """What a student may read: the points of each part, and what is wrong."""
    functions = rubric()
    most = sum(points for parts in functions.values() for points in parts.values())
    lines = [f"{result['name']}: {figure(result['points'])} of {most} points"]
    for function, parts in functions.items():
        shown = [
            f"{part} {figure(result['parts'][function, part])} of {points}" for part, points in parts.items()
        ]
        note = result["notes"].get(function, {})
        lines += ["", f"{function}: {', '.join(shown)}"]
        lines += [f"  {line}".rstrip() for line in note.get("text", note.get("error") or "").splitlines()]
    lines += (
        ["", *(f"For a person to look at: {flag}" for flag in result["flags"])] if result["flags"] else []
    )
    return "\n".join(lines) + "\n"


def above(kind):
    """For argparse: a number of this kind above 0."""

    def number(text):
        if not 0 < (value := kind(text)) < math.inf:
            raise ValueError
        return value

    number.__name__ = "number above 0" if kind is float else "whole number above 0"
    return number


def main(arguments=None):
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="of the hand-ins")
    parser.add_argument("--out", help="where the results go (FOLDER-graded)")
    parser.add_argument("--seconds", type=above(float), default=60, help="for each function (60)")
    parser.add_argument("--jobs", type=above(int), default=2, help="how many at a time (2)")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", SyntaxWarning)  # of programs that are only looked at
    folder = Path(os.path.abspath(options.folder))
    if not folder.is_dir() or not hand_ins(folder):
        raise SystemExit(
            f"{options.folder} holds no hand-ins: want a folder with Python files, or a folder for each"
        )
    options.hidden, options.why = hiding(folder)
    out = Path(options.out or f"{folder}-graded")
    try:
        (out / "feedback").mkdir(parents=True, exist_ok=True)
        (out / "grades.csv").touch()
    except OSError as error:
        raise SystemExit(f"the results cannot be written: {error}") from None
    results = grade(folder, options)
    (out / "grades.csv").write_text(as_csv(results), encoding="utf-8", errors="backslashreplace")
    texts = {result["name"]: feedback(result) for result in results}
    (out / "grades.md").write_text(
        "\n".join(f"```\n{text}```\n" for text in texts.values()),
        encoding="utf-8",
        errors="backslashreplace",
    )
    for name, text in texts.items():
        (out / "feedback" / f"{name}.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    print(
        "Hand-ins were shut in."
        if options.hidden
        else f"Hand-ins ran with your rights, not shut in: {options.why}"
    )
    print(f"{len(results)} hand-ins graded, see {out / 'grades.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
