"""Save and load: what comes back is what went in, and nothing that is not whole gets in."""

import io
import os
import stat
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from helpers import FLOATS, identical, numbers, refused, state, untouched

from cnnlib import Conv2d, Dense, Flatten, ReLU, Sequential


def network(seed=0, dtype=float):
    net = Sequential(Conv2d(1, 2, 2, rng=seed), ReLU(), Flatten(), Dense(8, 3, rng=seed + 1)).astype(dtype)
    for layer, key in net.parameters():
        layer.params[key] += numbers(layer.params[key].shape, seed, dtype)
    return net


def values(net):
    return [layer.params[key] for layer, key in net.parameters()]


def same(one, other):
    for a, b in zip(values(one), values(other), strict=True):
        identical(a, b)


@pytest.fixture
def path(tmp_path):
    """A folder with nothing but a saved network."""
    network().save(tmp_path / "digits.weights")
    return tmp_path / "digits.weights"


@pytest.fixture
def used():
    """A network that is not the saved one, and has been used."""
    net = network(5)
    net.backward(net.forward(numbers((1, 3, 3, 2))))
    return net


# ---- there and back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "name", ["weights", "weights.npz", "weights.v1", ".hidden", "ümlaut und Leerzeichen"]
)
def test_load_brings_back_every_bit_from_exactly_the_path_of_save(tmp_path, name, dtype):
    for path in (tmp_path / name, str(tmp_path / name)):
        net = network(dtype=dtype)
        with untouched(net):
            net.save(path)
        assert [file.name for file in tmp_path.iterdir()] == [name]
        other = network(5, dtype)
        assert other.load(path) is other
        same(other, net)


def test_special_values_survive(tmp_path):
    net, other = network(), network(5)
    net.layers[0].params["b"][:] = -0.0, 5e-324
    net.layers[3].params["b"][:] = np.nan, np.inf, 1e308
    net.save(tmp_path / "net")
    same(other.load(tmp_path / "net"), net)


def test_save_replaces_an_older_file(path, used):
    used.save(path)
    same(network().load(path), used)
    assert list(path.parent.iterdir()) == [path]


def test_file_holds_the_arrays_under_the_names_of_layer_and_key(path):
    with np.load(path) as file:
        assert sorted(file.files) == ["0.W", "0.b", "3.W", "3.b"]
        identical(file["3.W"], network().layers[3].params["W"])


def test_load_keeps_dicts_arrays_gradients_and_dtype_of_the_network(path):
    net = network(5, np.float32)
    net.backward(net.forward(numbers((1, 3, 3, 2), 0, np.float32)))
    held = [(layer.params, layer.params[key]) for layer, key in net.parameters()]
    with untouched([layer.grads for layer in net.layers]):
        net.load(path)
    for (layer, key), (params, array), saved in zip(net.parameters(), held, values(network()), strict=True):
        assert layer.params is params and layer.params[key] is array
        identical(array, saved.astype(np.float32))


def test_single_precision_file_fills_a_double_precision_network(tmp_path):
    single = network(dtype=np.float32)
    single.save(tmp_path / "net")
    for got, saved in zip(values(network(5).load(tmp_path / "net")), values(single)):
        identical(got, saved.astype(float))


def test_network_that_learns_nothing_is_saved_too(tmp_path):
    Sequential(ReLU()).save(tmp_path / "net")
    Sequential(Flatten(), ReLU()).load(tmp_path / "net")
    with refused("0.W", unchanged=[net := network()]):
        net.load(tmp_path / "net")


# ---- files that load refuses ------------------------------------------------------------------------


def refuses(net, path, *words):
    with refused(str(path), *words, unchanged=[net, path.parent]):
        net.load(path)


