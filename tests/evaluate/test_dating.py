import numpy as np
import pytest

from terradrift.evaluate.dating import dating, error_days
from terradrift.evaluate.ground import Acquisitions, Ground, Reported
from terradrift.evaluate.intervals import Draws
from terradrift.evaluate.truth import Truth

N = 6
EVERY = np.ones(N, bool)


def day(*values: str) -> np.ndarray:
    return np.array(values, "datetime64[D]")


TRUTH = Truth(
    changed=np.array([True, True, True, True, True, False]),
    known=EVERY,
    kind=np.full(N, ""),
    onset=day("2020-05-10", "2020-05-10", "2020-05-10", "2020-05-10", "NaT", "NaT"),
    share=np.ones(N),
    latest=day("2020-05-10", "2020-05-20", "2020-05-10", "2020-05-10", "NaT", "NaT"),
)
FOUND = day("2020-05-25", "2020-05-15", "2020-05-04", "NaT", "2020-05-10", "2020-01-01")
VIEWS = np.arange("2020-04-30", "2020-06-10", 5, dtype="datetime64[D]")
GROUND = Ground(
    cells=np.column_stack([np.zeros(N, int), np.arange(N), np.zeros(N, int)]),
    patch_size=100,
    years=np.ones(N),
    clear=Acquisitions.of(N, np.repeat(np.arange(N), len(VIEWS)), np.tile(VIEWS, N)),
)
DRAWS = Draws.of(np.arange(N), EVERY, TRUTH.changed)


def test_an_onset_within_the_labels_own_interval_has_no_error() -> None:
    error = error_days(FOUND, TRUTH.onset, TRUTH.last)
    np.testing.assert_array_equal(error, [15, 0, -6, np.nan, np.nan, np.nan])


def test_late_and_early_are_told_apart_over_dated_changes() -> None:
    found, error = dating(
        TRUTH, FOUND, EVERY, GROUND, DRAWS, days=(5, 15), reported=None
    )
    assert found is not None
    assert (found.dated, found.found) == (4, 3)
    assert found.within[5].value == 1 / 4
    assert found.within[15].value == 3 / 4
    assert (found.days.value, found.late, found.early) == (0, 1 / 3, 1 / 3)
    assert np.isfinite(error).sum() == 3


def test_errors_are_counted_in_clear_acquisitions_too() -> None:
    found, _ = dating(TRUTH, FOUND, EVERY, GROUND, DRAWS, days=(5,), reported=None)
    assert found is not None
    # Seen on 10, 15, 20 and 25 May: three views after the first one that could show it.
    assert found.acquisitions.value == 0
    assert found.acquisitions_quartiles == (-0.5, 1.5)


def test_what_is_not_told_is_not_dated() -> None:
    told = np.array([True, False, False, False, False, False])
    found, _ = dating(TRUTH, FOUND, told, GROUND, DRAWS, days=(15,), reported=None)
    assert found is not None
    assert found.found == 1
    assert found.within[15].value == 1 / 4


def test_stated_intervals_are_held_to_the_truth() -> None:
    patch = np.array([0, 1, 2])
    reported = Reported(
        patch,
        FOUND[patch],
        day("2020-05-05", "2020-05-21", "2020-05-01"),
        day("2020-05-30", "2020-05-25", "2020-05-09"),
        np.zeros(3, int),
    )
    found, _ = dating(TRUTH, FOUND, EVERY, GROUND, DRAWS, days=(5,), reported=reported)
    assert found is not None
    assert found.covered.value == pytest.approx(1 / 3)
    assert found.interval_days == 8


def test_without_dates_there_is_nothing_to_judge() -> None:
    undated = Truth(TRUTH.changed, EVERY, TRUTH.kind, day(*["NaT"] * N), TRUTH.share)
    found, error = dating(
        undated, FOUND, EVERY, GROUND, DRAWS, days=(5,), reported=None
    )
    assert found is None
    assert np.isnan(error).all()
