"""Rows of published tables as the store's units of work."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.grid import Grid
from terradrift.store.majortom.held import names
from terradrift.store.majortom.places import Places
from terradrift.store.majortom.source import Rows

Unit = tuple[str, tuple[str, ...], pa.RecordBatch]
"""Tile, scenes and rows."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Arriving:
    """Rows at their places, and what all of them have in common."""

    rows: Rows
    found: Places
    grid: Grid
    columns: pa.Schema
    clear_percent: float | None
    run_id: str | None

    def units(self, wanted: NDArray[np.bool_]) -> Iterator[Unit]:
        """The rows `wanted` (n,) of each tile and day.

        Of two of one patch and day the earlier stays, then that of the first product.
        """
        rows = self.rows
        chosen = np.flatnonzero(wanted)
        if len(chosen) == 0:
            return
        ids, tiles = names(self.found.cells[chosen], self.grid)
        called, tile = np.unique(tiles, return_inverse=True)
        tile = tile.ravel()
        day = rows.times[chosen].astype("datetime64[D]").astype(np.int64)
        order = np.lexsort((rows.product[chosen], rows.times[chosen], ids, day, tile))
        key = np.column_stack([tile[order], day[order]])
        same = (np.diff(key, axis=0) == 0).all(axis=1)
        again = np.append(False, same & (ids[order][1:] == ids[order][:-1]))
        order, key = order[~again], key[~again]
        cut = np.flatnonzero(np.any(np.diff(key, axis=0) != 0, axis=1)) + 1
        for start, stop in pairwise([0, *cut.tolist(), len(order)]):
            part = order[start:stop]
            name = str(called[key[start, 0]])
            batch = self._batch(chosen[part], ids[part], name)
            scenes = batch.column("scene_id").unique().to_pylist()
            yield name, tuple(scenes), batch

    def _batch(
        self, at: NDArray[np.int64], ids: NDArray[np.str_], tile: str
    ) -> pa.RecordBatch:
        rows, count = self.rows, len(at)
        products, cells = rows.product[at].tolist(), rows.cell[at].tolist()
        scenes = [
            f"{rows.products[product]}/{rows.cells[cell]}"
            for product, cell in zip(products, cells, strict=True)
        ]
        clear = pa.nulls(count, pa.float32())
        if self.clear_percent is not None:
            clear = pa.array(np.full(count, self.clear_percent, np.float32))
        vectors = pa.FixedSizeListArray.from_arrays(
            pa.array(rows.vectors[at].ravel()), rows.vectors.shape[1]
        )
        arrays = [
            pa.array(ids, pa.string()),
            pa.array(rows.times[at]).cast(schema.INSTANT),
            pa.array([tile] * count, pa.string()),
            pa.array(scenes, pa.string()),
            clear,
            *(pa.nulls(count, pa.float32()) for _ in range(3)),
            vectors,
            pa.array([self.run_id] * count, pa.string()),
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns)
