"""Practice: the catalogue of mistakes in backward passes, and what tells which of them a program makes.

    from cnnlib import practice
    print(practice.diagnose(my_backward, of="conv2d", layout="NCHW"))

    practice.check("conv_backprop.2", answer)  # an exercise of the book

NumPy only. ``python -m cnnlib.practice FILE --of conv2d`` does the same with a file.
"""

from .adapters import cs231n, deeplearning_ai, torch_function
from .checking import check
from .diagnosis import diagnose
from .examples import example, wrong
from .kinds import kinds
from .mistakes import Mistake, catalogue
from .report import Report

__all__ = [
    "Mistake",
    "Report",
    "catalogue",
    "check",
    "cs231n",
    "deeplearning_ai",
    "diagnose",
    "example",
    "kinds",
    "torch_function",
    "wrong",
]
