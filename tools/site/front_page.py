"""What the build adds to the first page, at comments in its text: the buttons, the map of the chapters, what is counted,
the downloads. Nothing of it is typed, so that nothing can go stale; a first page without these comments stays as it is."""

import ast
import re
import tomllib
from collections import Counter
from html import escape
from pathlib import Path

import nbformat

import folds
import page_kinds

WORDS, LINES = 100, 10  # that are read in a minute: prose with formulas, and code that is not folded
CARD = '<details class="cnn-card"'  # of a mistake, in the gallery of wrong answers
CLAIM = re.compile(
    r"^[A-Z]\d\d(?:\.[\w-]+)? (?:erratum|unreadable|reconstructed|convention|confirmed): ", re.MULTILINE
)
COUNTED = {
    "executed": "book/coverage",
    "errata": "book/errata",
    "wrong": "book/wrong_answers",
}  # the pages that show them
PANEL = re.compile(r'\n?<div class="run-chapter[^"]*">.*?</div>', re.DOTALL)
START = re.compile(r'(<a class="run-chapter-start"[^>]*>).*?</a>', re.DOTALL)
BUTTONS = re.compile(r"<!-- buttons -->\s*<p>(.*?)</p>", re.DOTALL)
MESSAGE = '<p class="run-chapter-message" role="status"></p>'


def parts(root):
    """[(caption, [chapter, ...]), ...] of the table of contents, less the first page and what is no chapter."""
    found = [
        (caption, [page for page in pages if page_kinds.is_chapter(root, page)])
        for caption, pages in page_kinds.parts(root)
    ]
    return [(caption, pages) for caption, pages in found if pages]


def needs(root):
    """{page: [pages that it needs]}, as tools/site/chapters.toml says, by the names in the table of contents."""
    return {f"book/{name}": [f"book/{n}" for n in found] for name, found in _chapters(root)["needs"].items()}


def short_titles(root, titles):
    """{page: its name in the map}, from its title: up to the colon, or what tools/site/chapters.toml has in its place."""
    instead = _chapters(root)["short"]
    return {page: instead.get(_name(page), title.partition(":")[0]) for page, title in titles.items()}


def _chapters(root):
    return tomllib.loads(Path(root, "tools", "site", "chapters.toml").read_text(encoding="utf-8"))


def extent(notebook):
    """(words, lines) of a chapter before the section on the lectures: words of all its text, what stands between blanks, with
    formulas and with folded solutions, and lines of the programs that are not folded."""
    words = lines = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if re.match(rf"## {folds.LECTURES}\s*$", cell.source, re.MULTILINE):
                break
            words += len(cell.source.split())
        elif not {"hide-cell", "hide-input"} & {*cell.metadata.get("tags", [])}:
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
    return words, lines


def minutes(notebook):
    """How long it takes to read a chapter, to the next five minutes: WORDS and LINES a minute."""
    words, lines = extent(notebook)
    return 5 * max(1, round((words / WORDS + lines / LINES) / 5))


def counted(ledger, notebooks):
    """{"executed", "errata", "checks", "wrong"}: the ledger's entries that a chapter computes, those of them that are errata,
    what the chapters' code compares: its assert statements, and the claims that it printed; and the mistakes that have a card."""
    verdicts = Counter(entry["verdict"] for entry in ledger["entries"].values())
    checks = wrong = 0
    for cell in (cell for notebook in notebooks for cell in notebook.cells if cell.cell_type == "code"):
        checks += sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(cell.source)))
        checks += sum(len(CLAIM.findall(out.text)) for out in cell.outputs if out.output_type == "stream")
        wrong += sum(out.get("data", {}).get("text/html", "").count(CARD) for out in cell.outputs)
    executed = sum(
        verdicts[name] for name in ("erratum", "unreadable", "reconstructed", "convention", "confirmed")
    )
    return {"executed": executed, "errata": verdicts["erratum"], "checks": checks, "wrong": wrong}


def counts_html(counted, lectures, pages):
    """What is counted, as a list. pages: {what is counted: the address of the page that has it}."""
    said = {
        "executed": f"statements of {lectures} lectures, executed",
        "errata": "errata found in them",
        "checks": "checks that hold in the chapters' code",
        "wrong": "wrong answers caught and named",
    }

    def words(name):
        return f'<a href="{escape(pages[name])}">{said[name]}</a>' if name in pages else said[name]

    items = "".join(f"<li><b>{counted[name]:,}</b> {words(name)}</li>" for name in said if counted[name])
    return f'<ul class="front-counts">{items}</ul>'


