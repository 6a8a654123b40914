"""Windows of reflectance for pictures: from memory, from `thumbnails/`, or from the scenes."""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.pixels_of import Pixels, Place
from terradrift.archive.thumbnails import Thumbnails, key, rounded
from terradrift.embed import indices
from terradrift.report.data import colour

Source = Literal["scenes", "cache"]

HELD_BYTES = 64 << 20
"""Of windows in memory: one change is asked for in four pictures, one after the other."""
_MOST_BANDS = 16
_LOCKS = 16


class Windows:
    """Reads windows, each once however many ask at a time; safe in many threads."""

    def __init__(self, pixels: Pixels, kept: Thumbnails) -> None:
        self.pixels = pixels
        self.kept = kept
        self.bands = shown_bands(pixels.bands)
        self._held: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()
        self._reading = [threading.Lock() for _ in range(_LOCKS)]

    def read(self, at: datetime, place: Place) -> NDArray[np.float32] | None:
        """(band, y, x) reflectance of `bands` on one day, NaN where not clear or not seen.

        None where neither a scene nor a kept window gives it.
        """
        name = self.name(at, place)
        with self._reading[int(name[:2], 16) % _LOCKS]:
            found = self._remembered(name)
            if found is None:
                found = self.kept.get(name, (len(self.bands), *place.shape))
            if found is None:
                found, whole = self.pixels.window(at, place, self.bands)
                if found is None:
                    return None
                # The same numbers as when it is read again.
                found, read = rounded(found).astype(np.float32), found
                if not whole:
                    return found  # what could not be read now may be there next time
                self.kept.put(name, read)
            self._remember(name, found)
            return found

    def source(self, at: datetime, place: Place) -> Source | None:
        """Where the window would come from, as far as a look at the files can tell."""
        if self.pixels.reachable(at, place):
            return "scenes"
        return "cache" if self.kept.has(self.name(at, place)) else None

    def name(self, at: datetime, place: Place) -> str:
        """What the window is kept under: its ground, its bands and its scenes."""
        scenes = [
            (row["scene_id"], row["processing_baseline"])
            for row in self.pixels.scenes(at, place)
        ]
        return key(scenes, place.epsg, place.bounds, place.gsd, self.bands)

    def _remembered(self, name: str) -> NDArray[np.float32] | None:
        with self._lock:
            found = self._held.get(name)
            if found is not None:
                self._held.move_to_end(name)
            return found

    def _remember(self, name: str, pixels: NDArray[np.float32]) -> None:
        pixels.flags.writeable = False
        with self._lock:
            self._held[name] = pixels
            while sum(one.nbytes for one in self._held.values()) > HELD_BYTES:
                self._held.popitem(last=False)


def shown_bands(bands: tuple[str, ...]) -> tuple[str, ...]:
    """All bands; of very many those of the picture and of the indices alone."""
    if len(bands) <= _MOST_BANDS:
        return bands
    wanted = {*colour(bands), *indices.needed(bands)}
    return tuple(band for band in bands if band in wanted)
