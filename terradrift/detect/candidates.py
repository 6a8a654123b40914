"""About the nearest rows, by float32 matrix products of FAISS or of torch."""

import numpy as np
from numpy.typing import NDArray

from terradrift.threads import single_blas

Rows = NDArray[np.float32]
Indices = NDArray[np.int64]

_BLOCK_BYTES = 1 << 26
_COMPONENTS = 63
_SAMPLE = 4096
_ROWS = 512


def project(queries: Rows, rows: Rows, center: Rows | float = 0.0) -> tuple[Rows, Rows]:
    """Shorten (m, d) and (n, d) to 64 columns that never make a distance longer.

    The first 63 principal components around `center`, and the length of what they leave
    out: by the triangle inequality, what two rows leave out is at least as far apart as
    its lengths. Of rows that are their own queries, one array is returned twice.
    """
    from scipy.linalg import eigh  # before the threads of its BLAS are limited

    width = rows.shape[1]
    with single_blas():
        sample = rows[:: max(1, len(rows) // _SAMPLE)].astype(np.float64) - center
        last = (width - _COMPONENTS, width - 1)
        _, axes = eigh(sample.T @ sample, subset_by_index=last)
        short = _shortened(rows, axes, center)
        return (short if queries is rows else _shortened(queries, axes, center)), short


def _shortened(rows: Rows, axes: NDArray[np.float64], center: Rows | float) -> Rows:
    short = np.empty((len(rows), axes.shape[1] + 1), np.float32)
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS].astype(np.float64) - center
        part = block @ axes
        left = (block**2).sum(axis=1) - (part**2).sum(axis=1)
        short[start : start + _ROWS, :-1] = part
        short[start : start + _ROWS, -1] = np.sqrt(np.maximum(left, 0))
    return short


def candidates(
    queries: Rows, rows: Rows, width: int, *, backend: str, device: str, threads: int
) -> tuple[Indices, NDArray[np.float64]]:
    """Find about the `width` nearest rows of each query, in any order.

    Returns:
        (m, width) indices, and (m,) the largest squared distance among them as float32
        products give it: every other row is at least as far by the same products.
    """
    if backend == "faiss":
        squared, near = _by_faiss(queries, rows, width, threads)
    else:
        squared, near = _by_torch(queries, rows, width, device, threads)
    return near.astype(np.int64), squared.max(axis=1).astype(np.float64)


def _by_faiss(
    queries: Rows, rows: Rows, width: int, threads: int
) -> tuple[Rows, Indices]:
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        squared, near = faiss.knn(queries, rows, width)
    finally:
        faiss.omp_set_num_threads(before)
    return squared, near


def _by_torch(
    queries: Rows, rows: Rows, width: int, device: str, threads: int
) -> tuple[Rows, Indices]:
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} asked for, but torch sees no CUDA device")
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")  # the proof counts on 24 bits
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
        torch.set_num_threads(before[0])
        torch.set_float32_matmul_precision(before[1])
    return np.concatenate(squared), np.concatenate(near)
