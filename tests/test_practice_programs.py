"""Backward passes as people write them, right and wrong, and what practice.diagnose must say of each."""

import numpy as np
import pytest

from cnnlib import practice

# name: (of, options, the mistakes it must name, none for a right one; words the report must have), source.
PROGRAMS = {}


def program(source):
    """Adds the program in a text that begins with its description: "of | options | mistakes | words"."""
    first, _, code = source.strip().partition("\n")
    of, options, mistakes, words = (part.strip() for part in first.split("|"))
    wanted = [name.strip() for name in mistakes.split(";") if name.strip()]
    name = f"{len(PROGRAMS)}-{of}-{(wanted or ['right'])[0][:30]}"
    PROGRAMS[name] = (
        of,
        eval(f"dict({options})"),
        wanted,
        [w.strip() for w in words.split(";") if w.strip()],
        code,
    )


def load(code):
    """The last function or class that a program defines."""
    space = {"np": np, "numpy": np, "__name__": "program"}
    exec(code, space)
    own = [v for v in space.values() if callable(v) and getattr(v, "__module__", None) == "program"]
    return own[-1]


# ---- loops, as students write them ----------------------------------------------------------------------

program("""conv2d | | |
def conv_backward(x, W, b, delta, stride, padding):
    N, C, H, Wd = x.shape
    F, _, HH, WW = W.shape
    _, _, OH, OW = delta.shape
    xp = np.pad(x, ((0,), (0,), (padding,), (padding,)), mode="constant")
    dxp = np.zeros_like(xp)
    dW = np.zeros_like(W)
    db = np.zeros_like(b)
    for n in range(N):
        for f in range(F):
            db[f] += delta[n, f].sum()
            for i in range(OH):
                for j in range(OW):
                    window = xp[n, :, i*stride:i*stride+HH, j*stride:j*stride+WW]
                    dW[f] += window * delta[n, f, i, j]
                    dxp[n, :, i*stride:i*stride+HH, j*stride:j*stride+WW] += W[f] * delta[n, f, i, j]
    return dxp[:, :, padding:padding+H, padding:padding+Wd], dW, db
""")

program("""conv2d | | padding cropped by p:-p, empty at p = 0 |
def conv_backward(x, W, b, dout, s, p):
    F, C, HH, WW = W.shape
    N, _, OH, OW = dout.shape
    xp = np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)])
    dxp = np.zeros(xp.shape); dw = np.zeros(W.shape)
    for n in range(N):
        for f in range(F):
            for i in range(OH):
                for j in range(OW):
                    r, c = i * s, j * s
                    dw[f] += dout[n, f, i, j] * xp[n, :, r:r+HH, c:c+WW]
                    dxp[n, :, r:r+HH, c:c+WW] += dout[n, f, i, j] * W[f]
    return dxp[:, :, p:-p, p:-p], dw, dout.sum((0, 2, 3))
""")

program("""conv2d | | overlap and channels overwritten instead of added |
def conv_backward(x, W, b, dout, s, p):
    F, C, HH, WW = W.shape
    N, _, OH, OW = dout.shape
    xp = np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)])
    dxp = np.zeros(xp.shape); dw = np.zeros(W.shape)
    for n in range(N):
        for f in range(F):
            for i in range(OH):
                for j in range(OW):
                    r, c = i * s, j * s
                    dw[f] += dout[n, f, i, j] * xp[n, :, r:r+HH, c:c+WW]
                    dxp[n, :, r:r+HH, c:c+WW] = dout[n, f, i, j] * W[f]
    return dxp[:, :, p:p+x.shape[2], p:p+x.shape[3]], dw, dout.sum((0, 2, 3))
""")

program("""conv2d | | stride ignored in dx; stride ignored in dW |
def conv_backward(x, W, b, dout, s, p):
    F, C, HH, WW = W.shape
    N, _, OH, OW = dout.shape
    xp = np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)])
    dxp = np.zeros(xp.shape); dw = np.zeros(W.shape)
    for i in range(OH):
        for j in range(OW):
            for f in range(F):
                for n in range(N):
                    dw[f] += dout[n, f, i, j] * xp[n, :, i:i+HH, j:j+WW]
                    dxp[n, :, i:i+HH, j:j+WW] += dout[n, f, i, j] * W[f]
    return dxp[:, :, p:p+x.shape[2], p:p+x.shape[3]], dw, dout.sum((0, 2, 3))
""")

program("""conv2d | | dW keeps the last window only |
def conv_backward(x, W, b, dout, s, p):
    F, C, HH, WW = W.shape
    N, _, OH, OW = dout.shape
    xp = np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)])
    dxp = np.zeros(xp.shape); dw = np.zeros(W.shape); db = np.zeros(F)
    for n in range(N):
        for f in range(F):
            for i in range(OH):
                for j in range(OW):
                    r, c = i * s, j * s
                    dw[f] = dout[n, f, i, j] * xp[n, :, r:r+HH, c:c+WW]
                    dxp[n, :, r:r+HH, c:c+WW] += dout[n, f, i, j] * W[f]
                    db[f] += dout[n, f, i, j]
    return dxp[:, :, p:p+x.shape[2], p:p+x.shape[3]], dw, db
""")

# cs231n's signature.
program("""conv2d | call="cs231n" | |
def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    assert (H + 2 * pad - HH) % stride == 0
    assert (W + 2 * pad - WW) % stride == 0
    Hout, Wout = dout.shape[2:]
    x_pad = np.pad(x, ((0,), (0,), (pad,), (pad,)), "constant")
    dx_pad = np.zeros_like(x_pad)
    dw = np.zeros_like(w)
    db = np.sum(dout, axis=(0, 2, 3))
    for i in range(Hout):
        for j in range(Wout):
            x_window = x_pad[:, :, i*stride:i*stride+HH, j*stride:j*stride+WW]
            for k in range(F):
                dw[k] += np.sum(x_window * (dout[:, k, i, j])[:, None, None, None], axis=0)
            for n in range(N):
                dx_pad[n, :, i*stride:i*stride+HH, j*stride:j*stride+WW] += np.sum(
                    w * (dout[n, :, i, j])[:, None, None, None], axis=0)
    return dx_pad[:, :, pad:pad+H, pad:pad+W], dw, db
""")

