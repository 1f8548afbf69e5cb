"""Make the book one PDF: `python tools/site/pdf.py` prints the built pages, bound to one document, with a Chromium, and lets
the pages offer it.

What goes on paper says paper.py, how it looks paper.css, what stands around it bound.py. A PDF is kept only if it is tagged, has each
heading in its outline, a target for each of its links, and its fonts, if nothing is wider than its pages, and if it has at
most MOST bytes. Where the pages are missing, or of another edition, it builds them first.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import bound
import chromium
import editions
import head
import pypdf
import run_in_browser
import yaml
from pypdf.generic import NameObject, TextStringObject

ROOT = Path(__file__).resolve().parents[2]
SITE, OUT = ROOT / "_build" / "html", ROOT / "_build" / "pdf"
NAME = f"{run_in_browser.NAME}.pdf"
MOST = 40_000_000  # bytes
WIDTH = 643  # pixels, of 170 mm
FILL = """numbers => document.querySelectorAll(".page-number").forEach(e => {
  e.textContent = numbers[e.dataset.of] ?? "000";
})"""
FONTS = """document.fonts.ready.then(all => [...all].filter(font => font.status === "error").map(font => font.family))"""
# States of Frames that nearly stand in one row are set smaller, so that they do; tables and drawings that are wider than the page,
# so that they are not, down to six tenths. A long box may be divided.
FIT = """most => {
  for (const row of document.querySelectorAll(".states")) {
    const states = [...row.querySelectorAll(".state")].map(state => state.getBoundingClientRect());
    const gap = parseFloat(getComputedStyle(row).columnGap), zoom = getComputedStyle(row).zoom;
    const needed = states.reduce((sum, { width }) => sum + width, 0) + gap * zoom * (states.length - 1);
    const fits = (most - row.getBoundingClientRect().left - 1) / needed;
    if (fits < 1 && fits > 0.85) row.style.zoom = zoom * fits;
  }
  for (const e of document.querySelectorAll("table, .cnn-figure, .cnn-explorer, .cnn-pipeline, .state, mjx-container[display]")) {
    const { left } = e.getBoundingClientRect();
    const right = Math.max(...[e, ...e.querySelectorAll(":not(svg *)")].map(part => part.getBoundingClientRect().right));
    const fits = (most - left) / (right - left);
    if (fits < 1 && fits > 0.6) e.style.zoom = fits * getComputedStyle(e).zoom;
  }
  for (const box of document.querySelectorAll(".admonition"))
    if (box.offsetHeight > 400) box.style.breakInside = "auto";  // or half of the page before it stays empty
}"""
# What is wider than the page, by its own words or those of what holds it. Drawings are judged as a whole.
WIDE = """most => [...document.querySelectorAll("body *:not(svg *)")]
  .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > most + 1)
  .map(e => `${e.closest("[id]")?.id}: ${e.tagName.toLowerCase()} ${e.textContent.trim().slice(0, 60)}`)"""
ZIP = re.compile(
    rf'(<a class="run-chapter-zip" href="([^"]*){run_in_browser.NAME}\.zip" download>[^<]*</a>)'
    r'(?:\s*<a class="book-pdf".*?</a>)?'
)


def about(root):
    """What the first pages say of the book."""
    said = editions.citation(root)
    config = yaml.safe_load(Path(root, "_config.yml").read_text(encoding="utf-8"))
    names = [one.get("name") or f"{one['given-names']} {one['family-names']}" for one in said["authors"]]
    date = said.get("date-released")
    return {
        "title": said["title"],
        "abstract": said["abstract"],
        "authors": ", ".join(names),
        "version": said["version"],
        "edition": head.edition(root),
        "date": f"{date.day} {date:%B %Y}" if date else editions.UNRELEASED.capitalize(),
        "licence": f"© {config['copyright']}",
        "address": (url := os.environ.get("CNNLIB_URL", "")) and url.rstrip("/") + "/",
    }


def printed(html, out, browser):
    """Print the document in the file `html` into the file `out`, until the numbers of its pages are those that stand in it:
    {place: number}. ValueError where something is wider than a page, or a font is missing."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 900})
    page.set_default_timeout(900_000)
    page.emulate_media(media="print")
    page.goto(html.as_uri())
    if missing := page.evaluate(FONTS):
        raise ValueError(f"fonts that cannot be read: {missing}")
    page.evaluate(FIT, WIDTH)
    if wide := page.evaluate(WIDE, WIDTH):
        raise ValueError("\n".join(["wider than a page:", *wide[:20]]))
    numbers = None
    for tagged in (False, True, True):
        page.evaluate(FILL, numbers or {})
        page.pdf(path=out, prefer_css_page_size=True, print_background=True, tagged=tagged, outline=tagged)
        before, numbers = numbers, places(pypdf.PdfReader(out))
        if tagged and before == numbers:
            page.close()
            return numbers
    raise ValueError("the numbers of pages do not settle")


def places(reader):
    """{place: number of its page} of all that links inside a PDF lead to."""
    numbers = {page.indirect_reference.idnum: k for k, page in enumerate(reader.pages, 1)}
    named = reader.root_object.get("/Dests", {}).items()
    return {name.removeprefix("/"): numbers[place.get_object()[0].idnum] for name, place in named}


