"""Write cnnlib/data/digits.npz, the first digits of MNIST: python tools/data/make_digits.py [FOLDER [FILE]]

FOLDER holds the IDX files of MNIST; without it, `cnnlib.datasets.mnist` finds them. The same digits and the
same zlib give the same bytes: no dates, no name of a system. The examples stand one after the other: of all
orders of the axes, deflate makes this one smallest.
"""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from cnnlib import datasets

TRAIN, TEST = 5_000, 1_000


def pixels(x, n):
    """The first n of images (1, 28, 28, N) in [0, 1] as bytes (n, 1, 28, 28)."""
    return np.rint(255 * x[..., :n]).astype(np.uint8).transpose(3, 0, 1, 2)


def write(path, arrays):
    """The .npz that np.savez_compressed makes, but the same on every system and compressed harder."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)


def main(folder=None, path=Path(__file__).parents[2] / "cnnlib" / "data" / "digits.npz"):
    """Read MNIST in folder, write its first digits to path, say how large the file is."""
    x_train, t_train, x_test, t_test = datasets.mnist(folder)
    arrays = {
        "x_train": pixels(x_train, TRAIN),
        "t_train": t_train[:TRAIN].astype(np.uint8),
        "x_test": pixels(x_test, TEST),
        "t_test": t_test[:TEST].astype(np.uint8),
    }
    path = Path(path).expanduser()
    write(path, arrays)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
