"""Pixels for pictures, read from the archive's own scenes."""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyproj
from numpy.typing import NDArray

from terradrift.errors import ArchiveError, SourceError
from terradrift.ingest.files import gdal_path
from terradrift.ingest.read import chip
from terradrift.report.data import Box, colour
from terradrift.store.tables import Store

NOT_READ = ("stac_item", "geometry")
"""Large columns of scenes that pixels do not need."""

STOP: ContextVar[Event | None] = ContextVar("stop", default=None)
"""Set by who does not wait any more: no further scene is opened for them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle of ground, and how finely it is read."""

    epsg: int
    bounds: tuple[float, float, float, float]
    """Left, bottom, right, top in metres of `epsg`."""
    gsd: float
    """Metres per pixel; the sides are whole numbers of it."""

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels: (y, x)."""
        left, bottom, right, top = self.bounds
        return (
            max(1, round((top - bottom) / self.gsd)),
            max(1, round((right - left) / self.gsd)),
        )


class Window(NamedTuple):
    """Pixels of one day."""

    pixels: NDArray[np.float32] | None
    """(band, y, x) reflectance, NaN where not clear or not seen; None: nothing was read."""
    whole: bool
    """Whether every scene that was tried could be read; what could not be may come back."""


class Pixels:
    """Reads the pixels of pictures from the archive's own scenes; safe in many threads."""

    def __init__(self, store: Store, scenes: pa.Table) -> None:
        self._grid = store.settings.grid
        self.bands: tuple[str, ...] = tuple(store.settings.bands)
        self.colour = colour(self.bands)
        there = [name for name in scenes.column_names if name not in NOT_READ]
        self._scenes = scenes.select(there)
        self._rows: dict[datetime, list[int]] = {}
        self._days: dict[date, list[int]] = {}
        for row, at in enumerate(scenes["datetime"].to_pylist()):
            self._rows.setdefault(at, []).append(row)
            self._days.setdefault(at.date(), []).append(row)

    def instants(self) -> list[datetime]:
        """When the scenes were taken, each instant once, in order."""
        return sorted(self._rows)

    def scenes(self, at: datetime, place: Place | None = None) -> list[dict[str, Any]]:
        """The scenes of one instant as rows of the table, without footprint and STAC item.

        Of a place, those whose box touches it, and after them those of the same day (UTC).
        """
        own = self._rows.get(at, [])
        if place is None:
            return self._read(own)
        day = [row for row in self._days.get(at.date(), []) if row not in own]
        box = degrees(place)
        return [row for row in self._read(own + day) if _touch(row["bbox"], box)]

    def _read(self, rows: list[int]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._scenes.take(
            pa.array(rows, pa.int64())
        ).to_pylist()
        return found

    def reachable(self, at: datetime, place: Place) -> bool:
        """Whether the files of a scene of that instant are there, as far as a look can tell.

        Of a remote file it cannot: that counts as there.
        """
        files = (
            {one["href"] for one in row["assets"] or ()}
            for row in self.scenes(at, place)
        )
        return any(hrefs and all(map(_is_there, hrefs)) for hrefs in files)

    def window(self, at: datetime, place: Place, bands: Iterable[str]) -> Window:
        """Reflectance of one day, north up.

        Where several scenes see a pixel, it is of the first that is clear in all bands: the
        scene of the instant, then others of that day.

        Raises:
            ArchiveError: `STOP` is set.
        """
        wanted = tuple(bands)
        found: NDArray[np.float32] | None = None
        whole = True
        for row in self.scenes(at, place):
            if (stop := STOP.get()) is not None and stop.is_set():
                raise ArchiveError("the reading of pixels was stopped")
            try:
                pixels, _ = chip(row, place.bounds, place.epsg, place.gsd, wanted)
            except SourceError:
                whole = False  # the page says where no scene of that day can be read
                continue
            if found is None:
                found = pixels
                continue
            lacking = ~np.isfinite(found).all(axis=0)
            found[:, lacking] = pixels[:, lacking]
            if np.isfinite(found).all():
                break
        return Window(found, whole)

    def __call__(
        self, at: datetime, box: Box, shape: tuple[int, int]
    ) -> NDArray[np.float32] | None:
        """As `report.data.Chip`."""
        west, south, east, north = box
        epsg = self._grid.zones(
            *((west + east) / 2, (south + north) / 2), (west + east) / 2, north
        )[0]
        to_metres = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
        height, width = shape
        lon = west + (np.arange(width) + 0.5) / width * (east - west)
        lat = north - (np.arange(height) + 0.5) / height * (north - south)
        x, y = to_metres.transform(*np.meshgrid(lon, lat))
        bounds = (x.min(), y.min(), x.max(), y.max())
        pixels, _ = self.window(at, Place(epsg, bounds, self._gsd), self.colour)
        if pixels is None or not np.isfinite(pixels).any():
            return None
        down = ((bounds[3] - y) / self._gsd).astype(int)
        along = ((x - bounds[0]) / self._gsd).astype(int)
        down = down.clip(0, pixels.shape[1] - 1)
        along = along.clip(0, pixels.shape[2] - 1)
        return np.moveaxis(pixels[:, down, along], 0, -1)

    @property
    def _gsd(self) -> float:
        return float(self._grid.gsd or 1.0)


def degrees(place: Place) -> Box:
    """The box of a place in degrees; a place on the antimeridian has none that is narrow."""
    to_degrees = pyproj.Transformer.from_crs(place.epsg, 4326, always_xy=True)
    found: Box = to_degrees.transform_bounds(*place.bounds)
    return found


def _touch(held: dict[str, float] | None, box: Box) -> bool:
    """Whether a scene's box touches a place's; where one crosses the antimeridian, yes."""
    if held is None or held["xmin"] > held["xmax"] or box[0] > box[2]:
        return True
    return bool(
        held["xmin"] <= box[2]
        and held["xmax"] >= box[0]
        and held["ymin"] <= box[3]
        and held["ymax"] >= box[1]
    )


def _is_there(href: str) -> bool:
    try:
        path = gdal_path(href)
        return path.startswith("/vsi") or Path(path).is_file()
    except (SourceError, OSError):
        return False
