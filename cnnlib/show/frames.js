// Frames that are neither first nor for print wait as inert scripts; the first look makes one an element.
document.querySelectorAll(".cnn-frames").forEach((root, n) => {
  if (root.ready) return;
  root.ready = true;
  if (document.getElementById(root.id) !== root)
    for (const e of [root, ...root.querySelectorAll("[id],[for],[name],[aria-labelledby]")])
      for (const a of ["id", "for", "name", "aria-labelledby"])
        if (e.hasAttribute(a)) e.setAttribute(a, e.getAttribute(a) + "-" + n);
  const one = s => root.querySelector(s), all = s => [...root.querySelectorAll(s)];
  const text = one("p"), play = one(".cnn-play"), view = one(".cnn-view");
  const frames = [...view.children], labels = JSON.parse(root.dataset.labels), tall = JSON.parse(root.dataset.tall);
  root.dataset.sizes = JSON.stringify(labels.map(names => names.length));
  const touch = TOUCH;
  // An axis has a slider, or a button for each value.
  const axes = all(".cnn-axis").map((e, i) => {
    const [slider, ...more] = e.querySelectorAll("input"), radios = slider.type === "radio" && [slider, ...more];
    return {
      e, last: labels[i].length - 1,
      get at() { return radios ? radios.findIndex(r => r.checked) : +slider.value; },
      set at(k) {
        if (!radios) slider.value = k;
        else radios[Math.max(0, Math.min(k, this.last))].checked = true;
      },
      tell() {
        const name = labels[i][this.at], count = e.querySelector(".cnn-count");
        if (count) count.textContent = `${this.at + 1} of ${this.last + 1}`;
        if (radios) return;
        e.querySelector("output").value = name;
        slider.setAttribute("aria-valuetext", name);
        slider.style.setProperty("--at", `${(100 * this.at) / Math.max(1, this.last)}%`);
      },
    };
  });
  const places = () => axes.map(a => a.at);
  let timer = 0;
  const show = () => {
    const k = axes.reduce((sum, a) => sum * (a.last + 1) + a.at, 0);
    if (frames[k].tagName === "SCRIPT") {
      const div = document.createElement("div");
      div.innerHTML = frames[k].textContent;
      Object.assign(div.dataset, frames[k].dataset);
      frames[k].replaceWith(div);
      frames[k] = div;
    }
    frames.forEach((f, i) => f.style.display = i === k ? "" : "none");
    axes.forEach(a => a.tell());
    text.textContent = frames[k].dataset.alt || text.textContent;
    all(".cnn-lit").forEach(e => e.remove());
  };
  const run = on => {
    clearInterval(timer);
    timer = on && setInterval(() => root.isConnected && move(axes[0], 1) || run(false), root.dataset.period);
    text.setAttribute("aria-live", on ? "off" : "polite");
    play.firstChild.textContent = on ? "\u23f8\ufe0e" : "\u25b6\ufe0e";
    play.setAttribute("aria-label", (on ? "Pause " : "Play ") + play.value);
  };
  const move = (axis, by) => {
    const before = axis.at;
    axis.at = before + by;
    show();
    return axis.at !== before;
  };
  axes.forEach(a => {
    a.e.addEventListener("input", () => { run(false); show(); });
    a.e.querySelectorAll("[data-by]").forEach(b => b.addEventListener("click", () => {
      run(false);
      move(a, +b.dataset.by);
    }));
  });
  play.addEventListener("click", () => {
    if (!timer && axes[0].at === axes[0].last) move(axes[0], -axes[0].last);
    run(!timer);
  });
  const choose = steps => {
    run(false);
    axes.forEach((a, i) => a.at = steps[i]);
    show();
  };
  for (const type of ["pointermove", "pointerleave", "click"])
    view.addEventListener(type, e => {
      if (type !== "pointerleave" || e.pointerType === "mouse") touch(e, root, places(), choose);
    });
  view.addEventListener("focusin", e => touch(e, root, places(), choose));
  view.addEventListener("focusout", () => all(".cnn-lit").forEach(e => e.remove()));
  view.addEventListener("scroll", () => all(".cnn-lit").forEach(e => e.remove()));
  // The view gets the height of its tallest frame when it comes near, and again when its width changes.
  let near = false, wide = 0;
  const level = () => {
    if (!near || !view.clientWidth || view.clientWidth === wide) return;
    wide = view.clientWidth;
    const boxes = tall.map(k => {
      const box = view.appendChild(document.createElement("div"));
      box.style.cssText = "position:absolute;visibility:hidden;width:100%";
      box.innerHTML = frames[k].tagName === "SCRIPT" ? frames[k].textContent : frames[k].innerHTML;
      return box;
    });
    const height = Math.max(...boxes.map(box => box.getBoundingClientRect().height));
    boxes.forEach(box => box.remove());
    view.style.minHeight = Math.ceil(height) + "px";
  };
  if (tall.length) {
    new IntersectionObserver(([{ isIntersecting }]) => { near = isIntersecting; level(); }, { rootMargin: "900px" })
      .observe(root);
    new ResizeObserver(level).observe(view);
  }
  axes.forEach(a => a.tell());
  root.classList.add("cnn-on");
  one(".cnn-controls").style.display = "";
});