def archive(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def header(text):
    """An .npy file with this header and no numbers."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def small(seed=0):
    return Sequential(Dense(2, 3, rng=seed))


def test_file_torn_at_any_length_is_refused(path):
    net = small(5)
    small().save(path)
    whole, before = path.read_bytes(), state(net)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="digits.weights") as caught:
            net.load(path)
        assert caught.type is ValueError and state(net) == before, length


def test_file_with_any_byte_damaged_is_refused_or_gives_what_was_saved(path):
    net, saved = small(5), small()
    saved.save(path)
    whole, before, outcomes = path.read_bytes(), state(net), {}
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            same(small(7).load(path), saved)
            outcomes[place] = "loaded"
        except Exception as error:
            outcomes[place] = type(error).__name__
            with pytest.raises(type(error)):
                net.load(path)
            assert state(net) == before, place
    assert set(outcomes.values()) == {"loaded", "ValueError"}, outcomes


def npz_without(key):
    def write(path):
        named = {name: layer.params[k] for name, layer, k in network().named() if name != key}
        np.savez(path, **named)

    return write


def npz_with(**changes):
    def write(path):
        np.savez(path, **{name: layer.params[key] for name, layer, key in network().named()} | changes)

    return write


def zip_with(**changes):
    def write(path):
        members = {f"{name}.npy": npy(layer.params[key]) for name, layer, key in network().named()}
        archive(path, members | changes)

    return write


FOREIGN = {
    "empty": (lambda path: path.write_bytes(b""), ()),
    "text": (lambda path: path.write_text("weights"), ()),
    "noise": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), ()),
    "one plain array": (lambda path: path.write_bytes(npy(np.zeros(3))), ()),
    "a pickle": (lambda path: path.write_bytes(npy(np.array([{}], object))), ()),
    "an empty archive": (lambda path: archive(path, {}), ("0.W", "3.b")),
    "an archive of other things": (lambda path: archive(path, {"README.txt": "hello"}), ()),
    "members that are no arrays": (zip_with(**{"0.W.npy": b"hello"}), ()),
    "a member cut short": (zip_with(**{"0.W.npy": npy(np.zeros((2, 1, 2, 2)))[:-8]}), ()),
    "a member without its header": (zip_with(**{"0.W.npy": npy(np.zeros(3))[:20]}), ()),
    "a member with an open bracket": (zip_with(**{"0.W.npy": header("{'descr': ")}), ()),
    "a member larger than memory": (
        zip_with(
            **{"0.W.npy": header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**15},)}}\n")}
        ),
        (),
    ),
    "a member larger than any": (
        zip_with(
            **{"0.W.npy": header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**30},)}}\n")}
        ),
        (),
    ),
    "a key too few": (npz_without("3.b"), ("'3.b': None", "'3.b': (3,)")),
    "a key too many": (npz_with(**{"4.W": np.zeros(2)}), ("4.W", "(2,)")),
    "another key": (npz_with(**{"0.V": np.zeros(2)}), ("0.V",)),
    "another shape": (npz_with(**{"3.W": np.zeros((8, 3))}), ("3.W", "(8, 3)", "(3, 8)")),
    "one axis more": (npz_with(**{"3.b": np.zeros((3, 1))}), ("3.b", "(3, 1)", "(3,)")),
    "integers": (npz_with(**{"3.b": np.arange(3)}), ("3.b", "floats")),
    "truth values": (npz_with(**{"3.b": np.ones(3, bool)}), ("3.b", "floats")),
    "complex numbers": (npz_with(**{"3.b": np.ones(3, complex)}), ("3.b", "floats")),
    "texts": (npz_with(**{"3.b": np.array(["a", "b", "c"])}), ("3.b", "floats")),
    "pickled objects": (npz_with(**{"3.b": np.array([1.0, None, {}], object)}), ()),
    "the last array of another shape": (npz_with(**{"3.b": np.zeros(4)}), ("(4,)", "(3,)")),
}


@pytest.mark.parametrize("write, words", FOREIGN.values(), ids=FOREIGN)
def test_foreign_file_is_refused(tmp_path, used, write, words):
    path = tmp_path / "file.npz"
    write(path)
    refuses(used, path, *words)


@pytest.mark.parametrize(
    "offset, value", [(6, 0x01), (8, 0x63), (4, 0xFF)], ids=["encrypted", "method", "version"]
)
def test_archive_that_python_cannot_unpack_is_refused(path, used, offset, value):
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")  # the directory's first entry; the file's own header agrees
    local = content.index(b"PK\x03\x04")
    content[entry + offset + 2] = value
    content[local + offset] = value
    path.write_bytes(content)
    refuses(used, path)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_pickle_in_a_file_is_not_run(tmp_path, used):
    trap = np.array([Trap(tmp_path / "sprung"), 0, 0], object)
    npz_with(**{"3.b": trap})(tmp_path / "file.npz")
    refuses(used, tmp_path / "file.npz")
    with np.load(tmp_path / "file.npz", allow_pickle=True) as file:
        file["3.b"]
    assert (tmp_path / "sprung").is_dir()  # it would have been


def test_network_of_other_layers_is_refused(path):
    for net, words in [
        (Sequential(Dense(8, 3, rng=0)), ("0.W", "3.b", "(2, 1, 2, 2)", "(3, 8)")),
        (Sequential(Conv2d(1, 2, 2, rng=0), ReLU(), Flatten(), Dense(8, 3, bias=False, rng=0)), ("3.b",)),
    ]:
        refuses(net, path, *words)


def test_missing_file_and_folder_raise_the_systems_errors(tmp_path, used):
    with refused("nowhere", error=FileNotFoundError, unchanged=[used, tmp_path]):
        used.load(tmp_path / "nowhere")
    with refused(str(tmp_path), error=OSError, unchanged=[used, tmp_path]):
        used.load(tmp_path)


# ---- a save that does not come to its end -----------------------------------------------------------


def stops(error):
    def instead(*args, **kwargs):
        raise error

    return instead


def half_way(write):
    """np.savez that writes some bytes and stops."""

    def instead(file, **arrays):
        file.write(b"half a file")
        raise OSError("no space left on device")

    return instead


@pytest.mark.parametrize("error", [OSError("no space left on device"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("where", ["numpy.savez", "os.fsync", "os.replace"])
@pytest.mark.parametrize("exists", [True, False])
def test_interrupted_save_leaves_the_older_file_and_nothing_else(
    monkeypatch, path, used, where, error, exists
):
    if not exists:
        path.unlink()
    monkeypatch.setattr(where, stops(error))
    with refused(str(error), error=type(error), unchanged=[used, path.parent]):
        used.save(path)


def test_save_on_a_full_disk_leaves_the_older_file_and_nothing_else(monkeypatch, path, used):
    monkeypatch.setattr("numpy.savez", half_way(np.savez))
    with refused("no space left", error=OSError, unchanged=[used, path.parent]):
        used.save(path)


def test_save_is_on_the_disk_before_it_takes_the_name(monkeypatch, path, used):
    steps, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append(os.fstat(file).st_size), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda old, new: (steps.append("renamed"), replace(old, new)))
    used.save(path)
    assert steps == [path.stat().st_size, "renamed"]


@pytest.mark.parametrize("where", ["os.fsync", "os.replace"])
def test_killed_save_leaves_the_older_file(path, where):
    code = f"""
import os
from cnnlib import Conv2d, Dense, Flatten, ReLU, Sequential
{where} = lambda *args: os._exit(7)
Sequential(Conv2d(1, 2, 2), ReLU(), Flatten(), Dense(8, 3)).save({str(path)!r})
"""
    with untouched(path):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 7
    same(network(5).load(path), network())


def test_save_into_a_missing_folder_or_onto_a_folder_raises_the_systems_error(tmp_path, used):
    with refused("missing", error=FileNotFoundError, unchanged=[used, tmp_path]):
        used.save(tmp_path / "missing" / "net")
    (tmp_path / "folder").mkdir()
    with refused("folder", error=OSError, unchanged=[used, tmp_path]):
        used.save(tmp_path / "folder")


def test_load_into_a_read_only_array_changes_nothing(path, used):
    used.layers[3].params["W"].flags.writeable = False
    with refused(str(path), "['3.W'] are read-only in the network", unchanged=[used]):
        used.load(path)


# ---- the path that the caller names -----------------------------------------------------------------


def links(link, target, **folder):
    """Makes a link, or skips where the system makes none."""
    try:
        link.symlink_to(target, **folder)
    except OSError as error:
        pytest.skip(f"no links here: {error}")


def test_tilde_is_the_callers_home(tmp_path, monkeypatch, used):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for path in ("~/net", Path("~", "net"), b"~/net"):
        used.save(path)
        assert [file.name for file in tmp_path.iterdir()] == ["net"]
        same(network().load(path), used)
        (tmp_path / "net").unlink()
    with refused(str(Path("~/missing").expanduser()), error=FileNotFoundError, unchanged=[used, tmp_path]):
        used.load("~/missing")


def test_path_may_be_bytes_and_relative(tmp_path, monkeypatch, used):
    monkeypatch.chdir(tmp_path)
    for path in (b"net", "net", Path("net"), os.path.join("..", tmp_path.name, "net")):
        used.save(path)
        assert [file.name for file in tmp_path.iterdir()] == ["net"]
        same(network().load(path), used)
        (tmp_path / "net").unlink()


@pytest.mark.parametrize("thing", [3, None, io.BytesIO()], ids=["descriptor", "None", "file"])
def test_what_is_no_path_is_refused(tmp_path, monkeypatch, used, thing):
    monkeypatch.chdir(tmp_path)
    for act in (used.save, used.load):
        with refused(type(thing).__name__, error=TypeError, unchanged=[used, tmp_path]):
            act(thing)


@pytest.mark.parametrize("target", ["absolute", "relative", "of a link", "dangling"])
def test_link_stays_and_its_file_is_written(tmp_path, used, target):
    (tmp_path / "runs").mkdir()
    file, link = tmp_path / "runs" / "7.npz", tmp_path / "best"
    if target != "dangling":
        network().save(file)
    if target == "of a link":
        links(tmp_path / "runs" / "last", "7.npz")
    to = {"absolute": file, "of a link": "runs/last"}.get(target, "runs/7.npz")
    links(link, to)
    used.save(link)
    assert link.is_symlink() and os.readlink(link) == str(to)
    assert file.is_file() and not file.is_symlink()
    same(network().load(file), used)
    same(network().load(link), used)
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "best"}
    assert {path.name for path in file.parent.iterdir()} <= {"7.npz", "last"}


def test_link_to_a_folder_on_the_way_is_followed(tmp_path, used):
    (tmp_path / "folder").mkdir()
    links(tmp_path / "link", "folder", target_is_directory=True)
    used.save(tmp_path / "link" / "net")
    same(network().load(tmp_path / "folder" / "net"), used)


@pytest.mark.parametrize("error", [OSError("no space left on device"), KeyboardInterrupt()])
def test_interrupted_save_leaves_the_link_and_its_file(tmp_path, monkeypatch, used, error):
    network().save(tmp_path / "net")
    links(tmp_path / "link", "net")
    monkeypatch.setattr("os.replace", stops(error))
    with refused(str(error), error=type(error), unchanged=[used, tmp_path]):
        used.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


NOWHERE = {
    "a folder": lambda folder: folder / "folder",
    "a folder, by its slash": lambda folder: f"{folder / 'folder'}{os.sep}",
    "a folder that is not there, by its slash": lambda folder: f"{folder / 'file_or_folder'}{os.sep}",
    "a link to a folder": lambda folder: folder / "to_folder",
    "links in a circle": lambda folder: folder / "circle",
    "a dangling link to a folder that is missing": lambda folder: folder / "to_missing",
    "in a folder that is missing": lambda folder: folder / "missing" / "net",
    "in a file": lambda folder: folder / "file" / "net",
    "a name that is too long": lambda folder: folder / ("n" * 300),
    "no name": lambda folder: "",
}


@pytest.mark.parametrize("place", NOWHERE.values(), ids=NOWHERE)
def test_error_names_the_file_that_the_caller_named_and_no_other(tmp_path, used, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    links(tmp_path / "to_folder", "folder", target_is_directory=True)
    links(tmp_path / "circle", "circle")
    links(tmp_path / "to_missing", "missing/net")
    path = place(tmp_path)
    before = sorted(os.walk(tmp_path))
    with untouched(used), pytest.raises(OSError) as caught:
        used.save(path)
    assert sorted(os.walk(tmp_path)) == before
    assert str(caught.value).endswith(f": {str(path)!r}") and caught.value.filename == str(path)


def test_no_name_is_no_matter_of_permissions(tmp_path, monkeypatch, used):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    for path in ("", "new/", "../folder/"):
        with refused(
            "A folder, or no file at all", repr(path), error=IsADirectoryError, unchanged=[tmp_path]
        ):
            used.save(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no folder that is somebody's current one")
def test_save_in_a_folder_that_was_deleted_names_the_file(tmp_path, monkeypatch, used):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    (tmp_path / "folder").rmdir()
    with refused("'net'", error=FileNotFoundError, unchanged=[used]):
        used.save("net")


@pytest.mark.skipif(os.name == "nt", reason="devices and pipes have other names on Windows")
def test_device_and_pipe_are_not_replaced(tmp_path, used):
    os.mkfifo(tmp_path / "pipe")
    os.symlink("/dev/null", tmp_path / "null")
    for name in ("pipe", "null"):
        with refused(f": {str(tmp_path / name)!r}", error=OSError):
            used.save(tmp_path / name)
    assert (tmp_path / "pipe").is_fifo() and Path("/dev/null").is_char_device()


def test_name_may_be_as_long_as_the_system_allows(tmp_path, used):
    used.save(tmp_path / ("n" * 255))
    same(network().load(tmp_path / ("n" * 255)), used)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_mode_is_the_older_files_or_the_umasks(path, used):
    for mode in (0o600, 0o664, 0o640):
        path.chmod(mode)
        used.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode
    for umask in (0o022, 0o077):
        path.unlink()
        before = os.umask(umask)
        try:
            used.save(path)
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.fixture
def bound():
    """A folder of a user whom modes bind, who runs the test: root may write everywhere."""
    if os.name == "nt":
        pytest.skip("Windows has no such modes")
    with TemporaryDirectory() as folder:
        if root := os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)


@pytest.mark.parametrize("read_only", ["net", "."])
def test_what_is_read_only_stays_as_it_is(bound, used, read_only):
    path, place = bound / "net", bound / read_only
    network().save(path)
    place.chmod(place.stat().st_mode & ~0o222)
    with refused(f": {str(path)!r}", error=PermissionError, unchanged=[used, bound]):
        used.save(path)
    place.chmod(0o700)


def test_savers_at_once_leave_a_whole_file_of_one_of_them(path):
    """From threads: what has a name of its process alone would be written by several at once."""
    nets = [network(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(net.save, path) for net in nets * 10]:
            done.result()
    saved = state(values(network().load(path)))
    assert [array[1:] for array in saved] in [[array[1:] for array in state(values(net))] for net in nets]
    assert list(path.parent.iterdir()) == [path]
