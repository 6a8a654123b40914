from dataclasses import replace

import numpy as np
import pytest

from terradrift.embed import chips, contract, run
from tests.embed.images import landscape, tile_image, vectors
from tests.embed.test_chips import Means, card, every

L1C = {"level": "L1C", "gsd": 10.0}
FITTING = contract.Origin(**L1C, scene_gsd=10.0, sensor="sentinel-2")


class Sums:
    """Gives the sum of a chip in its first band, and nothing else of it."""

    def __init__(self, **given):
        self.card = card(dimensions=1, **given)

    def embed(self, chips):
        return np.nansum(chips.pixels[:, 0], axis=(1, 2))[:, None]


def rows_of(image, model, **given):
    return list(run.embed(iter([image]), model, run_id="r", threads=1, **given))


@pytest.mark.parametrize("level", ["L1C", "L2A", ""])
def test_a_model_of_any_level_and_resolution_takes_all(level):
    origin = contract.Origin(level=level, gsd=30.0, scene_gsd=60.0, sensor="")
    contract.check(card(), bands=("red", "nir"), origin=origin)


def test_images_as_the_model_was_made_for_are_taken():
    model = card(**L1C)
    for gsd in (9.0, 10.0, 11.0):
        origin = contract.Origin(level="L1C", gsd=gsd, scene_gsd=gsd)
        contract.check(model, bands=("red", "nir"), origin=origin)


@pytest.mark.parametrize(
    ("level", "gsd", "message"),
    [
        ("L2A", 10, "made for L1C, given L2A;"),
        ("", 10, "made for L1C, given an unknown level;"),
        ("L1C", 20, "made for 10 m per pixel, given 20 m;"),
        ("L1C", 8.9, "made for 10 m per pixel, given 8.9 m;"),
        ("L1C", 11.1, r"given 11\.1 m;"),
        ("L2A", 30, "made for L1C, given L2A; made for 10 m per pixel, given 30 m;"),
    ],
)
def test_another_level_or_resolution_is_refused_or_recorded(level, gsd, message):
    model, bands = card(**L1C), ("red", "nir")
    origin = contract.Origin(level=level, gsd=gsd)
    given = {"bands": bands, "origin": origin}
    with pytest.raises(ValueError, match=f"{message}.* --allow-mismatch") as refusal:
        contract.check(model, **given)
    assert "\n" not in str(refusal.value)
    contract.check(model, **given, allow_mismatch=True)
    line = run.metadata(model, bands, origin)["preprocessing"]
    assert line.startswith("none; made for")
    assert line != run.metadata(model, bands, FITTING)["preprocessing"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sensor": "landsat"}, "made for sentinel-2, given landsat"),
        ({"sensor": ""}, "made for sentinel-2, given an unknown sensor"),
        ({"scene_gsd": 20.0}, "made for 10 m per pixel, given scenes of 20 m"),
        (
            {"gsd": 30.0, "scene_gsd": 30.0},
            "made for 10 m per pixel, given 30 m",
        ),
        (
            {"sensor": "landsat", "scene_gsd": 30.0, "level": "L2A"},
            (
                "made for sentinel-2, given landsat; made for L1C, given L2A; "
                "made for 10 m per pixel, given scenes of 30 m"
            ),
        ),
    ],
)
def test_another_sensor_or_coarser_scenes_are_refused_or_recorded(changed, message):
    model, bands = card(**L1C, sensor="sentinel-2"), ("red", "nir")
    origin = replace(FITTING, **changed)
    with pytest.raises(ValueError, match=f"{message}; choose another"):
        contract.check(model, bands=bands, origin=origin)
    contract.check(model, bands=bands, origin=origin, allow_mismatch=True)
    line = run.metadata(model, bands, origin)["preprocessing"]
    assert line == f"none; {message}"


def test_finer_scenes_resampled_to_the_models_pixels_are_taken():
    origin = replace(FITTING, scene_gsd=3.0)
    contract.check(card(**L1C), bands=("red", "nir"), origin=origin)


