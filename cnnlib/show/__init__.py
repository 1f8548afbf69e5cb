"""What readers look at: figures, pictures with numbers, frames that move, explorers, the library's own
lines, and claims.

`show.figure`, `show.pipeline`, `show.source` and `show.table` display; the functions of `show.svg` and
`show.graph` return text to be displayed.
"""

from . import graph, svg
from .explorers import ConvExplorer, PoolExplorer
from .figures import SIGNED, figure, plt, source, style, table
from .frames import Frames
from .ledger import claim
from .pipeline import pipeline
from .svg import ACCENT, BACKWARD, FORWARD, NEGATIVE

__all__ = [
    "ACCENT",
    "BACKWARD",
    "FORWARD",
    "NEGATIVE",
    "SIGNED",
    "ConvExplorer",
    "Frames",
    "PoolExplorer",
    "claim",
    "figure",
    "graph",
    "pipeline",
    "plt",
    "source",
    "style",
    "svg",
    "table",
]
