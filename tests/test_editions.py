"""The editions of the book: what names this one, how it is cited, and that older ones stay readable."""

import datetime
import re
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import editions
import page_kinds
import pypdf
import pytest
import yaml
from building import ROOT
from sphinx.errors import ConfigError

LISTED = page_kinds.listed(ROOT)
SAID = editions.citation(ROOT)
OLD, DATE, DIGEST = "1.0.0", "2026-11-30", "0123456789ab"
LEADS_ON = '<meta http-equiv="Refresh" content="0; url=book/intro.html" />\n'  # as Jupyter Book writes it


def test_each_page_says_its_version_date_and_digest_and_how_to_cite_it(site):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    digests = set()
    for page in [*LISTED, "search", "cite"]:
        html = (site / f"{page}.html").read_text(encoding="utf-8")
        (footer,) = re.findall(r'<p class="edition">(.*?)</p>', html, re.DOTALL)
        said = rf'Version {re.escape(version)}(?:,| of) {editions.date(SAID)}, digest (\w+)\. <a href="(.*)">How to cite, and editions</a>'
        found = re.fullmatch(said, footer)
        digests.add(found[1])
        assert page == "cite" or (site / page).parent.joinpath(found[2]).resolve() == site / "cite.html"
    (digest,) = digests
    cite = (site / "cite.html").read_text(encoding="utf-8")
    assert cite.count(digest) >= 3 and "@software{" in cite and f"version = {{{version}}}" in cite


def test_the_page_has_each_edition_and_what_changed_with_it(site):
    cite = (site / "cite.html").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert re.findall(r"<h3>([^<]*)", cite) == headings and len(headings) > 1
    changed = [
        entry for *_, text in editions.changelog(ROOT) for entry in re.findall(r"^- ", text, re.MULTILINE)
    ]
    assert cite[cite.index('id="editions"') :].partition("</article>")[0].count("<li>") == len(changed)


def test_the_first_page_only_leads_on_and_the_digest_of_a_released_site_is_found(site, tmp_path):
    assert (site / "index.html").read_text(encoding="utf-8") == LEADS_ON
    with zipfile.ZipFile(archive := tmp_path / "site.zip", "w") as packed:
        for page in ("index.html", "cite.html"):
            packed.write(site / page, page)
    assert f"digest {editions.head.edition(ROOT)}." in editions.footer(archive)


def test_the_sites_citation_is_the_files(site):
    text = (site / "CITATION.cff").read_text(encoding="utf-8")
    assert text == (ROOT / "CITATION.cff").read_text(
        encoding="utf-8"
    )  # without an address, which nobody knows yet


@pytest.fixture
def app(tmp_path):
    """As much of Sphinx as the extension asks for, of this book, with an address."""
    config = SimpleNamespace(html_baseurl="https://example.org/book/", book_edition=DIGEST, book_older={})
    (tmp_path / "site").mkdir()
    html = SimpleNamespace(format="html")
    return SimpleNamespace(srcdir=str(ROOT), outdir=str(tmp_path / "site"), config=config, builder=html)


def test_with_an_address_the_citation_has_it(app, tmp_path):
    editions.read(app, app.config)
    editions.add_citation(app, None)
    said = yaml.safe_load((tmp_path / "site" / "CITATION.cff").read_text(encoding="utf-8"))
    assert said == SAID | {"url": "https://example.org/book/"}
    ((name, page, _),) = editions.add_page(app)
    assert name == "cite" and "url = {https://example.org/book/}" in page["body"]


@pytest.fixture
def state(tmp_path):
    """A function that writes CITATION.cff and CHANGELOG.md of a version, released on a date or not, and returns their folder."""

    def write(version, date=None):
        root = tmp_path / "now"
        root.mkdir(exist_ok=True)
        said = {key: value for key, value in SAID.items() if key != "date-released"} | {"version": version}
        said |= {"date-released": datetime.date.fromisoformat(date)} if date else {}
        (root / "CITATION.cff").write_text(yaml.safe_dump(said), encoding="utf-8")
        headings = [f"## {version}, this one ({date or editions.UNRELEASED})"]
        headings += [f"## {OLD}, first edition ({DATE})"] * (version != OLD)
        (root / "CHANGELOG.md").write_text("\n\n- All.\n\n".join(headings), encoding="utf-8")
        return str(root)

    return write


