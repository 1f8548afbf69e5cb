"""Builds of the book, as a reader types them."""

import os
import re
import shutil
import subprocess
import sysconfig
from functools import lru_cache
from pathlib import Path

import rules
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]


def copy_from_checkout(name, root):
    """A copy of a file or folder of the checkout, less compiled Python, in another root: it may be changed, even where
    the checkout may not."""
    source, target = ROOT / name, root / name
    if source.is_file():
        shutil.copyfile(source, target)
        return
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, target, ignore=ignore, copy_function=shutil.copyfile)
    for path in (target, *target.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


def jupyter_book(*arguments, lite=False):
    """(exit status, everything printed) of the program that a reader types, with JupyterLite or without."""
    program = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
    done = subprocess.run(
        [program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1", "CNNLIB_LITE": str(int(lite))},
    )
    return done.returncode, rules.clean(done.stdout)


@lru_cache(maxsize=40)
def tree(path):
    """A built page as a tree that nobody may change: the next who asks gets the same. Of a drawn formula it has only
    the marks of its symbols, because strokes are most of a page."""

    def marks(formula):
        return (
            formula[1]
            + "".join(f"<i{mark}></i>" for mark in re.findall(r' data-s="\w+"', formula[2]))
            + formula[3]
        )

    html = re.sub(
        r"(<mjx-container\b[^>]*>)(.*?)(</mjx-container>)",
        marks,
        path.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    return BeautifulSoup(html, "html.parser")
