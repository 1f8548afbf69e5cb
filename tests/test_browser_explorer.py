"""Explorers under the reader's hand, in a real browser: what is shown of each cell of each case against the sums in
`formulas`, which know nothing of the page's data; keys, pointer, taps, the address, both widths and both themes."""

import json
import re
from collections import Counter

import browsing
import numpy as np
import pytest

from cnnlib import formulas
from cnnlib.show import ConvExplorer, PoolExplorer

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
CONV, POOL = ConvExplorer(), PoolExplorer()
PAGE = """<!DOCTYPE html><html lang="en" data-theme="{theme}"><meta charset="utf-8"><title>Explorers</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>html {{--pst-color-background: {paper}; --pst-color-text-base: {ink}; background: {paper}; color: {ink}}}
main {{max-width: 688px; margin: 16px auto}} body {{margin: 0 16px; font-family: sans-serif}}</style>
<main><h1 id="top">Explorers</h1>{body}<p>What comes next.</p></main></html>"""
COLOURS = {"light": ("#ffffff", "#222832"), "dark": ("#121212", "#ced6dd")}

# Sets the sizes by the buttons, then goes through every cell of every grid with the arrow keys, the focus being where it
# is, and reads what is shown of each.
WALK = """sizes => {
  const root = document.querySelector(".cnn-explorer"), seen = [], heights = new Set();
  const press = key => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
  for (const [name, size] of [["padding", 0], ...Object.entries(sizes)])
    root.querySelector(`[name="${name}"][value="${size}"]`)?.click();
  const words = e => e.textContent.replaceAll("\\u2212", "-");
  const rows = table => [...table.rows].map(row => [...row.cells].filter(cell => cell.at)).filter(row => row.length);
  const pressed = [...root.querySelectorAll("[name][aria-pressed=true]")].map(b => [b.name, +b.value]);
  for (const table of root.querySelectorAll(".cnn-live table[role=grid]")) {
    for (const view of root.querySelectorAll(".cnn-views button")) if (!table.offsetWidth) view.click();
    const kind = table.className.slice(4), side = rows(table).length;
    table.querySelector("[tabindex='0']").focus();
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "Home", ctrlKey: true, bubbles: true}));
    for (let r = 0; r < side; r++) {
      for (let k = 0; k < side; k++) {
        const cell = document.activeElement;
        seen.push({kind, at: [r, k], right: cell === rows(table)[r][k], number: words(cell), small: cell.dataset.n ?? null,
          head: words(root.querySelector(".cnn-live .cnn-head")), spoken: cell.getAttribute("aria-label"),
          terms: [...root.querySelectorAll(".cnn-live .cnn-term")].filter(e => e.offsetWidth > 30).map(words),
          lit: [...root.querySelectorAll(".cnn-live td:is(.fw, .bw)")].filter(e => e.at).map(e => [e.at[0], e.at[1], e.dataset.n ?? ""])});
        heights.add(root.offsetHeight);
        if (k < side - 1) press("ArrowRight");
      }
      press("Home");
      if (r < side - 1) press("ArrowDown");
    }
  }
  const targets = [...root.querySelectorAll(".cnn-live td[tabindex], .cnn-live button:not(.cnn-term)")].filter(e => e.offsetWidth);
  const smallest = Math.min(...targets.flatMap(e => [e.offsetWidth, e.offsetHeight]));
  return {seen, pressed, heights: [...heights], smallest, wide: document.documentElement.scrollWidth - innerWidth, hash: location.hash};
}"""


def page_of(folder, body, theme="light", name="page.html"):
    paper, ink = COLOURS[theme]
    (folder / name).write_text(PAGE.format(theme=theme, paper=paper, ink=ink, body=body), encoding="utf-8")
    return f"{folder.as_uri()}/"


