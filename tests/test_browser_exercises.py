"""The cards of exercises in a real browser: they judge as `practice.check` does, by mouse and by keys, wide and narrow."""

import re

import browsing
import numpy as np
import pytest
from building import ROOT

from cnnlib.practice import card, exercise

ENTRIES = {id: entry for chapter in exercise.chapters() for id, entry in exercise.of_chapter(chapter).items()}
SHOWN = [entry for entry in ENTRIES.values() if entry.kind not in ("function", "class")]
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Types the answers of all cards, round by round, submits, and collects the verdicts, the marks of the cells, and whether the
# answers still stand.
ANSWER = """async cards => {
  const frame = () => new Promise(requestAnimationFrame), found = cards.map(() => []);
  for (let n = 0; cards.some(([, answers]) => n < answers.length); n++) {
    const round = [...cards.entries()].filter(([, [, answers]]) => n < answers.length).map(([place, [id, answers]]) => {
      const form = document.querySelector(`[data-id="${id}"] form`), answer = answers[n];
      return { place, form, answer, fields: [...form.querySelectorAll("input")] };
    });
    for (const { form, answer, fields } of round) {
      fields.forEach((field, k) => field.type === "radio" ? field.checked = k === answer[0] : field.value = answer[k] ?? "");
      form.requestSubmit();
    }
    await frame(); await frame();
    for (const { place, form, answer, fields } of round) {
      const kept = fields.every((f, k) => f.type === "radio" ? f.checked === (k === answer[0]) : f.value === (answer[k] ?? ""));
      const verdict = form.querySelector("[role=status]");
      found[place].push([verdict.textContent, verdict.dataset.right, kept,
                         [...form.querySelectorAll(".exercise-cell")].map(cell => cell.dataset.mark)]);
    }
  }
  return found.flat();
}"""


def typed(answer, comma=False):
    """Numbers as a reader types them: with a real minus sign, and some with a comma."""
    texts = [
        f"{number + 0:.10g}".replace("-", "−") for number in np.ravel(np.asarray(answer, float)).tolist()
    ]
    return [text.replace(".", ",") for text in texts] if comma else texts


def fields(entry, answer, comma=False):
    """What goes into the fields of a card."""
    if entry.kind == "choice":
        return [entry.options.index(answer)]
    return [card.forms(answer)[-1]] if entry.kind == "text" else typed(answer, comma)


@pytest.fixture(scope="module")
def all_cards(chromium, tmp_path_factory):
    """A page with the cards of all chapters, a file on the disk."""
    static = (ROOT / "book" / "_static").as_uri()
    head = (
        f'<link rel="stylesheet" href="{static}/exercises.css"><script src="{static}/exercises.js"></script>'
    )
    boxes = "".join(f'<div data-id="{entry.id}">{card.html(entry)}</div>' for entry in ENTRIES.values())
    path = tmp_path_factory.mktemp("cards") / "cards.html"
    path.write_text(
        f'<!doctype html><meta charset="utf-8"><title>Cards</title>{head}{boxes}', encoding="utf-8"
    )
    with browsing.Tab(chromium, "file://", viewport=DESK) as tab:
        tab.page.goto(path.as_uri())
        yield tab


def test_cards_judge_as_python_does(all_cards):
    """Every right answer, in two ways of writing numbers, and every known wrong one."""
    asked, wanted = [], []
    for entry in SHOWN:
        right = entry.right
        shaped = {
            h: w
            for h, w in entry.wrong.items()
            if entry.kind not in ("number", "array") or np.shape(w) == np.shape(right)
        }
        answers = [
            fields(entry, right),
            fields(entry, right, comma=True),
            *(fields(entry, w) for w in shaped.values()),
        ]
        asked.append([entry.id, answers])
        wanted += [(entry, entry.why)] * 2 + [(entry, hint) for hint in shaped]
    found = all_cards.page.evaluate(ANSWER, asked)
    assert len(found) == len(wanted) > 3 * len(SHOWN)
    for (entry, sentence), (said, right, kept, marks) in zip(wanted, found):
        assert sentence in said and kept, entry.id
        assert right == str(sentence == entry.why).lower() and (right == "true") == said.startswith("Right. ")
        if entry.kind == "array":
            assert ("wrong" in marks) == (right == "false") and {*marks} <= {"right", "wrong"}
    assert all_cards.troubles == []


def test_numbers_are_read_as_people_write_them(all_cards):
    """In one test, for each in brackets could get a browser of its own."""
    read = "−0.48", "-0,48", "-48e-2", "−12/25", " - 0.48 ", "-.48", "–0.48"
    refused = "0.48", "-48", "−0.49", "-0.48.1", "1/0", "x", "-0.48 m", "-", "0x1", "e3", "--0.48"
    rest = typed(ENTRIES["softmax.1"].right)[1:]
    found = all_cards.page.evaluate(ANSWER, [["softmax.1", [[text, *rest] for text in (*read, *refused)]]])
    assert [right for _, right, *_ in found] == ["true"] * len(read) + ["false"] * len(refused)
    for text, (said, *_) in zip(refused, found[len(read) :]):
        assert re.search("4 of 5 right|is no number|sign", said), text


def test_what_is_missing_or_known_is_told(all_cards):
    """Empty fields, a thousand with a comma, a wrong sign throughout, nothing chosen."""
    ask = all_cards.page.evaluate
    some = [*typed(ENTRIES["conv_backprop.2"].right)[:3], "5"]
    negated = typed(-ENTRIES["conv_backprop.2"].right)
    (few, negative, none) = ask(ANSWER, [["conv_backprop.2", [some, negated, []]]])
    assert few[0].startswith("3 of 16 right, 12 empty.") and few[3][:5] == ["right"] * 3 + ["wrong", ""]
    assert "The sign is wrong." in negative[0] and none[0] == "There is no number yet."
    ((said, *_),) = ask(ANSWER, [["delta_recursion.3", [["16,384"]]]])
    assert said.startswith("Right. ")
    ((said, *_),) = ask(ANSWER, [["conv_backprop.3", [[None]]]])
    assert said == "Choose one of them first."


