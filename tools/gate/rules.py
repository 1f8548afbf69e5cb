"""What a notebook of the book must be before a reader may trust its outputs.

`compare` says how stored outputs differ from fresh ones, `structure` what a stored notebook may not contain.
Each returns a list of sentences, empty where all is well. They execute nothing: tools/gate/notebooks.py and
tools/gate/pytest_plugin.py do that and ask here.
"""

import ast
import base64
import copy
import functools
import hashlib
import io
import json
import re
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path

import nbformat
import numpy as np
from nbformat.validator import iter_validate
from PIL import Image

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}
CELL_METADATA = {"mystnb", "tags"}
TAGS = {"hide-cell", "hide-input"}  # a page folds these away; others remove what they name
MAX_BYTES = 1_500_000
PNG_TOLERANCE = 2

REASONS = {
    "needs a kernel; use show.Frames": "interact interact_manual interactive interactive_output Output",
    "changes an output that was already shown": "clear_output display_id update_display tqdm trange",
    "differs from run to run; use show.Frames": "to_html5_video to_jshtml",
    "gives a cell the magics and the shell; chapters are plain Python": "get_ipython",
}
REFUSED_NAMES = {name: reason for reason, names in REASONS.items() for name in names.split()}
VALIDATION_COMMENT = re.compile(r"#\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)")
PICTURE = re.compile(r"!\[|<(img|svg|picture|canvas|iframe)\b|data:image|\{(figure|image)\}", re.IGNORECASE)
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
UNSTABLE = {  # most begin with a rare letter, which is what makes a search quick
    r"[\x00-\x08\x0b-\x1f\x7f]": "a control character",
    r"at 0x(?<=\bat 0x)[0-9A-Fa-f]{4,}": "a memory address",
    r"0x(?<=\b0x)(?<!\bat 0x)[0-9A-Fa-f]{9,16}\b": "a memory address",
    r"\d\.\d{12,}": "a float in full precision",
    r"/(?:home|Users)/\w": "a path of one machine",
    r":\\+Users\\": "a path of one machine",
    r"ipykernel_\d": "a path of one machine",
    r"site-packages": "a path of one machine",
}
PLOT_REPR = re.compile(r"<Figure size|<Axes|\bText\(|<BarContainer|<matplotlib\.")


