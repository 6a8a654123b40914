"""The index's exact search gives what the stream gives, in every space, whatever changed."""

from pathlib import Path

import numpy as np
import pytest

from terradrift import kernels
from terradrift.query.index.build import build
from terradrift.query.index.held import opened
from terradrift.query.search.nearest import Query
from terradrift.space import Space
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
