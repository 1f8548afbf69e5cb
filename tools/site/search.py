"""The search of the book: what the build writes of every section, which `book/_static/search.js` reads.

Sphinx's own search knows whole pages, wants every word, and shows no text where the pages are files. This one knows
sections, and lunr weighs them: a word in a heading counts more than one in bold, that more than one in the text.
`search.toml` has the words that mean the same.
"""

import json
import re
import tomllib
import unicodedata
from functools import cache
from html import unescape
from pathlib import Path

from docutils import nodes
from lunr.builder import Builder
from lunr.stemmer import PorterStemmer
from lunr.stop_word_filter import WORDS as COMMON
from sphinx import addnodes

TABLE = Path(__file__).with_name("search.toml")
INDEX = "search_index.js"
FIELDS = {"heading": 8, "above": 2, "marked": 1.5, "text": 1, "code": 0.5}  # the weight of a word in each
ENTRY = 0.2  # the weight of a term of the glossary, which comes after the sections that explain it
MARKED = (nodes.strong, nodes.literal, nodes.caption)
FOLDED = {"tag_hide-input", "tag_hide-cell"}
OF_SPHINX = ("searchtools.js", "language_data.js", "sphinx_highlight.js")  # and what no page loads any more
CAPTION = re.compile(r"<(caption|figcaption)\b[^>]*>(.*?)</\1>", re.DOTALL)
GREEK = dict(
    zip("αβγδεζηθκλμνξπρστφχψωΔΣ", "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau "
        "phi chi psi omega delta sigma".split())
)  # fmt: skip
WORD = re.compile(f"(?<![a-z0-9][’'])(?:[0-9]+\\.[0-9]+|[a-z0-9]+)|[{''.join(GREEK)}]", re.IGNORECASE)
SIGNS = {name: letter for letter, name in reversed(GREEK.items())} | dict(
    partial="∂", sum="Σ", cdot=" · ", times=" × ", odot=" ⊙ ", le=" ≤ ", ge=" ≥ ", to=" → ", leftarrow=" ← ", dots="…", ldots="…", pm=" ± ",
    infty="∞", approx=" ≈ ", neq=" ≠ ", ne=" ≠ ", top="ᵀ", bmod="mod", varepsilon="ε", langle="⟨", rangle="⟩", star=" ⋆ ", ell="ℓ",
    hat="\u0302", bar="\u0304", tilde="\u0303", text="", mathsf="", mathbf="", mathrm="", operatorname="", big="", bigl="",
    bigr="", left="", right="", lVert="‖", rVert="‖", quad=" ", qquad=" ", sqrt="√",
)  # fmt: skip
BRACED = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
FRACTION = re.compile(rf"\\[dt]?frac\s*(?:(\w)(\w)|{BRACED}\s*{BRACED})")
_stem = cache(PorterStemmer().stem)


def plain(tex):
    """A formula as a line of text, good enough for two lines of a page."""
    tex = re.sub(r"\\(?:begin|end)\{\w+\*?\}|[&~]", " ", tex)
    tex = FRACTION.sub(r"\1\3/\2\4", tex)
    tex = re.sub(r"\\(hat|bar|tilde)\s*(?:\{(.)\}|(.))", lambda on: (on[2] or on[3]) + SIGNS[on[1]], tex)
    tex = re.sub(r"\\([A-Za-z]+)\s*|\\.", lambda name: SIGNS.get(name[1], name[1] or " "), tex)
    tex = re.sub(r"\^\{?\\?(?:\(([^()]*)\))\}?", r"(\1)", tex)
    return unicodedata.normalize("NFC", re.sub(r"[{}]", "", tex).replace("-", "−"))


def words(text):
    """The words of a text as they are looked up: small letters and digits, Greek letters by name."""
    return [GREEK.get(word, word.lower()) for word in WORD.findall(text)]


def stems(text):
    """The words of a text without their endings."""
    return [_stem(word) for word in words(text)]


