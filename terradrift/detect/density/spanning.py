"""A minimum spanning tree of mutual reachability, exact, by the compiled search.

Mutual reachability of two points is the largest of their distance and their two core
distances (Campello, Moulavi and Sander 2013). A few nearest neighbours of every point tell
most edges: where a component's lightest known edge is no heavier than anything that its
points do not know, it is an edge of the tree (Boruvka). Where no component can be sure,
all but the largest search for their lightest edge, and only from points that might have
it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.density.blocks import Blocks, blocks
from terradrift.detect.density.native import Kernels, pointers, sizes

_Part = TypeVar("_Part")
_Made = TypeVar("_Made")

_MORE = 6
"""Neighbours beyond those that core distances need."""
_SHARES = 8
"""Parts of the work for each thread, so that none waits long for another."""


@dataclass(frozen=True, slots=True, eq=False)
class Spanning:
    """A minimum spanning tree of n points, lightest edge first."""

    edges: NDArray[np.int32]
    """(n - 1, 2), rows of the points."""
    weights: NDArray[np.float64]
    """(n - 1,), squared mutual reachability."""


def spanning(
    points: NDArray[np.float32], min_samples: int, kernels: Kernels, *, threads: int = 1
) -> Spanning:
    """Find a minimum spanning tree of prepared points.

    Args:
        points: (n, d), as `prepared` gives them, n at least 2.
        min_samples: the neighbour whose distance is the core distance, 1 to n - 1.
        kernels: of the search.
        threads: that share the work; the weights do not depend on them.
    """
    n = len(points)
    space = blocks(points, kernels.blocks)
    k = min(min_samples + _MORE, n - 1)
    square, near = _near(space, k, kernels, threads)
    core = square[:, min_samples - 1].copy()
    grown = _Grown(space, square, near, core, kernels)
    while grown.many > 1:
        best = grown.lightest()
        sure = best.weight <= best.bound
        if not sure.any():
            sure = grown.search(best, threads)
        grown.join(best, sure)
    order = np.argsort(grown.weights, kind="stable")
    rows = space.order.astype(np.int32)
    return Spanning(rows[grown.edges[order]], grown.weights[order])


@dataclass(frozen=True, slots=True, eq=False)
class _Best:
    """The lightest edge that leaves each of m components, so far as is known."""

    weight: NDArray[np.float64]
    bound: NDArray[np.float64]
    """What no edge that is not known is lighter than."""
    start: NDArray[np.int32]
    end: NDArray[np.int32]


class _Grown:
    """Components that grow to one, and the edges that joined them."""

    def __init__(
        self,
        space: Blocks,
        square: NDArray[np.float64],
        near: NDArray[np.int32],
        core: NDArray[np.float64],
        kernels: Kernels,
    ) -> None:
        n, k = near.shape
        self.space, self.square, self.near, self.core = space, square, near, core
        self.kernels = kernels
        # Whom a point's list does not hold is at least as far as the last of the list;
        # where the list holds all, there is nobody else.
        whole = np.full(n, np.inf)
        self.low = whole if k == n - 1 else square[:, -1].copy()
        self.least = np.minimum.reduceat(core, space.start[:-1])
        self.component = np.arange(n, dtype=np.int32)
        self.next = np.zeros(n, np.int32)
        self.edges = np.empty((n - 1, 2), np.int32)
        self.weights = np.empty(n - 1)
        self.many = n

    def lightest(self) -> _Best:
        n, k = self.near.shape
        m = self.many
        best = _Best(
            np.empty(m), np.empty(m), np.zeros(m, np.int32), np.zeros(m, np.int32)
        )
        self.kernels.linkage.linkage_lightest(
            *sizes(n, k, m),
            *pointers(self.near, self.square, self.core, self.low, self.component),
            *pointers(self.next, best.weight, best.bound, best.start, best.end),
        )
        return best

    def search(self, best: _Best, threads: int) -> NDArray[np.bool_]:
        """Make `best` exact for all but the largest component; returns for which."""
        asked = np.ones(self.many, bool)
        asked[np.bincount(self.component, minlength=self.many).argmax()] = False
        mine = best.weight[self.component]
        open_ = asked[self.component] & (self.core < mine) & (self.low < mine)
        start = self.space.start[:-1]
        which = np.flatnonzero(np.logical_or.reduceat(open_, start))
        first = np.minimum.reduceat(self.component, start)
        last = np.maximum.reduceat(self.component, start)
        of = np.where(first == last, first, -1).astype(np.int32)
        wanted = asked.astype(np.uint8)

        def share(part: NDArray[np.int64]) -> _Best:
            part = np.ascontiguousarray(part)
            own = _Best(
                best.weight.copy(), best.bound, best.start.copy(), best.end.copy()
            )
            failed = self.kernels.density.density_leave(
                *sizes(self.kernels.widest),
                *self.space.arguments,
                *sizes(len(part)),
                *pointers(part, self.component, self.core, self.low, wanted, of),
                *pointers(self.least, own.weight, own.start, own.end),
            )
            _check(failed)
            return own

        for own in _spread(share, [which[i::threads] for i in range(threads)], threads):
            lighter = own.weight < best.weight
            for mine_, other in (
                (best.weight, own.weight),
                (best.start, own.start),
                (best.end, own.end),
            ):
                mine_[lighter] = other[lighter]
        return asked

    def join(self, best: _Best, sure: NDArray[np.bool_]) -> None:
        n = len(self.near)
        taken = sure.astype(np.uint8)
        count = self.kernels.linkage.linkage_join(
            *sizes(n, self.many),
            *pointers(self.component, taken, best.weight, best.start, best.end),
            *sizes(n - self.many),
            *pointers(self.edges, self.weights),
        )
        _check(count < 0)
        self.many = n - count


def _near(
    space: Blocks, k: int, kernels: Kernels, threads: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    n = len(space.rows)
    square, near = np.empty((n, k)), np.empty((n, k), np.int32)

    def share(part: tuple[int, int]) -> None:
        failed = kernels.density.density_near(
            *sizes(kernels.widest),
            *space.arguments,
            *sizes(k, *part),
            *pointers(square, near),
        )
        _check(failed)

    edges = np.linspace(0, len(space.start) - 1, threads * _SHARES + 1).astype(int)
    _spread(share, list(pairwise(edges.tolist())), threads)
    return square, near


def _spread(
    work: Callable[[_Part], _Made], parts: list[_Part], threads: int
) -> list[_Made]:
    if threads == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def _check(failed: int) -> None:
    if failed:
        raise MemoryError("no memory for the search of neighbours")
