"""Data sets: images (C, H, W, N) float64 in [0, 1], labels (N,) int64; every call returns new arrays.

``seesaw``, ``digits`` and ``colour_digits`` come with the library. ``mnist`` and ``cifar10`` read their authors' files
from a folder that you name, in the call or in an environment variable, or from your cache, which they fill
by download.
"""

import gzip
import hashlib
import io
import os
import struct
import tarfile
import zlib
from contextlib import suppress
from importlib import resources
from math import prod
from pathlib import Path

import numpy as np

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x_train, t_train, x_test, t_test
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# As sha256sum prints them, in the order of mnist's arrays: of each mirrors' .gz and of what is in it.
MNIST_SUMS = """
440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609  train-images-idx3-ubyte.gz
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c  train-labels-idx1-ubyte.gz
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte
8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6  t10k-images-idx3-ubyte.gz
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte
f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6  t10k-labels-idx1-ubyte.gz
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte
""".split()
MNIST_FILES = dict(zip(MNIST_SUMS[3::4], zip(MNIST_SUMS[::4], MNIST_SUMS[2::4])))  # {name: (sum, sum)}
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_HASH = "md5:c32a1d4ab5d03f1284b67883e8d87530"  # the one its authors publish
CIFAR10_FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
FOREIGN = {b"PK": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"<": "a web page", b"version h": "Git LFS"}
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def seesaw() -> tuple[np.ndarray, np.ndarray]:
    """The four patterns of K15: x (1, 5, 4), two adjacent boxes on five places; t (4,), left 0 or right 1.

    >>> x, t = datasets.seesaw()
    >>> x[0, :, 0], t
    (array([1., 1., 0., 0., 0.]), array([0, 0, 1, 1]))
    """
    patterns = [[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]]
    return np.stack(patterns, axis=1)[np.newaxis].astype(float), np.array([0, 0, 1, 1], np.int64)


def digits() -> Split:
    """The first 5,000 and 1,000 digits of MNIST's two splits (Q25), embedded in the library.

    Returns x_train (1, 28, 28, 5000), t_train (5000,), x_test (1, 28, 28, 1000), t_test (1000,).
    Ink is 1, ground 0. Credit and licence: data/DIGITS.txt.

    >>> x_train, t_train, x_test, t_test = datasets.digits()
    >>> x_train.shape, t_train[:5]
    ((1, 28, 28, 5000), array([5, 0, 4, 1, 9]))
    """
    return _floats(*_embedded())


def colour_digits() -> Split:
    """The digits in colour, 32 x 32 x 3, made for Z's network (Z15, Z17).

    Returns x_train (3, 32, 32, 5000), t_train (5000,), x_test (3, 32, 32, 1000), t_test (1000,).
    Each of ``digits`` lies at a random place in the larger image, 0 to 4 pixels down and across. A pale colour
    and a dark one, each of a random hue, are its ink and ground, or its ground and ink; in every channel they
    differ by 0.2 or more. Places and colours come from a fixed seed and never see a label: they tell nothing.

    >>> x_train, t_train, x_test, t_test = datasets.colour_digits()
    >>> x_test.shape
    (3, 32, 32, 1000)
    """
    rng = np.random.default_rng(32)
    train, t_train, test, t_test = _embedded()
    return _coloured(train, rng), t_train.astype(np.int64), _coloured(test, rng), t_test.astype(np.int64)


def mnist(folder: str | os.PathLike | None = None) -> Split:
    """All of MNIST (Q25), from its four IDX files, each plain or .gz.

    Returns x_train (1, 28, 28, 60000), t_train (60000,), x_test (1, 28, 28, 10000), t_test (10000,).
    Reads ``folder``, or the one in CNNLIB_MNIST_DIR: whole files of any number of digits; never writes there.
    With neither it reads your cache: pooch downloads what is missing, and every sha256 is verified.
    A file may be plain or gzip whatever its name, have a dot for a dash in it (train-images.idx3-ubyte), and lie
    up to two folders deeper (MNIST/raw), as archives unpack it. ``~`` is your home.

    FileNotFoundError: a file is missing and cannot be downloaded, or the cache cannot be written. ValueError: a
    file is damaged or foreign.
    ModuleNotFoundError: no folder is named and pooch is not installed.
    """
    named = _named(folder, "CNNLIB_MNIST_DIR")
    home = named or _cache() / "mnist"
    advice = (
        f"Put {', '.join(MNIST_FILES)}, plain or gzip, into {home}, or name a folder that has them: "
        "mnist(folder), or the environment variable CNNLIB_MNIST_DIR."
    )
    found, arrays = _find(home, MNIST_FILES), []
    for name, (sha256_gz, sha256) in MNIST_FILES.items():
        if named and name not in found:
            raise FileNotFoundError(f"{home} has neither {name} nor {name}.gz: {_held(home)}. {advice}")
        urls = [f"{mirror}{name}.gz" for mirror in MNIST_MIRRORS]
        path = found.get(name) or _download(urls, f"sha256:{sha256_gz}", home, advice)
        data = _read(path, b"\0\0\x08")
        if not named and (came := hashlib.sha256(data).hexdigest()) != sha256:
            raise ValueError(f"{path}: content with sha256 {came} came, wanted {sha256}. Delete the file.")
        arrays.append(_parse_idx(path, data, labels="labels" in name))
    for images, labels in (arrays[:2], arrays[2:]):
        if len(images) != len(labels):
            raise ValueError(f"{home}: {len(images)} images but {len(labels)} labels came, wanted one each")
    return _floats(*arrays)


