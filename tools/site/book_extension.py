"""What the book needs of Sphinx beyond `_config.yml`: light pages, no file that nothing loads, and builds that fail
on warnings."""

import re
import shutil
from pathlib import Path

PROGRAM = re.compile(r'<div class="highlight"><pre>.*?</pre>', re.DOTALL)
PLAIN = re.compile(r'<span class="(?:n|nn|p|w)">([^<]*)</span>')
SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)
SPAN = re.compile(r"<span\b[^>]*>|</span>")
PLAIN_MARK = re.compile(r'<span class="(?:n|nn|p|w)">')
ICONS = "scripts/fontawesome.js"
ICON = re.compile(
    r'"?([\w-]+)"?:\[\d+,\d+,\[[^]]*],"[0-9a-f]*",(?:"[^"]*"|\[[^]]*])],?'
)  # name: [..., its outline]


def lighten(app, pagename, templatename, context, doctree):
    """Take the marks off the tokens of programs that have the colour of all text, over half of them."""
    if "body" in context:
        context["body"] = PROGRAM.sub(lambda program: PLAIN.sub(r"\1", program[0]), context["body"])
        context["body"] = SIGNATURE.sub(lambda signature: unmarked(signature[0]), context["body"])


def unmarked(html):
    """A signature without such marks, whatever they hold, and with its lines as such."""
    kept = []

    def replaced(tag):
        if tag[0] == "</span>":
            return tag[0] * kept.pop()
        kept.append(not PLAIN_MARK.fullmatch(tag[0]))
        return tag[0] * kept[-1]

    html = SPAN.sub(replaced, html)
    for tag, name in (
        ("dl", "sig-lines"),
        ("dd", "sig-line"),
    ):  # a list without terms is none for who hears it
        html = html.replace(f"<{tag}>", f'<span class="{name}">').replace(f"</{tag}>", "</span>")
    return html


def drop_unused(app, exception):
    """Leave out what no page loads: the theme's source maps, its fonts in the form for browsers of before 2016, the
    translations that Sphinx itself reads, and two thousand icons."""
    static = Path(app.outdir, "_static")
    for path in [*static.rglob("*.map"), *static.rglob("*.ttf")]:
        path.unlink()
    shutil.rmtree(static / "locales", ignore_errors=True)
    if (icons := static / ICONS).is_file():
        used = icons_in(static.parent)
        script = icons.read_text(encoding="utf-8")
        script = ICON.sub(lambda icon: icon[0] * (icon[1] in used), script)
        # A style sheet that comes when the page is there would give every element of it its style once more.
        script = script.replace("autoAddCss:!0", "autoAddCss:!1")
        icons.write_text(script, encoding="utf-8", newline="\n")


def icons_in(site):
    """The names of the icons in the pages under `site` and in the scripts that they load."""
    scripts = (path for path in site.glob("_static/**/*.js") if not path.match(ICONS))
    texts = (path.read_text(encoding="utf-8") for path in [*site.rglob("*.html"), *scripts])
    return {name for text in texts for name in re.findall(r"\bfa-([\w-]+)", text)}


def fail_on_warnings(app, exception):
    """Forget what a build with warnings has read, so that the next one shows them again instead of passing."""
    if app._warncount:
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)


def setup(app):
    """Register the hooks. `keep_going` makes Sphinx report every warning and then exit with status 1."""
    app.keep_going = True
    app.connect("html-page-context", lighten)
    app.connect("build-finished", drop_unused)
    app.connect("build-finished", fail_on_warnings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
