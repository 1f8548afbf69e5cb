"""Pictures as strings: each function returns SVG or HTML text and displays nothing.

``show.figure(picture, alt=...)`` displays one, ``show.Frames`` moves several. Lines and letters take the page's
own colour (``currentColor``), so a picture is readable on light and on dark pages. Letters are 16 pixels, as
the page's. Nothing is said by hue alone: what runs forward is solid and points right, what runs backward is
dashed and points left.
"""

import re
import struct
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby, pairwise
from zlib import adler32, crc32

import numpy as np
from numpy.typing import ArrayLike

from .cells import place_of_cells
from .ink import ACCENT, BACKWARD, COLOURS, FORWARD, NEGATIVE, OTHER, _stroke, _svg, _text, number
from .units import network

__all__ = [
    "ACCENT",
    "BACKWARD",
    "COLOURS",
    "FORWARD",
    "NEGATIVE",
    "OTHER",
    "check_alt",
    "grid",
    "image",
    "images",
    "mark",
    "matrix",
    "network",
    "number",
    "row",
    "stack",
    "table",
    "tabindex",
    "wire",
]

_ROW = 36  # height of a grid's row


def check_alt(alt: object) -> str:
    """Return the alternative text without outer blanks; ValueError unless it says what a picture shows: three
    words and 20 characters or more, not a file's name, not only "figure 3"."""
    text = alt.strip() if isinstance(alt, str) else ""
    words = re.sub(r"(?i)\b(figure|fig|plot|picture|image|diagram|chart|graph)\b|[\W\d_]+", " ", text).split()
    if len(text) < 20 or len(words) < 3 or re.search(r"(?i)\.(png|svg|jpe?g|gif|pdf|ipynb)$", text):
        raise ValueError(
            f"alt must say what the picture shows, in three words and 20 characters or more, got {alt!r}"
        )
    return text


def grid(
    array: ArrayLike,
    caption: str = "",
    *,
    digits: int | None = None,
    marks: Iterable[tuple] = (),
    signed: bool = False,
    scale: float | None = None,
    hide: ArrayLike | None = None,
    rows: Sequence = (),
    cols: Sequence = (),
    name: str = "",
    keys: ArrayLike | None = None,
) -> str:
    """A matrix (rows, columns), or a vector as one row, with its numbers.

    digits: decimals, by default none for integers and 2 otherwise. marks: a list of ``mark(...)``. signed:
    cells are filled by sign and size, ``|value| = scale`` (by default the largest) being the fullest. hide:
    booleans of the array's shape; True leaves a cell empty, for what is not computed yet. rows, cols: names
    beside and above. ValueError for other dimensions, names that do not fit, and marks outside.

    In Frames a click on a cell leads to the frame that marks it, and cells that hold the same number light up
    together (``show.cells``): those with the same key, an array of texts, by default ``cells.keys(name, shape)``
    where the grid has a name, and otherwise those with the same fraction; whole numbers are alike by chance.
    """
    array = np.atleast_2d(array)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"grid wants a matrix or vector of numbers, got {array.dtype} of shape {array.shape}"
        )
    height, width = array.shape
    for what, names, wanted in (("rows", rows, height), ("cols", cols, width)):
        if len(names) not in (0, wanted):
            raise ValueError(f"grid of shape {array.shape} wants {wanted} names in {what}, got {len(names)}")
    digits = _decimals(array, digits)
    texts = {at: number(v, digits) for at, v in np.ndenumerate(array)}
    cell = max(
        _ROW, 14 + 9 * max(map(len, texts.values())), 14 + 9 * max((len(str(c)) for c in cols), default=0)
    )
    hide = np.zeros(array.shape, bool) if hide is None else np.broadcast_to(hide, array.shape)
    scale = scale or np.abs(array).max() or 1
    left = 2 + 10 * max((len(str(r)) for r in rows), default=0)
    top = 2 + 24 * bool(caption) + 24 * bool(len(cols))

    def cells(i, j, h=1, w=1):
        return f'x="{left + cell * j}" y="{top + _ROW * i}" width="{cell * w}" height="{_ROW * h}"'

    parts = [f'<text x="{left}" y="16" text-anchor="start">{escape(caption)}</text>'] if caption else []
    parts += [_text(left + cell * (j + 0.5), top - 12, name) for j, name in enumerate(cols)]
    parts += [_text(left / 2, top + _ROW * (i + 0.5), name) for i, name in enumerate(rows)]
    for at in map(tuple, np.argwhere(~hide & (np.round(array, digits) != 0) & signed)):
        depth = 0.08 + 0.3 * min(1, abs(array[at]) / scale)  # the number stays readable, also under a mark
        parts.append(
            f'<rect {cells(*at)} fill="{ACCENT if array[at] > 0 else NEGATIVE}" fill-opacity="{depth:.2f}"/>'
        )
    lines = [f"M{left} {top + _ROW * i}h{cell * width}" for i in range(height + 1)]
    lines += [f"M{left + cell * j} {top}v{_ROW * height}" for j in range(width + 1)]
    parts.append(f'<path d="{"".join(lines)}" stroke="currentColor" stroke-opacity=".4"/>')
    for i, j, h, w, colour in marks:
        if min(i, j) < 0 or min(h, w) < 1 or i + h > height or j + w > width:
            raise ValueError(f"mark({i}, {j}, {h}, {w}) lies outside a grid of shape {array.shape}")
        parts.append(f'<rect {cells(i, j, h, w)} rx="3" fill="none" {_stroke(colour)}/>')
    for i, j in np.argwhere(~hide):
        parts.append(_text(left + cell * (j + 0.5), top + _ROW * (i + 0.5), texts[i, j]))
    noted = place_of_cells(array, (left, top, cell), hide, [m[:4] for m in marks], name, keys)
    return _svg(max(left + cell * width + 2, left + 9 * len(caption)), top + _ROW * height + 2, parts, noted)


