"""What derivations are made of: indices, numbers of arrays, products and sums, each as TeX, as a number, and written out."""

import re
from dataclasses import dataclass
from itertools import product

import numpy as np

from .ink import number


@dataclass(frozen=True)
class Index:
    """A sum of indices and a number: the letters with how often each is taken, and what is added."""

    letters: dict
    more: int = 0

    def __add__(self, other, sign=1):
        if isinstance(other, Index):
            names = {**self.letters, **other.letters}
            taken = {n: self.letters.get(n, 0) + sign * other.letters.get(n, 0) for n in names}
            return Index({n: times for n, times in taken.items() if times}, self.more + sign * other.more)
        return Index(self.letters, self.more + sign * other)

    def __sub__(self, other):
        return self.__add__(other, -1)

    def __radd__(self, other):
        return self + other

    def __rsub__(self, other):
        return self * -1 + other

    def __mul__(self, times):
        return Index({n: times * t for n, t in self.letters.items() if times}, times * self.more)

    __rmul__ = __mul__

    def __hash__(self):
        return hash(str(self))

    def __str__(self):
        parts = [
            f"{'+' if t > 0 else '-'}{'' if abs(t) == 1 else abs(t)}{n}" for n, t in self.letters.items()
        ]
        parts += [f"{self.more:+d}"] if self.more else []
        return "".join(sorted(parts, key=lambda part: part[0] == "-")).removeprefix("+") or "0"

    def value(self, place):
        """The number, the letters being those of the place."""
        missing = [n for n in self.letters if n not in place]
        if missing:
            raise ValueError(f"the index {missing[0]} is neither summed nor given a place")
        return self.more + int(np.sum([t * place[n] for n, t in self.letters.items()], dtype=int))


class Expression:
    """What can be shown as TeX, evaluated, and written out in numbers."""

    def tex(self):
        """The formula."""
        raise NotImplementedError

    def value(self, place):
        """The number at a place, {letter: number}. ValueError for an index that has none, IndexError beyond an array's end."""
        raise NotImplementedError

    def numbers(self, place, digits):
        """The formula at a place, with sums written out and numbers in the place of letters."""
        raise NotImplementedError

    def entries(self):
        """The numbers of arrays that stand in it and hang on no index that is summed inside."""
        raise NotImplementedError

    def __mul__(self, other):
        return Product([*_factors(self), *_factors(expression(other))])

    def __rmul__(self, other):
        return expression(other) * self

    def __add__(self, other):
        return Plus(self, expression(other))

    def __radd__(self, other):
        return Plus(expression(other), self)

    def __sub__(self, other):
        return Plus(self, expression(other), "-")

    def __rsub__(self, other):
        return Plus(expression(other), self, "-")


@dataclass
class Number(Expression):
    """A constant."""

    constant: float

    def tex(self):
        return f"{self.constant:g}"

    def value(self, place):
        return float(self.constant)

    def numbers(self, place, digits):
        return self.tex().replace("-", "−")

    def entries(self):
        return []


@dataclass
class Array:
    """An array, without its indices."""

    name: str
    values: np.ndarray
    padded: bool

    def __getitem__(self, at):
        at = at if isinstance(at, tuple) else (at,)
        if len(at) != self.values.ndim:
            raise ValueError(f"array {self.name}: has {self.values.ndim} indices, got {len(at)}")
        return Entry(self, tuple(i if isinstance(i, Index) else Index({}, int(i)) for i in at))


@dataclass
class Entry(Expression):
    """One number of an array."""

    array: Array
    at: tuple

    def tex(self):
        names = [str(i) for i in self.at]
        joined = ("" if all(len(name) == 1 for name in names) else r",\,").join(names)
        name = self.array.name
        if "#" not in name:
            return f"{name}_{{{joined}}}"
        name = re.sub(r"#(\d)", lambda m: names[int(m[1]) - 1], name)
        return name.replace("#", joined)

    def inside(self, place):
        """Whether all its indices lie in the array."""
        return all(0 <= i.value(place) < n for i, n in zip(self.at, self.array.values.shape, strict=True))

    def value(self, place):
        if not self.inside(place):
            if self.array.padded:
                return 0.0
            where = tuple(i.value(place) for i in self.at)
            raise IndexError(f"{self.tex()}: no {where} in the shape {self.array.values.shape}")
        return float(self.array.values[tuple(i.value(place) for i in self.at)])

    def numbers(self, place, digits):
        text = number(self.value(place), digits)
        return f"({text})" if text.startswith("−") else text

    def entries(self):
        return [self]


