"""The page of errata: a card for each claim that doubts what a lecture prints, and what this book had wrong."""

import re
import tomllib
from collections import Counter
from html import escape
from pathlib import Path

from docutils import nodes

import claimed
from claimed import KINDS, LAST, Directive, anchor, last, plain, rows
from cnnlib.show.gallery import filter_form
from cnnlib.show.ledger import ledger, readings

OWN = Path(__file__).with_name("own_errata.toml")
WHOSE = {
    "slide": "surely on the slide",
    "undecided": "on the slide, or lost when its text was extracted",
    "text": "most likely the extraction of the text did it",
}
NAMES = {"K": "Kietikul", "S": "Shi", "Q": "Qian", "Z": "Zarezadeh", "E": "the squared-error slides"}
NUMBERS = re.compile(r"printed ([^;]+), computed ([^;]+)(?:; (.*))?")


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
            same = [one["part"] for one in card["claims"] if one["said"] == claim["said"]]
            if claim["part"] == same[0]:
                yield (
                    "Executed",
                    comes_out(claim) + f" (claim{'s' * (len(same) > 1)} {', '.join(same)})" * many,
                )
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
    end = last(page, f"What the lectures say, in {titles[page]}")
    yield "Executed in", end if place == LAST else f"[]({page}.ipynb), [](<{page}.ipynb#{place}>)"


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


class Errata(Directive):
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
    text = re.split(r"(?<!\s)[;:.](?:\s|$)| \((?!x\))|, each | \[", statement)[0].strip()
    return text[:1].upper() + text[1:]


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


class Filter(Directive):
    """The form that filters all cards of the page."""

    def run(self):
        """The form, in HTML."""
        lectures = [(letter, escape(NAMES[letter])) for letter in ledger()["lectures"]]
        kinds = [(kind, escape(many)) for kind, (_, many) in KINDS.items()]
        choices = ("lecture", "all lectures", lectures), ("kind", "all kinds", kinds)
        return [nodes.raw("", filter_form("entries", *choices, "pooling, softmax, index"), format="html")]


class OwnErrata(Directive):
    """What an edition of this book had wrong, and how the next says it."""

    def run(self):
        """The list."""
        self.env.note_dependency(str(OWN))
        printed = re.findall(r"^([A-Z]\d\d(?:\.[\w-]+)?) illustrated: (.*)$", self.claimed()[1], re.MULTILINE)
        found = dict(printed)  # with nothing to compare: their cells count their words
        lines = []
        for one in tomllib.loads(OWN.read_text(encoding="utf-8"))["errata"]:
            numbers = [found[part] for part in one.get("claims", ())]
            now = " ".join(plain(said[:1].upper() + said[1:]) + "." for said in numbers)
            where = f"**[]({one['chapter']}.ipynb)**\\\n  " if "chapter" in one else ""
            lines.append(f"- {where}{one['said']} *Now:* {one['now']} {now} *Found by* {one['found']}.")
        return self.markdown("\n".join(lines), nodes.container()).children


def forget(app):
    """Read the chapters' claims anew in each build."""
    claimed.read.cache_clear()


def setup(app):
    """Register directives and nodes."""
    app.add_node(card, html=(visit_card, depart_card))
    app.add_node(card_title, html=(visit_card_title, depart_card_title))
    for name, made in {"errata": Errata, "errata-filter": Filter, "own-errata": OwnErrata}.items():
        app.add_directive(name, made)
    app.connect("builder-inited", forget)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
