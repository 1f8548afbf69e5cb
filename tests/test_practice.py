"""practice: the catalogue of mistakes, and diagnose, which must name each of them and never a wrong one."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import identical

import cnnlib
from cnnlib import practice
from cnnlib.practice import convolution
from cnnlib.practice.cases import ARGUMENTS, RETURNS, WINDOWS, Case, cases
from cnnlib.practice.mistakes import UNSEEN, Form, simulate
from cnnlib.practice.subject import axes_of

ROOT = Path(__file__).resolve().parents[1]
LAYOUTS = "NCHW", "NHWC", "CHWN"
CATALOGUE = practice.catalogue()


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def case_of(of, layout, arguments):
    """The arguments of a user's function, as a case of the library."""
    probe, values = Case(of, axes_of(of, layout)), {}
    for name, value in zip(ARGUMENTS[of].split(), arguments, strict=True):
        if isinstance(value, np.ndarray):
            values[name] = value if name == "labels" else probe.from_user(name, value)
        else:
            values[name] = pair(value)
    if of == "conv1d":
        values["stride"], values["padding"] = (1, values["stride"][1]), (0, values["padding"][1])
    if of == "dense":
        values |= dict(stride=(1, 1), padding=(0, 0))
    if "W" in values:
        values["kernel"] = values["W"].shape[2:]
    return Case(of, probe.axes, **values)


def with_mistakes(of, layout, *made):
    """A backward pass with these forms of mistakes, as a user's function; it raises where they give no array."""

    def backward(*arguments):
        case = case_of(of, layout, arguments)
        found = [
            simulate(case, gradient, [form for form in made if fits(form, of, gradient)])
            for gradient in RETURNS[of].split()
        ]
        if any(gradient is None for gradient in found):
            raise ValueError("these do not fit")
        return tuple(found)

    return backward


def fits(form, of, gradient):
    return any(f[1] is form.function and of in f[2] and gradient in f[3] for f in form.mistake.forms)


def forms_of(of):
    return [
        Form(entry, step, function)
        for entry in practice.catalogue(of).values()
        for step, function, layers, _ in entry.forms
        if of in layers and step not in UNSEEN
    ]


def names(report):
    return [m.name for m in report.mistakes]


# ---- right ones ------------------------------------------------------------------------------------------


def library(of, layout):
    """cnnlib's own layer as a user's function."""

    def backward(*arguments):
        case = case_of(of, layout, arguments)
        out = lambda name, value: case.to_user(name, value)  # noqa: E731
        if of in WINDOWS or "pool" in of:
            learns, one = of in WINDOWS, of == "conv1d"
            cut = {"conv1d": lambda a: a[:, 0], "dense": lambda a: a[:, 0, 0]}.get(of, lambda a: a)
            kernel, stride, padding = (p[1] if one else p for p in (case.kernel, case.stride, case.padding))
            if of == "dense":
                layer = cnnlib.Dense(case.W.shape[1], len(case.W))
                layer.params["W"] = case.W[:, :, 0, 0]
            elif learns:
                cls = cnnlib.Conv1d if one else cnnlib.Conv2d
                layer = cls(case.W.shape[1], len(case.W), kernel, stride=stride, padding=padding)
                layer.params["W"] = case.W[:, :, 0] if one else case.W
            else:
                cls = cnnlib.MaxPool2d if of.startswith("max") else cnnlib.AvgPool2d
                layer = cls(kernel, stride=stride, padding=padding)
            layer.forward(cut(case.x))
            dx = layer.backward(cut(case.delta)).reshape(case.x.shape)
            if not learns:
                return out("dx", dx)
            return out("dx", dx), out("dW", layer.grads["W"].reshape(case.W.shape)), layer.grads["b"]
        if of in ("relu", "sigmoid", "tanh"):
            layer = {"relu": cnnlib.ReLU, "sigmoid": cnnlib.Sigmoid, "tanh": cnnlib.Tanh}[of]()
            layer.forward(case.x)
            return out("dx", layer.backward(case.delta))
        loss = cnnlib.SoftmaxCrossEntropy() if of.startswith("soft") else cnnlib.SquaredError()
        loss.forward(*(vars(case)[name] for name in ARGUMENTS[of].split()))
        return out(RETURNS[of], loss.backward())

    return backward


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("of", [of for of in ARGUMENTS if of != "sgd"])
def test_the_layers_of_the_library_are_right_in_every_layout(of, layout):
    report = practice.diagnose(library(of, layout), of, layout, pairs=of != "conv1d")
    assert report.ok and not report.mistakes and not report.notes and not report.failed, str(report)
    assert all(error < 1e-12 for error in report.errors.values())