@pytest.fixture(scope="module")
def open_page(chromium, tmp_path_factory):
    """open_page(body, name="#...", ...) -> Tab; closed with the module."""
    tabs = []

    def opened(body, place="", viewport=DESK, theme="light", **look):
        home = page_of(tmp_path_factory.mktemp("explorer"), body, theme)
        tab = browsing.Tab(chromium, home, viewport=viewport, **look)
        tabs.append(tab)
        tab.page.goto(f"{home}page.html{place}")
        return tab

    yield opened
    for tab in tabs:
        tab.context.close()


@pytest.fixture(scope="module")
def conv(open_page):
    return open_page(CONV.html())


@pytest.fixture(scope="module")
def pool(open_page):
    return open_page(POOL.html())


@pytest.fixture(scope="module")
def phone(open_page):
    return open_page(CONV.html(), viewport=PHONE, theme="dark", has_touch=True, is_mobile=True)


def name(kind, i, j):
    return f"{kind}{i}{j}"


class Wanted:
    """What a convolution's case must show, from `formulas` and from the definition of a convolution."""

    def __init__(self, kernel, stride, padding):
        x, W = CONV.x, CONV.W[:kernel, :kernel]
        sizes = (stride, stride), (padding, padding)
        as_batch = lambda a: a[None, :, :, None]  # noqa: E731
        z = formulas.correlate2d(as_batch(x), W[None, None], np.zeros(1), *sizes)
        delta = np.arange(1.0, z.size + 1).reshape(z.shape)
        dx, dW, _ = formulas.correlate2d_backward(as_batch(x), W[None, None], delta, *sizes)
        squares = {
            "x": x,
            "W": W,
            "z": z[0, ..., 0],
            "dx": dx[0, ..., 0],
            "dW": dW[0, 0],
            "delta": delta[0, ..., 0],
        }
        self.numbers = {kind: values.astype(int) for kind, values in squares.items()}
        self.uses = [
            ((i, j), (u, v), (stride * i + u - padding, stride * j + v - padding))
            for i, j in np.ndindex(squares["z"].shape)
            for u, v in np.ndindex(W.shape)
        ]

    def inside(self, place):
        return 0 <= min(place) and max(place) < len(CONV.x)

    def of(self, kind, at):
        """The uses that have to do with a cell, those of the padding too where the forward pass has them."""
        part = {"z": 0, "delta": 0, "W": 1, "dW": 1, "x": 2, "dx": 2}[kind]
        return [use for use in self.uses if use[part] == at and (kind == "W" or self.inside(use[2]))]

    def terms(self, kind, at):
        """The names in the terms of a cell, and the factors of each."""
        n = self.numbers
        for output, weight, pixel in self.of(kind, at):
            o, w = f"{output[0]}{output[1]}", f"{weight[0]}{weight[1]}"
            p = f"x{pixel[0]}{pixel[1]}" if self.inside(pixel) else "0"
            match kind:
                case "dx":
                    yield f"δ{o}W{w}", n["delta"][output] * n["W"][weight]
                case "dW":
                    yield f"δ{o}{p}", n["delta"][output] * n["x"][pixel]
                case "z":
                    yield f"W{w}{p}", n["W"][weight] * n["x"][pixel]
                case "delta":
                    yield f"W{w} → {p}", n["delta"][output] * n["W"][weight]
                case "x":
                    yield f"W{w}", f"z{o}"
                case "W":
                    yield p, f"z{o}"


def split(term):
    """(names, value of the product or the name below) of a term's text."""
    top, _, low = term.rpartition(" ")
    if re.fullmatch(r"[\d()·-]+", low):
        factors = [int(factor.strip("()")) for factor in low.split("·")]
        return top, int(np.prod(factors))
    return top, low


