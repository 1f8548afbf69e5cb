"""What is judged by ``gradcheck``: it is handed copies, watched, and put back as it was."""

from contextlib import contextmanager, suppress
from itertools import product

import numpy as np

from .layers.base import floating
from .network import Sequential


def parameters(model):
    """{name: (layer, key)}: "W" for a layer by itself, "0.W" in a network; ValueError for what is neither."""
    if isinstance(model, type) or not all(callable(getattr(model, m, None)) for m in ("forward", "backward")):
        raise ValueError(f"check_gradients: got {called(model)}, want an object with forward and backward")
    for layer in layers_of(model):
        for name in ("params", "grads"):
            if not isinstance(held := getattr(layer, name, None), dict):
                came = f"{called(layer)}: {name} is {type(held).__name__}"
                raise ValueError(f"{came}, want a dict of arrays, empty where nothing is learned")
    alone = ((f"{key}", model, key) for key in model.params) if layers_of(model) == [model] else ()
    owners = {name: (layer, key) for name, layer, key in alone or model.named()}
    if "x" in owners:
        raise ValueError(f"{called(model)}: a parameter is called x, want another name: x is the input")
    for layer, key in owners.values():
        writable(called(layer), layer.params[key], key)
    places = {name: addresses(layer.params[key]) for name, (layer, key) in owners.items()}
    held, times = np.unique(np.concatenate([[], *places.values()]), return_counts=True)
    if shared := [name for name, place in places.items() if np.isin(place, held[times > 1]).any()]:
        raise ValueError(f"{called(model)}: {shared} share memory, want copies: an element cannot move alone")
    return owners


def layers_of(model):
    """The layers of a Sequential or of its subclass, the model itself where it is none."""
    if isinstance(model, Sequential) and not model.layers:
        raise ValueError(f"{called(model)}: got no layers, want at least one")
    return model.layers if isinstance(model, Sequential) else [model]


def parts(model):
    """``layers_of`` where the model does no more than go through them, itself where it has its own ways."""
    ways = [getattr(getattr(model, way), "__func__", None) for way in ("forward", "backward")]
    return layers_of(model) if ways == [Sequential.forward, Sequential.backward] else [model]


def addresses(array):
    """Where in memory each number of an array lies, flat."""
    steps = (index * stride for index, stride in zip(np.indices(array.shape), array.strides))
    return np.ravel(array.__array_interface__["data"][0] + sum(steps))


def first_output(model, x, delta, rng):
    """y, and delta as it was given or drawn; ValueError unless these are fit to be compared."""
    who, y = called(model), output(model, "forward", x.copy("K"))
    if not np.isfinite(y).all():
        raise ValueError(f"{who}: forward gives nan or inf, want finite numbers")
    if delta is None:
        try:
            rng = np.random.default_rng(0 if rng is None else rng)
        except (TypeError, ValueError):
            raise ValueError(f"check_gradients: rng is {rng!r}, want a Generator or a seed") from None
        delta = rng.standard_normal(y.shape)
        # Where both begin with the numbers of one seed, delta x^T is symmetric, and hides a transpose.
        one, other = delta.ravel()[: x.size], x.ravel()[: delta.size]
        if one.size > 1 and abs(one @ other) > (1 - 1e-12) * np.sqrt((one @ one) * (other @ other)) > 0:
            delta = rng.standard_normal(y.shape)
    if floating(who, delta, "delta").shape != y.shape:
        raise ValueError(f"{who}: got delta of shape {delta.shape}, want {y.shape}")
    if not (np.abs(delta) <= np.finfo(float).max).all():
        raise ValueError(f"{who}: delta has nan, inf or more than float64 holds, want finite numbers")
    return y, delta.astype(float)


def one_pass(model, owners, arrays, delta, check_unchanged):
    """y of one forward and every gradient of one backward, by name, copied."""
    found = dict(y=output(model, "forward", arrays["x"].copy("K")), x=output(model, "backward", delta.copy()))
    check_unchanged()
    for name, (layer, key) in owners.items():
        if layer.grads.keys() != layer.params.keys():
            came, want = [*layer.grads], [*layer.params]
            raise ValueError(f"{called(layer)}: backward leaves the gradients {came}, want {want}")
        found[name] = double(called(layer), layer.grads[key], f"gradient {key}").copy("K")
    for name, array in arrays.items():
        if found[name].shape != array.shape:
            came = f"gradient {name} has shape {found[name].shape}"
            raise ValueError(f"{called(model)}: {came}, want {array.shape}")
    return found


