"""Train the networks of the book from many starts; writes cnnlib/data/starts.json.

    OPENBLAS_NUM_THREADS=1 python tools/data/train_many.py      all experiments (an hour on two cores; MNIST from CNNLIB_MNIST_DIR or the cache)
    python tools/data/train_many.py plateau_relu ...            these only, the others kept
    python tools/data/train_many.py --list                      their names, with the number of starts

What a chapter says of training rests on these runs: each experiment is trained from 20 starts, which differ in the weights and in
the order of the examples, and no start is left out. The networks are built by the chapters' own functions, read out of
their cells. Wherever something is chosen, the accuracy is that of examples held out of the training set; the test set is read
once, after the last step of runs in which nothing is chosen any more. A test trains the first steps of every experiment again.
"""

import ast
import json
import os
import sys
from functools import cache
from multiprocessing import Pool
from pathlib import Path

import numpy as np

import cnnlib
from cnnlib import SGD, SoftmaxCrossEntropy, datasets, training

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "cnnlib" / "data" / "starts.json"
FIRST_STEPS = 20

LENET = dict(
    network="lenet", data="digits", held_out=1000, dtype="float32", starts=20, batch_size=50, epochs=20,
    lr=0.1, to_zero=False, momentum=0.0, weight_decay=0.0,
)  # fmt: skip
RELU, USUAL, WIDE = (
    {"activation": f, "gain": g} for f, g in (("ReLU", None), ("Sigmoid", 1), ("Sigmoid", 4))
)
CHOOSE = LENET | {"momentum": 0.9, "epochs": 6}
MNIST = LENET | RELU | {"data": "mnist", "held_out": 5000, "momentum": 0.9, "lr": 0.03, "batch_size": 64}
SIZES, RATES = (4, 16, 64, 256, 1000), (0.01, 0.03, 0.1, 0.3, 1.0)

EXPERIMENTS = {
    "plateau_usual": LENET | USUAL,
    "plateau_wide": LENET | WIDE,
    "plateau_relu": LENET | RELU,
    **{f"choose_sigmoid_{lr}": CHOOSE | WIDE | {"lr": lr} for lr in (0.01, 0.03, 0.1, 0.3)},
    **{f"choose_relu_{lr}": CHOOSE | RELU | {"lr": lr} for lr in (0.003, 0.01, 0.03, 0.1)},
    **{
        f"batch_{size}_{lr}": LENET
        | RELU
        | {"batch_size": size, "lr": lr, "epochs": 6, "every": max(500, size)}
        for size in SIZES
        for lr in RATES
    },
    "colour": LENET | RELU | {"network": "colour_lenet", "data": "colour_digits", "epochs": 10},
    **{
        f"choose_mnist_{lr}": MNIST | {"lr": lr, "to_zero": True, "epochs": 6, "starts": 4}
        for lr in (0.01, 0.03, 0.1)
    },
    "choose_mnist_decay": MNIST | {"to_zero": True, "epochs": 6, "starts": 4, "weight_decay": 5e-4},
    "mnist_constant": MNIST | {"epochs": 12},
    "mnist_to_zero": MNIST | {"to_zero": True, "epochs": 6},
    "mnist": MNIST | {"to_zero": True, "weight_decay": 5e-4, "epochs": 12, "held_out": 0},
}


def from_chapter(chapter, names, world):
    """The functions of these names, as the chapter defines them, in a ``world`` of names that they use."""
    path = ROOT / "book" / f"{chapter}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    codes = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    found = [node for code in codes for node in code.body if getattr(node, "name", None) in names]
    if sorted(node.name for node in found) != sorted(names):
        raise ValueError(f"{path} defines {[node.name for node in found]}, want each once of {names}")
    exec(compile(ast.Module(found, []), path, "exec"), world)
    return [world[name] for name in names]


def build(settings, start):
    """The network of these settings with the weights of this start. ``gain`` None: He's initialisation; a number: that
    times Xavier's deviation."""
    lenet, colour_lenet, xavier = from_chapter(
        "lenet", ["lenet", "colour_lenet", "xavier"], vars(cnnlib) | {"np": np}
    )
    activation, gain, rng = settings["activation"], settings["gain"], np.random.default_rng(start)
    if settings["network"] == "colour_lenet":
        if (activation, gain) != ("ReLU", None):
            raise ValueError(
                f"colour_lenet: got {activation}, gain {gain}, want ReLU and He's initialisation"
            )
        return colour_lenet(rng).astype(settings["dtype"])
    init = xavier(gain) if gain is not None else lambda fan_in, fan_out: "he"
    return lenet(getattr(cnnlib, activation), init, rng).astype(settings["dtype"])


