"""Chapters in a real JupyterLab: readable before they are trusted, run from the top, and frames that the kernel moves.

The variable CNNLIB_LAB_CHAPTERS names others than the usual ones, or "all".
"""

import json
import os
import subprocess
import sys
import time

import browsing
import chapter_in_jupyter
import pytest
from bs4 import BeautifulSoup
from building import ROOT, copy_from_checkout

CHAPTERS = browsing.chosen("CNNLIB_LAB_CHAPTERS", ["delta_recursion"])
PATIENCE = 240  # seconds for a chapter
SETTINGS = {  # all cells are in the page, not only those in sight; no questions
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false"},
}
OPTIONS = """--no-browser --allow-root --port=0 --ip=127.0.0.1 --IdentityProvider.token= --expose-app-in-browser
--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate""".split()
READ = """[...document.querySelectorAll('.jp-OutputArea-output :is(.cnn-figure, .cnn-frames)')]
  .map(e => e.innerText.trim())"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab in a folder with copies of the chapters."""
    folder = tmp_path_factory.mktemp("lab")
    for name, settings in SETTINGS.items():
        path = folder / "settings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")
    (folder / "book").mkdir()
    for page in CHAPTERS:
        copy_from_checkout(f"{page}.ipynb", folder)
    places = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    places |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={folder / 'book'}"]
    with open(folder / "log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=os.environ | places, stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 120
        while not (
            told := [
                text
                for path in (folder / "runtime").glob("jpserver-*.json")
                if (text := path.read_text("utf-8"))
            ]
        ):
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / "log").read_text(encoding="utf-8"))
            time.sleep(0.1)
        yield json.loads(told[0])["url"]
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module", params=CHAPTERS)
def tab(request, chromium, lab):
    """A chapter opened in JupyterLab, not trusted; `stored` is as it is stored."""
    with browsing.Tab(chromium, lab, viewport={"width": 1280, "height": 900}) as tab:
        tab.stored = chapter_in_jupyter.stored(request.param)
        tab.moves = any('class="cnn-frames' in text for text in chapter_in_jupyter.displayed(tab.stored))
        tab.page.set_default_timeout(1000 * PATIENCE)
        name = request.param.rpartition("/")[2]
        tab.page.goto(
            f"{lab}lab/workspaces/{name}/tree/{name}.ipynb"
        )  # the usual one has the last chapter open, too
        chapter_in_jupyter.wait_for_cells(tab.page, tab.stored)
        yield tab
        tab.page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")


def test_an_untrusted_notebook_shows_the_alternative_texts_and_no_stray_letters(tab):
    texts = [
        BeautifulSoup(text, "html.parser").div
        for text in chapter_in_jupyter.displayed(tab.stored)
        if "<div" in text
    ]
    wanted = [div.p.text for div in texts if div["class"] in (["cnn-figure"], ["cnn-frames"])]
    assert tab.page.evaluate(READ) == wanted and (wanted or not tab.moves)


def test_run_all_gives_what_is_stored(tab):
    assert chapter_in_jupyter.differences(tab.stored, chapter_in_jupyter.run_all(tab.page)) == {}


def test_the_kernel_moves_every_frames(tab):
    assert (chapter_in_jupyter.move_frames(tab.page, tab.stored) > 0) == tab.moves


def test_a_click_on_a_cell_moves_the_frames(tab):
    assert chapter_in_jupyter.click_cells(tab.page, tab.stored) > 0 or not tab.moves


def test_nothing_went_wrong(tab):
    assert [
        error for error in tab.errors() if "@jupyterlite/" not in error
    ] == []  # whose kernel is for browsers
