"""The page of coverage: every statement of the lectures with its verdict, and the card that each claim on it has among the errata."""

import re
from collections import Counter

from docutils import nodes

from claimed import KINDS, Directive, anchor, last, plain, rows, several
from cnnlib.show.ledger import ledger, readings, verdicts

SAID = {  # of a verdict
    "erratum": "what is printed gives another number, or cannot be run",
    "convention": "right under a reading, which the book names",
    "confirmed": "comes out as printed",
    "unreadable": "the text differs from the number, most likely by its extraction",
    "reconstructed": "the lecture's picture, numbers or step are not there; computed with the book's own",
    "illustrated": "a picture or words: shown, with nothing to compare",
}


class Coverage(Directive):
    """Every statement of one lecture with its verdict, its claims, and where they are executed; without a letter, a count of verdicts."""

    optional_arguments = 1

    def run(self):
        """A table."""
        found, everything, titles = self.claimed()
        settled, cards, entries = verdicts(everything), rows(found, readings()), ledger()["entries"]
        if not self.arguments:
            return [
                self.counts(
                    Counter(settled.get(name, "open") for name in entries),
                    Counter(one["kind"] for one in cards),
                )
            ]
        of = Counter(re.findall(r"^([A-Z]\d\d)(?:\.[\w-]+)? [a-z]+: ", everything, re.MULTILINE))
        body = []
        for name in sorted(name for name in entries if name[0] == self.arguments[0]):
            entry, chapter = entries[name], entries[name]["chapter"]
            said = f"**{name}** {plain(entry['what'])}." + f" `{entry['printed']}`" * bool(entry["printed"])
            mine = [
                one for one in cards if name in {claim["entry"] for claim in (*one["claims"], *one["fair"])}
            ]
            where = f"{last(chapter, titles[chapter])}, {several(of[name], 'claim')}"
            body.append([said, self.verdict(settled.get(name, "open"), mine), where])
        return [self.table(["statement", "verdict", "executed in"], body)]

    def counts(self, statements, cards):
        """The table of verdicts: on how many statements each is, and how many cards are of its kind."""
        body = []
        for name in [name for name in SAID if statements[name] or cards[name]]:
            many = several(statements[name], "statement") + f", {several(cards[name], 'card')}" * (
                name in cards
            )
            body.append([name, many, SAID[name]])
        in_all = f"{several(statements.total(), 'statement')}, {several(cards.total(), 'card')}"
        return self.table(["verdict", "how many", "what it means"], [*body, ["in all", in_all, ""]])

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


def headed(one):
    """A card's kind and title, as a link to it says them; what was reconstructed has the ledger's number in place of a title."""
    kind, title = KINDS[one["kind"]][0], one["reading"].get("title")
    return f"{kind}: {title}" if title else f"{kind}, {one['claims'][0]['entry']}"


def setup(app):
    """Register the directive."""
    app.add_directive("coverage", Coverage)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
