"""The pages `book/api*`: what the library offers, out of its docstrings, and the links between these entries and the chapters.

A page says in Markdown what belongs together, with the directive `public` where the entries of a module stand: autodoc writes
them, a section each, so that contents and search know them. A name in a chapter's code span leads to its entry, once in a
section; an entry names the sections that explain it. A code span with a name of `cnnlib` that is not there is a warning.
"""

import ast
import builtins
import importlib
import inspect
import re
import textwrap
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.util import logging

import cnnlib
import folds
from search import parts, prose, table, tokens

ROOT = Path(cnnlib.__file__).resolve().parents[1]
PREFIX, LEDGER = "book/api", "cnnlib/data/ledger.toml"
MODULES = (
    "datasets",
    "formulas",
    "training",
    "parallel",
    "practice",
    "show",
)  # whose names are written with theirs before them
# Methods that other parts of the library call, and no reader; of a layer only Layer's own are for who writes another.
INNER = set(
    """divisor recall forget named matrix kernels unroll roll places strips taps holds about raised verdict said whole widget html
    rows case seen count gather links spread used""".split()
)
TYPES = (
    "Array",
    "Shape",
    "Size",
    "Init",
    "Seed",
    "Pair",
    "Split",
    "Source",
)  # names of hints, which book/api explains
KNOWN = {*dir(builtins), "ArrayLike", "Any", "Callable", "Iterable", "Iterator", "Sequence"}
KNOWN |= {"Index", "Expression", "expressions.Array"}  # which the page of show explains
KNOWN |= {"np.ndarray", "numpy.ndarray", "np.dtype", "os.PathLike", "collections.abc.Callable"}
SPAN = re.compile(r"(?:cnnlib\.)?([A-Za-z_][\w.]*)(?:\(.*\))?", re.DOTALL)
NAME = re.compile(
    r"(?<![\w.])(?:[A-Za-z_]\w*(?:\.\w+)+|[A-Za-z_]\w*(?=\())"
)  # in a program: with a dot, or called
ENTRY = re.compile(r"\b[KQSZE]\d\d\b")
MOST = 3  # sections that an entry names
log = logging.getLogger(__name__)


def offered(module):
    """The names of the functions and classes that a module offers: in its ``__all__``, or written in it."""
    names = getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")])
    things = {name: getattr(module, name) for name in names}
    things = {n: thing for n, thing in things.items() if inspect.isfunction(thing) or inspect.isclass(thing)}
    own = hasattr(module, "__all__")
    return [n for n, thing in things.items() if own or thing.__module__ == module.__name__]


def constants(module):
    """The names in a module's ``__all__`` of what is neither a function nor a class nor a module of the library."""
    return [
        name
        for name in module.__all__
        if not inspect.isfunction(thing := getattr(module, name))
        and not inspect.isclass(thing)
        and not (inspect.ismodule(thing) and thing.__name__.startswith("cnnlib"))
    ]


def public(module, name):
    """How a reader writes a name: without cnnlib where cnnlib has it itself, else with the module before it."""
    if hasattr(cnnlib, name) and getattr(cnnlib, name) is getattr(module, name):
        return name
    short = module.__name__.removeprefix("cnnlib.")
    return f"{short}.{name}" if short.partition(".")[0] in MODULES else name


def methods(thing):
    """The methods and properties of a class that a reader calls, in the order in which they are written."""
    return [
        name
        for name, member in vars(thing).items()
        if not name.startswith("_")
        and (name not in INNER or thing is cnnlib.Layer)
        and (inspect.isfunction(member) or isinstance(member, property))
    ]


class Public(Directive):
    """`public:: module [name ...]`: an entry for each of the names, by default for all that the module offers."""

    required_arguments, optional_arguments, final_argument_whitespace = 1, 1, True

    def run(self):
        """A section for each name."""
        module = importlib.import_module(self.arguments[0])
        names = "".join(self.arguments[1:]).split() or offered(module)
        return [self.entry(module, name) for name in names]

    def entry(self, module, name):
        """The section of one name."""
        shown, thing = public(module, name), getattr(module, name)
        path = f"cnnlib.{shown}" if hasattr(cnnlib, shown.partition(".")[0]) or "." in shown else None
        path = path or f"{module.__name__}.{name}"
        kind = "class" if inspect.isclass(thing) else "function"
        lines = [f".. auto{kind}:: {path}"] + (
            [f"   :members: {', '.join(found)}", "   :member-order: bysource"]
            if kind == "class" and (found := methods(thing))
            else []
        )
        section = nodes.section(ids=[nodes.make_id(shown)], names=[shown], classes=["api-entry"])
        section += nodes.title("", shown)
        self.state.nested_parse(StringList(lines, source=path), 0, section)
        for made in section.findall(nodes.table):
            made["classes"].append("stacks")
        file = Path(inspect.getsourcefile(inspect.unwrap(thing))).resolve().relative_to(ROOT).as_posix()
        section += nodes.paragraph("", classes=["api-places"], api=(shown, file))
        return section


