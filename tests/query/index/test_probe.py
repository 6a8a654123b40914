"""Codes: the kernel and its twin, estimates and their errors, recall."""

from pathlib import Path

import numpy as np
import pytest

from terradrift import kernels
from terradrift.query.index import bins, coded, codes, rows
from terradrift.query.index.build import build
from terradrift.query.index.held import opened
from terradrift.query.index.open import Open
from terradrift.query.index.probe import PER_FACTOR, estimates, probe
from terradrift.query.search.nearest import Query
from tests.query.conftest import changes_table
from tests.query.index import made
from tests.query.index.made import TABLE

ROWS, WIDTH = 3000, 8
needs_kernel = pytest.mark.skipif(
    "search" in kernels.missing(), reason="kernels were not built"
)
WAYS = [0, 1, 2, 3]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Open:
    values = made.clustered(ROWS)
    store = made.archive(
        tmp_path_factory.mktemp("probe"), changes_table(ROWS, values=values)
    )
    build(store, TABLE, ("delta",), None, quiet=True)
    found = opened(store, TABLE, store.dataset(TABLE), ("delta",), None)
    assert isinstance(found, Open)
    return found


def query(seed: int) -> Query:
    return Query(("delta",), made.clustered(1, seed=seed).astype(np.float32), ())


@needs_kernel
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("d", [1, 7, 16, 31, 64, 387])
def test_products_are_those_of_numpy(way: int, d: int) -> None:
    rng = np.random.default_rng(d)
    matrix = rng.normal(size=(40, d)).astype(np.float16)
    vector = rng.normal(size=d).astype(np.float32)
    slices = np.array([[3, 9], [9, 9], [30, 40]])
    try:
        found = rows.dots(matrix, vector, slices, way=way)
    except ValueError:
        pytest.skip(f"this processor has no way {way}")
    wanted = matrix[[*range(3, 9), *range(30, 40)]].astype(np.float64) @ vector
    size = np.linalg.norm(matrix.astype(float), axis=1).max() * np.linalg.norm(vector)
    assert np.abs(found - wanted).max() <= rows.gamma(d) * size


