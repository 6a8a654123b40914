"""What `export` writes comes back, file or folder, into an archive that import makes."""

from pathlib import Path

import pyarrow as pa
import pytest

import terradrift as td
from terradrift.archive.importing import Request, bring
from terradrift.errors import ArchiveError, ModelMismatchError, SchemaError
from tests.store import stored
from tests.store.published import made


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
    one, other = (
        stored.observations(at).drop_columns(["run_id"]) for at in (place, finished)
    )
    assert one.equals(other)
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
    one, other = (
        at.store.scan("changes_mosaiks", ["change_id", "tile", "onset", "score"])
        .read_all()
        .sort_by("change_id")
        for at in (td.open(place), ours)
    )
    assert one.equals(other)


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
    for one, other in zip(
        stored.records(tmp_path / "a.td"),
        stored.records(tmp_path / "b.td"),
        strict=True,
    ):
        assert one["patch_id"] == other["patch_id"]
        for at in ("longitude", "latitude"):
            assert one[at] == pytest.approx(other[at], abs=1e-5)
    other = made.write(tmp_path / "x.parquet", {"a": pa.array([1])})
    with pytest.raises(SchemaError, match=r"of no form that is known.*it has a"):
        bring(tmp_path / "c.td", [other], Request())
