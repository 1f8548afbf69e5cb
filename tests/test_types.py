"""Type hints: mypy finds nothing, and finds what is wrong; what is public has hints for all it takes and gives."""

import importlib
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cnnlib
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the library that may be spoilt, and a function that runs mypy on it: (exit code, what it says)."""
    folder = tmp_path_factory.mktemp("typed")
    shutil.copytree(ROOT / "cnnlib", folder / "cnnlib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)

    def mypy():
        command = [sys.executable, "-m", "mypy", "--cache-dir", folder / "cache"]
        done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")
        return done.returncode, done.stdout + done.stderr

    return folder, mypy


def test_mypy_finds_nothing(tree):
    code, said = tree[1]()
    assert code == 0, said


# file: what stands there, what stands there instead, and the kind of fault that mypy then names
SPOILT = {
    "layers/activations.py": (
        "def output_shape(self, input_shape: Shape)",
        "def output_shape(self, input_shape)",
        "no-untyped-def",
    ),
    "losses.py": ("def divisor(self, N: int) -> int:", "def divisor(self, N: int):", "no-untyped-def"),
    "formulas.py": ("def relu(z: float) -> float:", "def relu(z: float):", "no-untyped-def"),
    "optim.py": ("def step(self) -> None:", "def step(self) -> int:", "return"),
    "layers/convolution.py": ("return self.unpad(dx).reshape(shape)", "return shape", "return-value"),
    "training.py": ("return hits / N", "return str(hits / N)", "return-value"),
    "network.py": ("self.output_shape(floating(", "self.output_shap(floating(", "attr-defined"),
    "gradcheck.py": ("    return report\n", "    return True\n", "return-value"),
    "datasets.py": ("return _floats(*_embedded())", "return 1", "return-value"),
    "practice/kinds.py": ("    return found\n", "    return [found]\n", "return-value"),
    "show/svg.py": (
        'return _flex("row wrap", "center", items, "cnn-row")',
        "return len(items)",
        "return-value",
    ),
}


@pytest.fixture(scope="module")
def spoilt(tree):
    """What mypy says of a copy in which all of SPOILT is wrong at once: one run of it takes seconds."""
    texts = {tree[0] / "cnnlib" / file: change for file, change in SPOILT.items()}
    whole = {path: path.read_text(encoding="utf-8") for path in texts}
    for path, (old, new, _) in texts.items():
        assert whole[path].count(old) == 1, path
        path.write_text(whole[path].replace(old, new), encoding="utf-8")
    try:
        yield tree[1]()
    finally:
        for path, text in whole.items():
            path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("file", SPOILT)
def test_mypy_sees_a_hint_that_is_missing_or_wrong(spoilt, file):
    """On the line that is wrong."""
    (old, _, kind), (code, said) = SPOILT[file], spoilt
    before = (ROOT / "cnnlib" / file).read_text(encoding="utf-8").partition(old)[0]
    line = before.count("\n") + 1
    where = Path("cnnlib", file)
    assert code == 1 and re.search(rf"^{re.escape(str(where))}:{line}: error: .*\[{kind}\]$", said, re.M), (
        said
    )


def public(module):
    """{name: what it is} of the functions and classes that a module offers: in its ``__all__``, or written in it."""
    names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    things = {name: getattr(module, name) for name in names}
    return {
        name: thing
        for name, thing in things.items()
        if (inspect.isfunction(thing) or inspect.isclass(thing))
        and (hasattr(module, "__all__") or thing.__module__ == module.__name__)
    }


def unhinted(thing, name):
    """What has no hint in a function, or in the methods and properties of a class that are its own and public."""
    if inspect.isclass(thing):
        own = not thing.__module__.startswith(
            "cnnlib.show"
        )  # there, what a chapter does with them is to make them
        members = {n: m for n, m in vars(thing).items() if n == "__init__" or own and not n.startswith("_")}
        members = {n: getattr(m, "fget", m) or m for n, m in members.items()}
        functions = {n: m for n, m in members.items() if inspect.isfunction(m)}
        if hasattr(thing, "__dataclass_fields__"):
            functions.pop("__init__", None)
        return [lack for n, m in functions.items() for lack in unhinted(m, f"{name}.{n}")]
    signature = inspect.signature(thing)
    lacks = [p for p, of in signature.parameters.items() if of.annotation is of.empty and p != "self"]
    returns = name.endswith("__init__") or signature.return_annotation is not signature.empty
    return [f"{name}: {lack}" for lack in lacks + ["its result"] * (not returns)]


WHERE = [
    "cnnlib",
    "cnnlib.layers",
    "cnnlib.training",
    "cnnlib.parallel",
    "cnnlib.datasets",
    "cnnlib.convert",
    "cnnlib.practice",
    "cnnlib.show",
]
WHERE += ["cnnlib.show.svg", "cnnlib.show.graph", "cnnlib.show.derivation"]
SUMS = "cnnlib.formulas"  # what checks them is not public
WHERE += [SUMS]
HELPERS = {"check", "fitting", "of_a_number", "window"}


@pytest.mark.parametrize("name", WHERE)
def test_what_is_public_has_hints(name):
    module = importlib.import_module(name)
    offered = {n: t for n, t in public(module).items() if name != SUMS or n not in HELPERS}
    assert offered
    assert [lack for n, thing in offered.items() for lack in unhinted(thing, n)] == []


def test_a_missing_hint_is_named():
    class Layer:
        def __init__(self, size):
            pass

        def forward(self, x: int, y):
            pass

        def _own(self, x):
            pass

        @property
        def ok(self):
            pass

    assert unhinted(Layer, "L") == [
        "L.__init__: size",
        "L.forward: y",
        "L.forward: its result",
        "L.ok: its result",
    ]


def test_a_reader_of_the_wheel_gets_the_hints():
    """mypy reads hints of what is installed only where it finds this file."""
    assert (ROOT / "cnnlib" / "py.typed").exists()
    assert '"cnnlib" = ["py.typed"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_hints_cost_no_import():
    """Nothing that is imported for hints alone is heavy: of typing's helpers only what NumPy imports itself."""
    code = "import sys, numpy; before = set(sys.modules); import cnnlib; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    heavy = {"typing_extensions", "numpy.typing", "matplotlib", "IPython"}
    assert "cnnlib.layers" in done.stdout.split() and not heavy & set(done.stdout.split())


MODULES = [cnnlib.__name__, *(m.name for m in pkgutil.iter_modules(cnnlib.__path__, "cnnlib."))]


def test_where_hints_are_wanted_is_all_that_is_public():
    """A new module of the core is among those that are looked at, or is one of its own parts."""
    own = {
        "cnnlib.gradcheck",
        "cnnlib.judged",
        "cnnlib.losses",
        "cnnlib.network",
        "cnnlib.optim",
        "cnnlib.data",
        "cnnlib._cluster",
        "cnnlib._tasks",
    }
    assert set(MODULES) - own == {name for name in WHERE if name.count(".") < 2}
