"""Backward through a convolution, in one axis or two, and through a dense layer, which is a convolution with
kernels of 1 x 1 on images of 1 x 1: the right steps, and the mistakes that people make in them."""

import numpy as np

from .mistakes import mistake, same

CONV, ALL = "conv2d conv1d", "conv2d conv1d dense"
KERNEL = "conv_backprop#why-is-the-kernel-rotated-by-180-degrees"
STRIDE = "conv_backprop_general#table-of-cases-stride-padding-dilation"
CHANNELS = "conv_backprop_general#several-channels-and-filters-each-pair-o-c-for-itself"
AXES = "conv_backprop_general#np-rot90-on-a-4-d-array-rotates-the-wrong-axes"
WEIGHTS = "conv_backprop#the-gradient-of-the-kernel-s-weights-is-dw-rotated"
BIAS = "conv_backprop#the-bias-gradient-sum-or-mean"
DENSE = "delta_recursion#wrong-answers"
GATHERED, SCATTERED = {"between", "border"}, {"scatter", "place", "crop"}


# ---- the steps ----------------------------------------------------------------------------------------


def dx(c, step):
    """Every output sends delta times the kernel back to its window; or, the same, every input gathers."""
    if step.replaced & GATHERED:
        return None if step.replaced & SCATTERED else gather(c, step)
    W, delta = step.kernel(c.W, c), step.delta(c.delta, c)
    return step.crop(step.scatter(W, delta, c, step), c)


def gather(c, step):
    """The full correlation of the spread deltas with the rotated kernels."""
    (turned, delta), (KH, KW) = (step.kernel(c.W, c)[:, :, ::-1, ::-1], step.delta(c.delta, c)), c.kernel
    spread = step.border(step.between(delta, c), c)
    OH, OW = spread.shape[1] - KH + 1, spread.shape[2] - KW + 1
    if min(OH, OW) < 1:
        return None
    seen = np.stack([spread[:, u : u + OH, v : v + OW] for u, v in c.taps], 1)
    return np.tensordot(turned.reshape(*turned.shape[:2], -1), seen, ((0, 2), (0, 1)))


def dW(c, step):
    """Each weight meets, at each place of its window, a delta and an input."""
    x, delta = step.padded(c.x, c), step.delta(c.delta, c)
    return step.weights(x, delta, c, step)


def weights(x, delta, c, step):
    """The sums over positions and examples, place by place of the window; (O, C, KH, KW)."""
    seen = np.stack([x[step.read(u, v, c)] for u, v in c.taps], 1)
    found = np.tensordot(delta, seen, ((1, 2, 3), (2, 3, 4)))
    return found.reshape(*found.shape[:2], *c.kernel)


def db(c, step):
    """A bias meets every delta of its channel."""
    return step.bias(step.delta(c.delta, c), c)


def scatter(W, delta, c, step):
    """Each output's delta times the kernel, added to its window; (C, H + 2 p, W + 2 p, N)."""
    full, sent = np.zeros(c.padded), np.tensordot(W, delta, (0, 0))
    for u, v in c.taps:
        full[step.place(u, v, c)] += sent[:, u, v]
    return full


def window(u, v, c):
    """Where the outputs find the place (u, v) of their windows."""
    (OH, OW), (sh, sw) = c.delta.shape[1:3], c.stride
    return slice(None), slice(u, u + sh * OH, sh), slice(v, v + sw * OW, sw)


def crop(full, c):
    """What the padding framed."""
    (ph, pw), (_, H, W, _) = c.padding, c.x.shape
    return full[:, ph : ph + H, pw : pw + W]


def between(delta, c):
    """The deltas with s - 1 zeros between two of them."""
    return spread_by(c.stride, delta)


def spread_by(stride, delta):
    """delta with stride - 1 zeros between two of its numbers, in both axes."""
    (sh, sw), (D, OH, OW, N) = np.broadcast_to(stride, 2), delta.shape
    spread = np.zeros((D, sh * (OH - 1) + 1, sw * (OW - 1) + 1, N))
    spread[:, ::sh, ::sw] = delta
    return spread


def border(spread, c):
    """K - 1 - p zeros around, and the rows that no window reached."""
    return frame(spread, *((k - 1 - p, k - 1 - p + left) for k, p, left in zip(c.kernel, c.padding, c.left)))


