// An exercise as a card: fields for its answer, Check, two hints. All that it knows stands in the stored output of its cell,
// which cnnlib/practice/card.py has written.
{
  const make = (tag, more = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(more)) name in made ? made[name] = value : made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };

  // The numbers that a text may mean: "−3", "0,5", "1e-3", "1/2"; a comma before three digits may part thousands, too.
  const readings = text => {
    const plain = text.replace(/[−–]/g, "-").replace(/[\s\u2009_]/g, "");
    const forms = [plain.replace(",", "."), ...(/^[+-]?\d{1,3}(,\d{3})+$/.test(plain) ? [plain.replaceAll(",", "")] : [])];
    return forms.flatMap(form => {
      const [, over, under] = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:\/((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?))?$/i.exec(form) ?? [];
      const value = over === undefined ? NaN : over / (under ?? 1);
      return Number.isFinite(value) ? [value] : [];
    });
  };
  const plain = text => text.normalize("NFKD").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  const close = (found, wanted, off) => found.some(value => Math.abs(value - wanted) <= off * (1 + 1e-6));

  const field = label => make("input", { type: "text", autocomplete: "off", spellcheck: false, ariaLabel: label });

  // Of each kind: its fields, and what they say: { right, text, marks }, the marks being of single cells.
  const numbers = card => {
    const flat = card.right instanceof Array ? card.right.flat(9) : [card.right];
    const columns = card.right[0] instanceof Array ? card.right[0].length : flat.length, rows = flat.length / columns;
    const name = k => card.labels?.[k] ?? (flat.length === 1 ? "Your answer" :
      rows === 1 ? `Number ${k + 1} of ${columns}` : `Row ${Math.floor(k / columns)}, column ${k % columns}`);
    const fields = flat.map((_, k) => field(name(k)));
    const shown = card.labels || flat.length === 1 ?
      make("div", { className: "exercise-row" }, ...fields.map((f, k) =>
        make("label", {}, make("span", { textContent: name(k), ariaHidden: true }), make("span", { className: "exercise-cell" }, f)))) :
      make("div", { className: "exercise-grid", style: `--columns: ${columns}` },
        ...fields.map(f => make("span", { className: "exercise-cell" }, f)));
    const judge = () => {
      const found = fields.map(f => readings(f.value)), odd = fields.findIndex(f => f.value.trim() && !readings(f.value).length);
      if (odd >= 0) return { text: `“${fields[odd].value.slice(0, 20)}” is no number. Write 3, −0.5, 1/2 or 1e-3.`, odd };
      const there = found.filter(values => values.length).length;
      if (!there) return { text: "There is no number yet." };
      const good = found.map((values, k) => values.length ? close(values, flat[k], card.off) : undefined);
      const count = good.filter(Boolean).length, marks = flat.length > 1 ? good : [];
      if (count === flat.length) return { right: true, marks };
      const known = there === flat.length && card.wrong.find(([wrong]) =>
        (wrong instanceof Array ? wrong.flat(9) : [wrong]).every((value, k) => close(found[k], value, card.off)));
      const many = flat.length > 1 ? `${count} of ${flat.length} right${there < flat.length ? `, ${flat.length - there} empty` : ""}. ` : "";
      if (known) return { text: `${many}${sentence(known[1])}`, marks };
      const negated = there === flat.length && good.some(g => !g) && flat.every((value, k) => close(found[k], -value, card.off));
      return { text: many + (negated ? "The sign is wrong." : flat.length > 1 ? "" : "Not right."), marks };
    };
    return { shown, judge, fields };
  };
  const choice = card => {
    const name = `exercise-${card.id}`;
    const fields = card.options.map((_, value) => make("input", { type: "radio", name, value }));
    const shown = make("div", { className: "exercise-choices", role: "radiogroup", ariaLabel: "Your answer" },
      ...fields.map((f, k) => make("label", {}, f, make("span", { textContent: card.options[k] }))));
    const judge = () => {
      const at = fields.findIndex(f => f.checked);
      if (at < 0) return { text: "Choose one of them first." };
      const hint = card.wrong.find(([text]) => text === card.options[at])?.[1];
      return { right: card.right.includes(card.options[at]), text: `Not right: ${sentence(hint ?? "it is another one")}` };
    };
    return { shown, judge, fields };
  };
  const words = card => {
    const input = field("Your answer");
    const judge = () => {
      const mine = plain(input.value), hint = card.wrong.find(([text]) => plain(text) === mine)?.[1];
      if (!mine) return { text: "There is no word yet." };
      return { right: card.right.some(text => plain(text) === mine), text: `Not right: ${sentence(hint ?? "it is another word")}` };
    };
    const shown = make("label", { className: "exercise-words" }, make("span", { textContent: "Your answer", ariaHidden: true }), input);
    return { shown, judge, fields: [input] };
  };
  const sentence = text => /[.?!]$/.test(text) ? text : `${text}.`;

  // A program is judged where Python is.
  const program = () => {
    const menu = document.querySelector("details.run-chapter");
    const start = make("button", { type: "button", className: "exercise-run", textContent: "Run this chapter" });
    start.addEventListener("click", event => {
      event.stopPropagation();  // the menu closes by clicks elsewhere
      menu.open = true;
      menu.querySelector("summary").focus();
    });
    const shown = make("p", { textContent: "Python judges this one. Run this chapter, in your browser or in your own Jupyter, write your " +
      "lines in the place of the dots above, and run the cell: it says which mistake it finds." });
    return { shown, fields: [], buttons: menu ? [start] : [] };
  };

  const build = box => {
    const card = JSON.parse(box.dataset.exercise), { shown, judge, fields, buttons = [] } =
      { number: numbers, array: numbers, choice, text: words }[card.kind]?.(card) ?? program();
    const verdict = make("p", { className: "exercise-verdict", role: "status" }), hints = make("div", { className: "exercise-hints" });
    hints.setAttribute("aria-live", "polite");
    const hint = make("button", { type: "button", textContent: "Hint" });
    const form = make("form", { className: "exercise-card", noValidate: true }, shown,
      make("div", { className: "exercise-buttons" }, ...buttons,
        ...(judge ? [make("button", { type: "submit", textContent: "Check" })] : []), hint),
      verdict, hints);
    form.setAttribute("aria-label", `Answer to exercise ${card.id.split(".")[1]}`);
    const mark = said => fields.forEach((f, k) => {
      const good = said?.marks?.[k];
      f.closest(".exercise-cell")?.setAttribute("data-mark", good === undefined ? "" : good ? "right" : "wrong");
      f.toggleAttribute("aria-invalid", false);
      if (good === false || said?.odd === k) f.setAttribute("aria-invalid", "true");
    });
    hint.addEventListener("click", () => {
      const n = hints.childElementCount;
      if (n < card.hints.length) hints.append(make("p", { textContent: `Hint ${n + 1}: ${card.hints[n]}` }));
      hint.textContent = n ? "No more hints" : "Second hint";
      hint.disabled = n > 0;
    });
    form.addEventListener("submit", event => {
      event.preventDefault();
      const said = judge();
      verdict.dataset.right = String(!!said.right);
      // Said anew even where it is what it was before.
      verdict.replaceChildren();
      requestAnimationFrame(() => verdict.replaceChildren(...(said.right ?
        [make("strong", { textContent: "Right. " }), card.why] : [said.text])));
      mark(said);
    });
    form.addEventListener("input", () => {  // a verdict is of what was checked
      verdict.replaceChildren();
      mark();
    });
    box.replaceChildren(form);
    box.classList.add("live");
  };
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".cnn-exercise").forEach(build));
}
