"""Links to places of earlier editions lead to where these are now."""

import re
import tomllib
from functools import cache
from pathlib import Path

import moved
import pytest

PLACES = tomllib.loads((Path(__file__).with_name("places.toml")).read_text(encoding="utf-8"))


@cache
def anchors(path):
    """The places of a page; none where there is no page."""
    return set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8"))) if path.exists() else set()


def problems(site, table, places):
    """Old places that lead nowhere, and lines of the table that lead nowhere or hide a place."""
    found = []
    for page, olds in places.items():
        there = anchors(site / "book" / f"{page}.html")
        lost = [old for old in olds if old not in there and old not in table.get(page, {})]
        found += [f"{page}#{old} is gone" for old in lost]
    for page, own in table.items():
        there = anchors(site / "book" / f"{page}.html")
        if not there:
            found.append(f"{page} is no page, so nothing in it can lead on")
        for old, new in own.items():
            target, _, anchor = new.partition("#")
            if old in there:
                found.append(f"{page}#{old} is still there, and said to be {new}")
            if (anchor or "main-content") not in anchors(site / "book" / target):
                found.append(f"{page}#{old} leads to {new}, which is not there")
    return found


def test_every_old_place_is_there_or_leads_on(site):
    assert problems(site, moved.moved(), PLACES) == []


@pytest.mark.parametrize(
    ("table", "places", "said"),
    [
        ({}, {"lenet": ["nowhere"]}, "lenet#nowhere is gone"),
        ({}, {"nowhere": ["summary"]}, "nowhere#summary is gone"),
        (
            {"lenet": {"old": "lenet.html#nowhere"}},
            {},
            "lenet#old leads to lenet.html#nowhere, which is not there",
        ),
        ({"lenet": {"old": "nowhere.html"}}, {}, "lenet#old leads to nowhere.html, which is not there"),
        ({"lenet": {"exercises": "lenet.html#summary"}}, {}, "lenet#exercises is still there"),
        ({"nowhere": {"old": "lenet.html"}}, {}, "nowhere is no page"),
    ],
)
def test_what_leads_nowhere_is_named(site, table, places, said):
    assert any(problem.startswith(said) for problem in problems(site, table, places))
    assert problems(site, {}, {"lenet": ["exercises"]}) == []


def test_the_table_is_read_as_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(moved, "TABLE", tmp_path / "moved.toml")
    moved.TABLE.write_text(
        '[lenet]\nold = "#new"\nother = "softmax#logits"\nwhole = "softmax"\n', encoding="utf-8"
    )
    assert moved.moved() == {
        "lenet": {"old": "lenet.html#new", "other": "softmax.html#logits", "whole": "softmax.html"}
    }
