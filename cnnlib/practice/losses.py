"""Gradients of the losses: the right steps, and the mistakes that people make in them."""

import numpy as np

from .cases import Raw
from .mistakes import mistake, same

SOFTMAX, SQUARED = "softmax_cross_entropy", "squared_error"
WRONG, JACOBIAN, AVERAGE = (
    "softmax#wrong-answers",
    "softmax#softmax-jacobian-times-cross-entropy-gradient-gives-p-y",
    "batch_averaging#wrong-answers",
)
OUTPUT = "delta_recursion#the-delta-of-an-output-unit"
SUMMED = "the loss is summed over the examples"


# ---- softmax with cross-entropy: scores (K, N), labels (N,) ---------------------------------------------


def dscores(c, step):
    """(p - y) / N."""
    p = step.softmax(c.scores, c)
    return step.divide(step.subtract(p, step.one_hot(c.labels, c), c), c)


def softmax(z, c):
    """The probabilities, (K, N)."""
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def one_hot(labels, c):
    """1 at the label of each example, (K, N)."""
    return (np.arange(len(c.scores))[:, None] == labels).astype(float)


def subtract(p, y, c):
    """p - y."""
    return p - y


def divide(g, c):
    """The mean over the examples."""
    return g / c.N


@mistake("p - y times p (1 - p)", SOFTMAX, "dscores", "subtract", WRONG)
def slope_again(p, y, c):
    """Softmax's slope is in p - y already."""
    return (p - y) * p * (1 - p)


@mistake("softmax's Jacobian once more", SOFTMAX, "dscores", "subtract", JACOBIAN)
def jacobian_again(p, y, c):
    """p - y has passed softmax already; its Jacobian belongs to dL/dp."""
    return p * (p - y - (p * (p - y)).sum(axis=0))


@mistake("f' of another activation taken along", SOFTMAX, "dscores", "subtract", WRONG)
def relu_along(p, y, c):
    """Between the scores and softmax stands no activation: p - y is the whole gradient."""
    return (p - y) * (c.scores > 0)


@mistake("f' of another activation taken along", SOFTMAX, "dscores", "subtract", WRONG)
def sigmoid_along(p, y, c):
    """The same in another form."""
    a = sigmoid(c.scores, c)
    return (p - y) * a * (1 - a)


@mistake("f' of another activation taken along", SOFTMAX, "dscores", "subtract", WRONG)
def slope_of_scores_along(p, y, c):
    """The same in another form."""
    return (p - y) * c.scores * (1 - c.scores)


@mistake("softmax's slope at the scores", SOFTMAX, "dscores", "subtract", JACOBIAN)
def slope_of_scores(p, y, c):
    """z (1 - z) in place of p (1 - p), and without the terms off the diagonal."""
    return -y / p * c.scores * (1 - c.scores)


@mistake("softmax without off-diagonal terms", SOFTMAX, "dscores", "subtract", JACOBIAN)
def own_terms(p, y, c):
    """Every score moves every probability; here each moves its own only: -y (1 - p)."""
    return -y * (1 - p)


@mistake("dL/dp in place of dL/dz", SOFTMAX, "dscores", "subtract", JACOBIAN)
def of_probabilities(p, y, c):
    """-y / p is the gradient for the probabilities; softmax itself is still to be passed."""
    return -y / p


@mistake("p in place of log p", SOFTMAX, "dscores", "subtract", WRONG)
def no_logarithm(p, y, c):
    """The gradient of -p instead of -log p."""
    return (p * y).sum(axis=0) * (p - y)


@mistake("y not subtracted", SOFTMAX, "dscores", "subtract", WRONG)
def probabilities_alone(p, y, c):
    """The gradient is p - y, here it is p."""
    return p


@mistake("-y alone", SOFTMAX, "dscores", "subtract", WRONG)
def labels_alone(p, y, c):
    """The gradient is p - y, here it is -y."""
    return -y


@mistake("softmax's own slope alone", SOFTMAX, "dscores", "subtract", JACOBIAN)
def slope_alone(p, y, c):
    """p (1 - p) is on the Jacobian's diagonal; the labels are not in it."""
    return p * (1 - p)


@mistake("p - y over p (1 - p)", SOFTMAX, "dscores", "subtract", WRONG)
def divided_by_slope(p, y, c):
    """The gradient for p of a two-class loss; softmax itself is still to be passed."""
    return (p - y) / (p * (1 - p))


@mistake("the predicted class in place of the label", SOFTMAX, "dscores", "one_hot", WRONG)
def predicted(labels, c):
    """argmax of the scores is what the network says, not what is right."""
    return one_hot(c.scores.argmax(axis=0), c)


@mistake("softmax applied twice", SOFTMAX, "dscores", "softmax", WRONG)
def twice(z, c):
    """The scores go through softmax in the network and once more in the loss."""
    return softmax(softmax(z, c), c)


