"""Small archives of changes put where a test wants them, without scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from terradrift import schema
from terradrift.grid import Grid
from terradrift.serve.held import Held
from terradrift.store.tables import Settings, Store

MODEL = "drawn"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """One change; its patch is a square of `width` degrees, turned a little as in UTM."""

    longitude: float
    latitude: float
    score: float = 10.0
    kind: int | None = 1
    day: int | None = 18_000
    persistence: str | None = "persistent"
    event: str | None = "event-1"
    width: float = 0.002

    @property
    def corners(self) -> np.ndarray:
        """(4, 2) longitude and latitude, counter-clockwise from the south-west."""
        east, north = self.width / 2, self.width / 3
        lean = 0.02 * self.width
        round_ = [
            (-east, -north),
            (east, -north + lean),
            (east, north),
            (-east, north - lean),
        ]
        return np.array([self.longitude, self.latitude]) + round_


def batch(changes: Sequence[Change]) -> pa.RecordBatch:
    """Rows as the columns read them, ids `change-00000` and so on."""
    onsets = [
        None if c.day is None else EPOCH + timedelta(days=c.day, hours=10)
        for c in changes
    ]
    shapes = [shapely.to_wkb(shapely.Polygon(c.corners)) for c in changes]
    return pa.record_batch(
        {
            "change_id": pa.array(
                [f"change-{at:05d}" for at in range(len(changes))], pa.string()
            ),
            "geometry": pa.array(shapes, pa.binary()),
            "score": pa.array([c.score for c in changes], pa.float32()),
            "kind": pa.array([c.kind for c in changes], pa.int32()),
            "onset": pa.array(onsets, schema.INSTANT),
            "persistence": pa.array([c.persistence for c in changes], pa.string()),
            "event_id": pa.array([c.event for c in changes], pa.string()),
        }
    )


def archive(folder: Path, changes: Sequence[Change]) -> Held:
    """An archive of these changes, their events and patches; two patches are not judged."""
    store = Store.create(folder, Settings(Grid(160, gsd=10.0), model=MODEL))
    rows = pa.Table.from_batches([batch(changes)])
    more: dict[str, Any] = {
        "longitude": [c.longitude for c in changes],
        "latitude": [c.latitude for c in changes],
        "bbox": [_box(c.corners) for c in changes],
        "patch_id": [f"32631_160m_{at}_1" for at in range(len(changes))],
        "tile": ["32631_160m_0_0"] * len(changes),
    }
    for name, values in more.items():
        type_ = schema.changes(4).field(name).type
        rows = rows.append_column(name, pa.array(values, type_))
    store.append(f"changes_{MODEL}", fitted(rows, schema.changes(4)))
    patches = rows.select([*more, "geometry"])
    store.append("patches", fitted(patches, schema.patches()))
    judged = patches.select(["patch_id"]).append_column(
        "score", pa.array([None, None, *(c.score for c in changes[2:])], pa.float32())
    )
    store.append(f"patch_changes_{MODEL}", fitted(judged, schema.patch_changes()))
    regimes = patches.select(["patch_id"]).append_column(
        "regime", pa.array([at % 3 for at in range(len(changes))], pa.int32())
    )
    # Backwards: tables need not be in one order.
    regimes = regimes.take(list(range(len(changes)))[::-1])
    store.append(f"regimes_{MODEL}", fitted(regimes, schema.regimes()))
    store.append(f"events_{MODEL}", fitted(_events(changes), schema.events()))
    return Held(folder)


def fitted(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """`rows` in the wanted schema; columns that are not given are null."""
    count = len(rows)
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(count, field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=wanted)


def scattered(count: int, seed: int = 5) -> list[Change]:
    """Changes of a few places, among them the antimeridian and a high latitude."""
    rng = np.random.default_rng(seed)
    places = [
        (6.0, 50.0),
        (-60.0, -3.0),
        (179.999, -17.0),
        (-179.9995, -17.2),
        (20.0, 85.5),
    ]
    found = []
    for at in range(count):
        longitude, latitude = places[at % len(places)]
        found.append(
            Change(
                longitude + rng.normal() * 0.01 * (longitude != places[2][0]),
                latitude + rng.normal() * 0.01,
                score=float(np.round(rng.gamma(3, 3), 1)),
                kind=None if at % 7 == 0 else int(rng.integers(0, 4)),
                day=None if at % 31 == 0 else int(17_000 + rng.integers(0, 2000)),
                persistence=[None, "persistent", "transient", "gradual"][at % 4],
                event=None if at % 11 == 0 else f"event-{at % 13}",
            )
        )
    # Two at one place, and two that only their ids tell apart.
    return [*found, found[3], replace(found[4], score=found[5].score)]


def _events(changes: Sequence[Change]) -> pa.Table:
    names = sorted({c.event for c in changes if c.event})
    of = {name: [c for c in changes if c.event == name] for name in names}
    by_score = sorted(names, key=lambda name: (-max(c.score for c in of[name]), name))
    shapes = [
        shapely.union_all([shapely.Polygon(c.corners) for c in of[n]]) for n in by_score
    ]
    first = [min(c.day or 0 for c in of[name]) for name in by_score]
    return pa.table(
        {
            "event_id": pa.array(by_score, pa.string()),
            "rank": pa.array(range(1, len(names) + 1), pa.int32()),
            "start": pa.array(
                [EPOCH + timedelta(days=day) for day in first], schema.INSTANT
            ),
            "n_patches": pa.array([len(of[name]) for name in by_score], pa.int32()),
            "area_km2": pa.array([0.0256 * len(of[name]) for name in by_score]),
            "max_score": pa.array(
                [max(c.score for c in of[n]) for n in by_score], pa.float32()
            ),
            "kind": pa.array([of[name][0].kind for name in by_score], pa.int32()),
            "bbox": pa.array(
                [_box(np.array(s.bounds).reshape(2, 2)) for s in shapes], schema.BBOX
            ),
            "longitude": pa.array([s.centroid.x for s in shapes]),
            "latitude": pa.array([s.centroid.y for s in shapes]),
            "geometry": pa.array([shapely.to_wkb(s) for s in shapes], pa.binary()),
        }
    )


def _box(corners: np.ndarray) -> dict[str, float]:
    low, high = corners.min(axis=0), corners.max(axis=0)
    return {"xmin": low[0], "ymin": low[1], "xmax": high[0], "ymax": high[1]}
