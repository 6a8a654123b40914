"""Anomaly maps of detectors on pixels: one Cloud-Optimised GeoTIFF per tile and date."""

from collections import defaultdict
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from terradrift.archive.methods.method import Request
from terradrift.archive.pixels.cog import Mosaics, Place, usable
from terradrift.archive.pixels.windows import Window
from terradrift.detect.image.protocol import Anomaly
from terradrift.grid import Grid
from terradrift.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path


class Maps:
    """Maps that are put together window by window, and made when their tile is done.

    Without a folder in the request there are none.
    """

    def __init__(self, request: Request, windows: Sequence[Window], grid: Grid) -> None:
        self._method, self._folder = request.method, request.maps
        self._mosaics = Mosaics()
        self._places = _places(windows, grid)
        self._tile = ""
        self._done: list[Path] = []

    def __enter__(self) -> Self:
        """Raises ArchiveError where the folder cannot be written."""
        if self._folder is not None:
            usable(self._folder)
        self._mosaics.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._mosaics.__exit__(kind, error, trace)

    def add(self, stack: Stack, at: int, found: Anomaly, *, expected: bool) -> None:
        """Put what was found in frame `at` of a window into its tile's map of the day."""
        if self._folder is None:
            return
        if stack.tile != self._tile:
            self._done += self._mosaics.finish()
            self._tile = stack.tile
        bands, names = [found.score[None]], ["score"]
        if expected and found.expected is not None:
            bands.append(found.expected)
            names += [f"expected {band}" for band in stack.bands]
        halo = stack.halo_px
        rows, cols = found.score.shape
        pixels = np.concatenate(bands)[:, halo : rows - halo, halo : cols - halo]
        west, north = stack.corner
        self._mosaics.put(
            self._folder / f"{self._method}_{stack.tile}_{stack.days[at]}.tif",
            self._places[stack.tile],
            pixels,
            (west + halo * stack.gsd, north - halo * stack.gsd),
            names,
        )

    def finish(self) -> list[str]:
        """Make what is left; gives all maps that were made."""
        self._done += self._mosaics.finish()
        return [str(path) for path in self._done]


def _places(windows: Sequence[Window], grid: Grid) -> dict[str, Place]:
    """The ground of each tile that its windows cover."""
    of_tile: dict[str, list[Window]] = defaultdict(list)
    for window in windows:
        of_tile[window.tile].append(window)
    size, px = grid.patch_size, grid.patch_px
    places = {}
    for tile, parts in of_tile.items():
        top, left = max(each.top for each in parts), min(each.left for each in parts)
        bottom = min(each.top - each.size[0] for each in parts)
        right = max(each.left + each.size[1] for each in parts)
        places[tile] = Place(
            parts[0].epsg,
            (float(left * size), float((top + 1) * size)),
            size / px,
            ((top - bottom) * px, (right - left) * px),
        )
    return places