@mistake("softmax over the examples", SOFTMAX, "dscores", "softmax", WRONG)
def wrong_axis(z, c):
    """The probabilities of one example sum to one; here those of one class do."""
    return softmax(z.T, c).T


@mistake("softmax over the examples", SOFTMAX, "dscores", "softmax", WRONG)
def wrong_axis_unshifted(z, c):
    """The same in another form."""
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


@mistake("softmax over all scores together", SOFTMAX, "dscores", "softmax", WRONG)
def all_together(z, c):
    """The sum lacks its axis, so all examples share one."""
    e = np.exp(z - z.max())
    return e / e.sum()


@mistake("softmax over all scores together", SOFTMAX, "dscores", "softmax", WRONG)
def all_together_unshifted(z, c):
    """The same in another form."""
    return np.exp(z) / np.exp(z).sum()


@mistake("sigmoid in place of softmax", SOFTMAX, "dscores", "softmax", WRONG)
def sigmoid(z, c):
    """Each score goes through a sigmoid of its own."""
    return 1 / (1 + np.exp(-z))


@mistake("exp of the scores, not normalised", SOFTMAX, "dscores", "softmax", WRONG)
def not_normalised(z, c):
    """The exponentials are not divided by their sum."""
    return np.exp(z)


@mistake("scores in place of probabilities", SOFTMAX, "dscores", "softmax", WRONG)
def raw_scores(z, c):
    """The scores themselves are used where softmax belongs."""
    return z


@mistake(
    "softmax overflows",
    SOFTMAX,
    "dscores",
    "softmax",
    "softmax#why-subtract-the-maximum-numerically-stable-softmax",
)
def overflows(z, c):
    """exp of a score above 709 is infinite, and inf / inf is NaN: take the largest score off first."""
    e = np.exp(z)
    return e / e.sum(axis=0)


@mistake(
    "softmax overflows",
    SOFTMAX,
    "dscores",
    "softmax",
    "softmax#why-subtract-the-maximum-numerically-stable-softmax",
)
def overflows_everywhere(z, c):
    """The same in another form."""
    p = overflows(z, c)
    return np.where(np.isnan(p).any(axis=0), np.nan, p)


@mistake(
    "softmax overflows",
    SOFTMAX,
    "dscores",
    "softmax",
    "softmax#why-subtract-the-maximum-numerically-stable-softmax",
)
def shifted_by_another_example(z, c):
    """The same in another form."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=0)


@mistake(
    "softmax overflows",
    SOFTMAX,
    "dscores",
    "softmax",
    "softmax#why-subtract-the-maximum-numerically-stable-softmax",
)
def shifted_by_the_largest_of_all(z, c):
    """The same in another form."""
    e = np.exp(z - z.max())
    return e / e.sum(axis=0)


@mistake("the label's number in place of one-hot", SOFTMAX, "dscores", "one_hot", WRONG)
def number_of_the_label(labels, c):
    """y is 1 at the label and 0 elsewhere; here the class's number is subtracted from every probability."""
    return np.broadcast_to(labels * 1.0, c.scores.shape)


@mistake("log of the wrong class", SOFTMAX, "dscores", "one_hot", WRONG)
def from_one(labels, c):
    """Labels counted from 1 where they count from 0, or the other way round."""
    return one_hot((labels - 1) % len(c.scores), c)


@mistake("log of the wrong class", SOFTMAX, "dscores", "one_hot", WRONG)
def up_by_one(labels, c):
    """The same in another form."""
    return one_hot((labels + 1) % len(c.scores), c)


@mistake("whole rows of the labels' numbers", SOFTMAX, "dscores", "one_hot", WRONG)
def whole_rows(labels, c):
    """p[labels] -= 1 takes whole rows: p[range(N), labels] picks one score of each example."""
    y = np.zeros((c.N, len(c.scores)))
    y[labels] = 1
    return y.T


@mistake("whole rows of the labels' numbers", SOFTMAX, "dscores", "one_hot", WRONG)
def whole_columns(labels, c):
    """The same in another form."""
    y = np.zeros((len(c.scores), c.N))
    y[labels] = 1
    return y


@mistake("one-hot in rows", SOFTMAX, "dscores", "one_hot", WRONG)
def in_rows(labels, c):
    """Examples and classes have changed places in the one-hot matrix: no error where N = K."""
    return one_hot(labels, c).T


@mistake("not averaged: sum for mean", f"{SOFTMAX} {SQUARED}", "dscores doutputs", "divide", AVERAGE, SUMMED)
def summed(g, c):
    """The mean over the examples has 1/N in its gradient."""
    return g


@mistake("averaged twice", f"{SOFTMAX} {SQUARED}", "dscores doutputs", "divide", AVERAGE)
def averaged_twice(g, c):
    """1/N stands in the gradient twice."""
    return g / c.N**2


