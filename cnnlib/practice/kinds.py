"""Kinds of mistakes: what a reader would look under, from the step of the backward pass that is wrong."""

from .mistakes import Mistake, catalogue

# By the file that has the mistake, then by its step, for weights by its gradient.
PLACES = dict.fromkeys(("put", "place", "crop"), "places")
KINDS = {
    "convolution": {"scatter": "sums"}
    | dict.fromkeys(("place", "between", "border", "crop"), "stride and padding"),
    "weights": {"dW": "dW", "db": "db"},
    "pooling": PLACES,
    "windows": PLACES,
    "losses": {"divide": "averages", "difference": "squared error"},
    "general": {"after": "sign and size", "delta": "loops"},
}
OTHERWISE = {"convolution": "kernel", "activations": "activations", "losses": "softmax", "sgd": "steps"}
OTHERWISE |= {"layouts": "axes", "general": "what outlives a call"}


def kind(mistake: Mistake) -> str:
    """The kind of a mistake, one of those in ``kinds()``."""
    step, function, layers, gradients = max(
        mistake.forms, key=lambda form: len(form[2])
    )  # for the most layers
    file = function.__module__.rpartition(".")[2]
    step = gradients[0] if file == "weights" else step
    if file not in KINDS and file not in OTHERWISE:  # what can be made in several layers may have any file
        file = "general"
    found = KINDS.get(file, {}).get(step) or OTHERWISE.get(file)
    return found or ("max pooling" if "max_pool2d" in layers else "average pooling")


def kinds() -> dict[str, list[Mistake]]:
    """{kind: [Mistake]}: the whole catalogue, each mistake once.

    >>> practice.kinds()["sign and size"][0].name
    'wrong sign'
    """
    found: dict[str, list[Mistake]] = {}
    for mistake in catalogue().values():
        found.setdefault(kind(mistake), []).append(mistake)
    return found
