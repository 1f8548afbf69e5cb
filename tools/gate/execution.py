"""Runs the cells of a notebook, one after the other: the one place that does, for tools/gate/notebooks.py and for pytest.

What a cell shows is taken from the kernel's messages as they come, those included that come when the cell has ended. The
kernel is shut in (tools/gate/sandbox.py), and is ended where a cell does not end, or shows too much.
"""

import ast
import time
from contextlib import ExitStack
from queue import Empty

import rules
import sandbox
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop
from nbformat import NotebookNode, ValidationError
from nbformat.v4 import output_from_msg

SECONDS_A_CELL = 300
SECONDS_TO_START = 60
SECONDS_TO_INTERRUPT = 5
SHOWN = ("stream", "display_data", "execute_result", "error", "update_display_data", "clear_output")
# What the kernel evaluates when a cell has ended well.
LEFT = {"left": "__import__('sys').modules['IPython'].get_ipython().left_running()"}


class CellError(Exception):
    """Why a cell has no outputs that count: a sentence; `outputs` are those that it showed, and `traceback` that of its
    exception, as text."""

    def __init__(self, words, outputs=()):
        super().__init__(words)
        self.outputs = list(outputs)
        lines = [line for output in self.outputs for line in output.get("traceback", [])]
        self.traceback = rules.clean("\n".join(lines))


class KernelEnded(CellError):
    """The same, where no other cell can run."""


class Execution:
    """A kernel for the notebook in `path`, in the surroundings of this number. It ends at the end of a `with` block."""

    def __init__(self, path, surroundings, seconds=SECONDS_A_CELL):
        self.seconds, self.shown = seconds, 0
        self.cells = []  # the name of each cell's request
        self.ending = ExitStack()
        self.ending.callback(ensure_event_loop().close)  # that jupyter_client will use, in this thread
        try:
            self.box = self.ending.enter_context(sandbox.sandbox(path, surroundings))
            self.manager = self.box.manager(KernelManager)
            self.manager.start_kernel(**self.box.start)
            self.ending.callback(self.manager.shutdown_kernel, now=True)
            self.client = self.manager.client()
            self.client.start_channels()
            self.ending.callback(self.client.stop_channels)
            self.client.wait_for_ready(timeout=SECONDS_TO_START)
        except RuntimeError as error:
            words = f"The kernel did not start: {error}. {self.box.last_words()}"
            self.ending.close()
            raise KernelEnded(words) from None
        except BaseException:
            self.ending.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending.close()

    def run(self, source):
        """The outputs of a cell, as the kernel sends them.

        Raises CellError where the cell fails, or where something that an earlier cell has started shows anything; and
        KernelEnded where it does not end in time, shows too much, ends the kernel, or leaves a thread or an alarm behind.
        """
        name = self.client.execute(source, allow_stdin=False, stop_on_error=False, user_expressions=LEFT)
        self.cells.append(name)
        outputs, late = [], []
        try:
            reply = self.until_idle(name, outputs, late)
            self.until_idle(self.client.kernel_info(), late, late)  # whether it still lives
        except KernelEnded as error:
            raise KernelEnded(str(error), [output for _, output in outputs]) from None
        problems = [
            f"{self.label(parent)} shows something after its end: {_said(output)}" for parent, output in late
        ]
        outputs = [output for _, output in outputs]
        if asked := reply.get("payload"):
            raise KernelEnded(f"The cell asks for {asked[0].get('source')}, as exit() does.", outputs)
        if any(output.output_type == "error" for output in outputs):
            raise CellError("Cell execution caused an exception.", outputs)
        if problems:
            raise CellError("\n".join(problems), outputs)
        left = reply["user_expressions"]["left"]
        if left["status"] != "ok":
            raise CellError(f"The cell hides what it leaves running: {left['evalue']}", outputs)
        with rules.ONE_AT_A_TIME:
            left = ast.literal_eval(left["data"]["text/plain"])
        if left:
            raise KernelEnded(
                f"The cell leaves running what may show or end something later: {', '.join(left)}.", outputs
            )
        return outputs

    def until_idle(self, name, outputs, others):
        """The reply to the request `name`, when the kernel is idle again. `outputs` gets what belongs to it, `others`
        what does not, each as (name of its request, output)."""
        end, interrupted, idle, reply, dead = time.monotonic() + self.seconds, False, False, None, False
        while not (idle and reply):
            if time.monotonic() > end:
                if interrupted:
                    self.end(f"Timeout of {self.seconds:g} seconds exceeded, and the interrupt was ignored.")
                interrupted, end = True, end + SECONDS_TO_INTERRUPT
                self.manager.interrupt_kernel()
            try:
                message = (
                    self.client.get_shell_msg(timeout=0.5) if idle else self.client.get_iopub_msg(timeout=0.5)
                )
            except Empty:
                if dead:  # for half a second in which nothing more has come of what it said before
                    self.end("The kernel died.")
                dead = not self.manager.is_alive()
                continue
            parent, kind, content = (
                message["parent_header"].get("msg_id"),
                message["msg_type"],
                message["content"],
            )
            if kind in SHOWN:
                self.shown += len(str(content))
                (outputs if parent == name else others).append((parent, _output(message)))
                if self.shown > sandbox.SHOWN:
                    self.end("The cell shows too much.")
            elif parent == name:
                idle = idle or kind == "status" and content["execution_state"] == "idle"
                reply = content if kind.endswith("_reply") else reply
        if interrupted:
            self.end(f"Timeout of {self.seconds:g} seconds exceeded.")
        return reply

    def end(self, words):
        """Ends the kernel. Raises KernelEnded with the words and with its last ones."""
        words = f"{words} {self.box.last_words()}"
        self.ending.close()
        raise KernelEnded(words)

    def label(self, name):
        """A cell by the name of its request."""
        return f"code cell {self.cells.index(name) + 1}" if name in self.cells else "what no cell has started"


def _output(message):
    try:
        return output_from_msg(message)
    except (
        ValueError,
        ValidationError,
    ):  # what no notebook may store: clear_output, update_display_data, no text where one must be
        return NotebookNode(output_type=message["msg_type"], **message["content"])


def _said(output):
    return rules.clean(str(output.get("text") or output.get("data") or output.get("evalue") or ""))[:200]
