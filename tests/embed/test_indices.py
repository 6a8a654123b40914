import numpy as np
import pytest

from terradrift.embed import indices


def reflectance(**bands):
    return np.array(list(bands.values()), np.float32)[:, None], tuple(bands)


@pytest.mark.parametrize(
    ("name", "expected"), [("ndvi", 0.5), ("nbr", 0.2), ("ndwi", -0.8)]
)
def test_indices_are_normalised_differences(name, expected):
    pixels, bands = reflectance(red=0.1, nir=0.3, swir22=0.2, green=1 / 30)
    assert indices.index(name, pixels, bands, 0)[0] == pytest.approx(expected)


def test_nir08_stands_in_for_nir_but_not_before_it():
    pixels, bands = reflectance(red=0.1, nir08=0.3)
    assert indices.index("ndvi", pixels, bands, 0)[0] == pytest.approx(0.5)
    pixels, bands = reflectance(red=0.1, nir08=0.9, nir=0.3)
    assert indices.index("ndvi", pixels, bands, 0)[0] == pytest.approx(0.5)


def test_a_band_that_is_the_index_is_used_as_it_is():
    pixels, bands = reflectance(ndvi=0.7)
    assert indices.available(bands) == ("ndvi",)
    assert indices.index("ndvi", pixels, bands, 0)[0] == pytest.approx(0.7)


def test_only_what_the_bands_allow_is_available():
    assert indices.available(("green", "red", "nir")) == ("ndvi", "ndwi")
    assert indices.available(("red", "swir22")) == ()


def test_an_index_without_its_bands_is_refused():
    with pytest.raises(ValueError, match="nbr cannot be computed from bands red, nir"):
        indices.index("nbr", np.ones((2, 1), np.float32), ("red", "nir"), 0)


def test_nothing_over_nothing_is_undefined_and_negative_reflectance_counts_as_none():
    pixels, bands = reflectance(red=-0.1, nir=0.0)
    assert np.isnan(indices.index("ndvi", pixels, bands, 0)[0])
    pixels, bands = reflectance(red=-0.01, nir=0.2)
    assert indices.index("ndvi", pixels, bands, 0)[0] == 1
