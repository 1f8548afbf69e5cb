"""What an exercise's page makes a card of: the answers and hints as data in one line of HTML, which book/_static/exercises.js reads."""

import json
from html import escape
from string import ascii_lowercase

import numpy as np


def lettered(entry):
    """(letter, text) of each option."""
    return list(zip(ascii_lowercase, entry.options))


def forms(texts):
    """The texts that stand for one answer, which may be given as one."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def data(entry):
    """All that a page needs to judge an answer: nine digits of numbers, so that they are the same on every machine."""
    found = {"id": entry.id, "kind": entry.kind, "why": entry.why, "hints": entry.hints}
    if entry.kind in ("number", "array"):
        found |= {"right": _listed(entry.right), "off": _nine(entry.off)}
        shown = {
            hint: wrong for hint, wrong in entry.wrong.items() if np.shape(wrong) == np.shape(entry.right)
        }
        found["wrong"] = [[_listed(wrong), hint] for hint, wrong in shown.items()]
        found |= {"labels": entry.labels} if entry.labels else {}
    if entry.kind in ("choice", "text"):
        found |= {"right": forms(entry.right)}
        found["wrong"] = [[text, hint] for hint, wrong in entry.wrong.items() for text in forms(wrong)]
        found |= {"options": entry.options} if entry.options else {}
    return found


def html(entry):
    """The output of an exercise without an answer: a line, what there is to choose from, and the data of its card."""
    given = escape(json.dumps(data(entry), ensure_ascii=False, separators=(",", ":")))
    # Their letters as text: where a notebook is not trusted, Jupyter takes off the kind of a list.
    options = "".join(f"<li>{letter}: {escape(text)}</li>" for letter, text in lettered(entry))
    listed = f"<ul>{options}</ul>" if options else ""
    return f'<div class="cnn-exercise" data-exercise="{given}"><p>{entry.id}: no answer yet</p>{listed}</div>'


def _nine(number):
    return float(f"{number:.9g}")


def _listed(numbers):
    array = np.asarray(numbers, float)
    return np.vectorize(_nine, otypes=[float])(array).tolist() if array.size else []
