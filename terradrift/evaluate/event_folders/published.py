"""The published protocol of event folders (pure).

Li, Zhu, Wang, Zhao & Zhong, "AnomalyCD", ISPRS J. 2026, arXiv 2409.05679, as its public code
has it. It weighs false positives by a tenth, so it rewards marking too much: marking
everything has an F1 of 0.69 where a tenth of the image is anomalous. Read it beside the plain
measures of `plain` only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.ingest.events.event import BACKGROUND

Map = NDArray[np.floating]
Mask = NDArray[np.bool_]

KEPT_QUANTILE = 0.7
"""Change below this quantile of the whole map is not looked at in stage 2."""
QUANTILE = 0.945
"""Where maps of change are cut; in the older protocol all maps."""
LIMIT = 0.08
"""Where maps of novelty are cut: 1 - cosine."""
_FALSE = 0.1
"""What a false positive counts beside a true one."""
_SMALLEST = 0.0003
"""Share of the image that a marked component must have."""
_SIDE = 512
_RADIUS = 3
_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one event, or averaged; each 0..1."""

    recall: float
    """0 where nothing is labelled."""
    weighted_precision: float
    """TP / (TP + 0.1 FP); 0 where nothing true is marked."""
    f1: float
    """Of these two."""


def anomalous(label: NDArray[np.integer]) -> Mask:
    """(y, x), where a label means an anomaly: every category but 1, which is background."""
    return np.asarray(label > BACKGROUND)


def filtered(change: Map) -> NDArray[np.float64]:
    """Stage 1's map (y, x) as stage 2 takes it: 0 below its 0.7 quantile."""
    kept = _whole(change)
    return np.where(kept >= np.quantile(kept, KEPT_QUANTILE), kept, 0.0)


def by_quantile(score: Map, quantile: float = QUANTILE) -> Mask:
    """(y, x), at or above that quantile of the map; above 0 where the quantile is not."""
    whole = _whole(score)
    cut = np.quantile(whole, quantile)
    return np.asarray(whole >= cut if cut > 0 else whole > 0)


def by_limit(score: Map, limit: float = LIMIT) -> Mask:
    """(y, x), at or above `limit`."""
    return np.asarray(_whole(score) >= limit)


def cleaned(marked: Mask) -> Mask:
    """Closed at 512 x 512 with a disc of radius 3, and without small components.

    Components have 8 neighbours, and at least 0.0003 of the image's pixels, rounded down.
    """
    rows, cols = marked.shape
    small = _nearest(marked, (_SIDE, _SIDE))
    y, x = np.mgrid[-_RADIUS : _RADIUS + 1, -_RADIUS : _RADIUS + 1]
    disc = y * y + x * x <= _RADIUS * _RADIUS
    wide = ndimage.binary_dilation(small, disc)
    # Outside of the image counts as marked here, so that closing never takes anything away.
    closed = ndimage.binary_erosion(wide, disc, border_value=1)
    number, count = ndimage.label(_nearest(closed, (rows, cols)), _EIGHT)
    keep = np.bincount(number.ravel(), minlength=count + 1) >= int(
        rows * cols * _SMALLEST
    )
    keep[0] = False
    out: Mask = keep[number]
    return out


def scored(truth: Mask, marked: Mask) -> Scores:
    """Measure marks (y, x) against what is anomalous (y, x)."""
    hits, false = int((truth & marked).sum()), int((~truth & marked).sum())
    positives = int(truth.sum())
    recall = hits / positives if positives else 0.0
    weighted = hits / (hits + _FALSE * false) if hits else 0.0
    return Scores(recall, weighted, _f1(recall, weighted))


def averaged(scores: Sequence[Scores]) -> Scores:
    """Means over events, of F1 too; NaN without events."""
    if not scores:
        return Scores(np.nan, np.nan, np.nan)
    table = np.array([(s.recall, s.weighted_precision, s.f1) for s in scores])
    return Scores(*map(float, table.mean(axis=0)))


def by_category(kinds: Sequence[int], scores: Sequence[Scores]) -> dict[int, Scores]:
    """The older protocol: recall and precision averaged per class 1..6, F1 of the averages.

    A class without events has 0 throughout.
    """
    out = {}
    for kind in range(1, 7):
        of = [each for at, each in zip(kinds, scores, strict=True) if at == kind]
        mean = averaged(of) if of else Scores(0.0, 0.0, 0.0)
        f1 = _f1(mean.recall, mean.weighted_precision)
        out[kind] = Scores(mean.recall, mean.weighted_precision, f1)
    return out


def _f1(recall: float, precision: float) -> float:
    both = recall + precision
    return 2 * recall * precision / both if both else 0.0


def _whole(score: Map) -> NDArray[np.float64]:
    """What is not judged counts as not changed: the protocol knows no unknown."""
    return np.nan_to_num(score.astype(np.float64), nan=0.0)


def _nearest(mask: Mask, shape: tuple[int, int]) -> Mask:
    """Resized by nearest neighbours, pixel centres on pixel centres."""
    rows, cols = (
        np.minimum(((np.arange(to) + 0.5) * of / to).astype(np.intp), of - 1)
        for of, to in zip(mask.shape, shape, strict=True)
    )
    return mask[np.ix_(rows, cols)]
