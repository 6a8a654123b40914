"""What strangers may try: every statement is refused or bounded, and nothing is changed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from terradrift.errors import QueryError
from terradrift.query.columns import build
from terradrift.query.sql import allowed, macros, sandbox
from terradrift.query.sql.ask import connect, run, sql
from terradrift.query.sql.limits import Limits
from terradrift.store.tables import Store
from tests.query.attacks import (
    ATTACKS,
    BOMBS,
    BOTH,
    DEEP,
    DEEP_BUT_SOUND,
    NEVER,
    PARSED,
    SEALED,
)
from tests.query.conftest import patches_table

CANARY = "canary in a file"
_STATE = (
    "FROM duckdb_settings() ORDER BY name",
    "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
    "FROM duckdb_tables()",
    "SELECT database_name, path FROM duckdb_databases()",
    "SELECT schema_name FROM duckdb_schemas() ORDER BY ALL",
    "SELECT function_name, parameters FROM duckdb_functions() WHERE NOT internal ORDER BY ALL",
    "SELECT count(*) FROM duckdb_types()",
    "SELECT count(*) FROM duckdb_sequences()",
    "FROM duckdb_prepared_statements()",
    "FROM duckdb_variables()",
    "SELECT change_id, score FROM changes ORDER BY ALL",
)


@pytest.fixture(scope="module")
def make_sealed(store: Store) -> Callable[[], duckdb.DuckDBPyConnection]:
    return lambda: connect(store, threads=1, memory_bytes=64 << 20)


@pytest.fixture(scope="module")
def connection(
    make_sealed: Callable[[], duckdb.DuckDBPyConnection],
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A sealed connection whose names, tables and settings are the same at the end."""
    made = make_sealed()
    before, environment = state(made), dict(os.environ)
    yield made
    assert state(made) == before
    # pytest itself says there which test is running.
    ours = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    environment.pop("PYTEST_CURRENT_TEST", None)
    assert ours == environment


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with a secret, alone in the working folder, before and after."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    file = folder / "secret.csv"
    file.write_text(f"a\n{CANARY}\n")
    yield file
    assert [entry.name for entry in folder.iterdir()] == ["secret.csv"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]
    assert file.read_text() == f"a\n{CANARY}\n"


def state(connection: duckdb.DuckDBPyConnection) -> list[list[tuple[object, ...]]]:
    return [connection.execute(query).fetchall() for query in _STATE]


def test_there_are_at_least_a_hundred_attacks() -> None:
    assert len({text for text, _, _ in ATTACKS}) == len(ATTACKS) >= 100


@pytest.mark.parametrize(("text", "reach", "stopped_by"), ATTACKS)
def test_an_attack_is_refused_in_one_line(
    connection: duckdb.DuckDBPyConnection,
    canary: Path,
    text: str,
    reach: str,
    stopped_by: str,
) -> None:
    statement = text.format(file=canary, folder=canary.parent)
    with pytest.raises(QueryError, match=r"^SQL ") as caught:
        run(connection.cursor(), statement, {}, Limits(seconds=5)).fetchall()
    assert "\n" not in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "stopped_by"), [(text, wall) for text, _, wall in ATTACKS if wall != NEVER]
)
def test_each_wall_stops_what_it_is_said_to_stop(
    connection: duckdb.DuckDBPyConnection, canary: Path, text: str, stopped_by: str
) -> None:
    statement = text.format(file=canary, folder=canary.parent)
    cursor = connection.cursor()
    if stopped_by == SEALED:
        sandbox.check(cursor, statement)
    else:
        with pytest.raises(QueryError):
            sandbox.check(cursor, statement)
    if stopped_by in {BOTH, SEALED}:
        with pytest.raises((duckdb.Error, RuntimeError)) as caught:
            cursor.execute(statement).fetchall()
        assert CANARY not in str(caught.value)


def test_what_only_the_check_stops_reads_and_writes_no_file(
    make_sealed: Callable[[], duckdb.DuckDBPyConnection], canary: Path
) -> None:
    sealed = make_sealed()
    for text in [text for text, _, wall in ATTACKS if wall == PARSED]:
        try:
            seen = repr(sealed.cursor().execute(text.format(file=canary)).fetchall())
        except duckdb.Error:
            continue
        assert CANARY not in seen


@pytest.mark.parametrize(("text", "bound"), BOMBS)
def test_what_never_ends_or_never_fits_is_bounded(
    connection: duckdb.DuckDBPyConnection, canary: Path, text: str, bound: str
) -> None:
    with pytest.raises(QueryError, match=r"^SQL ") as caught:
        run(connection.cursor(), text, {}, Limits(seconds=0.08)).fetchall()
    said = str(caught.value)
    assert "\n" not in said
    assert ("took longer than 0.08 s" in said) or bound != "time"


ASK_ALL = """
import json, sys
from terradrift.errors import QueryError
from terradrift.query.sql import sandbox
from terradrift.query.sql.ask import sql
from terradrift.store.tables import Store
asked = json.load(sys.stdin)
if not asked["spatial"]:
    sandbox.spatial_file = lambda: None
store = Store.open(asked["root"])
for text in asked["texts"]:
    try:
        said = f"{len(sql(store, text).fetchall())} rows"
    except QueryError as error:
        said = str(error)
    print(json.dumps(said), flush=True)
"""


def ask_apart(store: Store, texts: list[str], *, spatial: bool) -> list[str]:
    """What a process of its own says of each statement, which none of them ends."""
    ended = subprocess.run(
        [sys.executable, "-c", ASK_ALL],
        input=json.dumps({"root": str(store.root), "texts": texts, "spatial": spatial}),
        capture_output=True,
        text=True,
        check=False,
    )
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, texts[len(said)][:200]
    return said


