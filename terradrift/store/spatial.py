"""Rows in an order in which what is near on the ground is near in the file; streaming."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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

PLACE = ("bbox", "geometry")
"""Columns of `patches` that rows without a place are given."""

Inside = Callable[[pa.Table], NDArray[np.bool_]]
"""Which rows of a table with `bbox` and `geometry` are wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Which rows of a table leave; what is not given asks for nothing."""

    where: str | None = None
    """Condition in Lance's SQL on the table's own columns."""
    inside: Inside | None = None
    """Condition on the place."""


ALL = Chosen()
"""Every row."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows of one tile, and of one year where they were asked for by years."""

    tile: str
    year: int | None
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class _Part:
    """Positions of one tile's rows, of one year or of all, in the order they are written."""

    tile: str
    year: int | None
    rows: NDArray[np.int64]


def in_space(
    store: Store,
    dataset: lance.LanceDataset,
    time: str,
    where: str | None,
    rows_per_block: int,
    *,
    place: bool,
) -> Iterator[pa.Table]:
    """The rows of `blocks` alone; with `place`, `stac_item_id` and `PLACE` are added."""
    added = PLACE if place else ()
    chosen = Chosen(where)
    return (
        block.rows
        for block in blocks(store, dataset, time, chosen, rows_per_block, place=added)
    )


def blocks(
    store: Store,
    dataset: lance.LanceDataset,
    time: str | None,
    chosen: Chosen,
    rows_per_block: int,
    *,
    place: Sequence[str] = (),
    by_year: bool = False,
    columns: Sequence[str] | None = None,
) -> Iterator[Block]:
    """The chosen rows, tile by tile and patch by patch along a Hilbert curve.

    Rows of one patch are sorted by the column `time`. `place` are columns of `patches` to
    add; `stac_item_id` comes with them, the row's scene. `columns` are those of the table
    to read, all where not given; `patch_id` is needed for a place. With `by_year` the rows of a tile
    come year by year (UTC) of `time`. Few tiles are in memory at a time, whether the table
    is sorted or not.

    Raises:
        ArchiveError: a patch is not in the table of patches.
    """
    found = layout.layout(dataset)
    places = _places(store) if place else None
    asked = _asked(store, dataset, chosen) if places is None else places
    wide = list(dataset.schema.names if columns is None else columns)
    plans = ahead(
        (
            partial(_parts, found, asked, tile, time, wanted, chosen.inside, by_year)
            for tile, wanted in _wanted(found, chosen.where)
        ),
        2,
    )
    tasks = (
        partial(_block, found, places, part, start, rows_per_block, wide, place)
        for parts in plans
        for part in parts
        for start in range(0, len(part.rows), rows_per_block)
    )
    return ahead(tasks, 2)


def count(store: Store, dataset: lance.LanceDataset, chosen: Chosen) -> int:
    """How many rows are chosen; reads places only where the condition is on them."""
    if chosen.inside is None:
        return int(dataset.count_rows(chosen.where))
    found = layout.layout(dataset)
    places = _asked(store, dataset, chosen)
    return sum(
        len(part.rows)
        for tile, wanted in _wanted(found, chosen.where)
        for part in _parts(found, places, tile, None, wanted, chosen.inside, False)
    )


def _places(store: Store) -> Layout:
    if not store.exists("patches"):
        raise ArchiveError(
            f"{store.root} holds no patches, so embeddings have no geometry; "
            "run terradrift ingest first"
        )
    return layout.layout(store.dataset("patches"))


def _asked(store: Store, dataset: lance.LanceDataset, chosen: Chosen) -> Layout | None:
    """Where the condition on places looks; None: it is on the table's own, or there is none."""
    if chosen.inside is None or "geometry" in dataset.schema.names:
        return None
    return _places(store)


def _wanted(
    found: Layout, where: str | None
) -> Iterator[tuple[str, NDArray[np.bool_] | None]]:
    """Tiles along the curve, each with which rows of the table are wanted; None: all."""
    wanted = None if where is None else _matching(found.dataset, where)
    return ((tile, wanted) for tile in _curve(found))


def _curve(found: Layout) -> list[str]:
    """Tiles along the Hilbert curve of each CRS."""
    tiles = list(found.runs)
    cells = np.array([grid.parse_id(tile) for tile in tiles], np.int64).reshape(-1, 3)
    low = cells.min(axis=0, initial=0)
    along = hilbert.distance(cells[:, 2] - low[2], cells[:, 1] - low[1])
    return [tiles[i] for i in np.lexsort((along, cells[:, 0]))]


