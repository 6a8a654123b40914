"""Rows in an order in which what is near on the ground is near in the file; streaming."""

from collections.abc import Iterator
from functools import partial

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import grid
from terradrift.errors import ArchiveError
from terradrift.grid import TILE_PATCHES
from terradrift.store import hilbert, layout
from terradrift.store.ahead import ahead
from terradrift.store.layout import Layout
from terradrift.store.tables import Store

ITEM = "stac_item_id"


def in_space(
    store: Store,
    dataset: lance.LanceDataset,
    time: str,
    where: str | None,
    rows_per_block: int,
    *,
    place: bool,
) -> Iterator[pa.Table]:
    """The rows for which `where` holds, tile by tile and patch by patch along a Hilbert curve.

    Rows of one patch are sorted by the column `time`. With `place`, columns
    `stac_item_id`, `bbox` and `geometry` are added, those of the row's scene and patch.

    Raises:
        ArchiveError: a patch is not in the table of patches.
    """
    found = layout.layout(dataset)
    wanted = None if where is None else _positions(dataset, where)
    places = None
    if place:
        if not store.exists("patches"):
            raise ArchiveError(
                f"{store.root} holds no patches, so embeddings have no geometry; "
                "run terradrift ingest first"
            )
        places = layout.layout(store.dataset("patches"))
    plans = ahead(
        (partial(_ordered, found, tile, time, wanted) for tile in _curve(found)),
        2,
    )
    tasks = (
        partial(_block, found, places, tile, rows[start : start + rows_per_block])
        for tile, rows in plans
        for start in range(0, len(rows), rows_per_block)
    )
    return ahead(tasks, 2)


def _curve(found: Layout) -> list[str]:
    """Tiles along the Hilbert curve of each CRS."""
    tiles = list(found.runs)
    cells = np.array([grid.parse_id(tile) for tile in tiles], np.int64).reshape(-1, 3)
    low = cells.min(axis=0, initial=0)
    along = hilbert.distance(cells[:, 2] - low[2], cells[:, 1] - low[1])
    return [tiles[i] for i in np.lexsort((along, cells[:, 0]))]


def _positions(dataset: lance.LanceDataset, where: str) -> NDArray[np.int64]:
    """Positions of the rows for which the condition holds, ascending."""
    kept = dataset.scanner(columns=[], filter=where, with_row_address=True).to_table()
    addresses = np.sort(kept["_rowaddr"].to_numpy())
    found, at = [np.empty(0, np.int64)], 0
    everything = dataset.scanner(columns=[], with_row_address=True, batch_size=1 << 16)
    for batch in everything.to_batches():
        inside = np.isin(batch.column("_rowaddr").to_numpy(), addresses)
        found.append(np.flatnonzero(inside) + at)
        at += batch.num_rows
    return np.concatenate(found)


def _ordered(
    found: Layout, tile: str, time: str, wanted: NDArray[np.int64] | None
) -> tuple[str, NDArray[np.int64]]:
    """Positions of the tile's wanted rows, patches along the Hilbert curve, then by time."""
    rows = layout.positions(found.runs[tile])
    light = layout.read_table(found.dataset, ["patch_id", time], found.runs[tile])
    encoded = light["patch_id"].combine_chunks().dictionary_encode()
    cells = np.array([grid.parse_id(str(one)) for one in encoded.dictionary], np.int64)
    along = hilbert.distance(
        cells[:, 2] % TILE_PATCHES, cells[:, 1] % TILE_PATCHES, bits=5
    )
    patch = along[encoded.indices.to_numpy(zero_copy_only=False)]
    order = np.lexsort((light[time].cast(pa.int64()).to_numpy(), patch))
    if wanted is not None:
        order = order[np.isin(rows[order], wanted)]
    return tile, rows[order]


def _block(
    found: Layout, places: Layout | None, tile: str, rows: NDArray[np.int64]
) -> pa.Table:
    block = layout.take(found.dataset, found.dataset.schema.names, rows)
    if places is None:
        return block
    nowhere = np.empty((0, 2), np.int64)
    names = ["patch_id", "bbox", "geometry"]
    held = layout.read_table(
        places.dataset, names, places.runs.get(tile, nowhere)
    ).combine_chunks()
    at = pc.index_in(block["patch_id"], value_set=held["patch_id"])
    if at.null_count:
        missing = block["patch_id"].filter(at.is_null())[0].as_py()
        raise ArchiveError(
            f"patch {missing} has embeddings but is not in patches; "
            "run terradrift validate"
        )
    placed = held.take(at)
    block = block.append_column(ITEM, block["scene_id"])
    block = block.append_column("bbox", placed["bbox"])
    return block.append_column("geometry", placed["geometry"])
