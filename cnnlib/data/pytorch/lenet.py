"""LeNet and a step of its training in PyTorch."""

import torch
from torch import nn


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 120),
        nn.ReLU(),
        nn.Linear(120, 10),
    )


def load(model, state):
    model.double()
    tensors = {name: torch.from_numpy(W) for name, W in state.items()}
    model.load_state_dict(tensors)


def step(model, loss, optimizer, x, t):
    optimizer.zero_grad()
    J = loss(model(x), t)
    J.backward()
    optimizer.step()
    return J.item()
