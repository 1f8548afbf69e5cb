"""The mistakes in dW and db, of a convolution and of a dense layer."""

from itertools import product

import numpy as np

from .cases import Raw
from .convolution import (
    ALL,
    BIAS,
    CHANNELS,
    CONV,
    DENSE,
    STRIDE,
    WEIGHTS,
    between,
    frame,
    no_stride,
    no_stride_in_columns,
    no_stride_in_rows,
    padded,
    weights,
)
from .mistakes import mistake

# ---- dW -------------------------------------------------------------------------------------------------


@mistake("dW rotated", CONV, "dW", "after", WEIGHTS)
def rotated(dW, c):
    """dW is the correlation of x with delta as they lie: nothing is rotated, and np.convolve does."""
    return dW[:, :, ::-1, ::-1]


@mistake("dW flipped along one axis only", "conv2d", "dW", "after", WEIGHTS)
def dW_flipped(dW, c):
    """One axis of dW runs backwards."""
    return dW[:, :, ::-1]


@mistake("dW flipped along one axis only", "conv2d", "dW", "after", WEIGHTS)
def dW_flipped_too(dW, c):
    """The same in another form."""
    return dW[:, :, :, ::-1]


@mistake("dW with its two channel axes exchanged", CONV, "dW", "after", CHANNELS)
def exchanged(dW, c):
    """dW has the shape of W; here the in and out channels have changed places."""
    return dW.swapaxes(0, 1)


@mistake("dW with its rows and columns exchanged", "conv2d", "dW", "after", WEIGHTS)
def dW_transposed(dW, c):
    """Each kernel's gradient is transposed."""
    return dW.swapaxes(2, 3)


@mistake("dW transposed", "dense", "dW", "after", DENSE)
def dense_transposed(dW, c):
    """The outer product is taken the other way round: dW has the shape of W transposed."""
    return dW.swapaxes(0, 1)


@mistake("stride ignored in dW", CONV, "dW", "read", STRIDE)
def no_stride_in_dW(u, v, c):
    """The window of output (i, j) starts at (s i, s j) in dW too."""
    return no_stride(u, v, c)


@mistake("stride ignored along one axis", "conv2d", "dW", "read", STRIDE)
def no_stride_in_rows_of_x(u, v, c):
    """The same in another form."""
    return no_stride_in_rows(u, v, c)


@mistake("stride ignored along one axis", "conv2d", "dW", "read", STRIDE)
def no_stride_in_columns_of_x(u, v, c):
    """The same in another form."""
    return no_stride_in_columns(u, v, c)


@mistake("dW from an x padded at one side", CONV, "dW", "padded", STRIDE)
def padded_at_the_end(x, c):
    """The zeros stand at both sides of x, as in the forward pass."""
    return frame(x, *((0, 2 * p) for p in c.padding))


@mistake("dW from an x padded at one side", CONV, "dW", "padded", STRIDE)
def padded_at_the_start(x, c):
    """The same in another form."""
    return frame(x, *((2 * p, 0) for p in c.padding))


@mistake("dW from the output's size", CONV, "dW", "weights", STRIDE)
def size_of_the_output(x, delta, c, step):
    """Where the stride leaves rows over, sliding the spread deltas over all of x gives more rows than W has."""
    return slid(x, between(delta, c))


@mistake("dW from the output's size", CONV, "dW", "weights", STRIDE)
def size_of_the_output_undilated(x, delta, c, step):
    """The same in another form."""
    return slid(x, delta)


def slid(x, delta):
    """The valid correlation of x with delta, as large as it comes."""
    OH, OW = delta.shape[1:3]
    KH, KW = x.shape[1] - OH + 1, x.shape[2] - OW + 1
    taps = [
        np.tensordot(delta, x[:, u : u + OH, v : v + OW], ((1, 2, 3),) * 2)
        for u, v in product(range(KH), range(KW))
    ]
    return np.stack(taps, -1).reshape(*taps[0].shape, KH, KW)


@mistake("dW keeps the last position only", CONV, "dW", "weights", WEIGHTS)
def last_position(x, delta, c, step):
    """A weight is shared by all positions, so dW sums over them; = keeps the last, += adds."""
    only = np.zeros_like(delta)
    only[:, -1, -1] = delta[:, -1, -1]
    return weights(x, only, c, step)


@mistake("dW keeps the last window only", CONV, "dW", "weights", WEIGHTS)
def last_window(x, delta, c, step):
    """dW sums over positions and examples; = in the innermost loop keeps the last position of the last example."""
    only = np.zeros_like(delta)
    only[:, -1, -1, -1] = delta[:, -1, -1, -1]
    return weights(x, only, c, step)


@mistake("sums multiplied in place of products summed", ALL, "dW", "weights", DENSE)
def means_multiplied(x, delta, c, step):
    """The mean of x times the sum of delta: dW sums the products of each example, not the product of the sums."""
    return weights(x.mean(axis=3, keepdims=True), delta.sum(axis=3, keepdims=True), c, step)


@mistake("sums multiplied in place of products summed", ALL, "dW", "weights", DENSE)
def sums_multiplied(x, delta, c, step):
    """The same in another form."""
    return weights(x.sum(axis=3, keepdims=True), delta.sum(axis=3, keepdims=True), c, step)


@mistake("sums multiplied in place of products summed", ALL, "dW", "weights", DENSE)
def both_means_multiplied(x, delta, c, step):
    """The same in another form."""
    return weights(x.mean(axis=3, keepdims=True), delta.mean(axis=3, keepdims=True), c, step)


@mistake("one example's x for all", ALL, "dW", "padded", WEIGHTS)
def first_example_of_x(x, c):
    """Each example's delta meets its own x: an index 0 stands where n belongs."""
    return np.broadcast_to(padded(x, c)[..., :1], (*c.padded[:3], c.N))


