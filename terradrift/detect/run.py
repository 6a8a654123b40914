"""Detection over an archive: a bounded pool first, then block after block."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import analogue, calibrate, drift, onset, pool, score
from terradrift.detect.block import Block, Changes, Scores
from terradrift.detect.lof import Lof
from terradrift.detect.settings import Settings
from terradrift.series import Series
from terradrift.threads import single_blas

_MIN_SCENE = 8
"""Pool patches that must be clear on a date for its scene-wide shift to be known."""


def detect(
    blocks: Callable[[], Iterator[Series]],
    settings: Settings,
    *,
    threads: int,
    advance: Callable[[int], None],
) -> Iterator[Block]:
    """Score every observation and find changes, in the order of `blocks`.

    `blocks()` is called three times: to fit components on a sample, to fill the pool, and
    to score. Memory is the pool's and `threads` + 1 blocks', however long the archive is.
    `advance` is called with the patches of each block as it is done.
    """
    with single_blas():
        world = _World.of(blocks, settings)
        if world is None:
            for series in blocks():
                yield _nothing(series)
                advance(len(series))
            return
        waiting: deque[Future[Block]] = deque()
        with ThreadPoolExecutor(threads) as workers:
            for series in blocks():
                waiting.append(workers.submit(partial(world.judge, series)))
                if len(waiting) > threads:
                    yield _done(waiting, advance)
            while waiting:
                yield _done(waiting, advance)


def _done(waiting: deque[Future[Block]], advance: Callable[[int], None]) -> Block:
    block = waiting.popleft().result()
    advance(len(block.patch_ids))
    return block


class _World:
    """What every block is judged by: components, pool, scene-wide shifts, common steps."""

    def __init__(
        self, basis: pool.Basis, members: pool.Pool, settings: Settings
    ) -> None:
        self._basis = basis
        self._pool = members
        self._settings = settings
        self._shift = scene_shift(members.vectors, members.clear)
        chosen = np.unique(
            np.linspace(
                0, len(members) - 1, min(len(members), score.COMMON_STEPS)
            ).astype(np.int64)
        )
        shifted = members.vectors[chosen] - self._shift
        self._common = score.Common(shifted, members.clear[chosen], chosen, settings)

    @classmethod
    def of(
        cls, blocks: Callable[[], Iterator[Series]], settings: Settings
    ) -> "_World | None":
        fitted = pool.fit(blocks, settings)
        if fitted is None:
            return None
        basis, days = fitted
        return cls(basis, pool.gather(blocks, basis, days, settings), settings)

    def judge(self, series: Series) -> Block:
        settings = self._settings
        clear = pool.usable(series, settings)
        seen = clear.any(axis=0)
        days = series.days[seen]
        columns = self._pool.on(days)
        vectors = self._basis.reduce(series.vectors[:, seen], clear[:, seen])
        own = self._pool.find(series.patch_ids)
        by_own = _own_drift(series, clear, settings)
        scores = self._scores(series, clear, seen, columns, vectors, own, by_own)
        shifted = vectors - self._shift[columns]
        found = score.candidates(
            shifted, clear[:, seen], columns, own, self._common, settings
        )
        changes = _changes(series, clear, np.flatnonzero(seen), found, scores)
        return Block(
            series.patch_ids,
            series.cells,
            series.times,
            series.clear_percent,
            scores,
            changes,
        )

    def _scores(
        self,
        series: Series,
        clear: NDArray[np.bool_],
        seen: NDArray[np.bool_],
        columns: NDArray[np.int64],
        vectors: NDArray[np.float32],
        own: NDArray[np.int64],
        by_own: drift.OwnDrift,
    ) -> Scores:
        settings = self._settings
        n, t = clear.shape
        z, p = _own_z(by_own, settings)
        n_controls = np.zeros((n, t), np.int32)
        where = np.flatnonzero(seen)
        pooled = self._pool.vectors[:, columns]
        for controls in analogue.controls(
            vectors,
            clear[:, seen],
            pooled,
            self._pool.clear[:, columns],
            own,
            most=settings.controls,
            least=settings.min_controls,
        ):
            at, rows = where[controls.at], controls.rows
            expected, others = analogue.expected(controls, pooled)
            residual = np.linalg.norm(vectors[rows, controls.at] - expected, axis=1)
            apart = np.linalg.norm(others - expected[:, None], axis=2)
            valid = controls.weight > 0
            floor = 0.3 * calibrate.masked_median(apart, valid) + 1e-9
            z[rows, at] = calibrate.robust_z(residual, apart, valid, floor)
            p[rows, at] = calibrate.empirical_p(residual, apart, valid)
            n_controls[rows, at] = valid.sum(axis=1)
        return _rows(series, clear, by_own, z, p, n_controls, settings)


def scene_shift(
    vectors: NDArray[np.float32], clear: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(t, r) median of the patches (m, t, r) on each date: season, sun and haze of the scene.

    0 on dates on which fewer than `_MIN_SCENE` patches are clear.
    """
    shift = np.zeros(vectors.shape[1:], np.float32)
    for at in range(len(shift)):
        there = clear[:, at]
        if there.sum() >= _MIN_SCENE:
            shift[at] = np.median(vectors[there, at], axis=0)
    return shift


