"""What of a built page goes on paper, and how: `chapter` is such a page, the functions before it are the rules.

Nothing on paper can be pressed: Frames become the states that are to be printed, explorers their first state, exercises their
questions, with the solutions at the end. Every id gets its page's name before it, so that all links lead to where they did.
"""

import json
import re
from itertools import product
from urllib.parse import unquote

from bs4 import BeautifulSoup

STATES = 3  # of Frames, if it has as many
# What is for a screen, or for ears where a drawing says the same. Of an exercise's card the options are left.
LEFT_OUT = """script style button input select form .headerlink a.symbol .symbol-card .cnn-filter .run-chapter .front-downloads
.front-buttons mjx-assistive-mml .cnn-exercise>p .cnn-figure>p .cnn-pipeline>p .cnn-card:not([open])>.cnn-pair
.cnn-card:not([open])>pre .cnn-card:not([open])>.cnn-case:not(:has(a))"""
REFERS = ("id", "for", "headers", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns")
PLACE = re.compile(r"(url\(\s*[\"']?#)")
SHOWS = ".cnn-frames, .cnn-figure, .cnn-explorer, .cnn-pipeline, .cnn-answers"
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
PRESSED = "button, input, select, textarea, form, details, summary, label, script"


def key_states(sizes, printed):
    """The indices of the frames that stand for all on paper, in order: those that are `printed` in any case, and, while these are
    fewer than STATES, the one that is farthest from them, of several the one in the middle. sizes: how many values each axis has."""
    frames, states = list(product(*map(range, sizes))), {*printed}
    while len(states) < min(STATES, len(frames)):
        far = [
            min((sum(map(abs, map(int.__sub__, at, frames[k]))) for k in states), default=0) for at in frames
        ]
        farthest = [k for k, distance in enumerate(far) if distance == max(far)]
        states.add(farthest[len(farthest) // 2])
    return sorted(states)


def still(frames, new):
    """Frames as a figure with its key states, each with the values on its axes. new: function that makes an element."""
    labels = json.loads(frames["data-labels"])
    axes = [axis.find(["label", "span"]).get_text() for axis in frames.select(".cnn-axis")]
    stored = [part for part in frames.select_one(".cnn-view").children if part.name in ("div", "script")]
    sizes, values = [len(points) for points in labels], list(product(*labels))
    said = frames.find("p").get_text()
    figure = new(
        "div", {"class": "states"} | ({"id": frames["id"]} if frames.get("id") else {})
    )  # plans lead there
    figure.append(new("p", {"class": "states-title"}, frames.select_one(".cnn-title").get_text()))
    for at in key_states(sizes, [k for k, part in enumerate(stored) if "data-print" in part.attrs]):
        part, state = stored[at], new("div", {"class": "state"})
        inside = part if part.name == "div" else BeautifulSoup(part.string, "html.parser")
        picture = inside.select_one(".cnn-pic")
        del picture["aria-hidden"]
        picture["role"], picture["aria-label"] = "img", part.get("data-alt", said)
        value = ", ".join(f"{axis} = {value}" for axis, value in zip(axes, values[at], strict=True))
        state.extend([new("p", {"class": "state-value"}, value), *list(inside.children)])
        figure.append(state)
    return figure


def unfold(page):
    """Leave out the programs that the page folds, and what they print; what moves or is drawn in a fold is kept. Other folds
    are laid open."""
    for fold in page.select(".fold-quiet > details"):
        cell = fold.parent
        fold.replace_with(*[output for output in fold.select(".cell_output") if output.select(SHOWS)])
        if not cell.get_text(strip=True):
            cell.decompose()
    for fold in page.select("details"):
        card, summary = "cnn-card" in fold.get("class", ()), fold.find("summary", recursive=False)
        fold.name = "div"
        if not summary:
            continue
        if card:
            summary.name = "p"
        elif "hide" in fold.get("class", ()):  # its bar says what was folded, and nothing now is
            summary.decompose()
        else:
            summary.name, summary["class"] = "p", "fold-name"


def solutions(page, name, new):
    """Take the solutions out of a page, [(number, title, solution), ...], and leave in the place of each a link to it. The page's
    and the solution's anchors are `exercise-1` and `solution-1`."""
    found = []
    for solution in page.select(".fold-solution"):
        number = str(len(found) + 1)
        question = question_before(solution, number)
        title = question.find("strong") if question is not None else None
        anchor = new("span", {"id": f"{name}--exercise-{number}"})
        (question if question is not None else solution).insert_before(anchor)
        link = new("p", {"class": "to-solution"})
        link.append(reference(new, f"{name}--solution-{number}", "Solution"))
        solution.replace_with(link)
        text = title.get_text().strip().removesuffix(".") if title else f"Exercise {number}"
        found.append((number, text, solution))
    return found


def question_before(solution, number):
    """The paragraph before a solution that begins with its number in bold, or None."""
    for part in solution.find_previous_siblings("p"):
        strong = part.find("strong")
        if strong and re.match(rf"{number}\b", strong.get_text().strip()):
            return part
    return None


def reference(new, place, words):
    """A link that says on which page its place is: the number is put in when the pages are known."""
    link = new("a", {"href": f"#{place}", "class": "on-page"})
    number = new("span", {"class": "page-number", "data-of": place})
    link.extend([f"{words}, page ", number])
    return link


def own_ids(page, name):
    """Put the page's name before each of its ids and before what refers to them."""
    for part in [page, *page.find_all(True)]:
        for key in REFERS:
            if value := part.get(key):
                part[key] = " ".join(
                    f"{name}--{one}" for one in (value.split() if isinstance(value, str) else value)
                )
        for key, value in part.attrs.items():
            if isinstance(value, str):
                if key in ("href", "xlink:href") and part.name != "a" and value.startswith("#"):
                    part[key] = f"#{name}--{value[1:]}"
                elif "url(" in value:
                    part[key] = PLACE.sub(rf"\1{name}--", value)


def lead(page, name, pages, address=""):
    """Let links to the book's pages lead to places in the document; other files are where the book is published, at the address
    `address`, and without one are no links."""
    for link in page.select("a[href]"):
        if "on-page" in link.get("class", ()):
            continue
        target, _, place = unquote(link["href"]).partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        target = target.rpartition("/")[2].removesuffix(".html") if target else name
        if target in pages:
            link["href"] = f"#{target}--{place}" if place else f"#{target}"
        elif address:
            link["href"] = address + re.sub(r"^(?:\.\./)+", "", link["href"])
        else:
            link.unwrap()


def lower(page, by):
    """Make each heading `by` levels lower, and keep its look by a class."""
    for heading in page.find_all(HEADINGS):
        level = HEADINGS.index(heading.name)
        heading["class"] = f"level-{level}"
        heading.name = f"h{min(6, level + 1 + by)}"


def formulas(page):
    """Let each formula be a picture with its TeX as its description."""
    for formula in page.select("mjx-container"):
        tex = re.sub(r"^\\[(\[]|\\[)\]]$", "", formula.attrs.pop("data-tex"))
        drawing = formula.find("svg")
        del drawing["aria-hidden"]
        drawing["role"], drawing["aria-label"] = "img", " ".join(tex.split())


def maker():
    """A function that makes an element: of a name, attributes and a text, which may be missing."""
    document = BeautifulSoup("", "html.parser")
    return lambda tag, attributes=None, text=None: document.new_tag(tag, attrs=attributes or {}, string=text)


def chapter(html, name, pages, by=1, address=""):
    """(the chapter for paper, its solutions, the letters of its formulas, its style sheets) of a built page; the first and the third as
    elements, the second as of `solutions`, the last as texts. by: how many levels lower its headings are. The rest as of `lead`."""
    whole = BeautifulSoup(html, "html.parser")
    page, new = whole.find("article"), maker()
    letters = whole.find("svg", attrs={"aria-hidden": "true"}, recursive=True)
    letters = letters if letters is not None and letters.parent.name == "body" else None
    styles = list(dict.fromkeys(style.get_text() for style in page.find_all("style")))
    for frames in page.select(".cnn-frames"):
        frames.replace_with(still(frames, new))
    unfold(page)
    for part in page.select(", ".join(LEFT_OUT.split())):
        part.decompose()
    for legend in page.select(".cnn-legend"):
        first = legend.find(string=True)
        first.replace_with(re.sub(r"^\s*Choose[^.]*\.\s*", "", first))  # there is nothing to choose
    formulas(page)
    own_ids(page, name)
    if letters is not None:
        own_ids(letters, name)
    lower(page, by)
    answers = solutions(page, name, new)
    for part in (page, *(solution for _, _, solution in answers)):
        lead(part, name, pages, address)
    page.name, page["class"], page["id"] = "section", "chapter", name
    return page, answers, letters, styles


def words(heading):
    """The text of a heading, formulas as their TeX."""
    parts = []
    for part in heading.descendants:
        if part.name == "svg":
            parts.append(part.get("aria-label", ""))
        elif part.name is None and not part.find_parent("svg"):
            parts.append(str(part))
    return " ".join("".join(parts).split())


def slug(text):
    """A text as part of an id."""
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def faults(elements):
    """What is wrong with the elements that make a document, as sentences: ids that stand twice, links and references that
    lead nowhere, what can be pressed."""
    found, ids = [], set()
    for part in [
        one for element in elements for one in (element, *element.find_all(id=True)) if one.get("id")
    ]:
        if part["id"] in ids:
            found.append(f"the id {part['id']} stands twice")
        ids.add(part["id"])
    for element in elements:
        for link in element.select("a[href]"):
            place = link["href"]
            if place.startswith("#") and place[1:] not in ids:
                found.append(f"{place} has no target: {link.get_text():.60}")
            elif not re.match(r"#|https?:|mailto:", place):
                found.append(f"{place} leads out of the document")
        found += [f"{part.name} can be pressed: {str(part):.100}" for part in element.select(PRESSED)]
    return found