@pytest.mark.parametrize("of", ["max_pool2d", "avg_pool2d", "relu", "sigmoid", "tanh"])
def test_classes_of_the_library_are_right(of):
    cls = dict(max_pool2d="MaxPool2d", avg_pool2d="AvgPool2d", relu="ReLU", sigmoid="Sigmoid", tanh="Tanh")[
        of
    ]
    assert practice.diagnose(getattr(cnnlib, cls), of, "CHWN").ok


@pytest.mark.parametrize("of, cls", [("conv2d", "Conv2d"), ("conv1d", "Conv1d"), ("dense", "Dense")])
def test_classes_that_learn_are_right(of, cls):
    assert practice.diagnose(getattr(cnnlib, cls), of, "CHWN").ok


def test_sgd_of_the_library_is_right():
    def step(W, b, dW, db, lr, momentum, weight_decay, state):
        if "net" not in state:
            state["net"] = cnnlib.Sequential(cnnlib.Dense(2, 3))
            state["net"].layers[0].params.update(W=W.copy(), b=b.copy())
            state["sgd"] = cnnlib.SGD(state["net"], lr, momentum=momentum, weight_decay=weight_decay)
        layer, state["sgd"].lr = state["net"].layers[0], lr
        layer.grads.update(W=dW, b=db)
        state["sgd"].step()
        return layer.params["W"].copy(), layer.params["b"].copy()

    assert practice.diagnose(step, "sgd").ok


def test_autograd_is_right_in_every_layout():
    torch = pytest.importorskip("torch", reason="PyTorch, which judges here, is not installed")
    torch.set_num_threads(1)
    functional = torch.nn.functional

    def gradients(y, delta, *tensors):
        y.backward(delta)
        return [tensor.grad for tensor in tensors]

    def conv(x, W, b, delta, stride, padding):
        x, W, b = (torch.tensor(a, requires_grad=True) for a in (x, W, b))
        return tuple(gradients(functional.conv2d(x, W, b, stride, padding), torch.tensor(delta), x, W, b))

    def conv_last(x, W, b, delta, stride, padding):
        x, W, b = (torch.tensor(a, requires_grad=True) for a in (x, W, b))
        y = functional.conv2d(x.permute(0, 3, 1, 2), W.permute(3, 2, 0, 1), b, stride, padding)
        return tuple(gradients(y.permute(0, 2, 3, 1), torch.tensor(delta), x, W, b))

    def pool(x, kernel, delta, stride, padding):
        x = torch.tensor(x, requires_grad=True)
        return gradients(functional.max_pool2d(x, kernel, stride, padding), torch.tensor(delta), x)[0]

    def loss(scores, labels):
        scores = torch.tensor(scores, requires_grad=True)
        return gradients(functional.cross_entropy(scores, torch.tensor(labels)), None, scores)[0]

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, W, b, stride, padding):
            ctx.save_for_backward(x, W)
            ctx.sizes = stride, padding
            return functional.conv2d(x, W, b, stride, padding)

        @staticmethod
        def backward(ctx, delta):
            (x, W), (stride, padding) = ctx.saved_tensors, ctx.sizes
            dx = torch.nn.grad.conv2d_input(x.shape, W.flip(2, 3), delta, stride, padding)
            dW = torch.nn.grad.conv2d_weight(x, W.shape, delta, stride, padding)
            return dx, dW, delta.sum((0, 2, 3)), None, None

    assert practice.diagnose(conv, "conv2d", "NCHW", pairs=True).ok
    assert practice.diagnose(conv_last, "conv2d", "NHWC", pairs=True).ok
    assert practice.diagnose(pool, "max_pool2d").ok
    assert practice.diagnose(loss, "softmax_cross_entropy").ok
    assert names(practice.diagnose(Wrong, "conv2d")) == ["kernel not rotated"]


