"""The archive's histories as paths: read in blocks, of bounded memory."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.taxonomy.model import Fitted
from terradrift.detect import pool
from terradrift.detect.settings import Settings as Clear
from terradrift.detect.taxonomy.paths import Calendar, Paths, Projection, regular
from terradrift.errors import ArchiveError
from terradrift.series import Series
from terradrift.space import Space, placed
from terradrift.store import series
from terradrift.store.ahead import ahead
from terradrift.store.tables import Store

COMPONENTS = 32
"""Of a vector, in which paths are taken."""
_SAMPLE_BYTES = 512 << 20
"""What the paths of the sample may take."""


@dataclass(slots=True, eq=False)
class Census:
    """What the first reading tells: days, and how many patches were clear on each."""

    seed: int
    most: int
    count: dict[int, int] = field(default_factory=dict)
    patches: int = 0
    chosen: list[tuple[int, str]] = field(default_factory=list)
    """Priorities (negative) and ids of the sample, as a heap."""

    def add(self, block: Series, clear: NDArray[np.bool_]) -> None:
        """Count a block."""
        for day, seen in zip(
            block.days.astype(np.int64), clear.sum(axis=0), strict=True
        ):
            if seen:
                self.count[int(day)] = self.count.get(int(day), 0) + int(seen)
        any_clear = clear.any(axis=1)
        self.patches += int(any_clear.sum())
        for patch_id in block.patch_ids[any_clear]:
            entry = (-pool.priority(str(patch_id), self.seed), str(patch_id))
            if len(self.chosen) < self.most:
                heapq.heappush(self.chosen, entry)
            elif entry > self.chosen[0]:
                heapq.heapreplace(self.chosen, entry)

    @property
    def days(self) -> NDArray[np.datetime64]:
        """(t,), datetime64[D], with a clear observation."""
        return np.array(sorted(self.count), np.int64).astype("datetime64[D]")

    @property
    def seen(self) -> NDArray[np.int64]:
        """(t,), patches clear on each of `days`."""
        return np.array([self.count[day] for day in sorted(self.count)], np.int64)

    def sample(self, steps: int, components: int) -> NDArray[np.str_]:
        """Ids of the patches whose paths are clustered, sorted."""
        room = max(64, _SAMPLE_BYTES // (4 * steps * components))
        best = sorted(self.chosen, reverse=True)[:room]
        return np.array(sorted(patch_id for _, patch_id in best), np.str_)


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """What of the archive takes part."""

    store: Store
    model: str
    clear: Clear
    since: np.datetime64
    until: np.datetime64
    """First and last day, datetime64[D]."""

    @classmethod
    def of(cls, store: Store, model: str, fitted: Fitted) -> "Histories":
        """What took part in a fit, with what came since."""
        clear = Clear(min_clear=fitted.min_clear)
        return cls(store, model, clear, fitted.since, fitted.until)

    def blocks(self) -> Iterator[tuple[Series, NDArray[np.bool_]]]:
        """Blocks, and what of them is clear, (n, t), in the period or not."""
        for block in series.blocks(self.store, self.model):
            yield block, pool.usable(block, self.clear)

    def inside(self, days: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """(t,), which days are in the period."""
        return np.asarray((days >= self.since) & (days <= self.until))


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A block of histories, and what becomes of it."""

    block: Series
    clear: NDArray[np.bool_]
    """(n, t), also after the period."""
    reduced: NDArray[np.float32]
    """(n, t, r), components of the vectors, zeros where not clear."""
    paths: Paths
    """By what is clear in the period."""


def projection(histories: Histories, space: Space | None, census: Census) -> Projection:
    """Components of a sample of clear observations; fills the census on the way.

    A space that was learned is taken as it is.

    Raises:
        ArchiveError: no observation is clear.
    """

    def blocks() -> Iterator[Series]:
        for block, clear in histories.blocks():
            seen = clear & histories.inside(block.days)
            census.add(block, seen)
            percent = np.where(seen, block.clear_percent, np.float32(np.nan))
            if space is None:
                yield replace(block, clear_percent=percent)
                continue
            vectors = placed(block.vectors, seen, space)
            # A float16 holds what a sample needs of them.
            yield replace(
                block, clear_percent=percent, vectors=vectors.astype(np.float16)
            )

    found = pool.fit(blocks, histories.clear)
    if found is None:
        raise ArchiveError(
            f"expected observations of {histories.model} that are "
            f"{histories.clear.min_clear:g} % clear, got none; ingest more scenes, choose "
            "another --period, or ask for less with --min-clear"
        )
    return Projection(None if space and space.learned else found[0], space)


def stream(
    histories: Histories,
    projection: Projection,
    calendar: Calendar,
    *,
    threads: int,
    only: NDArray[np.str_] | None = None,
) -> Iterator[Read]:
    """Blocks with their paths, in order; of `only` the patches in it (sorted)."""

    def of(block: Series, clear: NDArray[np.bool_]) -> Read:
        if only is not None:
            at = np.minimum(np.searchsorted(only, block.patch_ids), len(only) - 1)
            rows = np.flatnonzero(only[at] == block.patch_ids)
            block, clear = rows_of(block, rows), clear[rows]
        reduced = projection.reduce(block.vectors, clear)
        seen = clear & histories.inside(block.days)
        paths = regular(block.patch_ids, reduced, seen, block.days, calendar)
        return Read(block, clear, reduced, paths)

    tasks = (partial(of, block, clear) for block, clear in histories.blocks())
    return ahead(tasks, threads)


def rows_of(block: Series, rows: NDArray[np.int64]) -> Series:
    """Some of a block's patches."""
    return Series(
        block.patch_ids[rows],
        block.cells[rows],
        block.days,
        block.times[rows],
        block.vectors[rows],
        block.clear_percent[rows],
        block.indices[rows],
    )
