"""Which rows pass the conditions, by their ids: found on narrow columns, before any vector."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.errors import QueryError
from terradrift.period import Period
from terradrift.query import checked
from terradrift.query import tables as _tables
from terradrift.query.lance_scan import ROW_ID
from terradrift.query.search import exclude, narrow
from terradrift.query.search.deadline import NEVER, Deadline
from terradrift.query.search.narrow import Narrow
from terradrift.query.where import PERSISTENCE, Where

if TYPE_CHECKING:
    import lance

    from terradrift.query.tables import Tables

BASE = {"changes": "changes", "observations": "embeddings"}
"""The table behind each target."""

INSTANT = {"changes": "onset", "observations": "datetime"}

_TILES_MAX = 1000
"""A longer list of tiles takes Lance longer to test than it saves."""

_PLACE = ("longitude", "latitude")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def find(
    tables: "Tables",
    model: str | None,
    target: str,
    where: Where,
    deadline: Deadline = NEVER,
) -> NDArray[np.uint64] | None:
    """Sorted ids of the rows of `target` that pass; None where all do.

    Raises:
        QueryError: the condition cannot be read, or the time is over.
    """
    table = _tables.of_model(tables, BASE[target], model)
    condition = where.scalar(INSTANT[target], _tables.schema_of(table).names)
    found: list[NDArray[np.uint64]] = []
    if target == "observations" and (where.region is not None or where.bbox):
        patches = _patches(tables, where)
        condition = _both(condition, _tiles(patches))
        found.append(_of_patches(table, condition, patches["patch_id"]))
    elif condition is not None:
        found.append(_passing(table, condition, where, INSTANT[target], deadline))
    if where.sql is not None:
        found.append(_by_sql(tables, model, target, where.sql, deadline))
    deadline.check()
    return reduce(np.intersect1d, found) if found else None


def _passing(
    table: "lance.LanceDataset",
    condition: str,
    where: Where,
    instant: str,
    deadline: Deadline,
) -> NDArray[np.uint64]:
    """Sorted ids of the rows that pass all but the user's SQL."""
    held = narrow.opened(table)
    if held is not None:
        return held.ids(in_memory(table, held, where, instant))
    if where.region is not None:
        return _in_region(table, condition, where, deadline)
    return row_ids(table, condition)


def in_memory(
    table: "lance.LanceDataset", held: Narrow, where: Where, instant: str
) -> NDArray[np.int64]:
    """Positions of the rows that pass all but the user's SQL."""
    boxes = [where.bbox] if where.bbox else []
    if where.region is not None:
        boxes.append(where.region.bounds)
    if boxes:
        at = reduce(np.intersect1d, map(held.touching, boxes))
    else:
        at = np.arange(len(held.row_ids))
    if where.period is not None:
        at = at[_within(held.instant(instant)[at], where.period)]
    if where.kinds:
        at = at[np.isin(held.number("kind")[at], where.kinds)]
    if where.persistence:
        words = [PERSISTENCE.index(word) for word in where.persistence]
        at = at[np.isin(held.persistence()[at], words)]
    if where.min_score is not None:
        at = at[held.number("score")[at].astype(np.float64) >= where.min_score]
    return at if where.region is None else at[_touched(table, held, where, at)]


def _within(instants: NDArray[np.int64], period: Period) -> NDArray[np.bool_]:
    start, end = (_microseconds(one) for one in (period.start, period.end))
    inside: NDArray[np.bool_] = (instants >= start) & (instants < end)
    return inside


