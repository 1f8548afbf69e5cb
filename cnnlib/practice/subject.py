"""The program under judgement: in which axes, how it is called, and what comes back."""

import contextlib
import io
import warnings
from dataclasses import dataclass, field

import numpy as np

from .cases import ARGUMENTS, POOLS, RETURNS
from .unset import beginning

LAYOUTS = {
    "NCHW": {"conv2d": ("NCHW", "OIHW"), "conv1d": ("NCL", "OIL"), "dense": ("NI", "IO"), "": ("NC", "OI")},
    "NHWC": {"conv2d": ("NHWC", "HWIO"), "conv1d": ("NLC", "LIO"), "dense": ("NI", "IO"), "": ("NC", "OI")},
    "CHWN": {"conv2d": ("CHWN", "OIHW"), "conv1d": ("CLN", "OIL"), "dense": ("IN", "OI"), "": ("CN", "OI")},
}
KEYS = {
    "dx": "x input inputs grad_input grad_inputs d_input dinputs da da_prev",
    "dW": "w weight weights kernel kernels filters grad_w grad_weights dweights",
    "db": "b bias biases grad_b grad_bias dbias dbiases",
}
LARGEST = 10**6  # numbers in a gradient; those of the inputs have hundreds
LETTERS = {
    "conv2d": {"x": "NCHW", "W": "OIHW"},
    "conv1d": {"x": "NCL", "W": "OIL"},
    "dense": {"x": "NC", "W": "OI"},
    **dict.fromkeys(POOLS, {"x": "NCHW"}),
}


def axes_of(of, layout, axes=None):
    """{"x": ..., "W": ..., "b": ...}: the letters of the user's axes; ValueError for what is none."""
    if of not in ARGUMENTS:
        raise ValueError(f"of is {of!r}, want one of {', '.join(map(repr, ARGUMENTS))}")
    if layout not in LAYOUTS:
        raise ValueError(
            f"layout is {layout!r}, want one of {', '.join(map(repr, LAYOUTS))}; axes= says any other"
        )
    table = LAYOUTS[layout]
    x, W = table["conv2d"] if of in POOLS else table.get(of, table[""])
    found = {"x": x, "W": W, "b": "O"}
    for name, letters in (axes or {}).items():
        wanted = LETTERS.get(of, {"x": "NC"}) | {"b": "O"}
        if name not in wanted or not isinstance(letters, str):
            raise ValueError(
                f"axes has {name!r}: {letters!r}, want letters for {', '.join(map(repr, wanted))}"
            )
        read = letters.replace("I", "C") if name == "x" else letters
        if sorted(read.replace("1", "").replace("K", "L")) != sorted(wanted[name]):
            raise ValueError(f"axes has {name!r}: {letters!r}, want the letters {wanted[name]} in some order")
        found[name] = letters
    found["x"] = found["x"].replace("I", "C")
    return found


@dataclass
class Outcome:
    """What one call gave: {gradient: array or None}, or the exception, and what was seen on the way."""

    case: object
    found: dict = field(default_factory=dict)
    error: Exception | None = None
    changed: tuple = ()
    notes: tuple = ()


def run(subject, case, call, start=None):
    """Call the subject on copies, and take copies of what it returns. ValueError where that is no gradient.

    start: what stands in arrays that nothing has set.
    """
    error = result = None
    given = case.arguments() if case.of != "sgd" else {}
    if hasattr(call, "case"):
        call.case = case
    kept = {name: value.copy() for name, value in given.items() if isinstance(value, np.ndarray)}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            with getattr(subject, "beginning_there", beginning)(start):  # where it runs in another process
                result = call(subject, case.of, given) if given else several_steps(subject, case, call)
        except (Exception, SystemExit) as raised:
            error = raised
    if isinstance(error, ValueError) and "diagnose" in str(error) or "call=" in str(error):
        raise error
    if error is not None:
        return Outcome(case, error=error)
    found, notes = named(result, case)
    changed = tuple(
        k for k, v in kept.items() if given[k].shape != v.shape or not np.array_equal(given[k], v, True)
    )
    return Outcome(case, found, None, changed, notes)


