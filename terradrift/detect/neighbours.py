"""Exact nearest neighbours of rows: by a compiled kernel, by FAISS or by torch.

Ways of search only propose candidates; the answer does not depend on them. Distances are
those of differences of coordinates, equal ones are ordered by index, and a query is proven
when no row outside its candidates can be as near. Each pass takes the queries that the one
before left open:

* The kernel (the default on a CPU) takes bounds by integers, of 64 columns first where
  that pays (`pruned`).
* FAISS and torch give the nearest by float32 products, of 64 columns first where vectors
  are long and lie near fewer dimensions; the proof takes the largest error that such
  products can make.
* Float64 products close what is left: ties beyond the candidates, and clusters that are
  tight beside their distance from the mean.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from terradrift import kernels
from terradrift.detect.candidates import candidates, project
from terradrift.detect.duplicates import groups, rank
from terradrift.detect.pruned import Pruned
from terradrift.detect.ranking import Among, Exact, Indices, Rows, ranked, searched

Distances = NDArray[np.float32]

BACKENDS = ("auto", "faiss", "torch", "kernel")

_SPARE = 8
"""Candidates beyond `k`; half of `k` where that is more."""
_SHORT_SPARE = 18
"""More candidates where they are chosen by fewer dimensions: 48 in all for k = 20."""
_WIDE, _MANY = 128, 4096
"""Dimensions and rows from which fewer dimensions pay."""
_PROBE = 256
"""Queries on which it is tried whether they do: where `_WORTH` stay open, they do not."""
_WORTH = 0.5
_MOST = 256
"""Neighbours up to which the kernel keeps them in order as they come."""
_FEW = 64
_CALL = 500
"""Columns of products in the time that it takes to compare one more pair of rows; each
column of such a pair takes that of `_APART` columns of products."""
_APART = 2.6
_LEAST = 1024
"""Rows that any query may be compared with one by one."""


def knn(
    queries: NDArray[np.floating],
    base: NDArray[np.floating],
    k: int,
    *,
    exclude_self: bool = False,
    backend: str = "auto",
    device: str = "cpu",
    threads: int = 1,
) -> tuple[Distances, Indices]:
    """Find the `k` rows of `base` nearest to each row of `queries`, nearest first.

    Exact Euclidean distance; equal distances in ascending order of index. Memory beside
    the result and two copies of the inputs (float32, and the kernel's 16-bit integers) is
    bounded.

    Args:
        queries: (m, d), finite.
        base: (n, d), finite.
        k: between 1 and n, or n - 1 with `exclude_self`.
        exclude_self: `queries` is `base`, and row i is not a neighbour of row i.
        backend: `kernel`, `faiss`, `torch`, or `auto`: on the CPU the kernel where it is
            built and `k` at most 256, else FAISS where it is installed; otherwise torch.
        device: of torch: `cpu`, `cuda`, `cuda:1`.
        threads: of the search.

    Returns:
        (m, k) distances and (m, k) indices into `base`.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, `k` out of range,
            a backend or device that is not known or not there.
    """
    same = queries is base
    base = _rows("base", base)
    queries = base if same else _rows("queries", queries)
    _check(queries, base, k, exclude_self=exclude_self)
    backend = _backend(backend, device, k)
    if len(queries) == 0:
        return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
    # A row with k + 1 equal rows before it is nobody's k nearest: those come first.
    kept = np.flatnonzero(rank(groups(base)) <= k)
    rows = base if len(kept) == len(base) else base[kept]
    search = _Search(
        queries,
        Among(rows, kept),
        np.arange(len(queries)) if exclude_self else None,
        np.empty((len(queries), k)),
        np.empty((len(queries), k), np.int64),
        partial(candidates, backend=backend, device=device, threads=threads),
        threads,
    )
    center = base.mean(axis=0, dtype=np.float64).astype(np.float32)
    if backend == "kernel":
        todo = search.prune(center)
    else:
        todo = search.run(queries - center, rows - center)
    search.finish(todo)
    return search.distances.astype(np.float32), search.indices


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """One search, and what it has found so far."""

    queries: Rows
    among: Among
    own: Indices | None
    distances: Exact
    indices: Indices
    candidates: Callable[[Rows, Rows, int], tuple[Indices, Exact]]
    threads: int

    def prune(self, center: Rows) -> Indices:
        """Search by the kernel; returns the queries that it gave up."""
        rows, todo = self.among.rows, np.arange(len(self.queries))
        n, width = rows.shape
        short = project(self.queries, rows, center) if self._long() else None
        pruned = Pruned(self.queries, self.among, self.own, center, short)
        apiece = _CALL + _APART * width
        least = max(_LEAST, 4 * self.distances.shape[1])
        if short is not None:
            probe = todo[:: len(todo) // _PROBE]
            apart = self._take(pruned, probe, few=True, budget=n)
            if _FEW * n + apiece * apart.mean() < width * n:
                budget = max(least, int(width * n / apiece))
                apart = self._take(pruned, todo, few=True, budget=budget)
                todo = todo[apart > budget]
        if len(todo):
            budget = max(least, n // 6)  # by then, all by float64 costs no more
            todo = todo[self._take(pruned, todo, few=False, budget=budget) > budget]
        return todo

    def _take(
        self, pruned: Pruned, todo: Indices, *, few: bool, budget: int
    ) -> NDArray[np.int64]:
        """Answer the queries `todo`; returns how many rows each was compared with."""
        self.distances[todo], self.indices[todo], apart = pruned.nearest(
            todo, self.distances.shape[1], few=few, budget=budget, threads=self.threads
        )
        return apart

    def _long(self) -> bool:
        """Whether fewer dimensions may pay."""
        rows = self.among.rows
        return rows.shape[1] >= _WIDE and min(len(self.queries), len(rows)) >= _MANY

    def run(self, queries: Rows, rows: Rows) -> Indices:
        """Search by candidates from `queries` and `rows`, which are around their mean.

        Returns the queries that are not proven.
        """
        todo = np.arange(len(queries))
        if self._long():
            short = project(queries, rows)
            probe = todo[:: len(todo) // _PROBE]
            if len(self._prove(probe, *short, _SHORT_SPARE)) < _WORTH * len(probe):
                todo = self._prove(todo, *short, _SHORT_SPARE)
        return self._prove(todo, queries, rows, 0) if len(todo) else todo

    def finish(self, todo: Indices) -> None:
        """Answer the queries `todo`, of whose last distance no less is known."""
        if len(todo):
            self.distances[todo], self.indices[todo] = searched(
                self.queries[todo],
                self.among,
                self._own(todo),
                self.distances[todo, -1],
                self.distances.shape[1],
            )

    def _prove(self, todo: Indices, queries: Rows, rows: Rows, spare: int) -> Indices:
        """Answer the queries `todo` from candidates; returns those without proof."""
        k = self.distances.shape[1]
        width = k + (self.own is not None) + max(_SPARE, k // 2) + spare
        width = min(width, len(rows))
        near, beyond = self.candidates(queries[todo], rows, width)
        self.distances[todo], self.indices[todo] = ranked(
            self.queries[todo],
            self.among,
            near,
            self._own(todo),
            k,
            threads=self.threads,
        )
        if width == len(rows):
            return todo[:0]
        # Rounding of a float32 product of d terms, and of the coordinates themselves.
        slack = (queries.shape[1] + 16) * 2.0**-23
        norms = np.linalg.norm(queries[todo].astype(np.float64), axis=1)
        reach = self.distances[todo, -1]
        open_ = beyond <= reach**2 + slack * (2 * norms + reach) ** 2
        return np.asarray(todo[open_])

    def _own(self, todo: Indices) -> Indices | None:
        return None if self.own is None else self.own[todo]


def _rows(name: str, rows: NDArray[np.floating]) -> NDArray[np.float32]:
    if rows.ndim != 2:
        raise ValueError(f"{name} must be rows (n, d), got shape {rows.shape}")
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    if rows.size and not np.isfinite([rows.min(), rows.max()]).all():
        bad = int((~np.isfinite(rows)).any(axis=1).sum())
        raise ValueError(
            f"{name} must be finite, got {bad} rows with NaN or infinity; leave them out"
        )
    return rows


def _check(
    queries: NDArray[np.float32],
    base: NDArray[np.float32],
    k: int,
    *,
    exclude_self: bool,
) -> None:
    if queries.shape[1] != base.shape[1]:
        raise ValueError(
            f"queries have {queries.shape[1]} dimensions, base has {base.shape[1]}"
        )
    if exclude_self and len(queries) != len(base):
        raise ValueError(
            "exclude_self needs the same rows as queries and base, "
            f"got {len(queries)} and {len(base)} rows"
        )
    most = len(base) - exclude_self
    if not 1 <= k <= most:
        others = "other rows" if exclude_self else "rows"
        raise ValueError(f"k must be between 1 and {most} {others}, got {k}")


def _backend(backend: str, device: str, k: int) -> str:
    if backend not in BACKENDS:
        raise ValueError(
            f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}"
        )
    installed = find_spec("faiss") is not None
    if backend == "faiss" and not installed:
        raise ValueError(
            "backend faiss is not installed: pip install 'terradrift[cpu]', "
            "or use backend='torch'"
        )
    if backend == "faiss" and device != "cpu":
        raise ValueError(
            f"backend faiss runs on the cpu, got device {device!r}; use backend='torch'"
        )
    built = kernels.library("neighbours") is not None
    if backend == "kernel" and not built:
        raise ValueError(
            "backend kernel was not built, or TERRADRIFT_KERNELS is off; "
            "use backend='torch'"
        )
    if backend == "kernel" and device != "cpu":
        raise ValueError(
            f"backend kernel runs on the cpu, got device {device!r}; "
            "use backend='torch'"
        )
    if backend != "auto":
        return backend
    if device != "cpu":
        return "torch"
    if built and k <= _MOST:
        return "kernel"
    return "faiss" if installed else "torch"