def cifar10(folder: str | os.PathLike | None = None) -> Split:
    """All of CIFAR-10 (Z17), from the six files of its binary version; ``CIFAR10_CLASSES`` names the labels.

    Returns x_train (3, 32, 32, 50000), t_train (50000,), x_test (3, 32, 32, 10000), t_test (10000,): 1.5 GB.
    Reads ``folder``, or the one in CNNLIB_CIFAR10_DIR: the .bin files, up to two folders deeper, or
    cifar-10-binary.tar.gz, which ``folder`` may also name itself; batches of any size; never writes there. With
    neither it reads the archive in your cache: pooch downloads it where it is missing, and its checksum is
    verified. Errors: as ``mnist``.
    """
    named = _named(folder, "CNNLIB_CIFAR10_DIR")
    home = named or _cache() / "cifar10"
    packed = CIFAR10_URL.rpartition("/")[2]
    advice = (
        f"Put {packed} into {home}, or name a folder with it or with what it holds, {', '.join(CIFAR10_FILES)}: "
        "cifar10(folder), or the environment variable CNNLIB_CIFAR10_DIR."
    )
    found = _find(home, (*CIFAR10_FILES, packed)) if named else {}  # unpacked files have no known checksum
    archive = found.pop(packed, None) if named else _download([CIFAR10_URL], CIFAR10_HASH, home, advice)
    if not (found or archive):
        raise FileNotFoundError(f"{home} has neither {packed} nor data_batch_1.bin: {_held(home)}. {advice}")
    batches = {name: (path, _read(path)) for name, path in found.items()}
    if archive and len(batches) < len(CIFAR10_FILES):
        batches = _unpack(archive)
    if missing := [name for name in CIFAR10_FILES if name not in batches]:
        raise FileNotFoundError(f"{archive or home} lacks {', '.join(missing)}. {advice}")
    *train, test = (_parse_cifar10(*batches[name]) for name in CIFAR10_FILES)
    return _floats(*map(np.concatenate, zip(*train)), *test)


def _floats(train, t_train, test, t_test):
    return _features_first(train), t_train.astype(np.int64), _features_first(test), t_test.astype(np.int64)


def _features_first(pixels):
    """Bytes (N, C, H, W) as floats in [0, 1] (C, H, W, N)."""
    columns = np.ascontiguousarray(pixels.reshape(len(pixels), -1).T)  # while a pixel is one byte, not eight
    return (columns / 255).reshape(*pixels.shape[1:], -1)


def _embedded():
    with (resources.files(__package__) / "data" / "digits.npz").open("rb") as file, np.load(file) as arrays:
        return tuple(arrays[name] for name in ("x_train", "t_train", "x_test", "t_test"))


def _coloured(pixels, rng):
    """Digits (N, 1, 28, 28), bytes, as colour images (3, 32, 32, N)."""
    n = len(pixels)
    larger = np.zeros((n, 1, 32, 32), np.uint8)
    for image, digit, (down, across) in zip(larger, pixels, rng.integers(0, 5, size=(n, 2))):
        image[:, down : down + 28, across : across + 28] = digit
    pale, dark = 1 - 0.5 * _hue(rng.random(n)), 0.3 * _hue(rng.random(n))
    swapped = rng.random(n) < 0.5
    ink, ground = np.where(swapped, dark, pale), np.where(swapped, pale, dark)
    images = (ink - ground)[:, np.newaxis, np.newaxis] * _features_first(larger)
    images += ground[:, np.newaxis, np.newaxis]
    return images


def _hue(turn):
    """Pure colours (3, N) of the colour wheel: turn (N,) 0 is red, 1/3 green, 2/3 blue, 1 red again."""
    return np.clip(np.abs((6 * turn + [[0], [4], [2]]) % 6 - 3) - 1, 0, 1)


def _named(folder, variable):
    folder = os.environ.get(variable) or None if folder is None else folder
    return None if folder is None else Path(os.path.expanduser(os.fsdecode(folder)))


def _cache():
    try:
        import pooch
    except ImportError as problem:
        message = "no folder was named, and the cache needs pooch: pip install pooch, or name a folder"
        raise ModuleNotFoundError(message) from problem
    return Path(pooch.os_cache("cnnlib"))


