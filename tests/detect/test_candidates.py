import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from terradrift.detect.candidates import candidates, project
from terradrift.detect.neighbours import knn
from terradrift.threads import single_blas


@pytest.mark.parametrize("rank", [5, 60, 200])
def test_shorter_rows_are_never_farther_apart(rank: int) -> None:
    random = np.random.default_rng(rank)
    rows = random.normal(size=(300, rank)) @ random.normal(size=(rank, 200))
    rows = rows.astype(np.float32)
    short, same = project(rows, rows)
    assert short.shape == (300, 64)
    np.testing.assert_array_equal(short, same)
    apart = np.linalg.norm(rows[:, None] - rows, axis=2)
    bound = np.linalg.norm(short[:, None] - short, axis=2)
    assert (bound <= apart * (1 + 1e-5) + 1e-3).all()
    if rank < 60:
        np.testing.assert_allclose(bound, apart, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("backend", ["torch", "faiss"])
def test_other_rows_are_at_least_as_far_as_the_candidates(backend: str) -> None:
    if backend == "faiss":
        pytest.importorskip("faiss", reason="FAISS is not installed")
    rows = np.random.default_rng(1).normal(size=(200, 6)).astype(np.float32)
    near, beyond = candidates(rows, rows, 15, backend=backend, device="cpu", threads=1)
    apart = ((rows[:, None] - rows) ** 2).sum(axis=2)
    np.put_along_axis(apart, near, np.inf, axis=1)
    assert (apart.min(axis=1) >= beyond * (1 - 1e-5)).all()


@pytest.mark.parametrize("rank", [10, 192])
def test_many_wide_rows_have_the_neighbours_of_scikit_learn(rank: int) -> None:
    """Of rank 10 the shorter rows prove all, of rank 192 they are found not to pay."""
    random = np.random.default_rng(2)
    rows = random.normal(size=(4500, rank)) @ random.normal(size=(rank, 192))
    rows = rows.astype(np.float32)
    with single_blas():
        peer = NearestNeighbors(n_neighbors=10, algorithm="brute")
        expected, order = peer.fit(rows.astype(np.float64)).kneighbors()
    distances, indices = knn(rows, rows, 10, exclude_self=True, threads=2)
    np.testing.assert_allclose(distances, expected, rtol=1e-6)
    np.testing.assert_array_equal(indices, order)