@pytest.fixture(scope="module")
def chapter(chromium, site):
    """A page of the book with cards for arrays, for a choice and for a program, from the disk."""
    with browsing.Tab(chromium, site.as_uri() + "/", viewport=DESK) as tab:
        tab.open("book/conv_backprop.html")
        yield tab


def widths(chapter):
    """The page at both widths, one after the other, its cards empty."""
    for size in (DESK, PHONE):
        browsing.resize(chapter.page, size)
        chapter.page.evaluate("document.querySelectorAll('.exercise-card').forEach(form => form.reset())")
        yield chapter.page


def test_a_card_is_used_with_keys_alone(chapter):
    for page in widths(chapter):
        card_of = page.locator(".exercise-card").nth(0)
        answers, inputs = typed(ENTRIES["conv_backprop.1"].right), card_of.locator("input")
        inputs.nth(0).focus()
        for text in ["0", *answers[1:]]:
            page.keyboard.type(text)
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Check"
        page.keyboard.press("Enter")
        status = card_of.locator("[role=status]")
        page.wait_for_function("e => e.textContent", arg=status.element_handle())
        assert status.inner_text().startswith("✗ 4 of 5 right") or "4 of 5 right" in status.inner_text()
        assert [inputs.nth(k).get_attribute("aria-invalid") for k in range(5)] == ["true", *[None] * 4]
        assert "✗" in page.evaluate(
            "e => getComputedStyle(e, '::after').content",
            card_of.locator(".exercise-cell").nth(0).element_handle(),
        )
        page.keyboard.press("Tab")
        for n in (1, 2):  # at the second width both are there already
            page.keyboard.press("Enter")
            assert (
                card_of.locator(".exercise-hints > p").all_inner_texts()[n - 1]
                == f"Hint {n}: {ENTRIES['conv_backprop.1'].hints[n - 1]}"
            )
        assert card_of.locator(".exercise-hints").get_attribute("aria-live") == "polite"
        inputs.nth(0).fill(answers[0])
        assert status.inner_text() == "", "a verdict on what is not there any more"
        page.keyboard.press("Enter")
        page.wait_for_function("e => e.textContent.startsWith('Right. ')", arg=status.element_handle())
        assert page.evaluate(
            "document.activeElement === arguments[0]".replace(
                "arguments[0]", "document.querySelector('.exercise-card input')"
            )
        )
        assert [inputs.nth(k).input_value() for k in range(5)] == answers


def test_a_choice_is_made_with_the_mouse_and_a_program_leads_to_python(chapter):
    for page in widths(chapter):
        card_of = page.locator(".exercise-card").nth(2)
        card_of.get_by_text("kernel not rotated", exact=True).click()
        card_of.get_by_role("button", name="Check").click()
        page.wait_for_function(
            "e => e.textContent.includes('top left corner')",
            arg=card_of.locator("[role=status]").element_handle(),
        )
        card_of.get_by_text(ENTRIES["conv_backprop.3"].right, exact=True).click()
        card_of.get_by_role("button", name="Check").click()
        page.wait_for_function(
            "e => e.textContent.startsWith('Right. ')", arg=card_of.locator("[role=status]").element_handle()
        )
        page.locator(".exercise-run").first.click()
        assert page.evaluate(
            "document.querySelector('details.run-chapter').open && document.activeElement.matches('summary')"
        )
        page.keyboard.press("Escape")


def test_cards_fit_and_their_parts_can_be_hit(chapter):
    for page in widths(chapter):
        assert (
            page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        )
        sizes = page.evaluate(
            "[...document.querySelectorAll('.exercise-card :is(button, input[type=text], label)')]"
            ".map(e => e.getBoundingClientRect()).map(({ width, height }) => [width, height])"
        )
        assert len(sizes) > 30 and min(min(size) for size in sizes) >= 36
        inside = page.evaluate(
            "[...document.querySelectorAll('.exercise-card *')].every(e => "
            "e.getBoundingClientRect().right <= e.closest('form').getBoundingClientRect().right + 1)"
        )
        assert inside


def test_paper_has_fields_and_solutions_and_nothing_to_press(chapter):
    page = chapter.page
    browsing.put_on(page, "print")
    assert not page.locator(".exercise-buttons").first.is_visible()
    assert page.locator(".exercise-grid").first.is_visible()
    assert page.locator("#exercises .exercise-solution").first.is_visible()
    browsing.put_on(page, "screen")
    assert chapter.troubles == []


def test_without_scripts_question_options_and_solution_can_be_read(chromium, site):
    with browsing.Tab(chromium, site.as_uri() + "/", viewport=PHONE, java_script_enabled=False) as tab:
        tab.open("book/conv_backprop.html")
        section = tab.page.locator("#exercises")
        assert section.locator("input, form").count() == 0
        assert section.get_by_text("conv_backprop.1: no answer yet").is_visible()
        listed = section.locator(".cnn-exercise li")
        wanted = [": ".join(option) for option in card.lettered(ENTRIES["conv_backprop.3"])]
        assert listed.all_inner_texts() == wanted and listed.first.is_visible()
        fold = section.locator(".fold-solution > details").first
        assert not fold.locator(".exercise-solution").is_visible()
        fold.locator("summary").click()
        assert fold.locator(".exercise-solution").is_visible() and "stands in both lines" in fold.inner_text()
