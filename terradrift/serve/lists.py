"""Pages of changes and of events, in a fixed order, and counts of them."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from terradrift.serve import figures
from terradrift.serve.change.plain import row as plain
from terradrift.serve.change.rows import Rows
from terradrift.serve.columns import changes as change_columns
from terradrift.serve.columns import events as event_columns
from terradrift.serve.columns.changes import UNKNOWN_DAY
from terradrift.serve.filters import Filters, mask
from terradrift.serve.held import Generation, Held

Row: TypeAlias = dict[str, Any]
Page: TypeAlias = dict[str, Any]
ChangeSort: TypeAlias = Literal["score", "onset"]
EventSort: TypeAlias = Literal["rank", "start", "area", "score"]

CHANGE = (
    "change_id",
    "patch_id",
    "event_id",
    "onset",
    "onset_early",
    "onset_late",
    "ended",
    "score",
    "z",
    "p_value",
    "q_value",
    "false_alarms",
    "persistence",
    "kind",
    "d_ndvi",
    "d_nbr",
    "d_ndwi",
    "longitude",
    "latitude",
    "bbox",
)
"""Columns of a change in a list."""
SURE = ("change_id", "p_value", "q_value", "false_alarms")
"""Columns of an event's strongest change in a list."""
EVENT = (
    "event_id",
    "rank",
    "start",
    "peak",
    "end",
    "n_patches",
    "area_km2",
    "max_score",
    "persistence",
    "kind",
    "label",
    "d_ndvi",
    "d_nbr",
    "d_ndwi",
    "longitude",
    "latitude",
    "bbox",
)
"""Columns of an event in a list."""


def changes(
    held: Held,
    generation: Generation,
    filters: Filters,
    *,
    sort: ChangeSort = "score",
    offset: int = 0,
    limit: int = 100,
) -> Page:
    """`total`, and `rows`: by falling score, or the latest onset first and then by score.

    Of equal ones the lower `change_id` goes first.

    Raises:
        Gone: the region or the search is not kept any more.
    """
    found = change_columns.of(held, generation)
    passes = mask(held, generation, filters)
    order = found.by_rank if sort == "score" else found.by_onset
    at = order[passes[order]]
    page = found.row[at[offset : offset + limit]]
    return {"total": len(at), "rows": rows(generation, "changes", CHANGE, page)}


def events(
    held: Held,
    generation: Generation,
    filters: Filters,
    *,
    sort: EventSort = "rank",
    offset: int = 0,
    limit: int = 100,
) -> Page:
    """`total`, and `rows`: events of which a change passes, and how many do (`n`).

    By rank; the latest start, the largest area or the highest score first, and then by rank.
    `change_id`, `p_value`, `q_value` and `false_alarms` are those of the strongest change of an
    event, whether it passes or not.

    Raises: as `changes`.
    """
    found = event_columns.of(held, generation)
    n = passing(held, generation, filters)
    shown = np.flatnonzero(n)
    by: dict[str, NDArray[Any]] = {
        "rank": found.rank,
        "start": -found.start,
        "area": -found.area_km2,
        "score": -found.score,
    }
    order = np.argsort(by[sort][shown], kind="stable")
    page = shown[order][offset : offset + limit]
    told = rows(generation, "events", EVENT, found.row[page])
    peaks = _peaks(held, generation, page)
    for one, event, peak in zip(told, page.tolist(), peaks, strict=True):
        one |= {"n": int(n[event]), **peak}
    return {"total": len(shown), "rows": told}


def counts(held: Held, generation: Generation, filters: Filters) -> Row:
    """How many changes and events pass, and how many of each month, kind and persistence.

    Raises: as `changes`.
    """
    columns = change_columns.of(held, generation)
    passes = mask(held, generation, filters)
    kind, days = columns.kind[passes], columns.onset[passes]
    least = int(kind.min(initial=0))
    of_kind = np.bincount(kind - least)
    lasting = np.bincount(columns.persistence[passes], minlength=len(columns.words))
    return {
        "changes": int(passes.sum()),
        "events": int((passing(held, generation, filters) > 0).sum()),
        "onsets": figures.months(days[days != UNKNOWN_DAY]),
        "kinds": {
            str(at + least): int(of_kind[at]) for at in np.flatnonzero(of_kind).tolist()
        },
        "persistence": {
            word: int(lasting[at])
            for at, word in enumerate(columns.words)
            if lasting[at]
        },
    }


def passing(held: Held, generation: Generation, filters: Filters) -> NDArray[np.int64]:
    """(e,) how many changes of each event of `columns.events.of` pass.

    Raises: as `changes`.
    """
    columns = change_columns.of(held, generation)
    found = event_columns.of(held, generation)
    passes = mask(held, generation, filters)
    key = (generation.stamps.get(generation.table("changes")), filters)
    return found.counts.get(key, lambda: found.passing(columns, passes))


def rows(
    generation: Generation,
    base: str,
    columns: Sequence[str],
    at: NDArray[np.integer],
) -> list[Row]:
    """Rows of a table in the order asked for, as JSON has them, with `kind_name`."""
    if not len(at):
        return []
    table = generation.archive.store.dataset(generation.table(base))
    found = table.take(at.tolist(), columns=list(columns)).to_pylist()
    kinds = Rows.of(generation)
    names = {one: kinds.kind(one) for one in {row["kind"] for row in found}}
    called = {one: row and (row["name"] or row["label"]) for one, row in names.items()}
    return [{**plain(row), "kind_name": called[row["kind"]]} for row in found]


def _peaks(held: Held, generation: Generation, at: NDArray[np.integer]) -> list[Row]:
    """`SURE` of the strongest change of each event; None where it has none."""
    changes = change_columns.of(held, generation)
    events = event_columns.of(held, generation)
    key = ("peaks", generation.stamps.get(generation.table("changes")))
    best = events.counts.get(key, lambda: events.peaks(changes))[at]
    there = np.flatnonzero(best >= 0)
    found: list[Row] = [dict.fromkeys(SURE)] * len(at)
    if len(there):
        table = generation.archive.store.dataset(generation.table("changes"))
        taken = table.take(changes.row[best[there]].tolist(), columns=list(SURE))
        for number, row in zip(there.tolist(), taken.to_pylist(), strict=True):
            found[number] = plain(row)
    return found
