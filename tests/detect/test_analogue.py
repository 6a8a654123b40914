import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect import analogue


def histories(seed: int, n: int, t: int = 9, r: int = 4) -> analogue.Histories:
    random = np.random.default_rng(seed)
    clear = random.random((n, t)) < 0.7
    vectors = random.normal(size=(n, t, r)).astype(np.float32)
    return analogue.Histories(np.where(clear[..., None], vectors, 0), clear)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_controls_are_the_nearest_histories_of_the_slow_way(seed: int) -> None:
    pool = histories(seed, 30)
    patches = analogue.Histories(pool.vectors[:8], pool.clear[:8])
    own = np.arange(8)
    own[5:] = -1
    pairs = 0
    for found in analogue.controls(patches, pool, own, most=6, least=3):
        for row, near, weight in zip(
            found.rows, found.index, found.weight, strict=True
        ):
            distance = np.full(30, np.inf)
            for j in np.flatnonzero(pool.clear[:, found.at]):
                both = patches.clear[row] & pool.clear[j]
                both[found.at :] = False
                if both.any() and own[row] != j:
                    gap = patches.vectors[row, both] - pool.vectors[j, both]
                    distance[j] = np.sqrt((gap**2).sum(axis=1).mean())
            k = min(6, max(3, int(pool.clear[:, found.at].sum()) // 6))
            order = np.argsort(distance)[:k]
            real = order[np.isfinite(distance[order])]
            np.testing.assert_allclose(
                distance[near[weight > 0]], distance[real], atol=1e-3
            )
            assert abs(weight.sum() - 1) < 1e-5
            pairs += 1
    assert pairs > 10


def test_later_dates_do_not_choose_controls() -> None:
    pool = histories(1, 30)
    own = np.arange(30)
    changed = analogue.Histories(pool.vectors.copy(), pool.clear)
    changed.vectors[:, 5:] *= -3
    pairs = zip(
        analogue.controls(pool, pool, own, most=6, least=3),
        analogue.controls(changed, changed, own, most=6, least=3),
        strict=True,
    )
    for before, after in pairs:
        if before.at <= 5:
            np.testing.assert_array_equal(before.index, after.index)
            np.testing.assert_array_equal(before.weight, after.weight)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_one_product_gives_the_gaps_where_both_are_clear(seed: int) -> None:
    left, right = histories(seed, 7, t=1), histories(seed + 1, 11, t=1)
    found = analogue.gaps(
        left.vectors[:, 0], left.clear[:, 0], right.vectors[:, 0], right.clear[:, 0]
    )
    gap = left.vectors[:, None, 0] - right.vectors[None, :, 0]
    both = left.clear[:, None, 0] & right.clear[None, :, 0]
    np.testing.assert_allclose(found, np.where(both, (gap**2).sum(-1), 0), atol=1e-4)


def test_a_minority_of_changed_controls_hardly_moves_what_is_expected() -> None:
    random = np.random.default_rng(0)
    pool = random.normal(size=(40, 3)).astype(np.float32)
    pool[:14] += 20
    found = analogue.Controls(
        0,
        np.array([0]),
        np.arange(40)[None],
        np.full((1, 40), 1 / 40, np.float32),
    )
    expected, seen = analogue.expected(found, pool)
    assert seen.shape == (1, 40, 3)
    assert np.linalg.norm(expected) < 3
    assert np.linalg.norm(pool.mean(axis=0)) > 10
