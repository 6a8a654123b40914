"""Lance tables in DuckDB: the same rows as a native table, and no more read than needed."""

from pathlib import Path
from typing import Any

import duckdb
import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.query import lance_scan
from terradrift.query.lance_scan import FloatDataset
from tests.query.conftest import DIMENSIONS, changes_table, vectors

ROWS = 500


class Watched(FloatDataset):
    """Remembers what DuckDB asked for and how many rows came."""

    asked: list[tuple[list[str] | None, str]]

    def scanner(self, columns: Any = None, filter: Any = None, **options: Any) -> Any:  # noqa: A002
        self.asked = [*getattr(self, "asked", []), (columns, str(filter))]
        return super().scanner(columns, filter, **options)


def with_nulls(rows: pa.Table) -> pa.Table:
    rng = np.random.default_rng(3)
    for name in ("kind", "score", "persistence", "onset"):
        column = rows[name].to_pylist()
        for at in rng.choice(len(column), 40, replace=False):
            column[at] = None
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(
            at, rows.schema.field(name), pa.array(column, rows.schema.field(name).type)
        )
    return rows


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return with_nulls(changes_table(ROWS, seed=5))


@pytest.fixture(scope="module")
def table(
    rows: pa.Table, tmp_path_factory: pytest.TempPathFactory
) -> lance.LanceDataset:
    path = tmp_path_factory.mktemp("scan") / "changes.lance"
    return lance.write_dataset(rows, str(path), max_rows_per_file=170)


