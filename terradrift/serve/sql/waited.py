"""Waiting for an answer only as long as somebody wants it."""

from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

if TYPE_CHECKING:
    from fastapi import Request

    from terradrift.query.sql.apart import Answer
    from terradrift.serve.sql.spares import Asked


async def answered(asked: "Asked", request: "Request") -> "Answer":
    """The answer; the question is stopped where the visitor goes away or the server ends.

    Raises: as `Asked.answer`.
    """
    found: list[Answer | Exception] = []

    def ask() -> None:
        try:
            found.append(asked.answer())
        except Exception as error:  # noqa: BLE001 - raised below, outside the group
            found.append(error)

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue
        asked.stop()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            await to_thread.run_sync(ask, abandon_on_cancel=True)
        finally:
            if not found:
                asked.stop()
        group.cancel_scope.cancel()
    (answer,) = found
    if isinstance(answer, Exception):
        raise answer
    return answer
