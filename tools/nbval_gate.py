"""The pytest plugin that makes nbval strict: pyproject.toml loads it for every run.

nbval executes each cell and compares text. It does not see a changed picture, an output of another type or in
another place, metadata, or a notebook whose outputs were stripped, and cells may tell it to look away. So
each cell is also judged by gate.compare, from the kernel's messages as they came, and each notebook has one
more test, "structure", that executes nothing.
"""

import copy
import os

import gate
import notebooks
import pytest
from nbformat import from_dict
from nbformat.v4 import output_from_msg
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel, start_new_kernel
from nbval.plugin import IPyNbCell, IPyNbFile

LOOSER = ("nbval_lax", "nbval_sanitize_with", "sanitize_with", "nbval_kernel_name", "nbdime")
ALWAYS = {"skip": False, "check": True, "check_exception": False}
OUTPUTS = ("stream", "display_data", "execute_result", "error", "update_display_data", "clear_output")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Refuses to run with less than nbval in full."""
    given = [f"--{name.replace('_', '-')}" for name in LOOSER if config.getoption(name)]
    if given or not config.getoption("nbval"):
        raise pytest.UsageError(
            f"notebooks are validated with --nbval and without {', '.join(given) or 'exceptions'}"
        )


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(parent):
    """Puts a NotebookFile in the place of each file that nbval finds."""
    found = yield
    for i, file in enumerate(found):
        if isinstance(file, IPyNbFile):
            found[i] = NotebookFile.from_parent(parent, path=file.path)
    return found


class NotebookFile(IPyNbFile):
    """A notebook: nbval's tests of its cells, and a test of its structure."""

    def collect(self):
        """The test of the structure, then those of the cells."""
        yield Structure.from_parent(self, name="structure")
        for cell in super().collect():
            yield NotebookCell.from_parent(
                self, name=cell.name, cell_num=cell.cell_num, cell=cell.cell, options=ALWAYS
            )

    def setup(self):
        """Starts the kernel."""
        self.kernel = Kernel(self.path.parent, self.config.option.nbval_kernel_startup_timeout)

    def get_kernel_message(self, timeout=None, stream="iopub"):
        """nbval's reading, which also keeps each output as it came, before nbval merges or drops any."""
        message = super().get_kernel_message(timeout, stream)
        if message["msg_type"] in OUTPUTS:
            self.shown.append(message)
        return message


class Kernel(RunningKernel):
    """The kernel that the notebook tool also starts: this interpreter, in the tool's environment."""

    def __init__(self, folder, timeout):
        with open(os.devnull, "w") as quiet:
            self.km, self.kc = start_new_kernel(
                timeout, CURRENT_ENV_KERNEL_NAME, cwd=str(folder), env=notebooks.environment(), stderr=quiet
            )
        self._ensure_iopub_up()


class Structure(pytest.Item):
    """What can be said of a stored notebook without running it."""

    def runtest(self):
        """Fails with one line for each problem."""
        path = self.path.relative_to(self.config.rootpath).as_posix()
        unlisted = [
            problem for problem in gate.toc_problems(self.config.rootpath) if problem.startswith(path)
        ]
        problems = gate.structure(gate.read(self.path)) + unlisted
        if problems:
            hint = f"{path} (`python tools/notebooks.py run {path}` mends what a run can mend)"
            pytest.fail("\n".join([hint, *problems]), pytrace=False)

    def reportinfo(self):
        """Where pytest says this test stands."""
        return self.path, 0, f"{self.path.name}::structure"


class NotebookCell(IPyNbCell):
    """A cell that nbval always executes and compares, whatever its tags and comments say."""

    def runtest(self):
        """nbval's test, then the gate's."""
        stored = copy.deepcopy(self.cell.outputs)  # nbval will merge the streams of its own copy
        self.parent.shown = []
        super().runtest()
        if problems := gate.compare(stored, [output_from_msg(message) for message in self.parent.shown]):
            self.raise_cell_error("Cell outputs differ", "\n".join(problems))

    def compare_outputs(self, test, ref, skip_compare=None):
        """nbval's comparison, of the fresh outputs in the form that is stored."""
        return super().compare_outputs(from_dict(gate.normalise(test)), ref, skip_compare)
