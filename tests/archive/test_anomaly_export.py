"""Anomalies as GeoParquet: columns, footprints, other readers, whole or not at all."""

import json
import shutil
from pathlib import Path

import duckdb
import geopandas
import numpy as np
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely
from typer.testing import CliRunner

import terradrift as td
from terradrift.archive.methods import export as anomaly_export
from terradrift.cli import app
from terradrift.errors import ArchiveError
from terradrift.store.majortom.checked import grid_for
from tests.store.majortom import published

OF_THE_METHOD = [
    "patch_id",
    "timestamp",
    "product_id",
    "geometry",
    "ref_count",
    "ref_start",
    "ref_end",
    "cloud_frac",
    "score_temporal",
    "score_spatial",
    "z",
    "p_value",
    "persistent",
    "model_id",
    "weights_sha256",
    "preprocessing_id",
]
"""METHODS 4.4 step 6."""


@pytest.fixture(scope="module")
def archive(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> td.Archive:
    place = tmp_path_factory.mktemp("exported") / "copy.td"
    opened = td.open(shutil.copytree(finished, place))
    opened.detect(method="seasonal", quiet=True, min_past=20)
    return opened


@pytest.fixture(scope="module")
def file(archive: td.Archive) -> Path:
    path = archive.store.root.parent / "anomalies.parquet"
    count = archive.export(path, what="anomalies")
    assert count == archive.store.count("anomalies_seasonal_mosaiks")
    return path


def test_every_column_of_the_method_is_there_with_the_tables_values(
    archive: td.Archive, file: Path
) -> None:
    found = geopandas.read_parquet(file)
    assert not set(OF_THE_METHOD) - set(found.columns)
    table = archive.sql(
        "SELECT patch_id, datetime, scene_id, score, score_spatial, z, p_value, cusum, "
        "persistent, n_reference, reference_start, reference_end, clear_percent "
        "FROM anomalies"
    ).df()
    both = found.merge(table, on=["patch_id", "datetime"], suffixes=("", "_held"))
    assert len(both) == len(table) == len(found)
    for name, held in (
        ("product_id", "scene_id"),
        ("ref_count", "n_reference"),
        ("ref_start", "reference_start"),
        ("ref_end", "reference_end"),
        ("score_temporal", "score"),
        *(
            (name, f"{name}_held")
            for name in ("score_spatial", "z", "p_value", "cusum")
        ),
    ):
        values, other = both[name], both[held]
        assert values.isna().equals(other.isna())
        assert (values.dropna() == other.dropna()).all()
    assert np.allclose(both["cloud_frac"], 1 - both["clear_percent"] / 100, atol=1e-6)
    when = both["datetime"].dt.strftime("%Y%m%dT%H%M%S")
    assert (when == both["timestamp"]).all()
    assert found["unique_id"].is_unique
    assert found["persistent"].isna().equals(found["cusum"].isna())


def test_each_row_lies_where_its_patch_is(archive: td.Archive, file: Path) -> None:
    found = geopandas.read_parquet(file).drop_duplicates("patch_id", ignore_index=True)
    assert found.crs.to_authority() == ("OGC", "CRS84")
    size = archive.store.settings.grid.patch_size
    squares = geopandas.GeoSeries(
        shapely.from_wkt(found["utm_footprint"]), crs=found["utm_crs"].iloc[0]
    )
    assert np.allclose(squares.area, size**2)
    # An id is CRS, size, column and row: the square's corner, counted in patches.
    corner = found["patch_id"].str.extract(r"m_(\d+)_(\d+)$").astype(int) * size
    assert np.allclose(squares.bounds[["minx", "miny"]], corner)
    drawn = found.geometry.to_crs(found["utm_crs"].iloc[0])
    assert (squares.symmetric_difference(drawn).area < 1e-3 * size**2).all()
    points = geopandas.points_from_xy(found["centre_lon"], found["centre_lat"])
    assert found.geometry.contains(geopandas.GeoSeries(points, crs=found.crs)).all()


def test_rows_of_an_imported_archive_lie_where_their_fragments_are(
    tmp_path: Path,
) -> None:
    days = [f"{np.datetime64('2019-01-03') + 5 * at}" for at in range(25)]
    days = [f"{day.replace('-', '')}T101031" for day in days]
    # Of the second cell, at a border, some patches are of the next zone.
    made = published.rows(["570U_58R", "570U_83R"], days)
    table = published.write(tmp_path / "part.parquet", made)
    opened = td.create(tmp_path / "a.td", grid_for(table))
    opened.import_major_tom(table, model="toy", clear_percent=100)
    opened.detect(method="local", quiet=True)
    path = tmp_path / "anomalies.parquet"
    assert opened.export(path, what="anomalies", method="local") > 0
    found = geopandas.read_parquet(path).drop_duplicates("patch_id", ignore_index=True)
    assert found["utm_crs"].nunique() == 2
    truth = {row["grid_cell"]: [] for row in made}
    for cell in truth:
        epsg, west, north = published.corner(cell)
        offsets = np.arange(5) * published.STRIDE * published.PIXEL
        side = published.FRAGMENT * published.PIXEL
        for down in offsets:
            shapes = shapely.box(
                west + offsets, north - down - side, west + offsets + side, north - down
            )
            truth[cell] += geopandas.GeoSeries(shapes, crs=epsg).to_crs(4326).to_list()
    fragments = shapely.STRtree([shape for each in truth.values() for shape in each])
    for row in found.itertuples():
        to = pyproj.Transformer.from_crs(4326, row.utm_crs, always_xy=True)
        drawn = shapely.from_wkt(row.utm_footprint)
        seen = shapely.transform(row.geometry, to.transform, interleaved=False)
        assert drawn.symmetric_difference(seen).area < 1e-3 * drawn.area
        centre = shapely.Point(to.transform(row.centre_lon, row.centre_lat))
        assert centre.distance(seen.centroid) < 0.1
        nearest = fragments.geometries[fragments.nearest(row.geometry.centroid)]
        assert nearest.symmetric_difference(row.geometry).area < 1e-3 * nearest.area


def test_duckdb_reads_it_and_prunes_by_place(archive: td.Archive, file: Path) -> None:
    rows = duckdb.execute(
        "SELECT count(*), count(p_value), min(datetime) IS NOT NULL "
        "FROM read_parquet(?) WHERE bbox.xmin < 180",
        [str(file)],
    ).fetchone()
    scored = archive.sql("SELECT count(*), count(p_value) FROM anomalies").fetchone()
    assert rows == (*scored, True)


def test_the_footer_tells_geometry_method_and_settings(file: Path) -> None:
    footers = pq.read_metadata(file).metadata
    geo = json.loads(footers[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"]["geometry"]["geometry_types"] == ["Polygon"]
    told = json.loads(footers[anomaly_export.ABOUT.encode()])
    assert told["method"] == "seasonal"
    assert json.loads(told["settings"])["min_past"] == 20
    assert told["preprocessing"]


def test_a_method_that_was_not_run_and_a_format_without_geometry_are_refused(
    archive: td.Archive, tmp_path: Path
) -> None:
    with pytest.raises(ArchiveError, match="detect --method rx first"):
        archive.export(tmp_path / "a.parquet", what="anomalies", method="rx")
    with pytest.raises(ValueError, match=r"expected \.parquet"):
        archive.export(tmp_path / "a.gpkg", what="anomalies")
    with pytest.raises(ValueError, match="goes with anomalies"):
        archive.export(tmp_path / "a.parquet", what="events", method="seasonal")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    archive: td.Archive, tmp_path: Path
) -> None:
    broken = td.open(shutil.copytree(archive.store.root, tmp_path / "broken.td"))
    patches = broken.store.dataset("patches").to_table()
    broken.store.overwrite("patches", patches.slice(0, 100), patches.schema)
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "a.parquet"
    path.write_bytes(b"old")
    with pytest.raises(ArchiveError, match="is not in patches"):
        broken.export(path, what="anomalies", overwrite=True)
    assert path.read_bytes() == b"old"
    assert list(folder.iterdir()) == [path]


def test_the_command_writes_the_same_rows(
    archive: td.Archive, file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "b.parquet"
    asked = ["export", str(archive.store.root), str(path), "--what", "anomalies"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert pq.read_table(path).equals(pq.read_table(file))
