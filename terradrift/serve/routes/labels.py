"""What analysts say of changes and events."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from terradrift.serve.change import plain
from terradrift.serve.change.rows import Rows
from terradrift.serve.faults import Fault, NotThere
from terradrift.serve.held import Held
from terradrift.serve.search.said import Said, Verdict

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""Names are printed where the server ends, and a terminal would obey them."""
_Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Judgement(BaseModel):
    """The body of `POST /api/label`."""

    model_config = ConfigDict(extra="forbid")

    ids: list[_Id] = Field(min_length=1, max_length=1000)
    verdict: Verdict
    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)
    ]


def router(held: Held) -> APIRouter:
    """`/api/label` and `/api/labels`; what waits is written when the server ends."""
    said = Said.of(held)

    @asynccontextmanager
    async def life(_app: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await to_thread.run_sync(said.close)

    routes = APIRouter(lifespan=life)

    @routes.post("/api/label")
    def label(asked: _Judgement, v: str | None = None) -> dict[str, Any]:
        name = " ".join(asked.name.split())
        if _CONTROL.search(name):
            raise Fault("expected a name without control characters; type it anew")
        if asked.verdict != "none" and not held.read_only:
            there = Rows.of(held.at(v)).there(asked.ids)
            for one in asked.ids:
                if one not in there:
                    raise NotThere(
                        f"no change or event {one} in this archive; if it was there before, "
                        "detect was run again since: load the page anew"
                    )
        told = said.say(asked.ids, asked.verdict, name)
        labels = len(set(asked.ids)) - len(told.lost)
        if not labels:
            raise Fault(
                f"{told.lost[0].target_id} cannot be labelled: {told.lost[0].why}"
            )
        return {
            "labels": labels,
            "waiting": told.waiting,
            "why": told.why,
            "lost": [plain.row(asdict(one)) for one in told.lost],
        }

    @routes.get("/api/labels")
    def labels() -> dict[str, Any]:
        rows = said.standing()
        tally = Counter((row["name"], row["verdict"]) for row in rows)
        names = [
            {"name": one, "yes": tally[one, "yes"], "no": tally[one, "no"]}
            for one in sorted({row["name"] for row in rows})
        ]
        return {
            "names": names,
            "rows": [plain.row(row) for row in rows],
            "waiting": said.waiting,
            "why": said.why,
            "lost": [plain.row(asdict(one)) for one in said.lost],
        }

    return routes
