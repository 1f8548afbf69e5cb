"""Things that move: one object for a page without a kernel, and for a notebook with one."""

import hashlib
import json
import re
from functools import cached_property
from html import escape
from itertools import product
from types import FunctionType

import numpy as np

from .svg import check_alt, tabindex

# Where the script runs, the alternative text is for ears only; elsewhere it shows. It is all that shows in an
# untrusted notebook, which loses style sheets and the strokes of drawings.
_VIEW = "application/vnd.jupyter.widget-view+json"
_UNSEEN = "position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%)"
_CSS = (
    f".cnn-on>p{{{_UNSEEN}}}"
    + """
.cnn-view{display:block!important;overflow-x:auto}
.cnn-axis{max-width:400px;margin-bottom:8px}
.cnn-axis div{display:flex;align-items:center;gap:8px}
.cnn-axis output{font-weight:600;margin-left:4px}
.cnn-axis input{flex:1;min-width:0;height:36px;accent-color:#1f6fd0}
.cnn-axis button{min-width:36px;height:36px;padding:0;font:inherit;color:inherit;background:none;
border:1px solid;border-radius:4px;cursor:pointer}
@media(prefers-reduced-motion:reduce){.cnn-play{display:none}}
@media print{.cnn-controls,.cnn-view>*{display:none!important}
.cnn-view>[data-print]{display:block!important;break-inside:avoid;margin-bottom:1em}
.cnn-view>[data-print]::after{content:attr(data-print)}}
"""
)

# Frames that are neither first nor for print wait as inert scripts; the first look makes one an element.
_SCRIPT = """
document.querySelectorAll(".cnn-frames").forEach((root, n) => {
  if (root.ready) return;
  root.ready = true;
  if (document.getElementById(root.id) !== root)
    for (const e of [root, ...root.querySelectorAll("[id],[for],[aria-labelledby]")])
      for (const a of ["id", "for", "aria-labelledby"])
        if (e.hasAttribute(a)) e.setAttribute(a, e.getAttribute(a) + "-" + n);
  const one = s => root.querySelector(s), all = s => [...root.querySelectorAll(s)];
  const text = one("p"), play = one(".cnn-play");
  const frames = [...one(".cnn-view").children], axes = all("input"), out = all("output");
  const labels = JSON.parse(root.dataset.labels);
  let timer = 0;
  const show = () => {
    const k = axes.reduce((sum, a) => sum * (+a.max + 1) + +a.value, 0);
    if (frames[k].tagName === "SCRIPT") {
      const div = document.createElement("div");
      div.innerHTML = frames[k].textContent;
      Object.assign(div.dataset, frames[k].dataset);
      frames[k].replaceWith(div);
      frames[k] = div;
    }
    frames.forEach((f, i) => f.style.display = i === k ? "" : "none");
    axes.forEach((a, i) => {
      out[i].value = labels[i][a.value];
      a.setAttribute("aria-valuetext", labels[i][a.value]);
    });
    text.textContent = frames[k].dataset.alt || text.textContent;
  };
  const run = on => {
    clearInterval(timer);
    timer = on && setInterval(() => root.isConnected && move(axes[0], 1) || run(false), root.dataset.period);
    text.setAttribute("aria-live", on ? "off" : "polite");
    play.firstChild.textContent = on ? "\\u23f8\\ufe0e" : "\\u25b6\\ufe0e";
    play.setAttribute("aria-label", (on ? "Pause " : "Play ") + play.value);
  };
  const move = (axis, by) => {
    const before = axis.value;
    axis.value = +before + by;
    show();
    return axis.value !== before;
  };
  axes.forEach(a => a.addEventListener("input", () => { run(false); show(); }));
  all("[data-by]").forEach(b => b.addEventListener("click", () => {
    run(false);
    move(b.parentNode.querySelector("input"), +b.dataset.by);
  }));
  play.addEventListener("click", () => {
    if (!timer && axes[0].value === axes[0].max) move(axes[0], -axes[0].max);
    run(!timer);
  });
  matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", () => run(false));
  root.classList.add("cnn-on");
  one(".cnn-controls").style.display = "";
  show();
});
"""


