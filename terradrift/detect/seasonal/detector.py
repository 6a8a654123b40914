"""The detector `seasonal`: the method on one scene's series of vectors (pure)."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.median import complete, observed
from terradrift.detect.seasonal import judge
from terradrift.detect.seasonal.settings import Settings

_Of = Literal["rank", "cusum", "spatial", "temporal"]
_ROWS = 512
"""Patches judged at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seasonal:
    """Novelty beside the season-matched past, less what the whole scene went through."""

    scene: ClassVar[bool] = True
    """Wants the patches of a scene together."""

    of: _Of = "rank"
    """Which score: -log10 of the p-value; evidence summed over dates; z less the scene's
    median; or the cosine distance."""
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        if self.of not in get_args(_Of):
            known = ", ".join(get_args(_Of))
            raise ValueError(f"of must be one of {known}, got {self.of!r}")

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) vectors: (n, t), NaN where not clear or nothing can be said.

        All patches of a date are one scene.
        """
        values = observed(days, vectors, clear)
        seen = complete(values)
        n, t = clear.shape
        scene = np.broadcast_to(np.arange(t), (n, t))
        every = judge.Patches(days, values, seen, scene)
        pool = np.linspace(0, n - 1, min(n, self.settings.pool)).astype(np.int64)
        scenes = judge.learn(_part(every, pool), self.settings)
        out = np.full((n, t), np.nan, np.float32)
        for start in range(0, n, _ROWS):
            rows = np.arange(start, min(start + _ROWS, n))
            found = judge.judge(_part(every, rows), scenes, self.settings)
            out[rows] = self._chosen(found)
        return out

    def _chosen(self, found: judge.Judged) -> NDArray[np.float32]:
        if self.of == "rank":
            return -np.log10(found.p_value)
        if self.of == "spatial":
            return found.spatial
        return found.score if self.of == "temporal" else found.cusum


def _part(patches: judge.Patches, rows: NDArray[np.int64]) -> judge.Patches:
    return judge.Patches(
        patches.days, patches.vectors[rows], patches.clear[rows], patches.scene[rows]
    )
