"""What an evaluation gives: plain values, and the same as a record for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.evaluate.measures import Interval


@dataclass(frozen=True, slots=True)
class Patches:
    """How many patches, and of how many something is known and said."""

    all: int
    changed: int
    unchanged: int
    unknown: int
    """Neither known to have changed nor known not to."""
    judged_changed: int
    """Changed patches that have a score."""
    judged_unchanged: int
    not_judged: Mapping[str, int]
    """Reason to the number of patches that are known and have no score."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """What intervals rest on."""

    side_m: int
    count: int
    with_changes: int
    level: float
    repeats: int


@dataclass(frozen=True, slots=True)
class Ranks:
    """How changed and unchanged patches are ranked."""

    average_precision: Interval
    floor: float
    """What random scores reach in average precision."""
    roc_auc: Interval
    precision_at: Mapping[int, Interval]
    """k to the share of the k highest that changed."""


@dataclass(frozen=True, slots=True)
class AtRecall:
    """What it costs to find so many of the changed patches."""

    recall: float
    score: float
    """The threshold."""
    precision: Interval
    false_alarms: Interval
    """Unchanged patches from the threshold on, per 1,000 km2 and year; exact Poisson."""


@dataclass(frozen=True, slots=True)
class Operating:
    """What a user is told, patch by patch, at the archive's own thresholds."""

    reported: int
    """Patches with a change, of those that are known."""
    right: int
    reported_unknown: int
    """Patches with a change of which the truth is not known; they count nowhere."""
    precision: Interval
    recall: Interval
    f1: Interval


@dataclass(frozen=True, slots=True)
class Alarms:
    """What is reported where nothing changed."""

    changes: int
    events: int | None
    """Events that hold unchanged patches only; None without events."""
    km2_years: float
    """Area of unchanged patches that are judged, times the time they were seen."""
    changes_rate: Interval
    """Per 1,000 km2 and year; exact Poisson."""
    events_rate: Interval | None


@dataclass(frozen=True, slots=True)
class Dating:
    """How well onsets are dated, over changed patches that have a date."""

    dated: int
    """Changed patches with a date."""
    found: int
    """Those for which an onset is given."""
    within: Mapping[int, Interval]
    """Days n to the share of dated patches with an onset within n days."""
    days: Interval
    """Median of onset less truth; above 0 is late. 0 within a label's own interval."""
    days_quartiles: tuple[float, float]
    late: float
    """Share of onsets found that are late; and early."""
    early: float
    acquisitions: Interval
    """Median error in clear acquisitions; 0 is as early as can be seen."""
    acquisitions_quartiles: tuple[float, float]
    covered: Interval
    """Share of stated onset intervals that hold the truth; NaN where none is stated."""
    interval_days: float
    """Median length of the stated intervals."""


@dataclass(frozen=True, slots=True)
class OneClass:
    """One class of change against all that did not change."""

    name: str
    """Empty for changes without a class."""
    changed: int
    floor: float
    average_precision: Interval
    roc_auc: Interval
    recall: Interval | None
    """None where nothing is reported."""
    found: int
    """Patches of the class for which an onset is given and known."""
    days: Interval
    """Median onset error."""


@dataclass(frozen=True, slots=True)
class Object:
    """One labelled object."""

    name: str
    class_name: str
    onset: str | None
    latest: str | None
    patches: int
    reported: int
    """Patches of it with a change."""
    days: float
    """Signed error of the change of it that is nearest in time; NaN without."""
    rank: int | None
    """Best rank of an event that meets it in place and time."""


@dataclass(frozen=True, slots=True)
class Found:
    """Labelled objects as wholes."""

    count: int
    dated: int
    hit: Interval
    """Share with at least one change reported, whenever."""
    within: Mapping[int, Interval]
    """Days n to the share of dated ones with a change within n days."""
    rank_days: int
    """An event counts for an object's rank within so many days."""
    in_top: Mapping[int, float]
    """k to the share of objects with an event among the k best."""
    each: tuple[Object, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision over recall, with the band of the draws."""

    recall: tuple[float, ...]
    precision: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What the figure needs beside the numbers."""

    corners: NDArray[np.float64] | None
    """(n, 4, 2)"""
    changed: NDArray[np.bool_]
    unchanged: NDArray[np.bool_]
    reported: NDArray[np.bool_]
    """(n,), told to the user; for a method that only ranks, as many as changed."""
    judged: NDArray[np.bool_]
    days: NDArray[np.float64]
    """(k,) onset errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All measures of one method on one set of labels.

    `str()` is a table for a terminal, `to_dict()` a record whose keys are these names.
    """

    archive: str
    method: str
    score: str
    """What patches are ranked by."""
    patches: Patches
    blocks: Blocks
    ranking: Ranks
    at_recall: tuple[AtRecall, ...]
    reported: Operating | None
    """None for a method that only ranks."""
    false_alarms: Alarms | None
    """None for a method that only ranks, and without unchanged patches."""
    dating: Dating | None
    """None where no changed patch has a date."""
    classes: tuple[OneClass, ...]
    objects: Found | None
    notes: tuple[str, ...]
    curve: Curve
    picture: Picture

    def to_dict(self) -> dict[str, Any]:
        """As a record of plain values; what cannot be given is None."""
        return {
            each.name: _plain(getattr(self, each.name))
            for each in fields(self)
            if each.name != "picture"
        }

    def __str__(self) -> str:
        from terradrift.evaluate.page import text

        return text(self)


def _plain(value: object) -> Any:  # noqa: ANN401 - a JSON tree
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    return value
