"""What the project promises about itself: its commands, its pins, the size and the layers of its code, its documents."""

import ast
import importlib
import inspect
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import make_venv
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cnnlib

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cnnlib"
SOURCES = sorted(PACKAGE.rglob("*.py"))
CORE = [path for path in SOURCES if "show" not in path.relative_to(PACKAGE).parts]
TRACKED = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    check=True,
    stdout=subprocess.PIPE,
    encoding="utf-8",
).stdout.split("\0")[:-1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETUP = "python3 tools/make_venv.py && . .venv/bin/activate && pip install -r requirements.txt"
WINDOWS_SETUP = (
    r"py tools\make_venv.py; if ($?) { .venv\Scripts\python -m pip install -r requirements.txt; if ($?) {"
)


def relative(path):
    return path.relative_to(ROOT).as_posix()


def blocks(language):
    """The contents of the README's fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


# The commands.


def test_readme_gives_each_command_in_one_line():
    lines = [line for block in blocks("sh") for line in block.splitlines() if "requirements.txt" in line]
    assert lines == [f"{SETUP} && jupyter-book build .", f"{SETUP} && pytest"]


def test_readme_gives_the_same_for_windows():
    lines = "".join(blocks("powershell")).splitlines()
    programs = r".venv\Scripts\jupyter-book build .", r".venv\Scripts\pytest"
    assert lines == [f"{WINDOWS_SETUP} {program} }} }}" for program in programs]


def ci_commands(root):
    if os.name == "nt":
        pytest.skip(".ci/run is for Linux and macOS; on Windows the workflow reads the README itself")
    return subprocess.run(["bash", ".ci/run", "commands"], cwd=root, capture_output=True, encoding="utf-8")


def test_ci_takes_its_commands_from_the_readme(tmp_path):
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "README.md").write_text(
        README.replace("tools/make_venv.py", "tools/other.py"), encoding="utf-8"
    )
    there = SETUP.replace("tools/make_venv.py", "tools/other.py")
    assert ci_commands(tmp_path).stdout.splitlines() == [
        f"{there} && jupyter-book build .",
        f"{there} && pytest",
    ]


@pytest.mark.parametrize("ending", ["jupyter-book build .", "pytest"])
@pytest.mark.parametrize("count", [0, 2])
def test_ci_refuses_a_readme_without_exactly_one_line_for_each_command(tmp_path, ending, count):
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    line = f"{SETUP} && {ending}\n"
    (tmp_path / "README.md").write_text(README.replace(line, count * line), encoding="utf-8")
    done = ci_commands(tmp_path)
    assert done.returncode == 1 and not done.stdout and "wanted one line" in done.stderr


def test_readme_example_runs(tmp_path):
    (example,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    )
    assert re.fullmatch(r"9\d% of the test digits are read correctly\n", done.stdout)
    assert sum(bool(line.strip()) for line in example.splitlines()) <= 10


@pytest.mark.parametrize("version", [(3, 8), (3, 10)])
def test_make_venv_refuses_an_old_python_and_makes_nothing(tmp_path, version):
    said = make_venv.main(tmp_path / "env", version)
    assert "needs Python 3.11 or later" in said and f"Python 3.{version[1]}" in said
    assert not list(tmp_path.iterdir())


def test_make_venv_completes_a_half_made_environment_and_leaves_a_whole_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # without a newer pip, too
    env = tmp_path / "env"
    env.mkdir()
    (env / "pyvenv.cfg").write_text("", encoding="utf-8")
    assert make_venv.version_in(env) is None
    assert make_venv.main(env) == 0
    assert make_venv.version_in(env) == sys.version_info[:2]
    made = (env / "pyvenv.cfg").stat().st_mtime_ns
    assert make_venv.main(env) == 0
    assert (env / "pyvenv.cfg").stat().st_mtime_ns == made


def test_make_venv_asks_for_a_newer_pip_and_does_without(tmp_path, monkeypatch):
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, len(commands) - 1)  # the first succeeds, the second fails

    monkeypatch.setattr(make_venv.subprocess, "run", run)
    assert make_venv.main(tmp_path / "env") == 0
    (_, *made), (python, *asked) = commands
    assert made == ["-m", "venv", tmp_path / "env"] and python == make_venv.python_in(tmp_path / "env")
    assert asked == ["-m", "pip", "install", "--quiet", make_venv.PIP]


def test_make_venv_refuses_an_environment_of_an_old_python(tmp_path, monkeypatch):
    monkeypatch.setattr(make_venv, "version_in", lambda folder: (3, 9))
    said = make_venv.main(tmp_path / "env")
    assert "has 3.9: delete" in said and not list(tmp_path.iterdir())


def test_make_venv_runs_on_any_python_that_could_be_there():
    ast.parse((ROOT / "tools" / "make_venv.py").read_text(encoding="utf-8"), feature_version=(3, 6))


# The pins.


def pins(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(("#", "-c ", "-e "))]


def pinned():
    exact = [line.split("==") for line in pins("tools/constraints.txt")]
    return {canonicalize_name(name): version for name, version in exact}


@pytest.mark.parametrize("name", ["requirements.txt", "tools/constraints.txt"])
def test_every_requirement_is_pinned_exactly_and_once(name):
    lines = pins(name)
    assert lines and all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    names = [canonicalize_name(line.split("==")[0]) for line in lines]
    assert len(set(names)) == len(names)


def test_requirements_and_constraints_agree():
    for line in pins("requirements.txt"):
        name, version = line.split("==")
        assert pinned()[canonicalize_name(name)] == version


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [
        Requirement(text)
        for group in [project["dependencies"], *project["optional-dependencies"].values()]
        for text in group
    ]


def test_what_pyproject_names_is_what_requirements_pin():
    for requirement in declared():
        assert pinned()[canonicalize_name(requirement.name)] in requirement.specifier
    names = {canonicalize_name(requirement.name) for requirement in declared()}
    assert {canonicalize_name(line.split("==")[0]) for line in pins("requirements.txt")} <= names


def test_constraints_pin_everything_that_is_drawn_in():
    """For this system and Python; the others are listed by hand in the file."""
    todo, seen = [canonicalize_name(requirement.name) for requirement in declared()], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                todo.append(canonicalize_name(needed.name))
    assert seen <= pinned().keys()


def test_the_environment_is_the_pinned_one():
    """If this fails, run the README's line again: outputs are compared with those of the pinned versions."""
    installed = {canonicalize_name(d.name): d.version for d in metadata.distributions()}
    wrong = {n: (v, installed[n]) for n, v in pinned().items() if n in installed and installed[n] != v}
    assert wrong == {}


# The code.


def code_lines(path):
    """The lines of a file that are neither blank nor comments nor docstrings."""
    text = path.read_text(encoding="utf-8")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    skipped = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            skipped.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and i not in skipped for i, line in lines
    )


