import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terradrift import kernels
from terradrift.detect import ranking
from terradrift.detect.candidates import project
from terradrift.detect.integers import lengths, rounded, step_of
from terradrift.detect.neighbours import knn
from terradrift.detect.pruned import Pruned
from terradrift.detect.ranking import Among
from terradrift.detect.tiles import leaves, panels

Rows = NDArray[np.float32]

pytestmark = pytest.mark.skipif(
    kernels.opened("neighbours") is None, reason="the kernel was not built"
)


def cloud(kind: str, n: int, d: int, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, d))
    if kind == "clusters":
        rows = 0.1 * rows + random.normal(size=(9, d))[random.integers(0, 9, n)]
    elif kind == "tight clusters":
        rows = 1e-5 * rows + random.normal(size=(9, d))[random.integers(0, 9, n)]
    elif kind == "lattice":
        rows = np.rint(rows)
    elif kind == "far outliers":
        rows[:: max(1, n // 5)] *= 1e4
    elif kind == "heavy tails":
        rows *= np.exp(2 * random.normal(size=(n, 1)))
    elif kind == "far from the origin":
        rows += 1e4
    return rows.astype(np.float32)


KINDS = [
    "normal",
    "clusters",
    "tight clusters",
    "lattice",
    "far outliers",
    "heavy tails",
    "far from the origin",
]


def answer(
    pruned: Pruned, m: int, k: int, *, few: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    distances, found, compared = pruned.nearest(
        np.arange(m), k, few=few, budget=10**9, threads=2
    )
    assert (compared <= 10**9).all()
    return distances, found


@pytest.mark.parametrize("kind", KINDS)
@given(
    sizes=st.tuples(st.integers(2, 700), st.integers(1, 130), st.integers(1, 40)),
    k=st.integers(1, 30),
    seed=st.integers(0, 999),
)
@settings(deadline=None, max_examples=8)
def test_it_ranks_as_among_all_rows(
    kind: str, sizes: tuple[int, int, int], k: int, seed: int
) -> None:
    n, m, d = sizes
    rows, queries = cloud(kind, n, d, seed), cloud(kind, m, d, seed + 1)
    k = min(k, n)
    among = Among(rows, np.arange(n) * 3)
    center = rows.mean(axis=0)
    every = np.tile(np.arange(n), (m, 1))
    expected = ranking.ranked(queries, among, every, None, k)
    found = answer(Pruned(queries, among, None, center), m, k, few=False)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("few", [False, True])
def test_rows_among_themselves_have_the_neighbours_of_all_pairs(
    kind: str, few: bool
) -> None:
    rows = cloud(kind, 1100, 100, seed=3)
    rows[:, 30:] *= 0.1
    among, own = Among(rows, np.arange(1100)), np.arange(1100)
    every = np.tile(own, (1100, 1))
    expected = ranking.ranked(rows, among, every, own, 9)
    center = rows.mean(axis=0)
    pruned = Pruned(rows, among, own, center, project(rows, rows, center))
    distances, found = answer(pruned, 1100, 9, few=few)
    np.testing.assert_array_equal(distances, expected[0])
    np.testing.assert_array_equal(found, expected[1])


@pytest.mark.parametrize("kind", KINDS)
def test_integers_are_no_farther_apart_than_rows_but_for_their_slack(kind: str) -> None:
    rows = cloud(kind, 300, 33, seed=4)
    center = rows.mean(axis=0)
    told = rounded(rows, center, step_of(lengths(rows, center)), 2.0**-22)
    wide = rows.astype(np.float64)
    apart = np.linalg.norm(wide[:, None] - wide, axis=2)
    ints = told.ints.astype(np.float64)
    bound = told.step * np.linalg.norm(ints[:, None] - ints, axis=2)
    assert (bound <= apart + told.slack[:, None] + told.slack).all()
    assert told.squares.max() < 2**30
    assert (told.squares == (ints**2).sum(axis=1)).all()
    if kind not in {
        "far outliers",
        "heavy tails",
    }:  # the others are told to within a thousandth
        assert (bound >= apart * 0.999 - told.slack[:, None] - told.slack).all()
        assert told.slack.max() < 1e-3 * lengths(rows, center).max()


def test_a_query_beyond_its_budget_is_given_up_and_answered_otherwise() -> None:
    rows = cloud("normal", 3000, 24, seed=5)
    among, own = Among(rows, np.arange(3000)), np.arange(3000)
    pruned = Pruned(rows, among, own, rows.mean(axis=0))
    distances, _, compared = pruned.nearest(own, 5, few=False, budget=300)
    assert (compared > 300).any()
    expected, _ = knn(rows, rows, 5, exclude_self=True, backend="torch")
    kept = compared <= 300
    np.testing.assert_array_equal(distances[kept].astype(np.float32), expected[kept])
    assert (distances[~kept, -1] >= expected[~kept, -1]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1, 15, 16, 37, 384])
def test_distances_are_those_of_numpy_to_the_last_bit(
    kind: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, queries = cloud(kind, 50, width, seed=6), cloud(kind, 7, width, seed=7)
    near = np.random.default_rng(8).integers(0, 50, size=(7, 11))
    compiled = ranking.distances_to(queries, rows, near)
    monkeypatch.setenv(kernels.SWITCH, "off")
    plain = ranking.distances_to(queries, rows, near)
    np.testing.assert_array_equal(compiled, plain)
    wide = queries.astype(np.float64)[:, None] - rows[near]
    np.testing.assert_allclose(plain, np.linalg.norm(wide, axis=2), rtol=1e-6)


@pytest.mark.parametrize("rank", [5, 40, 192])
def test_the_kernel_answers_as_torch_does(rank: int) -> None:
    """Of rank 5 few columns are asked, of rank 192 all at once."""
    random = np.random.default_rng(9)
    rows = random.normal(size=(4300, rank)) @ random.normal(size=(rank, 192))
    rows = rows.astype(np.float32)
    mine = knn(rows, rows, 10, exclude_self=True, backend="kernel", threads=2)
    other = knn(rows, rows, 10, exclude_self=True, backend="torch", threads=2)
    np.testing.assert_array_equal(mine[0], other[0])
    np.testing.assert_array_equal(mine[1], other[1])


@pytest.mark.parametrize("way", ["plain", "avx2", "vnni"])
@pytest.mark.parametrize("columns", [2, 64, 386])
def test_products_are_exact_in_every_way_that_the_processor_knows(
    way: str, columns: int
) -> None:
    random = np.random.default_rng(13)
    drawn = random.normal(size=(12 + 32, columns))
    drawn *= 32_700 / np.linalg.norm(drawn, axis=1)[:, None]
    drawn[[3, 12 + 5, 4, 12 + 6]] = 0
    drawn[[4, 12 + 6], 0] = 32_700, -32_700
    ints = np.rint(drawn * 0.999).astype(np.int16)
    queries, rows = np.ascontiguousarray(ints[:12]), ints[12:]
    squares = (rows.astype(np.int64) ** 2).sum(axis=1)
    half, out = (squares // 2).astype(np.int32), np.empty((12, 32), np.int32)
    told = panels(rows)
    library = kernels.opened("neighbours")
    assert library is not None
    library.multiply(
        ["plain", "avx2", "vnni"].index(way),
        *(ctypes.c_void_p(array.ctypes.data) for array in (queries, told, half, out)),
        ctypes.c_int64(columns),
    )
    expected = queries.astype(np.int64) @ rows.astype(np.int64).T - half
    np.testing.assert_array_equal(out, expected)


def test_what_the_kernel_gives_up_is_answered_by_products(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = cloud("heavy tails", 5000, 30, seed=14)
    with caplog.at_level("DEBUG", logger="terradrift.detect.search"):
        mine = knn(rows, rows, 10, exclude_self=True, backend="kernel", threads=2)
    given_up, products = caplog.messages
    assert given_up.startswith("all columns")
    assert products.startswith("30 columns")
    other = knn(rows, rows, 10, exclude_self=True, backend="torch", threads=2)
    np.testing.assert_array_equal(mine[0], other[0])
    np.testing.assert_array_equal(mine[1], other[1])


def test_leaves_hold_every_point_once_and_near_ones_together() -> None:
    points = cloud("normal", 1000, 3, seed=10)
    order = leaves(points, 64)
    assert sorted(order.tolist()) == list(range(1000))
    spread = [
        points[order[at : at + 64]].std(axis=0).mean() for at in range(0, 960, 64)
    ]
    assert np.mean(spread) < 0.7
    assert leaves(points[:0], 64).shape == (0,)


def test_no_row_and_no_neighbour_is_lost_where_rows_repeat() -> None:
    rows = np.repeat(cloud("normal", 40, 6, seed=11), 9, axis=0)
    mine = knn(rows, rows, 12, exclude_self=True, backend="kernel")
    other = knn(rows, rows, 12, exclude_self=True, backend="torch")
    np.testing.assert_array_equal(mine[1], other[1])


def test_a_kernel_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = cloud("normal", 20, 3, seed=12)
    with pytest.raises(ValueError, match="kernel runs on the cpu, got device 'cuda'"):
        knn(rows, rows, 2, backend="kernel", device="cuda")
    monkeypatch.setenv(kernels.SWITCH, "off")
    with pytest.raises(ValueError, match="backend kernel was not built"):
        knn(rows, rows, 2, backend="kernel")
    distances, _ = knn(rows, rows, 2)
    monkeypatch.setenv(kernels.SWITCH, "on")
    np.testing.assert_array_equal(distances, knn(rows, rows, 2)[0])
