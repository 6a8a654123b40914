"""Files that want to take the machine, and what the verb says of them."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import terradrift as td
from terradrift.cli import app
from terradrift.conform import apart, checking
from terradrift.conform.finding import Finding, Findings
from tests.conform import made


def codes(found: list[Finding]) -> list[str]:
    return [one.code for one in found if one.level == "error"]


def test_what_is_no_file_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.parquet").write_bytes(b"")
    for name in ("loop", "pipe", "gone", "x\0y"):
        assert codes(checking.check(tmp_path / name)) == ["file"]
    assert codes(checking.check(tmp_path / "empty.parquet")) == ["parquet"]
    (tmp_path / "notes.txt").write_text("notes")
    assert codes(checking.check(tmp_path / "notes.txt")) == ["unknown"]


def test_a_folder_that_holds_itself_comes_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(tmp_path)
    made.parquet_file(tmp_path / "a.parquet")
    found = checking.check(tmp_path)
    assert [(one.level, one.code) for one in found] == [("note", "folder.link")]


def test_json_is_bounded_in_size_and_depth(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    assert codes(checking.check(deep)) == ["json.depth"]
    deep.write_text("[1, 2]")
    assert codes(checking.check(deep)) == ["stac.type"]
    wide = tmp_path / "wide.json"
    wide.write_text('{"a": "' + "x" * (17 << 20) + '"}')
    assert codes(checking.check(wide)) == ["json.size"]


def test_a_footer_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + bytes(64) + (1 << 30).to_bytes(4, "little") + b"PAR1")
    (one,) = checking.check(path)
    assert one.code == "parquet"
    assert "footer" in one.expected


def test_a_bomb_in_a_page_ends_in_its_own_process(tmp_path: Path) -> None:
    """One long value and 20,000 rows that name it: kilobytes that unpack to gigabytes."""
    values = pa.DictionaryArray.from_arrays(
        pa.array([0] * 20_000, pa.int32()), pa.array([bytes(1 << 20)], pa.binary())
    )
    footer = made.geo()
    del footer["columns"]["geometry"]["covering"]
    rows = pa.table({"geometry": values})
    path = tmp_path / "bomb.parquet"
    with parquet.ParquetWriter(
        path, rows.schema, compression="zstd", store_schema=False
    ) as file:
        file.write_table(rows)
        file.add_key_value_metadata({"geo": json.dumps(footer)})
    assert path.stat().st_size < 1 << 20
    found = apart.check(path, memory_bytes=1 << 30)
    assert set(codes(found)) <= {"resources", "parquet.pages", "geoparquet.wkb"}
    assert codes(found)


def test_names_and_values_reach_no_terminal_as_commands(tmp_path: Path) -> None:
    footer = made.geo()
    footer["columns"]["geo\x1b[2Jmetry"] = footer["columns"].pop("geometry")
    footer["version"] = "1.1.\x1b]0;title\x07"
    found = checking.check(made.parquet_file(tmp_path / "a.parquet", footer=footer))
    assert codes(found)
    assert all(str(one).isprintable() for one in found)


def test_many_findings_of_one_kind_are_counted() -> None:
    found = Findings()
    for i in range(100):
        found.error("rule", f"file#row {i}", "a", "b", "c")
    done = found.done()
    assert len(done) == 6
    assert done[-1].found == "95 more"


def test_the_verb_says_errors_by_its_status(tmp_path: Path) -> None:
    run = CliRunner().invoke
    doubtful = made.parquet_file(tmp_path / "doubtful.parquet", compression="none")
    bad = made.parquet_file(tmp_path / "bad.parquet", footer=False)
    done = run(app, ["validate", str(doubtful)])
    assert done.exit_code == 0
    assert done.stdout.startswith("warning parquet.compression at ")
    assert "0 errors, 1 warning, 0 notes" in done.stderr
    assert run(app, ["validate", str(doubtful), "--strict"]).exit_code == 1
    done = run(app, ["validate", str(bad), "--json"])
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["code"] == "geoparquet.geo"
    assert {"level", "code", "where", "expected", "found", "fix", "clause"} == set(told)


def test_python_gives_findings_of_files_and_archives(
    tmp_path: Path, finished: Path
) -> None:
    assert td.validate(finished) == []
    (one,) = td.validate(tmp_path / "gone")
    assert one.code == "file"
    broken = tmp_path / "a.td"
    broken.mkdir()
    (broken / "archive.json").write_text("{")
    (one,) = td.validate(broken)
    assert (one.level, one.code) == ("error", "archive")


@pytest.mark.parametrize("kind", ["parquet", "tif", "json"])
def test_noise_never_raises(kind: str, tmp_path: Path) -> None:
    """Good files with bytes changed at random: findings or none, no error of ours."""
    import numpy as np

    random = np.random.default_rng(0)
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        made.parquet_file(path)
    elif kind == "tif":
        made.cog(path, 64)
    else:
        path.write_text(json.dumps(made.item()))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(25):
        broken = whole.copy()
        at = random.integers(0, len(whole), 8)
        broken[at] = random.integers(0, 256, 8)
        path.write_bytes(broken.tobytes())
        assert all(isinstance(one, Finding) for one in checking.check(path))
