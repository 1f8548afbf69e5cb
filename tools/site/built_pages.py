"""What the built pages of the book must be, for a reader who opens them from a folder, without a network.

`page_problems` compares a page with the notebook it was built from, `site_problems` looks at the links of all pages,
`weight_problems` at the size of everything. Each returns a list of sentences, empty where all is well.
"""

import base64
import re
from collections import Counter
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from cnnlib.show.svg import check_alt

MAX_BYTES = 1_500_000
MAX_SITE_BYTES = 15_000_000
LITE = "lite"  # JupyterLite's folder, a program with pages of its own
MARKDOWN = MarkdownIt().enable("table").use(dollarmath_plugin).use(amsmath_plugin).use(colon_fence_plugin)
MATH = {"amsmath", "math_block", "math_block_label", "math_inline", "math_inline_double"}
SHOWN = ("text/html", "image/svg+xml", "image/png", "text/plain")  # of several forms of one output, the first
WRAPPERS = re.compile(
    r"\\[()\[\]]|\\(?:begin|end)\{(?:split|aligned|equation)\}"
)  # Sphinx puts them round a formula
REMOVED = {"remove-cell", "remove-output"}
LOADED = ("src", "srcset", "poster", "data", "xlink:href")
ADDRESS = re.compile(r"\s*(?:https?:)?//")
IN_TEXT = re.compile(r"https?://(?!www\.w3\.org/)\S{,80}")  # w3.org names namespaces, nothing fetches them
SERVICES = re.compile(r"launch|binder|colab|thebe|jupyterhub", re.IGNORECASE)


@lru_cache(maxsize=64)
def _parsed(html):
    return BeautifulSoup(html, "html.parser")


def parsed(path):
    """The page in `path`, as a tree that nobody may change: the next who asks gets the same."""
    return _parsed(path.read_text(encoding="utf-8"))


def squeezed(text):
    """The text without any white space: a page wraps and indents as it likes."""
    return "".join(text.split())


def formulas(markdown):
    """The TeX of every formula in MyST Markdown, in order, those inside of directives included."""
    for token in MARKDOWN.parse(markdown):
        for part in token.children or [token]:
            directive = re.match(r"\{([\w-]+)\}(.*)", part.info) if "fence" in part.type else None
            if part.type in MATH:
                yield part.content
            elif directive and directive[1] == "math":
                yield re.sub(r"^:\w+:.*\n", "", part.content, flags=re.MULTILINE)
            elif directive and not directive[1].startswith("code"):
                yield from formulas(directive[2])
                yield from formulas(part.content)


def title(markdown):
    """The words of the first heading, less its formulas."""
    tokens = iter(MARKDOWN.parse(markdown))
    heading = next((next(tokens) for token in tokens if token.type == "heading_open"), None)
    parts = heading.children if heading else []
    return "".join(part.content for part in parts if part.type in {"text", "code_inline"})


def page_problems(path, notebook):
    """Where the page in `path` falls short of its notebook: title, formulas, outputs and pictures in their order; a
    picture without a description, or with one that says nothing or that another has too; anything loaded from
    elsewhere; a button for a service; a page too large."""
    html = path.read_text(encoding="utf-8")
    page = _parsed(html)
    if (article := page.find("article")) is None:
        return ["no article"]
    problems = [*_prose(article, notebook), *_outputs(path, html, article, notebook)]
    problems += _undescribed(article) + _elsewhere(page)
    problems += [f"a button for a service: {tag}" for tag in _services(page)]
    if (size := len(html.encode())) > MAX_BYTES:
        problems.append(f"{size:,} bytes, more than {MAX_BYTES:,}")
    return problems


def loads(path):
    """What the page in `path` loads from another machine."""
    return _elsewhere(parsed(path))


def _prose(article, notebook):
    prose = "\n\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    headings = [[s for s in tag.strings if s.parent.name not in {"a", "span"}] for tag in article("h1")]
    problems = []
    if [squeezed("".join(strings)) for strings in headings] != [squeezed(title(prose))]:
        problems.append(f"wanted one h1, {title(prose)!r}, got {article('h1')}")
    shown = ["".join(_strings_without_number(tag)).strip() for tag in article.select(".math")]
    shown = Counter(_tex(text) for text in shown if text.startswith("\\"))  # or MathJax takes it for words
    missing = Counter(map(_tex, formulas(prose))) - shown
    return problems + [f"formula missing: {tex}" for tex in missing.elements()]


def _tex(formula):
    return WRAPPERS.sub("", squeezed(formula))


def _strings_without_number(tag):
    return (string for string in tag.strings if not string.find_parent(class_="eqno"))


