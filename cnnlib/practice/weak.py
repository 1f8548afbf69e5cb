"""Weak checks: inputs and comparisons on which a wrong gradient looks right. Found by running them."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from .cases import POOLS, RETURNS, WINDOWS, cases, sliding
from .mistakes import UNSEEN, Form, simulate
from .naming import close
from .subject import axes_of

INPUTS = {
    "stride 1": lambda c: c.stride == (1, 1),
    "no padding": lambda c: c.padding == (0, 0),
    "same padding": lambda c: c.stride == (1, 1) and all(k == 2 * p + 1 for k, p in zip(c.kernel, c.padding)),
    "padding": lambda c: max(c.padding) > 0,
    "one example": lambda c: c.N == 1,
    "one channel": lambda c: c.x.shape[0] == 1 and c.delta.shape[0] == 1,
    "as many channels in as out": lambda c: c.x.shape[0] == c.delta.shape[0],
    "sizes that the stride divides": lambda c: not any(c.left),
    "windows that do not overlap": lambda c: all(s >= k for s, k in zip(c.stride, c.kernel)),
    "stride = kernel": lambda c: c.stride == c.kernel,
    "square kernels": lambda c: c.kernel[0] == c.kernel[1],
    "square images": lambda c: c.x.ndim == 4 and c.x.shape[1] == c.x.shape[2],
    "no ties": lambda c: c.special != "ties",
    "no zeros in x": lambda c: c.special != "zeros in x",
    "small scores": lambda c: c.special != "scores of almost a thousand",
    "no weight decay": lambda c: c.weight_decay == 0,
    "no momentum": lambda c: c.momentum == 0,
    "one step": lambda c: len(c.rates) == 1,
    "a constant learning rate": lambda c: len(set(c.rates)) == 1,
}


@cache
def inputs(of):
    """Inputs on which every one of these properties comes with and without each other."""
    axes = axes_of(of, "NCHW")
    if of == "dense":
        return [
            sliding(of, axes, C, D, (1, 1), N, (1, 1), 1, 0)
            for C, D in ((1, 1), (3, 3), (3, 2))
            for N in (1, 3)
        ]
    if of not in WINDOWS + POOLS:
        return cases(of, axes)
    one = of == "conv1d"
    kernels = ((1, 2), (1, 3)) if one else ((2, 2), (3, 3), (3, 2))
    channels = ((1, 1), (2, 2), (2, 3)) if of in WINDOWS else ((1, 1), (2, 2))
    specials = ("", "ties") if of == "max_pool2d" else ("",)
    return [
        sliding(of, axes, C, D, (1 if one else 7, 6), N, kernel, stride, padding, special)
        for N in (1, 3)
        for kernel in kernels
        for C, D in channels
        for stride in (1, 2, 3)
        for padding in (0, 1)
        for special in specials
    ]


@dataclass(frozen=True)
class Judged:
    """What weak checks make of a mistake. missed, seen: names of the checks that never see it, and of the comparisons that
    do on some input. told, tried: on how many of how many inputs a comparison number by number sees it."""

    missed: list
    seen: list
    told: int
    tried: int


def judged(mistake, of):
    """The Judged of the first form of this mistake, found by running it; nothing where there is no one wrong answer."""
    if mistake.forms[0][0] in UNSEEN:
        return Judged([], [], 0, 0)
    step, function, _, spoilt = next(form for form in mistake.forms if of in form[2])
    form, tried = Form(mistake, step, function), inputs(of)
    gradients = [g for g in RETURNS[of].split() if g in spoilt]
    wrong = [[simulate(case, g, (form,)) for g in gradients] for case in tried]
    told = [
        not all(close(mine, case.right(g), 1e-9) for mine, g in zip(found, gradients))
        for case, found in zip(tried, wrong)
    ]
    missed = []
    for name, holds in INPUTS.items():
        try:
            chosen = [seen for case, seen in zip(tried, told) if holds(case)]
        except (AttributeError, ValueError):  # such inputs have no stride, no ties, ...
            continue
        if chosen and len(chosen) < len(tried) and not any(chosen):
            missed.append(name)
    pairs = [(case.right(g), mine) for case, found in zip(tried, wrong) for mine, g in zip(found, gradients)]
    comparisons = compared(pairs, gradients, form, of)
    missed += [name for name, passes in comparisons.items() if passes]
    return Judged(missed, [name for name, passes in comparisons.items() if not passes], sum(told), len(tried))


def compared(pairs, gradients, form, of):
    """{comparison: whether it misses the mistake on every input}: means, symmetric kernels, a falling loss."""
    found = {}
    shaped = all(wrong is not None and wrong.shape == right.shape for right, wrong in pairs)
    if shaped:
        found["a comparison of means"] = all(same_mean(right, wrong) for right, wrong in pairs)
    if of in ("conv2d", "conv1d"):
        found["symmetric kernels"] = not any(
            differs(case, g, form) for case in symmetric(of) for g in gradients
        )
    if shaped and of != "sgd":
        found["a falling loss"] = all(
            np.vdot(right, wrong) > 0 for right, wrong in pairs if np.isfinite(wrong).all()
        )
    return found


@cache
def symmetric(of):
    """The inputs with kernels that a rotation by 180 degrees does not change."""
    return [case.with_values(W=case.W + case.W[:, :, ::-1, ::-1]) for case in inputs(of)]


def same_mean(right, wrong):
    """Whether two gradients have one mean to rounding."""
    return abs(right.mean() - wrong.mean()) <= 1e-9 * max(np.abs(right).max(), 1e-6)


def differs(case, gradient, form):
    """Whether the form is told from the right gradient, number by number."""
    return not close(simulate(case, gradient, (form,)), case.right(gradient), 1e-9)


def apart(right, wrong):
    """Names of the kinds of input that part the cases: all of ``right`` are of this kind and none of ``wrong`` is."""
    names = []
    for name, holds in INPUTS.items():
        try:
            if right and wrong and all(map(holds, right)) and not any(map(holds, wrong)):
                names.append(name)
        except (AttributeError, ValueError):  # such inputs have no stride, no ties, ...
            continue
    return names
