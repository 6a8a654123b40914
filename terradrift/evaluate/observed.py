"""The scores of observations that detection gives, as methods."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift import threads as cores
from terradrift.detect.run import detect
from terradrift.detect.settings import Settings
from terradrift.evaluate.method import Frames, Judged
from terradrift.series import Series

COLUMNS = ("drift", "z", "p_value", "lof", "cusum")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One column of `scores`; p-values as -log10, so that larger is more unusual.

    Of each observation it knows earlier dates only, but for the components and the pool,
    which come from all that it is given.
    """

    column: str = "drift"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.column not in COLUMNS:
            raise ValueError(
                f"column must be one of {', '.join(COLUMNS)}, got {self.column!r}"
            )

    @property
    def name(self) -> str:
        """As the column."""
        return self.column

    def frames(self, series: Sequence[Series]) -> list[Frames]:
        """Score every observation."""
        blocks = detect(
            lambda: iter(series),
            Settings(),
            threads=cores.resolve(self.threads),
            advance=lambda _done: None,
        )
        found = (getattr(block.scores, self.column) for block in blocks)
        return [Frames(self._larger(values)) for values in found]

    def judge(self, series: Sequence[Series]) -> Judged:
        """The largest score of each patch, and its date."""
        scores, onsets = [], []
        for part, frames in zip(series, self.frames(series), strict=True):
            known = np.where(np.isfinite(frames.score), frames.score, -np.inf)
            best = known.argmax(axis=1)
            value = known[np.arange(len(part)), best]
            said = np.isfinite(value)
            scores.append(np.where(said, value, np.nan).astype(np.float32))
            onsets.append(np.where(said, part.days[best], np.datetime64("NaT", "D")))
        score = np.concatenate(scores)
        return Judged(score, np.concatenate(onsets), np.zeros(len(score), bool))

    def _larger(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.column != "p_value":
            return values
        return (-np.log10(values)).astype(np.float32)