def _microseconds(instant: datetime) -> int:
    return int((instant - _EPOCH) // timedelta(microseconds=1))


def _touched(
    table: "lance.LanceDataset", held: Narrow, where: Where, at: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(n,) whether the rows at these positions touch the region.

    A geometry lies within its box, so only where a box is neither within the region nor
    off it the geometry is read.
    """
    boxes = held.boxes()[:, at]
    shapes = shapely.box(*boxes)
    across = boxes[0] > boxes[2]
    shapely.prepare(where.region)
    touched: NDArray[np.bool_] = ~across
    touched &= shapely.contains_properly(where.region, shapes)
    open_ = ~touched & (across | shapely.intersects(where.region, shapes))
    if open_.any():
        rows = table.take(at[open_].tolist(), columns=["geometry"])
        touched[open_] = where.touched(rows["geometry"].to_pylist())
    return touched


def row_ids(table: "lance.LanceDataset", condition: str) -> NDArray[np.uint64]:
    """Sorted ids of the rows for which a condition in Lance's SQL holds."""
    return _ids(table.to_table(columns=[], filter=condition, with_row_id=True))


def _both(first: str | None, second: str | None) -> str | None:
    if first is None or second is None:
        return first or second
    return f"({first}) AND ({second})"


def _ids(rows: pa.Table) -> NDArray[np.uint64]:
    ids: NDArray[np.uint64] = np.sort(rows[ROW_ID].to_numpy())
    return ids


def _in_region(
    table: "lance.LanceDataset",
    condition: str | None,
    where: Where,
    deadline: Deadline,
) -> NDArray[np.uint64]:
    batches = table.scanner(
        columns=["geometry"], filter=condition, with_row_id=True
    ).to_batches()
    kept = [
        batch[ROW_ID].to_numpy()[where.touched(batch["geometry"].to_pylist())]
        for batch in deadline.batches(batches)
    ]
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, np.uint64)


def _patches(tables: "Tables", where: Where) -> pa.Table:
    """`patch_id` and `tile` of the patches in place."""
    if "patches" not in tables:
        return schema.patches().empty_table()
    table = tables["patches"]
    rows = table.to_table(
        columns=["patch_id", "tile", "geometry"],
        filter=where.place.scalar("", table.schema.names),
    )
    return rows.filter(pa.array(where.touched(rows["geometry"].to_pylist())))


def _tiles(patches: pa.Table) -> str | None:
    tiles = pc.unique(patches["tile"]).to_pylist()
    if not 0 < len(tiles) <= _TILES_MAX:
        return None
    return f"tile IN ({', '.join(map(_tables.literal, sorted(tiles)))})"


def _of_patches(
    table: "lance.LanceDataset", condition: str | None, patch_ids: pa.ChunkedArray
) -> NDArray[np.uint64]:
    rows = table.to_table(columns=["patch_id"], filter=condition, with_row_id=True)
    return _ids(rows.filter(pc.is_in(rows["patch_id"], value_set=patch_ids)))


def _by_sql(
    tables: "Tables",
    model: str | None,
    target: str,
    condition: str,
    deadline: Deadline,
) -> NDArray[np.uint64]:
    """Rows for which the user's condition holds, asked on the sealed connection.

    It takes no longer than there is time, and no more memory than the limits say.
    """
    from terradrift.query.sql import (  # no search without SQL waits for DuckDB
        limits,
        near_miss,
        sandbox,
    )
    from terradrift.query.sql.ask import shared

    name = f"{BASE[target]}_{schema.suffix(model or '')}"
    store = tables.store if isinstance(tables, _tables.Opened) else None
    left = deadline.left() or limits.NONE
    connection = shared(
        tables, model, row_ids_of=name, memory_bytes=left.memory_bytes, store=store
    )
    # What runs is the relation's filter, which takes one expression.
    whole = f"SELECT 1 FROM {target} WHERE ({condition}\n)"  # noqa: S608 - parsed only
    try:
        sandbox.check(connection, whole)
    except QueryError as error:
        if "syntax error" not in str(error):
            raise
        form = "one condition in SQL such as score > 5"
        raise checked.wrong("where", form, condition, _said(error)) from error
    try:
        with limits.Clock(left, connection).running(connection):
            passing = connection.view(target).filter(condition).select(ROW_ID)
            rows = passing.to_arrow_table()
    except QueryError as error:
        deadline.check()  # in the words of the search, which began before its SQL
        raise near_miss.better(connection, whole, error) from error
    return _ids(rows)


def _said(error: QueryError) -> str:
    """What the parser said; the bracket that it met at the end is not the user's."""
    said = str(error).partition("Parser Error: ")[2]
    return said if '")"' not in said else "it ends too early, or has a bracket too many"


def all_ids(table: "lance.LanceDataset") -> NDArray[np.uint64]:
    """Sorted ids of all rows."""
    held = narrow.opened(table)
    if held is not None:
        return held.ids()
    return _ids(table.to_table(columns=[], with_row_id=True))


def near(
    tables: "Tables",
    model: str | None,
    target: str,
    places: NDArray[np.float64],
    metres: float,
    *,
    deadline: Deadline = NEVER,
) -> NDArray[np.uint64]:
    """Sorted ids of the rows within `metres` of one of `places` (n, 2), degrees."""
    table = _tables.of_model(tables, BASE[target], model)
    if target == "observations":
        patches = tables["patches"].to_table(columns=["patch_id", *_PLACE])
        close = exclude.near(_degrees(patches), places, metres)
        return _of_patches(table, None, patches["patch_id"].filter(pa.array(close)))
    if (held := narrow.opened(table)) is not None:
        close = exclude.near(held.places(), places, metres)
        return held.ids(np.flatnonzero(close))
    batches = table.scanner(columns=list(_PLACE), with_row_id=True).to_batches()
    found = [
        batch[ROW_ID].to_numpy()[exclude.near(_degrees(batch), places, metres)]
        for batch in deadline.batches(batches)
    ]
    return np.sort(np.concatenate([np.empty(0, np.uint64), *found]))


def _degrees(rows: "pa.Table | pa.RecordBatch") -> NDArray[np.float64]:
    """(2, n) longitude and latitude, NaN where there is none."""
    filled = (pc.fill_null(rows[name], np.nan) for name in _PLACE)
    return np.stack([one.to_numpy(zero_copy_only=False) for one in filled])


def explained(
    tables: "Tables",
    model: str | None,
    target: str,
    where: Where,
    deadline: Deadline = NEVER,
) -> str:
    """Why no row passes: how many do by each condition alone, and where the archive lies."""
    rows = _tables.of_model(tables, BASE[target], model).count_rows()
    if not rows:
        return f"the archive has no {target} of {model} yet"
    alone = {
        name: rows if ids is None else len(ids)
        for name, one in where.alone().items()
        for ids in [find(tables, model, target, one, deadline)]
    }
    beyond = outside(tables, where)
    if len(alone) == 1:
        return f"none of {rows:,} {target} passes {next(iter(alone))}{beyond}"
    each = ", ".join(f"{name} alone {count:,}" for name, count in alone.items())
    return f"none of {rows:,} {target} passes all conditions: {each}{beyond}"


def outside(tables: "Tables", where: Where) -> str:
    """Words for a place that lies off the archive: the box that the archive's patches fill."""
    asked = where.bbox or (where.region.bounds if where.region is not None else None)
    if asked is None or "patches" not in tables or asked[0] > asked[2]:
        return ""
    boxes = tables["patches"].to_table(columns=["bbox"])["bbox"]
    if not len(boxes):
        return ""
    side = {name: pc.struct_field(boxes, name) for name in narrow.SIDES}
    west, south = (pc.min(side[name]).as_py() for name in ("xmin", "ymin"))
    east, north = (pc.max(side[name]).as_py() for name in ("xmax", "ymax"))
    if (
        asked[0] <= east
        and asked[2] >= west
        and asked[1] <= north
        and asked[3] >= south
    ):
        return ""
    held, given = (
        ",".join(f"{edge:.4f}" for edge in box)
        for box in ((west, south, east, north), asked)
    )
    return f"; {given} lies outside the archive, which covers {held} (degrees)"
