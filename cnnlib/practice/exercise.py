"""What an exercise is: its question's kind, its answer, computed, and the wrong answers that are known beforehand.

A chapter's exercises are functions in the file of its name in ``exercises/``, with a decorator of this file. Such a function
computes and returns (the right answer, {hint: a wrong answer that it meets}). Nothing is computed before somebody asks.
"""

import importlib
import pkgutil
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np

_KNOWN: dict = {}


@dataclass
class Exercise:
    """An exercise.

    id: "chapter.number". kind: "number", "array", "choice", "text", "function" or "class".
    why: a sentence on what the right answer is good for. hints: two, the first the weaker one.
    answers: the function that computes the right answer and the known wrong ones.
    tolerance: how far a number may be off; None for rounding only. labels: a name for each number of a vector.
    options: the texts to choose from. sizes: {"N": 4}, what a wrong factor may be made of.
    of: the layer, where ``diagnose`` judges. tries: the arguments on which programs are compared. use: use(program,
    *arguments) gives what is compared, by default the program itself is called.
    """

    id: str
    kind: str
    why: str
    hints: tuple
    answers: object = field(repr=False)
    tolerance: float | None = None
    labels: tuple = ()
    options: tuple = ()
    sizes: dict = field(default_factory=dict)
    of: str = ""
    tries: object = None
    use: object = None

    @cached_property
    def _computed(self):
        return self.answers()

    @property
    def right(self):
        """The right answer: a float, an array, a text, or a program."""
        return self._computed[0]

    @property
    def wrong(self):
        """{hint: the wrong answer that it meets}."""
        return self._computed[1]

    @property
    def off(self):
        """How far a number may be off."""
        scale = float(np.abs(self.right).max())
        return self.tolerance if self.tolerance is not None else 1e-6 * max(scale, 1e-3)


def _kind(kind):
    def decorator(id, *, why, hints, **more):
        def register(answers):
            if id in _KNOWN:
                raise ValueError(f"two exercises {id}")
            _KNOWN[id] = Exercise(id, kind, why, tuple(hints), answers, **more)
            return answers

        return register

    decorator.__doc__ = (
        f"Decorator: an exercise whose answer is a {kind}; the keywords are those of `Exercise`."
    )
    return decorator


number, array, choice, text = map(_kind, ("number", "array", "choice", "text"))
function, layer = map(_kind, ("function", "class"))


def chapters():
    """The names of the chapters that have exercises."""
    from . import exercises

    return sorted(module.name for module in pkgutil.iter_modules(exercises.__path__))


@cache
def of_chapter(chapter):
    """{id: Exercise} of a chapter, in the order of its file."""
    importlib.import_module(f"{__package__}.exercises.{chapter}")
    return {id: entry for id, entry in _KNOWN.items() if id.partition(".")[0] == chapter}


def find(id):
    """The exercise of this id; ValueError that lists those there are, for another."""
    chapter = id.partition(".")[0] if isinstance(id, str) else ""
    if chapter not in chapters():
        raise ValueError(f"no exercise {id!r:.60}: ids begin with a chapter, one of {', '.join(chapters())}")
    if id not in (known := of_chapter(chapter)):
        raise ValueError(f"no exercise {id!r:.60}: {chapter} has {', '.join(known)}")
    return known[id]
