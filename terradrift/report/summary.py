"""What the report rests on: what was read, what was skipped, what could not be said."""

from dataclasses import dataclass

import numpy as np

from terradrift.report import words
from terradrift.report.courses import counted
from terradrift.report.data import ReportData, ranked

_ROWS = 40

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Words and numbers around the figures."""

    period: str
    headline: str
    key: str
    """What the marks of the timeline mean; empty without events."""
    tiles: tuple[tuple[str, str], ...]
    basis: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...]
    kinds: Rows
    """label, changes, description"""
    events: Rows
    """rank, label, start, persistence, area, score, p-value, place"""
    more_events: int
    """Events beyond the table."""
    runs: Rows
    """verb, status, started, took, rows, message"""


def summary(data: ReportData) -> Summary:
    """Everything that a page says beside its pictures."""
    days = sorted({at.date() for at in data.scenes["datetime"].to_pylist() if at})
    period = f"{words.day(days[0])} to {words.day(days[-1])}" if days else "no scenes"
    events = data.events.num_rows
    known = int(np.isfinite(data.values).sum())
    return Summary(
        period=period,
        headline=_headline(data, events, len(days)),
        key=_key(data),
        tiles=(
            (f"{events:,}", "event" if events == 1 else "events"),
            (f"{data.scenes.num_rows:,}", "scenes read"),
            (f"{len(days):,}", "dates"),
            (f"{len(data.values):,}", f"patches of {data.patch_size} m"),
        ),
        basis=_basis(data, known),
        skipped=data.skipped,
        kinds=_kinds(data),
        events=_events(data),
        more_events=max(0, events - _ROWS),
        runs=_runs(data),
    )


def _headline(data: ReportData, events: int, days: int) -> str:
    if not data.scenes.num_rows:
        return "The archive holds no scenes yet, so there is nothing to report."
    if not data.n_observations:
        return "Nothing is embedded yet, so no change can be told."
    if not events and data.values_name == "drift":
        return (
            f"{words.count(days, 'date')}, and no patch was clear on enough of them to "
            "tell a change from what is usual: the map shows how far every patch moved."
        )
    if not events:
        return "No change stood out from what is usual for its place and season."
    courses = counted(data.events["persistence"].to_pylist())
    parts = [f"{count:,} that {course.said}" for course, count in courses.items()]
    return f"{words.count(events, 'event')}: {', '.join(parts)}."


def _key(data: ReportData) -> str:
    """What the bars and dots of the timeline stand for, of the courses there are."""
    parts = [
        f"{course.key} {course.said}"
        for course in counted(data.events["persistence"].to_pylist())
    ]
    return f"{'; '.join(parts).capitalize()}." if parts else ""


def _basis(data: ReportData, known: int) -> tuple[tuple[str, str], ...]:
    cloud = [
        value for value in data.scenes["cloud_percent"].to_pylist() if value is not None
    ]
    rows = [
        ("Scenes used", f"{data.scenes.num_rows:,}"),
        ("Scenes skipped", f"{len(data.skipped):,}"),
        (
            "Cloud cover of scenes, median",
            f"{float(np.median(cloud)):.0f} %" if cloud else words.NOTHING,
        ),
        ("Observations (a patch on a date)", f"{data.n_observations:,}"),
    ]
    rows += [
        (f"Observations not scored: {reason}", f"{number:,}")
        for reason, number in sorted(data.abstained.items(), key=lambda one: -one[1])
    ]
    rows += [
        ("Patches judged", f"{known:,} of {len(data.values):,}"),
        ("Model", data.model or words.NOTHING),
    ]
    return tuple(rows)


def _kinds(data: ReportData) -> Rows:
    rows = data.kinds.sort_by([("size", "descending"), ("kind", "ascending")])
    return tuple(
        (
            row["name"] or row["label"] or f"kind {row['kind']}",
            f"{row['size']:,}",
            row["description"] or "",
        )
        for row in rows.to_pylist()
    )


def _events(data: ReportData) -> Rows:
    return tuple(
        (
            str(row["rank"]),
            row["label"] or words.NOTHING,
            words.day(row["start"]),
            row["persistence"] or words.NOTHING,
            words.area(row["area_km2"]),
            words.number(row["max_score"], 1),
            words.probability(row["min_p_value"]),
            words.place(row["longitude"], row["latitude"]),
        )
        for row in ranked(data.events, _ROWS).to_pylist()
    )


def _runs(data: ReportData) -> Rows:
    return tuple(
        (
            row["verb"],
            row["status"] or words.NOTHING,
            f"{row['started']:%Y-%m-%d %H:%M} UTC" if row["started"] else words.NOTHING,
            (
                f"{(row['ended'] - row['started']).total_seconds():,.1f} s"
                if row["ended"] and row["started"]
                else words.NOTHING
            ),
            words.NOTHING if row["rows"] is None else f"{row['rows']:,}",
            row["message"] or "",
        )
        for row in data.runs.sort_by("started").to_pylist()
    )
