"""What lets a reader run a chapter: the links at its top, the zip that they offer, and JupyterLite in the book.

The environment variable CNNLIB_LITE=0 leaves JupyterLite out.
"""

import hashlib
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import zipfile
from html import escape
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import nbformat
from sphinx.errors import ConfigError, ExtensionError

import page_kinds

NAME = "backpropagation-executed"
PYODIDE = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/pyodide.js"  # for jupyterlite-pyodide-kernel 0.6.1
KERNEL = "@jupyterlite/pyodide-kernel-extension"
EXTENSIONS = [KERNEL, "@jupyter-widgets/jupyterlab-manager", "jupyterlab-myst"]
WIDGETS = ["comm", "ipywidgets"]  # Python packages that Pyodide has not
EPOCH = 315532800  # 1980, before which no zip can be: every build gives the same bytes
# Besides the chapters, what it takes to run them and to build the book.
SOURCES = """README.md CONTRIBUTING.md CODE_OF_CONDUCT.md CHANGELOG.md CITATION.cff LICENSE pyproject.toml requirements.txt _config.yml _toc.yml
tools/**/*.py tools/**/*.js tools/**/*.css tools/**/*.toml tools/constraints.txt cnnlib/**/*.py cnnlib/py.typed cnnlib/data/* cnnlib/show/* book/*.md book/*.bib book/_static/**/* book/_templates/**/* assignment/*""".split()
ICON = '<link rel="icon" href="favicon.ico">'
HELP = '<script src="../../_static/lite.js" defer></script>'  # the way back, and how far Run All has come
PAGE = re.compile(r"book/[^/]+\.(?:ipynb|md)")
UNNAMED = re.compile(r"\[\]\(([\w/.-]+)\.ipynb((?:#[\w-]+)?)\)")  # a link to a chapter, which a page names
TO_A_TEXT = re.compile(r"\[([^][]*)\]\(([\w/.-]+)\.md(?:#[\w-]+)?\)")  # a link to a page that is no chapter
SETTINGS = {
    # Extensions render the cells that they find in the page, and a browser's search finds text there.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/filebrowser-extension:browser": {"showLastModifiedColumn": False},  # it would say 1980
    "@jupyterlab/shortcuts-extension:shortcuts": {  # they would take the arrow keys from the sliders of frames
        "shortcuts": [
            {
                "command": f"notebook:move-cursor-heading-{where}",
                "keys": [key],
                "disabled": True,
                "selector": ".jp-Notebook.jp-mod-commandMode:not(.jp-mod-readWrite) :focus",
            }
            for where, key in (("above-or-collapse", "ArrowLeft"), ("below-or-expand", "ArrowRight"))
        ]
    },
}
ZIP = """<a class="run-chapter-zip" href="{zip}" download>All notebooks (zip)</a>"""
LINKS = f"""<a class="run-chapter-start" href="{{run}}" data-python="{PYODIDE}">Run this chapter in your browser</a>
<a class="run-chapter-notebook" href="{{notebook}}" download>Download the notebook</a>
{ZIP}</p>
<p class="run-chapter-hint">The first run downloads Python, about 30 MB. Choose Run, Run All Cells.
Keep your changes with File, Download.</p>
<p class="run-chapter-message" role="status">"""
PANEL = """<div class="run-chapter">
<p>{links}</p>
</div>"""
# In the corner of the other pages.
MENU = """<details class="run-chapter">
<summary class="btn btn-sm"><i class="fa-solid fa-{icon}" aria-hidden="true"></i> {word}</summary>
<div><p>{links}</p></div>
</details>"""


def wanted():
    """Whether the book is to contain JupyterLite. ConfigError where CNNLIB_LITE is neither 0 nor 1."""
    value = os.environ.get("CNNLIB_LITE", "1")
    if value not in {"0", "1"}:
        raise ConfigError(f"CNNLIB_LITE wants 0 or 1, got {value!r}")
    return value == "1"


