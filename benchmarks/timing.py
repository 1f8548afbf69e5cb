"""What the benchmarks share: races in turn, their summary, how they are stored, and what the numbers depend on."""

import ctypes
import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from threads import THREADS

OTHERS = "torch", "jax", "tinygrad"  # compared with where they are installed


def race(compared, rounds, clock=time.perf_counter):
    """Milliseconds of each, by round: in each round every one runs untimed, then timed, in turn."""
    times = {key: [] for key in compared}
    order = list(compared)
    for _ in range(rounds):
        for key in order:
            compared[key]()  # brings its own arrays back into the cache
            start = clock()
            compared[key]()
            times[key].append(1000 * (clock() - start))
        order = order[1:] + order[:1]
    return times


def summary(times, first="cnnlib", digits=2):
    """Medians, minima, and the ratios of the first to the others."""
    median = {key: float(np.median(ms)) for key, ms in times.items()}
    least = {key: float(min(ms)) for key, ms in times.items()}
    ratio = {key: median[first] / ms for key, ms in median.items() if key != first}
    ratio_of_minima = {key: least[first] / ms for key, ms in least.items() if key != first}
    parts = {"median_ms": (median, digits), "min_ms": (least, digits), "ratio": (ratio, 3)}
    parts["ratio_of_minima"] = ratio_of_minima, 3
    return {name: {key: round(x, n) for key, x in values.items()} for name, (values, n) in parts.items()}


def store(path, results):
    """Write the results as JSON; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def installed(package):
    """The package's version, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def kernels():
    """The processor whose kernels OpenBLAS has chosen ("SkylakeX", "Haswell", ...), None where it does not say.

    On a processor that it does not know it takes an older one's, which can be half as fast.
    """
    inside = Path(np.__file__).parent
    folders = inside.with_name("numpy.libs"), inside / ".dylibs"
    for path in (path for folder in folders for path in sorted(folder.glob("*openblas*"))):
        library = ctypes.CDLL(str(path))
        for prefix in ("scipy_openblas", "openblas"):
            for suffix in ("64_", ""):
                ask = getattr(library, f"{prefix}_get_corename{suffix}", None)
                if ask:
                    ask.restype = ctypes.c_char_p
                    return ask().decode()
    return None


def machine():
    """What the numbers depend on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), cpu)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": THREADS,
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "kernels": kernels(),
    } | {name: installed(name) for name in OTHERS}


def print_machine():
    """``machine()``, printed in one line."""
    found = machine()
    print("  ".join(f"{key}: {value}" for key, value in found.items()), flush=True)
    return found
