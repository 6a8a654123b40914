"""What z of unchanged patches was like on each date: the band that a series is drawn on.

A p-value of `scores` is the rank of a date's z among unchanged patches of the same stratum
(as calm, usual or restless as this one so far) on that date and on earlier dates of its
season. Within one date and stratum p falls as z rises, so the z at which p is 0.05 and 0.95
can be read off what is stored. Nothing later than the date is in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LOW, HIGH = 0.95, 0.05
"""p-values at the ends of the band: nine of ten unchanged patches lie inside."""
WHAT = (
    "z that nine of ten unchanged patches have on that date: from where 95 % of them lie "
    "above to where 5 % do, ranked among patches that had been as calm or as restless as this "
    "one so far, on that date and on earlier dates of its season. Above it p is below 0.05, "
    "which one unchanged date in twenty reaches by chance. null: too few patches to tell, or "
    "no analogues that day."
)
_BESIDE = "analogues"
COLUMNS = ("datetime", "z", "p_value", "reference")


@dataclass(frozen=True, slots=True)
class Band:
    """The ends of the band on one date in one stratum; NaN where not known."""

    low: float
    high: float


NOWHERE = Band(float("nan"), float("nan"))

Bands = Mapping[tuple[int, str], Band]
"""Day since 1970 and stratum to a band."""


def stratum(reference: str | None) -> str | None:
    """Which patches a p-value ranks among; None where there is no rank beside analogues.

    `reference` is as in `scores`: `season+analogues+calm` gives `+calm`.
    """
    _, beside, rest = (reference or "").partition(_BESIDE)
    return rest if beside else None


def bands(rows: pa.Table) -> Bands:
    """Of every date and stratum of some rows of `scores`, which have `COLUMNS`."""
    known = pc.and_(pc.is_valid(rows["p_value"]), pc.is_valid(rows["z"]))
    rows = rows.filter(pc.fill_null(known, False))
    if not len(rows):
        return {}
    coded = rows["reference"].combine_chunks().dictionary_encode()
    strata = [stratum(one) for one in coded.dictionary.to_pylist()]
    names = sorted({one for one in strata if one is not None})
    number = np.array([-1 if one is None else names.index(one) for one in strata])
    of_row = number[coded.indices.to_numpy(zero_copy_only=False)]
    day = rows["datetime"].cast(pa.int64()).to_numpy() // (86_400 * 10**6)
    z, p = rows["z"].to_numpy(), rows["p_value"].to_numpy()
    kept = np.flatnonzero(of_row >= 0)
    order = kept[np.lexsort((z[kept], of_row[kept], day[kept]))]
    key = day[order] * max(len(names), 1) + of_row[order]
    cut = np.flatnonzero(np.diff(key)) + 1
    found: dict[tuple[int, str], Band] = {}
    for group in np.split(order, cut) if len(order) else ():
        first = group[0]
        place = int(day[first]), names[of_row[first]]
        found[place] = Band(_at(z[group], p[group], LOW), _at(z[group], p[group], HIGH))
    return found


def _at(z: NDArray[np.floating], p: NDArray[np.floating], level: float) -> float:
    """The z (ascending) at which p falls to `level`, between the two rows beside; NaN outside."""
    # p falls as z rises; rounding may leave equal ones a hair apart.
    beyond = np.maximum.accumulate(p[::-1])[::-1] <= level
    if not beyond.any() or beyond.all():
        return float("nan")
    at = int(beyond.argmax())
    above, below = float(p[at - 1]), float(p[at])
    share = (above - level) / (above - below) if above > below else 1.0
    return float(z[at - 1] + share * (z[at] - z[at - 1]))
