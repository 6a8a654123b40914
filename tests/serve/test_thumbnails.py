"""Pictures outlive their scenes, within a bound, in a folder that may be deleted or read alone."""

import math
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

import terradrift as td
from terradrift import schema
from terradrift.archive import thumbnails
from terradrift.archive.pixels_of import STOP, Pixels
from terradrift.archive.thumbnails import Thumbnails, key
from terradrift.archive.thumbnails_fill import fill
from terradrift.archive.thumbnails_read import Windows
from terradrift.archive.thumbnails_view import Extent, Seen, side, view
from terradrift.grid import Grid, parse_id
from terradrift.serve.app import application
from terradrift.serve.held import Held


@pytest.fixture(scope="module")
def movable(
    many: Path, scenes: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """An archive and its scenes, which a test may take away."""
    folder = tmp_path_factory.mktemp("movable")
    own = Path(shutil.copytree(scenes.parent, folder / "scenes"))
    place = Path(shutil.copytree(many, folder / "small.td"))
    shutil.rmtree(place / thumbnails.FOLDER, ignore_errors=True)
    store = td.open(place).store
    rows = store.scan("scenes").read_all().to_pylist()
    for row in rows:
        for asset in row["assets"]:
            asset["href"] = asset["href"].replace(str(scenes.parent), str(own))
    store.overwrite("scenes", pa.Table.from_pylist(rows, schema.scenes()))
    return place, own


def _strongest(place: Path) -> str:
    rows = td.open(place).sql(
        "SELECT change_id FROM changes JOIN events USING (event_id) "
        "ORDER BY events.rank, changes.score DESC, change_id LIMIT 1"
    )
    return str(rows.fetchall()[0][0])


def test_chips_stay_when_the_scenes_are_gone(movable: tuple[Path, Path]) -> None:
    place, scenes = movable
    done = fill(td.open(place), 3, quiet=True)
    assert done.events == 3
    assert done.windows == 6
    assert done.lacking == 0
    change = _strongest(place)
    parts = ("chip/before.png", "chip/after.png", "chip/difference.png", "spectra")
    urls = [f"/api/change/{change}/{part}" for part in parts]
    with_scenes = TestClient(application(Held(place)))
    seen = [with_scenes.get(url).content for url in urls]
    backdrop = with_scenes.get("/api/background").json()
    before = with_scenes.get(f"/api/change/{change}").json()["chips"]
    assert before["source"] == "scenes"
    away = scenes.with_name("away")
    scenes.rename(away)
    try:
        client = TestClient(application(Held(place)))
        told = client.get(f"/api/change/{change}").json()["chips"]
        assert told["source"] == "cache"
        assert told["notes"] == before["notes"]
        assert [client.get(url).content for url in urls] == seen
        assert client.get("/api/background").json() == backdrop
        shutil.rmtree(place / thumbnails.FOLDER)
        client = TestClient(application(Held(place)))
        told = client.get(f"/api/change/{change}").json()["chips"]
        assert told["source"] is None
        assert sum("out of reach" in note for note in told["notes"]) == 2
        answer = client.get(urls[0])
        assert answer.status_code == 404
        assert "terradrift thumbnails" in answer.json()["error"]
        assert client.get("/api/background").json() is None
        means = client.get(urls[3]).json()
        assert all(band["before"] is None for band in means["bands"])
        assert fill(td.open(place), 1, quiet=True).lacking == 2
    finally:
        away.rename(scenes)


def test_a_window_that_lacks_a_scene_is_not_kept(
    movable: tuple[Path, Path], tmp_path: Path
) -> None:
    place, _ = movable
    store = td.open(place).store
    row = store.scan("scenes").read_all().to_pylist()[0]
    files = {
        one["href"]: str(tmp_path / Path(one["href"]).name) for one in row["assets"]
    }
    away = [{**one, "href": files[one["href"]]} for one in row["assets"]]
    rows = pa.Table.from_pylist(
        [row, {**row, "scene_id": "away", "assets": away}], schema.scenes()
    )
    windows = Windows(Pixels(store, rows), Thumbnails(tmp_path / "a.td"))
    patch = store.scan("patches", ["patch_id"]).read_all()["patch_id"][0].as_py()
    ground = view(store.settings.grid, parse_id(patch), None).place
    (stop := threading.Event()).set()
    token = STOP.set(stop)  # nobody waits for it
    with pytest.raises(td.errors.ArchiveError, match="stopped"):
        windows.read(row["datetime"], ground)
    STOP.reset(token)
    seen = windows.read(row["datetime"], ground)
    assert seen is not None
    assert np.isfinite(seen).any()
    name = windows.name(row["datetime"], ground)
    assert not windows.kept.has(name)
    for href, copy in files.items():
        shutil.copy(href, copy)
    again = windows.read(row["datetime"], ground)
    np.testing.assert_array_equal(again, seen)
    assert windows.kept.has(name)


def test_an_archive_that_cannot_be_written_shows_chips_and_keeps_none(
    movable: tuple[Path, Path],
) -> None:
    place, _ = movable
    shutil.rmtree(place / thumbnails.FOLDER, ignore_errors=True)
    # A file in the folder's place: permissions do not hold back everybody.
    (place / thumbnails.FOLDER).write_text("")
    try:
        client = TestClient(application(Held(place, read_only=True)))
        url = f"/api/change/{_strongest(place)}/chip/after.png"
        assert client.get(url).status_code == 200
        with pytest.raises(td.errors.ArchiveError, match="cannot write to"):
            fill(td.open(place), 1, quiet=True)
    finally:
        (place / thumbnails.FOLDER).unlink()


def test_windows_come_back_as_they_were_kept(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path)
    values = np.random.default_rng(0).normal(0.2, 0.1, (3, 8, 9)).astype(np.float32)
    values[:, 2, 3] = np.nan
    values[0, 0, 0] = 1e9
    assert kept.get(key("a"), (3, 8, 9)) is None
    assert kept.put(key("a"), values)
    found = kept.get(key("a"), (3, 8, 9))
    assert found is not None
    np.testing.assert_allclose(found[1:], values[1:], atol=5e-4)
    assert np.isfinite(found[0, 0, 0])
    assert kept.get(key("b"), (3, 8, 9)) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-5],
        lambda data: data[:40],
        lambda data: data[:0],
        lambda data: data[:100] + b"x" * 20 + data[120:],
        lambda data: data.replace(b"l/1", b"l/2"),
        lambda data: b"\x80\x04K\x01." + data,
        lambda data: data + b"more",
    ],
)
def test_a_damaged_window_is_none_and_goes(tmp_path: Path, damage) -> None:
    kept = Thumbnails(tmp_path)
    name = key("a")
    rng = np.random.default_rng(1)
    kept.put(name, rng.normal(size=(3, 20, 20)).astype(np.float32))
    (path,) = kept.folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    found = kept.get(name, (3, 20, 20))
    # What follows the deflated bytes is not read, so it does no harm.
    assert (found is None) == (not path.exists())
    if found is not None:
        rng = np.random.default_rng(1)
        np.testing.assert_allclose(found, rng.normal(size=(3, 20, 20)), atol=2e-3)


