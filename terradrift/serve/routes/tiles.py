"""Vector tiles: made once, kept, and never asked for twice by a browser."""

import gzip
from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from terradrift.serve import lists
from terradrift.serve.columns import changes as change_columns
from terradrift.serve.columns import events as event_columns
from terradrift.serve.columns import patches as patch_columns
from terradrift.serve.filters import Filters, filters, mask
from terradrift.serve.held import Generation, Held
from terradrift.serve.kept import Kept
from terradrift.serve.tiles import changes, events, patches
from terradrift.serve.tiles.place import Place

TILES_BYTES = 128 << 20
"""Of tiles that are kept, gzipped."""
_SQUEEZE = 1
"""Level of gzip: higher ones take four times as long for a tenth less."""
_FOREVER = "private, max-age=31536000, immutable"
_TYPE = "application/vnd.mapbox-vector-tile"


def router(held: Held) -> APIRouter:
    """`/tiles/{changes|patches|events}/{z}/{x}/{y}.mvt`."""
    routes = APIRouter()
    kept = Kept(TILES_BYTES, len)

    def answer(
        request: Request,
        layer: str,
        place: Place,
        asked: Filters,
        make: Callable[[Generation], bytes],
    ) -> Response:
        version = request.query_params.get("v")
        generation = held.at(version)
        key = (layer, generation.version, place, asked)
        body = kept.get(key, lambda: gzip.compress(make(generation), _SQUEEZE, mtime=0))
        return _sent(request, body, forever=version is not None)

    @routes.get("/tiles/changes/{z}/{x}/{y}.mvt", response_class=Response)
    def of_changes(
        request: Request,
        z: int,
        x: int,
        y: int,
        asked: Annotated[Filters, Depends(filters)],
    ) -> Response:
        """The changes that pass: points far out, squares near in."""
        place = Place.of(z, x, y)

        def make(now: Generation) -> bytes:
            passes = mask(held, now, asked)
            return changes.tile(change_columns.of(held, now), passes, place)

        return answer(request, "changes", place, asked, make)

    @routes.get("/tiles/patches/{z}/{x}/{y}.mvt", response_class=Response)
    def of_patches(request: Request, z: int, x: int, y: int) -> Response:
        """All patches: their regime, and whether they are judged."""
        place = Place.of(z, x, y)

        def make(now: Generation) -> bytes:
            return patches.tile(patch_columns.of(held, now), place)

        return answer(request, "patches", place, Filters(), make)

    @routes.get("/tiles/events/{z}/{x}/{y}.mvt", response_class=Response)
    def of_events(
        request: Request,
        z: int,
        x: int,
        y: int,
        asked: Annotated[Filters, Depends(filters)],
    ) -> Response:
        """Outlines of the events of which a change passes."""
        place = Place.of(z, x, y)

        def make(now: Generation) -> bytes:
            n = lists.passing(held, now, asked)
            return events.tile(event_columns.of(held, now), n, place)

        return answer(request, "events", place, asked, make)

    return routes


def _sent(request: Request, body: bytes, *, forever: bool) -> Response:
    """A gzipped tile as the visitor takes it, or that the one they have is still the same."""
    words = request.headers.get("accept-encoding", "").replace(" ", "").split(",")
    coding = "gzip" if "gzip" in words else "identity"
    # Bytes differ by coding, and a strong tag is of bytes.
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}-{coding}"'
    headers = {
        "etag": tag,
        "cache-control": _FOREVER if forever else "private, no-cache",
        "vary": "accept-encoding",
    }
    given = request.headers.get("if-none-match", "")
    if tag in (one.strip().removeprefix("W/") for one in given.split(",")):
        return Response(status_code=304, headers=headers)
    if coding == "gzip":
        headers["content-encoding"] = coding
    else:
        body = gzip.decompress(body)
    return Response(body, media_type=_TYPE, headers=headers)
