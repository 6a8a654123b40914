"""`taxonomy --refine`: a space learned from the regimes of a sample, kept under a number."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive.taxonomy.paths import Histories, rows_of
from terradrift.detect.taxonomy.observed import Observed, observed
from terradrift.detect.taxonomy.paths import Paths
from terradrift.detect.taxonomy.refine import Refined, Refinement, refine
from terradrift.detect.taxonomy.settings import Settings
from terradrift.detect.taxonomy.tree import Taxonomy
from terradrift.errors import ArchiveError
from terradrift.evaluate.taxonomy.stability import repeated
from terradrift.space import LEARNED, Space
from terradrift.store import spaces

_REPEATED = 4096
"""Patches on which regimes are found again for their stability."""
_BYTES = 256 << 20
"""Of vectors as they are stored, that triplets are drawn from."""


def learn(
    histories: Histories,
    ids: NDArray[np.str_],
    labels: NDArray[np.integer],
    *,
    days: int,
    seed: int,
) -> Refined:
    """Learn a space from regimes, and keep it; what vectors are compared in stays.

    Args:
        histories: what of the archive takes part.
        ids: (n,), patches whose regimes are known.
        labels: (n,), their leaves; below 0: in none.
        days: of the archive that any patch was clear on.
        seed: of triplets.

    Raises:
        ArchiveError: there are not two regimes of enough patches that are seen together.
    """
    store, model = histories.store, histories.model
    seen = _observed(histories, ids[labels >= 0], days)
    label = dict(zip(ids.tolist(), labels.tolist(), strict=True))
    own = np.array([label[patch_id] for patch_id in seen.patch_ids.tolist()])
    version = spaces.next_version(store, model, LEARNED)
    try:
        found = refine(
            seen.vectors, seen.clear, own, Refinement(seed=seed), version=version
        )
    except ValueError as error:
        raise ArchiveError(
            f"no space can be learned from these regimes: {error}; ask for other --regimes "
            "or --paths, or leave --refine out"
        ) from error
    last = _known(spaces.current(store, model), seen.days.max())
    found = replace(found, space=replace(found.space, last_day=last))
    spaces.keep(store, model, found.space)
    return found


def _known(space: Space | None, last: np.datetime64) -> np.datetime64 | None:
    """The last day that a space knows which was learned from days up to `last` in another."""
    if space is None:
        return last
    return None if space.last_day is None else max(last, space.last_day)


def told(found: Refined) -> str:
    """What the learned space gained, on series that it was not learned from."""
    if found.epoch == 0:
        return (
            f"{found.space.label} gained nothing on held-out patches: it is principal "
            "components"
        )
    return (
        f"regimes found anew in {found.space.label}: of held-out triplets "
        f"{found.error_before:.0%} were wrong before, {found.error_after:.0%} after; "
        f"effective directions {found.rank_before:.1f} before, {found.rank_after:.1f} after"
    )


def steadiness(sample: Paths, found: Taxonomy, settings: Settings, threads: int) -> str:
    """How far the regimes depend on chance and dates, in words."""
    at = np.linspace(0, len(sample) - 1, min(len(sample), _REPEATED)).astype(np.int64)
    some = sample.of(np.unique(at))
    try:
        return str(repeated(some, found.calendar, settings, threads=threads))
    except ValueError as error:
        return f"stability is not known: {error}"


def _observed(histories: Histories, ids: NDArray[np.str_], days: int) -> Observed:
    """The vectors of these patches as they are stored; of many only what memory allows."""
    table = f"embeddings_{schema.suffix(histories.model)}"
    width = histories.store.dataset(table).schema.field("embedding").type.list_size
    wanted, most = np.sort(ids), max(64, _BYTES // (2 * days * width))
    if len(wanted) > most:  # evenly, so that a part of them is a sample of all ground
        at = np.linspace(0, len(wanted) - 1, most).astype(np.int64)
        wanted = wanted[np.unique(at)]
    parts = []
    for block, clear in histories.blocks():
        rows = np.flatnonzero(np.isin(block.patch_ids, wanted))
        if len(rows):
            inside = clear[rows] & histories.inside(block.days)
            parts.append((rows_of(block, rows), inside))
    return observed(parts)
