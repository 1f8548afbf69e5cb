"""Finite differences: the judge that knows nothing of backpropagation."""

from dataclasses import dataclass, field

import numpy as np

from .layers.base import floating, is_number


def numerical_gradient(f, x, eps=1e-6):
    """df/dx by central differences, (f(x + eps) - f(x - eps)) / (2 eps) for each element of x in turn.

    f(x) -> float, for a float64 array x of any shape, which is changed in place and restored bit by bit,
    also when f raises. The truncation error is of order eps^2, the round-off error of order 1e-16 |f| / eps.
    Where f runs layers, these hold its last pass afterwards: call forward again before backward.
    """
    if floating("numerical_gradient", x).dtype != np.float64:
        raise ValueError(
            f"numerical_gradient: x is {x.dtype}, want float64: a step of {eps} drowns in anything less"
        )
    if not is_number(eps) or not 0 < eps < np.inf:
        raise ValueError(f"numerical_gradient: eps is {eps!r}, want a positive number")
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        old = x[index]
        up, down = old + eps, old - eps
        try:
            x[index] = up
            above = f(x)
            x[index] = down
            gradient[index] = (above - f(x)) / (up - down)
        finally:
            x[index] = old
    return gradient


@dataclass
class GradientReport:
    """``errors[name]``: the largest difference between backward and finite differences, relative.

    ``ok`` when none is above ``tol``. As text it gives a line for each name, and figures only where they are
    wrong: what is right differs by rounding noise, which is another on every machine.
    """

    tol: float
    errors: dict = field(default_factory=dict)

    @property
    def ok(self):
        """True when every error is at most ``tol`` (NaN is not)."""
        return all(error <= self.tol for error in self.errors.values())

    def __str__(self):
        width = max(map(len, self.errors))
        return "\n".join(
            f"{name:{width}}  ok, within {self.tol:.0e}"
            if error <= self.tol
            else f"{name:{width}}  WRONG by {error:.1e}"
            for name, error in self.errors.items()
        )


def check_gradients(network_or_layer, x, delta=None, *, eps=1e-6, tol=1e-7, rng=None):
    """Compare backward with finite differences, element by element, for x and for every parameter.

    The scalar is J = sum(delta * forward(x)), so that dJ/dy = ``delta``, a random one where none is given
    (``rng``: a Generator or a seed, 0 by default). x and the parameters are float64 and come back unchanged;
    ``grads`` hold what backward computed. An error is relative to the largest element of its gradient, or to
    the round-off of the difference quotient where the gradient is smaller than that, so keep x and ``delta``
    near one in size. Stay away from kinks (a ReLU's zero, a pooling tie): there no derivative exists, and the
    two may differ.

    Returns a report: ``.ok``, ``.errors[name]``, and a text.
    """
    if not is_number(tol) or not 0 < tol < np.inf:
        raise ValueError(f"check_gradients: tol is {tol!r}, want a positive number")
    model = network_or_layer
    parameters = dict(named_parameters(model))
    y = model.forward(x)
    if delta is None:
        delta = np.random.default_rng(0 if rng is None else rng).standard_normal(y.shape)
    arrays = {"x": x} | {name: layer.params[key] for name, (layer, key) in parameters.items()}
    for name, array in arrays.items():
        if array.dtype != np.float64:
            raise ValueError(f"check_gradients: {name} is {array.dtype}, want float64")
    dx = model.backward(delta)
    gradients = {"x": dx} | {name: layer.grads[key] for name, (layer, key) in parameters.items()}
    noise = np.finfo(float).eps * np.abs(delta * y).sum() / eps
    report = GradientReport(tol)
    for name, array in arrays.items():
        numeric = numerical_gradient(lambda _: float((delta * model.forward(x)).sum()), array, eps)
        if gradients[name].shape != array.shape:
            raise ValueError(
                f"{model}: gradient {name} has shape {gradients[name].shape}, want {array.shape}"
            )
        scale = max(np.abs(gradients[name]).max(), np.abs(numeric).max(), noise / tol)
        report.errors[name] = float(np.abs(gradients[name] - numeric).max() / (scale or 1))
    model.forward(x)
    return report


def named_parameters(model):
    """(name, (layer, key)): "W" for a layer by itself, "0.W" in a network."""
    if hasattr(model, "named"):
        return [(name, (layer, key)) for name, layer, key in model.named()]
    return [(key, (model, key)) for key in model.params]
