"""The book as a reader gets it: built for real, every page looked at, and proof that a broken one is noticed."""

import json
import os
import re
import shutil

import book_extension
import rules
import nbformat.v4 as v4
import built_pages
import page_kinds
import pytest
import typeset
from building import ROOT, copy_from_checkout, jupyter_book
from nbformat import from_dict

LISTED = page_kinds.listed(ROOT)
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="


def source(root, listed):
    """The notebook or Markdown page that _toc.yml names, as a notebook."""
    if (path := root / f"{listed}.ipynb").is_file():
        return rules.read(path)
    return v4.new_notebook(cells=[v4.new_markdown_cell((root / f"{listed}.md").read_text(encoding="utf-8"))])


# The real book.


def test_the_book_builds_without_a_warning(built):
    _, status, said = built
    if not said:
        pytest.skip("CNNLIB_SITE names a site, and CNNLIB_SITE_SAID no file of what its build printed")
    assert "Finished generating HTML" in said, said
    assert status == 0 and "WARNING" not in said and "ERROR" not in said, said


def test_the_first_page_leads_to_the_book(site):
    assert f"url={LISTED[0]}.html" in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("listed", LISTED)
def test_the_page_shows_what_its_notebook_stores(site, listed):
    assert built_pages.page_problems(site / f"{listed}.html", source(ROOT, listed)) == []


@pytest.mark.parametrize("other", ["search.html", "index.html", "cite.html"])
def test_no_other_page_loads_from_elsewhere(site, other):
    assert built_pages.loads(site / other) == []


def test_no_link_leads_nowhere(site):
    assert built_pages.site_problems(site) == []


def test_the_book_without_jupyterlite_is_light(site):
    assert built_pages.weight_problems(site) == []


def test_nothing_is_in_the_book_that_nothing_loads(site):
    names = {path.name for path in (site / "_static").rglob("*")}
    assert not [name for name in names if name.endswith((".map", ".ttf"))] and "locales" not in names
    assert not (site / "_sources").exists()
    script = (site / "_static" / book_extension.ICONS).read_text(encoding="utf-8")
    icons = {icon[1] for icon in book_extension.ICON.finditer(script)}
    assert len(icons) > 5 and icons <= book_extension.icons_in(site)
    assert len(script) < 100_000  # what draws them, and no icon in a form that ICON does not know


def test_a_token_without_a_colour_of_its_own_is_plain_text(site):
    css = (site / "_static" / "pygments.css").read_text(encoding="utf-8")
    for theme in ("light", "dark"):
        colours = dict(
            re.findall(rf'^html\[data-theme="{theme}"\] \.highlight( \.\w+)? {{.*color: (#\w+)', css, re.M)
        )
        assert {colours[f" .{token}"] for token in ("n", "nn", "p", "w")} == {colours[""]} != {colours[" .k"]}
    for listed in LISTED:
        html = (site / f"{listed}.html").read_text(encoding="utf-8")
        assert not re.search(r'<span class="(n|nn|p|w)">', html)
        assert '<span class="k">' in html or not page_kinds.is_chapter(ROOT, listed)


def test_no_page_draws_its_formulas_itself(site):
    lite = site / built_pages.LITE  # another program, which draws what a reader writes
    ours = [path for path in site.rglob("*.[hj][ts]*") if not path.is_relative_to(lite)]
    scripts = {path: path.read_text(encoding="utf-8") for path in ours if path.suffix == ".js"}
    pages = {path: path.read_text(encoding="utf-8") for path in ours if path.suffix == ".html"}
    assert len(scripts) > 5 and not [path for path, text in scripts.items() if "mathjax" in text.lower()]
    assert len(pages) > 5 and not [path for path, text in pages.items() if "MathJax" in text]


LINE = 39.8  # of a phone of 390 pixels, in ex


def needless_breaks(markdown):
    """The formulas that go to a new line before an equals sign, which it indents, though one line would do."""
    for tex in built_pages.formulas(markdown):
        line = re.sub(r"\\\\\s*&?\s*\\q*quad\s*(?==)", "", tex)
        if line != tex:
            _, [drawing] = json.loads(typeset.engine(os.getpid()).call("draw", [[line, True]]))
            if float(re.search(r'width="([\d.]+)ex', drawing["html"])[1]) <= LINE:
                yield tex