def test_a_window_of_another_shape_is_none(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path)
    kept.put(key("a"), np.zeros((2, 4, 4), np.float32))
    assert kept.get(key("a"), (2, 4, 5)) is None


def test_those_not_asked_for_longest_go_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    one = rng.normal(size=(3, 32, 32)).astype(np.float32)
    kept = Thumbnails(tmp_path, most_bytes=60_000)
    names = [key(n) for n in range(30)]
    for at, name in enumerate(names):
        kept.put(name, one)
        os.utime(kept.folder / f"{name}.window", (at, at))
        kept.get(names[0], one.shape)
        assert kept.bytes() <= 60_000
    assert kept.has(names[0])
    assert kept.has(names[-1])
    assert not kept.has(names[1])
    assert not kept.put(key("large"), rng.normal(size=(3, 200, 200)))


def test_killed_writers_leave_nothing_that_looks_whole(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path)
    kept.put(key("a"), np.zeros((1, 2, 2), np.float32))
    old = kept.folder / f"{key('b')}.1-1.part"
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert not kept.has(key("b"))
    assert kept.bytes() > 0
    assert not old.exists()


def test_many_threads_and_processes_share_the_folder(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from terradrift.archive.thumbnails import Thumbnails, key\n"
        "kept = Thumbnails(Path(sys.argv[1]), 40_000)\n"
        "rng = np.random.default_rng(3)\n"
        "for n in range(150):\n"
        "    values = np.full((2, 24, 24), n % 10, np.float32) + rng.random((2, 24, 24))\n"
        "    kept.put(key(n % 10), np.floor(values))\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    kept = Thumbnails(tmp_path, 40_000)

    def look(n: int) -> bool:
        found = kept.get(key(n % 10), (2, 24, 24))
        kept.put(key(n % 10), np.full((2, 24, 24), n % 10, np.float32))
        return found is None or bool((np.abs(found - n % 10) <= 1).all())

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(look, range(400)))
    assert other.wait(60) == 0


