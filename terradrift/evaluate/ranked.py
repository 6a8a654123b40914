"""A detector of series as a method: what it is handed, and a patch's score from its dates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.protocol import SeriesDetector
from terradrift.detect.settings import Settings
from terradrift.evaluate.method import Frames, Judged
from terradrift.series import Series

READS = ("embedding", "bands", "indices")
"""What a method may be given as vectors; see `reads`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Largest:
    """A detector of series as a method: a patch's score is its largest, or a quantile."""

    name: str
    detector: SeriesDetector
    bands: int = 0
    """How many leading values of a vector are band means; for detectors of bands."""
    quantile: float = 1.0
    """1: the maximum over dates."""
    min_clear: float = Settings().min_clear
    """Observations less clear than this (percent) are not judged."""

    def __post_init__(self) -> None:
        if not 0 < self.quantile <= 1:
            raise ValueError(
                f"quantile must be above 0 and at most 1, got {self.quantile}"
            )
        if self.reads == "bands" and self.bands < 1:
            raise ValueError(
                f"{self.name} reads bands: how many lead a vector must be at least 1, "
                f"got {self.bands}"
            )

    @property
    def reads(self) -> str:
        """Which series it is to be given: `embedding`, `bands` (of `spectral`), `indices`."""
        return reads(self.detector)

    @property
    def by_block(self) -> bool:
        """Whether patches are judged apart from those of other blocks."""
        return not getattr(self.detector, "scene", False)

    def judge(self, series: Sequence[Series]) -> Judged:
        """Rank the patches; onset is the date of the largest score."""
        return by_dates(series, self._scores(series), self.quantile)

    def frames(self, series: Sequence[Series]) -> list[Frames]:
        """The detector's scores."""
        return [Frames(score) for score in self._scores(series)]

    def _scores(self, series: Sequence[Series]) -> list[NDArray[np.float32]]:
        parts = [(part.days, self._vectors(part), self._clear(part)) for part in series]
        if self.by_block:
            return [self.detector.detect(*part) for part in parts]
        return _together(self.detector, parts)

    def _vectors(self, part: Series) -> NDArray[np.floating]:
        if self.reads == "indices":
            return part.indices
        return (
            part.vectors[..., : self.bands] if self.reads == "bands" else part.vectors
        )

    def _clear(self, part: Series) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            clear: NDArray[np.bool_] = part.clear_percent >= self.min_clear
        return clear


_Part = tuple[NDArray[np.datetime64], NDArray[np.floating], NDArray[np.bool_]]


def _together(
    detector: SeriesDetector, parts: Sequence[_Part]
) -> list[NDArray[np.float32]]:
    """Scores of blocks, by a detector that sees the patches of all of them at once."""
    if not parts:
        return []
    days = np.unique(np.concatenate([part[0] for part in parts]))
    n = sum(len(part[2]) for part in parts)
    width = parts[0][1].shape[2]
    vectors = np.zeros((n, len(days), width), parts[0][1].dtype)
    clear = np.zeros((n, len(days)), bool)
    start, columns = 0, []
    for own, values, seen in parts:
        columns.append((slice(start, start + len(seen)), np.searchsorted(days, own)))
        vectors[columns[-1]], clear[columns[-1]] = values, seen
        start += len(seen)
    scores = detector.detect(days, vectors, clear)
    return [scores[at] for at in columns]


def by_dates(
    series: Sequence[Series], found: Sequence[NDArray[np.float32]], quantile: float
) -> Judged:
    """Patches by the (n, t) scores of their observations, block by block."""
    return told(series, [_over_dates(values, quantile) for values in found])


def told(
    series: Sequence[Series],
    found: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]],
) -> Judged:
    """Patches by their (n,) scores and numbers of dates (-1: none), block by block."""
    scores, onsets = [np.zeros(0, np.float32)], [np.zeros(0, "datetime64[D]")]
    for part, (score, date) in zip(series, found, strict=True):
        scores.append(score)
        day = np.append(part.days, np.datetime64("NaT", "D"))[date]
        onsets.append(day)
    score = np.concatenate(scores)
    return Judged(score, np.concatenate(onsets), np.zeros(len(score), bool))


def _over_dates(
    scores: NDArray[np.float32], quantile: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(n,) score of each patch of (n, t), and the number of its date; NaN and -1 without."""
    n, t = scores.shape
    if t == 0:
        return np.full(n, np.nan, np.float32), np.full(n, -1)
    known = np.isfinite(scores)
    some = known.any(axis=1)
    date = np.where(known, scores, -np.inf).argmax(axis=1)
    value = np.full(n, np.nan, np.float32)
    if quantile == 1:
        value[some] = scores[some, date[some]]
    elif some.any():
        value[some] = np.nanquantile(scores[some], quantile, axis=1)
    return value, np.where(some, date, -1)


def reads(detector: object) -> str:
    """What a detector, or a method, wants as vectors: one of `READS`.

    Raises:
        ValueError: it declares something else.
    """
    wanted = getattr(detector, "reads", "embedding")
    if wanted not in READS:
        raise ValueError(
            f"{detector!r}: reads must be one of {', '.join(READS)}, got {wanted!r}"
        )
    return str(wanted)
