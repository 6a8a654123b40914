"""One writer per archive: an operating-system lock that vanishes with its process.

The lock is `flock` on a file in the archive's root, so `kill -9` frees it and no stale
file can hold anybody up. What the file says is only for the one who is refused.
"""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from terradrift.errors import ArchiveError, ArchiveLockedError

NAME = ".lock"

SHORT = ("label", "rename")
"""Verbs that hold the lock for a moment: whoever comes then waits for it, at most `PATIENCE`."""
PATIENCE = 5.0
"""Seconds."""
_LOOK_EVERY = 0.02


class WriterLock:
    """The right to write to one archive; the same thread may take it again inside itself."""

    def __init__(self, root: Path) -> None:
        self._path = root / NAME
        self._guard = threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        self._file = -1

    @contextmanager
    def hold(self, verb: str) -> Iterator[None]:
        """Hold the lock inside the block; waits where a short verb of another process has it.

        Raises:
            ArchiveLockedError: another process, thread or store object holds it.
            ArchiveError: the archive's folder cannot be written.
        """
        self._enter(verb)
        try:
            yield
        finally:
            self._leave()

    def _enter(self, verb: str) -> None:
        with self._guard:
            if self._owner is None:
                self._file = self._take(verb)
                self._owner = threading.get_ident()
            elif self._owner != threading.get_ident():
                raise ArchiveLockedError(_refusal(self._path))
            self._depth += 1

    def _leave(self) -> None:
        with self._guard:
            self._depth -= 1
            if self._depth == 0:
                self._owner = None
                os.close(self._file)

    def _take(self, verb: str) -> int:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ArchiveError(
                f"cannot write to the archive {self._path.parent}: {error.strerror}; "
                "check that the folder is there and yours to write"
            ) from error
        end = time.monotonic() + PATIENCE
        try:
            while not _locked(file):
                time.sleep(_LOOK_EVERY)  # whoever took it just now has to sign first
                # A label that is being written must not end a verb of hours.
                if _holder(self._path).get("verb") not in SHORT or (
                    time.monotonic() > end
                ):
                    os.close(file)
                    raise ArchiveLockedError(_refusal(self._path))
        except OSError as error:
            os.close(file)
            raise ArchiveError(
                f"cannot lock the archive {self._path.parent}: {error.strerror}; "
                "its file system must support flock"
            ) from error
        _sign(file, verb)
        return file


def _locked(file: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> dict[str, Any]:
    """What the holder says of itself; nothing where that cannot be read."""
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _sign(file: int, verb: str) -> None:
    """Write who holds the lock, for whoever is refused; a full disk is no obstacle."""
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "verb": verb,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(holder).encode(), 0)
    except OSError:
        return  # the lock itself needs no space, only its holder's name does


def _refusal(path: Path) -> str:
    words = f"the archive {path.parent} is being written to"
    try:
        holder = _holder(path)
        words += (
            f" by process {holder['pid']} on {holder['host']} "
            f"({holder['verb']}, since {holder['since']})"
        )
    except KeyError:
        words += " by another process"
    return f"{words}; wait until it ends, or stop it"
