"""The chapters for paper, bound to one HTML document: cover, contents, chapters, solutions."""

import copy
from html import escape
from pathlib import Path

import matplotlib
import page_kinds
import paper
from bs4 import BeautifulSoup

SHEETS = ("pygments.css", "book.css", "formulas.css", "symbols.css", "exercises.css", "front.css")
FONTS = {  # of matplotlib, so that every machine sets the same pages
    ("Text", "normal", "normal"): "STIXGeneral",
    ("Text", "bold", "normal"): "STIXGeneralBol",
    ("Text", "normal", "italic"): "STIXGeneralItalic",
    ("Text", "bold", "italic"): "STIXGeneralBolIta",
    ("Plain", "normal", "normal"): "DejaVuSans",
    ("Plain", "bold", "normal"): "DejaVuSans-Bold",
    ("Plain", "normal", "italic"): "DejaVuSans-Oblique",
    ("Plain", "bold", "italic"): "DejaVuSans-BoldOblique",
    ("Code", "normal", "normal"): "DejaVuSansMono",
    ("Code", "bold", "normal"): "DejaVuSansMono-Bold",
    ("Code", "normal", "italic"): "DejaVuSansMono-Oblique",
    ("Code", "bold", "italic"): "DejaVuSansMono-BoldOblique",
}
FRONT = """<section class="cover"><p class="cover-title">{title}</p>
<p class="cover-abstract">{abstract}</p>
<p class="cover-authors">{authors}</p>
<p class="cover-edition">Version {version}, digest {edition}<br/>{date}</p></section>
<section class="about"><h1 class="level-1" id="about-this-pdf">About this PDF</h1>
<p>This is the whole book, printed from its web pages. What moves there stands still here: of each moving picture you see the
states that show its point, of each picture that answers to a finger the first one. The programs that a chapter shows are all
here. Programs that its page folds away, because they draw a picture, make a table or check what is said, are left out; you find
them in the notebook of the chapter.</p>
<p>Solutions stand at the end of the book. Each exercise names the page of its solution, and each solution leads back.</p>
<p>The digest is made of the chapters and of the library <code>cnnlib</code> that computes them. Who has another one
may see other numbers.</p>
<p>{licence}</p><p class="about-address">The pages that move: <a href="{address}">{address}</a></p></section>"""


def parts(root):
    """[(caption, [page, ...]), ...] of the table of contents, the first page in a part without a caption."""
    first = page_kinds.listed(root)[0]
    return [("", [first]), *((caption or "", pages) for caption, pages in page_kinds.parts(root))]


