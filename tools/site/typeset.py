"""Formulas as drawings in the pages, made when the book is built: by MathJax, in the JavaScript engine of mini-racer."""

import atexit
import json
import os
import re
from functools import lru_cache
from html import unescape
from importlib import metadata
from pathlib import Path

import symbols
from py_mini_racer import MiniRacer
from sphinx.ext.mathjax import html_visit_displaymath, html_visit_math
from sphinx.jinja2glue import BuiltinTemplateLoader
from sphinx.util.logging import getLogger

MATHJAX = "sphinx-mathjax-offline/static/mathjax"
PARTS = "startup core adaptors/liteDOM input/tex output/svg output/svg/fonts/tex a11y/assistive-mml".split()
SETTINGS = {
    "startup": {"typeset": False},  # there is no page
    "svg": {"fontCache": "global"},  # a page has each letter once
    "tex": {"packages": ["base", "ams", "newcommand"]},  # none that shows a wrong command as it stands
}
# Where formulas stand: in the text of chapters, and in outputs that ask for it.
PLACES = re.compile(
    r'<(span|div) class="(?:[\w-]+ )*math notranslate[^>]*>.*?</\1>|<div class="[^"]*tex2jax_process.*?</div>',
    re.DOTALL,
)
# A formula in a line, with the signs that a line must not begin or end with: browsers break lines beside any drawing.
KEPT = re.compile(
    r'([(\[“‘]*)(<span class="(?:[\w-]+ )*math notranslate[^>]*>)([^<]*)</span>((?:’s\b|[,.;:!?)\]’”])+)'
)
BODY = re.compile(r"<body\b[^>]*>")
FORMULA = re.compile(r"\\\((.+?)\\\)|\\\[(.+?)\\\]|(\\begin\{([a-z]+\*?)\}.+\\end\{\4\})", re.DOTALL)


@lru_cache(maxsize=1)
def engine(process):
    """MathJax, ready to draw; for one process, because none can use that of another."""
    folder = Path(metadata.distribution("sphinx-mathjax-offline").locate_file(MATHJAX))
    scripts = [*(folder / f"{part}.js" for part in PARTS), Path(__file__).with_suffix(".js")]
    if missing := [path for path in scripts if not path.is_file()]:
        raise FileNotFoundError(f"{missing[0]} is missing: run pip install -r requirements.txt")
    mathjax = MiniRacer()
    atexit.register(
        mathjax.close
    )  # its threads are gone when Python clears the rest away, which waits for them
    mathjax.eval(f"var MathJax = {json.dumps(SETTINGS)};")
    mathjax.eval("\n;".join([*(path.read_text(encoding="utf-8") for path in scripts), "true"]))
    return mathjax


def drawn(html, refused, sought=()):
    """A page with its formulas drawn, each with its TeX as `data-tex`, and the letters of them all before its text. What
    is no TeX stays as it is, and `refused` is called with a sentence. `sought`: as symbols.sought gives them; parts of drawings
    that show one have its key as `data-s`."""
    there = [found for place in PLACES.finditer(html) for found in FORMULA.finditer(place[0])]
    if not there:
        return html
    asked = list(dict.fromkeys(map(_formula, there)))  # each once
    letters, drawings = json.loads(engine(os.getpid()).call("draw", asked, list(sought)))
    drawings = dict(zip(asked, drawings, strict=True))

    def draw(found):
        tex, display = formula = _formula(found)
        if error := drawings[formula].get("error"):
            refused(f"a formula cannot be drawn: {tex}: {error}")
            return found[0]
        source, kind = found[0].replace('"', "&quot;"), ' display="true"' * display
        return (
            f'<mjx-container jax="SVG"{kind} data-tex="{source}">{drawings[formula]["html"]}</mjx-container>'
        )

    html = KEPT.sub(r'<span class="kept">\1\2\3</span>\4</span>', html)
    html = PLACES.sub(lambda place: FORMULA.sub(draw, place[0]), html)
    return BODY.sub(lambda body: body[0] + letters, html, count=1)


def _formula(found):
    """(TeX, whether it is displayed) of what FORMULA has found."""
    return unescape(next(filter(None, found.groups()))), found[1] is None


class Pages(BuiltinTemplateLoader):
    """Sphinx's pages, whole, with what stands in their sidebars, and their formulas drawn."""

    def render(self, template, context):
        def refused(said):
            getLogger(__name__).warning(said, location=context.get("pagename"))

        html = drawn(
            super().render(template, context),
            refused,
            symbols.sought() if context.get("explained_by") else (),
        )
        if not (pages := context.get("explained_by")):
            return html
        return symbols.explained(html, context["pagename"], context["pathto"], pages)


def setup(app):
    """Register a renderer that writes TeX as Sphinx does and lets no page load MathJax."""
    app.add_html_math_renderer("drawn", (html_visit_math, None), (html_visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