def mark(
    row: int, col: int, height: int = 1, width: int = 1, colour: str = FORWARD
) -> tuple[int, int, int, int, str]:
    """A frame around cells of a grid, from (row, col) on: ``grid(x, marks=[mark(0, 1, 3, 3)])``; BACKWARD is
    dashed."""
    return int(row), int(col), int(height), int(width), colour


def wire(
    forward: float | None = None,
    backward: float | None = None,
    label: str = "",
    *,
    digits: int = 2,
    length: float = 110,
) -> str:
    """One wire: its name and the number that runs forward above it, the number that runs backward below
    it."""
    parts = [f'<path d="M0 48h{length}" stroke="currentColor" stroke-width="1.5"/>']
    parts += [_text(length / 2, 12, label)] if label else []
    parts += [_text(length / 2, 34, f"{number(forward, digits)} →", FORWARD)] if forward is not None else []
    parts += (
        [_text(length / 2, 62, f"← {number(backward, digits)}", BACKWARD)] if backward is not None else []
    )
    return _svg(length, 76, parts)


def image(
    array: ArrayLike, caption: str = "", *, scale: float = 3, signed: bool = False, top: float | None = None
) -> str:
    """A small image, ``scale`` pixels a dot: (H, W) as ink in the page's colour, 0 none and top (by default the
    largest) full, in 15 steps; signed: positive and negative numbers in two hues. (3, H, W) in [0, 1]: red,
    green, blue."""
    array = np.asarray(array, float)
    if array.ndim not in (2, 3) or (array.ndim == 3 and len(array) != 3) or not np.isfinite(array).all():
        raise ValueError(f"image wants finite numbers of shape (H, W) or (3, H, W), got shape {array.shape}")
    height, width = array.shape[-2:]
    ink = _png(array) if array.ndim == 3 else _ink(array, signed, top or np.abs(array).max() or 1)
    edge = f'<path d="M0 0h{width}v{height}h{-width}z" stroke="currentColor" stroke-width=".2"/>'
    size = f'width="{scale * width:g}" height="{scale * height:g}" viewBox="0 0 {width} {height}"'
    art = f'<svg {size} fill="none">{ink}{edge}</svg>'
    return _flex("column", "center", [art, caption]) if caption else art


def images(
    x: ArrayLike, captions: Sequence = (), *, scale: float = 2, signed: bool = False, top: float | None = None
) -> str:
    """The images of a batch (C, H, W, N), C being 1 or 3, side by side, with one caption each."""
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[0] not in (1, 3) or len(captions) not in (0, x.shape[-1]):
        raise ValueError(f"images wants (1 or 3, H, W, N) and N captions, got {x.shape} and {len(captions)}")
    pictures = np.moveaxis(x[0] if x.shape[0] == 1 else x, -1, 0)
    names = map(str, captions) if len(captions) else [""] * len(pictures)
    look = {"scale": scale, "signed": signed, "top": top or np.abs(x).max()}
    return row(*(image(picture, name, **look) for picture, name in zip(pictures, names, strict=True)))


def row(*items: str) -> str:
    """Pictures side by side, with signs such as "=" or "→" between them; what a phone has no room for goes
    below."""
    return _flex("row wrap", "center", items, "cnn-row")


def stack(*items: str) -> str:
    """Pictures and lines of text below each other. In Frames, where the page is wide, they stand side by side."""
    parts = []
    for pictures, those in groupby(items, _is_picture):
        lines = _spans(those)
        parts.append(
            lines if pictures else f'<div class="cnn-lines" style="display:grid;gap:4px">{lines}</div>'
        )
    many = sum(map(_is_picture, items)) > 1
    return _flex("column", "flex-start", ["".join(parts)], "cnn-stack cnn-many" if many else "cnn-stack")


