"""GeoTIFFs against the layout of COGs."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import Affine

from terradrift.conform import checking
from terradrift.conform.finding import Finding
from tests.conform import made


def codes(found: list[Finding], level: str = "error") -> set[str]:
    return {one.code for one in found if one.level == level}


def late_overviews(path: Path) -> Path:
    """Tiles first, overviews added after: what gdaladdo makes."""
    made.strips(path, tiled=True, blockxsize=256, blockysize=256)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    return path


def beside(path: Path) -> Path:
    made.strips(path, tiled=True, blockxsize=256, blockysize=256)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    return path


def truncated(path: Path) -> Path:
    whole = made.cog(path).read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    return path


def damaged(path: Path) -> Path:
    """Noise in the place of the first tile."""
    from terradrift.conform.cog import tiff

    made.cog(path)
    at, length = (int(one[0]) for one in tiff.read(path).directories[0].blocks)
    whole = bytearray(path.read_bytes())
    whole[at : at + length] = b"\xff" * length
    path.write_bytes(whole)
    return path


def endless(path: Path) -> Path:
    """A directory that names itself as the next."""
    made.strips(path, 16)
    whole = bytearray(path.read_bytes())
    (start,) = struct.unpack("<I", whole[4:8])
    (many,) = struct.unpack("<H", whole[start : start + 2])
    at = start + 2 + 12 * many
    whole[at : at + 4] = whole[4:8]
    path.write_bytes(whole)
    return path


BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "strips": (made.strips, "cog.tiled"),
    "overviews after": (late_overviews, "cog.order"),
    "overviews beside": (beside, "cog.overviews"),
    "truncated": (truncated, "cog.truncated"),
    "damaged": (damaged, "cog.pixels"),
    "endless": (endless, "cog.tiff"),
    "no CRS": (lambda path: made.cog(path, 300, crs=None), "cog.crs"),
    "no TIFF": (lambda path: path.write_bytes(b"GIF89a") and path, "cog.tiff"),
    "three bytes": (lambda path: path.write_bytes(b"II*") and path, "cog.tiff"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_breakage_is_named(name: str, tmp_path: Path) -> None:
    make, code = BROKEN[name]
    found = checking.check(make(tmp_path / "made.tif"))
    assert code in codes(found)
    assert "unreadable" not in codes(found)


def test_good_cogs_have_no_finding(tmp_path: Path) -> None:
    assert checking.check(made.cog(tmp_path / "a.tif")) == []
    assert checking.check(made.cog(tmp_path / "b.tif", 300)) == []
    made.strips(tmp_path / "plain.tif")
    rasterio.shutil.copy(
        tmp_path / "plain.tif", tmp_path / "big.tif", driver="COG", bigtiff="YES"
    )
    assert checking.check(tmp_path / "big.tif") == []


def test_doubts_are_warnings(tmp_path: Path) -> None:
    up = Affine(10, 0, 500_000, 0, 10, 5_600_000)
    found = checking.check(made.cog(tmp_path / "up.tif", 300, transform=up))
    assert codes(found) == set()
    assert codes(found, "warning") == {"cog.bottom_up"}
    found = checking.check(made.cog(tmp_path / "none.tif", 300, nodata=None))
    assert codes(found, "warning") == {"cog.nodata"}
    bare = made.strips(
        tmp_path / "bare.tif", tiled=True, blockxsize=256, blockysize=256
    )
    assert "cog.overviews" in codes(checking.check(bare), "warning")
