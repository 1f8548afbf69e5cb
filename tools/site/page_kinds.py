"""The two kinds of pages: chapters, which are notebooks, and texts, which are Markdown files.

A chapter is run, has outputs, needs others and is read in so many minutes. A text is where a reader looks something up; the
build may fill it in, by directives whose nodes are searched and linked as all others are. So a text has no menu "Run", no
minutes and no place in the map; a link to it in JupyterLite is its title alone.
"""

from pathlib import Path

from sphinx_external_toc.parsing import parse_toc_yaml


def listed(root):
    """Every page of the table of contents in its order, the first page first."""
    return [str(page) for page in parse_toc_yaml(Path(root, "_toc.yml"))]


def parts(root):
    """[(caption, [page, ...]), ...] of the table of contents, less the first page."""
    toc = parse_toc_yaml(Path(root, "_toc.yml"))
    return [(tree.caption, [str(page) for page in tree.items]) for tree in toc.root.subtrees]


def is_chapter(root, page):
    """Whether a page, by its name in the table of contents, is a notebook."""
    return Path(root, f"{page}.ipynb").is_file()


def chapters(root):
    """The pages of the table of contents that are notebooks, in their order, the first page first."""
    return [page for page in listed(root) if is_chapter(root, page)]


def texts(root):
    """The pages of the table of contents that are Markdown files, in their order."""
    return [page for page in listed(root) if not is_chapter(root, page)]