def _download(urls, known_hash, folder, advice):
    """The path of the file that all the urls name, put into folder from the first to have it, unless it is there."""
    import pooch

    problems = {}
    for url in urls:
        try:
            return Path(pooch.retrieve(url, known_hash, fname=url.rpartition("/")[2], path=folder))
        except (OSError, ValueError) as problem:  # all of requests' errors; a wrong checksum
            problems[url] = problem
            if isinstance(problem, PermissionError) or getattr(problem, "errno", None):  # requests' have none
                message = f"{folder} cannot be written: {type(problem).__name__}: {problem}. {advice}"
                raise FileNotFoundError(message) from problem
    tried = "; ".join(f"{url}: {type(problem).__name__}" for url, problem in problems.items())
    message = f"nothing could be downloaded, perhaps because there is no network ({tried}). {advice}"
    raise FileNotFoundError(message) from problems[urls[-1]]


def _find(home, names):
    """{name: path} of the files that have these names: in capitals or not, with dots or dashes, with .gz or without.

    Home may be one itself, or hold it, itself or up to two folders deeper; the first in this order is taken.
    """

    def plain(name):
        return name.lower().removesuffix(".gz").replace(".", "-")

    wanted, found = {plain(name): name for name in names}, {}
    with suppress(OSError):  # a home that cannot be searched has nothing, and _held says why
        for paths in ([home], home.glob("*"), home.glob("*/*"), home.glob("*/*/*")):
            for path in sorted(path for path in paths if plain(path.name) in wanted and path.is_file()):
                found.setdefault(wanted[plain(path.name)], path)
    return found


def _held(folder):
    """What is in a folder, in words, or why nobody can say."""
    try:
        paths = sorted(Path(folder).iterdir())[:9]
        return f"it holds {', '.join(p.name + ' (a broken link)' * (not p.exists()) for p in paths) or 'nothing'}"
    except OSError as problem:
        return problem.strerror


def _read(path, start=b""):
    """What a file holds, unpacked as often as it is gzip, whatever its name. What is not begins with ``start``."""
    try:
        data = path.read_bytes()
        packed = path.suffix.lower() == ".gz" and not data.startswith((start, *FOREIGN))
        while packed or data.startswith(b"\x1f\x8b"):
            data, packed = gzip.decompress(data), False
    except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
        raise ValueError(f"{path}: wanted a whole gzip file: {problem}") from problem
    except OSError as problem:
        raise FileNotFoundError(f"{path} cannot be read: {problem.strerror}") from problem
    for came in (FOREIGN[begin] for begin in FOREIGN if data.startswith(begin)):
        raise ValueError(f"{path}: {came} came, wanted the file itself, plain or gzip")
    return data


def _unpack(path):
    """{name: (path, content)} of CIFAR10_FILES in a tar archive; no member becomes a file.

    They may lie in any folder: the authors' comes first, then the higher one, then the earlier one.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(_read(path)), mode="r:") as archive:
            members = {member.name.replace("\\", "/"): member for member in archive if member.isfile()}
            last = sorted(reversed(members), key=lambda name: ("-batches-bin/" in name, -name.count("/")))
            batches = {name.rpartition("/")[2].lower(): members[name] for name in last}
            kept = [(name, batches[name]) for name in CIFAR10_FILES if name in batches]
            return {name: (path / name, archive.extractfile(member).read()) for name, member in kept}
    except tarfile.TarError as problem:
        raise ValueError(f"{path}: wanted a whole tar archive: {problem}") from problem


def _parse_idx(path, data, labels):
    """Labels (N,) or pixels (N, 1, 28, 28) of an IDX file: magic number and sizes, big-endian, then bytes."""
    magic, shape = (2049, ()) if labels else (2051, (28, 28))
    header = 4 * (2 + len(shape))
    if len(data) < header:
        raise ValueError(f"{path}: {len(data)} bytes came, wanted an IDX header of {header} and items")
    came, n, *came_shape = struct.unpack_from(f">{2 + len(shape)}I", data)
    if came != magic:
        raise ValueError(f"{path}: magic number {came} came, wanted {magic}")
    if tuple(came_shape) != shape:
        raise ValueError(f"{path}: images of {came_shape} pixels came, wanted {list(shape)}")
    size = header + max(n, 1) * prod(shape)
    if len(data) != size:
        raise ValueError(f"{path}: {n} items in {len(data)} bytes came, wanted at least one, in {size} bytes")
    items = np.frombuffer(data, np.uint8, offset=header)
    return _checked(path, items) if labels else items.reshape(n, 1, *shape)


def _parse_cifar10(path, data):
    """Pixels (N, 3, 32, 32) and labels (N,) of a CIFAR-10 file: records of a label and 3 x 32 x 32 pixels."""
    if not data or len(data) % 3073:
        raise ValueError(f"{path}: {len(data)} bytes came, wanted one or more records of 3073")
    records = np.frombuffer(data, np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), _checked(path, records[:, 0])


def _checked(path, labels):
    if labels.max() > 9:
        raise ValueError(f"{path}: label {labels.max()} came, wanted 0 to 9")
    return labels
