"""One patch through time: its z on every date, and when it left its reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from terradrift.report import ink

_TOO_FAR = 4.0


@dataclass(frozen=True, slots=True)
class History:
    """The scores of one patch, and its change."""

    times: tuple[datetime, ...]
    """(t,), ascending."""
    z: tuple[float | None, ...]
    """(t,), robust standard deviations, None where there is no score."""
    reasons: tuple[str | None, ...]
    """(t,), why there is none."""
    before: datetime | None
    """Last clear date before the change."""
    after: datetime | None
    """First clear date with it."""


def figure(history: History) -> Figure:
    """A figure of one history."""
    with ink.style():
        drawn = Figure(figsize=(4.6, 2.1))
        draw(drawn.add_subplot(), history)
        drawn.tight_layout()
    return drawn


def draw(axes: Axes, history: History) -> None:
    """Draw z over time with the change marked; dates without a z are marked at the foot."""
    at = np.array([ink.days(one) for one in history.times])
    value = np.array([np.nan if one is None else one for one in history.z], float)
    ink.quiet(axes)
    if history.before is not None and history.after is not None:
        late = ink.days(history.after) > at.min() + 0.85 * np.ptp(at)
        _mark(axes, ink.days(history.before), ink.days(history.after), late=late)
    axes.axhline(0, color=ink.FAINT, linewidth=0.6)
    known = np.isfinite(value)
    axes.plot(at[known], value[known], color=ink.FAINT, linewidth=0.8)
    axes.plot(at[known], value[known], "o", color=ink.PERSISTENT, markersize=3.2)
    axes.set_ylabel("z")
    _limits(axes, value[known])
    _abstentions(axes, at, known, history.reasons)
    span = max(float(np.ptp(at)), 10.0)
    axes.set_xlim(at.min() - 0.03 * span, at.max() + 0.03 * span)
    ink.dates(axes, 3, 6)


def _mark(axes: Axes, before: float, after: float, *, late: bool) -> None:
    axes.axvspan(before, after, color=ink.TRANSIENT, alpha=0.25, linewidth=0)
    axes.axvline(after, color=ink.TRANSIENT, linewidth=1.2, linestyle=(0, (4, 2)))
    axes.annotate(
        "change",
        (after, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-3 if late else 3, 1),
        ha="right" if late else "left",
        textcoords="offset points",
        fontsize=8,
        color=ink.INK,
    )


def _limits(axes: Axes, value: NDArray[np.float64]) -> None:
    low = min(float(value.min(initial=0.0)), -1.0)
    high = max(float(value.max(initial=0.0)), 3.0)
    # A single cloud that the mask missed may be a hundred deviations off.
    if len(value) > 8:
        high = max(3.0, min(high, _TOO_FAR * float(np.percentile(value, 95)) + 1))
    axes.set_ylim(low - 0.22 * (high - low), high * 1.08)
    beyond = value > high * 1.08
    if beyond.any():
        axes.set_ylabel(f"z ({int(beyond.sum())} above)")


def _abstentions(
    axes: Axes,
    at: NDArray[np.float64],
    known: NDArray[np.bool_],
    reasons: Sequence[str | None],
) -> None:
    cloudy = np.array([bool(one) and "clear" in str(one) for one in reasons], bool)
    for where, marker in ((~known & cloudy, "x"), (~known & ~cloudy, "1")):
        axes.plot(
            at[where],
            [0.05] * int(where.sum()),
            marker,
            color=ink.FAINT,
            markersize=4,
            markeredgewidth=0.9,
            linestyle="none",
            transform=axes.get_xaxis_transform(),
        )
