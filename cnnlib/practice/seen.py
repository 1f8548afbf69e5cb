"""What can be said of a wrong gradient that no known mistake gives: facts that hold for all its numbers."""

from itertools import permutations

import numpy as np

from .naming import close

WORDS = {
    "N": "example",
    "C": "channel",
    "H": "row",
    "W": "column",
    "O": "output channel",
    "I": "input channel",
}
WORDS_W = WORDS | {"H": "kernel row", "W": "kernel column"}


def describe(gradient, evidence, tolerance):
    """Sentences on (case, user's array) pairs of which at least one is wrong."""
    wrong = [
        (c, mine, c.right(gradient)) for c, mine in evidence if not close(mine, c.right(gradient), tolerance)
    ]
    said = [shapes(gradient, wrong), kinds(wrong), *not_finite(gradient, wrong)]
    if not any(said):
        fitting = [(c, mine, right) for c, mine, right in wrong if mine.shape == right.shape]
        said = [
            factor(fitting, tolerance) or offset(fitting, tolerance) or order(gradient, fitting, tolerance)
        ]
        if not any(said):
            said = places(gradient, fitting, tolerance) or ["no pattern in what is wrong"]
    return [sentence for sentence in said if sentence]


def shapes(gradient, wrong):
    """A sentence on the first shape that is not the right one; empty where all are."""
    for _, mine, right in wrong:
        if mine.shape != right.shape:
            hint = ""
            squeezed = mine.squeeze().shape == right.squeeze().shape
            if squeezed:
                hint = ": axes of size 1 too many or too few"
            elif sorted(mine.shape) == sorted(right.shape):
                hint = ": the same sizes in another order"
            return f"{gradient} has shape {mine.shape}, want {right.shape}{hint}"
    return ""


def kinds(wrong):
    """A sentence on types that are no floats."""
    odd = {str(mine.dtype) for _, mine, _ in wrong if mine.dtype.kind != "f"}
    return f"its numbers are of type {', '.join(sorted(odd))}, want floats" if odd else ""


def not_finite(gradient, wrong):
    """A sentence on NaN and infinity, if there are any."""
    for _, mine, _ in wrong:
        if mine.dtype.kind == "f" and not np.isfinite(mine).all():
            at = tuple(map(int, np.argwhere(~np.isfinite(mine))[0])) if mine.ndim else ()
            count = int((~np.isfinite(mine)).sum())
            yield f"{count} of {mine.size} numbers are NaN or infinite, the first at {at}"
            return


def sizes(case):
    """What a factor may be made of."""
    known = {"N": case.N}
    if hasattr(case, "delta") and case.delta.ndim == 4:
        known["OH OW"] = case.positions
        known |= {"KH KW": int(np.prod(case.kernel)), "O": len(case.delta), "C": len(case.x)}
        known |= {"s s": int(np.prod(case.stride)), "H W": int(np.prod(case.x.shape[1:3]))}
    known |= {"D": len(case.outputs)} if hasattr(case, "outputs") else {}
    return known | ({"K": len(case.scores)} if hasattr(case, "scores") else {})


def factor(wrong, tolerance):
    """Whether all numbers are off by one factor, and whether it is one of the sizes."""
    ratios = []
    for case, mine, right in wrong:
        size = float(np.vdot(right, right))
        ratio = float(np.vdot(right, mine)) / size if size else 0
        if not ratio or not close(mine, ratio * right, tolerance):
            return "all its numbers are zero" if all(not m.any() for _, m, _ in wrong) and wrong else ""
        ratios.append((case, ratio))
    if not ratios:
        return ""
    if max(r for _, r in ratios) - min(r for _, r in ratios) < 1e-6 * abs(ratios[0][1]):
        return f"every number is {ratios[0][1]:.6g} times the right one"
    for name in sizes(ratios[0][0]):
        for text, power in ((f"1/({name})", -1), (name, 1), (f"1/({name})^2", -2)):
            if all(abs(ratio / sizes(case)[name] ** power - 1) < 1e-6 for case, ratio in ratios):
                return f"every number is {text} times the right one"
    listed = ", ".join(f"{ratio:.4g}" for _, ratio in ratios[:4])
    return f"every number is off by one factor, another on each input: {listed}"


def offset(wrong, tolerance):
    """Whether all numbers are off by one number that is added."""
    added = {round(float((mine - right).flat[0]), 6) for _, mine, right in wrong}
    if len(added) != 1 or not all(
        close(mine - right, np.full(right.shape, *added), 1e-6) for _, mine, right in wrong
    ):
        return ""
    return f"every number is {added.pop():.6g} more than the right one"


def order(gradient, wrong, tolerance):
    """Whether they are the right numbers in another order: flipped, transposed, reshaped."""
    if not wrong or not all(
        close(np.sort(mine, None), np.sort(right, None), tolerance) for _, mine, right in wrong
    ):
        return ""
    n, letters = wrong[0][2].ndim, wrong[0][0].letters(gradient)[1]
    words = WORDS_W if gradient == "dW" else WORDS
    for mask in range(1, 2**n):
        axes = tuple(i for i in range(n) if mask >> i & 1)
        if all(close(mine, np.flip(right, axes), tolerance) for _, mine, right in wrong):
            names = " and ".join(f"{words.get(letters[i], letters[i])}s" for i in axes)
            return f"the right numbers, with the order of the {names} reversed"
    for axes in permutations(range(n)):
        moved = [(mine, right.transpose(axes)) for _, mine, right in wrong]
        if axes != tuple(range(n)) and all(close(mine, t, tolerance) for mine, t in moved):
            return f"the right numbers, transposed by {axes}"
        if axes != tuple(range(n)) and all(
            close(mine, t.reshape(mine.shape), tolerance) for mine, t in moved
        ):
            return f"the right numbers, laid out by transpose{axes} and only reshaped from there"
    return "the right numbers, in another order"


def places(gradient, wrong, tolerance):
    """Along which axes the right and the wrong numbers part: one example, every second row, the border."""
    letters, said = wrong[0][0].letters(gradient)[1] if wrong else "", []
    words = WORDS_W if gradient == "dW" else WORDS
    case, mine, right = max(wrong, key=lambda t: (t[2].all(), t[2].size))
    scale = max(float(np.abs(right).max()), 1e-6)
    bad = ~(np.abs(mine - right) <= tolerance * scale)
    for axis, letter in enumerate(letters[: bad.ndim]):
        hit = bad.any(axis=tuple(i for i in range(bad.ndim) if i != axis))
        name, n = words.get(letter, letter), len(hit)
        if hit.all() or n == 1:
            continue
        at = np.flatnonzero(hit).tolist()
        if n > 3 and at in ([0], [n - 1], [0, n - 1]):
            said.append(
                f"right inside, wrong in the {'first and last' if len(at) == 2 else 'first' if at == [0] else 'last'} {name}"
            )
        elif n > 3 and len({i % 2 for i in at}) == 1 and len(at) == len(range(at[0] % 2, n, 2)):
            said.append(f"right in every second {name}, wrong in {name}s {at}")
        elif len(at) == n - 1:
            said.append(f"right for {name} {int(np.flatnonzero(~hit)[0])} only")
        else:
            said.append(f"wrong in {name}s {at} of {n} only")
    if not said and gradient == "dx" and bad.ndim == 4:
        rows, cols = letters.index("H"), letters.index("W")
        inner = [slice(None)] * 4
        inner[rows] = inner[cols] = slice(1, -1)
        if bad[tuple(inner)].size and not bad[tuple(inner)].any():
            said.append("right inside, wrong at the border")
    if said:
        said.append(f"seen with {case}")
    return said
