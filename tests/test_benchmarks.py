"""The benchmarks run, compare equal things, and their stored results are whole. No timing is tested."""

import copy
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import browsing
import numpy as np
import pytest
from conftest import need
from train_many import from_chapter

import cnnlib
from cnnlib import (
    SGD,
    Conv2d,
    Dense,
    Flatten,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    training,
)

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import batch_size  # noqa: E402
import choices  # noqa: E402
import ddp  # noqa: E402
import floor  # noqa: E402
import loops  # noqa: E402
import others  # noqa: E402
import parallel  # noqa: E402
import shapes  # noqa: E402
import startup  # noqa: E402
import step  # noqa: E402
import timing  # noqa: E402
from batch_first import BatchFirst, twin  # noqa: E402

TORCH = "torch_nchw", "torch_channels_last"
unix = pytest.mark.skipif(
    sys.platform == "win32", reason="memory is measured with `resource`, which is Unix's"
)


def run(script, *arguments, **more):
    """What the script prints, with ``more`` in its environment."""
    command = [sys.executable, BENCHMARKS / script, *arguments]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = os.environ | {"PYTHONPATH": path} | more
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout


def first_step(net, x, t):
    """Loss and every gradient, by name, of one forward and backward."""
    loss = SoftmaxCrossEntropy()
    J = loss.forward(net.forward(x), t)
    dx = net.backward(loss.backward())
    return J, {name: layer.grads[key] for name, layer, key in net.named()}, dx


@pytest.mark.parametrize("name", step.NETS)
def test_twin_has_the_gradients_of_cnnlib(name):
    x, t = step.images(name, batch=5)
    x, net = x.astype(np.float64), step.network(name).astype(np.float64)
    J, grads, dx = first_step(net, x, t)
    J_twin, grads_twin, dx_twin = first_step(BatchFirst(net), others.batch_first(x), t)
    assert J_twin == pytest.approx(J, rel=1e-12)
    assert grads_twin.keys() == grads.keys()
    for key in grads:
        np.testing.assert_allclose(grads_twin[key], grads[key], rtol=1e-9, atol=1e-14, err_msg=key)
    np.testing.assert_allclose(dx_twin, others.batch_first(dx), rtol=1e-9, atol=1e-14)


def test_twin_keeps_its_own_parameters():
    net = step.network("net1")
    other = BatchFirst(net)
    other.layers[0].params["W"] += 1
    assert not np.shares_memory(net.layers[0].params["W"], other.layers[0].params["W"])
    assert (other.layers[0].params["W"] != net.layers[0].params["W"]).all()


@pytest.mark.parametrize(
    "layer", [Conv2d(1, 2, 3, stride=2), Conv2d(1, 2, 3, padding=1), MaxPool2d(3, stride=2)], ids=str
)
def test_twin_refuses_what_it_cannot_do(layer):
    with pytest.raises(ValueError, match="no batch-first twin of"):
        twin(layer)


@pytest.mark.parametrize("name", step.NETS)
def test_the_networks_are_those_of_the_readme(name):
    channels, side = step.NETS[name]
    net = step.network(name)
    assert net.output_shape((channels, side, side, 3)) == (10, 3)
    shapes = [layer.params["W"].shape for layer in net.layers if layer.params]
    wanted = {
        "net1": [(6, 1, 5, 5), (16, 6, 5, 5), (120, 256), (84, 120), (10, 84)],
        "net2": [(16, 3, 5, 5), (32, 16, 5, 5), (1000, 800), (10, 1000)],
    }
    assert shapes == wanted[name.removesuffix("_sigmoid")]
    kinds = {type(layer) for layer in net.layers}
    assert (Sigmoid in kinds) == (name == "net1_sigmoid") == (ReLU not in kinds)
    assert {layer.params[key].dtype for layer, key in net.parameters()} == {np.dtype("float32")}


