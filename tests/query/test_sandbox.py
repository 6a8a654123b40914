"""SQL reads the tables and nothing else."""

from pathlib import Path

import duckdb
import pytest

from terradrift.errors import QueryError
from terradrift.query.sql import sandbox
from terradrift.query.sql.ask import connect, run, sql
from terradrift.store.tables import Store

WRITES = [
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE VIEW t AS SELECT 1",
    "CREATE OR REPLACE VIEW changes AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE SECRET s (TYPE s3)",
    "CREATE SCHEMA s",
    "INSERT INTO changes SELECT * FROM changes",
    "UPDATE changes SET score = 1",
    "DELETE FROM changes",
    "TRUNCATE changes",
    "DROP VIEW changes",
    "ALTER VIEW changes RENAME TO c",
    "COMMENT ON VIEW changes IS 'mine'",
    "MERGE INTO changes USING runs ON true WHEN MATCHED THEN DELETE",
    "COPY (SELECT 1) TO 'out.csv'",
    "COPY changes TO 'out.parquet'",
    "COPY changes FROM 'in.csv'",
    "EXPORT DATABASE 'out'",
    "IMPORT DATABASE 'in'",
    "VACUUM",
    "ANALYZE",
    "CHECKPOINT",
    "BEGIN",
    "COMMIT",
    "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'out.csv'",
    "EXPLAIN (ANALYZE) DELETE FROM changes",
    "EXPLAIN /* x */ ANALYZE INSERT INTO changes SELECT * FROM changes",
    "/* SELECT */ CREATE TABLE t AS SELECT 1",
    "SELECT write_log('x')",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "SELECT 1; DROP VIEW changes",
    "SELECT 1; SELECT 2",
]
SETTINGS = [
    "SET enable_external_access = true",
    "SET GLOBAL lock_configuration = false",
    "RESET memory_limit",
    "SET VARIABLE v = 1",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "PRAGMA threads = 64",
    "USE memory",
    "CALL enable_logging(storage_path = 'log.csv')",
    "CALL pragma_version()",
    "FROM enable_logging()",
    "FROM disable_logging()",
    "FROM enable_profiling()",
    "FROM duckdb_secrets()",
    "FROM duckdb_settings()",
]
OUTSIDE = [
    "ATTACH 'other.db'",
    "ATTACH ':memory:' AS m",
    "DETACH memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL spatial",
    "UPDATE EXTENSIONS",
    "FROM read_csv('{file}')",
    "FROM read_csv_auto('{file}')",
    "FROM read_text('{file}')",
    "FROM read_blob('{file}')",
    "FROM read_json('{file}')",
    "FROM read_json_objects('{file}')",
    "FROM read_ndjson('{file}')",
    "FROM read_parquet('{file}')",
    "FROM parquet_scan('{file}')",
    "FROM parquet_metadata('{file}')",
    "FROM parquet_kv_metadata('{file}')",
    "FROM sniff_csv('{file}')",
    "FROM glob('/*')",
    "FROM '{file}'",
    'FROM "{file}"',
    "FROM 'https://example.org/x.parquet'",
    "FROM read_parquet('s3://bucket/x.parquet')",
    "FROM ST_Read('{file}')",
    "FROM st_read_meta('{file}')",
    "FROM ST_ReadSHP('{file}')",
    "FROM ST_ReadOSM('{file}')",
    "FROM st_drivers()",
    "FROM query('FROM read_text(''{file}'')')",
    "FROM query_table('changes')",
    "FROM json_execute_serialized_sql('{{}}')",
    "FROM arrow_scan(1, 2, 3)",
    "FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)",
    "FROM arrow_scan_dumb(1::POINTER, 2::POINTER, 3::POINTER)",
    'FROM "pandas_scan"(1::POINTER)',
    "FROM pandas_scan/**/(1::POINTER)",
    "FROM python_map_function(1::POINTER)",
    "FROM seq_scan('changes')",
    "SELECT (SELECT count(*) FROM read_text('{file}'))",
    "SELECT * FROM changes WHERE score > (SELECT count(*) FROM glob('/*'))",
    "WITH x AS (FROM read_text('{file}')) FROM x",
    "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 2 FROM glob('/*')) FROM x",
    "FROM changes ORDER BY (SELECT max(file) FROM glob('/*'))",
    "FROM changes LIMIT (SELECT count(*) FROM glob('/*'))",
    "FROM changes POSITIONAL JOIN glob('/*')",
    "FROM changes, LATERAL (FROM read_text(change_id))",
    "FROM (DESCRIBE FROM read_text('{file}'))",
    "SUMMARIZE FROM read_text('{file}')",
    "PIVOT (FROM glob('/*')) ON file IN ('a') USING count(*)",
    "EXPLAIN SELECT * FROM read_text('{file}')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('{file}')",
    "FROM changes SEMI JOIN (FROM read_blob('{file}')) USING (size)",
    "SELECT 1 UNION ALL SELECT size FROM read_blob('{file}')",
]
READS = [
    "SELECT 1;",
    "  -- a comment\n SELECT 1",
    "/* one */ /* two */ SELECT 1 -- three",
    "FROM changes LIMIT 1",
    "TABLE kinds",
    "VALUES (1), (2)",
    "(SELECT 1)",
    "WITH c AS (FROM changes) SELECT count(*) FROM c",
    "DESCRIBE changes",
    "SHOW TABLES",
    "SUMMARIZE kinds",
    "PIVOT changes ON kind IN (1, 2) USING count(*)",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
    "SELECT * FROM range(3)",
    "SELECT unnest([1, 2])",
    "SELECT count(*) FROM changes a JOIN changes b USING (change_id)",
    "SELECT 'COPY x TO y; read_csv(1)'",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "EXPLAIN (FORMAT json) SELECT 1",
    "EXPLAIN (SELECT 1)",
    "SELECT row_number() OVER (PARTITION BY kind ORDER BY score DESC) FROM changes",
    "SELECT column_name FROM information_schema.columns WHERE table_name = 'changes'",
]


