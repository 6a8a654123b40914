from datetime import date

import pytest

from terradrift.ingest.simulate.recipe import acquisitions, parse_day


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size_px": 16}, "size_px must be at least 32, got 16"),
        ({"gsd": 0}, "gsd must be above 0 metres, got 0"),
        ({"revisit_days": 0}, "revisit_days must be at least 1, got 0"),
        ({"seed": -1}, "seed must not be negative, got -1"),
        ({"changes_per_year": -2}, "changes_per_year must not be negative, got -2"),
        ({"cloudiness": 1.5}, r"cloudiness must lie in 0\.\.1, got 1\.5"),
        ({"duplicates": -0.1}, r"duplicates must lie in 0\.\.1, got -0\.1"),
        ({"layout": "zip"}, "layout must be 'multiband' or 'per-band', got 'zip'"),
        ({"block_px": 100}, "block_px must be a multiple of 128, got 100"),
        ({"stac_version": "0.9"}, "stac_version must be 1.0.0 or 1.1.0, got '0.9'"),
        ({"bands": ("B02", "B99")}, "bands must be some of B02 .* got B02 B99"),
        ({"bands": ()}, "bands must be some of B02"),
        ({"epsg": 4326}, "projected CRS in metres such as 32631, got 4326"),
        ({"epsg": 2263}, "projected CRS in metres such as 32631, got 2263"),
        ({"epsg": 99}, "projected CRS in metres such as 32631, got 99"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(recipe, given, message):
    with pytest.raises(ValueError, match=message):
        recipe(**given)


def test_more_dates_move_no_earlier_date(recipe):
    a = list(acquisitions(recipe(duplicates=0.4), 12))
    b = list(acquisitions(recipe(duplicates=0.4), 30))
    assert b[: len(a)] == a
    assert len({scene.scene_id for scene in b}) == len(b)
    assert [scene.instant for scene in b] == sorted(scene.instant for scene in b)


def test_duplicates_are_second_scenes_of_the_same_day(recipe):
    scenes = list(acquisitions(recipe(duplicates=1.0), 5))
    assert [scene.copy for scene in scenes] == [0, 1] * 5
    assert len({scene.day for scene in scenes}) == 5


def test_the_baseline_jumps_on_the_day_asked_for(recipe):
    scenes = list(acquisitions(recipe(baseline_jump=date(2019, 3, 2)), 8))
    assert [scene.boa_add for scene in scenes] == [0] * 4 + [1000] * 4
    assert {scene.baseline for scene in scenes} == {"02.13", "05.00"}


def test_a_day_that_is_none_is_refused_by_name():
    assert parse_day("start", "2019-01-31") == date(2019, 1, 31)
    with pytest.raises(ValueError, match=r"start must be a day such as .* got 'May'"):
        parse_day("start", "May")
