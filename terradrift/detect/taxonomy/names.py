"""Names of regimes, from the course of three spectral indices over the year (pure).

The words say what the indices say and no more: what turns from bare to green and back within a
year is called crop-like and not a crop.

Thresholds:

* NDVI: 0.2 is bare soil and 0.5 full cover in Sobrino and Raissouni (2000, Int. J. Remote
  Sensing 21, 353-366); 0.3, between them, is where `detect.labels` sets what counts as strong.
  A year below 0.3 throughout is bare or built, one that never leaves 0.5 evergreen.
* NDWI above 0 is open water (McFeeters 1996, Int. J. Remote Sensing 17, 1425-1432); vegetation
  and soil are below. NDVI must say so too, where it is known: wet roofs also reach 0.
* A season of less than 0.15 NDVI, half of that 0.3, is not told: ours.
* The month of the peak is told where it has three dates, the months beside it are seen too, and
  smoothed with these it stands 0.05 above every month that is two or more away: ours. Sparse
  dates and haze put the highest single month anywhere.
* Snow takes NDVI to bare and back as a harvest does: without NBR and NDWI nothing is called
  crop-like.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import INDICES

SOIL, SPARSE, FULL = 0.2, 0.3, 0.5
WATER = 0.0
SEASON = 0.15
PEAK = 0.05
DATES = 3
"""Of a month, that it may be the peak."""
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Season:
    """The course of one index over the year."""

    mean: float
    """-1..1, of the medians of the months that are known; NaN where none is."""
    low: float
    high: float
    """10th and 90th percentile of the months: one of twelve under snow makes no season."""
    peak_month: int
    """1 .. 12; 0 where none stands out."""

    @property
    def amplitude(self) -> float:
        """From low to high, 0..2."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Name:
    """What to call a regime."""

    label: str
    """A few words, each regime its own."""
    description: str
    """One sentence with the numbers."""


def season(values: NDArray[np.floating], days: NDArray[np.datetime64]) -> Season:
    """The course over the year of an index (s,), NaN where unknown, on days (s,).

    Every month counts once, however often it was seen.
    """
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    known = np.isfinite(values)
    months = [m for m in range(12) if (known & (month == m)).any()]
    if not months:
        return Season(np.nan, np.nan, np.nan, 0)
    # The median of a month's dates: one under snow or haze does not speak for it.
    means = np.array([np.median(values[known & (month == m)]) for m in months])
    low, high = np.percentile(means, [10, 90])
    course, dates = np.full(12, np.nan), np.zeros(12, np.int64)
    course[months] = means
    np.add.at(dates, month[known], 1)
    return Season(float(means.mean()), float(low), float(high), _peak(course, dates))


def _peak(course: NDArray[np.floating], dates: NDArray[np.integer]) -> int:
    """The highest month, 1 .. 12, of a course (12,), NaN where not known, by so many dates.

    0 where it does not stand out of those that are two or more months away, or is seen too
    rarely to tell: it or a month beside it.
    """
    known = np.isfinite(course)
    filled = np.where(known, course, 0.0)
    total, weight = np.zeros(12), np.zeros(12)
    for shift, share in ((-1, 0.25), (0, 0.5), (1, 0.25)):
        total += share * np.roll(filled, shift)
        weight += share * np.roll(known, shift)
    smooth = np.where(known, total / np.maximum(weight, 0.25), -np.inf)
    best = int(smooth.argmax())
    if dates[best] < DATES or weight[best] < 1:
        return 0
    away = np.abs(np.arange(12) - best)
    rival = smooth[np.minimum(away, 12 - away) >= 2].max()
    # With no rival nothing says that the months which were not seen are lower.
    return best + 1 if -np.inf < rival <= smooth[best] - PEAK else 0


def names(indices: NDArray[np.floating], days: NDArray[np.datetime64]) -> list[Name]:
    """Name `k` regimes by the mean course of their members; no two get the same label.

    Where words are the same, the mean of that index is added by which these regimes differ
    most, and a number where that does not tell them apart either.

    Args:
        indices: (k, s, 3), as `chip.INDICES`, NaN where unknown.
        days: (s,), datetime64[D].

    Raises:
        ValueError: shapes that do not fit.
    """
    if indices.ndim != 3 or indices.shape[1:] != (len(days), len(INDICES)):
        raise ValueError(
            f"expected indices (k, {len(days)}, {len(INDICES)}), got {indices.shape}"
        )
    courses = [
        tuple(season(one[:, at], days) for at in range(len(INDICES))) for one in indices
    ]
    words = [_words(*one) for one in courses]
    alike: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(words):
        alike[one].append(number)
    for rows in alike.values():
        if len(rows) > 1:
            for row, added in zip(
                rows, _told_apart([courses[r] for r in rows]), strict=True
            ):
                words[row] += added
    return [
        Name(label, _sentence(course))
        for label, course in zip(_numbered(words), courses, strict=True)
    ]


def _words(ndvi: Season, nbr: Season, ndwi: Season) -> str:
    # Comparisons with NaN are False, so what is not known decides nothing.
    peak = ""
    if ndvi.amplitude >= SEASON and ndvi.peak_month:
        peak = f", peak in {_MONTHS[ndvi.peak_month - 1]}"
    dark = isnan(ndvi.mean) or ndvi.mean < SOIL
    swings = ndvi.low < SPARSE and ndvi.high >= FULL
    both = not (isnan(nbr.mean) or isnan(ndwi.mean))
    rules = (
        (ndwi.mean > WATER and dark, "water"),
        (isnan(ndwi.mean) and ndvi.mean < WATER, "water"),
        (ndwi.high > WATER and ndvi.low < SOIL, f"flooded part of the year{peak}"),
        (ndvi.high < SPARSE, "bare or built"),
        (ndvi.low >= FULL and ndvi.amplitude < SEASON, "evergreen vegetation"),
        (ndvi.low >= FULL, f"green all year{peak}"),
        (swings and both, f"crop-like{peak}"),
        (swings, f"vegetation that is bare for a time{peak}"),
        (ndvi.high >= FULL, f"seasonal vegetation{peak}"),
        (ndvi.high >= SPARSE, f"sparse or mixed vegetation{peak}"),
    )
    return next((words for holds, words in rules if holds), "regime without indices")


def _told_apart(courses: list[tuple[Season, ...]]) -> list[str]:
    """What to add to each of the same words: the index that differs most."""
    means = np.array([[one.mean for one in course] for course in courses])
    known = np.isfinite(means).all(axis=0)
    if not known.any():
        return [""] * len(courses)
    spread = np.where(known, np.ptp(means, axis=0), -1.0)
    at = int(spread.argmax())
    return [f" ({INDICES[at].upper()} {value:.2f})" for value in means[:, at]]


def _numbered(words: list[str]) -> list[str]:
    many, met = Counter(words), Counter[str]()
    found = []
    for one in words:
        met[one] += 1
        found.append(f"{one} {met[one]}" if many[one] > 1 else one)
    return found


def _sentence(course: tuple[Season, ...]) -> str:
    parts = []
    for name, one in zip(INDICES, course, strict=True):
        if isnan(one.mean):
            continue
        most = f", most in {_MONTHS[one.peak_month - 1]}" if one.peak_month else ""
        parts.append(
            f"{name.upper()} {one.mean:.2f} ({one.low:.2f} to {one.high:.2f}{most})"
        )
    return f"{'; '.join(parts)}." if parts else "No spectral index is known."