def clean(value):
    """Text without ANSI codes and CRLF; a list of lines joined; anything else as it is."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "".join(value)
    return ANSI.sub("", value).replace("\r\n", "\n") if isinstance(value, str) else value


def normalise(outputs):
    """Fresh outputs in the form that is stored: clean text, the pieces of a stream joined, no widget view.

    A kernel splits a stream wherever its timer happens to flush, and names each widget view at random.
    """
    normal = []
    for output in copy.deepcopy(outputs):
        if output["output_type"] == "stream":
            output["text"] = clean(output["text"])
            if normal and normal[-1].get("name") == output["name"]:
                normal[-1]["text"] += output["text"]
                continue
        elif output["output_type"] == "error":
            output["traceback"] = [clean(line) for line in output["traceback"]]
        else:
            kept = output["data"].keys() - {WIDGET_VIEW}
            output["data"] = {mime: clean(output["data"][mime]) for mime in sorted(kept)}
        normal.append(output)
    return normal


def compare(stored, fresh):
    """How the stored outputs of a cell differ from those a run just gave: in number, order, types, streams,
    mime types, values or metadata.

    Stored outputs are taken as they are, fresh ones after `normalise`. All is compared exactly but PNG, where
    no channel of a pixel may differ by more than PNG_TOLERANCE of 255: a mean over the picture would let a
    small change hide in a large one. Execution counts are left to `structure`.
    """
    fresh = normalise(fresh)
    problems = []
    if len(stored) != len(fresh):
        problems.append(f"{len(stored)} outputs are stored, a run gives {len(fresh)}")
    for number, (old, new) in enumerate(zip(stored, fresh), 1):
        for key in sorted((old.keys() | new.keys()) - {"data", "execution_count"}):
            problems += _difference(f"output {number}, {key}", old.get(key), new.get(key))
        old, new = old.get("data", {}), new.get("data", {})
        if old.keys() != new.keys():
            problems.append(f"output {number}: stored as {sorted(old)}, a run gives {sorted(new)}")
        for mime in sorted(old.keys() & new.keys()):
            check = _png_difference if mime == "image/png" else _difference
            problems += check(f"output {number}, {mime}", old[mime], new[mime])
    return problems


def _difference(where, old, new):
    if isinstance(old, str) and old == new:
        return []
    # As JSON, because Python takes 1, 1.0 and True for equal.
    old, new = (json.dumps(value, sort_keys=True, ensure_ascii=False) for value in (old, new))
    if old == new:
        return []
    at = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    old, new = (text[max(0, at - 30) : at + 50] for text in (old, new))
    return [f"{where}: stored ...{old}..., a run gives ...{new}..."]


def _pixels(value):
    png = Image.open(io.BytesIO(base64.b64decode("".join(value.split()), validate=True)), formats=["PNG"])
    if png.n_frames != 1:
        raise ValueError(f"{png.n_frames} pictures in one, of which one would be compared")
    return np.asarray(png.convert("RGBA"), dtype=int)


def _png_difference(where, old, new):
    try:
        old, new = _pixels(old), _pixels(new)
    except (AttributeError, ValueError, OSError, SyntaxError, zlib.error) as error:
        return [f"{where}: not a readable PNG ({error})"]
    if old.shape != new.shape:
        return [f"{where}: stored with height and width {old.shape[:2]}, a run gives {new.shape[:2]}"]
    off = np.abs(old - new)
    if off.max() <= PNG_TOLERANCE:
        return []
    return [f"{where}: {np.count_nonzero(off.max(axis=2))} pixels differ, by up to {off.max()} of 255"]


def read(path):
    """The notebook in `path`, unrepaired: nbformat.read would mend and convert it without a word.

    Raises ValueError, naming the path, where the file is not a valid notebook of format 4.5.
    """
    try:
        raw = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    if problems := _invalid(raw):
        raise ValueError(f"{path}: {problems[0]}")
    return nbformat.v4.to_notebook(raw)


def _invalid(notebook):
    fields = ("nbformat", "nbformat_minor")
    version = tuple(map(notebook.get, fields)) if isinstance(notebook, dict) else None
    if version != (4, 5):
        return [f"wanted a notebook of format (4, 5), got {version}"]
    errors = iter_validate(notebook, version=4, version_minor=5)
    return [f"not a valid notebook: {error.message[:200]}" for error in errors]


def labels(notebook):
    """A name for each cell: "code cell 3" is the one a reader sees as [3]."""
    seen = Counter()
    for cell in notebook["cells"]:
        seen[cell["cell_type"]] += 1
        yield f"{cell['cell_type']} cell {seen[cell['cell_type']]}"


def ids(notebook):
    """The id of each cell, which follows from the sources, so that an edit changes one id, and an inserted
    cell no other's."""
    seen = Counter()
    for cell in notebook["cells"]:
        seen[cell["source"]] += 1
        text = f"{seen[cell['source']]} {cell['cell_type']} {cell['source']}"
        yield hashlib.sha256(text.encode()).hexdigest()[:12]


def sources(notebook):
    """What the cells may not ask for, whether or not they have been executed: names that fail without a
    kernel or differ from run to run, magics, shell lines, another cnnlib or pictures than the ones that are
    checked, and every way to opt out of validation."""
    problems = []
    code = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    library = _from_cnnlib(code)
    for label, cell in zip(labels(notebook), notebook["cells"]):
        if tags := set(cell["metadata"].get("tags", [])) - TAGS:
            problems.append(
                f"{label}: unknown tags {sorted(tags)}; none may turn off execution, validation or an output"
            )
        if not _only_describes(cell["metadata"].get("mystnb")):
            problems.append(
                f"{label}: of mystnb only the alternative text of a picture, image.alt, is allowed"
            )
        if cell["cell_type"] == "code":
            problems += [f"{label}: {problem}" for problem in _source(cell["source"], library)]
        elif cell["cell_type"] != "markdown":
            problems.append(f"{label}: only code and markdown cells are shown")
        elif "attachments" in cell or PICTURE.search(cell["source"]):
            problems.append(f"{label}: a picture that nothing computed")
    if not any(cell["cell_type"] == "code" for cell in notebook["cells"]):
        problems.append("no code cell: a page of text is a .md file")
    return problems


def _only_describes(mystnb):
    match mystnb:
        case None:
            return True
        case {"image": {"alt": str(), **more_of_image}, **more}:
            return not (more or more_of_image)
    return False


