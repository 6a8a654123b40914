"""When changes happened: events per month, by persistence and by kind."""

import math
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from terradrift.report import ink
from terradrift.report.courses import counted, course
from terradrift.report.data import ReportData

_KINDS = 8
_CROWD = 80


def timeline(data: ReportData) -> Figure | None:
    """Of the events and scenes of a report."""
    return through_time(data.events, data.scenes)


def through_time(events: pa.Table, scenes: pa.Table) -> Figure | None:
    """Bars per month above, one row per label below, acquisitions as ticks at the foot.

    None where there is neither an event nor a scene.

    Args:
        events: with the columns `start`, `persistence`, `label`, `area_km2`.
        scenes: with the column `datetime`.
    """
    told = [row for row in events.to_pylist() if row["start"] is not None]
    seen = [at for at in scenes["datetime"].to_pylist() if at is not None]
    if not seen and not told:
        return None
    labels = [
        name
        for name, _ in Counter(row["label"] or "no label" for row in told).most_common(
            _KINDS
        )
    ]
    rows = max(len(labels), 1)
    with ink.style():
        figure = Figure(figsize=(7.6, 2.3 + 0.26 * rows))
        bars, lanes = figure.subplots(
            2, 1, sharex=True, height_ratios=(2.0, 0.3 + 0.26 * rows)
        )
        _bars(bars, told)
        _lanes(lanes, told, labels, seen)
        instants = seen + [row["start"] for row in told]
        first, last = _month(min(instants)), _after(_month(max(instants)))
        lanes.set_xlim(ink.days(first), ink.days(last))
        ink.dates(lanes, 3, 9)
        figure.tight_layout(h_pad=0.4)
    return figure


def _bars(axes: Axes, events: list[dict[str, Any]]) -> None:
    ink.quiet(axes)
    axes.set_ylabel("events per month")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    months = sorted({_month(row["start"]) for row in events})
    below = np.zeros(len(months))
    for each in counted(row["persistence"] for row in events):
        count = Counter(
            _month(row["start"]) for row in events if course(row["persistence"]) is each
        )
        heights = np.array([count[month] for month in months], float)
        some = heights > 0
        left = np.array([ink.days(month) for month in months])
        width = 0.86 * np.array(
            [ink.days(_after(month)) - ink.days(month) for month in months]
        )
        axes.bar(
            left[some],
            heights[some],
            width[some],
            bottom=below[some],
            align="edge",
            label=f"{each.name} ({int(heights.sum())})",
            linewidth=0.8,
            **each.bar,
        )
        below += heights
    axes.set_ylim(0, max(float(below.max(initial=0)) * 1.25, 1))
    if months:
        axes.legend(frameon=False, loc="upper left", ncols=4, borderaxespad=0.1)
    axes.tick_params(axis="x", length=0)


def _lanes(
    axes: Axes,
    events: list[dict[str, Any]],
    labels: list[str],
    seen: list[datetime],
) -> None:
    """One dot per event, its area by the event's; one row per label."""
    ink.quiet(axes)
    axes.spines["left"].set_visible(False)
    crowd = min(1.0, math.sqrt(_CROWD / max(len(events), 1)))
    for lane, label in enumerate(labels):
        own = [row for row in events if (row["label"] or "no label") == label]
        for each in counted(row["persistence"] for row in own):
            some = [row for row in own if course(row["persistence"]) is each]
            axes.scatter(
                [ink.days(row["start"]) for row in some],
                [lane] * len(some),
                s=[_dot(row["area_km2"]) * crowd for row in some],
                linewidth=1.0,
                alpha=0.65,
                **each.dot,
            )
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(labels), 1) - 0.2, -0.7)
    axes.plot(
        [ink.days(at) for at in seen],
        [0.0] * len(seen),
        "|",
        color=ink.FAINT,
        markersize=5,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )


def _dot(area_km2: float | None) -> float:
    return 12 + 60 * min(1.0, math.sqrt((area_km2 or 0.0) / 0.5))


def _month(at: datetime) -> datetime:
    return datetime(at.year, at.month, 1, tzinfo=UTC)


def _after(month: datetime) -> datetime:
    year, number = divmod(month.year * 12 + month.month, 12)
    return datetime(year, number + 1, 1, tzinfo=UTC)
