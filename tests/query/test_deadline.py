"""One clock for a search: of its example, its filters and its SQL too."""

from collections.abc import Callable
from typing import Any

import pytest

from terradrift.errors import QueryError
from terradrift.query import tables as _tables
from terradrift.query.search import candidates, example, labelled, modes
from terradrift.query.search.deadline import Deadline
from terradrift.query.search.labelled import Judged
from terradrift.query.search.similar import similar
from terradrift.query.search.uncertain import uncertain
from terradrift.query.sql.limits import Limits
from terradrift.query.where import Where
from terradrift.store.tables import Store
from tests.query import judged

SLOW = "score < (SELECT max(sin(i)) FROM range(400000000) t(i))"
LARGE = "score < (SELECT count(*) FROM (SELECT DISTINCT i FROM range(5000000) t(i)))"
OVER = Deadline(Limits(seconds=1), ends=0.0)
DELTA = modes.resolve("delta", "changes")
WORLD = '{"type":"Polygon","coordinates":[[[0,40],[9,40],[9,60],[0,60],[0,40]]]}'

ASKED = pytest.mark.parametrize(
    "ask",
    [
        lambda store, **given: similar(store, change="c00000", **given),
        lambda store, **given: uncertain(store, like=["c00000"], **given),
    ],
    ids=["similar", "uncertain"],
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return judged.store(tmp_path_factory.mktemp("judged"))


@ASKED
def test_the_time_holds_for_sql_in_where(store: Store, ask: Callable[..., Any]) -> None:
    with pytest.raises(QueryError, match=r"^the search took longer than 0\.3 s"):
        ask(store, where=SLOW, limits=Limits(seconds=0.3))


@ASKED
def test_the_memory_holds_for_sql_in_where(
    store: Store, ask: Callable[..., Any]
) -> None:
    with pytest.raises(QueryError, match="memory"):
        ask(store, where=LARGE, limits=Limits(memory_bytes=32 << 20))


def test_what_is_least_sure_is_bounded_in_rows_and_time(store: Store) -> None:
    found = uncertain(store, like=["c00000"], n=9, limits=Limits(rows=4))
    assert len(found) == 4
    assert "the limit is 4 rows, 9 were asked for" in str(found.note)
    with pytest.raises(QueryError, match=r"took longer than 1e-09 s; narrow it, or"):
        uncertain(store, like=["c00000"], limits=Limits(seconds=1e-9))


@pytest.mark.parametrize(
    "asked",
    [
        example.Asked(event="event-0000"),
        example.Asked(like_kind=1),
        example.Asked(region=WORLD),
    ],
    ids=["event", "kind", "region"],
)
def test_examples_are_read_no_longer_than_there_is_time(
    store: Store, asked: example.Asked
) -> None:
    with pytest.raises(QueryError, match="the search took longer than 1 s"):
        example.find(
            _tables.Opened(store),
            store.settings.model,
            asked,
            DELTA,
            None,
            dimensions=judged.DIMENSIONS,
            deadline=OVER,
        )


def test_what_was_judged_and_filters_are_read_no_longer_than_there_is_time(
    store: Store,
) -> None:
    tables, model = _tables.Opened(store), store.settings.model
    with pytest.raises(QueryError, match="the search took longer than 1 s"):
        labelled.read(
            tables, model, Judged(like=["c00000"]), DELTA, None, deadline=OVER
        )
    for where in (Where.parse(min_score=0.0), Where.parse(within=WORLD)):
        with pytest.raises(QueryError, match="the search took longer than 1 s"):
            candidates.find(tables, model, "changes", where, OVER)