def check_conv(found, wanted):
    """AssertionError unless everything shown of a case is right."""
    cells = Counter(cell["kind"] for cell in found["seen"])
    assert all(cells[kind] % values.size == 0 and cells[kind] for kind, values in wanted.numbers.items())
    for cell in found["seen"]:
        kind, at = cell["kind"], tuple(cell["at"])
        value = wanted.numbers[kind][at]
        assert cell["right"] and cell["number"] == str(value), cell
        sign = {"dx": "∂J/∂x", "dW": "∂J/∂W", "delta": "δ"}.get(kind, kind)
        assert cell["head"].startswith(f"{sign}{at[0]}{at[1]} = {value}"), cell
        assert f"row {at[0]}, column {at[1]}: {value}" in cell["spoken"].replace("−", "-")
        terms = [split(term) for term in cell["terms"]]
        assert Counter(terms) == Counter(wanted.terms(kind, at)), cell
        if kind in ("dx", "dW", "z"):
            assert sum(product for _, product in terms) == value, cell
        uses = wanted.of(kind, at)
        if kind == "dx":
            assert cell["small"] == str(len(uses))
            many = "no output" if not uses else "1 output" if len(uses) == 1 else f"{len(uses)} outputs"
            assert f"{many} used this pixel" in cell["head"] and (uses or "window" in cell["head"])
            lit = {("delta", *output) for output, *_ in uses} | {("W", *weight) for _, weight, _ in uses}
            sides = {"delta": len(wanted.numbers["z"]), "W": len(wanted.numbers["W"])}
            assert {(k, *divmod(i, sides[k])) for k, i, _ in cell["lit"]} == lit
            weights = {(k, *divmod(i, sides[k])): small for k, i, small in cell["lit"]}
            for output, weight, _ in uses:
                assert weights["delta", *output].replace("−", "-") == f"×{wanted.numbers['W'][weight]}"


def walk(tab, at):
    return tab.page.evaluate(WALK, dict(zip(("stride", "kernel", "padding"), (at[1], at[0], *at[2:]))))


# Every cell of every case.


# The largest images, kernels and outputs, and the longest sums.
EXTREMES = [(3, 1, 0), (1, 1, 0), (3, 1, 1), (4, 1, 1), (4, 2, 2), (2, 3, 1)]


def walk_all(tab, cases):
    """Through cases of a convolution, which have one height."""
    heights, smallest = set(), []
    for at in cases:
        found = walk(tab, at)
        assert [size for _, size in found["pressed"]] == list(at)
        check_conv(found, Wanted(*at))
        heights |= {*found["heights"]}
        smallest.append(found["smallest"])
        assert found["wide"] <= 0
    assert len(heights) == 1 and tab.troubles == []
    return min(smallest)


@pytest.mark.weekly
def test_by_keyboard_each_cell_of_each_case_shows_what_the_formulas_give(conv):
    walk_all(conv, CONV.cases)


def test_on_a_phone_too_where_cells_and_buttons_are_44_pixels(phone):
    assert walk_all(phone, EXTREMES) >= 44


def spoil_number(case):
    case["dx"][7] += 1


def spoil_link(case):
    case["links"][0], case["links"][1] = case["links"][1], case["links"][0]


@pytest.mark.parametrize("spoil", [spoil_number, spoil_link])
def test_spoilt_data_are_noticed(open_page, spoil):
    text = CONV.html()
    (stored,) = re.findall('<script type="application/json">(.*)</script>', text)
    data = json.loads(stored)
    spoil(data["cases"]["3,1,0"])
    tab = open_page(text.replace(stored, json.dumps(data)))
    with pytest.raises(AssertionError):
        check_conv(walk(tab, (3, 1, 0)), Wanted(3, 1, 0))


@pytest.mark.parametrize("at", POOL.cases, ids=lambda at: "-".join(map(str, at)))
def test_of_max_pooling_each_cell_shows_what_the_formulas_give(pool, at):
    (kernel, stride), x = at, POOL.x[None, :, :, None]
    sizes = (kernel, kernel), (stride, stride)
    z = formulas.max_pool2d(x, *sizes)
    delta = np.arange(1.0, z.size + 1).reshape(z.shape)
    numbers = {"x": x, "z": z, "delta": delta, "dx": formulas.max_pool2d_backward(x, delta, *sizes)}
    found = walk(pool, at)
    assert len(found["heights"]) == 1
    for cell in found["seen"]:
        kind, (i, j) = cell["kind"], cell["at"]
        value = int(numbers[kind][0, i, j, 0])
        assert cell["right"] and cell["number"] == str(value)
        terms = [split(term) for term in cell["terms"]]
        if kind == "dx":
            assert sum(delta for _, delta in terms) == value
        elif kind == "z":
            assert len(terms) == kernel**2 and max(pixel for _, pixel in terms) == value
        elif kind == "delta":
            ((lit, k, _),) = cell["lit"]
            assert (
                lit == "dx" and numbers["x"][0].flat[k] == numbers["z"][0, i, j, 0] and terms[0][1] == value
            )
        tie = kind == "z" and Counter(pixel for _, pixel in terms)[value] > 1
        assert tie == ("As large" in cell["head"]) or kind != "z"
    assert pool.troubles == []


