"""The pytest plugin that makes nbval strict: pyproject.toml loads it for every run.

nbval executes each cell and compares text. It does not see a changed picture, an output of another type or in
another place, metadata, or a notebook whose outputs were stripped, and cells may tell it to look away. So
each cell is also judged by rules.compare, from the kernel's messages as they came, and each notebook has two
more tests: "structure", that executes nothing, and "frames", after the last cell.
"""

import copy
import math
import time
from collections import deque
from contextlib import ExitStack
from queue import Empty

import rules
import frames_again
import pytest
import contents
from jupyter_client.manager import KernelManager
from nbformat import from_dict
from nbformat.v4 import output_from_msg
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile
from sandbox import SHOWN, refused, sandbox

LOOSER = ("nbval_lax", "nbval_sanitize_with", "sanitize_with", "nbval_kernel_name", "nbdime")
ALWAYS = {"skip": False, "check": True, "check_exception": False}
OUTPUTS = ("stream", "display_data", "execute_result", "error", "update_display_data", "clear_output")
SECONDS_TO_INTERRUPT = 5


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Refuses to run with less than nbval in full."""
    given = [f"--{name.replace('_', '-')}" for name in LOOSER if config.getoption(name)]
    if given or not config.getoption("nbval"):
        raise pytest.UsageError(
            f"notebooks are validated with --nbval and without {', '.join(given) or 'exceptions'}"
        )


def pytest_report_header():
    """Says how far the notebooks are shut in: that depends on the system."""
    why = refused()
    return f"notebooks: shut in by Python alone ({why})" if why else "notebooks: shut in by Python and Linux"


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(parent):
    """Puts a NotebookFile in the place of each file that nbval finds."""
    found = yield
    for i, file in enumerate(found):
        if isinstance(file, IPyNbFile):
            found[i] = NotebookFile.from_parent(parent, path=file.path)
    return found


class NotebookFile(IPyNbFile):
    """A notebook: nbval's tests of its cells, one of its structure, and one of its frames."""

    over = ""  # the cell, if any, after which the kernel can run no other

    def collect(self):
        """The test of the structure, those of the cells, that of the frames."""
        yield Structure.from_parent(self, name="structure")
        cells = list(super().collect())
        for cell in cells:
            yield self.test(cell.name, cell.cell_num, cell.cell)
        last = frames_again.cell()
        last.execution_count = len(cells) + 1
        last.outputs = frames_again.wanted(self.nb)
        yield self.test("frames", len(cells), last)

    def test(self, name, number, cell):
        """The test of a cell."""
        return NotebookCell.from_parent(self, name=name, cell_num=number, cell=cell, options=ALWAYS)

    def setup(self):
        """Starts the kernel."""
        option = self.config.option
        self.kernel = Kernel(self.path, option.nbval_kernel_startup_timeout, option.nbval_cell_timeout)

    def teardown(self):
        """Stops the kernel."""
        if self.kernel:
            self.kernel.stop()

    def get_kernel_message(self, timeout=None, stream="iopub"):
        """nbval's reading, which also keeps each output as it came, before nbval merges or drops any."""
        message = super().get_kernel_message(timeout, stream)
        if message["msg_type"] in OUTPUTS:
            self.shown.append(message)
        return message


class KernelDied(Exception):
    """A kernel ended by itself."""


