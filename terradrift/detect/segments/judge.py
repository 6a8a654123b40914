"""What regions' features say of the last date (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.segments import features
from terradrift.detect.segments.bitemporal import cosine_change
from terradrift.detect.segments.labels import areas
from terradrift.detect.segments.novelty import (
    leave_one_out,
    novelty,
    ranked,
    standardised,
)
from terradrift.detect.segments.settings import Settings

NOT_CLEAR = "not clear"
NO_HISTORY = "no earlier clear date"
NO_FEATURE = "no feature of the model"
FEW_REFERENCES = "too few earlier clear dates to calibrate"
"""Why a region has no score, or (the last) a score without z and p."""


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """One monitored image by regions; arrays (n,) are in the order of labels 1..n."""

    labels: NDArray[np.int32]
    """(y, x), 1..n; every pixel is in a region."""
    area_px: NDArray[np.int64]
    """(n,) pixels."""
    clear: NDArray[np.float32]
    """(n,) 0..1, share that is clear in the monitored image."""
    change: NDArray[np.float32]
    """(n,) stage 1: 1 - cosine to the latest clear earlier date; NaN where there is none."""
    novelty: NDArray[np.float32]
    """(n,) stage 2: 1 - cosine to the most alike earlier date, at most `change`."""
    nearest: NDArray[np.int32]
    """(n,) that date, counted from the oldest; -1 where there is none."""
    latest: NDArray[np.int32]
    """(n,) the date of stage 1, likewise."""
    z: NDArray[np.float32]
    """(n,) novelty against that of the region's other dates, in standard deviations."""
    p_value: NDArray[np.float32]
    """(n,) how often regions of like texture reach that z if nothing happened."""
    n_reference: NDArray[np.int32]
    """(n,) earlier dates that count."""
    known: NDArray[np.bool_]
    """(t, n) whether a date counts: clear enough, and with a feature."""
    reason: NDArray[np.str_]
    """(n,) why a score or its calibration is NaN; empty where neither is."""
    scores: NDArray[np.float32]
    """(t, n) leave-one-out novelty of all dates, the monitored last."""
    z_dates: NDArray[np.float32]
    """(t, n) the same standardised: what `p_value` ranks among."""

    def map(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(y, x) pixels of values (n,) of regions."""
        found: NDArray[np.float32] = values[self.labels - 1]
        return found


def judge(
    labels: NDArray[np.int32],
    dense: NDArray[np.float32],
    clear: NDArray[np.bool_],
    stride: float,
    *,
    settings: Settings,
    texture: NDArray[np.float32] | None = None,
) -> Judgement:
    """Judge the last of t dates by those before it, oldest first.

    `labels` (y, x) are the regions, `dense` (t, d, h, w) features of cells of `stride`
    pixels, NaN where not known, `clear` (t, y, x) which pixels are clear, `texture` (n,)
    how rough each region is (None: all alike).

    Raises:
        ValueError: shapes that do not fit each other.
    """
    if clear.shape[1:] != labels.shape or len(clear) != len(dense):
        raise ValueError(
            f"expected clear pixels of {len(dense)} dates and {labels.shape} pixels, got "
            f"{clear.shape}"
        )
    history = History(stride)
    for one, here in zip(dense, clear, strict=True):
        history.add(one, here)
    return history.judge(labels, settings=settings, texture=texture)


class History:
    """Dates of one image, added oldest first; the last one can be judged.

    Of each date the cells of its map are kept, never features of pixels.
    """

    def __init__(self, stride: float) -> None:
        """Cells are `stride` pixels wide."""
        self._stride = stride
        self._cells: list[NDArray[np.float32]] = []
        self._clear: list[NDArray[np.bool_]] = []
        self._shape = (0, 0)

    def __len__(self) -> int:
        return len(self._cells)

    def add(self, dense: NDArray[np.float32], clear: NDArray[np.bool_]) -> None:
        """The next date: features (d, h, w), NaN where not known, and clear pixels (y, x).

        Raises:
            ValueError: of another size than the dates before.
        """
        shape = dense.shape[1], dense.shape[2]
        if self._clear and (
            shape != self._shape or clear.shape != self._clear[-1].shape
        ):
            raise ValueError(
                f"expected {self._shape} cells and {self._clear[-1].shape} pixels, as on "
                f"the dates before, got {shape} and {clear.shape}"
            )
        self._shape = shape
        share = features.clear_cells(clear, shape, self._stride)
        self._cells.append(features.weighted(dense, share))
        self._clear.append(clear)

    def judge(
        self,
        labels: NDArray[np.int32],
        *,
        settings: Settings,
        texture: NDArray[np.float32] | None = None,
    ) -> Judgement:
        """Judge the last date by those before it; `labels` and `texture` as in `judge`."""
        inside = features.overlap(labels, self._shape, self._stride)
        means = [features.region_means(inside, one) for one in self._cells]
        share = [features.clear_share(labels, here) for here in self._clear]
        return judge_means(
            labels, np.stack(means), np.stack(share), settings=settings, texture=texture
        )


def judge_means(
    labels: NDArray[np.int32],
    means: NDArray[np.float32],
    share: NDArray[np.float32],
    *,
    settings: Settings,
    texture: NDArray[np.float32] | None = None,
) -> Judgement:
    """As `judge`, of region means (t, n, d) and clear shares (t, n) that are there already."""
    t = len(means)
    seen = share >= settings.min_clear
    known = seen & np.isfinite(means).all(axis=2)
    means = np.where(known[:, :, None], means, np.float32(np.nan))
    count = known[:-1].sum(axis=0).astype(np.int32)
    score, nearest = novelty(means[:-1], means[-1])
    order = np.arange(t - 1)[:, None]
    latest = np.where(known[:-1], order, -1).max(axis=0, initial=-1).astype(np.int32)
    before = means[np.maximum(latest, 0), np.arange(means.shape[1])]
    before = np.where((latest >= 0)[:, None], before, np.float32(np.nan))
    change = cosine_change(before, means[-1])
    scores = leave_one_out(means)
    # As `novelty` computed it, to the bit.
    scores[-1] = score
    z = standardised(scores)
    z[:, count < settings.min_reference] = np.nan
    return Judgement(
        labels=labels,
        area_px=areas(labels),
        clear=share[-1],
        change=change,
        novelty=score,
        nearest=np.where(known[-1], nearest, -1).astype(np.int32),
        latest=np.where(known[-1], latest, -1).astype(np.int32),
        z=z[-1],
        p_value=ranked(z, texture),
        n_reference=count,
        known=known,
        reason=np.select(
            [
                ~seen[-1],
                ~known[-1],
                count == 0,
                count < settings.min_reference,
            ],
            [NOT_CLEAR, NO_FEATURE, NO_HISTORY, FEW_REFERENCES],
            "",
        ),
        scores=scores,
        z_dates=z,
    )
