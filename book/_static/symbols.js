// The cards of symbols and terms, which tools/site/symbols.py has written: under the pointer, at the focus, after a tap.
{
  const GAP = 8;
  let card, mark, timer;

  const close = () => {
    clearTimeout(timer);
    card?.hidePopover();
    mark?.classList.remove("lit");
    card = mark = undefined;
  };
  const later = (what, time) => {
    clearTimeout(timer);
    timer = setTimeout(what, time);
  };
  // Above what it explains, where a finger does not hide it; below, where above is no room.
  const place = () => {
    if (!card) return;
    const [box] = mark.getClientRects(), { offsetWidth: width, offsetHeight: height } = card;
    if (!box) return close();
    const top = box.top - GAP - height, under = document.querySelector(".bd-header-article")?.offsetHeight ?? 0;
    card.style.left = `${Math.max(GAP, Math.min(box.left + box.width / 2 - width / 2, document.documentElement.clientWidth - width - GAP))}px`;
    card.style.top = `${top > under ? top : box.bottom + GAP}px`;
  };
  const open = found => {
    clearTimeout(timer);
    if (found === mark) return;
    close();
    const next = document.getElementById(`card-${found.dataset.s}`);
    if (!next?.showPopover) return;  // an old browser; the links lead there all the same
    [card, mark] = [next, found];
    card.showPopover();
    mark.classList.add("lit");
    place();
  };
  // The term or symbol under a point; strokes are thin, so near is enough.
  const under = ({ target, clientX: x, clientY: y }, near) => {
    if (!(target instanceof Element)) return;
    const term = target.closest("a.term"), formula = target.closest("mjx-container");
    const far = part => {
      const { left, right, top, bottom } = part.getBoundingClientRect();
      return Math.max(left - x, x - right, top - y, y - bottom);
    };
    return term ?? [...formula?.querySelectorAll("[data-s]") ?? []].filter(part => far(part) <= near)
      .sort((a, b) => far(a) - far(b))[0];
  };
  // What a link in the text stands for: the term itself, or a part of the formula before it, on which it then lies.
  const meant = link => {
    if (link.matches("a.term")) return link;
    let formula = link.previousElementSibling;
    while (formula && !formula.matches("mjx-container")) formula = formula.previousElementSibling;
    const part = formula?.querySelector(`[data-s="${link.dataset.s}"]`), box = part?.getBoundingClientRect();
    if (!box) return;
    const from = link.offsetParent.getBoundingClientRect();
    Object.assign(link.style, { left: `${box.left - from.left}px`, top: `${box.top - from.top}px`,
                                width: `${box.width}px`, height: `${box.height}px` });
    return part;
  };

  document.addEventListener("pointermove", event => {
    if (event.pointerType === "touch") return;
    const found = under(event, 3);
    if (found) found === mark ? clearTimeout(timer) : later(() => open(found), 120);
    else if (event.target === card || card?.contains(event.target)) clearTimeout(timer);
    else if (document.activeElement?.matches("a.term:focus-visible, a.symbol:focus-visible")) clearTimeout(timer);
    else later(close, 300);
  });
  document.addEventListener("click", event => {
    if (card?.contains(event.target)) return;
    const found = under(event, 8);
    if (!found) return close();
    if (event.pointerType === "touch" && found !== mark) event.preventDefault();  // a link's card comes first
    open(found);
  });
  document.addEventListener("focusin", ({ target }) => {
    if (!target.matches("a.term:focus-visible, a.symbol:focus-visible")) return;
    const found = meant(target);
    if (found) open(found);
  });
  document.addEventListener("focusout", ({ target, relatedTarget }) => {
    if (target.matches("a.term, a.symbol") && !card?.contains(relatedTarget)) close();
  });
  document.addEventListener("keydown", event => event.key === "Escape" && close());
  addEventListener("scroll", place, { capture: true, passive: true });
  addEventListener("resize", close);
}
