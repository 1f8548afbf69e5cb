"""What stands on the bar of a folded cell: what it hides, told from the cell itself and from its section."""

import re

from docutils import nodes

SOLUTION, CLAIMS, CHECK = "Solution", "Checked against the lecture", "Checked"
DRAWING, TABLE, CODE = "How this is drawn", "How this table is made", "Code"
EXERCISES = re.compile(r"exercises?\b", re.IGNORECASE)


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


def setup(app):
    """Register the hook. The names are part of what Sphinx keeps of a page that it has read."""
    app.connect("doctree-read", name_folds)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
