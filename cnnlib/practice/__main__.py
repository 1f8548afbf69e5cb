"""Judge a file from the command line, for graders.

    python -m cnnlib.practice FILE --of conv2d --layout NCHW [--function NAME] [--json]

Exit 0: right. 1: wrong. 2: cannot run: no such file, no such function, an error or no end.

It RUNS the file, as whoever calls it. A stranger's program belongs where it can do no harm: on Linux, in the
sandbox of this project's checkout, which takes away the network and every place to write in but one folder:

    python -I -S tools/gate/confine.py FOLDER HIDDEN PROGRAM ARGUMENT...

with an empty FOLDER, HIDDEN the folder of what the program must not read, and this command, by absolute paths, as PROGRAM.
CONTRIBUTING.md says the same with an example.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile

from . import diagnose
from .cases import ARGUMENTS
from .subject import LAYOUTS


def parser():
    """The arguments of the command."""
    made = argparse.ArgumentParser(prog="python -m cnnlib.practice", description=__doc__.partition("\n")[0])
    made.add_argument("file", help="a Python file that defines the function, or the class; it is run")
    made.add_argument("--of", required=True, choices=ARGUMENTS)
    made.add_argument("--layout", default="NCHW", choices=LAYOUTS)
    made.add_argument("--axes", default="", help="another order of axes, as x=NHWC,W=HWIO")
    made.add_argument("--call", choices=["cs231n", "deeplearning.ai"], help="the signature of a course")
    made.add_argument("--function", help="its name; without it, the last one that the file defines")
    made.add_argument("--json", action="store_true", help="the report as JSON")
    made.add_argument("--seconds", type=float, default=60, help="how long it may take (60)")
    made.add_argument(
        "--inside", help=argparse.SUPPRESS
    )  # the file for the report, in the process that runs the program
    return made


def subject(path, name):
    """The function or class of a file; ValueError where there is none."""
    space = {"__name__": "submission", "__file__": path}
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), path, "exec")
    exec(code, space)
    own = {k: v for k, v in space.items() if callable(v) and getattr(v, "__module__", "") == "submission"}
    if name is None:
        classes = [k for k, v in own.items() if isinstance(v, type) and hasattr(v, "backward")]
        named = [k for k in own if "backward" in k.lower() or "grad" in k.lower()]
        name = ([*named, *classes] or list(own) or [None])[-1] if not (named and classes) else classes[-1]
    if name not in space:
        raise ValueError(f"{path} defines no {name or 'function'}, it has {', '.join(own) or 'none'}")
    return space[name]


def judge(options):
    """{"status", "text", "report"} of the file, in this process."""
    try:
        axes = dict(pair.split("=", 1) for pair in options.axes.split(",")) if options.axes else None
        with contextlib.redirect_stdout(io.StringIO()):
            tried = subject(options.file, options.function)
            report = diagnose(tried, options.of, options.layout, axes=axes, call=options.call)
            text = str(report)
    except (Exception, SystemExit) as error:
        return {
            "status": 2,
            "text": f"cannot run {options.file}: {type(error).__name__}: {error}",
            "report": None,
        }
    ran = any(not outcome.error for outcome in report.outcomes)
    return {"status": 2 if not ran else 1 - report.ok, "text": text, "report": report.as_dict()}


def main(arguments=None):
    """The command: the program runs in a process of its own, which is ended when its time is over."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    if options.inside:
        with open(options.inside, "w", encoding="utf-8") as file:
            json.dump(judge(options), file)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        said = os.path.join(folder, "report.json")
        command = [sys.executable, "-m", "cnnlib.practice", *arguments, "--inside", said]
        try:
            done = subprocess.run(
                command, timeout=options.seconds, stdin=subprocess.DEVNULL, capture_output=True, text=True
            )
            with open(said, encoding="utf-8") as file:
                answer = json.load(file)
        except subprocess.TimeoutExpired:
            answer = {
                "status": 2,
                "text": f"cannot run {options.file}: no end after {options.seconds:g} seconds",
            }
        except (OSError, ValueError):
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            answer = {"status": 2, "text": f"cannot run {options.file}: its process ended: {last}"}
    if options.json:
        print(
            json.dumps(
                {"status": answer["status"], "text": answer["text"]} | (answer.get("report") or {}), indent=1
            )
        )
    else:
        print(answer["text"])
    return answer["status"]


if __name__ == "__main__":
    sys.exit(main())
