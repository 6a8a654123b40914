"""Tile images with known content."""

import numpy as np

from terradrift.chip import BANDS, TileImage
from terradrift.embed import chips
from terradrift.embed.blend import Blend
from terradrift.grid import TILE_PATCHES, Grid

GRID = Grid(patch_size=40, gsd=10)
BANDS10 = (
    "blue",
    "green",
    "red",
    "rededge071",
    "rededge075",
    "rededge078",
    "nir",
    "nir08",
    "swir16",
    "swir22",
)


def tile_image(
    pixels,
    *,
    bands=BANDS10,
    patch_px=4,
    halo_px=1,
    first_row=0,
    first_col=0,
    day="2020-06-01T10:00:00",
    scenes=("s1",),
    level="L2A",
    gsd=10.0,
):
    """An image of `pixels` (band, y, x) whose north-west patch is at the given place.

    `first_row` and `first_col` count patches of tile 32631_40m_10_20 from its
    north-west corner.
    """
    rows = (pixels.shape[1] - 2 * halo_px) // patch_px
    cols = (pixels.shape[2] - 2 * halo_px) // patch_px
    row, col = (axis.ravel() for axis in np.mgrid[:rows, :cols])
    inner = pixels[
        :, halo_px : pixels.shape[1] - halo_px, halo_px : pixels.shape[2] - halo_px
    ]
    clear = np.isfinite(inner).all(axis=0)
    percent = 100 * clear.reshape(rows, patch_px, cols, patch_px).mean(axis=(1, 3))
    grid_row = 21 * TILE_PATCHES - 1 - first_row - row
    grid_col = 10 * TILE_PATCHES + first_col + col
    n = len(row)
    return TileImage(
        tile="32631_40m_10_20",
        scene_ids=scenes,
        bands=bands,
        wavelengths=np.array([BANDS.get(b, np.nan) for b in bands], np.float32),
        level=level,
        gsd=gsd,
        pixels=np.ascontiguousarray(pixels, np.float32),
        patch_px=patch_px,
        halo_px=halo_px,
        rows=row.astype(np.int32),
        cols=col.astype(np.int32),
        patch_ids=GRID.patch_ids(32631, grid_row, grid_col),
        patch_scenes=(np.arange(n) % len(scenes)).astype(np.int32),
        times=np.full(n, np.datetime64(day, "us")),
        clear_percent=percent.ravel().astype(np.float32),
        centers=GRID.centers(32631, grid_row, grid_col),
    )


def vectors(model, image, wanted=None, past=()):
    """(n, d) what a model gives for the patches `wanted` (all) of an image."""
    wanted = np.arange(len(image.patch_ids)) if wanted is None else wanted
    blend = Blend(image, model.card.dimensions)
    for cut in chips.cut(image, model.card, wanted, past):
        blend.add(cut, model.embed(cut.chips))
    return blend.vectors(wanted)


def landscape(shape=(34, 34), bands=10, seed=0):
    """Smooth fields with texture, reflectance 0..0.5 (about)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.03, 0.4, (bands, shape[0] // 8 + 1, shape[1] // 8 + 1))
    fields = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, : shape[0], : shape[1]]
    texture = rng.normal(0, 0.02, (1, *shape)) + rng.normal(0, 0.01, (bands, *shape))
    return (fields + texture).astype(np.float32)
