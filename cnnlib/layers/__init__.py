"""Layers: each a forward formula with its backward formula right under it."""

from .activations import ReLU, Sigmoid, Tanh
from .base import Layer
from .convolution import Conv1d, Conv2d
from .dense import Dense, Flatten
from .pooling import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d

__all__ = ["AvgPool1d", "AvgPool2d", "Conv1d", "Conv2d", "Dense", "Flatten", "Layer", "MaxPool1d"]
__all__ += ["MaxPool2d", "ReLU", "Sigmoid", "Tanh"]
