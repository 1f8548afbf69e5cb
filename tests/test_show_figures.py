"""Figures are inline SVG that follows the page, the same at each run; source shows the library's lines."""

import ast
import html
import inspect
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import cnnlib
import numpy as np
import pytest
from cnnlib import optim, show
from cnnlib.layers import Conv2d, MaxPool2d
from cnnlib.show import figures, plt, svg
from matplotlib.colors import CenteredNorm

ALT = "A line that rises from one to three"


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, as a list of mime bundles."""
    bundles = []
    monkeypatch.setattr(figures, "display", lambda bundle, raw: bundles.append(bundle))
    yield bundles
    plt.close("all")


def a_figure():
    fig, ax = plt.subplots()
    ax.plot([1, 2, 3], "o-", color=show.FORWARD)
    ax.plot([3, 2, 1], color="black")
    ax.fill_between([0, 1], [0, 1], hatch="/")
    ax.set(xlabel="epoch 0.123456", title="a < b & c")
    return fig


def test_a_figure_is_one_output_with_its_alternative_text_and_is_closed(shown):
    fig = a_figure()
    show.figure(fig, alt=ALT)
    (bundle,) = shown
    assert set(bundle) == {"text/html", "text/plain"} and bundle["text/plain"] == ALT
    root = ElementTree.fromstring(bundle["text/html"])
    assert root.find("div").get("role") == "img" and root.find("div").get("aria-label") == ALT
    assert not plt.fignum_exists(fig.number)


def test_without_style_sheets_a_figure_is_its_alternative_text(shown):
    show.figure(a_figure(), alt=ALT)
    text, sheet, drawing = ElementTree.fromstring(shown[0]["text/html"])
    assert (text.text, text.get("style")) == (ALT, None) and drawing.get("style").startswith("display:none")
    assert sheet.text == ".cnn-figure>p{display:none}.cnn-figure>div{display:block!important}"


def test_a_figure_follows_the_page(shown):
    show.figure(a_figure(), alt=ALT)
    text = shown[0]["text/html"]
    root = ElementTree.fromstring(text).find("div/svg")
    letters = ["".join(t.itertext()) for t in root.iter("text")]
    assert "epoch 0.123456" in letters and "a < b & c" in letters
    assert "#000000" not in text and "font-family" not in text
    assert root.get("fill") == "currentColor" and "stroke: currentColor" in text and show.FORWARD in text
    assert all("fill: #ffffff" not in (e.get("style") or "") for e in root.iter())


@pytest.mark.parametrize(
    "unwanted",
    ["<?xml", "<!DOCTYPE", "text/css", "<metadata", "<!--", "matplotlib", "http", "xlink", "<image"],
)
def test_a_figure_brings_nothing_along(shown, unwanted):
    show.figure(a_figure(), alt=ALT)
    assert unwanted not in shown[0]["text/html"]


def test_two_figures_never_share_ids_and_each_finds_its_own(shown):
    show.figure(a_figure(), alt=ALT)
    show.figure(a_figure(), alt=ALT + " again")
    ids = [re.findall(r' id="([^"]+)"', bundle["text/html"]) for bundle in shown]
    assert ids[0] and not set(ids[0]) & set(ids[1])
    for own, bundle in zip(ids, shown, strict=True):
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', bundle["text/html"])) == set(own)
        assert len(own) == len(set(own))


def test_a_figure_is_the_same_in_every_process(shown):
    code = (
        "from cnnlib.show import figures, plt\n"
        "figures.display = lambda bundle, raw: print(bundle['text/html'], end='')\n"
        + inspect.getsource(a_figure).replace("show.FORWARD", repr(show.FORWARD))
        + f"figures.figure(a_figure(), alt={ALT!r})"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(cnnlib.__file__).parents[1],
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout
        for _ in range(2)
    ]
    show.figure(a_figure(), alt=ALT)
    assert runs == [shown[0]["text/html"]] * 2


def test_letters_are_as_large_as_the_page_s_on_a_phone(shown):
    show.figure(a_figure(), alt=ALT)
    root = ElementTree.fromstring(shown[0]["text/html"]).find("div/svg")
    width = float(root.get("viewBox").split()[2])
    sizes = [float(s) for s in re.findall(r"font(?:-size)?: ([\d.]+)px", shown[0]["text/html"])]
    assert width <= 360 and sizes and min(sizes) >= 16


def test_a_signed_map_is_centred_and_transparent_at_zero(shown):
    assert show.SIGNED(0.5)[3] == 0 and show.SIGNED(0.0)[3] == show.SIGNED(1.0)[3] == 1
    fig, ax = plt.subplots()
    fig.colorbar(ax.pcolormesh([[-1.0, 0, 2]], cmap=show.SIGNED, norm=CenteredNorm()))
    show.figure(fig, alt=ALT)
    assert show.ACCENT in shown[0]["text/html"]


def test_curves_differ_by_dashes_as_well_as_by_hue():
    fig, ax = plt.subplots()
    lines = [ax.plot([0, 1])[0] for _ in range(4)]
    assert [line.get_color() for line in lines] == ["black", svg.OTHER] * 2
    assert len({line.get_linestyle() for line in lines}) == 4
    plt.close(fig)


def test_what_a_figure_refuses_changes_nothing(shown):
    fig, ax = plt.subplots()
    ax.imshow(np.eye(3))
    for bad, message in (
        (fig, "raster"),
        (plt.figure(figsize=(6, 3)), "at most 5 inches"),
        ("loss", "wants"),
        (ax, "wants"),
    ):
        with pytest.raises(ValueError, match=message):
            show.figure(bad, alt=ALT)
    with pytest.raises(ValueError, match="alt must say"):
        show.figure(a_figure(), alt="figure")
    assert shown == [] and plt.fignum_exists(fig.number)


def test_a_picture_is_shown_with_its_alternative_text(shown):
    show.figure(svg.row(svg.grid([[1]]), "="), alt='A grid that holds "one" number')
    box = ElementTree.fromstring(shown[0]["text/html"]).find("div")
    assert box.get("role") == "img" and box.get("aria-label") == 'A grid that holds "one" number'
    assert box.get("tabindex") is None
    show.figure(svg.grid(np.zeros((2, 12))), alt="A grid that is wider than a phone")
    assert ElementTree.fromstring(shown[1]["text/html"]).find("div").get("tabindex") == "0"


def test_tables_are_displayed(shown):
    show.table([["a", 1.5]], ["name", "value"], caption="One value", digits=3)
    assert shown[0] == {
        "text/html": svg.table([["a", 1.5]], ["name", "value"], "One value", digits=3),
        "text/plain": "One value",
    }


# ---- source


def plain(bundle):
    (code,) = re.findall(r"<pre[^>]*>(.*)</pre>", bundle["text/html"], re.DOTALL)
    return html.unescape(re.sub(r"</?[bi]>", "", code))


@pytest.mark.parametrize(
    "thing", [Conv2d.backward, MaxPool2d, cnnlib.training.fit, svg.table, figures.source]
)
def test_source_shows_the_lines_of_the_file(shown, thing):
    show.source(thing)
    path, _, code = shown[0]["text/plain"].partition("\n")
    assert f"<code>{path}</code>" in shown[0]["text/html"] and path.startswith("cnnlib/")
    assert code == plain(shown[0]) == inspect.cleandoc("\n" + inspect.getsource(thing))
    root = ElementTree.fromstring(shown[0]["text/html"])
    assert root.find("pre").get("tabindex") == "0" and thing.__qualname__ in root.find("pre").get(
        "aria-label"
    )
    file = (Path(cnnlib.__file__).parents[1] / path).read_text(encoding="utf-8")
    assert all(line.strip() in file for line in code.splitlines())


def test_source_shows_a_file_that_nothing_imports_and_what_is_defined_in_it(shown):
    file = Path(cnnlib.__file__).parent / "data" / "pytorch" / "lenet.py"
    show.source("data/pytorch/lenet.py")
    show.source("data/pytorch/lenet.py:step")
    assert plain(shown[0]) == file.read_text(encoding="utf-8").rstrip()
    path, _, code = shown[1]["text/plain"].partition("\n")
    assert path == "cnnlib/data/pytorch/lenet.py" and code == plain(shown[1])
    assert code.startswith("def step(") and code.endswith("return J.item()") and code in plain(shown[0])
    for name in ("data/pytorch/lenet.py:no_such", "data/torch.json", "data/pytorch", "no_such.py"):
        with pytest.raises(ValueError, match="of cnnlib"):
            show.source(name)


HINTED = [
    MaxPool2d,
    Conv2d,
    cnnlib.training.fit,
    cnnlib.formulas.correlate2d_backward,
    cnnlib.layers.convolution.Window,
]


@pytest.mark.parametrize("thing", HINTED, ids=lambda thing: thing.__name__)
def test_source_leaves_docstrings_and_hints_out_when_asked(shown, thing):
    show.source(thing, doc=False)
    code, written = (
        shown[0]["text/plain"].partition("\n")[2],
        inspect.cleandoc("\n" + inspect.getsource(thing)),
    )
    assert '"""' not in code and ast.dump(ast.parse(code)) == ast.dump(without_hints(written))
    assert ast.dump(ast.parse(code)) != ast.dump(ast.parse(written))
    kept = [line for line in code.splitlines() if not line.lstrip().startswith("def ")]
    assert kept and all(line in written.splitlines() for line in kept)  # comments and layout, too


