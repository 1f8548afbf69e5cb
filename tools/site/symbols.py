"""What a reader is shown who points at a symbol or a term: its name, shape and code, and where it is explained.

All of it comes from `cnnlib/data/symbols.toml`. `typeset.js` finds the symbols in formulas by their form; here those go that mean
something else at their place, and the first in each section gets a link, which keys and screen readers reach.
"""

import re
from html import escape

from docutils import nodes

from cnnlib.show.symbols import source

FORM = ("letter", "accent", "prime", "over", "bare", "beside")  # of what typeset.js wants to know
BOOK = "book/"
PART = re.compile(
    r'<section id="(?P<section>[^"]+)">\s*(?:<span[^>]*></span>\s*)*<h(?P<level>\d)|(?P<quiet><(?:a|h[1-6]|summary)\b)|</(?:a|h[1-6]|summary)>|'
    r'(?P<output><div class="[^"]*tex2jax_process.*?</div>)|(?P<formula><mjx-container\b.*?</mjx-container>)',
    re.DOTALL,
)
TERM = re.compile(r'<a class="[^"]*\bterm-([\w-]+)[^"]*"')
MARK = re.compile(r' data-s="(\w+)"')
UNREAD = (
    nodes.title,
    nodes.reference,
    nodes.literal,
    nodes.strong,
    nodes.FixedTextElement,
    nodes.math,
    nodes.caption,
)


def sought():
    """Of each symbol that is marked, its key and its form, as typeset.js wants them."""
    for key, symbol in source()["symbols"].items():
        if "letter" in symbol:
            yield {"key": key} | {name: symbol[name] for name in FORM if name in symbol}


def means(key, page, sections):
    """Whether the symbol has its meaning on this page, in these sections, which lie in each other."""
    symbol = source()["symbols"][key]
    here = {page, *(f"{page}#{section}" for section in sections)}
    return page in symbol.get("only", [page]) and not here & {*symbol.get("but", ()), *source()["elsewhere"]}


def explained(html, pagename, address, pages):
    """A page with its formulas drawn, in which only the symbols that mean it there are marked, with the first of each in a
    section as a link, and the cards of all that is marked or linked. `address`: as Sphinx's pathto, for one of `pages`."""
    page, used, seen, sections = pagename.removeprefix(BOOK), {}, set(), {}
    start, quiet = html.find("<article"), 0
    if start < 0:
        return html

    def term(found):
        used[found[1]] = True
        return f'<a class="term" data-s="{found[1]}" aria-describedby="card-{found[1]}"'

    def marks(drawing):
        """The drawing without the marks of what means something else here."""

        def kept(mark):
            symbol = source()["symbols"][mark[1]]
            if BOOK + symbol["place"].partition("#")[0] not in pages or not means(
                mark[1], page, sections.values()
            ):
                return ""
            used[mark[1]] = True
            return mark[0]

        return MARK.sub(kept, drawing)

    def link(key):
        seen.add(key)
        address_of = escape(target(source()["symbols"][key], address))
        named = f'aria-label="{escape(spoken(key))}" aria-describedby="card-{key}"'
        return f'<a class="symbol" data-s="{key}" href="{address_of}" {named}></a>'

    def replaced(found):
        nonlocal quiet
        if found["section"]:
            quiet += 1
            if (level := int(found["level"])) <= 2:
                seen.clear()
            for below in [other for other in sections if other >= level]:
                del sections[below]
            sections[level] = found["section"]
        elif found["output"]:  # which stays as it is stored
            return marks(found[0])
        elif found["formula"]:
            formula = marks(found[0])
            new = [] if quiet else [key for key in dict.fromkeys(MARK.findall(formula)) if key not in seen]
            return formula + "".join(map(link, new))
        else:
            quiet += 1 if found["quiet"] else -1
        return found[0]

    body = PART.sub(replaced, TERM.sub(term, html[start:]))
    cards = "".join(card(key, address) for key in used)
    return html[:start] + body.replace("</article>", f"{cards}</article>", 1)


def target(entry, address):
    """Where a symbol or term is explained, from the page for which `address` is."""
    page, _, place = entry["place"].partition("#")
    return f"{address(BOOK + page).removesuffix('#')}#{place}"


def spoken(key):
    """The name of a symbol's link."""
    symbol = source()["symbols"][key]
    return f"{symbol['letter'] if 'over' not in symbol else ''} {symbol['name']}".strip()


