// The cards that two choices and all the words ask for. Without this script all of them are there, and the controls are not.
document.querySelectorAll(".cnn-filter").forEach(form => {
  if (form.ready) return;
  form.ready = true;
  form.hidden = false;
  const [of, g, words, clear] = form.elements, status = form.querySelector("[role=status]");
  const known = new Map();  // the words of each card
  const text = card => {
    if (!known.has(card)) known.set(card, card.textContent.toLowerCase().replace(/\s+/g, " "));
    return known.get(card);
  };
  const has = (list, one) => !one || list.split(" ").includes(one);
  const choose = () => {
    const cards = [...document.querySelectorAll(".cnn-card")], asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const card of cards)
      card.hidden = !(has(card.dataset.of, of.value) && has(card.dataset.g, g.value) && asked.every(word => text(card).includes(word)));
    // In the book a heading goes with the last of its cards.
    for (const section of document.querySelectorAll("section"))
      if (!section.contains(form) && section.querySelector(".cnn-card")) section.hidden = !section.querySelector(".cnn-card:not([hidden])");
    const count = cards.filter(card => !card.hidden).length;
    status.textContent = count ? `${count} of ${cards.length} ${form.dataset.what}` : cards.length ? "None: take a word or a choice away." : "";
  };
  // A link to a card opens it, and shows it where it was filtered out.
  const follow = () => {
    const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!card?.matches(".cnn-card")) return;
    if (card.hidden) clear.click();
    card.open = true;
    card.scrollIntoView();
  };
  form.addEventListener("input", choose);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(choose));
  addEventListener("hashchange", follow);
  const start = () => { choose(); follow(); };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
});
