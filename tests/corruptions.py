"""The ways in which the gate's tests corrupt a stored notebook: tables of names and small functions, which
change what they get in place or return another value. Only those in SOMETIMES may find nothing to change."""

import base64
import copy
import io
import re

import rules
import numpy as np
from nbformat import from_dict, v4
from PIL import Image


def picture(value):
    return np.array(Image.open(io.BytesIO(base64.b64decode(value))).convert("RGBA"))


def encoded(pixels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def repainted(value, size, by):
    """The PNG with a square in its middle changed by `by` of 255."""
    pixels = picture(value)
    row, column = pixels.shape[0] // 2, pixels.shape[1] // 2
    square = pixels[row : row + size, column : column + size, :3]
    square[...] = np.where(square >= by, square - by, square + by)
    pixels[row : row + size, column : column + size, 3] = 255
    return encoded(pixels)


def other(character):
    return "A" if character != "A" else "B"


def set_output(output, **fields):
    output.clear()
    output.update(fields)


def set_tag(cell, tag):
    cell["metadata"] = {"tags": [tag]}


def change_type(outputs, i):
    kind = outputs[i]["output_type"]
    if kind == "stream":
        outputs[i] = copy.deepcopy(SHOWN)
    elif kind == "display_data":
        outputs[i].update(output_type="execute_result", execution_count=1)
    else:
        del outputs[i]["execution_count"]
        outputs[i]["output_type"] = "display_data"


def split_stream(outputs, i):
    second = copy.deepcopy(outputs[i])
    outputs[i]["text"], second["text"] = second["text"][:1], second["text"][1:]
    outputs.insert(i + 1, second)


def shown(**data):
    """A list of one displayed output: shown(text_plain="1")."""
    data = {mime.replace("_", "/", 1): value for mime, value in data.items()}
    return [from_dict({"output_type": "display_data", "metadata": {}, "data": data})]


STDOUT = from_dict({"output_type": "stream", "name": "stdout", "text": "not from this cell\n"})
STDERR = from_dict({"output_type": "stream", "name": "stderr", "text": "Warning: 1\n"})
SHOWN = shown(text_plain="1")[0]
ERROR = from_dict({"output_type": "error", "ename": "ValueError", "evalue": "1", "traceback": ["1"]})
VIEW = {"model_id": "0" * 32, "version_major": 2, "version_minor": 0}
CELL = {
    "all outputs dropped": lambda cell: cell.update(outputs=[]),
    "stripped": lambda cell: cell.update(outputs=[], execution_count=None),
    "not executed": lambda cell: cell.update(execution_count=None),
    "executed out of order": lambda cell: cell.update(execution_count=cell["execution_count"] + 1),
    "text added before": lambda cell: cell["outputs"].insert(0, STDOUT),
    "text added after": lambda cell: cell["outputs"].append(STDOUT),
    "warning added": lambda cell: cell["outputs"].append(STDERR),
    "display added": lambda cell: cell["outputs"].append(SHOWN),
    "error added": lambda cell: cell["outputs"].append(ERROR),
    "skipped by nbval": lambda cell: set_tag(cell, "nbval-skip"),
    "ignored by nbval": lambda cell: set_tag(cell, "nbval-ignore-output"),
    "allowed to raise": lambda cell: set_tag(cell, "raises-exception"),
    "skipped by the tool": lambda cell: set_tag(cell, "skip-execution"),
    "removed from the page": lambda cell: set_tag(cell, "remove-output"),
    "removed by MyST": lambda cell: cell["metadata"].update(mystnb={"remove_code_outputs": True}),
    "ignored by a comment": lambda cell: cell.update(source="# NBVAL_IGNORE_OUTPUT\n" + cell["source"]),
    "other metadata": lambda cell: cell["metadata"].update(execution={"iopub.status.idle": "1"}),
}
OUTPUT = {
    "dropped": lambda outputs, i: outputs.pop(i),
    "doubled": lambda outputs, i: outputs.insert(i, copy.deepcopy(outputs[i])),
    "another type": change_type,
    "turned into an error": lambda outputs, i: set_output(outputs[i], **ERROR),
    "turned into other text": lambda outputs, i: set_output(outputs[i], **STDOUT),
    "metadata changed": lambda outputs, i: outputs[i].update(metadata={"corrupted": True}),
    "metadata added": lambda outputs, i: outputs[i].update(transient={"display_id": "1"}),
}
STREAM = {
    "other stream": lambda outputs, i: outputs[i].update(name="stderr"),
    "emptied": lambda outputs, i: outputs[i].update(text=""),
    "split": split_stream,
}
BUNDLE = {
    "mime type added": lambda outputs, i: outputs[i]["data"].update({"text/x-other": "1"}),
    "widget view added": lambda outputs, i: outputs[i]["data"].update({rules.WIDGET_VIEW: VIEW}),
    "all mime types dropped": lambda outputs, i: outputs[i].update(data={}),
}
MIME = {
    "dropped": lambda data, mime: data.pop(mime),
    "renamed": lambda data, mime: data.update({"text/x-other": data.pop(mime)}),
    "emptied": lambda data, mime: data.update({mime: ""}),
    "null": lambda data, mime: data.update({mime: None}),
}
TEXT = {
    "a character": lambda text: (
        text[: len(text) // 2] + other(text[len(text) // 2]) + text[len(text) // 2 + 1 :]
    ),
    "the last character": lambda text: text[:-1],
    "a space": lambda text: text + " ",
    "a colour code": lambda text: "\x1b[31m" + text,
    "a carriage return": lambda text: text + "\r\n",
}
SOMETIMES = {
    "the first digit": lambda text: re.sub(r"\d", lambda d: str(9 - int(d[0])), text, count=1),
    "the last digit": lambda text: re.sub(r"\d(?=\D*\Z)", lambda d: str(9 - int(d[0])), text),
    "a sign": lambda text: text.replace("-", "+", 1),
    "a tag": lambda text: text.replace("<", "<!-- -->", 1),
    "a line break": lambda text: text.replace("\n", "\r\n", 1),
}
PNG = {
    "a pixel": lambda value: repainted(value, 1, rules.PNG_TOLERANCE + 1),
    "a few pixels": lambda value: repainted(value, 3, 40),
    "negative": lambda value: encoded(255 - picture(value)[..., :3]),
    "another size": lambda value: encoded(picture(value)[:-1]),
    "cut off": lambda value: value[: len(value) // 2 // 4 * 4],
    "not base64": lambda value: f"{value[:40]}*{value[40:]}",
    "a JPEG": lambda value: encoded(picture(value)[..., :3].copy(), "JPEG"),
}
JSON = {"wrapped": lambda value: [value], "as text": str, "empty": lambda value: {}}


def changed(original, change, *where):
    copied = copy.deepcopy(original)
    change(copied, *where)
    return copied


def in_outputs(cell, i, change):
    change(cell["outputs"], i)


def in_bundle(cell, i, mime, change):
    change(cell["outputs"][i]["data"], mime)


def in_value(cell, i, key, change):
    holder = cell["outputs"][i] if key == "text" else cell["outputs"][i]["data"]
    holder[key] = change(holder[key])


def move(cell, i, j):
    cell["outputs"].insert(j, cell["outputs"].pop(i))


def corruptions(cell):
    """Each corruption of a code cell: its name, whether it must change this cell, the result."""
    suited = {"image/png": PNG, "application/json": JSON}
    for name, change in CELL.items():
        yield name, bool(cell["outputs"]), changed(cell, change)
    for i, output in enumerate(cell["outputs"]):
        for name, change in (OUTPUT | (BUNDLE if "data" in output else STREAM)).items():
            yield f"output {i} {name}", True, changed(cell, in_outputs, i, change)
        for j in range(i):
            yield f"output {i} moved to {j}", False, changed(cell, move, i, j)
        for mime in output.get("data", ()):
            for name, change in MIME.items():
                yield f"output {i} {mime} {name}", True, changed(cell, in_bundle, i, mime, change)
        for key in output.get("data", ["text"]):
            table = suited.get(key, TEXT)
            for name, change in (table | (SOMETIMES if table is TEXT else {})).items():
                always = name not in SOMETIMES
                yield f"output {i} {key}: {name}", always, changed(cell, in_value, i, key, change)


def fewest(cell):
    """How many corruptions of a cell must at least be tried, counted another way."""
    values = sum(len(output.get("data", "1")) for output in cell["outputs"])
    least = min(map(len, (PNG, TEXT, JSON)))
    return len(CELL) - (not cell["outputs"]) + len(OUTPUT) * len(cell["outputs"]) + least * values


def first_code_cell(notebook):
    return next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")


TEXT_CELL = v4.new_markdown_cell("Text.")
WIDGETS = {"application/vnd.jupyter.widget-state+json": {"version_major": 2, "version_minor": 0, "state": {}}}
NOTEBOOK = {
    "widget state": lambda nb: nb["metadata"].update(widgets=WIDGETS),
    "other kernel": lambda nb: nb["metadata"]["kernelspec"].update(name="python2"),
    "no kernel": lambda nb: nb["metadata"].pop("kernelspec"),
    "no language": lambda nb: nb["metadata"].pop("language_info"),
    "other metadata": lambda nb: nb["metadata"].update(nbval={"skip": True}),
    "older format": lambda nb: nb.update(nbformat_minor=4),
    "newer format": lambda nb: nb.update(nbformat=5),
    "two cells with an id": lambda nb: nb["cells"][1].update(id=nb["cells"][0]["id"]),
    "another id": lambda nb: nb["cells"][0].update(id="another"),
    "a cell without an id": lambda nb: nb["cells"][0].pop("id"),
    "an output of a markdown cell": lambda nb: nb["cells"].append(TEXT_CELL | {"outputs": [SHOWN]}),
    "an attachment": lambda nb: nb["cells"].append(TEXT_CELL | {"attachments": {"x": {"image/png": ""}}}),
    "a raw cell": lambda nb: nb["cells"].append(v4.new_raw_cell("1")),
    "an empty cell": lambda nb: nb["cells"].append(v4.new_code_cell("")),
    "no code cell": lambda nb: nb.update(cells=[c for c in nb["cells"] if c["cell_type"] != "code"]),
    "first code cell dropped": lambda nb: nb["cells"].remove(first_code_cell(nb)),
    "cells reversed": lambda nb: nb["cells"].reverse(),
    "too large": lambda nb: nb["cells"].append(v4.new_markdown_cell("x" * rules.MAX_BYTES)),
}
