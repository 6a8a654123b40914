"""What later scenes may bring to an archive: levels and patches."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

import terradrift as td
from terradrift.archive.choosing import choose
from terradrift.archive.purpose import Purpose
from terradrift.errors import ArchiveError
from terradrift.ingest.scene import Options
from terradrift.store.tables import Store


@pytest.fixture
def catalog(shared: Callable[[str], Path]) -> Path:
    """Scenes that state no level."""
    return shared("data/s2-flanders-2018/catalog.json")


def levels(archive: td.Archive) -> list[str | None]:
    found: list[str | None] = (
        archive.store.scan("scenes", ["processing_level"])
        .read_all()["processing_level"]
        .to_pylist()
    )
    return found


def test_an_empty_level_is_filled_and_a_stated_one_stays(
    catalog: Path, tmp_path: Path
) -> None:
    archive = td.create(tmp_path / "a.td", td.Grid(40))
    archive.ingest(catalog, datetime="2018-05")
    count = archive.store.count("scenes")
    assert levels(archive) == [None] * count
    before = archive.store.scan("scenes").read_all().drop_columns(["processing_level"])
    archive.ingest(catalog, datetime="2018-05", options=Options(level="L1C"))
    assert levels(archive) == ["L1C"] * count
    after = archive.store.scan("scenes").read_all().drop_columns(["processing_level"])
    assert before.equals(after)
    with pytest.raises(ArchiveError, match=r"holds scenes of L1C .*, got L2A"):
        archive.ingest(catalog, datetime="2018-05", options=Options(level="L2A"))
    assert levels(archive) == ["L1C"] * count


def test_levels_of_two_ingests_are_not_mixed(catalog: Path, tmp_path: Path) -> None:
    archive = td.create(tmp_path / "a.td", td.Grid(40))
    archive.ingest(catalog, datetime="2017-08", options=Options(level="L1C"))
    count = archive.store.count("scenes")
    with pytest.raises(ArchiveError, match="one archive holds one processing level"):
        archive.ingest(catalog, datetime="2018-05", options=Options(level="L2A"))
    assert archive.store.count("scenes") == count
    archive.ingest(catalog, datetime="2018-05", options=Options(level="L1C"))
    assert set(levels(archive)) == {"L1C"}


def test_a_patch_that_is_no_whole_token_is_refused_before_anything_is_written(
    catalog: Path, tmp_path: Path
) -> None:
    archive = td.create(tmp_path / "a.td", td.Grid(70))
    purpose = Purpose(choose(None, "presto", {"tokens": True, "token_size": 2}))
    with pytest.raises(ArchiveError, match=r"got 7 pixels; .*--patch-size 80 \(8 pix"):
        archive.ingest(
            catalog, datetime="2018-05", options=Options(level="L1C"), purpose=purpose
        )
    assert archive.store.tables() == ["runs"]
    assert archive.store.settings.bands == ()


@pytest.mark.parametrize("killed", [False, True])
def test_patches_are_made_anew_where_there_are_no_vectors(
    catalog: Path, tmp_path: Path, *, killed: bool
) -> None:
    archive = td.create(tmp_path / "a.td", td.Grid(160))
    archive.ingest(catalog, datetime="2018-05")
    if killed:  # between the old patches and the new
        archive.store.drop("patches")
    held = archive.store.settings
    grid = replace(held.grid, patch_size=80)
    other = td.Archive(Store(archive.store.root, replace(held, grid=grid)))
    done = other.ingest(catalog, datetime="2018-05/2018-06")
    assert done.new > 0
    fresh = td.create(tmp_path / "b.td", td.Grid(80))
    fresh.ingest(catalog, datetime="2018-05/2018-06")

    def patches(given: td.Archive) -> pa.Table:
        return given.store.scan("patches").read_all().sort_by("patch_id")

    reopened = td.open(tmp_path / "a.td")
    assert patches(reopened).equals(patches(fresh))
    assert reopened.store.settings.grid == fresh.store.settings.grid
    assert reopened.validate() == []