def _outputs(path, html, article, notebook):
    text = squeezed("".join(tag.get_text() for tag in article.select(".cell_output")))
    pictures = {(path.parent / tag["src"]).read_bytes() for tag in article.select(".cell_output img[src]")}
    problems, at = [], {"text": 0, "html": 0}
    for number, cell in enumerate((c for c in notebook["cells"] if c["cell_type"] == "code"), 1):
        if REMOVED & set(cell["metadata"].get("tags", [])):
            continue
        for output in cell["outputs"]:
            data = output.get("data", {"text/plain": output.get("text", "")})
            mime = next((mime for mime in SHOWN if mime in data), None)
            if mime in {"text/html", "text/plain"}:
                kind, page = ("html", html) if mime == "text/html" else ("text", text)
                stored = data[mime].strip() if kind == "html" else squeezed(data[mime])
                found = page.find(stored, at[kind])
                at[kind] = found + len(stored) if found >= 0 else at[kind]
            elif mime is not None:
                stored = base64.b64decode(data[mime]) if mime == "image/png" else data[mime].encode()
                found = 0 if stored.strip() in {picture.strip() for picture in pictures} else -1
            else:
                found = -1
            if found < 0:
                problems.append(
                    f"code cell {number}: its {mime or sorted(data)} output is missing or out of order"
                )
    return problems


def _undescribed(article):
    problems = []
    for tag in article("img"):
        alt = tag.get("alt", "").strip()
        if not alt or alt in tag.get("src", ""):
            problems.append(f"a picture without alternative text: {str(tag)[:120]}")
    for tag in article("svg"):
        line = [tag, *tag.parents]
        named = any(
            e.get("role") == "img" and (e.get("aria-label") or e.get("aria-labelledby")) for e in line
        )
        if not named and not any(e.get("aria-hidden") == "true" for e in line):
            problems.append(f"a drawing without alternative text: {str(tag)[:120]}")
    texts = list(_alternatives(article))
    for text in texts:
        try:
            check_alt(text)
        except ValueError as error:
            problems.append(str(error))
    return problems + [f"{n} pictures are said to be {text!r}" for text, n in Counter(texts).items() if n > 1]


def _alternatives(article):
    """The alternative text of each picture, and of each frame of those that move."""
    yield from (tag["alt"] for tag in article("img") if tag.get("alt"))
    yield from (tag["aria-label"] for tag in article(role="img") if tag.get("aria-label"))
    for frames in article.select(".cnn-frames"):
        for frame in frames.select_one(".cnn-view").find_all(recursive=False):
            yield frame.get("data-alt", frames.p.get_text())


def _elsewhere(page):
    loaded = [tag[name] for tag in page(True) for name in LOADED if tag.has_attr(name)]
    loaded += [tag["href"] for tag in page(["link", "use", "image", "base"]) if tag.has_attr("href")]
    texts = [tag.get_text() for tag in page(["script", "style"])] + [tag["style"] for tag in page(style=True)]
    found = [address for address in loaded if ADDRESS.match(address)]
    found += [hit for text in texts for hit in IN_TEXT.findall(text)]
    return [f"loads from elsewhere: {address[:80]}" for address in found]


def _services(page):
    for tag in page(["a", "button", "script"]):
        values = [tag.get_text()] if tag.name != "script" else []
        values += [" ".join(v) if isinstance(v, list) else v for v in tag.attrs.values()]
        if any(SERVICES.search(value) for value in values):
            yield str(tag)[:120]


def site_problems(site):
    """Links between the pages under `site` that lead nowhere, and style sheets that load from elsewhere."""
    site = Path(site)

    @cache
    def anchors(path):
        return {tag["id"] for tag in parsed(path)(id=True)}

    problems = []
    for path in sorted(site.rglob("*.html")):
        if path.relative_to(site).parts[0] in {"_static", LITE}:  # the theme's templates, another program
            continue
        for link in [
            tag[name] for tag in parsed(path)(True) for name in ("href", "src") if tag.has_attr(name)
        ]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            if not target.is_file():
                problems.append(f"{path.relative_to(site).as_posix()}: {link} leads nowhere")
            elif parts.fragment and unquote(parts.fragment) not in anchors(target):
                problems.append(f"{path.relative_to(site).as_posix()}: {link} has no such place")
    for path in sorted(site.rglob("*.css")):
        if path.is_relative_to(site / LITE):
            continue
        hit = re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']*", path.read_text(encoding="utf-8"))
        if hit:
            problems.append(f"{path.relative_to(site).as_posix()} loads from elsewhere: {hit[0]}")
    return problems


def weight_problems(site):
    """Whether all files under `site` but those of JupyterLite together are too large."""
    paths = [
        path for path in Path(site).rglob("*") if path.is_file() and not path.is_relative_to(site / LITE)
    ]
    sizes = {path.relative_to(site).as_posix(): path.stat().st_size for path in paths}
    if (total := sum(sizes.values())) <= MAX_SITE_BYTES:
        return []
    largest = ", ".join(f"{name} {sizes[name]:,}" for name in sorted(sizes, key=sizes.get)[:-11:-1])
    return [f"{total:,} bytes, more than {MAX_SITE_BYTES:,}; the largest files: {largest}"]
