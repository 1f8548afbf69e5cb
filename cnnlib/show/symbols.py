"""The symbols and terms of the book: one source for the chapter that checks them and for the cards of the pages."""

import tomllib
from functools import cache
from importlib.resources import files


@cache
def source() -> dict:
    """{"sizes": {"D0": what it counts}, "symbols": {key: {"tex", "name", "code", "shape", "place", ...}}, "indices": {key:
    {"tex", "name", "code", "size"}}, "terms": {key: {"name", "says", "place", ...}}, "elsewhere": sections in other
    symbols}, as data/symbols.toml says."""
    return tomllib.loads(files("cnnlib.data").joinpath("symbols.toml").read_text(encoding="utf-8"))


def rows() -> list[tuple[str, str, str, str, str]]:
    """Of each symbol, in the order of the notation's table: (formula, code, shape, image, name). A shape is a text such
    as "D1, N", with the names of ``sizes`` and the letters; empty for one number. image: the shape where the network begins
    with a convolution."""
    symbols = source()["symbols"].values()
    return [
        (rf"\({s['tex']}\)", s["code"], s["shape"], s.get("image", s["shape"]), s["name"]) for s in symbols
    ]


def indices() -> list[tuple[str, str, str, str]]:
    """Of each index and each size that a layer is made with: (formula, code, size, meaning). The code's value is the size."""
    return [(rf"\({i['tex']}\)", i["code"], i["size"], i["name"]) for i in source()["indices"].values()]