def _own_drift(
    series: Series, clear: NDArray[np.bool_], settings: Settings
) -> drift.OwnDrift:
    unit = drift.unit(np.where(clear[..., None], series.vectors, 0))
    cosines = unit @ unit.transpose(0, 2, 1)
    return drift.score(cosines, series.days, clear, settings)


def _own_z(
    by_own: drift.OwnDrift, settings: Settings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Z and p of drift against its own left-out scores; NaN where they are too few."""
    n, t = by_own.drift.shape
    flat = by_own.left_out.reshape(n * t, -1)
    valid = np.isfinite(flat)
    score_ = by_own.drift.reshape(-1)
    floor = 0.3 * calibrate.masked_median(np.nan_to_num(flat), valid) + 1e-6
    z = calibrate.robust_z(score_, np.nan_to_num(flat), valid, floor)
    p = calibrate.empirical_p(score_, flat, valid)
    few = valid.sum(axis=1) < settings.min_reference
    z[few] = np.nan
    p[few] = np.nan
    return z.reshape(n, t), p.reshape(n, t)


_KIND = np.array(["", "season", "recent"])


def _rows(
    series: Series,
    clear: NDArray[np.bool_],
    by_own: drift.OwnDrift,
    z: NDArray[np.float64],
    p: NDArray[np.float64],
    n_controls: NDArray[np.int32],
    settings: Settings,
) -> Scores:
    used = np.char.add(_KIND[by_own.kind], np.where(n_controls > 0, "+analogues", ""))
    reason = np.full(clear.shape, "", "U32")
    reason[clear & ~np.isfinite(z)] = "history too short"
    reason[clear & ~np.isfinite(by_own.drift)] = "no earlier observation"
    reason[~clear & np.isfinite(series.clear_percent)] = "not clear enough"
    return Scores(
        by_own.count,
        n_controls,
        used,
        by_own.drift,
        z.astype(np.float32),
        p.astype(np.float32),
        Lof().detect(series.days, series.vectors, clear),
        onset.cusum(z, settings.cusum_slack),
        reason,
    )


def _changes(
    series: Series,
    clear: NDArray[np.bool_],
    where: NDArray[np.int64],
    found: score.Candidates,
    scores: Scores,
) -> Changes:
    row, at = found.row, where[found.split]
    t = clear.shape[1]
    old = clear[row] & (np.arange(t) < at[:, None])
    new = clear[row] & (np.arange(t) >= at[:, None])
    last = t - 1 - old[:, ::-1].argmax(axis=1)
    times, before = series.times[row, at], series.times[row, last]
    vectors, indices = series.vectors[row], series.indices[row]
    known = np.isfinite(indices)
    changed = np.stack(
        [
            calibrate.masked_median(indices[..., k], new & known[..., k])
            - calibrate.masked_median(indices[..., k], old & known[..., k])
            for k in range(indices.shape[2])
        ],
        axis=1,
    )
    return Changes(
        row,
        times,
        before,
        times,
        ((times - before) / np.timedelta64(1, "D")).astype(np.float32),
        scores.n_reference[row, at],
        scores.n_controls[row, at],
        scores.reference[row, at],
        scores.drift[row, at],
        scores.z[row, at],
        scores.p_value[row, at],
        found.score,
        np.where(found.persistent, "persistent", "transient"),
        changed.astype(np.float32),
        calibrate.masked_median(vectors, old).astype(np.float32),
        calibrate.masked_median(vectors, new).astype(np.float32),
    )


def _nothing(series: Series) -> Block:
    """A block without a single clear observation anywhere in the archive."""
    n, t = series.clear_percent.shape
    null = np.full((n, t), np.nan, np.float32)
    zero = np.zeros((n, t), np.int32)
    seen = np.isfinite(series.clear_percent)
    scores = Scores(
        zero,
        zero,
        np.full((n, t), ""),
        null,
        null,
        null,
        null,
        null,
        np.where(seen, "not clear enough", ""),
    )
    none = np.zeros(0, np.int64)
    found = score.Candidates(none, none, np.zeros(0, np.float32), np.zeros(0, bool))
    changes = _changes(series, seen & False, none, found, scores)
    return Block(
        series.patch_ids,
        series.cells,
        series.times,
        series.clear_percent,
        scores,
        changes,
    )
