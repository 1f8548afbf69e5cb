"""Grade a folder of hand-ins: python assignment/grade.py FOLDER [--out FOLDER] [--seconds 60] [--jobs 2]

A hand-in is a Python file in FOLDER, or a folder in it with one. Written are grades.csv, a line each; grades.md, what was
found in each; and feedback/NAME.txt, which a student may read. The points stand in rubric.md.

Every hand-in runs in a process of its own, in an empty folder. One that does not end, ends its process, prints without end, or
raises an exception loses the points of the function that does it, and nothing else. It runs WITH YOUR RIGHTS, so run
this where strangers' programs may run: CONTRIBUTING.md has the lines for a sandbox on Linux.
"""

import argparse
import ast
import contextlib
import csv
import io
import hmac
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import types
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
    "ctypeslib",
}
HARMLESS = {"numpy", "math", "itertools", "functools", "collections", "typing", "dataclasses", "__future__"}
LOAD, WIDE = "the file", 100
START = 60  # seconds for Python and cnnlib themselves


def rubric():
    """{function: {gradient: points}}, from rubric.md."""
    found = {}
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (\d+) \|$", (HERE / "rubric.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    for function, part, points in rows:
        found.setdefault(function, {})[part] = int(points)
    return found


# In the process of a hand-in.


def worker(path, said, functions):
    """Judge these functions of a file, and write a line before and after each into the file `said`."""
    from judge import judged  # only here: it imports cnnlib, and the numbers of threads must be set before

    limited()
    key = sys.stdin.readline().strip()
    with open(said, "a", encoding="utf-8") as out:

        def say(**what):
            line = json.dumps(what)
            out.write(f"{signature(line, key)} {line}\n")
            out.flush()

        sys.argv[1:] = []
        sys.stdout = sys.stderr = Silence()
        say(begun=LOAD)
        module, error = types.ModuleType("hand_in"), None
        module.__file__, sys.modules["hand_in"] = path, module  # where dataclasses look for it
        space = vars(module)
        try:
            code = compile(Path(path).read_bytes(), path, "exec")
            exec(code, space)
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"[:WIDE]
        say(done=LOAD, error=error)
        for function in functions if not error else ():
            say(begun=function)
            say(done=function, **judged(space.get(function), function))


def signature(line, key):
    """What only the grader can put before a line: a hand-in may find the file, and write into it."""
    return hmac.new(key.encode(), line.encode(), "sha256").hexdigest()


def limited():
    """Take no more than 4 GB of memory, and write no file of more than 100 MB, where the system can say so."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in ((resource.RLIMIT_AS, 4 << 30), (resource.RLIMIT_FSIZE, 100 << 20)):
        with contextlib.suppress(ValueError, OSError):  # macOS knows no RLIMIT_AS
            resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


class Silence(io.TextIOBase):
    """Where what a hand-in prints goes."""

    def write(self, text):
        """Nothing is kept."""
        return len(text)


# In the process of the grader.


def graded(name, program, options):
    """{"name", "points", "parts", "notes", "flags"} of a hand-in."""
    wanted, found, flags = rubric(), {}, flagged(program)
    while left := [function for function in wanted if function not in found]:
        results, begun, ended = attempt(program, left, options.seconds)
        found |= results
        if ended is None:
            flags += sorted({result["error"] for result in results.values() if result.get("error") == FORGED})
            break
        lost = left if begun == LOAD else [begun]
        found |= {function: {"error": ended} for function in lost}
        flags += [f"{begun}: {ended}"]
    parts = {}
    for function, points in wanted.items():
        shares = found[function].get("shares", {})
        parts |= {(function, part): most * shares.get(part, 0) for part, most in points.items()}
    return {
        "name": name,
        "points": sum(parts.values()),
        "parts": parts,
        "notes": found,
        "flags": flags,
    }


FORGED = "something else than the grader wrote into its results"


def attempt(program, functions, seconds):
    """({function: result}, what had begun last, why it ended early or None) of a process that judges these functions."""
    with tempfile.TemporaryDirectory() as folder:
        box, said = Path(folder, "box"), Path(folder, "said.jsonl")
        box.mkdir()
        said.touch()
        copy = box / "hand_in.py"
        copy.write_bytes(program.read_bytes())
        quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(
            [sys.executable, str(HERE / "grade.py"), "--inside", str(copy), str(said), *functions],
            cwd=box,
            env=os.environ | quiet,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        key = secrets.token_hex(16)
        size, since = -1, time.monotonic()
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(f"{key}\n".encode())
            while process.poll() is None and time.monotonic() - since < (seconds if size > 0 else START):
                if said.stat().st_size != size:
                    size, since = said.stat().st_size, time.monotonic()
                time.sleep(0.02)
            status = process.poll()
        finally:
            end(process)
        whole = said.read_text(encoding="utf-8", errors="replace").rpartition("\n")[0].split("\n")
    signed = [line.partition(" ")[::2] for line in whole]
    lines = [
        json.loads(line)
        for mark, line in signed
        if hmac.compare_digest(mark.encode(), signature(line, key).encode())
    ]
    if len(lines) < len([line for line in whole if line]):
        return {function: {"error": FORGED} for function in functions}, "", None
    results = {line.pop("done"): line for line in lines if "done" in line}
    loaded = results.pop(LOAD, {})
    if loaded.get("error"):
        return (
            {function: {"error": f"the file cannot be run: {loaded['error']}"} for function in functions},
            LOAD,
            None,
        )
    if results.keys() == {*functions}:
        return results, "", None
    begun = ([LOAD] + [line["begun"] for line in lines if "begun" in line])[-1]
    return results, begun, "its process ended" if status is not None else f"no end after {seconds:g} seconds"


def end(process):
    """End a process, and on systems that have sessions what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended by itself
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
    process.wait()


