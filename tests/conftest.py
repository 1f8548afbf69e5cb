"""The book, built once for all tests that look at it, and a browser to look at it."""

import gc
import json
import os
import re
from pathlib import Path

# Before NumPy is imported, here and in the processes of pytest-xdist: two that each use all cores are slower than one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import browsing
import pytest
from building import ROOT, jupyter_book
from filelock import FileLock
from xdist.scheduler import LoadFileScheduling


BUILDING = "Running Jupyter-Book"  # with which a build begins to print
# Who reads the built pages first; what needs no book while it is built; what takes longest. Then all the others.
ORDER = "book run_in_browser benchmarks datasets browser_lite lab browser".split()


def pytest_collection_modifyitems(items):
    """Sorts the tests so that no process waits for another, neither for the book nor at the end."""
    places = {f"test_{name}.py": place for place, name in enumerate(ORDER)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


class Scheduling(LoadFileScheduling):
    """A file runs in one process, but each page of the browser's tests, the longest of all, may run in another, and
    files that take the same pages apart run in the same."""

    def _split_scope(self, nodeid):
        path, _, name = nodeid.partition("::")
        page = re.sub(r"-?\d+-?", "", name.partition("[")[2])  # without the width
        path = re.sub(
            "test_(run_in_browser|links)", "test_book", path.replace("test_exercises", "test_symbols")
        )
        return f"{path}::{page}" if "/test_browser" in path else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """A process more than there are processors, because much of what these tests do is to wait for a browser or a kernel."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (own or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The scheduler instead of --dist=loadfile."""
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """(folder of the site, exit status, what was printed) of a build of this checkout from nothing, with JupyterLite.
    One test process builds, the others wait for it. Where CNNLIB_SITE names a folder, the site that is there instead, and
    what the file that CNNLIB_SITE_SAID names says of its build."""
    if "CNNLIB_SITE" in os.environ:
        said = os.environ.get("CNNLIB_SITE_SAID")
        printed = Path(said).read_text(encoding="utf-8").partition(BUILDING) if said else ("", "", "")
        return Path(os.environ["CNNLIB_SITE"]).resolve(), 0, "".join(printed[1:])
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


def need(missing):
    """Skip with the reason where something is missing, or fail where CNNLIB_BROWSER is "required"."""
    if missing:
        (pytest.fail if os.environ.get("CNNLIB_BROWSER") == "required" else pytest.skip)(missing)


@pytest.fixture(scope="module")
def playwright():
    """What drives browsers: one for all of a file, for it allows no second, and its event loop is in others' way."""
    need(browsing.missing())
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def chromium(playwright):
    """The system's Chromium, as a browser of Playwright."""
    with browsing.launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core."""
    need(None if browsing.AXE.is_file() else "axe-core is not installed: run npm ci --prefix tests/browser")
    return browsing.AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def dask():
    """For a file that runs Dask in this process: what it leaves is collected here. Python writes a traceback for some of it,
    for which 3.11 parses a line, and amid another test's ast.parse that is a SystemError there."""
    yield
    gc.collect()
