"""Exercises of the chapter on the delta recursion."""

import numpy as np

from ...gradcheck import numerical_gradient
from ...layers import Dense, Sigmoid
from ...losses import SoftmaxCrossEntropy, SquaredError
from ...network import Sequential
from ..exercise import array, choice, function, number
from ..mistaken import program


@array(
    "delta_recursion.1",
    why="Forward, compare, back through the transposed weights, and at each wire the product of what arrives from both sides.",
    hints=(
        "Forward first: z₁ and z₂, then a. The delta of the output is a − y, because the loss is half the squared error.",
        "A hidden delta is its weight to the output times the output's delta. A weight's gradient is its input times the delta at its end.",
    ),
    labels=(
        "δ of the output",
        "δ of z₁",
        "δ of z₂",
        "gradient of weight 0.5",
        "gradient of weight −1",
        "gradient of weight 3",
        "gradient of weight 1",
    ),
)
def by_hand():
    """Deltas and gradients of a chain with two hidden units."""
    net, loss = Sequential(Dense(1, 2, bias=False), Dense(2, 1, bias=False)), SquaredError()
    first, last = net.layers
    first.params["W"][...], last.params["W"][...] = [[0.5], [-1]], [[3, 1]]
    x, y = np.array([[2.0]]), np.array([[2.0]])
    a = net.forward(x)
    loss.forward(a, y)
    delta = loss.backward()
    hidden = last.backward(delta)
    first.backward(hidden)
    z = first.forward(x).ravel()
    right = np.concatenate([delta.ravel(), hidden.ravel(), first.grads["W"].ravel(), last.grads["W"].ravel()])
    doubled = right * 2
    summed = right.copy()
    summed[1:3] = last.params["W"].sum() * delta.ravel()
    summed[3:5] = summed[1:3] * x.ravel()
    swapped = right.copy()
    swapped[5:7] = hidden.ravel() * z
    return right, {
        "the loss has ½ before its square, so its derivative is a − y without a 2": doubled,
        "each hidden unit has one wire to the output: its delta is that wire's weight times δ, not the sum of both": summed,
        "a gradient of the last layer is its input z times the delta at its end, the output's, not the hidden unit's": swapped,
    }


FORMULAS = ("W₁ᵀ δ₁", "W₁ᵀ δ₁ + Uᵀ δ₂", "W₁ᵀ δ₁ + U δ₂", "(W₁ + U)ᵀ δ₁")


@choice(
    "delta_recursion.2",
    why="No delta changes its formula. x reaches J on one more set of paths, and over paths you add.",
    hints=(
        "Along which wires does x reach the scores now?",
        "Along a path multiply, over paths add: the old paths give W₁ᵀ δ₁. The new wires U end in the scores, whose delta is δ₂.",
    ),
    options=FORMULAS,
)
def skip():
    """dJ/dx with wires that skip a layer: the one of four formulas that finite differences find."""
    rng = np.random.default_rng(11)
    x, t = rng.standard_normal((4, 5)), rng.integers(4, size=5)
    A, B, U = (rng.standard_normal((4, 4)) for _ in range(3))
    f, loss = Sigmoid(), SoftmaxCrossEntropy()

    def J(x):
        return loss.forward(B @ f.forward(A @ x) + U @ x, t)

    numeric = numerical_gradient(J, x)
    J(x)
    d2 = loss.backward()
    d1 = f.backward(B.T @ d2)
    values = A.T @ d1, A.T @ d1 + U.T @ d2, A.T @ d1 + U @ d2, (A + U).T @ d1
    (right,) = [formula for formula, value in zip(FORMULAS, values) if np.abs(value - numeric).max() < 1e-7]
    return right, {
        "these are the old paths only; x now reaches the scores by U, too": FORMULAS[0],
        "on the way back a matrix is transposed, U like the others": FORMULAS[2],
        "U ends in the scores, so it meets δ₂, not the hidden δ₁": FORMULAS[3],
    }


USES = ("the sum of both uses' gradients", "their mean", "that of the second use only", "their product")


@choice(
    "delta_recursion.3",
    why="W reaches J on two sets of paths. This is the total derivative, and the reason why convolution sums over positions.",
    hints=(
        "Pretend that the layers have two matrices, and take both gradients. Then tie the two together: what happens to J when the one W moves?",
        "When W moves by ε, both copies move by ε. The change of J is the sum of the two changes.",
    ),
    options=USES,
)
def shared():
    """The gradient of a matrix that is used twice, by finite differences."""
    rng = np.random.default_rng(12)
    x, t = rng.standard_normal((4, 5)), rng.integers(3, size=5)
    W, last = rng.standard_normal((4, 4)), rng.standard_normal((3, 4))
    f, g, loss = Sigmoid(), Sigmoid(), SoftmaxCrossEntropy()

    def J(W):
        return loss.forward(last @ g.forward(W @ f.forward(W @ x)), t)

    numeric = numerical_gradient(J, W)
    J(W)
    a = f.forward(W @ x)
    second = g.backward(last.T @ loss.backward())
    uses = f.backward(W.T @ second) @ x.T, second @ a.T
    values = uses[0] + uses[1], (uses[0] + uses[1]) / 2, uses[1], uses[0] * uses[1]
    (right,) = [name for name, value in zip(USES, values) if np.abs(value - numeric).max() < 1e-7]
    return right, {
        "both copies move by as much as W does, not by half of it": USES[1],
        "the first use is a path to J as well": USES[2],
        "products stand along a path; these are two paths": USES[3],
    }


@number(
    "delta_recursion.4",
    why="Unless the weights make up for it, the first layers of a deep sigmoid network hardly learn.",
    hints=(
        "How large is the sigmoid's derivative at most? How often is a delta multiplied by one on its way from layer 8 to layer 1?",
        "f′ is at most 1/4, and from layer 8 to layer 1 there are seven steps.",
    ),
)
def fading():
    """By what factor the sigmoid's slopes make a delta smaller, at least, from layer 8 to layer 1."""
    f = Sigmoid()
    z = np.linspace(-9, 9, 1801)[None]
    f.forward(z)
    steepest = f.backward(np.ones_like(z)).max()
    return steepest**-7, {
        "that is eight steps: from layer 8 down to layer 1 there are seven": steepest**-8,
        "f′ = a(1 − a) is at most ½ · ½, not ½": 2.0**7,
        "the factors multiply from layer to layer; they do not add": 7 / steepest,
    }


@function(
    "delta_recursion.5",
    why="Three lines, and with them every dense network: the same three stand in cnnlib's Dense.",
    hints=(
        "Look at the shapes: W is (D_out, D_in), x (D_in, N), delta (D_out, N). Which products have the shapes of dx and dW?",
        "dW = δ xᵀ sums over the examples by itself; db must sum over them; dx = Wᵀ δ.",
    ),
    of="dense",
)
def write_it():
    """backward(x, W, b, delta) -> dx, dW, db of a dense layer."""
    names = (
        "W instead of its transpose",
        "bias gradient not summed over examples",
        "averaged over the examples once more",
    )
    return program("dense"), {name: program("dense", name) for name in names}
