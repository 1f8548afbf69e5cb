"""What Python itself refuses a notebook under validation: other machines, other programs and processes, to
write outside its own folder, to read the files of the book, more memory and output than it is given.

tools/gate/sandbox.py copies this file to where the notebook's Python loads it before anything else. An audit hook
cannot be taken out again, and says in a sentence what was refused, on every system. It is against accidents:
what goes past Python, as ctypes can, does not ask it, nor do the few functions that Python does not audit.
Against those stand, on Linux, the namespaces of tools/gate/confine.py.
"""

import _thread
import builtins
import importlib.util
import os
import signal
import sys
import threading
import time
from contextlib import suppress

NAMES = {"socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname"}
ADDRESSES = {"socket.connect", "socket.sendmsg", "socket.sendto"}
PROGRAMS = {
    *("_winapi.CreateProcess", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
    *("os.startfile", "os.system", "subprocess.Popen"),
}
SIGNALS = {"os.kill", "os.killpg"}
# For each, after how many arguments those come that name a folder by the number of an open file, -1 for none.
CHANGES = {
    **dict.fromkeys(["os.remove", "os.rmdir", "sqlite3.connect"], 1),
    **dict.fromkeys(["os.chmod", "os.link", "os.mkdir", "os.rename", "os.symlink", "os.truncate"], 2),
    **dict.fromkeys(["os.chown", "os.utime"], 3),
}
# In megabytes: of memory for a traceback, of what is not memory of its own (programs, files, what it could
# share), and of one file.
TO_REPORT, MAPPED, A_FILE = 256, 2048, 200
SECONDS_FOR_THREADS = 2
MACHINE = "/proc", "/sys", "/etc/hostname", "/etc/machine-id", "/etc/os-release", "/etc/passwd"
TIMERS = "ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


started = False  # whether cells run; before that, the kernel reads what it likes


def install(*, tree, box, own, megabytes):
    """Refuses from now on, in this process, what the notebook in the folder `own`, which lies in the folder
    `box`, may not do to `tree` and to the rest of the world: PermissionError says what. On Linux more than
    `megabytes` is a MemoryError."""
    if sys.platform != "win32":
        limit("RLIMIT_FSIZE", A_FILE, A_FILE)
    if sys.platform == "linux":
        limit("RLIMIT_DATA", megabytes, megabytes + TO_REPORT)
        limit("RLIMIT_AS", megabytes + MAPPED, megabytes + MAPPED + TO_REPORT)
    with suppress(ImportError):  # which Windows has not
        import _posixsubprocess

        _posixsubprocess.fork_exec = no_process  # multiprocessing calls it, and it is not audited
    tree, box, own, null = map(real, (tree, box, own, os.devnull))
    readable = box, real(sys.prefix), real(sys.base_prefix)  # both may lie in the tree

    def refuse(event, args):
        if event == "open":
            path, _, flags = args
            if isinstance(path, int):
                return
            if flags & WRITING:
                writes(path)
            elif within(path, tree) and not within(path, *readable):
                raise refusal(f"read the files of the book: {path}")
            elif started and within(path, *MACHINE) and not (within(path, "/proc") and asked_by_psutil()):
                raise refusal(f"read what differs from machine to machine: {path}")
        elif event in CHANGES:
            if any(number != -1 for number in args[CHANGES[event] :]):
                raise refusal(f"name a folder by a number: {event}")
            for path in args:
                if isinstance(path, (str, bytes, os.PathLike)):
                    if event == "sqlite3.connect" and os.fsdecode(path).startswith("file:"):
                        raise refusal(f"name a database by a URI: {path}")
                    writes(path)
        elif event in ADDRESSES or event in NAMES:
            host = args[0] if event in NAMES else args[1]
            if isinstance(host, tuple):
                host = host[0]
            elif event in ADDRESSES:  # of this machine's file system, or in Linux after a null byte
                if host is not None and not own_socket(host):
                    raise refusal(f"reach another program: {event[7:]} of {host}")
                return
            if not local(host):
                raise refusal(f"reach the network: {event[7:]} of {host}")
        elif event in PROGRAMS:
            raise refusal(f"start a program: {(*args, event)[0]}")
        elif event in SIGNALS and args[0] != os.getpid():
            raise refusal(f"send a signal to another process: {args[0]}")

    def own_socket(address):
        path = os.fsdecode(address if isinstance(address, str) else bytes(address))
        return "\0" not in path and within(path, own)

    def writes(path):
        if not within(path, own, null):
            raise refusal(f"write outside its own folder: {path}")

    sys.addaudithook(refuse)


def asked_by_psutil():
    """Whether it is psutil that opens a file. Dask's workers, which `cnnlib.parallel.local_client` starts as threads of this
    process, watch its memory so; a cell cannot import psutil."""
    frame = sys._getframe()
    while frame and str(frame.f_globals.get("__name__")).partition(".")[0] != "psutil":
        frame = frame.f_back
    return frame is not None


def limit(name, soft, hard):
    """Sets a limit of this process, in megabytes, where it has no lower one."""
    import resource

    kind = getattr(resource, name)
    lower = [old for old in resource.getrlimit(kind) if old != resource.RLIM_INFINITY]
    resource.setrlimit(kind, (min([soft << 20, *lower]), min([hard << 20, *lower[-1:]])))


def no_process(*arguments):
    """Stands for a function that starts a process."""
    raise refusal("start a program")


def prepare(shell, most, importable, days):
    """Makes the IPython `shell` report a MemoryError, refuse to print more than `most` characters, let cells import only
    packages with the names `importable`, and tell what a cell leaves running. The clock is `days` ahead."""
    global started
    report_memory_errors(shell)
    stop_floods(type(sys.stdout), most)
    hold_imports(importable)
    watch(shell)
    if days:
        clock = time.time
        time.time = lambda: clock() + 86_400 * days
    started = True


def watch(shell):
    """Gives the IPython `shell` a function `left_running`: what the last cell has started and not ended, which could show
    something later or end the kernel, as a list of names. It waits a little for threads."""
    before = set()

    def remember(_):
        before.clear()
        before.update(sys._current_frames())

    def left_running():
        end = time.monotonic() + SECONDS_FOR_THREADS
        while (left := working(before)) and time.monotonic() < end:
            time.sleep(0.01)
        if sys.platform != "win32" and any(any(signal.getitimer(getattr(signal, name))) for name in TIMERS):
            left.append("an alarm")
        return sorted(left)

    _thread.start_new_thread = _thread.start_new = start
    shell.events.register("pre_run_cell", remember)
    shell.left_running = left_running


def start(function, args, kwargs=None):
    """Starts a thread as `_thread` does, which does not wait until it can be seen."""
    thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread.ident


def working(before):
    """The names of the threads that have something to do, but for those with the numbers `before`, and for the one that
    asks. A thread of a pool that waits for work has nothing."""
    threads = {thread.ident: thread for thread in threading.enumerate()}
    names = []
    for number, frame in sys._current_frames().items():
        waits = (
            frame.f_code.co_name == "_worker" and frame.f_globals["__name__"] == "concurrent.futures.thread"
        )
        sends = type(threads.get(number)).__module__.startswith("zmq.")  # what is shown
        if number not in {*before, threading.get_ident()} and not waits and not sends:
            names.append(f"the thread {threads[number].name if number in threads else number}")
    return names


def hold_imports(importable):
    """Lets cells import what a reader's browser has. What they import may import anything."""

    def hold(name, importer):
        if importer == "__main__" and name.partition(".")[0] not in importable:
            raise ModuleNotFoundError(f"No module named {name!r} in the browser's Python", name=name)

    def statement(name, globals=None, locals=None, fromlist=(), level=0):
        hold(name, asking() if globals is None else globals.get("__name__", "__main__"))
        module = import_statement(name, globals, locals, fromlist, level)
        if "ipywidgets" in sys.modules:
            name_widgets()
        return module

    def function(name, package=None):
        hold(importlib.util.resolve_name(name, package), asking())
        return import_function(name, package)

    import_statement = builtins.__import__
    builtins.__import__ = importlib.__import__ = statement
    import_function, importlib.import_module = importlib.import_module, function


def asking():
    """The name of the module that asks for another: the last in the stack that is not Python's own, a cell's where all are."""
    frame = sys._getframe(2)
    while frame:
        name = frame.f_globals.get("__name__", "__main__")
        if name.partition(".")[0] not in sys.stdlib_module_names:
            return name
        frame = frame.f_back
    return "__main__"


def name_widgets():
    """Lets each widget of ipywidgets say, where a cell prints it, what rules.WIDGET is, for a page cannot show it."""
    widget = getattr(sys.modules["ipywidgets"], "Widget", None)  # None while it is being imported
    if not widget or "__str__" in vars(widget):
        return
    said = widget.__repr__

    def named(self):
        widget.__repr__ = said  # for what is in it
        try:
            return f"{said(self)}, a widget, which needs a kernel"
        finally:
            widget.__repr__ = named

    widget.__str__ = widget.__repr__ = named


def stop_floods(stream, most):
    """Lets all streams of the class `stream` take `most` characters together, and no more. Pytest counts too, but
    a kernel that prints without a pause leaves no time to send what it prints."""
    write, written = stream.write, 0

    def counted(self, text):
        nonlocal written
        if written > most:
            raise refusal(f"show more than {most:,} characters of output")
        done = write(self, text)
        written += len(text)
        return done

    stream.write = counted


def report_memory_errors(shell):
    """Gives the IPython `shell` that meets a MemoryError a little more, for the traceback takes some too."""

    def report(shell, kind, error, traceback, tb_offset=None):
        import resource

        for limited in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            _, hard = resource.getrlimit(limited)
            resource.setrlimit(limited, (hard, hard))
        shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)

    if sys.platform == "linux":
        shell.set_custom_exc((MemoryError,), report)


def refusal(what):
    """The error, one of those that a file or a connection can give anyway."""
    return PermissionError(f"a notebook under validation may not {what}")


def real(path):
    """The path as text, in the one form in which paths can be compared."""
    return os.path.normcase(os.path.realpath(os.fsdecode(path)))


def within(path, *folders):
    """Whether `path` is one of the folders or lies in one."""
    path = real(path)
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def local(host):
    """Whether `host` is this machine: the kernel's messages and a chapter's own workers."""
    host = host.decode() if isinstance(host, (bytes, bytearray)) else host
    if host in (None, "", "localhost", "::1"):
        return True
    return isinstance(host, str) and host.startswith("127.") and host.replace(".", "").isdecimal()
