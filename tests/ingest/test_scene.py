"""The scenes table: whole, ordered, one scene per id, and nothing mixed."""

import json
from pathlib import Path
from typing import Any

import pystac
import pytest
import shapely

from terradrift import schema
from terradrift.errors import HarmonisationError, SourceError
from terradrift.ingest.scene import Filters, Options, find_scenes, to_table
from terradrift.period import Period
from tests.ingest import products
from tests.ingest.geotiffs import write
from tests.ingest.products import asset, item

SHARED = {
    "s2-flanders-2018": (118, 10, "mask:scl", 10.0, 0.0),
    "s2-flanders-2018-transplant": (118, 10, "mask:scl", 10.0, 0.0),
    "s2-tanzania-2019-2021": (136, 6, "mask:scl", 20.0, 0.0),
    "s2-belgium-monthly-2021": (12, 9, None, 10.0, 0.0),
    "s2-wildfires-california": (14, 5, None, 20.0, 0.0),
    "s2-ndvi-vaia-2018": (382, 1, None, 10.0, None),
    "l8-flanders-2018": (26, 6, "mask:qa_pixel", 10.0, None),
    "scenes-robustness": (2, 13, None, 10.0, 0.0),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", SHARED)
def test_every_shared_catalogue_gives_its_scenes(shared: Any, name: str) -> None:
    count, bands, mask, gsd, boa_offset = SHARED[name]
    source = str(shared(f"data/{name}"))
    table, skipped = to_table(
        find_scenes(source, Filters(), Options()), Options(), "run"
    )
    assert skipped == []
    assert table.num_rows == count
    schema.check(table.schema, schema.scenes())
    first = table.to_pylist()[0]
    assert len(first["bands"]) == bands
    assert first["gsd"] == gsd
    assert first["boa_offset"] == boa_offset
    masks = [a["band"] for a in first["assets"] if a["band"].startswith("mask:")]
    assert masks == ([mask] if mask else [])
    times = table["datetime"].to_pylist()
    assert times == sorted(times)


@pytest.mark.shared
def test_landsat_b05_is_near_infrared_and_sentinel2_b05_red_edge(shared: Any) -> None:
    names = {}
    for folder in ("l8-flanders-2018", "s2-flanders-2018"):
        items = find_scenes(str(shared(f"data/{folder}")), Filters(), Options())
        table, _ = to_table([next(items)], Options(), "run")
        names[folder] = table["bands"][0].as_py()
    assert names["l8-flanders-2018"][3:] == ["nir08", "swir16", "swir22"]
    assert names["s2-flanders-2018"][3] == "rededge071"


@pytest.mark.shared
def test_footprints_of_shared_scenes_are_those_of_their_items(shared: Any) -> None:
    source = str(shared("data/s2-wildfires-california"))
    for scene in find_scenes(source, Filters(), Options()):
        table, _ = to_table([scene], Options(), "run")
        outline = shapely.from_wkb(table["geometry"][0].as_py())
        assert scene.geometry is not None
        stated = shapely.geometry.shape(scene.geometry)
        assert outline.symmetric_difference(stated).area < 1e-6 * stated.area


def test_an_item_that_comes_twice_counts_once() -> None:
    scene = products.planetary_computer("05.09")
    table, skipped = to_table([scene, scene.clone()], Options(), "run")
    assert (table.num_rows, skipped) == (1, [])


def test_two_scenes_of_one_id_are_refused() -> None:
    other = products.planetary_computer("05.09")
    other.datetime = pystac.utils.str_to_datetime("2023-07-01T10:00:00Z")
    with pytest.raises(
        SourceError, match=r"expected one scene S2A_MSIL2A_.*, got two with different"
    ):
        to_table([products.planetary_computer("05.09"), other], Options(), "run")


def test_one_id_in_two_collections_is_refused() -> None:
    other = products.planetary_computer("05.09")
    other.collection_id = "copy"
    with pytest.raises(
        SourceError, match="in collections sentinel-2-l2a and copy; pass --collection"
    ):
        to_table([products.planetary_computer("05.09"), other], Options(), "run")


def red(scene_id: str, **said: Any) -> pystac.Item:
    raster = [{"scale": 1e-4, "offset": 0, "nodata": 0}]
    return item(
        {"red": asset("r.tif", {"name": "B04"}, raster=raster)}, scene_id, **said
    )


def test_levels_are_not_mixed() -> None:
    both = [
        red("a", platform="sentinel-2a", processing__level="L1C"),
        red("b", platform="sentinel-2a", processing__level="L2A"),
    ]
    with pytest.raises(
        HarmonisationError,
        match=r"one processing level, got L1C \(a\), L2A \(b\); pass",
    ):
        to_table(both, Options(), "run")
    table, skipped = to_table(both, Options(level="L2A"), "run")
    assert (table["scene_id"].to_pylist(), skipped) == (["b"], [])


def test_a_scene_of_no_stated_level_has_the_one_asked_for() -> None:
    table, _ = to_table([red("a")], Options(level="L2A"), "run")
    assert table["processing_level"].to_pylist() == ["L2A"]


def test_baselines_are_mixed_to_one_reflectance() -> None:
    """A series across January 2022: each scene by its own baseline."""
    series = [products.planetary_computer(b) for b in ("03.01", "04.00", "05.09")]
    for number, scene in enumerate(series):
        scene.id = f"s{number}"
    table, _ = to_table(series, Options(), "run")
    assert table["boa_offset"].to_pylist() == [0.0, -1000.0, -1000.0]
    offsets = [assets[0]["offset"] for assets in table["assets"].to_pylist()]
    assert offsets == pytest.approx([0.0, -0.1, -0.1])


def test_one_scene_that_cannot_be_told_refuses_the_series() -> None:
    series = [products.planetary_computer("05.09"), products.planetary_computer(None)]
    series[1].id = "untold"
    with pytest.raises(HarmonisationError, match=r"scene untold: .*pass --boa-offset"):
        to_table(series, Options(), "run")


def test_a_scene_that_shares_no_band_is_skipped() -> None:
    raster = [{"scale": 1e-4, "offset": 0}]
    odd = item({"vv": asset("v.tif", {"name": "VV"}, raster=raster)}, "odd")
    table, skipped = to_table([red("a"), red("b"), odd], Options(), "run")
    assert table["scene_id"].to_pylist() == ["a", "b"]
    assert skipped[0].scene_id == "odd"
    assert skipped[0].reason == "expected at least one band of b04, got vv"


def test_an_item_without_dates_is_skipped() -> None:
    scene = red("a")
    scene.datetime = None
    table, skipped = to_table([scene], Options(), "run")
    assert table.num_rows == 0
    assert (
        "expected a datetime, or start_datetime and end_datetime" in skipped[0].reason
    )


def test_no_scenes_give_an_empty_table_of_the_schema() -> None:
    table, skipped = to_table([], Options(), "run")
    assert (table.num_rows, skipped) == (0, [])
    schema.check(table.schema, schema.scenes())


@pytest.mark.shared
def test_filters_are_applied_to_static_catalogues(shared: Any) -> None:
    source = str(shared("data/s2-flanders-2018"))
    filters = Filters(
        bbox=(3.0, 50.8, 3.1, 50.9),
        period=Period.parse("2018-05/2018-08"),
        max_cloud=10,
        collections=("s2-flanders-2018",),
    )
    found = list(find_scenes(source, filters, Options()))
    dates = [scene.datetime for scene in found if scene.datetime]
    assert 5 < len(found) < 40
    assert {when.month for when in dates} <= {5, 6, 7, 8}
    assert all(scene.properties["eo:cloud_cover"] <= 10 for scene in found)


def test_a_crs_that_the_file_denies_is_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    scene = item(
        {"red": asset("x", {"name": "red"}) | {"href": str(path)}},
        proj__epsg=32632,
    )
    scene.geometry = None
    _, skipped = to_table([scene], Options(scale=1e-4), "run")
    assert skipped[0].reason.startswith("item states EPSG:32632, but ")
    assert "is in EPSG:32631" in skipped[0].reason


def test_the_kept_item_says_where_the_file_lies(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    scene = item({"red": asset("x", {"name": "red"}) | {"href": str(path)}})
    scene.geometry = None
    table, _ = to_table([scene], Options(scale=1e-4), "run")
    kept = json.loads(table["stac_item"][0].as_py())["properties"]
    assert kept["proj:transform"] == [10.0, 0.0, 500000.0, 0.0, -10.0, 5600000.0]
    assert kept["proj:shape"] == [6, 8]
