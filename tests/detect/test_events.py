import dataclasses

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terradrift.detect.events import Events, connect, majority, outline
from terradrift.detect.growth import Changes, Connect

START = np.datetime64("2018-06-01", "us")
DAY = np.timedelta64(1, "D")


def changes(
    cells: list[tuple[int, int]],
    *,
    days: list[int] | None = None,
    deltas: list[list[float]] | None = None,
    scores: list[float] | None = None,
    persistence: list[str] | None = None,
    width: int = 2,
) -> Changes:
    """Changes in grid 0, each seen `width` days before and after its onset."""
    n = len(cells)
    onset = START + np.array(days or [0] * n) * DAY
    return Changes(
        change_ids=np.array([f"change-{i:04}" for i in range(n)], np.str_),
        cells=np.array([(0, row, col) for row, col in cells]).reshape(n, 3),
        onset=onset,
        date_before=onset - width * DAY,
        date_after=onset + width * DAY,
        score=np.array(scores or [1.0] * n),
        persistence=np.array(persistence or ["persistent"] * n, np.str_),
        delta=np.array(deltas or [[1.0, 0.0]] * n, np.float32).reshape(n, 2),
    )


def at_random(n: int, seed: int, side: int = 8) -> Changes:
    random = np.random.default_rng(seed)
    cells = random.integers(0, side, size=(n, 2)).tolist()
    angles = random.choice(24, n) * np.pi / 12 + 0.01
    made = changes(
        cells,
        days=random.integers(0, 150, n).tolist(),
        deltas=np.stack([np.cos(angles), np.sin(angles)], axis=1).tolist(),
        scores=random.integers(1, 5, n).astype(float).tolist(),
        persistence=random.choice(["persistent", "transient"], n).tolist(),
        width=6,
    )
    return dataclasses.replace(made, change_ids=random.permutation(made.change_ids))


def groups(found: Events) -> set[frozenset[int]]:
    return {
        frozenset(np.flatnonzero(found.event == event)) for event in range(len(found))
    }


def slow_twin(made: Changes, rule: Connect) -> set[frozenset[int]]:
    """The rule as its text says, one change at a time."""
    n = len(made)
    order = sorted(range(n), key=lambda i: (-made.score[i], made.change_ids[i]))
    head: dict[int, int] = {}
    for i in order:
        for j in order:
            if j not in head and i not in head.keys() - {i} and head.get(i, i) == i:
                same = (made.cells[i] == made.cells[j]).all()
                apart = abs((made.onset[i] - made.onset[j]) / DAY)
                if i == j or (same and apart <= rule.repeat_days):
                    head[j] = i

    def apart(i: int, j: int) -> float:
        later = max(made.date_before[i], made.date_before[j])
        return float((later - min(made.date_after[i], made.date_after[j])) / DAY)

    def linked(i: int, j: int) -> bool:
        if made.cells[i, 0] != made.cells[j, 0]:
            return False
        away = np.abs(made.cells[i] - made.cells[j]).max()
        cosine = made.delta[i] @ made.delta[j]
        beside = apart(i, j) <= rule.gap_days and cosine >= rule.min_cosine
        across = apart(i, j) <= 0 and cosine >= rule.bridge_cosine
        return bool((away == 1 and beside) or (away == 2 and across))

    open_ = [i for i in order if head[i] == i]
    found = []
    while open_:
        seed = open_[0]
        fits = {
            i
            for i in open_
            if apart(i, seed) <= rule.span_days
            and made.delta[i] @ made.delta[seed] >= rule.min_cosine
            and made.score[i] >= rule.min_share * made.score[seed]
        }
        event, front = {seed}, [seed]
        while front:
            at = front.pop()
            more = {i for i in fits - event if linked(at, i)}
            event |= more
            front += more
        found.append(frozenset(i for i in range(n) if head[i] in event))
        open_ = [i for i in open_ if i not in event]
    return set(found)


@given(n=st.integers(0, 70), seed=st.integers(0, 9999))
@settings(deadline=None, max_examples=60)
def test_events_are_those_of_the_slow_twin(n: int, seed: int) -> None:
    made = at_random(n, seed)
    rule = Connect(repeat_days=60, gap_days=5, span_days=20, min_share=0.5)
    assert groups(connect(made, rule)) == slow_twin(made, rule)


