"""The pages on what the lectures print: errata, and the coverage of every statement, built out of what the chapters have claimed.

A directive reads the claims that the notebooks store, `cnnlib/data/ledger.toml` and `cnnlib/data/readings.toml`, and makes cards and
tables of docutils nodes, which the search and the check of links know as any others. So no number of these pages is typed.
"""

import json
import re
import tomllib
from collections import Counter
from functools import cache
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import page_kinds
from cnnlib.show.gallery import filter_form
from cnnlib.show.ledger import claims, ledger, readings, verdicts

OWN = Path(__file__).with_name("own_errata.toml")
KINDS = {
    "erratum": ("erratum", "errata"),
    "unreadable": ("unreadable", "unreadable in the text"),
    "convention": ("convention", "conventions: right under a reading"),
    "reconstructed": ("reconstructed", "reconstructed: what is lost"),
}
SAID = {  # of a verdict, for the table of coverage
    "erratum": "what is printed gives another number, or cannot be run",
    "convention": "right under a reading, which the book names",
    "confirmed": "comes out as printed",
    "unreadable": "the text differs from the number, and only its extraction can have done it",
    "reconstructed": "the lecture's picture or numbers are lost; computed with the book's own",
    "illustrated": "a picture or words: shown, with nothing to compare",
}
WHOSE = {
    "slide": "surely on the slide",
    "undecided": "on the slide, or lost when its text was extracted",
    "text": "only the extraction of the text can have done it",
}
NAMES = {"K": "Kietikul", "S": "Shi", "Q": "Qian", "Z": "Zarezadeh", "E": "the squared-error slides"}
LAST = "what-the-lectures-say"  # the section of a chapter that ends it
NUMBERS = re.compile(r"printed ([^;]+), computed ([^;]+)(?:; (.*))?")


