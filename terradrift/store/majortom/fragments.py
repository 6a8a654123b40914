"""Where a sample's fragments lie: offsets in pixels, and footprints that were transposed (pure).

The published tables give the box of a fragment as `pixel_bbox` = (row, column, row, column)
and were made by reading it as (column, row, column, row): every footprint lies at the mirror
image of its place, across the diagonal of its cell. Box and footprint of one row together
tell where the cell begins, so one row is enough to put it right.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OVERLAP = 0.1
"""Share of a fragment that neighbours should share; what they do share follows."""


def offsets(sample: int, fragment: int, overlap: float = OVERLAP) -> NDArray[np.int64]:
    """Where fragments of a square sample begin along a side, in pixels.

    They are evenly spaced, with about the `overlap`, and the last one ends with the sample.
    In a sample of about twice a fragment the published rule leaves a gap.

    Raises:
        ValueError: fragments larger than the sample.
    """
    if not 0 < fragment <= sample or not 0 <= overlap < 1:
        raise ValueError(
            f"expected fragments of 1 to {sample} pixels and an overlap of 0 to 1, got "
            f"{fragment} and {overlap:g}"
        )
    if fragment == sample:
        return np.zeros(1, np.int64)
    steps = max(1, round((sample - fragment) / (fragment * (1 - overlap))))
    shared = int(np.ceil(fragment - (sample - fragment) / steps))
    found = np.arange(steps + 1) * (fragment - shared)
    found[-1] = sample - fragment
    return found.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """`n` fragments: what a table says of them."""

    first: NDArray[np.int64]
    """(n, 2), row and column at which the fragment begins in its sample."""
    side: NDArray[np.int64]
    """(n,), pixels."""
    west: NDArray[np.float64]
    """(n,), left side of the footprint as stated, metres in the cell's UTM zone."""
    north: NDArray[np.float64]
    """(n,), upper side."""
    size: NDArray[np.float64]
    """(n,), side of the footprint, metres."""

    @property
    def pixel(self) -> NDArray[np.float64]:
        """(n,), metres of a pixel."""
        return np.asarray(self.size / self.side)

    def corners(self, *, transposed: bool) -> NDArray[np.float64]:
        """(n, 2) west and north of the samples, by how footprints were made."""
        down, along = self.first[:, ::-1].T if transposed else self.first.T
        return np.column_stack(
            [self.west - along * self.pixel, self.north + down * self.pixel]
        )

    def true(self, *, transposed: bool) -> NDArray[np.float64]:
        """(n, 2) west and north of the fragments themselves, metres."""
        corner = self.corners(transposed=transposed)
        row, col = self.first.T
        return corner + np.column_stack([col, -row]) * self.pixel[:, None]


def votes(
    boxes: Boxes, sample: NDArray[np.int64], point: NDArray[np.float64], reach: float
) -> tuple[int, int, int]:
    """Samples whose footprints are transposed, right, and neither.

    Fragments of one sample must agree where it begins. Where a sample has a single one, the
    nearer of the two corners to the cell's grid point decides. Fragments on the diagonal
    are the same either way and say nothing.

    Args:
        boxes: of n fragments.
        sample: (n,), number of each one's sample, from 0 on.
        point: (n, 2), west and south of each one's cell, metres in its zone.
        reach: side of a sample, metres.
    """
    count = int(sample.max(initial=-1)) + 1
    off = boxes.first[:, 0] != boxes.first[:, 1]
    several = np.bincount(sample, minlength=count) > 1
    speaks = np.bincount(sample, off, minlength=count) > 0
    spread, away = [], []
    for transposed in (True, False):
        corner = boxes.corners(transposed=transposed)
        apart = np.zeros(count)
        for axis in corner.T:
            low, high = np.full(count, np.inf), np.full(count, -np.inf)
            np.minimum.at(low, sample, axis)
            np.maximum.at(high, sample, axis)
            apart = np.maximum(apart, high - low)
        spread.append(apart)
        gap = np.abs(corner - point - [0.0, reach]).max(axis=1)
        worst = np.zeros(count)
        np.maximum.at(worst, sample, gap)
        away.append(worst)
    pixel = float(boxes.pixel.max(initial=0))
    fits = [apart <= pixel for apart in spread]
    # Fragments of one diagonal agree either way: where the cell begins decides, as for one.
    alone = speaks & (~several | (fits[0] & fits[1]))
    agree = speaks & ~alone
    turned = (agree & fits[0] & ~fits[1]) | (alone & (away[0] < away[1]))
    right = (agree & fits[1] & ~fits[0]) | (alone & (away[1] < away[0]))
    neither = speaks & ~turned & ~right
    return int(turned.sum()), int(right.sum()), int(neither.sum())
