"""Events from files: bands, types, sizes, places and what is damaged."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine

from terradrift.errors import SourceError
from terradrift.ingest.events.event import UNKNOWN
from terradrift.ingest.events.find import find
from terradrift.ingest.events.read import checked, read

PLACE = Affine(2.0, 0.0, 500_000.0, 0.0, -2.0, 5_000_000.0)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Three images of 40 x 30 pixels with a label, on the ground."""
    folder = tmp_path / "4_Site"
    folder.mkdir()
    for number, name in enumerate(
        ("normal_2018", "normal_2019", "anomaly_20200913"), start=1
    ):
        tif(folder / f"{name}.tif", np.full((3, 30, 40), 51 * number, np.uint8))
    label = np.zeros((1, 30, 40), np.uint8)
    label[0, :10, :10], label[0, 20:, 20:] = 5, 1
    tif(folder / "anomaly_20200913_label.tif", label, nodata=0)
    return folder


def tif(
    path: Path,
    pixels: np.ndarray,
    *,
    place: Affine | None = PLACE,
    crs: str = "EPSG:32631",
    **more: object,
) -> None:
    where = {} if place is None else {"transform": place, "crs": crs}
    band, height, width = pixels.shape
    path.unlink(missing_ok=True)
    with warnings.catch_warnings():
        # An image without a place says so when it is made.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            count=band,
            height=height,
            width=width,
            dtype=pixels.dtype,
            **where,
            **more,
        ) as file:
            file.write(pixels)


def event(folder: Path):
    (found,) = find(folder.parent).events
    return read(checked(found))


def test_bytes_are_red_green_and_blue_of_which_white_is_0_3(site: Path) -> None:
    found = event(site)
    assert found.stack.bands == ("red", "green", "blue")
    assert found.stack.wavelengths == pytest.approx([0.665, 0.56, 0.49])
    assert found.stack.pixels.shape == (3, 3, 30, 40)
    assert found.stack.pixels[:, 0, 0, 0] == pytest.approx([0.06, 0.12, 0.18])
    assert found.stack.days.astype(str).tolist() == [
        "2018-01-01",
        "2019-01-01",
        "2020-09-13",
    ]
    assert found.metres == pytest.approx(2.0, rel=1e-3)
    assert found.area_km2 == pytest.approx(1200 * 4e-6, rel=2e-3)
    assert found.stack.epsg == 32631


def test_a_label_s_0_is_background_also_where_it_is_called_nodata(site: Path) -> None:
    label = event(site).label
    assert label is not None
    assert np.unique(label).tolist() == [0, 1, 5]
    assert (label == 5).sum() == 100


def test_the_latest_steps_of_a_history(site: Path) -> None:
    found = event(site).recent(1)
    assert found.stack.pixels[:, 0, 0, 0] == pytest.approx([0.12, 0.18])
    assert len(event(site).recent(9).stack) == 3
    with pytest.raises(ValueError, match="at least 1, got 0"):
        event(site).recent(0)


@pytest.mark.parametrize(
    ("dtype", "factor"), [("uint16", 1e-4), ("int16", 1e-4), ("float32", 1.0)]
)
def test_other_bands_and_types(site: Path, dtype: str, factor: float) -> None:
    for path in sorted(site.glob("*[0-9].tif")):
        tif(path, np.full((7, 30, 40), 2, dtype))
    found = event(site)
    assert found.stack.pixels.shape[1] == 7
    assert found.stack.pixels.max() == pytest.approx(2 * factor)
    assert found.stack.bands[0] == "band1"
    assert np.isnan(found.stack.wavelengths).all()


def test_alpha_is_no_band_and_hides_pixels(site: Path) -> None:
    pixels = np.full((4, 30, 40), 100, np.uint8)
    pixels[3] = 255
    pixels[3, :5] = 0
    tif(site / "normal_2019.tif", pixels, photometric="RGB", alpha="YES")
    found = event(site)
    assert found.stack.pixels.shape[1] == 3
    assert np.isnan(found.stack.pixels[1, :, :5]).all()
    assert np.isfinite(found.stack.pixels[1, :, 5:]).all()


def test_images_of_other_size_and_crs_are_laid_by_their_place(site: Path) -> None:
    # Twice as coarse, from 4 m further west; value tells the column's place.
    columns = np.arange(32, dtype=np.uint8)
    wide = np.broadcast_to(columns, (3, 20, 32)).copy()
    coarse = Affine(4.0, 0.0, PLACE.c - 16.0, 0.0, -4.0, PLACE.f + 8.0)
    tif(site / "normal_2019.tif", wide, place=coarse)
    # In degrees, over the same ground.
    from rasterio.warp import transform_bounds

    west, south, east, north = transform_bounds(
        "EPSG:32631", "EPSG:4326", PLACE.c, PLACE.f - 60, PLACE.c + 80, PLACE.f
    )
    tif(
        site / "normal_2018.tif",
        np.full((3, 35, 45), 99, np.uint8),
        place=Affine((east - west) / 45, 0, west, 0, -(north - south) / 35, north),
        crs="EPSG:4326",
    )
    found = event(site)
    assert found.stack.pixels.shape == (3, 3, 30, 40)
    degrees = found.stack.pixels[0, 0] * 255 / 0.3
    assert degrees[2:-2, 2:-2] == pytest.approx(99)
    at = found.stack.pixels[1, 0] * 255 / 0.3
    # A pixel's middle is 2 m * column + 1 m east of the corner, 4 pixels of 4 m in.
    wanted = (np.arange(40) * 2 + 1 + 16) / 4 - 0.5
    assert at[10, 2:-2] == pytest.approx(wanted[2:-2], abs=0.01)


