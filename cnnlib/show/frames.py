"""Things that move: one object for a page without a kernel, and for a notebook with one."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from html import escape
from itertools import product
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from .cells import Links, words
from .layout import tallest
from .svg import check_alt, tabindex

_VIEW = "application/vnd.jupyter.widget-view+json"
_UNSEEN = "position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%)"
_BUTTONS = 7  # so many names have room as buttons


def _file(name):
    return Path(__file__).with_name(name).read_text(encoding="utf-8").strip()


# Where the script runs, the alternative text is for ears only; elsewhere it shows. It is all that shows in an
# untrusted notebook, which loses style sheets and the strokes of drawings.
_CSS = f".cnn-on>p{{{_UNSEEN}}}\n{_file('frames.css')}"
_TOUCH = _file("touch.js")
_SCRIPT = _file("frames.js").replace("TOUCH", _TOUCH)


class Frames:
    """A picture for each value, moved by a slider: ``Frames(draw, range(9), name="window", alt="...")``.

    draw: function of the value, or of one value an axis, that returns SVG or HTML text. values: a sequence,
    or a dict of one or two named axes, {"row": range(3), "column": range(3)}. name: names the axis of a
    sequence and the whole. alt: the alternative text, or a function of the value(s) that gives each frame its
    own. title: what stands above it all, by default made from name. formula, watch: a text, or a function of the
    value(s): the formula of this step with its numbers, which may be ``cells.term``s, and one sentence on what to look
    at. start: the index of the first frame shown, a pair of indices where there are two axes. print_values:
    the values whose frames are printed besides the first, by default the last one. All frames are drawn here,
    and a ValueError names what does not fit. An axis has a slider, or buttons where it has up to seven values that
    are all texts. A click on a cell of a ``svg.grid`` leads to the frame that marks it (``show.cells``).

    A page shows them without a kernel; a notebook with a kernel calls draw whenever a slider moves, with the
    names that it uses as they are now, whatever later cells make of them.
    """

    def __init__(
        self,
        draw: Callable[..., str],
        values: Any,
        *,
        name: str,
        alt: str | Callable[..., str],
        title: str = "",
        formula: str | Callable[..., str] = "",
        watch: str | Callable[..., str] = "",
        start: int | tuple[int, int] = 0,
        period_ms: int = 500,
        print_values: Sequence = (),
    ):
        if not isinstance(name, str) or not re.search(r"\w", name):
            raise ValueError(f"Frames wants a name, got {name!r}")
        self.draw, self.formula, self.watch = map(_as_now, (draw, formula, watch))
        self.name, self.period_ms, self.title = name, period_ms, title or _title(name)
        try:
            axes = values if isinstance(values, dict) else {name: values}
            self.axes = {str(axis): list(points) for axis, points in axes.items()}
            fits = len(self.axes) in (1, 2) and all(p and len(set(p)) == len(p) for p in self.axes.values())
        except TypeError:  # no sequence, or values that cannot be told apart, such as arrays
            fits = False
        if not fits:
            self._refuse("a sequence of different values, or a dict of one or two such axes", values)
        sizes = [len(points) for points in self.axes.values()]
        self.start = tuple(start) if isinstance(start, tuple | list) else (start,) * len(sizes)
        if len(self.start) != len(sizes) or not all(
            s in range(n) for s, n in zip(self.start, sizes, strict=True)
        ):
            self._refuse(f"start as an index below each of {sizes}", start)
        if not isinstance(period_ms, int) or period_ms < 50:
            self._refuse("period_ms as an integer, 50 or more", period_ms)
        points = list(product(*self.axes.values()))
        self.print_values = [tuple(v) if len(sizes) == 2 and np.iterable(v) else (v,) for v in print_values]
        if not set(self.print_values) <= set(points):
            self._refuse(f"print_values among {points}", print_values)
        self.print_values = self.print_values or points[-1:]
        self.alts = {at: check_alt(alt(*at) if callable(alt) else alt) for at in points}
        if callable(alt) and len(set(self.alts.values())) < len(points):
            self._refuse("a different alt for each frame", list(self.alts.values()))
        self.frames = {at: self.draw(*at) for at in points}
        for at, picture in self.frames.items():
            if (
                not isinstance(picture, str)
                or not picture.strip()
                or re.search("(?i)</?script|<!--", picture)
            ):
                self._refuse(f"SVG or HTML text without scripts from draw at {at}", picture)
        self.texts = {at: self.said(*at) for at in points}
        for at, texts in self.texts.items():
            if not all(isinstance(text, str) for text in (self.title, *texts)):
                self._refuse(f"texts as title, formula and watch at {at}", (self.title, *texts))
        self.links = Links(self.frames, sizes)

    def frame(self, *value: object) -> str:
        """The picture at one value of each axis, as it was drawn. ValueError for a value that is not on the
        axes."""
        if value not in self.frames:
            self._refuse(f"a value of its axes {self.axes}", value)
        return self.frames[value]

    def said(self, *value: object) -> tuple:
        """The formula and what to watch at one value of each axis, as they are now."""
        return tuple(text(*value) if callable(text) else text for text in (self.formula, self.watch))

    def whole(self, picture: str, texts: tuple) -> str:
        """A picture with its formula and what to watch, as HTML. The picture is told by its alternative text."""
        formula, watch = texts
        art, formula = self.links.dressed(picture, words(formula))
        parts = [f'<div class="cnn-pic" aria-hidden="true">{art}</div>']
        parts += [f'<div class="cnn-formula">{formula}</div>'] if formula else []
        parts += [f'<div class="cnn-watch"><b>Watch:</b> {escape(watch, quote=False)}</div>'] if watch else []
        return "".join(parts)

    @cached_property
    def widget(self) -> Any:
        """The same for a kernel, an ipywidgets box: ``.children`` are the title, one row a slider or a group of
        buttons, the text, the picture, redrawn by draw, and the place that was clicked on, which does not show."""
        import ipywidgets as widgets

        def control(axis, points, at):
            kind = widgets.ToggleButtons if _named(points) else widgets.SelectionSlider
            look = {"description": axis, "style": {"description_width": "initial"}}
            return kind(options=[(_label(p), p) for p in points], index=at, **look)

        axes = zip(self.axes.items(), self.start, strict=True)
        controls = [control(*pair, at) for pair, at in axes]
        sizes = [len(points) for points in self.axes.values()]
        play = widgets.Play(
            min=0, max=sizes[0] - 1, value=self.start[0], interval=self.period_ms, show_repeat=False
        )
        widgets.jslink((play, "value"), (controls[0], "index"))
        title = widgets.HTML(f"<style>{_CSS}</style><b>{escape(self.title)}</b>")
        text, picture, clicked = widgets.HTML(), widgets.HTML(), widgets.Text()
        clicked.layout.display = "none"
        handler = escape(f"({_TOUCH})(event,this)")
        reacts = "".join(f' on{event}="{handler}"' for event in ("pointermove", "pointerleave", "click"))
        data = f'data-go="{self.links.json()}" data-sizes="{json.dumps(sizes)}"'

        def show(_=None):
            at = tuple(c.value for c in controls)
            text.value = f'<p style="{_UNSEEN}">{escape(self.alts[at])}</p>'
            place = " ".join(str(c.index) for c in controls)
            inner = self.whole(self.draw(*at), self.said(*at))
            picture.value = f'<div class="cnn-view" data-at="{place}" {data}{reacts}><div>{inner}</div></div>'

        def go(_):
            if clicked.value:  # places on the axes, as touch.js writes them
                for one, index in zip(controls, clicked.value.split(" "), strict=True):
                    one.index = int(index)
                clicked.value = ""

        for one in controls:
            one.observe(show, "value")
        clicked.observe(go, "value")
        show()
        box = widgets.VBox([title, widgets.HBox([controls[0], play]), *controls[1:], text, picture, clicked])
        return box.add_class("cnn-kernel")

    def _repr_mimebundle_(self, include=None, exclude=None):
        """HTML with every frame, and the widget where a kernel and ipywidgets are at hand."""
        bundle = {
            "text/plain": f"<Frames {self.name!r}: {len(self.frames)} frames>",
            "text/html": self.html(),
        }
        try:
            from IPython import get_ipython

            if get_ipython() is not None:
                bundle |= {k: v for k, v in self.widget._repr_mimebundle_().items() if k == _VIEW}
        except ImportError:
            pass  # no ipywidgets: the HTML moves by itself
        return bundle

    def html(self) -> str:
        """One block of HTML: the alternative text, the title, the controls, every frame once, a style sheet and a
        script."""
        first = tuple(points[s] for points, s in zip(self.axes.values(), self.start, strict=True))
        pictures = {at: self.whole(picture, self.texts[at]) for at, picture in self.frames.items()}
        frames = "\n".join(self._element(at, picture, first) for at, picture in pictures.items())
        labels = json.dumps(
            [[_label(p) for p in points] for points in self.axes.values()], ensure_ascii=False
        )
        digest = hashlib.sha256((labels + frames).encode()).hexdigest()[:8]
        key = re.sub(r"\W+", "-", f"{self.name} {digest}")
        controls = "\n".join(self._axis(k, f"{key}-{k}", *pair) for k, pair in enumerate(self.axes.items()))
        data = f'data-period="{self.period_ms}" data-labels="{escape(labels)}"'
        data += f' data-tall="{json.dumps(tallest([*pictures.values()]), separators=(",", ":"))}"'
        data += f' data-go="{self.links.json()}"' if self.links.go else ""
        view = f'class="cnn-view" role="group" aria-label="picture" style="display:none"{tabindex(frames)}'
        return (
            f'<div class="cnn-frames" id="{key}" role="group" aria-labelledby="{key}-title" {data}>\n'
            f'<p aria-live="polite">{escape(self.alts[first])}</p>\n'
            f'<div class="cnn-title" id="{key}-title" style="display:none">{escape(self.title)}</div>\n'
            f'<div class="cnn-controls" style="display:none">\n{controls}\n</div>\n'
            f"<div {view}>\n{frames}\n</div>\n"
            f"<style>{_CSS}</style>\n<script>{_SCRIPT}</script>\n</div>"
        )

    def _refuse(self, wanted, got):
        raise ValueError(f"Frames {self.name!r} wants {wanted}, got {got!r:.200}")

    def _element(self, at, picture, first):
        said = f' data-alt="{escape(self.alts[at])}"' if len(set(self.alts.values())) > 1 else ""
        if at != first and at not in self.print_values:
            return f'<script type="text/html"{said}>{picture}</script>'
        value = ", ".join(f"{axis} = {_label(p)}" for axis, p in zip(self.axes, at, strict=True))
        hidden = "" if at == first else ' style="display:none"'
        return f'<div data-print="{escape(value)}"{said}{hidden}>{picture}</div>'

    def _axis(self, k, key, axis, points):
        name, at = escape(axis), self.start[k]
        # U+FE0E asks for the sign as a letter, not as an emoji.
        play = _button(f"Play {name}", "▶\ufe0e", f'class="cnn-play" value="{name}"') if k == 0 else ""
        # Without the data- attribute JupyterLab keeps the arrow keys for itself.
        keys = 'autocomplete="off" data-lm-suppress-shortcuts="true"'
        count = f'<span class="cnn-count">{at + 1} of {len(points)}</span>'
        if _named(points):
            choices = "".join(
                f'<label><input type="radio" name="{key}" value="{i}" {keys}{" checked" * (i == at)}>'
                f"<span>{escape(_label(p))}</span></label>"
                for i, p in enumerate(points)
            )
            head = f'<span id="{key}">{name}</span>{f" {count}" if k == 0 else ""}'
            return f'<div class="cnn-axis" role="radiogroup" aria-labelledby="{key}">{head}<div>{play}{choices}</div></div>'
        value = f'<output for="{key}" aria-live="off">{escape(_label(points[at]))}</output>'
        slider = f'<input type="range" id="{key}" min="0" max="{len(points) - 1}" value="{at}" {keys}>'
        back, on = _button(f"{name}: back", "−", 'data-by="-1"'), _button(f"{name}: on", "+", 'data-by="1"')
        head = f'<label for="{key}">{name}</label> {value} {count}'
        return f'<div class="cnn-axis">{head}<div>{play}{back}{slider}{on}</div></div>'


def _as_now(draw):
    """draw, and the functions beside it, with the names of today."""
    if not isinstance(draw, FunctionType):
        return draw
    names = dict(draw.__globals__)

    def bound(function):
        code, closure = function.__code__, function.__closure__
        copy = FunctionType(code, names, function.__name__, function.__defaults__, closure)
        copy.__kwdefaults__ = function.__kwdefaults__
        return copy

    for name, value in draw.__globals__.items():
        if isinstance(value, FunctionType) and value.__globals__ is draw.__globals__:
            names[name] = bound(value)
    return bound(draw)


def _button(label, sign, rest):
    return (
        f'<button type="button" aria-label="{label}" {rest}><span aria-hidden="true">{sign}</span></button>'
    )


def _title(name):
    """The name with a capital letter, unless its first word is a symbol."""
    return name[0].upper() + name[1:] if re.match("[a-z]{2}", name) else name


def _named(points):
    """Whether they are names, not quantities, and few enough to be buttons."""
    return len(points) <= _BUTTONS and all(isinstance(p, str) for p in points)


def _label(value):
    if isinstance(value, tuple):
        return ", ".join(map(_label, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
