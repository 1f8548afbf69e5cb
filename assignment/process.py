"""A hand-in in a process of its own, as the grader sees it: it is asked, and what it answers is numbers or nothing.

Answers are read as JSON. One that is none, is too long, or does not come in time ends the process. Where Linux gives name spaces,
`tools/gate/confine.py` shuts the process in.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from inside import packed, unpacked

import cnnlib

HERE = Path(__file__).resolve().parent
INSIDE, CONFINE = HERE / "inside.py", HERE.parent / "tools" / "gate" / "confine.py"
UNSET = Path(cnnlib.__file__).parent / "practice" / "unset.py"
START = 60  # seconds for Python and NumPy themselves
MOST = 8 << 20  # bytes of an answer; right ones have a few thousand
WIDE = 200  # letters of a message
GARBAGE = "it answered something else than numbers"
KINDS = {
    kind.__name__: kind for kind in (NotImplementedError, ArithmeticError, ValueError)
}  # what a judge tells apart


class Ended(BaseException):
    """Why a hand-in answers no more. No Exception, which a judge would take for one that the function raised."""


class Unable(Exception):
    """Why no hand-in can be run here."""


class HandIn:
    """The process of a program. seconds: for each function; hidden: the folder that it must not see, or None, where it is not shut
    in. Unable where not even Python starts."""

    def __init__(self, program, seconds, hidden=None):
        self.seconds, self.left = seconds, seconds
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        box = Path(self.folder.name).resolve()
        path = box / "hand_in.py"
        path.write_bytes(program)
        shut_in = [sys.executable, "-I", "-S", str(CONFINE), str(box), str(hidden)] if hidden else []
        limit = int(START + 10 * seconds)  # of the processor, should the grader itself be ended
        with tempfile.TemporaryFile() as stderr:
            self.process = subprocess.Popen(
                [*shut_in, sys.executable, *map(str, (INSIDE, path, UNSET, limit))],
                cwd=box,
                env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(box)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
            self.questions, self.answers = queue.Queue(), queue.Queue()
            self.carrier = threading.Thread(target=self.carry, daemon=True)
            self.carrier.start()
            try:
                self.left = START
                self.answer()
            except Ended as ended:
                self.end()
                stderr.seek(0)
                said = stderr.read(1 << 20).decode(errors="replace").strip().splitlines() or [str(ended)]
                raise Unable(f"no program can be run here: {said[-1]}") from None

    def carry(self):
        """Bring questions there, and answers back: in a thread, for a hand-in may let either wait for ever."""
        with contextlib.suppress(OSError, ValueError), self.process.stdin, self.process.stdout:
            self.answers.put(self.process.stdout.readline(MOST))
            while question := self.questions.get():
                self.process.stdin.write(question)
                self.process.stdin.flush()
                self.answers.put(self.process.stdout.readline(MOST))
        self.answers.put(b"")

    def answer(self):
        """The next answer. Ended where none comes."""
        since = time.monotonic()
        try:
            line = self.answers.get(timeout=max(self.left, 0))
        except queue.Empty:
            raise Ended(f"no end after {self.seconds:g} seconds") from None
        self.left -= time.monotonic() - since
        if not line:
            raise Ended("its process ended")
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            raise Ended(GARBAGE) from None
        if not isinstance(said, dict):
            raise Ended(GARBAGE)
        return said

    def ask(self, **question):
        """What it answers, and the exception that it tells of, or None."""
        self.questions.put(json.dumps(question).encode() + b"\n")
        answer = self.answer()
        return answer, exception(answer) if "raised" in answer else None

    def load(self):
        """The names of its functions. Whatever exception running the file raises, as it is told."""
        self.left = self.seconds
        answer, error = self.ask(load=True)
        if error:
            raise error
        if not isinstance(answer.get("functions"), list):
            raise Ended(GARBAGE)
        return answer["functions"]

    def function(self, name):
        """One of its functions, as a function that is called here and runs there."""
        self.left = self.seconds
        return There(self, name)

    def end(self):
        """End the process, and on systems that have sessions what it has started."""
        self.questions.put(b"")
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended by itself
            os.killpg(self.process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self.process.kill()
        self.process.wait()
        self.carrier.join(1)  # longer only where a process that it has left behind keeps a pipe
        self.folder.cleanup()


class There:
    """A function that runs in the process of a hand-in, on copies; what it changes is changed here, too."""

    def __init__(self, hand_in, name):
        self.hand_in, self.name, self.start = hand_in, name, None

    @contextlib.contextmanager
    def beginning_there(self, value):
        """As `beginning` of cnnlib.practice.unset, there."""
        self.start = value
        yield
        self.start = None

    def __call__(self, *given):
        """What the function returns, or raises. Ended where the answer is neither."""
        answer, error = self.hand_in.ask(function=self.name, start=self.start, given=[*map(packed, given)])
        if error:
            raise error
        try:
            returned, changed = unpacked(answer["returned"]), [bool(said) for said in answer["changed"]]
        except Exception:
            raise Ended(GARBAGE) from None
        for argument, said in zip(given, changed, strict=False):
            if said and isinstance(argument, np.ndarray):
                argument += 1  # which numbers stand there now does not matter
        return returned


def exception(answer):
    """An exception of the name and the message that an answer tells. Ended where it tells none."""
    try:
        names, said = [printable(name) for name in answer["raised"]], printable(answer["said"])
        base = next((KINDS[name] for name in names if name in KINDS), Exception)
        return type(names[0], (base,), {})(said)
    except Exception:
        raise Ended(GARBAGE) from None


def printable(text):
    """A message in one line, without what would move a cursor or end a fence of Markdown."""
    return "".join(c if c.isprintable() else " " for c in str(text)[:WIDE]).replace("```", "'''")
