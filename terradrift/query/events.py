"""Which of the ranked events to show, as one statement of SQL and its values (pure)."""

from typing import TYPE_CHECKING, Any

import shapely

from terradrift.errors import QueryError
from terradrift.query.where import Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

_ACROSS = "bbox.xmin > bbox.xmax"
_TALL = "bbox.ymin <= $north AND bbox.ymax >= $south"
_WIDE = "bbox.xmin <= $east {0} bbox.xmax >= $west"


def statement(
    limit: int | None = None,
    *,
    since: str | None = None,
    until: str | None = None,
    bbox: "str | tuple[float, float, float, float] | None" = None,
    within: "str | Path | Mapping[str, Any] | BaseGeometry | None" = None,
    kind: "int | Iterable[int] | None" = None,
    persistence: "str | Iterable[str] | None" = None,
) -> tuple[str, dict[str, Any]]:
    """A SELECT of the events that start from `since` to `until` (included), best first.

    `bbox` and `within` keep those whose shape's box, or shape, touches the place.

    Raises:
        QueryError: a condition that cannot be read.
    """
    between = f"{since or '..'}/{until or '..'}" if since or until else None
    for day in (since, until):
        if day is None:
            continue
        if not isinstance(day, str) or not day.strip(" .") or "/" in day:
            raise QueryError(
                f"expected a date such as 2018-05 or 2018-05-16, got {day!r}; pass that, or leave it out"
            )
    where = Where.parse(
        bbox=bbox, within=within, between=between, kind=kind, persistence=persistence
    )
    conditions: list[str] = []
    values: dict[str, Any] = {"n": limit}
    if where.period is not None:
        conditions.append("start >= $since AND start < $until")
        values |= {"since": where.period.start, "until": where.period.end}
    if where.bbox is not None:
        west, south, east, north = where.bbox
        plain = _WIDE.format("AND" if west <= east else "OR")
        across = _ACROSS if west > east else f"{_ACROSS} AND ({_WIDE.format('OR')})"
        conditions.append(f"{_TALL} AND (({plain}) OR ({across}))")
        values |= {"west": west, "south": south, "east": east, "north": north}
    if where.region is not None:
        conditions.append("within(geometry, $region)")
        values["region"] = shapely.to_geojson(where.region)
    if where.kinds:
        conditions.append("kind IN (SELECT unnest($kinds))")
        values["kinds"] = list(where.kinds)
    if where.persistence:
        conditions.append("persistence IN (SELECT unnest($persistence))")
        values["persistence"] = list(where.persistence)
    chosen = " AND ".join(f"({one})" for one in conditions) or "true"
    # Conditions are fixed words; what was given is bound.
    return f"SELECT * FROM events WHERE {chosen} ORDER BY rank LIMIT $n", values  # noqa: S608
