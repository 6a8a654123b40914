import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.neighbors import LocalOutlierFactor

from terradrift import kernels
from terradrift.detect.lof import Lof, lof
from terradrift.detect.novelty import FAR, distances, novelty
from terradrift.detect.protocol import SeriesDetector
from terradrift.detect.windows import sliding
from terradrift.threads import single_blas

_: SeriesDetector = Lof()


def peer(rows: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    with warnings.catch_warnings(), single_blas():
        warnings.simplefilter("ignore")  # more neighbours than rows, equal rows
        model = LocalOutlierFactor(n_neighbors=k).fit(rows.astype(np.float64))
    return -model.negative_outlier_factor_


def peer_novelty(
    reference: NDArray[np.floating], query: NDArray[np.floating], k: int
) -> float:
    with warnings.catch_warnings(), single_blas():
        warnings.simplefilter("ignore")
        model = LocalOutlierFactor(n_neighbors=k, novelty=True)
        model.fit(reference.astype(np.float64))
        return -float(model.score_samples(query[None].astype(np.float64))[0])


def series(
    n: int, t: int, seed: int, clear: float = 0.6
) -> tuple[NDArray[np.datetime64], NDArray[np.float16], NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    days = np.datetime64("2018-01-01", "D") + np.cumsum(random.integers(1, 6, t))
    vectors = random.normal(size=(n, t, 6)).astype(np.float16)
    return days, vectors, random.random((n, t)) < clear


@pytest.mark.parametrize("k", [1, 5, 20, 200])
@pytest.mark.parametrize("offset", [0, 1000])
@pytest.mark.parametrize("backend", ["torch", "faiss"])
def test_scores_are_those_of_scikit_learn(k: int, offset: int, backend: str) -> None:
    if backend == "faiss":
        pytest.importorskip("faiss", reason="FAISS is not installed")
    random = np.random.default_rng(k)
    rows = (offset + random.normal(size=(150, 12))).astype(np.float32)
    rows[:5] *= 3
    np.testing.assert_allclose(lof(rows, k, backend=backend), peer(rows, k), rtol=1e-6)


@given(n=st.integers(2, 60), k=st.integers(1, 30), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=40)
def test_few_rows_score_as_in_scikit_learn(n: int, k: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    np.testing.assert_allclose(lof(rows, k), peer(rows, k), rtol=1e-6)


def test_the_order_of_rows_does_not_matter() -> None:
    random = np.random.default_rng(4)
    rows = random.normal(size=(80, 5)).astype(np.float32)
    order = random.permutation(80)
    np.testing.assert_allclose(lof(rows)[order], lof(rows[order]), rtol=1e-6)


def test_a_place_that_repeats_does_not_make_its_neighbours_explode() -> None:
    random = np.random.default_rng(5)
    water = np.repeat(random.normal(size=(1, 8)), 100, axis=0)
    land = random.normal(size=(200, 8))
    rows = np.concatenate([water, land]).astype(np.float32)
    assert peer(rows, 10).max() > 1e6
    scores = lof(rows, 10)
    assert scores.max() < 10
    assert len(set(scores[:100].tolist())) == 1


def test_at_most_k_copies_of_a_place_score_as_in_scikit_learn() -> None:
    random = np.random.default_rng(6)
    rows = random.normal(size=(60, 4)).astype(np.float32)
    rows[:10] = rows[0]
    np.testing.assert_allclose(lof(rows, 10), peer(rows, 10), rtol=1e-6)


def test_rows_that_are_all_equal_are_not_outlying() -> None:
    assert lof(np.ones((50, 3)), 5).tolist() == [1] * 50
    assert lof(np.ones((2, 3)), 5).tolist() == [1, 1]


def test_fewer_than_two_rows_have_no_score() -> None:
    assert np.isnan(lof(np.ones((1, 3)))).all()
    assert lof(np.empty((0, 3))).shape == (0,)


def test_k_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        lof(np.ones((5, 3)), 0)


@given(
    r=st.integers(2, 25),
    k=st.integers(1, 25),
    seed=st.integers(0, 999),
    share=st.floats(0.2, 1.0),
)
@settings(deadline=None, max_examples=30)
def test_novelty_is_that_of_scikit_learn_for_each_reference(
    r: int, k: int, seed: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(3, r + 1, 4)).astype(np.float32)
    member = random.random((3, r)) < share
    apart = distances(vectors)
    scores = novelty(apart[:, r, :r], apart[:, :r, :r], member, k)
    for row in range(3):
        reference = vectors[row, :r][member[row]]
        if len(reference) < 2:
            assert np.isnan(scores[row])
        else:
            expected = peer_novelty(
                reference, vectors[row, r], min(k, len(reference) - 1)
            )
            assert scores[row] == pytest.approx(expected, rel=2e-6)


def test_a_reference_that_mostly_repeats_gives_finite_scores() -> None:
    reference = np.float32([[0, 0]] * 15 + [[1, 0], [0, 1]])
    query = np.float32([[0.5, 0.5]])
    vectors = np.concatenate([reference, query])[None]
    apart = distances(vectors)
    (score,) = novelty(apart[:, 17, :17], apart[:, :17, :17], np.ones((1, 17), bool), 5)
    assert 0.1 < score < 10


def test_a_reference_without_spread_scores_only_what_equals_it() -> None:
    vectors = np.zeros((2, 11, 3), np.float32)
    vectors[1, 10] = 1
    apart = distances(vectors)
    scores = novelty(apart[:, 10, :10], apart[:, :10, :10], np.ones((2, 10), bool))
    assert scores[0] == pytest.approx(1)
    assert np.isnan(scores[1])


def test_distances_hold_for_vectors_far_from_the_origin_and_for_equal_ones() -> None:
    random = np.random.default_rng(8)
    vectors = (1e4 + random.normal(size=(3, 9, 5))).astype(np.float32)
    vectors[0, 4] = vectors[0, 2]
    slow = np.linalg.norm(
        vectors[:, :, None].astype(np.float64) - vectors[:, None], axis=3
    )
    slow[:, np.arange(9), np.arange(9)] = FAR
    found = distances(vectors)
    np.testing.assert_allclose(found, slow, rtol=1e-6, atol=1e-12)
    assert found[0, 2, 4] == 0


def test_distances_are_rounded_once_so_that_near_ones_keep_their_order() -> None:
    vectors = np.random.default_rng(9).normal(size=(2, 80, 16)).astype(np.float16)
    wide = vectors.astype(np.float64)
    slow = np.linalg.norm(wide[:, :, None] - wide[:, None], axis=3)
    slow[:, np.arange(80), np.arange(80)] = FAR
    assert (distances(vectors) != slow.astype(np.float32)).mean() < 1e-3


@pytest.mark.parametrize("compiled", ["on", "off"])
@given(
    t=st.integers(3, 30),
    k=st.integers(1, 25),
    values=st.sampled_from([2, 5, 1000]),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=60)
def test_windows_score_as_any_reference_also_where_distances_are_equal(
    compiled: str, t: int, k: int, values: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    vectors = random.integers(0, values, (2, t, 2)).astype(np.float16)
    apart = distances(vectors)
    row = random.integers(0, 2, 20)
    query = random.integers(2, t, 20)
    width = random.integers(2, query + 1)
    start = random.integers(0, query - width + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(kernels.SWITCH, compiled)
        found = sliding(apart, row, query, start, width, k=k)
    for place in range(20):
        window = np.arange(start[place], start[place] + width[place])
        here = apart[row[place]]
        slow = novelty(
            here[query[place], window][None],
            here[np.ix_(window, window)][None],
            np.ones((1, len(window)), bool),
            k,
        )
        np.testing.assert_allclose(found[place], slow[0], rtol=1e-6)


@pytest.mark.parametrize("values", [3, 30_000])
def test_windows_that_move_along_score_alike_by_kernel_and_by_numpy(
    values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kernels.opened("novelty") is None:
        pytest.skip("the kernel was not built")
    random = np.random.default_rng(10)
    vectors = random.integers(0, values, (7, 130, 3)).astype(np.float32)
    apart = distances(vectors)
    row = np.repeat(np.arange(7), 100)
    query = np.tile(np.arange(30, 130), 7)
    width = np.minimum(query - 5, random.integers(2, 90, 7)[row])
    compiled = sliding(apart, row, query, query - 5 - width, width, k=20)
    monkeypatch.setenv(kernels.SWITCH, "off")
    plain = sliding(apart, row, query, query - 5 - width, width, k=20)
    np.testing.assert_allclose(compiled, plain, rtol=1e-6)
    assert np.isfinite(plain).any()
    none = np.empty(0, np.int64)
    assert sliding(apart, none, none, none, none).shape == (0,)


def past_twin(
    detector: Lof,
    days: NDArray[np.datetime64],
    vectors: NDArray[np.floating],
    clear: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The rule of `Lof`, one observation at a time, by scikit-learn."""
    scores = np.full(clear.shape, np.nan)
    for row, day in zip(*np.nonzero(clear), strict=True):
        gap = (days[day] - days).astype(int)
        past = clear[row] & (gap > 0) & (gap >= detector.guard_days)
        latest = np.flatnonzero(past)[-detector.max_reference :]
        if len(latest) >= detector.min_reference:
            scores[row, day] = peer_novelty(
                vectors[row, latest],
                vectors[row, day],
                min(detector.k, len(latest) - 1),
            )
    return scores


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 40)),
    k=st.integers(1, 12),
    guard=st.integers(0, 30),
    share=st.floats(0.0, 1.0),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=40)
def test_each_observation_is_judged_by_its_clear_past_only(
    shape: tuple[int, int], k: int, guard: int, share: float, seed: int
) -> None:
    days, vectors, clear = series(*shape, seed, share)
    vectors[~clear] = np.nan  # not clear: may hold anything
    detector = Lof(k=k, min_reference=4, max_reference=12, guard_days=guard)
    expected = past_twin(detector, days, vectors, clear)
    np.testing.assert_allclose(
        detector.detect(days, vectors, clear), expected, rtol=1e-6
    )


@pytest.mark.parametrize("guard_days", [0, 200])
def test_long_histories_score_as_in_scikit_learn(guard_days: int) -> None:
    days, vectors, clear = series(2, 420, seed=9, clear=0.8)
    clear[1, :200] = False
    detector = Lof(guard_days=guard_days)
    expected = past_twin(detector, days, vectors, clear)
    np.testing.assert_allclose(
        detector.detect(days, vectors, clear), expected, rtol=1e-6
    )


def test_the_future_does_not_matter() -> None:
    days, vectors, clear = series(3, 60, seed=4)
    whole = Lof().detect(days, vectors, clear)
    part = Lof().detect(days[:35], vectors[:, :35], clear[:, :35])
    np.testing.assert_allclose(whole[:, :35], part, rtol=1e-6)


def test_patches_are_judged_alone() -> None:
    days, vectors, clear = series(12, 50, seed=5)
    clear[:4] &= np.arange(50) < 20
    whole = Lof().detect(days, vectors, clear)
    for row in range(12):
        alone = Lof().detect(days, vectors[row : row + 1], clear[row : row + 1])
        np.testing.assert_allclose(whole[row], alone[0], rtol=1e-6)


def test_memory_does_not_grow_with_patches_or_days() -> None:
    for n, t in ((2000, 40), (8, 900)):
        days, vectors, clear = series(n, t, seed=6, clear=1.0)
        vectors = np.tile(vectors, 30)
        tracemalloc.start()
        try:
            Lof().detect(days, vectors, clear)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 25e6


def test_a_planted_step_scores_highest_on_its_day() -> None:
    days, vectors, clear = series(4, 40, seed=3, clear=1.0)
    vectors[:, 25:] += 3
    scores = Lof(k=5, min_reference=8).detect(days, vectors, clear)
    assert (np.nanargmax(scores[:, :26], axis=1) == 25).all()


def test_bad_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        Lof(k=0)
    with pytest.raises(ValueError, match="min_reference must be between 2 and"):
        Lof(min_reference=1)
    with pytest.raises(ValueError, match=r"max_reference \(5\), got 8"):
        Lof(max_reference=5)
    with pytest.raises(ValueError, match="guard_days must not be negative, got -1"):
        Lof(guard_days=-1)