def test_summary_divides_medians_and_minima():
    times = {"cnnlib": [1.0, 3.0, 2.0], "other": [4.0, 8.0, 6.0]}
    assert timing.summary(times) == {
        "median_ms": {"cnnlib": 2.0, "other": 6.0},
        "min_ms": {"cnnlib": 1.0, "other": 4.0},
        "ratio": {"other": 0.333},
        "ratio_of_minima": {"other": 0.25},
    }


def test_the_kernels_are_those_that_are_asked_for():
    if timing.kernels() is None:
        pytest.skip("this NumPy is not built with OpenBLAS")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("Nehalem is an x86 processor")
    code = "import timing; print(timing.kernels())"
    env = os.environ | {"OPENBLAS_CORETYPE": "Nehalem", "PYTHONPATH": str(BENCHMARKS)}
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=env
    )
    assert said.stdout.strip() == "Nehalem"


def test_the_floor_counts_each_product_and_each_array_once():
    net = Sequential(Conv2d(2, 3, (2, 3)), ReLU(), MaxPool2d(2), Flatten(), Dense(12, 5)).astype(np.float32)
    shape = 2, 5, 6, 7  # -> (3, 4, 4, 7) -> (3, 2, 2, 7) -> (12, 7) -> (5, 7)
    products = 2 * (36 * 16 * 7) + 3 * (60 * 7)  # no dx of the first layer
    arrays = (420 + 2 * 336) + (2 * 336 + 2 * 336) + (2 * 336 + 2 * 84) + (2 * 84 + 2 * 35)
    params = 2 * (36 + 3 + 60 + 5)
    assert floor.work(net, shape) == (products, 4 * (arrays + params))
    limits = {"peak_gmul_s": 1e-3, "bandwidth_gb_s": 2e-3}
    result = {"median_ms": {"cnnlib": 100.0}, "min_ms": {"cnnlib": 50.0}}
    under = floor.floor(net, shape, limits, result)
    assert under["products_ms"] == pytest.approx(products / 1e3, abs=1e-3)
    assert under["bytes_ms"] == pytest.approx(4 * (arrays + params) / 2e3, abs=1e-3)
    assert under["ms"] == pytest.approx(under["products_ms"] + under["bytes_ms"], abs=2e-3)
    assert under["times"]["cnnlib"] == round(100 / under["ms"], 2)
    assert under["times_of_minima"]["cnnlib"] == round(50 / under["ms"], 2)


def test_step_stops_where_another_trains_another_network(monkeypatch):
    def makers(net, x, t, lr):
        other = Sequential(*copy.deepcopy(net.layers))
        optimizer, loss = SGD(other, share * lr), SoftmaxCrossEntropy()
        return {"other": lambda: lambda: training.step(other, loss, optimizer, x, t)}

    monkeypatch.setattr(others, "makers", makers)
    share = 1
    assert step.steppers("net1", batch=2).keys() == {"cnnlib", "batch_first", "other"}
    assert step.steppers("net1", batch=2, only=["cnnlib", "other"]).keys() == {"cnnlib", "other"}
    share = 0.9
    with pytest.raises(AssertionError, match="other"):
        step.steppers("net1", batch=2)


MACHINE = "cpu cores threads system python numpy blas kernels torch jax tinygrad".split()
SUMMARY = "median_ms", "min_ms", "ratio", "ratio_of_minima"


def check_summary(result, contenders):
    """Times and ratios of cnnlib and these contenders."""
    for field in SUMMARY:
        first = ["cnnlib"] if field.endswith("ms") else []
        assert list(result[field]) == [*first, *contenders]
        assert all(isinstance(x, (int, float)) and x > 0 for x in result[field].values())


