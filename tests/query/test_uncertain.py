"""What to label next: nearest even odds, spread out, and the same each time."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from terradrift.errors import QueryError
from terradrift.query.search import probe, uncertain
from terradrift.query.search.aim import Own
from terradrift.query.search.uncertain import POOL, spread
from terradrift.store.tables import Store
from tests.query import judged
from tests.query.test_labelled import unit, voice

ASKED: dict[str, Any] = {"like": ["c00000", "c00012"], "unlike": ["c00003"]}
KNOWN = {0, 1, 2, 12, 13, 14, 3, 4, 5}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return judged.store(tmp_path_factory.mktemp("judged"))


def probabilities() -> np.ndarray:
    drawn = np.random.default_rng(0).choice(
        judged.COUNT, probe.BACKGROUND, replace=False
    )
    behind = unit()[np.setdiff1d(drawn, [0, 12, 3])]
    liked = np.stack([voice([0]), voice([12])])
    return probe.fit(liked, voice([3])[None], behind).probability(unit())


def rows(found: Any) -> np.ndarray:
    return np.array([int(one[1:]) for one in found.to_arrow()["change_id"].to_pylist()])


def test_they_are_the_least_sure_of_their_events_and_far_apart(store: Store) -> None:
    n = 3
    found = uncertain.uncertain(store, **ASKED, n=n)
    doubt = np.abs(probabilities() - 0.5)
    event = np.arange(judged.COUNT) // judged.OF_EVENT
    left = [i for i in np.argsort(doubt, kind="stable") if i not in KNOWN]
    _, first = np.unique(event[left], return_index=True)
    pool = np.array(left)[np.sort(first)][: POOL * n]
    chosen = [pool[0]]
    while len(chosen) < n:
        gap = (1 - unit()[pool] @ unit()[chosen].T).min(axis=1)
        chosen.append(pool[gap.argmax()])
    assert rows(found).tolist() == chosen
    np.testing.assert_allclose(
        found.to_arrow()["probability"].to_numpy(), probabilities()[chosen], atol=1e-5
    )


def test_an_event_comes_once_and_what_is_known_not_at_all(store: Store) -> None:
    found = uncertain.uncertain(store, **ASKED, n=1000)
    event = rows(found) // judged.OF_EVENT
    assert len(set(event)) == len(event) == judged.COUNT // judged.OF_EVENT - 3
    assert KNOWN.isdisjoint(rows(found).tolist())
    assert found.note == "77 rows are left to judge, 1,000 were asked for"


def test_the_same_question_has_the_same_answer_whatever_the_batches(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = uncertain.uncertain(store, **ASKED, n=7).to_arrow()
    monkeypatch.setattr("terradrift.query.lance_scan.BATCH_ROWS", 16)
    parts = uncertain.uncertain(store, **ASKED, n=7).to_arrow()
    assert whole["change_id"].to_pylist() == parts["change_id"].to_pylist()


def test_conditions_hold(store: Store) -> None:
    found = uncertain.uncertain(store, **ASKED, n=5, min_score=5, kind=1).to_arrow()
    assert len(found) == 5
    assert min(found["score"].to_pylist()) >= 5
    assert set(found["kind"].to_pylist()) == {1}
    none = uncertain.uncertain(store, **ASKED, n=5, where="false")
    assert len(none) == 0


def test_one_liked_is_enough_to_begin(store: Store) -> None:
    found = uncertain.uncertain(store, like=["c00000"], n=5).to_arrow()
    probability = found["probability"].to_numpy()
    assert len(found) == 5
    assert ((probability > 0) & (probability < 1)).all()


def test_observations_are_told_one_of_a_patch(store: Store) -> None:
    found = uncertain.uncertain(
        store,
        like=["p0005@2018-04-10"],
        unlike=["p0006@2018-07-10"],
        target="observations",
        n=20,
    ).to_arrow()
    patches = found["patch_id"].to_pylist()
    assert len(set(patches)) == 20
    assert {"p0005", "p0006"}.isdisjoint(patches)


def test_farthest_first_takes_no_near_twin() -> None:
    turns = np.deg2rad([0, 1, 2, 90, 91, 180, 270])
    circle = np.column_stack([np.cos(turns), np.sin(turns)])
    assert sorted(spread(circle, 4).tolist()) == [0, 3, 5, 6]
    assert spread(circle, 99).shape == (7,)
    assert spread(circle[:0], 3).shape == (0,)


def test_doubt_is_kept_within_bounded_memory() -> None:
    """However many rows go by, no more are kept than were asked for."""
    random = np.random.default_rng(0)
    kept = uncertain.Pool(
        np.empty(0),
        *(np.empty(0, np.str_),) * 2,
        np.empty(0, np.uint64),
        np.empty((0, 2)),
    )
    every = random.random(500)
    for at in range(0, 500, 50):
        names = np.array([f"r{i:03d}" for i in range(at, at + 50)])
        numbers = np.arange(at, at + 50, dtype=np.uint64)
        new = uncertain.Pool(
            every[at : at + 50], names, names, numbers, np.ones((50, 2))
        )
        kept = kept.joined(new, 20)
        assert len(kept.doubt) <= 20
    assert kept.row_ids.tolist() == np.argsort(every)[:20].tolist()


@pytest.mark.parametrize("n", [0, 1001])
def test_n_out_of_range_is_told(store: Store, n: int) -> None:
    with pytest.raises(QueryError, match="n must be between 1 and 1,000"):
        uncertain.uncertain(store, **ASKED, n=n)


def test_conditions_that_are_none_are_told(store: Store) -> None:
    with pytest.raises(TypeError, match="colour"):
        uncertain.uncertain(store, **ASKED, colour="red")


def test_a_schema_without_events_counts_each_change(store: Store) -> None:
    changes = judged.rows()
    at = changes.schema.get_field_index("event_id")
    alone = changes.set_column(at, "event_id", pa.nulls(changes.num_rows, pa.string()))
    known = uncertain.Known(Own(), "event_id", ("change_id",))
    (batch,) = alone.combine_chunks().to_batches()
    one, name = known.names(batch)
    assert one.tolist() == name.tolist()
