"""What the grader does with each function of a hand-in: judge it on inputs that nobody has handed out. The function runs elsewhere."""

from functools import cache

import numpy as np

from process import WIDE, Ended, HandIn

from cnnlib import formulas, practice
from cnnlib.practice.cases import cases
from cnnlib.practice.subject import axes_of

OF = {
    "conv2d_backward": "conv2d",
    "max_pool2d_backward": "max_pool2d",
    "relu_backward": "relu",
    "dense_backward": "dense",
    "softmax_cross_entropy_backward": "softmax_cross_entropy",
}
LAYOUT, MANY = "NCHW", 3  # exceptions that are told
LOAD, MISSING = "the file", "the file has no function "


def graded(program, functions, seconds, hidden):
    """({function: what `judged` says, or {"error"}}, what a person should look at) of the bytes of a program."""
    left, notes, flags = [*functions], {}, []
    while left:
        hand_in, begun = HandIn(program, seconds, hidden), LOAD
        try:
            names = hand_in.load()
            while left:
                begun = left[0]
                notes[begun] = (
                    judged(hand_in.function(begun), begun) if begun in names else {"error": MISSING + begun}
                )
                left.remove(begun)
        except Exception as error:
            flags += [f"{LOAD} cannot be run: {type(error).__name__}"]
            return notes | dict.fromkeys(left, {"error": f"{LOAD} cannot be run: {told(error)}"}), flags
        except Ended as ended:
            lost = left if begun == LOAD else [begun]
            notes |= {function: {"error": str(ended)} for function in lost}
            flags += [f"{begun}: {ended}"]
            left = [function for function in left if function not in lost]
        finally:
            hand_in.end()
    return notes, flags


def judged(function, name):
    """{"shares": {gradient: 0, 0.5 or 1}, "text", "mistakes"}, or {"error"}."""
    try:
        return forward(function) if name == "conv2d_forward" else backward(function, OF[name])
    except Exception as error:
        return {"error": told(error)}


def told(error):
    """An exception in a line."""
    return f"{type(error).__name__}: {error}"[:WIDE]


def backward(function, of):
    """A backward pass, by `practice.diagnose`."""
    report = practice.diagnose(function, of, LAYOUT)
    total, ran = len(report.outcomes), len(report.outcomes) - len(report.failed)
    wrong = {}
    for finding in report.findings:
        if not finding.raised:
            wrong[finding.gradient] = len(finding.wrong)
    kept = bool(report.grown or report.begun or report.changed)
    shares = {
        gradient: share((ran - wrong.get(gradient, 0)) / total, kept) if error is not None else 0
        for gradient, error in report.errors.items()
    }
    if all(isinstance(outcome.error, NotImplementedError) for outcome in report.outcomes):
        return {"error": "not written yet"}
    return {"shares": shares, "text": str(report), "mistakes": [mistake.name for mistake in report.mistakes]}


def share(right, kept):
    """Which part of the points: right is the part of the inputs; kept, whether a call leaves something behind."""
    return min(1 if right == 1 else 0.5 if right >= 0.5 else 0, 0.5 if kept else 1)


# Forward passes that are often written, as formulas.correlate2d with other arguments.
FORWARD = {
    "kernel rotated": lambda x, W, b, s, p: (x, W[:, :, ::-1, ::-1], b, s, p),
    "bias left out": lambda x, W, b, s, p: (x, W, 0 * b, s, p),
    "bias added for each input channel": lambda x, W, b, s, p: (x, W, b * x.shape[0], s, p),
    "averaged over the input channels": lambda x, W, b, s, p: (x, W / x.shape[0], b, s, p),
}


@cache
def tried():
    """[(input, its z, {mistake: the z that it gives})]: computed once, for the loops of `formulas` take their time."""
    found = []
    for case in cases("conv2d", axes_of("conv2d", LAYOUT)):
        given = case.arguments()
        arguments = np.moveaxis(given["x"], 0, -1), given["W"], given["b"], case.stride, case.padding
        others = {name: formulas.correlate2d(*other(*arguments)) for name, other in FORWARD.items()}
        found.append((case, formulas.correlate2d(*arguments), others))
    return found


def forward(function):
    """The forward pass of a convolution, beside the loops of `formulas`."""
    errors, right, changed, shown = [], 0, False, ""
    named = dict.fromkeys(FORWARD, True)
    for case, wanted, others in tried():
        given = case.arguments()
        x, W, b = (given[name] for name in ("x", "W", "b"))
        kept = [x.copy(), W.copy(), b.copy()]  # the hand-in may change what it is given
        try:
            with np.errstate(all="ignore"):
                z = np.array(function(x, W, b, given["stride"], given["padding"]), float)
        except Exception as error:
            errors.append(error)
            continue
        changed |= not all(map(np.array_equal, kept, (x, W, b)))
        same = close(z, wanted)
        right += same
        for name, other in others.items():
            named[name] &= close(z, other)
        if not same and not shown:
            shown = f"\nThe smallest input that shows it: x {x.shape}, W {W.shape}, stride {given['stride']}, padding {given['padding']}"
            shown += f"\n  z has the shape {z.shape}" if z.size != wanted.size else ""
    if (
        errors
        and all(isinstance(error, NotImplementedError) for error in errors)
        and len(errors) == len(tried())
    ):
        return {"error": "not written yet"}
    names = [name for name, fits in named.items() if fits and right < len(tried()) and not errors]
    text = f"conv2d_forward: right on {right} of {len(tried())} inputs."
    text += "".join(f"\nIt is consistent with: {name}." for name in names) + shown
    text += (
        "".join(f"\n  {type(e).__name__}: {e}"[:200] for e in errors[:MANY])
        + "\nThe input is changed in place." * changed
    )
    return {"shares": {"z": share(right / len(tried()), changed)}, "text": text, "mistakes": names}


def close(z, wanted):
    """Whether z (N, O, OH, OW) is this array of (O, OH, OW, N)."""
    wanted = np.moveaxis(wanted, -1, 0)
    return z.shape == wanted.shape and np.allclose(z, wanted, rtol=1e-6, atol=1e-9)
