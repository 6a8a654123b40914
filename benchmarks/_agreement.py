"""How far scores, kinds and neighbours agree with those of a reference."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from terradrift.detect.block import Block
from terradrift.detect.kinds import Cluster
from terradrift.evaluate import intervals, measures
from terradrift.evaluate.bench.lines import Site

Rows = NDArray[np.float32]


def some(rows: Rows, most: int, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    return rows[random.permutation(len(rows))[:most]]


def agreement(
    found: NDArray[np.floating], reference: NDArray[np.floating]
) -> tuple[float, float]:
    """Rank correlation, and overlap of the highest 1 %."""
    both = np.isfinite(found) & np.isfinite(reference)
    found, reference = found[both], reference[both]
    top = max(10, len(found) // 100)
    shared = np.intersect1d(np.argsort(-found)[:top], np.argsort(-reference)[:top])
    return float(spearmanr(found, reference).statistic), len(shared) / top


class Truthful:
    """AP on the truth of a site, and differences of it."""

    def __init__(self, site: Site) -> None:
        assert site.truth is not None
        self.known, self.changed = site.truth.known, site.truth.changed
        cells = site.ground.cells
        side = intervals.default_side(cells, site.ground.patch_size)
        squares = measures.squares(cells, side)
        draws = intervals.Draws.of(squares, self.known, self.changed, repeats=200)
        self.weights = draws.times[draws.block[self.known]].T

    def quality(self, score: NDArray[np.floating]) -> tuple[float, float]:
        true, score = self.changed[self.known], score[self.known]
        return measures.average_precision(true, score), measures.roc_auc(true, score)

    def difference(
        self, score: NDArray[np.floating], reference: NDArray[np.floating]
    ) -> tuple[float, float]:
        true = self.changed[self.known]
        apart = [
            measures.average_precision(true, score[self.known], weight)
            - measures.average_precision(true, reference[self.known], weight)
            for weight in self.weights
        ]
        low, high = np.quantile(apart, [0.025, 0.975]) if apart else (np.nan, np.nan)
        return float(low), float(high)


def nearest(queries: Rows, rows: Rows, own: NDArray[np.int64], most: int) -> Any:
    """(q, most) rows nearest to each query by cosine, but for its own."""
    unit, asked = (
        part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
        for part in (rows, queries)
    )
    cosine = asked @ unit.T
    cosine[np.arange(len(own)), own] = -np.inf
    return np.argsort(-cosine, axis=1, kind="stable")[:, :most]


def recall(found: Any, reference: Any, k: int) -> float:
    if reference.shape[1] < k:
        return np.nan
    pairs = zip(found[:, :k], reference[:, :k], strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in pairs]))


def farther(rows: Rows, found: Any, reference: Any) -> float:
    """Mean cosine distance of the rows found for the leading ones, over that of the nearest."""
    wide = rows.astype(np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    ours, theirs = (
        np.mean([1 - (unit[at] @ unit[own]) for own, at in enumerate(part)])
        for part in (found, reference)
    )
    return float(ours / theirs)


class Changed:
    """The reference's changes: their kinds and neighbours in other storage."""

    def __init__(self, blocks: list[Block], site: Site, threads: int) -> None:
        self.threads = threads
        self.before, self.after = (
            np.concatenate([getattr(b.changes, part) for b in blocks])
            for part in ("before", "after")
        )
        starts = np.cumsum([0, *(len(b.patch_ids) for b in blocks)])
        row = np.concatenate(
            [start + b.changes.row for start, b in zip(starts, blocks, strict=False)]
        )
        # Ties between neighbours must not go to patches beside each other.
        order = np.random.default_rng(0).permutation(len(row))
        self.before, self.after, row = self.before[order], self.after[order], row[order]
        self.ids = np.array([f"{number:06}" for number in range(len(row))])
        assert site.truth is not None
        self.planted = site.truth.kind[row]
        self.kinds = self._kinds(self.before, self.after - self.before)
        self.near = self._near(self.after - self.before)

    def _kinds(self, before: Rows, delta: Rows) -> NDArray[np.int32]:
        return Cluster().cluster(self.ids, before, delta, threads=self.threads).kind

    def _near(self, delta: Rows) -> Any:
        own = np.arange(len(delta))
        return nearest(delta, delta, own, min(100, len(delta) // 3))

    def measured(self, code: Any) -> dict[str, float]:
        before, after = code(self.before), code(self.after)
        kinds, near = self._kinds(before, after - before), self._near(after - before)
        true = self.planted != ""
        several = len(np.unique(self.planted[true])) > 1
        return {
            "kinds": len(np.unique(kinds[kinds > 0])),
            "kinds ARI": self._against(kinds),
            "planted ARI": adjusted_rand_score(self.planted[true], kinds[true])
            if several
            else np.nan,
            "changes@10": recall(near, self.near, 10),
            "changes@100": recall(near, self.near, 100),
        }

    def _against(self, kinds: NDArray[np.int32]) -> float:
        if not self.kinds.any() and not kinds.any():
            return np.nan  # neither has a kind
        return float(adjusted_rand_score(self.kinds, kinds))

    def without_a_tenth(self) -> float:
        """ARI of kinds of nine tenths of the changes with those of all."""
        random, found = np.random.default_rng(0), []
        for _ in range(5):
            rows = np.sort(random.permutation(len(self.ids))[: len(self.ids) * 9 // 10])
            before = self.before[rows]
            delta = self.after[rows] - before
            kinds = Cluster().cluster(
                self.ids[rows], before, delta, threads=self.threads
            )
            found.append(adjusted_rand_score(self.kinds[rows], kinds.kind))
        return float(np.mean(found))
