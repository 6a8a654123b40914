"""What the method `seasonal` can be told."""

from dataclasses import dataclass
from typing import Literal

_LEAST = {
    **dict.fromkeys(("max_reference", "clusters", "min_scene", "min_past", "pool"), 1),
    **dict.fromkeys(("min_season", "min_reference"), 2),
    **dict.fromkeys(("window_days", "guard_days", "floor", "slack"), 0),
}
"""What each setting must be at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Parameters of `seasonal`; none is tuned to a data set."""

    measure: Literal["centroid", "nearest"] = "centroid"
    """Distance to the mean direction of the reference, or to the nearest of it."""
    window_days: int = 45
    """Half width of the season window, circular day of year."""
    guard_days: int = 15
    """Observations closer than this to the scored one are not its reference; nor are
    members that are closer than this to a left-out one."""
    max_cloud: float = 0.2
    """0..1, observations with a larger cloud fraction are neither scored nor reference."""
    min_season: int = 3
    """Season-matched observations of earlier years that make a reference; with fewer it is
    the last clear ones."""
    max_reference: int = 12
    """At most so many, the most recent ones."""
    min_reference: int = 5
    """Left-out scores that calibrate a patch by itself; with fewer those of its cluster."""
    floor: float = 0.3
    """Added to the spread of left-out scores, as a share of their median."""
    clusters: int = 8
    """Groups of patches that looked alike so far; they lend one another left-out and past
    scores."""
    min_scene: int = 8
    """Patches of a scene that its median needs."""
    scale: bool = True
    """Divide by how much wider z scatters over the scene than over earlier ones, if it does:
    patchy snow and haze spread patches as well as shift them."""
    min_past: int = 100
    """Earlier scores that a p-value is ranked among; the smallest p is 1 over one more."""
    evidence: Literal["rank", "score"] = "rank"
    """What CUSUM sums: the p-value as a normal quantile, or the spatial score. The limits of
    a chart are those of normal noise, and spatial scores have heavier tails."""
    slack: float = 1.0
    """Evidence per date that CUSUM takes as noise."""
    limit: float = 5.0
    """CUSUM above this is persistent."""
    loudest: float = 3.5
    """A date counts at most so much in CUSUM; below `limit` + `slack`, no single scene can
    make a patch persistent."""
    pool: int = 2048
    """At most so many patches, chosen by a hash of their ids, tell what a scene does."""
    pool_bytes: int = 256 * 2**20
    """Memory that their histories may take."""
    seed: int = 0
    """Chooses the pool."""

    def __post_init__(self) -> None:
        for name, known in (
            ("measure", ("centroid", "nearest")),
            ("evidence", ("rank", "score")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be {' or '.join(known)}, got {getattr(self, name)!r}"
                )
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} must be at least {least}, got {getattr(self, name)}"
                )
        if not 0 <= self.max_cloud <= 1:
            raise ValueError(f"max_cloud must be 0 to 1, got {self.max_cloud}")
        if not self.slack < self.loudest < self.limit + self.slack:
            raise ValueError(
                "loudest must be above slack and below limit + slack, so that no single "
                f"date makes a patch persistent; got {self.loudest}"
            )
