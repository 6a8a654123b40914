"""`embed --ray`: the same units of work on the workers of a Ray cluster.

Each worker holds one model, reads pixels itself and writes Lance fragments of no version
into the shared archive; this process, the driver, commits them once, at the end. A worker
that is lost has its bundles run again by another; a driver that is killed leaves the archive
as it was. At most two bundles are with each worker, so memory does not grow with the plan.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from terradrift.archive import bundles as bundling
from terradrift.archive.bundles import Bundle
from terradrift.archive.cluster import Share
from terradrift.archive.reading import Reading
from terradrift.archive.worker import Task, Worker, Written
from terradrift.errors import ArchiveError, TerradriftError
from terradrift.grid import Grid
from terradrift.store.committer import Committer

_IN_HAND = 2
"""Bundles of each worker: one under way, the next one waiting beside it."""
_ATTEMPTS = 4
"""Workers that may be lost over a bundle before it is given up."""


def embed(
    ray: ModuleType,
    share: Share,
    task: Task,
    *,
    reading: Reading,
    grid: Grid,
    committer: Committer,
    bad: dict[str, str],
    advance: Callable[[int], None],
) -> int:
    """Embed all units of `reading`; the committer has them when this returns. Gives rows.

    Raises:
        ArchiveError: a bundle was lost with `_ATTEMPTS` workers.
        Otherwise as the plain run; what was written until then is with the committer.
    """
    rows = 0
    waiting = bundling.bundles(reading, grid, committer.days, workers=share.workers)
    pool = _Pool(ray, share, task, waiting)
    try:
        for bundle, written in pool.results():
            committer.add(written.part)
            bad.update(written.bad)
            rows += written.rows
            advance(bundle.asked)
    finally:
        pool.close()
    return rows


@dataclass(slots=True, eq=False)
class _Hand:
    """A place for a worker; None where there is none yet, or it was lost."""

    actor: Any = None


@dataclass(slots=True, eq=False)
class _Pool:
    ray: ModuleType
    share: Share
    task: Task
    waiting: Iterator[Bundle]
    again: deque[Bundle] = field(default_factory=deque)
    hands: list[_Hand] = field(default_factory=list)
    flying: dict[Any, tuple[Bundle, _Hand]] = field(default_factory=dict)

    def results(self) -> Iterator[tuple[Bundle, Written]]:
        """Every bundle, as soon as it is written, in no order."""
        self.hands = [_Hand() for _ in range(self.share.workers)]
        self._fill()
        while self.flying:
            (ready, *_), _ = self.ray.wait(list(self.flying), num_returns=1)
            bundle, hand = self.flying.pop(ready)
            written = self._taken(ready, bundle, hand)
            self._fill()
            if written is not None:
                yield bundle, written

    def close(self) -> None:
        """End the workers, and with them what is under way."""
        for hand in self.hands:
            if hand.actor is not None:
                self.ray.kill(hand.actor)

    def _taken(self, ready: Any, bundle: Bundle, hand: _Hand) -> Written | None:  # noqa: ANN401 - Ray's own type
        """What became of the bundle; None where its worker was lost."""
        lost = self.ray.exceptions.RayActorError, self.ray.exceptions.RaySystemError
        try:
            written: Written = self.ray.get(ready)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, TerradriftError | ValueError):
                raise error.cause from None
            raise
        except lost as error:
            self.ray.kill(hand.actor)
            self.hands = [_Hand() if one is hand else one for one in self.hands]
            retried = bundle.again()
            if retried.attempts >= _ATTEMPTS:
                raise ArchiveError(_given_up(bundle, error)) from error
            self.again.append(retried)
            return None
        return written

    def _fill(self) -> None:
        """Give every worker something to do, then every one something to do next."""
        for depth in range(_IN_HAND):
            for hand in self.hands:
                if sum(hand is one for _, one in self.flying.values()) > depth:
                    continue
                bundle = self._next()
                if bundle is None:
                    return
                if hand.actor is None:
                    hand.actor = self._actor()
                self.flying[hand.actor.embed.remote(bundle)] = bundle, hand

    def _next(self) -> Bundle | None:
        return self.again.popleft() if self.again else next(self.waiting, None)

    def _actor(self) -> Any:  # noqa: ANN401 - Ray's own type
        made = self.ray.remote(Worker)
        return made.options(
            num_cpus=self.share.threads, num_gpus=self.share.gpus, max_restarts=0
        ).remote(self.task)


def _given_up(bundle: Bundle, error: Exception) -> str:
    tiles = sorted({unit.tile for unit in bundle.reading.plan.units})
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return (
        f"{_ATTEMPTS} workers were lost over tile {tiles[0]} and {len(tiles) - 1} others "
        f"({reason}); give workers more memory, or use fewer of them with --ray-workers"
    )
