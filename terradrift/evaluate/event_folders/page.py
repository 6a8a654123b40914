"""A run over event folders as text for a terminal, and as a page of Markdown."""

from math import isfinite

from terradrift.evaluate import tables
from terradrift.evaluate.bench.cells import NONE, interval, number, rates
from terradrift.evaluate.event_folders.result import EventFolders, OnControls, Row
from terradrift.evaluate.measures import Interval
from terradrift.ingest.events.names import CLASSES

_Table = tuple[str, tables.Row, list[tables.Row]]


def text(found: EventFolders) -> str:
    """The tables in aligned columns."""
    lines = [_title(found), *tables.wrapped(_intro(found))]
    for title, head, rows in _tables(found):
        lines += ["", title, *tables.aligned(head, rows)]
    lines.append("")
    for note in found.notes:
        lines += tables.wrapped(note, "* ")
    return "\n".join(lines).rstrip()


def markdown(found: EventFolders) -> str:
    """The same as a page."""
    lines = [f"# {_title(found)}", "", _intro(found)]
    for title, head, rows in _tables(found):
        lines += ["", f"{title}:", "", tables.piped(head, rows)]
    if found.notes:
        lines += ["", *(f"* {note}" for note in found.notes)]
    return "\n".join(lines) + "\n"


def _title(found: EventFolders) -> str:
    return f"{found.folder}: {found.model} features, {found.segments}"


def _intro(found: EventFolders) -> str:
    words = f"{found.events} labelled events, {found.controls} controls"
    if found.events:
        words += f"; floor of the average precision {number(found.floor, 3)}"
    return (
        f"{words}. Methods marked * set their own threshold at {found.alpha:g}: those on "
        "pixels as a share of the pixels of past days, from the history alone; calibrated "
        "ones as a p-value, a rank of regions whatever their size (conformal: the monitored "
        "image is one of the dates that past dates are compared with). Intervals: 95 %, over "
        "events."
    )


def _tables(found: EventFolders) -> list[_Table]:
    out: list[_Table] = []
    if found.events:
        out.append(
            (
                f"Protocol of the paper ({found.protocol}; a false positive counts a tenth)",
                ("method", "recall", "weighted precision", "F1"),
                [line for row in found.rows for line in _published(row)],
            )
        )
        out.append(
            (
                "Plain measures",
                ("method", "precision", "F1", "IoU", "objects found", "AP"),
                [
                    (
                        row.method,
                        *map(
                            _cell,
                            (
                                row.precision,
                                row.f1,
                                row.iou,
                                row.object_recall,
                                row.average_precision,
                            ),
                        ),
                    )
                    for row in found.rows
                ],
            )
        )
        if stages := [line for row in found.rows for line in _stages(row)]:
            out.append(
                (
                    "Precision of both stages at equal recall, one threshold for all events",
                    ("method", "recall", "stage 1", "stage 2", "gain"),
                    stages,
                )
            )
    if found.controls:
        out.append(
            (
                "False alarms on controls",
                ("method", "share of the ground", "alarms", "per 1,000 km2 and image"),
                [line for row in found.rows for line in _controls(row)],
            )
        )
    if classes := [line for row in found.rows for line in _classes(row)]:
        out.append(
            (
                "Averages per class, F1 of averages (older protocol)",
                ("method", "class", "recall", "weighted precision", "F1"),
                classes,
            )
        )
    out.append(
        (
            "Cost",
            ("method", "CPU s", "how"),
            [(row.method, number(row.cpu_s, 2), row.how) for row in found.rows],
        )
    )
    return out


def _published(row: Row) -> list[tables.Row]:
    out: list[tables.Row] = []
    for name, of in (
        (f"{row.method}, stage 1", row.published_change),
        (row.method, row.published),
    ):
        if of is not None:
            out.append(
                (
                    name,
                    _cell(of.recall),
                    _cell(of.weighted_precision),
                    _cell(of.f1),
                )
            )
    return out


def _stages(row: Row) -> list[tables.Row]:
    return [
        (
            row.method,
            f"{each.recall:g}",
            _cell(each.change),
            _cell(each.score),
            interval(each.gain),
        )
        for each in row.stages
    ]


def _controls(row: Row) -> list[tables.Row]:
    def line(name: str, of: OnControls) -> tables.Row:
        area = of.area
        shown = f"{area.value:.2%}"
        if isfinite(area.low):
            shown += f" ({area.low:.2%}..{area.high:.2%})"
        return name, shown, f"{of.alarms:,}", rates(of.rate)

    out = []
    if row.controls_change is not None:
        out.append(line(f"{row.method}, stage 1", row.controls_change))
    if row.controls is not None:
        out.append(line(row.method, row.controls))
    return out


def _classes(row: Row) -> list[tables.Row]:
    return [
        (
            row.method,
            CLASSES[kind],
            number(of.recall, 3),
            number(of.weighted_precision, 3),
            number(of.f1, 3),
        )
        for kind, of in row.classes.items()
    ]


def _cell(value: Interval | None) -> str:
    return NONE if value is None else interval(value)
