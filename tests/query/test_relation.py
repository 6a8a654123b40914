"""An answer of SQL: lazy, in many forms, within its limits."""

import sys
import threading
import time
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from terradrift.errors import QueryError
from terradrift.query.relation import Relation
from terradrift.query.sql.ask import sql
from terradrift.query.sql.limits import Limits
from terradrift.store.tables import Store

SLOW = "SELECT count(*) AS n FROM range(100000000000) a, changes b WHERE a.range = $n"
FOUR = "SELECT change_id, kind, geometry FROM changes ORDER BY change_id LIMIT 4"
RUNS = {
    "df": lambda relation, _: relation.df(),
    "pl": lambda relation, _: relation.pl(),
    "to_arrow": lambda relation, _: relation.to_arrow(),
    "fetchall": lambda relation, _: relation.fetchall(),
    "fetchone": lambda relation, _: relation.fetchone(),
    "fetchnumpy": lambda relation, _: relation.fetchnumpy(),
    "show": lambda relation, _: relation.show(),
    "html": lambda relation, _: relation._repr_html_(),
    "stream": lambda relation, _: pa.table(relation),
    "geopandas": lambda relation, _: relation.to_geopandas(),
    "export": lambda relation, folder: relation.export(folder / "out.csv"),
}


def test_all_forms_hold_the_same_rows(store: Store) -> None:
    relation = sql(store, FOUR)
    rows = relation.fetchall()
    ids = [row[0] for row in rows]
    assert len(ids) == 4
    assert relation.columns == ["change_id", "kind", "geometry"]
    assert list(relation.df()["change_id"]) == ids
    assert relation.pl()["change_id"].to_list() == ids
    assert pl.DataFrame(relation)["change_id"].to_list() == ids
    assert relation.to_arrow()["change_id"].to_pylist() == ids
    assert pa.table(relation).equals(relation.arrow())
    assert list(relation.fetchnumpy()["change_id"]) == ids
    assert list(relation.to_geopandas()["change_id"]) == ids
    assert relation.to_geopandas().crs == "OGC:CRS84"
    assert [relation.fetchone() for _ in range(5)] == [*rows, None]
    assert relation.fetchone() == rows[0]
    assert isinstance(relation.df(), pd.DataFrame)


@pytest.mark.parametrize("name", RUNS)
def test_every_way_to_the_rows_is_under_the_time_limit(
    store: Store, tmp_path: Path, name: str
) -> None:
    relation = sql(store, SLOW, Limits(seconds=0.05), n=-1)
    start = time.monotonic()
    with pytest.raises(QueryError, match=r"^SQL took longer than 0.05 s; narrow it"):
        RUNS[name](relation, tmp_path)
    assert time.monotonic() - start < 5
    assert list(tmp_path.iterdir()) == []


def test_only_time_in_the_database_counts(store: Store) -> None:
    stream = sql(store, "FROM range(30000)", Limits(seconds=0.5)).reader(10_000)
    count = 0
    for batch in stream:
        count += batch.num_rows
        time.sleep(0.3)
    assert count == 30_000


@pytest.mark.parametrize("name", ["df", "pl", "to_arrow", "fetchall", "fetchnumpy"])
def test_more_rows_than_allowed_are_cut_and_said(
    store: Store, tmp_path: Path, name: str
) -> None:
    relation = sql(store, "FROM range($n)", Limits(rows=1_000), n=1_001)
    given = RUNS[name](relation, tmp_path)
    assert len(given["range"] if name == "fetchnumpy" else given) == 1_000
    assert (relation.note or "").startswith("first 1,000 of more rows: ")
    whole = sql(store, "FROM range(1000)", Limits(rows=1_000))
    RUNS[name](whole, tmp_path)
    assert whole.note is None


def test_rows_fetched_one_by_one_are_cut_too(store: Store) -> None:
    relation = sql(store, "FROM range(9)", Limits(rows=3))
    rows = []
    while (row := relation.fetchone()) is not None:
        rows.append(row)
    assert rows == [(0,), (1,), (2,)]
    assert relation.note is not None


def test_nothing_runs_before_rows_are_asked_for(store: Store) -> None:
    start = time.monotonic()
    relation = sql(store, SLOW, n=-1)
    assert relation.columns == ["n"]
    assert time.monotonic() - start < 2


