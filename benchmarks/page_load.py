"""How heavy the built pages are, and how soon each can be used when it is opened as a file.

    jupyter-book build . && python benchmarks/page_load.py                     # prints
    python benchmarks/page_load.py --json benchmarks/results/page_load.json        # and stores

Milliseconds from the request to: the first text on the screen; the page being there with its frames ready to be moved;
every formula being drawn. Medians of several openings, each in a fresh profile of a Chromium of this system, the pages
taking turns, no network. Besides that the sizes of the page and of the site, without JupyterLite.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools" / "gate")]
TIMES = """async () => {
  if (window.MathJax) await MathJax.startup.promise;
  const drawn = performance.now();
  const painted = await new Promise(done => new PerformanceObserver(list => {
    const [paint] = list.getEntriesByName("first-contentful-paint");
    if (paint) done(paint.startTime);
  }).observe({ type: "paint", buffered: true }));
  const [page] = performance.getEntriesByType("navigation");
  return [painted, page.domInteractive, drawn];
}"""
NAMES = ["first text", "frames ready", "formulas drawn"]


def measured(site, rounds):
    """{page: {name of a time: milliseconds}} of the pages under `site`."""
    import browsing
    from playwright.sync_api import sync_playwright

    pages = sorted(path for path in (site / "book").glob("*.html"))
    taken = {page: [] for page in pages}
    with sync_playwright() as playwright, browsing.launched(playwright) as browser:
        for _ in range(rounds):
            for page in pages:
                with browsing.Tab(browser, site.as_uri()) as tab:
                    tab.page.goto(page.as_uri())
                    taken[page].append(tab.page.evaluate(TIMES))
    return {
        page.stem: dict(zip(NAMES, map(statistics.median, zip(*times, strict=True)), strict=True))
        for page, times in taken.items()
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html", help="the built book")
    parser.add_argument("--rounds", type=int, default=5, help="how often each page is opened")
    parser.add_argument("--json", type=Path, help="where to store the figures")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not (options.site / "index.html").is_file():
        parser.error(f"wants a built book and 1 round or more, got {options.site} and {options.rounds}")
    files = [path for path in options.site.rglob("*") if path.is_file()]
    own = [path for path in files if path.relative_to(options.site).parts[0] != "lite"]
    result = {
        "site": sum(path.stat().st_size for path in own),
        "pages": measured(options.site, options.rounds),
    }
    print(f"the book without JupyterLite: {result['site'] / 1e6:.1f} MB")
    print("".join(f"{name:>18}" for name in ["page", "MB", *NAMES]))
    for page, times in result["pages"].items():
        times["bytes"] = (options.site / "book" / f"{page}.html").stat().st_size
        print(
            f"{page:>18}{times['bytes'] / 1e6:18.2f}" + "".join(f"{times[name]:15.0f} ms" for name in NAMES)
        )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