def add_links(app, pagename, templatename, context, doctree):
    """Offer a page that was a notebook: on the first page under its title, on others in the corner. Its file is
    JupyterLite's: a second copy of all notebooks would be a third of the book. Without JupyterLite the zip is left."""
    context["run_chapter"] = ""
    if doctree is None or not page_kinds.is_chapter(app.srcdir, pagename):
        return

    def address(file):
        return escape(context["pathto"](file, 1))

    links = (LINKS if app.config.book_lite else ZIP).format(
        run=f"{address('lite/notebooks/index.html')}?path={quote(pagename)}.ipynb",
        notebook=address(f"lite/files/{pagename}.ipynb"),
        zip=address(f"{NAME}.zip"),
    )
    if pagename == app.config.root_doc:
        panel = PANEL.format(links=links)
        context["body"] = context["body"].replace("</h1>", f"</h1>\n{panel}", 1)
    else:
        icon, word = ("play", "Run") if app.config.book_lite else ("download", "Download")
        context["run_chapter"] = MENU.format(links=links, icon=icon, word=word)


def add_files(app, exception):
    """Put the zip and JupyterLite beside the pages, once these are there."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    files = sources(app)
    write_zip(out / f"{NAME}.zip", {f"{NAME}/{name}": data for name, data in files.items()})
    shutil.rmtree(out / "lite", ignore_errors=True)  # an update would keep settings that have changed
    if app.config.book_lite:
        with TemporaryDirectory() as folder:
            build_lite(app, files, Path(folder), out / "lite")


def sources(app):
    """{path: content} of all chapters and of what SOURCES names."""
    root = Path(app.srcdir)
    paths = [Path(app.env.doc2path(page)) for page in app.env.all_docs]
    named = [path for pattern in SOURCES for path in root.glob(pattern)]
    paths += [path for path in named if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def write_zip(path, files):
    """A zip of {name: content}, the same bytes whenever it is written."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # as on Unix, readable for all
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED)


def build_lite(app, files, folder, out):
    """Build JupyterLite into `out`, with the chapters and with a Python that knows cnnlib, by way of `folder`."""
    site, built = folder / "site", folder / "out"
    wheels = site / "pypi"
    wheels.mkdir(parents=True)
    packages = [
        build_wheel(files, folder / "source", wheels),
        *(rebuild_wheel(name, wheels) for name in WIDGETS),
    ]
    chapters = {name: data for name, data in files.items() if name.endswith(".ipynb")}
    titles = {page: title.astext() for page, title in app.env.titles.items()}
    for name, data in chapters.items():
        write(site / "files" / name, for_jupyterlite(data, name, titles))
    data = {
        "appName": app.config.html_title,
        "contentsStorageName": f"{app.config.html_title} {edition(files)}",
        "disabledExtensions": ["@jupyter-notebook/notebook-extension:checkpoints"],  # the last was in 1980
        "exposeAppInBrowser": True,  # for book/_static/lite.js, and for the tests
        "litePluginSettings": {f"{KERNEL}:kernel": kernel_settings(packages)},
    }
    extensions = Path(sys.prefix, "share", "jupyter", "labextensions")
    config = {
        "apps": ["notebooks", "tree", "lab"],
        "cache_dir": str(folder / "cache"),
        "federated_extensions": [str(extensions / name) for name in EXTENSIONS],
        "ignore_sys_prefix": ["federated_extensions"],  # no other extension, whatever is installed
        "no_libarchive": True,
        "no_sourcemaps": True,
        "no_unused_shared_packages": True,
        "output_dir": str(built),
    }
    write_json(site / "jupyter-lite.json", {"jupyter-lite-schema-version": 0, "jupyter-config-data": data})
    write_json(site / "overrides.json", SETTINGS)
    write_json(site / "jupyter_lite_config.json", {"LiteBuildConfig": config})
    run(site, "-m", "jupyterlite_core", "build")
    for page in built.glob("*/index.html"):  # or a browser asks for an icon at the server's root
        head = ICON + HELP * (page.parent.name == "notebooks")
        html = page.read_text(encoding="utf-8").replace("<head>", f"<head>{head}", 1)
        page.write_text(html, encoding="utf-8")
    # With new times: a browser may take files of 1980 to be good for years.
    shutil.copytree(built, out, copy_function=shutil.copyfile)