# The full correlation, the guess, single terms.


def press(tab, text):
    tab.page.locator(".cnn-explorer").first.get_by_role("button", name=text).click()


@pytest.mark.parametrize("at", [(3, 1, 0), (3, 2, 1), (2, 3, 1), (4, 2, 2)], ids=str)
def test_on_the_spread_deltas_the_products_are_the_same(conv, at):
    walk(conv, at)
    press(conv, "Full correlation")
    sums = conv.page.evaluate("""() => {
      const root = document.querySelector(".cnn-explorer"), number = text => +text.replace("\\u2212", "-").replace("\\u00d7", "");
      return [...root.querySelectorAll(".cnn-live .cnn-dx td")].map(cell => {
        cell.focus();
        const under = [...root.querySelectorAll(".cnn-spread td.un")];
        return [under.reduce((sum, e) => sum + number(e.textContent) * number(e.dataset.n), 0), under.length];
      });
    }""")
    assert sums == [[value, at[0] ** 2] for value in Wanted(*at).numbers["dx"].ravel()]
    press(conv, "Full correlation")
    assert not conv.page.locator(".cnn-spread").is_visible()


def test_a_term_that_has_the_focus_or_the_pointer_lights_its_cells_alone(conv):
    walk(conv, (3, 1, 0))
    lit = (
        "[...document.querySelectorAll('.cnn-live td:is(.bw, .fw)')].filter(e => e.at).map(e => e.at.join())"
    )
    conv.page.evaluate("document.querySelectorAll('.cnn-live .cnn-dx td')[12].focus()")
    whole = conv.page.evaluate(lit)
    assert len(whole) == 18
    conv.page.locator(".cnn-live .cnn-term").nth(2).hover()
    assert sorted(conv.page.evaluate(lit)) == ["W,6", "delta,2"]
    conv.page.mouse.move(2, 2)
    assert conv.page.evaluate(lit) == whole
    conv.page.locator(".cnn-live .cnn-term").first.focus()
    conv.page.keyboard.press("ArrowRight")
    assert sorted(conv.page.evaluate(lit)) == ["W,7", "delta,1"]


def test_the_pointer_shows_a_cell_and_a_click_keeps_it(conv):
    walk(conv, (3, 1, 0))
    head = conv.page.locator(".cnn-live .cnn-head")
    cells = conv.page.locator(".cnn-live .cnn-dx td")
    cells.nth(0).click()
    cells.nth(6).hover()
    assert head.inner_text().startswith("∂J/∂x11 =")
    conv.page.mouse.move(2, 2)
    assert head.inner_text().startswith("∂J/∂x00 =")
    cells.nth(6).click()
    conv.page.mouse.move(2, 2)
    assert head.inner_text().startswith("∂J/∂x11 =")
    conv.page.wait_for_function("location.hash.endsWith('cell=dx,1,1')")


def test_a_guess_comes_before_the_number(conv):
    walk(conv, (3, 1, 0))
    cell = conv.page.locator(".cnn-live .cnn-dx td").nth(6)
    cell.click()
    value = cell.inner_text()
    press(conv, "Guess first")
    assert cell.inner_text() == "?" and value not in cell.get_attribute("aria-label").split(": ")[1]
    assert value not in conv.page.locator(".cnn-live .cnn-say").inner_text()
    conv.page.locator(".cnn-guess input").fill("5")
    conv.page.keyboard.press("Enter")
    said = conv.page.locator(".cnn-live .cnn-head").inner_text()
    assert cell.inner_text() == value and f"= {value}" in said and said.startswith("No, not 5. ")
    press(conv, "Guess first")