def frame(a, *sides):
    """Zeros around H and W, or less of them where a width is negative."""
    if not any(map(any, sides)):
        return a
    a = np.pad(a, ((0, 0), *((max(n, 0), max(m, 0)) for n, m in sides), (0, 0)))
    (top, bottom), (left, right) = sides
    rows, cols = slice(max(-top, 0), min(bottom, 0) or None), slice(max(-left, 0), min(right, 0) or None)
    return a[:, rows, cols]


def padded(x, c):
    """x with zeros around it."""
    return frame(x, *((p, p) for p in c.padding))


def bias(delta, c):
    """The sum of all deltas of a channel."""
    return delta.sum(axis=(1, 2, 3))


STEPS = dict(delta=same, kernel=same, after=same, scatter=scatter, place=window, crop=crop, between=between)
STEPS |= dict(border=border, padded=padded, weights=weights, read=window, bias=bias)
RIGHT = dict.fromkeys(ALL.split(), STEPS)
GRADIENTS = dict.fromkeys(ALL.split(), {"dx": dx, "dW": dW, "db": db})


# ---- the kernel ---------------------------------------------------------------------------------------


@mistake("kernel not rotated", CONV, "dx", "kernel", KERNEL)
def not_rotated(W, c):
    """The kernel lies the wrong way round: gathered, it must be rotated by 180 degrees; scattered, it must not."""
    return W[:, :, ::-1, ::-1]


@mistake("delta rotated in place of the kernel", CONV, "dx", "after", KERNEL)
def rotated_instead(dx, c):
    """The rotated deltas with the kernel as it is give dx rotated: it is the kernel that turns."""
    return dx[:, ::-1, ::-1]


@mistake("kernel flipped along one axis only", "conv2d", "dx", "kernel", KERNEL)
def flipped_once(W, c):
    """A rotation by 180 degrees flips rows and columns; here one of the two is flipped."""
    return W[:, :, :, ::-1]


@mistake("kernel flipped along one axis only", "conv2d", "dx", "kernel", KERNEL)
def flipped_once_too(W, c):
    """The same in another form."""
    return W[:, :, ::-1]


@mistake("kernel rotated by 90 degrees", "conv2d", "dx", "kernel", KERNEL)
def quarter_turn(W, c):
    """np.rot90 turns once unless it is told k=2."""
    return np.rot90(W, -1, axes=(2, 3))


@mistake("kernel rotated by 90 degrees", "conv2d", "dx", "kernel", KERNEL)
def quarter_turn_back(W, c):
    """The same in another form."""
    return np.rot90(W, 1, axes=(2, 3))


@mistake("rot90 or flip on the wrong axes", CONV, "dx", "kernel", KERNEL)
def turned_other_axes(W, c):
    """np.rot90(W, 2) turns the first two axes, which are not the kernel's rows and columns."""
    turned = c.from_user("W", np.flip(c.user("W"), (0, 1)))
    return turned[:, :, ::-1, ::-1]


@mistake("rot90 or flip on the wrong axes", CONV, "dx", "kernel", KERNEL)
def turned_all_axes(W, c):
    """The same in another form."""
    return W[::-1, ::-1]


@mistake("rot90 or flip on the wrong axes", CONV, "dx", "kernel", KERNEL)
def turned_last_axes(W, c):
    """The same in another form."""
    turned = c.from_user("W", np.flip(c.user("W"), (-2, -1)))
    return turned[:, :, ::-1, ::-1]


@mistake("kernel's rows and columns exchanged", "conv2d", "dx", "kernel", KERNEL)
def kernel_transposed(W, c):
    """Each kernel is transposed, as .T does with all axes at once."""
    return W.swapaxes(2, 3)


@mistake("in and out channels not swapped", CONV, "dx", "kernel", CHANNELS)
def not_swapped(W, c):
    """Backward the kernels lead from the outputs to the inputs, so the two channel axes change places."""
    return W.swapaxes(0, 1)


@mistake("W instead of its transpose", "dense", "dx", "kernel", DENSE)
def not_transposed(W, c):
    """Backward needs the other axis of W: W instead of its transpose fits only where W is square."""
    return W.swapaxes(0, 1)


# ---- stride and padding ---------------------------------------------------------------------------------


@mistake("stride ignored in dx", CONV, "dx", "place", STRIDE)
def no_stride(u, v, c):
    """The window of output (i, j) starts at (s i, s j), not at (i, j)."""
    OH, OW = c.delta.shape[1:3]
    return slice(None), slice(u, u + OH), slice(v, v + OW)


