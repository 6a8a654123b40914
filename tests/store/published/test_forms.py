"""Each published form is known by its columns, and its rows lie where and when they should."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import shapely
from typer.testing import CliRunner

import terradrift as td
from terradrift.archive.importing import Request, bring
from terradrift.cli import app
from terradrift.errors import ArchiveError, ModelMismatchError, SchemaError
from tests.store import stored
from tests.store.published import made


def by_number(place: Path) -> dict[int, tuple[float, float]]:
    """Row number, as a vector's first value says it, to UTM metres of its centre."""
    to = pyproj.Transformer.from_crs(4326, made.EPSG, always_xy=True)
    return {
        round(row["embedding"][0]): to.transform(row["longitude"], row["latitude"])
        for row in stored.records(place)
    }


@pytest.mark.parametrize("offset", [160.0, 77.0])
def test_earth_index_lies_where_its_squares_are(tmp_path: Path, offset: float) -> None:
    first = (made.WEST + offset, made.SOUTH + offset)
    file = made.earth_index_2024(tmp_path, made=made.shapes(8, 8, first=first))
    place = tmp_path / "a.td"
    told = bring(place, [file], Request())
    assert told.startswith("earth-index: 64 embeddings of earth-index-2024-softcon")
    assert "pass --clear-percent" in told
    archive = td.open(place)
    assert archive.store.settings.grid.patch_size == 320
    for number, (x, y) in by_number(place).items():
        row, col = divmod(number, 8)
        assert x == pytest.approx(first[0] + (col + 0.5) * 320, abs=1)
        assert y == pytest.approx(first[1] + (row + 0.5) * 320, abs=1)
    described = archive.store.dataset("embeddings_earth_index_2024_softcon").schema
    assert described.metadata[b"revision"] == (
        b"Earth Index, as published: softcon-vits14@1"
    )
    assert archive.validate() == []
    box = shapely.from_wkb(stored.shape(place))
    to = pyproj.Transformer.from_crs(4326, made.EPSG, always_xy=True)
    square = shapely.transform(box, to.transform, interleaved=False)
    assert square.area == pytest.approx(320**2, rel=0.002)


@pytest.mark.parametrize("item", [True, False])
def test_a_year_from_january_to_january_is_of_one_calendar_year(
    tmp_path: Path, item: bool
) -> None:
    for year in (2022, 2023, 2024):
        made.earth_index_2025(tmp_path / "in", "33UXP", year, item=item)
    place = tmp_path / "a.td"
    told = bring(place, [tmp_path / "in"], Request(clear_percent=100))
    assert "192 embeddings of earth-index-yearly at 64 new places" in told
    assert "3 files state no CRS, degrees were assumed" in told
    rows = stored.records(place)
    assert {row["datetime"].to_pydatetime() for row in rows} == {
        datetime(2022, 7, 2, 12, tzinfo=UTC),
        datetime(2023, 7, 2, 12, tzinfo=UTC),
        datetime(2024, 7, 2, tzinfo=UTC),
    }
    found = td.open(place).sql(
        "SELECT count(*), count(DISTINCT patch_id) FROM observations "
        "WHERE datetime >= '2023-01-01' AND datetime <= '2024-01-01'"
    )
    assert found.fetchone() == (64, 64)
    expected = np.clip(made.vectors(64, 384, 2022), -5, 5)
    here = np.array([row["embedding"] for row in rows[:64]])
    # Bytes are 0.039 apart, and rows come in another order.
    for vector in here:
        assert np.abs(expected[:, 1:] - vector[1:]).max(axis=1).min() < 0.025


def test_points_get_squares_of_the_products_size(tmp_path: Path) -> None:
    file = made.earth_index_2025(tmp_path, "33UXP", 2023)
    place = tmp_path / "a.td"
    bring(place, [file], Request())
    to = pyproj.Transformer.from_crs(4326, made.EPSG, always_xy=True)
    square = shapely.transform(
        shapely.from_wkb(stored.shape(place)), to.transform, interleaved=False
    )
    assert square.area == pytest.approx(320**2, rel=0.001)


