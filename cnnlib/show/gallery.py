"""The gallery of wrong answers: a card for each mistake of ``cnnlib.practice``, computed, and the form that finds one.

``cards`` displays those of a kind, ``form`` what filters them, ``table`` a few with the inputs on which they hide. A card is open or
closed without a script; ``gallery.js`` filters.
"""

import inspect
import re
from html import escape
from textwrap import dedent

import numpy as np

from .. import practice
from ..practice.cases import RETURNS
from .explorer import _css, _file
from .figures import _display, _highlight, _bare
from .svg import number

LAYERS = {
    "conv2d": "convolution",
    "conv1d": "convolution in one axis",
    "dense": "dense layer",
    "max_pool2d": "max pooling",
    "avg_pool2d": "average pooling",
    "relu": "ReLU",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softmax_cross_entropy": "softmax with cross-entropy",
    "squared_error": "squared error",
    "sgd": "gradient descent",
}
GRADIENTS = "dx", "dW", "db", "dscores", "doutputs", "W", "b"
SHADES = 4  # of each sign
# In Jupyter a chapter is a notebook, and no page.
NOTEBOOKS = (
    'if (document.querySelector(".jp-Notebook")) for (const a of document.querySelectorAll(".cnn-card a")) '
    'a.setAttribute("href", a.getAttribute("href").replace(".html", ".ipynb"));'
)


def cards(kind):
    """Display the cards of one kind of ``practice.kinds()``, in the order of the catalogue."""
    found = practice.kinds()
    if kind not in found:
        raise ValueError(f"kind is {kind!r}, want one of {', '.join(map(repr, found))}")
    _display(_cards(found[kind]), ", ".join(mistake.name for mistake in found[kind]))


def _cards(mistakes):
    inside = "\n".join(map(card, mistakes))
    look = f"<style>{_css('gallery.css')}</style>\n<script>{NOTEBOOKS}</script>"
    return f'<div class="cnn-answers cnn-cards">\n{look}\n{inside}\n</div>'


def form():
    """Display what filters all cards of the page by layer, gradient and words; hidden where no script runs."""
    _display(_form(), "layer, gradient, words")


def _form():
    layers = "layer", "all layers", LAYERS.items()
    gradients = "gradient", "all", [(name, name) for name in GRADIENTS]
    return filter_form("mistakes", layers, gradients, "stride, +=, rot90")


def filter_form(what, of, g, example):
    """The HTML of a form that filters the cards of its page by their `data-of`, their `data-g` and words in them.

    what: what the cards are. of, g: (name of the choice, what stands for no choice, [(value, words), ...]). example: of words."""

    def choice(name, every, options):
        listed = "".join(f'<option value="{value}">{text}</option>' for value, text in options)
        return (
            f'<label>{name} <select name="{name}"><option value="">{every}</option>{listed}</select></label>'
        )

    words = (
        f'<label>words <input type="search" name="words" placeholder="{example}" autocomplete="off"></label>'
    )
    inside = (
        f'{choice(*of)}\n{choice(*g)}\n{words}\n<button type="reset">Show all</button>\n<p role="status"></p>'
    )
    named = (
        f'role="search" aria-label="{what.capitalize()}" data-what="{what}" data-lm-suppress-shortcuts="true"'
    )
    return (
        f'<form class="cnn-answers cnn-filter" {named} hidden>\n{inside}\n'
        f"<style>{_css('gallery.css')}</style>\n<script>{_file('gallery.js')}</script>\n</form>"
    )


def table(names, *, caption):
    """Display some mistakes, each with the layer in which it was tried, its gradients, and the weak checks that miss it."""
    lines = []
    for mistake in (practice.catalogue()[name] for name in names):
        of = mistake.layers[0]
        link = f'<a href="#{anchor(mistake)}">{named(mistake)}</a>'
        where = f"{LAYERS[of]}: {', '.join(mistake.gradients)}"
        hides = listed(mistake.passes(of)) or "none of the weak checks"
        lines.append(f'<th scope="row">{link}<br><small>{where}</small></th><td>{hides}</td>')
    body = "</tr>\n<tr>".join(lines)
    box = 'class="cnn-table" role="region" tabindex="0" aria-labelledby="hides" style="overflow-x:auto"'
    _display(
        f'<div {box}><table>\n<caption id="hides">{escape(caption, quote=False)}</caption>\n'
        '<thead><tr><th scope="col">mistake</th><th scope="col">hides in a test with</th></tr></thead>\n'
        f"<tbody><tr>{body}</tr></tbody></table></div>",
        caption,
    )


def counts():
    """[layer, how many mistakes, how many of each gradient] of each layer, for a table."""
    rows = []
    for of, words in LAYERS.items():
        found = practice.catalogue(of).values()
        spoilt = {g: sum(g in of_layer(mistake, of) for mistake in found) for g in GRADIENTS}
        rows.append([words, len(found), ", ".join(f"{g} {count}" for g, count in spoilt.items() if count)])
    return rows


def of_layer(mistake, of):
    """The gradients that a mistake spoils in one layer."""
    spoilt = {g for _, _, layers, gradients in mistake.forms if of in layers for g in gradients}
    return spoilt & set(RETURNS[of].split())


def named(mistake):
    """Its name, in which a slice does not break."""
    return re.sub(
        r"\S*:-\w*", r'<span style="white-space:nowrap">\g<0></span>', escape(mistake.name, quote=False)
    )


def anchor(mistake):
    """The id of its card."""
    return mistake.card.partition("#")[2]


