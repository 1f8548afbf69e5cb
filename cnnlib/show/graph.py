"""Curves, level lines and bars as strings of a few kilobytes, for frames that move; what stands still is
drawn better by matplotlib. As in ``show.svg``, each function returns text and displays nothing."""

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape

import numpy as np
from contourpy import contour_generator
from numpy.typing import ArrayLike

from .labels import HALO, box, disc, strokes
from .labels import place as fit
from .svg import ACCENT, BACKWARD, NEGATIVE, _stroke, _svg, _text, number

_RIGHT, _BOTTOM = 12, 30  # margins of a graph, in pixels
# Where a label may stand around its point, in this order: by half its width, and by pixels across and down.
_AROUND = [
    (0, 0, 0),
    (1, 9, 4),
    (-1, -9, 4),
    (1, 12, 16),
    (-1, -12, 16),
    (0, 0, 34),
    (1, 9, 30),
    (-1, -9, 30),
]


def axes(
    items: Iterable[Callable],
    *,
    x: Sequence[float],
    y: Sequence[float],
    xlabel: str = "",
    ylabel: str = "",
    caption: str = "",
    width: float = 330,
    height: float = 230,
    xticks: Sequence[float] | None = None,
    yticks: Sequence[float] | None = None,
) -> str:
    """A graph of ``line``, ``dots`` and ``contours``, drawn in this order and cut off at its edges.

    x, y: the ends of the axes, (low, high). xticks, yticks: where numbers stand, by default at the ends and at
    a zero between them. ylabel and caption stand above. ValueError for ends that do not rise.
    """
    for name, ends in (("x", x), ("y", y)):
        if np.shape(ends) != (2,) or not np.isfinite(ends).all() or not ends[0] < ends[1]:
            raise ValueError(f"axes wants {name} as (low, high), got {ends!r}")
    xticks, yticks = _ticks(x, xticks), _ticks(y, yticks)
    left = 10 + 9 * max((len(_tick(v)) for v in yticks), default=0)
    top, bottom = 12 + 22 * bool(caption) + 22 * bool(ylabel), _BOTTOM + 20 * bool(xlabel)
    inner, tall = width - left - _RIGHT, height - top - bottom

    def place(xs, ys):
        """Pixels of data, columns x and y; data far off stay finite."""
        across = (np.asarray(xs, float) - x[0]) / (x[1] - x[0])
        up = (np.asarray(ys, float) - y[0]) / (y[1] - y[0])
        return np.clip(np.column_stack([left + inner * across, top + tall * (1 - up)]), -9999, 9999)

    parts = [f'<text x="2" y="16" text-anchor="start">{escape(caption)}</text>'] if caption else []
    if ylabel:
        parts.append(f'<text x="2" y="{top - 14}" text-anchor="start">{escape(ylabel)}</text>')
    parts.append(f'<path d="M{left} {top}v{tall}h{inner}" fill="none" stroke="currentColor"/>')
    row, column = place([x[0]], [0])[0, 1], place([0], [y[0]])[0, 0]
    grey = [f"M{left} {row:.1f}L{left + inner} {row:.1f}"] * (y[0] < 0 < y[1])
    grey += [f"M{column:.1f} {top}L{column:.1f} {top + tall}"] * (x[0] < 0 < x[1])
    if grey:
        parts.append(f'<path d="{"".join(grey)}" stroke="currentColor" stroke-opacity=".25"/>')
    across = [(place([v], [y[0]])[0, 0], _tick(v)) for v in xticks]
    across = [(min(at, width - 5 * len(text) - 1), text) for at, text in across]
    for at, text in _spaced(across, lambda text: 10 * len(text) + 4):
        parts.append(_text(round(at, 1), top + tall + 18, text))
    for at, text in _spaced([(place([x[0]], [v])[0, 1], _tick(v)) for v in yticks], lambda _: 16):
        parts.append(f'<text x="{left - 6}" y="{at + 6:.4g}" text-anchor="end">{text}</text>')
    parts += [_text(left + inner / 2, height - 14, xlabel)] if xlabel else []
    # A nested svg cuts off what leaves it, without ids that must be unique on a page.
    view = f'x="{left}" y="{top}" width="{inner}" height="{tall}" viewBox="{left} {top} {inner} {tall}"'
    drawn = [item(place) for item in items]
    parts.append(f"<svg {view}>{''.join(art for art, _ in drawn)}</svg>")
    lines = strokes("".join(art for art, _ in drawn) + "".join(f'<path d="{d}"/>' for d in grey))
    discs = [
        disc((float(cx), float(cy)), float(r))
        for art, _ in drawn
        for cx, cy, r in re.findall(r'<circle cx="([^"]+)" cy="([^"]+)" r="([^"]+)"', art)
    ]
    labelled = []
    for _, labels in drawn:
        for point, text, colour in labels:
            half = 5 * len(text)
            spots = [np.array(point) + (side * half + dx, dy) for side, dx, dy in _AROUND]
            spots = [
                (np.clip(px, left + half, width - half), np.clip(py, top + 8, top + tall - 10))
                for px, py in spots
            ]
            shapes = [box(spot, text) for spot in spots]
            best, crossed = fit(shapes, discs + 9 * labelled, lines)  # rather on a dot than on another label
            labelled.append(shapes[best])
            parts.append(_text(*(round(v, 1) for v in spots[best]), text, colour, HALO if crossed else ""))
    return _svg(width, height, parts)


