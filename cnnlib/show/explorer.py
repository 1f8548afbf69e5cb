"""What an explorer displays: its first state as tables, its data, and the script and style that move it.

``explorers.py`` has the layers. ``explorer.js`` draws, ``explorer.css`` has the looks; both are part of the output, which needs
no kernel and no other file.
"""

import json
import re
from html import escape
from itertools import product
from pathlib import Path

import numpy as np

from . import svg
from .svg import check_alt, number

GHOST = 0.45  # how large a cell of the padding is beside the others
HIGH, GAP, CAPTION, ROW_GAP = (
    432,
    64,
    26,
    14,
)  # of the wide form with two rows of grids, in pixels; explorer.css has the same
ROWS = {"all": (("x", "W", "z"), ("dx", "dW", "delta")), "back": (("dx", "W", "delta"),)}


class Explorer:
    """What ConvExplorer and PoolExplorer share. ``cases`` has the numbers and the links of each case by its kernel,
    stride and padding; ``html()`` is the whole output."""

    def __init__(self, x, choices, start, pixel, title, alt, compact):
        self.x = np.array(x, float)
        if self.x.ndim != 2 or self.x.shape[0] != self.x.shape[1] or not 2 <= len(self.x) <= 6:
            self._refuse("a square image of 2 to 6 rows", self.x.shape)
        self.choices, self.title, self.alt, self.compact = choices, title, check_alt(alt), compact
        self.cases = {}
        for case in product(*choices.values()):
            if self.fits(*case):
                self.cases[case] = self.case(*case)
        self.start, self.pixel = tuple(start), tuple(pixel)
        if self.start not in self.cases:
            self._refuse(f"start among {list(self.cases)}", start)
        if len(self.pixel) != 2 or not all(i in range(len(self.x)) for i in self.pixel):
            self._refuse(f"pixel as a row and a column below {len(self.x)}", pixel)

    def fits(self, kernel, stride, padding=0):
        """Whether a case can be shown: each window covers a pixel, and there are no more outputs than pixels."""
        outputs = (len(self.x) + 2 * padding - kernel) // stride + 1
        return padding < kernel and 1 <= outputs <= len(self.x)

    def html(self):
        """One block of HTML: title, the first state as tables, the data, a style sheet and a script."""
        data = json.dumps(self.data(), separators=(",", ":"), ensure_ascii=False)
        # Sphinx, JupyterLab and search engines see the first state; the script puts the moving one in its place.
        look = f'data-kind="{self.kind}"{" data-compact" * self.compact}'
        return (
            f'<div class="cnn-explorer" role="group" aria-label="{escape(self.title)}" {look}>\n'
            f'<p class="cnn-title">{escape(self.title)}</p>\n'
            f'<p class="cnn-legend">{self.legend}</p>\n'
            f'<div class="cnn-still">\n<p>{escape(self.alt)}</p>\n{self.still()}\n</div>\n'
            f'<script type="application/json">{data}</script>\n'
            f"<style>{_css()}</style>\n<script>{_file('explorer.js')}</script>\n</div>"
        )

    def data(self):
        """What the script knows, as JSON has it."""
        cases = {",".join(map(str, case)): values for case, values in self.cases.items()}
        shown = {"choices": self.choices, "start": self.start, "pixel": self.pixel, "rows": self.rows()}
        return shown | {"x": listed(self.x), "cases": cases}

    def rows(self):
        """The grids of the wide form, row by row."""
        return ROWS["back" if self.compact else "all"]

    def _repr_mimebundle_(self, include=None, exclude=None):
        name = f"<{type(self).__name__}: {len(self.cases)} cases>"
        return {"text/plain": name, "text/html": self.html()}

    def _refuse(self, wanted, got):
        raise ValueError(f"{type(self).__name__} wants {wanted}, got {got!r:.200}")

    # ---- the first state, a pixel of dJ/dx with what came back to it

    def still(self):
        """Tables of all numbers, with the frames and lines of the first state, and its sum."""
        case = self.cases[self.start]
        pixel = self.pixel[0] * len(self.x) + self.pixel[1]
        head, terms, lit = self.gather(case, pixel)
        marks = {("dx", pixel): ("on", ""), **{(kind, i): ("bw", corner) for kind, i, corner in lit}}
        grids = "\n".join(self.grid(kind, case, marks) for row in self.rows() for kind in row)
        said = "; ".join(f"{name} {value}" for name, value in zip(self.choices, self.start, strict=True))
        across, down = self.size(case)
        pair = max(case["out"] + max(2, case["kernel"]) * ("W" in self.names), across["c1"])
        deep = across["c1"] + max(case["out"], case["kernel"] * ("W" in self.names))
        sizes = across | {"down": down, "deep": deep, "pair": pair, "p": case.get("padding", 0)}
        style = ";".join(f"--{name}:{value:g}" for name, value in sizes.items())
        terms = [f'<span class="cnn-term"><span>{top} </span>{low}</span>' for top, low in terms]
        chips = " ".join(f"<span>{'<b>+ </b>' * bool(k)}{term}</span>" for k, term in enumerate(terms))
        return (
            f'<p>{said}</p>\n<div class="cnn-stage" style="{style}">\n{grids}\n'
            f"{self.lines(across, down, case, pixel, [i for kind, i, _ in lit if kind == 'delta'])}\n</div>\n"
            f'<p class="cnn-head">{head}</p>\n<div class="cnn-terms">{chips}</div>'
        )

    def size(self, case):
        """How many cells wide each column of the wide form is, and how many cells high all of it."""
        sizes = {"x": len(self.x) + 2 * GHOST * case.get("padding", 0), "dx": len(self.x)}
        sizes |= {"W": case["kernel"], "dW": case["kernel"], "z": case["out"], "delta": case["out"]}
        columns = [max(sizes[kind] for kind in column) for column in zip(*self.rows(), strict=True)]
        across = {f"c{i}": max(2, size) for i, size in enumerate(columns, 1)}
        return across, sum(max(sizes[kind] for kind in row) for row in self.rows())

    def grid(self, kind, case, marks):
        """One table; explorer.js makes the same."""
        values = self.x.ravel().tolist() if kind == "x" else case[kind]
        side = round(len(values) ** 0.5)
        top = max(map(abs, values)) or 1
        padding = case.get("padding", 0) if kind == "x" else 0
        lines = []
        for r in range(-padding, side + padding):
            cells = []
            for c in range(-padding, side + padding):
                if not (0 <= r < side and 0 <= c < side):
                    low, narrow = " gr" * (not 0 <= r < side), " gc" * (not 0 <= c < side)
                    cells.append(f'<td class="gh{low}{narrow}">0</td>')
                    continue
                i = r * side + c
                look, corner = marks.get((kind, i), ("", ""))
                corner = self.count(case, i) if kind == "dx" else corner
                depth = int(8 + 30 * abs(values[i]) / top) if values[i] else 0
                tint = f' style="--t:{depth}%"' if kind in TINTED else ""
                look = " ".join(filter(None, [look, "neg" if tint and values[i] < 0 else ""]))
                cells.append(
                    f"<td{_attribute('class', look)}{_attribute('data-n', corner)}{tint}>{number(values[i], 0)}</td>"
                )
            lines.append(f"<tr>{''.join(cells)}</tr>")
        return (
            f'<table class="cnn-{kind}"><caption>{self.names[kind]}</caption>\n'
            + "\n".join(lines)
            + "</table>"
        )

    def lines(self, across, down, case, pixel, outputs):
        """A line from each delta to the pixel, where they stand in the wide form."""
        rows = self.rows()
        cell = HIGH * len(rows) / 2 / down
        (row,) = [k for k, kinds in enumerate(rows) if "delta" in kinds]
        above = [self.size_of_row(kinds, case) * cell + CAPTION + ROW_GAP for kinds in rows[:row]]
        left = sum(list(across.values())[:-1]) * cell + GAP * (len(across) - 1)
        shift = GHOST * case.get("padding", 0) * cell * ("x" in rows[0])

        top, size = sum(above) + CAPTION, len(self.x)
        x0, y0, x1 = shift + (pixel % size + 1) * cell, top + (pixel // size + 1) * cell, shift + size * cell
        paths = [f"M{x1:.0f} {y0:.0f}H{x0:.0f}"]
        for row in sorted({o // case["out"] for o in outputs}):
            middle, y1 = (x1 + left) / 2, top + (row + 1) * cell
            end = left + max(o % case["out"] for o in outputs if o // case["out"] == row) * cell
            bend = f"C{middle:.0f} {y0:.0f} {middle:.0f} {y1:.0f} {left:.0f} {y1:.0f}"
            paths.append(f"M{x1:.0f} {y0:.0f}{bend}H{end:.0f}")
        return f'<svg aria-hidden="true"><path class="bw" d="{"".join(paths)}"/></svg>'

    def size_of_row(self, kinds, case):
        """How many cells high a row of grids is."""
        sizes = {"x": len(self.x) + 2 * GHOST * case.get("padding", 0), "W": case["kernel"], "z": case["out"]}
        return max(sizes[kind] for kind in kinds)


TINTED = ("W", "dx", "dW")  # filled by sign and size, as svg.grid does


def _file(name):
    """A file of the package, without the lines that only explain."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return re.sub(r"^\s*(//.*|/\*.*\*/)\n", "", text, flags=re.MULTILINE)


def _css(name="explorer.css"):
    """A style sheet, with the colours of all pictures."""
    return re.sub(r"\b(FORWARD|BACKWARD|ACCENT|NEGATIVE)\b", lambda m: getattr(svg, m[0]), _file(name))


def listed(array):
    """The numbers of an array in one list, whole ones as such."""
    return [int(v) if v == int(v) else float(v) for v in np.ravel(array)]


def _attribute(name, value):
    return f' {name}="{value}"' if value else ""


def at(i, side):
    """Row and column of a cell of a square, as an index."""
    return f"<sub>{i // side}{i % side}</sub>"


def whole(value):
    """A whole number with a true minus sign."""
    return number(value, 0)


def in_brackets(value):
    """The same, a negative one in brackets."""
    return f"({whole(value)})" if value < 0 else whole(value)
