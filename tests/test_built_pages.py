"""What judges the built pages says what is wrong in any HTML, and ends."""

import base64
from html import escape
from urllib.parse import quote

import built_pages
import nbformat.v4 as v4
import pytest
from helpers import repeatable
from hypothesis import given, settings
from hypothesis import strategies as st

PAGE = "<!DOCTYPE html><html><body><article><h1>A part</h1><div class='cell_output'>{}</div></article></body></html>"
NOTEBOOK = v4.new_notebook(cells=[v4.new_markdown_cell("# A part")])
SVG = '<svg aria-hidden="true">{}</svg>'


@pytest.fixture
def site(tmp_path):
    """A folder for a site, with a picture in it."""
    (tmp_path / "site" / "book").mkdir(parents=True)
    (tmp_path / "site" / "a b.png").write_bytes(b"a picture")
    (tmp_path / "beside.html").write_text("of another site", encoding="utf-8")
    return tmp_path / "site"


def judged(site, html):
    """(what is wrong with the page, what it loads, what is wrong with the site) of a page with this in an output."""
    page = site / "book" / "part.html"
    page.write_bytes(PAGE.replace("{}", html).encode("utf-8", "surrogatepass"))
    return built_pages.page_problems(page, NOTEBOOK), built_pages.loads(page), built_pages.site_problems(site)


