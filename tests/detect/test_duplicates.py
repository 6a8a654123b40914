import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect.duplicates import groups, rank


@given(n=st.integers(0, 80), places=st.integers(1, 9), seed=st.integers(0, 999))
@settings(deadline=None)
def test_groups_are_those_of_the_slow_twin(n: int, places: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(places, 3))[random.integers(0, places, n)]
    rows = rows.astype(np.float32)
    first = [next(j for j in range(n) if (rows[j] == rows[i]).all()) for i in range(n)]
    before = [sum(first[j] == first[i] for j in range(i)) for i in range(n)]
    found = groups(rows)
    assert found.tolist() == first
    assert rank(found).tolist() == before


def test_zero_and_minus_zero_are_equal() -> None:
    assert groups(np.float32([[0.0, 1], [-0.0, 1]])).tolist() == [0, 0]
