"""Laws of the whole simulation, on files."""

import hashlib
import json
import tracemalloc
from pathlib import Path

import geopandas
import numpy as np
import pystac
import pytest
import rasterio
from scipy import ndimage

from terradrift.errors import SourceError
from terradrift.ingest.simulate import simulate

SMALL = {"size_px": 160, "dates": 24, "seed": 1, "threads": 2}


def digests(folder: Path, pattern: str = "**/*.tif") -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob(pattern))
    }


def reflectance(item: pystac.Item) -> np.ndarray:
    asset = item.assets["image"]
    with rasterio.open(asset.get_absolute_href()) as file:
        numbers = file.read().astype(float)
    scale, offset = (asset.extra_fields[f"raster:{key}"] for key in ("scale", "offset"))
    return np.where(numbers > 0, numbers * scale + offset, np.nan)


def items(folder: Path) -> list[pystac.Item]:
    found = pystac.Catalog.from_file(folder / "catalog.json").get_items(recursive=True)
    return sorted(found, key=lambda item: item.datetime)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    out = tmp_path_factory.mktemp("planted")
    simulate(out, **SMALL)
    return out


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    out = tmp_path_factory.mktemp("untouched")
    simulate(out, **SMALL, changes_per_year=0)
    return out


def test_the_same_arguments_give_the_same_bytes(planted, tmp_path):
    simulate(tmp_path / "again", **{**SMALL, "threads": 1})
    assert digests(tmp_path / "again", "**/*.*") == digests(planted, "**/*.*")


def test_another_seed_gives_another_place(planted, tmp_path):
    simulate(tmp_path / "other", **{**SMALL, "seed": 2, "dates": 1})
    mine = digests(tmp_path / "other", "images/*.tif")
    assert not set(mine.values()) & set(digests(planted, "images/*.tif").values())


def test_more_dates_leave_the_first_as_they_are(planted, tmp_path):
    out = tmp_path / "grown"
    simulate(out, **{**SMALL, "dates": 21})
    first = {path: path.stat().st_mtime_ns for path in out.glob("images/*.tif")}
    simulate(out, **SMALL)
    assert {path: path.stat().st_mtime_ns for path in first} == first
    assert digests(out, "**/*.*") == digests(planted, "**/*.*")


def test_only_the_planted_places_differ_and_only_from_the_onset_on(planted, untouched):
    truth = json.loads((planted / "truth.geojson").read_text())
    with rasterio.open(planted / "truth.tif") as file:
        number = file.read(1)
    properties = {f["properties"]["id"]: f["properties"] for f in truth["features"]}
    assert set(np.unique(number)) == {0, *properties}
    differ = np.zeros((len(items(planted)), *number.shape), bool)
    for index, (a, b) in enumerate(zip(items(planted), items(untouched), strict=True)):
        differ[index] = (
            np.nan_to_num(np.abs(reflectance(a) - reflectance(b))).max(0) > 0.02
        )
    near = ndimage.binary_dilation(number > 0, iterations=14)
    assert not differ[:, ~near].any()
    instants = [f"{item.datetime:%Y-%m-%dT%H:%M:%SZ}" for item in items(planted)]
    for change, facts in properties.items():
        place = (
            ndimage.binary_erosion(number == change)
            if facts["area_m2"] > 4000
            else number == change
        )
        first = instants.index(facts["first_affected_acquisition"])
        assert instants[first - 1] == facts["last_unaffected_acquisition"]
        assert not differ[: first - 1, place].any()
        assert differ[first:, place].any(0).mean() > 0.6, facts


def test_nothing_planted_is_said_to_be_planted(untouched):
    truth = json.loads((untouched / "truth.geojson").read_text())
    assert truth == {"type": "FeatureCollection", "features": []}
    with rasterio.open(untouched / "truth.tif") as file:
        assert not file.read().any()


def test_a_year_later_an_unchanged_place_looks_the_same(tmp_path):
    simulate(
        tmp_path / "calm",
        size_px=96,
        dates=13,
        start="2019-06-20",
        revisit_days=30,
        cloudiness=0,
        changes_per_year=0,
        baseline_jump="2019-12-01",
    )
    found = items(tmp_path / "calm")
    one, other = (np.nanmean(reflectance(found[at]), (1, 2)) for at in (0, 12))
    assert np.abs(one - other).max() < 0.05


