"""What a notebook of the book must be before a reader may trust its outputs.

`compare` says how stored outputs differ from fresh ones, `unseen` what no page can show of fresh ones, `sources` what cells
may not ask for, `structure` what a stored notebook may not contain. Each returns a list of sentences, empty where all is
well. They execute nothing: tools/gate/execution.py does that.
"""

import ast
import base64
import copy
import functools
import hashlib
import io
import json
import re
import sys
import threading
import warnings
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path

import nbformat
import numpy as np
from nbformat.validator import iter_validate, normalize
from IPython.core.inputtransformer2 import TransformerManager
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
FORMAT = 4, 5
CELL_METADATA = {"jupyter", "mystnb", "tags"}
# A page folds away what these tags name, and Jupyter what stands beside them; other tags remove what they name.
TAGS = {
    "hide-cell": {"outputs_hidden": True, "source_hidden": True},
    "hide-input": {"source_hidden": True},
    "not-validated": {},
}
# A cell with this tag, for readers who time something, begins with these words. It is run after all others, so that nothing
# stored depends on it, and stores nothing that it shows.
NOT_VALIDATED = "not-validated"
SAYS_SO = "# Not validated: it prints what your machine takes."
PROVES = {"assert", "claim", "display", "plt", "practice", "show"}  # what nobody would compare there
MAX_BYTES = 1_500_000
MAX_DEPTH = 50  # of lists and objects in each other; Python gives up at some hundreds
PNG_TOLERANCE = 2
# What a page shows and tools/site/built_pages.py finds there.
SHOWN = {"text/html", "image/svg+xml", "image/png", "text/plain"}
WIDGET = "a widget, which needs a kernel"  # what tools/gate/guard.py lets each say of itself

# What a reader's browser can import: what JupyterLite loads before the first cell, and Python's own, but for what Pyodide
# leaves out. tests/test_browser_lite.py compares.
LIBRARIES = {"IPython", "cnnlib", "ipywidgets", "matplotlib", "mpl_toolkits", "numpy"}
NOT_IN_PYODIDE = set(
    """annotationlib asynchat asyncore compression curses dbm distutils ensurepip fcntl grp idlelib imp lib2to3 msilib msvcrt
    nis nt ossaudiodev pwd pydoc_data readline resource smtpd spwd syslog termios tkinter turtle turtledemo venv winreg
    winsound""".split()
)
IMPORTABLE = LIBRARIES | sys.stdlib_module_names - NOT_IN_PYODIDE

REASONS = {
    "needs a kernel; use show.Frames": "interact interact_manual interactive interactive_output Output",
    "changes an output that was already shown": "clear_output display_id update_display tqdm trange",
    "differs from run to run; use show.Frames": "to_html5_video to_jshtml",
    "differs from machine to machine": """cpu_count disk_usage find_spec getegid geteuid getgid gethostname getloadavg
        getlogin getnode getuid getuser platform process_cpu_count sched_getaffinity setlocale umask uname
        version version_info __version__""",
    "differs from day to day": "asctime ctime formatdate gmtime localtime now strftime time_ns today utcnow",
    "gives a cell the magics and the shell; chapters are plain Python": "get_ipython run_cell_magic run_line_magic InteractiveShell",
    "may end the kernel, or show something, later": "dump_traceback_later",
    "is not what a reader's browser shows": "__stdout__ __stderr__",
}
REFUSED_NAMES = {name: reason for reason, names in REASONS.items() for name in names.split()}
WORDS = {"now", "platform", "uname", "version"}  # which a chapter may call its own
NOT_ITS_OWN = ast.Attribute, ast.alias, ast.ImportFrom
ONE_AT_A_TIME = threading.Lock()  # neither Python's parser in 3.11 nor `warnings` bears threads
UNREADABLE = SyntaxError, ValueError, RecursionError, MemoryError
VALIDATION_COMMENT = re.compile(r"#\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)")
PICTURE = re.compile(
    r"!\[|<(img|svg|picture|canvas|iframe|object|embed|video|audio)\b|data:image|\{(figure|image|eval-rst)\}|\.\. (figure|image)::",
    re.IGNORECASE,
)
CONFLICT = re.compile(r"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)
PIXELS = 50_000_000  # of a picture
Image.MAX_IMAGE_PIXELS = None  # _pixels says it in its own words
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
    WIDGET: "the name of a widget instead of a picture; use show.Frames",
}
for folder in {str(Path(__file__).resolve().parents[2]), sys.prefix, sys.base_prefix}:
    if len(Path(folder).parts) > 2:  # a chapter may speak of /usr
        UNSTABLE[re.escape(folder)] = "a path of one machine"
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
            kept = output.get("data", {}).keys() - {WIDGET_VIEW}
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
    problems = unseen(fresh)
    fresh = normalise(fresh)
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


