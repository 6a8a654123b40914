"""What detection can be told; the defaults are not tuned to one data set."""

from dataclasses import dataclass

VARIANTS = ("centroid", "medoid", "nearest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Parameters of `detect`; every one has its sensitivity in `benchmarks/quality.py`."""

    variant: str = "centroid"
    """How drift is measured to the reference: `centroid`, `medoid` or `nearest`."""
    window_days: int = 45
    """Half width of the season window, circular day of year."""
    guard_days: int = 10
    """Observations closer than this to the scored one are not its reference."""
    min_reference: int = 4
    """Fewer season-matched observations than this: fall back to the last ones."""
    max_reference: int = 12
    """At most so many reference observations, the most recent ones."""
    controls: int = 40
    """Analogues a patch is compared with on the same date."""
    min_controls: int = 8
    """Fewer analogues than this say nothing."""
    min_clear: float = 70.0
    """Observations less clear than this (percent) are given no score."""
    min_segment: int = 3
    """Clear observations that a state before or after a change needs."""
    dimensions: int = 32
    """Principal components in which histories and steps are compared."""
    pool: int = 4096
    """At most so many patches of the archive serve as analogues and as common steps."""
    pool_bytes: int = 256 * 2**20
    """Memory that the histories of the pool may take."""
    outlier: float = 2.0
    """Observations further from the patch's median than so many typical distances count as
    if they were so far; keeps unmasked clouds from making states."""
    floor: float = 0.3
    """Added to the spread of calibration scores, as a share of their median."""
    cusum_slack: float = 1.0
    """Evidence per date, in robust standard deviations, that CUSUM takes as noise."""
    max_p_value: float = 0.01
    """Candidates are reported as changes where so small a share of unchanged patches has one
    that scores as much,"""
    max_q_value: float = 0.3
    """or where, much having changed, at most this share of those that score as much is
    expected to be false."""
    max_false_alarms: float | None = None
    """Instead of by those two, report by how many unchanged patches per 1,000 km2 and year
    are expected to be told as changed: at most so many. Patches are counted, not rows: one
    may have several changes. Needs 20 patches with a score."""
    min_score: float = 8.0
    """What a change must score where the pool is too small (20 patches) for p-values."""
    min_strength: float = 2.0
    """How far states must differ, in units of their scatter, for a patch to be broken there
    once more; noise has about 1."""
    seed: int = 0
    """Chooses the pool and the sample that the components are fitted on."""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(
                f"variant must be one of {', '.join(VARIANTS)}, got {self.variant!r}"
            )
        for name in (
            "min_reference",
            "max_reference",
            "controls",
            "min_controls",
            "min_segment",
            "dimensions",
            "pool",
        ):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        for name in (
            "window_days",
            "guard_days",
            "cusum_slack",
            "floor",
            "outlier",
            "min_score",
            "min_strength",
        ):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"{name} must not be negative, got {getattr(self, name)}"
                )
        for name in ("max_p_value", "max_q_value"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        if self.max_false_alarms is not None and not self.max_false_alarms > 0:
            raise ValueError(
                f"max_false_alarms must be above 0, got {self.max_false_alarms}"
            )
        if not 0 <= self.min_clear <= 100:
            raise ValueError(
                f"min_clear must be a percentage 0..100, got {self.min_clear}"
            )