# ---- the catalogue ---------------------------------------------------------------------------------------


def headings(chapter):
    cells = json.loads((ROOT / "book" / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"-+", "-", re.sub(r"[^\w]+", "-", title.lower())).strip("-") for title in titles}


def test_each_mistake_says_what_it_is_and_where_to_read():
    assert len(CATALOGUE) > 100
    sections = {m.section for m in CATALOGUE.values()}
    known = {chapter: headings(chapter) for chapter in {section.partition("#")[0] for section in sections}}
    for section in sections:
        chapter, _, title = section.partition("#")
        assert title in known[chapter], section
    for name, m in CATALOGUE.items():
        assert m.name == name and set(m.layers) <= set(ARGUMENTS) and m.gradients
        assert len(inspect.getsource(m.lines).splitlines()) < 20
        assert m.text.endswith(".") and 20 < len(m.text) < 160, name


@pytest.mark.parametrize("of", ["conv2d", "conv1d"])
def test_what_scatters_and_what_gathers_is_one_gradient(of):
    """Mistakes are made in both, so both must be right without any."""
    gathered = Form(CATALOGUE["zeros between the deltas missing"], "between", convolution.between)
    for case in cases(of, axes_of(of, "NCHW"), pairs=True):
        np.testing.assert_allclose(simulate(case, "dx", [gathered]), case.right("dx"), atol=1e-12)


@pytest.mark.parametrize("of", [of for of in ARGUMENTS if of != "sgd"])
def test_each_mistake_is_named_as_itself(of):
    shown, tried = set(), forms_of(of)
    for at, form in enumerate(tried[::3] if of == "conv1d" else tried):  # whose lines are those of conv2d
        layout = LAYOUTS[at % 3]
        report = practice.diagnose(with_mistakes(of, layout, form), of, layout)
        if not report.ok:  # in some layouts some lines are right
            assert names(report) == [form.mistake.name], (of, layout, form, str(report))
            shown.add(form.mistake.name)
    hidden = (
        {form.mistake.name for form in tried[::3]} - shown
        if of == "conv1d"
        else set(practice.catalogue(of)) - shown
    )
    assert all(step in UNSEEN for n in hidden for step, *_ in CATALOGUE[n].forms), hidden


@pytest.mark.parametrize("entry", practice.catalogue("sgd").values(), ids=practice.catalogue("sgd"))
def test_each_mistake_in_sgd_is_named_as_itself(entry):
    _, function, *_ = entry.forms[0]
    form = Form(entry, entry.forms[0][0], function)
    judged = [
        [simulate(case, g, [form]) if fits(form, "sgd", g) else case.right(g) for g in ("W", "b")]
        for case in cases("sgd", axes_of("sgd", "NCHW"))
    ]
    walk = iter(
        [end for end, case in zip(judged, cases("sgd", {"x": "NC", "W": "OI", "b": "O"})) for _ in case.rates]
    )
    first = judged[0]

    def step(*arguments):
        return next(walk, first)

    assert names(practice.diagnose(step, "sgd")) == [entry.name]


