"""Exercises of the chapter on the seesaw."""

import numpy as np

from ...layers import Conv1d, Dense, Flatten, MaxPool1d, ReLU, Sigmoid
from ...losses import SoftmaxCrossEntropy
from ...network import Sequential
from ..exercise import array, function, number


def boxes(word):
    """A pattern such as 01100 as the input (1, 5, 1)."""
    return np.array([float(box) for box in word])[None, :, None]


def front(w):
    """Filter, ReLU and pooling: from the board to A and B."""
    net = Sequential(Conv1d(1, 1, 2, bias=False), ReLU(), MaxPool1d(2))
    net.layers[0].params["W"][...] = w
    return net


@array(
    "seesaw.1",
    why="The ReLU comes before the pooling, so a pool of negative numbers is zero.",
    hints=(
        "z₀ = w₀ x₀ + w₁ x₁, z₁ = w₀ x₁ + w₁ x₂, and so on: the two weights slide over 0, 1, 1, 0, 0.",
        "Put zero in the place of each negative z. A is the larger of the first two, B of the last two.",
    ),
    labels=("z₀", "z₁", "z₂", "z₃", "A", "B"),
)
def forward():
    """All numbers from the board to the pools for 01100 and the filter (0.5, -1)."""

    def numbers(w, relu=True):
        net = front(w)
        z = net.layers[0].forward(boxes("01100"))
        pooled = net.forward(boxes("01100")) if relu else MaxPool1d(2).forward(z)
        return np.concatenate([z.ravel(), pooled.ravel()])

    return numbers([0.5, -1]), {
        "the filter lies the wrong way round: w₀ meets the left box": numbers([-1, 0.5]),
        "the ReLU is missing: a negative number does not reach the pools": numbers([0.5, -1], relu=False),
    }


@array(
    "seesaw.2",
    why="A pool hands its gradient to one place, the ReLU lets it pass where z is positive, and the filter adds what the places send.",
    hints=(
        "First forward: z = (−0.5, 0.5, 1, 0). Which place gave A its number, and which gave B?",
        "Only places 1 and 2 get a gradient, 2 and −3. Then ∂J/∂w₀ is the sum of δᵢ xᵢ, and ∂J/∂w₁ that of δᵢ xᵢ₊₁.",
    ),
    labels=("δ₀", "δ₁", "δ₂", "δ₃", "∂J/∂w₀", "∂J/∂w₁"),
)
def backward():
    """From the pools back to the filter (1, -0.5), for 01100 and the gradients 2 and -3 of A and B."""
    net, given = front([1, -0.5]), np.array([[[2.0], [-3.0]]])
    conv, relu, pool = net.layers
    net.forward(boxes("01100"))
    dz = relu.backward(pool.backward(given)) + 0.0
    conv.backward(dz)
    right = np.concatenate([dz.ravel(), conv.grads["W"].ravel()])

    def to_filter(dz):
        conv.forward(boxes("01100"))
        conv.backward(dz[None, :, None])
        return np.concatenate([dz, conv.grads["W"].ravel()])

    return right, {
        "a pool has one winner; the other place has not moved the pool's number": to_filter(
            np.array([2.0, 2, -3, -3])
        ),
        "each pool's gradient goes to its winner, place 1 of the first two and place 2 of the last two": to_filter(
            np.array([2.0, 0, 0, -3])
        ),
        "the two gradients of the filter are exchanged: w₀ meets xᵢ, w₁ meets xᵢ₊₁": right[
            [0, 1, 2, 3, 5, 4]
        ],
    }


@number(
    "seesaw.3",
    why="δ of a hidden unit: what both logits send back, times its slope; then times what the wire carried.",
    hints=(
        "First δ of the logits: ŷ − y. Which of the two is the right class?",
        "δ_C = (2 · 0.3 + (−1) · (−0.3)) · C(1 − C); the wire from B carried B.",
    ),
)
def chain():
    """The gradient of w_CB from the probabilities, two weights, C and B."""
    y_hat, w, C, B = np.array([0.3, 0.7]), np.array([2.0, -1]), 0.5, 4.0
    delta = y_hat - np.eye(2)[1]
    sent, slope = w @ delta, C * (1 - C)
    return sent * slope * B, {
        "the slope C(1 − C) of the sigmoid is missing": sent * B,
        "the sign is wrong: δ = ŷ − y, not y − ŷ": -sent * slope * B,
        "that is δ of C; the weight's gradient is δ times what its wire carried": sent * slope,
        "C reaches the loss through both logits: two products add": w[0] * delta[0] * slope * B,
        "the right class is R: δ is (0.3, −0.3)": w @ (y_hat - np.eye(2)[0]) * slope * B,
        "the wire leads from B: its gradient is δ times B, not times C": sent * slope * C,
    }


