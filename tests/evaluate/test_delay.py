import numpy as np
import pytest

from terradrift.evaluate.delay import at_false_alarms, at_threshold

DAYS = np.datetime64("2020-01-01") + np.arange(0, 367, 61)
NEVER = np.datetime64("NaT", "D")
# Three unchanged patches, two changed on the third day: one at once, one before it.
SCORE = np.array(
    [
        [0, 1, 0, 5, 0, 0, np.nan],
        [0, 2, 0, 0, 0, 0, 0],
        [np.nan, 0, 0, 0, 3, 0, 0],
        [0, 0, 1, 4, 9, 9, 9],
        [0, 6, 9, 9, 9, 9, 9],
    ],
    np.float32,
)
ONSET = np.array([NEVER, NEVER, NEVER, DAYS[2], DAYS[2]])
CHANGED = np.array([0, 0, 0, 1, 1], bool)
HOW = {"km2": 0.01}


def test_delay_runs_from_the_onset_to_the_first_alarm() -> None:
    found = at_threshold(SCORE, DAYS, ONSET, CHANGED, ~CHANGED, threshold=4.0, **HOW)
    assert (found.changed, found.found, found.early) == (2, 0.5, 0.5)
    assert found.days == (61.0, 61.0, 61.0)
    # One alarm, after half a year; the two others were watched for a year.
    years = (183 + 366 + 366) / 365.25
    assert found.false_alarms == pytest.approx(1 / (years * 0.01) * 1000)
    assert found.images_between == 19


def test_the_threshold_is_the_lowest_that_costs_no_more() -> None:
    years = (183 + 366 + 366) / 365.25
    one = 1 / (years * 0.01) * 1000
    found = at_false_alarms(SCORE, DAYS, ONSET, CHANGED, ~CHANGED, rate=one, **HOW)
    assert found.threshold == 5.0
    assert found.asked == one
    fewer = at_false_alarms(SCORE, DAYS, ONSET, CHANGED, ~CHANGED, rate=one / 2, **HOW)
    assert 5.0 < fewer.threshold < 5.001
    assert fewer.false_alarms == 0
    assert fewer.images_between == np.inf
    more = at_false_alarms(SCORE, DAYS, ONSET, CHANGED, ~CHANGED, rate=1e9, **HOW)
    assert more.threshold == 2.0


def test_ground_that_is_neither_counts_for_nothing() -> None:
    unchanged = np.array([0, 1, 1, 0, 0], bool)
    found = at_threshold(SCORE, DAYS, ONSET, CHANGED, unchanged, threshold=4.0, **HOW)
    assert found.false_alarms == 0


def test_a_patch_that_was_never_judged_is_not_counted() -> None:
    score = SCORE.copy()
    score[3] = np.nan
    found = at_threshold(score, DAYS, ONSET, CHANGED, ~CHANGED, threshold=7.0, **HOW)
    assert (found.changed, found.found) == (1, 1.0)


def test_wrong_shapes_and_nothing_unchanged_are_refused() -> None:
    with pytest.raises(ValueError, match="scores of 5 patches on 6 days"):
        at_threshold(SCORE, DAYS[1:], ONSET, CHANGED, ~CHANGED, threshold=1.0, **HOW)
    with pytest.raises(ValueError, match="scores of unchanged patches, got none"):
        at_false_alarms(SCORE, DAYS, ONSET, CHANGED, np.zeros(5, bool), rate=1.0, **HOW)
