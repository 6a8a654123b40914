"""Maps of regions: GeoTIFFs of what is said of each day, polygons of anomalous ground."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import numpy as np
import pyproj
import shapely
from rasterio import features
from rasterio.transform import Affine

from terradrift.archive.pixels.cog import Mosaics, Place, usable
from terradrift.archive.pixels.windows import Window
from terradrift.archive.segments.window import Frame
from terradrift.schema import suffix
from terradrift.stack import Stack

BANDS = ("change", "novelty", "z", "p_value")
_DECIMALS = 7  # of a degree: a centimetre


class Drawn(Protocol):
    """Which regions become polygons: by either."""

    @property
    def alert_p(self) -> float:
        """Largest p-value."""
        ...

    @property
    def alert_z(self) -> float:
        """Least z."""
        ...


class Files:
    """Files in one folder, there whole when the `with` block ends well, else not at all."""

    def __init__(
        self, folder: Path, model: str, windows: Sequence[Window], drawn: Drawn
    ) -> None:
        """`windows` are those that will come, `drawn` says which regions are polygons."""
        self._folder, self._name = folder, f"segments_{suffix(model)}"
        self._windows, self._drawn = windows, drawn
        self._mosaics = Mosaics()
        self._polygons = folder / f"{self._name}.geojson"
        self._unfinished = folder / f".{self._polygons.name}.{os.getpid()}.tmp"
        self._between = "\n"
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        usable(self._folder)
        self._file = self._unfinished.open("w")
        self._file.write('{"type": "FeatureCollection", "features": [')
        self._mosaics.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._unfinished.unlink(missing_ok=True)
        self._mosaics.__exit__(kind, error, trace)

    def add(self, stack: Stack, frame: Frame) -> None:
        """What is said of a window on one day, without its halo."""
        self._map(stack, frame)
        self._features(stack, frame)

    def finish(self) -> tuple[str, ...]:
        """Give the files their names."""
        made = self._mosaics.finish()
        if self._file is not None:
            self._file.write("\n]}\n")
            self._file.close()
            self._unfinished.replace(self._polygons)
        return tuple(map(str, [*made, self._polygons]))

    def _map(self, stack: Stack, frame: Frame) -> None:
        found = frame.regions
        values = (found.change, found.novelty, found.z, found.p_value)
        inner = _inner(stack)
        pixels = np.stack([found.map(each)[inner] for each in values])
        pixels[:, ~frame.clear[inner]] = np.nan
        path = self._folder / f"{self._name}_{stack.tile}_{stack.days[frame.at]}.tif"
        place = _tile(self._windows, stack)
        self._mosaics.put(path, place, pixels, _corner(stack), BANDS)

    def _features(self, stack: Stack, frame: Frame) -> None:
        found = frame.regions
        with np.errstate(invalid="ignore"):
            chosen = found.p_value <= self._drawn.alert_p
            chosen |= found.z >= self._drawn.alert_z
        # Regions end where the clear ground ends, and are drawn without the halo.
        shown = np.where(chosen[found.labels - 1] & frame.clear, found.labels, 0)
        west, north = _corner(stack)
        transform = Affine(stack.gsd, 0.0, west, 0.0, -stack.gsd, north)
        inner = np.ascontiguousarray(shown[_inner(stack)])
        to_lonlat = pyproj.Transformer.from_crs(stack.epsg, 4326, always_xy=True)
        for geometry, label in features.shapes(
            inner, mask=inner > 0, connectivity=4, transform=transform
        ):
            shape = shapely.geometry.shape(geometry)
            told = _told(stack, frame, int(label) - 1, float(shape.area))
            degrees = shapely.transform(
                shape,
                lambda at: np.column_stack(to_lonlat.transform(at[:, 0], at[:, 1])),
            )
            self._write(degrees, told)

    def _write(self, shape: shapely.Geometry, told: dict[str, Any]) -> None:
        rounded = shapely.transform(shape, lambda at: np.round(at, _DECIMALS))
        record = {
            "type": "Feature",
            "geometry": json.loads(
                shapely.to_geojson(shapely.orient_polygons(rounded))
            ),
            "properties": told,
        }
        if self._file is not None:
            self._file.write(self._between + json.dumps(record))
            self._between = ",\n"


def _told(stack: Stack, frame: Frame, region: int, area: float) -> dict[str, Any]:
    found = frame.regions
    past = stack.days[: frame.at][found.known[:-1, region]]
    return {
        "date": str(stack.days[frame.at]),
        "area_m2": round(area),
        "change": _number(found.change[region]),
        "score": _number(found.novelty[region]),
        "z": _number(found.z[region]),
        "p_value": _number(found.p_value[region]),
        "n_reference": int(found.n_reference[region]),
        "reference_start": str(past[0]),
        "reference_end": str(past[-1]),
        "nearest": str(stack.days[found.nearest[region]]),
        "tile": stack.tile,
    }


def _number(value: np.floating) -> float:
    return float(f"{float(value):.4g}")


def _inner(stack: Stack) -> tuple[slice, slice]:
    _, _, y, x = stack.pixels.shape
    halo = stack.halo_px
    return slice(halo, y - halo), slice(halo, x - halo)


def _corner(stack: Stack) -> tuple[float, float]:
    around = stack.halo_px * stack.gsd
    return stack.corner[0] + around, stack.corner[1] - around


def _tile(windows: Sequence[Window], stack: Stack) -> Place:
    """Where the windows of the stack's tile lie together."""
    own = [window for window in windows if window.tile == stack.tile]
    top, left = max(one.top for one in own), min(one.left for one in own)
    height = top - min(one.top - one.size[0] for one in own)
    width = max(one.left + one.size[1] for one in own) - left
    side = stack.patch_px * stack.gsd
    return Place(
        epsg=stack.epsg,
        corner=(left * side, (top + 1) * side),
        gsd=stack.gsd,
        size=(height * stack.patch_px, width * stack.patch_px),
    )
