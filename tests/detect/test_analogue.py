import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect import analogue
from terradrift.kernels import SWITCH, opened


def histories(seed: int, n: int, t: int = 9, r: int = 4) -> analogue.Histories:
    random = np.random.default_rng(seed)
    clear = random.random((n, t)) < 0.7
    vectors = random.normal(size=(n, t, r)).astype(np.float32)
    return analogue.Histories(np.where(clear[..., None], vectors, 0), clear)


@pytest.mark.parametrize("kernels", ["on", "off"])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_controls_are_the_nearest_histories_of_the_slow_way(
    kernels: str, seed: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, kernels)
        slow_way(seed)


def slow_way(seed: int) -> None:
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


@pytest.mark.parametrize("kernels", ["on", "off"])
def test_a_minority_of_changed_controls_hardly_moves_what_is_expected(
    kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, kernels)
    random = np.random.default_rng(0)
    pool = random.normal(size=(40, 2, 3)).astype(np.float32)
    pool[:14, 1] += 20
    found = analogue.Controls(
        1,
        np.array([0]),
        np.arange(40)[None],
        np.full((1, 40), 1 / 40, np.float32),
    )
    expected = analogue.expected(found, pool, 1)
    assert expected.shape == (1, 3)
    assert np.linalg.norm(expected) < 3
    assert np.linalg.norm(pool[:, 1].mean(axis=0)) > 10


def coarse(seed: int, n: int, t: int, r: int) -> analogue.Histories:
    """Vectors of few bits, so that sums are the same in any order."""
    found = histories(seed, n, t, r)
    return analogue.Histories(np.round(found.vectors * 8) / 8, found.clear)


@pytest.mark.skipif(opened("analogue") is None, reason="not built here")
@pytest.mark.parametrize(
    "shape",
    [(70, 131, 6, 5, 12), (5, 33, 9, 32, 40), (3, 4, 4, 1, 6), (40, 300, 8, 17, 20)],
)
def test_the_kernel_finds_the_controls_of_its_twin(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    n, p, t, r, most = shape
    pool = coarse(1, p, t + 2, r)
    columns = np.arange(t + 2)[2:]
    patches = coarse(2, n, t, r)
    inside = min(n, p) // 2
    own = np.where(np.arange(n) < inside, np.arange(n), -1)
    patches.vectors[:inside] = pool.vectors[:inside, 2:]
    patches.clear[:inside] = pool.clear[:inside, 2:]
    found = []
    for kernels in ("on", "off"):
        monkeypatch.setenv(SWITCH, kernels)
        dates = list(
            analogue.controls(patches, pool, own, most=most, least=3, columns=columns)
        )
        found.append(
            [(of, analogue.expected(of, pool.vectors, columns[of.at])) for of in dates]
        )
    compiled, plain = found
    assert len(compiled) == len(plain) > 0
    for (left, a), (right, b) in zip(compiled, plain, strict=True):
        assert left.at == right.at
        np.testing.assert_array_equal(left.rows, right.rows)
        np.testing.assert_array_equal(left.index, right.index)
        np.testing.assert_allclose(left.weight, right.weight, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernels", ["on", "off"])
def test_places_without_a_control_do_not_enter_what_is_expected(
    kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, kernels)
    pool = np.random.default_rng(0).normal(size=(30, 2, 3)).astype(np.float32)
    # Wherever a stand-in was taken from, its distance would weaken the pull of the near.
    pool[[0, -1]] += 1e4
    near = np.arange(1, 9)[None]
    pool[near[0], 1] += np.where(np.arange(8) < 1, 3.0, 0.0)[:, None].astype("f4")
    pool[2, 1] = np.average(pool[near[0], 1], axis=0)  # stands on the estimate
    weight = np.full((1, 8), 1 / 8, np.float32)
    full = analogue.Controls(1, np.array([0]), near, weight)
    none, zero = np.full((1, 12), -1), np.zeros((1, 12), np.float32)
    short = analogue.Controls(
        1,
        np.array([0]),
        np.concatenate([near, none], axis=1),
        np.concatenate([weight, zero], axis=1),
    )
    np.testing.assert_allclose(
        analogue.expected(short, pool, 1), analogue.expected(full, pool, 1), rtol=1e-5
    )


@pytest.mark.parametrize("kernels", ["on", "off"])
def test_no_patches_or_no_clear_dates_have_no_controls(
    kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, kernels)
    pool, none = histories(0, 30), histories(0, 0)
    asked = {"most": 6, "least": 3}
    assert not list(analogue.controls(none, pool, np.zeros(0, np.int64), **asked))
    dark = analogue.Histories(pool.vectors * 0, np.zeros_like(pool.clear))
    assert not list(analogue.controls(dark, pool, np.arange(30), **asked))
    assert not list(analogue.controls(pool, dark, np.full(30, -1), **asked))
