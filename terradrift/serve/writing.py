"""Who writes to the archive now, told without standing in anybody's way."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from terradrift.store.lock import NAME

_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class Writing:
    """What the process that holds the archive's lock said of itself."""

    verb: str
    since: str
    """Instant, ISO 8601."""


def now(root: Path) -> Writing | None:
    """Who writes to the archive at `root`; None: nobody else, or the system does not tell.

    The lock is never tried: a writer that comes at that instant would be refused. Linux
    lists who holds which lock.
    """
    path = root / NAME
    try:
        held = json.loads(path.read_text())
        pid, verb, since = int(held["pid"]), str(held["verb"]), str(held["since"])
        if pid == os.getpid() or not _holds(pid, path.stat().st_ino):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Writing(verb, since.replace("+00:00", "Z"))


def _holds(pid: int, inode: int) -> bool:
    """Whether the process holds a lock on the file; the file goes on to name its last holder."""
    for line in _LOCKS.read_text().splitlines():
        # "1: FLOCK  ADVISORY  WRITE 4242 08:01:1234567 0 EOF"; who waits has "->" before.
        words = line.split()
        if words[1] == "FLOCK" and words[4] == str(pid):
            return words[5].rpartition(":")[2] == str(inode)
    return False
