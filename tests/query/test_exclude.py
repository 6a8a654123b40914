"""What answers leave out: the example's own rows, places near it, the tenth of one event."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from terradrift.errors import QueryError
from terradrift.grid import Grid
from terradrift.query.search import exclude, narrow
from terradrift.query.search.similar import similar
from terradrift.query.sql.limits import Limits
from terradrift.store.tables import Settings, Store
from tests.query.conftest import (
    DIMENSIONS,
    MODEL,
    SUFFIX,
    changes_table,
    embeddings_table,
    patches_table,
)
from tests.query.twin import stack, twin


def of_events(count: int, each: int) -> pa.Table:
    """Every `each` changes are an event; the last ones are of none."""
    rows = changes_table(count)
    events = [f"event-{i // each}" if i < count - each else None for i in range(count)]
    at = rows.schema.get_field_index("event_id")
    return rows.set_column(at, "event_id", pa.array(events))


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return of_events(600, 20)


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory, events: pa.Table) -> Store:
    folder = tmp_path_factory.mktemp("grouped") / "g.td"
    made = Store.create(folder, Settings(Grid(160), model=MODEL))
    made.append("patches", patches_table())
    made.append(f"embeddings_{SUFFIX}", embeddings_table())
    made.append(f"changes_{SUFFIX}", events)
    return made


def column(rows: pa.Table, name: str) -> np.ndarray:
    return np.array(rows[name].to_pylist(), object)


@pytest.mark.parametrize("word", exclude.EXCLUDES)
def test_the_examples_own_rows_are_left_out(
    grouped: Store, events: pa.Table, word: Any
) -> None:
    found = similar(grouped, change="c00025", k=600, exclude=word).to_arrow()
    own = {
        "none": np.zeros(600, bool),
        "self": column(events, "change_id") == "c00025",
        "event": (column(events, "event_id") == "event-1")
        | (column(events, "patch_id") == column(events, "patch_id")[25]),
    }[word]
    ids, _ = twin(events, ("delta",), stack(events, "delta")[25], ~own, 600)
    assert found["change_id"].to_pylist() == ids
    assert len(ids) == {"none": 600, "self": 599, "event": 577}[word]


@pytest.mark.parametrize("word", exclude.EXCLUDES)
def test_a_patch_leaves_out_the_events_of_its_changes(
    grouped: Store, events: pa.Table, word: Any
) -> None:
    """Patch p0025 has four changes, each of another event of 20 changes."""
    own = column(events, "patch_id") == "p0025"
    held = {one for one in column(events, "event_id")[own] if one is not None}
    out = np.isin(column(events, "event_id").astype(str), list(held)) | own
    found = similar(grouped, patch="p0025", date="2018-04", k=600, exclude=word)
    ids = {row["change_id"] for row in found.rows()}
    if word == "event":
        assert len(held) == 4
        assert ids == set(column(events, "change_id")[~out])
    else:
        assert len(ids) == 600


def test_a_place_without_events_leaves_out_its_own_history(grouped: Store) -> None:
    for word, left in (("event", 4), ("self", 1), ("none", 0)):
        found = similar(
            grouped,
            patch="p0005",
            date="2018-04",
            target="observations",
            k=600,
            exclude=word,  # type: ignore[arg-type]  # each is one of them
        )
        assert len(found) == 576 - left


@pytest.mark.parametrize("bound", [narrow.BOUND, 0])
@pytest.mark.parametrize("radius", [1500, "1.5km", "800m", "100km"])
def test_places_near_the_example_are_left_out(
    grouped: Store,
    events: pa.Table,
    radius: Any,
    bound: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(narrow, "BOUND", bound)
    asked = {"change": "c00025", "k": 600, "exclude": "none"}
    answer = similar(grouped, exclude_radius=radius, **asked)
    found = answer.to_arrow()
    metres = exclude.parse_radius(radius)
    assert metres is not None
    lon, lat = (
        np.radians(events[name].to_numpy()) for name in ("longitude", "latitude")
    )
    half = (
        np.sin((lat - lat[25]) / 2) ** 2
        + np.cos(lat) * np.cos(lat[25]) * np.sin((lon - lon[25]) / 2) ** 2
    )
    apart = 2 * exclude.EARTH_RADIUS_M * np.arcsin(np.sqrt(half))
    ids, _ = twin(events, ("delta",), stack(events, "delta")[25], apart > metres, 600)
    assert found["change_id"].to_pylist() == ids
    if radius == "100km":
        assert ids == []
        said = "all rows that pass lie within 100000 m of change c00025"
        assert answer.note == said


def test_observations_near_the_example_are_left_out(grouped: Store) -> None:
    found = similar(
        grouped,
        patch="p0000",
        date="2018-04",
        target="observations",
        k=600,
        exclude_radius="1.2km",
    ).to_arrow()
    left = {f"p{i:04d}" for i in range(144)} - set(found["patch_id"].to_pylist())
    assert left == {"p0000", "p0001", "p0012"}  # 0.71 km east, 1.11 km north


def greedy(ids: list[str], groups: dict[str, Any], most: int, k: int) -> list[str]:
    seen: Counter[Any] = Counter()
    kept = []
    for one in ids:
        group = groups[one]
        if group is None or seen[group] < most:
            seen[group] += 1
            kept.append(one)
    return kept[:k]


@pytest.mark.parametrize("k", [1, 10, 29, 60, 600])
@pytest.mark.parametrize("most", [1, 3])
def test_no_event_and_no_patch_fills_the_answer(
    grouped: Store, events: pa.Table, k: int, most: int
) -> None:
    vector = np.ones(DIMENSIONS)
    ids, _ = twin(events, ("delta",), vector, np.ones(600, bool), 600)
    for name, option in (("event_id", "per_event"), ("patch_id", "per_patch")):
        groups = dict(
            zip(events["change_id"].to_pylist(), column(events, name), strict=True)
        )
        found = similar(grouped, vector=vector, k=k, **{option: most})  # type: ignore[arg-type]
        expected = greedy(ids, groups, most, k)
        assert found.to_arrow()["change_id"].to_pylist() == expected
        assert (found.note is None) == (len(expected) == k)


def test_k_distinct_events_come_from_behind_a_large_one(
    make: Callable[..., Store],
) -> None:
    """Two thousand changes of one event lie nearer than all others."""
    rng = np.random.default_rng(4)
    near = np.ones((2000, DIMENSIONS)) + rng.normal(0, 0.01, (2000, DIMENSIONS))
    values = np.concatenate([near, rng.normal(size=(40, DIMENSIONS))])
    rows = changes_table(2040, values=values.astype(np.float16))
    columns = {
        "event_id": ["event-big"] * 2000 + [f"event-{i}" for i in range(40)],
        "patch_id": ["p1"] * 2000 + [f"q{i}" for i in range(40)],
    }
    for name, texts in columns.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, pa.array(texts))
    store = make(**{f"changes_{SUFFIX}": rows})
    found = similar(store, vector=np.ones(DIMENSIONS), k=15, per_event=1).to_arrow()
    assert len(found) == 15
    assert len(set(found["event_id"].to_pylist())) == 15
    others = similar(store, event="event-big", k=15).to_arrow()
    assert len(others) == 15
    assert "event-big" not in others["event_id"].to_pylist()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"exclude": "all"}, "exclude must be one of event, self, none, got 'all'"),
        ({"exclude_radius": "5 miles"}, "as metres above 0 or as 5km, got '5 miles'"),
        ({"exclude_radius": 0}, "as metres above 0"),
        ({"exclude_radius": "1.2.3km"}, "as metres above 0"),
        ({"per_event": 0}, "per_event must be at least 1, got 0"),
        ({"per_patch": -1}, "per_patch must be at least 1, got -1"),
        ({"target": "observations", "per_event": 1}, "observations are of no event"),
    ],
)
def test_what_cannot_be_left_out_is_said(
    grouped: Store, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        similar(grouped, **{"change": "c00001", **given})


def test_a_vector_is_of_no_place(grouped: Store) -> None:
    with pytest.raises(QueryError, match="the vector is of no place"):
        similar(grouped, vector=np.ones(DIMENSIONS), exclude_radius=5)


def test_an_empty_filter_says_how_many_pass_each_condition(grouped: Store) -> None:
    found = similar(
        grouped, change="c00001", kind=[2], min_score=99, where="drift >= 0"
    )
    assert len(found) == 0
    assert found.note == (
        "none of 600 changes passes all conditions: kind alone 120, min_score alone 0, "
        "where alone 600"
    )


def test_limits_bound_rows_and_time(grouped: Store) -> None:
    found = similar(grouped, change="c00001", k=50, limits=Limits(rows=7))
    assert len(found) == 7
    assert found.note == "the limit is 7 rows, 50 were asked for"
    with pytest.raises(QueryError, match=r"took longer than 1e-09 s; narrow it"):
        similar(grouped, change="c00001", limits=Limits(seconds=1e-9))


def test_filters_are_the_same_where_columns_are_too_many_for_memory(
    grouped: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    triangle = '{"type":"Polygon","coordinates":[[[3,50],[3.1,50],[3,50.1],[3,50]]]}'
    for conditions in (
        {"within": triangle, "between": "2018-05/2018-08"},
        {"bbox": "3.02,50.01,3.07,50.05", "kind": -1, "persistence": "transient"},
        {"bbox": "3.05,49,-170,51", "min_score": 5.5},
    ):
        asked = {"change": "c00001", "k": 600, **conditions}
        held = similar(grouped, **asked)  # type: ignore[arg-type]
        with monkeypatch.context() as few:
            few.setattr(narrow, "BOUND", 0)
            streamed = similar(grouped, **asked)  # type: ignore[arg-type]
        assert 0 < len(held) < 300
        assert held.to_arrow().equals(streamed.to_arrow())
