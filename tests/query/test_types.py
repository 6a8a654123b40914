"""Columns of every type of DuckDB in every form: what is right, or one clear line."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import polars as pl
import pyarrow.parquet as pq
import pytest

from terradrift.cli import answer
from terradrift.errors import QueryError
from terradrift.query import write
from terradrift.query.sql.ask import sql
from terradrift.query.sql.limits import Limits
from terradrift.store.tables import Store

POINT = {"type": "Point", "coordinates": [1.0, 2.0]}
TYPES: dict[str, tuple[str, Any]] = {
    "interval": ("INTERVAL '3 days 10 minutes 16 seconds'", "3 days 00:10:16"),
    "hugeint": ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1),
    "uhugeint": (f"{2**128 - 1}::UHUGEINT", str(2**128 - 1)),
    "uuid": (
        "'12345678-1234-1234-1234-123456789012'::UUID",
        f"12345678{'-1234' * 4}56789012",
    ),
    "time": ("TIME '10:11:12.5'", "10:11:12.500000"),
    "timetz": ("'10:11:12+02'::TIMETZ", "10:11:12+02"),
    "decimal": ("1.25::DECIMAL(9, 2)", "1.25"),
    "enum": ("'a'::ENUM ('a', 'b')", "a"),
    "map": ("MAP {'a': INTERVAL 1 DAY}", {"a": "1 day"}),
    "map of days": ("MAP {DATE '2018-01-02': 1}", {"2018-01-02": 1}),
    "list": ("[INTERVAL 1 DAY, NULL]", ["1 day", None]),
    "struct": (
        "{'a \"b': 1, 'size': {'c': [1, 2], 'd': INTERVAL 1 DAY}}",
        {'a "b': 1, "size": {"c": [1, 2], "d": "1 day"}},
    ),
    "row": ("row(1, INTERVAL 1 DAY)", {"v1": 1, "v2": "1 day"}),
    "blob": (r"'\xAAA'::BLOB", "aa41"),
    "bit": ("'0101'::BIT", "0101"),
    "date": ("DATE '2018-01-02'", "2018-01-02"),
    "nanoseconds": (
        "'2018-01-02 03:04:05.123456789'::TIMESTAMP_NS",
        "2018-01-02T03:04:05.123456789",
    ),
    "instant": ("'2018-01-02 03:04:05'::TIMESTAMPTZ", "2018-01-02T03:04:05Z"),
    "null": ("NULL", None),
    "union": ("union_value(n := 2)", "2"),
    "place": ("ST_Point(1, 2)", POINT),
    "json": ("""'{"a":1}'::JSON""", '{"a":1}'),
    "not a number": ("'nan'::DOUBLE", None),
}
"""An expression, and its value in JSON."""

CSV = {
    "instant": "2018-01-02 03:04:05.000000Z",
    "nanoseconds": "2018-01-02 03:04:05.123456789",
    "null": "",
    "not a number": "nan",
    "place": "POINT (1 2)",
}
"""Where text differs from what JSON has."""


@pytest.fixture(scope="module", params=TYPES)
def case(request: pytest.FixtureRequest, store: Store) -> tuple[str, Any]:
    query = f"SELECT {TYPES[request.param][0]} AS v, ST_Point(3, 50) AS geometry"
    return request.param, sql(store, query)


def test_json_has_the_value(case: tuple[str, Any]) -> None:
    name, relation = case
    (line,) = write.json_lines(relation)
    assert json.loads(line)["v"] == TYPES[name][1]


def test_csv_has_it_as_text(case: tuple[str, Any], tmp_path: Path) -> None:
    name, relation = case
    relation.export(tmp_path / "a.csv")
    (row,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    wanted = TYPES[name][1]
    if name in CSV:
        assert row["v"] == CSV[name]
    elif isinstance(wanted, dict | list):
        assert json.loads(row["v"]) == wanted
    else:
        assert row["v"] == str(wanted)


@pytest.mark.parametrize("form", answer.FORMATS)
def test_every_form_is_printed(
    case: tuple[str, Any], form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    answer.give(case[1], form=form, output=None)
    said = capfd.readouterr()
    # A table shows neither bytes nor places, and says so.
    assert "v" in said.out or said.err.startswith("not shown: v")
    assert len(said.err.splitlines()) <= 1


def test_files_and_frames_hold_it(case: tuple[str, Any], tmp_path: Path) -> None:
    name, relation = case
    relation.export(tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet")["v"].length() == 1
    relation.export(tmp_path / "a.gpkg")
    assert len(gpd.read_file(tmp_path / "a.gpkg")) == 1
    frame = relation.pl()
    assert isinstance(frame, pl.DataFrame)
    if name == "interval":
        assert frame["v"].to_list() == ["3 days 00:10:16"]
    if name not in ("uhugeint", "timetz"):  # pandas has no such types
        assert len(relation.df()) == 1


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl", ".json", ".gpkg"])
def test_no_rows_of_any_type_are_written(
    store: Store, tmp_path: Path, ending: str
) -> None:
    listed = ", ".join(
        f"{text} AS c{at}" for at, (text, _) in enumerate(TYPES.values())
    )
    query = f"SELECT {listed}, ST_Point(3, 50) AS geometry LIMIT 0"
    assert sql(store, query).export(tmp_path / f"a{ending}") == 0


@pytest.mark.parametrize("form", ["table", "jsonl", "markdown"])
def test_what_python_has_no_value_for_is_one_line(store: Store, form: str) -> None:
    relation = sql(store, "SELECT DATE '0044-03-15 (BC)' AS v")
    with pytest.raises(QueryError, match=r"out of range; cast the column") as caught:
        answer.give(relation, form=form, output=None)
    assert "\n" not in str(caught.value)


WAYS: dict[str, Callable[[Any], list[str]]] = {
    "columns": lambda relation: list(relation.columns),
    "arrow": lambda relation: list(relation.to_arrow().column_names),
    "df": lambda relation: list(relation.df()),
    "pl": lambda relation: list(relation.pl().columns),
    "numpy": lambda relation: list(relation.fetchnumpy()),
    "json": lambda relation: list(json.loads(next(write.json_lines(relation)))),
    "geopandas": lambda relation: list(relation.to_geopandas()),
    "shown": lambda relation: list(write.shown(relation)),
}


@pytest.mark.parametrize("limits", [Limits(), Limits(rows=5)])
@pytest.mark.parametrize("way", WAYS)
def test_columns_of_one_name_are_told_apart_everywhere(
    store: Store, way: str, limits: Limits
) -> None:
    query = """
        SELECT c.kind, d.kind, c.geometry, d.geometry, c.onset - d.onset AS kind
        FROM changes c JOIN changes d USING (change_id)
    """
    wanted = ["kind", "kind_1", "geometry", "geometry_1", "kind_2"]
    found = WAYS[way](sql(store, query, limits))
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("ending", [".csv", ".gpkg", ".parquet", ".jsonl"])
def test_columns_of_one_name_are_written(
    store: Store, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"a{ending}"
    query = "SELECT * FROM changes c JOIN changes d USING (change_id) LIMIT 2"
    relation = sql(store, query)
    assert relation.export(path) == 2
    if ending == ".parquet":
        names = pq.read_schema(path).names
        assert len(set(names)) == len(names) == len(relation.columns)
        assert len(gpd.read_parquet(path)) == 2
    left = "left out: before (vector of 8)" in (relation.note or "")
    assert left == (ending in (".csv", ".gpkg"))


@pytest.mark.parametrize("ending", [".csv", ".gpkg", ".parquet"])
@pytest.mark.parametrize("columns", ["delta", "delta, geometry"])
def test_vectors_alone_are_said_to_be_left_out(
    store: Store, tmp_path: Path, ending: str, columns: str
) -> None:
    relation = sql(store, f"FROM changes SELECT {columns} LIMIT 3")
    if ending == ".gpkg" and "geometry" not in columns:
        with pytest.raises(QueryError, match="expected a WKB column geometry"):
            relation.export(tmp_path / f"a{ending}")
        return
    assert relation.export(tmp_path / f"a{ending}") == 3
    left = "left out: delta (vector of 8); use .parquet or .jsonl"
    assert relation.note == (None if ending == ".parquet" else left)
