"""Score maps of any patch size on one common grid, and how well they tell what changed (pure).

Scored on its own grid, each model has other units and other positives, and no two numbers
compare. Here every map is taken to the ground it covers, averaged over the cells of one grid,
and held to one truth: the share g of a cell that changed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from terradrift.evaluate import measures

SHARES = (0.0, 0.25, 0.5, 1.0)
"""A cell changed where its share is above the first, or at least one of the others."""
_KNOWN = 0.5
"""Share of a cell that must be scored for the cell to be."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A grid of squares, north up, in the CRS of the patches."""

    west: float
    """Metres."""
    north: float
    size: float
    """Side of a cell, metres."""
    rows: int
    cols: int


def common_grid(
    score: NDArray[np.floating],
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    patch_size: float,
    cells: Cells,
) -> NDArray[np.float64]:
    """(rows, cols) mean score over the ground of each cell, weighted by area.

    The same as spreading scores out to pixels and averaging these, for any size of pixel
    that divides both. Scores that are NaN have no weight; a cell is NaN where less than half
    of it is scored.

    Args:
        score: (n,), of patches.
        row: (n,), of the archive's grid: northward, so that a patch reaches from
            `row * patch_size` to `(row + 1) * patch_size`.
        col: (n,), eastward.
        patch_size: metres.
        cells: of the common grid.

    Raises:
        ValueError: arrays of unequal length, or two patches at one place.
    """
    if not len(score) == len(row) == len(col):
        raise ValueError(
            f"expected a row and a column of each patch, got {len(score)} scores, "
            f"{len(row)} rows and {len(col)} columns"
        )
    if len(score) == 0:
        return np.full((cells.rows, cells.cols), np.nan)
    top, left = int(row.max()), int(col.min())
    whole = np.full((top - int(row.min()) + 1, int(col.max()) - left + 1), np.nan)
    place = (top - row, col - left)
    if len(np.unique(np.ravel_multi_index(place, whole.shape))) < len(score):
        raise ValueError("expected one patch at a place, got two; pass one tile grid")
    whole[place] = score
    # Along an axis, how many metres of each cell each row or column of patches holds.
    down = _Steps(cells.north, cells.size, cells.rows).shared(
        _Steps((top + 1) * patch_size, patch_size, whole.shape[0])
    )
    across = _Steps(-cells.west, cells.size, cells.cols).shared(
        _Steps(-left * patch_size, patch_size, whole.shape[1])
    )
    known = np.isfinite(whole)
    total = down @ np.where(known, whole, 0.0) @ across.T
    area = down @ known.astype(np.float64) @ across.T
    enough = area >= _KNOWN * cells.size**2
    mean: NDArray[np.float64] = np.full_like(total, np.nan)
    np.divide(total, area, out=mean, where=enough)
    return mean


@dataclass(frozen=True, slots=True)
class _Steps:
    """Equal steps along an axis, down from an edge."""

    edge: float
    size: float
    count: int

    def shared(self, other: "_Steps") -> NDArray[np.float64]:
        """(count, count of the other) metres that steps of both share."""
        high, others = (
            one.edge - one.size * np.arange(one.count) for one in (self, other)
        )
        top = np.minimum.outer(high, others)
        bottom = np.maximum.outer(high - self.size, others - other.size)
        shared: NDArray[np.float64] = np.maximum(top - bottom, 0.0)
        return shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """How well scores of cells tell which share of them changed."""

    roc_auc: dict[float, float]
    """Share to ROC-AUC of the cells that reach it against all others; NaN without both."""
    average_precision: float
    """At a share of 0.5."""
    floor: float
    """What chance gives for it."""
    spearman: float
    """Rank correlation of score and share, over all cells."""
    silent: int
    """Cells without a score; they rank last."""


def grade(share: NDArray[np.float64], score: NDArray[np.floating]) -> Graded:
    """Hold scores of cells to the share of each that changed.

    Args:
        share: (rows, cols), 0..1.
        score: (rows, cols), NaN where not scored.
    """
    true, given = share.ravel(), np.asarray(score, np.float64).ravel()
    areas = {least: measures.roc_auc(_reached(true, least), given) for least in SHARES}
    half = _reached(true, 0.5)
    return Graded(
        roc_auc=areas,
        average_precision=measures.average_precision(half, given),
        floor=measures.floor(half),
        spearman=_spearman(true, np.where(np.isnan(given), -np.inf, given)),
        silent=int(np.isnan(given).sum()),
    )


def _reached(share: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    return np.asarray(share > 0 if least == 0 else share >= least)


def _spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """NaN where either is the same everywhere."""
    one, two = rankdata(first), rankdata(second)
    one, two = one - one.mean(), two - two.mean()
    length = np.sqrt((one @ one) * (two @ two))
    return float(one @ two / length) if length > 0 else float("nan")
