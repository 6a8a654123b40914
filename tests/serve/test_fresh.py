"""Generations: readers while another process writes, what is kept, and what is newer."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import terradrift as td
from terradrift.serve import held as serve_held
from terradrift.serve import writing
from terradrift.serve.app import application
from terradrift.serve.faults import Gone
from terradrift.serve.held import Held
from terradrift.store import optimize
from terradrift.store.tables import Store

WRITER = """
import sys
from terradrift.store.tables import Store
store = Store.open(sys.argv[1])
model = store.settings.model
replaced = ("changes", "patch_changes", "events", "kinds")
rows = {name: store.scan(f"{name}_{model}").read_all() for name in replaced}
seen = store.scan(f"embeddings_{model}").read_all().slice(0, 10)
print("ready", flush=True)
while sys.stdin.readline() == "write\\n":
    with store.lock("detect"):
        store.append(f"embeddings_{model}", seen)
        for name, held in rows.items():
            store.overwrite(f"{name}_{model}", held, held.schema)
with store.lock("detect"):
    print("waits", flush=True)
    sys.stdin.read()
"""
"""Appends and overwrites as often as it is told, then holds the lock until it is told to end."""


@pytest.fixture
def place(many: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "a.td"
    shutil.copytree(many, copied)
    return copied


def _shortened(root: Path, base: str, rows: int) -> None:
    store = Store.open(root)
    table = f"{base}_{store.settings.model}"
    held = store.scan(table).read_all()
    store.overwrite(table, held.slice(0, rows), held.schema)


def test_readers_see_no_error_while_another_process_writes(place: Path) -> None:
    client = TestClient(application(Held(place)))
    first = client.get("/api/archive").json()
    assert client.get("/api/fresh", params={"v": first["version"]}).json() == {
        "version": first["version"],
        "newer": False,
        "writing": None,
        "added": None,
    }
    seen: Counter[tuple[str, int]] = Counter()
    versions: set[str] = set()
    faults: list[str] = []
    over = threading.Event()

    def read(path: str, v: str | None) -> None:
        while not over.is_set():
            answer = client.get(path, params={"v": v} if v else {})
            seen[path, answer.status_code] += 1
            if answer.status_code != 200:
                faults.append(answer.text)
                return
            versions.add(answer.json().get("version", ""))
            if "counts" in answer.json():
                counts = answer.json()["counts"]
                assert counts["changes"] == first["counts"]["changes"]

    command = [sys.executable, "-c", WRITER, str(place)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout
        assert writer.stdin
        assert writer.stdout.readline() == "ready\n"
        asked = [("/api/archive", None), ("/api/archive", None), ("/api/fresh", "x")]
        # A page that is open goes on with its generation.
        asked.append(("/api/archive", first["version"]))
        readers = [threading.Thread(target=read, args=one) for one in asked]
        for reader in readers:
            reader.start()
        for _ in range(4):
            known = len(versions)
            print("write", file=writer.stdin, flush=True)
            last = time.monotonic() + 60
            while len(versions) == known and not faults:
                assert time.monotonic() < last
                time.sleep(0.01)
        print("wait", file=writer.stdin, flush=True)
        assert writer.stdout.readline() == "waits\n"
        over.set()
        for reader in readers:
            reader.join()
        told = client.get("/api/fresh", params={"v": first["version"]}).json()
        writer.communicate("")
    assert faults == []
    assert seen["/api/archive", 200] > 5
    assert len(versions) > 3
    assert told["newer"] is True
    assert told["writing"]["verb"] == "detect"
    assert told["writing"]["since"].endswith("Z")
    assert told["added"].endswith(" observations")
    assert int(told["added"].split()[0].replace(",", "")) % 10 == 0
    after = client.get("/api/fresh", params={"v": told["version"]}).json()
    assert after["newer"] is False
    assert after["writing"] is None


def test_a_generation_answers_from_the_tables_as_they_were(place: Path) -> None:
    held = Held(place)
    old = held.newest()
    before = old.archive.sql("SELECT count(*) FROM changes").fetchall()
    _shortened(place, "changes", 7)
    new = held.newest()
    assert new.version != old.version
    assert old.archive.sql("SELECT count(*) FROM changes").fetchall() == before
    assert new.archive.sql("SELECT count(*) FROM changes").fetchall() == [(7,)]
    assert held.at(old.version) is old
    assert held.at(None) is new is held.newest()
    told = TestClient(application(held)).get("/api/fresh", params={"v": old.version})
    assert told.json()["added"] == "judged anew"


def test_every_commit_is_seen_whether_the_folder_was_quiet_or_not(place: Path) -> None:
    held = Held(place)
    seen = {held.version_now()}
    for rows in range(12, 2, -1):
        for folder in place.glob("*.lance/_versions"):
            if rows % 2:  # as if nothing had happened for a while
                os.utime(folder, (1, 1))
        assert held.version_now() in seen
        _shortened(place, "changes", rows)
        seen.add(held.version_now())
    assert len(seen) == 11
    Store.open(place).drop(held.newest().table("events"))
    assert held.version_now() not in seen


def test_labels_and_runs_are_as_they_are_now_and_no_new_generation(place: Path) -> None:
    held = Held(place)
    now = held.newest()
    ((change,),) = now.archive.sql("SELECT change_id FROM changes LIMIT 1").fetchall()
    assert td.open(place).label(change, "yes", "mine") == 1
    assert held.newest() is now
    assert now.archive.labels()["name"].to_pylist() == ["mine"]
    assert now.archive.label(change, "no", "mine") == 1
    assert td.open(place).labels()["verdict"].to_pylist() == ["no"]


def test_generations_of_open_pages_are_kept_longest(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_held, "KEPT", 2)
    held = Held(place)
    page = held.newest()
    for rows in (9, 8, 7):
        held.at(page.version)
        _shortened(place, "changes", rows)
        held.newest()
    assert held.at(page.version) is page
    _shortened(place, "changes", 6)
    passed = held.newest()
    held.at(passed.version)
    _shortened(place, "changes", 5)
    held.newest()
    with pytest.raises(Gone, match="load the page anew"):
        held.at(page.version)


def test_files_that_were_removed_are_told_and_asked_anew(place: Path) -> None:
    held = Held(place)
    client = TestClient(application(held))
    old = held.newest()
    changes = old.table("changes")
    for rows in (9, 7):
        _shortened(place, "changes", rows)
        optimize._clean(Store.open(place).dataset(changes), timedelta(0))
    download = {"what": "changes", "format": "csv"}
    for path, asked in (
        ("/api/archive", {}),
        ("/api/download", download),
    ):
        gone = client.get(path, params={**asked, "v": old.version})
        assert gone.status_code == 410, gone.text
        assert gone.json() == {
            "error": "newer data are there by now; load the page anew"
        }
        assert client.get(path, params=asked).status_code == 200
    text = {"text": "SELECT sum(score) FROM changes"}
    assert client.post("/api/sql", json={**text, "v": old.version}).status_code == 410


def test_who_wrote_last_does_not_write_any_more(place: Path) -> None:
    store = Store.open(place)
    with store.lock("label"):
        assert writing.now(place) is None  # it is we who write
    assert (place / ".lock").exists()
    assert writing.now(place) is None
    (place / ".lock").write_text('{"pid": 1, "verb": "detect", "since": "2020"}')
    assert writing.now(place) is None  # no such lock is held
    (place / ".lock").write_text("no json")
    assert writing.now(place) is None


def test_an_archive_that_went_away_is_told_and_found_again(
    place: Path, many: Path
) -> None:
    client = TestClient(application(Held(place)))
    first = client.get("/api/archive").json()
    shutil.rmtree(place)
    for path in ("/api/archive", "/api/fresh"):
        gone = client.get(path)
        assert gone.status_code == 400
        assert "no archive at" in gone.json()["error"]
    shutil.copytree(many, place)
    again = client.get("/api/archive").json()
    assert again["version"] != first["version"]
    assert again["counts"] == first["counts"]