@mistake("one example's x for all", ALL, "dW", "padded", WEIGHTS)
def last_example_of_x(x, c):
    """The same in another form."""
    return np.broadcast_to(padded(x, c)[..., -1:], (*c.padded[:3], c.N))


@mistake("x padded with its border instead of zeros", CONV, "dW", "padded", STRIDE)
def padded_with_edges(x, c):
    """The forward pass has zeros around x, so dW has them too."""
    return np.pad(x, ((0, 0), *((p, p) for p in c.padding), (0, 0)), mode="edge")


@mistake("delta rotated in dW", CONV, "dW", "delta", WEIGHTS)
def delta_rotated(delta, c):
    """convolve turns its second argument round, correlate does not: dW is x correlated with delta as they lie."""
    return delta[:, ::-1, ::-1]


@mistake("x rotated in dW", CONV, "dW", "padded", WEIGHTS)
def x_rotated(x, c):
    """dW is the correlation of x with delta as they lie: nothing is rotated."""
    return padded(x, c)[:, ::-1, ::-1]


@mistake("delta's channel by the index of x's", CONV, "dW", "weights", CHANNELS)
def same_channels(x, delta, c, step):
    """dW[o, c] is x's channel c with delta's channel o; here delta's index is c as well."""
    if len(x) > len(delta):
        return None
    found = weights(x, delta[: len(x)], c, step)
    own = found[range(len(x)), range(len(x))]
    return np.broadcast_to(own, (len(delta), *own.shape))


@mistake("x's first channel for all", CONV, "dW", "after", CHANNELS)
def first_of_x(dW, c):
    """Each input channel meets delta for itself: an index 0 stands where c belongs."""
    return np.broadcast_to(dW[:, :1], dW.shape)


@mistake("delta's first channel for all", CONV, "dW", "after", CHANNELS)
def first_of_delta(dW, c):
    """Each output channel has its own deltas: an index 0 stands where the channel belongs."""
    return np.broadcast_to(dW[:1], dW.shape)


@mistake("dW summed over the kernel's places", CONV, "dW", "after", WEIGHTS)
def places_summed(dW, c):
    """Each weight of a kernel has a gradient of its own: no sum over the window."""
    return np.broadcast_to(dW.sum(axis=(2, 3), keepdims=True), dW.shape)


@mistake("dW summed over the kernel's places", CONV, "dW", "after", WEIGHTS)
def window_summed(dW, c):
    """The same in another form."""
    return np.broadcast_to(dW.sum(axis=(1, 2, 3), keepdims=True), dW.shape)


@mistake("dW summed over the input channels", CONV, "dW", "after", CHANNELS)
def channels_summed(dW, c):
    """Each input channel has a gradient of its own; here all get the sum."""
    return np.broadcast_to(dW.sum(axis=1, keepdims=True), dW.shape)


# ---- db -------------------------------------------------------------------------------------------------


@mistake("bias gradient not summed over positions", CONV, "db", "bias", BIAS)
def positions_left(delta, c):
    """One bias serves all positions, so its gradient sums over them."""
    return c.summed(delta, "N")


@mistake("bias gradient not summed over examples", ALL, "db", "bias", BIAS)
def examples_left(delta, c):
    """One bias serves all examples, so its gradient sums over them."""
    return c.summed(delta, "HW")


@mistake("bias gradient not summed at all", CONV, "db", "bias", BIAS)
def nothing_summed(delta, c):
    """db is delta itself: one bias serves all positions and examples, so its gradient sums over both."""
    return c.summed(delta, "")


@mistake("bias gradient summed over the channels too", ALL, "db", "bias", BIAS)
def one_number(delta, c):
    """Each channel has its own bias; here all deltas are in one sum."""
    return delta.sum(keepdims=True).reshape(()).view(Raw)


@mistake("bias gradient summed over the channels too", ALL, "db", "bias", BIAS)
def one_number_for_all(delta, c):
    """The same in another form."""
    return np.full(len(delta), delta.sum())


@mistake("bias gradient summed over the wrong axes", ALL, "db", "bias", BIAS)
def examples_kept(delta, c):
    """The axis that remains must be the channels', and is another one."""
    return c.summed(delta, "CHW")


@mistake("bias gradient summed over the wrong axes", "conv2d", "db", "bias", BIAS)
def width_kept(delta, c):
    """The same in another form."""
    return c.summed(delta, "NCH")


@mistake("bias gradient summed over the wrong axes", "conv2d", "db", "bias", BIAS)
def height_kept(delta, c):
    """The same in another form."""
    return c.summed(delta, "NCW")


@mistake("bias gradient from dW", ALL, "db", "along", BIAS)
def from_dW(c, right):
    """db sums the deltas; here it sums dW, in which each delta is multiplied by an input."""
    return np.zeros(len(c.b)), right(c, "dW").sum(axis=(1, 2, 3))


@mistake("bias gradient from dW", ALL, "db", "along", BIAS)
def from_mean_dW(c, right):
    """The same in another form."""
    return np.zeros(len(c.b)), right(c, "dW").sum(axis=(1, 2, 3)) / c.N


@mistake("bias gradient keeps the last position only", CONV, "db", "bias", BIAS)
def bias_of_the_last_position(delta, c):
    """= in the loop over positions keeps the last one, += adds."""
    return delta[:, -1, -1].sum(axis=1)


@mistake("bias gradient keeps the last window only", CONV, "db", "bias", BIAS)
def bias_of_the_last_window(delta, c):
    """= in the innermost loop keeps the last position of the last example, += adds."""
    return delta[:, -1, -1, -1]
