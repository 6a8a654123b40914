import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terradrift.detect.discovery import Discoveries, q_values


def slow(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg 1995, written out."""
    m = len(p)
    order = np.argsort(p)
    out = np.empty(m)
    lowest = 1.0
    for rank in range(m, 0, -1):
        lowest = min(lowest, p[order[rank - 1]] * m / rank)
        out[order[rank - 1]] = lowest
    return out


@given(
    seed=st.integers(0, 999), cuts=st.lists(st.integers(0, 80), max_size=4).map(sorted)
)
def test_counted_in_parts_q_values_equal_the_slow_way(
    seed: int, cuts: list[int]
) -> None:
    random = np.random.default_rng(seed)
    p = (random.integers(1, 40, 80) / 40).astype(np.float32)
    p[random.random(80) < 0.1] = np.nan
    days = random.integers(0, 3, 80)
    found = Discoveries()
    for part in np.split(np.arange(80), cuts):
        found.add(days[part], p[part])
    q = found.q_values(days, p)
    for day in range(3):
        here = (days == day) & np.isfinite(p)
        np.testing.assert_allclose(q[here], slow(p[here]), rtol=1e-5)
        np.testing.assert_array_equal(q_values(p[here]), q[here])
    assert np.isnan(q[np.isnan(p)]).all()


def test_false_discoveries_stay_below_the_level() -> None:
    random = np.random.default_rng(0)
    share = []
    for _ in range(300):
        p = random.random(200)
        p[:20] = random.random(20) * 1e-4
        taken = q_values(p) <= 0.2
        assert taken[:20].all()
        share.append(taken[20:].sum() / taken.sum())
    assert np.mean(share) < 0.2


def test_p_values_that_were_not_counted_are_refused() -> None:
    found = Discoveries()
    found.add(np.array([1]), np.array([0.5]))
    with pytest.raises(ValueError, match="expected counted p-values of day 1"):
        found.q_values(np.array([1]), np.array([0.4]))
    with pytest.raises(ValueError, match="expected p-values of a counted day, got day"):
        found.q_values(np.array([2]), np.array([0.5]))
