"""What others should be like: changes, events, observations, numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terradrift.errors import QueryError
from terradrift.query.search.similar import similar
from terradrift.store.tables import Store
from tests.query.conftest import DIMENSIONS, SUFFIX, changes_table
from tests.query.twin import observed, stack, twin


def test_patch_and_date_stand_for_the_step_to_that_observation(
    store: Store, embeddings: pa.Table
) -> None:
    after = observed(embeddings, "p0005", "2018-04-10")
    step = after - observed(embeddings, "p0005", "2018-01-10")
    for mode, vector in (("delta", step), ("after", after)):
        asked = similar(
            store, patch="p0005", date="2018-04-10", mode=mode, k=20
        ).to_arrow()
        given_ = similar(store, vector=vector, mode=mode, k=20).to_arrow()
        assert asked["change_id"].equals(given_["change_id"])


def of_events(count: int, each: int) -> pa.Table:
    rows = changes_table(count)
    at = rows.schema.get_field_index("event_id")
    events = pa.array([f"event-{i // each}" for i in range(count)])
    return rows.set_column(at, "event_id", events)


def unit_mean(rows: pa.Table, at: np.ndarray) -> np.ndarray:
    vectors = stack(rows, "delta")[at]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(axis=0)


def test_an_event_stands_for_the_mean_direction_of_its_changes(
    make: Callable[..., Store],
) -> None:
    rows = of_events(50, 10)
    store = make(**{f"changes_{SUFFIX}": rows})
    by_event = similar(store, event="event-2", k=50, exclude="none").to_arrow()
    ids, distances = twin(
        rows, ("delta",), unit_mean(rows, np.arange(20, 30)), np.ones(50, bool), 50
    )
    assert by_event["change_id"].to_pylist() == ids
    np.testing.assert_allclose(by_event["distance"].to_numpy(), distances, atol=1e-6)
    others = similar(store, event="event-2", k=50).to_arrow()
    assert set(others["event_id"].to_pylist()) == {
        "event-0",
        "event-1",
        "event-3",
        "event-4",
    }
    with pytest.raises(
        QueryError,
        match=r"no event 'event-9' among the changes of toy-v1.0; did you mean event-",
    ):
        similar(store, event="event-9")
    with pytest.raises(QueryError, match="event-2 is an event, not a change"):
        similar(store, change="event-2")


def test_a_kind_and_a_region_stand_for_the_mean_direction_of_their_changes(
    store: Store, changes: pa.Table
) -> None:
    everything = np.ones(changes.num_rows, bool)
    kind = np.flatnonzero(changes["kind"].to_numpy() == 2)
    found = similar(store, like_kind=2, k=100).to_arrow()
    ids, _ = twin(changes, ("delta",), unit_mean(changes, kind), everything, 100)
    assert found["change_id"].to_pylist() == ids
    corner = shapely.box(3.001, 50.001, 3.015, 50.005)
    inside = np.flatnonzero(
        shapely.intersects(corner, shapely.from_wkb(changes["geometry"].to_pylist()))
    )
    assert len(inside) == 10
    found = similar(store, region=corner, k=100).to_arrow()
    others = everything.copy()
    others[inside] = False
    ids, _ = twin(changes, ("delta",), unit_mean(changes, inside), others, 100)
    assert found["change_id"].to_pylist() == ids


def test_a_vector_may_lie_in_a_file(store: Store, tmp_path: Path) -> None:
    vector = np.random.default_rng(3).normal(size=DIMENSIONS).astype(np.float32)
    np.save(tmp_path / "v.npy", vector)
    (tmp_path / "v.json").write_text(str(vector.tolist()))
    plain = similar(store, vector=vector).to_arrow()
    for name in ("v.npy", "v.json"):
        assert similar(store, vector=tmp_path / name).to_arrow().equals(plain)
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "v.txt").write_text("1 2 3")
    (tmp_path / "half.npy").write_bytes((tmp_path / "v.npy").read_bytes()[:90])
    for name in ("object.npy", "v.txt", "half.npy", "nowhere.npy"):
        with pytest.raises(
            QueryError, match=r"expected a \.npy file, or a \.json"
        ) as no:
            similar(store, vector=str(tmp_path / name))
        assert "\n" not in str(no.value)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (
            {"vector": np.ones(5)},
            "expected a vector of 8 numbers for delta of toy-v1.0, got 5",
        ),
        (
            {"vector": np.ones(8), "mode": "before-after"},
            "expected a vector of 16 numbers for before and after of toy-v1.0, got 8",
        ),
        ({"vector": np.full(8, np.nan)}, "got NaN or infinity"),
        ({"vector": np.ones((2, 4))}, r"array of shape \(2, 4\)"),
        ({"vector": ["a"] * 8}, "expected a vector of numbers"),
        (
            {"vector": np.zeros(8)},
            "the vector has no direction to compare: its delta is zero there",
        ),
        ({"patch": "p0001"}, "patch and date belong together"),
        (
            {"patch": "nowhere", "date": "2018"},
            "no observation of patch 'nowhere' under toy-v1.0; ids look like p0000",
        ),
        ({"patch": "p0001", "date": "May"}, "expected a period such as"),
        (
            {"patch": "p0001", "date": "2018-05"},
            "not seen in 2018-05; nearest: 2018-04-10 and 2018-07-10",
        ),
        (
            {"patch": "p00001", "date": "2018"},
            "no observation of patch 'p00001' .* did you mean p0000\\?",
        ),
        (
            {"like_kind": 7},
            "no change of toy-v1.0 is of kind 7; there are kinds -1, 0, 1, 2, 3$",
        ),
        (
            {"region": shapely.box(50, 10, 51, 11)},
            r"touches the region; 50.0000,10.0000,51.0000,11.0000 lies outside the archive",
        ),
        ({"vector": np.ones(8), "like_kind": 1}, "expected one example, got 2"),
        ({"patch": "p0001", "date": "2019"}, "not seen in 2019; nearest: 2018-10-10$"),
        (
            {"patch": "p0001", "date": "2018-01"},
            "patch p0001 on 2018-01-10 has no delta to compare",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(
    store: Store, given_: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        similar(store, **given_)


def test_a_change_that_did_not_move_has_no_direction(
    make: Callable[..., Store],
) -> None:
    values = np.ones((5, DIMENSIONS), np.float16)
    values[2] = 0
    store = make(**{f"changes_{SUFFIX}": changes_table(5, values=values)})
    with pytest.raises(QueryError, match="change c00002 has no direction"):
        similar(store, change="c00002")


def test_a_change_of_another_model_is_never_compared(
    make: Callable[..., Store],
) -> None:
    store = make(
        **{f"changes_{SUFFIX}": changes_table(5), "changes_clay": changes_table(9)}
    )
    with pytest.raises(QueryError, match=r"is in changes_clay, not of model toy-v1.0"):
        similar(store, change="c00008")


@given(scale=st.sampled_from([2.0**-14, 0.25, 4.0]), seed=st.integers(0, 20))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_length_of_the_example_does_not_matter(
    store: Store, scale: float, seed: int
) -> None:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
    a, b = (similar(store, vector=v, k=50).to_arrow() for v in (vector, vector * scale))
    assert a["change_id"].equals(b["change_id"])


def test_opposite_is_two_and_same_is_zero(store: Store, changes: pa.Table) -> None:
    vector = stack(changes, "delta")[17]
    same = similar(store, vector=vector, k=1).rows()[0]
    assert (same["change_id"], same["distance"]) == (
        "c00017",
        pytest.approx(0, abs=1e-12),
    )
    last = similar(store, vector=-vector, k=600).rows()[-1]
    assert (last["change_id"], last["distance"]) == ("c00017", pytest.approx(2.0))
