"""diagnose: try a backward pass, compare it number by number, and say which mistake it is."""

from dataclasses import replace
from typing import Any

import numpy as np

from .adapters import adapter
from .cases import ARGUMENTS, RETURNS, cases
from .classes import OneByOne, completed
from .mistakes import catalogue
from .naming import Finding, close, loud, name, nearest, precision
from .report import LIMITS, Report
from .seen import describe
from .subject import LAYOUTS, axes_of, run
from .weak import apart

OPTIMISER = "momentum", "weight_decay"
SINGLE = 2e-6  # what single precision leaves, beside the largest number


def diagnose(
    subject: Any,
    of: str,
    layout: str = "NCHW",
    *,
    axes: dict | None = None,
    call: Any = None,
    only: dict | None = None,
    pairs: bool = False,
) -> Report:
    """Judge a backward pass, and name its mistakes.

    subject: a function with the arguments and returns below, or a class with forward and backward, or a
    torch.autograd.Function. It gets copies; what it does to them, prints, or raises does not matter.

    =======================  =============================================================  ==============
    of                       arguments, in this order                                       returns
    =======================  =============================================================  ==============
    conv2d, conv1d           x, W, b, delta, stride, padding                                dx, dW, db
    dense                    x, W, b, delta                                                 dx, dW, db
    max_pool2d, avg_pool2d   x, kernel, delta, stride, padding                              dx
    relu, sigmoid, tanh      x, delta                                                       dx
    softmax_cross_entropy    scores, labels (whole numbers)                                 dscores of the mean
    squared_error            outputs, targets (1/2 ||outputs - targets||^2)                 doutputs of the mean
    sgd                      W, b, dW, db, lr, momentum, weight_decay, state (a dict)       W, b
    =======================  =============================================================  ==============

    delta is dJ/dy. layout: "NCHW" (W is OIHW), "NHWC" (HWIO) or "CHWN" (OIHW); in a dense layer x is NI and W
    IO, with "CHWN" IN and OI. ``axes={"x": "NHWC", "W": "OIHW", "b": "O1"}`` says any other order; without N, as
    in ``{"x": "CHW"}``, the program gets one example at a time. ``call(subject, *arguments)`` adapts any signature;
    "cs231n" and "deeplearning.ai" are ready. ``only={"stride": 1, "padding": 0}`` tries these values only;
    ``pairs=True`` tries strides and paddings in pairs too.

    Returns a Report: ``ok``, ``mistakes``, ``errors``, ``findings``, ``notes``, and ``str`` of it. ValueError, in
    one sentence, where an argument is none of these, or where the subject returns no gradients.

    >>> report = practice.diagnose(lambda x, delta: -delta * (x > 0), of="relu")
    >>> report.ok, [mistake.name for mistake in report.mistakes]
    (False, ['wrong sign'])
    """
    if of not in ARGUMENTS:
        axes_of(of, layout)  # which says so
    called = adapter(subject, call, of)
    if not isinstance(axes, dict | None):
        raise ValueError(f'axes is {axes!r}, want a dict like {{"x": "NHWC", "W": "HWIO"}}')
    whole, single = completed(of, axes)
    theirs = axes_of(of, layout, getattr(called, "axes", {}).get(of, {}) | whole)
    called = OneByOne(called, theirs, single) if single else called
    tried = chosen(cases(of, theirs, pairs), {**getattr(called, "fixed", {}).get(of, {}), **wanted(only)})
    outcomes = [run(subject, case, called) for case in tried]
    if (
        any(o.error and o.case.special not in LIMITS for o in outcomes)
        and not axes
        and not getattr(called, "axes", {})
    ):
        if other := elsewhere(subject, of, called, layout):
            return Report(of, outcomes, [], {}, [other])
    if all(outcome.error for outcome in outcomes):
        return Report(of, outcomes, [], {}, [])
    outcomes, start = begun(subject, outcomes, called)
    outcomes, kept = twice(subject, outcomes, called, start)
    kept += ["begun"] if start is not None else []
    findings, errors = [], {}
    for gradient in RETURNS[of].split():
        finding, errors[gradient] = judge(gradient, outcomes)
        findings += [f for f in (finding, by_exception(gradient, outcomes, finding)) if f]
        if not finding and (errors[gradient] or 0) > 1e-9:
            kept.append(
                f"{gradient} agrees to about six digits: single precision or an epsilon is in it somewhere"
            )
    if any(getattr(called, "fixed", {}).get(of, {})):
        kept = kept + [f"judged with {said(called.fixed[of])} only: it takes no other"]
    return Report(of, outcomes, findings, errors, kept)


