"""Runs the book's notebooks and stores them in one form, so that running them again changes no byte.

    python tools/gate/notebooks.py run   [-j N] [book/lenet.ipynb ...]    execute in place
    python tools/gate/notebooks.py check [-j N] [book/lenet.ipynb ...]    execute copies, show what differs

Without names it takes every notebook under book/; one of an older format is brought to the stored one. `run` executes it
twice, and the second time much is otherwise that no output may depend on. The exit code is 1 where a cell fails, where the
gate refuses an output, where the two runs differ, and for `check` where a file is not byte for byte what a run gives. A
refused notebook is left as it was.
"""

import argparse
import copy
import difflib
import os
import shutil
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import execution
import last_cell
import nbformat
import rules
import sandbox

ROOT = Path(__file__).resolve().parents[2]
OTHERWISE = "a second run, with another hash seed, locale, time zone, folder, width of the terminal and number of threads, differs"


class NotebookError(Exception):
    """Why a notebook is not stored: a sentence a line, each with the notebook's and the cell's name."""


def execute(path, surroundings=sandbox.STORED, older=False):
    """The notebook in `path` as a run from the top gives it, normalised; with `older` one of an older format, too. The file
    is not changed.

    Raises NotebookError where the file is no notebook, a cell fails, the gate refuses a source or output, or Frames
    do not draw what they show once all cells have run.
    """
    try:
        notebook = rules.read(path, older)
    except (OSError, ValueError) as error:
        raise NotebookError(error) from None
    _refuse(path, rules.sources(notebook))
    label = "before the first cell"
    try:
        with execution.Execution(path, surroundings) as kernel:
            cells = [
                (label, cell)
                for label, cell in zip(rules.labels(notebook), notebook.cells)
                if cell.cell_type == "code"
            ]
            for label, cell in cells:
                if rules.validated(cell):
                    cell.outputs = kernel.run(cell.source)
                    _refuse(path, [f"{label}, {problem}" for problem in rules.unseen(cell.outputs)])
            label, last = "after the last cell", last_cell.cell(notebook)
            problems = [
                f"{label}: {problem}" for problem in rules.compare(last.outputs, kernel.run(last.source))
            ]
            for label, cell in cells:
                if not rules.validated(cell):
                    problems += [
                        f"{label}: {problem}" for problem in rules.only_prints(kernel.run(cell.source))
                    ]
    except (execution.CellError, OSError) as error:
        raise NotebookError(
            "\n".join(filter(None, [f"{path}, {label}: {error}", getattr(error, "traceback", "")]))
        ) from None
    _refuse(path, problems)
    notebook = normalise(notebook)
    _refuse(path, rules.structure(notebook))
    return notebook


def _refuse(path, problems):
    if problems:
        raise NotebookError("\n".join(f"{path}, {problem}" for problem in problems))


def normalise(notebook):
    """The executed notebook in its stored form: fixed metadata, cells folded in Jupyter as on their page, ids that
    follow from the cells' sources, counts from 1, outputs as rules.normalise gives them, none of a cell that is not validated."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(rules.METADATA)
    run = 0
    for cell, cell.id in zip(notebook.cells, rules.ids(notebook)):
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in rules.CELL_METADATA}
        cell.metadata.pop("jupyter", None)
        if folds := rules.folded(cell):
            cell.metadata["jupyter"] = folds
        if cell.cell_type == "code":
            run += 1
            cell.execution_count = run
            cell.outputs = rules.normalise(cell.outputs) if rules.validated(cell) else []
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = run
    return nbformat.from_dict(notebook)


def serialise(notebook):
    """The bytes of the notebook's file: sorted keys, one trailing newline."""
    return (nbformat.v4.writes(notebook) + "\n").encode()


def run(path):
    """Executes the notebook in `path` twice, and stores the first run in place; returns a word on what became of it.

    Raises NotebookError as `execute` does and where the runs differ, and then has changed nothing.
    """
    path = Path(path)
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(execute, path, number, older=True) for number in (sandbox.STORED, sandbox.OTHER)]
    stored, other = runs[0].result(), runs[1]
    try:
        differ(path, stored, other.result())
    except NotebookError as error:
        raise NotebookError(f"{path}: {OTHERWISE}\n{error}") from None
    fresh = serialise(stored)
    if fresh == path.read_bytes():
        return "unchanged"
    path = path.resolve()  # a link stays one
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(fresh)
        shutil.copymode(path, part)
        os.replace(part, path)
    except OSError as error:
        raise NotebookError(f"{path}: cannot be written: {error}") from None
    return "written"


def check(path):
    """Executes a copy of the notebook in `path`; raises NotebookError unless the file is byte for byte what
    it gives."""
    verify(path, execute(path, sandbox.OTHER))
    return "unchanged"


def differ(path, stored, fresh):
    """Raises NotebookError, naming cells, where two runs of a notebook gave other outputs."""
    cells = zip(rules.labels(stored), stored.cells, fresh.cells)
    _refuse(
        path,
        [
            f"{label}: {problem}"
            for label, one, other in cells
            for problem in rules.compare(one.get("outputs", []), other.get("outputs", []))
        ],
    )


def verify(path, fresh):
    """Raises NotebookError, naming cells and lines, unless the file in `path` holds the notebook `fresh`."""
    old, new = Path(path).read_bytes(), serialise(fresh)
    if old == new:
        return
    problems = []
    for label, before, after in zip(rules.labels(fresh), rules.read(path).cells, fresh.cells):
        if before != after:
            found = rules.compare(before.get("outputs", []), after.get("outputs", []))
            problems += [f"{path}, {label}: {problem}" for problem in found or ["not as a run writes it"]]
    old, new = (data.decode().splitlines() for data in (old, new))
    lines = [line[:160] for line in difflib.unified_diff(old, new, "stored", "executed", n=1, lineterm="")]
    if len(lines) > 60:
        lines[60:] = [f"... and {len(lines) - 60} more lines"]
    raise NotebookError("\n".join([*(problems or [f"{path}: not as a run writes it"]), *lines]))


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["run", "check"])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument(
        "-j", "--jobs", type=int, default=1, metavar="N", help="notebooks at a time (default: 1)"
    )
    options = parser.parse_intermixed_args(arguments)  # names may follow -j
    notebooks = options.notebooks or [page for page in rules.page_sources(ROOT) if page.suffix == ".ipynb"]
    if not notebooks:
        parser.error(f"no notebook under {ROOT / 'book'}")
    work = {"run": run, "check": check}[options.command]
    sandbox.font_cache()  # once, like the next, before the threads ask for it
    sandbox.refused()
    code = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for path, job in [(path, pool.submit(work, path)) for path in notebooks]:
            try:
                print(f"{path}: {job.result()}", flush=True)
            except NotebookError as error:
                words, code = str(error), 1
            except Exception:  # of this tool itself: the other notebooks are judged all the same
                words, code = f"{path}: {traceback.format_exc()}", 1
            else:
                continue
            print(words.encode(errors="backslashreplace").decode(), file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
