"""Nearest vectors of a stream: ties, rows without direction, bounded memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from terradrift.query import lance_scan
from terradrift.query.search import nearest
from terradrift.query.search.similar import similar
from terradrift.store.tables import Store
from tests.query.conftest import DIMENSIONS, SUFFIX, changes_table
from tests.query.twin import stack, twin


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Changes whose deltas are one of four, so that nearly all distances are ties."""
    from terradrift.grid import Grid
    from terradrift.store.tables import Settings

    rng = np.random.default_rng(11)
    few = rng.normal(size=(4, DIMENSIONS)).astype(np.float16)
    values = few[rng.integers(0, 4, 5003)]
    made = Store.create(
        tmp_path_factory.mktemp("tied") / "t.td", Settings(Grid(), model="m")
    )
    rows = changes_table(5003, values=values)
    made.append("changes_m", rows.take(pa.array(rng.permutation(5003))))
    return made


@pytest.mark.parametrize("k", [1, 64, 65, 1300, 5000, 6000])
def test_ties_stand_in_the_order_of_their_ids(tied: Store, k: int) -> None:
    answers = [
        similar(tied, change="c00042", k=k, threads=threads, exclude="none").to_arrow()
        for threads in (1, 4)
    ]
    assert answers[0].equals(answers[1])
    distance = answers[0]["distance"].to_numpy()
    ids = np.array(answers[0]["change_id"].to_pylist())
    assert (np.lexsort((ids, distance)) == np.arange(len(ids))).all()
    assert len(np.unique(distance)) <= 4
    rows = tied.dataset("changes_m").to_table()
    keep = np.ones(rows.num_rows, bool)
    at = rows["change_id"].to_pylist().index("c00042")
    expected, _ = twin(rows, ("delta",), stack(rows, "delta")[at], keep, k)
    if k <= 1300:
        assert ids.tolist() == expected


def test_rows_without_direction_are_left_out(make: Callable[..., Store]) -> None:
    values = np.random.default_rng(0).normal(size=(40, DIMENSIONS)).astype(np.float16)
    values[3], values[5, 2], values[7, 0], values[9, 1] = 0, np.nan, np.inf, -np.inf
    rows = changes_table(40, values=values)
    column = rows["delta"].to_pylist()
    column[11] = None
    at = rows.schema.get_field_index("delta")
    rows = rows.set_column(
        at,
        rows.schema.field("delta"),
        pa.array(column, rows.schema.field("delta").type),
    )
    found = similar(
        make(**{f"changes_{SUFFIX}": rows}), vector=np.ones(DIMENSIONS), k=40
    )
    missing = {f"c{i:05d}" for i in range(40)} - set(
        found.to_arrow()["change_id"].to_pylist()
    )
    assert missing == {"c00003", "c00005", "c00007", "c00009", "c00011"}
    assert np.isfinite(found.to_arrow()["distance"].to_numpy()).all()


def test_an_infinity_of_the_second_state_is_seen_beside_a_null_of_the_first(
    make: Callable[..., Store],
) -> None:
    values = np.random.default_rng(1).normal(size=(40, DIMENSIONS)).astype(np.float16)
    rows = changes_table(40, values=values)
    for name, at, odd in (
        ("before", 3, None),
        ("before", 5, np.nan),
        ("after", 7, np.inf),
    ):
        column = rows[name].to_pylist()
        column[at] = odd if odd is None else [odd, *column[at][1:]]
        field = rows.schema.field(name)
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, field, pa.array(column, field.type))
    found = similar(
        make(**{f"changes_{SUFFIX}": rows}),
        vector=np.ones(2 * DIMENSIONS),
        mode="before-after",
        k=40,
    ).to_arrow()
    missing = {f"c{i:05d}" for i in range(40)} - set(found["change_id"].to_pylist())
    assert missing == {"c00003", "c00005", "c00007"}
    assert np.isfinite(found["distance"].to_numpy()).all()


def test_memory_holds_no_more_than_k_rows_and_a_few_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows kept between merges stay bounded while 100 batches go by."""
    most = 0
    add = nearest._Best.add

    def watched(self: Any, found: pa.Table) -> None:
        nonlocal most
        add(self, found)
        most = max(most, self._rows)

    monkeypatch.setattr(nearest._Best, "add", watched)
    rng = np.random.default_rng(0)
    query = nearest.Query(("v",), np.ones((1, 4), np.float32), ("id",))

    def batches() -> Any:
        for start in range(0, 200_000, 2000):
            values = rng.normal(size=(2000, 4)).astype(np.float16)
            ids = np.arange(start, start + 2000)
            yield pa.record_batch(
                {
                    "v": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 4),
                    "id": pa.array(ids.astype(str)),
                    lance_scan.ROW_ID: pa.array(ids, pa.uint64()),
                }
            )

    assert len(nearest.nearest(batches(), query, 50, threads=2).row_ids) == 50
    assert most <= 2 * 50 + 16 * nearest.BLOCK + 2000


def test_batches_are_taken_as_they_are_needed() -> None:
    """No more than two batches per thread wait, and nothing is read before the search."""
    taken: list[int] = []

    def batches() -> Any:
        for at in range(40):
            taken.append(at)
            yield at

    done: list[int] = []
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        for result in nearest._in_turn(pool, lambda batch: batch, batches(), 4):  # type: ignore[arg-type, return-value]
            done.append(result)
            assert len(taken) - len(done) <= 4
    assert done == list(range(40))
