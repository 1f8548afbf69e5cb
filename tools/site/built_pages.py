"""What the built pages of the book must be, for a reader who opens them from a folder, without a network.

`page_problems` compares a page with the notebook it was built from, `site_problems` looks at the links of all pages,
`weight_problems` at the size of everything. Each returns a list of sentences, empty where all is well.
"""

import base64
import os
import re
from collections import Counter
from contextlib import suppress
from functools import cache, lru_cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from cnnlib.show.svg import check_alt

MAX_BYTES = 1_500_000
MAX_SITE_BYTES = 20_000_000
LITE = "lite"  # JupyterLite's folder, a program with pages of its own
MARKDOWN = MarkdownIt().enable("table").use(dollarmath_plugin).use(amsmath_plugin).use(colon_fence_plugin)
MATH = {"amsmath", "math_block", "math_block_label", "math_inline", "math_inline_double"}
SHOWN = ("text/html", "image/svg+xml", "image/png", "text/plain")  # of several forms of one output, the first
WRAPPERS = re.compile(
    r"\\[()\[\]]|\\(?:begin|end)\{(?:split|aligned|equation)\}"
)  # Sphinx puts them round a formula
DRAWN = re.compile(r'<mjx-container\b[^>]*? data-tex="([^"]*)">(.*?)</mjx-container>', re.DOTALL)
# A drawn formula: its strokes, and MathML. Nothing in it asks for anything.
DRAWING = re.compile(
    r"""<svg[^<>]*>.*<(?:use|path|rect)\b.*</svg>\s*<mjx-assistive-mml[^<>]*><math[^<>]*><m.*</math></mjx-assistive-mml>""",
    re.DOTALL,
)
TAG = re.compile(r"<[^>]*>")
OF_A_DRAWING = re.compile(
    r"""</?(?:svg|g|use|path|rect|line|mjx-assistive-mml|math|m[a-z]+)
    (?:\ (?:href="\#[\w-]+"|style="vertical-align:\ [-.\d]+(?:ex)?;"|(?!href|src|style|on)[\w-]+="[^"/\\:&]*"))*\ ?>""",
    re.VERBOSE,
)
REMOVED = {"remove-cell", "remove-output"}
# What makes a browser ask for something, at once or when a reader clicks without seeing whom it asks.
LISTS = {"srcset", "imagesrcset", "ping", "archive", "values"}
LOADED = LISTS | set(
    """src poster data background href xlink:href manifest codebase classid code lowsrc dynsrc action formaction
    attributionsrc to from by value""".split()
)
LINKS = {"a", "area"}  # their href waits for a reader, who sees it
MOVES = {"set", "animate"}
ONLY_IN = {"value": {"param"}, "to": MOVES, "from": MOVES, "by": MOVES, "data": {"object"}}
AROUND = "".join(map(chr, range(33)))  # white space and controls, which a browser takes off an address
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)
ADDRESS = re.compile(r"(?:https?|wss?|ftps?|file):(?!//www\.w3\.org/)|(?<!:)//", re.IGNORECASE)
HERE = re.compile(r"(?:data|about|blob|javascript|mailto):", re.IGNORECASE)
# Addresses of www.w3.org with a year name namespaces, nothing fetches them.
IN_TEXT = re.compile(
    r"""(?:https?|wss?|ftps?):[/\\]{1,2}+(?!www\.w3\.org/\d{4}/)\S{,80}
    |(?<=["'`])(?:(?:https?|wss?|ftps?):[\w[]|file:|//(?:\w[\w-]*\.\w|localhost|\[))\S{,80}""",
    re.IGNORECASE | re.VERBOSE,
)
CSS_ADDRESS = r"""(?:(?:url|src|image)\(|@import(?:\s|/\*[^*]{,99}\*/){,9}|image-set\([^)]{,999}?[\s,(])\s*+["']?+\s*+"""
IN_CSS = re.compile(
    rf"""{CSS_ADDRESS}(?:(?:https?|wss?|ftps?|file):|[/\\]{{2}})[^)"']{{,80}}""", re.IGNORECASE
)
TEXT_IN_CSS = re.compile(rf"""{CSS_ADDRESS}(data:[^)"']+)""", re.IGNORECASE)
ESCAPE = re.compile(  # of CSS and JavaScript
    r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\}|([0-9a-f]{1,6})\s?|(?=/))", re.IGNORECASE
)
OCTAL = re.compile(r"\\([0-3]?[0-7]{2})")  # of JavaScript alone
NO_TEXT = re.compile(
    r"data:\s*(?:image/(?!svg)|audio/|video/|font/|application/(?:font|octet))", re.IGNORECASE
)
PROGRAM = re.compile(r"(?:javascript|data):", re.IGNORECASE)
REFRESH = re.compile(r"[\s\d.]*[;,\s]\s*(?:url\s*=)?[\s\"']*(.*)", re.IGNORECASE | re.DOTALL)
SERVICES = re.compile(r"launch|binder|colab|thebe|jupyterhub", re.IGNORECASE)


