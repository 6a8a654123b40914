"""Filters of an export, as users write them, to conditions on a table's rows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query import where as conditions
from terradrift.query.where import Where
from terradrift.store.out.leaving import Leaving
from terradrift.store.spatial import Chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What may be asked of the rows of an export; what is left out asks for nothing."""

    since: str | None = None
    """First day: of onset for changes, of the start of events, of the observation."""
    until: str | None = None
    """Last day, included."""
    bbox: Any = None
    within: Any = None
    kind: Any = None
    persistence: Any = None
    min_score: float | None = None

    def given(self) -> list[str]:
        """Names of those that ask for something."""
        names = self.__slots__
        return [str(one) for one in names if getattr(self, one) not in (None, (), [])]


def chosen(leaving: Leaving, asked: Filters) -> Leaving:
    """The table with the rows alone that pass.

    Raises:
        QueryError: a filter that cannot be read, or is on a column that there is not.
    """
    names = asked.given()
    if not names:
        return leaving
    where = Where.parse(
        within=asked.within,
        bbox=asked.bbox,
        between=_period(asked, leaving),
        kind=asked.kind or None,
        persistence=asked.persistence or None,
        min_score=asked.min_score,
    )
    columns = set(leaving.dataset.schema.names)
    conditions_ = _scored(leaving, where, columns)
    inside = _inside(where) if where.region is not None or where.bbox else None
    return replace(leaving, chosen=Chosen(conditions_, inside))


def _period(asked: Filters, leaving: Leaving) -> Any:  # noqa: ANN401 - see Where.parse
    if asked.since is None and asked.until is None:
        return None
    if leaving.time is None:
        raise QueryError(
            f"{leaving.what} are of no date; leave --since and --until out, or export "
            "changes"
        )
    text = f"{asked.since or '..'}/{asked.until or '..'}"
    return conditions.period(text, "since and until", "days such as 2018-05-16")


def _scored(leaving: Leaving, where: Where, columns: set[str]) -> str | None:
    """Conditions on plain columns; of an event the score is its greatest."""
    time = leaving.time or ""
    if leaving.what != "events" or where.min_score is None:
        return where.scalar(time, columns)
    rest = replace(where, min_score=None).scalar(time, columns)
    own = f"(max_score >= {where.min_score!r})"
    return own if rest is None else f"{rest} AND {own}"


def _inside(where: Where) -> Any:  # noqa: ANN401 - a function, see spatial.Inside
    def inside(rows: pa.Table) -> NDArray[np.bool_]:
        keep = np.ones(len(rows), bool) if where.bbox is None else _touches(rows, where)
        if where.region is not None:
            near = np.flatnonzero(keep)
            geometry = rows["geometry"].take(pa.array(near)).to_pylist()
            keep[near] = where.touched(geometry)
        return keep

    return inside


def _touches(rows: pa.Table, where: Where) -> NDArray[np.bool_]:
    """Which rows' boxes touch the box; either may cross the antimeridian.

    A row's does so with `xmin` above `xmax`, or a little beyond 180 degrees.
    """
    assert where.bbox is not None  # noqa: S101 - asked before
    west, south, east, north = where.bbox
    xmin, ymin, xmax, ymax = (
        pc.struct_field(rows["bbox"], side).to_numpy()
        for side in ("xmin", "ymin", "xmax", "ymax")
    )
    east = east + 360 * (west > east)
    xmax = xmax + 360 * (xmin > xmax)
    near = [(xmin + turn <= east) & (xmax + turn >= west) for turn in (-360, 0, 360)]
    touches: NDArray[np.bool_] = (
        np.any(near, axis=0) & (ymin <= north) & (ymax >= south)
    )
    return touches
