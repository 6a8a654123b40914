"""Searches over HTTP: the archive's own answers, under names, page by page."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient

import terradrift as td
from terradrift.archive import Archive
from terradrift.serve.filters import Filters
from terradrift.serve.held import Held
from terradrift.serve.search import question


@pytest.fixture(scope="module")
def archive(many: Path) -> Archive:
    return td.open(many)


@pytest.fixture(scope="module")
def ids(archive: Archive) -> list[str]:
    return [
        one
        for (one,) in archive.sql(
            "SELECT change_id FROM changes ORDER BY score DESC, change_id"
        ).fetchall()
    ]


def test_matches_are_those_of_the_archive_nearest_first(
    client: TestClient, archive: Archive, ids: list[str]
) -> None:
    told = client.post("/api/similar", json={"change": ids[0], "k": 120}).json()
    own = archive.similar(change=ids[0], k=120, mode="delta").table
    assert told["total"] == len(own) > 100
    assert [row["change_id"] for row in told["rows"]] == own["change_id"].to_pylist()[
        :100
    ]
    np.testing.assert_allclose(
        [row["distance"] for row in told["rows"]],
        own["distance"].to_numpy()[:100],
        atol=1e-6,
    )
    assert [row["rank"] for row in told["rows"]] == list(range(1, 101))
    assert told["exact"] is True
    assert told["mode"] == "delta"
    rest = client.get(f"/api/search/{told['search']}?offset=100&limit=50").json()
    assert [row["change_id"] for row in rest["rows"]] == own["change_id"].to_pylist()[
        100:
    ]
    assert rest["rows"][0]["rank"] == 101
    assert rest["rows"][0]["onset"].endswith("Z")


def test_the_same_question_has_the_same_name_and_another_another(
    client: TestClient, held: Held, ids: list[str]
) -> None:
    def name(**body: object) -> str:
        return str(client.post("/api/similar", json=body).json()["search"])

    first = name(change=ids[0])
    assert name(change=ids[0], filters={}) == first
    others = {
        name(change=ids[1]),
        name(change=ids[0], k=20),
        name(change=ids[0], mode="reverse"),
        name(change=ids[0], filters={"min_score": 1}),
        name(change=ids[0], exclude="none"),
    }
    assert len(others | {first}) == 6
    kept = held.searches.get(first)
    assert kept.change_ids[0] != ids[0]
    assert (np.diff(kept.distances) >= 0).all()


def test_filters_mean_what_they_mean_on_the_map(
    client: TestClient, held: Held, archive: Archive, ids: list[str]
) -> None:
    rows = (
        archive.sql(
            "SELECT change_id, onset, kind, persistence, score, event_id, longitude, "
            "latitude FROM changes"
        )
        .to_arrow_table()
        .to_pylist()
    )
    onsets = sorted(row["onset"] for row in rows)
    since, until = onsets[len(onsets) // 3].date(), onsets[2 * len(onsets) // 3].date()
    event = max(
        {row["event_id"] for row in rows},
        key=lambda one: sum(row["event_id"] == one for row in rows),
    )
    west = float(np.median([row["longitude"] for row in rows]))
    held.regions.keep("half", shapely.box(-180, -90, west, 90))
    cases = [
        (
            {"since": str(since), "until": str(until)},
            lambda row: since <= row["onset"].date() <= until,
        ),
        ({"kind": [-1]}, lambda row: row["kind"] is None),
        ({"kind": [0]}, lambda row: row["kind"] == 0),
        ({"kind": [-1, 0]}, lambda row: row["kind"] in (None, 0)),
        ({"persistence": "gradual"}, lambda row: row["persistence"] == "gradual"),
        ({"min_score": 6.5}, lambda row: row["score"] >= 6.5),
        ({"event": event}, lambda row: row["event_id"] == event),
        ({"event": "x' OR 'a' = 'a"}, lambda _row: False),
    ]
    for filters, passes in cases:
        body = {"change": ids[0], "exclude": "none", "k": 1000, "filters": filters}
        told = client.post("/api/similar", json=body)
        assert told.status_code == 200, told.text
        found = held.searches.get(told.json()["search"]).change_ids
        assert set(found) == {row["change_id"] for row in rows if passes(row)}, filters
    body = {
        "change": ids[0],
        "exclude": "none",
        "k": 1000,
        "filters": {"region": "half"},
    }
    half = client.post("/api/similar", json=body).json()
    assert 0 < half["total"] < len(rows)
    assert all(row["bbox"][0] <= west for row in half["rows"])


def test_conditions_are_the_words_of_the_archive() -> None:
    assert question.conditions(Filters(), None) == {}
    found = question.conditions(Filters(kinds=(-1, 3, 5), event="a'b"), None)
    assert found == {
        "where": "(kind IS NULL OR kind IN (3, 5)) AND (event_id = 'a''b')"
    }


def test_events_and_judged_ones_are_examples(
    client: TestClient, archive: Archive, ids: list[str]
) -> None:
    (event,) = archive.sql("SELECT event_id FROM events WHERE rank = 1").fetchall()[0]
    told = client.post("/api/similar", json={"event": event, "k": 5}).json()
    own = archive.similar(event=event, k=5, mode="delta").table
    assert [row["change_id"] for row in told["rows"]] == own["change_id"].to_pylist()
    body = {"like": ids[:3], "unlike": ids[5:7], "k": 5}
    told = client.post("/api/similar", json=body).json()
    own = archive.similar(like=ids[:3], unlike=ids[5:7], k=5, mode="delta").table
    assert [row["change_id"] for row in told["rows"]] == own["change_id"].to_pylist()
    assert "3 liked" in told["note"] or "liked" in told["note"]


def test_matches_that_are_gone_are_told_as_gone(
    client: TestClient, held: Held, ids: list[str]
) -> None:
    import pyarrow as pa

    from terradrift.serve.search.matched import Found

    kept = Found(pa.array([ids[0], "was-there"]), np.array([0.1, 0.2], np.float32))
    held.searches.keep("old", kept)
    rows = client.get("/api/search/old").json()["rows"]
    assert rows[0]["score"] > 0
    assert rows[1] == {
        "rank": 2,
        "change_id": "was-there",
        "distance": 0.2,
        "gone": True,
    }


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "expected one of change"),
        ({"change": "a", "event": "b"}, 400, "got change and event"),
        ({"change": "a", "like": ["b"]}, 400, "got change and like"),
        ({"change": "none"}, 404, "no change or event none"),
        ({"like": ["none"]}, 404, "no change or event none"),
        ({"labels": "nothing"}, 400, "no labels named"),
        ({"change": "a", "k": 0}, 422, "k: "),
        ({"change": "a", "k": 10_001}, 422, "k: "),
        ({"change": "a", "mode": "sideways"}, 422, "mode"),
        ({"change": "a", "vector": "/etc/passwd"}, 422, "vector"),
        ({"change": "a", "filters": {"where": "1=1"}}, 422, "where"),
        ({"change": "a", "filters": {"region": "lost"}}, 404, "no change"),
    ],
)
def test_what_cannot_be_searched_is_one_line(
    client: TestClient, body: dict, status: int, words: str
) -> None:
    answer = client.post("/api/similar", json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_lost_search_or_region_says_what_to_do(
    client: TestClient, ids: list[str]
) -> None:
    assert client.get("/api/search/never").status_code == 410
    body = {"change": ids[0], "filters": {"region": "lost"}}
    answer = client.post("/api/similar", json=body)
    assert answer.status_code == 410
    assert "draw it again" in answer.json()["error"]
    body = {"change": ids[0], "filters": {"since": "2020-01-02", "until": "2020-01-01"}}
    assert client.post("/api/similar", json=body).status_code == 400
