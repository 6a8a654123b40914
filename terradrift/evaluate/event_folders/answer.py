"""What a method says of one event, and how good that is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.evaluate.event_folders import published
from terradrift.evaluate.event_folders.curves import Steps
from terradrift.evaluate.event_folders.plain import Plain, Quiet, plain, quiet
from terradrift.evaluate.event_folders.published import Scores

Map = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Maps of the monitored image by one method."""

    score: Map
    """(y, x), the larger the more anomalous; NaN where it is not judged."""
    marked: Mask
    """(y, x), what the method calls anomalous, by its own threshold."""
    change: Map | None = None
    """(y, x), score of its first stage, for a method of two stages."""
    marked_change: Mask | None = None
    """(y, x), what the first stage by itself would mark; None: it marks nothing."""
    p_value: Map | None = None
    """(y, x), how often normal change scores as high; None: the method does not say."""


@dataclass(frozen=True, slots=True, eq=False)
class OfEvent:
    """One method on one labelled event."""

    plain: Plain
    published: Scores
    """Of what the method marks."""
    published_change: Scores | None
    """Of what its first stage marks."""
    score: Steps
    change: Steps | None


@dataclass(frozen=True, slots=True, eq=False)
class OfControl:
    """One method on one control."""

    quiet: Quiet
    quiet_change: Quiet | None


def on_event(
    said: Answer, label: NDArray[np.integer], seen: Mask, *, unknown: int
) -> OfEvent:
    """Measure an answer against a label (y, x).

    The published scores take every pixel, as they do; the plain ones those that are `seen`
    (y, x) and whose label is not `unknown`.

    Raises:
        ValueError: no pixel is known.
    """
    truth = published.anomalous(label)
    known = seen & (label != unknown)
    first = said.marked_change
    return OfEvent(
        plain=plain(truth, said.marked, said.score, known),
        published=published.scored(truth, said.marked),
        published_change=None if first is None else published.scored(truth, first),
        score=Steps.of(truth[known], said.score[known]),
        change=None
        if said.change is None
        else Steps.of(truth[known], said.change[known]),
    )


def on_control(said: Answer, seen: Mask, metres: float | None) -> OfControl:
    """Count what an answer marks of a control, where it is `seen` (y, x)."""
    first = said.marked_change
    return OfControl(
        quiet=quiet(said.marked, seen, metres),
        quiet_change=None if first is None else quiet(first, seen, metres),
    )
