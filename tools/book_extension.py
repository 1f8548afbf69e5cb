"""What the book needs of Sphinx beyond `_config.yml`: MathJax from this machine, and builds that fail on warnings."""

from importlib import metadata
from pathlib import Path

MATHJAX = "sphinx-mathjax-offline/static/mathjax/tex-svg-full.js"  # the one file that loads no other


def add_mathjax(app, config):
    """Let every page find MathJax in the book's own folder."""
    path = Path(metadata.distribution("sphinx-mathjax-offline").locate_file(MATHJAX))
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run pip install -r requirements.txt")
    config.html_static_path.append(str(path))


def fail_on_warnings(app, exception):
    """Forget what a build with warnings has read, so that the next one shows them again instead of passing."""
    if app._warncount:
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)


def setup(app):
    """Register the hooks. `keep_going` makes Sphinx report every warning and then exit with status 1."""
    app.keep_going = True
    app.connect("config-inited", add_mathjax)
    app.connect("build-finished", fail_on_warnings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
