"""What the ground of a simulated series is: read back from its recipe."""

import numpy as np
import pytest
import rasterio

from terradrift.errors import SourceError
from terradrift.ingest.simulate import simulate
from terradrift.ingest.simulate.covers import covers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("ground")
    simulate(
        place,
        size_px=96,
        dates=18,
        revisit_days=20,
        seed=3,
        cloudiness=0,
        changes_per_year=0,
        baseline_jump=None,
    )
    return place


def ndvi(folder):
    """(t, y, x) in order of time, NaN where there is no pixel."""
    found = []
    images = sorted((folder / "images").glob("*.tif"), key=lambda path: path.name[4:])
    for path in images:
        with rasterio.open(path) as file:
            names = list(file.descriptions)
            red, nir = (
                file.read(1 + names.index(band)).astype(float)
                for band in ("B04", "B08")
            )
        there = np.where(nir + red > 0, nir + red, np.nan)
        found.append((nir - red) / there)
    return np.stack(found)


def test_covers_are_those_that_the_images_show(folder):
    found = covers(folder, 2019)
    shown = ndvi(folder)
    assert found.cover.shape == shown.shape[1:]
    of = {
        name: np.nanmedian(shown[:, found.cover == code], axis=1)
        for code, name in enumerate(found.names)
        if (found.cover == code).sum() > 30
    }
    summer = slice(8, 11)
    assert np.nanmax(of["water"]) < 0.2
    assert np.nanmin(of["conifer"]) > np.nanmax(of["asphalt"])
    assert of["deciduous"][summer].min() > of["deciduous"][0] + 0.2


def test_crops_of_the_year_ripen_when_their_calendar_says(folder):
    found = covers(folder, 2019)
    assert ((found.crop >= 0) == (found.cover == found.names.index("crop"))).all()
    shown = ndvi(folder)
    wheat, maize = (
        np.nanmedian(shown[:, found.crop == found.crops.index(name)], axis=1)
        for name in ("wheat", "maize")
    )
    # 21 May and 29 August 2019.
    assert wheat[7] > maize[7] + 0.3
    assert maize[12] > wheat[12] + 0.2


def test_shares_of_patches_are_those_of_their_pixels(folder):
    found = covers(folder, 2019)
    row = np.array([int((found.north - 40) // 40), int((found.north - 480) // 40)])
    col = np.array([int(found.west // 40), int((found.west + 200) // 40)])
    share, crop = found.shares(row, col, 40)
    np.testing.assert_allclose(share.sum(axis=1), 1)
    assert share[0, found.cover[0, 0]] == np.mean(
        found.cover[:4, :4] == found.cover[0, 0]
    )
    wheat = np.mean(found.crop[44:48, 20:24] == 0)
    assert crop[1, 0] == wheat
    with pytest.raises(ValueError, match="whole pixels of 10 m"):
        found.shares(row - 1000, col, 40)


def test_a_folder_without_a_simulation_is_refused(tmp_path):
    with pytest.raises(SourceError, match="expected a simulated series"):
        covers(tmp_path, 2019)
