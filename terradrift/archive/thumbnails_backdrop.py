"""One small picture of the archive's whole ground, of clear pixels of a few dates."""

import math
import threading
import time
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyproj
from numpy.typing import NDArray

from terradrift.archive.pixels_of import Pixels, Place, Window
from terradrift.archive.thumbnails import Thumbnails, key, rounded
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table

MOST_PX = 1024
"""Pixels of the longer side of the picture."""
MOST_READ_PX = 2560
"""Pixels of the archive a side, beyond which there is no picture: a whole scene would have to
be read for it, and more than once."""
DATES = 6
"""That pixels are taken from, the clearest first."""
_ENOUGH = 0.995
"""Share of known pixels from which no further date is read."""
_AGAIN_S = 60.0
"""After so long what could not be read is tried again."""
_MERCATOR = 3857


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """A picture on the grid of web maps."""

    pixels: NDArray[np.float32]
    """(band, y, x) reflectance of the bands of a picture, NaN where no date was clear."""
    at: datetime
    """The date that most of it is of."""
    coordinates: list[list[float]]
    """Longitude and latitude of the corners: top left, top right, bottom right, bottom left."""


class Backdrops:
    """Makes the picture of one archive, once; safe in many threads."""

    def __init__(
        self, store: Store, model: str, pixels: Pixels, kept: Thumbnails
    ) -> None:
        self._store, self._model = store, model
        self._pixels, self._kept = pixels, kept
        self._making = threading.Lock()
        self._made: Backdrop | None = None
        self._until = -math.inf

    def get(self) -> Backdrop | None:
        """The picture; None where the ground is too large, or nothing of it can be read."""
        with self._making:
            if time.monotonic() >= self._until:
                self._made, whole = self._make()
                self._until = math.inf if whole else time.monotonic() + _AGAIN_S
            return self._made

    def _make(self) -> tuple[Backdrop | None, bool]:
        """The picture, and whether all that was tried for it could be read."""
        box = _box(self._store)
        if box is None or not (dates := self._clearest()):
            return None, True
        west, south, east, north = box
        zones = self._store.settings.grid.zones(
            *((west + east) / 2, (south + north) / 2), (west + east) / 2, north
        )
        place = self._place(zones[0], box)
        if place is None:
            return None, True
        x, y = _mercator(box)
        names = sorted(
            str(row["scene_id"])
            for at in dates
            for row in self._pixels.scenes(at, place)
        )
        colour = self._pixels.colour
        name = key("backdrop", names, place.bounds, place.gsd, colour, len(x), len(y))
        shape = (len(colour), len(y), len(x))
        found, whole = self._kept.get(name, shape), True
        if found is None:
            found, whole = self._mosaic(dates, place, (x, y))
            if found is None:
                return None, whole
            if whole:
                self._kept.put(name, found)
            found = rounded(found).astype(np.float32)
        corners = [[west, north], [east, north], [east, south], [west, south]]
        return Backdrop(found, dates[0], corners), whole

    def _clearest(self) -> list[datetime]:
        """Instants on which most of the archive was clear, the clearest first."""
        table = self._store.opened(embeddings_table(self._model))
        sums: dict[datetime, float] = {}
        scan = table.scanner(columns=["datetime", "clear_percent"], batch_size=1 << 16)
        for batch in scan.to_batches():
            rows = (
                pa.table(batch)
                .group_by("datetime")
                .aggregate([("clear_percent", "sum")])
            )
            for row in rows.to_pylist():
                at = row["datetime"]
                sums[at] = sums.get(at, 0.0) + (row["clear_percent_sum"] or 0.0)
        return sorted(sums, key=lambda at: (-sums[at], at))[:DATES]

    def _place(self, epsg: int, box: tuple[float, float, float, float]) -> Place | None:
        """The ground in metres, in pixels that are about those of the picture."""
        west, _, east, _ = box
        to_metres = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
        left, bottom, right, top = to_metres.transform_bounds(*box)
        native = float(self._store.settings.grid.gsd or 1.0)
        longer = max(right - left, top - bottom)
        if not np.isfinite(longer) or longer / native > MOST_READ_PX or west >= east:
            return None
        gsd = native * max(1, int(longer / native // MOST_PX))
        bounds = (
            np.floor(left / gsd) * gsd,
            np.floor(bottom / gsd) * gsd,
            np.ceil(right / gsd) * gsd,
            np.ceil(top / gsd) * gsd,
        )
        return Place(epsg, tuple(map(float, bounds)), gsd)  # type: ignore[arg-type]  # four

    def _mosaic(
        self,
        dates: list[datetime],
        place: Place,
        axes: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> Window:
        to_metres = pyproj.Transformer.from_crs(_MERCATOR, place.epsg, always_xy=True)
        x, y = to_metres.transform(*np.meshgrid(*axes))
        left, _, _, top = place.bounds
        height, width = place.shape
        down = ((top - y) / place.gsd).astype(int).clip(0, height - 1)
        along = ((x - left) / place.gsd).astype(int).clip(0, width - 1)
        found: NDArray[np.float32] | None = None
        whole = True
        for at in dates:
            seen, all_read = self._pixels.window(at, place, self._pixels.colour)
            whole &= all_read
            if seen is None:
                continue
            shown = seen[:, down, along]
            if found is None:
                found = shown
            else:
                lacking = ~np.isfinite(found).all(axis=0)
                found[:, lacking] = shown[:, lacking]
            if np.isfinite(found).all(axis=0).mean() >= _ENOUGH:
                break
        if found is None or not np.isfinite(found).any():
            return Window(None, whole)
        return Window(found, whole)


def _box(store: Store) -> tuple[float, float, float, float] | None:
    """The box of all patches in degrees."""
    rows = store.scan("patches", ["bbox"]).read_all()["bbox"].combine_chunks()
    if not len(rows):
        return None
    low = [pc.min(rows.field(side)).as_py() for side in ("xmin", "ymin")]
    high = [pc.max(rows.field(side)).as_py() for side in ("xmax", "ymax")]
    return (*low, *high)


def _mercator(
    box: tuple[float, float, float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles of the picture's columns, from the west, and rows, from the north, in metres."""
    to_mercator = pyproj.Transformer.from_crs(4326, _MERCATOR, always_xy=True)
    (west, east), (south, north) = to_mercator.transform(
        np.array([box[0], box[2]]), np.array([box[1], box[3]])
    )
    longer = max(east - west, north - south)
    width = max(1, round(MOST_PX * (east - west) / longer))
    height = max(1, round(MOST_PX * (north - south) / longer))
    return (
        west + (np.arange(width) + 0.5) / width * (east - west),
        north - (np.arange(height) + 0.5) / height * (north - south),
    )
