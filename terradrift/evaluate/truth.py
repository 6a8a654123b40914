"""Truth per patch, and the labelled objects that it was made from (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SLIVER = 0.01
"""Shares of a patch up to this are left out of account: the edges of labels, rasters and
patches seldom meet to the centimetre."""

NOT_A_DAY = np.datetime64("NaT", "D")


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is known of `n` patches."""

    changed: NDArray[np.bool_]
    """(n,), False where it is not known."""
    known: NDArray[np.bool_]
    """(n,), whether it is known that the patch changed, or that it did not."""
    kind: NDArray[np.str_]
    """(n,), class of the change, empty where it has none."""
    onset: NDArray[np.datetime64]
    """(n,), datetime64[D], the day of the change, or the first day that it may have been;
    NaT where it has no date."""
    share: NDArray[np.float64]
    """(n,), 0..1, share of the patch's ground that is labelled as changed."""
    latest: NDArray[np.datetime64] | None = None
    """(n,), datetime64[D], the last day that it may have been; None: `onset` is exact."""

    def __len__(self) -> int:
        return len(self.changed)

    @property
    def controls(self) -> NDArray[np.bool_]:
        """(n,), patches that are known not to have changed."""
        return self.known & ~self.changed

    @property
    def last(self) -> NDArray[np.datetime64]:
        """(n,), `latest`, or `onset` where dates are exact."""
        return self.onset if self.latest is None else self.latest


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """`m` labelled objects, and the patches in which they lie as `p` pairs."""

    name: NDArray[np.str_]
    """(m,), what the object is called: its row in the file, or value and number."""
    kind: NDArray[np.str_]
    """(m,)"""
    onset: NDArray[np.datetime64]
    """(m,), datetime64[D], the first day that it may have been, NaT where not dated."""
    latest: NDArray[np.datetime64]
    """(m,), datetime64[D], the last day that it may have been."""
    object: NDArray[np.int64]
    """(p,), number of the object."""
    patch: NDArray[np.int64]
    """(p,), row of the patch."""
    share: NDArray[np.float64]
    """(p,), share of the patch that the object fills, above 0."""

    def __len__(self) -> int:
        return len(self.kind)

    def main(self, min_share: float) -> NDArray[np.bool_]:
        """(p,), pairs that stand for an object: filled from `min_share`, or its fullest."""
        fullest = np.zeros(len(self))
        np.maximum.at(fullest, self.object, self.share)
        most: NDArray[np.bool_] = self.share >= np.minimum(
            fullest[self.object], min_share
        )
        return most


def truth(
    objects: Objects,
    changed: NDArray[np.float64],
    unknown: NDArray[np.float64],
    *,
    min_share: float = 0.5,
    any_touch: bool = False,
) -> Truth:
    """Judge patches by the shares of their ground that changed and that are not known.

    A patch changed where at least `min_share` of it did, but for a `SLIVER` (with `any_touch`: more than
    `SLIVER`); it did not where nothing of it can have changed; between, it is not known.
    Its kind and date are those of the object that fills most of it, the earlier of equals.

    Args:
        objects: what changed.
        changed: (n,), 0..1, share that is labelled as changed.
        unknown: (n,), 0..1, share of which nothing is known.
        min_share: above 0, at most 1.
        any_touch: any ground that changed makes a changed patch.

    Raises:
        ValueError: `min_share` is out of range.
    """
    if not 0 < min_share <= 1:
        raise ValueError(f"min share must be above 0 and at most 1, got {min_share:g}")
    # Half a patch comes out as 0.4999 where corners are rounded.
    least = np.nextafter(SLIVER, 1) if any_touch else max(min_share - SLIVER, SLIVER)
    did = changed >= least
    did_not = changed + unknown <= SLIVER
    kind = np.full(len(changed), "", objects.kind.dtype)
    onset = np.full(len(changed), NOT_A_DAY)
    latest = onset.copy()
    date = objects.onset[objects.object]
    far = np.where(np.isnat(date), np.iinfo(np.int64).max, date.astype(np.int64))
    # The last to be written wins: least filled first, latest first of equals.
    order = np.lexsort((objects.object, -far, objects.share))
    patch, which = objects.patch[order], objects.object[order]
    kind[patch] = objects.kind[which]
    onset[patch], latest[patch] = objects.onset[which], objects.latest[which]
    kind[~did], onset[~did], latest[~did] = "", NOT_A_DAY, NOT_A_DAY
    return Truth(did, did | did_not, kind, onset, changed, latest)
