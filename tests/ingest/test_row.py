"""Rows of items as the well-known catalogues write them; nothing here is fetched."""

import json
from pathlib import Path
from typing import Any

import pystac
import pytest
import shapely
from rasterio.warp import transform_bounds

from terradrift.errors import HarmonisationError, SourceError
from terradrift.ingest.filters import Options
from terradrift.ingest.row import row
from tests.ingest import products
from tests.ingest.products import asset, item


def made(scene: pystac.Item, **options: Any) -> dict[str, Any]:
    return row(scene, Options(**options), "run")


def by_band(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["band"]: entry for entry in found["assets"]}


def test_planetary_computer_is_decided_by_the_baseline() -> None:
    found = made(products.planetary_computer("05.09"))
    assert (found["boa_offset"], found["boa_offset_source"]) == (-1000.0, "baseline")
    assert found["bands"] == ["blue", "rededge071", "rededge075", "rededge078", "nir08"]
    assert found["processing_level"] == "L2A"
    assert found["processing_baseline"] == "05.09"
    assert found["constellation"] == "sentinel-2"
    assert found["platform"] == "Sentinel-2A"
    assert found["gsd"] == 10.0
    assert found["crs"] == "EPSG:32631"
    bands = by_band(found)
    assert bands["blue"]["scale"] == 1e-4
    assert bands["blue"]["offset"] == pytest.approx(-0.1)
    assert bands["mask:scl"]["href"] == "https://example.com/SCL.tif"
    assert bands["mask:scl"]["scale"] is None


def test_sentinel2_without_stated_nodata_has_zero() -> None:
    assert by_band(made(products.planetary_computer("05.09")))["blue"]["nodata"] == 0.0


def test_earth_search_keeps_the_flag_and_leaves_pictures_and_layers_out() -> None:
    found = made(products.earth_search(applied=True, baseline="05.09", offset=-0.1))
    assert found["bands"] == ["red", "rededge071", "nir08"]
    assert (found["boa_offset"], found["boa_offset_source"]) == (
        0.0,
        "boa_offset_applied",
    )
    bands = by_band(found)
    assert bands["red"]["href"] == "https://example.com/B04.tif"
    assert bands["red"]["offset"] == 0.0
    assert set(bands) == {"red", "rededge071", "nir08", "mask:scl"}


def test_the_flag_does_not_speak_for_esas_own_files_beside() -> None:
    scene = products.earth_search(applied=True, baseline="05.09", offset=-0.1)
    scene.assets = {"red-jp2": scene.assets["red-jp2"]}
    assert made(scene)["boa_offset"] == -1000.0


def test_collection_1_of_an_old_date_carries_the_offset() -> None:
    scene = products.earth_search(
        applied=None,
        baseline="05.00",
        offset=-0.1,
        collection="sentinel-2-c1-l2a",
        datetime="2016-07-01T10:50:00Z",
    )
    assert made(scene)["boa_offset"] == -1000.0


def test_copernicus_takes_the_finest_copy_of_each_band() -> None:
    found = made(products.copernicus())
    bands = by_band(found)
    assert bands["blue"]["href"] == "s3://eodata/B02_10m.jp2"
    assert bands["rededge071"]["href"] == "s3://eodata/B05_20m.jp2"
    assert bands["nir08"]["href"] == "s3://eodata/B8A_20m.jp2"
    assert bands["mask:scl"]["href"] == "s3://eodata/SCL_20m.jp2"
    assert found["processing_baseline"] == "05.11"
    assert found["processing_level"] == "L2A"
    assert (found["boa_offset"], found["boa_offset_source"]) == (-1000.0, "metadata")
    assert found["gsd"] == 10.0


