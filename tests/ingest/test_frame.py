import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terradrift.ingest.frame import Frame, Span, offset, ratio, same_crs

UTM = "EPSG:32631"


def frame(gsd: float, left: float, top: float, crs: str = UTM, side: int = 64) -> Frame:
    return Frame(crs, (gsd, 0.0, left, 0.0, -gsd, top), side, side)


@given(
    times=st.integers(1, 6),
    right=st.integers(-20, 80),
    down=st.integers(-20, 80),
)
def test_nested_frames_know_their_ratio_and_offset(
    times: int, right: int, down: int
) -> None:
    source = frame(10.0 * times, 500_000.0, 5_000_000.0)
    target = frame(10.0, 500_000.0 + 10 * right, 5_000_000.0 - 10 * down)
    assert ratio(source, target) == times
    assert offset(source, target) == (down, right)


@pytest.mark.parametrize(
    "source",
    [
        frame(10.0, 500_005.0, 5_000_000.0),  # half a pixel off
        frame(15.0, 500_000.0, 5_000_000.0),  # no whole multiple
        frame(5.0, 500_000.0, 5_000_000.0),  # finer
        frame(10.0, 500_000.0, 5_000_000.0, "EPSG:32632"),
        frame(10.004, 500_000.0, 5_000_000.0),  # far edge a quarter pixel off
        Frame(UTM, (10.0, 1.0, 5e5, 1.0, -10.0, 5e6), 64, 64),  # turned
        Frame(UTM, (10.0, 0.0, 5e5, 0.0, 10.0, 5e6), 64, 64),  # south up
    ],
)
def test_what_does_not_nest_has_no_ratio(source: Frame) -> None:
    assert ratio(source, frame(10.0, 500_000.0, 5_000_000.0)) == 0


def test_rows_and_columns_undo_the_geotransform() -> None:
    turned = Frame(UTM, (9.0, 2.0, 5e5, 1.5, -8.0, 5e6), 10, 10)
    rows, cols = turned.rows_cols(
        np.array([9.0 * 3 + 2.0 * 4 + 5e5]), np.array([1.5 * 3 - 8.0 * 4 + 5e6])
    )
    assert (rows.item(), cols.item()) == pytest.approx((4.0, 3.0))


def test_a_part_starts_where_its_pixels_start() -> None:
    part = frame(10.0, 500_000.0, 5_000_000.0).part(Span(3, 5, 7, 2))
    assert part == Frame(UTM, (10.0, 0.0, 500_030.0, 0.0, -10.0, 4_999_950.0), 7, 2)


def test_a_crs_is_the_same_by_whatever_name() -> None:
    import pyproj

    assert same_crs("EPSG:32631", pyproj.CRS.from_epsg(32631).to_wkt())
    assert not same_crs("EPSG:32631", "EPSG:32731")
