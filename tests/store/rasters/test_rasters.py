"""Rasters of embeddings: every patch has the mean of the pixels that lie in it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.format import open_memmap
from rasterio.warp import transform_bounds

import terradrift as td
from terradrift.archive.importing import Request, bring
from terradrift.errors import ArchiveError, SchemaError
from terradrift.grid import parse_id
from terradrift.store.published.files import found
from terradrift.store.rasters import products, source
from tests.store import stored
from tests.store.rasters import made

SIZE = 80


def held(place: Path, model: str | None = None) -> dict[tuple[int, int, int], dict]:
    """Zone, row and column of a patch to its observation; one date."""
    return {parse_id(row["patch_id"]): row for row in stored.records(place, model)}


def expected(
    vectors: np.ndarray, size: int = SIZE, corner: tuple[float, float] | None = None
) -> dict[tuple[int, int, int], np.ndarray]:
    """Mean of the pixels (h, w, d) whose middles lie in each patch."""
    west, south = corner or (made.WEST, made.SOUTH)
    height, width = vectors.shape[:2]
    x = west + (np.arange(width) + 0.5) * made.PIXEL
    y = south + (height - np.arange(height) - 0.5) * made.PIXEL
    row, col = (np.floor(axis / size).astype(int) for axis in (y, x))
    return {
        (made.EPSG, r, c): vectors[np.ix_(row == r, col == c)].mean(axis=(0, 1))
        for r in np.unique(row).tolist()
        for c in np.unique(col).tolist()
    }


def coordinates(height: int, width: int) -> np.ndarray:
    """(h, w, 3) floats: row, column and 1."""
    row, col = np.indices((height, width))
    return np.stack([row, col, np.ones_like(row)], -1).astype(np.float32)


@pytest.mark.parametrize(
    ("bottom_up", "shift"), [(False, 0.0), (True, 0.0), (True, 30.0)]
)
def test_rows_lie_where_they_should_whichever_way_they_run(
    tmp_path: Path, bottom_up: bool, shift: float
) -> None:
    pixels = coordinates(48, 64)
    corner = (made.WEST + shift, made.SOUTH - shift)
    file = made.geotiff(
        tmp_path / "map_2021.tif", pixels, bottom_up=bottom_up, corner=corner
    )
    place = tmp_path / "a.td"
    told = bring(place, [file], Request(model="toy", patch_size=SIZE))
    assert told.startswith("raster:")
    found, want = held(place), expected(pixels, corner=corner)
    assert found.keys() == want.keys()
    for key, row in found.items():
        # Half precision keeps three digits.
        assert row["embedding"] == pytest.approx(want[key], rel=2e-3, abs=0.02)
        assert str(row["datetime"])[:10] == "2021-07-02"
    full = (SIZE / made.PIXEL) ** 2
    clear = sorted(row["clear_percent"] for row in found.values())
    assert clear[-1] == 100
    assert sum(clear) == pytest.approx(48 * 64 / full * 100)
    assert td.open(place).validate() == []


def test_alphaearth_is_turned_back_into_unit_vectors(tmp_path: Path) -> None:
    vectors = made.unit(64, 64)
    file = made.alphaearth(tmp_path, 2022, vectors, hole=True)
    place = tmp_path / "a.td"
    told = bring(place, [file], Request(patch_size=SIZE))
    assert told.startswith("alphaearth: 63 embeddings of alphaearth at 63 new places")
    assert "rasters of 2022" in told
    found, want = held(place), expected(vectors)
    northwest = max(key[1] for key in want), min(key[2] for key in want)
    assert (made.EPSG, *northwest) not in found  # nothing but -128 there
    for key, row in found.items():
        vector = row["embedding"].astype(float)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=2e-3)
        mean = want[key] / np.linalg.norm(want[key])
        assert vector @ mean > 0.999
    half = np.array([[[-128]], [[127]], [[-64]], [[0]]], np.int8)
    seen = products.Seen(
        bands=64, dtype="int8", nodata=-128, described=(), named=False, scales=False
    )
    product = products.product("alphaearth", seen, "x")
    numbers = np.repeat(half, 16, 0)
    _, good = products.vectors(product, numbers, None)
    assert not good.any()  # one band of -128 is a pixel without a vector
    found_, good = products.vectors(product, np.repeat(half[1:3], 32, 0), None)
    assert good.all()
    assert found_[0, 0, 0] == pytest.approx((127 / 127.5) ** 2)
    assert found_[-1, 0, 0] == pytest.approx(-((64 / 127.5) ** 2))


def test_patches_on_the_seam_of_two_rasters_are_whole(tmp_path: Path) -> None:
    vectors = made.unit(32, 96)
    whole = made.alphaearth(tmp_path / "whole", 2022, vectors)
    parts = [
        made.alphaearth(tmp_path / "parts", 2022, vectors[:, :44], name="west"),
        made.alphaearth(
            tmp_path / "parts",
            2022,
            # The parts overlap by 4 pixels: what lies in both counts once.
            vectors[:, 40:],
            name="east",
            corner=(made.WEST + 400, made.SOUTH),
            bottom_up=False,
        ),
    ]
    for name, files in (("a", [whole]), ("b", parts), ("c", parts[::-1])):
        bring(tmp_path / f"{name}.td", files, Request(patch_size=SIZE))
    one, two, three = (held(tmp_path / f"{name}.td") for name in "abc")
    assert one.keys() == two.keys() == three.keys()
    for key, row in one.items():
        for other in (two[key], three[key]):
            np.testing.assert_array_equal(row["embedding"], other["embedding"])
            assert row["clear_percent"] == other["clear_percent"] == 100
    # One after the other: the observation with more pixels stays.
    for file in parts:
        bring(tmp_path / "d.td", [file], Request(patch_size=SIZE))
    assert held(tmp_path / "d.td").keys() == one.keys()
    assert td.open(tmp_path / "d.td").validate() == []


def test_ground_beside_a_zones_border_has_one_patch(tmp_path: Path) -> None:
    """A raster of zone 33 that reaches into zone 32: its pixels go to zone 32's patches."""
    corner = (274_000.0, 5_300_000.0)  # 12 degrees east is near 275,900 m
    file = made.geotiff(tmp_path / "x_2020.tif", coordinates(64, 320), corner=corner)
    place = tmp_path / "a.td"
    bring(place, [file], Request(model="toy", patch_size=SIZE))
    found = held(place)
    assert {key[0] for key in found} == {32632, 32633}
    for (zone, _, _), row in found.items():
        assert (zone == 32633) == (row["longitude"] >= 12)
    # Pixels across the border keep their places: the column number grows eastwards.
    lon = [row["longitude"] for row in found.values()]
    column = [row["embedding"][1] for row in found.values()]
    assert np.corrcoef(lon, column)[0, 1] > 0.9999


