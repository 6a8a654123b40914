"""SQL with the safety of the shell: one SELECT, in a process that cannot harm the server."""

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

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

_ROWS = 500
"""Of an answer that are put into words at a time."""


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
    async def sql(asked: _Shown, request: Request) -> StreamingResponse:
        """Rows of one SELECT, at most `limit`; `note` says where there are more."""
        start = time.perf_counter()
        bounds = limits.shown(asked.limit)
        answer = await asking.answer(
            *(request, asked.text, bounds, asked.values),
            v=asked.v,
            most_bytes=limits.JSON_BYTES,
        )
        seconds = time.perf_counter() - start
        # Piece by piece: as values of Python all rows take several times as much.
        return StreamingResponse(_body(answer, seconds), media_type="application/json")

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


def _body(answer: Answer, seconds: float) -> Iterator[bytes]:
    """The answer as JSON, in parts."""
    if answer.rows is None:
        raise AssertionError("rows are handed over where no path is given")
    names = answer.rows.column_names
    told = {
        "columns": [
            {"name": name, "type": kind}
            for name, kind in zip(names, answer.types, strict=True)
        ],
        "note": answer.note,
        "seconds": round(seconds, 3),
    }
    yield _json(told)[:-1] + b', "rows": ['
    begun = False
    for batch in answer.rows.to_batches(max_chunksize=_ROWS):
        rows = _json([list(record.values()) for record in records(batch)])
        yield (b", " if begun else b"") + rows[1:-1]
        begun = True
    yield b"]}"


def _json(tree: Any) -> bytes:  # noqa: ANN401 - what JSON holds
    return json.dumps(tree, ensure_ascii=False).encode()


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
