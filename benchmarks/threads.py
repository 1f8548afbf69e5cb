"""Import this before NumPy, PyTorch, jax and tinygrad: they read their numbers of threads when they are loaded.

One thread, or as many as the environment's THREADS says.
"""

import os

THREADS = int(os.environ.get("THREADS", 1))

for name in (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPROC",  # jax
    "NUM_CPU_THREADS",  # tinygrad
):
    os.environ[name] = str(THREADS)
if THREADS == 1:
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # no other device, for jax
os.environ.setdefault("DEV", "CPU")  # and for tinygrad, which compiles with clang
