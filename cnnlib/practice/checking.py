"""practice.check: whether an answer to an exercise is right, and if not, what is wrong with it."""

import sys
import textwrap
import unicodedata
from dataclasses import dataclass

import numpy as np

from . import card, compare, programs
from .compare import Junk
from .exercise import find

NONE = "no answer yet"


@dataclass
class Verdict:
    """ok: True, False, or None where there is no answer; text: a sentence or more; hint: of a known mistake."""

    ok: bool | None
    text: str
    hint: str = ""


def check(id: str, answer: object = ...) -> None:
    """Print whether ``answer`` is right for the exercise ``id``, such as "conv_backprop.2", or what is wrong with it.

    answer: a number, an array or nested lists, one of the letters or texts to choose from, a function or a class, as
    the exercise asks; ``...`` for none yet. ValueError, which lists the exercises of the chapter, for another id.

    >>> practice.check("pooling.1")
    pooling.1: no answer yet
    """
    entry = find(id)
    verdict = judge(id, answer)
    if verdict.ok is None:
        _display(f"{id}: {verdict.text}", card.html(entry))
    else:
        print("\n".join(map(_wrapped, f"{id}: {verdict.text}".split("\n"))))


def judge(id: str, answer: object) -> Verdict:
    """The Verdict on an answer to an exercise. No answer makes it raise; ValueError for an unknown id."""
    entry = find(id)
    if answer is ...:
        return Verdict(None, NONE + _asked(entry))
    try:
        if entry.kind in ("function", "class"):
            if programs.unwritten(programs.read(answer, entry.kind)):
                return Verdict(None, NONE)
            wrong = programs.fault_of(entry, answer)
            hint = wrong if wrong in entry.wrong else ""
        else:
            wrong, hint = {"choice": _choice, "text": _text}.get(entry.kind, _numbers)(entry, answer)
    except Junk as junk:
        return Verdict(False, f"this cannot be judged: {str(junk).rstrip('.')}.")
    except Exception as error:  # what an object of a reader's own does when it is looked at
        return Verdict(False, f"this cannot be judged: it raises {type(error).__name__}.")
    if wrong:
        return Verdict(False, f"not right: {wrong}{'.' * (wrong[-1] not in '.?!')}", hint)
    return Verdict(True, f"right. {entry.why}")


def _asked(entry):
    """What is to be given, where that is a choice."""
    options = [f"{letter}: {text}" for letter, text in card.lettered(entry)]
    return f"; one of {'; '.join(options)}" if options else ""


def _numbers(entry, answer):
    """(what is wrong with numbers, the hint for it)."""
    mine, right = compare.numbers(answer), np.asarray(entry.right, float)
    if mine.size == right.size == 1:
        mine = mine.reshape(right.shape)
    if mine.shape == right.shape and not compare.close(mine, right, entry.off):
        for hint, wrong in entry.wrong.items():
            if compare.close(mine, np.asarray(wrong, float), entry.off):
                return hint, hint
    return compare.fault(mine, right, entry.off, entry.sizes, entry.labels), ""


def _choice(entry, answer):
    """The same of a choice, which may be a letter or the text itself."""
    if not isinstance(answer, str):
        raise Junk(f"{compare.said(answer)} is no choice: want one of the letters, in quotes")
    options = {text.casefold(): text for text in entry.options} | dict(card.lettered(entry))
    if (chosen := options.get(answer.strip().casefold())) is None:
        letters = ", ".join(f'"{letter}"' for letter, _ in card.lettered(entry))
        raise Junk(f"{answer[:40]!r} is none of the letters {letters}")
    if chosen == entry.right:
        return "", ""
    hint = next((hint for hint, wrong in entry.wrong.items() if wrong == chosen), "")
    return hint or "it is another one", hint


def _text(entry, answer):
    """The same of a few words."""
    if not isinstance(answer, str):
        raise Junk(f"{compare.said(answer)} is no text: want a few words, in quotes")
    if len(answer) > 200:
        raise Junk("that is too long: want a few words")
    if _plain(answer) in map(_plain, card.forms(entry.right)):
        return "", ""
    hint = next(
        (h for h, wrong in entry.wrong.items() if _plain(answer) in map(_plain, card.forms(wrong))), ""
    )
    return hint or "it is another word", hint


def _plain(words):
    """A text without capitals, accents, signs and spaces; exercises.js does the same."""
    split = unicodedata.normalize("NFKD", words.casefold())
    return "".join(letter for letter in split if letter.isalnum())


def _wrapped(line):
    """A line in lines that fit a page."""
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(line, 72, subsequent_indent=indent)


def _display(text, html):
    """Print the text of an exercise without an answer; in Jupyter it carries what its page makes a card of."""
    ipython = sys.modules.get("IPython")
    if ipython and ipython.get_ipython():
        ipython.display.display({"text/plain": text, "text/html": html}, raw=True)
    else:
        print(text)
