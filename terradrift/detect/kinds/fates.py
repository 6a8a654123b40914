"""What became of kinds between two fits: kept, split, merged, born or gone.

Both fits are asked about the same changes. A new kind is *of* an old one where at least half
of its changes were of it; an old kind *went to* a new one where at least half of its changes
did (of these changes; those of no kind count as of none).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.kinds.fitted import NONE

_HALF = 0.5

KEPT, BORN, GONE = "kept", "born", "gone"
SPLIT, MERGED, REGROUPED = "split", "merged", "regrouped"
WHAT = (KEPT, SPLIT, MERGED, REGROUPED, BORN, GONE)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of some kinds."""

    what: str
    """`kept`, `split`, `merged`, `regrouped` (several to several), `born` or `gone`."""
    old: tuple[int, ...]
    """Numbers before; empty for one that was born."""
    new: tuple[int, ...]
    """Numbers now, the largest share first; empty for one that is gone."""
    n_old: int
    """Changes of the kinds before."""
    n_new: int
    n_shared: int
    """Changes of both."""

    def __str__(self) -> str:
        def named(numbers: tuple[int, ...]) -> str:
            return ", ".join(map(str, numbers))

        if self.what == BORN:
            return f"born: {named(self.new)} ({self.n_new:,} changes)"
        if self.what == GONE:
            return f"gone: {named(self.old)} ({self.n_old:,} changes)"
        return (
            f"{self.what}: {named(self.old)} ({self.n_old:,} changes) -> "
            f"{named(self.new)} ({self.n_new:,}), {self.n_shared:,} of both"
        )

    def to_dict(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)


def compare(old: NDArray[np.int32], new: NDArray[np.int32]) -> list[Fate]:
    """Compare two fits by the kinds that each gives to the same `n` changes.

    Every kind that has a change stands in exactly one fate on its side: a split or a merge
    takes all kinds that it joins. In order of the new numbers, those that are gone last.

    Args:
        old: (n,), numbers by the first fit, `NONE` of no kind.
        new: (n,), by the second.

    Raises:
        ValueError: arrays of unequal length.
    """
    if old.shape != new.shape:
        raise ValueError(
            f"expected two kinds of each change, got {len(old)} and {len(new)}"
        )
    before, rows = np.unique(old, return_inverse=True)
    after, cols = np.unique(new, return_inverse=True)
    table = np.zeros((len(before), len(after)), np.int64)
    np.add.at(table, (rows, cols), 1)
    sizes_old = dict(zip(before.tolist(), table.sum(axis=1).tolist(), strict=True))
    sizes_new = dict(zip(after.tolist(), table.sum(axis=0).tolist(), strict=True))
    real = table[before != NONE][:, after != NONE]
    olds, news = before[before != NONE].tolist(), after[after != NONE].tolist()
    # Edges between kinds that are mostly of, or mostly went to, one another.
    edges = [
        (a, b)
        for i, a in enumerate(olds)
        for j, b in enumerate(news)
        if real[i, j] >= _HALF * min(sizes_old[a], sizes_new[b])
    ]
    shared = {
        (a, b): int(real[i, j]) for i, a in enumerate(olds) for j, b in enumerate(news)
    }
    fates = []
    for group_old, group_new in _joined(olds, news, edges):
        both = sum(shared[a, b] for a in group_old for b in group_new)
        ranked = sorted(
            group_new, key=lambda b: (-sum(shared[a, b] for a in group_old), b)
        )
        fates.append(
            Fate(
                _what(len(group_old), len(group_new)),
                tuple(group_old),
                tuple(ranked),
                sum(sizes_old[a] for a in group_old),
                sum(sizes_new[b] for b in group_new),
                both,
            )
        )
    return sorted(fates, key=lambda fate: (not fate.new, fate.new, fate.old))


def _what(old: int, new: int) -> str:
    if not old or not new:
        return GONE if old else BORN
    if old == 1:
        return KEPT if new == 1 else SPLIT
    return MERGED if new == 1 else REGROUPED


def _joined(
    olds: Sequence[int], news: Sequence[int], edges: Sequence[tuple[int, int]]
) -> list[tuple[list[int], list[int]]]:
    """Groups of kinds that edges connect, in order of number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(olds) + len(news)
    if n == 0:
        return []
    at_old, at_new = ({b: i for i, b in enumerate(side)} for side in (olds, news))
    links = coo_array(
        (
            np.ones(len(edges)),
            (
                [at_old[a] for a, _ in edges],
                [len(olds) + at_new[b] for _, b in edges],
            ),
        ),
        shape=(n, n),
    )
    count, group = connected_components(links, directed=False)
    found: list[tuple[list[int], list[int]]] = [([], []) for _ in range(count)]
    for i, number in enumerate(olds):
        found[group[i]][0].append(number)
    for j, number in enumerate(news):
        found[group[len(olds) + j]][1].append(number)
    return found


def numbers(
    fates: Sequence[Fate],
    old: NDArray[np.int32],
    new: NDArray[np.int32],
    every: Sequence[int],
    *,
    free: int,
) -> dict[int, int]:
    """New numbers to lasting ones: a kind keeps its number as long as it lives.

    Of each group of kinds that were kept, split or merged, the pairs that share most go on
    under the old number, each once; all others get numbers that were never used.

    Args:
        fates: of `compare(old, new)`.
        old: (n,), numbers by the first fit.
        new: (n,), numbers by the second, before they are made lasting.
        every: all numbers of the second fit, in order, with those without a change.
        free: the first number that was never used.
    """
    pairs, counts = np.unique(np.stack([old, new], axis=1), axis=0, return_counts=True)
    group_old = {a: i for i, fate in enumerate(fates) for a in fate.old}
    group_new = {b: i for i, fate in enumerate(fates) for b in fate.new}
    ranked = sorted(
        zip(counts.tolist(), pairs.tolist(), strict=True),
        key=lambda each: (-each[0], each[1]),
    )
    lasting: dict[int, int] = {}
    taken: set[int] = set()
    for _, (a, b) in ranked:
        same = a in group_old and group_old[a] == group_new.get(b)
        if same and b not in lasting and a not in taken:
            lasting[b] = a
            taken.add(a)
    for number in every:
        if number not in lasting:
            lasting[number] = free
            free += 1
    return lasting


def renumbered(fates: Sequence[Fate], to: Mapping[int, int]) -> list[Fate]:
    """The fates with lasting numbers of the second fit."""
    return [
        Fate(f.what, f.old, tuple(to[b] for b in f.new), f.n_old, f.n_new, f.n_shared)
        for f in fates
    ]
