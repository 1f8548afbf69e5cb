"""The examples in the docstrings run, and give what stands there; what takes arrays says their shapes."""

import doctest
import importlib
import pkgutil

import cnnlib
import numpy as np
import pytest
from cnnlib import practice, show

pytestmark = pytest.mark.usefixtures("dask")
MODULES = ["cnnlib", *sorted(info.name for info in pkgutil.walk_packages(cnnlib.__path__, "cnnlib."))]
GIVEN = {"np": np, "practice": practice, "show": show} | {n: getattr(cnnlib, n) for n in cnnlib.__all__}


def examples(module):
    """The docstrings of a module that have examples."""
    found = doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=GIVEN)
    return [test for test in found if test.examples]


def failures(test):
    """What is wrong with the examples of one docstring, as doctest says it."""
    said = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return "".join(said)


RUN = [
    pytest.param(test, id=test.name)
    for name in MODULES
    if not name.endswith("__main__")
    for test in examples(importlib.import_module(name))
]


@pytest.mark.parametrize("test", RUN)
def test_the_examples_of_a_docstring_run(test):
    assert failures(test) == ""
