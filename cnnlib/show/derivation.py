"""Derivations whose formulas and numbers come from one source: what is shown as TeX is what is evaluated.

An array knows its TeX and its values, so that ``W[k, j] * delta[k]`` is at once a formula and a number. A wrong index
gives other numbers, and ``table``, which wants each line equal to the one above, refuses it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import expressions
from .expressions import Apply, Array, Entry, Expression, Index, Plus, Product, Sum, expression
from .figures import table as _table
from .ink import number

__all__ = ["apply", "array", "indices", "sum", "table"]


def indices(names: str) -> tuple[Index, ...]:
    """Indices from their names, "j k", to be used in arrays and sums."""
    found = tuple(Index({name: 1}) for name in names.split())
    if not found or len({str(i) for i in found}) < len(found):
        raise ValueError(f"indices wants different names with spaces between them, got {names!r}")
    return found


def array(tex: str, values: ArrayLike, *, outside: int | None = None) -> expressions.Array:
    """An array with its TeX. "#" in tex stands for all indices, "#1", "#2" for one; without, they are appended below.

    values: of any shape. outside=0: beyond its ends it is zero, and a sum leaves these terms out; otherwise an index
    beyond the ends, a negative one too, is an error.
    """
    values = np.asarray(values, float)
    if outside not in (None, 0):
        raise ValueError(f"array {tex}: outside is None or 0, got {outside!r}")
    if not np.isfinite(values).all():
        raise ValueError(f"array {tex}: wants finite numbers")
    return Array(tex, values, outside is not None)


def sum(over: Index | tuple[Index, ...], term: Any, *, range: Any = None) -> Expression:
    """The sum of a term over an index, or over several in brackets.

    Their ranges are those of the axes at which they stand alone in the term; range gives another, or one where there is none.
    """
    over = over if isinstance(over, tuple) else (over,)
    ranges = [(i, range or _axis(i, term)) for i in over]
    return Sum(ranges, expression(term))


def apply(tex: str, function: Callable[[float], float], inside: Any) -> Expression:
    """A function of one number: tex is its name, as "f'"."""
    return Apply(tex, function, expression(inside))


def table(
    left: Any,
    lines: Sequence[tuple],
    *,
    at: Iterable[dict],
    caption: str,
    how: str = "by finite differences",
    digits: int = 2,
    tol: float = 1e-6,
) -> None:
    """Display a derivation: each line's formula, why it follows, and its numbers at each place.

    left: what is derived, as an expression whose values were found as how says; tol is how far the first line may be from
    them, as a part of the largest. lines: (expression, why). at: places, each {index: number}. AssertionError where a
    line differs from the one above it, by more than rounding.
    """
    places = [{str(index): value for index, value in place.items()} for place in at]
    if not lines or not places:
        raise ValueError("derivation.table wants lines, and places for the indices that are not summed")
    above, rows = [left.value(place) for place in places], []
    rows.append([rf"\({left.tex()}\)", how])
    rows[0] += [number(value, digits) for value in above]
    for count, (line, why) in enumerate(lines):
        values, near = [line.value(place) for place in places], 1e-12 if count else tol
        wrong = [
            f"{above[p]:.9g} became {values[p]:.9g} at {place}"
            for p, place in enumerate(places)
            if not abs(values[p] - above[p]) <= near * max(1, *map(abs, above))
        ]
        if wrong:
            raise AssertionError(
                f"derivation of {left.tex()}, line {count + 1}, {line.tex()}: {'; '.join(wrong)}"
            )
        said = [line.numbers(place, digits) for place in places]
        ends = [number(value, digits) for value in values]
        shown = [text if text == end else f"{text} = {end}" for text, end in zip(said, ends, strict=True)]
        rows.append([rf"\(= {line.tex()}\)", why, *shown])
        above = values
    names = [", ".join(f"{index} = {value}" for index, value in place.items()) for place in places]
    _table(
        rows, ["formula", "why", *(f"in numbers, {name}" for name in names)], caption=caption, digits=digits
    )


def _axis(index, term):
    """The range of an index: that of the axes at which it stands alone."""
    term, lengths = expression(term), set()
    for entry in _all_entries(term):
        for i, length in zip(entry.at, entry.array.values.shape, strict=True):
            if i.letters == {str(index): 1} and not i.more:
                lengths.add(length)
    if len(lengths) != 1:
        found = f"axes of lengths {sorted(lengths)}" if lengths else "no axis of its own"
        raise ValueError(f"the index {index} has {found} in {term.tex()}: give its range")
    return range(lengths.pop())


def _all_entries(term):
    inner = {Product: lambda t: t.factors, Plus: lambda t: [t.first, t.second], Sum: lambda t: [t.term]}
    inner[Apply] = lambda t: [t.within]
    if isinstance(term, Entry):
        return [term]
    return [e for part in inner.get(type(term), lambda t: [])(term) for e in _all_entries(part)]
