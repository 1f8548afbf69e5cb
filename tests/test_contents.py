"""The table of contents names every page, and nothing stands beside the pages that nothing judges."""

from pathlib import Path

import pytest
import contents

ROOT = Path(__file__).resolve().parents[1]


def test_the_table_of_contents_lists_every_page_once():
    assert contents.disagreements(ROOT) == []


def test_toc_problems(tmp_path):
    (tmp_path / "book/sub/.ipynb_checkpoints").mkdir(parents=True)
    listed = tmp_path / "_toc.yml"
    listed.write_text(
        "root: book/a\nparts:\n- chapters:\n  - file: book/sub/b.ipynb\n    sections:\n    - file: book/c\n"
    )
    for name in ("a.ipynb", "sub/b.ipynb", "c.md", "sub/.ipynb_checkpoints/x.ipynb"):
        (tmp_path / "book" / name).touch()
    assert contents.disagreements(tmp_path) == []
    (tmp_path / "book/c.ipynb").touch()
    (tmp_path / "book/conftest.py").touch()
    (tmp_path / "book/sub/new.ipynb").touch()
    (tmp_path / "book/a.ipynb").unlink()
    (tmp_path / "book/c.md").write_text("```{code-cell}\n1\n```")
    listed.write_text(listed.read_text() + "  - file: book/c\n  - glob: other/*\n")
    assert contents.disagreements(tmp_path) == [
        "book/sub/new.ipynb is not in _toc.yml",
        "book/c.md is beside a notebook of the same name",
        "book/conftest.py is code outside of a notebook",
        "_toc.yml lists book/a, which is not there",
        "_toc.yml lists other/*, which is not there",
        "_toc.yml lists book/c 2 times",
        "book/c.md has code cells: make it a notebook",
    ]


def test_a_page_that_is_a_link_is_a_problem(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "elsewhere.ipynb").touch()
    (tmp_path / "_toc.yml").write_text("root: book/a\n")
    try:
        (tmp_path / "book/a.ipynb").symlink_to(tmp_path / "elsewhere.ipynb")
    except OSError as error:
        pytest.skip(f"no links here: {error}")
    assert contents.disagreements(tmp_path) == ["book/a.ipynb is a link: put the file itself there"]
