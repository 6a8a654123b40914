"""What detection found, gathered over the blocks, as the tables of changes and events."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import patch_changes, places
from terradrift.chip import INDICES
from terradrift.detect import events as grouping
from terradrift.detect import growth
from terradrift.detect.block import Block, Changes
from terradrift.detect.events import Events
from terradrift.detect.features import components
from terradrift.detect.labels import label
from terradrift.detect.lof import lof
from terradrift.detect.null import q_values
from terradrift.detect.rarity import rarity
from terradrift.grid import Grid

_COMPARED = 16
"""Components in which changes are compared for rarity and LOF."""
_NEIGHBOURS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """All changes of a run; vectors as they are stored, in float16."""

    model: str
    grid: Grid
    run_id: str
    patch_ids: NDArray[np.str_]
    """(n,)"""
    cells: NDArray[np.int64]
    """(n, 3), CRS, row, column."""
    changes: Changes
    """(n,), without its vectors."""
    before: NDArray[np.float16]
    """(n, d)"""
    after: NDArray[np.float16]
    """(n, d)"""
    judged: NDArray[np.float32]
    """(k,), p-values of the strongest candidates of all patches; NaN is none."""

    def __len__(self) -> int:
        return len(self.patch_ids)

    def change_ids(self) -> NDArray[np.str_]:
        """Ids (n,) of model, patch and onset: the same change keeps its id over runs."""
        name = schema.suffix(self.model)
        stamps = np.datetime_as_string(self.changes.onset, unit="s").tolist()
        return np.array(
            [
                f"{name}-{patch}-{stamp.replace('-', '').replace(':', '')}"
                for patch, stamp in zip(self.patch_ids.tolist(), stamps, strict=True)
            ],
            np.str_,
        )

    def delta(self) -> NDArray[np.float32]:
        """Steps (n, d), after less before."""
        return self.after.astype(np.float32) - self.before.astype(np.float32)

    def events(self) -> Events:
        """The changes connected in space and time, best first."""
        return grouping.connect(
            growth.Changes(
                self.change_ids(),
                self.cells,
                self.changes.onset,
                self.changes.date_before,
                self.changes.date_after,
                self.changes.score,
                self.changes.persistence,
                self.delta(),
            )
        )


@dataclass
class Gathering:
    """Changes of block after block, and what each patch's history says."""

    _parts: list[Found] = field(default_factory=list)
    _patches: list[pa.RecordBatch] = field(default_factory=list)

    def add(self, model: str, grid: Grid, run_id: str, block: Block) -> None:
        """Keep what a block says of its patches, and its changes."""
        self._patches.append(patch_changes.rows(grid, run_id, block))
        changes = block.changes
        m = len(changes)
        self._parts.append(
            Found(
                model,
                grid,
                run_id,
                block.patch_ids[changes.row],
                block.cells[changes.row],
                replace(
                    changes,
                    before=np.empty((m, 0), np.float32),
                    after=np.empty((m, 0), np.float32),
                ),
                changes.before.astype(np.float16),
                changes.after.astype(np.float16),
                block.patches.p_value,
            )
        )

    def patches(self) -> pa.Table:
        """Rows of `schema.patch_changes` so far."""
        return pa.Table.from_batches(self._patches, schema.patch_changes())

    def found(self) -> Found | None:
        """All changes so far; None where no block came."""
        parts = [part for part in self._parts if len(part)] or self._parts[:1]
        if not parts:
            return None
        judged = np.concatenate([part.judged for part in self._parts])
        return replace(
            parts[0],
            patch_ids=np.concatenate([part.patch_ids for part in parts]),
            cells=np.concatenate([part.cells for part in parts]),
            changes=Changes(
                *(
                    np.concatenate([getattr(part.changes, each.name) for part in parts])
                    for each in fields(Changes)
                )
            ),
            before=np.concatenate([part.before for part in parts]),
            after=np.concatenate([part.after for part in parts]),
            judged=judged,
        )


