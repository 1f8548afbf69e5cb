"""Backward through pooling: the right steps, and the mistakes that people make in them."""

import numpy as np

from .convolution import crop, cropped_by_minus_p, cut_at_the_corner, no_stride, shifted, uncropped, window
from .mistakes import mistake, same

MAX, AVG, BOTH = "max_pool2d", "avg_pool2d", "max_pool2d avg_pool2d"
ONE, TIES = (
    "pooling#max-pooling-backward-the-gradient-goes-to-the-argmax",
    "pooling#ties-in-max-pooling-which-maximum-gets-the-gradient",
)
OVERLAP, MEAN = "pooling#overlapping-windows-deltas-add-up", "pooling#average-pooling-backward"
STRIDE = "pooling#stride-padding-and-what-is-left-out"


# ---- the steps ----------------------------------------------------------------------------------------


def dx(c, step):
    """Each place of a window gets its share of the window's delta; windows that overlap add."""
    shares = step.mask(step.shares(step.seen(c), c), c) * step.delta(c.delta, c)
    return step.crop(step.put(shares, c, step), c)


def seen(c):
    """What stands at each place of each window, (KH KW, C, OH, OW, N); the padding is -inf for the maximum."""
    (ph, pw), (_, H, W, _) = c.padding, c.x.shape
    images = np.full(c.padded, -np.inf if c.of == MAX else 0.0)
    images[:, ph : ph + H, pw : pw + W] = c.x
    return np.stack([images[window(u, v, c)] for u, v in c.taps])


def winner(seen, c):
    """1 at the first maximum, row by row."""
    return np.arange(len(seen)).reshape(-1, 1, 1, 1, 1) == seen.argmax(axis=0)


def equal(seen, c):
    """1 / n for each place of the window."""
    return np.full(seen.shape, 1 / len(seen))


def put(shares, c, step):
    """Every place of x gets the sum of what its windows send."""
    full = np.zeros(c.padded)
    for (u, v), share in zip(c.taps, shares):
        full[step.place(u, v, c)] += share
    return full


STEPS = dict(delta=same, after=same, seen=seen, mask=same, put=put, place=window, crop=crop)
RIGHT = {MAX: STEPS | dict(shares=winner), AVG: STEPS | dict(shares=equal)}
GRADIENTS = dict.fromkeys(RIGHT, {"dx": dx})


# ---- who gets it ---------------------------------------------------------------------------------------


@mistake("ties: every maximum gets the whole delta", MAX, "dx", "shares", TIES)
def to_all(seen, c):
    """x == max marks every maximum of a window; each then gets the whole delta, and the window sends too much."""
    return seen == seen.max(axis=0)


@mistake("ties: the maxima share the delta", MAX, "dx", "shares", TIES, "a tie is shared: a subgradient too")
def to_all_in_shares(seen, c):
    """The maxima of a window share its delta; PyTorch and this book give it to the first."""
    tied = seen == seen.max(axis=0)
    return tied / tied.sum(axis=0)


@mistake(
    "ties: the last maximum gets it", MAX, "dx", "shares", TIES, "a tie goes to the last: a subgradient too"
)
def to_the_last(seen, c):
    """>= in the search keeps the last maximum; PyTorch and this book take the first, row by row."""
    return winner(seen[::-1], c)[::-1]


@mistake(
    "ties: the first maximum column by column",
    MAX,
    "dx",
    "shares",
    TIES,
    "a tie goes to the first of the first column: a subgradient too",
)
def column_by_column(seen, c):
    """The window is searched column by column; PyTorch and this book go row by row."""
    order = np.arange(len(seen)).reshape(c.kernel).T.ravel()
    shares = np.empty(seen.shape)
    shares[order] = winner(seen[order], c)
    return shares


@mistake("row and column of the maximum exchanged", MAX, "dx", "shares", ONE)
def exchanged(seen, c):
    """unravel_index gives (row, column); here they are used as (column, row)."""
    order = np.arange(len(seen)).reshape(c.kernel).T.ravel()
    return winner(seen, c)[order]


@mistake("argmax over all channels of the window", MAX, "dx", "shares", ONE)
def over_channels(seen, c):
    """Each channel has its own maximum; here the largest of all channels gets the deltas."""
    return seen == seen.max(axis=(0, 1))


@mistake("argmax over all channels of the window", MAX, "dx", "shares", ONE)
def over_all(seen, c):
    """The same in another form."""
    return seen == seen.max(axis=(0, 1, 4), keepdims=True)[0]


