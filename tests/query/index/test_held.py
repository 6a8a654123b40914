"""Indexes of tables that changed, and files that are damaged, foreign or half-written."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from terradrift.errors import ArchiveError
from terradrift.query.index import codes, files, flat, held, kept
from terradrift.query.index.build import build
from terradrift.query.index.protocol import Index
from terradrift.store import arrays
from terradrift.store.tables import Store
from tests.query.conftest import changes_table
from tests.query.index import made
from tests.query.index.made import TABLE

ROWS = 400
DELTA = ("delta",)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = made.clustered(ROWS)
    rows = changes_table(ROWS, values=values)
    store = made.archive(tmp_path_factory.mktemp("held"), rows.slice(0, 150))
    store.append(TABLE, rows.slice(150))
    build(store, TABLE, DELTA, None, quiet=True)
    return store.root


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Store:
    shutil.copytree(built, tmp_path / "a.td")
    return Store.open(tmp_path / "a.td")


def opened(store: Store) -> Index | None:
    return held.opened(store, TABLE, store.dataset(TABLE), DELTA, None)


def trouble(store: Store) -> str | None:
    return held.trouble(store, TABLE, store.dataset(TABLE), DELTA, None)


def paths(store: Store) -> list[Path]:
    return sorted((store.root / "index").glob("*.safetensors"))


def covered_rows(store: Store, index: Index) -> np.ndarray:
    """Ids of the rows of the newest version in fragments that are not fresh."""
    table = store.dataset(TABLE)
    ids = table.to_table(columns=[], with_row_id=True)["_rowid"].to_numpy()
    return np.sort(ids[~np.isin(ids >> np.uint64(32), index.fresh)])


def check(store: Store, index: Index, rows: int) -> None:
    """The index answers for its rows as the stream does, and for no others."""
    ids = covered_rows(store, index)
    assert len(ids) == index.rows == rows
    for seed in range(3):
        query = made.question(DELTA, None, seed)
        expected = made.streamed(store, query, 30, ids)
        assert made.same(index.exact(query, 30), expected)
        near, _ = index.near(query, 30)
        assert np.isin(near.row_ids, ids).all()
        assert np.isin(near.row_ids, expected.row_ids).mean() > 0.9


def test_all_rows_are_covered_at_first(store: Store) -> None:
    index = opened(store)
    assert index is not None
    assert index.fresh == ()
    check(store, index, ROWS)


def test_rows_written_since_are_fresh(store: Store) -> None:
    store.append(TABLE, changes_table(40, seed=8))
    index = opened(store)
    assert index is not None
    assert index.fresh == (2,)
    check(store, index, ROWS)


def test_a_fragment_with_deletions_since_is_fresh(store: Store) -> None:
    store.dataset(TABLE).delete("change_id = 'c00200'")
    index = opened(store)
    assert index is not None
    assert index.fresh == (1,)
    check(store, index, 150)
    build(store, TABLE, DELTA, None, quiet=True)
    index = opened(store)
    assert index is not None
    assert index.fresh == ()
    check(store, index, ROWS - 1)


def test_a_version_that_was_opened_before_keeps_its_index(store: Store) -> None:
    before = store.dataset(TABLE)
    old = opened(store)
    store.dataset(TABLE).delete("change_id = 'c00200'")
    again = held.opened(store, TABLE, before, DELTA, None)
    assert old is not None
    assert again is not None
    assert again.fresh == ()
    assert again.rows == ROWS


@pytest.mark.parametrize("how", ["overwritten", "dropped"])
def test_a_table_made_anew_is_not_answered_from_the_old(store: Store, how: str) -> None:
    assert opened(store) is not None
    if how == "dropped":
        store.drop(TABLE)
        store.append(TABLE, changes_table(150, seed=4))
    else:
        store.overwrite(TABLE, changes_table(150, seed=4))
    assert opened(store) is None
    assert trouble(store) is None


def test_without_files_there_is_no_index(store: Store) -> None:
    shutil.rmtree(store.root / "index")
    assert opened(store) is None
    assert trouble(store) is None


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    path.write_text("not an index")


def list_as_head(path: Path) -> None:
    path.write_bytes((2).to_bytes(8, "little") + b"[]")


def older(path: Path) -> None:
    found, said = arrays.read(path)
    arrays.write(path, {**found}, {**said, "kind": "flat/0"})


def of_other_rows(path: Path) -> None:
    found, said = arrays.read(path)
    arrays.write(path, {**found}, {**said, "covered": '[[0,7,"x"]]'})


@pytest.mark.parametrize(
    "spoil", [truncated, emptied, foreign, list_as_head, older, of_other_rows]
)
@pytest.mark.parametrize("which", [0, 1], ids=["copy", "codes"])
def test_a_spoilt_file_is_not_read_and_is_made_anew(
    store: Store, which: int, spoil: Callable[[Path], None]
) -> None:
    path = paths(store)[which]
    spoil(path)
    assert opened(store) is None
    said = trouble(store)
    assert said is not None
    assert path.name in said
    assert said.count("terradrift index") == 1
    assert "copy," not in said
    assert "Error" not in said
    assert "\n" not in said
    build(store, TABLE, DELTA, None, quiet=True)
    index = opened(store)
    assert index is not None
    check(store, index, ROWS)


@pytest.mark.parametrize(
    ("name", "value"), [("positions", ROWS), ("positions", -2), ("starts", 10**6)]
)
def test_codes_that_point_outside_are_not_read(
    store: Store, name: str, value: int
) -> None:
    path = paths(store)[1]
    found, said = arrays.read(path)
    spoilt = {key: np.array(one) for key, one in found.items()}
    spoilt[name].flat[1] = value
    arrays.write(path, spoilt, said)
    with pytest.raises(ArchiveError, match="lists that fit each other"):
        codes.read(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("positions", -1),
        ("positions", 5),
        ("factors", np.nan),
        ("lengths", np.nan),
        ("lengths", 1),
        ("centroids", np.nan),
        ("rotation", 0.5),
        ("measured", np.nan),
        ("measured", -1),
        ("measured", 1e9),
    ],
)
def test_codes_that_miss_rows_or_tell_no_numbers_are_not_read(
    store: Store, name: str, value: float
) -> None:
    path = paths(store)[1]
    found, said = arrays.read(path)
    spoilt = {key: np.array(one) for key, one in found.items()}
    if name == "lengths" and value == 1:
        # A row that is in no list is said to have a direction.
        at = np.flatnonzero(spoilt["positions"].ravel() >= 0)[0]
        spoilt["positions"].flat[at] = -1
        spoilt["factors"][at // 8, :, at % 8] = 0, -np.inf
    else:
        spoilt[name][:] = value
    arrays.write(path, spoilt, said)
    assert opened(store) is None
    said_of_it = trouble(store)
    assert said_of_it is not None
    assert "expected lists that fit each other in" in said_of_it
    assert "run terradrift index" in said_of_it
    assert "\n" not in said_of_it


def test_a_writer_killed_half_way_leaves_nothing_that_is_read(store: Store) -> None:
    for path in paths(store):
        path.unlink()
    script = Path(__file__).with_name("killed_process.py")
    ran = subprocess.run([sys.executable, script, store.root, TABLE], check=False)
    assert ran.returncode == -9
    left = [path.name for path in (store.root / "index").iterdir()]
    assert len(left) == 1
    assert left[0].endswith(".tmp")
    assert opened(store) is None
    kept.remove_unfinished(store.root)
    assert list((store.root / "index").iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    for path in paths(store):
        path.unlink()
    with pytest.raises(ArchiveError, match="no space left on the device"):
        build(store, TABLE, DELTA, None, quiet=True)
    assert list((store.root / "index").iterdir()) == []


def test_a_copy_holds_each_vector_bit_for_bit(store: Store) -> None:
    found, covered = flat.read(paths(store)[0])
    column = store.dataset(TABLE).to_table(columns=["delta"])["delta"]
    stored = column.combine_chunks().flatten().to_numpy().reshape(ROWS, -1)
    assert found.vectors.tobytes() == stored.tobytes()
    assert [part.rows for part in covered.fragments] == [150, 250]


def test_names_of_files_say_what_they_are_of(tmp_path: Path) -> None:
    path = files.codes(tmp_path, "changes_m", ("before", "after"), "whiten/3", "ab12")
    name = files.parse(path)
    assert name is not None
    assert (name.table, name.columns, name.space, name.digest) == (
        "changes_m",
        "before+after",
        "whiten/3",
        "ab12",
    )
    assert files.parse(tmp_path / "something.else.safetensors") is None