program("""conv2d | call="cs231n" | bias gradient not summed over positions |
def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    F, C, HH, WW = w.shape
    H, W = x.shape[2:]
    x_pad = np.pad(x, ((0,), (0,), (pad,), (pad,)), "constant")
    dx_pad = np.zeros_like(x_pad)
    dw = np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            x_window = x_pad[:, :, i*stride:i*stride+HH, j*stride:j*stride+WW]
            dw += np.tensordot(dout[:, :, i, j], x_window, (0, 0))
            dx_pad[:, :, i*stride:i*stride+HH, j*stride:j*stride+WW] += np.tensordot(dout[:, :, i, j], w, (1, 0))
    return dx_pad[:, :, pad:pad+H, pad:pad+W], dw, dout.sum(axis=0)
""")

IM2COL = """
def indices(shape, HH, WW, pad, stride):
    N, C, H, W = shape
    OH = (H + 2 * pad - HH) // stride + 1
    OW = (W + 2 * pad - WW) // stride + 1
    i0 = np.tile(np.repeat(np.arange(HH), WW), C)
    i1 = stride * np.repeat(np.arange(OH), OW)
    j0 = np.tile(np.arange(WW), HH * C)
    j1 = stride * np.tile(np.arange(OW), OH)
    i = i0.reshape(-1, 1) + i1.reshape(1, -1)
    j = j0.reshape(-1, 1) + j1.reshape(1, -1)
    k = np.repeat(np.arange(C), HH * WW).reshape(-1, 1)
    return k, i, j

def im2col(x, HH, WW, pad, stride):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    k, i, j = indices(x.shape, HH, WW, pad, stride)
    cols = xp[:, k, i, j]
    return cols.transpose(1, 2, 0).reshape(HH * WW * x.shape[1], -1)

def col2im(cols, shape, HH, WW, pad, stride):
    N, C, H, W = shape
    xp = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    k, i, j = indices(shape, HH, WW, pad, stride)
    cols = cols.reshape(C * HH * WW, -1, N).transpose(2, 0, 1)
    ADD
    return xp[:, :, pad:pad+H, pad:pad+W]

def conv_backward(x, W, b, dout, stride, padding):
    F, C, HH, WW = W.shape
    cols = im2col(x, HH, WW, padding, stride)
    db = np.sum(dout, axis=(0, 2, 3))
    d = DOUT
    dW = (d @ cols.T).reshape(W.shape)
    dx = col2im(W.reshape(F, -1).T @ d, x.shape, HH, WW, padding, stride)
    return dx, dW, db
"""
ADD = "np.add.at(xp, (slice(None), k, i, j), cols)"
right_dout = "dout.transpose(1, 2, 3, 0).reshape(F, -1)"
for wanted, adding, dout in (
    ("", ADD, right_dout),
    ("delta reshaped instead of transposed", ADD, "dout.reshape(F, -1)"),
    ("delta reshaped instead of transposed", ADD, "dout.transpose(1, 0, 2, 3).reshape(F, -1)"),
    ("overlap overwritten instead of added", "xp[:, k, i, j] = cols", right_dout),
    ("overlap overwritten instead of added", "xp[:, k, i, j] += cols", right_dout),
):
    program(f"conv2d | | {wanted} |" + IM2COL.replace("ADD", adding).replace("DOUT", dout))

# deeplearning.ai's signature.
DEEP = """
def conv_backward(dZ, cache):
    (A_prev, W, b, hparameters) = cache
    (m, n_H_prev, n_W_prev, n_C_prev) = A_prev.shape
    (f, f2, n_C_prev, n_C) = W.shape
    assert f == f2
    stride, pad = hparameters["stride"], hparameters["pad"]
    (m, n_H, n_W, n_C) = dZ.shape
    dA_prev = np.zeros(A_prev.shape)
    dW = np.zeros(W.shape)
    db = np.zeros(b.shape)
    A_prev_pad = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dA_prev_pad = np.pad(dA_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    for i in range(m):
        a_prev_pad = A_prev_pad[i]
        da_prev_pad = dA_prev_pad[i]
        for h in range(n_H):
            for w in range(n_W):
                for c in range(n_C):
                    vert_start, horiz_start = h * stride, w * stride
                    vert_end, horiz_end = vert_start + f, horiz_start + f
                    a_slice = a_prev_pad[vert_start:vert_end, horiz_start:horiz_end, :]
                    da_prev_pad[vert_start:vert_end, horiz_start:horiz_end, :] += W[:, :, :, c] * dZ[i, h, w, c]
                    dW[:, :, :, c] += a_slice * dZ[i, h, w, c]
                    db[:, :, :, c] += dZ[i, h, w, c]
        CROP
    return dA_prev, dW, db
"""
GOOD = "dA_prev[i] = da_prev_pad[pad:pad+n_H_prev, pad:pad+n_W_prev, :]"
for wanted, old, new in (
    ("", "", ""),
    ("padding cropped by p:-p, empty at p = 0", GOOD, "dA_prev[i] = da_prev_pad[pad:-pad, pad:-pad, :]"),
    ("stride ignored in dx; stride ignored in dW", "h * stride, w * stride", "h, w"),
    ("dW keeps the last window only", "dW[:, :, :, c] += a", "dW[:, :, :, c] = a"),
    ("bias gradient keeps the last window only", "db[:, :, :, c] += d", "db[:, :, :, c] = d"),
    ("averaged over the examples once more", "return dA_prev, dW, db", "return dA_prev, dW / m, db / m"),
    ("only the first example counts", GOOD, GOOD + "\n        return dA_prev, dW, db"),
):
    code = DEEP.replace("CROP", GOOD)
    assert old in code
    program(f'conv2d | call="deeplearning.ai" | {wanted} |' + code.replace(old, new))

