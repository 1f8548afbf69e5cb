(event, root, at, choose) => {
  const all = s => [...root.querySelectorAll(s)].filter(e => e.getClientRects().length);
  root.querySelectorAll(".cnn-lit").forEach(e => e.remove());
  root.style.cursor = "";
  if (event.type === "pointerleave") return;
  const sizes = JSON.parse(root.dataset.sizes), go = JSON.parse(root.dataset.go || "[]");
  const here = at ?? root.dataset.at.split(" ").map(Number);
  const steps = k => sizes.reduceRight(([rest, ...more], n) => [Math.floor(rest / n), rest % n, ...more], [k]).slice(1);
  const place = svg => svg.dataset.g.split(" ").map(Number);
  const lights = new Map((all("svg[data-k]")).map(svg => [svg, svg.dataset.k.split(" ").map(p => p.split(":"))]));
  const box = (svg, cell) => {
    const [, left, top, width, , columns] = place(svg), { x, y, width: wide } = svg.getBoundingClientRect();
    const scale = wide / svg.viewBox.baseVal.width;
    return new DOMRect(x + scale * (left + width * (cell % columns)), y + scale * (top + 36 * Math.floor(cell / columns)),
      scale * width, scale * 36);
  };
  const over = event.type === "focusin" ? event.target : document.elementFromPoint(event.clientX, event.clientY);
  const svg = root.contains(over) && over.closest("svg[data-g]"), term = root.contains(over) && over.closest("[data-t]");
  let number = term ? term.dataset.t : undefined;
  if (svg) {
    const [grid, left, top, width, rows, columns] = place(svg), { x, y, width: wide } = svg.getBoundingClientRect();
    const scale = wide / svg.viewBox.baseVal.width;
    const column = Math.floor(((event.clientX - x) / scale - left) / width);
    const row = Math.floor(((event.clientY - y) / scale - top) / 36), cell = columns * row + column;
    if (column < 0 || column >= columns || row < 0 || row >= rows) return;
    const far = k => steps(k).reduce((sum, s, i) => sum + Math.abs(s - here[i]), 0);
    const to = (go[grid]?.[cell] ?? []).reduce((a, b) => a === undefined || far(b) < far(a) ? b : a, undefined);
    if (to !== undefined && far(to)) {
      root.style.cursor = "pointer";
      if (event.type === "click") {
        root.style.cursor = "";
        if (choose) return choose(steps(to));
        const text = root.closest(".cnn-kernel").querySelector("input[type=text]");
        text.value = steps(to).join(" ");
        for (const type of ["input", "change"]) text.dispatchEvent(new Event(type, { bubbles: true }));
        return;
      }
    }
    number = (lights.get(svg) ?? []).find(([c]) => +c === cell)?.[1];
  }
  if (number === undefined) return;
  const edge = root.getBoundingClientRect(), view = (root.querySelector(".cnn-view") ?? root).getBoundingClientRect();
  const boxes = [...lights].flatMap(([svg, pairs]) => pairs.filter(p => p[1] === number).map(p => box(svg, +p[0])));
  for (const { x, y, width, height } of [...boxes, ...all(`[data-t="${number}"]`).map(e => e.getBoundingClientRect())]) {
    if (x + width / 2 < view.left || x + width / 2 > view.right) continue;
    const lit = root.appendChild(document.createElement("div"));
    lit.className = "cnn-lit";
    Object.assign(lit.style, { left: x - edge.left - root.clientLeft - 2 + "px", top: y - edge.top - root.clientTop - 2 + "px",
      width: width + 4 + "px", height: height + 4 + "px" });
  }
}
