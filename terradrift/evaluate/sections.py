"""The tables of an evaluation: titles, heads and rows of words."""

import numpy as np

from terradrift.evaluate.measures import Interval
from terradrift.evaluate.result import Dating, Evaluation, Found, Operating

_NAMES = 20
_DASH = "\N{EN DASH}"
OBJECTS = 20
"""Rows of objects on a terminal."""
Row = tuple[str, ...]
Section = tuple[str, Row, list[Row]]
"""Title, head and rows."""


def sections(found: Evaluation, *, most: int | None = OBJECTS) -> list[Section]:
    """All tables; of objects at most so many rows."""
    made = [_ranking(found), _cost(found)]
    if found.reported is not None:
        made.append(_told(found, found.reported))
    if found.dating is not None:
        made.append(_dated(found.dating))
    if found.classes:
        made.append(_classes(found))
    if found.objects is not None:
        made += [_objects(found.objects), _each(found.objects, most)]
    return [one for one in made if one[2]]


def _ranking(found: Evaluation) -> Section:
    ranks = found.ranking
    rows: list[Row] = [
        (
            "average precision (AUPRC)",
            *_interval(ranks.average_precision, 3),
            f"chance {ranks.floor:.3f}",
        ),
        ("ROC-AUC", *_interval(ranks.roc_auc, 3), "chance 0.500"),
    ]
    rows += [
        (
            f"precision of the highest {k:,}",
            *_interval(value, 3),
            "as many as changed" if k == found.patches.changed else "",
        )
        for k, value in ranks.precision_at.items()
    ]
    return "Ranking of patches", ("measure", "value", "interval", ""), rows


def _cost(found: Evaluation) -> Section:
    rows: list[Row] = [
        (
            f"{one.recall:.0%}",
            f"{one.score:.3g}",
            *_interval(one.precision, 3),
            *_interval(one.false_alarms, 1),
        )
        for one in found.at_recall
    ]
    head = (
        "changed found",
        "from score",
        "precision",
        "interval",
        "alarms/1,000 km2 yr",
        "Poisson",
    )
    return "What it costs to find them", head, rows


def _told(found: Evaluation, told: Operating) -> Section:
    alarms = found.false_alarms
    rows: list[Row] = [
        (
            "precision",
            *_interval(told.precision, 3),
            f"{told.right:,} of {told.reported:,} patches reported are right",
        ),
        (
            "recall",
            *_interval(told.recall, 3),
            f"of {found.patches.changed:,} changed patches",
        ),
        ("F1", *_interval(told.f1, 3), ""),
    ]
    if alarms is not None:
        rows.append(
            (
                "false changes / 1,000 km2 yr",
                *_interval(alarms.changes_rate, 1),
                f"{alarms.changes:,} on {alarms.km2_years:,.4g} km2 years (Poisson)",
            )
        )
        if alarms.events_rate is not None:
            rows.append(
                (
                    "false events / 1,000 km2 yr",
                    *_interval(alarms.events_rate, 1),
                    f"{alarms.events:,} (Poisson)",
                )
            )
    title = "What is reported"
    if told.reported_unknown:
        title += f" ({told.reported_unknown:,} more patches where truth is unknown)"
    return title, ("measure", "value", "interval", ""), rows


def _dated(dated: Dating) -> Section:
    rows: list[Row] = [
        (f"within {n:,} days", *_interval(share, 3), "of the changed patches")
        for n, share in dated.within.items()
    ]
    rows.append(
        (
            "error, days, median",
            *_interval(dated.days, 1, signed=True),
            f"{_quartiles(dated.days_quartiles)}; "
            f"{dated.late:.0%} late, {dated.early:.0%} early"
            if dated.found
            else "",
        )
    )
    if np.isfinite(dated.acquisitions.value):
        rows.append(
            (
                "error, clear views, median",
                *_interval(dated.acquisitions, 1, signed=True),
                f"{_quartiles(dated.acquisitions_quartiles)}; 0: first after it",
            )
        )
    if np.isfinite(dated.covered.value):
        rows.append(
            (
                "stated interval holds it",
                *_interval(dated.covered, 3),
                f"median length {dated.interval_days:,.0f} days",
            )
        )
    title = (
        f"Onsets: {dated.found:,} given for {dated.dated:,} changed patches with a date"
    )
    return title, ("measure", "value", "interval", ""), rows


def _classes(found: Evaluation) -> Section:
    rows: list[Row] = [
        (
            _short(one.name or "no class"),
            f"{one.changed:,}",
            _both(one.average_precision, 3),
            f"{one.floor:.3f}",
            _both(one.roc_auc, 3),
            "" if one.recall is None else _number(one.recall.value, 2),
            _number(one.days.value, 0, signed=True),
        )
        for one in found.classes
    ]
    head = ("class", "patches", "AUPRC", "floor", "ROC-AUC", "recall", "days")
    return "By class, each beside what did not change", head, rows


def _objects(objects: Found) -> Section:
    rows: list[Row] = [("reported at all", *_interval(objects.hit, 3))]
    if objects.dated:
        rows += [
            (f"reported within {n:,} days", *_interval(share, 3))
            for n, share in objects.within.items()
        ]
    rows += [
        (f"an event of it among the best {k:,}", f"{share:.3f}", "")
        for k, share in objects.in_top.items()
    ]
    title = (
        f"Labelled objects: {objects.count:,}, of which {objects.dated:,} have a date"
    )
    return title, ("share", "value", "interval"), rows


def _each(objects: Found, most: int | None) -> Section:
    rows: list[Row] = [
        (
            one.name,
            _short(one.class_name),
            one.onset or "",
            f"{one.reported:,} of {one.patches:,}",
            _number(one.days, 0, signed=True),
            _DASH if one.rank is None else f"{one.rank:,}",
        )
        for one in objects.each[:most]
    ]
    title = "Objects one by one"
    if len(rows) < len(objects.each):
        title += f" (the first {len(rows):,}; all with --json or --output)"
    return title, ("label", "class", "date", "patches", "days", "event rank"), rows


def _interval(value: Interval, digits: int, *, signed: bool = False) -> tuple[str, str]:
    """The value, and its interval; dashes where there is none."""
    if not np.isfinite(value.low):
        return _number(value.value, digits, signed=signed), _DASH
    low, high = (_number(x, digits, signed=signed) for x in (value.low, value.high))
    return _number(value.value, digits, signed=signed), f"{low} to {high}"


def _quartiles(ends: tuple[float, float]) -> str:
    low, high = (_number(end, 1, signed=True) for end in ends)
    return f"quartiles {low} to {high}"


def _both(value: Interval, digits: int) -> str:
    first, second = _interval(value, digits)
    return first if second == _DASH else f"{first} ({second})"


def _number(value: float, digits: int, *, signed: bool = False) -> str:
    if not np.isfinite(value):
        return _DASH
    sign = "+" if signed and round(value, digits) else ""
    return f"{value:{sign},.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _short(name: str) -> str:
    return (
        name if len(name) <= _NAMES else f"{name[: _NAMES - 1]}\N{HORIZONTAL ELLIPSIS}"
    )
