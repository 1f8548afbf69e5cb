"""Explorers: every number of a layer's forward and backward pass under the reader's hand.

A reader chooses a cell and sees what it depends on, term by term. Nothing that a page shows is computed there:
the numbers are what the layer's forward and backward return, and which output met which pixel with which weight
is read off the layer as well, by deltas that are 1 at one output and 0 elsewhere. `explorer.js` draws,
`explorer.css` has the looks; both are part of the output, which needs no kernel and no other file.
"""

import json
import re
from html import escape
from itertools import product
from pathlib import Path

import numpy as np

from ..layers import Conv2d, MaxPool2d
from . import svg
from .svg import check_alt, number

# No zero, which would hide a term; W is like none of its turned or mirrored copies, and no weight comes twice.
IMAGE = [[2, 1, 3, 1, 2], [1, 2, 1, 3, 1], [3, 1, 2, 2, 1], [1, 3, 1, 1, 2], [2, 1, 2, 3, 1]]
KERNEL = [[2, -1, 3, -4], [1, 4, -2, 6], [-3, 5, 7, -5], [8, -6, 9, -7]]
# With ties, beside each other and in different windows, and a pixel that is the largest of many windows.
TIES = [
    [1, 5, 2, 2, 7, 3],
    [5, 3, 8, 1, 7, 4],
    [2, 4, 1, 6, 2, 2],
    [6, 2, 9, 3, 5, 8],
    [1, 7, 4, 4, 8, 1],
    [3, 7, 2, 5, 1, 6],
]
GHOST = 0.45  # how large a cell of the padding is beside the others
HIGH, GAP, CAPTION, ROW_GAP = 432, 64, 26, 14  # of the wide form, in pixels; explorer.css has the same
ROWS = {"all": (("x", "W", "y"), ("dx", "dW", "delta")), "back": (("dx", "W", "delta"),)}


class Explorer:
    """What ConvExplorer and PoolExplorer share. `cases` has the numbers and the links of each case by its kernel,
    stride and padding; `html()` is the whole output."""

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
        return shown | {"x": _list(self.x), "cases": cases}

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
        sizes |= {"W": case["kernel"], "dW": case["kernel"], "y": case["out"], "delta": case["out"]}
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
        return f'<table class="cnn-{kind}"><caption>{self.names[kind]}</caption>\n' + "\n".join(lines) + "</table>"

    def lines(self, across, down, case, pixel, outputs):
        """A line from each delta to the pixel, where they stand in the wide form."""
        cell = HIGH / down
        rows = self.rows()
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
        sizes = {"x": len(self.x) + 2 * GHOST * case.get("padding", 0), "W": case["kernel"], "y": case["out"]}
        return max(sizes[kind] for kind in kinds)


