"""Which columns an answer has, and what is read for them."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from terradrift.errors import QueryError
from terradrift.query import rows_of
from terradrift.query.search.similar import similar
from terradrift.store.tables import Store


def test_columns_are_those_asked_for_in_their_order(store: Store) -> None:
    asked: dict[str, Any] = {"change": "c00007", "k": 7}
    every = similar(store, **asked).to_arrow()
    some = similar(store, columns=["kind", "change_id", "rank"], **asked).to_arrow()
    assert some.column_names == ["rank", "distance", "kind", "change_id"]
    assert some.equals(every.select(some.column_names))
    vector = similar(store, columns=["delta"], **asked).to_arrow()
    assert vector.column_names == ["rank", "distance", "delta"]
    assert similar(store, columns=[], **asked).to_arrow().num_rows == 7
    with pytest.raises(QueryError, match="no column 'scor'; did you mean score"):
        similar(store, columns=["scor"], **asked)


def test_observations_have_the_place_of_their_patch_where_it_is_asked_for(
    store: Store,
) -> None:
    asked: dict[str, Any] = {"change": "c00007", "k": 5, "target": "observations"}
    every = similar(store, **asked).to_arrow()
    some = similar(store, columns=["latitude", "datetime"], **asked).to_arrow()
    assert some.column_names == ["rank", "distance", "latitude", "datetime"]
    assert some.equals(every.select(some.column_names))


@pytest.mark.parametrize(
    ("asked", "reads"),
    [
        ({"change": "c00007", "columns": ["change_id"]}, 1),
        ({"change": "c00007"}, 2),
        ({"vector": [1.0, 2, 3, 4, 5, 6, 7, 8]}, 1),
    ],
)
def test_rows_are_read_no_more_often_than_they_must(
    store: Store, asked: dict[str, Any], reads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []
    take: Callable[..., Any] = rows_of.take

    def counted(table: Any, ids: Any, columns: Sequence[str]) -> Any:
        if columns:
            seen.append(tuple(columns))
        return take(table, ids, columns)

    monkeypatch.setattr(rows_of, "take", counted)
    similar(store, k=5, **asked)
    assert len(seen) == reads, seen
