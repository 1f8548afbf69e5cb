"""The ledger: what the five lectures state, entry by entry, and the claims that settle each in a chapter."""

import re
import tomllib
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# Strongest first: an entry's verdict is the strongest of its claims. What is printed, and comes out or does not, is
# stronger than what was put beside it.
VERDICTS = ("erratum", "convention", "confirmed", "unreadable", "reconstructed", "illustrated")
DOUBTED = ("erratum", "unreadable")
WHOSE = ("slide", "undecided")
SHOWN = 6  # of the numbers that are doubted; of more, the first that differs
LINE = re.compile(
    rf"^([A-Z]\d\d)((?:\.[\w-]+)?) ({'|'.join(VERDICTS[:-1])}): ([^(\n]*?)(?: \((.*)\))?(?: \[(\w+): (.*)\])?$",
    re.MULTILINE,
)


@cache
def readings():
    """What claims cannot compute, of each part of an entry that is an erratum, unreadable or a convention: {"K14.printed":
    {"printed", "book", "section", ...}}, as `readings.toml` says."""
    return tomllib.loads(files("cnnlib.data").joinpath("readings.toml").read_text(encoding="utf-8"))


@cache
def ledger() -> dict:
    """The ledger: {"lectures": {"K": {"author", "title"}}, "entries": {"K18": {"lecture", "chapter", "what",
    "printed", "verdict"}}}; a verdict is one of VERDICTS, or "open" while the entry's chapter is not
    written."""
    return tomllib.loads(files("cnnlib.data").joinpath("ledger.toml").read_text(encoding="utf-8"))


def claim(
    entry: str,
    value: ArrayLike | None = None,
    expected: ArrayLike | None = None,
    *,
    printed: ArrayLike | None = None,
    digits: int | None = None,
    erratum: str | None = None,
    unreadable: str | None = None,
    convention: str | None = None,
    reconstructed: str | None = None,
    illustrated: str | None = None,
    where: str | None = None,
    whose: str | None = None,
    tol: float = 1e-12,
) -> None:
    """Settle a ledger entry, or a part of one ("S02.year"), and print one line that says how.

    value against expected: ``|value - expected| <= tol max(1, |expected|)`` for each number. value against
    printed: rounded to digits where these are given, else as expected. convention="...", reconstructed="...":
    the same, with the choice made, or what is not the lecture's own. erratum="...": value differs from
    printed (or, without printed, from expected), and this says why; where="..." names the slide, whose="slide"
    or "undecided" says whether it surely stands there or may have come with the extraction of the text.
    unreadable="...": the same where only the extraction can have done it; where is wanted, whose is not.
    illustrated="...": a picture, or words; nothing to compare.

    ValueError for an unknown entry or a claim that compares nothing; AssertionError where numbers disagree,
    or, for an erratum, where they agree. Shapes must be equal; NaN agrees with nothing.
    """
    if entry.split(".")[0] not in ledger()["entries"] or not re.fullmatch(r"\w+(\.[\w-]+)?", entry):
        close = ", ".join(get_close_matches(entry.split(".")[0], ledger()["entries"]))
        raise ValueError(f"claim: no entry {entry!r} in the ledger; close to it: {close or 'none'}")
    texts = {
        "erratum": erratum,
        "unreadable": unreadable,
        "reconstructed": reconstructed,
        "convention": convention,
        "illustrated": illustrated,
    }
    texts = {verdict: text for verdict, text in texts.items() if text is not None}
    if len(texts) > 1 or not all(isinstance(t, str) and t.strip() and "\n" not in t for t in texts.values()):
        raise ValueError(f"claim {entry}: wants one text of one line at most, got {texts}")
    verdict, text = next(iter(texts.items()), ("confirmed", ""))
    place = _place(entry, verdict, where, whose)
    others = {
        what: other for what, other in (("expected", expected), ("printed", printed)) if other is not None
    }
    if verdict == "illustrated":
        if value is not None or others or digits is not None:
            raise ValueError(
                f"claim {entry}: what is illustrated is not compared; drop the text or the numbers"
            )
        print(f"{entry} illustrated: {text}")
        return
    if value is None or not others or (digits is not None and printed is None) or not 0 < tol < 1:
        raise ValueError(f"claim {entry}: give value, expected and 0 < tol < 1, or value, printed and digits")
    value, others = _numbers(entry, value), {what: _numbers(entry, other) for what, other in others.items()}
    last = list(others)[-1]  # an erratum doubts what is printed, or else expected
    for what, other in others.items():
        same = _agree(entry, value, other, digits if what == "printed" else None, tol)
        doubted = verdict in DOUBTED and what == last
        if doubted and (same.all() or not np.isfinite(value).all()):
            raise AssertionError(
                f"claim {entry}: no {'erratum' if verdict == 'erratum' else 'difference'}: {what} {other}, computed {value}"
            )
        if not doubted and not same.all():
            at = tuple(map(int, np.argwhere(~same)[0]))
            many = f"{np.sum(~same)} of {same.size} numbers differ, first at {list(at)}: " if at else ""
            raise AssertionError(f"claim {entry}: {many}{what} {other[at]!s}, computed {value[at]!s}")
    if value.ndim and verdict in DOUBTED:
        said = _difference(others[last], value, same)
    elif value.ndim:
        said = f"{' x '.join(map(str, value.shape))} value{'s agree' if value.size > 1 else ' agrees'}"
    else:
        said = str(others["printed"] + 0) if "printed" in others else _said(others["expected"])
        said = f"printed {said}, computed {_said(value)}" if verdict in DOUBTED else said
    print(f"{entry} {verdict}: {said}" + f", to {tol:g}" * (tol != 1e-12) + f" ({text})" * bool(text) + place)