@pytest.mark.parametrize(
    "of, count",
    [("conv2d", 6), ("conv1d", 2), ("dense", 8), ("max_pool2d", 6), ("softmax_cross_entropy", 8)],
)
def test_pairs_of_mistakes_are_named_as_pairs(of, count):
    rng, done = np.random.default_rng(1), 0
    possible = forms_of(of)
    while done < count:
        one, other = (possible[i] for i in rng.choice(len(possible), 2, replace=False))
        report = practice.diagnose(with_mistakes(of, "NCHW", one, other), of)
        if one.mistake is other.mistake or not report.findings:
            continue
        made = {one.mistake.name, other.mistake.name}
        for finding in report.findings:
            assert finding.alternatives, (made, str(report))
            found = [{m.name for m in each} for each in finding.alternatives]
            # All that fit reproduce the numbers: that the pair, or one of it where it alone spoils this one, is among
            # them, or a single mistake that gives what the two together give.
            assert any(each <= made for each in found) or any(len(each) == 1 for each in found), (made, found)
        done += 1


def corrupted(rng, gradient):
    """A gradient spoilt in a way that no mistake has."""
    bad = np.array(gradient, dtype=float)
    kind = rng.integers(5)
    if kind == 0:
        return bad + rng.standard_normal(bad.shape)
    if kind == 1:
        return bad * rng.uniform(1.1, 1.9)
    if kind == 2:
        return bad * rng.uniform(0.5, 1.5, bad.shape)
    if kind == 3:
        return bad**3
    bad.flat[rng.integers(bad.size)] += 1
    return bad


HUNDRED = dict(conv2d=4, conv1d=2, dense=18, max_pool2d=6, avg_pool2d=6, relu=14, sigmoid=14, tanh=14)
HUNDRED |= dict(softmax_cross_entropy=19, squared_error=19)


@pytest.mark.parametrize("of", HUNDRED)
def test_a_hundred_random_corruptions_are_never_given_a_name(of):
    for seed in range(HUNDRED[of]):
        which = RETURNS[of].split()[seed % len(RETURNS[of].split())]

        def backward(*arguments, seed=seed, which=which):
            case = case_of(of, "NCHW", arguments)
            found = {gradient: case.right(gradient) for gradient in RETURNS[of].split()}
            found[which] = corrupted(np.random.default_rng(seed), found[which])
            return tuple(found.values())

        report = practice.diagnose(backward, of)
        assert not report.ok and not report.mistakes, str(report)
        assert report.findings[0].gradient == which and report.findings[0].seen


# ---- what is seen where no mistake fits --------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda dx: 0.37 * dx, "every number is 0.37 times the right one"),
        (lambda dx: dx / dx.shape[1] ** 2, "every number is"),
        (lambda dx: dx[..., ::-1], "the order of the columns reversed"),
        (lambda dx: dx.swapaxes(2, 3).reshape(dx.shape), "only reshaped from there"),
        (lambda dx: np.where(np.arange(dx.shape[2])[:, None] % 2, dx + 1, dx), "right in every second row"),
        (
            lambda dx: np.where(np.arange(len(dx))[:, None, None, None] > 0, dx + 1, dx),
            "right for example 0 only",
        ),
        (
            lambda dx: np.where(np.arange(dx.shape[3]) == 0, dx + 1, dx),
            "right inside, wrong in the first column",
        ),
        (lambda dx: np.where(dx > 1, np.nan, dx), "numbers are NaN or infinite"),
        (lambda dx: dx[:, :, 1:], "has shape"),
        (lambda dx: dx.astype(complex), "of type complex128"),
        (lambda dx: 0 * dx, "all its numbers are zero"),
    ],
)
def test_what_no_mistake_explains_is_described(spoil, words):
    def backward(*arguments):
        case = case_of("conv2d", "NCHW", arguments)
        return spoil(case.right("dx")), case.right("dW"), case.right("db")

    report = practice.diagnose(backward, "conv2d")
    assert not report.ok and not report.mistakes and words in str(report), str(report)


