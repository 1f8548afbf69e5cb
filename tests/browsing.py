"""A real browser for tests: the system's Chromium, driven by Playwright, with no way to another machine."""

import os
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import page_kinds
from building import ROOT
from chromium import launched, missing, program  # noqa: F401

AXE = Path(__file__).with_name("browser") / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
NEWEST = [
    "target-size",
    "label-content-name-mismatch",
]  # an older axe-core has not the first or not the second
COLOURS = ["color-contrast", "link-in-text-block"]
ALL_BUT_COLOURS = "all but COLOURS"


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder, under any prefix, in silence, and for scripts of any page."""

    protocol_version = "HTTP/1.1"

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def translate_path(self, path):
        return super().translate_path(path.removeprefix(self.server.prefix))

    def log_message(self, *_):
        pass


@contextmanager
def served(folder, prefix="", context=None):
    """The address of a static server of `folder` on this machine; by TLS where an ssl.SSLContext is given."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    server.daemon_threads, server.prefix = True, prefix
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'s' * bool(context)}://127.0.0.1:{server.server_port}{prefix}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Tab:
    """A page of the browser on the site at `home`, which may be several, and in `troubles` what went wrong on it: a
    request to elsewhere, one that failed, an error or warning in the console, an exception that nobody caught. look:
    as of Browser.new_context."""

    def __init__(self, browser, home, **look):
        homes = home if isinstance(home, tuple) else (home,)
        self.home, self.troubles = homes[0], []
        self.context = browser.new_context(**look)
        self.page = self.context.new_page()
        ours, note = (*homes, "data:", "blob:"), self.troubles.append
        self.page.on("request", lambda r: r.url.startswith(ours) or note(f"asks for {r.url:.200}"))
        self.page.on("requestfailed", lambda r: note(f"{r.url:.200}: {r.failure}"))
        self.page.on("response", lambda r: r.status < 400 or note(f"{r.url:.200}: {r.status}"))
        self.page.on(
            "console", lambda m: m.type in ("error", "warning") and note(f"console {m.type}: {m.text:.500}")
        )
        self.page.on("pageerror", lambda e: note(f"exception: {e}"))

    def open(self, name):
        """Go to a page of the site."""
        self.page.goto(f"{self.home}{name}")

    def errors(self):
        """`troubles` less the warnings in the console."""
        return [trouble for trouble in self.troubles if not trouble.startswith("console warning")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


# A closed box hides its faults.
_LAY_OPEN = """() => {
  const still = document.createElement("style");
  still.textContent = "*, *::before, *::after {transition: none !important; animation: none !important}";
  document.head.append(still);
  document.querySelectorAll("details:not(.run-chapter)").forEach(box => box.open = true);  // a menu would hide the text
  document.querySelectorAll("button.toggle-button-hidden").forEach(button => button.click());
}"""
# Nine tenths of a page's elements are strokes of drawings, which are one picture with one description, the parts of
# formulas, and the tokens of programs, of which one of each look is enough to be judged. The formulas within lines are
# all made alike, and so are the buttons that copy a program, and the cards of mistakes.
_THIN_OUT = """() => {
  const most = text => [...document.querySelectorAll(text)].slice(3);
  most("mjx-container:not([display])").forEach(formula => (formula.closest("span.math") ?? formula).replaceWith("x"));
  most("button.copybtn").forEach(button => button.remove());
  most(".cnn-card").forEach(card => card.remove());
  document.querySelectorAll("mjx-container > svg, svg[role=img], [role=img] svg, .cnn-pic svg").forEach(svg => svg.replaceChildren());
  document.querySelectorAll("mjx-assistive-mml").forEach(formula => formula.textContent += "");
  const seen = new Set(), backs = new Map();
  for (const token of document.querySelectorAll("div.highlight span[class]")) {
    const box = token.closest("div.highlight");
    if (!backs.has(box)) backs.set(box, getComputedStyle(box).backgroundColor);
    const look = backs.get(box) + token.className;
    if (seen.has(look)) token.replaceWith(...token.childNodes);
    seen.add(look);
  }
}"""
# What a text's contrast depends on, as it is computed now: its own colour, size and weight, and what lies behind it. Of
# texts alike in this, two are enough to be judged, with the line that they stand in, from which a link must differ.
_CHOOSE_TEXTS = """() => {
  const backs = new Map(), seen = new Map();
  const back = e => {
    if (!e) return "";
    if (!backs.has(e)) {
      const { backgroundColor, backgroundImage, opacity, filter, mixBlendMode } = getComputedStyle(e);
      const look = [backgroundColor, backgroundImage, opacity, filter, mixBlendMode].join();
      const nothing = ["rgba(0, 0, 0, 0),none,1,none,normal"].includes(look);
      backs.set(e, nothing ? back(e.parentElement) : back(e.parentElement) + look);
    }
    return backs.get(e);
  };
  for (const e of document.querySelectorAll("body *")) {
    const texts = [...e.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!texts || !e.checkVisibility()) continue;
    const { color, fontSize, fontWeight, textDecorationLine, textShadow } = getComputedStyle(e);
    const link = e.tagName === "A" && e.parentElement.tagName;
    const key = [link, color, fontSize, fontWeight, textDecorationLine, textShadow, back(e)].join();
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    if (count <= 2) for (const kept of [e, e.parentElement]) kept.setAttribute("data-judged", "");
  }
}"""
_THIN_OUT_TEXTS = """() => {
  for (const e of document.querySelectorAll("body *:not([data-judged], script, style, svg *)"))
    for (const node of [...e.childNodes]) if (node.nodeType === Node.TEXT_NODE && node.data.trim()) node.data = "";
}"""
_JUDGE = """([kind, values, without]) => axe.run(document, {
  preload: false,  // over file:// style sheets cannot be fetched, and no rule of these needs them
  runOnly: {type: kind, values},
  rules: Object.fromEntries(without.map(rule => [rule, {enabled: false}])),
  resultTypes: ["violations"],
})"""


# Of the Frames in stored outputs: the labels of the axes, and each frame as the browser itself would write it.
_STORED = """texts => texts.map(text => {
  const page = document.createElement("template");
  page.innerHTML = text;
  const root = page.content.querySelector(".cnn-frames"), start = root.querySelector("p").textContent;
  const picture = frame => {
    const box = document.createElement("div");
    box.innerHTML = frame.tagName === "SCRIPT" ? frame.textContent : frame.innerHTML;
    return box.innerHTML;
  };
  return {
    labels: JSON.parse(root.dataset.labels),
    choices: [...root.querySelectorAll(".cnn-axis")].map(axis => axis.getAttribute("role") === "radiogroup"),
    frames: [...root.querySelector(".cnn-view").children].map(frame => ({
      picture: picture(frame),
      alt: frame.dataset.alt ?? start,
      print: frame.dataset.print ?? null,
      start: frame.tagName === "DIV" && !frame.style.display,
    })),
  };
})"""


def stored_frames(page, texts):
    """Of each Frames in stored HTML: `labels`, the values on its axes, `choices`, whether an axis has buttons, and `frames`, each with its `picture`, `alt`, the
    caption `print` on paper or None, and whether it is the `start`."""
    return page.evaluate(_STORED, texts)


def turn(page, theme):
    """Let the reader's system be light or dark, and wait until the page is."""
    page.emulate_media(color_scheme=theme)
    page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)