@mistake("stride ignored along one axis", "conv2d", "dx", "place", STRIDE)
def no_stride_in_rows(u, v, c):
    """Rows and columns both start at a multiple of the stride."""
    return slice(None), slice(u, u + c.delta.shape[1]), window(u, v, c)[2]


@mistake("stride ignored along one axis", "conv2d", "dx", "place", STRIDE)
def no_stride_in_columns(u, v, c):
    """The same in another form."""
    return slice(None), window(u, v, c)[1], slice(v, v + c.delta.shape[2])


@mistake("zeros between the deltas missing", CONV, "dx", "between", STRIDE)
def nothing_between(delta, c):
    """At stride s, s - 1 zeros belong between two deltas before the full correlation."""
    return delta


@mistake("one zero between the deltas at every stride", CONV, "dx", "between", STRIDE)
def one_between(delta, c):
    """Between two deltas stand s - 1 zeros: one zero is right for stride 2 alone."""
    return spread_by(2, delta)


@mistake("one zero between the deltas at every stride", CONV, "dx", "between", STRIDE)
def one_between_unless_stride_1(delta, c):
    """The same in another form."""
    return spread_by(np.minimum(c.stride, 2), delta)


@mistake("one zero between the deltas at every stride", CONV, "dx", "between", STRIDE)
def one_between_to_size(delta, c):
    """The same in another form."""
    near, right = spread_by(np.minimum(c.stride, 2), delta), between(delta, c)
    return frame(near, *((0, m - n) for n, m in zip(near.shape[1:3], right.shape[1:3])))


@mistake("a loop of another axis's length", "conv2d", "dx", "between", CHANNELS)
def between_columns_by_rows(delta, c):
    """The same in another form."""
    spread, rows = between(np.zeros(delta.shape), c), delta.shape[1]
    columns = [j + (c.stride[1] - 1) * min(j, rows - 1) for j in range(delta.shape[2])]
    spread[:, :: c.stride[0], columns] = delta
    return spread


@mistake("zeros between the deltas: s in place of s - 1", CONV, "dx", "between", STRIDE)
def too_much_between(delta, c):
    """Between two deltas stand s - 1 zeros, here it is s of them."""
    return spread_by(np.add(c.stride, 1), delta)


@mistake("delta padded by p in place of K - 1 - p", CONV, "dx", "border", STRIDE)
def padded_as_forward(spread, c):
    """The border around the deltas is K - 1 - p wide; p is the forward pass's, and the same only if K = 2 p + 1."""
    return frame(spread, *((p, p + left) for p, left in zip(c.padding, c.left)))


@mistake("delta padded by p in place of K - 1 - p", CONV, "dx", "border", STRIDE)
def padded_as_forward_no_rest(spread, c):
    """The same in another form."""
    return frame(spread, *((p, p) for p in c.padding))


@mistake("delta padded by p in place of K - 1 - p", CONV, "dx", "border", STRIDE)
def padded_as_forward_to_size(spread, c):
    """The same in another form."""
    rest = [n + k - 1 - p - m for n, k, p, m in zip(c.x.shape[1:], c.kernel, c.padding, spread.shape[1:])]
    return frame(spread, *zip(c.padding, rest))


@mistake("delta padded by p in place of K - 1 - p", CONV, "dx", "border", STRIDE)
def padded_as_forward_if_padded(spread, c):
    """The same in another form."""
    sides = [p or k - 1 for p, k in zip(c.padding, c.kernel)]
    return frame(
        spread,
        *((n, h + k - 1 - n - m) for n, h, k, m in zip(sides, c.x.shape[1:], c.kernel, spread.shape[1:])),
    )