def pdf(path, digest):
    """Write a PDF that says of which book it is, as `tools/site/pdf.py` does."""
    writer = pypdf.PdfWriter()
    writer.add_metadata({"/Subject": f"A book. Version {OLD}, digest {digest}."})
    writer.write(path)


@pytest.fixture
def released(tmp_path, monkeypatch, state):
    """The folder of a release of version 1.0.0, of a site of two pages and a first one that leads on, made by the command."""
    site = tmp_path / "html"
    (site / "book").mkdir(parents=True)
    (site / "index.html").write_text(LEADS_ON, encoding="utf-8")
    for page, text in {"cite": "one", "book/part": "two"}.items():
        footer = f'<p class="edition">Version {OLD}, digest {DIGEST}.</p>'
        (site / f"{page}.html").write_text(f"<body>{text}{footer}</body>", encoding="utf-8")
    (site / f"{editions.NAME}.zip").write_bytes(b"notebooks")
    pdf(tmp_path / "book.pdf", DIGEST)
    monkeypatch.setattr(editions.head, "edition", lambda root: DIGEST)
    root = Path(state(OLD, DATE))
    (site / "CITATION.cff").write_bytes((root / "CITATION.cff").read_bytes())
    monkeypatch.setattr(editions, "ROOT", root)
    out = tmp_path / "releases" / f"v{OLD}"
    places = ["--site", str(site), "--pdf", str(tmp_path / "book.pdf"), "--out", str(out)]
    assert editions.main(["release", "--tag", f"v{OLD}", *places]) is None
    assert "wants" not in str(editions.main(["release", "--tag", "v9.9.9", *places]))
    assert editions.main(["release", "--tag", "v9.9.9", *places]) == (
        f"{editions.argparse.ArgumentParser().prog}: the tag of version {OLD} is v{OLD}, got 'v9.9.9'"
    )
    return out


def test_a_release_has_site_notebooks_pdf_and_their_digests(released):
    names = {f"{editions.NAME}-{OLD}{end}" for end in ("-site.zip", "-notebooks.zip", ".pdf")}
    assert {path.name for path in released.iterdir()} == names | {"SHA256SUMS"}
    sums = editions.digests(released)
    assert {path.name: editions.sha256(path) for path in sums} == {
        path.name: digest for path, digest in sums.items()
    }
    assert {path.name for path in sums} == names


def test_a_release_takes_neither_pages_nor_a_pdf_of_another_book(released, tmp_path, monkeypatch):
    site, book, out = tmp_path / "html", tmp_path / "book.pdf", tmp_path / "new"
    pdf(book, "ba9876543210")
    with pytest.raises(ConfigError, match=f"book.pdf is of another book than that of digest {DIGEST}"):
        editions.release(site, book, out, f"v{OLD}")
    monkeypatch.setattr(editions.head, "edition", lambda root: "ba9876543210")
    with pytest.raises(ConfigError, match="html is of another book than that of digest ba9876543210"):
        editions.release(site, book, out, f"v{OLD}")
    assert not out.exists()


