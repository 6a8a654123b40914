"""Maps as Cloud-Optimised GeoTIFF: right to the pixel, whole, and laid out for range reads."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from terradrift.archive.pixels.cog import Mosaics, Place, write_cog

CORNER = (500_040.0, 5_000_020.0)


def _ramp(bands: int, height: int, width: int) -> np.ndarray:
    return np.arange(bands * height * width, dtype=np.float32).reshape(
        bands, height, width
    )


def test_a_map_reads_back_at_its_place_with_overviews(tmp_path: Path) -> None:
    pixels = _ramp(2, 1100, 1300)
    pixels[:, 5, 7] = np.nan
    path = tmp_path / "maps" / "a.tif"
    write_cog(path, pixels, 32631, CORNER, 10.0, ["score", "expected red"])
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), pixels)
        assert file.crs.to_epsg() == 32631
        assert tuple(file.transform)[:6] == (10, 0, CORNER[0], 0, -10, CORNER[1])
        assert np.isnan(file.nodata)
        assert file.descriptions == ("score", "expected red")
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) == [2, 4]
        assert file.block_shapes == [(512, 512)] * 2
    assert [each.name for each in path.parent.iterdir()] == ["a.tif"]


def test_windows_come_together_in_one_map(tmp_path: Path) -> None:
    pixels, path = _ramp(1, 90, 70), tmp_path / "b.tif"
    place = Place(32631, CORNER, 20.0, (90, 70))
    with Mosaics() as made:
        for rows, cols in (
            (slice(0, 40), slice(0, 70)),
            (slice(40, 90), slice(30, 70)),
        ):
            corner = CORNER[0] + 20 * cols.start, CORNER[1] - 20 * rows.start
            made.put(path, place, pixels[:, rows, cols], corner, ["score"])
        assert not path.exists()
        assert made.finish() == [path]
    with rasterio.open(path) as file:
        found = file.read()
    assert np.isnan(found[0, 40:, :30]).all()
    found[0, 40:, :30] = pixels[0, 40:, :30]
    np.testing.assert_array_equal(found, pixels)
    assert [each.name for each in tmp_path.iterdir()] == ["b.tif"]


def test_a_map_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "c.tif"
    write_cog(path, _ramp(1, 8, 8), 32631, CORNER, 10.0, ["score"])
    before = path.read_bytes()
    place = Place(32631, CORNER, 10.0, (8, 8))
    beyond = CORNER[0] + 50, CORNER[1]
    with Mosaics() as made:
        made.put(path, place, _ramp(1, 4, 4), CORNER, ["score"])
        with pytest.raises(ValueError, match="expected pixels within"):
            made.put(path, place, _ramp(1, 4, 4), beyond, ["score"])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["c.tif"]


def test_what_a_killed_process_left_of_a_map_goes(tmp_path: Path) -> None:
    die = (
        "import os, sys, numpy as np; from pathlib import Path\n"
        "from terradrift.archive.pixels.cog import Mosaics, Place\n"
        "place = Place(32631, (0.0, 0.0), 10.0, (8, 8))\n"
        "Mosaics().put(Path(sys.argv[1]), place, np.zeros((1, 8, 8), 'f4'), (0.0, 0.0), ['a'])\n"
        "os._exit(9)"
    )
    path = tmp_path / "a.tif"
    subprocess.run([sys.executable, "-c", die, path], check=False)
    (left,) = tmp_path.iterdir()
    number = next(part for part in left.name.split(".") if part.isdigit())
    # Of a process that runs, of another machine, and of another map.
    kept = [
        left.with_name(left.name.replace(number, str(os.getppid()))),
        left.with_name(f".a.tif.elsewhere-of-us.{number}.raw.tif"),
        left.with_name(left.name.replace("a.tif", "b.tif", 1)),
    ]
    for each in kept:
        each.write_bytes(b"")
    write_cog(path, _ramp(1, 8, 8), 32631, CORNER, 10.0, ["score"])
    assert sorted(tmp_path.iterdir()) == sorted([*kept, path])


def test_what_is_no_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="band, y, x"):
        write_cog(tmp_path / "d.tif", _ramp(1, 4, 4)[0], 32631, CORNER, 10.0, ["a"])
    with pytest.raises(ValueError, match="description of each of 1 bands, got 2"):
        write_cog(tmp_path / "d.tif", _ramp(1, 4, 4), 32631, CORNER, 10.0, ["a", "b"])
    assert not list(tmp_path.iterdir())
