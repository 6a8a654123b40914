"""Classes of changes, on series that were made to be of one."""

import numpy as np
import pytest

from terradrift.detect import persistence
from terradrift.detect.settings import Settings
from tests.detect.worlds import planted, run, series

DAYS = np.arange(60) * 15.0


@pytest.mark.parametrize("seed", range(5))
def test_a_ramp_is_told_from_a_step_and_begins_where_it_does(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.12, 60)
    ramp = np.clip((DAYS - 300) / 240, 0, 1)
    start = persistence.ramp_start(ramp + noise, DAYS)
    assert start is not None
    assert abs(DAYS[start] - 300) <= 45
    assert persistence.ramp_start((DAYS >= 400) + noise, DAYS) is None
    assert persistence.ramp_start(noise, DAYS) is None
    # A step first, and growth later, is a step.
    both = 0.7 * (DAYS >= 300) + 0.3 * ramp
    assert persistence.ramp_start(both + noise, DAYS) is None


def test_few_dates_are_no_ramp() -> None:
    assert persistence.ramp_start(np.linspace(0, 1, 7), DAYS[:7]) is None


def path(shift: int, lift: float = 0.0, years: int = 2) -> tuple[np.ndarray, ...]:
    """A season in three features that comes `shift` days later after each half."""
    days = np.datetime64("2017-01-03") + np.arange(0, 365 * 2 * years, 9)
    split = len(days) // 2
    late = np.where(np.arange(len(days)) < split, 0, shift)
    phase = 2 * np.pi * (days.astype(int) - late) / 365.2425
    season = np.stack([np.sin(phase), np.cos(phase), np.sin(2 * phase)], axis=1)
    season[split:] += lift
    noise = np.random.default_rng(1).normal(0, 0.1, season.shape)
    return season + noise, days, split


@pytest.mark.parametrize("shift", [-40, -20, 20, 40])
def test_a_season_that_only_moved_is_named_with_its_days(shift: int) -> None:
    assert persistence.season_shift(*path(shift)) == pytest.approx(shift, abs=5)


def test_a_state_that_changed_or_stayed_is_no_moved_season() -> None:
    assert persistence.season_shift(*path(0)) is None
    assert persistence.season_shift(*path(0, lift=1.0)) is None
    assert persistence.season_shift(*path(30, lift=1.5)) is None


def test_less_than_a_year_on_a_side_abstains() -> None:
    vectors, days, split = path(40)
    kept = slice(split - 30, None)
    assert persistence.season_shift(vectors[kept], days[kept], 30) is None
    assert persistence.season_shift(vectors, days, 1) is None


def test_what_comes_back_has_an_end_and_what_lasts_has_none() -> None:
    world = planted(planted(series(t=40), 7, 20), 14, 16, 26)
    (block,) = run(world)
    changes = block.changes
    lasting, passing = (np.flatnonzero(changes.row == row) for row in (7, 14))
    assert changes.persistence[lasting].tolist() == ["persistent"]
    assert np.isnat(changes.ended[lasting]).all()
    assert changes.persistence[passing].tolist() == ["transient"]
    seen = np.flatnonzero(np.isfinite(world.clear_percent[14]))
    assert changes.ended[passing[0]] == world.times[14, seen[seen >= 26][0]]


def test_a_slow_change_is_gradual_in_a_whole_archive() -> None:
    world = series(n=80, t=60, clear=1.0)
    vectors = world.vectors.astype(np.float32)
    odd = np.random.default_rng(9).normal(size=vectors.shape[2]) * 2.0
    vectors[7] += np.clip((np.arange(60) - 20) / 15, 0, 1)[:, None] * odd
    (block,) = run(type(world)(**{**vars_of(world), "vectors": vectors.astype("f2")}))
    at = np.flatnonzero(block.changes.row == 7)
    assert block.changes.persistence[at].tolist() == ["gradual"]
    began = np.searchsorted(world.days, block.changes.onset[at[0]].astype("M8[D]"))
    assert abs(began - 21) <= 3
    assert block.patches.persistence[7] == "gradual"
    assert block.patches.onset[7] == block.changes.onset[at[0]]


def vars_of(world) -> dict[str, np.ndarray]:
    return {name: getattr(world, name) for name in type(world).__slots__}


def test_the_rules_of_reporting_are_checked() -> None:
    with pytest.raises(ValueError, match=r"max_q_value must be 0 to 1, got 1\.5"):
        Settings(max_q_value=1.5)
    with pytest.raises(ValueError, match="max_false_alarms must be above 0, got -2"):
        Settings(max_false_alarms=-2)