def test_code_lines_counts_code_only(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        '"""One\n\ntwo."""\n\n# a comment\nx = """a\nb"""\n\n\ndef f():\n    """Doc."""\n    return 1\n'
    )
    assert code_lines(path) == 4


def test_the_core_is_under_1000_lines_of_code():
    assert sum(map(code_lines, CORE)) < 1000


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_file_is_over_250_lines_of_code(path):
    assert code_lines(path) <= 250


def imports(path, inside_functions):
    """The absolute names of the modules that a file imports, those inside of functions or the others."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inner = {id(node) for function in functions for node in ast.walk(function)}
    package = [*path.relative_to(ROOT).with_suffix("").parts[:-1]]
    for node in ast.walk(tree):
        if (id(node) in inner) != inside_functions:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", CORE, ids=relative)
def test_the_core_imports_numpy_and_the_standard_library_only(path):
    allowed = {*sys.stdlib_module_names, "numpy", "cnnlib"} | (
        {"dask"} if path.name == "parallel.py" else set()
    )
    assert {name.split(".")[0] for name in imports(path, False)} <= allowed
    inside = {
        "datasets.py": {"pooch"},
        "training.py": {"tqdm"},
    }  # a download, a progress bar: where asked for
    assert {name.split(".")[0] for name in imports(path, True)} <= allowed | inside.get(path.name, set())


@pytest.mark.parametrize("path", CORE, ids=relative)
def test_the_core_never_imports_what_readers_look_at(path):
    names = [*imports(path, False), *imports(path, True)]
    assert not [name for name in names if name.startswith("cnnlib.show")]


def test_formulas_and_layers_do_not_know_each_other():
    oracle = {name for inside in (False, True) for name in imports(PACKAGE / "formulas.py", inside)}
    assert {name.split(".")[0] for name in oracle} <= {"functools", "inspect", "math", "numpy"}
    for path in (PACKAGE / "layers").glob("*.py"):
        names = [*imports(path, False), *imports(path, True)]
        assert not [name for name in names if "formulas" in name], path


def test_importing_cnnlib_imports_no_more_than_numpy(tmp_path):
    code = (
        "import sys, cnnlib\n"
        "heavy = {'matplotlib', 'IPython', 'ipywidgets', 'pooch', 'tqdm', 'dask', 'cnnlib.show'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from cnnlib import show\n"
        "assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


API = """AvgPool1d AvgPool2d Conv1d Conv2d Dense Flatten MaxPool1d MaxPool2d ReLU SGD Sequential Sigmoid
SoftmaxCrossEntropy SquaredError Tanh check_gradients datasets formulas numerical_gradient training""".split()


def test_cnnlib_offers_the_whole_api():
    assert [name for name in API if not hasattr(cnnlib, name)] == []
    assert set(API) <= set(cnnlib.__all__)
    for module, names in {
        "datasets": ["cifar10", "colour_digits", "digits", "mnist", "seesaw"],
        "training": ["accuracy", "fit"],
        "show": ["Frames", "claim", "figure", "source", "svg"],
    }.items():
        offered = importlib.import_module(f"cnnlib.{module}")
        assert [name for name in names if not hasattr(offered, name)] == []


MODULES = sorted(info.name for info in pkgutil.walk_packages([str(PACKAGE)], "cnnlib."))


@pytest.mark.parametrize("name", ["cnnlib", *MODULES])
def test_every_public_name_has_a_docstring(name):
    module = importlib.import_module(name)
    assert module.__doc__
    missing = []
    for thing_name, thing in vars(module).items():
        if thing_name.startswith("_") or getattr(thing, "__module__", None) != name:
            continue
        if inspect.isclass(thing) or inspect.isfunction(thing):
            if not inspect.getdoc(thing):
                missing.append(thing_name)
        if inspect.isclass(thing):
            members = [(n, m) for n, m in vars(thing).items() if not n.startswith("_")]
            members = [(n, m) for n, m in members if inspect.isfunction(m) or isinstance(m, property)]
            missing += [f"{thing_name}.{n}" for n, _ in members if not inspect.getdoc(getattr(thing, n))]
    assert missing == []


def test_ruff_finds_nothing():
    for command in (["check"], ["format", "--check", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stdout + done.stderr


# The documents.

BINARY = (".npz", ".png")


@pytest.mark.parametrize(
    "name", [name for name in TRACKED if not name.endswith(BINARY) and (ROOT / name).is_file()]
)
def test_text_files_are_clean(name):
    data = (ROOT / name).read_bytes()
    assert data.endswith(b"\n") or not data, "no newline at the end"
    assert b"\r" not in data, "a carriage return"
    text = data.decode("utf-8")
    if not name.endswith(".ipynb"):  # its JSON repeats what programs print
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), "spaces at the end of a line"
    assert not re.search(r"(?<![\w.])/(?:builds|root|tmp|work)/\w", text), "a path of one machine"


def test_the_workflows_are_yaml_and_run_the_readme():
    jobs = {}
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        jobs[path.stem] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    assert jobs.keys() == {"ci", "pages", "weekly"}
    matrix = jobs["ci"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"] and len(matrix["os"]) == 3
    runs = {
        stem: [s.get("run", "") for job in named.values() for s in job["steps"]]
        for stem, named in jobs.items()
    }
    assert any(".ci/run" in run for run in runs["ci"]) and any(".ci/run" in run for run in runs["pages"])
    skipped = [
        name
        for run in runs["weekly"]
        for name in re.findall(r"--deselect tests/test_project\.py::(\w+)", run)
    ]
    assert skipped == [test_the_environment_is_the_pinned_one.__name__]


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert {project["version"], citation["version"], newest} == {cnnlib.__version__}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_documents_lead_somewhere(name):
    for link in re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8")):
        assert re.match(r"https?://", link) or (ROOT / link.partition("#")[0]).exists(), link