@cache
def settings():
    """What `search.toml` says."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@cache
def table():
    """(groups, background): lists of stems for each phrase of each line of `search.toml`, and the headings of sections
    and the titles of pages that come after others."""
    same = [[stems(phrase) for phrase in group] for group in settings()["same"]]
    return same, set(settings()["background"])


def without():
    """The headings below which nothing is searched."""
    return set(settings()["without"])


def tokens(text, groups):
    """The stems of a text and, for each phrase of a group in it, the group's name."""
    line = f" {' '.join(stems(text))} "
    found = [_stem(word) for word in words(text) if word not in COMMON]
    for number, group in enumerate(groups):
        found += [f"same{number}"] * sum(line.count(f" {' '.join(phrase)} ") for phrase in group)
    return found


def prose(node, names):
    """The text of a paragraph with its formulas in one line. names: what stands for a link to a formula or a chapter."""
    if isinstance(node, nodes.math):
        return plain(node.astext())
    if isinstance(node, addnodes.pending_xref) and not node.get("refexplicit"):
        return names.get(node["reftarget"], "")
    if isinstance(node, nodes.raw):  # a tag
        return ""
    if isinstance(node, nodes.Text):
        return node.astext()
    return "".join(prose(child, names) for child in node.children)


def line(node, names):
    """A paragraph, or a row of a table, in one line."""
    cells = node.children if isinstance(node, nodes.row) else [node]
    return " | ".join(" ".join(prose(cell, names).split()) for cell in cells)


def own(section):
    """What stands in a section and not in one below it, nor in an entry of a glossary."""
    for node in section.children:
        if not isinstance(node, (nodes.section, nodes.title, addnodes.glossary)):
            yield node


def section_of(node, page, above, names):
    """One section as the index wants it: where it is, the text shown of it, and the text of each field."""
    title, text, marked, code = prose(node.next_node(nodes.title), names), [], [], set()
    for part in own(node):
        for piece in part.findall():
            if isinstance(piece, (nodes.paragraph, nodes.term, nodes.row)) and not inside_row(piece):
                text.append(line(piece, names))
            elif (
                isinstance(piece, MARKED) and "eq" not in piece["classes"]
            ):  # a formula's label, which no page shows
                marked.append(" ".join(prose(piece, names).split()))
            elif isinstance(piece, nodes.raw):
                marked += [caption_text(html) for _, html in CAPTION.findall(piece.astext())]
            elif isinstance(piece, nodes.literal_block) and read_by_all(piece):
                code |= set(re.findall(r"[A-Za-z]\w\w+", piece.astext()))
    return {
        "url": f"{page}.html#{node['ids'][0]}" if above else f"{page}.html",
        "where": [*above, title],
        "text": [
            *filter(None, text),
            *(line for line in marked if len(line) > 40 and line not in " ".join(text)),
        ],
        "fields": {
            "heading": title,
            "above": " ".join(above),
            "marked": " . ".join(marked),
            "text": " . ".join(text),
            "code": " ".join(sorted(parts(code))),
        },
    }


def caption_text(html):
    """The words of a caption with its formulas in one line."""
    return re.sub(r"\\\((.*?)\\\)", lambda formula: plain(formula[1]), unescape(re.sub("<.*?>", "", html)))


def inside_row(node):
    """Whether a paragraph is part of a line of a table, which is shown whole."""
    while node := node.parent:
        if isinstance(node, nodes.row):
            return True
    return False


def parts(names):
    """Names of code, and the words that they are made of: MaxPool2d, max, pool."""
    for name in names:
        yield name
        yield re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")


def read_by_all(block):
    """Whether a program stands open on the page, and is no output."""
    cell = block.parent
    return "output" not in " ".join(block["classes"]) and not (
        cell and cell.parent and FOLDED & set(cell.parent["classes"])
    )


def sections(doctree, page, names):
    """The sections of a page in their order."""
    for node in doctree.findall(nodes.section):
        above, parent = [], node.parent
        while isinstance(parent, nodes.section):
            above.insert(0, prose(parent.next_node(nodes.title), names))
            parent = parent.parent
        yield section_of(node, page, above, names)
        for entry in node.findall(nodes.definition_list_item):
            if "synonyms" in entry[0]:  # a term of the glossary; what is a synonym leads to one
                yield entry_of(entry, page, prose(node.next_node(nodes.title), names), names)


