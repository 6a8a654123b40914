"""What a process is held to beside DuckDB's own limit: DuckDB does not count all it takes."""

import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

from terradrift.query.sql import sandbox

MARGIN_BYTES = 1 << 30
"""Memory beside DuckDB's: of Lance, Arrow, Python and the answer itself."""

_STATUS = Path("/proc/self/status")
_EVERY = 0.05
"""Seconds from look to look."""


def bound_memory(memory_bytes: int | None, over: Callable[[], None]) -> int | None:
    """Call `over` once this process takes `memory_bytes` and `MARGIN_BYTES` more than now.

    A margin beyond that every allocation fails, for good: so does one that is too large by
    itself, which DuckDB tells in a line. Counted is what can be written to and not files
    that are mapped (Linux's RLIMIT_DATA). `memory_bytes` None: half of the machine's.
    Returns the bound in bytes, None where the system does not tell what a process takes.
    """
    held = _taken()
    if held is None:
        return None
    bound = held + (memory_bytes or sandbox.half_of_memory()) + MARGIN_BYTES
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or most > bound + MARGIN_BYTES:
        resource.setrlimit(resource.RLIMIT_DATA, (bound + MARGIN_BYTES, most))

    def look() -> None:
        while (_taken() or 0) <= bound:
            time.sleep(_EVERY)
        over()

    threading.Thread(target=look, daemon=True).start()
    return bound


def _taken() -> int | None:
    """Bytes of memory that the process may write to; None: not Linux."""
    try:
        status = _STATUS.read_text()
    except OSError:
        return None
    (line,) = (line for line in status.splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024
