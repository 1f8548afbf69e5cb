"""The data sets: what they contain, that a call cannot spoil the next, and that no bad file passes for data.

No test here reaches the network: downloads come from a server on this machine, or from a socket that refuses.
"""

import bz2
import errno
import functools
import gzip
import hashlib
import http.server
import io
import lzma
import os
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from importlib import resources
from pathlib import Path

import make_digits
import numpy as np
import pooch
import pytest

from cnnlib import datasets

ROOT = Path(__file__).parents[1]
FULL = os.environ.get("CNNLIB_MNIST_DIR")
needs_full = pytest.mark.skipif(not FULL, reason="CNNLIB_MNIST_DIR does not name a folder with all of MNIST")
MNIST_NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Each test: an empty cache of its own, no folder in the environment, no connection to other machines."""
    proxies = [f"{kind}_proxy" for kind in ("http", "https", "all")]
    for name in ("CNNLIB_MNIST_DIR", "CNNLIB_CIFAR10_DIR", *proxies, *map(str.upper, proxies)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    resolve = socket.getaddrinfo

    def only_this_machine(host, *args, **kwargs):
        if host != "127.0.0.1":
            raise socket.gaierror(f"no network in tests: {host}")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", only_this_machine)
    return tmp_path / "cache" / "cnnlib"


@pytest.fixture
def serve():
    """serve(folder) -> the URL, slash included, of a server on this machine that offers folder's files."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    def start(folder):
        handler = functools.partial(Quiet, directory=str(folder))
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, args=[0.01], daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def same(arrays, others):
    assert len(arrays) == len(others)
    for array, other in zip(arrays, others):
        assert array.dtype == other.dtype
        np.testing.assert_array_equal(array, other)


def snapshot(folder):
    """Everything in a folder: names, contents, times."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path, path.read_bytes(), path.stat().st_mtime_ns) for path in files]


def well_formed(arrays, image_shape, n_train, n_test):
    x_train, t_train, x_test, t_test = arrays
    for x, t, n in ((x_train, t_train, n_train), (x_test, t_test, n_test)):
        assert x.shape == (*image_shape, n) and t.shape == (n,)
        assert x.dtype == np.float64 and t.dtype == np.int64
        assert x.flags.c_contiguous and x.flags.writeable and t.flags.writeable
        assert x.min() >= 0 and x.max() <= 1
        assert t.min() >= 0 and t.max() <= 9


# ---- what comes with the library -------------------------------------------------------------


def test_seesaw_is_the_table_of_k15():
    x, t = datasets.seesaw()
    assert x.shape == (1, 5, 4) and x.dtype == np.float64
    assert t.shape == (4,) and t.dtype == np.int64
    printed = ["".join(str(int(place)) for place in x[0, :, n]) + f"->{t[n]}" for n in range(4)]
    assert printed == ["11000->0", "01100->0", "00110->1", "00011->1"]


def test_digits_are_mnists_first():
    x_train, t_train, x_test, t_test = datasets.digits()
    well_formed((x_train, t_train, x_test, t_test), (1, 28, 28), 5000, 1000)
    assert x_train.min() == x_test.min() == 0 and x_train.max() == x_test.max() == 1
    assert t_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert t_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(t_train).tolist() == [479, 563, 488, 493, 535, 434, 501, 550, 462, 495]
    assert np.bincount(t_test).tolist() == [85, 126, 116, 107, 110, 87, 87, 99, 89, 94]
    top_stroke_of_the_five = np.array([3, 18, 18, 18, 126, 136, 175, 26, 166, 255, 247, 127]) / 255
    assert (
        x_train[0, 5, 12:24, 0].tolist() == top_stroke_of_the_five.tolist()
    )  # a row: neither mirrored nor turned


@needs_full
def test_digits_equal_the_first_of_the_full_set():
    x_train, t_train, x_test, t_test = datasets.mnist(FULL)
    same(datasets.digits(), (x_train[..., :5000], t_train[:5000], x_test[..., :1000], t_test[:1000]))


def test_embedded_digits_are_small_and_credited():
    data = resources.files("cnnlib") / "data"
    assert len((data / "digits.npz").read_bytes()) < 1_000_000
    credit = " ".join((data / "DIGITS.txt").read_text(encoding="utf-8").split())
    for words in (
        "Yann LeCun, Corinna Cortes and Christopher J. C. Burges",
        "Attribution-ShareAlike 3.0",
        "5,000",
    ):
        assert words in credit


@needs_full
def test_make_digits_regenerates_the_embedded_file(tmp_path):
    tool = [sys.executable, ROOT / "tools" / "data" / "make_digits.py", FULL, tmp_path / "digits.npz"]
    subprocess.run(tool, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)

    def members(path):  # all but the compressed bytes, which another zlib may choose otherwise
        with zipfile.ZipFile(path) as archive:
            return [(m.filename, m.date_time, m.create_system, archive.read(m)) for m in archive.infolist()]

    assert members(tmp_path / "digits.npz") == members(ROOT / "cnnlib" / "data" / "digits.npz")


def test_make_digits_knows_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(datasets, "mnist", lambda folder: datasets.digits())
    make_digits.main("~/mnist", "~/digits.npz")
    with np.load(tmp_path / "digits.npz") as file:
        assert file["t_test"].shape == (1000,)


@pytest.fixture(scope="module")
def coloured():
    return datasets.colour_digits()


def test_colour_digits_have_the_digits_labels(coloured):
    well_formed(coloured, (3, 32, 32), 5000, 1000)
    _, t_train, _, t_test = datasets.digits()
    same(coloured[1::2], (t_train, t_test))


def test_colour_digits_show_the_digits_at_all_25_places(coloured):
    places = set()
    for x, plain in zip(coloured[::2], datasets.digits()[::2]):
        for n in range(0, x.shape[-1], 20):
            image, digit = x[..., n], plain[0, :, :, n] / plain[..., n].max()
            strokes = np.abs(image - image[:, :1, :1])  # the corner is ground
            strokes /= strokes.max(axis=(1, 2), keepdims=True)
            fits = []
            for down in range(5):
                for across in range(5):
                    placed = np.zeros((32, 32))
                    placed[down : down + 28, across : across + 28] = digit
                    if np.allclose(strokes, placed, rtol=0, atol=1e-12):
                        fits.append((down, across))
            assert len(fits) == 1
            places.update(fits)
    assert len(places) == 25


def test_colour_digits_contrast_in_every_channel(coloured):
    for x, plain in zip(coloured[::2], datasets.digits()[::2]):
        contrast = np.abs(x - x[:, :1, :1]).max(axis=(1, 2)) / plain.max(axis=(0, 1, 2))
        assert contrast.min() >= 0.2 - 1e-12


def test_colour_and_brightness_do_not_tell_the_class(coloured):
    x_train, t_train, x_test, t_test = coloured
    for part in (np.s_[:, :, :], np.s_[:, :1, :1]):  # the whole image, and its ground alone
        train, test = x_train[part].mean(axis=(1, 2)), x_test[part].mean(axis=(1, 2))
        means = np.stack([train[:, t_train == k].mean(axis=1) for k in range(10)], axis=1)
        assert np.abs(means - train.mean(axis=1, keepdims=True)).max() < 0.05  # of a spread of 0.3
        assert train.std(axis=1).min() > 0.2
        nearest = np.square(test[:, np.newaxis] - means[..., np.newaxis]).sum(axis=0).argmin(axis=0)
        assert abs(np.mean(nearest == t_test) - 0.1) < 0.04  # guessing; one standard error is 0.01


def test_colour_digits_are_the_same_everywhere(coloured):
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    same(datasets.colour_digits(), coloured)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    x_train, _, x_test, _ = coloured
    np.testing.assert_allclose(
        x_train[:, 0, 0, 0], [0.3, 0.20846538, 0], atol=1e-8
    )  # the first ground: brown
    np.testing.assert_allclose(x_test[:, 0, 0, -1], [1, 0.89378117, 0.5], atol=1e-8)  # the last: pale yellow
    np.testing.assert_allclose(
        [x_train.sum(), x_test.sum()], [6840088.117336026, 1385147.4056966985], rtol=1e-12
    )


# ---- small files of the right form, which tests may spoil --------------------------------------


def idx(array):
    """An IDX file's bytes: magic number (type 8 = unsigned byte, number of axes), sizes, values."""
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def small_mnist():
    """{name: content} of seven and three digits of noise."""
    rng = np.random.default_rng(5)
    arrays = [rng.integers(0, 256, (7, 28, 28)), np.array([0, 9, 1, 2, 8, 3, 3])]
    arrays += [rng.integers(0, 256, (3, 28, 28)), np.array([4, 0, 9])]
    return {name: idx(array.astype(np.uint8)) for name, array in zip(MNIST_NAMES, arrays)}


