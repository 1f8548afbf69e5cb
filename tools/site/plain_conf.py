"""Writes into a folder the `conf.py` with which Sphinx builds this book without Jupyter Book, which holds it at Sphinx 7:

    python tools/site/plain_conf.py FOLDER
    sphinx-build -W -n --keep-going -c FOLDER . FOLDER/html

The first line needs Jupyter Book, the second what the extra `book` of pyproject.toml names, in any version.
"""

import runpy
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
JUPYTER_BOOKS = {"jupyter_book", "sphinx_comments"}  # extensions that only Jupyter Book needs
PATHS = "html_static_path", "templates_path", "html_favicon"  # Sphinx seeks them from where conf.py is


def settings(root=ROOT):
    """{name: value} of what `jupyter-book config sphinx` writes for the book in `root`, less what is Jupyter Book's."""
    program = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
    with TemporaryDirectory() as folder:
        for name in ("_config.yml", "_toc.yml"):
            shutil.copyfile(root / name, Path(folder, name))
        subprocess.run(
            [program, "config", "sphinx", folder],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        written = runpy.run_path(str(Path(folder, "conf.py")))
    written = {name: value for name, value in written.items() if not name.startswith("__")}
    written["extensions"] = [name for name in written["extensions"] if name not in JUPYTER_BOOKS]
    del written["comments_config"]  # an option of sphinx_comments
    for name in PATHS:
        value = written[name]
        written[name] = str(root / value) if isinstance(value, str) else [str(root / path) for path in value]
    return written


def text(settings, root=ROOT):
    """The conf.py that sets these settings and finds the extensions in tools/site."""
    lines = ["import sys", f"sys.path.insert(0, {str(root / 'tools' / 'site')!r})"]
    return "\n".join([*lines, *(f"{name} = {value!r}" for name, value in settings.items()), ""])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("plain_conf.py wants the one folder for conf.py: python tools/site/plain_conf.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conf.py").write_text(text(settings()), encoding="utf-8")
