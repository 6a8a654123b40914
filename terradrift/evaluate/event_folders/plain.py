"""Plain measures of one event or control (pure): no false positive is forgiven."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.evaluate import measures

Mask = NDArray[np.bool_]

OBJECT_SHARE = 0.5
"""Of a labelled object that must be marked for it to count as found."""
_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class Plain:
    """Of one event, over pixels whose label is known and that are seen."""

    hits: int
    false: int
    missed: int
    rest: int
    objects: int
    """Labelled objects: 8-connected."""
    objects_found: int
    average_precision: float
    """Of the score, pixel by pixel; pixels that are not judged rank last."""

    @property
    def pixels(self) -> int:
        """How many were looked at."""
        return self.hits + self.false + self.missed + self.rest

    @property
    def floor(self) -> float:
        """Share that is anomalous: the average precision of chance."""
        return (self.hits + self.missed) / self.pixels

    @property
    def recall(self) -> float:
        """NaN where nothing is anomalous."""
        return _over(self.hits, self.hits + self.missed)

    @property
    def precision(self) -> float:
        """NaN where nothing is marked."""
        return _over(self.hits, self.hits + self.false)

    @property
    def f1(self) -> float:
        """Of recall and plain precision; 0 where nothing true is marked."""
        return _over(2 * self.hits, 2 * self.hits + self.false + self.missed)

    @property
    def iou(self) -> float:
        """Intersection over union."""
        return _over(self.hits, self.hits + self.false + self.missed)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Of one control: everything marked is false."""

    marked: int
    """Pixels."""
    pixels: int
    """That were looked at."""
    alarms: int
    """8-connected pieces."""
    area_km2: float
    """Of the pixels looked at; NaN where the pixel size is not known."""


def plain(
    truth: Mask,
    marked: Mask,
    score: NDArray[np.floating],
    known: Mask,
) -> Plain:
    """Measure marks and score (y, x) against truth (y, x), where it is `known` (y, x).

    Raises:
        ValueError: no pixel is known.
    """
    if not known.any():
        raise ValueError("expected a pixel whose label is known, got none")
    of, said = truth[known], marked[known]
    objects, count = ndimage.label(truth & known, _EIGHT)
    size = np.bincount(objects.ravel(), minlength=count + 1)[1:]
    found = np.bincount(objects[marked & known], minlength=count + 1)[1:]
    return Plain(
        hits=int((of & said).sum()),
        false=int((~of & said).sum()),
        missed=int((of & ~said).sum()),
        rest=int((~of & ~said).sum()),
        objects=int(count),
        objects_found=int((found >= OBJECT_SHARE * size).sum()),
        average_precision=measures.average_precision(of, score[known]),
    )


def quiet(marked: Mask, known: Mask, metres: float | None) -> Quiet:
    """Count what is marked (y, x) of a control, where it is `known` (y, x)."""
    said = marked & known
    pixels = int(known.sum())
    return Quiet(
        marked=int(said.sum()),
        pixels=pixels,
        alarms=int(ndimage.label(said, _EIGHT)[1]),
        area_km2=np.nan if metres is None else pixels * metres**2 / 1e6,
    )


def _over(part: float, whole: float) -> float:
    return part / whole if whole else np.nan
