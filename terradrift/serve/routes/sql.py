"""SQL with the safety of the shell: one SELECT, in a process that cannot harm the server."""

import json
import time
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from terradrift.query.flat import records
from terradrift.query.sql import described
from terradrift.query.sql.apart import Answer
from terradrift.query.sql.meanings import UNITS
from terradrift.query.sql.meanings.functions import FUNCTIONS
from terradrift.serve.held import Held
from terradrift.serve.sent import Format, Sent, made
from terradrift.serve.sql import limits
from terradrift.serve.sql.asking import Asking
from terradrift.serve.sql.spares import Spares


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    values: dict[str, Any] = Field(default_factory=dict)
    """Of `$name` in the text."""
    v: str | None = None
    """Generation that is asked; None: the archive as it is now."""


class _Shown(_Asked):
    limit: Annotated[int, Field(ge=1, le=limits.MOST_ROWS)] = limits.ROWS


class _Written(_Asked):
    format: Format
    limit: Annotated[int | None, Field(ge=1)] = None


def router(held: Held, spares: Spares) -> APIRouter:
    """`/api/sql`, `/api/sql/schema` and `/api/sql/download`."""
    routes = APIRouter()
    asking = Asking(held, spares)

    @routes.post("/api/sql")
    async def sql(asked: _Shown, request: Request) -> Response:
        """Rows of one SELECT, at most `limit`; `note` says where there are more."""
        start = time.perf_counter()
        bounds = limits.shown(asked.limit)
        answer = await asking.answer(
            request, asked.text, bounds, asked.values, v=asked.v
        )
        seconds = time.perf_counter() - start
        body = await run_in_threadpool(_body, answer, seconds)
        return Response(body, media_type="application/json")

    @routes.get("/api/sql/schema")
    def schema() -> dict[str, Any]:
        """Views and functions: what rows, columns and units are."""
        return _schema()

    @routes.post("/api/sql/download")
    async def download(asked: _Written, request: Request) -> Sent:
        """The rows of one SELECT as a file; all of them where there is no `limit`."""
        with made(f"{held.root.resolve().stem}-sql.{asked.format}") as (path, send):
            bounds = limits.written(asked.limit)
            answer = await asking.answer(
                request, asked.text, bounds, asked.values, v=asked.v, path=path
            )
            return send(answer.count, answer.note)

    return routes


def _body(answer: Answer, seconds: float) -> bytes:
    if answer.rows is None:
        raise AssertionError("rows are handed over where no path is given")
    names = answer.rows.column_names
    told = {
        "columns": [
            {"name": name, "type": kind}
            for name, kind in zip(names, answer.types, strict=True)
        ],
        "rows": [
            list(record.values())
            for batch in answer.rows.to_batches()
            for record in records(batch)
        ],
        "note": answer.note,
        "seconds": round(seconds, 3),
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _schema() -> dict[str, Any]:
    return {
        "views": [_view(name) for name in described.VIEWS],
        "functions": [
            {
                "name": name,
                "call": told.call,
                "gives": told.gives,
                "meaning": told.meaning,
            }
            for name, told in FUNCTIONS.items()
        ],
        "units": dict(UNITS),
    }


def _view(name: str) -> dict[str, Any]:
    view, types = described.VIEWS[name], described.types(name)
    return {
        "name": name,
        "row": view.row,
        "key": list(view.key),
        "columns": [
            {
                "name": column,
                "type": types[column],
                "unit": told.unit,
                "meaning": told.meaning,
                "source": told.source,
                "null": told.null,
            }
            for column, told in view.columns.items()
        ],
    }
