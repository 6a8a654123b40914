"""Functions of our domain in SQL, with the spatial extension and without."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import shapely

from terradrift import schema
from terradrift.errors import QueryError
from terradrift.query.search.similar import similar
from terradrift.query.sql import deep
from terradrift.query.sql.ask import sql
from terradrift.query.sql.described import VIEWS
from terradrift.query.sql.limits import Limits
from terradrift.query.sql.meanings.functions import FUNCTIONS
from terradrift.store.tables import Store
from tests.query.conftest import (
    SUFFIX,
    changes_table,
    patches_table,
    table,
)

SQUARE = shapely.to_geojson(shapely.box(3.001, 50.001, 3.029, 50.019))


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
    others = ours - set(FUNCTIONS) - deep.SHADOWED
    assert not {name for name in others if not name.startswith("st_")}


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


SQUARES = [shapely.box(3.001, 50.001, 3.009, 50.019), shapely.box(3.02, 50, 3.03, 50.1)]
FEATURES = [
    {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(shape)}
    for shape in SQUARES
]


@pytest.mark.parametrize(
    "given", [FEATURES[0], {"type": "FeatureCollection", "features": FEATURES}]
)
def test_within_reads_regions_as_the_search_does(
    ask: Callable[..., pa.Table], store: Store, given: dict[str, object]
) -> None:
    text = json.dumps(given)
    found = ask("SELECT change_id FROM changes WHERE within(geometry, ?)", text)
    wanted = similar(store, change="c00100", k=600, within=text, exclude="none")
    assert 0 < found.num_rows == len(wanted)
    assert set(found["change_id"].to_pylist()) == {
        row["change_id"] for row in wanted.rows()
    }
    by_row = ask(
        "SELECT DISTINCT change_id FROM changes, (SELECT unnest(?) AS r) WHERE within(geometry, r)",
        [text, text],
    )
    assert by_row.num_rows == found.num_rows


@pytest.mark.parametrize(
    "given",
    [
        {"type": "Polygon", "coordinates": []},
        {
            "type": "Polygon",
            "coordinates": [[[3, 50], [4, 51], [4, 50], [3, 51], [3, 50]]],
        },
        {
            "type": "Polygon",
            "coordinates": [[[300, 50], [310, 50], [310, 51], [300, 50]]],
        },
        {"type": "FeatureCollection", "features": []},
        {"type": "Nothing", "coordinates": "x" * 500},
        {},
    ],
)
def test_within_refuses_regions_as_the_search_does(
    ask: Callable[..., pa.Table], store: Store, given: dict[str, object]
) -> None:
    with pytest.raises(QueryError) as wanted:
        similar(store, change="c00100", within=json.dumps(given))
    with pytest.raises(duckdb.Error) as said:
        ask("FROM changes WHERE within(geometry, ?)", json.dumps(given))
    assert str(wanted.value) in str(said.value)
    with pytest.raises(QueryError) as one_line:
        sql(store, "FROM changes WHERE within(geometry, $r)", r=json.dumps(given)).df()
    assert str(one_line.value) == str(wanted.value)
    assert len(str(one_line.value)) < 300


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


def test_small_functions_work_in_both_ways(ask: Callable[..., pa.Table]) -> None:
    query = """
        SELECT count(*) FILTER (in_bbox(bbox, 3.005, 50.005, 3.015, 50.006)) AS inside,
               min(month_of(onset))::VARCHAR AS month, min(year_month(onset)) AS text,
               max(cosine_distance(delta, delta)) < 1e-6 AS same
        FROM changes
    """
    (row,) = ask(query).to_pylist()
    touched = ask("SELECT count(*) FROM changes WHERE patch_id IN ('p0000', 'p0001')")
    assert row["inside"] == touched.column(0)[0].as_py()
    assert (row["month"], row["text"], row["same"]) == ("2018-04-01", "2018-04", True)