class Unreadable(ValueError):
    """A page that cannot be taken apart."""


@lru_cache(maxsize=64)
def _parsed(html):
    try:
        return BeautifulSoup(html, "html.parser")
    except (ParserRejectedMarkup, RecursionError) as error:
        raise Unreadable(f"no HTML that can be read: {type(error).__name__}: {error}") from error


def _text(path):
    return path.read_text(encoding="utf-8", errors="replace")


def _with_tex(html):
    """The HTML with its TeX in the place of each formula that is drawn, as its notebook has it."""
    return DRAWN.sub(lambda drawn: drawn[1].replace("&quot;", '"'), html)


def parsed(path):
    """The page in `path`, as a tree that nobody may change: the next who asks gets the same. Formulas are TeX in it."""
    return _parsed(_with_tex(_text(path)))


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
    formula that is not drawn; a picture without a description, or with one that says nothing or that another has too; anything loaded from
    elsewhere; a button for a service; a page too large."""
    raw = _text(path)
    html = _with_tex(raw)
    try:
        page = _parsed(html)
    except Unreadable as error:
        return [str(error)]
    if (article := page.find("article")) is None:
        return ["no article"]
    problems = [*_prose(article, notebook), *_outputs(path, html, article, notebook), *_drawings(raw, page)]
    problems += _undescribed(article) + _elsewhere(page)
    problems += [f"a button for a service: {tag}" for tag in _services(page)]
    if "\ufffd" in html:
        problems.append("bytes that are no UTF-8")
    if (size := path.stat().st_size) > MAX_BYTES:
        problems.append(f"{size:,} bytes, more than {MAX_BYTES:,}")
    return problems


def loads(path):
    """What the page in `path` loads from another machine."""
    try:
        return _elsewhere(parsed(path)) + _strange(_text(path))
    except Unreadable as error:
        return [str(error)]


def _prose(article, notebook):
    prose = "\n\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    headings = [[s for s in tag.strings if s.parent.name not in {"a", "span"}] for tag in article("h1")]
    problems = []
    if [squeezed("".join(strings)) for strings in headings] != [squeezed(title(prose))]:
        problems.append(f"wanted one h1, {title(prose)!r}, got {article('h1')}")
    shown = [_without_number(tag) for tag in _outermost(article, "math")]
    shown = Counter(_tex(text) for text in shown if text.startswith("\\"))  # or MathJax takes it for words
    missing = Counter(map(_tex, formulas(prose))) - shown
    return problems + [f"formula missing: {tex}" for tex in missing.elements()]


def _tex(formula):
    return WRAPPERS.sub("", squeezed(formula))


def _drawings(html, page):
    """The formulas of the page that are not drawn, or without the letters that they refer to."""
    drawn = DRAWN.findall(html)
    texts = [(_without_number(tag), tag) for tag in _outermost(page, "math", "tex2jax_process")]
    there = sum(text.startswith("\\") if "math" in tag["class"] else text.count("\\(") for text, tag in texts)
    if there != len(drawn):
        yield f"{there} formulas, {len(drawn)} drawn"
    letters = set(re.findall(r'<path id="([\w-]+)"', html))
    for tex, drawing in drawn:
        if not (DRAWING.fullmatch(drawing) and set(re.findall(r'href="#([^"]*)', drawing)) <= letters):
            yield f"a formula that is not drawn: {tex}"
    yield from _strange(html)


def _strange(html):
    """What stands in formulas, and is not of a drawing."""
    tags = {tag: tex for tex, drawing in DRAWN.findall(html) for tag in TAG.findall(drawing)}
    return [
        f"in a formula, {tex}: {tag[:80]}" for tag, tex in tags.items() if not OF_A_DRAWING.fullmatch(tag)
    ]


def _outermost(tag, *classes):
    """The tags in `tag` with one of the classes that stand in no other such."""
    found, inside = [], set()
    for one in tag.find_all(class_=classes):
        if id(one) not in inside:
            found.append(one)
            inside.update(map(id, one(class_=classes)))
    return found


def _without_number(tag):
    """The text of a formula without the number of the equation."""
    numbers = {id(string) for number in tag(class_="eqno") for string in number.strings}
    return "".join(string for string in tag.strings if id(string) not in numbers).strip()


def _outputs(path, html, article, notebook):
    text = squeezed("".join(tag.get_text() for tag in article.select(".cell_output")))
    pictures, problems, at = set(), [], {"text": 0, "html": 0}
    for tag in article.select(".cell_output img[src]"):
        if (target := _target(path, tag["src"])) is None:
            continue  # it is in the page itself, or elsewhere
        if target[0] == path or (picture := _picture(target[0])) is None:
            problems.append(f"a picture that is not there: {tag['src'][:80]}")
        else:
            pictures.add(picture)
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
                found = 0 if stored.strip() in pictures else -1
            else:
                found = -1
            if found < 0:
                problems.append(
                    f"code cell {number}: its {mime or sorted(data)} output is missing or out of order"
                )
    return problems


def _picture(path):
    """The bytes of a file of the book; None where there is none, whatever the name."""
    try:
        small = (
            _is_file(path) and 0 < path.stat().st_size <= MAX_SITE_BYTES
        )  # /proc/kmsg has 0 bytes and no end
        return path.read_bytes().strip() if small else None
    except OSError:
        return None


def _undescribed(article):
    problems = []
    for tag in article("img"):
        alt = tag.get("alt", "").strip()
        if not alt or alt in tag.get("src", ""):
            problems.append(f"a picture without alternative text: {_start(tag)}")
    for tag in article("svg"):
        line = [tag, *tag.parents]
        named = any(
            e.get("role") == "img" and (e.get("aria-label") or e.get("aria-labelledby")) for e in line
        )
        if not named and not any(e.get("aria-hidden") == "true" for e in line):
            problems.append(f"a drawing without alternative text: {_start(tag)}")
    moving = article.select(".cnn-frames")
    problems += [f"a picture that moves without frames: {_start(tag)}" for tag in moving if not _frames(tag)]
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
        for frame in _frames(frames):
            yield frame.get("data-alt", frames.p.get_text() if frames.p else "")


def _frames(frames):
    view = frames.select_one(".cnn-view")
    return view.find_all(recursive=False) if view else []


def _start(tag):
    """The tag without what is in it."""
    return "".join([f"<{tag.name}", *(f' {name}="{value}"' for name, value in tag.attrs.items())])[:120] + ">"


def _elsewhere(page):
    return [f"loads from elsewhere: {address[:80]}" for address in _asked(page)]


def _asked(page):
    """The addresses on other machines that a page asks for, or the text that they stand in."""
    for tag in page(True):
        addresses = [
            address
            for name, address in _addresses(tag)
            if name != "href" or tag.name not in LINKS or PROGRAM.match(_plain(address))
        ]
        if tag.name == "meta" and tag.get("http-equiv", "").lower().strip() == "refresh":
            addresses += REFRESH.findall(tag.get("content", ""))
        for address in map(_plain, addresses):
            if SCHEME.match(address) and not HERE.match(address):
                yield address
            yield from _inside(address)
        for name, value in tag.attrs.items():
            if name.startswith("on") or name == "style" or "url" in value or "\\" in value:  # as SVG's fill
                yield from _in_text(str(value))
        if tag.get("srcdoc"):
            yield from _asked(_parsed(tag["srcdoc"]))
        if tag.name in {"script", "style"}:
            text = tag.get_text()
            yield from _in_text(text)
            # A frame, which a script puts into the page. A chapter has hundreds, nearly all without an address.
            if tag.get("type", "").lower() == "text/html" and ADDRESS.search(_plain(unescape(text))):
                yield from _asked(_parsed(text))


def _addresses(tag):
    """(attribute, address) of each that a tag has."""
    for name in tag.attrs.keys() & LOADED:
        if name in LISTS:
            sizes = re.sub(r"(?:^|(?<=\s))[\d.]+[wxh](?=[\s,]|$)", " ", tag[name])
            yield from ((name, address.strip(",")) for address in re.split(r"[\s;]+", sizes))
        elif tag.name in ONLY_IN.get(name, {tag.name}):
            yield name, tag[name]


def _plain(address):
    """The address as a browser takes it."""
    return re.sub(r"[\t\n\r]", "", address).strip(AROUND).replace("\\", "/")


def _inside(address):
    """What an address that is itself a text or a program asks for."""
    kind, comma, text = address.partition(",")
    if address[:11].lower() == "javascript:":
        yield from _in_text(unquote(address))
    elif comma and kind[:5].lower() == "data:" and not NO_TEXT.match(kind):
        text = unquote(text)
        if kind.lower().endswith("base64"):
            with suppress(ValueError):
                text = base64.b64decode(text + "===").decode(errors="replace")
        yield from _in_text(text)  # a style or a program
        yield from _asked(_parsed(text))


def _in_text(text):
    """What programs and styles ask for: as it stands there, and with the escapes of CSS and JavaScript taken out."""
    found = {}
    for form in _forms(text):
        found |= dict.fromkeys(hit.strip() for hit in IN_TEXT.findall(form) + IN_CSS.findall(form))
        for address in TEXT_IN_CSS.findall(form):
            found |= dict.fromkeys(_inside(address))
    return found


def _forms(text):
    """A text as it stands, and as it is read: without line breaks in addresses, and with each kind of escapes taken out."""
    yield text
    whole = re.sub(r"[\t\n\r]", "", text)
    if IN_CSS.search(whole):
        yield whole
    yield ESCAPE.sub(lambda hit: _letter(hit, 16), text)
    yield OCTAL.sub(lambda hit: _letter(hit, 8), text)


def _letter(escape, base):
    return chr(int(escape[escape.lastindex], base) % 0x110000) if escape.lastindex else ""


def _is_file(path):
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _target(page, link):
    """(the file, the place in it) that a link in the file `page` leads to; None where it leads out of the book."""
    address = _plain(link)
    if SCHEME.match(address):
        return None
    address, _, place = address.partition("#")
    path = unquote(address.partition("?")[0])
    # An absolute one leads from the root of a server, where no book need be.
    file = page.parent.joinpath("no file", path.lstrip("/")) if path.startswith("/") else page.parent / path
    return (file if path else page), unquote(place)


def _services(page):
    for tag in page(["a", "button", "script"]):
        values = [tag.get_text()] if tag.name != "script" else []
        values += [" ".join(v) if isinstance(v, list) else v for v in tag.attrs.values()]
        if any(SERVICES.search(value) for value in values):
            yield _start(tag)


def site_problems(site):
    """Links between the pages under `site` that lead nowhere, and style sheets that load from elsewhere."""
    site = Path(site)

    @cache
    def anchors(path):
        return {tag["id"] for tag in parsed(path)(id=True)}

    def broken(path):
        for link in (address for tag in parsed(path)(True) for _, address in _addresses(tag)):
            if (target := _target(path, link)) is None:
                continue
            file, place = Path(os.path.normpath(target[0])), target[1]
            if not (file.is_relative_to(site) and _is_file(file)):
                yield f"{link[:200]} leads nowhere"
            elif place and file.suffix == ".html" and place not in anchors(file):
                yield f"{link[:200]} has no such place"

    problems = []
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site)
        if name.parts[0] in {"_static", LITE} or not path.is_file():  # the theme's templates, another program
            continue
        try:
            problems += [f"{name.as_posix()}: {problem}" for problem in broken(path)]
        except Unreadable as error:
            problems.append(f"{name.as_posix()}: {error}")
    for path in sorted(site.rglob("*.css")):
        if path.is_relative_to(site / LITE):
            continue
        hits = [hit for form in _forms(_text(path)) for hit in IN_CSS.findall(form)] if path.is_file() else []
        if hits:
            problems.append(f"{path.relative_to(site).as_posix()} loads from elsewhere: {hits[0]}")
    return problems


def weight_problems(site):
    """Whether all files under `site` but those of JupyterLite and the book as a PDF together are too large."""
    paths = [
        path
        for path in Path(site).rglob("*")
        if path.is_file() and path.suffix != ".pdf" and not path.is_relative_to(site / LITE)
    ]
    sizes = {path.relative_to(site).as_posix(): path.stat().st_size for path in paths}
    if (total := sum(sizes.values())) <= MAX_SITE_BYTES:
        return []
    largest = ", ".join(f"{name} {sizes[name]:,}" for name in sorted(sizes, key=sizes.get)[:-11:-1])
    return [f"{total:,} bytes, more than {MAX_SITE_BYTES:,}; the largest files: {largest}"]
