"""The glossary, out of `cnnlib/data/symbols.toml`, which the cards of terms are from too, and what the index says of the terms."""

from docutils import nodes
from sphinx import addnodes
from sphinx.domains.std import make_glossary_term
from sphinx.util.docutils import SphinxDirective

from cnnlib.show.symbols import source

BOOK, PAGE = "book/", "book/glossary"
SOURCE = "cnnlib/data/symbols.toml"


def rows():
    """[(word, key of the term)] in alphabetical order: each term, and each synonym."""
    found = [
        (word, key)
        for key, term in source()["terms"].items()
        for word in [term["name"], *term.get("synonyms", ())]
    ]
    return sorted(found, key=lambda row: (row[0].lower(), row[1]))


class Glossary(SphinxDirective):
    """The terms with what they mean and where they are explained; a synonym leads to the standard word."""

    def run(self):
        self.env.note_dependency(SOURCE)
        terms, listed = source()["terms"], nodes.definition_list(classes=["glossary"])
        for word, key in rows():
            term = terms[key]
            standard = word == term["name"]
            line = make_glossary_term(
                self.env,
                [nodes.Text(word)],
                None,
                *self.get_source_info(),
                f"term-{key}" if standard else f"also-{nodes.make_id(word)}",
                self.state.document,
            )
            said = nodes.paragraph()
            if standard:
                line["synonyms"] = term.get("synonyms", [])  # for the search
                said += nodes.Text(f"{term['says']} ")
                if others := term.get("synonyms"):
                    said += nodes.Text(f"Also: {', '.join(others)}. ")
                said += [nodes.Text("Explained in "), self.where(term)]
            else:
                said += [
                    nodes.Text("See "),
                    nodes.reference("", term["name"], refid=f"term-{key}"),
                    nodes.Text("."),
                ]
            listed += nodes.definition_list_item("", line, nodes.definition("", said))
        return [addnodes.glossary("", listed, sorted=False)]

    def where(self, term):
        """A link to the section that explains a term, which name_sections gives its title."""
        page, _, place = term["place"].partition("#")
        address = self.env.app.builder.get_relative_uri(PAGE, BOOK + page)
        return nodes.reference(
            "", page, refuri=f"{address}#{place}", internal=True, section_of=BOOK + page, section=place
        )


def name_sections(app, doctree, docname):
    """The links of the glossary say the titles of the sections."""
    links = [link for link in doctree.findall(nodes.reference) if "section_of" in link]
    for page in {link["section_of"] for link in links}:
        titles = {
            name: section.next_node(nodes.title).astext()
            for section in app.env.get_doctree(page).findall(nodes.section)
            for name in section["ids"]
        }
        for link in [link for link in links if link["section_of"] == page]:
            link.clear()
            link += nodes.Text(titles[link["section"]])


def add_to_index(app, doctree):
    """Where a chapter explains a term, the index leads there."""
    docname = app.env.docname
    app.env.note_dependency(SOURCE)
    there = {name for section in doctree.findall(nodes.section) for name in section["ids"]}
    entries = app.env.get_domain("index").entries.setdefault(docname, [])
    for term in source()["terms"].values():
        chapter, _, place = term["place"].partition("#")
        if docname == BOOK + chapter and place in there:
            entries.append(("single", term["name"], place, "main", None))


def setup(app):
    """Register the directive and the hooks."""
    app.add_directive("glossary-of-terms", Glossary)
    app.connect("doctree-read", add_to_index)
    app.connect("doctree-resolved", name_sections)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