def line(
    xs: ArrayLike,
    ys: ArrayLike,
    colour: str = "currentColor",
    *,
    label: str = "",
    at: int = -1,
    dashed: bool = False,
) -> Callable:
    """A curve through points; BACKWARD is dashed, and others where asked for. label: written above point number ``at``."""
    xs, ys = _points(xs, ys)

    def draw(place):
        points = place(xs, ys)
        look = _stroke(colour) if colour != "currentColor" else 'stroke="currentColor" stroke-width="1.5"'
        look += ' stroke-dasharray="7 3"' * (dashed and colour != BACKWARD)
        hue = "" if colour == "currentColor" else colour
        labels = [(points[at] - (0, 14), label, hue)] if label else []
        return f'<path d="{_path(points)}" fill="none" {look}/>', labels

    return draw


def dots(
    xs: ArrayLike,
    ys: ArrayLike,
    colour: str = "currentColor",
    *,
    labels: Sequence = (),
    joined: bool = False,
    r: float = 5,
) -> Callable:
    """Points, joined by a thin line or not, with a label above each or none. ValueError where labels do not
    fit."""
    xs, ys = _points(xs, ys)
    if len(labels) not in (0, len(xs)):
        raise ValueError(f"dots wants {len(xs)} labels or none, got {len(labels)}")

    def draw(place):
        points = place(xs, ys)
        thin = f'<path d="{_path(points)}" fill="none" stroke="{colour}"/>' if joined else ""
        discs = "".join(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{r}"/>' for px, py in points)
        hue = "" if colour == "currentColor" else colour
        texts = [(at - (0, 16), str(text), hue) for at, text in zip(points, labels, strict=False) if text]
        return f'{thin}<g fill="{colour}">{discs}</g>', texts

    return draw


def contours(
    f: Callable, levels: Iterable[float], *, x: Sequence[float], y: Sequence[float], n: int = 41
) -> Callable:
    """Lines on which f(X, Y) has the value of each level, from an n by n grid over x and y, (low, high)."""
    X, Y = np.meshgrid(np.linspace(*x, n), np.linspace(*y, n))
    Z = np.asarray(f(X, Y), float)
    places = 9 - int(np.floor(np.log10(np.abs(Z[np.isfinite(Z)]).max(initial=0) or 1)))
    generator = contour_generator(
        X, Y, np.round(Z, places)
    )  # a last bit moves no line through a point of the grid
    curves = [curve for level in levels for curve in generator.lines(level)]

    def draw(place):
        path = "".join(_path(place(*curve.T)) for curve in curves)
        return f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".4"/>', []

    return draw


def bars(
    values: ArrayLike,
    names: Sequence,
    *,
    low: float = 0,
    high: float = 1,
    digits: int = 3,
    colour: str = "currentColor",
    caption: str = "",
    length: float = 170,
) -> str:
    """Horizontal bars from zero, each with its name before it and its number behind it.

    low, high: the ends of the scale, ``length`` pixels long in all. With low < 0 bars are signed: positive ones
    ACCENT, to the right, negative ones NEGATIVE, to the left. ValueError where names or the scale do not
    fit."""
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) != len(names) or not np.isfinite(values).all():
        raise ValueError(f"bars wants finite numbers and as many names, got {values.shape} and {len(names)}")
    if not low <= 0 < high or values.size and (values.min() < low or values.max() > high):
        raise ValueError(f"bars wants low <= 0 < high around all values, got low {low}, high {high}")
    left, top, step = 12 + 9 * max(map(len, map(str, names))), 24 * bool(caption), 30
    scale = length / (high - low)
    zero = left - scale * low
    parts = [f'<text x="2" y="16" text-anchor="start">{escape(caption)}</text>'] if caption else []
    for k, (value, name) in enumerate(zip(values, names, strict=True)):
        y, wide = top + step * k, abs(scale * value)
        hue = colour if low == 0 else ACCENT if value > 0 else NEGATIVE
        parts.append(f'<text x="2" y="{y + 21}" text-anchor="start">{escape(str(name))}</text>')
        box = f'x="{zero - wide * (value < 0):.1f}" y="{y + 4}" width="{wide:.1f}" height="{step - 8}"'
        dash = ' stroke-dasharray="7 3"' * (hue == BACKWARD)
        parts.append(f'<rect {box} fill="{hue}" fill-opacity=".35" stroke="{hue}"{dash}/>')
        end = left + length + 6
        parts.append(f'<text x="{end}" y="{y + 21}" text-anchor="start">{number(value, digits)}</text>')
    bottom = top + step * len(values)
    parts.append(f'<path d="M{zero:.1f} {top}V{bottom}" stroke="currentColor" stroke-opacity=".5"/>')
    longest = max((len(number(v, digits)) for v in values), default=0)
    width = max(left + length + 10 + 9 * longest, 2 + 9 * len(caption))
    return _svg(width, bottom + 2, parts)


def _points(xs, ys):
    xs, ys = np.atleast_1d(np.asarray(xs, float)), np.atleast_1d(np.asarray(ys, float))
    if xs.ndim != 1 or xs.shape != ys.shape or not (np.isfinite(xs) & np.isfinite(ys)).all():
        raise ValueError(f"a graph wants finite xs and ys of one length, got {xs.shape} and {ys.shape}")
    return xs, ys


def _path(points):
    # What lies midway between two tenths but for a last bit comes out alike on every machine.
    return "M" + "L".join(f"{px + 1e-6:.1f} {py + 1e-6:.1f}" for px, py in points)


def _ticks(ends, ticks):
    if ticks is not None:
        return list(ticks)
    return [ends[0], *([0] if ends[0] < 0 < ends[1] else []), ends[1]]


def _spaced(labels, size):
    """Those of (place, text) that do not touch, the first and the last before the others."""
    kept = []
    for at, text in sorted(labels, key=lambda label: label not in (labels[0], labels[-1])):
        if all(abs(at - other) >= (size(text) + size(word)) / 2 for other, word in kept):
            kept.append((at, text))
    return [label for label in labels if label in kept]


def _tick(value):
    return f"{value:g}".replace("-", "−")
