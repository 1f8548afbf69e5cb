"""The twin: cnnlib's algorithms with examples FIRST, (N, C, H, W) and (N, D), to see what the order costs.

The same copies and the same GEMMs as in cnnlib, in the layout that (N, C, H, W)
gives. Only what the benchmark's networks need: convolutions without stride or padding, pools whose windows
lie side by side. Activations, the loss and SGD are cnnlib's own. Nothing checks shapes here, which favours the twin.
"""

from functools import reduce

import numpy as np

from cnnlib import Conv2d, Dense, Flatten, Layer, MaxPool2d, ReLU, Sequential, Sigmoid


class BatchFirst(Sequential):
    """A copy of ``network`` for x (N, C, H, W); scores and their gradient are (K, N), for cnnlib's loss."""

    def __init__(self, network):
        super().__init__(*map(twin, network.layers))

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x.T

    def backward(self, delta, input_gradient=True):
        return super().backward(delta.T, input_gradient)


def twin(layer):
    """The batch-first layer that computes what ``layer`` does, with copies of its parameters."""
    if isinstance(layer, (ReLU, Sigmoid)):
        return type(layer)()
    same = {
        Conv2d: BatchFirstConv,
        Dense: BatchFirstDense,
        MaxPool2d: BatchFirstPool,
        Flatten: BatchFirstFlatten,
    }
    if type(layer) not in same or getattr(layer, "padding", (0, 0)) != (0, 0):
        raise ValueError(f"no batch-first twin of {layer}")
    if isinstance(layer, Conv2d) and layer.stride != (1, 1):
        raise ValueError(f"no batch-first twin of {layer}: want stride 1")
    if isinstance(layer, MaxPool2d) and layer.stride != layer.kernel:
        raise ValueError(f"no batch-first twin of {layer}: want windows side by side")
    return same[type(layer)](layer)


class Twin(Layer):
    """A layer made from cnnlib's."""

    def __init__(self, layer):
        super().__init__()
        self.params = {key: value.copy() for key, value in layer.params.items()}
        self.grads = {key: np.zeros_like(value) for key, value in self.params.items()}
        self.kernel = getattr(layer, "kernel", None)


class BatchFirstConv(Twin):
    """x (N, C_in, H, W) -> y (N, C_out, OH, OW)."""

    def forward(self, x):
        W, KH = self.matrix(), self.kernel[0]
        rows = self.unroll(x)
        OH, OW = len(rows) - KH + 1, x.shape[3] - self.kernel[1] + 1
        y = np.empty((len(x), len(W), OH, OW), x.dtype)
        for i in range(OH):
            row = W @ rows[i : i + KH].reshape(W.shape[1], -1)
            y[:, :, i] = row.reshape(len(W), len(x), OW).swapaxes(0, 1)
        y += self.params["b"][:, None, None]
        return self.keep(y, x.shape, rows)

    def backward(self, delta, input_gradient=True):
        shape, rows = self.recall(delta)
        W, (KH, KW), (N, C, H, _) = self.matrix(), self.kernel, shape
        deltas = np.ascontiguousarray(delta.transpose(2, 1, 0, 3)).reshape(len(rows) - KH + 1, len(W), -1)
        dW = np.zeros(W.T.shape, delta.dtype)
        for i, d in enumerate(deltas):
            dW += rows[i : i + KH].reshape(len(dW), -1) @ d.T
        self.grads["W"] = dW.T.reshape(-1, KH, C, KW).swapaxes(1, 2)
        self.grads["b"] = delta.sum(axis=(0, 2, 3))
        if input_gradient:
            drows = np.empty_like(rows)
            turned = np.ascontiguousarray(W.reshape(len(W), KH, -1).T[:, ::-1])
            for h, drow in enumerate(drows):
                first, last = max(0, h - KH + 1), min(h + 1, len(deltas))
                taps = turned[:, KH - 1 - h + first : KH - 1 - h + last].reshape(len(turned), -1)
                drow[:] = taps @ deltas[first:last].reshape(-1, deltas.shape[-1])
            dx = np.zeros(shape, delta.dtype)
            for v, place in enumerate(self.places(dx)):
                place += drows.reshape(H, C, KW, N, -1)[:, :, v]
            return dx

    def matrix(self):
        """W as (C_out, KH C_in KW)."""
        return self.params["W"].swapaxes(1, 2).reshape(len(self.params["W"]), -1)

    def unroll(self, x):
        """(N, C, H, W) -> (H, C KW, N OW): im2col along the rows."""
        places = self.places(x)
        H, C, N, OW = places[0].shape
        rows = np.empty((H, C, len(places), N, OW), x.dtype)
        for v, place in enumerate(places):
            rows[:, :, v] = place
        return rows.reshape(H, -1, N * OW)

    def places(self, x):
        """For each column v of W, the view (H, C, N, OW) of what it meets."""
        KW = self.kernel[1]
        return [x[..., v : v + x.shape[3] - KW + 1].transpose(2, 1, 0, 3) for v in range(KW)]


class BatchFirstDense(Twin):
    """x (N, D_in) -> y (N, D_out)."""

    def forward(self, x):
        y = x @ self.params["W"].T
        y += self.params["b"]
        return self.keep(y, x)

    def backward(self, delta, input_gradient=True):
        (x,) = self.recall(delta)
        self.grads["W"] = delta.T @ x
        self.grads["b"] = delta.sum(axis=0)
        return delta @ self.params["W"] if input_gradient else None


class BatchFirstPool(Twin):
    """x (N, C, H, W) -> y (N, C, OH, OW), the first maximum of each window."""

    def forward(self, x):
        y = reduce(np.maximum, self.taps(x))
        return self.keep(y, x, y)

    def backward(self, delta):
        x, y = self.recall(delta)
        dx, free = np.zeros_like(x), np.ones(y.shape, bool)
        for seen, out in zip(self.taps(x), self.taps(dx)):
            hit = (seen == y) & free
            free ^= hit
            np.multiply(hit, delta, out=out)
        return dx

    def taps(self, x):
        KH, KW = self.kernel
        OH, OW = x.shape[2] // KH, x.shape[3] // KW
        for u in range(KH):
            for v in range(KW):
                yield x[:, :, u : KH * OH : KH, v : KW * OW : KW]


class BatchFirstFlatten(Twin):
    """(N, C, H, W) -> (N, C H W)."""

    def forward(self, x):
        return self.keep(x.reshape(len(x), -1), x.shape)

    def backward(self, delta):
        (shape,) = self.recall(delta)
        return delta.reshape(shape)
