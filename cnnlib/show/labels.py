"""Where labels of drawings stand: clear of one another, of discs, and of strokes where that can be. Where a stroke must
pass, the label has a halo in the page's colour."""

import re
from itertools import pairwise

import numpy as np

_HALO = "paint-order:stroke;stroke:var(--pst-color-background,var(--jp-layout-color0,Canvas));stroke-width:5px;stroke-linejoin:round"
HALO = f' style="{_HALO}"'


def box(centre, text, turn=0):
    """The corners of a line of text around its centre, turned by degrees: (4, 2)."""
    wide, high = 5 * len(str(text)) + 1, 8
    corners = np.array([[-wide, -high], [wide, -high], [wide, high], [-wide, high]])
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return np.asarray(centre, float) + corners @ np.array([[c, s], [-s, c]])


def disc(centre, radius):
    """The corners of a square that holds a disc."""
    return np.asarray(centre, float) + radius * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])


def strokes(art):
    """The straight pieces of the paths in a drawing's text, (pieces, 2 ends, 2)."""
    found = []
    for path in re.findall(r'<path[^>]* d="(M[^"hvHVCcAaQq]*)"', art):
        for curve in path.split("M")[1:]:
            points = [[float(v) for v in p.split()] for p in curve.rstrip("z").split("L")]
            found += list(pairwise(points))
    return np.array(found, float).reshape(-1, 2, 2)


def overlap(a, b):
    """Whether two convex shapes, (corners, 2) each, share more than an edge."""
    for shape in (a, b):
        edges = np.roll(shape, -1, 0) - shape
        for nx, ny in zip(-edges[:, 1], edges[:, 0], strict=True):
            on_a, on_b = a @ [nx, ny], b @ [nx, ny]
            if on_a.max() <= on_b.min() + 1e-9 or on_b.max() <= on_a.min() + 1e-9:
                return False
    return True


def crossings(shape, pieces):
    """How many straight pieces, (pieces, 2, 2), run through a shape."""
    low, high = shape.min(0), shape.max(0)
    near = (pieces.min(1) <= high).all(1) & (pieces.max(1) >= low).all(1) if len(pieces) else []
    return sum(overlap(shape, piece) for piece in pieces[near]) if len(pieces) else 0


def place(candidates, taken, pieces):
    """(number of the first of the candidate shapes that is hit least, whether a stroke runs through it). To lie on what is
    taken, other shapes, counts more than all strokes."""
    hits = [
        1000 * sum(overlap(shape, other) for other in taken) + crossings(shape, pieces)
        for shape in candidates
    ]
    best = int(np.argmin(hits))
    return best, hits[best] > 0


def settle(candidates, taken, pieces, rounds=5):
    """``place`` for several labels, one after the other, and again for those that lie on another as long as there are any.
    candidates: for each label its shapes, pieces: the strokes that it should keep clear of."""
    chosen, standing = [], []
    for shapes, lines in zip(candidates, pieces, strict=True):
        chosen.append(place(shapes, taken + standing, lines))
        standing.append(shapes[chosen[-1][0]])
    for _ in range(rounds):
        moved = False
        for k, (shapes, lines) in enumerate(zip(candidates, pieces, strict=True)):
            others = taken + standing[:k] + standing[k + 1 :]
            if any(overlap(standing[k], other) for other in others):
                chosen[k] = place(shapes, others, lines)
                moved |= shapes[chosen[k][0]] is not standing[k]
                standing[k] = shapes[chosen[k][0]]
        if not moved:
            break
    return chosen
