"""Chance of detection over amplitude, one curve per method."""

import numpy as np
from matplotlib.figure import Figure

from terradrift.evaluate.injected.result import REFERENCES, Sensitivity
from terradrift.report import ink

_STEPS = 200
_BINS = 8
_Line = tuple[float, tuple[float, ...] | None]
_PLAIN: _Line = (0.0, None)
_PIXELS: _Line = (0.0, (5.0, 2.0))
_PATCHES: _Line = (0.0, (1.0, 1.5))
_LOOKS = tuple(
    (gray, line) for gray in ("0.25", "0.5", "0.7") for line in (_PIXELS, _PATCHES)
)
"""Of references: one gray each, pixels dashed and patches dotted."""
_AXIS = {
    "materials": "share of the ground that turned into another material",
    "directions": "change of reflectance, root mean square over bands",
}


def figure(found: Sensitivity) -> Figure:
    """Fitted curves, and shares found in bins of amplitude as dots."""
    amplitude = np.array([each.amplitude for each in found.trials])
    low, high = amplitude.min(), amplitude.max()
    x = np.geomspace(low, high, _STEPS)
    edges = np.geomspace(low, high * 1.0001, _BINS + 1)
    place = np.digitize(amplitude, edges) - 1
    with ink.style():
        drawn = Figure(figsize=(8.6, 4.4), layout="constrained")
        drawn.suptitle(
            f"{found.archive}, {found.model}: {found.false_positives:g} of untouched "
            "observations pass",
            x=0.01,
            ha="left",
        )
        axes = drawn.add_subplot()
        ink.quiet(axes)
        ours = [n for n in found.thresholds if not n.startswith(REFERENCES)]
        looks = iter(_LOOKS)
        for number, (name, limit) in enumerate(found.thresholds.items()):
            color, line = (f"C{number % 10}", _PLAIN) if name in ours else next(looks)
            hits = np.array([each.found[name] for each in found.trials])
            shares = [
                (np.sqrt(edges[b] * edges[b + 1]), hits[place == b].mean())
                for b in range(_BINS)
                if (place == b).any()
            ]
            chance = (
                limit.curve.chance(x)
                if np.isfinite(limit.curve.a50)
                else np.zeros(_STEPS)
            )
            axes.plot(
                x,
                chance,
                color=color,
                linestyle=line,
                linewidth=2.0 if name in ours else 1.2,
                label=name,
            )
            axes.plot(*zip(*shares, strict=True), ".", color=color, markersize=5)
        axes.set_xscale("log")
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel(_AXIS[found.planted])
        axes.set_ylabel("share of planted objects found")
        drawn.legend(loc="outside right upper", frameon=False, fontsize="small")
    return drawn
