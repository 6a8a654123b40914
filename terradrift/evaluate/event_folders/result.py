"""What a run over event folders gives: methods compared, with intervals over events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from terradrift.evaluate.event_folders import published
from terradrift.evaluate.event_folders.answer import OfControl, OfEvent
from terradrift.evaluate.event_folders.curves import Curves
from terradrift.evaluate.event_folders.plain import Quiet
from terradrift.evaluate.event_folders.published import Scores
from terradrift.evaluate.intervals import Draws, poisson
from terradrift.evaluate.measures import Interval

RECALLS = (0.5, 0.8)
"""Where the two stages of a method are compared."""
_PER_KM2 = 1000.0


@dataclass(frozen=True, slots=True)
class Published:
    """The published measures, means over labelled events."""

    recall: Interval
    weighted_precision: Interval
    f1: Interval


@dataclass(frozen=True, slots=True)
class Stages:
    """Both stages of a method at one recall, under one threshold for all events."""

    recall: float
    change: Interval
    """Precision of the first stage's score."""
    score: Interval
    """Precision of the second's."""
    gain: Interval
    """The second less the first, drawn together. Above 0: the second stage earns its place."""


@dataclass(frozen=True, slots=True)
class OnControls:
    """What is marked on controls."""

    images: int
    alarms: int
    """Pieces."""
    area: Interval
    """Share of the ground, mean over controls."""
    rate: Interval
    """Alarms per 1,000 km2 and image, exact Poisson; NaN where the pixel size is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method over all events and controls; None where there is nothing to measure."""

    method: str
    how: str
    """Its parameters."""
    cpu_s: float
    """Processor time over all events, features left out where methods share them."""
    published: Published | None
    published_change: Published | None
    """Of the first stage by itself."""
    classes: Mapping[int, Scores]
    """The older protocol's averages per class; empty under the newer."""
    precision: Interval | None
    """Plain: of all that is marked, every image counting as one."""
    f1: Interval | None
    """Plain, mean over events."""
    iou: Interval | None
    object_recall: Interval | None
    """Share of labelled objects of which half is marked, over all events."""
    average_precision: Interval | None
    """Mean over events."""
    stages: tuple[Stages, ...]
    controls: OnControls | None
    controls_change: OnControls | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event, for those who look closer."""

    event: str
    method: str
    published: Scores
    precision: float
    f1: float
    iou: float
    objects: int
    objects_found: int
    average_precision: float
    floor: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EventFolders:
    """Methods compared on a folder of event folders."""

    folder: str
    """Its name."""
    model: str
    segments: str
    """How the regions were made."""
    protocol: str
    """`published` or `published-old`."""
    alpha: float
    """Share of unchanged ground that a calibrated method may mark."""
    events: int
    """Labelled events."""
    controls: int
    floor: float
    """Mean share that is anomalous: what chance reaches in average precision."""
    notes: tuple[str, ...]
    maps: tuple[str, ...]
    """Files written."""
    rows: tuple[Row, ...]
    by_event: tuple[EventRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """As a record for JSON; what cannot be given is None."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    def __str__(self) -> str:
        from terradrift.evaluate.event_folders.page import text

        return text(self)


def row(
    method: str,
    how: str,
    *,
    kinds: Sequence[int],
    events: Sequence[OfEvent],
    controls: Sequence[OfControl],
    old: bool,
    cpu_s: float,
) -> Row:
    """Put together what one method did on every labelled event and control.

    `kinds` are the classes of the events; `old` asks for averages per class.
    """
    draws = _draws(len(events))
    plain = [each.plain for each in events]
    first = [each.published_change for each in events]
    quiet_first = [each.quiet_change for each in controls]

    def mean(of: Callable[[Any], float]) -> Interval | None:
        return _mean(draws, [of(each) for each in plain]) if events else None

    return Row(
        method=method,
        how=how,
        cpu_s=cpu_s,
        published=_published(draws, [each.published for each in events]),
        published_change=_published(draws, [each for each in first if each is not None])
        if None not in first
        else None,
        classes=published.by_category(kinds, [each.published for each in events])
        if old and events
        else {},
        precision=draws.share(
            np.array([each.hits / each.pixels for each in plain]),
            np.array([(each.hits + each.false) / each.pixels for each in plain]),
        )
        if events
        else None,
        f1=mean(lambda each: each.f1),
        iou=mean(lambda each: each.iou),
        object_recall=draws.share(
            np.array([float(each.objects_found) for each in plain]),
            np.array([float(each.objects) for each in plain]),
        )
        if events
        else None,
        average_precision=mean(lambda each: each.average_precision),
        stages=_stages(draws, events),
        controls=_false([each.quiet for each in controls]),
        controls_change=_false([each for each in quiet_first if each is not None])
        if None not in quiet_first
        else None,
    )


def _draws(count: int) -> Draws:
    every = np.ones(count, bool)
    return Draws.of(np.arange(count), every, every)


def _mean(draws: Draws, values: Sequence[float]) -> Interval:
    """Over those that are known."""
    given = np.array(values, np.float64)
    known = np.isfinite(given)
    return draws.share(np.where(known, given, 0), known)


def _published(draws: Draws, scores: Sequence[Scores]) -> Published | None:
    if not scores:
        return None
    return Published(
        recall=_mean(draws, [each.recall for each in scores]),
        weighted_precision=_mean(draws, [each.weighted_precision for each in scores]),
        f1=_mean(draws, [each.f1 for each in scores]),
    )


def _stages(draws: Draws, events: Sequence[OfEvent]) -> tuple[Stages, ...]:
    changes = [each.change for each in events if each.change is not None]
    if not events or len(changes) < len(events):
        return ()
    both = Curves.of(changes), Curves.of([each.score for each in events])
    once = np.ones((len(events), 1))
    out = []
    for recall in RECALLS:
        (first, second), (drawn, again) = (
            tuple(each.precision(recall, times) for each in both)
            for times in (once, draws.times)
        )
        out.append(
            Stages(
                recall=recall,
                change=draws.interval(float(first[0]), drawn),
                score=draws.interval(float(second[0]), again),
                gain=draws.interval(float((second - first)[0]), again - drawn),
            )
        )
    return tuple(out)


def _false(quiet: Sequence[Quiet]) -> OnControls | None:
    if not quiet:
        return None
    draws = _draws(len(quiet))
    alarms = sum(each.alarms for each in quiet)
    area = sum(each.area_km2 for each in quiet)
    return OnControls(
        images=len(quiet),
        alarms=alarms,
        area=_mean(draws, [each.marked / max(each.pixels, 1) for each in quiet]),
        rate=poisson(alarms, area / _PER_KM2),
    )


def _plain(value: object) -> Any:  # noqa: ANN401 - a JSON tree
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return value
