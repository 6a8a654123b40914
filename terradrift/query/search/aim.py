"""What a search looks for: vectors in the space, and the rows that they come from (pure).

Every example ends as an `Aim`: a change, an event, a region, a vector, or several changes
that were called alike and unlike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query.search.modes import Mode
from terradrift.query.search.nearest import moved
from terradrift.space import Space


def _nowhere() -> NDArray[np.float64]:
    return np.empty((0, 2))


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What of the archive an example is made of, so that a search can leave it out."""

    change_ids: frozenset[str] = frozenset()
    event_ids: frozenset[str] = frozenset()
    patch_ids: frozenset[str] = frozenset()
    observations: frozenset[tuple[str, datetime]] = frozenset()
    """Patch and instant of what was seen last of the example (a change's `date_after`)."""
    places: NDArray[np.float64] = field(default_factory=_nowhere)
    """(n, 2) longitude and latitude of its patches, degrees."""

    def __or__(self, other: "Own") -> "Own":
        return Own(
            self.change_ids | other.change_ids,
            self.event_ids | other.event_ids,
            self.patch_ids | other.patch_ids,
            self.observations | other.observations,
            np.concatenate([self.places, other.places]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """What to look for."""

    name: str
    """In words, for messages: `change c1`, `3 examples`."""
    vectors: NDArray[np.float32]
    """(columns, r) in the space, one for each column of the mode; finite, not all zero."""
    own: Own = field(default_factory=Own)
    note: str | None = None
    """What to know about it, told with the answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Changes (or one observation and its step) that an example is made of."""

    name: str
    parts: Mapping[str, NDArray[np.float32]]
    """Of `before`, `after`, `delta` those that are known: (n, d) as stored, NaN where not."""
    own: Own = field(default_factory=Own)
    ids: tuple[str, ...] = ()
    """(n,) their change_ids, in the order of the vectors; empty where they have none."""

    def inside(self, mode: Mode, space: Space | None) -> NDArray[np.float32]:
        """(n, columns, r) the vectors that the mode compares, in the space.

        Raises:
            QueryError: the members lack what the mode compares.
        """
        missing = [part for part in mode.parts if part not in self.parts]
        if missing:
            raise QueryError(
                f"{self.name} has no {' and no '.join(missing)} to compare; "
                "choose another example, or mode='after'"
            )
        vectors = [
            moved(self.parts[part], column, space)
            for part, column in zip(mode.parts, mode.columns, strict=True)
        ]
        return np.float32(mode.sign) * np.stack(vectors, axis=1)


def directions(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Vectors (n, columns, r) of length one over all columns; those without direction go."""
    wide = np.asarray(vectors, np.float64)
    lengths = np.sqrt(np.square(wide).sum(axis=(1, 2)))
    usable = np.isfinite(lengths) & (lengths > 0)
    unit: NDArray[np.float64] = wide[usable] / lengths[usable, None, None]
    return unit


def mean(members: Members, mode: Mode, space: Space | None) -> Aim:
    """The mean of the members' directions in the space.

    Of all directions it has the least mean cosine distance to them.

    Raises:
        QueryError: the members lack what the mode compares, or have no direction.
    """
    unit = directions(members.inside(mode, space))
    return aimed(members.name, unit.sum(axis=0), mode, space, own=members.own)


def aimed(
    name: str,
    vectors: NDArray[np.floating],
    mode: Mode,
    space: Space | None,
    *,
    own: Own | None = None,
    note: str | None = None,
) -> Aim:
    """An aim at (columns, r) vectors in the space.

    Raises:
        QueryError: they are all zero.
    """
    found = np.asarray(vectors, np.float32)
    if not found.any():
        where = f" in the space {space.label}" if space else ""
        raise QueryError(
            f"{name} has no direction to compare{where}: its {' and '.join(mode.parts)} is "
            "zero there or not finite; choose another example or mode"
        )
    return Aim(name, found, own or Own(), note)
