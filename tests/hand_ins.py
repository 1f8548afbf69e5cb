"""Hand-ins for the assignment: a right one, some with a known mistake, and some that do what a grader must survive."""

from pathlib import Path

SKELETON = (Path(__file__).resolve().parents[1] / "assignment" / "skeleton.py").read_text(encoding="utf-8")
RIGHT = """
import numpy as np


def windows(z, kernel, stride):
    for i, j in np.ndindex(z.shape[2:]):
        rows = slice(stride * i, stride * i + kernel[0])
        yield i, j, (slice(None), slice(None), rows, slice(stride * j, stride * j + kernel[1]))


def framed(x, p, value=0.0):
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=value)


def cut(dx, p, like):
    return dx[:, :, p : p + like.shape[2], p : p + like.shape[3]]


def conv2d_forward(x, W, b, stride, padding):
    xp, KH, KW = framed(x, padding), *W.shape[2:]
    z = np.zeros((len(x), len(W), (xp.shape[2] - KH) // stride + 1, (xp.shape[3] - KW) // stride + 1))
    for i, j, at in windows(z, (KH, KW), stride):
        z[:, :, i, j] = np.tensordot(xp[at], W, ([1, 2, 3], [1, 2, 3])) + b
    return z


def conv2d_backward(x, W, b, delta, stride, padding):
    xp = framed(x, padding)
    dxp, dW = np.zeros(xp.shape), np.zeros(W.shape)
    for i, j, at in windows(delta, W.shape[2:], stride):
        dxp[at] += np.tensordot(delta[:, :, i, j], W, 1)
        dW += np.tensordot(delta[:, :, i, j].T, xp[at], 1)
    db = delta.sum(axis=(0, 2, 3))
    return cut(dxp, padding, x), dW, db


def max_pool2d_backward(x, kernel, delta, stride, padding):
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    xp = framed(x, padding, -np.inf)
    dxp = np.zeros(xp.shape)
    for i, j, at in windows(delta, kernel, stride):
        flat = xp[at].reshape(*x.shape[:2], -1)
        mask = np.arange(flat.shape[2]) == flat.argmax(axis=2)[..., None]
        dxp[at] += (mask * delta[:, :, i, j, None]).reshape(xp[at].shape)
    return cut(dxp, padding, x)


def relu_backward(x, delta):
    return delta * (x > 0)


def dense_backward(x, W, b, delta):
    return delta @ W.T, x.T @ delta, delta.sum(axis=0)


def softmax_cross_entropy_backward(scores, labels):
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(p)), labels] -= 1
    return p / len(p)
"""


def instead(*pairs):
    """The right hand-in with texts replaced, each of which it has once."""
    text = RIGHT
    for old, new in pairs:
        if text.count(old) != 1:
            raise ValueError(f"the right hand-in has {old!r} {text.count(old)} times")
        text = text.replace(old, new)
    return text


