"""Links of the built pages say where they lead to those who hear them one by one."""

import links
import page_kinds
import pytest
from building import ROOT


@pytest.mark.parametrize("page", page_kinds.listed(ROOT))
def test_each_link_says_where_it_leads(site, page):
    assert list(links.problems(site / f"{page}.html")) == []


PAGE = "<article><section id='top'><h1>Top</h1>{}<section id='below'><h2>Below</h2><p id='first'>x</p></section></section></article>"


@pytest.mark.parametrize(
    ("inside", "wrong"),
    [
        (
            "<a href='#below'>Below</a> <a href='#first'>Below</a> <a href='part.html'>Top</a> <a href='#top'>Top</a>",
            0,
        ),
        ("<a href='#below'>slide</a>", 1),
        ("<a href='#below'>This.</a>", 1),
        ("<a href='#below'></a>", 1),
        ("<a href='#below'><img alt='Below'></a>", 0),
        ("<a href='#below'>slide<span>: Below</span></a> <a href='#top'>slide<span>: Top</span></a>", 0),
        ("<a href='#below' aria-label='slide: Below'>slide</a>", 0),
        ("<a href='#below'>Part</a> <a href='part.html'>Part</a>", 1),
        ("<a href='https://e.org/a'>Part</a> <a href='https://e.org/b'>Part</a>", 1),
        ("<a href='?slides=a'>Part</a> <a href='?slides=b'>Part</a>", 1),
        (
            "<a class='headerlink' href='#below'>#</a> <a class='term' href='#below'>a</a> <a class='term' href='#top'>a</a>",
            0,
        ),
    ],
)
def test_a_link_that_says_nothing_or_two_things_is_named(tmp_path, inside, wrong):
    page = tmp_path / "part.html"
    page.write_text(PAGE.format(inside), encoding="utf-8")
    assert len(list(links.problems(page))) == wrong
