"""Questions of visitors in SQL: answers, limits, and what cannot harm the server."""

import shutil
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

import terradrift as td
from terradrift.query.sql.apart import Process, Question
from terradrift.query.sql.limits import Limits
from terradrift.serve.app import application
from terradrift.serve.faults import Crowded, Ended
from terradrift.serve.held import Held
from terradrift.serve.sql import limits
from terradrift.serve.sql.asking import visitors_words
from terradrift.serve.sql.spares import Spares

DEAF = "SELECT max(levenshtein(repeat('ab', 40000 + range), repeat('ba', 40000))) FROM range(40)"
"""One call of a function over one vector of rows: DuckDB looks for no interrupt within."""


def test_rows_are_those_of_the_version_asked_for_as_json_has_them(
    many: Path, tmp_path: Path
) -> None:
    place = tmp_path / "a.td"
    shutil.copytree(many, place)
    held = Held(place)
    client = TestClient(application(held))
    version = client.get("/api/archive").json()["version"]
    store = held.newest().archive.store
    table = f"changes_{store.settings.model}"
    rows = store.scan(table).read_all()
    weakest = rows.sort_by("score").slice(0, 7)
    store.overwrite(table, weakest, rows.schema)
    assert held.newest().archive.store.count(table) == 7
    text = (
        "SELECT change_id, onset, score, 'NaN'::DOUBLE AS nothing, geometry "
        "FROM changes WHERE score > $least ORDER BY score DESC"
    )
    asked = {"text": text, "values": {"least": 1}, "limit": 3, "v": version}
    told = client.post("/api/sql", json=asked).json()
    assert [column["name"] for column in told["columns"]] == [
        "change_id",
        "onset",
        "score",
        "nothing",
        "geometry",
    ]
    assert [column["type"] for column in told["columns"]][:4] == [
        "VARCHAR",
        "TIMESTAMP WITH TIME ZONE",
        "FLOAT",
        "DOUBLE",
    ]
    here = td.open(many).sql(text, least=1).fetchall()
    assert [row[0] for row in told["rows"]] == [row[0] for row in here[:3]]
    assert told["rows"][0][2] == pytest.approx(here[0][2])
    assert told["rows"][0][1].endswith("Z")
    assert told["rows"][0][3] is None
    assert told["rows"][0][4]["type"] == "Polygon"
    assert told["note"].startswith("first 3 of more rows")
    assert "--" not in told["note"]
    assert told["seconds"] > 0


def test_an_answer_that_is_large_is_cut_and_says_so(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JSON_BYTES", 80_000)
    text = "SELECT range AS n, repeat('x', 100) AS words FROM range(3000)"
    told = client.post("/api/sql", json={"text": text, "limit": 3000}).json()
    count = len(told["rows"])
    assert 600 < count < 800
    assert told["rows"] == [[n, "x" * 100] for n in range(count)]
    assert told["note"] == (
        f"first {count} rows, as many as 80,000 bytes hold; narrow the question, or "
        "download the answer as a file"
    )


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"text": "FROM '/etc/passwd'"}, 400, "the archive's tables only"),
        ({"text": "SELECT 1", "limit": 0}, 422, "limit"),
        ({"text": "SELECT 1", "limit": 10**9}, 422, "limit"),
        ({"text": "SELECT 1", "v": "unknown"}, 410, "newer data"),
        ({"text": "SELECT 1", "root": "/"}, 422, "root"),
        ({"text": "SELECT 1", "path": "x"}, 422, "path"),
        ({"sql": "SELECT 1"}, 422, "text"),
        ([], 422, "dictionary"),
    ],
)
def test_what_is_refused_is_one_line(
    client: TestClient, asked: object, status: int, said: str
) -> None:
    """Those that reach a process: see `tests/query/attacks.py` for many more."""
    answer = client.post("/api/sql", json=asked)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert said in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.slow
def test_a_waiting_process_answers_sooner_than_one_that_starts(many: Path) -> None:
    def seconds(wait: float) -> float:
        with Process() as process:
            time.sleep(wait)
            start = time.perf_counter()
            process.answer(_question(many, "SELECT count(*) FROM changes"))
            return time.perf_counter() - start

    assert seconds(wait=4) < seconds(wait=0) / 2


def test_the_schema_tells_views_columns_units_and_functions(client: TestClient) -> None:
    told = client.get("/api/sql/schema").json()
    views = {view["name"]: view for view in told["views"]}
    columns = {column["name"]: column for column in views["changes"]["columns"]}
    assert columns["onset"]["type"] == "TIMESTAMP WITH TIME ZONE"
    assert all(column["meaning"] for column in columns.values())
    assert {column["unit"] for column in columns.values()} <= set(told["units"])
    assert "similar_changes" in {one["name"] for one in told["functions"]}


def test_an_answer_as_a_file_has_all_rows(
    client: TestClient, many: Path, tmp_path: Path
) -> None:
    asked = {"text": "SELECT change_id, geometry FROM changes", "format": "parquet"}
    answer = client.post("/api/sql/download", json=asked)
    assert answer.status_code == 200
    assert (
        answer.headers["content-disposition"]
        == 'attachment; filename="many-sql.parquet"'
    )
    file = tmp_path / "x.parquet"
    file.write_bytes(answer.content)
    rows = pq.read_table(file)
    ((n,),) = td.open(many).sql("SELECT count(*) FROM changes").fetchall()
    assert len(rows) == n == int(answer.headers["x-rows"])
    for wrong, status in (("xlsx", 422), ("../x", 422), ("gpkg", 400)):
        refused = {"text": "SELECT 1 AS x", "format": wrong}
        told = client.post("/api/sql/download", json=refused)
        assert told.status_code == status
        assert list(told.json()) == ["error"]


def _question(root: Path, text: str, seconds: float = 20) -> Question:
    return Question(root=root, text=text, limits=Limits(seconds=seconds, rows=10))


def test_a_question_is_stopped_others_are_told_to_wait_and_closing_ends_all(
    many: Path,
) -> None:
    spares = Spares(at_once=1, patience=0.1)
    spares.start()
    asked = spares.ask(_question(many, DEAF))
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            asked.answer()
        except Ended as error:
            ended.append(error)

    first = threading.Thread(target=wait)
    first.start()
    while not spares._busy:
        time.sleep(0.01)
    with pytest.raises(Crowded, match="1 questions are under way"):
        spares.ask(_question(many, "SELECT 1")).answer()
    time.sleep(2)  # it is in the midst of the call
    asked.stop()
    first.join(60)
    assert len(ended) == 1
    (waiting,) = spares._waiting
    assert waiting.waits
    spares.close()
    assert not waiting.waits
    for late in (asked, spares.ask(_question(many, "SELECT 1"))):
        with pytest.raises(Ended):
            late.answer()


def test_a_waiting_process_ends_with_who_started_it() -> None:
    process = Process()
    try:
        assert process.waits
        process._process.stdin.close()
        assert process._process.wait(60) == 0
    finally:
        process.end()
    assert not process.waits


def test_visitors_have_no_options() -> None:
    said = (
        "first 3 of more rows: narrow the question, or raise --limit (in Python "
        "limits=Limits(rows=...))"
    )
    assert (
        visitors_words(said)
        == "first 3 of more rows: narrow the question, or raise limit"
    )
    for words in (
        "SQL took longer than 1 s; narrow it, or raise --timeout (in Python limits=Limits(seconds=...))",
        "SQL took longer than 1 s; narrow it, or allow it more (limits=Limits(...))",
    ):
        assert visitors_words(words) == "SQL took longer than 1 s; narrow it"
