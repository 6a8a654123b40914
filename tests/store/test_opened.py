"""Tables that stay open for reading: the same until the table changes, never an old one."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from terradrift import schema
from terradrift.errors import ArchiveError
from terradrift.grid import Grid
from terradrift.store.tables import Settings, Store


def labels(*ids: str) -> pa.Table:
    wanted = schema.labels()
    columns = [
        pa.array(ids) if field.name == "label_id" else pa.nulls(len(ids), field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=wanted)


def held(store: Store) -> list[str]:
    return store.opened("labels").to_table()["label_id"].to_pylist()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.create(tmp_path / "a.td", Settings(Grid()))
    made.append("labels", labels("a"))
    return made


def test_the_same_object_until_the_table_changes(store: Store) -> None:
    first = store.opened("labels")
    assert store.opened("labels") is first
    store.append("labels", labels("b"))
    assert held(store) == ["a", "b"]
    assert first.to_table()["label_id"].to_pylist() == ["a"]
    again = store.opened("labels")
    store.overwrite("labels", labels("c"))
    assert held(store) == ["c"]
    assert store.opened("labels") is not again


def test_what_another_process_writes_is_seen(store: Store) -> None:
    assert held(store) == ["a"]
    Store.open(store.root).append("labels", labels("b"))
    assert held(store) == ["a", "b"]


def test_a_table_made_anew_at_the_same_version_is_seen(store: Store) -> None:
    assert held(store) == ["a"]
    store.drop("labels")
    with pytest.raises(ArchiveError, match="has no table labels"):
        store.opened("labels")
    store.append("labels", labels("z"))
    assert held(store) == ["z"]


def test_what_is_written_through_a_dataset_does_not_move_what_is_open(
    store: Store,
) -> None:
    first = store.opened("labels")
    store.dataset("labels").delete("label_id = 'a'")
    assert first.to_table()["label_id"].to_pylist() == ["a"]
    assert held(store) == []


def test_an_archive_that_is_gone_is_said(store: Store) -> None:
    store.opened("labels")
    shutil.rmtree(store.path("labels"))
    with pytest.raises(ArchiveError, match="has no table labels"):
        store.opened("labels")
