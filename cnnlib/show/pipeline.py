"""One example on its way through a network: what each layer makes of it, and the deltas that come back."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape

import numpy as np

from ..losses import Loss
from ..network import Sequential
from .figures import _display
from .svg import BACKWARD, FORWARD, check_alt, image

_STEP, _HOLD = 0.7, 6  # seconds from layer to layer; how many steps all of it stays
_GHOST = 0.12  # opacity of what is still to come
_ARROWS = {
    FORWARD: '<path d="M0 6h11M7 2l4 4-4 4"/>',
    BACKWARD: '<path d="M12 6H2" stroke-dasharray="3 2"/><path d="M5 2 1 6l4 4"/>',
}
# Without scripts, on paper and where motion is unwanted all of it shows, and nothing moves.
_CSS = """.cnn-pipeline>p{display:none}.cnn-pipeline>[role=img]{display:block!important}
.cnn-pipeline svg{display:block;overflow:visible}
.cnn-pipeline path[stroke-width=".2"]{stroke-width:1px;vector-effect:non-scaling-stroke}
.cnn-pipeline button{font:inherit;color:inherit;background:none;border:1px solid;border-radius:4px;
min-width:5em;min-height:32px;margin-top:8px;cursor:pointer}
.cnn-paused *{animation-play-state:paused!important}
@media print,(prefers-reduced-motion:reduce){.cnn-pipeline button{display:none}}
"""
_SCRIPT = """
document.querySelectorAll(".cnn-pipeline").forEach(root => {
  if (root.ready) return;
  root.ready = true;
  const button = root.querySelector("button");
  button.hidden = false;
  button.addEventListener("click", () => {
    button.textContent = root.classList.toggle("cnn-paused") ? "Play" : "Pause";
  });
  root.classList.add("cnn-on");
});
"""


def pipeline(
    network: Sequential,
    loss: Loss,
    x: np.ndarray,
    t: np.ndarray,
    *,
    layers: Iterable[int],
    names: Sequence[str],
    alt: str,
    maps: int = 4,
) -> None:
    """Display one example's way through a network and back: the outputs of layers from left to right, in FORWARD,
    and under each the delta that comes back to it, dJ/d(output), framed in BACKWARD. It plays by itself, and a
    button stops it.

    network: a Sequential. loss: what gives J and its derivative; where it has probabilities, as
    SoftmaxCrossEntropy, they stand for the last outputs. x (C, H, W, 1) or (D, 1), t: the example and its label
    or target. layers: rising places in ``network.layers`` behind which to look, the last layer's among them.
    names: one for x, and one for each of these. alt: the alternative text. maps: of a layer's images at most so many
    are drawn, those with the largest sums of ``|output|``. ValueError for what does not fit.
    """
    alt, layers = check_alt(alt), list(layers)
    last = len(network.layers) - 1
    if not layers or layers != sorted({*layers}) or layers[0] < 0 or layers[-1] != last:
        raise ValueError(f"pipeline wants rising layers of 0 to {last}, and the last, got {layers}")
    if len(names) != len(layers) + 1:
        raise ValueError(f"pipeline wants {len(layers) + 1} names, for x and each layer, got {len(names)}")
    if x.shape[-1] != 1 or x.ndim not in (2, 4):
        raise ValueError(f"pipeline wants one example, (C, H, W, 1) or (D, 1), got shape {x.shape}")
    if maps < 1:
        raise ValueError(f"pipeline wants to draw 1 map or more, got {maps}")
    outputs, deltas = _run(network, loss, x, t)
    looked = [0, *(place + 1 for place in layers)]
    columns = [
        _column(
            k,
            2 * len(names) - 1 - k,
            name,
            outputs[at][..., 0],
            deltas[at][..., 0],
            maps,
            at > last and hasattr(loss, "probabilities"),
        )
        for k, (name, at) in enumerate(zip(names, looked, strict=True))
    ]
    _display(_html(columns, alt), alt)


def _run(network, loss, x, t):
    """Of x and of every layer: the output, and J's derivative for it."""
    outputs = [x]
    for layer in network.layers:
        outputs.append(layer.forward(outputs[-1]))
    loss.forward(outputs[-1], t)
    deltas = [loss.backward()]
    for layer in reversed(network.layers):
        deltas.insert(0, layer.backward(deltas[0]))
    outputs[-1] = getattr(loss, "probabilities", outputs[-1])
    return outputs, deltas