def _by_layers(x, t, W1, W2, W3):
    """The gradients, by the library's layers."""
    layers = [Conv1d(1, 1, 2, bias=False), ReLU(), MaxPool1d(2), Flatten()]
    layers += [Dense(2, 2, bias=False), Sigmoid(), Dense(2, 2, bias=False)]
    net, loss = Sequential(*layers), SoftmaxCrossEntropy()
    for k, values in ((0, W1), (4, W2), (6, W3)):
        layers[k].params["W"][...] = values
    loss.forward(net.forward(np.asarray(x, float)[None, :, None]), np.array([t]))
    net.backward(loss.backward())
    return layers[0].grads["W"].ravel(), layers[4].grads["W"], layers[6].grads["W"]


def _spoilt(mistake):
    """The whole backward pass by hand, with one mistake."""

    def gradients(x, t, W1, W2, W3):
        z = W1[0] * x[:4] + W1[1] * x[1:]
        a = np.maximum(z, 0)
        win = [a[:2].argmax(), 2 + a[2:].argmax()]
        h = 1 / (1 + np.exp(-(W2 @ a[win])))
        e = np.exp(W3 @ h)
        delta3 = (e / e.sum() - np.eye(2)[t]) * (-1 if mistake == "sign" else 1)
        delta2 = (
            (W3 if mistake == "transpose" else W3.T) @ delta3 * (1 if mistake == "slope" else h * (1 - h))
        )
        da = np.zeros(4)
        da[win] = (W2 if mistake == "lower transpose" else W2.T) @ delta2
        if mistake == "both":
            da = np.repeat(W2.T @ delta2, 2)
        delta1 = da if mistake == "relu" else da * (z > 0)
        dW1 = np.array([delta1 @ x[:4], delta1 @ x[1:]])
        return dW1[::-1] if mistake == "exchanged" else dW1, np.outer(delta2, a[win]), np.outer(delta3, h)

    return gradients


def _tries():
    rng = np.random.default_rng(7)
    for word, t in (("01100", 0), ("00110", 1), ("11000", 0), ("00011", 1), ("01011", 1), ("11010", 0)):
        for _ in range(3):
            x = np.array([float(box) for box in word]) + rng.standard_normal(5) / 4
            yield x, t, rng.standard_normal(2), rng.standard_normal((2, 2)), rng.standard_normal((2, 2))


@function(
    "seesaw.4",
    why="A whole convolutional network is these lines; LeNet has more of each, and no other.",
    hints=(
        "Go forward and keep z, a, the winners of the pools, the hidden outputs and ŷ. Then ŷ − y, and one layer after the other.",
        "delta2 = (W3.T @ delta3) · h(1 − h); W2.T @ delta2 goes to the two winners; times (z > 0); dW1 = [delta1 @ x[:4], delta1 @ x[1:]].",
    ),
    labels=("dW1", "dW2", "dW3"),
    tries=lambda: list(_tries()),
)
def whole():
    """all_ten(x, t, W1, W2, W3) -> dW1, dW2, dW3."""
    return _by_layers, {
        "the sign is wrong: ŷ − y, not y − ŷ": _spoilt("sign"),
        "through W3 the way back takes the transpose": _spoilt("transpose"),
        "through W2 the way back takes the transpose": _spoilt("lower transpose"),
        "the slope h(1 − h) of the sigmoid is missing": _spoilt("slope"),
        "a pool sends its gradient to its winner, not to both places": _spoilt("both"),
        "the ReLU is missing: where z is not positive nothing passes": _spoilt("relu"),
        "the filter's two gradients are exchanged: w₀ meets x[:4], w₁ meets x[1:]": _spoilt("exchanged"),
    }
