"""Work for a visitor that goes on only as long as somebody waits for it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from fastapi import Request

_Made = TypeVar("_Made")

_THREADS = 16
"""For such work: what waits here must not keep tiles and lists waiting."""

_LIMITER: RunVar[CapacityLimiter] = RunVar("limiter")
"""One for each event loop."""


async def waited(
    work: Callable[[], _Made], stop: Callable[[], None], request: "Request"
) -> _Made:
    """What `work` gives in a thread; `stop` has it end soon, from another thread.

    It is stopped where the visitor goes away and where the server ends.

    Raises: as `work`.
    """
    found: list[_Made] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001 - raised below, outside the group
            failed.append(error)

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue
        stop()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            await to_thread.run_sync(run, abandon_on_cancel=True, limiter=_limiter())
        finally:
            if not found and not failed:
                stop()
        group.cancel_scope.cancel()
    if failed:
        raise failed[0]
    return found[0]


def _limiter() -> CapacityLimiter:
    try:
        return _LIMITER.get()
    except LookupError:
        _LIMITER.set(made := CapacityLimiter(_THREADS))
        return made