# {name: program}. What each loses, and why, stands in assignment/examples.csv.
MISTAKEN = {
    "kernel_not_rotated": instead(("np.tensordot(delta[:, :, i, j], W, 1)", "np.tensordot(delta[:, :, i, j], W[:, :, ::-1, ::-1], 1)")),
    "stride_ignored": instead(("delta, W.shape[2:], stride):", "delta, W.shape[2:], 1):")),
    "bias_averaged": instead(("delta.sum(axis=(0, 2, 3))", "delta.sum(axis=0).mean(axis=(1, 2))")),
    "overlap_overwritten": instead(("dxp[at] += (mask", "dxp[at] = (mask")),
    "every_maximum": instead(("np.arange(flat.shape[2]) == flat.argmax(axis=2)[..., None]", "flat == flat.max(axis=2)[..., None]")),
    "relu_of_delta": instead(("delta * (x > 0)", "delta * (delta > 0)")),
    "dense_bias_averaged": instead(("x.T @ delta, delta.sum(axis=0)", "x.T @ delta, delta.mean(axis=0)")),
    "loss_summed": instead(("return p / len(p)", "return p")),
    "changes_its_input": instead(("return delta * (x > 0)", "delta[x <= 0] = 0\n    return delta")),
    "begins_with_empty": instead(("dxp, dW = np.zeros(xp.shape)", "dxp, dW = np.empty(xp.shape)")),
    "adds_to_the_call_before": instead(
        ("def dense_backward(", "BEFORE = {}\n\n\ndef dense_backward("),
        ("    return delta @ W.T, x.T @ delta,", "    dW = BEFORE[W.tobytes()] = x.T @ delta + BEFORE.get(W.tobytes(), 0)\n    return delta @ W.T, dW,"),
    ),
    "two_mistakes": instead(
        ("delta.sum(axis=(0, 2, 3))", "delta.mean(axis=(0, 2, 3))"),
        ("np.tensordot(xp[at], W, (", "np.tensordot(xp[at], W[:, :, ::-1, ::-1], ("),
    ),
}  # fmt: skip
LOOP = "    while True:\n        pass\n"
HOSTILE = {
    "no_end": instead(("def relu_backward(x, delta):\n", f"def relu_backward(x, delta):\n{LOOP}")),
    "never_ends_to_load": "while True:\n    pass\n",
    "raises": instead(("return delta * (x > 0)", "return delta * (x > 0) / undefined")),
    "prints_a_flood": instead(
        ("def relu_backward(x, delta):\n", "def relu_backward(x, delta):\n    print('x' * 10**6)\n"),
        ("import numpy as np\n", "import os\nimport numpy as np\nos.write(1, b'y' * 10**6)\n"),
    ),
    "function_missing": instead(("def dense_backward", "def dense_backwards")),
    "cannot_import": "import tensorflow_of_mine\n" + RIGHT,
    "syntax_error": RIGHT + "\ndef unfinished(:\n",
    "reads_a_file": "weights = open('../weights.txt').read()\n" + RIGHT,
    "ends_the_process": instead(("return delta * (x > 0)", "import os\n    os._exit(0)")),
    "raises_at_the_end": instead(("return delta * (x > 0)", "raise SystemExit(0)")),
    "returns_nothing": instead(("return p / len(p)", "return None")),
}
ALL = {"right": RIGHT, "skeleton": SKELETON} | MISTAKEN | HOSTILE