def document(site, parts, about, address=""):
    """The whole book as one HTML document, and its headings, [(level, words), ...], as its outline is to have them. parts: as of
    `parts`. about: texts, by the names that `front` asks for. address: where the book is published, if it is. ValueError where
    a link has no target, an id stands twice, or something can be pressed."""
    names = {page.rpartition("/")[2] for _, found in parts for page in found}
    new = paper.maker()
    letters, styles, rules, bodies, answers = [], {}, [], [], []
    for caption, found in parts:
        for page in found:
            name = page.rpartition("/")[2]
            html = Path(site, f"{page}.html").read_text(encoding="utf-8")
            body, solved, defined, sheets = paper.chapter(
                html, name, names, by=bool(caption), address=address
            )
            for image in body.select("img[src]"):
                if not image["src"].startswith("data:"):
                    image["src"] = Path(site, page).parent.joinpath(image["src"]).resolve().as_uri()
            title = body.find(class_="level-0")
            if caption and page == found[0]:
                body.insert(0, new("h1", {"class": "part", "id": f"part--{paper.slug(caption)}"}, caption))
            body["style"] = f"page: chapter-{name}"
            rules.append(head_rule(f"chapter-{name}", caption, paper.words(title)))
            letters.append(str(defined or ""))
            styles |= dict.fromkeys(sheets)
            bodies.append(body)
            answers.append((name, title, solved))
    if any(solved for _, _, solved in answers):
        bodies.append(answered(answers, new))
        rules.append(head_rule("chapter-solutions", "", "Solutions"))
    front = BeautifulSoup(
        FRONT.format_map({key: escape(value) for key, value in about.items()}), "html.parser"
    )
    if picture := bodies[0].select_one(".cnn-pipeline"):
        picture = copy.copy(picture)
        del picture["id"]
        front.select_one(".cover-abstract").insert_after(picture)
    if not address:
        front.select_one(".about-address").decompose()
    everything = [*front.find_all("section", recursive=False), contents(bodies, new), *bodies]
    if faults := paper.faults(everything):
        raise ValueError("\n".join(faults))
    headings = [
        (int(one.name[1]), paper.words(one)) for part in everything for one in part.find_all(paper.HEADINGS)
    ]
    sheets = [Path(site, "_static", name).read_text(encoding="utf-8") for name in SHEETS]
    sheets = [
        fonts(),
        *sheets,
        *styles,
        *rules,
        Path(__file__).with_name("paper.css").read_text(encoding="utf-8"),
    ]
    head = f'<meta charset="utf-8"><title>{escape(about["title"])}</title>' + "".join(
        f"<style>{one}</style>" for one in sheets
    )
    text = "\n".join(["<div hidden>", *letters, "</div>", *map(str, everything)])
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light"><head>{head}</head><body>{text}</body></html>',
        headings,
    )


def fonts():
    """The rules that name the fonts' files."""
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return "".join(
        f'@font-face{{font-family:"{family}";font-weight:{weight};font-style:{style};'
        f'src:url("{(folder / f"{file}.ttf").as_uri()}")}}'
        for (family, weight, style), file in FONTS.items()
    )


def head_rule(page, caption, title):
    """What stands at the top of the pages of a chapter."""
    left, right = (text.replace("\\", r"\\").replace('"', r"\"") for text in (caption, title))
    return f'@page {page} {{ @top-left {{ content: "{left}" }} @top-right {{ content: "{right}" }} }}'


def answered(answers, new):
    """The chapter of all solutions. answers: of each chapter its name, the heading with its title and its `solutions`."""
    back = new("section", {"class": "chapter", "id": "solutions", "style": "page: chapter-solutions"})
    back.append(new("h1", {"class": "level-0"}, "Solutions"))
    for name, heading, found in answers:
        if not found:
            continue
        part = new("section", {"class": "solutions"})
        head = new("h2", {"class": "level-1", "id": f"solutions--{name}"})
        head.extend(copy.copy(inside) for inside in heading.contents)
        part.append(head)
        for number, title, solution in found:
            part.append(new("h3", {"class": "level-2", "id": f"{name}--solution-{number}"}, title))
            to = new("p", {"class": "to-exercise"})
            to.append(paper.reference(new, f"{name}--exercise-{number}", "Exercise"))
            part.extend([to, solution])
        back.append(part)
    return back


def contents(chapters, new):
    """The table of contents: parts, chapters and their sections, each with a place for the number of its page."""
    nav, rows = new("nav", {"class": "contents"}), new("ul")
    nav.extend([new("h1", {"class": "level-1", "id": "contents"}, "Contents"), rows])
    for chapter in chapters:
        for heading in chapter.select(".part, .level-0, .level-1"):
            (kind,) = heading.get_attribute_list("class")
            place = chapter["id"] if kind == "level-0" else heading.get("id") or heading.parent["id"]
            row, link = new("li", {"class": f"of-{kind}"}), new("a", {"href": f"#{place}"})
            link.extend(copy.copy(inside) for inside in heading.contents)
            if kind != "part":
                link.extend(
                    [new("span", {"class": "dots"}), new("span", {"class": "page-number", "data-of": place})]
                )
            row.append(link)
            rows.append(row)
    return nav
