"""Which mistake it is: those, and those pairs, that give the user's numbers to rounding on every input."""

from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, product

import numpy as np

from .mistakes import catalogue, forms, simulate


@dataclass
class Finding:
    """What is known of one wrong gradient.

    alternatives: tuples of one or two mistakes; each tuple by itself gives all the numbers. seen: sentences on
    what is seen where no mistake fits. wrong, right: the cases. factor: of the mistakes that have one.
    """

    gradient: str
    wrong: list
    right: list
    alternatives: list = field(default_factory=list)
    seen: list = field(default_factory=list)
    factor: float | None = None
    first: np.ndarray | None = None
    only: list = field(default_factory=list)
    raised: bool = False


def precision(arrays):
    """The rounding that the user's numbers allow: that of their type, or of the type they went through."""
    floats = [value for value in arrays if value.dtype.kind == "f"]
    if any(value.dtype.itemsize < 4 for value in floats):
        return 2e-2
    with np.errstate(all="ignore"):
        single = all(np.array_equal(value, value.astype(np.float32), True) for value in floats)
    whole = all(np.array_equal(value, np.rint(value), True) for value in floats)
    return 1e-4 if single and not whole else 1e-9


def close(mine, wanted, tolerance):
    """Whether two arrays have one shape and the same numbers to rounding, NaN where NaN."""
    if mine is None or wanted is None or mine.shape != wanted.shape:
        return False
    if mine.dtype.kind not in "fiub":
        return False
    finite = np.isfinite(wanted)
    if not np.array_equal(np.isnan(mine), np.isnan(wanted)) or not np.array_equal(finite, np.isfinite(mine)):
        return False
    if not finite.any():
        return True
    scale = max(float(np.abs(wanted[finite]).max()), 1e-6)
    return float(np.abs(mine[finite].astype(float) - wanted[finite]).max()) <= tolerance * scale


def name(gradient, evidence, tolerance, failed=(), pairs=True):
    """[tuples of mistakes] that reproduce the evidence, (case, user's array) pairs; and the factor, if any has one.

    Of those that do, the ones that agree best on the cases ``failed``, where the user's program raised.
    """
    wrong = [pair for pair in evidence if not close(pair[1], pair[0].right(gradient), tolerance)]
    if any(mine.dtype.kind not in "fiub" for _, mine in evidence):
        return [], None
    if all(mine.size and not mine.any() for _, mine in evidence):
        return [], None  # zeros say nothing: many mistakes together leave them
    order = wrong + [pair for pair in evidence if not any(pair[0] is case for case, _ in wrong)]
    telling = [pair for pair in wrong if pair[1].size > 1]
    order = telling[:1] + [pair for pair in order if not telling or pair[0] is not telling[0][0]]
    possible = forms(order[0][0].of, gradient)
    singles = [(form,) for form in possible if fit(gradient, (form,), order, tolerance)]
    if singles:
        return unique(closest(gradient, singles, failed)), None
    found = along(gradient, order, tolerance)
    if found or not pairs:
        return found or ([], None)
    for form in possible:
        found = found or along(gradient, order, tolerance, form)
    pairs = [pair for pair in combinations(possible, 2) if pair[0].mistake is not pair[1].mistake]
    pairs += [pair[::-1] for pair in pairs if pair[0].step == pair[1].step]  # filters: the order matters
    idle = {form.function for form in possible if changes_nothing(form, order[0][0])}
    alone = {form.function: fit(gradient, (form,), order[:1], tolerance) for form in possible}
    # With one that is idle on the first case, the other alone gives what the two together give there.
    for one, other in ((0, 1), (1, 0)):
        pairs = [pair for pair in pairs if pair[one].function not in idle or alone[pair[other].function]]
    fitting = [pair for pair in pairs if fit(gradient, pair, order, tolerance)]
    if fitting or not found:
        return unique(closest(gradient, fitting, failed)), None
    return found


