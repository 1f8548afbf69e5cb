"""The networks of step.py in PyTorch, jax and tinygrad: the same numbers, one training step of plain SGD.

Each function takes the network of cnnlib, whose parameters it copies, images (C, H, W, N), labels (N,) and the
learning rate, and returns a function that does one step and returns the loss before it.
"""

from functools import cache, partial
from subprocess import SubprocessError

import numpy as np
from threads import THREADS
from timing import installed

from cnnlib import Conv2d, Dense, Flatten, MaxPool2d, ReLU, Sigmoid


def batch_first(x):
    """(C, H, W, N) -> (N, C, H, W), a copy."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 0))


def torch_stepper(net, x, t, lr, channels_last=False):
    """PyTorch, eager, in one of its two layouts."""
    import torch

    torch.set_num_threads(THREADS)
    modules = [torch_module(torch, layer) for layer in net.layers]
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = torch.nn.Sequential(*modules).to(memory_format=layout)
    x = torch.from_numpy(batch_first(x)).contiguous(memory_format=layout)
    t, loss = torch.from_numpy(t), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr)

    def step():
        optimizer.zero_grad()
        J = loss(model(x), t)
        J.backward()
        optimizer.step()
        return J.item()

    return step


def torch_module(torch, layer):
    """The PyTorch module that computes what ``layer`` does, with copies of its parameters."""
    nn = torch.nn
    simple = {ReLU: nn.ReLU, Sigmoid: nn.Sigmoid, Flatten: nn.Flatten}
    if type(layer) in simple:
        return simple[type(layer)]()
    if isinstance(layer, MaxPool2d):
        return nn.MaxPool2d(layer.kernel)
    module = (
        nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel)
        if isinstance(layer, Conv2d)
        else nn.Linear(layer.in_features, layer.out_features)
    )
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(layer.params["W"]))
        module.bias.copy_(torch.from_numpy(layer.params["b"]))
    return module


def jax_stepper(net, x, t, lr):
    """jax: the whole step is compiled."""
    import jax

    functions = {
        Conv2d: lambda layer, p, x: (
            jax.lax.conv_general_dilated(x, p["W"], (1, 1), "VALID") + p["b"][:, None, None]
        ),
        Dense: lambda layer, p, x: x @ p["W"].T + p["b"],
        MaxPool2d: lambda layer, p, x: jax.lax.reduce_window(
            x, -np.inf, jax.lax.max, (1, 1, *layer.kernel), (1, 1, *layer.kernel), "VALID"
        ),
        Flatten: lambda layer, p, x: x.reshape(len(x), -1),
        ReLU: lambda layer, p, x: jax.nn.relu(x),
        Sigmoid: lambda layer, p, x: jax.nn.sigmoid(x),
    }

    def loss(params, x, t):
        for layer, p in zip(net.layers, params):
            x = functions[type(layer)](layer, p, x)
        return -jax.nn.log_softmax(x)[np.arange(len(t)), t].mean()

    @jax.jit
    def update(params, x, t):
        J, grads = jax.value_and_grad(loss)(params, x, t)
        return J, jax.tree.map(lambda value, slope: value - lr * slope, params, grads)

    params = [{key: jax.numpy.array(value) for key, value in layer.params.items()} for layer in net.layers]
    x, t = jax.numpy.array(batch_first(x)), jax.numpy.array(t)

    def step():
        nonlocal params
        J, params = jax.block_until_ready(update(params, x, t))
        return float(J)

    return step


def tinygrad_stepper(net, x, t, lr):
    """tinygrad: the third step on replays what was compiled in the second."""
    from tinygrad import Tensor, TinyJit

    functions = {
        Conv2d: lambda layer, p, x: x.conv2d(p["W"], p["b"]),
        Dense: lambda layer, p, x: x.linear(p["W"].T, p["b"]),
        MaxPool2d: lambda layer, p, x: x.max_pool2d(layer.kernel),
        Flatten: lambda layer, p, x: x.flatten(1),
        ReLU: lambda layer, p, x: x.relu(),
        Sigmoid: lambda layer, p, x: x.sigmoid(),
    }
    params = [
        {key: Tensor(value.copy()).realize() for key, value in layer.params.items()} for layer in net.layers
    ]
    values = [value for p in params for value in p.values()]
    x, t = Tensor(batch_first(x)).realize(), Tensor(t.astype(np.int32)).realize()

    @TinyJit
    def update():
        y = x
        for layer, p in zip(net.layers, params):
            y = functions[type(layer)](layer, p, y)
        J = y.sparse_categorical_crossentropy(t)
        new = [value - lr * slope for value, slope in zip(values, J.gradient(*values))]
        return J.realize(*(value.assign(better) for value, better in zip(values, new)))

    return lambda: update().item()


@cache
def usable(package):
    """Whether it is installed and computes; says why not."""
    if not installed(package):
        print(f"{package} is not installed: no comparison with it (pip install {package})")
        return False
    if package == "tinygrad":  # it needs a compiler of this machine
        from tinygrad import Tensor

        try:
            Tensor([1.0]).sqrt().item()
        except (OSError, RuntimeError, SubprocessError) as why:
            print(f"tinygrad cannot compute here: no comparison with it ({why})")
            return False
    return True


def makers(net, x, t, lr):
    """For each contender that can run here, by name: a function without arguments that makes its stepper."""
    found = {"torch_nchw": torch_stepper, "torch_channels_last": partial(torch_stepper, channels_last=True)}
    found |= {"jax": jax_stepper, "tinygrad": tinygrad_stepper}
    return {name: partial(make, net, x, t, lr) for name, make in found.items() if usable(name.split("_")[0])}
