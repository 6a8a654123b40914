"""Files of what passes the filters, read by other tools."""

import io
import json
import threading
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pyogrio
import pytest
from fastapi.testclient import TestClient

import terradrift as td
from terradrift.errors import QueryError
from terradrift.serve import picked
from terradrift.serve.filters import Filters
from terradrift.serve.held import Held

FORMATS = ("parquet", "gpkg", "fgb", "geojson", "csv")


class Found:
    """Matches of a search."""

    def __init__(self, change_ids: list[str]) -> None:
        self.change_ids = change_ids
        self.distances = np.linspace(0, 1, len(change_ids)).astype(np.float32)


def _ids(content: bytes, form: str, key: str, folder: Path) -> list[str]:
    if form == "parquet":
        return pq.read_table(io.BytesIO(content))[key].to_pylist()
    if form == "csv":
        return pacsv.read_csv(io.BytesIO(content))[key].to_pylist()
    if form == "geojson":
        found = json.loads(content)["features"]
        return [one["properties"][key] for one in found]
    file = folder / f"x.{form}"
    file.write_bytes(content)
    frame = pyogrio.read_dataframe(file)
    assert frame.crs.to_epsg() == 4326
    assert frame.geometry.is_valid.all()
    return frame[key].tolist()


@pytest.mark.parametrize("form", FORMATS)
def test_what_passes_is_there_in_each_form(
    client: TestClient, many: Path, tmp_path: Path, form: str
) -> None:
    archive = td.open(many)
    for what, key, text in (
        ("changes", "change_id", "FROM changes WHERE score >= 2"),
        (
            "events",
            "event_id",
            "FROM events WHERE event_id IN (SELECT event_id FROM changes WHERE score >= 2)",
        ),
    ):
        wanted = {"what": what, "format": form, "min_score": 2}
        answer = client.get("/api/download", params=wanted)
        assert answer.status_code == 200
        name = f'attachment; filename="many-{what}.{form}"'
        assert answer.headers["content-disposition"] == name
        here = {id_ for (id_,) in archive.sql(f"SELECT {key} {text}").fetchall()}
        there = _ids(answer.content, form, key, tmp_path)
        assert len(there) == len(set(there)) == int(answer.headers["x-rows"])
        assert set(there) == here
        assert len(here) > 0


def test_matches_keep_order_rank_and_distance(client: TestClient, held: Held) -> None:
    archive = held.newest().archive
    rows = archive.sql(
        "SELECT change_id, event_id, score FROM changes ORDER BY hash(change_id) LIMIT 12"
    ).fetchall()
    held.searches.keep("found", Found([row[0] for row in rows]))
    wanted = {"search": "found", "format": "parquet"}
    answer = client.get("/api/download", params={**wanted, "what": "changes"})
    table = pq.read_table(io.BytesIO(answer.content))
    assert table["change_id"].to_pylist() == [row[0] for row in rows]
    assert table["rank"].to_pylist() == list(range(1, 13))
    assert table["distance"].to_numpy() == pytest.approx(np.linspace(0, 1, 12))

    least = sorted(row[2] for row in rows)[5]
    passed = [at for at, row in enumerate(rows) if row[2] >= least]
    narrowed = {**wanted, "what": "changes", "min_score": least}
    answer = client.get("/api/download", params=narrowed)
    table = pq.read_table(io.BytesIO(answer.content))
    assert table["rank"].to_pylist() == [at + 1 for at in passed]

    answer = client.get("/api/download", params={**wanted, "what": "events"})
    table = pq.read_table(io.BytesIO(answer.content))
    first: dict[str, int] = {}
    for at, row in enumerate(rows, 1):
        if row[1] is not None:
            first.setdefault(row[1], at)
    assert (
        dict(
            zip(
                table["event_id"].to_pylist(),
                table["match_rank"].to_pylist(),
                strict=True,
            )
        )
        == first
    )
    assert table["match_rank"].to_pylist() == sorted(first.values())


def test_vectors_are_there_where_asked_for(client: TestClient, many: Path) -> None:
    wanted = {"what": "changes", "format": "parquet"}
    plain = client.get("/api/download", params=wanted)
    assert plain.headers["x-note"] == "left out: before, after, delta (vectors)"
    assert "delta" not in pq.read_schema(io.BytesIO(plain.content)).names
    whole = client.get("/api/download", params={**wanted, "vectors": True})
    table = pq.read_table(io.BytesIO(whole.content)).sort_by("change_id")
    here = td.open(many).sql("FROM changes SELECT delta ORDER BY change_id").to_arrow()
    assert np.array_equal(
        np.stack(table["delta"].to_numpy()), np.stack(here["delta"].to_numpy())
    )
    assert b"geo" in pq.read_metadata(io.BytesIO(whole.content)).metadata
    refused = client.get(
        "/api/download", params={**wanted, "vectors": True, "format": "csv"}
    )
    assert refused.status_code == 400


def test_nothing_that_passes_is_a_whole_file_too(
    client: TestClient, tmp_path: Path
) -> None:
    for form in FORMATS:
        wanted = {"what": "changes", "format": form, "min_score": 1e9}
        answer = client.get("/api/download", params=wanted)
        assert answer.headers["x-rows"] == "0"
        assert _ids(answer.content, form, "change_id", tmp_path) == []


def test_a_part_is_not_sent_and_no_file_stays(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    wanted = {"what": "changes", "format": "csv"}
    answer = client.get("/api/download", params=wanted, headers={"range": "bytes=0-9"})
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"]) > 10
    assert (
        client.get("/api/download", params={**wanted, "search": "lost"}).status_code
        == 410
    )
    assert list(tmp_path.iterdir()) == []


def test_what_is_stopped_ends_at_the_next_batch(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picked, "BATCH_ROWS", 50)
    stopped = threading.Event()
    rows = picked.changes(
        held, held.newest(), Filters(), vectors=False, stopped=stopped.is_set
    )
    assert rows.read_next_batch().num_rows == 50
    stopped.set()
    with pytest.raises(QueryError, match="stopped"):
        rows.read_next_batch()
