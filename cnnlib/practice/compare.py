"""What is wrong with an array that should be another, said as exactly as possible without giving the other away."""

from fractions import Fraction
from itertools import permutations
from numbers import Real

import numpy as np

MOST = 100_000  # more numbers than any answer has; more are not looked at


class Junk(Exception):
    """What came is no answer of this kind; the sentence says why."""


def signed(number):
    """A number with few digits, and a minus sign as it is printed."""
    return f"{number:.6g}".replace("-", "−")


def a(word):
    """The word with its article."""
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"


def said(thing):
    """What a thing is, in a few words, whatever it is."""
    if isinstance(thing, np.ndarray):
        return f"an array of {thing.dtype} of shape {thing.shape}"
    if thing is None or isinstance(thing, bool):
        return str(thing)
    if isinstance(thing, type):
        return f"the class {thing.__name__:.40}"
    return a(type(thing).__name__[:40])


def numbers(answer):
    """The answer as an array of floats; Junk, with a sentence, for what is none."""
    if isinstance(answer, str | bytes):
        raise Junk(f"a text is no number: write {'it' if len(answer) > 20 else answer} without quotes")
    if isinstance(answer, np.ma.MaskedArray):
        raise Junk("a masked array has numbers that are not there: give a plain array")
    if (
        isinstance(answer, set | dict)
        or callable(answer)
        or answer is None
        or isinstance(answer, bool | np.bool_)
    ):
        raise Junk(
            f"{said(answer)} is no {'number' if not isinstance(answer, set | dict) else 'array'} of any kind"
        )
    if isinstance(answer, Real | Fraction) and not isinstance(answer, np.generic):
        return _floats(np.array(_float(answer)))
    if not isinstance(answer, np.ndarray | np.generic | list | tuple):
        raise Junk(f"{said(answer)} is neither a number nor an array of numbers")
    try:
        array = np.asarray(answer)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Junk("the rows are not equally long, or hold other things than numbers") from None
    except Exception as error:  # of an object that makes itself an array
        raise Junk(f"it cannot be made an array: {type(error).__name__}") from None
    return _floats(array)


def _float(number):
    try:
        return float(number)
    except (OverflowError, ValueError):
        raise Junk("the number is too large") from None


def _floats(array):
    if array.dtype.kind == "b":
        raise Junk("an array of True and False is none of numbers")
    if array.dtype.kind == "c":
        raise Junk(f"the numbers are complex ({array.dtype}): give real ones")
    if array.dtype.kind == "O" and array.size <= MOST:
        try:
            return np.array([_float(v) if isinstance(v, Real) else 1 / 0 for v in array.flat]).reshape(
                array.shape
            )
        except ZeroDivisionError:
            raise Junk(
                "the array holds other things than numbers, or rows that are not equally long"
            ) from None
    if array.dtype.kind not in "fiu":
        raise Junk(f"an array of {array.dtype} is none of numbers")
    return array if array.size > MOST else array.astype(float)


def apart(mine, right, off):
    """Where two arrays of one shape differ by more than this; NaN is what is wanted where NaN is right."""
    with np.errstate(all="ignore"):
        return ~((np.abs(mine - right) <= off) | (np.isnan(mine) & np.isnan(right)))


def close(mine, right, off):
    """Whether two arrays have one shape and the same numbers, each no further off than this."""
    return mine.shape == right.shape and not apart(mine, right, off).any()


def shape(mine, right):
    """A sentence on another shape than the right one; empty where it is the right one."""
    if mine.shape == right.shape:
        return ""
    wanted = f"the shape is {mine.shape}, want {right.shape}"
    if mine.size == 0:
        return f"the array is empty, {wanted}"
    if mine.size > MOST:
        return wanted
    if mine.ndim == right.ndim == 2 and mine.shape == right.shape[::-1]:
        return wanted + ": it is transposed"
    if mine.squeeze().shape == right.squeeze().shape:
        return wanted + ": axes of size 1 too many or too few"
    if mine.size == right.size:
        return wanted + ": as many numbers, in another shape"
    return wanted