def test_no_text_is_too_deep_for_the_process(store: Store) -> None:
    said = ask_apart(store, DEEP + DEEP_BUT_SOUND, spatial=True)
    assert len(said) == len(DEEP) + len(DEEP_BUT_SOUND)
    for text, words in zip(DEEP, said, strict=False):
        assert not words.endswith(" rows"), text[:200]
        assert "\n" not in words
    assert set(said[len(DEEP) :]) == {"1 rows"}


def test_no_region_is_too_deep_without_spatial(store: Store) -> None:
    said = ask_apart(store, [text for text in DEEP if "within" in text], spatial=False)
    assert len(said) > 1
    assert {words[:27] for words in said} == {"expected a region as GeoJSON"[:27]}


BESIDE = [
    'FROM "{name}".main.rows',
    'FROM "{name}".rows',
    'DESCRIBE "{name}".rows',
    "FROM read_blob('{path}')",
    "FROM read_duckdb('{path}')",
    "FROM '{path}'",
    "COPY (SELECT 1) TO '{path}'",
    "COPY (SELECT 1) TO '{path}.wal'",
    "ATTACH '{path}' AS again",
    'DETACH "{name}"',
    'USE "{name}"',
    'CREATE TABLE "{name}".main.t AS SELECT 1',
    'DROP TABLE "{name}".main.rows',
    'INSERT INTO "{name}".main.rows FROM "{name}".main.rows',
    'COPY FROM DATABASE memory TO "{name}"',
    'CHECKPOINT "{name}"',
]
"""The seal lets files that are attached be read, and written beside; the check does not."""


def test_columns_beside_the_tables_are_out_of_reach(make: Callable[..., Store]) -> None:
    store = make(patches=patches_table())
    build.build(store, "patches")
    count = "SELECT count(*) FROM patches"
    before = sql(store, count).fetchall()
    (file,) = (store.root / "index").iterdir()
    held = file.read_bytes()
    name = ".".join(file.name.split(".")[:2])
    for text in BESIDE:
        with pytest.raises(QueryError, match=r"^SQL "):
            sql(store, text.format(name=name, path=file)).fetchall()
    assert list((store.root / "index").iterdir()) == [file]
    assert file.read_bytes() == held
    assert sql(store, count).fetchall() == before


@pytest.mark.parametrize(
    "text",
    [
        "FROM information_schema.tables ORDER BY ALL",
        "FROM information_schema.columns ORDER BY ALL",
        "FROM information_schema.schemata ORDER BY ALL",
        "FROM duckdb_tables()",
        "SELECT database_name, table_name, column_name FROM duckdb_columns() ORDER BY ALL",
        "SELECT database_name, function_name FROM duckdb_functions() ORDER BY ALL",
        "SELECT database_name, type_name FROM duckdb_types() ORDER BY ALL",
        "FROM pragma_table_info('patches')",
        "SHOW TABLES",
        "SELECT struct_pack(*COLUMNS(patches.*)) FROM patches LIMIT 0",
    ],
)
def test_what_is_told_of_tables_is_the_same_with_columns_beside(
    make: Callable[..., Store], text: str
) -> None:
    store = make(patches=patches_table())
    before = sql(store, text)
    told = before.columns, before.fetchall()
    build.build(store, "patches")
    after = sql(store, text)
    assert (after.columns, after.fetchall()) == told


def test_functions_of_this_duckdb_have_all_been_looked_at() -> None:
    with duckdb.connect(":memory:") as fresh:
        sandbox.load_spatial(fresh)
        brought = fresh.execute(
            "SELECT DISTINCT lower(function_name), function_type LIKE 'table%' "
            "FROM duckdb_functions() WHERE function_type <> 'pragma'"
        ).fetchall()
    unknown = {
        name
        for name, table in brought
        if not (
            name in allowed.TABLE_FUNCTIONS | allowed.TABLE_FUNCTIONS_REFUSED
            if table
            else allowed.function(name) or name in allowed.REFUSED
        )
    }
    assert unknown == set()
    assert not macros.NAMES & {name for name, _ in brought}
    assert not allowed.FUNCTIONS & allowed.REFUSED
    assert not allowed.TABLE_FUNCTIONS & allowed.TABLE_FUNCTIONS_REFUSED


def test_functions_with_side_effects_are_refused_unless_they_only_draw_numbers() -> (
    None
):
    with duckdb.connect(":memory:") as fresh:
        volatile = fresh.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE has_side_effects OR stability = 'VOLATILE'"
        ).fetchall()
    passing = {name for (name,) in volatile if allowed.function(name.lower())}
    draws = {"random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid"}
    assert passing == draws | {"error"}


def test_views_that_duckdb_brings_are_refused(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    brought = connection.execute(
        "SELECT schema_name, view_name FROM duckdb_views() WHERE internal"
    ).fetchall()
    assert len(brought) > 30
    for schema, name in brought:
        for text in (f"FROM {schema}.{name}", f"FROM {name}"):
            if schema == "information_schema" and name in allowed.VIEWS:
                continue
            with pytest.raises(QueryError, match=r"^SQL "):
                run(connection.cursor(), text, {})


@pytest.mark.parametrize("view", sorted(allowed.VIEWS))
def test_views_of_the_standard_tell_names_alone(
    connection: duckdb.DuckDBPyConnection, view: str
) -> None:
    rows = run(connection.cursor(), f"FROM information_schema.{view}", {}).fetchall()
    assert rows
    assert "/" not in repr(rows)
