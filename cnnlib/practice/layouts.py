"""Arrays read in another order than they are laid out: a reshape where a transpose belongs."""

from .mistakes import mistake

LAYERS = "conv2d conv1d dense"
LAYOUT = "conv_backprop_general#nchw-and-nhwc-the-layouts-of-pytorch-and-tensorflow"
# Orders that programs use for images (channels first, examples first, columns of im2col) and for kernels.
IMAGES, KERNELS = ("CNHW", "CHWN", "NHWC", "NCHW", "HWNC"), ("OIHW", "OHWI", "IOHW", "IHWO", "HWIO", "HWOI")


def arranged(array, book, order):
    """An array in the book's order of axes, in another one."""
    return array.transpose([book.index(letter) for letter in order])


def read(flat, sizes, order, book):
    """Numbers as they lie in memory, read as if their axes had this order; in the book's order."""
    array = flat.reshape([sizes[letter] for letter in order])
    return array.transpose([order.index(letter) for letter in book])


@mistake("delta reshaped instead of transposed", LAYERS, "dx dW db", "delta", LAYOUT)
def delta_reshaped(delta, c):
    """A reshape to (O, -1) reads delta in the order in which it lies; the channels' axis must come first before."""
    sizes = dict(zip("CHWN", delta.shape))
    return read(c.to_user("x", delta), sizes, "CNHW", "CHWN")


def delta_as(source, target):
    """Registers one more order in which delta lies (None: the user's) and one in which it is read."""

    @mistake("delta reshaped instead of transposed", LAYERS, "dx dW db", "delta", LAYOUT)
    def wrongly_read(delta, c):
        flat = arranged(delta, "CHWN", source) if source else c.to_user("x", delta)
        return read(flat, dict(zip("CHWN", delta.shape)), target, "CHWN")


@mistake("W reshaped instead of transposed", LAYERS, "dx", "kernel", LAYOUT)
def W_reshaped(W, c):
    """A reshape to (I, O, ...) gives the shape of the transposed W, and reads its numbers in another order."""
    return read(c.to_user("W", W), dict(zip("OIHW", W.shape)), "IOHW", "OIHW")


def W_as(order):
    """Registers one more order in which W is read."""

    @mistake("W reshaped instead of transposed", LAYERS, "dx", "kernel", LAYOUT)
    def wrongly_read(W, c):
        return read(c.to_user("W", W), dict(zip("OIHW", W.shape)), order, "OIHW")


@mistake("dW reshaped instead of transposed", LAYERS, "dW", "after", LAYOUT)
def dW_reshaped(dW, c):
    """The product has its axes in another order than W, and a reshape reads it in the wrong one."""
    flat = arranged(dW, "OIHW", "IOHW")
    return c.from_user("W", flat.reshape(c.to_user("W", dW).shape))


def dW_as(order):
    """Registers one more order of axes in which dW is computed."""

    @mistake("dW reshaped instead of transposed", LAYERS, "dW", "after", LAYOUT)
    def wrongly_shaped(dW, c):
        return c.from_user("W", arranged(dW, "OIHW", order).reshape(c.to_user("W", dW).shape))


@mistake("dx reshaped instead of transposed", LAYERS, "dx", "after", LAYOUT)
def dx_reshaped(dx, c):
    """dx is computed with its axes in another order than x, and a reshape reads it in the wrong one."""
    return c.from_user("x", arranged(dx, "CHWN", "CNHW").reshape(c.to_user("x", dx).shape))


def dx_as(order):
    """Registers one more order of axes in which dx is computed."""

    @mistake("dx reshaped instead of transposed", LAYERS, "dx", "after", LAYOUT)
    def wrongly_shaped(dx, c):
        return c.from_user("x", arranged(dx, "CHWN", order).reshape(c.to_user("x", dx).shape))


for _target in IMAGES:
    dx_as(_target)
    for _source in (None, *IMAGES):
        if _source != _target:
            delta_as(_source, _target)
for _order in KERNELS:
    W_as(_order)
    dW_as(_order)