class Kernel(RunningKernel):
    """The kernel that the notebook tool also starts. nbval waits for one that has died, and listens to one
    that does not stop talking: this one ends both."""

    def __init__(self, notebook, startup_seconds, cell_seconds):
        self.cell_seconds, self.deadline = cell_seconds, math.inf
        self.early, self.shown = deque(), 0
        self.ending = ExitStack()
        self.sandbox = self.ending.enter_context(sandbox(notebook))
        self.km = self.sandbox.manager(KernelManager)
        self.km.start_kernel(**self.sandbox.start)
        self.kc = self.km.client()
        self.kc.start_channels()
        try:
            self.kc.wait_for_ready(timeout=startup_seconds)
            self._ensure_iopub_up()
        except RuntimeError as error:
            words = self.sandbox.last_words()
            self.stop()
            raise KernelDied(f"The kernel did not start: {error}. {words}") from None

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Starts a cell, as the notebook tool does, and the clock."""
        self.deadline = time.monotonic() + self.cell_seconds + SECONDS_TO_INTERRUPT
        return self.kc.execute(cell_input, allow_stdin=False, stop_on_error=False)

    def get_message(self, stream, timeout=None):
        """The next message. Raises Empty where none comes in time, whatever came before, and KernelDied."""
        end = min(time.monotonic() + timeout, self.deadline)
        while (left := end - time.monotonic()) > 0:
            if stream == "iopub" and self.early:
                return self.early.popleft()
            try:
                return super().get_message(stream, timeout=min(left, 0.5))
            except Empty:
                if not self.is_alive():
                    raise KernelDied("The kernel died.") from None
                if stream == "shell":
                    self.listen()
        raise Empty

    def listen(self):
        """Reads what a cell shows while it runs. Raises KernelDied where that is too much to be meant."""
        while self.shown <= SHOWN:
            try:
                self.early.append(super().get_message("iopub", timeout=0))
            except Empty:
                return
            self.shown += len(str(self.early[-1]["content"]))
        raise KernelDied("The cell shows too much.")

    def stop(self):
        """Ends the kernel, if it has not ended yet, and removes its folder."""
        if hasattr(self, "km"):
            super().stop()
        self.ending.close()


class Structure(pytest.Item):
    """What can be said of a stored notebook without running it."""

    def runtest(self):
        """Fails with one line for each problem."""
        path = self.path.relative_to(self.config.rootpath).as_posix()
        unlisted = [
            problem for problem in contents.disagreements(self.config.rootpath) if problem.startswith(path)
        ]
        problems = rules.structure(rules.read(self.path)) + unlisted
        if problems:
            hint = f"{path} (`python tools/gate/notebooks.py run {path}` mends what a run can mend)"
            pytest.fail("\n".join([hint, *problems]), pytrace=False)

    def reportinfo(self):
        """Where pytest says this test stands."""
        return self.path, 0, f"{self.path.name}::structure"


class NotebookCell(IPyNbCell):
    """A cell that nbval always executes and compares, whatever its tags and comments say."""

    def setup(self):
        """Expects nothing of a cell after one that the kernel did not come back from, and does not run it."""
        if self.parent.over:
            self.add_marker(pytest.mark.xfail(reason=f"the kernel ended in {self.parent.over}", run=False))

    def runtest(self):
        """nbval's test, then the gate's."""
        stored = copy.deepcopy(self.cell.outputs)  # nbval will merge the streams of its own copy
        self.parent.shown = []
        try:
            super().runtest()
        except KernelDied as error:
            self.parent.timed_out = True
            self.raise_cell_error(f"{error} {self.parent.kernel.sandbox.last_words()}")
        finally:
            if self.parent.timed_out:
                self.parent.over = self.name
        if self.parent.timed_out:  # and the cell took the interrupt for something else: nbval is content
            seconds = self.config.option.nbval_cell_timeout
            self.raise_cell_error(f"Timeout of {seconds:g} seconds exceeded, and the interrupt was ignored.")
        if problems := rules.compare(stored, [output_from_msg(message) for message in self.parent.shown]):
            self.raise_cell_error("Cell outputs differ", "\n".join(problems))

    def stop(self):
        """What nbval calls, though it has none, where a cell does not end after an error."""
        self.parent.kernel.stop()

    def compare_outputs(self, test, ref, skip_compare=None):
        """nbval's comparison, of the fresh outputs in the form that is stored."""
        return super().compare_outputs(from_dict(rules.normalise(test)), ref, skip_compare)
