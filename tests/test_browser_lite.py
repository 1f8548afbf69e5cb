"""Chapters run in the reader's browser: from the button on the page to the last cell, with the very files that are
published, and the same outputs.

The variable CNNLIB_LITE_CHAPTERS names other chapters than the usual ones, or "all". Python for the browser comes from the
folder that CNNLIB_PYODIDE_DIR names, by way of a server on this machine, or else from where the book takes it.
"""

import json
import os
import re
import shutil
import ssl
import subprocess
import time
from contextlib import ExitStack
from urllib.error import URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import urlopen

import run_in_browser
import browsing
import chapter_in_jupyter
import pytest
from conftest import need

CHAPTERS = browsing.chosen("CNNLIB_LITE_CHAPTERS", ["neuron"])  # one: to start Python takes most of the time
PATIENCE = 240  # seconds for a chapter
PYODIDE = urlsplit(run_in_browser.PYODIDE)
MATPLOTLIB = re.compile(r'<svg viewBox="[^"]*" style="width:100%.*?</svg>(?=</div>\n</div>)', re.DOTALL)


def certificate(folder):
    """A TLS context for a server that nobody needs to trust."""
    need(
        None if shutil.which("openssl") else "openssl is not installed, which makes a certificate for a test"
    )
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    subprocess.run(["openssl", *options, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context


@pytest.fixture(scope="module")
def browser(playwright, tmp_path_factory):
    """A browser that finds Python for the browser, and nothing else outside of this machine."""
    with ExitStack() as stack:
        if folder := os.environ.get("CNNLIB_PYODIDE_DIR"):
            context = certificate(tmp_path_factory.mktemp("tls"))
            server = stack.enter_context(browsing.served(folder, PYODIDE.path.rpartition("/")[0], context))
            mapped = [(f"{PYODIDE.netloc}:443", urlsplit(server).netloc)]
        else:
            try:
                urlopen(run_in_browser.PYODIDE, timeout=10).close()
            except URLError as error:
                need(
                    f"{PYODIDE.netloc} is out of reach ({error.reason}), and CNNLIB_PYODIDE_DIR names no folder"
                )
            mapped = [(f"{PYODIDE.netloc}:443", f"{PYODIDE.netloc}:443")]
        yield stack.enter_context(browsing.launched(playwright, mapped, "--ignore-certificate-errors"))


@pytest.fixture(scope="module")
def home(site):
    """The address of the book on a server."""
    with browsing.served(site, prefix="/book-of-a-reader") as address:
        yield address


def without_drawings(output):
    """An output less what another matplotlib draws otherwise."""
    data = output.get("data", {})
    html = {"text/html": MATPLOTLIB.sub("", data["text/html"])} if "text/html" in data else {}
    return output | {"data": data | html} if html else output


def named(site, name):
    """A chapter as it is stored, but for its text, whose links bear titles; test_run_in_browser compares that."""
    chapter = chapter_in_jupyter.stored(name)
    offered = json.loads((site / "lite" / "files" / f"{name}.ipynb").read_bytes())
    for cell, other in zip(chapter.cells, offered["cells"], strict=True):
        cell.source = other["source"] if cell.cell_type == "markdown" else cell.source
    return chapter


FOLDED = f"{chapter_in_jupyter.CONTENT}.widgets.map(cell => [!!cell.inputHidden, !!cell.outputHidden])"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_runs_to_its_end_from_the_button_on_its_page(browser, site, home, name):
    stored = named(site, name)
    worker = urljoin(home, "/api/")  # what JupyterLite asks its own service worker
    with browsing.Tab(browser, (home, worker, f"{PYODIDE.scheme}://{PYODIDE.netloc}/")) as tab:
        tab.page.set_default_timeout(1000 * PATIENCE)
        tab.open(f"{name}.html")
        begun = time.monotonic()
        if tab.page.query_selector("details.run-chapter"):
            tab.page.click("details.run-chapter > summary")
        tab.page.click(".run-chapter-start")
        tab.page.wait_for_url("**/lite/notebooks/**")
        chapter_in_jupyter.wait_for_cells(tab.page, stored)
        folds = [cell.metadata.get("jupyter", {}) for cell in stored.cells]
        assert tab.page.evaluate(FOLDED) == [
            [fold.get("source_hidden", False), fold.get("outputs_hidden", False)] for fold in folds
        ]
        fresh = chapter_in_jupyter.run_all(tab.page)
        count = sum(cell.cell_type == "code" for cell in stored.cells)
        tab.page.wait_for_function(
            "text => document.querySelector('#book-line [role=status]').textContent === text",
            arg=f"Done: {count} of {count} cells have run",
        )
        back = tab.page.query_selector("#book-line a").evaluate("link => link.href")
        assert back == f"{home}{name}.html"
        assert time.monotonic() - begun < PATIENCE
        assert chapter_in_jupyter.differences(stored, fresh, without_drawings) == {}
        chapter_in_jupyter.move_frames(tab.page, stored)
        assert tab.errors() == []


def message(page):
    """What the page says beside its button, once it has said all."""
    page.evaluate("document.querySelector('details.run-chapter').open = true")
    page.click(".run-chapter-start")
    page.wait_for_function(
        "!/^(Looking.*)?$/.test(document.querySelector('.run-chapter-message').textContent)"
    )
    return page.inner_text(".run-chapter-message")


def test_where_python_cannot_be_downloaded_the_button_says_so(chromium, home):
    with browsing.Tab(chromium, (home, f"{PYODIDE.scheme}://{PYODIDE.netloc}/")) as tab:
        tab.open(f"{CHAPTERS[0]}.html")
        assert "cannot be downloaded" in (said := message(tab.page)) and PYODIDE.netloc in said
        assert tab.page.url == f"{home}{CHAPTERS[0]}.html"


def test_on_a_file_the_button_says_that_a_server_is_needed(chromium, site):
    with browsing.Tab(chromium, f"{site.as_uri()}/") as tab:
        tab.open(f"{CHAPTERS[0]}.html")
        assert "http.server" in message(tab.page)
        tab.page.evaluate("document.querySelector('.run-chapter-message').textContent = ''")
        tab.page.keyboard.down("Control")
        assert "http.server" in message(tab.page) and len(tab.context.pages) == 1
        tab.page.keyboard.up("Control")
        assert tab.troubles == []
