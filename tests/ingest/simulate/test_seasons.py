from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.ingest.simulate import landscape as land
from terradrift.ingest.simulate import seasons


@pytest.fixture(scope="module")
def world(recipe):
    chosen = recipe(size_px=256)
    ground = land.landscape(chosen)
    return chosen, seasons.parcels(chosen, ground)


def ndvi(mean):
    return (mean[:, 6] - mean[:, 2]) / (mean[:, 6] + mean[:, 2])


@settings(max_examples=40, deadline=None)
@given(day=st.dates(date(2017, 1, 1), date(2024, 12, 31)))
def test_reflectance_is_physical_on_every_day(world, day):
    today = seasons.surface(*world, day)
    assert np.isfinite(today.mean).all()
    assert today.mean.min() > 0
    assert today.mean.max() < 0.7
    assert ((today.green >= 0) & (today.green <= 1)).all()


def test_every_cover_has_its_season(world):
    chosen, these = world
    seen = {
        month: ndvi(seasons.surface(chosen, these, date(2019, month, 10)).mean)
        for month in (1, 5, 7)
    }

    def of(month, cover):
        return float(np.median(seen[month][these.cover == cover]))

    assert of(7, land.DECIDUOUS) > 0.8
    assert of(1, land.DECIDUOUS) < 0.5
    assert of(7, land.CONIFER) == pytest.approx(of(1, land.CONIFER), abs=0.1)
    assert of(5, land.GRASS) > 0.6
    assert of(7, land.WATER) < 0
    assert abs(of(7, land.TILE) - of(1, land.TILE)) < 0.05


def test_fields_are_harvested_on_days_of_their_own(world):
    chosen, these = world
    crops = these.cover == land.CROP
    days = [date(2019, 5, 1) + timedelta(days=5 * step) for step in range(40)]
    series = np.stack(
        [ndvi(seasons.surface(chosen, these, day).mean)[crops] for day in days]
    )
    drop = (series[8:] - series[:-8]).min(0)
    assert (drop < -0.25).mean() > 0.8
    assert len(np.unique(np.diff(series, axis=0).argmin(0))) > 10


def test_new_year_is_no_event(world):
    chosen, these = world
    before = seasons.surface(chosen, these, date(2019, 12, 31)).green
    after = seasons.surface(chosen, these, date(2020, 1, 1)).green
    assert np.abs(after - before).max() < 0.03


def test_fields_rotate_crops(world):
    chosen, these = world
    crops = these.cover == land.CROP
    a, b = (
        seasons.surface(chosen, these, date(year, 8, 1)).green[crops]
        for year in (2019, 2020)
    )
    assert np.corrcoef(a, b)[0, 1] < 0.5


def test_weeds_come_back_with_the_years_and_sleep_in_winter():
    cut = date(2019, 2, 1)
    assert seasons.weeds(date(2019, 1, 1), cut) == 0
    assert seasons.weeds(date(2020, 7, 1), cut) < seasons.weeds(date(2021, 7, 1), cut)
    assert seasons.weeds(date(2021, 1, 1), cut) < seasons.weeds(date(2020, 7, 1), cut)