@mistake("correlated in mode same or valid in place of full", CONV, "dx", "border", KERNEL)
def in_mode_same(spread, c):
    """Backward every input meets every kernel that saw it, which is the mode full: K - 1 zeros around delta."""
    return frame(spread, *((k // 2, k - 1 - k // 2) for k in c.kernel))


@mistake("correlated in mode same or valid in place of full", CONV, "dx", "border", KERNEL)
def in_mode_valid(spread, c):
    """The same in another form."""
    return spread


@mistake("dx too small where the stride leaves rows over", CONV, "dx", "border", STRIDE)
def rest_forgotten(spread, c):
    """s (outputs - 1) + K - 2p rows are too few: r are missing at the end. Their gradient is zero only where no window reached them."""
    return frame(spread, *((k - 1 - p,) * 2 for k, p in zip(c.kernel, c.padding)))


@mistake("padding not cropped", CONV, "dx", "crop", STRIDE)
def uncropped(full, c):
    """dx still has the frame that was put around x."""
    return full


@mistake("padding not cropped", CONV, "dx", "border", STRIDE)
def padded_in_full(spread, c):
    """The same in another form."""
    return frame(spread, *((k - 1, k - 1 + left) for k, left in zip(c.kernel, c.left)))


@mistake("padding cropped by p:-p, empty at p = 0", CONV, "dx", "crop", STRIDE)
def cropped_by_minus_p(full, c):
    """With p = 0 the slice p:-p is 0:0, which is empty."""
    ph, pw = c.padding
    rows = slice(ph, -ph) if c.unit[0] else slice(None)  # in one axis there are no rows to crop
    return full[:, rows, pw:-pw]


@mistake("dx cut from the corner of the padded one", CONV, "dx", "crop", STRIDE)
def cut_at_the_corner(full, c):
    """Padding is ignored in dx: the frame goes at all four sides, not at the end only."""
    return full[:, : c.x.shape[1], : c.x.shape[2]]


@mistake("dx shifted by one", CONV, "dx", "crop", STRIDE)
def shifted(full, c):
    """Padding or border is off by one, so each number stands one row and one column too far."""
    return crop(frame(full, *((n, n) for n in c.unit)), c)


@mistake("dx shifted by one", CONV, "dx", "crop", STRIDE)
def shifted_back(full, c):
    """The same in another form."""
    dh, dw = c.unit
    return crop(frame(full, (0, 2 * dh), (0, 2 * dw))[:, dh:, dw:], c)


@mistake("overlap overwritten instead of added", CONV, "dx", "scatter", KERNEL)
def overwritten(W, delta, c, step):
    """A pixel that several windows saw gets the sum of what they send; = keeps the last one, += adds."""
    full, sent = np.zeros(c.padded), np.tensordot(W, delta, (0, 0))
    for u, v in c.taps[::-1]:  # so that the last window remains
        full[step.place(u, v, c)] = sent[:, u, v]
    return full


@mistake("overlap overwritten instead of added", CONV, "dx", "scatter", KERNEL)
def overwritten_by_tap(W, delta, c, step):
    """The same in another form."""
    full, sent = np.zeros(c.padded), np.tensordot(W, delta, (0, 0))
    for u, v in c.taps:
        full[step.place(u, v, c)] = sent[:, u, v]
    return full


@mistake("dx keeps one output channel only", ALL, "dx", "scatter", CHANNELS)
def last_channel(W, delta, c, step):
    """An input feeds every output channel, so dx sums over them; here one channel overwrites or stands for all."""
    return scatter(W[-1:], delta[-1:], c, step)


@mistake("dx keeps one output channel only", ALL, "dx", "scatter", CHANNELS)
def first_channel(W, delta, c, step):
    """The same in another form."""
    return scatter(W[:1], delta[:1], c, step)


@mistake("one input channel's kernel for all", CONV, "dx", "kernel", CHANNELS)
def first_kernel(W, c):
    """Each input channel has its own kernels: an index 0 stands where c belongs."""
    return np.broadcast_to(W[:, :1], W.shape)


@mistake("one output channel's kernel for all", CONV, "dx", "kernel", CHANNELS)
def first_filter(W, c):
    """Each output channel has its own kernels: an index 0 stands where the channel belongs."""
    return np.broadcast_to(W[:1], W.shape)


@mistake("dx summed over the input channels", CONV, "dx", "kernel", CHANNELS)
def kernels_summed(W, c):
    """Each input channel has a gradient of its own; here all get the sum."""
    return np.broadcast_to(W.sum(axis=1, keepdims=True), W.shape)


@mistake("overlap and channels overwritten instead of added", CONV, "dx", "scatter", KERNEL)
def all_overwritten(W, delta, c, step):
    """= in the innermost loop: of all that windows and channels send to a pixel the last remains."""
    return overwritten(W[-1:], delta[-1:], c, step)


@mistake("overlap and channels overwritten instead of added", CONV, "dx", "scatter", KERNEL)
def all_overwritten_by_tap(W, delta, c, step):
    """The same in another form."""
    return overwritten_by_tap(W[-1:], delta[-1:], c, step)