def test_a_statement_asked_again_is_not_planned_again(store: Store) -> None:
    text = "SELECT $n AS n, kind FROM changes"
    one = sql(store, text, n=1)
    assert sql(store, text, n=1).described is one.described
    assert sql(store, text, n="a").types != one.types
    assert sql(store, text, n=2**40).types != one.types
    assert sql(store, text, n=[1]).types != one.types
    with pytest.raises(QueryError, match="names the values"):
        sql(store, text)


def test_runs_at_the_same_time_have_cursors_of_their_own(store: Store) -> None:
    text = "SELECT change_id FROM changes ORDER BY change_id"
    expected = sql(store, text).fetchall()
    one, two = sql(store, text), sql(store, text)
    pairs = [(one.fetchone(), two.fetchone()) for _ in expected]
    assert pairs == [(row, row) for row in expected]
    stream = one.reader(100)
    assert two.fetchall() == expected
    assert stream.read_all().num_rows == len(expected)


def test_a_run_that_was_stopped_leaves_nothing_to_the_next(store: Store) -> None:
    limits = Limits(seconds=0.05)
    for _ in range(3):
        with pytest.raises(QueryError, match="took longer"):
            sql(store, SLOW, limits, n=-1).fetchall()
        assert sql(
            store, SLOW.replace("range(", "range(0 * "), limits, n=1
        ).fetchall() == [(0,)]


def test_another_thread_stops_a_run(store: Store) -> None:
    relation = sql(store, SLOW, n=-1)
    timer = threading.Timer(0.2, relation.interrupt)
    timer.start()
    with pytest.raises(QueryError, match="Interrupted"):
        relation.fetchall()
    timer.join()


def test_memory_is_bounded_by_question(store: Store) -> None:
    text = "SELECT count(DISTINCT hash(range)) FROM range(20000000)"
    with pytest.raises(QueryError, match=r"^SQL needs more memory .* raise --memory"):
        sql(store, text, Limits(memory_bytes=32 << 20)).fetchall()


def test_a_statement_that_fails_while_it_runs_is_one_line(store: Store) -> None:
    text = "SELECT CAST(change_id AS INTEGER) FROM changes"
    for run in (Relation.fetchall, Relation.df, Relation.to_arrow):
        with pytest.raises(QueryError, match=r"^SQL cannot be answered: ") as caught:
            run(sql(store, text))
        assert "\n" not in str(caught.value)


def test_without_polars_a_line_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(QueryError, match="pip install polars"):
        sql(store, FOUR).pl()


@pytest.mark.parametrize(
    "text", [";; SELECT 1 ;", "SELECT 1; -- é;\n", "/* ; */ SELECT 1"]
)
def test_semicolons_and_comments_around_do_not_matter(store: Store, text: str) -> None:
    assert sql(store, text, Limits(rows=5)).fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"seconds": 0}, "above 0 seconds, got 0"),
        ({"seconds": float("nan")}, "above 0 seconds, got nan"),
        ({"rows": -1}, "0 or more, got -1"),
        ({"memory_bytes": 1000}, "16 MiB or more, got 1000 bytes"),
    ],
)
def test_limits_that_are_none_are_refused(bad: dict[str, float], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        Limits(**bad)


def test_a_relation_shows_itself(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    relation = sql(store, FOUR)
    assert repr(relation) == "Relation of 3 columns: change_id, kind, geometry"
    assert "POLYGON" in relation._repr_html_()
    relation.show(2)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_interrupt_stops_all_runs_of_a_relation(store: Store) -> None:
    relation = sql(
        store, "SELECT count(*) FROM range(1000000000000)", Limits(seconds=30)
    )
    ended: list[str] = []

    def ask() -> None:
        try:
            relation.fetchall()
        except QueryError as error:
            ended.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    relation.interrupt()
    for thread in threads:
        thread.join()
    assert len(ended) == 3
    assert time.monotonic() - start < 10


def test_rows_one_by_one_are_for_one_thread(store: Store) -> None:
    relation = sql(store, "FROM range(3)")
    assert relation.fetchone() == (0,)
    said: list[str] = []

    def ask() -> None:
        try:
            relation.fetchone()
        except QueryError as error:
            said.append(str(error))

    other = threading.Thread(target=ask)
    other.start()
    other.join()
    assert said[0].startswith("another thread fetches rows of this relation")
    assert [relation.fetchone() for _ in range(3)] == [(1,), (2,), None]
