"""Finite differences: the judge that knows nothing of backpropagation."""

from dataclasses import dataclass, field

import numpy as np

from .judged import called, differ, double, misdeeds, one_pass, output, parameters, put_back, same, writable
from .layers.base import floating, is_number

STEPS = 8.0 ** np.arange(-2, 9)  # of look_closer, in eps: from 1.6e-8 to 17 where eps is 1e-6


def numerical_gradient(f, x, eps=1e-6):
    """df/dx by central differences, (f(x + eps) - f(x - eps)) / (2 eps) for each element of x in turn.

    f(x) -> one real number, in double precision, for a float64 array x of any shape and memory order. f is
    given x itself, changed in place, and must leave it as it is; x comes back bit by bit, also when f raises.
    The truncation error is of order eps^2, the round-off error of order 1e-16 |f| / eps.
    Where f runs layers, these hold its last pass afterwards: call forward again before backward.
    """
    positive("numerical_gradient", eps=eps)
    kept = writable("numerical_gradient", x, "x").copy()
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
            if not same(x, kept):
                raise ValueError("numerical_gradient: f has changed x, want it left as it is")
            near = 0 < abs(above - below) < 1e-3 * abs(above)
            if near and in_single(np.array([above, below]), up):
                raise ValueError("numerical_gradient: f has float32 inside, want float64 throughout")
    finally:
        x.flags.writeable = True
        x[...] = kept
    return gradient