def test_landsat_has_its_own_names_scale_and_mask() -> None:
    found = made(products.landsat())
    assert found["bands"] == ["red", "nir08", "swir16", "lwir11"]
    assert found["constellation"] == "landsat"
    assert (found["boa_offset"], found["boa_offset_source"]) == (None, "not sentinel-2")
    bands = by_band(found)
    assert (bands["red"]["scale"], bands["red"]["offset"]) == (2.75e-05, -0.2)
    assert bands["lwir11"]["offset"] == 149.0
    assert bands["mask:qa_pixel"]["href"].endswith("LC08_QA_PIXEL.TIF")
    assert made(products.landsat(stated=False))["assets"][0]["scale"] == 2.75e-05


def test_the_users_offset_is_recorded() -> None:
    scene = products.earth_search(applied=None, baseline=None, offset=None)
    with pytest.raises(HarmonisationError, match="pass --boa-offset -1000"):
        made(scene)
    found = made(scene, boa_offset=-1000.0)
    assert (found["boa_offset"], found["boa_offset_source"]) == (-1000.0, "user")


def test_bands_of_one_scene_that_state_different_offsets_are_refused() -> None:
    raster = {"scale": 1e-4, "nodata": 0}
    scene = item(
        {
            "red": asset("r.tif", {"name": "B04"}, raster=[raster | {"offset": 0}]),
            "nir": asset("n.tif", {"name": "B08"}, raster=[raster | {"offset": -0.1}]),
        },
        constellation="sentinel-2",
    )
    with pytest.raises(
        HarmonisationError, match="one offset for all bands, got red 0; nir -1000"
    ):
        made(scene)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [("auto", "mask:scl"), ("scl", "mask:scl"), ("aot", "mask:named"), ("none", None)],
)
def test_the_mask_is_what_was_asked_for(mask: str, expected: str | None) -> None:
    scene = products.earth_search(applied=True, baseline="05.09", offset=0.0)
    kinds = [name for name in by_band(made(scene, mask=mask)) if name[:4] == "mask"]
    assert kinds == ([expected] if expected else [])


def test_a_mask_asset_that_is_not_there_is_said_with_those_that_are() -> None:
    scene = products.earth_search(applied=True, baseline="05.09", offset=0.0)
    with pytest.raises(
        SourceError, match="expected a mask asset 'cloud', got assets aot"
    ):
        made(scene, mask="cloud")


def test_only_the_bands_asked_for_are_kept() -> None:
    scene = products.earth_search(applied=True, baseline="05.09", offset=0.0)
    assert made(scene, bands=("nir08", "red"))["bands"] == ["red", "nir08"]
    with pytest.raises(SourceError, match="expected bands blue, red, got red, nir08"):
        made(scene, bands=("blue", "red"))


def test_two_bands_of_one_name_in_one_asset_are_refused() -> None:
    rededge = {"name": "x", "common_name": "rededge071"}
    scene = item({"image": asset("i.tif", rededge, rededge | {"name": "y"})})
    with pytest.raises(
        SourceError, match=r"bands 1 \(x\) and 2 \(y\) are both rededge071"
    ):
        made(scene, scale=1.0)


def test_lists_of_different_length_are_refused() -> None:
    raster = [{"scale": 1e-4}] * 3
    scene = item(
        {"image": asset("i.tif", {"name": "red"}, {"name": "nir"}, raster=raster)}
    )
    with pytest.raises(SourceError, match=r"one entry per band .* got 0, 2, 3"):
        made(scene)


def test_an_item_without_image_assets_says_what_it_has() -> None:
    scene = item({"thumbnail": asset("t.tif", roles=["thumbnail"])})
    with pytest.raises(SourceError, match="got assets thumbnail; for a folder"):
        made(scene)


def test_a_b8a_is_sentinel2_without_being_told() -> None:
    names = [{"name": name} for name in ("B04", "B05", "B8A")]
    found = made(
        item({"image": asset("i.tif", *names)}, s2__processing_baseline="04.00")
    )
    assert found["bands"] == ["red", "rededge071", "nir08"]
    assert found["constellation"] == "sentinel-2"
    assert found["boa_offset"] == -1000.0


