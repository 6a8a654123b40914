"""Lists of events and changes, and counts."""

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient

from terradrift.serve.app import application
from terradrift.serve.held import Held
from tests.serve.drawn import archive, scattered

DRAWN = scattered(150)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    return archive(tmp_path_factory.mktemp("events") / "a.td", DRAWN)


@pytest.fixture(scope="module")
def client(held: Held) -> TestClient:
    return TestClient(application(held))


def test_pages_make_up_the_whole_list(client: TestClient) -> None:
    for sort, key in (("score", "score"), ("onset", "onset")):
        rows, total = [], None
        for offset in range(0, 200, 40):
            page = client.get(
                f"/api/changes?sort={sort}&offset={offset}&limit=40"
            ).json()
            total = page["total"]
            rows += page["rows"]
        assert total == len(rows) == len(DRAWN)
        assert len({row["change_id"] for row in rows}) == total
        values = [row[key] for row in rows if row[key] is not None]
        assert values == sorted(values, reverse=True)
        if sort == "score":
            tied = [(-row["score"], row["change_id"]) for row in rows]
            assert tied == sorted(tied)


def test_a_change_in_a_list_is_that_of_the_table(client: TestClient) -> None:
    for row in client.get("/api/changes?limit=1000").json()["rows"]:
        one = DRAWN[int(row["change_id"][7:])]
        assert row["score"] == np.float32(one.score)
        assert (row["kind"], row["persistence"], row["event_id"]) == (
            one.kind,
            one.persistence,
            one.event,
        )
        assert row["longitude"] == one.longitude
        low, high = one.corners.min(axis=0), one.corners.max(axis=0)
        assert row["bbox"] == [*low, *high]
        if one.day is not None:
            day = datetime(1970, 1, 1, 10, tzinfo=UTC) + timedelta(days=one.day)
            assert row["onset"] == day.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_events_are_those_of_changes_that_pass(client: TestClient) -> None:
    page = client.get("/api/events?kind=2&min_score=9&limit=100").json()
    expected: dict[str, int] = {}
    for one in DRAWN:
        if one.kind == 2 and np.float32(one.score) >= 9 and one.event:
            expected[one.event] = expected.get(one.event, 0) + 1
    assert {row["event_id"]: row["n"] for row in page["rows"]} == expected
    assert page["total"] == len(expected)
    assert [row["rank"] for row in page["rows"]] == sorted(
        row["rank"] for row in page["rows"]
    )
    for row in page["rows"]:
        strongest = max(
            (at for at, one in enumerate(DRAWN) if one.event == row["event_id"]),
            key=lambda at: (np.float32(DRAWN[at].score), -at),
        )
        assert row["change_id"] == f"change-{strongest:05d}"
        assert len(row["bbox"]) == 4


@pytest.mark.parametrize(
    ("sort", "key"), [("area", "area_km2"), ("score", "max_score"), ("start", "start")]
)
def test_events_are_sorted(client: TestClient, sort: str, key: str) -> None:
    rows = client.get(f"/api/events?sort={sort}&limit=100").json()["rows"]
    values = [row[key] for row in rows]
    assert values == sorted(values, reverse=True)
    for one, next_ in itertools.pairwise(rows):
        if one[key] == next_[key]:
            assert one["rank"] < next_["rank"]
    parts = [
        client.get(f"/api/events?sort={sort}&limit=5&offset={at}").json()["rows"]
        for at in range(0, 15, 5)
    ]
    assert [row for part in parts for row in part] == rows


def test_counts_are_those_of_the_list(client: TestClient) -> None:
    asked = "kind=-1&kind=1&since=2017-01-01&until=2020-12-31"
    count = client.get(f"/api/count?{asked}").json()
    rows = client.get(f"/api/changes?{asked}&limit=1000").json()["rows"]
    assert count["changes"] == len(rows)
    assert count["events"] == client.get(f"/api/events?{asked}").json()["total"]
    months: dict[str, int] = {}
    for row in rows:
        months[row["onset"][:7]] = months.get(row["onset"][:7], 0) + 1
    assert {one["month"]: one["n"] for one in count["onsets"]} == months
    assert [one["month"] for one in count["onsets"]] == sorted(months)
    kinds = [-1 if row["kind"] is None else row["kind"] for row in rows]
    assert count["kinds"] == {str(k): kinds.count(k) for k in set(kinds)}
    words = [row["persistence"] for row in rows if row["persistence"]]
    assert count["persistence"] == {word: words.count(word) for word in set(words)}


def test_nothing_passes_and_nothing_breaks(client: TestClient) -> None:
    none = client.get("/api/count?event=nobody").json()
    assert none == {
        "changes": 0,
        "events": 0,
        "onsets": [],
        "kinds": {},
        "persistence": {},
    }
    for path in ("events", "changes"):
        page = client.get(f"/api/{path}?event=nobody").json()
        assert page == {"total": 0, "rows": []}
        assert client.get(f"/api/{path}?offset=9999").json()["rows"] == []


def test_a_change_is_found_by_its_place(client: TestClient) -> None:
    first = client.get("/api/changes?limit=1&kind=3").json()["rows"][0]
    place = f"longitude={first['longitude']}&latitude={first['latitude']}"
    assert client.get(f"/api/at?{place}&kind=3").json() == {
        "change_id": first["change_id"]
    }
    beyond = f"longitude={first['longitude'] + 360}&latitude={first['latitude']}"
    assert client.get(f"/api/at?{beyond}&kind=3").json() == {
        "change_id": first["change_id"]
    }
    assert client.get(f"/api/at?{place}&kind=99").json() == {"change_id": None}
    assert client.get("/api/at?longitude=0&latitude=0&metres=1000").json() == {
        "change_id": None
    }


@pytest.mark.parametrize(
    "path",
    [
        "/api/events?sort=nothing",
        "/api/events?limit=100000",
        "/api/changes?offset=-1",
        "/api/at?longitude=6",
        "/api/at?longitude=nan&latitude=0",
        "/api/at?longitude=6&latitude=0&metres=1e12",
        "/api/count?min_score=-1",
        "/api/count?since=yesterday",
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(
    client: TestClient, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert list(answer.json()) == ["error"]


def test_another_generation_is_gone(client: TestClient) -> None:
    for path in ("events", "changes", "count", "at?longitude=0&latitude=0"):
        mark = "&" if "?" in path else "?"
        assert client.get(f"/api/{path}{mark}v=nobody").status_code == 410
