"""What is judged by ``gradcheck``: it is handed copies, watched, and put back as it was."""

from contextlib import contextmanager

import numpy as np

from .layers.base import floating
from .network import Sequential


def parameters(model):
    """{name: (layer, key)}: "W" for a layer by itself, "0.W" in a network; ValueError for what is neither."""
    methods = [getattr(model, method, None) for method in ("forward", "backward")]
    if isinstance(model, type) or not all(map(callable, methods)):
        raise ValueError(f"check_gradients: got {called(model)}, want an object with forward and backward")
    network = hasattr(model, "named")
    for layer in model.layers if network else [model]:
        for name in ("params", "grads"):
            if not isinstance(held := getattr(layer, name, None), dict):
                came = f"{called(layer)}: {name} is {type(held).__name__}"
                raise ValueError(f"{came}, want a dict of arrays, empty where nothing is learned")
    named = model.named() if network else [(key, model, key) for key in model.params]
    owners = {name: (layer, key) for name, layer, key in named}
    if "x" in owners:
        raise ValueError(f"{called(model)}: a parameter is called x, want another name: x is the input")
    for layer, key in owners.values():
        writable(called(layer), layer.params[key], key)
    return owners


def one_pass(model, owners, x, delta):
    """y of one forward and every gradient of one backward, by name, copied."""
    found = {"y": output(model, "forward", x.copy("K")), "x": output(model, "backward", delta.copy())}
    wanted = {"x": x.shape}
    for name, (layer, key) in owners.items():
        if layer.grads.keys() != layer.params.keys():
            came, want = sorted(layer.grads), sorted(layer.params)
            raise ValueError(f"{called(layer)}: backward leaves the gradients {came}, want {want}")
        found[name] = double(called(layer), layer.grads[key], f"gradient {key}").copy("K")
        wanted[name] = layer.params[key].shape
    for name, shape in wanted.items():
        if found[name].shape != shape:
            came = f"gradient {name} has shape {found[name].shape}"
            raise ValueError(f"{called(model)}: {came}, want {shape}")
    return found


def misdeeds(model, x, delta):
    """A sentence for each layer that changes what it is given, and for the first that gives two answers.

    Each layer of a Sequential gets copies of what it would meet, so that none feels what another does.
    """
    layers, met = model.layers if type(model) is Sequential else [model], []
    for method, flow, order in 2 * [("forward", x, layers), ("backward", delta, layers[::-1])]:
        for layer in order:
            given, copy = flow, flow.copy("K")
            flow = output(layer, method, copy)
            grads = [np.array(grad) for grad in layer.grads.values()] if method == "backward" else []
            met.append((f"{called(layer)}: {method}", given, copy, [flow, *grads]))
    once, twice = met[: len(met) // 2], met[len(met) // 2 :]
    remarks = [
        f"{who} changes what it is given in place, want it left as it is"
        for who, given, copy, _ in once
        if not same(given, copy)
    ]
    for (who, *_, first), (*_, second) in zip(once, twice):
        if any(map(differ, first, second)):
            return [*remarks, f"{who} gives something else when called again: it is random or keeps state"]
    return remarks


@contextmanager
def put_back(owners):
    """Parameters come back bit by bit, in the same arrays and dicts; where it raises, gradients do, too.

    The block gets a function that raises ValueError if parameters have been changed by then.
    """

    def check_unchanged():
        for layer, _, _, entries, arrays in kept[: len(layers)]:
            same_arrays = all(layer.params.get(key) is entries[key] for key in entries)
            if not same_arrays or not all(same(array, copy) for array, copy in arrays):
                raise ValueError(f"{called(layer)} changes its parameters, want them left as they are")

    layers = {id(layer): layer for layer, _ in owners.values()}.values()
    kept = [
        (
            layer,
            name,
            held,
            dict(held),
            [(a, a.copy()) for a in held.values() if isinstance(a, np.ndarray) and a.flags.writeable],
        )
        for name in ("params", "grads")
        for layer in layers
        for held in [getattr(layer, name)]
    ]
    try:
        yield check_unchanged
        kept = kept[: len(layers)]  # after success, the gradients are backward's
    finally:
        for layer, name, held, entries, arrays in kept:
            for array, copy in arrays:
                array.flags.writeable = True
                array[...] = copy
            held.clear()
            held.update(entries)
            if getattr(layer, name, None) is not held:
                setattr(layer, name, held)


def called(model):
    """Its text, or the name of its class where the text does not begin with it."""
    name, text = (model if isinstance(model, type) else type(model)).__name__, str(model)
    return text if text.startswith(name) or isinstance(model, (str, int)) else name


def output(model, method, given):
    """What the method gives, copied; ValueError unless that is float64."""
    return double(called(model), getattr(model, method)(given), f"what {method} gives").copy("K")


def double(who, array, name):
    """The array, if it is float64; ValueError, naming who asked, otherwise."""
    if floating(who, array, name).dtype != np.float64:
        raise ValueError(f"{who}: {name} is {array.dtype}, want float64, for a step drowns in anything less")
    return array


def writable(who, array, name):
    """The array, if it is float64 and can be changed; ValueError, naming who asked, otherwise."""
    if not double(who, array, name).flags.writeable:
        raise ValueError(f"{who}: {name} is read-only, want an array that can be stepped in place")
    return array


def same(one, other):
    """Whether two float64 arrays are equal, bit by bit."""
    return np.array_equal(one.view(np.int64), other.view(np.int64))


def differ(one, other):
    """Whether two arrays differ by more than rounding."""
    noise = 1e-12 * np.fmax.reduce(np.abs(one), axis=None, initial=0)
    return one.shape != other.shape or not np.allclose(one, other, 1e-9, noise, equal_nan=True)
