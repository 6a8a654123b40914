"""A question in a process of its own, and what ends one that hears nothing."""

import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import terradrift as td
from terradrift.errors import QueryError
from terradrift.query.sql import answering, apart, ask, limits
from terradrift.query.sql.limits import Limits
from terradrift.store.tables import Store

DEAF = (
    "SELECT max(levenshtein(repeat('ab', $n + range), repeat('ba', $n))) FROM range(40)"
)
"""One call of a function over one vector of rows: DuckDB looks for no interrupt within."""


def test_the_answer_is_that_of_this_process_with_its_note(store: Store) -> None:
    text = (
        "SELECT change_id, onset, geometry FROM changes WHERE score > $s ORDER BY ALL"
    )
    bounds = Limits(seconds=20, rows=100)
    rows, note = apart.answer(store.root, text, bounds, {"s": 0.5})
    here = ask.sql(store, text, bounds, s=0.5)
    assert rows.equals(here.to_arrow())
    assert note == here.note
    assert note is not None


@given(st.lists(st.text(max_size=20), max_size=30), st.integers(0, 400))
def test_as_many_rows_are_handed_over_as_fit(words: list[str], most: int) -> None:
    batch = pa.record_batch({"n": range(len(words)), "word": pa.array(words, "str")})
    fits = answering._fitting(batch, most)
    assert fits.equals(batch.slice(0, fits.num_rows))
    assert fits.nbytes <= most or not fits.num_rows
    if fits.num_rows < batch.num_rows:
        assert batch.slice(0, fits.num_rows + 1).nbytes > most


def test_values_may_have_any_name(store: Store) -> None:
    values = {"text": "a", "store": 1, "limits": 2.5, "self": None}
    text = "SELECT $text, $store, $limits, $self"
    assert ask.sql(store, text, None, **values).fetchall() == [("a", 1, 2.5, None)]
    archive = td.open(store.root)
    assert archive.sql(text, **values).fetchall() == [("a", 1, 2.5, None)]
    bounds = Limits(rows=1)
    cut = archive.sql("FROM range($text)", limits=bounds, text=3)
    assert cut.fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("text", "bounds", "said"),
    [
        ("SELECT 1", Limits(), "expected a time limit"),
        (
            "SELECT max(len(repeat('x', 1500000000 + range))) FROM range(4)",
            Limits(seconds=20, memory_bytes=64 << 20),
            "SQL needs more memory",
        ),
        (
            DEAF.replace("$n", "40000"),
            Limits(seconds=0.1),
            "took longer than 0.1 s",
        ),
    ],
)
def test_what_fails_or_never_ends_is_one_line(
    store: Store, text: str, bounds: Limits, said: str
) -> None:
    start = time.monotonic()
    with pytest.raises(QueryError, match=said) as caught:
        apart.answer(store.root, text, bounds)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 60


def test_values_that_cannot_be_handed_over_are_told(store: Store) -> None:
    with pytest.raises(QueryError, match="values that JSON holds"):
        apart.answer(store.root, "SELECT $a", Limits(seconds=1), {"a": b"x"})
    with pytest.raises(QueryError, match="half of one"):
        apart.answer(store.root, "SELECT '\ud800'", Limits(seconds=1))


def test_who_waits_is_told_that_an_interrupt_is_not_heard(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GRACE", 0.1)
    told = threading.Event()
    bounds = Limits(seconds=0.1, unheard=told.set)
    with pytest.raises(QueryError, match=r"took longer than 0.1 s"):
        ask.sql(store, DEAF, bounds, n=1500).fetchall()
    assert told.is_set()
    told.clear()
    ask.sql(store, "SELECT 1", bounds).fetchall()
    assert not told.wait(0.3)


def test_the_command_line_ends_in_one_line_by_memory_and_by_time(store: Store) -> None:
    """Statements before are answered; memory is that of the process, whoever takes it."""
    asked = "SELECT count(*) AS n FROM changes;\nSELECT mode(range) FROM range(300000000);\n"
    command = ["sql", str(store.root), "--memory", "64MB", "--format", "csv"]
    ended = subprocess.run(
        [sys.executable, "-m", "terradrift", *command],
        input=asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == '"n"\n600\n'
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: SQL needs more memory")
