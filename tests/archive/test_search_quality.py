"""The measures of search quality: what takes part, and what chance would give."""

from itertools import permutations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def rank(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`benchmarks/_search_rank.py`."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import _search_rank

    return _search_rank


def changes(rank: ModuleType, group: list[int], kind: list[str], steps: list) -> object:
    """Changes on patches of their own; each group is one event of the archive."""
    n = len(group)
    delta = np.array(steps, np.float32)
    names = np.array([f"e{number}" for number in group], object)
    return rank.Changes(
        np.array([f"c{at}" for at in range(n)], object),
        np.array([f"p{at}" for at in range(n)], object),
        names,
        np.zeros_like(delta),
        delta,
        delta,
        np.array(group),
        np.array(kind, object),
    )


def test_the_own_event_is_neither_found_nor_counted(rank: ModuleType) -> None:
    of = changes(
        rank,
        [0, 0, 1, -1],
        ["fire", "fire", "fire", "nothing planted"],
        [[1, 0], [1, 0.01], [0, 1], [1, 0.1]],
    )
    asked = rank.ask(of, "delta", None)
    at = {name: number for number, name in enumerate(rank.MEASURES)}
    # Of the first event: the false one lies nearer than the other fire.
    np.testing.assert_allclose(asked.values[:2, at["P@1"]], 0)
    np.testing.assert_allclose(asked.values[:2, at["chance"]], 1 / 2)
    np.testing.assert_allclose(asked.values[:2, at["AP"]], 1 / 2)
    reverse = rank.ask(of, "reverse", None)
    np.testing.assert_allclose(reverse.values[:2, at["P@1"]], 1)


def test_what_has_no_other_of_its_kind_is_not_asked(rank: ModuleType) -> None:
    of = changes(rank, [0, 1, 2], ["fire", "fire", "flood"], [[1, 0], [1, 1], [0, 1]])
    assert rank.ask(of, "delta", None).kind.tolist() == ["fire", "fire"]


def test_average_precision_of_chance_is_the_mean_over_all_orders(
    rank: ModuleType,
) -> None:
    rows = np.array([1, 1, 0, 0, 0], bool)
    every = [
        rank.measures(np.array(order, bool), np.zeros(5, bool))[
            rank.MEASURES.index("AP")
        ]
        for order in permutations(rows)
    ]
    assert rank.random_precision(2, 5) == pytest.approx(np.mean(every))


def test_events_weigh_alike_whatever_their_size(rank: ModuleType) -> None:
    values = np.array([[0.0], [0.0], [0.0], [1.0]]) * np.ones(len(rank.MEASURES))
    part = rank.Asked(np.array([0, 0, 0, 1]), np.array(["fire"] * 4, object), values)
    means, _ = rank.pooled([part])
    assert means[:, 0].tolist() == [0.0, 1.0]
    found = rank.interval(means[:, 0])
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)
