"""What of the archive is shown: the same conditions for map, list, search and download."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Query

from terradrift.serve.faults import Fault


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