def test_tessera_has_scales_and_its_grid_beside(tmp_path: Path) -> None:
    vectors = 3 * made.unit(48, 64, 128)
    made.landmask(tmp_path, 48, 64)
    for year in (2019, 2020):
        made.tessera(tmp_path, year, vectors)
    place = tmp_path / "a.td"
    told = bring(place, [tmp_path], Request(patch_size=SIZE, years="2020"))
    assert told.startswith("tessera: 48 embeddings of tessera at 48 new places")
    assert "have pixels without a vector" in told
    found, want = held(place), expected(vectors)
    assert found.keys() == want.keys()
    northwest = (made.EPSG, max(k[1] for k in want), min(k[2] for k in want))
    assert found.pop(northwest)["clear_percent"] == 75  # 4 x 4 pixels have no scale
    for key, row in found.items():
        assert row["embedding"] == pytest.approx(
            want[key], abs=0.02
        )  # not unit vectors


def test_tessera_without_a_grid_beside_lies_where_its_name_says(tmp_path: Path) -> None:
    left, bottom, right, top = transform_bounds(
        "EPSG:4326", "EPSG:32633", 15.0, 47.8, 15.1, 47.9
    )
    high, wide = round((top - bottom) / 10), round((right - left) / 10)
    # A file of holes, as long as a tile's array: only its shape is read.
    path = tmp_path / "2020" / "grid_15.05_47.85.npy"
    path.parent.mkdir()
    open_memmap(path, "w+", np.int8, (high, wide, 128))
    open_memmap(
        path.with_name("grid_15.05_47.85_scales.npy"), "w+", np.float32, (high, wide)
    )
    (file,) = (one for one in found([path], (".npy",)))
    read = source.raster(file, form=None, model=None, date=None)
    assert read.bounds == pytest.approx((left, bottom, right, top), abs=10)
    assert read.crs.to_epsg() == 32633
    made.tessera(tmp_path / "odd", 2020, np.ones((40, 40, 128)))
    with pytest.raises(SchemaError, match="put the tile's raster"):
        bring(tmp_path / "b.td", [tmp_path / "odd"], Request())


def test_tessera_as_geotiff_with_scales(tmp_path: Path) -> None:
    vectors = made.unit(32, 32, 128)
    scale = (np.abs(vectors).max(axis=-1, keepdims=True) / 127).astype(np.float32)
    stored = np.round(vectors / scale).astype(np.int8)
    tags = {"TESSERA_YEAR": "2021"}
    file = made.geotiff(tmp_path / "tile.tif", stored, tags=tags)
    with pytest.raises(SchemaError, match="no scales beside"):
        bring(tmp_path / "a.td", [file], Request(patch_size=SIZE, form="tessera"))
    made.geotiff(tmp_path / "tile_scales.tif", scale, tags=tags)
    told = bring(tmp_path / "a.td", [tmp_path], Request(patch_size=SIZE))
    assert told.startswith("tessera: 16 embeddings")
    assert "instants by its tags" in told
    want = expected(vectors)
    for key, row in held(tmp_path / "a.td").items():
        assert row["embedding"] == pytest.approx(want[key], abs=5e-3)


