"""What of the archive is shown: the same conditions for map, list, search and download."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import Query
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terradrift.serve.columns import changes as columns
from terradrift.serve.columns import inside
from terradrift.serve.columns.changes import UNKNOWN_DAY, Changes
from terradrift.serve.columns.named import Matches
from terradrift.serve.faults import Fault
from terradrift.serve.held import Generation, Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Conditions on changes; all must hold. Hashable, so that answers can be kept by them."""

    since: date | None = None
    """First day of onset."""
    until: date | None = None
    """Last day of onset, included."""
    kinds: tuple[int, ...] = ()
    """Any of these; -1: of no kind."""
    persistence: tuple[str, ...] = ()
    min_score: float = 0.0
    """As `changes.score`: robust deviations, 0 and above; not bounded by 1."""
    event: str | None = None
    region: str | None = None
    """Name that `POST /api/regions` gave a polygon."""
    search: str | None = None
    """Name that `POST /api/similar` gave its matches: those alone."""


def filters(
    *,
    since: date | None = None,
    until: date | None = None,
    kind: Annotated[list[int] | None, Query()] = None,
    persistence: Annotated[list[str] | None, Query()] = None,
    min_score: Annotated[float, Query(ge=0)] = 0.0,
    event: str | None = None,
    region: str | None = None,
    search: str | None = None,
) -> Filters:
    """Filters of a query string; a dependency of the routes that take them.

    Raises:
        Fault: the period ends before it begins.
    """
    if since and until and until < since:
        raise Fault(f"expected a period, got {since} to {until}; swap them")
    return Filters(
        since=since,
        until=until,
        kinds=_sorted(kind),
        persistence=_sorted(persistence),
        min_score=min_score,
        event=event,
        region=region,
        search=search,
    )


def _sorted(given: Iterable[Any] | None) -> tuple[Any, ...]:
    return tuple(sorted(set(given or ())))


@dataclass(frozen=True, slots=True, eq=False)
class Passing:
    """Rows of the table `changes` that pass."""

    rows: NDArray[np.int64]
    """(m,), ascending; best first where there is a search."""
    rank: NDArray[np.int64] | None = None
    """(m,), among all matches of the search, from 1."""
    distance: NDArray[np.float32] | None = None
    """(m,), as the search gave it."""


def mask(held: Held, generation: Generation, given: Filters) -> NDArray[np.bool_]:
    """(n,) which of the changes pass, in the order of `columns.changes.of`; not to be written.

    Raises:
        Gone: the region or the search is not kept any more.
    """
    changes = columns.of(held, generation)
    # A search that found nothing is a search all the same: nothing passes.
    asked = None if given.region is None else held.regions.get(given.region)
    matches = None if given.search is None else held.searches.get(given.search)
    plain = replace(given, region=None, search=None)
    parts = [changes.masks.get(plain, lambda: _plain(changes, plain))]
    if asked is not None:
        parts.append(
            changes.masks.get(
                ("region", given.region), lambda: _region(generation, changes, asked)
            )
        )
    if matches is not None:
        parts.append(_matches(changes, str(given.search), matches) >= 0)
    if len(parts) == 1:
        return parts[0]
    return changes.masks.get(
        given, lambda: np.asarray(np.logical_and.reduce(parts), bool)
    )


def passing(held: Held, generation: Generation, given: Filters) -> Passing:
    """Rows of the changes that pass; of a search with rank and distance.

    Raises: as `mask`.
    """
    changes = columns.of(held, generation)
    passes = mask(held, generation, given)
    if given.search is None:
        return Passing(np.sort(changes.row[passes]).astype(np.int64))
    matches = held.searches.get(given.search)
    rank = _matches(changes, given.search, matches)[passes]
    order = np.argsort(rank)
    place = rank[order].astype(np.int64)
    rows = changes.row[passes][order].astype(np.int64)
    return Passing(rows, place + 1, np.asarray(matches.distances)[place])


def rows(held: Held, generation: Generation, given: Filters) -> NDArray[np.int64]:
    """As `passing`, the rows alone."""
    return passing(held, generation, given).rows


def _plain(changes: Changes, given: Filters) -> NDArray[np.bool_]:
    """Conditions on columns."""
    passes = np.ones(len(changes), bool)
    if given.since:
        passes &= changes.onset >= _day(given.since)
    if given.until:
        passes &= changes.onset <= _day(given.until)
        passes &= changes.onset != UNKNOWN_DAY
    if given.kinds:
        passes &= np.isin(changes.kind, np.array(given.kinds))
    if given.persistence:
        numbers = [
            changes.words.index(w) for w in given.persistence if w in changes.words
        ]
        passes &= np.isin(changes.persistence, np.array(numbers, np.uint8))
    if given.min_score > 0:
        with np.errstate(over="ignore"):  # above all float32 is above all scores
            passes &= changes.score >= np.float32(given.min_score)
    if given.event is not None:
        number = pc.index(changes.events, given.event).as_py()
        passes &= (changes.event == number) & (number >= 0)
    return passes


def _region(
    generation: Generation, changes: Changes, region: BaseGeometry
) -> NDArray[np.bool_]:
    def stored(at: NDArray[np.int64]) -> pa.Array:
        table = generation.archive.store.dataset(generation.table("changes"))
        found = table.take(changes.row[at].tolist(), columns=["geometry"])
        return found["geometry"]

    return inside.touching(region, changes.squares.corners, changes.blocks, stored)


def _matches(changes: Changes, name: str, matches: Matches) -> NDArray[np.int32]:
    """(n,) place of each change among the matches of a search, from 0; -1: not among them."""

    def make() -> NDArray[np.int32]:
        ids = pa.array(matches.change_ids, pa.large_string())
        found = pc.index_in(changes.change_id, value_set=ids).fill_null(-1)
        return np.asarray(found.to_numpy(), np.int32)

    return changes.places.get(name, make)


def _day(of: date) -> int:
    return (of - date(1970, 1, 1)).days
