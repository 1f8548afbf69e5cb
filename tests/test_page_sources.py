"""A page is read again when a file changes that it is made of: each directive and each hook notes what it reads."""

import pickle
import re

import page_kinds
import pytest
from building import ROOT

CHAPTERS = page_kinds.chapters(ROOT)
SOURCES = {
    "book/glossary": ["cnnlib/data/symbols.toml"],
    "book/references": ["tools/site/reading.toml", "book/references.bib", "book/softmax.ipynb"],
    "book/errata": ["tools/site/own_errata.toml", "cnnlib/data/ledger.toml", "cnnlib/data/readings.toml", "book/softmax.ipynb"],
    "book/coverage": ["cnnlib/data/ledger.toml", "cnnlib/data/readings.toml", "book/softmax.ipynb"],
    "book/for_lecturers": ["tools/site/plans.toml", "tools/site/chapters.toml", "cnnlib/data/ledger.toml", "assignment/examples.csv", "book/softmax.ipynb"],
    **dict.fromkeys(["book/api", "book/api_practice", "book/api_show"], ["cnnlib/data/ledger.toml"]),
    **dict.fromkeys(CHAPTERS, ["cnnlib/data/symbols.toml", "tools/site/reading.toml", "book/references.bib"]),
}  # fmt: skip
READS = re.compile(r"\.(?:toml|bib|csv|json|ipynb)\b|\bsource\(\)")
REGISTERS = re.compile(r'add_directive|connect\("(?:source-read|doctree-read)"')
NOTES = "note_dependency("


@pytest.fixture(scope="module")
def noted(site):
    """{page: the paths of the checkout that its build has noted}."""
    with open(site.parent / ".doctrees" / "environment.pickle", "rb") as file:
        dependencies = pickle.load(file).dependencies
    return {page: {(ROOT / path).resolve() for path in paths} for page, paths in dependencies.items()}


@pytest.mark.parametrize("page", SOURCES)
def test_a_page_is_read_again_when_one_of_its_sources_changes(noted, page):
    assert {path for path in SOURCES[page] if (ROOT / path).resolve() not in noted[page]} == set()


def test_what_is_noted_is_there(noted):
    """A file that is not would have its pages read at each build."""
    assert {path for paths in noted.values() for path in paths if not path.exists()} == set()


def unnoted(program):
    """Whether a program has a directive, or a hook where pages are read, that reads data and notes none."""
    return bool(REGISTERS.search(program) and READS.search(program) and NOTES not in program)


@pytest.mark.parametrize("path", sorted((ROOT / "tools" / "site").glob("*.py")), ids=lambda path: path.stem)
def test_an_extension_that_reads_data_notes_it(path):
    assert not unnoted(path.read_text(encoding="utf-8"))


def test_an_extension_that_notes_nothing_is_seen():
    program = 'tomllib.loads(Path("a.toml").read_text())\napp.add_directive("list", List)\n'
    assert unnoted(program) and not unnoted(program + 'env.note_dependency("a.toml")')
    assert unnoted('source()["terms"]\napp.connect("doctree-read", add)') and not unnoted(
        'app.add_directive("list", List)'
    )
