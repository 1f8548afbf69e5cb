"""Forward's blue and backward's orange mean the two passes, positive's green and negative's violet the sign of a number,
and nothing else has these four: in the sources of all chapters, and in all that they show."""

import re

import pytest
import rules
from bs4 import BeautifulSoup
from building import ROOT

from cnnlib.show import svg

CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
# In a source the names of the two passes may stand in a frame of a grid, a mark of a network, {(column, unit): colour},
# and in the lines below: drawings of the passes made by hand.
PASSES = re.compile(r"\b(FORWARD|BACKWARD)\b")
MARKS = re.compile(r"svg\.mark\(|\): (show|svg)\.(FORWARD|BACKWARD)|dict\(colour=show\.BACKWARD\)")
BY_HAND = {
    "delta_recursion": [  # how large the numbers of the two passes are, layer by layer
        'curve(of_a, show.FORWARD, "a", 4), *curve(of_delta, show.BACKWARD, "δ", 6)'
    ],
    # f is what a unit computes forward, its slope what it multiplies by backward.
    "neuron": [
        "value, color=show.FORWARD",
        "slopes[part], color=show.BACKWARD",
        '"f(z)", color=show.FORWARD',
        '"f′(z)", color=show.BACKWARD',
        "graph.line(xs, out, show.FORWARD)",
        "graph.line(xs, slopes, show.BACKWARD)",
    ],
    "notation": [
        "colour = show.FORWARD if (g, i, j)",
        "i + 1), show.FORWARD)",
        "i + 1), show.BACKWARD)",
    ],  # a network
    "one_filter_network": ["FW, BW = show.FORWARD, show.BACKWARD"],  # arrays of the two passes, and frames
    "seesaw": ['INK = {"forward": show.FORWARD, "backward": show.BACKWARD'],  # a network
}
SIGNS = re.compile(r"\b(ACCENT|NEGATIVE)\b")  # only what `show` fills by sign itself has these
LETTERS = {"notation"}  # whose numbers of a network are symbols, drawn by hand and not in bold
CURVES = {"neuron"}  # whose figures by matplotlib have the two passes


def source_problems(name, source):
    """The lines of a cell in which a name of these colours stands for something else."""
    allowed = BY_HAND.get(name, [])
    return [
        line.strip()
        for line in source.split("\n")
        if SIGNS.search(line)
        or PASSES.search(line)
        and not MARKS.search(line)
        and not any(a in line for a in allowed)
    ]


def output_problems(name, html):
    """The elements of an output that have one of the four colours and may not."""
    found = []
    page = BeautifulSoup(html, "html.parser")
    steps = page.select(
        ".cnn-pipeline [class^=cnn-step-]"
    )  # outputs, which are blue, then deltas, which are orange
    for step in steps:
        late = 2 * int(step["class"][0].removeprefix("cnn-step-")) >= len(steps)
        hue, other = (svg.BACKWARD, svg.FORWARD) if late else (svg.FORWARD, svg.BACKWARD)
        found += [str(step)[:200]] * (f"color:{hue}" not in step["style"] or other in str(step))
    steps = {id(e) for step in steps for e in [step, *step.find_all("g")]}
    for e in (e for e in page.find_all(True) if id(e) not in steps):
        style = e.get("style") or ""
        for hue in (svg.FORWARD, svg.BACKWARD):
            if hue in style and name not in CURVES:
                found.append(str(e)[:200])
            drawn = e.get("stroke") == hue or e.get("fill") == hue
            # frames, units, wires; their numbers, in bold; and by hand curves and arrows
            own = e.name == "text" and name in LETTERS
            sound = own or (
                e.name in ("rect", "circle") or e.get("font-weight") == "700" or e.get("stroke-width") == "3"
            )
            if drawn and not (sound and (e.name != "rect" or e.get("fill") == "none")):
                found.append(str(e)[:200])
        for hue in (svg.ACCENT, svg.NEGATIVE):
            plain = e.name == "path" and e.get("shape-rendering")  # ink of an image
            cell = (
                e.name == "rect" and e.get("stroke") in (None, hue) and e.get("fill") == hue
            )  # of a grid, a bar
            if hue in (e.get("stroke"), e.get("fill")) and not plain and not cell:
                found.append(str(e)[:200])
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_colours_of_passes_and_signs_mean_nothing_else(path):
    for cell in rules.read(path)["cells"]:
        if cell["cell_type"] == "code":
            assert source_problems(path.stem, "".join(cell["source"])) == []
            for output in cell["outputs"]:
                assert output_problems(path.stem, "".join(output.get("data", {}).get("text/html", ""))) == []


@pytest.mark.parametrize(
    "source",
    [
        "ax.plot(seeds, color=show.FORWARD)",
        "graph.dots(w, b, svg.BACKWARD)",
        "colour=show.ACCENT",
        "graph.line(x, y, show.NEGATIVE)",
    ],
)
def test_a_colour_that_means_something_else_is_noticed_in_a_source(source):
    assert source_problems("softmax", f"x = 1\n{source}") == [source]
    assert source_problems("softmax", "marks=[svg.mark(0, 1, colour=show.BACKWARD)]") == []


@pytest.mark.parametrize(
    "html",
    [
        f'<path style="stroke: {svg.FORWARD}"/>',
        f'<g fill="{svg.FORWARD}"><circle r="3"/></g>',
        f'<path d="M0 0h9" stroke="{svg.BACKWARD}" stroke-width="2"/>',
        f'<rect width="9" fill="{svg.FORWARD}" stroke="{svg.FORWARD}"/>',
        f'<rect width="9" fill="none" stroke="{svg.ACCENT}"/>',
        f'<text fill="{svg.ACCENT}">v</text>',
        f'<circle r="9" fill="{svg.NEGATIVE}"/>',
    ],
)
def test_a_colour_that_means_something_else_is_noticed_in_an_output(html):
    assert len(output_problems("softmax", f"<svg>{html}</svg>")) == 1


def test_what_show_draws_of_passes_and_signs_is_sound():
    drawn = svg.grid([[1.5, -2]], signed=True, marks=[svg.mark(0, 0), svg.mark(0, 1, colour=svg.BACKWARD)])
    drawn += svg.network(
        ["ab", "c"], weights=[[[1, 2]]], gradients=[[[3, 4]]], marks={(0, 0, 1): svg.BACKWARD}
    )
    drawn += svg.image([[1, -1]], signed=True) + svg.wire(1, 2)
    assert output_problems("softmax", drawn) == []