@dataclass
class Apply(Expression):
    """A function of a number."""

    name: str
    function: object
    within: Expression

    def tex(self):
        return f"{self.name}({self.within.tex()})"

    def value(self, place):
        return float(self.function(self.within.value(place)))

    def numbers(self, place, digits):
        text = number(self.value(place), digits)
        return f"({text})" if text.startswith("−") else text

    def entries(self):
        return self.within.entries()


@dataclass
class Product(Expression):
    """Factors."""

    factors: list

    def tex(self):
        last = len(self.factors) - 1
        return r"\,".join(
            rf"\Bigl({f.tex()}\Bigr)" if isinstance(f, Plus) or (isinstance(f, Sum) and n < last) else f.tex()
            for n, f in enumerate(self.factors)
        )

    def value(self, place):
        return float(np.prod([f.value(place) for f in self.factors]))

    def numbers(self, place, digits):
        texts = [f.numbers(place, digits) for f in self.factors]
        return "\u00a0·\u00a0".join(  # a product stays on one line
            f"({text})" if isinstance(f, Plus | Sum) and re.search(" [+−] ", text) else text
            for f, text in zip(self.factors, texts, strict=True)
        )

    def entries(self):
        return [entry for f in self.factors for entry in f.entries()]


@dataclass
class Plus(Expression):
    """The sum or the difference of two."""

    first: Expression
    second: Expression
    sign: str = "+"

    def tex(self):
        second = self.second.tex()
        return f"{self.first.tex()} {self.sign} " + (
            f"({second})" if self.sign == "-" and isinstance(self.second, Plus) else second
        )

    def value(self, place):
        second = self.second.value(place)
        return self.first.value(place) + (second if self.sign == "+" else -second)

    def numbers(self, place, digits):
        second = self.second.numbers(place, digits)
        second = f"({second})" if self.sign == "-" and isinstance(self.second, Plus | Sum) else second
        return f"{self.first.numbers(place, digits)} {'+' if self.sign == '+' else '−'} {second}"

    def entries(self):
        return self.first.entries() + self.second.entries()


@dataclass
class Sum(Expression):
    """A sum over indices, each with its range."""

    over: list
    term: Expression

    def tex(self):
        below = ",".join(str(i) for i, _ in self.over)
        return rf"\sum_{{{below}}} " + (
            rf"\Bigl({self.term.tex()}\Bigr)" if isinstance(self.term, Plus) else self.term.tex()
        )

    def places(self, place):
        """The places of its terms, those left out at which an array has ended."""
        for values in product(*(numbers for _, numbers in self.over)):
            here = {**place, **{str(i): v for (i, _), v in zip(self.over, values, strict=True)}}
            bound = {str(i) for i, _ in self.over} | set(place)
            known = [e for e in self.term.entries() if all(set(i.letters) <= bound for i in e.at)]
            if all(e.inside(here) for e in known if e.array.padded):
                yield here

    def value(self, place):
        return float(np.sum([self.term.value(here) for here in self.places(place)]))

    def numbers(self, place, digits):
        texts = [self.term.numbers(here, digits) for here in self.places(place)]
        return " + ".join(texts) or "0"

    def entries(self):
        own = {str(i) for i, _ in self.over}
        return [e for e in self.term.entries() if not any(set(i.letters) & own for i in e.at)]


def expression(given):
    """An expression as it is, a number as one. ValueError for anything else."""
    if isinstance(given, Expression):
        return given
    if isinstance(given, int | float) and np.isfinite(given):
        return Number(given)
    raise ValueError(f"a derivation is made of numbers and of arrays with indices, got {given!r}")


def _factors(expression):
    return expression.factors if isinstance(expression, Product) else [expression]
