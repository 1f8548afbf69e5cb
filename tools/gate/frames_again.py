"""Whether the Frames of a notebook still draw what they show once all of its cells have run: in a notebook the sliders
draw again. Frames keep the names that `draw` uses, but not what an array holds."""

from nbformat.v4 import new_code_cell, new_output

SOURCE = """
import gc as _gc

_gc.collect()  # of what no name holds, nothing is left to chance
_made = [o for o in _gc.get_objects() if (type(o).__module__, type(o).__name__) == ("cnnlib.show.frames", "Frames")]
print(len(_made), "Frames")
for _one in _made:
    for _at, _picture in _one.frames.items():
        if _one.draw(*_at) != _picture:
            print(_one.name, "at", _at, "is drawn otherwise after the last cell")
"""


def cell():
    """A cell to run after the last one. Nothing of it is stored."""
    return new_code_cell(SOURCE)


def wanted(notebook):
    """The outputs of that cell: that there are as many Frames as the notebook shows, and nothing else."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    shown = (output.get("data", {}).get("text/html", "") for output in outputs)
    number = sum(html.count('<div class="cnn-frames"') for html in shown)
    return [new_output("stream", text=f"{number} Frames\n")]
