"""Exact nearest neighbours of rows, by FAISS where it is installed and by torch elsewhere.

Both backends only propose candidates, by float32 matrix products. The answer is made here
and does not depend on them: candidates are ranked again by differences of coordinates,
and a row is taken as proven when no row outside its candidates can be as near, given the
largest error that such a product can make. Rows without that proof (ties beyond the
candidates, clusters that are tight beside their distance from the origin) are searched
again by float64 products. Equal distances are ordered by index.
"""

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.duplicates import groups, rank

Distances = NDArray[np.float32]
Indices = NDArray[np.int64]

BACKENDS = ("auto", "faiss", "torch")

_BLOCK_BYTES = 1 << 26
_MIN_SPARE = 8
"""Candidates beyond `k`; half of `k` where that is more."""


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
    own = np.arange(len(queries)) if exclude_self else None
    rows = base if len(kept) == len(base) else base[kept]
    width = min(len(rows), k + exclude_self + max(_MIN_SPARE, k // 2))
    center = base.mean(axis=0, dtype=np.float64).astype(np.float32)
    near, beyond = _candidates(
        queries - center,
        rows - center,
        width,
        backend=backend,
        device=device,
        threads=threads,
    )
    among = _Among(rows, kept)
    distances, order = _ranked(queries, among, near, own, k)
    if width < len(rows):
        norms = np.linalg.norm((queries - center).astype(np.float64), axis=1)
        reach = distances[:, -1]
        slack = (queries.shape[1] + 16) * 2.0**-23 * (2 * norms + reach) ** 2
        open_ = np.flatnonzero(beyond <= reach**2 + slack)
        if len(open_):
            distances[open_], order[open_] = _searched(
                queries[open_],
                among,
                None if own is None else own[open_],
                reach[open_],
                k,
            )
    return distances.astype(np.float32), order


@dataclass(frozen=True, slots=True, eq=False)
class _Among:
    """Rows to search, and where they stand in `base`."""

    rows: NDArray[np.float32]
    index: Indices


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


def _candidates(
    queries: NDArray[np.float32],
    rows: NDArray[np.float32],
    width: int,
    *,
    backend: str,
    device: str,
    threads: int,
) -> tuple[Indices, NDArray[np.float64]]:
    """(m, width) indices of about the nearest, and (m,) the largest squared distance among them."""
    if backend == "faiss":
        import faiss

        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(threads)
        try:
            squared, near = faiss.knn(queries, rows, width)
        finally:
            faiss.omp_set_num_threads(before)
    else:
        squared, near = _by_torch(queries, rows, width, device, threads)
    return near.astype(np.int64), squared.max(axis=1).astype(np.float64)


def _by_torch(
    queries: NDArray[np.float32],
    rows: NDArray[np.float32],
    width: int,
    device: str,
    threads: int,
) -> tuple[NDArray[np.float32], Indices]:
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} asked for, but torch sees no CUDA device")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        base = torch.from_numpy(rows).to(device)
        norms = (base * base).sum(dim=1)
        step = max(1, _BLOCK_BYTES // (4 * len(rows)))
        squared, near = [], []
        for start in range(0, len(queries), step):
            block = torch.from_numpy(queries[start : start + step]).to(device)
            shifted = torch.addmm(norms, block, base.T, alpha=-2)
            found = shifted.topk(width, dim=1, largest=False)
            own = (block * block).sum(dim=1, keepdim=True)
            squared.append((found.values + own).cpu().numpy())
            near.append(found.indices.cpu().numpy())
    finally:
        torch.set_num_threads(before)
    return np.concatenate(squared), np.concatenate(near)


def _ranked(
    queries: NDArray[np.float32],
    among: _Among,
    near: Indices,
    own: Indices | None,
    k: int,
) -> tuple[NDArray[np.float64], Indices]:
    """The `k` nearest among the candidates, by exact distance and then index."""
    distances = np.empty((len(queries), k))
    indices = np.empty((len(queries), k), np.int64)
    near = np.sort(near, axis=1)
    step = max(1, _BLOCK_BYTES // (4 * near.shape[1] * queries.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        gaps = among.rows[near[part]]  # (rows, candidate, d)
        gaps -= queries[part, None]
        exact = np.sqrt(np.einsum("mcd,mcd->mc", gaps, gaps, dtype=np.float64))
        found = among.index[near[part]]
        if own is not None:
            exact[found == own[part, None]] = np.inf
        order = np.argsort(exact, axis=1, kind="stable")[:, :k]
        distances[part] = np.take_along_axis(exact, order, axis=1)
        indices[part] = np.take_along_axis(found, order, axis=1)
    return distances, indices


def _searched(
    queries: NDArray[np.float32],
    among: _Among,
    own: Indices | None,
    reach: NDArray[np.float64],
    k: int,
) -> tuple[NDArray[np.float64], Indices]:
    """The `k` nearest among all rows, of which `k` are known to lie within `reach`."""
    base = among.rows.astype(np.float64)
    norms = np.einsum("nd,nd->n", base, base)
    distances = np.empty((len(queries), k))
    indices = np.empty((len(queries), k), np.int64)
    step = max(1, _BLOCK_BYTES // (16 * len(base)))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        block = queries[part].astype(np.float64)
        squares = np.einsum("md,md->m", block, block)
        slack = (base.shape[1] + 16) * 2.0**-52
        limit = reach[part] ** 2 * (1 + 1e-6)
        limit += slack * (2 * np.sqrt(squares) + reach[part]) ** 2
        products = block @ base.T
        inside = norms - 2 * products <= (limit - squares)[:, None]
        row, col = np.nonzero(inside)
        exact = _apart(queries[part], among.rows, row, col)
        found = among.index[col]
        if own is not None:
            exact[found == own[part][row]] = np.inf
        order = np.lexsort((found, exact, row))
        first = np.searchsorted(row, np.arange(len(block)))
        take = order[first[:, None] + np.arange(k)]
        distances[part], indices[part] = exact[take], found[take]
    return distances, indices


def _apart(
    queries: NDArray[np.float32],
    rows: NDArray[np.float32],
    row: NDArray[np.intp],
    col: NDArray[np.intp],
) -> NDArray[np.float64]:
    """(pairs,) Euclidean distance of `queries[row]` and `rows[col]`."""
    exact = np.empty(len(row))
    step = max(1, _BLOCK_BYTES // (4 * rows.shape[1]))
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        gaps = rows[col[part]] - queries[row[part]]
        exact[part] = np.sqrt(np.einsum("pd,pd->p", gaps, gaps, dtype=np.float64))
    return exact