def test_no_formula_breaks_before_an_equals_sign_without_need():
    texts = (cell["source"] for listed in LISTED for cell in source(ROOT, listed).cells)
    assert [tex for text in texts for tex in needless_breaks(text)] == []
    broken = r"\begin{aligned}& x \\ &\quad = %s\end{aligned}"
    assert list(needless_breaks(f"$${broken % 'y'}$$")) == [broken % "y"]
    assert list(needless_breaks(f"$${broken % ('y' * 80)}$$")) == []


# A small book with the real configuration, whole and broken.

INTRO = """# Start with $x$

See [](part.ipynb), {eq}`eq-z` and {ref}`the place <place>`.

```{admonition} A *solution* with $a_1$
:class: dropdown
Then $b < c$ & more.
```"""
PART = """# A part

(place)=
## A place

$$
z = W a + b
$$ (eq-z)

\\begin{align}p &= q \\\\ r &= s\\end{align}

```{math}
:label: eq-y
y = z
```

`$not$ a formula`

| $u$ | 1 |
|-----|---|
| 2   | 3 |"""
HTML = '<div><svg role="img" aria-label="a line that falls to the right" viewBox="0 0 9 9"><path d="M0 0L9 9"/></svg></div>'
PICTURE = v4.new_output("display_data", {"image/png": PNG})
LAST = v4.new_output("execute_result", {"text/plain": "array([3.])"}, execution_count=4)
OUTPUTS = [
    v4.new_output("stream", name="stdout", text="first  line\nsecond line\n"),
    v4.new_output("display_data", {"text/html": HTML, "text/plain": "a line"}),
    v4.new_output("execute_result", {"text/plain": "array([1., 2.])"}, execution_count=1),
]


def small_book(folder):
    """A book of two notebooks in `folder`, with the configuration of the real one."""
    files = ("_config.yml", "CITATION.cff", "CHANGELOG.md")
    for name in (*files, "tools", "book/_static", "book/_templates", "book/references.bib"):
        copy_from_checkout(name, folder)
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nchapters:\n- file: book/part\n", encoding="utf-8"
    )
    for stray in (
        ".pytest_cache",
        ".venv",
        "node_modules",
        "elsewhere",
        "book/.ipynb_checkpoints",
        "book/unlisted",
    ):
        (folder / stray).mkdir(parents=True)
        (folder / stray / "README.md").write_text("# Not a page\n\n[](nowhere.md)\n", encoding="utf-8")
    described = {"mystnb": {"image": {"alt": "a dot on white paper"}}}
    write(folder, "intro", v4.new_markdown_cell(INTRO), v4.new_code_cell("1", outputs=OUTPUTS[:1]))
    write(
        folder,
        "part",
        v4.new_markdown_cell(PART),
        v4.new_code_cell("2", outputs=OUTPUTS),
        v4.new_code_cell("3", outputs=[PICTURE], metadata=described),
        v4.new_code_cell("4", outputs=OUTPUTS[:1], metadata={"tags": ["remove-output"]}),
        v4.new_code_cell("5", outputs=[LAST], metadata={"tags": ["hide-cell"]}),
    )
    return folder


