"""All changes of a history, where its strongest candidate is one (pure).

The strongest candidate cuts the history into windows. Each window is broken further by
penalised least squares (`changepoints.segment`, exact), where a break must gain as much as
a step of `min_strength` would, measured by the scatter that the strongest candidate
leaves. The best single break of a piecewise constant history is one of its true ones
(Vostrikova 1981), so cutting there first loses nothing. A further break is scored like a
whole history, between the breaks beside it, and kept where that is as unlikely as the
limit says. Two neighbouring breaks, of which the second comes back to less than half the
way of the first, are one change that came and went.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import changepoints, score
from terradrift.detect.score import Histories, Strongest

_NEAR = 0.5
"""A state is back where less than this share of the way is left."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """`m` changes, in order of patch and time."""

    row: NDArray[np.int64]
    """(m,), patch."""
    begin: NDArray[np.int64]
    """(m,), first date number of the state before; 0 where that is the first."""
    first: NDArray[np.int64]
    """(m,), first clear date of the new state, as the break stands."""
    end: NDArray[np.int64]
    """(m,), first date number after the new state, t where it lasts to the end."""
    back: NDArray[np.bool_]
    """(m,), whether the old state came back then."""
    score: NDArray[np.float32]
    """(m,), that of the strongest candidate is the highest."""
    strongest: NDArray[np.bool_]
    """(m,), whether it is the strongest candidate."""


@dataclass(slots=True)
class _Break:
    first: int
    score: float
    end: int = -1
    """Where it was known from the start to come back."""
    strongest: bool = False


def several(
    patches: Histories,
    top: Strongest,
    likely: Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.bool_]],
    *,
    least: int,
    strength: float,
    alone: NDArray[np.bool_],
) -> Found:
    """All changes of patches (n,) whose strongest candidates `top` are changes.

    `likely(score, row)` says which scores of which patches are enough; patches `alone` (n,)
    have no further ones, as steps along a ramp are not.
    """
    n, t = patches.clear.shape
    row, first = _breaks(patches, top, least, strength)
    # By the strongest candidate a patch is judged: no other change may stand above it.
    most = np.nextafter(top.score, np.float32(0))[row]
    scores = np.minimum(_between(patches, top, row, first, least), most)
    kept = [[_Break(*each, strongest=True)] for each in _strongest(top)]
    for at in np.flatnonzero(likely(scores, row) & ~alone[row]):
        kept[row[at]].append(_Break(int(first[at]), float(scores[at])))
    rows: list[tuple[int, int, int, int, bool, float, bool]] = []
    for patch in range(n):
        chain = sorted(kept[patch], key=lambda each: each.first)
        rows += [(patch, *each) for each in _paired(patches, patch, chain, t)]
    place = np.array([each[:4] for each in rows], np.int64).reshape(-1, 4)
    return Found(
        place[:, 0],
        place[:, 1],
        place[:, 2],
        place[:, 3],
        np.array([each[4] for each in rows], bool),
        np.array([each[5] for each in rows], np.float32),
        np.array([each[6] for each in rows], bool),
    )


def _breaks(
    patches: Histories, top: Strongest, least: int, strength: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Patch and place of the breaks inside the windows that the candidates leave."""
    n, t = patches.clear.shape
    edges = np.stack([np.zeros(n, np.int64), top.first, top.end, np.full(n, t)], axis=1)
    rest, count = np.zeros(n), np.zeros(n)
    for part in range(3):
        window = patches.within(edges[:, part], edges[:, part + 1])
        rest += _scatter(window)
        count += window.clear.sum(axis=1)
    noise = rest / np.maximum(count - np.where(top.lasts, 2, 3), 1)
    rows, firsts = [], []
    for part in range(3):
        window = patches.within(edges[:, part], edges[:, part + 1])
        some = np.flatnonzero(window.clear.sum(axis=1) >= 2 * least)
        found = changepoints.segment(
            window.vectors[some], window.clear[some], strength**2 * noise[some], least
        )
        rows.append(some[found.row])
        firsts.append(found.first)
    return np.concatenate(rows), np.concatenate(firsts)


def _scatter(patches: Histories) -> NDArray[np.float64]:
    """(n,) sum of squared distances to the mean of the clear dates."""
    seen = patches.clear[..., None]
    count = np.maximum(patches.clear.sum(axis=1), 1)[:, None]
    mean = np.where(seen, patches.vectors, 0.0).sum(axis=1) / count
    apart = np.where(seen, patches.vectors - mean[:, None], 0.0)
    total: NDArray[np.float64] = np.einsum("ntr,ntr->n", apart, apart)
    return total


def _strongest(top: Strongest) -> Iterator[tuple[int, float, int]]:
    """Place, score and, where it came back, end of each strongest candidate."""
    for first, score_, end, lasts in zip(
        top.first.tolist(),
        top.score.tolist(),
        top.end.tolist(),
        top.lasts.tolist(),
        strict=True,
    ):
        yield first, score_, -1 if lasts else end


def _between(
    patches: Histories,
    top: Strongest,
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    least: int,
) -> NDArray[np.float64]:
    """(b,) score of each further break, between the breaks beside it."""
    if len(row) == 0:
        return np.zeros(0)
    n, t = patches.clear.shape
    edge = np.zeros((n, t + 1), bool)
    edge[:, [0, t]] = True
    each = np.arange(n)
    edge[each, top.first] = edge[each, top.end] = edge[row, first] = True
    at = np.arange(t + 1)
    before = edge[row] & (at < first[:, None])
    after = edge[row] & (at > first[:, None])
    begin = t - before[:, ::-1].argmax(axis=1)
    inside = patches.take(row).within(begin, after.argmax(axis=1))
    return score.at_split(inside, first, least)


def _paired(
    patches: Histories, patch: int, chain: list[_Break], t: int
) -> list[tuple[int, int, int, bool, float, bool]]:
    """Begin, first, end, whether it came back, score and rank of the changes of a patch."""
    edges = sorted(
        {
            0,
            t,
            *(each.first for each in chain),
            *(each.end for each in chain if each.end >= 0),
        }
    )
    mean = {
        begin: patches.vectors[patch, begin:end][patches.clear[patch, begin:end]].mean(
            axis=0
        )
        for begin, end in pairwise(edges)
    }
    out: list[tuple[int, int, int, bool, float, bool]] = []
    taken: set[int] = set()
    for at, each in enumerate(chain):
        if each.first in taken:
            continue
        place = edges.index(each.first)
        begin, end = edges[place - 1], edges[place + 1]
        back = each.end == end
        follower = chain[at + 1] if at + 1 < len(chain) else None
        if (
            not back
            and follower is not None
            and not follower.strongest
            and follower.first == end
        ):
            gone = np.linalg.norm(mean[each.first] - mean[begin])
            left = np.linalg.norm(mean[end] - mean[begin])
            back = bool(left < _NEAR * gone)
            if back:
                taken.add(end)
        out.append((begin, each.first, end, back, each.score, each.strongest))
    return out
