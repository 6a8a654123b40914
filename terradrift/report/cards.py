"""The top events one by one: pictures, series and figures of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely
from PIL.Image import Image
from shapely.geometry.base import BaseGeometry

from terradrift.report import words
from terradrift.report.data import ReportData, ranked, strongest
from terradrift.report.history import History
from terradrift.report.pictures import pictures, window

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One chip and what there is to say of it."""

    heading: str
    date: str
    image: Image | None
    alt: str


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One event as it is shown."""

    rank: int
    event_id: str
    label: str
    persistence: str
    when: str
    place: str
    pictures: tuple[Picture, ...]
    series: History | None
    series_alt: str
    facts: tuple[tuple[str, str], ...]


def cards(data: ReportData) -> Iterator[Card]:
    """The top events, best first; the pixels of one event at a time."""
    best = strongest(data.changes)
    series = _series(data)
    for event in ranked(data.events, data.top).to_pylist():
        change = best.get(event["event_id"], {})
        yield _card(data, event, change, series.get(change.get("patch_id"), []))


def _card(data: ReportData, event: Row, change: Row, scores: list[Row]) -> Card:
    before, after = change.get("date_before"), change.get("date_after")
    seen = History(
        tuple(row["datetime"] for row in scores),
        tuple(row["z"] for row in scores),
        tuple(row["reason"] for row in scores),
        before=before,
        after=after,
    )
    given = sum(row["z"] is not None for row in scores)
    label = event["label"] or "Change without a label"
    return Card(
        rank=event["rank"],
        event_id=event["event_id"],
        label=label[:1].upper() + label[1:],
        persistence=event["persistence"] or "",
        when=_when(before, after, event),
        place=words.place(event["longitude"], event["latitude"]),
        pictures=_pictures(data, event, before, after),
        series=seen if scores else None,
        series_alt=(
            f"Robust z of the strongest patch on {words.count(given, 'date')} of "
            f"{len(scores)}; at the change z is {words.number(change.get('z'), 1)}."
        ),
        facts=_facts(event, change),
    )


def _when(before: datetime | None, after: datetime | None, event: Row) -> str:
    if before is None or after is None:
        return words.day(event["start"])
    return f"between {words.day(before)} and {words.day(after)}"


def _facts(event: Row, change: Row) -> tuple[tuple[str, str], ...]:
    patches = words.count(event["n_patches"] or 0, "patch", "patches")
    moved = [words.signed(event[name]) for name in ("d_ndvi", "d_nbr", "d_ndwi")]
    return (
        ("Area", f"{words.area(event['area_km2'])} in {patches}"),
        ("Score", words.number(event["max_score"], 1)),
        ("Largest z on a date", words.number(event["max_z"], 1)),
        (
            "p, q of the change",
            ", ".join(words.probability(change.get(f"{one}_value")) for one in "pq"),
        ),
        ("False alarms so strong", words.rate(change.get("false_alarms"))),
        (
            "Onset, 95 % interval",
            words.span(change.get("onset_early"), change.get("onset_late")),
        ),
        ("Days between views", words.number(change.get("gap_days"), 0)),
        ("NDVI, NBR, NDWI", ", ".join(moved)),
        (
            "Strongest patch",
            words.course(change.get("persistence"), change.get("ended")),
        ),
        (
            "Compared with",
            words.reference(
                change.get("reference"),
                change.get("n_reference"),
                change.get("n_controls"),
            ),
        ),
    )


def _pictures(
    data: ReportData, event: Row, before: datetime | None, after: datetime | None
) -> tuple[Picture, ...]:
    outline = _outline(event)
    instants = (("Before", before), ("After", after))
    if outline is None or not len(data.corners):
        return tuple(Picture(name, words.day(at), None, "") for name, at in instants)
    (west, south), (east, north) = data.corners.min((0, 1)), data.corners.max((0, 1))
    extent = (float(west), float(south), float(east), float(north))
    box, shape = window(outline, data.patch_size, extent)
    chips = [None if at is None else data.chip(at, box, shape) for _, at in instants]
    return tuple(
        Picture(
            heading=name,
            date=words.day(at),
            image=image,
            alt=(
                f"Satellite image of {words.day(at)} around event {event['rank']}, "
                "its outline drawn in white"
            ),
        )
        for (name, at), image in zip(
            instants, pictures(chips, outline, box), strict=True
        )
    )


def _outline(event: Row) -> BaseGeometry | None:
    if event["geometry"] is None:
        return None
    outline: BaseGeometry = shapely.from_wkb(bytes(event["geometry"]))
    return None if outline.is_empty else outline


def _series(data: ReportData) -> dict[object, list[Row]]:
    out: dict[object, list[Row]] = {}
    for row in data.scores.sort_by("datetime").to_pylist():
        out.setdefault(row["patch_id"], []).append(row)
    return out
