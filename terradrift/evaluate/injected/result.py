"""What planting tells of every method: from what size on it finds, and what it alarms for."""

import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any

import numpy as np

from terradrift.evaluate.injected.psychometric import Threshold, fitted
from terradrift.evaluate.injected.study import Trial
from terradrift.evaluate.measures import Interval

_AGAINST = "temporal median, pixels"
"""The reference that the table tells gains against; `gains` has the others."""
_BEYOND = 9.0
"""Amplitudes from here on are an extrapolation of nothing."""
_WIDTH = 99
_UNIT = {"materials": "share of the ground", "directions": "reflectance"}
REFERENCES = ("temporal median", "Reed-Xiaoli", "Reed-Xiaoli of the difference")
"""What gains are told against, on patches and on pixels."""
ASKED = ("rx-temporal",)
"""What they are told against, too, where it was asked for: Reed-Xiaoli's third form."""


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
            "nine in ten are found, where half of the object lies above the limit that "
            f"{self.false_positives:g} of {self.untouched:,} untouched observations pass. "
            f"Gain: A50 of {_AGAINST} over its own."
        )
        width = max(map(len, self.thresholds))
        title = f"{'':<{width}}{'A50':>7}   {'95 % interval':<16}{'A90':>7}"
        table = [f"{title}   gain"]
        for name, found in self.thresholds.items():
            interval = f"{told(found.a50.low, self.planted)} .. {told(found.a50.high, self.planted)}"
            times = self._gain(name)
            table.append(
                f"{name:<{width}}{told(found.a50.value, self.planted):>7}   {interval:<16}"
                f"{told(found.a90.value, self.planted):>7}   {_times(times)}".rstrip()
            )
        head = "\n".join(textwrap.wrap(head, _WIDTH))
        return "\n".join([head, "", *table, "", *self._alarms(width)])

    def _gain(self, name: str) -> Interval | None:
        """None also where an amplitude that is not reached would be a part of it."""
        other = self.thresholds[_AGAINST]
        most = 1.0 if self.planted == "materials" else _BEYOND
        if max(self.thresholds[name].curve.a50, other.curve.a50) > most:
            return None
        return self.gains.get(name, {}).get(_AGAINST)

    def _alarms(self, width: int) -> list[str]:
        """Rows of methods, columns of nuisances."""
        lines = [
            "Percent above the limit where nothing was planted, under nuisances:",
            " " * width + "".join(f"{name:>8}" for name in self.alarms),
        ]
        for method in self.thresholds:
            cells = (f"{100 * shares[method]:8.2f}" for shares in self.alarms.values())
            lines.append(f"{method:<{width}}{''.join(cells)}")
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
    curves = {name: fitted(amplitude, found[name], frame) for name in names}
    limits = {name: curve.threshold() for name, curve in curves.items()}
    others = [
        f"{name}, {grid}" for name in REFERENCES for grid in ("pixels", "patches")
    ]
    asked = [f"{name}, {grid}" for name in ASKED for grid in ("pixels", "patches")]
    rivals = [*others, *(name for name in asked if name in curves)]
    gains = {
        name: {
            other: curves[name].gain(curves[other]) for other in rivals if other != name
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


def told(amplitude: float, planted: str = "directions") -> str:
    """An amplitude in words: what lies beyond all of the ground is not told as a number."""
    if isnan(amplitude):
        return "-"
    if planted == "materials" and amplitude > 1:
        return "> 1"
    return "never" if amplitude > _BEYOND else f"{amplitude:.3f}"


def _times(value: Interval | None) -> str:
    if value is None or not isfinite(value.value):
        return ""
    return f"{value.value:.1f} ({value.low:.1f} .. {value.high:.1f})"