def check_step(results, batches, sides):
    """The fields of a result: all contenders in all races, PyTorch's two layouts by size."""
    machine = results["machine"]
    assert list(machine) == MACHINE and machine["threads"] == 1
    assert (results["batch"], results["dtype"]) == (64, "float32")
    assert results["clock"] in ("perf_counter", "process_time")
    grown = TORCH if machine["torch"] else ()
    assert results["limits"]["peak_gmul_s"] > 0 and results["limits"]["bandwidth_gb_s"] > 0
    contenders = list(results["nets"]["net1"]["ratio"])
    assert contenders[: 1 + len(grown)] == ["batch_first", *grown]
    for name in contenders[1 + len(grown) :]:
        assert name in ("jax", "tinygrad") and machine[name]
    for nets in (results["nets"], *results["threads"].values()):
        assert nets.keys() == step.NETS.keys()
        for net in nets.values():
            check_summary(net, contenders)
    for net in results["nets"].values():
        assert list(net["by_batch"]) == batches and list(net["by_side"]) == sides
        for result in (*net["by_batch"].values(), *net["by_side"].values()):
            check_summary(result, grown)
        assert net["floor"].keys() >= {"multiplications", "bytes", "products_ms", "bytes_ms", "ms"}
        assert list(net["floor"]["times"]) == ["cnnlib", *contenders]


def test_step_runs_and_stores_what_it_prints(tmp_path):
    path = tmp_path / "new" / "step.json"
    sizes = "--batches 2 --sides 16 --rounds 1 --growth-rounds 1 --squares 64 --memory-mb 1".split()
    printed = run(
        "step.py", "--json", path, *sizes, "--threads", "1"
    )  # two would wait for one another, on a busy machine
    results = json.loads(path.read_text(encoding="utf-8"))
    check_step(results, ["2"], ["16"])
    assert ("torch is not installed" in printed) == (results["machine"]["torch"] is None)
    assert printed.count("  threads: 1  ") == 2 and results["threads"].keys() == {"1"}
    for name, net in results["nets"].items():
        assert f"{net['median_ms']['batch_first']:.2f} ms" in printed and name in printed
        assert f"{name} cnnlib is {net['floor']['times']['cnnlib']} times the floor" in printed


def check_choices(results):
    """Every choice, with the library's way first."""
    wanted = {name: list(ways) for name, ways in choices.choices()}
    assert {name: list(found["median_ms"]) for name, found in results["choices"].items()} == wanted
    for name, ways in wanted.items():
        found = results["choices"][name]
        assert list(found["ratio"]) == list(found["ratio_of_minima"]) == ways[1:] != []
        assert all(0 < found["min_ms"][way] <= ms for way, ms in found["median_ms"].items())
    cases = [*results["page faults"].values()]
    assert len(cases) == 3 or sys.platform == "win32"
    assert all(len(found) == 2 and all(what["faults"] >= 0 for what in found.values()) for found in cases)


def test_choices_runs_and_stores_what_it_prints(tmp_path):
    path = tmp_path / "choices.json"
    printed = run("choices.py", "--rounds", "1", "--json", path)
    results = json.loads(path.read_text(encoding="utf-8"))
    check_choices(results)
    assert all(name in printed for part in ("choices", "page faults") for name in results[part])


def test_what_a_choice_is_compared_with_is_what_the_library_does():
    """Cut as the layer cuts: its first ways call its own functions, with its own numbers of columns."""
    layer = step.network("net2").layers[3]
    x = choices.numbers(16, 14, 14, 2)
    y = layer.forward(x)
    ways = dict(choices.products("", layer, x.shape))
    np.testing.assert_allclose(
        ways["products, , forward"]["whole"]().swapaxes(0, 1).reshape(y.shape), y, rtol=1e-4, atol=1e-4
    )
    delta = choices.numbers(10, 32, 20).swapaxes(0, 1).reshape(y.shape)
    dx = layer.backward(delta)
    dW = ways["products, , dW"]["whole"]()
    np.testing.assert_allclose(layer.kernels(dW.T), layer.grads["W"], rtol=1e-4, atol=1e-3)
    inner = np.zeros((14, 80, 20), np.float32)
    inner[4:10] = ways["products, , dx"]["whole"]()
    np.testing.assert_allclose(
        layer.roll(inner, x.shape)[:, 4:10], dx[:, 4:10], rtol=1e-4, atol=1e-4 * np.abs(dx).max()
    )
    pooled = choices.pooling(x)
    assert np.array_equal(pooled["views of the taps"](), pooled["copies of the taps"]())


