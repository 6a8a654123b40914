"""Monitoring as a method: judged from half-way, by what was known before each date."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.monitor.reference import Reference, TooLittlePastError, fit
from terradrift.detect.monitor.replay import Track, replay
from terradrift.detect.monitor.rules import Rules
from terradrift.evaluate.method import Frames, Judged
from terradrift.series import Series

_SIZE = re.compile(r"_(\d+)m_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """What `terradrift watch` does, on whole series: the highest level of each chart.

    What changed before the start is part of the reference, and is not found.
    """

    name: str = "monitor"
    start: np.datetime64 | None = None
    """First day that is judged; None: when `past` of the clear observations are there."""
    past: float = 1 / 3
    rules: Rules = field(default_factory=lambda: Rules(ceiling=math.inf))
    """Levels are not cut, so that they rank."""

    def judge(self, series: Sequence[Series]) -> Judged:
        """Rank by the highest level; onset is where its evidence began; alerts are reported."""
        n = sum(len(one) for one in series)
        score = np.full(n, np.nan, np.float32)
        onset = np.full(n, "NaT", "datetime64[D]")
        reported = np.zeros(n, bool)
        at = 0
        for track in self.tracks(series) or []:
            here = slice(at, at + len(track.rows))
            score[here], onset[here] = _strongest(track)
            raised = [step.alerts.row for step in track.steps]
            if raised:
                reported[here] = np.isin(track.rows, np.concatenate(raised))
            at += len(track.rows)
        return Judged(score, onset, reported)

    def frames(self, series: Sequence[Series]) -> list[Frames]:
        """The level of each date; NaN before the start."""
        out = [np.full(one.clear_percent.shape, np.nan, np.float32) for one in series]
        for whole, track in zip(out, self.tracks(series) or [], strict=False):
            if track.level.shape[1]:
                whole[:, -track.level.shape[1] :] = track.level
        return [Frames(one) for one in out]

    def tracks(self, series: Sequence[Series]) -> list[Track] | None:
        """The charts of every block; None where there is too little to learn from."""
        fitted = self.reference(series)
        if fitted is None:
            return None
        return list(replay(lambda: iter(series), fitted))

    def reference(self, series: Sequence[Series]) -> Reference | None:
        """What is learned before the start; None where that is too little."""
        start = self.start if self.start is not None else self._when(series)
        if start is None:
            return None
        try:
            return fit(lambda: iter(series), start, self.rules, patch_km2(series))
        except TooLittlePastError:
            return None

    def _when(self, series: Sequence[Series]) -> np.datetime64 | None:
        """The day after that on which `past` of the clear observations were there."""
        with np.errstate(invalid="ignore"):
            days = np.concatenate(
                [
                    np.repeat(
                        one.days, (one.clear_percent >= self.rules.min_clear).sum(0)
                    )
                    for one in series
                ]
            )
        if len(days) == 0:
            return None
        day: np.datetime64 = np.sort(days)[int(self.past * (len(days) - 1))]
        return day + np.timedelta64(1, "D")


def patch_km2(series: Sequence[Series]) -> float:
    """Area of a patch, by the size in its id.

    Raises:
        ValueError: the ids do not say.
    """
    named = next((str(one.patch_ids[0]) for one in series if len(one)), "")
    found = _SIZE.search(named)
    if found is None:
        raise ValueError(f"expected a patch id such as 32631_40m_1_2, got {named!r}")
    return (int(found[1]) / 1000.0) ** 2


def _strongest(track: Track) -> tuple[NDArray[np.float32], NDArray[np.datetime64]]:
    """Highest level (n,) and the day on which its evidence began; NaN and NaT without any."""
    n = len(track.rows)
    if track.level.shape[1] == 0:
        return np.full(n, np.nan, np.float32), np.full(n, "NaT", "datetime64[D]")
    level = np.where(np.isfinite(track.level), track.level, -1.0)
    at = level.argmax(axis=1)
    rows = np.arange(n)
    score = np.where(level[rows, at] >= 0, level[rows, at], np.nan)
    return score.astype(np.float32), track.since[rows, at].astype("datetime64[D]")