def unseen(outputs):
    """What a page without a kernel would not show of fresh outputs: widgets, what changes another output, what is no text."""
    problems = []
    for number, output in enumerate(outputs, 1):
        data = output.get("data", {})
        if WIDGET_VIEW in data and not data.keys() & (SHOWN - {"text/plain"}):
            problems.append(f"output {number}: {WIDGET}; use show.Frames: {_plain(data)}")
        problems += [
            f"output {number}: {mime}, which no notebook can hold: {value!r:.80}"
            for mime, value in data.items()
            if mime in SHOWN and not isinstance(value, str)
        ]
        if output["output_type"] in {"clear_output", "update_display_data"}:
            problems.append(f"output {number} changes an output that was already shown")
    return problems


def _plain(data):
    return str(data.get("text/plain", "")).replace(f", {WIDGET}", "")[:80]


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
    data = io.BytesIO(base64.b64decode("".join(value.split()), validate=True))
    png = Image.open(data, formats=["PNG"])
    if png.width * png.height > PIXELS:
        raise ValueError(f"{png.width} x {png.height} pixels, more than {PIXELS:,}")
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


def read(path, older=False):
    """The notebook in `path`, unrepaired: nbformat.read would mend and convert it without a word. With `older` one of
    an older format than 4.5 is brought to it, as editors write them.

    Raises ValueError, naming the path, where the file is not a valid notebook.
    """
    try:
        raw = _json(Path(path).read_bytes())
        if older and isinstance(raw, dict) and (3,) <= _version(raw) < FORMAT:
            raw = _brought_up(raw)
        problems = _invalid(raw)
    except (ValueError, RecursionError) as error:
        problems = [str(error)]
    if problems:
        raise ValueError(f"{path}: {problems[0]}")
    return nbformat.v4.to_notebook(raw)


def _json(data):
    """The value in a file of JSON, which is UTF-8; ValueError says what is wrong with one that is not."""
    if any(line.startswith((b"<<<<<<< ", b">>>>>>> ")) for line in data.splitlines()):
        raise ValueError("not JSON: a merge conflict stands in it")
    try:
        value = json.loads(data.decode())
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise ValueError(f"not a text in UTF-8 ({error})") from None
    except RecursionError:
        raise ValueError("not a notebook: lists and objects in each other without end") from None
    except ValueError as error:
        raise ValueError(f"not JSON ({error})") from None
    level, depth = [value], 0
    while level := [inner for outer in level if isinstance(outer, list | dict) for inner in _inside(outer)]:
        if (depth := depth + 1) > MAX_DEPTH:
            raise ValueError(f"not a notebook: more than {MAX_DEPTH} lists and objects in each other")
    return value


def _inside(outer):
    return outer.values() if isinstance(outer, dict) else outer


def _version(raw):
    """(major, minor) of the format that a notebook says it has; () where it says none."""
    version = tuple(raw.get(field, 0) for field in ("nbformat", "nbformat_minor"))
    return version if all(type(number) is int for number in version) else ()


def _brought_up(raw):
    """A notebook of an older format, as `raw` JSON, in the one that is stored."""
    try:
        with ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it had no ids, or had some
            notebook = nbformat.reader.reads(json.dumps(raw))
            notebook = nbformat.convert(notebook, FORMAT[0])
            notebook = nbformat.v4.upgrade(notebook, FORMAT[0], notebook.nbformat_minor)
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs = []  # which a run gives, and of which editors have fields of their own
            _, notebook = normalize(notebook, *FORMAT, relax_add_props=True, strip_invalid_metadata=True)
    except (
        Exception
    ) as error:  # nbformat raises whatever its loops meet in a notebook that breaks its own format
        version = ".".join(map(str, _version(raw)))
        raise ValueError(f"cannot be brought from format {version} to 4.5 ({error!r:.200})") from None
    return json.loads(json.dumps(notebook))


