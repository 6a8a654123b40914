"""Which of the ranked events to show, as one statement of SQL and its values (pure)."""

from typing import TYPE_CHECKING, Any

import shapely

from terradrift.query import checked
from terradrift.query.where import Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

_DATE = "a date such as 2018-05 or 2018-05-16"
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
    if limit is not None:
        checked.whole("limit", limit)
        if limit < 0:
            raise checked.wrong("limit", "0 rows or more", limit)
    between = _between(since, until)
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


def _between(since: str | None, until: str | None) -> str | None:
    """The period of both ends, either of which may be open."""
    for name, day in (("since", since), ("until", until)):
        if day is not None:
            checked.text(name, day, form=_DATE)
            if "/" in day or not day.strip(" ."):
                raise checked.wrong(name, _DATE, day)
    return f"{since or '..'}/{until or '..'}" if since or until else None
