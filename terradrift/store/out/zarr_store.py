"""Embeddings out of the archive as Zarr v3 by the `geoemb` convention, chunk by chunk.

A group per UTM zone holds `embeddings` (time, y, x, band), dense over whole tiles: a chunk
is a tile's patches over some dates, and chunks without rows are not stored. `time` are UTC
days, of which a patch has one observation at most; `acquired` keeps the instants.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zarr
from numpy.typing import NDArray

from terradrift import grid as grids
from terradrift.errors import ArchiveError
from terradrift.store import spatial
from terradrift.store.out import existing, geoemb, part
from terradrift.store.out.leaving import Leaving
from terradrift.store.out.zone import Zone, zones
from terradrift.store.parquet import Covered
from terradrift.store.series import vectors_of
from terradrift.store.spatial import Block

EMBEDDINGS = "embeddings"
ACQUIRED = "acquired"
CLEAR = "clear_percent"
_CHUNK_BYTES = 4 << 20
_NAT = np.iinfo(np.int64).min
_LARGEST = 127
"""Of int8: symmetric around 0."""


def export(
    leaving: Leaving,
    target: Path,
    *,
    dtype: str = "float16",
    overwrite: bool = False,
    advance: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Write the Zarr store `target`, whole or not at all; returns the number of rows.

    `dtype` is float16 (as stored), float32 or int8; of int8 each vector has its own scale
    in `scales`, its largest component over 127, and a component is off by half of it.

    Raises:
        ArchiveError: no rows, or `target` may not or cannot be written.
    """
    existing.free(target, folder=True, overwrite=overwrite)
    days = _days(leaving)
    if not days:
        raise ArchiveError("no rows are left to write; widen the filters")
    try:
        with part.whole(target) as made:
            return _write(leaving, made, dtype, days, advance)
    except OSError as error:
        raise ArchiveError(
            f"cannot write {target}: {error.strerror or error}; check the space there"
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """The arrays of one zone."""

    zone: Zone
    days: NDArray[np.int64]
    """UTC days since 1970, ascending: the axis of time."""
    arrays: dict[str, Any]


def _days(leaving: Leaving) -> dict[str, NDArray[np.int64]]:
    """The days of each tile's rows, since 1970; a pass over narrow columns."""
    found: dict[str, NDArray[np.int64]] = {}
    light = spatial.blocks(
        leaving.store,
        leaving.dataset,
        leaving.time,
        leaving.chosen,
        1 << 20,
        columns=["patch_id", "datetime"],
    )
    for tile, group in groupby(light, lambda block: block.tile):
        days = [np.unique(_day(block.rows)) for block in group]
        found[tile] = np.unique(np.concatenate(days))
    return found


def _day(rows: pa.Table) -> NDArray[np.int64]:
    instants: NDArray[np.datetime64] = rows["datetime"].to_numpy()
    return instants.astype("M8[D]").astype(np.int64)


def _write(
    leaving: Leaving,
    made: Path,
    dtype: str,
    days: dict[str, NDArray[np.int64]],
    advance: Callable[[int], None],
) -> int:
    grid = leaving.store.settings.grid
    contents = replace(leaving.contents(Covered()), dtype=dtype)
    root = zarr.open_group(str(made), mode="w", zarr_format=3)
    of_zone = zones(set(days), grid)
    names = {epsg: geoemb.group_name(epsg, set(of_zone)) for epsg in of_zone}
    root.update_attributes(geoemb.root(contents, grid, names.values()))
    groups = {
        epsg: _group(
            root.create_group(names[epsg]),
            zone,
            _of_zone(days, epsg),
            contents.dimensions,
            dtype,
        )
        for epsg, zone in of_zone.items()
    }
    written = 0
    for (tile, _), some in groupby(
        leaving.blocks(by_year=True), lambda block: (block.tile, block.year)
    ):
        written += _fill(groups[grids.parse_id(tile)[0]], tile, _told(some, advance))
    return written


def _told(blocks: Iterable[Block], advance: Callable[[int], None]) -> Iterator[Block]:
    for block in blocks:
        yield block
        advance(block.rows.num_rows)


def _of_zone(days: dict[str, NDArray[np.int64]], epsg: int) -> NDArray[np.int64]:
    own = [some for tile, some in days.items() if grids.parse_id(tile)[0] == epsg]
    return np.unique(np.concatenate(own))


def _group(
    group: zarr.Group, zone: Zone, days: NDArray[np.int64], dimensions: int, dtype: str
) -> _Group:
    """Make the arrays of a zone, empty but for the coordinates."""
    group.update_attributes(geoemb.zone(zone.epsg, zone.transform, zone.shape))
    mapping = group.create_array("spatial_ref", shape=(), dtype="int32", fill_value=0)
    mapping.update_attributes(geoemb.grid_mapping(zone.epsg, zone.transform))
    y, x = zone.centres
    axes: tuple[tuple[str, NDArray[Any], dict[str, Any]], ...] = (
        ("time", days.astype(np.int32), {"units": "days since 1970-01-01"}),
        ("y", y, {"standard_name": "projection_y_coordinate", "units": "m"}),
        ("x", x, {"standard_name": "projection_x_coordinate", "units": "m"}),
        ("band", np.arange(dimensions, dtype=np.int32), {}),
    )
    for name, values, about in axes:
        axis = group.create_array(
            name, shape=values.shape, dtype=values.dtype, dimension_names=[name]
        )
        axis[...] = values
        axis.update_attributes(about)
    group["time"].update_attributes({"standard_name": "time", "calendar": "standard"})
    arrays = _empty(group, zone, len(days), dimensions, dtype)
    return _Group(zone, days, arrays)


def _empty(
    group: zarr.Group, zone: Zone, dates: int, dimensions: int, dtype: str
) -> dict[str, Any]:
    """The arrays of rows, without chunks so far."""
    kind = np.dtype(dtype)
    per_date = zone.side**2 * dimensions * kind.itemsize
    some = min(dates, max(1, _CHUNK_BYTES // per_date))
    shape, chunks = (dates, *zone.shape), (some, zone.side, zone.side)
    made: dict[str, Any] = {}

    def array(name: str, type_: str, fill: float, about: dict[str, Any]) -> None:
        deep = name == EMBEDDINGS
        made[name] = group.create_array(
            name,
            shape=(*shape, dimensions) if deep else shape,
            chunks=(*chunks, dimensions) if deep else chunks,
            dtype=type_,
            fill_value=fill,
            dimension_names=["time", "y", "x", *(["band"] if deep else [])],
        )
        made[name].update_attributes({"grid_mapping": "spatial_ref", **about})

    array(EMBEDDINGS, dtype, 0 if dtype == "int8" else np.nan, {})
    if dtype == "int8":
        array(geoemb.SCALES, "float32", np.nan, {"long_name": "what int8 is times"})
    array(CLEAR, "float32", np.nan, {"units": "percent"})
    when = {"units": "microseconds since 1970-01-01", "_FillValue": _NAT}
    array(ACQUIRED, "int64", _NAT, {**when, "calendar": "standard"})
    return made


def _fill(group: _Group, tile: str, blocks: Iterable[Block]) -> int:
    """Write the rows of one tile and year into its chunks; returns how many."""
    zone, arrays = group.zone, group.arrays
    held = [block.rows for block in blocks]
    rows = pa.concat_tables(held).combine_chunks()
    days = _day(rows)
    first, last = np.searchsorted(group.days, [days.min(), days.max()])
    at = np.searchsorted(group.days, days) - first
    row, col = zone.within(tile, rows["patch_id"])
    top, left = zone.corner(tile)
    where = (
        slice(first, last + 1),
        slice(top, top + zone.side),
        slice(left, left + zone.side),
    )
    for name, values in _values(rows, arrays):
        target = arrays[name]
        block = np.full(
            (last + 1 - first, zone.side, zone.side, *values.shape[1:]),
            target.fill_value,
            target.dtype,
        )
        block[at, row, col] = values
        target[where] = block
    return int(rows.num_rows)


def _values(
    rows: pa.Table, arrays: dict[str, Any]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Each array's values (n,) or (n, d) of the rows."""
    vectors = vectors_of(rows["embedding"].combine_chunks())
    if geoemb.SCALES in arrays:
        codes, scales = quantized(vectors)
        yield geoemb.SCALES, scales
        yield EMBEDDINGS, codes
    else:
        yield EMBEDDINGS, vectors
    yield CLEAR, rows[CLEAR].to_numpy().astype(np.float32)
    yield ACQUIRED, rows["datetime"].to_numpy().astype("M8[us]").astype(np.int64)


def quantized(
    vectors: NDArray[np.floating],
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Codes (n, d) and scales (n,) of vectors (n, d): vector = code * scale.

    A component is off by at most half the scale, which is 0 for a vector of zeros.
    """
    wide = vectors.astype(np.float32)
    scales = np.abs(wide).max(axis=1, initial=0.0) / np.float32(_LARGEST)
    safe = np.where(scales > 0, scales, 1.0)
    codes = np.rint(wide / safe[:, None]).astype(np.int8)
    return codes, scales.astype(np.float32)
