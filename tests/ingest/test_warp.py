import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject

from terradrift.ingest import warp
from terradrift.ingest.frame import Frame, Span

ZONE, BESIDE = "EPSG:32631", "EPSG:32632"
LEFT, TOP = 700_000.0, 5_600_040.0


def whole(frame: Frame) -> Span:
    return Span(0, 0, frame.width, frame.height)


def warped(values, clear, source, target):
    span = warp.needed(source, target)
    out = np.empty((len(values), target.height, target.width), np.float32)
    cut = (
        slice(span.top, span.top + span.height),
        slice(span.left, span.left + span.width),
    )
    ok = warp.warp(values[:, *cut], clear[cut], source, span, target=target, out=out)
    out[:, ~ok] = np.nan
    return out


def noise(height: int, width: int, bands: int = 2) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.uniform(0.0, 1.0, (bands, height, width)).astype(np.float32)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (
            Frame(ZONE, (10.0, 0.0, LEFT, 0.0, -10.0, TOP), 80, 70),
            Frame.north_up(32632, 10.0, (274_500.0, 5_601_200.0), (100, 100)),
        ),
        (
            Frame(ZONE, (10.0, 0.0, LEFT + 3.0, 0.0, -10.0, TOP - 4.0), 80, 70),
            Frame.north_up(32631, 10.0, (LEFT, TOP), (60, 70)),
        ),
        (
            Frame("EPSG:4326", (1.8e-4, 0.0, 5.8, 0.0, -1.8e-4, 50.5), 100, 90),
            Frame.north_up(32631, 10.0, (698_600.0, 5_597_900.0), (120, 110)),
        ),
    ],
)
def test_bilinear_equals_gdal_where_all_is_clear(source: Frame, target: Frame) -> None:
    values = noise(source.height, source.width)
    ours = warped(values, np.ones(values.shape[1:], bool), source, target)
    theirs = np.full(ours.shape, np.nan, np.float32)
    reproject(
        values,
        theirs,
        src_transform=Affine(*source.transform),
        src_crs=source.crs,
        dst_transform=Affine(*target.transform),
        dst_crs=target.crs,
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling.bilinear,
        tolerance=0,
    )
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert both.mean() > 0.3
    np.testing.assert_allclose(ours[both], theirs[both], atol=2e-3)


@settings(max_examples=25, deadline=None)
@given(
    left=st.integers(0, 40),
    top=st.integers(0, 40),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
)
def test_a_pixel_is_the_same_in_whichever_window_it_is_read(
    left: int, top: int, height: int, width: int
) -> None:
    source = Frame("EPSG:4326", (1.4e-4, 0.0, 5.80, 0.0, -1.4e-4, 50.50), 120, 120)
    clear = noise(120, 120)[0] < 0.8
    values = np.where(clear, noise(120, 120), 0).astype(np.float32)
    corner = (698_600.0, 5_598_000.0)
    large = Frame.north_up(32631, 10.0, corner, (70, 70))
    small = Frame.north_up(
        32631, 10.0, (corner[0] + 10 * left, corner[1] - 10 * top), (height, width)
    )
    everything = warped(values, clear, source, large)
    part = everything[:, top : top + height, left : left + width]
    np.testing.assert_array_equal(warped(values, clear, source, small), part)


def test_what_is_masked_never_bleeds() -> None:
    source = Frame(ZONE, (10.0, 0.0, LEFT + 3.0, 0.0, -10.0, TOP - 4.0), 60, 60)
    target = Frame.north_up(32631, 10.0, (LEFT, TOP), (60, 60))
    clear = noise(60, 60)[0] < 0.7
    quiet = np.full((1, 60, 60), 0.25, np.float32)
    loud = np.where(clear, quiet, np.float32(1e6))
    out = warped(loud, clear, source, target)
    seen = np.isfinite(out)
    assert 0.5 < seen.mean() < 0.8
    np.testing.assert_allclose(out[seen], 0.25, rtol=1e-5)


@pytest.mark.parametrize("times", [2, 3, 6])
def test_a_coarser_nested_grid_gets_the_mean_of_clear_pixels(times: int) -> None:
    side = 12 * times
    source = Frame(ZONE, (10.0, 0.0, LEFT, 0.0, -10.0, TOP), side, side)
    target = Frame.north_up(32631, 10.0 * times, (LEFT, TOP), (12, 12))
    clear = noise(side, side)[0] < 0.6
    values = noise(side, side)
    blocks = np.where(clear, values, np.nan).reshape(2, 12, times, 12, times)
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(RuntimeWarning)
        slow = np.nanmean(blocks, axis=(2, 4))
    share = clear.reshape(12, times, 12, times).mean(axis=(1, 3))
    slow[:, share < 0.5] = np.nan
    np.testing.assert_allclose(warped(values, clear, source, target), slow, rtol=1e-5)


def test_the_nearest_pixel_is_the_one_that_a_middle_lies_in() -> None:
    source = Frame(ZONE, (20.0, 0.0, LEFT + 7.0, 0.0, -20.0, TOP), 20, 20)
    target = Frame.north_up(32631, 10.0, (LEFT, TOP), (40, 42))
    values = np.arange(400).reshape(20, 20)
    found, inside = warp.nearest(values, source, whole(source), target)
    rows, cols = np.mgrid[:40, :42] + 0.5
    row = np.floor(rows * 10 / 20).astype(int)
    col = np.floor((cols * 10 - 7) / 20).astype(int)
    expected = (col >= 0) & (col < 20)
    np.testing.assert_array_equal(inside, expected)
    np.testing.assert_array_equal(found[inside], (row * 20 + col)[inside])


def test_places_that_a_projection_does_not_reach_are_outside() -> None:
    source = Frame("EPSG:4326", (0.1, 0.0, 170.0, 0.0, -0.1, 10.0), 50, 50)
    target = Frame.north_up(32631, 10.0, (500_000.0, 5_000_000.0), (8, 8))
    assert warp.needed(source, target).empty


def test_degrees_go_round_the_antimeridian() -> None:
    target = Frame.north_up(32660, 1000.0, (800_000.0, 100_000.0), (40, 60))
    for turn in (0.0, 360.0):
        source = Frame(
            "EPSG:4326", (0.01, 0.0, 179.0 - turn, 0.0, -0.01, 1.0), 300, 150
        )
        assert not warp.needed(source, target).empty
        values = np.ones((1, 150, 300), np.float32)
        assert np.isfinite(warped(values, values[0] > 0, source, target)).all()
