"""What a notebook may try, for tests/test_sandbox.py, whose first cell defines TREE, PORT, PYTEST and OTHER."""

import os
import sys

LINUX = sys.platform == "linux"

# For each: its cell, and how it fails (None: it passes) where Python and Linux shut it in, where Python alone does,
# and where nothing does. The cells catch what a machine without a network says.
ATTEMPTS = {
    "to look up a name": (
        "try:\n    _ = socket.getaddrinfo('host.invalid', 80)\nexcept socket.gaierror:\n    pass",
        *2 * ["may not reach the network: getaddrinfo of host.invalid"],
        None,
    ),
    "to send to another machine": (
        "try:\n    _ = socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))\n"
        "except OSError as error:\n    assert 'unreachable' in str(error)",
        *2 * ["may not reach the network: sendto of 192.0.2.1"],
        None,
    ),
    "to reach this machine": (
        "socket.create_connection(('127.0.0.1', PORT), timeout=9).close()",
        "ConnectionRefusedError",
        None,
        None,
    ),
    "to talk to itself": (
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname(), timeout=9).close()",
        *3 * [None],
    ),
    "to start a program": (
        "import subprocess\n\n_ = subprocess.run([sys.executable, '-c', ''], check=True)",
        *2 * ["may not start a program: "],
        None,
    ),
    "to write into the tree": (
        "_ = (TREE / 'written').write_text('')",
        *2 * ["may not write outside its own folder: "],
        None,
    ),
    "to remove a file": (
        "(TREE / 'removable').unlink()",
        *2 * ["may not write outside its own folder: "],
        None,
    ),
    "to read its own outputs": (
        "_ = (TREE / 'book/attempts.ipynb').read_bytes()",
        *2 * ["may not read the files of the book: "],
        None,
    ),
    "to see the other chapters": (
        "assert 'attempts.ipynb' in os.listdir(TREE / 'book')",
        "AssertionError",
        None,
        None,
    ),
    "to change the library": (
        "import cnnlib\n\n_ = Path(cnnlib.__file__).write_text('changed = True')",
        *2 * ["may not write outside its own folder: "],
        None,
    ),
    "to import the guard": ("exec('import guard')", *3 * ["No module named 'guard'"]),
    "to find it": ("assert not hasattr(sys.modules.get('sitecustomize'), 'guard')", *3 * [None]),
    "to signal another process": (
        "os.kill(PYTEST, 0)",
        *2 * [f"may not send a signal to another process: {os.getpid()}"],
        None,
    ),
    "to name a database by a URI": (
        "import sqlite3\n\nsqlite3.connect('file:x?mode=memory', uri=True).close()",
        *2 * ["may not name a database by a URI: file:x"],
        None,
    ),
    "to write beside itself": ("_ = Path('written').write_text('')", *3 * [None]),
}
if LINUX:
    ATTEMPTS |= {
        "to write past Python": (
            "import ctypes\n\nassert ctypes.CDLL(None).mkdir(os.fsencode(TREE / 'made'), 0o755) == 0",
            "AssertionError",
            None,
            None,
        ),
        "to take 3 GiB": (
            "import mmap\n\n_ = mmap.mmap(-1, 3 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
            *2 * ["Cannot allocate memory"],
            None,
        ),
        "to take 4 GiB that it could share": (
            "_ = mmap.mmap(-1, 4 << 30)",
            *2 * ["Cannot allocate memory"],
            None,
        ),
        "to write 300 MiB": (
            "with open('large', 'wb') as file:\n    _ = file.truncate(300 << 20)",
            *2 * ["File too large"],
            None,
        ),
        "to change the library past Python": (
            "assert ctypes.CDLL(None).chmod(os.fsencode(cnnlib.__file__), 0o600) == 0",
            "AssertionError",
            None,
            None,
        ),
        "to signal another process past Python": (
            "assert ctypes.CDLL(None).kill(PYTEST, 0) == 0",
            "AssertionError",
            None,
            None,
        ),
        "to fork": (
            # from 3.12 on Python warns where a process with threads forks, and so writes
            "import warnings\n\nwarnings.simplefilter('ignore')\n"
            "if not (child := os.fork()):\n    os._exit(0)\n_ = os.waitpid(child, 0)",
            *2 * ["may not start a program: os.fork"],
            None,
        ),
        "to start a process": (
            "from multiprocessing import util\n\nchild = util.spawnv_passfds(b'/bin/true', ['true'], [])\n"
            "_ = os.waitpid(child, 0)",
            *2 * ["may not start a program"],
            None,
        ),
        "to name a folder by a number": (
            "root = os.open('/', os.O_RDONLY)\nos.mkdir(f'{TREE}/by_number'[1:], dir_fd=root)",
            *2 * ["may not name a folder by a number: os.mkdir"],
            None,
        ),
        "to reach another program": (
            "with socket.socket(socket.AF_UNIX) as other:\n    other.connect(OTHER)",
            *2 * ["may not reach another program: connect of "],
            None,
        ),
        "to reach one without a file": (
            "with socket.socket(socket.AF_UNIX) as server:\n    server.bind('\\0x')\n    server.listen()\n"
            "    with socket.socket(socket.AF_UNIX) as other:\n        other.connect('\\0x')",
            *2 * ["may not reach another program: connect of "],
            None,
        ),
        "to talk to itself through a file": (
            "with socket.socket(socket.AF_UNIX) as server:\n    server.bind('x')\n    server.listen()\n"
            "    with socket.socket(socket.AF_UNIX) as other:\n        other.connect('x')",
            *3 * [None],
        ),
    }
