"""Find changes like these; what to judge next; pages of what was found."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from terradrift.serve.chips.pool import Pool
from terradrift.serve.held import Held
from terradrift.serve.search.asking import Searches
from terradrift.serve.search.question import K_MAX, Similar, Uncertain
from terradrift.serve.search.said import Said

AT_ONCE = 2
"""Searches that run at once; each takes all processors that it may."""
WAITING = 32


def router(held: Held, pool: Pool) -> APIRouter:
    """`/api/similar`, `/api/uncertain` and `/api/search/...`."""
    routes = APIRouter()
    searches = Searches(held, Said.of(held))

    @routes.post("/api/similar")
    async def similar(
        asked: Similar, request: Request, v: str | None = None
    ) -> dict[str, Any]:
        return await pool.run(lambda: searches.similar(held.at(v), asked), request)

    @routes.post("/api/uncertain")
    async def uncertain(
        asked: Uncertain, request: Request, v: str | None = None
    ) -> dict[str, Any]:
        return await pool.run(lambda: searches.uncertain(held.at(v), asked), request)

    @routes.get("/api/search/{search}")
    def search(
        search: str,
        offset: Annotated[int, Query(ge=0, le=K_MAX)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        v: str | None = None,
    ) -> dict[str, Any]:
        return searches.page(held.at(v), search, offset, limit)

    return routes