# The full correlation with the rotated kernel.
FULL = """
from numpy.lib.stride_tricks import sliding_window_view as windows

def conv_backward(x, W, b, delta, s, p):
    N, F, OH, OW = delta.shape
    KH, KW = W.shape[2:]
    H, Wd = x.shape[2:]
    rest_h, rest_w = (H + 2*p - KH) % s, (Wd + 2*p - KW) % s
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    seen = windows(xp, (KH, KW), axis=(2, 3))[:, :, ::s, ::s]
    dW = np.einsum("nfij,ncijuv->fcuv", delta, seen)
    db = np.einsum("nfij->f", delta)
    spread = np.zeros((N, F, (OH - 1) * s + 1, (OW - 1) * s + 1))
    spread[:, :, ::s, ::s] = delta
    a, c = KH - 1 - p, KW - 1 - p
    full = np.pad(spread, ((0, 0), (0, 0), (a, a + rest_h), (c, c + rest_w)))
    turned = W[:, :, ::-1, ::-1]
    dx = np.einsum("nfijuv,fcuv->ncij", windows(full, (KH, KW), axis=(2, 3)), turned)
    return dx, dW, db
"""
for wanted, old, new in (
    ("", "", ""),
    ("kernel not rotated", "W[:, :, ::-1, ::-1]", "W"),
    ("kernel flipped along one axis only", "W[:, :, ::-1, ::-1]", "W[:, :, ::-1]"),
    ("rot90 or flip on the wrong axes", "W[:, :, ::-1, ::-1]", "np.rot90(W, 2)"),
    ("rot90 or flip on the wrong axes", "W[:, :, ::-1, ::-1]", "np.flip(W)"),
    ("kernel rotated by 90 degrees", "W[:, :, ::-1, ::-1]", "np.rot90(W, axes=(2, 3))"),
    (
        "in and out channels not swapped",
        "windows(full, (KH, KW), axis=(2, 3)), turned)",
        "windows(full, (KH, KW), axis=(2, 3)), turned.swapaxes(0, 1))",
    ),
    ("delta padded by p in place of K - 1 - p", "a, c = KH - 1 - p, KW - 1 - p", "a = c = p"),
    ("padding not cropped", "a, c = KH - 1 - p, KW - 1 - p", "a, c = KH - 1, KW - 1"),
    ("zeros between the deltas missing", "spread[:, :, ::s, ::s] = delta", "spread = delta"),
    ("dx too small where the stride leaves rows over", "(a, a + rest_h), (c, c + rest_w)", "(a, a), (c, c)"),
    ("dW rotated", "return dx, dW, db", "return dx, dW[:, :, ::-1, ::-1], db"),
    ("averaged over the examples once more", "return dx, dW, db", "return dx, dW / len(x), db"),
    ("averaged over examples and positions", '"nfij->f", delta)', '"nfij->f", delta) / delta[:, 0].size'),
    ("stride ignored in dW", "[:, :, ::s, ::s]\n    dW", "[:, :, :OH, :OW]\n    dW"),
    ("bias gradient summed over the channels too", 'np.einsum("nfij->f", delta)', "delta.sum()"),
    ("bias gradient summed over the wrong axes", 'np.einsum("nfij->f", delta)', "delta.sum(axis=(0, 1, 2))"),
    ("wrong sign", "return dx, dW, db", "return -dx, -dW, -db"),
    (
        "computed in single precision",
        "return dx, dW, db",
        "return tuple(g.astype(np.float32) for g in (dx, dW, db))",
    ),
    ("dW with its two channel axes exchanged", "->fcuv", "->cfuv"),
    (
        "kernel not rotated; bias gradient not summed over examples",
        "turned = W[:, :, ::-1, ::-1]\n    dx",
        "turned = W; db = delta.sum((2, 3))\n    dx",
    ),
    (
        "kernel not rotated; averaged over the examples once more",
        "turned = W[:, :, ::-1, ::-1]\n    dx",
        "turned = W / N\n    dx",
    ),
    ("weights updated before dx is taken", "turned = W[", "turned = (W - 0.01 * dW)["),
    ("weight decay in the gradient", "return dx, dW, db", "return dx, dW + 0.3 * W, db"),
    (
        "the updated parameter in place of its gradient",
        "return dx, dW, db",
        "return dx, W - 0.1 * dW, b - 0.1 * db",
    ),
    (
        "dx reshaped instead of transposed",
        "return dx, dW, db",
        "return dx.swapaxes(0, 1).reshape(x.shape), dW, db",
    ),
    ("padding not cropped; wrong sign", "a, c = KH - 1 - p, KW - 1 - p", "a, c = KH - 1, KW - 1; W = -W"),
):
    assert old in FULL, old
    program(f"conv2d | | {wanted} |" + FULL.replace(old, new))

program(
    """conv2d | | | order
calls = []
def backward(x, W, b, delta, stride, padding):
    print("backward", len(calls))
    calls.append(x.shape)
    N, C, H, Wd = x.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dxp = np.zeros_like(xp)
    dW = np.zeros_like(W)
    OH, OW = delta.shape[2:]
    for u in range(W.shape[2]):
        for v in range(W.shape[3]):
            rows, cols = slice(u, u + stride*OH, stride), slice(v, v + stride*OW, stride)
            dW[:, :, u, v] = np.einsum("nfij,ncij->fc", delta, xp[:, :, rows, cols])
            dxp[:, :, rows, cols] += np.einsum("nfij,fc->ncij", delta, W[:, :, u, v])
    x[:] = 0; W[:] = W; delta *= 1
    return dW, delta.sum((0, 2, 3), keepdims=True)[0], dxp[:, :, padding:padding+H, padding:padding+Wd]
""".replace("    x[:] = 0; W[:] = W; delta *= 1\n", "")
)

program("""conv2d | | gradient accumulated over calls |
dW, db = {}, {}
def backward(x, W, b, delta, stride, padding):
    N, C, H, Wd = x.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dxp = np.zeros_like(xp)
    key = W.shape
    dW.setdefault(key, np.zeros_like(W)); db.setdefault(key, np.zeros_like(b))
    OH, OW = delta.shape[2:]
    for u in range(W.shape[2]):
        for v in range(W.shape[3]):
            rows, cols = slice(u, u + stride*OH, stride), slice(v, v + stride*OW, stride)
            dW[key][:, :, u, v] += np.einsum("nfij,ncij->fc", delta, xp[:, :, rows, cols])
            dxp[:, :, rows, cols] += np.einsum("nfij,fc->ncij", delta, W[:, :, u, v])
    db[key] += delta.sum((0, 2, 3))
    return dxp[:, :, padding:padding+H, padding:padding+Wd], dW[key], db[key]
""")

