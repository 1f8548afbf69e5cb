"""Finite differences: the judge that knows nothing of backpropagation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from . import judged
from .layers.base import Array, Seed, is_number

STEPS = 8.0 ** np.arange(-2, 9)  # of look_closer, in eps: from 1.6e-8 to 17 where eps is 1e-6


def numerical_gradient(f: Callable[[Array], float], x: Array, eps: float = 1e-6) -> Array:
    """df/dx by central differences, ``(f(x + eps) - f(x - eps)) / (2 eps)`` for each element of x in turn.

    ``f(x)`` gives one real number, in double precision, for a float64 array x of any shape and memory order; the gradient
    has the shape of x. f is given x itself, changed in place, and must leave it as it is; x comes back bit by bit, also
    when f raises. The truncation error is of order ``eps^2``, the round-off error of order ``1e-16 |f| / eps``.
    Where f runs layers, these hold its last pass afterwards: call forward again before backward. ValueError where f changes
    x, gives anything else, or computes in single precision.

    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> numerical_gradient(lambda x: (x**2).sum(), x).round(6)
    array([[2., 4.],
           [6., 8.]])
    """
    positive("numerical_gradient", eps=eps)
    kept = judged.writable("numerical_gradient", x, "x").copy()
    gradient = np.empty(x.shape)
    try:
        for index in np.ndindex(x.shape):
            old, up, down = kept[index], kept[index] + eps, kept[index] - eps
            x[index] = up
            above = number(f(x))
            x[index] = down
            below = number(f(x))
            x[index] = old
            gradient[index] = (above - below) / (up - down)
            if not judged.same(x, kept):
                raise ValueError("numerical_gradient: f has changed x, want it left as it is")
            near = 0 < abs(above - below) < 1e-3 * abs(above)
            if near and judged.in_single(np.array([above, below]), up):
                raise ValueError("numerical_gradient: f has float32 inside, want float64 throughout")
    finally:
        x.flags.writeable = True
        x[...] = kept
    return gradient


@dataclass
class GradientReport:
    """What ``check_gradients`` found: ``errors[name]`` is the largest difference between backward and finite differences,
    relative.

    ``notes[name]`` says why an array cannot be judged, ``remarks`` what a layer does that it must not do.
    ``ok`` when there is neither and no error is above ``tol``. As text it gives a line for each name, and
    figures only where they are wrong: what is right differs by rounding noise, which is another on every
    machine.
    """

    tol: float
    errors: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    remarks: list = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when all has been judged, and every error is at most ``tol`` (NaN is not)."""
        return not (self.notes or self.remarks) and all(error <= self.tol for error in self.errors.values())

    def __str__(self) -> str:
        width = max(map(len, self.errors))
        return "\n".join([f"{name:{width}}  {self.verdict(name)}" for name in self.errors] + self.remarks)

    def verdict(self, name: str) -> str:
        """What the text says of one array."""
        error, right = self.errors[name], f"ok, within {self.tol:.0e}"
        return self.notes.get(name) or (right if error <= self.tol else f"WRONG by {error:.1e}")


