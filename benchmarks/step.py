"""One training step (forward, loss, backward, SGD), float32, one thread: ratios of medians, interleaved runs.

    python benchmarks/step.py                                        # prints
    python benchmarks/step.py --json benchmarks/results/step.json    # and stores
    python benchmarks/step.py --processor-time                       # on a machine that other programs keep busy

Compared: cnnlib, its batch-first twin (batch_first.py), and, where they are installed, PyTorch (NCHW and
channels_last), jax (compiled) and tinygrad (others.py); by batch and by side of the images cnnlib and PyTorch's two
layouts. Then the floor (floor.py), and the same races with two threads, in a process of their own.
"""

import threads  # noqa: F401, I001  (before NumPy)
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import floor
import numpy as np
import others
import timing
from batch_first import BatchFirst

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

NETS = {"net1": (1, 28), "net1_sigmoid": (1, 28), "net2": (3, 32)}  # channels and side of the images
GROWTH = "cnnlib", "torch_nchw", "torch_channels_last"  # compared by batch and by side
BATCH, LR = 64, 0.01


def network(name, side=None):
    """A network of README.md with float32 parameters; ``side`` makes it fit other square images."""
    channels, usual = NETS[name]
    activation = Sigmoid if name == "net1_sigmoid" else ReLU
    maps, units = ((16, 32), (1000, 10)) if name == "net2" else ((6, 16), (120, 84, 10))
    after = ((side or usual) - 4) // 2
    after = (after - 4) // 2
    layers, inputs = [], channels
    for i, outputs in enumerate(maps):
        layers += Conv2d(inputs, outputs, 5, rng=i), activation(), MaxPool2d(2)
        inputs = outputs
    layers, inputs = [*layers, Flatten()], inputs * after * after
    for i, outputs in enumerate(units):
        layers += Dense(inputs, outputs, rng=10 + i), activation()
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


def contenders(net, x, t, only=None):
    """A step of each that is compared, by name, ``only`` of these. Their losses must agree in three steps of training."""
    compared = {"cnnlib": lambda: stepper(net, x, t)}
    compared["batch_first"] = lambda: stepper(BatchFirst(net), others.batch_first(x), t)
    compared |= others.makers(net, x, t, LR)
    compared = {key: make() for key, make in compared.items() if only is None or key in only}
    for _ in range(3):
        losses = {key: step() for key, step in compared.items()}
        np.testing.assert_allclose(list(losses.values()), losses["cnnlib"], rtol=1e-4, err_msg=str(losses))
    return compared


def steppers(name, batch=BATCH, side=None, only=None):
    """``contenders`` of a network of README.md."""
    return contenders(network(name, side), *images(name, batch, side), only)


def growth(name, rounds, batches, sides, only=GROWTH, clock=time.perf_counter):
    """A summary for each batch size, and for each side of the images at batch 64."""
    sizes = {"by_batch": [(n, None) for n in batches], "by_side": [(BATCH, n) for n in sides]}
    return {
        label: {
            str(side or batch): timing.summary(timing.race(steppers(name, batch, side, only), rounds, clock))
            for batch, side in pairs
        }
        for label, pairs in sizes.items()
    }


def races(rounds, clock):
    """A summary for each network; printed."""
    found = {}
    for name in NETS:
        found[name] = result = timing.summary(timing.race(steppers(name), rounds, clock))
        for key, ms in result["median_ms"].items():
            line = f"{name} {key:20} median {ms:7.2f} ms  min {result['min_ms'][key]:7.2f} ms"
            if key != "cnnlib":
                line += f"  cnnlib / {key} = {result['ratio'][key]:.2f}"
                line += f" ({result['ratio_of_minima'][key]:.2f} of minima)"
            print(line, flush=True)
    return found


def races_with(count, rounds):
    """The races with so many threads, in a process that starts with them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "races.json"
        command = [sys.executable, __file__, "--races", "--rounds", str(rounds), "--json", str(path)]
        subprocess.run(command, check=True, env=os.environ | {"THREADS": str(count)})
        return json.loads(path.read_text(encoding="utf-8"))["nets"]


def print_growth(name, result):
    """By batch and by side: ms of cnnlib, its ratios to the others, and where an other is faster."""
    for label, unit in (("by_batch", "batch"), ("by_side", "side")):
        for n, found in result[label].items():
            line = f"{name} {unit} {n:>4}: cnnlib {found['median_ms']['cnnlib']:7.2f} ms"
            for key, ratio in found["ratio"].items():
                least = found["ratio_of_minima"][key]
                wins = "  " + key + " wins" if min(ratio, least) > 1 else ""
                line += f"  / {key} {ratio:.2f} ({least:.2f}){wins}"
            print(line)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="store the results in this file")
    parser.add_argument("--rounds", type=int, default=200, help="timed steps of each in the race")
    parser.add_argument("--growth-rounds", type=int, default=15, help="timed steps of each size")
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512, 1024])
    parser.add_argument("--sides", type=int, nargs="+", default=[16, 24, 32, 48, 64])
    parser.add_argument("--threads", type=int, nargs="*", default=[2], help="the races with so many, too")
    parser.add_argument("--squares", type=int, nargs="+", default=[512, 768, 1024], help="for the peak")
    parser.add_argument("--memory-mb", type=int, default=128, help="an array that no cache holds")
    parser.add_argument(
        "--processor-time", action="store_true", help="of the process, where it has one thread"
    )
    parser.add_argument("--races", action="store_true", help="nothing but the races")
    options = parser.parse_args(arguments)

    results = {
        "machine": timing.print_machine(),
        "batch": BATCH,
        "dtype": "float32",
        "rounds": options.rounds,
    }
    clock = time.process_time if options.processor_time else time.perf_counter
    results["clock"] = clock.__name__
    results["nets"] = races(options.rounds, clock)
    if not options.races:
        results["limits"] = floor.limits(options.squares, options.memory_mb, options.growth_rounds, clock)
        print(
            "{peak_gmul_s} 10^9 multiplications a second, {bandwidth_gb_s} GB/s".format(**results["limits"])
        )
        for name, result in results["nets"].items():
            shape = images(name, BATCH)[0].shape
            under = floor.floor(network(name), shape, results["limits"], result)
            print("{} floor: {ms} ms, products {products_ms} + bytes {bytes_ms}".format(name, **under))
            for key, times in under["times"].items():
                print(f"{name} {key} is {times} times the floor ({under['times_of_minima'][key]} of minima)")
            result["floor"] = under
            result |= growth(name, options.growth_rounds, options.batches, options.sides, clock=clock)
            print_growth(name, result)
        results["threads"] = {str(n): races_with(n, options.rounds) for n in options.threads}
    if options.json:
        timing.store(options.json, results)


if __name__ == "__main__":
    main()
