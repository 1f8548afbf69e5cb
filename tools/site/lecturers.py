"""What the build puts into the page for lecturers: which lecture's statements each chapter settles, and for each chapter a plan of
45 minutes, out of `plans.toml`, with what moves on its page and its exercises.

A plan names sections, Frames, exercises and mistakes. All of them are looked up, so none can be named that is not there.
"""

import csv
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

import front_page
from cnnlib.practice import catalogue, exercise

BOOK, PAGE, PLANS = "book/", "book/for_lecturers", "tools/site/plans.toml"
EXAMPLES = "assignment/examples.csv"
MINUTES = 45
SLIDES = "?slides"  # which book/_static/slides.js reads
VERBS = {"say": "Say", "show": "Show", "ask": "Ask", "set": "Set"}
KINDS = {"choice": "a choice", "function": "a program", "class": "a program", "text": "a word"}
NUMBERS = "numbers"  # what the other kinds ask for
LECTURES = "what-the-lectures-say"
SHARED = {"wrong-answers", "summary"}  # sections that all chapters have
HEADING = re.compile(r"^#{1,3} (.+)$", re.MULTILINE)
MOVES = re.compile(
    r'<div class="cnn-(?:frames|explorer)"(?: id="([\w-]+)")?.*?class="cnn-title"[^>]*>(.*?)<', re.DOTALL
)
ASKED = re.compile(r"^\*\*(\d+)\. (.+?)\.?\*\*", re.MULTILINE)
FIGURE = re.compile(r"\d[\d,]*\.\d+|\d[\d,]*\d")  # of two digits or more
# How the chapters call the lectures.
NAMES = {"K": "Kietikul", "S": "Shi", "Q": "Qian", "Z": "Zarezadeh", "E": "squared-error slides"}


@dataclass
class Chapter:
    """What a plan can name. title, minutes: of the page. sections: {anchor: heading}. moves: {title: anchor}, of the Frames and
    explorers. exercises: {number: (title, kind)}. words: all its text, with what its cells print and draw."""

    title: str
    minutes: int
    sections: dict
    moves: dict
    exercises: dict
    words: str


@cache
def chapter(root, name):
    """The Chapter of a notebook, from its cells and stored outputs."""
    notebook = nbformat.read(Path(root, BOOK, f"{name}.ipynb"), as_version=4)
    sections, moves, exercises, words, place = {}, {}, {}, [], ""
    for cell in notebook.cells:
        words.append(cell.source)
        if cell.cell_type == "markdown":
            for heading in HEADING.findall(re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)):
                place = nodes.make_id(heading)
                sections[place] = heading
            exercises |= {int(number): title for number, title in ASKED.findall(cell.source)}
            continue
        for output in cell.outputs:
            html = output.get("data", {}).get("text/html", "")
            words += [output.get("text", ""), re.sub("<[^>]*>", " ", html)]
            moves |= {unescape(title): anchor or place for anchor, title in MOVES.findall(html)}
    known = exercise.of_chapter(name) if name in exercise.chapters() else {}
    exercises = {
        number: (title, KINDS.get(known[f"{name}.{number}"].kind, NUMBERS))
        for number, title in exercises.items()
        if f"{name}.{number}" in known
    }
    return Chapter(
        *(sections[next(iter(sections))], front_page.minutes(notebook), sections),
        *(moves, exercises, "\n".join(words)),
    )


@cache
def plans(root):
    """{chapter: its plan}, as plans.toml says. ExtensionError that says what is wrong with one."""
    found = tomllib.loads(Path(root, PLANS).read_text(encoding="utf-8"))
    taught = [page.removeprefix(BOOK) for page in taught_pages(root)]
    if list(found) != taught:
        raise ExtensionError(f"plans.toml: wants the chapters {', '.join(taught)}, in this order")
    for name, plan in found.items():
        for problem in problems(chapter(root, name), plan):
            raise ExtensionError(f"plans.toml, {name}: {problem}")
    return found


def taught_pages(root):
    """The chapters that have a plan: those of all parts but the ones that chapters.toml names."""
    left_out = tomllib.loads(Path(root, "tools", "site", "chapters.toml").read_text(encoding="utf-8"))[
        "no_plan"
    ]
    return [page for caption, pages in front_page.parts(root) if caption not in left_out for page in pages]