def card(key, address):
    """The card of a symbol or a term, closed. It has no paragraphs, being none of the page's own text."""
    if symbol := source()["symbols"].get(key):
        letter = (
            symbol["letter"]
            + {"^": "\u0302"}.get(symbol.get("accent"), "")
            + "′" * symbol.get("prime", False)
        )
        sign = f"∂J/∂{letter}" if "over" in symbol else letter
        at = f", at {symbol['at']}" if "at" in symbol else ""
        lines = [
            f"<b><i>{escape(sign)}</i> {escape(symbol['name'])}</b>",
            f"<span>in a dense network{at}: {shape(symbol['shape'])}</span>",
        ]
        if "image" in symbol:
            lines.append(f"<span>in a convolution: {shape(symbol['image'])}</span>")
        lines += [f"<span>there in code <code>{escape(symbol['code'])}</code></span>"]
        entry, words = symbol, "Where it is explained"
    else:
        entry = source()["terms"][key]
        lines, words = (
            [f"<b>{escape(entry['name'])}</b>", f"<span>{escape(entry['says'])}</span>"],
            "Where it is explained",
        )
    lines.append(f'<a href="{escape(target(entry, address))}">{words}</a>')
    return f'<div class="symbol-card" id="card-{key}" popover="manual">{"".join(lines)}</div>'


def shape(text):
    """A shape in words: "shape (D1, N): units, examples"."""
    letters = [letter for letter in re.split(r",\s*", text) if letter]
    if not letters:
        return "one number"
    return f"shape ({escape(text)}): {', '.join(source()['sizes'][letter] for letter in letters)}"


def link_terms(app, doctree, docname):
    """Link each term where it first stands in a section of a chapter, or on the page if that is enough, but for where it is explained, and where the text
    is a heading, a link, a program, or in bold."""
    page = docname.removeprefix(BOOK)
    if page == "references":  # whose words are those of others
        return
    terms = {
        form: key
        for key, term in source()["terms"].items()
        if term.get("linked", True)
        for form in [term["name"], *term.get("also", ())]
    }
    forms = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(terms, key=len, reverse=True))})(?![\w-])")
    places = {
        key: term["place"]
        for key, term in source()["terms"].items()
        if BOOK + term["place"].partition("#")[0] in app.env.all_docs
    }
    said = set()
    for top in doctree.children[:1]:
        for section in [part for part in top.children if isinstance(part, nodes.section)]:
            ids = {name for part in section.findall(nodes.section) for name in part["ids"]}
            done = {
                key for key, place in places.items() if place.partition("#")[::2] in {(page, i) for i in ids}
            } | said
            for paragraph in list(section.findall(nodes.paragraph)):
                for text in list(paragraph.findall(nodes.Text)):
                    if not within(text, paragraph):
                        continue
                    parts, at = [], 0
                    for found in forms.finditer(text):
                        if (key := terms[found[0]]) in done or key not in places:
                            continue
                        done.add(key)
                        if source()["terms"][key].get("once"):
                            said.add(key)
                        chapter, _, place = places[key].partition("#")
                        parts.append(nodes.Text(text[at : found.start()]))
                        address = app.builder.get_relative_uri(docname, BOOK + chapter)
                        parts.append(
                            nodes.reference(
                                "",
                                found[0],
                                refuri=f"{address}#{place}",
                                internal=True,
                                classes=[f"term-{key}"],
                            )
                        )
                        at = found.end()
                    if parts:
                        text.parent.replace(text, [*parts, nodes.Text(text[at:])])


def within(text, paragraph):
    """Whether a text is plain text of the paragraph, and no title of a work."""
    node = text.parent
    while node is not paragraph:
        # pybtex leaves parts of its paragraphs without their parents
        if node is None or isinstance(node, UNREAD) or "work" in node["classes"]:
            return False
        node = node.parent
    return True


def know_pages(app, pagename, templatename, context, doctree):
    """Tell the renderer which pages there are; without a text there is nothing to explain."""
    context["explained_by"] = set(app.env.all_docs) if doctree is not None else set()


def setup(app):
    """Register the hook, after links have found where they lead."""
    app.connect("doctree-resolved", link_terms, priority=900)
    app.connect("html-page-context", know_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
