"""Train the networks of the chapter `what_it_learned` from many starts and measure them; writes cnnlib/data/kernels.json.

    python tools/data/measure_kernels.py             everything (half an hour on two cores)
    python tools/data/measure_kernels.py kernels     or "looks", "colours", "rates", "worth": this part only, the others kept

kernels: forty starts, each untrained, trained, and trained twice with shuffled labels; what the chapter measures of each.
looks: of the same starts the first kernels, trained and with shuffled labels (2,000 steps), in thousandths; the scores that gradient
ascent on an image reaches, beside those of the best real digit, how much neighbouring pixels agree in these images, and how many of them the network of
the next start reads alike.
colours: twenty starts on coloured digits: how much of the first kernels is grey, before and after training, and the accuracy.
rates: for each kind of filters and number of steps the accuracy on held-out digits at three learning rates, of four starts.
worth: twenty starts of each kind at the rate that is best there; accuracy on the test digits.

Networks, training and measures are the chapter's own functions, read out of its cells. A test computes parts of it again.
"""

import json
import os
import sys
from functools import cache
from itertools import product
from multiprocessing import Pool

from train_many import ROOT, from_chapter

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import cnnlib
from cnnlib import datasets, training

RESULTS = ROOT / "cnnlib" / "data" / "kernels.json"
NAMES = """relu_network train shares above_0 arm drawings favourites responses purity score_gradients on_ink occlusion forecast
compare climb faint neighbours arrays scaled ridge probe designed_kernels with_filters
colour_network grey""".split()
STARTS, WORTH_STARTS, RATE_STARTS = 40, 20, 4
KINDS = "both learned", "layer 1 designed", "layer 1 random", "both random", "no filters"
STEPS, RATES = (200, 3000), (0.01, 0.03, 0.1)
GUESS = 1 / 10
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


@cache
def chapter():
    """The chapter's functions, by name."""
    world = vars(cnnlib) | {
        "np": np, "product": product, "sliding_window_view": sliding_window_view, "training": training,
    }  # fmt: skip
    from_chapter("what_it_learned", NAMES, world)
    return type("chapter", (), {name: staticmethod(world[name]) for name in NAMES})


@cache
def digits():
    """Training, held-out and test digits: (x, t) of 2,500, of 1,000, of 1,000."""
    x, t, x_test, t_test = datasets.digits()
    return (x[..., :2500], t[:2500]), (x[..., 2500:3500], t[2500:3500]), (x_test, t_test)


def probes(network):
    """For x, a1, a2, a3: the penalty that is best on held-out digits, the share of test digits read right with it."""
    of = chapter()
    (x, t), (x_held, t_held), (x_test, t_test) = digits()
    fit, held, test = (of.arrays(network, part) for part in (x[..., :1000], x_held, x_test))
    found = []
    for F, G, H in zip(fit, held, test):
        right = [np.mean(of.probe(F, t[:1000], G, penalty) == t_held) for penalty in PENALTIES]
        best = PENALTIES[int(np.argmax(right))]
        found.append([best, float(np.mean(of.probe(F, t[:1000], H, best) == t_test))])
    return found


def measured(network):
    """What is measured of a network, as lists of numbers."""
    of = chapter()
    _, _, (x, t) = digits()
    tens = [int(np.argmax(t == k)) for k in range(10)]
    first = [(x[..., n : n + 1], int(t[n])) for n in range(10)]
    agree = [
        of.compare(of.occlusion(network, image, k, step=2), of.forecast(network, image, k, step=2), image)
        for image, k in first
    ]
    return {
        "accuracy": training.accuracy(network, x, t),
        "shares": of.shares(network.layers[0].params["W"]),
        "shares_2": of.shares(network.layers[3].params["W"]).mean(axis=1),
        "above_0": of.above_0(network, x[..., :200]),
        "favourites": of.favourites(network, of.drawings()),
        "purity": [of.purity(values, t) for values in of.responses(network, x)],
        "on_ink": of.on_ink(network, x[..., tens], np.arange(10)).mean(),
        "occlusion": np.mean(agree, axis=0),
    }


def kernels(start):
    """A start: untrained, trained, with shuffled labels at the same rate, and at a tenth of it for ten times as long."""
    of = chapter()
    (x, t), _, _ = digits()
    shuffled = np.random.default_rng([9, start]).permutation(t)
    networks = {
        "untrained": of.relu_network(start),
        "trained": of.train(of.relu_network(start), x, t),
        "shuffled": of.train(of.relu_network(start), x, shuffled),
        "shuffled, awake": of.train(of.relu_network(start), x, shuffled, steps=2000, lr=0.003),
    }
    with np.errstate(all="ignore"):
        found = {name: measured(network) for name, network in networks.items()}
    for name in ("untrained", "trained"):
        found[name]["probes"] = probes(networks[name])
    for n, key in ((0, "moved"), (3, "moved_2")):
        before, after = (networks[name].layers[n].params["W"] for name in ("untrained", "trained"))
        found["trained"][key] = np.linalg.norm(after - before) / np.linalg.norm(before)
    return rounded(found)


