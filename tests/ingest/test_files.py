from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from terradrift.errors import SourceError
from terradrift.ingest.files import Files, gdal_path
from terradrift.ingest.frame import Span
from tests.ingest.rasters import write

UTM = "EPSG:32631"
PLACE = Affine(10, 0, 500_000, 0, -10, 5_000_000)


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("images/a.tif", "images/a.tif"),
        ("/data/a.tif", "/data/a.tif"),
        ("C:\\data\\a.tif", "C:\\data\\a.tif"),
        ("/vsizip/a.zip/a.tif", "/vsizip/a.zip/a.tif"),
        ("file:///data/a.tif", "/data/a.tif"),
        ("file://localhost/data/a.tif", "/data/a.tif"),
        ("https://x.org/a.tif?sig=1%2F2", "/vsicurl/https://x.org/a.tif?sig=1%2F2"),
        ("http://x.org/a.tif", "/vsicurl/http://x.org/a.tif"),
        ("s3://bucket/key/a.tif", "/vsis3/bucket/key/a.tif"),
        ("gs://bucket/a.tif", "/vsigs/bucket/a.tif"),
    ],
)
def test_an_href_becomes_what_gdal_reads(href: str, path: str) -> None:
    assert gdal_path(href) == path


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(
        SourceError, match=r"expected a path or a file, .* got ftp://x/a"
    ):
        gdal_path("ftp://x/a.tif")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"no\.tif: expected a raster file, got: .*No such"
    ):
        Files().frame(str(tmp_path / "no.tif"), UTM)


def test_a_file_that_is_no_raster_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_text("<html>not found</html>")
    with pytest.raises(
        SourceError, match=r"a\.tif: expected a raster file, got: .*not rec"
    ):
        Files().frame(str(path), UTM)


def test_a_truncated_file_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 9999, (1, 256, 256)).astype("u2")
    path = write(tmp_path / "a.tif", noise, UTM, PLACE, compress="deflate")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    files = Files()
    with pytest.raises(SourceError, match=r"a\.tif: expected .* (damaged|whole)"):
        files.read(str(path), UTM, [1], Span(0, 0, 256, 256))


def test_damaged_pixels_say_which_rows(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 9999, (1, 256, 256)).astype("u2")
    path = write(tmp_path / "a.tif", noise, UTM, PLACE, compress="deflate")
    data = bytearray(path.read_bytes())
    data[60_000:90_000] = bytes(30_000)
    path.write_bytes(data)
    with pytest.raises(
        SourceError,
        match=r"expected readable pixels in rows 0 to 256, got: .+; the file is",
    ):
        Files().read(str(path), UTM, [1], Span(0, 0, 256, 256))


def test_a_file_without_crs_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((1, 4, 4), "u1"), "", PLACE)
    with pytest.raises(
        SourceError, match=r"expected a CRS in the file, got none; .*-a_srs"
    ):
        Files().frame(str(path), UTM)


def test_a_file_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            count=1,
            height=4,
            width=4,
            dtype="uint8",
            crs=UTM,
        ) as file,
    ):
        file.write(np.ones((1, 4, 4), "u1"))
    with pytest.raises(
        SourceError, match=r"expected a geotransform in the file, got none"
    ):
        Files().frame(str(path), UTM)


def test_another_crs_than_the_scene_says_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((1, 4, 4), "u1"), "EPSG:32632", PLACE)
    with pytest.raises(
        SourceError,
        match=r"expected the scene's CRS EPSG:32631, got EPSG:32632; correct",
    ):
        Files().frame(str(path), UTM)


def test_a_scene_without_crs_takes_that_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((1, 4, 4), "u1"), "EPSG:32632", PLACE)
    assert Files().frame(str(path), "").crs == "EPSG:32632"


def test_a_band_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((2, 4, 4), "u1"), UTM, PLACE)
    with pytest.raises(
        SourceError, match=r"expected band 3, got a file of 2 band\(s\)"
    ):
        Files().read(str(path), UTM, [3], Span(0, 0, 4, 4))


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((1, 4, 4), "complex64"), UTM, PLACE)
    with pytest.raises(
        SourceError, match=r"expected real numbers, got complex64 in band 1"
    ):
        Files().read(str(path), UTM, [1], Span(0, 0, 4, 4))


def test_only_so_many_files_stay_open(tmp_path: Path) -> None:
    files = Files(most=3)
    for n in range(8):
        path = write(tmp_path / f"{n}.tif", np.full((1, 2, 2), n, "u1"), UTM, PLACE)
        assert files.read(str(path), UTM, [1], Span(0, 0, 2, 2))[0, 0, 0] == n
        assert len(files) <= 3
    files.close()
    assert len(files) == 0


def test_a_turned_raster_keeps_its_geotransform(tmp_path: Path) -> None:
    turned = Affine(9.4, 3.4, 500_000, 3.4, -9.4, 5_000_000)
    path = write(tmp_path / "a.tif", np.ones((1, 4, 4), "u1"), UTM, turned)
    assert Files().frame(str(path), UTM).transform == pytest.approx(tuple(turned)[:6])