def _invalid(notebook):
    version = _version(notebook) if isinstance(notebook, dict) else None
    if version != FORMAT:
        got = ".".join(map(str, version)) if version else f"none in {type(notebook).__name__}"
        hint = (
            " (`python tools/gate/notebooks.py run` brings older ones to it)"
            if version and (3,) < version < FORMAT
            else ""
        )
        return [f"wanted a notebook of format 4.5, got {got}{hint}"]
    try:
        errors = [error.message for error in iter_validate(notebook, version=4, version_minor=5)]
    except Exception as error:  # nbformat looks for words for what is wrong, and may not get that far
        errors = [repr(error)]
    return [f"not a valid notebook: {error[:200]}" for error in errors]


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


def folded(cell):
    """What Jupyter folds away of a cell: what its page does. A text has no outputs; the tag of a cell folds it."""
    tags = cell["metadata"].get("tags", [])
    if cell["cell_type"] != "code":
        return {"source_hidden": True} if "hide-cell" in tags else {}
    return {key: value for tag in tags for key, value in TAGS.get(tag, {}).items()}


def sources(notebook):
    """What the cells may not ask for, whether or not they have been executed: names that fail without a
    kernel or differ from run to run, magics, shell lines, another cnnlib or pictures than the ones that are
    checked, and every way to opt out of validation."""
    problems = []
    code = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    library = _from_cnnlib(code)
    for label, cell in zip(labels(notebook), notebook["cells"]):
        if tags := set(cell["metadata"].get("tags", [])) - TAGS.keys():
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
        if CONFLICT.search(cell["source"]):
            problems.append(f"{label}: a merge conflict stands in it")
    if not any(cell["cell_type"] == "code" for cell in notebook["cells"]):
        problems.append("no code cell: a page of text is a .md file")
    return problems + _not_validated(notebook)


def validated(cell):
    """Whether the outputs of a cell are stored and compared: those of every cell but of one with the tag NOT_VALIDATED."""
    return NOT_VALIDATED not in cell["metadata"].get("tags", [])


def only_prints(outputs):
    """What a cell that is not validated showed beside text."""
    return [
        f"output {number} is no text that print() writes; the cell is not validated"
        for number, output in enumerate(outputs, 1)
        if (output["output_type"], output.get("name")) != ("stream", "stdout")
    ]


def _not_validated(notebook):
    """Where a notebook has more than one cell that is not validated, or one that is not open and marked for all to see, that
    proves something, or that changes what another cell uses."""
    found = [(label, cell) for label, cell in zip(labels(notebook), notebook["cells"]) if not validated(cell)]
    if not found:
        return []
    problems = [f"{label}: a second cell that is not validated" for label, _ in found[1:]]
    others = "\n".join(
        cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code" and validated(cell)
    )
    used = {name for node in _nodes(others) for name in _names(node)}
    for label, cell in found:
        if cell["cell_type"] != "code" or cell["metadata"]["tags"] != [NOT_VALIDATED]:
            problems.append(f"{label}: only an open code cell may be not validated, and has no other tag")
            continue
        if cell["source"].partition("\n")[0] != SAYS_SO:
            problems.append(f"{label}: is not validated and does not begin with {SAYS_SO!r}")
        nodes = _nodes(cell["source"])
        if proves := sorted({name for node in nodes for name in _names(node)} & PROVES):
            problems.append(
                f"{label}: {', '.join(proves)} in a cell that is not validated would prove nothing"
            )
        bound = {name for node in nodes if _binds(node) for name in _names(node)}
        if common := sorted(bound & used):
            problems.append(
                f"{label}: is not validated and binds {', '.join(common)}, which another cell uses"
            )
        stored = (node for node in nodes if isinstance(node, ast.Attribute | ast.Subscript) and _binds(node))
        problems += [
            f"{label}: is not validated and changes {ast.unparse(node)}"
            for node in stored
            if _root(node) not in bound
        ]
    return problems


