"""Where the table of contents and the files of the book disagree."""

import re
from collections import Counter
from pathlib import Path

import yaml
from rules import page_sources


def disagreements(root):
    """Where book/ and _toc.yml disagree: a page not listed, listed twice, or listed and not there; and what
    under book/ could stand for a page, or change how it is judged, without being judged itself."""
    there = {path.relative_to(root).with_suffix("").as_posix(): path for path in page_sources(root)}
    listed = Counter(_files(yaml.safe_load(Path(root, "_toc.yml").read_text(encoding="utf-8"))))
    problems = [
        f"{there[page].relative_to(root).as_posix()} is not in _toc.yml"
        for page in sorted(there.keys() - listed.keys())
    ]
    for path in sorted(Path(root, "book").rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            problems.append(f"{name} is a link: put the file itself there")
        elif path.suffix == ".py":
            problems.append(f"{name} is code outside of a notebook")
        elif path.suffix == ".md" and path.with_suffix(".ipynb").exists():
            problems.append(f"{name} is beside a notebook of the same name")
    problems += [
        f"_toc.yml lists {page}, which is not there" for page in sorted(listed.keys() - there.keys())
    ]
    problems += [f"_toc.yml lists {page} {count} times" for page, count in listed.items() if count > 1]
    for page, path in there.items():
        if path.suffix == ".md" and "{code-cell}" in path.read_text(encoding="utf-8"):
            problems.append(f"{page}.md has code cells: make it a notebook")
    return problems


def _files(entry):
    if isinstance(entry, dict):
        named = [re.sub(r"\.(ipynb|md)$", "", entry[key]) for key in ("root", "file", "glob") if key in entry]
        return named + [file for value in entry.values() for file in _files(value)]
    return [file for value in entry for file in _files(value)] if isinstance(entry, list) else []