class Frames:
    """A picture for each value, moved by a slider: `Frames(draw, range(9), name="window", alt="...")`.

    draw: function of the value, or of one value an axis, that returns SVG or HTML text. values: a sequence,
    or a dict of one or two named axes, {"row": range(3), "column": range(3)}. name: names the axis of a
    sequence and the whole. alt: the alternative text, or a function of the value(s) that gives each frame its
    own. start: the index of the first frame shown, a pair of indices where there are two axes. print_values:
    the values whose frames are printed besides the first, by default the last one. All frames are drawn here,
    and a ValueError names what does not fit.

    A page shows them without a kernel; a notebook with a kernel calls draw whenever a slider moves, with the
    names that it uses as they are now, whatever later cells make of them.
    """

    def __init__(self, draw, values, *, name, alt, start=0, period_ms=500, print_values=()):
        if not isinstance(name, str) or not re.search(r"\w", name):
            raise ValueError(f"Frames wants a name, got {name!r}")
        self.draw, self.name, self.period_ms = _as_now(draw), name, period_ms
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

    def frame(self, *value):
        """The picture at one value of each axis, as it was drawn. ValueError for a value that is not on the
        axes."""
        if value not in self.frames:
            self._refuse(f"a value of its axes {self.axes}", value)
        return self.frames[value]

    @cached_property
    def widget(self):
        """The same for a kernel, an ipywidgets box: `.children` are one row a slider and the picture, redrawn
        by draw."""
        import ipywidgets as widgets

        sliders = [
            widgets.SelectionSlider(
                options=[(_label(p), p) for p in points],
                index=at,
                description=axis,
                style={"description_width": "initial"},
            )
            for (axis, points), at in zip(self.axes.items(), self.start, strict=True)
        ]
        last = len(sliders[0].options) - 1
        play = widgets.Play(min=0, max=last, value=self.start[0], interval=self.period_ms, show_repeat=False)
        widgets.jslink((play, "value"), (sliders[0], "index"))
        text, picture = widgets.HTML(), widgets.HTML()

        def show(_=None):
            at = tuple(s.value for s in sliders)
            text.value = f'<p style="{_UNSEEN}">{escape(self.alts[at])}</p>'
            picture.value = self.draw(*at)

        for slider in sliders:
            slider.observe(show, "value")
        show()
        return widgets.VBox([widgets.HBox([sliders[0], play]), *sliders[1:], text, picture])

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

    def html(self):
        """One block of HTML: the alternative text, the controls, every frame once, a style sheet and a
        script."""
        first = tuple(points[s] for points, s in zip(self.axes.values(), self.start, strict=True))
        frames = "\n".join(self._element(at, picture, first) for at, picture in self.frames.items())
        labels = json.dumps(
            [[_label(p) for p in points] for points in self.axes.values()], ensure_ascii=False
        )
        digest = hashlib.sha256((labels + frames).encode()).hexdigest()[:8]
        key = re.sub(r"\W+", "-", f"{self.name} {digest}")
        controls = "\n".join(self._axis(k, f"{key}-{k}", *pair) for k, pair in enumerate(self.axes.items()))
        data = f'data-period="{self.period_ms}" data-labels="{escape(labels)}"'
        look = f'style="display:none"{tabindex(frames)}'
        view = f'class="cnn-view" role="img" aria-labelledby="{key}-alt" {look}'
        return (
            f'<div class="cnn-frames" id="{key}" {data}>\n'
            f'<p id="{key}-alt" aria-live="polite">{escape(self.alts[first])}</p>\n'
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
        value = f'<output for="{key}" aria-live="off">{escape(_label(points[at]))}</output>'
        # Without the data- attribute JupyterLab keeps the arrow keys for itself.
        reach = f'min="0" max="{len(points) - 1}" value="{at}" data-lm-suppress-shortcuts="true"'
        slider = f'<input type="range" id="{key}" {reach}>'
        back, on = _button(f"{name}: back", "−", 'data-by="-1"'), _button(f"{name}: on", "+", 'data-by="1"')
        label = f'<label for="{key}">{name}</label> {value}'
        return f'<div class="cnn-axis">{label}<div>{play}{back}{slider}{on}</div></div>'


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


def _label(value):
    if isinstance(value, tuple):
        return ", ".join(map(_label, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