def expected_mnist(contents):
    """What the loader must return: cell by cell from the bytes, by the format's definition."""
    images, labels = contents[MNIST_NAMES[0]], contents[MNIST_NAMES[1]]
    x, t = np.empty((1, 28, 28, 7)), np.array(list(labels[8:]), np.int64)
    for n in range(7):
        for row in range(28):
            for column in range(28):
                x[0, row, column, n] = images[16 + 784 * n + 28 * row + column] / 255
    return x, t


def write(folder, contents, packed=()):
    """Files of the given contents in folder, those in packed as .gz."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path, data = (f"{name}.gz", gzip.compress(content)) if name in packed else (name, content)
        (folder / path).write_bytes(data)
    return folder


def cifar_records(labels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072)).astype(np.uint8)
    return np.column_stack([np.array(labels, np.uint8), pixels]).tobytes()


@pytest.fixture
def small_cifar():
    """{name: content} of six batches of one or two images of noise."""
    labels = [[0, 9], [1], [2, 3], [4], [5], [8, 7]]
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    return {name: cifar_records(batch, n) for n, (name, batch) in enumerate(zip(names, labels))}


def tar_gz(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def cifar_tar(folder, contents):
    """The authors' archive: the batches in a folder, among other files."""
    members = {f"cifar-10-batches-bin/{name}": content for name, content in contents.items()}
    return tar_gz(
        folder / "cifar-10-binary.tar.gz", {"cifar-10-batches-bin/readme.html": b"<html>", **members}
    )


# ---- MNIST in a named folder --------------------------------------------------------------------


