import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
from geoparquet_io.core import check_parquet_structure as gpio
from geoparquet_io.core.check_spatial_order import check_spatial_order

import terradrift as td
from terradrift.conform.checking import check
from terradrift.errors import ArchiveError, QueryError

TARGETS = [
    ("e.parquet", {"what": "embeddings"}),
    ("c.parquet", {}),
    ("v.parquet", {"what": "events"}),
    ("s.parquet", {"what": "scores"}),
    ("p.parquet", {"what": "patches"}),
    ("by-tile", {"to": "partitioned"}),
    ("float32", {"to": "partitioned", "dtype": "float32"}),
    ("stac", {"to": "stac"}),
    ("stac-changes", {"to": "stac", "what": "changes"}),
    ("e.zarr", {}),
    ("e8.zarr", {"dtype": "int8"}),
    ("e32.zarr", {"dtype": "float32"}),
    ("maps", {"to": "cog"}),
    ("map.tif", {}),
]


@pytest.fixture(scope="module")
def archive(finished: Path) -> td.Archive:
    return td.open(finished)


def count(archive: td.Archive, query: str) -> int:
    (found,) = archive.sql(query).fetchone() or (0,)
    return int(found)


@pytest.mark.parametrize(("name", "options"), TARGETS)
def test_our_own_checks_find_nothing(
    archive: td.Archive, tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    assert archive.export(tmp_path / name, **options) > 0
    found = check(tmp_path / name)
    assert [one for one in found if one.level in ("error", "warning")] == []
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("what", ["labels", "changes", "events", "embeddings"])
def test_files_without_rows_are_well_made(
    archive: td.Archive, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "a b.parquet"
    nowhere = {} if what == "labels" else {"bbox": "0,0,1,1"}
    assert archive.export(path, what=what, **nowhere) == 0
    assert {one.level for one in check(path)} == {"note"}


def test_geoparquet_io_finds_it_well_made(
    archive: td.Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "e.parquet"
    archive.export(path, what="embeddings")
    gpio.check_metadata_and_bbox(str(path))
    gpio.check_compression(str(path))
    assert check_spatial_order(str(path), 100, 100_000, verbose=False) < 0.5
    said = capsys.readouterr().out
    assert "Version 1.1.0" in said
    assert "Found bbox column 'bbox' with proper metadata covering" in said
    assert "ZSTD" in said


def test_one_geopackage_holds_styled_layers(
    archive: td.Archive, tmp_path: Path
) -> None:
    path = tmp_path / "all.gpkg"
    rows = archive.export(path, what="all")
    layers = dict(pyogrio.list_layers(path).tolist())
    assert list(layers) == ["events", "changes", "layer_styles"]
    assert layers["changes"] == "Polygon"
    assert layers["events"] in ("Polygon", "MultiPolygon")
    frames = {name: geopandas.read_file(path, layer=name) for name in list(layers)[:2]}
    assert sum(map(len, frames.values())) == rows
    changes = frames["changes"]
    assert {"before", "after", "delta", "bbox"}.isdisjoint(changes.columns)
    assert changes.crs.to_epsg() == 4326
    best = archive.sql("FROM changes ORDER BY score DESC LIMIT 1").to_geopandas()
    same = changes.set_index("change_id").loc[best.change_id[0]]
    assert same.score == pytest.approx(best.score[0])
    assert same.onset == best.onset[0]
    assert same.geometry.equals_exact(best.geometry[0], 1e-9)
    with closing(sqlite3.connect(path)) as file:
        styles = file.execute(
            "SELECT f_table_name, styleName, useAsDefault, styleQML FROM layer_styles"
        ).fetchall()
        places = file.execute(
            "SELECT table_name, column_name FROM gpkg_geometry_columns"
        ).fetchall()
        named = file.execute(
            "SELECT DISTINCT f_table_name, f_geometry_column FROM layer_styles"
        ).fetchall()
    assert sorted(named) == sorted(places)  # or QGIS does not find the style
    assert [row[:3] for row in styles] == [
        ("events", "score", 1),
        ("events", "kind", 0),
        ("changes", "score", 1),
        ("changes", "kind", 0),
    ]
    for table, name, _, qml in styles:
        renderer = ET.fromstring(qml).find("renderer-v2")  # noqa: S314 - ours
        assert renderer is not None
        assert renderer.get("attr") in frames[table].columns
        symbols = {one.get("name") for one in renderer.findall("symbols/symbol")}
        classes = renderer.findall(
            "ranges/range" if name == "score" else "categories/category"
        )
        assert {one.get("symbol") for one in classes} == symbols != set()


def test_classes_of_scores_hold_every_score(
    archive: td.Archive, tmp_path: Path
) -> None:
    path = tmp_path / "c.fgb"
    archive.export(path)
    scores = geopandas.read_file(path).score
    root = ET.parse(tmp_path / "c.qml").getroot()  # noqa: S314 - ours
    ranges = [
        (float(one.get("lower", "")), float(one.get("upper", "")))
        for one in root.iter("range")
    ]
    inside = [((scores >= low) & (scores <= high)) for low, high in ranges]
    assert np.any(inside, axis=0).all()


def test_filters_are_those_of_searches(archive: td.Archive, tmp_path: Path) -> None:
    everything = archive.sql("FROM changes").df()
    middle = everything.onset.median()
    usual = everything.persistence.mode()[0]
    day = f"{middle:%Y-%m-%d}"
    path = tmp_path / "c.geojson"
    least = float(everything.score.median())
    found = archive.export(path, since=day, persistence=usual, min_score=least)
    wanted = everything[
        (everything.onset >= middle.normalize())
        & (everything.persistence == usual)
        & (everything.score >= least)
    ]
    assert found == len(wanted) > 0
    ids = {
        one["properties"]["change_id"]
        for one in json.loads(path.read_text())["features"]
    }
    assert ids == set(wanted.change_id)
    before = f"{middle - np.timedelta64(1, 'D'):%Y-%m-%d}"
    earlier = archive.export(tmp_path / "d.csv", until=before)
    assert earlier == (everything.onset < middle.normalize()).sum()


def test_places_are_asked_for_by_box_and_by_shape(
    archive: td.Archive, tmp_path: Path
) -> None:
    one = archive.sql("FROM patches ORDER BY patch_id LIMIT 1").to_geopandas()
    point = one.geometry[0].centroid
    box = (point.x, point.y, point.x, point.y)
    query = "SELECT count(*) FROM observations WHERE patch_id = $patch"
    (wanted,) = archive.sql(query, patch=one.patch_id[0]).fetchone() or (0,)
    for at, place in enumerate(({"bbox": box}, {"within": point})):
        path = tmp_path / f"{at}.parquet"
        assert archive.export(path, what="embeddings", **place) == wanted
        assert set(geopandas.read_parquet(path).patch_id) == {one.patch_id[0]}
        assert archive.export(path, what="embeddings", dry_run=True, **place) == wanted
        assert archive.export(tmp_path / f"{at}.zarr", **place) == wanted


def test_observations_come_with_their_scene(
    archive: td.Archive, tmp_path: Path
) -> None:
    path = tmp_path / "o.csv"
    rows = archive.export(path, what="embeddings", since="2019-01", until="2019-01")
    with path.open() as file:
        read = list(csv.DictReader(file))
    assert len(read) == rows > 0
    assert {row["constellation"] for row in read} == {"sentinel-2"}
    assert "embedding" not in read[0]
    assert float(read[0]["longitude"]) > 0


def test_a_dry_run_counts_and_writes_nothing(
    archive: td.Archive, tmp_path: Path
) -> None:
    rows = archive.export(tmp_path / "x", to="stac", dry_run=True)
    assert rows == count(archive, "SELECT count(*) FROM observations")
    assert list(tmp_path.iterdir()) == []


def test_maps_say_what_sql_says(archive: td.Archive, tmp_path: Path) -> None:
    archive.export(tmp_path / "maps", to="cog")
    rows = archive.sql("SELECT patch_id, score, onset FROM patch_changes").df()
    (path,) = (tmp_path / "maps").glob("heat_*.tif")
    kinds = dict(
        archive.sql(
            "SELECT patch_id, arg_max_null(kind, score) FROM changes GROUP BY ALL"
        ).fetchall()
    )
    with rasterio.open(path) as file:
        names = file.descriptions
        assert names == ("score", "onset", "kind", "judged", "regime")
        assert file.units[1] == "days since 1970-01-01"
        values = file.read()
        size = file.res[0]
        assert file.transform.c % size == file.transform.f % size == 0
        for row in rows.itertuples():
            _, _, east, north = row.patch_id.split("_")
            x, y = (int(east) + 0.5) * size, (int(north) + 0.5) * size
            score, onset, kind, judged, _ = values[:, *file.index(x, y)]
            assert score == pytest.approx(row.score, nan_ok=True)
            assert judged == np.isfinite(row.score)
            days = (row.onset.tz_localize(None) - pd.Timestamp(0)).days
            assert onset == pytest.approx(days, nan_ok=True)
            wanted = kinds.get(row.patch_id)
            assert np.isnan(kind) if wanted is None else kind == wanted
    (coloured,) = (tmp_path / "maps").glob("kind_*.tif")
    with rasterio.open(coloured) as file:
        codes = file.read(1)
        kind = np.where(np.isnan(values[2]), file.nodata, values[2])
        assert np.array_equal(codes, kind)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.xyz", {}, "expected a file ending in"),
        ("a", {"to": "shape"}, "expected --to parquet"),
        ("a.gpkg", {"to": "fgb"}, r"--to fgb needs a name ending in \.fgb"),
        ("a.fgb", {"what": "all"}, "layers of a GeoPackage"),
        ("a.zarr", {"what": "changes"}, "zarr holds embeddings, not changes"),
        ("a.tif", {"what": "changes"}, "cog holds patches"),
        ("a", {"to": "stac", "what": "labels"}, "labels are written to one file"),
        ("a.parquet", {"dtype": "int8"}, "expected dtype float16 or float32 in"),
        ("a.csv", {"what": "labels", "kind": 1}, "exported whole; leave kind out"),
        ("a.csv", {"what": "patches", "since": "2019"}, "patches are of no date"),
        ("a.csv", {"since": "soon"}, "expected a period"),
        ("a.csv", {"what": "scores", "kind": 1}, "observations have no kind"),
    ],
)
def test_what_does_not_go_together_is_said_in_one_line(
    archive: td.Archive, tmp_path: Path, name: str, options: dict[str, str], words: str
) -> None:
    with pytest.raises((QueryError, ArchiveError, ValueError), match=words) as told:
        archive.export(tmp_path / name, **options)
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_targets_of_others_are_left_alone(archive: td.Archive, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("precious")
    with pytest.raises(ArchiveError, match="is there already"):
        archive.export(path)
    assert path.read_text() == "precious"
    assert archive.export(path, overwrite=True) > 0
    style = tmp_path / "c.qml"
    style.write_text("precious")
    with pytest.raises(ArchiveError, match=r"c\.qml is there already"):
        archive.export(tmp_path / "c.fgb")
    assert style.read_text() == "precious"
    assert not (tmp_path / "c.fgb").exists()
    archive.export(tmp_path / "c.fgb", overwrite=True)
    assert style.read_text().startswith("<!DOCTYPE qgis")
    folder = tmp_path / "f"
    archive.export(folder, to="partitioned")
    with pytest.raises(ArchiveError, match="pass --overwrite"):
        archive.export(folder, to="partitioned")
    archive.export(folder, to="partitioned", overwrite=True)
    with pytest.raises(ArchiveError, match="expected a file to write"):
        archive.export(folder.rename(tmp_path / "f.csv"))


@pytest.mark.parametrize(
    ("name", "to"), [("e.parquet", None), ("tiles", "partitioned"), ("stac", "stac")]
)
def test_embeddings_come_back_the_same(
    archive: td.Archive, tmp_path: Path, name: str, to: str | None
) -> None:
    rows = archive.export(tmp_path / name, what="embeddings", to=to)
    fresh = td.create(tmp_path / "back.td", td.Grid(80, 10.0))
    fresh.import_(tmp_path / name)
    key = [("patch_id", "ascending"), ("datetime", "ascending")]
    before, after = (
        one.store.scan("embeddings_mosaiks").read_all().sort_by(key)
        for one in (archive, fresh)
    )
    assert len(after) == rows
    assert after.drop_columns("run_id").equals(before.drop_columns("run_id"))
