"""The pytest plugin that makes nbval strict: pyproject.toml loads it for every run.

nbval executes each cell and compares text. It does not see a changed picture, an output of another type or in
another place, metadata, or a notebook whose outputs were stripped, and cells may tell it to look away. So
each cell is also judged by rules.compare, from the kernel's messages as they came, and each notebook has two
more tests: "structure", that executes nothing, and "frames", after the last cell.
"""

import copy
import warnings

import contents
import execution
import last_cell
import pytest
import rules
import sandbox
from nbformat import from_dict
from nbval.plugin import IPyNbCell, IPyNbFile

LOOSER = ("nbval_lax", "nbval_sanitize_with", "sanitize_with", "nbval_kernel_name", "nbdime")
ALWAYS = {"skip": False, "check": True, "check_exception": False}


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
    why = sandbox.refused()
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
        """The test of the structure, those of the cells, that of the frames, that of a cell that is not validated; of a file that
        is no notebook the first alone, which says so."""
        yield Structure.from_parent(self, name="structure")
        try:
            notebook = rules.read(self.path)
        except (OSError, ValueError):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two cells with one id, which the structure says
            cells = list(super().collect())
        for cell in cells:
            if rules.validated(cell.cell):
                yield self.test(cell.name, cell.cell_num, cell.cell)
        yield self.test("frames", len(cells), last_cell.cell(notebook))
        for cell in cells:
            if not rules.validated(cell.cell):
                yield self.test(cell.name, cell.cell_num, cell.cell)

    def test(self, name, number, cell):
        """The test of a cell."""
        return NotebookCell.from_parent(self, name=name, cell_num=number, cell=cell, options={})

    def setup(self):
        """Starts the kernel."""
        self.kernel = execution.Execution(self.path, sandbox.PYTEST, self.config.option.nbval_cell_timeout)

    def teardown(self):
        """Stops the kernel."""
        if self.kernel:
            self.kernel.ending.close()


class Structure(pytest.Item):
    """What can be said of a stored notebook without running it."""

    def runtest(self):
        """Fails with one line for each problem."""
        path = self.path.relative_to(self.config.rootpath).as_posix()
        unlisted = [
            problem for problem in contents.disagreements(self.config.rootpath) if problem.startswith(path)
        ]
        try:
            problems = rules.structure(rules.read(self.path)) + unlisted
        except (OSError, ValueError) as error:
            problems = [str(error)]
        if problems:
            hint = f"{path} (`python tools/gate/notebooks.py run {path}` mends what a run can mend)"
            pytest.fail("\n".join([hint, *problems]), pytrace=False)

    def reportinfo(self):
        """Where pytest says this test stands."""
        return self.path, 0, f"{self.path.name}::structure"


class NotebookCell(IPyNbCell):
    """A cell that is always executed, whatever its tags and comments say, and compared, if it stores anything."""

    def setup(self):
        """Expects nothing of a cell after one that the kernel did not come back from, and does not run it."""
        if self.parent.over:
            self.add_marker(pytest.mark.xfail(reason=f"the kernel ended in {self.parent.over}", run=False))

    def runtest(self):
        """The gate's comparison, then nbval's."""
        try:
            fresh = self.parent.kernel.run(self.cell.source)
        except execution.CellError as error:
            if isinstance(error, execution.KernelEnded):
                self.parent.over = self.name
            self.raise_cell_error(str(error), error.traceback)
        if not rules.validated(self.cell):
            if problems := rules.only_prints(fresh):
                self.raise_cell_error("Shows more than text", "\n".join(problems))
            return
        problems = rules.compare(self.cell.outputs, fresh)
        fresh, stored = (
            from_dict(copy.deepcopy(outputs)) for outputs in (rules.normalise(fresh), self.cell.outputs)
        )
        if not self.compare_outputs(fresh, stored) or problems:
            self.raise_cell_error("Cell outputs differ", "\n".join([*problems, *self.comparison_traceback]))