class ConvExplorer(Explorer):
    """A convolution of one channel, backward: `show.ConvExplorer()` displays the grids x, W, y, dJ/dx, dJ/dW and
    delta, for each kernel, stride and padding of which the outputs are not more than the pixels.

    x: a square image. W: a square matrix; a kernel of size k is its k rows and columns at the upper left. kernels,
    strides, paddings: the sizes on offer, by default 1 to 4, 1 to 3 and 0 to 2. start: the first kernel, stride and padding; pixel: the row and column
    of dJ/dx that is chosen at first. compact: dJ/dx, W and delta alone, and by default
    kernels 2 and 3 without stride and padding, for a front page. ValueError for what does
    not fit.
    """

    kind = "conv"
    names = {
        "x": "image x",
        "W": "kernel W",
        "y": "output y",
        "dx": "∂J/∂x",
        "dW": "∂J/∂W",
        "delta": "δ = ∂J/∂y",
    }
    legend = (
        'Choose any cell: point, tap or arrow keys. <i class="fw">Blue</i> is what an output reads, '
        '<i class="bw">orange</i> is what comes back. The small number counts the outputs that used the pixel.'
    )

    def __init__(
        self,
        x=IMAGE,
        W=KERNEL,
        *,
        kernels=None,
        strides=None,
        paddings=None,
        start=(3, 1, 0),
        pixel=(1, 1),
        title="Which outputs used this pixel?",
        alt=None,
        compact=False,
    ):
        kernels = kernels or ((2, 3) if compact else (1, 2, 3, 4))
        strides = strides or ((1,) if compact else (1, 2, 3))
        paddings = paddings or ((0,) if compact else (0, 1, 2))
        self.W = np.array(W, float)
        if self.W.ndim != 2 or len(self.W) < max(kernels) or self.W.shape[1] < max(kernels):
            self._refuse(f"W with {max(kernels)} rows and columns or more", self.W.shape)
        alt = alt or (
            "A small convolution and its backward pass in numbers: below, a pixel of the gradient is chosen, and "
            "framed are the deltas of the outputs that used it and the weight that each met it with."
        )
        choices = {"kernel": list(kernels), "stride": list(strides), "padding": list(paddings)}
        super().__init__(x, choices, start, pixel, title, alt, compact)

    def case(self, kernel, stride, padding):
        """The numbers of one case, and `links`: for each output, for each weight, the pixel of the padded image
        that the two met."""
        layer = Conv2d(1, 1, kernel, stride=stride, padding=padding)
        layer.params["W"] = self.W[None, None, :kernel, :kernel]
        y = layer.forward(self.x[None, :, :, None])
        delta = np.arange(1.0, y.size + 1).reshape(y.shape)
        dx, out = layer.backward(delta), y.shape[1]
        links = self.links(kernel, stride, len(self.x) + 2 * padding)
        numbers = {"W": layer.params["W"], "y": y, "dx": dx, "dW": layer.grads["W"], "delta": delta}
        sizes = {"kernel": kernel, "stride": stride, "padding": padding, "out": out}
        sizes["spread"] = self.spread(links, kernel, padding)
        return sizes | {"links": links.ravel().tolist()} | {name: _list(a) for name, a in numbers.items()}

    def links(self, kernel, stride, size):
        """(outputs, weights) -> pixel, told by the layer: the weights are 1, 2, 3, ..., and one delta is 1 in each
        example. Then its dJ/dx holds, at each pixel, the number of the weight that the output met it with."""
        layer = Conv2d(1, 1, kernel, stride=stride)
        layer.params["W"] = np.arange(1.0, kernel**2 + 1).reshape(1, 1, kernel, kernel)
        _, out, _, _ = layer.output_shape((1, size, size, 1))
        layer.forward(np.zeros((1, size, size, out**2)))
        met = layer.backward(np.eye(out**2).reshape(1, out, out, -1)).reshape(size**2, -1)
        links = np.full((out**2, kernel**2), -1)
        for pixel, output in np.argwhere(met):
            links[output, round(met[pixel, output]) - 1] = pixel
        return links

    def spread(self, links, kernel, padding):
        """Where each delta stands when the rotated kernel, slid over all of them, shall meet it above pixel (0, 0),
        (0, 1), ...: the full correlation. ValueError where the links of one delta do not agree on that."""
        padded = len(self.x) + 2 * padding
        row, column = np.divmod(links, padded)
        u, v = np.divmod(np.arange(kernel**2), kernel)
        places = (row - padding + kernel - 1 - u) * (len(self.x) + kernel - 1) + column - padding + kernel - 1 - v
        if (places != places[:, :1]).any():
            self._refuse("a layer whose backward pass is one correlation", places.tolist())
        return places[:, 0].tolist()

    def used(self, case, pixel):
        """[(output, weight)] of the outputs that used a pixel."""
        padding, size = case["padding"], len(self.x)
        place = (pixel // size + padding) * (size + 2 * padding) + pixel % size + padding
        return [divmod(k, case["kernel"] ** 2) for k, there in enumerate(case["links"]) if there == place]

    def count(self, case, pixel):
        """The small number of a pixel of dJ/dx."""
        return str(len(self.used(case, pixel)))

    def gather(self, case, pixel):
        """What the first state says of its pixel: (sentence, [(names, numbers)] of the terms, [(grid, cell, small
        number)])."""
        used = self.used(case, pixel)
        terms, lit = [], []
        for o, w in used:
            delta, weight = case["delta"][o], case["W"][w]
            terms.append((f"δ{_at(o, case['out'])}W{_at(w, case['kernel'])}", f"{_n(delta)}·{_in_brackets(weight)}"))
            lit += [("delta", o, f"×{_n(weight)}"), ("W", w, "")]
        many = {0: "no output", 1: "1 output"}.get(len(used), f"{len(used)} outputs")
        head = f"<b>∂J/∂x{_at(pixel, len(self.x))} = {_n(case['dx'][pixel])}</b>: {many} used this pixel."
        if len(used) > 1:
            head += " δ in reading order meets W in reverse order: W rotated by 180°."
        return head, terms, lit


class PoolExplorer(Explorer):
    """Max pooling, backward: `show.PoolExplorer()` displays the grids x, y, dJ/dx and delta, and which pixel each
    window kept, for each kernel and stride.

    x: a square image, here with ties. kernels, strides: the sizes on offer. start: the first kernel and stride;
    pixel, compact: as of ConvExplorer. ValueError for what does not fit.
    """

    kind = "pool"
    names = {"x": "image x", "y": "output y", "dx": "∂J/∂x", "delta": "δ = ∂J/∂y"}
    legend = (
        'Choose any cell: point, tap or arrow keys. <i class="fw">Blue</i> is what an output reads, '
        '<i class="bw">orange</i> is what comes back. Small: how many windows kept the pixel, of those that saw it.'
    )

    def __init__(
        self,
        x=TIES,
        *,
        kernels=(2, 3),
        strides=(1, 2, 3),
        start=(3, 2),
        pixel=(1, 2),
        title="Which pixel gets the delta?",
        alt=None,
        compact=False,
    ):
        alt = alt or (
            "Max pooling and its backward pass in numbers: below, a pixel of the gradient is chosen, and framed are "
            "the deltas of the windows whose maximum it was."
        )
        choices = {"kernel": list(kernels), "stride": list(strides)}
        super().__init__(x, choices, start, pixel, title, alt, compact)

    def rows(self):
        """No weights."""
        return tuple(tuple(kind for kind in row if kind in self.names) for row in super().rows())

    def case(self, kernel, stride):
        """The numbers of one case; `links`: for each output the pixels of its window; `kept`: the one whose number
        it is. The layer tells: the first by what a pixel of 1 among zeros gives, the second by one delta of 1."""
        size = len(self.x)
        layer = MaxPool2d(kernel, stride=stride)
        lone = layer.forward(np.eye(size**2).reshape(1, size, size, -1))
        out = lone.shape[1]
        links = [np.flatnonzero(window).tolist() for window in lone.reshape(out**2, -1)]
        layer.forward(np.repeat(self.x[None, :, :, None], out**2, axis=-1))
        kept = layer.backward(np.eye(out**2).reshape(1, out, out, -1)).reshape(size**2, -1).argmax(axis=0)
        y = layer.forward(self.x[None, :, :, None])
        delta = np.arange(1.0, y.size + 1).reshape(y.shape)
        numbers = {"y": y, "dx": layer.backward(delta), "delta": delta}
        sizes = {"kernel": kernel, "stride": stride, "out": out, "links": sum(links, []), "kept": kept.tolist()}
        return sizes | {name: _list(a) for name, a in numbers.items()}

    def seen(self, case, pixel):
        """The outputs whose windows saw a pixel, and those of them that kept it."""
        saw = [k // case["kernel"] ** 2 for k, there in enumerate(case["links"]) if there == pixel]
        return saw, [o for o in saw if case["kept"][o] == pixel]

    def count(self, case, pixel):
        """The small number of a pixel of dJ/dx."""
        saw, kept = self.seen(case, pixel)
        return f"{len(kept)}/{len(saw)}"

    def gather(self, case, pixel):
        """As of ConvExplorer."""
        saw, kept = self.seen(case, pixel)
        terms = [(f"δ{_at(o, case['out'])}", _n(case["delta"][o])) for o in kept]
        windows = "1 window" if len(saw) == 1 else f"{len(saw)} windows"
        name, value = f"x{_at(pixel, len(self.x))}", _n(self.x.flat[pixel])
        head = f"<b>∂J/∂{name} = {_n(case['dx'][pixel])}</b>: {windows} saw {name} = {value}, {len(kept)} kept it."
        return head, terms, [("delta", o, "") for o in kept]


TINTED = ("W", "dx", "dW")  # filled by sign and size, as svg.grid does


def _file(name):
    """A file of the package, without the lines that only explain."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return re.sub(r"^\s*(//.*|/\*.*\*/)\n", "", text, flags=re.MULTILINE)


def _css():
    """The style sheet, with the colours of all pictures."""
    return re.sub(r"\b(FORWARD|BACKWARD|ACCENT|NEGATIVE)\b", lambda m: getattr(svg, m[0]), _file("explorer.css"))


def _list(array):
    """The numbers of an array in one list, whole ones as such."""
    return [int(v) if v == int(v) else float(v) for v in np.ravel(array)]


def _attribute(name, value):
    return f' {name}="{value}"' if value else ""


def _at(i, side):
    return f"<sub>{i // side}{i % side}</sub>"


def _n(value):
    return number(value, 0)


def _in_brackets(value):
    return f"({_n(value)})" if value < 0 else _n(value)
