"""What a visitor searches for, in the words of `Archive.similar` (pure)."""

import hashlib
import json
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from shapely.geometry.base import BaseGeometry

from terradrift.query import tables
from terradrift.serve.faults import Fault
from terradrift.serve.filters import Filters

K_MAX = 10_000
"""Matches of one search at most: hundreds of searches are kept."""
_MOST_IDS = 5000
NO_KIND = -1

Mode = Literal["delta", "reverse", "after", "before", "before-after", "after-before"]


class Conditions(BaseModel):
    """The filters of a page as JSON; the same as those of a query string."""

    model_config = ConfigDict(extra="forbid")

    since: date | None = None
    until: date | None = None
    kind: list[int] = Field(default_factory=list, max_length=1000)
    persistence: list[str] = Field(default_factory=list, max_length=16)
    min_score: float | None = Field(None, ge=0, allow_inf_nan=False)
    event: str | None = Field(None, max_length=200)
    region: str | None = Field(None, max_length=200)

    @field_validator("kind", "persistence", mode="before")
    @classmethod
    def _several(cls, given: Any) -> Any:  # noqa: ANN401 - checked after this
        """One value stands for a list of it, null for none."""
        if given is None:
            return []
        return given if isinstance(given, list) else [given]

    def filters(self) -> Filters:
        """The same as the map has them.

        Raises:
            Fault: the period ends before it begins.
        """
        if self.since and self.until and self.until < self.since:
            raise Fault(
                f"expected a period, got {self.since} to {self.until}; swap them"
            )
        return Filters(
            since=self.since,
            until=self.until,
            kinds=tuple(sorted(set(self.kind))),
            persistence=tuple(sorted(set(self.persistence))),
            min_score=self.min_score or 0.0,
            event=self.event,
            region=self.region,
        )


class Asked(BaseModel):
    """How rows are compared, how many are wanted, and of which."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode = "delta"
    k: int = Field(50, ge=1, le=K_MAX)
    filters: Conditions = Field(default_factory=lambda: Conditions.model_validate({}))


class Similar(Asked):
    """The body of `POST /api/similar`."""

    change: str | None = Field(None, max_length=200)
    event: str | None = Field(None, max_length=200)
    like: list[str] = Field(default_factory=list, max_length=_MOST_IDS)
    unlike: list[str] = Field(default_factory=list, max_length=_MOST_IDS)
    labels: str | None = Field(None, max_length=200)
    exclude: Literal["event", "self", "none"] | None = None


class Uncertain(Asked):
    """The body of `POST /api/uncertain`."""

    name: str = Field(max_length=200)
    k: int = Field(20, ge=1, le=1000)


def conditions(given: Filters, region: BaseGeometry | None) -> dict[str, Any]:
    """Arguments of `Archive.similar` and `Archive.uncertain` that ask for the same rows.

    `region` is what the name of the filters' region stands for.
    """
    found: dict[str, Any] = {}
    if given.since or given.until:
        found["between"] = f"{given.since or '..'}/{given.until or '..'}"
    if given.persistence:
        found["persistence"] = given.persistence
    if given.min_score > 0:
        found["min_score"] = given.min_score
    if region is not None:
        found["within"] = region
    sql = []
    if given.kinds and NO_KIND not in given.kinds:
        found["kind"] = given.kinds
    elif given.kinds:
        # Only whole numbers are written into it.
        listed = ", ".join(str(int(one)) for one in given.kinds if one != NO_KIND)
        sql.append(f"kind IS NULL OR kind IN ({listed})" if listed else "kind IS NULL")
    if given.event is not None:
        sql.append(f"event_id = {tables.literal(given.event)}")
    if sql:
        found["where"] = " AND ".join(f"({one})" for one in sql)
    return found


def name(*told: object) -> str:
    """A name for a search: the same for the same question of the same tables."""
    text = json.dumps(told, default=str, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
