import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from terradrift import kernels
from terradrift.detect.neighbours import knn

Rows = NDArray[np.float32]


def slow_twin(
    queries: Rows, base: Rows, k: int, *, exclude_self: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    gaps = queries[:, None].astype(np.float64) - base[None].astype(np.float64)
    distances = np.sqrt((gaps**2).sum(axis=2))
    if exclude_self:
        np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), order


def cloud(kind: str, n: int, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    if kind == "normal":
        rows = random.normal(size=(n, 8))
    elif kind == "lattice":
        rows = random.integers(0, 3, size=(n, 4))
    elif kind == "far from the origin":
        rows = 1e4 + random.normal(size=(n, 8))
    elif kind == "tight clusters":
        rows = random.normal(size=(5, 8))[random.integers(0, 5, n)]
        rows = rows + 1e-5 * random.normal(size=(n, 8))
    elif kind == "repeated":
        rows = random.normal(size=(1 + n // 25, 8))[random.integers(0, 1 + n // 25, n)]
    else:
        rows = np.ones((n, 3))
    return rows.astype(np.float32)


KINDS = [
    "normal",
    "lattice",
    "far from the origin",
    "tight clusters",
    "repeated",
    "all the same",
]


def require(backend: str) -> None:
    if backend == "faiss":
        pytest.importorskip("faiss", reason="FAISS is not installed")
    if backend == "kernel" and kernels.opened("neighbours") is None:
        pytest.skip("the kernel was not built")


@pytest.mark.parametrize("backend", ["torch", "faiss", "kernel"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exclude_self", [False, True])
def test_all_backends_give_the_slow_twins_neighbours(
    backend: str, kind: str, exclude_self: bool
) -> None:
    require(backend)
    rows = cloud(kind, 300, seed=1)
    distances, indices = knn(rows, rows, 10, exclude_self=exclude_self, backend=backend)
    expected, order = slow_twin(rows, rows, 10, exclude_self=exclude_self)
    np.testing.assert_allclose(distances, expected, rtol=1e-6, atol=1e-12)
    if kind != "tight clusters":  # there, float32 differences may swap what is equal
        np.testing.assert_array_equal(indices, order)
    assert distances.dtype == np.float32
    assert indices.dtype == np.int64


@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(2, 120),
    k=st.integers(1, 40),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=60)
def test_other_rows_are_found_for_any_k(kind: str, n: int, k: int, seed: int) -> None:
    rows, queries = cloud(kind, n, seed), cloud(kind, 7, seed + 1)
    k = min(k, n)
    distances, indices = knn(queries, rows, k, backend="torch")
    expected, _ = slow_twin(queries, rows, k, exclude_self=False)
    np.testing.assert_allclose(distances, expected, rtol=1e-6, atol=1e-12)
    assert all(len(set(found)) == k for found in indices.tolist())


def test_equal_distances_are_ordered_by_index() -> None:
    rows = np.array([[1.0], [-1.0], [1.0], [0.0], [-1.0]], np.float32)
    distances, indices = knn(np.zeros((1, 1), np.float32), rows, 4)
    assert indices.tolist() == [[3, 0, 1, 2]]
    assert distances.tolist() == [[0, 1, 1, 1]]


def test_a_row_is_not_its_own_neighbour_but_its_copies_are() -> None:
    rows = np.repeat(np.float32([[0], [5]]), 3, axis=0)
    _, indices = knn(rows, rows, 2, exclude_self=True)
    assert indices.tolist() == [[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]]


def test_distances_are_those_of_scikit_learn() -> None:
    rows = cloud("normal", 500, seed=3)
    peer = NearestNeighbors(n_neighbors=12).fit(rows.astype(np.float64))
    expected, order = peer.kneighbors()
    distances, indices = knn(rows, rows, 12, exclude_self=True)
    np.testing.assert_allclose(distances, expected, rtol=1e-6)
    np.testing.assert_array_equal(indices, order)


def test_no_queries_have_no_neighbours() -> None:
    distances, indices = knn(np.empty((0, 4)), np.ones((3, 4)), 2)
    assert distances.shape == indices.shape == (0, 2)


def test_bad_input_is_refused() -> None:
    rows = np.ones((5, 3), np.float32)
    with pytest.raises(ValueError, match="k must be between 1 and 5 rows, got 6"):
        knn(rows, rows, 6)
    with pytest.raises(ValueError, match="k must be between 1 and 4 other rows, got 5"):
        knn(rows, rows, 5, exclude_self=True)
    with pytest.raises(ValueError, match="k must be between 1 and 5 rows, got 0"):
        knn(rows, rows, 0)
    with pytest.raises(ValueError, match="queries have 2 dimensions, base has 3"):
        knn(rows[:, :2], rows, 1)
    with pytest.raises(ValueError, match=r"needs the same rows .* got 2 and 5 rows"):
        knn(rows[:2], rows, 1, exclude_self=True)
    with pytest.raises(ValueError, match=r"base must be rows \(n, d\), got shape"):
        knn(rows, rows[0], 1)
    with pytest.raises(ValueError, match="backend must be one of auto, faiss, torch"):
        knn(rows, rows, 1, backend="annoy")
    with pytest.raises(ValueError, match="faiss"):
        knn(rows, rows, 1, backend="faiss", device="cuda")
    holes = rows.copy()
    holes[1, 2] = np.nan
    with pytest.raises(ValueError, match="queries must be finite, got 1 rows"):
        knn(holes, rows, 1)


def test_a_missing_gpu_is_said_and_not_replaced_by_the_cpu() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    rows = np.ones((5, 3), np.float32)
    with pytest.raises(ValueError, match="torch sees no CUDA device"):
        knn(rows, rows, 1, device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("kind", "n"), [*((kind, 2000) for kind in KINDS), ("normal", 140_000)]
)
def test_the_gpu_gives_the_neighbours_of_the_cpu(kind: str, n: int) -> None:
    rows = cloud(kind, n, seed=5)
    near = knn(rows, rows, 10, exclude_self=True)
    on_gpu = knn(rows, rows, 10, exclude_self=True, device="cuda")
    np.testing.assert_array_equal(near[0], on_gpu[0])
    np.testing.assert_array_equal(near[1], on_gpu[1])


def test_importing_the_room_imports_neither_faiss_nor_torch() -> None:
    code = (
        "import sys, terradrift.detect.neighbours; "
        "print({'faiss', 'torch', 'sklearn', 'hdbscan'} & sys.modules.keys())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "set()"
