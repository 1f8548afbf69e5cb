"""What stands on the bar of a folded cell: what it hides, told from the cell itself and from its section.

The last section of a chapter, what the lectures say, is folded as a whole.
"""

import re

from docutils import nodes

SOLUTION, CLAIMS, CHECK = "Solution", "Checked against the lecture", "Checked"
DRAWING, TABLE, CODE = "How this is drawn", "How this table is made", "Code"
EXERCISES = re.compile(r"exercises?\b", re.IGNORECASE)
OPEN = """<details class="admonition hide lectures">
<summary><p class="admonition-title">{bar}</p></summary>"""
LECTURES = "What the lectures say"
CLAIM = re.compile(r"^([A-Z]\d\d)(?:\.[\w-]+)? [a-z]+: ", re.MULTILINE)


def name(cell, heading):
    """The name of a folded cell: `cell` is its container in the doctree, `heading` that of the section it stands in."""
    source, shown = ("".join(_texts(cell, part)) for part in ("cell_code_source", "cell_code_output"))
    if cell["hide_mode"] == "all":
        if EXERCISES.match(heading):
            return SOLUTION
        if re.search(r"\bclaim\(", source):
            return CLAIMS
        return CHECK if re.search(r"^\s*assert\b", source, re.MULTILINE) else CODE
    if "<svg" in shown or "<img" in shown:
        return DRAWING
    return TABLE if "<table" in shown else CODE


def _texts(cell, part):
    """The program of a cell, or the HTML of what it displays."""
    kind = nodes.literal_block if part == "cell_code_source" else nodes.raw
    for container in cell.findall(nodes.container):
        if container.get("nb_element") == part:
            yield from (node.astext() for node in container.findall(kind))


def name_folds(app, doctree):
    """Put the names on the bars."""
    for cell in list(doctree.findall(nodes.container)):
        if not cell.get("hide_mode"):
            continue
        section = cell.parent
        while section is not None and not isinstance(section, nodes.section):
            section = section.parent
        title = section.next_node(nodes.title) if section else None
        text = name(cell, title.astext() if title else "")
        cell["prompt_show"] = cell["prompt_hide"] = text
        cell["classes"].append("fold-" + {SOLUTION: "solution"}.get(text, "quiet"))


def fold_lectures(app, doctree):
    """Fold the section on the lectures: under its heading a bar, which says how many of their statements it settles."""
    for section in doctree.findall(nodes.section):
        if section.next_node(nodes.title).astext() != LECTURES:
            continue
        printed = "\n".join(block.astext() for block in section.findall(nodes.literal_block))
        settled = len(set(CLAIM.findall(printed)))
        bar = f"{settled} statements, one by one" if settled > 1 else "The lectures, one by one"
        section.insert(1, nodes.raw("", OPEN.format(bar=bar), format="html"))
        section.append(nodes.raw("", "</details>", format="html"))


def setup(app):
    """Register the hooks. What they change is part of what Sphinx keeps of a page that it has read."""
    app.connect("doctree-read", name_folds)
    app.connect("doctree-read", fold_lectures)
    return {"version": "2", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