def test_choices_stops_where_a_result_differs():
    x = choices.numbers(4, 4)
    ways = {"right": lambda: x, "wrong": lambda: 1.01 * x}
    with pytest.raises(AssertionError, match="a name: wrong"):
        choices.decide("a name", ways, 1)


def test_shapes_compares_two_checkouts(tmp_path):
    path, one = tmp_path / "shapes.json", "(3, 9, 9, 1)"
    printed = run("shapes.py", "--against", ROOT, "--seconds", "0", "--only", one, "--json", path)
    ((called, found),) = json.loads(path.read_text(encoding="utf-8"))["shapes"].items()
    assert called == f"Conv2d(3, 4, 3) of {one}, float32" and f"{called:72}" in printed
    assert list(found["median_ms"]) == ["now", "before"] and found["ratio"]["before"] > 0
    assert "1 shapes, geometric mean" in printed
    command = [sys.executable, BENCHMARKS / "shapes.py", "--against", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode and f"{tmp_path} has no cnnlib" in done.stderr


def test_shapes_stops_where_a_result_differs():
    case = shapes.CASES[23]
    y, dx, grads = result = shapes.passes(cnnlib, *case)()
    shapes.agree(case, result, (y, dx, grads))
    for wrong in (
        (1.01 * y, dx, grads),
        (y, 1.01 * dx, grads),
        (y, dx, grads | {"W": 1.01 * grads["W"]}),
        (y, dx.astype(np.float64), grads),
        (y, dx, {"W": grads["W"]}),
    ):
        with pytest.raises(AssertionError, match="Conv2d"):
            shapes.agree(case, wrong, result)


def check_startup(results, names):
    """A median and a minimum of each, in seconds."""
    assert list(results["median_s"]) == list(results["min_s"]) == names
    assert all(0 < results["min_s"][name] <= median for name, median in results["median_s"].items())


def test_startup_runs_and_stores_what_it_prints(tmp_path):
    path = tmp_path / "startup.json"
    printed = run("startup.py", "--rounds", "1", "--builds", "0", "--json", path)
    results = json.loads(path.read_text(encoding="utf-8"))
    check_startup(results, [*startup.TIMED])
    assert all(f"{name:28} {median:.4f} s" in printed for name, median in results["median_s"].items())


def test_startup_times_builds_in_turn_after_one_that_does_not_count():
    calls = []
    runs = {name: lambda name=name: calls.append(name) or len(calls) for name in "ab"}
    assert startup.in_turn(runs, 2) == {"a": [3, 5], "b": [4, 6]} and calls == [*"ababab"]
    assert startup.in_turn(runs, 0) == {} and len(calls) == 6


def test_page_load_runs_and_stores_what_it_prints(tmp_path):
    need(browsing.missing())
    (tmp_path / "site" / "book").mkdir(parents=True)
    (tmp_path / "site" / "lite").mkdir()
    for name in ("index.html", "book/one.html", "lite/not-counted.html"):
        (tmp_path / "site" / name).write_text("<!DOCTYPE html><p>Some text", encoding="utf-8")
    path = tmp_path / "pages.json"
    how = "--rounds", "2", "--slowed", "2", "--pages", "one"
    printed = run("page_load.py", "--site", tmp_path / "site", *how, "--json", path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    (site,) = stored["sites"].values()
    assert stored["slowed"] == 2 and site["site"] == 2 * 27 and site["bytes"] == {"one": 27}
    times = site["pages"]["one"]
    assert times.pop("first Frames") is None and " none " in printed
    assert len(times) == 6 and all(median >= least for median, least in times.values())
    assert min(least for name, (_, least) in times.items() if name != "longest task") > 0
    assert all(f"{median:.0f} ({least:.0f})" in printed for median, least in times.values())


@unix
def test_memory_runs_and_stores_what_it_prints(tmp_path):
    path = tmp_path / "memory.json"
    printed = run("memory.py", "--steps", "1", "--json", path)
    results = json.loads(path.read_text(encoding="utf-8"))
    assert results["steps"] == 1 and results["above_mb"].keys() == {"net1", "net2"}
    assert all(f"{name}: {mb:.1f} MB above it" in printed for name, mb in results["above_mb"].items())
    assert results["interpreter_with_numpy_mb"] > 10


def check_batch_size(results):
    assert results["machine"]["threads"] == 1 and results["clock"] == "process_time"
    assert list(results["ms"]) == [str(size) for size in batch_size.SIZES]
    for times in results["ms"].values():
        assert list(times) == ["min", "lower quartile", "median", "upper quartile"]
        assert 0 < times["min"] and list(times.values()) == sorted(times.values())


def test_batch_size_runs_and_stores_what_it_prints(tmp_path):
    path = tmp_path / "times.json"
    printed = run("batch_size.py", "--rounds", "1", "--json", path)
    results = json.loads(path.read_text(encoding="utf-8"))
    check_batch_size(results)
    assert all(f"{size} images a step: {times}" in printed for size, times in results["ms"].items())


def test_batch_size_times_steps_of_the_chapters_network():
    network = batch_size.lenet()(np.random.default_rng(0))
    assert network.output_shape((1, 28, 28, 3)) == (10, 3)
    x, before = np.ones((1, 28, 28, 3)), [layer.params[key].copy() for layer, key in network.parameters()]
    batch_size.stepper(network, x, np.array([0, 1, 2]))()
    moved = [np.abs(layer.params[key] - old).max() for (layer, key), old in zip(network.parameters(), before)]
    assert 0 < max(moved) < 1e-3


def test_stored_results_are_whole():
    check_batch_size(json.loads((ROOT / "cnnlib" / "data" / "batch_times.json").read_text(encoding="utf-8")))
    results = json.loads((BENCHMARKS / "results" / "step.json").read_text(encoding="utf-8"))
    check_step(results, "16 32 64 128 256 512 1024".split(), "16 24 32 48 64".split())
    assert results["machine"]["torch"] and results["threads"].keys() == {"2"}
    check_choices(json.loads((BENCHMARKS / "results" / "choices.json").read_text(encoding="utf-8")))
    started = json.loads((BENCHMARKS / "results" / "startup.json").read_text(encoding="utf-8"))
    check_startup(started, [*startup.TIMED, *startup.BUILDS])
    memory = json.loads((BENCHMARKS / "results" / "memory.json").read_text(encoding="utf-8"))
    assert memory.keys() == {"interpreter_with_numpy_mb", "steps", "above_mb"}
    assert memory["above_mb"].keys() == {"net1", "net2"}


def chapter_functions():
    """The functions of the chapter loops_to_gemm that are timed, by name."""
    functions = {"np": np}
    exec(loops.source(), functions)
    return functions


SMALL = dict(images=(2, 6, 5), kernels=(3, 2, 3, 2))


def test_loops_times_equal_results_of_the_chapters_own_functions():
    functions = chapter_functions()
    compared = loops.steppers(functions, 3, loops.STEPS, **SMALL)
    assert compared["forward"].keys() == compared["backward"].keys() == {*loops.STEPS, "cnnlib"}
    results = [run() for run in compared["forward"].values()]
    assert all(y.dtype == np.float32 and y.shape == (3, 4, 4, 3) for y in results)
    for y in results:
        np.testing.assert_allclose(y, results[-1], atol=1e-5)


@pytest.mark.parametrize("name", ["one_product", "tap_by_tap_backward"])
def test_loops_stops_where_a_result_differs(name):
    functions = chapter_functions()
    right = functions[name]
    functions[name] = lambda *arrays, **kept: [1.01 * part for part in right(*arrays, **kept)]
    with pytest.raises(AssertionError, match=name.removesuffix("_backward")):
        loops.steppers(functions, 3, loops.STEPS, **SMALL)


def test_loops_wants_every_function_once(tmp_path):
    chapter = json.loads(loops.CHAPTER.read_text(encoding="utf-8"))
    twice = tmp_path / "twice.ipynb"
    for cells in (chapter["cells"][:-1:2], [*chapter["cells"], *chapter["cells"]]):
        twice.write_text(json.dumps({"cells": cells}), encoding="utf-8")
        with pytest.raises(ValueError, match="want each once of"):
            loops.source(twice)


def test_digest_of_the_library_ignores_what_does_not_run(tmp_path):
    text = loops.LIBRARY.read_text(encoding="utf-8")
    copy = tmp_path / "convolution.py"
    line = "    def forward(self, x: Array) -> Array:\n"
    for old, new, same in (
        (line, line.replace("\n", "  # a comment\n\n"), True),
        (line, "    def forward(self, x):\n", True),
        (line, "    def forward(self, z: Array) -> Array:\n", False),
        ("from .base import Array, ", "from .base import Any, Array, ", True),
        ("from functools import cache", "from functools import lru_cache as cache", False),
        ('"""A row of outputs at a time', '"""Another docstring', True),
        ("product(W, strip,", "product(2 * W, strip,", False),
    ):
        assert text.count(old) == 1
        copy.write_text(text.replace(old, new), encoding="utf-8")
        assert (loops.digests(copy) == loops.digests()) is same


def check_loops(results, side):
    """The fields that the chapter draws."""
    assert (results["images"], results["dtype"]) == ([6, side, side], "float32")
    assert results["kernels"] == [16, 6, 5, 5] and results["clock"] in ("perf_counter", "process_time")
    assert results["sizes"].keys() == {"layer", "strip", "square"}
    parts = "im2col", "im2col_first", "unroll", "strips", *results["sizes"]
    assert {N: {way: list(ms) for way, ms in ways.items()} for N, ways in results["ms"].items()} == {
        "1": {"forward": [*loops.STEPS, "cnnlib"], "backward": [*loops.STEPS, "cnnlib"]},
        "64": {
            "forward": [*loops.STEPS[2:], "cnnlib", *parts],
            "backward": [*loops.STEPS[2:], "cnnlib"],
        },
    }
    step_ms = results["step"]["ms"], results["step"]["batch_ms"]
    for times in (*(ms for ways in results["ms"].values() for ms in ways.values()), *step_ms):
        assert all(0 < shortest <= median <= high for shortest, median, high in times.values())
    hardware = results["hardware"]
    assert (
        hardware.keys() >= {"caches_kb", "lanes", "per_cycle", "latency", "chain_ns"}
        and hardware["lanes"] == 16
    )
    assert all(copied["gb_s"] > 0 for copied in results["copy"].values())
    assert results["copy"].keys() == {"cache", "memory"}
    check_summary(results["step"], list(results["step"]["ratio"]))
    assert list(results["step"]["ms"]) == ["cnnlib", *results["step"]["ratio"]]
    assert results["step"]["floor"]["multiplications"] == 64 * (2 * 86_400 + 3 * 185_520)
    assert {name: results[name] for name in loops.digests()} == loops.digests(), (
        "run benchmarks/loops.py again"
    )


def test_the_timed_lenet_is_the_books():
    built = {"np": np}
    cells = json.loads((ROOT / "book" / "loops_to_gemm.ipynb").read_text(encoding="utf-8"))["cells"]
    (code,) = ["".join(cell["source"]) for cell in cells if "lenet = Sequential(" in "".join(cell["source"])]
    exec(code, built)
    net = loops.lenet()
    assert [str(layer) for layer in net.layers] == [str(layer) for layer in built["lenet"].layers]
    assert built["total"] == 271_920 == 86_400 + 185_520
    assert {layer.params[key].dtype for layer, key in net.parameters()} == {np.dtype("float32")}


def test_loops_names_shortest_median_and_the_ninth_of_ten():
    assert loops.spread([*range(10, 0, -1), 11]) == [1, 6, 10]


def test_a_call_does_not_count_in_the_chain():
    seconds = iter(
        np.cumsum([0, 5, 0, 5 + 7e-3 * 7] * 4)
    )  # a call takes 5, and 7,000 multiplications 49e-3 / 50 more
    found = loops.chain(1, lambda: next(seconds), lengths=(1000, 8000), repeats=50)
    assert found == round(1e9 * 49e-3 / 50 / 7000, 4)


def test_loops_runs_and_stores_what_it_prints(tmp_path):
    path = tmp_path / "loops.json"
    sizes = "--side 6 --square 64 --memory-mb 1 --rounds 1 --slow-rounds 1 --batches 2".split()
    printed = run("loops.py", "--json", path, *sizes)
    results = json.loads(path.read_text(encoding="utf-8"))
    check_loops(results, side=6)
    assert f"seven_loops: {results['ms']['1']['forward']['seven_loops']}" in printed
    assert results["step"]["batch_ms"].keys() == {"2"} and results["clock"] == "perf_counter"


def test_stored_loops_belong_to_the_chapter_as_it_is():
    results = json.loads((ROOT / "cnnlib" / "data" / "loops.json").read_text(encoding="utf-8"))
    check_loops(results, side=12)
    assert results["hardware"]["caches_kb"].keys() == {"L1", "L2", "L3"}
    assert results["step"]["ratio"].keys() == {"batch_first", *TORCH}
    assert list(results["step"]["batch_ms"]) == ["1", "4", "16", "64", "256", "1000"]


def check_parallel(results, batches, **more):
    """The fields that the chapter draws, and that each follows from those it is made of."""
    machine, engines = results["machine"], {"one": [1], "dask": [1, 2]} | more
    assert list(machine) == MACHINE and machine["threads"] == 1 and results["dtype"] == "float32"
    cases = [(name, n) for name in parallel.NETS for n in batches]
    wanted = [(*case, kind, n) for case in cases for kind, several in engines.items() for n in several]
    steps = {
        tuple(found[key] for key in ("network", "batch", "engine", "workers")): found
        for found in results["steps"]
    }
    assert list(steps) == wanted and len(results["steps"]) == len(wanted)
    for found in steps.values():
        low, high = found["ms"]["quartiles"]
        assert (
            0 < found["ms"]["min"] <= low <= found["ms"]["median"] <= high
            and 0 < found["rounds"] <= found["of_rounds"]
        )
    for name, n in cases:
        ratios = results["scaling"][name][str(n)]
        assert list(ratios) == list(engines)[1:]
        for kind, found in ratios.items():
            for field, key in (("medians", "median"), ("minima", "min")):
                one, two = (steps[name, n, kind, workers]["ms"][key] for workers in (1, 2))
                assert found[field] == pytest.approx(
                    one / two, rel=2e-3, abs=1e-3
                )  # it is rounded to three decimals
            assert found["rounds"] > 0
    for name, make in parallel.NETS.items():
        found, packed = results["bytes"][name], parallel.packed(make())
        assert (found["parameters"], found["dtype"], found["packed"]) == (
            packed.size,
            "float32",
            packed.nbytes,
        )
        for way in ("down_per_worker", "up_per_worker"):  # and what says whose they are
            assert packed.nbytes <= found[way] <= packed.nbytes + 20_000, (name, way)
    assert list(results["scheduler_ms"]["by_tasks"]) == ["1", "3", "5", "9"]
    model = results["model"]
    shards = [
        (f"{name} {batch} {n}", n, results["bytes"][name]["packed"]) for name, batch in cases for n in (1, 2)
    ]
    shards += [(f"nothing {n}", n, 8 * 2) for n in parallel.SHARDS]
    assert list(model["above_ms"]) == [case for case, *_ in shards]
    again = parallel.fitted({case: (n, size, model["above_ms"][case]) for case, n, size in shards})
    for name in ("latency_ms", "per_task_ms", "bandwidth_MB_s", "residuals"):
        assert again[name] == pytest.approx(model[name], rel=1e-2, abs=2e-3), name
    assert model["assumed"] == {"bandwidth_MB_s": 125.0, "latency_ms": 0.1}
    for name in ("compute_ms_per_example", "side_by_side"):
        assert model[name].keys() == parallel.NETS.keys() and min(model[name].values()) > 0


def test_parallel_runs_and_stores_what_it_prints(tmp_path):
    path = tmp_path / "parallel.json"
    printed = run("parallel.py", "--light", "--rounds", "1", "--batches", "2", "4", "--json", path)
    results = json.loads(path.read_text(encoding="utf-8"))
    check_parallel(results, [2, 4])
    assert f"a step that computes nothing: {results['scheduler_ms']} ms" in printed
    assert all(f"{found['ms']} ms" in printed for found in results["steps"])


def test_stored_parallel_steps_are_whole():
    results = json.loads((ROOT / "cnnlib" / "data" / "parallel.json").read_text(encoding="utf-8"))
    check_parallel(results, [64, 1024], ddp=[1, 2])
    assert results["machine"]["torch"]
    assert min(found["rounds"] for found in results["steps"]) >= 10


def test_model_of_a_step_finds_the_costs_that_made_its_times():
    sizes = [(n, size) for n in (1, 2, 8, 9) for size in (16, 4_000_000)]
    assert [parallel.tasks_of(n) for n in (1, 2, 8, 9, 64, 65)] == [1, 3, 9, 12, 73, 65 + 9 + 2 + 1]
    assert [parallel.path_of(n) for n in (1, 2, 8, 9)] == [4, 6, 18, 20]
    ms = [5 + 0.5 * parallel.tasks_of(n, size) + parallel.path_of(n) * size / 1e6 / 0.8 for n, size in sizes]
    found = parallel.fitted({str(case): (*case, ms) for case, ms in zip(sizes, ms)})
    assert (found["latency_ms"], found["per_task_ms"], found["bandwidth_MB_s"]) == (5, 0.5, 800)
    assert max(map(abs, found["residuals"].values())) < 1e-3


def test_the_chapter_draws_the_model_that_is_fitted():
    m, h, _ = from_chapter("beyond_one_machine", ["m", "h", "levels"], {})
    workers = range(1, 1001)
    for size in (16, 138_488, 3_300_232):
        assert [m(R, size) for R in workers] == [parallel.tasks_of(R, size) for R in workers]
    assert [h(R) for R in workers] == [parallel.path_of(R) for R in workers]


def test_parallel_stops_where_an_engine_trains_another_network():
    net, shards = parallel.NETS["lenet"](), parallel.cut(*step.images("net1", 4), 1)
    compared = {"one 1": parallel.one(copy.deepcopy(net), shards, 0.1)}
    parallel.agree(compared | {"other 1": parallel.one(copy.deepcopy(net), shards, 0.1)})
    compared = {"one 1": parallel.one(copy.deepcopy(net), shards, 0.1)}
    with pytest.raises(AssertionError, match="other 1"):
        parallel.agree(compared | {"other 1": parallel.one(copy.deepcopy(net), shards, 0.2)})


@pytest.mark.skipif(not timing.installed("torch"), reason="PyTorch is not installed")
def test_ddp_does_the_steps_of_training():
    net, (x, t) = parallel.NETS["lenet"](), step.images("net1", 6)
    with ddp.ranks(2) as group:
        compared = {"one 1": parallel.one(copy.deepcopy(net), parallel.cut(x, t, 1), 0.1)}
        compared["ddp 2"] = group(net, parallel.cut(x, t, 2), 0.1)
        parallel.agree(compared)
