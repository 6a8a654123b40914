"""Searches by what was liked and unliked: equal to plain numpy, and clear about ids."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terradrift.errors import QueryError
from terradrift.query.search import probe, refine
from terradrift.query.search.similar import similar
from terradrift.store.tables import Store
from tests.query import judged
from tests.query.twin import stack


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return judged.store(tmp_path_factory.mktemp("judged"))


def unit() -> np.ndarray:
    values = stack(judged.rows(), "delta")
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def voice(rows: list[int]) -> np.ndarray:
    """The direction of an event of which these changes were judged alike."""
    mean = unit()[rows].sum(axis=0)
    return mean / np.linalg.norm(mean)


def ids(found: Any) -> list[str]:
    return list(found.to_arrow()["change_id"].to_pylist())


def expected(direction: np.ndarray, left_out: set[int], k: int) -> list[str]:
    order = np.argsort(-(unit() @ direction), kind="stable")
    return [f"c{i:05d}" for i in order if i not in left_out][:k]


def test_rocchio_of_liked_and_unliked_ranks_as_plain_numpy(store: Store) -> None:
    found = similar(
        store,
        like=["c00000", "c00012"],
        unlike=["c00003"],
        refine="rocchio",
        exclude="self",
        k=30,
    )
    direction = (voice([0]) + voice([12])) / 2 - voice([3]) / 2
    assert ids(found) == expected(direction, {0, 12, 3}, 30)
    assert found.note is not None
    assert "2 liked and 1 unliked (rocchio" in found.note


def test_probe_of_liked_unliked_and_all_rows_ranks_as_plain_numpy(store: Store) -> None:
    found = similar(
        store, like=["c00000", "c00012"], unlike=["c00003"], exclude="self", k=30
    )
    liked, unliked = np.stack([voice([0]), voice([12])]), voice([3])[None]
    # 200 of 240 rows are drawn, less those that were judged.
    drawn = np.random.default_rng(0).choice(
        judged.COUNT, probe.BACKGROUND, replace=False
    )
    behind = unit()[np.setdiff1d(drawn, [0, 12, 3])]
    direction = refine.direction(liked, unliked, behind, "probe")
    assert ids(found) == expected(direction, {0, 12, 3}, 30)
    assert found.note is not None
    assert "(probe" in found.note


def test_an_event_has_one_voice_and_all_its_changes_are_known(store: Store) -> None:
    found = similar(store, like=["event-0000", "c00012"], exclude="event", k=200)
    direction = voice([0, 1, 2]) + voice([12])
    events = {0, 1, 2, 12, 13, 14}
    # Patches repeat after SIDE * SIDE changes, and go with their example.
    patches = {i for i in range(judged.COUNT) if {i, i - 144, i + 144} & {0, 1, 2, 12}}
    assert ids(found) == expected(direction, events | patches, 200)


def test_what_is_said_of_a_change_beats_its_event(store: Store) -> None:
    found = similar(
        store,
        like=["event-0000"],
        unlike=["c00001"],
        refine="rocchio",
        exclude="self",
        k=50,
    )
    direction = voice([0, 2]) - voice([1]) / 2
    assert ids(found) == expected(direction, {0, 1, 2}, 50)


def test_unliked_are_left_out_whatever_is_excluded(store: Store) -> None:
    for exclude in ("event", "self", "none"):
        found = ids(
            similar(
                store,
                like=["c00000"],
                unlike=["c00012"],
                exclude=exclude,
                k=judged.COUNT,
            )
        )
        assert "c00012" not in found
        assert ("c00000" in found) == (exclude == "none")


def test_modes_are_learned_in_their_own_columns(store: Store) -> None:
    opposite = similar(
        store, like=["c00000"], mode="reverse", exclude="self", k=judged.COUNT
    )
    same = similar(store, like=["c00000"], exclude="self", k=judged.COUNT)
    assert ids(opposite) == ids(same)[::-1]
    both = similar(
        store,
        like=["c00000"],
        unlike=["c00003"],
        refine="rocchio",
        mode="before-after",
        exclude="self",
        k=20,
    )
    values = stack(judged.rows(), "before", "after")
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    order = np.argsort(-(values @ (values[0] - values[3] / 2)), kind="stable")
    assert ids(both) == [f"c{i:05d}" for i in order if i not in (0, 3)][:20]


def test_observations_can_be_liked(store: Store) -> None:
    found = similar(
        store,
        like=["p0005@2018-04-10", "p0006@2018-04-10"],
        unlike=["p0007@2018-04-10"],
        target="observations",
        exclude="event",
        k=500,
    ).to_arrow()
    patches = set(found["patch_id"].to_pylist())
    assert patches.isdisjoint({"p0005", "p0006", "p0007"})
    alone = similar(store, patch="p0005", date="2018-04-10", mode="delta", k=5)
    one = similar(store, like=["p0005@2018-04-10"], mode="delta", k=5, exclude="event")
    assert ids(one) == ids(alone)


def test_only_what_was_judged_is_left_out_of_everything_like_it(store: Store) -> None:
    asked = {"like": ["c00000", "c00012"], "unlike": ["c00003"], "k": judged.COUNT}
    found = ids(similar(store, **asked))
    assert found == ids(similar(store, exclude="self", **asked))
    assert {"c00001", "c00002", "c00013"} <= set(found)  # of the liked ones' events
    assert {"c00000", "c00012", "c00003"}.isdisjoint(found)
    alone = ids(similar(store, change="c00000", k=judged.COUNT))
    assert {"c00001", "c00002"}.isdisjoint(alone)


def test_refined_search_finds_more_of_a_kind_than_its_first_example() -> None:
    """On kinds that share most of their direction, where one example is not enough."""
    random = np.random.default_rng(1)
    d, n = 32, 400
    kind = np.arange(n) % 8
    centres = random.normal(size=(8, d))
    rows = 2 * random.normal(size=d) + centres[kind] + 1.2 * random.normal(size=(n, d))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    precision: dict[str, list[float]] = {"first": [], "rocchio": [], "probe": []}
    for wanted in range(8):
        mine = np.flatnonzero(kind == wanted)
        liked, unliked = rows[mine[:4]], rows[kind != wanted][:8]
        rest = np.setdiff1d(np.arange(60, n), mine[:4])
        directions = {
            "first": rows[mine[0]],
            "rocchio": refine.direction(liked, unliked, None, "rocchio"),
            "probe": refine.direction(liked, unliked, rows[:60], "probe"),
        }
        for name, direction in directions.items():
            top = rest[np.argsort(-(rows[rest] @ direction))[:20]]
            precision[name].append(float((kind[top] == wanted).mean()))
    chance = 1 / 8
    mean = {name: float(np.mean(values)) for name, values in precision.items()}
    assert mean["first"] > chance
    assert mean["rocchio"] > mean["first"] + 0.1
    assert mean["probe"] > mean["first"] + 0.1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"like": ["c00000x"]}, "no change 'c00000x'.*did you mean c00000"),
        ({"like": ["event-00000"]}, "no event 'event-00000'.*did you mean event-000"),
        ({"like": ["c00000"], "unlike": ["c99999"]}, "no change 'c99999'"),
        ({"unlike": ["c00000"]}, "expected something liked"),
        ({"like": ["c00000"], "unlike": ["c00000"]}, "both liked and unliked"),
        ({"like": ["c00000"], "change": "c00001"}, "expected one example, or like="),
        ({"like": ["c00000"], "refine": "svm"}, "refine must be one of"),
        ({"like": ["p0005@1999"]}, "patch p0005 was not seen in 1999"),
        ({"like": ["x@2018"]}, "no observation of patch 'x'"),
        ({"labels": "clear-cut"}, "no labels named 'clear-cut'; there are none yet"),
    ],
)
def test_what_cannot_be_learned_from_is_told(
    store: Store, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        similar(store, **asked)


def test_without_a_direction_it_is_told(tmp_path: Path) -> None:
    made = judged.store(tmp_path)
    flat = judged.rows()
    at = flat.schema.get_field_index("delta")
    column = flat["delta"].combine_chunks()
    values = np.asarray(column.values.to_numpy(zero_copy_only=False)).copy()
    values[: column.type.list_size] = 0
    zeros = type(column).from_arrays(values, column.type.list_size)
    made.overwrite(
        "changes_toy_v1_0", flat.set_column(at, flat.schema.field(at), zeros)
    )
    with pytest.raises(QueryError, match="what is liked has no direction"):
        similar(made, like=["c00000"])
