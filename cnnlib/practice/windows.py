"""Mistakes of pooling that a test with windows side by side does not see: masks that windows share, paths of
their own for windows that tile, and rows and columns exchanged on the way back."""

import numpy as np

from .convolution import crop, no_stride, window
from .mistakes import mistake
from .pooling import (
    AVG,
    BOTH,
    MAX,
    MEAN,
    ONE,
    OVERLAP,
    STRIDE,
    TIES,
    searched_without_stride,
    to_all,
    to_all_in_shares,
    winner,
)


def tiles(c):
    """Whether windows lie side by side: as many rows and columns as the stride goes on."""
    return c.stride == c.kernel


def covers(c):
    """Whether windows lie side by side and no row or column is left over."""
    return tiles(c) and not any(c.left)


def square(c):
    """Whether the windows are square, lie side by side, and cover everything."""
    return covers(c) and c.kernel[0] == c.kernel[1]


def where(condition, other, name, convention=""):
    """Registers a rule for ties that a faster path has, which is taken where windows tile."""

    @mistake(name, MAX, "dx", "shares", TIES, convention)
    def faster(seen, c):
        """The same in another form."""
        return other(seen, c) if condition(c) else winner(seen, c)


for _condition in (tiles, covers, square):
    where(_condition, to_all, "ties: every maximum gets the whole delta")
    where(_condition, to_all_in_shares, "ties: the maxima share the delta")


@mistake("one mask for all windows", MAX, "dx", "mask", OVERLAP)
def shared_mask(shares, c):
    """Each window has its own maximum; in one mask for the image the others' maxima get this window's delta too."""
    full = np.zeros(c.padded)
    for (u, v), share in zip(c.taps, shares):
        full[window(u, v, c)] = np.maximum(full[window(u, v, c)], share)
    return np.stack([full[window(u, v, c)] for u, v in c.taps])


@mistake("one mask for all windows", MAX, "dx", "mask", OVERLAP)
def first_of_shared_mask(shares, c):
    """The same in another form."""
    marked = shared_mask(shares, c) > 0
    return np.arange(len(marked)).reshape(-1, 1, 1, 1, 1) == marked.argmax(axis=0)


@mistake("place in the window taken for the place in x", MAX, "dx", "put", ONE)
def place_in_window_overwritten(shares, c, step):
    """The same in another form."""
    full = np.zeros(c.padded)
    for i, j in np.ndindex(c.delta.shape[1:3]):
        for (u, v), share in zip(c.taps, shares[:, :, i, j]):
            full[:, u, v] = np.where(share, share, full[:, u, v])
    return full


@mistake("stride ignored in pooling", MAX, "dx", "put", STRIDE)
def searched_and_put_without_stride(shares, c, step):
    """The window of output (i, j) starts at (s i, s j), where its maximum is searched and where delta is put."""
    return put_without_stride(step.shares(searched_without_stride(c), c) * step.delta(c.delta, c), c)


def put_without_stride(shares, c):
    """Every window one place after the other."""
    full = np.zeros(c.padded)
    for (u, v), share in zip(c.taps, shares):
        full[no_stride(u, v, c)] += share
    return full


@mistake("rows and columns of x exchanged on the way back", BOTH, "dx", "put", STRIDE)
def other_way_round(shares, c, step):
    """H and W have changed places: dx is laid out as if x had W rows and H columns, and then reshaped."""
    K, C, OH, OW, N = shares.shape
    _, H, W, _ = c.padded
    flat = shares.reshape(K, C, OW, OH, N)
    full, (sh, sw) = np.zeros((C, W, H, N)), c.stride
    for (u, v), share in zip(c.taps, flat):
        full[:, u : u + sh * OW : sh, v : v + sw * OH : sw] += share
    return full.reshape(C, H, W, N)


@mistake("pooling: dx too small where the stride leaves rows over", BOTH, "dx", "crop", STRIDE)
def only_what_windows_reach(full, c):
    """Rows that no window reached are rows of x all the same: their gradient is zero."""
    reached = [n + p - left for n, p, left in zip(c.x.shape[1:], c.padding, c.left)]
    return crop(full, c)[:, : reached[0], : reached[1]]


@mistake("shared in proportion to x", AVG, "dx", "shares", MEAN)
def in_proportion(seen, c):
    """Each place of a window has the same share in a mean, whatever stands there: delta / n."""
    return seen / seen.sum(axis=0)


@mistake("argmax over all examples", MAX, "dx", "shares", ONE)
def over_examples(seen, c):
    """Each example has its own maximum; here the largest of all examples gets the deltas."""
    return seen == seen.max(axis=(0, 4), keepdims=True)[0]
