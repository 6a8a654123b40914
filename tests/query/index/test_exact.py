"""The index's exact search gives what the stream gives, in every space, whatever changed."""

from pathlib import Path

import numpy as np
import pytest

from terradrift import kernels
from terradrift.query.index import exact
from terradrift.query.index.build import build
from terradrift.query.index.held import opened
from terradrift.query.search.nearest import Query
from terradrift.space import Space
from terradrift.store import layout
from terradrift.store.tables import Store
from tests.query.index import made
from tests.query.index.made import COLUMNS, TABLE

ROWS = 1500


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    found = made.archive(tmp_path_factory.mktemp("exact"), made.odd_rows(ROWS))
    for space in made.spaces():
        for columns in COLUMNS:
            build(found, TABLE, columns, space, quiet=True)
    return found


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("space", made.spaces(), ids=["raw", "centre", "whiten"])
@pytest.mark.parametrize("switch", ["on", "off"])
def test_exact_is_as_the_stream_says(
    store: Store,
    columns: tuple[str, ...],
    space: Space | None,
    switch: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(kernels.SWITCH, switch)
    index = opened(store, TABLE, store.dataset(TABLE), columns, space)
    assert index is not None
    assert index.fresh == ()
    rng = np.random.default_rng(1)
    some = np.sort(rng.choice(ROWS, 200, replace=False)).astype(np.uint64)
    for allowed in (None, some, some[:3], some[:0]):
        for k in (1, 30, ROWS):
            query = made.question(columns, space, seed=k)
            found = index.exact(query, k, allowed=allowed, threads=2)
            assert made.same(found, made.streamed(store, query, k, allowed))


def test_ties_stand_in_the_order_of_their_keys(tmp_path: Path) -> None:
    from tests.query.conftest import changes_table

    values = made.clustered(4)[np.random.default_rng(0).integers(0, 4, 400)]
    rows = changes_table(400, values=values)
    shuffled = rows.take(np.random.default_rng(1).permutation(400))
    store = made.archive(tmp_path, shuffled)
    build(store, TABLE, ("delta",), None, quiet=True)
    index = opened(store, TABLE, store.dataset(TABLE), ("delta",), None)
    assert index is not None
    query = Query(("delta",), values[:1].astype(np.float32), ("change_id",))
    for k in (1, 7, 150, 400):
        assert made.same(index.exact(query, k), made.streamed(store, query, k))


def test_slices_are_cut_into_parts_of_the_same_rows() -> None:
    rng = np.random.default_rng(3)
    for rows in (1, 7, 64, 1000):
        some = np.sort(rng.choice(900, 500, replace=False))
        slices = layout.covering(some, gap=0)
        parts = exact.cut(slices, rows)
        sizes = [len(layout.positions(part)) for part in parts]
        assert np.array_equal(np.concatenate([*map(layout.positions, parts)]), some)
        assert sizes[:-1] == [rows] * (len(parts) - 1)
        assert 0 < sizes[-1] <= rows


@pytest.mark.parametrize("threads", [1, 3])
def test_parts_and_threads_do_not_change_the_answer(
    store: Store, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "TASK_ROWS", 50)
    monkeypatch.setattr(exact, "_GATHER", 20)
    some = np.flatnonzero(np.random.default_rng(2).random(ROWS) < 0.6)
    for space in made.spaces():
        index = opened(store, TABLE, store.dataset(TABLE), ("after",), space)
        assert index is not None
        for allowed in (None, some.astype(np.uint64)):
            for k in (1, 20, 300):
                query = made.question(("after",), space, seed=k)
                found = index.exact(query, k, allowed=allowed, threads=threads)
                assert made.same(found, made.streamed(store, query, k, allowed))