# Classes.
CLASS = """
class Convolution:
    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.dW = np.zeros_like(W); self.db = np.zeros_like(b)

    def forward(self, x):
        self.x = x
        p, s = self.pad, self.stride
        FN, C, FH, FW = self.W.shape
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        OH, OW = (self.xp.shape[2] - FH) // s + 1, (self.xp.shape[3] - FW) // s + 1
        out = np.zeros((len(x), FN, OH, OW))
        for i in range(OH):
            for j in range(OW):
                w = self.xp[:, :, i*s:i*s+FH, j*s:j*s+FW]
                out[:, :, i, j] = np.tensordot(w, self.W, ((1, 2, 3), (1, 2, 3))) + self.b
        return out

    def backward(self, dout):
        p, s = self.pad, self.stride
        FN, C, FH, FW = self.W.shape
        dxp = np.zeros_like(self.xp)
        self.dW = np.zeros_like(self.W)
        self.db = dout.sum(axis=(0, 2, 3))
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                w = self.xp[:, :, i*s:i*s+FH, j*s:j*s+FW]
                self.dW += np.tensordot(dout[:, :, i, j], w, (0, 0))
                dxp[:, :, i*s:i*s+FH, j*s:j*s+FW] += np.tensordot(dout[:, :, i, j], self.W, (1, 0))
        H, W = self.x.shape[2:]
        return dxp[:, :, p:p+H, p:p+W]
"""
for wanted, old, new in (
    ("", "", ""),
    ("gradient accumulated over calls", "        self.dW = np.zeros_like(self.W)\n", ""),
    ("dx cut from the corner of the padded one", "p:p+H, p:p+W", ":H, :W"),
    ("last row or column", "range(dout.shape[2])", "range(dout.shape[2] - 1)"),
):
    assert old in CLASS, old
    wanted = wanted.replace("last row or column", "the last row or column of outputs is left out")
    program(f"conv2d | | {wanted} |" + CLASS.replace(old, new))

program("""conv1d | | kernel not rotated |
class Conv1D:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        self.weights = np.random.randn(out_channels, in_channels, kernel_size)
        self.bias = np.zeros(out_channels)
        self.stride, self.padding = stride, padding
    def forward(self, x):
        self.x = np.pad(x, ((0, 0), (0, 0), (self.padding, self.padding)))
        k = self.weights.shape[2]
        L = (self.x.shape[2] - k) // self.stride + 1
        return np.stack([np.tensordot(self.x[:, :, i*self.stride:i*self.stride+k], self.weights, ((1, 2), (1, 2))) + self.bias for i in range(L)], axis=2)
    def backward(self, grad):
        k, s = self.weights.shape[2], self.stride
        dx = np.zeros_like(self.x)
        self.grad_weights = np.zeros_like(self.weights)
        for i in range(grad.shape[2]):
            self.grad_weights += np.tensordot(grad[:, :, i], self.x[:, :, i*s:i*s+k], (0, 0))
            dx[:, :, i*s:i*s+k] += np.tensordot(grad[:, :, i], self.weights[:, :, ::-1], (1, 0))
        self.grad_bias = grad.sum(axis=(0, 2))
        return dx[:, :, self.padding:dx.shape[2]-self.padding]
""")

# Dense layers.
program("""dense | | |
def affine_backward(x, W, b, dout):
    return dout.dot(W.T), x.T.dot(dout), dout.sum(axis=0)
""")
program("""dense | layout="CHWN", axes={"b": "O1"} | averaged over the examples once more | delta is that of a loss summed
def linear_backward(A_prev, W, b, dZ):
    m = A_prev.shape[1]
    return W.T @ dZ, dZ @ A_prev.T / m, np.sum(dZ, axis=1, keepdims=True) / m
""")
program("""dense | call="deeplearning.ai" | averaged over the examples once more |
def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = 1. / m * np.dot(dZ, A_prev.T)
    db = 1. / m * np.sum(dZ, axis=1, keepdims=True)
    return np.dot(W.T, dZ), dW, db
""")
program("""dense | | W instead of its transpose |
def backward(x, W, b, d):
    return d @ W, x.T @ d, d.sum(0)
""")
program("""dense | | dW transposed; bias gradient not summed over examples |
def backward(x, W, b, d):
    return d @ W.T, d.T @ x, d
""")
program("""dense | | bias gradient summed over the wrong axes |
def backward(x, W, b, d):
    return d @ W.T, x.T @ d, d.sum(axis=1)
""")
program("""dense | call="cs231n" | | not returned
def affine_backward(dout, cache):
    x, w, b = cache
    return np.dot(dout, w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, None
""")
program("""dense | layout="NHWC", axes={"W": "OI"} | |
class Linear:
    def __init__(self, in_features, out_features):
        self.params = {"W": np.zeros((out_features, in_features)), "b": np.zeros(out_features)}
        self.grads = {}
    def forward(self, x):
        self.x = x
        return x @ self.params["W"].T + self.params["b"]
    def backward(self, grad):
        self.grads["W"] = grad.T @ self.x
        self.grads["b"] = grad.sum(0)
        return grad @ self.params["W"]
""")
program("""dense | | integers: fractions are cut off |
def backward(x, W, b, d):
    dW = np.zeros(W.shape, dtype=int)
    dW[:] = x.T @ d
    return d @ W.T, dW, d.sum(0)
""")