@mistake(
    "averaged over examples and outputs",
    f"{SOFTMAX} {SQUARED}",
    "dscores doutputs",
    "divide",
    AVERAGE,
    "the loss is the mean over all numbers, as np.mean takes it",
)
def over_everything(g, c):
    """Divided by all numbers, N D; the mean over the examples divides by N."""
    return g / g.size


@mistake(
    "divided by the outputs in place of the examples",
    f"{SOFTMAX} {SQUARED}",
    "dscores doutputs",
    "divide",
    AVERAGE,
)
def wrong_size(g, c):
    """The length of the wrong axis: D where N belongs."""
    return g / len(g)


@mistake("a mean in place of the gradient", f"{SOFTMAX} {SQUARED}", "dscores doutputs", "divide", AVERAGE)
def mean_of_all(g, c):
    """The gradient has a number for every output of every example; here they are averaged to fewer."""
    return np.asarray(g.mean()).view(Raw)


@mistake("a mean in place of the gradient", f"{SOFTMAX} {SQUARED}", "dscores doutputs", "divide", AVERAGE)
def mean_over_examples(g, c):
    """The same in another form."""
    return g.mean(axis=1).view(Raw)


@mistake("the loss in place of its gradient", SOFTMAX, "dscores", "divide", WRONG)
def loss_itself(g, c):
    """The number that forward returns, where its slopes belong."""
    p = softmax(c.scores, c)
    return np.asarray(-np.log(p[c.labels, np.arange(c.N)]).mean()).view(Raw)


@mistake("only y averaged", SOFTMAX, "dscores", "divide", AVERAGE)
def only_labels_divided(g, c):
    """p - y / N: the brackets are missing."""
    y = one_hot(c.labels, c)
    return g + y - y / c.N


@mistake("log to base 10", SOFTMAX, "dscores", "after", WRONG)
def base_ten(g, c):
    """log10 has 1 / ln 10 in its gradient."""
    return g / np.log(10)


# ---- 1/2 ||outputs - targets||^2 -------------------------------------------------------------------------


def doutputs(c, step):
    """(outputs - targets) / N."""
    return step.divide(step.difference(c.outputs, c.targets, c), c)


def difference(outputs, targets, c):
    """outputs - targets."""
    return outputs - targets


@mistake("the square itself", SQUARED, "doutputs", "difference", OUTPUT)
def square(outputs, targets, c):
    """The loss is returned where its slope belongs."""
    return (outputs - targets) ** 2


@mistake("the square itself", SQUARED, "doutputs", "difference", OUTPUT)
def half_square(outputs, targets, c):
    """The same in another form."""
    return (outputs - targets) ** 2 / 2


@mistake("the sign of the difference", SQUARED, "doutputs", "difference", OUTPUT)
def only_sign(outputs, targets, c):
    """That is the slope of the absolute error."""
    return np.sign(outputs - targets)


@mistake(
    "f' of the output taken along",
    SQUARED,
    "doutputs",
    "difference",
    OUTPUT,
    "outputs are those of an activation, and its delta is meant",
)
def slope_along(outputs, targets, c):
    """The slope of the last activation is in this gradient, and has a backward pass of its own."""
    return (outputs - targets) * outputs * (1 - outputs)


@mistake("f' of the output taken along", SQUARED, "doutputs", "difference", OUTPUT)
def slope_of_tanh_along(outputs, targets, c):
    """The same in another form."""
    return (outputs - targets) * (1 - outputs**2)


@mistake("f' of the output taken along", SQUARED, "doutputs", "difference", OUTPUT)
def slope_of_relu_along(outputs, targets, c):
    """The same in another form."""
    return (outputs - targets) * (outputs > 0)


@mistake("f' of the error in place of the output", SQUARED, "doutputs", "difference", OUTPUT)
def slope_of_the_error(outputs, targets, c):
    """e (1 - e) with the error e: the slope is a (1 - a), at the output a."""
    e = outputs - targets
    return e * (1 - e)


@mistake("f' of the error in place of the output", SQUARED, "doutputs", "difference", OUTPUT)
def slope_alone_of_the_error(outputs, targets, c):
    """The same in another form."""
    e = outputs - targets
    return e * e * (1 - e)


@mistake("the slope of the root of the mean", SQUARED, "doutputs", "divide", OUTPUT)
def of_the_root(g, c):
    """sqrt(mean(e^2)) is another loss: its gradient is divided by the loss."""
    return g / (g.size * np.sqrt((g**2).mean()))


@mistake("the absolute difference", SQUARED, "doutputs", "difference", OUTPUT)
def absolute(outputs, targets, c):
    """The gradient has a sign."""
    return abs(outputs - targets)


STEPS = dict(softmax=softmax, one_hot=one_hot, subtract=subtract, divide=divide, after=same)
RIGHT = {SOFTMAX: STEPS, SQUARED: dict(difference=difference, divide=divide, after=same)}
GRADIENTS = {SOFTMAX: {"dscores": dscores}, SQUARED: {"doutputs": doutputs}}
