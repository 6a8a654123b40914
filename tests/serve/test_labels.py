"""Labels over HTTP: written at once, or when another process is done; used by searches."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lance
import pytest
from fastapi.testclient import TestClient

import terradrift as td
from terradrift.serve.app import application
from terradrift.serve.held import Held
from terradrift.serve.search import said as saying
from terradrift.serve.search.said import Said
from terradrift.store import lock

HOLD = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def place(many: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(many, tmp_path / "labelled.td"))


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Another process holds the archive's lock inside the block."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place / lock.NAME)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        try:
            yield
        finally:
            other.stdin.close()
            other.wait(10)


def _ids(place: Path) -> list[str]:
    rows = td.open(place).store.scan("changes_mosaiks", ["change_id", "score"])
    return rows.read_all().sort_by([("score", "descending")])["change_id"].to_pylist()


def _stored(place: Path) -> dict[str, str]:
    rows = td.open(place).labels().to_pylist()
    return {row["target_id"]: row["verdict"] for row in rows}


def _delete(place: Path, change: str) -> None:
    """As if detect had run again and not found it."""
    table = td.open(place).store.path("changes_mosaiks")
    lance.dataset(str(table)).delete(f"change_id = '{change}'")


def _soon(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    assert is_so()


def test_labels_are_written_told_and_searched_by(place: Path) -> None:
    held = Held(place, who="ana")
    client = TestClient(application(held))
    ids = _ids(place)
    body = {"ids": ids[:3], "verdict": "yes", "name": "  new   houses "}
    assert client.post("/api/label", json=body).json() == {
        "labels": 3,
        "waiting": 0,
        "why": None,
        "lost": [],
    }
    body = {"ids": ids[3:5], "verdict": "no", "name": "new houses"}
    client.post("/api/label", json=body)
    assert _stored(place) == dict.fromkeys(ids[:3], "yes") | dict.fromkeys(
        ids[3:5], "no"
    )
    told = client.get("/api/labels").json()
    assert told["names"] == [{"name": "new houses", "yes": 3, "no": 2}]
    assert {row["who"] for row in told["rows"]} == {"ana"}
    change = client.get(f"/api/change/{ids[0]}").json()
    assert [one["verdict"] for one in change["labels"]] == ["yes"]

    found = client.post("/api/similar", json={"labels": "new houses", "k": 8}).json()
    own = td.open(place).similar(labels="new houses", k=8, mode="delta").table
    assert [row["change_id"] for row in found["rows"]] == own["change_id"].to_pylist()

    nxt = client.post("/api/uncertain", json={"name": "new houses", "k": 4}).json()
    theirs = td.open(place).uncertain(labels="new houses", n=4, mode="delta").table
    assert {row["change_id"] for row in nxt["rows"]} == set(
        theirs["change_id"].to_pylist()
    )
    assert not {row["change_id"] for row in nxt["rows"]} & set(ids[:5])
    doubts = [abs(row["probability"] - 0.5) for row in nxt["rows"]]
    assert doubts == sorted(doubts)

    # A verdict that is taken back changes the question's name, and the answer.
    body = {"ids": ids[3:5], "verdict": "none", "name": "new houses"}
    client.post("/api/label", json=body)
    assert set(_stored(place)) == set(ids[:3])
    again = client.post("/api/similar", json={"labels": "new houses", "k": 8}).json()
    assert again["search"] != found["search"]


def test_labels_wait_for_a_writer_and_are_used_meanwhile(place: Path) -> None:
    client = TestClient(application(Held(place)))
    ids = _ids(place)
    with locked(place):
        body = {"ids": ids[:2], "verdict": "yes", "name": "fire"}
        assert client.post("/api/label", json=body).json() == {
            "labels": 2,
            "waiting": 2,
            "why": "another process writes to the archive",
            "lost": [],
        }
        body = {"ids": ids[1:2], "verdict": "no", "name": "fire"}
        assert client.post("/api/label", json=body).json()["waiting"] == 2
        told = client.get("/api/labels").json()
        assert told["waiting"] == 2
        assert told["names"] == [{"name": "fire", "yes": 1, "no": 1}]
        assert all(row["waiting"] for row in told["rows"])
        found = client.post("/api/similar", json={"labels": "fire", "k": 8}).json()
        own = td.open(place).similar(like=ids[:1], unlike=ids[1:2], k=8).table
        assert [row["change_id"] for row in found["rows"]] == own[
            "change_id"
        ].to_pylist()
        assert _stored(place) == {}
    _soon(lambda: client.get("/api/labels").json()["waiting"] == 0)
    assert _stored(place) == {ids[0]: "yes", ids[1]: "no"}


def test_what_waits_and_is_taken_back_is_never_written(place: Path) -> None:
    said = Said(Held(place))
    ids = _ids(place)
    with locked(place):
        assert said.say(ids[:1], "yes", "fire").waiting == 1
        assert said.say(ids[:1], "none", "fire").waiting == 0
        assert said.standing() == []
    said.close()
    assert _stored(place) == {}
    assert said.waiting == 0


def test_what_is_gone_when_its_turn_comes_is_told_and_the_rest_written(
    place: Path,
) -> None:
    client = TestClient(application(Held(place)))
    ids = _ids(place)
    with locked(place):
        for part in (ids[:2], ids[2:4]):
            body = {"ids": part, "verdict": "yes", "name": "fire"}
            told = client.post("/api/label", json=body).json()
            assert told["why"] == "another process writes to the archive"
        _delete(place, ids[1])
    # Another visitor writes what waits along with their own, and is not told of what is lost.
    body = {"ids": ids[4:5], "verdict": "no", "name": "water"}
    answer = client.post("/api/label", json=body)
    assert (answer.status_code, answer.json()["lost"]) == (200, [])
    expected = dict.fromkeys([ids[0], *ids[2:4]], "yes") | {ids[4]: "no"}
    _soon(lambda: _stored(place) == expected)
    told = client.get("/api/labels").json()
    assert (told["waiting"], told["why"]) == (0, None)
    (lost,) = told["lost"]
    assert (lost["target_id"], lost["name"], lost["verdict"]) == (ids[1], "fire", "yes")
    assert "detect was run again" in lost["why"]


def test_a_visitor_is_told_at_once_which_of_their_own_are_lost(place: Path) -> None:
    client = TestClient(application(Held(place)))
    ids = _ids(place)
    v = client.get("/api/archive").json()["version"]
    _delete(place, ids[0])
    body = {"ids": ids[:2], "verdict": "yes", "name": "fire"}
    told = client.post(f"/api/label?v={v}", json=body).json()
    assert (told["labels"], told["waiting"]) == (1, 0)
    assert [one["target_id"] for one in told["lost"]] == ids[:1]
    assert _stored(place) == {ids[1]: "yes"}
    answer = client.post(f"/api/label?v={v}", json={**body, "ids": ids[:1]})
    assert answer.status_code == 400
    assert ids[0] in answer.json()["error"]
    assert client.get("/api/labels").json()["lost"] == []


def test_labels_wait_while_the_archive_is_out_of_reach(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    said = Said(Held(place), heard.append)
    ids = _ids(place)
    away = place.rename(place.with_name("away.td"))
    told = said.say(ids[:1], "yes", "fire")
    assert (told.waiting, told.lost) == (1, ())
    assert str(told.why) in heard[0]
    away.rename(place)
    _soon(lambda: _stored(place) == {ids[0]: "yes"})
    assert len(heard) == 1
    said.close()


def test_the_end_of_the_server_writes_what_waits(place: Path) -> None:
    ids = _ids(place)
    held = Held(place)
    with TestClient(application(held)) as client, locked(place):
        body = {"ids": ids[:1], "verdict": "yes", "name": "fire"}
        assert client.post("/api/label", json=body).json()["waiting"] == 1
    assert _stored(place) == {ids[0]: "yes"}


def test_what_cannot_be_written_at_the_end_is_told_as_commands(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saying, "_PATIENCE", 0.3)
    heard: list[str] = []
    said = Said(Held(place, who="ana b"), heard.append)
    ids = _ids(place)
    with locked(place):
        said.say(ids[:1], "yes", "new house")
        said.close()
    (words,) = heard
    assert words.startswith("1 label could not be written")
    command = f"--name 'new house' --yes {ids[0]} --who 'ana b'"
    assert command in words


def test_a_server_that_only_reads_refuses_labels(place: Path) -> None:
    client = TestClient(application(Held(place, read_only=True)))
    body = {"ids": _ids(place)[:1], "verdict": "yes", "name": "fire"}
    answer = client.post("/api/label", json=body)
    assert answer.status_code == 403
    assert "only reads" in answer.json()["error"]
    assert _stored(place) == {}
    assert client.get("/api/labels").json()["rows"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ids": ["none"], "verdict": "yes", "name": "a"}, 404),
        ({"ids": [], "verdict": "yes", "name": "a"}, 422),
        ({"ids": ["x"], "verdict": "maybe", "name": "a"}, 422),
        ({"ids": ["x"], "verdict": "yes", "name": "  "}, 422),
        ({"ids": ["x"], "verdict": "yes", "name": "a" * 201}, 422),
        ({"ids": ["x"], "verdict": "yes"}, 422),
        ({"ids": ["x"], "verdict": "none", "name": "a\x1b[2Jb"}, 400),
    ],
)
def test_what_cannot_be_labelled_is_one_line(
    many: Path, body: dict, status: int
) -> None:
    answer = TestClient(application(Held(many))).post("/api/label", json=body)
    assert answer.status_code == status
    assert "\n" not in answer.json()["error"]
    assert not td.open(many).labels().num_rows
