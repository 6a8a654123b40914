"""A small picture of the archive's ground, to lie under everything on the map."""

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from PIL import Image

from terradrift.archive.thumbnails_backdrop import Backdrop, Backdrops
from terradrift.report.pictures import lit, stretch
from terradrift.serve.change import plain
from terradrift.serve.change.rows import Rows
from terradrift.serve.chips.draw import png
from terradrift.serve.chips.pool import Pool
from terradrift.serve.faults import NotThere
from terradrift.serve.held import Generation, Held


def router(held: Held, pool: Pool) -> APIRouter:
    """`/api/background` and `/api/background.png`."""
    routes = APIRouter()

    @routes.get("/api/background")
    async def background(
        request: Request, v: str | None = None
    ) -> dict[str, Any] | None:
        """Null where there is none: the ground is too large, or no scene can be read."""
        generation, found = await pool.run(lambda: _of(held.at(v)), request)
        if found is None:
            return None
        return {
            "url": f"api/background.png?v={generation.version}",
            "coordinates": found.coordinates,
            "datetime": plain.instant(found.at),
        }

    @routes.get("/api/background.png", response_class=Response)
    async def picture(request: Request, v: str | None = None) -> Response:
        _, found = await pool.run(lambda: _of(held.at(v)), request)
        if found is None:
            raise NotThere("there is no picture of this archive's ground")
        made = await pool.run(lambda: _png(found), request)
        told = {"cache-control": "private, max-age=3600"}
        return Response(made, media_type="image/png", headers=told)

    return routes


def _of(generation: Generation) -> tuple[Generation, Backdrop | None]:
    rows = Rows.of(generation)
    if any(rows.table(base) is None for base in ("scenes", "patches", "embeddings")):
        return generation, None
    pictured = rows.pictured
    made = generation.once(
        "backdrop",
        lambda: Backdrops(
            generation.archive.store,
            generation.model,
            pictured.windows.pixels,
            pictured.windows.kept,
        ),
    )
    return generation, made.get()


def _png(found: Backdrop) -> bytes:
    """Colours stretched as those of chips; what no date showed clearly is transparent."""
    shown = np.moveaxis(found.pixels, 0, -1)
    ends = stretch([shown]) or (0.0, 1.0)
    alpha = np.where(np.isfinite(shown).all(-1), 255, 0).astype(np.uint8)
    return png(Image.fromarray(np.dstack([lit(shown, *ends), alpha])))
