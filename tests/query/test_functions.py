"""Functions of our domain in SQL, with the spatial extension and without."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import shapely

from terradrift import schema
from terradrift.errors import QueryError
from terradrift.query.between import drift_between
from terradrift.query.search.similar import similar
from terradrift.query.sql import sandbox
from terradrift.query.sql.ask import connect, sql
from terradrift.query.sql.described import VIEWS
from terradrift.query.sql.limits import Limits
from terradrift.query.sql.meanings.functions import FUNCTIONS
from terradrift.space import fit
from terradrift.store import spaces
from terradrift.store.tables import Store
from tests.query.conftest import (
    DAYS,
    MODEL,
    SUFFIX,
    changes_table,
    embeddings_table,
    instants,
    patches_table,
    table,
)

SQUARE = shapely.to_geojson(shapely.box(3.001, 50.001, 3.029, 50.019))


@pytest.fixture(scope="module", params=["spatial", "no spatial"])
def ask(
    request: pytest.FixtureRequest, store: Store
) -> Iterator[Callable[..., pa.Table]]:
    """Rows of a statement on a sealed connection of its own."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "no spatial":
            patch.setattr(sandbox, "spatial_file", lambda: None)
        connection = connect(store, threads=2)

    def rows(text: str, *values: object) -> pa.Table:
        sandbox.check(connection, text)
        return connection.execute(text, list(values)).to_arrow_table()

    yield rows
    connection.close()