def card(mistake):
    """The card of one mistake, as HTML: closed it is its name, open it is what is known of it."""
    shown = practice.example(mistake)
    marks = (
        f'id="{anchor(mistake)}" data-of="{" ".join(mistake.layers)}" data-g="{" ".join(mistake.gradients)}"'
    )
    name = f"<b>{named(mistake)}</b>"
    parts = [
        f"<summary>{name}<span>{', '.join(mistake.gradients)}</span></summary>",
        f"<p>{escape(mistake.text, quote=False)}</p>",
        pair(shown),
        f'<p class="cnn-case">{told(shown)}</p>',
        program(mistake),
        *judgement(mistake, shown.of),
    ]
    if mistake.convention:
        parts.append(f"<p>A convention, not an error, if {escape(mistake.convention, quote=False)}.</p>")
    chapter, _, section = mistake.section.partition("#")
    words = re.sub(r"\b([a-z]) s\b", lambda m: f"{m[1].upper()}’s", section.replace("-", " "))
    parts.append(f'<p class="cnn-case">Read: <a href="{chapter}.html#{section}">{chapter}, {words}</a></p>')
    return f'<details class="cnn-card" {marks}>\n' + "\n".join(parts) + "\n</details>"


def pair(shown):
    """The right gradient and the wrong one, in the same shades, as two tables."""
    both = [a[np.isfinite(a)] for a in (shown.right, shown.wrong)]
    top = max((float(np.abs(a).max()) for a in both if a.size), default=1) or 1
    names = ("before", "after") if "before" in shown.note else ("right", "wrong")
    right = heat(shown.right, f"{names[0]} {shown.gradient}", shown.digits, top, None)
    wrong = heat(shown.wrong, f"{names[1]} {shown.gradient}", shown.digits, top, shown.differs)
    return f'<div class="cnn-pair">\n{right}\n{wrong}\n</div>'


def heat(array, name, digits, top, marked):
    """A table of up to four axes, in blocks of its last two; filled by sign and size, ``marked`` with a frame."""
    if not array.size:
        return f"<table><caption>{name}</caption><tbody><tr><td>empty</td></tr></tbody></table>"
    outer = [1] * (4 - array.ndim) + list(array.shape)
    blocks = array.reshape(outer)
    framed = np.zeros(outer, bool) if marked is None else marked.reshape(outer)
    down, across, height, width = outer
    body = ""
    for i in range(down):
        rows = ""
        for r in range(height):
            at = [(i, j, r, c) for j in range(across) for c in range(width)]
            looks = (["l"] * bool(place[1] and not place[3]) + ["d"] * bool(framed[place]) for place in at)
            cells = (cell(blocks[place], digits, top, *look) for place, look in zip(at, looks))
            rows += f"<tr>{''.join(cells)}</tr>"
        body += f"<tbody>{rows}</tbody>"
    return f"<table><caption>{name}</caption>{body}</table>"


def cell(value, digits, top, *looks):
    """One number: its shade is its size beside the largest."""
    shade = int(np.ceil(SHADES * abs(value) / top - 1e-9)) if np.isfinite(value) else 0
    look = " ".join([f"{'p' if value > 0 else 'n'}{shade}"] * bool(shade) + list(looks))
    return f'<td class="{look}">{said(value, digits)}</td>' if look else f"<td>{said(value, digits)}</td>"


def said(value, digits):
    """One number as text."""
    names = {"nan": "NaN", "inf": "∞", "-inf": "−∞"}
    return number(value, digits) if np.isfinite(value) else names[str(float(value))]


def told(shown):
    """On which input, and what differs there, in a sentence."""
    where = f"In {LAYERS[shown.of]}, {escape(str(shown.case))}"
    where += f", {shown.note}: " if shown.note else ": "
    differs = shown.differs
    if differs is None:
        return f"{where}the shape is {shown.wrong.shape}, right is {shown.right.shape}."
    first = tuple(map(int, np.argwhere(differs)[0]))
    mine, right = (said(array[first], shown.digits) for array in (shown.wrong, shown.right))
    there = f"at {list(first)} stands {mine}, right is {right}"
    return f"{where}{int(differs.sum())} of {differs.size} numbers differ; {there}."


def judgement(mistake, of):
    """Who does not see it, and who does, each a paragraph."""
    known = mistake.judged(of)
    if not known.tried:
        return ["<p>What it does depends on the rest of the program, so no weak check was tried on it.</p>"]
    also = f"; also with: {listed(known.seen)}" if known.seen else ""
    sees = f"Seen by a comparison number by number, on {known.told} of {known.tried} inputs{also}."
    missed = (
        f"Not seen by a test with: {listed(known.missed)}." if known.missed else "No weak check misses it."
    )
    return [f"<p>{missed}</p>", f'<p class="cnn-case">{sees}</p>']


def program(mistake):
    """The wrong lines, without the docstring, which the card says above."""
    lines = dedent(inspect.getsource(mistake.lines)).strip()
    lines = _bare(lines[lines.index("def ") :])
    label = f'role="region" tabindex="0" aria-label="Lines of {escape(mistake.name)}"'
    more = len(mistake.forms) - 1
    also = f'<p class="cnn-case">{more} more way{"s" * (more > 1)} to write it {"are" if more > 1 else "is"} known.</p>'
    return f"<pre {label}>{_highlight(lines)}</pre>" + (f"\n{also}" if more else "")


def listed(names):
    """Names in a row."""
    return ", ".join(escape(name, quote=False) for name in names)