def said(fixed):
    """A dict in words."""
    return " and ".join(f"{name} {value}" for name, value in fixed.items())


def wanted(only):
    """What ``only`` asks for; ValueError where it is no such dict."""
    if only is not None and (
        not isinstance(only, dict) or not set(only) <= {"stride", "padding", "kernel", "N", *OPTIMISER}
    ):
        raise ValueError(f'only is {only!r}, want a dict like {{"stride": 1, "padding": 0}}')
    return only or {}


def chosen(tried, only):
    """The cases with these values; the stride may be "kernel"."""
    found = []
    for case in tried:
        asked = {k: case.kernel if v == "kernel" else v for k, v in only.items()}
        mine = {k: getattr(case, k, None) for k in only}
        if all(v in (asked[k], (asked[k],) * 2, (int(k != "padding"), asked[k])) for k, v in mine.items()):
            found.append(case)
    if not found:
        raise ValueError(f"only is {only!r}, want values that some input has")
    return found


def begun(subject, outcomes, call):
    """Where it matters what np.empty and np.random give, the outcomes with zeros in their place, and 0."""
    first = next(outcome for outcome in outcomes if not outcome.error)
    zeros, again, ones = (run(subject, first.case, call, start) for start in (0, 0, 1))
    if zeros.error or again.error or ones.error or same(zeros, ones) or not same(zeros, again):
        return outcomes, None
    return [run(subject, outcome.case, call, 0) for outcome in outcomes], 0


def twice(subject, outcomes, call, start):
    """Where a second call on the same input gives another answer, judge what the second adds: outcomes, and notes."""
    first = next(outcome for outcome in outcomes if not outcome.error)
    again = run(subject, first.case, call, start)
    if again.error or same(first, again):
        return outcomes, []
    grown, steady, judged = set(), [], []
    for outcome in outcomes:
        one, two, three = calls = [run(subject, outcome.case, call, start) for _ in range(3)]
        if failed := next((o.error for o in calls if o.error), None):
            judged.append(replace(one, error=failed))
            continue
        found = dict(two.found)
        for k, a in one.found.items():
            b, c = two.found[k], three.found[k]
            if not any(v is None or v.shape != a.shape for v in (a, b, c)) and not equal(a, b):
                grown.add(k)
                found[k] = b - a
                steady.append(close(c - b, b - a, 1e-9))  # each call adds the same
        judged.append(replace(two, found=found))
    if steady and all(steady):
        return judged, [("accumulated", sorted(grown))]
    return outcomes, ["two calls with the same input give two answers"]


def same(one, other):
    """Whether two calls gave the same."""
    return all(equal(a, other.found[k]) for k, a in one.found.items())


def equal(a, b):
    """None and None, or two arrays of one shape and the same numbers."""
    return a is b or a is not None and b is not None and a.shape == b.shape and np.array_equal(a, b, True)


