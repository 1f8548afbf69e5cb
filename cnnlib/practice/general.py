"""Mistakes that can be made in every layer: in what is averaged, in what is read, and in the sign."""

import numpy as np

from .mistakes import mistake

LAYERS = "conv2d conv1d dense"
POOLS = "max_pool2d avg_pool2d"
ALL = f"{LAYERS} {POOLS} relu sigmoid tanh softmax_cross_entropy squared_error"
ANY = "dx dW db dscores doutputs"
AVERAGE = "batch_averaging#wrong-answers"
RECURSION = "delta_recursion#wrong-answers"
LAYOUT = "conv_backprop_general#the-backward-pass-of-a-convolution-with-every-index"
SUMMED_LOSS = "delta is that of a loss summed over the examples, and the layer does the averaging"


@mistake("wrong sign", ALL, ANY, "after", RECURSION)
def sign(gradient, c):
    """The gradient points downhill: target minus output in place of output minus target, or the minus twice."""
    return -gradient


@mistake(
    "averaged over the examples once more", f"{LAYERS} {POOLS}", "dx dW db", "after", AVERAGE, SUMMED_LOSS
)
def averaged(gradient, c):
    """The mean over the examples is in delta already, so here everything is summed and nothing divided by N."""
    return gradient / c.N


@mistake("averaged over the positions", "conv2d conv1d", "dx dW db", "after", AVERAGE)
def averaged_over_positions(gradient, c):
    """A shared weight sums over its positions, it does not average."""
    return gradient / c.positions


@mistake("averaged over examples and positions", "conv2d conv1d", "dW db", "after", AVERAGE)
def averaged_over_both(gradient, c):
    """np.mean over all that belongs in a sum: it divides by N OH OW."""
    return gradient / (c.N * c.positions)


@mistake("divided by the kernel's size", "conv2d conv1d", "dx dW", "after", AVERAGE)
def divided_by_the_kernel(gradient, c):
    """Only average pooling divides by the number of places in its window."""
    return gradient / np.prod(c.kernel)


@mistake("multiplied by the number of examples", LAYERS, "dx dW db", "after", AVERAGE)
def times_examples(gradient, c):
    """Something is summed N times, or the loss's mean is taken back."""
    return gradient * c.N


def repeated(factor):
    """Registers one more count of turns."""

    @mistake("added once for every turn of another loop", "conv2d conv1d", "dW db", "after", AVERAGE)
    def turns(gradient, c):
        """What does not change in a loop is added in it, so it counts once for each turn: C, O, OH OW or KH KW times."""
        return gradient * factor(c)


for _turned in (
    lambda c: c.positions,
    lambda c: len(c.x),
    lambda c: len(c.delta),
    lambda c: np.prod(c.kernel),
    lambda c: c.N * c.positions,
    lambda c: len(c.x) * np.prod(c.kernel),
):
    repeated(_turned)


@mistake("delta cut where it is negative", LAYERS, "dx dW db", "delta", RECURSION)
def delta_masked(delta, c):
    """A ReLU's mask comes from its input z; here it comes from delta's sign."""
    return delta * (delta > 0)


@mistake("rows and columns of delta exchanged", f"conv2d {POOLS}", "dx dW db", "delta", LAYOUT)
def delta_transposed(delta, c):
    """delta[j, i] stands where delta[i, j] belongs, or the windows start at (s j, s i): no error in square images."""
    return delta.swapaxes(1, 2)


@mistake("one index of delta for row and column", f"conv2d {POOLS}", "dx dW db", "delta", LAYOUT)
def same_index(delta, c):
    """delta[i, i] stands where delta[i, j] belongs."""
    rows = np.arange(delta.shape[1])[:, None]
    return delta[:, np.broadcast_to(rows, delta.shape[1:3]), rows]


def taken_along(slope):
    """Registers one more activation function."""

    @mistake(
        "f' of the layer before taken along",
        LAYERS,
        "dx",
        "after",
        RECURSION,
        "x is the output of an activation, and dx is meant as the delta before it",
    )
    def along(dx, c):
        """dx is multiplied by the slope of the activation before this layer, which has a backward pass of its own."""
        return dx * slope(c.x)


for _of_output in (lambda a: a * (1 - a), lambda a: 1 - a * a, lambda a: a > 0, lambda a: a):
    taken_along(_of_output)


def clipped(limit):
    """Registers one more limit to which programs clip their gradients."""

    @mistake(
        "gradient clipped",
        f"{LAYERS} {POOLS}",
        "dx dW db",
        "after",
        "gradient_descent#one-step-of-gradient-descent",
        "gradients are meant to be clipped in the layer",
    )
    def clip(gradient, c):
        """np.clip cuts what is large: that belongs into the step, after all gradients are known."""
        return np.clip(gradient, -limit, limit)


for _limit in (1, 5, 0.5, 0.1):
    clipped(_limit)


@mistake(
    "gradient normalised", f"{LAYERS}", "dx dW db", "after", "gradient_descent#one-step-of-gradient-descent"
)
def normalised(gradient, c):
    """The gradient is divided by its own length: its size is lost, and the step does not shrink at the bottom."""
    return gradient / (np.linalg.norm(gradient) or 1)


@mistake(
    "gradient normalised", f"{LAYERS}", "dx dW db", "after", "gradient_descent#one-step-of-gradient-descent"
)
def normalised_by_the_largest(gradient, c):
    """The same in another form."""
    return gradient / (np.abs(gradient).max() or 1)


