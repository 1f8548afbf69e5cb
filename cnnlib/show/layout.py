"""Which frames can be the tallest: a page measures these and keeps the room of the tallest for all."""

import re
from html import unescape

_PIECE = re.compile(r"<svg\b[^>]*>|</svg>|<[^>]*>|[^<]+")


def tallest(pictures):
    """The places of those pictures, HTML texts, that can be the tallest at some width: [] where all are laid out
    alike. Of two made of the same parts the one whose drawings and texts are nowhere larger is left out."""
    groups = {}
    for k, picture in enumerate(pictures):
        skeleton, sizes = _measures(picture)
        groups.setdefault(skeleton, {}).setdefault(sizes, k)
    kept = []
    for group in groups.values():
        for sizes, k in group.items():
            if not any(
                other != sizes and all(a <= b for a, b in zip(sizes, other, strict=True)) for other in group
            ):
                kept.append(k)
    return sorted(kept) if sum(map(len, groups.values())) > 1 else []


def _measures(picture):
    """The parts of a picture, drawings being one part each, and their sizes: of a drawing its width and height, of
    text how long it is."""
    parts, sizes, depth = [], [], 0
    for piece in _PIECE.findall(picture):
        if piece.startswith("<svg"):
            depth += 1
            if depth == 1:
                parts.append("svg")
                found = (re.search(rf' {side}="([\d.]+)"', piece) for side in ("width", "height"))
                sizes += [float(size[1]) if size else 0 for size in found]
        elif piece == "</svg>":
            depth -= 1
        elif not depth and piece.startswith("<"):
            parts.append(re.sub(r' (data-|id=|aria-labelledby=)[^" ]*"?[^"]*"', "", piece))
        elif not depth and piece.strip():
            parts.append("text")
            sizes.append(len(unescape(piece)))
    return tuple(parts), tuple(sizes)
