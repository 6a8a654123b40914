"""GeoParquet that `export` wrote, back into an archive: each row once, however often it comes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.errors import ArchiveError
from terradrift.grid import Grid, parse_id
from terradrift.store import names, sameday
from terradrift.store.geoparquet_source import PLACE, Source
from terradrift.store.majortom.held import NEAR
from terradrift.store.majortom.units import Unit
from terradrift.store.published.known import Known
from terradrift.store.published.pending import Pending
from terradrift.store.tables import Store
from terradrift.store.units import Writer, embeddings_table

_KEYS = {"changes": "change_id", "events": "event_id"}


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    model: str
    rows: int
    """Rows that the archive did not hold."""
    skipped: int
    """Rows that it held already, or that a clearer observation of the day stands for."""


def import_embeddings(
    store: Store, *paths: str | Path, model: str | None = None
) -> Imported:
    """Add the observations of files, and the patches they are of.

    A (scene, tile) that the archive holds already is left as it is.

    Raises:
        SchemaError: a file does not have the columns or the footer of an export.
        ModelMismatchError: its vectors are of another model than the archive's.
        ArchiveError: it cannot be read, or its patches are of another grid.
    """
    sources = [Source.open(Path(path), "embeddings", model) for path in paths]
    first = sources[0]
    for other in sources[1:]:
        names.check_model(first.columns, other.columns, str(first.path))
        schema.check(other.columns, first.columns, str(other.path))
    table = embeddings_table(first.model)
    with store.lock("import"):
        before = store.count(table) if store.exists(table) else 0
        grid = store.settings.grid
        known = Known(store, grid.tile_patches)
        with Writer(store, first.model, first.columns) as writer:
            pending = Pending(store, writer)
            for source in sources:
                for rows in source.by_tile():
                    fresh = _fresh(rows, grid, known, source.path)
                    units = list(_units(rows.select(first.columns.names)))
                    pending.add(units, fresh)
            pending.flush()
        added = (store.count(table) if store.exists(table) else 0) - before
    return Imported(first.model, added, sum(one.rows for one in sources) - added)


def import_changes(
    store: Store, path: str | Path, *, model: str | None = None
) -> Imported:
    """Add the changes whose `change_id` the archive does not hold; raises as above."""
    return _import_by_key(store, Path(path), "changes", model)


def import_events(
    store: Store, path: str | Path, *, model: str | None = None
) -> Imported:
    """Add the events whose `event_id` the archive does not hold; raises as above."""
    return _import_by_key(store, Path(path), "events", model)


def _units(rows: pa.Table) -> Iterator[Unit]:
    """The rows of each tile and day."""
    tiles = rows["tile"].combine_chunks().dictionary_encode()
    code = tiles.indices.to_numpy(zero_copy_only=False)
    day = sameday.days(rows["datetime"])
    order = np.lexsort((day, code))
    rows = rows.take(pa.array(order)).combine_chunks()
    key = np.column_stack([code[order], day[order]])
    cut = np.flatnonzero(np.any(np.diff(key, axis=0) != 0, axis=1)) + 1
    edges = [0, *cut.tolist(), len(key)]
    for start, stop in pairwise(edges):
        for unit in rows.slice(start, stop - start).to_batches():
            scenes = tuple(unit.column("scene_id").unique().to_pylist())
            yield tiles.dictionary[int(key[start, 0])].as_py(), scenes, unit


def _fresh(rows: pa.Table, grid: Grid, known: Known, path: Path) -> pa.Table:
    """The patches of the rows that are not `known`, which are from then on.

    Raises:
        ArchiveError: they are of another grid than the archive's, or in another tile.
    """
    encoded = rows["patch_id"].combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(codes, return_index=True)
    one_each = rows.take(pa.array(first)).select(["patch_id", "tile", *PLACE])
    made, cells = _patches(one_each, grid, path)
    return made.filter(pa.array(known.fresh(cells)))


def _held(store: Store, table: str, column: str) -> set[str]:
    if not store.exists(table):
        return set()
    found: set[str] = set()
    for batch in store.scan(table, [column]):
        found.update(batch.column(0).to_pylist())
    return found


def _patches(
    rows: pa.Table, grid: Grid, path: Path
) -> tuple[pa.Table, NDArray[np.int64]]:
    """The rows as patches of the grid, and their cells (n, 3): EPSG code, row, column.

    Cells and centres come from their ids.
    """
    ids = rows["patch_id"].to_pylist()
    tiles = rows["tile"].to_pylist()
    cells = np.array([parse_id(one) for one in ids], np.int64).reshape(-1, 3)
    centers = np.empty((len(ids), 2))
    for epsg in np.unique(cells[:, 0]).tolist():
        here = np.flatnonzero(cells[:, 0] == epsg)
        row, col = cells[here, 1], cells[here, 2]
        ours, ours_tile = grid.patch_ids(epsg, row, col), grid.tile_of(epsg, row, col)
        for i, patch, tile in zip(here, ours, ours_tile, strict=True):
            if ids[i] != patch or tiles[i] != tile or not _in_crs(grid, epsg):
                raise ArchiveError(
                    f"{path} is of another grid than the archive: patch {ids[i]} in tile "
                    f"{tiles[i]}, the archive's patches are of {grid.patch_size} m in "
                    f"{grid.crs}"
                )
        centers[here] = grid.centers(epsg, row, col)
    centers = _true(centers, rows["bbox"].combine_chunks())
    columns = [
        rows["patch_id"],
        rows["tile"],
        pa.array([f"EPSG:{epsg}" for epsg in cells[:, 0]], pa.string()),
        pa.array(cells[:, 1].astype(np.int32)),
        pa.array(cells[:, 2].astype(np.int32)),
        pa.array(centers[:, 0]),
        pa.array(centers[:, 1]),
        rows["bbox"],
        rows["geometry"],
    ]
    return pa.Table.from_arrays(columns, schema=schema.patches()), cells


def _true(centers: NDArray[np.float64], box: pa.StructArray) -> NDArray[np.float64]:
    """The grid's centres (n, 2), or of patches that are published squares those of their box."""
    west, south, east, north = (
        box.field(side).to_numpy(zero_copy_only=False)
        for side in ("xmin", "ymin", "xmax", "ymax")
    )
    middle = np.column_stack([(west + east) / 2, (south + north) / 2])
    middle[:, 0] = (middle[:, 0] + 180) % 360 - 180
    east_off = np.abs(middle[:, 0] - centers[:, 0])
    off = np.maximum(
        np.minimum(east_off, 360 - east_off), np.abs(middle - centers)[:, 1]
    )
    return np.where((off > NEAR)[:, None], middle, centers)


def _in_crs(grid: Grid, epsg: int) -> bool:
    if grid.crs == "utm":
        return 32601 <= epsg <= 32660 or 32701 <= epsg <= 32760
    return grid.crs.upper() == f"EPSG:{epsg}"


def _import_by_key(store: Store, path: Path, kind: str, model: str | None) -> Imported:
    source = Source.open(path, kind, model)
    table = f"{kind}_{schema.suffix(source.model)}"
    key = _KEYS[kind]
    with store.lock("import"):
        vectors = embeddings_table(source.model)
        if store.exists(vectors):
            held_by = store.dataset(vectors).schema
            names.check_model(held_by, source.described, table)
        held = _held(store, table, key)
        before = len(held)

        def fresh() -> Iterator[pa.RecordBatch]:
            for batch in source.batches(source.columns.names):
                ids = batch.column(key).to_pylist()
                new = [one not in held for one in ids]
                held.update(ids)
                yield batch.filter(pa.array(new, pa.bool_()))

        store.append(table, fresh(), source.columns)
    added = len(held) - before
    return Imported(source.model, added, source.rows - added)
