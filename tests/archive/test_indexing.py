"""`terradrift index`: what it makes, leaves, makes anew, removes and says."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import terradrift as td
from terradrift.archive import indexing
from terradrift.cli import app
from terradrift.errors import ArchiveError, ArchiveLockedError, QueryError
from terradrift.query.index import kept
from terradrift.space import fit
from terradrift.store import spaces
from terradrift.store.lock import WriterLock
from terradrift.store.tables import Store
from tests.query.conftest import MODEL, changes_table
from tests.query.index import made

ROWS = 300


@pytest.fixture
def store(tmp_path: Path) -> Store:
    rows = changes_table(ROWS, values=made.clustered(ROWS))
    return made.archive(tmp_path, rows)


def files(store: Store) -> set[str]:
    folder = store.root / "index"
    return {path.name for path in folder.glob("*.safetensors")}


def index(store: Store, **options: object) -> list[str]:
    return td.open(store.root).index(every=True, quiet=True, threads=1, **options)  # type: ignore[arg-type]


def test_small_tables_are_left_and_said_to_be(store: Store) -> None:
    (said,) = td.open(store.root).index(quiet=True)
    assert "300 rows are searched as quickly without an index" in said
    assert "--all" in said
    assert files(store) == set()
    assert indexing.after_optimize(store, MODEL, threads=1) == []


def test_all_modes_are_indexed_once(store: Store) -> None:
    first = index(store)
    assert sum("rows indexed" in said for said in first) == 4
    assert all("recall" in said for said in first if "rows indexed" in said)
    before = {path: path.stat().st_mtime_ns for path in store.root.glob("index/*.s*")}
    assert len(before) == 3 + 4
    again = index(store)
    assert sum("indexed already" in said for said in again) == 4
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_one_mode_is_indexed_alone(store: Store) -> None:
    (said,) = index(store, mode="after")
    assert said.startswith("changes_toy_v1_0 after in raw: 300 rows indexed")
    assert len(files(store)) == 2


def test_what_is_stale_is_made_anew_and_what_it_replaces_goes(store: Store) -> None:
    index(store, mode="delta")
    index(store, mode="after")
    old = files(store)
    store.append(made.TABLE, changes_table(20, seed=3))
    (said,) = index(store, mode="delta")
    assert "320 rows indexed" in said
    now = files(store)
    assert len(now) == 4
    # What nothing replaces still covers most rows.
    assert now & old == {name for name in old if ".after." in name}


def test_codes_of_a_space_left_behind_go(store: Store) -> None:
    index(store, mode="after")
    space = fit("centre", [made.clustered(50).astype(np.float32)], 8, 1)
    spaces.choose(store, MODEL, space)
    index(store, mode="after")
    (codes,) = (name for name in files(store) if "codes" in name)
    assert ".centre-1." in codes


def test_files_of_a_table_that_is_gone_go(store: Store) -> None:
    index(store, mode="delta")
    store.drop(made.TABLE)
    td.open(store.root).index(quiet=True)
    assert files(store) == set()


def test_states_are_indexed_in_the_centre_that_is_kept(store: Store) -> None:
    space = fit("centre", [made.clustered(50).astype(np.float32)], 8, 1)
    spaces.keep(store, MODEL, space)
    (said,) = index(store, mode="after")
    assert said.startswith("changes_toy_v1_0 after in centre/1: 300 rows indexed")
    (said,) = index(store, mode="delta")
    assert " delta in raw: 300 rows indexed" in said
    assert sum("codes" in name for name in files(store)) == 2
    opened = td.open(store.root)
    change = {"change": "c00007", "exact": False}
    for mode, label in (("after", "centre/1"), ("delta", "raw")):
        found = opened.similar(mode=mode, **change)
        assert (found.space, found.exact) == (label, False)
    # An index of another space is not asked.
    assert opened.similar(mode="after", space="raw", **change).exact


def test_who_writes_does_not_hold_it_up(store: Store) -> None:
    with store.lock("write"):
        assert index(store, mode="delta")


def test_two_do_not_index_at_once(store: Store) -> None:
    with (
        WriterLock(kept.folder(store.root)).hold("index"),
        pytest.raises(ArchiveLockedError, match="index"),
    ):
        index(store)


def test_what_cannot_be_indexed_is_said(store: Store) -> None:
    with pytest.raises(QueryError, match="no embeddings of toy"):
        index(store, table="observations")
    with pytest.raises(QueryError, match="mode must be"):
        index(store, mode="sideways")
    with pytest.raises(QueryError, match="target must be"):
        index(store, table="patches")


def test_info_says_what_is_covered(store: Store) -> None:
    index(store, mode="delta")
    assert [told.covered for told in kept.told(store)] == [ROWS]
    store.append(made.TABLE, changes_table(20, seed=3))
    (told,) = kept.told(store)
    assert (told.covered, told.rows) == (ROWS, ROWS + 20)
    assert told.name == "changes_toy_v1_0 delta in raw"
    assert "300 of 320 rows" in str(told)
    assert "terradrift index covers the rest" in str(told)
    assert td.open(store.root).info()[f"index {told.name}"] == str(told)


def test_large_tables_are_indexed_after_optimize(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "ROWS", ROWS)
    said = td.open(store.root).optimize()
    assert sum("rows indexed" in line for line in said) == 4


def test_the_command_says_what_was_done(store: Store) -> None:
    runner = CliRunner()
    command = ["index", str(store.root), "--all", "--mode"]
    done = runner.invoke(app, [*command, "delta"])
    assert done.exit_code == 0
    assert "300 rows indexed" in done.stderr
    wrong = runner.invoke(app, [*command, "up"])
    assert isinstance(wrong.exception, QueryError)


def test_a_file_where_the_folder_should_be_is_told(store: Store) -> None:
    (store.root / "index").write_text("mine")
    said = td.open(store.root).info()["index"]
    assert "got a file; move it away, then run terradrift index" in said
    with pytest.raises(ArchiveError, match="cannot make the folder of indexes"):
        index(store)
    assert (store.root / "index").read_text() == "mine"
