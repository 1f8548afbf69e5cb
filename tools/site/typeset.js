// MathJax without a browser: this comes after its parts, in the engine of mini-racer.

// The attributes that draw. Others name the parts of a formula, or give it a stroke of width 0, which is bold on paper.
const DRAWS = /^(?:d|id|x|y|x1|x2|y1|y2|width|height|viewBox|transform|style|class|href|fill|data-s)$/;

// The drawing `node` in fewer elements: a group that does nothing gives way to its parts, and one of one part moves it.
const simple = node => {
  const { kind, attributes: has } = node, parts = node.children = node.children.flatMap(simple);
  has.href ??= has["xlink:href"];
  if (has.fill === "currentColor") delete has.fill;  // the style sheet has it
  for (const name in has) if (!DRAWS.test(name) || !has[name]) delete has[name];
  if (kind !== "g" || Object.keys(has).some(name => !/^(?:transform|data-s)$/.test(name))) return [node];
  if (!has.transform && !has["data-s"]) return parts;
  if (parts.length !== 1 || !/^(?:g|use|path|rect)$/.test(parts[0].kind)) return parts.length ? [node] : [];
  const part = parts[0].attributes, transform = [has.transform, part.transform].filter(Boolean).join(" ");
  if (transform) part.transform = transform;
  if (has["data-s"]) part["data-s"] = has["data-s"];
  return parts;
};

// The signs that a drawing shows, in order, without their style.
const signs = node => (node.attributes?.["data-c"] ?
  String.fromCodePoint(parseInt(node.attributes["data-c"], 16)).normalize("NFKC") : "") +
  (node.children ?? []).map(signs).join("");

// What the group `node` is, if it is a letter, alone or with indices, a prime, an accent, or a derivative by one.
const read = node => {
  const [first, second] = node.children ?? [];
  switch (node.attributes?.["data-mml-node"]) {
    case "mi":
      return !node.attributes.other && first?.attributes["xlink:href"]?.includes("-I-") ? { letter: signs(node), bare: true } : {};
    case "TeXAtom": case "mrow":
      return node.children.length === 1 ? read(first) : {};
    case "mover":
      return { ...read(first), accent: signs(second) };
    case "msub": case "msup": case "msubsup":
      return /^′(?!′)/.test(signs(second)) ?  // f′, and no higher derivative
        { ...read(first), prime: true } : { ...read(first), bare: false };
    case "mfrac":
      return signs(first) === "∂J" && signs(second).startsWith("∂") && second.children.length === 2 ?
        { ...read(second.children[1]), over: "J" } : {};
  }
  return {};
};

// Give the name of its symbol, as `data-s`, to each group of the drawing `node` that shows one of `symbols`; `all` is
// every sign of the formula.
const mark = (node, symbols, all) => {
  if (node.attributes?.other) return;
  const name = (found, next = "") => symbols.find(({ letter, accent, prime, over, bare, beside }) =>
    letter === found.letter && accent == found.accent && prime == found.prime && over == found.over &&
    (!bare || found.bare) && !beside?.some(sign => all.includes(sign)) &&
    (prime || over || letter === "J" || !next.startsWith("(")))?.key;  // x(t) is a function
  const { children = [] } = node;
  for (let i = 0; i < children.length; i++) {
    const part = children[i], five = children.slice(i, i + 5);
    let key = name(read(part), children[i + 1] && signs(children[i + 1]));
    if (five.length === 5 && five.slice(0, 4).map(signs).join("") === "∂J/∂") {
      if (key = name({ ...read(five[4]), over: "J" })) {
        const group = MathJax.startup.adaptor.node("g");
        group.children = five;
        children.splice(i, 5, group);
        group.attributes["data-s"] = key;
        continue;
      }
    }
    if (key) {
      part.attributes["data-s"] = key;
      continue;
    }
    // A letter with an accent, a prime or an index that makes another of it: what is left to mark is its exponent.
    const { letter, over } = read(part), { "data-mml-node": kind } = part.attributes ?? {};
    if (letter && !over) {
      for (let inner = part; inner; inner = inner.children[0])
        if (inner.attributes?.["data-mml-node"] === "mi") inner.attributes.other = true;
      if (/^msub/.test(kind)) part.children.at(-1).attributes.other = true;
    }
    mark(part, symbols, all);
  }
};

// The MathML `node` without its rows of one part.
const unwrapped = node => {
  const parts = node.children = node.children?.map(unwrapped);
  return node.kind === "mrow" && parts.length === 1 ? parts[0] : node;
};

// What `tex` looks like, with MathML for those who hear it. An error with the words for what MathJax says in words: that
// it is no TeX, or a letter that its fonts lack and only a browser could measure.
const drawing = (adaptor, tex, display, symbols) => {
  const box = MathJax.tex2svg(tex, { display }), [svg, heard] = box.children, [words] = adaptor.tags(svg, "text");
  if (words) throw Error(adaptor.textContent(words));
  mark(svg, symbols, signs(svg));
  simple(svg);
  svg.attributes["aria-hidden"] = "true";
  return adaptor.outerHTML(svg) +
    adaptor.outerHTML(unwrapped(heard)).replace(/ (?:unselectable|xmlns|data-mjx-[\w-]+)="[^"]*"/g, "");
};

// For the formulas of a page, [TeX, whether it is displayed]: the letters, to which their drawings refer, and of each its
// drawing or why there is none, as JSON. In the drawings the groups that show one of `symbols` have its key.
const draw = (formulas, symbols = []) => {
  const { adaptor, output, document } = MathJax.startup;
  const drawings = formulas.map(([tex, display]) => {
    try {
      return { html: drawing(adaptor, tex, display, symbols) };
    } catch (error) {
      return { error: error.message };
    }
  });
  const [letters] = simple(output.pageElements(document));
  letters.attributes["aria-hidden"] = "true";
  const html = adaptor.outerHTML(letters);
  output.clearFontCache();
  return JSON.stringify([html, drawings]);
};