def edition(files):
    """A digest of what readers read and run. Their own copy of a chapter, kept under it, must not hide the next edition."""
    held = [name for name in sorted(files) if name.startswith("cnnlib/") or PAGE.fullmatch(name)]
    return hashlib.sha256(b"".join(name.encode() + files[name] for name in held)).hexdigest()[:12]


def kernel_settings(packages):
    """Where the kernel finds Python, and what it loads before the first cell. The file names in `packages` are seen
    from the kernel's own script, so that the book may lie in any folder of a server."""
    packages = ["numpy", "matplotlib", *(f"../../../../pypi/{name}" for name in packages)]
    return {"pyodideUrl": PYODIDE, "loadPyodideOptions": {"packages": packages}}


def build_wheel(files, source, wheels):
    """The file name of cnnlib's wheel, built from `files`: never from what an earlier build left in the tree."""
    for name, data in files.items():
        write(source / name, data)
    options = "--no-deps --no-build-isolation --no-index --disable-pip-version-check --wheel-dir".split()
    run(source, "-m", "pip", "wheel", *options, str(wheels), ".")
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(
        wheel
    ) as archive:  # anew: setuptools keeps the modes of the files, which follow the umask
        members = {name: archive.read(name) for name in archive.namelist()}
    write_zip(wheel, members)
    return wheel.name


def rebuild_wheel(name, wheels):
    """The file name of a wheel that is made of an installed package, which must be plain Python."""
    package = metadata.distribution(name)
    files = {
        path.as_posix(): path.read_binary()
        for path in package.files
        if ".." not in path.parts and path.suffix != ".pyc"
    }
    wheel = f"{name}-{package.version}-py3-none-any.whl"
    write_zip(wheels / wheel, files)
    return wheel


def for_jupyterlite(data, name, titles):
    """The notebook `name` as JupyterLite must get it: each text in one piece, for it does not join the lines of a printed
    one; trusted, or it would show no drawing before the first run; and with the titles of the chapters, {page: title},
    in links to them, where Jupyter would show the name of a file. A link to a text, which is not in JupyterLite, is its
    words."""

    def title(page):
        return titles.get(posixpath.normpath(posixpath.join(posixpath.dirname(name), page)), page)

    notebook = nbformat.reads(data.decode(), as_version=4)
    for cell in notebook.cells:
        cell.metadata.trusted = True
        if cell.cell_type == "markdown":
            cell.source = UNNAMED.sub(lambda to: f"[{title(to[1])}]({to[1]}.ipynb{to[2]})", cell.source)
            cell.source = TO_A_TEXT.sub(lambda to: to[1] or title(to[2]), cell.source)
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode()


def write(path, data):
    """The bytes into a file, in folders that are made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_json(path, value):
    """The value into a file, as JSON."""
    write(path, json.dumps(value, indent=1).encode())


def run(folder, *arguments):
    """Run Python in a folder, without the user's settings of Jupyter; ExtensionError with what it said if it fails."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    settings = {"JUPYTER_CONFIG_DIR": str(folder), "PYTHONUTF8": "1", "SOURCE_DATE_EPOCH": str(EPOCH)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=kept | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise ExtensionError(f"{' '.join(arguments)} failed:\n{done.stdout}")


def setup(app):
    """Register the hooks. A change of CNNLIB_LITE writes all pages anew."""
    app.add_config_value("book_lite", wanted(), "html", bool)
    app.connect("html-page-context", add_links)
    app.connect("build-finished", add_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