@pytest.fixture(scope="module")
def connection(store: Store) -> duckdb.DuckDBPyConnection:
    return connect(store, threads=1)


@pytest.mark.parametrize("text", WRITES)
def test_statements_that_write_are_refused_in_one_line(
    connection: duckdb.DuckDBPyConnection, text: str
) -> None:
    with pytest.raises(QueryError, match=r"^SQL ") as caught:
        sandbox.check(connection, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", SETTINGS)
def test_statements_that_change_or_show_settings_are_refused(
    connection: duckdb.DuckDBPyConnection, text: str
) -> None:
    with pytest.raises(QueryError, match=r"^SQL here ") as caught:
        sandbox.check(connection, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", OUTSIDE)
def test_statements_that_reach_outside_are_refused(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, text: str
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with pytest.raises(QueryError, match=r"^SQL ") as caught:
        run(connection, text.format(file=secret), {}).fetchall()
    assert "\n" not in str(caught.value)


FILES = [
    text
    for text in OUTSIDE + WRITES + SETTINGS
    if "{file}" in text or text.startswith(("COPY", "EXPORT", "ATTACH"))
]


@pytest.mark.parametrize("text", FILES)
def test_the_sealed_connection_alone_lets_no_file_be_read_or_written(
    connection: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    secret = tmp_path / "secret.csv"
    secret.write_text("canary\n1\n")
    try:
        seen = repr(connection.execute(text.format(file=secret)).fetchall())
    except duckdb.Error:
        seen = ""
    assert "canary" not in seen
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.csv"]


@pytest.mark.parametrize("text", READS)
def test_statements_that_only_read_pass(
    connection: duckdb.DuckDBPyConnection, text: str
) -> None:
    assert run(connection, text, {}).fetchall() is not None


def test_a_pivot_without_values_says_what_to_write(store: Store) -> None:
    with pytest.raises(QueryError, match=r"PIVOT \.\.\. ON column IN"):
        sql(store, "PIVOT changes ON kind USING count(*)")


def test_no_statement_is_not_a_query(store: Store) -> None:
    with pytest.raises(QueryError, match="takes one SELECT statement, got 0"):
        sql(store, " -- nothing")


def test_variables_of_python_are_not_tables(store: Store) -> None:
    import pyarrow as pa

    hidden = pa.table({"a": [1]})
    assert hidden.num_rows == 1
    with pytest.raises(QueryError, match="hidden"):
        sql(store, "FROM hidden")


def test_settings_cannot_be_unlocked_even_unchecked(store: Store) -> None:
    with pytest.raises(duckdb.Error, match="locked"):
        connect(store).execute("SET enable_external_access = true")
