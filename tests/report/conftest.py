"""Report data of a small invented archive."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely

from terradrift import schema
from terradrift.report import ReportData, shown_patches

SIDE = 24
WEST, SOUTH, STEP = 3.0, 50.97, 0.0005
LABELS = (
    ("vegetation loss", "persistent", -0.42),
    ("inundation", "transient", -0.31),
    ("new built-up", "persistent", -0.28),
    ("burn", "persistent", -0.36),
    ("vegetation gain", "transient", 0.22),
)


def dates(count: int) -> list[datetime]:
    first = datetime(2019, 1, 4, 10, 50, tzinfo=UTC)
    return [first + timedelta(days=15 * step) for step in range(count)]


def corners() -> np.ndarray:
    row, col = (axis.ravel() for axis in np.mgrid[:SIDE, :SIDE])
    x = WEST + (col[:, None] + np.array([0, 1, 1, 0])) * STEP * 1.6
    y = SOUTH + (row[:, None] + np.array([0, 0, 1, 1])) * STEP
    return np.stack([x, y], -1)


def chip(at: datetime, box, shape) -> np.ndarray:
    rng = np.random.default_rng(int(at.timestamp()) % 2**32)
    ramp = np.linspace(0.04, 0.2, shape[0] * shape[1]).reshape(*shape, 1)
    return (ramp + rng.normal(0, 0.01, (*shape, 3))).astype(np.float32)


def table(rows: list[dict[str, Any]], like: pa.Schema) -> pa.Table:
    full = [{name: row.get(name) for name in like.names} for row in rows]
    return pa.Table.from_pylist(full, schema=like)


def made(n_events: int = 9, n_dates: int = 36, **given: Any) -> ReportData:
    """An archive of 24 x 24 patches; `given` replaces fields."""
    rng = np.random.default_rng(0)
    seen = dates(n_dates)
    squares = corners()
    values = np.where(rng.random(SIDE * SIDE) < 0.8, 0, rng.gamma(2, 2, SIDE * SIDE))
    values[rng.random(SIDE * SIDE) < 0.03] = np.nan
    events, changes = [], []
    for number in range(n_events):
        cells = [
            (2 + 2 * number) % SIDE * SIDE + 3 + number + step for step in range(3)
        ]
        values[cells] = 30.0 - 2 * number
        at = seen[min(8 + 3 * number, n_dates - 2) - 1 :][:3]
        event, change = one_event(number, squares[cells], at)
        events.append(event)
        changes.append(change)
    kinds = [
        {
            "kind": number,
            "size": 40 - 7 * number,
            "label": name,
            "description": "NDVI and NBR",
        }
        for number, (name, _, _) in enumerate(LABELS)
    ]
    scenes = [
        {
            "scene_id": f"S2_{at:%Y%m%d}",
            "datetime": at,
            "cloud_percent": float(rng.integers(90)),
        }
        for at in seen
    ]
    runs = [
        {
            "run_id": verb,
            "verb": verb,
            "status": "done",
            "started": seen[0],
            "ended": seen[0] + timedelta(seconds=12.3),
            "rows": 576,
            "message": "",
        }
        for verb in ("ingest", "embed", "detect", "cluster")
    ]
    fields = {
        "title": "Invented valley",
        "model": "mosaiks",
        "patch_size": 40,
        "events": table(events, schema.events()),
        "changes": table(changes, schema.changes(4)),
        "kinds": table(kinds, schema.kinds()),
        "scenes": table(scenes, schema.scenes()),
        "runs": table(runs, schema.runs()),
        "corners": squares,
        "values": values.astype(np.float32),
        "n_observations": SIDE * SIDE * n_dates,
        "abstained": {"not clear enough": 6012, "history too short": 2304},
        "skipped": (("S2_20190101", "file is truncated"),),
        "chip": chip,
    }
    wanted = shown_patches(fields["events"], fields["changes"])
    fields["scores"] = table(
        [row for patch in wanted for row in scores(patch, seen, rng)], schema.scores()
    )
    return ReportData(**{**fields, **given})


def one_event(
    number: int, squares: np.ndarray, at: list[datetime]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Rows of an event and of its strongest change: before, onset, later."""
    label, persistence, moved = LABELS[number % len(LABELS)]
    shape = shapely.union_all(shapely.polygons(squares))
    same = {"event_id": f"event-{number}", "persistence": persistence}
    event = {
        "rank": number + 1,
        "start": at[1],
        "peak": at[1],
        "end": at[-1],
        "n_patches": len(squares),
        "area_km2": 0.0768 * (1 + number),
        "max_score": 30.0 - 2 * number,
        "max_z": 12.0 - number,
        "min_p_value": 0.0004 * (number + 1),
        "kind": number % 5,
        "label": label,
        "d_ndvi": moved,
        "d_nbr": moved * 1.2,
        "d_ndwi": -moved * 0.6,
        "longitude": shape.centroid.x,
        "latitude": shape.centroid.y,
        "geometry": shapely.to_wkb(shape),
    }
    change = {
        "change_id": f"change-{number}",
        "patch_id": f"patch-{number}",
        "onset": at[1],
        "onset_early": at[0],
        "onset_late": at[1],
        "ended": at[-1] if persistence == "transient" else None,
        "date_before": at[0],
        "date_after": at[1],
        "gap_days": 15.0,
        "n_reference": 6,
        "n_controls": 40,
        "reference": "season+analogues",
        "z": 12.0 - number,
        "p_value": 0.0004 * (number + 1),
        "q_value": 0.002 * (number + 1),
        "false_alarms": 0.3 * (number + 1),
        "score": 30.0 - 2 * number,
    }
    return {**same, **event}, {**same, **change}


def scores(patch: str, seen: list[datetime], rng: np.random.Generator) -> list[dict]:
    start = min(8 + 3 * int(patch.split("-")[1]), len(seen) - 2)
    rows = []
    for number, at in enumerate(seen):
        z: float | None = float(rng.normal() + (11 if number >= start else 0))
        reason = ""
        if number < 4:
            z, reason = None, "history too short"
        elif rng.random() < 0.25 and number not in (start, start - 1):
            z, reason = None, "not clear enough"
        rows.append({"patch_id": patch, "datetime": at, "z": z, "reason": reason})
    return rows


@pytest.fixture(scope="session")
def report_data() -> Callable[..., ReportData]:
    """Makes report data; see `made`."""
    return made
