"""Drift between two instants, in SQL and in Python."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from terradrift import schema
from terradrift.query.between import drift_between
from terradrift.query.sql.ask import connect, sql
from terradrift.space import fit
from terradrift.store import spaces
from terradrift.store.tables import Store
from tests.query.conftest import (
    DAYS,
    MODEL,
    SUFFIX,
    embeddings_table,
    instants,
    patches_table,
    table,
)


def observed(
    embeddings: pa.Table, patch: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Instants, clearness and vectors of a patch."""
    rows = embeddings.filter(pa.compute.field("patch_id") == patch).sort_by("datetime")
    vectors = np.stack(rows["embedding"].to_numpy(zero_copy_only=False))
    when = rows["datetime"].to_numpy().astype("M8[us]")
    return when, rows["clear_percent"].to_numpy(), vectors.astype(np.float64)


def nearest(embeddings: pa.Table, patch: str, at: np.datetime64) -> int | None:
    """The slow way to the clear observation nearest to an instant."""
    when, clear, _ = observed(embeddings, patch)
    kept = [i for i in range(len(when)) if clear[i] >= 70]
    return min(kept, key=lambda i: (abs(when[i] - at), when[i])) if kept else None


def between(embeddings: pa.Table, patch: str, one: str, two: str) -> float | None:
    first, second = (
        nearest(embeddings, patch, np.datetime64(at, "us")) for at in (one, two)
    )
    if first is None or first == second:
        return None
    vectors = observed(embeddings, patch)[2]
    a, b = vectors[first], vectors[second]
    return float(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_drift_between_is_that_of_the_nearest_clear_observations(
    ask: Callable[..., pa.Table], embeddings: pa.Table
) -> None:
    query = "SELECT patch_id, drift_between(patch_id, ?, ?) AS d FROM patches ORDER BY patch_id"
    for one, two in [
        ("2018-01-01", "2018-12-01"),
        ("2018-02-24", "2018-05-25"),  # as far from two days
        ("2018-04-10", "2018-04-11"),
    ]:
        rows = ask(query, one, two).to_pylist()
        wanted = [between(embeddings, row["patch_id"], one, two) for row in rows]
        got = [row["d"] for row in rows]
        assert [d is None for d in got] == [d is None for d in wanted]
        np.testing.assert_allclose(
            [d for d in got if d is not None],
            [d for d in wanted if d is not None],
            atol=1e-9,
        )
    assert None in got


def test_drift_between_takes_texts_dates_and_timestamps(
    ask: Callable[..., pa.Table],
) -> None:
    query = "SELECT drift_between('p0003', ?, ?)"
    forms = [
        ("2018-01-01", "2018-10-10"),
        (date(2018, 1, 1), date(2018, 10, 10)),
        (datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 10, 10)),  # noqa: DTZ001
    ]
    answers = {ask(query, *form).column(0)[0].as_py() for form in forms}
    assert len(answers) == 1
    assert answers != {None}


def test_drift_is_taken_in_the_space_that_the_archive_compares_in(
    make: Callable[..., Store], embeddings: pa.Table
) -> None:
    store = make(patches=patches_table(), **{f"embeddings_{SUFFIX}": embeddings})
    query = "SELECT drift_between('p0003', '2018-01-10', '2018-10-10')"
    ((raw,),) = sql(store, query).fetchall()
    vectors = np.stack(embeddings["embedding"].to_numpy(zero_copy_only=False))
    space = fit("whiten", [vectors.astype(np.float32)], vectors.shape[1], 1)
    spaces.choose(store, MODEL, space)
    ((inside,),) = sql(store, query).fetchall()
    at = [
        nearest(embeddings, "p0003", np.datetime64(day, "us"))
        for day in ("2018-01-10", "2018-10-10")
    ]
    a, b = space.place(
        observed(embeddings, "p0003")[2][np.array(at, int)].astype(np.float32)
    )
    wanted = 1 - float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))
    assert inside == pytest.approx(wanted, abs=1e-6)
    assert inside != pytest.approx(raw, abs=1e-3)
    assert drift_between(store, "p0003", "2018-01-10", date(2018, 10, 10)) == inside


def test_an_answer_is_of_the_tables_that_the_connection_opened(
    make: Callable[..., Store], embeddings: pa.Table
) -> None:
    name = f"embeddings_{SUFFIX}"
    store = make(patches=patches_table(), **{name: embeddings})
    connection = connect(store)
    query = "SELECT drift_between('p0003', '2018-01-10', '2018-10-10')"
    before = connection.execute(query).fetchone()
    store.overwrite(name, embeddings_table(seed=9))
    assert connection.execute(query).fetchone() == before
    assert sql(store, query).fetchone() != before


def test_patches_that_were_not_clear_twice_have_no_drift(
    make: Callable[..., Store],
) -> None:
    seen = table(
        {
            "patch_id": pa.array(["p0000"] * 4),
            "datetime": instants(DAYS),
            "tile": pa.array(["t0"] * 4),
            "clear_percent": pa.array([10.0, 69.9, None, 90.0]),
            "embedding": embeddings_table()["embedding"].combine_chunks()[:4],
        },
        schema.embeddings(8, model=MODEL, revision="1"),
    )
    store = make(patches=patches_table(), **{f"embeddings_{SUFFIX}": seen})
    query = """
        SELECT count(*), count(drift_between(patch_id, '2018-01-01', '2019-01-01'))
        FROM patches
    """
    assert sql(store, query).fetchall() == [(144, 0)]
