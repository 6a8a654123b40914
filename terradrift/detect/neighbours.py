"""Exact nearest neighbours of rows: by a compiled kernel, by FAISS or by torch.

Ways of search only propose candidates; the answer does not depend on them. Distances are
those of differences of coordinates, equal ones are ordered by index, and a query is proven
when no row outside its candidates can be as near. Each pass takes the queries that the one
before left open:

* The kernel (the default on a CPU) takes bounds by integers, of 64 columns first where
  that pays (`pruned`); what it gives up goes to FAISS or torch.
* FAISS and torch give the nearest by float32 products, of 64 columns first where these
  prove most; on a GPU, of all columns by coarse products (TF32) first. The proof takes the
  largest error that such products can make.
* Float64 products close what is left: ties beyond the candidates, and clusters that are
  tight beside their distance from the mean.
"""

from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from terradrift import kernels
from terradrift.detect.candidates import candidates
from terradrift.detect.duplicates import groups, rank
from terradrift.detect.ranking import Among, Indices
from terradrift.detect.search import Search

Distances = NDArray[np.float32]

BACKENDS = ("auto", "faiss", "torch", "kernel")

_MOST = 256
"""Neighbours up to which the kernel keeps them in order as they come."""
_RARE = 256
"""Queries that are left to float64 products at once."""


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
    by_products = _installed() if backend == "kernel" else backend
    search = Search(
        queries,
        Among(rows, kept),
        np.arange(len(queries)) if exclude_self else None,
        np.empty((len(queries), k)),
        np.empty((len(queries), k), np.int64),
        partial(candidates, backend=by_products, device=device, threads=threads),
        threads,
    )
    center = base.mean(axis=0, dtype=np.float64).astype(np.float32)
    if backend != "kernel":
        todo = search.products(center, coarse=device != "cpu")
    elif len(todo := search.bounds(center)) > _RARE:
        todo = search.products(center, todo)
    search.finish(todo)
    return search.distances.astype(np.float32), search.indices


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
    if backend == "faiss" and _installed() != "faiss":
        raise ValueError(
            "backend faiss is not installed: pip install 'terradrift[cpu]', "
            "or use backend='torch'"
        )
    if backend == "faiss" and device != "cpu":
        raise ValueError(
            f"backend faiss runs on the cpu, got device {device!r}; use backend='torch'"
        )
    built = kernels.opened("neighbours") is not None
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
    return _installed()


def _installed() -> str:
    return "faiss" if find_spec("faiss") is not None else "torch"
