import numpy as np
import pytest

from terradrift.embed import chips
from terradrift.embed.spectral import Spectral
from tests.embed.images import BANDS10, landscape, tile_image


def embedded(pixels, bands, patch_px=4):
    image = tile_image(pixels, bands=bands, halo_px=0, patch_px=patch_px)
    model = Spectral.for_bands(bands)
    wanted = np.arange(len(image.patch_ids))
    return np.concatenate(
        [model.embed(cut.chips) for cut in chips.cut(image, model.card, wanted)]
    )


def test_statistics_are_those_of_numpy_over_clear_pixels():
    pixels = landscape((8, 8), bands=2)
    pixels[:, 1, 2:6] = np.nan
    found = embedded(pixels, ("red", "blue"))
    patch = pixels[:, :4, :4].reshape(2, -1) / 0.1
    expected = [
        np.nanmean(patch, axis=1),
        np.nanstd(patch, axis=1),
        *np.nanquantile(patch, (0.1, 0.5, 0.9), axis=1),
    ]
    np.testing.assert_allclose(found[0], np.concatenate(expected), rtol=1e-4)


def test_indices_stand_beside_bands_where_bands_allow():
    bands = ("red", "nir", "green")
    card = Spectral(bands).card
    assert card.dimensions == 5 * 5
    assert "ndvi, ndwi" in card.preprocessing
    pixels = np.ones((3, 4, 4), np.float32) * np.array([0.1, 0.3, 0.3])[:, None, None]
    found = embedded(pixels, bands)[0]
    np.testing.assert_allclose(found[:5], [1, 3, 3, 0.5 / 0.3, 0], rtol=1e-5)
    np.testing.assert_allclose(found[5:10], 0, atol=1e-5)


def test_an_index_band_counts_in_units_of_indices():
    found = embedded(np.full((1, 4, 4), 0.6, np.float32), ("ndvi",))
    assert found.shape == (1, 5)
    assert found[0, 0] == pytest.approx(2)


def test_pixels_without_any_light_have_index_zero():
    found = embedded(np.zeros((2, 4, 4), np.float32), ("red", "nir"))
    np.testing.assert_array_equal(found, np.zeros((1, 15)))


def test_a_patch_masked_in_one_band_everywhere_has_no_vector():
    pixels = landscape((4, 8), bands=10)
    pixels[3, :, :4] = np.nan
    found = embedded(pixels, BANDS10)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_no_band_at_all_is_refused():
    with pytest.raises(ValueError, match="spectral needs at least one band"):
        Spectral.for_bands(())


def test_other_bands_than_the_models_are_refused():
    image = tile_image(landscape((4, 4), bands=2), bands=("red", "nir"), halo_px=0)
    (cut,) = chips.cut(image, Spectral(("red", "nir")).card, np.array([0]))
    with pytest.raises(ValueError, match="for bands nir, red, got red, nir"):
        Spectral(("nir", "red")).embed(cut.chips)
