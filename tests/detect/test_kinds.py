import numpy as np
import pytest
from numpy.typing import NDArray

from terradrift.detect.kinds import BRANCH, KIND, NONE, PART, Cluster, Kind, Kinds

Rows = NDArray[np.float32]


def planted(
    sizes: list[int], *, noise: int = 0, d: int = 24, seed: int = 0
) -> tuple[NDArray[np.str_], Rows, Rows, NDArray[np.int64]]:
    """Changes of kinds with known directions, at magnitudes from 1 to 10."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes) + 1), [noise, *sizes])
    directions = random.normal(size=(len(sizes) + 1, d))
    delta = directions[truth] + 0.25 * random.normal(size=(len(truth), d))
    delta[:noise] = random.normal(size=(noise, d))
    delta *= random.uniform(1, 10, size=(len(truth), 1))
    before = random.normal(size=(len(truth), d))
    ids = np.array([f"change-{i:06}" for i in random.permutation(len(truth))])
    return ids, before.astype(np.float32), delta.astype(np.float32), truth


def agreement(found: Kinds, truth: NDArray[np.int64]) -> float:
    from sklearn.metrics import adjusted_rand_score

    inside = truth > 0
    return float(adjusted_rand_score(truth[inside], found.kind[inside]))


def leaves_of(found: Kinds, role: str = KIND) -> list[Kind]:
    return [kind for kind in found.kinds if kind.role == role]


def test_planted_kinds_are_found_whatever_their_strength() -> None:
    ids, before, delta, truth = planted([200, 120, 60], noise=30)
    found = Cluster().cluster(ids, before, delta)
    leaves = leaves_of(found)
    assert len(leaves) == 3
    assert agreement(found, truth) > 0.95
    assert found.reason == ""


def test_twenty_changes_of_two_kinds_are_enough() -> None:
    ids, before, delta, truth = planted([10, 10])
    found = Cluster(state=0).cluster(ids, before, delta)
    assert agreement(found, truth) > 0.8


def test_too_few_changes_have_no_kinds_and_it_is_said() -> None:
    for n in (0, 1, 19):
        ids, before, delta, _ = planted([n])
        found = Cluster().cluster(ids, before, delta)
        assert found.reason == f"{n} changes; kinds need at least 20"
        assert found.kinds == ()
        assert (found.kind == NONE).all()
        assert np.isnan(found.probability).all()


def test_changes_without_structure_have_no_kinds_and_it_is_said() -> None:
    ids, before, delta, _ = planted([], noise=60)
    found = Cluster(min_cluster_size=15).cluster(ids, before, delta)
    assert found.kinds == ()
    assert found.reason == "no group of 15 of the 60 changes is denser than the rest"


def test_the_order_of_rows_changes_nothing() -> None:
    ids, before, delta, _ = planted([100, 60, 40], noise=40, seed=2)
    order = np.random.default_rng(3).permutation(len(ids))
    one = Cluster().cluster(ids, before, delta)
    other = Cluster().cluster(ids[order], before[order], delta[order])
    np.testing.assert_array_equal(one.kind[order], other.kind)
    np.testing.assert_array_equal(one.probability[order], other.probability)
    for kind, same in zip(one.kinds, other.kinds, strict=True):
        assert kind.parent == same.parent
        np.testing.assert_array_equal(ids[kind.exemplars], ids[order][same.exemplars])
        np.testing.assert_array_equal(kind.centroid, same.centroid)


def test_numbers_go_from_one_by_size_and_branches_follow() -> None:
    ids, before, delta, _ = planted([50, 150, 100, 80], noise=20, seed=4)
    found = Cluster().cluster(ids, before, delta)
    assert [kind.number for kind in found.kinds] == list(range(1, len(found.kinds) + 1))
    leaves = leaves_of(found)
    sizes = [len(kind.rows) for kind in leaves]
    assert sizes == sorted(sizes, reverse=True)
    assert found.kinds[: len(leaves)] == tuple(leaves)
    for kind in leaves:
        np.testing.assert_array_equal(
            np.sort(kind.rows), np.flatnonzero(found.kind == kind.number)
        )


def test_the_tree_holds_every_kind_once() -> None:
    """Two pairs of near kinds: each pair joins before the pairs do."""
    random = np.random.default_rng(5)
    far = np.eye(24)[[0, 0, 1, 1]] * 4
    centers = far + np.eye(24)[[2, 3, 4, 5]] * 1.2
    truth = np.repeat(np.arange(4), 80)
    delta = (centers[truth] + 0.1 * random.normal(size=(320, 24))).astype(np.float32)
    ids = np.array([f"{i:04}" for i in range(320)])
    found = Cluster(state=0).cluster(ids, np.zeros_like(delta), delta)
    kinds = {kind.number: kind for kind in found.kinds}
    leaves = leaves_of(found)
    branches = leaves_of(found, BRANCH)
    assert (len(leaves), len(branches)) == (4, 2)
    assert {kind.parent for kind in branches} == {None}
    for branch in branches:
        children = [kind for kind in leaves if kind.parent == branch.number]
        assert len(children) == 2
        rows = np.concatenate([kinds[child.number].rows for child in children])
        assert set(rows) == set(branch.rows)
    pairs = {frozenset(truth[kind.rows] // 2) for kind in branches}
    assert pairs == {frozenset({0}), frozenset({1})}


def test_leaves_are_kinds_where_the_smallest_clusters_are_asked_for() -> None:
    """Two kinds that hardly part, and one far away: two that last, or three."""
    random = np.random.default_rng(10)
    centers = np.zeros((3, 24))
    centers[[0, 1, 2], [0, 0, 1]] = 4
    centers[[0, 1], [2, 3]] = 0.7
    truth = np.repeat(np.arange(3), 80)
    delta = (centers[truth] + 0.1 * random.normal(size=(240, 24))).astype(np.float32)
    ids = np.array([f"{i:04}" for i in range(240)])
    lasting, leaves = (
        Cluster(state=0, selection=selection).cluster(ids, np.zeros_like(delta), delta)
        for selection in ("eom", "leaf")
    )
    assert sorted(len(kind.rows) for kind in leaves_of(lasting)) == [80, 160]
    assert len(leaves_of(leaves)) == 3
    assert agreement(leaves, truth + 1) > 0.9 > agreement(lasting, truth + 1)


def test_what_a_kind_falls_into_is_kept_below_it() -> None:
    """The two that hardly part are parts of the kind that lasts."""
    random = np.random.default_rng(10)
    centers = np.zeros((3, 24))
    centers[[0, 1, 2], [0, 0, 1]] = 4
    centers[[0, 1], [2, 3]] = 0.7
    truth = np.repeat(np.arange(3), 80)
    delta = (centers[truth] + 0.1 * random.normal(size=(240, 24))).astype(np.float32)
    ids = np.array([f"{i:04}" for i in range(240)])
    found = Cluster(state=0).cluster(ids, np.zeros_like(delta), delta)
    (large,) = (kind for kind in leaves_of(found) if len(kind.rows) == 160)
    parts = leaves_of(found, PART)
    assert {part.parent for part in parts} == {large.number}
    assert {tuple(np.unique(truth[part.rows])) for part in parts} == {(0,), (1,)}
    assert all(0 < kind.stability <= 1 for kind in found.kinds)
    for part in parts:
        assert set(part.rows) <= set(large.rows)
        assert set(found.kind[part.rows]) == {large.number}


def test_exemplars_are_sure_members_near_the_middle() -> None:
    ids, before, delta, _ = planted([100, 100], seed=6)
    found = Cluster(exemplars=3).cluster(ids, before, delta)
    for kind in found.kinds:
        assert len(kind.exemplars) == 3
        assert set(kind.exemplars) <= set(kind.rows)
        assert (found.probability[kind.exemplars] > 0.99).all()


def test_above_the_most_the_rest_follows_a_sample() -> None:
    ids, before, delta, truth = planted([900, 600, 300], noise=100, seed=7)
    whole = Cluster().cluster(ids, before, delta)
    part = Cluster(most=500).cluster(ids, before, delta)
    assert agreement(part, truth) > 0.9
    inside = (whole.kind != NONE) & (part.kind != NONE)
    assert (whole.kind[inside] == part.kind[inside]).mean() > 0.95
    assert np.isnan(part.probability).sum() == (part.kind == NONE).sum()


def test_state_before_tells_apart_what_goes_the_same_way() -> None:
    """The same delta from two states: one kind by direction alone, two with the state."""
    random = np.random.default_rng(8)
    delta = np.ones((200, 16)) + 0.3 * random.normal(size=(200, 16))
    before = np.repeat(np.eye(16)[:2] * 6, 100, axis=0) + random.normal(size=(200, 16))
    ids = np.array([f"{i:04}" for i in range(200)])
    alone = Cluster(state=0).cluster(ids, before, delta)
    beside = Cluster(state=1).cluster(ids, before, delta)
    truth = np.repeat([1, 2], 100)
    assert agreement(alone, truth) < 0.1
    assert agreement(beside, truth) > 0.8


def test_changes_that_are_all_equal_have_no_kinds_and_it_is_said() -> None:
    ids = np.array([f"{i:04}" for i in range(50)])
    found = Cluster().cluster(ids, np.ones((50, 4)), np.ones((50, 4)))
    assert found.reason == "the 50 changes are all equal"


def test_changes_that_repeat_to_the_last_bit_do_no_harm() -> None:
    ids, before, delta, _ = planted([60, 60], seed=9)
    delta[:40], before[:40] = delta[0], before[0]
    found = Cluster().cluster(ids, before, delta)
    assert np.isfinite(found.probability[found.kind != NONE]).all()
    assert all(np.isfinite(kind.centroid).all() for kind in found.kinds)
    assert len(set(found.kind[:40])) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dimensions": 64}, "dimensions must be between 1 and 50, got 64"),
        ({"state": -1.0}, "state must not be negative, got -1"),
        ({"min_cluster_size": 1}, "min_cluster_size must be at least 2, got 1"),
        ({"min_samples": 0}, "min_samples must be at least 1, got 0"),
        ({"most": 5}, "most must be at least 20, got 5"),
        ({"kept": 0}, "kept must be at least 1, got 0"),
        ({"selection": "all"}, "selection must be one of eom, leaf, got 'all'"),
    ],
)
def test_bad_parameters_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cluster(**wrong)  # type: ignore[arg-type]
