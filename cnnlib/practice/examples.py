"""A small input on which a mistake shows, with the right gradient and the wrong one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .cases import ARGUMENTS, POOLS, RETURNS, WINDOWS, Case, cases, sliding
from .mistakes import Form, Mistake, catalogue, simulate
from .naming import close, right
from .subject import axes_of

FACTOR = 0.5  # of a mistake that adds an unknown multiple of something: a learning rate, a decay
# C, O, (H, W), N, kernel, stride, padding, and what is special: the smallest first.
CONV = [
    (1, 1, (3, 4), 1, (2, 2), 1, 0, ""),
    (1, 1, (4, 5), 1, (2, 2), 2, 0, ""),
    (1, 1, (3, 4), 1, (3, 3), 1, 1, ""),
    (1, 1, (3, 5), 1, (3, 3), 2, 1, ""),
    (1, 1, (3, 4), 2, (2, 2), 1, 0, ""),
    (2, 2, (3, 3), 1, (2, 2), 1, 0, ""),
    (2, 2, (3, 3), 2, (2, 2), 1, 0, ""),
    (2, 3, (3, 4), 2, (2, 2), 1, 0, ""),
    (1, 1, (3, 4), 1, (2, 2), 1, 0, "halves"),
]
DENSE = [
    (C, D, (1, 1), N, (1, 1), 1, 0, special)
    for C, D, N, special in ((3, 2, 2, ""), (2, 2, 2, ""), (3, 2, 2, "halves"))
]
POOL = [
    (1, 1, (4, 4), 1, (2, 2), 2, 0, ""),
    (1, 1, (3, 4), 1, (2, 2), 1, 0, ""),
    (1, 1, (3, 4), 1, (2, 3), 1, 0, ""),
    (1, 1, (5, 5), 1, (2, 2), 3, 0, ""),
    (1, 1, (6, 4), 1, (2, 2), 2, 0, ""),
    (1, 1, (4, 6), 1, (2, 2), 2, 0, ""),
    (1, 1, (5, 5), 1, (2, 2), 2, 0, ""),
    (1, 1, (4, 4), 1, (2, 2), 2, 1, "only negative numbers"),
    (1, 1, (3, 5), 1, (3, 3), 2, 1, ""),
    (2, 2, (4, 4), 1, (2, 2), 2, 0, ""),
    (1, 1, (4, 6), 1, (2, 2), 2, 0, "ties"),
    (1, 1, (4, 4), 2, (2, 2), 2, 0, ""),
    (1, 1, (4, 4), 1, (2, 2), 2, 0, "halves"),
]
CONV1D = [(C, D, (1, W), N, (1, K), *rest) for C, D, (_, W), N, (_, K), *rest in CONV]
TABLES = {"conv2d": CONV, "conv1d": CONV1D, "dense": DENSE} | dict.fromkeys(POOLS, POOL)


@dataclass(frozen=True)
class Example:
    """A case of one layer, and what is returned there under one name: right, and with the mistake.

    right, wrong: arrays in the order of axes of ``case``, the layout NCHW; they may differ in shape. digits: decimals in
    which their difference can be seen. note: what else is to be known, a sentence or nothing.
    """

    of: str
    gradient: str
    case: object
    right: np.ndarray
    wrong: np.ndarray
    digits: int
    note: str = ""

    @property
    def differs(self) -> np.ndarray | None:
        """Where the numbers differ, NaN from a number too; None where the shapes do."""
        if self.right.shape != self.wrong.shape:
            return None
        scale = max(float(np.abs(self.right).max(initial=0)), 1e-6)
        return ~(np.abs(self.wrong - self.right) <= 1e-9 * scale)


def example(mistake: Mistake, of: str | None = None) -> Example:
    """The first example of a mistake, in the layer ``of`` or in the first that it is known in.

    Of an array of the right shape, if there is one, and of the first way to write it that shows there. ValueError where the
    mistake is not of this layer.

    >>> shown = practice.example(practice.catalogue("dense")["wrong sign"], of="dense")
    >>> shown.gradient, bool((shown.wrong == -shown.right).all())
    ('dx', True)
    """
    of = of or mistake.layers[0]
    if of not in mistake.layers:
        raise ValueError(f"{mistake.name!r} is of {', '.join(mistake.layers)}, not of {of!r}")
    for step, function, layers, spoilt in mistake.forms:
        if of in layers and (found := shows(Form(mistake, step, function), of, spoilt)):
            return found
    raise ValueError(f"{mistake.name!r} changes nothing in {of!r} in this order of axes")


def wrong(name: str, of: str, **given: Any) -> dict[str, np.ndarray | None]:
    """{gradient: array}: what a program with this mistake returns; None where it would raise.

    given: the arguments of ``diagnose``'s table in the book's axes, x (C, H, W, N), W (O, C, KH, KW), stride and padding as
    ints or pairs; for a dense layer x (D, N), W (O, D). Gradients that the mistake does not touch are right. ValueError
    where it is not of this layer, where something is missing, and for mistakes of which no one answer is wrong.

    >>> practice.wrong("wrong sign", "relu", x=np.array([[-1.0, 2.0]]), delta=np.array([[5.0, 5.0]]))["dx"]
    array([[-0., -5.]])
    """
    mistake, names = catalogue(of).get(name), ARGUMENTS.get(of, "").split()
    if mistake is None or of == "sgd" or mistake.forms[0][0] in ("along", "accumulated", "changed", "begun"):
        raise ValueError(f"{name!r} in {of!r} is no mistake with one wrong answer")
    if set(given) != set(names):
        raise ValueError(f"{of} wants {', '.join(names)}, got {', '.join(given) or 'nothing'}")
    case = Case(of, axes_of(of, "CHWN"))
    for key, value in given.items():
        if isinstance(value, np.ndarray):
            value = value if key == "labels" else case.from_user(key, value)
        else:
            value = tuple(np.broadcast_to(value, 2).tolist())
        setattr(case, key, value)
    if of in WINDOWS:
        case.kernel = case.W.shape[2:]
    if of == "conv1d":
        case.stride, case.padding = (1, case.stride[1]), (0, case.padding[1])
    if of == "dense":
        case.stride, case.padding = (1, 1), (0, 0)
    step, function, _, spoilt = next(form for form in mistake.forms if of in form[2])
    form = Form(mistake, step, function)
    return {
        gradient: simulate(case, gradient, (form,) if gradient in spoilt else ())
        for gradient in RETURNS[of].split()
    }


def shows(form, of, spoilt):
    """The first Example on which a form shows; None where it does on none."""
    gradients = [name for name in RETURNS[of].split() if name in spoilt]
    found = []
    for case in small(of):
        for gradient in gradients:
            shown = spoil(form, case, gradient)
            if shown is None or close(shown.wrong, shown.right, 1e-9):
                continue
            if shown.wrong.shape == shown.right.shape and shown.digits <= 2:
                return shown
            found.append(shown)
    alike = [shown for shown in found if shown.wrong.shape == shown.right.shape]
    return min(alike, key=lambda shown: shown.right.size) if alike else next(iter(found), None)


def small(of):
    """Small inputs of a layer, in whole numbers where it computes with such, then those on which programs are tried."""
    axes = axes_of(of, "NCHW")
    made = [whole(sliding(of, axes, *row)) for row in TABLES.get(of, [])]
    first, *others = cases(of, axes)  # of one example, and often of one number or two
    return [*made, *others, first]


def whole(case):
    """The case with small whole numbers and no zero, or halves of them; for pools without ties, unless these are meant."""
    rng, half = np.random.default_rng(215), 2 if case.special == "halves" else 1
    values = {}
    for name in ("x", "W", "b", "delta") if case.of in WINDOWS else ("x", "delta"):
        array = getattr(case, name)
        values[name] = rng.choice([-3.0, -2, -1, 1, 2, 3], array.shape) / half
    if case.of in POOLS:
        numbers = np.arange(1.0, case.x.size + 1) - (0 if half > 1 else case.x.size // 2)
        values["x"] = rng.permutation(numbers).reshape(case.x.shape)
        values["x"] = -np.abs(values["x"]) - 1 if case.special.startswith("only") else values["x"]
        values["x"] = rng.choice([1.0, 2], case.x.shape) if case.special == "ties" else values["x"]
        values["delta"] = np.arange(1.0, case.delta.size + 1).reshape(case.delta.shape) / half
    return case.with_values(**values)


def spoil(form, case, gradient):
    """The Example of one form on one case; None where nothing can be computed."""
    step, note = form.step, ""
    if step == "changed":
        name = next(name for name in ("x", "scores", "outputs") if hasattr(case, name))
        before = case.user(name)
        after = before.copy()
        form.function(after, case)
        return made(case, name, before, after, f"{name} before the call, and after it")
    wanted = case.right(gradient)
    if step == "accumulated":
        wrong, note = (
            case.to_user(gradient, form.function(right(case, gradient), case)),
            "after the second call",
        )
    elif step == "begun":  # with what was in memory: other numbers on each machine
        start = np.random.default_rng(0).integers(-9, 10, wanted.shape)
        wrong, note = wanted + start, "with whole numbers for what was in memory"
    elif step == "along":
        given = form.function(case, right)
        base, direction = given if isinstance(given, tuple) else (right(case, gradient), given)
        factor = -FACTOR if isinstance(given, tuple) else FACTOR  # the step is downhill
        wrong = case.to_user(gradient, base + factor * direction)
        note = f"with {FACTOR:g} for what stands before it in a program"
    else:
        wrong = simulate(case, gradient, (form,))
    return None if wrong is None else made(case, gradient, wanted, wrong, note)


def made(case, gradient, wanted, wrong, note):
    """An Example with as few decimals as show it, at most nine."""
    whole_ones = all(np.array_equal(a, np.rint(a), True) for a in (wanted, wrong))
    digits = 0 if whole_ones else 2
    while digits and digits < 9 and wanted.shape == wrong.shape:
        with np.errstate(invalid="ignore"):
            if not np.array_equal(np.round(wanted, digits), np.round(wrong.astype(float), digits), True):
                break
        digits += 1
    return Example(case.of, gradient, case, wanted, wrong, digits, note)
