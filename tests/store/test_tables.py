import json
import resource
import subprocess
import sys
from pathlib import Path

import lance
import lancedb
import numpy as np
import pyarrow as pa
import pytest
import shapely

from terradrift import schema
from terradrift.errors import ArchiveError, ModelMismatchError, SchemaError
from terradrift.grid import Grid
from terradrift.store.tables import Settings, Store
from tests.store import made

ENCODING = {
    b"lance-encoding:structural-encoding": b"miniblock",
    b"lance-encoding:compression": b"none",
}


def runs(count: int = 1) -> pa.Table:
    row = dict.fromkeys(schema.runs().names)
    return pa.Table.from_pylist(
        [{**row, "run_id": f"r{i}", "rows": i} for i in range(count)], schema.runs()
    )


def test_settings_are_kept_and_replaced_whole(tmp_path: Path) -> None:
    region = shapely.box(3, 50, 4, 51)
    first = Settings(Grid(40, 10.0, "EPSG:3035"), region, ("red", "nir"), "sentinel-2")
    store = Store.create(tmp_path / "new" / "a.td", first)
    assert Store.open(tmp_path / "new" / "a.td").settings == first
    second = Settings(Grid(40, 10.0), model="mosaiks", created=first.created)
    store.update(second)
    assert store.settings == Store.open(store.root).settings == second != first
    assert [path.name for path in store.root.glob("archive*")] == ["archive.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is not an archive: it has no archive.json; check the path"),
        ("{", "archive.json is not the JSON of an archive: .*; restore it"),
        ("[]", r"expected an archive of format terradrift-archive/1, got None in"),
        (
            '{"format": "terradrift-archive/9"}',
            "got 'terradrift-archive/9'.*that made it",
        ),
        (
            '{"format": "terradrift-archive/1"}',
            "does not describe an archive .*'region'",
        ),
    ],
)
def test_what_is_not_an_archive_is_refused(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "archive.json").write_text(text)
    with pytest.raises(ArchiveError, match=message):
        Store.open(tmp_path)


def test_a_bad_grid_in_an_archive_is_named(tmp_path: Path) -> None:
    path = made.store(tmp_path).root / "archive.json"
    found = json.loads(path.read_text())
    found["grid"]["patch_size"] = -1
    path.write_text(json.dumps(found))
    with pytest.raises(ArchiveError, match=r"\(patch size must be a whole number"):
        Store.open(tmp_path)


def test_a_missing_archive_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(
        ArchiveError, match=r"no archive at .*nothing; make one with terra"
    ):
        Store.open(tmp_path / "nothing")


def test_a_file_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match="expected an archive folder, got the file"):
        Store.open(tmp_path / "file")
    with pytest.raises(
        ArchiveError, match="expected a folder for the archive, got the f"
    ):
        made.store(tmp_path / "file")
    with pytest.raises(
        ArchiveError, match=r"cannot make the archive .*: Not a directory"
    ):
        made.store(tmp_path / "file" / "a")


def test_a_folder_that_holds_something_is_not_made_an_archive(tmp_path: Path) -> None:
    (tmp_path / "photo.tif").touch()
    with pytest.raises(ArchiveError, match=r"holds photo.tif; choose another path"):
        made.store(tmp_path)
    made.store(tmp_path / "a")
    with pytest.raises(ArchiveError, match="already is an archive; open it instead"):
        made.store(tmp_path / "a")


def test_what_a_killed_creation_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "archive.json.4711.tmp").write_text("{")
    assert made.store(tmp_path).tables() == []


@pytest.mark.parametrize("uri", ["s3://bucket/a.td", "https://example.org/a.td"])
def test_a_remote_archive_is_refused(uri: str) -> None:
    with pytest.raises(
        ArchiveError, match=f"expected a local path for the archive, got {uri}"
    ):
        Store.open(uri)


