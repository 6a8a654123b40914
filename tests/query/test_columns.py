"""Files of columns: the same answers as from Lance, or no use of them."""

# ruff: noqa: S608 - statements of our own

import multiprocessing
import resource
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import duckdb
import lance
import pyarrow as pa
import pytest

from terradrift import schema
from terradrift.errors import ArchiveError, QueryError
from terradrift.grid import Grid
from terradrift.query.columns import build, files
from terradrift.query.sql import ask, sandbox
from terradrift.query.sql.limits import Limits
from terradrift.store.tables import Settings, Store
from tests.query.conftest import (
    DAYS,
    MODEL,
    SUFFIX,
    changes_table,
    embeddings_table,
    instants,
    patches_table,
    scenes_table,
    table,
)

EMBEDDINGS = f"embeddings_{SUFFIX}"
CHANGES = f"changes_{SUFFIX}"
SQUARE = (
    '{"type": "Polygon", "coordinates": '
    "[[[3.021, 50.011], [3.045, 50.015], [3.03, 50.052], [3.021, 50.011]]]}"
)
STATEMENTS = [
    "SELECT count(*) FROM observations",
    "SELECT count(*) FROM embeddings WHERE datetime >= '2018-05-01'",
    "SELECT patch_id, datetime, clear_percent FROM observations",
    "SELECT cloud_percent, geometry, tile, bbox FROM observations",
    "SELECT collection, scene_id, longitude FROM observations WHERE patch_id = 'p0007'",
    "SELECT patch_id, embedding, latitude FROM observations",
    "FROM observations",
    "FROM embeddings",
    "FROM patches",
    "FROM scores",
    "FROM anomalies",
    f"FROM scores_{SUFFIX}",
    "FROM changes",
    "SELECT * EXCLUDE (before, after, delta) FROM changes",
    "SELECT COLUMNS('^d_') FROM changes",
    "SELECT kind, count(*), avg(score) FROM changes GROUP BY ALL ORDER BY ALL",
    "SELECT bbox.xmin, delta[1] FROM changes",
    "SELECT c FROM changes c",
    "SELECT s.reason, s.drift FROM scores s NATURAL JOIN patches",
    "SELECT longitude, drift FROM scores JOIN (SELECT patch_id FROM patches) USING (patch_id)",
    "SELECT a FROM scores s(a, b) WHERE b >= '2018-05-01'",
    "WITH scores AS (SELECT * FROM scores WHERE drift > 0.5) SELECT count(*) FROM scores",
    "SELECT count(*) FROM (SELECT DISTINCT tile, month_of(datetime) FROM scores)",
    "SELECT patch_id FROM scores WHERE in_bbox(bbox, 3.02, 50.01, 3.05, 50.04)",
    "SELECT patch_id FROM patches p WHERE EXISTS (SELECT 1 FROM changes c WHERE c.patch_id = p.patch_id)",
    "SELECT patch_id, lag(drift) OVER (PARTITION BY patch_id ORDER BY datetime) FROM scores",
    "SELECT patch_id, (SELECT max(drift) FROM scores s WHERE s.patch_id = p.patch_id) FROM patches p",
    "SELECT column_name, min, max, count FROM (SUMMARIZE scores)",
    "DESCRIBE scores",
    "PIVOT (SELECT kind, persistence FROM changes) ON persistence IN ('persistent') USING count(*)",
    f"SELECT patch_id, drift FROM scores WHERE within(geometry, '{SQUARE}')",
    f"SELECT count(*) FROM patches WHERE NOT within(geometry, '{SQUARE}')",
    f"SELECT count(*) FROM (SELECT '{SQUARE}' AS area) JOIN patches ON within(geometry, area)",
    "FROM series('p0007')",
    "SELECT patch_id, first_change(patch_id).kind, largest_change(patch_id).score FROM patches",
    "WITH a AS (SELECT patch_id, avg(drift) d FROM scores GROUP BY 1) SELECT d, geometry FROM a JOIN patches USING (patch_id)",
    "SELECT drift, (SELECT min(ndvi) FROM observations o WHERE o.patch_id = s.patch_id) FROM scores s",
    "SELECT patch_id FROM scores WHERE drift > 1 UNION ALL BY NAME SELECT patch_id FROM changes",
]