def test_a_label_of_other_size_is_laid_by_its_place_and_unknown_beyond(
    site: Path,
) -> None:
    label = np.full((1, 10, 20), 3, np.uint8)
    tif(site / "anomaly_20200913_label.tif", label)
    found = event(site).label
    assert found is not None
    assert (found[:10, :20] == 3).all()
    assert (found[10:] == UNKNOWN).all()


def test_sizes_that_differ_without_a_place_are_refused(site: Path) -> None:
    tif(
        site / "normal_2019.tif",
        np.ones((3, 31, 40), np.uint8),
        place=None,
    )
    with pytest.raises(
        SourceError,
        match=r"expected 40 x 30 pixels as anomaly_20200913.tif, got 40 x 31",
    ):
        event(site)


def test_a_label_of_other_size_without_a_place_is_refused(site: Path) -> None:
    tif(site / "anomaly_20200913_label.tif", np.ones((1, 5, 5), np.uint8), place=None)
    with pytest.raises(SourceError, match=r"label\.tif: expected 40 x 30 pixels"):
        event(site)


def test_images_of_one_size_without_a_place_are_taken_pixel_by_pixel(
    site: Path,
) -> None:
    for path in site.glob("*.tif"):
        with rasterio.open(path) as file:
            pixels = file.read()
        tif(path, pixels, place=None)
    (found,) = find(site).events
    bare, told = read(checked(found)), read(checked(found), gsd=0.5)
    assert bare.frame is None
    assert bare.metres is None
    assert bare.area_km2 is None
    assert bare.stack.epsg == 0
    assert told.metres == 0.5
    assert (bare.label == 5).sum() == 100


def test_damaged_files_and_other_bands_are_refused_in_one_line(site: Path) -> None:
    good = (site / "normal_2019.tif").read_bytes()
    (site / "normal_2019.tif").write_bytes(good[:200])
    with pytest.raises(
        SourceError, match=r"normal_2019\.tif: expected a readable raster"
    ):
        event(site)
    tif(site / "normal_2019.tif", np.ones((4, 30, 40), np.float32))
    with pytest.raises(SourceError, match=r"expected 3 bands as anomaly_2020.*got 4"):
        event(site)
    tif(site / "normal_2019.tif", np.ones((3, 30, 40), np.complex64))
    with pytest.raises(SourceError, match="expected real numbers"):
        event(site)
    tif(site / "normal_2019.tif", np.ones((3, 30, 40), np.uint32))
    with pytest.raises(SourceError, match="got uint32; pass --scale"):
        event(site)


def test_a_label_of_other_ground_or_of_nothing(site: Path) -> None:
    far = PLACE @ Affine.translation(5000, 0)
    path = site / "anomaly_20200913_label.tif"
    tif(path, np.full((1, 30, 40), 5, np.uint8), place=far)
    with pytest.raises(SourceError, match="got one of other ground"):
        event(site)
    tif(path, np.ones((1, 30, 40), np.uint8), place=None)
    assert event(site).notes == (
        "nothing is labelled: no value above 1, which is background",
        "taken pixel by pixel, for they say no place: anomaly_20200913_label.tif",
    )


def test_the_middle_in_degrees(site: Path) -> None:
    longitude, latitude = event(site).center
    assert longitude == pytest.approx(3.0, abs=0.01)
    assert latitude == pytest.approx(45.15, abs=0.01)


def test_fractions_are_no_label(site: Path) -> None:
    tif(site / "anomaly_20200913_label.tif", np.full((1, 30, 40), 0.5, np.float32))
    with pytest.raises(SourceError, match="expected whole numbers in a label"):
        event(site)


def test_history_elsewhere_is_left_out_or_refused(site: Path) -> None:
    far = PLACE @ Affine.translation(5000, 0)
    tif(site / "normal_2018.tif", np.ones((3, 30, 40), np.uint8), place=far)
    found = event(site)
    assert len(found.stack) == 2
    assert found.notes == ("elsewhere or empty, left out: normal_2018.tif",)
    tif(site / "normal_2019.tif", np.ones((3, 30, 40), np.uint8), place=far)
    with pytest.raises(SourceError, match="earlier image that covers"):
        event(site)


def test_one_event_or_a_folder_of_them(site: Path) -> None:
    assert [each.name for each in find(site).events] == ["4_Site"]
    odd = site.parent / "Odd"
    odd.mkdir()
    tif(odd / "normal_2019.tif", np.ones((3, 4, 4), np.uint8))
    with pytest.raises(SourceError, match="Odd: expected a folder name"):
        find(site.parent)
    found = find(site.parent, skip_bad=True)
    assert [each.name for each in found.events] == ["4_Site"]
    assert len(found.problems) == 1
    with pytest.raises(SourceError, match="got none there"):
        find(site.parent / "nowhere")
    (site.parent / "empty").mkdir()
    with pytest.raises(SourceError, match="got no event"):
        find(site.parent / "empty")