def test_a_sensor_that_is_not_stated_is_told_by_bands_that_it_alone_has():
    edge = ("red", "rededge071", "rededge075", "rededge078", "nir")
    assert contract.sensor_of("", edge) == "sentinel-2"
    assert contract.sensor_of(None, edge) == "sentinel-2"
    assert contract.sensor_of("venus", edge) == "venus"
    assert contract.sensor_of("", ("red", "rededge071", "nir")) == ""
    assert contract.sensor_of("", ("red", "green", "blue")) == ""


def test_nothing_is_recorded_where_all_fits():
    found = run.metadata(card(**L1C), ("red", "nir"), FITTING)
    assert found["preprocessing"] == "none"


def test_the_runner_holds_every_image_against_the_card():
    image = tile_image(landscape(bands=2), bands=("red", "nir"), level="L2A")
    model = Sums(**L1C)
    with pytest.raises(ValueError, match="made for L1C, given L2A"):
        rows_of(image, model)
    (part,) = rows_of(image, model, allow_mismatch=True)
    assert part.batch.num_rows == 64
    (part,) = rows_of(replace(image, level="L1C"), model)
    assert part.batch.num_rows == 64


def test_only_bands_that_the_card_names_may_be_missing():
    model = card(bands=("red", "nir", "cirrus"), missing="zero", optional=("cirrus",))
    assert contract.missing_bands(model, ("red", "nir")) == ("cirrus",)
    with pytest.raises(ValueError, match="the images lack nir "):
        contract.missing_bands(model, ("red",))


@pytest.mark.parametrize("missing", ["zero", "drop"])
def test_a_model_without_any_of_its_bands_is_refused(missing):
    with pytest.raises(ValueError, match="lack red, nir"):
        contract.missing_bands(card(missing=missing), ("green",))


def test_a_band_that_is_dropped_has_no_wavelength_and_no_light():
    image = tile_image(landscape(bands=2), bands=("red", "nir"))
    image.wavelengths[1] = np.nan
    model = card(bands=("red", "nir", "swir16"), missing="drop", optional=("swir16",))
    (cut,) = chips.cut(image, model, every(image))
    assert (cut.chips.pixels[:, 2] == 0).all()
    # A band that is there never looks as if it were dropped.
    assert cut.chips.wavelengths[:2].tolist() == pytest.approx([0.665, 0.842])
    assert np.isnan(cut.chips.wavelengths[2])
    line = contract.preprocessing(model, image.bands)
    assert line == "none; bands not there, left out: swir16"


def test_bands_are_told_apart_by_name_alone():
    pixels = landscape(bands=2)
    model = Sums(bands=("red", "nir"))
    one = tile_image(pixels, bands=("red", "nir"))
    swapped = tile_image(pixels[::-1], bands=("nir", "red"))
    renamed = tile_image(pixels, bands=("nir", "red"))
    np.testing.assert_array_equal(vectors(model, one), vectors(model, swapped))
    assert not np.allclose(vectors(model, one), vectors(model, renamed))


def test_digital_numbers_are_refused():
    pixels = landscape(bands=2)
    image = tile_image(10_000 * pixels, bands=("red", "nir"))
    with pytest.raises(ValueError, match="expected reflectance of 0 to 1 or so, got"):
        rows_of(image, Sums())
    (part,) = rows_of(tile_image(pixels, bands=("red", "nir")), Sums())
    assert part.batch.num_rows == 64


def test_bright_clouds_dark_water_and_temperatures_are_no_digital_numbers():
    pixels = landscape(bands=2)
    pixels[0] = -0.01
    pixels[:, :12] = 2.5
    contract.check_reflectance(tile_image(pixels, bands=("red", "nir")))
    pixels[1] = 295
    contract.check_reflectance(tile_image(pixels, bands=("red", "lwir11")))
    contract.check_reflectance(tile_image(np.nan * pixels, bands=("red", "nir")))


def test_tokens_of_a_model_that_drops_bands_are_still_placed_right():
    image = tile_image(landscape(bands=1), bands=("red",))
    model = Means(
        bands=("red", "nir"), missing="drop", chip_size=8, token_stride=4, overlap_px=4
    )
    found = vectors(model, image)
    blocks = image.pixels[0, 1:-1, 1:-1].reshape(8, 4, 8, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(found[:, 0], blocks.ravel(), rtol=1e-5)
    assert not found[:, 1].any()