def scores_table(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Scores, or anomalies, of the observations in `rows`."""
    shared = {name: rows[name] for name in ("patch_id", "datetime", "tile", "scene_id")}
    drift = pa.array([i % 17 / 10 for i in range(len(rows))])
    reason = pa.array([None if i % 3 else "not clear" for i in range(len(rows))])
    return table(shared | {"drift": drift, "score": drift, "reason": reason}, wanted)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An archive that each test takes a copy of."""
    root = tmp_path_factory.mktemp("columns") / "kept.td"
    store = Store.create(root, Settings(Grid(160), model=MODEL))
    rows = embeddings_table()
    tables = {
        "scenes": scenes_table(),
        "patches": patches_table(),
        EMBEDDINGS: rows,
        CHANGES: changes_table(300),
        f"scores_{SUFFIX}": scores_table(rows, schema.scores()),
        "anomalies_one": scores_table(rows, schema.anomalies()),
        "anomalies_two": scores_table(rows.slice(0, 100), schema.anomalies()),
    }
    for name, table_rows in tables.items():
        store.append(name, table_rows)
    return store


@pytest.fixture(scope="module")
def kept_built(kept: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same with all its files of columns."""
    root = tmp_path_factory.mktemp("columns") / "built.td"
    shutil.copytree(kept.root, root)
    store = Store.open(root)
    build_all(store)
    return store


@pytest.fixture
def full(kept: Store, tmp_path: Path) -> Store:
    return Store.open(shutil.copytree(kept.root, tmp_path / "full.td"))


@pytest.fixture
def built(kept_built: Store, tmp_path: Path) -> Store:
    return Store.open(shutil.copytree(kept_built.root, tmp_path / "built.td"))


def build_all(store: Store) -> list[build.Built]:
    return [build.build(store, name) for name in store.tables() if name != "scenes"]


def answers(store: Store, statements: list[str]) -> list[object]:
    """Columns, types and rows of each, rows in an order of their own."""
    found: list[object] = []
    for text in statements:
        answer = ask.sql(store, text)
        rows = answer.fetchall()
        found.append(
            (text, answer.columns, answer.types, sorted(map(repr, rows)), len(rows))
        )
    return found


def test_answers_are_the_same_by_either_route(kept: Store, kept_built: Store) -> None:
    assert answers(kept_built, STATEMENTS) == answers(kept, STATEMENTS)


def test_every_pair_of_columns_is_the_same_by_either_route(
    kept: Store, kept_built: Store
) -> None:
    names = ask.sql(kept, "FROM observations").columns
    some = [*combinations(names, 2)][::9]
    pairs = [f"SELECT {a}, {b} FROM observations" for a, b in some]
    assert answers(kept_built, pairs) == answers(kept, pairs)


def test_a_statement_reads_the_file_and_no_join_that_it_does_not_name(
    built: Store,
) -> None:

    def plan(text: str) -> str:
        return str(ask.sql(built, f"EXPLAIN {text}").fetchall())

    assert "ARROW_SCAN" not in plan("SELECT ndvi, longitude FROM observations")
    assert "JOIN" not in plan("SELECT ndvi, longitude FROM observations")
    assert "ARROW_SCAN" not in plan("FROM series('p0007')")
    assert "ARROW_SCAN" not in plan("SELECT last_change('p0007')")
    grouped = "SELECT patch_id, avg(drift) FROM scores GROUP BY patch_id"
    joined = plan(f"SELECT geometry FROM ({grouped}) JOIN patches USING (patch_id)")
    assert "_place" not in joined
    assert "ARROW_SCAN" in plan("SELECT embedding FROM observations")
    assert "JOIN" not in plan("SELECT embedding FROM observations")


def test_rows_written_since_are_there_too(built: Store) -> None:
    more = embeddings_table(seed=5)
    built.append(EMBEDDINGS, more)
    built.append(f"scores_{SUFFIX}", scores_table(more.slice(0, 9), schema.scores()))
    with_files = answers(built, STATEMENTS)
    assert ask.sql(built, "SELECT count(*) FROM observations").fetchall() == [(1152,)]
    shutil.rmtree(built.root / files.FOLDER)
    assert answers(built, STATEMENTS) == with_files


def test_a_place_that_is_known_only_later_is_shown(make: Callable[..., Store]) -> None:
    places = patches_table()
    store = make(patches=places.slice(0, 100), **{EMBEDDINGS: embeddings_table()})
    build.build(store, EMBEDDINGS)
    query = "SELECT count(*) FROM observations WHERE longitude IS NULL"
    assert ask.sql(store, query).fetchall() == [(44 * len(DAYS),)]
    store.append("patches", places.slice(100))
    assert ask.sql(store, query).fetchall() == [(0,)]
    held, (reason,) = files.find(store.root, EMBEDDINGS, opened(store))
    assert held is None
    assert "places" in reason


def opened(store: Store) -> dict[str, lance.LanceDataset]:
    return {name: store.dataset(name) for name in store.tables()}


def test_a_file_of_replaced_or_deleted_rows_is_not_used(built: Store) -> None:
    built.overwrite(CHANGES, changes_table(7))
    built.dataset(EMBEDDINGS).delete("patch_id = 'p0003'")
    for name, count in ((CHANGES, 7), (EMBEDDINGS, 572)):
        held, (reason,) = files.find(built.root, name, opened(built))
        assert held is None
        assert "run terradrift index" in reason
        query = f"SELECT count(*) FROM {name}"
        assert ask.sql(built, query).fetchall() == [(count,)]


def cut(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def foreign(path: Path) -> None:
    path.write_text("not a database")


def other_format(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "UPDATE _about SET value = 'terradrift-columns/0' WHERE key = 'format'"
        )


def other_database(path: Path) -> None:
    path.unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE rows AS SELECT 1 AS patch_id")


def log_beside(path: Path) -> None:
    path.with_name(f"{path.name}.wal").write_bytes(b"\0" * 64)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "is "),
        (foreign, "is not a file of columns"),
        (other_format, "is of the format terradrift-columns/0"),
        (other_database, "is not a file of columns"),
        (log_beside, "has a log"),
    ],
)
def test_a_damaged_file_is_left_aside_and_made_anew(
    full: Store, damage: Callable[[Path], None], said: str
) -> None:
    path = build.build(full, CHANGES).path
    damage(path)
    held, (reason,) = files.find(full.root, CHANGES, opened(full))
    assert held is None
    assert said in reason
    assert files.told(full.root, opened(full)) == {CHANGES: reason}
    assert "\n" not in reason
    assert ask.sql(full, "SELECT count(*) FROM patches").note is None
    first = ask.sql(full, "SELECT count(*) FROM changes")
    assert first.note == reason
    assert first.fetchall() == [(300,)]
    assert first.note == reason
    told = ask.sql(full, "SELECT kind FROM changes", Limits(rows=5))
    assert told.note is None  # it was said beside the first answer
    made = build.build(full, CHANGES)
    size = f"{made.bytes / 1e6:,.1f} MB"
    assert files.told(full.root, opened(full)) == {CHANGES: f"300 of 300 rows, {size}"}
    assert made.seconds > 0
    assert files.find(full.root, CHANGES, opened(full))[0] is not None


def test_building_again_finds_the_file_and_a_new_one_replaces_the_old(
    full: Store,
) -> None:
    first = build.build(full, CHANGES)
    assert first.rows == 300
    assert first.bytes == first.path.stat().st_size
    again = build.build(full, CHANGES)
    assert (again.path, again.seconds) == (first.path, 0)
    full.append(CHANGES, changes_table(5, seed=9))
    second = build.build(full, CHANGES)
    assert files.listed(full.root, CHANGES) == [second.path]
    full.drop(CHANGES)
    assert build.sweep(full) == 1
    assert files.listed(full.root) == []


def test_what_cannot_be_built_is_said_in_one_line(full: Store) -> None:
    with pytest.raises(ArchiveError, match="scenes"):
        build.build(full, "scenes")
    full.append("patches", patches_table().slice(0, 1))
    with pytest.raises(ArchiveError, match="p0000 is in patches twice"):
        build.build(full, EMBEDDINGS)
    assert list((full.root / files.FOLDER).iterdir()) == []


def test_what_a_killed_build_left_is_removed(full: Store) -> None:
    left = full.root / files.FOLDER / ".columns-999999999-x"
    left.mkdir(parents=True)
    (left / "part").write_text("half")
    build.build(full, CHANGES)
    assert not left.exists()


def ask_often(root: str, times: int) -> None:
    store = Store.open(root)
    for _ in range(times):
        query = "SELECT count(*), count(DISTINCT kind) FROM changes"
        assert ask.sql(store, query).fetchall() == [(300, 5)]


def test_readers_in_two_processes_and_two_instances_see_whole_files_while_one_builds(
    full: Store,
) -> None:
    context = multiprocessing.get_context("spawn")
    readers = [
        context.Process(target=ask_often, args=(str(full.root), 8)) for _ in "ab"
    ]
    for reader in readers:
        reader.start()
    for _ in range(5):
        build.build(full, CHANGES).path.unlink()
    build.build(full, CHANGES)
    ask_often(str(full.root), 2)
    one, two = (ask._open(opened(full), MODEL, columns=True) for _ in "ab")
    for connection, shown in (one, two):
        assert CHANGES in shown.attached
        rows = connection.table(f'"columns.{CHANGES}".main.rows').count("*")
        assert rows.fetchall() == [(300,)]
    for reader in readers:
        reader.join()
        assert reader.exitcode == 0


ATTACKS = [
    "INSERT INTO {db}.rows SELECT * FROM {db}.rows",
    "UPDATE {db}.moments SET onset = NULL",
    "DELETE FROM {db}.rows",
    "DROP TABLE {db}.rows",
    "ALTER TABLE {db}.rows DROP COLUMN kind",
    "CREATE TABLE {db}.mine AS SELECT 1",
    "CREATE VIEW {db}.mine AS SELECT 1",
    "COMMENT ON TABLE {db}.rows IS 'mine'",
    "COPY (SELECT 1) TO '{path}'",
    "COPY (SELECT 1) TO '{path}' (USE_TMP_FILE false)",
    "COPY (SELECT 1) TO '{path}.wal'",
    "COPY {db}.rows FROM '{path}'",
    "EXPORT DATABASE {db} TO 'out'",
    "ATTACH '{path}' AS mine",
    "ATTACH '{path}' AS mine (READ_ONLY)",
    "DETACH {db}",
    "USE {db}",
    "CHECKPOINT {db}",
    "FORCE CHECKPOINT {db}",
    "VACUUM {db}.rows",
    "SELECT * FROM read_blob('{path}')",
    "FROM '{path}'",
]


def test_an_attached_file_can_be_neither_changed_nor_let_go(full: Store) -> None:
    path = build.build(full, CHANGES).path
    whole = path.read_bytes()
    for attack in ATTACKS:
        statement = attack.format(db=f'"columns.{CHANGES}"', path=path)
        with pytest.raises(QueryError):
            ask.sql(full, statement).fetchall()
        assert path.read_bytes() == whole
        assert not files.log_of(path).exists()


def test_connections_for_statements_that_are_not_checked_attach_nothing(
    built: Store,
) -> None:
    found = ask.connect(built).execute("SELECT database_name FROM duckdb_databases()")
    names = {name for (name,) in found.fetchall()}
    assert not any(name.startswith("columns.") for name in names)


def test_a_folder_that_cannot_be_written_still_answers(
    built: Store, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.td"
    shutil.copytree(built.root, copy)
    for path in [*copy.rglob("*"), copy]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert answers(Store.open(copy), STATEMENTS[:8]) == answers(
            built, STATEMENTS[:8]
        )
    finally:
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755)


def test_without_spatial_files_show_wkb(
    built: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT typeof(geometry), geometry FROM observations ORDER BY ALL LIMIT 3"
    monkeypatch.setattr(sandbox, "spatial_file", lambda: None)
    shutil.move(built.root / files.FOLDER, built.root / "aside")
    expected = ask.sql(built, query).fetchall()
    shutil.move(built.root / "aside", built.root / files.FOLDER)
    assert expected[0][0] == "BLOB"
    ask._instance.cache_clear()
    assert ask.sql(built, query).fetchall() == expected
    ask._instance.cache_clear()


def build_large(root: str, memory_bytes: int) -> None:
    """In a process of its own: the peak of memory is that of the whole process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    store = Store.open(root)
    build.build(store, f"scores_{SUFFIX}", threads=1, memory_bytes=memory_bytes)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    raise SystemExit(0 if grown < 3 * memory_bytes else 1)


@pytest.mark.slow
def test_memory_of_building_is_bounded(make: Callable[..., Store]) -> None:
    store = make(patches=patches_table())
    days = pa.array(range(2000)).cast(pa.int64())
    for start in range(0, 1000, 10):
        patch = pa.array([f"p{start + i:05d}" for i in range(10) for _ in range(2000)])
        at = pa.chunked_array([days] * 10).combine_chunks().to_numpy()
        rows = {
            "patch_id": patch,
            "tile": patch,
            "datetime": instants(DAYS[0] + at.astype("m8[D]")),
            "reason": pa.array(
                [f"{start}-{i} and what it means" for i in range(20000)]
            ),
        }
        store.append(f"scores_{SUFFIX}", table(rows, schema.scores()))
    process = multiprocessing.get_context("spawn").Process(
        target=build_large, args=(str(store.root), 256 << 20)
    )
    process.start()
    process.join()
    assert process.exitcode == 0
