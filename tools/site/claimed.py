"""What the chapters have claimed of the lectures, read out of their stored outputs, and the cards that are to be made of it.

The pages of errata and of coverage are made by directives of docutils nodes, which the search and the check of links know as any
others. So no number of these pages is typed.
"""

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import page_kinds
from cnnlib.show.ledger import claims

KINDS = {  # of a card: its word, and what it says of several
    "erratum": ("erratum", "errata"),
    "unreadable": ("unreadable", "unreadable in the text"),
    "convention": ("convention", "conventions: right under a reading"),
    "reconstructed": ("reconstructed", "reconstructed: what is lost"),
}
LAST = "what-the-lectures-say"  # the section of a chapter that ends it


@cache
def read(root):
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


def several(count, what):
    """A number of things."""
    return f"{count} {what}" + "s" * (count != 1)


def last(page, text):
    """A link to the section of a chapter that ends it, as MyST."""
    return f"[{text}]({page}.ipynb#{LAST})"


class Directive(SphinxDirective):
    """A directive that reads what the chapters claim, and is built anew when they change."""

    has_content = False

    def claimed(self):
        """As `read`, with the page noted to depend on all that it reads."""
        root = Path(self.env.srcdir)
        data = [root / "cnnlib" / "data" / f"{name}.toml" for name in ("ledger", "readings")]
        for path in [*data, *(root / f"{page}.ipynb" for page in page_kinds.chapters(root))]:
            self.env.note_dependency(str(path))
        return read(root)

    def markdown(self, text, node):
        """The nodes of a text in MyST, into a node."""
        self.state.nested_parse(StringList(text.splitlines(), source="errata"), self.content_offset, node)
        return node
