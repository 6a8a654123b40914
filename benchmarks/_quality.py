"""What the benchmarks of detection share: series, scores of patches, truth under them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray

import terradrift as td
from terradrift.detect.block import Block
from terradrift.detect.run import detect
from terradrift.detect.settings import Settings
from terradrift.evaluate import measures as evaluate
from terradrift.series import Series
from terradrift.space import Space
from terradrift.store.series import blocks

MODELS = ("mosaiks", "spectral")
THREADS = 2


def histories(
    archive: td.Archive,
    model: str,
    **how: Any,
) -> list[Series]:
    """Embed, and read back all series."""
    archive.embed(model, quiet=True, threads=THREADS, **how)
    return list(blocks(archive.store, model))


def found(
    series: list[Series], settings: Settings, space: Space | None = None
) -> list[Block]:
    return list(
        detect(
            lambda: iter(series),
            settings,
            threads=THREADS,
            advance=lambda _done: None,
            space=space,
        )
    )


def patch_scores(judged: list[Block]) -> NDArray[np.float64]:
    """Score of the strongest candidate of each patch, 0 where it cannot be judged."""
    parts = [np.nan_to_num(block.patches.score) for block in judged]
    return np.concatenate(parts).astype(np.float64)


def reported(judged: list[Block]) -> NDArray[np.bool_]:
    """Whether a change of each patch is reported."""
    parts = [np.isin(np.arange(len(b.patch_ids)), b.changes.row) for b in judged]
    return np.concatenate(parts)


def alarms(count: int, area_km2: float, days: float) -> float:
    """Alarms per 1,000 km2 and year."""
    return 1000 * count / area_km2 / (days / 365.25)


def truth(series: list[Series], path: Path, patch_size: int) -> NDArray[np.float64]:
    """(n, 100) truth values at points spread over each patch, NaN outside the raster."""
    with rasterio.open(path) as raster:
        values, transform, crs = raster.read(1), raster.transform, raster.crs
    steps = (np.arange(10) + 0.5) / 10
    dx, dy = np.tile(steps, 10), np.repeat(steps, 10)
    rows = []
    for epsg, row, col in np.concatenate([part.cells for part in series]):
        x, y = (col + dx) * patch_size, (row + dy) * patch_size
        if crs.to_epsg() != epsg:
            to = pyproj.Transformer.from_crs(int(epsg), crs, always_xy=True)
            x, y = to.transform(x, y)
        at_col, at_row = (np.floor(axis).astype(int) for axis in ~transform * (x, y))
        inside = (at_col >= 0) & (at_col < values.shape[1])
        inside &= (at_row >= 0) & (at_row < values.shape[0])
        sampled = np.full(len(x), np.nan)
        sampled[inside] = values[at_row[inside], at_col[inside]]
        rows.append(sampled)
    return np.array(rows)


def line(name: str, label: NDArray[np.int64], score: NDArray[np.float64]) -> str:
    known = label >= 0
    true, value = label[known] > 0, score[known]
    return (
        f"  {name:<38} AP {evaluate.average_precision(true, value):.3f}  "
        f"ROC-AUC {evaluate.roc_auc(true, value):.3f}"
    )
