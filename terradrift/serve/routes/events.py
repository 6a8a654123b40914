"""Lists of events and changes, how many pass, and which lies at a place."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from terradrift.serve import lists
from terradrift.serve.columns import changes as columns
from terradrift.serve.columns import nearest
from terradrift.serve.filters import Filters, filters, mask
from terradrift.serve.held import Held
from terradrift.serve.lists import ChangeSort, EventSort

_Asked = Annotated[Filters, Depends(filters)]
_Offset = Annotated[int, Query(ge=0, le=1 << 31)]
_Limit = Annotated[int, Query(ge=0, le=1000)]

REACH_M = 2_000_000.0
"""How far from a place a change is looked for, at most."""


def router(held: Held) -> APIRouter:
    """`/api/events`, `/api/changes`, `/api/count` and `/api/at`."""
    routes = APIRouter()

    @routes.get("/api/events")
    def events(
        asked: _Asked,
        sort: EventSort = "rank",
        offset: _Offset = 0,
        limit: _Limit = 100,
        v: str | None = None,
    ) -> dict[str, Any]:
        """A page of the events of which a change passes."""
        return lists.events(
            held, held.at(v), asked, sort=sort, offset=offset, limit=limit
        )

    @routes.get("/api/changes")
    def changes(
        asked: _Asked,
        sort: ChangeSort = "score",
        offset: _Offset = 0,
        limit: _Limit = 100,
        v: str | None = None,
    ) -> dict[str, Any]:
        """A page of the changes that pass."""
        return lists.changes(
            held, held.at(v), asked, sort=sort, offset=offset, limit=limit
        )

    @routes.get("/api/count")
    def count(asked: _Asked, v: str | None = None) -> dict[str, Any]:
        """How many changes and events pass, and of which months, kinds and persistence."""
        return lists.counts(held, held.at(v), asked)

    @routes.get("/api/at")
    def at(
        asked: _Asked,
        longitude: Annotated[float, Query(ge=-540, le=540)],
        latitude: Annotated[float, Query(ge=-90, le=90)],
        metres: Annotated[float, Query(ge=0, le=REACH_M)] = 0.0,
        v: str | None = None,
    ) -> dict[str, Any]:
        """The change whose patch is nearest to a place, of those that pass."""
        generation = held.at(v)
        found = columns.of(held, generation)
        passes = mask(held, generation, asked)
        turned = (longitude + 180) % 360 - 180
        place = nearest.at(found, passes, turned, latitude, metres)
        if place is None:
            return {"change_id": None}
        (change_id,) = found.change_id.slice(place, 1).to_pylist()
        return {"change_id": change_id}

    return routes
