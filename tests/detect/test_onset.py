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
    assert onset.estimate(gone[None], clear, np.array([20]))[0] == first


def test_dates_after_the_end_do_not_count() -> None:
    gone = np.array([[0, 0, 0, 1, 1, 0, 0, 0, 0, 1.0]])
    clear = np.ones((1, 10), bool)
    assert onset.estimate(gone, clear, np.array([5]))[0] == 3


def test_progress_is_zero_before_and_one_after() -> None:
    old, new = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    found = onset.progress(np.stack([old, new, (old + new) / 2], axis=1), old, new)
    assert found[0] == pytest.approx([0, 1, 0.5])
