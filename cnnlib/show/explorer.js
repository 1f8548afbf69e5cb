// Explorers move: a reader chooses a cell, and sees what it depends on. Numbers and links come with the page, from the
// layers of cnnlib; nothing here computes one. Whatever stands at row r and column c of a square has the index
// r * side + c.
document.querySelectorAll(".cnn-explorer").forEach((root, nth) => {
  if (root.ready) return;
  root.ready = true;
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const pool = root.dataset.kind === "pool", n = Math.sqrt(data.x.length), kinds = data.rows.flat();
  const SIGN = { x: "x", W: "W", z: "z", dx: "∂J/∂x", dW: "∂J/∂W", delta: "δ" };
  const VIEW = { dx: "dx", delta: "dx", dW: "dW", z: "z", x: "z", W: kinds.includes("z") ? "z" : "dx" };
  const GUESSED = ["dx", "dW", "z"], TINTED = ["W", "dx", "dW"];
  const captions = Object.fromEntries(kinds.map(kind => [kind, root.querySelector(`.cnn-${kind} caption`).innerHTML]));

  let at = data.start, c, chosen = ["dx", data.pixel[0] * n + data.pixel[1]], shown, told, full = false, guess = false, asked = false, open;
  const last = {};

  // ---- words

  const num = v => String(v).replace("-", "−"), bracketed = v => v < 0 ? `(${num(v)})` : num(v);
  const side = kind => kind === "x" || kind === "dx" ? n : kind === "W" || kind === "dW" ? c.kernel : c.out;
  const value = (kind, i) => kind === "x" ? data.x[i] : c[kind][i];
  const name = (kind, i) => `${SIGN[kind]}<sub>${Math.floor(i / side(kind))}${i % side(kind)}</sub>`;
  const equals = (kind, i) => `${name(kind, i)} = ${num(value(kind, i))}`;
  const many = (count, one) => count === 1 ? `1 ${one}` : `${count} ${one}s`;
  const spot = u => u.i < 0 ? ["ghost", u.q] : ["x", u.i];

  // Why no window reached a pixel.
  const why = i => ["row", "column"].map((line, k) => {
    const along = j => k ? j % n : Math.floor(j / n), met = c.uses.filter(u => u.i >= 0).map(u => along(u.i));
    if (met.includes(along(i))) return "";
    const there = ` ${k ? "Column" : "Row"} ${along(i)} lies `;
    return along(i) > Math.max(...met) ?
      `${there}beyond the last window: another step of ${c.stride} would leave the image${c.padding ? " and its padding" : ""}.` :
      `${there}between two windows: the stride ${c.stride} is larger than the kernel ${c.kernel}.`;
  }).join("");

  // What is said of a cell: a head, terms with the cells of each, all cells that light up with a small number, and lines.
  const conv = {
    dx(i) {
      const used = c.uses.filter(u => u.i === i), times = u => ["delta", u.o, `×${num(c.W[u.w])}`];
      return {
        way: "bw", plus: true,
        head: `${used.length ? many(used.length, "output") : "no output"} used this pixel.` +
          (used.length > 1 ? " δ in reading order meets W in reverse order: W rotated by 180°." : used.length ? "" : why(i)),
        lit: used.flatMap(u => [times(u), ["W", u.w]]),
        lines: used.map(u => [["delta", u.o], ["dx", i]]),
        terms: used.map(u => ({
          top: name("delta", u.o) + name("W", u.w), low: `${num(c.delta[u.o])}·${bracketed(c.W[u.w])}`,
          cells: [times(u), ["W", u.w]], lines: [[["delta", u.o], ["W", u.w]], [["W", u.w], ["dx", i]]],
        })),
      };
    },
    delta(o) {
      const used = c.uses.filter(u => u.o === o), inside = used.filter(u => u.i >= 0), out = used.length - inside.length;
      return {
        way: "bw",
        head: `goes back to the ${many(inside.length, "pixel")} that its output used, times the weight of each.` +
          (out ? ` ${many(out, "product")} for padding ${out > 1 ? "are" : "is"} dropped.` : " Nothing is rotated."),
        lit: inside.flatMap(u => [["dx", u.i], ["W", u.w]]),
        lines: inside.map(u => [["delta", o], ["dx", u.i]]),
        terms: inside.map(u => ({
          top: `${name("W", u.w)} → ${name("x", u.i)}`, low: `${num(c.delta[o])}·${bracketed(c.W[u.w])}`,
          cells: [["dx", u.i], ["W", u.w]], lines: [[["delta", o], ["W", u.w]], [["W", u.w], ["dx", u.i]]],
        })),
      };
    },
    dW(w) {
      const met = c.uses.filter(u => u.w === w), inside = met.filter(u => u.i >= 0), out = met.length - inside.length;
      const times = u => ["x", u.i, `×${num(c.delta[u.o])}`];
      return {
        way: "bw", plus: true,
        head: `the weight met ${many(inside.length, "pixel")}, one for each output. Nothing is rotated.` +
          (out ? ` For ${many(out, "more output")} it met padding, which adds 0.` : ""),
        lit: inside.flatMap(u => [times(u), ["delta", u.o]]),
        lines: [],
        terms: inside.map(u => ({
          top: name("delta", u.o) + name("x", u.i), low: `${num(c.delta[u.o])}·${bracketed(data.x[u.i])}`,
          cells: [times(u), ["delta", u.o]], lines: [[["delta", u.o], ["dW", w]], [["x", u.i], ["dW", w]]],
        })),
      };
    },
    z(o) {
      const used = c.uses.filter(u => u.o === o), inside = used.filter(u => u.i >= 0), out = used.length - inside.length;
      const times = u => [...spot(u), u.i < 0 ? "" : `×${num(c.W[u.w])}`];
      return {
        way: "fw", plus: true,
        head: `the output reads ${many(inside.length, "pixel")}${out ? ` and ${many(out, "zero")} of the padding` : ""}, its receptive field.`,
        lit: used.flatMap(u => [times(u), ["W", u.w]]),
        lines: [],
        terms: inside.map(u => ({
          top: name("W", u.w) + name("x", u.i), low: `${bracketed(c.W[u.w])}·${bracketed(data.x[u.i])}`,
          cells: [times(u), ["W", u.w]], lines: [[["x", u.i], ["W", u.w]], [["W", u.w], ["z", o]]],
        })),
      };
    },
    x(i) {
      const used = c.uses.filter(u => u.i === i);
      return {
        way: "fw",
        head: used.length ? `${many(used.length, "output")} ${used.length > 1 ? "use" : "uses"} this pixel, ` +
          (used.length > 1 ? "each with another weight." : "with one weight.") : `no output uses this pixel.${why(i)}`,
        lit: used.flatMap(u => [["z", u.o, `×${num(c.W[u.w])}`], ["W", u.w]]),
        lines: used.map(u => [["x", i], ["z", u.o]]),
        terms: used.map(u => ({
          top: name("W", u.w), low: name("z", u.o),
          cells: [["z", u.o], ["W", u.w]], lines: [[["x", i], ["W", u.w]], [["W", u.w], ["z", u.o]]],
        })),
      };
    },
    W(w) {
      const used = c.uses.filter(u => u.w === w), out = used.filter(u => u.i < 0).length, forward = kinds.includes("z");
      const met = u => forward ? [["z", u.o], spot(u)] : u.i < 0 ? [["delta", u.o]] : [["delta", u.o], ["dx", u.i]];
      return {
        way: forward ? "fw" : "bw",
        head: (used.length > 1 ? `all ${used.length} outputs use this weight, each on another pixel` : "the one output uses this weight") +
          (out ? `; ${out} of them on padding.` : "."),
        lit: used.flatMap(met),
        lines: [],
        terms: used.map(u => ({
          top: u.i < 0 ? "0" : name("x", u.i), low: name("z", u.o),
          cells: met(u), lines: met(u).map(end => [end, ["W", w]]),
        })),
      };
    },
  };
  const later = (o, i) => c.uses.filter(u => u.o === o && u.i !== i && data.x[u.i] === data.x[i]).map(u => name("x", u.i));
  const max = {
    dx(i) {
      const saw = c.uses.filter(u => u.i === i).map(u => u.o), kept = saw.filter(o => c.kept[o] === i);
      const others = [...new Set(saw.map(o => c.kept[o]))].filter(j => j !== i).sort((a, b) => a - b);
      return {
        way: "bw", plus: true,
        head: saw.length ? `${many(saw.length, "window")} saw ${equals("x", i)}, ${kept.length || "none"} kept it.` +
          (others.length ? ` ${kept.length ? "The others" : "They"} kept ${others.map(j => equals("x", j) +
            (data.x[j] === data.x[i] ? ", as large, and first" : "")).join("; ")}.` : "") : `no window saw ${equals("x", i)}.${why(i)}`,
        lit: kept.map(o => ["delta", o]),
        lines: kept.map(o => [["delta", o], ["dx", i]]),
        terms: kept.map(o => ({
          top: name("delta", o), low: num(c.delta[o]), cells: [["delta", o]], lines: [[["delta", o], ["dx", i]]],
        })),
      };
    },
    delta(o) {
      const i = c.kept[o], ties = later(o, i);
      return {
        way: "bw",
        head: `goes whole to ${equals("x", i)}, the largest of its window.` +
          (ties.length ? ` As large: ${ties.join(", ")}, later in reading order, so nothing comes there.` : ""),
        lit: [["dx", i]], lines: [[["delta", o], ["dx", i]]],
        terms: [{ top: `→ ${name("x", i)}`, low: num(c.delta[o]), cells: [["dx", i]], lines: [[["delta", o], ["dx", i]]] }],
      };
    },
    z(o) {
      const used = c.uses.filter(u => u.o === o), i = c.kept[o], ties = later(o, i);
      return {
        way: "fw",
        head: `the largest of ${used.length} pixels, kept from ${name("x", i)}.` +
          (ties.length ? ` As large: ${ties.join(", ")}. The first in reading order counts.` : ""),
        lit: used.map(u => ["x", u.i, u.i === i ? "max" : ""]),
        lines: [[["x", i], ["z", o]]],
        terms: used.map(u => ({ top: name("x", u.i), low: num(data.x[u.i]), cells: [["x", u.i]], lines: [] })),
      };
    },
    x(i) {
      const saw = c.uses.filter(u => u.i === i).map(u => u.o), kept = saw.filter(o => c.kept[o] === i);
      return {
        way: "fw",
        head: saw.length ? `${many(saw.length, "window")} ${saw.length > 1 ? "see" : "sees"} this pixel, ${kept.length} ` +
          `${kept.length === 1 ? "keeps" : "keep"} it.` : `no window sees this pixel.${why(i)}`,
        lit: saw.map(o => ["z", o, c.kept[o] === i ? "max" : ""]),
        lines: kept.map(o => [["x", i], ["z", o]]),
        terms: saw.map(o => ({ top: name("z", o), low: num(c.z[o]), cells: [["z", o]], lines: [[["x", i], ["z", o]]] })),
      };
    },
  };
  const tell = (kind, i) => ({ ...(pool ? max : conv)[kind](i), cell: [kind, i] });
  const count = i => c.counts[i];

  // ---- what is drawn

  const make = (tag, look, inside = "", attributes = {}) => {
    const e = document.createElement(tag);
    e.className = look;
    e.innerHTML = inside;
    for (const [key, text] of Object.entries(attributes)) e.setAttribute(key, text);
    return e;
  };
  const button = (text, look = "", attributes = {}) => make("button", look, text, { type: "button", ...attributes });
  const live = make("div", "cnn-live", "", { "data-lm-suppress-shortcuts": "true" });
  const choices = make("div", "cnn-choices"), tools = make("div", "cnn-choices cnn-tools"), views = make("div", "cnn-choices cnn-views", "<span>show</span>", { role: "group", "aria-label": "Shown" });
  const body = make("div", "cnn-body"), stage = make("div", "cnn-stage");
  const form = make("form", "cnn-guess", `<label><span></span> = <input type="number" step="1" required></label>`);
  const say = make("div", "cnn-say", "", { role: "status" }), head = make("p", "cnn-head"), terms = make("div", "cnn-terms");
  let cells = {};  // of each kind, of each index, the elements that show it

  const register = (kind, i, e) => ((cells[kind] ??= [])[i] ??= []).push(e);
  const table = kind => {
    const values = kind === "x" ? data.x : c[kind], s = side(kind), p = kind === "x" ? c.padding ?? 0 : 0;
    const top = Math.max(...values.map(Math.abs)) || 1;
    const grid = make("table", `cnn-${kind}`, `<caption>${captions[kind]}</caption>`, { role: "grid", "aria-label": SIGN[kind] });
    for (let r = -p; r < s + p; r++) {
      const row = grid.insertRow();
      for (let q = -p; q < s + p; q++) {
        const cell = row.insertCell(), i = r * s + q;
        if (Math.min(r, q) < 0 || Math.max(r, q) >= s) {
          cell.className = `gh${r < 0 || r >= s ? " gr" : ""}${q < 0 || q >= s ? " gc" : ""}`;
          cell.textContent = "0";
          register("ghost", (r + p) * (s + 2 * p) + q + p, cell);
          continue;
        }
        if (TINTED.includes(kind)) {
          cell.style.setProperty("--t", `${values[i] && Math.floor(8 + 30 * Math.abs(values[i]) / top)}%`);
          cell.classList.toggle("neg", values[i] < 0);
        }
        cell.tabIndex = -1;
        cell.at = [kind, i];
        register(kind, i, cell);
      }
    }
    return grid;
  };
  // Delta spread with zeros and padded; above each pixel the rotated kernel meets what the links say.
  const spread = () => {
    const size = n + c.kernel - 1, rows = c.spread.map(k => Math.floor(k / size)), columns = c.spread.map(k => k % size);
    const grid = make("table", "cnn-spread", "<caption>δ, spread and padded with zeros</caption>");
    for (let r = 0; r < size; r++) {
      const row = grid.insertRow();
      for (let q = 0; q < size; q++) {
        const cell = row.insertCell(), o = c.spread.indexOf(r * size + q);
        const inside = r >= rows[0] && r <= rows.at(-1) && q >= columns[0] && q <= columns.at(-1);
        cell.className = o >= 0 ? "de" : inside ? "zero" : "gh";
        cell.textContent = o < 0 ? "0" : num(c.delta[o]);
        register("spread", r * size + q, cell);
        if (o >= 0) register("delta", o, cell);
      }
    }
    const turned = make("table", "cnn-turned", "<caption>W rotated by 180°</caption>");
    for (let w = c.W.length - 1; w >= 0; w--) {
      const row = w % c.kernel === c.kernel - 1 ? turned.insertRow() : turned.rows[turned.rows.length - 1], cell = row.insertCell();
      cell.textContent = num(c.W[w]);
      register("W", w, cell);
    }
    const panel = make("div", "cnn-full");
    panel.style.setProperty("--s", size);
    panel.append(grid, turned);
    return panel;
  };
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const draw = () => {
    // A line runs between the cells of a grid, over no number, and from grid to grid in a bend. What several lines share is
    // drawn once: two dashed lines on each other look like a solid one.
    const box = stage.getBoundingClientRect(), bends = new Set(), legs = {};
    const edges = e => {
      const { left, right, top, bottom } = e.getBoundingClientRect();
      return [left - box.left, right - box.left, top - box.top, bottom - box.top].map(Math.round);
    };
    const place = ([kind, i]) => {
      const cell = (cells[kind]?.[i] ?? []).find(e => e.offsetWidth);
      return cell && { cell: edges(cell), grid: edges(cell.closest("tbody")) };
    };
    const leg = (way, line, from, to) => {
      const [least, most] = legs[`${way} ${line} ${from}`] ?? [to, to];
      legs[`${way} ${line} ${from}`] = [Math.min(least, to), Math.max(most, to)];
    };
    for (const pair of full && !open ? [] : (open ?? told).lines) {
      let [a, b] = pair.map(place);
      if (!a || !b) continue;
      if (a.grid[0] >= b.grid[1] || (b.grid[0] < a.grid[1] && a.grid[2] >= b.grid[3])) [a, b] = [b, a];
      if (b.grid[0] >= a.grid[1]) {
        const [, x0, , y0] = a.cell, [x1, , , y1] = b.cell, middle = (a.grid[1] + b.grid[0]) / 2;
        bends.add(`M${a.grid[1]} ${y0}C${middle} ${y0} ${middle} ${y1} ${b.grid[0]} ${y1}`);
        leg("H", y0, a.grid[1], x0);
        leg("H", y1, b.grid[0], x1);
      } else {
        const [, x0, , y0] = a.cell, [x1, , y1] = b.cell, middle = (a.grid[3] + b.grid[2]) / 2;
        bends.add(`M${x0} ${a.grid[3]}C${x0} ${middle} ${x1} ${middle} ${x1} ${b.grid[2]}`);
        leg("V", x0, a.grid[3], y0);
        leg("V", x1, b.grid[2], y1);
      }
    }
    const straight = Object.entries(legs).map(([key, [least, most]]) => {
      const [way, line, from] = key.split(" "), to = least < from ? least : most;
      return way === "H" ? `M${from} ${line}H${to}` : `M${line} ${from}V${to}`;
    });
    svg.innerHTML = `<path class="${told.way}" d="${[...bends, ...straight].join("")}"/>`;
  };
  const hidden = (kind, i) => guess && GUESSED.includes(kind) && kind === chosen[0] && i === chosen[1] && !guess.answer;
  const label = (kind, i) => `${SIGN[kind]} row ${Math.floor(i / side(kind))}, column ${i % side(kind)}: ` +
    (hidden(kind, i) ? "to be guessed" : num(value(kind, i)) + (kind === "dx" ? pool ?
      `, kept by ${count(i).replace("/", " of ")} windows` : `, used by ${many(+count(i), "output")}` : ""));

  // Frames and small numbers, of all terms or of the one that is pointed at.
  const light = () => {
    for (const e of stage.querySelectorAll(".on, .fw, .bw, .un")) {
      e.classList.remove("on", "fw", "bw", "un");
      if (e.at?.[0] !== "dx") delete e.dataset.n;
    }
    const pixel = ["dx", "x"].includes(told.cell[0]) ? told.cell[1] : last.dx;
    if (full) for (let w = 0; w < c.W.length; w++) {
      const u = c.W.length - 1 - w, row = Math.floor(pixel / n) + Math.floor(w / c.kernel), column = pixel % n + w % c.kernel;
      cells.spread[row * (n + c.kernel - 1) + column].forEach(e => { e.dataset.n = `×${num(c.W[u])}`; e.classList.add("un"); });
    }
    for (const [kind, i, small] of (open ?? told).cells ?? told.lit) for (const e of cells[kind]?.[i] ?? []) {
      e.classList.add(told.way);
      if (small && kind !== "dx") e.dataset.n = small;
    }
    for (const e of cells[told.cell[0]][told.cell[1]]) e.classList.add("on");
    draw();
  };
  const fill = e => {
    e.textContent = hidden(...e.at) ? "?" : num(value(...e.at));
    e.setAttribute("aria-label", label(...e.at));
  };
  const show = (kind, i) => {
    if (shown?.[0] === kind && shown[1] === i) return;
    shown = [kind, i];
    told = tell(kind, i);
    open = undefined;
    const secret = hidden(kind, i), plus = k => told.plus && k ? "<b>+ </b>" : "";
    form.hidden = !secret;
    form.querySelector("span").innerHTML = name(kind, i);
    form.querySelector("input").setAttribute("aria-label", `Your guess for ${label(kind, i)}`);
    if (secret) told = { ...told, terms: [], head: "work it out from what is framed, then type the number." };
    const answer = guess && guess.answer && kind === chosen[0] && i === chosen[1] ?
      guess.answer === num(value(kind, i)) ? `Yes, ${guess.answer}. ` : `No, not ${guess.answer}. ` : "";
    head.innerHTML = `${answer}<b>${secret ? name(kind, i) : equals(kind, i)}</b>${kind === "delta" ? " " : ": "}${told.head}`;
    terms.className = `cnn-terms ${told.way}${told.terms.length > 15 ? " long" : ""}`;
    terms.innerHTML = told.terms.map((t, k) =>
      `<span>${plus(k)}<button type="button" class="cnn-term" tabindex="${k ? -1 : 0}"><span>${t.top} </span>${t.low}</button></span>`).join(" ");
    light();
  };
  const again = () => {
    if (guess || asked) for (const kind of GUESSED) for (const [e] of cells[kind] ?? []) fill(e);
    asked = guess;
    shown = undefined;
    show(...chosen);
  };

  // ---- what the reader does

  const choose = (kind, i) => {
    if (guess && (kind !== chosen[0] || i !== chosen[1])) guess = {};
    for (const e of [...cells[kind]].flat()) if (e.at) e.tabIndex = e.at[1] === i ? 0 : -1;
    chosen = [kind, i];
    last[kind] = i;
    if (!["dx", "x"].includes(kind)) setFull(false);
    root.dataset.view = VIEW[kind];
    for (const b of views.querySelectorAll("button")) b.setAttribute("aria-pressed", b.value === VIEW[kind]);
    again();
    write();
  };
  const setFull = on => {
    full = on;
    stage.classList.toggle("cnn-is-full", on);
    fullButton.setAttribute("aria-pressed", on);
  };
  const setCase = (next, kind, i) => {
    const before = c && { side: side(kind), old: c };
    at = next;
    c = data.cases[at.join()];
    const padding = c.padding ?? 0, wide = n + 2 * padding;
    c.uses ??= c.links.map((q, k) => {
      const row = Math.floor(q / wide) - padding, column = q % wide - padding;
      const inside = Math.min(row, column) >= 0 && Math.max(row, column) < n;
      return { o: Math.floor(k / c.kernel ** 2), w: k % c.kernel ** 2, q, i: inside ? row * n + column : -1 };
    });
    c.counts ??= data.x.map((_, i) => {
      const saw = c.uses.filter(u => u.i === i);
      return pool ? `${saw.filter(u => c.kept[u.o] === i).length}/${saw.length}` : `${saw.length}`;
    });
    // What was chosen stays, or the nearest cell that there is.
    const fit = (kind, i, was) => {
      const most = side(kind) - 1;
      return Math.min(most, Math.floor(i / was)) * (most + 1) + Math.min(most, i % was);
    };
    i = before ? fit(kind, i, before.side) : i;
    cells = {};
    const large = n + 0.9 * padding, size = { x: large, dx: n, W: c.kernel, dW: c.kernel, z: c.out, delta: c.out };
    const down = data.rows.reduce((sum, row) => sum + Math.max(...row.map(kind => size[kind])), 0);
    data.rows[0].forEach((_, k) => stage.style.setProperty(`--c${k + 1}`, Math.max(2, ...data.rows.map(row => size[row[k]]))));
    stage.style.setProperty("--down", down);
    stage.style.setProperty("--p", padding);
    stage.style.setProperty("--deep", large + Math.max(pool ? 0 : c.kernel, c.out));
    stage.style.setProperty("--pair", Math.max(pool ? 0 : Math.max(2, c.kernel) + c.out, large));
    stage.replaceChildren(...kinds.map(table), ...(pool ? [] : [spread()]), svg);
    for (const kind of kinds) for (const [e] of cells[kind]) {
      fill(e);
      if (kind === "dx") e.dataset.n = count(e.at[1]);
    }
    for (const k of kinds) {
      const first = k === kind ? i : Math.min(last[k] ?? 0, side(k) ** 2 - 1);
      last[k] = first;
      cells[k][first][0].tabIndex = 0;
    }
    Object.keys(data.choices).forEach((what, k) => choices.querySelectorAll(`[name="${what}"]`).forEach(b => {
      const to = at.with(k, +b.value);
      b.setAttribute("aria-pressed", +b.value === at[k]);
      b.disabled = !data.cases[to.join()];
      b.title = b.disabled ? "does not fit" : "";
    }));
    const keep = full;
    choose(kind, i);
    setFull(keep && ["dx", "x"].includes(kind));
    again();
  };

  Object.entries(data.choices).forEach(([what, sizes], k) => {
    if (sizes.length < 2) return;
    const group = make("div", "", `<span>${what}</span>`, { role: "group", "aria-label": what });
    for (const size of sizes) {
      const b = button(size, "", { name: what, value: size, "aria-label": `${what} ${size}` });
      b.addEventListener("click", () => setCase(at.with(k, size), ...chosen));
      group.append(b);
    }
    choices.append(group);
  });
  const fullButton = button("Full correlation", "", { "aria-pressed": false });
  fullButton.addEventListener("click", () => {
    const on = !full;
    if (on && !["dx", "x"].includes(chosen[0])) choose("dx", last.dx);
    setFull(on);
    again();
  });
  const guessButton = button("Guess first", "", { "aria-pressed": false });
  guessButton.addEventListener("click", () => {
    guess = guess ? false : {};
    guessButton.setAttribute("aria-pressed", !!guess);
    again();
  });
  form.append(button("Check", "", { type: "submit" }));
  form.addEventListener("submit", e => {
    e.preventDefault();
    guess = { answer: num(+form.querySelector("input").value) };
    form.reset();
    again();
    cells[chosen[0]][chosen[1]][0].focus();
  });
  const copy = button("Copy link");
  copy.addEventListener("click", async () => {
    const link = location.href.split("#")[0] + "#" + address();
    try {
      await navigator.clipboard.writeText(link);
      copy.textContent = "Link copied";
    } catch {
      copy.textContent = "See the address";
    }
    setTimeout(() => copy.textContent = "Copy link", 2000);
  });
  for (const kind of ["dx", "dW", "z"]) if (kinds.includes(kind)) {
    const b = button(SIGN[kind], "", { value: kind });
    b.addEventListener("click", () => choose(kind, last[kind]));
    views.append(b);
  }

  stage.addEventListener("focusin", e => e.target.at && choose(...e.target.at));
  stage.addEventListener("click", e => e.target.closest("td")?.at && e.target.closest("td").focus());
  stage.addEventListener("pointermove", e => {  // also comes where a new case moves the cells under a pointer that rests
    if (e.pointerType === "mouse" && !guess && (e.movementX || e.movementY)) show(...e.target.closest("td")?.at ?? chosen);
  });
  stage.addEventListener("pointerleave", () => guess || show(...chosen));
  const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -9], End: [0, 9] };
  stage.addEventListener("keydown", e => {
    const step = ARROWS[e.key];
    if (!e.target.at || !step || e.altKey || e.metaKey || e.shiftKey) return;
    const [kind, i] = e.target.at, s = side(kind), end = x => Math.max(0, Math.min(s - 1, x));
    const row = e.ctrlKey && e.key === "Home" ? 0 : e.ctrlKey && e.key === "End" ? s - 1 : end(Math.floor(i / s) + step[0]);
    cells[kind][row * s + end(i % s + step[1])][0].focus();
    e.preventDefault();
    e.stopPropagation();
  });

  // A term lights its own cells, while it is pointed at or has the focus.
  const chip = e => [...terms.querySelectorAll("button")].indexOf(e.target?.closest?.("button"));
  const alone = k => {
    open = told.terms[k];
    light();
  };
  terms.addEventListener("pointerover", e => e.pointerType === "mouse" && alone(chip(e)));
  terms.addEventListener("pointerleave", () => alone(chip({ target: document.activeElement })));
  terms.addEventListener("focusin", e => alone(chip(e)));
  terms.addEventListener("focusout", () => alone(-1));
  terms.addEventListener("click", e => e.target.closest("button")?.focus());
  terms.addEventListener("keydown", e => {
    const all = [...terms.querySelectorAll("button")], k = chip(e);
    const to = { ArrowLeft: k - 1, ArrowUp: k - 1, ArrowRight: k + 1, ArrowDown: k + 1, Home: 0, End: all.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    all.forEach((b, j) => b.tabIndex = j === to || (!all[to] && j === k) ? 0 : -1);
    all[to]?.focus();
  });

  // ---- the address, which is the page's own: a notebook's is not ours

  const ours = !root.closest(".jp-OutputArea");
  const address = () => {
    const [kind, i] = chosen, cell = `${kind},${Math.floor(i / side(kind))},${i % side(kind)}`;
    return [...(nth ? [["explorer", nth + 1]] : []), ...Object.keys(data.choices).map((what, k) => [what, at[k]]), ["cell", cell]]
      .map(pair => pair.join("=")).join("&");
  };
  let quiet = true;
  let soon;
  const write = () => {
    clearTimeout(soon);
    if (ours && !quiet) soon = setTimeout(() => history.replaceState(history.state, "", `#${address()}`), 200);
  };  // a browser allows some in a second, an arrow key that is held down asks for more
  const read = () => {
    const said = new URLSearchParams(location.hash.slice(1)), [kind, row, column] = (said.get("cell") ?? "").split(",");
    const next = Object.keys(data.choices).map((what, k) => +(said.get(what) ?? data.start[k]));
    const there = data.cases[next.join()], s = there && { x: n, dx: n, W: there.kernel, dW: there.kernel, z: there.out, delta: there.out }[kind];
    if (!ours || +(said.get("explorer") ?? 1) !== nth + 1 || !kinds.includes(kind) || !/^\d$/.test(row) || !/^\d$/.test(column)) return false;
    if (!there || row >= s || column >= s) return false;
    quiet = true;
    setCase(next, "dx", last.dx);
    choose(kind, row * s + +column);
    quiet = false;
    return true;
  };

  say.append(head, terms);
  body.append(stage, form, say);
  if (!root.hasAttribute("data-compact")) {
    if (!pool) tools.append(fullButton);
    tools.append(guessButton);
    if (ours) tools.append(copy);
    live.append(choices, tools, views, body);
  } else live.append(choices, body);
  root.querySelector(".cnn-still").before(live);
  root.classList.add("cnn-moves");
  setCase(at, ...chosen);
  new ResizeObserver(draw).observe(stage);
  if (read()) root.scrollIntoView({ block: "nearest" });
  quiet = false;
  addEventListener("hashchange", () => read() && root.scrollIntoView({ block: "nearest" }));
});