def table(rows: Iterable[Sequence], header: Sequence[str], caption: str, *, digits: int = 2) -> str:
    """A table of rows under a header of column names; a row's first cell names it, or is empty. Floats get
    ``digits`` decimals; text may hold TeX between \\( and \\). ValueError where a row is not as long as the
    header."""
    for line in rows:
        if len(line) != len(header):
            raise ValueError(
                f"table wants {len(header)} cells a row, as in its header, got {len(line)}: {line!r}"
            )

    def cell(value, tag="td", scope=""):
        if isinstance(value, str):
            return f"<{tag}{scope}>{escape(value, quote=False)}</{tag}>"
        text = number(value, digits) if isinstance(value, float | np.floating) else str(value)
        return f'<{tag}{scope} style="text-align:right;white-space:nowrap">{text}</{tag}>'

    def name(value, scope):
        return "<td></td>" if value == "" else cell(value, "th", f' scope="{scope}"')

    head = "".join(name(value, "col") for value in header)
    lines = [name(line[0], "row") + "".join(map(cell, line[1:])) for line in rows]
    body = "</tr>\n<tr>".join(lines)
    inside = f"<thead><tr>{head}</tr></thead>\n<tbody><tr>{body}</tr></tbody></table></div>"
    key = f"table-{crc32((caption + inside).encode()):08x}"  # a label cannot hold formulas, its caption can
    box = f'class="cnn-table tex2jax_process" role="region" tabindex="0" aria-labelledby="{key}"'
    return (
        f'<div {box} style="overflow-x:auto"><table style="border-spacing:12px 4px">\n'
        f'<caption id="{key}">{escape(caption, quote=False)}</caption>\n{inside}'
    )


def matrix(
    array: ArrayLike,
    caption: str,
    *,
    digits: int | None = None,
    rows: Iterable | None = None,
    cols: Iterable | None = None,
) -> str:
    """A matrix as a table that scrolls in its own box, with its indices or the names in rows and cols at its
    edges: for what is too large for a grid."""
    array = np.atleast_2d(array)
    if array.ndim != 2:
        raise ValueError(f"matrix wants two dimensions, got shape {array.shape}")
    rows, cols = (
        range(n) if names is None else names for n, names in zip(array.shape, (rows, cols), strict=True)
    )
    lines = [[name, *line] for name, line in zip(rows, array.tolist(), strict=True)]
    return table(lines, ["", *cols], caption, digits=_decimals(array, digits))


def tabindex(picture: str) -> str:
    """A keyboard must be able to scroll what is wider than a phone."""
    return ' tabindex="0"' if any(float(w) > 350 for w in re.findall('<svg width="([^"]+)', picture)) else ""


def _decimals(array, digits):
    return (0 if array.dtype.kind in "biu" else 2) if digits is None else digits


def _ink(array, signed, top):
    """Runs of equal ink as strokes one dot high, a path for each level: about 1 kB a digit, crisp at any
    size."""
    levels = np.clip(np.rint(15 * array / top), -15 if signed else 0, 15).astype(int)
    runs = {}
    for y, line in enumerate(levels):
        for start, stop in pairwise([0, *(np.flatnonzero(np.diff(line)) + 1), len(line)]):
            runs.setdefault(int(line[start]), []).append(f"M{start} {y}.5h{stop - start}")
    runs.pop(0, None)
    hue = {1: ACCENT, -1: NEGATIVE} if signed else {1: "currentColor"}
    ink = 'stroke="{}" stroke-opacity="{:.2f}" shape-rendering="crispEdges"'
    return "".join(
        f'<path d="{"".join(d)}" {ink.format(hue[np.sign(k)], abs(k) / 15)}/>'
        for k, d in sorted(runs.items())
    )


def _png(array):
    """Stored, not compressed: what compression gives differs between builds of zlib."""
    dots = np.rint(255 * np.clip(array, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    height, width, _ = dots.shape
    raw = b"".join(b"\0" + line.tobytes() for line in dots)
    if len(raw) > 65535:
        raise ValueError(f"image wants at most 21,000 dots of colour, got {height} x {width}")
    data = (
        b"\x78\x01\x01"
        + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF)
        + raw
        + struct.pack(">I", adler32(raw))
    )
    png = b"\x89PNG\r\n\x1a\n"
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", data),
        (b"IEND", b""),
    ):
        png += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc32(kind + body))
    place = f'width="{width}" height="{height}" style="image-rendering:pixelated"'
    return f'<image {place} href="data:image/png;base64,{b64encode(png).decode()}"/>'


def _is_picture(item):
    return bool(re.match("<(svg|div)", str(item)))


def _spans(items):
    return "".join(item if _is_picture(item) else f"<span>{escape(str(item))}</span>" for item in items)


def _flex(flow, align, items, name=""):
    look = f"display:flex;flex-flow:{flow};align-items:{align};gap:4px 12px"
    named = f' class="{name}"' if name else ""
    return f'<div{named} style="{look}">{_spans(items)}</div>'
