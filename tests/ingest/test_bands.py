"""Canonical names: the sensor, the common name and the wavelength decide, never `B05` alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terradrift.chip import BANDS
from terradrift.ingest.bands import (
    by_wavelength,
    canonical,
    micrometres,
    number,
    sensor,
)

S2 = {
    "B01": "coastal",
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge071",
    "B06": "rededge075",
    "B07": "rededge078",
    "B08": "nir",
    "B8A": "nir08",
    "B09": "nir09",
    "B10": "cirrus",
    "B11": "swir16",
    "B12": "swir22",
}
L8 = {
    "B1": "coastal",
    "B2": "blue",
    "B3": "green",
    "B4": "red",
    "B5": "nir08",
    "B6": "swir16",
    "B7": "swir22",
    "B9": "cirrus",
    "B10": "lwir11",
    "B11": "lwir12",
}


@pytest.mark.parametrize(("label", "name"), S2.items())
def test_sentinel2_bands_are_known_by_number(label: str, name: str) -> None:
    for written in (label, label.lower(), f"{label}_20m", label.replace("B0", "B")):
        assert canonical(written, sensor="sentinel-2") == name


@pytest.mark.parametrize(("label", "name"), L8.items())
def test_landsat_8_bands_are_known_by_number(label: str, name: str) -> None:
    for written in (label, f"OLI_{label}", f"SR_{label}", label.replace("B", "B0")):
        assert canonical(written, sensor="landsat-oli") == name


def test_b05_means_what_its_sensor_says() -> None:
    assert canonical("B05", sensor="sentinel-2") == "rededge071"
    assert canonical("B05", sensor="landsat-oli") == "nir08"
    assert canonical("B05", sensor="landsat-tm") == "swir16"
    assert canonical("B05") == "b05"
    assert canonical("B05", sensor="landsat") == "b05"
    assert canonical("B05", wavelength=0.7039) == "rededge071"
    assert canonical("B05", wavelength=0.865) == "nir08"
    assert canonical("B05", "nir08") == "nir08"


def test_rededge_three_times_is_told_apart_by_name_or_wavelength() -> None:
    by_name = [
        canonical(b, "rededge", None, "sentinel-2") for b in ("B05", "B06", "B07")
    ]
    by_size = [canonical("x", "rededge", w) for w in (0.7039, 0.7402, 0.7825)]
    assert by_name == by_size == ["rededge071", "rededge075", "rededge078"]
    assert canonical("B8A", "rededge", 0.865, "sentinel-2") == "nir08"
    assert canonical("rededge1", "rededge") == "rededge071"


def test_nir_of_landsat_is_the_narrow_one() -> None:
    assert canonical("nir", "nir", sensor="landsat-oli") == "nir08"
    assert canonical("nir", "nir", sensor="sentinel-2") == "nir"
    assert canonical("B5", "nir", sensor="landsat-oli") == "nir08"


def test_bands_without_meaning_keep_their_name() -> None:
    assert canonical("NDVI", sensor="sentinel-2") == "ndvi"
    assert canonical("VV", wavelength=55_000.0) == "vv"
    assert canonical("green_i", wavelength=0.531) == "green_i"


@given(st.sampled_from(sorted(BANDS)), st.floats(-0.004, 0.004))
def test_wavelengths_near_a_band_are_that_band(name: str, shift: float) -> None:
    assert by_wavelength(BANDS[name] + shift) == name


@given(st.text(max_size=12), st.sampled_from(["", "sentinel-2", "landsat-oli"]))
def test_every_label_gets_a_lower_case_name(label: str, family: str) -> None:
    name = canonical(label, sensor=family)
    assert name in BANDS or name == "pan" or name == label.strip().lower()


def test_numbers_are_read_from_labels_only_whole() -> None:
    assert number("B8A_20m") == "8A"
    assert number("B08") == "8"
    assert number("OLI_B10") == "10"
    assert number("blue") is None
    assert number("B02_masked") is None


def test_wavelengths_in_nanometres_are_understood() -> None:
    assert micrometres(490) == pytest.approx(0.49)
    assert micrometres(0.49) == 0.49
    assert micrometres(None) is None
    assert micrometres("0.49") is None
    assert micrometres(0) is None


@pytest.mark.parametrize(
    ("said", "family"),
    [
        (("sentinel-2a",), "sentinel-2"),
        (("Sentinel-2B", "Sentinel 2"), "sentinel-2"),
        ((None, "Sentinel 2"), "sentinel-2"),
        ((None, None, "msi", "COPERNICUS/S2_SR_HARMONIZED"), "sentinel-2"),
        ((None, None, "", None, "S2_20170804T105328"), "sentinel-2"),
        ((None, None, "", None, "S2A_MSIL2A_20230601T105031"), "sentinel-2"),
        (("landsat-8", "landsat"), "landsat-oli"),
        (("LANDSAT_9",), "landsat-oli"),
        ((None, "landsat", "oli tirs"), "landsat"),
        ((None, None, "oli tirs"), "landsat-oli"),
        (("landsat-5",), "landsat-tm"),
        (("landsat-7", "landsat"), "landsat-tm"),
        ((None, None, "", None, "LC08_L2SP_199025_20230601_02_T1"), "landsat-oli"),
        ((None, None, "", None, "LE07_L2SP_199025_20030601_02_T1"), "landsat-tm"),
        (("landsat-8", None, "", "HLSL30"), "landsat-oli"),
        ((None, None, "", "HLSS30"), "sentinel-2"),
        (("planetscope",), ""),
        ((None, "", None), ""),
        ((None, None, "", "classes2023"), ""),
    ],
)
def test_sensors_are_known_by_platform_constellation_and_ids(
    said: tuple[str | None, ...], family: str
) -> None:
    assert sensor(*said) == family