def test_exceptions_are_told_with_the_inputs_that_raise():
    def backward(*arguments):
        case = case_of("conv2d", "NCHW", arguments)
        if case.stride != (1, 1):
            raise NotImplementedError("no strides here")
        return tuple(case.right(g) for g in ("dx", "dW", "db"))

    report = practice.diagnose(backward, "conv2d")
    assert not report.ok and not report.mistakes
    assert "NotImplementedError: no strides here" in str(
        report
    ) and "It runs on every input with stride 1, and on no other" in str(report)
    assert practice.diagnose(backward, "conv2d", only={"stride": 1}).ok


def test_another_layout_is_tried_where_everything_raises():
    report = practice.diagnose(lambda x, W, b, d: (W.T @ d, d @ x.T, d.sum(1)), "dense", "NCHW")
    assert not report.ok and 'with layout="CHWN" it is right' in str(report)


@pytest.mark.parametrize(
    "dx, dW, db, agreed", [(1, 4, 4, True), (1, 4, 1, False), (4, 4, 4, False), (1, 1, -1, False)]
)
def test_a_convention_comes_first_where_it_holds_for_all_gradients(dx, dW, db, agreed):
    """delta has 4 examples in most inputs; divided by so many: dx, dW and db."""

    def backward(x, W, b, delta):
        by = {1: 1, 4: len(x), -1: -1}
        return delta @ W.T / by[dx], x.T @ delta / by[dW], delta.sum(0) / by[db]

    report = practice.diagnose(backward, "dense")
    first = str(report).splitlines()[0]
    assert not report.ok and report.mistakes and bool(report.conventions) == agreed
    assert ("right if delta is that of a loss summed" in first) == agreed and (
        "not right, judged" in first
    ) != agreed
    assert ("A convention" in str(report)) == agreed
    assert any(mistake["convention"] for mistake in report.as_dict()["mistakes"]) == agreed


def test_two_answers_to_one_input_are_not_right():
    rng = np.random.default_rng(0)
    report = practice.diagnose(lambda x, d: d * (x > 0) + 1e-3 * rng.random(), "relu")
    assert not report.ok and "two answers" in str(report)


def test_the_report_says_why_ones_own_test_did_not_see_it():
    report = practice.diagnose(lambda x, W, b, d: (d @ W.T, x.T @ d, d[-1]), "dense")
    assert names(report) == [
        "only the last example counts"
    ] and "Not seen by a test with: one example" in str(report)
    (finding,) = report.findings
    assert finding.gradient == "db" and report.errors["dx"] < 1e-12 < report.errors["db"]
    passes = CATALOGUE["kernel not rotated"].passes("conv2d")
    assert "symmetric kernels" in passes and "stride 1" not in passes
    assert "stride 1" in CATALOGUE["stride ignored in dx"].passes("conv2d")
    assert CATALOGUE["padding cropped by p:-p, empty at p = 0"].passes("conv2d") == [
        "same padding",
        "padding",
    ]
    assert "a falling loss" in CATALOGUE["averaged over the positions"].passes("conv2d")
    assert "a falling loss" not in CATALOGUE["wrong sign"].passes("conv2d")
    assert "no ties" in CATALOGUE["ties: every maximum gets the whole delta"].passes("max_pool2d")
    assert "windows that do not overlap" in CATALOGUE["pooling: overlap overwritten instead of added"].passes(
        "max_pool2d"
    )