def problems(chapter, plan):
    """What is wrong with a chapter's plan, in sentences."""
    steps = plan.get("steps", [])
    if not plan.get("aim", "").endswith("."):
        yield "wants an aim, a sentence"
    total = sum(step.get("minutes", 0) for step in steps)
    if total != MINUTES:
        yield f"its steps take {total} minutes, not {MINUTES}"
    if missing := VERBS.keys() - {verb for step in steps for verb in step}:
        yield f"no step says {', '.join(sorted(missing))}"
    for number, step in enumerate(steps, 1):
        yield from (f"step {number}: {what}" for what in step_problems(chapter, step))


def step_problems(chapter, step):
    """What is wrong with a step."""
    if len(verbs := VERBS.keys() & step.keys()) != 1 or step.keys() - VERBS.keys() - {
        "minutes",
        "words",
        "mistake",
    }:
        yield f"wants minutes, words and one of {', '.join(VERBS)}, got {', '.join(step)}"
        return
    (verb,) = verbs
    at, words = step[verb], step.get("words", "")
    there = {
        "say": chapter.sections,
        "ask": chapter.sections,
        "show": chapter.moves | chapter.sections,
        "set": chapter.exercises,
    }[verb]
    if at not in there:
        yield f"the chapter has no {at!r} to {verb}"
    if step.get("mistake", "wrong sign") not in catalogue():
        yield f"the catalogue has no mistake {step['mistake']!r}"
    if verb == "ask" and "?" not in words:
        yield "what is asked ends in a question mark"
    if not 2 <= step.get("minutes", 0) <= 10 or not words.endswith((".", "?")):
        yield "wants two to ten minutes and words in whole sentences"
    for figure in FIGURE.findall(words):
        if not re.search(rf"(?<![\d.,]){re.escape(figure)}(?!\d)", chapter.words):
            yield f"the number {figure} is not in the chapter"


def statements(root):
    """{chapter: Counter of the lectures whose statements it settles}, as the ledger says."""
    ledger = tomllib.loads(Path(root, "cnnlib/data/ledger.toml").read_text(encoding="utf-8"))
    found = {}
    for entry in ledger["entries"].values():
        found.setdefault(entry["chapter"], Counter())[entry["lecture"]] += 1
    return found


class Lecturers(SphinxDirective):
    """What both directives need: addresses, links and tables."""

    def address(self, name):
        """Of a chapter, seen from the page for lecturers."""
        return self.env.app.builder.get_relative_uri(PAGE, BOOK + name)

    def link(self, text, name, anchor="", also=""):
        """A link to a chapter, or to a place in it. also: what those hear who do not see where it stands."""
        parsed, _ = self.state.inline_text(text, self.lineno)
        link = nodes.reference("", "", *parsed, refuri=self.address(name) + anchor, internal=True)
        if also:
            link += nodes.inline("", also, classes=["visually-hidden"])
        return link

    def table(self, head, rows, classes=()):
        """A table of lists of nodes; the first cell of a row is its heading."""
        group = nodes.tgroup(cols=len(head))
        group += [nodes.colspec(colwidth=1, stub=int(n == 0)) for n in range(len(head))]
        group += nodes.thead("", self.row([[nodes.Text(text)] for text in head]))
        group += nodes.tbody("", *map(self.row, rows))
        return nodes.table("", group, classes=["lecturers", *classes])

    def row(self, cells):
        """A row of a table."""
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))

    def run(self):
        """The nodes in the place of the directive, which is read again when what it says changes."""
        sources = [PLANS, "tools/site/chapters.toml", "cnnlib/data/ledger.toml"]
        for source in sources + [f"{page}.ipynb" for page in taught_pages(self.env.srcdir)]:
            self.env.note_dependency(source)
        return list(self.made(self.env.app.srcdir))


class Statements(Lecturers):
    """A row a chapter: how many statements of each lecture it settles, and how long it takes to read."""

    def made(self, root):
        """The table."""
        found, rows = statements(root), []
        total = Counter()
        for name in (page.removeprefix(BOOK) for _, pages in front_page.parts(root) for page in pages):
            counts = found.get(name, Counter())
            total += counts
            cells = [[nodes.Text(str(counts[letter]) if counts[letter] else "–")] for letter in NAMES]
            if counts:
                link = self.link(chapter(root, name).title, name, f"#{LECTURES}", ", what the lectures say")
                rows.append([[link], *cells])
        rows.append([[nodes.Text("all")], *([nodes.Text(str(total[letter]))] for letter in NAMES)])
        yield self.table(["chapter", *NAMES.values()], rows, ["counts"])


