"""The house style of figures, and the three functions that display: figure, source and table."""

import ast
import hashlib
import inspect
import io
import keyword
import logging
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from textwrap import dedent
from typing import Any

# ruff: noqa: E402  Before matplotlib is imported, or its note on the font cache stands in a chapter.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

import matplotlib
import matplotlib.pyplot as plt
from cycler import cycler
from IPython.display import display
from matplotlib.colors import LinearSegmentedColormap, to_rgba

from . import cells, svg
from .svg import ACCENT, NEGATIVE, OTHER, check_alt

PACKAGE = Path(__file__).parents[1]
WIDTH = 5.0  # inches of 72 units: a phone's page, on which letters of 16 units are the page's letters

# For signed arrays, with norm=CenteredNorm(). Zero is the page itself, be it light or dark.
SIGNED = LinearSegmentedColormap.from_list(
    "signed", [to_rgba(NEGATIVE), to_rgba(NEGATIVE, 0), to_rgba(ACCENT, 0), to_rgba(ACCENT)], N=63
)

# An untrusted notebook loses style sheets and the strokes of drawings: what remains is the text alone.
_CSS = ".cnn-figure>p{display:none}.cnn-figure>div{display:block!important}"

STYLE = {
    "axes.linewidth": 1.2,
    "axes.prop_cycle": cycler(color=["black", OTHER] * 2) + cycler(linestyle=["-", "--", "-.", ":"]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "figure.figsize": (WIDTH, 3.3),
    "font.family": "DejaVu Sans",
    "font.size": 16,
    "legend.frameon": False,
    "lines.linewidth": 2.5,
}


def style() -> None:
    """Put the house style on: importing cnnlib.show does. Black is drawn in the page's colour, on no
    background."""
    matplotlib.rcParams.update(STYLE)


def figure(picture: Any, *, alt: str) -> None:
    """Display a matplotlib figure, which it closes, or a picture of show.svg, with its alternative text, as
    inline SVG.

    The output is the same at each run. ValueError for an alt that does not say what is shown, for a figure
    wider than 5 inches (stack its panels: the letters would be too small on a phone) and for raster images in
    it (``ax.imshow``: use ``ax.pcolormesh`` or ``svg.image``; their bytes differ between machines).
    """
    alt = check_alt(alt)
    if isinstance(picture, matplotlib.figure.Figure):
        drawing = _inline(picture, alt)
        plt.close(picture)
    elif isinstance(picture, str) and picture.lstrip().startswith("<"):
        drawing = cells.plain(picture)
    else:
        raise ValueError(f"figure wants a matplotlib figure or a picture of show.svg, got {picture!r}")
    text = escape(alt)
    box = f'role="img" aria-label="{text}" style="display:none;overflow-x:auto"{svg.tabindex(drawing)}'
    parts = f"<p>{text}</p>\n<style>{_CSS}</style>\n<div {box}>{drawing}</div>"
    _display(f'<div class="cnn-figure">\n{parts}\n</div>', alt)


def table(rows: Iterable[Sequence], header: Sequence[str], *, caption: str, digits: int = 2) -> None:
    """Display ``svg.table``: a table with a caption, column names and row names, scrolling in its own box."""
    _display(svg.table(rows, header, caption, digits=digits), caption)


def source(thing: Any, *, doc: bool = True) -> None:
    """Display the lines of a function, method or class of cnnlib as they stand in its file, with the file's
    name; doc=False leaves out docstrings and type hints. A text names a file that no module can be, for it imports what is not
    installed, or a function or class in it: "data/pytorch/lenet.py:step". ValueError for what is not cnnlib's own."""
    path, name, code = _in_file(thing) if isinstance(thing, str) else _of_object(thing)
    code = code if doc else _bare(code)
    box = f'role="region" tabindex="0" aria-label="Source of {name}"'
    pre = f'<pre {box} style="overflow-x:auto;white-space:pre">{_highlight(code)}</pre>'
    html = f'<div class="cnn-source"><div><code>{path}</code></div>\n{pre}</div>'
    _display(html, f"{path}\n{code}")


def _of_object(thing):
    """(path, name, lines) of a function, method or class."""
    try:
        if inspect.ismodule(thing):
            raise TypeError
        path = "cnnlib" / Path(inspect.getsourcefile(inspect.unwrap(thing))).relative_to(PACKAGE)
    except (TypeError, ValueError):
        raise ValueError(f"source wants a function, method or class of cnnlib, got {thing!r}") from None
    return path.as_posix(), thing.__qualname__, dedent(inspect.getsource(thing)).rstrip()


def _in_file(text):
    """(path, name, lines) of "data/pytorch/lenet.py", or of a function or class in it: "data/pytorch/lenet.py:step"."""
    file, _, name = text.partition(":")
    path = PACKAGE / file
    if path.suffix != ".py" or not path.is_file():
        raise ValueError(f"source wants a file of cnnlib, such as data/pytorch/lenet.py, got {text!r}")
    code = path.read_text(encoding="utf-8").rstrip()
    if name:
        found = [node for node in ast.parse(code).body if getattr(node, "name", None) == name]
        if not found:
            raise ValueError(f"source wants a function or class of cnnlib/{file}, got {name!r}")
        code = ast.get_source_segment(code, found[0])
    return f"cnnlib/{file}", f"{name} in {file}" if name else file, code


def _display(html, text):
    display({"text/html": html, "text/plain": text}, raw=True)


def _inline(fig, alt):
    if fig.get_figwidth() > WIDTH:
        raise ValueError(
            f"a figure is at most {WIDTH:g} inches wide, got {fig.get_figwidth():g}: stack its panels"
        )
    for artist in fig.findobj(lambda a: a.get_rasterized()):  # colour bars are
        artist.set_rasterized(False)
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "cnnlib", "svg.fonttype": "none", "path.simplify": False}):
        fig.savefig(
            out, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    text = out.getvalue()
    if "<image" in text:
        raise ValueError("a figure holds no raster image (ax.imshow): use ax.pcolormesh or svg.image")
    body = re.search(r"<svg[^>]*>(.*)</svg>", text, re.DOTALL)[1]
    # matplotlib's style sheet would rule the whole page; what it says stands on the root element below.
    body = re.sub(r"<(metadata|style).*?</\1>|<!--.*?-->|font-family: [^;\"]*;? ?", "", body, flags=re.DOTALL)
    body = re.sub(r'\b(d|x|y|transform)="([^"]*)"', lambda m: f'{m[1]}="{_rounded(m[2])}"', body)
    body = body.replace("xlink:href", "href").replace("#000000", "currentColor")
    used = set(re.findall(r'(?:href="|url\()#(\w+)', body))
    body = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", body)
    body = re.sub(r"\n\s*", "\n", re.sub(r"<defs>\s*</defs>", "", body))
    key = "f" + hashlib.sha256((alt + body).encode()).hexdigest()[:8]
    body = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{key}-", body)
    width, height = (f"{72 * inches:g}" for inches in fig.get_size_inches())
    size = (
        f'viewBox="0 0 {width} {height}" style="width:100%;max-width:{1.25 * float(width):g}px;height:auto"'
    )
    shape = 'fill="currentColor" stroke-linejoin="round"'
    return f"<svg {size} {shape}>{body}</svg>"


def _rounded(numbers):
    return re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]) + 0.0:.2f}", " ".join(numbers.split()))


def _bare(code):
    """Code without docstrings and type hints."""
    lines, gone = code.split("\n"), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef):
            for arg in ast.walk(node.args):
                if isinstance(arg, ast.arg):
                    arg.annotation = None
            end = next(n for n in range(node.lineno, len(lines)) if re.search(r":\s*(#.*)?$", lines[n - 1]))
            lines[node.lineno - 1] = f"{' ' * node.col_offset}def {node.name}({ast.unparse(node.args)}):"
            gone |= set(range(node.lineno + 1, end + 1))
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) and node.body[1:]:
            gone |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    code = "\n".join(line for n, line in enumerate(lines, 1) if n not in gone)
    return re.sub(r"\n\n\n+", "\n\n", code)


# Pygments' colours are made for one background, and its output differs between versions.
_TOKEN = re.compile(
    r'(?P<i>[rbf]*"""[\s\S]*?"""|#.*)|(?P<text>"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')|'
    rf"(?P<b>\b(?:{'|'.join(keyword.kwlist)})\b)"
)


def _highlight(code):
    def token(m):
        return m[0] if m.lastgroup == "text" else f"<{m.lastgroup}>{m[0]}</{m.lastgroup}>"

    return _TOKEN.sub(token, escape(code, quote=False))


style()