def _matching(dataset: lance.LanceDataset, where: str) -> NDArray[np.bool_]:
    """(n,) by position, whether the condition holds; a byte per row."""
    kept = dataset.scanner(columns=[], filter=where, with_row_address=True)
    addresses = np.sort(kept.to_table()["_rowaddr"].to_numpy())
    found = np.zeros(dataset.count_rows(), bool)
    at = 0
    everything = dataset.scanner(columns=[], with_row_address=True, batch_size=1 << 16)
    for batch in everything.to_batches():
        here = batch.column("_rowaddr").to_numpy()
        nearest = np.searchsorted(addresses, here)
        there = nearest < len(addresses)
        there[there] = addresses[nearest[there]] == here[there]
        found[at : at + len(here)] = there
        at += len(here)
    return found


def _parts(  # noqa: PLR0917 - one task of a pipeline
    found: Layout,
    places: Layout | None,
    tile: str,
    time: str | None,
    wanted: NDArray[np.bool_] | None,
    inside: Inside | None,
    by_year: bool,
) -> list[_Part]:
    """The tile's wanted rows, patches along the Hilbert curve, then by time."""
    rows = layout.positions(found.runs[tile])
    keep = np.ones(len(rows), bool) if wanted is None else wanted[rows]
    if not keep.any():
        return []
    names = ["patch_id"] if time is None else ["patch_id", time]
    own = list(PLACE) if inside is not None and places is None else []
    light = layout.read_table(found.dataset, names + own, found.runs[tile])
    if inside is not None:
        keep &= _is_inside(light, places, tile, inside)
    encoded = light["patch_id"].combine_chunks().dictionary_encode()
    cells = np.array([grid.parse_id(str(one)) for one in encoded.dictionary], np.int64)
    along = hilbert.distance(
        cells[:, 2] % TILE_PATCHES, cells[:, 1] % TILE_PATCHES, bits=5
    )
    patch = along[encoded.indices.to_numpy(zero_copy_only=False)]
    if time is None:
        order = np.argsort(patch, kind="stable")
        return [_Part(tile, None, rows[order[keep[order]]])]
    instants = light[time].to_numpy()
    order = np.lexsort((instants, patch))
    order = order[keep[order]]
    if not by_year:
        return [_Part(tile, None, rows[order])] if len(order) else []
    years = instants[order].astype("M8[Y]").astype(int) + 1970
    return [
        _Part(tile, int(year), rows[order[years == year]]) for year in np.unique(years)
    ]


def _is_inside(
    light: pa.Table, places: Layout | None, tile: str, inside: Inside
) -> NDArray[np.bool_]:
    if places is None:
        return inside(light)
    held = _held(places, tile, PLACE)
    kept = held["patch_id"].filter(pa.array(inside(held)))
    mask: NDArray[np.bool_] = pc.is_in(light["patch_id"], kept).to_numpy()
    return mask


def _held(places: Layout, tile: str, columns: Sequence[str]) -> pa.Table:
    nowhere = np.empty((0, 2), np.int64)
    return layout.read_table(
        places.dataset, ["patch_id", *columns], places.runs.get(tile, nowhere)
    ).combine_chunks()


def _block(  # noqa: PLR0917 - one task of a pipeline
    found: Layout,
    places: Layout | None,
    part: _Part,
    start: int,
    count: int,
    wide: list[str],
    columns: Sequence[str],
) -> Block:
    rows = part.rows[start : start + count]
    block = layout.take(found.dataset, wide, rows)
    if places is None:
        return Block(part.tile, part.year, block)
    held = _held(places, part.tile, columns)
    at = pc.index_in(block["patch_id"], value_set=held["patch_id"])
    if at.null_count:
        missing = block["patch_id"].filter(at.is_null())[0].as_py()
        raise ArchiveError(
            f"patch {missing} has embeddings but is not in patches; "
            "run terradrift validate"
        )
    placed = held.take(at)
    if "scene_id" in block.column_names:
        block = block.append_column(ITEM, block["scene_id"])
    for name in columns:
        block = block.append_column(name, placed[name])
    return Block(part.tile, part.year, block)
