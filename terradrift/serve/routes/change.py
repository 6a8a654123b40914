"""One change, one event, one patch: what is known, its series, its chips, its spectra."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from terradrift.archive.thumbnails_shown import NEEDED
from terradrift.serve.change import detail, series
from terradrift.serve.change.rows import Row, Rows
from terradrift.serve.chips import draw, shown
from terradrift.serve.chips.pool import Pool
from terradrift.serve.held import Held
from terradrift.serve.search.said import Said

_KEEP = {"cache-control": "private, max-age=300"}
"""A chip stays, unless its scene comes or goes."""

Size = Annotated[int, Query(ge=64, le=1024)]


def router(held: Held, pool: Pool) -> APIRouter:
    """`/api/change/...`, `/api/event/...` and `/api/patch/...`."""
    routes = APIRouter()
    said = Said.of(held)

    def asked(change_id: str, v: str | None) -> tuple[Rows, Row, list[Row]]:
        """The tables, the change, and the other changes of its patch."""
        rows = Rows.of(held.at(v))
        change = rows.change(change_id)
        beside = rows.changes_of("patch_id", change["patch_id"], NEEDED)
        return rows, change, [one for one in beside if one["change_id"] != change_id]

    @routes.get("/api/change/{change_id}")
    def change(change_id: str, v: str | None = None) -> dict[str, Any]:
        rows, row, beside = asked(change_id, v)
        return {
            **detail.of_change(rows, row, said.standing()),
            "chips": shown.facts(rows, row, beside),
        }

    @routes.get("/api/change/{change_id}/series")
    def change_series(change_id: str, v: str | None = None) -> dict[str, Any]:
        rows = Rows.of(held.at(v))
        return series.of_change(rows, rows.change(change_id))

    @routes.get("/api/change/{change_id}/chip/{which}.png", response_class=Response)
    async def chip(
        change_id: str,
        which: draw.Which,
        request: Request,
        size: Size = 300,
        v: str | None = None,
    ) -> Response:
        made = await pool.run(
            lambda: shown.chip(*asked(change_id, v), which, size), request
        )
        told = {**_KEEP, "x-meaning": made.meaning}
        return Response(made.png, media_type="image/png", headers=told)

    @routes.get("/api/change/{change_id}/spectra")
    async def spectra(
        change_id: str, request: Request, v: str | None = None
    ) -> dict[str, Any]:
        return await pool.run(lambda: shown.bands(*asked(change_id, v)), request)

    @routes.get("/api/event/{event_id}")
    def event(event_id: str, v: str | None = None) -> dict[str, Any]:
        rows = Rows.of(held.at(v))
        return detail.of_event(rows, rows.event(event_id))

    @routes.get("/api/patch/{patch_id}")
    def patch(patch_id: str, v: str | None = None) -> dict[str, Any]:
        rows = Rows.of(held.at(v))
        return detail.of_patch(rows, rows.patch(patch_id))

    @routes.get("/api/patch/{patch_id}/series")
    def patch_series(patch_id: str, v: str | None = None) -> dict[str, Any]:
        rows = Rows.of(held.at(v))
        return series.of_patch(rows, rows.patch(patch_id))

    return routes
