"""An import that is killed leaves whole units, and run again ends as one that was not."""

import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

import terradrift as td
from terradrift.store.units import catch_up
from tests.store import stored
from tests.store.published import importing_process, made
from tests.store.rasters import made as rasters

PATIENCE = 60
ROOT = Path(__file__).resolve().parents[3]


def start(what: str, place: Path, source: Path) -> subprocess.Popen:
    script = "tests.store.published.importing_process"
    command = [sys.executable, "-m", script, what, str(place), str(source)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def rows(place: Path) -> pa.Table:
    columns = ["patch_id", "datetime", "scene_id", "embedding"]
    return stored.observations(place).select(columns)


def source(what: str, folder: Path) -> Path:
    for year in range(2020, 2025):
        if what == "rasters":
            rasters.alphaearth(folder, year, rasters.unit(128, 128, seed=year))
            continue
        for tile in ("33UXP", "33UYP"):
            shapes = made.shapes(10, 10)
            made.earth_index_2025(
                folder, tile, year, made=shapes, values=made.vectors(100, 384, year)
            )
    return folder


def _commits(place: Path) -> int:
    """Of vectors, so far."""
    return len(list(place.glob("embeddings_*.lance/_versions/*.manifest")))


@pytest.mark.parametrize("what", ["tables", "rasters"])
def test_a_killed_import_goes_on_where_it_was(tmp_path: Path, what: str) -> None:
    files = source(what, tmp_path / "in")
    whole, killed = tmp_path / "whole.td", tmp_path / "killed.td"
    importing_process.run(what, str(whole), str(files))
    wanted, seen = rows(whole), set()
    for commits in (1,) if what == "rasters" else (0, 2):
        process = start(what, killed, files)
        assert process.stdout is not None
        process.stdout.readline()
        last = time.monotonic() + PATIENCE
        while _commits(killed) < commits:
            assert process.poll() is None
            assert time.monotonic() < last
            time.sleep(0.002)
        process.kill()
        process.wait()
        process.stdout.close()
        archive, count = td.open(killed), 0
        for table in archive.store.tables():
            if table.startswith("embeddings_"):
                # The ledger may be one commit behind, which the next writer makes good.
                catch_up(archive.store, table.removeprefix("embeddings_"))
                count = archive.store.count(table)
        assert archive.validate() == []
        assert count <= len(wanted)
        seen.add(count)
        # What lay in nameless files is gone with the process.
        assert {
            one.name.partition(".")[0] for one in killed.iterdir() if one.is_file()
        } <= {
            "archive",
            "",
        }
    assert any(count < len(wanted) for count in seen)
    importing_process.run(what, str(killed), str(files))
    assert rows(killed).equals(wanted)
    assert td.open(killed).validate() == []