def entry_of(entry, page, title, names):
    """A term of the glossary as a section of its own, with all its names."""
    term, text = prose(entry[0], names), line(entry[1][0], names)
    fields = {"heading": term, "above": title, "marked": "", "text": text, "code": ""}
    return {
        "url": f"{page}.html#{entry[0]['ids'][0]}",
        "where": [title, term],
        "text": [text],
        "names": [term, *entry[0].get("synonyms", ())],
        "fields": fields,
    }


def index_of(found, groups, background):
    """lunr's index of sections; each is named by its place."""
    builder = Builder()
    builder.ref("place")
    for field, weight in FIELDS.items():
        builder.field(field, boost=weight)
    for place, section in enumerate(found):
        fields = {name: tokens(text, groups) for name, text in section["fields"].items()}
        weight = 0.5 if background & {section["where"][0], section["where"][-1]} else 1
        weight = ENTRY if "names" in section else weight
        builder.add({"place": str(place)} | fields, {"boost": weight})
    return builder.build()


def as_script(index, groups, found):
    """The script that brings the index to `search.js`. What lunr stores twice, which terms a section has, is left out:
    of each section and field it has pairs of a term, by its number, and its weight."""
    terms = sorted(index.inverted_index, key=lambda term: index.inverted_index[term]["_index"])
    data = {
        "fields": index.fields,
        "terms": terms,
        "vectors": [
            [name, [round(n, 2) for n in vector.elements]] for name, vector in index.field_vectors.items()
        ],
        "groups": groups,
        "sections": [
            [section[key] for key in ("url", "where", "text", "names") if key in section] for section in found
        ],
    }
    return f"bookSearch.ready({json.dumps(data, ensure_ascii=False, separators=(',', ':'))});\n"


def outside():
    """The pages that no table of contents has, as sections: `search.toml` says what is found of them."""
    for page in settings()["pages"]:
        fields = {"heading": page["title"], "above": "", "marked": "", "text": page["text"], "code": ""}
        yield {"url": page["url"], "where": [page["title"]], "text": [page["text"]], "fields": fields}


def toctree_order(env, page):
    """A page and those below it, in the order of the table of contents."""
    below = env.toctree_includes.get(page, [])
    return [page, *(other for child in below for other in toctree_order(env, child))]


def write_index(app, exception):
    """Write the index as a script, which a page that is a file may load, too."""
    if exception or app.builder.format != "html":
        return
    groups, background = table()
    pages = toctree_order(app.env, app.config.root_doc)
    names = {page: title.astext() for page, title in app.env.titles.items()}
    names |= {label: f"({number})" for label, (_, number) in app.env.domaindata["math"]["objects"].items()}
    found = [section for page in pages for section in sections(app.env.get_doctree(page), page, names)]
    found = [section for section in found if not without() & {*section["where"][:-1]}] + [*outside()]
    script = as_script(index_of(found, groups, background), groups, found)
    static = Path(app.outdir, "_static")
    Path(app.outdir, "searchindex.js").unlink(missing_ok=True)  # of a build of before
    static.joinpath(INDEX).write_text(script, encoding="utf-8", newline="\n")
    for name in OF_SPHINX:
        static.joinpath(name).unlink(missing_ok=True)


def without_sphinx(app):
    """Let Sphinx build no index of its own, and the page of the search all the same."""
    app.builder.search = False
    app.config.html_additional_pages["search"] = "search.html"


def no_marks(app, pagename, templatename, context, doctree):
    """Leave out the script that marks what Sphinx's search has found, all over a page."""
    context["script_files"] = [
        file for file in context["script_files"] if "sphinx_highlight" not in str(file)
    ]


def setup(app):
    """Register the hooks."""
    app.connect("builder-inited", without_sphinx)
    app.connect("html-page-context", no_marks)
    app.connect("build-finished", write_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
