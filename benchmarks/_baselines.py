"""Simple scores of change by the band means of the same patches and dates."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import drift
from terradrift.detect.calibrate import masked_median
from terradrift.detect.settings import Settings
from terradrift.series import Series


def baselines(series: list[Series], bands: int) -> dict[str, NDArray[np.float64]]:
    """Patch scores by band means, which lead the spectral vectors."""
    out: dict[str, list[NDArray[np.float64]]] = {}
    for part in series:
        clear = np.nan_to_num(part.clear_percent) >= Settings().min_clear
        means = part.vectors[..., :bands].astype(np.float32)
        for name, score in _simple(means, clear):
            out.setdefault(name, []).append(score)
    return {name: np.concatenate(parts) for name, parts in out.items()}


def _simple(
    means: NDArray[np.float32], clear: NDArray[np.bool_]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    n, t = clear.shape
    unit = drift.unit(means)
    cosine, median, four = np.zeros((3, n))
    away = np.full((n, t), np.nan)
    for at in range(1, t):
        before = clear.copy()
        before[:, at:] = False
        rows = np.flatnonzero(clear[:, at] & before.any(axis=1))
        last = t - 1 - before[rows, ::-1].argmax(axis=1)
        step = 1 - np.einsum("nd,nd->n", unit[rows, at], unit[rows, last])
        cosine[rows] = np.maximum(cosine[rows], step)
        past = masked_median(means[rows], before[rows])
        away[rows, at] = np.linalg.norm(means[rows, at] - past, axis=1)
        order = np.cumsum(clear & ~before, axis=1)
        next_ = clear & ~before & (order <= 4)
        enough = (next_[rows].sum(axis=1) == 4) & (before[rows].sum(axis=1) >= 4)
        if enough.any():
            rows = rows[enough]
            gap = np.linalg.norm(
                masked_median(means[rows], next_[rows]) - past[enough], axis=1
            )
            four[rows] = np.maximum(four[rows], gap)
    seen = np.isfinite(away).any(axis=1)
    median[seen] = np.nanquantile(away[seen], 0.9, axis=1)
    yield "cosine of bands to the previous date", cosine
    yield "temporal median", median
    yield "four-date median vs history", four
