"""What the archive holds, how faults are told, and the server's process."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from fastapi.testclient import TestClient

import terradrift as td
from terradrift import serve
from terradrift.serve import running
from terradrift.serve.app import application
from terradrift.serve.faults import Busy, NotThere, ServeError
from terradrift.serve.held import Held

DEAF = "SELECT max(levenshtein(repeat('ab', 40000 + range), repeat('ba', 40000))) FROM range(40)"
"""Hears no interrupt, and takes minutes."""


@pytest.fixture(scope="module")
def client(many: Path) -> TestClient:
    return TestClient(application(Held(many, read_only=True)))


def test_the_archive_is_told_as_sql_counts_it(client: TestClient, many: Path) -> None:
    told = client.get("/api/archive").json()
    archive = td.open(many)

    def asked(text: str) -> list[tuple]:
        return archive.sql(text).fetchall()

    counts = told["counts"]
    for view in ("scenes", "patches", "observations", "changes", "events"):
        ((n,),) = asked(f"FROM {view} SELECT count(*)")
        assert counts[view] == n
    assert counts["kinds"] == len(told["kinds"]) > 0
    assert counts["regimes"] == len(told["regimes"]) == 0
    assert told["name"] == many.name
    assert told["model"] == archive.model
    assert told["models"] == [archive.model]
    assert told["read_only"] is True
    assert told["patch_size"] == 80
    ((west, south, east, north),) = asked(
        "SELECT min(bbox.xmin), min(bbox.ymin), max(bbox.xmax), max(bbox.ymax) FROM patches"
    )
    assert told["bbox"] == [west, south, east, north]
    ((first, last),) = asked(
        "SELECT strftime(min(datetime), '%Y-%m-%dT%H:%M:%S'), "
        "strftime(max(datetime), '%Y-%m-%dT%H:%M:%S') FROM scenes"
    )
    assert told["dates"] == {"first": f"{first}Z", "last": f"{last}Z"}
    assert told["has"] == {
        "chips": True,
        "kinds": True,
        "taxonomy": False,
        "events": True,
        "scores": True,
    }
    onsets = {row["month"]: row["n"] for row in told["onsets"]}
    assert onsets == dict(
        asked("SELECT strftime(onset, '%Y-%m'), count(*) FROM changes GROUP BY 1")
    )
    assert sum(row["n"] for row in told["persistence"]) == counts["changes"]
    assert [row["verb"] for row in told["runs"]][:2] == ["cluster", "detect"]
    assert told["runs"][0]["ended"].endswith("Z")
    assert told["bytes"] == sum(
        path.stat().st_size for path in many.rglob("*") if path.is_file()
    )
    sizes = dict(asked("SELECT kind, size FROM kinds WHERE role = 'kind'"))
    assert {row["kind"]: row["size"] for row in told["kinds"]} == sizes
    assert all(row["name"] == row["label"] for row in told["kinds"])


def test_an_archive_without_anything_is_told(tmp_path: Path) -> None:
    td.create(tmp_path / "new.td", td.Grid(80))
    client = TestClient(application(Held(tmp_path / "new.td")))
    told = client.get("/api/archive").json()
    assert set(told["counts"].values()) == {0}
    assert told["bbox"] is None
    assert told["dates"] == {"first": None, "last": None}
    assert told["kinds"] == told["regimes"] == told["onsets"] == told["runs"] == []
    missing = client.get("/api/download", params={"what": "changes", "format": "csv"})
    assert missing.status_code == 404
    assert "no changes" in missing.json()["error"]


def test_faults_are_one_line_of_json(many: Path) -> None:
    app = application(Held(many))

    @app.get("/x/{which}")
    def broken(which: str) -> None:
        raise {"gone": NotThere("no\nsuch"), "busy": Busy("busy")}.get(
            which, ZeroDivisionError("secret of the server")
        )

    client = TestClient(app, raise_server_exceptions=False)
    for path, status, said in (
        ("/nowhere", 404, "Not Found"),
        ("/x/gone", 404, "no such"),
        ("/x/busy", 423, "busy"),
        ("/x/other", 500, "the server failed (ZeroDivisionError); see its output"),
        ("/api/archive?v=unknown", 410, "newer data are shown by now"),
        ("/api/download?what=all&format=csv", 422, "what: Input should be 'changes'"),
        (
            "/api/download?what=changes&format=csv&min_score=x",
            422,
            "min_score: Input should be a valid number",
        ),
        (
            "/api/download?what=changes&format=csv&since=2020-02-01&until=2020-01-01",
            400,
            "expected a period",
        ),
    ):
        answer = client.get(path)
        assert answer.status_code == status, path
        assert list(answer.json()) == ["error"]
        assert said in answer.json()["error"]
        assert "\n" not in answer.json()["error"]
        assert "secret" not in answer.text


def test_the_interface_describes_itself(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/api/archive", "/api/fresh", "/api/sql", "/api/download"} <= set(paths)


def _get(address: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - of this test
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_served_on_loopback_at_any_free_port_and_then_no_more(many: Path) -> None:
    with serve.served(many) as address:
        assert address.startswith("http://127.0.0.1:")
        status, page = _get(address)
        assert status == 200
        assert "<title>terradrift</title>" in page
        status, _ = _get(address, Host="evil.example")
        assert status == 403
        port = int(address.rstrip("/").rpartition(":")[2])
        with (
            pytest.raises(ServeError, match=f"cannot listen at port {port} of"),
            serve.served(many, port=port),
        ):
            pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_beyond_loopback_a_token_is_made_and_needed(many: Path) -> None:
    with serve.served(many, host="0.0.0.0") as address:  # noqa: S104 - this is what is tested
        place, _, token = address.partition("?token=")
        here = f"http://127.0.0.1:{place.rstrip('/').rpartition(':')[2]}/api/fresh"
        assert len(token) >= 40
        assert _get(here)[0] == 401
        assert _get(here, Authorization=f"Bearer {token}")[0] == 200


def test_the_name_of_a_proxy_is_answered_with_a_token_alone(many: Path) -> None:
    with serve.served(many, name="Maps.example", token="0123456789abcdef") as address:  # noqa: S106
        here = f"{address.partition('?')[0]}api/fresh"
        bearer = {"Authorization": "Bearer 0123456789abcdef"}
        assert _get(here, **bearer, Host="maps.example")[0] == 200
        assert _get(here, **bearer, Host="evil.example")[0] == 403
        assert _get(here)[0] == 401


def test_what_cannot_be_served_is_told_before_anything_listens(
    many: Path, tmp_path: Path
) -> None:
    for given, said in (
        ({"archive": tmp_path}, "is not an archive"),
        ({"archive": many, "model": "none-such"}, "nothing of the model none-such"),
        ({"archive": many, "token": "short"}, "expected a token of 16"),
        ({"archive": many, "host": "no.such.host.invalid"}, "cannot listen"),
        ({"archive": many, "host": "192.0.2.1"}, "cannot listen"),
    ):
        with (
            pytest.raises(td.errors.TerradriftError, match=said),
            serve.served(**given),
        ):
            pass


def test_the_command_tells_its_address_and_ends_in_peace(many: Path) -> None:
    """A question is ended with the visitor that asked it, and with the server."""
    command = [sys.executable, "-m", "terradrift", "serve", str(many)]
    with subprocess.Popen(
        [*command, "--port", "0", "--no-open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            assert _get(f"{address}api/fresh")[0] == 200
            # One waits for questions, once the first view had the machine for itself.
            _until(lambda: len(_children(server.pid)) == 1)
            _ask(address, DEAF, seconds=2)  # and goes away
            _until(lambda: len(_children(server.pid)) == 1)
            asking = threading.Thread(target=_ask, args=[address, DEAF, 30])
            asking.start()
            _until(lambda: len(_children(server.pid)) == 2)
            children = _children(server.pid)
            server.send_signal(signal.SIGINT)
            rest, errors = server.communicate(timeout=60)
            asking.join()
        finally:
            server.kill()
    assert server.returncode == 0
    assert rest == ""
    assert errors == ""
    assert not [pid for pid in children if psutil.pid_exists(pid)]


def _ask(address: str, text: str, seconds: float) -> None:
    """Ask, and go away where no answer comes in time."""
    with contextlib.suppress(httpx.HTTPError):
        httpx.post(f"{address}api/sql", json={"text": text}, timeout=seconds)


def _until(met: Callable[[], bool]) -> None:
    last = time.monotonic() + 60
    while not met():
        assert time.monotonic() < last
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def test_the_page_of_the_docs_names_every_route_and_no_other(
    client: TestClient,
) -> None:
    docs = Path(__file__).resolve().parents[2] / "docs" / "serve.md"
    told = {
        (verb, path.partition("?")[0])
        for verb, path in re.findall(
            r"^\| `(GET|POST) (/[^`]*)`", docs.read_text(), re.MULTILINE
        )
    }
    paths = client.get("/api/openapi.json").json()["paths"]
    there = {(verb.upper(), path) for path, verbs in paths.items() for verb in verbs}
    assert told == there


def test_ctrl_c_waits_until_all_is_loaded() -> None:
    loaded: list[str] = []
    before = signal.getsignal(signal.SIGINT)

    def load() -> None:
        with running._uninterrupted():
            signal.raise_signal(signal.SIGINT)
            loaded.append("all")

    with pytest.raises(KeyboardInterrupt):
        load()
    assert loaded == ["all"]
    assert signal.getsignal(signal.SIGINT) is before