def judge(gradient, outcomes):
    """(a Finding, or None where all is right; the largest relative error)."""
    evidence = [
        (o.case, o.found[gradient]) for o in outcomes if not o.error and o.found[gradient] is not None
    ]
    if not evidence:
        return None, None
    failed = [o.case for o in outcomes if o.error and o.case.special not in LIMITS]
    tolerance = precision([mine for _, mine in evidence])
    right = [close(mine, case.right(gradient), tolerance) for case, mine in evidence]
    error = max(relative(mine, case.right(gradient)) for case, mine in evidence)
    if error < SINGLE and tolerance < SINGLE:
        return None, error
    if all(right) or error < SINGLE:
        finding = Finding(gradient, [case for case, _ in evidence], [])
        finding.alternatives = [(catalogue()["computed in single precision"],)]
        return finding, error
    wrong = [case for (case, _), ok in zip(evidence, right) if not ok]
    finding = Finding(gradient, wrong, [case for (case, _), ok in zip(evidence, right) if ok])
    if failed and all(case.special in LIMITS for case, _ in evidence):
        pass  # too little has run to say which mistake it is
    elif cut_off(gradient, evidence):
        finding.alternatives = [(catalogue()["integers: fractions are cut off"],)]
    else:
        finding.alternatives, finding.factor = name(gradient, evidence, tolerance, failed)
        if (
            not finding.alternatives and tolerance < SINGLE
        ):  # some numbers may have gone through single precision
            finding.alternatives, finding.factor = name(gradient, evidence, SINGLE, failed, pairs=False)
    if not finding.alternatives:
        finding.seen = describe(gradient, evidence, tolerance)
        off = [pair for pair, ok in zip(evidence, right) if not ok]
        if near := nearest(gradient, off, tolerance):
            finding.seen.append(
                f"on {near[1]} of these {len(off)} inputs the numbers are those of: {near[0].name}"
            )
    case = wrong[0]
    mine = next(m for c, m in evidence if c is case)
    finding.first = mine
    finding.only = apart(finding.right, finding.wrong)
    return finding, error


def by_exception(gradient, outcomes, finding):
    """A Finding where a known mistake is the reason of the exceptions, else None. finding: what is wrong where it runs."""
    if finding and len(finding.alternatives) != 1:
        return None
    failed = [(o.case, o.error) for o in outcomes if o.error and o.case.special not in LIMITS]
    done = [(o.case, o.found[gradient]) for o in outcomes if not o.error]
    if not failed or not done or any(mine is None for _, mine in done):
        return None
    found = loud(gradient, done, failed, finding.alternatives[0] if finding else ())
    if not found:
        return None
    finding = Finding(gradient, [case for case, _ in failed], [case for case, _ in done], found)
    finding.raised = True
    return finding


def cut_off(gradient, evidence):
    """Whether the numbers are integers, right where the right ones are integers too, and off by little elsewhere."""
    whole = [(c, mine) for c, mine in evidence if c.special in ("whole numbers", "ties")]
    return (
        all(mine.dtype.kind in "iu" for _, mine in evidence)
        and bool(whole)
        and all(close(mine, c.right(gradient), 1e-9) for c, mine in whole)
        and all(mine.shape == c.right(gradient).shape for c, mine in evidence)
    )


def relative(mine, right):
    """The largest error beside the largest number; infinite where the shapes differ."""
    if mine.shape != right.shape or mine.dtype.kind not in "fiub":
        return float("inf")
    with np.errstate(all="ignore"):
        error = float(np.abs(mine - right).max(initial=0) / max(float(np.abs(right).max(initial=0)), 1e-12))
    return error if np.isfinite(error) else float("inf")


def elsewhere(subject, of, call, layout):
    """In which other order of axes the subject is right, as a sentence; empty where in none."""
    here, said = axes_of(of, layout), {}
    for other in LAYOUTS:
        said[f'layout="{other}"'] = axes_of(of, other)
    if of == "dense":
        said |= {
            f'axes={{"W": "{letters}"}}': axes_of(of, layout, {"W": letters}) for letters in ("OI", "IO")
        }
    for words, axes in said.items():
        if axes != here:
            outcomes = [run(subject, case, call) for case in cases(of, axes)]
            done = [o for o in outcomes if not o.error]
            if len(done) > len(outcomes) / 2 and all(judge(g, done)[0] is None for g in RETURNS[of].split()):
                return f"with {words} it is right on all {len(done)} inputs that it takes"
    return ""
