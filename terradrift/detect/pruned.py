"""Nearest neighbours by the compiled kernel: exact, and without reading what is far.

Rows are told twice by 16-bit integers: in few columns and in all. Integers are never
farther apart than the rows are, but for a slack that is known for each row, and products
of integers are exact: so the triangle inequality proves of most rows that they are no
neighbours, a tile of 256 at once, or one by one by the few columns, or by all. The rest is
compared in float32, as `ranking.ranked` does. A query that asks for too much of that is
given up, and left to the caller.
"""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from terradrift import kernels
from terradrift.detect.integers import Integers, lengths, rounded, step_of
from terradrift.detect.ranking import Among, Exact, Indices, Rows
from terradrift.detect.tiles import GROUP, PANEL, TILE, balls, leaves, panels

_JOB = 16 * GROUP


class _Integers(ctypes.Structure):
    _fields_ = (
        ("columns", ctypes.c_int64),
        ("step", ctypes.c_double),
        ("queries", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("half", ctypes.c_void_p),
        ("squares", ctypes.c_void_p),
        ("slack", ctypes.c_void_p),
    )


class _Search(ctypes.Structure):
    _fields_ = (
        ("n_queries", ctypes.c_int64),
        ("n_rows", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("k", ctypes.c_int64),
        ("budget", ctypes.c_int64),
        ("budget_in_full", ctypes.c_int64),
        ("few", _Integers),
        ("all", _Integers),
        ("place", ctypes.c_void_p),
        ("queries", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("index", ctypes.c_void_p),
        ("own", ctypes.c_void_p),
        ("centers", ctypes.c_void_p),
        ("radii", ctypes.c_void_p),
        ("distances", ctypes.c_void_p),
        ("found", ctypes.c_void_p),
        ("compared", ctypes.c_void_p),
        ("in_full", ctypes.c_void_p),
    )


class Pruned:
    """Rows to search and queries, prepared; `nearest` answers some of the queries.

    Args:
        queries: (m, d); the rows of `among` themselves where they are to be searched for.
        among: (n, d), and where its rows stand.
        own: (m,) rows that are no neighbour of their query.
        center: (d,), near the mean.
        short: (m, c) and (n, c), few columns, never farther apart than the rows around
            their center.
    """

    def __init__(
        self,
        queries: Rows,
        among: Among,
        own: Indices | None,
        center: Rows,
        short: tuple[Rows, Rows] | None = None,
    ) -> None:
        self._center, self._short = center, short
        few = short or (queries, among.rows)
        order = leaves(few[1], TILE)
        self._alike = queries is among.rows
        self._turn = order if self._alike else leaves(few[0], GROUP)
        self._rows = np.ascontiguousarray(among.rows[order])
        self._queries = self._rows if self._alike else queries[self._turn]
        self._order = order
        self._index = among.index[order]
        self._own = None if own is None else own[self._turn]

    @cached_property
    def _all(self) -> tuple[Integers, Integers]:
        return self._integers(self._queries, self._rows, self._center, 2.0**-22)

    @cached_property
    def _few(self) -> tuple[Integers, Integers]:
        if self._short is None:
            return self._all
        queries, rows = self._short
        # Coordinates in float32, and a last column that is a difference of squares.
        loose = 2.0**-21 + self._rows.shape[1] ** 0.5 * 2.0**-25
        none = np.zeros(rows.shape[1], np.float32)
        rows = rows[self._order]
        asked = rows if self._alike else queries[self._turn]
        return self._integers(asked, rows, none, loose)

    def _integers(
        self, queries: Rows, rows: Rows, center: Rows, loose: float
    ) -> tuple[Integers, Integers]:
        long = lengths(rows, center)
        step = step_of(long, *([] if self._alike else [lengths(queries, center)]))
        told = rounded(rows, center, step, loose)
        asked = told if self._alike else rounded(queries, center, step, loose)
        return asked, told

    def nearest(
        self, todo: Indices, k: int, *, few: bool, budget: int, threads: int = 1
    ) -> tuple[Exact, Indices, NDArray[np.int64]]:
        """Find the `k` rows nearest to the queries `todo` (q,).

        Args:
            todo: which queries.
            k: neighbours, at most the rows that are not the query's own.
            few: ask few columns first, otherwise all at once.
            budget: rows that a query may be compared with one by one.
            threads: at once.

        Returns:
            (q, k) distances, (q, k) indices and (q,) how many rows each was compared
            with; a query with more than `budget` was given up: its distances are no
            answer, but the last of them is no less than the answer's.
        """
        place = np.empty_like(self._turn)
        place[self._turn] = np.arange(len(self._turn))
        at = place[todo]
        turn = np.argsort(at)
        at = at[turn]
        first = self._few if few else self._all
        distances = np.full((len(at), k), np.inf)
        found = np.full((len(at), k), -1, np.int64)
        compared, in_full = np.zeros((2, len(at)), np.int64)
        asked: dict[str, NDArray[np.generic]] = {
            "place": at,
            "distances": distances,
            "found": found,
            "compared": compared,
            "in_full": in_full,
        }
        centers, radii = balls(first[1].ints)
        fixed: dict[str, NDArray[np.generic]] = {
            "queries": self._queries,
            "rows": self._rows,
            "index": self._index,
            "centers": centers,
            "radii": radii,
        }
        if self._own is not None:
            fixed["own"] = self._own
        # The structures hold addresses only: the arrays must live meanwhile.
        few_told, _few = _told(*first, by_panel=True)
        all_told, _all = _told(*self._all, by_panel=False)
        library = kernels.opened("neighbours")
        if library is None:
            raise RuntimeError("the kernel neighbours was not built")

        def ask(start: int) -> None:
            part = {name: array[start : start + _JOB] for name, array in asked.items()}
            search = _Search(
                n_queries=len(part["place"]),
                n_rows=len(self._rows),
                width=self._rows.shape[1],
                k=k,
                budget=budget,
                budget_in_full=budget,
                few=few_told,
                all=all_told,
                **{name: _address(array) for name, array in (fixed | part).items()},
            )
            if library.nearest(ctypes.byref(search)):
                raise MemoryError("no memory for the candidates of nearest neighbours")

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(ask, range(0, len(at), _JOB)))
        back = np.empty_like(turn)
        back[turn] = np.arange(len(turn))
        np.maximum(compared, in_full, out=compared)
        return distances[back], found[back], compared[back]


def _told(
    queries: Integers, rows: Integers, *, by_panel: bool
) -> tuple[_Integers, list[NDArray[np.generic]]]:
    """Integers as the kernel takes them, and the arrays that must live meanwhile."""
    half = np.pad(rows.squares // 2, (0, -len(rows.ints) % PANEL)).astype(np.int32)
    arrays = {
        "queries": queries.ints,
        "rows": panels(rows.ints) if by_panel else rows.ints,
        "half": half,
        "squares": queries.squares,
        "slack": queries.slack + rows.slack.max(initial=0),
    }
    told = _Integers(
        columns=rows.ints.shape[1],
        step=rows.step,
        **{name: _address(array) for name, array in arrays.items()},
    )
    return told, list(arrays.values())


def _address(array: NDArray[np.generic]) -> int:
    if not array.flags.c_contiguous:
        raise ValueError("expected an array in C order")
    return int(array.ctypes.data)
