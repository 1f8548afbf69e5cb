// What collides in the drawings of every frame of all Frames on the page, each drawing looked at once, off the screen:
// texts that lie on one another, and texts that a stroke runs through, unless it was drawn before them and they have a
// halo. A text is its box less a margin above and below, turned as it is turned.
() => {
  const room = document.body.appendChild(document.createElement("div"));
  room.className = "cell_output";
  room.style.cssText = "position:absolute;left:0;top:0;width:688px;visibility:hidden";
  const over = (m, x, y) => [m.a * x + m.c * y + m.e, m.b * x + m.d * y + m.f];
  const corners = e => {
    const { x, y, width, height } = e.getBBox(), m = e.getScreenCTM(), dx = 1, dy = 0.18 * height;
    return [[x + dx, y + dy], [x + width - dx, y + dy], [x + width - dx, y + height - dy], [x + dx, y + height - dy]]
      .map(([x, y]) => over(m, x, y));
  };
  const apart = (p, q) => [p, q].some(shape => shape.some(([x0, y0], i) => {
    const [x1, y1] = shape[(i + 1) % shape.length], on = r => r.map(([x, y]) => x * (y0 - y1) + y * (x1 - x0));
    const a = on(p), b = on(q);
    return Math.max(...a) <= Math.min(...b) || Math.max(...b) <= Math.min(...a);
  }));
  const ends = points => points.slice(1).map((p, i) => [points[i], p]);
  const pieces = e => {  // the straight pieces of an outline, in its own measure
    if (e.tagName === "rect") {
      const { x, y, width: w, height: h } = e.getBBox();
      return ends([[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]]);
    }
    const d = e.getAttribute("d");
    if (d === "") return [];
    if (!d || /[^-\d.,\seMLHVhvz]/.test(d)) {
      const n = 48, long = e.getTotalLength() / n;
      return ends([...Array(n + 1).keys()].map(i => { const { x, y } = e.getPointAtLength(i * long); return [x, y]; }));
    }
    const found = [];
    let x = 0, y = 0, start = [0, 0];
    for (const [, command, numbers] of d.matchAll(/([MLHVhvz])([^MLHVhvz]*)/g)) {
      const v = (numbers.match(/-?[\d.]+(e-?\d+)?/g) ?? []).map(Number), from = [x, y];
      if (command === "H") x = v[0]; else if (command === "h") x += v[0];
      else if (command === "V") y = v[0]; else if (command === "v") y += v[0];
      else if (command === "z") [x, y] = start;
      else [x, y] = v;
      if (command === "M") start = [x, y]; else found.push([from, [x, y]]);
    }
    return found;
  };
  const found = [], count = { frames: 0, texts: 0, strokes: 0 };
  document.querySelectorAll(".cnn-frames").forEach((root, r) => {
    const seen = new Set();
    [...root.querySelector(".cnn-view").children].forEach((frame, k) => {
      room.innerHTML = frame.tagName === "SCRIPT" ? frame.textContent : frame.innerHTML;
      count.frames++;
      for (const svg of room.querySelectorAll("svg")) {
        const key = svg.outerHTML.replace(/ data-\w+="[^"]*"/g, "");
        if (svg.parentElement.closest("svg") || seen.has(key)) continue;
        seen.add(key);
        const words = [...svg.querySelectorAll("text")].filter(e => e.textContent.trim()).map(e => {
          const shape = corners(e), xs = shape.map(p => p[0]), ys = shape.map(p => p[1]);
          return { e, shape, said: e.textContent, low: [Math.min(...xs), Math.min(...ys)], high: [Math.max(...xs), Math.max(...ys)],
            halo: getComputedStyle(e).paintOrder.startsWith("stroke") };
        });
        count.texts += words.length;
        words.forEach((a, i) => words.slice(i + 1).forEach(b => {
          if (a.low[0] < b.high[0] && b.low[0] < a.high[0] && !apart(a.shape, b.shape)) found.push([r, k, a.said, b.said]);
        }));
        for (const e of svg.querySelectorAll("path, circle, rect, line, polyline")) {
          if (getComputedStyle(e).stroke === "none") continue;
          const m = e.getScreenCTM(), hit = new Set(), nested = e.ownerSVGElement;
          let clip = [-1e9, -1e9, 1e9, 1e9];
          if (nested !== svg) {
            const [x, y, w, h] = ["x", "y", "width", "height"].map(a => nested[a].baseVal.value), outer = svg.getScreenCTM();
            clip = [...over(outer, x, y), ...over(outer, x + w, y + h)];
          }
          for (let [[ax, ay], [bx, by]] of pieces(e)) {
            [ax, ay] = over(m, ax, ay);
            [bx, by] = over(m, bx, by);
            let t0 = 0, t1 = 1;  // what is cut off is not seen
            for (const [from, to, low, high] of [[ax, bx, clip[0], clip[2]], [ay, by, clip[1], clip[3]]]) {
              if (from === to) { if (from < low || from > high) t1 = -1; continue; }
              const [a, b] = [(low - from) / (to - from), (high - from) / (to - from)];
              t0 = Math.max(t0, Math.min(a, b));
              t1 = Math.min(t1, Math.max(a, b));
            }
            if (t0 >= t1) continue;
            const line = [[ax + t0 * (bx - ax), ay + t0 * (by - ay)], [ax + t1 * (bx - ax), ay + t1 * (by - ay)]];
            count.strokes++;
            const [[x0, y0], [x1, y1]] = line, low = [Math.min(x0, x1), Math.min(y0, y1)], high = [Math.max(x0, x1), Math.max(y0, y1)];
            for (const word of words)
              if (low[0] < word.high[0] && high[0] > word.low[0] && low[1] < word.high[1] && high[1] > word.low[1] &&
                  !hit.has(word) && !apart(line, word.shape) &&
                  !(word.halo && e.compareDocumentPosition(word.e) & Node.DOCUMENT_POSITION_FOLLOWING)) {
                hit.add(word);
                found.push([r, k, word.said, e.tagName]);
              }
          }
        }
      }
    });
  });
  room.remove();
  return { found, ...count };
}
