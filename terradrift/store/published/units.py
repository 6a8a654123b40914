"""Rows that were chosen as the store's units of work, and their places as patches."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.store.majortom import held
from terradrift.store.majortom.units import Unit
from terradrift.store.published.cells import decoded, tiles
from terradrift.store.published.gather import Gathered
from terradrift.store.sameday import US_PER_DAY

_ROWS = 8192


def patches(found: Gathered, rows: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    """The places of `rows` as rows of the table of patches, each with its own footprint."""
    light = found.light
    for start in range(0, len(rows), _ROWS):
        at = rows[start : start + _ROWS]
        center = np.column_stack([light["lon"][at], light["lat"][at]])
        corners = center[:, None] + found.corners[at].astype(np.float64)
        made = held.table(decoded(light["key"][at]), center, corners, found.grid)
        yield from made.to_batches()


def units(
    found: Gathered,
    rows: NDArray[np.int64],
    columns: pa.Schema,
    *,
    clear_percent: float | None,
    run_id: str | None,
) -> Iterator[Unit]:
    """The rows of each tile and day; where clear percent is not known it is as given."""
    light = found.light
    day = light["time"][rows] // US_PER_DAY
    tile = tiles(light["key"][rows], found.grid.tile_patches)
    order = np.lexsort((light["key"][rows], day, tile))
    rows, day, tile = rows[order], day[order], tile[order]
    cut = np.flatnonzero((np.diff(tile) != 0) | (np.diff(day) != 0)) + 1
    edges = [0, *cut.tolist(), len(rows)] if len(rows) else []
    for start, stop in pairwise(edges):
        at = rows[start:stop]
        date = str(np.datetime64(int(day[start]), "D"))
        batch = _batch(found, at, columns, date, clear_percent)
        ours = pa.array([run_id] * batch.num_rows, pa.string())
        batch = batch.set_column(len(columns) - 1, columns.field("run_id"), ours)
        scenes = batch.column("scene_id").unique().to_pylist()
        yield str(batch.column("tile")[0]), tuple(scenes), batch


def _batch(
    found: Gathered,
    at: NDArray[np.int64],
    columns: pa.Schema,
    date: str,
    clear_percent: float | None,
) -> pa.RecordBatch:
    light, count = found.light, len(at)
    ids, tile = held.names(decoded(light["key"][at]), found.grid)
    clear = light["clear"][at]
    if clear_percent is not None:
        clear = np.where(np.isnan(clear), np.float32(clear_percent), clear)
    scenes = [f"{found.scenes[one]}/{date}" for one in light["scene"][at].tolist()]
    vectors = pa.FixedSizeListArray.from_arrays(
        pa.array(found.vectors[at].ravel()), found.dimensions
    )
    arrays = [
        pa.array(ids, pa.string()),
        pa.array(light["time"][at]).cast(schema.INSTANT),
        pa.array(tile, pa.string()),
        pa.array(scenes, pa.string()),
        pa.array(clear, from_pandas=True),
        *(pa.nulls(count, pa.float32()) for _ in range(3)),
        vectors,
        pa.nulls(count, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=columns)