def outline(reader):
    """[(level, entry), ...] of the outline of a PDF, in order."""

    def walk(entry, level):
        while entry is not None:
            entry = entry.get_object()
            yield level, entry
            yield from walk(entry.get("/First"), level + 1)
            entry = entry.get("/Next")

    return list(walk(reader.root_object.get("/Outlines", {}).get("/First"), 1))


def finish(path, about, headings):
    """Write into a PDF who made it and what of, and the words of its outline, where Chromium leaves out formulas and the blanks
    at the ends of lines. ValueError where the outline has not all headings."""
    writer = pypdf.PdfWriter(path, incremental=True)
    entries = outline(writer)
    if len(entries) != len(headings):
        raise ValueError(f"{len(headings)} headings, and {len(entries)} entries in the outline")
    for (_, entry), (_, words) in zip(entries, headings, strict=True):
        if words != entry["/Title"]:
            entry[NameObject("/Title")] = TextStringObject(words)
    writer.add_metadata(
        {
            "/Title": about["title"],
            "/Author": about["authors"],
            "/Subject": f"{about['abstract']} Version {about['version']}, digest {about['edition']}.",
        }
    )
    writer.root_object[NameObject("/PageMode")] = NameObject("/UseOutlines")
    writer.write(path)


def faults(path, headings):
    """What is wrong with a PDF, as sentences: no tags, a heading that its outline lacks, a link without a target, a font that
    is not in it, too many bytes."""
    reader, found = pypdf.PdfReader(path), []
    root = reader.root_object
    if "/StructTreeRoot" not in root or not root.get("/MarkInfo", {}).get("/Marked"):
        found.append("it is not tagged")
    if "/Lang" not in root:
        found.append("it has no language")
    entries = [str(entry["/Title"]) for _, entry in outline(reader)]
    found += [f"its outline lacks {words}" for _, words in headings if words not in entries]
    there, fonts = places(reader), {}
    for number, page in enumerate(reader.pages, 1):
        for link in (note.get_object() for note in page.get("/Annots", ())):
            target, action = link.get("/Dest"), link.get("/A", {})
            if target is not None and isinstance(target, str) and target.removeprefix("/") not in there:
                found.append(f"page {number}: {target} has no target")
            if target is None and not re.match("https?:|mailto:", str(action.get("/URI", ""))):
                found.append(f"page {number}: a link to {action.get('/URI', 'nothing')}")
        fonts |= page.get("/Resources", {}).get("/Font", {})
    found += [
        f"the font {font.get_object().get('/BaseFont')} is not in it"
        for font in fonts.values()
        if not embedded(font)
    ]
    if (size := Path(path).stat().st_size) > MOST:
        found.append(f"{size:,} bytes, more than {MOST:,}")
    return found


def embedded(font):
    """Whether the shapes of a font are in the PDF."""
    font = font.get_object()
    if font["/Subtype"] == "/Type3":
        return True  # drawn letter by letter
    font = font["/DescendantFonts"][0].get_object() if font["/Subtype"] == "/Type0" else font
    return any(f"/FontFile{kind}" in font.get("/FontDescriptor", {}) for kind in ("", "2", "3"))


def offer(pdf, site):
    """Put the PDF beside the pages, and a link to it beside each to the zip."""
    shutil.copyfile(pdf, site / NAME)
    size = round(pdf.stat().st_size / 1e6)
    for page in site.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        link = rf'\1 <a class="book-pdf" href="\2{NAME}" download>The whole book (PDF, {size} MB)</a>'
        if (linked := ZIP.sub(link, html)) != html:
            page.write_text(linked, encoding="utf-8", newline="\n")


def build(edition):
    """Build the pages, if they are not there or are of another edition."""
    cite = SITE / f"{editions.CITE}.html"
    if cite.is_file() and f"digest {edition}" in cite.read_text(encoding="utf-8"):
        return
    program = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
    subprocess.run([program, "build", str(ROOT)], check=True)


def main():
    """Make the PDF. Exit status 1, and sentences, where it may not be kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.parse_args()
    if trouble := chromium.missing():
        sys.exit(trouble)
    from playwright.sync_api import sync_playwright

    began, said = time.time(), about(ROOT)
    build(said["edition"])
    OUT.mkdir(parents=True, exist_ok=True)
    source, out = OUT / "book.html", OUT / NAME
    out.unlink(missing_ok=True)
    try:
        html, headings = bound.document(SITE, bound.parts(ROOT), said, said["address"])
        source.write_text(html, encoding="utf-8")
        made = OUT / "unjudged.pdf"
        with sync_playwright() as playwright:
            with chromium.launched(playwright, (), "--allow-file-access-from-files") as browser:
                printed(source, made, browser)
        finish(made, said, headings)
        if found := faults(made, headings):
            raise ValueError("\n".join(found))
    except ValueError as error:
        sys.exit(str(error))
    made.replace(out)
    offer(out, SITE)
    pages, size = len(pypdf.PdfReader(out).pages), out.stat().st_size / 1e6
    print(f"{out.relative_to(ROOT)}: {pages} pages, {size:.1f} MB, {time.time() - began:.0f} seconds")


if __name__ == "__main__":
    main()