@cache
def load(data, dtype, held_out):
    """(x, t) to train on, (x, t) to judge by: the last ``held_out`` of the training set, or the test set where that is 0."""
    x, t, x_test, t_test = getattr(datasets, data)()
    x, x_test, learned = x.astype(dtype), x_test.astype(dtype), len(t) - held_out
    return x[..., :learned], t[:learned], *((x[..., learned:], t[learned:]) if held_out else (x_test, t_test))


def steps(settings, network, x, t, rng):
    """Train; yields (examples seen, loss of the batch before its step) after each step."""
    loss, size = SoftmaxCrossEntropy(), settings["batch_size"]
    optimizer = SGD(
        network, settings["lr"], momentum=settings["momentum"], weight_decay=settings["weight_decay"]
    )
    seen, total = 0, settings["epochs"] * len(t)
    for _ in range(settings["epochs"]):
        order = rng.permutation(len(t))
        x_now, t_now = x[..., order], t[order]
        for k in range(0, len(t), size):
            if settings["to_zero"]:
                optimizer.lr = settings["lr"] * (1 - seen / total)
            part = slice(k, k + size)
            J = training.step(network, loss, optimizer, x_now[..., part], t_now[part])
            seen += len(t_now[part])
            yield seen, J


def run(settings, start):
    """What is stored of a run: mean loss of each epoch, accuracy on the examples to judge by after each epoch (where these
    are the test set, after the last one only), the losses of the first steps; with ``every``, the loss on the held-out
    examples and what was seen by then, each so many examples, in place of the first."""
    x, t, x_judge, t_judge = load(settings["data"], settings["dtype"], settings["held_out"])
    network, rng, judge = build(settings, start), np.random.default_rng([1, start]), SoftmaxCrossEntropy()
    first, losses, history = [], [], {"loss": [], "accuracy": []}
    due = settings.get("every")

    def held_out_loss():
        with np.errstate(all="ignore"):
            return as_number(judge.forward(network.forward(x_judge), t_judge), 4)

    if due:
        history = {"seen": [0], "held_out_loss": [held_out_loss()], "accuracy": []}
    try:
        for seen, J in steps(settings, network, x, t, rng):
            first += [as_number(J, 7)] * (len(first) < FIRST_STEPS)
            losses.append(J)
            if due and seen >= due * len(history["held_out_loss"]):
                history["seen"].append(seen)
                history["held_out_loss"].append(held_out_loss())
            if seen % len(t) == 0:
                if not due:
                    history["loss"].append(as_number(np.mean(losses), 4))
                losses = []
                if settings["held_out"] or seen == settings["epochs"] * len(t):
                    history["accuracy"].append(as_number(training.accuracy(network, x_judge, t_judge), 4))
    except (
        ValueError,
        FloatingPointError,
    ):  # scores that are not finite: the run has diverged, and ends here
        history["diverged"] = True
    return history | {"first_steps": first}


def as_number(value, digits):
    """A float for the file, None for what is not finite."""
    return round(float(value), digits) if np.isfinite(value) else None


def job(arguments):
    """A run, by name and start: what a process of the pool does."""
    name, start = arguments
    with np.errstate(all="ignore"):
        return name, start, run(EXPERIMENTS[name], start)


def main(names):
    """Train the experiments of these names (all where none is given) and write each into the results once it is done."""
    if names == ["--list"]:
        return print(*(f"{name}: {settings['starts']}" for name, settings in EXPERIMENTS.items()), sep="\n")
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in names or EXPERIMENTS:
        starts = range(EXPERIMENTS[name]["starts"])
        with Pool(int(os.environ.get("CNNLIB_PROCESSES", os.cpu_count()))) as pool:
            runs = [
                history for _, _, history in pool.map(job, [(name, start) for start in starts], chunksize=1)
            ]
        results[name] = {"settings": EXPERIMENTS[name], "runs": runs}
        ordered = {key: results[key] for key in EXPERIMENTS if key in results}
        RESULTS.write_text(as_text(ordered), encoding="utf-8")
        print(
            name,
            [(history.get("accuracy") or history.get("held_out_loss"))[-1:] for history in runs],
            flush=True,
        )


def as_text(results):
    """The file's text: a line for each run."""
    blocks = []
    for name, result in results.items():
        lines = ",\n   ".join(json.dumps(history) for history in result["runs"])
        blocks.append(
            f' "{name}": {{\n  "settings": {json.dumps(result["settings"])},\n  "runs": [\n   {lines}\n  ]\n }}'
        )
    return "{\n" + ",\n".join(blocks) + "\n}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
