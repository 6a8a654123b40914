"""What planting tells of every method: from what size on it finds, and what it alarms for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any

import numpy as np

from terradrift.evaluate.injected.psychometric import Threshold, gain, threshold
from terradrift.evaluate.injected.study import Trial
from terradrift.evaluate.measures import Interval

_BEYOND = 9.0
"""Amplitudes from here on are an extrapolation of nothing."""
_UNIT = {"materials": "share of the ground", "directions": "reflectance"}
REFERENCES = ("temporal median", "Reed-Xiaoli", "Reed-Xiaoli of the difference")
"""What gains are told against, on patches and on pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """The result for one archive and model."""

    archive: str
    model: str
    planted: str
    """`materials` (amplitude: share of the ground) or `directions` (reflectance)."""
    patch_size: float
    """Metres."""
    frames: tuple[str, ...]
    """The dates that were planted into."""
    false_positives: float
    """Share of untouched observations above each method's limit, at most."""
    untouched: int
    """Untouched observations of patches that set the limits."""
    trials: tuple[Trial, ...]
    thresholds: Mapping[str, Threshold]
    gains: Mapping[str, Mapping[str, Interval]]
    """Of each of our methods: A50 of a reference over its own."""
    alarms: Mapping[str, Mapping[str, float]]
    """Of each nuisance and method: share of observations above the limit."""

    def to_dict(self) -> dict[str, Any]:
        """As a record for JSON; infinite and unknown numbers are null."""
        return {
            "archive": self.archive,
            "model": self.model,
            "planted": self.planted,
            "patch_size": self.patch_size,
            "frames": list(self.frames),
            "false_positives": self.false_positives,
            "untouched_observations": self.untouched,
            "objects": len(self.trials),
            "methods": {
                name: {
                    "a50": _record(found.a50),
                    "a90": _record(found.a90),
                    "slope": _number(found.curve.slope),
                    "gain": {
                        other: _record(value)
                        for other, value in self.gains.get(name, {}).items()
                    },
                    "alarms": {
                        nuisance: _number(shares[name])
                        for nuisance, shares in self.alarms.items()
                    },
                }
                for name, found in self.thresholds.items()
            },
        }

    def __str__(self) -> str:
        head = (
            f"{self.archive}, {self.model}: {len(self.trials)} planted {self.planted} in "
            f"{len(self.frames)} dates. A50, A90: {_UNIT[self.planted]} from which on half, "
            "nine in ten are found: half of the object lies above the limit that "
            f"{self.false_positives:g} of {self.untouched:,} untouched observations pass."
        )
        table = [f"{'':<40}{'A50':>7}   {'95 % interval':<16}{'A90':>7}"]
        for name, found in self.thresholds.items():
            interval = f"{_short(found.a50.low)} .. {_short(found.a50.high)}"
            table.append(
                f"{name:<40}{_short(found.a50.value):>7}   {interval:<16}"
                f"{_short(found.a90.value):>7}"
            )
        told = [
            f"{name}: A50 of {other} over its own {_times(value)}"
            for name, others in self.gains.items()
            for other, value in others.items()
            if isfinite(value.value)
        ]
        return "\n".join([head, "", *table, "", *told, "", *self._alarms()])

    def _alarms(self) -> list[str]:
        names = list(self.thresholds)
        lines = ["share above the limit where nothing was planted:"]
        for nuisance, shares in self.alarms.items():
            cells = "  ".join(f"{name} {shares[name]:.4f}" for name in names)
            lines.append(f"  {nuisance}: {cells}")
        return lines


def summed(
    counts: Sequence[tuple[str, Mapping[str, tuple[int, int]]]],
) -> dict[str, dict[str, float]]:
    """Share of observations above the limit, per nuisance and method, over all frames."""
    total: dict[str, dict[str, list[int]]] = defaultdict(
        lambda: defaultdict(lambda: [0, 0])
    )
    for nuisance, methods in counts:
        for method, (above, known) in methods.items():
            total[nuisance][method][0] += above
            total[nuisance][method][1] += known
    return {
        nuisance: {
            method: above / known if known else float("nan")
            for method, (above, known) in methods.items()
        }
        for nuisance, methods in total.items()
    }


def thresholds(
    trials: Sequence[Trial],
) -> tuple[dict[str, Threshold], dict[str, dict[str, Interval]]]:
    """A50 and A90 of every method, and the gain of ours over each reference."""
    amplitude = np.array([each.amplitude for each in trials])
    frame = np.array([each.frame for each in trials])
    names = list(trials[0].found)
    found = {name: np.array([each.found[name] for each in trials]) for name in names}
    limits = {name: threshold(amplitude, found[name], frame) for name in names}
    others = [
        f"{name}, {grid}" for name in REFERENCES for grid in ("pixels", "patches")
    ]
    gains = {
        name: {
            other: gain(amplitude, found[name], found[other], frame) for other in others
        }
        for name in names
        if name not in others
    }
    return limits, gains


def _record(interval: Interval) -> dict[str, float | None]:
    return {
        "value": _number(interval.value),
        "low": _number(interval.low),
        "high": _number(interval.high),
    }


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _short(value: float) -> str:
    if isnan(value):
        return "-"
    return "never" if value > _BEYOND else f"{value:.3f}"


def _times(value: Interval) -> str:
    return f"{value.value:.1f} ({value.low:.1f} .. {value.high:.1f})"