@given(n=st.integers(1, 80), seed=st.integers(0, 9999))
@settings(deadline=None, max_examples=40)
def test_the_order_of_rows_changes_nothing(n: int, seed: int) -> None:
    made = at_random(n, seed)
    order = np.random.default_rng(seed).permutation(n)
    one, other = connect(made), connect(made.take(order))
    np.testing.assert_array_equal(one.event_ids, other.event_ids)
    np.testing.assert_array_equal(one.event[order], other.event)
    np.testing.assert_array_equal(one.peak_change, order[other.peak_change])
    for name in ("strength", "start", "peak", "end", "n_patches", "persistence"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_neighbours_by_edge_and_corner_are_one_event_and_others_are_not() -> None:
    found = connect(changes([(0, 0), (0, 1), (1, 2), (1, 6)]))
    assert groups(found) == {frozenset({0, 1, 2}), frozenset({3})}


def test_a_gap_of_one_patch_is_bridged_where_time_and_direction_agree() -> None:
    apart = [(0, 0), (0, 2)]
    assert len(connect(changes(apart))) == 1
    assert len(connect(changes([(0, 0), (0, 3)]))) == 2
    assert len(connect(changes(apart, days=[0, 10]))) == 2
    assert len(connect(changes(apart, deltas=[[1, 0], [1, 1.5]]))) == 2
    assert len(connect(changes([(0, 0), (0, 1)], deltas=[[1, 0], [1, 1.5]]))) == 1


def test_neighbours_that_change_months_apart_or_otherwise_are_two_events() -> None:
    beside = [(0, 0), (0, 1)]
    assert len(connect(changes(beside, days=[0, 19]))) == 1  # 15 days between
    assert len(connect(changes(beside, days=[0, 20]))) == 2
    assert len(connect(changes(beside, deltas=[[1, 0], [0, 1]]))) == 2


def test_repeats_of_one_patch_are_one_event_of_one_patch() -> None:
    made = changes([(0, 0)] * 3, days=[0, 40, 400], deltas=[[1, 0], [-1, 0], [1, 0]])
    found = connect(made)
    assert groups(found) == {frozenset({0, 1}), frozenset({2})}
    assert found.n_patches.tolist() == [1, 1]
    assert found.strength.tolist() == [1, 1]


def test_a_chain_of_fields_does_not_swallow_what_differs_in_direction() -> None:
    """Each field turns 20 degrees from the last, so all are linked pairwise."""
    angles = np.deg2rad(np.arange(0, 360, 20))
    made = changes(
        [(0, col) for col in range(len(angles))],
        deltas=np.stack([np.cos(angles), np.sin(angles)], axis=1).tolist(),
        scores=[float(100 - i) for i in range(len(angles))],
    )
    found = connect(made)
    for members in groups(found):
        rows = sorted(members)
        assert (made.delta[rows] @ made.delta[rows[0]] >= 0.3).all()
    assert found.n_patches.tolist() == [4, 4, 4, 4, 2]


def test_a_chain_of_fields_does_not_run_through_the_summer() -> None:
    made = changes(
        [(0, col) for col in range(12)],
        days=list(range(0, 180, 15)),
        scores=[100.0 - col for col in range(12)],
    )
    found = connect(made)
    assert len(found) > 1
    spans = (found.end - found.start) / DAY
    assert spans.max() <= 60 + 2 * 2 + 2


def test_a_hamlet_among_harvested_fields_is_an_event_of_its_own() -> None:
    fields = [(row, col) for row in range(12) for col in range(12)]
    hamlet = {(5, 5), (5, 6), (6, 5), (6, 6)}
    found = connect(
        changes(
            fields,
            deltas=[[0.1, 1] if cell in hamlet else [1, 0] for cell in fields],
            scores=[6.0 if cell in hamlet else 2.0 for cell in fields],
        )
    )
    assert len(found) == 2
    assert found.n_patches.tolist() == [4, 140]


def test_size_counts_for_the_rank_but_by_no_more_than_28_percent() -> None:
    many = [(0, col) for col in range(100)]
    found = connect(changes([*many, (9, 0)], scores=[1.0] * 100 + [1.2]))
    assert found.n_patches.tolist() == [100, 1]
    found = connect(changes([*many, (9, 0)], scores=[1.0] * 100 + [1.3]))
    assert found.n_patches.tolist() == [1, 100]
    assert found.strength[0] == 1.3
    assert found.strength[1] == pytest.approx(
        np.sqrt((1 / np.arange(1, 101) ** 2).sum())
    )


def test_faint_changes_around_a_site_are_not_part_of_it() -> None:
    row = [(0, col) for col in range(6)]
    found = connect(changes(row, scores=[1.0, 1.0, 5.0, 4.0, 1.0, 1.0]))
    assert found.n_patches.tolist() == [2, 2, 2]
    assert groups(found) == {frozenset({2, 3}), frozenset({0, 1}), frozenset({4, 5})}
    assert len(connect(changes(row, scores=[2.0, 2.0, 5.0, 4.0, 2.0, 2.0]))) == 1


def test_equal_strength_is_ordered_by_change_id() -> None:
    made = changes([(0, 0), (5, 5), (9, 9)])
    made = dataclasses.replace(made, change_ids=np.array(["b", "c", "a"]))
    assert connect(made).peak_change.tolist() == [2, 0, 1]


def test_an_event_keeps_its_id_when_weaker_changes_join() -> None:
    one = connect(changes([(0, 0), (0, 1)], scores=[2.0, 1.0]))
    more = connect(changes([(0, 0), (0, 1), (0, 2)], scores=[2.0, 1.0, 1.5]))
    assert one.event_ids.tolist() == more.event_ids.tolist()


def test_dates_and_persistence_are_those_of_the_members() -> None:
    found = connect(
        changes(
            [(0, 0), (0, 1), (0, 2)],
            days=[8, 0, 4],
            scores=[1.0, 3.0, 2.0],
            persistence=["transient", "persistent", "transient"],
        )
    )
    assert found.start[0] == START
    assert found.peak[0] == START
    assert found.end[0] == START + 10 * DAY
    assert found.max_score[0] == 3
    assert found.persistence.tolist() == ["transient"]


def test_no_changes_are_no_events() -> None:
    found = connect(changes([]))
    assert len(found) == 0
    assert found.event.shape == (0,)


def test_majority_breaks_ties_by_what_is_asked() -> None:
    event = np.array([0, 0, 1, 1, 1, 2])
    values = np.array(["b", "a", "c", "c", "a", "z"])
    tie = np.array(["b", "a", "z"])
    assert majority(event, values, tie).tolist() == ["b", "c", "z"]
    assert majority(
        event, np.array([4, 7, 7, 1, 1, 2]), np.array([7, 7, 2])
    ).tolist() == [
        7,
        1,
        2,
    ]


def test_the_outline_of_an_event_is_the_union_of_its_patches() -> None:
    def square(x: float, y: float) -> NDArray[np.float64]:
        return np.array([[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]])

    corners = np.stack([square(0, 0), square(8, 8), square(1, 0), square(1, 0)])
    joined, alone = outline(corners, np.array([0, 1, 0, 0]))
    assert shapely.equals(joined, shapely.box(0, 0, 2, 1))
    assert shapely.equals(alone, shapely.box(8, 8, 9, 9))
    assert outline(corners[:0], np.empty(0, np.int64)).shape == (0,)
    # Corners of neighbours come from sums that round differently.
    apart = corners[[0, 2]] + np.array([0.0, 1e-14])[:, None, None]
    (whole,) = outline(apart, np.zeros(2, np.int64))
    assert whole.geom_type == "Polygon"
    assert not whole.interiors


def test_bad_input_is_refused() -> None:
    made = changes([(0, 0), (0, 1)])
    with pytest.raises(ValueError, match="expected 2 rows everywhere, but score has 1"):
        dataclasses.replace(made, score=np.ones(1))
    with pytest.raises(ValueError, match="scores must be finite and not negative"):
        dataclasses.replace(made, score=np.array([1, np.nan]))
    with pytest.raises(ValueError, match="change_ids must be unique"):
        dataclasses.replace(made, change_ids=np.array(["a", "a"]))
    with pytest.raises(ValueError, match="gap_days must not be negative, got -1"):
        Connect(gap_days=-1)
    with pytest.raises(ValueError, match=r"bridge_cosine \(0.6\), got 0.9"):
        Connect(min_cosine=0.9)
    with pytest.raises(ValueError, match="min_share must be 0 to 1, got 2"):
        Connect(min_share=2)
