// The search: in the dialog that Ctrl+K opens, and on search.html. The index, which tools/site/search.py writes, and lunr,
// which reads it, are loaded when a reader first types, as scripts, because a page that is a file may fetch nothing.
const bookSearch = (() => {
  const here = document.currentScript?.src, GREEK = "αβγδεζηθκλμνξπρστφχψωΔΣ", NAMES = ("alpha beta gamma delta epsilon zeta eta " +
    "theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega delta sigma").split(" ");
  const WORD = /(?<![a-z0-9][’'])(?:[0-9]+\.[0-9]+|[a-z0-9]+)|[αβγδεζηθκλμνξπρστφχψωΔΣ]/gi, MOST = 20, LINES = 180;
  let lunr, index, sections, phrases, loading;

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
  };

  const known = new Map();
  const stem = word => {
    if (!known.has(word)) known.set(word, lunr.stemmer(new lunr.Token(word)).toString());
    return known.get(word);
  };

  // The words of a text: where each begins and ends, and its stem.
  const words = text => [...text.matchAll(WORD)].map(({ 0: word, index: start }) => ({
    start, end: start + word.length, word: NAMES[GREEK.indexOf(word)] ?? word.toLowerCase(),
  })).map(word => ({ ...word, stem: stem(word.word) }));

  // The phrases among words that are in a group: [its name, first word, last word].
  const groupsIn = list => list.flatMap(({ stem }, at) => (phrases.get(stem) ?? [])
    .filter(([, phrase]) => phrase.every((part, i) => list[at + i]?.stem === part))
    .map(([name, phrase]) => [name, at, at + phrase.length - 1]));

  // What a reader looks for: for each word the stems of the index that stand for it, each with its weight.
  const wanted = text => {
    let list = words(text);
    const groups = groupsIn(list);
    const wants = list.map((word, at) => {
      const stands = new Map();
      const add = (term, weight) => stands.set(term, Math.max(weight, stands.get(term) ?? 0));
      for (const [name, first, last] of groups) if (first <= at && at <= last) add(name, first === last ? 1 : 2);
      if (index.invertedIndex[word.stem]) add(word.stem, 1);
      return { ...word, stands, add };
    });
    const telling = wants.filter(({ word }) => lunr.stopWordFilter(new lunr.Token(word)));
    const kept = telling.length ? telling : wants;
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
        const near = marks.slice(i).filter(([other]) => list[other].end - list[at].start < LINES);
        const score = new Set([...already, ...near.flatMap(([, which]) => [...which])]).size + near.length / 100;
        if (score > found.score) found = { score, paragraph, list, marks, at };
      });
    });
    return found;
  };
  const excerpt = (paragraphs, wants) => {
    const { paragraph = paragraphs[0] ?? "", list, marks = [], at } = best(paragraphs, wants);
    let from = at === undefined ? 0 : Math.max(0, list[at].start - 60);
    if (from) from = paragraph.indexOf(" ", from) + 1;
    let to = Math.min(paragraph.length, from + LINES);
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

  // The sections that have what is looked for, the best first; of equals, the first in the book.
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
    return scored.slice(0, 30).sort((a, b) => b.score - a.score || a.place - b.place).slice(0, MOST).map(({ place, score }) => {
      const [url, where, paragraphs] = sections[place];
      return { url, where, score, excerpt: excerpt(paragraphs, wants) };
    });
  };

  return { ready, find, wanted };
})();