# The address.


def state(tab, number=0):
    return tab.page.evaluate(
        """n => { const root = document.querySelectorAll(".cnn-explorer")[n];
        return [[...root.querySelectorAll("[name][aria-pressed=true]")].map(b => +b.value), root.querySelector(".cnn-live td.on").at] }""",
        number,
    )


def test_a_case_is_sent_by_its_address(open_page):
    tab = open_page(CONV.html(), "#kernel=3&stride=2&padding=1&cell=dx,2,3")
    assert state(tab) == [[3, 2, 1], ["dx", 13]]
    tab.page.locator(".cnn-live .cnn-W td").nth(4).click()
    tab.page.wait_for_function("location.hash === '#kernel=3&stride=2&padding=1&cell=W,1,1'")
    tab.page.evaluate("location.hash = '#kernel=2&stride=1&padding=0&cell=z,3,0'")
    tab.page.wait_for_function("document.querySelector('.cnn-live td.on').at[0] === 'z'")
    assert state(tab) == [[2, 1, 0], ["z", 12]]
    tab.page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => window.copied = text}})"
    )
    press(tab, "Copy link")
    tab.page.wait_for_function("document.body.innerText.includes('Link copied')")
    copied = tab.page.evaluate("window.copied")
    assert copied == tab.page.url and copied.endswith("#kernel=2&stride=1&padding=0&cell=z,3,0")
    assert tab.troubles == []


@pytest.mark.parametrize(
    "place", ["#top", "#kernel=3", "#kernel=9&cell=dx,0,0", "#cell=dx,7,0", "#cell=q,0,0", "#cell=dx"]
)
def test_other_addresses_change_nothing(open_page, place):
    tab = open_page(CONV.html(), place)
    assert state(tab) == [[3, 1, 0], ["dx", 6]] and tab.page.evaluate("location.hash") == place


def test_max_pooling_has_one_height_on_a_phone(open_page):
    tab = open_page(POOL.html(), viewport=PHONE, has_touch=True, is_mobile=True)
    found = [walk(tab, at) for at in POOL.cases]
    assert len({height for one in found for height in one["heights"]}) == 1
    assert max(one["wide"] for one in found) <= 0 and tab.troubles == []


def test_several_explorers_on_a_page_do_not_meet(open_page):
    tab = open_page(CONV.html() + POOL.html(), "#explorer=2&kernel=2&stride=1&cell=dx,0,1")
    assert state(tab, 0) == [[3, 1, 0], ["dx", 6]] and state(tab, 1) == [[2, 1], ["dx", 1]]
    tab.page.evaluate("location.hash = '#kernel=2&stride=1&padding=0&cell=dx,0,1'")
    tab.page.wait_for_function("document.querySelector('.cnn-live td.on').at[1] === 1")
    assert state(tab, 0) == [[2, 1, 0], ["dx", 1]] and state(tab, 1) == [[2, 1], ["dx", 1]]


# The first state, without scripts and on paper; widths, themes, heights; axe.

LOOKS = """root => [...root.querySelectorAll("table:not(.cnn-spread, .cnn-turned)")].map(table => [table.className, table.caption.innerHTML,
  [...table.rows].map(row => [...row.cells].map(e => [[...e.classList].sort().join(" "), e.textContent, e.dataset.n ?? "", e.style.getPropertyValue("--t")]))])"""
SUM = "root => [root.querySelector('.cnn-head').textContent, root.querySelector('.cnn-terms').textContent]"
STYLE = "root => Object.fromEntries([...root.querySelector('.cnn-stage').style].map(p => [p, root.querySelector('.cnn-stage').style.getPropertyValue(p).trim()]))"


