"""What a reader needs to run a chapter: the links on its page, the files behind them, a zip that is the whole book."""

import filecmp
import json
import os
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import book_extension
import run_in_browser
import rules
import nbformat.v4 as v4
import built_pages
import page_kinds
import plain_conf
import pytest
from building import ROOT, jupyter_book
from sphinx.config import Config
from sphinx.errors import ConfigError, ExtensionError
from test_book import small_book

LISTED, CHAPTERS = page_kinds.listed(ROOT), page_kinds.chapters(ROOT)
ZIP = f"{run_in_browser.NAME}.zip"
NAMED = re.compile(r"\[[^][]*\]\(([\w/.-]+\.ipynb)\)")  # a link to a chapter, by whatever name


def links(site, page):
    """{last word of the class: link} of the links on the first page, or in the corner of another."""
    first = "article h1 + .run-chapter a, .front-buttons .run-chapter-start, .front-downloads a"
    where = first if page == LISTED[0] else ".bd-header-article details.run-chapter a"
    tags = built_pages.parsed(site / f"{page}.html").select(where)
    return {tag["class"][-1].removeprefix("run-chapter-"): tag for tag in tags}


def target(site, page, tag):
    """(file, query) that a link of a page leads to."""
    parts = urlsplit(tag["href"])
    assert not parts.scheme and not parts.netloc and not parts.path.startswith("/"), (
        "works in one folder only"
    )
    return (site / page).parent.joinpath(unquote(parts.path)).resolve(), parse_qs(parts.query)


def config(site):
    """The settings of JupyterLite."""
    return json.loads((site / "lite" / "jupyter-lite.json").read_bytes())["jupyter-config-data"]


def kernel(site):
    """The settings of the kernel in it."""
    return config(site)["litePluginSettings"][f"{run_in_browser.KERNEL}:kernel"]


def wheels(site):
    """{name of the package: its wheel} of those that the kernel loads from the book."""
    paths = [
        site / "lite" / "pypi" / Path(url).name for url in kernel(site)["loadPyodideOptions"]["packages"][2:]
    ]
    return {path.name.split("-")[0]: zipfile.ZipFile(path) for path in paths}


# The links of a page.


@pytest.mark.parametrize("page", CHAPTERS)
def test_each_chapter_can_be_run_and_downloaded(site, page):
    found = links(site, page)
    assert list(found) == ["start", "notebook", "zip"]
    file, query = target(site, page, found["start"])
    assert file == site / "lite" / "notebooks" / "index.html" and query == {"path": [f"{page}.ipynb"]}
    said = "Run it" if page == LISTED[0] else "Run this chapter in your browser"
    assert found["start"].get_text() == said
    file, _ = target(site, page, found["notebook"])
    assert file == site / "lite" / "files" / f"{page}.ipynb" and file.is_file()
    file, _ = target(site, page, found["zip"])
    assert file == site / ZIP and file.is_file()


def test_other_pages_have_no_such_links(site):
    for page in {"search", "index", "cite", *LISTED} - {*CHAPTERS}:
        assert "run-chapter-" not in (site / f"{page}.html").read_text(encoding="utf-8")


def test_the_button_asks_for_the_python_that_the_kernel_takes(site):
    for page in CHAPTERS:
        assert (
            links(site, page)["start"]["data-python"] == kernel(site)["pyodideUrl"] == run_in_browser.PYODIDE
        )


def test_a_page_says_where_a_chapter_cannot_run_and_asks_nobody_before(site):
    """What it says is read in a browser by test_browser; here is that each page has a place for it, and the script."""
    for page in CHAPTERS:
        html = built_pages.parsed(site / f"{page}.html")
        (message,) = html.select(".run-chapter [role=status]")
        assert message.get_text() == ""
        assert [tag for tag in html("script", src=True) if urlsplit(tag["src"]).path.endswith("/run.js")]
    script = (site / "_static" / "run.js").read_text(encoding="utf-8")
    assert script.count("fetch(") == 1 and script.index('addEventListener("click"') < script.index("fetch(")
    for said in ("A chapter can run only where the book comes from a web server", "cannot be downloaded"):
        assert said in script


# Without Jupyter Book.