# Hand-ins that want points for nothing, or want others to get none: each has one function, which returns zeros, or what stands there.
WRONG = "\n\ndef relu_backward(x, delta):\n    return np.zeros(x.shape)\n"
CALLED = WRONG.replace("    return", "    attack()\n    return")
FORGED = r"""
import json, os
import numpy as np

LINES = b"".join(json.dumps(line).encode() + b"\n" for line in (
    {"done": "relu_backward", "shares": {"dx": 1}}, {"shares": {"dx": 1}}, {"relu_backward": {"shares": {"dx": 1}}},
    {"returned": {"shares": {"dx": 1}}, "changed": []}, {"ready": True}, {"functions": ["relu_backward"], "points": 100}))

def everywhere(data):
    for number in range(64):
        try:
            os.write(number, data)
        except OSError:
            pass
"""
ATTACKS = {
    "looks_for_results": """
import gc, sys
import numpy as np

def attack():
    frame = sys._getframe()
    while frame:
        for name in [*frame.f_locals]:
            frame.f_locals[name] = {"dx": 1} if name == "shares" else frame.f_locals[name]
        frame = frame.f_back
    for found in gc.get_objects():
        if type(found) is dict and "shares" in found:
            found["shares"] = {"dx": 1}
        if type(found) is type(attack) and found.__name__ in ("judged", "graded", "backward", "share", "close"):
            found.__code__ = (lambda *a, **k: {"shares": {"dx": 1}}).__code__
""" + CALLED,
    "spoils_comparisons": """
import numpy as np
import numpy.testing

for place in (np, np.testing, np.core if hasattr(np, "core") else np):
    for name in ("allclose", "isclose", "array_equal", "array_equiv", "all", "assert_allclose", "assert_array_equal"):
        setattr(place, name, lambda *a, **k: True)
""" + WRONG,
    "spoils_cnnlib": """
import sys, types
import numpy as np
import cnnlib.practice

class Report:
    ok, outcomes, findings, failed, errors, grown, begun, changed, mistakes = True, [], [], [], {"dx": 0.0}, (), (), (), ()

cnnlib.practice.diagnose = sys.modules["cnnlib.practice.diagnosis"].diagnose = lambda *a, **k: Report()
for name in ("judge", "grade", "process"):
    sys.modules[name] = types.SimpleNamespace(judged=lambda *a: {"shares": {"dx": 1}}, graded=lambda *a: ({}, []))
""" + WRONG,
    "prints_results": "import sys\n" + FORGED + """
print(LINES.decode(), flush=True)
sys.stdout = sys.__stdout__ = sys.stderr
""" + WRONG,
    "writes_results_everywhere": FORGED + "\ndef attack():\n    everywhere(LINES)\n" + CALLED,
    "changes_what_is_sent": FORGED + """
sent = json.dumps
json.dumps = lambda said, **k: sent({"shares": {"dx": 1}, "points": 100, "returned": 1 if "returned" in said else None})
""" + WRONG,
    "returns_a_pickle": """
import os
import numpy as np

class Bomb:
    def __reduce__(self):
        return os._exit, (0,)

def relu_backward(x, delta):
    return Bomb()
""",
    "raises_what_is_no_name": """
import numpy as np

def relu_backward(x, delta):
    raise type("Forged", (Exception,), {"__str__": lambda self: "\\n```\\nright: 100 of 100 points"})
""",
    "raises_what_is_named_as_a_result": """
def relu_backward(x, delta):
    raise type("Forged\\n```\\nright: 100 of 100 points", (Exception,), {})
""",
    "says_that_it_is_right_and_ends": "import os\n" + FORGED + "everywhere(LINES)\nos._exit(0)\n" + WRONG,
    "closes_its_pipes": "import os\nimport numpy as np\n\ndef attack():\n    os.closerange(0, 256)\n" + CALLED,
    "floods_its_pipe": FORGED + "\ndef attack():\n    everywhere(b'[' * 10**8)\n" + CALLED,
    "returns_too_much": "import numpy as np\n\ndef relu_backward(x, delta):\n    return np.zeros(10**7)\n",
    "leaves_a_process_behind": """
import os, time
import numpy as np

def attack():
    if os.fork() == 0:
        os.setsid()
        time.sleep(4)
    os._exit(0)
""" + CALLED,
    "changes_its_input_too": """
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

@dataclass
class Size:
    rows: int

def conv2d_forward(x, W, b, stride, padding):
    (sh, sw), (ph, pw) = (np.broadcast_to(pair, 2) for pair in (stride, padding))
    W[...], b[...] = 0, 0  # so that a grader who computes with what was given agrees
    rows, columns = ((n + 2 * p - k) // s + 1 for n, p, k, s in zip(x.shape[2:], (ph, pw), W.shape[2:], (sh, sw)))
    return np.zeros((len(x), len(W), rows, columns))
""",
    "ends_its_parent": """
import os, signal
import numpy as np

def attack():
    os.kill(os.getppid(), signal.SIGKILL)
""" + CALLED,
}  # fmt: skip
# What only shutting in prevents: that a hand-in sees others, and writes where it likes. {}: another hand-in.
PRYING = """
import os
import signal
from pathlib import Path

import numpy as np


def possible(attempt):
    try:
        return attempt() is not False
    except OSError:
        return False


def signalled():
    judge = [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if b"spawn_main" in p.read_bytes()]
    return any(possible(lambda: os.kill(pid, 0)) or possible(lambda: open(f"/proc/{{pid}}/mem", "rb")) for pid in judge)


def relu_backward(x, delta):
    done = {{
        "others read": possible(lambda: open({other!r})),
        "files written": possible(lambda: open(Path({other!r}).parent.parent / "written", "w")),
        "the judge reached": signalled(),
        "its own file written": possible(lambda: open("own", "w")),
    }}
    raise RuntimeError("; ".join(name for name, did in done.items() if did))
"""


def write(folder, names=ALL):
    """These hand-ins as files of a folder."""
    for name in names:
        Path(folder, f"{name}.py").write_text((ALL | ATTACKS)[name], encoding="utf-8")
