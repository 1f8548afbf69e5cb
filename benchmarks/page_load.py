"""How heavy the built pages are, and how soon each can be read when it is opened as a file.

    jupyter-book build . && python benchmarks/page_load.py                     # prints
    python benchmarks/page_load.py --json benchmarks/results/page_load.json        # and stores
    python benchmarks/page_load.py --slowed 4 --pages notation softmax         # a phone with a slow processor

Milliseconds from the request to: the first text on the screen; every formula of the first screen being drawn; the first
picture that moves being ready for it; all of them; every formula of the page being drawn; the longest time for which the page answers
nobody; and what all of this has cost the processor, which other programs hardly change. Medians of several openings and, behind them, minima, each in a fresh profile of a Chromium of this
system, the pages (and the sites, to compare several builds) taking turns, no network. Besides that the sizes of the page
and of the site, without JupyterLite. `--slowed` slows the processor and opens the pages on a phone's screen.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools" / "gate"), str(ROOT / "tools" / "site")]
# From the start of a page on: in each frame, which formulas are not drawn yet; and each task of 50 ms or more.
WATCH = """
  window.seen = { longest: 0 };
  new PerformanceObserver(list => list.getEntries().forEach(task => seen.longest = Math.max(seen.longest, task.duration)))
    .observe({ type: "longtask", buffered: true });
  const raw = box => box.querySelector("mjx-lazy") || box.matches(".math") && !box.querySelector("svg, math") ||
    /\\\\[(\\[]/.test(box.textContent);
  const look = () => {
    const article = document.querySelector("article"), whole = document.readyState !== "loading";
    if (whole || article?.getBoundingClientRect().bottom > 2 * innerHeight) {
      const boxes = [...document.querySelectorAll("article .math, article .tex2jax_process")].filter(raw);
      const now = performance.now();
      if (!boxes.some(box => box.getBoundingClientRect().top < innerHeight)) seen.first ??= now;
      if (document.querySelector(".cnn-on, .cnn-explorer[data-view]")) seen.moves ??= now;
      if (whole && !boxes.length) seen.all ??= now;
    }
    if (!seen.all || document.readyState !== "complete") requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
"""
TIMES = """async () => {
  const painted = await new Promise(done => new PerformanceObserver(list => {
    const [paint] = list.getEntriesByName("first-contentful-paint");
    if (paint) done(paint.startTime);
  }).observe({ type: "paint", buffered: true }));
  const [page] = performance.getEntriesByType("navigation");
  return [painted, seen.first, seen.moves, page.domInteractive, seen.all, seen.longest];
}"""
NAMES = [
    "first text",
    "first formulas",
    "first Frames",
    "all Frames",
    "formulas drawn",
    "longest task",
    "processor",
]
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def measured(pages, rounds, slowed=1):
    """{page: {name of a time: [median, minimum]}} of these files, in milliseconds."""
    import browsing
    from playwright.sync_api import sync_playwright

    taken = {page: [] for page in pages}
    with sync_playwright() as playwright, browsing.launched(playwright) as browser:
        for _ in range(rounds):
            for page in pages:
                with browsing.Tab(browser, page.as_uri(), viewport=PHONE if slowed > 1 else DESK) as tab:
                    tab.page.set_default_timeout(300_000)  # on a machine that does much else
                    tab.page.add_init_script(WATCH)
                    tools = tab.context.new_cdp_session(tab.page)
                    tools.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
                    tools.send("Performance.enable", {"timeDomain": "threadTicks"})
                    tab.page.goto(page.as_uri())
                    tab.page.wait_for_function("seen.first")
                    lazy = tab.page.evaluate("!!document.querySelector('mjx-lazy')")
                    if not lazy:  # such formulas wait until they are scrolled to
                        tab.page.wait_for_function("seen.all")
                    tab.page.wait_for_timeout(300)  # for the report of a task that has just ended
                    metrics = tools.send("Performance.getMetrics")["metrics"]
                    costs = {metric["name"]: metric["value"] for metric in metrics}
                    times = [*tab.page.evaluate(TIMES), 1000 * costs["TaskDuration"]]
                    taken[page].append(times)
    return {
        page: {
            name: None
            if None in times
            else [statistics.median(times), min(times)]  # a page may have no Frames
            for name, times in zip(NAMES, zip(*rows, strict=True), strict=True)
        }
        for page, rows in taken.items()
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--site", type=Path, nargs="+", default=[ROOT / "_build" / "html"], help="the built book, or several"
    )
    parser.add_argument("--pages", nargs="+", help="the pages to open, all by default")
    parser.add_argument("--rounds", type=int, default=5, help="how often each page is opened")
    parser.add_argument("--slowed", type=float, default=1, help="how many times slower the processor is")
    parser.add_argument("--json", type=Path, help="where to store the figures")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not all((site / "index.html").is_file() for site in options.site):
        parser.error(f"wants a built book and 1 round or more, got {options.site} and {options.rounds}")
    sites = [site.resolve() for site in options.site]
    pages = [sorted((site / "book").glob("*.html")) for site in sites]
    wanted = sorted((page for of_site in pages for page in of_site), key=lambda page: page.stem)
    if options.pages:
        wanted = [page for page in wanted if page.stem in options.pages]
    result = {"slowed": options.slowed, "sites": {}}
    times = measured(wanted, options.rounds, options.slowed)
    for site in sites:
        files = [
            path for path in site.rglob("*") if path.is_file() and path.relative_to(site).parts[0] != "lite"
        ]
        weight = sum(path.stat().st_size for path in files)
        own = {page.stem: times[page] for page in wanted if page.is_relative_to(site)}
        sizes = {name: (site / "book" / f"{name}.html").stat().st_size for name in own}
        result["sites"][site.name] = {"site": weight, "pages": own, "bytes": sizes}
        print(
            f"{site.name}, the book without JupyterLite: {weight / 1e6:.1f} MB; milliseconds, median (minimum)"
        )
        print("".join(f"{name:>18}" for name in ["page", "MB", *NAMES]))
        for name, row in own.items():
            cells = ("none" if times is None else "{:.0f} ({:.0f})".format(*times) for times in row.values())
            print(f"{name:>18}{sizes[name] / 1e6:18.2f}" + "".join(f"{cell:>18}" for cell in cells))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
