"""What all drawings are made of: colours, numbers, text and strokes. ``show.svg`` has what chapters use of it."""

from html import escape

# Each at least 3.5 : 1 against white and against a dark page (#121212). The first two are the two passes, and nothing
# else has them.
FORWARD = "#1f6fd0"
BACKWARD = "#d9641a"
ACCENT = "#0f8a72"  # positive numbers in a signed array, and nothing else
NEGATIVE = "#9355c6"  # negative numbers in a signed array
OTHER = "#b8407f"  # what is told from a thing in the page's own colour: another run, person, line
COLOURS = (FORWARD, BACKWARD, ACCENT, NEGATIVE, OTHER)


def number(value: float, digits: int = 2) -> str:
    """The value with fixed decimals, a true minus sign and no negative zero: ``number(-0.004)`` is 0.00."""
    text = f"{value:.{digits}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")


def _svg(width, height, parts, more=""):
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return f'<svg {size} fill="currentColor" font-size="16" text-anchor="middle"{more}>{"".join(parts)}</svg>'


def _text(x, y, text, colour="", more=""):
    hue = f' fill="{colour}" font-weight="700"' if colour else ""
    return f'<text x="{x:g}" y="{y + 6:g}"{hue}{more}>{escape(str(text), quote=False)}</text>'


def _stroke(colour):
    return f'stroke="{colour}" stroke-width="3"' + ' stroke-dasharray="7 3"' * (colour == BACKWARD)
