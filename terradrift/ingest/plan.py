"""What will be read: the patches that scenes cover, and units of work in order (pure).

A unit is one tile of the grid on one UTC day. Units of a few days go through the image
side by side (`walk.py`), so that a reader decodes each block of a file about once while
the file is open, whatever the size of tiles and blocks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terradrift import schema
from terradrift.grid import Grid
from terradrift.ingest.acquisition import Acquisition, acquisition
from terradrift.ingest.extent import bytes_per_square_metre
from terradrift.ingest.ground import Ground, Places, cell, key
from terradrift.ingest.outline import Outline, outline, overlapped
from terradrift.ingest.walk import Walk

BYTES_PER_SECOND = 200e6
"""Decoded bytes that one thread reads from local files: benchmarks/read.py."""
_DAYS_TOGETHER = 4
"""Days that go through the image side by side: files kept open for enough threads."""


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One tile on one day: the work that is stored whole or not at all."""

    day: np.datetime64
    tile: str
    scene_ids: tuple[str, ...]
    """The day's scenes that touch the tile and are not done yet, sorted."""
    ground: Ground


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that will be read, counted before the first byte."""

    bands: tuple[str, ...]
    units: tuple[Unit, ...]
    acquisitions: Mapping[str, Acquisition]
    """By scene id: the scenes of the units."""
    observations: int
    """Patches times dates."""
    bytes: int
    """Decoded pixels to read, masks included."""

    @property
    def scenes(self) -> int:
        """How many scenes will be read."""
        return len(self.acquisitions)

    def seconds(self, bytes_per_second: float) -> float:
        """Time that reading takes at a measured rate of decoded bytes.

        Raises:
            ValueError: the rate is not above 0.
        """
        if bytes_per_second <= 0:
            raise ValueError(f"rate must be above 0 bytes/s, got {bytes_per_second:g}")
        return self.bytes / bytes_per_second

    def summary(self, bytes_per_second: float = BYTES_PER_SECOND) -> dict[str, Any]:
        """The counts as plain numbers, by name."""
        return {
            "scenes": self.scenes,
            "tiles": len({unit.tile for unit in self.units}),
            "units": len(self.units),
            "observations": self.observations,
            "bytes": self.bytes,
            "seconds": round(self.seconds(bytes_per_second), 1),
            "bands": list(self.bands),
        }

    def __str__(self) -> str:
        told = self.summary()
        return (
            f"{told['scenes']:,} scenes, {told['tiles']:,} tiles, {told['units']:,} units "
            f"of work, {told['observations']:,} observations; to read: "
            f"{self.bytes / 1e6:,.1f} MB of pixels in {len(self.bands)} bands and masks, "
            f"about {told['seconds']:,.0f} s of reading"
        )


def patches(scenes: pa.Table, grid: Grid, region: BaseGeometry | None) -> pa.Table:
    """The patches that the rasters of `scenes` overlap, as `schema.patches()`; each once.

    With `region` (degrees) only those that touch it. Sorted by CRS, row and column.

    Raises:
        SourceError: it is not known where a scene lies.
        ValueError: a scene reaches where UTM ends.
    """
    outlines = {outline(row) for row in _rows(scenes)}
    found: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
    for place in outlines:
        for cells in overlapped(place, grid):
            found[cells.epsg].append(key(cells.rows, cells.cols))
    tables = [
        _patch_table(epsg, np.unique(np.concatenate(keys)), grid, region)
        for epsg, keys in sorted(found.items())
    ]
    return pa.concat_tables([schema.patches().empty_table(), *tables])


def plan(
    scenes: pa.Table,
    patches: pa.Table,
    grid: Grid,
    bands: tuple[str, ...],
    done: Collection[tuple[str, str]],
) -> Plan:
    """The units that reading `bands` of `scenes` over `patches` takes, in order.

    `done` holds (scene_id, tile); a scene that is done for a tile is not read for it again,
    and a later scene of the same day makes a unit of its own.

    Raises:
        SourceError: it is not known where a scene lies.
        ValueError: no band is wanted, or a scene reaches where UTM ends.
    """
    if not bands:
        raise ValueError("expected at least one band to read, got none")
    places = Places(patches, grid)
    finished = frozenset(done)
    acquisitions: dict[str, Acquisition] = {}
    weights: dict[str, float] = {}
    visits: dict[tuple[np.datetime64, str], list[tuple[str, Outline]]] = defaultdict(
        list
    )
    for row in _rows(scenes):
        scene, place = acquisition(row, bands), outline(row)
        day = scene.time.astype("datetime64[D]")
        for tile in places.tiles(place):
            if (scene.scene_id, tile) not in finished:
                visits[day, tile].append((scene.scene_id, place))
                acquisitions[scene.scene_id] = scene
        if scene.scene_id in acquisitions:
            weights[scene.scene_id] = bytes_per_square_metre(row, scene)
    units = [
        _unit(day, tile, sorted(seen, key=lambda visit: visit[0]), places)
        for (day, tile), seen in visits.items()
    ]
    return Plan(
        bands=bands,
        units=tuple(_ordered(units, Walk.of(grid, len(bands)))),
        acquisitions=acquisitions,
        observations=sum(unit.ground.rows.size for unit in units),
        bytes=round(sum(_area(unit, weights) for unit in units) * grid.patch_size**2),
    )


def _unit(
    day: np.datetime64, tile: str, seen: list[tuple[str, Outline]], places: Places
) -> Unit:
    scene_ids, outlines = zip(*seen, strict=True)
    return Unit(day, tile, scene_ids, places.ground(tile, outlines))


def _area(unit: Unit, weights: Mapping[str, float]) -> float:
    """Patches read of each scene, times what a square metre of the scene weighs."""
    counts = unit.ground.covered.sum(axis=1)
    return sum(
        float(count) * weights[scene_id]
        for scene_id, count in zip(unit.scene_ids, counts, strict=True)
    )


def _ordered(units: list[Unit], walk: Walk) -> list[Unit]:
    """Some days together, strip by strip; tiles of the same scenes beside each other."""
    days = {
        day: n // _DAYS_TOGETHER for n, day in enumerate(sorted({u.day for u in units}))
    }

    def place(unit: Unit) -> tuple[Any, ...]:
        epsg, panel, down, across = walk.strip(unit.tile)
        along = unit.scene_ids, walk.within(unit.tile)
        return days[unit.day], epsg, panel, down, unit.day, across, *along

    return sorted(units, key=place)


def _rows(scenes: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows, a few at a time: their items are long."""
    for batch in scenes.to_batches(max_chunksize=256):
        yield from batch.to_pylist()


