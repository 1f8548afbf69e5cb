"""One training step (forward, loss, backward, SGD), float32, one thread: ratios of medians, interleaved runs.

    python benchmarks/step.py                                        # prints
    python benchmarks/step.py --json benchmarks/results/step.json    # and stores

Compared: cnnlib, its batch-first twin (batch_first.py), and, where it is installed, PyTorch (NCHW and
channels_last).
"""

import one_thread  # noqa: F401, I001  (before NumPy)
import argparse
import importlib.util
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
from batch_first import BatchFirst

from cnnlib import SGD, Conv2d, Dense, Flatten, MaxPool2d, ReLU, Sequential, SoftmaxCrossEntropy, training

NETS = {"net1": (1, 28), "net2": (3, 32)}  # channels and side of the images
BATCH, LR = 64, 0.01


def network(name, side=None):
    """net1 or net2 of README.md with float32 parameters; ``side`` makes it fit other square images."""
    channels, usual = NETS[name]
    maps, units = ((6, 16), (120, 84, 10)) if name == "net1" else ((16, 32), (1000, 10))
    after = ((side or usual) - 4) // 2
    after = (after - 4) // 2
    layers, inputs = [], channels
    for i, outputs in enumerate(maps):
        layers += Conv2d(inputs, outputs, 5, rng=i), ReLU(), MaxPool2d(2)
        inputs = outputs
    layers, inputs = [*layers, Flatten()], inputs * after * after
    for i, outputs in enumerate(units):
        layers += Dense(inputs, outputs, rng=10 + i), ReLU()
        inputs = outputs
    return Sequential(*layers[:-1]).astype(np.float32)


def images(name, batch, side=None):
    """Random images (C, H, W, N) and labels."""
    channels, usual = NETS[name]
    rng = np.random.default_rng(0)
    x = rng.random((channels, side or usual, side or usual, batch), dtype=np.float32)
    return x, rng.integers(0, 10, batch)


def stepper(net, x, t):
    """A function that does one step."""
    loss, optimizer = SoftmaxCrossEntropy(), SGD(net, LR)
    return lambda: training.step(net, loss, optimizer, x, t)


def torch_stepper(net, x, t, channels_last):
    """The same network in PyTorch, the same numbers; a function that does one step."""
    import torch

    torch.set_num_threads(1)
    modules = [torch_module(torch, layer) for layer in net.layers]
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = torch.nn.Sequential(*modules).to(memory_format=layout)
    x = torch.from_numpy(batch_first(x)).contiguous(memory_format=layout)
    t, loss = torch.from_numpy(t), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), LR)

    def step():
        optimizer.zero_grad()
        J = loss(model(x), t)
        J.backward()
        optimizer.step()
        return J.item()

    return step


def torch_module(torch, layer):
    """The PyTorch module that computes what ``layer`` does, with copies of its parameters."""
    nn = torch.nn
    simple = {ReLU: nn.ReLU, Flatten: nn.Flatten}
    if type(layer) in simple:
        return simple[type(layer)]()
    if isinstance(layer, MaxPool2d):
        return nn.MaxPool2d(layer.kernel)
    module = (
        nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel)
        if isinstance(layer, Conv2d)
        else nn.Linear(layer.in_features, layer.out_features)
    )
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(layer.params["W"]))
        module.bias.copy_(torch.from_numpy(layer.params["b"]))
    return module


def batch_first(x):
    """(C, H, W, N) -> (N, C, H, W), a copy."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 0))


def steppers(name, batch=BATCH):
    """All that is compared, by name. Their losses must agree, also in the second step, after an update."""
    x, t = images(name, batch)
    net = network(name)
    compared = {"cnnlib": stepper(net, x, t), "batch_first": stepper(BatchFirst(net), batch_first(x), t)}
    if importlib.util.find_spec("torch"):
        compared["torch_nchw"] = torch_stepper(net, x, t, channels_last=False)
        compared["torch_channels_last"] = torch_stepper(net, x, t, channels_last=True)
    for _ in range(2):
        losses = {key: step() for key, step in compared.items()}
        np.testing.assert_allclose(list(losses.values()), losses["cnnlib"], rtol=1e-4, err_msg=str(losses))
    return compared


def race(compared, rounds):
    """Milliseconds of each, by round: in each round every one runs untimed, then timed, in turn."""
    times = {key: [] for key in compared}
    order = list(compared)
    for _ in range(rounds):
        for key in order:
            compared[key]()  # brings its own arrays back into the cache
            start = time.perf_counter()
            compared[key]()
            times[key].append(1000 * (time.perf_counter() - start))
        order = order[1:] + order[:1]
    return times


def summary(times):
    """Medians, minima, and cnnlib's ratios to the others."""
    median = {key: float(np.median(ms)) for key, ms in times.items()}
    least = {key: min(ms) for key, ms in times.items()}
    ratio = {key: median["cnnlib"] / ms for key, ms in median.items() if key != "cnnlib"}
    ratio_of_minima = {key: least["cnnlib"] / ms for key, ms in least.items() if key != "cnnlib"}
    digits = {"median_ms": (median, 2), "min_ms": (least, 2), "ratio": (ratio, 3)}
    digits["ratio_of_minima"] = ratio_of_minima, 3
    return {name: {key: round(x, n) for key, x in values.items()} for name, (values, n) in digits.items()}


def growth(name, rounds, batches, sides):
    """Median ms of a step of cnnlib by batch size, and by the side of the images at batch 64."""
    by_batch = {n: stepper(network(name), *images(name, n)) for n in batches}
    by_side = {n: stepper(network(name, n), *images(name, BATCH, n)) for n in sides}
    return {
        label: {str(n): round(float(np.median(ms)), 2) for n, ms in race(compared, rounds).items()}
        for label, compared in (("batch_ms", by_batch), ("side_ms", by_side))
    }


def machine():
    """What the numbers depend on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), cpu)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    torch = importlib.util.find_spec("torch") and importlib.import_module("torch").__version__
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "torch": torch,
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="store the results in this file")
    parser.add_argument("--rounds", type=int, default=200, help="timed steps of each in the race")
    parser.add_argument("--growth-rounds", type=int, default=15, help="timed steps of each size")
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512, 1024])
    parser.add_argument("--sides", type=int, nargs="+", default=[16, 24, 32, 48, 64])
    options = parser.parse_args(arguments)

    results = {"machine": machine(), "batch": BATCH, "dtype": "float32", "rounds": options.rounds, "nets": {}}
    print(" ".join(f"{key}: {value}" for key, value in results["machine"].items()))
    if not results["machine"]["torch"]:
        print("PyTorch is not installed: no comparison with it (pip install torch)")
    for name in NETS:
        result = summary(race(steppers(name), options.rounds))
        result |= growth(name, options.growth_rounds, options.batches, options.sides)
        results["nets"][name] = result
        for key, ms in result["median_ms"].items():
            ratio = "" if key == "cnnlib" else f"  cnnlib / {key} = {result['ratio'][key]:.2f}"
            ratio += "" if key == "cnnlib" else f" ({result['ratio_of_minima'][key]:.2f} of minima)"
            print(f"{name} {key:20} median {ms:7.2f} ms  min {result['min_ms'][key]:7.2f} ms{ratio}")
        for label, unit in (("batch_ms", "batch"), ("side_ms", "side")):
            print(f"{name} ms by {unit}:", "  ".join(f"{n}: {ms}" for n, ms in result[label].items()))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
