"""A network: layers one after the other."""

import errno
import os
import shutil
from collections.abc import Iterator
from itertools import dropwhile
from tempfile import TemporaryDirectory

import numpy as np

from .layers.base import Array, Layer, Shape, floating


class Sequential:
    """``layers`` applied in order; backward goes through them in reverse (Q04, S28).

    x and y have the examples last. Layers keep the last batch, so a network serves one thread at a time; ``copy.deepcopy``
    makes another. ValueError for no layers, for one that stands there twice, and for what is no Layer.

    >>> net = Sequential(Conv2d(1, 4, 3, rng=0), ReLU(), Flatten(), Dense(144, 10, rng=0))
    >>> net.output_shape((1, 8, 8, 5))
    (10, 5)
    >>> net.forward(np.ones((1, 8, 8, 5))).shape
    (10, 5)
    """

    def __init__(self, *layers: Layer):
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise ValueError(f"Sequential: layer {i} is {layer!r}, want a Layer")
            if any(layer is earlier for earlier in layers[:i]):
                raise ValueError(f"Sequential: layer {i}, {layer}, stands there twice, want one of its own")
        if not layers:
            raise ValueError("Sequential: got no layers, want at least one")
        self.layers = list(layers)

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape that comes out for this input shape; ValueError, naming the layer, if it does not fit."""
        shape = tuple(input_shape)
        for i, layer in enumerate(self.layers):
            try:
                shape = layer.output_shape(shape)
            except ValueError as error:
                raise ValueError(f"layer {i}: {error}") from None
        return shape

    def forward(self, x: Array) -> Array:
        """``y = f_L(... f_2(f_1(x)))`` (Q04). All shapes are checked before anything is computed: ValueError, naming the layer,
        where one does not fit.
        """
        self.output_shape(floating("Sequential", x).shape)
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, delta: Array, input_gradient: bool = True) -> Array | None:
        """``dJ/dx`` from ``delta = dJ/dy``: each layer's backward in turn, last to first (S28, Z12).

        With ``input_gradient`` false nothing is computed below the first layer that learns; returns None. RuntimeError before
        any ``forward``.
        """
        layers = self.layers
        if not input_gradient:
            layers = list(dropwhile(lambda layer: not layer.params, layers))
        for layer in layers[:0:-1]:
            delta = layer.backward(delta)
        if input_gradient:
            return layers[0].backward(delta)
        if layers:
            layers[0].backward(delta, input_gradient=False)  # type: ignore[call-arg]  # it learns

    def parameters(self) -> Iterator[tuple[Layer, str]]:
        """Every (layer, key) with something to learn: ``layer.params[key]``, ``layer.grads[key]``."""
        return ((layer, key) for layer in self.layers for key in layer.params)

    def astype(self, dtype: type | str | np.dtype) -> "Sequential":
        """Parameters and gradients as ``dtype``, in place (the dicts stay the same objects); returns self.

        ValueError for what is no floating dtype.
        """
        if (dtype := np.dtype(dtype)).kind != "f":
            raise ValueError(f"Sequential: dtype is {dtype}, want a floating one")
        for layer, key in self.parameters():
            layer.params[key] = layer.params[key].astype(dtype)
            layer.grads[key] = layer.grads[key].astype(dtype)
        self.forget()
        return self

    def save(self, path: str | os.PathLike) -> None:
        """Write all parameters to exactly ``path`` (NumPy's .npz format, whatever the name; ``~`` is your home).

        They are written beside it and renamed: a save that is interrupted leaves an older file as it was. A link
        stays, and the file that it leads to is written; an older file's mode stays too. OSError, which names
        ``path``, where it cannot be written.
        """
        write_npz(path, {name: layer.params[key] for name, layer, key in self.named()})

    def load(self, path: str | os.PathLike) -> "Sequential":
        """Read parameters that ``save`` wrote to ``path`` into this network, keeping its dtypes; returns self.

        The whole file is read and compared with the network first: a torn or foreign file raises ValueError,
        and nothing has changed.
        """
        path = os.path.expanduser(os.fsdecode(path))
        if locked := [name for name, layer, key in self.named() if not layer.params[key].flags.writeable]:
            raise ValueError(f"{path}: {locked} are read-only in the network, want arrays to write into")
        values = read_npz(path)
        wanted = {name: layer.params[key].shape for name, layer, key in self.named()}
        got = {name: value.shape for name, value in values.items()}
        if differ := sorted(name for name in got | wanted if got.get(name) != wanted.get(name)):
            came, want = ({name: shapes.get(name) for name in differ} for shapes in (got, wanted))
            raise ValueError(f"{path}: got {came}, want {want}")
        if bad := [name for name, value in values.items() if value.dtype.kind != "f"]:
            raise ValueError(f"{path}: {bad} are not floats, want floats")
        for name, layer, key in self.named():
            with np.errstate(over="ignore"):
                cast = values[name].astype(layer.params[key].dtype)
            if (np.isinf(cast) & np.isfinite(values[name])).any():
                raise ValueError(f"{path}: {name} is too large for {cast.dtype}, want numbers that fit")
            values[name] = cast
        for name, layer, key in self.named():
            layer.params[key][...] = values[name]
        self.forget()
        return self

    def forget(self) -> None:
        """Drop what the layers kept of the last batch: backward then wants a new forward."""
        for layer in self.layers:
            layer.saved = None

    def named(self) -> Iterator[tuple[str, Layer, str]]:
        """Every (name, layer, key), the name as in the file: "0.W" is W of layer 0."""
        for i, layer in enumerate(self.layers):
            for key in layer.params:
                yield f"{i}.{key}", layer, key

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


def write_npz(path: str | os.PathLike, arrays: dict[str, Array]) -> None:
    """Write arrays to exactly ``path``, all or none, as ``Sequential.save`` says."""
    path = os.path.expanduser(os.fsdecode(path))
    try:
        target = os.path.realpath(path)
        if not os.path.basename(path) or os.path.lexists(target) and not os.path.isfile(target):
            raise IsADirectoryError(errno.EISDIR, "A folder, or no file at all", path)
        with TemporaryDirectory(prefix=".", dir=os.path.dirname(target)) as folder:
            with open(beside := os.path.join(folder, "partial"), "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
                file.flush()
                os.fsync(file.fileno())
            if os.path.isfile(target):
                open(target, "r+b").close()  # what may not be written may not be replaced either
                shutil.copymode(target, beside)
            os.replace(beside, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) if error.errno else error from None


def read_npz(path: str | os.PathLike) -> dict[str, Array]:
    """All arrays of an .npz file, by name; ValueError unless the file is whole and holds arrays only."""
    with open(path, "rb") as file:
        try:
            with np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except Exception as error:  # zipfile and NumPy raise a dozen kinds for a damaged file
            raise ValueError(f"{path}: got a torn or foreign file, want one that save wrote") from error
    if strange := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f"{path}: got {strange} that are no arrays, want one that save wrote")
    return arrays