@pytest.mark.parametrize(
    "one", [CONV, POOL, ConvExplorer(compact=True), ConvExplorer(start=(3, 2, 1), pixel=(2, 2))]
)
def test_the_script_begins_with_what_python_drew(open_page, one):
    tab = open_page(one.html())
    still, live = (tab.page.query_selector(f".cnn-{name}") for name in ("still", "live"))
    for look in (LOOKS, SUM, STYLE):
        assert still.evaluate(look) == live.evaluate(look)
    lines = "root => root.querySelector('svg path').getAttribute('d').match(/[\\d.]+/g).length"
    assert live.evaluate(lines) > 8
    tab.page.emulate_media(media="print")
    assert still.is_visible() and not live.is_visible()
    joins = """root => {
      const side = (text, name) => root.querySelector(text).getBoundingClientRect()[name];
      return [side("svg path", "left") - side("td.on", "right"), side("svg path", "bottom") - side("td.on", "bottom"),
              Math.max(0, side("svg path", "right") - side(".cnn-delta", "right"))];
    }"""
    assert max(map(abs, still.evaluate(joins))) < 3, "the line does not join the pixel and the deltas"


def test_without_scripts_the_first_state_reads(open_page):
    for viewport in (DESK, PHONE):
        tab = open_page(CONV.html(), viewport=viewport, java_script_enabled=False)
        assert tab.page.locator(".cnn-still .cnn-dx td").nth(6).is_visible()
        assert "4 outputs used this pixel" in tab.page.locator(".cnn-still").inner_text()
        assert tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_tap_chooses_and_shows_the_grids_that_belong_to_it(phone):
    walk(phone, (3, 1, 0))
    press(phone, "∂J/∂x")
    phone.page.locator(".cnn-live .cnn-dx td").nth(12).tap()
    assert phone.page.locator(".cnn-live .cnn-head").inner_text().startswith("∂J/∂x22 =")
    visible = "[...document.querySelectorAll('.cnn-live table')].filter(e => e.offsetWidth).map(e => e.className).sort().join(' ')"
    assert phone.page.evaluate(visible) == "cnn-W cnn-delta cnn-dx"
    phone.page.locator(".cnn-live .cnn-W td").nth(1).tap()
    assert phone.page.evaluate(visible) == "cnn-W cnn-x cnn-z"
    press(phone, "∂J/∂W")
    assert phone.page.evaluate(visible) == "cnn-dW cnn-delta cnn-x"


def test_real_keys_lead_through_the_grids(conv):
    walk(conv, (3, 1, 0))
    cell = "document.activeElement.at?.join()"
    conv.page.locator(".cnn-tools button").last.focus()
    conv.page.keyboard.press("Tab")
    grids = []
    for _ in range(6):
        grids.append(conv.page.evaluate(cell).split(",")[0])
        conv.page.keyboard.press("Tab")
    assert grids == ["x", "W", "z", "dx", "dW", "delta"]
    conv.page.evaluate("document.querySelectorAll('.cnn-live .cnn-dx td')[6].focus()")
    for key, at in [
        ("ArrowDown", 11),
        ("End", 14),
        ("ArrowRight", 14),
        ("Control+Home", 0),
        ("ArrowUp", 0),
        ("Control+End", 24),
    ]:
        conv.page.keyboard.press(key)
        assert conv.page.evaluate(cell) == f"dx,{at}"


@pytest.mark.parametrize(("viewport", "theme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_axe_finds_no_fault_in_an_explorer(open_page, axe, viewport, theme):
    tab = open_page(CONV.html(), viewport=viewport, theme=theme)
    press(tab, "Guess first")
    assert browsing.violations(tab.page, axe) == []
    press(tab, "Full correlation")
    colours = ["color-contrast", "aria-required-children", "aria-allowed-attr"]
    assert browsing.violations(tab.page, axe, colours) == []
    tab.page.evaluate("document.querySelector('.cnn-tools button:last-child').style.color = '#777'")
    assert browsing.violations(tab.page, axe, colours) != []
