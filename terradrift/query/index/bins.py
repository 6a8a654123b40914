"""How many lists to probe for a query, by how far the nearest are that it finds.

One number of lists fits no two kinds of query: the neighbours of a row in a dense place
stand in few lists, those of an outlier or of an opposite are scattered over many. So
queries of every kind are parted by the distance of their `NEXT`-th nearest, found in as
many lists as the nearest part needs, and each part is given the lists that it needs
(choosing by the query: Li and others 2020, "Improving approximate nearest neighbor search
through learned adaptive early termination"). Farther queries than any part that reaches
the target are compared with every row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEXT = 11
"""Which of the nearest is looked at; a row is its own first."""
TARGET = 0.98
"""Recall that lists are chosen for, in each part."""
ERRORS = 2.0
"""Standard errors by which what is measured must be above it."""
ERRORS_FAR = 3.0
"""The same of farther parts: they have few queries, of more kinds."""
NEAR = 0.8
"""Share of the table's rows that are of the nearest part: they are searched in one go."""
PART = 40
"""Queries of each farther part."""
_GROWTH = 1.15

Ask = Callable[
    ["NDArray[np.int64]", int], "tuple[NDArray[np.float64], NDArray[np.float64]]"
]
"""Recall of queries (m,) when so many lists are probed, and distance of the `NEXT`-th."""


class Part(NamedTuple):
    """Queries whose `NEXT`-th nearest is no farther than `farthest`."""

    farthest: float
    probes: int
    recall: float
    queries: int
    error: float


@dataclass(frozen=True, eq=False)
class Asked:
    """Queries that lists are chosen with."""

    ordinary: NDArray[np.bool_]
    """(q,) rows of the table drawn by chance, not chosen for where they stand."""
    ranks: Sequence[NDArray[np.int64]]
    """Of each query, which list in order of nearness holds each of the k nearest."""


def choose(asked: Asked, ask: Ask, lists: int) -> list[Part]:
    """The parts that reach the target, from the nearest on; a farther one probes no less."""
    every = np.arange(len(asked.ranks))
    deep = np.array([np.quantile(one, TARGET) for one in asked.ranks])
    probes = 1 + int(np.quantile(deep[asked.ordinary], NEAR))
    while True:
        recalls, far = ask(every, probes)
        order = np.argsort(far, kind="stable")
        edge = np.quantile(far[asked.ordinary], NEAR, method="higher")
        first = int(np.searchsorted(far[order], edge, side="right"))
        value, error = mean(recalls[order[:first]])
        if value - ERRORS * error >= TARGET or probes >= lists:
            break
        probes = min(lists, 1 + int(_GROWTH * probes))
    if value - ERRORS * error < TARGET:
        return []
    parts = [Part(float(edge), probes, value, first, error)]
    rest = order[first:]
    for part in np.array_split(rest, max(1, len(rest) // PART)) if len(rest) else ():
        value, error = mean(recalls[part])
        if value - ERRORS_FAR * error < TARGET or parts[-1].probes > probes:
            wanted = 1 + int(
                np.quantile(np.concatenate([asked.ranks[i] for i in part]), TARGET)
            )
            many = max(parts[-1].probes, min(lists, wanted))
            value, error = mean(ask(part, many)[0])
            while value - ERRORS_FAR * error < TARGET and many < lists:
                many = min(lists, 1 + int(_GROWTH * many))
                value, error = mean(ask(part, many)[0])
            if value - ERRORS_FAR * error < TARGET:
                break
        else:
            many = probes
        parts.append(Part(float(far[part].max()), many, value, len(part), error))
    return parts


def most(queries: int) -> int:
    """Parts that so many queries can have."""
    return 1 + max(1, queries // PART)


def mean(shares: NDArray[np.float64]) -> tuple[float, float]:
    """The mean and its standard error."""
    spread = shares.std(ddof=1) if len(shares) > 1 else 0.0
    return float(shares.mean()), float(spread / np.sqrt(len(shares)))
