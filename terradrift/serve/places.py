"""How many may do something at once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from terradrift.serve.faults import Crowded, Ended

_LOOK_EVERY = 0.1
"""Seconds between looks whether anybody still waits."""


class Places:
    """So many at once; who comes meanwhile waits, and not for long."""

    def __init__(self, at_once: int, patience: float, what: str) -> None:
        """`patience` in seconds; `what` is done, in the plural."""
        self._free = threading.BoundedSemaphore(at_once)
        self._at_once = at_once
        self._patience = patience
        self._what = what

    @contextmanager
    def taken(self, stopped: Callable[[], bool]) -> Iterator[None]:
        """One of them inside the block; `stopped` says that nobody waits for it any more.

        Raises:
            Crowded: none was free in time.
            Ended: it was stopped.
        """
        last = time.monotonic() + self._patience
        while not self._free.acquire(timeout=min(_LOOK_EVERY, self._patience)):
            if stopped():
                raise Ended("nobody waits for it any more")
            if time.monotonic() >= last:
                raise Crowded(
                    f"{self._at_once} {self._what} are under way, as many as there may "
                    "be; ask again when one has ended"
                )
        try:
            yield
        finally:
            self._free.release()
