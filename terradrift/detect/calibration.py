"""What the score of a candidate means, and which candidates are told as changes (pure)."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.null import Null, q_values
from terradrift.detect.score import Strongest
from terradrift.detect.settings import Settings
from terradrift.errors import ArchiveError

_SIZE = re.compile(r"\d+_(\d+)m_-?\d+_-?\d+$")
_DAYS_PER_YEAR = 365.25
_KM2 = 1000.0
"""Square kilometres that false alarms are counted on."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The null of the pool, and the rule by which changes are reported."""

    null: Null | None
    """None where the pool is too small to tell."""
    limit: float
    """p-values up to this are reported: `max_p_value`, or more where that keeps the q-value
    within `max_q_value`; NaN without a null."""
    settings: Settings

    @classmethod
    def of(
        cls, pool: Strongest, days: NDArray[np.datetime64], settings: Settings
    ) -> "Calibration":
        """Fit the strongest candidates of the pool's patches, whose dates are `days` (t,)."""
        null = Null.of(pool.score, pool.aside, days[pool.first]) if len(days) else None
        if null is None:
            return cls(None, np.nan, settings)
        p = null.p_value(pool.score)
        known = p[np.isfinite(p)]
        passing = known[q_values(known, known) <= settings.max_q_value]
        limit = float(max(settings.max_p_value, passing.max(initial=0.0)))
        return cls(null, limit, settings)

    def p_value(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Chance (n,) that an unchanged patch has a candidate that scores at least as much.

        NaN where the score is, or where there is no null.
        """
        if self.null is None:
            return np.full(len(scores), np.nan)
        return self.null.p_value(scores)

    def reported(
        self, scores: NDArray[np.floating], alarms: NDArray[np.floating]
    ) -> NDArray[np.bool_]:
        """Which candidates (n,) are changes; `alarms` (n,) as of `false_alarms` at p = 1.

        Raises:
            ArchiveError: a rate of false alarms is asked for, and there is no null.
            ValueError: or the area of a patch is not known.
        """
        most = self.settings.max_false_alarms
        if self.null is None:
            if most is not None and np.isfinite(scores).any():
                raise ArchiveError(
                    "max_false_alarms needs at least 20 patches that can be judged, the "
                    "archive has fewer: ingest more ground, or leave it out, and changes "
                    f"are told from a score of {self.settings.min_score:g}"
                )
            return np.asarray(scores >= self.settings.min_score)
        p = self.p_value(scores)
        if most is None:
            return np.asarray(p <= self.limit)
        if np.isnan(alarms[np.isfinite(scores)]).any():
            raise ValueError(
                "max_false_alarms needs the area of a patch: expected ids such as "
                "32631_40m_12534_140742"
            )
        return np.asarray(p * alarms <= most)


def alarms_if_all(
    patch_ids: NDArray[np.str_], days: NDArray[np.datetime64], clear: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n,) changes per 1,000 km2 and year if every patch had one in its clear dates (n, t).

    p-values times this are expected false alarms. NaN where the dates span no time, or
    where the ids do not tell the area of a patch.
    """
    match = _SIZE.match(str(patch_ids[0])) if len(patch_ids) else None
    if match is None or clear.shape[1] == 0:
        return np.full(len(clear), np.nan)
    km2 = (int(match[1]) / 1000.0) ** 2
    first, last = (
        clear.argmax(axis=1),
        clear.shape[1] - 1 - clear[:, ::-1].argmax(axis=1),
    )
    years = (days[last] - days[first]) / np.timedelta64(1, "D") / _DAYS_PER_YEAR
    years = np.where(clear.any(axis=1) & (years > 0), years, np.nan)
    alarms: NDArray[np.float64] = _KM2 / km2 / years
    return alarms
