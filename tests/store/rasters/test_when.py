"""Rasters of several dates, of one, and on the antimeridian."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.enums import ColorInterp

import terradrift as td
from terradrift.archive.importing import Request, bring
from terradrift.errors import SchemaError
from tests.store.rasters import made

SIZE = 80
PIXELS = made.unit(16, 16, 4).astype(np.float32)
TOY = Request(model="toy", patch_size=SIZE)


def held(place: Path) -> list[tuple[str, float]]:
    rows = td.open(place).sql("SELECT datetime::DATE, embedding[1] FROM observations")
    return sorted((str(day), value) for day, value in rows.fetchall())


def test_rasters_of_two_dates_are_two_dates(tmp_path: Path) -> None:
    for day in ("2024-01-15", "2024-07-15"):
        made.geotiff(tmp_path / "in" / f"emb_{day}.tif", PIXELS)
    told = bring(tmp_path / "a.td", [tmp_path / "in"], TOY)
    assert "from 2 rasters of 2024-01-15, 2024-07-15; instants by the date" in told
    assert [day for day, _ in held(tmp_path / "a.td")] == ["2024-01-15"] * 4 + [
        "2024-07-15"
    ] * 4


def test_two_rasters_of_one_instant_and_place_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made.geotiff(tmp_path / "2024" / f"{name}.tif", PIXELS)
    for dry_run in (True, False):
        request = Request(model="toy", patch_size=SIZE, dry_run=dry_run)
        with pytest.raises(SchemaError, match=r"a\.tif .* and .*b\.tif .* same ground"):
            bring(tmp_path / "a.td", [tmp_path / "2024"], request)
    assert not (tmp_path / "a.td").exists()


def test_rasters_that_share_a_box_may_each_have_their_part(tmp_path: Path) -> None:
    nothing = np.full_like(PIXELS, np.nan)
    west = np.concatenate([PIXELS[:, :8], nothing[:, 8:]], axis=1)
    east = np.concatenate([nothing[:, :6], PIXELS[:, 6:]], axis=1)
    made.geotiff(tmp_path / "2024" / "a.tif", west)
    made.geotiff(tmp_path / "2024" / "b.tif", east)
    told = bring(tmp_path / "a.td", [tmp_path / "2024"], TOY)
    assert "50.0% of pixels lie in several rasters" in told
    want = PIXELS[:, :, 0].reshape(2, 8, 2, 8).mean(axis=(1, 3)).ravel()
    found = [value for _, value in held(tmp_path / "a.td")]
    assert found == pytest.approx(sorted(want), abs=1e-3)


def test_of_rasters_of_one_day_the_others_are_counted(tmp_path: Path) -> None:
    for time in ("T100000", "T103000"):
        made.geotiff(tmp_path / "in" / f"e_20240115{time}.tif", PIXELS)
    told = bring(tmp_path / "a.td", [tmp_path / "in"], TOY)
    assert "raster: 4 embeddings" in told
    assert "4 left out, the same place and day once more" in told


def test_patches_on_the_antimeridian_are_drawn_in_one_piece(tmp_path: Path) -> None:
    corner = (284_800.0, 5_540_000.0)  # 180 degrees are near 284,897 m
    file = made.geotiff(tmp_path / "e_2024.tif", PIXELS, corner=corner, epsg=32601)
    bring(tmp_path / "a.td", [file], TOY)
    rows = td.open(tmp_path / "a.td").sql(
        "SELECT longitude, bbox, geometry FROM patches"
    )
    sides = rows.fetchall()
    assert {lon > 0 for lon, _, _ in sides} == {True, False}
    for _, box, shape in sides:
        west, _, east, _ = shapely.from_wkb(bytes(shape)).bounds
        assert east - west < 0.01
        assert box["xmax"] - box["xmin"] < 0.01


def test_rasters_of_other_bands_or_pixels_are_refused_together(tmp_path: Path) -> None:
    first = made.geotiff(tmp_path / "a_2023.tif", PIXELS)
    more = np.concatenate([PIXELS, PIXELS], axis=-1)
    bands = made.geotiff(tmp_path / "b_2024.tif", more)
    pixels = made.geotiff(tmp_path / "c_2024.tif", PIXELS, pixel=20)
    for other, said in ((bands, "8 bands"), (pixels, "10 m wide, those of .* 20 m")):
        with pytest.raises(SchemaError, match=said):
            bring(tmp_path / "a.td", [first, other], TOY)
    assert not (tmp_path / "a.td").exists()


def test_numbers_that_are_no_vectors_are_left_out(tmp_path: Path) -> None:
    pixels = PIXELS.copy()
    pixels[:8, :8] = 1e6
    pixels[8:, :8, 0] = -9999
    pixels[8:, 8:] = 1e-9
    file = made.geotiff(tmp_path / "e_2024.tif", pixels, nodata=-9999)
    told = bring(tmp_path / "a.td", [file], TOY)
    assert "raster: 1 embeddings" in told
    assert "2 left out, with a mean beyond float16" in told
    assert all(abs(value) < 1 for _, value in held(tmp_path / "a.td"))


def test_a_files_own_mask_is_kept_and_what_is_no_vector_is_refused(
    tmp_path: Path,
) -> None:
    masked, scaled, alpha = (
        made.geotiff(tmp_path / f"{name}_2024.tif", PIXELS)
        for name in ("masked", "scaled", "alpha")
    )
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(masked, "r+") as file,
    ):
        file.write_mask(np.arange(16)[:, None].repeat(16, 1) >= 8)
    assert "raster: 2 embeddings" in bring(tmp_path / "a.td", [masked], TOY)
    with rasterio.open(scaled, "r+") as file:
        file.offsets = [5.0] * 4
    with rasterio.open(alpha, "r+") as file:
        file.colorinterp = [*file.colorinterp[:-1], ColorInterp.alpha]
    for path, said in ((scaled, "scales or offsets"), (alpha, "an alpha band")):
        with pytest.raises(SchemaError, match=said):
            bring(tmp_path / "b.td", [path], TOY)


def test_scales_of_other_pixels_are_refused(tmp_path: Path) -> None:
    file = made.tessera(tmp_path, 2020, made.unit(8, 8, 128))
    made.landmask(tmp_path, 8, 8)
    scales = file.with_name(f"{file.stem}_scales.npy")
    np.save(scales, np.load(scales)[:4])
    with pytest.raises(SchemaError, match="4 x 8 pixels"):
        bring(tmp_path / "a.td", [tmp_path], Request(patch_size=SIZE))


def test_pixels_of_feet_or_of_two_sides_are_told(tmp_path: Path) -> None:
    feet = made.geotiff(
        tmp_path / "feet_2024.tif", PIXELS, epsg=2263, corner=(1e6, 2e5)
    )
    with pytest.raises(SchemaError, match=r"pixels of 3\.048 m"):
        bring(tmp_path / "a.td", [feet], TOY)
    oblong = made.geotiff(tmp_path / "oblong_2024.tif", PIXELS)
    with rasterio.open(oblong, "r+") as file:
        to = file.transform
        file.transform = rasterio.Affine(10, 0, to.c, 0, -20, to.f)
    assert "1 rasters stand on another grid" in bring(tmp_path / "a.td", [oblong], TOY)
