"""What a comparison of methods gives: plain values, and the same as a record for JSON."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from terradrift.evaluate.measures import Interval
from terradrift.evaluate.result import Evaluation

RECALL = 0.5
"""Share of the changed patches at which methods are compared: a threshold each can have."""
ALPHAS = (0.05, 0.01)


@dataclass(frozen=True, slots=True)
class Alarms:
    """What passes a threshold where nothing changed."""

    count: int
    """Patches."""
    patches: int
    """Patches that were judged."""
    rate: Interval
    """Per 1,000 km2 and year, exact Poisson; NaN without area or time."""

    @property
    def share(self) -> float:
        """0..1, of the judged patches."""
        return self.count / self.patches if self.patches else np.nan


@dataclass(frozen=True, slots=True)
class Dated:
    """Onsets of the changed patches that pass the threshold of `RECALL`."""

    found: int
    days: float
    """Median of the absolute error."""
    bias: float
    """Median of the signed error; above 0 is late."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Shares of p-values below each of `ALPHAS` where nothing changed; they should be equal."""

    observations: tuple[float, ...]
    patches: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Line:
    """One method on one site."""

    model: str
    """Of the vectors it read; `spectral` for detectors of bands, empty for indices."""
    detector: str
    how: str
    """The method's `repr`."""
    cpu_s: float
    """Processor time of judging, all threads together."""
    judged: float
    """Share of the patches that have a score."""
    evaluation: Evaluation | None
    """None without truth."""
    dated: Dated | None
    control: Alarms | None
    """On the control archive from the threshold of `RECALL` on; None without either."""
    reported: Alarms | None
    """On patches that did not change, at the method's own threshold; None without one."""
    calibrated: Calibrated | None
    """None for a method without p-values, and where something changed."""

    def to_dict(self) -> dict[str, Any]:
        """As a record of plain values; what cannot be given is None."""
        found = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}
        if self.evaluation is not None:
            whole = self.evaluation.to_dict()
            found["evaluation"] = {k: v for k, v in whole.items() if k != "curve"}
        return found


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bench:
    """Methods compared on one archive."""

    archive: str
    """Its name."""
    patch_size: int
    """Metres."""
    patches: int
    dates: int
    """Days on which at least one patch was clear."""
    control: str
    """Name of the archive where nothing changed; empty without."""
    notes: tuple[str, ...]
    lines: tuple[Line, ...]

    def to_dict(self) -> dict[str, Any]:
        """As a record of plain values."""
        own = [each.name for each in fields(self) if each.name != "lines"]
        return {
            **{name: _plain(getattr(self, name)) for name in own},
            "lines": [each.to_dict() for each in self.lines],
        }

    def __str__(self) -> str:
        from terradrift.evaluate.bench.page import text

        return text(self)


def _plain(value: object) -> Any:  # noqa: ANN401 - a JSON tree
    if isinstance(value, Evaluation):
        return None
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return value