def map_html(parts, needs, titles, minutes, address):
    """The chapters as a list of links, in rows of one height, with an arc from each chapter to those that need it.

    parts: as of `parts`. needs, titles, minutes: of each page. address: function of a page."""
    rows, lists = {}, []
    for at, (caption, pages) in enumerate(parts):
        first = at + 1 + len(rows)  # the captions have rows as well
        rows |= {page: first + k for k, page in enumerate(pages)}
        items = "".join(_item(page, needs[page], titles, minutes[page], address(page)) for page in pages)
        lists.append(f"<li><span>{escape(caption)}</span><ul>{items}</ul></li>")
    pairs = [(need, page) for page in rows for need in needs[page]]
    height = len(rows) + len(parts)
    arcs = "".join(_arc(rows[need], rows[page], height, _name(page)) for need, page in pairs)
    lit = [f'.front-map:has([data-chapter="{_name(page)}"]:is(:hover,:focus-within))' for page in rows]
    style = "".join(
        f'{now} path[data-to="{_name(page)}"]{{stroke-opacity:1;stroke-width:2.5}}'
        + "".join(
            f'{now} [data-chapter="{_name(need)}"]>a{{background:var(--pst-color-surface)}}'
            for need in needs[page]
        )
        for now, page in zip(lit, rows, strict=True)
    )
    label = "Arcs lead to each chapter from those that it needs; the list says the same in words."
    view = f'role="img" aria-label="{label}" viewBox="0 0 100 {height}" preserveAspectRatio="none"'
    return (
        f'<nav class="front-map" aria-label="Chapters"><style>{style}</style><svg {view}>{arcs}</svg>\n'
        f'<ul>{"".join(lists)}</ul></nav>\n<p class="front-note">An arrow leads to a chapter from each that it needs. '
        f"A minute is {WORDS} words or {LINES} lines of open code.</p>"
    )


def _item(page, needs, titles, minutes, address):
    after = (
        f'<span class="visually-hidden">, needs {escape(", ".join(titles[n] for n in needs))}</span>'
        if needs
        else ""
    )
    link = f'<a href="{escape(address)}">{escape(titles[page])}</a>'
    return f'<li data-chapter="{_name(page)}"{" data-needs" if needs else ""}>{link}<span>{minutes}\xa0min{after}</span></li>'


def _arc(start, end, height, name):
    """From the lower half of one row to the upper half of another, the wider the farther."""
    y0, y1, x = start + 0.65, end + 0.4, 92 - 85 * ((end - start) / height) ** 0.6
    return f'<path data-to="{name}" d="M100 {y0:g}C{x:.0f} {y0:g} {x:.0f} {y1:g} 96 {y1:g}"/>'


def _name(page):
    return page.rpartition("/")[2]


def fill(app, pagename, templatename, context, doctree):
    """Put into the first page what its comments ask for. The buttons take the run button with them, the downloads the rest
    of the links under the title."""
    if pagename != app.config.root_doc or "<!-- buttons -->" not in context.get("body", ""):
        return
    chapters = parts(app.srcdir)
    pages = [page for _, found in chapters for page in found]
    notebooks = {page: nbformat.read(app.env.doc2path(page), as_version=4) for page in [pagename, *pages]}
    ledger = tomllib.loads(Path(app.srcdir, "cnnlib", "data", "ledger.toml").read_text(encoding="utf-8"))
    titles = short_titles(app.srcdir, {page: app.env.titles[page].astext() for page in pages})
    times = {page: minutes(notebooks[page]) for page in pages}
    body, panel = context["body"], ""
    if found := PANEL.search(body):
        panel, body = found[0], body.replace(found[0], "", 1)
    run = START.search(panel)
    start = START.sub(r"\1Run it</a>", run[0]) if run else ""
    rest = panel.replace(run[0], "", 1).replace(MESSAGE, "") if run else panel
    filled = {
        "chapters": map_html(
            chapters, needs(app.srcdir), titles, times, lambda page: context["pathto"](page)
        ),
        "counts": counts_html(
            counted(ledger, notebooks.values()),
            len(ledger["lectures"]),
            {name: context["pathto"](page) for name, page in COUNTED.items() if page in app.env.all_docs},
        ),
        "downloads": rest.replace('class="run-chapter', 'class="front-downloads', 1),
    }
    body = BUTTONS.sub(lambda m: _buttons(m[1], start), body)
    context["body"] = re.sub(r"<!-- (\w+) -->", lambda m: filled.get(m[1], m[0]), body)


def _buttons(paragraph, start):
    links = "\n".join([*re.findall(r"<a .*?</a>", paragraph, re.DOTALL), start])
    return f'<div class="run-chapter front-buttons">\n<p>{links}</p>\n{MESSAGE}\n</div>'


def always(app, env):
    """The first page is written at each build: it counts what stands in the others."""
    return [app.config.root_doc]


def setup(app):
    """Register the hooks, after those of run_in_browser.py, whose links are moved."""
    app.connect("env-updated", always)
    app.connect("html-page-context", fill, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
