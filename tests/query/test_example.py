"""What others should be like: changes, events, observations, numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terradrift.errors import QueryError
from terradrift.query.search.similar import similar
from terradrift.store.tables import Store
from tests.query.conftest import DIMENSIONS, SUFFIX, changes_table
from tests.query.twin import observed, stack


def test_patch_and_date_stand_for_the_step_to_that_observation(
    store: Store, embeddings: pa.Table
) -> None:
    after = observed(embeddings, "p0005", "2018-04-10")
    step = after - observed(embeddings, "p0005", "2018-01-10")
    for on, vector in (("delta", step), ("after", after)):
        asked = similar(store, patch="p0005", date="2018-04-10", on=on, k=20).to_arrow()
        given_ = similar(store, vector=vector, on=on, k=20).to_arrow()
        assert asked["change_id"].equals(given_["change_id"])


def test_an_event_stands_for_its_strongest_change(make: Callable[..., Store]) -> None:
    rows = changes_table(50)
    at = rows.schema.get_field_index("event_id")
    events = pa.array([f"e{i // 10}" for i in range(50)])
    rows = rows.set_column(at, "event_id", events)
    strongest = int(np.argmax(rows["score"].to_numpy()[20:30])) + 20
    store = make(**{f"changes_{SUFFIX}": rows})
    by_event, by_change = (
        similar(store, event="e2"),
        similar(store, change=f"c{strongest:05d}"),
    )
    assert by_event.to_arrow().equals(by_change.to_arrow())
    with pytest.raises(
        QueryError, match=r"no event 'e9' among the changes of toy-v1.0"
    ):
        similar(store, event="e9")


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"vector": np.ones(5)}, "expected a vector of 8 numbers for delta, got 5"),
        (
            {"vector": np.ones(8), "on": "before+after"},
            "expected a vector of 16 numbers for before.after, got 8",
        ),
        ({"vector": np.full(8, np.nan)}, "got NaN or infinity"),
        ({"vector": np.ones((2, 4))}, r"array of shape \(2, 4\)"),
        ({"vector": ["a"] * 8}, "expected a vector of numbers"),
        (
            {"vector": np.zeros(8)},
            "the vector has no direction to compare: its delta is zero",
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