@pytest.mark.parametrize("switch", ["on", "off"])
def test_rows_beyond_two_billion_numbers_are_found(
    tmp_path: Path, switch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has holes: 4.5 GB are named and a few pages taken."""
    monkeypatch.setenv(kernels.SWITCH, switch)
    d, n = 64, (1 << 31) // 64 + (1 << 21)
    matrix = np.memmap(tmp_path / "holes", np.float16, "w+", shape=(n, d))
    matrix[n - 5 : n - 2] = made.clustered(3, d)
    vector = made.clustered(1, d, seed=4)[0].astype(np.float32)
    found = rows.dots(matrix, vector, np.array([[n - 6, n - 1]]))
    wanted = matrix[n - 6 : n - 1].astype(np.float32) @ vector
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    assert found[0] == 0
    assert found[1] != 0


@needs_kernel
@pytest.mark.parametrize("width", [3, 64, 100])
def test_rows_are_widened_and_coded_as_the_twins_do(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(width)
    half = rng.normal(size=(50, width)).astype(np.float16)
    half[0, 0], half[1, 0], half[2, 0] = np.inf, np.nan, 6e-8
    mean = rng.normal(size=width).astype(np.float32)
    placed = rng.normal(size=(50, width)).astype(np.float32)
    centroids = rng.normal(size=(4, width)).astype(np.float32)
    of = rng.integers(0, 4, 50).astype(np.int32)
    placed[7] = centroids[of[7]]
    answers = []
    for switch in ("on", "off"):
        monkeypatch.setenv(kernels.SWITCH, switch)
        wide = np.zeros((50, width + 2), np.float32)
        rows.widen(half, mean, wide[:, :width])
        bits = np.zeros((50, (width + 63) // 64), np.uint64)
        factors = np.zeros((50, 2), np.float32)
        coded.encode(placed, of, centroids, bits, factors)
        answers.append((wide, bits, factors))
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    np.testing.assert_array_equal(answers[0][1], answers[1][1])
    np.testing.assert_allclose(answers[0][2], answers[1][2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("way", [*WAYS, "twin"])
def test_all_lists_with_wide_bounds_give_the_exact_answer(
    index: Open, way: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(kernels.SWITCH, "off" if way == "twin" else "on")
    some = np.zeros(ROWS, bool)
    some[np.random.default_rng(2).choice(ROWS, 300, replace=False)] = True
    bits = np.packbits(np.pad(some, (0, -ROWS % 64)), bitorder="little").view("<u8")
    for seed in range(5):
        for k, allowed in ((1, None), (60, None), (60, bits), (400, bits)):
            asked = query(seed)
            try:
                found = probe(
                    index.vectors,
                    index.lists,
                    asked,
                    k,
                    index.lists.count,
                    allowed=allowed,
                    spreads=1e3,
                    way=0 if way == "twin" else int(way),
                )
            except ValueError:
                pytest.skip(f"this processor has no way {way}")
            ids = None if allowed is None else np.flatnonzero(some).astype(np.uint64)
            exact = index.exact(asked, k, allowed=ids)
            assert set(found.positions.tolist()) == set(exact.row_ids.tolist())


@needs_kernel
def test_the_kernel_and_its_twin_find_nearly_the_same(
    index: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    for switch in ("on", "off"):
        monkeypatch.setenv(kernels.SWITCH, switch)
        found = [
            probe(index.vectors, index.lists, query(seed), 50, 4) for seed in range(20)
        ]
        answers.append(found)
    shared = [
        len(np.intersect1d(a.positions, b.positions))
        for a, b in zip(*answers, strict=True)
    ]
    # The bar rises block by block there and list by list here.
    assert np.mean(shared) >= 0.98 * 50


def test_estimates_err_about_zero_and_as_much_as_is_said() -> None:
    """Over many lists: within one, rows share the direction of the centroid."""
    rng = np.random.default_rng(0)
    width, many, each = 256, 200, 16
    centroids = rng.normal(size=(many, width)).astype(np.float32) / 32
    turned = rng.normal(size=(many * each, width)).astype(np.float32)
    turned /= np.linalg.norm(turned, axis=1)[:, None]
    of = np.repeat(np.arange(many, dtype=np.int32), each)
    bits = np.zeros((many * each, width // 64), np.uint64)
    factors = np.zeros((many * each, 2), np.float32)
    coded.encode(turned, of, centroids, bits, factors)
    whole = codes.Lists(
        rotation=np.eye(width, dtype=np.float32),
        centroids=centroids,
        starts=np.arange(many + 1) * each // 8,
        codes=bits.reshape(-1, 8, width // 64).transpose(0, 2, 1),
        factors=factors.reshape(-1, 8, 2).transpose(0, 2, 1),
        positions=np.arange(many * each, dtype=np.int32).reshape(-1, 8),
        lengths=np.ones(many * each, np.float32),
        measured=np.empty((0, 6)),
    )
    error, said = [], []
    for at in range(many):
        asked = rng.normal(size=width).astype(np.float32)
        asked /= np.linalg.norm(asked)
        told = estimates(whole, at, asked, 0.0).ravel()
        error.append(told - turned[of == at] @ asked)
        said.append(estimates(whole, at, asked, PER_FACTOR).ravel() - told)
    spread = float(np.mean(said))
    assert abs(np.mean(error)) < 4 * spread / np.sqrt(many)
    assert 0.93 * spread < np.std(error) < 1.07 * spread


def test_recall_is_as_was_measured(index: Open) -> None:
    for k in (10, 100):
        shares, told = [], []
        for seed in range(100):
            found, recall = index.near(query(seed), k)
            exact = index.exact(query(seed), k)
            assert len(found.row_ids) == k
            assert (np.diff(found.distances) >= 0).all()
            shares.append(np.isin(exact.row_ids, found.row_ids).mean())
            told.append(recall.value)
            if recall.queries == 0:
                assert shares[-1] == 1
                continue
            # Chosen with a margin, so that the target is met on queries of no row too.
            assert recall.value >= 0.98 + 2 * recall.error
            assert recall.queries >= bins.PART
        assert np.mean(shares) >= 0.98 - 2 * np.std(shares) / 10
        assert np.mean(shares) > np.mean(told) - 0.03


def test_k_rows_come_back_where_k_pass(index: Open) -> None:
    some = np.sort(np.random.default_rng(1).choice(ROWS, 80, replace=False))
    found, _ = index.near(query(0), 80, allowed=some.astype(np.uint64))
    assert sorted(found.row_ids.tolist()) == some.tolist()
    nothing, _ = index.near(query(0), 5, allowed=np.empty(0, np.uint64))
    assert len(nothing.row_ids) == 0


def test_beyond_its_reach_an_answer_is_exact(index: Open) -> None:
    assert index.reach == 1250
    found, recall = index.near(query(0), 1251)
    assert made.same(found, index.exact(query(0), 1251))
    assert recall.value == 1


def test_few_rows_and_rows_alike_can_be_indexed(tmp_path: Path) -> None:
    for name, values in {
        "one": made.clustered(1),
        "alike": np.ones((300, 8), np.float16),
        "none": np.zeros((5, 8), np.float16),
        "rare": np.where(np.arange(2000)[:, None] % 500 == 7, 1, 0)
        * made.clustered(2000),
    }.items():
        rows_ = changes_table(len(values), values=values)
        (tmp_path / name).mkdir()
        store = made.archive(tmp_path / name, rows_)
        build(store, TABLE, ("delta",), None, quiet=True)
        found = opened(store, TABLE, store.dataset(TABLE), ("delta",), None)
        assert found is not None or name == "none"
        if found is not None:
            assert isinstance(found, Open)
            assert (found.lists.count > 0) == (name != "none")
            near, _ = found.near(query(0), 5)
            assert len(near.row_ids) == min(5, int(values.any(axis=1).sum()))