@mistake("twice too large", ALL, ANY, "after", RECURSION)
def doubled(gradient, c):
    """A 2 too much: from the square without its half, or from adding the same twice."""
    return 2 * gradient


@mistake("half as large", ALL, ANY, "after", RECURSION)
def halved(gradient, c):
    """A 1/2 too much: it goes when a square is differentiated."""
    return gradient / 2


@mistake("the gradient does not begin at zero", LAYERS, "dW", "after", AVERAGE)
def begins_at_W(dW, c):
    """The sum begins with W, x or ones where it must begin with zeros."""
    return dW + c.W


@mistake("the gradient does not begin at zero", LAYERS, "dx", "after", AVERAGE)
def begins_at_x(dx, c):
    """The same in another form."""
    return dx + c.x


@mistake("the gradient does not begin at zero", LAYERS, "db", "after", AVERAGE)
def begins_at_b(db, c):
    """The same in another form."""
    return db + c.b


@mistake("the gradient does not begin at zero", LAYERS, "dW db dx", "after", AVERAGE)
def begins_at_one(gradient, c):
    """The same in another form."""
    return gradient + 1


@mistake("dx of all examples in one", f"{LAYERS} {POOLS}", "dx", "after", AVERAGE)
def all_into_the_first(dx, c):
    """Each example has its own dx: an index 0 stands where n belongs, and all are added there."""
    only = np.zeros_like(dx)
    only[..., 0] = dx.sum(axis=-1)
    return only


@mistake("dx of all examples in one", f"{LAYERS} {POOLS}", "dx", "after", AVERAGE)
def all_into_the_last(dx, c):
    """The same in another form."""
    only = np.zeros_like(dx)
    only[..., -1] = dx.sum(axis=-1)
    return only


@mistake("one example's delta for all", f"{LAYERS} {POOLS}", "dx dW", "delta", AVERAGE)
def delta_of_the_first(delta, c):
    """Each example has its own deltas: an index 0 stands where n belongs."""
    return np.broadcast_to(delta[..., :1], delta.shape)


@mistake("one channel's delta for all", f"conv2d conv1d {POOLS}", "dx", "delta", LAYOUT)
def delta_of_the_first_channel(delta, c):
    """Each channel has its own deltas: an index 0 stands where the channel belongs."""
    return np.broadcast_to(delta[:1], delta.shape)


@mistake("weights updated before dx is taken", LAYERS, "dx", "along", "gradient_descent#wrong-answers")
def updated_first(c, right):
    """dx belongs to the W of the forward pass: W - lr dW is another one. First all gradients, then all updates."""
    return right(c, "dx", W=right(c, "dW"))


@mistake("weights updated before dx is taken", LAYERS, "dx", "along", "gradient_descent#wrong-answers")
def updated_first_by_the_mean(c, right):
    """The same in another form."""
    return right(c, "dx", W=right(c, "dW") / c.N)


@mistake(
    "weight decay in the gradient",
    LAYERS,
    "dW",
    "along",
    "gradient_descent#why-biases-are-not-decayed",
    "the loss has a penalty for large weights, and this layer adds its gradient",
)
def decay_added(c, right):
    """A multiple of W is added to dW: decay belongs to the optimiser, or it is counted twice."""
    return c.W


@mistake(
    "the updated parameter in place of its gradient",
    LAYERS,
    "dW",
    "along",
    "gradient_descent#one-step-of-gradient-descent",
)
def updated_W(c, right):
    """W - lr dW is returned where dW belongs: what is to be done with a gradient is the optimiser's business."""
    return c.W, right(c, "dW")


@mistake(
    "the updated parameter in place of its gradient",
    LAYERS,
    "db",
    "along",
    "gradient_descent#one-step-of-gradient-descent",
)
def updated_b(c, right):
    """The same in another form."""
    return c.b, right(c, "db")


@mistake("decay on the bias", LAYERS, "db", "along", "gradient_descent#why-biases-are-not-decayed")
def bias_decay(c, right):
    """A multiple of b is added to db: biases do not decay."""
    return c.b


@mistake(
    "computed in single precision",
    ALL,
    ANY,
    "after",
    "gradient_check#float32-or-float64",
    "float32 is meant",
)
def single(gradient, c):
    """float32 has seven digits: too few for a gradient check, enough for training."""
    return gradient.astype(np.float32)


@mistake(
    "integers: fractions are cut off",
    f"{LAYERS} {POOLS} relu squared_error",
    ANY,
    "after",
    "gradient_check#the-recipe-of-a-gradient-check",
)
def truncated(gradient, c):
    """An array of integers, as np.zeros_like makes it from one, drops what is after the point."""
    return np.trunc(gradient).astype(int)


@mistake("gradient accumulated over calls", ALL, ANY, "accumulated", AVERAGE)
def accumulated(gradient, c):
    """+= on an array that outlives the call: each call adds to the one before, unless it is set to zero."""
    return 2 * gradient  # after the second call


@mistake("np.empty or random numbers in place of zeros", ALL, ANY, "begun", AVERAGE)
def not_set(gradient, c):
    """A sum begins with what np.empty finds in memory, or with random numbers: np.zeros belongs there."""
    return gradient + np.empty(gradient.shape)


@mistake("input changed in place", ALL, ANY, "changed", RECURSION)
def changed(x, c):
    """The function writes into an array that it was given, so the caller's x, W or delta is another one after it."""
    x *= 0  # whatever it writes
