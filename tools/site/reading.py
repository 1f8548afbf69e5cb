"""Where a chapter's ideas are from and what to read next: under "What comes next" of each page, and for all chapters on the page
of references.

`reading.toml` has what stands there, by the keys of `book/references.bib`; the bibliography itself is sphinxcontrib-bibtex's.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

import nbformat
from docutils import nodes
from pybtex.database import parse_file
from pybtex.richtext import Text
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

BOOK, PAGE = "book/", "book/references"
SOURCES = "tools/site/reading.toml", PAGE + ".bib"
ANCHOR = "cite-{key}"  # as bibtex_cite_id in _config.yml
HEADINGS = re.compile(r"What (?:comes|to do) next")
LABELS = {"from": "Where it is from", "next": "Read next"}


@cache
def entries(root):
    """{key: entry} of book/references.bib."""
    return parse_file(str(Path(root, PAGE + ".bib")), bib_format="bibtex").entries


@cache
def reading(root):
    """{chapter: {"from" or "next": [(key, what a reader finds there), ...]}}, as reading.toml says. ExtensionError for a key that
    the references do not have, or another kind of list."""
    found = tomllib.loads(Path(root, "tools", "site", "reading.toml").read_text(encoding="utf-8"))
    for chapter, lists in found.items():
        if unknown := {*lists} - {*LABELS}:
            raise ExtensionError(
                f"reading.toml, {chapter}: wants the lists from and next, got {', '.join(unknown)}"
            )
        for key in (key for items in lists.values() for key, _ in items):
            if key not in entries(root):
                raise ExtensionError(f"reading.toml, {chapter}: {key!r} is not in {PAGE}.bib")
    return found


def label(entry):
    """What a link to a reference says: "LeCun and others, 1998"."""
    names = [
        str(Text.from_latex(" ".join([*person.prelast_names, *person.last_names])))
        for person in entry.persons.get("author", ())
    ]
    names = [name for name in names if name != "others"] if len(names) < 3 else [names[0], "others"]
    who = " and ".join(names) if names else str(Text.from_latex(entry.fields["title"]))
    return f"{who}, {entry.fields['year']}" if "year" in entry.fields else who


def title(entry):
    """The title of a reference, without the marks of BibTeX."""
    return str(Text.from_latex(entry.fields["title"]))


def chapter_title(root, docname):
    """The first heading of a notebook, which is not read yet."""
    cells = nbformat.read(Path(root, f"{docname}.ipynb"), as_version=4).cells
    return re.match("# (.+)", cells[0].source)[1]


def items(app, docname, named):
    """A list of references: each a link to the bibliography, which names its title, and a sentence."""
    found = nodes.bullet_list(bullet="-")
    for key, says in named:
        entry = entries(app.srcdir)[key]
        where = app.builder.get_relative_uri(docname, PAGE) + "#" + ANCHOR.format(key=key)
        work = nodes.emphasis("", title(entry), classes=["work"])
        link = nodes.reference("", "", nodes.Text(f"{label(entry)}, "), work, refuri=where, internal=True)
        paragraph = nodes.paragraph("", "", link)
        paragraph += nodes.Text(f"{'' if title(entry).endswith('?') else '.'} {says}")
        found += nodes.list_item("", paragraph)
    return found


def lists(app, docname, chapter):
    """The two lists of a chapter, each below its label."""
    for kind, named in reading(app.srcdir)[chapter].items():
        yield nodes.paragraph("", "", nodes.strong("", LABELS[kind]), classes=["reading"])
        yield items(app, docname, named)


def add_to_chapter(app, doctree):
    """Put a chapter's lists at the end of its section on what comes next."""
    docname = app.env.docname
    chapter = docname.removeprefix(BOOK)
    if not docname.startswith(BOOK):
        return
    for source in SOURCES:
        app.env.note_dependency(source)
    if chapter not in reading(app.srcdir):
        return
    for section in doctree.findall(nodes.section):
        if HEADINGS.fullmatch(section.next_node(nodes.title).astext()):
            section.extend(lists(app, docname, chapter))
            return
    raise ExtensionError(f"reading.toml: {docname} has no section {HEADINGS.pattern!r}")


class ReadingLists(SphinxDirective):
    """The lists of all chapters, in the order of the book."""

    def run(self):
        app, parts = self.env.app, []
        toc = self.env.external_site_map  # sphinx-external-toc's
        pages = [str(page) for page in toc if str(page).removeprefix(BOOK) in reading(app.srcdir)]
        for source in [*SOURCES, *(f"{page}.ipynb" for page in pages)]:
            self.env.note_dependency(source)
        for docname in pages:
            chapter = docname.removeprefix(BOOK)
            section = nodes.section(ids=[f"read-{chapter.replace('_', '-')}"])
            address = app.builder.get_relative_uri(PAGE, docname)
            link = nodes.reference("", chapter_title(app.srcdir, docname), refuri=address, internal=True)
            section += [nodes.title("", "", link), *lists(app, self.env.docname, chapter)]
            parts.append(section)
        return parts


def setup(app):
    """Register the hooks and the directive."""
    app.add_directive("reading-lists", ReadingLists)
    app.connect("doctree-read", add_to_chapter)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