def test_tables_are_made_by_their_first_rows_and_listed(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    assert store.tables() == []
    assert not store.exists("runs")
    store.append("runs", runs(2))
    store.append("runs", runs(3).to_batches())
    store.append("runs", runs(4).to_reader())
    store.append(made.TABLE, made.unit(0, 0))
    assert store.tables() == [made.TABLE, "runs"]
    assert store.count("runs") == 9
    assert store.count("runs", "rows > 1") == 3
    found = store.scan("runs", ["run_id"], filter="rows = 3").read_all()
    assert found.to_pylist() == [{"run_id": "r3"}]


def test_columns_may_come_in_any_order_and_are_stored_in_the_schema_s(
    tmp_path: Path,
) -> None:
    store = made.store(tmp_path)
    names = schema.runs().names[::-1]
    store.append("runs", runs().select(names))
    assert store.scan("runs").schema.names == schema.runs().names


def test_rows_of_another_schema_are_refused_with_all_problems(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    wrong = runs().drop_columns(["device"]).append_column("colour", pa.array(["red"]))
    with pytest.raises(
        SchemaError,
        match=r"runs does not match runs/1: colour: not part of.*device: expected string",
    ):
        store.append("runs", wrong)
    newer = runs().replace_schema_metadata({"terradrift:schema": "runs/2"})
    with pytest.raises(SchemaError, match="does not match runs/1: is runs/2"):
        store.append("runs", newer)
    assert store.tables() == []


def test_a_stored_table_of_another_version_is_refused(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    older = runs().replace_schema_metadata({"terradrift:schema": "runs/0"})
    lance.write_dataset(older, tmp_path / "runs.lance")
    with pytest.raises(SchemaError, match="runs does not match runs/1: is runs/0"):
        store.scan("runs")


def test_unknown_and_absent_tables_are_named(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with pytest.raises(
        ArchiveError, match="no table 'scores'; expected one of scenes, "
    ):
        store.scan("scores")
    with pytest.raises(ArchiveError, match="has no table runs; it has no tables yet"):
        store.scan("runs")


def test_embeddings_must_name_their_model(tmp_path: Path) -> None:
    batch = made.unit(0, 0, named=schema.embeddings(8))
    with pytest.raises(SchemaError, match="rows must name their model"):
        made.store(tmp_path).append(made.TABLE, batch)


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"model": "other"}, "toy-1@1, got other@1"),
        ({"revision": "2"}, "toy-1@1, got toy-1@2"),
        (
            {"weights_sha256": "ff"},
            r"toy-1@1 \(weights_sha256 none\), got .*sha256 ff\)",
        ),
        (
            {"preprocessing": "/10000"},
            r"\(preprocessing none\), got .*preprocessing /10000",
        ),
        ({"bands": "red"}, r"\(bands red nir\), got toy-1@1 \(bands red\)"),
    ],
)
def test_vectors_of_two_models_are_never_mixed(
    tmp_path: Path, changed: dict[str, str], shown: str
) -> None:
    store = made.store(tmp_path)
    store.append(made.TABLE, made.unit(0, 0))
    other = made.unit(0, 1, named=made.columns(**changed))
    with pytest.raises(ModelMismatchError, match=shown):
        store.append(made.TABLE, other)
    assert store.count(made.TABLE) == 16


def test_only_what_differs_in_a_long_text_is_shown(tmp_path: Path) -> None:
    common = "reflectance, not below 0; " * 20
    line = common + "tokens of {} pixels; made for L1C, given L2A"
    store = made.store(tmp_path)
    store.append(
        made.TABLE, made.unit(0, 0, named=made.columns(preprocessing=line.format(8)))
    )
    shown = (
        r"of toy-1@1 \(preprocessing \.\.\. tokens of 8 pixels \.\.\.\), "
        r"got toy-1@1 \(preprocessing \.\.\. tokens of 4 pixels \.\.\.\); distances"
    )
    for other, words in (
        (line.format(4), shown),
        (
            line.format(8).partition("; made")[0],
            r"\.\.\. made for L1C, given L2A\), got .*\.\.\. nothing more\)",
        ),
        (common.upper(), r"got toy-1@1 \(preprocessing \S"),
    ):
        unit = made.unit(0, 1, named=made.columns(preprocessing=other))
        with pytest.raises(ModelMismatchError, match=words) as error:
            store.append(made.TABLE, unit)
        assert len(str(error.value)) < 400