# Pooling.
POOL = """
def max_pool_backward(dout, cache):
    x, pool_param = cache
    N, C, H, W = x.shape
    HH, WW, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros(x.shape)
    for n in range(N):
        for c in range(C):
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    window = x[n, c, i*s:i*s+HH, j*s:j*s+WW]
                    BODY
    return dx
"""
for wanted, body in (
    (
        "",
        "u, v = np.unravel_index(np.argmax(window), window.shape); dx[n, c, i*s+u, j*s+v] += dout[n, c, i, j]",
    ),
    (
        "ties: every maximum gets the whole delta",
        "dx[n, c, i*s:i*s+HH, j*s:j*s+WW] += (window == window.max()) * dout[n, c, i, j]",
    ),
    (
        "ties: the maxima share the delta",
        "m = window == window.max(); dx[n, c, i*s:i*s+HH, j*s:j*s+WW] += m / m.sum() * dout[n, c, i, j]",
    ),
    (
        "pooling: overlap overwritten instead of added",
        "u, v = np.unravel_index(np.argmax(window), window.shape); dx[n, c, i*s+u, j*s+v] = dout[n, c, i, j]",
    ),
    (
        "pooling: overlap overwritten instead of added; ties: every maximum gets the whole delta",
        "dx[n, c, i*s:i*s+HH, j*s:j*s+WW] = (window == window.max()) * dout[n, c, i, j]",
    ),
    (
        "stride ignored in pooling",
        "u, v = np.unravel_index(np.argmax(window), window.shape); dx[n, c, i+u, j+v] += dout[n, c, i, j]",
    ),
    (
        "place in the window taken for the place in x",
        "u, v = np.unravel_index(np.argmax(window), window.shape); dx[n, c, u, v] += dout[n, c, i, j]",
    ),
    (
        "row and column of the maximum exchanged",
        "v, u = np.unravel_index(np.argmax(window), window.shape); dx[n, c, i*s+u, j*s+v] += dout[n, c, i, j]",
    ),
    ("the value searched in all of x", "dx[n, c][x[n, c] == window.max()] += dout[n, c, i, j]"),
    (
        "max pooling shared as average pooling",
        "dx[n, c, i*s:i*s+HH, j*s:j*s+WW] += dout[n, c, i, j] / (HH * WW)",
    ),
):
    program(f'max_pool2d | call="cs231n" | {wanted} |' + POOL.replace("BODY", body))

program("""max_pool2d | only={"kernel": 2, "stride": 2, "padding": 0} | ties: every maximum gets the whole delta |
def backward(x, kernel, delta, stride, padding):
    N, C, H, W = x.shape
    H2, W2 = H // 2 * 2, W // 2 * 2
    cut = x[:, :, :H2, :W2]
    y = cut.reshape(N, C, H2 // 2, 2, W2 // 2, 2).max(axis=(3, 5))
    mask = cut == y.repeat(2, axis=2).repeat(2, axis=3)
    dx = np.zeros(x.shape)
    dx[:, :, :H2, :W2] = mask * delta.repeat(2, axis=2).repeat(2, axis=3)
    return dx
""")
program("""max_pool2d | | the padding wins |
def backward(x, kernel, delta, stride, padding):
    KH, KW = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    d = np.zeros_like(xp)
    for n, c, i, j in np.ndindex(delta.shape):
        w = xp[n, c, i*stride:i*stride+KH, j*stride:j*stride+KW]
        at = np.unravel_index(w.argmax(), w.shape)
        d[n, c, i*stride+at[0], j*stride+at[1]] += delta[n, c, i, j]
    return d[:, :, padding:padding+x.shape[2], padding:padding+x.shape[3]]
""")
AVG = """
def pool_backward(dA, cache, mode="max"):
    (A_prev, hparameters) = cache
    stride, f = hparameters["stride"], hparameters["f"]
    if isinstance(f, tuple): raise ValueError("square windows only")
    m, n_H, n_W, n_C = dA.shape
    dA_prev = np.zeros(A_prev.shape)
    for i in range(m):
        for h in range(n_H):
            for w in range(n_W):
                for c in range(n_C):
                    vs, hs = h * stride, w * stride
                    if mode == "max":
                        a = A_prev[i, vs:vs+f, hs:hs+f, c]
                        mask = (a == np.max(a))
                        dA_prev[i, vs:vs+f, hs:hs+f, c] += mask * dA[i, h, w, c]
                    elif mode == "average":
                        dA_prev[i, vs:vs+f, hs:hs+f, c] += SHARE
    return dA_prev
"""
for wanted, share in (
    ("", "np.ones((f, f)) * dA[i, h, w, c] / (f * f)"),
    ("average pooling without 1/n", "dA[i, h, w, c]"),
    ("divided by the number of outputs", "dA[i, h, w, c] / (n_H * n_W)"),
    ("divided by the stride's square", "dA[i, h, w, c] / stride ** 2"),
):
    program(f'avg_pool2d | call="deeplearning.ai" | {wanted} |' + AVG.replace("SHARE", share))
program(
    'max_pool2d | call="deeplearning.ai" | ties: every maximum gets the whole delta |'
    + AVG.replace("SHARE", "0")
)

# Activations and losses.
for of, wanted, words, body in (
    ("relu", "", "", "return delta * (x > 0)"),
    ("relu", "", "", "dx = delta.copy(); dx[x <= 0] = 0; return dx"),
    ("relu", "ReLU' is 1 at zero", "A convention", "return np.where(x >= 0, delta, 0)"),
    ("relu", "ReLU' from delta's sign", "", "return np.maximum(delta, 0)"),
    ("relu", "f' without delta", "", "return (x > 0) * 1.0"),
    ("relu", "input changed in place", "", "delta[x <= 0] = 0; return delta"),
    ("relu", "ReLU' with a leak", "0.01", "return delta * np.where(x > 0, 1, 0.01)"),
    ("sigmoid", "", "", "s = 1 / (1 + np.exp(-x)); return delta * s * (1 - s)"),
    ("sigmoid", "f' of z as if z were a", "A convention", "return delta * x * (1 - x)"),
    ("sigmoid", "f' missing", "", "return delta"),
    (
        "sigmoid",
        "f' of a in place of z",
        "",
        "s = lambda t: 1 / (1 + np.exp(-t)); a = s(x); return delta * s(a) * (1 - s(a))",
    ),
    ("tanh", "", "", "return delta / np.cosh(x) ** 2"),
    ("tanh", "1 - a in place of 1 - a^2", "", "return delta * (1 - np.tanh(x))"),
):
    program(f"{of} | | {wanted} | {words}\ndef backward(x, delta):\n    {body}\n")