@pytest.mark.parametrize("packed", [(), MNIST_NAMES, MNIST_NAMES[1:3]], ids=["plain", "gz", "mixed"])
def test_mnist_reads_plain_and_gz(tmp_path, small_mnist, packed):
    arrays = datasets.mnist(write(tmp_path / "m", small_mnist, packed))
    well_formed(arrays, (1, 28, 28), 7, 3)
    same(arrays[:2], expected_mnist(small_mnist))
    assert arrays[3].tolist() == [4, 0, 9]


def test_mnist_folder_from_argument_environment_and_home(tmp_path, small_mnist, monkeypatch):
    folder = write(tmp_path / "m", small_mnist)
    wanted = datasets.mnist(folder)
    same(datasets.mnist(str(folder)), wanted)
    monkeypatch.setenv("CNNLIB_MNIST_DIR", str(folder))
    same(datasets.mnist(), wanted)
    monkeypatch.setenv("CNNLIB_MNIST_DIR", str(tmp_path / "nowhere"))
    same(datasets.mnist(folder), wanted)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    same(datasets.mnist("~/m"), wanted)


def packed(name, content):
    """A gzip file, whatever its name."""
    return name, gzip.compress(content)


AS_THEY_COME = {
    "dotted": lambda name, content: (name.replace("-idx", ".idx"), content),
    "dotted gz": lambda name, content: packed(f"{name.replace('-idx', '.idx')}.gz", content),
    "gzip without .gz": packed,
    "dotted gzip without .gz": lambda name, content: packed(name.replace("-idx", ".idx"), content),
    "plain with .gz": lambda name, content: (f"{name}.gz", content),
    "capitals": lambda name, content: packed(f"{name.upper()}.GZ", content),
    "MNIST/raw": lambda name, content: (f"MNIST/raw/{name}", content),
    "each in a folder of its own": lambda name, content: (f"{name}/{name.replace('-idx', '.idx')}", content),
}


@pytest.mark.parametrize("rename", AS_THEY_COME.values(), ids=AS_THEY_COME)
def test_mnist_reads_its_files_as_archives_and_browsers_leave_them(tmp_path, small_mnist, rename):
    wanted = datasets.mnist(write(tmp_path / "wanted", small_mnist))
    for name, content in small_mnist.items():
        path, data = rename(name, content)
        write((tmp_path / "m" / path).parent, {Path(path).name: data})
    same(datasets.mnist(tmp_path / "m"), wanted)
    same(datasets.mnist(os.fsencode(tmp_path / "m")), wanted)


def test_the_higher_file_is_taken_and_the_plain_one_before_the_packed(tmp_path, small_mnist):
    folder = write(tmp_path / "m", small_mnist)
    wanted = datasets.mnist(folder)
    write(folder / "a", dict.fromkeys(MNIST_NAMES, b"older"))
    write(folder, dict.fromkeys([f"{name}.gz" for name in MNIST_NAMES], b"older"))
    same(datasets.mnist(folder), wanted)


@pytest.mark.parametrize("load", [datasets.mnist, datasets.cifar10])
def test_error_says_what_came_instead(tmp_path, load):
    for files, said in (([], "it holds nothing"), (["notes.txt", "cifar-10-python.tar.gz"], "notes.txt")):
        write(tmp_path / "m", dict.fromkeys(files, b""))
        with pytest.raises(FileNotFoundError, match=f"{tmp_path / 'm'} has neither .*{said}"):
            load(tmp_path / "m")
    with pytest.raises(FileNotFoundError, match="has neither .*Not a directory|has neither .*directory"):
        load(tmp_path / "m" / "notes.txt")
    with pytest.raises(FileNotFoundError, match="has neither .*: No such file|has neither .*cannot find"):
        load(tmp_path / "missing")


def test_the_name_of_nobodys_home_is_a_folder_that_is_missing():
    with pytest.raises(FileNotFoundError, match="has neither"):
        datasets.mnist("~nobody-of-this-name/m")


@pytest.mark.parametrize("by", ["argument", "environment"])
@pytest.mark.parametrize("missing", MNIST_NAMES)
def test_named_mnist_folder_is_only_read(tmp_path, small_mnist, cache, serve, monkeypatch, by, missing):
    server = write(tmp_path / "server", small_mnist, MNIST_NAMES)
    mirror_of(monkeypatch, small_mnist, server, [serve(server)])  # a download would succeed
    folder = write(tmp_path / "m", {name: data for name, data in small_mnist.items() if name != missing})
    before = snapshot(tmp_path)
    if by == "environment":
        monkeypatch.setenv("CNNLIB_MNIST_DIR", str(folder))
    with pytest.raises(FileNotFoundError) as raised:
        datasets.mnist(folder if by == "argument" else None)
    message = str(raised.value)
    assert f"{folder} has neither {missing} nor {missing}.gz" in message
    assert all(name in message for name in MNIST_NAMES) and "CNNLIB_MNIST_DIR" in message
    assert snapshot(tmp_path) == before and not cache.exists()


def with_header(*header):
    return lambda data: struct.pack(f">{len(header)}I", *header) + data[4 * len(header) :]


