"""A Ray cluster: what is asked of it, how it is reached, and what it has to give."""

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

from terradrift import threads as cores
from terradrift.errors import ArchiveError

_KNOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to embed, and with what."""

    address: str
    """`auto` (one that runs on this machine), `local` (made for this run), `ray://...`."""
    workers: int | None = None
    """None: as many as there is room for."""
    gpus: float = 0.0
    """Part of a GPU per worker, or whole ones; 0: they compute on the CPU."""
    threads: int | None = None
    """Threads, and CPUs reserved, per worker; None: an equal share."""


@dataclass(frozen=True, slots=True)
class Share:
    """How the cluster is divided."""

    workers: int
    threads: int
    gpus: float

    def device(self, asked: str) -> str:
        """The device that a worker computes on: never another than it has reserved.

        Raises:
            ArchiveError: CUDA is asked for and no part of a GPU.
        """
        if asked.startswith("cuda") and not self.gpus:
            raise ArchiveError(
                f"--device {asked} on a cluster needs a part of a GPU per worker; pass "
                "--ray-gpus, such as 0.5"
            )
        if asked == "auto":
            return "cuda" if self.gpus else "cpu"
        return asked


def imported() -> ModuleType:
    """The module `ray`.

    Raises:
        ArchiveError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ArchiveError(
            "embedding on a cluster needs Ray, which is not installed; "
            "pip install 'terradrift[ray]', or leave --ray out"
        ) from error
    found: ModuleType = ray
    return found


def share(asked: Cluster, cpus: int, gpus: float) -> Share:
    """Workers and threads for a cluster of so many CPUs and GPUs.

    Raises:
        ArchiveError: there is less than was asked for.
    """
    if asked.gpus < 0 or (asked.gpus > 1 and asked.gpus != int(asked.gpus)):
        raise ArchiveError(
            "GPUs per worker must be a part of one or whole ones, "
            f"got --ray-gpus {asked.gpus:g}"
        )
    room = max(1, cpus // (asked.threads or 1))
    if asked.gpus:
        # Parts of a GPU are of one GPU: of three workers with 0.4 the third gets another.
        each = int(1 / asked.gpus + 1e-9) if asked.gpus < 1 else 1 / asked.gpus
        room = min(room, int(gpus * each + 1e-9))
    workers = asked.workers or max(1, room)
    threads = asked.threads or max(1, cpus // workers)
    if workers > room or workers * threads > cpus:
        wants = f"{workers} workers with {threads} threads"
        wants += f" and {asked.gpus:g} GPUs" if asked.gpus else ""
        raise ArchiveError(
            f"the Ray cluster at {asked.address} has {cpus} CPUs and {gpus:g} GPUs, which "
            f"is too few for {wants} each; pass other --ray-workers, --threads or --ray-gpus"
        )
    return Share(workers, threads, asked.gpus)


@contextmanager
def connected(asked: Cluster) -> Iterator[tuple[ModuleType, Share]]:
    """Ray, and how its cluster is divided; a connection of the caller's own is used.

    Raises:
        ArchiveError: Ray is not installed, no cluster answers, or it has too little.
    """
    ray = imported()
    ours = not ray.is_initialized()
    try:
        if ours:
            _connect(ray, asked.address)
        has = ray.cluster_resources()
        yield ray, share(asked, int(has.get("CPU", 0)), float(has.get("GPU", 0)))
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: ModuleType, address: str) -> None:
    # Nothing is told to anybody, and workers without a GPU are left their environment.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    here = address == "local"
    options = {"num_cpus": cores.available(), "include_dashboard": False}
    try:
        _knock(address)
        with warnings.catch_warnings():
            # Ray's own processes are forked but replace themselves at once.
            warnings.filterwarnings("ignore", "lance is not fork-safe", UserWarning)
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level="error",
                **(options if here else {}),
            )
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ArchiveError(
            f"no Ray cluster answers at {address!r}: {reason[0]}; start one with "
            "ray start --head, or pass --ray local"
        ) from error


def _knock(address: str) -> None:
    """Fail at once where nobody listens; Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()