SOFTMAX = """
def softmax_loss(x, y):
    shifted = x - np.max(x, axis=1, keepdims=True)
    probs = np.exp(shifted) / np.sum(np.exp(shifted), axis=1, keepdims=True)
    N = x.shape[0]
    loss = -np.sum(np.log(probs[np.arange(N), y] + 1e-300)) / N
    dx = probs.copy()
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx
"""
for wanted, old, new in (
    ("", "", ""),
    ("not averaged: sum for mean", "    dx /= N\n", ""),
    ("averaged twice", "dx /= N", "dx /= N * N"),
    ("wrong sign", "loss, dx", "loss, -dx"),
    ("softmax over the examples", "axis=1", "axis=0"),
    ("softmax overflows", "x - np.max(x, axis=1, keepdims=True)", "x"),
    ("whole rows of the labels' numbers", "dx[np.arange(N), y] -= 1", "dx[:, y] -= 1"),
    (
        "divided by the outputs in place of the examples",
        "x.shape[0]\n    loss",
        "x.shape[0]\n    dx0 = N; K = x.shape[1]\n    loss",
    ),
):
    code = SOFTMAX.replace(old, new)
    code = code.replace("dx /= N\n", "dx /= K\n") if "K = x" in code else code
    program(f"softmax_cross_entropy | | {wanted} |" + code)
program("""squared_error | | twice too large |
def mse_grad(out, t):
    return 2 * (out - t) / len(out)
""")
program("""squared_error | | averaged over examples and outputs | A convention
def grad(out, t):
    return (out - t) / out.size
""")
program("""squared_error | | twice too large; averaged over examples and outputs |
def grad(out, t):
    return 2 * (out - t) / out.size
""")
program("""squared_error | layout="CHWN" | not averaged: sum for mean; wrong sign |
def grad(out, t):
    return t - out
""")
SGD = """
def step(W, b, dW, db, lr, momentum, weight_decay, state):
    vW = state.get("vW", np.zeros_like(W)); vb = state.get("vb", np.zeros_like(b))
    vW = momentum * vW + dW + weight_decay * W
    vb = momentum * vb + db
    state["vW"], state["vb"] = vW, vb
    return W - lr * vW, b - lr * vb
"""
for wanted, old, new in (
    ("", "", ""),
    ("decay on biases", "vb + db", "vb + db + weight_decay * b"),
    ("momentum ignored", '    state["vW"], state["vb"] = vW, vb\n', ""),
    ("uphill", "W - lr * vW, b - lr * vb", "W + lr * vW, b + lr * vb"),
    ("weight decay twice too strong", "weight_decay * W", "2 * weight_decay * W"),
    ("dampened momentum", "vb + db", "vb + (1 - momentum) * db"),
):
    program(f"sgd | | {wanted} |" + SGD.replace(old, new))
program("sgd | | |" + SGD.replace("return W - lr * vW, b - lr * vb", "W -= lr * vW; b -= lr * vb"))

# ---- kinds that other people's programs have taught ---------------------------------------------------------

for wanted, old, new in (
    (
        "delta rotated in dW",
        '"nfij,ncijuv->fcuv", delta, seen)',
        '"nfij,ncijuv->fcuv", delta[:, :, ::-1, ::-1], seen)',
    ),
    ("x rotated in dW", "seen = windows(xp, (", "seen = windows(xp[:, :, ::-1, ::-1], ("),
    (
        "one zero between the deltas at every stride",
        "spread[:, :, ::s, ::s] = delta",
        "z = min(s, 2); near = np.zeros((N, F, (OH - 1) * z + 1, (OW - 1) * z + 1)); near[:, :, ::z, ::z] = delta; spread = near",
    ),
    ("delta rotated in place of the kernel", "return dx, dW, db", "return np.rot90(dx, 2, (2, 3)), dW, db"),
    (
        "dx of all examples in one",
        "return dx, dW, db",
        "dx[0] = dx.sum(axis=0); dx[1:] = 0; return dx, dW, db",
    ),
    ("gradient clipped", "return dx, dW, db", "return dx, np.clip(dW, -1, 1), np.clip(db, -1, 1)"),
    ("gradient normalised", "return dx, dW, db", "return dx, dW / np.sqrt((dW ** 2).sum()), db"),
    ("bias gradient from dW", "return dx, dW, db", "return dx, dW, dW.sum(axis=(1, 2, 3))"),
    (
        "np.empty or random numbers in place of zeros",
        "return dx, dW, db",
        "sums = np.random.randn(F); sums += db; return dx, dW, sums",
    ),
    (
        "kernel not rotated; weights updated before dx is taken",
        "turned = W[:, :, ::-1, ::-1]",
        "turned = W - 0.5 * dW",
    ),
):
    assert old in FULL, old
    program(f"conv2d | | {wanted} |" + FULL.replace(old, new))

code = FULL.replace("a, c = KH - 1 - p, KW - 1 - p", "a, c = p or KH - 1, p or KW - 1")
code = code.replace("(a, a + rest_h), (c, c + rest_w)", "(a, H + KH), (c, Wd + KW)")
code = code.replace("dx = np", "full = full[:, :, : H + KH - 1, : Wd + KW - 1]\n    dx = np")
program("conv2d | | delta padded by p in place of K - 1 - p |" + code)
program("""conv2d | only={"stride": 1, "padding": 0, "N": 4} | delta's channel by the index of x's |
def backward(x, W, b, delta, stride, padding):
    dW = np.zeros_like(W)
    for u, v in np.ndindex(W.shape[2:]):
        seen = x[:, :, u:u+delta.shape[2], v:v+delta.shape[3]]
        for o, c in np.ndindex(W.shape[:2]):
            dW[o, c, u, v] = np.vdot(seen[:, c], delta[:, c])
    return None, dW, delta.sum((0, 2, 3))
""")
# The slice that is empty at p = 0 shows as an exception, beside a mistake that shows elsewhere.
code = DEEP.replace("CROP", "dA_prev[i] = da_prev_pad[pad:-pad, pad:-pad, :]").replace(
    "h * stride, w * stride", "h, w"
)
program(
    'conv2d | call="deeplearning.ai" | padding cropped by p:-p, empty at p = 0; stride ignored in dx; stride ignored in dW |'
    + code
)
for wanted, body in (
    (
        "only the first window counts; ties: every maximum gets the whole delta",
        "dx[n, c, i*s:i*s+HH, j*s:j*s+WW] += (window == window.max()) * dout[n, c, i, j] * (i + j == 0)",
    ),
    (
        "stride ignored in pooling; ties: every maximum gets the whole delta",
        "w = x[n, c, i:i+HH, j:j+WW]; dx[n, c, i:i+HH, j:j+WW] += (w == w.max()) * dout[n, c, i, j]",
    ),
    (
        "ties: the maxima share the delta",
        "m = window == window.max(); m = m / m.sum() if HH == WW == s else np.arange(m.size).reshape(m.shape) == m.argmax(); "
        "dx[n, c, i*s:i*s+HH, j*s:j*s+WW] += m * dout[n, c, i, j]",
    ),
    (
        "place in the window taken for the place in x",
        "u, v = np.unravel_index(window.argmax(), window.shape); dx[n, c, u, v] = dout[n, c, i, j]",
    ),
    (
        "a loop of another axis's length; pooling: overlap overwritten instead of added",
        "if j >= dout.shape[2]: break\n                    u, v = np.unravel_index(window.argmax(), window.shape); "
        "dx[n, c, i*s+u, j*s+v] = dout[n, c, i, j]",
    ),
    (
        "one index of delta for row and column",
        "u, v = np.unravel_index(window.argmax(), window.shape); dx[n, c, i*s+u, j*s+v] += dout[n, c, i, i]",
    ),
    (
        "argmax over all examples",
        "dx[n, c, i*s:i*s+HH, j*s:j*s+WW] += (window == x[:, c, i*s:i*s+HH, j*s:j*s+WW].max()) * dout[n, c, i, j]",
    ),
):
    program(f'max_pool2d | call="cs231n" | {wanted} |' + POOL.replace("BODY", body))