def several_steps(subject, case, call):
    """SGD's case is a walk: each step gets what the one before returned, or has written in place."""
    W, b, state = case.start["W"].copy(), case.start["b"].copy(), {}
    for dW, db, lr in zip(case.grads["W"], case.grads["b"], case.rates):
        rest = dict(dW=dW.copy(), db=db.copy(), lr=lr, momentum=case.momentum)
        result = call(
            subject, "sgd", dict(W=W, b=b) | rest | dict(weight_decay=case.weight_decay, state=state)
        )
        W, b = (W, b) if result is None else result[:2]
    return W, b


def named(result, case):
    """({gradient: a copy}, notes) from what came back: an array, a tuple in any order, a dict, tensors."""
    names = RETURNS[case.of].split()
    if isinstance(result, dict):
        keys = {str(key).lower(): value for key, value in result.items()}
        known = {name: [name.lower(), *KEYS.get(name, "").split()] for name in names}
        items = [next((keys[key] for key in known[name] if key in keys), None) for name in names]
    else:
        items = list(result) if isinstance(result, (tuple, list)) and parts(result) else [result]
    arrays = [None if item is None else array(item, names) for item in items]
    if not [a for a in arrays if a is not None]:
        raise ValueError(f"the subject returned {came(result)}, want {', '.join(names)} as arrays")
    shapes = [case.right(name).shape for name in names]
    notes = []
    if len(names) == 1:
        fitting = [a for a in arrays if a is not None and a.shape == shapes[0]]
        rest = [a for a in arrays if a is not None and a.ndim]
        arrays = (fitting or rest or arrays)[:1]
    elif [getattr(a, "shape", None) for a in arrays] != shapes:
        arrays, notes = reorder(arrays, shapes, names)
    found = {}
    for name, value in zip(names, arrays):
        if value is not None and (plain := case.as_bias(name, value)).shape != value.shape:
            notes.append(f"{name} has axes of size 1 that b has not: the numbers are compared all the same")
            value = plain
        found[name] = value
    return found, tuple(notes)


def parts(result):
    """Whether a tuple or list holds several arrays, and is not one array as nested lists."""
    return isinstance(result, tuple) or any(hasattr(item, "shape") or item is None for item in result)


def reorder(arrays, shapes, names):
    """Arrays in the order of the names, where their shapes say that they came in another."""
    squeezed = [tuple(n for n in shape if n > 1) for shape in shapes]
    theirs = [None if a is None else tuple(n for n in a.shape if n > 1) for a in arrays]
    in_place = [mine == other for mine, other in zip(theirs, squeezed)]
    if len(arrays) == 1:
        fits = [i for i, shape in enumerate(shapes) if shape == arrays[0].shape]
        at = fits[0] if fits else 0
        return [arrays[0] if i == at else None for i in range(len(names))], []
    if (
        len(set(squeezed)) == len(squeezed)
        and not any(in_place[: len(arrays)])
        or (len(set(squeezed)) == len(squeezed) and sorted(map(str, theirs)) == sorted(map(str, squeezed)))
    ):
        order = [squeezed.index(shape) if shape in squeezed else None for shape in theirs]
        if None not in order and len(set(order)) == len(order) and order != sorted(order):
            said = ", ".join(names[i] for i in order)
            moved = [arrays[order.index(i)] if i in order else None for i in range(len(names))]
            return moved, [
                f"the gradients are returned in the order {said}, asked for were {', '.join(names)}"
            ]
    return (arrays + [None] * len(names))[: len(names)], []


def array(item, names):
    """A copy as an array of numbers; tensors too. ValueError for what is none."""
    if hasattr(item, "detach"):
        item = item.detach().cpu().numpy()
    try:
        value = item if getattr(item, "size", 0) > LARGEST else np.array(item)
    except (ValueError, TypeError):
        value = np.array(None)
    if value.size > LARGEST:
        raise ValueError(
            f"the subject returned an array of shape {value.shape}, want {', '.join(names)} of a few numbers"
        )
    if value.dtype.kind not in "fiubc":
        raise ValueError(f"the subject returned {came(item)}, want {', '.join(names)} as arrays of numbers")
    return value


def came(thing):
    """What something is, in a few words."""
    return (
        f"an array of {thing.dtype}"
        if isinstance(thing, np.ndarray)
        else f"{type(thing).__name__} {str(thing)[:40]!r}"
    )