@mistake("row and column of the maximum exchanged", MAX, "dx", "shares", ONE)
def divided_by_height(seen, c):
    """The same in another form."""
    places = np.array([u + c.kernel[0] * v for u, v in c.taps])  # taken for u = place % KH, v = place // KH
    return places.reshape(-1, 1, 1, 1, 1) == seen.argmax(axis=0)


@mistake("x in place of the mask", MAX, "dx", "shares", ONE)
def values_as_mask(seen, c):
    """The mask is 1 at the maximum; here the values themselves are the factors."""
    return np.where(np.isfinite(seen), seen, 0)


@mistake("the maximum's value in place of 1", MAX, "dx", "shares", ONE)
def value_at_the_maximum(seen, c):
    """The slope of a maximum is 1 at its place, not the value that stands there."""
    return np.where(seen == seen.max(axis=0), seen, 0)


@mistake("no mask: every place gets the delta", MAX, "dx", "shares", ONE)
def no_mask(seen, c):
    """Only the place of the maximum had a say in the output."""
    return np.ones(seen.shape)


@mistake("max pooling shared as average pooling", MAX, "dx", "shares", ONE)
def as_average(seen, c):
    """Each place gets delta / n, which is average pooling's rule."""
    return equal(seen, c)


@mistake("the smallest gets the delta", MAX, "dx", "shares", ONE)
def to_the_smallest(seen, c):
    """argmin, or < in the search, in place of argmax."""
    return winner(np.where(np.isfinite(seen), -seen, -np.inf), c)


@mistake("the smallest gets the delta", MAX, "dx", "shares", ONE)
def to_all_smallest(seen, c):
    """The same in another form."""
    return seen == seen.min(axis=0)


@mistake("the mask alone, without delta", MAX, "dx", "put", ONE)
def mask_alone(shares, c, step):
    """The mask must be multiplied by delta."""
    return put(winner(step.seen(c), c), c, step)


@mistake("the padding wins", MAX, "dx", "seen", STRIDE)
def zeros_win(c):
    """Padded with zeros, a window of negative numbers has its maximum in the padding, where delta is lost."""
    images = np.pad(c.x, ((0, 0), *((p, p) for p in c.padding), (0, 0)))
    return np.stack([images[window(u, v, c)] for u, v in c.taps])


@mistake("stride ignored where the maximum is searched", MAX, "dx", "seen", STRIDE)
def searched_without_stride(c):
    """The window in which the maximum is searched starts at (s i, s j) too."""
    images = np.pad(c.x, ((0, 0), *((p, p) for p in c.padding), (0, 0)), constant_values=-np.inf)
    return np.stack([images[no_stride(u, v, c)] for u, v in c.taps])


@mistake("max taken of absolute values", MAX, "dx", "seen", ONE)
def absolute(c):
    """The largest number wins, not the one farthest from zero."""
    values = seen(c)
    return np.where(np.isfinite(values), np.abs(values), -np.inf)


@mistake("the value searched in all of x", MAX, "dx", "put", ONE)
def searched(shares, c, step):
    """x == max over the whole image finds the same value in other windows too."""
    tops, delta = seen(c).max(axis=0), step.delta(c.delta, c)
    hits = c.x[:, :, :, None, None] == tops[:, None, None]
    found = np.einsum("chwijn,cijn->chwn", hits, delta)
    return np.pad(found, ((0, 0), *((p, p) for p in c.padding), (0, 0)))


# ---- where it is put -----------------------------------------------------------------------------------


@mistake("place in the window taken for the place in x", MAX, "dx", "put", ONE)
def place_in_window(shares, c, step):
    """argmax gives (u, v) inside of the window; the window's corner (s i, s j) is to be added."""
    full = np.zeros(c.padded)
    for (u, v), share in zip(c.taps, shares):
        full[:, u, v] += share.sum(axis=(1, 2))
    return full


@mistake("stride ignored in pooling", BOTH, "dx", "place", STRIDE)
def stride_ignored(u, v, c):
    """The window of output (i, j) starts at (s i, s j), not at (i, j)."""
    return no_stride(u, v, c)


@mistake("pooling: overlap overwritten instead of added", BOTH, "dx", "put", OVERLAP)
def overwritten(shares, c, step):
    """A place that several windows share gets the sum; = keeps the last window's."""
    full = np.zeros(c.padded)
    for (u, v), share in list(zip(c.taps, shares))[::-1]:  # so that the last window remains
        at = step.place(u, v, c)
        full[at] = np.where(visited(c, step), share, full[at])
    return full


def visited(c, step):
    """The outputs that the loops come to, where another mistake leaves some out."""
    return step.delta(np.ones(c.delta.shape), c) != 0


