from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.rasters import read_raster
from tests.evaluate.ground import COL, EPSG, ROW, SIZE, patches

GROUND = patches(3, 4)
PIXEL = 10


def raster(
    folder: Path, values: NDArray[np.generic], *, west: float = 0, **how: object
) -> Path:
    """A raster of 10 m pixels whose north-west corner is that of the ground."""
    path = folder / "labels.tif"
    corner = Affine(PIXEL, 0, (COL + west) * SIZE, 0, -PIXEL, (ROW + 3) * SIZE)
    profile: dict[str, object] = {"crs": f"EPSG:{EPSG}", "transform": corner} | how
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[0],
        width=values.shape[1],
        count=1,
        dtype=values.dtype,
        **profile,
    ) as file:
        file.write(values, 1)
    return path


def pixels(dtype: str = "uint8") -> NDArray[np.generic]:
    """12 x 16 pixels: two burns that touch at a corner, one apart, and unknown ground."""
    values = np.zeros((12, 16), dtype)
    values[8:12, 0:6] = 1
    values[6:8, 6:8] = 1
    values[0:4, 12:16] = 2
    values[4:6, 12:16] = 255
    return values


def test_shares_are_counted_pixel_by_pixel(tmp_path: Path) -> None:
    found = read_raster(raster(tmp_path, pixels()), Reading(), GROUND)
    changed = found.changed.reshape(3, 4)[::-1]
    assert changed.tolist() == [[0, 0, 0, 1], [0, 0.25, 0, 0], [1, 0.5, 0, 0]]
    assert found.unknown.reshape(3, 4)[::-1][1].tolist() == [0, 0, 0, 0.5]


def test_an_object_is_a_connected_piece_of_one_value(tmp_path: Path) -> None:
    found = read_raster(raster(tmp_path, pixels()), Reading(), GROUND)
    assert len(found.objects) == 2
    assert found.objects.kind.tolist() == ["1", "2"]


def test_a_table_gives_values_their_date_and_class(tmp_path: Path) -> None:
    table = tmp_path / "values.csv"
    table.write_text("value,date,class\n1,2018-05-16,burn\n2,2018-08,flood\n")
    found = read_raster(raster(tmp_path, pixels()), Reading(values=table), GROUND)
    assert found.objects.kind.tolist() == ["burn", "flood"]
    assert [str(day) for day in found.objects.onset] == ["2018-05-16", "2018-08-01"]
    table.write_text("value,date\n1,2018-05-16\n")
    with pytest.raises(SourceError, match="has no row for the value 2"):
        read_raster(raster(tmp_path, pixels()), Reading(values=table), GROUND)


def test_values_may_be_ignored_and_ground_outside_is_unknown(tmp_path: Path) -> None:
    path = raster(tmp_path, pixels()[:, :8], nodata=7)
    found = read_raster(path, Reading(ignore=(1,), date="2020"), GROUND)
    assert not found.changed.any()
    assert found.unknown.reshape(3, 4)[::-1][2].tolist() == [1, 0.5, 1, 1]


def test_zero_is_unchanged_even_where_the_file_calls_it_nodata(tmp_path: Path) -> None:
    found = read_raster(raster(tmp_path, pixels(), nodata=0), Reading(), GROUND)
    assert found.unknown.sum() == 0.5
    assert any("0 is taken as unchanged" in note for note in found.notes)


def test_a_raster_in_degrees_gives_nearly_the_same(tmp_path: Path) -> None:
    metric = read_raster(raster(tmp_path, pixels()), Reading(), GROUND)
    corner = Affine(PIXEL, 0, COL * SIZE, 0, -PIXEL, (ROW + 3) * SIZE)
    to = pyproj.Transformer.from_crs(EPSG, 4326, always_xy=True)
    back = pyproj.Transformer.from_crs(4326, EPSG, always_xy=True)
    west, south, east, north = to.transform_bounds(
        COL * SIZE, ROW * SIZE, (COL + 4) * SIZE, (ROW + 3) * SIZE
    )
    fine = Affine((east - west) / 320, 0, west, 0, (south - north) / 240, north)
    row, col = np.mgrid[0:240, 0:320] + 0.5
    x, y = back.transform(fine.a * col + fine.c, fine.e * row + fine.f)
    inverse = ~corner
    at_col = np.floor(inverse.a * x + inverse.c).astype(int)
    at_row = np.floor(inverse.e * y + inverse.f).astype(int)
    inside = (at_row >= 0) & (at_row < 12) & (at_col >= 0) & (at_col < 16)
    values = np.full(row.shape, 255, np.uint8)
    values[inside] = pixels()[at_row[inside], at_col[inside]]
    path = raster(tmp_path, values, crs="EPSG:4326", transform=fine)
    degrees = read_raster(path, Reading(), GROUND)
    np.testing.assert_allclose(degrees.changed, metric.changed, atol=0.05)


def test_changes_outside_the_period_are_unknown(tmp_path: Path) -> None:
    period = (np.datetime64("2020-06-01"), np.datetime64("2021-01-01"))
    found = read_raster(
        raster(tmp_path, pixels()), Reading(date="2019-01-01"), GROUND, period
    )
    assert not found.changed.any()
    assert found.unknown[0] == 1


@pytest.mark.parametrize(
    ("values", "how", "problem"),
    [
        (np.full((12, 16), 0.5, np.float32), {}, "expected whole numbers .* got 0.5"),
        (np.full((12, 16), -3, np.int16), {}, "expected whole numbers .* got -3"),
        (np.zeros((12, 16), np.uint8), {"crs": None}, "state no CRS"),
        (np.zeros((12, 16), np.uint8), {"west": 400}, "do not meet"),
    ],
)
def test_bad_rasters_are_refused(
    tmp_path: Path, values: NDArray[np.generic], how: dict[str, object], problem: str
) -> None:
    with pytest.raises(SourceError, match=problem):
        read_raster(raster(tmp_path, values, **how), Reading(), GROUND)
    broken = tmp_path / "broken.tif"
    broken.write_text("no raster")
    with pytest.raises(SourceError, match="cannot read labels"):
        read_raster(broken, Reading(), GROUND)
