"""What readers look at: figures, pictures with numbers, frames that move, explorers, the library's own
lines, and claims.

``show.figure``, ``show.pipeline``, ``show.source`` and ``show.table`` display; the functions of ``show.svg`` and
``show.graph`` return text to be displayed.
"""

from . import cells, derivation, graph, svg, symbols
from .explorers import ConvExplorer, PoolExplorer
from .figures import SIGNED, figure, plt, source, style, table
from .frames import Frames
from .ledger import claim
from .pipeline import pipeline
from .svg import ACCENT, BACKWARD, FORWARD, NEGATIVE, OTHER

__all__ = [
    "ACCENT",
    "BACKWARD",
    "FORWARD",
    "NEGATIVE",
    "OTHER",
    "SIGNED",
    "ConvExplorer",
    "Frames",
    "PoolExplorer",
    "cells",
    "claim",
    "derivation",
    "figure",
    "graph",
    "pipeline",
    "plt",
    "source",
    "style",
    "svg",
    "symbols",
    "table",
]
