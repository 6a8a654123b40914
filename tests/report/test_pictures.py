import math

import numpy as np
import pytest
import shapely

from terradrift.report.pictures import SIDE, data_uri, pictures, window

BOX = (3.0, 50.0, 3.01, 50.01)
MIDDLE = shapely.box(3.004, 50.004, 3.006, 50.006)
WORLD = (-180.0, -90.0, 180.0, 90.0)
FAR = shapely.box(4, 51, 4.1, 51.1)


def chip(value, bands=3):
    return np.full((20, 20, bands), value, np.float32)


@pytest.mark.parametrize("latitude", [0.0, 50.0, -65.0])
def test_the_window_is_square_on_the_ground_and_the_event_in_its_middle(latitude):
    event = shapely.box(10, latitude, 10.02, latitude + 0.01)
    (west, south, east, north), shape = window(event, 40, WORLD)
    wide = math.cos(math.radians(latitude + 0.005))
    assert (east - west) * wide == pytest.approx(north - south, rel=1e-6)
    assert (west + east) / 2 == pytest.approx(10.01)
    assert shape == (SIDE, SIDE)
    assert west < 10
    assert east > 10.02


def test_a_small_event_is_shown_with_its_surroundings():
    (_, south, _, north), _ = window(shapely.box(10, 50, 10.0001, 50.0001), 40, WORLD)
    assert (north - south) * 111_320 == pytest.approx(12 * 40)


def test_at_the_edge_of_the_archive_the_window_moves_inwards():
    event = shapely.box(10.0, 50.0, 10.001, 50.001)
    (west, south, east, north), _ = window(event, 40, (10.0, 50.0, 11.0, 51.0))
    assert (west, south) == pytest.approx((10.0, 50.0))
    assert east > 10.001
    assert north > 50.001


def test_a_window_larger_than_the_archive_is_centred_on_it():
    extent = (10.0, 50.0, 10.002, 50.002)
    (west, _, east, _), _ = window(shapely.box(*extent), 40, extent)
    assert (west + east) / 2 == pytest.approx(10.001)


def test_before_and_after_share_one_stretch():
    ramp = np.linspace(0.05, 0.15, 400, dtype=np.float32).reshape(20, 20, 1)
    before = np.repeat(ramp, 3, -1)
    same, again, brighter = (
        np.asarray(one).mean()
        for one in pictures([before, before, before + 0.05], FAR, BOX)
    )
    assert same == again
    assert brighter > same + 30


def test_a_cloud_does_not_black_out_the_clear_date():
    rng = np.random.default_rng(0)
    clear = rng.uniform(0.03, 0.2, (20, 20, 3)).astype(np.float32)
    shown, _ = pictures([clear, chip(0.8)], FAR, BOX)
    assert np.asarray(shown).mean() > 60


def test_what_is_not_known_is_grey_and_what_is_not_there_is_none():
    hole = np.linspace(0, 0.3, 1200, dtype=np.float32).reshape(20, 20, 3).copy()
    hole[:10] = np.nan
    shown, nothing = pictures([hole, None], FAR, BOX)
    assert nothing is None
    assert tuple(np.asarray(shown)[30, 150]) == (150, 155, 160)
    assert pictures([None, chip(np.nan)], FAR, BOX) == [None, None]


def test_one_band_is_shown_in_grey():
    ramp = np.linspace(0, 0.9, 400, dtype=np.float32).reshape(20, 20, 1)
    (shown,) = pictures([ramp], FAR, BOX)
    pixels = np.asarray(shown)
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert pixels.max() > 200


def test_the_outline_is_drawn_where_the_event_is():
    (shown,) = pictures([chip(0.0)], MIDDLE, BOX)
    white = (np.asarray(shown) == 255).all(-1)
    rows, cols = np.flatnonzero(white.any(1)), np.flatnonzero(white.any(0))
    for found in (rows, cols):
        assert found.min() == pytest.approx(0.4 * SIDE, abs=2)
        assert found.max() == pytest.approx(0.6 * SIDE, abs=2)


def test_a_gap_of_a_rounding_error_is_not_drawn_as_a_hole():
    gap = shapely.box(3.005, 50.0045, 3.005 + 1e-11, 50.0055)
    split = MIDDLE.difference(gap)
    assert len(split.interiors) == 1
    with_gap, without = pictures([chip(0.0)], split, BOX) + pictures(
        [chip(0.0)], MIDDLE, BOX
    )
    assert np.array_equal(np.asarray(with_gap), np.asarray(without))


def test_a_picture_becomes_an_address():
    (shown,) = pictures([chip(0.1)], MIDDLE, BOX)
    assert data_uri(shown).startswith("data:image/webp;base64,")