@cache
def claimed(root):
    """The claims that the chapters in `root` have printed, in the order of the book, each with its chapter; everything printed; and
    {chapter: title}."""
    found, everything, titles = [], [], {}
    for page in page_kinds.chapters(root):
        cells = json.loads(Path(root, f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
        titles[page.rpartition("/")[2]] = "".join(cells[0]["source"]).partition("\n")[0].removeprefix("# ")
        for cell in cells:
            if cell["cell_type"] == "code":
                text = "".join("".join(out["text"]) for out in cell["outputs"] if out.get("name") == "stdout")
                found += [claim | {"chapter": page.rpartition("/")[2]} for claim in claims(text)]
                everything.append(text)
    return found, "\n".join(everything), titles


def rows(found, readings, lecture=None):
    """What the page has a card for: {"kind", "claims", "fair", "reading"} of each, errata first. What was reconstructed needs no
    reading: its claims of one entry are one card. ValueError for a claim without a reading, or one without a claim."""
    by_part = {claim["part"]: claim for claim in found}
    cards, taken = [], []
    for key, reading in readings.items():
        parts, fair = [key, *reading.get("parts", ())], reading.get("fair", ())
        taken += [*parts, *fair]
        if missing := [part for part in (*parts, *fair) if part not in by_part]:
            raise ValueError(f"readings.toml: no chapter claims {', '.join(missing)}")
        mine, others = [by_part[part] for part in parts], [by_part[part] for part in fair]
        if {claim["verdict"] for claim in others} > {"convention"}:
            raise ValueError(f"readings.toml, {key}: fair is for conventions")
        cards.append({"kind": mine[0]["verdict"], "claims": mine, "fair": others, "reading": reading})
    if twice := [part for part, count in Counter(taken).items() if count > 1]:
        raise ValueError(f"readings.toml has {', '.join(twice)} twice")
    wanted = {claim["part"] for claim in found if claim["verdict"] in ("erratum", "unreadable", "convention")}
    if left := sorted(wanted ^ set(taken)):
        raise ValueError(f"readings.toml and the claims differ in {', '.join(left)}")
    groups = {}
    for claim in found:
        if claim["verdict"] == "reconstructed":
            groups.setdefault(claim["entry"], []).append(claim)
    cards += [
        {"kind": "reconstructed", "claims": mine, "fair": [], "reading": {}} for mine in groups.values()
    ]
    mine = [card for card in cards if lecture in (None, card["claims"][0]["entry"][0])]
    return sorted(mine, key=lambda card: list(KINDS).index(card["kind"]))


def plain(text):
    """A text as MyST that means the text itself."""
    return re.sub(r"([!-+./<-@\[-`{-~-])", r"\\\1", text)


def anchor(part):
    """The id of the card that is named after a part of an entry."""
    return part.lower().replace(".", "-").replace("_", "-")


def comes_out(claim):
    """What a claim has executed, as MyST: both numbers where they differ, or that they agree."""
    if both := NUMBERS.fullmatch(claim["said"]):
        printed, computed, many = map(plain, (text or "" for text in both.groups()))
        return f"as printed **{printed}**, comes out **{computed}**" + f" ({many})" * bool(many)
    return plain(claim["said"])


def fields(card, titles):
    """What a card says, as pairs of a label and MyST. titles: of the chapters."""
    reading, first, kind = card["reading"], card["claims"][0], card["kind"]
    entry = ledger()["entries"][first["entry"]]
    if kind == "reconstructed":
        yield "The lecture", plain(entry["what"])
        if entry["printed"]:
            yield "Printed", plain(entry["printed"])
    else:
        yield "Printed", reading["printed"]
    many = len(card["claims"]) > 1
    for claim in card["claims"]:
        label = "Right if" if claim["verdict"] == "convention" else "Why"
        if kind in ("erratum", "unreadable"):
            yield "Executed", comes_out(claim) + f" (claim {claim['part']})" * many
        if claim["why"] not in ([c["why"] for c in card["claims"][: card["claims"].index(claim)]]):
            said = "" if kind in ("erratum", "unreadable") else f" (executed: {comes_out(claim)})"
            yield {"reconstructed": "Not the lecture's own"}.get(kind, label), plain(claim["why"]) + said
    if reading.get("otherwise"):
        yield "If not", reading["otherwise"]
    for claim in card["fair"]:
        yield "Right if", f"{plain(claim['why'])} (executed: {comes_out(claim)})"
    if reading:
        yield "The book writes", reading["book"]
    places = dict.fromkeys((claim["where"], claim["whose"]) for claim in card["claims"] if claim["where"])
    for where, whose in places:
        yield "Slide", f"{plain(where)}; {WHOSE[whose]}"
    if "where" in reading:
        yield "Slide", plain(reading["where"])
    if kind in ("erratum", "unreadable"):
        yield "Another slide has it right", reading["another"] or "No"
    if reading.get("also"):
        yield "Also", reading["also"]
    page, _, place = reading.get("section", f"{first['chapter']}#{LAST}").partition("#")
    here = f"[]({page}.ipynb), [](<{page}.ipynb#{place}>)"
    yield (
        "Executed in",
        f"[{titles[page]}: what the lectures say]({page}.ipynb#{LAST})" if place == LAST else here,
    )


class card(nodes.General, nodes.Element):
    """A card of the page, which opens and closes without a script."""


class card_title(nodes.paragraph):
    """What a closed card shows."""


def visit_card(self, node):
    self.body.append(
        f'<details class="cnn-card" id="{node["place"]}" data-of="{node["of"]}" data-g="{node["g"]}"{" open" * node["open"]}>\n'
    )


def depart_card(self, node):
    self.body.append("</details>\n")


def visit_card_title(self, node):
    self.body.append("<summary>")


def depart_card_title(self, node):
    self.body.append(f"<span>{escape(node['kind'])}</span></summary>\n")


class FromTheClaims(SphinxDirective):
    """A directive that reads what the chapters claim, and is built anew when they change."""

    has_content = False

    def claimed(self):
        """As `claimed`, with the page noted to depend on all that it reads."""
        root = Path(self.env.srcdir)
        data = [root / "cnnlib" / "data" / f"{name}.toml" for name in ("ledger", "readings")]
        for path in [
            OWN,
            Path(__file__),
            *data,
            *(root / f"{page}.ipynb" for page in page_kinds.chapters(root)),
        ]:
            self.env.note_dependency(str(path))
        return claimed(root)

    def markdown(self, text, node):
        """The nodes of a text in MyST, into a node."""
        self.state.nested_parse(StringList(text.splitlines(), source="errata"), self.content_offset, node)
        return node


class Errata(FromTheClaims):
    """The cards of one lecture, by its letter, under a sentence that counts them and a list of its errata."""

    required_arguments = 1

    def run(self):
        """The nodes."""
        lecture = self.arguments[0]
        found = rows(self.claimed()[0], readings(), lecture)
        box = nodes.container("", classes=["cnn-answers", "cnn-cards", "errata-cards"])
        for one in found:
            box += self.card(one, lecture)
        listed = nodes.bullet_list("", classes=["errata-list"])
        for one in [one for one in found if one["kind"] == "erratum"]:
            link = nodes.reference("", one["reading"]["title"], refid=anchor(one["claims"][0]["part"]))
            listed += nodes.list_item("", nodes.paragraph("", "", link))
        return [*self.markdown(f"{named(lecture)} {counted(found)}", nodes.container()).children, listed, box]

    def card(self, one, lecture):
        """The card of one row."""
        first, reading = one["claims"][0], one["reading"]
        made = card("", of=lecture, g=one["kind"], place=anchor(first["part"]), open=one["kind"] == "erratum")
        title = card_title("", "", kind=f"{KINDS[one['kind']][0]}, {first['entry']}")
        title += nodes.strong("", reading.get("title") or short(ledger()["entries"][first["entry"]]["what"]))
        made += title
        text = "\n\n".join(
            f"[{label}:]{{.errata-label}} {said}" for label, said in fields(one, self.claimed()[2])
        )
        return self.markdown(text, made)


def named(lecture):
    """A lecture's author and title, as a sentence in MyST."""
    author, title = (ledger()["lectures"][lecture][key] for key in ("author", "title"))
    return f"*{title}*, author not given." if author == "not given" else f"{author}, *{title}*."


def short(statement):
    """What a statement of the ledger is about: its beginning, with a capital letter."""
    text = re.split(r"[;:.(](?:\s|$)| \((?!x\))|, each | \[", statement)[0].strip()
    return text[:1].upper() + text[1:]


def headed(one):
    """A card's kind and title, as a link to it says them; what was reconstructed has the ledger's number in place of a title."""
    kind, title = KINDS[one["kind"]][0], one["reading"].get("title")
    return f"{kind}: {title}" if title else f"{kind}, {one['claims'][0]['entry']}"


def several(count, what):
    """A number of things."""
    return f"{count} {what}" + "s" * (count != 1)


def counted(found):
    """A sentence that counts rows by kind."""
    kinds = Counter(one["kind"] for one in found)
    sure = sum(claim["whose"] == "slide" for one in found for claim in one["claims"][:1])
    errata = f"{kinds['erratum']} {'erratum' if kinds['erratum'] == 1 else 'errata'}"
    parts = [f"**{errata}**, {sure} of them surely on the slide"] if kinds["erratum"] else ["**No errata**"]
    if kinds["unreadable"]:
        parts.append(f"{kinds['unreadable']} unreadable in the text")
    parts += [f"{kinds['convention']} right under a reading, {kinds['reconstructed']} reconstructed"]
    return ", ".join(parts) + "."


class Filter(FromTheClaims):
    """The form that filters all cards of the page."""

    def run(self):
        """The form, in HTML."""
        lectures = [(letter, escape(NAMES[letter])) for letter in ledger()["lectures"]]
        kinds = [(kind, escape(many)) for kind, (_, many) in KINDS.items()]
        form = filter_form(
            "entries",
            ("lecture", "all lectures", lectures),
            ("kind", "all kinds", kinds),
            "pooling, softmax, index",
        )
        return [nodes.raw("", form, format="html")]


class OwnErrata(FromTheClaims):
    """What an edition of this book had wrong, and how the next says it."""

    def run(self):
        """The list."""
        found = {claim["part"]: claim for claim in self.illustrated()}
        lines = []
        for one in tomllib.loads(OWN.read_text(encoding="utf-8"))["errata"]:
            numbers = [found[part]["said"] for part in one.get("claims", ())]
            now = " ".join(plain(said[:1].upper() + said[1:]) + "." for said in numbers)
            where = f"**[]({one['chapter']}.ipynb)**: " if "chapter" in one else ""
            lines.append(f"- {where}{one['said']} *Now:* {one['now']} {now} *Found by* {one['found']}.")
        return self.markdown("\n".join(lines), nodes.container()).children

    def illustrated(self):
        """The claims with nothing to compare, whose words are counted by their cells."""
        everything = self.claimed()[1]
        for part, said in re.findall(
            r"^([A-Z]\d\d(?:\.[\w-]+)?) illustrated: (.*)$", everything, re.MULTILINE
        ):
            yield {"part": part, "said": said}


class Coverage(FromTheClaims):
    """Every entry of one lecture with its verdict, its claims, and where they are executed; without a letter, a count of verdicts."""

    optional_arguments = 1

    def run(self):
        """A table."""
        found, everything, titles = self.claimed()
        settled, cards = verdicts(everything), rows(found, readings())
        if not self.arguments:
            many = Counter(settled.get(name, "open") for name in ledger()["entries"])
            of = Counter(one["kind"] for one in cards)
            number = {
                name: several(many[name], "statement") + f", {several(of[name], 'card')}" * (name in of)
                for name in SAID
            }
            body = [[name, number[name], said] for name, said in SAID.items() if many[name] or of[name]]
            in_all = ["in all", f"{several(many.total(), 'statement')}, {several(of.total(), 'card')}", ""]
            return [self.table(["verdict", "how many", "what it means"], [*body, in_all])]
        of = Counter(re.findall(r"^([A-Z]\d\d)(?:\.[\w-]+)? [a-z]+: ", everything, re.MULTILINE))
        body = []
        for name, entry in sorted(ledger()["entries"].items()):
            if entry["lecture"] == self.arguments[0]:
                printed = f" `{entry['printed']}`" * bool(entry["printed"])
                where = f"[{titles[entry['chapter']]}]({entry['chapter']}.ipynb#{LAST})"
                mine = [
                    one
                    for one in cards
                    if name in {claim["entry"] for claim in (*one["claims"], *one["fair"])}
                ]
                verdict = self.verdict(settled.get(name, "open"), mine)
                body.append(
                    [
                        f"**{name}** {plain(entry['what'])}.{printed}",
                        verdict,
                        f"{where}, {several(of[name], 'claim')}",
                    ]
                )
        return [self.table(["statement", "verdict", "executed in"], body)]

    def verdict(self, verdict, cards):
        """The cell of a verdict: the word, and a link to each card on the page of errata."""
        cell = nodes.entry("")
        if verdict not in {one["kind"] for one in cards}:
            cell += nodes.paragraph("", verdict)
        for one in sorted(cards, key=lambda one: one["kind"] != verdict):
            place = f"errata.html#{anchor(one['claims'][0]['part'])}"
            cell += nodes.paragraph("", "", nodes.reference("", headed(one), refuri=place, internal=True))
        return cell

    def table(self, names, body):
        """A table of cells, each a node or a text in MyST."""
        group = nodes.tgroup("", *(nodes.colspec("", colwidth=1) for _ in names), cols=len(names))
        head = nodes.row("", *(nodes.entry("", nodes.paragraph("", name)) for name in names))
        lines = [nodes.row("", *map(self.cell, line)) for line in body]
        group += [nodes.thead("", head), nodes.tbody("", *lines)]
        return nodes.table("", group, classes=["coverage", "entries" if self.arguments else "counts"])

    def cell(self, said):
        """One cell."""
        return self.markdown(said, nodes.entry()) if isinstance(said, str) else said


def forget(app):
    """Read the chapters' claims anew in each build."""
    claimed.cache_clear()


def setup(app):
    """Register directives and nodes."""
    app.add_node(card, html=(visit_card, depart_card))
    app.add_node(card_title, html=(visit_card_title, depart_card_title))
    for name, made in {
        "errata": Errata,
        "errata-filter": Filter,
        "own-errata": OwnErrata,
        "coverage": Coverage,
    }.items():
        app.add_directive(name, made)
    app.connect("builder-inited", forget)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