def nearest(gradient, wrong, tolerance):
    """(the mistake that gives the numbers on the most of these inputs, on how many); None where it is not most of them.

    wrong: (case, user's array) pairs of one program, which are wrong.
    """
    best, most = None, max(1, len(wrong) // 2)
    for form in forms(wrong[0][0].of, gradient):
        count = sum(fit(gradient, (form,), [pair], tolerance) for pair in wrong)
        best, most = (form.mistake, count) if count > most else (best, most)
    return (best, most) if best else None


def changes_nothing(form, case):
    """Whether a filter of delta or of the kernel is without effect on this case."""
    taken = {"delta": "delta", "kernel": "W"}.get(form.step)
    if taken is None:
        return False
    array = getattr(case, taken)
    try:
        return np.array_equal(form.function(array, case), array)
    except (ValueError, IndexError):
        return False


def closest(gradient, found, failed):
    """Those that raise where the user's program does, as often as any of them."""
    agree = [sum(simulate(case, gradient, made) is None for case in failed) for made in found]
    return [made for made, score in zip(found, agree) if score == max(agree)]


def fit(gradient, made, evidence, tolerance):
    """Whether these forms give the user's array on every case."""
    return all(close(mine, simulate(case, gradient, made), tolerance) for case, mine in evidence)


def unique(found):
    """Tuples of mistakes, each set of them once."""
    return list(
        {frozenset(f.mistake.name for f in made): tuple(f.mistake for f in made) for made in found}.values()
    )


def along(gradient, evidence, tolerance, form=None):
    """([tuples of mistakes], factor) of those that add an unknown multiple of a known array to the gradient, or to
    an array that goes into it, the same on all inputs; alone, or with one more mistake. None where there is none."""
    of, found = evidence[0][0].of, []
    for entry in catalogue(of).values():
        for step, function, layers, gradients in entry.forms:
            if step == "along" and gradient in gradients and of in layers:
                factor = multiple(gradient, function, evidence, tolerance, (form,) if form else ())
                if factor is not None:
                    found.append(((form.mistake, entry) if form else (entry,), factor))
    different = {tuple(m.name for m in made): made for made, _ in found}
    return (list(different.values()), found[0][1]) if found else None


def multiple(gradient, function, evidence, tolerance, made=()):
    """The factor of one such mistake; None where no factor gives all numbers, or one input alone tells it."""
    factors = []
    for case, mine in evidence:
        try:
            given = function(case, partial(right, made=made))
            base, direction = given if isinstance(given, tuple) else (right(case, gradient, made), given)
        except ValueError:  # these forms give no array on this input
            return None
        base, direction = case.to_user(gradient, base), case.to_user(gradient, direction)
        if mine.shape != base.shape or base.shape != direction.shape or not np.isfinite(mine).all():
            return None
        size = float((direction**2).sum())
        factor = float(((mine - base) * direction).sum() / size) if size else 0
        if not close(mine, base + factor * direction, tolerance):
            return None
        factors += [factor] if size else []
    numbers = sum(mine.size for _, mine in evidence)
    if not factors or abs(factors[0]) < 1e-6 or len(factors) < 2 and numbers < 16:
        return None
    return factors[0] if np.ptp(factors) <= 1e3 * tolerance * max(map(abs, factors)) else None


def right(case, gradient, made=(), **values):
    """A gradient in the book's axes, right but for the forms ``made``, with other values in place of the case's."""
    other = case.with_values(**values) if values else case
    found = simulate(other, gradient, made) if made else other.right(gradient)
    if found is None:
        raise ValueError(f"{gradient} has no such form")
    return other.from_user(gradient, found)


def loud(gradient, done, failed, known=()):
    """Mistakes that show as exceptions: without effect where the program runs, and where it raises, NumPy's message has
    the wrong shape that they give. done: (case, array) pairs; failed: (case, exception) pairs; known: the mistakes that
    the program makes where it runs."""
    found, possible = [], forms(failed[0][0].of, gradient)
    for made in product(*([form for form in possible if form.mistake is entry] for entry in known)):
        if known and not fit(gradient, made, done, 1e-9):
            continue
        for form in possible:
            wrong = [simulate(case, gradient, (*made, form)) for case, _ in failed]
            if all(named_in(error, array, case, gradient) for array, (case, error) in zip(wrong, failed)):
                found += [(form,)] if fit(gradient, (*made, form), done, 1e-9) else []
    return unique(found)


def named_in(error, wrong, case, gradient):
    """Whether a message has the shape of this wrong gradient, or that of one example of it."""
    if wrong is None:
        return False
    if isinstance(error, ArithmeticError):  # Python's own numbers raise where NumPy's become infinite
        return not np.isfinite(wrong).all()
    if wrong.shape == case.right(gradient).shape:
        return False
    axis = case.letters(gradient)[1].find("N")
    one = wrong.shape[:axis] + wrong.shape[axis + 1 :] if axis >= 0 else wrong.shape
    said = str(error).replace(" ", "")
    return any(str(tuple(shape)).replace(" ", "") in said for shape in (wrong.shape, one))
