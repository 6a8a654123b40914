"""Distance maps of several models against labels: on one common grid, and each on its own (pure).

On its own grid each model has other units and other positives: a patch of 40 m is wholly
changed more often than one of 160 m, and no two numbers compare. Here every map is averaged
over the cells of one grid, and every cell is held to one truth, the share of it that changed.
What each model's own grid would say stands beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.evaluate import intervals, ranking
from terradrift.evaluate.class_maps import grid as class_maps_grid
from terradrift.evaluate.class_maps.grid import SHARES, Cells, common_grid
from terradrift.evaluate.compare.result import Grades
from terradrift.evaluate.intervals import Draws
from terradrift.evaluate.measures import Interval, squares
from terradrift.evaluate.ranking import Ranking
from terradrift.evaluate.truth import SLIVER


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """What labels say of `n` squares of ground."""

    cells: NDArray[np.int64]
    """(n, 3), EPSG code, row (northward), column (eastward)."""
    size: int
    """Side of a square, metres."""
    share: NDArray[np.float64]
    """(n,), 0..1, share that changed."""
    known: NDArray[np.bool_]
    """(n,), False where part of it is not known."""

    @classmethod
    def of(
        cls,
        cells: NDArray[np.int64],
        size: int,
        changed: NDArray[np.float64],
        unknown: NDArray[np.float64],
    ) -> "Shares":
        """Of the shares that changed and that are unknown; slivers (1 %) are taken as none."""
        share = np.where(changed <= SLIVER, 0.0, changed)
        share = np.where(share >= 1 - SLIVER, 1.0, share)
        return cls(cells, size, share, unknown <= SLIVER)


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Scores of `n` patches by one measure of one model."""

    archive: str
    model: str
    measure: str
    score: NDArray[np.floating]
    """(n,), larger is more changed; NaN where the patch is not judged."""
    own: Shares
    """Of the same patches."""


def common_cells(grounds: Iterable[Shares], size: int) -> NDArray[np.int64]:
    """(c, 3) squares of `size` metres of which each of the grounds covers at least half.

    Squares are anchored as patches are, at the origin of the CRS.
    """
    parts = list(grounds)
    codes = set.intersection(*(set(part.cells[:, 0].tolist()) for part in parts))
    found = [np.zeros((0, 3), np.int64)]
    for code in sorted(codes):
        boxes = [_box(part, code) for part in parts]
        south, west = (max(box[at] for box in boxes) for at in (0, 1))
        north, east = (min(box[at] for box in boxes) for at in (2, 3))
        first_row, first_col = int(south // size), int(west // size)
        rows = int(-(-north // size)) - first_row
        cols = int(-(-east // size)) - first_col
        if rows <= 0 or cols <= 0:
            continue
        frame = Cells(first_col * size, (first_row + rows) * size, size, rows, cols)
        covered = np.ones((rows, cols), bool)
        for part in parts:
            ones = _mean_over(part, np.ones(len(part.cells)), code, frame)
            covered &= np.isfinite(ones)
        down, col = np.nonzero(covered)
        row = first_row + rows - 1 - down
        found.append(np.column_stack([np.full(len(row), code), row, first_col + col]))
    return np.concatenate(found)


def _mean_over(
    ground: Shares, score: NDArray[np.floating], code: int, frame: Cells
) -> NDArray[np.float64]:
    """(rows, cols) of a frame in the CRS `code`: mean score of the ground's patches."""
    here = ground.cells[:, 0] == code
    return common_grid(
        score[here],
        ground.cells[here, 1],
        ground.cells[here, 2],
        ground.size,
        frame,
    )


def onto(found: Map, cells: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """(c,) mean score over each of the squares `cells` (c, 3) of `size` metres."""
    out = np.full(len(cells), np.nan)
    for code in np.unique(cells[:, 0]).tolist():
        here = np.flatnonzero(cells[:, 0] == code)
        low, high = cells[here, 1:].min(axis=0), cells[here, 1:].max(axis=0)
        rows, cols = (high - low + 1).tolist()
        frame = Cells(
            float(low[1] * size), float((high[0] + 1) * size), size, rows, cols
        )
        mean = _mean_over(found.own, found.score, code, frame)
        out[here] = mean[high[0] - cells[here, 1], cells[here, 2] - low[1]]
    return out


def graded(
    score: NDArray[np.floating],
    truth: Shares,
    *,
    repeats: int = intervals.REPEATS,
    seed: int = 0,
) -> Grades:
    """Hold scores (n,) of squares to the share of each that changed.

    Squares that are not known take no part; those without a score rank last. Intervals are
    of blocks of ground drawn with replacement.
    """
    inside = truth.known
    rows = np.flatnonzero(inside)
    share, given = truth.share[rows], np.asarray(score, np.float64)[rows]
    plain = class_maps_grid.grade(share[None], given[None])
    side = intervals.default_side(truth.cells[rows], truth.size) if len(rows) else 1
    blocks = squares(truth.cells[rows], side)
    areas: dict[float, Interval] = {}
    precision, best = Interval(np.nan, np.nan, np.nan), (np.nan, np.nan)
    everyone = np.ones(len(rows), bool)
    for least in SHARES:
        changed = share > 0 if least == 0 else share >= least
        draws = Draws.of(blocks, everyone, changed, repeats=repeats, seed=seed)
        if not changed.any() or changed.all():
            areas[least] = Interval(np.nan, np.nan, np.nan)
            continue
        ranked = Ranking.of(changed, given, everyone, draws)
        if least == 0.5:
            areas[least], precision = ranked.measures(
                [ranking.roc_auc, ranking.average_precision]
            )
        else:
            areas[least] = ranked.measure(ranking.roc_auc)
        if least == 1.0:
            best = _best(*ranked.steps())
    return Grades(
        cells=len(rows),
        blocks=int(blocks.max(initial=-1)) + 1,
        changed={
            least: int((share > 0 if least == 0 else share >= least).sum())
            for least in SHARES
        },
        roc_auc=areas,
        average_precision=precision,
        floor=plain.floor,
        spearman=plain.spearman,
        best=best,
        silent=plain.silent,
    )


def _best(hits: NDArray[np.float64], rest: NDArray[np.float64]) -> tuple[float, float]:
    """Precision and recall at the threshold of the highest F1."""
    precision = hits / np.maximum(hits + rest, 1)
    recall = hits / hits[-1]
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    at = int(f1.argmax())
    return float(precision[at]), float(recall[at])


def _box(ground: Shares, code: int) -> tuple[float, float, float, float]:
    """South, west, north, east of the patches in a CRS, metres."""
    rows = ground.cells[ground.cells[:, 0] == code, 1:]
    (south, west), (north, east) = rows.min(axis=0), rows.max(axis=0) + 1
    return tuple(float(edge * ground.size) for edge in (south, west, north, east))  # type: ignore[return-value] # four edges
