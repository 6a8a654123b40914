"""Which regime a patch is of, from what is known of its path; nothing is fitted (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy.dtw import squared_distances
from terradrift.detect.taxonomy.paths import Paths
from terradrift.detect.taxonomy.split import NONE
from terradrift.detect.taxonomy.tree import Regime, Taxonomy

LEAST_KNOWN = 0.5
"""Share of the steps that a patch must be known at to be given a regime."""
_BLOCK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """Which regimes `n` patches are of."""

    ground: NDArray[np.int32]
    """(n,), number of the ground regime, -1 where it cannot be told."""
    regime: NDArray[np.int32]
    """(n,), number of the leaf, -1 where it cannot be told."""
    distance: NDArray[np.float32]
    """(n,), root mean square over known steps of the distance to the leaf's path; NaN."""
    margin: NDArray[np.float32]
    """(n,), -1..1: how much nearer the leaf is than the nearest other leaf, as a share of
    the larger of the two distances; below 0 where another is nearer, because levels are
    decided one after the other. NaN where there is no other."""
    reason: NDArray[np.str_]
    """(n,), why a patch is placed roughly or not at all; empty where it is known whole."""


def assign(taxonomy: Taxonomy, paths: Paths) -> Assigned:
    """Place patches among the regimes, each by itself.

    Ground is the regime whose mean state, over the steps at which the patch is known, is
    nearest to that of the patch; the path is that whose shape, over these steps, is. A
    patch that was in the sample is placed like any other.
    """
    n = len(paths)
    found = Assigned(
        np.full(n, NONE, np.int32),
        np.full(n, NONE, np.int32),
        np.full(n, np.nan, np.float32),
        np.full(n, np.nan, np.float32),
        _reasons(paths.known),
    )
    enough = np.flatnonzero(paths.known.mean(axis=1) >= LEAST_KNOWN)
    for start in range(0, len(enough), _BLOCK):
        rows = enough[start : start + _BLOCK]
        _place(taxonomy, paths.values[rows], paths.known[rows], rows, found)
    return found


def _place(
    taxonomy: Taxonomy,
    values: NDArray[np.float32],
    known: NDArray[np.bool_],
    rows: NDArray[np.int64],
    found: Assigned,
) -> None:
    ground = taxonomy.ground
    state = np.stack([_states(values, known, each) for each in ground], axis=1)
    nearest = state.argmin(axis=1)
    leaf = np.array([each.number for each in ground])[nearest]
    found.ground[rows] = leaf
    for parent in ground:
        children = taxonomy.children(parent.number)
        here = np.flatnonzero(found.ground[rows] == parent.number)
        if not children or not len(here):
            continue
        shape = np.stack(
            [_shapes(values[here], known[here], each) for each in children], axis=1
        )
        if taxonomy.band is not None:
            whole = known[here].all(axis=1)
            shape[whole] = _warped(values[here[whole]], children, taxonomy.band)
        numbers = np.array([each.number for each in children])
        leaf[here] = numbers[shape.argmin(axis=1)]
    found.regime[rows] = leaf
    leaves = taxonomy.leaves
    apart = np.stack([_distances(values, known, each) for each in leaves], axis=1)
    own = leaf[:, None] == np.array([each.number for each in leaves])[None]
    mine = apart[own]
    found.distance[rows] = mine
    if len(leaves) > 1:
        other = np.where(own, np.inf, apart).min(axis=1)
        larger = np.maximum(mine, other)
        found.margin[rows] = np.where(
            larger > 0, (other - mine) / np.where(larger > 0, larger, 1), 0
        )


def _gaps(
    values: NDArray[np.float32], known: NDArray[np.bool_], regime: Regime
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Differences (n, s, r) from a regime's path, zeros where not known, and their mean."""
    gap = np.where(known[..., None], values - regime.path, np.float32(0))
    count = known.sum(axis=1, dtype=np.float32)
    return gap, gap.sum(axis=1) / count[:, None]


def _states(
    values: NDArray[np.float32], known: NDArray[np.bool_], regime: Regime
) -> NDArray[np.float32]:
    """(n,) squared distance of mean states."""
    mean = _gaps(values, known, regime)[1]
    return np.asarray((mean**2).sum(axis=1))


def _shapes(
    values: NDArray[np.float32], known: NDArray[np.bool_], regime: Regime
) -> NDArray[np.float32]:
    """(n,) mean squared distance of shapes."""
    gap, mean = _gaps(values, known, regime)
    left = np.where(known[..., None], gap - mean[:, None], np.float32(0))
    total = np.einsum("nsr,nsr->n", left, left)
    return np.asarray(total / known.sum(axis=1))


def _warped(
    values: NDArray[np.float32], regimes: tuple[Regime, ...], band: int
) -> NDArray[np.float32]:
    """(n, k) squared distances of shapes along the best way; of patches known whole."""
    paths = np.stack([each.path for each in regimes])
    return squared_distances(_shape(values), _shape(paths), band)


def _shape(paths: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(paths - paths.mean(axis=1, keepdims=True))


def _distances(
    values: NDArray[np.float32], known: NDArray[np.bool_], regime: Regime
) -> NDArray[np.float32]:
    """(n,) root mean square distance over known steps."""
    gap = _gaps(values, known, regime)[0]
    total = np.einsum("nsr,nsr->n", gap, gap)
    return np.asarray(np.sqrt(total / known.sum(axis=1)))


def _reasons(known: NDArray[np.bool_]) -> NDArray[np.str_]:
    s = known.shape[1]
    words = {s: ""}
    for count in range(s):
        rough = count >= LEAST_KNOWN * s
        words[count] = f"known at {count} of {s} steps" + (
            "" if rough else ", too few for a regime"
        )
    return np.array([words[int(count)] for count in known.sum(axis=1)], np.str_)