def misdeeds(model, x, delta):
    """A sentence for each layer that changes what it is given, and for the first that gives two answers.

    Each layer of a Sequential gets copies of what it would meet, so that none feels what another does.
    """
    layers, met = parts(model), []
    for method, flow, order in 2 * [("forward", x, layers), ("backward", delta, layers[::-1])]:
        for layer in order:
            given, copy = flow, flow.copy("K")
            flow = output(layer, method, copy)
            grads = [np.array(grad) for part in layers_of(layer) for grad in part.grads.values()]
            found = [flow, *grads] if method == "backward" else [flow]
            met.append((f"{called(layer)}: {method}", given, copy, found))
    once, twice = met[: len(met) // 2], met[len(met) // 2 :]
    changes = "changes what it is given in place, want it left as it is"
    remarks = [f"{who} {changes}" for who, given, copy, _ in once if not same(given, copy)]
    odd = [who for (who, *_, first), (*_, second) in zip(once, twice) if any(map(differ, first, second))]
    again = "gives something else when called again: it is random or keeps state"
    return remarks + [f"{who} {again}" for who in odd[:1]]


def no_jumps(model, x, eps):
    """ValueError, naming the layer, where tiny steps of all of an array move nothing and ``eps`` much.

    So it is where float32 is inside, or numbers are rounded, as by a large number that is added and taken away.
    """
    rng = np.random.default_rng(0)
    for layer in parts(model):
        y = output(layer, "forward", x.copy("K"))
        for array in [x := x.copy("K"), *(a for part in layers_of(layer) for a in part.params.values())]:
            kept, way, moves = array.copy(), rng.uniform(0.5, 1, array.shape), []
            for size in (-(2.0**-36), 2.0**-36, -eps, eps):
                array[...] = kept + size * way
                moves.append(np.abs(change(layer, layer, array, x, y)))
            array[...] = kept
            much = eps / 512 * (np.abs(y).max(initial=1) + np.abs(kept).max())
            if ((moves[0] + moves[1] == 0) & (np.minimum(*moves[2:]) > much)).any():
                raise ValueError(f"{called(layer)}: forward has float32 inside, or rounds, want float64")
        x = y


@contextmanager
def put_back(owners):
    """Parameters come back bit by bit, in the same arrays and dicts; where it raises, gradients do, too.

    The block gets a function that raises ValueError if parameters have been changed by then.
    """

    def check_unchanged():
        for layer, _, _, entries, arrays in kept[: len(layers)]:
            held = [*map(id, layer.params.values())] == [*map(id, entries.values())]
            if not held or not all(array.flags.writeable and same(array, copy) for array, _, copy in arrays):
                raise ValueError(f"{called(layer)} changes its parameters, want them left as they are")

    layers, kept = {id(layer): layer for layer, _ in owners.values()}.values(), []
    for name, layer in product(("params", "grads"), layers):
        held = getattr(layer, name)
        arrays = [a for a in held.values() if isinstance(a, np.ndarray) and a.flags.writeable]
        kept.append((layer, name, held, dict(held), [(a, a[...], a.copy()) for a in arrays]))
    try:
        yield check_unchanged
        kept = kept[: len(layers)]  # after success, the gradients are backward's
    finally:
        for layer, name, held, entries, arrays in kept:
            for array, view, copy in arrays:
                view[...] = copy  # it can be written, and has its shape, whatever was done to the array
                with suppress(ValueError):
                    array.shape, array.flags.writeable = copy.shape, True
            held.clear()
            held.update(entries)
            with suppress(AttributeError):  # a property makes its dict anew
                setattr(layer, name, held)


def change(model, owner, array, x, y, delta=1.0):
    """delta * (forward(x) - y), element by element, so that outputs which stay cancel exactly.

    ValueError where forward changes the array of its owner, or the shape of what it gives.
    """
    before, now = array.copy(), output(model, "forward", x.copy("K"))
    if not same(array, before):
        raise ValueError(f"{called(owner)} changes its parameters, want them left as they are")
    if now.shape != y.shape:
        raise ValueError(f"{called(model)}: forward gives {now.shape}, and before {y.shape}, want one shape")
    return delta * (now - y)


def called(model):
    """Its text, or the name of its class where the text does not begin with it."""
    name, text = (model if isinstance(model, type) else type(model)).__name__, str(model)
    return text if text.startswith(name) or isinstance(model, (str, int)) else name


def output(model, method, given):
    """What the method gives, copied; ValueError unless that is float64."""
    return double(called(model), getattr(model, method)(given), f"what {method} gives").copy("K")


def double(who, array, name):
    """The array, if it is float64; ValueError, naming who asked, otherwise."""
    if floating(who, array, name).dtype.newbyteorder("=") != np.float64:
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


def in_single(got, given):
    """Whether ``got`` are float32's numbers, not all short ones, and ``given`` are not: float32 was inside."""
    pairs = [(got, np.float32), (got, np.float16), (given, np.float32)]
    with np.errstate(over="ignore"):
        single, half, before = [(values == values.astype(dtype)).all() for values, dtype in pairs]
    return single and not half and not before
