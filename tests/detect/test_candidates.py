import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from terradrift.detect.candidates import _ACROSS, _least, candidates, project, rounding
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


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("rank", [10, 192])
def test_many_wide_rows_have_the_neighbours_of_scikit_learn(
    rank: int, backend: str
) -> None:
    """Of rank 10 the shorter rows prove all, of rank 192 they are found not to pay."""
    random = np.random.default_rng(2)
    rows = random.normal(size=(4500, rank)) @ random.normal(size=(rank, 192))
    rows = rows.astype(np.float32)
    with single_blas():
        peer = NearestNeighbors(n_neighbors=10, algorithm="brute")
        expected, order = peer.fit(rows.astype(np.float64)).kneighbors()
    distances, indices = knn(
        rows, rows, 10, exclude_self=True, backend=backend, threads=2
    )
    np.testing.assert_allclose(distances, expected, rtol=1e-6)
    np.testing.assert_array_equal(indices, order)


@given(
    n=st.integers(1, 4000),
    width=st.integers(1, 60),
    values=st.sampled_from([3, 10**6]),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=40)
def test_the_least_of_many_values_are_found_by_groups(
    n: int, width: int, values: int, seed: int
) -> None:
    torch = pytest.importorskip("torch")
    width = min(width, n)
    drawn = np.random.default_rng(seed).integers(0, values, (3, n)).astype(np.float32)
    least, column = (part.numpy() for part in _least(torch.from_numpy(drawn), width))
    np.testing.assert_array_equal(np.sort(least, 1), np.sort(drawn, 1)[:, :width])
    np.testing.assert_array_equal(np.take_along_axis(drawn, column, 1), least)
    assert all(len(set(row)) == width for row in column.tolist())


def test_rows_beyond_one_block_are_searched_too() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(_ACROSS + 700, 3)).astype(np.float32)
    queries = random.normal(size=(5, 3)).astype(np.float32)
    near, beyond = candidates(
        queries, rows, 30, backend="torch", device="cpu", threads=1
    )
    apart = ((queries[:, None] - rows) ** 2).sum(axis=2)
    expected = np.sort(apart, axis=1)[:, :30]
    found = np.sort(np.take_along_axis(apart, near, axis=1), axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(beyond, expected[:, -1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("width", [3, 64, 384])
def test_products_err_no_more_than_is_said(coarse: bool, width: int) -> None:
    random = np.random.default_rng(4)
    rows = random.normal(size=(60, width)).astype(np.float32)
    rows[30:] = rows[:30] * np.float32(1.01)
    # What TF32 keeps where it cuts: 10 bits of 23.
    cut = (rows.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    told = cut if coarse else rows
    norms = (rows * rows).sum(axis=1)
    products = norms[:, None] + norms - 2 * (told @ told.T)
    wide = rows.astype(np.float64)
    apart = ((wide[:, None] - wide) ** 2).sum(axis=2)
    lengths = np.linalg.norm(wide, axis=1)
    bound = rounding(width, coarse=coarse) * (lengths[:, None] + lengths) ** 2
    assert (np.abs(products - apart) <= bound).all()
    assert (np.abs(products - apart) > bound / 1000).any()
