"""What Python itself refuses a notebook under validation: other machines, other programs, to write outside
its own folder, to read the files of the book, more memory than it is given.

tools/sandbox.py copies this file to where every Python process of a notebook loads it before anything else.
An audit hook cannot be taken out again, and says in a sentence what was refused, on every system. What goes
past Python, as ctypes can, does not ask it: against that stand, on Linux, the namespaces of tools/confine.py.
"""

import os
import sys

NAMES = {"socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname"}
ADDRESSES = {"socket.connect", "socket.sendmsg", "socket.sendto"}
PROGRAMS = {"os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "subprocess.Popen"}
CHANGES = {
    *("os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"),
    *("os.truncate", "os.utime", "sqlite3.connect"),
}
TO_REPORT = 256  # megabytes
WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


def install(*, tree, own, megabytes):
    """Refuses from now on, in this process, what the notebook in the folder `own` may not do to `tree` and to
    the rest of the world: PermissionError says what. On Linux more than `megabytes` is a MemoryError."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes + TO_REPORT << 20))
    tree, own, null = map(real, (tree, own, os.devnull))
    readable = own, real(sys.prefix), real(sys.base_prefix)  # the environment may lie in the tree

    def refuse(event, args):
        if event == "open":
            path, _, flags = args
            if isinstance(path, int):
                return
            if flags & WRITING:
                writes(path)
            elif within(path, tree) and not within(path, *readable):
                raise refusal(f"read the files of the book: {path}")
        elif event in CHANGES:
            for path in args:
                if isinstance(path, (str, bytes, os.PathLike)):
                    writes(path)
        elif event in ADDRESSES or event in NAMES:
            host = args[0] if event in NAMES else args[1]
            if isinstance(host, tuple):
                host = host[0]
            elif event in ADDRESSES:
                return  # a socket of this machine's file system
            if not local(host):
                raise refusal(f"reach the network: {event[7:]} of {host}")
        elif event in PROGRAMS:
            raise refusal(f"start a program: {args[0]}")

    def writes(path):
        if not within(path, own, null):
            raise refusal(f"write outside its own folder: {path}")

    sys.addaudithook(refuse)


def report_memory_errors(shell):
    """Gives the IPython `shell` that meets a MemoryError a little more, for the traceback takes some too."""

    def report(shell, kind, error, traceback, tb_offset=None):
        import resource

        limits = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (max(limits), max(limits)))
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