def test_the_middle_of_start_and_end_is_recorded() -> None:
    scene = products.earth_search(
        applied=True,
        baseline="05.09",
        offset=0.0,
        datetime=None,
        start_datetime="2023-06-01T00:00:00Z",
        end_datetime="2023-06-03T00:00:00Z",
    )
    found = made(scene)
    assert found["datetime"].isoformat() == "2023-06-02T00:00:00+00:00"
    said = json.loads(found["stac_item"])["properties"]
    assert said["terradrift:datetime"] == "middle of start_datetime and end_datetime"
    assert said["datetime"] is None


def test_the_stac_item_is_kept_whole_with_absolute_hrefs(tmp_path: Path) -> None:
    scene = products.planetary_computer("05.09")
    kept = json.loads(made(scene)["stac_item"])
    assert set(kept["assets"]) == set(scene.assets)
    assert kept["properties"]["s2:processing_baseline"] == "05.09"
    assert kept["properties"]["proj:code"] == "EPSG:32631"
    assert pystac.Item.from_dict(kept).id == scene.id


def test_the_footprint_comes_from_the_raster_not_from_the_item() -> None:
    found = made(products.planetary_computer("05.09"))
    outline = shapely.from_wkb(found["geometry"])
    assert not outline.equals(shapely.geometry.shape(products.POLYGON))
    west, south, east, north = transform_bounds(
        "EPSG:32631", "EPSG:4326", 499980, 5590200, 609780, 5700000
    )
    expected = {"xmin": west, "ymin": south, "xmax": east, "ymax": north}
    assert found["bbox"] == pytest.approx(expected, abs=1e-6)


def test_an_item_far_from_its_raster_is_refused() -> None:
    scene = products.planetary_computer("05.09")
    for entry in scene.assets.values():
        entry.extra_fields.pop("proj:code", None)
    scene.properties["proj:code"] = "EPSG:32633"
    with pytest.raises(
        SourceError,
        match=r"raster lies at 15\.78,50.* but the item's geometry at 3\.80",
    ):
        made(scene)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    here = asset("x", {"name": "red"}) | {"href": str(tmp_path / "gone.tif")}
    with pytest.raises(SourceError, match=r"asset red: expected a file at .*gone\.tif"):
        made(item({"red": here}), scale=1.0)


def test_the_uncertainty_of_landsats_temperature_is_no_mask() -> None:
    """`qa` beside `qa_pixel` is ST_QA in most Landsat catalogues."""
    scene = products.landsat()
    assert by_band(made(scene))["mask:qa_pixel"]["href"].endswith("QA_PIXEL.TIF")
    del scene.assets["qa_pixel"]
    assert "mask:qa_pixel" not in by_band(made(scene))


@pytest.mark.parametrize("key", ["qa", "pixel_qa", "QA_PIXEL", "qa_pixel"])
def test_landsat_masks_are_found_by_every_name(key: str) -> None:
    scene = products.landsat()
    scene.assets = {"red": scene.assets["red"]}
    scene.add_asset(key, pystac.Asset.from_dict(asset("cloud.tif")))
    assert by_band(made(scene))["mask:qa_pixel"]["href"].endswith("cloud.tif")


def test_bands_as_numbers_are_refused() -> None:
    scene = products.landsat()
    scene.assets["red"].extra_fields["eo:bands"] = [3]
    with pytest.raises(
        SourceError, match="asset red: expected eo:bands as a list of objects, got"
    ):
        made(scene)


def test_radiance_is_not_taken_for_reflectance() -> None:
    scene = products.landsat()
    unit = "watt/steradian/square_meter/micrometer"
    scene.assets["red"].extra_fields["raster:bands"][0]["unit"] = unit
    with pytest.raises(
        HarmonisationError, match=r"expected reflectance, got radiance \(watt"
    ):
        made(scene)