@pytest.mark.parametrize("doubles", [False, True])
def test_clay_has_a_plural_column_and_a_date(tmp_path: Path, doubles: bool) -> None:
    file = made.clay_v0(tmp_path, days=("2021-05-16", "2022-06-01"), doubles=doubles)
    place = tmp_path / "a.td"
    told = bring(place, [file], Request())
    assert told.startswith("clay: 32 embeddings of clay-v0 at 16 new places")
    assert "instants by their date" in told
    assert td.open(place).store.settings.grid.patch_size == 5120
    assert sorted({str(row["datetime"])[:10] for row in stored.records(place)}) == [
        "2021-05-16",
        "2022-06-01",
    ]


def test_lgnd_is_read_from_its_folders_by_item(tmp_path: Path) -> None:
    made.lgnd(tmp_path / "in")
    made.lgnd(tmp_path / "in", "S2A_33UXP_20250612_0_L2A", "2025-06-12T10:05:00")
    place = tmp_path / "a.td"
    told = bring(place, [tmp_path / "in"], Request())
    assert "72 embeddings of lgnd-clay-1024-scene-sentinel-2-l2a at 36 new" in told
    assert {row["scene_id"] for row in stored.records(place)} == {
        "S2B_33UXP_20240612_0_L2A/2024-06-12",
        "S2A_33UXP_20250612_0_L2A/2025-06-12",
    }


def test_other_tables_of_vectors_need_the_name_of_their_model(tmp_path: Path) -> None:
    shapes = made.shapes(4, 4)
    columns = {
        "embedding": made.fixed(made.vectors(16, 8)),
        "datetime": pa.array([np.datetime64("2023-05-01T10:00", "us")] * 16),
        "cloud_percent": pa.array([10] * 16),
        "geometry": made.wkb(shapes),
        "name": pa.array(["x"] * 16),
    }
    file = made.write(tmp_path / "planet.parquet", columns, {"geo": made.geo()})
    with pytest.raises(SchemaError, match="pass --model to name it"):
        bring(tmp_path / "a.td", [file], Request())
    assert not (tmp_path / "a.td").exists()
    told = bring(tmp_path / "a.td", [file], Request(model="Planet X"))
    assert told.startswith("vectors: 16 embeddings of planet-x")
    assert {row["clear_percent"] for row in stored.records(tmp_path / "a.td")} == {90.0}


def test_models_and_years_are_kept_apart(tmp_path: Path) -> None:
    one = made.earth_index_2024(tmp_path)
    other = made.earth_index_2025(tmp_path, "33UXP", 2024)
    with pytest.raises(SchemaError, match="two models do not go together"):
        bring(tmp_path / "a.td", [one, other], Request())
    place = tmp_path / "b.td"
    bring(place, [one], Request(patch_size=290))
    bring(place, [other], Request())
    assert {
        "embeddings_earth_index_2024_softcon",
        "embeddings_earth_index_yearly",
    } <= set(td.open(place).store.tables())
    with pytest.raises(ModelMismatchError):
        bring(place, [other], Request(model="earth-index-2024-softcon"))
    mixed = made.lgnd(tmp_path / "l", collection="naip")
    with pytest.raises(SchemaError, match="two models"):
        bring(tmp_path / "c.td", [made.lgnd(tmp_path / "l", "S2X"), mixed], Request())


def test_years_are_chosen_and_dry_runs_write_nothing(tmp_path: Path) -> None:
    for year in (2021, 2022, 2023, 2024):
        made.earth_index_2025(tmp_path / "in", "33UXP", year)
    place = tmp_path / "a.td"
    told = bring(place, [tmp_path / "in"], Request(dry_run=True))
    assert told.startswith(
        "earth-index: 256 rows of earth-index-yearly, 384 numbers, in 4"
    )
    assert not place.exists()
    told = bring(place, [tmp_path / "in"], Request(years="2021-2022,2024"))
    assert "192 embeddings" in told
    assert "64 left out, they were of other years" in told
    with pytest.raises(ValueError, match="expected years such as"):
        bring(place, [tmp_path / "in"], Request(years="last"))


def test_a_file_that_does_not_say_when_needs_a_date(tmp_path: Path) -> None:
    columns = {
        "id": pa.array([f"{n}" for n in range(16)]),
        "embedding": made.fixed(made.vectors(16, 384)),
        "geometry": made.wkb(made.shapes(4, 4)),
    }
    file = made.write(tmp_path / "33UXP.parquet", columns, {"geo": made.geo()})
    with pytest.raises(SchemaError, match=r"does not say when.*pass --date"):
        bring(tmp_path / "a.td", [file], Request())
    bring(tmp_path / "a.td", [file], Request(date="2023"))
    assert str(stored.records(tmp_path / "a.td")[0]["datetime"])[:10] == "2023-07-02"
    with pytest.raises(SchemaError, match="expected a date"):
        bring(tmp_path / "b.td", [file], Request(date="soon"))


