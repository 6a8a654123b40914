"""Searches with an index beside the table: the same answers when exact, and what is told."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely

from terradrift import space
from terradrift.errors import QueryError
from terradrift.query.index import bins, build, copied, exact
from terradrift.query.search import gpu, plan
from terradrift.query.search.similar import similar
from terradrift.query.sql.limits import Limits
from terradrift.store import spaces
from terradrift.store.tables import Store
from tests.query.conftest import DIMENSIONS, MODEL, SUFFIX, changes_table
from tests.query.twin import stack

TABLE = f"changes_{SUFFIX}"
COLUMNS = {
    "delta": ("delta",),
    "reverse": ("delta",),
    "after": ("after",),
    "before": ("before",),
    "before-after": ("before", "after"),
}


def fitted(name: str, rows: pa.Table) -> space.Space | None:
    if name == "raw":
        return None
    vectors = stack(rows, "after") * np.geomspace(1, 0.1, DIMENSIONS) + 3
    return space.fit(name, iter([vectors]), DIMENSIONS, 1)


WHITENED = pytest.mark.parametrize("pair", ["whiten"], indirect=True)


@pytest.fixture(scope="module", params=["raw", "whiten"])
def pair(
    request: pytest.FixtureRequest,
    store: Store,
    changes: pa.Table,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Store, Store]:
    """An archive without an index, and with all; changes tied in pairs, and later ones.

    `centre` is whitening without the matrix; `index/test_exact.py` has all three.
    """
    chosen = fitted(request.param, changes)
    made = []
    for name in ("plain", "indexed"):
        folder = tmp_path_factory.mktemp(name) / "a.td"
        shutil.copytree(store.root, folder)
        made.append(Store.open(folder))
        twins = changes.slice(0, 60).to_pydict()
        twins["change_id"] = [f"twin-{i:03d}" for i in range(60)]
        made[-1].append(TABLE, pa.table(twins, schema=changes.schema))
        spaces.choose(made[-1], MODEL, chosen)
    for columns in set(COLUMNS.values()):
        build.build(made[1], TABLE, columns, chosen, quiet=True)
    late = changes_table(90, seed=5).to_pydict()
    late["change_id"] = [f"late-{i:03d}" for i in range(90)]
    for one in made:
        one.append(TABLE, pa.table(late, schema=changes.schema))
        one.dataset(TABLE).delete("change_id = 'twin-003'")
    return made[0], made[1]


CONDITIONS: tuple[dict[str, Any], ...] = (
    {"k": 1000},
    {"k": 25, "kind": [0, 2], "exclude": "none"},
    {"bbox": (3.0, 50.0, 3.05, 50.03), "min_score": 2, "exclude": "self"},
    {"k": 25, "per_patch": 1},
)


@pytest.mark.parametrize("mode", COLUMNS)
def test_exact_answers_are_the_same_with_and_without_an_index(
    pair: tuple[Store, Store], mode: Any
) -> None:
    for conditions in CONDITIONS:
        asked = {"change": "c00007", "mode": mode, "threads": 1, **conditions}
        one, two = (similar(store, exact=True, **asked) for store in pair)
        assert two.to_arrow().equals(one.to_arrow()), conditions
        assert one.exact
        assert two.exact
        assert two.recall is None
    ids = "".join(similar(pair[1], change="c00007", k=1000).df()["change_id"])
    assert "late-089" in ids
    assert "twin-059" in ids
    assert "twin-003" not in ids


@WHITENED
@pytest.mark.parametrize("mode", ["delta", "before-after"])
def test_a_mean_of_many_rows_is_the_same_from_copies_of_their_vectors(
    pair: tuple[Store, Store], mode: Any
) -> None:
    """Of rows that are copied, that were written later, and one of a fragment changed since."""
    for example in ({"like_kind": 1}, {"region": shapely.box(2, 49, 4, 52)}):
        asked: dict[str, Any] = {"mode": mode, "k": 1000, "exact": True, **example}
        one, two = (similar(store, **asked).to_arrow() for store in pair)
        assert one["change_id"].equals(two["change_id"])
        np.testing.assert_allclose(one["distance"], two["distance"], atol=1e-6)
    table = pair[1].opened(TABLE)
    copies = copied.opened(table, COLUMNS[mode])
    assert copies is not None
    ids = np.sort(table.to_table(columns=[], with_row_id=True)["_rowid"].to_numpy())
    at, others = copies.split(ids)
    assert (len(at), len(others)) == (600, 149)
    assert copied.opened(pair[0].opened(TABLE), COLUMNS[mode]) is None


@WHITENED
def test_an_index_says_its_recall_and_what_it_searched_beside(
    pair: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, indexed = pair
    near = similar(indexed, change="c00007", k=10, exact=False)
    assert not near.exact
    assert near.recall is not None
    assert near.plan.startswith(f"index, recall {near.recall.value:.3f} ± ")
    assert " queries like it), 749 rows; " in near.plan
    # The fragment that a row was deleted from counts as not covered too.
    assert near.plan.endswith("749 rows; 149 newer rows searched exactly")
    assert near.plan in repr(near)
    few = similar(indexed, change="c00007", k=10)
    assert few.exact, "so few rows are compared one by one"
    assert few.plan == "exact, all 749 rows; 149 newer rows searched exactly"
    monkeypatch.setattr(plan, "FEW_BYTES", 0)
    assert not similar(indexed, change="c00007", k=10).exact
    assert similar(plain, change="c00007", k=10).exact, "there is nothing else to ask"
    kept = similar(indexed, change="c00007", k=10, kind=1)
    assert ", not measured with a filter, " in kept.plan
    assert set(kept.to_arrow()["kind"].to_pylist()) == {1}


@WHITENED
def test_a_device_that_is_not_there_is_said(pair: tuple[Store, Store]) -> None:
    asked: dict[str, Any] = {"change": "c00007", "k": 5}
    with pytest.raises(QueryError, match="must be auto, cpu or cuda, got 'tpu'"):
        similar(pair[1], device="tpu", **asked)  # type: ignore[arg-type]
    assert similar(pair[1], device="cpu", **asked).plan.startswith("exact, ")
    if gpu.available() is None:
        with pytest.raises(QueryError, match="sees none; leave it out"):
            similar(pair[1], device="cuda", **asked)


@WHITENED
@pytest.mark.parametrize("mode", ["before-after", "reverse"])
def test_a_device_of_torch_gives_the_same_rows(
    pair: tuple[Store, Store], mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"change": "c00007", "mode": mode, "k": 40}
    here = similar(pair[1], device="cpu", **asked)
    monkeypatch.setattr(gpu, "available", lambda: "cpu")
    there = similar(pair[1], device="cuda", **asked)
    assert there.to_arrow().equals(here.to_arrow())
    assert there.plan.startswith("exact on cpu, all 749 rows")


def test_an_example_unlike_all_rows_has_the_recall_of_its_like_or_every_row(
    make: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    centres = np.abs(rng.normal(size=(6, DIMENSIONS))) + 0.2
    values = centres[rng.integers(0, 6, 800)] + rng.normal(0, 0.03, (800, DIMENSIONS))
    rows = changes_table(800, values=values.astype(np.float16))
    store = make(**{TABLE: rows})
    build.build(store, TABLE, ("delta",), None, quiet=True)
    monkeypatch.setattr(plan, "FEW_BYTES", 0)
    row = similar(store, change="c00007", k=20)
    assert not row.exact
    assert row.plan.endswith("800 rows")
    assert not similar(store, vector=values[11], k=20).exact, "numbers like a row's"
    asked: dict[str, Any] = {"change": "c00007", "k": 20, "mode": "reverse"}
    every = similar(store, exact=True, **asked)
    opposite = similar(store, **asked).to_arrow()["change_id"].to_numpy()
    assert np.isin(every.to_arrow()["change_id"].to_numpy(), opposite).mean() >= 0.9
    # Where no opposite is like those that enough recall was measured for.
    shutil.rmtree(store.root / "index")
    monkeypatch.setattr(bins, "ERRORS_FAR", np.inf)
    build.build(store, TABLE, ("delta",), None, quiet=True)
    far = similar(store, **asked)
    assert far.exact
    assert far.recall is None
    assert far.plan.endswith("the example is too far from all rows for an index")
    assert far.to_arrow().equals(every.to_arrow())
    assert not similar(store, change="c00007", k=20).exact


@WHITENED
@pytest.mark.parametrize("threads", [1, 2])
def test_time_is_looked_at_between_slices_of_an_index(
    pair: tuple[Store, Store], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock moves a second with each slice, of which there are six."""
    done: list[int] = []
    monkeypatch.setattr(time, "monotonic", lambda: float(len(done)))
    monkeypatch.setattr(exact, "TASK_ROWS", 100)
    bounds = exact._bounds

    def counted(*given: Any) -> Any:
        done.append(1)
        return bounds(*given)

    monkeypatch.setattr(exact, "_bounds", counted)
    asked: dict[str, Any] = {"vector": np.ones(DIMENSIONS), "k": 5, "exact": True}
    with pytest.raises(QueryError, match="took longer than 3 s"):
        similar(pair[1], limits=Limits(seconds=3), threads=threads, **asked)
    assert 0 < len(done) < 6


