"""The gallery of wrong answers in a real browser: what filters its cards, what opens one, and what is there without scripts."""

import browsing
import pytest
from test_browser_explorer import DESK, PHONE, page_of

from cnnlib import practice
from cnnlib.show import gallery

KINDS = {kind: practice.kinds()[kind][:5] for kind in ("kernel", "max pooling", "sign and size", "db")}
CARDS = [mistake for found in KINDS.values() for mistake in found]
TEXTS = {mistake.name: " ".join(gallery.card(mistake).lower().split()) for mistake in CARDS}
BODY = gallery._form() + "".join(
    f"<section><h2>{kind}</h2>{gallery._cards(found)}</section>" for kind, found in KINDS.items()
)
# Sets the controls to each of several choices, and reads the names of the cards that can be seen, the sections, and the status.
FILTER = """choices => choices.map(choice => {
  const form = document.querySelector(".cnn-filter");
  for (const [name, value] of Object.entries(choice)) form.elements[name].value = value;
  form.elements.words.dispatchEvent(new Event("input", {bubbles: true}));
  const seen = text => [...document.querySelectorAll(text)].filter(e => e.checkVisibility()).map(e => e.textContent);
  return [seen(".cnn-card > summary > b"), seen("section > h2"), form.querySelector("[role=status]").textContent];
})"""
CHOICES = [
    dict(layer="", gradient="", words=""),
    dict(layer="max_pool2d", gradient="", words=""),
    dict(layer="dense", gradient="dW", words=""),
    dict(layer="", gradient="dscores", words=""),
    dict(layer="", gradient="", words="rot90  AXES"),
    dict(layer="conv2d", gradient="dx", words="flip"),
    dict(layer="sgd", gradient="", words=""),
]


@pytest.fixture(scope="module")
def tab(chromium, tmp_path_factory):
    """The form and some of the cards, on a page of their own."""
    home = page_of(tmp_path_factory.mktemp("gallery"), BODY)
    with browsing.Tab(chromium, home, viewport=DESK) as tab:
        tab.open("page.html")
        yield tab


def found(choice):
    """The names of the cards that a choice leaves, told from the catalogue."""
    words = choice["words"].lower().split()
    for mistake in CARDS:
        layer, gradient = choice["layer"], choice["gradient"]
        if (not layer or layer in mistake.layers) and (not gradient or gradient in mistake.gradients):
            if all(word in TEXTS[mistake.name] for word in words):
                yield mistake.name


def filter_problems(page):
    """Where a choice shows other cards than it should, the section of none, or another count."""
    problems = []
    for choice, (names, sections, status) in zip(CHOICES, page.evaluate(FILTER, CHOICES), strict=True):
        wanted = list(found(choice))
        kinds = [kind for kind, cards in KINDS.items() if {m.name for m in cards} & {*wanted}]
        count = f"{len(wanted)} of {len(CARDS)} mistakes" if wanted else "None: take a word or a choice away."
        problems += [choice] * ((names, sections, status) != (wanted, kinds, count))
    return problems


def test_layer_gradient_and_words_filter_the_cards(tab):
    assert filter_problems(tab.page) == []
    some = [0 < len(list(found(choice))) < len(CARDS) for choice in CHOICES]
    assert some == [False, True, True, True, True, True, False]  # all of them, and none
    tab.page.click("button[type=reset]")
    shown = (
        "n => [...document.querySelectorAll('.cnn-card')].filter(card => card.checkVisibility()).length === n"
    )
    tab.page.wait_for_function(shown, arg=len(CARDS))  # the form is empty when its event is over
    assert tab.troubles == []


def test_a_card_opens_by_keyboard_and_by_its_address_and_is_whole(tab):
    page = tab.page
    page.evaluate(FILTER, [CHOICES[0]])
    page.focus(".cnn-filter select")
    for _ in range(4):  # gradient, words, the button, the first card
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(".cnn-card[open] > summary > b").all_inner_texts() == ["kernel not rotated"]
    page.keyboard.press("Enter")
    assert page.locator(".cnn-card[open]").count() == 0
    page.evaluate(FILTER, [CHOICES[1]])  # which hides the card that is then asked for
    page.evaluate("location.hash = 'kernel-rotated-by-90-degrees'")
    page.wait_for_selector("#kernel-rotated-by-90-degrees[open]")
    card = page.locator(".cnn-card[open]")
    assert card.is_visible() and card.locator("td.d").count() > 3 and card.locator("pre").is_visible()
    assert page.locator(".cnn-card:visible").count() == len(CARDS)


def test_paper_has_the_name_and_the_sentence_of_each_card_and_all_of_an_open_one(tab):
    page = tab.page
    page.evaluate(FILTER, [CHOICES[0]])
    page.evaluate("document.querySelectorAll('.cnn-card').forEach((card, k) => card.open = k === 1)")
    browsing.put_on(page, "print")
    counts = page.evaluate("""[".cnn-card > summary", ".cnn-card > summary + p", ".cnn-pair", "pre", ".cnn-filter"].map(
        text => [...document.querySelectorAll(text)].filter(e => e.checkVisibility({contentVisibilityAuto: true})).length)""")
    browsing.put_on(page, "screen")
    assert counts == [len(CARDS), len(CARDS), 1, 1, 0]


@pytest.mark.parametrize("script", [True, False])
def test_on_a_phone_all_can_be_read_with_scripts_and_without(chromium, tmp_path, script):
    home = page_of(tmp_path, BODY, theme="dark")
    with browsing.Tab(chromium, home, viewport=PHONE, java_script_enabled=script, color_scheme="dark") as tab:
        tab.open("page.html")
        assert tab.page.locator(".cnn-filter").is_visible() == script
        assert tab.page.locator(".cnn-card > summary:visible").count() == len(CARDS)
        if not script:
            tab.page.locator(".cnn-card > summary").first.click()
            assert tab.page.locator(".cnn-card[open] table:visible").count() == 2
            return
        tab.page.evaluate("document.querySelectorAll('.cnn-card').forEach(card => card.open = true)")
        wide = "[document.documentElement, ...document.querySelectorAll('.cnn-card')].filter(e => e.scrollWidth > e.clientWidth)"
        assert tab.page.evaluate(f"{wide}.map(e => e.id)") == []


SPOILT = [
    ("has(card.dataset.of, of.value) && ", ""),
    ("has(card.dataset.g, g.value) && ", ""),
    ("asked.every", "asked.some"),
    (".split(/\\s+/).filter(Boolean)", ".split()"),
    ("section.hidden = !section", "section.title = !section"),
    ('data-of="max_pool2d"', 'data-of="avg_pool2d"'),
]


def test_a_filter_that_is_wrong_is_noticed(chromium, tmp_path):
    with browsing.Tab(chromium, page_of(tmp_path, BODY), viewport=DESK) as tab:
        for old, new in SPOILT:
            page_of(tmp_path, BODY.replace(old, new, 1))
            tab.open("page.html")
            assert old in BODY and filter_problems(tab.page) != [], old
