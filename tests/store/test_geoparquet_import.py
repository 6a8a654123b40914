from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from terradrift.errors import ArchiveError, ModelMismatchError, SchemaError
from terradrift.grid import Grid
from terradrift.store import geoparquet
from terradrift.store.tables import Settings, Store
from terradrift.store.units import Writer, done
from terradrift.store.validate import validate
from tests.store import made


@pytest.fixture
def full(tmp_path: Path) -> Store:
    return made.filled(tmp_path / "full.td")


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return made.store(tmp_path / "empty.td")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_embeddings_come_back_as_they_went(
    full: Store, empty: Store, tmp_path: Path, dtype: geoparquet.Dtype
) -> None:
    path = tmp_path / "e.parquet"
    geoparquet.export_embeddings(full, path, model=made.MODEL, dtype=dtype)
    report = geoparquet.import_embeddings(empty, path)
    assert (report.model, report.rows, report.skipped) == (made.MODEL, 192, 0)
    theirs, ours = (store.scan(made.TABLE).read_all() for store in (full, empty))
    assert made.rows(ours) == made.rows(theirs)
    assert ours.schema.equals(theirs.schema, check_metadata=True)
    assert done(empty, made.MODEL) == done(full, made.MODEL)
    by_id = [("patch_id", "ascending")]
    theirs, ours = (store.scan("patches").read_all() for store in (full, empty))
    assert ours.sort_by(by_id).equals(theirs.sort_by(by_id))
    assert validate(empty) == []


def test_an_import_that_comes_again_adds_nothing(
    full: Store, empty: Store, tmp_path: Path
) -> None:
    path = tmp_path / "e.parquet"
    geoparquet.export_embeddings(full, path, model=made.MODEL, filter="ndvi > 0")
    once = geoparquet.import_embeddings(empty, path)
    again = geoparquet.import_embeddings(empty, path)
    assert (again.rows, again.skipped) == (0, once.rows)
    assert empty.count(made.TABLE) == once.rows


