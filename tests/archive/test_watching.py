import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from typer.testing import CliRunner

import terradrift as td
from terradrift.archive.watch import files as watch_files
from terradrift.archive.watch import geojson as alerts_geojson
from terradrift.archive.watch import state as watch_state
from terradrift.archive.watch import watching
from terradrift.archive.watch.alerts import Book
from terradrift.archive.watch.watched import Watched
from terradrift.cli import app
from terradrift.detect.monitor.replay import replay
from terradrift.errors import ArchiveError
from terradrift.schema import alerts as columns
from terradrift.store.series import blocks

MANY = 1e5
"""Alerts per 1,000 km2 and year: so many that a short series raises some."""
RULES = {"max_false_alarms": MANY, "pool": 192}
"""So that most patches are none of the pool."""

Copied = Callable[[], td.Archive]


@pytest.fixture(scope="module")
def days(finished: Path) -> list[str]:
    """The days that hold observations."""
    found = np.unique(
        np.concatenate([one.days for one in blocks(td.open(finished).store, "mosaiks")])
    )
    return [str(one) for one in found]


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Copied:
    """A way to copies of the finished archive that may be written to."""

    def copy() -> td.Archive:
        place = tmp_path / f"copy{len(list(tmp_path.iterdir()))}.td"
        shutil.copytree(finished, place)
        return td.open(place)

    return copy


