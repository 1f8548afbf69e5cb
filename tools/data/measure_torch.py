"""Run the PyTorch programs of the chapter `to_pytorch` and store what PyTorch says; writes cnnlib/data/torch.json.

    python tools/data/measure_torch.py     (a few seconds; wants PyTorch)

The programs are the files of cnnlib/data/pytorch, which the chapter prints; network and batch are the chapter's functions.

lenet: autograd's loss; of each layer's output and of its gradient one element, and the scalar product of all with random numbers, which
sees where each element stands; of each parameter's gradient this product, the norm, and all numbers, or some if they are many.
jacobian: every number of a convolution of 3 x 3 pixels: the Jacobian, dx, dW and db.
function: what gradcheck and practice.diagnose say of the chapter's own convolution, and of the same with a line spoilt.
mistakes: what comes of each; for an exception its first sentence. defaults: how PyTorch draws weights, and what it lets decay.

All is float64, in full. A test runs it again where PyTorch is installed, and compares.
"""

import importlib.util
import json
import re
import warnings

import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from train_many import ROOT, from_chapter

import numpy as np

import cnnlib
from cnnlib import practice
from cnnlib.convert import batch_first, batch_last, state_dict

RESULTS = ROOT / "cnnlib" / "data" / "torch.json"
PROGRAMS = ROOT / "cnnlib" / "data" / "pytorch"
SMALL, ENTRIES = 200, 12
SPOILT = "back = dxp[:, :, rows, cols]", "back = dxp[:, :, u : u + OH, v : v + OW]"


def chapter():
    """The chapter's functions: its LeNet, its batch, its small convolution, and the random numbers of the products."""
    names = ["lenet", "batch", "small_convolution", "direction"]
    return from_chapter("to_pytorch", names, vars(cnnlib) | {"np": np})


def program(name, *change):
    """The module of one of the chapter's programs; change: a text in it and what stands there instead."""
    path = PROGRAMS / f"{name}.py"
    code = path.read_text(encoding="utf-8")
    if change:
        old, new = change
        if code.count(old) != 1:
            raise ValueError(f"{path} has {old!r} {code.count(old)} times, want it once")
        code = code.replace(old, new)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader=None))
    exec(compile(code, path, "exec"), vars(module))
    return module


def tensor(array, grad=False):
    """A leaf tensor with the numbers of an array."""
    return torch.tensor(array, requires_grad=grad)


def models():
    """(a fresh LeNet of PyTorch with the weights of the chapter's, the images, the labels), anew at each call."""
    of, (lenet, batch, _, _) = program("lenet"), chapter()
    x, t = batch()
    model = of.lenet()
    of.load(model, state_dict(lenet(np.random.default_rng(0))))
    return model, tensor(batch_first(x)), torch.tensor(t)


def of_lenet():
    """The loss, an element of each layer's output with its gradient, and the gradients of the parameters."""
    (model, y, t), direction = models(), chapter()[3]
    outputs = []
    for module in model:
        y = module(y)
        y.retain_grad()
        outputs.append(y)
    J = nn.CrossEntropyLoss()(y, t)
    J.backward()
    layers = []
    for k, y in enumerate(outputs):
        value, delta = batch_last(y.detach()), batch_last(y.grad)
        of_one = np.abs(value * delta)[..., k % len(t)]  # the largest share of this example
        at = *map(int, np.unravel_index(of_one.argmax(), of_one.shape)), k % len(t)
        one, all_of = (value, delta), direction(value.shape)
        layers.append(
            {
                "shape": [*y.shape],
                "at": [*at],
                "element": [float(array[at]) for array in one],
                "products": [float(np.sum(array * all_of)) for array in one],
            }
        )
    parameters = {}
    for name, parameter in model.named_parameters():
        g = parameter.grad.numpy()
        at = (
            np.random.default_rng(g.size).choice(g.size, ENTRIES, replace=False)
            if g.size > SMALL
            else range(g.size)
        )
        parameters[name] = {
            "shape": list(g.shape),
            "norm": float(np.linalg.norm(g)),
            "product": float(np.sum(g * direction(g.shape))),
            "at": [*map(int, at)],
            "grad": g.ravel()[at].tolist(),
        }
    return {"loss": J.item(), "layers": layers, "parameters": parameters}


