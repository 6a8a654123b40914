"""How many threads this process may use; small tasks get one BLAS thread each.

Barriers inside small BLAS calls cost 26 to 39 times on a machine that others use too, so
parallelism is over tiles, patches and queries, and each task runs single-threaded.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

NETWORK_THREADS = 2
"""Of a small network unless told otherwise: more wait for each other beside other work."""


def available() -> int:
    """Cores that the affinity mask and the cgroup quota leave to this process, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    cores = cores or os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass  # no cgroup v2 here: the affinity mask is the limit
    return cores


def resolve(threads: int | None) -> int:
    """The thread count to use: `threads`, or all that is available.

    Raises:
        ValueError: below 1.
    """
    if threads is None:
        return available()
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    return threads


@contextmanager
def single_blas() -> Iterator[None]:
    """Limit BLAS and OpenMP to one thread inside the block (process-wide).

    A bare machine for models has no threadpoolctl; OMP_NUM_THREADS=1 does the same there.
    """
    if find_spec("threadpoolctl") is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Threads within one operation of torch, inside the block (process-wide)."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