@pytest.fixture(scope="module")
def at_once(
    finished: Path, days: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An archive that was watched over all its days in one go; tests only read it."""
    place = tmp_path_factory.mktemp("watched") / "small.td"
    shutil.copytree(finished, place)
    watch(td.open(place), days[9])
    return place


def watch(archive: td.Archive, start: str | None = None) -> Watched:
    return archive.watch(start=start, quiet=True, **({} if start is None else RULES))


def state_of(archive: td.Archive) -> dict[str, np.ndarray]:
    pointer = watch_state.begun(archive.store, "mosaiks")
    assert pointer is not None
    return watch_files.read_state(archive.store, pointer.state).arrays()


def afresh(archive: td.Archive, start: str) -> td.Archive:
    """A copy that was watched from `start` over all its days in one go."""
    place = archive.store.root.with_suffix(".afresh")
    other = td.open(shutil.copytree(archive.store.root, place))
    other.store.drop("alerts_mosaiks")
    watch(other, start)
    return other


def same(one: td.Archive, other: td.Archive) -> None:
    """Assert that two archives were brought to the same charts and the same alerts."""
    left, right = state_of(one), state_of(other)
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)
    for column in columns().names:
        if column != "run_id":
            assert one.alerts()[column].equals(other.alerts()[column]), column


def test_scene_by_scene_equals_all_at_once(
    scenes: Path, days: list[str], tmp_path: Path
) -> None:
    archive = td.create(tmp_path / "grows.td", td.Grid(80))
    archive.ingest(scenes, datetime=f"../{days[8]}")
    archive.embed(quiet=True)
    first = archive.watch(quiet=True, **RULES)
    assert first.days == []
    assert "seasons that it has not seen" in str(first)
    assert "the threshold rests on" in str(first)
    raised: list[str] = []
    for day in days[9:]:
        done = archive.watch(scenes, quiet=True, filters={"datetime": day})
        assert done.days == [day]
        raised += done.new
    assert len(raised) == len(set(raised)) > 0
    assert sorted(raised) == sorted(archive.alerts()["alert_id"].to_pylist())
    same(archive, afresh(archive, str(np.datetime64(days[8]) + 1)))
    assert archive.validate() == []


def test_stored_state_equals_a_replay_of_the_embeddings(at_once: Path) -> None:
    store = td.open(at_once).store
    pointer = watch_state.begun(store, "mosaiks")
    assert pointer is not None
    reference = watch_files.read_reference(store, pointer.reference)
    state, found = state_of(td.open(at_once)), []
    for track in replay(lambda: blocks(store, "mosaiks", max_bytes=1 << 16), reference):
        for row, levels in zip(track.rows, track.level, strict=True):
            known = levels[np.isfinite(levels)]
            assert state["level"][row] == (known[-1] if len(known) else 0.0)
        for step in track.steps:
            ids = reference.patch_ids[step.alerts.row].tolist()
            found += zip(ids, step.alerts.detected.tolist(), strict=True)
    table = td.open(at_once).alerts()
    told = [one.replace(tzinfo=None) for one in table["detected"].to_pylist()]
    stored = list(zip(table["patch_id"].to_pylist(), told, strict=True))
    assert sorted(stored) == sorted(found)
    assert len(found) > 0


def test_running_it_twice_does_nothing(at_once: Path, copied: Copied) -> None:
    archive = td.open(shutil.copytree(at_once, copied().store.root.with_suffix(".two")))
    before, version = state_of(archive), archive.store.dataset("alerts_mosaiks").version
    for start in (None, "2000-01-01"):
        if start is None:
            assert watch(archive).days == []
        else:
            pointer = watch_state.begun(archive.store, "mosaiks")
            assert pointer is not None
            held = watch_files.read_reference(archive.store, pointer.reference)
            assert watch(archive, str(held.start)).new == []
    assert archive.store.dataset("alerts_mosaiks").version == version
    np.testing.assert_array_equal(state_of(archive)["level"], before["level"])


def test_a_killed_watch_is_taken_up_again(
    copied: Copied, days: list[str], at_once: Path
) -> None:
    archive = copied()
    script = (
        "import sys, terradrift as td; "
        f"td.open(sys.argv[1]).watch(start={days[9]!r}, quiet=True, **{RULES})"
    )
    # Once while the reference is there alone, once with charts that may be half-way.
    for file in ("*.reference.*", "*.state.*"):
        child = subprocess.Popen([sys.executable, "-c", script, archive.store.root])
        while child.poll() is None and not list(
            archive.store.root.glob(f"watch/{file}")
        ):
            time.sleep(0.005)
        child.kill()
        child.wait()
    watch(archive, days[9])
    same(archive, td.open(at_once))
    kept = {path.name for path in (archive.store.root / "watch").iterdir()}
    pointer = watch_state.begun(archive.store, "mosaiks")
    assert pointer is not None
    assert kept == {pointer.reference, pointer.state}


def test_a_late_scene_is_judged_in_its_place(
    scenes: Path, days: list[str], tmp_path: Path
) -> None:
    archive = td.create(tmp_path / "late.td", td.Grid(80))
    for part in (f"../{days[10]}", f"{days[12]}/.."):
        archive.ingest(scenes, datetime=part)
    archive.embed(quiet=True)
    first = watch(archive, days[9])
    assert days[11] not in first.days
    done = archive.watch(scenes, quiet=True)
    assert done.days == days[9:]
    assert "judged again" in str(done)
    held = archive.alerts()
    stands = [one != "withdrawn" for one in held["status"].to_pylist()]
    other = afresh(archive, days[9])
    assert held.filter(pa.array(stands))["alert_id"].equals(other.alerts()["alert_id"])
    assert done.withdrawn == stands.count(False)
    np.testing.assert_array_equal(state_of(archive)["level"], state_of(other)["level"])


def test_a_new_start_closes_what_was_raised_before(
    at_once: Path, days: list[str], tmp_path: Path
) -> None:
    archive = td.open(shutil.copytree(at_once, tmp_path / "anew.td"))
    before = archive.alerts()
    day = np.datetime64(days[12])
    detected = before["detected"].cast(pa.int64()).to_numpy().view("datetime64[us]")
    done = archive.watch(start=days[12], quiet=True)
    assert done.max_false_alarms == MANY
    after = archive.alerts()
    assert set(before["alert_id"].to_pylist()) <= set(after["alert_id"].to_pylist())
    status = dict(
        zip(after["alert_id"].to_pylist(), after["status"].to_pylist(), strict=True)
    )
    for one, instant, was in zip(
        before["alert_id"].to_pylist(),
        detected,
        before["status"].to_pylist(),
        strict=True,
    ):
        if instant < day:
            assert status[one] == ("closed" if was == "open" else was)
        else:
            assert status[one] in {"open", "ended", "withdrawn"}


def test_alerts_are_geojson_that_others_read(at_once: Path, tmp_path: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    archive = td.open(at_once)
    watching.write(archive.store, "mosaiks", tmp_path / "alerts.geojson")
    found = geopandas.read_file(tmp_path / "alerts.geojson")
    table = archive.alerts()
    assert found.crs.to_epsg() == 4326
    assert found["alert_id"].tolist() == table["alert_id"].to_pylist()
    stored = shapely.from_wkb(table["geometry"].to_pylist())
    assert shapely.equals_exact(
        found.geometry.to_numpy(), stored, 1e-6, normalize=True
    ).all()
    assert found.geometry.exterior.is_ccw.all()
    assert (found["onset"] <= found["detected"]).all()
    assert (found["onset_early"] < found["onset"]).all()
    assert (found["n_dates"] >= 2).all()
    assert all(one in found["reason"][0] for one in ("analogues", "dates since"))


def test_sql_reads_alerts(at_once: Path, finished: Path) -> None:
    archive = td.open(at_once)
    text = "SELECT count(*), min(len(controls)) FROM alerts WHERE status = 'open'"
    count, controls = archive.sql(text).fetchone() or (0, 0)
    assert count > 0
    assert controls >= 8
    assert td.open(finished).sql("SELECT count(*) FROM alerts").fetchone() == (0,)


def test_what_cannot_be_watched_is_refused(copied: Copied, days: list[str]) -> None:
    archive = copied()
    with pytest.raises(ArchiveError, match="not watched yet under mosaiks"):
        archive.alerts()
    with pytest.raises(ValueError, match="start date such as 2018-03-01, got 'soon'"):
        archive.watch(start="soon")
    with pytest.raises(ValueError, match="no rule speed; it has"):
        archive.watch(speed=1)
    with pytest.raises(ArchiveError, match="start later, or ingest more"):
        archive.watch(start=days[3])
    after = np.datetime64(days[-1]) + 1
    late = f"start of {after} at the latest.* got {after + 1}; start earlier"
    with pytest.raises(ArchiveError, match=late):
        archive.watch(start=str(after + 1))
    watch(archive, days[9])
    with pytest.raises(ArchiveError, match=r"max_false_alarms 100000\.0, got 5\.0"):
        archive.watch(max_false_alarms=5.0)
    (file,) = (archive.store.root / "watch").glob("*.state.*")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ArchiveError, match=r"cannot read .*restore it from a copy"):
        archive.watch()
    before = archive.alerts().drop_columns(["run_id"])
    again = watch(archive, days[9])
    assert again.new == []
    assert archive.alerts().drop_columns(["run_id"]).equals(before)


def test_the_command_prints_new_alerts_once(copied: Copied, days: list[str]) -> None:
    root = copied().store.root
    line = ["watch", str(root), "--start", days[9], "--max-false-alarms", str(MANY)]
    first = CliRunner().invoke(
        app, [*line, "--json", "-q", "-o", str(root.parent / "a.geojson")]
    )
    assert first.exit_code == 0, first.output
    rows = [json.loads(one) for one in first.stdout.splitlines()]
    written = json.loads((root.parent / "a.geojson").read_text())
    assert {one["alert_id"] for one in rows} == {
        one["id"] for one in written["features"]
    }
    assert set(rows[0]) == set(columns().names) - {"geometry"}
    second = CliRunner().invoke(app, ["watch", str(root), "--json", "-q"])
    assert second.stdout == ""
    assert second.exit_code == 0
    wrong = CliRunner().invoke(app, ["watch", str(root), "--max-false-alarms", "-1"])
    assert wrong.exit_code == 2


def test_the_table_of_new_alerts_fits_a_terminal(
    copied: Copied, days: list[str]
) -> None:
    line = ["watch", str(copied().store.root), "--start", days[9]]
    done = CliRunner().invoke(app, [*line, "--max-false-alarms", str(MANY), "-q"])
    assert done.exit_code == 0, done.output
    head, *lines = done.stdout.splitlines()
    assert head.split()[:3] == ["patch_id", "detected", "onset"]
    assert len(lines) > 0
    assert all(len(one.rstrip()) <= 100 for one in (head, *lines))


def test_a_patch_on_the_antimeridian_is_cut() -> None:
    shape = shapely.box(179.999, 10.0, 180.001, 10.002)
    row = dict.fromkeys(columns().names) | {
        "alert_id": "a",
        "geometry": shapely.to_wkb(shape),
        "longitude": 180.0,
        "latitude": 10.001,
    }
    table = pa.Table.from_pylist([row], schema=columns())
    (feature,) = json.loads("".join(alerts_geojson.geojson(table)))["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    found = shapely.from_geojson(json.dumps(feature["geometry"]))
    assert found.area == pytest.approx(shape.area, rel=1e-6)
    assert found.bounds == (-180.0, 10.0, 180.0, 10.002)


def test_a_book_remembers_what_became_of_alerts() -> None:
    def alert(name: str, patch: str, hour: int) -> pa.Table:
        row = dict.fromkeys(columns().names) | {
            "alert_id": name,
            "patch_id": patch,
            "detected": hour * 3_600_000_000,
            "status": "open",
        }
        return pa.Table.from_pylist([row], schema=columns())

    book = Book(alert("old", "p", 1))
    book.add(alert("new", "q", 30))
    book.end(np.array(["q"]), np.array([np.datetime64("1970-01-03", "us")]))
    assert book.raised == ["new"]
    assert book.table()["status"].to_pylist() == ["open", "ended"]
    book.restart(np.datetime64("1970-01-02"))
    assert book.table()["status"].to_pylist() == ["closed", "ended"]
    assert book.withdraw() == 1
    book.add(alert("new", "q", 30))
    assert book.raised == ["new"]
    assert book.table()["status"].to_pylist() == ["closed", "open"]
