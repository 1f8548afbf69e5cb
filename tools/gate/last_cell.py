"""The cell that the gate adds to a notebook, after its last one, and does not store. It draws every Frames again, as the
sliders of a notebook do: Frames keep the names that `draw` uses, but not what an array holds. Before that it lets
asyncio do what it still has to do, so that nothing is shown unseen."""

from nbformat.v4 import new_code_cell, new_output

SECONDS = 3
WAIT = f"""
import asyncio as _asyncio

for _ in range({20 * SECONDS}):
    await _asyncio.sleep(0.05)
    _left = [str(_call) for _call in _asyncio.get_running_loop()._scheduled if not _call.cancelled()]
    for _task in _asyncio.all_tasks():
        _frame = getattr(_task.get_coro(), "cr_frame", None)
        if _frame and _frame.f_globals.get("__name__") == "__main__":
            _left.append(_task.get_coro().__qualname__)
    if not _left:
        break
else:
    print("asyncio has not done after {SECONDS} seconds:", *_left)
"""
FRAMES = """
import gc as _gc

_gc.collect()  # of what no name holds, nothing is left to chance
_made = [o for o in _gc.get_objects() if (type(o).__module__, type(o).__name__) == ("cnnlib.show.frames", "Frames")]
print(len(_made), "Frames")
for _one in _made:
    for _at, _picture in _one.frames.items():
        if (_one.draw(*_at), _one.said(*_at)) != (_picture, _one.texts[_at]):
            print(_one.name, "at", _at, "is drawn otherwise after the last cell")
"""


def cell(notebook):
    """The cell for this notebook, with the outputs that it must have: there are as many Frames as the notebook shows, and
    there is nothing else to say."""
    sources = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    shown = (output.get("data", {}).get("text/html", "") for output in outputs)
    number = sum(html.count('<div class="cnn-frames"') for html in shown)
    source = WAIT + FRAMES if "async" in sources else FRAMES
    return new_code_cell(source, outputs=[new_output("stream", text=f"{number} Frames\n")])
