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
import sysconfig
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import building
import make_venv
import plain_conf
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import cnnlib

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cnnlib"
PYTORCH = PACKAGE / "data" / "pytorch"  # programs that a chapter prints and nothing here imports
SOURCES = sorted({*PACKAGE.rglob("*.py")} - {*PYTORCH.rglob("*")})
CORE = [path for path in SOURCES if "show" not in path.relative_to(PACKAGE).parts]
JUDGE = [PACKAGE / "gradcheck.py", PACKAGE / "judged.py"]
PARALLEL = [PACKAGE / "parallel.py", PACKAGE / "_cluster.py", PACKAGE / "_tasks.py"]
CONVERT = PACKAGE / "convert.py"
PRACTICE = sorted((PACKAGE / "practice").rglob("*.py"))
TRACKED = subprocess.run(
    ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
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


# The environment.

HERE = make_venv.kind()
REFUSED = {
    "old": ({"version": (3, 10)}, "Python 3.11 to 3.14", "is Python 3.10"),
    "new": ({"version": (3, 15)}, "Python 3.11 to 3.14", "is Python 3.15"),
    "newest and early": ({"version": (3, 15), "level": "beta"}, "Python 3.11 to 3.14", "is Python 3.15"),
    "early": ({"version": (3, 14), "level": "alpha"}, "Python that is released", "is alpha Python 3.14"),
    "PyPy": ({"name": "pypy"}, "needs CPython", "is pypy"),
    "free-threaded": ({"free": True, "version": (3, 13)}, "global lock", "is a free-threaded Python 3.13"),
    "32-bit Windows": ({"bits": 32, "system": "win32"}, "of 64 bits", "one of 32 bits"),
    "32-bit programs, 64-bit Linux": (
        {"bits": 32, "system": "linux-aarch64"},
        "of 64 bits",
        "one of 32 bits",
    ),
    "MSYS2": ({"system": "mingw_x86_64_ucrt_gnu"}, "Windows", "is for mingw_x86_64"),
    "RISC-V": ({"system": "linux-riscv64"}, "Linux on x86_64 or aarch64", "is for linux-riscv64"),
    "musl": ({"system": "linux-x86_64", "libc": None}, "Linux with glibc 2.28", "is for another C library"),
    "old glibc": ({"system": "linux-x86_64", "libc": "glibc 2.17"}, "with glibc 2.28", "is for glibc 2.17"),
    "Windows on ARM": ({"system": "win-arm64", "version": (3, 11)}, "3.12 or later", "is Python 3.11"),
}


@pytest.mark.parametrize("other, wanted, got", REFUSED.values(), ids=REFUSED)
def test_make_venv_refuses_a_python_without_wheels_and_makes_nothing(tmp_path, other, wanted, got):
    said = make_venv.main(tmp_path / "env", HERE | other)
    assert said.startswith("This book needs ") and wanted in said and got in said and "\n" not in said
    assert not list(tmp_path.iterdir())


PROMISED = {
    "Linux": {"system": "linux-x86_64", "libc": "glibc 2.36"},
    "Linux on ARM": {"system": "linux-aarch64", "libc": "glibc 2.28"},
    "Intel Mac": {"system": "macosx-10.9-universal2", "libc": None},
    "Mac": {"system": "macosx-14-arm64", "libc": None},
    "Windows": {"system": "win-amd64", "libc": None},
}


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
@pytest.mark.parametrize("system", PROMISED.values(), ids=PROMISED)
def test_make_venv_takes_each_python_that_is_promised(system, minor):
    assert make_venv.lack(HERE | system | {"version": (3, minor), "level": "final"}) is None
    assert make_venv.lack(HERE | system | {"version": (3, minor), "level": "candidate"}) is None


def test_the_documents_name_the_pythons_that_make_venv_takes():
    (oldest, newest) = (".".join(map(str, version)) for version in (make_venv.OLDEST, make_venv.NEWEST))
    assert f"You need Python {oldest} to {newest}" in README
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">={oldest}"


def environment(folder):
    """An environment as quick as it can be made: pip is the one that runs the tests."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = {*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")}
    package = Path(importlib.import_module("pip").__file__).parent
    shutil.copytree(package, site / "pip")
    script = folder / "bin" / "pip"
    python = make_venv.program(folder, "python")
    script.write_text(f"#!{python}\nfrom pip._internal.cli.main import main\nmain()\n", encoding="utf-8")
    script.chmod(0o755)
    return site


def move(env, site):
    return env.rename(env.with_name("moved"))


def copy(env, site):
    return shutil.copytree(env, env.with_name("copied"), symlinks=True)


def move_but_for_pip(env, site):
    """As where somebody has brought pip up to date after the move, which writes its script anew."""
    moved = move(env, site)
    script = moved / "bin" / "pip"
    script.write_text(script.read_text(encoding="utf-8").replace(str(env), str(moved)), encoding="utf-8")
    return moved


def lose_the_base(env, site):
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        (env / "bin" / name).unlink(missing_ok=True)
    (env / "bin" / "python").symlink_to(env / "gone")
    return env


def upgrade_the_base(env, site):
    """As a system does that puts another Python in the place: it looks for packages in another folder."""
    site.parent.rename(site.parent.with_name("python3.10"))
    return env


def lose_pip(env, site):
    shutil.rmtree(site / "pip")
    return env


def lose_activate(env, site):
    (env / "bin" / "activate").unlink()
    return env


def bring_from_another_machine(env, site):
    (site / "numpy").mkdir()
    (site / "numpy" / "__init__.py").write_text("raise ImportError('wrong ELF class')", encoding="utf-8")
    return env


@pytest.mark.skipif(os.name == "nt", reason="makes the environment by hand, in the way of Linux and macOS")
@pytest.mark.parametrize(
    "change",
    [
        move,
        copy,
        move_but_for_pip,
        lose_the_base,
        upgrade_the_base,
        lose_pip,
        lose_activate,
        bring_from_another_machine,
    ],
)
def test_make_venv_makes_an_environment_anew_that_does_not_work_where_it_is(tmp_path, monkeypatch, change):
    env = tmp_path / "env"
    site = environment(env)
    assert make_venv.kind_in(env) == HERE
    env = change(env, site)
    assert make_venv.kind_in(env) is None
    commands = []

    def run(command, **options):
        if command[1:3] in (["-m", "venv"], ["-m", "pip"]):
            commands.append(command)
            return subprocess.CompletedProcess(command, int("pip" in command))
        return subprocess.run(command, **options)

    shim = type("subprocess", (), {"run": staticmethod(run), "PIPE": -1, "DEVNULL": -3})
    monkeypatch.setattr(make_venv, "subprocess", shim)
    assert "does not work where it is" in make_venv.main(env)  # for nothing was made
    (_, *made), (python, *asked) = commands
    assert made == ["-m", "venv", "--clear", env] and python == make_venv.program(env, "python")
    assert asked == ["-m", "pip", "install", "--quiet", make_venv.PIP]


def test_make_venv_makes_an_environment_that_works_and_leaves_it(tmp_path, monkeypatch):
    """In the place of what is left of one, in a folder whose name a shell, a shebang line or an encoding could trip over."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # without a newer pip, too
    env = tmp_path / "a book's \u00e9dition" / "env"
    env.mkdir(parents=True)
    (env / "pyvenv.cfg").touch()
    (env / "lib").mkdir()
    (env / "lib" / "left").touch()
    assert make_venv.main(env) == 0
    assert make_venv.kind_in(env) == HERE and not (env / "lib" / "left").exists()
    made = (env / "pyvenv.cfg").stat().st_mtime_ns
    monkeypatch.chdir(env.parent)
    assert make_venv.main("env") == 0
    if os.name != "nt":  # where not everybody may make a link
        (tmp_path / "link").symlink_to(env.parent)
        assert make_venv.main(tmp_path / "link" / "env") == 0
    assert (env / "pyvenv.cfg").stat().st_mtime_ns == made


def test_make_venv_deletes_nothing_that_is_no_environment(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(make_venv, "kind_in", lambda folder: HERE if len(commands) > 1 else None)
    monkeypatch.setattr(
        make_venv.subprocess,
        "run",
        lambda command, **_: commands.append(command) or subprocess.CompletedProcess(command, 0),
    )
    (tmp_path / "diary").touch()
    assert make_venv.main(tmp_path) == 0
    assert commands[0] == [sys.executable, "-m", "venv", tmp_path]


def test_make_venv_deletes_no_file_that_no_environment_has(tmp_path):
    (tmp_path / "pyvenv.cfg").touch()
    (tmp_path / "diary").write_text("mine", encoding="utf-8")
    said = make_venv.main(tmp_path)
    assert "does not work here, but to make it anew deletes diary: move that out of" in said
    assert (tmp_path / "diary").read_text(encoding="utf-8") == "mine" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(os.name == "nt", reason="makes the environment by hand, in the way of Linux and macOS")
def test_make_venv_takes_an_environment_that_prints_and_names_the_pythonpath_that_hides_pip(
    tmp_path, monkeypatch
):
    site = environment(tmp_path / "env")
    (site / "sitecustomize.py").write_text("print('a word from sitecustomize (python ')", encoding="utf-8")
    (site / "loud.pth").write_text("import sys; sys.stdout.write('1, 2')\n", encoding="utf-8")
    assert make_venv.main(tmp_path / "env") == 0
    (tmp_path / "pip.py").write_text("raise SystemExit(9)", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = make_venv.main(tmp_path / "env")
    assert f"PYTHONPATH is {tmp_path}, where something hides" in said and "unset PYTHONPATH" in said
    assert (site / "loud.pth").exists() and os.environ["PYTHONPATH"] == str(tmp_path)
    monkeypatch.setattr(make_venv, "said_by", lambda *command: "({}, 3)")  # what another program prints
    assert make_venv.kind_in(tmp_path / "env") is None


def test_make_venv_says_what_is_in_the_way(tmp_path):
    env = tmp_path / "env"
    env.touch()
    assert "env is in the way, and no folder: delete it" in make_venv.main(env)
    assert env.is_file()


@pytest.mark.skipif(os.name == "nt", reason="not everybody may make a link there")
def test_make_venv_says_that_a_link_leads_nowhere(tmp_path):
    env = tmp_path / "env"
    env.symlink_to(tmp_path / "gone")
    assert "env is in the way, and no folder: delete it" in make_venv.main(env)
    assert os.path.lexists(env)


def test_make_venv_refuses_an_environment_of_a_python_without_wheels(tmp_path, monkeypatch):
    monkeypatch.setattr(make_venv, "kind_in", lambda folder: HERE | {"version": (3, 9)})
    said = make_venv.main(tmp_path / "env")
    assert "has Python 3.9: delete" in said and not list(tmp_path.iterdir())


def test_make_venv_runs_on_any_python_that_could_be_there():
    ast.parse((ROOT / "tools" / "make_venv.py").read_text(encoding="utf-8"), feature_version=(3, 6))


# The pins.

CONSTRAINTS = (ROOT / "tools" / "constraints.txt").read_text(encoding="utf-8")
MACHINES = [
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "aarch64"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "x86_64"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
]
PYTHONS = ["3.11.0", "3.11.2", "3.11.9", "3.12.0", "3.13.5", "3.14.0"]
PROMISES = [
    default_environment()
    | machine
    | {"python_version": full.rpartition(".")[0], "python_full_version": full, "implementation_version": full}
    for machine in MACHINES
    for full in PYTHONS
]


def said(environment):
    return " ".join(environment[key] for key in ("sys_platform", "platform_machine", "python_full_version"))


def pins():
    """The requirements of tools/constraints.txt, each with its marker."""
    lines = [
        line.partition("  # ")[0].strip() for line in CONSTRAINTS.splitlines() if not line.startswith("#")
    ]
    return [Requirement(line) for line in lines]


def holds(requirement, environment):
    return requirement.marker is None or requirement.marker.evaluate(environment)


def pinned(environment=None):
    """{name: version} of the pins that hold in an environment, this one or another."""
    environment = environment or default_environment()
    chosen = [(canonicalize_name(pin.name), pin) for pin in pins() if holds(pin, environment)]
    assert len(dict(chosen)) == len(chosen), f"two pins of one name: {said(environment)}"
    return {name: next(iter(pin.specifier)).version for name, pin in chosen}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def declared():
    groups = [project()["dependencies"], *project()["optional-dependencies"].values()]
    return [Requirement(text) for group in groups for text in group]


@cache
def requires(name):
    """[Requirement] of an installed distribution; None where it is not installed."""
    try:
        return [Requirement(text) for text in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:
        return None


def drawn_in(environment):
    """All [Requirement] that pip would meet in an environment, from what pyproject.toml declares on. What is not installed
    here, for it belongs to another system or Python, is taken to need nothing more."""
    todo, seen = declared(), set()
    while todo:
        needed = todo.pop()
        yield needed
        for extra in {"", *needed.extras}:
            if (key := (canonicalize_name(needed.name), extra)) in seen:
                continue
            seen.add(key)
            if (further := requires(needed.name)) is None:
                assert canonicalize_name(needed.name) not in pinned(), f"{needed} is not installed"
                continue
            todo += [text for text in further if holds(text, environment | {"extra": extra})]


def test_requirements_install_what_pyproject_names_at_the_pinned_versions():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[0] != "#"]
    assert lines == ["-c tools/constraints.txt", f"-e .[{','.join(project()['optional-dependencies'])}]"]


def test_every_pin_is_one_exact_version():
    for pin in pins():
        (version,) = pin.specifier
        assert version.operator == "==" and "*" not in version.version and not pin.extras and not pin.url
    assert len(pins()) > 100


def test_the_pins_were_made_by_the_command_in_contributing():
    """And hold nothing of the machine on which they were: no address, no path, no option of an index."""
    first, command, *rest = CONSTRAINTS.splitlines()
    assert "uv" in first and command.startswith("#    uv pip compile --universal --python-version 3.11 ")
    assert (
        command.removeprefix("#    ") in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    )
    assert all(re.match(r"[a-z0-9.-]+==[a-z0-9.]+ ", line) for line in rest)
    assert not re.search(r"://|--(?!universal)\w+index|@ |file:", CONSTRAINTS)


@pytest.mark.parametrize("environment", PROMISES, ids=said)
def test_the_pins_are_all_that_is_drawn_in_and_no_more(environment):
    """On each system and Python that is promised, by the metadata of what is installed here."""
    pinned_there, met = pinned(environment), {}
    for needed in drawn_in(environment):
        met.setdefault(canonicalize_name(needed.name), []).append(needed)
    assert met.keys() == pinned_there.keys(), "make the pins again: CONTRIBUTING.md, Change a version"
    for name, version in pinned_there.items():
        wrong = [str(n) for n in met[name] if not n.specifier.contains(version, prereleases=True)]
        assert not wrong, f"{name}=={version}, but wanted: {wrong}"


def test_the_environment_is_the_pinned_one():
    """If this fails, run the README's line again: outputs are compared with those of the pinned versions."""
    installed = {canonicalize_name(d.name): d.version for d in metadata.distributions()}
    assert {name: installed.get(name) for name in pinned()} == pinned()


def test_what_is_installed_takes_the_oldest_python():
    # PyTorch, which tests alone use, has a folder of its own.
    folders = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    wanted = {d.name: d.metadata.get("Requires-Python") for d in metadata.distributions(path=[*folders])}
    assert {"numpy", "soupsieve"} <= {*wanted}
    oldest = "{}.{}.0".format(*make_venv.OLDEST)
    assert {n: w for n, w in wanted.items() if w and not SpecifierSet(w).contains(oldest)} == {}


def test_pyproject_names_each_extension_of_sphinx():
    """So that without Jupyter Book they are installed all the same."""
    named = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]
    modules = {*plain_conf.settings()["extensions"]} - named["local_extensions"].keys()
    modules = {"sphinx" if module.startswith("sphinx.ext.") else module for module in modules}  # its own
    book = {canonicalize_name(Requirement(t).name) for t in project()["optional-dependencies"]["book"]}
    assert "myst_nb" in modules and {canonicalize_name(module) for module in modules} <= book


# A checkout that nobody may write, or that is another's.


def test_what_is_copied_from_a_read_only_checkout_may_be_changed(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    (checkout / "tools" / "gate").mkdir(parents=True)
    (checkout / "tools" / "gate" / "guard.py").write_text("1")
    paths = [checkout, *checkout.rglob("*")]
    for path in paths:
        path.chmod(0o555)
    monkeypatch.setattr(building, "ROOT", checkout)
    (tmp_path / "copy").mkdir()
    building.copy_from_checkout("tools", tmp_path / "copy")
    building.copy_from_checkout("tools/gate/guard.py", tmp_path / "copy")
    copies = [*(tmp_path / "copy").rglob("*")]
    assert len(copies) == 3 and all(path.stat().st_mode & 0o200 for path in copies)
    for path in paths:
        path.chmod(0o755)


def test_pytest_ends_well_where_it_cannot_write_its_cache(tmp_path):
    building.copy_from_checkout("pyproject.toml", tmp_path)
    building.copy_from_checkout("tools", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text("def test_x():\n    pass\n")
    (tmp_path / ".pytest_cache").touch()  # where it would make a folder
    command = [sys.executable, "-m", "pytest", "-n0", "tests"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_checkout_that_another_user_owns_is_tested(monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    code = "import test_project; assert 'README.md' in test_project.TRACKED"
    subprocess.run([sys.executable, "-c", code], check=True)


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


def test_the_core_is_under_1000_lines_of_code_and_its_judge_under_300():
    assert PRACTICE and {*PRACTICE} < {*CORE}
    assert sum(map(code_lines, {*CORE} - {*JUDGE, *PRACTICE, *PARALLEL, CONVERT})) < 1000
    assert sum(map(code_lines, JUDGE)) < 300
    assert sum(map(code_lines, PARALLEL)) < 500
    assert code_lines(CONVERT) < 50


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
    allowed = {*sys.stdlib_module_names, "numpy", "cnnlib"}
    allowed |= {"cloudpickle", "dask", "distributed"} if path in PARALLEL else set()
    assert {name.split(".")[0] for name in imports(path, False)} <= allowed
    inside = {
        "datasets.py": {"pooch"},
        "training.py": {"tqdm"},
        "parallel.py": {"tqdm"},
    }  # a download, a progress bar: where asked for
    assert {name.split(".")[0] for name in imports(path, True)} <= allowed | inside.get(path.name, set())


@pytest.mark.parametrize("path", CORE, ids=relative)
def test_the_core_never_imports_what_readers_look_at(path):
    names = [*imports(path, False), *imports(path, True)]
    assert not [name for name in names if name.startswith("cnnlib.show")]
    assert path in PRACTICE or not [name for name in names if name.startswith("cnnlib.practice")]


def test_the_core_does_not_know_how_it_is_converted():
    for path in {*CORE} - {CONVERT}:
        names = [*imports(path, False), *imports(path, True)]
        assert not [name for name in names if name.startswith("cnnlib.convert")], path


def test_formulas_and_layers_do_not_know_each_other():
    oracle = {name for inside in (False, True) for name in imports(PACKAGE / "formulas.py", inside)}
    assert {name.split(".")[0] for name in oracle} <= {"collections", "functools", "inspect", "math", "numpy"}
    for path in (PACKAGE / "layers").glob("*.py"):
        names = [*imports(path, False), *imports(path, True)]
        assert not [name for name in names if "formulas" in name], path


def test_importing_cnnlib_imports_no_more_than_numpy(tmp_path):
    code = (
        "import sys, cnnlib\n"
        "heavy = {'matplotlib', 'IPython', 'ipywidgets', 'pooch', 'tqdm', 'dask', 'distributed', 'cnnlib.parallel', 'cnnlib.show'} & set(sys.modules)\n"
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


FORGE = ROOT / ".github"
WORKFLOWS = {path.stem: path.read_text(encoding="utf-8") for path in (FORGE / "workflows").glob("*.yml")}
JOBS = {stem: yaml.safe_load(text)["jobs"] for stem, text in WORKFLOWS.items()}


def runs(*jobs):
    """All that jobs run in a shell."""
    return "\n".join(step.get("run", "") for job in jobs for step in job["steps"])


def test_the_workflows_run_the_readme_on_every_python_and_system_that_is_promised():
    assert JOBS.keys() == {"ci", "pages", "release", "weekly"}
    promised = [f"3.{minor}" for minor in range(make_venv.OLDEST[1], make_venv.NEWEST[1] + 1)]
    matrix = JOBS["ci"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == promised
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    intel = JOBS["ci"]["intel-mac"]
    assert intel["runs-on"] == "macos-15-intel"
    assert intel["strategy"]["matrix"]["python"] == [promised[0], promised[-1]]
    assert JOBS["ci"]["debian"]["container"]["image"] == "debian:12"
    assert "setup-python" not in str(JOBS["ci"]["debian"]), "its own Python"
    for job in (JOBS["ci"]["test"], JOBS["ci"]["debian"], JOBS["ci"]["book"], intel, JOBS["pages"]["deploy"]):
        assert ".ci/run" in runs(job)
    asked = runs(JOBS["ci"]["wheels"])
    assert all(f" {version}.0" in asked for version in promised) and "x86_64-apple-darwin" in asked


def test_the_workflows_pin_actions_by_commit():
    used = [line for text in WORKFLOWS.values() for line in text.splitlines() if "uses:" in line]
    assert len(used) == sum(
        "uses" in step for jobs in JOBS.values() for j in jobs.values() for step in j["steps"]
    )
    for line in used:
        assert re.fullmatch(r" +(- )?uses: [\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    commits = {}
    for line in used:
        action, commit, version = re.search(r"(\S+)@(\w+) # (\S+)", line).groups()
        assert commits.setdefault((action, version), commit) == commit


def test_the_workflows_keep_the_book_of_a_pull_request():
    book = JOBS["ci"]["book"]
    (kept,) = [step for step in book["steps"] if "/upload-artifact@" in step.get("uses", "")]
    assert "pull_request" in book["if"] and kept["with"]["path"] == "_build/html"
    assert "commands | head -n 1" in runs(book), "the README's first command, which builds it"


def test_a_tag_releases_what_passes_and_pages_keep_what_was_released():
    (job,) = JOBS["release"].values()
    released, published = runs(job), runs(JOBS["pages"]["deploy"])
    steps = [
        "bash .ci/run\n",
        "commands | head -n 1",
        "tools/site/pdf.py",
        "editions.py release --tag",
        "gh release create",
    ]
    places = [f"{released}\n".index(step) for step in steps]
    assert places == sorted(places)
    (built,) = [
        step["env"] for step in JOBS["pages"]["deploy"]["steps"] if "head -n 1" in step.get("run", "")
    ]
    assert f'--dir "{built["CNNLIB_EDITIONS"]}/$tag"' in published and "--pattern SHA256SUMS" in published


@pytest.mark.parametrize("form", sorted((FORGE / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda form: form.stem)
def test_the_forms_of_issues_are_forms(form):
    """As GitHub wants them: https://docs.github.com/communities, "Syntax for issue forms"."""
    said = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.stem == "config":
        assert said == {"blank_issues_enabled": True}
        return
    assert all(said[key] for key in ("name", "description", "labels"))
    assert len({part["id"] for part in said["body"]}) == len(said["body"])
    for part in said["body"]:
        assert part["type"] in {"input", "textarea", "checkboxes"} and part["attributes"]["label"]
    assert any(part.get("validations", {}).get("required") for part in said["body"])


def test_dependabot_looks_where_there_is_something_to_update():
    said = yaml.safe_load((FORGE / "dependabot.yml").read_text(encoding="utf-8"))
    files = {
        "github-actions": ".github/workflows/ci.yml",
        "npm": "package-lock.json",
        "pip": "requirements.txt",
    }
    updates = {update["package-ecosystem"]: update["directory"] for update in said["updates"]}
    assert updates.keys() == files.keys() and said["version"] == 2
    for system, folder in updates.items():
        assert (ROOT / folder.lstrip("/") / files[system]).is_file()


def test_weekly_tries_the_newest_of_everything_but_what_asks_for_the_pins():
    newest = runs(JOBS["weekly"]["newest"])
    pins = [
        test_the_environment_is_the_pinned_one,
        test_the_pins_are_all_that_is_drawn_in_and_no_more,
        test_what_is_installed_takes_the_oldest_python,
    ]
    assert re.findall(r"--deselect tests/test_project\.py::(\w+)", newest) == [test.__name__ for test in pins]


def test_contributing_has_what_weekly_builds_without_jupyter_book():
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    ran = runs(JOBS["weekly"]["newest-without-jupyter-book"])
    for line in re.search(r"^python \S+plain_conf.*?^```", contributing, re.DOTALL | re.MULTILINE)[
        0
    ].splitlines()[:-1]:
        assert line in ran
    assert "constraints" not in ran and "requirements" not in ran


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    newest = re.search(r"^## ([^,]+),", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert {project["version"], citation["version"], newest} == {cnnlib.__version__}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md"])
def test_links_of_the_documents_lead_somewhere(name):
    for link in re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8")):
        assert re.match(r"https?://", link) or (ROOT / link.partition("#")[0]).exists(), link


NAMED = re.compile(
    r"(?<![\w/.])(?:tools|tests|benchmarks|cnnlib|book)/[\w/.-]+\.(?:py|js|css|json|toml|npz|txt|yml)\b"
)
NAMING = [path for path in TRACKED if path.endswith((".ipynb", ".md", ".py", ".toml", ".yml"))]


@pytest.mark.parametrize("path", [path for path in NAMING if not path.startswith("tests/")])
def test_files_that_are_named_are_there(path):
    """In chapters, documents and comments, but for results that a benchmark is told to write."""
    named = {*NAMED.findall((ROOT / path).read_text(encoding="utf-8"))}
    made = {name for name in named if name.startswith("benchmarks/results/")}
    assert [name for name in sorted(named - made) if not (ROOT / name).exists()] == []
