"""Detection over an archive: a bounded pool first, then block after block."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from terradrift.detect import describe, pool, whole
from terradrift.detect.block import Block, Scores
from terradrift.detect.calibration import Calibration
from terradrift.detect.settings import Settings
from terradrift.detect.world import World
from terradrift.series import Series
from terradrift.space import Space
from terradrift.threads import single_blas


def detect(
    blocks: Callable[[], Iterator[Series]],
    settings: Settings,
    *,
    threads: int,
    advance: Callable[[int], None],
    space: Space | None = None,
) -> Iterator[Block]:
    """Score every observation and find changes, in the order of `blocks`.

    `blocks()` is called three times: to fit components on a sample, to fill the pool, and
    to score. Memory is that of the pool and of `threads` + 1 blocks, however long the
    archive is. `advance` is called with the patches of each block when it is done. Cosines
    are taken in `space`, where one is given.
    """
    with single_blas():
        world = World.of(blocks, settings, space, threads)
        waiting: deque[Future[Block]] = deque()
        with ThreadPoolExecutor(threads) as workers:
            for series in blocks():
                waiting.append(workers.submit(_judge, world, series, settings))
                if len(waiting) > threads:
                    yield _done(waiting, advance)
            while waiting:
                yield _done(waiting, advance)


def _done(waiting: deque[Future[Block]], advance: Callable[[int], None]) -> Block:
    block = waiting.popleft().result()
    advance(len(block.patch_ids))
    return block


def _judge(world: World | None, series: Series, settings: Settings) -> Block:
    if world is None or not pool.usable(series, settings).any():
        return _abstain(series, settings)
    return world.judge(series)


def _abstain(series: Series, settings: Settings) -> Block:
    """A block in which nothing at all is clear."""
    shape = series.clear_percent.shape
    null = np.full(shape, np.nan, np.float32)
    zero = np.zeros(shape, np.int32)
    seen = np.isfinite(series.clear_percent)
    scores = Scores(
        n_reference=zero,
        n_controls=zero,
        reference=np.full(shape, ""),
        drift=null,
        z=null,
        p_value=null,
        lof=null,
        cusum=null,
        ewma=null,
        reason=np.where(seen, "not clear enough", ""),
    )
    n = len(series)
    clear = np.zeros(shape, bool)
    known = describe.Dates(clear, np.zeros(0, np.int64), window_days=0)
    nothing = whole.Judged(
        np.full(n, np.nan, np.float32),
        np.zeros(n, np.int64),
        np.full(n, "", "U10"),
        whole.Candidates.none(),
    )
    empty = describe.Calibrated(
        np.zeros(0), np.zeros(0), np.zeros((0, describe.CONTROLS), "U1")
    )
    return Block(
        series.patch_ids,
        series.cells,
        series.times,
        series.clear_percent,
        scores,
        describe.changes(series, known, nothing.found, scores, empty),
        describe.patches(
            series, known, nothing, Calibration(None, np.nan, settings), np.zeros(n)
        ),
    )
