// The search: in the dialog that Ctrl+K opens, and on search.html. The index, which tools/site/search.py writes, and lunr,
// which reads it, are loaded when a reader first types, as scripts, because a page that is a file may fetch nothing.
const bookSearch = (() => {
  const GREEK = "αβγδεζηθκλμνξπρστφχψωΔΣ", NAMES = ("alpha beta gamma delta epsilon zeta eta " +
    "theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega delta sigma").split(" ");
  const WORD = /(?<![a-z0-9][’'])(?:[0-9]+\.[0-9]+|[a-z0-9]+)|[αβγδεζηθκλμνξπρστφχψωΔΣ]/gi, MOST = 20;
  let lunr, index, sections, phrases, entries;
  let room = 180;  // characters of an excerpt: about two lines

  // Of each term the sections that have it, field by field, as lunr wants them.
  const postings = ({ fields, terms, vectors }) => {
    const posts = terms.map((term, _index) => [term, { _index, ...Object.fromEntries(fields.map(field => [field, {}])) }]);
    for (const [name, vector] of vectors) {
      const [field, place] = name.split("/");
      for (let i = 0; i < vector.length; i += 2) posts[vector[i]][1][field][place] = {};
    }
    return posts;
  };

  // A script of the build has brought the index.
  const ready = (data, reader = window.lunr) => {
    lunr = reader;
    index = lunr.Index.load({
      version: lunr.version, fields: data.fields, pipeline: [], fieldVectors: data.vectors,
      invertedIndex: postings(data).sort(([a], [b]) => a < b ? -1 : 1),
    });
    sections = data.sections;
    phrases = new Map();  // first stem of a phrase: [[name of its group, stems], ...]
    data.groups.forEach((group, number) => group.forEach(phrase =>
      phrases.set(phrase[0], [...phrases.get(phrase[0]) ?? [], [`same${number}`, phrase]])));
    entries = new Map();  // the stems of a term of the glossary, and of each synonym: the place of its entry
    for (const kept of [list => list, telling]) sections.forEach(([, , , names = []], place) => names.forEach(name => {
      const key = stems(kept(words(name)));
      if (!entries.has(key)) entries.set(key, place);
    }));
  };

  const known = new Map();
  const stem = word => {
    if (!known.has(word)) known.set(word, lunr.stemmer(new lunr.Token(word)).toString());
    return known.get(word);
  };

  // The words of a text: where each begins and ends, and its stem.
  const taken = new Map();
  const words = text => {
    if (!taken.has(text)) taken.set(text, [...text.matchAll(WORD)].map(({ 0: letters, index: start }) => {
      const word = NAMES[GREEK.indexOf(letters)] ?? letters.toLowerCase();
      return { start, end: start + letters.length, word, stem: stem(word) };
    }));
    return taken.get(text);
  };

  const stems = list => list.map(({ stem }) => stem).join(" ");
  const telling = list => {
    const kept = list.filter(({ word }) => lunr.stopWordFilter(new lunr.Token(word)));
    return kept.length ? kept : list;
  };

  // The phrases among words that are in a group: [its name, first word, last word].
  const groupsIn = list => list.flatMap(({ stem }, at) => (phrases.get(stem) ?? [])
    .filter(([, phrase]) => phrase.every((part, i) => list[at + i]?.stem === part))
    .map(([name, phrase]) => [name, at, at + phrase.length - 1]));

  // What a reader looks for: for each word the stems of the index that stand for it, each with its weight.
  const wanted = text => {
    let list = words(text);
    const groups = groupsIn(list);
    const wants = list.map((word, at) => {
      const stands = new Map(), alone = groups.every(([, first, last]) => at < first || last < at || first === last);
      const add = (term, weight) => stands.set(term, Math.max(weight, stands.get(term) ?? 0));
      for (const [name, first, last] of groups) if (first <= at && at <= last) add(name, first === last ? 1 : 2);
      if (index.invertedIndex[word.stem]) add(word.stem, alone ? 1 : 0.5);
      return { ...word, stands, add };
    });
    const kept = telling(wants);
    kept.forEach(({ word, stem, stands, add }, at) => {
      const like = pattern => index.tokenSet.intersect(pattern).toArray().filter(term => !/^same\d/.test(term));
      if (at === kept.length - 1 && word.length > 1) like(lunr.TokenSet.fromString(`${word}*`)).forEach(term => add(term, term === stem ? 1 : 0.4));
      if (!stands.size && word.length > 3) like(lunr.TokenSet.fromFuzzyString(stem, 1)).forEach(term => add(term, 0.6));
    });
    return kept;
  };

  // The piece of a paragraph of some two lines that has most of what is wanted, in parts: [text, whether it is marked].
  const marksIn = (paragraph, wants) => {
    const list = words(paragraph), marks = new Map();
    const mark = (first, last, term) => wants.forEach((want, which) => {
      if (want.stands.has(term)) for (let at = first; at <= last; at++) marks.set(at, (marks.get(at) ?? new Set()).add(which));
    });
    list.forEach(({ stem }, at) => mark(at, at, stem));
    groupsIn(list).forEach(([name, first, last]) => mark(first, last, name));
    return { list, marks: [...marks].sort(([a], [b]) => a - b) };
  };
  const best = (paragraphs, wants, already = []) => {
    let found = { score: -1 };
    paragraphs.forEach(paragraph => {
      const { list, marks } = marksIn(paragraph, wants);
      marks.forEach(([at], i) => {
        const near = marks.slice(i).filter(([other]) => list[other].end - list[at].start < room);
        const score = new Set([...already, ...near.flatMap(([, which]) => [...which])]).size + near.length / 100;
        if (score > found.score) found = { score, paragraph, list, marks, at };
      });
    });
    return found;
  };
  const excerpt = (paragraphs, wants) => {
    const { paragraph = paragraphs[0] ?? "", list, marks = [], at } = best(paragraphs, wants);
    let from = at === undefined ? 0 : Math.max(0, list[at].start - room / 4);
    if (from) from = paragraph.indexOf(" ", from) + 1;
    let to = Math.min(paragraph.length, from + room);
    if (to < paragraph.length) to = Math.max(paragraph.lastIndexOf(" ", to), from + 1);
    const parts = [[from ? "… " : "", false]];
    let done = from;
    for (const [word] of marks) {
      const { start, end } = list[word];
      if (start < done || end > to) continue;
      parts.push([paragraph.slice(done, start), false], [paragraph.slice(start, end), true]);
      done = end;
    }
    parts.push([paragraph.slice(done, to) + (to < paragraph.length ? " …" : ""), false]);
    return parts.filter(([text]) => text);
  };

  // The sections that have what is looked for, the best first; of equals, the first in the book. A term of the glossary is never
  // first, because a section explains it, and second if nothing else is looked for.
  const find = text => {
    const wants = wanted(text), terms = new Map();
    for (const { stands } of wants) for (const [term, weight] of stands) terms.set(term, Math.max(weight, terms.get(term) ?? 0));
    if (!terms.size) return [];
    const results = index.query(query => terms.forEach((boost, term) => query.term(term, { boost, usePipeline: false })));
    const scored = results.map(({ ref, score, matchData: { metadata } }) => {
      const has = wants.filter(({ stands }) => [...stands.keys()].some(term => term in metadata)).length / wants.length;
      return { place: +ref, score: score * has ** 2 };
    }).sort((a, b) => b.score - a.score || a.place - b.place);
    // Words in the heading count more, and so do words that stand side by side. Only the first are looked at, which is quick.
    for (const result of scored.slice(0, 30)) {
      const [, where, paragraphs] = sections[result.place];
      const which = text => marksIn(text, wants).marks.flatMap(([, which]) => [...which]);
      const near = Math.floor(best(["", ...paragraphs], wants, which(where.join(" "))).score);
      result.score *= 1 + (Math.max(0, near) + new Set(which(where.at(-1))).size) / wants.length;
    }
    const named = entries.get(stems(words(text))) ?? entries.get(stems(wants)), entry = ({ place }) => sections[place][3];
    const ranked = scored.slice(0, 30).filter(({ place }) => place !== named).sort((a, b) => b.score - a.score || a.place - b.place);
    ranked.unshift(...ranked.splice(Math.max(0, ranked.findIndex(result => !entry(result))), 1));
    if (named !== undefined) ranked.splice(1, 0, scored.find(({ place }) => place === named));
    return ranked.slice(0, MOST).map(({ place, score }) => {
      const [url, where, paragraphs] = sections[place];
      const marked = new Set([where.at(-1), ...paragraphs].flatMap(text => {
        const { list, marks } = marksIn(text, wants);
        return marks.map(([at]) => text.slice(list[at].start, list[at].end).toLowerCase());
      }).filter(word => word.length > 2 && lunr.stopWordFilter(new lunr.Token(word))));
      const [page, id] = url.split("#");
      const link = `${page}?${new URLSearchParams({ marked: [...marked].slice(0, 12).join(" ") })}${id ? `#${id}` : ""}`;
      return { url, link, where, score, excerpt: excerpt(paragraphs, wants) };
    });
  };

  const chapters = () => sections.filter(([, where]) => where.length === 1).map(([url, where]) => ({ link: url, where }));

  return { ready, find, chapters, all: () => sections, fit: characters => { room = characters; } };
})();

// What a reader sees of it.
addEventListener("DOMContentLoaded", () => {
  const site = new URL(document.documentElement.dataset.content_root, location.href);
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const load = name => new Promise((done, failed) => document.head.append(
    make("script", { src: new URL(`_static/${name}`, site), onload: done, onerror: failed })));
  let loading;

  const listed = ({ link, where, excerpt }) => {
    const names = where.map((name, i) => make(i === where.length - 1 ? "b" : "span", { textContent: name }));
    const item = make("li", {}, make("a", { href: new URL(link, site) }, ...names.flatMap((name, i) => i ? [" › ", name] : [name])));
    if (excerpt) item.append(make("p", {}, ...excerpt.map(([text, marked]) => marked ? make("mark", { textContent: text }) : text)));
    return item;
  };

  document.querySelectorAll("form.bd-search").forEach(form => {
    const input = form.querySelector("input"), said = make("p", { role: "status" }), list = make("ol");
    const found = make("div", { className: "search-found" }, said, list);
    (form.closest("dialog") ?? document.getElementById("search-results")).append(found);
    let timer;
    const look = async () => {
      const text = input.value.trim();
      if (text) {
        try {
          await (loading ??= load("lunr.min.js").then(() => load("search_index.js")));
        } catch {
          said.textContent = "The search cannot be loaded.";
          return;
        }
        if (text !== input.value.trim()) return;
      }
      bookSearch.fit(innerWidth < 600 ? 90 : 170);
      const results = text ? bookSearch.find(text) : [];
      said.textContent = !text ? "" : results.length > 1 ? `${results.length} sections, the best first` :
        results.length ? "1 section" : `Nothing found for “${text}”. These are the chapters:`;
      list.replaceChildren(...(text && !results.length ? bookSearch.chapters() : results).map(listed));
      list.scrollTop = 0;
      if (!form.closest("dialog")) history.replaceState(history.state, "", `?${new URLSearchParams({ q: text })}`);
    };
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(look, 60);  // not for each letter of a word
    });
    // The arrow keys go from the field to the results, and from one to the next.
    found.parentElement.addEventListener("keydown", event => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], stops = [input, ...list.querySelectorAll("a")];
      const at = stops.indexOf(document.activeElement) + step;
      if (!step || !stops[at] || at === step - 1) return;
      event.preventDefault();
      stops[at].focus();
    });
    if (!form.closest("dialog")) {
      input.value = new URLSearchParams(location.search).get("q") ?? "";
      input.focus();
      look();
    }
  });

  // Who comes from a result sees its words marked in the section, until Escape.
  const here = new URL(location.href), marked = here.searchParams.get("marked");
  if (marked) {
    here.searchParams.delete("marked");
    history.replaceState(history.state, "", here);
    const section = document.getElementById(decodeURIComponent(here.hash.slice(1))) ?? document.querySelector("article section");
    const names = marked.split(" ").map(word => word.replace(/[^\p{L}\p{N}]/gu, "")).filter(Boolean);
    const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${names.join("|") || "(?!)"})(?![\\p{L}\\p{N}])`, "giu");
    const texts = document.createTreeWalker(section, NodeFilter.SHOW_TEXT), ranges = [];
    while (texts.nextNode()) for (const { 0: word, index } of texts.currentNode.data.matchAll(pattern)) {
      const range = new Range();
      range.setStart(texts.currentNode, index);
      range.setEnd(texts.currentNode, index + word.length);
      ranges.push(range);
    }
    if (window.CSS?.highlights) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync("::highlight(search) { background: var(--search-mark); color: var(--search-marked); }");
      document.adoptedStyleSheets.push(sheet);
      CSS.highlights.set("search", new Highlight(...ranges));
    }
    addEventListener("keydown", event => event.key === "Escape" && CSS.highlights?.delete("search"));
  }
});
