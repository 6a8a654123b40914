"""Detection over an archive: a bounded pool first, then block after block."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from terradrift.detect import describe, pool, score, whole
from terradrift.detect.block import Block, Scores
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
        world = World.of(blocks, settings, space)
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
        return _abstain(series)
    return world.judge(series)


def _abstain(series: Series) -> Block:
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
        reason=np.where(seen, "not clear enough", ""),
    )
    none = np.zeros(0, np.int64)
    no = np.zeros(0, bool)
    nothing = score.Candidates(none, none, none, np.zeros(0, np.float32), no, no)
    clear = np.zeros(shape, bool)
    changes = describe.changes(
        series, describe.Dates(clear, none, window_days=0), nothing, scores
    )
    return Block(
        series.patch_ids,
        series.cells,
        series.times,
        series.clear_percent,
        scores,
        changes,
        whole.patches(
            series, describe.Dates(clear, none, window_days=0), nothing, None, 0
        ),
    )
