// The slides of a chapter: its page with ?slides at the end of its address, or ?slides=PLACE for the slide of a place. No text is written for them. One rule says what becomes
// a slide: the title with its first paragraph; then, section by section, what is drawn, what moves, each table and each box,
// on a slide of its own under the section's heading, and the displayed formulas in between together. Left out are sentences,
// programs, what cells print, exercises, and the last two sections. reveal.js turns the pages.
{
  const WANTED = ".admonition, div.math, .output.text_html, .pst-scrollable-table-container";
  const DRAWN = "svg, img, table, .cnn-explorer";  // what is left is the source of a function
  const LAST = ["what-comes-next", "what-the-lectures-say", "exercises"];
  const asked = new URLSearchParams(location.search).get("slides");
  const here = document.currentScript.src;
  const make = (name, classes, ...inside) => {
    const element = Object.assign(document.createElement(name), { className: classes });
    element.append(...inside);
    return element;
  };

  // The parts of a section that become slides, less those of the sections in it.
  const parts = section => [...section.querySelectorAll(WANTED)].filter(part =>
    part.closest("section") === section && !part.parentElement.closest(WANTED) &&
    !part.closest("details, .toggle, .cell_input") && !part.matches("details") && !part.querySelector(".cnn-exercise") &&
    (!part.matches(".output") || part.querySelector(DRAWN)));

  // Lists of parts, each for one slide: displayed formulas that follow each other share one.
  const grouped = found => found.reduce((slides, part) => {
    const last = slides.at(-1);
    if (part.matches("div.math") && last?.[0].matches("div.math")) last.push(part);
    else slides.push([part]);
    return slides;
  }, []);

  const heading = (section, name) => {
    const text = make("div", "");
    const title = section.querySelector(":scope > h1, :scope > h2, :scope > h3").cloneNode(true);
    title.querySelectorAll(".headerlink").forEach(link => link.remove());
    text.append(...title.childNodes);
    return make(name, "", ...text.childNodes);
  };

  const slides = article => {
    const whole = article.querySelector("section"), made = [];
    const first = whole.querySelector(":scope > p");
    made.push(make("section", "slides-title", heading(whole, "h1"), make("div", "slides-fit", first)));
    for (const section of [whole, ...whole.querySelectorAll("section")]) {
      if (LAST.includes(section.id)) continue;
      for (const group of grouped(parts(section))) {
        const inside = group.map(part => part.matches(".output") ? make("div", "cell_output", part) : part);
        const slide = make("section", "", heading(section, "h2"), make("div", "slides-fit", ...inside));
        slide.dataset.of = section.id;
        made.push(slide);
      }
    }
    return made;
  };

  // As large as the screen allows. An explorer draws by places on the screen, so it keeps its size.
  const ZOOMS = [2, 1.8, 1.6, 1.4, 1.25, 1.1, 1, 0.9, 0.8, 0.7, 0.6, 0.5], TABLE = 1.4, SMALL = 60, FOOT = 8;
  const fit = slide => {
    const box = slide?.querySelector(".slides-fit");
    if (!box) return;
    const fits = zoom => {
      box.style.zoom = zoom;
      const wide = [...box.querySelectorAll("*")].some(part =>
        part instanceof HTMLElement && part.clientWidth > SMALL && part.scrollWidth > part.clientWidth + 1);
      return !wide && box.getBoundingClientRect().bottom <= innerHeight - FOOT;
    };
    const most = box.querySelector(".cnn-explorer") ? 1 : box.querySelector("table") ? TABLE : ZOOMS[0];
    const zooms = ZOOMS.filter(zoom => zoom <= most && (most !== 1 || zoom === 1));
    const largest = () => zooms.find(fits) ?? zooms.at(-1);
    box.classList.remove("slides-two");
    const one = largest();
    if (one < 1 && box.querySelector(".admonition")) {  // a long box reads better in two columns
      box.classList.add("slides-two");
      if (largest() <= one) box.classList.remove("slides-two");
    }
    box.style.zoom = largest();
  };

  const start = () => {
    const article = document.querySelector("article.bd-article");
    const back = Object.assign(make("a", "slides-back", "to the page"), { href: location.pathname });
    const reveal = make("div", "reveal", make("div", "slides", ...slides(article)), back);
    document.body.append(reveal);
    document.documentElement.classList.add("slides-on");
    const deck = new Reveal(reveal, {
      disableLayout: true, center: false, hash: true, transition: "none", slideNumber: "c/t", overview: false, help: false,
      keyboardCondition: () => !document.activeElement?.closest(".cnn-frames, .cnn-explorer, input"),
    });
    // The slide that holds the place, or the first of its section.
    const begin = () => {
      const all = deck.getHorizontalSlides(), place = document.getElementById(asked);
      const at = all.findIndex(slide => place && (slide.contains(place) || slide.dataset.of === asked));
      if (at > 0 && !location.hash) deck.slide(at);
    };
    const now = () => fit(deck.getCurrentSlide());
    deck.on("slidechanged", now);
    deck.initialize().then(() => { begin(); now(); reveal.dataset.ready = deck.getTotalSlides(); });
    addEventListener("resize", now);
  };

  if (asked !== null) {
    document.head.append(Object.assign(make("link", ""), { rel: "stylesheet", href: new URL("reveal.css", here).href }),
      Object.assign(make("link", ""), { rel: "stylesheet", href: new URL("slides.css", here).href }));
    addEventListener("load", () =>
      document.head.append(Object.assign(make("script", ""), { src: new URL("reveal.js", here).href, onload: start })));
  }
}