def test_rows_with_start_and_end_stand_for_the_middle(tmp_path: Path) -> None:
    count = 16
    columns = {
        "embedding": made.fixed(made.vectors(count, 8)),
        "start_datetime": pa.array(["2023-04-01T00:00:00Z"] * count),
        "end_datetime": pa.array(["2023-05-01T00:00:00Z"] * (count - 1) + [None]),
        "geometry": made.wkb(made.shapes(4, 4)),
        "more": pa.array([1] * count),
    }
    file = made.write(tmp_path / "x.parquet", columns, {"geo": made.geo()})
    told = bring(tmp_path / "a.td", [file], Request(model="toy"))
    assert "1 left out, they had no instant" in told
    assert {str(row["datetime"])[:13] for row in stored.records(tmp_path / "a.td")} == {
        "2023-04-16 00"
    }


def test_the_verb_says_what_was_done_and_one_line_of_what_went_wrong(
    tmp_path: Path,
) -> None:
    file = made.earth_index_2024(tmp_path)
    place = tmp_path / "a.td"
    ran = CliRunner().invoke(app, ["import", str(place), str(file)])
    assert ran.exit_code == 0, ran.output
    assert "earth-index: 64 embeddings" in ran.output
    again = CliRunner().invoke(
        app, ["import", str(place), str(file), "--patch-size", "80"]
    )
    assert again.exit_code
    assert "the archive has patches of 320 m" in str(again.exception)
    other = CliRunner().invoke(app, ["import", str(place), str(file), "--form", "nn"])
    assert "form must be one of" in " ".join(other.output.split())
    run = td.open(place).store.scan("runs").read_all().to_pylist()[-1]
    assert run["message"].startswith("earth-index: 64")
    assert json.loads(run["parameters"])["paths"] == [str(file)]


def test_what_cannot_be_read_makes_no_archive(tmp_path: Path) -> None:
    place = tmp_path / "a.td"
    text = tmp_path / "x.parquet"
    text.write_text("no Parquet")
    for path, said in ((text, "expected a Parquet"), (tmp_path / "none", "no file at")):
        with pytest.raises(ArchiveError, match=said):
            bring(place, [path], Request())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match="found none"):
        bring(place, [tmp_path / "empty"], Request())
    assert not place.exists()


def test_an_archive_with_scenes_of_its_own_is_not_mixed(
    finished: Path, tmp_path: Path
) -> None:
    file = made.earth_index_2024(tmp_path)
    with pytest.raises(ArchiveError, match=r"squares of .* are 320 m wide"):
        td.open(finished).import_(file)


def test_a_bare_table_is_of_earth_index_only_by_its_length(tmp_path: Path) -> None:
    columns = {
        "id": pa.array([str(n) for n in range(16)]),
        "embedding": made.fixed(made.vectors(16, 64)),
        "geometry": made.wkb(made.shapes(4, 4)),
    }
    file = made.write(tmp_path / "x_2023.parquet", columns)
    with pytest.raises(SchemaError, match="does not say which model"):
        bring(tmp_path / "a.td", [file], Request())
    columns["embedding"] = pa.array([[1, 2]] * 16, pa.list_(pa.uint8()))
    file = made.write(tmp_path / "y_2023.parquet", columns)
    with pytest.raises(SchemaError, match="pass --form earth-index, or turn"):
        bring(tmp_path / "a.td", [file], Request())


def test_a_file_of_two_collections_is_refused(tmp_path: Path) -> None:
    shapes = made.shapes(4, 4)
    columns = {
        "chips_id": pa.array([str(n) for n in range(16)]),
        "collection": pa.array(["sentinel-2-l2a"] * 15 + ["naip"]),
        "datetime": pa.array([np.datetime64("2024-06-12", "us")] * 16),
        "embedding": made.fixed(made.vectors(16, 8)),
        "geometry": made.wkb(shapes),
    }
    file = made.write(tmp_path / "x.parquet", columns)
    with pytest.raises(SchemaError, match="different models; split it by collection"):
        bring(tmp_path / "a.td", [file], Request())
