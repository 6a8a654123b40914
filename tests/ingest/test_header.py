"""Headers of raster files, and what is said where there is none."""

from pathlib import Path

import pytest

from terradrift.errors import SourceError
from terradrift.ingest.header import is_remote, read_header
from tests.ingest.geotiffs import write


def test_a_header_says_what_the_file_says(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tif",
        ("B04", None),
        scale=1e-4,
        offset=-0.1,
        tags={"PLATFORM": "x"},
    )
    header = read_header(str(path))
    assert header.crs == "EPSG:32631"
    assert header.transform == (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_600_000.0)
    assert header.shape == (6, 8)
    assert header.names == ("B04", None)
    assert header.dtypes == ("uint16", "uint16")
    assert header.nodata == 0.0
    assert header.scales == (1e-4, 1e-4)
    assert header.offsets == (-0.1, -0.1)
    assert header.tags["PLATFORM"] == "x"


def test_a_file_without_crs_says_none(tmp_path: Path) -> None:
    assert read_header(str(write(tmp_path / "a.tif", crs=None))).crs is None


def test_no_file_and_no_raster_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected a file at .*gone\.tif, got none"):
        read_header(str(tmp_path / "gone.tif"))
    text = tmp_path / "text.tif"
    text.write_text("not a raster")
    with pytest.raises(
        SourceError, match=r"expected a raster at .*text\.tif, which cannot"
    ):
        read_header(str(text))


def test_urls_are_remote_and_paths_are_not() -> None:
    assert is_remote("s3://bucket/a.tif")
    assert is_remote("https://example.com/a.tif")
    assert is_remote("/vsicurl/https://example.com/a.tif")
    assert not is_remote("/data/a.tif")
    assert not is_remote("a.tif")
