"""How functions and classes of many styles are called: what ``call`` may be in ``diagnose``.

An adapter gets the subject, the name of the layer and {name: argument}, and returns what the subject found.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import ARGUMENTS
from .classes import BACKWARD, FORWARD, LayerClass, Optimiser, method

ALIASES = {
    "x": "a_prev input inputs",
    "W": "w weight weights filters",
    "b": "bias biases",
    "delta": "dout dy dz da grad grad_output grad_out d_out upstream dldy",
    "stride": "strides s",
    "padding": "pad p",
    "kernel": "kernel_size pool_size k f",
    "lr": "learning_rate eta alpha",
    "momentum": "mu beta",
    "weight_decay": "decay l2 lam reg",
}


def plain(subject, of, given):
    """subject(x, W, b, delta, stride, padding), in the order of the documentation."""
    return subject(*given.values())


class ByName:
    """A function whose parameters have names that say what they are: in another order, or fewer of them."""

    def __init__(self, of, names):
        self.names, self.fixed = names, {}
        missing = {name for name in ARGUMENTS[of].split() if name not in names.values()}
        values = {"stride": "kernel" if "pool" in of else 1, "padding": 0, "momentum": 0, "weight_decay": 0}
        self.fixed[of] = {name: value for name, value in values.items() if name in missing}

    def __call__(self, subject, of, given):
        return subject(**{parameter: given[name] for parameter, name in self.names.items()})


def by_name(subject, of):
    """A ByName, where all parameters of a function have known names; None where ``plain`` will do."""
    try:
        parameters = inspect.signature(subject).parameters.values()
    except (TypeError, ValueError):
        return None
    kinds = {alias: name for name, aliases in ALIASES.items() for alias in aliases.split()}
    if any(p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters):
        return None
    found = {p.name: kinds.get(p.name.lower(), p.name) for p in parameters}
    found = {p: "W" if name == "w" else name for p, name in found.items()}
    known, needed = ARGUMENTS[of].split(), [p.name for p in parameters if p.default is p.empty]
    if list(found.values()) == known or len(set(found.values())) < len(found):
        return None
    if any(found[name] not in known for name in needed):
        return None
    return ByName(of, {p: name for p, name in found.items() if name in known})


def _with_weights(g):
    """The cache of a layer with weights, in both courses."""
    sizes = [{"stride": g["stride"], "pad": g["padding"]}] if "stride" in g else []
    return (g["x"], g["W"], g["b"], *sizes)


def cs231n(subject: Callable, of: str, given: dict) -> object:
    """``subject(dout, cache)``, as in the assignments of cs231n: conv_backward_naive, affine_backward, ...; and
    ``subject(w, dw, config)``, as sgd_momentum there. For ``call`` in ``diagnose``, given: its arrays by name.
    """
    g = given
    if of == "sgd":
        return tuple(_rule(subject, g, name) for name in ("W", "b"))
    if "W" in g and "delta" in g:
        return subject(g["delta"], _with_weights(g))
    if "pool" in of:
        KH, KW = np.broadcast_to(g["kernel"], 2).tolist()
        return subject(g["delta"], (g["x"], {"pool_height": KH, "pool_width": KW, "stride": g["stride"]}))
    return subject(g["delta"], g["x"]) if "delta" in g else subject(*g.values())


def _rule(subject, g, name):
    """One parameter after a step of cs231n's rules, which keep their velocity in a dict."""
    config = g["state"].setdefault(name, {"momentum": g["momentum"]})
    config["learning_rate"] = g["lr"]
    value, g["state"][name] = subject(g[name], g["d" + name], config)
    return value


def deeplearning_ai(subject: Callable, of: str, given: dict) -> object:
    """``subject(dZ, cache)``, as in the course of deeplearning.ai: conv_backward, pool_backward, linear_backward, ... For
    ``call`` in ``diagnose``, given: its arrays by name.
    """
    g = given
    if "W" in g and "delta" in g:
        return subject(g["delta"], _with_weights(g))
    if "pool" in of:
        cache = g["x"], {"f": g["kernel"], "stride": g["stride"]}
        modes = {"mode": "max" if of.startswith("max") else "average"}
        return subject(
            g["delta"], cache, **(modes if "mode" in inspect.signature(subject).parameters else {})
        )
    return subject(g["delta"], g["x"]) if "delta" in g else subject(*g.values())


cs231n.fixed = {"max_pool2d": {"padding": 0}, "avg_pool2d": {"padding": 0}, "sgd": {"weight_decay": 0}}
cs231n.axes = {}
deeplearning_ai.fixed = cs231n.fixed
deeplearning_ai.axes = {
    "conv2d": {"x": "NHWC", "W": "HWIO", "b": "111O"},
    "dense": {"x": "IN", "W": "OI", "b": "O1"},
    **dict.fromkeys(("max_pool2d", "avg_pool2d"), {"x": "NHWC"}),
    **dict.fromkeys(("softmax_cross_entropy", "squared_error", "relu", "sigmoid", "tanh"), {"x": "CN"}),
}


def torch_function(subject: Any, of: str, given: dict) -> object:
    """A torch.autograd.Function: ``apply(x, W, b, stride, padding)``, then backward. For ``call`` in ``diagnose``, given: its
    arrays by name.
    """
    torch = sys.modules["torch"]
    tensors, rest = {}, []
    for name, value in given.items():
        if name == "delta":
            continue
        floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        rest.append(torch.tensor(value, requires_grad=floats) if isinstance(value, np.ndarray) else value)
        if floats:
            tensors[name] = rest[-1]
    y = subject.apply(*rest)
    y.backward(torch.tensor(given["delta"])) if "delta" in given else y.backward()
    found = [None if tensor.grad is None else tensor.grad.numpy() for tensor in tensors.values()]
    return tuple(found) if len(found) > 1 else found[0]


NAMED = {"cs231n": cs231n, "deeplearning.ai": deeplearning_ai}


def adapter(subject, call, of):
    """The adapter for what came as ``call``; ValueError for what is none, or where the subject cannot be called."""
    if isinstance(call, str) and call not in NAMED:
        raise ValueError(f"call is {call!r}, want a function or one of {', '.join(map(repr, NAMED))}")
    if call is not None and not isinstance(call, str) and not callable(call):
        raise ValueError(
            f"call is {type(call).__name__}, want a function or one of {', '.join(map(repr, NAMED))}"
        )
    if isinstance(call, str):
        return NAMED[call]
    if call is not None:
        if call in (cs231n, deeplearning_ai, torch_function):
            return call
        return lambda subject, of, given: call(subject, *given.values())
    if isinstance(subject, type) and of == "sgd" and method(subject, Optimiser.STEP):
        return Optimiser(subject)
    both = method(subject, FORWARD) and method(subject, BACKWARD)
    if isinstance(subject, type) and both:
        return torch_function if hasattr(subject, "apply") and "torch" in sys.modules else LayerClass()
    if both and not callable(subject) or both and not inspect.isroutine(subject):
        raise ValueError(
            f"the subject is an object of {type(subject).__name__}, want the class itself: each input needs a layer "
            "of other sizes"
        )
    if not callable(subject) or isinstance(subject, type):
        came = subject.__name__ if isinstance(subject, type) else type(subject).__name__
        raise ValueError(f"the subject is {came}, want a function, or a class with forward and backward")
    return by_name(subject, of) or plain