def write(folder, name, *cells):
    notebook = v4.new_notebook(cells=list(cells), metadata=rules.METADATA)
    (folder / "book" / f"{name}.ipynb").write_text(v4.writes(notebook), encoding="utf-8")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small book, built as the README says."""
    folder = small_book(tmp_path_factory.mktemp("small"))
    status, said = jupyter_book("build", folder)
    assert status == 0, said
    return folder


@pytest.mark.parametrize("name", ["book/intro", "book/part"])
def test_a_sound_small_book_passes(small, name):
    site = small / "_build" / "html"
    assert built_pages.page_problems(site / f"{name}.html", source(small, name)) == []
    assert built_pages.site_problems(site) == []


def test_only_listed_pages_are_built(small):
    site = small / "_build" / "html"
    built = {
        path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts
    }
    assert built == {
        "book/intro.html",
        "book/part.html",
        "cite.html",
        "genindex.html",
        "index.html",
        "search.html",
    }


# What is written into a page, and the warning that it must give.
BREAKS = {
    "$\\nosuch{x}$": "a formula cannot be drawn: \\nosuch{x}: Undefined control sequence \\nosuch",
    "$\\text{größe}$": "a formula cannot be drawn: \\text{größe}: ö",
    "{eq}`no-equation`": "equation not found: no-equation",
    "[](no-page.ipynb)": "target not found: 'no-page.ipynb'",
    "{ref}`no-section`": "undefined label: 'no-section'",
    "(place)=\n## Again": "duplicate label place",
    "```{no-directive}\n```": "Unknown directive type: 'no-directive'",
}


def test_a_broken_page_fails_the_build_each_time(tmp_path):
    cells = [v4.new_markdown_cell(text) for text in [INTRO, *BREAKS]]
    warning = v4.new_output("stream", name="stderr", text="Deprecated\n")
    write(small_book(tmp_path), "intro", *cells, v4.new_code_cell("1", outputs=[warning]))
    for _ in range(2):  # Sphinx reads an unchanged page once, and would be silent about it the second time
        status, said = jupyter_book("build", tmp_path)
        assert status != 0
        warnings = "\n".join(line for line in said.splitlines() if "WARNING" in line)
        for reported in [*BREAKS.values(), "stderr was found in the cell outputs"]:
            assert reported in warnings, said


def test_a_page_that_is_listed_and_not_there_fails_the_build(tmp_path):
    (small_book(tmp_path) / "book" / "part.ipynb").unlink()
    status, said = jupyter_book("build", tmp_path)
    assert status != 0 and "book/part" in said


def test_a_build_without_mathjax_fails_and_says_what_to_do(small):
    extension = (small / "tools" / "site" / "typeset.py").read_text(encoding="utf-8")
    assert extension.count(" output/svg ") == 1
    copy = small.with_name("without_mathjax")
    shutil.copytree(small, copy, ignore=shutil.ignore_patterns("_build"))
    (copy / "tools" / "site" / "typeset.py").write_text(
        extension.replace(" output/svg ", " no-such-file "), encoding="utf-8"
    )
    status, said = jupyter_book("build", copy)
    assert status != 0 and "no-such-file.js is missing: run pip install -r requirements.txt" in said


def test_a_build_that_cannot_make_jupyterlite_fails_and_leaves_no_half_of_it(small):
    copy = small.with_name("without_cnnlib")
    shutil.copytree(small, copy, ignore=shutil.ignore_patterns("_build"))
    status, said = jupyter_book("build", copy, lite=True)
    assert status != 0 and "pip wheel" in said and "failed" in said
    assert not (copy / "_build" / "html" / "lite").exists()


# Each defect of a page is reported.

SVG = '<svg viewBox="0 0 1 1"></svg>'
DEFECTS = {
    "no title": (("<h1>A part", "<h1>Another"), "wanted one h1"),
    "two titles": (("</article>", "<h1>A part</h1></article>"), "wanted one h1"),
    "display formula": (("z = W a + b", "z = W a"), "formula missing: z=Wa+b"),
    "aligned formula": (("p &amp;= q", "p"), "formula missing"),
    "formula in a table": (("\\(u\\)", "u"), "formula missing: u"),
    "formula as text": (("</article>", '<span class="math">\\(u\\)</span></article>'), "formulas, "),
    "formula in an output as text": (
        ("</article>", '<div class="tex2jax_process">\\(u\\)</div></article>'),
        "formulas, ",
    ),
    "formula without its strokes": (
        ('<use href="#MJX-TEX-I-1D462" transform="scale(1,-1)"></use>', ""),
        "not drawn: \\(u\\)",
    ),
    "formula without a letter": (('href="#MJX-TEX-', 'href="#MJX-no-'), "a formula that is not drawn"),
    "formula that nobody hears": (("<mjx-assistive-mml", "<span"), "a formula that is not drawn"),
    "formula with an address": (('href="#MJX-TEX-', 'href="https://x.org/#MJX-'), "in a formula, "),
    "printed text": (("second line", "line"), "code cell 1: its text/plain output"),
    "collapsed output": (("array([3.])", "array([1., 2.])"), "code cell 4: its text/plain output"),
    "drawing": (("M0 0L9 9", "M0 0L9 8"), "code cell 1: its text/html output"),
    "picture": (('alt="a dot on white paper"', ""), "a picture without alternative text"),
    "file name as alternative text": (
        ('alt="a dot on white paper"', 'alt="_images/"'),
        "a picture without alternative text",
    ),
    "a word as alternative text": (('alt="a dot on white paper"', 'alt="figure"'), "alt must say what"),
    "the same text twice": (
        ("</article>", '<img alt="a dot on white paper" src="a.png"></article>'),
        "2 pictures are said to be 'a dot on white paper'",
    ),
    "the same text for two frames": (
        (
            "</article>",
            '<div class="cnn-frames"><p>A square that moves</p><div class="cnn-view"><div data-alt="A square on the left"></div>'
            '<script type="text/html" data-alt="A square on the left"></script></div></div></article>',
        ),
        "2 pictures are said to be 'A square on the left'",
    ),
    "unnamed drawing": (("</article>", f"{SVG}</article>"), "a drawing without alternative text"),
    "script": (("</article>", '</article><script src="//x.org/a.js"></script>'), "elsewhere: //x.org"),
    "style": (
        ("</head>", '<link rel="stylesheet" href="https://x.org/a.css"></head>'),
        "elsewhere: https://x",
    ),
    "image": (("</article>", '<img alt="a" src="http://x.org/a"></article>'), "elsewhere: http://x.org"),
    "frame": (("</article>", '<iframe src="https://x.org"></iframe></article>'), "elsewhere: https://x.org"),
    "in a script": (
        ("</head>", "<script>import('https://x.org/a.js')</script></head>"),
        "elsewhere: https://x",
    ),
    "background": (("</article>", '<p style="background:url(https://x.org/a)"></article>'), "elsewhere"),
    "service": (("</article>", '<a title="Launch it" href="#">run</a></article>'), "a button for a service"),
    "size": (("</article>", "<p>" + "x" * built_pages.MAX_BYTES + "</article>"), "bytes, more than"),
    "no article": (("<article", "<div"), "no article"),
}


def copied(small, folder, *without):
    return shutil.copytree(
        small / "_build" / "html", folder / "html", ignore=shutil.ignore_patterns(*without)
    )


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_of_a_page_is_reported(small, tmp_path, name):
    (old, new), reported = DEFECTS[name]
    page = copied(small, tmp_path, "_static") / "book" / "part.html"
    html = page.read_text(encoding="utf-8")
    at = html.find(old, html.index("<article"))  # the theme repeats the title before the article
    at = html.index(old) if at < 0 else at
    page.write_text(html[:at] + new + html[at + len(old) :], encoding="utf-8")
    found = built_pages.page_problems(page, source(small, "book/part"))
    assert any(reported in problem for problem in found), found


def test_a_changed_picture_is_reported(small, tmp_path):
    site = copied(small, tmp_path, "_static")
    (picture,) = (site / "_images").glob("*.png")
    picture.write_bytes(picture.read_bytes()[:-1])
    (problem,) = built_pages.page_problems(site / "book" / "part.html", source(small, "book/part"))
    assert "code cell 2: its image/png output" in problem


def test_outputs_in_another_order_are_reported(small):
    notebook = source(small, "book/part")
    notebook.cells[1].outputs.reverse()
    found = built_pages.page_problems(small / "_build" / "html" / "book" / "part.html", from_dict(notebook))
    assert found == ["code cell 1: its text/plain output is missing or out of order"]


@pytest.mark.parametrize(
    ("page", "text", "reported"),
    [
        ("book/part.html", '<a href="gone.html">x</a>', "book/part.html: gone.html leads nowhere"),
        (
            "search.html",
            '<a href="book/part.html#gone">x</a>',
            "search.html: book/part.html#gone has no such place",
        ),
        ("book/intro.html", '<a href="#gone">x</a>', "book/intro.html: #gone has no such place"),
        (
            "book/intro.html",
            '<script src="../gone.js"></script>',
            "book/intro.html: ../gone.js leads nowhere",
        ),
        ("book/intro.html", '<a href="../book/">x</a>', "book/intro.html: ../book/ leads nowhere"),
        ("_static/book.css", "p {background: url(//x.org/a.png)}", "_static/book.css loads from elsewhere"),
        ("_static/book.css", '@import "https://x.org/a.css";', "_static/book.css loads from elsewhere"),
    ],
)
def test_a_broken_link_is_reported(small, tmp_path, page, text, reported):
    site = copied(small, tmp_path)
    with open(site / page, "a", encoding="utf-8") as file:
        file.write(text)
    (problem,) = built_pages.site_problems(site)
    assert problem.startswith(reported)


def test_a_heavy_book_is_reported_and_neither_jupyterlite_nor_the_pdf_is_weighed(tmp_path):
    for name, size in {
        "a.js": built_pages.MAX_SITE_BYTES - 10,
        "b.js": 10,
        "lite/c.js": 10,
        "d.pdf": 10,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    assert built_pages.weight_problems(tmp_path) == []
    (tmp_path / "b.js").write_bytes(bytes(11))
    (problem,) = built_pages.weight_problems(tmp_path)
    assert problem.startswith("20,000,001 bytes, more than") and "a.js 19,999,990, b.js 11" in problem
