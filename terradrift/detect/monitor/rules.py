"""What a monitoring chart is asked for, and the parameters it judges by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Parameters of monitoring; all are fixed when watching begins."""

    max_false_alarms: float = 1000.0
    """Alerts per 1,000 km2 and year that unchanged ground may raise."""
    controls: int = 40
    """Analogues a patch is compared with on one date; twice as many stand by for clouds."""
    min_controls: int = 8
    """Fewer analogues than this on a date say nothing."""
    min_clear: float = 70.0
    """Observations less clear than this (percent) are not judged."""
    min_dates: int = 4
    """Clear dates before the start that a patch needs, and each half of the reference."""
    confirm: int = 2
    """Dates of evidence in a row that an alert takes."""
    slack: float = 1.0
    """Length that the summed residual loses on every date; 1 is the median residual."""
    temper: float = 5.0
    """Residuals longer than this count as if they were so long: one cloud is no change."""
    ceiling: float = 2.0
    """Thresholds at which the sum stops growing, so that an alert can end again."""
    smoothing: float = 0.2
    """Weight of the newest date in the moving average of z."""
    shrinkage: float = 4.0
    """Dates' worth of doubt about what a patch's own residuals show."""
    ridge: float = 1.0
    """Mean variance, in times, that is added before residuals are whitened."""
    dimensions: int = 32
    """Principal components in which patches are compared."""
    pool: int = 4096
    """At most so many patches serve as analogues and as placebo."""
    pool_bytes: int = 256 * 2**20
    """Memory that the histories of the pool may take."""
    seed: int = 0
    """Chooses the pool and the sample that the components are fitted on."""

    def __post_init__(self) -> None:
        for name in (
            "controls",
            "min_controls",
            "min_dates",
            "confirm",
            "dimensions",
            "pool",
        ):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        for name in ("max_false_alarms", "slack", "temper", "ceiling", "ridge"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.shrinkage < 0:
            raise ValueError(f"shrinkage must not be negative, got {self.shrinkage}")
        if not 0 < self.smoothing <= 1:
            raise ValueError(
                f"smoothing must be above 0 and at most 1, got {self.smoothing}"
            )
        if not 0 <= self.min_clear <= 100:
            raise ValueError(
                f"min_clear must be a percentage 0..100, got {self.min_clear}"
            )
