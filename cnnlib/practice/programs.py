"""Functions and classes that readers write: judged by ``diagnose``, or beside the right ones on inputs that tell them apart."""

import contextlib
import copy
import dis
import inspect
import io
import warnings

import numpy as np

from .compare import Junk, fault, numbers, said
from .diagnosis import diagnose


def unwritten(program):
    """Whether a function, or forward and backward of a class, is still the skeleton, with ``...`` for a body."""
    if isinstance(program, type):
        methods = [
            f for n, f in vars(program).items() if n in ("forward", "backward") and inspect.isfunction(f)
        ]
        return bool(methods) and all(map(_returns_none_only, methods))
    return inspect.isfunction(program) and _returns_none_only(program)


def _returns_none_only(function):
    """Whether a function does nothing at all, as one with ``...`` for a body."""
    steps = [step for step in dis.get_instructions(function) if step.opname not in ("RESUME", "NOP")]
    done = "".join(step.opname.partition("_")[0] for step in steps)
    return done in ("LOADRETURN", "RETURN") and steps[0].argval is None


def read(program, kind):
    """The program; Junk, with a sentence, where it is no function or no class."""
    wanted = "a class" if kind == "class" else "a function"
    if isinstance(program, type) != (kind == "class") or not callable(program):
        if kind == "class" and not isinstance(program, type) and hasattr(type(program), "forward"):
            raise Junk("that is an object: give the class itself, without brackets")
        if kind == "function" and isinstance(program, np.ndarray | np.generic | int | float | tuple):
            raise Junk(f"{said(program)} is no function: give the function itself, without calling it")
        raise Junk(f"{said(program)} is not {wanted}")
    return program


def fault_of(entry, program):
    """A text on what is wrong with a program; empty where nothing is. Junk where it cannot be judged."""
    if entry.of:
        try:
            report = diagnose(program, entry.of, "CHWN")
        except ValueError as error:
            raise Junk(str(error)) from None
        text = str(report)
        if not report.ok:
            return text.partition(": not right, ")[2] or text
        left_out = [
            note for note in report.notes if "judged" in note
        ]  # what was not asked of it, is asked here
        return f"right as far as it goes, but {'; '.join(left_out)}" if left_out else ""
    mine = [_tried(entry, program, arguments) for arguments in entry.tries()]
    right = [_tried(entry, entry.right, arguments) for arguments in entry.tries()]
    if all(map(_alike, mine, right, [entry.tolerance or 1e-9] * len(right))):
        return ""
    for hint, wrong in entry.wrong.items():
        if all(map(_alike, mine, [_tried(entry, wrong, t) for t in entry.tries()], [1e-9] * len(mine))):
            return hint
    for place, (got, wanted) in enumerate(zip(mine, right), 1):
        if isinstance(got, str):
            raise Junk(f"on input {place} {got}")
        if len(got) != len(wanted):
            raise Junk(f"on input {place} it returns {len(got)} arrays, want {len(wanted)}")
        for name, one, other in zip(entry.labels or range(1, len(wanted) + 1), got, wanted):
            off = (entry.tolerance or 1e-9) * max(1, float(np.abs(other).max(initial=0)))
            if wrong := fault(one, other, off, entry.sizes):
                part = f", {name}" if len(wanted) > 1 else ""
                return f"on input {place} of {len(right)}{part}: {wrong}"
    return ""


def _tried(entry, program, arguments):
    """The arrays that a program gives for these arguments, of which it gets copies; or a sentence on why it gives none."""
    use = entry.use or (lambda program, *arguments: program(*arguments))
    quiet = contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), np.errstate(all="ignore")
    with quiet[0], quiet[1], quiet[2]:
        warnings.simplefilter("ignore")
        try:
            found = use(program, *copy.deepcopy(arguments))
        except (Exception, SystemExit) as error:
            words = str(error).splitlines()[0][:120] if str(error) else ""
            return f"it raises {type(error).__name__}{': ' + words if words else ''}"
    if found is None:
        return "it returns None: is the return missing?"
    try:
        return [numbers(one) for one in (found if isinstance(found, tuple) else (found,))]
    except Junk as junk:
        return f"it does not return numbers: {junk}"


def _alike(mine, right, off):
    """Whether two outcomes are the same arrays to rounding."""
    if isinstance(mine, str) or isinstance(right, str) or len(mine) != len(right):
        return False
    return not any(
        fault(one, two, off * max(1, float(np.abs(two).max(initial=0)))) for one, two in zip(mine, right)
    )
