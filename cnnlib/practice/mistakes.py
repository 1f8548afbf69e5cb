"""What a mistake is: one step of a backward pass, written wrongly.

A backward pass is written once, as steps with names (``convolution.dx`` and so on). A mistake replaces one
step by the wrong lines, so any two mistakes can be made together. Arrays in here have the book's order:
x and delta (C, H, W, N), W (O, I, KH, KW), b (O,).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

FILTERS = {
    "delta",
    "kernel",
    "after",
}  # steps from an array to an array: two mistakes there follow one another
UNSEEN = "along", "accumulated", "changed", "begun"  # steps that no one wrong answer shows
_CATALOGUE: dict = {}


@dataclass
class Mistake:
    """An entry of the catalogue.

    name, layers: what it is called, and the layers (``of``) in which it can be made.
    gradients: those that it spoils. section: where the book explains it, as "chapter#section".
    convention: under what agreement the same lines are right; empty where under none.
    forms: the ways to write it, as (step, function, layers, gradients); ``lines`` is the first function, for ``show.source``.

    >>> mistake = practice.catalogue()["kernel not rotated"]
    >>> mistake.layers, mistake.card
    (('conv2d', 'conv1d'), 'wrong_answers#kernel-not-rotated')
    """

    name: str
    layers: tuple
    gradients: tuple
    section: str
    convention: str = ""
    forms: list = field(default_factory=list, repr=False)
    known: dict = field(default_factory=dict, repr=False)

    @property
    def lines(self) -> Callable:
        """The function with the wrong lines."""
        return self.forms[0][1]

    @property
    def text(self) -> str:
        """What is wrong, in a sentence."""
        return " ".join(self.lines.__doc__.split())

    @property
    def card(self) -> str:
        """Where the book shows it, as "wrong_answers#name"."""
        return "wrong_answers#" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def judged(self, of: str) -> Any:
        """What weak checks make of it in this layer, found by running them: ``missed``, ``seen``, ``told``, ``tried``."""
        from .weak import judged

        if of not in self.known:
            self.known[of] = judged(self, of)
        return self.known[of]

    def passes(self, of: str) -> list[str]:
        """Names of the weak checks that do not see it in this layer."""
        return self.judged(of).missed


@dataclass(frozen=True)
class Form:
    """One way to write one mistake."""

    mistake: Mistake
    step: str
    function: object


def mistake(name, layers, gradients, step, section, convention=""):
    """Decorator: the function is a step with this mistake. Under one name stand all ways to make it."""
    layers, gradients = tuple(layers.split()), tuple(gradients.split())

    def register(function):
        entry = _CATALOGUE.setdefault(name, Mistake(name, layers, gradients, section, convention))
        entry.layers = tuple(dict.fromkeys(entry.layers + layers))
        entry.gradients = tuple(dict.fromkeys(entry.gradients + gradients))
        entry.forms.append((step, function, layers, gradients))
        return function

    return register


def catalogue(of: str | None = None) -> dict[str, Mistake]:
    """{name: Mistake}, of one layer ("conv2d", "max_pool2d", ...) or of all.

    >>> practice.catalogue("conv2d")["kernel not rotated"].gradients
    ('dx',)
    """
    from . import activations, convolution, general, layouts, loops, losses, pooling, sgd, weights, windows  # noqa: F401  They fill it.  # noqa: F401

    return {name: entry for name, entry in _CATALOGUE.items() if of is None or of in entry.layers}


def forms(of, gradient):
    """All ways to spoil one gradient of a layer."""
    return [
        Form(entry, step, function)
        for entry in catalogue(of).values()
        for step, function, layers, gradients in entry.forms
        if of in layers and gradient in gradients and step not in UNSEEN
    ]


def steps(right, made=()):
    """The steps ``right`` with the forms ``made`` in their place; None where two of them exclude one another."""
    chosen = dict(right)
    replaced = [form.step for form in made if form.step not in FILTERS]
    if len(set(replaced)) < len(replaced):
        return None
    for form in made:
        before = chosen.get(form.step)
        if form.step in FILTERS and before is not None:
            chosen[form.step] = lambda a, c, first=before, then=form.function: then(first(a, c), c)
        else:
            chosen[form.step] = form.function
    return SimpleNamespace(**chosen, replaced=set(replaced))


def same(a, c):
    """A filter that changes nothing."""
    return a


def simulate(case, gradient, made=()):
    """The gradient with the forms ``made``, in the user's axes; None where it cannot be computed."""
    right, gradients = backward(case.of)
    step = steps(right, made)
    if step is None:
        return None
    try:
        with np.errstate(all="ignore"):
            found = gradients[gradient](case, step)
            return None if found is None else case.to_user(gradient, step.after(found, case))
    except (ValueError, IndexError):
        return None


@cache
def backward(of):
    """The right steps of a layer, and {gradient: the function that takes them}."""
    from . import activations, convolution, losses, pooling, sgd

    for module in (convolution, pooling, activations, losses, sgd):
        if of in module.RIGHT:
            return module.RIGHT[of], module.GRADIENTS[of]
    raise KeyError(of)
