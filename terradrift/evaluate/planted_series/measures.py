"""How well a method finds planted changes: patches, patches with their date, observations (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from terradrift.evaluate import delay, measures
from terradrift.evaluate.measures import Interval
from terradrift.evaluate.method import Frames, Judged, Method
from terradrift.evaluate.planted_series.series import Planted
from terradrift.series import Series

AFTER = 3
"""Clear observations after a change is complete that still tell of it, and how many clear
observations an onset may be off to count as dated."""
ALARMS = 0.05
"""False alarms per patch and year at which delay is measured."""
_MIN_CLEAR = 70.0
_WITHIN = {"off": (-np.inf, np.inf), "delay": (0.0, np.inf)}
"""What measures can be that are no shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one method makes of one planted series; NaN where it does not say."""

    patches: float
    """Average precision over patches."""
    dated: float
    """Average precision over pairs of a patch and its date: a changed patch counts as found
    only if the onset lies within `AFTER` clear observations of the change."""
    frames: float
    """Average precision over observations: those from the onset until `AFTER` after the
    change is complete are changed, later ones count nowhere."""
    precision: float
    """Share of changed patches among as many of the highest."""
    off: float
    """Median of onset less truth in clear observations, of changed patches; above 0 is late,
    0 while the change goes on."""
    found: float
    """Share of changed patches that alarm after the onset, at `ALARMS`."""
    delay: float
    """Median clear observations from onset to that alarm, of those that do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """Random scores and dates: what every measure gives for nothing."""

    name: str = "chance"
    seed: int = 0

    def judge(self, series: Sequence[Series]) -> Judged:
        """Random order; onsets are days of the series."""
        random = np.random.default_rng([self.seed, 1])
        n = sum(len(one) for one in series)
        onset = [random.choice(one.days, len(one)) for one in series]
        return Judged(
            random.random(n, np.float32), np.concatenate(onset), np.zeros(n, bool)
        )

    def frames(self, series: Sequence[Series]) -> list[Frames]:
        """Random scores."""
        random = np.random.default_rng([self.seed, 2])
        shapes = [one.clear_percent.shape for one in series]
        return [Frames(random.random(shape, np.float32)) for shape in shapes]


def measure(planted: Planted, method: Method) -> Found:
    """Let a method judge a planted series.

    Raises:
        ValueError: nothing was planted.
    """
    changed = planted.changed
    if not changed.any():
        raise ValueError("expected planted changes, got none; plant some events")
    judged = method.judge([planted.series])
    score = judged.score.astype(np.float64)
    off = _off(planted, judged.onset)
    near = changed & (np.abs(off) <= AFTER) & np.isfinite(score)
    # Of all changed patches: those with a wrong date stay unfound however far one reads.
    found = measures.average_precision(near, score) if near.any() else 0.0
    scored = method.frames([planted.series])
    frames, caught, delayed = np.nan, np.nan, np.nan
    if scored is not None:
        values = scored[0].score.astype(np.float64)
        true, known = truth_of_frames(planted)
        if known.any():
            frames = measures.average_precision(true[known], values[known])
        caught, delayed = _delay(planted, values)
    return Found(
        patches=measures.average_precision(changed, score),
        dated=found * near.sum() / changed.sum(),
        frames=frames,
        precision=measures.precision_at(changed, score, int(changed.sum())),
        off=_median(off[changed & np.isfinite(score)]),
        found=caught,
        delay=delayed,
    )


def over_seeds(found: Sequence[Found], level: float = 0.95) -> dict[str, Interval]:
    """Mean of each measure over series of other seeds, with Student's interval."""
    return {
        field.name: mean(
            [getattr(one, field.name) for one in found],
            level,
            within=_WITHIN.get(field.name, (0.0, 1.0)),
        )
        for field in fields(Found)
    }


def mean(
    values: Sequence[float],
    level: float = 0.95,
    *,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """Mean of those that are known, with Student's interval, cut to what can be.

    Bounds are NaN below two known values.
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 2:
        return Interval(float(known[0]) if len(known) else np.nan, np.nan, np.nan)
    middle = float(known.mean())
    reach = student.ppf((1 + level) / 2, len(known) - 1)
    half = float(reach * known.std(ddof=1) / np.sqrt(len(known)))
    low, high = within
    return Interval(middle, max(middle - half, low), min(middle + half, high))


def truth_of_frames(
    planted: Planted,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n, t): observations that tell of a change, and those that count at all.

    Only clear ones from the first possible day of a change on count.
    """
    series, changed = planted.series, planted.changed[:, None]
    clear = _clear(series) & (series.days >= planted.start)
    since = changed & (series.days >= planted.onset[:, None])
    complete = changed & (series.days >= planted.settled[:, None])
    late = np.cumsum(complete & clear, axis=1) > AFTER
    return since & ~late & clear, clear & ~late


def _off(planted: Planted, onset: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """(n,) clear observations of the patch between the onset given and the true change.

    0 while the change goes on, above 0 where later, NaN without either.
    """
    given = _seen_before(planted.series, onset)
    off = np.maximum(given - _seen_before(planted.series, planted.settled), 0)
    early = np.minimum(given - _seen_before(planted.series, planted.onset), 0)
    both: NDArray[np.float64] = off + early
    return both


def _seen_before(series: Series, day: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """(n,) clear observations of each patch before its day (n,), NaN without one."""
    known = ~np.isnat(day)
    seen = np.pad(np.cumsum(_clear(series), axis=1), ((0, 0), (1, 0)))
    at = np.searchsorted(series.days, np.where(known, day, series.days[0]))
    return np.where(known, seen[np.arange(len(day)), at], np.nan)


def _delay(planted: Planted, score: NDArray[np.float64]) -> tuple[float, float]:
    """Share found, and median delay in clear observations, at `ALARMS`."""
    days = planted.series.days
    late = days >= planted.start
    values = np.where(_clear(planted.series), score, np.nan)[:, late]
    if not np.isfinite(values[~planted.changed]).any():
        return np.nan, np.nan
    told = delay.at_false_alarms(
        values,
        days[late],
        planted.onset,
        planted.changed,
        ~planted.changed,
        km2=1.0,
        rate=1000.0 * ALARMS,
    )
    alarm = np.nan_to_num(values, nan=-np.inf) >= told.threshold
    first = days[late][alarm.argmax(axis=1)]
    found = planted.changed & alarm.any(axis=1) & (first >= planted.onset)
    since = _seen_before(planted.series, first)
    since -= _seen_before(planted.series, planted.onset)
    return told.found, _median(since[found])


def _clear(series: Series) -> NDArray[np.bool_]:
    return np.asarray(np.nan_to_num(series.clear_percent) >= _MIN_CLEAR)


def _median(values: NDArray[np.float64]) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")
