"""Events: changes that belong together in space and time, ranked.

Which changes belong together is the rule of `growth.Connect`. Strength orders by score,
then by `change_id`, so that events depend neither on the order of rows nor on chance.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.growth import Changes, Connect

Value = TypeVar("Value", bound=np.generic)

_SAME_PLACE = 1e-9
"""Degrees, a tenth of a millimetre: corners of neighbours differ by rounding, which would
leave slivers between them."""


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """`e` events, best first, and the event of each of `n` changes."""

    event_ids: NDArray[np.str_]
    """(e,), made of the strongest change, so it stays when weaker ones join or leave."""
    event: NDArray[np.int64]
    """(n,), which event each change belongs to; its rank less 1."""
    peak_change: NDArray[np.int64]
    """(e,), the strongest change."""
    strength: NDArray[np.float64]
    """(e,), what events are ranked by: root of the sum of (r-th best score / r) squared over
    the patches. Neighbours that confirm it lift an event by at most 28 percent (pi / root
    of 6), so that a wide harvest does not outrank a small site that scores higher."""
    start: NDArray[np.datetime64]
    """(e,), the first onset."""
    peak: NDArray[np.datetime64]
    """(e,), the onset of the strongest change."""
    end: NDArray[np.datetime64]
    """(e,), the last `date_after`."""
    n_patches: NDArray[np.int64]
    """(e,), each patch once."""
    max_score: NDArray[np.float64]
    """(e,)"""
    persistence: NDArray[np.str_]
    """(e,), of most changes; of the strongest where two are as many."""

    def __len__(self) -> int:
        return len(self.event_ids)


def connect(changes: Changes, rule: Connect | None = None) -> Events:
    """Group changes into events, best first; rows in any order give the same events."""
    by_strength = np.lexsort((changes.change_ids, -changes.score))
    ordered = changes.take(by_strength)
    events = _summary(ordered, (rule or Connect()).seeds(ordered))
    event = np.empty(len(changes), np.int64)
    event[by_strength] = events.event
    return replace(events, event=event, peak_change=by_strength[events.peak_change])


def outline(
    corners: NDArray[np.float64], event: NDArray[np.int64]
) -> NDArray[np.object_]:
    """(e,), the union of the patches of each event as a shapely geometry.

    Args:
        corners: (n, 4, 2), longitude and latitude of each change's patch, in a round.
        event: (n,), 0 .. e - 1, every number at least once.
    """
    import shapely

    squares = np.asarray(shapely.polygons(corners), dtype=object)
    order = np.argsort(event, kind="stable")
    bounds = np.flatnonzero(np.diff(event[order], prepend=-1, append=-1))
    unions = np.empty(len(bounds) - 1 if len(event) else 0, object)
    for number in range(len(unions)):
        members = order[bounds[number] : bounds[number + 1]]
        unions[number] = shapely.union_all(squares[members], grid_size=_SAME_PLACE)
    return unions


def majority(
    event: NDArray[np.int64], values: NDArray[Value], tie: NDArray[Value]
) -> NDArray[Value]:
    """(e,), the most frequent of each event's `values` (n,), and where two are, `tie` (e,).

    `event` (n,) holds 0 .. e - 1. A third that is neither goes before in sorted order.
    """
    names, number = np.unique(np.concatenate([values, tie]), return_inverse=True)
    owner = np.concatenate([event, np.arange(len(tie))])
    # Twice the count, and one more for the tie.
    weight = np.repeat([2, 1], [len(values), len(tie)])
    keys, where = np.unique(owner * len(names) + number, return_inverse=True)
    votes = np.bincount(where, weight)
    order = np.lexsort((votes, keys // len(names)))
    last = np.searchsorted(keys[order] // len(names), np.arange(len(tie)), "right") - 1
    return np.asarray(names[keys[order][last] % len(names)])


def _summary(changes: Changes, seed: NDArray[np.int64]) -> Events:
    """Events of changes that come strongest first."""
    seeds, event = np.unique(seed, return_inverse=True)
    _, patch = np.unique(changes.cells, axis=0, return_inverse=True)
    _, best = np.unique(np.stack([event, patch]), axis=1, return_index=True)
    best.sort()  # the strongest change of each patch in each event, strongest first
    by_event = np.argsort(event[best], kind="stable")
    owner = event[best][by_event]
    place = np.arange(len(best)) - np.searchsorted(owner, owner) + 1
    scores = changes.score[best][by_event].astype(np.float64)
    strength = np.sqrt(np.bincount(owner, (scores / place) ** 2, len(seeds)))
    ids = changes.change_ids[seeds]
    ranked = np.lexsort((ids, -strength))
    number = np.empty(len(seeds), np.int64)
    number[ranked] = np.arange(len(seeds))
    event = number[event]
    seeds = seeds[ranked]
    order = np.argsort(event, kind="stable")
    starts = np.searchsorted(event[order], np.arange(len(seeds)))
    persistence = changes.persistence
    return Events(
        event_ids=np.array([_event_id(change) for change in ids[ranked]], np.str_),
        event=event,
        peak_change=seeds,
        strength=strength[ranked],
        start=np.minimum.reduceat(changes.onset[order], starts),
        peak=changes.onset[seeds],
        end=np.maximum.reduceat(changes.date_after[order], starts),
        n_patches=np.bincount(number[owner], minlength=len(seeds)),
        max_score=changes.score[seeds].astype(np.float64),
        persistence=majority(event, persistence, persistence[seeds]),
    )


def _event_id(change_id: str) -> str:
    return "event-" + blake2b(change_id.encode(), digest_size=6).hexdigest()
