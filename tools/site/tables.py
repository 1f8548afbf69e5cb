"""Tables with formulas or programs in them, made so that they fit a narrow page: cells below each other.

Printed text that is too long for it may be wrapped, if it has no columns. Where `practice` has filled lines with what it says
of an answer, for terminals, these ends of lines are spaces on a page.

A stored output stays as it is, byte for byte: what a style sheet needs to know of a table stands on the box around it.
"""

import re
from html import escape, unescape

from docutils import nodes

TABLE = re.compile(
    r'<div class="(output text_html|pst-scrollable-table-container)">(\s*(?:<div class="cnn-table[^>]*>)?'
    r"<table\b.*?</table>)",
    re.DOTALL,
)
ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
CELL = re.compile(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", re.DOTALL)
OF_WORDS = re.compile(r'<table class="[^"]*\bstacks\b')  # a directive has said that it is to be stacked
FORMULA = re.compile(r"\\\((.*?)\\\)", re.DOTALL)
PROGRAM = re.compile(r"(?:in )?(?:code|cnnlib)|pytorch", re.IGNORECASE)
# What only columns have, and rows of numbers: wide gaps, brackets with little but numbers in them, five numbers in a row.
APART = re.compile(r"\S {2,}\S|\S\t|^ *\[|[\[{][-\d.,:'e\[\]{} ]{16,}|([-\d.,]+ ){4}[-\d]")
STREAM = re.compile(
    r'(<div class="output stream sentences [^>]*><div class="highlight"><pre>(?:<span></span>)?)(.*?)(?=</pre>)',
    re.DOTALL,
)
VERDICT = re.compile(r"[\w.]+: (?:not right|right|this cannot be judged)\b")
ANSWER = re.compile(r"\w+\.\d+: ")  # that of an exercise
COLUMNS = 4  # a table with more is read along its columns, and scrolls
PAGE, PHONE, GLYPH, GAP = (
    688,
    358,
    9.2,
    20,
)  # pixels: a page at the desk, on a phone; a letter; between two columns
PRINTED, FOLDED = 38, 36  # letters in a line of printed text on a phone, and inside a fold with a border
WIDTH, FILLED = (
    72,
    range(50, 79),
)  # what cnnlib.practice fills: the narrower width, and how long such lines are


def mark_sentences(app, doctree):
    """Mark the printed texts of a page that may be wrapped where it is narrow."""
    for text in doctree.findall(nodes.literal_block):
        if "stream" in text["classes"] and is_prose(text.astext()):
            text["classes"].append("sentences")


def is_prose(text):
    """Whether a printed text is too long for a phone in lines that have no columns."""
    long = [line for line in text.splitlines() if len(line) > FOLDED]
    return bool(long) and not any(map(APART.search, long))


def lay_out(app, pagename, templatename, context, doctree):
    """Mark the tables of a page that are to be stacked where it is narrow, or, being too wide, anywhere; and the ends
    of lines within a printed sentence."""
    if "body" in context:
        context["body"] = STREAM.sub(flowing, TABLE.sub(marked, context["body"]))


def flowing(stream):
    """A printed text whose verdict on an answer has each end of a line that is only there for width in a span."""
    lines = stream[2].split("\n")
    first = next((n for n, line in enumerate(lines) if VERDICT.match(line)), len(lines))
    ends = (
        "" if ANSWER.match("".join(lines[first : first + 1])) else ".:?!"
    )  # a report has a line for each sentence
    text = lines[0]
    for n, line in enumerate(lines[1:], start=1):
        if n > first and goes_on(unescape(lines[n - 1]), unescape(line), ends):
            indent = line[: len(line) - len(line.lstrip())]
            text += f'<span class="soft">\n{indent}</span>{line[len(indent) :]}'
        else:
            text += f"\n{line}"
    return stream[1] + text


def goes_on(line, after, ends):
    """Whether a sentence goes on after a line, since the next word found no room in it. ends: what no such line ends in."""
    if len(line) not in FILLED or line[-1] in ends or not after.strip():
        return False
    indent = len(after) - len(after.lstrip())
    return indent == (4 if line[0] == " " else 0) and len(line) + 1 + len(after.split()[0]) > WIDTH


def marked(table):
    """The box around a table, with what the style sheet needs: that it stacks, where it is wide, where its rows are
    numbered, the columns with programs, and the names of the columns that do not explain themselves."""
    kind, inside = table[1], table[2]
    head, *rows = ([cell for cell in CELL.findall(row)] for row in ROW.findall(inside))
    names, columns = [words(cell) for cell in head], list(zip(*rows, strict=True))
    programs = {n for n, name in enumerate(names) if PROGRAM.fullmatch(name)}
    formulas = {n for n, column in enumerate(columns) if any(map(FORMULA.search, column))}
    if OF_WORDS.search(inside):
        said = "".join(
            f"--name-{n + 1}:{css(name + ': ')} / '';"
            for n, name in enumerate(names)
            if n and " " not in name
        )
        return f'<div class="{kind} stacks words" style="{escape(said)}">{inside}'
    if not 1 < len(head) <= COLUMNS or not programs | formulas:
        return table[0]
    widths = [max(map(length, column)) for column in columns]
    width = sum(widths) * GLYPH + len(widths) * GAP
    named = sorted({*range(1, len(head))} - programs - formulas)
    if not programs and (width < PHONE or any(FORMULA.search(names[n]) for n in named)):
        return table[0]
    classes = ["stacks", *(f"program-{n + 1}" for n in sorted(programs))]
    classes += ["wide"] * (width > PAGE) + ["numbered"] * (widths[0] < 4)
    said = "".join(f"--name-{n + 1}:{css(names[n] + ': ')} / '';" for n in named)
    style = f' style="{escape(said)}"' if said else ""
    return f'<div class="{kind} {" ".join(classes)}"{style}>{inside}'


def words(cell):
    """The text of a cell, its formulas as they are in TeX."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", cell)).split())


def length(cell):
    """About how many letters wide a cell is: an index is small, and a command of TeX is one sign."""
    text = FORMULA.sub(lambda formula: "x" * round(0.85 * signs(formula[1])), words(cell))
    return len(text)


def signs(tex):
    """How many signs a formula has side by side."""
    tex = re.sub(
        r"\\(?:left|right|big|Big|displaystyle|mathbf|mathrm|operatorname|text|hat|bar|tilde)\b|[\s{}^_&]",
        "",
        tex,
    )
    return len(re.sub(r"\\(?:[a-zA-Z]+|.)", "x", tex))


def css(text):
    """A text as a style sheet has it."""
    return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"


def setup(app):
    """Register the hooks, that of pages before they are made smaller. What the other marks is part of what Sphinx keeps of
    a page that it has read."""
    app.connect("doctree-read", mark_sentences)
    app.connect("html-page-context", lay_out, priority=400)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