@dataclass
class GradientReport:
    """``errors[name]``: the largest difference between backward and finite differences, relative.

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
    def ok(self):
        """True when all has been judged, and every error is at most ``tol`` (NaN is not)."""
        return not (self.notes or self.remarks) and all(error <= self.tol for error in self.errors.values())

    def __str__(self):
        width = max(map(len, self.errors))
        return "\n".join([f"{name:{width}}  {self.verdict(name)}" for name in self.errors] + self.remarks)

    def verdict(self, name):
        """What the text says of one array."""
        error, right = self.errors[name], f"ok, within {self.tol:.0e}"
        return self.notes.get(name) or (right if error <= self.tol else f"WRONG by {error:.1e}")


def check_gradients(network_or_layer, x, delta=None, *, eps=1e-6, tol=1e-7, rng=None):
    """Compare backward with finite differences, element by element, for x and for every parameter.

    The scalar is J = sum(delta * forward(x)), so that dJ/dy = ``delta``, a random one where none is given
    (``rng``: a Generator or a seed, 0 by default; its next draw where x was drawn from the same seed). x and the
    parameters are float64. These and ``delta`` come back unchanged, whatever the judged code does; ``grads``
    hold what its backward computed. An error is relative to the largest element of its gradient. Where backward
    and the quotient for ``eps`` disagree, other steps decide. Where these cannot, the report says why: at a kink
    (a ReLU's zero, a pooling tie) no derivative exists, a gradient drowns in round-off, or two calls give two
    results. A layer that changes what it is given is named, and the report not ok, even where the gradients are
    right.

    What is judged has ``forward``, ``backward`` and the dicts ``params`` and ``grads``, with the same keys.
    Returns a report: ``.ok``, ``.errors[name]``, ``.notes[name]``, ``.remarks``, and a text. ValueError for
    what cannot be compared, and where parameters are changed.
    """
    positive("check_gradients", eps=eps, tol=tol)
    model, owners = network_or_layer, parameters(network_or_layer)
    x = double("check_gradients", x, "x").copy("K")
    arrays = {"x": x} | {name: layer.params[key] for name, (layer, key) in owners.items()}
    can_step(arrays, eps)
    with put_back(owners) as check_unchanged:
        y, delta = first_output(model, x, delta, rng, eps)
        once = one_pass(model, owners, x, delta)
        report = GradientReport(tol, remarks=misdeeds(model, x, delta))
        twice = one_pass(model, owners, x, delta)
        check_unchanged()

        def moved():
            return delta * (output(model, "forward", x.copy("K")) - y)

        for name, array in arrays.items():
            if differ(once["y"], twice["y"]) or differ(once[name], twice[name]):
                error, note = np.nan, "not judged, for two calls differ"
            else:
                error, note = judge(once[name], array, moved, np.abs(delta * y).sum(), eps, tol)
            report.errors[name] = error
            report.notes |= {name: note} if note else {}
        output(model, "forward", x.copy("K"))
    return report


def judge(got, array, moved, size, eps, tol):
    """(error, note) of one gradient. The note says why it cannot be judged, and is empty where it can.

    ``moved()`` is delta * (y - y before), element by element, so that outputs which stay cancel exactly;
    ``size``, the sum of |delta * y|, is what round-off is relative to. A gradient whose terms cancel is not
    asked for more than 13 digits of the terms.
    """
    numeric = numerical_gradient(lambda _: float(moved().sum()), array, eps)
    if not np.isfinite(got + numeric).all():
        return np.nan, ""
    seen, doubts, kinks, least = np.zeros(array.shape, bool), np.zeros(array.shape), [], 0.0
    while True:
        off, scale = np.abs(got - numeric), max(np.abs(got).max(), np.abs(numeric).max(), least)
        error, suspects = float(off.max() / (scale or 1)), ~seen & ((off > tol * scale) | (scale == 0))
        if not suspects.any():
            break
        index = np.unravel_index(np.where(suspects, off, -1).argmax(), off.shape)
        slope, doubt, kink, terms = look_closer(array, index, moved, size, eps)
        seen[index], least = True, max(least, 1e-13 * terms / tol)
        if 50 * kink > off[index]:
            kinks.append([*map(int, index)])
        elif abs(got[index] - slope) > max(tol * scale, tol * least, 30 * doubt):
            return float(abs(got[index] - slope) / max(scale, abs(slope))), ""
        else:
            numeric[index], doubts[index] = slope, doubt * (slope != got[index])
    if kinks:
        where = f"{min(kinks)}" + f" and {len(kinks) - 1} more" * (len(kinks) > 1)
        move = f"move x or a parameter by more than {eps:.0e}"
        return error, f"no derivative at {where}, slopes left and right differ: {move}"
    if error > tol or (doubts > tol * scale).any():
        why = f"cannot be judged, round-off or curvature hides gradients of {scale:.0e}"
        return error, f"{why}: check layer by layer, or with larger weights, another eps or tol"
    return error, ""


def look_closer(array, index, moved, size, eps):
    """(slope, doubt, kink, terms) of one element, from the quotients to its left and right for all STEPS.

    The slope is extrapolated from two steps to none, by those two that leave the least doubt: round-off, what
    the next step would change, a difference between left and right that does not shrink with the step as that
    of a smooth curve does, and what smaller steps say. ``kink`` is this difference for eps, 0 for a curve's;
    ``terms``, the sum of what each output adds to the slope, signs left out.
    """
    old, steps, slopes, bends, terms = array[index], eps * STEPS, [], [], []

    def tried():
        try:
            return moved()
        except Exception:  # a large step may leave what forward accepts: nan, and no trust in it
            return np.array(np.nan)

    with np.errstate(all="ignore"):
        for step in steps:
            array[index] = old + step
            right, up = array[index] - old, tried()
            array[index] = old - step
            left, down = old - array[index], tried()
            array[index] = old
            slopes.append((up - down).sum() / (left + right))
            bends.append(np.abs(up / right + down / left).sum())
            terms.append(np.abs(up - down).sum() / (left + right))
        slopes, bends, least = np.array(slopes), np.array(bends), np.finfo(float).eps * size / 2
        noise = np.fmax(least, (bends[0] - bends[1] / 8) * steps[0])
        limits = (64 * slopes[:-1] - slopes[1:]) / 63
        doubts = np.abs(np.diff(limits)) / 64 + noise / steps[:-2] + np.fmax(0, bends[:-2] - bends[1:-1] / 4)
        for k in range(1, len(doubts)):
            doubts[k] += np.fmax(0, np.fmax.reduce(np.abs(limits[k] - limits[:k]) - 4 * doubts[:k]))
    best = np.where(np.isfinite(doubts), doubts, np.inf).argmin()
    (finest, fine, bend), slack = bends[:3], 32 * least / steps
    curved = abs(fine - bend / 4) < 0.23 * bend + slack[1] and abs(finest - fine / 8) < fine / 16 + slack[0]
    kink = 0.0 if curved or bend * eps < min(16 * noise, 1e-6 * size) else bend
    return limits[best], doubts[best], kink, terms[best]


def first_output(model, x, delta, rng, eps):
    """y, and delta as it was given or drawn; ValueError unless these are fit to be compared."""
    who, near, y = called(model), x + eps / 3, output(model, "forward", x.copy("K"))
    if not np.isfinite(y).all() or in_single(output(model, "forward", near.copy("K")), near):
        raise ValueError(f"{who}: forward gives nan, inf or float32 numbers, want finite float64")
    if delta is None:
        rng = np.random.default_rng(0 if rng is None else rng)
        delta = rng.standard_normal(y.shape)
        if parallel(
            delta.ravel(), x.ravel()
        ):  # of one seed: delta x^T would be symmetric, and hide a transpose
            delta = rng.standard_normal(y.shape)
    if floating(who, delta, "delta").shape != y.shape:
        raise ValueError(f"{who}: got delta of shape {delta.shape}, want {y.shape}")
    return y, delta.astype(float)


def can_step(arrays, eps):
    """ValueError unless a step of ``eps`` changes every number of the arrays."""
    if lost := [name for name, array in arrays.items() if array.size == 0 or (array + eps == array).any()]:
        raise ValueError(f"check_gradients: {lost} is empty or too large, want numbers that {eps} changes")


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


def in_single(got, given):
    """Whether ``got`` are float32's numbers, not all short ones, and ``given`` are not: float32 was inside."""

    def fit(values, dtype):
        with np.errstate(over="ignore"):
            return (values == values.astype(dtype)).all()

    return fit(got, np.float32) and not fit(got, np.float16) and not fit(given, np.float32)


def parallel(one, other):
    """Whether the numbers with which two arrays begin are multiples, as those of one seed are."""
    one, other = one[: other.size], other[: one.size]
    return one.size > 1 and abs(one @ other) > (1 - 1e-12) * np.sqrt((one @ one) * (other @ other)) > 0
