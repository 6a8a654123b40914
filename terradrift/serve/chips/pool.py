"""Pixels are read in a few threads of their own, so that the rest of the page never waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Request

from terradrift.serve.faults import Crowded, Fault

READERS = 4
"""Windows that are read at once; each opens its own files and closes them."""
MOST_WAITING = 64

_Made = TypeVar("_Made")


class Pool:
    """Threads for one sort of work; of one event loop at a time."""

    def __init__(
        self, readers: int = READERS, most_waiting: int = MOST_WAITING
    ) -> None:
        self._threads = ThreadPoolExecutor(readers, thread_name_prefix="chips")
        self._most = readers + most_waiting
        self._under_way = 0

    async def run(self, work: Callable[[], _Made], request: Request) -> _Made:
        """What `work` gives, in one of the threads; it is not begun if the visitor has left.

        Raises:
            Crowded: so many wait that this one would wait too long.
        """
        if self._under_way >= self._most:
            raise Crowded(
                "too many pictures or searches are asked for at once; ask again in a moment"
            )
        self._under_way += 1
        job = self._threads.submit(work)
        made = asyncio.wrap_future(job)
        left = asyncio.ensure_future(_left(request))
        try:
            either: set[asyncio.Future[Any]] = {made, left}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not made.done() and job.cancel():
                raise Fault("nobody waits for this any more")
            return await made
        finally:
            left.cancel()
            self._under_way -= 1


async def _left(request: Request) -> None:
    """Ends when the visitor goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        continue
