"""Inputs of an operation: one image, clouds everywhere, a band that is not there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

import terradrift as td
from terradrift.errors import SourceError
from terradrift.evaluate.class_maps import maps as class_maps
from terradrift.evaluate.methods import WholeDetection, methods
from terradrift.evaluate.planted_series.series import Recipe, plant
from terradrift.series import Series

BANDS = tuple(f"e{at}" for at in range(8))
DETECTORS = [one.name for one in methods(bands=BANDS)]
SEVERAL = ("drift", "lof", "rx-difference", "rx-temporal", "scores-z", "surprise")
WHOLE = WholeDetection(threads=1)


@pytest.fixture(scope="module")
def series() -> Series:
    return plant(
        Recipe(side=6, dates=40, dimensions=8, events=3, quiet_days=200)
    ).series


def until(series: Series, count: int) -> Series:
    """The first dates."""
    return Series(
        series.patch_ids,
        series.cells,
        series.days[:count],
        series.times[:, :count],
        series.vectors[:, :count],
        series.clear_percent[:, :count],
        series.indices[:, :count],
    )


def clouded(series: Series, at: int) -> Series:
    """One more date, of nothing but cloud."""
    day = series.days[at - 1] + 1
    n = len(series)
    white = np.full((n, 1, series.vectors.shape[2]), 0.35, np.float16)
    return Series(
        series.patch_ids,
        series.cells,
        np.insert(series.days, at, day),
        np.insert(series.times, at, day.astype("datetime64[us]"), axis=1),
        np.concatenate([series.vectors[:, :at], white, series.vectors[:, at:]], axis=1),
        np.insert(series.clear_percent, at, 0.0, axis=1),
        np.insert(series.indices, at, np.nan, axis=1),
    )


@pytest.mark.parametrize("name", DETECTORS)
def test_one_image_is_no_history(series: Series, name: str) -> None:
    one = until(series, 1)
    (method,) = methods([name], bands=BANDS, threads=1)
    judged = method.judge([one])
    assert np.isnan(judged.score).all()
    assert np.isnat(judged.onset).all()
    assert not judged.reported.any()


def test_one_image_has_reasons(series: Series) -> None:
    (block,) = WHOLE.blocks([until(series, 1)])
    assert set(block.patches.reason) == {"too few clear dates"}
    assert set(block.scores.reason.ravel()) <= {
        "no earlier observation",
        "not clear enough",
    }
    assert np.isnan(block.scores.p_value).all()


@pytest.mark.parametrize("name", SEVERAL)
def test_a_date_of_cloud_changes_no_other_score(series: Series, name: str) -> None:
    (method,) = methods([name], bands=BANDS, threads=1)
    before, after = method.frames([series]), method.frames([clouded(series, 30)])
    assert before is not None
    assert after is not None
    assert np.isnan(after[0].score[:, 30]).all()
    np.testing.assert_allclose(
        np.delete(after[0].score, 30, axis=1), before[0].score, rtol=1e-4, atol=1e-5
    )


def test_a_date_of_cloud_changes_no_judgement(series: Series) -> None:
    before, after = WHOLE.judge([series]), WHOLE.judge([clouded(series, 30)])
    np.testing.assert_allclose(after.score, before.score, rtol=1e-4)
    assert (after.onset == before.onset).all()
    assert (after.reported == before.reported).all()
    (block,) = WHOLE.blocks([clouded(series, 30)])
    assert set(block.scores.reason[:, 30]) == {"not clear enough"}


def test_a_patch_that_is_never_clear_abstains_alone(series: Series) -> None:
    percent = series.clear_percent.copy()
    percent[17] = 10.0
    (block,) = WHOLE.blocks([replace(series, clear_percent=percent)])
    assert np.flatnonzero(np.isnan(block.patches.score)).tolist() == [17]
    assert block.patches.reason[17] == "not clear enough"


def write(folder: Path, months: range, bands: tuple[int, ...]) -> Path:
    recipe = class_maps.Recipe(size_px=64, months=26, parcels=8, transitions=2)
    maps = class_maps.draw(recipe)
    images = class_maps.render(recipe, maps)
    folder.mkdir()
    for month in months:
        with rasterio.open(
            folder / f"{maps.days[month]}.tif",
            "w",
            driver="GTiff",
            count=len(bands),
            height=64,
            width=64,
            dtype="uint16",
            crs="EPSG:32631",
            transform=Affine(10, 0, 500_480, 0, -10, 5_600_000),
            nodata=0,
        ) as file:
            file.write(images[month][list(bands)])
            file.scales = [1e-4] * len(bands)
            file.update_tags(DATETIME=f"{maps.days[month]}T10:30:00Z")
            for number, band in enumerate(bands, start=1):
                file.set_band_description(number, class_maps.BANDS[band])
    return folder


def test_a_later_scene_without_a_band_is_named_and_harms_nothing(
    tmp_path: Path,
) -> None:
    archive = td.create(tmp_path / "a.td", td.Grid(160))
    archive.ingest(write(tmp_path / "all", range(6), (0, 1, 2, 3)))
    lacking = write(tmp_path / "lacking", range(8, 9), (0, 1, 2))
    with pytest.raises(SourceError, match="2019-09-15 lacks b08"):
        archive.ingest(lacking)
    archive.embed("spectral", quiet=True, threads=1)
    archive.detect("spectral", quiet=True, threads=1)
    held = archive.sql("SELECT DISTINCT datetime FROM scores").to_arrow_table()
    assert held.num_rows == 6


def test_scenes_of_unequal_bands_are_judged_by_those_they_share(tmp_path: Path) -> None:
    folder = write(tmp_path / "all", range(4), (0, 1, 2, 3))
    for path in write(tmp_path / "lacking", range(4, 6), (0, 1, 2)).iterdir():
        path.rename(folder / path.name)
    archive = td.create(tmp_path / "a.td", td.Grid(160))
    archive.ingest(folder)
    assert archive.store.settings.bands == ("b02", "b03", "b04")
