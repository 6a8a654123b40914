"""Pixels are read in a few threads of their own, so that the rest of the page never waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from terradrift.serve.faults import Crowded

READERS = 4
"""Windows that are read at once; each opens its own files and closes them."""
MOST_WAITING = 64

_Made = TypeVar("_Made")


class Pool:
    """Threads that read pixels; of one event loop at a time."""

    def __init__(
        self, readers: int = READERS, most_waiting: int = MOST_WAITING
    ) -> None:
        self._threads = ThreadPoolExecutor(readers, thread_name_prefix="chips")
        self._most = readers + most_waiting
        self._under_way = 0

    async def run(self, work: Callable[[], _Made]) -> _Made:
        """What `work` gives, in one of the threads.

        Raises:
            Crowded: so many wait that this one would wait too long.
        """
        if self._under_way >= self._most:
            raise Crowded("too many pictures are being read; ask again in a moment")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._under_way -= 1
