import json
from itertools import pairwise
from pathlib import Path

import duckdb
import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from terradrift import schema
from terradrift.conform.checking import check
from terradrift.errors import ArchiveError
from terradrift.store import geoparquet
from terradrift.store.geoparquet import (
    export_changes,
    export_embeddings,
    export_events,
)
from terradrift.store.tables import Store
from tests.store import made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return made.filled(tmp_path / "a.td")


@pytest.fixture
def exported(store: Store, tmp_path: Path) -> Path:
    return export_embeddings(store, tmp_path / "e.parquet", model=made.MODEL).path


def events(store: Store) -> pa.Table:
    row = dict.fromkeys(schema.events().names)
    box = {"xmin": 3.0, "ymin": 50.0, "xmax": 3.1, "ymax": 50.1}
    rows = [
        {
            **row,
            "event_id": "e2",
            "rank": 2,
            "bbox": box,
            "start": made.instant(3).item(),
        },
        {
            **row,
            "event_id": "e1",
            "rank": 1,
            "bbox": box,
            "start": made.instant(9).item(),
        },
    ]
    shapes = [
        shapely.MultiPolygon([shapely.box(3, 50, 3.1, 50.1)]),
        shapely.Point(3, 50),
    ]
    for one, shape in zip(rows, shapes, strict=True):
        one["geometry"] = shapely.to_wkb(shape)
    found = pa.Table.from_pylist(rows, schema.events())
    store.append("events_toy_1", found)
    return found


def test_every_observation_is_written_with_its_patch(
    store: Store, tmp_path: Path
) -> None:
    report = export_embeddings(store, tmp_path / "e.parquet", model=made.MODEL)
    found = pq.read_table(report.path)
    assert report.rows == len(found) == 3 * 4 * 16
    assert report.bytes == report.path.stat().st_size
    assert found["stac_item_id"].to_pylist() == found["scene_id"].to_pylist()
    places = {row["patch_id"]: row for row in made.patches(range(3)).to_pylist()}
    for row in found.to_pylist():
        assert row["bbox"] == places[row["patch_id"]]["bbox"]
        assert row["geometry"] == places[row["patch_id"]]["geometry"]
    stored = store.scan(made.TABLE).read_all()
    assert made.rows(found.select(stored.column_names)) == made.rows(stored)


def test_geopandas_reads_it_with_crs_and_by_bbox(exported: Path) -> None:
    frame = geopandas.read_parquet(exported)
    assert frame.crs == "OGC:CRS84"
    assert len(frame) == 192
    assert set(frame.geom_type) == {"Polygon"}
    assert frame.embedding.iloc[0].dtype == np.float16
    one = frame.geometry.iloc[0].centroid
    near = geopandas.read_parquet(exported, bbox=(one.x, one.y, one.x, one.y))
    assert 0 < len(near) < len(frame)
    assert near.intersects(one).any()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_duckdb_reads_it_without_spatial(
    store: Store, tmp_path: Path, dtype: geoparquet.Dtype
) -> None:
    path = tmp_path / "e.parquet"
    export_embeddings(store, path, model=made.MODEL, dtype=dtype)
    read = duckdb.connect().execute(
        "SELECT count(*), any_value(typeof(embedding)), min(bbox.xmin), "
        "any_value(typeof(geometry)) FROM read_parquet(?)",
        [str(path)],
    )
    count, vector, west, geometry = read.fetchone() or ()
    assert (count, vector) == (192, "FLOAT[]")
    assert geometry.startswith("GEOMETRY")
    assert west == pytest.approx(geopandas.read_parquet(path).total_bounds[0])
    first = duckdb.connect().execute(
        "SELECT patch_id, datetime::VARCHAR, embedding FROM read_parquet(?) LIMIT 1",
        [str(path)],
    )
    patch, _, vector = first.fetchone() or ()
    stored = store.scan(made.TABLE, filter=f"patch_id = '{patch}'").read_all()
    assert tuple(vector) in {
        tuple(map(float, v)) for v in stored["embedding"].to_pylist()
    }


def test_duckdb_spatial_reads_it(exported: Path) -> None:
    from duckdb_extensions import import_extension

    connection = duckdb.connect()
    import_extension("spatial", con=connection)
    connection.execute("LOAD spatial")
    query = "SELECT count(*) FROM read_parquet(?) WHERE ST_Area(geometry) > 0"
    assert connection.execute(query, [str(exported)]).fetchone() == (192,)


