"""A fit of kinds used again, and what became of kinds between two fits."""

import numpy as np
import pytest
from numpy.typing import NDArray

from terradrift.detect.kinds import NONE, Cluster
from terradrift.detect.kinds.fates import Fate, compare, numbers

Rows = NDArray[np.float32]
D = 24


def changes(
    sizes: dict[int, int], seed: int
) -> tuple[NDArray[np.str_], Rows, Rows, NDArray[np.int64]]:
    """Changes of kinds that go along fixed directions; kind 0 goes anywhere."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(12, D))
    truth = np.repeat(list(sizes), list(sizes.values()))
    delta = directions[truth] + 0.25 * random.normal(size=(len(truth), D))
    delta[truth == 0] = random.normal(size=((truth == 0).sum(), D))
    before = random.normal(size=(len(truth), D))
    ids = np.array([f"{seed}-{i:06}" for i in range(len(truth))])
    return ids, before.astype(np.float32), delta.astype(np.float32), truth


def test_new_changes_take_the_kind_of_the_exemplars_near_them() -> None:
    ids, before, delta, truth = changes({1: 300, 2: 150, 3: 80, 0: 60}, seed=1)
    found = Cluster(kept=64).cluster(ids, before, delta)
    assert found.fitted is not None
    of = {
        int(found.kind[truth == kind][0]): kind
        for kind in (1, 2, 3)
        if (found.kind[truth == kind] != NONE).any()
    }
    _, before, delta, truth = changes({1: 100, 2: 100, 3: 100, 7: 100}, seed=2)
    told = found.fitted.assign(before, delta)
    known = truth < 7
    named = np.array([of.get(int(kind), 0) for kind in told.kind])
    assert (named[known] == truth[known]).mean() > 0.97
    # A kind that the fit never saw is of none.
    assert (told.kind[~known] == NONE).mean() > 0.97
    assert np.isnan(told.probability[told.kind == NONE]).all()
    assert (told.probability[told.kind != NONE] <= 1).all()


def test_a_fit_says_of_its_own_changes_what_it_said() -> None:
    ids, before, delta, _ = changes({1: 300, 2: 150, 3: 80, 0: 60}, seed=3)
    found = Cluster().cluster(ids, before, delta)
    assert found.fitted is not None
    again = found.fitted.assign(before, delta)
    assert (again.kind == found.kind).mean() > 0.98
    few = found.fitted.assign(before[:7], delta[:7])
    np.testing.assert_array_equal(few.kind, again.kind[:7])
    assert len(found.fitted.assign(before[:0], delta[:0]).kind) == 0


def test_vectors_of_another_length_are_refused() -> None:
    ids, before, delta, _ = changes({1: 60, 2: 60}, seed=4)
    fitted = Cluster().cluster(ids, before, delta).fitted
    assert fitted is not None
    with pytest.raises(ValueError, match="expected vectors of 24 numbers"):
        fitted.assign(before[:, :5], delta[:, :5])


@pytest.mark.parametrize(
    ("old", "new", "fates"),
    [
        ([1] * 9, [4] * 9, [("kept", (1,), (4,))]),
        ([1] * 9, [4] * 6 + [5] * 3, [("split", (1,), (4, 5))]),
        ([1] * 6 + [2] * 3, [4] * 9, [("merged", (1, 2), (4,))]),
        (
            [1] * 9 + [0] * 5,
            [4] * 9 + [5] * 5,
            [("kept", (1,), (4,)), ("born", (), (5,))],
        ),
        (
            [1] * 9 + [2] * 5,
            [4] * 9 + [0] * 5,
            [("kept", (1,), (4,)), ("gone", (2,), ())],
        ),
        # A few that change sides neither join nor part what stays as it was.
        (
            [1] * 9 + [2] * 9,
            [4] * 8 + [5] * 10,
            [("kept", (1,), (4,)), ("kept", (2,), (5,))],
        ),
        ([0] * 4, [0] * 4, []),
        (
            [1] * 6 + [2] * 6 + [1] * 1,
            [4] * 3 + [5] * 6 + [4] * 3 + [5],
            [("regrouped", (1, 2), (5, 4))],
        ),
    ],
)
def test_kinds_are_kept_split_merged_born_and_gone(
    old: list[int],
    new: list[int],
    fates: list[tuple[str, tuple[int, ...], tuple[int, ...]]],
) -> None:
    found = compare(np.array(old, np.int32), np.array(new, np.int32))
    assert [(fate.what, fate.old, fate.new) for fate in found] == fates


def test_counts_of_a_fate_are_changes() -> None:
    old = np.array([1] * 6 + [2] * 3 + [0], np.int32)
    new = np.array([4] * 8 + [0] * 2, np.int32)
    assert compare(old, new) == [Fate("merged", (1, 2), (4,), 9, 8, 8)]


def test_a_kind_keeps_its_number_as_long_as_it_lives() -> None:
    old = np.array([3] * 9 + [7] * 5 + [0] * 6, np.int32)
    new = np.array([1] * 6 + [2] * 3 + [3] * 5 + [4] * 6, np.int32)
    lasting = numbers(compare(old, new), old, new, [1, 2, 3, 4, 5], free=8)
    assert lasting == {1: 3, 3: 7, 2: 8, 4: 9, 5: 10}


def test_of_merged_kinds_the_larger_gives_its_number() -> None:
    old = np.array([3] * 4 + [7] * 5, np.int32)
    new = np.array([1] * 9, np.int32)
    assert numbers(compare(old, new), old, new, [1], free=8) == {1: 7}


def test_a_second_fit_of_the_same_changes_has_the_same_numbers() -> None:
    ids, before, delta, _ = changes({1: 200, 2: 100, 3: 60}, seed=5)
    one = Cluster().cluster(ids, before, delta)
    lasting = {kind.number: kind.number + 10 for kind in one.kinds}
    one = one.renumbered(lasting)
    assert one.fitted is not None
    assert set(one.fitted.kind) <= set(lasting.values()) | {NONE}
    other = Cluster().cluster(ids, before, delta)
    old = one.fitted.assign(before, delta).kind
    every = [kind.number for kind in other.kinds]
    again = other.renumbered(
        numbers(compare(old, other.kind), old, other.kind, every, free=99)
    )
    np.testing.assert_array_equal(again.kind, one.kind)
