"""Pixels for pictures, read from the archive's own scenes."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyproj
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.ingest.read import chip
from terradrift.report.data import Box
from terradrift.store.tables import Store

_RGB = ("red", "green", "blue")


class Pixels:
    """Reads the pixels of pictures from the archive's own scenes."""

    def __init__(self, store: Store, scenes: pa.Table) -> None:
        self._grid = store.settings.grid
        held = set(store.settings.bands)
        colour = _RGB if held.issuperset(_RGB) else store.settings.bands[:1]
        self._bands = colour
        self._scenes: dict[datetime, list[dict[str, object]]] = {}
        for row in scenes.to_pylist():
            self._scenes.setdefault(row["datetime"], []).append(row)

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
        for row in self._scenes.get(at, []):
            try:
                pixels, _ = chip(row, bounds, epsg, self._gsd, self._bands)
            except SourceError:
                continue  # the page says that no scene of that instant can be read
            down = ((bounds[3] - y) / self._gsd).astype(int)
            along = ((x - bounds[0]) / self._gsd).astype(int)
            down = down.clip(0, pixels.shape[1] - 1)
            along = along.clip(0, pixels.shape[2] - 1)
            picture = np.moveaxis(pixels[:, down, along], 0, -1)
            if np.isfinite(picture).any():
                return picture
        return None

    @property
    def _gsd(self) -> float:
        return float(self._grid.gsd or 1.0)
