"""The walls of the server: names, tokens, origins, bodies, headers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from terradrift.serve import origin
from terradrift.serve.app import application
from terradrift.serve.faults import ServeError
from terradrift.serve.guard import Guard
from terradrift.serve.held import Held
from terradrift.serve.keys import Key
from tests.serve import loops

TOKEN = "a-token-of-some-length"  # noqa: S105 - of this test
HERE = "http://127.0.0.1:8765"


def echo() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    def page() -> str:
        return "page"

    @app.get("/api/x")
    def read() -> str:
        return "read"

    @app.post("/api/x")
    async def write(request: Request) -> int:
        return len(await request.body())

    return app


@pytest.fixture
def loopback() -> TestClient:
    return TestClient(Guard(echo(), {"localhost", "127.0.0.1"}), base_url=HERE)


@pytest.fixture
def locked() -> TestClient:
    key = Key.of(TOKEN, 8765)
    walls = Guard(echo(), {"maps.example"}, everywhere=True, key=key)
    return TestClient(
        walls, base_url="http://maps.example:8765", follow_redirects=False
    )


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8765",
        "localhost",
        "LOCALHOST:9000",
        "localhost.:1",
        "[::1]:8765",
        "127.8.9.1",
    ],
)
def test_our_own_names_are_answered_at_any_port(
    loopback: TestClient, host: str
) -> None:
    assert loopback.get("/api/x", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1/evil",
        "10.0.0.7:8765",
        "[::1",
        "localhost:99999",
        "localhost:x",
        "",
    ],
)
def test_a_name_that_was_let_point_here_is_refused(
    loopback: TestClient, host: str
) -> None:
    answer = loopback.get("/api/x", headers={"host": host})
    assert answer.status_code == 403
    assert list(answer.json()) == ["error"]
    assert "\n" not in answer.json()["error"]


def test_two_hosts_are_refused(loopback: TestClient) -> None:
    headers = [("host", "127.0.0.1"), ("host", "evil.example")]
    assert loopback.get("/api/x", headers=headers).status_code == 403


def test_beyond_loopback_addresses_in_numbers_are_ours_and_foreign_names_not(
    locked: TestClient,
) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    for host, status in (
        ("10.0.0.7:8765", 200),
        ("maps.example", 200),
        ("evil.example", 403),
    ):
        assert (
            locked.get("/api/x", headers={**bearer, "host": host}).status_code == status
        )


def test_without_the_token_nothing_is_answered(locked: TestClient) -> None:
    wrong = [
        {},
        {"authorization": TOKEN},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": "Bearer \N{SNOWMAN}".encode()},
        {"authorization": f"Basic {TOKEN}"},
        {"cookie": f"terradrift_8765={TOKEN}"},
        {"cookie": "terradrift_8765="},
        {"cookie": "terradrift_8765=\x01; ;;="},
    ]
    for headers in wrong:
        for path in ("/", "/api/x", "/static/js/main.js", f"/api/x?token={TOKEN}"):
            answer = locked.get(path, headers=headers)
            assert answer.status_code == 401, (headers, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answer.text
    assert locked.get("/?token=wrong").status_code == 401


def test_a_script_sends_the_token_and_a_browser_gets_a_cookie(
    locked: TestClient,
) -> None:
    bearer = {"authorization": f"bearer {TOKEN}"}
    assert locked.get("/api/x", headers=bearer).json() == "read"
    assert locked.post("/api/x", headers=bearer, json=[1]).json() == 3

    first = locked.get(f"/?token={TOKEN}&event=e%261")
    assert first.status_code == 303
    assert first.headers["location"] == "/?event=e%261"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert locked.get("/").json() == "page"
    assert locked.get("/api/x").json() == "read"


def test_a_link_on_another_site_leads_on_by_a_page_of_ours(locked: TestClient) -> None:
    """A strict cookie does not go along with a redirect that another site began."""
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = locked.get(f"/?token={TOKEN}&event=<script>", headers=headers)
    assert answer.status_code == 200
    assert "url=/?event=%3Cscript%3E" in answer.text
    assert TOKEN not in answer.text
    assert locked.get("/").status_code == 200


@pytest.mark.parametrize(
    "other", ['a={"x":1}', "u=a b", "flag", "é=1", "x/y=1", "", 'q="open', "a==;b"]
)
def test_cookies_of_other_servers_do_not_hide_ours(other: str) -> None:
    key = Key.of(TOKEN, 8765)
    ours = key.set_cookie().partition(";")[0]
    assert key.admits("", f"{other}; {ours}")
    assert key.admits("", f"{ours}; {other}")
    assert not key.admits("", f"{other}; {ours}x")


def test_the_cookie_of_one_server_does_not_open_another() -> None:
    one, other = Key.of(TOKEN, 1), Key.of(TOKEN, 2)
    held = one.set_cookie().partition(";")[0]
    assert one.admits("", held)
    assert not other.admits("", held)
    assert TOKEN not in repr(one)


@pytest.mark.parametrize("given", ["short", "", "with spaces in it, 20", "x" * 201])
def test_a_token_that_is_weak_or_no_part_of_an_address_is_refused(given: str) -> None:
    with pytest.raises(ServeError, match="expected a token of 16 to 200"):
        Key.of(given, 1)


def test_made_tokens_differ_and_are_long() -> None:
    made = {Key.of(None, 1).token for _ in range(20)}
    assert len(made) == 20
    assert min(map(len, made)) >= 40


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": HERE}, 200),
        ({"origin": "https://127.0.0.1:8765"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "http://127.0.0.1:8765.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": HERE, "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_only_pages_of_ours_and_scripts_may_post(
    loopback: TestClient, headers: dict[str, str], status: int
) -> None:
    assert loopback.post("/api/x", json={}, headers=headers).status_code == status


def test_pages_of_other_sites_may_lead_here_and_read_nothing(
    loopback: TestClient,
) -> None:
    elsewhere = {"sec-fetch-site": "cross-site"}
    visit = {**elsewhere, "sec-fetch-mode": "navigate"}
    assert loopback.get("/", headers=visit).status_code == 200
    assert loopback.get("/api/x", headers=visit).status_code == 403
    assert loopback.get("/api/x", headers=elsewhere).status_code == 403
    answer = loopback.get("/api/x", headers={"origin": HERE})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""],
)
def test_what_a_form_may_send_is_refused(loopback: TestClient, kind: str) -> None:
    headers = {"content-type": kind}
    assert loopback.post("/api/x", content=b"{}", headers=headers).status_code == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(loopback: TestClient, method: str) -> None:
    answer = loopback.request(method, "/api/x")
    assert answer.status_code == 405
    assert "allow-origin" not in str(answer.headers)


def test_a_body_is_bounded_told_or_not() -> None:
    client = TestClient(Guard(echo(), {"127.0.0.1"}, body_bytes=10), base_url=HERE)
    headers = {"content-type": "application/json"}

    def parts() -> Iterator[bytes]:
        yield from [b"12345"] * 3

    assert client.post("/api/x", content=b"1234567890", headers=headers).json() == 10
    for body in (b"12345678901", parts()):
        answer = client.post("/api/x", content=body, headers=headers)
        assert answer.status_code == 413
        assert "at most 10 bytes" in answer.json()["error"]
    lying = {**headers, "content-length": "-1"}
    assert client.post("/api/x", content=b"1", headers=lying).status_code == 413


def test_every_answer_says_what_a_browser_may_do_with_it(
    loopback: TestClient, locked: TestClient
) -> None:
    answers = [
        loopback.get("/"),
        loopback.get("/nowhere"),
        loopback.get("/", headers={"host": "evil.example"}),
        locked.get("/"),
        locked.get(f"/?token={TOKEN}"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; ")
        assert "'unsafe-eval'" not in policy
        assert "script-src" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/js/..%2f..%2f..%2fapp.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/..\\app.py",
        "/static/js/main.js%00.css",
        "/static/",
        "/static/js",
        "/archive.json",
        "/../archive.json",
    ],
)
def test_no_path_leaves_the_static_files(finished: Path, path: str) -> None:
    client = TestClient(application(Held(finished)), base_url=HERE)
    assert client.get("/static/js/main.js").status_code == 200
    answer = client.get(path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


def test_names_of_this_machine() -> None:
    assert origin.is_loopback("127.0.0.1")
    assert origin.is_loopback("::1")
    assert origin.is_loopback("localhost")
    assert not origin.is_loopback("0.0.0.0")  # noqa: S104
    assert not origin.is_loopback("localhost.example")
    assert origin.is_same("http://a.example", "a.example:80")
    assert not origin.is_same("http://a.example", "a.example:8080")


@pytest.mark.parametrize(
    ("method", "begun"), [("GET", False), ("GET", True), ("POST", False)]
)
def test_an_answer_that_the_end_of_the_server_cuts_off_is_no_failure(
    method: str, begun: bool
) -> None:
    sent: list[Message] = []

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    async def received() -> Message:
        await asyncio.Event().wait()  # of a body that never comes
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    async def asked() -> None:
        scope = {
            "type": "http",
            "method": method,
            "path": "/api/x",
            "query_string": b"",
        }
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        walls = Guard(slow, {"localhost"})
        task = asyncio.create_task(walls({**scope, "headers": headers}, received, send))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    loops.run(asked())
    assert sent[0]["status"] == (200 if begun else 503)
    assert begun == (len(sent) == 1)
