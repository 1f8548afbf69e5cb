"""Practice: the catalogue of mistakes in backward passes, and what tells which of them a program makes.

    from cnnlib import practice
    print(practice.diagnose(my_backward, of="conv2d", layout="NCHW"))

NumPy only. ``python -m cnnlib.practice FILE --of conv2d`` does the same with a file.
"""

from .adapters import cs231n, deeplearning_ai, torch_function
from .diagnosis import diagnose
from .examples import example, wrong
from .kinds import kinds
from .mistakes import Mistake, catalogue
from .report import Report

__all__ = [
    "Mistake",
    "Report",
    "catalogue",
    "cs231n",
    "deeplearning_ai",
    "diagnose",
    "example",
    "kinds",
    "torch_function",
    "wrong",
]
