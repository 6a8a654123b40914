"""What is told to a user at the method's own thresholds, and where nothing changed (pure)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terradrift.evaluate.ground import Ground, Reported
from terradrift.evaluate.intervals import Draws, poisson
from terradrift.evaluate.measures import Interval
from terradrift.evaluate.ranking import OfDraws, Ranking, precision_at_recall
from terradrift.evaluate.result import Alarms, AtRecall, Operating
from terradrift.evaluate.truth import Truth

_PER = 1000.0
"""km2"""


def operating(truth: Truth, told: NDArray[np.bool_], draws: Draws) -> Operating:
    """Plain precision, recall and F1 of the patches (n,) that are reported."""
    known = told & truth.known
    right = told & truth.changed
    both = known.astype(np.float64) + truth.changed
    return Operating(
        reported=int(known.sum()),
        right=int(right.sum()),
        reported_unknown=int((told & ~truth.known).sum()),
        precision=draws.share(right, known),
        recall=draws.share(right, truth.changed),
        f1=draws.share(2.0 * right, both),
    )


def exposure(
    truth: Truth, score: NDArray[np.floating], ground: Ground
) -> tuple[NDArray[np.bool_], float]:
    """Unchanged patches (n,) that are judged, and their area times years in km2 years.

    What is not judged can raise no alarm, so its ground does not dilute the rate.
    """
    judged = truth.controls & np.isfinite(score)
    return judged, float(ground.years[judged].sum() * ground.km2)


def alarms(
    truth: Truth,
    score: NDArray[np.floating],
    ground: Ground,
    reported: Reported,
    level: float,
) -> Alarms | None:
    """Changes and events on unchanged patches; None where there is no such ground."""
    judged, km2_years = exposure(truth, score, ground)
    if not km2_years > 0:
        return None
    wrong = judged[reported.patch]
    ranks = np.unique(reported.rank[reported.rank > 0])
    events = None
    if len(ranks):
        events = len(np.setdiff1d(ranks, reported.rank[~wrong]))
    changes = int(wrong.sum())
    return Alarms(
        changes=changes,
        events=events,
        km2_years=km2_years,
        changes_rate=poisson(changes, km2_years / _PER, level),
        events_rate=None
        if events is None
        else poisson(events, km2_years / _PER, level),
    )


def at_recall(
    truth: Truth,
    score: NDArray[np.floating],
    ground: Ground,
    ranking: Ranking,
    recalls: Sequence[float],
) -> tuple[AtRecall, ...]:
    """Precision and false alarms at the score that finds so much of what changed.

    A recall that judged patches do not reach is left out.
    """
    judged, km2_years = exposure(truth, score, ground)
    own = np.sort(score[truth.changed & np.isfinite(score)])[::-1]
    count = int(truth.changed.sum())
    wanted = [max(int(np.ceil(recall * count - 1e-9)), 1) for recall in recalls]
    reached = [at for at, least in enumerate(wanted) if least <= len(own)]
    precision = ranking.measures([_first(recalls[at]) for at in reached])
    found = []
    for at, share in zip(reached, precision, strict=True):
        least = float(own[wanted[at] - 1])
        wrong = int((score[judged] >= least).sum())
        rate = Interval(np.nan, np.nan, np.nan)
        if km2_years > 0:
            rate = poisson(wrong, km2_years / _PER, ranking.draws.level)
        found.append(AtRecall(recalls[at], least, share, rate))
    return tuple(found)


def _first(recall: float) -> OfDraws:
    many = precision_at_recall(np.array([recall]))
    return lambda hits, rest: many(hits, rest)[0]