MASK = """
class MaxPool:
    def __init__(self, pool_size, stride):
        self.k, self.s = np.broadcast_to(pool_size, 2), stride
    def feed_forward(self, x):
        (a, b), s = self.k, self.s
        self.mask = np.zeros(x.shape, bool)
        self.size = [(n - k) // s + 1 for n, k in zip(x.shape[1:], (a, b))]
        for c, i, j in np.ndindex(len(x), *self.size):
            w = x[c, i*s:i*s+a, j*s:j*s+b]
            self.mask[c, i*s:i*s+a, j*s:j*s+b] |= MARK
    def back_prop(self, grad):
        (a, b), s = self.k, self.s
        dx = np.zeros(self.mask.shape)
        for c, i, j in np.ndindex(grad.shape):
            dx[c, i*s:i*s+a, j*s:j*s+b] += grad[c, i, j] * self.mask[c, i*s:i*s+a, j*s:j*s+b]
        return dx
"""
for wanted, mark in (
    ("one mask for all windows", "np.arange(w.size).reshape(w.shape) == w.argmax()"),
    ("one mask for all windows; ties: every maximum gets the whole delta", "w == w.max()"),
):
    program(
        f'max_pool2d | axes={{"x": "CHW"}}, only={{"padding": 0}} | {wanted} |' + MASK.replace("MARK", mark)
    )
program("""avg_pool2d | | rows and columns of x exchanged on the way back |
def backward(x, kernel, delta, stride, padding):
    KH, KW = np.broadcast_to(kernel, 2)
    N, C, W, H = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))).shape
    OH, OW = delta.shape[3], delta.shape[2]
    flat, dx = delta.reshape(N, C, OH, OW) / (KH * KW), np.zeros((N, C, H, W))
    for u, v in np.ndindex(KH, KW):
        dx[:, :, u:u+stride*OH:stride, v:v+stride*OW:stride] += flat
    return dx.reshape(N, C, W, H)[:, :, padding:W-padding, padding:H-padding]
""")
program(
    'avg_pool2d | call="deeplearning.ai" | shared in proportion to x |'
    + AVG.replace("SHARE", "(lambda a: a / a.sum())(A_prev[i, vs:vs+f, hs:hs+f, c]) * dA[i, h, w, c]")
)

# Layers that learn in backward: the gradients are what W and b lose at rate 1.
LEARNS = """
class Layer:
    def __init__(self, n_inputs, n_neurons):
        self.weights = np.random.randn(n_inputs, n_neurons); self.biases = np.zeros((1, n_neurons))
    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.weights + self.biases
    def backprop(self, grad, learning_rate):
        dx = grad @ self.weights.T
        self.weights -= learning_rate * self.inputs.T @ grad
        self.biases -= learning_rate * grad.sum(axis=0, keepdims=True)
        return dx
"""
for wanted, old, new in (
    ("", "", ""),
    ("weights updated before dx is taken", "        return dx\n", "        return grad @ self.weights.T\n"),
    ("averaged over the examples once more", "grad.sum", "grad.mean"),
):
    program(f'dense | axes={{"b": "1O"}} | {wanted} |' + LEARNS.replace(old, new))
program("""dense | axes={"x": "I", "W": "OI"} | |
def backward(x, W, b, delta):
    return delta @ W, np.outer(delta, x), delta
""")
program("""dense | | |
def backward(x, W, b, delta):
    return {"inputs": delta @ W.T, "weights": x.T @ delta, "biases": delta.sum(0)}
""")
program("""dense | | |
def backward(x, W, b, delta):
    dW = np.zeros_like(W)
    for n in np.random.default_rng(0).permutation(len(x)):
        dW += np.outer(x[n], delta[n])
    return delta @ W.T, dW, delta.sum(0)
""")
program("""dense | | wrong sign; gradient accumulated over calls |
sums = {}
def backward(x, W, b, delta):
    dW = sums.setdefault(x.tobytes(), np.zeros(W.shape))
    dW -= x.T @ delta
    return delta @ W.T, dW, delta.sum(0)
""")
program("""softmax_cross_entropy | | | six digits
def loss(scores, labels):
    e = np.exp(scores - scores.max(1, keepdims=True))
    p = e / (e.sum(1, keepdims=True) + 1e-7)
    p[range(len(p)), labels] -= 1
    return p / len(p)
""")

