"""Units joined by wires, with a number or a name on each, that keep clear of one another."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .ink import BACKWARD, FORWARD, _stroke, _svg, _text, number
from .labels import HALO, box, crossings, disc, settle


def network(
    columns: Sequence[Sequence[str]],
    *,
    forward: Sequence = (),
    backward: Sequence = (),
    weights: Sequence = (),
    gradients: Sequence = (),
    labels: Sequence = (),
    marks: dict[tuple, str] | None = None,
    digits: int = 2,
    gap: float = 140,
) -> str:
    """Columns of units joined by wires: numbers that run forward stand above, numbers that run backward
    below.

    columns: the units' names, column by column. forward, backward: for each column one number a unit, or
    None. weights, gradients: for each gap between columns a matrix (units right, units left), or None:
    W_ij joins unit j to unit i, and stands on that wire. labels: likewise, text that stands in place of
    the weights. Where weights hold NaN there is no wire, and elsewhere NaN is no number yet; without
    weights all units are joined. marks: {(column, unit): colour, (gap, i, j): colour} draws these
    thicker, backward ones dashed. ValueError where numbers do not fit the columns.
    """
    sizes, marks = [len(names) for names in columns], marks or {}
    units, wires = [(n,) for n in sizes], [(n, m) for m, n in pairwise(sizes)]
    forward, backward = _fit(forward, units, "forward"), _fit(backward, units, "backward")
    weights, gradients = _fit(weights, wires, "weights"), _fit(gradients, wires, "gradients")
    labels = _fit(labels, wires, "labels")
    step = 96 if all(g is None for g in gradients) else 140
    middle = step * max(sizes) / 2
    places = [
        [(34 + gap * c, middle + step * (u - (n - 1) / 2)) for u in range(n)] for c, n in enumerate(sizes)
    ]
    lines, wired = [], []
    for g, shape in enumerate(wires):
        for i, j in np.ndindex(shape):
            weight, gradient, label = (
                None if a[g] is None else np.asarray(a[g])[i, j] for a in (weights, gradients, labels)
            )
            if weight is None or not np.isnan(weight):
                texts = [None if v is None or np.isnan(v) else number(v, digits) for v in (weight, gradient)]
                texts[0] = label or texts[0]
                ends = np.array([places[g][j], places[g + 1][i]])
                lines.append(_line(*ends, marks.get((g, i, j))))
                wired.append((ends, texts))
    strokes = np.array([ends for ends, _ in wired]).reshape(-1, 2, 2)
    discs, taken, parts = [disc(at, 21) for column in places for at in column], [], []
    for c, names in enumerate(columns):
        for u, name in enumerate(names):
            (x, y), colour = places[c][u], marks.get((c, u))
            line = _stroke(colour) if colour else 'stroke="currentColor" stroke-width="1.5"'
            parts.append(f'<circle cx="{x}" cy="{y:g}" r="20" fill="none" {line}/>{_text(x, y, name)}')
            for values, dy, hue in ((forward[c], -31, FORWARD), (backward[c], 31, BACKWARD)):
                if values is not None and not np.isnan(values[u]):
                    text = number(values[u], digits)
                    taken.append(box((x, y + dy), text))
                    parts.append(_text(x, y + dy, text, hue, HALO if crossings(taken[-1], strokes) else ""))
    jobs = [job for ends, texts in wired for job in _along(*ends, texts, strokes)]
    chosen = settle([job[1] for job in jobs], discs + taken, [job[2] for job in jobs])
    for (write, *_), (best, crossed) in zip(jobs, chosen, strict=True):
        parts.append(write(best, HALO if crossed else ""))
    return _svg(68 + gap * (len(sizes) - 1), 2 * middle, lines + parts)


def _fit(arrays, shapes, what):
    arrays = list(arrays) if len(arrays) else [None] * len(shapes)
    got = [None if a is None else np.shape(a) for a in arrays]
    if len(got) != len(shapes) or any(g not in (None, s) for g, s in zip(got, shapes, strict=True)):
        raise ValueError(f"network wants {what} of shapes {shapes}, got {got}")
    return arrays


def _line(start, end, colour):
    """A wire from the edge of one unit to that of the next."""
    ends = start, end - start
    length = np.hypot(*ends[1])
    (x0, y0), (x1, y1) = (start + ends[1] * at / length for at in (20, length - 20))
    line = _stroke(colour) if colour else 'stroke="currentColor" stroke-opacity=".5"'
    return f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" {line}/>'


def _along(start, end, texts, strokes):
    """For each text of a wire, one where it starts and one where it ends: a function that writes it at one of several
    spots, the box that it has at each, and the other wires."""
    (x0, y0), (x1, y1) = start, end
    length, slope = np.hypot(x1 - x0, y1 - y0), np.degrees(np.arctan2(y1 - y0, x1 - x0))
    along, down = (end - start) / length, np.array([y0 - y1, x1 - x0]) / length
    clear = max(58, 40 * length / (x1 - x0)) if y1 < y0 else 50
    others = strokes[~(strokes == [start, end]).all((1, 2))]
    turned = f"translate({x0:g} {y0:g}) rotate({slope:.1f})"
    ways = zip(texts, (FORWARD, BACKWARD), (clear, length - clear), (1, -1), (-10, 11), strict=True)
    for text, hue, first, way, y in ways:
        if text is None or not str(text).strip():
            continue
        # On its own side of the wire, from its end inwards; on the other where there is no room at all.
        spots = [(first + way * 6 * k, side * y) for side in (1, -1) for k in range(int(length / 10))]

        def write(best, halo, spots=spots, text=text, hue=hue):
            x, dy = spots[best]
            return f'<g transform="{turned}">{_text(round(x, 1), dy, text, hue, halo)}</g>'

        yield write, [box(start + x * along + dy * down, text, slope) for x, dy in spots], others
