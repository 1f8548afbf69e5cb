"""Train the networks of the chapter `lenet` that are too slow for it; writes cnnlib/data/lenet.json.

    python tools/data/train_lenet.py                 all runs (about ten minutes on one core; MNIST from CNNLIB_MNIST_DIR or the cache)
    python tools/data/train_lenet.py sigmoid_he ...  these runs only, the others kept

The networks are built by the chapter's own functions, read out of its cells. Each run is a dict of settings; its history
(mean loss and test accuracy of each epoch, loss of the first steps) stands beside it in the file. A test trains the
first steps of every run again and compares.
"""

import ast
import json
import sys
from pathlib import Path

import numpy as np

import cnnlib
from cnnlib import SGD, MaxPool2d, SoftmaxCrossEntropy, datasets, training

CHAPTER = Path(__file__).parents[2] / "book" / "lenet.ipynb"
RESULTS = Path(__file__).parents[2] / "cnnlib" / "data" / "lenet.json"
FIRST_STEPS = 40

DIGITS = dict(network="S", data="digits", dtype="float64", batch_size=50, epochs=10, lr=0.1, momentum=0.0)
FULL = DIGITS | dict(data="mnist", dtype="float32", epochs=5)
RUNS = {
    "sigmoid_usual": DIGITS | dict(activation="Sigmoid", gain=1.0),
    "sigmoid_wide": DIGITS | dict(activation="Sigmoid", gain=4.0),
    "relu": DIGITS | dict(activation="ReLU", gain=None),
    "wrong_pool": DIGITS | dict(activation="Sigmoid", gain=4.0, momentum=0.9, epochs=5, pool="ToAll"),
    "sigmoid_full": FULL | dict(activation="Sigmoid", gain=4.0, momentum=0.9),
    "relu_full": FULL | dict(activation="ReLU", gain=None),
    "colour": FULL | dict(network="Z", data="colour_digits", epochs=10, activation="ReLU", gain=None),
}


class ToAll(MaxPool2d):
    """Max pooling with a wrong backward pass: the delta goes to all pixels of the window."""

    def backward(self, delta):
        """The delta, repeated."""
        super().backward(delta)
        return delta.repeat(2, axis=1).repeat(2, axis=2)


def from_chapter(names, world):
    """The functions of these names, as the chapter defines them, in a ``world`` of names that they use."""
    cells = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
    codes = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    found = [node for code in codes for node in code.body if getattr(node, "name", None) in names]
    if sorted(node.name for node in found) != sorted(names):
        raise ValueError(f"{CHAPTER} defines {[node.name for node in found]}, want each once of {names}")
    exec(compile(ast.Module(found, []), CHAPTER, "exec"), world)
    return [world[name] for name in names]


def build(network, activation, gain, dtype, pool="MaxPool2d"):
    """S's network (S27) or Z's (Z15). ``gain`` None: He's initialisation; a number: that times Xavier's deviation."""
    world = vars(cnnlib) | {"np": np, "MaxPool2d": {"MaxPool2d": MaxPool2d, "ToAll": ToAll}[pool]}
    s_network, z_network, xavier = from_chapter(["s_network", "z_network", "xavier"], world)
    if network == "Z":
        if (activation, gain) != ("ReLU", None):
            raise ValueError(f"Z's network: got {activation}, gain {gain}, want ReLU and He's initialisation")
        return z_network(np.random.default_rng(0)).astype(dtype)
    init = xavier(gain) if gain is not None else lambda fan_in, fan_out: "he"
    return s_network(getattr(cnnlib, activation), init, np.random.default_rng(0)).astype(dtype)


def load(data, dtype):
    """(x_train, t_train, x_test, t_test) as ``dtype``."""
    x, t, x_test, t_test = getattr(datasets, data)()
    return x.astype(dtype), t, x_test.astype(dtype), t_test


def start(settings):
    """Network, loss, optimiser and generator of a run, as they are before its first step."""
    architecture = ("network", "activation", "gain", "dtype", "pool")
    network = build(**{key: settings[key] for key in architecture if key in settings})
    optimizer = SGD(network, settings["lr"], momentum=settings["momentum"])
    return network, SoftmaxCrossEntropy(), optimizer, np.random.default_rng(1)


def run(settings):
    """The history of a run."""
    x, t, x_test, t_test = load(settings["data"], settings["dtype"])
    network, loss, optimizer, rng = start(settings)
    history = {"loss": [], "accuracy": [], "first_steps": []}
    for _ in range(settings["epochs"]):
        epoch = training.fit(
            network, loss, optimizer, x, t, epochs=1, batch_size=settings["batch_size"], rng=rng
        )
        history["loss"] += np.round(epoch["loss"], 6).tolist()
        history["accuracy"].append(round(training.accuracy(network, x_test, t_test), 6))
        history["first_steps"] = (
            history["first_steps"] or np.round(epoch["batch_loss"][:FIRST_STEPS], 9).tolist()
        )
    return history


def main(names):
    """Train the runs of these names (all where none is given) and write them into the results."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in names or RUNS:
        history = run(RUNS[name])
        results[name] = {"settings": RUNS[name], "history": history}
        print(
            f"{name}: {history['accuracy'][-1]:.2%} of the test digits after {RUNS[name]['epochs']} epochs",
            flush=True,
        )
        RESULTS.write_text(
            json.dumps({key: results[key] for key in RUNS if key in results}, indent=1) + "\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main(sys.argv[1:])
