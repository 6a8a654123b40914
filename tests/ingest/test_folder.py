"""Folders of GeoTIFFs: dates from tags or from a stated pattern, never guessed."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from terradrift.errors import HarmonisationError, SourceError
from terradrift.ingest.scene import Filters, Options, Skipped, find_scenes, to_table
from terradrift.period import Period
from tests.ingest.geotiffs import write

DATED = {"TIFFTAG_DATETIME": "2018:05:16 10:53:51"}


def scenes(
    folder: Path, filters: Filters | None = None, **options: Any
) -> tuple[pa.Table, list[Skipped]]:
    chosen = Options(**options)
    return to_table(
        find_scenes(str(folder), filters or Filters(), chosen), chosen, "run"
    )


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (DATED, "2018-05-16T10:53:51+00:00"),
        ({"ACQUISITION_DATE": "2018-05-16"}, "2018-05-16T00:00:00+00:00"),
        ({"ACQUISITIONDATETIME": "2018-05-16T10:53:51"}, "2018-05-16T10:53:51+00:00"),
        ({"DATE_ACQUIRED": "20180516"}, "2018-05-16T00:00:00+00:00"),
        ({"datetime": "2018-05-16T12:53:51+02:00"}, "2018-05-16T10:53:51+00:00"),
        (
            {"PRODUCT_START_TIME": "2018-05-16T10:53:51.026Z"},
            "2018-05-16T10:53:51.026000+00:00",
        ),
        # When the file was written counts only where nothing says when it was taken.
        (DATED | {"ACQUISITION_DATE": "2018-05-01"}, "2018-05-01T00:00:00+00:00"),
    ],
)
def test_dates_come_from_tags(
    tmp_path: Path, tags: dict[str, str], expected: str
) -> None:
    write(tmp_path / "a.tif", tags=tags)
    table, skipped = scenes(tmp_path, scale=1e-4)
    assert skipped == []
    assert table["datetime"][0].as_py().isoformat() == expected


def test_files_without_a_date_say_what_to_pass(tmp_path: Path) -> None:
    write(tmp_path / "20180516.tif")
    with pytest.raises(
        SourceError, match=r"date in the tags of .*20180516\.tif.*--pattern"
    ):
        scenes(tmp_path, scale=1e-4)


def test_a_date_that_is_none_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", tags={"ACQUISITION_DATE": "last summer"})
    with pytest.raises(
        SourceError, match=r"tag ACQUISITION_DATE of .*a\.tif, got 'last summer'"
    ):
        scenes(tmp_path)


def test_a_multi_band_file_is_a_scene_with_its_own_mask(tmp_path: Path) -> None:
    names = ("B02", "B03", "B04", "B8A", "SCL")
    tags = DATED | {"PROCESSING_BASELINE": "05.00", "CLOUD_COVER": "12.5"}
    write(tmp_path / "deep" / "a.TIF", names, tags=tags)
    table, _ = scenes(tmp_path)
    (found,) = table.to_pylist()
    assert found["scene_id"] == "deep_a"
    assert found["bands"] == ["blue", "green", "red", "nir08"]
    assert found["constellation"] == "sentinel-2"
    assert (found["boa_offset"], found["boa_offset_source"]) == (-1000.0, "baseline")
    assert found["cloud_percent"] == 12.5
    assert [(a["band"], a["index"]) for a in found["assets"]] == [
        ("blue", 1),
        ("green", 2),
        ("red", 3),
        ("nir08", 4),
        ("mask:scl", 5),
    ]
    assert found["assets"][0]["nodata"] == 0.0


def test_a_pattern_gathers_one_file_per_band(tmp_path: Path) -> None:
    for day in ("20180516", "20180521"):
        for band, size in (("B02", 10.0), ("B05", 20.0), ("SCL", 20.0)):
            write(tmp_path / f"s2_{day}_{band}.tif", (None,), size=size)
    pattern = "{constellation}_{datetime:%Y%m%d}_{band}.tif"
    table, skipped = scenes(tmp_path, pattern=pattern, boa_offset=0.0)
    assert skipped == []
    assert table["scene_id"].to_pylist() == ["s2_20180516", "s2_20180521"]
    found = table.to_pylist()[0]
    assert found["bands"] == ["blue", "rededge071"]
    assert found["gsd"] == 10.0
    assert found["boa_offset_source"] == "user"
    assert [a["band"] for a in found["assets"]] == ["blue", "rededge071", "mask:scl"]
    assert all(Path(a["href"]).is_file() for a in found["assets"])


def test_a_mask_beside_a_multi_band_file_belongs_to_it(tmp_path: Path) -> None:
    write(tmp_path / "images" / "S2_20180516.tif", ("B04", "B8A"))
    write(tmp_path / "masks" / "S2_20180516_SCL.tif", (None,))
    pattern = "S2_{datetime:%Y%m%d}[_{band}].tif"
    table, skipped = scenes(tmp_path, pattern=pattern, boa_offset=0.0)
    assert (skipped, table["scene_id"].to_pylist()) == ([], ["S2_20180516"])
    found = [(a["band"], Path(a["href"]).name) for a in table["assets"][0].as_py()]
    assert found == [
        ("red", "S2_20180516.tif"),
        ("nir08", "S2_20180516.tif"),
        ("mask:scl", "S2_20180516_SCL.tif"),
    ]


def test_b05_of_a_folder_is_nothing_until_the_sensor_is_told(tmp_path: Path) -> None:
    write(tmp_path / "20180516_B05.tif")
    table, _ = scenes(tmp_path, pattern="{datetime:%Y%m%d}_{band}.tif", scale=1e-4)
    assert table["bands"].to_pylist() == [["b05"]]
    write(tmp_path / "landsat-8" / "20180516_B05.tif")
    table, _ = scenes(
        tmp_path / "landsat-8",
        pattern="{datetime:%Y%m%d}_{band}.tif",
        scale=1e-4,
    )
    assert table["bands"].to_pylist() == [["b05"]]
    table, _ = scenes(
        tmp_path / "landsat-8",
        Filters(),
        pattern="*{datetime:%Y%m%d}_{band}.tif",
        scale=1e-4,
    )
    assert table["bands"].to_pylist() == [["b05"]]
    write(tmp_path / "named" / "landsat-8_20180516_B05.tif")
    table, _ = scenes(
        tmp_path / "named",
        pattern="{platform}_{datetime:%Y%m%d}_{band}.tif",
        scale=1e-4,
    )
    assert table["bands"].to_pylist() == [["nir08"]]


def test_plain_numbers_need_a_scale_and_stated_ones_do_not(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", tags=DATED, dtype="float32")
    with pytest.raises(HarmonisationError, match=r"got float32 without; pass --scale"):
        scenes(tmp_path)
    table, _ = scenes(tmp_path, scale=1.0)
    assert table["assets"][0].as_py()[0]["scale"] == 1.0
    write(tmp_path / "a.tif", tags=DATED, scale=2.75e-5, offset=-0.2)
    table, _ = scenes(tmp_path)
    asset = table["assets"][0].as_py()[0]
    assert (asset["scale"], asset["offset"]) == (2.75e-5, -0.2)


def test_a_broken_file_is_skipped_by_name(tmp_path: Path) -> None:
    write(tmp_path / "20180516.tif", ("red",))
    (tmp_path / "20180521.tif").write_bytes(b"II*\x00broken")
    for pattern in ("{datetime:%Y%m%d}.tif", None):
        write(tmp_path / "20180516.tif", ("red",), tags=DATED)
        table, skipped = scenes(tmp_path, scale=1e-4, pattern=pattern)
        assert table["scene_id"].to_pylist() == ["20180516"]
        assert [bad.scene_id for bad in skipped] == ["20180521"]
        assert "cannot be opened" in skipped[0].reason


def test_a_file_without_crs_is_skipped_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", tags=DATED, crs=None)
    table, skipped = scenes(tmp_path, scale=1e-4)
    assert table.num_rows == 0
    assert "expected a CRS with an EPSG code" in skipped[0].reason
    assert "gdal_edit.py -a_srs" in skipped[0].reason


def test_a_raster_off_the_globe_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", tags=DATED, crs="EPSG:4326")
    _, skipped = scenes(tmp_path, scale=1e-4)
    assert "expected a raster inside EPSG:4326" in skipped[0].reason


def test_a_file_of_many_bands_where_the_pattern_names_one_is_skipped(
    tmp_path: Path,
) -> None:
    write(tmp_path / "20180516_red.tif", ("a", "b"))
    _, skipped = scenes(tmp_path, pattern="{datetime:%Y%m%d}_{band}.tif", scale=1e-4)
    assert "expected one band in" in skipped[0].reason
    assert "got 2" in skipped[0].reason


def test_bands_without_names_are_skipped_with_what_to_pass(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", (None, None), tags=DATED)
    _, skipped = scenes(tmp_path, scale=1e-4)
    assert "pass --pattern with {band}" in skipped[0].reason


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected GeoTIFFs .* got none"):
        scenes(tmp_path)


def test_filters_count_for_folders_too(tmp_path: Path) -> None:
    for day in ("20180516", "20180521", "20190101"):
        write(tmp_path / f"s2_{day}.tif", ("red",))
    table, _ = scenes(
        tmp_path,
        Filters(
            bbox=(2.0, 50.0, 4.0, 51.0),
            period=Period.parse("2018"),
            collections=("s2",),
        ),
        pattern="{collection}_{datetime:%Y%m%d}.tif",
        scale=1e-4,
        boa_offset=0.0,
    )
    assert table["scene_id"].to_pylist() == ["s2_20180516", "s2_20180521"]
    with pytest.raises(SourceError, match="that match the filters, got none of 3"):
        scenes(
            tmp_path,
            Filters(bbox=(10.0, 50.0, 11.0, 51.0)),
            pattern="{collection}_{datetime:%Y%m%d}.tif",
        )