def settle(page):
    """Wait until the page's script has seen what scrolls now: it does so in each frame, once sizes are known."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def put_on(page, medium):
    """Show the page on "screen" or in "print", which is wider."""
    page.emulate_media(media=medium)
    settle(page)


def resize(page, size):
    """Give the page another size."""
    page.set_viewport_size(size)
    page.wait_for_function("width => innerWidth === width", arg=size["width"])
    settle(page)


def lay_open(page):
    """Open all that is folded, and stop all that moves by itself."""
    page.evaluate(_LAY_OPEN)
    settle(page)


def thin_out(page):
    """Take away what axe-core need not see twice. Of no use for another test after that."""
    page.evaluate(_THIN_OUT)


def choose_texts(page):
    """Of the texts whose contrast is the same, as the page is now, choose those that stay."""
    page.evaluate(_CHOOSE_TEXTS)


def thin_out_texts(page):
    """Take away all texts that were never chosen. Only colours can be judged after that."""
    page.evaluate(_THIN_OUT_TEXTS)


def violations(page, axe, rules=None):
    """What axe-core, whose script is `axe`, finds wrong with the page, one sentence an element: by the rules of these
    names, by default by all those of WCAG 2.2 A and AA and its own best practice, ALL_BUT_COLOURS by all but two.
    RuntimeError where one did not run."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    without = COLOURS if rules is ALL_BUT_COLOURS else []
    rules = None if without else rules
    found = page.evaluate(_JUDGE, ["rule", rules, []] if rules else ["tag", TAGS, without])
    ran = {
        rule["id"]
        for outcome in ("violations", "passes", "incomplete", "inapplicable")
        for rule in found[outcome]
    }
    if unknown := {*(rules or NEWEST)} - ran:
        raise RuntimeError(f"axe-core {found['testEngine']['version']} did not run {sorted(unknown)}")
    return [
        f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}: {node['html']:.200}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def chosen(variable, usual):
    """The chapters of _toc.yml that the environment variable names, separated by blanks, or all where it says "all"; by
    default those of `usual` that there are, or else the first. ValueError for a name that is no chapter."""
    chapters = page_kinds.chapters(ROOT)
    names = {Path(page).name: page for page in chapters}
    asked = os.environ.get(variable, "").split()
    if asked == ["all"]:
        return chapters
    if unknown := [name for name in asked if name not in names]:
        raise ValueError(f"{variable} wants all or some of {' '.join(names)}, got {' '.join(unknown)}")
    return [names[name] for name in asked or usual if name in names] or chapters[:1]
