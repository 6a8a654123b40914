from datetime import date, timedelta

import numpy as np
import pytest

from terradrift.ingest.simulate.changes import AFFECTED, KINDS, Change, plan
from terradrift.ingest.simulate.landscape import landscape


@pytest.fixture(scope="module")
def planned(recipe):
    chosen = recipe(size_px=384)
    return chosen, plan(chosen, landscape(chosen), date(2021, 12, 31))


def test_a_later_last_day_adds_changes_and_moves_none(planned):
    chosen, later = planned
    ground = landscape(chosen)
    earlier = plan(chosen, ground, date(2019, 9, 1))
    assert 0 < len(earlier) < len(later)
    known = {change.number: change for change in later}
    for change in earlier:
        twin = known[change.number]
        assert (change.onset, change.top, change.left) == (
            twin.onset,
            twin.top,
            twin.left,
        )
        assert np.array_equal(change.mask, twin.mask)
    left_out = [c for c in later if c.number not in {e.number for e in earlier}]
    assert all(change.onset > date(2019, 9, 1) for change in left_out)


def test_all_kinds_occur_apart_from_one_another_and_large_enough(planned):
    chosen, changes = planned
    assert {change.kind.name for change in changes} == {kind.name for kind in KINDS}
    taken = np.zeros((chosen.size_px, chosen.size_px), int)
    for change in changes:
        rows, cols = change.mask.shape
        assert 0 <= change.top <= chosen.size_px - rows
        assert 0 <= change.left <= chosen.size_px - cols
        assert (change.mask > 0.5).sum() >= 15
        taken[change.top : change.top + rows, change.left : change.left + cols] += (
            change.mask > 0
        )
    assert taken.max() == 1


def test_changes_keep_their_season_and_the_quiet_time(planned):
    chosen, changes = planned
    for change in changes:
        first, last = change.kind.season
        assert first <= change.onset.timetuple().tm_yday - 1 <= last
        assert change.onset >= chosen.start + timedelta(days=chosen.quiet_days)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_change_runs_its_course(kind):
    change = Change(1, kind, date(2020, 1, 1), 100, 0, 0, np.ones((1, 1), np.float32))
    days = [change.onset + timedelta(days=step) for step in range(-50, 300)]
    strength = np.array([change.strength(day) for day in days])
    assert (strength[:50] == 0).all()
    assert strength.max() == pytest.approx(1)
    assert strength.min() >= 0
    if kind.course == "abrupt":
        assert strength[50] > 0.99
    else:
        assert strength[50] < AFFECTED
        assert np.abs(np.diff(strength)).max() < 0.05
    if kind.persistence == "persistent":
        assert strength[-1] == 1
        assert change.end is None
    else:
        assert strength[-1] == 0
        assert change.end == date(2020, 4, 10)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_changed_ground_has_physical_reflectance(kind):
    change = Change(1, kind, date(2020, 1, 1), 40, 0, 0, np.ones((1, 1), np.float32))
    for step in range(0, 900, 30):
        target = change.target(change.onset + timedelta(days=step))
        assert target.shape == (10,)
        assert ((target > 0) & (target < 0.6)).all()


def test_nothing_is_planted_when_none_is_asked_for(recipe):
    chosen = recipe(changes_per_year=0)
    assert plan(chosen, landscape(chosen), date(2025, 1, 1)) == []