def test_other_rasters_need_a_model_and_a_date(tmp_path: Path) -> None:
    pixels = coordinates(16, 16)
    file = made.geotiff(tmp_path / "map.tif", pixels)
    for request, said in (
        (Request(date="2021-05-01"), "pass --model"),
        (Request(model="toy"), "does not say when"),
        (Request(model="toy", date="2021", patch_size=85), "whole number of pixels"),
        (Request(model="toy", date="2021", form="alphaearth"), "expected 64 bands"),
    ):
        with pytest.raises(SchemaError, match=said):
            bring(tmp_path / "a.td", [file], request)
        assert not (tmp_path / "a.td").exists()
    bring(tmp_path / "a.td", [file], Request(model="toy", date="2021-05-01"))
    (row, *_) = held(tmp_path / "a.td").values()
    assert str(row["datetime"])[:10] == "2021-05-01"
    bytes_ = made.geotiff(tmp_path / "b_2020.tif", pixels.astype(np.uint8))
    with pytest.raises(SchemaError, match="turn its numbers into floats"):
        bring(tmp_path / "b.td", [bytes_], Request(model="toy"))
    other = made.geotiff(tmp_path / "c_2020.tif", pixels, pixel=20)
    with pytest.raises(ArchiveError, match="20 m wide, the archive's 10 m"):
        bring(tmp_path / "a.td", [other], Request(model="toy"))


def test_a_raster_in_degrees_goes_by_its_nearest_pixels(tmp_path: Path) -> None:
    pixels = coordinates(60, 90)
    step = 10 / 111_195
    file = made.geotiff(
        tmp_path / "x_2020.tif",
        pixels,
        corner=(15.0, 47.8),
        epsg=4326,
        pixel=step,
    )
    place = tmp_path / "a.td"
    told = bring(place, [file], Request(model="toy", patch_size=SIZE))
    assert "stand on another grid of pixels" in told
    rows = [row for row in held(place).values() if row["clear_percent"] == 100]
    assert len(rows) > 10
    for row in rows:
        south, column, _ = row["embedding"]
        # A patch's middle, in pixels from the north-west, is its mean pixel.
        assert column + 0.5 == pytest.approx((row["longitude"] - 15.0) / step, abs=1)
        assert 59.5 - south == pytest.approx((row["latitude"] - 47.8) / step, abs=1)


def test_published_vectors_stand_beside_those_of_own_scenes(
    finished: Path, tmp_path: Path
) -> None:
    """Patches of a raster are the grid's, so an archive of scenes may hold its rows too."""
    place = tmp_path / "own.td"
    shutil.copytree(finished, place)
    archive = td.open(place)
    patches = archive.store.scan("patches", ["crs", "col", "row"]).read_all()
    (crs,) = set(patches["crs"].to_pylist())
    col, row = (min(patches[axis].to_pylist()) for axis in ("col", "row"))
    before = archive.store.count("patches")
    file = made.geotiff(
        tmp_path / "x_2018.tif",
        coordinates(32, 32),
        epsg=int(crs.removeprefix("EPSG:")),
        corner=(col * 80.0, row * 80.0),
    )
    told = archive.import_(file, model="toy")
    assert "16 embeddings of toy at 0 new places" in told
    assert archive.store.count("patches") == before
    assert archive.model == "mosaiks"
    assert len(held(place, "toy")) == 16


def test_numbers_alone_are_not_taken_for_a_product(tmp_path: Path) -> None:
    vectors = made.unit(16, 16, 64)
    plain = made.geotiff(tmp_path / "a_2020.tif", made.alphaearth_bytes(vectors))
    with pytest.raises(SchemaError, match="say which with --form"):
        bring(tmp_path / "a.td", [plain], Request(model="toy"))
    told = bring(tmp_path / "a.td", [plain], Request(form="alphaearth"))
    assert told.startswith("alphaearth: 1 embeddings")
    floats = made.unit(16, 16, 128).astype(np.float32)
    other = made.geotiff(tmp_path / "b_2020.tif", floats)
    with pytest.raises(SchemaError, match="pass --model"):
        bring(tmp_path / "b.td", [other], Request())
    told = bring(tmp_path / "b.td", [other], Request(form="tessera"))
    assert told.startswith("tessera: 1 embeddings of tessera")
