"""Measures of a ranking, for all draws of blocks at once (pure).

A draw repeats whole blocks, so it only changes the weights of a ranking that is sorted
once. What is not true between two true ones never stands alone in a measure, and is one
group: the cost grows with the number of changed patches, not with that of all patches.
Values are those of `measures`; a test compares them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from terradrift.evaluate.intervals import Draws
from terradrift.evaluate.measures import Interval

Values = NDArray[np.float64]
OfDraws = Callable[[Values, Values], Values]
"""True and other weight (g, r) at or above each group, to one value (r,) per draw."""

_CELLS = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Patches in groups of falling score."""

    hits: csr_array
    """(g, b), true ones of each group in each block."""
    rest: csr_array
    """(g, b), the others."""
    draws: Draws

    @classmethod
    def of(
        cls,
        truth: NDArray[np.bool_],
        scores: NDArray[np.floating],
        rows: NDArray[np.bool_],
        draws: Draws,
    ) -> "Ranking":
        """Rank `rows` (n,) of the patches; scores (n,) that are NaN are last."""
        chosen = np.flatnonzero(rows)
        ranked = np.where(np.isnan(scores[chosen]), -np.inf, scores[chosen])
        chosen = chosen[np.argsort(-ranked, kind="stable")]
        ranked = np.where(np.isnan(scores[chosen]), -np.inf, scores[chosen])
        true, block = truth[chosen], draws.block[chosen]
        step = np.cumsum(np.r_[False, ranked[1:] != ranked[:-1]][: len(ranked)])
        some = np.bincount(step, true) > 0
        group = np.cumsum(np.r_[False, some[1:] | some[:-1]][: len(some)])[step]
        shape = (int(group.max(initial=-1)) + 1, draws.count)
        hits, rest = (
            csr_array((np.ones(part.sum()), (group[part], block[part])), shape=shape)
            for part in (true, ~true)
        )
        return cls(hits, rest, draws)

    def measure(self, of: OfDraws) -> Interval:
        """A measure of the whole ranking, and where it lies in the draws."""
        return self.measures([of])[0]

    def measures(self, of: Sequence[OfDraws]) -> list[Interval]:
        """Several measures, for which every draw is made once."""
        whole = self._above(np.ones((self.draws.count, 1)))
        drawn: list[list[Values]] = [[np.zeros(0)] for _ in of]
        for part in self._drawn():
            for values, each in zip(drawn, of, strict=True):
                values.append(each(*part))
        return [
            self.draws.interval(float(each(*whole)[0]), np.concatenate(values))
            for each, values in zip(of, drawn, strict=True)
        ]

    def band(self, recall: Values) -> tuple[Values, Values, Values]:
        """Precision at levels of recall (k,): of the whole, and the band of the draws."""
        whole = precision_at_recall(recall)(
            *self._above(np.ones((self.draws.count, 1)))
        )
        drawn = [precision_at_recall(recall)(*part) for part in self._drawn()]
        if not drawn:
            nothing = np.full(len(recall), np.nan)
            return whole[:, 0], nothing, nothing
        tail = (1 - self.draws.level) / 2
        low, high = np.nanquantile(np.hstack(drawn), [tail, 1 - tail], axis=1)
        return whole[:, 0], low, high

    def steps(self) -> tuple[Values, Values]:
        """(g,) number of true ones, and of others, at or above each group."""
        hits, rest = self._above(np.ones((self.draws.count, 1)))
        return hits[:, 0], rest[:, 0]

    def _above(self, times: Values) -> tuple[Values, Values]:
        return (
            np.cumsum(self.hits @ times, axis=0),
            np.cumsum(self.rest @ times, axis=0),
        )

    def _drawn(self) -> Iterator[tuple[Values, Values]]:
        """The draws, so many at a time that they fit in memory."""
        columns = max(1, _CELLS // max(self.hits.shape[0], 1))
        times = self.draws.times
        for start in range(0, times.shape[1], columns):
            yield self._above(times[:, start : start + columns])


def average_precision(hits: Values, rest: Values) -> Values:
    """(r,) as `measures.average_precision`."""
    seen = hits + rest
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    gained = np.diff(hits, axis=0, prepend=0)
    return _over((gained * precision).sum(axis=0), hits[-1])


def roc_auc(hits: Values, rest: Values) -> Values:
    """(r,) as `measures.roc_auc`."""
    middle = hits - np.diff(hits, axis=0, prepend=0) / 2
    area = (np.diff(rest, axis=0, prepend=0) * middle).sum(axis=0)
    return _over(area, hits[-1] * rest[-1])


def precision_at(k: int) -> OfDraws:
    """As `measures.precision_at`; NaN for a draw of fewer than `k` patches."""

    def of(hits: Values, rest: Values) -> Values:
        return np.array(
            [
                _interpolated(k, first + second, first) / k
                if first[-1] + second[-1] >= k
                else np.nan
                for first, second in zip(hits.T, rest.T, strict=True)
            ]
        )

    return of


def precision_at_recall(recall: Values) -> OfDraws:
    """Precision (k, r) where so much (k,) of what is true is at or above the score."""

    def of(hits: Values, rest: Values) -> Values:
        found = np.full((len(recall), hits.shape[1]), np.nan)
        for draw, (first, second) in enumerate(zip(hits.T, rest.T, strict=True)):
            if first[-1] > 0:
                wanted = np.maximum(recall * first[-1], 1)
                at = np.searchsorted(first, wanted - 1e-9)
                found[:, draw] = first[at] / (first[at] + second[at])
        return found

    return of


def _interpolated(k: int, seen: Values, hits: Values) -> float:
    """True ones among `k`, expected over orders of equal scores."""
    return float(np.interp(k, np.r_[0.0, seen], np.r_[0.0, hits]))


def _over(part: Values, whole: Values) -> Values:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
