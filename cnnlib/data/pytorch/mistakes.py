"""What goes wrong with autograd, each in a function that returns what PyTorch then says."""

import torch
from torch import nn


def no_zero_grad(model, loss, x, t):
    loss(model(x), t).backward()
    once = model[0].weight.grad.clone()
    loss(model(x), t).backward()
    return model[0].weight.grad.norm() / once.norm()


def sum_for_mean(model, x, t):
    norms = []
    for reduction in ("mean", "sum"):
        model.zero_grad()
        nn.CrossEntropyLoss(reduction=reduction)(model(x), t).backward()
        norms.append(model[0].weight.grad.norm())
    return norms[1] / norms[0]


def softmax_twice(logits, t):
    loss = nn.CrossEntropyLoss()
    return loss(logits, t), loss(logits.softmax(dim=1), t)


def best_loss_of_softmax_twice():
    sure = torch.zeros(1, 10, dtype=torch.float64)
    sure[0, 3] = 1000.0
    return nn.CrossEntropyLoss()(sure.softmax(dim=1), torch.tensor([3]))


def detached(model, loss, x, t):
    features = model[:7](x).detach()
    loss(model[7:](features), t).backward()
    return [p.grad is None for p in model.parameters()]


def graph_twice(x):
    y = x.sigmoid().sum()
    y.backward()
    y.backward()


def graph_kept(x):
    y = x.sigmoid().sum()
    y.backward(retain_graph=True)
    once = x.grad.clone()
    y.backward()
    return x.grad / once


def no_gradient_given(x):
    x.sigmoid().backward()


def in_place(x):
    y = x.sigmoid()
    y *= 2
    y.sum().backward()


def in_place_unseen(x):
    y = x.sigmoid()
    y.data *= 2
    y.sum().backward()
    return x.grad


def update_recorded(model):
    for p in model.parameters():
        p -= 0.1 * p.grad


def update_not_recorded(model):
    before = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
    return [not torch.equal(p, old) for p, old in zip(model.parameters(), before)]


def twice_differentiated(x):
    y = x**3
    (slope,) = torch.autograd.grad(y, x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, x)
    return slope, curvature
