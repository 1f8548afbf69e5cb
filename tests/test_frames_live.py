"""Frames stay live: after Run All, when every name of a chapter has its last value, each slider still gives the
stored pictures."""

import json
from pathlib import Path

import pytest
from cnnlib import show

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted(
    path for path in (ROOT / "book").glob("*.ipynb") if "Frames(" in path.read_text(encoding="utf-8")
)


def run_all(path, monkeypatch):
    """Every Frames that a chapter makes, after its last cell."""
    made, start = [], show.Frames.__init__

    def remember(self, *args, **kwargs):
        start(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(show.Frames, "__init__", remember)
    names = {"__name__": "__main__", "display": lambda *_, **__: None}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), path.name, "exec"), names)
    return made


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_frame_is_drawn_again_as_it_was(path, monkeypatch):
    made = run_all(path, monkeypatch)
    assert made
    for frames in made:
        stale = [at for at, picture in frames.frames.items() if frames.draw(*at) != picture]
        assert not stale, f"{frames.name}: {stale}"
