"""Which rows pass the conditions, by their ids: found on narrow columns, before any vector."""

from functools import reduce
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import schema
from terradrift.query import tables as _tables
from terradrift.query.lance_scan import ROW_ID
from terradrift.query.sql import sandbox
from terradrift.query.sql.ask import shared
from terradrift.query.where import Where

if TYPE_CHECKING:
    import lance

    from terradrift.query.tables import Tables

BASE = {"changes": "changes", "observations": "embeddings"}
"""The table behind each target."""

INSTANT = {"changes": "onset", "observations": "datetime"}

_TILES_MAX = 1000
"""A longer list of tiles takes Lance longer to test than it saves."""


def find(
    tables: "Tables", model: str | None, target: str, where: Where
) -> NDArray[np.uint64] | None:
    """Sorted ids of the rows of `target` that pass; None where all do."""
    table = _tables.of_model(tables, BASE[target], model)
    condition = where.scalar(INSTANT[target], table.schema.names)
    found: list[NDArray[np.uint64]] = []
    if target == "observations" and (where.region is not None or where.bbox):
        patches = _patches(tables, where)
        condition = _both(condition, _tiles(patches))
        found.append(_of_patches(table, condition, patches["patch_id"]))
    elif where.region is not None:
        found.append(_in_region(table, condition, where))
    elif condition is not None:
        found.append(row_ids(table, condition))
    if where.sql is not None:
        found.append(_by_sql(tables, model, target, where.sql))
    return reduce(np.intersect1d, found) if found else None


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
    table: "lance.LanceDataset", condition: str | None, where: Where
) -> NDArray[np.uint64]:
    batches = table.scanner(
        columns=["geometry"], filter=condition, with_row_id=True
    ).to_batches()
    kept = [
        batch[ROW_ID].to_numpy()[where.touched(batch["geometry"].to_pylist())]
        for batch in batches
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
    tables: "Tables", model: str | None, target: str, condition: str
) -> NDArray[np.uint64]:
    """Rows for which the user's condition holds, asked on the sealed connection."""
    name = f"{BASE[target]}_{schema.suffix(model or '')}"
    connection = shared(tables, model, row_ids_of=name)
    # What runs is the relation's filter, which takes one expression.
    whole = f"SELECT 1 FROM {target} WHERE ({condition}\n)"  # noqa: S608 - parsed only
    sandbox.check(connection, whole)
    try:
        rows = connection.view(target).filter(condition).select(ROW_ID).to_arrow_table()
    except duckdb.Error as error:
        raise sandbox.query_error(error) from error
    return _ids(rows)