def observed(
    embeddings: pa.Table, patch: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Instants, clearness and vectors of a patch."""
    rows = embeddings.filter(pa.compute.field("patch_id") == patch).sort_by("datetime")
    vectors = np.stack(rows["embedding"].to_numpy(zero_copy_only=False))
    when = rows["datetime"].to_numpy().astype("M8[us]")
    return when, rows["clear_percent"].to_numpy(), vectors.astype(np.float64)


def nearest(embeddings: pa.Table, patch: str, at: np.datetime64) -> int | None:
    """The slow way to the clear observation nearest to an instant."""
    when, clear, _ = observed(embeddings, patch)
    kept = [i for i in range(len(when)) if clear[i] >= 70]
    return min(kept, key=lambda i: (abs(when[i] - at), when[i])) if kept else None


def between(embeddings: pa.Table, patch: str, one: str, two: str) -> float | None:
    first, second = (
        nearest(embeddings, patch, np.datetime64(at, "us")) for at in (one, two)
    )
    if first is None or first == second:
        return None
    vectors = observed(embeddings, patch)[2]
    a, b = vectors[first], vectors[second]
    return float(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_every_view_and_function_is_there_in_both_ways(
    ask: Callable[..., pa.Table],
) -> None:
    for view in VIEWS:
        assert ask(f"FROM {view} LIMIT 3").schema.names == list(VIEWS[view].columns)
    made = ask(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE NOT internal"
    )
    ours = {name for name in made["function_name"].to_pylist() if name[-1] != "_"}
    assert set(FUNCTIONS) <= ours
    assert not {name for name in ours - set(FUNCTIONS) if not name.startswith("st_")}


def test_drift_between_is_that_of_the_nearest_clear_observations(
    ask: Callable[..., pa.Table], embeddings: pa.Table
) -> None:
    query = "SELECT patch_id, drift_between(patch_id, ?, ?) AS d FROM patches ORDER BY patch_id"
    for one, two in [
        ("2018-01-01", "2018-12-01"),
        ("2018-02-24", "2018-05-25"),  # as far from two days
        ("2018-04-10", "2018-04-11"),
    ]:
        rows = ask(query, one, two).to_pylist()
        wanted = [between(embeddings, row["patch_id"], one, two) for row in rows]
        got = [row["d"] for row in rows]
        assert [d is None for d in got] == [d is None for d in wanted]
        np.testing.assert_allclose(
            [d for d in got if d is not None],
            [d for d in wanted if d is not None],
            atol=1e-9,
        )
    assert None in got


def test_drift_between_takes_texts_dates_and_timestamps(
    ask: Callable[..., pa.Table],
) -> None:
    query = "SELECT drift_between('p0003', ?, ?)"
    forms = [
        ("2018-01-01", "2018-10-10"),
        (date(2018, 1, 1), date(2018, 10, 10)),
        (datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 10, 10)),  # noqa: DTZ001
    ]
    answers = {ask(query, *form).column(0)[0].as_py() for form in forms}
    assert len(answers) == 1
    assert answers != {None}


@pytest.mark.parametrize(
    "call",
    [
        "drift_between(NULL, '2018-01-01', '2018-10-10')",
        "drift_between('p0003', NULL, '2018-10-10')",
        "drift_between('p0003', '2018-01-01', NULL::TIMESTAMP)",
        "drift_between('p0003', '2018-01-01', '2018-01-01')",
        "first_change(NULL)",
        "within(geometry, NULL)",
        """within(NULL, '{"type": "Point", "coordinates": [3, 50]}')""",
    ],
)
def test_null_in_null_out(ask: Callable[..., pa.Table], call: str) -> None:
    query = f"SELECT {call} FROM patches LIMIT 1"  # noqa: S608 - calls of this file
    assert ask(query).column(0)[0].as_py() is None


@pytest.mark.parametrize("call", ["series(NULL)", "similar_changes(NULL, 3)"])
def test_rows_of_null_are_none(ask: Callable[..., pa.Table], call: str) -> None:
    assert ask(f"FROM {call}").num_rows == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "FROM series('p9999')",
            "no patch 'p9999' in the archive; ids look like p0000",
        ),
        (
            "SELECT drift_between('x', '2018-01-01', '2018-02-01')",
            "no patch 'x' in the",
        ),
        (
            "SELECT drift_between('p0001', 'soon', '2018-02-01')",
            '"soon", expected format',
        ),
        (
            "FROM similar_changes('nosuch', 3)",
            "no change 'nosuch' among the changes of",
        ),
        ("FROM similar_changes('c00001', 0)", "k must be between 1 and 100,000, got 0"),
        (
            "FROM similar_changes('c00001', 3, mode := 'up')",
            "mode must be one of delta",
        ),
        ("FROM patches WHERE within(geometry, '[]')", "GeoJSON"),
        ("FROM patches WHERE within(geometry, '\"/etc/passwd\"')", "GeoJSON"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(store: Store, query: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        sql(store, query).fetchall()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "UDF" not in str(caught.value)


def test_a_region_that_cannot_be_read_is_named_without_spatial_too(
    ask: Callable[..., pa.Table],
) -> None:
    for wrong in ("[]", '"/etc/passwd"', "x"):
        with pytest.raises(duckdb.Error, match="GeoJSON"):
            ask("SELECT count(*) FROM patches WHERE within(geometry, ?)", wrong)


def test_within_finds_the_same_squares_in_both_ways(
    ask: Callable[..., pa.Table],
) -> None:
    found = ask(
        "SELECT patch_id FROM patches WHERE within(geometry, ?) ORDER BY 1", SQUARE
    )
    wanted = ["p0000", "p0001", "p0002", "p0012", "p0013", "p0014"]
    assert found["patch_id"].to_pylist() == wanted
    of_changes = ask("SELECT count(*) FROM changes WHERE within(geometry, ?)", SQUARE)
    one_by_one = ask(
        "SELECT count(*) FROM changes WHERE patch_id IN (SELECT unnest(?))", wanted
    )
    assert of_changes.equals(one_by_one)


@pytest.mark.parametrize(
    "mode", ["delta", "before-after", "after", "reverse", "before"]
)
def test_similar_changes_gives_the_rows_of_the_search(
    ask: Callable[..., pa.Table], store: Store, mode: str
) -> None:
    got = ask("FROM similar_changes('c00007', 12, mode := ?)", mode)
    wanted = similar(store, change="c00007", k=12, mode=mode).to_arrow()  # type: ignore[arg-type]
    assert sorted(got.column_names) == sorted(wanted.column_names)
    names = [name for name in wanted.column_names if name != "geometry"]
    assert got.select(names).to_pylist() == wanted.select(names).to_pylist()


def test_similar_changes_of_many_rows(
    ask: Callable[..., pa.Table], store: Store
) -> None:
    query = """
        SELECT c.change_id AS example, m.rank, m.change_id
        FROM (FROM changes WHERE change_id < 'c00004') c, similar_changes(c.change_id, 3) m
        ORDER BY ALL
    """
    wanted = [
        {"example": one, "rank": row["rank"], "change_id": row["change_id"]}
        for one in ("c00000", "c00001", "c00002", "c00003")
        for row in similar(store, change=one, k=3).rows()
    ]
    assert ask(query).to_pylist() == wanted


def scored(embeddings: pa.Table) -> pa.Table:
    """Scores of half of the observations."""
    rows = embeddings.select(["patch_id", "datetime", "tile", "clear_percent"])
    kept = rows.take(pa.array(range(0, len(rows), 2)))
    columns = {name: kept[name].combine_chunks() for name in kept.column_names}
    drift = pa.array(np.linspace(0, 2, len(kept)))
    return table({**columns, "drift": drift}, schema.scores())


def test_series_joins_observations_and_scores_once(
    make: Callable[..., Store], embeddings: pa.Table
) -> None:
    scores = scored(embeddings)
    store = make(
        patches=patches_table(),
        **{f"embeddings_{SUFFIX}": embeddings, f"scores_{SUFFIX}": scores},
    )
    for patch in ("p0000", "p0143"):
        rows = sql(store, "FROM series($p)", p=patch).to_arrow().to_pylist()
        seen = embeddings.filter(pa.compute.field("patch_id") == patch).sort_by(
            "datetime"
        )
        drift = {
            row["datetime"]: row["drift"]
            for row in scores.filter(pa.compute.field("patch_id") == patch).to_pylist()
        }
        assert [row["datetime"] for row in rows] == seen["datetime"].to_pylist()
        assert [row["scene_id"] for row in rows] == seen["scene_id"].to_pylist()
        assert [row["drift"] for row in rows] == [
            drift.get(day) for day in seen["datetime"].to_pylist()
        ]
    query = "SELECT count(*), count(drift) FROM patches, series(patch_id)"
    assert sql(store, query).fetchall() == [(len(embeddings), len(scores))]


def test_first_last_and_largest_change_of_each_patch(
    ask: Callable[..., pa.Table], changes: pa.Table
) -> None:
    # Arguments are named as columns of the tables inside, which must not catch them.
    query = """
        SELECT patch_id, first_change(patch_id).change_id AS first,
               last_change(patch_id).change_id AS last,
               largest_change(patch_id).change_id AS largest
        FROM patches ORDER BY patch_id
    """
    for row in ask(query).to_pylist():
        own = changes.filter(
            pa.compute.field("patch_id") == row["patch_id"]
        ).to_pylist()
        assert row["first"] == min(own, key=lambda one: one["onset"])["change_id"]
        assert row["last"] == max(own, key=lambda one: one["onset"])["change_id"]
        assert row["largest"] == max(own, key=lambda one: one["score"])["change_id"]


def test_conditions_of_a_search_may_call_functions_of_places_and_changes(
    ask: Callable[..., pa.Table], store: Store
) -> None:
    for condition in (
        f"within(geometry, '{SQUARE}')",
        "largest_change(patch_id).change_id = change_id",
    ):
        found = similar(store, change="c00007", k=600, where=condition, exclude="none")
        rows = ask(f"SELECT change_id FROM changes WHERE {condition}")  # noqa: S608
        wanted = set(rows["change_id"].to_pylist())
        assert {row["change_id"] for row in found.rows()} == wanted
        assert wanted


def test_a_patch_without_changes_has_none_of_them(make: Callable[..., Store]) -> None:
    store = make(patches=patches_table(), **{f"changes_{SUFFIX}": changes_table(1)})
    query = "SELECT count(largest_change(patch_id)) FROM patches"
    assert sql(store, query).fetchall() == [(1,)]


def test_functions_say_what_is_missing_in_an_empty_archive(
    make: Callable[..., Store],
) -> None:
    store = make()
    for query, said in [
        ("FROM similar_changes('c', 3)", "run terradrift detect first"),
        ("SELECT drift_between('p', now(), now())", "run terradrift ingest first"),
    ]:
        with pytest.raises(QueryError, match=said):
            sql(store, query).fetchall()
    assert sql(store, "SELECT largest_change('p')").fetchall() == [(None,)]


def test_drift_is_taken_in_the_space_that_the_archive_compares_in(
    make: Callable[..., Store], embeddings: pa.Table
) -> None:
    store = make(patches=patches_table(), **{f"embeddings_{SUFFIX}": embeddings})
    query = "SELECT drift_between('p0003', '2018-01-10', '2018-10-10')"
    ((raw,),) = sql(store, query).fetchall()
    vectors = np.stack(embeddings["embedding"].to_numpy(zero_copy_only=False))
    space = fit("whiten", [vectors.astype(np.float32)], vectors.shape[1], 1)
    spaces.choose(store, MODEL, space)
    ((inside,),) = sql(store, query).fetchall()
    at = [
        nearest(embeddings, "p0003", np.datetime64(day, "us"))
        for day in ("2018-01-10", "2018-10-10")
    ]
    a, b = space.place(
        observed(embeddings, "p0003")[2][np.array(at, int)].astype(np.float32)
    )
    wanted = 1 - float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))
    assert inside == pytest.approx(wanted, abs=1e-6)
    assert inside != pytest.approx(raw, abs=1e-3)
    assert drift_between(store, "p0003", "2018-01-10", date(2018, 10, 10)) == inside


def test_an_answer_is_of_the_tables_that_the_connection_opened(
    make: Callable[..., Store], embeddings: pa.Table
) -> None:
    name = f"embeddings_{SUFFIX}"
    store = make(patches=patches_table(), **{name: embeddings})
    connection = connect(store)
    query = "SELECT drift_between('p0003', '2018-01-10', '2018-10-10')"
    before = connection.execute(query).fetchone()
    store.overwrite(name, embeddings_table(seed=9))
    assert connection.execute(query).fetchone() == before
    assert sql(store, query).fetchone() != before


def test_a_patch_that_was_never_clear_has_no_drift(make: Callable[..., Store]) -> None:
    seen = table(
        {
            "patch_id": pa.array(["p0000"] * 4),
            "datetime": instants(DAYS),
            "tile": pa.array(["t0"] * 4),
            "clear_percent": pa.array([10.0, 69.9, None, 90.0]),
            "embedding": embeddings_table()["embedding"].combine_chunks()[:4],
        },
        schema.embeddings(8, model=MODEL, revision="1"),
    )
    store = make(patches=patches_table(), **{f"embeddings_{SUFFIX}": seen})
    query = "SELECT drift_between(patch_id, '2018-01-01', '2019-01-01') FROM patches LIMIT 2"
    assert sql(store, query).fetchall() == [(None,), (None,)]


def test_threads_and_cursors_of_one_instance_get_the_same_answers(store: Store) -> None:
    queries = [
        "SELECT sum(drift_between(patch_id, '2018-01-01', '2018-12-01')) FROM patches",
        "SELECT list(change_id ORDER BY rank) FROM similar_changes('c00003', 20)",
        "SELECT count(*) FROM patches, series(patch_id)",
        "SELECT sum(largest_change(patch_id).score) FROM patches",
    ] * 4
    alone = [sql(store, query).fetchall() for query in queries[:4]] * 4
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda query: sql(store, query).fetchall(), queries))
    for ((one,),), ((other,),) in zip(alone, together, strict=True):
        assert other == (pytest.approx(one) if isinstance(one, float) else one)


def test_searches_of_many_rows_stop_when_their_time_is_over(store: Store) -> None:
    # All 600 are of one vector of rows: DuckDB's interrupt waits until it is done.
    query = "SELECT count(*) FROM changes c, similar_changes(c.change_id, 50) m"
    answer = sql(store, query, Limits(seconds=0.5))
    start = time.monotonic()
    with pytest.raises(QueryError, match=r"longer than 0\.5 s"):
        answer.fetchall()
    assert time.monotonic() - start < 3
    # Others of the same instance go on.
    assert sql(store, "FROM similar_changes('c00001', 5)").to_arrow().num_rows == 5