@pytest.mark.parametrize("kind", [str, Path])
def test_the_extensions_take_paths_of_either_kind(tmp_path, kind):
    """Sphinx 7 gives strings or what is both, Sphinx 10 will give paths that are no strings."""
    out = tmp_path / "out"
    (out / "_static").mkdir(parents=True)
    (tmp_path / "read").mkdir()
    pages = ["book/chapter", "book/page"]
    notebook, text = tmp_path / "book" / "chapter.ipynb", tmp_path / "book" / "page.md"
    for path in (notebook, text, tmp_path / "cnnlib" / "a.py", tmp_path / "read" / "environment.pickle"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    app = SimpleNamespace(
        srcdir=kind(tmp_path),
        outdir=kind(out),
        doctreedir=kind(tmp_path / "read"),
        env=SimpleNamespace(
            all_docs=pages, doc2path=lambda page: kind(notebook if page == pages[0] else text)
        ),
        builder=SimpleNamespace(format="html"),
        config=SimpleNamespace(book_lite=True, html_static_path=[], root_doc=pages[0]),
        _warncount=1,
    )
    contexts = [{"body": "<h1></h1>", "pathto": lambda file, _: file} for _ in pages]
    for page, context in zip(pages, contexts):
        run_in_browser.add_links(app, page, "page.html", context, doctree=...)
        book_extension.lighten(app, page, "page.html", context, doctree=...)
    assert ["run-chapter" in context["body"] for context in contexts] == [True, False]
    app.config.root_doc = pages[1]
    other = {"body": "<h1></h1>", "pathto": lambda file, _: file}
    run_in_browser.add_links(app, pages[0], "page.html", other, doctree=...)
    assert other["body"] == "<h1></h1>" and "run-chapter-start" in other["run_chapter"]
    app.config.book_lite = False
    run_in_browser.add_files(app, None)
    with zipfile.ZipFile(out / ZIP) as archive:
        inside = {name.removeprefix(f"{run_in_browser.NAME}/") for name in archive.namelist()}
    assert inside == {"book/chapter.ipynb", "book/page.md", "cnnlib/a.py"}
    book_extension.drop_unused(app, None)
    book_extension.fail_on_warnings(app, None)
    assert not (tmp_path / "read" / "environment.pickle").exists()


def test_the_settings_without_jupyter_book_are_the_book_s_own(tmp_path):
    """And complete where conf.py is not in the folder of the book."""
    settings = plain_conf.settings()
    (tmp_path / "conf.py").write_text(plain_conf.text(settings), encoding="utf-8")
    read = Config.read(tmp_path)
    assert read.nitpicky and settings["html_title"] == "Backpropagation, Executed"
    assert not {"jupyter_book", "sphinx_comments"} & set(read.extensions)
    assert {"book_extension", "run_in_browser", "search", "myst_nb", "sphinx_external_toc"} <= set(
        read.extensions
    )
    folders = [*settings["html_static_path"], *read.templates_path]
    assert folders == [str(ROOT / "book" / name) for name in ("_static", "_templates")]
    assert Path(settings["html_favicon"]).is_file()


# JupyterLite.


def title_of(text):
    """The title of a page that is a Markdown file."""
    return built_pages.title((ROOT / f"{text}.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", CHAPTERS)
def test_jupyterlite_has_the_chapter_as_it_is_stored(site, page):
    stored = rules.read(ROOT / f"{page}.ipynb")
    offered = json.loads((site / "lite" / "files" / f"{page}.ipynb").read_bytes())
    for cell in offered["cells"]:
        assert cell["metadata"].pop("trusted") is True  # or JupyterLite shows no drawing before the first run
        if cell["cell_type"] == "markdown":
            assert not re.search(
                r"\[\]\([^)]*\.ipynb", cell["source"]
            )  # which Jupyter would name after a file
            assert not run_in_browser.TO_A_TEXT.search(cell["source"])
            cell["source"] = NAMED.sub(r"[](\1)", cell["source"])
    for cell in stored["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = run_in_browser.TO_A_TEXT.sub(
                lambda to: to[1] or title_of(f"book/{to[2]}"), cell["source"]
            )
            cell["source"] = NAMED.sub(r"[](\1)", cell["source"])
    assert (
        offered == stored
    )  # the same, and valid; rules.read joins lines, as JupyterLite does not in printed text
    listing = json.loads((site / "lite" / "api" / "contents" / "book" / "all.json").read_bytes())
    assert f"{page}.ipynb" in [entry["path"] for entry in listing["content"]]


def test_a_link_to_a_chapter_bears_its_title_in_jupyterlite():
    text = "See [](b.ipynb), [](../c/d.ipynb#e), [so](b.ipynb), [](f.md#g) and [that](f.md)."
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(text)])
    titles = {"book/b": "The B", "c/d": "The D", "book/f": "The F"}
    made = json.loads(run_in_browser.for_jupyterlite(v4.writes(notebook).encode(), "book/a.ipynb", titles))
    assert made["cells"][0]["source"] == (
        "See [The B](b.ipynb), [The D](../c/d.ipynb#e), [so](b.ipynb), The F and that."
    )


