"""Backward through activation functions: the right steps, and the mistakes that people make in them."""

import numpy as np

from .mistakes import mistake, same

RELU, SIGMOID, TANH, SMOOTH = "relu", "sigmoid", "tanh", "sigmoid tanh"
BEND = "delta_recursion#the-delta-of-a-hidden-unit"
SLOPE, KINK = "delta_recursion#wrong-answers", "pooling#ties-in-max-pooling-which-maximum-gets-the-gradient"
OF_OUTPUT = "the argument is the output a = f(z), not z"


def dx(c, step):
    """delta times the slope at x."""
    return step.join(step.slope(c.x, c), step.delta(c.delta, c), c)


def join(slope, delta, c):
    """The chain rule: slope times delta."""
    return slope * delta


def f(z, of):
    """The function itself."""
    return {RELU: lambda: np.maximum(z, 0), SIGMOID: lambda: 1 / (1 + np.exp(-z)), TANH: lambda: np.tanh(z)}[
        of
    ]()


def of_output(a, of):
    """The slope, from the output a."""
    return {RELU: lambda: a > 0, SIGMOID: lambda: a * (1 - a), TANH: lambda: 1 - a * a}[of]()


def slope(z, c):
    """The slope at z."""
    return of_output(f(z, c.of), c.of)


RIGHT = dict.fromkeys([RELU, SIGMOID, TANH], dict(delta=same, after=same, slope=slope, join=join))
GRADIENTS = dict.fromkeys(RIGHT, {"dx": dx})


@mistake("f' missing", "relu sigmoid tanh", "dx", "join", SLOPE)
def no_slope(slope, delta, c):
    """delta goes through unchanged: the slope of the function is left out."""
    return delta


@mistake("f' without delta", "relu sigmoid tanh", "dx", "join", SLOPE)
def no_delta(slope, delta, c):
    """The slope alone: the chain rule multiplies it by delta."""
    return slope * np.ones(delta.shape)


@mistake("f in place of f'", "relu sigmoid tanh", "dx", "slope", SLOPE)
def function_itself(z, c):
    """The function is used where its slope belongs."""
    return f(z, c.of)


@mistake("f' of z as if z were a", SMOOTH, "dx", "slope", BEND, OF_OUTPUT)
def as_if_output(z, c):
    """a (1 - a) and 1 - a^2 are right for the output a = f(z); put z in, and they are not."""
    return of_output(z, c.of)


@mistake("f' of a in place of z", SMOOTH, "dx", "slope", BEND)
def function_twice(z, c):
    """f' is written for z and gets a, so that f is applied twice."""
    return slope(f(z, c.of), c)


@mistake("the derivative of the other function", SIGMOID, "dx", "slope", SLOPE)
def like_tanh(z, c):
    """1 - a^2 belongs to tanh, a (1 - a) to the sigmoid."""
    return 1 - f(z, c.of) ** 2


@mistake("the derivative of the other function", TANH, "dx", "slope", SLOPE)
def like_sigmoid(z, c):
    """The same in another form."""
    a = f(z, c.of)
    return a * (1 - a)


@mistake("the derivative of the other function", SMOOTH, "dx", "slope", SLOPE)
def like_relu(z, c):
    """The same in another form."""
    return z > 0


@mistake("f(1 - z) in place of 1 - f(z)", SIGMOID, "dx", "slope", SLOPE)
def minus_inside(z, c):
    """1 - f(z) is one minus the value; here f is taken at 1 - z."""
    return f(z, c.of) * f(1 - z, c.of)


@mistake("1 - a in place of 1 - a^2", TANH, "dx", "slope", SLOPE)
def square_missing(z, c):
    """The slope of tanh is 1 - a^2."""
    return 1 - f(z, c.of)


@mistake("the square of cosh missing", TANH, "dx", "slope", SLOPE)
def one_over_cosh(z, c):
    """The slope of tanh is 1 / cosh(z)^2."""
    return 1 / np.cosh(z)


