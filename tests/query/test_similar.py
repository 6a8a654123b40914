"""Searches: equal to a slow twin, filtered first, exact, and clear about what is wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terradrift.errors import QueryError
from terradrift.query import lance_scan, nearest
from terradrift.query.similar import K_MAX, similar
from terradrift.store.tables import Store
from tests.query.conftest import (
    DIMENSIONS,
    SUFFIX,
    changes_table,
    patches_table,
)

TRIANGLE = shapely.Polygon([(3.0, 50.0), (3.1, 50.0), (3.0, 50.1)])


def stack(rows: pa.Table, *names: str) -> np.ndarray:
    parts = [np.stack(rows[name].to_numpy(zero_copy_only=False)) for name in names]
    return np.concatenate(parts, axis=1).astype(np.float64)


def twin(
    rows: pa.Table,
    names: tuple[str, ...],
    example: np.ndarray,
    keep: np.ndarray,
    k: int,
) -> tuple[list[str], np.ndarray]:
    """Ids and distances by plain numpy, ties by id."""
    vectors = stack(rows, *names)
    with np.errstate(invalid="ignore"):
        cosine = (
            vectors
            @ example
            / np.linalg.norm(vectors, axis=1)
            / np.linalg.norm(example)
        )
    distance = np.clip(1 - cosine, 0, 2)
    ids = np.array(rows["change_id"].to_pylist())
    at = np.flatnonzero(keep & ~np.isnan(distance))
    at = at[np.lexsort((ids[at], distance[at]))][:k]
    return ids[at].tolist(), distance[at]


ON = {
    "delta": ("delta",),
    "after": ("after",),
    "before": ("before",),
    "before+after": ("before", "after"),
}


@given(
    example=st.integers(0, 599),
    on=st.sampled_from(sorted(ON)),
    k=st.sampled_from([1, 3, 10, 100, 1000]),
    kind=st.sampled_from([None, 1, [0, 2]]),
    min_score=st.sampled_from([None, 5.0, 9.9]),
    box=st.sampled_from([None, (3.0, 50.0, 3.05, 50.03)]),
    within=st.sampled_from([None, TRIANGLE]),
    where=st.sampled_from(
        [None, "drift > 1 AND kind IS NOT NULL", "onset >= '2018-08-01'"]
    ),
    exclude=st.booleans(),
    threads=st.sampled_from([1, 3]),
)
@settings(max_examples=40, deadline=None)
def test_similar_equals_plain_numpy(  # noqa: PLR0917 - one argument per condition
    store: Store,
    changes: pa.Table,
    example: int,
    on: Any,
    k: int,
    kind: Any,
    min_score: float | None,
    box: Any,
    within: Any,
    where: str | None,
    exclude: bool,
    threads: int,
) -> None:
    found = similar(
        store,
        change=f"c{example:05d}",
        on=on,
        k=k,
        kind=kind,
        min_score=min_score,
        bbox=box,
        within=within,
        where=where,
        exclude_self=exclude,
        threads=threads,
    )
    keep = np.ones(changes.num_rows, bool)
    if exclude:
        keep[example] = False
    if kind is not None:
        keep &= np.isin(changes["kind"].to_numpy(), kind)
    if min_score is not None:
        keep &= changes["score"].to_numpy() >= min_score
    shapes = shapely.from_wkb(changes["geometry"].to_pylist())
    if box is not None:
        keep &= shapely.intersects(shapely.box(*box), shapes)
    if within is not None:
        keep &= shapely.intersects(within, shapes)
    if where is not None and "drift" in where:
        keep &= changes["drift"].to_numpy() > 1
    if where is not None and "onset" in where:
        keep &= changes["onset"].to_numpy() >= np.datetime64("2018-08-01")
    names = ON[on]
    ids, distances = twin(changes, names, stack(changes, *names)[example], keep, k)
    table = found.to_arrow()
    assert table["change_id"].to_pylist() == ids
    np.testing.assert_allclose(table["distance"].to_numpy(), distances, atol=1e-12)
    assert table["rank"].to_pylist() == list(range(1, len(ids) + 1))
    assert (found.note is None) == (len(ids) == k)


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
        similar(
            tied, change="c00042", k=k, threads=threads, exclude_self=False
        ).to_arrow()
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


@given(k=st.integers(1, 60), kind=st.integers(-1, 3), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_k_rows_come_back_when_k_exist(
    store: Store, changes: pa.Table, k: int, kind: int, seed: int
) -> None:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
    exist = int((changes["kind"].to_numpy() == kind).sum())
    for condition in ({"kind": kind}, {"where": f"kind = {kind}"}):
        found = similar(store, vector=vector, k=k, **condition)
        assert len(found) == min(k, exist)
        assert set(found.to_arrow()["kind"].to_pylist()) == {kind}


def test_fewer_rows_than_k_are_said(store: Store) -> None:
    found = similar(store, change="c00001", k=700)
    assert len(found) == 599
    assert (
        found.note
        == "599 rows pass the conditions and can be compared, 700 were asked for"
    )


def test_no_rows_are_an_answer(store: Store) -> None:
    found = similar(store, change="c00001", bbox=(50, 10, 51, 11))
    assert len(found) == 0
    assert found.note is not None
    for conditions in ({"within": shapely.box(50, 10, 51, 11)}, {"where": "false"}):
        assert len(similar(store, change="c00001", **conditions)) == 0
    assert (
        len(
            similar(
                store,
                vector=np.ones(DIMENSIONS),
                target="observations",
                bbox=(50, 10, 51, 11),
            )
        )
        == 0
    )


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


@given(scale=st.sampled_from([2.0**-14, 0.25, 4.0]), seed=st.integers(0, 20))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_length_of_the_example_does_not_matter(
    store: Store, scale: float, seed: int
) -> None:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
    a, b = (similar(store, vector=v, k=50).to_arrow() for v in (vector, vector * scale))
    assert a["change_id"].equals(b["change_id"])


def test_opposite_is_two_and_same_is_zero(store: Store, changes: pa.Table) -> None:
    vector = stack(changes, "delta")[17]
    same = similar(store, vector=vector, k=1).rows()[0]
    assert (same["change_id"], same["distance"]) == (
        "c00017",
        pytest.approx(0, abs=1e-12),
    )
    last = similar(store, vector=-vector, k=600).rows()[-1]
    assert (last["change_id"], last["distance"]) == ("c00017", pytest.approx(2.0))


def observed(embeddings: pa.Table, patch: str, day: str) -> np.ndarray:
    at = [
        i
        for i, (p, t) in enumerate(
            zip(
                embeddings["patch_id"].to_pylist(),
                embeddings["datetime"].to_pylist(),
                strict=True,
            )
        )
        if p == patch and f"{t:%Y-%m-%d}" == day
    ]
    return stack(embeddings, "embedding")[at[0]]


def test_patch_and_date_stand_for_the_step_to_that_observation(
    store: Store, embeddings: pa.Table
) -> None:
    after = observed(embeddings, "p0005", "2018-04-10")
    step = after - observed(embeddings, "p0005", "2018-01-10")
    for on, vector in (("delta", step), ("after", after)):
        asked = similar(store, patch="p0005", date="2018-04-10", on=on, k=20).to_arrow()
        given_ = similar(store, vector=vector, on=on, k=20).to_arrow()
        assert asked["change_id"].equals(given_["change_id"])


@pytest.mark.parametrize("on", ["after", "before"])
def test_observations_are_searched_too(
    store: Store, embeddings: pa.Table, on: Any
) -> None:
    day = {"after": "2018-04-10", "before": "2018-01-10"}[on]
    found = similar(
        store,
        patch="p0005",
        date="2018-04",
        on=on,
        target="observations",
        k=30,
        within=TRIANGLE,
        between="2018-07",
    ).to_arrow()
    vector = observed(embeddings, "p0005", day)
    vectors = stack(embeddings, "embedding")
    patches = patches_table()
    touched = shapely.intersects(
        TRIANGLE, shapely.from_wkb(patches["geometry"].to_pylist())
    )
    inside = set(np.array(patches["patch_id"].to_pylist())[touched])
    distance = 1 - vectors @ vector / np.linalg.norm(vectors, axis=1) / np.linalg.norm(
        vector
    )
    keys = list(
        zip(
            embeddings["patch_id"].to_pylist(),
            embeddings["datetime"].to_pylist(),
            strict=True,
        )
    )
    order = [
        i
        for i in np.argsort(distance)
        if keys[i][0] in inside and keys[i][1].month == 7
    ]
    assert list(
        zip(found["patch_id"].to_pylist(), found["datetime"].to_pylist(), strict=True)
    ) == [keys[i] for i in order[:30]]
    assert {"longitude", "latitude", "bbox", "geometry"} <= set(found.schema.names)


def test_observations_take_sql_conditions_on_scene_and_place(store: Store) -> None:
    found = similar(
        store,
        vector=np.ones(DIMENSIONS),
        target="observations",
        k=1000,
        where="cloud_percent = 20 AND longitude < 3.05",
    )
    assert len(found) == 5 * 12
    assert {row["datetime"].month for row in found.rows()} == {4}


def test_the_example_itself_is_left_out_where_asked(store: Store) -> None:
    key = ("p0005", "2018-04")
    for exclude, first in ((True, False), (False, True)):
        found = similar(
            store,
            patch=key[0],
            date=key[1],
            on="after",
            target="observations",
            k=600,
            exclude_self=exclude,
        )
        assert (found.rows()[0]["patch_id"] == "p0005") == first
        assert len(found) == 576 - exclude


def test_an_event_stands_for_its_strongest_change(make: Callable[..., Store]) -> None:
    rows = changes_table(50)
    at = rows.schema.get_field_index("event_id")
    events = pa.array([f"e{i // 10}" for i in range(50)])
    rows = rows.set_column(at, "event_id", events)
    strongest = int(np.argmax(rows["score"].to_numpy()[20:30])) + 20
    store = make(**{f"changes_{SUFFIX}": rows})
    by_event, by_change = (
        similar(store, event="e2"),
        similar(store, change=f"c{strongest:05d}"),
    )
    assert by_event.to_arrow().equals(by_change.to_arrow())
    with pytest.raises(
        QueryError, match=r"no event 'e9' among the changes of toy-v1.0"
    ):
        similar(store, event="e9")


def test_vectors_come_when_asked_for(store: Store) -> None:
    plain, full = (
        similar(store, change="c00001", vectors=v).to_arrow() for v in (False, True)
    )
    assert set(full.schema.names) - set(plain.schema.names) == {
        "before",
        "after",
        "delta",
    }
    assert full["delta"].type == pa.list_(pa.float32(), DIMENSIONS)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"k": 0}, r"k must be between 1 and 100,000, got 0"),
        ({"k": -3}, r"got -3"),
        ({"k": K_MAX + 1}, r"got 100001"),
        ({"change": None}, "expected one example"),
        ({"patch": "p0001"}, "expected one example"),
        (
            {"change": "c9"},
            r"no change 'c9' among the changes of toy-v1.0; ids look like c00000",
        ),
        (
            {"on": "shape"},
            "on must be one of delta, after, before, before.after, got 'shape'",
        ),
        ({"target": "scenes"}, "target must be changes or observations"),
        (
            {"target": "observations", "on": "delta"},
            "on must be after or before, got 'delta'",
        ),
        ({"target": "observations", "kind": 1}, "observations have no kind"),
        (
            {"model": "clay"},
            "the archive has no changes of clay, it has changes_toy_v1_0",
        ),
        ({"where": "scor > 1"}, 'Candidate bindings: "score"'),
        ({"where": "score > 1) OR (true"}, "SQL cannot be answered"),
        ({"where": "score > 1; DROP VIEW changes"}, "SQL "),
        ({"where": "score > (SELECT count(*) FROM glob('/*'))"}, r"got glob\(\)"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_what_cannot_be_asked_is_said(
    store: Store, given_: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        similar(store, **{"change": "c00001", **given_})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"vector": np.ones(5)}, "expected a vector of 8 numbers for delta, got 5"),
        (
            {"vector": np.ones(8), "on": "before+after"},
            "expected a vector of 16 numbers for before.after, got 8",
        ),
        ({"vector": np.full(8, np.nan)}, "got NaN or infinity"),
        ({"vector": np.ones((2, 4))}, r"array of shape \(2, 4\)"),
        ({"vector": ["a"] * 8}, "expected a vector of numbers"),
        (
            {"vector": np.zeros(8)},
            "the vector has no direction to compare: its delta is zero",
        ),
        ({"patch": "p0001"}, "patch and date belong together"),
        (
            {"patch": "nowhere", "date": "2018"},
            "no observation of patch 'nowhere' under toy-v1.0; ids look like p0000",
        ),
        ({"patch": "p0001", "date": "May"}, "expected a period such as"),
        (
            {"patch": "p0001", "date": "2018-05"},
            "not seen in 2018-05; nearest: 2018-04-10 and 2018-07-10",
        ),
        ({"patch": "p0001", "date": "2019"}, "not seen in 2019; nearest: 2018-10-10$"),
        (
            {"patch": "p0001", "date": "2018-01"},
            "patch p0001 on 2018-01-10 has no delta to compare",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(
    store: Store, given_: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        similar(store, **given_)


def test_a_change_that_did_not_move_has_no_direction(
    make: Callable[..., Store],
) -> None:
    values = np.ones((5, DIMENSIONS), np.float16)
    values[2] = 0
    store = make(**{f"changes_{SUFFIX}": changes_table(5, values=values)})
    with pytest.raises(QueryError, match="change c00002 has no direction"):
        similar(store, change="c00002")


def test_a_change_of_another_model_is_never_compared(
    make: Callable[..., Store],
) -> None:
    store = make(
        **{f"changes_{SUFFIX}": changes_table(5), "changes_clay": changes_table(9)}
    )
    with pytest.raises(QueryError, match=r"is in changes_clay, not of model toy-v1.0"):
        similar(store, change="c00008")


def test_an_archive_without_changes_says_what_makes_them(
    make: Callable[..., Store],
) -> None:
    with pytest.raises(
        QueryError, match="has none of any model; run terradrift detect first"
    ):
        similar(make(), change="c00001")


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

    assert len(nearest.nearest(batches(), query, 50, threads=2)) == 50
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
