"""What `export` writes comes back, file or folder, into an archive that import makes."""

from pathlib import Path

import pyarrow as pa
import pytest

import terradrift as td
from terradrift.archive.importing import Request, bring
from terradrift.errors import ArchiveError, ModelMismatchError, SchemaError
from tests.store.published import made


def rows(archive: td.Archive, columns: str = "* EXCLUDE (run_id)") -> pa.Table:
    return archive.sql(
        f"SELECT {columns} FROM embeddings_mosaiks ORDER BY patch_id, datetime"  # noqa: S608
    ).to_arrow_table()


@pytest.mark.parametrize("to", ["parquet", "partitioned"])
def test_embeddings_come_back_from_files_and_folders(
    finished: Path, tmp_path: Path, to: str
) -> None:
    ours = td.open(finished)
    out = tmp_path / ("all.parquet" if to == "parquet" else "all")
    count = ours.export(out, what="embeddings", to=to)
    place = tmp_path / "back.td"
    told = bring(place, [out], Request())
    assert told.startswith(f"{count:,} embeddings from ")
    back = td.open(place)
    assert back.store.settings.grid == ours.store.settings.grid
    assert rows(back).equals(rows(ours))
    assert back.store.count("patches") == ours.store.count("patches")
    assert back.validate() == []
    assert bring(place, [out], Request()).startswith("0 embeddings")


def test_changes_come_back_from_folders(finished: Path, tmp_path: Path) -> None:
    ours = td.open(finished)
    out = tmp_path / "changes"
    count = ours.export(out, what="changes", to="partitioned")
    place = tmp_path / "back.td"
    ours.export(tmp_path / "e.parquet", what="embeddings")
    bring(place, [tmp_path / "e.parquet"], Request())
    told = bring(place, [out], Request(what="changes"))
    assert told.startswith(f"{count:,} changes")
    text = "SELECT change_id, tile, onset, score FROM changes ORDER BY 1"
    assert td.open(place).sql(text).fetchall() == ours.sql(text).fetchall()


def test_own_files_are_not_mixed_with_others(finished: Path, tmp_path: Path) -> None:
    file = tmp_path / "e.parquet"
    td.open(finished).export(file, what="embeddings")
    place = tmp_path / "a.td"
    other = made.earth_index_2024(tmp_path)
    bring(place, [other], Request())
    with pytest.raises(ArchiveError, match="is of another grid than the archive"):
        bring(place, [file], Request())
    with pytest.raises(SchemaError):
        bring(tmp_path / "b.td", [other], Request(form="terradrift"))
    with pytest.raises(ValueError, match="--date does not go with terradrift"):
        bring(tmp_path / "b.td", [file], Request(date="2023"))
    with pytest.raises((ModelMismatchError, SchemaError)):
        td.open(place).import_table(file, other)


def test_published_squares_keep_their_places_through_an_export(tmp_path: Path) -> None:
    first = (made.WEST + 77, made.SOUTH + 123)
    file = made.earth_index_2024(tmp_path, made=made.shapes(8, 8, first=first))
    bring(tmp_path / "a.td", [file], Request())
    ours = td.open(tmp_path / "a.td")
    ours.export(tmp_path / "e.parquet", what="embeddings")
    bring(tmp_path / "b.td", [tmp_path / "e.parquet"], Request())
    text = "SELECT patch_id, longitude, latitude FROM patches ORDER BY 1"
    back = td.open(tmp_path / "b.td").sql(text).fetchall()
    for one, other in zip(ours.sql(text).fetchall(), back, strict=True):
        assert one[0] == other[0]
        assert one[1:] == pytest.approx(other[1:], abs=1e-5)
    other = made.write(tmp_path / "x.parquet", {"a": pa.array([1])})
    with pytest.raises(SchemaError, match=r"of no form that is known.*it has a"):
        bring(tmp_path / "c.td", [other], Request())
