"""Starts a program in namespaces of its own: no network but its own loopback, no process but its own, and one
folder to write in.

    python -I -S tools/gate/confine.py FOLDER HIDDEN PROGRAM ARGUMENT...

The whole file system is read-only to the program and to all that it starts, but for FOLDER; the folder
HIDDEN is empty. When the program ends, or what started this, all that the program started ends too. Needs
Linux 5.12, and that the system lets its users make namespaces; where it does not, the exit code is 1, the
reason is on stderr, and nothing was started.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys

# From the system's headers sched.h, sys/mount.h, fcntl.h, sys/prctl.h and net/if.h.
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
CLONE_NEWIPC, CLONE_NEWPID = 0x08000000, 0x20000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
AT_FDCWD, AT_RECURSIVE, MOUNT_SETATTR, RDONLY = -100, 0x8000, 442, 1
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, CAPABILITIES = 1, 24, 64
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)
libc.mount.argtypes = [*3 * [ctypes.c_char_p], ctypes.c_ulong, ctypes.c_char_p]
libc.prctl.argtypes = [ctypes.c_int, *4 * [ctypes.c_ulong]]
libc.syscall.argtypes = [
    *(ctypes.c_long, ctypes.c_int, ctypes.c_char_p),  # its number, and those of mount_setattr
    *(ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t),
]


def call(name, *arguments):
    """Calls the C library's function `name`; raises OSError where it fails."""
    if getattr(libc, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def confine(folder, hidden):
    """Moves this process, and those it will start, into namespaces of their own. Raises OSError where the
    system refuses; half of it may be done then."""
    uid, gid = os.getuid(), os.getgid()
    call("unshare", CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID)
    for name, text in ("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1"):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    empty = os.path.join(folder, b"hidden")
    os.makedirs(empty, exist_ok=True)
    if os.path.isdir(hidden):
        call("mount", empty, hidden, None, MS_BIND, None)
    call("mount", folder, folder, None, MS_BIND, None)
    set_read_only(b"/", AT_RECURSIVE, True)
    set_read_only(folder, 0, False)
    # Locks and memory that processes share: a chapter's own workers may need them.
    call("mount", b"tmpfs", b"/dev/shm", b"tmpfs", 0, b"size=256m")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
    # Here root could otherwise undo all this.
    for capability in range(CAPABILITIES):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def set_read_only(path, flags, on):
    """Makes the mount at `path` read-only, or not."""
    attributes = (ctypes.c_uint64 * 4)(RDONLY if on else 0, 0 if on else RDONLY)
    call("syscall", MOUNT_SETATTR, AT_FDCWD, path, flags, attributes, ctypes.sizeof(attributes))


def start(command):
    """Starts the command as the third process of its namespace; returns its exit code. With the first the system ends all
    others there, and spares it by signals that end any other program; a kernel whose parent is the first ends at once,
    for it takes itself for left behind. So these two only wait."""
    parent = os.getppid()
    # An interrupt is sent to this process and to the program: it is the program's.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (first := os.fork()) == 0:
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for _ in range(2):
            if child := os.fork():
                os._exit(exit_code(child))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(command[0], command)
    # The program cannot see whether what started it lives on, as kernels do: so this process looks.
    signal.signal(signal.SIGALRM, lambda *_: os.getppid() == parent or os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    return exit_code(first)


def exit_code(process):
    """The exit code of a child, as a shell gives it, when it has ended, whatever other processes do before."""
    ended = None
    while ended != process:
        ended, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    folder, hidden, *command = sys.argv[1:]
    try:
        confine(os.fsencode(folder), os.fsencode(hidden))
        os.chdir(os.getcwd())  # once more, through the mount that can be written
        sys.exit(start(command))
    except OSError as error:
        sys.exit(str(error))