class Constants(Directive):
    """`public-constants:: module`: the names and values of a module that are neither functions nor classes."""

    required_arguments = 1

    def run(self):
        """One line each."""
        module = importlib.import_module(self.arguments[0])
        rows = nodes.bullet_list()
        for name in constants(module):
            shown, value = public(module, name), getattr(module, name)
            said = value.__name__ if inspect.ismodule(value) else getattr(value, "name", repr(value))
            line = nodes.paragraph(
                "", "", nodes.literal("", shown), nodes.Text(": "), nodes.literal("", said)
            )
            rows += nodes.list_item("", line, ids=[nodes.make_id(shown)])
        return [rows]


class Names(Directive):
    """`public-names::`: the contents of the page, filled in when all of it is read."""

    def run(self):
        """An empty place."""
        return [nodes.bullet_list(classes=["api-names"])]


def list_names(doctree):
    """Fill the contents: for each section its entries."""
    for place in [node for node in doctree.findall(nodes.bullet_list) if "api-names" in node["classes"]]:
        for part in doctree[0].children:
            below = [node for node in part.children if isinstance(node, nodes.section)]
            if isinstance(part, nodes.section) and below:
                line = nodes.paragraph("", "", *link_of(part), nodes.Text(": "))
                for n, entry in enumerate(below):
                    line += [nodes.Text(", ")] * bool(n) + link_of(entry)
                place += nodes.list_item("", line)


def link_of(section):
    """A link to a section of the same page, with the words of its heading."""
    words = section.next_node(nodes.title).astext()
    return [nodes.reference("", words, refid=section["ids"][0], internal=True)]


# ---- what autodoc is told


def signature(app, what, name, thing, options, given, result):
    """The signature as it is written, with the short names of hints."""
    called = thing.__init__ if inspect.isclass(thing) else inspect.unwrap(thing)
    if not inspect.isfunction(called):
        return None
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(called))).body[0]
    except (OSError, SyntaxError):  # the constructor that a dataclass makes
        return None
    args = [*node.args.posonlyargs, *node.args.args]
    if args and args[0].arg == "self":
        (node.args.posonlyargs or node.args.args).pop(0)
    gives = node.returns and not inspect.isclass(thing)
    return f"({ast.unparse(node.args)})", ast.unparse(node.returns) if gives else None


def mark_parameters(app, what, name, thing, options, lines):
    """Where a docstring begins a sentence with parameters and a colon, "rows, cols: ...", these are code."""
    try:
        names = "|".join(map(re.escape, inspect.signature(thing).parameters))
    except (TypeError, ValueError):
        return
    if names:
        begin = re.compile(rf"(^|(?<=[.;)] ))((?:{names})(?:,\s(?:{names}))*):(?=\s)", re.MULTILINE)
        parts = re.split(r"\n(?=\n)", "\n".join(lines))
        marked = [
            part if part.strip().startswith(">>>") else begin.sub(lambda at: code(at[2]) + ":", part)
            for part in parts
        ]
        lines[:] = "\n".join(marked).split("\n")


def code(names):
    """Names with commas between them as code."""
    return re.sub(r"\w+", r"``\g<0>``", names)


def explain_type(app, env, node, contnode):
    """Hints: the short names lead to where they are explained, what Python has stays text, the rest is the library's."""
    if node.get("refdomain") != "py" or not node.get("refdoc", "").startswith(PREFIX):
        return None
    target = node["reftarget"].removeprefix("cnnlib.")
    if target in TYPES:
        address = app.builder.get_relative_uri(node["refdoc"], PREFIX)
        return nodes.reference("", "", contnode, refuri=f"{address}#{TYPE_SECTION}", internal=True)
    if place := next((p for p in env.api_entries if f".{p}".endswith(f".{target}")), None):
        return nodes.reference("", "", contnode, refuri=where(app, node["refdoc"], place), internal=True)
    return contnode if target in KNOWN else None


TYPE_SECTION = "types"


# ---- where names are used


@cache
def exists(path):
    """Whether a name with dots is one of the library's."""
    thing = cnnlib
    for part in path.split("."):
        if not hasattr(thing, part) and inspect.ismodule(thing):
            try:
                importlib.import_module(f"{thing.__name__}.{part}")
            except ImportError:
                return False
        if not hasattr(thing, part):
            return False
        thing = getattr(thing, part)
    return True


