import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect import reference
from terradrift.detect.mahalanobis import Mahalanobis
from terradrift.detect.protocol import SeriesDetector

_: SeriesDetector = Mahalanobis()


def history(seed: int, n: int = 3, t: int = 16, d: int = 7):
    random = np.random.default_rng(seed)
    days = np.datetime64("2018-01-01", "D") + np.cumsum(random.integers(5, 40, t))
    vectors = (2 + random.normal(size=(n, t, d))).astype(np.float32)
    return days, vectors, random.random((n, t)) < 0.8


def slow(now: np.ndarray, members: np.ndarray) -> float:
    """By the covariance itself, shrunk by scikit-learn."""
    from sklearn.covariance import ledoit_wolf

    rows = members / np.linalg.norm(members, axis=1, keepdims=True)
    one = now / np.linalg.norm(now)
    _, share = ledoit_wolf(rows)
    away = rows - rows.mean(axis=0)
    sample = away.T @ away / len(rows)
    share = max(share, 0.01)
    level = np.trace(sample) / len(one)
    covariance = (1 - share) * sample + share * level * np.eye(len(one))
    gap = one - rows.mean(axis=0)
    return float(np.sqrt(gap @ np.linalg.solve(covariance, gap) / len(one)))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scores_equal_the_slow_way(seed: int) -> None:
    days, vectors, clear = history(seed)
    found = Mahalanobis().detect(days, vectors, clear)
    for at in range(len(days)):
        chosen, _kind = reference.members(
            days, clear, at, window_days=45, guard_days=10, least=4, most=12
        )
        for row in range(3):
            members = vectors[row, chosen[row][chosen[row] >= 0]].astype(np.float64)
            if not clear[row, at] or len(members) < 4:
                assert np.isnan(found[row, at])
            else:
                expected = slow(vectors[row, at].astype(np.float64), members)
                assert found[row, at] == pytest.approx(expected, rel=2e-3)


@given(seed=st.integers(0, 10_000), at=st.integers(1, 14))
@settings(max_examples=10, deadline=None)
def test_later_dates_and_what_is_not_clear_do_not_matter(seed: int, at: int) -> None:
    days, vectors, clear = history(seed)
    before = Mahalanobis().detect(days, vectors, clear)
    vectors[~clear] = np.nan
    vectors[:, at + 1 :] *= -3
    after = Mahalanobis().detect(days, vectors, clear)
    np.testing.assert_array_equal(before[:, : at + 1], after[:, : at + 1])


def test_equal_references_and_short_ones_have_no_score() -> None:
    days = np.datetime64("2018-01-01", "D") + 30 * np.arange(8)
    equal = np.ones((1, 8, 3), np.float32)
    equal[0, 7] = (1, 2, 3)
    clear = np.ones((1, 8), bool)
    assert np.isnan(Mahalanobis().detect(days, equal, clear)).all()
    days, vectors, clear = history(0, t=4)
    assert np.isnan(Mahalanobis().detect(days, vectors, clear)).all()
    assert Mahalanobis().detect(days, vectors[:0], clear[:0]).shape == (0, 4)


def test_wrong_shapes_and_parameters_are_refused() -> None:
    days, vectors, clear = history(0)
    with pytest.raises(ValueError, match=r"expected days \(t,\), vectors"):
        Mahalanobis().detect(days[1:], vectors, clear)
    with pytest.raises(ValueError, match="min_reference must be between 2"):
        Mahalanobis(min_reference=1)