def looks(start):
    """A start: its first kernels, trained and with shuffled labels, and what its scores' gradient ascent comes to."""
    of = chapter()
    (x, t), _, (x_test, t_test) = digits()
    untrained, trained, awake = (of.relu_network(start) for _ in range(3))
    of.train(trained, x, t)
    of.train(awake, x, np.random.default_rng([9, start]).permutation(t), steps=2000, lr=0.003)
    other = of.train(of.relu_network((start + 1) % STARTS), x, t)
    found = {
        name: np.rint(1000 * network.layers[0].params["W"]).astype(int).ravel().tolist()
        for name, network in (("trained", trained), ("awake", awake))
    }
    for name, network in (("climb", trained), ("climb, untrained", untrained)):
        images = of.climb(network, of.faint(10), range(10))
        scores = network.forward(x_test)
        found[name] = {
            "reached": np.diag(network.forward(images)),
            "best": [scores[k, t_test == k].max() for k in range(10)],
            "neighbours": of.neighbours(images),
            "read": np.mean(other.forward(images).argmax(axis=0) == np.arange(10)),
        }
    return rounded(found)


@cache
def coloured():
    """Coloured digits around 0: (x, t) of 2,500, (x, t) of the test set."""
    x, t, x_test, t_test = datasets.colour_digits()
    return x[..., :2500] - 0.5, t[:2500], x_test - 0.5, t_test


def colours(start):
    """A start on coloured digits, 400 steps."""
    of, (x, t, x_test, t_test) = chapter(), coloured()
    network = of.colour_network(start)
    before = of.grey(network.layers[0].params["W"])
    of.train(network, x, t, steps=400)
    after, right = of.grey(network.layers[0].params["W"]), training.accuracy(network, x_test, t_test)
    return rounded({"untrained": before, "trained": after, "accuracy": right})


def worth(kind, steps, lr, start, held_out):
    """The accuracy of a network whose first layers are frozen."""
    of = chapter()
    (x, t), held, test = digits()
    network, frozen = of.with_filters(kind, start)
    above = cnnlib.Sequential(*network.layers[frozen:])
    through = cnnlib.Sequential(*network.layers[:frozen]).forward if frozen else lambda images: images
    with np.errstate(all="ignore"):
        try:
            of.train(above, through(x), t, steps=steps, lr=lr)
            x_judge, t_judge = held if held_out else test
            return training.accuracy(above, through(x_judge), t_judge)
        except ValueError:  # scores that are not finite: it has diverged, and reads no more than a guess
            return GUESS


def rounded(value):
    """The same for the file, with numbers of six digits; None for what a silent network leaves undefined."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [rounded(one) for one in value]
    return value if isinstance(value, int) else round(float(value), 6) if np.isfinite(value) else None


def rates(pool, _):
    """{kind: {steps: [accuracy at each rate, mean of four starts]}} on held-out digits."""
    jobs = [
        (kind, steps, lr, start, True)
        for kind in KINDS
        for steps in STEPS
        for lr in RATES
        for start in range(RATE_STARTS)
    ]
    found = np.reshape(
        pool.starmap(worth, jobs, chunksize=1), (len(KINDS), len(STEPS), len(RATES), RATE_STARTS)
    ).mean(axis=-1)
    return {kind: dict(zip(map(str, STEPS), rounded(rows))) for kind, rows in zip(KINDS, found)}


def all_worth(pool, results):
    """{kind: {steps: {"lr": the best rate, "accuracy": one number a start}}} on test digits."""
    found = {kind: {} for kind in KINDS}
    for kind, steps in product(KINDS, STEPS):
        lr = RATES[int(np.argmax(results["rates"][kind][str(steps)]))]
        accuracy = pool.starmap(
            worth, [(kind, steps, lr, start, False) for start in range(WORTH_STARTS)], chunksize=1
        )
        found[kind][str(steps)] = {"lr": lr, "accuracy": rounded(accuracy)}
    return found


PARTS = {
    "kernels": lambda pool, _: pool.map(kernels, range(STARTS), chunksize=1),
    "looks": lambda pool, _: pool.map(looks, range(STARTS), chunksize=1),
    "colours": lambda pool, _: pool.map(colours, range(WORTH_STARTS), chunksize=1),
    "rates": rates,
    "worth": all_worth,
}


def main(names):
    """Compute the parts of these names (all where none is given) and write each into the results once it is done."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    with Pool(int(os.environ.get("CNNLIB_PROCESSES", os.cpu_count()))) as pool:
        for name in names or PARTS:
            results[name] = PARTS[name](pool, results)
            lines = (f' "{part}": {as_text(results[part])}' for part in PARTS if part in results)
            RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
            print(name, "done", flush=True)


def as_text(part):
    """A part of the file: a line for each start or each kind."""
    if isinstance(part, list):
        return "[\n  " + ",\n  ".join(map(json.dumps, part)) + "\n ]"
    return (
        "{\n  "
        + ",\n  ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in part.items())
        + "\n }"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
