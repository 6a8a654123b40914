"""The table of a method's anomalies: replaced whole, seen in SQL under one name."""

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

import terradrift as td
from terradrift import schema
from terradrift.archive.methods import anomalies
from terradrift.errors import SchemaError


@pytest.fixture
def archive(finished: Path, tmp_path: Path) -> td.Archive:
    return td.open(shutil.copytree(finished, tmp_path / "copy.td"))


def _rows(archive: td.Archive, method: str, score: float) -> pa.RecordBatch:
    patch = archive.sql("SELECT patch_id, tile FROM patches LIMIT 1").fetchone()
    row = {
        "patch_id": patch[0],
        "tile": patch[1],
        "datetime": dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        "method": method,
        "model": "",
        "score": score,
    }
    return pa.RecordBatch.from_pylist([row], schema=schema.anomalies())


def test_all_methods_stand_in_one_view_with_their_places(archive: td.Archive) -> None:
    empty = archive.sql("SELECT * FROM anomalies")
    assert empty.fetchall() == []
    for method, score in (("one", 1.0), ("two", 2.0)):
        rows = [_rows(archive, method, score)]
        anomalies.replace(archive.store, method, rows, about={"how": "by hand"})
    shown = archive.sql(
        "SELECT method, score, longitude IS NOT NULL FROM anomalies ORDER BY method"
    )
    assert shown.fetchall() == [("one", 1.0, True), ("two", 2.0, True)]
    full = archive.sql("SELECT * FROM anomalies")
    assert full.columns == empty.columns
    assert archive.validate() == []


def test_a_method_replaces_what_it_said_before(archive: td.Archive) -> None:
    for score in (1.0, 3.0):
        count = anomalies.replace(
            archive.store,
            "one",
            [_rows(archive, "one", score)],
            model="mosaiks",
            about={"how": str(score)},
        )
        assert count == 1
    held = archive.store.dataset("anomalies_one_mosaiks")
    assert held.to_table()["score"].to_pylist() == [3.0]
    assert held.schema.metadata[b"how"] == b"3.0"


def test_rows_of_other_columns_leave_the_old_table(archive: td.Archive) -> None:
    good = _rows(archive, "one", 1.0)
    anomalies.replace(archive.store, "one", [good], about={})
    with pytest.raises(SchemaError, match="score"):
        anomalies.replace(
            archive.store, "one", [good.drop_columns(["score"])], about={}
        )
    held = archive.store.dataset("anomalies_one")
    assert held.to_table()["score"].to_pylist() == [1.0]