class Plans(Lecturers):
    """For each chapter its plan, as a section."""

    def made(self, root):
        """The sections."""
        needs = front_page.needs(root)
        for name, plan in plans(root).items():
            there = chapter(root, name)
            made = nodes.section(ids=[f"plan-{name.replace('_', '-')}"])
            made += nodes.title("", "", self.link(there.title, name))
            made += nodes.paragraph("", "", *self.words(plan["aim"]))
            made += self.facts(root, name, there, needs[BOOK + name])
            made += self.table(
                ["minutes", "what you do"], list(self.steps(name, there, plan["steps"])), ["plan", "stacks"]
            )
            made += self.rest(name, there, plan["steps"])
            yield made

    def words(self, text):
        """Nodes of a text in Markdown."""
        return self.state.inline_text(text, self.lineno)[0]

    def facts(self, root, name, there, needs):
        """What the chapter needs, how long it takes to read, and its slides."""
        made = nodes.paragraph("", f"{there.minutes} minutes to read. ", classes=["facts"])
        if needs:
            made += nodes.Text("Needs ")
            for n, page in enumerate(needs):
                other = page.removeprefix(BOOK)
                made += [nodes.Text(", " if n else ""), self.link(chapter(root, other).title, other)]
            made += nodes.Text(". ")
        made += [self.link("Its slides", name, SLIDES, f": {there.title}"), nodes.Text(".")]
        return made

    def steps(self, name, there, steps):
        """The rows of a plan: from which minute to which, and what."""
        begun = 0
        for step in steps:
            (verb,) = VERBS.keys() & step.keys()
            at = step[verb]
            place = there.moves.get(at, at) if verb == "show" else ""
            if verb == "set":
                what = self.link(
                    f"exercise {at}, {there.exercises[at][0]}", name, "#exercises", f" in {there.title}"
                )
            elif at in there.moves:
                what = self.link(at, name, f"#{place}")
            else:
                what = self.link(there.sections[at], name, f"#{at}", f" in {there.title}" * (at in SHARED))
            stop = " " if what.astext().endswith("?") else ". "
            cell = [nodes.strong("", VERBS[verb]), nodes.Text(" "), what]
            if place:
                slide = self.link("slide", name, f"{SLIDES}={place}", f": {there.sections.get(at, at)}")
                cell += [nodes.Text(" ("), slide, nodes.Text(")")]
                stop = ". "
            cell.append(nodes.Text(stop))
            cell += self.words(step["words"])
            if "mistake" in step:
                card = self.link(step["mistake"], "wrong_answers", f"#{nodes.make_id(step['mistake'])}")
                cell += [nodes.Text(" The card of this mistake: "), card, nodes.Text(".")]
            yield [[nodes.Text(f"{begun}–{begun + step['minutes']}")], cell]
            begun += step["minutes"]

    def rest(self, name, there, steps):
        """What the plan leaves out: other pictures that move, and other exercises."""
        used = {step.get("show") for step in steps}
        given = {step.get("set") for step in steps}
        made = nodes.paragraph(classes=["facts"])
        if moves := [title for title in there.moves if title not in used]:
            made += nodes.Text("Also moves: ")
            made += self.joined([[self.link(title, name, f"#{there.moves[title]}")] for title in moves])
        if left := [number for number in there.exercises if number not in given]:
            made += [
                nodes.Text("For home: "),
                self.link("exercises", name, "#exercises", f" of {there.title}"),
                nodes.Text(" "),
            ]
            made += self.joined(
                [[nodes.Text(f"{n} ({there.exercises[n][0]}: {there.exercises[n][1]})")] for n in left]
            )
        return made

    def joined(self, items):
        """Lists of nodes with commas between them, and a full stop."""
        for n, item in enumerate(items):
            yield from [nodes.Text(", " if n else ""), *item]
        yield nodes.Text(". ")


class GradedHandIns(Lecturers):
    """What the grader of the assignment gives to hand-ins of all kinds."""

    def made(self, root):
        """The table: as assignment/examples.csv, best known first."""
        self.env.note_dependency(EXAMPLES)
        with Path(root, EXAMPLES).open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
        found.sort(
            key=lambda row: (
                row["name"] not in ("right", "skeleton"),
                not row["mistakes"],
                -float(row["points"]),
            )
        )
        rows = []
        for row in found:
            said = "; ".join(filter(None, (row["mistakes"], row["look at"])))
            name = row["name"].replace("_", " ")
            rows.append([[nodes.Text(text)] for text in (name, row["points"], said or "–")])
        yield self.table(
            ["hand-in", "points", "mistakes that are named, and what a person is told to look at"],
            rows,
            ["graded", "stacks"],
        )


def setup(app):
    """Register the directives."""
    app.add_directive("graded-hand-ins", GradedHandIns)
    app.add_directive("statements-of-lectures", Statements)
    app.add_directive("plans-for-lectures", Plans)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