def flagged(program):
    """What a person should look at: modules that the task does not need, and names that reach for the grader."""
    try:
        tree = ast.parse(program.read_bytes())
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
    """[(name, file or a sentence that says why there is none)], sorted."""
    found = []
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith((".", "__")):  # what macOS and Jupyter put beside
            continue
        if path.suffix == ".py" and path.is_file():
            found.append((path.stem, path))
        elif path.is_dir():
            programs = [p for p in sorted(path.rglob("*.py")) if p.name != "tests_for_students.py"]
            programs = [p for p in programs if not hidden(p.relative_to(path))]
            one = programs[0] if len(programs) == 1 else f"{len(programs)} programs in the folder"
            found.append((path.name, one))
    return found


def hidden(path):
    """Whether a part of a path begins as what macOS and Jupyter put into folders."""
    return any(part.startswith((".", "__")) for part in path.parts)


def grade(folder, options):
    """The results of all hand-ins, in their order."""

    def one(item):
        name, program = item
        if not isinstance(program, str):
            try:
                return graded(name, program, options)
            except Exception as error:  # what one hand-in does must not stop the others
                program = f"it could not be graded: {type(error).__name__}: {error}"[:WIDE]
        parts = {(function, part): 0 for function, points in rubric().items() for part in points}
        return {"name": name, "points": 0, "parts": parts, "notes": {}, "flags": [program]}

    with ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(one, hand_ins(folder)))


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


def main(arguments=None):
    """The command."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--inside"]:
        return worker(*arguments[1:3], arguments[3:])
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="of the hand-ins")
    parser.add_argument("--out", help="where the results go (FOLDER-graded)")
    parser.add_argument("--seconds", type=float, default=60, help="for each function (60)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    options = parser.parse_args(arguments)
    results = grade(options.folder, options)
    out = Path(options.out or f"{options.folder.rstrip(os.sep)}-graded")
    (out / "feedback").mkdir(parents=True, exist_ok=True)
    (out / "grades.csv").write_text(as_csv(results), encoding="utf-8", errors="backslashreplace")
    texts = {result["name"]: feedback(result) for result in results}
    (out / "grades.md").write_text(
        "\n".join(f"```\n{text}```\n" for text in texts.values()),
        encoding="utf-8",
        errors="backslashreplace",
    )
    for name, text in texts.items():
        (out / "feedback" / f"{name}.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    print(f"{len(results)} hand-ins graded, see {out / 'grades.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
