"""Rasters of one instant that cover the same ground, of which only one could stay."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import shapely

from terradrift.errors import SchemaError
from terradrift.store.rasters.lattice import code
from terradrift.store.rasters.source import Raster, Reader

_HALF = 0.5
"""Of the smaller one. Tiles of products overlap by less, at their seams."""
_ACROSS = 5
"""Pixels across the common ground that are looked at, each way."""


def check(rasters: Sequence[Raster]) -> None:
    """Refuse rasters of one instant and CRS that have vectors for the same ground.

    Seams pass, and so do rasters as large as one another of which each has its own part.

    Raises:
        ArchiveError: one that cannot be read.
        SchemaError: two whose boxes share over half of the smaller, and that both have vectors
            in over half of the pixels there.
    """
    groups: dict[tuple[int, int | str], list[Raster]] = defaultdict(list)
    for one in rasters:
        groups[one.time, code(one.wkt) or one.wkt].append(one)
    for group in groups.values():
        boxes = shapely.box(*np.array([one.bounds for one in group]).T)
        first, second = shapely.STRtree(boxes).query(boxes, "intersects")
        common = shapely.area(shapely.intersection(boxes[first], boxes[second]))
        least = np.minimum(shapely.area(boxes[first]), shapely.area(boxes[second]))
        close = (first < second) & (common > _HALF * least)
        for one, other in zip(first[close], second[close], strict=True):
            _refuse(group[one], group[other])


def _refuse(one: Raster, other: Raster) -> None:
    bounds = np.array([one.bounds, other.bounds])
    low, high = bounds[:, :2].max(axis=0), bounds[:, 2:].min(axis=0)
    at = (np.arange(_ACROSS) + 0.5) / _ACROSS
    x, y = (low + at[:, None] * (high - low)).T
    both = 0
    with one.opened() as mine, other.opened() as theirs:
        for across in x.tolist():
            for up in y.tolist():
                both += _has(mine, across, up) and _has(theirs, across, up)
    if both > _HALF * _ACROSS**2:
        when = np.datetime64(one.time, "us").astype("datetime64[s]")
        raise SchemaError(
            f"{one.file.path} (by {one.told_by}) and {other.file.path} (by {other.told_by}) are "
            f"both of {when} and have vectors for the same ground, of which one could stay; "
            "name them by their dates, or import one of them"
        )


def _has(reader: Reader, x: float, y: float) -> bool:
    raster = reader.raster
    col, row = (int(np.floor(axis)) for axis in ~raster.transform @ (x, y))
    row, col = min(max(row, 0), raster.height - 1), min(max(col, 0), raster.width - 1)
    return bool(reader.window(slice(row, row + 1), slice(col, col + 1))[1].all())