def test_a_window_moves_inwards_at_the_edge_and_keeps_the_patch_inside() -> None:
    grid = Grid(80, gsd=10.0)
    found = view(grid, (32631, 100, 200), Extent((90, 120), (199, 230)))
    assert (found.row, found.col, found.across) == (94, 199, 13)
    down, along = found.inside
    # Row 100 is the seventh of thirteen from the south; the patch is in the second column.
    assert (down.start, along.start) == ((13 - 7) * 8, 8)
    assert down.stop - down.start == along.stop - along.start == 8
    assert len(found.patch_ids(grid)) == 169
    small = view(grid, (32631, 100, 200), Extent((98, 102), (199, 202)))
    assert (small.row, small.col) == (94, 194)
    large = view(Grid(2240, gsd=10.0), (32631, 1, 1), None)
    assert large.across == 3
    assert max(large.place.shape) <= 320


DAYS = [datetime(2020, 5, day, tzinfo=UTC) for day in (1, 5, 9, 13, 17, 21)]


def test_a_clouded_date_gives_way_to_a_clear_one_of_the_same_side() -> None:
    around = (90.0, 80.0, 30.0, 99.0, 99.0, 99.0)
    seen = {
        at: Seen(100.0, one, math.nan) for at, one in zip(DAYS, around, strict=True)
    }
    clear = side(DAYS[1], seen, (None, DAYS[1]))
    assert (clear.at, clear.note) == (DAYS[1], None)
    other = side(DAYS[2], seen, (None, DAYS[2]))
    assert other.at == DAYS[1]
    assert "30 %" in str(other.note)
    assert "nearest clear" in str(other.note)
    # What lies beyond the change itself is never taken for the old state.
    assert side(DAYS[2], seen, (DAYS[2], None)).at == DAYS[3]
    alone = side(DAYS[2], {DAYS[2]: seen[DAYS[2]]}, (None, DAYS[2]))
    assert alone.at == DAYS[2]
    assert "no date near it is clearer" in str(alone.note)


def test_a_date_under_a_cloud_that_no_mask_told_gives_way() -> None:
    ndvi = (0.72, 0.70, 0.69, 0.71, 0.70, 0.08)
    seen = {at: Seen(100.0, 100.0, one) for at, one in zip(DAYS, ndvi, strict=True)}
    found = side(DAYS[5], seen, (None, DAYS[5]))
    assert found.at == DAYS[4]
    assert "NDVI 0.08, then 0.71" in str(found.note)
    # On the other side of the change nothing is like it, and nothing to hold it against.
    assert side(DAYS[5], seen, (DAYS[5], None)).at == DAYS[5]
    steady = {at: Seen(100.0, 100.0, 0.5 + 0.04 * n) for n, at in enumerate(DAYS)}
    assert side(DAYS[5], steady, (None, DAYS[5])).note is None


def test_the_verb_says_what_it_kept(movable: tuple[Path, Path]) -> None:
    from typer.testing import CliRunner

    from terradrift.cli import app

    place, _ = movable
    done = CliRunner().invoke(app, ["thumbnails", str(place), "-n", "2", "--quiet"])
    assert done.exit_code == 0
    done = CliRunner().invoke(app, ["thumbnails", str(place), "--events", "2"])
    assert "4 pictures of 2 events" in done.output
    assert "MB are kept" in done.output