def test_an_older_edition_stays_readable_and_says_that_it_is_one(app, released, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLIB_EDITIONS", str(released.parent))
    editions.read(app, app.config)
    editions.add_older(app, None)
    old = tmp_path / "site" / "editions" / OLD
    for page, up in {"cite": "../../", "book/part": "../../../"}.items():
        text = (old / f"{page}.html").read_text(encoding="utf-8")
        said = f'This edition is kept as it was released. <a href="{up}index.html">Read the newest.</a>'
        assert text.count(said) == 1
        assert (old / f"{page}.html").parent.joinpath(up).resolve() == tmp_path / "site"
    ((_, page, _),) = editions.add_page(app)
    assert (
        page["body"].count("Read this edition as it was released")
        == page["body"].count("You are reading it.")
        == 1
    )
    assert f'href="editions/{OLD}/index.html"' in page["body"]
    archive = released / f"{editions.NAME}-{OLD}-site.zip"
    with zipfile.ZipFile(archive, "a") as changed:
        changed.writestr("more.html", "")
    with pytest.raises(ConfigError, match="SHA256SUMS has [0-9a-f]{64}, the file"):
        editions.read(app, app.config)
    (released / "SHA256SUMS").unlink()
    with pytest.raises(ConfigError, match="no line for it"):
        editions.read(app, app.config)


def test_a_folder_of_editions_that_is_none_is_refused(app, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLIB_EDITIONS", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="CNNLIB_EDITIONS wants a folder"):
        editions.read(app, app.config)


def test_an_edition_that_the_changelog_does_not_have_is_refused(app, released, monkeypatch):
    archive = released / f"{editions.NAME}-{OLD}-site.zip"
    archive.rename(other := released / f"{editions.NAME}-0.9.0-site.zip")
    (released / "SHA256SUMS").write_text(f"{editions.sha256(other)}  {other.name}\n", encoding="utf-8")
    monkeypatch.setenv("CNNLIB_EDITIONS", str(released))
    with pytest.raises(ConfigError, match="does not have the editions 0.9.0"):
        editions.read(app, app.config)


def test_after_a_release_the_book_is_a_development_state_and_the_release_is_kept(
    app, released, state, monkeypatch, tmp_path
):
    monkeypatch.setenv("CNNLIB_EDITIONS", str(released.parent))
    app.srcdir, app.config.book_edition = state("1.1.0.dev0"), "ba9876543210"
    editions.read(app, app.config)
    editions.add_older(app, None)
    assert (tmp_path / "site" / "editions" / OLD / "index.html").is_file()
    context = {}
    editions.add_footer(app, "index", "page.html", context, None)
    assert (context["book_version"], context["book_date"]) == ("1.1.0.dev0", "not released")
    ((_, page, _),) = editions.add_page(app)
    assert "Version 1.1.0.dev0, not released, digest ba9876543210." in page["body"]
    assert (
        "version = {1.1.0.dev0}" in page["body"]
        and "year = " not in page["body"]
        and "date = " not in page["body"]
    )
    assert f'<a href="editions/{OLD}/index.html">' in page["body"]


def test_a_release_is_kept_from_its_own_commit_on_and_nothing_else_has_its_version(
    app, released, state, monkeypatch, tmp_path
):
    monkeypatch.setenv("CNNLIB_EDITIONS", str(released.parent))
    app.srcdir = state(OLD, DATE)
    editions.read(app, app.config)
    ((_, page, _),) = editions.add_page(app)
    assert page["body"].count("You are reading it.") == page["body"].count(f"editions/{OLD}/") == 1
    app.config.book_edition = "ba9876543210"
    with pytest.raises(ConfigError, match=f"version {OLD} is released, and this book differs from it"):
        editions.read(app, app.config)


def test_a_development_state_is_not_released(state, monkeypatch, tmp_path):
    monkeypatch.setattr(editions, "ROOT", Path(state("1.1.0.dev0")))
    said = editions.main(["release", "--tag", "v1.1.0.dev0", "--out", str(tmp_path / "out")])
    assert said.endswith("version 1.1.0.dev0 is none to release: write 1.1.0 and its date")
    assert not (tmp_path / "out").exists()


def test_the_workflow_of_a_release_publishes_the_book_once_more():
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    created, published = (step["run"] for step in workflow["jobs"]["release"]["steps"][-2:])
    assert (
        "gh release create" in created and "--workflow pages.yml" in published and "gh run rerun" in published
    )
    assert workflow["permissions"]["actions"] == "write"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("CITATION.cff", "date-released: ", "released: ", "wants a date-released"),
        ("CITATION.cff", "date-released: 2", "date-released: 3", "CHANGELOG.md 2"),
        (
            "CITATION.cff",
            "version: 2.0.0",
            "version: 9.9.9.dev0",
            "wants no date-released with version 9.9.9.dev0",
        ),
        ("CITATION.cff", "\nversion: ", "\nversion: v", "wants a version such as"),
        ("CHANGELOG.md", "## 2.0.0", "## 99.0.0", "CHANGELOG.md 99.0.0 (2026"),
        ("CHANGELOG.md", "## 2.0.0", "## Next", "wants headings such as"),
    ],
)
def test_files_that_disagree_on_the_edition_are_refused(app, state, name, old, new, message):
    app.srcdir = state("2.0.0", DATE)
    editions.read(app, app.config)
    path = Path(app.srcdir, name)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(message)):
        editions.read(app, app.config)
