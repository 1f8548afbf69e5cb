"""Finite differences: the judge that knows nothing of backpropagation.

What is judged gets copies; what it does to them or to its parameters is found, named and undone.
"""

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from .layers.base import floating, is_number
from .network import Sequential

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
    (``rng``: a Generator or a seed, 0 by default). x and the parameters are float64. These and ``delta`` come
    back unchanged, whatever the judged code does; ``grads`` hold what its backward computed. An error is
    relative to the largest element of its gradient. Where backward and the quotient for ``eps`` disagree,
    other steps decide. Where these cannot, the report says why: at a kink (a ReLU's zero, a pooling tie) no
    derivative exists, a gradient drowns in round-off, or two calls give two results. A layer that changes what
    it is given is named, and the report not ok, even where the gradients are right.

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
    ``size``, the sum of |delta * y|, is what round-off is relative to. A gradient whose terms cancel is not asked
    for more than 13 digits of the terms.
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
    """(slope, doubt, kink, terms) of one element, from the quotients to its left and right for each of the STEPS.

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
        delta = np.random.default_rng(0 if rng is None else rng).standard_normal(y.shape)
    if floating(who, delta, "delta").shape != y.shape:
        raise ValueError(f"{who}: got delta of shape {delta.shape}, want {y.shape}")
    return y, delta.astype(float)


def one_pass(model, owners, x, delta):
    """y of one forward and every gradient of one backward, by name, copied."""
    found = {"y": output(model, "forward", x.copy("K")), "x": output(model, "backward", delta.copy())}
    wanted = {"x": x.shape}
    for name, (layer, key) in owners.items():
        if layer.grads.keys() != layer.params.keys():
            came, want = sorted(layer.grads), sorted(layer.params)
            raise ValueError(f"{called(layer)}: backward leaves the gradients {came}, want {want}")
        found[name] = double(called(layer), layer.grads[key], f"gradient {key}").copy("K")
        wanted[name] = layer.params[key].shape
    for name, shape in wanted.items():
        if found[name].shape != shape:
            came = f"gradient {name} has shape {found[name].shape}"
            raise ValueError(f"{called(model)}: {came}, want {shape}")
    return found


def misdeeds(model, x, delta):
    """A sentence for each layer that changes what it is given, and for the first that gives two answers.

    Each layer of a Sequential gets copies of what it would meet, so that none feels what another does.
    """
    layers, met = model.layers if type(model) is Sequential else [model], []
    for method, flow, order in 2 * [("forward", x, layers), ("backward", delta, layers[::-1])]:
        for layer in order:
            given, copy = flow, flow.copy("K")
            flow = output(layer, method, copy)
            grads = [np.array(grad) for grad in layer.grads.values()] if method == "backward" else []
            met.append((f"{called(layer)}: {method}", given, copy, [flow, *grads]))
    once, twice = met[: len(met) // 2], met[len(met) // 2 :]
    remarks = [
        f"{who} changes what it is given in place, want it left as it is"
        for who, given, copy, _ in once
        if not same(given, copy)
    ]
    for (who, *_, first), (*_, second) in zip(once, twice):
        if any(map(differ, first, second)):
            return [*remarks, f"{who} gives something else when called again: it is random or keeps state"]
    return remarks


@contextmanager
def put_back(owners):
    """Parameters come back bit by bit, in the same arrays and dicts; where it raises, gradients do, too.

    The block gets a function that raises ValueError if parameters have been changed by then.
    """

    def check_unchanged():
        for layer, _, _, entries, arrays in kept[: len(layers)]:
            same_arrays = all(layer.params.get(key) is entries[key] for key in entries)
            if not same_arrays or not all(same(array, copy) for array, copy in arrays):
                raise ValueError(f"{called(layer)} changes its parameters, want them left as they are")

    layers = {id(layer): layer for layer, _ in owners.values()}.values()
    kept = [
        (
            layer,
            name,
            held,
            dict(held),
            [(a, a.copy()) for a in held.values() if isinstance(a, np.ndarray) and a.flags.writeable],
        )
        for name in ("params", "grads")
        for layer in layers
        for held in [getattr(layer, name)]
    ]
    try:
        yield check_unchanged
        kept = kept[: len(layers)]  # after success, the gradients are backward's
    finally:
        for layer, name, held, entries, arrays in kept:
            for array, copy in arrays:
                array.flags.writeable = True
                array[...] = copy
            held.clear()
            held.update(entries)
            if getattr(layer, name, None) is not held:
                setattr(layer, name, held)


# ---- what is wanted ---------------------------------------------------------------------------------


def parameters(model):
    """{name: (layer, key)}: "W" for a layer by itself, "0.W" in a network; ValueError for what is neither."""
    methods = [getattr(model, method, None) for method in ("forward", "backward")]
    if isinstance(model, type) or not all(map(callable, methods)):
        raise ValueError(f"check_gradients: got {called(model)}, want an object with forward and backward")
    network = hasattr(model, "named")
    for layer in model.layers if network else [model]:
        for name in ("params", "grads"):
            if not isinstance(held := getattr(layer, name, None), dict):
                came = f"{called(layer)}: {name} is {type(held).__name__}"
                raise ValueError(f"{came}, want a dict of arrays, empty where nothing is learned")
    named = model.named() if network else [(key, model, key) for key in model.params]
    owners = {name: (layer, key) for name, layer, key in named}
    if "x" in owners:
        raise ValueError(f"{called(model)}: a parameter is called x, want another name: x is the input")
    for layer, key in owners.values():
        writable(called(layer), layer.params[key], key)
    return owners


def can_step(arrays, eps):
    """ValueError unless a step of ``eps`` changes every number of the arrays."""
    if lost := [name for name, array in arrays.items() if array.size == 0 or (array + eps == array).any()]:
        raise ValueError(f"check_gradients: {lost} is empty or too large, want numbers that {eps} changes")


def called(model):
    """Its text, or the name of its class where the text does not begin with it."""
    name, text = (model if isinstance(model, type) else type(model)).__name__, str(model)
    return text if text.startswith(name) or isinstance(model, (str, int)) else name


def output(model, method, given):
    """What the method gives, copied; ValueError unless that is float64."""
    return double(called(model), getattr(model, method)(given), f"what {method} gives").copy("K")


def number(value):
    """The float that f gave; ValueError for what is not one real number of double precision."""
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if not is_number(value) or isinstance(value, (np.float16, np.float32)):
        came = f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ValueError(f"numerical_gradient: f gives {came}, want one real number in double precision")
    return float(value)


def double(who, array, name):
    """The array, if it is float64; ValueError, naming who asked, otherwise."""
    if floating(who, array, name).dtype != np.float64:
        raise ValueError(f"{who}: {name} is {array.dtype}, want float64, for a step drowns in anything less")
    return array


def writable(who, array, name):
    """The array, if it is float64 and can be changed; ValueError, naming who asked, otherwise."""
    if not double(who, array, name).flags.writeable:
        raise ValueError(f"{who}: {name} is read-only, want an array that can be stepped in place")
    return array


def positive(who, **numbers):
    """ValueError unless each is a positive number."""
    for name, value in numbers.items():
        if not is_number(value) or not 0 < value < np.inf:
            raise ValueError(f"{who}: {name} is {value!r}, want a positive number")


def same(one, other):
    """Whether two float64 arrays are equal, bit by bit."""
    return np.array_equal(one.view(np.int64), other.view(np.int64))


def differ(one, other):
    """Whether two arrays differ by more than rounding."""
    noise = 1e-12 * np.fmax.reduce(np.abs(one), axis=None, initial=0)
    return one.shape != other.shape or not np.allclose(one, other, 1e-9, noise, equal_nan=True)


def in_single(got, given):
    """Whether ``got`` are float32's numbers, not all of them short, where ``given`` are not: computed in float32."""

    def fit(values, dtype):
        with np.errstate(over="ignore"):
            return (values == values.astype(dtype)).all()

    return fit(got, np.float32) and not fit(got, np.float16) and not fit(given, np.float32)