def named(text):
    """The name that a code span says, without cnnlib and arguments; None where it is another's, or a path."""
    found = SPAN.fullmatch(text.strip())
    if not found or found[1].endswith((".py", ".toml", ".json", ".ipynb")):
        return None
    return found[1]


def section_of(node):
    """The section in which a node stands, and the chain of those around it."""
    chain = []
    while node is not None:
        if isinstance(node, nodes.section):
            chain.append(node)
        node = node.parent
    return chain


def spans(doctree):
    """The code spans of a page's own text."""
    for span in doctree.findall(nodes.literal):
        around, node = [], span.parent
        while node is not None:
            around.append(node)
            node = node.parent
        if not any(isinstance(a, (nodes.title, nodes.reference)) or is_output(a) for a in around):
            yield span


def is_output(node):
    """Whether a node is what a cell has shown."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code_output"


def collect(app, doctree):
    """Note the entries of a page, or what a chapter says and uses; warn of names that are not there."""
    env, page = app.env, app.env.docname
    if page.startswith(PREFIX):
        env.note_dependency(LEDGER)
        list_names(doctree)
        for place in doctree.findall(lambda n: isinstance(n, nodes.paragraph) and "api" in n):
            env.api_entries[place["api"][0]] = page, place.parent["ids"][0]
        for item in doctree.findall(nodes.list_item):
            if item["ids"]:
                env.api_entries[item.astext().partition(":")[0]] = page, item["ids"][0]
        link_entries(app, doctree, page)
        return
    said, used = [], []
    for span in spans(doctree):
        if not (name := named(span.astext())):
            continue
        first, whole = name.partition(".")[0], span.astext().startswith("cnnlib.")
        if (whole or (first in MODULES and "." in name)) and not exists(name):
            log.warning("%s: cnnlib has no %s", page, name, location=span)
        if chain := section_of(span):
            said.append((name, chain[0]["ids"][0], heading(chain[0])))
    for block in doctree.findall(nodes.literal_block):
        if (chain := section_of(block)) and not is_output(block.parent):
            place = chain[0]["ids"][0], heading(chain[0])
            used += [(name, *place) for name in set(NAME.findall(block.astext()))]
    env.api_said[page], env.api_used[page] = said, used
    lectures = [s["ids"][0] for s in doctree.findall(nodes.section) if heading(s) == folds.LECTURES]
    env.api_lectures[page] = "".join(lectures[:1])


def heading(section):
    """The words of a section's heading."""
    return prose(section.next_node(nodes.title), {})


@cache
def ledger():
    """Each entry of the ledger with its chapter."""
    read = tomllib.loads((ROOT / LEDGER).read_text(encoding="utf-8"))
    return {entry: of["chapter"] for entry, of in read["entries"].items()}


def link_entries(app, doctree, page):
    """Give each number of the ledger in an entry's text a place for its link."""
    for text in list(doctree.findall(nodes.Text)):
        node, quiet = text.parent, False
        while node is not None and not quiet:
            quiet = isinstance(node, (nodes.literal, nodes.literal_block, nodes.title, nodes.reference))
            node = node.parent
        if quiet or not (ENTRY.search(text) or "->" in text):
            continue
        parent, parts, at = text.parent, [], 0
        place, text = parent.index(text), nodes.Text(text.replace("->", "→"))
        for found in ENTRY.finditer(text):
            if found[0] not in ledger():
                log.warning("%s: the ledger has no %s", page, found[0], location=parent)
                continue
            parts += [
                nodes.Text(text[at : found.start()]),
                nodes.inline("", found[0], classes=["api-number"]),
            ]
            at = found.end()
        parent[place : place + 1] = [*parts, nodes.Text(text[at:])]


def where(app, page, name):
    """The address of a name's entry, from a page."""
    target, place = app.env.api_entries[name]
    return f"{app.builder.get_relative_uri(page, target)}#{place}"


def link_names(app, doctree, page):
    """Link the names of a chapter with their entries, and the entries of a page with the chapters."""
    env = app.env
    if page.startswith(PREFIX):
        return finish(app, doctree, page)
    done = set()
    for span in list(spans(doctree)):
        name = named(span.astext())
        if (chain := section_of(span)) and (entry := entry_of(env, name)):
            top = chain[-2] if len(chain) > 1 else chain[0]
            if (key := (top["ids"][0], entry)) not in done:
                done.add(key)
                link = nodes.reference("", "", refuri=where(app, page, entry), internal=True, classes=["api"])
                span.parent.replace(span, link)
                link += span