for of, wanted, body in (
    ("tanh", "the derivative of the other function", "return delta * (x > 0)"),
    (
        "sigmoid",
        "f(1 - z) in place of 1 - f(z)",
        "s = lambda t: 1 / (1 + np.exp(-t)); return delta * s(x) * s(1 - x)",
    ),
    ("relu", "ReLU' with a leak", "dx = delta.copy(); dx[x < 0] *= 0.1; return dx"),
    ("tanh", "the square of cosh missing", "return delta / np.cosh(x)"),
    ("sigmoid", "z in place of delta", "s = 1 / (1 + np.exp(-x)); return x * s * (1 - s)"),
    ("sigmoid", "a^2 in place of a (1 - a)", "s = 1 / (1 + np.exp(-x)); return delta * s * s"),
):
    program(f"{of} | | {wanted} |\ndef backward(x, delta):\n    {body}\n")
CHAIN = """
def chain(scores, labels):
    e = np.exp(scores - scores.max(1, keepdims=True))
    p, y = e / e.sum(1, keepdims=True), np.eye(scores.shape[1])[labels]
    g = (p - y) / len(y)
    RULE
"""
for wanted, rule in (
    (
        "softmax's Jacobian once more",
        "return np.stack([(np.diag(q) - np.outer(q, q)) @ d for q, d in zip(p, g)])",
    ),
    ("f' of another activation taken along", "return g * (scores > 0)"),
    ("softmax's slope at the scores", "return -y / p * scores * (1 - scores) / len(y)"),
    ("the label's number in place of one-hot", "return (p - labels[:, None]) / len(y)"),
):
    program(f"softmax_cross_entropy | | {wanted} |" + CHAIN.replace("RULE", rule))
program("""softmax_cross_entropy | | softmax overflows |
import math
def in_lists(scores, labels):
    rows = [[math.exp(z) for z in row] for row in scores.tolist()]
    p = np.array([[e / sum(row) for e in row] for row in rows])
    p[range(len(p)), labels] -= 1
    return p / len(p)
""")
program("""squared_error | | the slope of the root of the mean |
def root(out, t):
    return (out - t) / (out.size * np.sqrt(((out - t) ** 2).mean()))
""")
program("""squared_error | | f' of the error in place of the output; not averaged: sum for mean |
def slope(out, t):
    return (out - t) * (1 - (out - t))
""")
for wanted, old, new in (
    ("the velocity of the step before", "W - lr * vW, b - lr * vb", "W - lr * oW, b - lr * ob"),
    (
        "learning rate twice",
        "dW + weight_decay * W\n    vb = momentum * vb + db",
        "lr * (dW + weight_decay * W)\n    vb = momentum * vb + lr * db",
    ),
    ("velocity with the wrong sign", "momentum * v", "-momentum * v"),
):
    code = SGD.replace(old, new)
    code = code.replace("    vW = mom", "    W0, oW, ob = W, vW, vb\n    vW = mom").replace(
        "    vW = -mom", "    W0, oW, ob = W, vW, vb\n    vW = -mom"
    )
    program(f"sgd | | {wanted} |" + code)
program(
    """sgd | call="cs231n" | Nesterov's momentum | Steps
def rule(w, dw, config):
    last = config.get("velocity", np.zeros(w.shape))
    v = config["momentum"] * last - config["learning_rate"] * dw
    config["velocity"] = v
    return w - config["momentum"] * last + (1 + config["momentum"]) * v, config
""".replace("| Steps", "|")
)
program("""sgd | | the first velocity lacks the learning rate |
class Momentum:
    def __init__(self, learning_rate, beta):
        self.learning_rate, self.beta, self.v = learning_rate, beta, {}
    def update(self, params, grads):
        for k in params:
            step = -self.learning_rate * grads[k]
            self.v[k] = self.beta * self.v[k] + step if k in self.v else grads[k]
            params[k] += self.v[k]
""")
program(
    "sgd | | the step in place of the parameter |\ndef step(W, b, dW, db, lr):\n    return lr * dW, lr * db\n"
)
program("sgd | | the parameter does not move |\ndef step(W, b, dW, db, lr):\n    return W, b\n")
program("sgd | | |\ndef step(W, b, dW, db, lr):\n    return W - lr * dW, b - lr * db\n")


# Fewer parameters, or in another order, with names that say what they are.
program("""conv2d | | kernel not rotated | stride 1 and padding 0; db not returned
def conv2d_backward(grad_out, x, W):
    OH, OW = grad_out.shape[2:]
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    for u in range(W.shape[2]):
        for v in range(W.shape[3]):
            dW[:, :, u, v] = np.einsum("nfij,ncij->fc", grad_out, x[:, :, u:u+OH, v:v+OW])
            dx[:, :, u:u+OH, v:v+OW] += np.einsum("nfij,fc->ncij", grad_out, W[:, :, -1-u, -1-v])
    return dx, dW
""")
program("""max_pool2d | | | stride kernel
def backward(dout, x, pool_size):
    k, dx = pool_size, np.zeros_like(x)
    for n, c, i, j in np.ndindex(dout.shape):
        w = x[n, c, i*k:i*k+k, j*k:j*k+k]
        u, v = np.unravel_index(w.argmax(), w.shape)
        dx[n, c, i*k+u, j*k+v] = dout[n, c, i, j]
    return dx
""")
program("""avg_pool2d | only={"padding": 0, "stride": "kernel"} | pooling: dx too small where the stride leaves rows over |
def backward(x, kernel, delta, stride, padding):
    k = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    wide = np.repeat(np.repeat(delta, k[0], axis=2), k[1], axis=3)
    return wide / (k[0] * k[1])
""")
program("""max_pool2d | only={"padding": 0} | pooling: dx too small where the stride leaves rows over |
def backward(x, kernel, delta, stride, padding):
    N, C, OH, OW = delta.shape
    KH, KW = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    dx = np.zeros((N, C, (OH - 1) * stride + KH, (OW - 1) * stride + KW))
    for n, c, i, j in np.ndindex(delta.shape):
        window = x[n, c, i * stride : i * stride + KH, j * stride : j * stride + KW]
        u, v = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, i * stride + u, j * stride + v] += delta[n, c, i, j]
    return dx
""")


@pytest.mark.parametrize("of, options, wanted, words, code", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_is_told_its_mistakes(of, options, wanted, words, code):
    report = practice.diagnose(load(code), of, **options)
    assert sorted(m.name for m in report.mistakes) == sorted(wanted), str(report)
    assert report.ok == (not wanted), str(report)
    text = str(report) if words else ""  # which finds out what does not see a mistake, and that takes a while
    for word in words:
        assert word in text
