"""What others read of the book: what a search engine and a link in a chat show of a page, and the digest of what it holds.

The environment variable CNNLIB_URL is the address at which the book is published, if it is: only with it can a link carry
a picture, whose address must be whole.
"""

import os
import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.errors import ConfigError

import run_in_browser

CARD, SIZE = "card.png", (1200, 630)
MOST = 200  # letters of a description
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
FORMULA = "\0"
WHOLE = re.compile(r"[^\0]+[.!?]")


def read(app, config):
    """Take the address of the book, and its digest, a change of which writes all pages anew."""
    url = os.environ.get("CNNLIB_URL", "")
    if url and not re.fullmatch(r"https?://\S+", url):
        raise ConfigError(f"CNNLIB_URL wants the address of the published book, got {url!r}")
    config.html_baseurl = url and url.rstrip("/") + "/"
    config.book_edition = edition(app.srcdir)


def edition(root):
    """The digest of the book in a folder."""
    root = Path(root)
    paths = [
        path
        for pattern in ("book/*.ipynb", "book/*.md", *run_in_browser.SOURCES)
        for path in root.glob(pattern)
    ]
    files = {path.relative_to(root).as_posix(): path for path in paths if path.is_file()}
    return run_in_browser.edition({name: path.read_bytes() for name, path in files.items()})


def description(doctree):
    """The first sentences of a page that hold no formula, as many as fit, or the beginning of one; "" where none is."""
    for paragraph in doctree.findall(nodes.paragraph):
        parts = (words(part) for part in paragraph.children)
        sentences = [
            text for text in SENTENCE.split(" ".join("".join(parts).split())) if WHOLE.fullmatch(text)
        ]
        if not sentences:
            continue
        text = sentences[0]
        for sentence in sentences[1:]:
            if len(text) + len(sentence) >= MOST:
                break
            text = f"{text} {sentence}"
        return text if len(text) <= MOST else text[: MOST - 2].rpartition(" ")[0] + " …"
    return ""


def words(node):
    """The text of a part of a paragraph: of formulas a letter alone."""
    text = node.astext()
    return FORMULA if isinstance(node, nodes.math) and not text.isalpha() else text


def add_to_head(app, pagename, templatename, context, doctree):
    """Describe a page in its head."""
    if doctree is None:
        return
    text, url = description(doctree), app.config.html_baseurl
    said = {"og:type": "article", "og:site_name": app.config.html_title, "og:title": plain(context["title"])}
    said["og:description"] = text
    if url:
        said |= {"og:url": f"{url}{pagename}.html", "og:image": f"{url}_static/{CARD}", "og:image:alt": ALT}
        said |= {"og:image:width": SIZE[0], "og:image:height": SIZE[1], "twitter:card": "summary_large_image"}
    tags = [f'<meta name="description" content="{escape(text)}"/>']
    tags += [f'<meta property="{name}" content="{escape(str(value))}"/>' for name, value in said.items()]
    context["metatags"] = "\n".join([context.get("metatags", ""), *tags])


def plain(html):
    """The text of a title."""
    return " ".join(re.sub(r"<[^>]*>", "", html).split())


ALT = (
    "Above, a handwritten digit, what a convolution makes of it, and the largest of each four; below, the deltas of the "
    "three on their way back"
)


def draw_card(path):
    """The picture that a link to the book shows: an image on its way through three layers, and its deltas on theirs
    back, computed by cnnlib."""
    import matplotlib.pyplot as plt
    import numpy as np

    from cnnlib import Conv2d, Dense, Flatten, MaxPool2d, ReLU, Sequential, SoftmaxCrossEntropy, datasets
    from cnnlib.show import svg
    from cnnlib.show.figures import SIGNED

    rng = np.random.default_rng(0)
    conv, pool = Conv2d(1, 1, 5, rng=rng), MaxPool2d(2)
    parts = [Sequential(conv, ReLU()), pool, Sequential(Flatten(), Dense(144, 10, rng=rng))]
    images, labels, _, _ = datasets.digits()
    forward, loss = [images[..., :1]], SoftmaxCrossEntropy()
    for part in parts:
        forward.append(part.forward(forward[-1]))
    loss.forward(forward.pop(), labels[:1])
    back = [loss.backward()]
    for part in reversed(parts):
        back.insert(0, part.backward(back[0]))
    rows = [forward, back[:-1]]
    fig, axes = plt.subplots(2, 3, figsize=(12, 6.3), dpi=100, layout="none", facecolor="white")
    fig.subplots_adjust(0.39, 0.05, 0.97, 0.95, wspace=0.32, hspace=0.12)
    for line, arrays, colour, style in zip(axes, rows, (svg.FORWARD, svg.BACKWARD), ("-", "--")):
        for panel, array in zip(line, arrays):
            picture = array[0, :, :, 0]
            most = np.abs(picture).max()
            panel.pcolormesh(picture[::-1], cmap=SIGNED, vmin=-most, vmax=most)
            panel.set(aspect="equal", xticks=[], yticks=[])
            for spine in panel.spines.values():
                spine.set(visible=True, color=colour, linestyle=style)
        for left, right in zip(line, line[1:]):
            ends = [(1.04, 0.5), (-0.04, 0.5)]
            ends = ends if style == "-" else ends[::-1]
            panels = (left, right) if style == "-" else (right, left)
            arrow = dict(arrowstyle="-|>", color=colour, linestyle=style, linewidth=3, mutation_scale=22)
            panels[1].annotate(
                "",
                ends[1],
                ends[0],
                panels[1].transAxes,
                panels[0].transAxes,
                arrowprops=arrow,
                annotation_clip=False,
            )
    for place, text, size, weight in (
        (0.66, "Backpropagation,\nExecuted", 28, "bold"),
        (0.30, "Convolutional networks,\nforward and backward,\nevery number computed", 19, "normal"),
    ):
        fig.text(0.04, place, text, size=size, weight=weight, va="center", linespacing=1.35, color="black")
    fig.savefig(path, metadata={"Software": None})
    plt.close(fig)


def add_card(app, exception):
    """Draw the picture where there is an address for it."""
    if not exception and app.config.html_baseurl:
        draw_card(Path(app.outdir, "_static", CARD))


def setup(app):
    """Register the hooks. Another digest or address writes all pages anew."""
    app.add_config_value("book_edition", "", "html", str)
    app.connect("config-inited", read)
    app.connect("html-page-context", add_to_head)
    app.connect("build-finished", add_card)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
