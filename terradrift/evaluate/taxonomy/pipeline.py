"""From series to regimes, in memory: as `terradrift taxonomy` does it, for tests of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import pool
from terradrift.detect.settings import Settings as Clear
from terradrift.detect.taxonomy.assign import assign
from terradrift.detect.taxonomy.observed import Observed, observed
from terradrift.detect.taxonomy.paths import Paths, Projection, calendar, regular
from terradrift.detect.taxonomy.settings import Settings
from terradrift.detect.taxonomy.tree import Taxonomy, fit
from terradrift.series import Series
from terradrift.space import Space, placed

COMPONENTS = 32
"""Of a vector, in which paths are taken where no space was learned."""


@dataclass(frozen=True, slots=True, eq=False)
class Regimes:
    """The regimes of `n` patches."""

    taxonomy: Taxonomy
    paths: Paths
    leaf: NDArray[np.int32]
    """(n,), -1 where it cannot be told."""
    ground: NDArray[np.int32]
    """(n,), likewise."""


def together(series: Sequence[Series], min_clear: float = 70.0) -> Observed:
    """All series as one array, of what is clear enough."""
    clear = Clear(min_clear=min_clear)
    return observed([(one, pool.usable(one, clear)) for one in series])


def classify(
    seen: Observed,
    settings: Settings,
    *,
    space: Space | None = None,
    days: NDArray[np.bool_] | None = None,
    steps: int | None = None,
    threads: int = 1,
) -> Regimes:
    """Find regimes and place every patch.

    Args:
        seen: the patches.
        settings: of the taxonomy.
        space: that vectors are compared in; one that was learned is taken as it is.
        days: (t,), which days take part; None: all.
        steps: of the calendar; None: by the data.
        threads: that share the work.

    Raises:
        ValueError: fewer than two patches are known at every step.
    """
    if days is not None:
        seen = replace(
            seen,
            days=seen.days[days],
            vectors=seen.vectors[:, days],
            clear=seen.clear[:, days],
        )
    seen_by = projection(seen, space, settings.seed)
    of_day = seen.clear.sum(axis=0)
    patches = int(seen.clear.any(axis=1).sum())
    times = calendar(seen.days, of_day, patches, steps=steps)
    reduced = seen_by.reduce(seen.vectors, seen.clear)
    paths = regular(seen.patch_ids, reduced, seen.clear, seen.days, times)
    found = fit(paths, times, settings, threads=threads)
    told = assign(found, paths)
    return Regimes(found, paths, told.regime, told.ground)


def projection(seen: Observed, space: Space | None, seed: int) -> Projection:
    """What paths are taken in: principal components, or a learned space."""
    if space is not None and space.learned:
        return Projection(None, space)
    row, date = np.nonzero(seen.clear)
    random = np.random.default_rng([seed, 7])
    chosen = np.sort(random.permutation(len(row))[:16_384])
    sample = placed(
        seen.vectors[row[chosen], date[chosen]][:, None],
        np.ones((len(chosen), 1), bool),
        space,
    )[:, 0]
    return Projection(pool.components(sample.astype(np.float32), COMPONENTS), space)