@mistake("pooling: overlap overwritten instead of added", MAX, "dx", "put", OVERLAP)
def winner_overwritten(shares, c, step):
    """The same in another form."""
    full = np.zeros(c.padded)
    for (u, v), share in list(zip(c.taps, shares))[::-1]:
        at, chosen = step.place(u, v, c), step.shares(step.seen(c), c)[c.taps.index((u, v))] != 0
        full[at] = np.where(chosen & visited(c, step), share, full[at])
    return full


@mistake("pooling: overlap overwritten instead of added", BOTH, "dx", "put", OVERLAP)
def overwritten_by_tap(shares, c, step):
    """The same in another form."""
    full = np.zeros(c.padded)
    for (u, v), share in zip(c.taps, shares):
        full[step.place(u, v, c)] = share
    return full


@mistake("pooling: padding not cropped", BOTH, "dx", "crop", STRIDE)
def not_cropped(full, c):
    """dx still has the frame that was put around x."""
    return uncropped(full, c)


@mistake("pooling: padding cropped by p:-p, empty at p = 0", BOTH, "dx", "crop", STRIDE)
def cropped_empty(full, c):
    """With p = 0 the slice p:-p is 0:0, which is empty."""
    return cropped_by_minus_p(full, c)


@mistake("pooling: dx cut from the corner of the padded one", BOTH, "dx", "crop", STRIDE)
def cut(full, c):
    """Padding is ignored in dx: the frame goes at all four sides, not at the end only."""
    return cut_at_the_corner(full, c)


@mistake("pooling: dx shifted by one", BOTH, "dx", "crop", STRIDE)
def off_by_one(full, c):
    """Each number stands one row and one column too far."""
    return shifted(full, c)


# ---- average pooling -----------------------------------------------------------------------------------


@mistake("average pooling without 1/n", AVG, "dx", "shares", MEAN)
def not_divided(seen, c):
    """Each place of a window of n places gets delta / n."""
    return np.ones(seen.shape)


@mistake("average pooling divided by n twice", AVG, "dx", "shares", MEAN)
def divided_twice(seen, c):
    """delta / n, and n once more."""
    return equal(seen, c) / len(seen)


@mistake(
    "the padding is not counted", AVG, "dx", "shares", STRIDE, "the forward pass averages without the padding"
)
def padding_not_counted(seen, c):
    """At the border delta is divided by the places inside of the image only; here the zeros count."""
    inside = np.pad(np.ones(c.x.shape), ((0, 0), *((p, p) for p in c.padding), (0, 0)))
    return 1 / sum(inside[window(u, v, c)] for u, v in c.taps) * np.ones(seen.shape)


@mistake("divided by the kernel's height squared", AVG, "dx", "shares", MEAN)
def height_squared(seen, c):
    """n is KH KW; KH KH is the same for square windows only."""
    return np.full(seen.shape, 1 / c.kernel[0] ** 2)


@mistake("divided by the kernel's height squared", AVG, "dx", "shares", MEAN)
def width_squared(seen, c):
    """The same in another form."""
    return np.full(seen.shape, 1 / c.kernel[1] ** 2)


@mistake("divided by one side of the kernel", AVG, "dx", "shares", MEAN)
def by_height(seen, c):
    """n is KH KW, the number of places in the window."""
    return np.full(seen.shape, 1 / c.kernel[0])


@mistake("divided by one side of the kernel", AVG, "dx", "shares", MEAN)
def by_width(seen, c):
    """The same in another form."""
    return np.full(seen.shape, 1 / c.kernel[1])


@mistake("divided by the stride's square", AVG, "dx", "shares", MEAN)
def stride_squared(seen, c):
    """n is the number of places in the window, s s is the same only where windows tile."""
    return np.full(seen.shape, 1 / np.prod(c.stride))


@mistake("divided by the number of outputs", AVG, "dx", "shares", MEAN)
def by_outputs(seen, c):
    """n is the number of places in a window, not that of the windows."""
    return np.full(seen.shape, 1 / c.positions)


@mistake("divided by the size of x", AVG, "dx", "shares", MEAN)
def by_inputs(seen, c):
    """n is the number of places in a window, not that of the whole image."""
    return np.full(seen.shape, 1 / np.prod(c.x.shape[1:3]))


@mistake("one place of the window gets it all", AVG, "dx", "shares", MEAN)
def one_place(seen, c):
    """All places of a window made the mean; here its first gets the whole delta."""
    shares = np.zeros(seen.shape)
    shares[0] = 1
    return shares