def _patch_table(
    epsg: int, keys: NDArray[np.int64], grid: Grid, region: BaseGeometry | None
) -> pa.Table:
    rows, cols = cell(keys)
    centers, corners = grid.centers(epsg, rows, cols), grid.corners(epsg, rows, cols)
    # A patch on the antimeridian is drawn in one piece, a little beyond 180 degrees.
    middle = centers[:, None, 0]
    corners[..., 0] = middle + (corners[..., 0] - middle + 180) % 360 - 180
    shapes = np.asarray(shapely.polygons(corners))
    if region is not None:
        shapely.prepare(region)
        inside = shapely.intersects(region, shapes)
        rows, cols = rows[inside], cols[inside]
        centers, corners, shapes = centers[inside], corners[inside], shapes[inside]
    low, high = corners.min(axis=1), corners.max(axis=1)
    box = pa.StructArray.from_arrays(
        [pa.array(side) for side in (low[:, 0], low[:, 1], high[:, 0], high[:, 1])],
        fields=list(schema.BBOX),
    )
    return pa.Table.from_arrays(
        [
            pa.array(grid.patch_ids(epsg, rows, cols), pa.string()),
            pa.array(grid.tile_of(epsg, rows, cols), pa.string()),
            pa.array([f"EPSG:{epsg}"] * len(rows), pa.string()),
            pa.array(rows.astype(np.int32)),
            pa.array(cols.astype(np.int32)),
            pa.array(centers[:, 0]),
            pa.array(centers[:, 1]),
            box,
            pa.array(shapely.to_wkb(shapes), pa.binary()),
        ],
        schema=schema.patches(),
    )
