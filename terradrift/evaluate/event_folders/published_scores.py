"""The scores of the published method, without its accidents (pure).

Stage 1 and 2 of Li, Zhu, Wang, Zhao & Zhong (ISPRS J. 2026, arXiv 2409.05679), restated from
what its public code does: fixed thresholds, quantiles of the very map that is judged, no
calibration. Regions and features are given, so that it is compared with other rules on the
same ones. What is left out are accidents: images smaller than a tile are judged whole (the
code judges a corner of them), and regions are not cut by tiles.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.segments import features
from terradrift.detect.segments.bitemporal import cosine_change
from terradrift.detect.segments.labels import areas
from terradrift.detect.segments.novelty import novelty

_TILE_1, _LEAST_1 = 2048, 3000
_TILE_2, _LEAST_2 = 1024, 1500
"""Sides of tiles, and pixels that a region must have, of stages 1 and 2."""
_MOST = 0.9
"""Share of a tile that a region must not pass."""


def change(
    segments: Sequence[NDArray[np.int32]], dense: NDArray[np.float32], stride: float
) -> NDArray[np.float32]:
    """(y, x) stage 1: 1 - cosine of each region's means on two dates, 0..1.

    `segments` are label maps (y, x) of the one and the other date, 0 for no region; of both
    the larger value counts. `dense` (2, d, h, w) are cells of `stride` pixels. 0 where no
    region is, or only one that is too small or too large.
    """
    out = np.zeros(segments[0].shape, np.float32)
    for labels in segments:
        inside = features.overlap(labels + 1, dense.shape[2:], stride)
        before, after = (
            features.region_means(inside, features.weighted(each)) for each in dense
        )
        found = np.clip(cosine_change(before, after), 0, 1)
        keep = _sized(labels + 1, _TILE_1, _LEAST_1)
        keep[0] = False  # what is in no region
        value = np.where(keep & np.isfinite(found), found, 0).astype(np.float32)
        np.maximum(out, value[labels], out=out)
    return out


def anomaly(
    kept: NDArray[np.floating], dense: NDArray[np.float32], stride: float
) -> NDArray[np.float32]:
    """(y, x) stage 2: 1 - largest cosine to any earlier date, 0 where nothing is kept.

    `kept` (y, x) is stage 1's map after its quantile; a region is all pixels of one value
    above 0, connected or not. `dense` (t, d, h, w), oldest first, the judged date last.
    """
    values, labels = np.unique(kept, return_inverse=True)
    labels = labels.reshape(kept.shape).astype(np.int32) + 1
    inside = features.overlap(labels, dense.shape[2:], stride)
    means = np.stack(
        [features.region_means(inside, features.weighted(each)) for each in dense]
    )
    found, _ = novelty(means[:-1], means[-1])
    keep = _sized(labels, _TILE_2, _LEAST_2) & (values > 0) & np.isfinite(found)
    out: NDArray[np.float32] = np.where(keep, found, 0).astype(np.float32)[labels - 1]
    return out


def _sized(labels: NDArray[np.int32], tile: int, least: int) -> NDArray[np.bool_]:
    """(n,) regions that are neither too small nor too large for a tile.

    In an image smaller than a tile the least size is the same share of it.
    """
    size = areas(labels)
    whole = min(labels.size, tile * tile)
    fit = least * min(1.0, labels.size / (tile * tile))
    return (size >= fit) & (size <= _MOST * whole)