def check_gradients(network_or_layer: object, x: Array, delta: Array | None = None,
                    *, eps: float = 1e-6, tol: float = 1e-7, rng: Seed = None) -> GradientReport:  # fmt: skip
    """Compare backward with finite differences, element by element, for x and for every parameter.

    The scalar is ``J = sum(delta * forward(x))``, so that ``dJ/dy = delta``, a random one where none is given
    (``rng``: a Generator or a seed, 0 by default; its next draw where x was drawn from the same seed). x and the
    parameters are float64, x (..., N), delta of the shape of the output. These and ``delta`` come back unchanged, whatever
    the judged code does; ``grads`` hold what its backward computed. An error is relative to the largest element of its
    gradient. Where backward and the quotient for ``eps`` disagree, other steps decide. Where these cannot, the report says
    why: at a kink (a ReLU's zero, a pooling tie) no derivative exists, a gradient drowns in round-off, or two calls give
    two results, or a step leaves what forward can compute. A layer that changes what it is given is named, and the
    report not ok, even where the gradients are right.

    Limits: a gradient below 1e-7 of the array's largest is not seen, nor one that no step up to 1e12 shows.

    What is judged has ``forward``, ``backward`` and the dicts ``params`` and ``grads``, with the same keys.
    Returns a report: ``.ok``, ``.errors[name]``, ``.notes[name]``, ``.remarks``, and a text. ``check_gradients`` raises
    ValueError for what cannot be compared, and where parameters are changed.

    >>> report = check_gradients(Dense(3, 2, rng=0), np.ones((3, 4)))
    >>> report.ok
    True
    >>> print(report)
    x  ok, within 1e-07
    W  ok, within 1e-07
    b  ok, within 1e-07
    """
    positive("check_gradients", eps=eps, tol=tol)
    model, owners = network_or_layer, judged.parameters(network_or_layer)
    x = judged.double("check_gradients", x, "x").astype(float, "K")
    arrays = {"x": x} | {name: layer.params[key] for name, (layer, key) in owners.items()}
    if lost := [name for name, array in arrays.items() if array.size == 0 or (array + eps == array).any()]:
        raise ValueError(f"check_gradients: {lost} is empty or too large, want numbers that {eps} changes")
    with judged.put_back(owners) as check_unchanged, np.errstate(all="ignore"):
        y, delta = judged.first_output(model, x, delta, rng)
        check_unchanged()
        once = judged.one_pass(model, owners, arrays, delta, check_unchanged)
        report = GradientReport(tol, remarks=judged.misdeeds(model, x, delta))
        twice = judged.one_pass(model, owners, arrays, delta, check_unchanged)
        random = {name for name in once if judged.differ(once[name], twice[name])}
        if "y" not in random:
            judged.no_jumps(model, x, eps)
        size = np.abs(delta * y).sum() + 2 * y.size * np.finfo(float).tiny  # denormal numbers round, too
        for name, array in arrays.items():
            owner, error, note = owners.get(name, [model])[0], np.nan, "not judged, for two calls differ"
            if not random & {"y", name}:
                moved = partial(judged.change, model, owner, array, x, y, delta)
                error, note = judge(once[name], array, moved, size, eps, tol)
            report.errors[name] = error
            report.notes |= {name: note} if note else {}
        judged.output(model, "forward", x.copy("K"))
        check_unchanged()
    return report


def judge(got, array, moved, size, eps, tol):
    """(error, note) of one gradient. The note says why it cannot be judged, and is empty where it can.

    ``moved()`` is ``change``; ``size``, the sum of |delta * y|, is what round-off is relative to. A gradient
    whose terms cancel is not asked for more than 13 digits of the terms.
    """
    pairs = [quotients(array, index, moved, eps)[:2] for index in np.ndindex(array.shape)]
    numeric, bends = np.reshape(np.transpose(pairs), (2, *array.shape))
    outside = ~np.isfinite(numeric + 0 * size)
    if not np.isfinite(got[~outside]).all():
        return np.nan, ""
    got, numeric = np.where(outside, 0, got), np.where(outside, 0, numeric)
    seen, doubts, kinks, least = outside.copy(), np.zeros(array.shape), [], 0.0
    while True:
        off, scale = np.abs(got - numeric), max(np.abs(got).max(), np.abs(numeric).max(), least)
        bent = bends > 1e3 * eps * scale  # at a kink backward may give the slopes' mean
        error, suspects = float(off.max() / (scale or 1)), ~seen & (bent | (off > tol * scale) | (scale == 0))
        if not suspects.any():
            break
        index = np.unravel_index(np.where(suspects, off, -1).argmax(), off.shape)
        slope, doubt, kink, terms, lost = look_closer(array, index, moved, size, eps)
        seen[index], least = True, max(least, 1e-13 * terms / tol)
        if 50 * kink > off[index]:
            kinks.append([*map(int, index)])
        elif abs(got[index] - slope) > max(tol * scale, tol * least, 30 * doubt):
            return float(abs(got[index] - slope) / max(scale, abs(slope))), ""
        else:
            numeric[index], doubts[index] = slope, doubt if lost or slope != got[index] else 0
    if kinks:
        note = f"no derivative at {min(kinks)}" + f" and {len(kinks) - 1} more" * (len(kinks) > 1)
        return error, f"{note}, slopes left and right differ: move x or a parameter by more than {eps:.0e}"
    if outside.any():
        where, way = [*map(int, np.argwhere(outside)[0])], "smaller eps or delta, or move x"
        return error, f"cannot be judged at {where}, where a step of {eps:.0e} leaves the domain: {way}"
    if error > tol or (doubts > tol * scale).any():
        why = f"cannot be judged, round-off or curvature hides gradients of {scale:.0e}"
        return error, f"{why}: check layer by layer, or with larger weights, another eps or tol"
    return error, ""