LOADS = {
    "picture": '<img alt="x" src="https://e.org/x.png">',
    "capitals": '<IMG ALT="x" SRC="HTTPS://E.ORG/x.png">',
    "another scheme": '<img alt="x" src="ftp://e.org/x.png">',
    "a file of one machine": '<img alt="x" src="file:///x.png">',
    "no scheme": '<img alt="x" src="//e.org/x.png">',
    "backslashes": r'<img alt="x" src="\\e.org/x.png">',
    "slashes of both kinds": r'<img alt="x" src="/\e.org/x.png">',
    "no slashes": '<img alt="x" src="https:e.org/x.png">',
    "spaces before": '<img alt="x" src="\n \x01 https://e.org/x.png">',
    "a tab in the scheme": '<img alt="x" src="ht\ttps://e.org/x.png">',
    "a line break between the slashes": '<img alt="x" src="/\n/e.org/x.png">',
    "entities": '<img alt="x" src="&#104;ttps&colon;&sol;/e.org/x.png">',
    "no quotes": "<img alt=x src=https://e.org/x.png>",
    "unclosed": '<img alt="x" src="https://e.org/x.png"',
    "srcset": '<img alt="x" src="../a%20b.png" srcset="../a%20b.png 1x,https://e.org/x.png 2x">',
    "source": '<picture><source srcset="../a%20b.png, //e.org/x.png 2x"></picture>',
    "video": '<video src="https://e.org/x"></video>',
    "poster": '<video poster="https://e.org/x"></video>',
    "audio": '<audio><source src="https://e.org/x"></audio>',
    "track": '<video><track src="https://e.org/x"></video>',
    "embed": '<embed src="https://e.org/x">',
    "object": '<object data="https://e.org/x"></object>',
    "param": '<object><param name="movie" value="https://e.org/x"></object>',
    "frame": '<iframe src="https://e.org/x"></iframe>',
    "frame of text": f'<iframe srcdoc="{escape(chr(60) + "img src=//e.org/x>")}"></iframe>',
    "frame of data": f'<iframe src="data:text/html,{quote("<img src=//e.org/x>")}"></iframe>',
    "frame of base64": '<iframe src="data:text/html;base64,{}"></iframe>'.format(
        base64.b64encode(b"<img src=//e.org/x>").decode()
    ),
    "frame of a program": "<iframe src=\"javascript:fetch('//e.org/x')\"></iframe>",
    "button that is a picture": '<input type="image" alt="x" src="https://e.org/x">',
    "background of a table": '<table background="https://e.org/x"></table>',
    "style": '<p style="background:url(//e.org/x)">',
    "style in capitals": "<p style=\"background:URL( 'HTTPS://e.org/x')\">",
    "style in escapes": r'<p style="background:u\72l(\68ttps\3a //e.org/x)">',
    "style of sizes": """<p style='background:image-set("a.png" 1x, "//e.org/x" 2x)'>""",
    "style element": "<style>p {background: url(//e.org/x)}</style>",
    "import": '<style>@import "//e.org/x.css";</style>',
    "import of an address": "<style>@import/**/url(//e.org/x.css);</style>",
    "style sheet": '<link rel="stylesheet" href="//e.org/x.css">',
    "style sheet of data": """<link rel=stylesheet href="data:text/css,@import '//e.org/x.css'">""",
    "style sheet of data in a style": """<style>@import 'data:text/css,@import "//e.org/x.css"';</style>""",
    "program of data": """<script src="data:text/javascript,fetch('//e.org/x')"></script>""",
    "program of base64": '<script src="data:;base64,{}"></script>'.format(
        base64.b64encode(b"fetch('//e.org/x')").decode()
    ),
    "style without slashes": "<style>p {background: url(https:e.org/x)}</style>",
    "import without slashes": "<style>@import 'https:e.org/x.css'</style>",
    "style with a tab": "<style>p {background: url('ht\ttps://e.org/x')}</style>",
    "style of a file": "<style>p {background: url(file:///x)}</style>",
    "program in a link": """<a href="javascript:fetch('//e.org')">x</a>""",
    "this machine": "<script>fetch('//localhost/x')</script>",
    "this machine by number": "<script>fetch('//[::1]/x')</script>",
    "program without slashes": "<script>new WebSocket('ws:e.org')</script>",
    "program of a file": "<script>fetch('file:/x')</script>",
    "octal escapes": r"<script>fetch('https:\57\057e.org/x')</script>",
    "who names namespaces": "<script>fetch('https://www.w3.org/')</script>",
    "preload": '<link rel="preload" as="image" imagesrcset="//e.org/x.png 2x">',
    "preconnect": '<link rel="preconnect" href="https://e.org">',
    "base": '<base href="https://e.org/">',
    "refresh": '<meta http-equiv="Refresh" content="0; URL=\'https://e.org/\'">',
    "refresh without url": '<meta http-equiv="refresh" content="3;https://e.org/">',
    "form": '<form action="https://e.org/"></form>',
    "button of a form": '<button formaction="https://e.org/">x</button>',
    "ping": '<a href="part.html" ping="/x https://e.org/">x</a>',
    "script": '<script src="//e.org/x.js"></script>',
    "module": "<script type=module>import '//e.org/x.js'</script>",
    "socket": "<script>new WebSocket('WSS://e.org')</script>",
    "address in JSON": r'<script>x = "https:\/\/e.org\/x"</script>',
    "address in escapes": r"<script>fetch('\x68ttps:\u002f\u{2f}e.org/x')</script>",
    "event": """<p onclick="fetch('//e.org/x')">""",
    "template": '<template><img alt="x" src="//e.org/x"></template>',
    "frame of ours": '<script type="text/html"><img src="&#47;/e.org/x"></script>',
    "picture in a drawing": SVG.format('<image href="https://e.org/x"/>'),
    "picture in a drawing, of old": SVG.format('<image xlink:href="https://e.org/x"/>'),
    "part of a drawing": SVG.format('<use href="//e.org/x.svg#y"/>'),
    "filter of a drawing": SVG.format('<feImage href="//e.org/x"/>'),
    "fill of a drawing": SVG.format('<rect fill="url(//e.org/x.svg#y)"/>'),
    "style of a drawing": SVG.format("<style>@import '//e.org/x.css'</style>"),
    "change of a drawing": SVG.format('<image><set attributeName="href" to="//e.org/x"/></image>'),
    "changes of a drawing": SVG.format('<image><animate values="a.png;//e.org/x"/></image>'),
}


@pytest.mark.parametrize("html", LOADS.values(), ids=LOADS)
def test_what_loads_from_elsewhere_is_named(site, html):
    page, loads, _ = judged(site, html)
    assert loads and all(problem.startswith("loads from elsewhere: ") for problem in loads)
    assert set(loads) <= {*page}