def test_the_baseline_jump_is_in_the_numbers_and_not_in_the_reflectance(tmp_path):
    for name, jump in (("with", "2019-01-20"), ("without", None)):
        simulate(tmp_path / name, size_px=64, dates=3, baseline_jump=jump)
    for a, b in zip(items(tmp_path / "with"), items(tmp_path / "without"), strict=True):
        assert np.allclose(reflectance(a), reflectance(b), atol=1e-9, equal_nan=True)
    late = items(tmp_path / "with")[-1]
    assert late.properties["s2:processing_baseline"] == "05.00"
    assert late.assets["image"].extra_fields["raster:offset"] == -0.1
    assert (
        items(tmp_path / "without")[-1].properties["s2:processing_baseline"] == "02.13"
    )


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_the_catalogue_is_whole_and_relative(tmp_path, version):
    simulate(tmp_path / "s", size_px=64, dates=2, stac_version=version)
    for path in (tmp_path / "s").glob("**/*.json"):
        assert str(tmp_path) not in path.read_text()
    moved = (tmp_path / "s").rename(tmp_path / "moved")
    found = items(moved)
    assert len(found) == 2
    for item in found:
        for asset in item.assets.values():
            with rasterio.open(asset.get_absolute_href()) as file:
                assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                assert file.crs.to_epsg() == 32631
                assert file.nodata == 0
        west, south, east, north = item.bbox
        assert 2.9 < west < east < 3.1
        assert 50.9 < south < north < 51.1


def test_one_asset_per_band_holds_the_same_pixels(tmp_path):
    for layout in ("multiband", "per-band"):
        simulate(tmp_path / layout, size_px=64, dates=1, layout=layout)
    (whole,), (split,) = items(tmp_path / "multiband"), items(tmp_path / "per-band")
    with rasterio.open(whole.assets["image"].get_absolute_href()) as file:
        for number, band in enumerate(file.descriptions, start=1):
            with rasterio.open(split.assets[band].get_absolute_href()) as single:
                assert np.array_equal(single.read(1), file.read(number))


def test_bands_do_not_depend_on_which_others_are_written(tmp_path):
    simulate(tmp_path / "all", size_px=64, dates=1)
    simulate(tmp_path / "two", size_px=64, dates=1, bands=("B08", "B04"))
    (every,), (two,) = items(tmp_path / "all"), items(tmp_path / "two")
    chosen = reflectance(every)[[6, 2]]
    assert np.array_equal(reflectance(two), chosen, equal_nan=True)


def test_truth_lies_where_the_raster_says(planted):
    shapes = geopandas.read_file(planted / "truth.geojson").to_crs(32631)
    assert shapes.is_valid.all()
    assert np.allclose(shapes.area, shapes.area_m2, rtol=0.01)
    with rasterio.open(planted / "truth.tif") as file:
        for row in shapes.itertuples():
            point = row.geometry.representative_point()
            (value,) = next(file.sample([(point.x, point.y)]))
            assert value == row.id


def test_a_side_that_is_no_multiple_of_anything_works(tmp_path):
    simulate(tmp_path / "odd", size_px=77, dates=2, gsd=20)
    for item in items(tmp_path / "odd"):
        assert reflectance(item).shape == (10, 77, 77)


def test_memory_does_not_grow_with_the_number_of_dates(tmp_path):
    peaks = []
    for dates in (3, 12):
        tracemalloc.start()
        simulate(tmp_path / str(dates), size_px=192, dates=dates, threads=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_a_folder_with_another_simulation_is_refused(tmp_path):
    simulate(tmp_path / "s", size_px=64, dates=1)
    with pytest.raises(
        SourceError,
        match="holds a simulation with other cloudiness, seed; pass an empty",
    ):
        simulate(tmp_path / "s", size_px=64, dates=1, seed=9, cloudiness=0.1)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("final")
    with pytest.raises(SourceError, match="is not empty and holds no simulation"):
        simulate(tmp_path, size_px=64, dates=1)


def test_no_dates_are_refused(tmp_path):
    with pytest.raises(ValueError, match="dates must be at least 1, got 0"):
        simulate(tmp_path / "s", dates=0)
