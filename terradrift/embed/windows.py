"""Pixels of images at given places of their tile (pure).

Places are counted from the tile's north-west corner, so that images of one tile with
different extents show the same ground at the same place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from terradrift.chip import BANDS
from terradrift.embed.contract import missing_bands
from terradrift.grid import Grid, parse_id, tile_patches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.chip import TileImage
    from terradrift.embed.protocol import ModelCard


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One image in the bands of a model, and where it lies on its tile."""

    image: TileImage
    pixels: NDArray[np.float32]
    """(band, y, x), bands of the card in its order."""
    wavelengths: NDArray[np.float32]
    """(band,), um, NaN where unknown or left out."""
    top: int
    """Row of the tile's north-west patch, counted as the image counts; 0 or less."""
    left: int
    """Column of that patch; 0 or less."""

    @classmethod
    def of(cls, image: TileImage, card: ModelCard) -> Layer:
        """The image as the card asks for it.

        Raises:
            ValueError: the card refuses to go without bands that are missing.
        """
        return cls(image, *select(image, card), *corner(image))

    def windows(self, at: NDArray[np.intp], size: int) -> NDArray[np.float32]:
        """(n, band, size, size) pixels whose upper left ones lie at `at`; NaN beyond.

        `at` is (n, 2), y and x in pixels from the tile's north-west corner.
        """
        patch, halo = self.image.patch_px, self.image.halo_px
        y = at[:, 0] + self.top * patch + halo
        x = at[:, 1] + self.left * patch + halo
        band, height, width = self.pixels.shape
        inside = (y >= 0) & (y + size <= height) & (x >= 0) & (x + size <= width)
        if inside.all():
            view: NDArray[np.float32] = sliding_window_view(  # type: ignore[call-overload]  # its stubs know one axis only
                self.pixels, (size, size), (1, 2)
            )
            return view.transpose(1, 2, 0, 3, 4)[y, x]
        found = np.full((len(at), band, size, size), np.nan, np.float32)
        for one, top, left in zip(found, y.tolist(), x.tolist(), strict=True):
            low, high = max(top, 0), max(min(top + size, height), 0)
            west, east = max(left, 0), max(min(left + size, width), 0)
            if low < high and west < east:
                part = self.pixels[:, low:high, west:east]
                one[:, low - top : high - top, west - left : east - left] = part
        return found

    def times(self, middles: NDArray[np.floating]) -> NDArray[np.datetime64]:
        """(n,) instants of the patches nearest to `middles`.

        `middles` is (n, 2), y and x in pixels from the tile's north-west corner.
        """
        instants = self.image.times
        if (instants == instants[0]).all():
            return np.full(len(middles), instants[0])
        place = middles / self.image.patch_px - 0.5
        y = self.image.rows - self.top - place[:, :1]
        x = self.image.cols - self.left - place[:, 1:]
        nearest: NDArray[np.datetime64] = instants[np.argmin(y**2 + x**2, axis=1)]
        return nearest

    def centers(self, middles: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 2) longitude and latitude in degrees, to the metre, of such places."""
        epsg, row, col = parse_id(str(self.image.patch_ids[0]))
        gsd, patch = self.image.gsd, self.image.patch_px
        side = tile_patches(patch)
        north = (row - row % side + side) * patch
        west = (col - col % side) * patch
        y = (north - middles[:, 0]) * gsd
        x = (west + middles[:, 1]) * gsd
        # The centres of squares of one metre.
        metres = [np.round(axis - 0.5).astype(np.int64) for axis in (y, x)]
        return Grid(patch_size=1).centers(epsg, *metres)


def select(
    image: TileImage, card: ModelCard
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pixels (band, y, x) and wavelengths (band,) of the card's bands in its order.

    A wavelength that the image does not know is the usual one of the band. A band that is
    missing is zero, with its usual wavelength, or NaN where the card drops such bands.

    Raises:
        ValueError: the card refuses to go without bands that are missing.
    """
    absent = missing_bands(card, image.bands)
    position = {band: index for index, band in enumerate(image.bands)}
    wanted = [position.get(band, 0) for band in card.bands]
    usual = np.array([BANDS.get(band, np.nan) for band in card.bands], np.float32)
    known = image.wavelengths[wanted]
    wavelengths = np.where(np.isnan(known), usual, known)
    if card.bands == image.bands:
        return image.pixels, wavelengths
    pixels = image.pixels[wanted]
    for index, band in enumerate(card.bands):
        if band in absent:
            pixels[index] = 0.0
            wavelengths[index] = np.nan if card.missing == "drop" else usual[index]
    return pixels, wavelengths


def corner(image: TileImage) -> tuple[int, int]:
    """Row and column of the tile's north-west patch, counted as the image counts."""
    _, row, col = parse_id(str(image.patch_ids[0]))
    # Rows of the grid count northward, rows of an image southward.
    side = tile_patches(image.patch_px)
    top = int(image.rows[0]) - (side - 1 - row % side)
    return top, int(image.cols[0]) - col % side