LOADS_NOT = {
    "link": '<a href="https://e.org/">https://e.org</a>',
    "picture": '<img alt="a line that falls to the right" src="../a%20b.png">',
    "question": '<img alt="a line that falls to the right" src="../a%20b.png?v=1#x">',
    "sizes": '<img alt="a line that falls to the right" src="../a%20b.png" srcset="../a%20b.png 1x, ../a%20b.png 1.5x">',
    "data": '<img alt="a line that falls to the right" src="data:image/png;base64,iVBORw0KGgo=">',
    "drawing": SVG.format('<g xmlns="http://www.w3.org/2000/svg" id="a"><use href="#a" fill="url(#a)"/></g>'),
    "text": '<p title="see https://e.org" data-source="https://e.org">at https://e.org // and url(//e.org)',
    "program": "<script>x = 1 // 2; y = 'a//b'; z = \"http://www.w3.org/2000/svg\" // 'why'</script>",
    "pattern": r"<script>x = /\d{4}\/\w+/.test('\\d')</script>",
    "frame of ours": '<script type="text/html"><svg xmlns="http://www.w3.org/2000/svg"></svg></script>',
    "mail": '<form action="mailto:a@e.org"></form>',
    "empty": '<img alt="a line that falls to the right" src="../a%20b.png" style srcset><p onclick><form action></form>',
}


@pytest.mark.parametrize("html", LOADS_NOT.values(), ids=LOADS_NOT)
def test_what_loads_nothing_from_elsewhere_passes(site, html):
    assert judged(site, html) == ([], [], [])


NOWHERE = {
    "missing": "gone.png",
    "empty": "",
    "folder": "../book",
    "folders": "../" * 60,
    "above the site": "../../beside.html",
    "from the server's root": "/book/part.html",
    "of this machine": "/etc/passwd",
    "percent": "%",
    "NUL": "a%00b.png",
    "NUL itself": "a\0b.png",
    "long": "n" * 300,
    "very long": "n/" * 5000,
    "white space": " \t ",
    "brackets": "[::1",
    "device": "../" * 60 + "dev/zero",
    "endless": "../" * 60 + "proc/kmsg",
}


@pytest.mark.parametrize("address", NOWHERE.values(), ids=NOWHERE)
def test_address_that_no_file_has_is_named(site, address):
    page, loads, links = judged(
        site, f'<img alt="a line that falls to the right" src="{address}"><a href="{address}">x</a>'
    )
    assert loads == []
    if address.strip():
        assert any("leads nowhere" in problem for problem in links)
    if not address.startswith("../../beside"):
        assert any("a picture that is not there" in problem for problem in page)


def test_link_that_is_no_address_is_left_to_the_reader(site):
    assert judged(site, '<a href="http://[">x</a><a href="x:y">x</a><a>x</a>') == ([], [], [])


def test_place_in_what_is_no_page_is_not_looked_for(site):
    (site / "book" / "x.pdf").write_bytes(b"\xff\xfe")
    assert judged(site, '<a href="x.pdf#page=2">x</a>') == ([], [], [])


FRAMES = {
    "no frames": ('<div class="cnn-frames"></div>', "a picture that moves without frames"),
    "no text": ('<div class="cnn-frames"><div class="cnn-view"><b>x</b></div></div>', "alt must say"),
    "an empty view": ('<div class="cnn-frames"><p>x</p><div class="cnn-view"></div></div>', "without frames"),
}


@pytest.mark.parametrize("html, said", FRAMES.values(), ids=FRAMES)
def test_frames_without_a_part_are_named(site, html, said):
    page, _, _ = judged(site, html)
    assert any(said in problem for problem in page), page


