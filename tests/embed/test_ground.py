"""Every stored vector is that of the ground of its patch: pixels hold their own place."""

import numpy as np
import pytest

from terradrift.embed import card as cards
from terradrift.embed import run
from terradrift.embed.how import How
from terradrift.grid import parse_id
from tests.embed.images import GRID, tile_image
from tests.embed.specs import spec

_SCALE = 100.0
"""Pixels per unit, so that coordinates pass for reflectance and keep a tenth of a pixel in
float16."""


class Eyes:
    """Sees a chip at the size its network asks for; a token is the mean of its pixels."""

    def __init__(self, model, *, patch_px, how):
        self.card = cards.card(model, patch_px=patch_px, how=how, weights_sha256="abc")
        self.resized = model.resized
        self.size = cards.token_size(model, how) if how.tokens else None

    def embed(self, chips):
        pixels = chips.pixels
        if self.resized is not None:
            times = self.resized / pixels.shape[-1]
            assert times == int(times)
            pixels = pixels.repeat(int(times), axis=2).repeat(int(times), axis=3)
        if self.size is None:
            return np.nanmean(pixels, axis=(2, 3))
        n, band, y, x = pixels.shape
        step = self.size
        blocks = pixels.reshape(n, band, y // step, step, x // step, step)
        return blocks.mean(axis=(3, 5)).transpose(0, 2, 3, 1)


def ground(model, patch_px, *, rows, cols, first_row, first_col):
    """An image whose pixels hold how far south and east they lie in their tile.

    Counted from the middle of the tile. Beyond the image's surroundings there is nothing.
    """
    halo = model.card.context_px
    y = (first_row - 16) * patch_px - halo + np.arange(rows * patch_px + 2 * halo)
    x = (first_col - 16) * patch_px - halo + np.arange(cols * patch_px + 2 * halo)
    pixels = np.stack(np.meshgrid(y + 0.5, x + 0.5, indexing="ij")) / _SCALE
    return tile_image(
        pixels,
        bands=("red", "nir"),
        patch_px=patch_px,
        halo_px=halo,
        first_row=first_row,
        first_col=first_col,
        gsd=GRID.patch_size / patch_px,
    )


def place(patch_id, patch_px):
    """What the middle of a patch would hold, from its id alone."""
    _, row, col = parse_id(patch_id)
    south = (21 * 32 - row - 0.5) * patch_px - 16 * patch_px
    east = (col + 0.5 - 10 * 32) * patch_px - 16 * patch_px
    return south / _SCALE, east / _SCALE


NATIVE = {"chip_size": 32, "chip_multiple": 4, "tokens": {4: 2, 8: 2, 2: 2}}
RESIZED = {
    "chip_size": 32,
    "chip_multiple": 8,
    "resized": 128,
    "tokens": {16: 2, 8: 2},
}


@pytest.mark.parametrize("first", [(0, 0), (5, 11), (23, 29)])
@pytest.mark.parametrize(
    ("model", "patch_px", "how"),
    [
        (NATIVE, 4, {"tokens": True}),
        (NATIVE, 4, {"tokens": True, "overlap": 0}),
        (NATIVE, 4, {"tokens": True, "overlap": 4}),
        (NATIVE, 4, {"tokens": True, "overlap": 24}),
        (NATIVE, 4, {"tokens": True, "overlap": 12, "chip_size": 44}),
        (NATIVE, 4, {"tokens": True, "overlap": 0, "chip_size": 44}),
        (NATIVE, 4, {"tokens": True, "overlap": 40, "chip_size": 200}),
        (NATIVE, 8, {"tokens": True}),
        (NATIVE, 8, {"tokens": True, "token_size": 8, "overlap": 8}),
        (NATIVE, 12, {"tokens": True, "overlap": 8}),
        (NATIVE, 8, {"tokens": True, "token_size": 2, "chip_size": 20}),
        (RESIZED, 4, {"tokens": True}),
        (RESIZED, 8, {"tokens": True, "overlap": 8}),
        (RESIZED, 4, {"tokens": True, "token_size": 2, "overlap": 0}),
        (RESIZED, 8, {"tokens": True, "chip_size": 64}),
        (NATIVE, 4, {"chip_size": 4}),
        (NATIVE, 4, {"chip_size": 32}),
        (NATIVE, 12, {"chip_size": 16}),
        (RESIZED, 8, {"chip_size": 64}),
    ],
)
def test_every_row_holds_the_middle_of_its_patch(model, patch_px, how, first):
    eyes = Eyes(
        spec(**model, dimensions=2, gsd=None, batch=7),
        patch_px=patch_px,
        how=How(**how),
    )
    first_row, first_col = first
    image = ground(
        eyes, patch_px, rows=9, cols=3, first_row=first_row, first_col=first_col
    )
    (part,) = run.embed(iter([image]), eyes, run_id="r", threads=1)
    found = part.batch.to_pylist()
    assert [row["patch_id"] for row in found] == image.patch_ids.tolist()
    expected = [place(row["patch_id"], patch_px) for row in found]
    vectors = np.array([row["embedding"] for row in found], np.float64)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=0.2 / _SCALE)