@functools.cache
def _from_cnnlib(code):
    with suppress(SyntaxError):  # which _source reports
        return frozenset(
            name.asname or name.name.partition(".")[0]
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in node.names
            if re.match(r"cnnlib\b", getattr(node, "module", name.name) or "")
        )
    return frozenset()


@functools.cache
def _source(source, library):
    problems = [f"{comment} turns validation off" for comment in VALIDATION_COMMENT.findall(source)]
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError as error:
        return [*problems, f"not plain Python, such as a magic or a shell line: {error.text or error.msg}"]
    if not source.strip():
        problems.append("nothing to execute")
    fields = ("id", "attr", "name", "arg", "module")
    used = {part for node in nodes for field in fields for part in str(getattr(node, field, "")).split(".")}
    problems += [f"{name} {REFUSED_NAMES[name]}" for name in sorted(used & REFUSED_NAMES.keys())]
    changed = {ast.unparse(n) for n in nodes if isinstance(getattr(n, "ctx", None), ast.Store | ast.Del)}
    changed = (name for name in sorted(changed) if "." in name and name.partition(".")[0] in library)
    return problems + [f"changes {name} of cnnlib" for name in changed]


def structure(notebook):
    """What a stored notebook may not be: invalid, unexecuted, executed out of order, too large; with
    warnings, errors, widget state or views, metadata beyond the fixed ones, text that another run or machine
    would print differently, or sources that `sources` refuses."""
    if problems := _invalid(notebook):
        return problems
    problems = sources(notebook)
    stored = notebook["metadata"]
    odd = sorted(key for key in stored.keys() | METADATA.keys() if stored.get(key) != METADATA.get(key))
    problems += [f"the notebook's metadata {key} is not as tools/gate/notebooks.py writes it" for key in odd]
    if (size := len(nbformat.v4.writes(nbformat.from_dict(notebook)).encode())) > MAX_BYTES:
        problems.append(f"{size:,} bytes, more than {MAX_BYTES:,}: thin out frames or split the chapter")
    run = 0
    for label, cell, name in zip(labels(notebook), notebook["cells"], ids(notebook)):
        if cell["id"] != name:
            problems.append(f"{label}: the id {cell['id']}, where its source gives {name}")
        if extra := cell["metadata"].keys() - CELL_METADATA:
            problems.append(f"{label}: metadata {sorted(extra)}")
        if cell["cell_type"] != "code":
            continue
        run += 1
        if cell["execution_count"] != run:
            problems.append(
                f"{label}: execution count {cell['execution_count']}, not {run}: not a run from the top"
            )
        for number, output in enumerate(cell["outputs"], 1):
            problems += [f"{label}, output {number}: {problem}" for problem in _output(output, run)]
        if normalise(cell["outputs"]) != cell["outputs"]:
            problems.append(f"{label}: outputs are not as tools/gate/notebooks.py writes them")
    return problems


def _output(output, run):
    kind, data = output["output_type"], output.get("data", {})
    if kind == "error":
        return [f"a stored error stops Run All: {output['ename']}: {output['evalue']}"]
    if kind == "stream" and output["name"] != "stdout":
        return [f"a warning or other text on {output['name']}: {output['text'][:200]!r}"]
    problems = []
    if kind == "execute_result" and output["execution_count"] != run:
        problems.append(f"execution count {output['execution_count']} in cell [{run}]")
    if WIDGET_VIEW in data:
        problems.append("a stored widget view, which shows an error without its kernel")
    texts = {"text": output["text"]} if kind == "stream" else {m: v for m, v in data.items() if _is_text(m)}
    if not (texts or data) or "" in texts.values():
        problems.append("empty")
    if data.keys() == {"text/plain"} and PLOT_REPR.search(data["text/plain"]):
        problems.append(f"the name of a plot object instead of a plot: {data['text/plain'][:80]!r}")
    for mime, text in texts.items():
        text = text if isinstance(text, str) else json.dumps(text)
        found = ((what, re.search(pattern, text)) for pattern, what in UNSTABLE.items())
        problems += [f"{mime} holds {what}: {hit[0]!r}" for what, hit in found if hit]
    return problems


def _is_text(mime):
    return mime.startswith("text/") or mime.endswith(("json", "xml", "javascript"))


def page_sources(root):
    """The files under book/ that can be pages: notebooks and Markdown."""
    found = (
        path.relative_to(root) for path in Path(root, "book").rglob("*") if path.suffix in {".ipynb", ".md"}
    )
    return sorted(Path(root, path) for path in found if not any(part.startswith(".") for part in path.parts))
