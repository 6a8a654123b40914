import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect import steps


def histories(seed: int, n: int = 5, t: int = 14, r: int = 3):
    random = np.random.default_rng(seed)
    clear = random.random((n, t)) < 0.8
    vectors = (5 + random.normal(size=(n, t, r))).astype(np.float32)
    return np.where(clear[..., None], vectors, 0), clear


def ratio(inside, outside) -> float:
    """Root of the F statistic of two groups, written out."""
    gap = inside.mean(axis=0) - outside.mean(axis=0)
    within = ((inside - inside.mean(axis=0)) ** 2).sum()
    within += ((outside - outside.mean(axis=0)) ** 2).sum()
    a, b = len(inside), len(outside)
    return float(
        np.linalg.norm(gap) * np.sqrt(a * b / (a + b)) / np.sqrt(within / (a + b - 2))
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_strength_of_every_split_equals_the_slow_way(seed: int) -> None:
    vectors, clear = histories(seed)
    found = steps.strength(steps.running(vectors, clear), 3)
    for row in range(len(clear)):
        for split in range(clear.shape[1]):
            old = vectors[row, :split][clear[row, :split]]
            new = vectors[row, split:][clear[row, split:]]
            expected = ratio(new, old) if min(len(old), len(new)) >= 3 else 0.0
            assert found[row, split] == pytest.approx(expected, rel=1e-4, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_strongest_excursion_equals_the_slow_way(seed: int) -> None:
    vectors, clear = histories(seed, n=3, t=11)
    found, first, after = steps.excursion(steps.running(vectors, clear), 2)
    for row in range(len(clear)):
        best = 0.0
        for start in range(1, 11):
            for end in range(start + 1, 12):
                window = np.zeros(11, bool)
                window[start:end] = True
                inside = clear[row] & window
                outside = clear[row] & ~window
                sides = clear[row, :start].sum(), clear[row, end:].sum()
                if (
                    inside.sum() >= 2
                    and inside.sum() <= outside.sum()
                    and min(sides) >= 2
                ):
                    value = ratio(vectors[row, inside], vectors[row, outside])
                    best = max(best, value)
        assert found[row] == pytest.approx(best, rel=1e-4)
        if best:
            window = slice(first[row], after[row])
            assert clear[row, window].sum() >= 2


def test_tempering_leaves_the_usual_and_pulls_in_the_odd() -> None:
    vectors, clear = histories(1, n=4, t=30)
    wild = vectors.copy()
    odd = int(np.flatnonzero(clear[0])[5])
    wild[0, odd] = 1000.0
    tempered = steps.tempered(wild, clear, 2.0)
    middle = np.median(wild[0][clear[0]], axis=0)
    apart = np.linalg.norm(wild[0][clear[0]] - middle, axis=1)
    assert np.linalg.norm(tempered[0, odd] - middle) == pytest.approx(
        2 * np.median(apart), rel=1e-3
    )
    near = clear[0] & (np.linalg.norm(wild[0] - middle, axis=1) < 2 * np.median(apart))
    np.testing.assert_allclose(tempered[0, near], wild[0, near], rtol=1e-5)
    assert (tempered[~clear] == 0).all()
