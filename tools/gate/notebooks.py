"""Runs the book's notebooks and stores them in one form, so that running them again changes no byte.

    python tools/gate/notebooks.py run   [-j N] [book/lenet.ipynb ...]    execute in place
    python tools/gate/notebooks.py check [-j N] [book/lenet.ipynb ...]    execute copies, show what differs

Without names it takes every notebook under book/. The exit code is 1 where a cell fails, where the gate
refuses an output, and for `check` where a file is not byte for byte what a run gives. A refused notebook is
left as it was.
"""

import argparse
import asyncio
import copy
import difflib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rules
import frames_again
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from sandbox import SHOWN, font_cache, refused, sandbox

ROOT = Path(__file__).resolve().parents[2]
SECONDS_A_CELL = 300


class NotebookError(Exception):
    """Why a notebook is not stored: a sentence a line, each with the notebook's and the cell's name."""


class Client(NotebookClient):
    """nbclient's, which gives up a kernel that shows more than sandbox.SHOWN."""

    shown = 0

    def process_message(self, msg, cell, cell_index):
        """One message of the kernel."""
        self.shown += len(str(msg["content"]))
        if self.shown > SHOWN:
            self.task_poll_for_reply.cancel()  # as nbclient does where a kernel dies
        return super().process_message(msg, cell, cell_index)


def execute(path):
    """The notebook in `path` as a run from the top gives it, normalised. The file is not changed.

    Raises NotebookError where the file is no notebook, a cell fails, the gate refuses a source or output, or Frames
    do not draw what they show once all cells have run.
    """
    try:
        notebook = rules.read(path)
    except (OSError, ValueError) as error:
        raise NotebookError(error) from None
    _refuse(path, rules.sources(notebook))
    notebook.cells.append(last := frames_again.cell())
    with sandbox(path) as box:
        client = Client(
            notebook,
            km=box.manager(AsyncKernelManager),
            timeout=SECONDS_A_CELL,
            startup_timeout=60,
            iopub_timeout=60,
            raise_on_iopub_timeout=True,
            shutdown_kernel="immediate",
            ipython_hist_file="",  # an argument that pytest's kernels would not have
            store_widget_state=False,
            record_timing=False,
        )
        try:
            asyncio.run(client.async_execute(**box.start, cleanup_kc=True))
        except (CellExecutionError, CellTimeoutError, RuntimeError) as error:
            words = f"{error}. {box.last_words()}" if isinstance(error, RuntimeError) else str(error)
            after = client.code_cells_executed == sum(cell.cell_type == "code" for cell in notebook.cells)
            cell = "after the last cell" if after else f"code cell {client.code_cells_executed}"
            raise NotebookError(f"{path}, {cell}: {rules.clean(words)}") from None
    notebook.cells.pop()
    notebook = normalise(notebook)
    _refuse(path, rules.structure(notebook))
    problems = rules.compare(frames_again.wanted(notebook), last.outputs)
    _refuse(path, [f"after the last cell: {problem}" for problem in problems])
    return notebook


def _refuse(path, problems):
    if problems:
        raise NotebookError("\n".join(f"{path}, {problem}" for problem in problems))


def normalise(notebook):
    """The executed notebook in its stored form: fixed metadata, ids that follow from the cells' sources,
    counts from 1, outputs as rules.normalise gives them."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(rules.METADATA)
    run = 0
    for cell, cell.id in zip(notebook.cells, rules.ids(notebook)):
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in rules.CELL_METADATA}
        if cell.cell_type == "code":
            run += 1
            cell.execution_count = run
            cell.outputs = rules.normalise(cell.outputs)
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = run
    return nbformat.from_dict(notebook)


def serialise(notebook):
    """The bytes of the notebook's file: sorted keys, one trailing newline."""
    return (nbformat.v4.writes(notebook) + "\n").encode()


def run(path):
    """Executes the notebook in `path` in place; returns a word on what became of it.

    Raises NotebookError as `execute` does, and then has changed nothing.
    """
    path = Path(path)
    fresh = serialise(execute(path))
    if fresh == path.read_bytes():
        return "unchanged"
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(fresh)
    os.replace(part, path)
    return "written"


def check(path):
    """Executes a copy of the notebook in `path`; raises NotebookError unless the file is byte for byte what
    it gives."""
    verify(path, execute(path))
    return "unchanged"


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
    font_cache()  # once, like the next, before the threads ask for it
    refused()
    code = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for path, job in [(path, pool.submit(work, path)) for path in notebooks]:
            try:
                print(f"{path}: {job.result()}", flush=True)
            except NotebookError as error:
                print(error, file=sys.stderr, flush=True)
                code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
