import socket
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine

from terradrift.errors import SourceError
from terradrift.ingest import read
from terradrift.ingest.acquisition import acquisition
from terradrift.ingest.files import Files
from terradrift.ingest.frame import Frame
from terradrift.ingest.read import chip
from terradrift.ingest.window import by_file, check_bands, read_bands, read_clear
from tests.ingest.rasters import asset, scene, write, written

UTM = "EPSG:32631"
LEFT, TOP = 500_040.0, 5_000_020.0


def place(gsd: float, left: float = LEFT, top: float = TOP) -> Affine:
    return Affine(gsd, 0, left, 0, -gsd, top)


def slow(path: Path, index: int, times: int, rows: slice, cols: slice) -> np.ndarray:
    """Whole file, repeated, cut by numpy; NaN beyond the file. Rows and columns may be
    negative, in target pixels from the file's corner."""
    with rasterio.open(path) as file:
        whole = file.read(index).astype(np.float64)
    whole = whole.repeat(times, 0).repeat(times, 1)
    pad = 400
    padded = np.pad(whole, pad, constant_values=np.nan)
    return padded[
        rows.start + pad : rows.stop + pad, cols.start + pad : cols.stop + pad
    ]


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 45),
    width=st.integers(1, 45),
    times=st.integers(1, 3),
    top=st.integers(-60, 150),
    left=st.integers(-60, 150),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    seed=st.integers(0, 9),
)
def test_nested_reads_equal_a_whole_file_cut_by_numpy(  # noqa: PLR0917 - drawn values
    tmp_path_factory: pytest.TempPathFactory,
    height: int,
    width: int,
    times: int,
    top: int,
    left: int,
    size: tuple[int, int],
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("w")
    rng = np.random.default_rng(seed)
    numbers = rng.choice([0, 1, 500, 9999, 65535], (2, height, width)).astype(np.uint16)
    path = write(folder / "a.tif", numbers, UTM, place(10.0 * times))
    assets = [
        asset("b0", path, 1, scale=1e-4, offset=-0.1, nodata=0.0),
        asset("b1", path, 2, scale=1e-4, nodata=1.0),
    ]
    row = scene("s", assets, UTM, place(10.0 * times), (height, width))
    target = Frame.north_up(32631, 10.0, (LEFT + 10 * left, TOP - 10 * top), size)
    got = acquisition(row, ("b1", "b0"))
    out = np.full((2, *size), -7.0, np.float32)
    (entry,) = by_file(got).items()
    ok = read_bands(Files(), got, entry[0], slots=entry[1], target=target, out=out)
    rows, cols = slice(top, top + size[0]), slice(left, left + size[1])
    first, second = (slow(path, n, times, rows, cols) for n in (1, 2))
    seen = np.isfinite(first) & (first != 0) & (first != 65535)
    seen &= (second != 1) & (second != 65535)
    np.testing.assert_array_equal(ok, seen)
    np.testing.assert_allclose(
        out[1][ok], first[seen] * 1e-4 - 0.1, rtol=1e-6, atol=1e-7
    )
    np.testing.assert_allclose(out[0][ok], second[seen] * 1e-4, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(times=st.integers(1, 3), top=st.integers(-30, 90), left=st.integers(-30, 90))
def test_coarser_masks_are_repeated(
    tmp_path_factory: pytest.TempPathFactory, times: int, top: int, left: int
) -> None:
    folder = tmp_path_factory.mktemp("m")
    classes = np.random.default_rng(1).integers(0, 12, (20, 25)).astype(np.uint8)
    row = written(
        folder,
        "s",
        np.ones((1, 20 * times, 25 * times), np.uint8),
        UTM,
        place(10.0),
        scl=classes,
        scl_times=times,
    )
    target = Frame.north_up(32631, 10.0, (LEFT + 10 * left, TOP - 10 * top), (33, 31))
    clear = read_clear(Files(), acquisition(row, ("b0",)), target)
    numbers = slow(
        folder / "s_scl.tif", 1, times, slice(top, top + 33), slice(left, left + 31)
    )
    np.testing.assert_array_equal(clear, np.isin(numbers, [2, 4, 5, 6, 7]))


@pytest.mark.parametrize(
    ("dtype", "saturated"),
    [("uint8", 255), ("int16", 32767), ("uint16", 65535), ("int32", 2**31 - 1)],
)
def test_the_largest_number_of_a_type_is_saturated(
    tmp_path: Path, dtype: str, saturated: int
) -> None:
    numbers = np.array([[[5, saturated, saturated - 1, 7]]], dtype)
    row = written(tmp_path, "s", numbers, UTM, place(10.0))
    _, clear = chip(row, (LEFT, TOP - 10, LEFT + 40, TOP), 32631, 10.0, ("b0",))
    assert clear.tolist() == [[True, False, True, True]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_that_are_no_numbers_or_nodata_are_not_clear(
    tmp_path: Path, dtype: str
) -> None:
    nothing = float(np.finfo(dtype).min)
    numbers = np.array([[[0.5, np.nan, np.inf, nothing, -0.25]]], dtype)
    row = written(tmp_path, "s", numbers, UTM, place(10.0), nodata=nothing)
    pixels, clear = chip(row, (LEFT, TOP - 10, LEFT + 50, TOP), 32631, 10.0, ("b0",))
    assert clear.tolist() == [[True, False, False, False, True]]
    np.testing.assert_array_equal(pixels, [[[0.5, np.nan, np.nan, np.nan, -0.25]]])


def test_the_nodata_of_the_file_holds_where_the_scene_names_none(
    tmp_path: Path,
) -> None:
    numbers = np.array([[[3, 7]]], np.int16)
    path = write(tmp_path / "a.tif", numbers, UTM, place(10.0), nodata=7)
    row = scene("s", [asset("b0", path)], UTM, place(10.0), (1, 2))
    _, clear = chip(row, (LEFT, TOP - 10, LEFT + 20, TOP), 32631, 10.0, ("b0",))
    assert clear.tolist() == [[True, False]]


def test_a_pixel_is_clear_in_all_bands_or_in_none(tmp_path: Path) -> None:
    numbers = np.array([[[1, 0, 2]], [[0, 3, 4]]], np.uint8)
    row = written(tmp_path, "s", numbers, UTM, place(10.0), nodata=0.0)
    pixels, clear = chip(
        row, (LEFT, TOP - 10, LEFT + 30, TOP), 32631, 10.0, ("b0", "b1")
    )
    assert clear.tolist() == [[False, False, True]]
    assert np.isnan(pixels[:, :, :2]).all()
    assert pixels[:, 0, 2].tolist() == [2.0, 4.0]


def test_bands_of_two_resolutions_meet_on_one_grid(tmp_path: Path) -> None:
    fine = write(
        tmp_path / "f.tif", np.arange(16, dtype="u1").reshape(1, 4, 4), UTM, place(10)
    )
    coarse = write(
        tmp_path / "c.tif", np.array([[[1, 2], [3, 4]]], "u1"), UTM, place(20)
    )
    row = scene("s", [asset("f", fine), asset("c", coarse)], UTM, place(10), (4, 4))
    pixels, clear = chip(row, (LEFT, TOP - 40, LEFT + 40, TOP), 32631, 10.0, ("c", "f"))
    assert clear.all()
    assert pixels[0].tolist() == [[1, 1, 2, 2]] * 2 + [[3, 3, 4, 4]] * 2
    assert pixels[1].ravel().tolist() == list(range(16))


def test_a_mask_keeps_clouds_out_of_what_is_warped(tmp_path: Path) -> None:
    """Half a pixel off, the clouded half (1e4) must not reach the clear one (1)."""
    numbers = np.where(np.arange(30) < 15, 1, 10_000)[None, None].repeat(30, 1)
    scl = np.where(np.arange(30) < 15, 4, 9).astype(np.uint8)[None].repeat(30, 0)
    row = written(
        tmp_path, "s", numbers.astype(np.uint16), UTM, place(10.0, LEFT + 5), scl=scl
    )
    pixels, clear = chip(row, (LEFT, TOP - 300, LEFT + 300, TOP), 32631, 10.0, ("b0",))
    assert 0.4 < clear.mean() < 0.6
    np.testing.assert_allclose(pixels[0][clear], 1.0)


def test_a_missing_band_names_what_is_there(tmp_path: Path) -> None:
    row = written(tmp_path, "s", np.ones((2, 4, 4), np.uint8), UTM, place(10.0))
    with pytest.raises(
        SourceError, match=r"expected band\(s\) nir, got b1; pass --bands"
    ):
        check_bands(acquisition(row, ("b1", "nir")))
    with pytest.raises(
        SourceError, match=r"scene s: expected band\(s\) nir, got none of"
    ):
        chip(row, (LEFT, TOP - 40, LEFT + 40, TOP), 32631, 10.0, ("nir",))


def test_a_chip_of_a_silent_host_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(read._SOON, "GDAL_HTTP_LOW_SPEED_TIME", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        band = asset("b0", Path("x"))
        band["href"] = f"http://127.0.0.1:{silent.getsockname()[1]}/silent.tif"
        row = scene("s", [band], UTM, place(10.0), (1, 2))
        start = time.monotonic()
        with pytest.raises(SourceError, match=r"silent\.tif"):
            chip(row, (LEFT, TOP - 10, LEFT + 20, TOP), 32631, 10.0, ("b0",))
    assert time.monotonic() - start < 10
