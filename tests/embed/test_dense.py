"""Dense maps of embedders: any size, any band count, nothing upsampled."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from terradrift.embed import dense
from terradrift.embed.dense_tokens import starts
from terradrift.embed.foundation import Foundation
from terradrift.embed.mosaiks import Mosaiks
from terradrift.embed.spectral import Spectral
from tests.embed import networks
from tests.embed.networks import BANDS, card, chips


def image(y, x, bands=BANDS, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0.02, 0.5, (len(bands), y, x)).astype(np.float32)
    return replace(
        chips(1, bands=BANDS),
        pixels=pixels[None],
        bands=bands,
        wavelengths=np.full(len(bands), np.nan, np.float32),
    )


def token_model(**given):
    torch.manual_seed(0)
    network = networks.Dense(output="tokens").eval()
    told = {"token_stride": 4, "overlap_px": 8, "batch": 3, **given}
    return Foundation(network=network, card=card(**told), precision="fp32")


def test_a_cell_of_one_pixel_of_spectral_is_its_bands():
    bands = ("red", "nir", "green", "blue", "swir16")
    given = image(5, 7, bands)
    given.pixels[0, 1, 2, 3] = np.nan
    found = dense.dense(Spectral(bands), patch_px=4, cell_px=1).map(given)
    assert found.shape[1:] == (5, 7)
    expected = given.pixels[0] / 0.1
    expected[:, 2, 3] = np.nan
    np.testing.assert_allclose(found[:5], expected, rtol=1e-5)
    assert np.isnan(found[:, 2, 3]).all()


@pytest.mark.parametrize("size", [(3, 3), (8, 12), (13, 6)])
def test_cells_are_what_the_model_says_of_patches_there(size):
    sample = chips(40, side=10)
    model = Mosaiks.fit(sample, kernels=8)
    given = image(*size)
    found = dense.dense(model, patch_px=16).map(given)
    assert found.shape == (16, -(-size[0] // 4), -(-size[1] // 4))
    assert np.isfinite(found).all()
    wide = np.pad(given.pixels[0], ((0, 0), (1, 9), (1, 9)), constant_values=np.nan)
    for row, col in np.ndindex(found.shape[1:]):
        part = wide[:, row * 4 : row * 4 + 6, col * 4 : col * 4 + 6]
        alone = model.embed(replace(given, pixels=part[None]))[0]
        np.testing.assert_allclose(found[:, row, col], alone, atol=1e-5)


def test_tokens_of_one_chip_are_those_of_the_model():
    model, given = token_model(), image(16, 16)
    found = dense.dense(model, patch_px=4).map(given)
    np.testing.assert_allclose(
        found, model.embed(given)[0].transpose(2, 0, 1), atol=1e-5
    )


def test_tokens_cover_an_image_of_any_size_and_do_not_depend_on_where_chips_lie():
    # A token of this network sees its own pixels alone.
    model, given = token_model(), image(37, 50)
    found = dense.dense(model, patch_px=4).map(given)
    assert found.shape == (8, 10, 13)
    assert np.isfinite(found).all()
    at = model.embed(replace(given, pixels=given.pixels[:, :, 12:28, 20:36]))[0]
    np.testing.assert_allclose(found[:, 3:7, 5:9], at.transpose(2, 0, 1), atol=1e-5)


def test_an_image_smaller_than_a_chip_is_one_chip():
    found = dense.dense(token_model(), patch_px=4).map(image(6, 5))
    assert found.shape == (8, 2, 2)
    assert np.isfinite(found).all()


def test_a_token_without_a_clear_pixel_is_unknown_and_the_others_are_not():
    given = image(24, 24)
    given.pixels[0, 1, 4:8, 8:12] = np.nan
    given.pixels[0, :, 12, 12] = np.nan
    found = dense.dense(token_model(), patch_px=4).map(given)
    unknown = np.isnan(found).all(axis=0)
    assert unknown[1, 2]
    assert unknown.sum() == 1
    dark = replace(given, pixels=np.full_like(given.pixels, np.nan))
    assert np.isnan(dense.dense(token_model(), patch_px=4).map(dark)).all()


def test_chips_lie_inside_and_share_what_the_card_asks_for():
    for cells, chip, overlap in [(10, 4, 2), (64, 14, 7), (5, 4, 0), (4, 4, 2)]:
        found = starts(cells, chip, overlap)
        assert found[0] == 0
        assert found[-1] == cells - chip
        assert all(b - a <= chip - overlap for a, b in pairwise(found))
    assert starts(3, 4, 2) == [0]


def test_what_fits_no_map_is_refused_in_one_line():
    with pytest.raises(ValueError, match="no map; choose its tokens"):
        dense.dense(Foundation(network=networks.Dense(), card=card()), patch_px=16)
    with pytest.raises(ValueError, match="leave it out"):
        dense.dense(token_model(), patch_px=16, cell_px=8)
    with pytest.raises(ValueError, match="1 pixel or more"):
        dense.dense(Spectral(BANDS), patch_px=16, cell_px=-1)
    given = image(8, 8)
    features = dense.dense(Spectral(BANDS), patch_px=16)
    with pytest.raises(ValueError, match="one image of bands red, nir, swir16"):
        features.map(replace(given, bands=BANDS[::-1]))
    with pytest.raises(ValueError, match="got 2 of"):
        features.map(replace(given, pixels=np.repeat(given.pixels, 2, axis=0)))


def test_an_image_is_brought_into_the_order_of_the_card():
    pixels = np.arange(4 * 9, dtype=np.float32).reshape(4, 3, 3)
    found = dense.image(
        pixels, bands=("swir16", "blue", "red", "nir"), card=card(), gsd=10
    )
    np.testing.assert_array_equal(found.pixels[0], pixels[[2, 3, 0]])
    assert found.wavelengths[0] == pytest.approx(0.665)
    with pytest.raises(ValueError, match="lack nir"):
        dense.image(pixels[:2], bands=("swir16", "red"), card=card(), gsd=10)
