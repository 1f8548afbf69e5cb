"""Links to places that are no longer where they were: a page knows where its old anchors have gone (moved.toml)."""

import json
import tomllib
from pathlib import Path

TABLE = Path(__file__).with_name("moved.toml")


def moved():
    """{page: {old anchor: "page.html#anchor"}}; an empty anchor of the target is the page's beginning."""
    read, found = tomllib.loads(TABLE.read_text(encoding="utf-8")), {}
    for page, anchors in read.items():
        for old, new in anchors.items():
            target, _, anchor = new.partition("#")
            found.setdefault(page, {})[old] = f"{target or page}.html" + f"#{anchor}" * bool(anchor)
    return found


def tell(app, pagename, templatename, context, doctree):
    """Write a page's own part of the table into it, for `book/_static/moved.js`."""
    folder, _, name = pagename.rpartition("/")
    if folder == "book" and "body" in context and (own := moved().get(name)):
        table = json.dumps(own, sort_keys=True).replace("<", "\\u003c")
        context["body"] += f'\n<script type="application/json" id="moved">{table}</script>\n'


def setup(app):
    """Register the hook; the table is no source file of Sphinx, so a change of it needs a build from nothing."""
    app.connect("html-page-context", tell)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
