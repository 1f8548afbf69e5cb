"""Layers with a mistake of the catalogue in them, for exercises: their gradients, and functions as a reader would write them."""

import numpy as np

from .cases import ARGUMENTS, RETURNS, WINDOWS, Case
from .mistakes import Form, catalogue, simulate
from .subject import axes_of


def one_map(of, x, W, delta, stride=1, padding=0):
    """The Case of one image x (H, W) in a layer with windows, with one kernel W (KH, KW), or of a pool with W = (KH, KW)."""
    values = dict(x=np.array(x, float)[None, :, :, None], delta=np.array(delta, float)[None, :, :, None])
    values |= dict(stride=(stride, stride), padding=(padding, padding))
    if of in WINDOWS:
        values |= dict(W=np.array(W, float)[None, None], b=np.zeros(1), kernel=np.shape(W))
    else:
        values |= dict(kernel=tuple(W))
    return Case(of, axes_of(of, "CHWN"), **values)


def gradient(case, which="dx", *names):
    """A gradient of a case of one image, (H, W), right or with these mistakes; None where they give another shape."""
    found = simulate(case, which, [_form(name, case.of, which) for name in names])
    if found is None or found.shape != case.right(which).shape:
        return None
    return found.squeeze(
        tuple(n for n, size in enumerate(found.shape) if size == 1 and n in (0, found.ndim - 1))
    )


def with_texts(case, names, which="dx"):
    """{the text of a mistake: the gradient that it gives}, of those that show in this case."""
    found = {}
    for name in names:
        wrong = gradient(case, which, name)
        if wrong is not None and np.abs(wrong - gradient(case, which)).max() > 1e-9:
            found[f"consistent with “{name}”. {catalogue()[name].text}"] = wrong
    return found


def program(of, *names):
    """A function of the arguments that ``diagnose`` gives, in the book's axes, right or with these mistakes."""

    def backward(*arguments):
        values = dict(zip(ARGUMENTS[of].split(), arguments))
        for name in ("stride", "padding", "kernel"):
            if name in values:
                values[name] = tuple(np.broadcast_to(values[name], 2).tolist())
        if of == "dense":
            values["x"], values["delta"] = (values[k][:, None, None] for k in ("x", "delta"))
            values |= dict(W=values["W"][:, :, None, None], stride=(1, 1), padding=(0, 0))
        if "W" in values:
            values["kernel"] = values["W"].shape[2:]
        case, found = Case(of, axes_of(of, "CHWN"), **values), []
        for which in RETURNS[of].split():
            made = [_form(name, of, which) for name in names if which in catalogue()[name].gradients]
            found.append(simulate(case, which, made))
            if found[-1] is None:
                raise ValueError("the shapes do not fit")
        return tuple(found) if len(found) > 1 else found[0]

    return backward


def _form(name, of, which):
    """The first form of a mistake in this layer and gradient."""
    entry = catalogue()[name]
    forms = [f for f in entry.forms if of in f[2] and which in f[3]]
    return Form(entry, *forms[0][:2])
