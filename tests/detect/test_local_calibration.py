"""P-values of a patch beside its own past: ranks, and nothing of what comes later."""

import numpy as np
import pytest

from terradrift.detect.local.calibration import Calibration
from terradrift.detect.local.detectors import LocalDistance, LocalLof
from terradrift.detect.local.ranks import Ranks
from terradrift.detect.local.score import Judged as Scored
from terradrift.detect.local.score import judge


def test_p_values_rank_among_sets_that_were_used_before() -> None:
    days = np.datetime64("2020-01-01", "D") + np.arange(60)
    members = np.arange(40.0)
    calibration = Calibration()
    for last, shift in ((10, 0.0), (50, 100.0)):
        calibration.add(
            days,
            [
                Scored(
                    row=np.array([last]),
                    at=np.array([last + 5]),
                    score=np.array([1.0]),
                    z=np.array([1.0]),
                    first=np.array([0]),
                    last=np.array([last]),
                    width=np.array([10]),
                    own=members[None] + shift,
                )
            ],
        )
    fitted = calibration.fitted()
    asked = np.array([39.0, 39.5, 50.0, np.nan]), np.full(4, 12)
    early = fitted.p_values(*asked, np.full(4, days[30]))
    np.testing.assert_allclose(early, [2 / 41, 1 / 41, 1 / 41, np.nan])
    between = fitted.p_values(*asked, np.full(4, days[54]))
    np.testing.assert_array_equal(between, early)  # whole, but nobody asked it yet
    late = fitted.p_values(*asked, np.full(4, days[55]))
    np.testing.assert_allclose(late, [42 / 81, 41 / 81, 41 / 81, np.nan])
    never = fitted.p_values(*asked, np.full(4, days[10]))
    assert np.isnan(never).all()
    other = fitted.p_values(asked[0], np.full(4, 30), np.full(4, days[55]))
    assert np.isnan(other).all()
    assert np.isnan(fitted.median(days[[15, 55]])).all()  # one patch is no scene


@pytest.mark.parametrize("detector", [LocalDistance, LocalLof])
@pytest.mark.parametrize("window", ["past", "last"])
def test_later_dates_change_no_p_value(
    detector: type[LocalDistance] | type[LocalLof], window: str
) -> None:
    random = np.random.default_rng(12)
    days = np.datetime64("2020-01-01", "D") + np.arange(60) * 6
    vectors = (1 + 0.1 * random.normal(size=(40, 60, 8))).astype(np.float16)
    clear = random.random((40, 60)) < 0.6
    how = detector(window=window).how(members=8)

    def told(until: int) -> np.ndarray:
        part = days[:until], vectors[:, :until], clear[:, :until]
        calibration = Calibration()
        calibration.add(part[0], judge(*part, how))
        fitted = calibration.fitted()
        out = np.full((40, until), np.nan)
        for found in judge(*part, how):
            p = fitted.p_values(found.z, found.width, days[found.at])
            out[found.row, found.at] = p
        return out

    whole = told(60)
    for until in (25, 40, 59):
        before = told(until)
        assert np.isfinite(before).sum() > 100
        np.testing.assert_allclose(before, whole[:, :until], rtol=1e-12)


def test_ranks_are_counts_of_what_is_known_by_the_day() -> None:
    random = np.random.default_rng(13)
    values = random.normal(size=1_000).round(1)
    since = np.datetime64("2020-01-01", "D") + random.integers(3, 50, 1_000)
    ranks = Ranks.of(values, since)
    asked = np.concatenate([random.normal(size=500).round(1), [-99, 99]])
    day = np.datetime64("2020-01-01", "D") + random.integers(0, 60, 502)
    known = since <= day[:, None]
    large, held = ranks.count(asked, day)
    np.testing.assert_array_equal(held, known.sum(axis=1))
    expected = (known & (values >= asked[:, None])).sum(axis=1)
    np.testing.assert_array_equal(large, expected)
