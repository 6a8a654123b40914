"""Figures of columns, beside the same asked of DuckDB."""

from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from terradrift import schema
from terradrift.serve import figures

RNG = np.random.default_rng(5)
N = 500


def _some(values: list) -> list:
    """A fifth of them unknown."""
    return [
        None if unknown else one
        for one, unknown in zip(values, RNG.random(N) < 0.2, strict=True)
    ]


def test_scores_and_words_are_as_a_database_has_them() -> None:
    rows = pa.table(
        {
            "score": pa.array(_some(RNG.gamma(3, 5, N).tolist()), pa.float32()),
            "word": _some(
                RNG.choice(["persistent", "gradual", "seasonal"], N).tolist()
            ),
        }
    )
    asked = duckdb.sql(
        f"SELECT min(score), max(score), quantile_cont(score, {list(figures.STEPS)}) FROM rows"  # noqa: S608 - our own numbers
    )
    ((low, high, steps),) = asked.fetchall()
    told = figures.scores(rows["score"])
    assert (told["low"], told["high"]) == (low, high)
    assert told["steps"] == pytest.approx(steps, rel=1e-6)
    counted = duckdb.sql(
        "SELECT word, count(*) FROM rows WHERE word IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    assert figures.words(rows["word"]) == counted.fetchall()


def test_no_score_has_no_steps() -> None:
    none = pa.chunked_array([pa.array([None, float("nan")], pa.float32())])
    assert figures.scores(none) == {"low": None, "high": None, "steps": None}


def test_months_begin_and_end_at_midnight_utc() -> None:
    first = datetime(2019, 12, 31, 23, 59, 59, 999999, UTC)
    instants = [
        first,
        first + timedelta(microseconds=1),
        None,
        datetime(2021, 2, 1, tzinfo=UTC),
    ]
    days = figures.days(pa.chunked_array([pa.array(instants, schema.INSTANT)]))
    assert figures.months(days) == [
        {"month": "2019-12", "n": 1},
        {"month": "2020-01", "n": 1},
        {"month": "2021-02", "n": 1},
    ]
    assert figures.months(days[:0]) == []


def test_the_box_is_that_of_all_batches() -> None:
    def batch(*boxes: tuple[float, ...] | None) -> pa.RecordBatch:
        sides = ("xmin", "ymin", "xmax", "ymax")
        rows = [box and dict(zip(sides, box, strict=True)) for box in boxes]
        return pa.record_batch({"bbox": pa.array(rows, schema.BBOX)})

    batches = [
        batch((5, 50, 6, 51), None),
        batch(None),
        batch((4, 50.5, 5, 52), (5, 49, 5.5, 50)),
    ]
    assert figures.box(batches) == [4, 49, 6, 52]
    assert figures.box([batch(None), batch()]) is None
    assert figures.box([]) is None
