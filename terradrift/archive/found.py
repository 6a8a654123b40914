"""What detection found, gathered over the blocks, as the tables of changes and events."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.detect import events as grouping
from terradrift.detect import growth
from terradrift.detect.block import Block
from terradrift.detect.events import Events
from terradrift.detect.features import features
from terradrift.detect.labels import label
from terradrift.detect.lof import lof
from terradrift.detect.rarity import rarity
from terradrift.grid import Grid

_COMPARED = 16
"""Components in which changes are compared for rarity and LOF."""
_NEIGHBOURS = 20

_PER_CHANGE = (
    "onset",
    "date_before",
    "date_after",
    "gap_days",
    "n_reference",
    "n_controls",
    "reference",
    "drift",
    "z",
    "p_value",
    "score",
    "persistence",
    "indices",
    "before",
    "after",
)


@dataclass
class Found:
    """Changes of all blocks so far; vectors are kept as stored, in float16."""

    model: str
    grid: Grid
    run_id: str
    _parts: list[dict[str, NDArray[np.generic]]] = field(default_factory=list)
    _events: Events | None = None

    def add(self, block: Block) -> None:
        """Keep the changes of a block."""
        changes = block.changes
        if len(changes) == 0:
            return
        part = {name: getattr(changes, name) for name in _PER_CHANGE}
        part["before"] = part["before"].astype(np.float16)
        part["after"] = part["after"].astype(np.float16)
        part["patch_id"] = block.patch_ids[changes.row]
        part["cells"] = block.cells[changes.row]
        self._parts.append(part)

    def __len__(self) -> int:
        return sum(len(part["onset"]) for part in self._parts)

    def column(self, name: str) -> NDArray[np.generic]:
        """One column over all changes."""
        return np.concatenate([part[name] for part in self._parts])

    def change_ids(self) -> NDArray[np.str_]:
        """(n,) ids of model, patch and onset: the same change keeps its id over runs."""
        instants = np.datetime_as_string(self.column("onset"), unit="s")
        stamps = np.char.replace(np.char.replace(instants, "-", ""), ":", "")
        heads = np.char.add(f"{schema.suffix(self.model)}-", self.column("patch_id"))
        return np.char.add(np.char.add(heads, "-"), stamps)

    def delta(self) -> NDArray[np.float32]:
        """(n, d)"""
        after = self.column("after").astype(np.float32)
        return after - self.column("before").astype(np.float32)

    @property
    def events(self) -> Events:
        """The changes connected in space and time, best first."""
        if self._events is None:
            names = ("cells", "onset", "date_before", "date_after", "score")
            self._events = grouping.connect(
                growth.Changes(
                    self.change_ids(),
                    *(self.column(name) for name in names),
                    self.column("persistence"),
                    self.delta(),
                )
            )
        return self._events


def changes_table(found: Found, dimensions: int, threads: int) -> pa.Table:
    """Rows of `schema.changes`, best event first, then by score."""
    columns = schema.changes(dimensions)
    if len(found) == 0:
        return columns.empty_table()
    events, delta = found.events, found.delta()
    before = found.column("before")
    points = features(before, delta, dimensions=_COMPARED, state=0.5)
    indices = found.column("indices")
    made = {
        "change_id": pa.array(found.change_ids(), pa.string()),
        "patch_id": pa.array(found.column("patch_id"), pa.string()),
        "tile": pa.array(_tiles(found), pa.string()),
        "n_reference": pa.array(found.column("n_reference"), pa.int32()),
        "n_controls": pa.array(found.column("n_controls"), pa.int32()),
        "reference": places.words(found.column("reference")),
        "persistence": places.words(found.column("persistence")),
        "lof": places.nullable(lof(points, _NEIGHBOURS, threads=threads)),
        "d_ndvi": places.nullable(indices[:, 0]),
        "d_nbr": places.nullable(indices[:, 1]),
        "d_ndwi": places.nullable(indices[:, 2]),
        "event_id": pa.array(events.event_ids[events.event], pa.string()),
        "kind": pa.nulls(len(found), pa.int32()),
        "kind_probability": pa.nulls(len(found), pa.float32()),
        "rarity": places.nullable(
            rarity(points, events.event, events.peak_change, threads=threads)
        ),
        "before": places.vectors("before", before),
        "after": places.vectors("after", found.column("after")),
        "delta": places.vectors("delta", delta),
        "run_id": pa.array([found.run_id] * len(found), pa.string()),
        **{
            name: places.instants(found.column(name))
            for name in ("onset", "date_before", "date_after")
        },
        **{
            name: places.nullable(found.column(name))
            for name in ("gap_days", "drift", "z", "p_value", "score")
        },
        **places.columns(
            shapely.polygons(places.corners(found.grid, found.column("cells")))
        ),
    }
    table = pa.Table.from_arrays([made[name] for name in columns.names], schema=columns)
    score = found.column("score").astype(np.float64)
    return table.take(np.lexsort((found.change_ids(), -score, events.event)))


def events_table(found: Found) -> pa.Table:
    """Rows of `schema.events` in order of rank."""
    columns = schema.events()
    if len(found) == 0:
        return columns.empty_table()
    events = found.events
    shapes = grouping.outline(
        places.corners(found.grid, found.column("cells")), events.event
    )
    groups = _grouped(events.event)
    indices = np.stack([_median(found.column("indices")[rows]) for rows in groups])
    z, p = found.column("z"), found.column("p_value")
    made = {
        "event_id": pa.array(events.event_ids, pa.string()),
        "rank": pa.array(np.arange(1, len(events) + 1), pa.int32()),
        "start": places.instants(events.start),
        "peak": places.instants(events.peak),
        "end": places.instants(events.end),
        "n_patches": pa.array(events.n_patches, pa.int32()),
        "area_km2": pa.array(
            events.n_patches * (found.grid.patch_size / 1000) ** 2, pa.float64()
        ),
        "max_score": places.nullable(events.max_score),
        "max_z": places.nullable(np.array([_extreme(z[rows], 1) for rows in groups])),
        "min_p_value": places.nullable(
            np.array([_extreme(p[rows], -1) for rows in groups])
        ),
        "persistence": places.words(events.persistence),
        "kind": pa.nulls(len(events), pa.int32()),
        "label": pa.array(
            [label(*(float(value) for value in row)).label for row in indices],
            pa.string(),
        ),
        "d_ndvi": places.nullable(indices[:, 0]),
        "d_nbr": places.nullable(indices[:, 1]),
        "d_ndwi": places.nullable(indices[:, 2]),
        **places.columns(shapes),
        "run_id": pa.array([found.run_id] * len(events), pa.string()),
    }
    return pa.Table.from_arrays([made[name] for name in columns.names], schema=columns)


def _tiles(found: Found) -> NDArray[np.str_]:
    cells = found.column("cells")
    tiles = np.empty(len(cells), object)
    for epsg in np.unique(cells[:, 0]):
        here = cells[:, 0] == epsg
        tiles[here] = found.grid.tile_of(int(epsg), cells[here, 1], cells[here, 2])
    return tiles.astype(np.str_)


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
