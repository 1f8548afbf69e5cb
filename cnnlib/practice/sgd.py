"""Steps of gradient descent with momentum and weight decay, and the mistakes that people make in them.

A case is several steps of W and b; what is judged is where they end.
"""

import numpy as np

from .mistakes import mistake, same

SGD, BOTH, STEP = "sgd", "W b", "gradient_descent#wrong-answers"
DOWN, DECAY, BIASES = (
    "gradient_descent#one-step-of-gradient-descent",
    "gradient_descent#weight-decay-l2-regularization",
    "gradient_descent#why-biases-are-not-decayed",
)


def run(name):
    """The parameter after all steps: v = momentum v + gradient + decay; parameter -= lr v."""

    def final(c, step):
        value, v = c.start[name].copy(), np.zeros_like(c.start[name])
        for gradient, lr in zip(c.grads[name], c.rates):
            gradient = step.decay(gradient, value, name, c)
            value, v = step.move(value, v, gradient, lr, name, c, step)
        return value

    return final


def decay(gradient, value, name, c):
    """The gradient with weight decay, which is for W alone."""
    return gradient + c.weight_decay * value if name == "W" else gradient


def move(value, v, gradient, lr, name, c, step):
    """(the new value, the new velocity): one step."""
    v = step.velocity(v, gradient, lr, name, c)
    return step.update(value, v, gradient, lr, name, c), v


def velocity(v, gradient, lr, name, c):
    """v = momentum v + gradient."""
    return c.momentum * v + gradient


def update(value, v, gradient, lr, name, c):
    """value - lr v."""
    return value - lr * v


RIGHT = {SGD: dict(decay=decay, move=move, velocity=velocity, update=update, after=same)}
GRADIENTS = {SGD: {"W": run("W"), "b": run("b")}}


@mistake("uphill", SGD, BOTH, "update", STEP)
def uphill(value, v, gradient, lr, name, c):
    """The step goes against the gradient: minus, not plus."""
    return value + lr * v


@mistake("the parameter does not move", SGD, BOTH, "update", DOWN)
def unmoved(value, v, gradient, lr, name, c):
    """The step is computed and not taken, or taken in a copy that nobody gets."""
    return value


@mistake("the step in place of the parameter", SGD, BOTH, "update", DOWN)
def step_alone(value, v, gradient, lr, name, c):
    """What is returned is the step, lr v: it is to be taken off the parameter."""
    return lr * v


@mistake("the step in place of the parameter", SGD, BOTH, "update", DOWN)
def step_alone_downhill(value, v, gradient, lr, name, c):
    """The same in another form."""
    return -lr * v


@mistake("learning rate missing", SGD, BOTH, "update", DOWN)
def no_rate(value, v, gradient, lr, name, c):
    """The step is lr times the velocity."""
    return value - v


@mistake("momentum ignored", SGD, BOTH, "velocity", DOWN)
def no_momentum(v, gradient, lr, name, c):
    """v is the gradient alone: the velocity of the step before is not kept, or not used."""
    return gradient


@mistake("momentum ignored", SGD, BOTH, "velocity", DOWN)
def no_momentum_but_dampened(v, gradient, lr, name, c):
    """The same in another form."""
    return (1 - c.momentum) * gradient


@mistake(
    "dampened momentum", SGD, BOTH, "velocity", DOWN, "the velocity is a running mean, as with dampening"
)
def dampened(v, gradient, lr, name, c):
    """The gradient is multiplied by 1 - momentum."""
    return c.momentum * v + (1 - c.momentum) * gradient


@mistake("learning rate inside the velocity", SGD, BOTH, "move", DOWN, "lr is in the velocity, as in cs231n")
def rate_inside(value, v, gradient, lr, name, c, step):
    """v = momentum v - lr gradient: the same until the learning rate changes."""
    v = c.momentum * v - lr * gradient
    return value + v, v


@mistake("Nesterov's momentum", SGD, BOTH, "update", DOWN, "momentum is Nesterov's")
def nesterov(value, v, gradient, lr, name, c):
    """The step looks ahead: gradient plus momentum times velocity."""
    return value - lr * (gradient + c.momentum * v)


@mistake("Nesterov's momentum", SGD, BOTH, "move", DOWN)
def nesterov_with_rate_inside(value, v, gradient, lr, name, c, step):
    """The same in another form."""
    v = c.momentum * v - lr * gradient
    return value + c.momentum * v - lr * gradient, v


@mistake("Nesterov's momentum", SGD, BOTH, "move", DOWN)
def nesterov_from_the_last_velocity(value, v, gradient, lr, name, c, step):
    """The same in another form."""
    last, v = v, c.momentum * v - lr * gradient
    return value - c.momentum * last + (1 + c.momentum) * v, v


@mistake("the velocity of the step before", SGD, BOTH, "move", DOWN)
def old_velocity(value, v, gradient, lr, name, c, step):
    """The parameter moves with the velocity before this gradient is in it, one step late."""
    return step.update(value, v, gradient, lr, name, c), step.velocity(v, gradient, lr, name, c)


@mistake("learning rate twice", SGD, BOTH, "move", STEP)
def rate_twice(value, v, gradient, lr, name, c, step):
    """lr is in the velocity already, and the step multiplies by it once more."""
    v = c.momentum * v + lr * gradient
    return value - lr * v, v


@mistake("velocity with the wrong sign", SGD, BOTH, "move", STEP)
def velocity_uphill(value, v, gradient, lr, name, c, step):
    """v = momentum v + lr gradient points uphill, and is added."""
    v = c.momentum * v + lr * gradient
    return value + v, v


@mistake("velocity with the wrong sign", SGD, BOTH, "velocity", STEP)
def momentum_backwards(v, gradient, lr, name, c):
    """The same in another form."""
    return gradient - c.momentum * v


@mistake("the first velocity lacks the learning rate", SGD, BOTH, "move", STEP)
def first_without_rate(value, v, gradient, lr, name, c, step):
    """Where lr is in the velocity, it belongs into the one that the first step begins with, too."""
    v = c.momentum * v - lr * gradient if v.any() else gradient
    return value + v, v


@mistake("decay on biases", SGD, "b", "decay", BIASES)
def decay_everywhere(gradient, value, name, c):
    """Weights decay, biases do not."""
    return gradient + c.weight_decay * value


@mistake("weight decay ignored", SGD, "W", "decay", DECAY)
def no_decay(gradient, value, name, c):
    """The gradient lacks weight_decay times W."""
    return gradient


@mistake("weight decay with the wrong sign", SGD, "W", "decay", DECAY)
def growth(gradient, value, name, c):
    """Weights grow instead of decaying."""
    return gradient - c.weight_decay * value


@mistake(
    "weight decay twice too strong", SGD, "W", "decay", DECAY, "the penalty is lambda ||W||^2 without 1/2"
)
def decay_doubled(gradient, value, name, c):
    """2 weight_decay W: from a penalty without its half."""
    return gradient + 2 * c.weight_decay * value


@mistake("decay beside the velocity", SGD, "W", "move", DECAY, "decay is decoupled, as in AdamW")
def decoupled(value, v, gradient, lr, name, c, step):
    """Weights shrink by lr weight_decay W, and the velocity does not see it."""
    shrink = c.weight_decay * value
    v = step.velocity(v, gradient - shrink, lr, name, c)
    return step.update(value, v, gradient, lr, name, c) - lr * shrink, v