def _nodes(source):
    with suppress(*UNREADABLE), ONE_AT_A_TIME:  # which _source reports
        return list(ast.walk(ast.parse(source)))
    return []


def _names(node):
    """The names that a node of a program stands for; "assert" for the statement."""
    match node:
        case ast.Name():
            return [node.id]
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.alias():
            return [(node.asname or node.name).partition(".")[0]]
        case ast.Assert():
            return ["assert"]
    return []


def _binds(node):
    """Whether a node gives a name, a part or an attribute to something."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.alias) or isinstance(
        getattr(node, "ctx", None), ast.Store | ast.Del
    )


def _root(node):
    """The name whose part or attribute a node is."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return getattr(node, "id", "")


def _only_describes(mystnb):
    match mystnb:
        case None:
            return True
        case {"image": {"alt": str(), **more_of_image}, **more}:
            return not (more or more_of_image)
    return False


@functools.cache
def _from_cnnlib(code):
    with suppress(*UNREADABLE), ONE_AT_A_TIME:  # which _source reports
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
    with ONE_AT_A_TIME, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            tree = ast.parse(source)
            compile(source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except UNREADABLE as error:
            return [*problems, _not_python(source, error)]
    problems += sorted({_warned(source, warning) for warning in warned})
    nodes = list(ast.walk(tree))
    if not source.strip():
        problems.append("nothing to execute")
    fields = ("id", "attr", "name", "arg", "module")
    named = [(n, part) for n in nodes for field in fields for part in str(getattr(n, field, "")).split(".")]
    used = {name for node, name in named if name not in WORDS or isinstance(node, NOT_ITS_OWN)}
    problems += [f"{name} {REFUSED_NAMES[name]}" for name in sorted(used & REFUSED_NAMES.keys())]
    imported = {name for node in nodes for name in _imported(node)}
    problems += [
        f"imports {name}, which the browser's Python does not have: chapters import NumPy, matplotlib, ipywidgets, cnnlib and "
        "the standard library"
        for name in sorted(imported - IMPORTABLE)
    ]
    changed = {ast.unparse(n) for n in nodes if isinstance(getattr(n, "ctx", None), ast.Store | ast.Del)}
    changed = (name for name in sorted(changed) if "." in name and name.partition(".")[0] in library)
    return problems + [f"changes {name} of cnnlib" for name in changed]


def _imported(node):
    """The packages that a statement imports."""
    match node:
        case ast.Import():
            return [name.name.partition(".")[0] for name in node.names]
        case ast.ImportFrom(level=0):
            return [node.module.partition(".")[0]]
        case ast.ImportFrom():
            return ["." * node.level]
    return []


def _not_python(source, error):
    """What is wrong with a source that is not Python: IPython's own syntax, or another error."""
    line = (getattr(error, "text", None) or "").strip()[:80]
    where = f"line {error.lineno}, {line}" if line else "the cell"
    with suppress(Exception):
        transformed = TransformerManager().transform_cell(source)
        if transformed.strip() != source.strip() and ast.parse(transformed):
            return f"not plain Python, such as a magic or a shell line: {where}"
    return f"not Python: {where}: {getattr(error, 'msg', error)}"


def _warned(source, warning):
    """What Python warns of when it reads a source."""
    line = source.splitlines()[warning.lineno - 1].strip()[:80]
    if "invalid escape" in (words := str(warning.message)):
        words += ": write r before the quotes, or two backslashes"
    return f"line {warning.lineno}, {line}: {words}"


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
        if cell["metadata"].get("jupyter", {}) != (folds := folded(cell)):
            problems.append(
                f"{label}: its tags fold {sorted(folds) or 'nothing'} in Jupyter; store it by the tool"
            )
        if cell["cell_type"] != "code":
            continue
        if cell["outputs"] and not validated(cell):
            problems.append(f"{label}: is not validated and stores outputs")
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
    if other := sorted(data.keys() - SHOWN - {WIDGET_VIEW}):
        problems.append(f"{', '.join(other)}, which a page does not show, or nothing compares")
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