def test_jupyterlite_leads_back_and_says_how_far_it_is_where_a_chapter_is_open(site):
    for app in ("notebooks", "lab", "tree"):
        html = (site / "lite" / app / "index.html").read_text(encoding="utf-8")
        assert ('src="../../_static/lite.js"' in html) == (app == "notebooks")
    assert (site / "_static" / "lite.js").is_file()


def test_the_kernel_loads_cnnlib_as_it_is_in_this_folder(site):
    wheel = wheels(site)["cnnlib"]
    inside = {name: wheel.read(name) for name in wheel.namelist() if name.startswith("cnnlib/")}
    tracked = [
        path for path in ROOT.glob("cnnlib/**/*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert inside == {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in tracked}
    assert "cnnlib/data/digits.npz" in inside


def test_the_kernel_finds_every_package_that_it_loads(site):
    packages = kernel(site)["loadPyodideOptions"]["packages"]
    assert packages[:2] == ["numpy", "matplotlib"]
    # The URLs are seen from the folder of the script that runs the kernel.
    script = site / "lite" / "extensions" / run_in_browser.KERNEL / "static"
    assert any("loadPyodide" in path.read_text(encoding="utf-8") for path in script.glob("*.js"))
    assert all((script / url).resolve().is_file() for url in packages[2:])
    assert list(wheels(site)) == ["cnnlib", "comm", "ipywidgets"]


def test_the_wheels_of_installed_packages_are_whole(site):
    for name in run_in_browser.WIDGETS:
        wheel = wheels(site)[name]
        (record,) = [file for file in wheel.namelist() if file.endswith(".dist-info/RECORD")]
        for line in wheel.read(record).decode().splitlines():
            file, _, size = line.rsplit(",", 2)
            if size and not file.startswith("..") and not file.endswith(".pyc"):
                assert wheel.getinfo(file).file_size == int(size), file
        assert f"{name}/__init__.py" in wheel.namelist() and wheel.testzip() is None


def test_the_wheels_tell_nothing_of_the_machine_that_built_them(site):
    for name, wheel in wheels(site).items():
        assert {
            (entry.date_time, entry.create_system, entry.external_attr) for entry in wheel.infolist()
        } == {((1980, 1, 1, 0, 0, 0), 3, 0o644 << 16)}, name


def test_jupyterlite_has_the_extensions_that_it_needs_and_no_other(site):
    names = [extension["name"] for extension in config(site)["federated_extensions"]]
    assert sorted(names) == sorted(run_in_browser.EXTENSIONS)
    folder = site / "lite" / "extensions"
    assert {path.parent.relative_to(folder).as_posix() for path in folder.rglob("package.json")} == {*names}
    assert not list((site / "lite").rglob("*.map"))


def test_jupyterlite_names_no_other_machine_but_the_one_with_pyodide(site):
    text = (site / "lite" / "jupyter-lite.json").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"]*", text) == [run_in_browser.PYODIDE]


def test_the_files_are_new(site):
    """JupyterLite dates them to 1980; a browser takes old files to be good for a tenth of their age."""
    newest = (ROOT / "_toc.yml").stat().st_mtime
    assert min(path.stat().st_mtime for path in site.rglob("*") if path.is_file()) > min(
        newest, 1_500_000_000
    )


def test_the_python_of_the_tests_is_the_one_that_readers_get():
    if not (folder := os.environ.get("CNNLIB_PYODIDE_DIR")):
        pytest.skip("CNNLIB_PYODIDE_DIR names no folder with Pyodide")
    info = json.loads(Path(folder, "pyodide-lock.json").read_bytes())["info"]
    assert f"/v{info['version']}/" in run_in_browser.PYODIDE


def test_a_new_chapter_or_library_is_a_new_edition():
    files = {"book/a.ipynb": b"1", "cnnlib/b.py": b"2", "README.md": b"3"}
    same = [files, dict(reversed(files.items())), files | {"README.md": b"4"}]
    other = [files | {name: b"9"} for name in ("book/a.ipynb", "cnnlib/b.py", "cnnlib/c.py", "book/c.md")]
    assert len({run_in_browser.edition(each) for each in same}) == 1
    assert len({run_in_browser.edition(each) for each in [files, *other]}) == 5


def test_the_browser_keeps_the_copies_of_each_edition_apart(site):
    with zipfile.ZipFile(site / ZIP) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert config(site)["contentsStorageName"].endswith(f" {run_in_browser.edition(files)}")


# The zip.


@pytest.fixture(scope="module")
def unzipped(site, tmp_path_factory):
    """The folder that a reader gets from the zip."""
    folder = tmp_path_factory.mktemp("für Übungen #1 %20 " + "n" * 200 * (os.name != "nt"))
    with zipfile.ZipFile(site / ZIP) as archive:
        archive.extractall(folder)
    (top,) = folder.iterdir()
    assert top.name == run_in_browser.NAME
    return top


@pytest.fixture
def private():
    """New files are for their owner alone."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_zip_has_what_it_takes_to_run_a_chapter(unzipped):
    files = tree(unzipped)
    assert {*map("{}.ipynb".format, CHAPTERS), "README.md", "requirements.txt", "tools/constraints.txt"} <= {
        *files
    }
    library = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("cnnlib/**/*.py")]
    assert {*library, "cnnlib/data/digits.npz", "pyproject.toml"} <= {*files}
    assert not [name for name in files if "__pycache__" in name or "/." in name]
    assert filecmp.cmpfiles(ROOT, unzipped, files, shallow=False) == (files, [], [])


@pytest.mark.weekly
def test_the_zip_builds_the_same_book_byte_for_byte(site, unzipped, private):
    """A folder with a long and odd name, other times and modes on the files, and nothing of git: none of it shows in the book."""
    for path in unzipped.rglob("*"):
        path.chmod(path.stat().st_mode & ~0o077)
    status, said = jupyter_book("build", unzipped, lite=True)
    assert status == 0, said
    again, files = unzipped / "_build" / "html", tree(site)
    assert tree(again) == files
    assert filecmp.cmpfiles(site, again, files, shallow=False) == (files, [], [])
    left = {path.name for path in unzipped.iterdir()} - {path.name for path in ROOT.iterdir()}
    assert left <= {"_build"}


def test_without_jupyterlite_a_build_leaves_none_and_offers_the_zip(tmp_path):
    again = small_book(tmp_path) / "_build" / "html"
    (again / "lite").mkdir(parents=True)
    (again / "lite" / "index.html").write_text("of an older build", encoding="utf-8")
    status, said = jupyter_book("build", tmp_path)
    assert status == 0, said
    assert not (again / "lite").exists()
    assert built_pages.site_problems(again) == []
    for page in ("book/intro", "book/part"):
        assert list(links(again, page)) == ["zip"]


# What goes wrong is said.


@pytest.mark.parametrize("name", [".ci/run", ".github/workflows/ci.yml", ".github/workflows/weekly.yml"])
def test_no_browser_test_can_be_left_out_where_all_are_to_run(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "npm ci --prefix tests/browser" in text and re.search(r"CNNLIB_BROWSER\b[ =:\"]+required", text)


def test_the_option_stands_in_the_documents():
    for name in ("README.md", "CONTRIBUTING.md"):
        assert "CNNLIB_LITE=0" in (ROOT / name).read_text(encoding="utf-8")


def test_the_option_takes_0_or_1_only(monkeypatch):
    for value, meant in {"0": False, "1": True}.items():
        monkeypatch.setenv("CNNLIB_LITE", value)
        assert run_in_browser.wanted() is meant
    monkeypatch.delenv("CNNLIB_LITE")
    assert run_in_browser.wanted()
    for value in ("", "no", "2"):
        monkeypatch.setenv("CNNLIB_LITE", value)
        with pytest.raises(ConfigError, match=f"CNNLIB_LITE wants 0 or 1, got {value!r}"):
            run_in_browser.wanted()


def test_a_step_that_fails_says_what_the_program_said(tmp_path):
    with pytest.raises(ExtensionError, match=r"(?s)-c print\(1/0\) failed:.*ZeroDivisionError"):
        run_in_browser.run(tmp_path, "-c", "print(1/0)")