def test_footers_are_geoparquet_1_1_and_emb(exported: Path) -> None:
    footers = pq.read_metadata(exported).metadata
    geo = json.loads(footers[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Polygon"])
    assert column["crs"]["id"] == {"authority": "OGC", "code": "CRS84"}
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    bounds = geopandas.read_parquet(exported).total_bounds
    assert column["bbox"] == pytest.approx(bounds.tolist())
    emb = json.loads(footers[b"emb"])
    assert emb["model"]["id"] == "toy-1@1"
    assert emb["model"]["config"]["preprocessing"] == "none"
    assert emb["embedding"]["dim"] == emb["emb:dimensions"] == 8
    assert emb["emb:type"] == "chip"
    assert emb["data_type"] == "float16"
    assert emb["gsd"] == 40
    assert emb["emb:chip_layout"]["layout_type"] == "regular_grid"
    assert emb["emb:chip_layout"]["chip_size"] == [4, 4]
    assert emb["emb:quantization"]["method"] == "cast"
    assert emb["start_datetime"] == "2018-01-01T10:30:00Z"
    assert emb["end_datetime"] == "2018-01-04T10:30:00Z"


def test_row_groups_are_small_sorted_in_space_and_tell_their_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terradrift.store.parquet._GROUP_BYTES", 256 * 50)
    store = made.filled(tmp_path / "a.td", tiles=5, days=3, count=64)
    path = export_embeddings(store, tmp_path / "e.parquet", model=made.MODEL).path
    with pq.ParquetFile(path) as file:
        sizes = [
            file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)
        ]
        assert sizes == [50] * 19 + [10]
        group = file.metadata.row_group(3)
        names = [group.column(i).path_in_schema for i in range(group.num_columns)]
        west = group.column(names.index("bbox.xmin"))
        assert west.compression == "ZSTD"
        assert west.statistics.has_min_max
        assert not group.column(names.index("embedding.list.element")).is_stats_set
    found = pq.read_table(path)
    patches = found["patch_id"].to_pylist()
    changes = sum(a != b for a, b in pairwise(patches))
    assert changes == len(set(patches)) - 1  # a patch's history lies together
    times = found["datetime"].to_pylist()
    assert times[:3] == sorted(times[:3])
    cells = np.array([p.split("_")[2:] for p in dict.fromkeys(patches)], int)
    steps = np.abs(np.diff(cells, axis=0)).sum(axis=1)
    assert np.median(steps) == 1


def test_a_filter_takes_only_its_rows(store: Store, tmp_path: Path) -> None:
    store.dataset(made.TABLE).delete(f"tile = '{made.tile_name(0)}'")
    path = tmp_path / "e.parquet"
    report = export_embeddings(
        store, path, model=made.MODEL, filter="scene_id = 'S0002'"
    )
    found = pq.read_table(path)
    assert report.rows == 2 * 16
    assert set(found["scene_id"].to_pylist()) == {"S0002"}
    assert set(found["tile"].to_pylist()) == {made.tile_name(1), made.tile_name(2)}


def test_no_rows_make_a_file_of_none(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    report = export_embeddings(store, path, model=made.MODEL, filter="ndvi > 2")
    assert report.rows == 0
    assert len(geopandas.read_parquet(path)) == 0
    assert {one.level for one in check(path)} == {"note"}


def test_changes_are_written_with_all_their_vectors(
    store: Store, tmp_path: Path
) -> None:
    changes = made.changes(range(3))
    store.append("changes_toy_1", changes)
    path = tmp_path / "c.parquet"
    assert export_changes(store, path, model=made.MODEL).rows == len(changes)
    frame = geopandas.read_parquet(path)
    assert set(frame.columns) == set(changes.column_names) - {"bbox"}
    by_id = {row["change_id"]: row for row in changes.to_pylist()}
    for row in frame.to_dict("records"):
        assert row["delta"].tolist() == by_id[row["change_id"]]["delta"]
    assert b"emb" in pq.read_metadata(path).metadata


def test_events_are_written_by_rank(store: Store, tmp_path: Path) -> None:
    events(store)
    path = tmp_path / "v.parquet"
    assert export_events(store, path, model=made.MODEL).rows == 2
    frame = geopandas.read_parquet(path)
    assert frame["event_id"].tolist() == ["e1", "e2"]
    geo = json.loads(pq.read_metadata(path).metadata[b"geo"])
    assert geo["columns"]["geometry"]["geometry_types"] == ["MultiPolygon", "Point"]


def test_an_export_that_fails_leaves_the_old_file(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    path.write_bytes(b"old")
    store.overwrite("patches", made.patches([0, 1]))
    with pytest.raises(
        ArchiveError, match="patch 32631_40m_64_0 has embeddings but is not in patches"
    ):
        export_embeddings(store, path, model=made.MODEL)
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir() if "tmp" in one.name] == []
    with pytest.raises(ArchiveError, match=r"cannot write .*No such file or directory"):
        export_changes_of_nothing(store, tmp_path / "nowhere" / "c.parquet")


def export_changes_of_nothing(store: Store, path: Path) -> None:
    store.append("changes_toy_1", made.changes([0]))
    export_changes(store, path, model=made.MODEL)


def test_embeddings_without_patches_are_refused(tmp_path: Path) -> None:
    store = made.store(tmp_path / "a")
    store.append(made.TABLE, made.unit(0, 0))
    with pytest.raises(
        ArchiveError, match="holds no patches, so embeddings have no geo"
    ):
        export_embeddings(store, tmp_path / "e.parquet", model=made.MODEL)


def test_an_unknown_dtype_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="dtype must be float16 or float32, got 'int8'"
    ):
        export_embeddings(store, tmp_path / "e", model=made.MODEL, dtype="int8")
