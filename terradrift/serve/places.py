"""How many may do something at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from terradrift.serve.faults import Crowded


class Places:
    """So many at once; who comes meanwhile waits, and not for long."""

    def __init__(self, at_once: int, patience: float, what: str) -> None:
        """`patience` in seconds; `what` is done, in the plural."""
        self._free = threading.BoundedSemaphore(at_once)
        self._at_once = at_once
        self._patience = patience
        self._what = what

    @contextmanager
    def taken(self) -> Iterator[None]:
        """One of them inside the block.

        Raises:
            Crowded: none was free in time.
        """
        if not self._free.acquire(timeout=self._patience):
            raise Crowded(
                f"{self._at_once} {self._what} are under way, as many as there may be; "
                "ask again when one has ended"
            )
        try:
            yield
        finally:
            self._free.release()
