"""How far regimes depend on chance and on which dates were seen (pure)."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy.assign import assign
from terradrift.detect.taxonomy.paths import Calendar, Paths
from terradrift.detect.taxonomy.settings import Settings
from terradrift.detect.taxonomy.tree import Taxonomy, fit
from terradrift.evaluate.taxonomy.agreement import stability

TIMES = 4


@dataclass(frozen=True, slots=True)
class Stability:
    """Mean adjusted Rand index between regimes found several times; 1 is the same, 0 chance."""

    seeds: float
    """By other seeds of the clustering, over half of the patches each."""
    dates: float
    """On random halves of the steps of the calendar."""
    leaves: tuple[int, int]
    """Fewest and most leaves that were found; many runs of one leaf agree by having no say."""

    def __str__(self) -> str:
        low, high = self.leaves
        many = f"{low}" if low == high else f"{low} to {high}"
        return (
            f"stability, 1 at best and 0 by chance: {self.seeds:.2f} over halves of the "
            f"patches and seeds, {self.dates:.2f} over halves of the dates; {many} paths"
        )


def repeated(
    paths: Paths,
    calendar: Calendar,
    settings: Settings,
    *,
    times: int = TIMES,
    threads: int = 1,
) -> Stability:
    """Find the regimes again by other seeds and patches, and on fewer dates.

    Each run places all the patches, so that labels of the same patches are compared.

    Args:
        paths: of a sample of patches.
        calendar: their steps.
        settings: of the taxonomy.
        times: that regimes are found by other seeds, and on other dates; 2 at least.
        threads: that share the work.

    Raises:
        ValueError: too few patches or steps for a half of them.
    """
    if len(calendar) < 4 or len(paths) < 16:
        raise ValueError(
            "stability takes 16 patches and 4 steps at least, got "
            f"{len(paths)} and {len(calendar)}"
        )
    by_seed, by_date, leaves = [], [], []
    for seed in range(times):
        random = np.random.default_rng([settings.seed, 8, seed])
        rows = np.sort(random.permutation(len(paths))[: len(paths) // 2])
        again = replace(settings, seed=settings.seed + 1 + seed)
        found = fit(paths.of(rows), calendar, again, threads=threads)
        leaves.append(len(found.leaves))
        by_seed.append(_leaf(found, paths))
    for half in range(times):
        random = np.random.default_rng([settings.seed, 9, half])
        steps = np.sort(random.permutation(len(calendar))[: len(calendar) // 2])
        some = replace(calendar, steps=calendar.steps[steps])
        fewer = replace(
            paths, values=paths.values[:, steps], known=paths.known[:, steps]
        )
        found = fit(fewer, some, settings, threads=threads)
        leaves.append(len(found.leaves))
        by_date.append(_leaf(found, fewer))
    return Stability(stability(by_seed), stability(by_date), (min(leaves), max(leaves)))


def _leaf(found: Taxonomy, paths: Paths) -> NDArray[np.int32]:
    return assign(found, paths).regime