def of_jacobian():
    """Every number of the chapter's small convolution, its bias left out of the Jacobian."""
    x, W, b, delta = chapter()[2]()
    x, W, b = (tensor(value, True) for value in (x[None, None], W[None, None], np.array([b])))
    y = nn.functional.conv2d(x, W, b)
    conv = lambda x: nn.functional.conv2d(x, W, b)  # noqa: E731
    M = torch.autograd.functional.jacobian(conv, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what torch.func uses inside
        _, pushed = torch.func.jvp(conv, (x.detach(),), (x.detach() ** 2,))
    y.backward(gradient=tensor(delta[None, None]))
    return {
        "y": y.tolist()[0][0],
        "M": M.reshape(y.numel(), x.numel()).tolist(),
        "M times x squared": pushed.tolist()[0][0],
        "dx": x.grad.tolist()[0][0],
        "dW": W.grad.tolist()[0][0],
        "db": b.grad.tolist()[0],
    }


def said(function, *arguments, **more):
    """What a function returns; of an exception its kind and its first sentence."""
    try:
        return function(*arguments, **more)
    except Exception as error:
        first = re.split(r"[.,:;]\s| \(|\n", f"{error} ")[0]
        return f"{type(error).__name__}: {first}"


def of_function():
    """The verdicts on the chapter's own convolution, and on it with one line spoilt."""
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(shape) for shape in ((2, 2, 5, 6), (3, 2, 3, 2), (3,))]
    found = {"line": [*SPOILT]}
    for kind, change in (("right", ()), ("spoilt", SPOILT)):
        subject = program("convolution", *change).Convolution
        verdicts = {}
        for called, stride, dtype in (
            ("stride 1", 1, np.float64),
            ("stride 2", (2, 1), np.float64),
            ("stride 2, float32", (2, 1), np.float32),
        ):
            inputs = [tensor(array.astype(dtype), True) for array in arrays]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that float32 will fail: it is to
                verdicts[called] = said(gradcheck, subject.apply, (*inputs, stride, (1, 0)))
        inputs = [tensor(array, True) for array in arrays]
        verdicts["twice"] = said(gradgradcheck, subject.apply, (*inputs, (2, 1), (1, 0)))
        report = practice.diagnose(subject, of="conv2d")
        verdicts["diagnose"] = {"ok": report.ok, "mistakes": [mistake.name for mistake in report.mistakes]}
        found[kind] = verdicts
    x, W, b = (tensor(array, True) for array in arrays)
    by_hand = program("convolution").Convolution.apply(x, W, b, (2, 1), (1, 0))
    theirs = nn.functional.conv2d(x, W, b, (2, 1), (1, 0))
    delta = tensor(rng.standard_normal(theirs.shape))
    gradients = [torch.autograd.grad(y, (x, W, b), delta) for y in (by_hand, theirs)]
    found["as torch"] = all(
        torch.allclose(a, b, 1e-12, 1e-12) for a, b in [(by_hand, theirs), *zip(*gradients)]
    )
    return found


def of_mistakes():
    """What PyTorch says of each mistake."""
    of, loss = program("mistakes"), nn.CrossEntropyLoss()
    model, x, t = models()
    small = np.array([-1.0, 0.5, 2.0])
    trained = models()[0]
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.01)
    found = {
        "two steps": [program("lenet").step(trained, loss, optimizer, x, t) for _ in range(2)],
        "no zero_grad": of.no_zero_grad(model, loss, x, t),
        "sum for mean": of.sum_for_mean(models()[0], x, t),
        "softmax twice": of.softmax_twice(model(x), t),
        "best of softmax twice": of.best_loss_of_softmax_twice(),
        "detached": of.detached(models()[0], loss, x, t),
        "graph kept": of.graph_kept(tensor(small, True)),
        "no gradient given": said(of.no_gradient_given, tensor(small, True)),
        "graph twice": said(of.graph_twice, tensor(small, True)),
        "in place": said(of.in_place, tensor(small, True)),
        "in place, unseen": of.in_place_unseen(tensor(small, True)),
        "update recorded": said(of.update_recorded, model),
        "update not recorded": of.update_not_recorded(model),
        "differentiated twice": of.twice_differentiated(tensor(np.array(3.0), True)),
    }
    return {name: plain(value) for name, value in found.items()}


def plain(value):
    """A result as JSON has it."""
    if isinstance(value, torch.Tensor):
        return value.detach().tolist()
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def of_defaults():
    """How fresh layers are drawn, times the square root of their fan-in: the largest |w| and |b|, and sqrt(3) times the standard
    deviation of W, each 1 for numbers that are uniform up to 1; and whether SGD's weight decay changes W and b."""
    torch.manual_seed(0)
    found = {"dtype": str(torch.get_default_dtype())}
    for name, layer, fan_in in (("Linear", nn.Linear(256, 120), 256), ("Conv2d", nn.Conv2d(6, 16, 5), 150)):
        W, b = (parameter.detach().double() * fan_in**0.5 for parameter in layer.parameters())
        numbers = W.abs().max(), b.abs().max(), 3**0.5 * W.std()
        found[name] = [round(float(value), 3) for value in numbers]
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.1).step()
    found["decayed"] = [not torch.equal(old, new) for old, new in zip(before, layer.parameters())]
    return found


def measure():
    """All that the file holds."""
    torch.set_num_threads(1)
    return {
        "torch": torch.__version__.partition("+")[0],
        "lenet": of_lenet(),
        "jacobian": of_jacobian(),
        "function": of_function(),
        "mistakes": of_mistakes(),
        "defaults": of_defaults(),
    }


if __name__ == "__main__":
    RESULTS.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
