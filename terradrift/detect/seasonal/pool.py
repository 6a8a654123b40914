"""Which patches tell what a scene does: a bounded sample by a hash of their ids (pure)."""

import heapq
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.pool import priority
from terradrift.detect.seasonal.judge import Patches
from terradrift.detect.seasonal.settings import Settings

_Member = tuple[int, str, Patches]


def gather(
    blocks: Iterable[tuple[NDArray[np.str_], Patches]], settings: Settings
) -> Patches | None:
    """At most `settings.pool` patches of all blocks, over all days on which any was clear.

    Fewer where their histories would take more than `settings.pool_bytes`; neither the
    order of blocks nor where they are cut matters. None: nothing is clear.
    """
    kept: list[_Member] = []
    days: list[NDArray[np.datetime64]] = []
    for ids, patches in blocks:
        days.append(patches.days[patches.clear.any(axis=0)])
        found = sorted(
            (-priority(str(patch_id), settings.seed), str(patch_id), row)
            for row, patch_id in enumerate(ids)
            if patches.clear[row].any()
        )
        for first, patch_id, row in found[-settings.pool :]:
            if len(kept) == settings.pool and (first, patch_id) <= kept[0][:2]:
                continue
            member = (first, patch_id, _clear_part(patches, row))
            full = len(kept) == settings.pool
            (heapq.heappushpop if full else heapq.heappush)(kept, member)
    if not kept:
        return None
    every = np.unique(np.concatenate(days))
    d, itemsize = kept[0][2].vectors.shape[2], kept[0][2].vectors.itemsize
    # A member's vectors, and the cosines between them.
    each = len(every) * (d * itemsize + 4 * len(every))
    most = max(settings.min_scene, settings.pool_bytes // each)
    kept.sort(key=lambda member: member[:2], reverse=True)
    del kept[most:]
    kept.sort(key=lambda member: member[1], reverse=True)
    return _together(kept, every)


def _clear_part(patches: Patches, row: int) -> Patches:
    """The clear observations of one patch, as copies."""
    seen = np.flatnonzero(patches.clear[row])
    return Patches(
        patches.days[seen],
        patches.vectors[row : row + 1, seen],
        np.ones((1, len(seen)), bool),
        patches.scene[row : row + 1, seen],
    )


def _together(members: list[_Member], days: NDArray[np.datetime64]) -> Patches:
    """The members in order from the last; each is let go when it is in its place."""
    m, t = len(members), len(days)
    example = members[0][2].vectors
    vectors = np.zeros((m, t, example.shape[2]), example.dtype)
    clear = np.zeros((m, t), bool)
    scene = np.full((m, t), -1, np.int64)
    for row in range(m):
        own = members.pop()[2]
        at = np.searchsorted(days, own.days)
        vectors[row, at], scene[row, at] = own.vectors[0], own.scene[0]
        clear[row, at] = True
    return Patches(days, vectors, clear, scene)
