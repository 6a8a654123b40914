"""What passes the filters, as a file for other tools."""

import threading
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from terradrift.query import write
from terradrift.serve import picked
from terradrift.serve.faults import Fault
from terradrift.serve.filters import Filters, filters
from terradrift.serve.held import Generation, Held
from terradrift.serve.places import Places
from terradrift.serve.sent import Sent, made
from terradrift.serve.waited import waited

AT_ONCE = 2
PATIENCE = 30.0
"""Seconds that a download waits for its turn."""


def router(held: Held) -> APIRouter:
    """`/api/download`."""
    routes = APIRouter()
    places = Places(AT_ONCE, PATIENCE, "downloads")

    @routes.get("/api/download")
    async def download(
        request: Request,
        *,
        asked: Annotated[Filters, Depends(filters)],
        what: Literal["changes", "events"],
        format: Literal["parquet", "gpkg", "fgb", "geojson", "csv"],  # noqa: A002 - of the interface
        v: str | None = None,
        vectors: bool = False,
    ) -> Sent:
        """Changes that pass the filters, or the events that they are of.

        Matches of a search keep order, rank and distance. Vectors are there where they are
        asked for, in GeoParquet alone.
        """
        if vectors and (what, format) != ("changes", "parquet"):
            raise Fault(
                f"expected vectors of changes in parquet, got {what} in {format}; "
                "leave vectors out"
            )
        now = await run_in_threadpool(held.at, v)
        with made(f"{held.root.resolve().stem}-{what}.{format}") as (path, send):
            job = _Job(held, now, asked, path, vectors=vectors)
            work = job.changes if what == "changes" else job.events

            def take_turn() -> int:
                with places.taken(job.stopped):
                    return work()

            rows = await waited(take_turn, job.stop, request)
            note = None
            if what == "changes" and not vectors:
                left = await run_in_threadpool(picked.left_out, now)
                note = f"left out: {', '.join(left)} (vectors)"
            return send(rows, note)

    return routes


class _Job:
    """One file on its way."""

    def __init__(
        self,
        held: Held,
        generation: Generation,
        asked: Filters,
        path: Path,
        *,
        vectors: bool,
    ) -> None:
        self._held, self._generation, self._asked = held, generation, asked
        self._path, self._vectors = path, vectors
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Have it end at the next batch."""
        self._stopped.set()

    def stopped(self) -> bool:
        """Whether it is to end."""
        return self._stopped.is_set()

    def changes(self) -> int:
        """Write changes; returns how many."""
        rows = picked.changes(
            self._held,
            self._generation,
            self._asked,
            vectors=self._vectors,
            stopped=self.stopped,
        )
        return write.write(rows, self._path)

    def events(self) -> int:
        """Write events; returns how many."""
        rows = picked.events(
            self._held, self._generation, self._asked, stopped=self.stopped
        )
        return write.write(rows, self._path)
