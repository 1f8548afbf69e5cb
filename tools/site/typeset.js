// MathJax without a browser: this comes after its parts, in the engine of mini-racer.

// The attributes that draw. Others name the parts of a formula, or give it a stroke of width 0, which is bold on paper.
const DRAWS = /^(?:d|id|x|y|x1|x2|y1|y2|width|height|viewBox|transform|style|class|href|fill)$/;

// The drawing `node` in fewer elements: a group that does nothing gives way to its parts, and one of one part moves it.
const simple = node => {
  const { kind, attributes: has } = node, parts = node.children = node.children.flatMap(simple);
  has.href ??= has["xlink:href"];
  if (has.fill === "currentColor") delete has.fill;  // the style sheet has it
  for (const name in has) if (!DRAWS.test(name) || !has[name]) delete has[name];
  if (kind !== "g" || Object.keys(has).some(name => name !== "transform")) return [node];
  if (!has.transform) return parts;
  if (parts.length !== 1 || !/^(?:g|use|path|rect)$/.test(parts[0].kind)) return parts.length ? [node] : [];
  parts[0].attributes.transform = [has.transform, parts[0].attributes.transform].filter(Boolean).join(" ");
  return parts;
};

// The MathML `node` without its rows of one part.
const unwrapped = node => {
  const parts = node.children = node.children?.map(unwrapped);
  return node.kind === "mrow" && parts.length === 1 ? parts[0] : node;
};

// What `tex` looks like, with MathML for those who hear it. An error with the words for what MathJax says in words: that
// it is no TeX, or a letter that its fonts lack and only a browser could measure.
const drawing = (adaptor, tex, display) => {
  const box = MathJax.tex2svg(tex, { display }), [svg, heard] = box.children, [words] = adaptor.tags(svg, "text");
  if (words) throw Error(adaptor.textContent(words));
  simple(svg);
  svg.attributes["aria-hidden"] = "true";
  return adaptor.outerHTML(svg) +
    adaptor.outerHTML(unwrapped(heard)).replace(/ (?:unselectable|xmlns|data-mjx-[\w-]+)="[^"]*"/g, "");
};

// For the formulas of a page, [TeX, whether it is displayed]: the letters, to which their drawings refer, and of each its
// drawing or why there is none, as JSON.
const draw = formulas => {
  const { adaptor, output, document } = MathJax.startup;
  const drawings = formulas.map(([tex, display]) => {
    try {
      return { html: drawing(adaptor, tex, display) };
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
