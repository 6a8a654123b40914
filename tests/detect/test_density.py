from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from terradrift.detect.density import Clusters, hdbscan
from terradrift.detect.density.native import kernels
from terradrift.detect.density.plain import spanning as plain
from terradrift.detect.density.prepared import prepared
from terradrift.detect.density.spanning import spanning

Points = NDArray[np.float32]

built = pytest.mark.skipif(kernels() is None, reason="the kernels are not built")


def mixed(n: int, d: int, seed: int, *, noise: float = 0.2) -> Points:
    """Six clusters of spreads from 0.1 to 2 that overlap, and noise all around."""
    random = np.random.default_rng(seed)
    centers, spread = random.normal(size=(6, d)) * 2, 10 ** random.uniform(-1, 0.3, 6)
    of = random.integers(0, 6, n)
    points = centers[of] + spread[of][:, None] * random.normal(size=(n, d))
    broad = random.random(n) < noise
    points[broad] = 3 * random.normal(size=(int(broad.sum()), d))
    return points.astype(np.float32)


def doubled(points: Points, seed: int) -> Points:
    """The same with a third of the rows equal to others, many of them to one."""
    random = np.random.default_rng(seed)
    some = random.choice(len(points), len(points) // 3, replace=False)
    points = points.copy()
    points[some] = points[np.minimum(random.integers(0, len(points), len(some)), 40)]
    return points


def same(one: Clusters, other: Clusters) -> None:
    np.testing.assert_array_equal(one.label, other.label)
    np.testing.assert_array_equal(one.probability, other.probability)
    np.testing.assert_array_equal(one.persistence, other.persistence)
    np.testing.assert_array_equal(one.nodes, other.nodes)


def renumbered(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels by their first row, so that equal groups have equal numbers."""
    _, first, of = np.unique(label, return_index=True, return_inverse=True)
    return np.asarray(np.where(label < 0, -1, first[of]))


SHAPES = [(2, 1), (3, 2), (31, 5), (32, 8), (33, 9), (200, 3), (500, 17), (257, 40)]


@built
@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("repeats", [False, True])
def test_the_kernels_and_their_twin_span_with_the_same_weights(
    n: int, d: int, samples: int, repeats: bool
) -> None:
    points = mixed(n, d, seed=n)
    rows = prepared(doubled(points, n) if repeats else points).rows
    native = kernels()
    assert native is not None
    samples = min(samples, n - 1)
    fast, slow = spanning(rows, samples, native), plain(rows, samples)
    np.testing.assert_array_equal(fast.weights, slow.weights)


@built
@pytest.mark.parametrize("selection", ["eom", "leaf"])
@pytest.mark.parametrize("repeats", [False, True])
def test_the_kernels_and_their_twin_find_the_same_clusters(
    selection: str, repeats: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = mixed(500, 7, seed=1)
    points = doubled(points, 1) if repeats else points
    how = {"min_cluster_size": 8, "min_samples": 4, "selection": selection}
    fast = hdbscan(points, **how)
    monkeypatch.setenv("TERRADRIFT_KERNELS", "off")
    same(fast, hdbscan(points, **how))
    assert len(fast.nodes) > 1


@built
@pytest.mark.parametrize("widest", [0, 1])
@pytest.mark.parametrize("d", [5, 19])
def test_narrow_registers_give_the_same(widest: int, d: int) -> None:
    native = kernels()
    assert native is not None
    rows = prepared(mixed(2000, d, seed=2)).rows
    wide, narrow = (
        spanning(rows, 5, each) for each in (native, replace(native, widest=widest))
    )
    np.testing.assert_array_equal(wide.weights, narrow.weights)


@built
def test_the_spanning_tree_is_as_light_as_that_of_the_full_matrix() -> None:
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import cdist

    rows = prepared(mixed(800, 12, seed=3)).rows
    apart = cdist(rows, rows)
    core = np.sort(apart, axis=1)[:, 5]
    mutual = np.maximum(apart, np.maximum(core[:, None], core))
    native = kernels()
    assert native is not None
    found = spanning(rows, 5, native)
    assert np.sqrt(found.weights).sum() == pytest.approx(
        minimum_spanning_tree(mutual).sum(), rel=1e-12
    )
    one, other = found.edges.T
    np.testing.assert_allclose(np.sqrt(found.weights), mutual[one, other], rtol=1e-12)


def test_threads_change_nothing() -> None:
    points = mixed(3000, 16, seed=4)
    one = hdbscan(points, min_cluster_size=20, min_samples=5)
    same(one, hdbscan(points, min_cluster_size=20, min_samples=5, threads=3))
    assert len(one.nodes) > 2


@pytest.mark.parametrize("selection", ["eom", "leaf"])
def test_the_order_of_rows_changes_only_numbers(selection: str) -> None:
    """Also with ties: of core distances, which are many, and of equal rows."""
    points = doubled(mixed(600, 4, seed=5), 5)
    order = np.random.default_rng(5).permutation(600)
    how = {"min_cluster_size": 5, "min_samples": 3, "selection": selection}
    one, other = hdbscan(points, **how), hdbscan(points[order], **how)
    np.testing.assert_array_equal(renumbered(one.label[order]), renumbered(other.label))
    np.testing.assert_allclose(one.probability[order], other.probability, rtol=1e-12)
    np.testing.assert_allclose(
        np.sort(one.persistence), np.sort(other.persistence), rtol=1e-9
    )


@pytest.mark.parametrize("selection", ["eom", "leaf"])
@pytest.mark.parametrize(
    ("n", "d", "seed"), [(300, 2, 0), (500, 5, 1), (900, 16, 2), (300, 33, 3)]
)
def test_without_ties_all_is_as_the_library_says(
    n: int, d: int, seed: int, selection: str
) -> None:
    """With one neighbour, mutual reachability is the distance, and no two are equal."""
    library = pytest.importorskip("hdbscan")
    points = mixed(n, d, seed)
    found = hdbscan(points, min_cluster_size=8, min_samples=1, selection=selection)
    model = library.HDBSCAN(
        min_cluster_size=8,
        min_samples=1,
        cluster_selection_method=selection,
        approx_min_span_tree=False,
        core_dist_n_jobs=1,
    ).fit(points.astype(np.float64))
    np.testing.assert_array_equal(
        renumbered(found.label), renumbered(model.labels_.astype(np.int64))
    )
    np.testing.assert_allclose(found.probability, model.probabilities_, atol=1e-12)
    np.testing.assert_allclose(
        np.sort(found.persistence), np.sort(model.cluster_persistence_), atol=1e-12
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_ties_labels_are_those_of_the_library_but_for_a_few(seed: int) -> None:
    """Core distances tie, and the library splits ties in the order that rows are in."""
    from sklearn.metrics import adjusted_rand_score

    library = pytest.importorskip("hdbscan")
    points = mixed(3000, 10, seed, noise=0.3)
    found = hdbscan(points, min_cluster_size=40, min_samples=10)
    model = library.HDBSCAN(
        min_cluster_size=40,
        min_samples=10,
        approx_min_span_tree=False,
        core_dist_n_jobs=1,
    ).fit(points.astype(np.float64))
    assert adjusted_rand_score(model.labels_, found.label) >= 0.99
    assert model.labels_.max() == found.label.max() > 1


def test_equal_weights_are_removed_at_once() -> None:
    """Three pairs as far from each other as the next: all three part at one level."""
    points = np.array([[0], [1], [5], [6], [10], [11]], np.float32)
    found = hdbscan(points, min_cluster_size=2, min_samples=1)
    np.testing.assert_array_equal(found.label, [0, 0, 1, 1, 2, 2])
    assert found.tree is not None
    np.testing.assert_array_equal(found.tree.above, [-1, 0, 0, 0])
    np.testing.assert_array_equal(found.tree.born, [0, 1 / 4, 1 / 4, 1 / 4])
    np.testing.assert_array_equal(found.tree.left, np.ones(6))


def test_a_chain_of_equal_steps_has_no_clusters() -> None:
    points = np.arange(100, dtype=np.float32)[:, None]
    found = hdbscan(points, min_cluster_size=5, min_samples=2)
    assert (found.label == -1).all()
    assert found.tree is not None
    assert len(found.tree.above) == 1


@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_equal_rows_have_no_clusters(n: int) -> None:
    found = hdbscan(np.full((n, 3), 0.1), min_cluster_size=2, min_samples=1)
    assert (found.label == -1).all()
    assert (found.probability == 0).all()
    assert found.tree is None


@pytest.mark.parametrize("n", [2, 4])
def test_fewer_points_than_a_cluster_needs_are_none(n: int) -> None:
    points = mixed(n, 3, seed=6)
    found = hdbscan(points, min_cluster_size=5, min_samples=10)
    assert (found.label == -1).all()
    assert len(found.persistence) == 0


def test_equal_rows_do_not_outweigh_all_else() -> None:
    """Twelve rows that are one place have no infinite stability: both groups are kinds."""
    random = np.random.default_rng(7)
    points = np.repeat([[0.0, 0.0], [9.0, 0.0], [60.0, 60.0]], 40, axis=0)
    points += random.normal(size=points.shape)
    points[:12] = points[0]
    found = hdbscan(points, min_cluster_size=15, min_samples=3)
    assert np.isfinite(found.persistence).all()
    assert len(found.nodes) == 3


@pytest.mark.parametrize("scale", [1e-25, 1e18])
def test_the_unit_of_length_does_not_matter(scale: float) -> None:
    points = mixed(400, 6, seed=8).astype(np.float64)
    one = hdbscan(points, min_cluster_size=10, min_samples=3)
    # A power of two, so that float32 has the same digits.
    by = 2.0 ** np.round(np.log2(scale))
    other = hdbscan(points * by, min_cluster_size=10, min_samples=3)
    same(one, other)
    assert one.tree is not None
    assert other.tree is not None
    np.testing.assert_allclose(other.tree.left * by, one.tree.left, rtol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_cluster_size": 1}, "min_cluster_size must be at least 2, got 1"),
        ({"min_samples": 0}, "min_samples must be at least 1, got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"selection": "all"}, "selection must be one of eom, leaf, got 'all'"),
    ],
)
def test_bad_parameters_are_refused(wrong: dict[str, object], message: str) -> None:
    how = {"min_cluster_size": 5, "min_samples": 3} | wrong
    with pytest.raises(ValueError, match=message):
        hdbscan(np.zeros((9, 2)), **how)  # type: ignore[arg-type]


def test_points_that_are_not_finite_rows_are_refused() -> None:
    points = mixed(20, 2, seed=9)
    points[3, 1] = np.nan
    with pytest.raises(ValueError, match="1 rows with NaN or infinity; leave them out"):
        hdbscan(points, min_cluster_size=5, min_samples=3)
    with pytest.raises(ValueError, match=r"rows \(n, d\), got shape \(4,\)"):
        hdbscan(np.zeros(4), min_cluster_size=5, min_samples=3)
