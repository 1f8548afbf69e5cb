"""The editions of the book: what CITATION.cff and CHANGELOG.md say of them, the page that says how to cite this one and what
changed with it, the older ones, kept readable below `editions/`, and the files of a release.

    python tools/site/editions.py release --tag v2.0.0    # from _build/html and _build/pdf into _build/release

After a release the version is that of a development state, such as 2.1.0.dev0, and has no date.

The environment variable CNNLIB_EDITIONS names a folder with the files of earlier releases. The build unpacks the sites among
them, once their digests agree, and the page links to them.
"""

import argparse
import datetime
import hashlib
import os
import re
import shutil
import sys
import zipfile
from html import escape
from pathlib import Path

import pypdf
import yaml
from markdown_it import MarkdownIt
from sphinx.errors import ConfigError

import head
from run_in_browser import NAME

CITATION, CHANGELOG, SUMS = "CITATION.cff", "CHANGELOG.md", "SHA256SUMS"
CITE = "cite"  # the page
FOLDER = "editions"  # of the site, with the older ones
DEVELOPMENT, UNRELEASED = ".dev0", "not released"
VERSION = r"\d+\.\d+\.\d+(?:\.dev0)?"
HEADING = re.compile(rf"^## (?P<version>{VERSION}), (?P<name>[^(\n]+) \((?P<date>[^)\n]+)\)$", re.MULTILINE)
FOOTER = '<p class="edition">'
ROOT = Path(__file__).resolve().parents[2]


def citation(root):
    """What CITATION.cff says; ConfigError where it lacks a version, or a release a date, or where another state has one."""
    said = yaml.safe_load(Path(root, CITATION).read_text(encoding="utf-8"))
    if not re.fullmatch(VERSION, str(said.get("version"))):
        raise ConfigError(
            f"{CITATION} wants a version such as 2.0.0, or 2.1.0{DEVELOPMENT} after it, got {said.get('version')!r}"
        )
    if said["version"].endswith(DEVELOPMENT):
        if "date-released" in said:
            raise ConfigError(f"{CITATION} wants no date-released with version {said['version']}")
    elif type(said.get("date-released")) is not datetime.date:
        raise ConfigError(
            f"{CITATION} wants a date-released such as 2026-11-30, got {said.get('date-released')!r}"
        )
    return said


def date(said):
    """The date that CITATION.cff says, or that there is none."""
    return str(said.get("date-released", UNRELEASED))


def changelog(root):
    """[(version, name, date, what changed as Markdown)], the newest first; ConfigError where a heading is not of the form
    "## 2.0.0, second edition (2026-11-30)"."""
    text = Path(root, CHANGELOG).read_text(encoding="utf-8")
    found = list(HEADING.finditer(text))
    for line in re.findall(r"^## .*$", text, re.MULTILINE):
        if not HEADING.fullmatch(line):
            raise ConfigError(f"{CHANGELOG} wants headings such as {EXAMPLE!r}, got {line!r}")
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [
        (*match.groups(), text[match.end() : end].strip()) for match, end in zip(found, ends, strict=True)
    ]


EXAMPLE = "## 2.0.0, second edition (2026-11-30)"


def agree(said, editions):
    """ConfigError where CITATION.cff and the first heading of CHANGELOG.md name different editions."""
    version, _, when, _ = editions[0]
    if (version, when) != (said["version"], date(said)):
        raise ConfigError(
            f"{CITATION} has version {said['version']} ({date(said)}), {CHANGELOG} {version} ({when})"
        )


