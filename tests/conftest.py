"""The book, built once for all tests that look at it."""

import json
import os

import pytest
from building import ROOT, jupyter_book
from filelock import FileLock


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """(folder of the site, exit status, what was printed) of a build of this checkout from nothing, with JupyterLite.
    One test process builds, the others wait for it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    done = folder / "book.json"
    with FileLock(folder / "book.lock"):
        if not done.exists():
            options = ["-W", "-n", "--keep-going", "--all", "--path-output", folder / "book"]
            said = jupyter_book("build", *options, ROOT, lite=True)
            done.write_text(json.dumps(said), encoding="utf-8")
    return folder / "book" / "_build" / "html", *json.loads(done.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def site(built):
    """The folder of the built book."""
    folder, status, said = built
    assert status == 0, said
    return folder
