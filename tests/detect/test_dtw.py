"""Warping of paths: against a plain recursion, tslearn, and shapes planted with shifts."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from terradrift.detect.features import components
from terradrift.detect.taxonomy import dtw, warped
from terradrift.detect.taxonomy.kmeans import flat, kmeans


def made(n: int, s: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, s, d)).astype(np.float32)


def plain(one: np.ndarray, other: np.ndarray, band: int) -> float:
    """The definition, cell by cell in float64."""
    s = len(one)
    sums = np.full((s + 1, s + 1), np.inf)
    sums[0, 0] = 0
    for a in range(s):
        for b in range(s):
            if abs(a - b) <= band:
                gap = one[a].astype(np.float64) - other[b]
                before = min(sums[a, b], sums[a, b + 1], sums[a + 1, b])
                sums[a + 1, b + 1] = gap @ gap + before
    return float(sums[s, s])


@pytest.fixture(params=["on", "off"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TERRADRIFT_KERNELS", request.param)
    return request.param


@pytest.mark.parametrize(
    ("s", "d", "band"), [(1, 3, 0), (7, 5, 2), (10, 1, 9), (9, 33, 40)]
)
def test_distances_are_those_of_the_recursion(
    kernels: str, s: int, d: int, band: int
) -> None:
    paths, centroids = made(19, s, d), made(3, s, d, seed=1)
    found = dtw.squared_distances(paths, centroids, band)
    want = [[plain(one, other, band) for other in centroids] for one in paths]
    np.testing.assert_allclose(found, want, rtol=1e-5)


@pytest.mark.slow
def test_distances_are_those_of_tslearn() -> None:
    metrics = pytest.importorskip("tslearn.metrics")
    paths, centroids = made(6, 12, 8), made(2, 12, 8, seed=1)
    found = np.sqrt(dtw.squared_distances(paths, centroids, 3))
    for row, one in enumerate(paths):
        for column, other in enumerate(centroids):
            want = metrics.dtw(
                one,
                other,
                global_constraint="sakoe_chiba",
                sakoe_chiba_radius=3,
            )
            assert found[row, column] == pytest.approx(want, rel=1e-5)


def test_without_a_band_to_move_in_it_is_the_euclidean_distance(kernels: str) -> None:
    paths, centroids = made(20, 6, 4), made(2, 6, 4, seed=1)
    apart = ((paths[:, None] - centroids[None]) ** 2).sum(axis=(2, 3))
    found = dtw.squared_distances(paths, centroids, 0)
    np.testing.assert_allclose(found, apart, rtol=1e-5)


def test_a_path_that_runs_late_is_near_where_it_may(kernels: str) -> None:
    path = np.zeros((1, 12, 2), np.float32)
    path[0, 4:7] = 1
    late = np.roll(path, 2, axis=1)
    assert dtw.squared_distances(late, path, 2)[0, 0] == 0
    assert dtw.squared_distances(late, path, 1)[0, 0] > 0


@pytest.mark.parametrize("band", [0, 2, 8])
def test_what_meets_a_path_is_the_same_by_the_twin(
    band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, centroid = made(37, 9, 5), made(1, 9, 5, seed=2)[0]
    rows = np.arange(36, -1, -2)
    sums, counts = dtw.met(paths, rows, centroid, band)
    assert counts.min() >= len(rows)
    monkeypatch.setenv("TERRADRIFT_KERNELS", "off")
    other, others = dtw.met(paths, rows, centroid, band)
    np.testing.assert_array_equal(counts, others)
    np.testing.assert_allclose(sums, other, rtol=1e-12)


def test_a_barycentre_is_nearer_to_all_than_their_mean() -> None:
    bump = np.exp(-0.5 * ((np.arange(24) - 12) / 2.0) ** 2)[:, None]
    paths = np.stack([np.roll(bump, at, axis=0) for at in (-3, -1, 0, 2, 3)])
    mean = paths.mean(axis=0)
    middle = dtw.barycentre(paths, np.arange(5), mean, 6, sweeps=8)
    by_mean = dtw.squared_distances(paths, mean[None], 6).sum()
    assert dtw.squared_distances(paths, middle[None], 6).sum() < 0.5 * by_mean


def shifted(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Series of four shapes, each begun at another step of up to eight."""
    random = np.random.default_rng(seed)
    shapes = np.zeros((4, 32, 3))
    for shape in shapes:
        shape[10:16] = random.normal(size=(6, 3)) * 2
    of = random.integers(0, 4, 200)
    late = random.integers(-8, 9, 200)
    series = np.stack(
        [np.roll(shapes[k], at, axis=0) for k, at in zip(of, late, strict=True)]
    )
    return (series + 0.2 * random.normal(size=series.shape)).astype(np.float32), of


def test_shapes_that_begin_at_any_time_are_told_apart_by_warping_only() -> None:
    paths, of = shifted(0)
    by_step = kmeans(flat(paths, 32), 4)
    found = warped.cluster(paths, by_step, 8)
    before = adjusted_rand_score(of, by_step)
    after = adjusted_rand_score(of, found.label)
    assert before < 0.5
    assert after > before + 0.3
    again = warped.cluster(paths, by_step, 8, threads=3)
    np.testing.assert_array_equal(found.label, again.label)
    np.testing.assert_array_equal(found.centroids, again.centroids)
    assert found.inertia == again.inertia


def test_each_round_brings_paths_nearer_to_their_barycentres() -> None:
    paths, _ = shifted(1)
    start = kmeans(flat(paths, 32), 4)
    inertia = [warped.cluster(paths, start, 8, rounds=n).inertia for n in range(1, 5)]
    assert inertia == sorted(inertia, reverse=True)
    assert inertia[-1] < inertia[0]


def test_few_components_of_long_paths_are_the_leading_ones() -> None:
    paths = made(400, 20, 20) * np.linspace(3, 0.2, 20, dtype=np.float32)
    found, want = flat(paths, 12), components(paths.reshape(400, -1), 12)
    assert found.shape == want.shape
    kept = (found.var(axis=0) / want.var(axis=0)).sum() / 12
    assert kept > 0.95
    np.testing.assert_array_equal(found, flat(paths, 12))


@pytest.mark.parametrize(
    ("paths", "centroids", "band", "phrase"),
    [
        ((4, 5, 2), (1, 6, 2), 1, "of the same steps"),
        ((4, 5, 2), (1, 5, 3), 1, "of the same steps"),
        ((4, 0, 2), (1, 0, 2), 1, "of the same steps"),
        ((4, 5, 2), (1, 5, 2), -1, "band must not be negative"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    paths: tuple, centroids: tuple, band: int, phrase: str
) -> None:
    with pytest.raises(ValueError, match=phrase):
        dtw.squared_distances(np.zeros(paths), np.zeros(centroids), band)