@mistake("z in place of delta", "relu sigmoid tanh", "dx", "join", SLOPE)
def z_for_delta(slope, delta, c):
    """The chain rule multiplies the slope by delta, here by z."""
    return slope * c.x


@mistake("a^2 in place of a (1 - a)", SIGMOID, "dx", "slope", SLOPE)
def square_of_a(z, c):
    """The slope of the sigmoid is a (1 - a)."""
    return f(z, c.of) ** 2


@mistake("1 - a alone", SIGMOID, "dx", "slope", SLOPE)
def factor_missing(z, c):
    """The slope of the sigmoid is a (1 - a)."""
    return 1 - f(z, c.of)


@mistake("1 + a^2 in place of 1 - a^2", TANH, "dx", "slope", SLOPE)
def plus_square(z, c):
    """The slope of tanh is 1 - a^2."""
    return 1 + f(z, c.of) ** 2


@mistake("1 + a in place of 1 - a", SIGMOID, "dx", "slope", SLOPE)
def plus(z, c):
    """The slope of the sigmoid is a (1 - a)."""
    return f(z, c.of) * (1 + f(z, c.of))


@mistake("ReLU' from delta's sign", RELU, "dx", "join", SLOPE)
def from_delta(slope, delta, c):
    """The mask must come from the input z: a negative delta may pass, where z is positive."""
    return delta * (delta > 0)


@mistake("ReLU' from delta's sign as well", RELU, "dx", "join", SLOPE)
def guided(slope, delta, c):
    """Where z is positive every delta passes, a negative one too."""
    return slope * delta * (delta > 0)


@mistake("ReLU' turned round", RELU, "dx", "slope", SLOPE)
def mask_inverted(z, c):
    """The delta passes where z is positive, here where it is not."""
    return z <= 0


@mistake("ReLU' turned round", RELU, "dx", "slope", SLOPE)
def mask_negative(z, c):
    """The same in another form."""
    return z < 0


@mistake("ReLU' is 1 at zero", RELU, "dx", "slope", KINK, "at z = 0 any slope from 0 to 1 is a subgradient")
def one_at_zero(z, c):
    """z >= 0 opens the mask at zero; PyTorch and this book keep it shut there."""
    return z >= 0


@mistake("ReLU' is 1/2 at zero", RELU, "dx", "slope", KINK, "at z = 0 any slope from 0 to 1 is a subgradient")
def half_at_zero(z, c):
    """The slope at zero is 1/2 here; PyTorch and this book take 0."""
    return np.heaviside(z, 0.5)


@mistake("ReLU' is z itself", RELU, "dx", "slope", SLOPE)
def leaky_everywhere(z, c):
    """The mask is 1 where z is positive, not z."""
    return z


@mistake("the sign of z in place of the mask", RELU, "dx", "slope", SLOPE)
def sign_of_z(z, c):
    """np.sign is -1 where z is negative, the slope of ReLU is 0 there."""
    return np.sign(z)


@mistake("f' of delta in place of z", SMOOTH, "dx", "slope", SLOPE)
def of_delta(z, c):
    """The slope is that at z, where the forward pass was; here delta is put in."""
    return slope(c.delta, c)


@mistake("f' of delta in place of z", SMOOTH, "dx", "slope", SLOPE)
def of_delta_as_output(z, c):
    """The same in another form."""
    return of_output(c.delta, c.of)


@mistake("ReLU' with a leak", RELU, "dx", "along", SLOPE, "the forward pass is that of a leaky ReLU")
def leak(c, right):
    """Where z is negative a part of delta passes, as it does for a leaky ReLU."""
    return c.delta * (c.x < 0)


@mistake("ReLU' with a leak", RELU, "dx", "along", SLOPE)
def leak_at_zero_too(c, right):
    """The same in another form."""
    return c.delta * (c.x <= 0)


@mistake("ReLU' with a leak", RELU, "dx", "along", SLOPE)
def leak_below_zero(c, right):
    """The same in another form."""
    return c.delta * (c.x >= 0), c.delta * (c.x < 0)
