"""About the nearest rows, by float32 matrix products of FAISS or of torch."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terradrift.threads import single_blas

if TYPE_CHECKING:
    from torch import Tensor

Rows = NDArray[np.float32]
Indices = NDArray[np.int64]

_BLOCK_BYTES = 1 << 26
_DEVICE_BYTES = 1 << 31
"""Products that are held at once; of a million rows all would be 4 TB."""
_ACROSS = 1 << 17
_TOGETHER = 64
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
    queries: Rows,
    rows: Rows,
    width: int,
    *,
    backend: str,
    device: str,
    threads: int,
    coarse: bool = False,
) -> tuple[Indices, NDArray[np.float64]]:
    """Find about the `width` nearest rows of each query, in any order.

    By float32 products; where `coarse`, torch may take TF32 for them.

    Returns:
        (m, width) indices, and (m,) the largest squared distance among them as these
        products give it: every other row is at least as far by the same products.
    """
    if backend == "faiss":
        squared, near = _by_faiss(queries, rows, width, threads)
    else:
        squared, near = _by_torch(
            queries,
            rows,
            width,
            device=device,
            threads=threads,
            precision="high" if coarse else "highest",
        )
    return near.astype(np.int64), squared.max(axis=1).astype(np.float64)


def rounding(width: int, *, coarse: bool) -> float:
    """The largest error of a squared distance by `candidates` of `width` dimensions.

    Relative to the square of the sum of both lengths. Rounding of a float32 product of d
    terms, and of the coordinates themselves; those of TF32 have 10 bits of 23 and may be
    cut, not rounded: each coordinate loses up to 2**-10, their product twice that, of which
    the distance takes 2 in 4 parts of that square; doubled for safety.
    """
    return (width + 16) * 2.0**-23 + coarse * 2.0**-9


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
    queries: Rows,
    rows: Rows,
    width: int,
    *,
    device: str,
    threads: int,
    precision: str,
) -> tuple[Rows, Indices]:
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} asked for, but torch sees no CUDA device")
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)  # the proof counts on its bits
    try:
        base = torch.from_numpy(rows).to(device)
        norms = (base * base).sum(dim=1)
        bytes_ = _BLOCK_BYTES if device == "cpu" else _DEVICE_BYTES
        # Blocks of both: a million rows leave few queries to a block of all rows.
        across = min(len(rows), max(width, _ACROSS))
        step = max(1, bytes_ // (4 * across))
        squared, near = [], []
        for start in range(0, len(queries), step):
            block = torch.from_numpy(queries[start : start + step]).to(device)
            values = block.new_empty((len(block), 0))
            indices = torch.empty((len(block), 0), dtype=torch.int64, device=device)
            for first in range(0, len(rows), across):
                part = base[first : first + across]
                shifted = torch.addmm(
                    norms[first : first + across], block, part.T, alpha=-2
                )
                least, at = _least(shifted, min(width, len(part)))
                values = torch.cat([values, least], dim=1)
                indices = torch.cat([indices, at + first], dim=1)
                if values.shape[1] > width:
                    values, at = values.topk(width, dim=1, largest=False, sorted=False)
                    indices = indices.gather(1, at)
            own = (block * block).sum(dim=1, keepdim=True)
            squared.append((values + own).cpu().numpy())
            near.append(indices.cpu().numpy())
    finally:
        torch.set_num_threads(before[0])
        torch.set_float32_matmul_precision(before[1])
    return np.concatenate(squared), np.concatenate(near)


def _least(values: "Tensor", width: int) -> tuple["Tensor", "Tensor"]:
    """(m, width) smallest of each row of (m, n), in any order, and their columns.

    The smallest `width` stand in the `width` groups of columns with the smallest minima:
    one reading of all values, and a selection among few.
    """
    import torch

    m, n = values.shape
    groups = n // _TOGETHER
    if groups <= 2 * width:
        return values.topk(width, dim=1, largest=False, sorted=False)
    whole = groups * _TOGETHER
    grouped = values[:, :whole].view(m, groups, _TOGETHER)
    best = grouped.amin(dim=2).topk(width, dim=1, largest=False, sorted=False).indices
    inside = torch.arange(_TOGETHER, device=values.device)
    column = (best[:, :, None] * _TOGETHER + inside).flatten(1)
    rest = torch.arange(whole, n, device=values.device).expand(m, -1)
    column = torch.cat([column, rest], dim=1)
    found = values.gather(1, column).topk(width, dim=1, largest=False, sorted=False)
    return found.values, column.gather(1, found.indices)
