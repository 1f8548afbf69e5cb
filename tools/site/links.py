"""What the links of a built page must be for those who hear them one by one, without the sentence around each."""

import re
from functools import cache

import built_pages

EMPTY = {
    "click here",
    "here",
    "it",
    "its card",
    "link",
    "more",
    "page",
    "read more",
    "right",
    "section",
    "see",
    "slide",
    "this",
    "yes",
    "one",
    "there",
}
# Not judged: the theme's sign behind a heading, which is said just before; symbols and terms, which open a card and have its words as a
# description; and the link in a card, of which one is open.
OTHERS = ".headerlink, .symbol, .term, .symbol-card a"


def problems(path):
    """The links of a page whose words say nothing, and those with the same words that lead to different places."""
    page, places = built_pages.parsed(path), {}
    others = {id(link) for link in page.select(OTHERS)}
    for link in page.article.select("a[href]"):
        if id(link) not in others:
            places.setdefault(name(link), set()).add(place(path, link["href"]))
    for said, there in places.items():
        if said.lower().strip(" .,:;()") in EMPTY | {""}:
            yield f"{path.stem}: a link says {said!r}"
        elif len(there) > 1:
            yield f"{path.stem}: {said!r} leads to {', '.join(sorted(there))}"


def name(link):
    """What is heard of a link."""
    pictures = (picture.get("alt") or picture.get("aria-label", "") for picture in link.select("img, svg"))
    return link.get("aria-label") or " ".join([*link.get_text().split(), *filter(None, pictures)])


def place(path, address):
    """Where a link leads; the same for a section and for what it begins with."""
    page, _, anchor = address.partition("#")
    file = (path.parent / page if page else path).resolve()
    if re.match(r"[a-z]+:", address) or file.suffix != ".html":
        return address
    return f"{file.name}#{beginnings(file).get(anchor, anchor)}"


@cache
def beginnings(file):
    """{anchor: the section that begins with it}, and "" for what the page begins with."""
    found = {}
    for section in built_pages.parsed(file).select("section[id]"):
        begins = section.select_one("h1, h2, h3, h4").find_next_siblings(limit=1)
        first = [
            *(begins[0].select("[id]")[:1] if begins else ()),
            *(begins[:1] if begins and begins[0].get("id") else ()),
        ]
        own = "" if section.find_parent("section") is None else section["id"]
        found |= {tag["id"]: own for tag in (section, *first)}
    return found