def test_vectors_of_another_length_are_refused(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    store.append(made.TABLE, made.unit(0, 0))
    with pytest.raises(SchemaError, match=r"embedding: expected .*\[8\], got .*\[4\]"):
        store.append(made.TABLE, made.unit(0, 1, dimensions=4))
    flat = pa.table({"embedding": [[1.0]]})
    with pytest.raises(
        SchemaError, match="must be a fixed_size_list of float16, got list"
    ):
        store.append(made.TABLE, flat)


def test_the_encoding_of_vectors_and_the_model_outlive_every_kind_of_write(
    tmp_path: Path,
) -> None:
    store = made.store(tmp_path)

    def check() -> None:
        found = store.dataset(made.TABLE)
        assert found.schema.field("embedding").metadata == ENCODING
        assert found.schema.metadata[b"model"] == b"toy-1"
        assert found.data_storage_version == "2.1"

    store.append(made.TABLE, made.unit(0, 0))
    check()
    # Field metadata is not asked of the rows: it comes from the schema.
    bare = pa.schema(
        [field.remove_metadata() for field in made.columns()], made.columns().metadata
    )
    store.append(made.TABLE, made.unit(0, 1, named=bare))
    check()
    store.dataset(made.TABLE).optimize.compact_files()
    check()
    store.overwrite(made.TABLE, store.scan(made.TABLE))
    check()
    assert store.count(made.TABLE) == 32


def test_overwrite_streams_and_leaves_open_readers_alone(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    store.append("runs", runs(5))
    reader = store.scan("runs")
    taken = []

    def stream():
        for batch in runs(3).to_batches(max_chunksize=1):
            taken.append(len(batch))
            yield batch

    store.overwrite("runs", stream(), schema.runs())
    assert taken == [1, 1, 1]
    assert store.count("runs") == 3
    assert reader.read_all().num_rows == 5


@pytest.mark.parametrize("error", [ValueError("says no"), OSError("no such scene")])
def test_an_error_of_the_rows_own_source_is_shown_as_it_is(
    tmp_path: Path, error: Exception
) -> None:
    store = made.store(tmp_path)
    store.append("runs", runs(5))

    def stream():
        yield from runs(3).to_batches()
        raise error

    with pytest.raises(type(error), match=str(error)):
        store.overwrite("runs", stream(), schema.runs())
    with pytest.raises(type(error), match=str(error)):
        store.append("runs", stream(), schema.runs())
    assert store.count("runs") == 5


def test_no_batches_without_a_schema_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="at least one record batch or a schema, got no"
    ):
        made.store(tmp_path).append("runs", [])


def test_a_dropped_table_is_gone(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    store.append("runs", runs())
    store.drop("runs")
    store.drop("runs")
    assert store.tables() == []


def test_lancedb_opens_the_archive(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    store.append(made.TABLE, made.unit(0, 0))
    store.append("runs", runs(2))
    database = lancedb.connect(tmp_path)
    assert sorted(database.list_tables().tables) == [made.TABLE, "runs"]
    assert database.open_table(made.TABLE).count_rows() == 16


FILL = """
import resource, signal, sys
import pyarrow as pa
from terradrift.errors import ArchiveError
from terradrift.store.tables import Store
from tests.store import made
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store.open(sys.argv[1])
rows = pa.Table.from_batches([made.unit(0, day, patches=1000, dimensions=64) for day in (1, 2)])
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    store.append(made.TABLE, rows)
except ArchiveError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_one_line_and_harms_nothing(
    tmp_path: Path,
) -> None:
    assert resource.RLIMIT_FSIZE is not None
    store = made.store(tmp_path / "a")
    store.append(made.TABLE, made.unit(0, 0, dimensions=64))
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path / "a")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("\n") == 1
    assert f"cannot write {made.TABLE} in" in done.stdout
    assert "a file grew too large" in done.stdout
    assert "nothing that was stored is changed" in done.stdout
    assert store.count(made.TABLE) == 16
    store.append(made.TABLE, made.unit(0, 1, dimensions=64))
    assert store.count(made.TABLE) == 32


def test_vectors_come_back_bit_for_bit(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    batch = made.unit(0, 0)
    store.append(made.TABLE, batch)
    found = store.scan(made.TABLE).read_all()["embedding"].combine_chunks()
    assert np.array_equal(
        found.flatten().to_numpy().view(np.uint16),
        batch["embedding"].flatten().to_numpy().view(np.uint16),
    )