def changes_table(
    found: Found, events: Events, dimensions: int, threads: int
) -> pa.Table:
    """Rows of `schema.changes`, best event first, then by score."""
    columns = schema.changes(dimensions)
    if len(found) == 0:
        return columns.empty_table()
    changes, delta, n = found.changes, found.delta(), len(found)
    points = components(delta, _COMPARED)
    rare = rarity(points, events.event, events.peak_change, threads=threads)
    made = {
        "change_id": pa.array(found.change_ids(), pa.string()),
        "patch_id": pa.array(found.patch_ids, pa.string()),
        "number": pa.array(changes.number, pa.int32()),
        "tile": pa.array(patch_changes.tiles(found.grid, found.cells), pa.string()),
        "onset": places.instants(changes.onset),
        "onset_early": places.instants(changes.onset_early),
        "onset_late": places.instants(changes.onset_late),
        "ended": places.instants(changes.ended),
        "date_before": places.instants(changes.date_before),
        "date_after": places.instants(changes.date_after),
        "gap_days": places.nullable(changes.gap_days),
        "n_reference": pa.array(changes.n_reference, pa.int32()),
        "n_controls": pa.array(changes.n_controls, pa.int32()),
        "controls": _lists(changes.controls),
        "reference": places.words(changes.reference),
        "drift": places.nullable(changes.drift),
        "z": places.nullable(changes.z),
        "p_value": places.nullable(changes.p_value),
        "q_value": places.nullable(q_values(changes.p_value, found.judged)),
        "false_alarms": places.nullable(changes.false_alarms),
        "lof": places.nullable(lof(points, _NEIGHBOURS, threads=threads)),
        "score": places.nullable(changes.score),
        "persistence": places.words(changes.persistence),
        **_index_columns(changes.indices),
        "event_id": pa.array(events.event_ids[events.event], pa.string()),
        "kind": pa.nulls(n, pa.int32()),
        "kind_probability": pa.nulls(n, pa.float32()),
        "rarity": places.nullable(rare),
        "before": places.vectors(found.before),
        "after": places.vectors(found.after),
        "delta": places.vectors(delta),
        **places.columns(_squares(found)),
        "run_id": pa.array([found.run_id] * n, pa.string()),
    }
    table = pa.Table.from_arrays([made[name] for name in columns.names], schema=columns)
    score = changes.score.astype(np.float64)
    return table.take(np.lexsort((found.change_ids(), -score, events.event)))


def events_table(found: Found, events: Events) -> pa.Table:
    """Rows of `schema.events` in order of rank."""
    columns = schema.events()
    if len(found) == 0:
        return columns.empty_table()
    changes, n = found.changes, len(events)
    groups = _grouped(events.event)
    indices = np.stack([_median(changes.indices[rows]) for rows in groups])
    names = [label(*(float(value) for value in row)).label for row in indices]
    max_z = np.array([_extreme(changes.z[rows], 1) for rows in groups])
    min_p = np.array([_extreme(changes.p_value[rows], -1) for rows in groups])
    area = events.n_patches * (found.grid.patch_size / 1000) ** 2
    made = {
        "event_id": pa.array(events.event_ids, pa.string()),
        "rank": pa.array(np.arange(1, n + 1), pa.int32()),
        "start": places.instants(events.start),
        "peak": places.instants(events.peak),
        "end": places.instants(events.end),
        "n_patches": pa.array(events.n_patches, pa.int32()),
        "area_km2": pa.array(area, pa.float64()),
        "max_score": places.nullable(events.max_score),
        "max_z": places.nullable(max_z),
        "min_p_value": places.nullable(min_p),
        "persistence": places.words(events.persistence),
        "kind": pa.nulls(n, pa.int32()),
        "label": pa.array(names, pa.string()),
        **_index_columns(indices),
        **places.columns(
            grouping.outline(places.corners(found.grid, found.cells), events.event)
        ),
        "run_id": pa.array([found.run_id] * n, pa.string()),
    }
    return pa.Table.from_arrays([made[name] for name in columns.names], schema=columns)


def _index_columns(indices: NDArray[np.floating]) -> dict[str, pa.Array]:
    return {
        f"d_{name}": places.nullable(indices[:, at]) for at, name in enumerate(INDICES)
    }


def _squares(found: Found) -> NDArray[np.object_]:
    squares = shapely.polygons(places.corners(found.grid, found.cells))
    return np.asarray(squares, dtype=object)


def _lists(names: NDArray[np.str_]) -> pa.Array:
    """Column of lists of (n, k) names, without the empty ones, which come last."""
    ends = np.cumsum((names != "").sum(axis=1), dtype=np.int32)
    return pa.ListArray.from_arrays(
        np.concatenate([np.zeros(1, np.int32), ends]),
        pa.array(names[names != ""], pa.string()),
    )


def _grouped(event: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rows of each event, in order of event."""
    order = np.argsort(event, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(event[order])) + 1)


def _median(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """(k,) median of (n, k) per column over what is known; NaN where nothing is."""
    return np.array(
        [
            np.median(column[np.isfinite(column)])
            if np.isfinite(column).any()
            else np.nan
            for column in rows.T
        ]
    )


def _extreme(values: NDArray[np.floating], sign: int) -> float:
    """Largest (sign 1) or smallest (-1) of the values that are known, NaN where none is."""
    known = values[np.isfinite(values)]
    return float(sign * (sign * known).max()) if len(known) else np.nan
