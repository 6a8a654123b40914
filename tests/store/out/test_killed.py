"""`kill -9` at any moment of an export: what is there under its name is whole."""

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import xarray

from terradrift.store import geoparquet
from terradrift.store.out import part
from terradrift.store.out.leaving import Leaving
from terradrift.store.tables import Store
from tests.store import made

ROWS = 3 * 4 * 16
PATIENCE = 60
PROCESS = Path(__file__).with_name("exporting_process.py")


def killed(archive: Path, folder: Path, now: Callable[[], bool]) -> None:
    """Export without end, and kill it once that is so."""
    process = subprocess.Popen(
        [sys.executable, str(PROCESS), str(archive), str(folder)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    last = time.monotonic() + PATIENCE
    while not now():
        assert process.poll() is None
        assert time.monotonic() < last
        time.sleep(0.002)
    process.kill()
    process.communicate()


def check_whole(folder: Path) -> int:
    """See that all under its own name is whole; returns how many targets there are."""
    found = [one for one in folder.iterdir() if not one.name.startswith(part.PREFIX)]
    for target in found:
        if target.name == "e.parquet":
            assert pq.read_table(target).num_rows == ROWS
        elif target.name == "e.zarr":
            held = xarray.open_zarr(target, group="utm31", consolidated=False)
            assert int(held.embeddings.notnull().any("band").sum()) == ROWS
        else:
            assert (target / "collection.json").is_file()
            manifest = json.loads((target / "_manifest.json").read_text())
            assert sum(one["rows"] for one in manifest["files"]) == ROWS
            for one in manifest["files"]:
                content = (target / one["path"]).read_bytes()
                assert hashlib.sha256(content).hexdigest() == one["sha256"]
    return len(found)


def check_killed_exports(
    store: Store, folder: Path, moments: Iterable[Callable[[], bool]]
) -> None:
    folder.mkdir()
    seen = leftovers = 0
    for now in moments:
        killed(store.root, folder, now)
        seen += check_whole(folder)
        leftovers += len(list(folder.glob(f"{part.PREFIX}*")))
    assert seen > 0
    assert leftovers > 0  # or nothing was cut, and nothing was tried
    geoparquet.export(Leaving(store, "embeddings", made.MODEL), folder / "e.parquet")
    assert list(folder.glob(f"{part.PREFIX}*")) == []


def test_a_killed_export_leaves_nothing_that_looks_whole(
    store: Store, tmp_path: Path
) -> None:
    """Killed while it makes one, with another there."""
    out = tmp_path / "out"

    def amid() -> bool:
        return (out / "e.parquet").exists() and any(out.glob(f"{part.PREFIX}*/stac"))

    check_killed_exports(store, out, [amid])


@pytest.mark.slow
def test_exports_killed_at_many_moments(store: Store, tmp_path: Path) -> None:
    moments = random.Random(6)  # noqa: S311 - moments, not secrets

    def after(seconds: float) -> Callable[[], bool]:
        start: list[float] = []

        def over() -> bool:
            start.append(time.monotonic())
            return start[-1] - start[0] > seconds

        return over

    ends = [after(moments.uniform(0.0, 1.0)) for _ in range(40)]
    check_killed_exports(store, tmp_path / "out", ends)