def entry_of(env, name):
    """The entry of a name, as chapters write it, or of the class whose method it is; None where none has it."""
    for whole in (name, f"show.{name}"):
        if whole in env.api_entries:
            return whole
        owner = (whole or "").rpartition(".")[0]
        if owner in env.api_entries and exists(owner) and exists(whole):
            return owner
    return None


def finish(app, doctree, page):
    """Fill the last line of each entry, and link its numbers of the ledger."""
    entries = {said: entry_of(app.env, said) for said in names_said(app.env)}
    for line in list(doctree.findall(lambda n: isinstance(n, nodes.paragraph) and "api" in n)):
        name, file = line["api"]
        how, places = explained(app.env, name, entries)
        for n, (chapter, section, words) in enumerate(places):
            line += nodes.Text("; " if n else f"{how} in: ")
            address = app.builder.get_relative_uri(page, chapter)
            title = app.env.titles[chapter].astext()
            text = title if words == title else f"{title} › {words}"
            line += nodes.reference("", text, refuri=f"{address}#{section}", internal=True)
        line += [nodes.Text(". " if places else ""), nodes.Text("Source: "), nodes.literal("", file)]
    for mark in list(doctree.findall(nodes.inline)):
        if "api-number" in mark["classes"]:
            chapter = f"book/{ledger()[mark.astext()]}"
            if section := app.env.api_lectures.get(chapter):
                address = app.builder.get_relative_uri(page, chapter)
                title = f"{mark.astext()}, settled in: {app.env.titles[chapter].astext()}"
                link = nodes.reference(
                    "", mark.astext(), refuri=f"{address}#{section}", internal=True, reftitle=title
                )
                mark.parent.replace(mark, link)


def names_said(env):
    """The names that chapters say or use."""
    noted = (*env.api_said.values(), *env.api_used.values())
    return {said for names in noted for said, *_ in names}


def explained(env, name, entries):
    """("Explained", [(page, section, heading)]) of the sections that say a name, or else ("Used", ...) of those whose programs
    have it, in the order of the book: those whose headings are about it, or else those that have it most often, or first.
    Exercises and summaries count where there is nothing else. entries: {name as chapters write it: its entry}."""
    groups, background = table()
    about = set(tokens(" ".join(parts([name.rpartition(".")[2]])), groups))
    found = []
    for how, noted in (("Explained", env.api_said), ("Used", env.api_used)):
        times = Counter(
            (page, section, words)
            for page in pages_in_order(env)
            for said, section, words in noted.get(page, [])
            if entries[said] == name and words != folds.LECTURES
        )
        common = {
            place: len(about & set(tokens(f"{env.titles[place[0]].astext()} {place[2]}", groups)))
            for place in times
        }
        best = sorted(times, key=lambda place: (-common[place], -times[place]))
        best = [place for place in best if common[place]] or best
        found.append((how, [place for place in best if place[2] not in background][:MOST], times))
        found.append((how, best[:MOST], times))
    how, best, times = next((f for f in found[::2] + found[1::2] if f[1]), ("", [], []))
    return how, [place for place in times if place in best]


def pages_in_order(env):
    """Every page in the order of the table of contents."""

    def below(page):
        return [page, *(other for child in env.toctree_includes.get(page, []) for other in below(child))]

    return below(env.config.root_doc)


NOTED = "api_entries", "api_said", "api_used", "api_lectures"


def begin(app, env, docnames):
    """Have a place for what pages say."""
    for name in NOTED:
        if not hasattr(env, name):
            setattr(env, name, {})


def purge(app, env, page):
    """Forget what a page said."""
    for name in NOTED[1:]:
        getattr(env, name, {}).pop(page, None)
    env.api_entries = {n: place for n, place in getattr(env, "api_entries", {}).items() if place[0] != page}


def merge(app, env, docnames, other):
    """Take over what another process has read."""
    for name in NOTED:
        getattr(env, name).update(getattr(other, name))


def anew(app, env):
    """Entries name sections of chapters, so these pages are written whenever one has been read."""
    return [page for page in env.all_docs if page.startswith(PREFIX)]


def setup(app):
    """Register directives and hooks."""
    app.add_directive("public", Public)
    app.add_directive("public-constants", Constants)
    app.add_directive("public-names", Names)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", mark_parameters)
    app.connect("env-before-read-docs", begin)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("doctree-read", collect)
    app.connect("env-updated", anew)
    app.connect("missing-reference", explain_type)
    app.connect("doctree-resolved", link_names, priority=800)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