def look_closer(array, index, moved, size, eps):
    """(slope, doubt, kink, terms, lost) of one element, from the quotients to its left and right for all STEPS.

    The slope is extrapolated from two steps to none, by those two that leave the least doubt: round-off, what
    the next step would change, a difference between left and right that does not shrink with the step as that
    of a smooth curve does, and what smaller steps say; where smaller steps change ever more, nothing is known.
    ``kink`` is this difference for eps, 0 for a curve's; ``terms``, the sum of what each output adds to the
    slope, signs left out; ``lost``, whether the first step that moves the output moves it by round-off only.
    """
    found = []

    def tried():
        try:
            return moved()
        except Exception:  # a large step may leave what forward accepts: nan, and no trust in it
            return np.array(np.nan)

    for step in eps * 8.0 ** np.arange(-2, 21):  # beyond STEPS where none of these moves the output
        if len(found) < len(STEPS) or not any(move for *_, move in found):
            found.append(quotients(array, index, tried, step))
    slopes, bends, terms = np.transpose(found)[:3, : len(STEPS)]
    least, first = np.finfo(float).eps * size / 2, next((move for *_, move in found if move != 0), 0)
    noise, steps = np.fmax(least, (bends[0] - bends[1] / 8) * eps * STEPS[0]), eps * STEPS
    limits = (64 * slopes[:-1] - slopes[1:]) / 63
    gaps = np.abs(np.diff(limits))
    doubts = gaps / 64 + noise / steps[:-2] + np.fmax(0, bends[:-2] - bends[1:-1] / 4)
    wild = gaps[:-1] > gaps[1:] + 8 * noise / steps[:-3]
    doubts[np.append(wild, wild[-1])] = np.inf
    for k in range(1, len(doubts)):
        doubts[k] += np.fmax(0, np.fmax.reduce(np.abs(limits[k] - limits[:k]) - 4 * doubts[:k]))
    doubts[~np.isfinite(doubts)] = np.inf
    best, (finest, fine, bend), slack = doubts.argmin(), bends[:3], 32 * least / steps
    smooth = abs(finest - 0.27 * fine) < 0.21 * fine + slack[0]
    curved = smooth and abs(fine - bend / 4) < 0.23 * bend + slack[1]
    kink = 0.0 if curved or bend * eps < min(16 * noise, 1e-6 * size) else bend
    return limits[best], doubts[best], kink, terms[best], 0 < first < 64 * least


def quotients(array, index, moved, step):
    """Of a step up and one down: slope, difference of the slopes right and left, terms, movement; see look_closer."""
    old = array[index]
    array[index] = old + step
    right, up = array[index] - old, moved()
    array[index] = old - step
    left, down = old - array[index], moved()
    array[index] = old
    change, bend, width = up - down, np.abs(up / right + down / left).sum(), left + right
    return change.sum() / width, bend, np.abs(change).sum() / width, (np.abs(up) + np.abs(down)).sum()


def number(value):
    """The float that f gave; ValueError for what is not one real number of double precision."""
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if not is_number(value) or isinstance(value, (np.float16, np.float32)):
        came = f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ValueError(f"numerical_gradient: f gives {came}, want one real number in double precision")
    return float(value)


def positive(who, **numbers):
    """ValueError unless each is a positive number."""
    for name, value in numbers.items():
        if not is_number(value) or not 0 < value < np.inf:
            raise ValueError(f"{who}: {name} is {value!r}, want a positive number")
