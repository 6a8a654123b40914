"""A direction to search in, learned from what was liked and what was not (pure).

Rows are unit vectors, so a search by cosine ranks them as a linear score does: what is
learned is one vector, whichever way it was learned.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query.search import probe

Refine = Literal["auto", "rocchio", "probe"]
REFINES: tuple[Refine, ...] = get_args(Refine)

UNLIKED_WEIGHT = 0.5
"""Weight of the mean of the unliked beside that of the liked."""
LEAST_EACH = 1
"""Liked and unliked, each, from which `auto` takes the probe (docs/labels.md says why)."""
_NOTHING = 1e-6


def parse(refine: str) -> Refine:
    """Read how to learn.

    Raises:
        QueryError: no such way.
    """
    if refine not in REFINES:
        raise QueryError(f"refine must be one of {', '.join(REFINES)}, got {refine!r}")
    return refine


def resolve(refine: Refine, liked: int, unliked: int) -> Literal["rocchio", "probe"]:
    """How so many liked and unliked are learned from."""
    if refine != "auto":
        return refine
    return "probe" if min(liked, unliked) >= LEAST_EACH else "rocchio"


def direction(
    liked: NDArray[np.floating],
    unliked: NDArray[np.floating],
    background: NDArray[np.floating] | None = None,
    refine: Refine = "auto",
) -> NDArray[np.float32]:
    """The direction (d,), of length one, in which what is liked lies.

    Args:
        liked: (n, d) unit vectors, n at least 1.
        unliked: (m, d) unit vectors.
        background: (b, d) unit vectors of rows drawn at random, which the probe uses.
        refine: `auto` takes the probe as soon as something is unliked.

    Raises:
        QueryError: nothing liked, a probe without negatives, or they cancel each other.
    """
    if resolve(refine, len(liked), len(unliked)) == "probe":
        found = probe.fit(liked, unliked, background).direction
    else:
        found = rocchio(liked, unliked)
    length = float(np.linalg.norm(found))
    if not length > _NOTHING:
        raise QueryError(
            "what is liked and what is not cancel each other, no direction is left; like or "
            "unlike others too"
        )
    return (found / length).astype(np.float32)


def rocchio(
    liked: NDArray[np.floating],
    unliked: NDArray[np.floating],
    *,
    weight: float = UNLIKED_WEIGHT,
) -> NDArray[np.float64]:
    """Mean of the liked (n, d) less `weight` times the mean of the unliked (m, d), (d,).

    Rocchio 1971, "Relevance feedback in information retrieval", with no query apart from
    what is liked. With a weight of 1/2 it is the rule of GeoVibes, 2 mean(liked) -
    mean(unliked), as only the direction counts.

    Raises:
        QueryError: nothing is liked.
    """
    if len(liked) == 0:
        raise QueryError("expected something liked to search with, got none; like one")
    found = np.asarray(liked, np.float64).mean(axis=0)
    if len(unliked):
        found = found - weight * np.asarray(unliked, np.float64).mean(axis=0)
    return np.asarray(found, np.float64)