# ---- what is asked, and what the program does to it --------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, options, words",
    [
        ((len, "conv3d"), {}, ["of is 'conv3d'", "'conv2d'"]),
        ((len, "conv2d", "HWCN"), {}, ["layout is 'HWCN'", "'NCHW'", "axes="]),
        ((len, "conv2d"), {"axes": {"x": "NCHH"}}, ["'NCHH'", "NCHW"]),
        ((len, "conv2d"), {"axes": {"y": "NCHW"}}, ["'y'"]),
        ((len, "conv2d"), {"axes": "NCHW"}, ["axes is 'NCHW'", "dict"]),
        ((3, "conv2d"), {}, ["int", "want a function"]),
        ((int, "conv2d"), {}, ["int", "want a function"]),
        ((cnnlib.Conv2d(1, 1, 1), "conv2d"), {}, ["object of Conv2d", "the class itself"]),
        ((len, "conv2d"), {"call": "cs"}, ["call is 'cs'", "'cs231n'"]),
        ((len, "conv2d"), {"call": 3}, ["call is int"]),
        ((len, "conv2d"), {"only": {"dilation": 1}}, ["only is", "stride"]),
        ((len, "conv2d"), {"only": {"stride": 9}}, ["only is", "9"]),
        ((lambda *a: "dx", "conv2d"), {}, ["returned", "str 'dx'", "dx, dW, db"]),
        ((lambda *a: None, "conv2d"), {}, ["returned", "None", "dx, dW, db"]),
        ((lambda *a: object(), "relu"), {}, ["returned", "dx"]),
        ((lambda *a: ("a", "b", "c"), "conv2d"), {}, ["returned", "'a'"]),
    ],
)
def test_bad_input_gets_one_sentence(arguments, options, words):
    with pytest.raises(ValueError) as caught:
        practice.diagnose(*arguments, **options)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_what_the_program_does_to_its_arguments_changes_nothing():
    """Every argument is spoilt after use, results are views of one buffer, and the global generator is used."""
    state = np.random.get_state()[1].copy()

    def backward(x, W, b, delta):
        np.random.seed(0)
        print("x", x)
        found = delta @ W.T, x.T @ delta, delta.sum(0)
        for array in (x, W, b, delta):
            array[:] = np.nan
        return found

    report = practice.diagnose(backward, "dense")
    assert names(report) == ["input changed in place"] and not report.findings
    identical(np.random.get_state()[1], state)
    before = [case.arguments() for case in cases("dense", axes_of("dense", "NCHW"))]
    practice.diagnose(backward, "dense")
    for one, other in zip(before, (case.arguments() for case in cases("dense", axes_of("dense", "NCHW")))):
        for name in ("x", "W", "b", "delta"):
            identical(one[name], other[name])


def test_a_function_may_leave_at_any_time():
    report = practice.diagnose(lambda x, d: sys.exit(1), "relu")
    assert not report.ok and "SystemExit" in str(report)


# ---- the command -----------------------------------------------------------------------------------------

SUBMISSION = "import numpy as np\nprint('hello')\n\ndef helper(): pass\n\ndef relu_backward(x, delta):\n    return delta * (x > 0)\n"


def command(path, *options):
    line = [sys.executable, "-m", "cnnlib.practice", str(path), "--of", "relu", *options]
    return subprocess.run(line, capture_output=True, encoding="utf-8", cwd=ROOT)


@pytest.mark.parametrize(
    "spoil, options, status, words",
    [
        (lambda text: text, ["--json"], 0, '"ok": true'),
        (lambda text: text.replace("> 0", ">= 0"), ["--json"], 1, "ReLU' is 1 at zero"),
        (lambda text: text + "while True: pass\n", ["--seconds", "1"], 2, "no end after 1 seconds"),
        (lambda text: text + "raise SystemExit(0)\n", [], 2, "SystemExit"),
        (lambda text: text + "import os; os._exit(0)\n", [], 2, "its process ended"),
        (lambda text: text, ["--function", "missing"], 2, "defines no missing"),
    ],
)
def test_the_command_judges_a_file(tmp_path, spoil, options, status, words):
    path = tmp_path / "submission.py"
    path.write_text(spoil(SUBMISSION), encoding="utf-8")
    done = command(path, *options)
    assert done.returncode == status and words in done.stdout and "Traceback" not in done.stderr
    if "--json" in options:
        assert json.loads(done.stdout)["status"] == status
