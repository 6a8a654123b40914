"""Scenes of one day to one image per tile: the clearest scene gives each patch (pure)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import BANDS, TileImage
from terradrift.grid import Grid
from terradrift.ingest.acquisition import Acquisition
from terradrift.ingest.plan import Unit


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One scene's pixels over an area."""

    scene: Acquisition
    pixels: NDArray[np.float32]
    """(band, y, x), reflectance, NaN where not clear."""
    clear: NDArray[np.bool_]
    """(y, x)."""

    def cut(self, box: tuple[slice, slice]) -> "Layer":
        """A part of it, sharing its memory."""
        return Layer(self.scene, self.pixels[:, *box], self.clear[box])


def tile_image(
    unit: Unit,
    layers: Sequence[Layer],
    bands: tuple[str, ...],
    grid: Grid,
    *,
    halo_px: int,
) -> TileImage:
    """The image of `unit` from its scenes' layers, each as large as the image.

    Patches come from the scene with most clear pixels in them, of equals from the one of
    the lowest id; pixels of the halo from the scene of the patch that they border on.
    """
    ground, px = unit.ground, grid.patch_px
    rows, cols = ground.rows.max() - ground.rows, ground.cols - ground.cols.min()
    counts = np.stack([_per_patch(layer.clear, px, halo_px) for layer in layers])
    covered = np.zeros(counts.shape, bool)
    ids = [layer.scene.scene_id for layer in layers]
    covered[:, rows, cols] = ground.covered[
        [unit.scene_ids.index(name) for name in ids]
    ]
    winner = np.argmax(counts * 2 + covered, axis=0)
    patch_scenes = winner[rows, cols].astype(np.int32)
    times = np.array([layer.scene.time for layer in layers], "datetime64[us]")
    clear = counts[patch_scenes, rows, cols]
    return TileImage(
        tile=unit.tile,
        scene_ids=tuple(ids),
        bands=bands,
        wavelengths=_wavelengths(layers[0].scene),
        level=layers[0].scene.level,
        gsd=grid.patch_size / px,
        pixels=_mosaic(layers, winner, px, halo_px),
        patch_px=px,
        halo_px=halo_px,
        rows=rows.astype(np.int32),
        cols=cols.astype(np.int32),
        patch_ids=ground.patch_ids,
        patch_scenes=patch_scenes,
        times=times[patch_scenes],
        clear_percent=(clear * (100.0 / (px * px))).astype(np.float32),
        centers=ground.centers,
    )


def _per_patch(clear: NDArray[np.bool_], px: int, halo_px: int) -> NDArray[np.int64]:
    """Clear pixels of each patch, (rows, cols) of patches."""
    height, width = (n - 2 * halo_px for n in clear.shape)
    inner = clear[halo_px : halo_px + height, halo_px : halo_px + width]
    blocks = inner.reshape(height // px, px, width // px, px)
    # Two steps: summing whole rows of bytes first is several times as quick.
    counts: NDArray[np.int64] = blocks.sum(axis=1, dtype=np.int32).sum(axis=2)
    return counts


def _mosaic(
    layers: Sequence[Layer], winner: NDArray[np.int64], px: int, halo_px: int
) -> NDArray[np.float32]:
    if len(layers) == 1 or not winner.any():
        return layers[0].pixels
    chosen = np.pad(winner.repeat(px, 0).repeat(px, 1), halo_px, mode="edge")
    pixels = layers[0].pixels.copy()
    for number, layer in enumerate(layers[1:], start=1):
        np.copyto(pixels, layer.pixels, where=chosen == number)
    return pixels


def _wavelengths(scene: Acquisition) -> NDArray[np.float32]:
    """Of each band: what the scene says, else the usual one of a band of that name."""
    return np.array(
        [
            BANDS.get(asset.band, math.nan)
            if math.isnan(asset.wavelength)
            else asset.wavelength
            for asset in scene.bands
        ],
        np.float32,
    )
