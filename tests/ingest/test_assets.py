"""Which assets hold bands, and which copy of a band is taken."""

from typing import Any

import pytest

from terradrift.errors import SourceError
from terradrift.ingest.assets import (
    Band,
    choose,
    described,
    from_names,
    is_image,
    is_raster,
    number_of,
    pixel_size,
    proj_code,
)

COG = "image/tiff; application=geotiff; profile=cloud-optimized"


def band(name: str, asset: str, pixel: float = 10.0, index: int = 1) -> Band:
    return Band(name=name, label=name, asset=asset, index=index, pixel=pixel)


@pytest.mark.parametrize(
    ("asset", "raster"),
    [
        ({"type": COG, "href": "x"}, True),
        ({"type": "image/jp2", "href": "x"}, True),
        ({"type": "image/vnd.stac.geotiff; cloud-optimized=true", "href": "x"}, True),
        ({"href": "https://example.com/a.TIF?sig=1"}, True),
        ({"href": "a.vrt"}, True),
        ({"type": "image/png", "href": "a.tif"}, False),
        ({"type": "application/json", "href": "a.json"}, False),
        ({"href": "a.xml"}, False),
    ],
)
def test_rasters_are_known_by_type_then_name(
    asset: dict[str, Any], raster: bool
) -> None:
    assert is_raster(asset) is raster


@pytest.mark.parametrize(
    ("key", "roles", "image"),
    [
        ("B04", ["data"], True),
        ("red", None, True),
        ("image", ["data", "reflectance"], True),
        ("ndvi", ["data"], True),
        ("visual", ["data"], False),
        ("TCI_10m", None, False),
        ("true-color", None, False),
        ("rendered_preview", ["overview"], False),
        ("thumbnail", ["thumbnail"], False),
        ("scl", ["data", "reflectance"], False),
        ("SCL_20m", ["data"], False),
        ("aot", None, False),
        ("WVP_10m", None, False),
        ("qa_radsat", None, False),
        ("atran", ["data"], False),
        ("solar_zenith", ["data"], False),
        ("mask", ["data-mask"], False),
        ("B04", ["overview"], False),
    ],
)
def test_pictures_masks_and_layers_are_no_images(
    key: str, roles: list[str] | None, image: bool
) -> None:
    asset: dict[str, Any] = {"type": COG, "href": "x"}
    assert is_image(key, asset | ({"roles": roles} if roles else {})) is image


def test_stac_1_1_bands_are_read_with_what_the_asset_states_for_all() -> None:
    asset = {
        "href": "x.tif",
        "raster:scale": 0.0001,
        "nodata": "nan",
        "data_type": "uint16",
        "bands": [
            {"name": "B04", "eo:common_name": "red", "raster:offset": -0.1},
            {"name": "B08", "eo:center_wavelength": 0.835, "raster:offset": 0},
        ],
    }
    red, nir = described("image", asset, {}, "")
    assert (red.name, nir.name) == ("red", "nir")
    assert (red.scale, red.offset, nir.offset) == (0.0001, -0.1, 0.0)
    assert (red.index, nir.index, nir.wavelength) == (1, 2, 0.835)
    assert red.nodata != red.nodata
    assert red.data_type == "uint16"


def test_a_band_without_a_name_has_its_assets_where_that_is_one() -> None:
    asset = {"href": "x.tif", "raster:bands": [{"scale": 1.0}]}
    assert [b.name for b in described("B8A", asset, {}, "sentinel-2")] == ["nir08"]
    assert [b.name for b in described("red", asset, {}, "")] == ["red"]
    assert described("image", asset, {}, "") == []
    assert described("B04", {"raster:bands": [{}, {}]}, {}, "sentinel-2") == []


def test_band_descriptions_of_a_file_count_all_or_none() -> None:
    found = from_names("image", {"nodata": 0}, ["B02", "NDVI"], {}, "sentinel-2")
    assert [(b.name, b.index, b.nodata) for b in found] == [
        ("blue", 1, 0.0),
        ("ndvi", 2, 0.0),
    ]
    assert from_names("image", {}, ["B02", None], {}, "sentinel-2") == []


def test_the_finest_copy_is_taken_then_geotiff_then_the_first_key() -> None:
    assets = {
        "a": {"href": "a.jp2"},
        "b": {"href": "b.tif"},
        "c": {"href": "c.tif"},
        "d": {"href": "d.tif"},
    }
    copies = [band("red", key) for key in "acb"] + [band("red", "d", 60.0)]
    for order in (copies, copies[::-1]):
        assert [b.asset for b in choose(order, assets)] == ["b"]
    assert (
        choose([band("red", "d", 60.0), band("red", "a", 10.0)], assets)[0].asset == "a"
    )


def test_two_bands_of_one_name_in_one_asset_are_refused() -> None:
    twice = [band("red", "a"), band("red", "a", index=2)]
    with pytest.raises(
        SourceError, match=r"bands 1 \(red\) and 2 \(red\) are both red"
    ):
        choose(twice, {"a": {"href": "a.tif"}})


@pytest.mark.parametrize(
    ("asset", "properties", "size"),
    [
        # The 20 m copy of a 10 m band that still says gsd 10.
        (
            {"gsd": 10, "proj:transform": [20, 0, 0, 0, -20, 0], "proj:epsg": 32631},
            {},
            20,
        ),
        ({"gsd": 10}, {"gsd": 60}, 10),
        ({"raster:bands": [{"spatial_resolution": 30}], "gsd": 100}, {}, 30),
        ({"bands": [{"gsd": 20}]}, {}, 20),
        ({"raster:spatial_resolution": 20}, {}, 20),
        (
            {},
            {
                "gsd": 30,
                "proj:transform": [10, 0, 0, 0, -10, 0],
                "proj:code": "EPSG:32631",
            },
            10,
        ),
        ({}, {"gsd": 30}, 30),
        ({}, {}, float("inf")),
    ],
)
def test_pixel_sizes_come_from_the_most_exact_statement(
    asset: dict[str, Any], properties: dict[str, Any], size: float
) -> None:
    assert pixel_size(asset, properties) == size


def test_both_ways_to_write_a_crs_are_read() -> None:
    assert proj_code({"proj:code": "EPSG:32631"}) == "EPSG:32631"
    assert proj_code({"proj:epsg": 32631}) == "EPSG:32631"
    assert proj_code({"proj:epsg": None}) is None


def test_numbers_may_be_written_as_nan() -> None:
    assert number_of(0) == 0.0
    assert str(number_of("nan")) == "nan"
    assert number_of("-inf") == float("-inf")
    assert number_of(True) is None
    assert number_of("12") is None
    assert number_of(None) is None