@pytest.fixture(scope="module")
def both(rows: pa.Table, table: lance.LanceDataset) -> duckdb.DuckDBPyConnection:
    """`lance`: the Lance table; `native`: the same rows in DuckDB's own table."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("lance", FloatDataset(table))
    wanted = lance_scan.float32(rows.schema)
    connection.register("given", rows.cast(wanted))
    connection.execute("CREATE TABLE native AS FROM given")
    return connection


COMPARISONS = st.sampled_from(["<", "<=", ">", ">=", "=", "<>"])
NUMBERS = st.floats(-3, 12, allow_nan=False).map(lambda x: round(x, 3))


def _compare(column: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return st.tuples(COMPARISONS, value).map(
        lambda pair: f"{column} {pair[0]} {pair[1]}"
    )


SIMPLE = st.one_of(
    _compare("kind", st.integers(-2, 5)),
    _compare("score", NUMBERS),
    _compare("longitude", st.floats(2.9, 3.2).map(repr)),
    _compare("bbox.xmin", st.floats(2.9, 3.2).map(repr)),
    _compare("bbox.ymax", st.floats(49.9, 50.2).map(repr)),
    _compare(
        "onset",
        st.integers(1, 12).map(lambda m: f"TIMESTAMPTZ '2018-{m:02d}-15 12:00:00'"),
    ),
    _compare("persistence", st.sampled_from(["'persistent'", "'transient'", "'q'"])),
    st.lists(st.integers(-2, 5), min_size=1, max_size=4).map(
        lambda v: f"kind IN ({', '.join(map(str, v))})"
    ),
    st.lists(st.sampled_from(["'persistent'", "'x'"]), min_size=2, max_size=3).map(
        lambda v: f"persistence IN ({', '.join(v)})"
    ),
    st.sampled_from(["kind", "score", "persistence", "onset", "bbox.xmin"]).map(
        lambda c: f"{c} IS NULL"
    ),
    st.sampled_from(["kind", "score", "persistence", "onset"]).map(
        lambda c: f"{c} IS NOT NULL"
    ),
    st.just("change_id LIKE 'c001%'"),
    st.just("patch_id BETWEEN 'p0010' AND 'p0050'"),
    st.just("onset::DATE = DATE '2018-05-01'"),
    st.just("delta[1] > 0"),
    st.just("list_cosine_distance(delta::FLOAT[], after::FLOAT[]) < 0.8"),
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: f"({p[0]} AND {p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} OR {p[1]})"),
        inner.map(lambda p: f"NOT ({p})"),
    ),
    max_leaves=4,
)
COLUMNS = st.sampled_from(
    [
        "change_id",
        "change_id, delta",
        "change_id, before, after, onset",
        "change_id, bbox",
        "*",
    ]
)


@given(condition=CONDITIONS, columns=COLUMNS)
@settings(max_examples=150, deadline=None)
def test_any_filter_gives_the_rows_of_a_native_table(
    both: duckdb.DuckDBPyConnection, condition: str, columns: str
) -> None:
    query = f"SELECT {columns} FROM {{}} WHERE {condition} ORDER BY change_id"  # noqa: S608
    expected = both.execute(query.format("native")).fetchall()
    assert both.execute(query.format("lance")).fetchall() == expected


@pytest.mark.parametrize(
    "query",
    [
        "SELECT change_id FROM {} ORDER BY score DESC, change_id LIMIT 5",
        "SELECT a.change_id FROM {0} a JOIN {0} b ON a.patch_id = b.patch_id AND a.kind = 1 AND b.kind = 2 ORDER BY 1",
        "SELECT count(*) FROM {} WHERE patch_id IN (SELECT patch_id FROM {} WHERE bbox.xmin < 3.02)",
        "SELECT kind, count(*), max(score) FROM {} GROUP BY kind ORDER BY kind",
        "SELECT change_id FROM {} ORDER BY bbox.xmin, change_id LIMIT 7",
        "SELECT max(delta[2]), min(onset), max(bbox.ymax) FROM {}",
    ],
)
def test_joins_and_orders_give_the_rows_of_a_native_table(
    both: duckdb.DuckDBPyConnection, query: str
) -> None:
    expected = both.execute(query.format("native", "native")).fetchall()
    assert both.execute(query.format("lance", "lance")).fetchall() == expected


def test_duckdb_asks_for_the_columns_and_rows_it_needs(
    table: lance.LanceDataset,
) -> None:
    watched = Watched(table)
    connection = duckdb.connect().register("t", watched)
    connection.execute("SELECT sum(score) FROM t WHERE kind = 3").fetchall()
    ((columns, condition),) = watched.asked
    assert sorted(columns or []) == ["kind", "score"]
    assert condition == "(kind == 3)"


def test_a_filter_on_one_row_reads_the_vectors_of_one_row(
    table: lance.LanceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    plain = lance_scan.scan

    def counted(*args: Any, **kwargs: Any) -> Any:
        for batch in plain(*args, **kwargs):
            read.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(lance_scan, "scan", counted)
    connection = duckdb.connect().register("t", FloatDataset(table))
    query = (
        "SELECT change_id, delta FROM t WHERE bbox.xmin < 3.005 "
        "AND bbox.ymin < 50.005 AND persistence IN ('persistent', 'x')"
    )
    found = connection.execute(query).fetchall()
    assert 0 < len(found) == sum(read) < ROWS / 100


def test_the_plan_shows_filters_in_the_scan(table: lance.LanceDataset) -> None:
    connection = duckdb.connect().register("t", FloatDataset(table))
    query = "EXPLAIN SELECT change_id FROM t WHERE kind = 3 AND bbox.xmin < 3.05"
    ((_, plan),) = connection.execute(query).fetchall()
    assert "Filters" in plan
    assert "FILTER" not in plan.split("ARROW_SCAN")[0]


def test_vectors_are_the_stored_float16_widened(
    both: duckdb.DuckDBPyConnection, rows: pa.Table
) -> None:
    got = both.execute("SELECT delta FROM lance ORDER BY change_id").fetchnumpy()[
        "delta"
    ]
    stored = np.stack(rows["delta"].to_numpy(zero_copy_only=False))
    assert stored.dtype == np.float16
    np.testing.assert_array_equal(np.stack(got), stored.astype(np.float32))


@pytest.mark.parametrize(
    "value", [65504.0, -65504.0, 5.9604645e-08, 6.1035156e-05, 0.0]
)
def test_the_ends_of_float16_survive(tmp_path: Path, value: float) -> None:
    rows = pa.table({"v": vectors(np.full((1, DIMENSIONS), value))})
    table = lance.write_dataset(rows, str(tmp_path / "t.lance"))
    connection = duckdb.connect().register("t", FloatDataset(table))
    assert connection.execute("SELECT v[1] FROM t").fetchall() == [
        (np.float32(np.float16(value)),)
    ]


@given(ids=st.lists(st.integers(0, ROWS - 1), unique=True, max_size=60))
@settings(max_examples=25, deadline=None)
def test_take_gives_rows_in_the_order_asked_for(
    table: lance.LanceDataset, ids: list[int]
) -> None:
    all_rows = table.to_table(columns=["change_id"], with_row_id=True)
    wanted = all_rows.take(pa.array(ids, pa.int64()))
    got = lance_scan.take(table, wanted["_rowid"].to_numpy(), ["change_id", "delta"])
    assert got["change_id"].to_pylist() == wanted["change_id"].to_pylist()
