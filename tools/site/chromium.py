"""The system's Chromium, driven by Playwright, with no way to another machine: for the PDF, and for tests."""

import os
import shutil
from contextlib import contextmanager
from importlib.util import find_spec

NAMES = [
    *"chromium-headless-shell chrome-headless-shell".split(),  # the same without a window, and a sixth faster
    *"chromium chromium-browser google-chrome google-chrome-stable chrome msedge".split(),
]
PLACES = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
]
QUIET = (
    "--disable-background-networking --disable-component-update --disable-quic --disable-sync --no-first-run"
)


def program():
    """The path of a Chromium, Chrome or Edge, or None. FileNotFoundError where CNNLIB_CHROMIUM names none."""
    if named := os.environ.get("CNNLIB_CHROMIUM"):
        if shutil.which(named) is None:
            raise FileNotFoundError(f"CNNLIB_CHROMIUM wants the path of a program, got {named!r}")
        return named
    return next(filter(None, [*map(shutil.which, NAMES), *map(shutil.which, PLACES)]), None)


def missing():
    """What must be installed before a browser can be started, as a sentence; None where nothing is missing."""
    if find_spec("playwright") is None:
        return "Playwright is not installed: run pip install -r requirements.txt"
    if program() is None:
        return "no Chromium is installed: apt-get install chromium, or Chrome on Windows and macOS"


@contextmanager
def launched(playwright, mapped=(), *arguments):
    """A browser for which every host but this machine does not exist. mapped: pairs (host:port, host:port), where what
    is meant for the first goes to the second."""
    rules = [*(f"MAP {there} {here}" for there, here in mapped), "MAP * ~NOTFOUND"]
    rules += ["EXCLUDE localhost", "EXCLUDE 127.0.0.1"]
    options = [*QUIET.split(), f"--host-resolver-rules={', '.join(rules)}", *arguments]
    browser = playwright.chromium.launch(executable_path=program(), args=options)
    try:
        yield browser
    finally:
        browser.close()
