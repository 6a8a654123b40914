"""Exact nearest neighbours of rows, by FAISS where it is installed and by torch elsewhere.

Backends only propose candidates, by float32 matrix products. The answer is made here and
does not depend on them: candidates are ranked again by differences of coordinates, and
a query is proven when no row outside its candidates can be as near, given the largest
error that such products can make. Three passes, each over the queries that the one before
left open: products of 64 columns that never make a distance longer, where vectors are
long and lie near fewer dimensions; products of all columns; float64 products (ties beyond
the candidates, clusters that are tight beside their distance from the mean). Equal
distances are ordered by index.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.candidates import candidates, project
from terradrift.detect.duplicates import groups, rank
from terradrift.detect.ranking import Among, Exact, Indices, Rows, ranked, searched

Distances = NDArray[np.float32]

BACKENDS = ("auto", "faiss", "torch")

_SPARE = 8
"""Candidates beyond `k`; half of `k` where that is more."""
_SHORT_SPARE = 18
"""More candidates where they are chosen by fewer dimensions: 48 in all for k = 20."""
_WIDE, _MANY = 128, 4096
"""Dimensions and rows from which fewer dimensions pay."""
_PROBE = 256
"""Queries on which it is tried whether they do: where `_WORTH` stay open, they do not."""
_WORTH = 0.5


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
    the result and one float32 copy of the inputs is bounded.

    Args:
        queries: (m, d), finite.
        base: (n, d), finite.
        k: between 1 and n, or n - 1 with `exclude_self`.
        exclude_self: `queries` is `base`, and row i is not a neighbour of row i.
        backend: `faiss`, `torch`, or `auto`: FAISS where it is installed and the device
            is the CPU, otherwise torch.
        device: of torch: `cpu`, `cuda`, `cuda:1`.
        threads: of the matrix products.

    Returns:
        (m, k) distances and (m, k) indices into `base`.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, `k` out of range,
            a backend or device that is not known or not there.
    """
    queries, base = _rows("queries", queries), _rows("base", base)
    _check(queries, base, k, exclude_self=exclude_self)
    backend = _backend(backend, device)
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
    search.run(queries - center, rows - center)
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

    def run(self, queries: Rows, rows: Rows) -> None:
        """Search by candidates from `queries` and `rows`, which are around their mean."""
        todo = np.arange(len(queries))
        if queries.shape[1] >= _WIDE and min(len(queries), len(rows)) >= _MANY:
            short = project(queries, rows)
            probe = todo[:: len(todo) // _PROBE]
            if len(self._prove(probe, *short, _SHORT_SPARE)) < _WORTH * len(probe):
                todo = self._prove(todo, *short, _SHORT_SPARE)
        if len(todo):
            todo = self._prove(todo, queries, rows, 0)
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
    if not np.isfinite(rows).all():
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


def _backend(backend: str, device: str) -> str:
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
    if backend == "auto":
        return "faiss" if installed and device == "cpu" else "torch"
    return backend
