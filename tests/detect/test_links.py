import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect.links import beside


@pytest.mark.parametrize("reach", [1, 2, 3])
@given(n=st.integers(0, 60), side=st.integers(1, 12), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=60)
def test_pairs_are_those_of_the_slow_twin(
    reach: int, n: int, side: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    cells = random.integers(0, [2, side, side], size=(n, 3)) - [0, 4, 400_000]
    expected = {
        (i, j)
        for i in range(n)
        for j in range(i + 1, n)
        if cells[i, 0] == cells[j, 0]
        and np.abs(cells[i, 1:] - cells[j, 1:]).max() == reach
    }
    left, right = beside(cells, reach)
    pairs = [(min(pair), max(pair)) for pair in zip(left, right, strict=True)]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == expected


def test_grids_of_two_zones_do_not_touch() -> None:
    left, _ = beside(np.array([[0, 5, 5], [1, 5, 6]]), 1)
    assert len(left) == 0
