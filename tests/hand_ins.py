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


# {name: program}. What each loses, and why, stands in assignment/graded.csv.
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


def write(folder, names=ALL):
    """These hand-ins as files of a folder."""
    for name in names:
        Path(folder, f"{name}.py").write_text(ALL[name], encoding="utf-8")
