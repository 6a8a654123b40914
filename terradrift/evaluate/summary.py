"""All measures of a method on patches of which the truth is known (pure)."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terradrift.evaluate import intervals, ranking
from terradrift.evaluate.dating import dating
from terradrift.evaluate.ground import Ground, Reported
from terradrift.evaluate.intervals import Draws
from terradrift.evaluate.measures import floor, squares
from terradrift.evaluate.method import Judged
from terradrift.evaluate.operating import alarms, at_recall, operating
from terradrift.evaluate.ranking import Ranking
from terradrift.evaluate.result import (
    Blocks,
    Curve,
    Evaluation,
    OneClass,
    Patches,
    Picture,
    Ranks,
)
from terradrift.evaluate.things import things
from terradrift.evaluate.truth import SLIVER, Objects, Truth

DAYS = (5, 15, 30, 60)
TOP = (10, 50, 100)
RECALLS = (0.5, 0.8, 0.9)
_FEW = 5
_RECALL = np.linspace(0, 1, 101)


def evaluate(
    truth: Truth,
    judged: Judged,
    ground: Ground,
    *,
    archive: str = "",
    method: str = "",
    score: str = "score",
    objects: Objects | None = None,
    reported: Reported | None = None,
    reports: bool = True,
    min_share: float = 0.5,
    block: int | None = None,
    days: Sequence[int] = DAYS,
    level: float = intervals.LEVEL,
    repeats: int = intervals.REPEATS,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> Evaluation:
    """Measure how well `judged` tells what changed, with intervals by blocks of ground.

    Args:
        truth: of n patches.
        judged: scores, onsets and reports of the same patches.
        ground: where the patches are, and how long they were seen.
        archive: a name for the page.
        method: likewise, of what judged.
        score: likewise, of what patches are ranked by.
        objects: labelled objects; blocks that share one are drawn together.
        reported: every change that is reported; None: one of each reported patch.
        reports: False for a method that only ranks; its onsets all count as given.
        min_share: share of a patch that an object fills to be represented by it.
        block: side of a block in metres; None: `intervals.default_side`.
        days: tolerances of onsets.
        level: of intervals.
        repeats: draws of blocks.
        seed: of the draws.
        notes: what else a reader must know.

    Raises:
        ValueError: no patch is known to have changed, arrays of unequal length, or a block
            smaller than a patch.
    """
    _check(truth, judged, ground, block)
    side = (
        intervals.default_side(ground.cells, ground.patch_size)
        if block is None
        else block // ground.patch_size
    )
    blocks = squares(ground.cells, side)
    inside = truth.known.copy()
    if objects is not None:
        held = objects.share > SLIVER
        blocks = intervals.joined(blocks, objects.object[held], objects.patch[held])
        inside[objects.patch] = True
    draws = Draws.of(
        blocks, inside, truth.changed, level=level, repeats=repeats, seed=seed
    )
    with_changes = int(draws.changed.sum())
    told = judged.reported if reports else ~np.isnat(judged.onset)
    if reports and reported is None:
        reported = Reported.of(judged.reported, judged.onset)
    dated, error = dating(
        truth, judged.onset, told, ground, draws, days=days, reported=reported
    )
    ranks = Ranking.of(truth.changed, judged.score, truth.known, draws)
    return Evaluation(
        archive=archive,
        method=method,
        score=score,
        patches=_patches(truth, judged, ground),
        blocks=Blocks(
            side * ground.patch_size, draws.count, with_changes, level, repeats
        ),
        ranking=_ranks(truth, ranks, truth.known),
        at_recall=at_recall(truth, judged.score, ground, ranks, RECALLS),
        reported=operating(truth, told, draws) if reports else None,
        false_alarms=alarms(truth, judged.score, ground, reported, level)
        if reported is not None
        else None,
        dating=dated,
        classes=_classes(truth, judged, told & reports, error, draws, reports=reports),
        objects=None
        if objects is None or reported is None
        else things(objects, reported, draws, days=days, min_share=min_share),
        notes=(*notes, *_said(draws, with_changes)),
        curve=Curve(_tuple(_RECALL), *map(_tuple, ranks.band(_RECALL))),
        picture=_picture(truth, judged, ground, error, told, reports=reports),
    )


def _check(truth: Truth, judged: Judged, ground: Ground, block: int | None) -> None:
    if not len(truth) == len(judged.score) == len(ground):
        raise ValueError(
            "truth, scores and ground must be of the same patches, got "
            f"{len(truth)}, {len(judged.score)} and {len(ground)}"
        )
    if not truth.changed.any():
        raise ValueError(
            "no patch is known to have changed: labels lie elsewhere, or fill too little "
            "of every patch; lower min share, or take any touch"
        )
    if block is not None and block < ground.patch_size:
        raise ValueError(
            f"a block must be at least one patch of {ground.patch_size} m, got {block} m"
        )


def _patches(truth: Truth, judged: Judged, ground: Ground) -> Patches:
    scored = np.isfinite(judged.score)
    silent = truth.known & ~scored
    reason = np.full(len(truth), "") if ground.reason is None else ground.reason
    counted = Counter(str(each) or "no reason given" for each in reason[silent])
    return Patches(
        all=len(truth),
        changed=int(truth.changed.sum()),
        unchanged=int(truth.controls.sum()),
        unknown=int((~truth.known).sum()),
        judged_changed=int((truth.changed & scored).sum()),
        judged_unchanged=int((truth.controls & scored).sum()),
        not_judged=dict(counted.most_common()),
    )


def _ranks(truth: Truth, ranks: Ranking, rows: NDArray[np.bool_]) -> Ranks:
    count, known = int((truth.changed & rows).sum()), int(rows.sum())
    tops = [k for k in sorted({*TOP, count}) if k <= known]
    precision, area, *highest = ranks.measures(
        [
            ranking.average_precision,
            ranking.roc_auc,
            *(ranking.precision_at(k) for k in tops),
        ]
    )
    return Ranks(
        average_precision=precision,
        floor=floor(truth.changed[rows]),
        roc_auc=area,
        precision_at=dict(zip(tops, highest, strict=True)),
    )


def _classes(
    truth: Truth,
    judged: Judged,
    told: NDArray[np.bool_],
    error: NDArray[np.float64],
    draws: Draws,
    *,
    reports: bool,
) -> tuple[OneClass, ...]:
    """Each class beside all that did not change; most patches first."""
    names = Counter(truth.kind[truth.changed].tolist())
    if not any(names):
        return ()
    found = []
    for name, count in names.most_common():
        own = truth.changed & (truth.kind == name)
        rows = own | truth.controls
        ranks = Ranking.of(own, judged.score, rows, draws)
        errors = np.where(own, error, np.nan)
        precision, area = ranks.measures([ranking.average_precision, ranking.roc_auc])
        found.append(
            OneClass(
                name=name,
                changed=count,
                floor=floor(own[rows]),
                average_precision=precision,
                roc_auc=area,
                recall=draws.share(told & own, own) if reports else None,
                found=int(np.isfinite(errors).sum()),
                days=draws.median(errors),
            )
        )
    return tuple(found)


def _said(draws: Draws, with_changes: int) -> tuple[str, ...]:
    if with_changes < 2:
        said = (
            "no intervals by block: they need labelled changes in at least 2 blocks of "
            f"ground, got {with_changes} of {draws.count}"
        )
        return (said,)
    if with_changes < _FEW:
        said = (
            f"changes lie in {with_changes} blocks of ground only: intervals are rough, "
            "and rather too narrow"
        )
        return (said,)
    return ()


def _picture(
    truth: Truth,
    judged: Judged,
    ground: Ground,
    error: NDArray[np.float64],
    told: NDArray[np.bool_],
    *,
    reports: bool,
) -> Picture:
    if not reports:
        # As many as changed: the point at which precision equals recall.
        score = np.where(truth.known, judged.score, np.nan)
        ranked = np.sort(score[np.isfinite(score)])[::-1]
        least = ranked[min(int(truth.changed.sum()), len(ranked)) - 1 :][:1]
        told = score >= least[0] if len(least) else np.zeros(len(score), bool)
    return Picture(
        corners=ground.corners,
        changed=truth.changed,
        unchanged=truth.controls,
        reported=told,
        judged=np.isfinite(judged.score),
        days=error[np.isfinite(error)],
    )


def _tuple(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(values.tolist())
