"""Pixels are read in a few threads of their own, so that the rest of the page never waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Event
from typing import Any, TypeVar

from fastapi import Request

from terradrift.archive.pixels_of import STOP
from terradrift.serve.faults import Crowded, Ended

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
        self._under_way: set[asyncio.Future[None]] = set()
        """One for each visitor; done where the server ends."""

    async def run(self, work: Callable[[], _Made], request: Request) -> _Made:
        """What `work` gives, in one of the threads; it is not begun if the visitor has left.

        Raises:
            Crowded: so many wait that this one would wait too long.
            Ended: the visitor has left, or the server ends.
        """
        if len(self._under_way) >= self._most:
            raise Crowded(
                "too many pictures or searches are asked for at once; ask again in a moment"
            )
        ended = asyncio.get_running_loop().create_future()
        self._under_way.add(ended)
        stop = Event()
        left = asyncio.ensure_future(_left(request))
        try:
            try:
                job = self._threads.submit(copy_context().run, _stoppable, work, stop)
            except RuntimeError as error:  # it was closed
                raise Ended(_ENDS) from error
            made = asyncio.wrap_future(job)
            try:
                either: set[asyncio.Future[Any]] = {made, left, ended}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if ended.done() or made.cancelled():
                    raise Ended(_ENDS)
                if not made.done() and job.cancel():
                    raise Ended("nobody waits for this any more")
                if not made.done():
                    stop.set()
                return await made
            finally:
                stop.set()
                made.cancel()
        finally:
            left.cancel()
            self._under_way.discard(ended)

    def close(self) -> None:
        """Tell all who wait that the server ends; work under way stops at the next scene."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for ended in list(self._under_way):
            ended.get_loop().call_soon_threadsafe(_end, ended)


_ENDS = "the server ends"


def _end(ended: "asyncio.Future[None]") -> None:
    if not ended.done():
        ended.set_result(None)


def _stoppable(work: Callable[[], _Made], stop: Event) -> _Made:
    STOP.set(stop)
    return work()


async def _left(request: Request) -> None:
    """Ends when the visitor goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        continue