def fault(mine, right, off, sizes=(), labels=()):
    """A sentence on what is wrong with an array; empty where nothing is. sizes: {name: what a factor may be made of}.
    labels: the names of a vector's numbers."""
    if wrong := shape(mine, right):
        return wrong
    if (odd := ~np.isfinite(mine) & np.isfinite(right)).any():
        at = first(odd)
        return f"{odd.sum()} of {mine.size} numbers are NaN or infinite{at and f', the first at {at}'}"
    if close(mine, right, off):
        return ""
    return _whole(mine, right, off, dict(sizes)) or differing(mine, right, off, labels)


def first(where):
    """The index of the first True, as a reader writes it; empty for a single number."""
    at = np.argwhere(where)[0].tolist() if where.ndim else []
    return f"[{', '.join(map(str, at))}]" if at else ""


def differing(mine, right, off, labels=()):
    """How many numbers differ, and the first that does, by its index and what it is."""
    bad = apart(mine, right, off)
    if not (at := first(bad)):
        return f"{mine:.6g} differs from the right number"
    many = f"{bad.sum()} of {bad.size} numbers differ"
    at = f"that of “{labels[bad.argmax()]}”" if labels else f"at {at}"
    return f"{many}, the first {at}: yours is {mine[bad][0]:.6g}"


def _whole(mine, right, off, sizes):
    """What is wrong with all numbers at once: the sign, a factor, the order; empty where that is not it."""
    if not mine.any():
        return "all numbers are zero" if mine.size > 1 else ""
    if close(mine, -right, off):
        return "the sign is wrong" + " of every number" * (mine.size > 1)
    if factor := _factor(mine, right, off, sizes):
        return factor
    if mine.size < 3:
        return "the right numbers, in another order" * (mine.size == 2 and close(mine, right[::-1], off))
    if close(np.sort(mine, None), np.sort(right, None), off):
        return f"the right numbers, {_order(mine, right, off)}"
    shift = mine - right
    if np.ptp(shift) <= 2 * off:
        return f"every number is {abs(shift.flat[0]):.6g} too {'large' if shift.flat[0] > 0 else 'small'}"
    return ""


def _factor(mine, right, off, sizes):
    """That all numbers are off by one factor; of a single number only factors that have a name."""
    size = float(np.vdot(right, right))
    ratio = float(np.vdot(right, mine)) / size if size else 0
    if not ratio or not close(mine, ratio * right, off * max(1, abs(ratio))):
        return ""
    named = [
        (f"{'minus ' * (sign < 0)}{text}", sign * value) for sign in (1, -1) for text, value in _named(sizes)
    ]
    for name, value in named:
        if close(mine, value * right, off * max(1e-3, abs(value))):
            return f"{'every number' if mine.size > 1 else 'the number'} is {name} times the right one"
    if np.count_nonzero(right) < 2:
        return ""
    return f"every number is {ratio:.4g} times the right one"


def _named(sizes):
    for name, size in sizes.items():
        value = f", {size:g}," if name != f"{size:g}" else ""
        yield f"{name}{value}", size
        yield f"1/({name})" if " " in name else f"1/{name}", 1 / size
    for value, name in ((2, "2"), (0.5, "1/2")):
        if value not in {v for size in sizes.values() for v in (size, 1 / size)}:
            yield name, value


def _order(mine, right, off):
    """In which other order the right numbers stand."""
    for axes in permutations(range(right.ndim)):
        if axes != tuple(range(right.ndim)) and close(mine, right.transpose(axes), off):
            return "transposed" if right.ndim == 2 else f"with the axes in the order {axes}"
    if right.ndim == 1:
        return "in reverse order" if close(mine, right[::-1], off) else "in another order"
    last = tuple(range(right.ndim))[-2:]
    for axes, name in ((last, "rotated by 180 degrees"), (last[:1], "with the rows in reverse order")):
        if close(mine, np.flip(right, axes), off):
            return name
    if close(mine, np.flip(right, last[1:]), off):
        return "with the columns in reverse order"
    for k in (1, 3):
        turned = np.rot90(right, k, axes=last)
        if close(mine, turned, off):
            return "rotated by 90 degrees"
    return "in another order"