@WHITENED
def test_an_index_that_is_deleted_or_damaged_is_done_without(
    pair: tuple[Store, Store], tmp_path: Path
) -> None:
    _, indexed = pair
    shutil.copytree(indexed.root, tmp_path / "a.td")
    store = Store.open(tmp_path / "a.td")
    whole = similar(store, change="c00007", k=10)
    for path in (store.root / "index").iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (store.root / "index" / "touched").touch()
    broken = similar(store, change="c00007", k=10)
    assert broken.to_arrow().equals(whole.to_arrow())
    assert broken.note is not None
    assert "terradrift index" in broken.note
    assert "\n" not in broken.note
    shutil.rmtree(store.root / "index")
    gone = similar(store, change="c00007", k=10)
    assert gone.to_arrow().equals(whole.to_arrow())
    assert gone.note is None
    assert gone.plan == "exact, all 749 rows"


@WHITENED
def test_why_every_row_was_compared_is_told(pair: tuple[Store, Store]) -> None:
    plain, indexed = pair
    asked: dict[str, Any] = {"change": "c00007", "exact": False, "exclude": "none"}
    said = similar(plain, **asked).plan
    assert said is not None
    assert "there is no index of this search, terradrift index makes one" in said
    said = similar(indexed, k=650, **asked).plan
    assert said is not None
    assert "no recall was measured for 650 rows" in said
    for k, exact_ in ((650, True), (650, None), (5, False)):
        said = similar(indexed, k=k, **{**asked, "exact": exact_}).plan
        assert said is not None
        assert "no recall was measured" not in said
