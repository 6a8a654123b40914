"""The application: routes, static files, and how faults are told."""

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from terradrift.errors import TerradriftError
from terradrift.serve.faults import Fault
from terradrift.serve.held import Held
from terradrift.serve.routes import about

STATIC = Path(__file__).parent / "static"


def application(held: Held) -> FastAPI:
    """An ASGI application that serves one archive."""
    app = FastAPI(title="terradrift", docs_url=None, redoc_url=None)
    for part in (about,):
        app.include_router(part.router(held))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.exception_handler(Fault)
    def fault(_request: Request, error: Fault) -> JSONResponse:
        return JSONResponse({"error": str(error)}, error.status)

    @app.exception_handler(TerradriftError)
    def refused(_request: Request, error: TerradriftError) -> JSONResponse:
        return JSONResponse({"error": " ".join(str(error).split())}, 400)

    return app
