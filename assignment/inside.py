"""The process of a hand-in: it calls the functions of a file on what arrives, and answers with what they return.

Started by process.py as `inside.py FILE UNSET SECONDS`. A question is a line of JSON on standard input, its answer a line on standard output. The
right numbers are not here, and nothing that comes from here is more than numbers: who forges answers can only be right.
"""

import contextlib
import json
import os
import runpy
import sys
import types
import warnings

import numpy as np

LARGEST, WIDE = 10**5, 200  # numbers in an array, where the inputs have hundreds; letters of a message
DTYPES = {np.dtype(code).str for code in "?bhilqBHILQefdgFDG"}
LIMITS = {"RLIMIT_AS": 4 << 30, "RLIMIT_FSIZE": 100 << 20}  # bytes, where the system can say so


def packed(value):
    """What JSON can hold of an argument or of a result."""
    if isinstance(value, dict):
        return {"dict": {str(key): packed(item) for key, item in value.items()}}
    several = isinstance(value, list) and any(hasattr(item, "shape") or item is None for item in value)
    if isinstance(value, tuple) or several:
        return {"tuple": [packed(item) for item in value]}
    if value is None or isinstance(value, int | str):
        return value
    array = np.array(value.detach().cpu() if hasattr(value, "detach") else value)
    if array.size > LARGEST:
        raise ValueError(f"an array of shape {array.shape} came back, want a few numbers")
    if array.dtype.str not in DTYPES:
        return {"other": [type(value).__name__, str(value)[:WIDE]]}
    return {"dtype": array.dtype.str, "shape": array.shape, "bytes": array.tobytes().hex()}


def unpacked(value):
    """The way back. An exception, whichever, where this is nothing that `packed` gives."""
    if not isinstance(value, dict):
        return value if value is None or isinstance(value, int) else str(value)
    if "dict" in value:
        return {str(key): unpacked(item) for key, item in value["dict"].items()}
    if "tuple" in value:
        return tuple(map(unpacked, value["tuple"]))
    if "other" in value:
        name, text = map(str, value["other"])
        return type(name, (), {"__str__": lambda self: text})()
    shape = [int(n) for n in value["shape"]]
    if value["dtype"] not in DTYPES or not all(0 <= n <= LARGEST for n in shape):
        raise ValueError(f"{value['dtype']} {shape} is no array")
    return np.frombuffer(bytes.fromhex(value["bytes"]), value["dtype"]).reshape(shape).copy()


def called(function, start, given, beginning):
    """The answer to a call: what it returned, and which arguments it has changed."""
    arguments = [unpacked(value) for value in given]
    with warnings.catch_warnings(), np.errstate(all="ignore"), beginning(start):
        warnings.simplefilter("ignore")
        returned = packed(function(*arguments))
    changed = [
        json.dumps(packed(now)) != json.dumps(then) for now, then in zip(arguments, given, strict=True)
    ]
    return {"returned": returned, "changed": changed}


def raised(error):
    """The answer where an exception came: its classes and its message."""
    return {"raised": [kind.__name__ for kind in type(error).__mro__], "said": str(error)[:WIDE]}


def limit(seconds):
    """Take no more memory, no longer files and no more time of the processor than a hand-in may."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, most in (LIMITS | {"RLIMIT_CPU": seconds}).items():
        with contextlib.suppress(ValueError, OSError):  # macOS knows no RLIMIT_AS
            resource.setrlimit(getattr(resource, name), (most, most))


def main(path, unset, seconds):
    """Answer until no more questions come."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):  # what the hand-in prints goes nowhere
        os.dup2(nothing, number)
    beginning = runpy.run_path(unset)["beginning"]
    limit(int(seconds))
    sys.argv[1:] = []
    module = types.ModuleType("hand_in")
    module.__file__, sys.modules["hand_in"] = path, module  # where dataclasses look for it

    def answer(load=None, function=None, start=None, given=()):
        if not load:
            return called(getattr(module, function), start, given, beginning)
        with open(path, "rb") as file:
            exec(compile(file.read(), path, "exec"), vars(module))
        return {"functions": [name for name, value in vars(module).items() if callable(value)]}

    def send(what):
        answers.write(json.dumps(what).encode() + b"\n")
        answers.flush()

    send({"ready": True})
    for question in questions:
        try:
            said = answer(**json.loads(question))
        except BaseException as error:  # what a hand-in raises is an answer, too
            said = raised(error)
        send(said)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
