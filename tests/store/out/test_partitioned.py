import hashlib
import json
from pathlib import Path

import duckdb
import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from terradrift.errors import ArchiveError
from terradrift.store.out import partitioned
from terradrift.store.out.leaving import Leaving
from terradrift.store.spatial import Chosen
from terradrift.store.tables import Store
from terradrift.store.units import Writer
from tests.store import made


def embeddings(store: Store, **more: object) -> Leaving:
    return Leaving(store, "embeddings", made.MODEL, **more)


def next_year(store: Store) -> None:
    with Writer(store, made.MODEL, made.columns()) as writer:
        batch = made.unit(1, 400)
        writer.add(made.tile_name(1), (made.scene_name(400),), batch)


def test_a_file_per_tile_and_year_holds_every_row_once(
    store: Store, tmp_path: Path
) -> None:
    next_year(store)
    target = tmp_path / "out"
    done = partitioned.export(embeddings(store), target)
    paths = sorted(one.relative_to(target) for one in target.rglob("*.parquet"))
    assert [str(path) for path in paths] == [
        f"tile={made.tile_name(0)}/year=2018/embeddings.parquet",
        f"tile={made.tile_name(1)}/year=2018/embeddings.parquet",
        f"tile={made.tile_name(1)}/year=2019/embeddings.parquet",
        f"tile={made.tile_name(2)}/year=2018/embeddings.parquet",
    ]
    stored = store.scan(made.TABLE).read_all()
    assert done.rows == len(stored) == 3 * 4 * 16 + 16
    found = ds.dataset(target, partitioning="hive").to_table()
    found = found.set_column(
        found.schema.get_field_index("tile"), "tile", found["tile"].cast(pa.string())
    )
    assert made.rows(found.select(stored.column_names)) == made.rows(stored)


def test_readers_know_the_folders(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "out"
    partitioned.export(embeddings(store), target)
    frame = geopandas.read_parquet(target)
    assert len(frame) == 192
    assert frame.crs == "OGC:CRS84"
    assert set(frame["tile"]) == {made.tile_name(tile) for tile in range(3)}
    query = (
        "SELECT tile, year, count(*) FROM read_parquet(?) GROUP BY ALL ORDER BY tile"
    )
    counted = duckdb.connect().execute(query, [f"{target}/**/*.parquet"]).fetchall()
    assert counted == [(made.tile_name(tile), 2018, 64) for tile in range(3)]


def test_the_manifest_names_every_file(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "out"
    done = partitioned.export(embeddings(store), target)
    manifest = json.loads((target / "_manifest.json").read_text())
    assert (manifest["form"], manifest["what"]) == ("partitioned", "embeddings")
    assert sum(one["rows"] for one in manifest["files"]) == done.rows
    assert sum(one["bytes"] for one in manifest["files"]) == done.bytes
    for one in manifest["files"]:
        held = (target / one["path"]).read_bytes()
        assert hashlib.sha256(held).hexdigest() == one["sha256"]
        assert len(held) == one["bytes"]


def test_each_file_carries_its_own_item(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "out"
    partitioned.export(embeddings(store), target)
    for path in target.rglob("*.parquet"):
        footers = pq.read_metadata(path).metadata
        geo, emb = (json.loads(footers[name]) for name in (b"geo", b"emb"))
        tile = path.parts[-3].removeprefix("tile=")
        assert emb["stac_item"]["id"] == f"embeddings-toy_1-{tile}-2018"
        assert emb["stac_item"]["bbox"] == geo["columns"]["geometry"]["bbox"]
        schema = pq.read_schema(path)
        assert b"geo" in schema.metadata
        assert "tile" not in schema.names


def test_only_chosen_rows_leave(store: Store, tmp_path: Path) -> None:
    def western(rows: pa.Table) -> np.ndarray:
        return np.arange(len(rows)) < 4

    chosen = Chosen("scene_id = 'S0002'", western)
    leaving = embeddings(store, chosen=chosen)
    done = partitioned.export(leaving, tmp_path / "out")
    assert done.rows == leaving.count() == 3 * 4


def test_rows_of_no_tile_are_refused(store: Store, tmp_path: Path) -> None:
    from tests.store.test_geoparquet import events

    events(store)
    with pytest.raises(ArchiveError, match="events are not of one tile"):
        partitioned.export(Leaving(store, "events", made.MODEL), tmp_path / "out")


def test_changes_are_written_by_the_year_of_their_onset(
    store: Store, tmp_path: Path
) -> None:
    store.append("changes_toy_1", made.changes(range(3)))
    target = tmp_path / "out"
    done = partitioned.export(Leaving(store, "changes", made.MODEL), target)
    assert done.rows == 48
    found = ds.dataset(target, partitioning="hive").to_table()
    assert set(found["year"].to_pylist()) == {2018}
    assert found.schema.field("delta").type == pa.list_(pa.float16(), 8)


def test_no_rows_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no rows are left to write"):
        partitioned.export(
            embeddings(store, chosen=Chosen("ndvi > 2")), tmp_path / "out"
        )
    assert [one.name for one in tmp_path.iterdir()] == ["a.td"]
