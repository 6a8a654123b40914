"""What to label next: rows of which the probe knows least, spread out.

Uncertainty sampling is of Lewis and Gale 1994, "A sequential algorithm for training text
classifiers". Of the rows whose probability is nearest one half, one of each event, those
are chosen that lie farthest from each other (Gonzalez 1985, "Clustering to minimize the
maximum intercluster distance"), as near-identical rows teach the same.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query import checked, lance_scan, rows_of
from terradrift.query import tables as _tables
from terradrift.query.result import Result
from terradrift.query.search import (
    candidates,
    compared,
    labelled,
    modes,
    probe,
    unit_rows,
)
from terradrift.query.search.deadline import Deadline
from terradrift.query.search.labelled import Judged
from terradrift.query.where import Where

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from terradrift.period import Period
    from terradrift.query.search.aim import Own
    from terradrift.query.search.modes import ModeName, Target
    from terradrift.query.search.probe import Probe
    from terradrift.query.sql.limits import Limits
    from terradrift.store.tables import Store

N_MAX = 1000
POOL = 10
"""Rows that are nearly as uncertain, for each that is chosen (docs/labels.md)."""

# Far more than float32 sums of 10,000 products of unit vectors can be wrong.
_SLACK = 1e-3


def uncertain(
    store: "Store",
    *,
    like: str | Sequence[str] = (),
    unlike: str | Sequence[str] = (),
    labels: str | None = None,
    n: int = 10,
    target: "Target" = "changes",
    mode: "ModeName | None" = None,
    model: str | None = None,
    space: str | None = None,
    within: "str | Path | Mapping[str, Any] | BaseGeometry | None" = None,
    bbox: "str | tuple[float, float, float, float] | None" = None,
    between: "str | Period | tuple[str, str] | None" = None,
    kind: int | Iterable[int] | None = None,
    persistence: str | Iterable[str] | None = None,
    min_score: float | None = None,
    where: str | None = None,
    limits: "Limits | None" = None,
) -> Result:
    """The `n` rows of `target` whose verdict would teach a search most.

    They are those whose probability of being liked, by a probe of what was judged so far
    (see `probe.fit`), is nearest one half, at most one of an event and none of an event
    that was judged, spread out. `mode`, `space` and the conditions (`within`, `bbox`,
    `between`, `kind`, `persistence`, `min_score`, `where`) are those of `similar`. The same
    question of the same tables has the same answer.

    The answer has `rank` (from 1), `probability` (0 to 1) and the target's columns without
    vectors. The table is streamed; memory holds `POOL` rows for each asked for.
    `limits` bound the rows of the answer, the time from the call on, and the memory of
    `where` in DuckDB.

    Raises:
        QueryError: n out of range, nothing liked, an id that is not there, no such labels,
            a condition that cannot be read, or the time of `limits` is over.
        ArchiveError: there is no such space of the model.
    """
    checked.arguments(locals())
    deadline = Deadline.of(limits, "narrow it")
    if not 1 <= n <= N_MAX:
        raise QueryError(f"n must be between 1 and {N_MAX:,}, got {n}")
    chosen = modes.resolve(mode, target)
    judged = Judged(
        like=checked.ids("like", like),
        unlike=checked.ids("unlike", unlike),
        labels=labels,
    )
    conditions = Where.parse(
        within=within,
        bbox=bbox,
        between=between,
        kind=kind,
        persistence=persistence,
        min_score=min_score,
        where=where,
    )
    tables = _tables.Opened(store)
    name = model or store.settings.model
    table = _tables.of_model(tables, candidates.BASE[target], name)
    used = compared.found(store, name, chosen, space)
    given = labelled.read(
        tables, name, judged, chosen, used.space, target=target, deadline=deadline
    )
    fitted = probe.fit(*given.flat())
    allowed = candidates.find(tables, name, target, conditions, deadline)
    one = "event_id" if target == "changes" else "patch_id"
    keys = ["change_id"] if target == "changes" else ["patch_id", "datetime"]
    wanted = dict.fromkeys([*chosen.columns, *keys, one, lance_scan.ROW_ID])
    batches = lance_scan.scan(table, {each: f"`{each}`" for each in wanted}, allowed)
    if allowed is not None:
        batches = (
            batch.filter(pa.array(lance_scan.among(batch, allowed)))
            for batch in batches
        )
    known = Known(given.own | given.own_unliked, one, tuple(keys))
    pool = least_sure(
        deadline.batches(batches),
        fitted,
        known,
        lambda rows: unit_rows.stacked(rows, chosen.columns, used.space),
        POOL * n,
    )
    deadline.check()
    most = n if limits is None or limits.rows is None else min(n, limits.rows)
    picked = spread(pool.vectors, n)[:most]
    plain = [f.name for f in table.schema if not lance_scan.is_vector(f.type)]
    rows = rows_of.take(table, pool.row_ids[picked], plain)
    probability = pa.array(fitted.probability(pool.vectors[picked]))
    rank = pa.array(np.arange(1, len(rows) + 1, dtype=np.int32))
    rows = rows.add_column(0, "rank", rank).add_column(1, "probability", probability)
    notes = [note for note in (given.note, used.note) if note]
    if most < n:
        notes.append(f"the limit is {most:,} rows, {n:,} were asked for")
    if len(rows) < most:
        notes.append(f"{len(rows):,} rows are left to judge, {most:,} were asked for")
    told = "; ".join(notes) or None
    return Result(rows, told, space=used.label, mode=chosen.name)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What was judged, and by which columns rows are told apart."""

    own: "Own"
    one: str
    """The column of which an answer has each value once: `event_id` or `patch_id`."""
    keys: tuple[str, ...]
    """Columns that name a row uniquely; they break ties."""

    def left(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows that are not of what was judged."""
        out = _among(batch, "patch_id", self.own.patch_ids)
        if self.one == "event_id":
            out = _among(batch, "event_id", self.own.event_ids)
            out = pc.or_(out, _among(batch, "change_id", self.own.change_ids))
        return batch.filter(pc.invert(out))

    def names(self, batch: pa.RecordBatch) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        """(n,) what a row is one of (itself where of none), and its own name."""
        keys = [batch[key].cast(pa.string()) for key in self.keys]
        own = pc.binary_join_element_wise(*keys, "@")
        ones = pc.coalesce(batch[self.one], own)
        return np.array(ones.to_pylist(), np.str_), np.array(own.to_pylist(), np.str_)


def _among(batch: pa.RecordBatch, column: str, ids: frozenset[str]) -> pa.Array:
    if column not in batch.schema.names:
        return pa.array(np.zeros(batch.num_rows, bool))
    return pc.is_in(batch[column], value_set=pa.array(sorted(ids), pa.string()))


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Rows of which the probe knows least, the least certain first."""

    doubt: NDArray[np.float64]
    """(n,) distance of the log odds from 0: even odds."""
    one: NDArray[np.str_]
    """(n,) event or patch, each once."""
    name: NDArray[np.str_]
    row_ids: NDArray[np.uint64]
    vectors: NDArray[np.float32]
    """(n, d) of length one."""

    def joined(self, other: "Pool", most: int) -> "Pool":
        """The first `most` of both, one of each event."""
        doubt = np.concatenate([self.doubt, other.doubt])
        one = np.concatenate([self.one, other.one])
        name = np.concatenate([self.name, other.name])
        order = np.lexsort((name, doubt))
        _, first = np.unique(one[order], return_index=True)
        kept = order[np.sort(first)[:most]]
        return Pool(
            doubt[kept],
            one[kept],
            name[kept],
            np.concatenate([self.row_ids, other.row_ids])[kept],
            np.concatenate([self.vectors, other.vectors])[kept],
        )


def least_sure(
    batches: Iterable[pa.RecordBatch],
    fitted: "Probe",
    known: Known,
    inside: Callable[[pa.RecordBatch], NDArray[np.float32]],
    most: int,
) -> Pool:
    """The `most` rows of the least certain verdict, one of each event.

    `inside` gives the vectors (n, columns, r) of rows in the space that was learned in.
    Equal ones stand in the order of their names. Rows without a direction are left out.
    """
    none, words = np.empty(0), np.empty(0, np.str_)
    empty = np.empty((0, len(fitted.direction)), np.float32)
    pool = Pool(none, words, words, none.astype(np.uint64), empty)
    bound = np.inf
    for batch in batches:
        rows = known.left(batch)
        if rows.num_rows == 0:
            continue
        flat = inside(rows).reshape(rows.num_rows, -1)
        lengths = np.linalg.norm(flat, axis=1)
        lengths[~(lengths > 0)] = np.nan
        flat /= lengths[:, None]
        rough = flat @ fitted.direction.astype(np.float32) + np.float32(
            fitted.intercept
        )
        slack = _SLACK * np.linalg.norm(fitted.direction)
        near = np.flatnonzero(np.abs(rough) <= bound + slack)
        kept, unit = rows.take(pa.array(near)), flat[near]
        doubt = np.abs(fitted.log_odds(unit))
        found = Pool(
            doubt, *known.names(kept), kept[lance_scan.ROW_ID].to_numpy(), unit
        )
        pool = pool.joined(found, most)
        if len(pool.doubt) == most:
            bound = float(pool.doubt[-1])
    return pool


def spread(vectors: NDArray[np.floating], n: int) -> NDArray[np.int64]:
    """Places of `n` unit vectors (m, d) far from each other, the first of them first.

    Each next one is the farthest from all that are chosen; of equal ones the first.
    """
    if len(vectors) == 0:
        return np.empty(0, np.int64)
    chosen = [0]
    gap = 1 - vectors @ vectors[0]
    while len(chosen) < min(n, len(vectors)):
        gap[chosen[-1]] = -np.inf
        chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, 1 - vectors @ vectors[chosen[-1]])
    return np.array(chosen, np.int64)
