"""cnnlib: convolutional networks whose backward passes can be read. The core imports NumPy only.

Arrays hold features first and examples last: (D, N), (C, L, N), (C, H, W, N).

A letter and a number in a docstring, like K12 or S22, name a statement of the lectures that the code follows:
K, Q, S, Z and E are five sets of slides, the number counts what they state. ``cnnlib/data/ledger.toml`` has them
all, each with its lecture's author, the chapter of the book that settles it, and the verdict.
"""

from . import datasets, formulas, training
from .gradcheck import check_gradients, numerical_gradient
from .layers import AvgPool1d, AvgPool2d, Conv1d, Conv2d, Dense, Flatten, Layer
from .layers import MaxPool1d, MaxPool2d, ReLU, Sigmoid, Tanh
from .losses import SoftmaxCrossEntropy, SquaredError
from .network import Sequential
from .optim import SGD

__version__ = "2.0.0"
__all__ = ["AvgPool1d", "AvgPool2d", "Conv1d", "Conv2d", "Dense", "Flatten", "Layer", "MaxPool1d"]
__all__ += ["MaxPool2d", "ReLU", "SGD", "Sequential", "Sigmoid", "SoftmaxCrossEntropy", "SquaredError"]
__all__ += ["Tanh", "check_gradients", "datasets", "formulas", "numerical_gradient", "training"]