def _difference(other, value, same):
    """All numbers where they are few, or else the first that differ. Four digits: another machine's last bit must not show."""
    few, many = same.size <= SHOWN, f"{np.sum(~same)} of {same.size} numbers differ"
    pair = [array.ravel() if few else array[~same][:1] for array in (other, value)]
    printed, computed = (" ".join(map(_short, numbers)) for numbers in pair)
    return f"printed {printed}, computed {computed}; {many}" + ", the first is shown" * (not few)


def _short(number):
    if isinstance(number, np.bool_):
        return "yes" if number else "no"
    return f"{round(float(number), 6) + 0.0:.4g}"


def claims(output: str) -> list[dict[str, str]]:
    """The claims that a text holds, in order, but for those that are illustrated: [{"entry", "part", "verdict", "said", "why",
    "whose", "where"}, ...]. What `claim` has left out is ""."""
    names = ("entry", "part", "verdict", "said", "why", "whose", "where")
    found = (
        dict(zip(names, (text or "" for text in line.groups()), strict=True))
        for line in LINE.finditer(output)
    )
    return [claim | {"part": claim["entry"] + claim["part"]} for claim in found]


def verdicts(output: str) -> Any:
    """The verdicts of the claim lines in a text: {"S02": "erratum", ...}, for each entry its strongest."""
    found = re.findall(rf"^([A-Z]\d\d)(?:\.[\w-]+)? ({'|'.join(VERDICTS)}): ", output, re.MULTILINE)
    return {entry: min((v for e, v in found if e == entry), key=VERDICTS.index) for entry, _ in found}


def _place(entry, verdict, where, whose):
    """Where a doubted formula stands and whose doing it is, as the end of the line."""
    if verdict not in DOUBTED:
        if where is not None or whose is not None:
            raise ValueError(f"claim {entry}: where and whose belong to an erratum or to what is unreadable")
        return ""
    if not (isinstance(where, str) and where.strip() and "\n" not in where):
        raise ValueError(f"claim {entry}: {verdict} wants where, the slide in one line, got {where!r}")
    if re.search(r"\d{3}|\blines? \d", where):
        raise ValueError(f"claim {entry}: where names a slide by its title, and no line, got {where!r}")
    if whose not in (WHOSE if verdict == "erratum" else (None,)):
        wanted = f"whose, one of {WHOSE}" if verdict == "erratum" else "no whose: it is the text's"
        raise ValueError(f"claim {entry}: {verdict} wants {wanted}, got {whose!r}")
    return f" [{whose or 'text'}: {where}]"


def _numbers(entry, given):
    try:
        array = np.asarray(given)
        if array.dtype.kind == "O":  # fractions, and integers of more than 64 bits
            array = array.astype(float)
    except (OverflowError, TypeError, ValueError):
        array = np.array([])
    if array.dtype.kind not in "biuf" or array.size == 0:
        raise ValueError(f"claim {entry}: wants numbers, got {given!r}")
    return array


def _agree(entry, value, other, digits, tol):
    if value.shape != other.shape:
        raise AssertionError(f"claim {entry}: computed has shape {value.shape}, the other {other.shape}")
    if digits is None:
        with np.errstate(invalid="ignore"):
            return (value == other) | (np.abs(value - 1.0 * other) <= tol * np.maximum(1, np.abs(other)))
    # Python's round gives the nearest decimal exactly as its literal is read.
    pairs = zip(value.flat, other.flat, strict=True)
    same = [bool(np.isfinite(v)) and round(float(v), digits) == p for v, p in pairs]
    return np.array(same).reshape(value.shape)


def _said(number):
    """Six decimals at most, so that it reads the same on every machine, and no negative zero."""
    return f"{round(float(number), 6) + 0.0:.6g}"