DAMAGED_IDX = {
    "empty": ("train-images-idx3-ubyte", lambda data: b"", "0 bytes came, wanted an IDX header of 16"),
    "half a header": (
        "t10k-labels-idx1-ubyte",
        lambda data: data[:7],
        "7 bytes came, wanted an IDX header of 8",
    ),
    "truncated": (
        "train-images-idx3-ubyte",
        lambda data: data[:-1],
        "7 items in 5503 bytes came, .* in 5504 bytes",
    ),
    "too long": (
        "train-labels-idx1-ubyte",
        lambda data: data + b"\0",
        "7 items in 16 bytes came, .* in 15 bytes",
    ),
    "no items": (
        "t10k-labels-idx1-ubyte",
        lambda data: struct.pack(">2I", 2049, 0),
        "0 items .* at least one",
    ),
    "foreign": (
        "t10k-images-idx3-ubyte",
        lambda data: b"\x89PNG" + data[4:],
        "magic number 2303741511 came, wanted 2051",
    ),
    "labels for images": ("t10k-images-idx3-ubyte", with_header(2049), "magic number 2049 came, wanted 2051"),
    "images for labels": ("t10k-labels-idx1-ubyte", with_header(2051), "magic number 2051 came, wanted 2049"),
    "size": (
        "train-images-idx3-ubyte",
        with_header(2051, 7, 14, 56),
        r"images of \[14, 56\] pixels .* \[28, 28\]",
    ),
    "label 10": ("train-labels-idx1-ubyte", lambda data: data[:-1] + b"\n", "label 10 came, wanted 0 to 9"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("case", DAMAGED_IDX)
def test_damaged_idx_file_is_named(tmp_path, small_mnist, case, packed):
    name, damage, message = DAMAGED_IDX[case]
    small_mnist[name] = damage(small_mnist[name])
    folder = write(tmp_path / "m", small_mnist, [name] if packed else [])
    with pytest.raises(ValueError, match=message) as raised:
        datasets.mnist(folder)
    assert str(raised.value).startswith(f"{folder / name}.gz: " if packed else f"{folder / name}: ")


@pytest.mark.parametrize("name", [MNIST_NAMES[1], MNIST_NAMES[3]])
def test_one_label_for_each_image(tmp_path, small_mnist, name):
    small_mnist[name] = idx(np.zeros(5, np.uint8))
    with pytest.raises(ValueError, match="(7|3) images but 5 labels came"):
        datasets.mnist(write(tmp_path / "m", small_mnist))


DAMAGED_GZIP = {
    "not gzip": lambda data: b"a page that says 404",
    "empty": lambda data: b"",
    "truncated": lambda data: data[:-9],
    "without its checksum": lambda data: data[:-4],
    "one bit": lambda data: data[:-6] + bytes([data[-6] ^ 1]) + data[-5:],
    "deflate": lambda data: data[:10] + b"\xff" * 20 + data[30:],
}


@pytest.mark.parametrize("case", DAMAGED_GZIP)
def test_damaged_gzip_file_is_named(tmp_path, small_mnist, case):
    folder = write(tmp_path / "m", small_mnist, MNIST_NAMES)
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(DAMAGED_GZIP[case](path.read_bytes()))
    with pytest.raises(ValueError, match="wanted a whole gzip file|0 bytes came") as raised:
        datasets.mnist(folder)
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize("case", ["truncated", "without its checksum", "one bit", "deflate"])
def test_damaged_gzip_file_is_named_whatever_its_name(tmp_path, small_mnist, case):
    small_mnist[MNIST_NAMES[2]] = DAMAGED_GZIP[case](gzip.compress(small_mnist[MNIST_NAMES[2]]))
    folder = write(tmp_path / "m", small_mnist)
    with pytest.raises(ValueError, match="wanted a whole gzip file") as raised:
        datasets.mnist(folder)
    assert str(raised.value).startswith(f"{folder / MNIST_NAMES[2]}: ")


# ---- MNIST in the cache -------------------------------------------------------------------------


def mirror_of(monkeypatch, contents, folder, mirrors):
    """Lets the loader believe that these contents are MNIST, and that the mirrors have what is in folder."""
    known = {
        name: tuple(
            hashlib.sha256(data).hexdigest() for data in ((folder / f"{name}.gz").read_bytes(), content)
        )
        for name, content in contents.items()
    }
    monkeypatch.setattr(datasets, "MNIST_FILES", known)
    monkeypatch.setattr(datasets, "MNIST_MIRRORS", mirrors)


def test_mnist_downloads_once_then_reads_the_cache(tmp_path, small_mnist, cache, serve, monkeypatch):
    server = write(tmp_path / "server", small_mnist, MNIST_NAMES)
    mirror_of(monkeypatch, small_mnist, server, [serve(server)])
    arrays = datasets.mnist()
    same(arrays[:2], expected_mnist(small_mnist))
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(
        f"{name}.gz" for name in MNIST_NAMES
    )
    monkeypatch.setattr(datasets, "MNIST_MIRRORS", ["http://mirror.invalid/"])
    same(datasets.mnist(), arrays)
    (cache / "mnist" / f"{MNIST_NAMES[2]}.gz").unlink()
    with pytest.raises(FileNotFoundError, match="no network"):
        datasets.mnist()


@pytest.mark.parametrize("first", ["unreachable", "empty", "corrupt"])
def test_second_mirror_serves_when_the_first_does_not(
    tmp_path, small_mnist, cache, serve, monkeypatch, first
):
    good = write(tmp_path / "good", small_mnist, MNIST_NAMES)
    bad = write(
        tmp_path / "bad", {f"{name}.gz": b"not this" for name in MNIST_NAMES} if first == "corrupt" else {}
    )
    mirrors = ["http://mirror.invalid/" if first == "unreachable" else serve(bad), serve(good)]
    mirror_of(monkeypatch, small_mnist, good, mirrors)
    same(datasets.mnist()[:2], expected_mnist(small_mnist))


def test_corrupt_download_is_refused_and_not_kept(tmp_path, small_mnist, cache, serve, monkeypatch):
    server = write(tmp_path / "server", small_mnist, MNIST_NAMES)
    mirror_of(monkeypatch, small_mnist, server, [serve(server)])
    spoilt = server / f"{MNIST_NAMES[0]}.gz"
    spoilt.write_bytes(spoilt.read_bytes()[:-100])
    with pytest.raises(FileNotFoundError, match="ValueError"):
        datasets.mnist()
    assert snapshot(cache) == []


def test_cache_may_be_filled_by_hand(tmp_path, small_mnist, cache, monkeypatch):
    server = write(tmp_path / "server", small_mnist, MNIST_NAMES)
    mirror_of(monkeypatch, small_mnist, server, ["http://mirror.invalid/"])
    for name, content in small_mnist.items():
        write(cache / "mnist", {f"{name}.gz": gzip.compress(content, 1, mtime=7)})  # not the mirrors' .gz
    same(datasets.mnist()[:2], expected_mnist(small_mnist))
    write(cache / "mnist", small_mnist)
    for name in MNIST_NAMES:
        (cache / "mnist" / f"{name}.gz").unlink()
    same(datasets.mnist()[:2], expected_mnist(small_mnist))


@pytest.mark.parametrize("packed", [(), MNIST_NAMES], ids=["plain", "gz"])
def test_changed_file_in_the_cache_is_refused(tmp_path, small_mnist, cache, monkeypatch, packed):
    mirror_of(monkeypatch, small_mnist, write(tmp_path / "server", small_mnist, MNIST_NAMES), [])
    name = "train-labels-idx1-ubyte"
    right = hashlib.sha256(small_mnist[name]).hexdigest()
    small_mnist[name] = small_mnist[name][:-1] + b"\x04"  # well formed: only the checksum can tell
    wrong = hashlib.sha256(small_mnist[name]).hexdigest()
    write(cache / "mnist", small_mnist, packed)
    with pytest.raises(ValueError, match=f"{name}(.gz)?: .*{wrong} came, wanted {right}"):
        datasets.mnist()


@pytest.mark.parametrize("variable", [None, ""], ids=["unset", "empty"])
def test_mnist_without_network_names_the_folder_to_fill(cache, monkeypatch, variable):
    if variable is not None:
        monkeypatch.setenv("CNNLIB_MNIST_DIR", variable)
    with pytest.raises(FileNotFoundError) as raised:
        datasets.mnist()
    message = str(raised.value)
    assert "no network" in message and f"into {cache / 'mnist'}" in message
    assert all(name in message for name in MNIST_NAMES)
    for mirror in datasets.MNIST_MIRRORS:
        assert f"{mirror}{MNIST_NAMES[0]}.gz: ConnectionError" in message
    assert "storage.googleapis.com" in str(raised.value.__cause__)  # the last mirror's problem, in full
    assert snapshot(cache) == []


DISK = {
    "full": OSError(errno.ENOSPC, "No space left on device"),
    "read-only": OSError(errno.EROFS, "Read-only file system", "tmp"),
    "another's": PermissionError("Permission denied | pooch could not create its folder"),  # as pooch says it
}


@pytest.mark.parametrize("problem", DISK.values(), ids=DISK)
@pytest.mark.parametrize("load", [datasets.mnist, datasets.cifar10])
def test_a_cache_that_cannot_be_written_is_not_called_a_missing_network(cache, monkeypatch, load, problem):
    def retrieve(*args, **kwargs):
        raise problem

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(FileNotFoundError, match=f"{cache / load.__name__} cannot be written: ") as raised:
        load()
    assert str(problem) in str(raised.value) and "network" not in str(raised.value)
    assert "or name a folder" in str(raised.value)


@pytest.mark.parametrize("load", [datasets.mnist, datasets.cifar10])
def test_a_file_in_the_place_of_the_cache_is_not_called_a_missing_network(cache, load):
    write(cache.parent.parent, {cache.parent.name: b""})
    with pytest.raises(FileNotFoundError, match=f"{cache / load.__name__} cannot be written") as raised:
        load()
    assert "network" not in str(raised.value)


@pytest.mark.parametrize("load", [datasets.mnist, datasets.cifar10])
def test_a_proxy_that_does_not_answer_is_named(load, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and never listens
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(FileNotFoundError, match="no network .*: ProxyError"):
            load()


@pytest.mark.parametrize("load", [datasets.mnist, datasets.cifar10])
def test_without_pooch_the_error_says_what_to_install(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pooch, or name a folder"):
        load()


@needs_full
def test_full_set_passes_the_checksums_of_the_cache(cache):
    (cache / "mnist").mkdir(parents=True)
    for name in MNIST_NAMES:
        source = next(path for path in (Path(FULL) / name, Path(FULL) / f"{name}.gz") if path.is_file())
        (cache / "mnist" / source.name).write_bytes(source.read_bytes())
    arrays = datasets.mnist()
    well_formed(arrays, (1, 28, 28), 60_000, 10_000)
    assert np.bincount(arrays[1]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(arrays[3]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# ---- CIFAR-10 -----------------------------------------------------------------------------------


def cifar_folder(folder, contents, kind):
    """A folder with the batches in it, or with the authors' folder in it, or with their archive in it."""
    if kind == "archive":
        return cifar_tar(folder, contents).parent
    write(folder / "cifar-10-batches-bin" if kind == "folder" else folder, contents)
    return folder


@pytest.mark.parametrize("kind", ["files", "folder", "archive"])
def test_cifar10_reads_what_its_authors_publish(tmp_path, small_cifar, kind):
    arrays = datasets.cifar10(cifar_folder(tmp_path / "c", small_cifar, kind))
    well_formed(arrays, (3, 32, 32), 7, 2)
    x_train, t_train, x_test, t_test = arrays
    assert t_train.tolist() == [0, 9, 1, 2, 3, 4, 5] and t_test.tolist() == [8, 7]
    second = small_cifar["data_batch_1.bin"][3073:]
    last = small_cifar["test_batch.bin"][3073:]
    for image, record in ((x_train[..., 1], second), (x_test[..., 1], last)):
        for channel, row, column in np.ndindex(3, 32, 32):
            assert image[channel, row, column] == record[1 + 1024 * channel + 32 * row + column] / 255


BATCHES = "cifar-10-batches-bin"
AS_ARCHIVES_COME = {
    "./": lambda name: f"./{BATCHES}/{name}",
    "no folder": lambda name: name,
    "./ and no folder": lambda name: f"./{name}",
    "another folder": lambda name: f"data/cifar/{name}",
    "an absolute folder": lambda name: f"/srv/{BATCHES}/{name}",
    "a long folder": lambda name: f"{'ä' * 150}/{BATCHES}/{name}",  # in a header of PAX
}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
@pytest.mark.parametrize("rename", AS_ARCHIVES_COME.values(), ids=AS_ARCHIVES_COME)
def test_cifar10_reads_the_archive_whatever_its_folders(tmp_path, small_cifar, monkeypatch, rename, form):
    monkeypatch.setattr(tarfile.TarFile, "format", form)
    wanted = datasets.cifar10(write(tmp_path / "wanted", small_cifar))
    members = {rename(name): content for name, content in small_cifar.items()}
    members |= {rename(f"._{name}"): b"a Mac's notes" for name in small_cifar}
    archive = tar_gz(tmp_path / "c" / "cifar-10-binary.tar.gz", members)
    same(datasets.cifar10(tmp_path / "c"), wanted)
    same(datasets.cifar10(archive), wanted)  # the file itself
    archive.write_bytes(gzip.decompress(archive.read_bytes()))  # as some browsers save it
    same(datasets.cifar10(tmp_path / "c"), wanted)
    archive.rename(archive.with_name("CIFAR-10-binary.tar"))
    same(datasets.cifar10(tmp_path), wanted)  # with its folder in another


@pytest.mark.parametrize("place", ["", "cifar/cifar-10-batches-bin"])
@pytest.mark.parametrize("pack", [packed, lambda name, data: packed(f"{name}.gz", data)], ids=["bin", "gz"])
def test_cifar10_reads_its_batches_packed_and_deeper(tmp_path, small_cifar, place, pack):
    wanted = datasets.cifar10(write(tmp_path / "wanted", small_cifar))
    folder = tmp_path / "c"
    write(folder / place, dict(pack(name, content) for name, content in small_cifar.items()))
    same(datasets.cifar10(folder), wanted)


def test_cifar10_takes_the_whole_archive_before_some_batches(tmp_path, small_cifar):
    cifar_tar(tmp_path, small_cifar)
    write(tmp_path, {"data_batch_1.bin": b"half unpack"})
    assert datasets.cifar10(tmp_path)[1].tolist() == [0, 9, 1, 2, 3, 4, 5]


def test_cifar10_of_pickles_is_named_and_not_read(tmp_path):
    tar_gz(tmp_path / "cifar-10-python.tar.gz", {"cifar-10-batches-py/data_batch_1": b"a pickle"})
    with pytest.raises(FileNotFoundError, match="neither .*: it holds cifar-10-python.tar.gz. .*binary"):
        datasets.cifar10(tmp_path)
    write(tmp_path / "b", {f"data_batch_{i}": b"a pickle" for i in range(1, 6)})
    with pytest.raises(FileNotFoundError, match="neither .*: it holds data_batch_1, data_batch_2"):
        datasets.cifar10(tmp_path / "b")
    (tmp_path / "cifar-10-python.tar.gz").rename(tmp_path / "cifar-10-binary.tar.gz")
    with pytest.raises(FileNotFoundError, match="cifar-10-binary.tar.gz lacks data_batch_1.bin, "):
        datasets.cifar10(tmp_path)


def test_cifar10_folder_from_the_environment(tmp_path, small_cifar, monkeypatch):
    folder = write(tmp_path / "c", small_cifar)
    monkeypatch.setenv("CNNLIB_CIFAR10_DIR", str(folder))
    same(datasets.cifar10(), datasets.cifar10(folder))


def test_cifar10_names_its_classes():
    assert len(datasets.CIFAR10_CLASSES) == len(set(datasets.CIFAR10_CLASSES)) == 10
    assert (datasets.CIFAR10_CLASSES[0], datasets.CIFAR10_CLASSES[9]) == ("airplane", "truck")


@pytest.mark.parametrize("kind", ["files", "folder", "archive"])
@pytest.mark.parametrize("missing", ["data_batch_1.bin", "data_batch_4.bin", "test_batch.bin"])
def test_missing_cifar10_batch_is_named_and_nothing_is_written(tmp_path, small_cifar, cache, kind, missing):
    del small_cifar[missing]
    folder = cifar_folder(tmp_path / "c", small_cifar, kind)
    before = snapshot(tmp_path)
    with pytest.raises(FileNotFoundError, match=missing) as raised:
        datasets.cifar10(folder)
    assert f"into {folder}" in str(raised.value) and "cifar-10-binary.tar.gz" in str(raised.value)
    assert snapshot(tmp_path) == before and not cache.exists()


DAMAGED_CIFAR = {
    "empty": (lambda data: b"", "0 bytes came, wanted one or more records of 3073"),
    "truncated": (lambda data: data[:-1], "6145 bytes came, wanted one or more records of 3073"),
    "too long": (lambda data: data + b"\0", "6147 bytes came"),
    "label 10": (lambda data: data[:3073] + b"\n" + data[3074:], "label 10 came, wanted 0 to 9"),
}


@pytest.mark.parametrize("kind", ["files", "archive"])
@pytest.mark.parametrize("case", DAMAGED_CIFAR)
def test_damaged_cifar10_batch_is_named(tmp_path, small_cifar, case, kind):
    damage, message = DAMAGED_CIFAR[case]
    small_cifar["data_batch_3.bin"] = damage(small_cifar["data_batch_3.bin"])
    with pytest.raises(ValueError, match=f"data_batch_3.bin: {message}"):
        datasets.cifar10(cifar_folder(tmp_path / "c", small_cifar, kind))


DAMAGED_TAR = {
    "foreign": lambda data: b"a page that says 404",
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "whole gzip of a truncated tar": lambda data: gzip.compress(gzip.decompress(data)[:9000]),
    "one byte": lambda data: data[:9000] + bytes([data[9000] ^ 255]) + data[9001:],
    "gzip of no tar": lambda data: gzip.compress(b"no tar" * 1000),
}


@pytest.mark.parametrize("case", DAMAGED_TAR)
def test_damaged_cifar10_archive_is_named(tmp_path, small_cifar, case):
    path = cifar_tar(tmp_path / "c", small_cifar)
    path.write_bytes(DAMAGED_TAR[case](path.read_bytes()))
    with pytest.raises(ValueError, match="wanted a whole (gzip file|tar archive)") as raised:
        datasets.cifar10(path.parent)
    assert str(raised.value).startswith(f"{path}: ")


def test_no_member_of_the_archive_becomes_a_file(tmp_path, small_cifar, monkeypatch):
    members = {f"cifar-10-batches-bin/{name}": content for name, content in small_cifar.items()}
    hostile = {
        "../escaped.bin": b"x",
        f"{tmp_path}/absolute.bin": b"x",
        "cifar-10-batches-bin/../../up.bin": b"x",
    }
    path = tar_gz(tmp_path / "deep" / "c" / "cifar-10-binary.tar.gz", hostile | members)
    before = snapshot(tmp_path)
    monkeypatch.chdir(path.parent)
    assert datasets.cifar10(path.parent)[1].tolist() == [0, 9, 1, 2, 3, 4, 5]
    assert snapshot(tmp_path) == before


def test_link_in_the_archive_is_not_followed(tmp_path, small_cifar):
    (tmp_path / "secret.bin").write_bytes(small_cifar.pop("test_batch.bin"))
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in small_cifar.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.bin")
        archive.addfile(link)
    with pytest.raises(FileNotFoundError, match="lacks test_batch.bin"):
        datasets.cifar10(tmp_path)


def test_cifar10_downloads_once_and_verifies_the_archive(tmp_path, small_cifar, cache, serve, monkeypatch):
    served = cifar_tar(tmp_path / "server", small_cifar)
    monkeypatch.setattr(datasets, "CIFAR10_URL", serve(served.parent) + served.name)
    monkeypatch.setattr(datasets, "CIFAR10_HASH", "md5:" + hashlib.md5(served.read_bytes()).hexdigest())
    for place in (cache / "cifar10", cache / "cifar10" / "cifar-10-batches-bin"):
        write(place, {name: cifar_records([6], 0) for name in small_cifar})  # unverified: not to be read
    arrays = datasets.cifar10()
    assert arrays[1].tolist() == [0, 9, 1, 2, 3, 4, 5]
    served.unlink()
    same(datasets.cifar10(), arrays)
    kept = cache / "cifar10" / served.name
    kept.write_bytes(
        gzip.compress(gzip.decompress(kept.read_bytes()), 1)
    )  # the same content, another checksum
    with pytest.raises(FileNotFoundError, match="HTTPError"):
        datasets.cifar10()


def test_corrupt_cifar10_download_is_refused_and_not_kept(tmp_path, small_cifar, cache, serve, monkeypatch):
    served = cifar_tar(tmp_path / "server", small_cifar)
    monkeypatch.setattr(datasets, "CIFAR10_URL", serve(served.parent) + served.name)
    with pytest.raises(FileNotFoundError, match="ValueError"):
        datasets.cifar10()
    assert snapshot(cache) == []


def test_cifar10_archive_that_is_a_folder_is_no_archive(tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").mkdir()
    with pytest.raises(FileNotFoundError, match="neither"):
        datasets.cifar10(tmp_path)


def test_cifar10_without_network_names_the_folder_to_fill(cache):
    with pytest.raises(FileNotFoundError) as raised:
        datasets.cifar10()
    message = str(raised.value)
    assert "no network" in message and f"Put cifar-10-binary.tar.gz into {cache / 'cifar10'}" in message
    assert f"{datasets.CIFAR10_URL}: ConnectionError" in message
    assert snapshot(cache) == []


# ---- one call and the next ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["seesaw", "digits", "colour_digits", "mnist", "cifar10"])
def test_a_changed_result_does_not_change_the_next(tmp_path, small_mnist, small_cifar, name):
    files = {"mnist": small_mnist, "cifar10": small_cifar}
    arguments = [write(tmp_path / name, files[name])] if name in files else []
    load = getattr(datasets, name)
    first = load(*arguments)
    kept = [array.copy() for array in first]
    for array in first:
        array[...] = 7
    same(load(*arguments), kept)


# ---- what users have in their folders ---------------------------------------------------------------

N = "train-images-idx3-ubyte"


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("name", [N, f"{N}.gz"])
def test_gzip_in_gzip_is_unpacked(tmp_path, small_mnist, times, name):
    folder, data = write(tmp_path / "m", small_mnist), small_mnist[N]
    wanted = datasets.mnist(folder)
    (folder / N).unlink()
    for _ in range(times):
        data = gzip.compress(data)
    (folder / name).write_bytes(data)
    same(datasets.mnist(folder), wanted)


def zipped(data):
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        archive.writestr(N, data)
    return file.getvalue()


@pytest.mark.parametrize("name", [N, f"{N}.gz", "cifar-10-binary.tar.gz", "test_batch.bin"])
@pytest.mark.parametrize(
    "change, came",
    [
        (zipped, "zip"),
        (bz2.compress, "bzip2"),
        (lzma.compress, "xz"),
        (lambda _: b"<!doctype html><html>404</html>", "a web page"),
        (lambda _: gzip.compress(b"<html>404</html>"), "a web page"),
        (lambda _: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    ],
)
def test_file_of_another_kind_is_called_what_it_is(tmp_path, small_mnist, small_cifar, change, came, name):
    mine = small_mnist if N in name else small_cifar
    folder = write(tmp_path / "m", mine)
    (folder / name.removesuffix(".gz")).unlink(missing_ok=True)
    (folder / "data_batch_1.bin").unlink(missing_ok=True)
    (folder / name).write_bytes(change(small_mnist[N]))
    with pytest.raises(ValueError, match=f"{name}: {came} came, wanted the file itself"):
        (datasets.mnist if N in name else datasets.cifar10)(folder)


def test_members_in_capitals_and_the_authors_folder_are_taken(tmp_path, small_cifar):
    wrong = {name: cifar_records([7], 0) for name in small_cifar}
    wanted = datasets.cifar10(cifar_folder(tmp_path / "c", small_cifar, "files"))
    for i, folder in enumerate(["", "backup/", "a/b/", "z/"]):
        right = "CIFAR-10-BATCHES-BIN/" if i % 2 else "cifar-10-batches-bin/"
        right = {right.lower() + name.upper(): data for name, data in small_cifar.items()}
        others = {folder + name: data for name, data in wrong.items()}
        for members in (right | others, others | right):
            path = tar_gz(tmp_path / f"{i}" / "cifar-10-binary.tar.gz", members)
            same(datasets.cifar10(path), wanted)
    path = tar_gz(tmp_path / "w" / "cifar-10-binary.tar.gz", {f"x\\{k}": v for k, v in small_cifar.items()})
    same(datasets.cifar10(path), wanted)
    deeper = {f"a/b/{k}": v for k, v in wrong.items()} | {f"a/{k}": v for k, v in small_cifar.items()}
    same(datasets.cifar10(tar_gz(tmp_path / "d" / "cifar-10-binary.tar.gz", deeper)), wanted)


@pytest.mark.parametrize("load", [datasets.mnist, datasets.cifar10])
def test_folder_that_no_system_can_have_is_missing(load):
    with pytest.raises(FileNotFoundError, match="has neither .*: File name too long. Put"):
        load("x" * 300)


def test_link_to_nothing_is_called_so(tmp_path, small_mnist):
    data = small_mnist.pop(N)
    folder = write(tmp_path / "m", small_mnist)
    (folder / N).symlink_to("gone")
    with pytest.raises(FileNotFoundError, match=rf"has neither {N} .*, {N} \(a broken link\), train-labels"):
        datasets.mnist(folder)
    (folder / "gone").write_bytes(data)
    datasets.mnist(folder)


def test_file_that_may_not_be_read_is_named(tmp_path, small_mnist, monkeypatch):
    folder = write(tmp_path / "m", small_mnist)
    refusal = PermissionError(13, "Permission denied", str(folder / N))
    monkeypatch.setattr(datasets.Path, "read_bytes", lambda path: (_ for _ in ()).throw(refusal))
    with pytest.raises(FileNotFoundError, match=f"{N} cannot be read: Permission denied"):
        datasets.mnist(folder)
