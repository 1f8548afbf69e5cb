"""Exercises on their pages: the card in the place of the cell for the answer, and one fold for the whole solution.

A card is what the cell has printed without an answer, an output like any other; `book/_static/exercises.js` fills it.
"""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

CARD, PROSE = 'class="cnn-exercise"', "exercise-solution"
ANNOUNCED = "Solution"  # the first line of a folded text, which is all that Jupyter shows of it
PROGRAMS = "&quot;kind&quot;:&quot;function&quot;", "&quot;kind&quot;:&quot;class&quot;"


def card_of(node):
    """The HTML of the card that a cell has printed; empty where it has printed none."""
    if not (isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"):
        return ""
    return next((raw.astext() for raw in node.findall(nodes.raw) if CARD in raw.astext()), "")


def find_exercises(app, doctree):
    """Take away the cell that only a kernel could run, but for the skeleton of a program, and put the prose of each solution
    into a box of its own: what stands between an answer's cell and the folded cell after it."""
    for cell in list(doctree.findall(nodes.container)):
        if not (html := card_of(cell)):
            continue
        if not any(kind in html for kind in PROGRAMS):
            for source in [part for part in cell.children if part.get("nb_element") == "cell_code_source"]:
                cell.remove(source)
        section, at = cell.parent, cell.parent.index(cell) + 1
        end = next((n for n in range(at, len(section)) if is_solution(section[n])), at)
        if prose := section.children[at:end]:
            section.children[at:end] = []
            said = isinstance(prose[0], nodes.paragraph) and prose[0].astext() == ANNOUNCED  # the bar says so
            box = nodes.container("", *prose[said:], classes=[PROSE])
            section.insert(at, box)


def is_solution(node):
    """Whether a cell is folded with all that it shows."""
    return isinstance(node, nodes.container) and node.get("hide_mode") == "all"


class OneFold(SphinxPostTransform):
    """Put the prose of a solution into the fold of its program, once that is made."""

    default_priority = 200  # after HideInputCells, which has 199
    formats = ("html",)

    def run(self, **_):
        """For each box: into the fold of the cell after it, above the program."""
        for box in list(self.document.findall(nodes.container)):
            if PROSE in box["classes"]:
                cell = box.parent[box.parent.index(box) + 1]
                box.parent.remove(box)
                cell[0].insert(0, box)


def setup(app):
    """Register the hooks. What they change is part of what Sphinx keeps of a page that it has read."""
    app.connect("doctree-read", find_exercises)
    app.add_post_transform(OneFold)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
