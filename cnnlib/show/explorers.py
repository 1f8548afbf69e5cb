"""Explorers: every number of a layer's forward and backward pass under the reader's hand.

A reader chooses a cell and sees what it depends on, term by term. Nothing that a page shows is computed there:
the numbers are what the layer's forward and backward return, and which output met which pixel with which weight
is read off the layer as well, by deltas that are 1 at one output and 0 elsewhere.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..layers import Conv2d, MaxPool2d
from .explorer import Explorer, at, in_brackets, listed, whole

# No zero, which would hide a term; W is like none of its turned or mirrored copies, and no weight comes twice.
IMAGE = [[2, 1, 3, 1, 2], [1, 2, 1, 3, 1], [3, 1, 2, 2, 1], [1, 3, 1, 1, 2], [2, 1, 2, 3, 1]]
KERNEL = [[2, -1, 3, -4], [1, 4, -2, 6], [-3, 5, 7, -5], [8, -6, 9, -7]]
# With ties, beside each other and in different windows, and a pixel that is the largest of many windows.
TIES = [
    [1, 5, 2, 2, 7, 3],
    [5, 3, 8, 1, 7, 4],
    [2, 4, 1, 6, 2, 2],
    [6, 2, 9, 3, 5, 8],
    [1, 7, 4, 4, 8, 1],
    [3, 7, 2, 5, 1, 6],
]


class ConvExplorer(Explorer):
    """A convolution of one channel, backward: ``show.ConvExplorer()`` displays the grids x, W, z, dJ/dx, dJ/dW and
    delta, for each kernel, stride and padding of which the outputs are not more than the pixels.

    x: a square image. W: a square matrix; a kernel of size k is its k rows and columns at the upper left. kernels,
    strides, paddings: the sizes on offer, by default 1 to 4, 1 to 3 and 0 to 2. start: the first kernel, stride and padding; pixel: the row and column
    of dJ/dx that is chosen at first. compact: dJ/dx, W and delta alone, and by default
    kernels 2 and 3 without stride and padding, for a front page. ValueError for what does
    not fit.
    """

    kind = "conv"
    names = {
        "x": "image x",
        "W": "kernel W",
        "z": "output z",
        "dx": "∂J/∂x",
        "dW": "∂J/∂W",
        "delta": "δ = ∂J/∂z",
    }
    legend = (
        'Choose any cell: point, tap or arrow keys. <i class="fw">Blue</i> is what an output reads, '
        '<i class="bw">orange</i> is what comes back. The small number counts the outputs that used the pixel.'
    )

    def __init__(
        self,
        x: ArrayLike = IMAGE,
        W: ArrayLike = KERNEL,
        *,
        kernels: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        paddings: Sequence[int] | None = None,
        start: tuple[int, ...] = (3, 1, 0),
        pixel: tuple[int, int] = (1, 1),
        title: str = "Which outputs used this pixel?",
        alt: str | None = None,
        compact: bool = False,
    ):
        kernels = kernels or ((2, 3) if compact else (1, 2, 3, 4))
        strides = strides or ((1,) if compact else (1, 2, 3))
        paddings = paddings or ((0,) if compact else (0, 1, 2))
        self.W = np.array(W, float)
        if self.W.ndim != 2 or len(self.W) < max(kernels) or self.W.shape[1] < max(kernels):
            self._refuse(f"W with {max(kernels)} rows and columns or more", self.W.shape)
        alt = alt or (
            "A small convolution and its backward pass in numbers: below, a pixel of the gradient is chosen, and "
            "framed are the deltas of the outputs that used it and the weight that each met it with."
        )
        choices = {"kernel": list(kernels), "stride": list(strides), "padding": list(paddings)}
        super().__init__(x, choices, start, pixel, title, alt, compact)

    def case(self, kernel, stride, padding):
        """The numbers of one case, and ``links``: for each output, for each weight, the pixel of the padded image
        that the two met."""
        layer = Conv2d(1, 1, kernel, stride=stride, padding=padding)
        layer.params["W"] = self.W[None, None, :kernel, :kernel]
        z = layer.forward(self.x[None, :, :, None])
        delta = np.arange(1.0, z.size + 1).reshape(z.shape)
        dx, out = layer.backward(delta), z.shape[1]
        links = self.links(kernel, stride, len(self.x) + 2 * padding)
        numbers = {"W": layer.params["W"], "z": z, "dx": dx, "dW": layer.grads["W"], "delta": delta}
        sizes = {"kernel": kernel, "stride": stride, "padding": padding, "out": out}
        sizes["spread"] = self.spread(links, kernel, padding)
        return sizes | {"links": links.ravel().tolist()} | {name: listed(a) for name, a in numbers.items()}

    def links(self, kernel, stride, size):
        """(outputs, weights) -> pixel, told by the layer: the weights are 1, 2, 3, ..., and one delta is 1 in each
        example. Then its dJ/dx holds, at each pixel, the number of the weight that the output met it with."""
        layer = Conv2d(1, 1, kernel, stride=stride)
        layer.params["W"] = np.arange(1.0, kernel**2 + 1).reshape(1, 1, kernel, kernel)
        _, out, _, _ = layer.output_shape((1, size, size, 1))
        layer.forward(np.zeros((1, size, size, out**2)))
        met = layer.backward(np.eye(out**2).reshape(1, out, out, -1)).reshape(size**2, -1)
        links = np.full((out**2, kernel**2), -1)
        for pixel, output in np.argwhere(met):
            links[output, round(met[pixel, output]) - 1] = pixel
        return links

    def spread(self, links, kernel, padding):
        """Where each delta stands when the rotated kernel, slid over all of them, shall meet it above pixel (0, 0),
        (0, 1), ...: the full correlation. ValueError where the links of one delta do not agree on that."""
        padded = len(self.x) + 2 * padding
        row, column = np.divmod(links, padded)
        u, v = np.divmod(np.arange(kernel**2), kernel)
        places = (
            (row - padding + kernel - 1 - u) * (len(self.x) + kernel - 1) + column - padding + kernel - 1 - v
        )
        if (places != places[:, :1]).any():
            self._refuse("a layer whose backward pass is one correlation", places.tolist())
        return places[:, 0].tolist()

    def used(self, case, pixel):
        """[(output, weight)] of the outputs that used a pixel."""
        padding, size = case["padding"], len(self.x)
        place = (pixel // size + padding) * (size + 2 * padding) + pixel % size + padding
        return [divmod(k, case["kernel"] ** 2) for k, there in enumerate(case["links"]) if there == place]

    def count(self, case, pixel):
        """The small number of a pixel of dJ/dx."""
        return str(len(self.used(case, pixel)))

    def gather(self, case, pixel):
        """What the first state says of its pixel: (sentence, [(names, numbers)] of the terms, [(grid, cell, small
        number)])."""
        used = self.used(case, pixel)
        terms, lit = [], []
        for o, w in used:
            delta, weight = case["delta"][o], case["W"][w]
            terms.append(
                (f"δ{at(o, case['out'])}W{at(w, case['kernel'])}", f"{whole(delta)}·{in_brackets(weight)}")
            )
            lit += [("delta", o, f"×{whole(weight)}"), ("W", w, "")]
        many = {0: "no output", 1: "1 output"}.get(len(used), f"{len(used)} outputs")
        head = f"<b>∂J/∂x{at(pixel, len(self.x))} = {whole(case['dx'][pixel])}</b>: {many} used this pixel."
        if len(used) > 1:
            head += " δ in reading order meets W in reverse order: W rotated by 180°."
        return head, terms, lit


class PoolExplorer(Explorer):
    """Max pooling, backward: ``show.PoolExplorer()`` displays the grids x, z, dJ/dx and delta, and which pixel each
    window kept, for each kernel and stride.

    x: a square image, here with ties. kernels, strides: the sizes on offer. start: the first kernel and stride;
    pixel, compact: as of ConvExplorer. ValueError for what does not fit.
    """

    kind = "pool"
    names = {"x": "image x", "z": "output z", "dx": "∂J/∂x", "delta": "δ = ∂J/∂z"}
    legend = (
        'Choose any cell: point, tap or arrow keys. <i class="fw">Blue</i> is what an output reads, '
        '<i class="bw">orange</i> is what comes back. Small: how many windows kept the pixel, of those that saw it.'
    )

    def __init__(
        self,
        x: ArrayLike = TIES,
        *,
        kernels: Sequence[int] = (2, 3),
        strides: Sequence[int] = (1, 2, 3),
        start: tuple[int, ...] = (3, 2),
        pixel: tuple[int, int] = (1, 2),
        title: str = "Which pixel gets the delta?",
        alt: str | None = None,
        compact: bool = False,
    ):
        alt = alt or (
            "Max pooling and its backward pass in numbers: below, a pixel of the gradient is chosen, and framed are "
            "the deltas of the windows whose maximum it was."
        )
        choices = {"kernel": list(kernels), "stride": list(strides)}
        super().__init__(x, choices, start, pixel, title, alt, compact)

    def rows(self):
        """No weights."""
        return tuple(tuple(kind for kind in row if kind in self.names) for row in super().rows())

    def case(self, kernel, stride):
        """The numbers of one case; ``links``: for each output the pixels of its window; ``kept``: the one whose number
        it is. The layer tells: the first by what a pixel of 1 among zeros gives, the second by one delta of 1."""
        size = len(self.x)
        layer = MaxPool2d(kernel, stride=stride)
        lone = layer.forward(np.eye(size**2).reshape(1, size, size, -1))
        out = lone.shape[1]
        links = [np.flatnonzero(window).tolist() for window in lone.reshape(out**2, -1)]
        layer.forward(np.repeat(self.x[None, :, :, None], out**2, axis=-1))
        kept = layer.backward(np.eye(out**2).reshape(1, out, out, -1)).reshape(size**2, -1).argmax(axis=0)
        z = layer.forward(self.x[None, :, :, None])
        delta = np.arange(1.0, z.size + 1).reshape(z.shape)
        numbers = {"z": z, "dx": layer.backward(delta), "delta": delta}
        sizes = {
            "kernel": kernel,
            "stride": stride,
            "out": out,
            "links": sum(links, []),
            "kept": kept.tolist(),
        }
        return sizes | {name: listed(a) for name, a in numbers.items()}

    def seen(self, case, pixel):
        """The outputs whose windows saw a pixel, and those of them that kept it."""
        saw = [k // case["kernel"] ** 2 for k, there in enumerate(case["links"]) if there == pixel]
        return saw, [o for o in saw if case["kept"][o] == pixel]

    def count(self, case, pixel):
        """The small number of a pixel of dJ/dx."""
        saw, kept = self.seen(case, pixel)
        return f"{len(kept)}/{len(saw)}"

    def gather(self, case, pixel):
        """As of ConvExplorer."""
        saw, kept = self.seen(case, pixel)
        terms = [(f"δ{at(o, case['out'])}", whole(case["delta"][o])) for o in kept]
        windows = "1 window" if len(saw) == 1 else f"{len(saw)} windows"
        name, value = f"x{at(pixel, len(self.x))}", whole(self.x.flat[pixel])
        head = f"<b>∂J/∂{name} = {whole(case['dx'][pixel])}</b>: {windows} saw {name} = {value}, {len(kept)} kept it."
        return head, terms, [("delta", o, "") for o in kept]
