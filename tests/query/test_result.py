"""What a search gives, in the forms people want."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

import terradrift
from terradrift.errors import QueryError
from terradrift.query import write
from terradrift.query.result import Result
from terradrift.query.search.similar import similar
from terradrift.query.sql.ask import sql
from terradrift.query.sql.limits import Limits
from terradrift.store.tables import Store
from tests.query.conftest import DIMENSIONS


@pytest.fixture(scope="module")
def found(store: Store) -> Result:
    return similar(store, change="c00001", k=25, vectors=True)


@pytest.fixture(params=["table", "relation"])
def rows(request: pytest.FixtureRequest, store: Store, found: Result) -> Any:
    """The same kind of rows from a search and from SQL."""
    if request.param == "table":
        return found.to_arrow()
    return sql(
        store, "SELECT *, 0.5 AS distance FROM changes ORDER BY score DESC LIMIT 25"
    )


def test_frames_and_arrow_hold_the_same_rows(found: Result) -> None:
    frame, places = found.df(), found.to_geopandas()
    assert isinstance(frame, pd.DataFrame)
    assert len(found) == len(frame) == len(places) == 25
    assert places.crs == "OGC:CRS84"
    assert places.geometry.iloc[0].equals(shapely.from_wkb(frame["geometry"].iloc[0]))
    assert str(frame["onset"].dtype) == "datetime64[us, UTC]"


def test_any_arrow_library_reads_a_result(found: Result) -> None:
    assert pa.table(found).equals(found.to_arrow())
    count = duckdb.sql("SELECT count(*) FROM found").fetchall()
    assert count == [(25,)]


def test_polars_holds_the_same_rows(
    found: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found.pl()["change_id"].to_list() == list(found.df()["change_id"])
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(QueryError, match="pip install polars"):
        found.pl()


def test_limits_are_at_the_front() -> None:
    assert terradrift.Limits is Limits
    assert "Limits" in terradrift.__all__


def test_a_result_shows_itself(store: Store, found: Result) -> None:
    assert repr(found) == ("Result of 25 rows, 40 columns, exact, all 600 rows")
    html = found._repr_html_()
    assert "POLYGON" in html
    assert "c0" in html
    short = similar(store, change="c00001", k=25, bbox=(50, 1, 51, 2))
    assert repr(short).endswith(
        "0 of 600 rows pass the filter; none of 600 changes passes bbox; "
        "50.0000,1.0000,51.0000,2.0000 lies outside the archive, which covers "
        "3.0000,50.0000,3.1200,50.1200 (degrees)"
    )
    assert short._repr_html_()


def test_geoparquet_is_read_by_geopandas_and_duckdb(rows: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    assert write.write(rows, path) == 25
    places = gpd.read_parquet(path)
    assert places.crs == "OGC:CRS84"
    assert places.geometry.is_valid.all()
    west, south, _, _ = places.total_bounds
    assert len(gpd.read_parquet(path, bbox=(west, south, west, south))) < 25
    query = "SELECT count(*), max(len(delta)) FROM read_parquet($path)"
    assert duckdb.execute(query, {"path": str(path)}).fetchall() == [(25, DIMENSIONS)]
    geo = json.loads(pq.read_metadata(path).metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"]["geometry"]
    assert column["geometry_types"] == ["Polygon"]
    assert column["bbox"] == pytest.approx(list(places.total_bounds))
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]


def test_parquet_keeps_every_value(found: Result, tmp_path: Path) -> None:
    found.export(tmp_path / "out.parquet")
    back = pq.read_table(tmp_path / "out.parquet")
    for name in found.to_arrow().schema.names:
        assert back[name].to_pylist() == found.to_arrow()[name].to_pylist(), name


def test_large_tables_have_small_row_groups(tmp_path: Path) -> None:
    table = pa.table(
        {
            "v": pa.FixedSizeListArray.from_arrays(
                pa.array(np.zeros(30_000 * 768, np.float32)), 768
            )
        }
    )
    write.write(table, tmp_path / "out.parquet")
    metadata = pq.read_metadata(tmp_path / "out.parquet")
    assert metadata.num_rows == 30_000
    assert metadata.num_row_groups == 4
    assert "geo" not in {key.decode() for key in metadata.metadata}


def test_csv_has_flat_columns(rows: Any, tmp_path: Path) -> None:
    assert write.write(rows, tmp_path / "out.csv") == 25
    with (tmp_path / "out.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 25
    assert "delta" not in lines[0]
    assert float(lines[0]["bbox_xmin"]) >= 3.0
    assert shapely.from_wkt(lines[0]["geometry"]).is_valid


def test_json_lines_are_objects_with_geojson(rows: Any, tmp_path: Path) -> None:
    assert write.write(rows, tmp_path / "out.jsonl") == 25
    lines = [
        json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()
    ]
    assert len(lines) == 25
    assert lines[0]["geometry"]["type"] == "Polygon"
    assert lines[0]["onset"].endswith("Z")
    assert len(lines[0]["delta"]) == DIMENSIONS
    assert lines[0]["lof"] is None


def test_json_is_one_list(rows: Any, tmp_path: Path) -> None:
    assert write.write(rows, tmp_path / "out.json") == 25
    assert len(json.loads((tmp_path / "out.json").read_text())) == 25


@pytest.mark.parametrize("ending", [".gpkg", ".fgb", ".geojson"])
def test_gis_files_have_places_and_no_vectors(
    found: Result, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"my changes-1{ending}"
    assert found.export(path) == 25
    places = gpd.read_file(path)
    assert len(places) == 25
    assert "delta" not in places.columns
    assert places.crs.to_epsg() == 4326
    assert set(places["change_id"]) == set(found.to_arrow()["change_id"].to_pylist())


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl", ".json"])
def test_no_rows_are_a_file_too(store: Store, tmp_path: Path, ending: str) -> None:
    empty = similar(store, change="c00001", bbox=(50, 1, 51, 2))
    assert empty.export(tmp_path / f"out{ending}") == 0
    assert (tmp_path / f"out{ending}").exists()


def test_a_file_of_another_kind_is_refused(found: Result, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"ending in \.parquet, .* got out\.xls"):
        found.export(tmp_path / "out.xls")


def test_a_folder_that_is_not_there_is_said(found: Result, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"cannot write .*No such file or directory"):
        found.export(tmp_path / "nowhere" / "out.csv")


def test_rows_without_geometry_are_not_a_map(store: Store, tmp_path: Path) -> None:
    relation = sql(store, "SELECT kind FROM changes")
    with pytest.raises(QueryError, match="expected a WKB column geometry, got kind"):
        write.write(relation, tmp_path / "out.gpkg")
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_not_wkb_are_said(store: Store, tmp_path: Path) -> None:
    relation = sql(store, "SELECT 'abc'::BLOB AS geometry FROM changes")
    with pytest.raises(QueryError, match="expected WKB in the column geometry"):
        write.write(relation, tmp_path / "out.parquet")


def test_a_text_named_geometry_is_a_text(store: Store, tmp_path: Path) -> None:
    relation = sql(store, "SELECT ST_AsText(geometry) AS geometry FROM changes LIMIT 3")
    assert write.write(relation, tmp_path / "out.parquet") == 3
    assert b"geo" not in pq.read_metadata(tmp_path / "out.parquet").metadata


@pytest.mark.parametrize(
    ("failing", "rows"),
    [
        ("change_id", "FROM changes"),
        ("CASE WHEN range < 400000 THEN '1' ELSE 'x' END", "FROM range(500000)"),
    ],
)
def test_a_failed_write_leaves_the_old_file(
    store: Store, tmp_path: Path, failing: str, rows: str
) -> None:
    path = tmp_path / "out.csv"
    write.write(sql(store, "SELECT kind FROM changes"), path)
    before = path.read_bytes()
    with pytest.raises(QueryError, match=r"^SQL cannot be answered: "):
        write.write(sql(store, f"SELECT CAST({failing} AS INTEGER) {rows}"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_that_json_lacks_are_null(make: Callable[..., Store]) -> None:
    relation = sql(
        make(),
        "SELECT 'nan'::FLOAT a, 'inf'::DOUBLE b, 1.5::DECIMAL(3,1) c, DATE '2018-05-01' d, [1, NULL] e",
    )
    (line,) = write.json_lines(relation)
    assert json.loads(line) == {
        "a": None,
        "b": None,
        "c": "1.5",
        "d": "2018-05-01",
        "e": [1, None],
    }
