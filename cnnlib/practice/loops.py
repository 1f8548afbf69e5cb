"""Mistakes in which outputs and examples the loops come to."""

import numpy as np

from .general import AVERAGE, LAYERS, LAYOUT, POOLS
from .mistakes import mistake


@mistake("only the last example counts", f"{LAYERS} {POOLS}", "dx dW db", "delta", AVERAGE)
def last_example(delta, c):
    """= in the loop over examples keeps the last one, += adds."""
    only = np.zeros_like(delta)
    only[..., -1] = delta[..., -1]
    return only


@mistake("only the first example counts", f"{LAYERS} {POOLS}", "dx dW db", "delta", AVERAGE)
def first_example(delta, c):
    """A loop returns inside of itself, or an index 0 stands where n belongs."""
    only = np.zeros_like(delta)
    only[..., 0] = delta[..., 0]
    return only


@mistake("the last example is left out", f"{LAYERS} {POOLS}", "dx dW db", "delta", AVERAGE)
def example_left_out(delta, c):
    """range(N - 1) ends one too early."""
    kept = delta.copy()
    kept[..., -1] = 0
    return kept


@mistake(
    "the last row or column of outputs is left out", f"conv2d conv1d {POOLS}", "dx dW db", "delta", LAYOUT
)
def edge_left_out(delta, c):
    """The loops over positions end one too early."""
    kept = delta.copy()
    kept[:, :, -1] = 0
    if c.unit[0]:
        kept[:, -1] = 0
    return kept


@mistake("the last row or column of outputs is left out", f"conv2d {POOLS}", "dx dW db", "delta", LAYOUT)
def row_left_out(delta, c):
    """The same in another form."""
    kept = delta.copy()
    kept[:, -1] = 0
    return kept


@mistake("the last row or column of outputs is left out", f"conv2d {POOLS}", "dx dW db", "delta", LAYOUT)
def column_left_out(delta, c):
    """The same in another form."""
    kept = delta.copy()
    kept[:, :, -1] = 0
    return kept


@mistake(
    "the first row or column of outputs is left out", f"conv2d conv1d {POOLS}", "dx dW db", "delta", LAYOUT
)
def first_edge_left_out(delta, c):
    """The loops over positions start at one."""
    kept = delta.copy()
    kept[:, :, 0] = 0
    if c.unit[0]:
        kept[:, 0] = 0
    return kept


@mistake("the first row or column of outputs is left out", f"conv2d {POOLS}", "dx dW db", "delta", LAYOUT)
def first_row_left_out(delta, c):
    """The same in another form."""
    kept = delta.copy()
    kept[:, 0] = 0
    return kept


@mistake("the first row or column of outputs is left out", f"conv2d {POOLS}", "dx dW db", "delta", LAYOUT)
def first_column_left_out(delta, c):
    """The same in another form."""
    kept = delta.copy()
    kept[:, :, 0] = 0
    return kept


@mistake("only every s-th output is visited", f"conv2d conv1d {POOLS}", "dx dW db", "delta", LAYOUT)
def strides_over_outputs(delta, c):
    """The loops go over outputs in steps of the stride, but the stride is between their windows in x."""
    kept = np.zeros_like(delta)
    kept[:, :: c.stride[0], :: c.stride[1]] = delta[:, :: c.stride[0], :: c.stride[1]]
    return kept


@mistake("a loop of another axis's length", "conv2d", "dx dW db", "delta", LAYOUT)
def channels_of_x(delta, c):
    """range() of the wrong size: a loop over outputs ends at the size of another axis."""
    kept = delta.copy()
    kept[len(c.x) :] = 0
    return kept


@mistake("a loop of another axis's length", f"conv2d {POOLS}", "dx dW db", "delta", LAYOUT)
def rows_as_columns(delta, c):
    """The same in another form."""
    kept = delta.copy()
    kept[:, delta.shape[2] :] = 0
    return kept


@mistake("a loop of another axis's length", f"conv2d {POOLS}", "dx dW db", "delta", LAYOUT)
def columns_as_rows(delta, c):
    """The same in another form."""
    kept = delta.copy()
    kept[:, :, delta.shape[1] :] = 0
    return kept


@mistake("only the first window counts", f"conv2d conv1d {POOLS}", "dx dW db", "delta", LAYOUT)
def first_window(delta, c):
    """A return inside of the loops over positions leaves after the first one."""
    only = np.zeros_like(delta)
    only[:, 0, 0] = delta[:, 0, 0]
    return only


@mistake("only the first window counts", f"conv2d conv1d {POOLS}", "dx dW db", "delta", LAYOUT)
def first_window_of_the_first(delta, c):
    """The same in another form."""
    only = np.zeros_like(delta)
    only[:, 0, 0, 0] = delta[:, 0, 0, 0]
    return only