BROKEN = {
    "nothing": "",
    "open": "<div" + "<p><b><svg><table>" * 50,
    "deep": "<div>" * 20_000,
    "formulas in each other": "<div class='math'>\\[x" * 3_000,
    "sets of images": f"<style>p {{background: {'image-set( ' * 5_000}}}</style>",
    "comments": f"<style>{'@import/**/' * 5_000}</style>",
    "spaces": f"<style>src({' ' * 200_000}</style>",
    "deep drawing": "<svg>" * 1_000,
    "closed before it is open": "</article></html></div>" * 100,
    "attributes": "<p " + "a='" * 1000,
    "declarations": "<![x]><!DOCTYPE <!ENTITY <?x <![CDATA[",
    "comment": "<!-- <img src='//e.org'>",
    "entities": "&#xffffffffff;&#55296;&#0;&nothing;&" * 100,
    "drawing": "<svg></svg><svg/><image/><use/>",
    "nothing in anything": "<img><img src><img alt><iframe><script><style><base><meta http-equiv=refresh><form action>",
    "twice": "<img src=a src=b alt=a alt=b id=a id=a>",
    "surrogate": "\udc80",
    "lists": "<img class='a b' rel='a b' alt='x' src='a b'><a rel='launch x' headers='a b'>x</a>",
    "a script in a script": "<script type=text/html><script type=text/html>//<img src=x></script>",
}


@pytest.mark.parametrize("html", BROKEN.values(), ids=BROKEN)
def test_broken_html_is_judged_to_the_end(site, html):
    judged(site, html)


PIECES = """< > / = " ' & # ; - ! [ ] ( ) \\ : , % \0 \t \ufffd \udc80 img svg iframe script style template a form meta base link
    article table p div object use image set input noscript src= srcset= href= style= alt= class= id= content= srcdoc= type=
    http-equiv=refresh text/html cnn-frames cnn-view cell_output math //e.org https: data: data:text/html, javascript: url(
    @import ../ %00 %zz &#47; \\2f \\u{ffffffff} \\x 2x 0;url= <!-- --> <![CDATA[ </ /> role=img aria-label=""".split(
    " "
)
PIECES = [piece.strip("\n") for piece in PIECES if piece.strip("\n")]


@settings(repeatable, max_examples=40)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40))
def test_any_html_is_judged_to_the_end(tmp_path_factory, pieces):
    site = tmp_path_factory.getbasetemp() / "any"
    (site / "book").mkdir(parents=True, exist_ok=True)
    for html in ("".join(pieces), f"<{' '.join(pieces)}>"):
        for problems in judged(site, html):
            assert all(isinstance(problem, str) and problem for problem in problems)


@pytest.mark.parametrize("error", [RecursionError("too deep"), AssertionError("odd")])
def test_page_that_cannot_be_taken_apart_is_named(site, monkeypatch, error):
    def feed(self, *args):
        raise error

    monkeypatch.setattr("bs4.builder._htmlparser.BeautifulSoupHTMLParser.feed", feed)
    page, loads, links = judged(site, f"<p>{error}")
    assert page == loads and page[0].startswith("no HTML that can be read") and str(error) in page[0]
    assert links == [f"book/part.html: {page[0]}"]


def test_bytes_that_are_no_text_are_named(site):
    page = site / "book" / "part.html"
    page.write_bytes(PAGE.encode() + b"\xff\xfe\x00")
    assert built_pages.page_problems(page, NOTEBOOK) == ["bytes that are no UTF-8"]
    assert built_pages.loads(page) == built_pages.site_problems(site) == []


@pytest.mark.parametrize(
    "css",
    [
        "p {background: URL(//e.org/x)}",
        r"@import '\2f/e.org/x.css'",
        "@import/**/'https://e.org'",
        "src(//e.org/)",
    ]
    + ["p {background: image-set('a.png' 1x, 'https://e.org/x' 2x)}"],
)
def test_style_sheet_that_loads_from_elsewhere_is_named(site, css):
    (site / "x.css").write_bytes(b"\xff" + css.encode())
    (problem,) = built_pages.site_problems(site)
    assert problem.startswith("x.css loads from elsewhere: ")


def test_folders_and_links_that_look_like_pages_are_passed_over(site):
    (site / "x.html").mkdir()
    (site / "x.css").mkdir()
    try:
        (site / "y.html").symlink_to("gone.html")
        (site / "y.css").symlink_to("y.css")
    except OSError as error:
        pytest.skip(f"no links here: {error}")
    assert built_pages.site_problems(site) == built_pages.weight_problems(site) == []
