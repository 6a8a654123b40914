import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terradrift.detect import onset


def test_cusum_adds_evidence_and_passes_over_gaps() -> None:
    z = np.array([[0.0, 3.0, np.nan, 2.5, -9.0, 1.5]])
    found = onset.cusum(z, 1.0)
    np.testing.assert_allclose(found[0], [0, 2, np.nan, 3.5, 0, 0.5])


@given(first=st.integers(5, 15), cloud=st.integers(0, 19), seed=st.integers(0, 99))
def test_one_cloud_does_not_move_the_onset(first: int, cloud: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    gone = (np.arange(20) >= first) + random.normal(0, 0.1, 20)
    clear = np.ones((1, 20), bool)
    if abs(cloud - first) > 3:
        gone[cloud] = random.choice([-30.0, 30.0])
    assert onset.estimate(gone[None], clear)[0] == first


def test_dates_after_the_end_do_not_count() -> None:
    gone = np.array([[0, 0, 0, 1, 1, 0, 0, 0, 0, 1.0]])
    counted = np.arange(10)[None] < 5
    assert onset.estimate(gone, counted)[0] == 3


def test_progress_is_zero_before_and_one_after() -> None:
    old, new = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    found = onset.progress(np.stack([old, new, (old + new) / 2], axis=1), old, new)
    assert found[0] == pytest.approx([0, 1, 0.5])


def test_the_first_date_is_never_an_onset() -> None:
    gone = np.array([[1.0, 1, 1, 1, 0]])
    counted = np.array([[False, True, True, True, True]])
    assert onset.estimate(gone, counted)[0] == 2


@pytest.mark.parametrize(("noise", "memory"), [(0.2, 0.0), (0.5, 0.0), (0.4, 0.5)])
def test_the_interval_of_an_onset_holds_it_as_often_as_it_says(
    noise: float, memory: float
) -> None:
    random = np.random.default_rng(0)
    n, t, first = 600, 60, 27
    off = random.normal(0, noise, (n, t))
    for at in range(1, t):
        off[:, at] += memory * off[:, at - 1]
    gone = (np.arange(t) >= first) + off
    counted = random.random((n, t)) < 0.8
    turn = onset.estimate(gone, counted)
    early, late = onset.interval(gone, counted, turn)
    reached = np.where(counted & (np.arange(t) >= first), np.arange(t), t).min(axis=1)
    inside = (early < first) & (reached <= late)
    assert (early < turn).all()
    assert (turn <= late).all()
    assert inside.mean() > 0.93
    # An interval that always held it would say nothing.
    assert np.median(late - early) < (4 if noise < 0.4 else 20)
