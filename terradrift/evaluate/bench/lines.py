"""Methods compared on the same patches: what each finds, and what it costs (pure)."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.block import Block
from terradrift.evaluate.bench.result import (
    ALPHAS,
    RECALL,
    Alarms,
    Calibrated,
    Dated,
    Line,
)
from terradrift.evaluate.dating import error_days
from terradrift.evaluate.ground import Acquisitions, Ground
from terradrift.evaluate.intervals import LEVEL, poisson
from terradrift.evaluate.measures import Interval
from terradrift.evaluate.method import Judged, Method
from terradrift.evaluate.methods import Scored, WholeDetection
from terradrift.evaluate.ranked import reads
from terradrift.evaluate.stored import Stored
from terradrift.evaluate.summary import evaluate
from terradrift.evaluate.truth import Objects, Truth
from terradrift.series import Series

_Done = dict[tuple[WholeDetection, int], tuple[list[Block], float]]
"""Blocks, and CPU seconds, of a detection on the series of that `id`."""
_DAYS_A_YEAR = 365.25
_PER = 1000.0
"""km2"""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Site:
    """The patches of one archive under one model, and what is known of them."""

    model: str
    series: Sequence[Series]
    ground: Ground
    """Of the patches of `series`, in their order."""
    truth: Truth | None = None
    """None: nothing changed, all are controls."""
    objects: Objects | None = None


def lines(
    methods: Sequence[Method], site: Site, control: Site | None = None
) -> Iterator[Line]:
    """Let each method judge a site, and measure how well.

    What several methods take from one whole detection is computed once, and its time is
    told of each.

    Args:
        methods: all read the vectors of `site`.
        site: with or without truth.
        control: a site where nothing changed, of the same sensor and model, on which the
            threshold that finds half of what changed in `site` is tried.
    """
    done: _Done = {}
    for method in methods:
        yield _line(method, site, control, done)


def _line(method: Method, site: Site, control: Site | None, done: _Done) -> Line:
    judged, blocks, cpu_s = _timed(method, site.series, done)
    reports = bool(getattr(method, "reports", False))
    true = site.truth
    unchanged = np.ones(len(judged.score), bool) if true is None else true.controls
    own = (
        alarms(judged.score, judged.reported, unchanged, site.ground)
        if reports
        else None
    )
    found = dated = on_control = None
    if true is not None:
        found = evaluate(
            true,
            judged,
            site.ground,
            method=method.name,
            objects=site.objects,
            reports=reports,
        )
        least = threshold(true.changed, judged.score)
        dated = _dated(true, judged, least)
        elsewhere = method.control if isinstance(method, Stored) else method
        if control is not None and elsewhere is not None and np.isfinite(least):
            other, _, _ = _timed(elsewhere, control.series, done)
            everywhere = np.ones(len(other.score), bool)
            passed = other.score >= least
            on_control = alarms(other.score, passed, everywhere, control.ground)
    return Line(
        model="" if reads(method) == "indices" else site.model,
        detector=method.name,
        how=repr(method),
        cpu_s=cpu_s,
        judged=float(np.isfinite(judged.score).mean()) if len(judged.score) else np.nan,
        evaluation=found,
        dated=dated,
        control=on_control,
        reported=own,
        calibrated=_calibrated(blocks) if true is None and blocks else None,
    )


def _timed(
    method: Method, series: Sequence[Series], done: _Done
) -> tuple[Judged, list[Block], float]:
    """What a method says, what the whole detection said if it asked that, and CPU seconds."""
    start = time.process_time()
    if isinstance(method, Stored):
        return method.judge(series), [], np.nan
    if not isinstance(method, WholeDetection | Scored):
        return method.judge(series), [], time.process_time() - start
    whole = method.detection if isinstance(method, Scored) else method
    key = (whole, id(series))
    if key not in done:
        blocks = whole.blocks(series)
        done[key] = blocks, time.process_time() - start
    blocks, spent = done[key]
    if isinstance(method, Scored):
        return method.judged(series, blocks), [], spent
    return method.judged(blocks), blocks, spent


def threshold(
    changed: NDArray[np.bool_], score: NDArray[np.floating], recall: float = RECALL
) -> float:
    """The highest score that `recall` of the changed patches (n,) have; NaN if too few do."""
    own = np.sort(score[changed & np.isfinite(score)])[::-1]
    wanted = max(int(np.ceil(recall * changed.sum() - 1e-9)), 1)
    return float(own[wanted - 1]) if wanted <= len(own) else float("nan")


def alarms(
    score: NDArray[np.floating],
    passed: NDArray[np.bool_],
    unchanged: NDArray[np.bool_],
    ground: Ground,
) -> Alarms:
    """Count the unchanged and judged patches (n,) that passed."""
    judged = unchanged & np.isfinite(score)
    count = int((passed & judged).sum())
    km2_years = float(ground.years[judged].sum() * ground.km2)
    rate = (
        poisson(count, km2_years / _PER, LEVEL)
        if km2_years > 0
        else Interval(np.nan, np.nan, np.nan)
    )
    return Alarms(count, int(judged.sum()), rate)


def _dated(true: Truth, judged: Judged, least: float) -> Dated | None:
    """None where no changed patch has a date, or the threshold is not reached."""
    dated = true.changed & ~np.isnat(true.onset)
    if not dated.any() or not np.isfinite(least):
        return None
    rows = dated & (judged.score >= least) & ~np.isnat(judged.onset)
    if not rows.any():
        return None
    error = error_days(judged.onset[rows], true.onset[rows], true.last[rows])
    return Dated(
        int(rows.sum()), float(np.median(np.abs(error))), float(np.median(error))
    )


def _calibrated(blocks: Sequence[Block]) -> Calibrated:
    def shares(values: NDArray[np.floating]) -> tuple[float, ...]:
        known = values[np.isfinite(values)]
        if len(known) == 0:
            return tuple(np.nan for _ in ALPHAS)
        return tuple(float((known <= alpha).mean()) for alpha in ALPHAS)

    return Calibrated(
        shares(np.concatenate([block.scores.p_value.ravel() for block in blocks])),
        shares(np.concatenate([block.patches.p_value for block in blocks])),
    )


def ground_of(series: Sequence[Series], patch_size: int, min_clear: float) -> Ground:
    """Where the patches of the blocks are, and how long they were clear.

    Args:
        series: blocks of patches.
        patch_size: metres.
        min_clear: percent; observations less clear do not count.
    """
    years, rows, days = [], [], []
    start = 0
    for part in series:
        clear = np.nan_to_num(part.clear_percent) >= min_clear
        some = clear.any(axis=1)
        first = part.days[clear.argmax(axis=1)]
        last = part.days[clear.shape[1] - 1 - clear[:, ::-1].argmax(axis=1)]
        span = (last - first) / np.timedelta64(1, "D") / _DAYS_A_YEAR
        years.append(np.where(some, span, 0.0))
        row, at = np.nonzero(clear)
        rows.append(row + start)
        days.append(part.days[at])
        start += len(part)
    return Ground(
        cells=np.concatenate([part.cells for part in series]),
        patch_size=patch_size,
        years=np.concatenate(years),
        clear=Acquisitions.of(start, np.concatenate(rows), np.concatenate(days)),
    )