def digests(folder):
    """{file: digest} of the SHA256SUMS in `folder` and in its folders."""
    return {
        path.parent / name: digest
        for path in folder.rglob(SUMS)
        for digest, name in re.findall(
            r"^([0-9a-f]{64})  (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }


def kept(folder):
    """{version: zip of its site} of the releases in `folder`. ConfigError for a zip that no SHA256SUMS names, or whose digest
    differs."""
    sums, found = digests(folder), {}
    for path in sorted(folder.rglob(f"{NAME}-*-site.zip")):
        if (got := sha256(path)) != sums.get(path):
            raise ConfigError(f"{path.name}: {SUMS} has {sums.get(path, 'no line for it')}, the file {got}")
        found[path.name.removeprefix(f"{NAME}-").removesuffix("-site.zip")] = path
    return found


def sha256(path):
    """The SHA-256 digest of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def footer(archive):
    """What the footer of a released site says, which has its digest. The first page has none: it only leads on."""
    with zipfile.ZipFile(archive) as packed:
        return packed.read(f"{CITE}.html").decode("utf-8").partition(FOOTER)[2].partition("</p>")[0]


def unpack(archive, target):
    """The site of a released edition, each page of which says in its footer that it is one, and links to the newest."""
    shutil.rmtree(target, ignore_errors=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(target)  # which leaves no path outside
    for page in target.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        up = "../" * (len(page.relative_to(target).parts) + 1)
        newer = f'This edition is kept as it was released. <a href="{up}index.html">Read the newest.</a> '
        page.write_text(text.replace(FOOTER, FOOTER + newer, 1), encoding="utf-8", newline="\n")


def read(app, config):
    """Take the version and the date of the book, and which older editions are there."""
    said, editions = citation(app.srcdir), changelog(app.srcdir)
    agree(said, editions)
    folder = os.environ.get("CNNLIB_EDITIONS", "")
    if folder and not Path(folder).is_dir():
        raise ConfigError(
            f"CNNLIB_EDITIONS wants a folder with the files of earlier releases, got {folder!r}"
        )
    older = kept(Path(folder)) if folder else {}
    if said["version"] in older and config.book_edition not in footer(older[said["version"]]):
        raise ConfigError(
            f"version {said['version']} is released, and this book differs from it: {CITATION} wants a version such as 2.1.0{DEVELOPMENT}"
        )
    if unknown := sorted(older.keys() - {version for version, *_ in editions}):
        raise ConfigError(f"{CHANGELOG} does not have the editions {', '.join(unknown)} of CNNLIB_EDITIONS")
    config.book_version, config.book_date = said["version"], date(said)
    config.book_older = {version: str(path) for version, path in older.items()}


def add_older(app, exception):
    """Unpack the older editions beside the pages."""
    if exception or app.builder.format != "html":
        return
    shutil.rmtree(Path(app.outdir, FOLDER), ignore_errors=True)
    for version, path in app.config.book_older.items():
        unpack(path, Path(app.outdir, FOLDER, version))


def add_citation(app, exception):
    """The site's own CITATION.cff, with the address where there is one."""
    if exception or app.builder.format != "html":
        return
    text = Path(app.srcdir, CITATION).read_text(encoding="utf-8")
    if app.config.html_baseurl:
        text += f"url: {app.config.html_baseurl}\n"
    Path(app.outdir, CITATION).write_text(text, encoding="utf-8", newline="\n")


def add_page(app):
    """The page that says how to cite this edition, and what changed with each."""
    said = citation(app.srcdir)
    names = [
        author.get("name") or f"{author['given-names']} {author['family-names']}"
        for author in said["authors"]
    ]
    parts = {"author": " and ".join(f"{{{name}}}" for name in names), "title": f"{{{said['title']}}}"}
    parts["version"] = said["version"]
    if released := app.config.book_date != UNRELEASED:
        parts |= {"date": app.config.book_date, "year": app.config.book_date[:4]}
    parts["note"] = f"Digest {app.config.book_edition}"
    if app.config.html_baseurl:
        parts["url"] = app.config.html_baseurl
    entry = "".join(f",\n  {key} = {{{value}}}" for key, value in parts.items())
    place = f" {parts['url']}" if "url" in parts else ""
    year = f" ({parts['year']})" if released else ""
    line = f"{', '.join(names)}{year}. <cite>{escape(said['title'])}</cite>. Version {said['version']}, "
    body = f"""<section id="how-to-cite"><h1>How to cite</h1>
<p>{escape(said["message"])}</p>
<blockquote><p>{line}{app.config.book_date}, digest {app.config.book_edition}.{escape(place)}</p></blockquote>
<p>For BibTeX:</p>
<div class="highlight"><pre>@software{{{NAME}{escape(entry)}
}}</pre></div>
<p>The digest is made of the chapters and of <code>cnnlib</code>: who has another one may see other numbers. Reference managers
read the file <a href="{CITATION}"><code>{CITATION}</code></a>.</p>
<section id="editions"><h2>Editions</h2>
{"".join(map(edition_html(app.config), changelog(app.srcdir)))}</section></section>"""
    yield CITE, {"title": "How to cite, and editions", "body": body}, "page.html"


def edition_html(config):
    """A function of an edition of the changelog: its part of the page, with a link where it is kept."""
    markdown = MarkdownIt()

    def html(edition):
        version, name, date, changed = edition
        where = "<p>You are reading it.</p>" * (version == config.book_version)
        if version in config.book_older:
            where += (
                f'<p><a href="{FOLDER}/{version}/index.html">Read this edition as it was released</a></p>'
            )
        identifier = f"edition-{version.replace('.', '-')}"
        title = f"{version}, {escape(name)} ({escape(date)})"
        return f'<section id="{identifier}"><h3>{title}</h3>{where}\n{markdown.render(changed)}</section>\n'

    return html


def add_footer(app, pagename, templatename, context, doctree):
    """What the footer says of the edition."""
    context |= {
        f"book_{name}": getattr(app.config, f"book_{name}") for name in ("version", "date", "edition")
    }
    context["book_cite"] = CITE


def release(site, pdf, out, tag):
    """Write the files of a release into the new folder `out`: the site, the notebooks and the PDF, each by the name of the
    edition, and their digests. ConfigError where `tag` is not that of the version, or a file is missing or of another book."""
    said = citation(ROOT)
    agree(said, changelog(ROOT))
    if said["version"].endswith(DEVELOPMENT):
        raise ConfigError(
            f"version {said['version']} is none to release: write {said['version'].removesuffix(DEVELOPMENT)} and its date"
        )
    if tag != f"v{said['version']}":
        raise ConfigError(f"the tag of version {said['version']} is v{said['version']}, got {tag!r}")
    for path in (site / "index.html", site / f"{CITE}.html", site / f"{NAME}.zip", pdf):
        if not path.is_file():
            raise ConfigError(f"{path} is missing: build the book and its PDF first")
    if (built := citation(site)["version"]) != said["version"]:
        raise ConfigError(f"{site} is of version {built}, not {said['version']}: build it again")
    digest = f"digest {head.edition(ROOT)}."
    for path, text in {
        site: (site / f"{CITE}.html").read_text(encoding="utf-8"),
        pdf: (pypdf.PdfReader(pdf).metadata or {}).get("/Subject", ""),
    }.items():
        if digest not in text:
            raise ConfigError(f"{path} is of another book than that of {digest[:-1]}: build it again")
    if out.exists() and not (out / SUMS).is_file():
        raise ConfigError(f"{out} is there and holds no release: name another folder")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    name = f"{NAME}-{said['version']}"
    with zipfile.ZipFile(out / f"{name}-site.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(site.rglob("*")):
            parts = path.relative_to(site)
            if path.is_file() and parts.parts[0] != FOLDER:  # older editions are in their own releases
                archive.write(path, parts.as_posix())
    shutil.copyfile(site / f"{NAME}.zip", out / f"{name}-notebooks.zip")
    shutil.copyfile(pdf, out / f"{name}.pdf")
    lines = [f"{sha256(path)}  {path.name}\n" for path in sorted(out.iterdir())]
    (out / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def main(arguments=None):
    """The command `release`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["release"])
    parser.add_argument("--tag", required=True, help="the tag that is released, such as v2.0.0")
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--pdf", type=Path, default=ROOT / "_build" / "pdf" / f"{NAME}.pdf")
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "release")
    options = parser.parse_args(arguments)
    try:
        release(options.site, options.pdf, options.out, options.tag)
    except ConfigError as error:
        return f"{parser.prog}: {error}"
    print((options.out / SUMS).read_text(encoding="utf-8"), end="")


def setup(app):
    """Register the hooks. Another edition, version or date writes all pages anew."""
    for name in ("book_version", "book_date"):
        app.add_config_value(name, "", "html", str)
    app.add_config_value("book_older", {}, "html", dict)
    app.connect("config-inited", read, priority=600)  # after the digest
    app.connect("html-page-context", add_footer)
    app.connect("html-collect-pages", add_page)
    app.connect("build-finished", add_older)
    app.connect("build-finished", add_citation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    sys.exit(main())
