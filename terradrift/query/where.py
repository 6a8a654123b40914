"""What rows a search may return: place, period, kind, score, persistence (pure).

One filter in two parts: a condition on plain columns that Lance evaluates while it scans,
and an exact test of polygons on the rows that pass it.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Integral
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terradrift.errors import QueryError
from terradrift.period import Period
from terradrift.query import checked
from terradrift.query import region as regions
from terradrift.query.region import Bbox

_ENDS = 2

PERSISTENCE = ("persistent", "transient", "gradual", "seasonal")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Where:
    """Conditions that all must hold; those left out ask for nothing."""

    region: BaseGeometry | None = None
    """Degrees; a row is inside where its square touches the region."""
    bbox: Bbox | None = None
    """West, south, east, north in degrees; west > east crosses the antimeridian."""
    period: Period | None = None
    """Of `onset` for changes, of `datetime` for observations."""
    kinds: tuple[int, ...] = ()
    persistence: tuple[str, ...] = ()
    min_score: float | None = None
    sql: str | None = None
    """A condition in SQL on the columns of the view."""

    @classmethod
    def parse(
        cls,
        *,
        within: Any = None,  # noqa: ANN401 - see `region.parse`
        bbox: "str | tuple[float, ...] | list[float] | None" = None,
        between: "str | Period | tuple[str, str] | None" = None,
        kind: "int | Iterable[int] | None" = None,
        persistence: "str | Iterable[str] | None" = None,
        min_score: float | None = None,
        where: str | None = None,
    ) -> "Where":
        """Read the conditions as users write them.

        Raises:
            QueryError: one of them cannot be read; the message says which and how.
        """
        return cls(
            region=None if within is None else regions.parse(within),
            bbox=None if bbox is None else regions.parse_bbox(bbox),
            period=None if between is None else _period(between),
            kinds=() if kind is None else _kinds(kind),
            persistence=() if persistence is None else _persistence(persistence),
            min_score=None if min_score is None else _score(min_score),
            sql=None if where is None else _sql(where),
        )

    def scalar(self, instant: str, columns: Collection[str]) -> str | None:
        """The conditions on plain columns in Lance's SQL; `instant` is the date column.

        A region stands here as its box. Only numbers and dates are written into it, and
        words of a fixed list.

        Raises:
            QueryError: a condition on a column that the table does not have.
        """
        self._check(columns)
        boxes = [self.bbox] if self.bbox else []
        if self.region is not None:
            boxes.append(self.region.bounds)
        parts = [_touches(box) for box in boxes if "bbox" in columns]
        if self.period is not None:
            start, end = _instant(self.period.start), _instant(self.period.end)
            parts.append(f"{instant} >= {start} AND {instant} < {end}")
        if self.kinds:
            parts.append(f"kind IN ({', '.join(map(str, self.kinds))})")
        if self.persistence:
            words = ", ".join(f"'{word}'" for word in self.persistence)
            parts.append(f"persistence IN ({words})")
        if self.min_score is not None:
            parts.append(f"score >= {self.min_score!r}")
        return " AND ".join(f"({part})" for part in parts) or None

    def touched(self, geometry: Iterable[bytes | None]) -> NDArray[np.bool_]:
        """Which WKB geometries (degrees) touch the region; all where there is none."""
        shapes = shapely.from_wkb(np.asarray(list(geometry), dtype=object))
        if self.region is None:
            return np.ones(len(shapes), bool)
        shapely.prepare(self.region)
        touched: NDArray[np.bool_] = shapely.intersects(self.region, shapes)
        return touched

    @property
    def place(self) -> "Where":
        """The conditions on place alone."""
        return Where(region=self.region, bbox=self.bbox)

    def alone(self) -> "dict[str, Where]":
        """Each condition that is given, by its name, without the others."""
        each = {
            "within": Where(region=self.region),
            "bbox": Where(bbox=self.bbox),
            "between": Where(period=self.period),
            "kind": Where(kinds=self.kinds),
            "persistence": Where(persistence=self.persistence),
            "min_score": Where(min_score=self.min_score),
            "where": Where(sql=self.sql),
        }
        given = (self.region, self.bbox, self.period)
        asked = [one is not None for one in given]
        asked += [bool(self.kinds), bool(self.persistence)]
        asked += [self.min_score is not None, self.sql is not None]
        return {
            name: one
            for (name, one), there in zip(each.items(), asked, strict=True)
            if there
        }

    def _check(self, columns: Collection[str]) -> None:
        asked = {
            "kind": bool(self.kinds),
            "persistence": bool(self.persistence),
            "score": self.min_score is not None,
        }
        for column, given in asked.items():
            if given and column not in columns:
                raise QueryError(
                    f"observations have no {column}; leave that condition out, or search "
                    "changes"
                )


def _period(given: "str | Period | tuple[str, str]") -> Period:
    if isinstance(given, Period):
        return given
    form = "a period such as 2018-05/2018-11 or 2018-05-16/.."
    if isinstance(given, str):
        text = given
    elif isinstance(given, tuple | list) and len(given) == _ENDS:
        text = "/".join(map(str, given))
    else:
        raise checked.wrong("between", form, given)
    return period(text, "between", form)


def period(text: str, name: str, form: str) -> Period:
    """A period that an argument gives; an end may be open, not both.

    Raises:
        QueryError: not a period, or one that leaves nothing out.
    """
    if not text.strip(" ./"):
        raise checked.wrong(name, form, text)
    try:
        return Period.parse(text)
    except ValueError as error:
        raise QueryError(str(error)) from error


def _kinds(given: "int | Iterable[int]") -> tuple[int, ...]:
    form = "one or more whole numbers"
    one = isinstance(given, Integral)
    values = (given,) if one else checked.listed("kind", given, form)
    if not values or not all(map(checked.is_whole, values)):
        raise checked.wrong("kind", form, given)
    return tuple(int(value) for value in values)


def _persistence(given: "str | Iterable[str]") -> tuple[str, ...]:
    form = f"one or more of {', '.join(PERSISTENCE)}"
    words = checked.listed("persistence", given, form)
    if not words:
        raise checked.wrong("persistence", form, given)
    for word in words:
        if word not in PERSISTENCE:
            raise QueryError(
                f"expected persistence to be one of {', '.join(PERSISTENCE)}, got {word!r}"
            )
    return words


def _score(given: float) -> float:
    checked.number("min_score", given)
    value = float(given)
    if not math.isfinite(value):
        raise QueryError(f"expected the least score as a finite number, got {given}")
    return value


def _sql(given: str) -> str:
    checked.text("where", given, form="a condition in SQL such as score > 5")
    return given


def _touches(box: Bbox) -> str:
    """Rows whose `bbox` touches `box`; either may cross the antimeridian."""
    west, south, east, north = (repr(float(edge)) for edge in box)
    starts, ends = f"bbox.xmin <= {east}", f"bbox.xmax >= {west}"
    plain = f"{starts} AND {ends}" if box[0] <= box[2] else f"{starts} OR {ends}"
    across = "bbox.xmin > bbox.xmax"
    if box[0] <= box[2]:
        across += f" AND ({starts} OR {ends})"
    height = f"bbox.ymin <= {north} AND bbox.ymax >= {south}"
    return f"{height} AND (({plain}) OR ({across}))"


def _instant(value: datetime) -> str:
    text = value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    return f"timestamp '{text}'"