def without_hints(code):
    """Its tree, without docstrings and hints."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return tree


def test_source_leaves_a_remark_before_the_first_line_where_it_is():
    code = "def f(\n    x: int,\n) -> int:  # fmt: skip\n    # why\n    return x"
    assert figures._bare(code) == "def f(x):\n    # why\n    return x"


def test_source_refuses_what_is_not_the_library_s(shown):
    for thing in (np.sum, inspect.cleandoc, a_figure, 3, Conv2d(1, 1, 3), "cnnlib", optim):
        with pytest.raises(ValueError, match="of cnnlib"):
            show.source(thing)
    assert shown == []


def test_only_keywords_remarks_and_docstrings_stand_out():
    code = 'def f(x):\n    """If so."""\n    return "for # in" if x else \'not\'  # is a < b\n'
    wanted = (
        '<b>def</b> f(x):\n    <i>"""If so."""</i>\n    '
        "<b>return</b> \"for # in\" <b>if</b> x <b>else</b> 'not'"
        "  <i># is a &lt; b</i>\n"
    )
    assert figures._highlight(code) == wanted


def test_the_core_never_imports_show():
    code = (
        "import sys, cnnlib\n"
        "print([m for m in ('cnnlib.show', 'matplotlib', 'IPython', 'ipywidgets') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        encoding="utf-8",
        cwd=Path(cnnlib.__file__).parents[1],
    )
    assert run.stdout.strip() == "[]"
