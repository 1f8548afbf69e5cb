"""Cells that can be touched: where they are, which frame marks each, and which hold the same number.

``svg.grid`` notes all of that about itself in one attribute, ``data-cells``. Frames read it from all pictures and
leave what a page needs: where a click leads, and what lights up together. Elsewhere it goes (``plain``).
"""

import json
import re
from html import escape

import numpy as np

_NOTE = re.compile(r' data-cells="([^"]*)"')
_TERM = re.compile(r'<b data-key="([^"]*)">([^<]*)</b>')


def keys(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Names of the cells of an array, ``W[1,2]``, as an array of texts: a part of them goes with a part of it."""
    names = np.empty(shape, object)
    for at in np.ndindex(*names.shape):
        names[at] = f"{name}[{','.join(map(str, at))}]"
    return names


def term(value: float, text: object = None, *, digits: int = 2, key: str | None = None) -> str:
    """A number in the ``formula`` of Frames that lights up together with the cells that hold it, or that have
    its key. text: what stands there, by default the number with its decimals."""
    from .svg import number

    text = number(value, digits) if text is None else text
    key = _key(value) if key is None else _checked(key)
    return f'<b data-key="{escape(key)}">{escape(str(text), quote=False)}</b>'


def words(text: str) -> str:
    """Plain text with terms in it as HTML."""
    parts, end = [], 0
    for found in _TERM.finditer(text):
        parts += [escape(text[end : found.start()], quote=False), found[0]]
        end = found.end()
    return "".join(parts) + escape(text[end:], quote=False)


def plain(picture: str) -> str:
    """A picture or formula without what its cells and terms note about themselves."""
    return _TERM.sub(r"<b>\2</b>", _NOTE.sub("", picture))


def place_of_cells(array, corner, hide, marks, name, names):
    """The attribute in which a grid notes where its cells are (left, top, width), its marks (row, column, height,
    width), what it hides, its name, and the key of each cell. ValueError for keys that do not fit."""
    array = np.asarray(array)
    if names is None:
        names = keys(name, array.shape) if name else [_key(v) for v in array.ravel().tolist()]
    elif np.shape(np.atleast_2d(names)) != array.shape:
        raise ValueError(f"grid of shape {array.shape} wants a key for each cell, got {np.shape(names)}")
    names = [_checked(key) for key in np.ravel(names)]
    hidden = "".join("01"[h] for h in np.ravel(hide).tolist()) if np.any(hide) else ""
    framed = ",".join(" ".join(map(str, m)) for m in marks)
    place = " ".join(f"{v:g}" for v in (*corner, *array.shape))
    return f' data-cells="{escape(";".join([place, _checked(name), framed, hidden, "|".join(names)]))}"'


def _key(value):
    """Ten digits of a fraction: what another machine rounds otherwise is the same number. Whole numbers, of which any
    two may be alike, have none."""
    return "" if not np.isfinite(value) or float(value).is_integer() else f"{value:.9e}"


def _checked(key):
    if re.search(r'[;|"<>&]', str(key)):
        raise ValueError(f"a key or name of cells holds none of ; | < > & and quotes, got {key!r}")
    return str(key)


class _Grid:
    """What a grid has noted about itself."""

    def __init__(self, note, order):
        place, name, marks, self.hidden, names = note.split(";")
        *corner, rows, cols = place.split(" ")
        self.corner, self.shape = " ".join(corner), (int(rows), int(cols))
        self.marks = {tuple(map(int, m.split(" "))) for m in marks.split(",") if m}
        self.keys = names.split("|")
        self.which = (name or order, self.shape)  # the same grid in other frames

    def shown(self, at):
        """Whether a cell is not hidden."""
        return self.hidden[at[0] * self.shape[1] + at[1] :][:1] != "1"


class Links:
    """What the pictures of Frames say of their cells. pictures: {values of the axes: picture}, in order; sizes: how many
    values each axis has.

    ``go`` is for each grid and each of its cells, row by row, the list of the frames to which a click there leads (the
    nearest is taken): those in which the smallest mark holds the cell, marks that never move left out, or else those in
    which it appears. ``dressed(picture, text)`` gives a picture and a formula in the form that a page needs.
    """

    def __init__(self, pictures, sizes):
        self.sizes = sizes
        frames = [_grids(picture) for picture in pictures.values()]
        self.ids, self.go = {}, []
        for which in dict.fromkeys(grid.which for grids in frames for grid in grids):
            here = [next((g for g in grids if g.which == which), None) for grids in frames]
            leads = self._leads(here)
            if any(leads):
                self.ids[which] = len(self.go)
                self.go.append(leads)

    def _leads(self, grids):
        """For each cell the frames that a click on it may lead to; grids: this one in each frame, or None."""
        there = [g for g in grids if g is not None]
        still = set.intersection(*(g.marks for g in there))
        cells = list(np.ndindex(*there[0].shape))
        appears = self._appear(grids, cells)
        leads = []
        for k, at in enumerate(cells):
            holding = [[m[2] * m[3] for m in g.marks - still if _holds(m, at)] if g else [] for g in grids]
            least = min((area for areas in holding for area in areas), default=0)
            found = [f for f, areas in enumerate(holding) if least and least in areas]
            leads.append(found or appears[k])
        return leads

    def _appear(self, grids, cells):
        """For each cell the frames in which it appears, if it is hidden before that and never after."""
        frames = np.array([f for f, g in enumerate(grids) if g is not None])
        seen = np.array([[grids[f].shown(at) for f in frames] for at in cells])
        lines = np.arange(len(frames))[None]
        if len(frames) == len(grids) and len(self.sizes) == 2:
            places = lines.reshape(self.sizes)
            changes = [
                any((row[line] != row[line[0]]).any() for row in seen for line in along)
                for along in (places.T, places)
            ]
            lines = lines if all(changes) else places.T if changes[0] else places
        found = []
        for row in seen:
            steady = all((np.diff(row[line].astype(int)) >= 0).all() for line in lines)
            firsts = [int(frames[line[row[line].argmax()]]) for line in lines if row[line].any()]
            found.append(firsts if steady and not row.all() else [])
        return found

    def dressed(self, picture, text=""):
        """picture and text with short attributes, of those cells only that lead somewhere or light up: ``data-g``, the
        grid's number in ``go`` or -1, left, top, width of a cell, rows and columns; ``data-k``, pairs cell:number, equal
        where keys are; ``data-t``, the number of a term."""
        grids = _grids(picture)
        holders = [set(g.keys) for g in grids] + [{m[1]} for m in _TERM.finditer(text)]
        shared = {}
        for grid in [*(g.keys for g in grids), [m[1] for m in _TERM.finditer(text)]]:
            for key in grid:
                if key and key not in shared and sum(key in h for h in holders) > 1:
                    shared[key] = len(shared)
        rest = iter(grids)

        def note(_):
            grid = next(rest)
            lit = " ".join(
                f"{cell}:{shared[key]}"
                for cell, key in enumerate(grid.keys)
                if key in shared and grid.hidden[cell : cell + 1] != "1"
            )
            number = self.ids.get(grid.which, -1)
            if number < 0 and not lit:
                return ""
            place = f' data-g="{number} {grid.corner} {grid.shape[0]} {grid.shape[1]}"'
            return place + (f' data-k="{lit}"' if lit else "")

        def named(m):
            number = f' data-t="{shared[m[1]]}" tabindex="0"' if m[1] in shared else ""
            return f"<b{number}>{m[2]}</b>"

        return _NOTE.sub(note, picture), _TERM.sub(named, text)

    def json(self):
        """``go``, as short as it can be; nothing where no cell leads anywhere."""
        return json.dumps(self.go, separators=(",", ":")) if self.go else ""


def _holds(mark, at):
    row, col, height, width = mark
    return row <= at[0] < row + height and col <= at[1] < col + width


def _grids(picture):
    return [_Grid(note, order) for order, note in enumerate(_NOTE.findall(picture))]
