"""The application: routes, static files, and how faults are told."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Scope

from terradrift import __version__
from terradrift.errors import ArchiveLockedError, TerradriftError
from terradrift.serve.chips.pool import Pool
from terradrift.serve.faults import Busy, Fault
from terradrift.serve.held import Held
from terradrift.serve.lost import Anew, is_lost
from terradrift.serve.routes import (
    about,
    background,
    change,
    download,
    events,
    labels,
    regions,
    search,
    sql,
    tiles,
)
from terradrift.serve.sql.spares import Spares
from terradrift.serve.warm import FIRST_VIEW

STATIC = Path(__file__).parent / "static"


class _Static(StaticFiles):
    """Files of the page; a browser asks whether they are still the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.setdefault("cache-control", "no-cache")
        return response


def application(held: Held) -> FastAPI:
    """An ASGI application that serves one archive, without the walls of `guard.Guard`."""
    spares = Spares()
    pictures, backdrop = Pool(), Pool(readers=1)
    searches = Pool(search.AT_ONCE, search.WAITING)

    def close() -> None:
        for one in (spares, pictures, backdrop, searches):
            one.close()

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        later = threading.Timer(FIRST_VIEW, spares.start)
        later.start()
        try:
            yield
        finally:
            later.cancel()
            later.join()
            close()

    app = FastAPI(
        title="terradrift",
        lifespan=life,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    for part in (about, download, labels, tiles, events, regions):
        app.include_router(part.router(held))
    app.include_router(change.router(held, pictures))
    app.include_router(background.router(held, backdrop))
    app.include_router(search.router(held, searches))
    app.include_router(sql.router(held, spares))
    app.state.close = close
    app.add_middleware(Anew)
    app.mount("/static", _Static(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(
            STATIC / "index.html", headers={"cache-control": "no-cache"}
        )

    _tell_faults(app)
    return app


def _tell_faults(app: FastAPI) -> None:
    """Every answer that is none is one line of JSON, never a traceback."""

    @app.exception_handler(Fault)
    def fault(_request: Request, error: Fault) -> JSONResponse:
        return _told(str(error), error.status)

    @app.exception_handler(TerradriftError)
    def refused(_request: Request, error: TerradriftError) -> JSONResponse:
        if is_lost(error):
            raise error  # to `Anew`
        return _told(str(error), 400)

    @app.exception_handler(ArchiveLockedError)
    def locked(_request: Request, error: ArchiveLockedError) -> JSONResponse:
        return _told(str(error), Busy.status)

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return _told("; ".join(map(_words, error.errors())), 422)

    @app.exception_handler(HTTPException)
    def status(_request: Request, error: HTTPException) -> JSONResponse:
        return _told(str(error.detail), error.status_code)

    @app.exception_handler(Exception)
    def failed(_request: Request, error: Exception) -> JSONResponse:
        # Where it broke stands in the server's own output.
        return _told(f"the server failed ({type(error).__name__}); see its output", 500)


def _told(words: str, status: int) -> JSONResponse:
    return JSONResponse({"error": " ".join(words.split())}, status)


def _words(problem: dict[str, object]) -> str:
    """One of FastAPI's findings: which part of the question, and what is wrong with it."""
    if problem.get("type") == "json_invalid":
        return "expected a body of JSON"
    place = problem.get("loc")
    parts = [str(part) for part in place[1:]] if isinstance(place, tuple) else []
    return f"{'.'.join(parts) or 'the body'}: {problem.get('msg', 'not valid')}"