def test_rows_in_any_order_are_grouped_into_their_units(
    full: Store, empty: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e.parquet"
    geoparquet.export_embeddings(full, path, model=made.MODEL)
    found = pq.read_table(path)
    mixed = found.take(np.random.default_rng(0).permutation(len(found)))
    pq.write_table(mixed, path)
    monkeypatch.setattr("terradrift.store.geoparquet_source._GROUP_BYTES", 1)
    with pytest.raises(
        SchemaError, match=r"does not say which model made it: expected"
    ):
        geoparquet.import_embeddings(empty, path)  # this writer dropped the footers
    with pq.ParquetWriter(path, mixed.schema) as writer:
        writer.write_table(mixed, row_group_size=30)
        exported = geoparquet.export_embeddings(
            full, tmp_path / "f.parquet", model=made.MODEL
        )
        writer.add_key_value_metadata(pq.read_metadata(exported.path).metadata)
    assert geoparquet.import_embeddings(empty, path).rows == 192
    rows = (made.rows(store.scan(made.TABLE).read_all()) for store in (full, empty))
    assert next(rows) == next(rows)


def test_a_clearer_observation_of_the_day_stays(
    full: Store, empty: Store, tmp_path: Path
) -> None:
    path = tmp_path / "e.parquet"
    geoparquet.export_embeddings(full, path, model=made.MODEL)
    clearer = made.unit(0, 0, scene="other", clear=100.0)
    with Writer(empty, made.MODEL, made.columns()) as writer:
        writer.add(made.tile_name(0), ("other",), clearer)
    report = geoparquet.import_embeddings(empty, path)
    assert (report.rows, report.skipped) == (176, 16)
    assert empty.count(made.TABLE, "scene_id = 'other'") == 16


def test_changes_and_events_come_back_once(
    full: Store, empty: Store, tmp_path: Path
) -> None:
    changes = made.changes(range(3))
    full.append("changes_toy_1", changes)
    path = tmp_path / "c.parquet"
    geoparquet.export_changes(full, path, model=made.MODEL)
    assert geoparquet.import_changes(empty, path).rows == 48
    again = geoparquet.import_changes(empty, path)
    assert (again.rows, again.skipped) == (0, 48)
    by_id = [("change_id", "ascending")]
    ours = empty.scan("changes_toy_1").read_all()
    assert ours.sort_by(by_id).to_pylist() == changes.sort_by(by_id).to_pylist()


def test_vectors_of_another_revision_are_refused(full: Store, tmp_path: Path) -> None:
    full.append("changes_toy_1", made.changes([0]))
    paths = tmp_path / "e.parquet", tmp_path / "c.parquet"
    geoparquet.export_embeddings(full, paths[0], model=made.MODEL)
    geoparquet.export_changes(full, paths[1], model=made.MODEL)
    other = made.store(tmp_path / "other")
    newer = made.columns(revision="2")
    with Writer(other, made.MODEL, newer) as writer:
        writer.add(made.tile_name(0), ("S9",), made.unit(0, 9, scene="S9", named=newer))
    with pytest.raises(ModelMismatchError, match="of toy-1@2, got toy-1@1; distances"):
        geoparquet.import_embeddings(other, paths[0])
    with pytest.raises(ModelMismatchError, match="of toy-1@2, got toy-1@1; distances"):
        geoparquet.import_changes(other, paths[1])
    with pytest.raises(
        ArchiveError, match=r"expected rows of model clay, .* is of toy-1"
    ):
        geoparquet.import_embeddings(other, paths[0], model="clay")


def test_a_file_of_another_table_is_named(
    full: Store, empty: Store, tmp_path: Path
) -> None:
    full.append("changes_toy_1", made.changes([0]))
    path = tmp_path / "c.parquet"
    geoparquet.export_changes(full, path, model=made.MODEL)
    with pytest.raises(SchemaError, match=r"c.parquet holds changes; pass --what chan"):
        geoparquet.import_embeddings(empty, path)


def test_patches_of_another_grid_are_refused(full: Store, tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    geoparquet.export_embeddings(full, path, model=made.MODEL)
    for i, grid in enumerate([Grid(80, 10), Grid(40, 10, "EPSG:3035")]):
        other = Store.create(tmp_path / str(i), Settings(grid))
        with pytest.raises(
            ArchiveError, match=r"is of another grid than the archive: pat"
        ):
            geoparquet.import_embeddings(other, path)
        assert other.tables() == []


def test_a_file_with_other_columns_is_refused_with_all_problems(
    full: Store, empty: Store, tmp_path: Path
) -> None:
    path = tmp_path / "e.parquet"
    geoparquet.export_embeddings(full, path, model=made.MODEL)
    found = pq.read_table(path)
    wrong = found.drop_columns(["tile", "ndvi"]).append_column(
        "colour", pa.array(["red"] * len(found))
    )
    pq.write_table(wrong, path)
    with pytest.raises(
        SchemaError,
        match=r"does not match embeddings/1: colour: not part.*ndvi: expected float, got "
        "no such column; tile: expected string",
    ):
        geoparquet.import_embeddings(empty, path)
    pq.write_table(found.drop_columns(["geometry"]), path)
    with pytest.raises(SchemaError, match="has no column geometry"):
        geoparquet.import_embeddings(empty, path)
    text = found.set_column(1, "datetime", pa.array(["today"] * len(found)))
    pq.write_table(text, path)
    with pytest.raises(SchemaError, match=r"datetime: expected timestamp.*got string"):
        geoparquet.import_embeddings(empty, path)
    assert empty.tables() == []


def test_what_is_no_parquet_file_is_refused(empty: Store, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"no file at .*e\.parquet"):
        geoparquet.import_embeddings(empty, tmp_path / "e.parquet")
    (tmp_path / "e.parquet").write_text("not this")
    with pytest.raises(
        ArchiveError, match=r"expected a Parquet file, got .*: Parquet mag"
    ):
        geoparquet.import_embeddings(empty, tmp_path / "e.parquet")


def test_a_file_of_other_columns_from_geopandas_is_refused(
    empty: Store, tmp_path: Path
) -> None:
    frame = geopandas.GeoDataFrame(
        {"id": ["a"], "embeddings": [[0.5, 1.0]]}
    ).set_geometry(geopandas.points_from_xy([3.0], [50.0]), crs="OGC:CRS84")
    frame.to_parquet(tmp_path / "clay.parquet")
    with pytest.raises(
        SchemaError, match=r"embeddings: not part of the schema.*patch_id: "
    ):
        geoparquet.import_embeddings(empty, tmp_path / "clay.parquet")