def _html(columns, alt):
    text, steps = escape(alt), 2 * len(columns)
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(80px,1fr));gap:12px 4px"
    grid += ";line-height:1.25;padding:0 2px 2px 0"
    picture = f'<div style="{grid}">{"".join(columns)}</div>'
    key = sha256((alt + picture).encode()).hexdigest()[:8]
    return (
        f'<div class="cnn-pipeline" id="pipeline-{key}">\n<p>{text}</p>\n'
        f'<div role="img" aria-label="{text}" style="display:none">{picture}</div>\n'
        '<button type="button" hidden>Pause</button>\n'
        f"<style>{_CSS}{_moves(steps)}</style>\n<script>{_SCRIPT}</script>\n</div>"
    )


def _moves(steps):
    """The style sheet by which the pictures of step 0, 1, ... come one after the other, stay, and begin anew."""
    whole, rules = steps + _HOLD, []
    for k in range(steps):
        came, there = 100 * (k - 0.5) / whole, 100 * k / whole
        wait = f"0%,{came:.1f}%{{opacity:{_GHOST}}}" if k else "0%,"
        rules.append(
            f"@keyframes cnn-{k}-of-{steps}{{{wait}{there:.1f}%,99%{{opacity:1}}100%{{opacity:{_GHOST}}}}}"
        )
        rules.append(
            f".cnn-on .cnn-step-{k}{{animation:cnn-{k}-of-{steps} {_STEP * whole:g}s linear infinite}}"
        )
    return "@media screen and (prefers-reduced-motion:no-preference){\n" + "\n".join(rules) + "\n}"


def _column(forth, back, name, output, delta, maps, answer):
    """Its name and shape, the output with an arrow that leads to it, and the delta with one that leads away."""
    shape = output.shape[1:] if output.ndim == 3 and len(output) == 1 else output.shape
    head = f"<b>{escape(name)}</b><br>{'×'.join(map(str, shape))}"
    if output.ndim == 3:  # of many images the strongest
        strong = np.sort(np.argsort(-np.abs(output).sum(axis=(1, 2)), kind="stable")[:maps])
        output, delta = output[strong], delta[strong]
    return (
        f'<div><div style="padding-left:14px;white-space:nowrap">{head}</div>'
        f"{_half(forth, _tiles(output, answer), FORWARD, forth > 0)}"
        f"{_half(back, _tiles(delta), BACKWARD, forth > 0)}</div>"
    )


def _half(step, picture, colour, arrow):
    look = f'fill="none" stroke="{colour}" stroke-width="1.6"'
    sign = f"<g {look}>{_ARROWS[colour]}</g>" if arrow else ""
    flow = f"color:{colour};display:flex;align-items:center;gap:2px;margin-top:8px"
    size = 'width="12" height="12" viewBox="0 0 12 12" style="flex:none"'
    return f'<div class="cnn-step-{step}" style="{flow}"><svg {size}>{sign}</svg>{picture}</div>'


def _tiles(array, answer=False):
    """One picture as wide as there is room: images in rows, each with a scale of its own, or a vector as a strip, the
    first number above; answer: the index of its largest number stands beside it. Where numbers are negative they are
    signed; the rest is ink in the colour around."""
    signed, strip = bool(array.min() < 0), array.ndim == 1
    shown = np.repeat(array[None, :, None], max(1, len(array) // 5), axis=2) if strip else array
    side, dots = int(np.ceil(np.sqrt(len(shown)))), max(shown.shape[1:])
    step, edge = 1.08 * dots, 1.08 * dots * side - 0.08 * dots  # a gap between images
    parts = [
        f'<g transform="translate({step * (k % side):.4g} {step * (k // side):.4g})">'
        f"{image(picture, scale=1, signed=signed)}</g>"
        for k, picture in enumerate(shown)
    ]
    if answer:
        k = int(array.argmax())
        place = f'x="{0.2 * dots + shown.shape[2]:.4g}" y="{min(k + 0.09 * dots + 0.5, 0.98 * dots):.4g}"'
        parts.append(
            f'<text {place} font-size="{0.25 * dots:.4g}" font-weight="700" fill="{FORWARD}">{k}</text>'
        )
    look = 'style="flex:1;min-width:0;max-width:120px"'
    return f'<svg viewBox="0 0 {edge:.4g} {edge:.4g}" {look}>{"".join(parts)}</svg>'
